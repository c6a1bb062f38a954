/** Writes the bundles that `tsc -b` does not: the command, its worker, and the browser build of vm and syscalls. */
import { createHash } from "node:crypto";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { basename, resolve } from "node:path";
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

/** What the command imports dynamically: `assets/verbs.ts` is the chunk `assets-verbs`. */
const CHUNKS: readonly string[] = [
  ...["attest", "build", "completion", "dis", "help", "inspect", "new", "optimize", "profile", "trap-text", "version"],
  ...["edge-verbs", "pel/verbs", "replay", "trace", "verify", "why"],
  ...["assets/keygen", "assets/verbs", "store/verbs"],
  ...["../wat", "../grants", "../../syscalls/replay"],
];

function chunkOf(path: string): string {
  return path.replace(/^(\.\.?\/)*/, "").replaceAll("/", "-");
}

/**
 * It is built as `chunks/NAME.js`, apart from the command: code that both need is in both, so that `ashlar run` loads one
 * file and not five.
 */
const chunks: Plugin = {
  name: "chunks",
  setup: (build) => {
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, kind }) =>
      kind === "dynamic-import"
        ? { path: `./chunks/${chunkOf(path.slice(0, -".ts".length))}.js`, external: true }
        : undefined,
    );
  },
};

/** Modules of the worker that are evaluated when their function is first called, and not when the thread starts. */
const LATE: { readonly [module: string]: string } = { "open-assets": "openAssets", "open-store": "openStore" };
const late: Plugin = {
  name: "late",
  setup: (build) => {
    build.onResolve({ filter: /^\.\/[a-z-]+\.ts$/ }, ({ path, kind, resolveDir }) =>
      kind === "import-statement" && Object.hasOwn(LATE, basename(path, ".ts"))
        ? { path: resolve(resolveDir, path), namespace: "late" }
        : undefined,
    );
    build.onLoad({ filter: /^/, namespace: "late" }, ({ path }) => {
      const name = LATE[basename(path, ".ts")]!;
      return {
        contents: `export const ${name} = (...given) => require(${JSON.stringify(path)}).${name}(...given);`,
        resolveDir: root,
      };
    });
  },
};

const command = {
  ...shared,
  platform: "node",
  target: "node22",
  format: "esm",
  plugins: [builtins],
  // Less to read is less start-up time; the source maps beside the bundles tell what stack traces name.
  minify: true,
  external: ["wabt", "binaryen", "fflate", "@hpcc-js/wasm-zstd"],
  banner: {
    js: `#!/usr/bin/env node
import { createRequire as requireOf } from "node:module";
const require = requireOf(import.meta.url);`,
  },
} satisfies BuildOptions;

await build({
  ...command,
  entryPoints: Object.fromEntries(CHUNKS.map((path) => [chunkOf(path), `host/command/${path}.ts`])),
  outdir: "dist/chunks",
  splitting: true,
});
// Where `host/pel/kernel-pool.ts` looks for the threads of kernels: beside the file that it is in itself. One file, as each begins with it.
await build({
  ...command,
  entryPoints: { "kernel-worker": "host/pel/kernel-worker.ts" },
  outdir: "dist/chunks",
});
// It starts 2 ms faster than an ES module.
await build({
  ...shared,
  entryPoints: { worker: "host/command/worker-start.ts", "worker-main": "host/command/worker.ts" },
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  plugins: [late],
  platform: "node",
  target: "node22",
  format: "cjs",
  minify: true,
});
await build({
  ...command,
  entryPoints: { ashlar: "host/command/main.ts" },
  outdir: "dist",
  plugins: [chunks, builtins],
  // The command keeps what V8 makes of the worker's code, by the code.
  define: {
    WORKER_DIGEST: JSON.stringify(createHash("sha256").update(readFileSync("dist/worker-main.cjs")).digest("hex")),
  },
});
await build({
  ...command,
  entryPoints: { "assets-tool": "host/command/assets-tool.ts" },
  outdir: "dist",
  plugins: [chunks, builtins],
});
for (const name of ["ashlar", "assets-tool"]) chmodSync(`dist/${name}.js`, 0o755);

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
