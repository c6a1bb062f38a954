/** Headers of some 60 MiB that are made to be slow: each is refused or taken, and what is told of it is short. */
import t from "tap";
import { openPack, PackError } from "../../../host/assets/index.ts";
import { digestOf, partsOf, seal, sortedJson } from "./pack-parts.ts";

const MILLION = 1_000_000;
const BASE = partsOf([]);
const JSON_TEXT = sortedJson(BASE.header);
const EMPTY = digestOf(new Uint8Array(0));

/** A pack with this text as the value of a key that is empty otherwise. */
function pack(key: string, text: string): Uint8Array {
  return seal(BASE, { json: JSON_TEXT.replace(new RegExp(`"${key}":(\\{\\}|\\[\\])`), () => `"${key}":${text}`) });
}

function table(count: number, entry: (index: number) => { name: string; bank?: string; codec?: string }): Uint8Array {
  const entries = Array.from({ length: count }, (_, index) => {
    const { name, bank = "data", codec = "raw" } = entry(index);
    return `{"asset_id":${index},"asset_name":${JSON.stringify(name)},"bank_type":"${bank}","codec":"${codec}","decoded_size":0,"digest":"${EMPTY}","metadata":{},"offset":0,"size":0}`;
  });
  return pack("asset_table", `[${entries.join(",")}]`);
}

const CASES: { readonly [what: string]: readonly [code: string, make: () => Uint8Array] } = {
  numbers: ["PACK-LIMIT", () => pack("metadata", `{"a":[${"1,".repeat(30 * MILLION)}1]}`)],
  "empty arrays": ["PACK-LIMIT", () => pack("metadata", `{"a":[${"[],".repeat(20 * MILLION)}[]]}`)],
  "arrays without end": ["PACK-JSON", () => pack("metadata", `{"a":${"[".repeat(60 * MILLION)}`)],
  escapes: ["PACK-LIMIT", () => pack("metadata", `{"a":"${'\\"'.repeat(30 * MILLION)}"}`)],
  "a long key": ["PACK-LIMIT", () => pack("metadata", `{"${"~/".repeat(15 * MILLION)}":{"a":1}}`)],
  "long keys within long keys": [
    "PACK-LIMIT",
    () => pack("metadata", `{"${"a".repeat(MILLION)}":{"${"b".repeat(MILLION)}":[${"1,".repeat(20 * MILLION)}1]}}`),
  ],
  "combining marks": ["PACK-LIMIT", () => pack("metadata", `{"a":"${"\u0301\u0323".repeat(15 * MILLION)}"}`)],
  "a name of combining marks": [
    "PACK-ASSET-NAME",
    () => table(1, () => ({ name: `e${"\u0301\u0323".repeat(10 * MILLION)}` })),
  ],
  digits: ["PACK-VALUE", () => pack("asset_table", `[{"asset_id":${"1".repeat(60 * MILLION)}`)],
  "entries that are wrong": [
    "PACK-ASSET-NAME",
    () => table(270_000, () => ({ name: "..", bank: "Tiles", codec: "x" })),
  ],
  "bank types": ["PACK-BANK-TYPE", () => table(270_000, (index) => ({ name: `n${index}`, bank: `b${index}` }))],
  codecs: ["PACK-CODEC", () => table(270_000, (index) => ({ name: `n${index}`, codec: `c${index}` }))],
  "names beyond ASCII": ["", () => table(130_000, (index) => ({ name: "é".repeat(120) + index }))],
  "names of many parts": ["", () => table(130_000, (index) => ({ name: "a/".repeat(120) + index }))],
  "a long preload": [
    "PACK-PRELOAD-ID",
    () => pack("preload", `[${'{"asset_id":1,"slot":0},'.repeat(999_999)}{"asset_id":1,"slot":0}]`),
  ],
};

t.setTimeout(600_000);
for (const [what, [expected, make]] of Object.entries(CASES))
  t.test(`[PACK-ERROR-1, PACK-ERROR-2] ${what}`, (t) => {
    try {
      openPack(make());
      t.equal("", expected);
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      t.equal(error.code, expected);
      t.ok(error.problems.length <= 100);
      const longest = Math.max(
        ...error.problems.flatMap(({ message, pointer = "" }) => [message.length, pointer.length]),
      );
      t.ok(longest < 200_000, `${longest} characters`);
      t.ok(error.message.length < 200_000);
    }
    t.end();
  });
