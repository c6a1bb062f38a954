/** Output of many lines, which is not held in memory. */
import { print } from "../terminal.ts";

const BUFFER_CHARACTERS = 64 * 1024;

/** Prints each line, many at a time. */
export function printLines(lines: Iterable<string>): void {
  let text = "";
  for (const line of lines) {
    text += line;
    if (text.length < BUFFER_CHARACTERS) continue;
    print(text);
    text = "";
  }
  if (text !== "") print(text);
}
