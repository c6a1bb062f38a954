/**
 * Binary fuse filters with fingerprints of 8 bits (T. M. Graf and D. Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters"):
 * they tell of most keys that are absent that they are, of none that is there that it is absent (spec ASL-SEGMENT-9). Here a key is the
 * first 64 bits of a digest. Keys come in order, so the first of the three places of a key grows with it, which keeps the building
 * within the processor's caches. Building goes in slices.
 */

/** How a filter is to be read. */
export const FilterMode = {
  /** Says nothing: any key may be there. */
  ANY: 0,
  /** The first place follows the order of keys. */
  ORDERED: 1,
  /** All places are spread: for keys that crowd. */
  SPREAD: 2,
  /** There is no key. */
  EMPTY: 3,
} as const;

/** Words of a filter's line in the table of filters: where its bytes begin; places of the first kind; mode, and log2 of the window above it; seed. */
export const FILTER_WORDS = 4;

/** Attempts with the first place in order, then with all spread. Each fails for about one set of keys in a hundred. */
const ORDERED_ATTEMPTS = 8;
const ATTEMPTS = 24;

/** Sets of keys smaller than this have no order that helps. */
const ORDERED_KEYS = 4096;

const MOST_WINDOW_BITS = 16;

/** Spreads a key by a seed: 32 bits. */
function spread(hi: number, lo: number, seed: number): number {
  let mixed = Math.imul(lo ^ Math.imul(hi ^ seed, 0x9e37_79b1), 0x85eb_ca77);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed + hi, 0xc2b2_ae3d);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0x27d4_eb2f);
  return mixed ^ (mixed >>> 16);
}

/** 32 more bits. */
function spreadAgain(spreaded: number, lo: number): number {
  const mixed = Math.imul(spreaded ^ lo, 0x1656_67b1);
  return mixed ^ (mixed >>> 15);
}

/** The first place of a key: `word` orders or spreads it. */
function firstPlace(word: number, places: number): number {
  return Math.floor(((word >>> 0) * places) / 2 ** 32);
}

/**
 * Whether a key may be there. `line` is where its filter's line begins in `table`; `shardBits` are how many first bits its keys share.
 * Tables that come from a file must have passed {@link isFilterTable}.
 */
export function mayHold(
  table: Uint32Array,
  line: number,
  bytes: Uint8Array,
  shardBits: number,
  hi: number,
  lo: number,
): boolean {
  const how = table[line + 2]!;
  const mode = how & 255;
  if (mode === FilterMode.ANY) return true;
  if (mode === FilterMode.EMPTY) return false;
  const window = 1 << (how >>> 8);
  const mask = window - 1;
  const a = spread(hi, lo, table[line + 3]!);
  const b = spreadAgain(a, lo);
  const first = firstPlace(mode === FilterMode.ORDERED ? hi << shardBits : b, table[line + 1]!);
  const at = table[line]! + first;
  const second = (first + window) ^ (a & mask);
  const third = (first + 2 * window) ^ ((a >>> 16) & mask);
  const begin = at - first;
  return ((bytes[at]! ^ bytes[begin + second]! ^ bytes[begin + third]! ^ fingerprint(a, b)) & 255) === 0;
}

function fingerprint(a: number, b: number): number {
  return b ^ (a >>> 24);
}

/** Bytes that the filter of a line takes. */
function bytesOf(table: Uint32Array, line: number): number {
  const how = table[line + 2]!;
  const mode = how & 255;
  return mode === FilterMode.ORDERED || mode === FilterMode.SPREAD ? table[line + 1]! + 2 * 2 ** (how >>> 8) : 0;
}

/** Whether filters lie one behind the other in exactly `length` bytes, so that none is read outside of them. */
export function isFilterTable(table: Uint32Array, length: number): boolean {
  let end = 0;
  for (let line = 0; line < table.length; line += FILTER_WORDS) {
    const how = table[line + 2]!;
    const places = table[line + 1]!;
    const windowBits = how >>> 8;
    if (table[line] !== end || (how & 255) > FilterMode.EMPTY || windowBits > MOST_WINDOW_BITS) return false;
    const size = bytesOf(table, line);
    if (size > 0 && (places === 0 || places % 2 ** windowBits !== 0)) return false;
    end += size;
  }
  return end === length;
}

/** Makes filters, one after the other. */
export class FuseBuilder {
  #his = new Uint32Array(1024);
  #los = new Uint32Array(1024);
  #count = 0;
  #attempt = 0;
  #phase: Phase = "done";
  /** Where a phase is. */
  #next = 0;
  #places = 0;
  #windowBits = 0;
  #size = 0;
  #seed = 0;
  #mode: number = FilterMode.EMPTY;
  #shardBits = 0;
  /** For a place how many keys are on it, and their numbers, XORed. */
  #counts = new Uint8Array(0);
  #numbers = new Uint32Array(0);
  /** Keys in the order in which they were taken off, and which of their places was theirs alone. */
  #order = new Uint32Array(0);
  #owned = new Uint8Array(0);
  #taken = 0;
  #alone = new Uint32Array(0);
  #waiting = 0;

  /** Where the three places of the last key asked for are. */
  #first = 0;
  #second = 0;
  #third = 0;

  /** The filter that was made: its bytes, and a line of {@link FILTER_WORDS} but where it begins. */
  get result(): { readonly bytes: Uint8Array; readonly places: number; readonly how: number; readonly seed: number } {
    const isEmpty = this.#mode === FilterMode.EMPTY || this.#mode === FilterMode.ANY;
    return {
      bytes: isEmpty ? new Uint8Array(0) : this.#counts.slice(0, this.#size),
      places: isEmpty ? 0 : this.#places,
      how: this.#mode | (isEmpty ? 0 : this.#windowBits << 8),
      seed: isEmpty ? 0 : this.#seed,
    };
  }

  /** How many the last call of {@link step} went on with. */
  lastSteps = 0;

  /** Begins the next filter, of keys that share `shardBits` first bits. */
  clear(shardBits: number): void {
    this.#count = 0;
    this.#shardBits = shardBits;
  }
  /** Keys come in order; one that is the same as the one before it counts once. */
  add(hi: number, lo: number): void {
    const count = this.#count;
    if (count > 0 && this.#los[count - 1] === lo && this.#his[count - 1] === hi) return;
    if (count === this.#his.length) {
      const his = new Uint32Array(count * 2);
      his.set(this.#his);
      this.#his = his;
      const los = new Uint32Array(count * 2);
      los.set(this.#los);
      this.#los = los;
    }
    this.#his[count] = hi;
    this.#los[count] = lo;
    this.#count = count + 1;
  }

  /** All keys were added: {@link step} makes the filter. */
  begin(): void {
    const count = this.#count;
    if (count === 0) {
      this.#mode = FilterMode.EMPTY;
      this.#phase = "done";
      return;
    }
    const window = Math.min(MOST_WINDOW_BITS, count < 2 ? 2 : Math.floor(Math.log(count) / Math.log(3.33) + 2.25));
    const capacity =
      count < 2 ? 0 : Math.round(count * Math.max(1.125, 0.875 + (0.25 * Math.log(1e6)) / Math.log(count)));
    const windows = Math.max(1, Math.ceil(capacity / 2 ** window) - 2);
    this.#windowBits = window;
    this.#places = windows * 2 ** window;
    this.#size = this.#places + 2 * 2 ** window;
    if (this.#counts.length < this.#size) {
      this.#counts = new Uint8Array(this.#size);
      this.#numbers = new Uint32Array(this.#size);
      this.#alone = new Uint32Array(this.#size);
    }
    if (this.#order.length < count) {
      this.#order = new Uint32Array(this.#his.length);
      this.#owned = new Uint8Array(this.#his.length);
    }
    this.#attempt = count < ORDERED_KEYS ? ORDERED_ATTEMPTS : 0;
    this.#beginAttempt();
  }
  #beginAttempt(): void {
    if (this.#attempt === ATTEMPTS) {
      this.#mode = FilterMode.ANY;
      this.#phase = "done";
      return;
    }
    this.#mode = this.#attempt < ORDERED_ATTEMPTS ? FilterMode.ORDERED : FilterMode.SPREAD;
    this.#seed = Math.imul(++this.#attempt, 0x9e37_79b1) >>> 0;
    this.#counts.fill(0, 0, this.#size);
    this.#numbers.fill(0, 0, this.#size);
    this.#taken = 0;
    this.#waiting = 0;
    this.#next = 0;
    this.#phase = "count";
  }

  /** Goes on with about so many keys or places; there are between four and five of them for each key. True when the filter is made. */
  step(items: number): boolean {
    let left = items;
    while (this.#phase !== "done" && left > 0) {
      if (this.#phase === "count") left = this.#stepCount(left);
      else if (this.#phase === "peel") left = this.#stepPeel(left);
      else left = this.#stepAssign(left);
    }
    this.lastSteps = items - left;
    return this.#phase === "done";
  }

  #locate(hi: number, lo: number): number {
    const a = spread(hi, lo, this.#seed);
    const b = spreadAgain(a, lo);
    const mask = (1 << this.#windowBits) - 1;
    const first = firstPlace(this.#mode === FilterMode.ORDERED ? hi << this.#shardBits : b, this.#places);
    this.#first = first;
    this.#second = (first + mask + 1) ^ (a & mask);
    this.#third = (first + 2 * mask + 2) ^ ((a >>> 16) & mask);
    return fingerprint(a, b);
  }
  #stepCount(items: number): number {
    const his = this.#his;
    const los = this.#los;
    const counts = this.#counts;
    const numbers = this.#numbers;
    const end = Math.min(this.#count, this.#next + items);
    const begin = this.#next;
    for (let number = begin; number < end; number++) {
      this.#locate(his[number]!, los[number]!);
      const first = this.#first;
      const second = this.#second;
      const third = this.#third;
      // Keys that crowd on one place are more than it can count: another attempt spreads them.
      if (counts[first] === 255 || counts[second] === 255 || counts[third] === 255) {
        this.#beginAttempt();
        return items - (number - begin) - 1;
      }
      counts[first]!++;
      numbers[first]! ^= number;
      counts[second]!++;
      numbers[second]! ^= number;
      counts[third]!++;
      numbers[third]! ^= number;
    }
    this.#next = end;
    if (end === this.#count) {
      this.#next = 0;
      this.#phase = "peel";
    }
    return items - (end - begin);
  }
  /** Takes off keys that have a place alone, until there is none. */
  #stepPeel(items: number): number {
    const counts = this.#counts;
    const numbers = this.#numbers;
    const alone = this.#alone;
    const order = this.#order;
    const owned = this.#owned;
    let waiting = this.#waiting;
    let taken = this.#taken;
    let next = this.#next;
    let left = items;
    while (left > 0) {
      left--;
      if (waiting === 0) {
        if (next === this.#size) break;
        if (counts[next] === 1) alone[waiting++] = next;
        next++;
        continue;
      }
      const place = alone[--waiting]!;
      if (counts[place] !== 1) continue;
      const number = numbers[place]!;
      this.#locate(this.#his[number]!, this.#los[number]!);
      const first = this.#first;
      const second = this.#second;
      const third = this.#third;
      order[taken] = number;
      owned[taken++] = place === first ? 0 : place === second ? 1 : 2;
      numbers[first]! ^= number;
      numbers[second]! ^= number;
      numbers[third]! ^= number;
      if (--counts[first]! === 1) alone[waiting++] = first;
      if (--counts[second]! === 1) alone[waiting++] = second;
      if (--counts[third]! === 1) alone[waiting++] = third;
    }
    this.#waiting = waiting;
    this.#taken = taken;
    this.#next = next;
    if (waiting === 0 && next === this.#size) {
      if (taken < this.#count) this.#beginAttempt();
      else {
        counts.fill(0, 0, this.#size);
        this.#next = this.#count;
        this.#phase = "assign";
      }
    }
    return left;
  }
  /** Gives places their fingerprints, from the key taken off last to the first. */
  #stepAssign(items: number): number {
    const bytes = this.#counts;
    const end = Math.max(0, this.#next - items);
    const begin = this.#next;
    for (let k = begin - 1; k >= end; k--) {
      const number = this.#order[k]!;
      const mark = this.#locate(this.#his[number]!, this.#los[number]!);
      const first = this.#first;
      const second = this.#second;
      const third = this.#third;
      const which = this.#owned[k]!;
      const place = which === 0 ? first : which === 1 ? second : third;
      bytes[place] = 0;
      bytes[place] = mark ^ bytes[first]! ^ bytes[second]! ^ bytes[third]!;
    }
    this.#next = end;
    if (end === 0) this.#phase = "done";
    return items - (begin - end);
  }
}

type Phase = "count" | "peel" | "assign" | "done";
