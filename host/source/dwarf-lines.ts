/**
 * `.debug_line` of DWARF 2 to 5: the source line of a code address (DWARF 5, §6.2). The line programs are run, and only the
 * rows that were asked for are kept, so a table of any size takes no memory.
 */
import { Cursor, DAMAGED, undamaged } from "./cursor.ts";

/** The sections that are read, each empty where the module has none, and what reading them may cost. */
export interface DwarfSections {
  /** Counts a step; throws DAMAGED when there were too many: damaged information may name the same things over and over. */
  spend(): void;
  readonly line: Uint8Array;
  readonly lineStr: Uint8Array;
  readonly str: Uint8Array;
  readonly strOffsets: Uint8Array;
  readonly addr: Uint8Array;
  readonly info: Uint8Array;
  readonly abbrev: Uint8Array;
  readonly ranges: Uint8Array;
  readonly rnglists: Uint8Array;
}

/** A line of a source file. */
export interface SourceLine {
  /** As the compiler was told it: relative to where it ran, or absolute. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1; 0: not known. */
  readonly column: number;
}

/** A unit's initial length and form: its contents, with which the cursor goes on behind. */
export function takeUnit(section: Cursor): { readonly unit: Cursor; readonly is64: boolean } {
  const length = section.uint(4);
  if (length < 0xfffffff0) return { unit: section.take(length), is64: false };
  if (length !== 0xffffffff) throw DAMAGED;
  return { unit: section.take(section.uint(8)), is64: true };
}

/** True for what linkers write where the code is gone: 0, which no instruction has, and the last two addresses. */
export function isTombstone(address: number): boolean {
  return address === 0 || address >= 0xfffffffe;
}

/** A line, 0 where the table says that there is none; and the offset of that table. */
export interface TableLine extends SourceLine {
  readonly table: number;
}

/** The lines of the addresses, which ascend, in the code section's contents. */
export function linesOf(sections: DwarfSections, addresses: readonly number[]): Map<number, TableLine> {
  const found = new Map<number, TableLine>();
  const section = new Cursor(sections.line);
  undamaged(() => {
    while (!section.done && found.size < addresses.length) {
      const table = section.at;
      const { unit, is64 } = takeUnit(section);
      undamaged(() => new LineProgram(sections, unit, is64).run(addresses, found, table));
    }
  });
  return found;
}

/** The file with that number in the line table at `offset`, or undefined. */
export function fileOf(sections: DwarfSections, offset: number, file: number): string | undefined {
  return undamaged(() => {
    const { unit, is64 } = takeUnit(new Cursor(sections.line, offset));
    return new LineProgram(sections, unit, is64).fileName(file);
  });
}

interface FileEntry {
  readonly name: string;
  readonly directory: number;
}

/** Forms that a table of version 5 may use (DWARF 5, §7.5.6). */
const Form = {
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  data1: 0x0b,
  strp: 0x0e,
  udata: 0x0f,
  data16: 0x1e,
  lineStrp: 0x1f,
} as const;
const CONTENT_PATH = 1;
const CONTENT_DIRECTORY = 2;

class LineProgram {
  readonly #sections: DwarfSections;
  readonly #is64: boolean;
  readonly #version: number;
  readonly #minimumLength: number;
  readonly #operations: number;
  readonly #lineBase: number;
  readonly #lineRange: number;
  readonly #opcodeLengths: Uint8Array;
  readonly #tables: Cursor;
  readonly #program: Cursor;
  /** Files that the program itself names; numbered behind the table's. */
  readonly #defined: FileEntry[] = [];

  constructor(sections: DwarfSections, unit: Cursor, is64: boolean) {
    this.#sections = sections;
    this.#is64 = is64;
    this.#version = unit.uint(2);
    if (this.#version < 2 || this.#version > 5) throw DAMAGED;
    // Sizes of addresses and of segment selectors.
    if (this.#version === 5) unit.skip(2);
    const header = unit.take(unit.offset(is64));
    this.#program = unit;
    this.#minimumLength = header.u8();
    this.#operations = this.#version >= 4 ? header.u8() : 1;
    header.skip(1);
    this.#lineBase = (header.u8() << 24) >> 24;
    this.#lineRange = header.u8();
    const opcodeBase = header.u8();
    if (this.#lineRange === 0 || this.#operations === 0 || opcodeBase === 0) throw DAMAGED;
    this.#opcodeLengths = new Uint8Array(opcodeBase);
    for (let opcode = 1; opcode < opcodeBase; opcode++) this.#opcodeLengths[opcode] = header.u8();
    this.#tables = header;
  }

  /** Puts into `found` the lines of those addresses that this program, of the table at that offset, has code for. */
  run(addresses: readonly number[], found: Map<number, TableLine>, table: number): void {
    const program = this.#program;
    const lengths = this.#opcodeLengths;
    const opcodeBase = lengths.length;
    let address = 0;
    let operation = 0;
    let file = 1;
    let line = 1;
    let column = 0;
    let isDead = true;
    // The row before, which holds up to this one's address; none at the start of a sequence.
    let from = Number.POSITIVE_INFINITY;
    let rowFile = 0;
    let rowLine = 0;
    let rowColumn = 0;

    const advance = (count: number): void => {
      if (this.#operations === 1) address += count * this.#minimumLength;
      else {
        address += this.#minimumLength * Math.floor((operation + count) / this.#operations);
        operation = (operation + count) % this.#operations;
      }
    };
    const row = (): void => {
      if (!isDead && from < address && rowLine >= 0) {
        for (let at = firstFrom(addresses, from); at < addresses.length && addresses[at]! < address; at++) {
          this.#sections.spend();
          if (found.has(addresses[at]!)) continue;
          const name = this.fileName(rowFile);
          if (name !== undefined) found.set(addresses[at]!, { file: name, line: rowLine, column: rowColumn, table });
        }
      }
      from = address;
      rowFile = file;
      rowLine = line;
      rowColumn = column;
    };

    while (!program.done) {
      const opcode = program.u8();
      if (opcode >= opcodeBase) {
        const adjusted = opcode - opcodeBase;
        advance(Math.floor(adjusted / this.#lineRange));
        line += this.#lineBase + (adjusted % this.#lineRange);
        row();
        continue;
      }
      switch (opcode) {
        case 0: {
          const extended = program.take(program.uleb());
          switch (extended.u8()) {
            case 1:
              // DW_LNE_end_sequence
              row();
              address = operation = column = 0;
              file = line = 1;
              isDead = true;
              from = Number.POSITIVE_INFINITY;
              break;
            case 2:
              // DW_LNE_set_address
              address = extended.uint(Math.min(8, extended.end - extended.at));
              operation = 0;
              isDead = isTombstone(address);
              break;
            case 3: {
              // DW_LNE_define_file
              this.#defined.push({ name: extended.string(), directory: extended.uleb() });
              break;
            }
          }
          break;
        }
        case 1:
          // DW_LNS_copy
          row();
          break;
        case 2:
          // DW_LNS_advance_pc
          advance(program.uleb());
          break;
        case 3:
          // DW_LNS_advance_line
          line += program.sleb();
          break;
        case 4:
          // DW_LNS_set_file
          file = program.uleb();
          break;
        case 5:
          // DW_LNS_set_column
          column = program.uleb();
          break;
        case 8:
          // DW_LNS_const_add_pc
          advance(Math.floor((255 - opcodeBase) / this.#lineRange));
          break;
        case 9:
          // DW_LNS_fixed_advance_pc
          address += program.uint(2);
          operation = 0;
          break;
        default:
          // Those that say nothing of lines, and any that are not known.
          for (let operands = lengths[opcode]!; operands > 0; operands--) program.uleb();
      }
    }
  }

  /** The path of a file by its number, or undefined. */
  fileName(file: number): string | undefined {
    return undamaged(() => {
      const tables = new Cursor(this.#tables.bytes, this.#tables.at, this.#tables.end);
      return this.#version === 5 ? this.#fileName5(tables, file) : this.#fileName2(tables, file);
    });
  }

  /** Versions 2 to 4: directories, then files, both counted from 1 and ended by an empty name. */
  #fileName2(tables: Cursor, file: number): string | undefined {
    const start = tables.at;
    while (tables.skipString() > 0) this.#sections.spend();
    let entry: FileEntry | undefined;
    let number = 1;
    for (; entry === undefined; number++) {
      this.#sections.spend();
      const at = tables.at;
      if (tables.skipString() === 0) break;
      const directory = tables.uleb();
      // Time and length.
      tables.uleb();
      tables.uleb();
      if (number === file) entry = { name: new Cursor(tables.bytes, at, tables.end).string(), directory };
    }
    entry ??= this.#defined[file - number];
    if (entry === undefined || entry.directory === 0 || isAbsolute(entry.name)) return entry?.name;
    tables.at = start;
    for (let skipped = 1; skipped < entry.directory; skipped++) if (tables.skipString() === 0) return entry.name;
    return joined(tables.string(), entry.name);
  }

  #fileName5(tables: Cursor, file: number): string | undefined {
    const start = tables.at;
    this.#entry(tables, -1);
    const entry = this.#entry(tables, file);
    // Directory 0 is where the compiler ran.
    if (entry === undefined || entry.directory === 0 || isAbsolute(entry.name)) return entry?.name;
    tables.at = start;
    return joined(this.#entry(tables, entry.directory)?.name ?? "", entry.name);
  }

  /** Reads a table of version 5, which says itself what its entries hold, up to an entry or to the end. */
  #entry(tables: Cursor, wanted: number): FileEntry | undefined {
    const formats: { content: number; form: number }[] = [];
    for (let count = tables.u8(); count > 0; count--) formats.push({ content: tables.uleb(), form: tables.uleb() });
    const count = tables.uleb();
    // Every form takes a byte at least, so a count that is too large comes to the end of the bytes.
    if (formats.length === 0 && count > 0) throw DAMAGED;
    for (let number = 0; number < count; number++) {
      this.#sections.spend();
      let name = "";
      let directory = 0;
      for (const { content, form } of formats) {
        const value = this.#value(tables, form, number === wanted);
        if (content === CONTENT_PATH && typeof value === "string") name = value;
        else if (content === CONTENT_DIRECTORY && typeof value === "number") directory = value;
      }
      if (number === wanted) return { name, directory };
    }
    return undefined;
  }

  /** Reads a value; strings only where they are wanted, since thousands of entries may name the same long one. */
  #value(tables: Cursor, form: number, isWanted: boolean): string | number | undefined {
    switch (form) {
      case Form.string:
        if (isWanted) return tables.string();
        tables.skipString();
        return undefined;
      case Form.strp:
      case Form.lineStrp: {
        const offset = tables.offset(this.#is64);
        const { str, lineStr } = this.#sections;
        return isWanted ? new Cursor(form === Form.strp ? str : lineStr, offset).string() : undefined;
      }
      case Form.udata:
        return tables.uleb();
      case Form.data1:
        return tables.uint(1);
      case Form.data2:
        return tables.uint(2);
      case Form.data4:
        return tables.uint(4);
      case Form.data8:
        return tables.uint(8);
      case Form.data16:
        tables.skip(16);
        return undefined;
      case Form.block:
        tables.skip(tables.uleb());
        return undefined;
      default:
        throw DAMAGED;
    }
  }
}

/** Index of the first of the ascending addresses that is not below `least`. */
export function firstFrom(addresses: readonly number[], least: number): number {
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addresses[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function joined(directory: string, name: string): string {
  return directory === "" ? name : `${directory.replace(/[/\\]$/, "")}/${name}`;
}

function isAbsolute(path: string): boolean {
  return /^([/\\]|[A-Za-z]:)/.test(path);
}
