/**
 * What goes from one guest of the pipeline to the next: a line "word<tab>total<tab>NAME…" with the names of the texts, and then
 * for each word a line with how often it is in all of them and in each.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";

export class Row {
  total: i32 = 0;
  constructor(
    readonly word: string,
    readonly counts: StaticArray<i32>,
  ) {
    for (let k = 0; k < counts.length; k++) this.total += counts[k];
  }
}

export class Table {
  constructor(
    readonly texts: string[],
    readonly rows: Row[],
  ) {}

  static read(path: string): Table {
    const lines = linesOf(path);
    const heading = lines[0].split("\t");
    if (heading.length < 3) fail(path + " is no table");
    const rows = new Array<Row>();
    for (let k = 1; k < lines.length; k++) {
      const cells = lines[k].split("\t");
      if (cells.length != heading.length) fail(`${path}: line ${k + 1} has ${cells.length} cells, not ${heading.length}`);
      const counts = new StaticArray<i32>(cells.length - 2);
      for (let text = 0; text < counts.length; text++) counts[text] = I32.parseInt(cells[text + 2]);
      rows.push(new Row(cells[0], counts));
    }
    return new Table(heading.slice(2), rows);
  }

  write(path: string): void {
    const lines = [["word", "total"].concat(this.texts).join("\t")];
    for (let k = 0; k < this.rows.length; k++) {
      const row = this.rows[k];
      lines.push(`${row.word}\t${row.total}\t${row.counts.join("\t")}`);
    }
    if (!ashlar.writeText(path, lines.join("\n") + "\n")) fail(`cannot write ${path}: ${reason()}`);
  }
}

/** The lines of a file, without the end of the last. */
export function linesOf(path: string): string[] {
  const text = ashlar.readText(path);
  if (text == null) fail(`cannot read ${path}: ${reason()}`);
  return text!.trimEnd().split("\n");
}

export function reason(): string {
  return ashlar.statusName(ashlar.lastStatus);
}

/** Ends the guest. */
export function fail(message: string): void {
  ashlar.printError(message);
  ashlar.exit(1);
}
