/** Writes the bundles that `tsc -b` does not: the command, its worker, and the browser build of vm and syscalls. */
import { chmodSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

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

/**
 * Node.js's modules through `require`. Imported as ES modules all their exports are read at once, and `node:fs` then
 * loads streams and promises that the command has no use for: 4 ms of start-up.
 */
const builtins: Plugin = {
  name: "builtins",
  setup: (build) => {
    build.onResolve({ filter: /^node:/ }, ({ path, namespace }) =>
      namespace === "builtin" || path === "node:module" ? { path, external: true } : { path, namespace: "builtin" },
    );
    build.onLoad({ filter: /^/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * What the command imports dynamically is built as `chunks/NAME.js`, apart from it: code that both need is in both, so
 * that `ashlar run` loads one file and not five.
 */
const chunks: Plugin = {
  name: "chunks",
  setup: (build) => {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, kind }) =>
      kind === "dynamic-import" ? { path: `./chunks/${basename(path, ".ts")}.js`, external: true } : undefined,
    );
  },
};

const command = {
  ...shared,
  platform: "node",
  target: "node22",
  format: "esm",
  plugins: [builtins],
  // Names stay, for stack traces; less to read is less start-up time.
  minifyWhitespace: true,
  minifySyntax: true,
  external: ["wabt", "binaryen"],
  banner: {
    js: `#!/usr/bin/env node
import { createRequire as requireOf } from "node:module";
const require = requireOf(import.meta.url);`,
  },
} satisfies BuildOptions;

await build({
  ...command,
  entryPoints: { ashlar: "host/command/main.ts" },
  outdir: "dist",
  plugins: [chunks, builtins],
});
await build({
  ...command,
  entryPoints: ["dis", "help", "inspect", "new", "version"]
    .map((name) => `host/command/${name}.ts`)
    .concat("host/wat.ts", "host/grants.ts", "syscalls/replay.ts"),
  entryNames: "[name]",
  outdir: "dist/chunks",
  splitting: true,
});
/** What most runs have no use for, and what would cost each of them 2 ms. See `needsAll` in `host/command/run.ts`. */
const OPTIONAL = [
  "host/fs/memory.ts",
  "host/fs/overlay.ts",
  "host/fs/quota.ts",
  "host/tmp.ts",
  "syscalls/observe.ts",
  "syscalls/recording-file.ts",
  "syscalls/recording.ts",
  "syscalls/replay.ts",
  "syscalls/trace.ts",
].map((path) => join(root, path));

/** Leaves it out: whatever is imported from it is undefined. */
const withoutOptional: Plugin = {
  name: "without-optional",
  setup: (build) => {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) =>
      OPTIONAL.includes(join(resolveDir, path)) ? { path, namespace: "absent" } : undefined,
    );
    build.onLoad({ filter: /^/, namespace: "absent" }, () => ({ contents: "module.exports = {};" }));
  },
};

for (const [name, plugins] of [
  ["worker", [withoutOptional]],
  ["worker-all", []],
] as const) {
  await build({
    ...shared,
    entryPoints: { [name]: "host/command/worker.ts" },
    outdir: "dist",
    outExtension: { ".js": ".cjs" },
    platform: "node",
    target: "node22",
    // It starts 2 ms faster than an ES module.
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [...plugins],
  });
}
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
