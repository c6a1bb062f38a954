/** Primitives against what they are said to do, in random programs on both engines. */
import t from "tap";
import { keyBytes } from "../../../host/asl/key.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { TypeTag } from "../../../host/pel/claim.ts";
import { compileShapes, exportName, PEL_COMPILER, type Shape } from "../../../host/pel/compile.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { Module } from "../../../vm/module.ts";
import { openStore } from "./runs.ts";

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Lengths at which something else happens: pieces, leaves, what is held in memory, what is packed. */
const LENGTHS = [0, 1, 7, 8, 9, 65_535, 65_536, 262_143, 262_144, 262_145, 600_000, 1_048_577, 1_500_000];

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

t.test(
  "programs of primitives do what the nodes say [PEL-NODE-3, PEL-NODE-4, PEL-NODE-5, PEL-COMPILE-3, PEL-EXEC-2, PEL-RUN-2]",
  async (t) => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = randomOf(seed);
      const builder = new ProgramBuilder();
      const values: { value: Value; bytes: Buffer }[] = [];
      const inputs: { [name: string]: Buffer } = {};
      for (let k = 0; k < 3; k++) {
        const bytes = Buffer.alloc(LENGTHS[random(LENGTHS.length)]!, `${seed} ${k} and so on`);
        inputs[`in${k}`] = bytes;
        values.push({ value: builder.input(`in${k}`), bytes });
      }
      const any = (): (typeof values)[number] => values[random(values.length)]!;
      const add = (value: Value, bytes: Buffer): void => void values.push({ value, bytes });
      for (let k = 0; k < 24; k++) {
        const one = any();
        const { length } = one.bytes;
        switch (random(7)) {
          case 0: {
            const bytes = Buffer.alloc(random(300), `c${k}`);
            add(builder.const(bytes), bytes);
            break;
          }
          case 1: {
            const all = Array.from({ length: 1 + random(4) }, any);
            if (all.reduce((sum, { bytes }) => sum + bytes.length, 0) > 4_000_000) break;
            add(builder.concat(all.map(({ value }) => value)), Buffer.concat(all.map(({ bytes }) => bytes)));
            break;
          }
          case 2: {
            const from = random(length + 1);
            const count = random(2) === 0 ? undefined : random(length - from + 1);
            add(
              builder.slice(one.value, from, count),
              one.bytes.subarray(from, count === undefined ? length : from + count),
            );
            break;
          }
          case 3:
            add(builder.hash(one.value), Buffer.from(digestOf(one.bytes)));
            break;
          case 4:
            add(builder.length(one.value), u64(length));
            break;
          case 5: {
            const cases = Array.from({ length: 1 + random(3) }, any);
            const chosen = random(cases.length);
            const selector = u64(chosen).subarray(0, 1 + random(8));
            add(
              builder.select(
                builder.const(selector),
                cases.map(({ value }) => value),
              ),
              cases[chosen]!.bytes,
            );
            break;
          }
          default: {
            const at = Array.from({ length: random(5) }, () => random(length + 1)).sort((a, b) => a - b);
            const parts = builder.split(one.value, at);
            for (const [p, part] of parts.entries()) add(part, one.bytes.subarray(at[p - 1] ?? 0, at[p] ?? length));
          }
        }
      }
      for (const [k, { value }] of values.entries()) builder.output(`o${k}`, value);
      const program = builder.build();
      const claims = new Set<string>();
      for (const engine of ["compiled", "reference"] as const) {
        const store = openStore();
        const keys: { [name: string]: string } = {};
        for (const [name, bytes] of Object.entries(inputs)) keys[name] = await store.put(bytes);
        const result = await runProgram(store, program, { inputs: keys, engine });
        claims.add(result.claim);
        for (const [k, { bytes }] of values.entries()) {
          const { key, tag } = result.outputs.find(({ name }) => name === `o${k}`)!;
          t.ok(tag === undefined && bytes.equals(store.get(key)!), `${engine} ${seed}: o${k}, ${bytes.length} bytes`);
        }
        const again = await runProgram(store, program, { inputs: keys, engine });
        t.equal(again.executed, 0);
        t.equal(again.claim, result.claim);
        const { problems } = await store.fsck({ deep: true });
        t.equal(problems.length, 0);
        await store.close();
      }
      t.equal(claims.size, 1, "and the receipt is the same on both");
    }
  },
);

t.test(
  "what goes beyond the end, and selectors that choose nothing, are failures [PEL-NODE-4, PEL-NODE-6, PER-CLAIM-4, PEL-COMPILE-3]",
  async (t) => {
    for (const engine of ["compiled", "reference"] as const) {
      const store = openStore();
      const text = await store.put(Buffer.from("hello"));
      const cases: [string, (builder: ProgramBuilder, value: Value) => Value, number][] = [
        ["an offset", (builder, value) => builder.slice(value, 6), 1],
        ["a length", (builder, value) => builder.slice(value, 3, 3), 1],
        ["a length that would wrap", (builder, value) => builder.slice(value, 3, Number.MAX_SAFE_INTEGER), 1],
        ["an offset of a split", (builder, value) => builder.split(value, [1, 6])[0]!, 1],
        ["an empty selector", (builder, value) => builder.select(builder.const(new Uint8Array()), [value]), 2],
        ["a selector of 9 bytes", (builder, value) => builder.select(builder.const(new Uint8Array(9)), [value]), 2],
        ["no such case", (builder, value) => builder.select(builder.const(Uint8Array.of(1)), [value]), 2],
        ["a large number", (builder, value) => builder.select(builder.const(new Uint8Array(8).fill(255)), [value]), 2],
      ];
      for (const [name, make, code] of cases) {
        const builder = new ProgramBuilder();
        builder.output("out", make(builder, builder.input("text")));
        const result = await runProgram(store, builder.build(), { inputs: { text }, engine });
        const failed = result.nodes[result.failed!]!;
        t.match(failed, { state: "executed", outcome: { type: "failure", code, detail: "" }, outputs: [] }, name);
        t.same(result.outputs, []);
      }
      await store.close();
    }
  },
);

t.test(
  "a selected case keeps its type tag, and a receipt can be read as an artifact [PEL-NODE-6, PER-CLAIM-2]",
  async (t) => {
    const store = openStore();
    const [a] = await store.putMany([{ bytes: Buffer.from("a"), typeTag: 7 }, { bytes: Buffer.from("a") }]);
    const builder = new ProgramBuilder();
    const [tagged, bare] = [builder.input("tagged", { tag: 7 }), builder.input("bare")];
    const number = builder.const(Uint8Array.of(0));
    builder.output("one", builder.select(number, [tagged, bare]));
    builder.output("other", builder.select(number, [bare, tagged]));
    const joined = builder.concat([tagged, bare]);
    builder.output("receipt", builder.concat([joined.receipt]));
    const { outputs, nodes } = await runProgram(store, builder.build(), { inputs: { tagged: a!, bare: a! } });
    t.same(
      outputs.map(({ name, tag }) => [name, tag]),
      [
        ["one", 7],
        ["other", undefined],
        ["receipt", undefined],
      ],
    );
    const claim = nodes.find(({ op, claim }) => op === "concat" && claim === outputs[2]!.key)?.claim;
    t.ok(claim, "the copy of a claim has its key");
    t.ok(store.stat(claim!)!.records.some(({ typeTag }) => typeTag === TypeTag.CLAIM));
    await store.close();
  },
);

t.test(
  "in a store of another algorithm keys are others, and so is what hash makes [PEL-NODE-5, PEL-EXEC-2]",
  async (t) => {
    const builder = new ProgramBuilder();
    builder.output("hash", builder.hash(builder.input("text")));
    const store = openStore(undefined, { algorithm: "sha3-256" });
    const text = await store.put(Buffer.from("hello"));
    const { outputs } = await runProgram(store, builder.build(), { inputs: { text } });
    t.equal(`sha3-256:${Buffer.from(store.get(outputs[0]!.key)!).toString("hex")}`, text);
    await store.close();
  },
);

t.test(
  "an export does not depend on the others, and the module is kept [PEL-COMPILE-1, PEL-COMPILE-2, PEL-COMPILE-4, PEL-EXEC-1]",
  async (t) => {
    const shapes: Shape[] = [
      { op: "const", inputs: 0, outputs: 1 },
      { op: "concat", inputs: 1, outputs: 1 },
      { op: "concat", inputs: 65_534, outputs: 1 },
      { op: "slice", inputs: 1, outputs: 1 },
      { op: "hash", inputs: 1, outputs: 1 },
      { op: "length", inputs: 1, outputs: 1 },
      { op: "select", inputs: 65_534, outputs: 1 },
      { op: "split", inputs: 1, outputs: 1 },
      { op: "split", inputs: 1, outputs: 65_534 },
    ];
    const all = Module.decode(compileShapes(shapes, 1024));
    t.same(
      all.exports.map(({ name }) => name),
      ["memory", ...shapes.map(exportName)],
    );
    t.ok(all.structure.bytes.length < 8192, "and does not grow with the number of refs");
    t.same(
      new Set(all.structure.imports.map(({ module, name }) => `${module}.${name}`)),
      new Set([
        "asl.open",
        "asl.read",
        "asl.info",
        "asl.create",
        "asl.write",
        "asl.seal",
        "asl.close",
        "bytes.of_memory",
      ]),
    );

    const store = openStore();
    const text = await store.put(Buffer.from("hello"));
    const fuel = new Set<bigint>();
    const claims = new Set<unknown>();
    for (const more of [false, true]) {
      const builder = new ProgramBuilder();
      const value = builder.input("text");
      builder.output("out", builder.concat([value, value]));
      if (more) builder.output("more", builder.split(builder.concat([value, value, value]), [1, 2, 3])[3]!);
      const { program, nodes } = await runProgram(store, builder.build(), { inputs: { text }, cache: false });
      const node = nodes.find(
        ({ op, outputs }) => op === "concat" && Buffer.from(store.get(outputs[0]!.key)!).length === 10,
      )!;
      fuel.add(node.fuel);
      claims.add(node.claim);
      const name = digestOf(Buffer.concat([keyBytes(program), Uint8Array.of(PEL_COMPILER)]));
      const module = store.resolve(Namespace.MODULE, name)!;
      t.equal(store.stat(module)!.records[0]!.typeTag, TypeTag.MODULE);
      t.ok(Module.decode(store.get(module)!));
    }
    t.equal(fuel.size, 1);
    t.equal(claims.size, 1);
    await store.close();
  },
);

t.test("a node of very many refs and outputs [PEL-COMPILE-2, PEL-RUN-4]", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.alloc(20_000, "abc"));
  const builder = new ProgramBuilder();
  const at = Array.from({ length: 20_001 }, (_, k) => Math.min(k, 20_000));
  const parts = builder.split(builder.input("text"), at);
  builder.output("joined", builder.concat(parts));
  const { outputs } = await runProgram(store, builder.build(), { inputs: { text } });
  t.equal(outputs[0]!.key, text);
  await store.close();
});
