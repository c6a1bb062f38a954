/** Patches on packs, and signatures. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openPack, openStack, publicKeyBytes, signatureOf, signPack, stackOf } from "../../../host/assets/index.ts";
import { BASES, compare, patchParts } from "./mutations.ts";
import { noise, partsOf, type Sample, SIGNER, seal, signatureOf as signatureBlock, sortedJson } from "./pack-parts.ts";
import { problemsOf } from "./problems.ts";
import { readPack } from "./second-reader.ts";

const BASE = seal(BASES.rich!());
const IDENTITY = readPack(BASE).identity;

function patch(
  base: string,
  samples: readonly Sample[],
  removed: number[] = [],
  preload: [number, number][] = [],
): Uint8Array {
  return seal(partsOf(samples, { preload, patch: { base, removed } }));
}

/** A stack is refused with this code first, by both readers. */
function refused(
  t: Pick<typeof import("tap").t, "same" | "match">,
  files: readonly Uint8Array[],
  code: string,
  what: string,
  pointer?: string,
): void {
  const [problem] = problemsOf(() => openStack(files));
  t.match({ ...problem }, { code, ...(pointer !== undefined && { pointer }) }, what);
  t.same(compare(files), { code }, `${what}: as the second reader says`);
}

t.test("[PACK-PATCH-1, PACK-PATCH-2] a stack has what is below, without what is removed, and with what is new", (t) => {
  const top = seal(patchParts(IDENTITY));
  t.same(compare([BASE, top]), { code: "" });
  const set = openStack([BASE, top]);
  t.equal(set.identity, readPack(top).identity, "the identity is the topmost's");
  t.same(
    [...set.assets()].map(({ id, name, bankType }) => `${id} ${name} ${bankType}`),
    [
      "-2147483648 tiles/grass tiles",
      "-1 tiles/other tiles",
      "1 level one/map levels",
      "2 new music",
      "8 __proto__ data",
      "2147483647 text/last text",
    ],
  );
  t.equal(set.length, 6);
  t.same(
    set.preload,
    [
      { assetId: 2, slot: 0 },
      { assetId: 8, slot: 1 },
    ],
    "the preload is the topmost's",
  );
  for (const name of ["tiles/same", "nothing", "sounds/ü.wav"]) t.equal(set.assetNamed(name), undefined, `no ${name}`);
  for (const id of [0, 7, 3]) t.equal(set.asset(id), undefined, `no asset ${id}`);
  const open = set.assetNamed("tiles/other")!.open();
  const bytes = new Uint8Array(20);
  open.read(0, bytes);
  t.same(bytes, noise(20, 4));
  t.equal(set.packs.length, 2);
  t.equal(set.asset(-1)!.pack, set.packs[1]);
  t.equal(set.asset(8)!.pack, set.packs[0]);
  set.close();
  t.throws(() => set.asset(8)!.open().read(0, bytes), { code: "PACK-READ" }, "closing closes all of them");

  // Removed by one and back by the next, under another name; two that change names with one another.
  const first = patch(IDENTITY, [], [7, 8]);
  const second = patch(readPack(first).identity, [{ id: 8, name: "back", bytes: noise(3) }], [-1]);
  const third = patch(readPack(second).identity, [
    { id: -2_147_483_648, name: "back", bank: "tiles", bytes: noise(5) },
    { id: 8, name: "tiles/grass", bytes: noise(4) },
  ]);
  const files = [BASE, first, second, third];
  t.same(compare(files), { code: "" }, "four levels");
  const four = openStack(files);
  t.same(
    [...four.assets()].map(({ id, name }) => `${id} ${name}`),
    ["-2147483648 back", "0 sounds/ü.wav", "1 level one/map", "8 tiles/grass", "2147483647 text/last"],
  );
  t.same(four.preload, [], "a patch without preload leaves none");
  t.equal(openStack([BASE]).identity, IDENTITY, "a stack of one is that pack");
  t.throws(() => openStack([]), RangeError);
  t.end();
});

t.test("[PACK-PATCH-1, PACK-PATCH-2] patches that do not fit", (t) => {
  const top = seal(patchParts(IDENTITY));
  refused(t, [top], "PACK-BASE", "a patch on nothing", "/patch/base");
  refused(t, [BASE, BASE], "PACK-BASE", "no patch on a pack", "");
  refused(t, [top, BASE], "PACK-BASE", "in the other order");
  refused(t, [seal(BASES.plain!()), top], "PACK-BASE", "on another pack", "/patch/base");
  refused(t, [BASE, top, top], "PACK-BASE", "twice");
  const signed = seal(BASES.rich!(), { signature: SIGNER });
  t.same(compare([signed, top]), { code: "" }, "on the same pack, signed");
  const upper = patch(readPack(top).identity, []);
  t.same(compare([BASE, top, upper]), { code: "" });
  refused(t, [BASE, upper], "PACK-BASE", "with one left out");
  refused(t, [BASE, patch(IDENTITY, [], [3])], "PACK-REMOVED", "what is not there is removed", "/patch/removed/0");
  refused(
    t,
    [BASE, top, patch(readPack(top).identity, [], [7])],
    "PACK-REMOVED",
    "what is gone is removed",
    "/patch/removed/0",
  );
  refused(
    t,
    [BASE, patch(IDENTITY, [{ id: 7, bytes: noise(1) }], [7])],
    "PACK-REMOVED",
    "what is in the table",
    "/patch/removed/0",
  );
  refused(t, [BASE, patch(IDENTITY, [], [8, 7])], "PACK-REMOVED", "descending", "/patch/removed/1");
  refused(t, [BASE, patch(IDENTITY, [], [7, 7])], "PACK-REMOVED", "twice", "/patch/removed/1");
  refused(t, [BASE, patch(IDENTITY, [], [2 ** 31])], "PACK-ASSET-ID", "what is no id", "/patch/removed/0");
  refused(t, [BASE, patch(IDENTITY, [], [0.5])], "PACK-VALUE", "what is no integer", "/patch/removed/0");
  for (const base of [
    "",
    IDENTITY.slice(0, -1),
    `${IDENTITY}a`,
    IDENTITY.toUpperCase(),
    IDENTITY.replace("mi2", "mi1"),
    `${IDENTITY}\n`,
  ])
    refused(t, [BASE, patch(base, [])], "PACK-VALUE", `base ${JSON.stringify(base)}`, "/patch/base");
  const without = patchParts(IDENTITY);
  delete without.header.patch;
  refused(t, [BASE, seal(without, { flags: 1 })], "PACK-KEY", "the flag without the key");
  refused(t, [BASE, seal(patchParts(IDENTITY), { flags: 0 })], "PACK-KEY", "the key without the flag");
  for (const value of [
    null,
    [],
    "x",
    {},
    { base: IDENTITY },
    { removed: [] },
    { base: IDENTITY, removed: [], more: 1 },
    { base: 1, removed: [] },
    { base: IDENTITY, removed: {} },
  ]) {
    const parts = patchParts(IDENTITY);
    Object.assign(parts.header, { patch: value });
    const isKeys =
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      !("base" in value && "removed" in value && !("more" in value));
    refused(t, [BASE, seal(parts)], isKeys ? "PACK-KEY" : "PACK-VALUE", JSON.stringify(value));
  }
  t.end();
});

t.test("[PACK-PATCH-3, PACK-OPEN-1] names, banks and preload are those of the merged table", (t) => {
  refused(
    t,
    [BASE, patch(IDENTITY, [{ id: 2, name: "nothing", bytes: noise(1) }])],
    "PACK-ASSET-NAME",
    "a name from below",
    "/asset_table/0/asset_name",
  );
  t.same(
    compare([BASE, patch(IDENTITY, [{ id: 2, name: "nothing", bytes: noise(1) }], [7])]),
    { code: "" },
    "a name that is free again",
  );
  t.same(
    compare([BASE, patch(IDENTITY, [{ id: 7, name: "nothing", bytes: noise(1) }])]),
    { code: "" },
    "a name that stays",
  );
  // Unique at each level, though the level above would mend it.
  const clash = patch(IDENTITY, [{ id: 2, name: "nothing", bytes: noise(1) }]);
  refused(t, [BASE, clash, patch(readPack(clash).identity, [], [7])], "PACK-ASSET-NAME", "a name mended above");
  const banks = seal(partsOf([{ id: 1, bank: "b5jo", bytes: noise(1) }]));
  const other = patch(readPack(banks).identity, [{ id: 2, bank: "b6jg", bytes: noise(1) }]);
  refused(t, [banks, other], "PACK-BANK-TYPE", "two bank types with one number");
  t.same(
    compare([banks, patch(readPack(banks).identity, [{ id: 2, bank: "b6jg", bytes: noise(1) }], [1])]),
    { code: "" },
    "of which one is gone",
  );
  t.same(compare([banks, other, patch(readPack(other).identity, [], [1])]), { code: "" }, "or is gone above");

  const loads = (preload: [number, number][], removed: number[] = []): Uint8Array =>
    patch(IDENTITY, [{ id: 2, bank: "tiles", bytes: noise(1) }], removed, preload);
  t.same(
    compare([
      BASE,
      loads([
        [-1, 0],
        [2, 1],
        [8, 0],
      ]),
    ]),
    { code: "" },
    "assets of both",
  );
  refused(t, [BASE, loads([[3, 0]])], "PACK-PRELOAD-ID", "one that is nowhere", "/preload/0/asset_id");
  refused(t, [BASE, loads([[0, 0]], [0])], "PACK-PRELOAD-ID", "one that is removed", "/preload/0/asset_id");
  refused(
    t,
    [
      BASE,
      loads([
        [-1, 5],
        [2, 5],
      ]),
    ],
    "PACK-PRELOAD-CLASH",
    "one from below and one from here",
    "/preload/1",
  );
  refused(t, [BASE, loads([[2, 256]])], "PACK-PRELOAD-SLOT", "no slot", "/preload/0/slot");
  const wrong = loads([[3, 0]]);
  t.doesNotThrow(() => openPack(wrong), "by itself a patch's preload is not looked at");
  t.same(compare([BASE, wrong, patch(readPack(wrong).identity, [])]), { code: "" }, "nor under another patch");
  t.doesNotThrow(() => openStack([BASE, loads([[2, 256]])], { slots: 257 }));
  const packs = [BASE, loads([])].map((file) => openPack(file));
  t.equal(stackOf(packs).length, 8);
  t.throws(() => stackOf([...packs].reverse()), { code: "PACK-BASE" });
  t.doesNotThrow(() => packs[0]!.verify(), "they stay open");
  t.end();
});

// ------------------------------------------------------------------------------------------------- signatures

function folderOf(t: Pick<typeof import("tap").t, "testdir">, file: Uint8Array): string {
  return join(t.testdir({ "a.pa": Buffer.from(file) }), "a.pa");
}

t.test(
  "[PACK-SIGN-1] a signature is over prelude and header; the second reader makes and checks the same",
  async (t) => {
    const path = folderOf(t, BASE);
    const signed = seal(BASES.rich!(), { signature: SIGNER });
    const key = publicKeyBytes(SIGNER.publicKey);
    t.same(signatureOf(openPack(signed)), { algorithm: "ed25519", publicKey: new Uint8Array(key) });
    t.equal(signatureOf(openPack(BASE)), undefined, "no signature");
    t.same(await signPack(path, SIGNER.privateKey), { algorithm: "ed25519", publicKey: key });
    t.same(readFileSync(path), Buffer.from(signed), "the same bytes: Ed25519 is deterministic");
    t.same(Buffer.from(readPack(readFileSync(path)).signer()!), Buffer.from(key));
    // As other programs have it for this secret.
    t.equal(Buffer.from(key).toString("hex"), "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
    t.end();
  },
);

t.test("[PACK-SIGN-2] signing again replaces, and changes neither assets nor identity", async (t) => {
  const path = folderOf(t, seal(BASES.rich!(), { signature: SIGNER }));
  const other = generateKeyPairSync("ed25519");
  await signPack(path, other.privateKey);
  const pack = openPack(path);
  t.equal(pack.identity, IDENTITY);
  t.same(Buffer.from(signatureOf(pack)!.publicKey), Buffer.from(publicKeyBytes(other.publicKey)));
  t.equal(pack.prelude.fileLength, BASE.length + 112, "one signature");
  pack.verify();
  pack.close();
  t.same(compare([readFileSync(path)]), { code: "" });
  const out = `${path}.signed`;
  await signPack(path, SIGNER.privateKey, out);
  t.same(readFileSync(out), Buffer.from(seal(BASES.rich!(), { signature: SIGNER })), "to another file");
  t.same(
    Buffer.from(signatureOf(openPack(path))!.publicKey),
    Buffer.from(publicKeyBytes(other.publicKey)),
    "the first stays",
  );
  t.end();
});

t.test("[PACK-SIGN-1, PACK-SIGN-2] signatures that are not valid", (t) => {
  const parts = BASES.rich!();
  const signed = seal(parts, { signature: SIGNER });
  const at = signed.length - 112;
  const changed = (change: (block: Uint8Array) => void): Uint8Array => {
    const copy = signed.slice();
    change(copy.subarray(at));
    return copy;
  };
  const invalid = (file: Uint8Array, what: string): void => {
    const pack = openPack(file);
    t.throws(() => signatureOf(pack), { code: "PACK-SIGNATURE" }, what);
    t.doesNotThrow(() => pack.verify(), "reading the pack does not ask");
    t.throws(() => readPack(file).signer(), { code: "PACK-SIGNATURE" }, `${what}: as the second reader says`);
  };
  for (let k = 0; k < 112; k += 5)
    invalid(
      changed((block) => (block[k]! ^= 1)),
      `byte ${k} of it`,
    );
  invalid(
    changed((block) => block.fill(0)),
    "zeros",
  );
  invalid(
    changed((block) => block.fill(0, 16, 48)),
    "a key of zeros",
  );
  invalid(
    changed((block) => block.fill(0xff, 16, 48)),
    "a key that is none",
  );
  invalid(
    changed((block) => block.fill(0, 48)),
    "a signature of zeros",
  );
  // That of another pack, and of this one under another prelude.
  const other = seal(BASES.plain!(), { signature: SIGNER });
  invalid(seal(parts, { signature: other.slice(-112) }), "that of another pack");
  const prelude = BASE.slice(0, 128);
  invalid(
    seal(parts, { signature: signatureBlock(SIGNER, prelude, Buffer.from(sortedJson(parts.header))) }),
    "of the prelude before signing",
  );
  const flagged = seal(parts, { signature: signed.slice(-112), prelude: (view) => view.setUint32(16, 1, true) });
  invalid(flagged, "with other optional flags");
  t.end();
});

t.test("[PACK-SIGN-2] keys that cannot sign", async (t) => {
  const path = folderOf(t, BASE);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const [what, key] of [
    ["an RSA key", rsa.privateKey],
    ["a public key", SIGNER.publicKey],
    ["an X25519 key", generateKeyPairSync("x25519").privateKey],
  ] as readonly [string, KeyObject][])
    await t.rejects(signPack(path, key), { code: "PACK-KEYFILE" }, what);
  await t.rejects(signPack(`${path}.none`, SIGNER.privateKey), { code: "PACK-READ" });
  const damaged = `${path}.damaged`;
  writeFileSync(damaged, BASE.subarray(1));
  await t.rejects(signPack(damaged, SIGNER.privateKey), { code: "PACK-MAGIC" });
  t.same(readFileSync(path), Buffer.from(BASE), "nothing was written");
  t.end();
});
