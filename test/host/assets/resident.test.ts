/** Memory does not grow with the payload: packs of 4 GiB that take no room on the disk. `resident.slow.ts` reads all of one. */
import { join } from "node:path";
import t from "tap";
import { openPack } from "../../../host/assets/index.ts";
import { residentOf } from "./resident.ts";
import { headOf, writeSparsePack } from "./sparse-pack.ts";

const MiB = 2 ** 20;

t.test("[PACK-OPEN-1, PACK-SLICE-1] offsets and sizes beyond 32 bits", (t) => {
  const path = join(t.testdir({}), "sparse.pa");
  writeSparsePack(path, [5 * 1024 * MiB, MiB, MiB], { digests: false });
  const pack = openPack(path, { verify: "never" });
  const into = new Uint8Array(8);
  for (const asset of pack.assets()) {
    const open = asset.open();
    t.equal(open.read(0, into), 8);
    t.same(into.subarray(0, 7), headOf(asset.id));
    t.equal(open.read(asset.size - 3, into), 3);
  }
  const open = pack.asset(1)!.open();
  t.equal(open.read(2 ** 32 + 5, into), 8, "beyond 4 GiB of an asset");
  t.same(into, new Uint8Array(8));
  t.throws(() => openPack(path).asset(2)!.open().load(), { code: "PACK-DIGEST" }, "digests are looked at there too");
  pack.close();
  t.end();
});

t.test("[PACK-OPEN-1, PACK-VERIFY-1] a process that reads a pack of 4 GiB grows by less than 32 MiB", async (t) => {
  const path = join(t.testdir({}), "sparse.pa");
  writeSparsePack(path, new Array(4).fill(1024 * MiB), { digests: false });
  const many = await residentOf(path, "never", 16);
  t.match(many, { readBytes: 256 * MiB, isRight: true });
  t.ok(many.grownBytes < 32 * MiB, `${many.grownBytes} bytes, with pieces of all of it read`);
  writeSparsePack(path, [128 * MiB, 128 * MiB]);
  const all = await residentOf(path, "first");
  t.match(all, { readBytes: 256 * MiB, isRight: true });
  t.ok(all.grownBytes < 32 * MiB, `${all.grownBytes} bytes, with 256 MiB read and held against digests`);
  t.end();
});
