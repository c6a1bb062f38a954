/** Files that the tool writes, and what is left beside them (spec TOOL-OUTPUT). */
import { lstatSync, readdirSync, readlinkSync, realpathSync, rmSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { PackError } from "../host/assets/errors.ts";
import { outputError } from "../host/assets/output.ts";
import { isAlive } from "./held.ts";

/** What stands behind a file's name while it is written, or held. */
const BESIDE = /^(?:\.(\d+)\.[0-9a-f]{8}\.tmp|\.held(?:\.\d+)?)$/;
/** Of a packer that is gone: older than any write takes. One on another machine looks as if it were gone. */
const ABANDONED_MS = 3_600_000;

/** Where `path` leads, whose folder must be there. Throws a PackError for what cannot be replaced by a pack. */
export function outputFile(path: string): string {
  try {
    const file = realOrNew(path);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats !== undefined && !stats.isFile())
      throw new PackError("PACK-OUTPUT", "this is no regular file", { file: path });
    if (!statSync(dirname(file)).isDirectory()) throw new Error("its folder is none");
    return file;
  } catch (error) {
    throw outputError(error, path);
  }
}

/** Without links; the last component need not exist. */
function realOrNew(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const file = join(realpathSync(dirname(path)), basename(path));
    // One that leads to what is not there yet.
    const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    return isLink ? realOrNew(resolve(dirname(file), readlinkSync(file))) : file;
  }
}

/** Where `path` leads, if it is a link; itself where that cannot be told. */
export function linkedFile(path: string): string {
  try {
    return realOrNew(path);
  } catch {
    return path;
  }
}

/** Tells whether a path, without links, is one of these files or folders, or what lies beside them while they are written. */
export function ownFiles(files: readonly string[]): (path: string) => boolean {
  // A link to one of them is the tool's as well.
  const own = files.flatMap((file) => [linkedFile(file), join(linkedFile(dirname(file)), basename(file))]);
  return (path) => own.some((file) => path.startsWith(file) && (path === file || BESIDE.test(path.slice(file.length))));
}

/** Removes what packers that are gone left beside `files`, and answers the paths. */
export function removeLeftOvers(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => {
    const folder = dirname(file);
    const name = basename(file);
    const found: string[] = [];
    for (const beside of namesIn(folder)) {
      const pid = beside.startsWith(name) ? BESIDE.exec(beside.slice(name.length))?.[1] : undefined;
      const path = join(folder, beside);
      if (pid === undefined || isAlive(Number(pid)) || !isOld(path)) continue;
      try {
        rmSync(path, { force: true });
        found.push(path);
      } catch {
        // Then it stays.
      }
    }
    return found;
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isOld(path: string): boolean {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    // Then it is not ours to remove.
  }
  return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_MS;
}
