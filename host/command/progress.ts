/** How far long work is, on a terminal and only there (spec TOOL-VERB-5). */
import { isTerminal, note } from "./terminal.ts";

/** Work that is done by then shows nothing. */
const DELAY_MS = 250;
const REDRAW_MS = 80;
const BAR_WIDTH = 24;
/** Back to the line's beginning, and the line erased. */
const ERASE = "\r\x1b[K";

export interface Progress {
  /** So much is done, of so much; both in a unit of the work's own. `part` is what is being done, if not all that is under the title. */
  update(done: number, total: number, part?: string): void;
  /** Removes the bar: before anything else is said, and at the end. */
  clear(): void;
}

const NOTHING: Progress = { update: () => {}, clear: () => {} };

/** A bar under this title; nothing where standard error is no terminal. */
export function openProgress(title: string, now: () => number = () => performance.now()): Progress {
  if (!isTerminal()) return NOTHING;
  let due = now() + DELAY_MS;
  let drawn = false;
  return {
    update: (done, total, part = title) => {
      const time = now();
      if (time < due) return;
      due = time + REDRAW_MS;
      drawn = true;
      note(`${ERASE}${barText(part, done, total)}`);
    },
    clear: () => {
      if (drawn) note(ERASE);
      drawn = false;
    },
  };
}

/** `packing [######------------------]  25 %`. */
export function barText(title: string, done: number, total: number): string {
  const part = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
  const filled = Math.floor(part * BAR_WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `${title} [${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${percent} %`;
}
