/** Looks at all of a segment, and shows its rows. */
import { AslError } from "./errors.ts";
import { compareRows, ROW_WORDS, Row, RowKind, RowWord, unpackDigest, unpackRow } from "./index-rows.ts";
import { CHUNK_PAGES, type LocatorChunk, marked } from "./locator.ts";
import type { Segment } from "./segment.ts";
import { PAGE_BYTES, PAGE_HIS, PAGE_ROWS, PAGE_WORDS, pageOffset, rowAt } from "./segment-format.ts";

/** Pages that are read at once: a call for each costs more than the pages. */
const READ_PAGES = 64;

/** Reads some pages from this one on; false if one of them cannot be read, or is damaged. */
function areReadable(segment: Segment, page: number, words: Uint32Array, bytes: Uint8Array): boolean {
  try {
    segment.readPages(page, Math.min(READ_PAGES, segment.pages - page), words, bytes, 0);
    return true;
  } catch (error) {
    if (!(error instanceof AslError)) throw error;
    return false;
  }
}

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
  const words = new Uint32Array(PAGE_WORDS * READ_PAGES);
  const bytes = new Uint8Array(words.buffer);
  const row = new Row();
  /** The row before; its first word is −1 if it is not known. */
  const before = new Uint32Array(ROW_WORDS);
  let previous = before;
  let previousAt = 0;
  let beforeHi = -1;
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  let isWhole = true;
  let chunk: LocatorChunk | undefined;
  let areRead = false;
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
    if (page % READ_PAGES === 0) areRead = areReadable(segment, page, words, bytes);
    const base = areRead ? (page % READ_PAGES) * PAGE_WORDS : 0;
    try {
      if (!areRead) segment.readPage(page, words, bytes, 0);
    } catch (error) {
      if (!(error instanceof AslError)) throw error;
      report(error);
      beforeHi = -1;
      isWhole = false;
      continue;
    }
    if (!segment.beginsWith(page, words[base + PAGE_HIS]!)) wrong("it does not begin as the directory says");
    for (let index = 0; index < segment.rowsIn(page); index++) {
      const hi = words[base + PAGE_HIS + index]!;
      const at = base + rowAt(index);
      const delta = words[at + RowWord.POSITION]!;
      if (beforeHi >= 0) {
        const order = beforeHi - hi || compareRows(previous, previousAt, words, at);
        if (order > 0 || (order === 0 && previous[previousAt + RowWord.POSITION]! >= delta))
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
      previous = words;
      previousAt = at;
      if (position <= asOf) take(row);
    }
    // Other pages come in the place of this one.
    before.set(words.subarray(previousAt, previousAt + ROW_WORDS));
    previous = before;
    previousAt = 0;
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
