/** Stores with much damage at random places: what is said of them is an AslError or a report, and a rebuilt one is whole. */
import t from "tap";
import { AslError } from "../../../host/asl/errors.ts";
import { fsckVolume } from "../../../host/asl/fsck.ts";
import { LIMITS } from "../../../host/asl/limits.ts";
import { rebuildVolume } from "../../../host/asl/rebuild.ts";
import { Random } from "../../vm/random.ts";
import { alone, bytesOf, contentsOf, openSmall, randomFrom, SMALL } from "./stores.ts";
import { filesOf, volumeWith } from "./volume-files.ts";

const limits = { ...LIMITS, ...SMALL };
const SEEDS = Number(process.env.SEEDS ?? 60);

async function sample(): Promise<ReadonlyMap<string, Uint8Array>> {
  const volume = volumeWith(new Map());
  const store = openSmall({ volume, limits: { tailRows: 10 } });
  for (let k = 0; k < 12; k++) await store.put(bytesOf(k), k % 2 === 0 ? { typeTag: k } : {});
  await store.putMany(Array.from({ length: 20 }, (_, k) => bytesOf(100 + k, 150)));
  const key = await store.put(bytesOf(20, 900), { typeTag: 7 });
  await store.put(bytesOf(21, 3000));
  await store.put(bytesOf(22, 9000), { visibility: "published" });
  await store.bind(1, new Uint8Array(32).fill(1), key);
  await store.snapshot("first");
  await store.pin(key, "kept");
  await store.remove(await store.put(bytesOf(30)));
  await store.publish([key]);
  const batch = store.batch();
  for (let k = 50; k < 60; k++) batch.put(bytesOf(k, 400));
  batch.commit();
  await store.close();
  return filesOf(volume);
}

/** Flips bytes, zeroes ranges, cuts files and removes them: one to four times. */
function damage(files: Map<string, Uint8Array>, random: Random): string {
  const done: string[] = [];
  for (let left = 1 + random.below(4); left > 0; left--) {
    const paths = [...files.keys()].filter((path) => !path.startsWith("LOCK."));
    const path = paths[random.below(paths.length)]!;
    const bytes = files.get(path)!.slice();
    const at = random.below(Math.max(1, bytes.length));
    const kind = random.below(8);
    if (kind === 0) files.delete(path);
    else if (kind === 1) files.set(path, bytes.subarray(0, at));
    else if (kind === 2) files.set(path, bytes.fill(0, at, at + 600));
    else if (bytes.length > 0) {
      bytes[at]! ^= 1 << random.below(8);
      files.set(path, bytes);
    }
    done.push(`${kind} ${path} ${at}`);
  }
  return done.join(", ");
}

t.test(
  "[ASL-FSCK-2, ASL-FSCK-6, ASL-REBUILD-1] Whatever is damaged: reports, and a store that is whole again",
  async (t) => {
    const whole = await sample();
    let told = 0;
    let repaired = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const files = new Map(whole);
      const what = `seed ${seed}: ${damage(files, new Random(seed + 1))}`;
      const volume = volumeWith(files);
      try {
        const { problems } = await fsckVolume(volume, alone(), { limits, repair: true, deep: seed % 2 === 0 });
        told++;
        if (problems.length > 0 && problems.every(({ repaired }) => repaired !== undefined)) {
          repaired++;
          const again = await fsckVolume(volume, alone(), { limits, deep: true });
          t.same(again.problems, [], what);
          contentsOf(openSmall({ volume, options: { create: false } }));
        }
      } catch (error) {
        if (!(error instanceof AslError)) t.fail(`${what}: fsck: ${(error as Error).stack}`);
      }
      try {
        await rebuildVolume(volume, alone(), { limits, random: randomFrom(seed) });
      } catch (error) {
        if (!(error instanceof AslError) || error.code !== "ASL-NO-STORE")
          t.fail(`${what}: rebuild: ${(error as Error).stack}`);
        continue;
      }
      try {
        const store = openSmall({ volume, options: { create: false } });
        contentsOf(store);
        await store.close();
        const { problems } = await fsckVolume(volume, alone(), { limits, deep: true });
        // Headers of blocks, and zeros behind records, say nothing that is needed.
        const left = problems.filter(({ message }) => !/^(its (header|footer)|what pads)/.test(message));
        if (left.length > 0) t.fail(`${what}: ${JSON.stringify(left)}`);
      } catch (error) {
        t.fail(`${what}: after: ${(error as Error).stack}`);
      }
    }
    t.ok(told > SEEDS / 2 && repaired > SEEDS / 20, `${told} reports, ${repaired} repaired`);
  },
);
