/** A process that runs a program on a store in a folder, and says what came of it; killed ones say how far they were. */
import { writeSync } from "node:fs";
import { Store } from "../../../host/asl/store.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { Random } from "../../vm/random.ts";
import { randomProgram } from "./crash.ts";
import { KERNEL } from "./runs.ts";

const [folder, seed, nodes, guests, waitMs] = process.argv.slice(2) as [string, string, string, string, string];
/** A line is there when this returns, whatever becomes of the process. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

say("begin");
const store = await Store.open(folder, { create: true, waitMs: Number(waitMs) });
const module = await store.put(KERNEL);
const one = await store.put(Buffer.from("one"));
const two = await store.put(Buffer.from("two"));
say("open");
const program = randomProgram(new Random(Number(seed)), Number(nodes), guests === "guests" ? module : undefined, true);
const { claim, hits, executed } = await runProgram(store, program, {
  inputs: { one, two },
  keepGoing: true,
  onProgress: ({ done }) => say(`progress ${done}`),
});
say(`done ${claim} ${executed} ${hits}`);
await store.close();
