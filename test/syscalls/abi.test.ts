/** The host ABI from a guest's side: linking, fuel, arguments, streams, exit, snapshots; and the bindings. */
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import t from "tap";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import { Exit } from "../../syscalls/exit.ts";
import { GENERATED } from "../../syscalls/generate.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { Heap } from "../../vm/heap.ts";
import { Instance, Module, type Trap } from "../../vm/index.ts";
import { Driver, type Ref, wide } from "../conformance/driver.ts";

const { READ, WRITE, CREATE, APPEND, DIRECTORY } = OpenFlag;
const root = fileURLToPath(new URL("../../", import.meta.url));

async function instantiate(wat: string, options: AbiOptions = {}, fuel?: bigint): Promise<Instance> {
  const module = Module.decode(await loadWat(wat));
  return module.instantiate({ ...createAbi(options), ...(fuel === undefined ? {} : { fuel }) });
}

/** What `run` throws. */
function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

t.test("[ABI-LINK-1] unknown imports and wrong signatures are link errors", async (t) => {
  const refused = async (field: string): Promise<void> => {
    const module = Module.decode(await loadWat(`(module ${field})`));
    const { imports, kinds } = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
    t.throws(() => module.instantiate({ imports, kinds }), { code: "VM-LINK" }, field);
  };
  await refused(`(import "fs" "none" (func))`);
  await refused(`(import "fs" "close_p" (func (param i64 i32) (result i32)))`);
  await refused(`(import "fs" "constructor" (func))`);
  await refused(`(import "constructor" "name" (func))`);
  await refused(`(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))`);
  await refused(`(import "fs" "close" (func (param i32) (result i32)))`);
  await refused(`(import "fs" "size" (func (param i64) (result i64)))`);
  await refused(`(import "sys" "exit" (func (param i32) (result i32)))`);
  await refused(`(import "sys" "exit" (global i32))`);
  // All calls link without a grant, and trap only when they are called.
  const instance = await instantiate(`(module
    (import "fs" "open" (func $open (param i64 i32 i32 i32) (result i32 i64)))
    (import "fs" "open_p" (func $open_p (param i64 i32 i32 i32 i32) (result i32)))
    (import "sys" "stdin" (func $stdin (result i64)))
    (func (export "fine"))
    (func (export "open") (call $open (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) drop drop))`);
  t.same(instance.invoke("fine"), []);
  t.match(
    thrown(() => instance.invoke("open")),
    { code: 61, reason: "MissingCapability", function: 4 },
  );
});

t.test("[ABI-VERSION-1, ABI-VERSION-2] the version a module was built for", async (t) => {
  const plain = await loadWat("(module)");
  const name = [...Buffer.from("ashlar.abi")];
  const section = (...contents: number[]): number[] => [
    0,
    1 + name.length + contents.length,
    name.length,
    ...name,
    ...contents,
  ];
  const check = (...sections: number[][]): void => {
    Module.decode(new Uint8Array([...plain, ...sections.flat()])).instantiate({ ...createAbi() });
  };
  check();
  check(section(1));
  check(section(0x81, 0x00));
  for (const bad of [
    [section(2)],
    [section(0)],
    [section()],
    [section(1, 0)],
    [section(0x81)],
    [section(0x80, 0x80, 0x80, 0x80, 0x10)],
    [section(1), section(1)],
  ])
    t.throws(() => check(...bad), { code: "VM-LINK" }, JSON.stringify(bad));
  const instance = await instantiate(
    `(module (import "sys" "abi_version" (func $v (result i32))) (export "v" (func $v)))`,
  );
  t.same(instance.invoke("v"), [1]);
});

t.test("[ABI-FUEL-1, ABI-FUEL-2] prices, and what is left", async (t) => {
  const wat = `(module
    (import "sys" "fuel_left" (func $left (result i64)))
    (import "sys" "arg_read" (func $read (param i32 i64 i32 i32) (result i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (func (export "left") (result i64) (call $left))
    (func (export "read") (param i32) (result i32) (call $read (i32.const 0) (call $own) (i32.const 0) (local.get 0))))`;
  const unlimited = await instantiate(wat, { args: ["hello"] });
  t.same(unlimited.invoke("left"), [-1n]);
  const limited = await instantiate(wat, { args: ["hello"] }, 10_000n);
  const [left] = limited.invoke("left");
  t.equal(left, 10_000n - limited.fuelUsed, "nothing is charged behind the call");
  const price = (max: number): bigint => {
    const before = unlimited.fuelUsed;
    t.same(unlimited.invoke("read", [max]), [Math.min(max, 5)]);
    return unlimited.fuelUsed - before;
  };
  const base = price(0);
  t.equal(price(63), base);
  t.equal(price(64), base + 1n);
  t.equal(price(6400), base + 100n);
  // The charge comes before the checks: what does not fit costs as much, and out of fuel wins.
  const poor = await instantiate(wat, { args: ["hello"] }, 100n);
  t.match(
    thrown(() => poor.invoke("read", [70_000])),
    { reason: "OutOfFuel" },
  );
  const rich = await instantiate(wat, { args: ["hello"] }, 10_000n);
  t.match(
    thrown(() => rich.invoke("read", [70_000])),
    { reason: "HeapWindow" },
  );
  t.equal(rich.fuelUsed, base + 70_000n / 64n);
});

t.test("[ABI-ARGS-1] arguments", async (t) => {
  const guest = new Driver({ args: ["", "zwölf", "\u{1f600}"] });
  t.equal(guest.call("sys", "args_count").returned, 3);
  t.same(
    [0, 1, 2].map((k) => guest.call("sys", "arg_size", k).returned),
    [0, 6, 4],
  );
  guest.memory.bytes.fill(0x2e, 0, 10);
  t.equal(guest.call("sys", "arg_read", 1, guest.own, 2, 3).returned, 3);
  t.equal(Buffer.from(guest.memory.bytes.subarray(0, 10)).toString("latin1"), "..zw\u00c3.....");
  t.equal(guest.call("sys", "arg_read", 1, guest.own, 0, 100).returned, 6);
  t.equal(guest.trap("sys", "arg_size", 3), "BadArgument");
  t.equal(guest.trap("sys", "arg_size", -1), "BadArgument");
  t.equal(guest.trap("sys", "arg_read", 3, guest.own, 0, 4), "BadArgument");
  t.equal(guest.trap("sys", "arg_read", 3, [0, 0], 0, 4), "HeapRefNull", "what the host knows is checked last");
  t.equal(new Driver({}).call("sys", "args_count").returned, 0);
});

t.test("[ABI-EXIT-1] exit ends the guest at once, with its code", async (t) => {
  const instance = await instantiate(`(module
    (import "sys" "exit" (func $exit (param i32)))
    (global (export "after") (mut i32) (i32.const 0))
    (func (export "exit") (param i32) (call $exit (local.get 0)) (global.set 0 (i32.const 1))))`);
  for (const code of [0, 7, 255]) {
    const end = thrown(() => instance.invoke("exit", [code]));
    t.ok(end instanceof Exit && end.exitCode === code);
  }
  t.equal(instance.global("after").value, 0);
  for (const code of [256, -1])
    t.match(
      thrown(() => instance.invoke("exit", [code])),
      { reason: "BadArgument" },
    );
});

t.test("[ABI-STREAM-1, ABI-TRANSFER-3, ABI-TRANSFER-4, ABI-TRANSFER-5, ABI-TRANSFER-7] streams", async (t) => {
  const pieces = ["one ", "two", "", " three"].map((text) => Buffer.from(text));
  const output: string[] = [];
  let failing = false;
  const guest = new Driver({
    stdin: (into) => {
      if (failing) throw Object.assign(new Error("broken"), { code: "EIO" });
      const piece = pieces.shift();
      if (piece === undefined || piece.length === 0) return 0;
      piece.copy(into);
      if (piece.length > into.length) pieces.unshift(piece.subarray(into.length));
      return Math.min(piece.length, into.length);
    },
    stdout: (bytes) => {
      if (failing) throw Object.assign(new Error("gone"), { code: "EPIPE" });
      output.push(Buffer.from(bytes).toString());
    },
  });
  const open = (name: string): Ref => guest.call("sys", name).results[0] as Ref;
  const [stdin, again] = [open("stdin"), open("stdin")];
  t.not(stdin[0], again[0]);
  t.same(guest.read(stdin, -1, 2), { status: 0, bytes: 2, eof: 0, text: "on" });
  t.same(guest.read(again, -1, 3), { status: 0, bytes: 3, eof: 0, text: "e t" });
  failing = true;
  t.same(guest.read(stdin, -1, 100), { status: Status.OTHER, bytes: 0, eof: 0, text: "" });
  t.same([...guest.memory.bytes.subarray(65_536, 65_540)], [0, 0, 0, 0]);
  failing = false;
  t.same(guest.read(stdin, -1, 2), { status: 0, bytes: 2, eof: 1, text: "wo" });
  t.same(guest.read(stdin, -1, 0), { status: 0, bytes: 0, eof: 0, text: "" }, "an input may go on after its end");
  t.same(guest.read(stdin, -1, 50), { status: 0, bytes: 6, eof: 1, text: " three" });
  t.same(guest.read(stdin, -1, 50), { status: 0, bytes: 0, eof: 1, text: "" });
  t.equal(guest.read(stdin, 0, 5).status, Status.INVALID);
  t.same(guest.write(stdin, -1, "x"), { status: Status.ACCESS, bytes: 0 });

  const [stdout, other] = [open("stdout"), open("stdout")];
  t.same(guest.write(stdout, -1, "a"), { status: 0, bytes: 1 });
  t.equal(guest.close(stdout), 0);
  t.same(guest.write(other, -1, "b\n"), { status: 0, bytes: 2 });
  t.same(guest.write(other, -1, ""), { status: 0, bytes: 0 });
  t.same(guest.write(other, 0, "c"), { status: Status.INVALID, bytes: 0 });
  t.same(guest.write(other, 2 ** 40, "c"), { status: Status.INVALID, bytes: 0 });
  t.equal(guest.read(other, -1, 1).status, Status.ACCESS);
  failing = true;
  t.same(guest.write(other, -1, "d"), { status: Status.OTHER, bytes: 0 });
  t.same(output, ["a", "b\n"]);

  const whole = new Driver({ stdin: Buffer.from("0123456789") }, { heapObjects: 2 });
  const input = whole.call("sys", "stdin").results[0] as Ref;
  t.same(whole.read(input, -1, 4), { status: 0, bytes: 4, eof: 0, text: "0123" });
  t.same(whole.read(input, -1, 6), { status: 0, bytes: 6, eof: 1, text: "456789" });
  t.same(whole.call("sys", "stdin").results, [[0, 0]], "no room for another handle");
});

t.test("[ABI-LOG-1] log", async (t) => {
  const lines: string[] = [];
  const log = (guest: Driver, text: string): void => {
    const [ref, offset, length] = guest.path(text);
    t.equal(guest.call("sys", "log", ref, offset, length).returned, undefined);
  };
  log(new Driver({ log: (line) => void lines.push(Buffer.from(line).toString()) }), "hällo");
  log(new Driver({}), "nobody");
  log(
    new Driver({
      log: () => {
        throw new Error("deaf");
      },
    }),
    "deaf",
  );
  t.same(lines, ["hällo"]);
});

t.test("[FS-PATH-1, FS-PATH-3] malformed paths are statuses", async (t) => {
  const guest = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "x", é: "y" }) }] });
  const open = (path: string | Uint8Array): number => guest.open(path, READ).status;
  t.equal(open(""), Status.INVALID);
  t.equal(open("a\0b"), Status.INVALID);
  for (const bytes of [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x66, 0x80]])
    t.equal(open(new Uint8Array(bytes)), Status.INVALID, `${bytes}`);
  t.equal(open("é"), 0);
  t.equal(open(`/f${"/".repeat(4094)}`), Status.NOT_DIRECTORY);
  t.equal(open(`${"/".repeat(4095)}f`), 0);
  t.equal(open(`${"/".repeat(4096)}f`), Status.NAME_TOO_LONG);
  t.equal(open("x/".repeat(2048)), Status.NOT_FOUND);
  t.equal(open("n".repeat(256)), Status.NAME_TOO_LONG);
  for (const path of ["..", "../f", "/../f", "f/..", "none/../f", "././../x"]) t.equal(open(path), Status.ACCESS, path);
  for (const path of ["...", "..f", ".f"]) t.equal(open(path), Status.NOT_FOUND, path);
  t.equal(open("a\\..\\f"), Status.NOT_FOUND, "a backslash is a character");
});

t.test("[FS-OPEN-1, FS-OPEN-2] which flags go together", async (t) => {
  const guest = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "x", "d/g": "" }) }] });
  const valid: number[] = [];
  for (let flags = 0; flags < 256; flags++) {
    const { status } = guest.open("..", flags);
    if (status !== Status.INVALID) valid.push(flags);
    t.equal(status === Status.ACCESS || status === Status.INVALID, true);
  }
  const [EXCLUSIVE, TRUNCATE, NOFOLLOW] = [8, 16, 128];
  const bases = [
    READ,
    READ | DIRECTORY,
    DIRECTORY,
    ...[0, CREATE, CREATE | EXCLUSIVE]
      .flatMap((how) => [how, how | TRUNCATE])
      .flatMap((how) => [WRITE | how, READ | WRITE | how, WRITE | APPEND | how]),
  ];
  t.same(
    valid,
    [...bases, ...bases.map((flags) => flags | NOFOLLOW)].sort((left, right) => left - right),
  );
  t.equal(valid.length, 42);
});

const GUEST = `(module
  (import "fs" "open" (func $open (param i64 i32 i32 i32) (result i32 i64)))
  (import "fs" "read_p" (func $read_p (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "fs" "list" (func $list (param i64 i64 i64 i32 i32) (result i32 i32 i32 i64)))
  (import "fs" "close" (func $close (param i64) (result i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 2)
  (data (i32.const 0) "/data/in.txt/data/out.txt/data")
  (global $file (export "file") (mut i64) (i64.const 0))
  (global $out (mut i64) (i64.const 0))
  (global $dir (mut i64) (i64.const 0))
  (global $in (mut i64) (i64.const 0))
  (func (export "open") (result i32)
    (call $open (call $own) (i32.const 0) (i32.const 12) (i32.const 1)) (global.set $file)
    (call $open (call $own) (i32.const 12) (i32.const 13) (i32.const 6)) (global.set $out)
    (call $open (call $own) (i32.const 25) (i32.const 5) (i32.const 64)) (global.set $dir)
    (global.set $in (call $stdin))
    i32.or i32.or)
  (func (export "read") (param i64 i32 i32) (result i32 i32 i32)
    (call $read_p (global.get $file) (local.get 0) (call $own) (local.get 1) (local.get 2) (i32.const 900))
    (i32.load (i32.const 900)) (i32.load (i32.const 904)))
  (func (export "read_in") (param i32) (result i32 i32)
    (call $read_p (global.get $in) (i64.const -1) (call $own) (i32.const 1000) (local.get 0) (i32.const 900))
    (i32.load (i32.const 900)))
  (func (export "write") (param i64) (result i32 i32)
    (call $write (global.get $out) (local.get 0) (call $own) (i32.const 0) (i32.const 4)))
  (func (export "write_bad") (result i32 i32)
    (i32.store (i32.const 800) (i32.const 77))
    (call $write (global.get $out) (i64.const 0) (call $own) (i32.const 131070) (i32.const 4)))
  (func (export "list") (param i64) (result i32 i32 i32 i64)
    (call $list (global.get $dir) (local.get 0) (call $own) (i32.const 2000) (i32.const 9)))
  (func (export "close") (result i32) (call $close (global.get $file)))
  (func (export "hello") (result i32 i32)
    (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 0) (i32.const 5))))`;

t.test("[ABI-FORM-1, ABI-FORM-2, ABI-TRANSFER-1, ABI-ORDER-2] a guest that works on files", async (t) => {
  const fs = new MemoryFileSystem({ "in.txt": "some input" });
  const output: string[] = [];
  const options: AbiOptions = {
    mounts: [{ guest: "/data", fs }],
    stdin: Buffer.from("abcdef"),
    stdout: (bytes) => void output.push(Buffer.from(bytes).toString()),
  };
  const instance = await instantiate(GUEST, options);
  t.same(instance.invoke("open"), [0]);
  t.same(instance.invoke("read", [5n, 1000, 100]), [0, 5, 1]);
  t.equal(Buffer.from(instance.memory("memory").bytes.subarray(1000, 1006)).toString(), "input\0");
  t.same(instance.invoke("write", [0n]), [0, 4]);
  t.equal(Buffer.from(fs.get("/out.txt")!).toString(), "/dat");
  // "in.txt" is 8 bytes of record, "out.txt" would be 9 more.
  t.same(instance.invoke("list", [0n]), [0, 8, 0, 1n]);
  t.same(instance.invoke("list", [1n]), [0, 9, 1, 2n]);
  t.same(instance.invoke("hello"), [0, 5]);
  t.same(output, ["/data"]);
  const price = (max: number): bigint => {
    const before = instance.fuelUsed;
    instance.invoke("read", [5n, 1000, max]);
    return instance.fuelUsed - before;
  };
  t.equal(price(32_000) - price(0), 1000n, "fuel is for the bytes asked for, not for the five there are");

  // The guest's own store before the call stays, as WebAssembly says; of the call nothing does.
  const digest = instance.stateDigest();
  t.match(
    thrown(() => instance.invoke("read", [-2n, 1000, 4])),
    { code: 60, reason: "BadArgument" },
  );
  t.match(
    thrown(() => instance.invoke("read", [0n, 131_070, 4])),
    { code: 53, reason: "HeapWindow" },
  );
  t.equal(instance.stateDigest(), digest);
  t.match(
    thrown(() => instance.invoke("write_bad")),
    { code: 53 },
  );
  const changed = instance.stateDigest();
  t.not(changed, digest);
  t.match(
    thrown(() => instance.invoke("write_bad")),
    { code: 53 },
  );
  t.equal(instance.stateDigest(), changed);
  t.equal(Buffer.from(fs.get("/out.txt")!).toString(), "/dat");
  const trap = thrown(() => instance.invoke("write_bad")) as Trap;
  t.equal(trap.backtrace.length, 1);

  t.same(instance.invoke("close"), [0]);
  t.match(
    thrown(() => instance.invoke("read", [0n, 1000, 4])),
    { code: 51, reason: "HeapRefStale" },
  );
  instance.global("file").set(0n);
  t.match(
    thrown(() => instance.invoke("read", [0n, 1000, 4])),
    { code: 50, reason: "HeapRefNull" },
  );
  instance.global("file").set(0x7fff_ffff_0000_0003n);
  t.match(
    thrown(() => instance.invoke("read", [0n, 1000, 4])),
    { code: 51 },
  );
});

t.test("[ABI-SNAPSHOT-1, ABI-SNAPSHOT-2] handles in snapshots", async (t) => {
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  nodeFs.writeFileSync(join(scratch, "in.txt"), "some input");
  const options = (stdin: string | undefined = "abcdef"): AbiOptions => ({
    mounts: [{ guest: "/data", fs: directoryFileSystem(scratch) }],
    ...(stdin === undefined ? {} : { stdin: Buffer.from(stdin) }),
  });
  const module = Module.decode(await loadWat(GUEST));
  const first = module.instantiate(createAbi(options()));
  t.same(first.invoke("open"), [0]);
  t.same(first.invoke("write", [0n]), [0, 4]);
  t.same(first.invoke("list", [0n]), [0, 8, 0, 1n]);
  t.same(first.invoke("read_in", [2]), [0, 2]);
  const digest = first.stateDigest();
  const snapshot = first.snapshot();

  const again = Instance.restore(module, snapshot, createAbi(options()));
  t.equal(again.stateDigest(), digest);
  t.same(again.invoke("read", [0n, 1000, 4]), [0, 4, 0]);
  t.same(again.invoke("list", [1n]), [0, 9, 1, 2n]);
  t.same(again.invoke("read_in", [1]), [0, 1]);
  t.equal(again.memory("memory").bytes[1000], "c".charCodeAt(0));
  t.same(again.invoke("write", [4n]), [0, 4]);
  t.equal(nodeFs.readFileSync(join(scratch, "out.txt"), "utf8"), "/dat/dat");

  // The file was written since: it is not the one that was saved. The rest is.
  const stale = Instance.restore(module, snapshot, createAbi(options("a")));
  t.same(stale.invoke("write", [0n]), [Status.STALE, 0]);
  t.same(stale.invoke("read", [0n, 1000, 4]), [0, 4, 0]);
  t.same(stale.invoke("read_in", [1]), [Status.STALE, 0], "the new input is shorter than what was read");
  t.not(stale.stateDigest(), digest);
  t.same(Instance.restore(module, stale.snapshot(), createAbi(options())).invoke("write", [0n]), [Status.STALE, 0]);

  const bare = Instance.restore(module, snapshot, createAbi({}));
  t.same(bare.invoke("read", [0n, 1000, 4]), [Status.STALE, 0, 0]);
  t.same(bare.invoke("list", [0n]), [Status.STALE, 0, 0, 0n]);
  t.same(bare.invoke("close"), [0]);
  const readOnly = createAbi({ mounts: [{ guest: "/data", fs: directoryFileSystem(scratch), readOnly: true }] });
  const refused = Instance.restore(module, again.snapshot(), readOnly);
  t.same(refused.invoke("write", [0n]), [Status.STALE, 0]);
  t.same(refused.invoke("read", [0n, 1000, 4]), [0, 4, 0]);
});

t.test("[ABI-SNAPSHOT-1] what a handle is saved as", async (t) => {
  const fs = new MemoryFileSystem({ "d/f": "abc" });
  const guest = new Driver({ mounts: [{ guest: "/m/n", fs }], stdin: Buffer.from("12345"), stdout: () => {} });
  guest.handle("/m/n/d/f", READ | WRITE | CREATE | 16);
  guest.write([2, 1], 0, "abc");
  guest.handle("/m/n//d/", DIRECTORY);
  guest.read(guest.call("sys", "stdin").results[0] as Ref, -1, 2);
  guest.call("sys", "stdout");
  const saved = Buffer.from(guest.heap.save()).toString("latin1");
  const sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  t.ok(saved.endsWith(`["/m/n","d/f",3,"${sha}"]["/m/n","d",64]["stdin",2]["stdout",0]`), saved.slice(-200));

  // A file that may be written and not read cannot be saved.
  const volume = {
    ...nodeFs,
    readSync: () => {
      throw Object.assign(new Error("no"), { code: "EBADF" });
    },
  } as unknown as Volume;
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  const blind = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(scratch, { volume }) }] });
  blind.handle("/f", WRITE | CREATE);
  t.throws(() => blind.heap.save(), { code: "VM-SNAPSHOT" });

  // What was saved is not trusted.
  const { kinds } = createAbi({
    mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "" }) }],
    stdin: Buffer.from("1"),
  });
  const restore = (id: number, text: string): unknown =>
    kinds.find((kind) => kind.id === id)!.restore!(Buffer.from(text));
  for (const text of [
    "",
    "{}",
    "null",
    "[",
    "[1,2,3,4]",
    `["/","../f",1,"x"]`,
    `["/","f",1,"x"]`,
    `["/","f",99999,"x"]`,
    `["/x","f",1,"x"]`,
    `["/","",64]`,
  ])
    t.equal(restore(2, text), undefined, text);
  for (const text of ["", `["/","f",1]`, `["/","f",64]`]) t.equal(restore(3, text), undefined, text);
  t.ok(restore(3, `["/","",64]`));
  for (const text of ["", `["stdin"]`, `["stdin",2]`, `["stdin",-1]`, `["stdout",0]`, `["__proto__",0]`])
    t.equal(restore(4, text), undefined, text);
  t.ok(restore(4, `["stdin",1]`));
  t.ok(new Heap({ heapObjects: 1, heapBytes: 16 }, kinds).hasRoom);
});

t.test("[ABI-BINDING-1] generated files are what the generator makes", async (t) => {
  for (const { path, make } of GENERATED) {
    const present = nodeFs.readFileSync(join(root, path), "utf8");
    t.equal(make(present) === present, true, `${path}: npm run generate`);
    t.ok(present.length > 1000);
  }
});

const SOURCE = `
import * as ashlar from "./ashlar";
export function main(): i32 {
  const args = ashlar.args();
  ashlar.print("args " + args.join("|"));
  const entries = ashlar.list("/data");
  if (entries == null) return 1;
  for (let k = 0; k < entries.length; k++) {
    const entry = entries[k];
    ashlar.print(entry.name + (entry.isDirectory ? "/" : " " + ashlar.readText("/data/" + entry.name)!.length.toString()));
  }
  const missing = ashlar.readText("/data/none");
  ashlar.print((missing == null ? "null " : "? ") + ashlar.statusName(ashlar.lastStatus));
  ashlar.print(ashlar.decode(ashlar.readInput()!));
  if (!ashlar.writeText("/data/out.txt", "först\\n")) return 2;
  if (!ashlar.appendText("/data/out.txt", "second")) return 3;
  if (ashlar.writeText("/ro/out.txt", "x")) return 4;
  ashlar.printError(ashlar.statusName(ashlar.lastStatus));
  ashlar.log("logged");
  if (ashlar.fuelLeft() != u64.MAX_VALUE) return 5;
  if (args.length > 2) ashlar.exit(9);
  return 0;
}
export function fail(): void { throw new Error("on purpose"); }
`;

t.test("[ABI-BINDING-1] an AssemblyScript guest on the bindings", async (t) => {
  const bindings = join(root, "syscalls/bindings/assemblyscript");
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ["guest.ts", "-o", "guest.wasm", "--runtime", "minimal", "--use", "abort=ashlar/onAbort"],
    {
      readFile: (name) => {
        if (name === "guest.ts") return SOURCE;
        const path = join(bindings, name);
        return nodeFs.existsSync(path) ? nodeFs.readFileSync(path, "utf8") : null;
      },
      writeFile: (_name, contents) => {
        wasm = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  t.equal(error, null, stderr.toString());
  const fs = new MemoryFileSystem({ "b.txt": "héllo", "a.txt": "x".repeat(200_000), "sub/c": "" });
  const written = { stdout: "", stderr: "", log: "" };
  const write =
    (name: keyof typeof written) =>
    (bytes: Uint8Array): void => {
      written[name] += Buffer.from(bytes).toString();
    };
  const abi = createAbi({
    args: ["one", "zwei"],
    mounts: [
      { guest: "/data", fs },
      { guest: "/ro", fs: new MemoryFileSystem(), readOnly: true },
    ],
    stdin: Buffer.from(`${"in".repeat(50_000)}!`),
    stdout: write("stdout"),
    stderr: write("stderr"),
    log: write("log"),
  });
  const instance = Module.decode(wasm!).instantiate(abi);
  t.same(instance.invoke("main"), [0]);
  t.equal(written.stdout, `args one|zwei\na.txt 200000\nb.txt 5\nsub/\nnull NOT_FOUND\n${"in".repeat(50_000)}!\n`);
  t.equal(written.stderr, "READ_ONLY\n");
  t.equal(written.log, "logged");
  t.equal(Buffer.from(fs.get("/out.txt")!).toString(), "först\nsecond");
  t.equal(instance.store.heap.objects, 4, "only the streams and the memory are still held");
  t.match(
    thrown(() => instance.invoke("fail")),
    { reason: "Unreachable" },
  );
  t.match(written.log, /^loggedon purpose at guest\.ts:\d+:\d+$/);
  t.ok(wide(1));
});
