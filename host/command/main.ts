/**
 * Entry of the `ashlar` command. What it imports statically must load on any Node.js, so that an old one gets an answer
 * that helps; it is also all that `ashlar run` needs on this thread, in few files, because each costs start-up time.
 */
import { main } from "./commands.ts";

/** What the bundler puts in: SHA-256 of `worker-main.cjs`. */
declare const WORKER_DIGEST: string;

const OLDEST = 22;
const major = Number.parseInt(process.versions.node, 10);
if (major < OLDEST) {
  console.error(`ashlar needs Node.js ${OLDEST} or newer, and this is ${process.versions.node} (${process.execPath}).`);
  process.exitCode = 1;
} else {
  // Run from the sources the worker is TypeScript, bundled it is CommonJS.
  const isSource = import.meta.url.endsWith(".ts");
  const worker = new URL(isSource ? "./worker.ts" : "./worker.cjs", import.meta.url);
  const workerDigest = isSource ? undefined : WORKER_DIGEST;
  // Not process.exit: it joins V8's threads, one of which may be compiling for this thread and waiting for it to collect
  // garbage; then neither ever ends (seen once in some hundred runs of text modules, on Node.js 26.10).
  process.exitCode = await main(process.argv.slice(2), { worker, workerDigest });
}
