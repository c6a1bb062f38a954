/** Calls of the volume that fail: disks that are full, or broken. */
import t from "tap";
import { Random } from "../../vm/random.ts";
import { type FaultTally, KILLED, tryFaults } from "./faults.ts";
import { SimulatedVolume } from "./simulated-volume.ts";
import { openStore, PROFILES } from "./workloads.ts";

const OPERATIONS = [
  "small",
  "packed",
  "bind",
  "own",
  "snapshot",
  "batch",
  "remove",
  "publish",
  "reopen",
  "chunked",
  "small",
  "many",
  "trickled",
  "pin",
];

for (const [durability, profile] of [
  ["each", "tiny"],
  ["group", "small"],
  ["none", "tiny"],
] as const) {
  t.test(`[ASL-VOLUME-4, ASL-CRASH-6] EIO and ENOSPC at calls of a workload: durability ${durability}`, async (t) => {
    const tally: FaultTally = { runs: 0, codes: {}, wrong: [] };
    const offset = durability.length;
    await tryFaults({ operations: OPERATIONS, durability, profile, seed: 3 }, (n) => n % 17 === offset, tally);
    t.same(tally.wrong.slice(0, 3), []);
    t.ok(tally.runs > 15, `${tally.runs} runs`);
    t.ok(Object.keys(tally.codes).length > 1, JSON.stringify(tally.codes));
  });
}

t.test("[ASL-CRASH-6] a store whose sync failed takes no more, and says so when it is closed", async (t) => {
  const volume = new SimulatedVolume();
  const store = await openStore({ volume, durability: "none", profile: PROFILES.wide!, pid: 1 });
  const key = await store.put(Buffer.from("put before"));
  volume.fault = ({ kind }) => (kind === "sync" ? { code: "EIO", effect: "lose" } : undefined);
  t.throws(() => store.flush(), { code: "ASL-WRITE" });
  volume.fault = undefined;
  await t.rejects(store.put(Buffer.from("put after")), { code: "ASL-POISONED" });
  t.throws(() => store.flush(), { code: "ASL-POISONED" });
  t.ok(store.has(key), "it can be read");
  await t.rejects(store.close(), { code: "ASL-POISONED" }, "nobody thinks that all is on disk");
  const again = await openStore({ volume, durability: "each", profile: PROFILES.wide!, pid: 2 });
  t.notOk(again.has(key), "what was never acknowledged is not read from memory");
  await again.close();
});

for (const folder of ["log", "blocks"])
  t.test(
    `[ASL-VOLUME-4, ASL-CRASH-6] what a failed sync of ${folder} left in memory is no ground for what comes later`,
    async (t) => {
      const volume = new SimulatedVolume();
      const profile = PROFILES.wide!;
      const store = await openStore({ volume, durability: "none", profile, pid: 1 });
      const lost = await store.put(Buffer.alloc(2000, 7));
      volume.fault = ({ kind, path }) =>
        kind === "sync" && path.startsWith(folder) ? { code: "EIO", effect: "lose" } : undefined;
      t.throws(() => store.flush(), { code: "ASL-WRITE" });
      volume.fault = undefined;
      await t.rejects(store.close(), { code: "ASL-POISONED" });
      const again = await openStore({ volume, durability: "each", profile, pid: 2 });
      const key = await again.put(Buffer.from("acknowledged"));
      const [image] = volume.crashImages(new Random(1), 1);
      const last = await openStore({ volume: image!, profile, pid: 3 });
      t.ok(last.has(key), "after a loss of power");
      t.notOk(last.has(lost));
    },
  );

t.test("[ASL-VOLUME-4, ASL-CRASH-6] calls that fail while a store is opened after a killed process", async (t) => {
  const tally: FaultTally = { runs: 0, codes: {}, wrong: [] };
  const operations = ["packed", "small", KILLED, "packed", KILLED, "small"];
  // Syncs of what the killed process left are where most can go wrong.
  await tryFaults(
    { operations, durability: "none", profile: "wide", seed: 5 },
    (n, { kind }) => kind === "sync" || n % 29 === 0,
    tally,
  );
  t.same(tally.wrong.slice(0, 3), []);
  t.ok(tally.runs > 30, `${tally.runs} runs`);
});
