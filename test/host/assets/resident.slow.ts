/** All of a pack of 4 GiB is read, held against its digests, and verified. */
import { join } from "node:path";
import t from "tap";
import { openPack } from "../../../host/assets/index.ts";
import { residentOf } from "./resident.ts";
import { writeSparsePack } from "./sparse-pack.ts";

const GiB = 2 ** 30;

t.test("[PACK-OPEN-1, PACK-VERIFY-1, PACK-VERIFY-2] 4 GiB, once through", { timeout: 600_000 }, async (t) => {
  const path = join(t.testdir({}), "sparse.pa");
  writeSparsePack(path, [GiB, GiB, GiB, GiB]);
  const all = await residentOf(path, "first");
  t.match(all, { readBytes: 4 * GiB, isRight: true });
  t.ok(all.grownBytes < 32 * 2 ** 20, `${all.grownBytes} bytes in ${all.seconds} s`);
  const pack = openPack(path);
  t.doesNotThrow(() => pack.verify());
  pack.close();
  t.end();
});
