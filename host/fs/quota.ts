/**
 * Quotas for a file system that has none of its own (spec FS-QUOTA-2 to 4): what goes through the wrapper is counted, so
 * that a guest cannot fill a disk it was granted a folder of.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import type { FileSystem, Folder, OpenFile, Outcome, Stat, Transfer } from "./file-system.ts";

export interface Quota {
  /** Bytes by which files may grow, in sum, beyond what was there before. */
  readonly bytes: number;
  /** Names that may be made, in sum, beyond what was there before: of files, directories and links. */
  readonly files: number;
}

export interface QuotaFileSystem extends FileSystem {
  /** What counts against the quotas now. */
  readonly used: Quota;
}

/** `fs` with quotas: what would pass one is QUOTA and changes nothing. What other processes do is not counted. */
export function quotaFileSystem(fs: FileSystem, quota: Partial<Quota>): QuotaFileSystem {
  const limit: Quota = {
    bytes: quota.bytes ?? Number.POSITIVE_INFINITY,
    files: quota.files ?? Number.POSITIVE_INFINITY,
  };
  let bytes = 0;
  let files = 0;
  /** Handles open on each file that was opened, by the file's id: its bytes are in use until the last is closed. */
  const handles = new Map<Stat["id"], number>();
  const transfer: Transfer = { bytes: 0, eof: false };

  // Removing what was there before the guest frees nothing that it may use: the sums stay at 0.
  const grow = (by: number): void => {
    bytes = Math.max(bytes + by, 0);
  };
  const count = (by: number): void => {
    files = Math.max(files + by, 0);
  };
  /** Bytes that go with the last name of a file that nobody has open. */
  const freedBy = (stat: Stat): number =>
    stat.kind === "file" && stat.links <= 1 && !handles.has(stat.id) ? stat.bytes : 0;

  /** Runs what makes a name. */
  function make<Answer>(operation: () => Answer | Outcome): Answer | Outcome {
    if (files >= limit.files) return Status.QUOTA;
    const answer = operation();
    if (typeof answer !== "number" || answer === Status.OK) count(1);
    return answer;
  }

  function watch(node: OpenFile): OpenFile | Outcome {
    const stat = node.stat();
    if (typeof stat === "number") {
      node.close();
      return stat;
    }
    const { id } = stat;
    handles.set(id, (handles.get(id) ?? 0) + 1);
    /** Runs what gives the file another length. */
    const resize = (lengthAfter: (before: number) => number, operation: () => Status): Status => {
      const known = node.size(transfer);
      if (known !== Status.OK) return known;
      const growth = lengthAfter(transfer.bytes) - transfer.bytes;
      if (growth > 0 && bytes + growth > limit.bytes) return Status.QUOTA;
      const status = operation();
      if (status === Status.OK) grow(growth);
      return status;
    };
    return {
      kind: "file",
      stat: () => node.stat(),
      setTimes: (times) => node.setTimes(times),
      sync: () => node.sync(),
      read: (position, into, result) => node.read(position, into, result),
      size: (result) => node.size(result),
      write: (position, from) =>
        resize(
          (before) => Math.max(before, (position < 0 ? before : position) + from.length),
          () => node.write(position, from),
        ),
      truncate: (length) =>
        resize(
          () => length,
          () => node.truncate(length),
        ),
      close: () => {
        const others = handles.get(id)! - 1;
        if (others > 0) handles.set(id, others);
        else {
          handles.delete(id);
          const last = node.stat();
          if (typeof last === "object" && last.links === 0) grow(-last.bytes);
        }
        return node.close();
      },
    };
  }

  function remove(folder: Folder, name: string, operation: () => Outcome): Outcome {
    const stat = fs.stat(folder, name);
    if (typeof stat === "number") return stat;
    const freed = freedBy(stat);
    const status = operation();
    if (status === Status.OK) {
      grow(-freed);
      count(-1);
    }
    return status;
  }

  return {
    get used() {
      return { bytes, files };
    },
    capabilities: fs.capabilities,
    root: fs.root,
    lookup: (folder, name) => fs.lookup(folder, name),
    open(folder, name, flags) {
      // The file is emptied when its length is known.
      const node = fs.open(folder, name, flags & ~OpenFlag.TRUNCATE);
      if (typeof node === "number") return node;
      const watched = watch(node);
      if (typeof watched === "number" || (flags & OpenFlag.TRUNCATE) === 0) return watched;
      const status = watched.truncate(0);
      if (status === Status.OK) return watched;
      watched.close();
      return status;
    },
    create: (folder, name, flags) => {
      const node = make(() => fs.create(folder, name, flags));
      if (typeof node === "number") return node;
      const watched = watch(node);
      if (typeof watched === "number" && fs.unlink(folder, name) === Status.OK) count(-1);
      return watched;
    },
    openDirectory: (folder) => fs.openDirectory(folder),
    stat: (folder, name) => fs.stat(folder, name),
    setTimes: (folder, name, times) => fs.setTimes(folder, name, times),
    mkdir: (folder, name) => make(() => fs.mkdir(folder, name)),
    rmdir: (folder, name) => remove(folder, name, () => fs.rmdir(folder, name)),
    unlink: (folder, name) => remove(folder, name, () => fs.unlink(folder, name)),
    rename(folder, name, newFolder, newName) {
      const replaced = fs.lookup(newFolder, newName);
      if (replaced === Status.NOT_FOUND) return fs.rename(folder, name, newFolder, newName);
      if (typeof replaced === "number") return replaced;
      const [from, to] = [fs.stat(folder, name), fs.stat(newFolder, newName)];
      if (typeof from === "number") return from;
      if (typeof to === "number") return to;
      const freed = freedBy(to);
      const status = fs.rename(folder, name, newFolder, newName);
      // Two names of one file stay two.
      if (status === Status.OK && from.id !== to.id) {
        grow(-freed);
        count(-1);
      }
      return status;
    },
    link: (folder, name, newFolder, newName) => make(() => fs.link(folder, name, newFolder, newName)),
    symlink: (target, folder, name) => make(() => fs.symlink(target, folder, name)),
    ...(fs.permitAs === undefined ? {} : { permitAs: (folder, name, other) => fs.permitAs!(folder, name, other) }),
    ...(fs.useClock === undefined ? {} : { useClock: (now) => fs.useClock!(now) }),
    ...(fs.isGone === undefined ? {} : { isGone: (id) => fs.isGone!(id) }),
  };
}
