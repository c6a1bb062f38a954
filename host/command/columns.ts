/** Tables of text. */
import { grouped } from "./quantities.ts";
import { plain } from "./terminal.ts";

/** Of a column; the few cells that are longer stand out of it. */
const MOST_WIDTH = 60;

/** Numbers stand at the right of their column, grouped; text at its left, fit for a terminal. A line each, with line ends. */
export function columns(rows: readonly (readonly (string | number)[])[], titles: readonly string[] = []): string {
  const widths: number[] = titles.map(({ length }) => length);
  const isNumber: boolean[] = [];
  const cells = rows.map((row) =>
    row.map((value, column) => {
      isNumber[column] ||= typeof value === "number";
      const cell = typeof value === "number" ? grouped(BigInt(value)) : plain(value);
      widths[column] = Math.max(widths[column] ?? 0, Math.min(MOST_WIDTH, cell.length));
      return cell;
    }),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  const lines = (titles.length > 0 ? [titles, ...cells] : cells).map((row) => `${line(row)}\n`);
  return lines.join("");
}

/** `1 asset`, `2 assets`. */
export function counted(count: number, what: string): string {
  return `${grouped(BigInt(count))} ${what}${count === 1 ? "" : "s"}`;
}
