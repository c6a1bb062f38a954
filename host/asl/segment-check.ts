/** Looks at all of a segment. */
import { AslError } from "./errors.ts";
import { compareRows, ROW_WORDS, RowKind, RowWord } from "./index-rows.ts";
import { positionOf } from "./merge.ts";
import type { Segment } from "./segment.ts";
import { PAGE_BYTES, PAGE_ROWS, pageOffset } from "./segment-format.ts";

const PROGRESS_ROWS = PAGE_ROWS * 256;

/** Reports ASL-INDEX-DAMAGED or ASL-READ, the first that is wrong. */
export function checkSegment(
  segment: Segment,
  report: (problem: AslError) => void,
  progress: (bytes: number) => void,
): void {
  const { count, firstPosition, lastPosition } = segment.entry;
  const wrong = (number: number, message: string): AslError =>
    new AslError("ASL-INDEX-DAMAGED", `row ${number}: ${message}`, {
      file: segment.path,
      offset: pageOffset(Math.floor(number / PAGE_ROWS)),
    });
  const rows = segment.rows(0);
  const before = new Uint32Array(ROW_WORDS);
  let beforeHi = -1;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  try {
    for (let number = 0; number < count; number++) {
      rows.next();
      const { hi, words, at } = rows;
      const position = positionOf(rows);
      const meta = words[at + RowWord.META]!;
      const kind = (meta >>> 16) & 7;
      if (beforeHi >= 0) {
        const order = beforeHi - hi || compareRows(before, 0, words, at);
        if (order > 0 || (order === 0 && before[RowWord.POSITION]! >= words[at + RowWord.POSITION]!))
          throw wrong(number, "it is not behind the one before");
      }
      if (kind < RowKind.PUT || kind > RowKind.UNBINDING) throw wrong(number, `its kind is ${kind}`);
      if (position < firstPosition || position > lastPosition) throw wrong(number, `its position is ${position}`);
      if (!segment.mayHold(hi, words[at]!)) throw wrong(number, "the filter does not know its key");
      beforeHi = hi;
      for (let k = 0; k < ROW_WORDS; k++) before[k] = words[at + k]!;
      least = Math.min(least, position);
      most = Math.max(most, position);
      if (number % PROGRESS_ROWS === PROGRESS_ROWS - 1) progress((PROGRESS_ROWS / PAGE_ROWS) * PAGE_BYTES);
    }
    if (least !== firstPosition || most !== lastPosition)
      throw wrong(0, `positions are ${least} to ${most}, not ${firstPosition} to ${lastPosition}`);
  } catch (error) {
    if (!(error instanceof AslError)) throw error;
    report(error);
  }
}
