/** Trace digests: what they tell apart, what they do not, and the bytes that are hashed. */
import { createHash } from "node:crypto";
import t, { type Test } from "tap";
import { type AbiOptions, createAbi } from "../../../host/abi.ts";
import { openPack } from "../../../host/assets/pack.ts";
import { encodePack } from "../../../host/assets/write.ts";
import { faultyFileSystem } from "../../../host/fs/faulty.ts";
import { MemoryFileSystem } from "../../../host/fs/memory.ts";
import { InputFileSystem } from "../../../host/pel/input-files.ts";
import { type Becoming, Trace } from "../../../host/pel/trace.ts";
import { loadWat } from "../../../host/wat.ts";
import { Status } from "../../../syscalls/status.ts";
import type { Engine } from "../../../vm/index.ts";
import { Module } from "../../../vm/index.ts";
import { TrapCode } from "../../../vm/trap.ts";
import { MemoryArtifacts } from "../../syscalls/artifacts.ts";
import { onEngines } from "../../syscalls/guest.ts";
import { CONTENTS, INPUT } from "../../syscalls/packs.ts";
import { ENGINES } from "../../vm/compare.ts";

/** Digest of a run of an export, and what it threw. */
function traced(
  engine: Engine,
  module: Module,
  name: string,
  options: AbiOptions,
  becoming?: Becoming,
  fuel?: bigint,
): [string, unknown] {
  const trace = new Trace();
  trace.begin(becoming);
  let thrown: unknown;
  try {
    const abi = createAbi({ ...options, record: trace });
    module.instantiate({ engine, ...abi, ...(fuel !== undefined && { fuel }) }).invoke(name);
  } catch (error) {
    thrown = error;
  }
  return [Buffer.from(trace.end()).toString("hex"), thrown];
}

/** What is hashed, by hand. */
class Expected {
  readonly #pieces: Buffer[] = [Buffer.from("ashlar trace 1\n")];
  call(name: string): this {
    this.#pieces.push(Buffer.from([name.length]), Buffer.from(name));
    return this;
  }
  u8(...values: readonly number[]): this {
    this.#pieces.push(Buffer.from(values));
    return this;
  }
  u32(...values: readonly number[]): this {
    for (const value of values) {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(value >>> 0);
      this.#pieces.push(word);
    }
    return this;
  }
  u64(value: bigint): this {
    const words = Buffer.alloc(8);
    words.writeBigUInt64LE(BigInt.asUintN(64, value));
    this.#pieces.push(words);
    return this;
  }
  bytes(bytes: Uint8Array): this {
    const isPlain = bytes.length <= 256;
    this.u8(isPlain ? 0 : 1).u32(bytes.length);
    return this.raw(isPlain ? bytes : createHash("sha256").update(bytes).digest());
  }
  raw(bytes: Uint8Array): this {
    this.#pieces.push(Buffer.from(bytes));
    return this;
  }
  digest(): string {
    return createHash("sha256").update(Buffer.concat(this.#pieces)).digest("hex");
  }
}

/** The same calls, with several results or with a pointer to them; exports `run`, and some that end otherwise. */
function guest(packed: boolean): Promise<Uint8Array> {
  const results = packed ? "(result i32)" : "(result i32 i64)";
  const counts = packed ? "(result i32)" : "(result i32 i32 i32)";
  const pointer = packed ? "i32" : "";
  const open = packed
    ? `(drop (call $o (i64.const 0) (call $own) (local.get 0) (local.get 1) (local.get 2) (i32.const 400))) (i64.load (i32.const 400))`
    : `(call $o (i64.const 0) (call $own) (local.get 0) (local.get 1) (local.get 2)) (local.set 3) drop (local.get 3)`;
  return loadWat(`(module
    (import "fs" "open${packed ? "_p" : ""}" (func $o (param i64 i64 i32 i32 i32 ${pointer}) ${results}))
    (import "fs" "read${packed ? "_p" : ""}" (func $r (param i64 i64 i64 i32 i32 ${pointer}) ${counts}))
    (import "fs" "write${packed ? "_p" : ""}" (func $w (param i64 i64 i64 i32 i32 ${pointer}) ${packed ? "(result i32)" : "(result i32 i32)"}))
    (import "fs" "close" (func $close (param i64) (result i32)))
    (import "sys" "stdout" (func $stdout (result i64)))
    (import "sys" "log" (func $log (param i64 i32 i32)))
    (import "sys" "exit" (func $exit (param i32)))
    (import "sys" "arg_size" (func $arg (param i32) (result i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 2)
    (data (i32.const ${packed ? 0 : 32}) "/in/a/out/b")
    (func $open (param i32 i32 i32) (result i64) (local i64) ${open})
    (func $read (param i64 i64 i32 i32)
      ${packed ? "(drop (call $r (local.get 0) (local.get 1) (call $own) (local.get 2) (local.get 3) (i32.const 420)))" : "(call $r (local.get 0) (local.get 1) (call $own) (local.get 2) (local.get 3)) drop drop drop"})
    (func $write (param i64 i64 i32 i32)
      ${packed ? "(drop (call $w (local.get 0) (local.get 1) (call $own) (local.get 2) (local.get 3) (i32.const 420)))" : "(call $w (local.get 0) (local.get 1) (call $own) (local.get 2) (local.get 3)) drop drop"})
    (func (export "run") (local $in i64) (local $out i64)
      (local.set $in (call $open (i32.const ${packed ? 0 : 32}) (i32.const 5) (i32.const 1)))
      (call $read (local.get $in) (i64.const 2) (i32.const 1000) (i32.const 300))
      (local.set $out (call $open (i32.const ${packed ? 5 : 37}) (i32.const 6) (i32.const 7)))
      (call $write (local.get $out) (i64.const 1) (i32.const 1000) (i32.const 300))
      (call $read (local.get $out) (i64.const 0) (i32.const 2000) (i32.const 1000))
      (call $write (call $stdout) (i64.const -1) (i32.const 1000) (i32.const 3))
      (drop (call $open (i32.const ${packed ? 5 : 37}) (i32.const 5) (i32.const 1)))
      (drop (call $close (local.get $in)))
      (call $log (call $own) (i32.const 1000) (i32.const 2)))
    (func (export "exit") (call $exit (i32.const 7)))
    (func (export "trap") (drop (call $arg (i32.const 5))))
    (func (export "many") (local $k i32)
      (loop $more (call $log (call $own) (local.get $k) (i32.const 200))
        (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 2000)))))
    (func (export "nothing")))`);
}

const GUESTS = [Module.decode(await guest(false)), Module.decode(await guest(true))];
const KEY = Buffer.from("1220".padEnd(68, "a"), "hex");
const TEXT = Buffer.alloc(600, "what an input holds; ");

function world(): { options: AbiOptions; becoming: Becoming } {
  const files = new MemoryFileSystem();
  const inputs = new InputFileSystem(
    [{ name: "a", key: KEY, bytes: TEXT.length }],
    (_, offset, into) => void into.set(TEXT.subarray(offset, offset + into.length)),
  );
  const mounts = [
    { guest: "/in", fs: inputs },
    { guest: "/out", fs: files },
  ];
  return { options: { mounts, stdout: () => {}, args: ["one"] }, becoming: { files, streams: new Set() } };
}

function run(
  name: string,
  change: (made: ReturnType<typeof world>) => ReturnType<typeof world> = (made) => made,
): string {
  const digests = ENGINES.flatMap((engine) =>
    GUESTS.map((module) => {
      const { options, becoming } = change(world());
      return traced(engine, module, name, options, becoming)[0];
    }),
  );
  if (new Set(digests).size > 1) throw new Error(`the digests of ${name} differ: ${digests}`);
  return digests[0]!;
}

t.test(
  "[PER-TRACE-1, PER-TRACE-2, PER-TRACE-3, PER-TRACE-4] the bytes that are hashed, on both engines and in both forms",
  async (t) => {
    const moved = TEXT.subarray(2, 302);
    const read = Buffer.concat([Buffer.alloc(1), moved]);
    const opened = (path: string, flags: number, ref: number): Expected =>
      expected.call("fs.open").u32(0, path.length, flags).bytes(Buffer.from(path)).u8(0).u32(0, ref);
    const expected = new Expected();
    opened("/in/a", 1, 1);
    expected.call("fs.read").u32(1).u64(2n).u32(300).u8(0).u32(0, 300, 0).u8(2, 34).raw(KEY);
    opened("/out/b", 7, 2);
    expected.call("fs.write").u32(2).u64(1n).u32(300).u8(4).u8(0).u32(0, 300);
    expected.call("fs.read").u32(2).u64(0n).u32(1000).u8(0).u32(0, 301, 1).bytes(read);
    expected.call("sys.stdout").u8(0).u32(3);
    expected.call("fs.write").u32(3).u64(-1n).u32(3).bytes(moved.subarray(0, 3)).u8(0).u32(0, 3);
    expected.call("fs.open").u32(0, 5, 1).bytes(Buffer.from("/out/")).u8(0).u32(Status.IS_DIRECTORY);
    expected.call("fs.close").u32(1).u8(0).u32(0);
    expected.call("sys.log").u32(2).bytes(moved.subarray(0, 2)).u8(0);
    t.equal(run("run"), expected.digest());
    t.equal(run("nothing"), new Expected().digest());
    t.equal(run("exit"), new Expected().call("sys.exit").u32(7).u8(2).u32(7).digest());
    t.equal(run("trap"), new Expected().call("sys.arg_size").u32(5).u8(1).u32(TrapCode.BadArgument).digest());
  },
);

t.test("[PER-TRACE-4] streams that become artifacts, and files that do not", async (t) => {
  const plain = run("run");
  const stream = run("run", ({ options, becoming }) => ({
    options,
    becoming: { ...becoming, streams: new Set(["stdout"] as const) },
  }));
  const hashed = run("run", ({ options }) => ({ options, becoming: {} }));
  t.equal(new Set([plain, stream, hashed]).size, 3);
});

t.test("[PER-TRACE-1] more than is gathered at once", async (t) => {
  const memory = Buffer.alloc(3000);
  // Of both forms: their paths lie elsewhere, which these lines show.
  for (const [form, at] of [
    [GUESTS[1]!, 0],
    [GUESTS[0]!, 32],
  ] as const) {
    memory.fill(0);
    memory.write("/in/a/out/b", at);
    const own = new Expected();
    for (let k = 0; k < 2000; k++)
      own
        .call("sys.log")
        .u32(200)
        .bytes(memory.subarray(k, k + 200))
        .u8(0);
    for (const engine of ENGINES) t.equal(traced(engine, form, "many", {})[0], own.digest());
  }
});

onEngines("[PER-TRACE-4] artifacts and assets are told by their names", async (t: Test, engine) => {
  const store = new MemoryArtifacts();
  const key = store.add(TEXT);
  const module = Module.decode(
    await loadWat(`(module
      (import "asl" "open_p" (func $open (param i64 i32 i32 i32) (result i32)))
      (import "asl" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
      (import "asl" "create_p" (func $create (param i32 i32 i32) (result i32)))
      (import "asl" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
      (import "bank" "open_asset_p" (func $asset (param i32 i32) (result i32)))
      (import "bank" "read_p" (func $load (param i64 i64 i64 i32 i32 i32) (result i32)))
      (import "bytes" "of_memory" (func $own (result i64)))
      (memory (export "memory") 1)
      (data (i32.const 0) "${[...key].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("")}")
      (func (export "run")
        (drop (call $open (call $own) (i32.const 0) (i32.const 34) (i32.const 100)))
        (drop (call $read (i64.load (i32.const 100)) (i64.const 1) (call $own) (i32.const 1000) (i32.const 20) (i32.const 200)))
        (drop (call $create (i32.const 5) (i32.const 1) (i32.const 108)))
        (drop (call $write (i64.load (i32.const 108)) (i64.const -1) (call $own) (i32.const 1000) (i32.const 20) (i32.const 200)))
        (drop (call $asset (i32.const 2) (i32.const 116)))
        (drop (call $load (i64.load (i32.const 116)) (i64.const 3) (call $own) (i32.const 1000) (i32.const 40) (i32.const 200)))))`),
  );
  const pack = openPack(await encodePack(INPUT));
  const [digest, thrown] = traced(engine, module, "run", { store, assets: pack });
  t.equal(thrown, undefined);
  const expected = new Expected()
    .call("asl.open")
    .u32(34)
    .bytes(key)
    .u8(0)
    .u32(0, 1)
    .call("asl.read")
    .u32(1)
    .u64(1n)
    .u32(20)
    .u8(0)
    .u32(0, 20, 0)
    .u8(2, 34)
    .raw(key)
    .call("asl.create")
    .u32(5, 1)
    .u8(0)
    .u32(0, 2)
    .call("asl.write")
    .u32(2)
    .u64(-1n)
    .u32(20)
    .u8(4)
    .u8(0)
    .u32(0, 20)
    .call("bank.open_asset")
    .u32(2)
    .u8(0)
    .u32(0, 3)
    .call("bank.read")
    .u32(3)
    .u64(3n)
    .u32(40)
    .u8(0)
    .u32(0, 40, 0)
    .u8(3, pack.identity.length)
    .raw(Buffer.from(pack.identity))
    .u32(2);
  t.equal(digest, expected.digest());
  t.ok(CONTENTS[2]!.length > 43);
  const fresh = new MemoryArtifacts();
  fresh.add(TEXT);
  const poor = traced(engine, module, "run", { store: fresh, assets: pack }, undefined, 6000n);
  t.match(poor[1], { code: TrapCode.OutOfFuel });
  t.equal(
    poor[0],
    new Expected().call("asl.open").u32(34).bytes(key).u8(0).u32(0, 1).digest(),
    "what there was no fuel for was not called",
  );
});

onEngines("[PEL-KERNEL-10] what the host fails at ends the guest, whatever the status would be", async (t, engine) => {
  const { options, becoming } = world();
  const [inputs, outputs] = options.mounts!;
  const faults = [
    { operation: "create", status: Status.NO_SPACE },
    { operation: "write", status: Status.NO_SPACE },
    { operation: "read", status: Status.OTHER },
  ] as const;
  for (const fault of faults) {
    const fs = faultyFileSystem(new MemoryFileSystem(), { at: 1, ...fault });
    const [, thrown] = traced(
      engine,
      GUESTS[1]!,
      "run",
      { ...options, mounts: [inputs!, { ...outputs!, fs }] },
      becoming,
    );
    t.match(thrown, { code: "PEL-KERNEL" }, fault.operation);
  }
  const stdout = (): never => {
    throw new RangeError("Array buffer allocation failed");
  };
  t.match(traced(engine, GUESTS[1]!, "run", { ...options, stdout })[1], { code: "PEL-KERNEL" });
});

t.test("[PER-TRACE-3] refs have other numbers in each trace, and one each", async (t) => {
  const trace = new Trace();
  const { options } = world();
  const abi = createAbi({ ...options, record: trace });
  const instance = GUESTS[1]!.instantiate({ engine: "compiled", ...abi });
  const digests = Array.from({ length: 4 }, () => {
    trace.begin();
    instance.invoke("run");
    return Buffer.from(trace.end()).toString("hex");
  });
  // What stays open takes slots, which do not show; that the file is there from the second time on does not either.
  t.equal(new Set(digests.slice(1)).size, 1);
});
