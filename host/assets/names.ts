/** Names of assets and of bank types (spec PACK-NAME, PACK-BANK). */
import type { ProblemPlace, Problems } from "./errors.ts";
import { BANK_TYPES, MOST_NAME_BYTES } from "./format.ts";
import { digestOf } from "./hash.ts";

/** What keeps `name` from being an asset's, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "a name is not empty";
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (name.length > MOST_NAME_BYTES || Buffer.byteLength(name) > MOST_NAME_BYTES)
    return `a name has at most ${MOST_NAME_BYTES} bytes of UTF-8`;
  if (/\p{Surrogate}/u.test(name)) return "a name is Unicode, without lone surrogates";
  if (/\p{Cc}/u.test(name)) return "a name has no control characters";
  if (name.includes("\\")) return "a name has no backslash";
  if (/^[A-Za-z]:/.test(name)) return "a name does not begin with a drive letter";
  if (name.split("/").some((part) => part === "" || part === "." || part === ".."))
    return 'a name is a relative path, without empty parts, "." and ".."';
  if (name.normalize("NFC") !== name) return "a name is in Unicode's normalization form C";
  return undefined;
}

/** True for what may name a bank type. */
export function isBankType(name: string): boolean {
  return /^[a-z][a-z0-9_-]{0,31}$/.test(name);
}

/** The number by which guests tell a bank type: below 2^31 of a registered one, from there on of any other (spec PACK-BANK-2). */
export function bankNumber(bankType: string): number {
  const known = Object.hasOwn(BANK_TYPES, bankType) ? BANK_TYPES[bankType as keyof typeof BANK_TYPES] : undefined;
  if (known !== undefined) return known;
  const digest = digestOf(Buffer.from(bankType));
  return (new DataView(digest.buffer, digest.byteOffset).getUint32(0, true) | 0x8000_0000) >>> 0;
}

/** Whether guests can tell all bank types of a pack, or a stack, from one another (spec PACK-BANK-2). */
export function checkBankTypes(bankTypes: Iterable<string>, problems: Problems, place?: ProblemPlace): void {
  const numbers = new Map<number, string>();
  for (const bankType of bankTypes) {
    const number = bankNumber(bankType);
    const other = numbers.get(number);
    if (other !== undefined)
      problems.add("PACK-BANK-TYPE", `the bank types ${other} and ${bankType} have one number`, place);
    numbers.set(number, bankType);
  }
}
