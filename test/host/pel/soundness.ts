/** What holds in every store that programs run in, whatever happened to it: what is named is there, and is what its name says. */

import { type ArtifactKey, keyBytes } from "../../../host/asl/key.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import type { Store } from "../../../host/asl/store.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { decodeClaim, decodeContext, type NodeClaim, TypeTag, writeRequest } from "../../../host/pel/claim.ts";
import { decodeProgram } from "../../../host/pel/program.ts";
import { CborWriter } from "../../../host/tgk/cbor.ts";
import { decodeEdge, EDGE_TAG, EdgeType, edgeId } from "../../../host/tgk/edge.ts";
import { openGraph } from "../../../host/tgk/graph.ts";

/** Counts of what was looked at. */
export interface Sound {
  nodes: number;
  runs: number;
  memo: number;
  edges: number;
  contexts: number;
}

/** Throws for the first thing that is not as it has to be. */
export function checkSound(store: Store): Sound {
  const counts: Sound = { nodes: 0, runs: 0, memo: 0, edges: 0, contexts: 0 };
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const fail = (message: string): never => {
    throw new Error(message);
  };
  const expected = new Set<string>();
  const expect = (key: ArtifactKey, tag: number | undefined, what: string): void => {
    if (expected.has(`${key} ${tag}`)) return;
    expected.add(`${key} ${tag}`);
    const stat = store.stat(key) ?? fail(`${what} ${key} is not there`);
    if (!stat.records.some(({ typeTag }) => typeTag === tag)) fail(`${what} ${key} has no tag ${tag}`);
    // Held against its digest.
    if (store.get(key) === undefined) fail(`${what} ${key} cannot be read`);
  };
  const bound = new Map<number, Map<string, ArtifactKey>>();
  for (const { namespace, name, key } of store.bindings()) {
    const names = bound.get(namespace) ?? new Map<string, ArtifactKey>();
    bound.set(namespace, names.set(hex(name), key));
    if (!store.has(key)) fail(`binding ${hex(name)} of namespace ${namespace} names ${key}, which is not there`);
  }
  const boundTo = (namespace: number, name: Uint8Array): ArtifactKey | undefined =>
    bound.get(namespace)?.get(hex(name));

  const claims = new Set<ArtifactKey>();
  const ends = new Map<ArtifactKey, { from: Set<string>; to: Set<string> }>();
  const ofExecution = new Set<ArtifactKey>();
  const ofRun = new Set<ArtifactKey>();
  for (const [name, key] of bound.get(Namespace.EDGE) ?? []) {
    expect(key, EDGE_TAG, "edge");
    const edge = decodeEdge(store.get(key)!);
    if (hex(edgeId(edge)) !== name) fail(`edge ${key} has another name`);
    for (const side of ["from", "to"] as const)
      for (const end of edge[side]) {
        if (!store.has(end)) fail(`an end of edge ${key}, ${end}, is gone`);
        if (!ends.has(end)) ends.set(end, { from: new Set(), to: new Set() });
        ends.get(end)![side].add(name);
      }
    if (edge.type === EdgeType.EXECUTION) ofExecution.add(edge.to[0]!);
    if (edge.type === EdgeType.RUN) ofRun.add(edge.to[0]!);
    counts.edges++;
  }
  for (const { key, records } of store.list()) {
    if (!records.some(({ typeTag }) => typeTag === TypeTag.CLAIM)) continue;
    claims.add(key);
    const claim = decodeClaim(store.get(key)!);
    const context = boundTo(Namespace.CONTEXT, keyBytes(key).subarray(-32)) ?? fail(`claim ${key} has no context`);
    expect(context, TypeTag.CONTEXT, "context");
    if (decodeContext(store.get(context)!).claim !== key) fail(`the context of ${key} is another one's`);
    counts.contexts++;
    for (const { key: output, tag } of claim.outputs) expect(output, tag, `output of ${key}:`);
    for (const { key: input, tag } of claim.inputs) expect(input, tag, `input of ${key}:`);
    if (claim.kind === "node") {
      counts.nodes++;
      if (!ofExecution.has(key)) fail(`node claim ${key} has no edge`);
      if (boundTo(Namespace.MEMO, digestOf(requestOf(claim))) === undefined) fail(`${key} is not remembered`);
    } else {
      counts.runs++;
      if (!ofRun.has(key)) fail(`run claim ${key} has no edge`);
      expect(claim.program, TypeTag.PROGRAM, "program");
      decodeProgram(store.get(claim.program)!);
      for (const node of claim.claims) if (node !== undefined) expect(node, TypeTag.CLAIM, `claim of ${key}:`);
      if (boundTo(Namespace.RUN, digestOf(keyBytes(claim.program))) === undefined) fail(`no last run of ${key}`);
    }
  }
  for (const [name, key] of bound.get(Namespace.MEMO) ?? []) {
    if (!claims.has(key)) fail(`what is remembered as ${name}, ${key}, is no claim`);
    const claim = decodeClaim(store.get(key)!);
    if (claim.kind !== "node" || hex(digestOf(requestOf(claim))) !== name) fail(`${name} is remembered as another's`);
    counts.memo++;
  }
  for (const key of bound.get(Namespace.RUN)?.values() ?? [])
    if (!claims.has(key)) fail(`the last run ${key} is no claim`);
  const graph = openGraph(store);
  for (const [end, sides] of ends)
    for (const side of ["from", "to"] as const) {
      const found = Array.from(graph.edgesOf(end, side), ({ id }) => hex(id));
      if (found.join() !== [...sides[side]].sort().join()) fail(`the graph knows other edges ${side} ${end}`);
    }
  graph.close();
  for (const key of bound.get(Namespace.MODULE)?.values() ?? []) expect(key, TypeTag.MODULE, "module");
  return counts;
}

function requestOf(claim: NodeClaim): Uint8Array {
  const writer = new CborWriter();
  const inputs = claim.inputs.map(({ key, tag }) => ({ key: keyBytes(key), tag }));
  writeRequest(writer, claim.node, inputs, claim);
  return writer.take();
}
