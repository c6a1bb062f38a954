/**
 * What stands behind the syscalls `fs`, `sys`, `bank` and `asl`: mounts, arguments, environment, streams, clock, randomness,
 * assets and artifacts, as an embedder grants them to one guest.
 */
import {
  type Call,
  type HostFunctions,
  hostFunctions,
  type Implementation,
  type LooseBody,
  type SyscallBody,
  type Tape,
} from "../syscalls/dispatch.ts";
import { Exit } from "../syscalls/exit.ts";
import { DIR_KIND, FILE_KIND, STREAM_KIND } from "../syscalls/kinds.ts";
import type { Observer } from "../syscalls/observe.ts";
import { Status } from "../syscalls/status.ts";
import { ABI_VERSION, OpenFlag, SYSCALLS, TimesFlag } from "../syscalls/table.ts";
import { checkAbiVersion } from "../syscalls/version.ts";
import { createPersonality, type Personality } from "../syscalls/wasi/personality.ts";
import { AshlarError } from "../vm/errors.ts";
import type { Caller } from "../vm/function.ts";
import type { Kind } from "../vm/heap.ts";
import type { Module } from "../vm/module.ts";
import type { HostState } from "../vm/store.ts";
import { Fault, TrapCode } from "../vm/trap.ts";
import { encodeUtf8 } from "../vm/utf8.ts";
import { type ArtifactQuota, type ArtifactStore, createArtifacts } from "./asl/syscalls.ts";
import { type BankOptions, createBanks } from "./assets/banks.ts";
import type { AssetSet } from "./assets/pack.ts";
import { type Clock, realClock, virtualClock } from "./clock.ts";
import { statusOf } from "./fs/errno.ts";
import { GrantError, type Stat, type Times, type Transfer } from "./fs/file-system.ts";
import {
  type DirectoryHandle,
  ENTRY_KINDS,
  type FileHandle,
  handleOf,
  Listings,
  list,
  type NodeHandle,
  readFile,
  type StreamHandle,
  type StreamName,
  truncateFile,
  writeFile,
} from "./fs/handles.ts";
import {
  areOpenFlags,
  type Mount,
  Namespace,
  type PathQuota,
  type ResolvedMount,
  setsNothing,
} from "./fs/namespace.ts";
import { type Random, realRandom, SEED_BYTES, seededRandom, seedOf } from "./random.ts";
import { createSightings, type HostParts, hostState, savedKinds, systemsOf } from "./state.ts";
import { type Input, type InputStream, type Output, openInput, openInteractiveInput } from "./streams.ts";

/** Limits on what a guest may do with files; bytes and numbers of files are the file systems' own (spec FS-QUOTA). */
export interface AbiQuota extends PathQuota {
  /** Most files and directories that may be open at one time. */
  readonly handles?: number;
}

/** What a guest is given. Nothing by default: a syscall whose grant is missing links, and traps when it is called. */
export interface AbiOptions {
  /** The name under which the guest was started; "guest" by default. */
  readonly name?: string;
  readonly args?: readonly string[];
  /**
   * Variables, in order; neither a name nor a value holds NUL, and a name is not empty and holds no `=`. In an object
   * JavaScript puts names that are numbers first.
   */
  readonly env?: { readonly [name: string]: string } | readonly (readonly [name: string, value: string])[];
  readonly mounts?: readonly Mount[];
  readonly stdin?: Input | Uint8Array;
  /** True: reading `stdin` answers as soon as there is a byte (spec ABI-STREAM-2). */
  readonly interactive?: boolean;
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Hears `sys.log`; the bytes are good only during the call. */
  readonly log?: (line: Uint8Array) => void;
  /** The host's, or a virtual one that starts so many nanoseconds after 1970; 0 by default (spec ABI-CLOCK-1). */
  readonly clock?: "real" | { readonly start: bigint };
  /** Randomness: the platform's, or a seed of 32 bytes or as a number; 0 by default (spec ABI-RANDOM-1). */
  readonly seed?: "real" | bigint | Uint8Array;
  /** Shows times and link counts of the host's files (spec FS-STAT-2). */
  readonly hostMetadata?: boolean;
  readonly quota?: AbiQuota;
  /** What the guest may load into its banks (spec 15a). The embedder closes it when the guest has ended. */
  readonly assets?: AssetSet;
  readonly banks?: BankOptions;
  /**
   * The artifacts that the guest may read, and make (spec 23b): what `artifactsOf` answers for a store. The embedder commits or
   * discards what the guest has sealed when it has ended, and closes the store.
   */
  readonly store?: ArtifactStore;
  readonly storeQuota?: ArtifactQuota;
  /** Of the guest's run: a sleep of the real clock ends when it is to stop (spec CLI-STOP-2). */
  readonly interrupt?: Int32Array;
  /** Hears of every call when it has ended (spec ABI-TRACE-1). */
  readonly observe?: Observer;
  /** Stands between the calls and what answers them: a recorder (spec 19a), or what else listens to both sides. */
  readonly record?: Tape;
}

/** The host ABI, and WASI on top of it, for `module.instantiate({ ...abi })`. Serves one store, which `store.close()` makes release open files. */
export interface Abi {
  readonly imports: HostFunctions;
  readonly kinds: readonly Kind[];
  /** What snapshots hold of the host. */
  readonly state: HostState;
  /** Throws a LinkError for a module that was built for another version of the ABI (spec ABI-VERSION-2). */
  check(module: Module): void;
}

const PATH_FLAGS = OpenFlag.NOFOLLOW;
const TIMES_FLAGS = TimesFlag.ACCESSED | TimesFlag.MODIFIED | OpenFlag.NOFOLLOW;

/**
 * The imports and kinds for a guest with these grants; what its assets preload is loaded. Throws a GrantError for grants that
 * make no sense, a PackError where assets cannot be loaded.
 */
export function createAbi(options: AbiOptions = {}): Abi {
  const { implementation, granted, parts } = standBehind(options);
  const kinds = options.record?.kinds(savedKinds(parts)) ?? savedKinds(parts);
  const dispatch = { observe: options.observe, tape: options.record };
  const syscalls = hostFunctions(SYSCALLS, implementation, granted, kinds, dispatch);
  const personality = createPersonality(syscalls, kinds, options.observe);
  return abiOf(syscalls, personality, kinds, parts);
}

/** ABIs of guests that run one after the other. */
export interface AbiSeries {
  /** That of the next guest; throws as {@link createAbi}. */
  next(options: Omit<AbiOptions, "record" | "observe">): Abi;
  /** The guest has ended, and its store is closed: lets go of what is still held of it. */
  release(): void;
}

/**
 * Makes ABIs as {@link createAbi} does, with what listens to all of them. Host functions are made for the first guest and serve the
 * others, which takes a fraction of the time.
 */
export function abiSeries(record: Tape): AbiSeries {
  let current: Implementation = {};
  const bodies: { [module: string]: { [name: string]: SyscallBody } } = {};
  for (const { module, name } of SYSCALLS) {
    bodies[module] ??= {};
    const body: LooseBody = (call, a, b, c, d, e) => (current[module]![name] as LooseBody)(call, a, b, c, d, e);
    bodies[module][name] = body;
  }
  /** By what is granted. */
  const made = new Map<string, { readonly syscalls: HostFunctions; readonly personality: Personality }>();
  const releases: (() => void)[] = [];
  return {
    next(options) {
      const { implementation, granted, parts } = standBehind(options);
      const kinds = record.kinds(savedKinds(parts));
      const grants = [...granted].sort().join();
      let known = made.get(grants);
      if (known === undefined) {
        const syscalls = hostFunctions(SYSCALLS, bodies, granted, kinds, { tape: record, releases });
        known = { syscalls, personality: createPersonality(syscalls, kinds, undefined) };
        made.set(grants, known);
      }
      current = implementation;
      return abiOf(known.syscalls, known.personality, kinds, parts);
    },
    release() {
      current = {};
      for (const release of releases) release();
      for (const { personality } of made.values()) personality.renew();
    },
  };
}

function abiOf(syscalls: HostFunctions, personality: Personality, kinds: readonly Kind[], parts: HostParts): Abi {
  return {
    imports: { ...syscalls, ...personality.imports },
    kinds,
    state: hostState(parts, personality),
    check: (module) => checkAbiVersion(module.structure),
  };
}

/** What stands behind the calls, and what is granted. */
interface Behind {
  readonly implementation: Implementation;
  readonly granted: ReadonlySet<string>;
  readonly parts: HostParts;
}

function standBehind(options: AbiOptions): Behind {
  const namespace = new Namespace(options.mounts ?? [], options.quota);
  const systems = systemsOf(namespace);
  const stdin = inputOf(options);
  const outputs = { stdin: undefined, stdout: options.stdout, stderr: options.stderr };
  const clock = clockOf(options);
  const random = randomOf(options);
  const sightings = createSightings(systems);
  const transfer: Transfer = { bytes: 0, eof: false };
  const name = encodeUtf8(options.name ?? "guest");
  const mostHandles = options.quota?.handles ?? Number.POSITIVE_INFINITY;
  let handles = 0;
  const listings = new Listings();
  const banks = createBanks(options.assets, options.banks);
  const artifacts = createArtifacts(options.store, options.storeQuota);

  // File systems that keep times ask for the time while a call runs.
  let caller: Caller | undefined;
  for (const fs of systems) fs.useClock?.(() => clock.time(caller?.fuelUsed() ?? 0n));
  const at = (call: Call): Namespace => {
    caller = call.caller;
    return namespace;
  };

  const openStream = (name: StreamName) => (call: Call) => {
    const handle: StreamHandle = { type: "stream", positional: false, name };
    call.setRef(0, call.heap.create(STREAM_KIND.id, handle));
    return undefined;
  };
  const answerStat = (call: Call, mount: ResolvedMount, stat: Stat): Status => {
    const shown = options.hostMetadata === true || mount.fs.capabilities.ownMetadata;
    call.set(1, ENTRY_KINDS[stat.kind]);
    call.set(2, stat.bytes);
    call.set(3, sightings.numberOf(mount.fs, stat.id));
    call.set(4, shown ? stat.links : 1);
    if (!shown) return Status.OK;
    call.setBig(5, stat.accessed);
    call.setBig(6, stat.modified);
    call.setBig(7, stat.changed);
    return Status.OK;
  };

  const implementation: Implementation = {
    fs: {
      open: (call: Call, base: DirectoryHandle | undefined, path: Uint8Array, flags: number) => {
        if (!areOpenFlags(flags)) return Status.INVALID;
        if (!call.heap.hasRoom || handles >= mostHandles) return Status.QUOTA;
        const opened = at(call).open(base, path, flags);
        if (typeof opened === "number") return opened;
        handles++;
        const handle = handleOf(opened, flags);
        call.setRef(1, call.heap.create(handle.type === "file" ? FILE_KIND.id : DIR_KIND.id, handle));
        return Status.OK;
      },
      read: (call: Call, handle: FileHandle | StreamHandle, offset: number, into: Uint8Array) => {
        const status = handle.type === "file" ? readFile(handle, offset, into, transfer) : readStream(handle, into);
        call.set(1, transfer.bytes);
        call.set(2, transfer.eof ? 1 : 0);
        return status;
      },
      write: (call: Call, handle: FileHandle | StreamHandle, offset: number, from: Uint8Array) => {
        caller = call.caller;
        call.set(1, from.length);
        return handle.type === "file" ? writeFile(handle, offset, from) : writeStream(handle, from);
      },
      size: (call: Call, handle: FileHandle) => {
        const status = handle.node.size(transfer);
        call.set(1, transfer.bytes);
        return status;
      },
      truncate: (call: Call, handle: FileHandle, bytes: number) => {
        caller = call.caller;
        return truncateFile(handle, bytes);
      },
      sync: (_call: Call, handle: NodeHandle) => handle.node.sync(),
      stat: (call: Call, base: NodeHandle | undefined, path: Uint8Array, flags: number) => {
        if ((flags & ~PATH_FLAGS) !== 0) return Status.INVALID;
        if (base !== undefined && path.length === 0) {
          const stat = base.node.stat();
          return typeof stat === "number" ? stat : answerStat(call, base.mount, stat);
        }
        if (base?.type === "file") return Status.NOT_DIRECTORY;
        const found = namespace.stat(base, path, flags);
        return typeof found === "number" ? found : answerStat(call, found.mount, found.stat);
      },
      mkdir: (call: Call, base: DirectoryHandle | undefined, path: Uint8Array) => at(call).mkdir(base, path),
      rmdir: (call: Call, base: DirectoryHandle | undefined, path: Uint8Array) => at(call).rmdir(base, path),
      unlink: (call: Call, base: DirectoryHandle | undefined, path: Uint8Array) => at(call).unlink(base, path),
      rename: (
        call: Call,
        base: DirectoryHandle | undefined,
        path: Uint8Array,
        newBase: DirectoryHandle | undefined,
        newPath: Uint8Array,
      ) => at(call).rename(base, path, newBase, newPath),
      link: (
        call: Call,
        base: DirectoryHandle | undefined,
        path: Uint8Array,
        newBase: DirectoryHandle | undefined,
        newPath: Uint8Array,
      ) => at(call).link(base, path, newBase, newPath),
      symlink: (call: Call, target: Uint8Array, base: DirectoryHandle | undefined, path: Uint8Array) =>
        at(call).symlink(target, base, path),
      readlink: (call: Call, base: DirectoryHandle | undefined, path: Uint8Array, into: Uint8Array) => {
        const target = namespace.readlink(base, path);
        if (typeof target === "number") return target;
        const bytes = encodeUtf8(target);
        const copied = bytes.subarray(0, into.length);
        into.set(copied);
        call.set(1, copied.length);
        call.set(2, bytes.length);
        return Status.OK;
      },
      list: (call: Call, handle: DirectoryHandle, cookie: number, into: Uint8Array) =>
        list(call, handle, cookie, into, listings),
      close: (_call: Call, handle: NodeHandle | StreamHandle) => {
        if (handle.type === "stream") return Status.OK;
        handles--;
        if (handle.type === "directory") listings.forget(handle);
        return handle.node.close();
      },
      set_times: (
        call: Call,
        base: NodeHandle | undefined,
        path: Uint8Array,
        flags: number,
        accessed: bigint,
        modified: bigint,
      ) => {
        if ((flags & ~TIMES_FLAGS) !== 0) return Status.INVALID;
        const times: Times = {
          accessed: (flags & TimesFlag.ACCESSED) === 0 ? undefined : accessed,
          modified: (flags & TimesFlag.MODIFIED) === 0 ? undefined : modified,
        };
        if (base === undefined || path.length > 0)
          return base?.type === "file" ? Status.NOT_DIRECTORY : at(call).setTimes(base, path, flags, times);
        if (base.mount.readOnly) return Status.READ_ONLY;
        if (!base.mount.fs.capabilities.times) return Status.UNSUPPORTED;
        caller = call.caller;
        return setsNothing(times) ? Status.OK : base.node.setTimes(times);
      },
      ...strings("mount_count", "mount", namespace.granted, "mounts"),
    },
    sys: {
      abi_version: () => ABI_VERSION,
      ...strings("args_count", "arg", options.args ?? [], "arguments"),
      ...strings("env_count", "env", environmentOf(options), "variables"),
      name_size: () => name.length,
      name_read: (_call: Call, into: Uint8Array) => copyBeginning(name, into),
      clock: (call: Call, id: number) => {
        const fuelUsed = call.caller.fuelUsed();
        call.setBig(0, id === 0 ? clock.time(fuelUsed) : clock.monotonic(fuelUsed));
        return undefined;
      },
      sleep: (_call: Call, duration: bigint) => {
        clock.sleep(duration);
        return undefined;
      },
      random: (_call: Call, into: Uint8Array) => {
        random.fill(into);
        return undefined;
      },
      stdin: openStream("stdin"),
      stdout: openStream("stdout"),
      stderr: openStream("stderr"),
      interactive: () => (options.interactive === true ? 1 : 0),
      log: (_call: Call, line: Uint8Array) => {
        try {
          options.log?.(line);
        } catch {
          // A listener's trouble is none of the guest's: the call has no status to tell it.
        }
        return undefined;
      },
      exit: (_call: Call, code: number) => {
        throw new Exit(code);
      },
      fuel_left: (call: Call) => {
        call.setBig(0, call.caller.fuelLeft() ?? -1n);
        return undefined;
      },
    },
    bank: banks.bodies,
    asl: artifacts.bodies,
  };

  function readStream(handle: StreamHandle, into: Uint8Array): Status {
    if (handle.name !== "stdin" || stdin === undefined) return Status.ACCESS;
    try {
      stdin.read(into, transfer);
      return Status.OK;
    } catch (error) {
      if (error instanceof AshlarError) throw error;
      return statusOf(error, "read");
    }
  }
  function writeStream(handle: StreamHandle, from: Uint8Array): Status {
    const output = outputs[handle.name];
    if (output === undefined) return Status.ACCESS;
    try {
      if (from.length > 0) output(from);
      return Status.OK;
    } catch (error) {
      return statusOf(error, "write");
    }
  }

  const granted = new Set<string>();
  if (namespace.mounts.length > 0) granted.add("fs");
  for (const name of ["stdin", "stdout", "stderr"] as const) if (options[name] !== undefined) granted.add(name);
  if (options.assets !== undefined) granted.add("assets");
  if (options.store !== undefined) granted.add("store");
  const parts: HostParts = {
    namespace,
    banks,
    artifacts,
    stdin,
    granted,
    clock,
    random,
    sightings,
    opened: () => {
      handles++;
    },
    closed: () => {
      handles--;
    },
  };
  return { implementation, granted, parts };
}

/** The bodies of `NAMEs_count`, `NAME_size` and `NAME_read`. */
function strings(count: string, name: string, values: readonly string[], noun: string): Implementation[string] {
  const encoded = values.map((value) => encodeUtf8(value));
  const valueAt = (index: number): Uint8Array => {
    const value = encoded[index];
    if (value === undefined)
      throw new Fault(TrapCode.BadArgument, `there are ${encoded.length} ${noun}, and no number ${index}`);
    return value;
  };
  return {
    [count]: () => encoded.length,
    [`${name}_size`]: (_call: Call, index: number) => valueAt(index).length,
    [`${name}_read`]: (_call: Call, index: number, into: Uint8Array) => copyBeginning(valueAt(index), into),
  };
}

/** Copies as much as there is room for; how much that is. */
function copyBeginning(from: Uint8Array, into: Uint8Array): number {
  const bytes = from.subarray(0, into.length);
  into.set(bytes);
  return bytes.length;
}

function environmentOf({ env = {} }: AbiOptions): string[] {
  const variables: readonly (readonly [string, string])[] = Array.isArray(env) ? env : Object.entries(env);
  if (new Set(variables.map(([name]) => name)).size < variables.length)
    throw new GrantError("a variable of the environment is named twice");
  return variables.map(([name, value]) => {
    if (name === "" || name.includes("=") || `${name}${value}`.includes("\0"))
      throw new GrantError(`${JSON.stringify(name)} cannot be a variable of the environment, or its value is not text`);
    return `${name}=${value}`;
  });
}

function inputOf({ stdin, interactive }: AbiOptions): InputStream | undefined {
  if (stdin === undefined) return undefined;
  return interactive === true && typeof stdin === "function" ? openInteractiveInput(stdin) : openInput(stdin);
}

function clockOf({ clock = { start: 0n }, interrupt }: AbiOptions): Clock {
  if (clock === "real") return realClock(interrupt);
  if (clock.start < 0n || clock.start >= 2n ** 63n)
    throw new GrantError(`a virtual clock starts 0 to 2^63 - 1 nanoseconds after 1970, not ${clock.start}`);
  return virtualClock(clock.start);
}

function randomOf({ seed = 0n }: AbiOptions): Random {
  if (seed === "real") return realRandom();
  if (typeof seed === "bigint") return seededRandom(seedOf(seed));
  if (seed.length !== SEED_BYTES) throw new GrantError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  return seededRandom(seed);
}
