/** Programs and guests for tests of runs: what is right, and everything that can go wrong. */

import { type ArtifactKey, keyBytes } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import { Store, type StoreOptions } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { type GuestOptions, ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { encodeNodeClaim, type NodeClaim, TypeTag, VERSIONS, writeRequest } from "../../../host/pel/claim.ts";
import type { Node, Program } from "../../../host/pel/program.ts";
import { CborWriter } from "../../../host/tgk/cbor.ts";
import { EdgeType, stageEdge } from "../../../host/tgk/edge.ts";
import { loadWat } from "../../../host/wat.ts";
import { alone, randomFrom } from "../asl/stores.ts";

/** A kernel of many exports: each takes `/in/text`, if anything, and makes `/out/text`, if anything. */
export const KERNEL: Uint8Array = await loadWat(`(module
  (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
  (import "fs" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "fs" "close" (func $close (param i64) (result i32)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "random" (func $random (param i64 i32 i32)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 3)
  (data (i32.const 0) "/in/text/out/text/out/other")
  (func $must (param i32) (if (local.get 0) (then unreachable)))
  (func $from (param i32 i32 i32) (result i64) (local i64)
    (call $open (i64.const 0) (call $own) (local.get 0) (local.get 1) (local.get 2)) (local.set 3) (call $must) (local.get 3))
  (func $input (result i64) (call $from (i32.const 0) (i32.const 8) (i32.const 1)))
  (func $output (result i64) (call $from (i32.const 8) (i32.const 9) (i32.const 22)))
  (func $other (result i64) (call $from (i32.const 17) (i32.const 10) (i32.const 22)))
  (func $put (param i64 i64 i32 i32)
    (call $write (local.get 0) (local.get 1) (call $own) (local.get 2) (local.get 3)) drop (call $must))
  (func $end (param i64) (call $must (call $close (local.get 0))))
  ;; Every byte with its lowest bit turned over.
  (func (export "turn") (local $in i64) (local $out i64) (local $at i64) (local $count i32) (local $k i32)
    (local.set $in (call $input))
    (local.set $out (call $output))
    (block $over (loop $more
      (call $read (local.get $in) (local.get $at) (call $own) (i32.const 65536) (i32.const 65536))
      drop (local.set $count) (call $must)
      (br_if $over (i32.eqz (local.get $count)))
      (local.set $k (i32.const 0))
      (loop $next
        (i32.store8 offset=65536 (local.get $k) (i32.xor (i32.load8_u offset=65536 (local.get $k)) (i32.const 1)))
        (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $count))))
      (call $put (local.get $out) (local.get $at) (i32.const 65536) (local.get $count))
      (local.set $at (i64.add (local.get $at) (i64.extend_i32_u (local.get $count))))
      (br $more)))
    (call $end (local.get $out)))
  ;; 16 bytes of what is random for it.
  (func (export "draw") (local $out i64)
    (call $random (call $own) (i32.const 1024) (i32.const 16))
    (local.set $out (call $output))
    (call $put (local.get $out) (i64.const 0) (i32.const 1024) (i32.const 16))
    (call $end (local.get $out)))
  (func (export "twice") (local $out i64)
    (local.set $out (call $output))
    (call $put (local.get $out) (i64.const 0) (i32.const 0) (i32.const 3))
    (call $end (local.get $out))
    (local.set $out (call $output))
    (call $put (local.get $out) (i64.const 0) (i32.const 8) (i32.const 4))
    (call $end (local.get $out)))
  (func (export "say") (call $put (call $stdout) (i64.const -1) (i32.const 0) (i32.const 8)))
  (func (export "nothing"))
  (func (export "stray") (call $end (call $output)) (call $end (call $other)))
  (func (export "trap") (call $end (call $output)) unreachable)
  (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.load (i32.const 2000)))))
  (func (export "leave") (call $end (call $output)) (call $exit (i32.const 3)))
  (func (export "done") (call $end (call $output)) (call $exit (i32.const 0)))
  (func (export "loop") (loop $again (br $again)))
  (func $down (export "deep") (call $down))
  ;; How many pages it had, and whether it got as many as are asked for.
  (func (export "grow") (local $out i64)
    (i32.store (i32.const 1024) (memory.grow (i32.const 60)))
    (local.set $out (call $output))
    (call $put (local.get $out) (i64.const 0) (i32.const 1024) (i32.const 4))
    (call $end (local.get $out)))
  ;; Writes pages until it is told not to.
  (func (export "flood") (local $out i64) (local $at i64)
    (local.set $out (call $output))
    (loop $more
      (call $put (local.get $out) (local.get $at) (i32.const 65536) (i32.const 65536))
      (local.set $at (i64.add (local.get $at) (i64.const 65536)))
      (br $more))))`);

/** What a kernel of {@link KERNEL} does to its input. */
export function turned(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => byte ^ 1));
}

/** A guest node that calls one export of the kernel. */
export function kernel(
  builder: ProgramBuilder,
  module: ArtifactKey,
  entry: string,
  text: Value | undefined,
  more: Partial<GuestOptions> = {},
): Value {
  const inputs: GuestOptions["inputs"] = text === undefined ? {} : { text };
  const guest = builder.guest({ module, entry, inputs, outputs: ["text"], ...more });
  return guest.output("text");
}

/** Something of everything: texts are turned, by a guest if there is one, joined, cut, measured and chosen from. */
export function mixed(module: ArtifactKey | undefined, count = 3): Program {
  const builder = new ProgramBuilder();
  const texts = Array.from({ length: count }, (_, k) => builder.input(`text ${k}`));
  const guests = texts.map((text) =>
    module === undefined ? builder.slice(text, 2) : kernel(builder, module, "turn", text),
  );
  const all = builder.concat([...guests, builder.const("the end")]);
  const [head, tail] = builder.split(all, [5]) as [Value, Value];
  const chosen = builder.select(builder.const(Uint8Array.of(1)), [head, tail, all]);
  const sum = builder.hash(builder.concat([chosen, guests[0]!.receipt]));
  return builder
    .output("all", all)
    .output("tail", builder.slice(chosen, 1, 4))
    .output("sum", sum)
    .output("size", builder.length(all))
    .output("receipt", guests[0]!.receipt)
    .build();
}

let stores = 0;

/** A store in memory, as stores are by default. */
export function openStore(volume: Volume = new MemoryVolume(), options: StoreOptions = {}): Store {
  return Store.openSync(
    "",
    { create: options.readOnly !== true, ...options },
    { volume, owners: alone(), random: randomFrom(++stores), background: false },
  );
}

/** Puts the kernel and some texts; answers the inputs of {@link mixed}. */
export async function putTexts(
  store: Store,
  count = 3,
): Promise<{ readonly module: ArtifactKey; readonly inputs: { readonly [name: string]: ArtifactKey } }> {
  const module = await store.put(KERNEL);
  const inputs: { [name: string]: ArtifactKey } = {};
  for (let k = 0; k < count; k++) inputs[`text ${k}`] = await store.put(Buffer.from(`text number ${k}, the first one`));
  return { module, inputs };
}

/** Stores the claim of a node as if it had been run, true or not: with an edge, and remembered. */
export function putClaim(store: Store, claim: NodeClaim, { hasEdge = true }: { hasEdge?: boolean } = {}): ArtifactKey {
  const taken = claim.node.op === "guest" ? [...claim.inputs, { key: claim.node.module }] : claim.inputs;
  const from = taken.map(({ key }) => key);
  const logseq = 1 + Math.max(0, ...from.map((key) => store.stat(key)?.records[0]?.logseq ?? 0));
  const batch = store.batch();
  const key = batch.put(encodeNodeClaim(claim), { typeTag: TypeTag.CLAIM, logseq });
  const to = [key, ...claim.outputs.map(({ key }) => key)];
  if (hasEdge) stageEdge(batch, { from, to, type: EdgeType.EXECUTION, roles: 0 }, { logseq });
  const request = new CborWriter();
  const inputs = claim.inputs.map(({ key, tag }) => ({ key: keyBytes(key), tag }));
  writeRequest(request, claim.node, inputs, claim);
  batch.bind(Namespace.MEMO, digestOf(request.written), key, { logseq });
  batch.commit();
  return key;
}

/** The claim of a primitive, all but what came of it. */
export function claimOf(node: Node, inputs: readonly ArtifactKey[], outputs: readonly ArtifactKey[]): NodeClaim {
  return {
    kind: "node",
    node: { ...node, refs: inputs.map(() => ({ node: 0, output: 0 })) },
    inputs: inputs.map((key) => ({ key, tag: undefined })),
    outputs: outputs.map((key) => ({ key, tag: undefined })),
    ...VERSIONS,
    fuel: 100n,
    outcome: { type: "ok" },
    trace: new Uint8Array(32),
  };
}
