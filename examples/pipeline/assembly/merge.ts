/**
 * Makes one table of the lists that wordfreq wrote, each a file of /in that is named after its text.
 *
 *   merge
 *
 * The words of /out/words.tsv are in the order of their characters.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { Row, Table, fail, linesOf, reason } from "./table";

const LIST = ".tsv";

function main(): void {
  const entries = ashlar.list("/in");
  if (entries == null) fail("cannot list /in: " + reason());
  const texts = entries!.map<string>((entry) => entry.name.substring(0, entry.name.length - LIST.length));

  const counts = new Map<string, StaticArray<i32>>();
  for (let text = 0; text < texts.length; text++) {
    const lines = linesOf("/in/" + texts[text] + LIST);
    for (let k = 0; k < lines.length; k++) {
      const cells = lines[k].split("\t");
      // A text without words has an empty list.
      if (cells.length != 2) continue;
      const word = cells[1];
      if (!counts.has(word)) counts.set(word, new StaticArray<i32>(texts.length));
      counts.get(word)[text] = I32.parseInt(cells[0]);
    }
  }

  const words = counts.keys().sort();
  const rows = new Array<Row>(words.length);
  for (let k = 0; k < words.length; k++) rows[k] = new Row(words[k], counts.get(words[k]));
  new Table(texts, rows).write("/out/words.tsv");
}

main();
