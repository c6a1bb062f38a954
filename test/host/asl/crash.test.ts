/** A part of what `npm run test:crash` does: workloads of one and of two operations, and some long ones. */
import t, { type Test } from "tap";
import { Random } from "../../vm/random.ts";
import { crash, crashSeveral, everyWorkload, Tally } from "./crash.ts";
import { SimulatedVolume } from "./simulated-volume.ts";
import { DURABILITIES, openStore, PROFILES } from "./workloads.ts";

function report(t: Test, tally: Tally, least: number): void {
  for (const { workload, cut, message } of tally.violations.slice(0, 3))
    t.fail(`${JSON.stringify(workload)}, cut before ${cut}: ${message}`);
  t.equal(tally.violations.length, 0, "violations");
  t.ok(tally.distinct.size >= least, String(tally));
}

for (const durability of DURABILITIES) {
  t.test(
    `[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3, ASL-CRASH-4, ASL-CRASH-5] one operation, and all crashes of it: durability ${durability}`,
    async (t) => {
      const tally = new Tally();
      for (const workload of everyWorkload(1, durability, "tiny"))
        await crash(workload, { images: 8, nested: 2, recoveries: 8 }, tally);
      report(t, tally, 300);
    },
  );
}

t.test("[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3] two operations: one in so many of their crashes", async (t) => {
  const tally = new Tally();
  let n = 0;
  for (const durability of DURABILITIES)
    for (const workload of everyWorkload(2, durability, n % 2 === 0 ? "tiny" : "small"))
      if (n++ % 53 === 0) await crash(workload, { images: 5, nested: 2, recoveries: 20 }, tally);
  report(t, tally, 200);
});

t.test("[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3, ASL-CRASH-4, ASL-CRASH-5] long workloads", async (t) => {
  const tally = new Tally();
  for (let seed = 1; seed <= 2; seed++) await crashSeveral(seed, { images: 4, nested: 2, recoveries: 20 }, tally);
  report(t, tally, 60);
});

t.test(
  "[ASL-CRASH-4] without durability: what a killed process left in memory is on disk when it was shown",
  async (t) => {
    const volume = new SimulatedVolume();
    const profile = PROFILES.small!;
    const store = await openStore({ volume, profile, pid: 1, durability: "none" });
    const keys = [await store.put(Buffer.alloc(1500, 1)), await store.put(Buffer.from("inline"))];
    const killed = volume.killed();
    const next = await openStore({ volume: killed, profile, pid: 2 });
    t.same(
      keys.map((key) => next.has(key)),
      [true, true],
      "it was killed, and no more",
    );
    const [image] = killed.crashImages(new Random(1), 1);
    const last = await openStore({ volume: image!, profile, pid: 3 });
    t.same(
      keys.map((key) => last.get(key)?.length),
      [1500, 6],
      "then the power went",
    );
  },
);

t.test(
  "[ASL-CRASH-5] a store that was begun is made by whoever comes next; one that lost FORMAT is left as it is",
  async (t) => {
    const volume = new SimulatedVolume();
    const images: SimulatedVolume[] = [];
    volume.onCut = () => void images.push(...volume.crashImages(new Random(1), 20));
    const profile = PROFILES.tiny!;
    const store = await openStore({ volume, profile, pid: 1 });
    volume.onCut = undefined;
    t.ok(images.length > 50, `${images.length} images`);
    for (const image of images) {
      const made = await openStore({ volume: image, profile, pid: 2 });
      if ([...made.list()].length > 0) t.fail("something is in it");
      await made.close();
    }
    await store.put(Buffer.from("kept"));
    await store.close();
    const files = new Map([...volume.files()].filter(([path]) => path !== "FORMAT"));
    const damaged = SimulatedVolume.of(files);
    await t.rejects(openStore({ volume: damaged, profile, pid: 3 }), { name: "AslError" });
    for (const [path, bytes] of files) if (!path.startsWith("LOCK")) t.same(damaged.files().get(path), bytes, path);
  },
);

t.test("[ASL-CRASH-4] chunks of a published artifact are published: fsck says so too", async (t) => {
  const tally = new Tally();
  for (const durability of ["each", "none"] as const)
    await crash(
      { operations: ["chunked", "publish"], durability, profile: "tiny", seed: 1, cutFrom: 1 },
      { images: 4, nested: 1, recoveries: 12 },
      tally,
    );
  report(t, tally, 20);
});
