/** Decoding RFC 1951, written from the RFC and slowly: what the product's decoder is held against. */

/** The codes of an alphabet: by length and value, as RFC 1951 §3.2.2 assigns them. */
interface Codes {
  /** Symbols ordered by their codes. */
  readonly symbols: readonly number[];
  /** How many codes there are of each length. */
  readonly counts: readonly number[];
}

function codesOf(lengths: readonly number[], mayBeIncomplete: boolean): Codes {
  const counts = new Array<number>(16).fill(0);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new Error("more codes than there is room for");
  }
  const used = lengths.filter((length) => length > 0);
  // One code of one bit, or none, is allowed where distances need no more (§3.2.7).
  const few = mayBeIncomplete && (used.length === 0 || (used.length === 1 && used[0] === 1));
  if (left > 0 && !few) throw new Error("codes are missing");
  const symbols = lengths
    .map((length, symbol) => ({ length, symbol }))
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.length - b.length || a.symbol - b.symbol)
    .map(({ symbol }) => symbol);
  return { symbols, counts };
}

const LENGTH_BASES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12_289, 16_385, 24_577,
];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED = Array.from({ length: 288 }, (_, k) => (k < 144 ? 8 : k < 256 ? 9 : k < 280 ? 7 : 8));

/** The one raw stream that `stored` is, or an Error: anything behind the stream, and any other length, is one. */
export function inflate(stored: Uint8Array, decodedSize: number): Uint8Array {
  const out = new Uint8Array(decodedSize);
  let written = 0;
  let position = 0;
  let bits = 0;
  let count = 0;
  const take = (n: number): number => {
    while (count < n) {
      if (position === stored.length) throw new Error("the stream ends early");
      bits |= stored[position++]! << count;
      count += 8;
    }
    const value = bits & ((1 << n) - 1);
    bits >>>= n;
    count -= n;
    return value;
  };
  const symbolOf = ({ symbols, counts }: Codes): number => {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= 15; length++) {
      code |= take(1);
      const of = counts[length]!;
      if (code - first < of) return symbols[index + code - first]!;
      index += of;
      first = (first + of) * 2;
      code *= 2;
    }
    throw new Error("a code that stands for nothing");
  };
  const put = (byte: number): void => {
    if (written === decodedSize) throw new Error("more than the header says");
    out[written++] = byte;
  };
  const block = (literals: Codes, distances: Codes): void => {
    for (;;) {
      const symbol = symbolOf(literals);
      if (symbol < 256) put(symbol);
      else if (symbol === 256) return;
      else {
        const kind = symbol - 257;
        if (kind >= LENGTH_BASES.length) throw new Error("no such length");
        const length = LENGTH_BASES[kind]! + take(LENGTH_BITS[kind]!);
        const far = symbolOf(distances);
        if (far >= DISTANCE_BASES.length) throw new Error("no such distance");
        const distance = DISTANCE_BASES[far]! + take(far < 4 ? 0 : (far >> 1) - 1);
        if (distance > written) throw new Error("a copy from before the beginning");
        for (let k = 0; k < length; k++) put(out[written - distance]!);
      }
    }
  };
  const dynamic = (): [Codes, Codes] => {
    const literals = take(5) + 257;
    const distances = take(5) + 1;
    const ofLengths = take(4) + 4;
    if (literals > 286 || distances > 30) throw new Error("too many codes");
    const order = new Array<number>(19).fill(0);
    for (let k = 0; k < ofLengths; k++) order[ORDER[k]!] = take(3);
    const codes = codesOf(order, false);
    const lengths: number[] = [];
    while (lengths.length < literals + distances) {
      const symbol = symbolOf(codes);
      if (symbol < 16) lengths.push(symbol);
      else {
        if (symbol === 16 && lengths.length === 0) throw new Error("nothing to repeat");
        const repeated = symbol === 16 ? lengths.at(-1)! : 0;
        const times = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7);
        for (let k = 0; k < times; k++) lengths.push(repeated);
      }
    }
    if (lengths.length > literals + distances) throw new Error("more lengths than codes");
    if (lengths[256] === 0) throw new Error("no code for the end");
    return [codesOf(lengths.slice(0, literals), true), codesOf(lengths.slice(literals), true)];
  };
  for (let last = false; !last; ) {
    last = take(1) === 1;
    const kind = take(2);
    if (kind === 3) throw new Error("no such kind of block");
    if (kind === 0) {
      count = 0;
      bits = 0;
      const length = take(16);
      if (take(16) !== (length ^ 0xffff)) throw new Error("a length is damaged");
      for (let k = 0; k < length; k++) put(take(8));
    } else if (kind === 1) block(codesOf(FIXED, false), codesOf(new Array<number>(32).fill(5), false));
    else block(...dynamic());
  }
  if (position !== stored.length) throw new Error("bytes behind the stream");
  if (written !== decodedSize) throw new Error("less than the header says");
  return out;
}
