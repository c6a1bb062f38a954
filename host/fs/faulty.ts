/**
 * Faults on purpose (spec FS-FAULT), for tests: a file system, or the volume below a `directory`, on which chosen calls
 * fail. The cheapest complete sweep of a scenario fails its first call, then its second, until none is left to fail:
 *
 *     for (let at = 1; ; at++) {
 *       const plan = { at, status: Status.NO_SPACE, calls: [] };
 *       scenario(faultyFileSystem(new MemoryFileSystem(), plan));
 *       if (plan.calls.length < at) break;
 *     }
 */
import { Status } from "../../syscalls/status.ts";
import type { Volume } from "./directory.ts";
import { type FileSystem, type OpenDirectory, type OpenFile, type Outcome, RETRY } from "./file-system.ts";

/** When something fails. Everything may be changed between calls. */
export interface FaultPlan<Operation extends string> {
  /** Which of the calls counted fails, from 1. Undefined: none. */
  at?: number | undefined;
  /** Only calls of this operation are counted. Undefined: all are. */
  operation?: Operation | undefined;
  /** True: the calls counted after that one fail too. */
  persistent?: boolean;
  /** Bytes that can still be written. What writing takes is subtracted. Undefined: no end. */
  room?: number | undefined;
  /** Called before each call, failing ones too: to wait, to watch, or to change something meanwhile. */
  before?: (operation: Operation) => void;
  /** Every call's operation is appended. Calls are counted from its beginning: emptying it starts anew. */
  readonly calls?: Operation[];
}

export type FileSystemOperation =
  | Exclude<keyof FileSystem, "capabilities" | "root" | "useClock" | "isGone" | "save" | "restore" | "reopen">
  | Exclude<keyof OpenFile | keyof OpenDirectory, "kind" | "saved">;

export interface FileSystemFaults extends FaultPlan<FileSystemOperation> {
  /** What a failing call answers; by default OTHER. RETRY, where only a status can be answered, is TRANSIENT. */
  status?: Exclude<Outcome, 0>;
}

/** Counts a call; true when it shall fail. */
function counter<Operation extends string>(plan: FaultPlan<Operation>): (operation: Operation) => boolean {
  const calls = plan.calls ?? [];
  return (operation) => {
    calls.push(operation);
    plan.before?.(operation);
    const { at, operation: only } = plan;
    if (at === undefined || (only !== undefined && operation !== only)) return false;
    const count = only === undefined ? calls.length : calls.filter((call) => call === only).length;
    return plan.persistent === true ? count >= at : count === at;
  };
}

/**
 * `fs` with faults: a failing call is not passed on, except that `close` is. A write that does not fit `room` is NO_SPACE
 * and takes none of it. A status that the guest's call does not declare ends the guest in a Panic (spec ABI-PANIC-1).
 */
export function faultyFileSystem(fs: FileSystem, plan: FileSystemFaults): FileSystem {
  const fails = counter(plan);
  const outcome = (): Exclude<Outcome, 0> => plan.status ?? Status.OTHER;
  const status = (): Status => {
    const answer = outcome();
    return answer === RETRY ? Status.TRANSIENT : answer;
  };
  const wrap = <Node extends OpenFile | OpenDirectory>(node: Node | Outcome): Node | Outcome =>
    typeof node === "number" ? node : ((node.kind === "file" ? file(node) : directory(node)) as Node);

  function common(node: OpenFile | OpenDirectory): Pick<OpenFile, "stat" | "setTimes" | "sync" | "close" | "saved"> {
    return {
      stat: () => (fails("stat") ? status() : node.stat()),
      setTimes: (times) => (fails("setTimes") ? status() : node.setTimes(times)),
      sync: () => (fails("sync") ? status() : node.sync()),
      close: () => {
        const failed = fails("close");
        const closed = node.close();
        return failed ? status() : closed;
      },
      ...(node.saved === undefined ? {} : { saved: node.saved }),
    };
  }
  function file(node: OpenFile): OpenFile {
    return {
      ...common(node),
      kind: "file",
      read: (position, into, transfer) => (fails("read") ? status() : node.read(position, into, transfer)),
      write: (position, from) => {
        if (fails("write")) return status();
        if (plan.room !== undefined && from.length > plan.room) return Status.NO_SPACE;
        const written = node.write(position, from);
        if (plan.room !== undefined && written === Status.OK) plan.room -= from.length;
        return written;
      },
      size: (transfer) => (fails("size") ? status() : node.size(transfer)),
      truncate: (bytes) => (fails("truncate") ? status() : node.truncate(bytes)),
    };
  }
  function directory(node: OpenDirectory): OpenDirectory {
    return {
      ...common(node),
      kind: "directory",
      list: () => (fails("list") ? status() : node.list()),
      folder: () => (fails("folder") ? status() : node.folder()),
    };
  }

  return {
    capabilities: fs.capabilities,
    root: fs.root,
    lookup: (folder, name) => (fails("lookup") ? outcome() : fs.lookup(folder, name)),
    open: (folder, name, flags) => (fails("open") ? outcome() : wrap(fs.open(folder, name, flags))),
    create: (folder, name, flags) => (fails("create") ? outcome() : wrap(fs.create(folder, name, flags))),
    openDirectory: (folder) => (fails("openDirectory") ? outcome() : wrap(fs.openDirectory(folder))),
    stat: (folder, name) => (fails("stat") ? outcome() : fs.stat(folder, name)),
    setTimes: (folder, name, times) => (fails("setTimes") ? outcome() : fs.setTimes(folder, name, times)),
    mkdir: (folder, name) => (fails("mkdir") ? outcome() : fs.mkdir(folder, name)),
    rmdir: (folder, name) => (fails("rmdir") ? outcome() : fs.rmdir(folder, name)),
    unlink: (folder, name) => (fails("unlink") ? outcome() : fs.unlink(folder, name)),
    rename: (folder, name, newFolder, newName) =>
      fails("rename") ? outcome() : fs.rename(folder, name, newFolder, newName),
    link: (folder, name, newFolder, newName) => (fails("link") ? outcome() : fs.link(folder, name, newFolder, newName)),
    symlink: (target, folder, name) => (fails("symlink") ? outcome() : fs.symlink(target, folder, name)),
    ...(fs.permitAs === undefined
      ? {}
      : {
          permitAs: (folder, name, other) => (fails("permitAs") ? outcome() : fs.permitAs!(folder, name, other)),
        }),
    ...(fs.useClock === undefined ? {} : { useClock: (now) => fs.useClock!(now) }),
    ...(fs.isGone === undefined ? {} : { isGone: (id) => fs.isGone!(id) }),
    ...(fs.save === undefined ? {} : { save: () => fs.save!() }),
    ...(fs.restore === undefined ? {} : { restore: (bytes) => fs.restore!(bytes) }),
    ...(fs.reopen === undefined
      ? {}
      : {
          reopen: (saved) => {
            const node = fs.reopen!(saved);
            return node === undefined ? undefined : (wrap(node) as OpenFile | OpenDirectory);
          },
        }),
  };
}

export type VolumeOperation = Exclude<keyof Volume, "constants">;

export interface VolumeFaults extends FaultPlan<VolumeOperation> {
  /** The `code` of the error that a failing call throws; by default EIO. */
  code?: string;
  /** Most bytes that one read or write of the host moves. */
  most?: number;
}

/**
 * `volume` with faults: a failing call is not passed on, except that `closeSync` is. The write that meets the end of
 * `room` writes what fits, as disks do; the next one throws ENOSPC.
 */
export function faultyVolume<V extends Volume>(volume: V, plan: VolumeFaults): V {
  const fails = counter(plan);
  const failure = (operation: string, code = plan.code ?? "EIO"): Error =>
    Object.assign(new Error(`${code}: a fault on purpose, ${operation}`), { code });
  const transfers: { readonly [operation: string]: (...args: Parameters<Volume["writeSync"]>) => number } = {
    readSync: (fd, buffer, offset, length, position) =>
      volume.readSync(fd, buffer, offset, Math.min(length, plan.most ?? length), position as number),
    writeSync: (fd, buffer, offset, length, position) => {
      if (plan.room === 0 && length > 0) throw failure("writeSync", "ENOSPC");
      const fitting = Math.min(length, plan.most ?? length, plan.room ?? length);
      const written = volume.writeSync(fd, buffer, offset, fitting, position);
      if (plan.room !== undefined) plan.room -= written;
      return written;
    },
  };
  return new Proxy(volume, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof name !== "string" || !name.endsWith("Sync") || typeof value !== "function") return value;
      const operation = name as VolumeOperation;
      return (...args: unknown[]) => {
        const failed = fails(operation);
        if (failed && operation !== "closeSync") throw failure(operation);
        const answer: unknown = Reflect.apply(transfers[operation] ?? value, target, args);
        if (failed) throw failure(operation);
        return answer;
      };
    },
  });
}
