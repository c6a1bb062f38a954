/** Nodes of very many inputs and outputs. */
import type { Test } from "tap";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { ENGINES } from "../../vm/compare.ts";
import { KERNEL, kernel, openStore } from "./runs.ts";
import { checkSound } from "./soundness.ts";

/** Runs nodes of `most` inputs or outputs, of which 65,534 are the most that there can be (PEL-LIMIT-1), and parameters that go too far. */
export async function wideNodes(t: Test, most: number): Promise<void> {
  const claims = new Set<ArtifactKey>();
  for (const engine of ENGINES) {
    const store = openStore();
    const module = await store.put(KERNEL);
    const text = await store.put(Buffer.from("text"));
    const builder = new ProgramBuilder();
    const input = builder.input("text");
    const all = builder.concat(new Array<Value>(most).fill(input));
    const last = Buffer.alloc(8);
    last.writeUInt32LE(most - 2);
    const cases = [...new Array<Value>(most - 2).fill(all), input];
    const far = Number.MAX_SAFE_INTEGER;
    builder
      .output("all", all)
      .output("last", builder.select(builder.const(last), cases))
      .output("none", builder.select(builder.const(Buffer.alloc(8, 255)), cases))
      .output(
        "parts",
        builder.split(
          all,
          Array.from({ length: most - 1 }, (_, k) => 4 * k),
        )[most - 1]!,
      )
      .output("slice", builder.slice(input, far, far))
      .output("behind", builder.slice(input, 4, far))
      .output("split", builder.split(input, [0, far])[0]!)
      .output("const", builder.length(builder.const(Buffer.alloc(1 << 20, 7))))
      .output("args", kernel(builder, module, "done", input, { args: new Array<string>(most).fill("") }));
    const names = Array.from({ length: most }, (_, k) => k.toString(36));
    const inputs = Object.fromEntries(names.map((name) => [name, input]));
    const wide = builder.guest({ module, entry: "nothing", inputs, outputs: [] });
    builder.output("wide", builder.length(wide.receipt));
    const result = await runProgram(store, builder.build(), { inputs: { text }, engine, workers: 1, keepGoing: true });
    const outputs = new Map(result.outputs.map(({ name, key }) => [name, store.get(key)!]));
    t.equal(outputs.get("all")?.length, 4 * most);
    t.same(
      ["last", "parts"].map((name) => Buffer.from(outputs.get(name) ?? []).toString()),
      ["text", "texttext"],
    );
    t.same(Buffer.from(outputs.get("const")!).readUInt32LE(), 1 << 20);
    t.ok(outputs.has("args") && outputs.has("wide"));
    t.notOk(["none", "slice", "behind", "split"].some((name) => outputs.has(name)));
    const failures = result.nodes.flatMap(({ outcome }) => (outcome?.type === "failure" ? outcome.code : []));
    t.same(failures.sort(), [1, 1, 1, 2]);
    claims.add(result.claim);
    checkSound(store);
  }
  t.equal(claims.size, 1);
}
