/**
 * `.debug_info` of DWARF 2 to 5, as far as it tells which calls a compiler inlined at a code address (DWARF 5, §3.3.8). Only
 * the units of the addresses that are asked for are walked, and each of them once.
 */
import { Cursor, DAMAGED, undamaged } from "./cursor.ts";
import { type DwarfSections, fileOf, isTombstone, takeUnit } from "./dwarf-lines.ts";

/** A call that was inlined: of what, and where it stood in its caller's source. */
export interface InlinedCall {
  readonly name: string | undefined;
  readonly file: string | undefined;
  /** 0: not known; so for the column. */
  readonly line: number;
  readonly column: number;
}

/** Most inlined calls around one address, and links from an entry to the one that has its name. */
const MOST_CALLS = 64;
const MOST_LINKS = 4;

const TAG_INLINED = 0x1d;
const Attribute = {
  name: 0x03,
  stmtList: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  abstractOrigin: 0x31,
  specification: 0x47,
  ranges: 0x55,
  callColumn: 0x57,
  callFile: 0x58,
  callLine: 0x59,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  rnglistsBase: 0x74,
} as const;
const WANTED: ReadonlySet<number> = new Set(Object.values(Attribute));

/** Forms whose value is a place in the unit, in the section, or an index into a table of the unit (DWARF 5, §7.5.6). */
const FORM_ADDR = 0x01;
const FORM_STRING = 0x08;
const FORM_STRP = 0x0e;
const FORM_LINE_STRP = 0x1f;
const FORM_REF_ADDR = 0x10;
const FORM_RNGLISTX = 0x23;
const FORM_IMPLICIT_CONST = 0x21;
const STRX: readonly number[] = [0x1a, 0x25, 0x26, 0x27, 0x28];
const ADDRX: readonly number[] = [0x1b, 0x29, 0x2a, 0x2b, 0x2c];
const UNIT_REFERENCES: readonly number[] = [0x11, 0x12, 0x13, 0x14, 0x15];
/** Bytes of the forms that have a fixed number. */
const FIXED: ReadonlyMap<number, number> = new Map(
  Object.entries({
    0: [0x19],
    1: [0x0b, 0x0c, 0x11, 0x25, 0x29],
    2: [0x05, 0x12, 0x26, 0x2a],
    3: [0x27, 0x2b],
    4: [0x06, 0x13, 0x1c, 0x28, 0x2c],
    8: [0x07, 0x14, 0x20, 0x24],
  }).flatMap(([size, forms]) => forms.map((form) => [form, Number(size)])),
);

/**
 * The calls that were inlined at each address, innermost first. `tables` says which line table an address is of, by its
 * offset in `.debug_line`.
 */
export function inlinedCalls(
  sections: DwarfSections,
  tables: ReadonlyMap<number, number>,
): Map<number, readonly InlinedCall[]> {
  const found = new Map<number, readonly InlinedCall[]>();
  undamaged(() => new Inlines(sections).find(tables, found));
  return found;
}

/** What the attributes of interest of one entry say: form and value, by attribute. */
type Attributes = Map<number, { readonly form: number; readonly value: number }>;

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Name, form and constant of each attribute, one behind the other. */
  readonly specifications: readonly number[];
}

interface Unit {
  readonly start: number;
  readonly end: number;
  /** Of its first entry. */
  readonly root: number;
  readonly version: number;
  readonly is64: boolean;
  readonly addressSize: number;
  readonly abbreviations: ReadonlyMap<number, Abbreviation>;
  // Of the first entry.
  lowPc: number;
  lineTable: number;
  strOffsetsBase: number;
  addrBase: number;
  rnglistsBase: number;
}

class Inlines {
  readonly #sections: DwarfSections;
  readonly #abbreviations = new Map<number, ReadonlyMap<number, Abbreviation>>();
  readonly #units: Unit[] = [];

  constructor(sections: DwarfSections) {
    this.#sections = sections;
  }

  find(tables: ReadonlyMap<number, number>, found: Map<number, readonly InlinedCall[]>): void {
    const section = new Cursor(this.#sections.info);
    undamaged(() => {
      while (!section.done) {
        const start = section.at;
        const { unit, is64 } = takeUnit(section);
        undamaged(() => this.#open(start, unit, is64));
      }
    });
    for (const unit of this.#units) {
      const addresses = [...tables].filter(([, table]) => table === unit.lineTable).map(([address]) => address);
      if (addresses.length > 0) undamaged(() => this.#walk(unit, addresses, found));
    }
  }

  #open(start: number, cursor: Cursor, is64: boolean): void {
    const version = cursor.uint(2);
    if (version < 2 || version > 5) throw DAMAGED;
    let addressSize = 0;
    if (version === 5) {
      const kind = cursor.u8();
      // Others than compilation units and partial ones have no code.
      if (kind !== 1 && kind !== 3) return;
      addressSize = cursor.u8();
    }
    const abbreviations = this.#abbreviationsAt(cursor.offset(is64));
    if (version < 5) addressSize = cursor.u8();
    if (addressSize !== 4 && addressSize !== 8) throw DAMAGED;
    const root = cursor.at;
    const bases = { lowPc: 0, lineTable: -1, strOffsetsBase: 8, addrBase: 8, rnglistsBase: 12 };
    const unit: Unit = { start, end: cursor.end, root, version, is64, addressSize, abbreviations, ...bases };
    const attributes = this.#entry(unit, cursor)?.attributes;
    if (attributes === undefined) return;
    unit.lineTable = attributes.get(Attribute.stmtList)?.value ?? -1;
    unit.strOffsetsBase = attributes.get(Attribute.strOffsetsBase)?.value ?? unit.strOffsetsBase;
    unit.addrBase = attributes.get(Attribute.addrBase)?.value ?? unit.addrBase;
    unit.rnglistsBase = attributes.get(Attribute.rnglistsBase)?.value ?? unit.rnglistsBase;
    unit.lowPc = this.#address(unit, attributes, Attribute.lowPc) ?? 0;
    this.#units.push(unit);
  }

  #abbreviationsAt(offset: number): ReadonlyMap<number, Abbreviation> {
    const known = this.#abbreviations.get(offset);
    if (known !== undefined) return known;
    const cursor = new Cursor(this.#sections.abbrev, offset);
    const table = new Map<number, Abbreviation>();
    this.#abbreviations.set(offset, table);
    for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
      const tag = cursor.uleb();
      const hasChildren = cursor.u8() !== 0;
      const specifications: number[] = [];
      for (;;) {
        this.#sections.spend();
        const name = cursor.uleb();
        const form = cursor.uleb();
        const constant = form === FORM_IMPLICIT_CONST ? cursor.sleb() : 0;
        if (name === 0 && form === 0) break;
        specifications.push(name, form, constant);
      }
      table.set(code, { tag, hasChildren, specifications });
    }
    return table;
  }

  /** Reads an entry; undefined for the one that ends a row of siblings. */
  #entry(
    unit: Unit,
    cursor: Cursor,
  ): { readonly tag: number; readonly hasChildren: boolean; readonly attributes: Attributes } | undefined {
    this.#sections.spend();
    const code = cursor.uleb();
    if (code === 0) return undefined;
    const abbreviation = unit.abbreviations.get(code);
    if (abbreviation === undefined) throw DAMAGED;
    const { tag, hasChildren, specifications } = abbreviation;
    const attributes: Attributes = new Map();
    for (let k = 0; k < specifications.length; k += 3) {
      this.#sections.spend();
      const name = specifications[k]!;
      let form = specifications[k + 1]!;
      // DW_FORM_indirect: the form stands before the value.
      if (form === 0x16) form = cursor.uleb();
      const value = form === FORM_IMPLICIT_CONST ? specifications[k + 2]! : this.#value(unit, cursor, form);
      if (WANTED.has(name)) attributes.set(name, { form, value });
    }
    return { tag, hasChildren, attributes };
  }

  /** Reads a value, or skips one that is no number; of a string in place the answer is where it stands. */
  #value({ version, is64, addressSize }: Unit, cursor: Cursor, form: number): number {
    const size = FIXED.get(form);
    if (size !== undefined) return cursor.uint(size);
    const { at } = cursor;
    switch (form) {
      case FORM_ADDR:
        return cursor.uint(addressSize);
      case FORM_STRING:
        cursor.skipString();
        return at;
      case FORM_STRP:
      case FORM_LINE_STRP:
      case 0x17:
      case 0x1d:
        return cursor.offset(is64);
      case FORM_REF_ADDR:
        return version === 2 ? cursor.uint(addressSize) : cursor.offset(is64);
      case 0x0d:
        return cursor.sleb();
      case 0x0f:
      case 0x15:
      case 0x1a:
      case 0x1b:
      case 0x22:
      case FORM_RNGLISTX:
        return cursor.uleb();
      case 0x1e:
        cursor.skip(16);
        return 0;
      case 0x0a:
        cursor.skip(cursor.u8());
        return 0;
      case 0x03:
        cursor.skip(cursor.uint(2));
        return 0;
      case 0x04:
        cursor.skip(cursor.uint(4));
        return 0;
      case 0x09:
      case 0x18:
        cursor.skip(cursor.uleb());
        return 0;
      default:
        throw DAMAGED;
    }
  }

  /** Goes through the unit's entries; outer calls come before those that were inlined into them. */
  #walk(unit: Unit, addresses: readonly number[], found: Map<number, readonly InlinedCall[]>): void {
    const cursor = new Cursor(this.#sections.info, unit.root, unit.end);
    const calls = new Map<number, InlinedCall[]>();
    for (let depth = 0; !cursor.done; ) {
      const entry = this.#entry(unit, cursor);
      if (entry === undefined) {
        if (--depth <= 0) break;
        continue;
      }
      if (entry.hasChildren) depth++;
      if (entry.tag !== TAG_INLINED) continue;
      const { attributes } = entry;
      for (const address of addresses) {
        if (!this.#covers(unit, attributes, address)) continue;
        const chain = calls.get(address) ?? [];
        calls.set(address, chain);
        if (chain.length < MOST_CALLS) chain.unshift(this.#call(unit, attributes));
      }
    }
    for (const [address, chain] of calls) if (!found.has(address)) found.set(address, chain);
  }

  #call(unit: Unit, attributes: Attributes): InlinedCall {
    const number = (attribute: number): number => attributes.get(attribute)?.value ?? 0;
    return {
      name: undamaged(() => this.#name(unit, attributes, MOST_LINKS)),
      file: fileOf(this.#sections, unit.lineTable, number(Attribute.callFile)),
      line: number(Attribute.callLine),
      column: number(Attribute.callColumn),
    };
  }

  /** An entry's name, or that of the one it stands for. */
  #name(unit: Unit, attributes: Attributes, links: number): string | undefined {
    const name = attributes.get(Attribute.name);
    if (name !== undefined) return this.#string(unit, name.form, name.value);
    const link = attributes.get(Attribute.abstractOrigin) ?? attributes.get(Attribute.specification);
    if (link === undefined || links === 0) return undefined;
    const at = UNIT_REFERENCES.includes(link.form) ? unit.start + link.value : link.value;
    const other = this.#unitAt(at);
    if (other === undefined) return undefined;
    const target = this.#entry(other, new Cursor(this.#sections.info, at, other.end));
    return target && this.#name(other, target.attributes, links - 1);
  }

  /** The unit with the entry at that offset; they ascend. */
  #unitAt(at: number): Unit | undefined {
    let low = 0;
    let high = this.#units.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#units[middle]!.end <= at) low = middle + 1;
      else high = middle;
    }
    const unit = this.#units[low];
    return unit !== undefined && unit.root <= at ? unit : undefined;
  }

  #string(unit: Unit, form: number, value: number): string | undefined {
    const { info, str, lineStr, strOffsets } = this.#sections;
    if (form === FORM_STRING) return new Cursor(info, value).string();
    if (form === FORM_STRP) return new Cursor(str, value).string();
    if (form === FORM_LINE_STRP) return new Cursor(lineStr, value).string();
    if (!STRX.includes(form)) return undefined;
    const offset = new Cursor(strOffsets, unit.strOffsetsBase + value * (unit.is64 ? 8 : 4)).offset(unit.is64);
    return new Cursor(str, offset).string();
  }

  // ---- addresses

  #address(unit: Unit, attributes: Attributes, attribute: number): number | undefined {
    const found = attributes.get(attribute);
    if (found === undefined) return undefined;
    if (found.form === FORM_ADDR) return found.value;
    return ADDRX.includes(found.form) ? this.#indexed(unit, found.value) : undefined;
  }

  #indexed({ addrBase, addressSize }: Unit, index: number): number {
    return new Cursor(this.#sections.addr, addrBase + index * addressSize).uint(addressSize);
  }

  #covers(unit: Unit, attributes: Attributes, address: number): boolean {
    this.#sections.spend();
    const low = this.#address(unit, attributes, Attribute.lowPc);
    const high = attributes.get(Attribute.highPc);
    if (low !== undefined && high !== undefined) {
      // A constant counts from the low one.
      const end = this.#address(unit, attributes, Attribute.highPc) ?? low + high.value;
      return !isTombstone(low) && low <= address && address < end;
    }
    const ranges = attributes.get(Attribute.ranges);
    if (ranges === undefined) return false;
    return (
      undamaged(() =>
        unit.version === 5 ? this.#inLists(unit, ranges, address) : this.#inRanges(unit, ranges.value, address),
      ) ?? false
    );
  }

  /** `.debug_ranges`: pairs of addresses, counted from a base. */
  #inRanges({ addressSize, lowPc }: Unit, offset: number, address: number): boolean {
    const cursor = new Cursor(this.#sections.ranges, offset);
    const last = addressSize === 4 ? 0xffffffff : 2 ** 64;
    let base = lowPc;
    for (;;) {
      this.#sections.spend();
      const from = cursor.uint(addressSize);
      const to = cursor.uint(addressSize);
      if (from === 0 && to === 0) return false;
      if (from === last) base = to;
      else if (base + from <= address && address < base + to) return true;
    }
  }

  /** `.debug_rnglists` (DWARF 5, §7.25). */
  #inLists(unit: Unit, { form, value }: { form: number; value: number }, address: number): boolean {
    const { addressSize, is64, rnglistsBase } = unit;
    let offset = value;
    if (form === FORM_RNGLISTX)
      offset = rnglistsBase + new Cursor(this.#sections.rnglists, rnglistsBase + value * (is64 ? 8 : 4)).offset(is64);
    const cursor = new Cursor(this.#sections.rnglists, offset);
    let base = unit.lowPc;
    for (;;) {
      this.#sections.spend();
      let from = 0;
      let to = 0;
      switch (cursor.u8()) {
        case 0:
          return false;
        case 1:
          base = this.#indexed(unit, cursor.uleb());
          continue;
        case 2:
          from = this.#indexed(unit, cursor.uleb());
          to = this.#indexed(unit, cursor.uleb());
          break;
        case 3:
          from = this.#indexed(unit, cursor.uleb());
          to = from + cursor.uleb();
          break;
        case 4:
          from = base + cursor.uleb();
          to = base + cursor.uleb();
          break;
        case 5:
          base = cursor.uint(addressSize);
          continue;
        case 6:
          from = cursor.uint(addressSize);
          to = cursor.uint(addressSize);
          break;
        case 7:
          from = cursor.uint(addressSize);
          to = from + cursor.uleb();
          break;
        default:
          throw DAMAGED;
      }
      if (from <= address && address < to) return true;
    }
  }
}
