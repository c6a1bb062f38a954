/**
 * Counts the words of all .txt files in a folder and writes them to a file, the most frequent first.
 *
 *   wordfreq INPUT_DIR OUTPUT_FILE [TOP]
 *
 * The file has a line "COUNT<tab>WORD" for each word, or for the TOP most frequent; equally frequent ones are in the
 * order of their UTF-8 bytes. What a word is, `words.ts` says.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { Word, WordTable } from "./table";
import { WordScanner } from "./words";

const CHUNK_BYTES = 4096;
const SHOWN = 5;
const TAB: u8 = 0x09;
const LINE_END: u8 = 0x0a;

const table = new WordTable();

function byFrequency(left: Word, right: Word): i32 {
  if (left.count != right.count) return right.count - left.count;
  const length = min(left.utf8.length, right.utf8.length);
  const order = memory.compare(left.utf8.dataStart, right.utf8.dataStart, length);
  return order != 0 ? order : left.utf8.length - right.utf8.length;
}

function fail(code: i32, message: string): void {
  ashlar.printError("wordfreq: " + message);
  ashlar.exit(code);
}

/** Counts the words of one file and answers its length; a file of any length takes one chunk of memory. */
function countFile(path: string): i64 {
  const file = ashlar.open(path, ashlar.OpenFlag.READ);
  if (file == 0) fail(1, "cannot open " + path + ": " + ashlar.statusName(ashlar.lastStatus));
  const chunk = new Uint8Array(CHUNK_BYTES);
  const scanner = new WordScanner(table);
  let offset: i64 = 0;
  do {
    const got = ashlar.readInto(file, offset, chunk, 0, CHUNK_BYTES);
    if (got < 0) fail(1, "cannot read " + path + ": " + ashlar.statusName(ashlar.lastStatus));
    for (let k = 0; k < got; k++) scanner.feed(chunk[k]);
    offset += got;
  } while (!ashlar.atEnd);
  scanner.end();
  ashlar.close(file);
  return offset;
}

/** The table as bytes, a line for each word. */
function linesOf(sorted: Word[], rows: i32): Uint8Array {
  const counts = new Array<Uint8Array>(rows);
  let length = 0;
  for (let k = 0; k < rows; k++) {
    const again = k > 0 && sorted[k].count == sorted[k - 1].count;
    counts[k] = again ? counts[k - 1] : ashlar.encode(sorted[k].count.toString());
    length += counts[k].length + sorted[k].utf8.length + 2;
  }
  const lines = new Uint8Array(length);
  let at = 0;
  for (let k = 0; k < rows; k++) {
    lines.set(counts[k], at);
    at += counts[k].length;
    lines[at++] = TAB;
    lines.set(sorted[k].utf8, at);
    at += sorted[k].utf8.length;
    lines[at++] = LINE_END;
  }
  return lines;
}

function main(): void {
  const args = ashlar.args();
  if (args.length < 2 || args.length > 3) fail(2, "usage: wordfreq INPUT_DIR OUTPUT_FILE [TOP]");
  const folder = args[0];
  const output = args[1];
  const top = args.length == 3 ? I32.parseInt(args[2]) : i32.MAX_VALUE;
  if (top < 1) fail(2, "TOP must be a positive number, not " + args[2]);

  const entries = ashlar.list(folder);
  if (entries == null) {
    fail(1, "cannot list " + folder + ": " + ashlar.statusName(ashlar.lastStatus));
    return;
  }
  let files = 0;
  let bytes: i64 = 0;
  for (let k = 0; k < entries.length; k++) {
    const entry = entries[k];
    if (!entry.isFile || !entry.name.endsWith(".txt")) continue;
    bytes += countFile(folder + "/" + entry.name);
    files++;
  }

  const sorted = table.words;
  sorted.sort(byFrequency);
  if (!ashlar.writeFile(output, linesOf(sorted, min(top, sorted.length))))
    fail(1, "cannot write " + output + ": " + ashlar.statusName(ashlar.lastStatus));

  ashlar.print(`${files} files, ${bytes} bytes: ${table.total} words, ${sorted.length} different. The most frequent:`);
  for (let k = 0; k < min(SHOWN, sorted.length); k++)
    ashlar.print(sorted[k].count.toString().padStart(6) + "  " + ashlar.decode(sorted[k].utf8));
  ashlar.print(`The table is in ${output}`);
}

main();
