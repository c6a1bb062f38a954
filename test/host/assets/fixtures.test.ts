/** Packs that were written once and are read for ever. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import { openStack, signatureOf } from "../../../host/assets/index.ts";
import { type Content, FIXTURE_PACKS, FOLDER, levelsOf, written } from "./fixture-packs.ts";
import { compare } from "./mutations.ts";
import { readStack } from "./second-reader.ts";

/** Of each, and so of all of its bytes but padding of the header and signature. */
const IDENTITIES: { readonly [name: string]: string } = {
  empty:
    "mi2:bciqpxhm76djpsmlrmdsila6p4hut3r63cvvnowyimlofgerz53vp6vy:bciqkqcm5m25hm2pwea5akdqnypqukd2p5upswqaiygwdbntnxbnmxhi",
  raw: "mi2:bciqmrriw7oooctb4g5liuderokrpzgi6lil26knwqts7ouaa3g6cm2i:bciqolerxmbl3rukf4ryfxcao2zvzae2fdaeha6jhq7umzquabsspduq",
  deflate:
    "mi2:bciqfoswq6oeqsc7rasj4skdg7bln43bnnjfxfqyv4aujl75qdheq6sq:bciqed7bvv4lwgeaagl7ntwrw5qnajgtse7va4tvojmjc4lzytssomdi",
  zstd: "mi2:bciqfqtqi7go5p4pwt2d2gxop2fki5scg3usqt3v2bwyloldeonn6jki:bciqoygiygj3nes5foczi6hn2y7ixhswn6ouau7t6zznkqsn2tyt72li",
  shared:
    "mi2:bciqhyvm6f57adgfpxa4qhirq74vsd4zf7dr3ecfs52httldqbdrxyya:bciqn67ckzlhleijqimmolc3bjbkss4c5cqwqhprtcyielwl5v4473sa",
  ids: "mi2:bciqpf5cunnmxhnlnmks23jntn7fmve32wnazzm6fzt3konw4sh6mxaq:bciqh3bjwjxgbslv6eplluloxqylds2e63nzmiwsr7wkjmadcgzmqbyy",
  banks:
    "mi2:bciqf3r5npayhcy73ym6ho7zy5abp3oy2nntfs2rxhglguak435erysi:bciqi2rj4i7cvhmnz7qxdszniw5hhxixogpgsqq5txa53t4mmvtktzby",
  names:
    "mi2:bciqchk23cxl54jdxjb5bv3qcbpqimv6cwg2oz75xatf55oi252yukva:bciqpjiuyl74wh5qbw2xh6dvrfu45mozmbyluowb4ukryahh7lwvc4iy",
  signed:
    "mi2:bciqj6klq22664pxd7iespu2osz4mlvvr6pvr57nvywdwufzujdcrz4y:bciqiwgbgzcm4j4smcyeu35fjh7pqis4l5z34besdrkxv4xsfcgp3evy",
  base: "mi2:bciqjoqljbfbpucw4paadbr7spis64w76e655vrtmhndniwl7fntzd4i:bciqkggvhxt6fyfsycit2k7t2l4svocf6jscusj2nm6tsft2ke2pvlai",
  patch1:
    "mi2:bciqaiap54jfozagg2tsatucfhempqetwguelwe7e3lw27javd3dogoy:bciqknairq27yayw36chihlnmo3zgrc2gsjcnak3ubqvosirf4v32p7a",
  patch2:
    "mi2:bciqbhwamqany2kbilsbmbyirz6ohdr74mye6phitexa5jvpw5l7mxla:bciqbwmsfa2ciqn2pr43nppfb4ylvrgohflsnc7lq2iusvwy6o3aejsa",
};

function pathOf(name: string): string {
  return fileURLToPath(new URL(`${name}.pa`, FOLDER));
}

t.test(
  "[PACK-WRITE-1, PACK-IDENTITY-1] frozen packs hold what they held, under their identities, for both readers",
  (t) => {
    t.same(
      readdirSync(FOLDER).sort(),
      Object.keys(FIXTURE_PACKS)
        .map((name) => `${name}.pa`)
        .sort(),
    );
    for (const [name, { preload = [], isSigned = false }] of Object.entries(FIXTURE_PACKS)) {
      const levels = levelsOf(name);
      const files = levels.map((level) => new Uint8Array(readFileSync(pathOf(level))));
      t.same(compare(files), { code: "" }, name);
      const set = openStack(levels.map(pathOf));
      t.equal(set.identity, IDENTITIES[name], `${name}: its identity`);
      t.equal(readStack(files).identity, IDENTITIES[name]);
      t.same(set.preload, preload);
      t.equal(set.packs.at(-1)!.prelude.signatureLength, isSigned ? 112 : 0);
      t.equal(signatureOf(set.packs.at(-1)!) !== undefined, isSigned);
      const expected = new Map<number, Content>();
      for (const level of levels) {
        const { assets, removed = [] } = FIXTURE_PACKS[level]!;
        for (const id of removed) expected.delete(id);
        for (const asset of assets) expected.set(asset.id, asset);
      }
      t.same(
        [...set.assets()].map(({ id }) => id),
        [...expected.keys()].sort((a, b) => a - b),
        `${name}: its assets`,
      );
      for (const asset of set.assets()) {
        const { name, bank, codec = "raw", bytes, metadata = {} } = expected.get(asset.id)!;
        t.same([asset.name, asset.bankType, asset.codec, asset.decodedSize], [name, bank, codec, bytes.length]);
        t.same(JSON.parse(Buffer.from(asset.metadata).toString()), metadata);
        const open = asset.open();
        const found = new Uint8Array(bytes.length);
        open.read(0, found);
        open.close();
        t.ok(Buffer.from(found).equals(bytes), `${name}: its bytes`);
      }
      for (const pack of set.packs) pack.verify();
      set.close();
    }
    t.end();
  },
);

t.test("[PACK-WRITE-1, PACK-CODEC-4] the writer still writes the same bytes", async (t) => {
  for (const [name, { isSigned = false }] of Object.entries(FIXTURE_PACKS)) {
    const frozen = readFileSync(pathOf(name));
    const file = Buffer.from(await written(name));
    if (!isSigned) t.ok(frozen.equals(file), name);
    else t.ok(frozen.subarray(128, -112).equals(file.subarray(128)), `${name}: all but prelude and signature`);
  }
  t.end();
});
