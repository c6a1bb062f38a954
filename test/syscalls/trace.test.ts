/** What an observer hears, and what lines and JSON make of it. */
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import {
  type CallEvent,
  hostFunctions,
  KINDS,
  OpenFlag,
  Panic,
  SYSCALLS,
  syscall,
  traceFilter,
  traceJson,
  traceJsonLine,
  traceLine,
} from "../../syscalls/index.ts";
import { Module, type Trap, TrapCode } from "../../vm/index.ts";
import { Driver, NULL_REF, type Ref, wide } from "../conformance/driver.ts";
import { onEngines } from "./guest.ts";

const { READ, WRITE, CREATE } = OpenFlag;
const RIGHT_TO_LEFT = String.fromCodePoint(0x202e);

interface Watched {
  readonly guest: Driver;
  readonly events: CallEvent[];
  /** Lines since it was last asked for them. */
  lines(): string[];
}

function watched(): Watched {
  const events: CallEvent[] = [];
  const guest = new Driver({
    mounts: [{ guest: "/", fs: new MemoryFileSystem({ a: "0123456789".repeat(10), "d/é": "x" }) }],
    args: ["one"],
    stdout: () => {},
    observe: (event) => events.push(event),
  });
  let shown = 0;
  return {
    guest,
    events,
    lines() {
      const lines = events.slice(shown).map(traceLine);
      shown = events.length;
      return lines;
    },
  };
}

/** What `run` throws is of no interest. */
function quietly(run: () => unknown): void {
  try {
    run();
  } catch {
    // The observer has heard of it.
  }
}

t.test("[ABI-TRACE-1, ABI-TRACE-4] a line for every call, however it ends", async (t) => {
  const { guest, lines } = watched();
  guest.fuelUsed = 2010n;
  const file = guest.handle("/a", READ | WRITE);
  const packed = guest.call("fs", "open_p", NULL_REF, ...guest.path("/a"), CREATE, 500);
  t.equal(packed.returned, 2);
  guest.read(file, 90, 8192);
  guest.read(file, 0, 8192);
  guest.write(file, 0, "hello\n");
  guest.write(file, 0, "x".repeat(33));
  guest.size(file);
  guest.mkdir("/e");
  guest.mkdir("/e");
  guest.rename("/e", "/f");
  guest.close(file);
  guest.trap("fs", "close", file);
  guest.trap("fs", "close", [9, 2]);
  guest.trap("fs", "size", NULL_REF);
  guest.trap("fs", "size", guest.own);
  guest.trap("fs", "read", file, wide(-5), guest.own, -1, 4);
  guest.trap("sys", "stdin");
  quietly(() => guest.call("sys", "exit", 3));
  guest.trap("sys", "exit", 256);
  guest.trap("sys", "arg_size", 1);
  const out = guest.call("sys", "stdout").results[0] as Ref;
  guest.write(out, -1, "out");
  guest.write(out, 0, "out");
  guest.args();
  guest.fuelUsed = 12_345_678_901n;
  guest.clock(0);
  guest.sleep(5n);
  guest.random(3);
  guest.memory.bytes.set(Buffer.from("said"));
  guest.call("sys", "log", guest.own, 0, 4);
  guest.setTimes("/a", 3, -1n, 2n ** 62n);
  t.same(
    lines().map((line) => line.replace(/^ {6}2010 /, "")),
    [
      `fs.open(null, "/a", READ|WRITE) = OK, File#2`,
      `fs.open(null, "/a", CREATE) = INVALID`,
      `fs.read(File#2, 90, Bytes#1[65536..+8192]) = OK, bytes_transferred 10, eof 1, "0123456789"`,
      `fs.read(File#2, 0, Bytes#1[65536..+8192]) = OK, bytes_transferred 100, eof 1, "01234567890123456789012345678901"…`,
      `fs.write(File#2, 0, Bytes#1[65536..+6] "hello\\n") = OK, bytes_transferred 6`,
      `fs.write(File#2, 0, Bytes#1[65536..+33] "${"x".repeat(32)}"…) = OK, bytes_transferred 33`,
      `fs.size(File#2) = OK, bytes 100`,
      `fs.mkdir(null, "/e") = OK`,
      `fs.mkdir(null, "/e") = EXISTS`,
      `fs.rename(null, "/e", null, "/f") = OK`,
      `fs.close(File#2) = OK`,
      `fs.close(?#2:1) = trap HeapRefStale: slot 2, generation 1`,
      `fs.close(?#9:2) = trap HeapRefStale: slot 9, generation 2`,
      `fs.size(null) = trap HeapRefNull: slot 0, generation 0`,
      `fs.size(Bytes#1) = trap HeapRefKind: handle`,
      `fs.read(?#2:1, -5, Bytes#1[4294967295..+4]) = trap BadArgument: host_offset is negative`,
      `sys.stdin() = trap MissingCapability: sys.stdin needs the grant "stdin"`,
      `sys.exit(3) = exit 3`,
      `sys.exit(256) = trap BadArgument: code is 256, above 255`,
      `sys.arg_size(1) = trap BadArgument: there are 1 arguments, and no number 1`,
      `sys.stdout() = Stream#2`,
      `fs.write(Stream#2, -1, Bytes#1[65536..+3] "out") = OK, bytes_transferred 3`,
      `fs.write(Stream#2, 0, Bytes#1[65536..+3] "out") = INVALID`,
      `sys.args_count() = 1`,
      `sys.arg_size(0) = 3`,
      `sys.arg_read(0, Bytes#1[65536..+3]) = 3, "one"`,
      `12345678901 sys.clock(0) = 12345678901`,
      `12345678901 sys.sleep(5)`,
      `12345678901 sys.random(Bytes#1[65536..+3]) = ",4\\xce"`,
      `12345678901 sys.log("said")`,
      `12345678901 fs.set_times(null, "/a", ACCESSED|MODIFIED, -1, 4611686018427387904) = OK`,
    ],
  );
});

t.test("[ABI-TRACE-1] a defect of the host, and an observer that throws", async (t) => {
  const row = syscall("fs", "size");
  const events: CallEvent[] = [];
  const bodies = { fs: { size: () => 99 } };
  const observe = (event: CallEvent): void => void events.push(event);
  const guest = new Driver({ imports: hostFunctions([row], bodies, new Set(), KINDS, { observe }), kinds: KINDS });
  const file = guest.ref(guest.heap.create(2, {}));
  t.throws(() => guest.call("fs", "size", file), Panic);
  t.equal(
    traceLine(events[0]!),
    "         0 fs.size(File#2) = error ABI-PANIC: fs.size answered 99, which it does not declare",
  );
  t.match(traceJson(events[0]!), {
    end: "error",
    code: "ABI-PANIC",
    message: "fs.size answered 99, which it does not declare",
  });
  const failure = new Error("the reader is gone");
  const failing = new Driver({
    observe: () => {
      throw failure;
    },
  });
  t.throws(() => failing.call("sys", "abi_version"), failure);
});

t.test("[ABI-TRACE-2] glimpses of windows", async (t) => {
  const { guest, events } = watched();
  const last = (): readonly unknown[] => {
    const { windows } = events.at(-1)!;
    return windows.map((glimpse) => glimpse && [Buffer.from(glimpse.bytes).toString("latin1"), glimpse.length]);
  };
  guest.open(`/${"n".repeat(5000)}`, READ);
  t.same(last(), [[`/${"n".repeat(4095)}`, 5001]]);
  const file = guest.handle("/a", READ);
  guest.read(file, 95, 50);
  t.same(last(), [["56789", 5]]);
  // A failed read has written nothing; a window that leaves its object shows nothing.
  guest.read(guest.call("sys", "stdout").results[0] as Ref, -1, 50);
  t.same(last(), [["", 0]]);
  guest.trap("fs", "open", NULL_REF, guest.own, 40 * 65_536 - 1, 2, READ);
  t.same(last(), [undefined]);
  // A path in the window that the call writes: what the guest gave, and what it got.
  guest.symlink("target", "/link");
  t.same(last(), [
    ["target", 6],
    ["/link", 5],
  ]);
  guest.memory.bytes.set(Buffer.from("/link"));
  guest.call("fs", "readlink", NULL_REF, guest.own, 0, 5, guest.own, 0, 5);
  t.same(last(), [
    ["/link", 5],
    ["targe", 5],
  ]);
  t.same(events.at(-1)!.kinds, [undefined, "Bytes", undefined, undefined, "Bytes", undefined, undefined]);
});

t.test("[ABI-TRACE-5] a line drives no terminal", async (t) => {
  const { guest, lines } = watched();
  const path = (bytes: string | Uint8Array): string => {
    guest.open(bytes, READ);
    const line = lines()[0]!;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    t.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]/);
    return /"(.*)"(…?)/.exec(line)!.slice(1).join("");
  };
  t.equal(path("/d/é"), "/d/é");
  t.equal(path("日本 語"), "日本 語");
  t.equal(path(`a"b\\c`), `a\\"b\\\\c`);
  t.equal(path("\n\r\t\0\x1b[2J\x7f"), "\\n\\r\\t\\x00\\x1b[2J\\x7f");
  t.equal(path("\u009b31m\u0085\u2028\u2029"), "\\u{9b}31m\\u{85}\\u{2028}\\u{2029}");
  t.equal(path(`${RIGHT_TO_LEFT}gpj.exe\u2066\ufeff\u{e0001}`), "\\u{202e}gpj.exe\\u{2066}\\u{feff}\\u{e0001}");
  t.equal(path(Buffer.from("ff00c3", "hex")), "\\xff\\x00\\xc3");
  t.equal(path(Buffer.from('é"\xff', "latin1")), '\\xe9\\"\\xff');
  // A cut in the middle of a character, and one behind it.
  t.equal(path(`${"x".repeat(4095)}é`), `${"x".repeat(4095)}…`);
  t.equal(path(`${"x".repeat(4094)}éy`), `${"x".repeat(4094)}é…`);
  t.equal(path(`${"x".repeat(4093)}\u{1f600}`), `${"x".repeat(4093)}…`);
  // A detail comes from the host.
  const row = syscall("sys", "arg_size");
  const events: CallEvent[] = [];
  const bodies = {
    sys: {
      arg_size: () => {
        throw new Panic(`\x1b]0;title\x07 "${RIGHT_TO_LEFT}"`);
      },
    },
  };
  const observe = (event: CallEvent): void => void events.push(event);
  const broken = new Driver({ imports: hostFunctions([row], bodies, new Set(), KINDS, { observe }), kinds: KINDS });
  quietly(() => broken.call("sys", "arg_size", 0));
  t.match(traceLine(events[0]!), `error ABI-PANIC: \\x1b]0;title\\x07 "\\u{202e}"`);
});

t.test("[ABI-TRACE-6] JSON", async (t) => {
  const { guest, events } = watched();
  const last = (): unknown => traceJson(events.at(-1)!);
  const own = { kind: "Bytes", slot: 1, generation: 1 };
  const file = { kind: "File", slot: 2, generation: 1 };
  guest.fuelUsed = 2n ** 60n;
  const ref = guest.handle("/a", READ | WRITE);
  t.strictSame(last(), {
    call: "fs.open",
    packed: false,
    instance: 0,
    fuel: "1152921504606846976",
    args: { dir: null, path_ref: own, path_offset: 0, path_length: 2, flags: 3 },
    windows: { path_ref: { length: 2, text: "/a" } },
    end: "returned",
    status: "OK",
    results: { handle: file },
  });
  guest.call("fs", "read_p", ref, wide(98), guest.own, 100, 40, 500);
  t.strictSame(last(), {
    call: "fs.read",
    packed: true,
    instance: 0,
    fuel: "1152921504606846976",
    args: { handle: file, host_offset: "98", dst_ref: own, dst_offset: 100, max_bytes: 40 },
    windows: { dst_ref: { length: 2, hex: "3839" } },
    end: "returned",
    status: "OK",
    results: { bytes_transferred: 2, eof: 1 },
  });
  guest.trap("fs", "size", [7, 3]);
  t.match(last(), {
    args: { handle: { kind: null, slot: 7, generation: 3 } },
    end: "trap",
    trap: "HeapRefStale",
    detail: "slot 7, generation 3",
  });
  guest.open("/none", READ);
  t.match(last(), { end: "returned", status: "NOT_FOUND", results: { handle: null } });
  guest.call("sys", "args_count");
  t.match(last(), { end: "returned", status: null, results: { count: 1 } });
  quietly(() => guest.call("sys", "exit", 3));
  t.match(last(), { end: "exit", exitCode: 3 });
  guest.open(Buffer.from([0xff]), READ);
  t.match(last(), { windows: { path_ref: { length: 1, hex: "ff" } } });
  guest.open(`/é\x1b${RIGHT_TO_LEFT}`, READ);
  const line = traceJsonLine(events.at(-1)!);
  t.match(line, /^[\x20-\x7e]*$/);
  t.same(JSON.parse(line), last());
  t.match(last(), { windows: { path_ref: { text: `/é\x1b${RIGHT_TO_LEFT}` } } });
});

t.test("[ABI-TRACE-7] filters", async (t) => {
  const { guest, events } = watched();
  const file = guest.handle("/a", READ);
  guest.open("/none", READ);
  guest.read(file, 0, 1);
  guest.clock(0);
  guest.trap("fs", "close", NULL_REF);
  quietly(() => guest.call("sys", "exit", 0));
  const shown = (...patterns: string[]): string =>
    events
      .map((event, index) => [index, traceFilter(patterns)(event)] as const)
      .filter(([, fits]) => fits)
      .map(([index]) => index)
      .join("");
  t.equal(shown(), "012345");
  t.equal(shown("*"), "012345");
  t.equal(shown("fs.*"), "0124");
  t.equal(shown("fs.open", "sys.exit"), "015");
  t.equal(shown("*.re*"), "2");
  t.equal(shown("!fs.read"), "01345");
  t.equal(shown("fs.*", "!fs.o*"), "24");
  t.equal(shown("status:NOT_FOUND"), "1");
  t.equal(shown("status:error"), "14");
  t.equal(shown("status:trap"), "4");
  t.equal(shown("status:exit"), "5");
  t.equal(shown("status:OK", "fs.*"), "02");
  t.equal(shown("status:trap", "status:exit"), "45");
  t.equal(shown("!status:OK"), "145");
  for (const bad of [
    "fs",
    "fs.opem",
    "",
    "!",
    "fs.open_p",
    "status:",
    "status:FINE",
    "status:ok",
    "fs.(open)",
    ".s.open",
  ])
    t.throws(() => traceFilter([bad]), RangeError, bad);
  t.ok(traceFilter(["own.*"], [{ ...syscall("sys", "exit"), module: "own" }]));
});

onEngines(
  "[ABI-TRACE-1, ABI-TRACE-3] observing changes nothing, and unobserved calls do nothing for it",
  async (t, engine) => {
    const module = Module.decode(
      await loadWat(`(module
      (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
      (import "fs" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
      (import "sys" "fuel_left" (func $left (result i64)))
      (import "bytes" "of_memory" (func $own (result i64)))
      (memory 1)
      (data (i32.const 0) "/a")
      (func (export "run") (local $file i64)
        (call $open (i64.const 0) (call $own) (i32.const 0) (i32.const 2) (i32.const 1))
        (local.set $file)
        (drop)
        (call $read (local.get $file) (i64.const 0) (call $own) (i32.const 10) (i32.const 5))
        (drop) (drop) (drop)
        (drop (call $left))
        (unreachable)))`),
    );
    const run = (observe?: (event: CallEvent) => void, fuel = 1_000_000n): unknown => {
      const abi = createAbi({
        mounts: [{ guest: "/", fs: new MemoryFileSystem({ a: "0123456789" }) }],
        ...(observe && { observe }),
      });
      const instance = module.instantiate({ ...abi, fuel, engine });
      let trap: Partial<Trap> = {};
      try {
        instance.invoke("run");
      } catch (error) {
        trap = error as Trap;
      }
      return [trap.code, trap.offset, trap.backtrace, instance.fuelUsed, instance.stateDigest()];
    };
    const lines: string[] = [];
    t.same(
      run((event) => lines.push(traceLine(event))),
      run(),
    );
    t.equal(lines.length, 3);
    // No fuel for the call itself: it was not made.
    t.match(
      run((event) => lines.push(traceLine(event)), 1000n),
      [TrapCode.OutOfFuel],
    );
    t.equal(lines.length, 3);
    // The functions of an unobserved table are those that the dispatcher makes, with nothing around them.
    const bodies = Object.fromEntries(
      ["fs", "sys", "bank", "asl"].map((name) => [
        name,
        Object.fromEntries(SYSCALLS.filter(({ module }) => module === name).map((row) => [row.name, () => 0])),
      ]),
    );
    const source = (options?: Parameters<typeof hostFunctions>[4]): string =>
      hostFunctions(SYSCALLS, bodies, new Set(["fs"]), KINDS, options).fs!.open!.call.toString();
    t.equal(source(), source({}));
    t.not(source(), source({ observe: () => {} }));
  },
);
