/**
 * A second reader of programs, receipts, edges and their index, made from chapters 30 to 33 alone: nothing here is what `host/pel` or
 * `host/tgk` are made of, so what both agree on is what the specs say. It is strict and slow.
 */
import { createHash } from "node:crypto";

/** An item of CBOR: integers are bigints. */
export type Item = bigint | Uint8Array | string | null | readonly Item[];

export class Refused extends Error {}

function refuse(why: string): never {
  throw new Refused(why);
}

function must(holds: boolean, why: string): void {
  if (!holds) refuse(why);
}

export function sha256(...pieces: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

/** The multihash of bytes by SHA-256 [ASL-KEY-1]. */
export function multihash(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x12, 0x20), sha256(bytes)]);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

// Deterministic CBOR [PEL-ENC-1].

export function readItem(bytes: Uint8Array): Item {
  const whole = Buffer.from(bytes);
  let at = 0;
  const item = (depth: number): Item => {
    must(at < whole.length, "cut off");
    must(depth < 16, "nested too deep for anything that is known");
    const first = whole[at++]!;
    if (first === 0xf6) return null;
    const extra = first & 31;
    let n = BigInt(extra);
    if (extra >= 24) {
      must(extra <= 27, "no definite length");
      const size = 1 << (extra - 24);
      must(at + size <= whole.length, "cut off");
      n = BigInt(`0x${whole.toString("hex", at, at + size)}`);
      must(n >= [24n, 256n, 65_536n, 2n ** 32n][extra - 24]!, "not in the shortest form");
      at += size;
    }
    switch (first >> 5) {
      case 0:
        return n;
      case 2:
      case 3: {
        must(n <= BigInt(whole.length - at), "cut off");
        const part = whole.subarray(at, (at += Number(n)));
        return first >> 5 === 2 ? part : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
      }
      case 4: {
        must(n <= BigInt(whole.length - at), "more items than bytes");
        return Array.from({ length: Number(n) }, () => item(depth + 1));
      }
      default:
        return refuse("neither array, number, bytes, text nor null");
    }
  };
  const all = item(0);
  must(at === whole.length, "bytes behind it");
  return all;
}

export function writeItem(item: Item): Buffer {
  if (item === null) return Buffer.of(0xf6);
  if (typeof item === "bigint") return head(0, item);
  if (typeof item === "string") return Buffer.concat([head(3, Buffer.byteLength(item)), Buffer.from(item)]);
  if (item instanceof Uint8Array) return Buffer.concat([head(2, item.length), item]);
  return Buffer.concat([head(4, item.length), ...item.map(writeItem)]);
}

function head(major: number, value: number | bigint): Buffer {
  const n = BigInt(value);
  if (n < 24n) return Buffer.of((major << 5) | Number(n));
  const size = n < 256n ? 0 : n < 65_536n ? 1 : n < 2n ** 32n ? 2 : 3;
  const digits = n.toString(16).padStart(2 << size, "0");
  return Buffer.concat([Buffer.of((major << 5) | (24 + size)), Buffer.from(digits, "hex")]);
}

// What items are.

export type List = readonly Item[];

function list(item: Item | undefined, count?: number): List {
  if (!Array.isArray(item)) return refuse("no array");
  must(count === undefined || item.length === count, `not ${count} items`);
  return item;
}

function uint(item: Item | undefined, most: bigint | number = 2n ** 64n - 1n): number {
  if (typeof item !== "bigint" || item > BigInt(most)) return refuse(`no number up to ${most}`);
  return Number(item);
}

function bytes(item: Item | undefined, least = 0, most = 2 ** 32): Buffer {
  if (!(item instanceof Uint8Array)) return refuse("no bytes");
  must(item.length >= least && item.length <= most, "another length");
  return Buffer.from(item);
}

function text(item: Item | undefined): string {
  return typeof item === "string" ? item : refuse("no text");
}

function key(item: Item | undefined): Buffer {
  const whole = bytes(item, 34, 36);
  const code = whole.subarray(0, -32).toString("hex");
  // sha256, sha3-256, sha2-512-256, blake2s-256, as varints, and the length 32 [ASL-KEY-2].
  must(["1220", "1620", "952020", "e0e40220"].includes(code), "no multihash that is known");
  return whole;
}

export type Tag = number | undefined;

function tag(item: Item | undefined): Tag {
  return item === null ? undefined : uint(item, 2 ** 32 - 1);
}

export interface KeyTag {
  readonly key: Buffer;
  readonly tag: Tag;
}

function keyTag(item: Item): KeyTag {
  const [first, second] = list(item, 2);
  return { key: key(first), tag: tag(second) };
}

function name(item: Item | undefined): string {
  const it = text(item);
  const length = Buffer.byteLength(it);
  must(length >= 1 && length <= 255 && !/[/\p{Cc}]/u.test(it) && it !== "." && it !== "..", "no name");
  return it;
}

function ascending(names: readonly string[]): void {
  for (const [k, it] of names.entries())
    must(k === 0 || Buffer.compare(Buffer.from(names[k - 1]!), Buffer.from(it)) < 0, "names not in order");
}

// Programs [PEL-ENC-2].

export interface SecondNode {
  readonly opcode: number;
  readonly parameters: List;
  /** How many refs and outputs. */
  readonly refs: number;
  readonly outputs: number;
  /** [PEL-ENC-3] */
  readonly own: Buffer;
}

const LIMITS = [2n ** 63n - 1n, 65_536n, 10_000_000n, 1_000_000n, 16_777_216n, 2n ** 31n, 2n ** 31n];
const MOST_REFS = 65_534;

function parametersOf(opcode: number, item: Item | undefined, refs: number): number {
  const counts = (least: number, most: number) => must(refs >= least && refs <= most, "another number of refs");
  switch (opcode) {
    case 0: {
      const [first, second] = list(item, 2);
      name(first);
      tag(second);
      counts(0, 0);
      return 1;
    }
    case 1:
      bytes(list(item, 1)[0], 0, 1_048_576);
      counts(0, 0);
      return 1;
    case 2:
    case 4:
    case 5:
    case 6:
      list(item, 0);
      counts(
        ...([
          [1, MOST_REFS],
          [0, 0],
          [1, 1],
          [1, 1],
          [2, MOST_REFS],
        ][opcode - 2] as [number, number]),
      );
      return 1;
    case 3: {
      const [offset, length] = list(item, 2);
      uint(offset, 2 ** 53 - 1);
      if (length !== null) uint(length, 2 ** 53 - 1);
      counts(1, 1);
      return 1;
    }
    case 7: {
      const at = list(list(item, 1)[0]).map((it) => uint(it, 2 ** 53 - 1));
      must(at.length + 1 <= MOST_REFS && at.every((it, k) => k === 0 || it >= at[k - 1]!), "offsets not in order");
      counts(1, 1);
      return at.length + 1;
    }
    case 8:
      return guestOutputs(item, refs);
    default:
      return refuse("no such operation");
  }
}

function guestOutputs(item: Item | undefined, refs: number): number {
  const [module, entry, args, inputs, outputs, stdout, stderr, assets, io, limits] = list(item, 10);
  key(module);
  if (entry !== null) must(Buffer.byteLength(text(entry)) <= 65_535, "a long entry");
  const texts = list(args).map(text);
  must(texts.length <= 65_535 && !texts.some((it) => it.includes("\0")), "arguments");
  must(texts.reduce((sum, it) => sum + Buffer.byteLength(it), 0) <= 1_048_576, "long arguments");
  const taken = list(inputs).map(name);
  ascending(taken);
  must(taken.length === refs && refs <= MOST_REFS, "another number of refs");
  const made = list(outputs).map((it) => {
    tag(list(it, 2)[1]);
    return name(list(it, 2)[0]);
  });
  ascending(made);
  must(made.length <= MOST_REFS, "too many outputs");
  for (const stream of [stdout, stderr]) if (stream !== null) must(made.includes(text(stream)), "no such output");
  must(stdout === null || stdout !== stderr, "both streams go there");
  if (assets !== null) must(taken.includes(text(assets)), "no such input");
  uint(io, 1);
  for (const [k, it] of list(limits, 7).entries()) uint(it, LIMITS[k]!);
  return made.length;
}

function nodeOf(item: Item | undefined, refs: (item: Item | undefined) => number): SecondNode {
  const [op, parameters, third] = list(item, 3);
  const opcode = uint(op);
  const count = refs(third);
  const outputs = parametersOf(opcode, parameters, count);
  const own = writeItem([BigInt(opcode), parameters!, BigInt(count)]);
  return { opcode, parameters: list(parameters), refs: count, outputs, own };
}

export interface SecondRef {
  readonly node: number;
  /** None: the receipt. */
  readonly output: number | undefined;
}

export interface SecondProgram {
  readonly nodes: readonly (SecondNode & { readonly of: readonly SecondRef[] })[];
  readonly outputs: readonly { readonly name: string; readonly ref: SecondRef }[];
}

function refOf(item: Item): SecondRef {
  const [node, output] = list(item, 2);
  return { node: uint(node, 1_048_575), output: output === null ? undefined : uint(output, 65_534) };
}

export function readProgram(encoded: Uint8Array): SecondProgram {
  must(encoded.length <= 268_435_456, "too long");
  const [version, second, third] = list(readItem(encoded), 3);
  must(version === 1n, "another version");
  const nodes = list(second).map((item) => ({
    ...nodeOf(item, (refs) => list(refs).length),
    of: list(list(item)[2]).map(refOf),
    whole: writeItem(item),
  }));
  must(nodes.length <= 1_048_576, "too many nodes");
  const checkRef = ({ node, output }: SecondRef, before: number): void => {
    must(node < before, "no node before it");
    must(output === undefined ? nodes[node]!.opcode !== 0 : output < nodes[node]!.outputs, "no such output");
  };
  const levels: number[] = [];
  for (const [k, { of, whole }] of nodes.entries()) {
    for (const ref of of) checkRef(ref, k);
    const level = of.reduce((most, ref) => Math.max(most, levels[ref.node]! + 1), 0);
    if (k > 0) {
      const order = level - levels[k - 1]! || Buffer.compare(whole, nodes[k - 1]!.whole);
      must(order > 0, "nodes not in order, or twice");
    }
    levels.push(level);
  }
  const inputs = nodes.filter(({ opcode }) => opcode === 0).map(({ parameters }) => text(parameters[0]));
  must(inputs.length <= MOST_REFS && new Set(inputs).size === inputs.length, "inputs");
  const outputs = list(third).map((item) => ({ name: name(list(item, 2)[0]), ref: refOf(list(item)[1]!) }));
  must(outputs.length >= 1 && outputs.length <= MOST_REFS, "outputs");
  ascending(outputs.map(({ name }) => name));
  for (const { ref } of outputs) checkRef(ref, nodes.length);
  return { nodes, outputs };
}

// Receipts [PER-CLAIM, PER-RUN, PER-CONTEXT].

export interface SecondClaim {
  readonly kind: "node";
  readonly node: SecondNode;
  readonly inputs: readonly KeyTag[];
  readonly versions: readonly number[];
  readonly outputs: readonly KeyTag[];
  readonly fuel: bigint;
  /** As it stands: `[0]`, `[1, code, function, offset]`, … */
  readonly outcome: List;
  readonly trace: Buffer;
  /** What is asked for, as it stands. */
  readonly request: Buffer;
}

export interface SecondRun {
  readonly kind: "run";
  readonly program: Buffer;
  readonly inputs: readonly (KeyTag & { readonly name: string })[];
  readonly keepGoing: boolean;
  readonly failed: number | undefined;
  readonly outputs: readonly (KeyTag & { readonly name: string })[];
  readonly claims: readonly (Buffer | undefined)[];
}

export function readClaim(encoded: Uint8Array): SecondClaim | SecondRun {
  must(encoded.length <= 67_108_864, "too long");
  const [version, kind, request, result] = list(readItem(encoded), 4);
  must(version === 1n, "another version");
  return uint(kind, 1) === 0 ? nodeClaim(request!, result!) : runClaim(request!, result!);
}

function nodeClaim(request: Item, result: Item): SecondClaim {
  const [version, second, taken, ...versions] = list(request, 6);
  must(version === 1n, "another version");
  const node = nodeOf(second, (refs) => uint(refs, MOST_REFS));
  must(node.opcode !== 0, "the claim of an input");
  const inputs = list(taken).map(keyTag);
  must(inputs.length === node.refs, "another number of inputs");
  const [made, fuel, outcome, trace] = list(result, 4);
  const outputs = list(made).map(keyTag);
  const end = list(outcome);
  checkOutcome(end);
  must(outputs.length === (end[0] === 0n ? node.outputs : 0), "another number of outputs");
  uint(fuel);
  return {
    ...{ kind: "node", node, inputs, outputs, fuel: fuel as bigint, outcome: end },
    ...{
      versions: versions.map((it) => uint(it, 2 ** 32 - 1)),
      trace: bytes(trace, 32, 32),
      request: writeItem(request),
    },
  };
}

function checkOutcome(outcome: List): void {
  switch (uint(outcome[0], 4)) {
    case 1:
      for (const it of list(outcome, 4)) uint(it, 2 ** 32 - 1);
      return;
    case 3:
      must(uint(list(outcome, 2)[1], 2 ** 32 - 1) > 0, "exit code 0");
      return;
    case 4: {
      const code = uint(list(outcome, 3)[1], 6);
      must(code >= 1, "no such failure");
      must((text(outcome[2]) === "") === code <= 2, "a detail too many, or too few");
      return;
    }
    default:
      list(outcome, 1);
  }
}

function named(item: Item): KeyTag & { readonly name: string } {
  const [first, ...rest] = list(item, 3);
  return { name: name(first), ...keyTag(rest) };
}

function runClaim(request: Item, result: Item): SecondRun {
  const [version, program, taken, keep, ...versions] = list(request, 7);
  must(version === 1n, "another version");
  for (const it of versions) uint(it, 2 ** 32 - 1);
  const inputs = list(taken).map(named);
  const [outcome, made, third] = list(result, 3);
  const outputs = list(made).map(named);
  for (const all of [inputs, outputs]) ascending(all.map(({ name }) => name));
  const claims = list(third).map((it) => (it === null ? undefined : key(it)));
  const end = list(outcome);
  let failed: number | undefined;
  if (end[0] === 5n) {
    failed = uint(list(outcome, 2)[1], 2 ** 32 - 1);
    must(claims[failed] !== undefined, "a failed node without a claim");
  } else must(end.length === 1 && end[0] === 0n, "no outcome of a run");
  return { kind: "run", program: key(program), inputs, keepGoing: uint(keep, 1) === 1, failed, outputs, claims };
}

export interface SecondContext {
  readonly claim: Buffer;
  readonly domain: Buffer;
  readonly position: number;
  readonly frame: Buffer;
  readonly logseq: number;
}

export function readContext(encoded: Uint8Array): SecondContext {
  const [version, claim, domain, position, frame, logseq] = list(readItem(encoded), 6);
  must(version === 1n, "another version");
  return {
    ...{ claim: key(claim), domain: bytes(domain, 16, 16), position: uint(position, 2n ** 53n - 1n) },
    ...{ frame: bytes(frame, 32, 32), logseq: uint(logseq, 2n ** 53n - 1n) },
  };
}

/** The seed of what is random for a kernel [PEL-KERNEL-3]. */
export function kernelSeed(claim: SecondClaim): Buffer {
  return sha256(claim.node.own, writeItem(claim.inputs.map(({ key }) => key)));
}

/** The name of a request in the memo [PEL-MEMO-1]. */
export function memoName(claim: SecondClaim): Buffer {
  return sha256(claim.request);
}

// Edges [TGK-EDGE].

export interface SecondEdge {
  readonly from: readonly Buffer[];
  readonly to: readonly Buffer[];
  readonly type: number;
  readonly roles: number;
  readonly id: Buffer;
}

export function readEdge(encoded: Uint8Array): SecondEdge {
  const [version, first, second, type, roles] = list(readItem(encoded), 5);
  must(version === 1n, "another version");
  const [from, to] = [list(first).map(key), list(second).map(key)];
  must(from.length <= 65_535 && to.length <= 65_535 && from.length + to.length >= 1, "ends");
  const rolesBytes = writeItem(BigInt(uint(roles, 255)));
  // The byte 0x83 and the bytes from the third one to before the roles [TGK-EDGE-2].
  const id = sha256(Buffer.of(0x83), encoded.subarray(2, encoded.length - rolesBytes.length));
  return { from, to, type: uint(type, 2 ** 32 - 1), roles: uint(roles, 255), id };
}

// Trace digests, and the calls of primitives [PER-TRACE, PEL-COMPILE].

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

function u64(value: number | bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64LE(BigInt(value));
  return out;
}

/** Trace digest of the calls that a primitive makes. */
class Calls {
  readonly #hash = createHash("sha256").update("ashlar trace 1\n");
  #refs = 0;
  /** What the calls charge [ABI-POLICY-1], and the instructions between them. */
  fuel = 0;

  open(key: Buffer): number {
    this.#event("open", 3000, u32(key.length), small(key), OK, u32(++this.#refs));
    return this.#refs;
  }
  info(ref: number, of: { readonly length: number; readonly tag: Tag }): void {
    const record = [u32(1), u32(of.tag === undefined ? 0 : 1), u32(of.tag ?? 0), u32(0)];
    this.#event("info", 50, u32(ref), u32(0), OK, u64(of.length), ...record);
  }
  read(ref: number, key: Buffer, at: number, length: number, all: number): void {
    const end = [u32(length), u32(at + length === all ? 1 : 0)];
    this.#event(
      "read",
      3000 + Math.floor(length / 16),
      u32(ref),
      u64(at),
      u32(length),
      OK,
      ...end,
      Buffer.of(2, key.length),
      key,
    );
  }
  create(): number {
    this.#event("create", 1000, u32(0), u32(0), OK, u32(++this.#refs));
    return this.#refs;
  }
  write(ref: number, length: number): void {
    this.#event("write", 500 + Math.floor(length / 8), u32(ref), u64(-1), u32(length), Buffer.of(4), OK, u32(length));
  }
  seal(ref: number, key: Buffer): void {
    this.#event("seal", 3000, u32(ref), u32(36), OK, u32(key.length), small(key));
  }
  close(ref: number): void {
    this.#event("close", 100, u32(ref), OK);
  }
  end(): Buffer {
    return this.#hash.digest();
  }
  #event(call: string, price: number, ...pieces: readonly Buffer[]): void {
    this.fuel += price;
    for (const piece of [Buffer.of(call.length + 4), Buffer.from(`asl.${call}`), ...pieces]) this.#hash.update(piece);
  }
}

/** The end of a call that returned with the status OK. */
const OK = Buffer.of(0, 0, 0, 0, 0);

function small(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0), u32(bytes.length), bytes]);
}

export interface Made {
  readonly outputs: readonly Buffer[];
  /** Of a select: which ref. */
  readonly chosen?: number;
  readonly failure?: number;
  readonly trace: Buffer;
  readonly fuel: number;
}

const PIECE = 262_144;

/** What a primitive makes of its inputs [PEL-NODE-3 to 6], and the digest of its calls. */
export function simulate(node: SecondNode, inputs: readonly (KeyTag & { readonly bytes: Uint8Array })[]): Made {
  const calls = new Calls();
  const made: Buffer[] = [];
  const failed = (failure: number, fuel: number): Made => ({
    outputs: [],
    failure,
    trace: calls.end(),
    fuel: calls.fuel + fuel,
  });
  const copy = (ref: number, of: (typeof inputs)[number], from: number, to: number, writer: number): void => {
    for (let at = from; at < to; ) {
      const next = Math.min(to, (Math.floor(at / PIECE) + 1) * PIECE);
      calls.read(ref, of.key, at, next - at, of.bytes.length);
      calls.write(writer, next - at);
      calls.fuel += next % PIECE === 0 ? 45 : 50;
      at = next;
    }
  };
  const keep = (writer: number, bytes: Uint8Array): void => {
    made.push(Buffer.from(bytes));
    calls.seal(writer, multihash(bytes));
    calls.close(writer);
  };
  const whole = (bytes: Uint8Array): void => {
    const writer = calls.create();
    calls.write(writer, bytes.length);
    keep(writer, bytes);
  };
  const begin = (of: (typeof inputs)[number]): number => {
    const ref = calls.open(of.key);
    calls.info(ref, { length: of.bytes.length, tag: of.tag });
    return ref;
  };
  const first = inputs[0]!;
  switch (node.opcode) {
    case 1:
      whole(bytes(node.parameters[0]));
      break;
    case 2: {
      const writer = calls.create();
      for (const input of inputs) {
        const ref = begin(input);
        copy(ref, input, 0, input.bytes.length, writer);
        calls.close(ref);
      }
      keep(writer, Buffer.concat(inputs.map(({ bytes }) => bytes)));
      break;
    }
    case 3: {
      const ref = begin(first);
      const from = uint(node.parameters[0]);
      const length = node.parameters[1];
      const to = length === null ? first.bytes.length : from + uint(length);
      if (from > first.bytes.length || to > first.bytes.length) {
        calls.close(ref);
        return failed(1, from > first.bytes.length ? 29 : 39);
      }
      const writer = calls.create();
      copy(ref, first, from, to, writer);
      calls.close(ref);
      keep(writer, first.bytes.subarray(from, to));
      break;
    }
    case 4:
      calls.close(calls.open(first.key));
      whole(first.key.subarray(-32));
      break;
    case 5:
      calls.close(begin(first));
      whole(u64(first.bytes.length));
      break;
    case 6: {
      const ref = begin(first);
      const isNumber = first.bytes.length >= 1 && first.bytes.length <= 8;
      if (isNumber) calls.read(ref, first.key, 0, first.bytes.length, first.bytes.length);
      calls.close(ref);
      const number = isNumber ? BigInt(`0x${hex(Buffer.from(first.bytes).reverse())}`) : 2n ** 64n;
      if (number >= BigInt(inputs.length - 1)) return failed(2, isNumber ? 51 : 31);
      const chosen = Number(number) + 1;
      return { outputs: [Buffer.from(inputs[chosen]!.bytes)], chosen, trace: calls.end(), fuel: calls.fuel + 50 };
    }
    case 7: {
      const ref = begin(first);
      const ends = [...list(node.parameters[0]).map((it) => uint(it)), first.bytes.length];
      if (ends.some((end) => end > first.bytes.length)) {
        calls.close(ref);
        return failed(1, 30);
      }
      for (const [k, end] of ends.entries()) {
        const writer = calls.create();
        const from = ends[k - 1] ?? 0;
        copy(ref, first, from, end, writer);
        keep(writer, first.bytes.subarray(from, end));
      }
      calls.close(ref);
      break;
    }
    default:
      return refuse("no primitive");
  }
  calls.fuel += [
    0,
    33,
    25 + 46 * inputs.length,
    node.parameters[1] === null ? 66 : 76,
    52,
    58,
    0,
    made.length === 1 ? 87 : 33 + 59 * made.length,
  ][node.opcode]!;
  return { outputs: made, trace: calls.end(), fuel: calls.fuel };
}
