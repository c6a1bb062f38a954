/**
 * Draws the words of /in/top.tsv as bars, each made of as many colours as there are texts, and writes /out/chart.png. The font and
 * the palette are those of the pack.
 *
 *   render TITLE
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { Canvas } from "../../tilemap/assembly/canvas";
import { Font } from "../../tilemap/assembly/font";
import { encodePng } from "../../tilemap/assembly/png";
import { BankType, Slot } from "./ids";
import { Row, Table, fail, reason } from "./table";

/** Indices of the palette; behind them it has the colours of the bars. */
const PAPER: u8 = 0;
const INK: u8 = 1;
const FAINT: u8 = 2;
const FIRST: i32 = 3;

/** Pixels, which are doubled in the end. */
const WIDTH: i32 = 360;
const MARGIN: i32 = 12;
const HEAD: i32 = 34;
const PITCH: i32 = 15;
const BAR: i32 = 10;
const FIGURES: i32 = 24;
const LEGEND: i32 = 14;
const SWATCH: i32 = 7;

function inSlot(bankType: u32, slot: u32): Uint8Array {
  const bank = ashlar.Bank.inSlot(bankType, slot);
  let bytes: Uint8Array | null = null;
  if (bank != null) bytes = bank.readAll();
  if (bytes == null) fail(`cannot read slot ${slot} of bank type ${bankType}: ${reason()}`);
  return bytes!;
}

class Chart {
  private canvas: Canvas = new Canvas(0, 0);
  private readonly font: Font = new Font(inSlot(BankType.FONTS, Slot.FONTS_LINTEL));
  private readonly palette: Uint8Array = inSlot(BankType.PALETTES, Slot.PALETTES_CHART);
  /** Where the bars begin. */
  private left: i32 = 0;

  constructor(private readonly table: Table) {
    for (let k = 0; k < table.rows.length; k++) this.left = max(this.left, this.font.width(table.rows[k].word));
    this.left += MARGIN + 6;
    const body = PITCH * table.rows.length + 10 + LEGEND * this.legend(0, false);
    this.canvas = new Canvas(WIDTH, HEAD + body + MARGIN - 6);
  }

  draw(title: string): Uint8Array {
    const rows = this.table.rows;
    this.font.draw(this.canvas, title, MARGIN, MARGIN, INK);
    this.fill(MARGIN, HEAD - 9, WIDTH - 2 * MARGIN, 1, FAINT);
    for (let k = 0; k < rows.length; k++) this.bar(rows[k], HEAD + PITCH * k);
    this.fill(this.left - 1, HEAD - 3, 1, PITCH * rows.length + 2, INK);
    this.legend(HEAD + PITCH * rows.length + 10, true);
    const picture = doubled(this.canvas);
    return encodePng(picture.width, picture.height, picture.pixels, this.palette);
  }

  private bar(row: Row, y: i32): void {
    this.font.draw(this.canvas, row.word, this.left - 5 - this.font.width(row.word), y - 1, INK);
    const room = WIDTH - MARGIN - FIGURES - this.left;
    const most = this.table.rows[0].total;
    let before = 0;
    for (let text = 0; text < row.counts.length; text++) {
      const from = (before * room) / most;
      before += row.counts[text];
      this.fill(this.left + from, y, (before * room) / most - from, BAR, this.color(text));
    }
    this.font.draw(this.canvas, row.total.toString(), this.left + (before * room) / most + 4, y - 1, INK);
  }

  /** The names of the texts, beside their colours: how many lines they take. */
  private legend(y: i32, drawn: bool): i32 {
    const texts = this.table.texts;
    let lines = 1;
    let x = MARGIN;
    for (let text = 0; text < texts.length; text++) {
      const width = SWATCH + 4 + this.font.width(texts[text]);
      if (x > MARGIN && x + width > WIDTH - MARGIN) {
        lines++;
        x = MARGIN;
      }
      const top = y + LEGEND * (lines - 1);
      if (drawn) {
        this.fill(x, top, SWATCH, SWATCH, this.color(text));
        this.font.draw(this.canvas, texts[text], x + SWATCH + 4, top - 2, INK);
      }
      x += width + 12;
    }
    return lines;
  }

  /** Of more texts than the palette has colours, some share one. */
  private color(text: i32): u8 {
    return <u8>(FIRST + (text % (this.palette.length / 4 - FIRST)));
  }

  private fill(x: i32, y: i32, width: i32, height: i32, color: u8): void {
    for (let row = y; row < y + height; row++) for (let at = x; at < x + width; at++) this.canvas.set(at, row, color);
  }
}

/** Four pixels for each. */
function doubled(canvas: Canvas): Canvas {
  const large = new Canvas(2 * canvas.width, 2 * canvas.height);
  for (let y = 0; y < canvas.height; y++) {
    const from = canvas.pixels.dataStart + y * canvas.width;
    const to = large.pixels.dataStart + 2 * y * large.width;
    for (let x = 0; x < canvas.width; x++) store<u16>(to + 2 * x, 0x101 * <u16>load<u8>(from + x));
    memory.copy(to + large.width, to, large.width);
  }
  return large;
}

function main(): void {
  const args = ashlar.args();
  if (args.length != 1) fail("usage: render TITLE");
  const table = Table.read("/in/top.tsv");
  if (!ashlar.writeFile("/out/chart.png", new Chart(table).draw(args[0]))) fail("cannot write /out/chart.png: " + reason());
}

main();
