/** The host ABI from a guest's side: linking, versions, fuel, both forms of calls, paths and flags. */
import { readFileSync } from "node:fs";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { type FileSystemFaults, faultyFileSystem } from "../../host/fs/faulty.ts";
import type { FileSystem } from "../../host/fs/file-system.ts";
import { RETRY } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import { GENERATED } from "../../syscalls/generate.ts";
import { Status, type StatusName, statusName } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS } from "../../syscalls/table.ts";
import { functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import { STALE_OBJECT } from "../../vm/heap.ts";
import { Module, Trap } from "../../vm/index.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { GUEST, instantiate, onEngines, thrown } from "./guest.ts";
import { altered } from "./outcome-runner.ts";

const { READ, WRITE, CREATE, APPEND, DIRECTORY } = OpenFlag;

onEngines("[ABI-LINK-1] unknown imports and wrong signatures are link errors", async (t, engine) => {
  const refused = async (field: string): Promise<void> => {
    const module = Module.decode(await loadWat(`(module ${field})`));
    const { imports, kinds } = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
    t.throws(() => module.instantiate({ imports, kinds, engine }), { code: "VM-LINK" }, field);
  };
  await refused(`(import "fs" "none" (func))`);
  await refused(`(import "fs" "close_p" (func (param i64 i32) (result i32)))`);
  await refused(`(import "fs" "constructor" (func))`);
  await refused(`(import "constructor" "name" (func))`);
  await refused(`(import "wasi_snapshot_preview1" "proc_exit" (func))`);
  await refused(`(import "fs" "close" (func (param i32) (result i32)))`);
  await refused(`(import "fs" "size" (func (param i64) (result i64)))`);
  await refused(`(import "sys" "exit" (func (param i32) (result i32)))`);
  await refused(`(import "sys" "exit" (global i32))`);
  // All calls link without a grant, and trap only when they are called.
  const instance = await instantiate(
    engine,
    `(module
    (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
    (import "fs" "open_p" (func $open_p (param i64 i64 i32 i32 i32 i32) (result i32)))
    (import "sys" "stdin" (func $stdin (result i64)))
    (func (export "fine"))
    (func (export "open") (call $open (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) drop drop))`,
  );
  t.same(instance.invoke("fine"), []);
  t.match(
    thrown(() => instance.invoke("open")),
    { code: 61, reason: "MissingCapability", function: 4 },
  );
});

onEngines("[ABI-VERSION-1, ABI-VERSION-2] the version a module was built for", async (t, engine) => {
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
    Module.decode(new Uint8Array([...plain, ...sections.flat()])).instantiate({ ...createAbi(), engine });
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
    engine,
    `(module (import "sys" "abi_version" (func $v (result i32))) (export "v" (func $v)))`,
  );
  t.same(instance.invoke("v"), [1]);
});

onEngines(
  "[ABI-ORDER-1, ABI-POLICY-1, ABI-FUEL-1] every call charges its price before anything else",
  async (t, engine) => {
    const calls = SYSCALLS.flatMap((row) =>
      (row.results.length > 1 ? [false, true] : [false]).map((packed) => ({
        name: packed ? `${row.name}_p` : row.name,
        row,
        type: packed ? packedTypeOf(row) : functionTypeOf(row),
      })),
    );
    const imports = calls.map(
      ({ name, row: { module }, type: { params, results } }) =>
        `(import "${module}" "${name}" (func (param ${params.join(" ")}) (result ${results.join(" ")})))`,
    );
    const functions = calls.map(
      ({ type: { params, results } }, index) =>
        `(func (export "${index}") ${params.map((type) => `(${type}.const 0)`).join(" ")}
        (call ${index}) ${results.map(() => "drop").join(" ")})`,
    );
    const module = Module.decode(await loadWat(`(module ${imports.join("\n")} (memory 1) ${functions.join("\n")})`));
    const run = (index: number, fuel: bigint): { end: string; used: bigint; output: number } => {
      let output = 0;
      const listen = (): void => {
        output++;
      };
      const fs = new MemoryFileSystem({ f: "x" });
      const abi = createAbi({
        args: [""],
        mounts: [{ guest: "/", fs }],
        stdin: new Uint8Array(0),
        stdout: listen,
        log: listen,
      });
      const before = Buffer.from(abi.state.save());
      const instance = module.instantiate({ ...abi, fuel, engine });
      let end = "OK";
      try {
        instance.invoke(`${index}`);
      } catch (error) {
        end = error instanceof Trap ? error.reason : "exit";
      }
      if (end !== "OK") t.equal(Buffer.compare(abi.state.save(), before), 0, "nothing has changed");
      return { end, used: instance.fuelUsed, output };
    };
    for (const [index, { name, row, type }] of calls.entries()) {
      const price = BigInt(typeof row.fuel === "number" ? row.fuel : row.fuel.base);
      const rich = run(index, 1_000_000n);
      t.not(rich.end, "OutOfFuel", name);
      // The guest's own instructions before the call cost at most one unit each.
      const least = price + BigInt(type.params.length) + 2n;
      t.ok(
        rich.used >= price && rich.used <= least + BigInt(type.results.length) + 2n,
        `${name}: ${rich.used} for ${price}`,
      );
      t.match(run(index, price - 1n), { end: "OutOfFuel", output: 0 }, `${name} for less than its price`);
    }
  },
);

onEngines("[ABI-FUEL-1, ABI-FUEL-2] prices, and what is left", async (t, engine) => {
  const wat = `(module
    (import "sys" "fuel_left" (func $left (result i64)))
    (import "sys" "arg_read" (func $read (param i32 i64 i32 i32) (result i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (func (export "left") (result i64) (call $left))
    (func (export "read") (param i32) (result i32) (call $read (i32.const 0) (call $own) (i32.const 0) (local.get 0))))`;
  const unlimited = await instantiate(engine, wat, { args: ["hello"] });
  t.same(unlimited.invoke("left"), [-1n]);
  const limited = await instantiate(engine, wat, { args: ["hello"] }, 10_000n);
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
  const poor = await instantiate(engine, wat, { args: ["hello"] }, 100n);
  t.match(
    thrown(() => poor.invoke("read", [70_000])),
    { reason: "OutOfFuel" },
  );
  const rich = await instantiate(engine, wat, { args: ["hello"] }, 10_000n);
  t.match(
    thrown(() => rich.invoke("read", [70_000])),
    { reason: "HeapWindow" },
  );
  t.equal(rich.fuelUsed, base + 70_000n / 64n);
});

t.test("[FS-PATH-1, FS-PATH-2, FS-PATH-3, FS-PATH-6] malformed paths are statuses", async (t) => {
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
  for (const path of ["..", "../f", "/../f", "././../x"]) t.equal(open(path), Status.ACCESS, path);
  t.equal(open("f/.."), Status.NOT_DIRECTORY);
  t.equal(open("none/../f"), Status.NOT_FOUND);
  for (const path of ["...", "..f", ".f"]) t.equal(open(path), Status.NOT_FOUND, path);
  t.equal(open("a\\..\\f"), Status.NOT_FOUND, "a backslash is a character");
});

t.test("[FS-PATH-3, FS-PATH-6] what a link's target may not be, where it is followed", async (t) => {
  const fs = new MemoryFileSystem({ f: "x", "d/g": "y" });
  const abi = createAbi({ mounts: [{ guest: "/", fs }] });
  const guest = new Driver(abi);
  const open = (target: string, flags: number): number => {
    t.equal(guest.symlink(target, "/link"), 0, "it can be made");
    const { status } = guest.open("/link", flags);
    guest.unlink("/link");
    return status;
  };
  const long = "n".repeat(256);
  for (const target of [long, `d/${long}`, `${long}/x`]) {
    t.equal(open(target, READ), Status.NAME_TOO_LONG);
    t.equal(open(target, WRITE | CREATE), Status.NAME_TOO_LONG, "and nothing is made that no path can name");
  }
  t.equal(open("n".repeat(255), READ), Status.NOT_FOUND);
  for (const end of ["/", "/.", "//", "/./", "/../f"]) t.equal(open(`f${end}`, READ), Status.NOT_DIRECTORY, end);
  for (const end of ["/", "/.", "/../f"]) t.equal(open(`none${end}`, WRITE | CREATE), Status.NOT_FOUND, end);
  for (const end of ["/", "/.", "//./"]) t.equal(open(`d${end}`, DIRECTORY), 0, end);
  t.equal(open("d//.//g", READ), 0);
  t.same(guest.names("/"), ["d", "f"]);
  t.equal(abi.state.restore(abi.state.save()), true);
});

t.test("[FS-PATH-8, FS-MOUNT-2, FS-CAPABILITY-1] which status is answered where several fit", async (t) => {
  const plain = new MemoryFileSystem({ f: "x" });
  const capabilities = { ...plain.capabilities, symlinks: false, hardLinks: false, times: false };
  const poor = altered<FileSystem>(plain, { capabilities });
  const guest = new Driver(
    {
      mounts: [
        { guest: "/m", fs: new MemoryFileSystem({ f: "x", "d/e/g": "y" }) },
        { guest: "/ro", fs: new MemoryFileSystem({ f: "x" }), readOnly: true },
        { guest: "/poor", fs: poor },
      ],
      quota: { handles: 3 },
    },
    {},
  );
  const file = guest.handle("/m/f", READ);
  const dir = guest.handle("/m/d", DIRECTORY);
  const readOnly = guest.handle("/ro", DIRECTORY);
  const stale = guest.ref(guest.heap.create(3, STALE_OBJECT));
  const long = "n".repeat(256);
  const bad = new Uint8Array(5000).fill(0xff);
  const same = (actual: number, name: StatusName, what: string): void => void t.equal(statusName(actual), name, what);

  same(guest.open("", 0, stale).status, "STALE", "before the flags");
  same(guest.open("", 0).status, "INVALID", "flags before room: there is none");
  same(guest.open(bad, READ).status, "QUOTA", "room before the path");
  guest.close(readOnly);
  same(guest.stat(bad, READ, file).status, "INVALID", "flags before the handle");
  same(guest.stat(bad, 0, file).status, "NOT_DIRECTORY", "the handle before the path");
  same(guest.open(bad, READ).status, "NAME_TOO_LONG", "the length before the bytes");
  same(guest.open(`${long}\0`, READ).status, "INVALID", "the bytes before the components");
  same(guest.mkdir(`/none/${long}`), "NAME_TOO_LONG", "the text before the mount");
  same(guest.symlink("", bad), "INVALID", "the target before the path");
  same(guest.symlink("/x", "/none"), "NOT_FOUND", "the mount before what the target begins with");
  same(guest.symlink("/x", "/ro/f"), "READ_ONLY", "and READ_ONLY");
  same(guest.symlink("/x", "/poor/none/f"), "UNSUPPORTED", "and UNSUPPORTED");
  same(guest.symlink("/x", "/m/none/f"), "ACCESS", "before the walk");
  same(guest.mkdir("/ro/none/."), "READ_ONLY", "before the end and the walk");
  same(guest.open("/ro/none/", WRITE | CREATE).status, "READ_ONLY", "before the end");
  same(guest.open("/m/none/x/", WRITE | CREATE).status, "IS_DIRECTORY", "the end before the walk");
  same(guest.open("/x/", WRITE | CREATE, dir).status, "ACCESS", "the slash it begins with before the end");
  same(guest.mkdir("/m/none/."), "INVALID", "the end before the walk");
  same(guest.rename("/none", "/ro/f"), "NOT_FOUND", "the first path before the second");
  same(guest.rename("/m/none", "/ro/none"), "READ_ONLY", "before CROSS_DEVICE");
  same(guest.rename("/m/none", "/poor/none"), "CROSS_DEVICE", "before the walks");
  same(guest.link("/m/none", "/poor/none"), "CROSS_DEVICE", "before UNSUPPORTED");
  same(guest.link("/poor/none/x", "/poor/none"), "UNSUPPORTED", "before the walks");
  same(guest.setTimes("/poor/none", 2, 0n, 0n), "UNSUPPORTED", "before the walk");
  same(guest.rename("/m/f/x", "/m/."), "NOT_DIRECTORY", "the first walk before the second path's end");
  same(guest.rename("/m/none", "/m"), "NOT_FOUND", "that nothing is there before BUSY");
  same(guest.rename("/m/f/", "/m"), "BUSY", "before a slash");
  same(guest.rename("/m/f", "/m/d/"), "NOT_DIRECTORY", "a slash before the second's kind");
  same(guest.rename("/m/d", "/m/d/e"), "INVALID", "into itself before NOT_EMPTY");
  same(guest.rename("/m/d", "/m/d/e/g"), "NOT_DIRECTORY", "the second's kind before into itself");
  same(guest.link("/m/d", "/m/f"), "EXISTS", "the second name before the first");
  same(guest.link("/m/none", "/m/f"), "NOT_FOUND", "after both walks");
});

t.test("[FS-TIMES-1] without a time to set a file is only looked up", async (t) => {
  const guest = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "x" }) }] });
  const before = guest.stat("/f");
  guest.fuelUsed = 99n;
  t.equal(guest.setTimes("/f", 0, 1n, 2n), 0);
  t.equal(guest.setTimes("", 0, 1n, 2n, guest.handle("/f", READ)), 0);
  t.same(guest.stat("/f"), before);
  t.equal(guest.setTimes("/none", 0, 1n, 2n), Status.NOT_FOUND);
  t.equal(guest.setTimes("/f", 2, 1n, 2n), 0);
  t.same(guest.stat("/f"), { ...before, modified: 2n, changed: 99n });
});

t.test("[FS-OPEN-1, FS-OPEN-2] which flags go together", async (t) => {
  const guest = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "x", "d/g": "" }) }] });
  const valid: number[] = [];
  for (let flags = 0; flags < 256; flags++) {
    const { status } = guest.open("../x", flags);
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

onEngines("[ABI-FORM-1, ABI-FORM-2, ABI-TRANSFER-1, ABI-ORDER-2] a guest that works on files", async (t, engine) => {
  const fs = new MemoryFileSystem({ "in.txt": "some input" });
  const output: string[] = [];
  const options = {
    mounts: [{ guest: "/data", fs }],
    stdin: Buffer.from("abcdef"),
    stdout: (bytes: Uint8Array) => void output.push(Buffer.from(bytes).toString()),
  };
  const instance = await instantiate(engine, GUEST, options);
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

t.test("[ABI-BINDING-1] generated files are what the generator makes", async (t) => {
  for (const { path, make } of GENERATED) {
    const present = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
    t.equal(make(present) === present, true, `${path}: npm run generate`);
    t.ok(present.length > 1000);
  }
});

t.test("[FS-LIST-1] listings under way of many handles do not fill the host's memory", async (t) => {
  const fs = new MemoryFileSystem();
  for (let k = 0; k < 2 ** 16; k++) fs.put(String(k).padStart(5, "0"), "");
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  const begin = (): Ref => {
    const dir = guest.handle("/", DIRECTORY);
    t.equal(guest.list(dir, 0, 7).next, 1);
    return dir;
  };
  const goesOn = (dir: Ref): string => guest.list(dir, 1, 7).entries[0]!.name;
  const [first, closed, second, third, fourth] = Array.from({ length: 5 }, begin) as [Ref, Ref, Ref, Ref, Ref];
  guest.close(closed);
  const fifth = begin();
  guest.unlink("/00000");
  t.same([first, second, third, fourth, fifth].map(goesOn), Array(5).fill("00001"), "2^18 records and a last listing");
  begin();
  t.equal(goesOn(first), "00002", "the oldest was forgotten, and is read afresh");
  t.equal(goesOn(third), "00001");
  t.equal(goesOn(second), "00002", "which takes the place of the next");
});

t.test("[FS-PATH-7] a walk is begun four times", async (t) => {
  const plan: FileSystemFaults = { operation: "lookup", at: 1, persistent: true, status: RETRY, calls: [] };
  const fs = faultyFileSystem(new MemoryFileSystem({ file: "" }), plan);
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(guest.stat("/file").status, Status.TRANSIENT);
  t.same(plan.calls, Array(4).fill("lookup"));
});
