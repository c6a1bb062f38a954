/**
 * A map as text, in three parts with an empty line between: the terrain, a character for each place; the things, as many
 * characters; and labels, each its column, its row and its text.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";

/** Characters of terrains, from deep water up. */
const TERRAINS = "~-.,f^*";
/** Characters of things, in the order of the sprites. */
const THINGS = "TAPHBCF@";

export class Label {
  constructor(
    readonly column: i32,
    readonly row: i32,
    readonly text: string,
  ) {}
}

export class TileMap {
  readonly labels: Label[] = [];

  private constructor(
    private readonly terrain: string[],
    private readonly things: string[],
  ) {}

  /** Null when the parts do not fit one another. */
  static parse(bytes: Uint8Array): TileMap | null {
    const parts = ashlar.decode(bytes).trimEnd().split("\n\n");
    if (parts.length != 3) return null;
    const map = new TileMap(parts[0].split("\n"), parts[1].split("\n"));
    if (map.things.length != map.rows) return null;
    for (let row = 0; row < map.rows; row++)
      if (map.terrain[row].length != map.columns || map.things[row].length != map.columns) return null;
    const lines = parts[2].split("\n");
    for (let k = 0; k < lines.length; k++) {
      const words = lines[k].split(" ");
      if (words.length < 3) return null;
      map.labels.push(new Label(I32.parseInt(words[0]), I32.parseInt(words[1]), words.slice(2).join(" ")));
    }
    return map;
  }

  get columns(): i32 {
    return this.terrain[0].length;
  }
  get rows(): i32 {
    return this.terrain.length;
  }

  /** From 0, deep water, up; beyond the edge it is as at the edge. */
  levelAt(column: i32, row: i32): i32 {
    const line = this.terrain[min(max(row, 0), this.rows - 1)];
    return TERRAINS.indexOf(line.charAt(min(max(column, 0), this.columns - 1)));
  }

  /** On which sides a terrain goes on: 1 north, 2 east, 4 south, 8 west. */
  sides(column: i32, row: i32, level: i32): i32 {
    const north = this.levelAt(column, row - 1) >= level ? 1 : 0;
    const east = this.levelAt(column + 1, row) >= level ? 2 : 0;
    const south = this.levelAt(column, row + 1) >= level ? 4 : 0;
    const west = this.levelAt(column - 1, row) >= level ? 8 : 0;
    return north | east | south | west;
  }

  /** Number of the sprite; -1 for none. */
  thingAt(column: i32, row: i32): i32 {
    return THINGS.indexOf(this.things[row].charAt(column));
  }
}
