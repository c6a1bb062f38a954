/**
 * A second decoder of programs, made from spec 30 alone: items of CBOR first, then what they mean, then all that must hold, each in the plainest way.
 * It shares no code with the first one.
 */

type Item = bigint | string | Uint8Array | null | Item[];

class Refused extends Error {}

function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Refused(message);
}

/** One item, and the offset behind it. */
function itemAt(bytes: Uint8Array, at: number, depth = 0): [Item, number] {
  demand(at < bytes.length && depth < 10, "an item");
  const first = bytes[at]!;
  if (first === 0xf6) return [null, at + 1];
  const major = first >> 5;
  demand(major === 0 || major === 2 || major === 3 || major === 4, "a type that programs have");
  const info = first & 31;
  let next = at + 1;
  let value = BigInt(info);
  if (info >= 24) {
    demand(info <= 27, "a definite length");
    const end = next + 2 ** (info - 24);
    demand(end <= bytes.length, "a whole head");
    value = 0n;
    for (; next < end; next++) value = value * 256n + BigInt(bytes[next]!);
    demand(value >= [24n, 256n, 65_536n, 4_294_967_296n][info - 24]!, "the shortest form");
  }
  if (major === 0) return [value, next];
  demand(value <= BigInt(bytes.length - next), "no more than there is");
  if (major === 4) {
    const items: Item[] = [];
    for (let left = value; left > 0n; left--) {
      const [item, end] = itemAt(bytes, next, depth + 1);
      items.push(item);
      next = end;
    }
    return [items, next];
  }
  const end = next + Number(value);
  const content = bytes.slice(next, end);
  if (major === 2) return [content, end];
  try {
    return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content), end];
  } catch {
    throw new Refused("UTF-8");
  }
}

/** The encoding of an item. */
function encode(item: Item): number[] {
  if (item === null) return [0xf6];
  if (typeof item === "bigint") return head(0, item);
  if (typeof item === "string") {
    const text = [...new TextEncoder().encode(item)];
    return [...head(3, BigInt(text.length)), ...text];
  }
  if (item instanceof Uint8Array) return [...head(2, BigInt(item.length)), ...item];
  return [...head(4, BigInt(item.length)), ...item.flatMap(encode)];
}

function head(major: number, value: bigint): number[] {
  const type = major * 32;
  if (value < 24n) return [type + Number(value)];
  const size = value < 256n ? 1 : value < 65_536n ? 2 : value < 4_294_967_296n ? 4 : 8;
  const digits = value.toString(16).padStart(size * 2, "0");
  return [type + 24 + Math.log2(size), ...digits.match(/../g)!.map((pair) => Number.parseInt(pair, 16))];
}

function list(item: Item | undefined, length?: number): Item[] {
  demand(Array.isArray(item) && (length === undefined || item.length === length), "an array");
  return item;
}
function uint(item: Item | undefined, most: bigint): bigint {
  demand(typeof item === "bigint" && item <= most, "an integer");
  return item;
}
function size(item: Item | undefined, most: bigint = 2n ** 53n - 1n): number {
  return Number(uint(item, most));
}
function text(item: Item | undefined): string {
  demand(typeof item === "string", "text");
  return item;
}
function orNull<T>(item: Item | undefined, read: (item: Item | undefined) => T): T | undefined {
  return item === null ? undefined : read(item);
}

function bytesOf(name: string): number[] {
  return [...new TextEncoder().encode(name)];
}

function name(item: Item | undefined): string {
  const value = text(item);
  const bytes = bytesOf(value);
  demand(bytes.length >= 1 && bytes.length <= 255 && value !== "." && value !== "..", "a name");
  for (const character of value) {
    const point = character.codePointAt(0)!;
    demand(point >= 0x20 && (point < 0x7f || point >= 0xa0) && character !== "/", "characters of a name");
  }
  return value;
}
function tag(item: Item | undefined): number | undefined {
  return orNull(item, (value) => size(value, 2n ** 32n - 1n));
}

function less(left: readonly number[], right: readonly number[]): boolean {
  const k = left.findIndex((byte, at) => byte !== right[at]);
  return k < 0 ? left.length < right.length : k < right.length && left[k]! < right[k]!;
}
function demandAscending(names: readonly string[]): void {
  for (let k = 1; k < names.length; k++) demand(less(bytesOf(names[k - 1]!), bytesOf(names[k]!)), "names in order");
}

function ref(item: Item): { node: number; output: number | undefined } {
  const [node, output] = list(item, 2);
  return { node: size(node), output: orNull(output, size) };
}

const ALGORITHMS = { "1220": "sha256", "1620": "sha3-256", "952020": "sha2-512-256", e0e40220: "blake2s-256" };

function key(item: Item | undefined): string {
  demand(item instanceof Uint8Array && item.length > 32, "a multihash");
  const hex = Buffer.from(item).toString("hex");
  const algorithm = ALGORITHMS[hex.slice(0, -64) as keyof typeof ALGORITHMS];
  demand(algorithm !== undefined, "an algorithm");
  return `${algorithm}:${hex.slice(-64)}`;
}

interface PlainNode {
  op: string;
  refs: { node: number; output: number | undefined }[];
  name?: string;
  [member: string]: unknown;
}

function node(item: Item): { node: PlainNode; outputs: number } {
  const [opcode, parameters, given] = list(item, 3);
  const refs = list(given).map(ref);
  demand(refs.length <= 65_534, "refs");
  const arity = (least: number, most = least): void =>
    demand(refs.length >= least && refs.length <= most, "the right number of refs");
  const plain = (op: string, members: object = {}, outputs = 1): { node: PlainNode; outputs: number } => ({
    node: { op, ...members, refs },
    outputs,
  });
  switch (size(opcode)) {
    case 0: {
      const [named, tagged] = list(parameters, 2);
      arity(0);
      return plain("input", { name: name(named), tag: tag(tagged) });
    }
    case 1: {
      const [bytes] = list(parameters, 1);
      demand(bytes instanceof Uint8Array && bytes.length <= 1_048_576, "bytes");
      arity(0);
      return plain("const", { bytes });
    }
    case 2:
      list(parameters, 0);
      arity(1, 65_534);
      return plain("concat");
    case 3: {
      const [offset, length] = list(parameters, 2);
      arity(1);
      return plain("slice", { offset: size(offset), length: orNull(length, size) });
    }
    case 4:
    case 5:
      list(parameters, 0);
      arity(1);
      return plain(opcode === 4n ? "hash" : "length");
    case 6:
      list(parameters, 0);
      arity(2, 65_534);
      return plain("select");
    case 7: {
      const [offsets] = list(parameters, 1);
      const at = list(offsets).map((offset) => size(offset));
      demand(at.length <= 65_533 && at.every((offset, k) => k === 0 || at[k - 1]! <= offset), "ascending offsets");
      arity(1);
      return plain("split", { at }, at.length + 1);
    }
    case 8: {
      const guest = guestOf(list(parameters, 10));
      arity(guest.inputs.length);
      return plain("guest", guest, guest.outputs.length);
    }
    default:
      throw new Refused("an operation");
  }
}

function guestOf(parameters: Item[]): { inputs: string[]; outputs: { name: string }[] } {
  const [module, entry, args, inputs, outputs, stdout, stderr, assets, io, limits] = parameters;
  const guest = {
    module: key(module),
    entry: orNull(entry, text),
    args: list(args).map(text),
    inputs: list(inputs).map(name),
    outputs: list(outputs).map((output) => {
      const [named, tagged] = list(output, 2);
      return { name: name(named), tag: tag(tagged) };
    }),
    stdout: orNull(stdout, text),
    stderr: orNull(stderr, text),
    assets: orNull(assets, text),
    io: size(io, 1n) === 0 ? "files" : "artifacts",
    limits: {},
  };
  demand(guest.entry === undefined || bytesOf(guest.entry).length <= 65_535, "an entry");
  demand(guest.args.length <= 65_535 && !guest.args.some((argument) => argument.includes("\0")), "arguments");
  demand(guest.args.reduce((sum, argument) => sum + bytesOf(argument).length, 0) <= 1_048_576, "bytes of arguments");
  demand(guest.inputs.length <= 65_534 && guest.outputs.length <= 65_534, "inputs and outputs");
  const outputNames = guest.outputs.map((output) => output.name);
  demandAscending(guest.inputs);
  demandAscending(outputNames);
  for (const stream of [guest.stdout, guest.stderr])
    demand(stream === undefined || outputNames.includes(stream), "a stream");
  demand(guest.stdout === undefined || guest.stdout !== guest.stderr, "two streams");
  demand(guest.assets === undefined || guest.inputs.includes(guest.assets), "assets");
  const most = [2n ** 63n - 1n, 65_536n, 10_000_000n, 1_000_000n, 2n ** 24n, 2n ** 31n, 2n ** 31n];
  const [fuel, memoryPages, tableElements, depth, heapObjects, heapBytes, outputBytes] = list(limits, 7).map(
    (limit, k) => uint(limit, most[k]!),
  );
  guest.limits = {
    fuel,
    memoryPages: Number(memoryPages),
    tableElements: Number(tableElements),
    depth: Number(depth),
    heapObjects: Number(heapObjects),
    heapBytes: Number(heapBytes),
    outputBytes: Number(outputBytes),
  };
  return guest;
}

/** The program, as the first decoder gives it; undefined for bytes that are none. */
export function referenceDecode(bytes: Uint8Array): { nodes: PlainNode[]; outputs: unknown[] } | undefined {
  try {
    demand(bytes.length <= 256 * 1024 * 1024, "a size");
    const [top, end] = itemAt(bytes, 0);
    demand(end === bytes.length && Buffer.from(encode(top)).equals(bytes), "nothing else");
    const [version, nodeItems, outputItems] = list(top, 3);
    demand(version === 1n, "a version");
    const items = list(nodeItems);
    demand(items.length <= 1_048_576, "nodes");
    const nodes = items.map(node);
    const demandRef = ({ node: index, output }: { node: number; output: number | undefined }, below: number): void => {
      demand(index < below, "a node that is there");
      const target = nodes[index]!;
      demand(output === undefined ? target.node.op !== "input" : output < target.outputs, "an output that is there");
    };
    const levels: number[] = [];
    for (const [index, { node: made }] of nodes.entries()) {
      for (const each of made.refs) demandRef(each, index);
      levels.push(Math.max(-1, ...made.refs.map((each) => levels[each.node]!)) + 1);
      if (index === 0) continue;
      const [before, level] = [levels[index - 1]!, levels[index]!];
      demand(level > before || (level === before && less(encode(items[index - 1]!), encode(items[index]!))), "order");
    }
    const inputs = nodes.filter(({ node: made }) => made.op === "input").map(({ node: made }) => made.name);
    demand(inputs.length <= 65_534 && new Set(inputs).size === inputs.length, "inputs");
    const outputs = list(outputItems).map((output) => {
      const [named, from] = list(output, 2);
      return { name: name(named), ref: ref(from!) };
    });
    demand(outputs.length >= 1 && outputs.length <= 65_534, "outputs");
    demandAscending(outputs.map((output) => output.name));
    for (const output of outputs) demandRef(output.ref, nodes.length);
    return { nodes: nodes.map(({ node: made }) => made), outputs };
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
