/** `verifyPacks` finds everything, and says who signed. */
import { generateKeyPairSync } from "node:crypto";
import t from "tap";
import { type VerifyOptions, verifyPacks } from "../../assets-tool/verify.ts";
import { PackError } from "../../host/assets/errors.ts";
import { hex } from "../../host/assets/hash.ts";
import { type AssetSet, openPack } from "../../host/assets/pack.ts";
import { publicKeyBytes } from "../../host/assets/signature.ts";
import { openStack } from "../../host/assets/stack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { mixedPack, signed, textAsset } from "./small-packs.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const key = publicKeyBytes(publicKey);

/** Codes of all that is wrong. */
function codesOf(set: AssetSet, options?: VerifyOptions): readonly string[] {
  try {
    verifyPacks(set, options);
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    t.equal(error.total, error.problems.length);
    return error.problems.map(({ code }) => code);
  }
  return [];
}

t.test("[TOOL-VERIFY-1] every pack of a stack is read whole", async (t) => {
  const base = await mixedPack();
  const patch = await encodePack({
    assets: [textAsset(9, "new", "new")],
    patch: { base: openPack(base).identity, removed: [1] },
  });
  const heard: [number, number][] = [];
  const set = openStack([base, patch]);
  const found = verifyPacks(set, { onProgress: (done, total) => heard.push([done, total]) });
  t.match(found, { identity: set.identity, assets: 6 });
  t.strictSame(
    found.packs.map(({ file, assets, bytes, signedBy }) => [file, assets, bytes, signedBy]),
    [
      [null, 6, base.length, null],
      [null, 1, patch.length, null],
    ],
  );
  const total = set.packs.reduce((sum, { prelude }) => sum + prelude.payloadLength, 0);
  t.strictSame(heard.at(-1), [total, total]);
});

t.test("[TOOL-VERIFY-1] all that is wrong is told, of all packs", async (t) => {
  const base = await mixedPack({ alignment: 64 });
  const at = openPack(base).prelude.payloadOffset;
  const patch = await encodePack({
    assets: [textAsset(9, "new", "new")],
    patch: { base: openPack(base).identity, removed: [] },
  });
  base[at]! ^= 1;
  base[at + 10]! ^= 1;
  patch[patch.length - 1]! ^= 1;
  t.strictSame([...codesOf(openStack([base, patch]))].sort(), [
    "PACK-DIGEST",
    "PACK-DIGEST",
    "PACK-PADDING",
    "PACK-ROOT",
    "PACK-ROOT",
  ]);
});

t.test("[TOOL-VERIFY-2] who signed, and that it is who should have", async (t) => {
  const bytes = await signed(t.testdir(), await mixedPack(), privateKey);
  const pack = openPack(bytes);
  t.equal(verifyPacks(pack).packs[0]!.signedBy, hex(key));
  t.equal(verifyPacks(pack, { publicKey: key }).packs[0]!.signedBy, hex(key));
  const other = publicKeyBytes(generateKeyPairSync("ed25519").publicKey);
  t.strictSame(codesOf(pack, { publicKey: other }), ["PACK-SIGNATURE"]);
  t.strictSame(codesOf(openPack(await mixedPack()), { publicKey: key }), ["PACK-SIGNATURE"]);

  const patch = await encodePack({ assets: [], patch: { base: pack.identity, removed: [] } });
  t.strictSame(codesOf(openStack([bytes, patch]), { publicKey: key }), ["PACK-SIGNATURE"], "every pack of a stack");

  for (const k of [1, 40, 63, 64 + 40, 111]) {
    const damaged = bytes.slice();
    damaged[bytes.length - 1 - k]! ^= 1;
    t.strictSame(codesOf(openPack(damaged)), ["PACK-SIGNATURE"], `byte ${k} from the end`);
  }
});

t.test("[TOOL-VERIFY-3] the identity that is asked for", async (t) => {
  const pack = openPack(await mixedPack());
  t.equal(verifyPacks(pack, { identity: pack.identity }).identity, pack.identity);
  t.strictSame(codesOf(pack, { identity: `${pack.identity.slice(0, -1)}a` }), ["PACK-IDENTITY"]);
});
