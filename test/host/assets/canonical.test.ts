/** JSON texts by chance, mostly canonical and a little wrong: both readers agree on which are, and what they mean. */
import t from "tap";
import { canonicalJson, openPack } from "../../../host/assets/index.ts";
import { Random } from "../../vm/random.ts";
import { compare } from "./mutations.ts";
import { noise, partsOf, seal, sortedJson } from "./pack-parts.ts";

const TEXTS = 6000;
/** On both sides of what comparing bytes, code units or code points tells apart. */
const SYMBOLS = [
  "a",
  "b",
  "Z",
  "0",
  "~",
  "/",
  " ",
  "\u007f",
  "\u0080",
  "é",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "\u{10000}",
  "\u{10ffff}",
  "\n",
  "\u0001",
  "\u001f",
  '"',
  "\\",
];
const NUMBERS = [
  0, -1, 1.5, 1e21, 1e-7, 123_456_789_012_345_680_000, 5e-324, -1.7976931348623157e308, 9_007_199_254_740_992, 0.000001,
];

function textOf(random: Random): string {
  return Array.from({ length: random.below(4) }, () => random.pick(SYMBOLS)).join("");
}

/** A text in which each thing is made wrong on purpose with the probability `fault`. */
function jsonOf(random: Random, depth: number, fault: number): string {
  const quoted = (): string => {
    const right = JSON.stringify(textOf(random));
    if (!random.chance(fault)) return right;
    return random.pick([
      right.replace(/[a-z]/, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`),
      right.replaceAll("/", "\\/"),
      right.replace("\\n", "\\u000a"),
      right.toUpperCase(),
      `${right.slice(0, -1)}\\ud800"`,
    ]);
  };
  const list = (items: readonly string[], ends: string): string => {
    const comma = random.chance(fault) ? random.pick([" ,", ",,", ""]) : ",";
    return `${ends[0]}${items.join(comma)}${random.chance(fault) ? "," : ""}${ends[1]}`;
  };
  const kind = depth > 3 ? random.below(3) : random.below(6);
  if (kind === 0) return quoted();
  if (kind === 1)
    return random.chance(fault)
      ? random.pick(["-0", "1.0", "01", "1E5", "1e5", "1e999", "tru", "nul"])
      : String(random.pick(NUMBERS));
  if (kind === 2) return random.pick(["true", "false", "null"]);
  if (kind === 3)
    return list(
      Array.from({ length: random.below(4) }, () => jsonOf(random, depth + 1, fault)),
      "[]",
    );
  return objectOf(random, depth, fault, quoted, list);
}

function objectOf(
  random: Random,
  depth: number,
  fault: number,
  quoted: () => string,
  list: (items: string[], ends: string) => string,
): string {
  const keys = [...new Set(Array.from({ length: random.below(5) }, quoted))];
  const order = (key: string): string => {
    try {
      return JSON.parse(key) as string;
    } catch {
      return key;
    }
  };
  keys.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  if (keys.length > 1 && random.chance(3 * fault)) [keys[0], keys[1]] = [keys[1]!, random.pick([keys[0]!, keys[1]!])];
  return list(
    keys.map((key) => `${key}:${jsonOf(random, depth + 1, fault)}`),
    "{}",
  );
}

t.test(`[PACK-JSON-1] ${TEXTS} texts: two readers agree on which are canonical`, (t) => {
  const parts = partsOf([{ id: 1, bytes: noise(4) }]);
  const [before, behind] = sortedJson(parts.header).split('"metadata":{},"preload"') as [string, string];
  const counts: { [code: string]: number } = {};
  const failures: string[] = [];
  for (let seed = 0; seed < TEXTS; seed++) {
    const random = new Random(seed);
    const value = jsonOf(random, 0, random.pick([0, 0.02, 0.05]));
    const text = `{"a":${value}}`;
    const file = seal(parts, { json: `${before}"metadata":${text},"preload"${behind}` });
    const { code, disagreement } = compare([file]);
    counts[code] = (counts[code] ?? 0) + 1;
    if (disagreement) failures.push(`seed ${seed}: ${text}: ${JSON.stringify(disagreement)}`);
    else if (code === "") {
      const { metadata } = openPack(file).header;
      if (canonicalJson(metadata) !== text)
        failures.push(`seed ${seed}: ${text} is read as ${canonicalJson(metadata)}`);
    }
  }
  t.same(failures.slice(0, 5), []);
  for (const [code, least] of [
    ["", 3000],
    ["PACK-JSON", 300],
    ["PACK-KEY", 30],
  ] as const)
    t.ok(counts[code]! >= least, `${code || "canonical"}: ${counts[code]}`);
  t.end();
});

t.test("[PACK-JSON-1] keys with escapes are themselves, whatever was read before them", (t) => {
  const metadataOf = (text: string): string => {
    const parts = partsOf([]);
    parts.header.metadata = JSON.parse(text);
    const json = sortedJson(parts.header).replace(/"metadata":.*,"preload"/, () => `"metadata":${text},"preload"`);
    return canonicalJson(openPack(seal(parts, { json })).header.metadata);
  };
  // V8 takes the second key of the second text for that of the first.
  for (const text of ['{"!":1,"\\\\":2}', '{"!":1,"\\"":2}', '{"!":1,"\\\\":{"\\"":3}}', '{"\\"":[]}', '{"\\\\":[]}'])
    t.equal(metadataOf(text), text);
  t.end();
});
