/** The canonical form of a program: any order in which its nodes are given leads to the same one (spec PEL-ORDER). */
import type { ArtifactKey } from "../asl/key.ts";
import { CborWriter } from "../tgk/cbor.ts";
import { type PelCode, PelError, type Report } from "./errors.ts";
import { compareRanges, cycleText, levelsOf } from "./order.ts";
import {
  checkInputs,
  checkMost,
  checkNode,
  checkOutputs,
  checkRef,
  compareNames,
  GUEST_LIMITS,
  type GuestLimits,
  type GuestNode,
  type GuestOutput,
  type Node,
  PROGRAM_LIMITS,
  type Program,
  type ProgramOutput,
  type Ref,
  type Tag,
  writeProgramNode,
} from "./program.ts";

/** What a guest node is made of, in any order, and without what is as it is by default. */
export interface GuestParts {
  readonly module: ArtifactKey;
  readonly entry?: string | undefined;
  readonly args?: readonly string[] | undefined;
  readonly inputs?: readonly (readonly [name: string, ref: Ref])[] | undefined;
  readonly outputs?: readonly { readonly name: string; readonly tag?: Tag }[] | undefined;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  readonly assets?: string | undefined;
  readonly io?: "files" | "artifacts" | undefined;
  readonly limits?: Partial<GuestLimits> | undefined;
}

/** The node, with its names in order and its limits written out. Nothing is checked. */
export function guestNode(parts: GuestParts): GuestNode {
  const inputs = [...(parts.inputs ?? [])].sort(([left], [right]) => compareNames(left, right));
  const outputs: GuestOutput[] = (parts.outputs ?? []).map(({ name, tag }) => ({ name, tag }));
  return {
    op: "guest",
    module: parts.module,
    entry: parts.entry,
    args: [...(parts.args ?? [])],
    inputs: inputs.map(([name]) => name),
    outputs: outputs.sort((left, right) => compareNames(left.name, right.name)),
    stdout: parts.stdout,
    stderr: parts.stderr,
    assets: parts.assets,
    io: parts.io === undefined ? "files" : parts.io,
    limits: { ...GUEST_LIMITS, ...parts.limits },
    refs: inputs.map(([, ref]) => ref),
  };
}

/**
 * The program of these nodes and outputs, whose refs are indices into `nodes`, in whatever order; equal nodes become one. `index` has the
 * canonical index of every given node. Throws a PelError for the first thing that is wrong: pointers are into what was given, with outputs in order.
 */
export function canonicalProgram(
  nodes: readonly Node[],
  outputs: readonly ProgramOutput[],
): { program: Program; index: number[] } {
  const sortedOutputs = outputs.toSorted((left, right) => compareNames(left.name, right.name));
  checkProgram(nodes, sortedOutputs);
  const levels = levelsOf(nodes, (path) => fail("PEL-CYCLE", cycleText(path, String), path[0]!));
  return orderProgram(nodes, sortedOutputs, levels);
}

/** The same of nodes and outputs that are checked, and outputs that are in order. Throws PEL-LIMIT. */
export function orderProgram(
  nodes: readonly Node[],
  outputs: readonly ProgramOutput[],
  levels: Uint32Array,
): { program: Program; index: number[] } {
  /** Of each given node: its canonical index, when its level is done. */
  const index: number[] = new Array(nodes.length).fill(0);
  const made: Node[] = [];
  const writer = new CborWriter(16 * 1024);
  const starts = new Uint32Array(nodes.length);
  const ends = new Uint32Array(nodes.length);
  for (const level of byLevel(levels)) {
    writer.reset();
    for (const node of level) {
      starts[node] = writer.length;
      writeProgramNode(writer, nodes[node]!, index);
      ends[node] = writer.length;
      if (writer.length > PROGRAM_LIMITS.programBytes)
        throw new PelError("PEL-LIMIT", `the program has over ${PROGRAM_LIMITS.programBytes} bytes`, { pointer: "" });
    }
    const bytes = writer.written;
    const compare = (left: number, right: number): number =>
      compareRanges(bytes, starts[left]!, ends[left]!, starts[right]!, ends[right]!);
    level.sort(compare);
    for (const [k, node] of level.entries()) {
      if (k === 0 || compare(level[k - 1]!, node) !== 0) made.push(movedNode(nodes[node]!, index));
      index[node] = made.length - 1;
    }
  }
  const moved = outputs.map(({ name, ref }) => ({ name, ref: movedRef(ref, index) }));
  return { program: { nodes: made, outputs: moved }, index };
}

/** All that can be wrong but cycles. */
function checkProgram(nodes: readonly Node[], outputs: readonly ProgramOutput[]): void {
  const top: Report = (code, message, pointer) => fail(code, message, undefined, pointer);
  checkMost("nodes", nodes.length, "nodes", "/nodes", top);
  for (const [index, node] of nodes.entries()) {
    const report: Report = (code, message, pointer) => fail(code, message, index, pointer);
    checkNode(node, node.refs.length, report);
    for (const [k, ref] of node.refs.entries()) checkRef(nodes[ref.node], ref, `/refs/${k}`, report);
  }
  checkInputs(nodes, fail);
  checkOutputs(outputs, top);
  for (const [k, { ref }] of outputs.entries()) {
    checkRef(nodes[ref.node], ref, `/outputs/${k}/ref`, top);
  }
}

function fail(code: PelCode, message: string, node: number | undefined, pointer = ""): never {
  throw new PelError(code, message, { pointer: node === undefined ? pointer : `/nodes/${node}${pointer}`, node });
}

/** Indices of nodes, level by level; each list may be changed. */
function* byLevel(levels: Uint32Array): Iterable<Uint32Array> {
  let highest = -1;
  for (const level of levels) highest = Math.max(highest, level);
  /** Where each level begins, then where its next node goes. */
  const places = new Uint32Array(highest + 2);
  for (const level of levels) places[level + 1]!++;
  for (let level = 1; level < places.length; level++) places[level]! += places[level - 1]!;
  const nodes = new Uint32Array(levels.length);
  for (const [node, level] of levels.entries()) nodes[places[level]!++] = node;
  for (let level = 0; level <= highest; level++) yield nodes.subarray(places[level - 1] ?? 0, places[level]);
}

function movedNode(node: Node, index: readonly number[]): Node {
  return { ...node, refs: node.refs.map((ref) => movedRef(ref, index)) };
}

function movedRef({ node, output }: Ref, index: readonly number[]): Ref {
  return { node: index[node]!, output };
}
