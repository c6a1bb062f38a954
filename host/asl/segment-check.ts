/** Looks at all of a segment, and shows its rows. */
import { AslError } from "./errors.ts";
import { compareRows, ROW_WORDS, Row, RowKind, RowWord, unpackDigest, unpackRow } from "./index-rows.ts";
import { CHUNK_PAGES, type LocatorChunk, marked } from "./locator.ts";
import type { Segment } from "./segment.ts";
import { PAGE_BYTES, PAGE_HIS, PAGE_ROWS, PAGE_WORDS, pageOffset, rowAt } from "./segment-format.ts";

/**
 * Reports what is wrong with each page (ASL-INDEX-DAMAGED, ASL-READ), and goes on with the next. Rows of pages whose checksums are right
 * are shown if their positions are at most `asOf`; the row is the same object each time.
 */
export function checkSegment(
  segment: Segment,
  asOf: number,
  take: (row: Row) => void,
  report: (problem: AslError) => void,
  progress: (bytes: number) => void,
): void {
  const { firstPosition, lastPosition } = segment.entry;
  const words = new Uint32Array(PAGE_WORDS);
  const bytes = new Uint8Array(words.buffer);
  const row = new Row();
  /** The row before; its first word is −1 if it is not known. */
  const before = new Uint32Array(ROW_WORDS);
  let beforeHi = -1;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  let isWhole = true;
  let chunk: LocatorChunk | undefined;
  try {
    segment.checkGaps();
  } catch (error) {
    if (!(error instanceof AslError)) throw error;
    report(error);
  }
  for (let page = 0; page < segment.pages; page++) {
    const wrong = (message: string): void =>
      report(new AslError("ASL-INDEX-DAMAGED", message, { file: segment.path, offset: pageOffset(page) }));
    progress(PAGE_BYTES);
    if (page % CHUNK_PAGES === 0 && segment.locatorBytes > 0) {
      try {
        chunk = segment.readChunk(page / CHUNK_PAGES);
      } catch (error) {
        if (!(error instanceof AslError)) throw error;
        report(error);
        chunk = undefined;
      }
    }
    try {
      segment.readPage(page, words, bytes, 0);
    } catch (error) {
      if (!(error instanceof AslError)) throw error;
      report(error);
      beforeHi = -1;
      isWhole = false;
      continue;
    }
    if (!segment.beginsWith(page, words[PAGE_HIS]!)) wrong("it does not begin as the directory says");
    for (let index = 0; index < segment.rowsIn(page); index++) {
      const hi = words[PAGE_HIS + index]!;
      const at = rowAt(index);
      const delta = words[at + RowWord.POSITION]!;
      if (beforeHi >= 0) {
        const order = beforeHi - hi || compareRows(before, 0, words, at);
        if (order > 0 || (order === 0 && before[RowWord.POSITION]! >= delta))
          wrong(`row ${index} is not behind the one before`);
      }
      if (!segment.mayHold(hi, words[at]!)) wrong(`the filter does not know row ${index}`);
      const mark = chunk?.marks[(page % CHUNK_PAGES) * PAGE_ROWS + index];
      if (mark !== undefined && mark >>> 4 !== marked(words[at]!)) wrong(`the locator does not know row ${index}`);
      unpackRow(row, words, at, segment.base);
      unpackDigest(row, hi, words, at);
      const { kind, position } = row;
      if (kind < RowKind.PUT || kind > RowKind.UNBINDING) wrong(`row ${index} is of kind ${kind}`);
      if (position > lastPosition) wrong(`row ${index} has position ${position}`);
      least = Math.min(least, position);
      most = Math.max(most, position);
      beforeHi = hi;
      for (let k = 0; k < ROW_WORDS; k++) before[k] = words[at + k]!;
      if (position <= asOf) take(row);
    }
  }
  if (isWhole && (least !== firstPosition || most !== lastPosition))
    report(
      new AslError(
        "ASL-INDEX-DAMAGED",
        `its positions are ${least} to ${most}, not ${firstPosition} to ${lastPosition}`,
        {
          file: segment.path,
        },
      ),
    );
}
