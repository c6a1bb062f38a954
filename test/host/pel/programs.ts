/** Programs to test with. */
import fc from "fast-check";
import { keyText } from "../../../host/asl/key.ts";
import { guestNode } from "../../../host/pel/canonical.ts";
import { type Node, outputCount, type ProgramOutput, type Ref } from "../../../host/pel/program.ts";

/** Nodes in an order in which refs are to earlier ones, and outputs: not canonical. */
export interface Draft {
  readonly nodes: readonly Node[];
  readonly outputs: readonly ProgramOutput[];
}

export const MODULE = keyText(1, new Uint8Array(32).fill(0xab));

const name = fc.oneof(
  fc.string({
    minLength: 1,
    maxLength: 8,
    unit: fc.constantFrom("a", "b", ".", "-", "é", "字", "\u{1f600}", "\uffee"),
  }),
  fc.constantFrom("receipt", "0", "__proto__", "constructor", "node", " "),
);
export const fileName = name.filter((text) => text !== "." && text !== "..");
const tag = fc.option(fc.nat(0xffff_ffff), { nil: undefined });
const size = fc.oneof(fc.nat(40), fc.maxSafeNat());

/** What a node is made of: numbers choose what its refs name. */
const seed = fc.oneof(
  fc.record({ op: fc.constant("input" as const), name: fileName, tag }),
  fc.record({ op: fc.constant("const" as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
  fc.record({
    op: fc.constantFrom("concat" as const, "select" as const),
    picks: fc.array(fc.nat(), { maxLength: 30 }),
  }),
  fc.record({ op: fc.constantFrom("hash" as const, "length" as const), pick: fc.nat() }),
  fc.record({
    op: fc.constant("slice" as const),
    offset: size,
    length: fc.option(size, { nil: undefined }),
    pick: fc.nat(),
  }),
  fc.record({ op: fc.constant("split" as const), at: fc.array(size, { maxLength: 4 }), pick: fc.nat() }),
  fc.record({
    op: fc.constant("guest" as const),
    entry: fc.option(fc.string(), { nil: undefined }),
    args: fc.array(fc.string({ unit: fc.constantFrom("a", " ", "é", "\n", "\uffee") }), { maxLength: 3 }),
    inputs: fc.uniqueArray(fileName, { maxLength: 3 }),
    outputs: fc.uniqueArray(fc.record({ name: fileName, tag }), { maxLength: 4, selector: (output) => output.name }),
    streams: fc.nat(8),
    io: fc.constantFrom("files" as const, "artifacts" as const),
    limits: fc.record({ fuel: fc.bigInt(0n, 2n ** 63n - 1n), depth: fc.nat(1_000_000) }, { requiredKeys: [] }),
    picks: fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
  }),
);
type Seed = typeof seed extends fc.Arbitrary<infer T> ? T : never;

/** A valid program whose nodes are as `seeds` say. */
function draftOf(seeds: readonly Seed[], ends: readonly { name: string; pick: number }[]): Draft {
  const nodes: Node[] = [{ op: "const", bytes: new Uint8Array(), refs: [] }];
  const inputs = new Set<string>();
  const ref = (pick: number): Ref => {
    const node = pick % nodes.length;
    const target = nodes[node]!;
    const count = outputCount(target);
    const output = Math.floor(pick / nodes.length) % (count + 1);
    if (output < count) return { node, output };
    return target.op === "input" ? { node, output: 0 } : { node, output: undefined };
  };
  for (const each of seeds) {
    switch (each.op) {
      case "input":
        if (!inputs.has(each.name)) nodes.push({ ...each, refs: [] });
        inputs.add(each.name);
        break;
      case "const":
        nodes.push({ ...each, refs: [] });
        break;
      case "concat":
      case "select":
        nodes.push({ op: each.op, refs: [0, 0, ...each.picks].map(ref) });
        break;
      case "guest": {
        const { inputs: names, outputs, streams, picks, ...rest } = each;
        const stdout = streams > 4 ? outputs[0]?.name : undefined;
        const stderr = streams > 6 ? outputs[1]?.name : undefined;
        nodes.push(
          guestNode({
            ...rest,
            module: MODULE,
            inputs: names.map((input, k) => [input, ref(picks[k]!)]),
            outputs,
            stdout,
            stderr,
            assets: streams % 2 === 0 ? names[0] : undefined,
          }),
        );
        break;
      }
      case "split":
        nodes.push({ op: "split", at: each.at.toSorted((left, right) => left - right), refs: [ref(each.pick)] });
        break;
      case "slice":
        nodes.push({ op: "slice", offset: each.offset, length: each.length, refs: [ref(each.pick)] });
        break;
      default:
        nodes.push({ op: each.op, refs: [ref(each.pick)] });
    }
  }
  return { nodes, outputs: ends.map((end) => ({ name: end.name, ref: ref(end.pick) })) };
}

/** Any valid program. */
export const draft: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.array(seed, { maxLength: 25 }),
    fc.uniqueArray(fc.record({ name: fileName, pick: fc.nat() }), {
      minLength: 1,
      maxLength: 5,
      selector: (end) => end.name,
    }),
  )
  .map(([seeds, ends]) => draftOf(seeds, ends));

/** The same program with its nodes in another order: node k goes to `order[k]`. */
export function shuffled({ nodes, outputs }: Draft, order: readonly number[]): Draft {
  const moved = (ref: Ref): Ref => ({ ...ref, node: order[ref.node]! });
  const out: Node[] = [];
  for (const [k, node] of nodes.entries()) out[order[k]!] = { ...node, refs: node.refs.map(moved) };
  return { nodes: out, outputs: outputs.map(({ name: output, ref }) => ({ name: output, ref: moved(ref) })) };
}

/** A program with a node of every operation. */
export const EVERY_OP: Draft = draftOf(
  [
    { op: "input", name: "text", tag: 7 },
    { op: "input", name: "pack", tag: undefined },
    { op: "const", bytes: Uint8Array.of(1, 2, 3) },
    { op: "concat", picks: [1, 2, 3] },
    { op: "slice", offset: 1, length: 300, pick: 4 },
    { op: "slice", offset: 70_000, length: undefined, pick: 4 },
    { op: "hash", pick: 5 },
    { op: "length", pick: 6 },
    { op: "select", picks: [1, 2] },
    { op: "split", at: [0, 5, 5, 4_294_967_296], pick: 7 },
    {
      op: "guest",
      entry: "main",
      args: ["-n", "é"],
      inputs: ["b.txt", "a.pa"],
      outputs: [
        { name: "out", tag: 0 },
        { name: "é", tag: undefined },
        { name: "err", tag: undefined },
      ],
      streams: 8,
      io: "files",
      limits: {},
      picks: [9, 1, 0],
    },
  ],
  [
    { name: "digest", pick: 7 },
    { name: "all", pick: 11 },
  ],
);
