/** What the file system `directory` has open: a handle of the host, through the statuses of spec FS-ERRNO-1. */
import { Status } from "../../syscalls/status.ts";
import { errnoOf, statusOf } from "./errno.ts";
import type { OpenFile, Stat, Times } from "./file-system.ts";
import { statOf, timesOf, type Volume, type VolumeStats } from "./volume.ts";

/** Largest read buffer that is kept, in bytes. */
const KEPT_SCRATCH = 1024 * 1024 + 1;
/** Codes of Node.js for lengths that it, or a volume in memory, cannot take. */
const TOO_LARGE = ["ERR_OUT_OF_RANGE", "ERR_FS_FILE_TOO_LARGE"];

let scratch = new Uint8Array(0);

/** A buffer to read into, at least `length` bytes long; kept from call to call unless it is large. */
function scratchOf(length: number): Uint8Array {
  if (length > KEPT_SCRATCH) return new Uint8Array(length);
  if (length > scratch.length) scratch = new Uint8Array(length > 65_537 ? KEPT_SCRATCH : 65_537);
  return scratch;
}

/** Does it, and answers the status of `fs.CALL` for what it throws. */
export function attempt<T>(call: string, operation: () => T): T | Status {
  try {
    return operation();
  } catch (error) {
    if ((call === "write" || call === "truncate") && TOO_LARGE.includes(errnoOf(error) ?? "")) return Status.TOO_LARGE;
    return statusOf(error, call);
  }
}

/** What open files and open folders have in common. `idOf` says which file the stats are of. */
export function openNode(
  volume: Volume,
  fd: number,
  idOf: (stats: VolumeStats) => bigint,
): Pick<OpenFile, "stat" | "setTimes" | "sync" | "close"> {
  return {
    stat: (): Stat | Status =>
      attempt("stat", () => {
        const stats = volume.fstatSync(fd, { bigint: true });
        return statOf(stats, idOf(stats));
      }),
    setTimes: (times: Times) =>
      attempt("set_times", () => {
        volume.futimesSync(fd, ...timesOf(times, () => volume.fstatSync(fd, { bigint: true })));
        return Status.OK;
      }),
    sync: () =>
      attempt("sync", () => {
        volume.fsyncSync(fd);
        return Status.OK;
      }),
    close: () =>
      attempt("close", () => {
        volume.closeSync(fd);
        return Status.OK;
      }),
  };
}

export interface OpenFileOptions {
  readonly append: boolean;
  /** Longest that a file of the volume may become, in bytes. */
  readonly largest: number;
  readonly idOf: (stats: VolumeStats) => bigint;
}

/** How often a file has become longer or shorter through a handle of this process. */
let resizes = 0;

/** Empties a file that is being opened. */
export function empty(volume: Volume, fd: number): void {
  volume.ftruncateSync(fd, 0);
  resizes++;
}

export function openFile(volume: Volume, fd: number, { append, largest, idOf }: OpenFileOptions): OpenFile {
  /** Its length, and the {@link resizes} by then: as long as there are no more, the host need not be asked before each write. */
  let length = 0;
  let lengthAt = -1;
  const size = (): number => Number(volume.fstatSync(fd, { bigint: true }).size);
  const resized = (bytes: number): void => {
    length = bytes;
    lengthAt = ++resizes;
  };

  return {
    ...openNode(volume, fd, idOf),
    kind: "file",
    read: (position, into, transfer) =>
      attempt("read", () => {
        // One byte more than asked for tells whether this is the end. A read that fails half-way leaves `into` alone.
        const wanted = into.length + 1;
        const buffer = scratchOf(wanted);
        let got = 0;
        while (got < wanted) {
          const more = volume.readSync(fd, buffer, got, wanted - got, position + got);
          if (more === 0) break;
          got += more;
        }
        transfer.bytes = Math.min(got, into.length);
        transfer.eof = got < wanted;
        into.set(buffer.subarray(0, transfer.bytes));
        return Status.OK;
      }),
    write: (position, from) =>
      attempt("write", () => {
        if (lengthAt !== resizes || append || position < 0) {
          length = size();
          lengthAt = resizes;
        }
        const old = length;
        const begin = append || position < 0 ? old : position;
        if (begin + from.length > largest) return Status.TOO_LARGE;
        let done = 0;
        try {
          while (done < from.length) {
            // A file opened to append finds its end itself, whoever else appends.
            const more = volume.writeSync(fd, from, done, from.length - done, append ? null : begin + done);
            if (more === 0) throw new Error("the host wrote nothing and gave no reason");
            done += more;
          }
        } catch (error) {
          if (done > 0) restoreSize(old, begin + done);
          throw error;
        }
        if (begin + from.length > old) resized(begin + from.length);
        return Status.OK;
      }),
    size: (transfer) =>
      attempt("size", () => {
        transfer.bytes = size();
        return Status.OK;
      }),
    truncate: (bytes) =>
      attempt("truncate", () => {
        if (bytes > largest) return Status.TOO_LARGE;
        volume.ftruncateSync(fd, bytes);
        resized(bytes);
        return Status.OK;
      }),
  };

  /** `end` is where a write stopped. Where others have written behind it, it is not the end of the file. */
  function restoreSize(old: number, end: number): void {
    resizes++;
    try {
      const now = size();
      if (append ? now > old : end > old && now === end) volume.ftruncateSync(fd, old);
    } catch {
      // What failed first is what the guest is told (spec FS-DIRECTORY-8).
    }
  }
}
