/**
 * Random calls of every row of the table, made from the table alone: near to what is right, and wrong in one place or
 * another, on every file system. What holds of any call is checked after each: how it may end, and that a call which fails, or never was,
 * changes nothing. Then the calls are made again by a recording, and beside what was restored from a snapshot.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import nodeFs from "node:fs";
import { dirname, join } from "node:path";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { openPack } from "../../host/assets/pack.ts";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { type FileSystemFaults, faultyFileSystem, faultyVolume, type VolumeFaults } from "../../host/fs/faulty.ts";
import { type FileSystem, RETRY } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import type { Mount } from "../../host/fs/namespace.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { type Quota, quotaFileSystem } from "../../host/fs/quota.ts";
import { Exit } from "../../syscalls/exit.ts";
import { KINDS } from "../../syscalls/kinds.ts";
import { createRecorder, type Recorder } from "../../syscalls/recording.ts";
import { openRecording, replayAbi } from "../../syscalls/replay.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS, type Syscall, type SyscallParameter, syscall, type Window } from "../../syscalls/table.ts";
import { wordIndices, wordsOf } from "../../syscalls/words.ts";
import { BYTES_KIND, Heap } from "../../vm/heap.ts";
import { Fault, trapName } from "../../vm/trap.ts";
import { Driver, NULL_REF, type Ref, wide } from "../conformance/driver.ts";
import { fillTree, type Tree } from "../conformance/tree.ts";
import { I32_EDGES, I64_EDGES, mix, Random } from "../vm/random.ts";
import { keyOf, MemoryArtifacts, textOf } from "./artifacts.ts";
import { compareEngines } from "./fuzz-engines.ts";
import { bytesOf, CONTENTS, PACK, PRELOADED_BYTES } from "./packs.ts";

export interface FuzzTally {
  calls: number;
  /** How often the calls were made again by guests on both engines. */
  engines: number;
  /** How often each call ended in each way: `fs.open NOT_FOUND`. */
  readonly ends: Map<string, number>;
  restores: number;
  replays: number;
}

export function newFuzzTally(): FuzzTally {
  return { calls: 0, engines: 0, ends: new Map(), restores: 0, replays: 0 };
}

/** What no guest may ever read. */
const SECRET = "what lies outside";
/** The same, and records of what is beside the folder. */
const SECRETS = [SECRET, "\x07outside", "\x06secret"];

/** What a guest is given, and what else can be known of it. */
export interface World {
  readonly options: AbiOptions;
  readonly heapObjects: number;
  /** Can be restored from a snapshot, to the last byte. */
  readonly isSaved: boolean;
  /** Folders of the host that are granted. */
  readonly folders: readonly string[];
  readonly faults: FileSystemFaults | undefined;
  readonly hostFaults: VolumeFaults | undefined;
  /** Makes what is beneath fail as it did when this was done. */
  prepare(done: Done): void;
}

const TREE: Tree = {
  a: null,
  "a/b": null,
  "a/f": "0123456789",
  "a/l": { link: "../f" },
  f: "fff",
  l: { link: "a/f" },
  up: { link: ".." },
  abs: { link: "/etc" },
  out: { link: "../../outside/secret" },
  loop: { link: "loop" },
  none: { link: "c/c" },
};
const real = nodeFs as unknown as Volume;

/** Worlds, by the remainder of the seed. */
type Build = (
  random: Random,
  folder: () => string,
) => Partial<Omit<World, "prepare">> & { readonly mounts: readonly Mount[] };
const SMALL = { bytes: 20_000, files: 40 };
const memory = (): MemoryFileSystem => fillTree(new MemoryFileSystem({}, SMALL), TREE);
const overlay = (below: FileSystem): MemoryFileSystem => overlayFileSystem(below, SMALL);
const at = (guest: string, fs: FileSystem, readOnly = false): Mount => ({ guest, fs, readOnly });

const WORLDS: { readonly [name: string]: Build } = {
  memory: () => ({ mounts: [at("/", memory())], isSaved: true }),
  overlay: () => ({ mounts: [at("/", overlay(memory()))], isSaved: true }),
  "two in memory": (random) => ({
    mounts: [at("/", memory()), at("/a/m", overlay(overlay(memory())), random.chance(0.3)), at("/r", memory(), true)],
    isSaved: true,
  }),
  directory: (_, folder) => {
    const root = folder();
    return { mounts: [at("/", directoryFileSystem(root))], folders: [root] };
  },
  "quota over directory": (_, folder) => {
    const root = folder();
    return { mounts: [at("/", quotaFileSystem(directoryFileSystem(root), SMALL))], folders: [root] };
  },
  faulty: (random) => {
    const faults: FileSystemFaults = { calls: [] };
    const faulty = faultyFileSystem(memory(), faults);
    return { mounts: [at("/", random.chance(0.5) ? faulty : overlay(faulty))], faults };
  },
  "faulty directory": (_, folder) => {
    const root = folder();
    const hostFaults: VolumeFaults = { calls: [] };
    return {
      mounts: [at("/", directoryFileSystem(root, { volume: faultyVolume(real, hostFaults) }))],
      folders: [root],
      hostFaults,
    };
  },
  mounts: (random, folder) => {
    const [first, second, third] = [folder(), folder(), folder()];
    const mounts = [
      at("/", directoryFileSystem(first), random.chance(0.2)),
      at("/a", memory()),
      at("/a/m", directoryFileSystem(second), true),
      at("/r", overlay(directoryFileSystem(third))),
    ];
    return { mounts, folders: [first, second, third] };
  },
  "directory by inode": (_, folder) => {
    const root = folder();
    return { mounts: [at("/", directoryFileSystem(root, { platform: "darwin" }))], folders: [root] };
  },
  nothing: () => ({ mounts: [], isSaved: true }),
};

/** The same for the same seed, but for the host's folders. */
function createWorld(seed: number, scratch: string): World {
  const random = new Random(mix(seed, 1));
  const folder = (): string => {
    const root = nodeFs.mkdtempSync(join(scratch, "world-"));
    const granted = join(root, "in", "granted");
    const tree: Tree = { ...TREE, "../../outside/secret": SECRET };
    for (const [path, contents] of Object.entries(tree)) {
      const place = join(granted, path);
      nodeFs.mkdirSync(contents === null ? place : dirname(place), { recursive: true });
      if (typeof contents === "string") nodeFs.writeFileSync(place, contents);
      else if (contents !== null) nodeFs.symlinkSync(contents.link, place);
    }
    return granted;
  };
  const names = Object.keys(WORLDS);
  const { mounts, ...rest } = WORLDS[names[seed % names.length]!]!(random, folder);
  let given = 0;
  const input = (into: Uint8Array): number => {
    if (++given % 3 === 0) throw Object.assign(new Error("later"), { code: "EAGAIN" });
    return given > 20 ? 0 : into.fill(given).length > 4 ? 4 : into.length;
  };
  const output = (bytes: Uint8Array): void => {
    if (bytes[0]! % 4 === 1) throw Object.assign(new Error("closed"), { code: "EPIPE" });
    if (bytes[0]! % 4 === 2) throw Object.assign(new Error("full"), { code: "ENOSPC" });
  };
  return {
    folders: [],
    faults: undefined,
    hostFaults: undefined,
    isSaved: false,
    ...rest,
    prepare({ failing, hostFailing }) {
      if (rest.faults !== undefined) fail(rest.faults, failing!);
      if (rest.hostFaults !== undefined) fail(rest.hostFaults, hostFailing!);
    },
    heapObjects: random.pick([10, 20, 1000, 1000, 1000]),
    options: {
      mounts,
      args: ["first", "", "ä"],
      env: { HOME: "/", EMPTY: "" },
      ...(random.chance(0.8) && {
        stdin: rest.isSaved === true || random.chance(0.5) ? Buffer.from("standard input") : input,
      }),
      interactive: random.chance(0.5),
      ...(random.chance(0.8) && { stdout: output, stderr: output }),
      hostMetadata: random.chance(0.3),
      ...(random.chance(0.9) && { assets: openPack(PACK) }),
      banks: random.pick([{}, {}, { slots: 256, bytes: PRELOADED_BYTES + 499 }]),
      // What was sealed is no part of a snapshot.
      ...(random.chance(0.9) && { store: storeOf(rest.isSaved !== true && random.chance(0.9)) }),
      storeQuota: random.pick([{}, {}, { bytes: 5000, artifacts: 3, writers: 2 }]),
      quota: random.pick([{}, {}, { handles: 30 }, { handles: random.below(5) }, { path: 20, depth: 2 }]),
      log: () => {
        throw new Error("a listener that fails");
      },
    },
  };
}

/** What is in a store: for keys that are asked for, and some that are made. */
const STORED: readonly Uint8Array[] = [0, 1, 8, 300, 4096].map((length) => bytesOf(length, length));

function storeOf(isWritable: boolean): MemoryArtifacts {
  const store = new MemoryArtifacts({ isWritable });
  for (const [k, bytes] of STORED.entries()) store.add(bytes, k % 2 === 0 ? undefined : k);
  store.add(STORED[3]!, 7, true);
  return store;
}

/** The plan, with calls counted from now on. */
function fromHere<Faults extends FileSystemFaults | VolumeFaults>({ calls, ...plan }: Faults): Faults {
  return { ...plan, at: plan.at === undefined ? undefined : plan.at - calls!.length } as Faults;
}

/** Makes of a plan in use the one that {@link fromHere} told. */
function fail<Faults extends FileSystemFaults | VolumeFaults>(faults: Faults, plan: Faults): void {
  faults.calls!.length = 0;
  if ("most" in faults) delete faults.most;
  Object.assign(faults, plan);
}

interface Held {
  readonly ref: Ref;
  readonly kind: number;
}

/** One thing that was done, exactly, so that it can be done again elsewhere. */
type Op =
  | { readonly do: "poke"; readonly ref: Ref; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly do: "new"; readonly length: number }
  | { readonly do: "destroy"; readonly ref: Ref }
  | CallOp;
interface CallOp {
  readonly do: "call";
  readonly row: Syscall;
  readonly packed: boolean;
  readonly args: readonly (number | Ref)[];
  readonly hasMemory: boolean;
}

/** How a call ended; a result of 64 bits, and a HeapRef, as two words. */
interface End {
  readonly end: string;
  readonly results: readonly number[];
}

/** What was done, what it came to, and what was made to fail meanwhile. */
export interface Done {
  readonly op: Op;
  readonly end: End;
  readonly failing: FileSystemFaults | undefined;
  readonly hostFailing: VolumeFaults | undefined;
}

const NOTHING: End = { end: "", results: [] };

function perform(driver: Driver, op: Op): End {
  driver.fuelUsed += 1000n;
  switch (op.do) {
    case "poke":
      driver.heap.window(...op.ref, op.offset, op.bytes.length).set(op.bytes);
      return NOTHING;
    case "new":
      return { end: "", results: driver.ref(driver.heap.newBytes(op.length)) };
    case "destroy":
      driver.heap.destroy(...op.ref, BYTES_KIND.id);
      return NOTHING;
    default:
      return performCall(driver, op);
  }
}

function performCall(driver: Driver, { row, packed, args, hasMemory }: CallOp): End {
  driver.callerMemory = hasMemory ? driver.memory : undefined;
  try {
    const { returned, results } = driver.call(row.module, packed ? `${row.name}_p` : row.name, ...args);
    const hasStatus = row.results[0]?.name === "status";
    const words = packed
      ? [returned!, ...blockOf(driver, row, args.at(-1) as number)]
      : (results.length > 0 ? results : [returned ?? 0]).flat();
    return {
      end: hasStatus ? (statusName(words[0]!) ?? `status ${words[0]}`) : "OK",
      results: words.map((word) => word | 0),
    };
  } catch (error) {
    if (error instanceof Fault) return { end: `trap ${trapName(error.code)}`, results: [] };
    if (error instanceof Exit) return { end: "exit", results: [error.exitCode] };
    throw error;
  }
}

function blockOf({ memory }: Driver, row: Syscall, pointer: number): number[] {
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
  const words = row.results.slice(1).reduce((sum, { type }) => sum + wordsOf(type), 0);
  return Array.from({ length: words }, (_, k) => view.getInt32((pointer >>> 0) + 4 * k, true));
}

/** Everything below the folder that a guest could change, as text. */
function treeOf(root: string, withTimes: boolean, without?: string): string {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of nodeFs.readdirSync(path).sort()) {
      const place = `${path}/${name}`;
      if (place === without) continue;
      const stats = nodeFs.lstatSync(place, { bigint: true });
      const times = withTimes ? `${stats.mtimeNs} ${stats.ctimeNs}` : "";
      let contents = "";
      if (stats.isSymbolicLink()) contents = nodeFs.readlinkSync(place);
      else if (stats.isFile() && stats.size < 100_000n)
        contents = createHash("sha1").update(nodeFs.readFileSync(place)).digest("hex");
      lines.push(
        `${place} ${stats.mode} ${stats.isDirectory() ? "" : `${stats.size} ${stats.nlink}`} ${times} ${contents}`,
      );
      if (stats.isDirectory()) visit(place);
    }
  };
  visit(root);
  return lines.join("\n");
}

/** One guest's calls in one world. */
class Session {
  #world: World;
  readonly #scratch: string;
  readonly #seed: number;
  readonly #tally: FuzzTally;
  readonly #outside: string;
  readonly #recorder: Recorder | undefined;
  readonly #pieces: Uint8Array[] = [];
  readonly #ops: Done[] = [];
  #abi: Abi;
  #driver: Driver;
  /** What went on from the same snapshot: the state before, and the driver before it was restored. */
  #twin: Driver | undefined;
  /** Directories that have not been listed afresh since: their cookies mean something else after a restore. */
  #unlisted = new Set<string>();
  #held: Held[] = [];
  #dead: Held[] = [];
  /** What memory and Bytes objects hold, by slot. */
  readonly #shadows = new Map<number, Uint8Array>();

  constructor(seed: number, scratch: string, tally: FuzzTally) {
    this.#seed = seed;
    this.#scratch = scratch;
    this.#tally = tally;
    this.#world = createWorld(seed, scratch);
    this.#outside = this.#lookOutside();
    if (!this.#world.isSaved || seed % 4 === 0)
      this.#recorder = createRecorder({
        module: "0".repeat(64),
        write: (bytes) => void this.#pieces.push(bytes.slice()),
      });
    this.#abi = createAbi({ ...this.#world.options, ...(this.#recorder && { record: this.#recorder }) });
    this.#driver = new Driver(this.#abi, { heapObjects: this.#world.heapObjects });
    this.#hold(this.#driver.own, BYTES_KIND.id);
    for (const length of [0, 300, 5000]) this.#do({ do: "new", length });
  }

  step(random: Random): void {
    const loose = this.#held.filter(({ kind, ref }) => kind === BYTES_KIND.id && ref[0] !== this.#driver.own[0]);
    const what = random.below(50);
    if (what === 0) this.#do({ do: "new", length: random.pick([0, 1, 16, 257, 4096]) });
    else if (what === 1 && loose.length > 3) this.#do({ do: "destroy", ref: random.pick(loose).ref });
    else if (what === 2 && this.#recorder === undefined) this.#restore();
    else this.#stepCall(random);
  }

  #stepCall(random: Random): void {
    const { faults, hostFaults } = this.#world;
    let row = random.chance(0.1) ? random.pick(SYSCALLS) : random.pick(FREQUENT);
    if (this.#lacks(row) && random.chance(0.9)) row = random.pick(OPENING[row.module] ?? OPEN);
    const call = this.#generate(random, row);
    const fails = random.chance(0.2);
    if (faults !== undefined) {
      faults.calls!.length = 0;
      faults.at = fails ? 1 + random.below(6) : undefined;
      const declared = row.statuses.filter((name) => name !== "STALE").map((name) => Status[name]);
      faults.status =
        random.chance(0.2) || declared.length === 0 ? RETRY : (random.pick(declared) as Exclude<Status, 0>);
      if (!row.statuses.includes("TRANSIENT") && faults.status === RETRY) faults.status = Status.OTHER;
    }
    if (hostFaults !== undefined) {
      hostFaults.calls!.length = 0;
      hostFaults.at = fails ? 1 + random.below(12) : undefined;
      hostFaults.code = random.pick(["EIO", "EACCES", "ENOSPC", "EMFILE", "EINTR", "ESTALE", "ENOENT", "ELOOP"]);
      if (random.chance(0.1)) hostFaults.most = 1 + random.below(5);
      else delete hostFaults.most;
    }
    this.#call(call);
  }

  /** Closes and removes everything; nothing is counted as used then. */
  finish(): void {
    const { options, faults, hostFaults } = this.#world;
    if (faults !== undefined) faults.at = undefined;
    if (hostFaults !== undefined) hostFaults.at = undefined;
    this.#closeAll();
    const bytes = this.#held.length;
    assert.equal(this.#driver.heap.objects, bytes, "objects are left when all is closed");
    const [mount] = options.mounts ?? [];
    const most = Math.min(options.quota?.handles ?? 4, this.#world.heapObjects - bytes);
    if (mount !== undefined) {
      const path = Buffer.from(mount.guest);
      this.#do({ do: "poke", ref: this.#driver.own, offset: 0, bytes: path });
      for (let k = 0; k < most; k++)
        assert.equal(
          this.#invoke("open", NULL_REF, this.#driver.own, 0, path.length, OpenFlag.DIRECTORY).end,
          "OK",
          "handles are counted that are closed",
        );
      this.#closeAll();
    }
    this.#driver.heap.check();
    this.#replay();
    this.#compareEngines();
    for (const { fs } of options.mounts ?? []) removeAll(fs);
    assert.equal(this.#lookOutside(), this.#outside, "something outside has changed");
  }

  #closeAll(): void {
    for (const { ref, kind } of [...this.#held]) {
      if (kind === BYTES_KIND.id) continue;
      const { destroy } = KINDS.find(({ id }) => id === kind)!;
      this.#make(destroy.split(".")[0]!, "close", ref);
    }
  }

  #invoke(name: string, ...args: readonly (number | Ref)[]): End {
    return this.#make("fs", name, ...args);
  }

  #make(module: string, name: string, ...args: readonly (number | Ref)[]): End {
    return this.#call({ do: "call", row: syscall(module, name), packed: false, args, hasMemory: true });
  }

  #lookOutside(): string {
    return this.#world.folders.map((root) => treeOf(dirname(dirname(root)), false, root)).join("\n");
  }

  #lookInside(): string {
    const exact = this.#world.hostFaults === undefined;
    return this.#world.folders.map((root) => treeOf(root, exact)).join("\n");
  }

  #hold(ref: Ref, kind: number): void {
    this.#held.push({ ref, kind });
    if (kind === BYTES_KIND.id) this.#shadows.set(ref[0], this.#window(ref).slice());
  }

  #drop(ref: Ref): void {
    const index = this.#held.findIndex((held) => held.ref[0] === ref[0] && held.ref[1] === ref[1]);
    this.#dead.push(...this.#held.splice(index, 1));
    this.#shadows.delete(ref[0]);
  }

  #window(ref: Ref): Uint8Array {
    const { heap } = this.#driver;
    return heap.window(...ref, 0, heap.length(...ref));
  }

  /** Does it, here and on the twin, where it comes to the same. */
  #perform(op: Op): End {
    const { faults, hostFaults } = this.#world;
    const failing = faults && fromHere(faults);
    const hostFailing = hostFaults && fromHere(hostFaults);
    const end = perform(this.#driver, op);
    this.#ops.push({ op, end, failing, hostFailing });
    if (this.#twin !== undefined) {
      assert.deepEqual(end, perform(this.#twin, op), "what was restored goes on in another way");
      assert.ok(Buffer.compare(this.#driver.memory.bytes, this.#twin.memory.bytes) === 0, "restored memories differ");
    }
    return end;
  }

  #do(op: Exclude<Op, CallOp>): void {
    const { results } = this.#perform(op);
    if (op.do === "poke") this.#shadows.get(op.ref[0])!.set(op.bytes, op.offset);
    else if (op.do === "destroy") this.#drop(op.ref);
    else if (results[0] !== 0) this.#hold(results as unknown as Ref, BYTES_KIND.id);
  }

  #call(op: CallOp): End {
    const { row, packed } = op;
    const { heap } = this.#driver;
    const objects = heap.objects;
    const state = this.#abi.state.save();
    // Looking is what takes longest.
    const looks = this.#world.folders.length > 0 && (this.#tally.calls & 3) === 0;
    const inside = looks ? this.#lookInside() : "";
    const end = this.#perform(op);
    this.#count(`${row.module}.${row.name} ${end.end}`);
    if (row.name === "list" && end.end === "OK") this.#unlisted.delete(String(op.args[0]));

    const isTrap = end.end.startsWith("trap ");
    const declared = isTrap
      ? row.traps.includes(end.end.slice(5) as (typeof row.traps)[number]) && (packed || end.end !== "trap BadPointer")
      : end.end === "exit"
        ? row.name === "exit"
        : end.end === "OK" || row.statuses.includes(end.end as (typeof row.statuses)[number]);
    assert.ok(declared, `${row.name} ended in ${end.end}`);
    const isDone = end.end === "OK";
    if (!isDone && !isTrap && end.end !== "exit")
      assert.ok(
        end.results.slice(1).every((word) => word === 0),
        "results of a failed call",
      );
    if (!isDone && row.destroys === undefined) {
      assert.deepEqual(this.#abi.state.save(), state, `${end.end} has changed the state`);
      // Spec ABI-TRANSFER-6 allows it.
      if (looks && !(this.#world.hostFaults !== undefined && row.name === "write"))
        assert.equal(this.#lookInside(), inside, `${end.end} has changed the folder`);
    }
    this.#account(op, end, objects);
    this.#compare(op, end);
    if (looks) assert.equal(this.#lookOutside(), this.#outside, "something outside has changed");
    if (this.#tally.calls % 16 === 0) heap.check();
    return end;
  }

  /** Objects that came and went. */
  #account({ row, args }: CallOp, { end, results }: End, before: number): void {
    const { heap } = this.#driver;
    let expected = before;
    const made = row.results.findIndex(({ type }) => typeof type === "object");
    if (made >= 0 && end === "OK" && results[made] !== 0) {
      const ref = results.slice(made, made + 2) as unknown as Ref;
      this.#hold(ref, heap.kindOf(...ref));
      expected++;
    }
    if (row.destroys !== undefined && !end.startsWith("trap ")) {
      this.#drop(args[row.destroys] as Ref);
      expected--;
    }
    assert.equal(heap.objects, expected, "objects after the call");
  }

  /** Only written windows have changed, and only as far as they say. */
  #compare({ row, packed, args }: CallOp, { end, results }: End): void {
    if (end === "OK")
      for (const { ref, offset, length, written } of row.windows) {
        if (written === undefined) continue;
        const size = (args[length] as number) >>> 0;
        const starts = wordIndices(row.results);
        const bytes = written === "all" ? size : results[starts[written]!]! >>> 0;
        assert.ok(bytes <= size, "more bytes than the window has");
        this.#accept(args[ref] as Ref, (args[offset] as number) >>> 0, bytes, row.name !== "readlink");
      }
    if (packed && !end.startsWith("trap ") && end !== "exit")
      this.#accept(this.#driver.own, (args.at(-1) as number) >>> 0, 4 * (results.length - 1), false);
    for (const { ref, kind } of this.#held)
      if (kind === BYTES_KIND.id)
        assert.ok(Buffer.compare(this.#window(ref), this.#shadows.get(ref[0])!) === 0, `bytes of ${ref} have changed`);
  }

  #accept(ref: Ref, offset: number, length: number, isContent: boolean): void {
    const bytes = this.#window(ref).subarray(offset, offset + length);
    if (isContent)
      for (const text of SECRETS) assert.ok(!Buffer.from(bytes).includes(text), "something outside was told");
    this.#shadows.get(ref[0])!.set(bytes, offset);
  }

  #count(end: string): void {
    this.#tally.calls++;
    this.#tally.ends.set(end, (this.#tally.ends.get(end) ?? 0) + 1);
  }

  /** Goes on in a restored guest, with the one before beside it. */
  #restore(): void {
    const state = this.#abi.state.save();
    const saved = this.#driver.heap.save();
    const world = createWorld(this.#seed, this.#scratch);
    const abi = createAbi(world.options);
    assert.ok(abi.state.restore(state), "a state is not restored");
    assert.deepEqual(abi.state.save(), state, "a restored state is another");
    const before = this.#driver;
    const memory = { bytes: before.memory.bytes };
    const heap = Heap.restore(
      saved,
      { heapObjects: this.#world.heapObjects, heapBytes: 1 << 24 },
      abi.kinds,
      () => memory,
    );
    const driver = new Driver(abi, {}, heap);
    driver.memory.bytes.set(before.memory.bytes);
    memory.bytes = driver.memory.bytes;
    driver.fuelUsed = before.fuelUsed;
    assert.deepEqual(abi.state.save(), state, "reopening handles has changed the state");
    assert.deepEqual(heap.save(), saved, "a restored heap is another");
    heap.check();
    this.#world = world;
    this.#abi = abi;
    this.#driver = driver;
    this.#twin = before;
    this.#unlisted = new Set(this.#held.map(({ ref }) => String(ref)));
    this.#tally.restores++;
  }

  #replay(): void {
    if (this.#recorder === undefined) return;
    this.#recorder.end({ outcome: "returned", fuelUsed: 0n });
    const player = openRecording(Buffer.concat(this.#pieces));
    const driver = new Driver(replayAbi(player), { heapObjects: this.#world.heapObjects });
    for (const { op, end } of this.#ops) assert.deepEqual(perform(driver, op), end, "a replay comes to something else");
    player.end({ outcome: "returned", fuelUsed: 0n });
    assert.ok(Buffer.compare(driver.memory.bytes, this.#driver.memory.bytes) === 0, "a replay leaves another memory");
    this.#tally.replays++;
  }

  /** The host's own times are not the same for all. */
  #compareEngines(): void {
    const { options, folders } = this.#world;
    if (folders.length > 0 && options.hostMetadata === true) return;
    const again = (driver: Driver, { op }: Done): string => {
      const { end, results } = perform(driver, op);
      return `${end} ${results}`;
    };
    const share = new Random(mix(this.#seed, 0)).below(1000) / 990;
    // What looked on meanwhile has called the volume, too.
    const isExact = this.#world.hostFaults === undefined;
    compareEngines(() => createWorld(this.#seed, this.#scratch), this.#ops, again, { share, isExact });
    this.#tally.engines++;
  }

  // ---- what is called

  #generate(random: Random, row: Syscall): CallOp {
    const args: (number | Ref)[] = row.params.map(() => 0);
    const hidden = new Set(row.windows.flatMap(({ offset, length }) => [offset, length]));
    row.params.forEach((parameter, index) => {
      const window = row.windows.find(({ ref }) => ref === index);
      if (window !== undefined) this.#fillWindow(random, window, args, KEYS.includes(parameter.name));
      else if (typeof parameter.type === "object") args[index] = this.#someRef(random, parameter, parameter.type.ref);
      else if (!hidden.has(index)) args[index] = this.#someNumber(random, parameter);
    });
    if (row.transfer !== undefined && this.#isStream(args[row.transfer.handle] as Ref) && random.chance(0.8))
      args[row.transfer.offset] = wide(-1);
    if (row.module === "fs" && row.name === "list" && this.#unlisted.has(String(args[0]))) args[1] = NULL_REF;
    const packed = row.results.length > 1 && random.chance(0.4);
    // Behind what windows use, or wherever it may be.
    const end = this.#driver.memory.bytes.length;
    if (packed)
      args.push((random.chance(0.9) ? end - 64 : random.pick([0, 1, end - 8, end - 4, end - 1, end, -1, -4])) | 0);
    return { do: "call", row, packed, args, hasMemory: random.chance(0.98) };
  }

  /** True when no handle is held that the call could be made on. */
  #lacks({ params }: Syscall): boolean {
    return params.some(
      ({ type, nullable }) => typeof type === "object" && nullable !== true && this.#heldOf(type.ref).length === 0,
    );
  }

  #isStream([low, high]: Ref): boolean {
    return this.#heldOf("Stream|Writer").some(({ ref }) => ref[0] === low && ref[1] === high);
  }

  #heldOf(kinds: string): Held[] {
    return this.#held.filter(({ kind }) => kinds.split("|").includes(KIND_NAMES[kind]!));
  }

  #someRef(random: Random, { nullable }: SyscallParameter, kinds: string): Ref {
    if (nullable === true && random.chance(0.7)) return NULL_REF;
    const wanted = this.#heldOf(kinds);
    if (nullable === true && wanted.length === 0 && random.chance(0.95)) return NULL_REF;
    if (wanted.length > 0 && random.chance(0.95)) return random.pick(wanted).ref;
    const [low, high] = random.pick(this.#held).ref;
    return random.pick<() => Ref>([
      () => NULL_REF,
      () => [low, high],
      () => (this.#dead.length > 0 ? random.pick(this.#dead).ref : NULL_REF),
      () => [low, (high + random.pick([1, -1])) | 0],
      () => [0, high],
      () => [random.pick(I32_EDGES), random.pick(I32_EDGES)],
    ])();
  }

  #fillWindow(random: Random, { ref, offset, length, text }: Window, args: (number | Ref)[], isKey: boolean): void {
    const path = isKey ? someKey(random) : text === undefined ? undefined : this.#somePath(random);
    const fits = random.chance(0.95) ? (path?.length ?? 0) : 0;
    const all = this.#heldOf("Bytes").filter(({ ref }) => this.#driver.heap.length(...ref) >= fits);
    const bytes = random.pick(all).ref;
    const size = this.#driver.heap.length(...bytes);
    const wanted = path?.length ?? random.pick([0, 1, 2, 8, 33, 100, 257, 300, 4096, 70_000]);
    const long = Math.min(wanted, size);
    const start = random.pick([0, size - long, random.below(size - long + 1)]);
    if (path !== undefined && long > 0)
      this.#do({ do: "poke", ref: bytes, offset: start, bytes: path.subarray(0, long) });
    args[ref] = random.chance(0.97) ? bytes : this.#someRef(random, NO_PARAMETER, "Bytes");
    args[offset] = start | 0;
    args[length] = long | 0;
    if (random.chance(0.04))
      args[random.pick([offset, length])] =
        random.pick([size + 1, size, -1, size - start + 1, 0x7fff_ffff, -0x8000_0000]) | 0;
  }

  #someNumber(random: Random, { name, type, maximum, flags }: SyscallParameter): number | Ref {
    if (wordsOf(type) === 2) {
      if (name === "cookie") return wide(random.pick([0n, 0n, 0n, 1n, 2n, 3n, 1n << 32n, -1n]));
      if (random.chance(0.1)) return wide(random.pick(I64_EDGES));
      return wide(
        random.pick([-1n, -1n, -1n, 0n, 0n, 0n, 1n, 3n, 10n, 100n, 4095n, 30_000n, 1n << 32n, (1n << 53n) - 1n]),
      );
    }
    const known = BANK_NUMBERS[name];
    if (known !== undefined && random.chance(0.95)) return random.pick(known);
    if (flags !== undefined && random.chance(0.6))
      return random.pick(SUMS) & Object.values(flags).reduce((sum, bit) => sum | bit, 0);
    if (maximum !== undefined) return random.pick([0, 1, maximum, maximum + 1, random.below(maximum + 1), -1]);
    return random.chance(0.8) ? random.below(4) : random.pick(I32_EDGES);
  }

  #somePath(random: Random): Uint8Array {
    if (random.chance(0.02)) return Uint8Array.from({ length: random.below(6) }, () => random.next());
    if (random.chance(0.01)) return Buffer.from(`${"a/../".repeat(random.pick([819, 820]))}f`);
    const parts = Array.from({ length: random.pick(random.chance(0.04) ? [0, 6, 12] : [1, 1, 1, 2, 2, 2, 3]) }, () =>
      random.chance(0.92) ? random.pick(NAMES) : random.pick(ODD),
    );
    const start = random.pick(["", "", "", "", "/", "/", "//"]);
    const end = random.chance(0.85) ? "" : random.pick(["/", "/", "/.", "//", "/.."]);
    return Buffer.from(start + parts.join(random.chance(0.95) ? "/" : "//") + end, "latin1");
  }
}

const NO_PARAMETER: SyscallParameter = { name: "", type: "u32", doc: "" };
const KIND_NAMES: { readonly [kind: number]: string } = Object.fromEntries(
  [BYTES_KIND, ...KINDS].map(({ id, name }) => [id, name]),
);
const FREQUENT = SYSCALLS.flatMap((row) => {
  // Few loads come as far as to be committed.
  const often = row.module === "fs" || row.name === "state" ? 4 : row.name === "cancel" ? 1 : 2;
  const times = row.module === "sys" ? Number(row.capability !== "none") : row.name === "close" ? often / 2 : often;
  return Array<Syscall>(times).fill(row);
});
/** What an argument of the calls of module `bank` can be. */
const BANK_NUMBERS: { readonly [parameter: string]: readonly number[] } = {
  asset_id: [...Object.keys(CONTENTS).map(Number), 4, 4, 0, 5],
  bank_type: [1, 1, 1, 5, 8, 9],
  slot: [0, 0, 1, 5, 5, 255, 256],
};
const opening = (name: string): readonly Syscall[] =>
  SYSCALLS.filter(({ module, capability }) => module === name && capability !== "none");
/** What makes handles of modules other than `fs`. */
const OPENING: { readonly [module: string]: readonly Syscall[] } = { bank: opening("bank"), asl: opening("asl") };
/** Parameters that name where a key is. */
const KEYS: readonly string[] = ["key_ref", "after_ref"];

function someKey(random: Random): Uint8Array {
  const key = keyOf(random.pick(random.chance(0.9) ? STORED : [bytesOf(9)]));
  if (random.chance(0.1)) key[random.below(key.length)]! ^= 1 << random.below(8);
  if (random.chance(0.05)) return key.subarray(0, random.below(34));
  return random.chance(0.3) ? Buffer.from(textOf(key)) : key;
}
const OPEN = SYSCALLS.filter(({ module, name }) => module === "fs" && name === "open");
const NAMES = [..."aaabbbccffl", "m", "r", "up", "none", "..", ".", "\xc3\xa9"];
const ODD = [
  "loop",
  "abs",
  "out",
  "a\0",
  "\\",
  "\xff",
  "C:",
  "con",
  "x".repeat(255),
  "x".repeat(256),
  `${"\xc3\xa9".repeat(127)}x`,
  "\xed\xa0\x80",
  "...",
];
const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;
const SUMS = [
  READ,
  READ | WRITE,
  READ | WRITE | CREATE,
  READ | WRITE | CREATE,
  WRITE | CREATE | EXCLUSIVE,
  WRITE | CREATE | TRUNCATE,
  WRITE | CREATE | APPEND,
  READ | NOFOLLOW,
  DIRECTORY,
  DIRECTORY,
  DIRECTORY | NOFOLLOW,
  0,
];

/** Removes everything from a file system that can be written, as a guest without quotas; nothing is used then. */
function removeAll(fs: FileSystem): void {
  const driver = new Driver({ mounts: [{ guest: "/", fs }] });
  const empty = (path: string): void => {
    const names = driver.names(path);
    assert.ok(Array.isArray(names), `${path} cannot be listed: ${names}`);
    for (const name of names) {
      const place = `${path}/${name}`;
      const { kind } = driver.stat(place, NOFOLLOW);
      if (kind === 2) empty(place);
      assert.equal(kind === 2 ? driver.rmdir(place) : driver.unlink(place), Status.OK, `${place} cannot be removed`);
    }
  };
  empty("/");
  assert.deepEqual(driver.names("/"), []);
  const { used } = fs as FileSystem & { readonly used?: Quota };
  if (used !== undefined) assert.deepEqual(used, { bytes: 0, files: 0 }, "an empty tree uses something");
}

/** Runs the steps with these numbers. Throws an Error where anything does not hold. */
function run(seed: number, steps: readonly number[], scratch: string, tally: FuzzTally): void {
  const session = new Session(seed, scratch, tally);
  for (const step of steps) session.step(new Random(mix(seed, step + 2)));
  session.finish();
}

/** What does not hold with this seed, with as few steps as it takes; undefined when all does. */
export function fuzz(seed: number, length: number, scratch: string, tally: FuzzTally): string | undefined {
  const attempt = (steps: readonly number[], counted: FuzzTally): Error | undefined => {
    const folder = nodeFs.mkdtempSync(join(scratch, "fuzz-"));
    try {
      run(seed, steps, folder, counted);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(`${error}`, { cause: error });
    } finally {
      nodeFs.rmSync(folder, { recursive: true, force: true });
    }
  };
  let steps = Array.from({ length }, (_, step) => step);
  let failure = attempt(steps, tally);
  if (failure === undefined) return undefined;
  for (let size = length >> 1; size > 0; size >>= 1)
    for (let from = 0; from < steps.length; ) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)];
      const same = attempt(fewer, newFuzzTally());
      if (same === undefined) from += size;
      else [steps, failure] = [fewer, same];
    }
  const world = Object.keys(WORLDS)[seed % Object.keys(WORLDS).length];
  return `seed ${seed} (${world}), steps ${steps.join(" ")}: ${failure.stack}`;
}
