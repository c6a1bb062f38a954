/**
 * Packs changed in one to three places by a seed: values of the header, its text, the payload, the prelude. Most are sealed again, digests and all, so that
 * they are looked at more deeply than at the first checksum. What the product says of each is held against the second reader.
 */
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import {
  type Asset,
  canonicalJson,
  openStack,
  PACK_CODES,
  PackError,
  signatureOf,
} from "../../../host/assets/index.ts";
import { Random } from "../../vm/random.ts";
import {
  digestOf,
  lines,
  noise,
  type Overrides,
  type Parts,
  type PartsEntry,
  partsOf,
  SIGNER,
  seal,
  sortedJson,
} from "./pack-parts.ts";
import { type Entry, identityOf, Refused, readPack, readStack } from "./second-reader.ts";

// ------------------------------------------------------------------------------------------------ packs to change

/** A pack with some of everything. */
export function richParts(): Parts {
  const parts = partsOf(
    [
      { id: -2_147_483_648, name: "tiles/grass", bank: "tiles", bytes: noise(48), metadata: { width: 8, height: 6 } },
      { id: -1, name: "tiles/same", bank: "tiles", bytes: noise(48), metadata: { "": [], é: "\u2028", n: 1e-7 } },
      { id: 0, name: "sounds/ü.wav", bank: "sounds", codec: "deflate", bytes: lines(12) },
      { id: 1, name: "level one/map", bank: "levels", codec: "zstd", bytes: lines(20) },
      { id: 7, name: "nothing", bank: "data", bytes: new Uint8Array(0) },
      { id: 8, name: "__proto__", bank: "data", bytes: noise(33, 2), metadata: JSON.parse('{"__proto__":{"a":null}}') },
      { id: 2_147_483_647, name: "text/last", bank: "text", bytes: noise(7, 3) },
    ],
    {
      preload: [
        [0, 0],
        [-1, 255],
        [1, 3],
      ],
    },
  );
  parts.header.encoders = { deflate: "zlib", zstd: "libzstd" };
  parts.header.metadata = { title: "some of everything", "10": 1, "9": 2 };
  return parts;
}

/** A patch of {@link richParts}. */
export function patchParts(base: string): Parts {
  return partsOf(
    [
      { id: -1, name: "tiles/other", bank: "tiles", bytes: noise(20, 4) },
      { id: 2, name: "new", bank: "music", codec: "deflate", bytes: lines(3) },
    ],
    {
      preload: [
        [2, 0],
        [8, 1],
      ],
      patch: { base, removed: [0, 7] },
    },
  );
}

function plainParts(): Parts {
  return partsOf([
    { id: 1, bytes: noise(16) },
    { id: 2, bytes: noise(16, 2) },
  ]);
}

// ------------------------------------------------------------------------------------------------------ changes

const NUMBERS = [
  0,
  1,
  -1,
  2,
  15,
  16,
  17,
  255,
  256,
  4096,
  65_535,
  65_536,
  131_072,
  262_144,
  2 ** 26,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  2 ** 64,
  0.5,
  1.5,
  1e21,
  1e-7,
  1e300,
  -0,
];
const TEXTS = [
  "",
  ".",
  "..",
  "a/../b",
  "../a",
  "/a",
  "a/",
  "a//b",
  "a\\b",
  "C:",
  "c:/a",
  "a:b",
  "a\u0000b",
  "a\u001f",
  "\u007f",
  "\u0085",
  "e\u0301",
  "é",
  "\u212b",
  "CON",
  "aux.txt",
  "tiles",
  "levels",
  "data",
  "TILES",
  "a b",
  "9a",
  "raw",
  "deflate",
  "zstd",
  "brotli",
  "__proto__",
  "constructor",
  "\ud800",
  "\udc00",
  "😀",
  "a".repeat(31),
  "a".repeat(32),
  "a".repeat(33),
  "n".repeat(255),
  "n".repeat(256),
  "é".repeat(127),
  "é".repeat(128),
  "\u2028",
  "\n",
  "ashlar.assets/1",
  "ashlar.assets/2",
  "0".repeat(64),
  "A".repeat(64),
  "f".repeat(63),
];

/** Where in a tree a value stands: the container and the key in it. */
type Spot = { readonly in: { [key: string]: unknown }; readonly key: string };

function spotsOf(value: unknown, found: Spot[] = []): Spot[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    const container = value as { [key: string]: unknown };
    found.push({ in: container, key });
    spotsOf(container[key], found);
  }
  return found;
}

function nested(depth: number, object: boolean): unknown {
  let value: unknown = 1;
  for (let k = 0; k < depth; k++) value = object ? { a: value } : [value];
  return value;
}

function someValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => random.pick(NUMBERS),
    () => random.pick(NUMBERS),
    () => random.pick(TEXTS),
    () => null,
    () => random.chance(0.5),
    () => [],
    () => ({}),
    () => [random.pick(NUMBERS)],
    () => nested(random.pick([1, 5, 27, 28, 29, 30, 31, 32, 33, 40]), random.chance(0.5)),
  ])();
}

const SOME_IDENTITY = identityOf(new Uint8Array(32), new Uint8Array(32).fill(255));

interface Work {
  readonly parts: Parts;
  readonly random: Random;
  over: { -readonly [Key in keyof Overrides]: Overrides[Key] };
  /** Changes the file behind all sealing. */
  after: ((file: Uint8Array) => Uint8Array)[];
  /** Digests, sizes and codecs are as the slices are. */
  mend: boolean;
}

type Change = (work: Work) => void;

/** The entries that are objects still. */
function entriesOf({ header }: Parts): PartsEntry[] {
  const { asset_table } = header;
  return Array.isArray(asset_table) ? asset_table.filter((entry) => typeof entry === "object" && entry !== null) : [];
}

function entryOf({ parts, random }: Work): PartsEntry | undefined {
  const entries = entriesOf(parts);
  return entries.length > 0 ? random.pick(entries) : undefined;
}

const FIELDS = [
  "asset_id",
  "asset_name",
  "bank_type",
  "codec",
  "decoded_size",
  "digest",
  "metadata",
  "offset",
  "size",
] as const;

/** Changes of the header's values; its text stays canonical. */
const HEADER_CHANGES: { readonly [name: string]: Change } = {
  value: ({ parts, random }) => {
    const { in: container, key } = random.pick(spotsOf(parts.header));
    container[key] = someValue(random);
  },
  nudge: ({ parts, random }) => {
    const numbers = spotsOf(parts.header).filter((spot) => typeof spot.in[spot.key] === "number");
    if (numbers.length === 0) return;
    const { in: container, key } = random.pick(numbers);
    const value = container[key] as number;
    container[key] = random.pick([
      value + 1,
      value - 1,
      value * 2,
      value + 16,
      value - 16,
      -value,
      value + 0.5,
      random.pick(NUMBERS),
    ]);
  },
  text: ({ parts, random }) => {
    const texts = spotsOf(parts.header).filter((spot) => typeof spot.in[spot.key] === "string");
    if (texts.length === 0) return;
    const { in: container, key } = random.pick(texts);
    container[key] = random.pick(TEXTS);
  },
  remove: ({ parts, random }) => {
    const { in: container, key } = random.pick(spotsOf(parts.header));
    if (Array.isArray(container)) container.splice(Number(key), 1);
    else delete container[key];
  },
  add: ({ parts, random }) => {
    const { in: container } = random.pick(spotsOf(parts.header));
    if (Array.isArray(container)) container.splice(random.below(container.length + 1), 0, someValue(random));
    else container[random.pick([...TEXTS, "asset_ids", "patch", "zz"])] = someValue(random);
  },
  rename: ({ parts, random }) => {
    const { in: container, key } = random.pick(spotsOf(parts.header));
    if (Array.isArray(container)) return;
    const value = container[key];
    delete container[key];
    container[random.pick([`${key}s`, key.toUpperCase(), `${key} `, "__proto__", ""])] = value;
  },
  swap: ({ parts, random }) => {
    const { header } = parts;
    const items = random.pick<unknown[] | undefined>([header.asset_table, header.preload, header.patch?.removed]);
    if (!Array.isArray(items) || items.length < 2) return;
    const a = random.below(items.length);
    const b = random.below(items.length);
    [items[a], items[b]] = [items[b], items[a]];
  },
  twice: ({ parts, random }) => {
    const { header } = parts;
    const items = random.pick<unknown[] | undefined>([header.asset_table, header.preload, header.patch?.removed]);
    if (!Array.isArray(items) || items.length === 0) return;
    items.splice(random.below(items.length + 1), 0, structuredClone(random.pick(items)));
  },
  another: (work) => {
    const [from, to] = [entryOf(work), entryOf(work)];
    if (from === undefined || to === undefined) return;
    const fields = work.random.chance(0.5) ? [work.random.pick(FIELDS)] : (["offset", "size", "digest"] as const);
    for (const field of fields) Object.assign(to, { [field]: from[field] });
  },
  share: (work) => {
    const { asset_table } = work.parts.header;
    const from = entryOf(work);
    const last = Array.isArray(asset_table) ? asset_table.at(-1) : undefined;
    if (from === undefined || typeof last?.asset_id !== "number" || last.asset_id >= 2 ** 31 - 1) return;
    asset_table.push({ ...from, asset_id: last.asset_id + 1, asset_name: `shared${last.asset_id}` });
  },
  order: ({ parts }) => {
    const { asset_table } = parts.header;
    if (Array.isArray(asset_table)) asset_table.sort((a, b) => a?.asset_id - b?.asset_id);
  },
  bank: (work) => {
    const entry = entryOf(work);
    if (entry)
      entry.bank_type = work.random.pick(["tiles", "a", "z_9-", "levels", "music", "_", "-a", "module", "a\n", "Ä"]);
  },
  preload: ({ parts, random }) => {
    const { preload, asset_table } = parts.header;
    if (!Array.isArray(preload) || !Array.isArray(asset_table)) return;
    const asset_id =
      random.chance(0.7) && asset_table.length > 0 ? random.pick(asset_table)?.asset_id : random.pick(NUMBERS);
    preload.push({ asset_id, slot: random.pick([0, 1, 2, 3, 254, 255, 256, -1, 0.5]) });
  },
  codec: (work) => {
    const entry = entryOf(work);
    if (!entry) return;
    entry.codec = work.random.pick(["raw", "deflate", "zstd", "lz4"]);
    if (work.random.chance(0.5)) entry.decoded_size = entry.size;
  },
  patch: ({ parts, random, over }) => {
    const { header } = parts;
    if (header.patch && random.chance(0.7)) {
      const id = random.pick<number>([...NUMBERS, 7, 8, 0, -1]);
      if (Array.isArray(header.patch.removed)) header.patch.removed.push(id);
    } else if (header.patch && random.chance(0.5)) delete header.patch;
    else
      header.patch = {
        base: random.pick([SOME_IDENTITY, SOME_IDENTITY.toUpperCase(), SOME_IDENTITY.slice(1), `${SOME_IDENTITY}a`]),
        removed: [],
      };
    if (random.chance(0.3)) over.flags = random.below(4);
  },
  // What a right pack may have as well.
  rightly: (work) => {
    const { parts, random } = work;
    const entry = entryOf(work);
    const value = random.pick([
      {},
      { a: [] },
      { b: { c: "d" }, "\u007f": '\u0001"\\' },
      { n: [1e21, 0.1, -5e-324, 123456789012] },
    ]);
    if (entry && random.chance(0.7)) {
      if (random.chance(0.5)) entry.metadata = value;
      else entry.asset_name = `${entry.asset_name} ${random.pick(["é", "x", "日本", ".", "#~"])}`;
    } else
      Object.assign(parts.header, random.pick([{ metadata: value }, { preload: [] }, { encoders: { raw: "none" } }]));
  },
  deep: ({ parts, random }) => {
    const depth = random.pick([27, 28, 29, 30, 31, 32, 33, 1000]);
    Object.assign(random.pick<object>([parts.header.metadata ?? {}, parts.header]), {
      metadata: { deep: nested(depth, random.chance(0.5)) },
    });
  },
};

/** One of the places that match. */
function oneOf(json: string, pattern: RegExp, random: Random): RegExpExecArray | undefined {
  const found = [...json.matchAll(pattern)];
  return found.length > 0 ? random.pick(found) : undefined;
}

/** Changes of the header's text, of which the digest is right. */
const TEXT_CHANGES: readonly ((json: string, random: Random) => string)[] = [
  (json, random) => {
    const at = random.below(json.length + 1);
    return (
      json.slice(0, at) +
      random.pick([" ", "\n", "\t", ",", ":", '"', "{", "}", "[", "]", "0", "-", "\\", "\u0000", "e", "é", "\ufeff"]) +
      json.slice(at)
    );
  },
  (json, random) => {
    const at = random.below(json.length);
    return json.slice(0, at) + json.slice(at + 1 + random.below(3));
  },
  (json, random) => {
    const at = random.below(json.length);
    return json.slice(0, at) + String.fromCharCode(random.below(128)) + json.slice(at + 1);
  },
  (json, random) => json.slice(0, random.below(json.length)),
  (json, random) => {
    const found = oneOf(json, /-?\d+/g, random);
    if (found === undefined) return json;
    const { 0: number, index } = found;
    const other = random.pick([
      `${number}.0`,
      `${number}e0`,
      `${number}E+0`,
      `0${number}`,
      `+${number}`,
      "-0",
      "1e400",
      "9007199254740993",
      `${number}.`,
      "NaN",
      "-",
      "0x10",
      `.${number}`,
    ]);
    return json.slice(0, index) + other + json.slice(index + number.length);
  },
  (json, random) => {
    const found = oneOf(json, /"[a-z_]+":(?:\d+|"[^"]*")/g, random);
    if (found === undefined) return json;
    const { 0: member, index } = found;
    return `${json.slice(0, index)}${member},${json.slice(index)}`;
  },
  (json, random) => {
    const found = oneOf(json, /("[a-z_]+":(?:\d+|"[^"]*")),("[a-z_]+":(?:\d+|"[^"]*"))/g, random);
    if (found === undefined) return json;
    const { 0: both, 1: first, 2: second, index } = found;
    return `${json.slice(0, index)}${second},${first}${json.slice(index + both.length)}`;
  },
  (json, random) => {
    const found = oneOf(json, /[a-z/é]/g, random);
    if (found === undefined) return json;
    const { 0: letter, index } = found;
    const code = letter.charCodeAt(0).toString(16).padStart(4, "0");
    const escaped = random.pick([
      `\\u${code}`,
      `\\u${code.toUpperCase()}`,
      `\\${letter}`,
      "\\u0000",
      "\\ud800",
      "\\u001F",
      "\\u001f",
      "\\n",
      "\\/",
      "\\uD83D\\uDE00",
    ]);
    return json.slice(0, index) + escaped + json.slice(index + 1);
  },
  (json, random) =>
    random.pick([
      "",
      " ",
      "{}",
      "[]",
      "null",
      `[${json}]`,
      json.repeat(2),
      `\ufeff${json}`,
      ` ${json}`,
      "[".repeat(100_000),
      '{"a":'.repeat(5000),
    ]),
];

const BYTE_CHANGES: { readonly [name: string]: Change } = {
  json: ({ parts, random, over }) => {
    over.json = random.pick(TEXT_CHANGES)(jsonOf(parts, over), random);
  },
  utf8: ({ parts, random, over }) => {
    const bytes = Buffer.from(jsonOf(parts, over));
    if (bytes.length < 4) return;
    bytes.set(
      random.pick([[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x80], [0xf4, 0x90]]),
      random.below(bytes.length - 2),
    );
    over.json = bytes;
  },
  padding: ({ random, over }) => {
    over.padding = random.pick([
      new Uint8Array(random.below(40)).fill(0x20),
      new Uint8Array(16),
      Buffer.from("               \n"),
      Buffer.from("       x        "),
      new Uint8Array(4096).fill(0x20),
    ]);
  },
  payload: (work) => {
    const { payload } = work.parts;
    if (payload.length === 0) return;
    for (let k = 1 + work.random.below(3); k > 0; k--)
      payload[work.random.below(payload.length)]! ^= 1 << work.random.below(8);
    work.mend = work.random.chance(0.7);
  },
  // Into what decoders read, with the right digest.
  stream: (work) => {
    const { parts, random } = work;
    const entries = entriesOf(parts).filter(({ codec }) => codec === "deflate" || codec === "zstd");
    if (entries.length === 0) return;
    const { offset, size } = random.pick(entries);
    // Headers of frames and blocks stand at the beginning.
    for (let k = 1 + random.below(2); k > 0; k--) {
      const at = offset + random.below(random.chance(0.5) ? Math.min(size, 12) : size);
      if (at < parts.payload.length)
        parts.payload[at] = random.chance(0.5) ? random.next() & 255 : parts.payload[at]! ^ (1 << random.below(8));
    }
    work.mend = true;
  },
  longer: (work) => {
    const more = new Uint8Array(work.random.pick([1, 15, 16, 17, 4096]));
    work.parts.payload = new Uint8Array(Buffer.concat([work.parts.payload, more]));
    if (work.random.chance(0.3)) work.parts.payload = new Uint8Array(Buffer.concat([more, work.parts.payload]));
  },
  shorter: (work) => {
    const { payload } = work.parts;
    work.parts.payload = payload.slice(0, work.random.below(payload.length + 1));
    work.mend = work.random.chance(0.5);
  },
  stretch: (work) => {
    const entry = entryOf(work);
    if (!entry) return;
    entry.size += work.random.pick([-1, 1, -8, 8]);
    work.mend = true;
    if (entry.codec === "raw") entry.decoded_size = entry.size;
  },
  prelude: ({ random, over }) => {
    over.prelude = (view, bytes) => {
      const at = random.below(124);
      if (random.chance(0.4)) bytes[at]! ^= 1 << random.below(8);
      else if (random.chance(0.5))
        view.setUint32(
          random.pick([8, 12, 16, 20, 112, 116, 120]),
          random.pick([0, 1, 2, 3, 112, 0x80000000, 0xffffffff]),
          true,
        );
      else {
        const field = random.pick([24, 32, 40]);
        const value = view.getBigUint64(field, true);
        view.setBigUint64(
          field,
          random.pick([0n, value + 1n, value - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) & (2n ** 64n - 1n),
          true,
        );
      }
    };
  },
  damage: ({ random, over }) => {
    over.damage = (_, bytes) => {
      bytes[random.below(128)]! ^= 1 << random.below(8);
    };
  },
  signature: ({ random, over }) => {
    over.signature = random.chance(0.5)
      ? SIGNER
      : random.chance(0.5)
        ? new Uint8Array(112)
        : noise(random.pick([0, 1, 111, 112, 113]));
  },
  trailing: ({ random, over }) => {
    over.trailing = new Uint8Array(random.pick([1, 16, 112]));
  },
  flip: ({ random, after }) => {
    after.push((file) => {
      const copy = file.slice();
      copy[random.below(copy.length)]! ^= 1 << random.below(8);
      return copy;
    });
  },
  cut: ({ random, after }) => {
    after.push((file) => file.subarray(0, random.below(file.length)));
  },
};

function jsonOf({ header }: Parts, { json }: Overrides): string {
  return json === undefined ? sortedJson(header) : Buffer.from(json).toString();
}

/** Makes digests, and sizes of what is not compressed, those of the slices. */
function mended(parts: Parts): void {
  const { payload } = parts;
  for (const entry of entriesOf(parts)) {
    if (!Number.isSafeInteger(entry.offset) || !Number.isSafeInteger(entry.size)) continue;
    if (entry.offset < 0 || entry.size < 0) continue;
    entry.digest = digestOf(payload.subarray(entry.offset, entry.offset + entry.size));
  }
}

const NAMES = [...Object.keys(HEADER_CHANGES), ...Object.keys(BYTE_CHANGES)];

export interface Mutant {
  /** How it came about. */
  readonly changes: string;
  readonly file: Uint8Array;
}

/** The pack of a seed. */
export function mutantOf(seed: number, base: () => Parts): Mutant {
  const random = new Random(seed);
  const work: Work = { parts: base(), random, over: {}, after: [], mend: false };
  const changes = Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, () =>
    random.chance(0.15) ? "stream" : random.chance(0.5) ? random.pick(Object.keys(HEADER_CHANGES)) : random.pick(NAMES),
  );
  // What changes the text of the header comes behind what changes its values.
  changes.sort((a, b) => Number(Object.hasOwn(BYTE_CHANGES, a)) - Number(Object.hasOwn(BYTE_CHANGES, b)));
  for (const name of changes) {
    if (work.over.json === undefined || Object.hasOwn(BYTE_CHANGES, name))
      (HEADER_CHANGES[name] ?? BYTE_CHANGES[name]!)(work);
    if (work.mend) mended(work.parts);
  }
  let file = seal(work.parts, work.over);
  for (const change of work.after) file = change(file);
  return { changes: changes.join(" + "), file };
}

// --------------------------------------------------------------------------------------------------- comparison

/** What a reader makes of a file, so that two can be compared. */
export type Outcome =
  | {
      /** The first code. */
      readonly refused: string;
      /** All that were told. */
      readonly codes: readonly string[];
    }
  | {
      readonly refused: undefined;
      readonly identity: string;
      readonly preload: readonly object[];
      /** What the header of each level says of itself, canonical. */
      readonly said: readonly string[];
      readonly assets: readonly (Entry & { readonly data: string })[];
      /** The code with which `verify` refuses; "" when it does not, or there is none to ask. */
      readonly verified: string;
      /** Public key of the signature, or the code with which it is refused. */
      readonly signer: string;
    };

/** Codes of what `act` throws, none when it does not. Errors that are no refusal go on up. */
function refusalsOf(act: () => void): string[] {
  try {
    act();
    return [];
  } catch (error) {
    if (error instanceof Refused) return [error.code];
    if (!(error instanceof PackError)) throw error;
    const codes = error.problems.map(({ code }) => code);
    if (
      codes[0] !== error.code ||
      error.total < codes.length ||
      !codes.every((code) => Object.hasOwn(PACK_CODES, code))
    )
      throw new Error(`an error of ${error.total} problems: ${error.code}, ${codes}`);
    return codes;
  }
}

function attempt(read: () => Outcome): Outcome {
  let outcome: Outcome | undefined;
  const codes = refusalsOf(() => {
    outcome = read();
  });
  return outcome ?? { refused: codes[0]!, codes };
}

/** What `read` answers, or the code with which it refuses. */
function textOr(read: () => string): string {
  let text = "";
  return (
    refusalsOf(() => {
      text = read();
    })[0] ?? text
  );
}

/** What the second reader makes of a pack, or of a base and patches. */
export function secondOutcome(files: readonly Uint8Array[]): Outcome {
  return attempt(() => {
    const set = readStack(files);
    const only = files.length === 1 ? set.packs[0] : undefined;
    return {
      refused: undefined,
      identity: set.identity,
      preload: set.preload.map(({ asset_id, slot }) => ({ assetId: asset_id, slot })),
      said: set.packs.map(({ metadata, encoders }) => metadata + encoders),
      assets: set.table.map((entry) => ({ ...entry, data: textOr(() => digestOf(set.data(entry.asset_id))) })),
      verified: refusalsOf(() => only?.verify())[0] ?? "",
      signer: textOr(() => hexOf(only?.signer())),
    };
  });
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes).toString("hex");
}

function read(asset: Asset): Uint8Array {
  const open = asset.open();
  try {
    // One byte more than there is, so that reading on at the end shows.
    const bytes = new Uint8Array(Math.min(asset.decodedSize, 2 ** 24) + 1);
    const got = open.read(0, bytes);
    if (got !== asset.decodedSize) throw new Error(`${got} of ${asset.decodedSize} bytes were read`);
    return bytes.subarray(0, got);
  } finally {
    open.close();
  }
}

/** What the product makes of them. */
export function productOutcome(files: readonly Uint8Array[]): Outcome {
  return attempt(() => {
    const set = openStack(files);
    const only = files.length === 1 ? set.packs[0] : undefined;
    const assets = [...set.assets()].map((asset) => ({
      asset_id: asset.id,
      asset_name: asset.name,
      bank_type: asset.bankType,
      codec: asset.codec,
      offset: asset.offset,
      size: asset.size,
      decoded_size: asset.decodedSize,
      digest: asset.digest,
      metadata: Buffer.from(asset.metadata).toString(),
      data: textOr(() => digestOf(read(asset))),
    }));
    for (const { asset_id, asset_name } of assets)
      if (set.asset(asset_id)?.id !== asset_id || set.assetNamed(asset_name)?.id !== asset_id)
        throw new Error(`asset ${asset_id} is not found`);
    const outcome = {
      refused: undefined,
      identity: set.identity,
      preload: set.preload.map(({ assetId, slot }) => ({ assetId, slot })),
      said: set.packs.map(({ header }) => canonicalJson(header.metadata) + canonicalJson(header.encoders)),
      assets,
      verified: refusalsOf(() => only?.verify())[0] ?? "",
      signer: textOr(() => hexOf(only && signatureOf(only)?.publicKey)),
    };
    set.close();
    return outcome;
  });
}

/** Codes that end the reading: what lies behind is not looked at (PACK-ERROR-2). */
const FATAL = ["PACK-JSON", "PACK-KEY", "PACK-VALUE", "PACK-LIMIT"];

/** Whether the product, which refuses, tells what the second reader found first. */
function tells(codes: readonly string[], found: string): boolean {
  return codes.includes(found) || codes.some((code) => FATAL.includes(code)) || codes.length === 100;
}

export interface Comparison {
  /** What the product found wrong first; "" when nothing. */
  readonly code: string;
  /** What each says, when it is not the same. */
  readonly disagreement?: { readonly second: Outcome; readonly product: Outcome };
}

export function compare(files: readonly Uint8Array[]): Comparison {
  const second = secondOutcome(files);
  const product = productOutcome(files);
  if (product.refused !== undefined) {
    const isSame = second.refused !== undefined && tells(product.codes, second.refused);
    return { code: product.refused, ...(!isSame && { disagreement: { second, product } }) };
  }
  const data = product.assets.find((asset) => asset.data.startsWith("PACK-"))?.data ?? "";
  // Of what verify finds, the order is its own.
  const like = (outcome: Outcome): unknown =>
    outcome.refused === undefined && { ...outcome, verified: outcome.verified === "" };
  const isSame = isDeepStrictEqual(like(second), like(product));
  return { code: data || product.verified, ...(!isSame && { disagreement: { second, product } }) };
}

/** Copies of parts that are made once: compressing takes time. */
function copies(parts: Parts): () => Parts {
  return () => ({ header: structuredClone(parts.header), payload: parts.payload.slice() });
}

export const BASES: { readonly [name: string]: () => Parts } = {
  rich: copies(richParts()),
  plain: copies(plainParts()),
};

const RICH = BASES.rich!;
const PATCHED = seal(RICH());
const PATCH = copies(patchParts(readPack(PATCHED).identity));

/** A patch that changes nothing, and one on it. */
const NOTHING = seal(partsOf([], { patch: { base: readPack(PATCHED).identity, removed: [] } }));
const UPPER_PATCH = copies(patchParts(readPack(NOTHING).identity));

/** Files to read together: one, or a base and one or two patches of which one is a mutant. */
function filesOf(seed: number, isStack: boolean): { changes: string; files: Uint8Array[] } {
  if (!isStack) {
    const { changes, file } = mutantOf(seed, BASES[seed % 4 === 0 ? "plain" : "rich"]!);
    return { changes, files: [file] };
  }
  const { changes, file } = mutantOf(seed, PATCH);
  if (seed % 3 > 0) return { changes: `patch: ${changes}`, files: [PATCHED, file] };
  const upper = mutantOf(seed, UPPER_PATCH);
  return { changes: `second patch: ${upper.changes}`, files: [PATCHED, NOTHING, upper.file] };
}

/** Of how many mutants one has this code, at least. */
const RARITY: { readonly [code: string]: number } = {
  "": 8,
  "PACK-MAGIC": 2000,
  "PACK-VERSION": 2000,
  "PACK-FLAGS": 400,
  "PACK-PRELUDE": 100,
  "PACK-LENGTH": 60,
  "PACK-HEADER-DIGEST": 100,
  "PACK-JSON": 60,
  "PACK-KEY": 30,
  "PACK-VALUE": 30,
  "PACK-ASSET-ID": 120,
  "PACK-ASSET-NAME": 600,
  "PACK-BANK-TYPE": 150,
  "PACK-CODEC": 150,
  "PACK-RANGE": 150,
  "PACK-OVERLAP": 2000,
  "PACK-ALIGNMENT": 300,
  "PACK-HOLE": 150,
  "PACK-DECODED-SIZE": 150,
  "PACK-DIGEST": 1000,
  "PACK-DECODE": 40,
  "PACK-BASE": 1500,
  "PACK-PRELOAD-ID": 600,
  "PACK-PRELOAD-SLOT": 600,
  "PACK-PRELOAD-CLASH": 300,
};

/** Compares what both readers make of mutants, as subtests that also hold how often each code came. */
export function campaign({ packs, stacks, seed = 0 }: { packs: number; stacks: number; seed?: number }): void {
  for (const [what, count, isStack] of [
    ["packs", packs, false],
    ["stacks", stacks, true],
  ] as const)
    t.test(
      `[PACK-ERROR-1, PACK-JSON-1] ${count} mutants of ${what}: two readers agree`,
      { timeout: 3_600_000 },
      async (t) => {
        const counts = new Map<string, number>();
        const failures: string[] = [];
        for (let k = seed; k < seed + count && failures.length < 5; k++) {
          let changes = "";
          // What zlib holds after an error is let go of when the event loop turns.
          if (k % 256 === 0) await setImmediate();
          try {
            const mutant = filesOf(k, isStack);
            ({ changes } = mutant);
            const { code, disagreement } = compare(mutant.files);
            counts.set(code, (counts.get(code) ?? 0) + 1);
            if (disagreement) failures.push(`seed ${k}, ${changes}: ${JSON.stringify(disagreement)}`);
          } catch (error) {
            failures.push(`seed ${k}, ${changes}: ${error instanceof Error ? error.stack : String(error)}`);
          }
        }
        t.same(failures, []);
        for (const [code, most] of Object.entries(isStack ? { ...RARITY, "PACK-REMOVED": 60 } : RARITY)) {
          const found = counts.get(code) ?? 0;
          t.ok(found >= Math.floor(count / most), `${code || "nothing wrong"}: ${found}`);
        }
        t.end();
      },
    );
}
