/** Decoding RFC 8878, written from the RFC and slowly: what the product's decoder is held against. Anything that the RFC forbids is an Error. */

const MOST_WINDOW = 2 ** 27;
const MOST_BLOCK = 2 ** 17;

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** Bits of bytes [start, end), the lowest of the first byte being number 0; zeros on both sides. */
class Bits {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly count: number;
  constructor(bytes: Uint8Array, start: number, end: number) {
    demand(start <= end && end <= bytes.length, "the bytes end early");
    this.#bytes = bytes;
    this.#start = start;
    this.count = 8 * (end - start);
  }
  at(from: number, count: number): number {
    let value = 0;
    for (let k = count - 1; k >= 0; k--) {
      const bit = from + k;
      const isIn = bit >= 0 && bit < this.count;
      value = value * 2 + (isIn ? (this.#bytes[this.#start + (bit >> 3)]! >> (bit & 7)) & 1 : 0);
    }
    return value;
  }
}

/** A stream that is read from its last bit, which marks the end, to its first (§4.1). */
class Backward {
  readonly #bits: Bits;
  /** Bits that are left; negative when more were read than there are. */
  left: number;
  constructor(bytes: Uint8Array, start: number, end: number) {
    demand(start < end, "a stream without bytes");
    this.#bits = new Bits(bytes, start, end);
    const last = bytes[end - 1]!;
    demand(last !== 0, "a stream without an end");
    this.left = this.#bits.count - 8 + Math.floor(Math.log2(last));
  }
  peek(count: number): number {
    return this.#bits.at(this.left - count, count);
  }
  read(count: number): number {
    const value = this.peek(count);
    this.left -= count;
    return value;
  }
}

// ------------------------------------------------------------------------------------------------------- FSE

interface State {
  readonly symbol: number;
  readonly bits: number;
  readonly base: number;
}
interface Table {
  readonly log: number;
  readonly states: readonly State[];
}

/** §4.1.1: probabilities, −1 standing for less than one, and where they end. */
function readProbabilities(bytes: Uint8Array, start: number, end: number, mostLog: number, mostSymbols: number) {
  const bits = new Bits(bytes, start, end);
  const log = bits.at(0, 4) + 5;
  demand(log <= mostLog, "too exact a table");
  let at = 4;
  let remaining = 1 << log;
  const probabilities: number[] = [];
  while (remaining > 0) {
    demand(probabilities.length < mostSymbols, "too many symbols");
    const width = Math.floor(Math.log2(remaining + 1)) + 1;
    let value = bits.at(at, width);
    const low = value & ((1 << (width - 1)) - 1);
    const threshold = (1 << width) - 1 - (remaining + 1);
    at += width;
    if (low < threshold) {
      at--;
      value = low;
    } else if (value >= 1 << (width - 1)) value -= threshold;
    const probability = value - 1;
    remaining -= Math.abs(probability);
    probabilities.push(probability);
    if (probability !== 0) continue;
    for (let repeat = 3; repeat === 3; ) {
      repeat = bits.at(at, 2);
      at += 2;
      for (let k = 0; k < repeat; k++) probabilities.push(0);
      demand(probabilities.length <= mostSymbols, "too many symbols");
    }
  }
  demand(remaining === 0 && at <= bits.count, "a damaged table");
  return { log, probabilities, next: start + Math.ceil(at / 8) };
}

function tableOf(log: number, probabilities: readonly number[]): Table {
  const size = 1 << log;
  const symbols = new Array<number>(size).fill(-1);
  let high = size;
  for (const [symbol, probability] of probabilities.entries()) if (probability === -1) symbols[--high] = symbol;
  let position = 0;
  for (const [symbol, probability] of probabilities.entries())
    for (let k = 0; k < probability; k++) {
      symbols[position] = symbol;
      do position = (position + (size >> 1) + (size >> 3) + 3) & (size - 1);
      while (position >= high);
    }
  const next = probabilities.map((probability) => Math.abs(probability));
  const states = symbols.map((symbol): State => {
    const value = next[symbol]!++;
    const bits = log - Math.floor(Math.log2(value));
    return { symbol, bits, base: (value << bits) - size };
  });
  return { log, states };
}

// --------------------------------------------------------------------------------------------------- Huffman

interface Codes {
  readonly log: number;
  /** By the next `log` bits. */
  readonly symbols: readonly number[];
  readonly lengths: readonly number[];
}

function readCodes(bytes: Uint8Array, start: number, end: number): { codes: Codes; next: number } {
  demand(start < end, "no codes");
  const head = bytes[start]!;
  const weights: number[] = [];
  let next = start + 1 + (head < 128 ? head : Math.ceil((head - 127) / 2));
  demand(next <= end, "codes are cut off");
  if (head >= 128)
    for (let k = 0; k < head - 127; k++) weights.push((bytes[start + 1 + (k >> 1)]! >> (k % 2 === 0 ? 4 : 0)) & 15);
  else {
    const { log, probabilities, next: from } = readProbabilities(bytes, start + 1, next, 6, 12);
    const { states } = tableOf(log, probabilities);
    const stream = new Backward(bytes, from, next);
    const both = [stream.read(log), stream.read(log)];
    demand(stream.left >= 0, "weights are cut off");
    for (let turn = 0; ; turn ^= 1) {
      const { symbol, bits, base } = states[both[turn]!]!;
      weights.push(symbol);
      demand(weights.length <= 255, "too many weights");
      both[turn] = base + stream.read(bits);
      if (stream.left >= 0) continue;
      weights.push(states[both[turn ^ 1]!]!.symbol);
      break;
    }
    next = start + 1 + head;
  }
  demand(weights.length <= 255, "too many weights");
  demand(
    weights.every((weight) => weight <= 11),
    "a code is too long",
  );
  const sum = weights.reduce((sum, weight) => sum + (weight === 0 ? 0 : 2 ** (weight - 1)), 0);
  demand(sum > 0, "no codes");
  const log = Math.floor(Math.log2(sum)) + 1;
  demand(log <= 11, "a code is too long");
  const last = Math.log2(2 ** log - sum) + 1;
  demand(Number.isInteger(last), "the codes do not fit");
  weights.push(last);
  // The longest codes come in pairs.
  demand(weights.includes(1), "no codes of the greatest length");
  const symbols: number[] = [];
  const lengths: number[] = [];
  for (let weight = 1; weight <= log; weight++)
    for (const [symbol, of] of weights.entries())
      if (of === weight)
        for (let k = 0; k < 2 ** (weight - 1); k++) {
          symbols.push(symbol);
          lengths.push(log + 1 - weight);
        }
  return { codes: { log, symbols, lengths }, next };
}

function readStream(
  { log, symbols, lengths }: Codes,
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): number[] {
  const stream = new Backward(bytes, start, end);
  const found: number[] = [];
  while (found.length < count) {
    const index = stream.peek(log);
    stream.left -= lengths[index]!;
    demand(stream.left >= 0, "a stream ends early");
    found.push(symbols[index]!);
  }
  demand(stream.left === 0, "a stream ends late");
  return found;
}

// --------------------------------------------------------------------------------------------------- sequences

/** Base and extra bits of codes: those that are all different, then from `first` on with these bits. */
function codesOf(
  plain: number,
  from: number,
  bits: readonly number[],
): readonly (readonly [base: number, bits: number])[] {
  const codes: [number, number][] = Array.from({ length: plain }, (_, k) => [from + k, 0]);
  let base = from + plain;
  for (const count of bits) {
    codes.push([base, count]);
    base += 2 ** count;
  }
  return codes;
}
const LITERAL_LENGTHS = codesOf(16, 0, [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const MATCH_LENGTHS = codesOf(32, 3, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

const PREDEFINED = {
  literals: tableOf(
    6,
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
  ),
  offsets: tableOf(5, [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
  matches: tableOf(6, [1, 4, 3, 2, 2, 2, 2, 2, 2, ...new Array<number>(37).fill(1), -1, -1, -1, -1, -1, -1, -1]),
};
const KINDS = [
  { name: "literals", mostLog: 9, symbols: 36 },
  { name: "offsets", mostLog: 8, symbols: 32 },
  { name: "matches", mostLog: 9, symbols: 53 },
] as const;

/** The one frame that `stored` is (PACK-CODEC-3). */
export function unzstd(stored: Uint8Array, decodedSize: number): Uint8Array {
  const field = (at: number, bytes: number): number => {
    demand(at + bytes <= stored.length, "the frame ends early");
    let value = 0;
    for (let k = bytes - 1; k >= 0; k--) value = value * 256 + stored[at + k]!;
    return value;
  };
  demand(field(0, 4) === 0xfd2fb528, "no frame");
  const descriptor = field(4, 1);
  demand((descriptor & 0b1111) === 0, "a dictionary, a checksum, or a reserved bit");
  const isSingle = (descriptor & 0x20) !== 0;
  let at = isSingle ? 5 : 6;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  demand(sizeBytes > 0, "no size");
  demand(field(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0) === decodedSize, "another size");
  at += sizeBytes;
  const exponent = field(5, 1) >> 3;
  const window = isSingle ? decodedSize : 2 ** (10 + exponent) * (1 + (field(5, 1) & 7) / 8);
  demand(window <= MOST_WINDOW, "the window is too large");
  const mostBlock = Math.min(window, MOST_BLOCK);

  const out = new Uint8Array(decodedSize);
  let written = 0;
  const put = (byte: number): void => {
    demand(written < decodedSize, "more than is said");
    out[written++] = byte;
  };
  const tables: { [kind in "literals" | "offsets" | "matches"]?: Table } = {};
  let codes: Codes | undefined;
  const recent = [1, 4, 8];

  const literalsOf = (start: number, end: number): { literals: number[]; next: number } => {
    demand(start < end, "no literals");
    const kind = stored[start]! & 3;
    const format = (stored[start]! >> 2) & 3;
    const number = (bytes: number): number => {
      demand(start + bytes <= end, "literals are cut off");
      return field(start, bytes);
    };
    if (kind < 2) {
      const bytes = format === 1 ? 2 : format === 3 ? 3 : 1;
      const size = Math.floor(number(bytes) / (bytes === 1 ? 8 : 16));
      const from = start + bytes;
      const next = from + (kind === 0 ? size : 1);
      demand(size <= mostBlock && next <= end, "too many literals");
      const literals = Array.from({ length: size }, (_, k) => stored[from + (kind === 0 ? k : 0)]!);
      return { literals, next };
    }
    const bytes = [3, 3, 4, 5][format]!;
    const width = 2 ** [10, 10, 14, 18][format]!;
    const sizes = Math.floor(number(bytes) / 16);
    const size = sizes % width;
    const next = start + bytes + Math.floor(sizes / width);
    demand(size <= mostBlock && next <= end, "too many literals");
    let from = start + bytes;
    if (kind === 2) ({ codes, next: from } = readCodes(stored, from, next));
    demand(codes !== undefined, "no codes to repeat");
    if (format === 0) return { literals: readStream(codes, stored, from, next, size), next };
    // Four streams: the first three tell their lengths, and have as many literals each.
    demand(from + 6 <= next, "no room for lengths");
    const each = Math.ceil(size / 4);
    demand(3 * each < size, "too few literals for four streams");
    const literals: number[] = [];
    let begin = from + 6;
    for (let k = 0; k < 4; k++) {
      const stop = k < 3 ? begin + field(from + 2 * k, 2) : next;
      demand(stop <= next, "a stream is cut off");
      literals.push(...readStream(codes, stored, begin, stop, k < 3 ? each : size - 3 * each));
      begin = stop;
    }
    return { literals, next };
  };

  const compressed = (start: number, end: number): void => {
    const before = written;
    const { literals, next } = literalsOf(start, end);
    let from = next;
    const byte = (): number => {
      demand(from < end, "sequences are cut off");
      return stored[from++]!;
    };
    const head = byte();
    let count = head;
    if (head === 255) count = byte() + byte() * 256 + 0x7f00;
    else if (head >= 128) count = (head - 128) * 256 + byte();
    let used = 0;
    const take = (length: number): void => {
      demand(used + length <= literals.length, "too few literals");
      demand(written - before + length <= mostBlock, "a block is too large");
      for (let k = 0; k < length; k++) put(literals[used++]!);
    };
    if (count === 0) demand(from === end, "something behind no sequences");
    else {
      const modes = byte();
      demand((modes & 3) === 0, "a reserved bit");
      for (const [index, { name, mostLog, symbols }] of KINDS.entries()) {
        const mode = (modes >> (6 - 2 * index)) & 3;
        if (mode === 0) tables[name] = PREDEFINED[name];
        else if (mode === 1) {
          const symbol = byte();
          demand(symbol < symbols, "no such symbol");
          tables[name] = { log: 0, states: [{ symbol, bits: 0, base: 0 }] };
        } else if (mode === 2) {
          const read = readProbabilities(stored, from, end, mostLog, symbols);
          tables[name] = tableOf(read.log, read.probabilities);
          from = read.next;
        } else demand(tables[name] !== undefined, "no table to repeat");
      }
      const { literals: literalTable, offsets: offsetTable, matches: matchTable } = tables as Required<typeof tables>;
      const stream = new Backward(stored, from, end);
      let literalState = stream.read(literalTable.log);
      let offsetState = stream.read(offsetTable.log);
      let matchState = stream.read(matchTable.log);
      for (let k = 0; k < count; k++) {
        const literalCode = literalTable.states[literalState]!;
        const offsetCode = offsetTable.states[offsetState]!;
        const matchCode = matchTable.states[matchState]!;
        const coded = 2 ** offsetCode.symbol + stream.read(offsetCode.symbol);
        const [matchBase, matchBits] = MATCH_LENGTHS[matchCode.symbol]!;
        const match = matchBase + stream.read(matchBits);
        const [literalBase, literalBits] = LITERAL_LENGTHS[literalCode.symbol]!;
        const length = literalBase + stream.read(literalBits);
        demand(stream.left >= 0, "sequences are cut off");
        let offset = coded - 3;
        if (coded > 3) recent.splice(0, 3, offset, recent[0]!, recent[1]!);
        else {
          const index = coded - 1 + (length === 0 ? 1 : 0);
          offset = index < 3 ? recent[index]! : recent[0]! - 1;
          recent.splice(Math.min(index, 2), 1);
          recent.unshift(offset);
        }
        take(length);
        demand(offset > 0 && offset <= written && offset <= window, "an offset out of the window");
        demand(written - before + match <= mostBlock, "a block is too large");
        for (let n = 0; n < match; n++) put(out[written - offset]!);
        if (k === count - 1) break;
        literalState = literalCode.base + stream.read(literalCode.bits);
        matchState = matchCode.base + stream.read(matchCode.bits);
        offsetState = offsetCode.base + stream.read(offsetCode.bits);
        demand(stream.left >= 0, "sequences are cut off");
      }
      demand(stream.left === 0, "the sequences end late");
    }
    take(literals.length - used);
  };

  for (let isLast = false; !isLast; ) {
    const header = field(at, 3);
    at += 3;
    isLast = (header & 1) === 1;
    const kind = (header >> 1) & 3;
    const size = header >> 3;
    demand(kind < 3, "a block of a reserved kind");
    demand(size <= mostBlock, "a block is too large");
    const end = at + (kind === 1 ? 1 : size);
    demand(end <= stored.length, "the frame ends early");
    if (kind === 2) compressed(at, end);
    else for (let k = 0; k < size; k++) put(stored[at + (kind === 0 ? k : 0)]!);
    at = end;
  }
  demand(at === stored.length, "bytes behind the frame");
  demand(written === decodedSize, "less than is said");
  return out;
}
