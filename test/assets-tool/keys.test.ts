/** Keys in files, and packs signed with them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { generateKeys, readPrivateKey, readPublicKey } from "../../assets-tool/keys.ts";
import { signAssets } from "../../assets-tool/sign.ts";
import { hex } from "../../host/assets/hash.ts";
import { openPack } from "../../host/assets/pack.ts";
import { signatureOf } from "../../host/assets/signature.ts";
import { mixedPack } from "./small-packs.ts";

t.test("[TOOL-KEY-1] a pair in PEM, the private one for its owner alone; nothing is replaced", async (t) => {
  const folder = t.testdir();
  const path = join(folder, "release.pem");
  const pair = generateKeys(path);
  t.match(pair, { privateKeyFile: path, publicKeyFile: `${path}.pub` });
  const mask = process.platform === "win32" ? 0 : 0o777;
  t.equal(statSync(path).mode & mask, 0o600 & mask);
  t.match(readFileSync(path, "utf8"), /^-----BEGIN PRIVATE KEY-----\n/);
  t.match(readFileSync(`${path}.pub`, "utf8"), /^-----BEGIN PUBLIC KEY-----\n/);
  t.equal(createPrivateKey(readFileSync(path)).asymmetricKeyType, "ed25519");
  t.equal(createPublicKey(readFileSync(`${path}.pub`)).asymmetricKeyType, "ed25519");
  for (const source of [path, `${path}.pub`, hex(pair.publicKey)])
    t.equal(hex(readPublicKey(source)), hex(pair.publicKey));

  const before = readFileSync(path);
  t.throws(() => generateKeys(path), { code: "PACK-KEYFILE" });
  t.ok(readFileSync(path).equals(before));
  writeFileSync(join(folder, "half.pub"), "mine");
  t.throws(() => generateKeys(join(folder, "half")), { code: "PACK-KEYFILE" });
  t.notOk(existsSync(join(folder, "half")), "no private key without its public one");
  symlinkSync("nowhere", join(folder, "link"));
  t.throws(() => generateKeys(join(folder, "link")), { code: "PACK-KEYFILE" });
  t.throws(() => generateKeys(join(folder, "none", "key")), { code: "PACK-KEYFILE" });
  t.strictSame(readdirSync(folder).sort(), ["half.pub", "link", "release.pem", "release.pem.pub"]);
});

t.test("[TOOL-KEY-2] what is no key says what it is, and nothing that it holds", async (t) => {
  const folder = t.testdir({ text: "no key, but SECRET", empty: "" });
  const write = (name: string, text: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const own = generateKeyPairSync("ed25519");
  const pem = { format: "pem", type: "pkcs8" } as const;
  const cipher = { cipher: "aes-256-cbc", passphrase: "x" };
  const damaged = own.privateKey
    .export(pem)
    .toString()
    .replace(/\n.{10}/, "\nSECRET1234");
  const wrong = [
    [join(folder, "text"), /no private key in PEM/],
    [join(folder, "empty"), /no private key in PEM/],
    [join(folder, "none"), /cannot be read/],
    [folder, /no regular file|cannot be read/],
    [write("damaged", damaged), /no private key in PEM/],
    [write("rsa", rsa.privateKey.export(pem)), /expected an Ed25519 key, found rsa/],
    [write("encrypted", own.privateKey.export({ ...pem, ...cipher })), /encrypted/],
    [write("public", own.publicKey.export({ format: "pem", type: "spki" })), /a public key/],
    [write("der", own.privateKey.export({ format: "der", type: "pkcs8" })), /no private key in PEM/],
    [write("long", `${own.privateKey.export(pem)}`), /at most 16384 bytes/],
  ] as const;
  truncateSync(join(folder, "long"), 1_000_000_000);
  for (const [path, message] of wrong) {
    const told = t.throws(() => readPrivateKey(path), { code: "PACK-KEYFILE", message }, path) as Error;
    t.notMatch(`${told.message}${told.stack}`, /SECRET/);
    if (!path.endsWith("public")) t.throws(() => readPublicKey(path), { code: "PACK-KEYFILE" }, path);
  }
  t.throws(() => readPublicKey("ab".repeat(31)), { code: "PACK-KEYFILE" }, "not 64 digits");
});

t.test(
  "[TOOL-SIGN-1] signing keeps the identity; a second time only with force; elsewhere with an output",
  async (t) => {
    const folder = t.testdir();
    const pack = join(folder, "a.pa");
    const unsigned = await mixedPack();
    writeFileSync(pack, unsigned);
    const { privateKeyFile: key, publicKey } = generateKeys(join(folder, "key"));
    const { privateKeyFile: other, publicKey: otherPublic } = generateKeys(join(folder, "other"));
    const signerOf = (path: string): string => {
      const opened = openPack(path);
      const signature = signatureOf(opened);
      opened.close();
      return hex(signature!.publicKey);
    };

    const output = join(folder, "b.pa");
    await signAssets({ pack, key, output });
    t.ok(readFileSync(pack).equals(unsigned));
    t.equal(signerOf(output), hex(publicKey));
    t.match(await signAssets({ pack, key }), { output: pack, identity: openPack(unsigned).identity });
    t.ok(readFileSync(pack).equals(readFileSync(output)), "signatures are the same each time");
    await t.rejects(signAssets({ pack, key: other }), { code: "PACK-SIGNATURE" });
    t.equal(signerOf(pack), hex(publicKey));
    await signAssets({ pack, key: other, force: true });
    t.equal(signerOf(pack), hex(otherPublic));
    t.equal(statSync(pack).size, unsigned.length + 112);
    await t.rejects(signAssets({ pack, key: `${key}.pub`, force: true }), { code: "PACK-KEYFILE" });
    writeFileSync(join(folder, "bad.pa"), unsigned.subarray(0, 500));
    await t.rejects(signAssets({ pack: join(folder, "bad.pa"), key }), { code: "PACK-LENGTH" });

    const many = join(folder, "many.pa");
    writeFileSync(many, await mixedPack({ preload: [{ assetId: 1, slot: 300 }], slots: 1000 }));
    t.match(await signAssets({ pack: many, key }), { output: many }, "slots that only some hosts have");
  },
);
