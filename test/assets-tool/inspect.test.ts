/** What `inspectPack` and `placeIn` tell, held against the bytes. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { inspectPack, type Place, placeIn } from "../../assets-tool/inspect.ts";
import type { JsonObject } from "../../host/assets/json.ts";
import { openPack, type Pack } from "../../host/assets/pack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { mixedPack, signed, textAsset } from "./small-packs.ts";

t.test("[TOOL-INSPECT-1, TOOL-INSPECT-2] sizes add up; a slice that two share counts once", async (t) => {
  const bytes = await mixedPack();
  const pack = openPack(bytes);
  const found = inspectPack(pack);
  const { file, ...parts } = found.sizes;
  t.equal(file, bytes.length);
  t.equal(
    Object.values(parts).reduce((sum, size) => sum + size),
    file,
  );
  const stored = (shares: readonly { readonly storedBytes: number }[]): number =>
    shares.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  t.equal(stored(found.bankTypes), found.sizes.slices);
  t.equal(stored(found.codecs), found.sizes.slices);
  t.match(found, {
    identity: pack.identity,
    version: 1,
    requiredFlags: 0,
    alignment: 16,
    leafSize: 262_144,
    encoders: { deflate: "zlib" },
    metadata: { title: "Mixed" },
    patch: null,
    signed: false,
    assets: 6,
    bytes: 5 + 120 + 5 + 5 + 850,
    slices: 4,
    shared: 1,
    sharedBytes: 5,
    preload: [
      { assetId: 1, slot: 0, name: "tiles/grass", bankType: "tiles" },
      { assetId: 2, slot: 7, name: "tiles/stone", bankType: "tiles" },
    ],
  });
  t.strictSame(
    found.bankTypes.map(({ bankType, assets, bytes, storedBytes }) => [bankType, assets, bytes, storedBytes]),
    [
      ["levels", 1, 5, 5],
      ["sprites", 1, 5, 0],
      ["text", 2, 850, pack.asset(4)!.size],
      ["tiles", 2, 125, 125],
    ],
  );
  t.strictSame(
    found.codecs.map(({ codec, assets }) => [codec, assets]),
    [
      ["deflate", 1],
      ["raw", 5],
    ],
  );
});

t.test("[TOOL-INSPECT-1] a patch, and a pack of nothing", async (t) => {
  const base = openPack(await mixedPack()).identity;
  const patch = await encodePack({
    assets: [textAsset(9, "new", "new")],
    patch: { base, removed: [2] },
    preload: [{ assetId: 1, slot: 3 }],
  });
  t.match(inspectPack(openPack(patch)), {
    requiredFlags: 1,
    patch: { base, removed: [2] },
    preload: [{ assetId: 1, slot: 3, name: null, bankType: null }],
  });
  const empty = inspectPack(openPack(await encodePack({ assets: [] })));
  t.match(empty, { assets: 0, slices: 0, bankTypes: [], codecs: [], preload: [] });
  t.equal(empty.sizes.file, empty.sizes.prelude + empty.sizes.header + empty.sizes.headerPadding);
});

t.test("[TOOL-AT-1] every byte is of one part, and of the innermost that has it", async (t) => {
  const bytes = await signed(
    t.testdir(),
    await mixedPack({ alignment: 64 }),
    generateKeyPairSync("ed25519").privateKey,
  );
  const pack = openPack(bytes);
  const runs: Place[] = [];
  for (let offset = 0; offset < bytes.length; offset++) {
    const { offset: told, ...place } = placeIn(pack, offset);
    if (told !== offset || offset < place.start || offset >= place.start + place.length)
      t.fail(`byte ${offset} is not in ${JSON.stringify(place)}`);
    if (place.part === "header") checkValue(pack, bytes, offset, place.pointer!, place.start, place.length);
    const last = runs.at(-1);
    if (last?.part !== place.part || last.field !== place.field || last.start !== place.start)
      if (place.part !== "header" || last?.part !== "header") runs.push({ offset, ...place });
  }
  t.strictSame(
    runs.map(({ part, field, assets }) => [part, field ?? assets?.map(({ id }) => id)]),
    [
      ...["magic", "version", "requiredFlags", "optionalFlags", "headerLength", "payloadOffset"].map(prelude),
      ...["payloadLength", "fileLength", "headerDigest", "payloadRoot", "signatureLength"].map(prelude),
      ...["reserved", "checksum"].map(prelude),
      ["header", undefined],
      ["header padding", undefined],
      ["slice", [-2147483648]],
      ["slice padding", undefined],
      ["slice", [1]],
      ["slice padding", undefined],
      ["slice", [2, 3]],
      ["slice padding", undefined],
      ["slice", [4]],
      ...["magic", "algorithm", "reserved", "publicKey", "signature"].map((field) => ["signature", field]),
    ],
  );
  t.equal(runs.at(-1)!.start + runs.at(-1)!.length, bytes.length);
  t.match(placeIn(pack, pack.prelude.payloadOffset), { leaf: 0 });
  t.throws(() => placeIn(pack, bytes.length), { code: "PACK-RANGE" });

  function prelude(field: string): unknown[] {
    return ["prelude", field];
  }
});

const headers = new WeakMap<Pack, unknown>();
function headerOf(pack: Pack): unknown {
  if (!headers.has(pack)) headers.set(pack, JSON.parse(Buffer.from(pack.headerJson).toString()));
  return headers.get(pack);
}

/** What lies at `start` must be the value of the pointer, with its key, and no value inside of it may have the byte too. */
function checkValue(
  pack: Pack,
  bytes: Uint8Array,
  offset: number,
  pointer: string,
  start: number,
  length: number,
): void {
  const text = Buffer.from(bytes.subarray(start, start + length)).toString();
  let value = headerOf(pack) as { [key: string]: unknown };
  const steps = pointer.split("/").slice(1);
  let isMember = false;
  for (const step of steps) {
    isMember = !Array.isArray(value);
    value = value[step.replaceAll("~1", "/").replaceAll("~0", "~")] as typeof value;
  }
  const found = isMember ? Object.values(JSON.parse(`{${text}}`))[0] : JSON.parse(text);
  const wanted = JSON.stringify(value);
  if (JSON.stringify(found) !== wanted) throw new Error(`byte ${offset} is not of ${pointer}: ${text}`);
  const isContainer = typeof value === "object" && value !== null;
  const opening = text.length - wanted.length;
  const at = Buffer.from(bytes.subarray(start, offset)).toString().length;
  const mark = text[at];
  if (isContainer && at > opening && !["{", "}", "[", "]", ","].includes(mark!))
    throw new Error(`byte ${offset} is of a value inside of ${pointer}`);
}

t.test("[TOOL-AT-1] whatever metadata holds", async (t) => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const keys = fc.dictionary(
    fc.oneof(fc.constantFrom("", "/", "~", '"', "\\", "}", "]", ",", "__proto__"), fc.string()),
    value,
  );
  await fc.assert(
    fc.asyncProperty(keys, async (given) => {
      // As JSON has it: no -0, and __proto__ as a key of its own.
      const metadata = JSON.parse(JSON.stringify(given)) as JsonObject;
      const bytes = await encodePack({ assets: [], metadata });
      const pack = openPack(bytes);
      for (let offset = 128; offset < 128 + pack.headerJson.length; offset += 5) {
        const { pointer, start, length } = placeIn(pack, offset);
        checkValue(pack, bytes, offset, pointer!, start, length);
      }
    }),
    { numRuns: 10, seed: 1 },
  );
  t.pass();
});

t.test("[TOOL-AT-1] leaves are counted", async (t) => {
  const pack = openPack(await encodePack({ assets: [textAsset(1, "long", "x".repeat(600_000))] }));
  const { payloadOffset } = pack.prelude;
  t.equal(placeIn(pack, payloadOffset + 262_143).leaf, 0);
  t.equal(placeIn(pack, payloadOffset + 262_144).leaf, 1);
  t.equal(placeIn(pack, payloadOffset + 599_999).leaf, 2);
});
