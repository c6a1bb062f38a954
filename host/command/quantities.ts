/** Numbers on the command line. */
import { usageError } from "./failure.ts";

/** A count: digits, with `_` between them where it helps. Throws a usage error. */
export function parseCount(option: string, text: string, most: bigint): bigint {
  const value = /^\d+(_\d+)*$/.test(text) ? BigInt(text.replaceAll("_", "")) : undefined;
  if (value === undefined || value > most)
    throw usageError(`--${option} takes an integer from 0 to ${most}, not ${JSON.stringify(text)}.`);
  return value;
}

const UNITS: { readonly [unit: string]: number } = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/** What WebAssembly's 32-bit addresses reach. */
const MOST_BYTES = 2 ** 32;

/** A size in bytes: `65536`, `64KiB`, `64MiB`, `1GiB`. Throws a usage error. */
export function parseSize(option: string, text: string): number {
  const [, digits, unit] = /^(\d+)\s*(?:([KMG])i?)?B?$/i.exec(text) ?? [];
  const bytes = digits === undefined ? Number.NaN : Number(digits) * UNITS[(unit ?? "").toUpperCase()]!;
  if (!(bytes <= MOST_BYTES))
    throw usageError(
      `--${option} takes a size up to 4GiB, such as 65536, 640KiB or 64MiB, not ${JSON.stringify(text)}.`,
    );
  return bytes;
}
