/**
 * Keeps the words of /in/words.tsv that are met most often, in this order.
 *
 *   rank TOP LETTERS
 *
 * TOP: how many of them; LETTERS: the length of the shortest that count. Equally frequent ones stay in the order that they have.
 */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { Row, Table, fail } from "./table";

function main(): void {
  const args = ashlar.args();
  if (args.length != 2) fail("usage: rank TOP LETTERS");
  const top = I32.parseInt(args[0]);
  const table = Table.read("/in/words.tsv");
  const rows = new Array<Row>();
  const letters = I32.parseInt(args[1]);
  for (let k = 0; k < table.rows.length; k++) if (table.rows[k].word.length >= letters) rows.push(table.rows[k]);
  rows.sort((left, right) => right.total - left.total);
  new Table(table.texts, rows.slice(0, top)).write("/out/top.tsv");
}

main();
