/** What a reader takes, and what it refuses with which code: the rules of the format one by one. Both readers are asked. */
import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import t from "tap";
import { openPack, PackError, type PackOptions, type Problem } from "../../../host/assets/index.ts";
import { compare, richParts } from "./mutations.ts";
import {
  digestOf,
  lines,
  noise,
  type Overrides,
  type Parts,
  partsOf,
  type Sample,
  seal,
  sortedJson,
} from "./pack-parts.ts";
import { codeOf, problemsOf as problemsWith } from "./problems.ts";

type Test = Pick<typeof t, "same" | "match">;

/** What is wrong with a pack; empty when it is opened. */
function problemsOf(file: Uint8Array, options?: PackOptions): readonly Problem[] {
  return problemsWith(() => openPack(file, options).close());
}

/** For the title of a test: TAP takes some characters for ends of lines. */
function ascii(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The pack is refused with this code first, at this place; and the second reader refuses it as well. */
function refused(
  t: Test,
  file: Uint8Array,
  code: string,
  what: string,
  place: { pointer?: string; offset?: number; message?: RegExp } = {},
): void {
  const [problem] = problemsOf(file);
  t.match({ ...problem }, { code, ...place }, what);
  t.same(compare([file]), { code }, `${what}: as the second reader says`);
}

/** The pack is taken, with right data, by both readers. */
function taken(t: Test, file: Uint8Array, what: string): void {
  t.same(compare([file]), { code: "" }, what);
}

/** Parts with some of everything, changed. */
function changed(change: (parts: Parts) => void): Parts {
  const parts = richParts();
  change(parts);
  return parts;
}

const with_ = (change: (parts: Parts) => void, over?: Overrides): Uint8Array => seal(changed(change), over);

/** The header's canonical text with a part of it replaced; that must be in it. */
function edited(from: string, to: string): Uint8Array {
  const parts = richParts();
  const json = sortedJson(parts.header);
  if (!json.includes(from)) throw new Error(`no ${from} in the header`);
  return seal(parts, { json: json.replace(from, () => to) });
}

function one(sample: Partial<Sample> = {}): Parts {
  return partsOf([{ id: 1, bytes: noise(40), ...sample }]);
}

/** A pack of one asset of which an entry's value is another; `at` stands for a value that JSON.stringify would not write. */
function entry(key: string, json: string): Uint8Array {
  const parts = one();
  const text = sortedJson({ ...parts.header, asset_table: [{ ...parts.header.asset_table[0], [key]: "@" }] });
  return seal(parts, { json: text.replace('"@"', () => json) });
}

// --------------------------------------------------------------------------------------------------- prelude

t.test("[PACK-PRELUDE-1, PACK-PRELUDE-3] magic, then version, then flags that are unknown", (t) => {
  taken(t, seal(richParts()), "a right pack");
  const cut = seal(richParts(), { damage: (_, bytes) => bytes.set(bytes.subarray(0, 8).map((byte) => byte & 0x7f)) });
  refused(t, cut, "PACK-MAGIC", "high bits cut off", { offset: 0, message: /7 bits/ });
  const text = Buffer.from(seal(richParts()).subarray(0, 200)).toString("latin1").replaceAll("\r\n", "\n");
  refused(t, Buffer.from(text, "latin1"), "PACK-MAGIC", "line ends changed", { message: /line ends/ });
  refused(t, Buffer.from("no pack"), "PACK-LENGTH", "seven bytes of something");
  refused(t, Buffer.from("#!/bin/sh\n"), "PACK-MAGIC", "something short");
  refused(t, new Uint8Array(0), "PACK-LENGTH", "nothing");
  for (const version of [0, 2, 256, 2 ** 32 - 1]) {
    const file = seal(richParts(), { prelude: (view) => view.setUint32(8, version, true) });
    refused(t, file, "PACK-VERSION", `version ${version}`, { offset: 8, message: new RegExp(`\\b${version}\\b`) });
  }
  // Of another version, the checksum may be elsewhere.
  const newer = seal(richParts(), { damage: (view) => view.setUint32(8, 7, true) });
  refused(t, newer, "PACK-VERSION", "another version, and so another checksum");
  for (const flags of [2, 3, 4, 0x8000_0000]) refused(t, seal(richParts(), { flags }), "PACK-FLAGS", `flags ${flags}`);
  for (const flags of [1, 0xffff_ffff]) {
    const file = seal(richParts(), { prelude: (view) => view.setUint32(16, flags, true) });
    taken(t, file, `optional flags ${flags}`);
  }
  for (let at = 116; at < 124; at++)
    refused(
      t,
      seal(richParts(), { prelude: (view) => view.setUint8(at, 1) }),
      "PACK-PRELUDE",
      `byte ${at} is not zero`,
    );
  const unsealed = seal(richParts(), { damage: (view) => view.setUint32(124, 0, true) });
  refused(t, unsealed, "PACK-PRELUDE", "a wrong checksum", { offset: 124 });
  t.end();
});

t.test("[PACK-PRELUDE-2, PACK-PRELUDE-3] lengths that contradict one another or the file", (t) => {
  const field = (at: number, value: (now: bigint) => bigint): Uint8Array =>
    seal(richParts(), {
      prelude: (view) => view.setBigUint64(at, BigInt.asUintN(64, value(view.getBigUint64(at, true))), true),
    });
  for (const at of [24, 32, 40])
    for (const by of [1n, -1n, 16n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 2n])
      refused(
        t,
        field(at, (now) => now + by),
        "PACK-PRELUDE",
        `${by} more at ${at}`,
      );
  // Sums that would wrap in 64 bits, or round in a double, to what is right.
  const wrapping = seal(richParts(), {
    prelude: (view) => {
      view.setBigUint64(32, 2n ** 64n - 1n, true);
      view.setBigUint64(40, view.getBigUint64(24, true) - 1n, true);
    },
  });
  refused(t, wrapping, "PACK-PRELUDE", "a sum beyond 2^64");
  const rounding = seal(richParts(), {
    prelude: (view) => {
      view.setBigUint64(32, 2n ** 53n - 1n, true);
      view.setBigUint64(40, 2n ** 53n - 1n, true);
    },
  });
  refused(t, rounding, "PACK-PRELUDE", "a sum beyond 2^53");
  for (const length of [1, 111, 113, 224, 2 ** 32 - 1])
    refused(
      t,
      seal(richParts(), { prelude: (view) => view.setUint32(112, length, true) }),
      "PACK-PRELUDE",
      `a signature of ${length}`,
    );
  refused(t, seal(richParts(), { trailing: new Uint8Array(1) }), "PACK-LENGTH", "a byte behind the end");
  const size = seal(richParts()).length;
  refused(t, seal(richParts()).subarray(0, size - 1), "PACK-LENGTH", "a byte too few", { offset: size - 1 });
  t.end();
});

t.test("[PACK-PRELUDE-3, PACK-WRITE-2] the header's length has a cap", (t) => {
  const sized = (headerLength: number): Uint8Array =>
    seal(partsOf([]), {
      prelude: (view) => {
        view.setUint32(20, headerLength, true);
        view.setBigUint64(24, 128n + BigInt(headerLength), true);
        view.setBigUint64(40, 128n + BigInt(headerLength), true);
      },
    });
  refused(t, sized(2 ** 26 + 1), "PACK-HEADER-SIZE", "a byte more than 64 MiB", { offset: 20 });
  refused(t, sized(2 ** 32 - 1), "PACK-HEADER-SIZE", "all of 32 bits");
  refused(t, sized(2 ** 26), "PACK-LENGTH", "64 MiB, which the file has not");
  const padded = seal(partsOf([]), {
    padding: new Uint8Array(2 ** 26 - Buffer.byteLength(sortedJson(partsOf([]).header))).fill(0x20),
  });
  t.same(problemsOf(padded), [], "64 MiB, most of it spaces");
  const file = seal(richParts());
  const length = new DataView(file.buffer).getUint32(20, true);
  t.same(problemsOf(file, { headerBytes: length }), [], "what the host allows");
  t.match(problemsOf(file, { headerBytes: length - 1 }), [{ code: "PACK-HEADER-SIZE" }], "more than the host allows");
  t.match(
    problemsOf(sized(2 ** 26 + 1), { headerBytes: 2 ** 30 }),
    [{ code: "PACK-HEADER-SIZE" }],
    "more than the format allows",
  );
  t.end();
});

// ---------------------------------------------------------------------------------------------------- header

t.test("[PACK-HEADER-1] the header's digest, UTF-8, and padding of spaces", (t) => {
  const json = sortedJson(richParts().header);
  const damaged = seal(richParts(), { prelude: (_, bytes) => bytes.set(noise(32), 48) });
  refused(t, damaged, "PACK-HEADER-DIGEST", "a wrong digest", { offset: 128 });
  for (const [name, bytes] of [
    ["a byte that stands for nothing", [0xff]],
    ["a symbol cut off", [0xc3]],
    ["a slash in two bytes", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a symbol beyond the last", [0xf4, 0x90, 0x80, 0x80]],
  ] as const) {
    const at = json.indexOf("grass");
    const file = Buffer.concat([Buffer.from(json.slice(0, at)), Buffer.from(bytes), Buffer.from(json.slice(at))]);
    refused(t, seal(richParts(), { json: file }), "PACK-JSON", name);
  }
  refused(t, seal(richParts(), { json: `\ufeff${json}` }), "PACK-JSON", "a byte order mark");
  refused(t, seal(richParts(), { json: ` ${json}` }), "PACK-JSON", "a space before it");
  refused(t, seal(richParts(), { json: "" }), "PACK-JSON", "no header");
  for (const text of ["null", "[]", "0", '"a"', "true"])
    refused(t, seal(richParts(), { json: text }), "PACK-VALUE", `${text} for a header`, { pointer: "" });
  for (const [name, padding] of [
    ["zeros", "\0".repeat(16)],
    ["line ends", "\n".repeat(16)],
    ["a tab among spaces", "   \t            "],
    ["another value", "               0"],
  ] as const) {
    // The digest is of everything up to the last byte that is no space.
    refused(t, seal(richParts(), { json: json + padding.replace(/ +$/, "") }), "PACK-JSON", `padding: ${name}`);
    refused(
      t,
      seal(richParts(), { padding: Buffer.from(padding) }),
      "PACK-HEADER-DIGEST",
      `${name}, not in the digest`,
    );
  }
  const unaligned = one();
  unaligned.header.alignment = 1;
  for (const spaces of [0, 1, 15, 16, 1000])
    taken(t, seal(unaligned, { padding: new Uint8Array(spaces).fill(0x20) }), `${spaces} spaces`);
  t.end();
});

t.test("[PACK-JSON-1] keys that come twice, and keys out of order", (t) => {
  refused(t, edited('"alignment":16', '"alignment":16,"alignment":16'), "PACK-KEY", "at the top");
  refused(t, edited('"codec":"raw"', '"codec":"raw","codec":"raw"'), "PACK-KEY", "in an entry");
  refused(t, edited('{"height":6,', '{"height":6,"height":6,'), "PACK-KEY", "in metadata", {
    pointer: "/asset_table/0/metadata/height",
  });
  refused(t, edited('{"__proto__":', '{"__proto__":1,"__proto__":'), "PACK-KEY", "__proto__");
  refused(t, edited('{"height":6,"width":8}', '{"width":8,"height":6}'), "PACK-JSON", "out of order");
  refused(t, edited('{"asset_id":0,"slot":0}', '{"slot":0,"asset_id":0}'), "PACK-KEY", "where only one can come");
  // By UTF-16 code units U+10000 (d800 dc00) stands before U+E000; by code points, and in UTF-8, behind.
  const keys = entry("metadata", '{"\u{10000}":1,"\ue000":2}');
  taken(t, keys, "sorted by UTF-16 code units");
  refused(t, entry("metadata", '{"\ue000":2,"\u{10000}":1}'), "PACK-JSON", "sorted by code points");
  t.end();
});

t.test("[PACK-JSON-1] white space, escapes and other forms of the same text", (t) => {
  for (const space of [" ", "\n", "\t", "\r"]) {
    const shown = JSON.stringify(space);
    refused(t, edited('"alignment":16', `"alignment":${space}16`), "PACK-JSON", `${shown} before a value`);
    refused(t, edited('"alignment":16', `"alignment":16${space}`), "PACK-JSON", `${shown} behind a value`);
    refused(t, edited('{"height":6', `{${space}"height":6`), "PACK-JSON", `${shown} in metadata`);
  }
  for (const [name, text] of [
    ["a letter escaped", '"\\u0061"'],
    ["a slash escaped", '"\\/"'],
    ["a control character in upper case", '"\\u001F"'],
    ["a line end in hexadecimal", '"\\u000a"'],
    ["a line end as it is", '"\n"'],
    ["U+2028 escaped", '"\\u2028"'],
    ["a pair of surrogates escaped", '"\\ud83d\\ude00"'],
    ["a lone surrogate", '"\\ud800"'],
    ["an escape that is none", '"\\x"'],
    ["a text without end", '"a'],
    ["a comma too many", "[1,]"],
    ["a comma too few", "[1 2]"],
    ["no JSON", "undefined"],
  ] as const)
    refused(t, entry("metadata", `{"a":${text}}`), "PACK-JSON", name);
  for (const text of [
    '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\"',
    '"/\u007f\u0085\u2028é\u{1f600}"',
    '""',
    "[]",
    "{}",
    "[null,true,false]",
  ])
    taken(t, entry("metadata", `{"a":${text}}`), ascii(text));
  t.end();
});

t.test("[PACK-JSON-1, PACK-HEADER-3] numbers", (t) => {
  for (const number of [
    "-0",
    "1.0",
    "01",
    "1e3",
    "1E400",
    "1e400",
    "-1e400",
    "+1",
    ".5",
    "5.",
    "0x10",
    "NaN",
    "Infinity",
    "9007199254740993",
    "1e+21x",
    "1.50",
    "100000000000000000000000",
    "--1",
    "1e",
    "0.1e1",
  ])
    refused(t, entry("metadata", `{"a":${number}}`), "PACK-JSON", `${number} in metadata`);
  for (const number of [
    "0",
    "-1",
    "1.5",
    "1e+21",
    "1e-7",
    "0.000001",
    "9007199254740992",
    "1.7976931348623157e+308",
    "5e-324",
    "-1e-10",
  ])
    taken(t, entry("metadata", `{"a":${number}}`), `${number} in metadata`);
  for (const key of ["offset", "size", "decoded_size"]) {
    for (const number of [
      "-1",
      "1.5",
      "1e+21",
      "9007199254740992",
      "9007199254740993",
      "18446744073709551616",
      '"16"',
      "null",
      "[16]",
      "true",
      "{}",
    ])
      refused(t, entry(key, number), "PACK-VALUE", `${key} ${number}`, { pointer: "/asset_table/0" });
    for (const number of ["-0", "016", "--1"]) refused(t, entry(key, number), "PACK-JSON", `${key} ${number}`);
  }
  t.end();
});

t.test(
  "[PACK-HEADER-2, PACK-HEADER-3, PACK-JSON-1] nesting, lengths and counts have caps; unknown keys are refused",
  (t) => {
    const nested = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`;
    const list = (depth: number): string => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    for (const deep of [nested, list]) {
      taken(t, entry("metadata", deep(32)), "32 deep");
      refused(t, entry("metadata", deep(33)), "PACK-JSON", "33 deep");
      t.match(problemsOf(entry("metadata", deep(10_000))), [{ code: "PACK-JSON" }], "10,000 deep");
      t.match(problemsOf(seal(one(), { json: deep(1_000_000) })), [{ code: /PACK-(JSON|KEY)/ }], "a million deep");
    }
    const long = (bytes: number): string => JSON.stringify({ a: "é".repeat((bytes - 8) / 2) });
    taken(t, entry("metadata", long(65_536)), "metadata of 65,536 bytes");
    refused(t, entry("metadata", long(65_538)), "PACK-LIMIT", "metadata of more");
    for (const key of ["metadata", "encoders"]) {
      const parts = changed(({ header }) => Object.assign(header, { [key]: { a: "x".repeat(65_536) } }));
      refused(t, seal(parts), key === "metadata" ? "PACK-LIMIT" : "PACK-LIMIT", `${key} of the header`);
    }
    taken(
      t,
      with_(({ header }) => Object.assign(header, { encoders: { ["k".repeat(255)]: "v".repeat(255) } })),
      "an encoder",
    );
    refused(
      t,
      with_(({ header }) => Object.assign(header, { encoders: { ["k".repeat(256)]: "v" } })),
      "PACK-VALUE",
      "an encoder's key",
    );
    refused(
      t,
      with_(({ header }) => Object.assign(header, { encoders: { k: "v".repeat(256) } })),
      "PACK-VALUE",
      "an encoder's name",
    );
    refused(
      t,
      with_(({ header }) => Object.assign(header, { encoders: { k: 1 } })),
      "PACK-VALUE",
      "an encoder that is a number",
    );
    const many = seal(one(), {
      json: sortedJson(one().header).replace(
        '"preload":[]',
        () => `"preload":[${'{"asset_id":1,"slot":0},'.repeat(1_000_000)}{}]`,
      ),
    });
    t.match(problemsOf(many), [{ code: "PACK-LIMIT", pointer: "/preload" }], "1,000,001 entries of the preload");

    const add = (where: (header: Parts["header"]) => object, key: string): Uint8Array =>
      with_(({ header }) => Object.assign(where(header), { [key]: 1 }), { flags: 0 });
    for (const key of ["a", "zz", "asset_ids", "patch", "Schema", "", "__proto_"]) {
      refused(
        t,
        add((header) => header, key),
        "PACK-KEY",
        `${key} at the top`,
      );
      refused(
        t,
        add((header) => header.data, key),
        "PACK-KEY",
        `${key} in data`,
      );
      refused(
        t,
        add((header) => header.asset_table[2]!, key),
        "PACK-KEY",
        `${key} in an entry`,
      );
      refused(
        t,
        add((header) => header.preload[0]!, key),
        "PACK-KEY",
        `${key} in the preload`,
      );
    }
    const drop = (where: (header: Parts["header"]) => object, key: string): Uint8Array =>
      with_(({ header }) => {
        delete (where(header) as { [key: string]: unknown })[key];
      });
    for (const key of Object.keys(richParts().header))
      refused(
        t,
        drop((header) => header, key),
        "PACK-KEY",
        `no ${key}`,
      );
    for (const key of ["algorithm", "hash", "leaf_size"])
      refused(
        t,
        drop(({ data }) => data, key),
        "PACK-KEY",
        `no ${key}`,
      );
    for (const key of Object.keys(one().header.asset_table[0]!))
      refused(
        t,
        drop(({ asset_table }) => asset_table[1]!, key),
        "PACK-KEY",
        `an entry without ${key}`,
      );
    for (const key of ["asset_id", "slot"])
      refused(
        t,
        drop(({ preload }) => preload[2]!, key),
        "PACK-KEY",
        `no ${key}`,
      );

    const set = (key: string, value: unknown): Uint8Array =>
      with_(({ header }) => Object.assign(header, { [key]: value }));
    for (const [key, value] of [
      ["schema", "ashlar.assets/2"],
      ["schema", 1],
      ["alignment", "16"],
      ["asset_table", {}],
      ["asset_table", [null]],
      ["data", []],
      ["data", { algorithm: "ashlar-tree-2", hash: "sha2-256", leaf_size: 262_144 }],
      ["data", { algorithm: "ashlar-tree-1", hash: "sha3-256", leaf_size: 262_144 }],
      ["encoders", []],
      ["metadata", null],
      ["metadata", []],
      ["preload", {}],
      ["preload", [1]],
    ] as const)
      refused(t, set(key, value), "PACK-VALUE", `${key}: ${JSON.stringify(value)}`);
    for (const leaf_size of [0, 1, 2048, 4095, 4097, 2 ** 27, -4096, 4096.5])
      refused(
        t,
        set("data", { algorithm: "ashlar-tree-1", hash: "sha2-256", leaf_size }),
        "PACK-VALUE",
        `leaves of ${leaf_size}`,
      );
    for (const leaf_size of [4096, 65_536, 2 ** 26])
      taken(t, set("data", { algorithm: "ashlar-tree-1", hash: "sha2-256", leaf_size }), `leaves of ${leaf_size}`);
    t.end();
  },
);

t.test("[PACK-NAME-1, PACK-BANK-1] names that are those of JavaScript's own are names", (t) => {
  const own = ["__proto__", "constructor", "hasOwnProperty", "toString", "prototype", "valueOf"];
  const parts = partsOf(
    own.map((name, id) => ({
      id,
      name,
      bank: name === "__proto__" ? "data" : name.toLowerCase(),
      bytes: noise(4, id + 1),
      metadata: JSON.parse(`{"${name}":{"${name}":1}}`),
    })),
  );
  parts.header.metadata = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  parts.header.encoders = JSON.parse('{"__proto__":"a","constructor":"b"}');
  const file = seal(parts);
  taken(t, file, "both readers");
  const pack = openPack(file);
  for (const [id, name] of own.entries()) t.equal(pack.assetNamed(name)?.id, id, name);
  t.equal(pack.assetNamed("isPrototypeOf"), undefined);
  t.same(Object.keys(pack.header.metadata), ["__proto__", "constructor"]);
  t.same(Object.keys(pack.header.encoders), ["__proto__", "constructor"]);
  t.equal(({} as { polluted?: boolean }).polluted, undefined);
  t.equal((pack.header.metadata as { polluted?: boolean }).polluted, undefined);
  const empty = openPack(seal(partsOf([])));
  for (const name of own) t.equal(empty.assetNamed(name), undefined, `no ${name}`);
  const codec = one({ codec: "constructor" as "raw" });
  refused(t, seal(codec), "PACK-CODEC", "a codec of that name");
  t.end();
});

t.test("[PACK-HEADER-3] ids are signed integers of 32 bits, ascending; none is wrapped", (t) => {
  const ids = (...all: unknown[]): Uint8Array => {
    const parts = partsOf(all.map((_, id) => ({ id, bytes: noise(4, id + 1) })));
    for (const [index, id] of all.entries()) Object.assign(parts.header.asset_table[index]!, { asset_id: id });
    return seal(parts);
  };
  const file = ids(-2_147_483_648, -1, 0, 1, 2_147_483_647);
  taken(t, file, "both ends");
  const pack = openPack(file);
  for (const id of [-2_147_483_648, -1, 0, -0, 1, 2_147_483_647]) t.equal(pack.asset(id)?.id, id + 0, `asset ${id}`);
  for (const id of [
    2_147_483_648,
    -2_147_483_649,
    4_294_967_295,
    4_294_967_296,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2,
  ])
    t.equal(pack.asset(id), undefined, `no asset ${id}`);
  for (const id of [2_147_483_648, -2_147_483_649, 4_294_967_295, 2 ** 53 - 1])
    refused(t, ids(id), "PACK-ASSET-ID", `${id}`, { pointer: "/asset_table/0/asset_id" });
  for (const id of [2 ** 53, 0.5, "1", null, 1e21]) refused(t, ids(id), "PACK-VALUE", JSON.stringify(id));
  refused(t, entry("asset_id", "-0"), "PACK-JSON", "-0");
  refused(t, ids(1, 1), "PACK-ASSET-ID", "twice", { pointer: "/asset_table/1/asset_id" });
  refused(t, ids(2, 1), "PACK-ASSET-ID", "descending", { pointer: "/asset_table/1/asset_id" });
  refused(t, ids(1, -1), "PACK-ASSET-ID", "as if unsigned");
  t.end();
});

t.test("[PACK-NAME-1] names", (t) => {
  const named = (...names: string[]): Uint8Array =>
    seal(partsOf(names.map((name, id) => ({ id, name, bytes: noise(4, id + 1) }))));
  for (const name of [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/..",
    "../a",
    "a/../b",
    "./a",
    "a/.",
    "a\\b",
    "\\",
    "C:",
    "c:/windows",
    "z:a",
    "a\0b",
    "\u0000",
    "a\nb",
    "\u001b",
    "\u007f",
    "\u0080",
    "\u009f",
    "e\u0301",
    "\u212b",
    "\u1100\u1161",
    "n".repeat(256),
    "é".repeat(128),
    "\u{1f600}".repeat(64),
  ])
    refused(t, named(name), "PACK-ASSET-NAME", ascii(name), { pointer: "/asset_table/0/asset_name" });
  for (const name of [
    "a",
    "a/b/c",
    "...",
    "a/...",
    ".a",
    "a.",
    "a..b",
    " ",
    "a b",
    "1:",
    "é:",
    "a/C:",
    "ab:c",
    "é",
    "Å",
    "가",
    "\u00a0",
    "\u2028",
    "\u202e",
    "CON",
    "aux.txt",
    "com¹",
    "n".repeat(255),
    "é".repeat(127),
    "\u{1f600}".repeat(63),
    '"',
    "~",
    "*?<>|",
    "a/b".repeat(80),
  ])
    taken(t, named(name), ascii(name));
  refused(t, named("a", "b", "a"), "PACK-ASSET-NAME", "twice", { pointer: "/asset_table/2/asset_name" });
  refused(t, named('"', "a", '"'), "PACK-ASSET-NAME", "twice, escaped");
  taken(t, named("a", "A", "a/b", "a.b"), "alike");
  // Surrogates that stand alone have no UTF-8 at all.
  refused(t, entry("asset_name", '"\\ud800"'), "PACK-JSON", "a lone surrogate");
  const pack = openPack(named("a", 'q"uote', "é/ü"));
  t.same(
    [...pack.assets()].map(({ name }) => pack.assetNamed(name)?.name),
    ["a", 'q"uote', "é/ü"],
  );
  t.equal(pack.assetNamed('q\\"uote'), undefined);
  t.end();
});

t.test("[PACK-BANK-1, PACK-BANK-2] bank types and their numbers", (t) => {
  const banks = (...all: string[]): Uint8Array =>
    seal(partsOf(all.map((bank, id) => ({ id, bank, bytes: noise(4, id + 1) }))));
  const registered = ["tiles", "sprites", "sounds", "fonts", "palettes", "text", "data", "module"];
  const pack = openPack(banks(...registered, "levels", "z", "constructor"));
  t.same(
    [...pack.assets()].map(({ bankNumber }) => bankNumber),
    [
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      ...["levels", "z", "constructor"].map(
        (name) => (Buffer.from(digestOf(Buffer.from(name)), "hex").readUInt32LE(0) | 0x8000_0000) >>> 0,
      ),
    ],
  );
  for (const bank of ["", "Tiles", "1a", "_a", "-a", "a b", "a.b", "a/b", "ä", "a\n", "a".repeat(33), "a\0"])
    refused(t, banks(bank), "PACK-BANK-TYPE", ascii(bank), { pointer: "/asset_table/0/bank_type" });
  for (const bank of ["a", "z9_-", "a".repeat(32)]) taken(t, banks(bank), bank);
  // Two names with one number: found by trying.
  refused(t, banks("b5jo", "b6jg"), "PACK-BANK-TYPE", "two bank types with one number");
  taken(t, banks("b5jo", "b5jo", "b6jh"), "one bank type twice");
  t.end();
});

// ---------------------------------------------------------------------------------------------------- slices

/** Raw assets that lie as told in a payload of noise. */
function slices(
  payloadLength: number,
  all: readonly (readonly [offset: number, size: number])[],
  alignment = 16,
): Parts {
  const parts = partsOf([], { alignment });
  parts.payload = noise(payloadLength);
  for (const [index, [offset, size]] of all.entries())
    parts.header.asset_table.push({
      asset_id: index,
      asset_name: `asset${index}`,
      bank_type: "data",
      codec: "raw",
      decoded_size: size,
      digest: digestOf(parts.payload.subarray(offset, offset + size)),
      metadata: {},
      offset,
      size,
    });
  // Padding is zero.
  const end = (from: number): number => Math.max(0, ...all.filter(([at]) => at < from).map(([at, size]) => at + size));
  for (const [offset] of all) if (end(offset) < offset) parts.payload.fill(0, end(offset), offset);
  for (const entry of parts.header.asset_table)
    entry.digest = digestOf(parts.payload.subarray(entry.offset, entry.offset + entry.size));
  return parts;
}

t.test("[PACK-SLICE-1] slices lie in the payload", (t) => {
  taken(
    t,
    seal(
      slices(32, [
        [0, 16],
        [16, 16],
      ]),
    ),
    "two slices",
  );
  for (const [offset, size] of [
    [0, 33],
    [16, 17],
    [32, 1],
    [48, 1],
    [2 ** 53 - 16, 16],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [16, 2 ** 53 - 1],
    [2 ** 32, 1],
  ] as const) {
    const parts = slices(32, [[0, 32]]);
    Object.assign(parts.header.asset_table[0]!, { offset, size, decoded_size: size });
    refused(t, seal(parts), "PACK-RANGE", `${size} bytes at ${offset} of 32`, { pointer: "/asset_table/0/offset" });
  }
  t.end();
});

t.test("[PACK-SLICE-2, PACK-SLICE-3] slices do not overlap, share whole or not at all, and leave no holes", (t) => {
  const at = (...all: (readonly [number, number])[]): Uint8Array => seal(slices(64, all));
  taken(t, at([0, 16], [16, 48]), "side by side");
  taken(t, at([0, 1], [16, 48]), "with padding");
  taken(t, at([16, 48], [0, 16]), "in another order than the ids");
  refused(t, at([0, 17], [16, 48]), "PACK-OVERLAP", "by a byte", { pointer: "/asset_table/1/offset" });
  refused(t, at([0, 64], [16, 16]), "PACK-OVERLAP", "one within another");
  refused(t, at([0, 64], [48, 16]), "PACK-OVERLAP", "one at the end of another");
  refused(t, at([0, 64], [0, 16]), "PACK-OVERLAP", "one at the beginning of another");
  taken(t, at([0, 64], [0, 64], [0, 64]), "the same slice");
  refused(t, at([0, 16], [48, 16]), "PACK-HOLE", "a hole", { pointer: "/asset_table/1/offset" });
  refused(t, at([16, 48]), "PACK-HOLE", "a hole at the beginning");
  refused(t, at([0, 48]), "PACK-HOLE", "bytes behind the last");
  refused(t, at([0, 63]), "PACK-HOLE", "a byte behind the last");
  refused(t, seal(slices(16, [])), "PACK-HOLE", "a payload of no slices");
  refused(t, seal(slices(16, [[0, 0]])), "PACK-HOLE", "a payload of nothing but an empty asset");
  const other = slices(64, [
    [0, 64],
    [0, 64],
  ]);
  other.header.asset_table[1]!.digest = digestOf(noise(3));
  refused(t, seal(other), "PACK-OVERLAP", "the same slice with another digest", { pointer: "/asset_table/1/offset" });
  taken(t, seal(slices(16, new Array(1024).fill([0, 16]))), "1,024 assets in one slice");
  refused(t, seal(slices(16, new Array(1025).fill([0, 16]))), "PACK-OVERLAP", "1,025 assets in one slice", {
    pointer: "/asset_table/1024/offset",
  });
  const padded = slices(64, [
    [0, 1],
    [16, 48],
  ]);
  padded.payload[15] = 1;
  const file = seal(padded);
  t.same(problemsOf(file), [], "opening does not look at padding");
  t.throws(() => openPack(file).verify(), { code: "PACK-PADDING" }, "verify does");
  t.same(compare([file]), { code: "PACK-PADDING" });
  t.end();
});

t.test("[PACK-HEADER-2, PACK-SLICE-1] the alignment is a power of two, and slices and payload obey it", (t) => {
  for (const alignment of [1, 2, 4096, 65_536]) {
    const parts = partsOf(
      [
        { id: 1, bytes: noise(5) },
        { id: 2, bytes: noise(6, 2) },
      ],
      { alignment },
    );
    taken(t, seal(parts), `an alignment of ${alignment}`);
  }
  for (const alignment of [0, 3, 24, 131_072, -16, 0.5, 2 ** 32]) {
    const parts = partsOf([]);
    parts.header.alignment = alignment;
    refused(t, seal(parts), "PACK-VALUE", `an alignment of ${alignment}`, { pointer: "/alignment" });
  }
  refused(
    t,
    seal(
      slices(32, [
        [0, 8],
        [8, 24],
      ]),
    ),
    "PACK-ALIGNMENT",
    "a slice at 8",
    { pointer: "/asset_table/1/offset" },
  );
  const { length } = Buffer.from(sortedJson(one().header));
  const spaces = -(128 + length) & 15;
  for (const more of [0, 16])
    taken(t, seal(one(), { padding: new Uint8Array(spaces + more).fill(0x20) }), `${more} spaces more`);
  for (const more of [1, 8, 15])
    refused(
      t,
      seal(one(), { padding: new Uint8Array(spaces + more).fill(0x20) }),
      "PACK-ALIGNMENT",
      `the payload ${more} behind`,
    );
  t.end();
});

t.test("[PACK-SLICE-1] what has no bytes", (t) => {
  const empty = (change: object): Uint8Array => {
    const parts = partsOf([
      { id: 1, bytes: new Uint8Array(0) },
      { id: 2, bytes: noise(32) },
    ]);
    Object.assign(parts.header.asset_table[0]!, change);
    return seal(parts);
  };
  taken(t, empty({}), "an empty asset");
  taken(
    t,
    seal(
      partsOf([
        { id: 1, bytes: new Uint8Array(0) },
        { id: 2, bytes: new Uint8Array(0) },
      ]),
    ),
    "nothing but empty ones",
  );
  taken(t, seal(partsOf([])), "no assets at all");
  refused(t, empty({ offset: 16 }), "PACK-RANGE", "at another offset");
  refused(t, empty({ digest: digestOf(noise(1)) }), "PACK-DIGEST", "with another digest");
  refused(t, empty({ codec: "deflate" }), "PACK-DECODED-SIZE", "with a codec");
  refused(t, empty({ codec: "zstd", decoded_size: 1 }), "PACK-DECODED-SIZE", "that decodes to something");
  refused(t, empty({ decoded_size: 1 }), "PACK-DECODED-SIZE", "of which one byte is said");
  const pack = openPack(empty({}));
  t.equal(pack.asset(1)!.open().read(0, new Uint8Array(4)), 0);
  t.end();
});

// ---------------------------------------------------------------------------------------------------- codecs

/** The code with which an asset is refused when it is read; "" when it is not. */
function readCode(file: Uint8Array, options?: PackOptions): string {
  const pack = openPack(file, options);
  const asset = pack.asset(1)!;
  const bytes = new Uint8Array(asset.decodedSize + 1);
  const code = codeOf(() => t.equal(asset.open().read(0, bytes), asset.decodedSize));
  pack.close();
  return code;
}

t.test("[PACK-CODEC-1] codecs are known, and decoded sizes have caps", (t) => {
  for (const codec of ["lz4", "", "RAW", "Deflate", "brotli", "zstd "])
    refused(t, seal(one({ codec: codec as "raw" })), "PACK-CODEC", JSON.stringify(codec), {
      pointer: "/asset_table/0/codec",
    });
  const claims = (codec: "raw" | "deflate" | "zstd", stored: Uint8Array, decoded_size: number): Uint8Array => {
    const parts = one({ codec, bytes: new Uint8Array(0), stored });
    parts.header.asset_table[0]!.decoded_size = decoded_size;
    return seal(parts);
  };
  refused(t, claims("raw", noise(40), 39), "PACK-DECODED-SIZE", "raw of another size", {
    pointer: "/asset_table/0/decoded_size",
  });
  refused(t, claims("raw", noise(40), 41), "PACK-DECODED-SIZE", "raw of another size");
  refused(t, claims("deflate", noise(40), 40 * 2048 + 1), "PACK-DECODED-SIZE", "more than 2,048 times the size");
  t.same(problemsOf(claims("deflate", noise(40), 40 * 2048)), [], "2,048 times the size");
  refused(t, claims("zstd", noise(2 ** 19 + 1), 2 ** 30 + 1), "PACK-DECODED-SIZE", "more than 1 GiB");
  t.same(problemsOf(claims("zstd", noise(2 ** 19), 2 ** 30)), [], "1 GiB");
  t.equal(
    readCode(claims("zstd", noise(2 ** 19), 2 ** 30)),
    "PACK-LIMIT",
    "which the host does not allow, unless it says so",
  );

  const bytes = lines(100);
  for (const codec of ["deflate", "zstd"] as const) {
    const stored = codec === "deflate" ? deflateRawSync(bytes) : zstdCompressSync(bytes);
    t.equal(readCode(claims(codec, stored, bytes.length)), "", codec);
    for (const by of [-bytes.length, -1, 1, 1000])
      t.equal(readCode(claims(codec, stored, bytes.length + by)), "PACK-DECODE", `${codec} with ${by} bytes more said`);
    t.equal(readCode(claims(codec, stored.subarray(0, -1), bytes.length)), "PACK-DECODE", `${codec} cut off`);
    t.equal(
      readCode(claims(codec, Buffer.concat([stored, new Uint8Array(1)]), bytes.length)),
      "PACK-DECODE",
      `a byte behind ${codec}`,
    );
    t.equal(readCode(claims(codec, Buffer.concat([stored, stored]), bytes.length)), "PACK-DECODE", `${codec} twice`);
    t.equal(
      readCode(claims(codec, Buffer.concat([stored, stored]), 2 * bytes.length)),
      "PACK-DECODE",
      `${codec} twice, and so long`,
    );
    t.equal(readCode(claims(codec, noise(50), 100)), "PACK-DECODE", `noise for ${codec}`);
    t.equal(
      readCode(claims(codec, stored, bytes.length), { decodedBytes: bytes.length }),
      "",
      "as much as the host allows",
    );
    t.equal(
      readCode(claims(codec, stored, bytes.length), { decodedBytes: bytes.length - 1 }),
      "PACK-LIMIT",
      "more than that",
    );
  }
  t.equal(readCode(claims("raw", noise(4096), 4096), { decodedBytes: 1 }), "", "raw is not held in memory");
  t.end();
});

t.test("[PACK-CODEC-1] decoding a bomb stops where there would be more than is said", (t) => {
  // 64 MiB of zeros, in 64 KiB.
  const zeros = new Uint8Array(2 ** 26);
  const bombs = { deflate: deflateRawSync(zeros, { level: 9 }), zstd: zstdCompressSync(zeros) };
  for (const [codec, stored] of Object.entries(bombs)) {
    const parts = one({ codec: codec as "deflate", bytes: new Uint8Array(4096), stored });
    const file = seal(parts);
    const before = process.memoryUsage().arrayBuffers;
    t.equal(readCode(file), "PACK-DECODE", codec);
    t.ok(process.memoryUsage().arrayBuffers - before < 2 ** 24, `${codec}: no memory for all of it`);
  }
  t.end();
});

t.test("[PACK-CODEC-2, PACK-CODEC-3] what decoders may do differently is refused", (t) => {
  const bytes = lines(100);
  const zstd = (stored: Uint8Array, size = bytes.length): string => {
    const parts = one({ codec: "zstd", bytes: new Uint8Array(size), stored });
    return compare([seal(parts)]).disagreement ? "the readers disagree" : readCode(seal(parts));
  };
  const frame = (params: { [parameter: number]: number }): Uint8Array => zstdCompressSync(bytes, { params });
  t.equal(zstd(frame({})), "");
  t.equal(zstd(frame({ [constants.ZSTD_c_checksumFlag]: 1 })), "PACK-DECODE", "a checksum");
  t.equal(zstd(frame({ [constants.ZSTD_c_contentSizeFlag]: 0 })), "PACK-DECODE", "no size");
  const skippable = Buffer.from("502a4d1804000000ffffffff", "hex");
  t.equal(zstd(Buffer.concat([skippable, frame({})])), "PACK-DECODE", "a frame to skip before it");
  t.equal(zstd(Buffer.concat([frame({}), skippable])), "PACK-DECODE", "a frame to skip behind it");
  t.equal(zstd(skippable, 0), "PACK-DECODE", "nothing but a frame to skip");
  // Magic, a descriptor, what it says, and one raw block at the end.
  const made = (descriptor: number, fields: readonly number[], content: Uint8Array): Uint8Array => {
    const block = (content.length << 3) | 1;
    return Uint8Array.from([
      0x28,
      0xb5,
      0x2f,
      0xfd,
      descriptor,
      ...fields,
      block & 255,
      (block >> 8) & 255,
      block >> 16,
      ...content,
    ]);
  };
  const ten = noise(10);
  const eight = [10, 0, 0, 0, 0, 0, 0, 0];
  t.equal(zstd(made(0x20, [10], ten), 10), "", "a single segment");
  t.equal(zstd(made(0xc0, [0, ...eight], ten), 10), "", "a window and eight bytes of size");
  t.equal(zstd(made(0xc0, [17 << 3, ...eight], ten), 10), "", "a window of 128 MiB");
  t.equal(zstd(made(0xc0, [(17 << 3) | 1, ...eight], ten), 10), "PACK-DECODE", "a window of more");
  t.equal(zstd(made(0xc0, [18 << 3, ...eight], ten), 10), "PACK-DECODE", "a window of 256 MiB");
  t.equal(zstd(made(0x00, [0], ten), 10), "PACK-DECODE", "a window, and no size");
  t.equal(zstd(made(0x20, [11], ten), 10), "PACK-DECODE", "another size");
  t.equal(zstd(made(0x20, [11], ten), 11), "PACK-DECODE", "a size that the blocks do not have");
  t.equal(zstd(made(0x21, [0, 10], ten), 10), "PACK-DECODE", "a dictionary of no id");
  t.equal(zstd(made(0x21, [5, 10], ten), 10), "PACK-DECODE", "a dictionary");
  t.equal(zstd(made(0x28, [10], ten), 10), "PACK-DECODE", "a reserved bit");
  const raw = (stored: Uint8Array, size: number): string => {
    const parts = one({ codec: "deflate", bytes: new Uint8Array(size), stored });
    return compare([seal(parts)]).disagreement ? "the readers disagree" : readCode(seal(parts));
  };
  t.equal(raw(Uint8Array.of(3, 0), 0), "", "an empty stream");
  t.equal(raw(Uint8Array.of(1, 0, 0, 0xff, 0xff), 0), "", "an empty stream of a stored block");
  t.equal(raw(Uint8Array.of(1, 1, 0, 0xfe, 0xff, 65), 1), "", "a stored block");
  t.equal(raw(Uint8Array.of(0, 1, 0, 0xfe, 0xff, 65), 1), "PACK-DECODE", "without a last block");
  t.equal(raw(Uint8Array.of(7, 0), 0), "PACK-DECODE", "a block of the reserved kind");
  t.equal(
    raw(Buffer.concat([Uint8Array.of(0x78, 0x9c), deflateRawSync(bytes)]), bytes.length),
    "PACK-DECODE",
    "in zlib's wrapper",
  );
  t.end();
});

// --------------------------------------------------------------------------------------------------- preload

t.test("[PACK-PRELOAD-1, PACK-PRELOAD-2] the preload", (t) => {
  const preload = (...places: (readonly [unknown, unknown])[]): Uint8Array =>
    with_(({ header }) => {
      header.preload = places.map(([asset_id, slot]) => ({ asset_id, slot })) as Parts["header"]["preload"];
    });
  taken(t, preload(), "none");
  taken(
    t,
    preload([0, 0], [0, 1], [0, 255], [-1, 0], [-2_147_483_648, 1]),
    "an asset in several slots, a slot in several banks",
  );
  const pack = openPack(preload([1, 3], [0, 9], [-1, 2]));
  t.same(
    pack.preload,
    [
      { assetId: 1, slot: 3 },
      { assetId: 0, slot: 9 },
      { assetId: -1, slot: 2 },
    ],
    "in their order",
  );
  for (const id of [3, -3, 2 ** 31, -(2 ** 31) - 1, 2 ** 32])
    refused(t, preload([0, 0], [id, 0]), "PACK-PRELOAD-ID", `asset ${id}`, { pointer: "/preload/1/asset_id" });
  for (const slot of [-1, 256, 2 ** 31, 2 ** 53 - 1])
    refused(t, preload([0, slot]), "PACK-PRELOAD-SLOT", `slot ${slot}`, { pointer: "/preload/0/slot" });
  for (const [id, slot] of [
    [0, 0.5],
    [0, "0"],
    [0, null],
    [0.5, 0],
    ["0", 0],
    [0, 2 ** 53],
  ] as const)
    refused(t, preload([id, slot]), "PACK-VALUE", JSON.stringify([id, slot]));
  refused(t, preload([0, 7], [0, 7]), "PACK-PRELOAD-CLASH", "an entry twice", { pointer: "/preload/1" });
  // The first two assets are both tiles.
  refused(t, preload([-1, 7], [-2_147_483_648, 7]), "PACK-PRELOAD-CLASH", "two assets in one slot", {
    pointer: "/preload/1",
  });
  t.same(problemsOf(preload([0, 300]), { slots: 301 }), [], "more slots");
  t.match(problemsOf(preload([0, 300]), { slots: 300 }), [{ code: "PACK-PRELOAD-SLOT" }], "fewer");
  t.match(problemsOf(preload([0, 0]), { slots: 0 }), [{ code: "PACK-PRELOAD-SLOT" }], "none");
  t.same(problemsOf(preload([0, 300]), { slots: { sounds: 301 } }), [], "more slots of that type");
  t.match(
    problemsOf(preload([0, 300], [1, 256]), { slots: { sounds: 301 } }),
    [{ code: "PACK-PRELOAD-SLOT", pointer: "/preload/1/slot" }],
    "and 256 of others",
  );
  t.match(
    problemsOf(preload([0, 256]), { slots: Object.create({ sounds: 301 }) }),
    [{ code: "PACK-PRELOAD-SLOT" }],
    "no slots are inherited",
  );
  t.end();
});

// ---------------------------------------------------------------------------------------------------- errors

t.test("[PACK-ERROR-1, PACK-ERROR-2] all problems are told at once, up to 100, with their places", (t) => {
  const file = with_(({ header }) => {
    header.asset_table[0]!.asset_name = "..";
    header.asset_table[1]!.bank_type = "Tiles";
    header.asset_table[3]!.codec = "lz4";
    header.asset_table[5]!.offset += 8;
  });
  const problems = problemsOf(file);
  t.match(problems, [
    { code: "PACK-ASSET-NAME", pointer: "/asset_table/0/asset_name" },
    { code: "PACK-BANK-TYPE", pointer: "/asset_table/1/bank_type" },
    { code: "PACK-CODEC", pointer: "/asset_table/3/codec" },
    { code: "PACK-ALIGNMENT", pointer: "/asset_table/5/offset" },
  ]);
  for (const { offset, pointer } of problems.slice(0, 4)) {
    const value = pointer!
      .split("/")
      .slice(1)
      .reduce<unknown>(
        (value, step) => (value as { [step: string]: unknown })[step],
        JSON.parse(
          Buffer.from(file.subarray(128))
            .toString()
            .split("]  ")[0]!
            .replace(/\}[^}]*$/, "}"),
        ) as object,
      );
    t.ok(
      Buffer.from(file.subarray(offset)).toString().replace(/^"/, "").startsWith(String(value)),
      `byte ${offset} is where ${pointer} stands`,
    );
  }
  const many = partsOf(Array.from({ length: 150 }, (_, id) => ({ id, name: "/", bytes: new Uint8Array(0) })));
  try {
    openPack(seal(many), { label: "many.pa" });
    t.fail("it was opened");
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    t.equal(error.problems.length, 100);
    t.ok(error.total >= 299, `${error.total} in all`);
    t.equal(error.code, "PACK-ASSET-NAME");
    t.equal(error.name, "PackError");
    t.match(error.message, /^many\.pa: .* \(and \d+ more\)$/);
    t.ok(error.problems.every(({ file }) => file === "many.pa"));
  }
  // What ends the reading is told behind what was found before it.
  const json = sortedJson(changed(({ header }) => void (header.asset_table[0]!.asset_name = "..")).header);
  const cut = seal(richParts(), { json: json.slice(0, -20) });
  t.match(
    problemsOf(cut).map(({ code }) => code),
    ["PACK-ASSET-NAME", "PACK-JSON"],
  );
  t.end();
});
