/** Stores of every version of the format that was ever released are read, checked and written on, for ever. */
import { readFileSync } from "node:fs";
import t from "tap";
import { Store } from "../../../host/asl/store.ts";
import { volumeFiles } from "./second-reader.ts";
import { compare, readBoth } from "./second-reader-workload.ts";
import { described, fixturePath, fixtureVolume } from "./store-fixture.ts";
import { alone, bytesOf } from "./stores.ts";

for (const version of ["v1"])
  t.test(`[ASL-FORMAT-2] the store of version ${version}`, async (t) => {
    const volume = fixtureVolume(version);
    t.equal(described(volume), readFileSync(`${fixturePath(version)}.txt`, "utf8"));
    const before = readBoth(volumeFiles(volume)).index;
    t.ok(before.indexed > 20, "most of it is in the index");
    const parts = { volume, owners: alone(), background: false };
    const reader = Store.openSync("", { readOnly: true }, parts);
    compare(reader, before);
    const identity = Buffer.from(await reader.snapshotIdentity("before")).toString("hex");
    t.equal(identity, readFileSync(`${fixturePath(version)}.identity`, "utf8").trim());
    await reader.close();
    const checked = await Store.fsck("", { deep: true }, parts);
    t.same(checked.problems, []);
    t.same(checked.orphans, []);

    const store = Store.openSync("", {}, parts);
    compare(store, before);
    const key = await store.put(bytesOf(77));
    t.ok(await store.remove([...before.contents().artifacts.keys()][0]!));
    await store.close();
    const again = Store.openSync("", {}, parts);
    t.same(again.get(key), bytesOf(77));
    compare(again, readBoth(volumeFiles(volume)).index);
    await again.close();
    t.same((await Store.fsck("", { deep: true }, parts)).problems, []);
  });
