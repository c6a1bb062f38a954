/**
 * Turns at a file (spec TOOL-LOCK-5). Node.js knows no locks of files; a file that is made only if there is none does, on every
 * file system.
 */
import { closeSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { PackError } from "../host/assets/errors.ts";
import { temporaryBeside } from "../host/assets/output.ts";

/** What is held takes milliseconds. */
const MOST_WAIT_MS = 10_000;
const POLL_MS = 10;
const HOST = encodeURIComponent(hostname());

/** Waits until nobody else holds `path`; the answer lets go of it. Throws a PackError when it takes too long. */
export async function holdFile(path: string, mostWaitMs: number = MOST_WAIT_MS): Promise<() => void> {
  const held = `${path}.held`;
  // Who holds it: told apart from an earlier process of the same number.
  const own = `${HOST} ${process.pid} ${process.hrtime.bigint()} ${Math.random()}\n`;
  const end = performance.now() + mostWaitMs;
  while (!create(held, own, path)) {
    const other = read(held);
    if (other !== undefined && isGone(other)) takeAway(held, other);
    else if (performance.now() > end)
      throw new PackError("PACK-LOCK", `${holderOf(other)} holds it; if nobody does, remove ${held}`, { file: path });
    await delay(POLL_MS);
  }
  return () => rmSync(held, { force: true });
}

/** False when there is one. */
function create(held: string, text: string, path: string): boolean {
  const temporary = temporaryBeside(path);
  try {
    writeNew(temporary, text);
    try {
      // With its contents at once: one without would belong to nobody, if its process ended before it wrote them.
      linkSync(temporary, held);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      // Not every file system has links.
      writeNew(held, text);
    }
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Windows, of one that is being removed.
    if (process.platform === "win32" && code === "EPERM") return false;
    throw PackError.from(error, "PACK-LOCK", "it cannot be held", { file: path });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Nothing is left of it when it fails. */
function writeNew(path: string, text: string): void {
  const fd = openSync(path, "wx", 0o644);
  try {
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function read(held: string): string | undefined {
  try {
    return readFileSync(held, "utf8");
  } catch {
    return undefined;
  }
}

function parse(text: string): { host: string; pid: number } | undefined {
  const match = /^(\S+) (\d{1,10}) \d+ [\d.e-]+\n$/.exec(text);
  return match === null ? undefined : { host: match[1]!, pid: Number(match[2]) };
}

function holderOf(text: string | undefined): string {
  const holder = text === undefined ? undefined : parse(text);
  return holder === undefined ? "something" : `process ${holder.pid} of ${holder.host}`;
}

/** Whether the process that wrote this is over; of other machines that is not known. */
function isGone(text: string): boolean {
  const holder = parse(text);
  if (holder === undefined || holder.host !== HOST) return false;
  return !isAlive(holder.pid);
}

/** Whether there is a process of this machine with this number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Of others' processes it is EPERM.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/**
 * Removes what a process that is gone held. Of those that want to, one may: else the second would remove what the first
 * has made after it.
 */
function takeAway(held: string, text: string): void {
  const right = `${held}.${parse(text)!.pid}`;
  try {
    closeSync(openSync(right, "wx", 0o644));
  } catch {
    return;
  }
  if (read(held) === text) rmSync(held, { force: true });
  rmSync(right, { force: true });
}
