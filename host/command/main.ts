/**
 * Entry of the `ashlar` command. What it imports statically must load on any Node.js, so that an old one gets an answer
 * that helps; it is also all that `ashlar run` needs on this thread, in few files, because each costs start-up time.
 */
import { ASHLAR } from "./commands.ts";
import { checkNode } from "./node-version.ts";
import { main } from "./program.ts";

/** What the bundler puts in: SHA-256 of `worker-main.cjs`. */
declare const WORKER_DIGEST: string;

if (checkNode("ashlar")) {
  // Run from the sources the worker is TypeScript, bundled it is CommonJS.
  const isSource = import.meta.url.endsWith(".ts");
  const worker = new URL(isSource ? "./worker.ts" : "./worker.cjs", import.meta.url);
  const workerDigest = isSource ? undefined : WORKER_DIGEST;
  // Not process.exit: it joins V8's threads, one of which may be compiling for this thread and waiting for it to collect
  // garbage; then neither ever ends (seen once in some hundred runs of text modules, on Node.js 26.10).
  process.exitCode = await main(ASHLAR, process.argv.slice(2), { worker, workerDigest });
}
