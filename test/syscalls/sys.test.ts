/** Module `sys` from a guest's side: arguments, environment, clocks, randomness, streams, log, exit. */
import { createHash } from "node:crypto";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { Exit } from "../../syscalls/exit.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { instantiate, onEngines, thrown } from "./guest.ts";

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

t.test("[ABI-NAME-1, ABI-STREAM-2] the guest's name, and whether its input is interactive", async (t) => {
  const guest = new Driver({ name: "zwölf", stdin: () => 0, interactive: true });
  t.equal(guest.call("sys", "name_size").returned, 6);
  guest.memory.bytes.fill(0x2e, 0, 10);
  t.equal(guest.call("sys", "name_read", guest.own, 2, 3).returned, 3);
  t.equal(Buffer.from(guest.memory.bytes.subarray(0, 10)).toString("latin1"), "..zw\u00c3.....");
  t.equal(guest.call("sys", "name_read", guest.own, 0, 100).returned, 6);
  t.equal(guest.call("sys", "interactive").returned, 1);
  const plain = new Driver({});
  t.equal(plain.call("sys", "name_size").returned, 5);
  t.equal(plain.call("sys", "interactive").returned, 0);
});

t.test("[FS-MOUNT-4] the mounts, in the order in which they were granted", async (t) => {
  const fs = new MemoryFileSystem();
  const guests = ["/b//c/", "/", "/ü"];
  const guest = new Driver({ mounts: guests.map((path) => ({ guest: path, fs })) });
  t.equal(guest.call("fs", "mount_count").returned, 3);
  const told = guests.map((_, k) => {
    const size = Number(guest.call("fs", "mount_size", k).returned);
    t.equal(guest.call("fs", "mount_read", k, guest.own, 0, 100).returned, size);
    return Buffer.from(guest.memory.bytes.subarray(0, size)).toString();
  });
  t.same(told, ["/b/c", "/", "/ü"]);
  t.equal(guest.call("fs", "mount_read", 0, guest.own, 0, 2).returned, 2);
  t.equal(guest.trap("fs", "mount_size", 3), "BadArgument");
  t.equal(guest.trap("fs", "mount_read", 3, guest.own, 0, 2), "BadArgument");
  t.equal(new Driver({}).call("fs", "mount_count").returned, 0);
});

onEngines("[ABI-EXIT-1] exit ends the guest at once, with its code", async (t, engine) => {
  const instance = await instantiate(
    engine,
    `(module
    (import "sys" "exit" (func $exit (param i32)))
    (global (export "after") (mut i32) (i32.const 0))
    (func (export "exit") (param i32) (call $exit (local.get 0)) (global.set 0 (i32.const 1))))`,
  );
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

t.test("[ABI-ENV-1] the environment", async (t) => {
  const env = { ZWEI: "2=zwei", A: "", "n m": "\u{1f600}" };
  const guest = new Driver({ env });
  t.same(guest.env(), ["ZWEI=2=zwei", "A=", "n m=\u{1f600}"], "in the order of the embedder");
  t.equal(guest.call("sys", "env_size", 2).returned, 8);
  guest.memory.bytes.fill(0x2e, 0, 10);
  t.equal(guest.call("sys", "env_read", 0, guest.own, 2, 4).returned, 4);
  t.equal(Buffer.from(guest.memory.bytes.subarray(0, 10)).toString(), "..ZWEI....");
  t.equal(guest.call("sys", "env_read", 1, guest.own, 0, 10).returned, 2);
  t.equal(guest.call("sys", "env_read", 1, guest.own, 0, 0).returned, 0);
  for (const index of [3, -1]) {
    t.equal(guest.trap("sys", "env_size", index), "BadArgument");
    t.equal(guest.trap("sys", "env_read", index, guest.own, 0, 4), "BadArgument");
  }
  t.same(new Driver({}).env(), [], "nothing of the host's own");
  const list = [
    ["b", "1"],
    ["1", "2"],
  ] as const;
  t.same(new Driver({ env: list }).env(), ["b=1", "1=2"], "a list keeps any order");
  t.throws(() => createAbi({ env: [...list, ["b", ""]] }), { code: "FS-GRANT" }, "no name twice");
  for (const bad of [{ "": "x" }, { "a=b": "x" }, { "a\0": "x" }, { a: "x\0" }])
    t.throws(() => createAbi({ env: bad }), { code: "FS-GRANT" }, JSON.stringify(bad));
});

/** A guest that sleeps and asks for the time, with instructions of its own between. */
const CLOCKS = `(module
  (import "sys" "clock" (func $clock (param i32) (result i64)))
  (import "sys" "sleep" (func $sleep (param i64)))
  (func (export "clock") (param i32) (result i64) (call $clock (local.get 0)))
  (func (export "sleep") (param i64) (call $sleep (local.get 0)))
  (func (export "both") (param i64) (result i64 i64 i64)
    (call $clock (i32.const 0))
    (call $sleep (local.get 0))
    (call $clock (i32.const 0)) (call $clock (i32.const 1))))`;

onEngines("[ABI-CLOCK-1, ABI-CLOCK-2] a virtual clock is the fuel used and the time slept", async (t, engine) => {
  for (const fuel of [undefined, 1_000_000n]) {
    const start = 10n ** 18n;
    const guest = await instantiate(engine, CLOCKS, { clock: { start } }, fuel);
    const used = (): bigint => guest.fuelUsed;
    t.same(guest.invoke("clock", [0]), [start + used()], "nothing is charged behind the call");
    t.same(guest.invoke("clock", [1]), [used()]);
    guest.invoke("sleep", [5_000_000_000n]);
    t.same(guest.invoke("clock", [0]), [start + used() + 5_000_000_000n]);
    const before = used();
    const [first, second, monotonic] = guest.invoke("both", [7n]) as bigint[];
    t.ok(first! > start + 5_000_000_000n + before);
    // Between the two the guest is charged for sleep, clock, and a few instructions.
    const passed = second! - first! - 7n;
    t.ok(passed >= 70n && passed < 90n, `each unit of fuel counts once: ${passed}`);
    t.equal(monotonic, used() + 5_000_000_007n);
  }
  const twice = await Promise.all([0, 1].map(() => instantiate(engine, CLOCKS)));
  t.same(...(twice.map((guest) => guest.invoke("both", [3n])) as [unknown, unknown]));
  const [epoch] = (await instantiate(engine, CLOCKS)).invoke("clock", [0]) as bigint[];
  t.ok(epoch! > 0n && epoch! < 1000n, "by default it starts in 1970");
});

t.test("[ABI-CLOCK-1] a virtual clock stops at 2^63 - 1", async (t) => {
  const latest = 2n ** 63n - 1n;
  const guest = new Driver({ clock: { start: latest - 10n } });
  guest.fuelUsed = 4n;
  t.equal(guest.clock(0), latest - 6n);
  guest.sleep(6n);
  t.equal(guest.clock(0), latest);
  guest.sleep(2n ** 64n - 1n);
  guest.sleep(2n ** 64n - 1n);
  guest.fuelUsed = 5n;
  t.equal(guest.clock(0), latest);
  t.equal(guest.clock(1), latest);
  for (const start of [-1n, latest + 1n]) t.throws(() => createAbi({ clock: { start } }), { code: "FS-GRANT" });
  t.ok(createAbi({ clock: { start: latest } }));
});

onEngines("[ABI-CLOCK-1, ABI-CLOCK-2] the host's clocks", async (t, engine) => {
  const guest = await instantiate(engine, CLOCKS, { clock: "real" });
  const [before] = guest.invoke("clock", [1]) as bigint[];
  const [day] = guest.invoke("clock", [0]) as bigint[];
  guest.invoke("sleep", [3_000_000n]);
  const [after] = guest.invoke("clock", [1]) as bigint[];
  t.ok(before! >= 0n && after! - before! >= 3_000_000n, `${before} ${after}`);
  const [later] = guest.invoke("clock", [0]) as bigint[];
  t.ok(later! - day! >= 3_000_000n);
  guest.invoke("sleep", [0n]);
  const [earliest, now] = [Date.now(), guest.invoke("clock", [0])[0] as bigint];
  const milliseconds = Number(now / 1_000_000n);
  t.ok(milliseconds > earliest - 60_000 && milliseconds < Date.now() + 60_000, "since 1970, in nanoseconds");
});

t.test("[ABI-RANDOM-1] random bytes follow from the seed", async (t) => {
  /** The first bytes of the stream of a seed, by the definition and by another SHA-256. */
  const streamOf = (seed: Uint8Array, length: number): Buffer => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) => {
      const number = Buffer.alloc(8);
      number.writeBigUInt64LE(BigInt(index));
      return createHash("sha256").update(seed).update(number).digest();
    });
    return Buffer.concat(blocks).subarray(0, length);
  };
  const zero = new Uint8Array(32);
  const guest = new Driver({});
  const pieces = [0, 1, 30, 1, 1, 63, 64, 200].map((length) => guest.random(length));
  t.same(Buffer.concat(pieces), streamOf(zero, 360), "whatever the pieces");
  t.equal(Buffer.from(new Driver({ seed: 0n }).random(16)).toString("hex"), "2c34ce1df23b838c5abf2a7f6437cca3");

  const seed = new Uint8Array(32);
  seed[0] = 0x34;
  seed[1] = 0x12;
  t.same(Buffer.from(new Driver({ seed: 0x1234n }).random(100)), streamOf(seed, 100));
  t.same(Buffer.from(new Driver({ seed }).random(100)), streamOf(seed, 100));
  t.same(Buffer.from(new Driver({ seed: 0x1234n + 2n ** 256n }).random(100)), streamOf(seed, 100));
  t.same(Buffer.from(new Driver({ seed: -1n }).random(100)), streamOf(new Uint8Array(32).fill(255), 100));
  t.throws(() => createAbi({ seed: new Uint8Array(31) }), { code: "FS-GRANT" });

  // A window is filled exactly, in a heap object as in the guest's memory.
  const bytes = guest.ref(guest.heap.newBytes(40));
  guest.call("sys", "random", bytes, 4, 32);
  const filled = guest.heap.window(...bytes, 0, 40);
  t.same([...filled.subarray(0, 4), ...filled.subarray(36)], [0, 0, 0, 0, 0, 0, 0, 0]);
  t.same(Buffer.from(filled.subarray(4, 36)), streamOf(zero, 392).subarray(360));
});

t.test("[ABI-RANDOM-1] real randomness", async (t) => {
  const guest = new Driver({ seed: "real" });
  const [one, two] = [guest.random(100_000), guest.random(100_000)];
  t.not(Buffer.compare(one, two), 0);
  // To the last byte, also behind a piece as long as the platform fills at once.
  const ends = Array.from({ length: 20 }, () => guest.random(70_000).subarray(-3));
  for (const k of [0, 1, 2]) t.ok(new Set(ends.map((end) => end[k])).size > 1);
  t.ok(new Set(one.subarray(99_000)).size > 100, "all of it is filled");
  t.equal(guest.random(0).length, 0);
});

t.test("[ABI-STREAM-2, ABI-TRANSFER-4, ABI-TRANSFER-5] an interactive input", async (t) => {
  const pieces = ["one", "two three", "", "after"].map((text) => Buffer.from(text));
  let failing = false;
  const asked: number[] = [];
  const guest = new Driver({
    interactive: true,
    stdin: (into) => {
      asked.push(into.length);
      if (failing) {
        into.fill(0x21);
        throw Object.assign(new Error("?"), { code: "EAGAIN" });
      }
      const piece = pieces.shift() ?? Buffer.alloc(0);
      piece.copy(into);
      if (piece.length > into.length) pieces.unshift(piece.subarray(into.length));
      return Math.min(piece.length, into.length);
    },
  });
  const stdin = guest.call("sys", "stdin").results[0] as Ref;
  t.same(guest.read(stdin, -1, 0), { status: 0, bytes: 0, eof: 0, text: "" });
  t.same(asked, [], "for no bytes nothing is asked");
  t.same(
    guest.read(stdin, -1, 100),
    { status: 0, bytes: 3, eof: 0, text: "one" },
    "what there is, not what is asked for",
  );
  t.same(asked, [100], "nothing is read ahead");
  t.same(guest.read(stdin, -1, 4), { status: 0, bytes: 4, eof: 0, text: "two " });
  failing = true;
  t.same(guest.read(stdin, -1, 4), { status: Status.TRANSIENT, bytes: 0, eof: 0, text: "" });
  t.same([...guest.memory.bytes.subarray(65_536, 65_540)], [0, 0, 0, 0], "the window is as it was");
  failing = false;
  t.same(guest.read(stdin, -1, 200_000), { status: 0, bytes: 5, eof: 0, text: "three" });
  t.equal(asked.at(-1), 65_536, "never more than 65,536 at once");
  t.same(guest.read(stdin, -1, 10), { status: 0, bytes: 0, eof: 1, text: "" }, "the end, when it is met");
  t.same(guest.read(stdin, -1, 10), { status: 0, bytes: 5, eof: 0, text: "after" }, "and it may go on");
  // Bytes that are there already are an input like any other.
  const plain = new Driver({ interactive: true, stdin: Buffer.from("abc") });
  t.same(plain.read(plain.call("sys", "stdin").results[0] as Ref, -1, 3), { status: 0, bytes: 3, eof: 1, text: "abc" });
});

t.test("[ABI-TRANSFER-8] no file system is asked for what lies behind 2^53 - 1", async (t) => {
  const most = Number.MAX_SAFE_INTEGER;
  const fs = new MemoryFileSystem({ file: "abc" });
  const asked: (readonly [position: number, length: number])[] = [];
  const { open } = fs;
  fs.open = (folder, name, flags) => {
    const node = open.call(fs, folder, name, flags);
    if (typeof node === "number") return node;
    const { read } = node;
    node.read = (position, into, transfer) => {
      asked.push([position, into.length]);
      return read.call(node, position, into.fill(0x21), transfer);
    };
    return node;
  };
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  const file = guest.handle("/file", OpenFlag.READ);
  const end = { status: 0, bytes: 0, eof: 1, text: "" };
  for (const [offset, length] of [
    [most, 4],
    [most + 1, 4],
    [2 ** 62, 4],
    [most - 2, 4],
    [most - 4, 4],
    [most, 0],
  ] as const)
    t.same(guest.read(file, offset, length), end, `${length} at ${offset}`);
  t.same(asked, [
    [most - 2, 2],
    [most - 4, 4],
  ]);
  // The window's first bytes are those at the offset.
  guest.read(file, most - 2, 4);
  t.same([...guest.memory.bytes.subarray(65_536, 65_540)], [0x21, 0x21, 0, 0]);
});
