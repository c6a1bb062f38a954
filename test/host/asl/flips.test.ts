/** Every byte of every file of small stores, changed; files that are cut short at every length, or are not there. */
import t, { type Test } from "tap";
import { type FlipTally, flips, gone, sampleStore, truncations, tryChanges } from "./flips.ts";

const everySecond = (n: number): boolean => n % 2 === 0;

function report(t: Test, { changes, codes, unseen, wrong }: FlipTally): void {
  t.same(wrong.slice(0, 3), [], `${wrong.length} of ${changes} changes led to something wrong`);
  t.comment(`${changes} changes, ${unseen} of no effect; ${JSON.stringify(codes)}`);
  t.ok(unseen < changes, "some were noticed");
}

t.test("[ASL-VOLUME-5] each byte of FORMAT, CURRENT and checkpoints", async (t) => {
  const sample = await sampleStore("small");
  report(
    t,
    await tryChanges(sample, /^(FORMAT|CURRENT|checkpoint)/, (bytes) => flips(bytes, [1, 0x80, 0xff]), everySecond),
  );
  report(t, await tryChanges(sample, /^(FORMAT|CURRENT|checkpoint)/, (bytes) => truncations(bytes, 3), everySecond));
});

for (const [folder, profile, step] of [
  ["log", "small", 9],
  ["index", "small", 13],
  ["blocks", "tiny", 67],
  ["log", "wide", 23],
] as const) {
  t.test(`[ASL-VOLUME-5] bytes of ${folder}, limits ${profile}`, async (t) => {
    const sample = await sampleStore(profile);
    const paths = new RegExp(`^${folder}/`);
    // Heads whole, since each of their bytes means something; of the rest one in so many.
    const head = (bytes: Uint8Array): ReturnType<typeof flips> =>
      flips(bytes.subarray(0, 160), [0xff, 1, 0x40], 0, 3, bytes);
    report(t, await tryChanges(sample, paths, head, everySecond));
    report(t, await tryChanges(sample, paths, (bytes) => flips(bytes, [1, 0x80, 0x10], 160, step), everySecond));
    report(t, await tryChanges(sample, paths, (bytes) => truncations(bytes, 10 * step + 1), everySecond));
  });
}

t.test("[ASL-VOLUME-5] a file that is not there", async (t) => {
  for (const profile of ["tiny", "small", "wide"])
    report(t, await tryChanges(await sampleStore(profile), /^(?!LOCK)/, gone, everySecond));
});
