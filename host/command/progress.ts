/** How far long work is, on a terminal and only there (spec TOOL-VERB-5). */
import { grouped } from "./quantities.ts";
import { isTerminal, note } from "./terminal.ts";

/** Work that is done by then shows nothing. */
const DELAY_MS = 250;
const REDRAW_MS = 80;
const BAR_WIDTH = 24;
/** How long work is watched before it is told how long the rest will take. */
const ESTIMATE_MS = 2_000;
/** Back to the line's beginning, and the line erased. */
const ERASE = "\r\x1b[K";

export interface Progress {
  /**
   * So much is done, of so much, or of nobody knows how much; both in a unit of the work's own. `part` is what is being done, if not
   * all that is under the title; `detail` stands behind the rest.
   */
  update(done: number, total: number | undefined, part?: string, detail?: string): void;
  /** Removes the bar: before anything else is said, and at the end. */
  clear(): void;
}

const NOTHING: Progress = { update: () => {}, clear: () => {} };

/** A bar under this title; nothing where standard error is no terminal. */
export function openProgress(title: string, now: () => number = () => performance.now()): Progress {
  if (!isTerminal()) return NOTHING;
  let due = now() + DELAY_MS;
  let drawn = false;
  let current: string | undefined;
  let begun = 0;
  let doneThen = 0;
  /** By what was done since this part of the work began. */
  const leftMs = (time: number, done: number, total: number): number | undefined =>
    time - begun < ESTIMATE_MS || done <= doneThen ? undefined : ((time - begun) / (done - doneThen)) * (total - done);
  return {
    update: (done, total, part = title, detail = "") => {
      const time = now();
      if (part !== current) {
        current = part;
        begun = time;
        doneThen = done;
      }
      if (time < due) return;
      due = time + REDRAW_MS;
      drawn = true;
      const text =
        total === undefined
          ? `${part} ${grouped(BigInt(done))}`
          : barText(part, done, total, leftMs(time, done, total));
      // A line that is longer than the terminal's could not be erased.
      note(ERASE + `${text}${detail}`.slice(0, (process.stderr.columns ?? 80) - 1));
    },
    clear: () => {
      if (drawn) note(ERASE);
      drawn = false;
    },
  };
}

/** `packing [######------------------]  25 %, 12 s left`. */
export function barText(title: string, done: number, total: number, leftMs?: number): string {
  const part = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
  const filled = Math.floor(part * BAR_WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  const left = leftMs === undefined ? "" : `, ${durationText(leftMs)} left`;
  return `${title} [${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${percent} %${left}`;
}

/** Seconds, minutes or hours, whichever says enough. */
function durationText(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
