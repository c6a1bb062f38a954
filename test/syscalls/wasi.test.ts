/** WASI preview 1 from a program's side, on both engines; errnos in all their causes are `test/wasi`'s. */
import t, { type Test } from "tap";
import type { AbiOptions } from "../../host/abi.ts";
import { createAbi } from "../../host/abi.ts";
import { type FileSystemFaults, faultyFileSystem } from "../../host/fs/faulty.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import { Exit } from "../../syscalls/exit.ts";
import type { CallEvent } from "../../syscalls/observe.ts";
import { Status } from "../../syscalls/status.ts";
import { syscall } from "../../syscalls/table.ts";
import { traceFilter, traceLine } from "../../syscalls/trace.ts";
import { Descriptors } from "../../syscalls/wasi/descriptors.ts";
import { ERRNO_OF_STATUS, Errno, type ErrnoName, errnoName } from "../../syscalls/wasi/errno.ts";
import { WASI_FUNCTIONS, WASI_MODULE } from "../../syscalls/wasi/table.ts";
import { typeText } from "../../vm/function.ts";
import { type Engine, Instance, Module } from "../../vm/index.ts";
import { Driver, PAGES, type Ref, wide } from "../conformance/driver.ts";
import { ENGINES } from "../vm/compare.ts";
import { thrown } from "./guest.ts";
import { standOn } from "./stand.ts";

const END = PAGES * 65_536;
/** Where answers, vectors, paths and data lie in the program's memory. */
const OUT = 0x1000;
const VECTORS = 0x2000;
const PATH = 0x4000;
const DATA = 0x10000;
const READS = 0x2;
const WRITES = 0x40;
const Fdflag = { APPEND: 1, SYNC: 16 };
const Oflag = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 };

/** A program that calls the functions. */
class Program {
  readonly driver: Driver;
  constructor(options: AbiOptions, engine: Engine, limits: { heapObjects?: number } = {}) {
    this.driver = new Driver(options, limits, standOn(engine));
  }
  get bytes(): Uint8Array {
    return this.driver.memory.bytes;
  }
  get view(): DataView {
    return this.driver.memory.view;
  }
  /** Name of the errno. */
  call(name: string, ...words: readonly (number | Ref)[]): ErrnoName | undefined {
    const { returned } = this.driver.call(WASI_MODULE, name, ...words);
    return returned === undefined ? undefined : errnoName(returned);
  }
  trap(name: string, ...words: readonly (number | Ref)[]): string {
    return this.driver.trap(WASI_MODULE, name, ...words);
  }
  path(text: string, at = PATH): [number, number] {
    return [at, Buffer.from(this.bytes.buffer).write(text, at)];
  }
  /** The descriptor, or the errno's name. */
  open(path: string, oflags = 0, rights = READS | WRITES, fdflags = 0, dir = 3, follow = 1): number | ErrnoName {
    const errno = this.call("path_open", dir, follow, ...this.path(path), oflags, wide(rights), wide(0), fdflags, OUT);
    return errno === "SUCCESS" ? this.view.getUint32(OUT, true) : errno!;
  }
  /** Vectors of these lengths over the data, one behind the other; pointer and count. */
  vectors(...lengths: readonly number[]): [number, number] {
    let at = DATA;
    for (const [k, length] of lengths.entries()) {
      this.view.setUint32(VECTORS + 8 * k, at, true);
      this.view.setUint32(VECTORS + 8 * k + 4, length, true);
      at += length;
    }
    return [VECTORS, lengths.length];
  }
  /** The text, or the errno's name. */
  read(fd: number, ...lengths: readonly number[]): string {
    const errno = this.call("fd_read", fd, ...this.vectors(...lengths), OUT);
    return errno === "SUCCESS" ? this.text(DATA, this.view.getUint32(OUT, true)) : `${errno}`;
  }
  write(fd: number, ...texts: readonly string[]): number | ErrnoName {
    Buffer.from(this.bytes.buffer).write(texts.join(""), DATA, "latin1");
    const errno = this.call("fd_write", fd, ...this.vectors(...texts.map(({ length }) => length)), OUT);
    return errno === "SUCCESS" ? this.view.getUint32(OUT, true) : errno!;
  }
  text(at: number, length: number): string {
    return Buffer.from(this.bytes.subarray(at, at + length)).toString();
  }
  number(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }
  offset(fd: number): number {
    const errno = this.call("fd_tell", fd, OUT);
    return errno === "SUCCESS" ? this.number(OUT) : -1;
  }
  stat(fd: number): { device: number; id: number; type: number; links: number; size: number; times: number[] } {
    this.bytes.fill(0xff, OUT, OUT + 64);
    this.call("fd_filestat_get", fd, OUT);
    const at = (k: number): number => this.number(OUT + k);
    const times = [at(40), at(48), at(56)];
    return { device: at(0), id: at(8), type: at(16), links: at(24), size: at(32), times };
  }
  preopens(): string[] {
    const names: string[] = [];
    for (let fd = 3; this.call("fd_prestat_get", fd, OUT) === "SUCCESS"; fd++) {
      const length = this.view.getUint32(OUT + 4, true);
      this.call("fd_prestat_dir_name", fd, PATH, length);
      names.push(this.text(PATH, length));
    }
    return names;
  }
  /** Entries of a listing from a cookie on, through a buffer of so many bytes; and how many bytes came. */
  list(fd: number, cookie: number, size = 4096): { entries: [string, number, number][]; used: number; next: number } {
    if (this.call("fd_readdir", fd, DATA, size, wide(cookie), OUT) !== "SUCCESS") throw new Error("fd_readdir");
    const used = this.view.getUint32(OUT, true);
    const entries: [string, number, number][] = [];
    let next = cookie;
    for (let at = DATA; at + 24 <= DATA + used; ) {
      const length = this.view.getUint32(at + 16, true);
      if (at + 24 + length > DATA + used) break;
      entries.push([this.text(at + 24, length), this.bytes[at + 20]!, this.number(at + 8)]);
      next = this.number(at);
      at += 24 + length;
    }
    return { entries, used, next };
  }
}

/** What each test needs: a folder of a few files at `/`, and the standard streams. */
function usual(tree: { readonly [path: string]: string } = { f: "0123456789" }) {
  const fs = new MemoryFileSystem(tree);
  const output: string[] = [];
  const options: AbiOptions = {
    name: "prog",
    args: ["one", "zwölf"],
    env: { A: "1" },
    mounts: [{ guest: "/", fs }],
    stdin: Buffer.from("input\n"),
    stdout: (bytes) => void output.push(Buffer.from(bytes).toString()),
    stderr: () => {},
  };
  return { fs, output, options };
}

function onEngines(title: string, run: (t: Test, engine: Engine) => void | Promise<void>): void {
  for (const engine of ENGINES) t.test(`${title} (${engine} engine)`, async (t) => run(t, engine));
}

t.test("[WASI-LINK-1] the functions of the table link, and nothing else does", async (t) => {
  t.equal(WASI_FUNCTIONS.length, 46);
  // As the documentation of preview 1 has them; a sample of every shape.
  const types: { readonly [name: string]: string } = {
    args_get: "(i32 i32) -> (i32)",
    clock_time_get: "(i32 i64 i32) -> (i32)",
    fd_advise: "(i32 i64 i64 i32) -> (i32)",
    fd_filestat_set_times: "(i32 i64 i64 i32) -> (i32)",
    fd_pwrite: "(i32 i32 i32 i64 i32) -> (i32)",
    fd_readdir: "(i32 i32 i32 i64 i32) -> (i32)",
    fd_seek: "(i32 i64 i32 i32) -> (i32)",
    path_filestat_set_times: "(i32 i32 i32 i32 i64 i64 i32) -> (i32)",
    path_open: "(i32 i32 i32 i32 i32 i64 i64 i32 i32) -> (i32)",
    path_link: "(i32 i32 i32 i32 i32 i32 i32) -> (i32)",
    proc_exit: "(i32) -> ()",
    sched_yield: "() -> (i32)",
    sock_recv: "(i32 i32 i32 i32 i32 i32) -> (i32)",
  };
  const { imports } = createAbi();
  for (const [name, type] of Object.entries(types)) t.equal(typeText(imports[WASI_MODULE]![name]!.type), type, name);
  for (const field of [`"thread_spawn" (func)`, `"fd_close" (func (param i64) (result i32))`, `"fd_close" (func)`]) {
    const module = Module.decode(await loadWat(`(module (import "${WASI_MODULE}" ${field}))`));
    t.throws(() => module.instantiate({ imports }), { code: "VM-LINK" }, field);
  }
});

onEngines("[WASI-LINK-2, WASI-TRAP-1, WASI-ERRNO-1] pointers", (t, engine) => {
  const { options, fs } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  const at = END - 8;
  t.equal(program.call("fd_tell", fd, at), "SUCCESS", "an answer at the end");
  t.equal(program.call("fd_tell", fd, 0x1003), "SUCCESS", "an answer at an odd address");
  for (const pointer of [END - 7, END, -1]) t.equal(program.trap("fd_tell", fd, pointer), "BadPointer");
  t.equal(program.trap("fd_tell", 99, END), "BadPointer", "before the descriptor");
  t.equal(program.call("fd_prestat_dir_name", 3, END, 0), "NAMETOOLONG", "no bytes at the end");
  const lists: [string, (number | Ref)[]][] = [
    ["fd_read", [fd, END - 8, 2, OUT]],
    ["fd_read", [fd, -1, 1, OUT]],
    ["fd_read", [fd, END - 8, 1025, OUT]],
    ["fd_write", [fd, VECTORS, 1, END - 3]],
    ["fd_readdir", [3, END - 10, 11, wide(0), OUT]],
    ["path_open", [3, 0, END - 1, 2, 0, wide(0), wide(0), 0, OUT]],
    ["path_rename", [3, PATH, 1, 3, END, 1]],
    ["path_readlink", [3, PATH, 1, DATA, -1, OUT]],
    ["poll_oneoff", [END - 47, OUT, 1, OUT]],
    ["poll_oneoff", [OUT, OUT, -1, OUT]],
    ["random_get", [END - 1, 2]],
    ["args_get", [END - 11, DATA]],
    ["environ_get", [OUT, END - 1]],
    ["clock_time_get", [0, wide(0), END - 7]],
    ["fd_filestat_get", [fd, END - 63]],
  ];
  program.vectors(4, 4);
  const before = Buffer.from(program.bytes).toString("latin1");
  for (const [name, words] of lists) t.equal(program.trap(name, ...words), "BadPointer", name);
  // A vector that leads out, behind one that does not.
  program.vectors(4, END);
  t.equal(program.trap("fd_write", fd, VECTORS, 2, OUT), "BadPointer");
  program.vectors(4, 4);
  t.ok(Buffer.from(program.bytes).toString("latin1") === before, "no memory has changed");
  t.equal(Buffer.from(fs.get("f")!).toString(), "0123456789", "nor the file");
  program.driver.callerMemory = undefined;
  t.equal(program.trap("fd_tell", fd, 0), "BadPointer", "without a memory");
});

/** Writes five bytes and lists; all pointers are above 2 GiB. */
const HIGH = Module.decode(
  await loadWat(`(module
    (import "${WASI_MODULE}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "${WASI_MODULE}" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (memory (export "memory") 32769)
    (data (i32.const 0x80000000) "\\08\\00\\00\\80\\05\\00\\00\\00high\\n")
    (func (export "run") (result i32 i32)
      (drop (call $write (i32.const 1) (i32.const 0x80000000) (i32.const 1) (i32.const 0x80000100)))
      (i32.load (i32.const 0x80000100))
      (drop (call $list (i32.const 3) (i32.const 0x80000200) (i32.const 100) (i64.const 0) (i32.const 0x80000104)))
      (i32.load (i32.const 0x80000104))))`),
);

onEngines("[WASI-LINK-2] pointers above 2 GiB", (t, engine) => {
  const { options, output } = usual();
  const instance = HIGH.instantiate({ ...createAbi(options), engine, limits: { memoryPages: 32_769 } });
  t.same(instance.invoke("run"), [5, 3 * 24 + 4]);
  t.same(output, ["high\n"]);
  instance.store.close();
});

onEngines("[WASI-SYSCALL-1] functions are made of syscalls, of which observers hear", (t, engine) => {
  const events: CallEvent[] = [];
  const { options } = usual();
  const program = new Program({ ...options, observe: (event) => void events.push(event) }, engine);
  program.open("f");
  program.open("none");
  t.equal(program.call("fd_close", 99), "BADF");
  const lines = events.map((event) =>
    traceLine(event)
      .slice(11)
      .replace(/^.*mount.*$/, "mount"),
  );
  t.same(lines, [
    "sys.stdin() = Stream#2",
    "sys.stdout() = Stream#3",
    "sys.stderr() = Stream#4",
    ...["mount", "mount", "mount"],
    'fs.open(null, "/", READ|DIRECTORY) = OK, Dir#6',
    'fs.open(Dir#6, "f", READ|WRITE) = OK, File#7',
    `${WASI_MODULE}.path_open(3, 1, ${PATH}, 1, 0, 66, 0, 0, ${OUT}) = OK`,
    'fs.open(Dir#6, "none", READ|WRITE) = NOT_FOUND',
    `${WASI_MODULE}.path_open(3, 1, ${PATH}, 4, 0, 66, 0, 0, ${OUT}) = NOENT`,
    `${WASI_MODULE}.fd_close(99) = BADF`,
  ]);
  const shown = (pattern: string): number => events.filter(traceFilter([pattern])).length;
  t.same([shown("wasi*"), shown("status:BADF"), shown("status:error")], [3, 1, 3]);
});

onEngines("[WASI-SYSCALL-3] syscalls come in an order that recordings can rely on", (t, engine) => {
  const made: string[] = [];
  const { options } = usual({ f: "0123456789", "d/e": "" });
  const observe = ({ row }: CallEvent): void => void (row.module !== WASI_MODULE && made.push(row.name));
  const program = new Program({ ...options, observe }, engine);
  const of = (name: string, ...words: readonly (number | Ref)[]): string => {
    made.length = 0;
    program.call(name, ...words);
    return made.join(" ");
  };
  const open = (path: string, oflags: number, rights: number): string =>
    of("path_open", 3, 0, ...program.path(path), oflags, wide(rights), wide(0), 0, OUT);
  t.equal(of("args_sizes_get", OUT, OUT + 4), "args_count name_size arg_size arg_size");
  t.equal(of("args_get", OUT, DATA), "args_count name_size arg_size arg_size name_read arg_read arg_read");
  t.equal(of("environ_get", OUT, DATA), "env_count env_size env_read");
  t.equal(of("fd_close", 99), "stdin stdout stderr mount_count mount_size mount_read open");
  t.equal(open("d", Oflag.DIRECTORY, READS), "open");
  t.equal(open("d", Oflag.DIRECTORY, WRITES), "open close");
  t.equal(open("d", 0, READS), "open open");
  t.equal(open("d", 0, WRITES), "open");
  t.equal(open("f", Oflag.CREAT, READS), "open");
  t.equal(open("g", Oflag.CREAT, READS), "open open");
  t.equal(open("h", Oflag.CREAT, WRITES), "open");
  t.equal(open("h", Oflag.TRUNC, READS), "open");
  const fd = program.open("f", 0, READS | WRITES, Fdflag.APPEND | Fdflag.SYNC) as number;
  t.equal(of("fd_write", fd, ...program.vectors(1, 2), OUT), "write sync size");
  t.equal(of("fd_write", fd, ...program.vectors(1, 9000), OUT), "write write sync size");
  t.equal(of("fd_pwrite", fd, ...program.vectors(1), wide(0), OUT), "write sync");
  t.equal(of("fd_seek", fd, wide(0), 2, OUT), "size");
  t.equal(of("fd_allocate", fd, wide(0), wide(1)), "size");
  t.equal(of("fd_allocate", fd, wide(0), wide(100_000)), "size truncate");
  t.equal(of("fd_readdir", 3, DATA, 1000, wide(0), OUT), "list stat stat stat stat stat");
  t.equal(of("fd_readdir", 3, DATA, 30, wide(1), OUT), "list stat stat");
  t.equal(of("fd_filestat_set_times", fd, wide(0), wide(0), 2), "clock set_times");
  const waits = [
    [0, 1, 10 ** 12, 1],
    [0, 1, 10 ** 12],
  ];
  t.equal(of("poll_oneoff", ...subscribe(program, waits)), "clock sleep");
  t.equal(of("poll_oneoff", ...subscribe(program, [[1, fd], ...waits, [2, fd], [1, fd]])), "size clock size");
});

onEngines("[WASI-SYSCALL-2, WASI-ERRNO-3] where the heap has no room", (t, engine) => {
  const { options } = usual();
  // The window over the memory, three streams, the object for copies, the mount's directory, one file.
  const program = new Program(options, engine, { heapObjects: 7 });
  const fd = program.open("f") as number;
  t.equal(fd, 4);
  t.equal(program.open("f"), "DQUOT");
  const without = new Program(options, engine, { heapObjects: 4 });
  t.same(without.preopens(), [], "no object for copies: nothing is mounted");
  t.equal(without.write(1, "a"), 1);
  t.equal(without.write(1, "a", "b"), "NOMEM");
});

onEngines("[WASI-ERRNO-2, WASI-ERRNO-3] statuses become errnos, after everything else was checked", (t, engine) => {
  const ofOthers = ["NOT_READY", "CANCELED", "NO_SLOT", "SEALED", "ABORTED"];
  t.same(
    Object.keys(ERRNO_OF_STATUS),
    Object.keys(Status).filter((name) => !ofOthers.includes(name)),
  );
  for (const name of [...syscall("fs", "rename").statuses, ...syscall("fs", "open").statuses]) {
    if (name === "STALE") continue;
    const { fs, options } = usual();
    const isOpened = syscall("fs", "open").statuses.includes(name);
    const faults = { at: 1, operation: isOpened ? "open" : "rename", status: Status[name as "OTHER"] } as const;
    const program = new Program({ ...options, mounts: [{ guest: "/", fs: faultyFileSystem(fs, faults) }] }, engine);
    const moved = (): ErrnoName | undefined =>
      program.call("path_rename", 3, ...program.path("f", DATA), 3, ...program.path("g"));
    t.equal(isOpened ? program.open("f", 0, WRITES) : moved(), ERRNOS[name], name);
  }
  const { options } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  t.equal(program.call("fd_read", 99, VECTORS, 1025, OUT), "INVAL", "vectors before descriptors");
  program.bytes.fill(0, VECTORS, VECTORS + 8192);
  t.equal(program.call("fd_read", 99, VECTORS, 1024, OUT), "BADF");
  t.equal(program.call("path_filestat_get", 99, 2, PATH, 0, OUT), "BADF", "descriptors before paths");
  t.equal(program.call("path_filestat_get", fd, 2, PATH, 0, OUT), "NOTDIR");
  t.equal(program.call("path_filestat_get", 3, 2, PATH, 0, OUT), "NOENT", "paths before flags");
  t.equal(program.call("path_filestat_get", 3, 2, ...program.path("none"), OUT), "INVAL", "flags before syscalls");
  t.equal(program.call("path_link", 3, 1, ...program.path("none"), 99, PATH, 1), "BADF");
  t.equal(program.call("path_rename", 3, PATH, 0, 99, PATH, 1), "BADF", "both descriptors before the paths");
  t.equal(program.call("path_symlink", PATH, 0, fd, PATH, 1), "NOTDIR");
  t.equal(program.call("path_symlink", PATH, 0, 3, PATH, 1), "NOENT");
  t.equal(Errno.SUCCESS, 0);
});

onEngines("[WASI-RIGHTS-1] rights", (t, engine) => {
  const { options } = usual();
  const program = new Program(options, engine);
  const rightsOf = (fd: number): [number, number] => {
    t.equal(program.call("fd_fdstat_get", fd, OUT), "SUCCESS");
    return [program.number(OUT + 8), program.number(OUT + 16)];
  };
  for (const [rights, reading, writing] of [
    [READS, "0123", "BADF"],
    [WRITES, "BADF", 1],
    [0, "BADF", "BADF"],
  ] as const) {
    const fd = program.open("f", 0, rights) as number;
    t.equal(program.read(fd, 4), reading);
    t.equal(program.write(fd, "0"), writing);
    t.equal(rightsOf(fd)[0] & (READS | WRITES), rights);
  }
  const fd = program.open("f") as number;
  const [base] = rightsOf(fd);
  t.equal(program.call("fd_fdstat_set_rights", fd, wide(base), wide(1)), "NOTCAPABLE");
  t.equal(program.call("fd_fdstat_set_rights", fd, wide(2n ** 40n), wide(0)), "NOTCAPABLE");
  t.equal(program.call("fd_fdstat_set_rights", fd, wide(base & ~READS), wide(0)), "SUCCESS");
  t.equal(program.read(fd, 1), "BADF");
  t.equal(program.call("fd_fdstat_set_rights", fd, wide(base), wide(0)), "NOTCAPABLE", "gone for good");
  const [directory, inheriting] = rightsOf(3);
  t.equal(directory & (READS | WRITES), 0);
  t.equal(inheriting & (READS | WRITES | directory), READS | WRITES | directory);
});

onEngines("[WASI-FUEL-1] prices, and charges for what is moved", async (t, engine) => {
  const { options } = usual();
  const used = await fuelOf(engine, options);
  t.equal(used(1, 1) - used(0, 1), 4n, "of a vector");
  const moved = (bytes: number): bigint => used(1, bytes);
  t.equal(moved(31) - moved(1), 0n);
  t.equal(moved(3200) - moved(1), 100n);
  t.equal(moved(32) - moved(1), 1n);
});

/** What a program uses that writes `bytes` to its output in `count` vectors. */
async function fuelOf(engine: Engine, options: AbiOptions) {
  const module = Module.decode(
    await loadWat(`(module
      (import "${WASI_MODULE}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "run") (param $count i32) (param $bytes i32)
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (local.get $bytes))
        (drop (call $write (i32.const 1) (i32.const 0) (local.get $count) (i32.const 16)))))`),
  );
  return (count: number, bytes: number): bigint => {
    const instance = module.instantiate({ ...createAbi(options), engine });
    instance.invoke("run", [count, bytes]);
    return instance.fuelUsed;
  };
}

onEngines("[WASI-FUEL-1] without fuel for what would be moved nothing is moved", async (t, engine) => {
  const { output, options } = usual();
  const module = Module.decode(
    await loadWat(`(module
      (import "${WASI_MODULE}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory 1) (data (i32.const 0) "\\00\\04\\00\\00\\80\\3e\\00\\00")
      (func (export "run") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))`),
  );
  const instance = module.instantiate({ ...createAbi(options), engine, fuel: 1000n });
  t.match(
    thrown(() => instance.invoke("run")),
    { reason: "OutOfFuel" },
  );
  t.same(output, []);
  if (engine !== "reference") return;
  t.same(instance.resume(1000n), [0]);
  t.equal(output.join("").length, 16_000);
  const whole = module.instantiate({ ...createAbi(options), engine });
  whole.invoke("run");
  t.equal(instance.fuelUsed, whole.fuelUsed, "nothing is charged twice");
});

onEngines("[WASI-FD-1, WASI-FD-2] the descriptors that a program begins with, and numbers", (t, engine) => {
  const { fs, options } = usual({ "a/f": "", "b/f": "" });
  const broken = faultyFileSystem(fs, { at: 1, operation: "openDirectory", status: Status.TOO_MANY_OPEN });
  const mounts = [
    { guest: "/z", fs },
    { guest: "/broken", fs: broken },
    { guest: "/a/b/", fs },
  ];
  const program = new Program({ ...options, mounts, stdin: undefined as never }, engine);
  t.same(program.preopens(), ["/z", "/a/b"], "in the order of the grants");
  const bare = new Program({ stdout: () => {} }, engine);
  t.equal(bare.write(1, "x"), 1);
  t.same([bare.read(0, 1), bare.write(2, "x")], ["BADF", "BADF"], "streams that were not granted");
  t.same(bare.preopens(), []);

  const two = new Program(options, engine);
  t.equal(two.open("a/f", 0, READS), 4);
  t.equal(two.open("b/f", 0, READS), 5);
  t.equal(two.call("fd_close", 4), "SUCCESS");
  t.equal(two.call("fd_close", 4), "BADF");
  t.equal(two.open("b/f", 0, READS), 4, "the lowest that is free");
  t.equal(two.call("fd_renumber", 4, 5), "SUCCESS");
  t.equal(two.call("fd_renumber", 5, 4), "BADF", "to a number that is free");
  t.equal(two.call("fd_renumber", 5, 5), "SUCCESS");
  t.equal(two.call("fd_renumber", 5, 1), "SUCCESS", "over a stream");
  t.equal(two.read(1, 4), "");
  t.equal(two.call("fd_close", 3), "SUCCESS", "a preopened one");
  t.same(two.preopens(), []);
});

onEngines("[WASI-FD-3] streams are terminals where input is interactive", (t, engine) => {
  const { options } = usual();
  for (const interactive of [false, true]) {
    const program = new Program({ ...options, stdin: () => 0, interactive }, engine);
    for (const fd of [0, 1, 2]) {
      t.equal(program.call("fd_fdstat_get", fd, OUT), "SUCCESS");
      t.equal(program.bytes[OUT], interactive ? 2 : 0);
      const type = interactive ? 2 : 0;
      t.same(program.stat(fd), { device: 0, id: 0, type, links: 0, size: 0, times: [0, 0, 0] });
    }
  }
});

onEngines("[WASI-FD-4] offsets", (t, engine) => {
  const { options } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  const seek = (offset: number | bigint, whence: number, on = fd): unknown => {
    const errno = program.call("fd_seek", on, wide(offset), whence, OUT);
    return errno === "SUCCESS" ? program.number(OUT) : errno;
  };
  t.same([seek(4, 0), seek(-1, 1), seek(-3, 2), seek(100, 2)], [4, 3, 7, 110]);
  t.equal(program.read(fd, 4), "", "behind the end");
  t.same([seek(-1, 0), seek(-111, 1), seek(0, 3)], ["INVAL", "INVAL", "INVAL"]);
  t.equal(program.offset(fd), 110);
  const most = Number.MAX_SAFE_INTEGER;
  t.same([seek(most, 0), seek(1, 1), seek(2n ** 63n - 1n, 0)], [most, "OVERFLOW", "OVERFLOW"]);
  t.equal(program.write(fd, "x"), "FBIG");
  t.same([seek(0, 0, 0), seek(0, 0, 3)], ["SPIPE", "BADF"]);
  t.same([program.read(3, 1), program.write(3, "x")], ["ISDIR", "ISDIR"]);
  t.equal(program.call("fd_pread", fd, ...program.vectors(4), wide(most), OUT), "SUCCESS");
  t.equal(program.view.getUint32(OUT, true), 0);
  t.equal(program.call("fd_pread", fd, ...program.vectors(4), wide(-1), OUT), "INVAL");
  t.equal(program.call("fd_pwrite", fd, ...program.vectors(4), wide(most), OUT), "FBIG");
  t.equal(program.call("fd_pread", 0, ...program.vectors(4), wide(0), OUT), "SPIPE");
  for (const name of ["fd_tell", "fd_filestat_set_size"] as const)
    t.equal(program.call(name, 3, ...(name === "fd_tell" ? [OUT] : [wide(0)])), "BADF");
});

onEngines("[WASI-FD-5] vectors", (t, engine) => {
  const { fs, output, options } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  t.equal(program.read(fd, 0, 3, 0, 4), "0123456");
  t.equal(program.offset(fd), 7);
  t.equal(program.read(fd, 2, 4096), "789");
  t.equal(program.read(fd, 2, 4096), "");
  t.equal(program.read(0, 3, 100), "input\n", "a stream, to its end");
  t.equal(program.write(1, "ab", "", "cd"), 4);
  t.same(output, ["abcd"], "together");
  const long = "x".repeat(5000);
  t.equal(program.write(1, long, long), 10_000);
  t.same(
    output.slice(1).map(({ length }) => length),
    [5000, 5000],
    "one after the other",
  );
  t.equal(program.write(fd, long, long), 10_000);
  t.equal(fs.get("f")!.length, 10_010);
  program.call("fd_seek", fd, wide(10), 0, OUT);
  t.equal(program.read(fd, 6000, 6000), `${long}${long}`);

  // The second piece fails; the next call meets the failure.
  const failing = faultyFileSystem(new MemoryFileSystem({ f: "" }), {
    ...{ at: 2, operation: "write", status: Status.NO_SPACE, persistent: true },
  });
  const short = new Program({ ...options, mounts: [{ guest: "/", fs: failing }] }, engine);
  const file = short.open("f") as number;
  t.same([short.write(file, long, long), short.offset(file), short.write(file, "x")], [5000, 5000, "NOSPC"]);
  const broken = faultyFileSystem(new MemoryFileSystem({ f: long + long }), {
    ...{ at: 2, operation: "read", persistent: true },
  });
  const cut = new Program({ ...options, mounts: [{ guest: "/", fs: broken }] }, engine);
  const source = cut.open("f", 0, READS) as number;
  t.same([cut.read(source, 5000, 5000), cut.offset(source), cut.read(source, 1)], [long, 5000, "IO"]);

  // Vectors that read over themselves.
  const self = new Program(options, engine);
  const over = self.open("f", 0, READS) as number;
  self.view.setUint32(VECTORS, VECTORS, true);
  self.view.setUint32(VECTORS + 4, 16, true);
  self.view.setUint32(VECTORS + 8, DATA, true);
  self.view.setUint32(VECTORS + 12, 9000, true);
  t.equal(self.call("fd_read", over, VECTORS, 2, OUT), "SUCCESS");
  t.equal(self.text(DATA, 3), "xxx");
});

onEngines("[WASI-FD-6] flags of descriptors", (t, engine) => {
  const { fs, options } = usual();
  let synced = 0;
  const program = new Program(
    {
      ...options,
      observe: ({ row }) => {
        if (row.name === "sync") synced++;
      },
    },
    engine,
  );
  const fd = program.open("f", 0, READS | WRITES, 1) as number;
  t.equal(program.write(fd, "ab"), 2);
  t.equal(program.offset(fd), 12);
  Buffer.from(program.bytes.buffer).write("cd", DATA);
  t.equal(program.call("fd_pwrite", fd, ...program.vectors(2), wide(0), OUT), "SUCCESS");
  t.equal(Buffer.from(fs.get("f")!).toString(), "0123456789abcd");
  t.equal(program.call("fd_fdstat_set_flags", fd, 32), "INVAL");
  t.equal(program.call("fd_fdstat_set_flags", fd, 4 + 8), "SUCCESS");
  program.call("fd_seek", fd, wide(0), 0, OUT);
  program.write(fd, "X");
  t.equal(Buffer.from(fs.get("f")!).toString(), "X123456789abcd");
  program.call("fd_fdstat_get", fd, OUT);
  t.equal(program.view.getUint16(OUT + 2, true), 12);
  for (const [flags, times] of [
    [2, 1],
    [16, 1],
    [0, 0],
  ] as const) {
    program.call("fd_fdstat_set_flags", fd, flags);
    synced = 0;
    program.write(fd, "Y");
    t.equal(synced, times, `flags ${flags}`);
  }
});

onEngines("[WASI-FD-7] room, advice, sync", (t, engine) => {
  const { fs, options } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  t.equal(program.call("fd_allocate", fd, wide(5), wide(3)), "SUCCESS");
  t.equal(fs.get("f")!.length, 10);
  t.equal(program.call("fd_allocate", fd, wide(5), wide(10)), "SUCCESS");
  t.equal(Buffer.from(fs.get("f")!).toString("latin1"), `0123456789${"\0".repeat(5)}`);
  t.equal(program.call("fd_allocate", fd, wide(5), wide(0)), "INVAL");
  t.equal(program.call("fd_allocate", fd, wide(2n ** 62n), wide(1)), "FBIG");
  t.equal(program.call("fd_allocate", 0, wide(0), wide(1)), "SPIPE");
  t.equal(program.call("fd_advise", fd, wide(0), wide(0), 5), "SUCCESS");
  t.equal(program.call("fd_advise", fd, wide(0), wide(0), 6), "INVAL");
  t.equal(program.call("fd_advise", fd, wide(-1), wide(0), 0), "INVAL");
  t.equal(program.call("fd_advise", 0, wide(0), wide(0), 0), "SPIPE");
  t.same(
    [fd, 3, 0, 99].map((on) => [program.call("fd_sync", on), program.call("fd_datasync", on)]),
    [
      ["SUCCESS", "SUCCESS"],
      ["SUCCESS", "SUCCESS"],
      ["INVAL", "INVAL"],
      ["BADF", "BADF"],
    ],
  );
});

onEngines("[WASI-FD-8] listings", (t, engine) => {
  const files = Object.fromEntries(Array.from({ length: 600 }, (_, k) => [`d/${String(k).padStart(40, "0")}`, ""]));
  const { options } = usual({ "small/b": "", "small/a/c": "", ...files });
  const program = new Program(options, engine);
  const small = program.open("small", Oflag.DIRECTORY, 0) as number;
  const { entries, used } = program.list(small, 0);
  t.same(
    entries.map(([name, type]) => [name, type]),
    [
      [".", 3],
      ["..", 3],
      ["a", 3],
      ["b", 4],
    ],
  );
  t.equal(entries[0]![2], program.stat(small).id);
  t.equal(entries[1]![2], 0);
  t.equal(entries[3]![2], program.stat(program.open("small/b", 0, READS) as number).id);
  t.equal(used, 4 * 24 + 5);
  const names = (cookie: number, size?: number): string[] =>
    program.list(small, cookie, size).entries.map(([name]) => name);
  t.same([names(1), names(2), names(3), names(4)], [["..", "a", "b"], ["a", "b"], ["b"], []]);
  t.equal(program.call("fd_readdir", small, DATA, 100, wide(5), OUT), "INVAL", "behind the end");
  t.equal(program.call("fd_readdir", small, DATA, 100, wide(-1), OUT), "INVAL");
  const cut = program.list(small, 0, 60);
  t.same([cut.used, cut.entries.length], [60, 2], "the last one is cut off");
  t.equal(program.list(small, 0, 0).used, 0);

  const large = program.open("d", 0, 0) as number;
  for (const size of [25, 64, 65, 66, 1000, 65_536]) {
    const all: string[] = [];
    for (let cookie = 0, room = size; ; ) {
      const part = program.list(large, cookie, room);
      all.push(...part.entries.map(([name]) => name));
      if (part.used < room) break;
      // A buffer too small for the next name.
      room = part.entries.length === 0 ? room * 2 : size;
      cookie = part.next;
    }
    t.equal(all.length, 602, `through ${size} bytes`);
    t.same(all, [...all].sort());
  }
});

onEngines("[WASI-FD-8, WASI-ERRNO-1] a listing that fails is no folder without names", (t, engine) => {
  const { fs, options } = usual({ a: "", b: "" });
  const plan: FileSystemFaults = { operation: "list", at: 1, persistent: true };
  const program = new Program({ ...options, mounts: [{ guest: "/", fs: faultyFileSystem(fs, plan) }] }, engine);
  program.bytes.fill(7, DATA, DATA + 1000);
  for (const cookie of [0, 1, 2]) {
    t.equal(program.call("fd_readdir", 3, DATA, 1000, wide(cookie), OUT), "IO", `from ${cookie}`);
    t.ok(
      program.bytes.subarray(DATA, DATA + 1000).every((byte) => byte === 7),
      "and nothing is put",
    );
  }
  plan.at = undefined;
  t.equal(program.list(3, 0).entries.length, 4);
});

onEngines("[WASI-FD-9] filestats", (t, engine) => {
  const { options } = usual({ f: "0123456789", "d/e": "" });
  const program = new Program({ ...options, clock: { start: 1000n } }, engine);
  program.call("path_symlink", ...program.path("f", DATA), 3, ...program.path("link"));
  const fd = program.open("f") as number;
  const { times, ...stat } = program.stat(fd);
  t.same(stat, { device: 1, id: 1, type: 4, links: 1, size: 10 });
  t.same(times, [0, 0, 0]);
  const at = (path: string, flags: number): unknown => {
    program.call("path_filestat_get", 3, flags, ...program.path(path), OUT);
    return [program.number(OUT + 8), program.bytes[OUT + 16]];
  };
  t.same(
    [at("link", 1), at("link", 0), at("d", 0), at("f", 0)],
    [
      [1, 4],
      [2, 7],
      [3, 3],
      [1, 4],
    ],
  );
  program.call("fd_filestat_set_times", fd, wide(5), wide(6), 1 + 4);
  t.same(program.stat(fd).times.slice(0, 2), [5, 6]);
  program.call("fd_filestat_set_times", fd, wide(7), wide(8), 2);
  t.ok(program.stat(fd).times[0]! > 1000, "now");
  t.equal(program.stat(fd).times[1], 6);
  program.call("path_filestat_set_times", 3, 0, ...program.path("link"), wide(9), wide(10), 4);
  t.equal(program.stat(fd).times[1], 6, "of the link itself");
  program.call("path_filestat_set_times", 3, 1, ...program.path("link"), wide(9), wide(10), 4);
  t.equal(program.stat(fd).times[1], 10);
  for (const flags of [3, 12, 16]) t.equal(program.call("fd_filestat_set_times", fd, wide(0), wide(0), flags), "INVAL");
});

onEngines("[WASI-PATH-1, WASI-PATH-2] where paths begin and lead", (t, engine) => {
  const { options } = usual({ f: "top", "d/f": "inner" });
  const program = new Program(options, engine);
  const d = program.open("d", Oflag.DIRECTORY, 0) as number;
  const contents = (path: string, dir: number, follow?: number): string => {
    const fd = program.open(path, 0, READS, 0, dir, follow);
    return typeof fd === "number" ? program.read(fd, 100) : fd;
  };
  t.same([contents("f", 3), contents("f", d), contents("./x/../f", d)], ["top", "inner", "NOENT"]);
  t.same(
    [contents("../f", d), contents("/f", d), contents("/f", 3), contents("..", 3)],
    ["PERM", "PERM", "PERM", "PERM"],
  );
  t.equal(program.call("path_symlink", ...program.path("f", DATA), d, ...program.path("l")), "SUCCESS");
  t.equal(program.call("path_symlink", ...program.path("../f", DATA), d, ...program.path("up")), "SUCCESS");
  t.equal(program.call("path_symlink", ...program.path("/f", DATA), d, ...program.path("root")), "PERM");
  t.same(
    [contents("l", d), contents("l", d, 0), contents("up", d), contents("d/up", 3)],
    ["inner", "LOOP", "PERM", "top"],
  );
  t.equal(program.call("path_link", d, 1, ...program.path("l", DATA), d, ...program.path("m")), "INVAL");
  t.equal(program.call("path_link", d, 0, ...program.path("l", DATA), d, ...program.path("m")), "SUCCESS");
  t.equal(program.call("path_readlink", d, ...program.path("m"), DATA, 100, OUT), "SUCCESS");
  t.equal(program.text(DATA, program.view.getUint32(OUT, true)), "f");
});

onEngines("[WASI-PATH-3, WASI-PATH-4] what is opened", (t, engine) => {
  const { fs, options } = usual({ f: "0123", "d/f": "" });
  const program = new Program(options, engine);
  const type = (path: string, oflags = 0, rights = READS): number | string => {
    const fd = program.open(path, oflags, rights);
    return typeof fd === "number" ? program.stat(fd).type : fd;
  };
  const { CREAT, DIRECTORY, EXCL, TRUNC } = Oflag;
  t.same([type("d"), type("d", 0, 0), type("d", DIRECTORY), type(".")], [3, 3, 3, 3]);
  t.same(
    [type("d", DIRECTORY, WRITES), type("f", DIRECTORY, WRITES), type("f", DIRECTORY)],
    ["ISDIR", "NOTDIR", "NOTDIR"],
  );
  t.same([type("d", 0, WRITES), type("d", CREAT), type("d", TRUNC)], ["ISDIR", "ISDIR", "ISDIR"]);
  t.same([type("d", DIRECTORY | CREAT), type("d", DIRECTORY | TRUNC), type("f", 16)], ["INVAL", "INVAL", "INVAL"]);
  t.same([type("f/"), type("d/"), type("none", EXCL)], ["NOTDIR", 3, "NOENT"]);
  t.same([type("new", CREAT), type("new", CREAT), type("new", CREAT | EXCL)], [4, 4, "EXIST"]);
  t.equal(type("f", TRUNC, 0), 4);
  t.equal(fs.get("f")!.length, 0, "emptied without being written");
  t.equal(type("new/", CREAT), "NOTDIR");
  const readOnly = new Program({ ...options, mounts: [{ guest: "/", fs, readOnly: true }] }, engine);
  t.type(readOnly.open("f", CREAT, READS), "number", "one that is there need not be writable");
  t.same(
    [readOnly.open("x", CREAT, READS), readOnly.open("f", TRUNC, READS), readOnly.open("f")],
    ["ROFS", "ROFS", "ROFS"],
  );
});

onEngines("[WASI-PROCESS-1] arguments and environment", (t, engine) => {
  const { options } = usual();
  const program = new Program(options, engine);
  const texts = (sizes: string, get: string): string[] => {
    t.equal(program.call(sizes, OUT, OUT + 4), "SUCCESS");
    const [count, bytes] = [program.view.getUint32(OUT, true), program.view.getUint32(OUT + 4, true)];
    program.bytes.fill(0xee, DATA, DATA + bytes + 1);
    t.equal(program.call(get, VECTORS, DATA), "SUCCESS");
    t.equal(program.bytes[DATA + bytes], 0xee, "no more than was told");
    return Array.from({ length: count }, (_, k) => {
      const at = program.view.getUint32(VECTORS + 4 * k, true);
      return program.text(at, program.bytes.indexOf(0, at) - at);
    });
  };
  t.same(texts("args_sizes_get", "args_get"), ["prog", "one", "zwölf"]);
  t.same(texts("environ_sizes_get", "environ_get"), ["A=1"]);
  const bare = new Program({}, engine);
  t.equal(bare.call("environ_sizes_get", OUT, OUT + 4), "SUCCESS");
  t.same([bare.number(OUT), bare.call("environ_get", END, END)], [0, "SUCCESS"]);
});

onEngines("[WASI-PROCESS-2, WASI-PROCESS-3, WASI-PROCESS-4] clocks, ends, sockets", (t, engine) => {
  const { options } = usual();
  const program = new Program({ ...options, clock: { start: 10n ** 15n } }, engine);
  const time = (id: number): number | string => {
    const errno = program.call("clock_time_get", id, wide(0), OUT);
    return errno === "SUCCESS" ? program.number(OUT) : errno!;
  };
  const [day, ...others] = [time(0), time(1), time(2), time(3)] as number[];
  t.ok(day! >= 1e15 && day! < 1e15 + 1e6);
  for (const other of others) t.ok(other > 0 && other < 1e6);
  t.equal(time(4), "INVAL");
  t.same(
    [0, 3, 4].map((id) => program.call("clock_res_get", id, OUT)),
    ["SUCCESS", "SUCCESS", "INVAL"],
  );
  t.equal(program.number(OUT), 1);
  for (const [code, exit] of [
    [0, 0],
    [7, 7],
    [256 + 3, 3],
    [-1, 255],
  ] as const) {
    try {
      program.call("proc_exit", code);
      t.fail("it does not return");
    } catch (error) {
      t.ok(error instanceof Exit && error.exitCode === exit);
    }
  }
  t.equal(program.call("proc_raise", 6), "NOSYS");
  t.equal(program.call("sched_yield"), "SUCCESS");
  for (const [name, ...words] of [
    ["sock_accept", 0, 0],
    ["sock_recv", 0, 0, 0, 0, 0],
    ["sock_send", 0, 0, 0, 0],
    ["sock_shutdown", 0],
  ] as const)
    t.same(
      [1, 3, 99].map((fd) => program.call(name, fd, ...words)),
      ["NOTSOCK", "NOTSOCK", "BADF"],
      name,
    );
  t.equal(program.call("random_get", DATA, 40), "SUCCESS");
  t.not(program.number(DATA), 0);
  t.equal(program.call("random_get", END, 0), "SUCCESS");
});

/** As the specification has them. */
const ERRNOS: { readonly [status: string]: string } = {
  OTHER: "IO",
  INVALID: "INVAL",
  NOT_FOUND: "NOENT",
  EXISTS: "EXIST",
  ACCESS: "PERM",
  READ_ONLY: "ROFS",
  NO_SPACE: "NOSPC",
  QUOTA: "DQUOT",
  BUSY: "BUSY",
  TRANSIENT: "AGAIN",
  UNSUPPORTED: "NOTSUP",
  NOT_DIRECTORY: "NOTDIR",
  IS_DIRECTORY: "ISDIR",
  NAME_TOO_LONG: "NAMETOOLONG",
  LOOP: "LOOP",
  TOO_MANY_OPEN: "NFILE",
  TOO_LARGE: "FBIG",
  SPECIAL_FILE: "NXIO",
  NOT_EMPTY: "NOTEMPTY",
  CROSS_DEVICE: "XDEV",
  TOO_MANY_LINKS: "MLINK",
};

/** Subscriptions at VECTORS: [type, descriptor] or [0, clock, timeout, flags]. */
function subscribe(program: Program, subscriptions: readonly (readonly number[])[]): [number, number, number, number] {
  program.bytes.fill(0, VECTORS, VECTORS + 48 * subscriptions.length);
  for (const [k, [type, of, timeout = 0, flags = 0]] of subscriptions.entries()) {
    const at = VECTORS + 48 * k;
    program.view.setBigUint64(at, BigInt(100 + k), true);
    program.bytes[at + 8] = type!;
    program.view.setUint32(at + 16, of!, true);
    program.view.setBigUint64(at + 24, BigInt(timeout), true);
    program.view.setUint16(at + 40, flags, true);
  }
  return [VECTORS, DATA, subscriptions.length, OUT];
}

/** [userdata, errno, type, bytes] of each event. */
function poll(program: Program, ...subscriptions: readonly (readonly number[])[]): unknown {
  const errno = program.call("poll_oneoff", ...subscribe(program, subscriptions));
  if (errno !== "SUCCESS") return errno;
  return Array.from({ length: program.view.getUint32(OUT, true) }, (_, k) => {
    const at = DATA + 32 * k;
    const { view } = program;
    return [
      program.number(at),
      errnoName(view.getUint16(at + 8, true)),
      view.getUint8(at + 10),
      program.number(at + 16),
    ];
  });
}

onEngines("[WASI-POLL-1, WASI-POLL-2] polling", (t, engine) => {
  const { options } = usual();
  const program = new Program(options, engine);
  const fd = program.open("f") as number;
  program.read(fd, 3);
  const now = (): number => {
    program.call("clock_time_get", 1, wide(0), OUT);
    return program.number(OUT);
  };
  t.same(poll(program, [1, fd], [0, 1, 10 ** 12], [2, 1], [1, 0]), [
    [100, "SUCCESS", 1, 7],
    [102, "SUCCESS", 2, 0],
    [103, "SUCCESS", 1, 0],
  ]);
  t.ok(now() < 10 ** 12, "no clock was waited for");
  t.same(poll(program, [1, 99], [3, 0], [0, 9], [0, 1, 10 ** 12]), [
    [100, "BADF", 1, 0],
    [101, "INVAL", 3, 0],
    [102, "INVAL", 0, 0],
  ]);
  const before = now();
  t.same(poll(program, [0, 1, 3 * 10 ** 9], [0, 0, 2 * 10 ** 9], [0, 1, 2 * 10 ** 9]), [
    [101, "SUCCESS", 0, 0],
    [102, "SUCCESS", 0, 0],
  ]);
  const passed = now() - before;
  t.ok(passed >= 2 * 10 ** 9 && passed < 2 * 10 ** 9 + 10 ** 6);
  t.same(poll(program, [0, 1, now() + 10 ** 9, 1], [0, 1, 5, 1]), [[101, "SUCCESS", 0, 0]], "a time that has passed");
  t.same(
    poll(program, [0, 1, 7, 1], [0, 1, 5, 1], [0, 1, 0]),
    [100, 101, 102].map((userdata) => [userdata, "SUCCESS", 0, 0]),
    "all times that have passed",
  );
  t.same(
    poll(program, [0, 1, 7, 1], [1, fd]),
    [
      [100, "SUCCESS", 0, 0],
      [101, "SUCCESS", 1, 7],
    ],
    "in the order of the subscriptions",
  );
  t.equal(poll(program), "INVAL");
  // Events over their subscriptions.
  subscribe(program, [
    [2, 1],
    [2, 2],
  ]);
  t.equal(program.call("poll_oneoff", VECTORS, VECTORS, 2, OUT), "SUCCESS");
  t.same([program.number(VECTORS), program.number(VECTORS + 32)], [100, 101]);
});

/** Reads four bytes at a time from the first file of the mount, with a listing under way. */
const READER = Module.decode(
  await loadWat(`(module
    (import "${WASI_MODULE}" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "${WASI_MODULE}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "f")
    (data (i32.const 16) "\\40\\00\\00\\00\\04\\00\\00\\00")
    (func (export "open") (result i32)
      (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 2) (i64.const 0)
        (i32.const 0) (i32.const 32)))
    (func (export "read") (result i32) (call $read (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 32))))`),
);

/** The array of a saved state of the host. */
function fieldsOf(saved: Uint8Array): unknown[] {
  const bytes = Buffer.from(saved);
  return JSON.parse(bytes.toString("utf8", 4, 4 + bytes.readUInt32LE(0)));
}

for (const [from, to] of ENGINES.flatMap((from) => ENGINES.map((to) => [from, to] as const)))
  t.test(`[WASI-SNAPSHOT-1] descriptors in a snapshot (${from} to ${to} engine)`, async (t) => {
    const abi = () => createAbi(usual().options);
    const before = abi();
    const unused = READER.instantiate({ ...before, engine: from });
    t.equal(fieldsOf(before.state.save()).length, 5, "none is open yet");
    t.same([unused.invoke("open"), unused.invoke("read")], [[0], [0]]);
    const { bytes } = unused.memory("memory");
    t.equal(Buffer.from(bytes.subarray(64, 68)).toString(), "0123");
    const restored = Instance.restore(READER, unused.snapshot(), { ...abi(), engine: to });
    t.same(restored.invoke("read"), [0]);
    t.equal(Buffer.from(restored.memory("memory").bytes.subarray(64, 68)).toString(), "4567");
    unused.invoke("read");
    t.equal(restored.stateDigest(), unused.stateDigest());
  });

t.test("[WASI-SNAPSHOT-1] there are items up to the highest number that is open", async (t) => {
  const descriptors = new Descriptors();
  const nothing = { offset: 0, flags: 0, rights: 0, inheriting: 0, preopen: undefined };
  const add = (): number => descriptors.add({ type: "file", low: 1, high: 2, ...nothing });
  t.same([add(), add(), add()], [0, 1, 2]);
  const item = [0, 1, 2, 0, 0, 0, 0, null];
  descriptors.delete(1);
  t.same(descriptors.save(), [item, null, item]);
  descriptors.delete(2);
  t.same(descriptors.save(), [item]);
  t.same([add(), add()], [1, 2]);
});

t.test("[WASI-SNAPSHOT-1] what is no state of descriptors is refused", async (t) => {
  const { options } = usual();
  const abi = createAbi(options);
  const instance = READER.instantiate({ ...abi });
  instance.invoke("open");
  const saved = abi.state.save();
  const fields = fieldsOf(saved);
  const own = fields[5] as [number, number, (unknown[] | null)[]];
  t.equal(own[2].length, 5);
  const restored = (item: unknown): boolean => {
    const head = Buffer.from(JSON.stringify([...fields.slice(0, 5), item]));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(head.length);
    return createAbi(options).state.restore(
      Buffer.concat([size, head, saved.subarray(4 + Buffer.from(saved).readUInt32LE(0))]),
    );
  };
  t.ok(restored(own));
  const but = (place: number, value: unknown): unknown => [
    own[0],
    own[1],
    own[2].map((fd) => fd?.map((field, k) => (k === place ? value : field))),
  ];
  for (const item of [5, "x", {}, [], [1, 2], [1.5, 2, []], [1, 2, {}], [1, 2, [[]]], [1, 2, [5]]])
    t.notOk(restored(item), JSON.stringify(item));
  for (const [place, value] of [
    [0, 3],
    [1, 2 ** 31],
    [3, -1],
    [3, 2 ** 53],
    [4, 0.5],
    [7, 5],
  ] as const)
    t.notOk(restored(but(place, value)), `${place}: ${value}`);
});
