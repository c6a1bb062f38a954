/** Writes the bundles that `tsc -b` does not: the command, its worker, and the browser build of vm and syscalls. */
import { chmodSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

const shared = {
  bundle: true,
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
} satisfies BuildOptions;

// Chunk names carry a hash: without this, chunks of earlier builds would pile up and be published.
rmSync("dist/chunks", { recursive: true, force: true });

const command: Record<string, string> = { ashlar: "host/command/main.ts" };
if (existsSync("host/command/worker.ts")) command.worker = "host/command/worker.ts";

await build({
  ...shared,
  entryPoints: command,
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  platform: "node",
  target: "node22",
  format: "esm",
  // What is imported dynamically stays in files of its own, so `ashlar --help` does not pay for it.
  splitting: true,
  external: ["wabt", "binaryen"],
  banner: { js: "#!/usr/bin/env node" },
});
chmodSync("dist/ashlar.js", 0o755);

await build({
  ...shared,
  entryPoints: { "ashlar.browser": "syscalls/browser.ts" },
  outdir: "dist",
  // No platform: an import of a Node.js built-in is an error here instead of a failure in someone's browser.
  platform: "neutral",
  target: "es2023",
  format: "iife",
  globalName: "ashlar",
});
