/** What nodes make, held against the plainest code that does the same (spec 30). */
import fc from "fast-check";
import t from "tap";
import { digestOf } from "../../../host/assets/hash.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { decodeClaim, failureName, type NodeClaim } from "../../../host/pel/claim.ts";
import { outputCount } from "../../../host/pel/program.ts";
import { type RunResult, runProgram } from "../../../host/pel/run.ts";
import type { Engine } from "../../../vm/execution.ts";
import { KERNEL, kernel, openStore, turned } from "./runs.ts";

const ENGINES: readonly Engine[] = ["compiled", "reference"];

/** A node to make: picks are numbers that choose among what was made before. */
type Step =
  | { readonly op: "concat"; readonly picks: readonly number[] }
  | { readonly op: "hash" | "length"; readonly picks: readonly number[] }
  | {
      readonly op: "slice";
      readonly picks: readonly number[];
      readonly offset: number;
      readonly length: number | undefined;
    }
  | { readonly op: "split"; readonly picks: readonly number[]; readonly at: readonly number[] }
  | { readonly op: "select"; readonly picks: readonly number[] };

const picksOf = (least: number, most: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(1000), { minLength: least, maxLength: most });
const size = fc.oneof({ weight: 5, arbitrary: fc.nat(12) }, fc.constantFrom(2 ** 32, 2 ** 53 - 1));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant("concat" as const), picks: picksOf(1, 5) }),
  fc.record({ op: fc.constantFrom("hash" as const, "length" as const), picks: picksOf(1, 1) }),
  fc.record({
    op: fc.constant("slice" as const),
    picks: picksOf(1, 1),
    offset: size,
    length: fc.option(size, { nil: undefined }),
  }),
  fc.record({
    op: fc.constant("split" as const),
    picks: picksOf(1, 1),
    at: fc.array(size, { maxLength: 3 }).map((at) => at.sort((left, right) => left - right)),
  }),
  fc.record({ op: fc.constant("select" as const), picks: picksOf(2, 5) }),
);

/** What the step makes of these refs, or the name of its failure. */
function made(each: Step, [first, ...others]: readonly Uint8Array[]): readonly Uint8Array[] | string {
  const from = first!;
  switch (each.op) {
    case "concat":
      return [Buffer.concat([from, ...others])];
    case "hash":
      return [digestOf(from)];
    case "length": {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(from.length), true);
      return [bytes];
    }
    case "slice": {
      const end = each.length === undefined ? from.length : each.offset + each.length;
      return each.offset > from.length || end > from.length ? "OUT_OF_RANGE" : [from.slice(each.offset, end)];
    }
    case "split":
      if (each.at.some((offset) => offset > from.length)) return "OUT_OF_RANGE";
      return [0, ...each.at].map((offset, k) => from.slice(offset, each.at[k] ?? from.length));
    case "select": {
      if (from.length < 1 || from.length > 8) return "BAD_SELECTOR";
      let number = 0n;
      for (const byte of from.toReversed()) number = number * 256n + BigInt(byte);
      return number < BigInt(others.length) ? [others[Number(number)]!] : "BAD_SELECTOR";
    }
  }
}

/** Adds the step to the program. */
function add(builder: ProgramBuilder, each: Step, [first, ...others]: readonly Value[]): readonly Value[] {
  const from = first!;
  switch (each.op) {
    case "concat":
      return [builder.concat([from, ...others])];
    case "slice":
      return [builder.slice(from, each.offset, each.length)];
    case "split":
      return builder.split(from, each.at);
    case "select":
      return [builder.select(from, others)];
    default:
      return [builder[each.op](from)];
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Selectors of all kinds, and longer bytes. */
const CONSTANTS = [
  "",
  "\0",
  "\x01",
  "\x02\0",
  "\x01\0\0\0\0\0\0\0",
  "\0".repeat(9),
  "\x01\0\0\0\0\0\0\x80",
  "abcdefghij",
].map((text) => Buffer.from(text, "latin1"));

for (const engine of ENGINES) {
  t.test(
    `[PEL-NODE-3, PEL-NODE-4, PEL-NODE-5, PEL-NODE-6, PEL-NODE-7] primitives make what they should, or fail as they should (${engine})`,
    async (t) => {
      const store = openStore();
      const failures = new Set<string>();
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const builder = new ProgramBuilder();
        const values: Value[] = CONSTANTS.map((bytes) => builder.const(bytes));
        const contents: (Uint8Array | undefined)[] = [...CONSTANTS];
        const nodes = steps.map((each) => {
          const indices = each.picks.map((number) => number % values.length);
          const from = indices.map((index) => contents[index]);
          const outputs = add(
            builder,
            each,
            indices.map((index) => values[index]!),
          );
          const wanted = from.includes(undefined) ? undefined : made(each, from as Uint8Array[]);
          values.push(...outputs);
          contents.push(...outputs.map((_, k) => (typeof wanted === "string" ? undefined : wanted?.[k])));
          return { value: outputs[0]!, wanted };
        });
        for (const [k, { value }] of nodes.entries()) builder.output(`${k}`, value);
        const run = await runProgram(store, builder.build(), { engine, keepGoing: true });
        for (const { value, wanted } of nodes) {
          const { state, outcome, outputs } = run.nodes[builder.indexOf(value)]!;
          if (wanted === undefined) t.equal(state, "skipped");
          else if (typeof wanted === "string") {
            failures.add(wanted);
            t.equal(outcome?.type === "failure" && failureName(outcome.code), wanted);
            t.strictSame(outputs, []);
          } else {
            t.strictSame(
              outputs.map(({ key }) => hex(store.get(key)!)),
              wanted.map(hex),
            );
          }
        }
      });
      await fc.assert(property, { numRuns: engine === "compiled" ? 60 : 30 });
      t.strictSame([...failures].sort(), ["BAD_SELECTOR", "OUT_OF_RANGE"]);
      await store.close();
    },
  );

  t.test(`[PEL-NODE-2, PEL-NODE-3, PEL-NODE-6, PEL-PROGRAM-1] tags, and receipts as inputs (${engine})`, async (t) => {
    const store = openStore();
    const text = await store.put(Buffer.from("text"), { typeTag: 77 });
    const builder = new ProgramBuilder();
    const input = builder.input("text", { tag: 77 });
    const head = builder.slice(input, 0, 2);
    const chosen = builder.select(builder.const(Uint8Array.of(1)), [head, input]);
    const proof = builder.concat([head.receipt, chosen.receipt]);
    builder.output("input", input).output("head", head).output("chosen", chosen).output("proof", proof);
    builder.output("receipt", proof.receipt);
    const run = await runProgram(store, builder.build(), { engine, inputs: { text } });
    const output = (name: string): RunResult["outputs"][number] => run.outputs.find((each) => each.name === name)!;
    t.match(output("input"), { key: text, tag: 77 });
    t.match(output("chosen"), { key: text, tag: 77 });
    t.equal(output("head").tag, undefined);
    const claims = [head, chosen].map((value) => run.nodes[builder.indexOf(value)]!.claim!);
    t.equal(hex(store.get(output("proof").key)!), claims.map((key) => hex(store.get(key)!)).join(""));
    const receipt = decodeClaim(store.get(output("receipt").key)!) as NodeClaim;
    t.equal(receipt.node.op, "concat");
    t.strictSame(
      receipt.inputs.map(({ key }) => key),
      claims,
    );
    t.equal(receipt.outputs.length, outputCount(receipt.node));
    const other = await store.put(Buffer.from("other"));
    await t.rejects(runProgram(store, builder.build(), { engine, inputs: { text: other } }), { code: "PEL-INPUT" });
    await store.close();
  });

  t.test(`[PEL-NODE-7] the receipt of a failure can be taken (${engine})`, async (t) => {
    const store = openStore();
    const builder = new ProgramBuilder();
    const failed = builder.slice(builder.const("abc"), 4);
    const behind = builder.hash(failed);
    builder.output("behind", behind).output("proof", builder.concat([failed.receipt]));
    // As many as there can be are no more work than they are.
    builder.output("proofs", builder.concat(new Array(65_534).fill(failed.receipt)));
    const run = await runProgram(store, builder.build(), { engine, keepGoing: true });
    t.equal(run.failed, builder.indexOf(failed));
    t.equal(run.nodes[builder.indexOf(behind)]!.state, "skipped");
    const claim = run.nodes[builder.indexOf(failed)]!.claim!;
    const [proof, proofs] = run.outputs;
    t.match(proof, { name: "proof", key: claim }, "which is the same bytes");
    t.equal(store.stat(proofs!.key)?.length, 65_534 * store.stat(claim)!.length);
    t.match(decodeClaim(store.get(claim)!), { outcome: { type: "failure", code: 1 }, outputs: [] });
    await store.close();
  });

  t.test(`[PEL-NODE-8] a guest's inputs and outputs are those of its node (${engine})`, async (t) => {
    const store = openStore();
    const module = await store.put(KERNEL);
    const builder = new ProgramBuilder();
    const text = builder.const("some text");
    const guest = kernel(builder, module, "turn", builder.concat([text, text]), {
      outputs: [{ name: "text", tag: 5 }],
    });
    builder.output("turned", guest).output("again", kernel(builder, module, "turn", guest));
    const run = await runProgram(store, builder.build(), { engine });
    t.strictSame(
      run.outputs.map(({ name, key, tag }) => [name, Buffer.from(store.get(key)!).toString(), tag]),
      [
        ["again", "some textsome text", undefined],
        ["turned", turned(Buffer.from("some textsome text")).toString(), 5],
      ],
    );
    await store.close();
  });
}
