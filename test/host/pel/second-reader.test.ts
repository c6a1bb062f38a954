/** What runs leave is what chapters 30 to 33 say: read, and computed again, by a reader that knows nothing else. */
import t, { type Test } from "tap";
import { type ArtifactKey, keyBytes, keyText } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Store } from "../../../host/asl/store.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { decodeClaim, decodeContext } from "../../../host/pel/claim.ts";
import { decodeProgram } from "../../../host/pel/program.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { decodeEdge, stageEdge } from "../../../host/tgk/edge.ts";
import { keepGraph } from "../../../host/tgk/graph.ts";
import { randomFrom } from "../asl/stores.ts";
import { kernel, mixed, openStore, putTexts } from "./runs.ts";
import {
  hex,
  kernelSeed,
  memoName,
  multihash,
  readClaim,
  readContext,
  readEdge,
  readItem,
  readProgram,
  type SecondClaim,
  type SecondRun,
  sha256,
  simulate,
  writeItem,
} from "./second-reader.ts";
import { type IndexedEdge, readManifest, readSegment } from "./second-reader-index.ts";

const [PROGRAM, MODULE, CLAIM, CONTEXT, EDGE] = [0x0101, 0x0102, 0x0103, 0x0104, 0x0201];
const [MEMO, EDGES, RUNS, CONTEXTS, MODULES] = [3, 4, 5, 6, 7];

function keyOf(multihash: Uint8Array): ArtifactKey {
  return keyText(1, multihash.subarray(-32));
}

interface Placed {
  readonly logseq: number;
  /** Of the frame. */
  readonly frame: string;
  readonly position: number;
}

/** Where in the log artifacts were put (by `key tag`) and names bound (by `namespace name`), the latest; and frames' hashes. */
function placesOf(store: Store): {
  puts: Map<string, Placed>;
  bindings: Map<string, Placed>;
  frames: Map<number, string>;
} {
  const [puts, bindings, frames] = [new Map<string, Placed>(), new Map<string, Placed>(), new Map<number, string>()];
  for (const { position, payload, hash, logseq } of store.log()) {
    const placed = { logseq: Number(logseq), frame: hex(hash), position: Number(position) };
    frames.set(Number(position), placed.frame);
    if (payload.kind === "binding") bindings.set(`${payload.namespace} ${hex(payload.name)}`, placed);
    if (payload.kind === "put") puts.set(`${hex(payload.digest)} ${payload.typeTag}`, placed);
  }
  return { puts, bindings, frames };
}

/** Holds all that a store has of programs against the specs. */
class Checked {
  readonly claims = new Map<string, SecondClaim>();
  readonly runs: [Buffer, SecondRun][] = [];
  readonly #t: Test;
  readonly #store: Store;
  readonly #places: ReturnType<typeof placesOf>;

  constructor(t: Test, store: Store) {
    this.#t = t;
    this.#store = store;
    this.#places = placesOf(store);
    for (const { key, records } of store.list()) {
      for (const { typeTag } of records) {
        const bytes = store.get(key)!;
        if (typeTag === CLAIM) {
          const claim = readClaim(bytes);
          if (claim.kind === "run") this.runs.push([multihash(bytes), claim]);
          else this.claims.set(hex(multihash(bytes)), claim);
        }
        if ([PROGRAM, CLAIM, CONTEXT, EDGE].includes(typeTag!))
          t.equal(hex(writeItem(readItem(bytes))), hex(bytes), "there is one encoding");
      }
    }
    for (const [key, claim] of this.claims) this.#checkNode(Buffer.from(key, "hex"), claim);
    for (const [key, claim] of this.runs) this.#checkRun(key, claim);
  }

  #bound(
    namespace: number,
    name: Uint8Array,
  ): { readonly bytes: Uint8Array; readonly key: Buffer; readonly placed: Placed } {
    const key = this.#store.resolve(namespace, name);
    if (key === undefined) throw new Error(`nothing is bound to ${namespace} ${hex(name)}`);
    const placed = this.#places.bindings.get(`${namespace} ${hex(name)}`)!;
    return { bytes: this.#store.get(key)!, key: Buffer.from(keyBytes(key)), placed };
  }

  #put(multihash: Uint8Array, tag: number | undefined): Placed {
    const placed = this.#places.puts.get(`${hex(multihash.subarray(-32))} ${tag}`);
    if (placed === undefined) throw new Error(`${hex(multihash)} was never put with ${tag}`);
    return placed;
  }

  /** Context and edge of a claim, which came with it in one frame and have the logseq. */
  #checkLeft(claim: Buffer, logseq: number, from: readonly Buffer[], to: readonly Buffer[], type: number): void {
    const t = this.#t;
    const put = this.#put(claim, CLAIM);
    const left = this.#bound(CONTEXTS, claim.subarray(-32));
    const context = readContext(left.bytes);
    t.equal(hex(context.claim), hex(claim));
    t.equal(hex(context.domain), hex(this.#store.domain));
    t.equal(hex(context.frame), this.#places.frames.get(context.position), "the frame that ends there");
    t.equal(context.logseq, logseq);
    const ends = [from, [claim, ...to], BigInt(type)] as const;
    const edge = this.#bound(EDGES, sha256(writeItem(ends)));
    t.equal(hex(edge.bytes), hex(writeItem([1n, ...ends, 0n])));
    t.equal(hex(readEdge(edge.bytes).id), hex(sha256(writeItem(ends))));
    for (const placed of [put, left.placed, edge.placed, this.#put(edge.key, EDGE), this.#put(left.key, CONTEXT)])
      t.match(placed, { logseq, frame: put.frame }, "all in one frame, with one logseq");
  }

  #checkNode(key: Buffer, claim: SecondClaim): void {
    const t = this.#t;
    const memo = this.#bound(MEMO, memoName(claim));
    t.equal(hex(memo.key), hex(key), "it is remembered by what it was asked for");
    t.same(claim.versions, [1, 1, 1]);
    const taken = claim.inputs.map(({ key }) => key);
    if (claim.node.opcode === 8) taken.push(Buffer.from(claim.node.parameters[0] as Uint8Array));
    const logseq = 1 + claim.inputs.reduce((most, it) => Math.max(most, this.#put(it.key, it.tag).logseq), 0);
    const outputs = claim.outputs.map(({ key }) => key);
    if (claim.node.opcode !== 8) this.#checkLeft(key, logseq, taken, outputs, 1);
    else this.#checkLeft(key, this.#put(key, CLAIM).logseq, taken, outputs, 1);
    for (const { key, tag } of claim.outputs) t.ok(this.#put(key, tag).frame, "the output is there");
    if (claim.node.opcode !== 8) {
      const inputs = claim.inputs.map((it) => ({ ...it, bytes: this.#store.get(keyOf(it.key))! }));
      const made = simulate(claim.node, inputs);
      t.same(claim.outcome, made.failure === undefined ? [0n] : [4n, BigInt(made.failure), ""]);
      t.same(outputs, made.outputs.map(multihash));
      if (made.chosen !== undefined) t.equal(claim.outputs[0]!.tag, claim.inputs[made.chosen]!.tag);
      t.equal(hex(claim.trace), hex(made.trace), `the calls of opcode ${claim.node.opcode}`);
      t.equal(claim.fuel, BigInt(made.fuel), `the fuel of opcode ${claim.node.opcode}`);
    } else if (claim.node.parameters[1] === "draw") {
      const block = sha256(kernelSeed(claim), Buffer.alloc(8));
      t.equal(hex(this.#store.get(keyOf(outputs[0]!))!), hex(block.subarray(0, 16)), "what is random is from the seed");
    }
  }

  #checkRun(key: Buffer, run: SecondRun): void {
    const t = this.#t;
    const bytes = this.#store.get(keyOf(run.program))!;
    const program = readProgram(bytes);
    t.equal(hex(this.#bound(RUNS, sha256(run.program)).key), hex(key), "the last run of the program");
    const outputs = run.outputs.map(({ key }) => key);
    const logseq = this.#put(key, CLAIM).logseq;
    this.#checkLeft(key, logseq, [run.program, ...run.inputs.map(({ key }) => key)], outputs, 2);
    const { bytes: module, key: moduleKey } = this.#bound(MODULES, sha256(run.program, Buffer.of(1)));
    t.ok(this.#put(moduleKey, MODULE));
    this.#checkModule(module, program);

    // What each node has made, as refs find it.
    t.equal(run.claims.length, program.nodes.length);
    const made: (readonly { readonly key: Buffer; readonly tag: number | undefined }[] | undefined)[] = [];
    const refTo = ({ node, output }: { readonly node: number; readonly output: number | undefined }) =>
      output !== undefined ? made[node]?.[output] : run.claims[node] && { key: run.claims[node], tag: CLAIM };
    for (const [k, node] of program.nodes.entries()) {
      const claimKey = run.claims[k];
      if (node.opcode === 0) {
        t.equal(claimKey, undefined, "an input has no claim");
        const input = run.inputs.find(({ name }) => name === node.parameters[0])!;
        t.equal(input.tag, node.parameters[1] === null ? undefined : Number(node.parameters[1]));
        made.push([{ key: input.key, tag: input.tag }]);
      } else if (claimKey === undefined) {
        const isBehind = !run.keepGoing && run.failed !== undefined && k > run.failed;
        t.ok(isBehind || node.of.some((ref) => refTo(ref) === undefined), "why it has not run");
        made.push(undefined);
      } else {
        const claim = this.claims.get(hex(claimKey))!;
        t.equal(hex(claim.node.own), hex(node.own), "a claim holds its node");
        t.same(
          claim.inputs.map(({ key, tag }) => ({ key, tag })),
          node.of.map((ref) => ({ ...refTo(ref) })),
        );
        made.push(claim.outcome[0] === 0n ? claim.outputs : undefined);
        if (claim.outcome[0] !== 0n) t.ok(run.failed !== undefined && run.failed <= k);
      }
    }
    const expected = program.outputs.flatMap(({ name, ref }) => {
      const it = refTo(ref);
      const isBehind = !run.keepGoing && run.failed !== undefined && ref.node > run.failed;
      return it === undefined || isBehind ? [] : [{ name, key: it.key, tag: it.tag }];
    });
    t.same(run.outputs, expected);
  }

  /** [PEL-COMPILE-1, PEL-COMPILE-2] */
  #checkModule(bytes: Uint8Array, program: ReturnType<typeof readProgram>): void {
    const module = new WebAssembly.Module(Buffer.from(bytes));
    const imports = new Set(
      WebAssembly.Module.imports(module).map((it) => `${it.module}.${it.name.replace(/_p$/, "")}`),
    );
    const known = [
      "asl.open",
      "asl.read",
      "asl.info",
      "asl.create",
      "asl.write",
      "asl.seal",
      "asl.close",
      "bytes.of_memory",
    ];
    this.#t.same(
      [...imports].filter((it) => !known.includes(it)),
      [],
    );
    const shape = ({ opcode, refs, outputs }: { opcode: number; refs: number; outputs: number }) =>
      [[], "const", `concat.${refs}`, "slice", "hash", "length", `select.${refs}`, `split.${outputs}`][
        opcode
      ] as string;
    const shapes = new Set(program.nodes.filter(({ opcode }) => opcode >= 1 && opcode <= 7).map(shape));
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    this.#t.same(names.filter((name) => name !== "memory").sort(), [...shapes].sort());
  }
}

/** All primitives, on what is empty, small, tagged and longer than a piece. */
function primitives(): ProgramBuilder {
  const builder = new ProgramBuilder();
  const given = ["empty", "small", "large"].map((name) => builder.input(name));
  given.push(builder.input("tagged", { tag: 7 }));
  let count = 0;
  const output = (...values: readonly Value[]): void => {
    for (const value of values) builder.output(`output ${count++}`, value);
  };
  for (const it of given) {
    output(builder.hash(it), builder.length(it), builder.concat([it]), builder.concat([it, given[1]!, it]));
    output(builder.slice(it, 0), builder.slice(it, 1, 2), builder.slice(it, 1, 100), builder.slice(it, 100));
    output(builder.slice(it, 262_143, 3), builder.slice(it, 262_144, 262_144));
    output(...builder.split(it, []), ...builder.split(it, [0, 0]), ...builder.split(it, [3, 300_000]));
    output(builder.select(it, [it, given[1]!]));
  }
  for (const selector of [
    [],
    [0],
    [1],
    [2],
    [1, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 128],
    [1, 0, 0, 0, 0, 0, 0, 0, 0],
  ])
    output(builder.select(builder.const(Uint8Array.from(selector)), [given[1]!, given[3]!]));
  return builder;
}

t.test(
  "all that primitives leave is what the specs say, their calls and fuel too [PEL-NODE-3, PEL-NODE-4, PEL-NODE-5, PEL-NODE-6, PEL-COMPILE-1, PEL-COMPILE-2, PEL-COMPILE-3, PEL-COMPILE-4, PEL-COMPILE-5, PEL-EXEC-2, PER-TRACE-1, PER-TRACE-2, PER-TRACE-3, PER-TRACE-4]",
  async (t) => {
    for (const engine of ["compiled", "reference"] as const) {
      const store = openStore();
      const inputs = {
        empty: await store.put(Buffer.alloc(0)),
        small: await store.put(Buffer.from("hello")),
        large: await store.put(Buffer.alloc(600_000, "abcdefg")),
        tagged: await store.put(Buffer.of(1), { typeTag: 7 }),
      };
      await runProgram(store, primitives().build(), { inputs, engine, keepGoing: true });
      const { claims } = new Checked(t, store);
      t.ok(claims.size > 60, engine);
      store.closeSync();
    }
  },
);

t.test(
  "all that runs with guests leave is what the specs say [PEL-ENC-1, PEL-ENC-2, PEL-ENC-3, PEL-ORDER-2, PEL-RUN-4, PEL-RUN-5, PEL-RUN-8, PEL-MEMO-1, PEL-KERNEL-3, PER-TAG-1, PER-CLAIM-2, PER-CLAIM-3, PER-CLAIM-4, PER-RUN-1, PER-RUN-2, PER-CONTEXT-1, TGK-EDGE-1, TGK-EDGE-2, TGK-EDGE-3]",
  async (t) => {
    for (const engine of ["compiled", "reference"] as const) {
      const store = openStore();
      const { module, inputs } = await putTexts(store);
      await runProgram(store, mixed(module), { inputs, engine });
      const failing = new ProgramBuilder();
      const text = failing.input("text 0");
      const entries = ["draw", "nothing", "stray", "trap", "leave", "loop", "missing"];
      const limits = { fuel: 1_000_000n };
      for (const entry of entries) {
        const made = kernel(failing, module, entry, text, { limits });
        failing
          .output(entry, made)
          .output(`${entry} length`, failing.length(made))
          .output(`${entry} receipt`, made.receipt);
      }
      await runProgram(store, failing.build(), { inputs: { "text 0": inputs["text 0"]! }, engine, keepGoing: true });
      const stopping = failing.output("one more", failing.length(text));
      await runProgram(store, stopping.build(), { inputs: { "text 0": inputs["text 0"]! }, engine });
      const { claims, runs } = new Checked(t, store);
      t.equal(runs.length, 3);
      const outcomes = new Set(Array.from(claims.values(), ({ outcome }) => outcome.slice(0, 2).map(String).join(" ")));
      for (const outcome of ["0", "1 1", "2", "3 3", "4 3", "4 4", "4 5"]) t.ok(outcomes.has(outcome), outcome);
      store.closeSync();
    }
  },
);

t.test(
  "what one reader refuses the other refuses, of what is nearly right [PEL-ENC-4, PER-CLAIM-5, PER-CONTEXT-1, TGK-EDGE-1]",
  async (t) => {
    const store = openStore();
    const { module, inputs } = await putTexts(store);
    await runProgram(store, mixed(module), { inputs });
    const readers: {
      readonly [tag: number]: readonly [(bytes: Uint8Array) => unknown, (bytes: Uint8Array) => unknown];
    } = {
      [PROGRAM]: [decodeProgram, readProgram],
      [CLAIM]: [decodeClaim, readClaim],
      [CONTEXT]: [decodeContext, readContext],
      [EDGE]: [decodeEdge, readEdge],
    };
    const reads = (reader: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean => {
      try {
        reader(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const random = randomFrom(7);
    const number = (below: number): number => Buffer.from(random(4)).readUInt32LE() % below;
    let accepted = 0;
    for (const { key, records } of store.list()) {
      const pair = readers[records[0]!.typeTag ?? -1];
      if (pair === undefined) continue;
      const bytes = store.get(key)!;
      for (let k = 0; k < 60; k++) {
        let changed = Buffer.from(bytes);
        const at = number(changed.length);
        if (k % 4 === 0) changed[at] = number(256);
        else if (k % 4 === 1) changed[at] = changed[at]! + (number(2) * 2 - 1);
        else if (k % 4 === 2) changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + number(3))]);
        else changed = Buffer.concat([changed.subarray(0, at), Buffer.of(number(256)), changed.subarray(at)]);
        const [first, second] = pair.map((reader) => reads(reader, changed));
        if (first) accepted++;
        if (first !== second)
          t.fail(`the first reader ${first ? "accepts" : "refuses"} it, the second does not`, { bytes: hex(changed) });
      }
    }
    t.ok(accepted > 100, "some of them are right");
    store.closeSync();
  },
);

t.test(
  "the index of edges is in files as the spec says [TGK-INDEX-2, TGK-SEGMENT-1, TGK-SEGMENT-2, TGK-SEGMENT-3, TGK-SEGMENT-4, TGK-SEGMENT-5, TGK-SEGMENT-7]",
  async (t) => {
    const volume = new MemoryVolume();
    const store = openStore(volume);
    const keys = Array.from({ length: 500 }, (_, k) =>
      keyText(1 + (k % 7 === 0 ? 3 : 0), sha256(Buffer.from([k & 255, k >> 8]))),
    );
    const random = randomFrom(3);
    const some = (most: number): ArtifactKey[] =>
      Array.from(
        { length: random(1)[0]! % (most + 1) },
        () => keys[Buffer.from(random(2)).readUInt16LE() % keys.length]!,
      );
    const bound: Uint8Array[] = [];
    for (let k = 0; k < 18; k++) {
      const batch = store.batch();
      for (let n = 0; n < 1000; n++) {
        const [from, to] = [some(3), some(2)];
        if (from.length + to.length === 0) continue;
        const edge = { from, to, type: 256 + (n % 3), roles: n % 5 };
        stageEdge(batch, edge, {});
        if (n % 50 === 0) stageEdge(batch, { ...edge, roles: 9 }, {});
        if (n % 70 === 0) bound.push(sha256(writeItem([from.map(keyBytes), to.map(keyBytes), BigInt(edge.type)])));
      }
      for (const id of bound.splice(3)) batch.bind(EDGES, id, undefined);
      batch.commit();
    }
    keepGraph(store);

    // What the log says: a row of each entry that makes an edge hold, or ends it.
    const expected: IndexedEdge[] = [];
    const held = new Map<string, IndexedEdge>();
    for (const { position, payload } of store.log()) {
      if (payload.kind !== "binding" || payload.namespace !== EDGES) continue;
      const before = held.get(hex(payload.name));
      const at = { position: Number(position) };
      if (payload.digest === undefined) {
        if (before !== undefined) expected.push({ ...before, ...at, roles: undefined });
        held.delete(hex(payload.name));
        continue;
      }
      const edge = readEdge(store.get(keyText(payload.algorithm, payload.digest))!);
      const ends = (side: readonly Buffer[]) =>
        side.map((key) => `${hex(key.subarray(-32))} ${key[0] === 0x12 ? 1 : 4}`);
      const row = {
        id: hex(edge.id),
        ...at,
        type: edge.type,
        roles: edge.roles,
        from: ends(edge.from),
        to: ends(edge.to),
      };
      held.set(row.id, row);
      expected.push(row);
    }
    const read = (path: string): Buffer => {
      const file = volume.open(path, "read");
      const bytes = Buffer.alloc(file.size());
      file.read(bytes, 0, bytes.length, 0);
      file.close();
      return bytes;
    };
    const manifest = readManifest(read("tgk/MANIFEST"));
    t.ok(manifest.segments.length >= 1);
    t.equal(manifest.log.position, Number(store.position) + 1);
    t.equal(hex(manifest.frameHash), hex(store.reference.frameHash));
    const log = read(`log/${manifest.log.file.toString(16).padStart(16, "0")}.log`);
    t.equal(hex(sha256(log.subarray(manifest.log.frame, manifest.log.frame + 192))), hex(manifest.frameHash));
    const found = manifest.segments.flatMap((segment) =>
      readSegment(read(`tgk/${segment.number.toString(16).padStart(16, "0")}.edg`), segment),
    );
    t.equal(found.length, expected.length);
    t.equal(JSON.stringify(found), JSON.stringify(expected));
    t.ok(found.some(({ roles }) => roles === undefined) && found.some(({ roles }) => roles === 9));
    store.closeSync();
  },
);
