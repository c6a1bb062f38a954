/** Where the bytes of a pack come from (spec PACK-SOURCE). */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { PackError } from "./errors.ts";

/** Bytes at positions. */
export interface PackReader {
  /** In bytes; below 2^53. */
  readonly size: number;
  /** Fills `into` from `position` on and answers how many bytes it filled: fewer only at the end. */
  read(position: number, into: Uint8Array): number;
  /** Throws a PackError PACK-CHANGED when the bytes may not be those of before. */
  check?(): void;
  close?(): void;
}

/** The path of a file, its bytes, or whatever reads them. */
export type PackSource = string | Uint8Array | PackReader;

/** Opens a source. `label` names it in errors. Throws a PackError. */
export function openSource(source: PackSource, label: string | undefined): PackReader {
  if (typeof source === "string") return openFile(source);
  if (source instanceof Uint8Array) return openBytes(source);
  return checked(source, label);
}

function openBytes(bytes: Uint8Array): PackReader {
  return {
    size: bytes.length,
    read: (position, into) => {
      const found = bytes.subarray(position, position + into.length);
      into.set(found);
      return found.length;
    },
  };
}

/** Whatever an embedder's reader throws is told as what cannot be read. */
function checked(reader: PackReader, file: string | undefined): PackReader {
  const { size } = reader;
  if (!Number.isSafeInteger(size) || size < 0)
    throw new PackError("PACK-READ", `the source tells a size of ${size}`, { file });
  return {
    size,
    read: (position, into) => {
      let got: number;
      try {
        got = reader.read(position, into);
      } catch (error) {
        throw readError(error, file, position);
      }
      if (Number.isInteger(got) && got >= 0 && got <= into.length) return got;
      throw new PackError("PACK-READ", `the source tells that it read ${got} of ${into.length} bytes`, { file });
    },
    check: () => {
      try {
        reader.check?.();
      } catch (error) {
        throw readError(error, file);
      }
    },
    close: () => {
      try {
        reader.close?.();
      } catch {
        // As of a file: what was read was read, and why it is closed may be what has to be told.
      }
    },
  };
}

const MOST_READ_BYTES = 1024 * 1024 * 1024;

function openFile(path: string): PackReader {
  let fd: number;
  try {
    // A pipe without a writer would be waited for.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw readError(error, path);
  }
  try {
    const opened = statsOf(fd, path);
    if (!opened.isFile()) throw new PackError("PACK-READ", "this is no regular file", { file: path });
    const size = Number(opened.size);
    return {
      size,
      read: (position, into) => {
        try {
          // One call reads less than 2 GiB.
          const got = readSync(fd, into, 0, Math.min(into.length, MOST_READ_BYTES), position);
          return got === into.length || got === 0 ? got : got + readRest(fd, position + got, into.subarray(got));
        } catch (error) {
          throw readError(error, path, position);
        }
      },
      // Replacing the file does not matter: what is open stays.
      check: () => {
        const now = statsOf(fd, path);
        if (now.size !== opened.size || now.mtimeNs !== opened.mtimeNs)
          throw new PackError("PACK-CHANGED", "the file changed while it was in use", { file: path });
      },
      close: () => closeQuietly(fd),
    };
  } catch (error) {
    closeQuietly(fd);
    throw readError(error, path);
  }
}

/** What was read was read. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It is closed nevertheless.
  }
}

function statsOf(fd: number, path: string): BigIntStats {
  try {
    return fstatSync(fd, { bigint: true });
  } catch (error) {
    throw readError(error, path);
  }
}

function readRest(fd: number, position: number, into: Uint8Array): number {
  let at = 0;
  for (let got = 1; got > 0 && at < into.length; at += got)
    got = readSync(fd, into, at, Math.min(into.length - at, MOST_READ_BYTES), position + at);
  return at;
}

function readError(error: unknown, file: string | undefined, offset?: number): PackError {
  return PackError.from(error, "PACK-READ", "it cannot be read", { file, offset });
}

/** Fills `into` from `position` on. Throws a PackError when there is less. */
export function readFully(reader: PackReader, position: number, into: Uint8Array, file: string | undefined): void {
  const got = reader.read(position, into);
  if (got < into.length)
    throw new PackError("PACK-CHANGED", `the file ended at byte ${position + got} while it was in use`, { file });
}
