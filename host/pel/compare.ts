/** In what a receipt differs from the one that a run has left (spec PER-VERIFY-3). */
import type { ArtifactKey, Store, View } from "../asl/index.ts";
import { CborWriter } from "../tgk/cbor.ts";
import { type ArtifactRef, encodedRef, type NodeClaim, outcomeText, type RunClaim, writeRequest } from "./claim.ts";
import { type Finding, findingOf, type Told } from "./findings.ts";
import type { Program } from "./program.ts";
import { checkStopped, readReceipt } from "./provenance.ts";
import type { NodeReceipt, RunReceipt } from "./rerun.ts";
import type { RunResult } from "./run.ts";

/** Bytes of two artifacts that are compared at once. */
const PIECE_BYTES = 1024 * 1024;

/** The first of what a run's receipt says that is not so, one of its nodes before all else. */
export async function compareRuns(
  view: View,
  scratch: Store,
  { key: receipt, claim }: RunReceipt,
  program: Program,
  result: RunResult,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const count = Math.max(claim.claims.length, result.nodes.length);
  for (let node = 0; node < count; node++) {
    const recorded = claim.claims[node];
    const actual = result.nodes[node]?.claim;
    if (recorded === actual) continue;
    const { op } = program.nodes[node] ?? {};
    const about = { receipt, node, op } as const;
    const differs = (message: string): Finding =>
      findingOf({
        ...about,
        type: "differs",
        field: "claims",
        recorded: recorded ?? "none",
        actual: actual ?? "none",
        message,
      });
    if (op === undefined) return differs(`it has a receipt of node ${node}, and its program has ${count} nodes`);
    if (recorded === undefined) return differs(`it has no receipt of node ${node}, which was run`);
    if (actual === undefined) return differs(`it has a receipt of node ${node}, which is not run`);
    const read = readReceipt(view, recorded);
    if (read.claim?.kind !== "node")
      return differs(
        `the receipt of node ${node} is another one, and cannot be read: ${read.problem === undefined ? "it is that of a run" : read.message}`,
      );
    const made = madeClaim(scratch, actual);
    const finding = await compareNodes(view, scratch, { key: recorded, claim: read.claim }, made, signal);
    return { ...finding, ...about };
  }
  const made = readReceipt(scratch, result.claim).claim as RunClaim;
  const differs = (finding: Omit<Told, "receipt" | "type">): Finding =>
    findingOf({ type: "differs", receipt, ...finding });
  if (claim.failed !== made.failed)
    return differs({
      field: "outcome",
      recorded: failureText(claim.failed),
      actual: failureText(made.failed),
      message: `it says ${failureText(claim.failed)}: it was ${failureText(made.failed)}`,
    });
  const outputs = compareRefs(claim.outputs, made.outputs, (index) => claim.outputs[index]?.name);
  if (outputs !== undefined) return differs(outputs);
  const given = compareRefs(claim.inputs, made.inputs, (index) => claim.inputs[index]?.name);
  if (given !== undefined) return differs({ ...given, field: "inputs", output: undefined });
  return differs({
    field: "receipt",
    recorded: receipt,
    actual: result.claim,
    message: "it is not the receipt of its run, though all that can be read in it is the same",
  });
}

function failureText(failed: number | undefined): string {
  return failed === undefined ? "successful" : `failed at node ${failed}`;
}

/** The first of what a node's receipt says that is not so. */
export async function compareNodes(
  view: View,
  scratch: Store,
  { key: receipt, claim: recorded }: Omit<NodeReceipt, "bytes">,
  actual: NodeClaim | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const about = { receipt, op: recorded.node.op } as const;
  const differs = (finding: Omit<Told, "receipt" | "type">): Finding =>
    findingOf({ ...about, type: "differs", ...finding });
  if (actual === undefined) return differs({ field: "receipt", message: "its node does not run at all" });
  // Of another node, or of other inputs: in the receipt of a run only.
  if (!requestOf(recorded).equals(requestOf(actual)))
    return differs({ field: "request", message: "it is a receipt of something else" });
  if (outcomeText(recorded.outcome) !== outcomeText(actual.outcome))
    return differs({
      field: "outcome",
      recorded: outcomeText(recorded.outcome),
      actual: outcomeText(actual.outcome),
      message: `it says that its node ended with ${outcomeText(recorded.outcome)}: that was ${outcomeText(actual.outcome)}`,
    });
  const nameOf = (index: number): string | undefined =>
    recorded.node.op === "guest" ? recorded.node.outputs[index]?.name : undefined;
  const outputs = compareRefs(recorded.outputs, actual.outputs, nameOf);
  if (outputs !== undefined) {
    const { index } = outputs.output ?? {};
    const left = index === undefined ? undefined : recorded.outputs[index];
    const right = index === undefined ? undefined : actual.outputs[index];
    if (outputs.field !== "outputs" || left === undefined || right === undefined) return differs(outputs);
    if (!view.has(left.key))
      return differs({ ...outputs, message: `${outputs.message}, and the store lacks what the receipt names` });
    const offset = await firstDifference(view, left.key, scratch, right.key, signal);
    return differs({ ...outputs, offset, message: `${outputs.message}: byte ${offset} is the first that differs` });
  }
  if (recorded.fuel !== actual.fuel)
    return differs({
      field: "fuel",
      recorded: String(recorded.fuel),
      actual: String(actual.fuel),
      message: `it says that ${recorded.fuel} units of fuel were used: that were ${actual.fuel}`,
    });
  const [recordedTrace, actualTrace] = [recorded.trace, actual.trace].map((trace) =>
    Buffer.from(trace).toString("hex"),
  );
  return differs({
    field: "trace",
    recorded: recordedTrace!,
    actual: actualTrace!,
    message: "it has another digest of what passed between guest and host",
  });
}

function requestOf(claim: NodeClaim): Buffer {
  const writer = new CborWriter();
  writeRequest(writer, claim.node, claim.inputs.map(encodedRef), claim);
  return Buffer.from(writer.written);
}

/** How two lists differ. */
function compareRefs(
  recorded: readonly ArtifactRef[],
  actual: readonly ArtifactRef[],
  nameOf: (index: number) => string | undefined,
): Pick<Told, "field" | "output" | "recorded" | "actual" | "message"> | undefined {
  const count = Math.max(recorded.length, actual.length);
  for (let index = 0; index < count; index++) {
    const left = refText(recorded[index]);
    const right = refText(actual[index]);
    if (left === right) continue;
    const name = nameOf(index);
    const which = `output ${name === undefined ? index : JSON.stringify(name)}`;
    const output = { index, name };
    const told = { output, recorded: left, actual: right };
    if (recorded.length !== actual.length)
      return { ...told, field: "outputs", message: `it has ${recorded.length} outputs: there are ${actual.length}` };
    if (recorded[index]!.key === actual[index]!.key && nameIn(recorded[index]!) === nameIn(actual[index]!))
      return { ...told, field: "tag", message: `it says ${left} of ${which}: that is ${right}` };
    if (listOf(recorded.map(refText).sort()) === listOf(actual.map(refText).sort()))
      return { ...told, field: "order", message: `its outputs are in another order, from ${which} on` };
    return { ...told, field: "outputs", message: `it says ${left} of ${which}: that is ${right}` };
  }
  return undefined;
}

/** An artifact with its tag, and its name if it has one. */
export function refText(ref: (ArtifactRef & { readonly name?: string }) | undefined): string {
  if (ref === undefined) return "none";
  const name = nameIn(ref);
  return `${name === undefined ? "" : `${JSON.stringify(name)} `}${ref.key}${ref.tag === undefined ? "" : ` with tag ${ref.tag}`}`;
}

function nameIn(ref: ArtifactRef & { readonly name?: string }): string | undefined {
  return ref.name;
}

export function listOf(texts: readonly string[]): string {
  return texts.join(", ");
}

/** Offset of the first byte in which two artifacts differ: the length of the shorter one if that is all of it. */
async function firstDifference(
  view: View,
  key: ArtifactKey,
  scratch: Store,
  other: ArtifactKey,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (let offset = 0; ; offset += PIECE_BYTES) {
    checkStopped(signal);
    const left = view.read(key, offset, PIECE_BYTES)!;
    const right = scratch.read(other, offset, PIECE_BYTES)!;
    const length = Math.min(left.length, right.length);
    for (let k = 0; k < length; k++) if (left[k] !== right[k]) return offset + k;
    if (left.length !== right.length || length < PIECE_BYTES) return offset + length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function madeClaim(scratch: Store, key: ArtifactKey | undefined): NodeClaim | undefined {
  return key === undefined ? undefined : (readReceipt(scratch, key).claim as NodeClaim);
}
