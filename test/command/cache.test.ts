/** The cache of `ashlar run`, and images of `ashlar build`. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { CACHE_BYTES, openCache } from "../../host/command/cache.ts";
import { isImage, readImage } from "../../host/image.ts";
import { ashlar, type Ended, type Given, reportOf, root, scratch, wat } from "./ashlar.ts";
import { TOOL } from "./tool.ts";

const at = (path: string): string => join(scratch, path);
const POSIX = process.platform !== "win32";

await wat("tool.wasm", TOOL);
// As large as what is kept: 3,000 functions, of which one is called.
const functions = Array.from(
  { length: 3_000 },
  (_, k) => `(func (param i32) (result i32) (i32.add (local.get 0) (i32.const ${k})))`,
);
await wat(
  "large.wasm",
  `(module ${functions.join(" ")} (func (export "_start")) (func (export "seven") (result i32) (call 6 (i32.const 1))))`,
);

/** Runs with a cache of its own. */
function run(folder: string, args: readonly string[], given: Given = {}): Promise<Ended> {
  return ashlar(["run", ...args], { ...given, env: { ASHLAR_CACHE: at(folder), ...given.env } });
}

function entries(folder: string, suffix = ""): string[] {
  return readdirSync(at(folder)).filter((name) => name.endsWith(suffix));
}

const SEVEN = { code: 0, stdout: "7\n", stderr: "" };
const large = ["large.wasm", "--invoke", "seven"];

t.test("[CLI-CACHE-1] the folder, and what is kept in it", async (t) => {
  t.match(await run("first", large), SEVEN);
  t.equal(entries("first", ".code").length, 1);
  t.equal(entries("first", ".image").length, 1);
  t.equal(entries("first").length, 2);
  if (POSIX) t.equal(lstatSync(at("first")).mode & 0o777, 0o700);
  const before = entries("first").map((name) => statSync(at(`first/${name}`)).ino);
  t.match(await run("first", large), SEVEN);
  t.strictSame(
    entries("first").map((name) => statSync(at(`first/${name}`)).ino),
    before,
    "it is used, not made again",
  );

  t.match(await run("unused", [...large, "--no-cache"]), SEVEN);
  t.notOk(existsSync(at("unused")));
  t.match(await run("unused", [...large, "--engine", "reference"]), SEVEN);
  t.strictSame(entries("unused", ".image"), [], "code of the guest is of the compiled engine");
  t.match(await run("unused", ["tool.wasm"]), { code: 0, stdout: "hello\n" });
  t.strictSame(entries("unused", ".image"), [], "a small guest is compiled as fast");

  const home = { ASHLAR_CACHE: "", HOME: at("home") };
  mkdirSync(at("home"));
  t.match(await ashlar(["run", ...large], { env: { ...home, XDG_CACHE_HOME: at("xdg") } }), SEVEN);
  t.equal(readdirSync(at("xdg/ashlar")).length, 2);
  t.match(await ashlar(["run", ...large], { env: { ...home, XDG_CACHE_HOME: "relative" } }), SEVEN);
  t.equal(readdirSync(at("home/.cache/ashlar")).length, 2);
  t.notOk(existsSync(at("relative")));
});

t.test("[CLI-CACHE-1] a folder that others could have written is left alone", { skip: !POSIX }, async (t) => {
  mkdirSync(at("good"), { mode: 0o700 });
  const open = (name: string, mode: number): string => {
    mkdirSync(at(name));
    chmodSync(at(name), mode);
    return name;
  };
  symlinkSync(at("good"), at("link"));
  writeFileSync(at("file"), "");
  const cases: [string, RegExp][] = [
    [open("shared", 0o770), /others may use it/],
    [open("readable", 0o755), /others may use it/],
    ["link", /is a link/],
    ["file", /is no folder/],
  ];
  if (process.getuid?.() === 0) {
    execFileSync("chown", ["65534", at(open("foreign", 0o700))]);
    cases.push(["foreign", /another user/]);
  }
  for (const [folder, reason] of cases) {
    const ended = await run(folder, large);
    t.match(ended, { code: 0, stdout: "7\n", stderr: /^note: the cache .* is not used: / }, folder);
    t.match(ended.stderr, reason);
    if (folder !== "file") t.strictSame(entries(folder), [], folder);
  }
});

t.test("[CLI-CACHE-2] what is damaged counts as absent, and is replaced", async (t) => {
  t.match(await run("damage", large), SEVEN);
  const whole = new Map(entries("damage").map((name) => [name, readFileSync(at(`damage/${name}`))]));
  const ways: [string, (path: string, bytes: Buffer) => void][] = [
    [
      "a byte",
      (path, bytes) =>
        writeFileSync(
          path,
          bytes.map((byte, k) => (k === bytes.length >> 1 ? byte ^ 4 : byte)),
        ),
    ],
    [
      "its digest",
      (path, bytes) =>
        writeFileSync(
          path,
          bytes.map((byte, k) => (k === 3 ? byte ^ 1 : byte)),
        ),
    ],
    ["its end", (path, bytes) => truncateSync(path, bytes.length - 1)],
    ["all", (path) => truncateSync(path, 0)],
  ];
  for (const [what, damage] of ways) {
    for (const [name, bytes] of whole) damage(at(`damage/${name}`), bytes);
    t.match(await run("damage", large), SEVEN, what);
    for (const [name, bytes] of whole) {
      const made = readFileSync(at(`damage/${name}`));
      t.strictSame(
        made.subarray(0, 32),
        createHash("sha256").update(made.subarray(32)).digest(),
        `${what}: whole again`,
      );
      if (name.endsWith(".image")) t.strictSame(made, bytes, what);
    }
  }
  // Whole, but of something else: V8 refuses it, and so does the reader of images.
  for (const name of whole.keys()) {
    const contents = Buffer.from("not what it seems");
    const digest = createHash("sha256").update(contents).digest();
    writeFileSync(at(`damage/${name}`), Buffer.concat([digest, contents]));
  }
  t.match(await run("damage", large), SEVEN);
  for (const [name, bytes] of whole) t.ok(statSync(at(`damage/${name}`)).size > bytes.length / 2, name);

  const [image] = entries("damage", ".image");
  const { module, code } = readImage(Uint8Array.from(readFileSync(at(`damage/${image}`)).subarray(32)));
  t.equal(module.length, 0, "who reads it has the module");
  t.ok(WebAssembly.validate(Uint8Array.from(code.bytes)));
});

t.test("[CLI-CACHE-3] writers at one time, killed ones, and what is too much", async (t) => {
  const runs = await Promise.all(Array.from({ length: 6 }, () => run("many", large)));
  for (const ended of runs) t.match(ended, SEVEN);
  t.equal(entries("many").length, 2);

  const hour = new Date(Date.now() - 3_700_000);
  const old = at("many/.tmp-1-00");
  const young = at("many/.tmp-2-00");
  for (const path of [old, young]) writeFileSync(path, "half");
  utimesSync(old, hour, hour);
  const cache = openCache({ ASHLAR_CACHE: at("many") }, () => t.fail("a good folder"))!;
  cache.write("one.image", new Uint8Array(10));
  t.notOk(existsSync(old));
  t.ok(existsSync(young));

  // Files with holes take no space.
  const half = CACHE_BYTES / 2;
  for (const [k, name] of ["oldest", "older", "newer"].entries()) {
    writeFileSync(at(`many/${name}.image`), "");
    truncateSync(at(`many/${name}.image`), half - 1000);
    const used = new Date(Date.now() - 1_000_000 + k * 1000);
    utimesSync(at(`many/${name}.image`), used, used);
  }
  cache.write("two.image", new Uint8Array(4000));
  t.strictSame(entries("many", "er.image").concat(entries("many", "est.image")), ["newer.image"], "the oldest go");
  t.same(cache.read("two.image"), new Uint8Array(4000));
  cache.write("huge.image", new Uint8Array(CACHE_BYTES / 4));
  t.equal(cache.read("huge.image"), undefined);
  rmSync(at("many/newer.image"));
});

t.test("[CLI-CACHE-4] a cache that cannot be changes nothing", async (t) => {
  t.match(await run("file/below", large), SEVEN, "no folder can be made");
  t.match(
    await ashlar(["run", ...large], { env: { ASHLAR_CACHE: "", XDG_CACHE_HOME: "", HOME: "", LOCALAPPDATA: "" } }),
    SEVEN,
  );
  if (process.platform !== "linux") return;
  t.match(await run("/proc/self", large), { code: 0, stdout: "7\n" });
  if (!existsSync("/dev/full")) return;
  // No write succeeds where files may have no bytes. What tap loads into processes listens to the signal for that, and ends them.
  const limited = `ulimit -f 0; unset NODE_OPTIONS; exec "$0" "$@"`;
  const command = join(root, "dist/ashlar.js");
  const options = {
    cwd: scratch,
    env: { ...process.env, NODE_OPTIONS: "", ASHLAR_CACHE: at("none") },
    encoding: "utf8",
  } as const;
  t.equal(
    execFileSync("sh", ["-c", `trap '' XFSZ; ${limited}`, process.execPath, command, "run", ...large], options),
    "7\n",
  );
  t.strictSame(entries("none"), []);
});

t.test("[IMAGE-BUILD-1, IMAGE-RUN-1] build, run, inspect and dis", async (t) => {
  const module = createHash("sha256")
    .update(readFileSync(at("tool.wasm")))
    .digest("hex");
  for (const options of [[], ["--optimize"]]) {
    t.match(await ashlar(["build", "tool.wasm", ...options, "-o", "tool.image"]), { code: 0, stdout: "", stderr: "" });
    for (const [call, engine] of [
      ["talk_and_exit", "compiled"],
      ["talk_and_trap", "compiled"],
      ["talk_and_trap", "reference"],
      ["descend(5)", "compiled"],
      ["loop", "compiled"],
    ] as const) {
      const more = [
        "--invoke",
        call,
        "--engine",
        engine,
        "--fuel",
        "100000",
        "--report",
        "-",
        "--digest",
        "--no-cache",
      ];
      const [image, plain] = await Promise.all([
        reportOf(ashlar(["run", "tool.image", ...more])),
        reportOf(ashlar(["run", "tool.wasm", ...more])),
      ]);
      t.equal(image.report.module.digest, module);
      const same = { durationMs: 0, module: null };
      t.strictSame({ ...image.report, ...same }, { ...plain.report, ...same }, call);
      t.strictSame([image.output, image.code], [plain.output, plain.code], call);
    }
    const inspected = JSON.parse((await ashlar(["inspect", "--json", "tool.image"])).stdout);
    const optimized = options.length > 0;
    t.match(inspected, { digest: module, image: { compiler: Number, optimized, codeBytes: Number, current: true } });
    t.match(
      (await ashlar(["inspect", "tool.image"])).stdout,
      optimized ? /bytes of optimized code\n/ : /bytes of compiled code\n/,
    );
  }
  t.equal(JSON.parse((await ashlar(["inspect", "--json", "tool.wasm"])).stdout).image, null);
  t.strictSame(await ashlar(["dis", "tool.image"]), await ashlar(["dis", "tool.wasm"]));
  t.match(await ashlar(["run", "tool.image", "--record", "run.rec"]), { code: 0, stdout: "hello\n" });
  t.match(await ashlar(["run", "tool.wasm", "--replay", "run.rec"]), { code: 0, stdout: "hello\n", stderr: "" });

  const bytes = readFileSync(at("tool.image"));
  writeFileSync(
    at("damaged.image"),
    bytes.map((byte, k) => (k === 3000 ? byte ^ 1 : byte)),
  );
  t.match(await ashlar(["run", "damaged.image"]), { code: 1, stdout: "", stderr: /^error\[VM-IMAGE\]: .*damaged/ });
  t.match(await ashlar(["build", "tool.wasm"]), { code: 2, stderr: /^error\[CLI-USAGE\]/ });
  t.match(await ashlar(["build", "tool.wasm", "-o", "nowhere/x"]), { code: 1, stderr: /^error\[CLI-BUILD\]/ });
  await wat("unknown.wasm", '(module (import "env" "abort" (func)) (func (export "_start")))');
  t.match(await ashlar(["build", "unknown.wasm", "-o", "x"]), { code: 1, stderr: /^error\[CLI-BUILD\][\s\S]*inspect/ });
  t.notOk(existsSync(at("x")));
});

t.test("[IMAGE-PREINIT-1, IMAGE-PREINIT-2, IMAGE-PREINIT-4] build --preinit", async (t) => {
  await wat(
    "library.wasm",
    `(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
      (global $n (mut i32) (i32.const 0))
      (func $add (param i32) (global.set $n (i32.add (global.get $n) (local.get 0))))
      (func (export "_initialize") (call $add (i32.const 1)))
      (func (export "ten") (call $add (i32.const 10)))
      (func (export "a, b") (call $add (i32.const 100)))
      (func (export "get") (result i32) (global.get $n))
      (func (export "trap") unreachable)
      (func (export "leave") (call $exit (i32.const 3)))
      (func $deep (export "deep") (local i64 i64 i64 i64) (if (i32.lt_u (global.get $n) (i32.const 40000)) (then (call $add (i32.const 1)) (call $deep)))))`,
  );
  const build = (...options: string[]) => ashlar(["build", "library.wasm", ...options, "-o", "ready.image"]);
  const got = (...options: string[]) => ashlar(["run", "ready.image", "--invoke", "get", ...options]);
  for (const [options, result] of [
    [["--preinit"], 1],
    [["--preinit=ten,_initialize,ten"], 21],
    [["--preinit=ten", "--preinit=a, b"], 111],
    [["--preinit=ten", "--optimize", "--dir", "."], 11],
    [["--preinit=deep"], 40_000],
  ] as const) {
    t.strictSame(await build(...options), { code: 0, signal: null, stdout: "", stderr: "" });
    for (const engine of ["compiled", "reference"])
      t.match(await got("--engine", engine), { code: 0, stdout: `${result}\n`, stderr: "" }, `${options} ${engine}`);
  }
  const { image } = JSON.parse((await ashlar(["inspect", "--json", "ready.image"])).stdout);
  t.ok(image.snapshotBytes > 200);
  t.match((await ashlar(["inspect", "ready.image"])).stdout, /begins with a snapshot of \d+ bytes/);
  t.strictSame(await ashlar(["dis", "ready.image"]), await ashlar(["dis", "library.wasm"]));
  t.match(await got("--record", "ready.rec"), { code: 1, stderr: /^error\[VM-ARGUMENT\]: .*cannot be recorded/ });
  t.match(await ashlar(["run", "library.wasm", "--invoke", "get", "--record", "plain.rec"]), {
    code: 0,
    stdout: "1\n",
  });
  t.match(await ashlar(["run", "ready.image", "--replay", "plain.rec"]), { code: 0, stdout: "1\n" }, "of the module");

  rmSync(at("ready.image"));
  t.match(await build("--preinit=ten,trap"), { code: 134, stderr: /^trap: unreachable/ });
  t.match(await build("--preinit=deep", "--fuel=1000"), { code: 134, stderr: /^trap: out of fuel/ });
  t.match(await build("--preinit=leave"), { code: 1, stderr: /^error\[CLI-BUILD\]: .*exit code 3/ });
  t.match(await build("--preinit=nothing"), { code: 1, stderr: /^error\[VM-NO-EXPORT\]/ });
  t.match(await build("--fuel=5"), { code: 2, stderr: /^error\[CLI-USAGE\]: --fuel is for --preinit/ });
  t.notOk(existsSync(at("ready.image")));
});

t.test("[IMAGE-BUILD-1] links stay, and devices are written to", { skip: !POSIX }, async (t) => {
  symlinkSync("linked.image", at("built"));
  writeFileSync(at("linked.image"), "");
  t.match(await ashlar(["build", "tool.wasm", "-o", "built"]), { code: 0 });
  t.ok(lstatSync(at("built")).isSymbolicLink());
  t.ok(isImage(readFileSync(at("linked.image"))));
  symlinkSync("/dev/null", at("device"));
  t.match(await ashlar(["build", "tool.wasm", "-o", "device"]), { code: 0 });
  t.ok(lstatSync(at("device")).isSymbolicLink());
  t.ok(statSync("/dev/null").isCharacterDevice());
});

t.test("[IMAGE-BUILD-1] without binaryen one line says how to get it", async (t) => {
  const hook = at("hook.mjs");
  writeFileSync(
    hook,
    `import { registerHooks } from "node:module";
     registerHooks({ resolve(specifier, context, next) {
       if (specifier === "binaryen") throw Object.assign(new Error("none"), { code: "ERR_MODULE_NOT_FOUND" });
       return next(specifier, context);
     } });`,
  );
  const node = ["--import", hook];
  t.match(await ashlar(["build", "tool.wasm", "--optimize", "-o", "none.image"], { node }), {
    code: 1,
    stderr: /^error\[CLI-OPTIMIZE\]: .*npm install binaryen\n/,
  });
  t.notOk(existsSync(at("none.image")));
  t.match(
    await ashlar(["build", "tool.wasm", "-o", "none.image"], { node }),
    { code: 0 },
    "it is not needed otherwise",
  );
  t.equal(dirname(at("none.image")), scratch);
});
