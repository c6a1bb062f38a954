/**
 * Where the guest's thread begins when the command runs from its bundles: the rest of its code is a quarter of a
 * megabyte, and V8 is ready with it 10 ms earlier when the main thread has what it made of it in an earlier run.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { WorkerStart } from "./run-messages.ts";

const start: WorkerStart = workerData;
const filename = join(__dirname, "worker-main.cjs");
const before = "(function(require){";
// The bundle is ASCII.
const source = `${before}${readFileSync(filename, "latin1")}\n})`;
Atomics.wait(start.ready, 0, 0);
const cachedData: Uint8Array | undefined = receiveMessageOnPort(parentPort!)?.message;
const script = new Script(source, {
  filename,
  columnOffset: -before.length,
  ...(cachedData !== undefined && {
    cachedData: Buffer.from(cachedData.buffer, cachedData.byteOffset, cachedData.length),
  }),
});
if (start.keepCode && (cachedData === undefined || script.cachedDataRejected === true))
  start.code = () => new Uint8Array(script.createCachedData());
script.runInThisContext()(createRequire(filename));
