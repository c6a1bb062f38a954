/** Which process this is, and whether another one still runs: what the lock of a store is told (spec ASL-LOCK-2). */

/** A process, so that no later one is taken for it. Without what the system does not tell, a field is empty. */
export interface Owner {
  /** Of the kernel's run. */
  readonly boot: string;
  /** The namespaces in which `pid` and `start` mean something. */
  readonly spaces: string;
  readonly pid: number;
  /** When it began: in ticks since the kernel did. */
  readonly start: string;
  readonly host: string;
}

export interface Owners {
  self(): Owner;
  /** Undefined: nothing here can tell, so it may be alive. */
  isAlive(owner: Owner): boolean | undefined;
  /** Differs at every call of every process. */
  token(): string;
}

/** What is asked of the system, so that a test can say what other systems do. */
export interface ProcessTable {
  readonly pid: number;
  /** The text of a file, or what a link names; undefined if it cannot be had. */
  read(path: string): string | undefined;
  link(path: string): string | undefined;
  /** Whether there is such a process; undefined if that cannot be had. */
  exists(pid: number): boolean | undefined;
  hostName(): string;
}

export function processOwners(table: ProcessTable = realTable()): Owners {
  let own: Owner | undefined;
  const self = (): Owner => (own ??= ownerOf(table));
  return {
    self,
    isAlive: (owner) => isAlive(table, self(), owner),
    token: () => process.getBuiltinModule("node:crypto").randomUUID(),
  };
}

function ownerOf(table: ProcessTable): Owner {
  const spaces = ["pid", "time"].map((name) => table.link(`/proc/self/ns/${name}`) ?? "");
  return {
    boot: (table.read("/proc/sys/kernel/random/boot_id") ?? "").trim(),
    spaces: spaces.join(" ").trim(),
    pid: table.pid,
    start: statusOf(table.read("/proc/self/stat"))?.start ?? "",
    // Machines that were copied have one name; their ids are made at the first start.
    host: `${table.hostName()} ${(table.read("/etc/machine-id") ?? "").trim()}`.trim(),
  };
}

function isAlive(table: ProcessTable, self: Owner, owner: Owner): boolean | undefined {
  // Numbers of another machine or namespace say nothing here.
  if (owner.host !== self.host || owner.spaces !== self.spaces) return undefined;
  if (owner.boot !== self.boot) return owner.boot === "" || self.boot === "" ? undefined : false;
  const exists = table.exists(owner.pid);
  if (exists !== true) return exists;
  // A /proc of another namespace has other numbers, and one may hide the processes of others.
  const isOurs = table.link("/proc/self") === String(self.pid);
  const status = isOurs ? statusOf(table.read(`/proc/${owner.pid}/stat`)) : undefined;
  if (status === undefined || owner.start === "") return true;
  return owner.start === status.start && !status.isGone;
}

/** Of `/proc/…/stat`: the name in it is in brackets, and may hold any character. */
function statusOf(text: string | undefined): { readonly start: string; readonly isGone: boolean } | undefined {
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const threads = fields[17];
  const start = fields[19];
  if (state === undefined || threads === undefined || start === undefined) return undefined;
  // One that was killed and that nobody waited for. While other threads of it end, they may still write.
  return { start, isGone: (state === "Z" || state === "X") && Number(threads) <= 1 };
}

function realTable(): ProcessTable {
  const fs = process.getBuiltinModule("node:fs");
  return {
    pid: process.pid,
    read: (path) => orUndefined(() => fs.readFileSync(path, "latin1")),
    link: (path) => orUndefined(() => fs.readlinkSync(path)),
    exists: (pid) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        return code === "ESRCH" ? false : code === "EPERM" ? true : undefined;
      }
    },
    hostName: () => process.getBuiltinModule("node:os").hostname(),
  };
}

function orUndefined<T>(of: () => T): T | undefined {
  try {
    return of();
  } catch {
    return undefined;
  }
}
