/** Numbers on the command line. */
import { usageError } from "./failure.ts";

/** A count: digits, with `_` between them where it helps. Throws a usage error. */
export function parseCount(option: string, text: string, most: bigint): bigint {
  const value = /^\d+(_\d+)*$/.test(text) ? BigInt(text.replaceAll("_", "")) : undefined;
  if (value === undefined || value > most)
    throw usageError(`--${option} takes an integer from 0 to ${most}, not ${JSON.stringify(text)}.`);
  return value;
}

const UNITS = ["", "K", "M", "G", "T"];

/** A size in bytes, up to so many GiB: `65536`, `64KiB`, `64MiB`, `1GiB`. Throws a usage error. */
export function parseSize(option: string, text: string, mostGiB: number): number {
  const [, digits, unit = ""] = /^(\d+)\s*(?:([KMGT])i?)?B?$/i.exec(text) ?? [];
  const bytes = digits === undefined ? Number.NaN : Number(digits) * 1024 ** UNITS.indexOf(unit.toUpperCase());
  if (!(bytes <= mostGiB * 1024 ** 3))
    throw usageError(
      `--${option} takes a size up to ${mostGiB}GiB, such as 65536, 640KiB or 64MiB, not ${JSON.stringify(text)}.`,
    );
  return bytes;
}

/** Seconds, from 0 on: `10`, `0.5`. Throws a usage error. */
export function parseSeconds(option: string, text: string, most: number): number {
  const seconds = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= most))
    throw usageError(`--${option} takes seconds, from 0 to ${most}, such as 10 or 0.5; not ${JSON.stringify(text)}.`);
  return seconds;
}

/** A number for a person: `1,234,567`. */
export function grouped(count: bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** JSON in which a bigint is a number with all its digits. */
export function exactJson(value: unknown): string {
  // Node.js 22 has `JSON.rawJSON`, and TypeScript does not know it yet.
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(value, (_name, item: unknown) => (typeof item === "bigint" ? rawJSON(String(item)) : item));
}
