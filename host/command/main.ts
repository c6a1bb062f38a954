/**
 * Entry of the `ashlar` command. What it imports statically must load on any Node.js, so that an old one gets an answer
 * that helps; it is also all that `ashlar run` needs on this thread, in few files, because each costs start-up time.
 */
import { main } from "./commands.ts";

const OLDEST = 22;
const major = Number.parseInt(process.versions.node, 10);
if (major < OLDEST) {
  console.error(`ashlar needs Node.js ${OLDEST} or newer, and this is ${process.versions.node} (${process.execPath}).`);
  process.exitCode = 1;
} else {
  // Run from the sources the worker is TypeScript, bundled it is CommonJS.
  const worker = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.cjs", import.meta.url);
  // Everything is written synchronously, so nothing is lost; and a worker that still waits ends with the process.
  process.exit(await main(process.argv.slice(2), { worker }));
}
