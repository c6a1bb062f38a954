/**
 * The newest rows of the index, in memory: a table of slots, found by the first bits of a digest, which needs no hash since it is one.
 * Rows of one key are chained from the newest to the oldest. Rows stand in order of position and are never changed, so a scan may go on
 * reading those it began with.
 */
import { AslError } from "./errors.ts";
import {
  compareKey,
  compareRows,
  KEY_WORDS,
  packRow,
  ROW_WORDS,
  type Row,
  RowKind,
  RowWord,
  readKey,
  unpackDigest,
  unpackRow,
} from "./index-rows.ts";

/** Rows that there is room for at first. */
const FIRST_ROWS = 256;

/** Slots are doubled when more than this part of them is taken. */
const MOST_TAKEN = 0.625;

/** A run of neighbouring slots longer than this is sorted by the library's sort. */
const SHORT_RUN = 32;

export class OpenTable {
  /** Position of the first row: others are counted from it. */
  base = 0;
  count = 0;
  /** First words of the digests. */
  his: Uint32Array;
  /** {@link ROW_WORDS} a row. */
  rows: Uint32Array;
  /** For a row the number, plus one, of the row of the same key before it. */
  #olders: Uint32Array;
  /** Two words a slot: the first of the digest, and the number of the key's newest row, plus one. */
  #slots: Uint32Array;
  /** First word of a digest to slot. */
  #shift: number;
  /** Scans that read it: as long as there are any, its memory is not used for other rows. */
  readers = 0;
  readonly #expected: number;
  readonly #key = new Uint32Array(KEY_WORDS);

  /** `expected` rows there will be in the end. */
  constructor(expected: number) {
    this.#expected = Math.ceil(expected * 1.125);
    const rows = Math.min(FIRST_ROWS, this.#expected);
    const bits = Math.max(4, Math.ceil(Math.log2(rows / MOST_TAKEN)));
    this.his = new Uint32Array(rows);
    this.rows = new Uint32Array(rows * ROW_WORDS);
    this.#olders = new Uint32Array(rows);
    this.#slots = new Uint32Array(2 ** bits * 2);
    this.#shift = 32 - bits;
  }
  /** Makes it empty, with the room that it has. */
  clear(): void {
    this.#slots.fill(0);
    this.count = 0;
    this.base = 0;
  }
  get bytes(): number {
    return this.his.byteLength + this.rows.byteLength + this.#olders.byteLength + this.#slots.byteLength;
  }
  get lastPosition(): number {
    return this.count === 0 ? 0 : this.base + this.rows[(this.count - 1) * ROW_WORDS + RowWord.POSITION]!;
  }

  /** Throws ASL-LIMIT for what a row has no room for. */
  add(row: Row): void {
    const { count } = this;
    if (count === 0) this.base = row.position;
    if (row.length >= 2 ** 48 || row.offset >= 2 ** 35 || row.position - this.base >= 2 ** 32)
      throw new AslError("ASL-LIMIT", `the index has no room for ${row.length} bytes at ${row.offset} of a block`);
    if (count === this.his.length) this.#growRows();
    if (count >= this.#slots.length * (MOST_TAKEN / 2)) this.#growSlots();
    const key = this.#key;
    const { rows } = this;
    const at = count * ROW_WORDS;
    readKey(key, row.kind >= RowKind.BINDING, row.algorithm, row.digest, 0);
    for (let k = 1; k < 8; k++) rows[at + k - 1] = key[k]!;
    packRow(row, rows, at, this.base);
    this.his[count] = key[0]!;
    const slot = this.#slotOf(key);
    this.#olders[count] = this.#slots[slot + 1]!;
    this.#slots[slot] = key[0]!;
    this.#slots[slot + 1] = count + 1;
    this.count = count + 1;
  }
  /** Where a key is in the slots, or would be. */
  #slotOf(key: Uint32Array): number {
    const slots = this.#slots;
    const { rows } = this;
    const hi = key[0]!;
    const last = slots.length - 2;
    let slot = (hi >>> this.#shift) * 2;
    for (;;) {
      const number = slots[slot + 1]!;
      if (number === 0) return slot;
      if (slots[slot] === hi && compareKey(key, rows, (number - 1) * ROW_WORDS) === 0) return slot;
      slot = slot === last ? 0 : slot + 2;
    }
  }
  #growRows(): void {
    const { his, rows } = this;
    const olders = this.#olders;
    const expected = this.#expected;
    const before = his.length;
    const after = before >= expected ? before * 2 : before * 4 >= expected ? expected : before * 4;
    this.his = new Uint32Array(after);
    this.his.set(his);
    this.rows = new Uint32Array(after * ROW_WORDS);
    this.rows.set(rows);
    this.#olders = new Uint32Array(after);
    this.#olders.set(olders);
  }
  #growSlots(): void {
    const before = this.#slots;
    // As many as the rows that there is room for will need.
    let bits = 33 - this.#shift;
    while (2 ** bits * MOST_TAKEN < this.his.length) bits++;
    const slots = new Uint32Array(2 ** bits * 2);
    const last = slots.length - 2;
    const shift = 32 - bits;
    for (let from = 0; from < before.length; from += 2) {
      const number = before[from + 1]!;
      if (number === 0) continue;
      const hi = before[from]!;
      let slot = (hi >>> shift) * 2;
      while (slots[slot + 1] !== 0) slot = slot === last ? 0 : slot + 2;
      slots[slot] = hi;
      slots[slot + 1] = number;
    }
    this.#slots = slots;
    this.#shift = shift;
  }

  /** Number of the newest row of a key whose position is at most `asOf`; −1 if there is none. */
  find(key: Uint32Array, asOf: number): number {
    let number = this.#slots[this.#slotOf(key) + 1]!;
    const limit = asOf - this.base;
    while (number !== 0 && this.rows[(number - 1) * ROW_WORDS + RowWord.POSITION]! > limit)
      number = this.#olders[number - 1]!;
    return number - 1;
  }
  /** Number of the row of the same key before a row; −1 if there is none. */
  older(number: number): number {
    return this.#olders[number]! - 1;
  }

  /** Reads all of a row. */
  read(into: Row, number: number): void {
    unpackRow(into, this.rows, number * ROW_WORDS, this.base);
    unpackDigest(into, this.his[number]!, this.rows, number * ROW_WORDS);
  }

  /** For {@link SortedNumbers}. */
  get slots(): Uint32Array {
    return this.#slots;
  }
  get olders(): Uint32Array {
    return this.#olders;
  }
  get shift(): number {
    return this.#shift;
  }
}

/**
 * Numbers of the rows of a table in order of their keys, then positions. Slots are almost in this order: only runs of neighbouring ones
 * have to be sorted.
 */
export class SortedNumbers {
  readonly numbers: Uint32Array;
  /** The first words of their digests. */
  readonly his: Uint32Array;
  count = 0;
  readonly #table: OpenTable;
  /** The slot to go on at. */
  #slot = 0;
  /** Whether keys that found no slot up to the end went on at the beginning. */
  readonly #isWrapped: boolean;
  /** Neighbouring slots. */
  readonly #run: number[] = [];

  constructor(table: OpenTable) {
    this.#table = table;
    this.numbers = new Uint32Array(table.count);
    this.his = new Uint32Array(table.count);
    const { slots, shift } = table;
    let isWrapped = false;
    for (let slot = 0; slots[slot + 1] !== 0; slot += 2) if ((slots[slot]! >>> shift) * 2 > slot) isWrapped = true;
    this.#isWrapped = isWrapped;
  }

  /** Goes on with about so many rows. True when all are there. */
  step(rows: number): boolean {
    const { slots, shift } = this.#table;
    const end = this.count + rows;
    const run = this.#run;
    while (this.#slot < slots.length) {
      if (this.count >= end) return false;
      const isFirst = this.#slot === 0 && this.#isWrapped;
      let slot = this.#slot;
      run.length = 0;
      for (; slot < slots.length && slots[slot + 1] !== 0; slot += 2)
        if (!isFirst || (slots[slot]! >>> shift) * 2 <= slot) this.#insert(slot);
      if (slot === slots.length && this.#isWrapped)
        for (let at = 0; slots[at + 1] !== 0; at += 2) if ((slots[at]! >>> shift) * 2 > at) this.#insert(at);
      if (run.length > SHORT_RUN) run.sort((left, right) => this.#compare(left, right));
      for (let k = 0; k < run.length; k++) this.#take(run[k]!);
      this.#slot = slot + 2;
    }
    return true;
  }
  /** Runs are nearly always short, and nearly in order. */
  #insert(slot: number): void {
    const run = this.#run;
    let to = run.length;
    run.push(slot);
    if (to >= SHORT_RUN) return;
    for (; to > 0 && this.#compare(run[to - 1]!, slot) > 0; to--) run[to] = run[to - 1]!;
    run[to] = slot;
  }
  #compare(left: number, right: number): number {
    const { slots, rows } = this.#table;
    const order = slots[left]! - slots[right]!;
    if (order !== 0) return order;
    return compareRows(rows, (slots[left + 1]! - 1) * ROW_WORDS, rows, (slots[right + 1]! - 1) * ROW_WORDS);
  }
  #take(slot: number): void {
    const { slots, olders } = this.#table;
    const first = this.count;
    // From the newest to the oldest, then turned round.
    for (let number = slots[slot + 1]!; number !== 0; number = olders[number - 1]!) {
      this.his[this.count] = slots[slot]!;
      this.numbers[this.count++] = number - 1;
    }
    if (this.count - first > 1) this.numbers.subarray(first, this.count).reverse();
  }
}
