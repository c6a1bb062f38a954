/**
 * One frame of Zstandard (RFC 8878), without dictionary and checksum. It takes what the RFC allows and nothing else (spec
 * PACK-CODEC-3): the same on every machine, which libzstd does not promise of damaged frames.
 */

/** What a frame says before its blocks. */
interface Frame {
  readonly blocksAt: number;
  readonly windowBytes: number;
  /** Most that a block may be, stored as well as decoded. */
  readonly blockBytes: number;
}

const FRAME_MAGIC = 0xfd2f_b528;
/** What an encoder's highest level uses, and what decoders take unless they are told otherwise. */
const MOST_WINDOW_BYTES = 2 ** 27;
const MOST_BLOCK_BYTES = 2 ** 17;

const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;
const REPEATED = 3;

/** Throws unless `stored` is one frame that says `decodedSize`, by its headers and those of its blocks. */
export function checkFrame(stored: Uint8Array, decodedSize: number): Frame {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  demand(stored.length >= 6 && view.getUint32(0, true) === FRAME_MAGIC, "this is no frame of Zstandard");
  const descriptor = stored[4]!;
  demand((descriptor & 0b0000_1000) === 0, "a reserved bit is set");
  demand((descriptor & 0b0000_0011) === 0, "the frame needs a dictionary");
  demand((descriptor & 0b0000_0100) === 0, "the frame has a checksum of its own");
  const isSingle = (descriptor & 0b0010_0000) !== 0;
  let at = 5;
  const base = 2 ** (10 + (stored[at]! >>> 3));
  const windowBytes = isSingle ? decodedSize : base + (base / 8) * (stored[at]! & 7);
  demand(windowBytes <= MOST_WINDOW_BYTES, "the window is too large");
  if (!isSingle) at++;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  demand(sizeBytes > 0 && at + sizeBytes <= stored.length, "the frame does not tell its size");
  const told = sizeAt(view, at, sizeBytes);
  demand(told === decodedSize, `the frame says ${told} bytes`);
  at += sizeBytes;
  const blockBytes = Math.min(windowBytes, MOST_BLOCK_BYTES);
  const blocksAt = at;
  let most = 0;
  for (let isLast = false; !isLast; ) {
    demand(at + 3 <= stored.length, "the frame is cut off");
    const block = blockAt(stored, at);
    isLast = block.isLast;
    demand(block.type !== 3, "a block is of a reserved type");
    demand(block.size <= blockBytes, "a block is too large");
    most += block.type === COMPRESSED ? blockBytes : block.size;
    at += 3 + block.storedBytes;
  }
  demand(at === stored.length, at > stored.length ? "the frame is cut off" : "something lies behind the frame");
  // So nobody makes room for gigabytes that a few blocks cannot fill.
  demand(decodedSize <= most, "the blocks are too few");
  return { blocksAt, windowBytes, blockBytes };
}

function sizeAt(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

function blockAt(stored: Uint8Array, at: number) {
  const header = stored[at]! | (stored[at + 1]! << 8) | (stored[at + 2]! << 16);
  const type = (header >>> 1) & 3;
  const size = header >>> 3;
  return { isLast: (header & 1) === 1, type, size, storedBytes: type === RLE ? 1 : size };
}

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** A table of finite state entropy whose symbols stand for a number: a base and so many bits more. */
interface NumberTable {
  /** Bits that tell the first state. */
  log: number;
  /** By state: the next one without its bits, how many these are (<< 16), and how many bits the number has (<< 24). */
  readonly cells: Uint32Array;
  /** By state: the number without its bits. */
  readonly bases: Int32Array;
}

/** The table of one kind of number. Room for a described one is made once: a frame may have one in every 16 bytes. */
interface Tables {
  /** Undefined until there is one. */
  last: NumberTable | undefined;
  readonly described: NumberTable;
}

/** What a compressed block takes over from those before it. */
interface Decoder extends Frame {
  readonly stored: Uint8Array;
  readonly view: DataView;
  readonly out: Uint8Array;
  written: number;
  /** Room for the literals of a block. */
  readonly room: Uint8Array;
  /** By the next `codeLog` bits: how many of them are the code, and its symbol (<< 4). */
  readonly codes: Uint16Array;
  /** Zero until there are codes. */
  codeLog: number;
  readonly lengths: Tables;
  readonly offsets: Tables;
  readonly matches: Tables;
  readonly lastOffsets: Int32Array;
}

/** The `decodedSize` bytes of the frame that `stored` is. Throws for anything else. */
export function decodeFrame(stored: Uint8Array, decodedSize: number): Uint8Array {
  const frame = checkFrame(stored, decodedSize);
  const out = new Uint8Array(decodedSize);
  const decoder: Decoder = {
    ...frame,
    // A Buffer would make the loops below see two kinds of arrays.
    stored: new Uint8Array(stored.buffer, stored.byteOffset, stored.length),
    view: new DataView(stored.buffer, stored.byteOffset, stored.length),
    out,
    written: 0,
    room: new Uint8Array(Math.min(frame.blockBytes, decodedSize)),
    codes: new Uint16Array(2 ** MOST_CODE_BITS),
    codeLog: 0,
    lengths: tablesOf(LENGTHS),
    offsets: tablesOf(OFFSETS),
    matches: tablesOf(MATCHES),
    lastOffsets: Int32Array.of(1, 4, 8),
  };
  let at = frame.blocksAt;
  for (let isLast = false; !isLast; ) {
    const block = blockAt(stored, at);
    isLast = block.isLast;
    at += 3;
    const { written } = decoder;
    if (block.type === COMPRESSED) decodeBlock(decoder, at, at + block.size);
    else {
      demand(block.size <= decodedSize - written, "there is more than the frame says");
      decoder.written += block.size;
      if (block.type === RLE) out.fill(stored[at]!, written, decoder.written);
      else out.set(stored.subarray(at, at + block.size), written);
    }
    at += block.storedBytes;
  }
  demand(decoder.written === decodedSize, "there is less than the frame says");
  return out;
}

function decodeBlock(decoder: Decoder, at: number, end: number): void {
  const { stored, written, out } = decoder;
  const limit = Math.min(out.length, written + decoder.blockBytes);
  const literals = literalsAt(decoder, at, end, limit - written);
  let next = literals.next;
  demand(next < end, "the sequences are missing");
  let count = stored[next++]!;
  if (count === 255) {
    demand(next + 2 <= end, "the sequences are cut off");
    count = stored[next]! + stored[next + 1]! * 256 + 0x7f00;
    next += 2;
  } else if (count > 127) {
    demand(next < end, "the sequences are cut off");
    count = (count - 128) * 256 + stored[next++]!;
  }
  if (count > 0) decodeSequences(decoder, next, end, count, limit, literals);
  else demand(next === end, "something lies behind the sequences");
  const rest = literals.end - literals.at;
  demand(rest <= limit - decoder.written, "a block has more bytes than it may");
  out.set(literals.bytes.subarray(literals.at, literals.end), decoder.written);
  decoder.written += rest;
}

/** Where literals are, and what follows their section. */
interface Literals {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  readonly next: number;
}

/** The literals of a block (RFC 8878 §3.1.1.3.1), of which there may be `most`. */
function literalsAt(decoder: Decoder, at: number, end: number, most: number): Literals {
  const { stored, room } = decoder;
  demand(end - at >= 2, "a block is cut off");
  const first = stored[at]!;
  const type = first & 3;
  const format = (first >>> 2) & 3;
  if (type === RAW || type === RLE) {
    const headerBytes = [1, 2, 1, 3][format]!;
    demand(at + headerBytes + type <= end, "the literals are cut off");
    let size = first >>> (headerBytes === 1 ? 3 : 4);
    for (let k = 1; k < headerBytes; k++) size += stored[at + k]! << (8 * k - 4);
    demand(size <= most, "there are more literals than a block may have");
    const from = at + headerBytes;
    if (type === RLE) {
      room.fill(stored[from]!, 0, size);
      return { bytes: room, at: 0, end: size, next: from + 1 };
    }
    demand(from + size <= end, "the literals are cut off");
    return { bytes: stored, at: from, end: from + size, next: from + size };
  }
  demand(end - at >= 5, "the literals are cut off");
  const headerBytes = [3, 3, 4, 5][format]!;
  const sizeBits = [10, 10, 14, 18][format]!;
  const header = decoder.view.getUint32(at, true) + stored[at + 4]! * 2 ** 32;
  const size = Math.floor(header / 16) % 2 ** sizeBits;
  const storedBytes = Math.floor(header / 2 ** (4 + sizeBits)) % 2 ** sizeBits;
  demand(size <= most, "there are more literals than a block may have");
  const next = at + headerBytes + storedBytes;
  demand(next <= end, "the literals are cut off");
  let from = at + headerBytes;
  if (type === COMPRESSED) from = readCodes(decoder, from, next);
  else demand(decoder.codeLog > 0, "there are no codes to repeat");
  if (format === 0) decodeStream(decoder, from, next, 0, size);
  else decodeFourStreams(decoder, from, next, size);
  return { bytes: room, at: 0, end: size, next };
}

const MOST_CODE_BITS = 11;

/** Makes the codes of literals (RFC 8878 §4.2.1). Answers where their description ends. */
function readCodes(decoder: Decoder, at: number, end: number): number {
  const { stored, codes } = decoder;
  demand(at < end, "the codes are cut off");
  const head = stored[at]!;
  const next = at + 1 + (head < 128 ? head : (head - 126) >> 1);
  demand(next <= end, "the codes are cut off");
  const weights = new Uint8Array(256);
  let count = head - 127;
  if (head < 128) count = readWeights(decoder, at + 1, next, weights);
  else for (let k = 0; k < count; k++) weights[k] = (stored[at + 1 + (k >> 1)]! >> (k & 1 ? 0 : 4)) & 15;
  const perWeight = new Uint16Array(MOST_CODE_BITS + 1);
  let sum = 0;
  for (let k = 0; k < count; k++) {
    demand(weights[k]! <= MOST_CODE_BITS, "a code is too long");
    perWeight[weights[k]!]!++;
    sum += (1 << weights[k]!) >> 1;
  }
  demand(sum > 0, "there are no codes");
  const log = 32 - Math.clz32(sum);
  demand(log <= MOST_CODE_BITS, "a code is too long");
  // The last symbol's weight is what the others leave.
  const rest = (1 << log) - sum;
  demand((rest & (rest - 1)) === 0, "the codes do not fit");
  weights[count] = 32 - Math.clz32(rest);
  perWeight[weights[count]!]!++;
  demand(perWeight[1]! >= 2, "the codes do not fit");
  const starts = new Uint16Array(MOST_CODE_BITS + 2);
  for (let weight = 1; weight <= log; weight++)
    starts[weight + 1] = starts[weight]! + perWeight[weight]! * (1 << (weight - 1));
  for (let symbol = 0; symbol <= count; symbol++) {
    const weight = weights[symbol]!;
    if (weight === 0) continue;
    const code = (symbol << 4) | (log + 1 - weight);
    let at = starts[weight]!;
    for (let k = 1 << (weight - 1); k > 0; k--) codes[at++] = code;
    starts[weight] = at;
  }
  decoder.codeLog = log;
  return next;
}

/** Weights in finite state entropy: two states take turns until the bits run out. Answers how many there are. */
function readWeights(decoder: Decoder, at: number, end: number, weights: Uint8Array): number {
  const { stored, view } = decoder;
  const counts = readCounts(stored, at, end, 255, 6);
  demand(counts.symbols <= MOST_CODE_BITS + 1, "a code is too long");
  const { log } = counts;
  const symbols = symbolsOf(counts);
  const cells = new Uint32Array(1 << log);
  fillCells(cells, symbols, log);
  const base = counts.next;
  let left = bitsOf(stored, base, end);
  let one = bitsAt(view, base, left, log);
  left -= log;
  let two = bitsAt(view, base, Math.max(left, 0), log);
  left -= log;
  demand(left >= 0, "the weights are cut off");
  for (let count = 0; ; ) {
    demand(count <= 253, "there are too many weights");
    const cell = cells[one]!;
    weights[count++] = symbols[one]!;
    const bits = cell >>> 16;
    if (bits > left) {
      weights[count++] = symbols[two]!;
      return count;
    }
    one = two;
    two = (cell & 0xffff) + bitsAt(view, base, left, bits);
    left -= bits;
  }
}

/** How often each symbol is in a table of finite state entropy; -1 is less than once. */
interface Counts {
  readonly log: number;
  /** {@link PER_SYMBOL}, where it was read. */
  readonly perSymbol: Int16Array;
  readonly symbols: number;
  readonly next: number;
}

// What making a table needs for a moment.
const PER_SYMBOL = new Int16Array(256);
const NEXT_STATES = new Uint16Array(256);
const SYMBOLS = new Uint8Array(512);

/** RFC 8878 §4.1.1 */
function readCounts(stored: Uint8Array, at: number, end: number, lastSymbol: number, mostLog: number): Counts {
  let bit = 0;
  const look = (bits: number): number => {
    const byte = at + (bit >> 3);
    let value = 0;
    for (let k = 0; k < 3 && byte + k < end; k++) value |= stored[byte + k]! << (8 * k);
    return (value >> (bit & 7)) & ((1 << bits) - 1);
  };
  const log = look(4) + 5;
  bit += 4;
  demand(log <= mostLog, "a table is too large");
  const perSymbol = PER_SYMBOL.fill(0);
  let symbols = 0;
  // One more than what is to be shared out, as counts are written one up.
  let remaining = (1 << log) + 1;
  let bits = log + 1;
  while (remaining > 1) {
    demand(symbols <= lastSymbol, "a table has too many symbols");
    const threshold = 1 << (bits - 1);
    const short = 2 * threshold - 1 - remaining;
    let count = look(bits);
    if ((count & (threshold - 1)) < short) {
      count &= threshold - 1;
      bit += bits - 1;
    } else {
      if (count >= threshold) count -= short;
      bit += bits;
    }
    count--;
    perSymbol[symbols++] = count;
    remaining -= Math.abs(count);
    bits = 32 - Math.clz32(remaining);
    if (count !== 0) continue;
    for (let more = 3; more === 3 && symbols <= lastSymbol; symbols += more) {
      more = look(2);
      bit += 2;
    }
  }
  const next = at + ((bit + 7) >> 3);
  demand(next <= end, "a table is cut off");
  return { log, perSymbol, symbols, next };
}

/** The symbol of each state, in {@link SYMBOLS}; and that of the first one of each symbol in {@link NEXT_STATES} (RFC 8878 §4.1.1). */
function symbolsOf({ log, perSymbol, symbols }: Omit<Counts, "next">): Uint8Array {
  const size = 1 << log;
  const step = (size >> 1) + (size >> 3) + 3;
  let high = size - 1;
  for (let symbol = 0; symbol < symbols; symbol++) {
    const count = perSymbol[symbol]!;
    NEXT_STATES[symbol] = Math.abs(count);
    if (count === -1) SYMBOLS[high--] = symbol;
  }
  let position = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (let count = perSymbol[symbol]!; count > 0; count--) {
      SYMBOLS[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position > high);
    }
  }
  return SYMBOLS;
}

/** By state: the next one without its bits, and how many these are (<< 16). */
function fillCells(cells: Uint32Array, symbols: Uint8Array, log: number): void {
  const size = 1 << log;
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!;
    const next = NEXT_STATES[symbol]!;
    NEXT_STATES[symbol] = next + 1;
    const bits = log - 31 + Math.clz32(next);
    cells[state] = ((next << bits) - size) | (bits << 16);
  }
}

/**
 * A stream of bits is read from its end down to its first byte, at `base`. `left` is how many bits are left. What is read
 * when there are too few has bits of the bytes before it; whoever reads looks at `left` before it gets far.
 */
function bitsOf(stored: Uint8Array, base: number, end: number): number {
  const last = base < end ? stored[end - 1]! : 0;
  demand(last !== 0, "a stream has no end");
  return (end - base) * 8 - 1 - (Math.clz32(last) - 24);
}

/** The next bits, up to 25, are the upper ones. A frame has more bytes before its first stream than this may reach back. */
function upperBitsAt(view: DataView, base: number, left: number): number {
  return view.getInt32(base - 4 + ((left + 7) >> 3), true) << (-left & 7);
}

function bitsAt(view: DataView, base: number, left: number, bits: number): number {
  return (upperBitsAt(view, base, left) >>> 1) >>> (31 - bits);
}

const STREAM_ENDS = "a stream of literals does not end with its last one";

/** Decodes the literals from `at` up to `to`, which are all of the stream (RFC 8878 §4.2.2). */
function decodeStream(decoder: Decoder, base: number, end: number, at: number, to: number): void {
  finishStream(decoder, base, bitsOf(decoder.stored, base, end), at, to);
}

function finishStream(decoder: Decoder, base: number, bits: number, from: number, to: number): void {
  const { view, codes, room } = decoder;
  const shift = 32 - decoder.codeLog;
  let left = bits;
  for (let at = from; at < to; at++) {
    demand(left >= 0, STREAM_ENDS);
    const code = codes[upperBitsAt(view, base, left) >>> shift]!;
    room[at] = code >>> 4;
    left -= code & 15;
  }
  demand(left === 0, STREAM_ENDS);
}

/** The streams side by side: a processor works at four at once, where each has to wait for its last code. */
function decodeFourStreams(decoder: Decoder, at: number, end: number, size: number): void {
  const { stored, view, codes, room } = decoder;
  demand(size >= 6, "there are too few literals for four streams");
  demand(at + 10 <= end, "the literals are cut off");
  const base1 = at + 6;
  const base2 = base1 + view.getUint16(at, true);
  const base3 = base2 + view.getUint16(at + 2, true);
  const base4 = base3 + view.getUint16(at + 4, true);
  demand(base4 < end, "the literals are cut off");
  let left1 = bitsOf(stored, base1, base2);
  let left2 = bitsOf(stored, base2, base3);
  let left3 = bitsOf(stored, base3, base4);
  let left4 = bitsOf(stored, base4, end);
  const quarter = (size + 3) >> 2;
  const shift = 32 - decoder.codeLog;
  let k = 0;
  // Two codes from the 25 bits that are read.
  for (const pairs = size - 3 * quarter - 1; k < pairs; k += 2) {
    demand((left1 | left2 | left3 | left4) >= 0, STREAM_ENDS);
    const bits1 = upperBitsAt(view, base1, left1);
    const bits2 = upperBitsAt(view, base2, left2);
    const bits3 = upperBitsAt(view, base3, left3);
    const bits4 = upperBitsAt(view, base4, left4);
    const code1 = codes[bits1 >>> shift]!;
    const code2 = codes[bits2 >>> shift]!;
    const code3 = codes[bits3 >>> shift]!;
    const code4 = codes[bits4 >>> shift]!;
    room[k] = code1 >>> 4;
    room[k + quarter] = code2 >>> 4;
    room[k + 2 * quarter] = code3 >>> 4;
    room[k + 3 * quarter] = code4 >>> 4;
    const after1 = codes[(bits1 << (code1 & 15)) >>> shift]!;
    const after2 = codes[(bits2 << (code2 & 15)) >>> shift]!;
    const after3 = codes[(bits3 << (code3 & 15)) >>> shift]!;
    const after4 = codes[(bits4 << (code4 & 15)) >>> shift]!;
    room[k + 1] = after1 >>> 4;
    room[k + 1 + quarter] = after2 >>> 4;
    room[k + 1 + 2 * quarter] = after3 >>> 4;
    room[k + 1 + 3 * quarter] = after4 >>> 4;
    left1 -= (code1 & 15) + (after1 & 15);
    left2 -= (code2 & 15) + (after2 & 15);
    left3 -= (code3 & 15) + (after3 & 15);
    left4 -= (code4 & 15) + (after4 & 15);
  }
  finishStream(decoder, base1, left1, k, quarter);
  finishStream(decoder, base2, left2, k + quarter, 2 * quarter);
  finishStream(decoder, base3, left3, k + 2 * quarter, 3 * quarter);
  finishStream(decoder, base4, left4, k + 3 * quarter, size);
}

/** The codes of one kind of number in sequences (RFC 8878 §3.1.1.3.2.1.1 and §3.1.1.3.2.2). */
interface Numbers {
  readonly bits: Uint8Array;
  readonly bases: Int32Array;
  readonly mostLog: number;
  readonly usual: NumberTable;
}

function numbersOf(codeBits: readonly number[], first: number, mostLog: number, log: number, usual: string): Numbers {
  const bits = Uint8Array.from(codeBits);
  const bases = new Int32Array(bits.length);
  for (let k = 0, base = first; k < bits.length; k++) {
    bases[k] = base;
    base += 2 ** bits[k]!;
  }
  const perSymbol = Int16Array.from(usual.split(" "), Number);
  const table = emptyTable(log);
  fillTable(table, { log, perSymbol, symbols: perSymbol.length }, bits, bases);
  return { bits, bases, mostLog, usual: table };
}

function emptyTable(mostLog: number): NumberTable {
  return { log: 0, cells: new Uint32Array(1 << mostLog), bases: new Int32Array(1 << mostLog) };
}

function tablesOf({ mostLog }: Numbers): Tables {
  return { last: undefined, described: emptyTable(mostLog) };
}

function fillTable(table: NumberTable, counts: Omit<Counts, "next">, bits: Uint8Array, bases: Int32Array): void {
  const { log } = counts;
  const symbols = symbolsOf(counts);
  fillCells(table.cells, symbols, log);
  table.log = log;
  const size = 1 << log;
  for (let state = 0; state < size; state++) {
    const symbol = symbols[state]!;
    table.cells[state]! |= bits[symbol]! << 24;
    table.bases[state] = bases[symbol]!;
  }
}

const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, k) => first + k);

const LENGTHS = numbersOf(
  [...zeros(16), 1, 1, 1, 1, 2, 2, 3, 3, 4, ...from(6, 16)],
  0,
  9,
  6,
  "4 3 2 2 2 2 2 2 2 2 2 2 2 1 1 1 2 2 2 2 2 2 2 2 2 3 2 1 1 1 1 1 -1 -1 -1 -1",
);
const MATCHES = numbersOf(
  [...zeros(32), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, ...from(7, 16)],
  3,
  9,
  6,
  "1 4 3 2 2 2 2 2 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -1 -1 -1 -1 -1 -1 -1",
);
/** Less the three that stand for earlier offsets, so that these are -2, -1 and 0. */
const OFFSETS = numbersOf(from(0, 31), -2, 8, 5, "1 1 1 1 1 1 2 2 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -1 -1 -1 -1 -1");
/** No window has an offset of more bits. */
const MOST_OFFSET_BITS = 27;

/** Decodes sequences and does what they say (RFC 8878 §3.1.1.3.2 and §3.1.1.4). */
function decodeSequences(
  decoder: Decoder,
  start: number,
  end: number,
  count: number,
  limit: number,
  literals: Literals,
): void {
  const { stored, view, out, windowBytes, lastOffsets } = decoder;
  let base = start;
  demand(base < end, "the sequences are cut off");
  const modes = stored[base++]!;
  demand((modes & 3) === 0, "a reserved bit is set");
  const readTable = (mode: number, tables: Tables, { bits, bases, mostLog, usual }: Numbers): NumberTable => {
    const table = mode === RAW ? usual : mode === REPEATED ? tables.last : tables.described;
    demand(table !== undefined, "there is no table to repeat");
    if (mode === RLE) {
      demand(base < end && stored[base]! < bits.length, "a table's symbol is missing");
      const symbol = stored[base++]!;
      table.log = 0;
      table.cells[0] = bits[symbol]! << 24;
      table.bases[0] = bases[symbol]!;
    } else if (mode === COMPRESSED) {
      const counts = readCounts(stored, base, end, bits.length - 1, mostLog);
      base = counts.next;
      fillTable(table, counts, bits, bases);
    }
    tables.last = table;
    return table;
  };
  const lengths = readTable(modes >>> 6, decoder.lengths, LENGTHS);
  const offsets = readTable((modes >>> 4) & 3, decoder.offsets, OFFSETS);
  const matches = readTable((modes >>> 2) & 3, decoder.matches, MATCHES);

  const lengthCells = lengths.cells;
  const lengthBases = lengths.bases;
  const offsetCells = offsets.cells;
  const offsetBases = offsets.bases;
  const matchCells = matches.cells;
  const matchBases = matches.bases;
  let left = bitsOf(stored, base, end);
  let lengthState = bitsAt(view, base, left, lengths.log);
  left -= lengths.log;
  let offsetState = bitsAt(view, base, left, offsets.log);
  left -= offsets.log;
  let matchState = bitsAt(view, base, left, matches.log);
  left -= matches.log;

  let last1 = lastOffsets[0]!;
  let last2 = lastOffsets[1]!;
  let last3 = lastOffsets[2]!;
  const { bytes, end: literalsEnd } = literals;
  let literal = literals.at;
  let written = decoder.written;
  const outView = new DataView(out.buffer);
  /** Up to where 16 bytes can be written, or 8 be read, that are not all wanted. */
  const lastWide = out.length - 16;
  const lastWideLiteral = bytes.length - 8;
  const literalView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let rest = count; ; ) {
    demand(left >= 0, "the sequences are cut off");
    const lengthCell = lengthCells[lengthState]!;
    const offsetCell = offsetCells[offsetState]!;
    const matchCell = matchCells[matchState]!;
    const offsetBits = offsetCell >>> 24;
    const matchBits = matchCell >>> 24;
    const lengthBits = lengthCell >>> 24;
    let offset = offsetBases[offsetState]!;
    let match = matchBases[matchState]!;
    let length = lengthBases[lengthState]!;
    if (offsetBits + matchBits + lengthBits <= 25) {
      let bits = upperBitsAt(view, base, left);
      offset += (bits >>> 1) >>> (31 - offsetBits);
      bits <<= offsetBits;
      match += (bits >>> 1) >>> (31 - matchBits);
      bits <<= matchBits;
      length += (bits >>> 1) >>> (31 - lengthBits);
      left -= offsetBits + matchBits + lengthBits;
    } else {
      demand(offsetBits <= MOST_OFFSET_BITS, "an offset is out of the window");
      const high = offsetBits >> 1;
      offset += bitsAt(view, base, left, high) << (offsetBits - high);
      offset += bitsAt(view, base, left - high, offsetBits - high);
      match += bitsAt(view, base, left - offsetBits, matchBits);
      length += bitsAt(view, base, left - offsetBits - matchBits, lengthBits);
      left -= offsetBits + matchBits + lengthBits;
    }
    if (offsetBits > 1) {
      last3 = last2;
      last2 = last1;
      last1 = offset;
    } else {
      // Which of the last ones; without literals one further, as the last offset would only make the last match longer.
      const which = offset + (length === 0 ? 3 : 2);
      offset = which === 0 ? last1 : which === 1 ? last2 : which === 2 ? last3 : last1 - 1;
      if (which > 1) last3 = last2;
      if (which > 0) last2 = last1;
      last1 = offset;
    }
    demand(left >= 0, "the sequences are cut off");

    demand(length <= literalsEnd - literal, "there are too few literals");
    demand(length + match <= limit - written, "a block has more bytes than it may");
    demand(offset > 0 && offset <= written + length && offset <= windowBytes, "an offset is out of the window");
    const literalEnd = literal + length;
    const matchStart = written + length;
    const matchEnd = matchStart + match;
    if (matchEnd <= lastWide && literalEnd <= lastWideLiteral) {
      // More than there is to copy, most of the time: what is too much is written over. Counting would cost more.
      outView.setInt32(written, literalView.getInt32(literal, true), true);
      outView.setInt32(written + 4, literalView.getInt32(literal + 4, true), true);
      if (length > 8) {
        if (length > 64) out.set(bytes.subarray(literal, literalEnd), written);
        else
          for (let k = 8; k < length; k += 4)
            outView.setInt32(written + k, literalView.getInt32(literal + k, true), true);
      }
      if (offset >= 4) {
        const from = matchStart - offset;
        outView.setInt32(matchStart, outView.getInt32(from, true), true);
        outView.setInt32(matchStart + 4, outView.getInt32(from + 4, true), true);
        outView.setInt32(matchStart + 8, outView.getInt32(from + 8, true), true);
        outView.setInt32(matchStart + 12, outView.getInt32(from + 12, true), true);
        if (match > 16) {
          if (match > 64) copyMatch(out, matchStart, offset, match);
          else
            for (let k = 16; k < match; k += 4)
              outView.setInt32(matchStart + k, outView.getInt32(from + k, true), true);
        }
      } else copyMatch(out, matchStart, offset, match);
    } else {
      out.set(bytes.subarray(literal, literalEnd), written);
      copyMatch(out, matchStart, offset, match);
    }
    literal = literalEnd;
    written = matchEnd;

    if (--rest === 0) break;
    let bits = upperBitsAt(view, base, left);
    const lengthNext = (lengthCell >>> 16) & 15;
    lengthState = (lengthCell & 0xffff) + ((bits >>> 1) >>> (31 - lengthNext));
    bits <<= lengthNext;
    const matchNext = (matchCell >>> 16) & 15;
    matchState = (matchCell & 0xffff) + ((bits >>> 1) >>> (31 - matchNext));
    bits <<= matchNext;
    left -= lengthNext + matchNext;
    const offsetNext = (offsetCell >>> 16) & 15;
    // At most 9, 9 and 8 bits: one more than there are.
    if (lengthNext + matchNext + offsetNext > 25) bits = upperBitsAt(view, base, left);
    offsetState = (offsetCell & 0xffff) + ((bits >>> 1) >>> (31 - offsetNext));
    left -= offsetNext;
  }
  demand(left === 0, "the sequences do not end with the last one");
  lastOffsets[0] = last1;
  lastOffsets[1] = last2;
  lastOffsets[2] = last3;
  literals.at = literal;
  decoder.written = written;
}

/** A long match: where it overlaps itself, what is there is doubled until it is enough. */
function copyMatch(out: Uint8Array, at: number, offset: number, length: number): void {
  const from = at - offset;
  const end = at + length;
  if (length < 32) for (let to = at; to < end; to++) out[to] = out[to - offset]!;
  else if (offset === 1) out.fill(out[from]!, at, end);
  else
    for (let to = at; to < end; ) {
      const bytes = Math.min(to - from, end - to);
      out.copyWithin(to, from, from + bytes);
      to += bytes;
    }
}
