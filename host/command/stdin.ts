/** Standard input for a guest that may be told to stop while it waits there. */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from "node:fs";
import { STDIN } from "./terminal.ts";

/**
 * A descriptor whose reads do not block, where standard input is a pipe or a terminal: it is opened anew, because the
 * one that this process was given belongs to others too, who do not expect it to change. Elsewhere (other systems, a
 * socket, a file) standard input itself.
 */
export function openStdin(): number {
  if (process.platform !== "linux") return STDIN;
  try {
    const before = fstatSync(STDIN);
    const isTerminal = before.isCharacterDevice() && /^\/dev\/(pts\/|tty)/.test(readlinkSync("/proc/self/fd/0"));
    if (!before.isFIFO() && !isTerminal) return STDIN;
    const fd = openSync("/proc/self/fd/0", constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const after = fstatSync(fd);
    if (after.ino === before.ino && after.dev === before.dev) return fd;
    closeSync(fd);
  } catch {
    // As on other systems.
  }
  return STDIN;
}
