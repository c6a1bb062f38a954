/**
 * Draws a map out of the assets of a pack and writes it as a PNG image.
 *
 *   tilemap OUTPUT.png
 *
 * Tiles, sprites, palette and font are in slots when the guest begins, because the pack preloads them; the map is loaded here.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { Canvas, TILE } from "./canvas";
import { Font } from "./font";
import { Asset, BankType, Slot } from "./ids";
import { Label, TileMap } from "./map";
import { encodePng } from "./png";

/** Slot that the map is loaded into. */
const MAP_SLOT: u32 = 0;
/** Indices of the palette. */
const INK: u8 = 1;
const PAPER: u8 = 17;

function fail(code: i32, message: string): void {
  ashlar.printError("tilemap: " + message);
  ashlar.exit(code);
}

/** All bytes of what is in a slot. */
function inSlot(bankType: u32, slot: u32): Uint8Array {
  const bank = ashlar.Bank.inSlot(bankType, slot);
  let bytes: Uint8Array | null = null;
  if (bank != null) bytes = bank.readAll();
  if (bytes == null) fail(1, `cannot read slot ${slot} of bank type ${bankType}: ${ashlar.statusName(ashlar.lastStatus)}`);
  if (bank != null) bank.close();
  return bytes!;
}

function loadMap(assetId: i32): TileMap {
  if (!ashlar.loadAsset(assetId, MAP_SLOT)) fail(1, "cannot load the map: " + ashlar.statusName(ashlar.lastStatus));
  const map = TileMap.parse(inSlot(BankType.TEXT, MAP_SLOT));
  if (map == null) fail(1, "the map is none");
  return map!;
}

/** Of each place first deep water, then every terrain that reaches it, in the tile that its neighbours ask for. */
function drawTerrain(canvas: Canvas, map: TileMap, tiles: Uint8Array): void {
  for (let row = 0; row < map.rows; row++) {
    for (let column = 0; column < map.columns; column++) {
      const waves = (column * 7 + row * 13 + (column ^ row)) & 3;
      canvas.draw(tiles, waves, column * TILE, row * TILE);
      for (let level = 1; level <= map.levelAt(column, row); level++)
        canvas.draw(tiles, 16 * level + map.sides(column, row, level), column * TILE, row * TILE);
    }
  }
}

/** From the north down, and some of them a little higher than their place, so that they stand upon it. */
function drawThings(canvas: Canvas, map: TileMap, sprites: Uint8Array): void {
  for (let row = 0; row < map.rows; row++) {
    for (let column = 0; column < map.columns; column++) {
      const thing = map.thingAt(column, row);
      if (thing >= 0) canvas.draw(sprites, thing, column * TILE, row * TILE - 4);
    }
  }
}

function drawLabel(canvas: Canvas, font: Font, label: Label): void {
  const x = label.column * TILE;
  const y = label.row * TILE;
  for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) font.draw(canvas, label.text, x + dx, y + dy, INK);
  font.draw(canvas, label.text, x, y, PAPER);
}

function main(): void {
  const args = ashlar.args();
  if (args.length != 1) fail(2, "usage: tilemap OUTPUT.png");
  const map = loadMap(Asset.MAPS_ISLAND);
  const canvas = new Canvas(map.columns * TILE, map.rows * TILE);
  drawTerrain(canvas, map, inSlot(BankType.TILES, Slot.TILES_TERRAIN));
  drawThings(canvas, map, inSlot(BankType.SPRITES, Slot.SPRITES_THINGS));
  const font = new Font(inSlot(BankType.FONTS, Slot.FONTS_QUERN));
  for (let k = 0; k < map.labels.length; k++) drawLabel(canvas, font, map.labels[k]);
  const palette = inSlot(BankType.PALETTES, Slot.TILES_TERRAIN_PALETTE);
  const png = encodePng(canvas.width, canvas.height, canvas.pixels, palette);
  if (!ashlar.writeFile(args[0], png)) fail(1, `cannot write ${args[0]}: ${ashlar.statusName(ashlar.lastStatus)}`);
  ashlar.print(`${map.columns} × ${map.rows} tiles, ${canvas.width} × ${canvas.height} pixels, ${png.length} bytes: ${args[0]}`);
}

main();
