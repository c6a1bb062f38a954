/** Guests as kernels: what they are given, how they end, and what becomes of what they leave. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { AslError } from "../../../host/asl/errors.ts";
import { keyBytes } from "../../../host/asl/key.ts";
import { encodePack } from "../../../host/assets/write.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import { FailureCode, type Outcome } from "../../../host/pel/claim.ts";
import { type KernelEnd, KernelPool } from "../../../host/pel/kernel-pool.ts";
import { writeNode } from "../../../host/pel/program.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { CborWriter } from "../../../host/tgk/cbor.ts";
import { loadWat } from "../../../host/wat.ts";
import { Status } from "../../../syscalls/status.ts";
import { TrapCode } from "../../../vm/trap.ts";
import { keyOf, MemoryArtifacts, textOf } from "../../syscalls/artifacts.ts";
import { INPUT } from "../../syscalls/packs.ts";
import { ENGINES } from "../../vm/compare.ts";
import { type JobOptions, jobOf, KERNEL } from "./kernels.ts";
import { openStore } from "./runs.ts";

const pool = new KernelPool({ workers: 2 });
t.teardown(() => pool.close());

/** A kernel on both engines, whose ends are the same. */
async function run(t: Test, options: JobOptions): Promise<KernelEnd> {
  const [compiled, reference] = await Promise.all(ENGINES.map((engine) => pool.run(jobOf(engine, options))));
  t.same(compiled, reference, `${options.entry}: both engines`);
  t.equal(compiled!.trace.length, 32);
  return compiled!;
}

/** By names: what the outputs are as text. */
function texts({ outputs }: KernelEnd): { [name: string]: string } {
  return Object.fromEntries(
    outputs.map((output) => [
      output.name,
      "bytes" in output ? Buffer.from(output.bytes).toString() : textOf(output.key),
    ]),
  );
}

function failure(code: keyof typeof FailureCode, detail: string): Outcome {
  return { type: "failure", code: FailureCode[code], detail };
}

/** A function that answers nothing where its type says a number. */
const INVALID = Buffer.from("0061736d010000000105016000017f030201000a040102000b", "hex");

const EXIT = (code: number): Outcome => ({ type: "exit", code });
const OK: Outcome = { type: "ok" };

t.test("[PEL-KERNEL-1, PEL-KERNEL-7, PEL-KERNEL-8] how kernels end, and what they leave", async (t) => {
  const cases: readonly (readonly [
    entry: string,
    Outcome | { type: "trap"; code: number },
    made?: { [name: string]: string },
    options?: JobOptions,
  ])[] = [
    ["hello", OK, { a: "hello, world" }],
    ["exit_well", OK, { a: "hello, world" }],
    ["empty", OK, { a: "" }],
    ["twice", OK, { a: "world" }],
    ["nothing", OK, {}, { outputs: [] }],
    ["nothing", failure("MISSING_OUTPUT", "a")],
    ["gone", failure("MISSING_OUTPUT", "a")],
    ["hello", failure("MISSING_OUTPUT", "b"), {}, { outputs: ["a", "b", "c"] }],
    ["undeclared", failure("UNDECLARED_OUTPUT", "b")],
    ["undeclared", failure("UNDECLARED_OUTPUT", "a"), {}, { outputs: [] }],
    ["undeclared", failure("UNDECLARED_OUTPUT", "b"), {}, { outputs: ["a", "z"] }],
    ["undeclared", OK, { a: "hello, world", b: "" }, { outputs: ["a", "b"] }],
    ["two_names", OK, { a: "hello, world", b: "hello, world" }, { outputs: ["a", "b"] }],
    ["directory", failure("UNDECLARED_OUTPUT", "b")],
    ["directory", failure("MISSING_OUTPUT", "b"), {}, { outputs: ["a", "b"] }],
    ["directory_for_file", failure("MISSING_OUTPUT", "a")],
    ["symlink", failure("UNDECLARED_OUTPUT", "b")],
    ["symlink", failure("MISSING_OUTPUT", "b"), {}, { outputs: ["a", "b"] }],
    ["exit", EXIT(3)],
    ["answer", EXIT(7)],
    ["trap", { type: "trap", code: TrapCode.Unreachable }],
    ["divide", { type: "trap", code: TrapCode.IntegerDivideByZero }],
    ["forge", { type: "trap", code: TrapCode.HeapRefStale }],
    ["artifact", { type: "trap", code: TrapCode.MissingCapability }],
    ["loop", { type: "out-of-fuel" }, {}, { limits: { fuel: 1_000_000n } }],
    ["hello", { type: "out-of-fuel" }, {}, { limits: { fuel: 0n } }],
    ["deep", { type: "trap", code: TrapCode.StackExhausted }],
    ["deep", { type: "trap", code: TrapCode.StackExhausted }, {}, { limits: { depth: 100 } }],
    ["grow", OK, {}, { outputs: [] }],
    ["grow", EXIT(252), {}, { limits: { memoryPages: 12 } }],
    ["objects", EXIT(9), {}, { limits: { heapObjects: 100 } }],
    ["objects", EXIT(9), {}, { limits: { heapBytes: 65_536 } }],
    ["write_in", EXIT(Status.READ_ONLY)],
    ["huge", EXIT(Status.QUOTA), {}, { limits: { outputBytes: 1_000_000 } }],
    ["huge_stream", EXIT(Status.QUOTA), {}, { limits: { outputBytes: 1_000_000 }, node: { stdout: "a" } }],
    ["huge_stream", { type: "out-of-fuel" }, {}, { limits: { fuel: 10_000_000n } }],
    ["copy", EXIT(Status.NOT_FOUND)],
  ];
  for (const [entry, outcome, made = {}, options = {}] of cases) {
    const end = await run(t, { entry, ...options });
    t.match(end.outcome, outcome, entry);
    t.same(texts(end), made, entry);
  }
  const { outcome, fuel } = await run(t, { entry: "trap" });
  t.match(outcome, { function: 32, offset: Number });
  t.ok(fuel > 2000n);
});

t.test("[PEL-KERNEL-1] modules that are none, do not link or lack the entry", async (t) => {
  const wat = (body: string): Promise<Uint8Array> => loadWat(`(module ${body})`);
  const cases: readonly (readonly [detail: string, JobOptions])[] = [
    ["VM-DECODE", { module: new Uint8Array(0) }],
    ["VM-DECODE", { module: Buffer.from("no module, though it is long enough") }],
    ["VM-VALIDATION", { module: INVALID }],
    ["VM-LINK", { module: await wat(`(import "env" "x" (func)) (func (export "_start"))`) }],
    ["VM-LINK", { module: await wat(`(import "sys" "clock" (func)) (func (export "_start"))`) }],
    ["VM-LIMIT", { module: await wat(`(memory 3) (func (export "_start"))`), limits: { memoryPages: 2 } }],
    ["CLI-ENTRY", { module: await wat(`(func (export "other"))`) }],
    ["CLI-ENTRY", { module: await wat(`(func (export "_start") (param i32))`) }],
    ["CLI-ENTRY", { entry: "takes" }],
    ["CLI-ENTRY", { entry: "answers" }],
    ["VM-NO-EXPORT", { entry: "missing" }],
    ["VM-NO-EXPORT", { entry: "memory" }],
  ];
  for (const [detail, options] of cases) {
    const end = await run(t, options);
    t.same(end.outcome, failure("BAD_MODULE", detail));
    t.same([end.fuel, end.outputs], [0n, []]);
  }
  const start = await wat(
    `(import "sys" "exit" (func $exit (param i32))) (func (export "_initialize") (call $exit (i32.const 4))) (func (export "run"))`,
  );
  t.same((await run(t, { module: start, entry: "run" })).outcome, EXIT(4), "a library is initialised first");
});

t.test("[PEL-KERNEL-2] what a kernel is given is the same in every run", async (t) => {
  const options: JobOptions = { entry: "world", node: { args: ["first", ""] } };
  const end = await run(t, options);
  const bytes = Buffer.from((end.outputs[0] as { bytes: Uint8Array }).bytes);
  t.same((await run(t, options)).outputs, end.outputs);
  t.equal(bytes.readBigInt64LE(48) / 1_000_000_000n, 1n, "sleeping puts the clock forward");
  t.ok(bytes.readBigInt64LE(40) < 1_000_000n, "it begins at 0");
  t.same([bytes[56], bytes[57]], [2, 0]);
  t.equal(bytes.subarray(58).toString(), "firstguest");
  const block = createHash("sha256").update(new Uint8Array(32).fill(7)).update(new Uint8Array(8)).digest();
  t.same(bytes.subarray(0, 32), block);
  const other = await run(t, { ...options, seed: new Uint8Array(32) });
  t.notSame(Buffer.from((other.outputs[0] as { bytes: Uint8Array }).bytes).subarray(0, 40), bytes.subarray(0, 40));
  t.notSame(other.trace, end.trace);
  t.same((await run(t, { entry: "input", outputs: [] })).outcome, OK, "standard input is empty");
});

t.test("[PEL-KERNEL-3] the seed is of the node and its inputs", async (t) => {
  const store = openStore();
  t.teardown(() => store.close());
  const module = await store.put(KERNEL);
  const builder = new ProgramBuilder();
  const input = builder.input("in");
  const guest = builder.guest({ module, entry: "world", args: ["x"], inputs: { a: input }, outputs: ["a"] });
  const program = builder.output("out", guest.output("a")).build();
  const given = await store.put(Buffer.from("given"));
  const { outputs } = await runProgram(store, program, { inputs: { in: given }, workers: 1 });
  const made = store.get(outputs[0]!.key)!;
  const node = program.nodes.find(({ op }) => op === "guest")!;
  const writer = new CborWriter();
  writeNode(writer, node);
  writer.array(1).bytes(keyBytes(given));
  const seed = createHash("sha256").update(writer.written).digest();
  const block = createHash("sha256").update(seed).update(new Uint8Array(8)).digest();
  t.same(Buffer.from(made.subarray(0, 32)), block);
});

t.test("[PEL-KERNEL-4] inputs are files", async (t) => {
  const long = Buffer.alloc(1_000_000, "0123456789abcdefghijklmnopqrstuvwxyz_");
  for (const [name, bytes] of Object.entries({
    nothing: Buffer.alloc(0),
    short: Buffer.from("short"),
    shipped: long.subarray(0, 32_768),
    asked: long.subarray(0, 32_769),
    long,
  })) {
    const end = await run(t, { entry: "copy", inputs: { a: bytes } });
    t.same(end.outcome, OK);
    t.ok(Buffer.from((end.outputs[0] as { bytes: Uint8Array }).bytes).equals(bytes), name);
  }
  const sampled = texts(await run(t, { entry: "sample", inputs: { a: long, b: long.subarray(1) } }));
  t.equal(sampled.a, Array.from({ length: 1000 }, (_, k) => String.fromCharCode(long[(999 - k) * 1000]!)).join(""));
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`f${k}`, long.subarray(0, 30_000 + k)]));
  const end = await run(t, { entry: "copy", inputs: { ...many, a: Buffer.from("last") } });
  t.same(texts(end), { a: "last" }, "more than is handed over at once");
  const listed = await run(t, { entry: "list", inputs: { a: long, é: long, B: long } });
  t.same(texts(listed), { a: "\x01\x01B\x01\x01a\x01\x02é" });
});

t.test("[PEL-KERNEL-6] streams that are outputs, and streams that are not", async (t) => {
  t.same(texts(await run(t, { entry: "print", outputs: [] })), {});
  const both: JobOptions = { entry: "print", outputs: ["err", "out"], node: { stdout: "out", stderr: "err" } };
  t.same(texts(await run(t, both)), { err: "world", out: "hello, world" });
  t.same(texts(await run(t, { entry: "nothing", node: { stdout: "a" } })), { a: "" });
  t.same((await run(t, { entry: "hello", node: { stdout: "a" } })).outcome, failure("UNDECLARED_OUTPUT", "a"));
});

/** Opens the input `a` by the key that the environment tells, and seals as many artifacts with its bytes as there are arguments. */
const ARTIFACTS = await loadWat(`(module
  (import "asl" "open" (func $open (param i64 i32 i32) (result i32 i64)))
  (import "asl" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "asl" "create" (func $create (param i32 i32) (result i32 i64)))
  (import "asl" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "asl" "seal" (func $seal (param i64 i64 i32 i32) (result i32 i32)))
  (import "asl" "list" (func $list (param i64 i32 i32 i64 i32 i32) (result i32 i32 i32)))
  (import "asl" "close" (func $close (param i64) (result i32)))
  (import "sys" "env_read" (func $env (param i32 i64 i32 i32) (result i32)))
  (import "sys" "args_count" (func $args (result i32)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "fs" "write" (func $print (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 20)
  (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func $length (result i32) (local $ref i64) (local $got i32)
    (call $open (call $own) (i32.const 2) (i32.sub (call $env (i32.const 0) (call $own) (i32.const 0) (i32.const 200)) (i32.const 2)))
    (local.set $ref) (call $must)
    (call $read (local.get $ref) (i64.const 0) (call $own) (i32.const 65536) (i32.const 1100000)) drop (local.set $got) (call $must)
    (call $must (call $close (local.get $ref)))
    (local.get $got))
  (func (export "_start") (local $k i32) (local $n i32) (local $writer i64)
    (local.set $n (call $length))
    (block $over (loop $more
      (br_if $over (i32.ge_u (local.get $k) (call $args)))
      (call $create (i32.const 9) (i32.const 1)) (local.set $writer) (call $must)
      (call $write (local.get $writer) (i64.const -1) (call $own) (i32.const 65536) (local.get $n)) drop (call $must)
      (call $write (local.get $writer) (i64.const -1) (call $own) (i32.const 65536) (local.get $k)) drop (call $must)
      (call $seal (local.get $writer) (call $own) (i32.const 0) (i32.const 40)) drop (call $must)
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br $more))))
  ;; Lists all, and writes how many records' bytes there are.
  (func (export "list") (local $got i32)
    (call $list (call $own) (i32.const 0) (i32.const 0) (call $own) (i32.const 0) (i32.const 65536)) drop (local.set $got) (call $must)
    (call $print (call $stdout) (i64.const -1) (call $own) (i32.const 0) (local.get $got)) drop drop)
  (func (export "unsealed") (local $writer i64)
    (call $create (i32.const 9) (i32.const 1)) (local.set $writer) (call $must)
    (call $write (local.get $writer) (i64.const -1) (call $own) (i32.const 0) (i32.const 600000)) drop (call $must)))`);

t.test("[PEL-KERNEL-5] kernels of artifacts", async (t) => {
  const outputs = [
    { name: "x", tag: 9 },
    { name: "y", tag: 9 },
  ];
  for (const length of [0, 5, 40_000, 1_000_000]) {
    const bytes = Buffer.alloc(length, "artifact");
    const options = (count: number): JobOptions => ({
      module: ARTIFACTS,
      inputs: { a: bytes },
      node: { io: "artifacts", outputs, args: Array.from({ length: count }, () => "") },
    });
    const end = await run(t, options(2));
    t.same(end.outcome, OK);
    t.same(texts(end), {
      x: textOf(keyOf(bytes)),
      y: textOf(keyOf(Buffer.concat([bytes, Buffer.from(length > 0 ? "a" : "\0")]))),
    });
    t.same((await run(t, options(1))).outcome, failure("MISSING_OUTPUT", "y"));
    t.same((await run(t, options(3))).outcome.type, "failure");
    t.same(
      (await run(t, options(4))).outcome,
      EXIT(Status.QUOTA),
      "one more than is declared is told of, and no more made",
    );
  }
  const small = { module: ARTIFACTS, inputs: { a: Buffer.from("small") } };
  const untagged = { io: "artifacts", outputs: [{ name: "x", tag: undefined }], args: [""] } as const;
  t.same((await run(t, { ...small, node: untagged })).outcome, failure("MISSING_OUTPUT", "x"), "another tag");
  t.same(
    (await run(t, { ...small, node: { ...untagged, stdout: "x" } })).outcome.type,
    "failure",
    "a stream takes the output",
  );
  t.same((await run(t, { ...small, entry: "unsealed", node: { ...untagged, outputs: [] } })).outcome, OK);
  t.same(
    (await run(t, { ...small, limits: { outputBytes: 4 }, node: { ...untagged, args: [""] } })).outcome,
    EXIT(Status.QUOTA),
  );
  const listed = await run(t, { ...small, entry: "list", node: { ...untagged, stdout: "x" } });
  const output = listed.outputs[0] as { readonly bytes: Uint8Array };
  t.same(output.bytes.subarray(1, 35), keyOf(Buffer.from("small")), "it sees its inputs, and nothing else");
  t.equal(output.bytes.length, 48);
});

t.test("[PEL-KERNEL-9] an input that is a pack is what banks hold", async (t) => {
  const module = await loadWat(`(module
    (import "bank" "open_slot" (func $open (param i32 i32) (result i32 i64)))
    (import "bank" "open_asset" (func $asset (param i32) (result i32 i64)))
    (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
    (import "fs" "write" (func $print (param i64 i64 i64 i32 i32) (result i32 i32)))
    (import "fs" "open" (func $file (param i64 i64 i32 i32 i32) (result i32 i64)))
    (import "sys" "stdout" (func $stdout (result i64)))
    (import "sys" "exit" (func $exit (param i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (data (i32.const 0) "/in/assets")
    (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
    (func (export "_start") (local $bank i64) (local $n i32)
      (call $asset (i32.const -2147483648)) (local.set $bank) (call $must)
      (call $read (local.get $bank) (i64.const 2) (call $own) (i32.const 100) (i32.const 6)) drop (local.set $n) (call $must)
      (call $print (call $stdout) (i64.const -1) (call $own) (i32.const 100) (local.get $n)) drop drop)
    (func (export "as_file") (call $file (i64.const 0) (call $own) (i32.const 0) (i32.const 10) (i32.const 1)) drop (call $must)))`);
  const pack = await encodePack(INPUT);
  const options: JobOptions = {
    module,
    inputs: { assets: pack },
    outputs: ["out"],
    node: { assets: "assets", stdout: "out" },
  };
  t.same(texts(await run(t, options)), { out: "234567" });
  t.same((await run(t, { ...options, entry: "as_file" })).outcome, EXIT(Status.NOT_FOUND), "it is no file");
  const broken = { ...options, inputs: { assets: pack.subarray(0, 100) } };
  t.same((await run(t, broken)).outcome, failure("BAD_ASSETS", "PACK-LENGTH"));
  const none = { ...options, inputs: { assets: Buffer.from("no pack") } };
  t.equal((await run(t, none)).outcome.type, "failure");
});

t.test("[PEL-KERNEL-10] what the host fails at is no outcome", async (t) => {
  for (const engine of ENGINES) {
    const error = new AslError("ASL-CORRUPT", "on purpose");
    for (const length of [5, 100_000]) {
      const store = new MemoryArtifacts({ faults: { error } });
      const job = jobOf(engine, { entry: "copy", inputs: { a: Buffer.alloc(length) }, store });
      await t.rejects(pool.run(job), error, `${engine}: ${length} bytes`);
    }
    const asked = { module: ARTIFACTS, inputs: { a: Buffer.alloc(100_000) }, node: { io: "artifacts" } as const };
    await t.rejects(pool.run(jobOf(engine, { ...asked, store: new MemoryArtifacts({ faults: { error } }) })), error);
    const assets = { entry: "nothing", inputs: { a: Buffer.alloc(100_000) }, node: { assets: "a" } };
    await t.rejects(pool.run(jobOf(engine, { ...assets, store: new MemoryArtifacts({ faults: { error } }) })), error);
    const module = (): never => {
      throw error;
    };
    await t.rejects(pool.run({ ...jobOf(engine, { module: Buffer.from("another") }), module }), error);
    t.same((await pool.run(jobOf(engine, { entry: "nothing", outputs: [] }))).outcome, OK, "and the next runs");
  }
});

t.test("[PEL-KERNEL-1] a program of WASI, unchanged", async (t) => {
  const minigzip = readFileSync(new URL("../../programs/build/minigzip.wasm", import.meta.url));
  const text = Buffer.from("what is packed is packed again and again; ".repeat(2000));
  // It packs in place, so first it is asked for what it writes to standard output.
  const end = await run(t, {
    module: minigzip,
    inputs: { text },
    outputs: ["out"],
    node: { args: ["-9", "-c", "/in/text"], stdout: "out" },
  });
  t.same(end.outcome, OK);
  t.same(gunzipSync((end.outputs[0] as { bytes: Uint8Array }).bytes), text);
});
