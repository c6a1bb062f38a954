/** What snapshots hold of the host: handles, trees in memory, clock, randomness, and what was seen of files. */
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { directoryFileSystem } from "../../host/fs/directory.ts";
import { faultyFileSystem } from "../../host/fs/faulty.ts";
import type { FileSystem } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import type { Volume } from "../../host/fs/volume.ts";
import { loadWat } from "../../host/wat.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag, TimesFlag } from "../../syscalls/table.ts";
import { Heap } from "../../vm/heap.ts";
import { Instance, Module } from "../../vm/index.ts";
import { Driver, NULL_REF, type Ref } from "../conformance/driver.ts";
import { GUEST, onEngines } from "./guest.ts";

const { READ, WRITE, CREATE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;
const { ACCESSED, MODIFIED } = TimesFlag;
/** SHA-256 of no bytes, and of "abc". */
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

onEngines("[ABI-SNAPSHOT-1, ABI-SNAPSHOT-2] handles in snapshots", async (t, engine, other) => {
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  nodeFs.writeFileSync(join(scratch, "in.txt"), "some input");
  const options = (stdin: string | undefined = "abcdef"): AbiOptions => ({
    mounts: [{ guest: "/data", fs: directoryFileSystem(scratch) }],
    ...(stdin === undefined ? {} : { stdin: Buffer.from(stdin) }),
  });
  const module = Module.decode(await loadWat(GUEST));
  const first = module.instantiate({ ...createAbi(options()), engine });
  t.same(first.invoke("open"), [0]);
  t.same(first.invoke("write", [0n]), [0, 4]);
  t.same(first.invoke("list", [0n]), [0, 8, 0, 1n]);
  t.same(first.invoke("read_in", [2]), [0, 2]);
  const digest = first.stateDigest();
  const snapshot = first.snapshot();

  const again = Instance.restore(module, snapshot, { ...createAbi(options()), engine: other });
  t.equal(again.stateDigest(), digest);
  t.same(again.invoke("read", [0n, 1000, 4]), [0, 4, 0]);
  t.same(again.invoke("list", [1n]), [0, 9, 1, 2n]);
  t.same(again.invoke("read_in", [1]), [0, 1]);
  t.equal(again.memory("memory").bytes[1000], "c".charCodeAt(0));
  t.same(again.invoke("write", [4n]), [0, 4]);
  t.equal(nodeFs.readFileSync(join(scratch, "out.txt"), "utf8"), "/dat/dat");

  // The file was written since: it is not the one that was saved. The rest is.
  const stale = Instance.restore(module, snapshot, { ...createAbi(options("a")), engine });
  t.same(stale.invoke("write", [0n]), [Status.STALE, 0]);
  t.same(stale.invoke("read", [0n, 1000, 4]), [0, 4, 0]);
  t.same(stale.invoke("read_in", [1]), [Status.STALE, 0], "the new input is shorter than what was read");
  t.not(stale.stateDigest(), digest);
  t.same(Instance.restore(module, stale.snapshot(), createAbi(options())).invoke("write", [0n]), [Status.STALE, 0]);

  const bare = Instance.restore(module, snapshot, { ...createAbi({}), engine: other });
  t.same(bare.invoke("read", [0n, 1000, 4]), [Status.STALE, 0, 0]);
  t.same(bare.invoke("list", [0n]), [Status.STALE, 0, 0, 0n]);
  t.same(bare.invoke("close"), [0]);
  const readOnly = createAbi({ mounts: [{ guest: "/data", fs: directoryFileSystem(scratch), readOnly: true }] });
  const refused = Instance.restore(module, again.snapshot(), { ...readOnly, engine });
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
  t.ok(saved.endsWith(`["/m/n","",3,3]["/m/n","",64,2]["stdin",2]["stdout",0]`), saved.slice(-200));

  // Where the tree is not saved, contents tell whether a file is still the same.
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  nodeFs.mkdirSync(join(scratch, "d"));
  nodeFs.writeFileSync(join(scratch, "d/f"), "abc");
  const onHost = new Driver({ mounts: [{ guest: "/m/n", fs: directoryFileSystem(scratch) }] });
  onHost.handle("/m/n/d/f", READ | WRITE | CREATE | NOFOLLOW);
  onHost.handle("/m/n/d/f", WRITE | APPEND);
  onHost.handle("/m/n//d/", DIRECTORY);
  const text = Buffer.from(onHost.heap.save()).toString("latin1");
  t.ok(text.endsWith(`["/m/n","d/f",131,"${ABC}"]["/m/n","d/f",34,"${ABC}"]["/m/n","d",64]`), text.slice(-200));

  // A file that may be written and not read cannot be saved.
  const volume = {
    ...nodeFs,
    readSync: () => {
      throw Object.assign(new Error("no"), { code: "EBADF" });
    },
  } as unknown as Volume;
  const blind = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(scratch, { volume }) }] });
  blind.handle("/f", WRITE | CREATE);
  t.throws(() => blind.heap.save(), { code: "VM-SNAPSHOT" });
});

t.test("[ABI-SNAPSHOT-2] what was saved of a handle is not trusted", async (t) => {
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  nodeFs.writeFileSync(join(scratch, "f"), "abc");
  const { kinds } = createAbi({
    mounts: [
      { guest: "/", fs: new MemoryFileSystem({ f: "" }) },
      { guest: "/host", fs: directoryFileSystem(scratch) },
      { guest: "/ro", fs: new MemoryFileSystem({ f: "" }), readOnly: true },
    ],
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
    // Another number, another kind, a mount that allows less, and flags that make no sense or would change something.
    `["/","f",1,3]`,
    `["/","f",1,1]`,
    `["/","f",1,-1]`,
    `["/","f",1,1.5]`,
    `["/ro","f",2,2]`,
    `["/","f",${WRITE | CREATE},2]`,
    `["/","f",${READ | WRITE | APPEND},2]`,
    `["/","f",0,2]`,
    `["/","f",257,2]`,
    `["/","f",1.5,2]`,
    `["/host","f",${WRITE | TRUNCATE},"${EMPTY}"]`,
    `["/host","new",${WRITE | CREATE},"${EMPTY}"]`,
    `["/host","f",${4294967296 + READ},"${ABC}"]`,
    `["/host","f/x",1,"${ABC}"]`,
    `["/host","../${scratch.split("/").at(-1)}/f",1,"${ABC}"]`,
  ])
    t.equal(restore(2, text), undefined, text);
  t.equal(nodeFs.readFileSync(join(scratch, "f"), "utf8"), "abc");
  t.same(nodeFs.readdirSync(scratch), ["f"]);
  t.ok(restore(2, `["/","f",1,2]`));
  t.ok(restore(2, `["/host","f",${READ | WRITE},"${ABC}"]`));
  for (const text of ["", `["/","f",1,2]`, `["/","f",64,2]`, `["/host","f",64]`])
    t.equal(restore(3, text), undefined, text);
  t.ok(restore(3, `["/","",64,1]`));
  t.ok(restore(3, `["/host","",64]`));
  for (const text of [
    "",
    `["stdin"]`,
    `["stdin",2]`,
    `["stdin",-1]`,
    `["stdin",0.5]`,
    `["stdout",0]`,
    `["fs",0]`,
    `["__proto__",0]`,
  ])
    t.equal(restore(4, text), undefined, text);
  t.ok(restore(4, `["stdin",1]`));

  // What was opened to look at it is closed again: a file that loses its name is gone.
  const fs = new MemoryFileSystem({ f: "abc" });
  const abi = createAbi({ mounts: [{ guest: "/", fs }] });
  const directoryKind = abi.kinds.find(({ id }) => id === 3)!;
  t.equal(directoryKind.restore!(Buffer.from(`["/","f",64,2]`)), undefined);
  new Driver(abi).unlink("/f");
  t.same(fs.used, { bytes: 0, files: 0 });
  t.ok(new Heap({ heapObjects: 1, heapBytes: 16 }, kinds).hasRoom);
});

/** Two guests on two mounts in memory, one of them nested, and everything of theirs in a snapshot. */
function mountsInMemory(): {
  readonly options: AbiOptions;
  readonly main: MemoryFileSystem;
  readonly sub: MemoryFileSystem;
} {
  const main = new MemoryFileSystem({}, { bytes: 1000, files: 20 });
  const sub = new MemoryFileSystem({}, { bytes: 1000, files: 20 });
  const mounts = [
    { guest: "/", fs: main },
    { guest: "/sub", fs: sub },
    { guest: "/same", fs: sub, readOnly: true },
  ];
  return { main, sub, options: { mounts, clock: { start: 1000n }, seed: 5n, quota: { handles: 10 } } };
}

/** A guest with the handles of `first` on another host: what restoring a snapshot does, without a module. */
function rehosted(first: Driver, abi: Abi): Driver {
  let guest: Driver | undefined;
  const memory = {
    get bytes() {
      return guest!.memory.bytes;
    },
  };
  const heap = Heap.restore(first.heap.save(), { heapObjects: 1000, heapBytes: 1 << 24 }, abi.kinds, () => memory);
  guest = new Driver(abi, {}, heap);
  guest.fuelUsed = first.fuelUsed;
  return guest;
}

t.test("[ABI-SNAPSHOT-3, FS-STAT-3, ABI-CLOCK-1, ABI-RANDOM-1] the state of the host goes on", async (t) => {
  const { options } = mountsInMemory();
  const abi = createAbi(options);
  const first = new Driver(abi);
  first.fuelUsed = 77n;
  const file = first.handle("/file", READ | WRITE | CREATE);
  first.write(file, 0, "contents");
  first.mkdir("/dir");
  first.symlink("../file", "/dir/link");
  first.link("/file", "/dir/other");
  const nameless = first.handle("/sub/nameless", READ | WRITE | CREATE);
  first.write(nameless, 3, "x");
  first.unlink("/sub/nameless");
  first.handle("/sub/log", WRITE | CREATE | APPEND);
  const dir = first.handle("/dir", DIRECTORY);
  first.rename("/dir", "/moved");
  first.setTimes("/file", ACCESSED | MODIFIED, -5n, 6n);
  first.sleep(12_345n);
  first.random(45);
  const ids = ["/moved", "/file", "/sub/log"].map((path) => first.stat(path).id);
  t.same(ids, [1, 2, 3]);
  first.unlink("/sub/log");

  const state = abi.state.save();
  const head = Buffer.from(state.subarray(4, 4 + Buffer.from(state).readUInt32LE(0))).toString();
  const [slept, given, seen, lengths] = JSON.parse(head) as [string, number, string[], number[]];
  t.same([slept, given, seen.length, lengths.length], ["12345", 45, 3, 2]);
  t.equal(state.length, 4 + head.length + lengths[0]! + lengths[1]!);
  // In the order /same, /sub, /: the first two are one file system.
  t.same(
    seen.map((key) => key.split(":")[0]),
    ["1", "1", "0"],
  );

  const { options: others, sub } = mountsInMemory();
  sub.put("/was/here", "before");
  const other = createAbi(others);
  t.equal(other.state.restore(state), true);
  const again = rehosted(first, other);
  t.equal(Buffer.compare(other.state.save(), state), 0, "it would be saved alike");
  t.equal(Buffer.compare(again.heap.save(), first.heap.save()), 0);
  t.same(again.tree(), first.tree());
  t.same(again.stat("/file"), first.stat("/file"));
  t.equal(again.clock(0), 1000n + 77n + 12_345n);
  t.equal(again.clock(1), first.clock(1));
  again.handle("/sub/new", WRITE | CREATE);
  const idsAgain = ["/sub/new", "/moved", "/file"].map((path) => again.stat(path).id);
  t.same(idsAgain, [4, 1, 2]);
  t.same(again.random(50), first.random(50));
  // Handles lead to what they led to, whatever names it has now.
  t.same(again.read(file, 0, 100), { status: 0, bytes: 8, eof: 1, text: "contents" });
  t.same(again.read(nameless, 0, 100), { status: 0, bytes: 4, eof: 1, text: "\0\0\0x" });
  t.same(again.write(nameless, 4, "y"), { status: 0, bytes: 1 });
  t.same(again.list(dir, 0, 300).entries, first.list(dir, 0, 300).entries);
  t.equal(again.contents("other", dir), "contents");
  t.equal(again.stat("/sub/was").status, Status.NOT_FOUND, "what was there before is gone");
  // Handles count as before: 4 were open, and one came.
  const more = Array.from({ length: 6 }, () => again.open("/file", READ).status);
  t.same(more, [0, 0, 0, 0, 0, Status.QUOTA]);
  // Two files without a name and a new one count; closing gives back what they took.
  t.equal(sub.used.files, 3);
  again.close(nameless);
  t.equal(sub.used.files, 2);
});

t.test("[ABI-SNAPSHOT-3] trees find their mounts in whatever order an embedder names them", async (t) => {
  const mounts = ["/a", "/é", "/b", "/a/z", "/"].map((guest) => ({ guest, fs: new MemoryFileSystem() }));
  const abi = createAbi({ mounts });
  const first = new Driver(abi);
  for (const { guest } of mounts) first.handle(`${guest}/of ${guest.length} ${guest.codePointAt(1)}`, WRITE | CREATE);
  const others = mounts.map(({ guest }) => ({ guest, fs: new MemoryFileSystem() })).reverse();
  const other = createAbi({ mounts: others });
  t.equal(other.state.restore(abi.state.save()), true);
  const again = new Driver(other);
  for (const { guest } of mounts) t.same(again.names(guest), first.names(guest), guest);
});

t.test(
  "[ABI-SNAPSHOT-3, ABI-STREAM-1] the input goes on where it was, also when no handle is open on it",
  async (t) => {
    const stdin = Buffer.from("0123456789");
    const abi = createAbi({ stdin });
    const first = new Driver(abi);
    const input = first.call("sys", "stdin").results[0] as Ref;
    first.read(input, -1, 4);
    first.close(input);
    const other = createAbi({ stdin });
    t.equal(other.state.restore(abi.state.save()), true);
    const again = rehosted(first, other);
    t.equal(again.read(again.call("sys", "stdin").results[0] as Ref, -1, 3).text, "456");
    // An input that cannot go there is no reason to refuse the rest.
    const live = createAbi({ stdin: () => 0 });
    t.equal(live.state.restore(abi.state.save()), true);
    t.equal(createAbi().state.restore(abi.state.save()), true);
  },
);

t.test("[ABI-SNAPSHOT-1] a handle deep in a tree in memory is no larger than any other", async (t) => {
  const guest = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
  let dir = guest.handle("/", DIRECTORY);
  for (let depth = 0; depth < 3000; depth++) {
    guest.mkdir("name", dir);
    const next = guest.handle("name", DIRECTORY, dir);
    guest.close(dir);
    dir = next;
  }
  const before = guest.heap.save().length;
  guest.handle("f", WRITE | CREATE, dir);
  t.ok(guest.heap.save().length - before < 100);
  t.equal(guest.stat("f", 0, dir).status, 0);
});

t.test("[ABI-SNAPSHOT-3, FS-STAT-3] files that are gone are forgotten, their numbers are not", async (t) => {
  const below = new MemoryFileSystem({ shown: "" });
  const mounts = (): AbiOptions["mounts"] => [
    { guest: "/", fs: new MemoryFileSystem({ kept: "" }) },
    { guest: "/over", fs: overlayFileSystem(below) },
  ];
  const abi = createAbi({ mounts: mounts()! });
  const first = new Driver(abi);
  const seen = (state: Uint8Array): unknown => {
    const end = 4 + Buffer.from(state).readUInt32LE(0);
    return (JSON.parse(Buffer.from(state).toString("utf8", 4, end)) as unknown[])[2];
  };
  const spend = (guest: Driver, path: string): number => {
    guest.close(guest.handle(path, WRITE | CREATE));
    const { id } = guest.stat(path);
    guest.unlink(path);
    return id;
  };
  t.same(seen(abi.state.save()), []);
  t.equal(spend(first, "/gone"), 1);
  t.same(seen(abi.state.save()), [1]);
  t.equal(first.stat("/kept").id, 2);
  t.equal(first.stat("/over/shown").id, 3);
  const held = first.handle("/held", WRITE | CREATE);
  t.equal(first.stat("/held").id, 4);
  first.unlink("/held");
  for (let id = 5; id <= 10_000; id++) if (spend(first, id % 2 === 0 ? "/new" : "/over/new") !== id) t.fail(`${id}`);
  const state = abi.state.save();
  t.same(seen(state), [1, "1:2", "0:/shown", "1:4", 9996]);
  t.equal(first.stat("/kept").id, 2);
  t.equal(first.stat("/over/shown").id, 3);
  t.equal(first.stat("", 0, held).id, 4, "what is open without a name is not gone");

  const other = createAbi({ mounts: mounts()! });
  t.equal(other.state.restore(state), true);
  const again = rehosted(first, other);
  t.same(seen(other.state.save()), seen(state));
  t.equal(again.stat("/kept").id, 2);
  t.equal(again.stat("", 0, held).id, 4);
  t.equal(spend(again, "/new"), 10_001);
});

t.test("[ABI-SNAPSHOT-3, VM-SNAPSHOT-5] a state that does not fit is refused, and changes nothing", async (t) => {
  const { options } = mountsInMemory();
  const abi = createAbi(options);
  const first = new Driver(abi);
  first.handle("/file", WRITE | CREATE);
  first.handle("/sub/file", WRITE | CREATE);
  first.sleep(5n);
  first.random(3);
  first.stat("/file");
  const state = Buffer.from(abi.state.save());
  const headLength = state.readUInt32LE(0);
  const [slept, given, seen, lengths] = JSON.parse(state.toString("utf8", 4, 4 + headLength)) as unknown[];
  const trees = state.subarray(4 + headLength);
  const withHead = (head: unknown, behind: Uint8Array = trees): Buffer => {
    const text = Buffer.from(typeof head === "string" ? head : JSON.stringify(head));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return Buffer.concat([length, text, behind]);
  };
  const [one, two] = lengths as [number, number];
  const damaged = Buffer.from(trees);
  damaged[one]! ^= 0xff;
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ["nothing", Buffer.alloc(0)],
    ["a piece of the length", state.subarray(0, 3)],
    ["only a length", state.subarray(0, 4)],
    ["a piece of the head", state.subarray(0, 10)],
    ["without the last byte", state.subarray(0, -1)],
    ["with one byte more", Buffer.concat([state, Buffer.alloc(1)])],
    ["no array", withHead("{}")],
    ["no JSON", withHead("[")],
    ["no UTF-8", Buffer.concat([Buffer.from([1, 0, 0, 0, 0xff]), trees])],
    ["a time that is no text", withHead([5, given, seen, lengths, 0])],
    ["a negative time", withHead(["-5", given, seen, lengths, 0])],
    ["a time with a zero before", withHead(["05", given, seen, lengths, 0])],
    ["a broken number of bytes", withHead([slept, 0.5, seen, lengths, 0])],
    ["a negative number of bytes", withHead([slept, -1, seen, lengths, 0])],
    ["files that are no text", withHead([slept, given, [null], lengths, 0])],
    ["a negative number of files", withHead([slept, given, [-1], lengths, 0])],
    ["no place in the input", withHead([slept, given, seen, lengths])],
    ["a negative place in the input", withHead([slept, given, seen, lengths, -1])],
    ["one length", withHead([slept, given, seen, [one + two], 0])],
    ["three lengths", withHead([slept, given, seen, [one, two, 0], 0])],
    ["lengths that do not add up", withHead([slept, given, seen, [one, two + 1], 0])],
    ["lengths that add up otherwise", withHead([slept, given, seen, [one + 1, two - 1], 0])],
    ["a negative length", withHead([slept, given, seen, [one + two + 1, -1], 0])],
    ["a damaged tree", withHead([slept, given, seen, lengths, 0], damaged)],
  ];
  const { options: others, main, sub } = mountsInMemory();
  main.put("/here", "main");
  sub.put("/here", "sub");
  const target = createAbi(others);
  const before = Buffer.from(target.state.save());
  for (const [what, bytes] of bad) {
    t.equal(target.state.restore(new Uint8Array(bytes)), false, what);
    t.same(Buffer.from(target.state.save()), before, `${what}: nothing is changed`);
  }
  // A host with other mounts, and one whose quotas are less.
  const fewer = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
  t.equal(fewer.state.restore(new Uint8Array(state)), false);
  const small = new MemoryFileSystem({}, { bytes: 0, files: 0 });
  const tight = createAbi({ ...others, mounts: [...others.mounts!.slice(1), { guest: "/", fs: small }] });
  t.equal(tight.state.restore(new Uint8Array(state)), false);
  t.equal(Buffer.from(sub.get("/here")!).toString(), "sub", "nor is the tree that did fit");
  t.equal(target.state.restore(new Uint8Array(state)), true);
  t.same(Buffer.from(target.state.save()), state);
});

onEngines("[VM-SNAPSHOT-5, ABI-SNAPSHOT-3] a guest goes on with its files in memory", async (t, engine, other) => {
  const module = Module.decode(await loadWat(GUEST));
  const grants = (files: { readonly [path: string]: string } = {}): AbiOptions => ({
    mounts: [{ guest: "/data", fs: new MemoryFileSystem(files) }],
    stdin: Buffer.from("abcdef"),
  });
  const first = module.instantiate({ ...createAbi(grants({ "in.txt": "some input" })), engine });
  t.same(first.invoke("open"), [0]);
  t.same(first.invoke("write", [0n]), [0, 4]);
  const snapshot = first.snapshot();
  const again = Instance.restore(module, snapshot, { ...createAbi(grants()), engine: other });
  t.equal(again.stateDigest(), first.stateDigest());
  t.same(again.snapshot(), snapshot);
  t.same(again.invoke("read", [5n, 1000, 100]), [0, 5, 1]);
  t.same(again.invoke("write", [-1n]), [0, 4]);
  t.same(again.invoke("list", [0n]), [0, 8, 0, 1n]);
  // Twice from one snapshot: each has files of its own.
  const twice = Instance.restore(module, snapshot, { ...createAbi(grants()), engine });
  t.same(twice.snapshot(), snapshot);
  t.throws(() => Instance.restore(module, snapshot, createAbi({})), { code: "VM-SNAPSHOT" }, "no tree to be restored");
  const { imports, kinds } = createAbi(grants());
  t.throws(() => Instance.restore(module, snapshot, { imports, kinds }), { code: "VM-SNAPSHOT" }, "no host at all");
});

t.test("[ABI-SNAPSHOT-2] what a stale handle answers", async (t) => {
  const { options } = mountsInMemory();
  const abi = createAbi(options);
  const first = new Driver(abi);
  const file = first.handle("/file", READ | WRITE | CREATE);
  const dir = first.handle("/", DIRECTORY);
  const bare = createAbi({ mounts: [{ guest: "/x", fs: new MemoryFileSystem({ f: "" }) }] });
  const guest = rehosted(first, bare);
  t.equal(guest.read(file, 0, 5).status, Status.STALE);
  t.equal(guest.read(file, -1, 5).status, Status.STALE, "before what only the host knows");
  t.equal(guest.trap("fs", "read", file, [-2, -1], guest.own, 0, 5), "BadArgument", "and after all other checks");
  t.equal(guest.write(file, 0, "x").status, Status.STALE);
  t.equal(guest.size(file), -Status.STALE);
  t.equal(guest.truncate(file, 0), Status.STALE);
  t.equal(guest.sync(dir), Status.STALE);
  t.equal(guest.list(dir, 0, 300).status, Status.STALE);
  t.equal(guest.stat("", 0, file).status, Status.STALE);
  t.equal(guest.stat("f", 0, dir).status, Status.STALE);
  t.equal(guest.setTimes("", 0, 0n, 0n, dir), Status.STALE);
  t.equal(guest.open("f", READ, dir).status, Status.STALE);
  t.equal(guest.mkdir("f", dir), Status.STALE);
  t.equal(guest.rename("/x/f", "g", NULL_REF, dir), Status.STALE);
  for (const ref of [file, dir]) {
    t.equal(guest.close(ref), Status.OK);
    t.equal(guest.trap("fs", "close", ref), "HeapRefStale");
  }
});

t.test("[ABI-SNAPSHOT-1, ABI-SNAPSHOT-2] a long file is compared to its last byte", async (t) => {
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  const contents = Buffer.from(Array.from({ length: 200_000 }, (_, k) => k % 251));
  nodeFs.writeFileSync(join(scratch, "long"), contents);
  const abi = (): Abi => createAbi({ mounts: [{ guest: "/", fs: directoryFileSystem(scratch) }] });
  const first = new Driver(abi());
  const file = first.handle("/long", READ);
  t.equal(rehosted(first, abi()).read(file, 199_999, 2).status, Status.OK);
  contents[199_999]! ^= 1;
  nodeFs.writeFileSync(join(scratch, "long"), contents);
  const saved = first.heap.save();
  t.equal(rehosted(first, abi()).size(file), contents.length, "what it holds when the snapshot is made counts");
  contents[0]! ^= 1;
  nodeFs.writeFileSync(join(scratch, "long"), contents);
  const memory = { bytes: first.memory.bytes };
  const { imports, kinds } = abi();
  const heap = Heap.restore(saved, { heapObjects: 1000, heapBytes: 1 << 24 }, kinds, () => memory);
  t.equal(new Driver({ imports, kinds }, {}, heap).read(file, 0, 1).status, Status.STALE);
});

t.test("[ABI-SNAPSHOT-1, ABI-SNAPSHOT-2, ABI-STREAM-2] the place in an interactive input", async (t) => {
  const abi = (): Abi => createAbi({ interactive: true, stdin: (into) => into.fill(0x61, 0, 3).length && 3 });
  const first = new Driver(abi());
  const input = first.call("sys", "stdin").results[0] as Ref;
  t.equal(rehosted(first, abi()).read(input, -1, 9).text, "aaa", "nothing was read");
  t.equal(first.read(input, -1, 9).text, "aaa");
  const again = rehosted(first, abi());
  t.equal(again.read(input, -1, 9).status, Status.STALE, "what a live input gave is gone");
  t.equal(again.read(again.call("sys", "stdin").results[0] as Ref, -1, 9).text, "aaa");
});

t.test(
  "[ABI-SNAPSHOT-3, ABI-CLOCK-1, ABI-RANDOM-1] the host's clocks and randomness leave nothing to restore",
  async (t) => {
    const abi = createAbi({ clock: "real", seed: "real" });
    const guest = new Driver(abi);
    guest.random(5);
    guest.sleep(1000n);
    t.equal(Buffer.from(abi.state.save().subarray(4)).toString(), '["0",0,[],[],0]');
  },
);

t.test(
  "[ABI-SNAPSHOT-3, FS-MEMORY-5, ABI-CLOCK-1] what a restored guest does first has the time of that moment",
  async (t) => {
    const mounts = (): AbiOptions => ({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ file: "" }) }] });
    const abi = createAbi(mounts());
    const first = new Driver(abi);
    const file = first.handle("/file", READ | WRITE);
    first.fuelUsed = 77n;
    const does: readonly ((guest: Driver) => number)[] = [
      (guest) => guest.write(file, 0, "x").status,
      (guest) => guest.truncate(file, 5),
      (guest) => guest.setTimes("", ACCESSED, 5n, 0n, file),
      (guest) => guest.mkdir("/new"),
    ];
    for (const act of does) {
      const other = createAbi(mounts());
      t.equal(other.state.restore(abi.state.save()), true);
      const again = rehosted(first, other);
      t.equal(act(again), Status.OK);
      t.ok([again.stat("/file").changed, again.stat("/").changed].includes(77n));
    }
  },
);

t.test("[ABI-SNAPSHOT-2] a file that is another by now is closed again", async (t) => {
  const opened = { now: 0 };
  const abi = (contents: string): Abi => {
    const { save, restore, reopen, ...rest } = faultyFileSystem(new MemoryFileSystem({ file: contents }), {});
    const fs: FileSystem = {
      ...rest,
      open(folder, name, flags) {
        const node = rest.open(folder, name, flags);
        if (typeof node === "number") return node;
        opened.now++;
        const { saved, ...file } = node;
        const close = (): Status => {
          opened.now--;
          return node.close();
        };
        return { ...file, close };
      },
    };
    return createAbi({ mounts: [{ guest: "/", fs }], quota: { handles: 1 } });
  };
  const first = new Driver(abi("old"));
  const file = first.handle("/file", READ);
  t.equal(rehosted(first, abi("old")).size(file), 3);
  t.equal(opened.now, 2);
  const again = rehosted(first, abi("new"));
  t.equal(again.read(file, 0, 3).status, Status.STALE);
  t.equal(opened.now, 2, "nothing is left open");
  t.equal(again.open("/file", READ).status, Status.OK, "nor counted");
});

t.test("[ABI-SNAPSHOT-2, FS-DIRECTORY-4] a link that has come to stand for a file is not followed", async (t) => {
  const scratch = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-abi-"));
  t.teardown(() => nodeFs.rmSync(scratch, { recursive: true }));
  nodeFs.writeFileSync(join(scratch, "file"), "abc");
  const abi = (): Abi => createAbi({ mounts: [{ guest: "/", fs: directoryFileSystem(scratch) }] });
  const first = new Driver(abi());
  const file = first.handle("/file", READ);
  t.equal(rehosted(first, abi()).size(file), 3);
  nodeFs.renameSync(join(scratch, "file"), join(scratch, "moved"));
  nodeFs.symlinkSync("moved", join(scratch, "file"));
  t.equal(rehosted(first, abi()).read(file, 0, 3).status, Status.STALE);
});
