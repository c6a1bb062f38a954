/** Bindings: what each language imports, and a tour through everything that they make of it. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { compilerEnvironment, findClang, findRustc, INSTALL } from "../../.ci/toolchains.ts";
import { createAbi } from "../../host/abi.ts";
import { LoadState } from "../../host/assets/banks.ts";
import { BANK_TYPES } from "../../host/assets/format.ts";
import { openPack } from "../../host/assets/pack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { assemblyScriptBindings } from "../../syscalls/bindings/assemblyscript.ts";
import { cBindings } from "../../syscalls/bindings/c.ts";
import {
  type BindingRow,
  camelCase,
  constantsOf,
  hostInterface,
  importName,
  isPacked,
  largestBlock,
  resultBlock,
} from "../../syscalls/bindings/interface.ts";
import { rustBindings } from "../../syscalls/bindings/rust.ts";
import type { SyscallTable } from "../../syscalls/define.ts";
import { Exit } from "../../syscalls/exit.ts";
import { syscall } from "../../syscalls/table.ts";
import { functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import type { Engine } from "../../vm/index.ts";
import { Module } from "../../vm/module.ts";
import { ENGINES } from "../vm/compare.ts";
import { MemoryArtifacts } from "./artifacts.ts";
import { deflated, raw } from "./packs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "ashlar-bindings-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const isCi = process.env.CI !== undefined;
const rustc = findRustc() ?? "rustc";

interface Language {
  readonly clause: string;
  /** Why the test is left out; never in CI, where a compiler that is not there is a failure. */
  readonly skip: string | false;
  readonly folder: string;
  readonly generated: string;
  readonly source: string;
  /** In `tour/`; not `.ts` where AssemblyScript would be taken for TypeScript. */
  readonly tour: string;
  readonly generate: (tables?: readonly SyscallTable[]) => string;
  /** A program that calls everything in the generated file, and holds it to the layout of the result blocks. */
  readonly callAll: (rows: readonly BindingRow[]) => string;
  /** Compiler and options, and more options: the first ones are the usual ones. */
  readonly compile: readonly string[];
  readonly variants: readonly string[];
}

const ASC = join(root, "node_modules/assemblyscript/bin/asc.js");

const LANGUAGES: readonly Language[] = [
  {
    clause: "ABI-BINDING-1",
    skip: false,
    folder: "assemblyscript",
    generated: "syscalls.ts",
    source: "guest.ts",
    tour: "tour.as",
    generate: assemblyScriptBindings,
    callAll: (rows) => {
      const calls = rows.map((row) => {
        const block = isPacked(row) ? `, changetype<all.${camelCase(row.module, row.name)}Results>(0)` : "";
        return `  all.${row.module}_${row.name}(${`${row.params.map(() => "0").join(", ")}${block}`.replace(/^, /, "")});`;
      });
      return `import "./ashlar";\nimport * as all from "./syscalls";\nexport function main(): void {\n${calls.join("\n")}\n}\n`;
    },
    compile: [process.execPath, ASC, ..."--exportStart _start --use abort=ashlar/onAbort".split(" ")],
    variants: ["--runtime incremental", "--runtime stub -O3", "--runtime minimal -Os"],
  },
  {
    clause: "ABI-BINDING-2",
    skip: isCi || findClang() !== undefined ? false : INSTALL.clang,
    folder: "c",
    generated: "ashlar_syscalls.h",
    source: "guest.c",
    tour: "tour.c",
    generate: cBindings,
    callAll: (rows) => {
      const layout = rows.filter(isPacked).flatMap((row) => {
        const name = `struct ashlar_${row.module}_${row.name}_results`;
        const { fields, size } = resultBlock(row);
        const holds = [
          `sizeof(${name}) == ${size}`,
          ...fields.map((f) => `offsetof(${name}, ${f.name === "register" ? "register_" : f.name}) == ${f.offset}`),
        ];
        return holds.map((condition) => `_Static_assert(${condition}, "");`);
      });
      const calls = rows.map((row) => {
        const values = row.params.map(() => "0").concat(isPacked(row) ? "0" : []);
        return `  ashlar_${row.module}_${row.name}(${values.join(", ")});`;
      });
      const main = `__attribute__((export_name("main"))) void all(void) {\n${calls.join("\n")}\n}\n`;
      return `#include "ashlar.h"\n${layout.join("\n")}\n${main}`;
    },
    compile: "clang --target=wasm32 -Wall -Wextra -Werror -nostdlib -Wl,--no-entry -Wl,--stack-first".split(" "),
    variants: ["-O2 -mbulk-memory", "-O0 -std=c99 -pedantic", "-Os -flto", "-O2 -x c++"],
  },
  {
    clause: "ABI-BINDING-3",
    skip: isCi || findRustc() !== undefined ? false : INSTALL.rustc,
    folder: "rust",
    generated: "syscalls.rs",
    source: "guest.rs",
    tour: "tour.rs",
    generate: rustBindings,
    callAll: (rows) => {
      const blocks = rows.filter(isPacked).map((row) => {
        const name = `syscalls::${row.module}::${camelCase(row.name)}Results`;
        return `const _: () = assert!(core::mem::size_of::<${name}>() == ${resultBlock(row).size});`;
      });
      const calls = rows.map((row) => {
        const values: string[] = row.params.map(({ type }) => (type === "f32" || type === "f64" ? "0.0" : "0"));
        if (isPacked(row)) values.push("core::ptr::null_mut()");
        return `    syscalls::${row.module}::${row.name === "move" ? "r#move" : row.name}(${values.join(", ")});`;
      });
      return [
        "#![no_std]",
        "mod syscalls;",
        ...blocks,
        "#[panic_handler] fn panic(_: &core::panic::PanicInfo) -> ! { core::arch::wasm32::unreachable() }",
        `#[no_mangle] pub unsafe extern "C" fn main() {\n${calls.join("\n")}\n}`,
      ].join("\n");
    },
    compile: [rustc, ..."--target wasm32-unknown-unknown --crate-type cdylib -D warnings -C panic=abort".split(" ")],
    variants: ["-O --edition 2018", "--edition 2021"],
  },
];

/** Compiles `source` beside the bindings, in which `generated` may take the place of the generated file. */
function build(language: Language, source: string, name: string, generated?: string, variant?: string): Module {
  const folder = join(scratch, name, language.folder);
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "syscalls/bindings", language.folder), folder, { recursive: true });
  writeFileSync(join(folder, language.source), source);
  if (generated !== undefined) writeFileSync(join(folder, language.generated), generated);
  const options = (variant ?? language.variants[0]!).split(" ");
  const [program, ...args] = [...language.compile, ...options, language.source, "-o", "guest.wasm"];
  execFileSync(program!, args, { cwd: folder, env: compilerEnvironment(), stdio: "pipe" });
  return Module.decode(readFileSync(join(folder, "guest.wasm")));
}

function importsOf(rows: readonly BindingRow[]): unknown {
  const types = rows.map((row) => ({
    name: `${row.module}.${importName(row)}`,
    ...(isPacked(row) ? packedTypeOf(row) : functionTypeOf(row)),
  }));
  return types.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function importsIn(module: Module): unknown {
  const types = module.imports.map(({ module, name, type }) => {
    if (type.kind !== "function") throw new Error(`${module}.${name} is no function`);
    return { name: `${module}.${name}`, params: type.type.params, results: type.type.results };
  });
  return types.sort((left, right) => (left.name < right.name ? -1 : 1));
}

const { rows: ROWS } = hostInterface();

/** A table of an embedder: words of the languages, an unaligned block, floats, a null, a kind of its own. */
const OWN: SyscallTable = {
  module: "clock",
  kinds: [{ id: 40_000, name: "GamePiece", create: "", read: "", update: "", destroy: "" }],
  rows: [
    {
      name: "move",
      doc: "Moves a piece.",
      params: [
        { name: "default", type: { ref: "GamePiece" }, doc: "what to move", nullable: true },
        { name: "self", type: "f64", doc: "how far" },
        { name: "results", type: "u32", doc: "what the block is called, too" },
      ],
      results: [
        { name: "status", type: "i32", doc: "0" },
        { name: "register", type: "u32", doc: "steps taken" },
        { name: "piece", type: { ref: "GamePiece" }, doc: "another" },
        { name: "score", type: "f32", doc: "so far" },
      ],
      fuel: 1,
    },
    { name: "end", doc: "Ends it.", fuel: 1 },
  ],
};

const POEM = Buffer.from("Über allen Gipfeln");
/** An asset in a slot, a packed one, and one that is damaged. */
const PACK = await encodePack({
  assets: [
    { ...raw(1, "tiles", "tiles", Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)), metadata: { a: "é" } },
    deflated(2, "poem", "text", POEM),
    raw(3, "broken", "data", POEM),
  ],
  preload: [{ assetId: 1, slot: 5 }],
});
PACK[PACK.lastIndexOf(POEM[2]!)]! ^= 1;

for (const language of LANGUAGES) {
  const { clause, folder, skip } = language;
  t.test(`[${clause}] ${folder}: every call is declared as the host knows it`, { skip }, async (t) => {
    const module = build(language, language.callAll(ROWS), "all");
    t.same(importsIn(module), importsOf(ROWS));
    t.equal(module.imports.length, ROWS.length);
    t.equal(
      readFileSync(join(root, "syscalls/bindings", folder, language.generated), "utf8"),
      language.generate(),
      "npm run generate",
    );
  });

  t.test(`[ABI-BINDING-4] ${folder}: a table with rows of an embedder`, { skip }, async (t) => {
    const generated = language.generate([OWN]);
    const { rows } = hostInterface([OWN]);
    const module = build(language, language.callAll(rows), "own", generated);
    t.same(importsIn(module), importsOf(rows));
    t.equal(rows.length, ROWS.length + 2);
    t.match(generated, /GAME_PIECE\b.* = 40000/);
    t.match(generated, /GamePiece or null: what to move/);
  });

  for (const variant of language.variants)
    t.test(`[${clause}] ${folder}, ${variant}: a tour through everything`, { skip }, async (t) => {
      const source = readFileSync(join(root, "test/syscalls/tour", language.tour), "utf8");
      const module = build(language, source, "tour", undefined, variant);
      for (const engine of ENGINES) takeTour(t, module, engine);
    });
}

function takeTour(t: Test, module: Module, engine: Engine): void {
  const fs = new MemoryFileSystem({ "b.txt": "héllo", "sub/c": "" });
  const store = new MemoryArtifacts();
  store.add(Buffer.from("in the store"), 9);
  const written = { stdout: "", stderr: "", log: "" };
  const write = (name: keyof typeof written) => (bytes: Uint8Array) => {
    written[name] += Buffer.from(bytes).toString();
  };
  const abi = createAbi({
    args: ["one", "zwei"],
    env: { A: "1", NAMES: "x", NAME: "välue" },
    mounts: [
      { guest: "/data", fs },
      { guest: "/ro", fs: new MemoryFileSystem(), readOnly: true },
    ],
    stdin: Buffer.from(`input${"!".repeat(100_000)}`),
    stdout: write("stdout"),
    stderr: write("stderr"),
    log: write("log"),
    clock: { start: 5_000_000n },
    assets: openPack(PACK),
    store,
  });
  abi.check(module);
  const instance = module.instantiate({ ...abi, engine });
  const code = exitCodeOf(() => instance.invoke("_start"));
  t.equal(code, 7, "else the step that failed, and 100");
  t.equal(written.stdout, TRANSCRIPT);
  t.equal(written.stderr, "a line of errors\n");
  t.equal(written.log, "a line of the log");
  t.equal(Buffer.from(fs.get("/hard")!).toString(), "fö");
  t.equal(instance.store.heap.objects, 4, "three streams and the memory: everything else was closed");
}

/** What the tour prints, in every language. */
const TRANSCRIPT = `args one|zwei
env välue -
read héllo
missing NOT_FOUND
target new/out
stat 1 13 2 1 2
link 3 7 true
list b.txt:1 hard:1 new:2 soft:3 sub:2
size 3
rmdir NOT_EMPTY
ro READ_ONLY
clock true true
random 2c34ce1df23b838c
stdin 100005 input
bank 1 1 8 8 10
tiles 00020304 {"a":"é"}
poem Über allen Gipfeln
slot NOT_FOUND
loaded 2
commit NOT_READY
damaged CORRUPT
stored 12 9 12 1 9
artifact 00746865 in the store
made sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b
named made false
writer 6 7
key 34
sealed SEALED
aborted ABORTED
absent NOT_FOUND
artifacts 12:9 6:7 4:0
fuel true
`;

function exitCodeOf(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    if (error instanceof Exit) return error.exitCode;
    throw error;
  }
  return 0;
}

t.test("[ABI-BINDING-1, ABI-BINDING-2, ABI-BINDING-3] where results lie, and what is said of a call", async (t) => {
  t.same(
    resultBlock(syscall("fs", "stat")).fields.map(({ name, offset }) => [name, offset]),
    [
      ["kind", 0],
      ["bytes", 4],
      ["id", 12],
      ["links", 20],
      ["accessed", 28],
      ["modified", 36],
      ["changed", 44],
    ],
  );
  t.equal(resultBlock(syscall("fs", "stat")).size, 52);
  t.equal(largestBlock(ROWS), 52);
  for (const { generate, folder } of LANGUAGES) {
    const text = generate();
    for (const row of ROWS) {
      t.ok(text.includes(row.doc), `${folder}: ${row.module}.${row.name}`);
      for (const { doc } of [...row.params, ...row.results]) t.ok(text.includes(doc), doc);
    }
    t.match(text, /NOT_EMPTY\b.* = .*107/);
    t.match(text, /NOFOLLOW\b.* = 128/);
    t.match(text, /Needs the grant `stdin`\./);
    t.match(text, /Statuses: OTHER, INVALID, NOT_FOUND, /);
  }
});

t.test("[ABI-BINDING-1, ABI-BINDING-2, ABI-BINDING-3] numbers of bank types and states are those of the banks", (t) => {
  const values = (name: string) => constantsOf(hostInterface()).find((set) => set.name === name)!.values;
  t.same(
    values("BankType"),
    Object.fromEntries(Object.entries(BANK_TYPES).map(([name, n]) => [name.toUpperCase(), n])),
  );
  t.same(values("LoadState"), LoadState);
  t.end();
});
