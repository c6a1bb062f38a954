/**
 * Runs one call of one syscall and finds what its outcome promised and did not keep (spec ABI-ORDER-2, ABI-STATUS-3): a
 * status other than OK, or a trap, has left no trace in results, memory, handles, streams and files.
 */
import { isDeepStrictEqual } from "node:util";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { openPack } from "../../host/assets/pack.ts";
import { type FileSystemFaults, faultyFileSystem } from "../../host/fs/faulty.ts";
import type { FileSystem, OpenDirectory, OpenFile, Outcome } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { type HostFunctions, packedSize } from "../../syscalls/dispatch.ts";
import { Exit } from "../../syscalls/exit.ts";
import {
  ARTIFACT_KIND,
  BANK_KIND,
  DIR_KIND,
  FILE_KIND,
  KINDS,
  LOAD_KIND,
  STREAM_KIND,
  WRITER_KIND,
} from "../../syscalls/kinds.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag, type Syscall } from "../../syscalls/table.ts";
import { STALE_OBJECT } from "../../vm/heap.ts";
import type { Engine } from "../../vm/index.ts";
import { Fault, trapName } from "../../vm/trap.ts";
import { type Answer, Driver, PAGES, type Ref, wide } from "../conformance/driver.ts";
import { keyOf, MemoryArtifacts, type StoreFaults } from "./artifacts.ts";
import { faultyReader, PACK, type ReaderFaults } from "./packs.ts";
import { standOn } from "./stand.ts";

export type Words = (number | Ref)[];

/** How an outcome is brought about. */
export interface Scenario {
  /** Makes what the call is about, and answers its arguments. */
  readonly words: (world: World) => Words;
  /** What is granted instead of the usual. */
  readonly grants?: (world: World) => AbiOptions;
  /** Limit of heap objects. */
  readonly heapObjects?: number;
  /** What the file system at `/` answers during the call. */
  readonly fault?: FileSystemFaults;
  /** Code of the errors of all streams during the call. */
  readonly streamError?: string;
  /** How the pack fails during the call. */
  readonly reader?: ReaderFaults;
  /** How the store fails during the call. */
  readonly store?: StoreFaults;
  /** Address of the result block; only the packed form is called. "none": the guest has no memory. */
  readonly block?: number | "none";
}

/** What a call may change beside the linear memory. */
interface State {
  /** Clock, randomness, what files were seen, and their trees. */
  readonly host: string;
  readonly heap: readonly string[];
  readonly objects: number;
  readonly openNodes: number;
  readonly output: readonly string[];
  /** Keys of what was sealed. */
  readonly sealed: readonly string[];
  /** Writers that are open in the store. */
  readonly openWriters: number;
}

export interface RunOptions {
  readonly tamper?: Tamper;
  /** Calls are made by a guest on it; without one, by nobody. */
  readonly engine?: Engine;
}

/** Stands between a guest and the host, to break it on purpose. */
export type Tamper = (imports: HostFunctions, world: World) => HostFunctions;

const { READ, DIRECTORY } = OpenFlag;
/** Handles on files and directories that may be open at one time. */
const HANDLES = 8;
/** Of the guest's memory. */
export const MEMORY_BYTES: number = PAGES * 65_536;
/** What the guest may put into the store. */
export const STORE_BYTES = 1000;
export const STORE_ARTIFACTS = 4;
export const STORE_WRITERS = 4;
/** What is in it, with type tags. */
const STORED: readonly (readonly [text: string, tag: number | undefined])[] = [
  ["an artifact of the store", undefined],
  ["an artifact of the store", 9],
  ["another one", 0xffff_ffff],
  ["", undefined],
];
const SECOND_TEXT_AT = 32_768;
const BLOCK_AT = 1 << 20;
const BLOCK_FILL = 0xaa;

/** A guest with files, streams and arguments, and everything around it that a call could change. */
export class World {
  readonly main = new MemoryFileSystem({ f: "0123456789", "d/g": "inner", "d/e/deep": "" }, { bytes: 1000, files: 10 });
  readonly other = new MemoryFileSystem({ probe: "probe" });
  readonly readOnly = new MemoryFileSystem({ f: "0123456789" });
  readonly faults: FileSystemFaults = {};
  /** What went out through streams and log. */
  readonly output: string[] = [];
  streamError: string | undefined;
  readonly reader: ReaderFaults = {};
  readonly store = new MemoryArtifacts();
  /** True during the call that the scenario is about. */
  isCalling = false;
  /** Nodes that file systems have opened and not closed. */
  openNodes = 0;
  /** Refs that the scenario has made. */
  readonly refs: Ref[] = [];
  readonly abi: Abi;
  readonly guest: Driver;

  constructor({ grants, heapObjects }: Scenario, { tamper = (imports) => imports, engine }: RunOptions = {}) {
    for (const [text, tag] of STORED) this.store.add(Buffer.from(text), tag);
    this.abi = createAbi(grants === undefined ? this.usual() : grants(this));
    const limits = heapObjects === undefined ? {} : { heapObjects };
    const imports = tamper(this.abi.imports, this);
    this.guest = new Driver({ imports, kinds: this.abi.kinds }, limits, engine && standOn(engine));
    // The clock has moved, so that a time that was set stands out.
    this.guest.fuelUsed = 1n;
    this.main.makeDirectory("/empty");
  }

  /** Everything is granted. */
  usual(): AbiOptions {
    const write =
      (name: string) =>
      (bytes: Uint8Array): void => {
        this.#fail();
        this.output.push(`${name} ${Buffer.from(bytes).toString("hex")}`);
      };
    const input = Buffer.from("some input that is longer than any read");
    let position = 0;
    return {
      args: ["one", "zwei"],
      env: { NAME: "value" },
      mounts: [
        { guest: "/", fs: this.watched(faultyFileSystem(this.main, this.faults)) },
        { guest: "/other", fs: this.watched(this.other) },
        { guest: "/ro", fs: this.watched(this.readOnly), readOnly: true },
      ],
      stdin: (into) => {
        this.#fail();
        const bytes = input.copy(into, 0, position);
        position += bytes;
        return bytes;
      },
      stdout: write("stdout"),
      stderr: write("stderr"),
      log: write("log"),
      assets: openPack(faultyReader(PACK, this.reader)),
      store: this.store,
      storeQuota: { bytes: STORE_BYTES, artifacts: STORE_ARTIFACTS, writers: STORE_WRITERS },
      quota: { handles: HANDLES },
    };
  }

  /** `fs`, whose open nodes are counted. */
  watched(fs: FileSystem): FileSystem {
    const count = <Node extends OpenFile | OpenDirectory>(node: Node | Outcome): Node | Outcome => {
      if (typeof node === "number") return node;
      this.openNodes++;
      const close = (): Status => {
        this.openNodes--;
        return node.close();
      };
      return altered(node, { close } as Partial<Node>);
    };
    return altered(fs, {
      open: (...args) => count(fs.open(...args)),
      create: (...args) => count(fs.create(...args)),
      openDirectory: (...args) => count(fs.openDirectory(...args)),
    });
  }

  /** The three words of a window over a text. */
  text(text: string | Uint8Array): [Ref, number, number] {
    return this.guest.path(text);
  }
  secondText(text: string | Uint8Array): [Ref, number, number] {
    return this.guest.path(text, SECOND_TEXT_AT);
  }
  /** The three words of a window for `length` bytes. */
  window(length: number): [Ref, number, number] {
    return [this.guest.own, 65_536, length];
  }
  file(path: string, flags: number): Ref {
    return this.#keep(this.guest.handle(path, flags));
  }
  directory(path: string): Ref {
    return this.#keep(this.guest.handle(path, DIRECTORY));
  }
  stream(name: "stdin" | "stdout" | "stderr"): Ref {
    return this.#keep(this.guest.call("sys", name).results[0] as Ref);
  }
  asset(id: number): Ref {
    return this.#keep(this.guest.call("bank", "open_asset", id).results[1] as Ref);
  }
  /** A load that has come as far as so many calls of `bank.state` take it. */
  load(id: number, slot: number, steps: number): Ref {
    const load = this.#keep(this.guest.call("bank", "request", id, slot).results[1] as Ref);
    for (let k = 0; k < steps; k++) this.guest.call("bank", "state", load);
    return load;
  }
  /** A load that failed. */
  failed(id: number, faults: ReaderFaults): Ref {
    Object.assign(this.reader, faults);
    const load = this.load(id, 1, 2);
    Object.assign(this.reader, WHOLE);
    return load;
  }
  artifact(text: string): Ref {
    return this.#keep(this.guest.call("asl", "open", ...this.text(keyOf(Buffer.from(text)))).results[1] as Ref);
  }
  /** A writer that has taken the text. */
  writer(text = ""): Ref {
    const writer = this.#keep(this.guest.call("asl", "create", 7, 1).results[1] as Ref);
    this.expect(this.guest.call("asl", "write", writer, wide(-1), ...this.text(text)).results[0] as number);
    return writer;
  }
  sealed(text: string): Ref {
    const writer = this.writer(text);
    this.expect(this.guest.call("asl", "seal", writer, ...this.window(36)).results[0] as number);
    return writer;
  }
  aborted(): Ref {
    const writer = this.writer("given up");
    this.expect(this.guest.call("asl", "abort", writer).returned!);
    return writer;
  }
  /** A handle that a snapshot could not bring back. */
  stale(name: "File" | "Dir" | "Stream" | "Bank" | "Load" | "Artifact" | "Writer"): Ref {
    const { id } = KINDS.find((kind) => kind.name === name)!;
    return this.guest.ref(this.guest.heap.create(id, STALE_OBJECT));
  }
  symlink(target: string, path: string): string {
    this.expect(this.guest.symlink(target, path));
    return path;
  }
  /** The path, when no more names can be made where it leads. */
  full(path: string): string {
    for (let number = 0, status: number = Status.OK; status === Status.OK; number++)
      status = this.guest.mkdir(`/${number}`);
    return path;
  }
  /** Throws unless the status is OK. */
  expect(status: number): void {
    if (status !== Status.OK) throw new Error(`a scenario could not be prepared: ${statusName(status)}`);
  }

  state(): State {
    const heap: string[] = [];
    this.guest.heap.digest((bytes) => {
      heap.push(Buffer.from(bytes).toString("hex"));
    });
    return {
      host: Buffer.from(this.abi.state.save()).toString("hex"),
      heap,
      objects: this.guest.heap.objects,
      openNodes: this.openNodes,
      output: this.output.slice(),
      sealed: [...this.store.staged.keys()],
      openWriters: this.store.open,
    };
  }

  #keep(ref: Ref): Ref {
    this.refs.push(ref);
    return ref;
  }
  #fail(): void {
    if (this.streamError !== undefined) throw Object.assign(new Error("on purpose"), { code: this.streamError });
  }
}

/** A reader without faults. */
const WHOLE: ReaderFaults = { error: undefined, end: undefined, mask: undefined, changed: undefined };

/** `original` with some of its properties replaced; methods keep their object. */
export function altered<T extends object>(original: T, replaced: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What a call came to: name of a status or trap, and what it answered. */
interface Ended {
  readonly outcome: string;
  readonly answer: Answer | undefined;
}

function run(world: World, row: Syscall, name: string, words: Words): Ended {
  try {
    const answer = world.guest.call(row.module, name, ...words);
    const first = row.results.length > 1 && name === row.name ? answer.results[0] : answer.returned;
    const hasStatus = row.results[0]?.name === "status";
    return { outcome: hasStatus ? (statusName(first as number) ?? `status ${first}`) : "OK", answer };
  } catch (error) {
    if (error instanceof Fault) return { outcome: trapName(error.code), answer: undefined };
    if (error instanceof Exit) return { outcome: "OK", answer: undefined };
    return { outcome: `${error}`, answer: undefined };
  }
}

/** What one scenario shows to be wrong, in both forms of the call; nothing, when all is as it should be. */
export function findings(row: Syscall, outcome: string, scenario: Scenario, options?: RunOptions): string[] {
  const forms = row.results.length > 1 ? [false, true] : [false];
  return forms
    .filter((packed) => packed || scenario.block === undefined)
    .flatMap((packed) => findingsOfForm(row, outcome, scenario, packed, options));
}

function findingsOfForm(
  row: Syscall,
  expected: string,
  scenario: Scenario,
  packed: boolean,
  options: RunOptions | undefined,
): string[] {
  const found: string[] = [];
  const world = new World(scenario, options);
  const { guest } = world;
  const name = packed ? `${row.name}_p` : row.name;
  const note = (holds: boolean, what: string): void => {
    if (!holds) found.push(`${row.module}.${name} ${expected}: ${what}`);
  };

  const words = scenario.words(world);
  const block = typeof scenario.block === "number" ? scenario.block : BLOCK_AT;
  const blockBytes = packed ? packedSize(row) : 0;
  guest.memory.bytes.fill(BLOCK_FILL, BLOCK_AT, BLOCK_AT + blockBytes);
  if (packed) words.push(block);
  const memoryBefore = guest.memory.bytes.slice();
  const before = world.state();

  Object.assign(world.faults, { calls: [], ...scenario.fault });
  world.streamError = scenario.streamError;
  Object.assign(world.reader, scenario.reader);
  Object.assign(world.store.faults, scenario.store);
  if (scenario.block === "none") guest.callerMemory = undefined;
  world.isCalling = true;
  const { outcome, answer } = run(world, row, name, words);
  world.isCalling = false;
  guest.callerMemory = guest.memory;
  Object.assign(world.faults, { at: undefined, room: undefined });
  world.streamError = undefined;
  Object.assign(world.reader, WHOLE);
  world.store.faults.error = undefined;

  note(outcome === expected, `ended in ${outcome}`);
  const memory = guest.memory.bytes;
  const isStatus = answer !== undefined;
  const isOk = expected === "OK";
  // Results, and the memory around them.
  if (isStatus && packed) {
    const results = memory.slice(BLOCK_AT, BLOCK_AT + blockBytes);
    if (!isOk)
      note(
        results.every((byte) => byte === 0),
        `results ${results}`,
      );
    memoryBefore.set(results, BLOCK_AT);
  } else if (isStatus && !isOk)
    note(
      answer.results.slice(1).every((result) => [result].flat().every((word) => word === 0)),
      `results ${JSON.stringify(answer.results)}`,
    );
  if (isOk)
    for (const window of row.windows.filter(({ written }) => written !== undefined)) {
      const at = words[window.offset] as number;
      const length = words[window.length] as number;
      memoryBefore.set(memory.subarray(at, at + length), at);
    }
  note(Buffer.compare(memory, memoryBefore) === 0, "linear memory was changed");

  // Everything else.
  const after = world.state();
  const made = isOk && row.results.some(({ type }) => typeof type === "object") ? 1 : 0;
  const ended = row.destroys !== undefined && isStatus ? 1 : 0;
  const opened = row.module === "fs" ? made - ended : 0;
  note(after.objects === before.objects + made - ended, `${after.objects} objects, ${before.objects} before`);
  note(after.openNodes === before.openNodes + opened, `${after.openNodes} open nodes, ${before.openNodes} before`);
  if (!isOk) {
    note(isDeepStrictEqual(after.output, before.output), "something was put out");
    note(after.host === before.host, "clock, randomness or files were changed");
    note(isDeepStrictEqual(after.sealed, before.sealed), "something was sealed");
    if (ended === 0) note(after.openWriters === before.openWriters, "writers of the store were opened or lost");
    if (ended === 0)
      note(isDeepStrictEqual(after.heap, before.heap), "handles or the positions of streams were changed");
  }

  // Handles, and the guest, are as good as before.
  const destroyed = ended === 1 ? (words[row.destroys!] as Ref) : undefined;
  for (const ref of world.refs.filter((ref) => ref !== destroyed))
    note(isUsable(world, ref) && close(world, ref) === Status.OK, `the handle ${ref} is not usable`);
  if (destroyed !== undefined) note(guest.trap("fs", "close", destroyed) === "HeapRefStale", "the handle is not gone");
  if (scenario.grants === undefined && scenario.heapObjects === undefined)
    note(hasAllHandles(world, isOk), "handles were lost");
  return found;
}

function isUsable({ guest }: World, ref: Ref): boolean {
  if (guest.heap.generation(ref[0]) !== ref[1]) return false;
  const kind = guest.heap.kindOf(...ref);
  if (kind === STREAM_KIND.id || kind === LOAD_KIND.id) return true;
  if (kind === ARTIFACT_KIND.id || kind === WRITER_KIND.id)
    return guest.call("asl", "info", ref, 0).results[0] === Status.OK;
  if (kind === BANK_KIND.id) return guest.call("bank", "size", ref).results[0] === Status.OK;
  if (kind === FILE_KIND.id && guest.size(ref) < 0) return false;
  return (kind === FILE_KIND.id || kind === DIR_KIND.id) && guest.stat("", 0, ref).status === Status.OK;
}

function close({ guest }: World, ref: Ref): number {
  const { destroy } = KINDS.find(({ id }) => id === guest.heap.kindOf(...ref))!;
  return guest.call(destroy.split(".")[0]!, "close", ref).returned!;
}

/** After all are closed as many handles as the quota says can be opened; one may have been opened by the call. */
function hasAllHandles(world: World, isOk: boolean): boolean {
  const { guest } = world;
  const held = isOk ? world.openNodes : 0;
  const opened = Array.from({ length: HANDLES - held }, () => guest.open("/other/probe", READ).status);
  return opened.every((status) => status === Status.OK) && guest.open("/other/probe", READ).status === Status.QUOTA;
}
