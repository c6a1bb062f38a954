/** What the writer makes is what the second reader reads, and never what a reader refuses. */
import { execFileSync } from "node:child_process";
import fs, {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import t from "tap";
import {
  type AssetInput,
  ENCODERS,
  type EncodedBy,
  encodePack,
  encodeWith,
  openPack,
  PackError,
  type PackInput,
  writePack,
} from "../../../host/assets/index.ts";
import { Random } from "../../vm/random.ts";
import { compare } from "./mutations.ts";
import { digestOf, lines, noise } from "./pack-parts.ts";
import { readPack, readStack } from "./second-reader.ts";

function raw(id: number, bytes: Uint8Array, more: Partial<AssetInput> = {}): AssetInput {
  return { id, name: `asset${id}`, bankType: "data", codec: "raw", decodedSize: bytes.length, stored: bytes, ...more };
}

async function encoded(id: number, codec: EncodedBy, bytes: Uint8Array): Promise<AssetInput> {
  return raw(id, await encodeWith(codec, bytes), { codec, decodedSize: bytes.length });
}

/** Code and pointer of the first problem. */
async function refusal(input: PackInput): Promise<string> {
  try {
    await encodePack(input);
    return "";
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    const { code, pointer } = error.problems[0]!;
    return pointer === undefined ? code : `${code} ${pointer}`;
  }
}

t.test("[PACK-WRITE-1, PACK-WRITE-2] any assets: the second reader reads what was written", async (t) => {
  const names = ["a", "b/c", "ü", "日本/語", "__proto__", "x".repeat(250), 'q"', "#~ .", "C", "c"];
  const banks = ["tiles", "sprites", "data", "levels", "x-1"];
  let shared = 0;
  let patches = 0;
  for (let seed = 0; seed < 80; seed++) {
    const random = new Random(seed);
    const contents = Array.from({ length: 4 }, (_, k) =>
      noise(random.pick([0, 1, 5, 16, 100, 4096, 20_000]), seed + k),
    );
    contents.push(lines(1 + random.below(50)));
    const ids = new Set(
      Array.from({ length: random.below(12) }, () => random.pick([random.next() | 0, random.below(30) - 15])),
    );
    const free = [...names];
    const assets: AssetInput[] = [];
    for (const id of ids) {
      if (free.length === 0) break;
      const bytes = random.pick(contents);
      const codec = bytes.length === 0 ? "raw" : random.pick(["raw", "raw", "deflate", "zstd"] as const);
      const stored = codec === "raw" ? bytes : await encodeWith(codec, bytes);
      const [name] = free.splice(random.below(free.length), 1) as [string];
      const metadata = random.pick([{}, { z: 1, a: [null, true, 1e-7, "é\u0001"] }, { "10": 1, "9": { "": {} } }]);
      assets.push({ id, name, bankType: random.pick(banks), codec, decodedSize: bytes.length, metadata, stored });
    }
    const slots = new Set<string>();
    const preload = Array.from({ length: assets.length === 0 ? 0 : random.below(5) }, () => ({
      assetId: random.pick(assets).id,
      slot: random.below(256),
    })).filter(({ assetId, slot }) => {
      const place = `${assets.find(({ id }) => id === assetId)!.bankType} ${slot}`;
      return !slots.has(place) && slots.add(place);
    });
    const base = random.chance(0.3) ? await encodePack({ assets: [raw(99, noise(3), { name: "base" })] }) : undefined;
    const input: PackInput = {
      assets,
      preload,
      metadata: random.pick([{}, { title: "any" }]),
      encoders: random.pick([{}, ENCODERS]),
      alignment: random.pick([1, 4, 16, 512]),
      order: assets.filter(() => random.chance(0.3)).map(({ id }) => id),
      ...(base && { patch: { base: readPack(base).identity, removed: random.chance(0.5) ? [99] : [] } }),
    };
    const file = await encodePack(input);
    const files = base ? [base, file] : [file];
    if (base) patches++;
    t.same(compare(files), { code: "" }, `seed ${seed}`);
    const set = readStack(files);
    t.same(
      set.preload,
      preload.map(({ assetId, slot }) => ({ asset_id: assetId, slot })),
    );
    const found = new Map(set.table.map((entry) => [entry.asset_id, entry]));
    for (const { id, name, bankType, codec, decodedSize, metadata, stored } of assets) {
      const entry = found.get(id)!;
      t.same(
        [entry.asset_name, entry.bank_type, entry.codec, entry.decoded_size],
        [name, bankType, codec, decodedSize],
      );
      t.same(JSON.parse(entry.metadata), metadata);
      t.equal(entry.digest, digestOf(stored as Uint8Array));
    }
    const offsets = assets
      .filter(({ stored }) => (stored as Uint8Array).length > 0)
      .map(({ id }) => found.get(id)!.offset);
    shared += offsets.length - new Set(offsets).size;
    readPack(file).verify();
    // In any order, and once more: the same bytes.
    const again = await encodePack({ ...input, assets: [...assets].reverse() });
    t.equal(digestOf(again), digestOf(file), "the order of the inputs does not matter");
  }
  t.ok(shared > 25, `${shared} slices shared`);
  t.ok(patches > 10, `${patches} patches`);
  t.end();
});

t.test("[PACK-WRITE-1, PACK-SLICE-3] slices lie in the order that is asked for, equal ones once", async (t) => {
  const assets = [
    raw(1, noise(20)),
    raw(2, noise(30, 2)),
    raw(3, noise(20)),
    raw(4, noise(7, 4)),
    raw(5, new Uint8Array(0)),
  ];
  const placesOf = async (order: number[]) =>
    readPack(await encodePack({ assets, order })).table.map(({ offset }) => offset);
  t.same(await placesOf([]), [0, 32, 0, 64, 0]);
  t.same(await placesOf([4, 3]), [16, 48, 16, 0, 0]);
  t.same(await placesOf([2, 2, 1]), [32, 0, 32, 64, 0], "an id twice");
  t.equal(await refusal({ assets, order: [9] }), "PACK-VALUE", "an id that is not there");
  const folder = t.testdir({});
  const summary = await writePack(join(folder, "a.pa"), { assets });
  const { size } = statSync(join(folder, "a.pa"));
  t.match(summary, { bytes: size, assets: 5, shared: 1, sharedBytes: 20, payloadBytes: 71 });
  t.equal(summary.headerBytes, size - 128 - 71);
  t.equal(summary.identity, openPack(join(folder, "a.pa")).identity);
  // One slice serves 1,024 assets at most.
  const many = await encodePack({ assets: Array.from({ length: 2100 }, (_, id) => raw(id, noise(40))) });
  t.same(compare([many]), { code: "" });
  t.equal(new Set(readPack(many).table.map(({ offset }) => offset)).size, 3);
  t.end();
});

t.test(
  "[PACK-WRITE-1, PACK-WRITE-3] to a file as to memory, from files as from memory, also where assets are larger than a leaf",
  async (t) => {
    const folder = t.testdir({});
    const large = noise(600_000);
    const contents = [noise(100), large, noise(262_144, 3), large, noise(50, 4), noise(1_000_000, 5), large, large];
    const path = join(folder, "a.pa");
    for (const alignment of [16, 65_536])
      for (const count of [contents.length, 4, 3]) {
        const assets = contents.slice(0, count).map((bytes, id) => raw(id, bytes));
        const files = assets.map((asset): AssetInput => {
          const file = join(folder, `${asset.id}.bin`);
          writeFileSync(file, asset.stored as Uint8Array);
          return { ...asset, stored: { file, size: asset.decodedSize, mtimeMs: statSync(file).mtimeMs } };
        });
        const memory = await encodePack({ assets, alignment });
        t.same(compare([memory]), { code: "" });
        for (const from of [assets, files]) {
          const heard: number[] = [];
          await writePack(path, { assets: from, alignment }, { onProgress: (done, total) => heard.push(done / total) });
          t.equal(digestOf(readFileSync(path)), digestOf(memory), `${count} assets, aligned to ${alignment}`);
          t.equal(heard.at(-1), 1);
        }
      }
    const parts = join(folder, "7.bin");
    const part = raw(1, noise(50).subarray(10, 30), { stored: { file: join(folder, "0.bin"), size: 20, offset: 10 } });
    t.equal(
      digestOf(await encodePack({ assets: [part] })),
      digestOf(await encodePack({ assets: [raw(1, noise(100).slice(10, 30))] })),
      "a part of a file",
    );
    t.ok(statSync(parts).size > 0);
    t.same(
      readdirSync(folder).filter((name) => !/^(a\.pa|\d\.bin)$/.test(name)),
      [],
      "nothing else is left",
    );
    t.end();
  },
);

t.test("[PACK-WRITE-2, PACK-ERROR-1] a writer refuses what a reader would", async (t) => {
  const one = (more: Partial<AssetInput>, bytes = noise(4)): PackInput => ({ assets: [raw(1, bytes, more)] });
  for (const [expected, input] of [
    ["", one({})],
    ["PACK-ASSET-ID /asset_table/1/asset_id", { assets: [raw(1, noise(1)), raw(1, noise(2), { name: "b" })] }],
    ["PACK-ASSET-ID /asset_table/0/asset_id", { assets: [raw(2 ** 31, noise(1))] }],
    ["PACK-VALUE", { assets: [raw(0.5, noise(1))] }],
    ["PACK-VALUE", { assets: [raw(Number.NaN, noise(1))] }],
    ["PACK-ASSET-NAME /asset_table/0/asset_name", one({ name: "../a" })],
    ["PACK-ASSET-NAME /asset_table/1/asset_name", { assets: [raw(1, noise(1)), raw(2, noise(2), { name: "asset1" })] }],
    ["PACK-VALUE", one({ name: "\ud800" })],
    ["PACK-BANK-TYPE /asset_table/0/bank_type", one({ bankType: "Tiles" })],
    ["PACK-BANK-TYPE", { assets: [raw(1, noise(1), { bankType: "b5jo" }), raw(2, noise(2), { bankType: "b6jg" })] }],
    ["PACK-CODEC /asset_table/0/codec", one({ codec: "lz4" })],
    ["PACK-DECODED-SIZE /asset_table/0/decoded_size", one({ decodedSize: 5 })],
    ["PACK-DECODED-SIZE", one({ codec: "deflate", decodedSize: 2048 * 4 + 1 })],
    ["PACK-DECODED-SIZE", one({ codec: "zstd", decodedSize: 0 }, new Uint8Array(0))],
    ["PACK-VALUE", one({ codec: "deflate", decodedSize: 1.5 })],
    ["PACK-VALUE", one({ metadata: { a: Number.NaN } })],
    ["PACK-VALUE", one({ metadata: { a: "\udfff" } })],
    ["PACK-VALUE", one({ metadata: { a: undefined as unknown as null } })],
    ["PACK-VALUE", one({ metadata: { a: 1n as unknown as null } })],
    ["PACK-VALUE", one({ metadata: [] as unknown as { [key: string]: null } })],
    ["PACK-LIMIT /asset_table/0/metadata", one({ metadata: { a: "x".repeat(65_536) } })],
    ["PACK-LIMIT", { assets: [], metadata: { a: "x".repeat(65_536) } }],
    ["PACK-VALUE /alignment", { assets: [], alignment: 3 }],
    ["PACK-VALUE /alignment", { assets: [], alignment: 0 }],
    ["PACK-VALUE", { assets: [], alignment: Number.NaN }],
    ["PACK-VALUE", { assets: [], encoders: { deflate: "x".repeat(256) } }],
    ["PACK-PRELOAD-ID /preload/0/asset_id", { assets: [], preload: [{ assetId: 1, slot: 0 }] }],
    ["PACK-PRELOAD-SLOT /preload/0/slot", { ...one({}), preload: [{ assetId: 1, slot: 256 }] }],
    ["", { ...one({}), preload: [{ assetId: 1, slot: 256 }], slots: 257 }],
    ["PACK-VALUE", { ...one({}), preload: [{ assetId: 1, slot: 0.5 }] }],
    [
      "PACK-PRELOAD-CLASH /preload/1",
      {
        ...one({}),
        preload: [
          { assetId: 1, slot: 0 },
          { assetId: 1, slot: 0 },
        ],
      },
    ],
    ["PACK-VALUE /patch/base", { assets: [], patch: { base: "mi2:", removed: [] } }],
    [
      "PACK-REMOVED /patch/removed/0",
      { ...one({}), patch: { base: readPack(await encodePack({ assets: [] })).identity, removed: [1] } },
    ],
  ] as const satisfies readonly (readonly [string, PackInput])[]) {
    const found = await refusal(input as PackInput);
    t.ok(expected === "" ? found === "" : found.startsWith(expected), `${found}, expected ${expected || "nothing"}`);
  }
  const nested = (depth: number): { [key: string]: never } =>
    JSON.parse(`${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`);
  t.equal(await refusal(one({ metadata: nested(32) })), "", "metadata 32 deep");
  t.match(await refusal(one({ metadata: nested(33) })), /^PACK-(VALUE|JSON)/, "and 33");
  t.equal(await refusal({ assets: [], metadata: nested(32) }), "", "of the pack, 32 deep");
  const cyclic: { a?: object } = {};
  cyclic.a = cyclic;
  t.match(
    await refusal(one({ metadata: cyclic as { [key: string]: never } })),
    /^PACK-(VALUE|JSON)/,
    "and without end",
  );
  const file = join(t.testdir({ "a.bin": "text" }), "a.bin");
  try {
    await encodePack({ assets: [raw(7, noise(4), { name: "a\\b", stored: { file, size: 4 } })] });
    t.fail("it was made");
  } catch (error) {
    t.match(error, { code: "PACK-ASSET-NAME", problems: [{ file }] }, "the problem names the file");
    t.match((error as Error).message, /asset 7 \(a\\b\)/);
  }
  t.end();
});

t.test("[PACK-WRITE-2, PACK-PRELUDE-3] a header that no reader takes is not written", async (t) => {
  const metadata = { a: "x".repeat(65_000) };
  const assets = Array.from({ length: 1035 }, (_, id) => raw(id, noise(0), { metadata }));
  t.equal(await refusal({ assets }), "PACK-HEADER-SIZE");
  const fits = await encodePack({ assets: assets.slice(0, 1020) });
  t.equal(openPack(fits).length, 1020);
  t.end();
});

t.test("[PACK-WRITE-3] whole or not at all", async (t) => {
  const folder = t.testdir({ "old.pa": "what was there", "in.bin": "0123456789", folder: {} });
  const input = join(folder, "in.bin");
  const path = join(folder, "old.pa");
  const { mtimeMs } = statSync(input);
  const fails = async (code: string, what: string, asset: AssetInput, to = path): Promise<void> => {
    await t.rejects(writePack(to, { assets: [raw(0, noise(700_000)), asset] }), { code }, what);
    t.equal(readFileSync(path, "utf8"), "what was there", "what was there stays");
    t.same(readdirSync(folder).sort(), ["folder", "in.bin", "old.pa"], "and nothing else is left");
  };
  const stored = (more: object) => raw(1, noise(10), { stored: { file: input, size: 10, ...more } });
  await fails("PACK-INPUT", "an input that is not there", stored({ file: join(folder, "none") }));
  await fails("PACK-INPUT", "an input that is a folder", stored({ file: join(folder, "folder") }));
  await fails("PACK-CHANGED", "an input that was another when it was looked at", stored({ mtimeMs: mtimeMs - 5 }));
  writeFileSync(input, "012345678");
  utimesSync(input, mtimeMs / 1000, mtimeMs / 1000);
  await fails("PACK-CHANGED", "one that is shorter now", stored({}));
  writeFileSync(input, "0123456789a");
  await fails("PACK-CHANGED", "one that is longer now", stored({}));
  await fails("PACK-ASSET-NAME", "what no reader takes", raw(1, noise(1), { name: "" }));
  await fails("PACK-OUTPUT", "a folder that is not there", raw(1, noise(1)), join(folder, "none", "a.pa"));
  await fails("PACK-OUTPUT", "a folder in its place", raw(1, noise(1)), join(folder, "folder"));
  // It changes while it is packed: between two assets.
  const assets = [raw(0, noise(10)), stored({ size: 11 }), raw(2, noise(20))];
  const changes = writePack(path, { assets }, { onProgress: (done) => done === 10 && appendFileSync(input, "more") });
  await t.rejects(changes, { code: "PACK-CHANGED" });
  await t.rejects(
    writePack(
      path,
      { assets },
      {
        onProgress: () => {
          throw new TypeError("of the caller");
        },
      },
    ),
    "what the caller throws",
  );
  t.same(readdirSync(folder).sort(), ["folder", "in.bin", "old.pa"]);
  await writePack(path, { assets: [raw(1, noise(1))] });
  t.equal(openPack(path).length, 1, "then it is replaced");
  if (process.platform !== "win32")
    for (const mode of [0o600, 0o666]) {
      chmodSync(path, mode);
      await writePack(path, { assets: [raw(1, noise(1))] });
      t.equal(statSync(path).mode & 0o777, mode, "and whoever could read it still can, and nobody else");
    }
  rmSync(input);
  mkdirSync(input);
  t.end();
});

t.test("[PACK-CODEC-4] encoders give the same bytes everywhere: these", async (t) => {
  const digests: { [codec: string]: string[] } = {};
  for (const codec of ["deflate", "zstd"] as const) {
    digests[codec] = [];
    for (const bytes of [
      new Uint8Array(1),
      lines(1),
      lines(2000),
      noise(5000),
      new Uint8Array(30_000),
      noise(300_000).map((byte) => byte & 15),
    ]) {
      const stored = await encodeWith(codec, bytes);
      digests[codec].push(digestOf(stored).slice(0, 16));
      const file = await encodePack({ assets: [await encoded(1, codec, bytes)], encoders: ENCODERS });
      t.same(compare([file]), { code: "" }, `${codec}: both readers decode it`);
    }
  }
  // The first digits of SHA-256.
  t.same(digests, DIGESTS);
  t.same(ENCODERS, { deflate: "fflate 0.8.3 level 9", zstd: "libzstd 1.5.7 level 19" }, "other bytes, another name");
  t.end();
});

const DIGESTS = {
  deflate: [
    "e9238ddb2b450e58",
    "62cceb231f090acb",
    "0adb7542988f8dee",
    "d6dcac3dce3d8ab0",
    "738963cffea06bf0",
    "dc656fa0a6ee5892",
  ],
  zstd: [
    "7a4c6310840830c5",
    "68ba982ca40e37b0",
    "e072907bb3732ea1",
    "191087e2c5572f0a",
    "547fe2d2ecea02cc",
    "04709674835ec793",
  ],
};

t.test("No thread writes to a file that is closed [PACK-WRITE-3]", async (t) => {
  const folder = t.testdir();
  for (const same of [false, true]) {
    let calls = 0;
    let writing = 0;
    const closedWhile: number[] = [];
    const { write, closeSync } = fs;
    const slowly = (...args: unknown[]): void => {
      const hear = args.at(-1) as (error: unknown, written?: number) => void;
      if (calls++ === 0) {
        setTimeout(() => hear(new Error("ENOSPC")), 5);
        return;
      }
      writing++;
      setTimeout(() => {
        writing--;
        hear(null, (args[1] as Uint8Array).length);
      }, 40);
    };
    const closing = (fd: number): void => {
      closedWhile.push(writing);
      closeSync(fd);
    };
    // Twice the same is laid down twice, and taken back.
    const stored = (id: number): Uint8Array => noise(same ? 1_000_000 : 4_000_000, same ? 1 : id);
    const assets = [1, 2].map((id) => raw(id, stored(id)));
    Object.assign(fs, { write: slowly, closeSync: closing });
    syncBuiltinESMExports();
    try {
      await t.rejects(writePack(join(folder, "a.pa"), { assets }), { code: "PACK-OUTPUT" });
    } finally {
      Object.assign(fs, { write, closeSync });
      syncBuiltinESMExports();
    }
    t.strictSame(closedWhile, [0]);
  }
});

t.test(
  "An input that is a pipe is not waited for [PACK-WRITE-3]",
  { skip: process.platform === "win32" },
  async (t) => {
    const folder = t.testdir();
    const file = join(folder, "pipe");
    execFileSync("mkfifo", [file]);
    const assets = [{ ...raw(1, new Uint8Array(5)), stored: { file, size: 5 } }];
    await t.rejects(writePack(join(folder, "a.pa"), { assets }), { code: "PACK-INPUT" });
  },
);
