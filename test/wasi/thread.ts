/** A thread of its own for one test of the suite: what does not come back can be ended. */
import { parentPort, workerData } from "node:worker_threads";
import { COMBINATIONS, runTest } from "./run.ts";
import type { Script } from "./suite.ts";

const { module, script }: { readonly module: string; readonly script: Script } = workerData;
for (const combination of COMBINATIONS) parentPort!.postMessage(runTest(module, script, combination));
