/** Artifacts that are read in the order in which they were put: the index is asked for few of them, and nothing else is different. */
import { createHash } from "node:crypto";
import t from "tap";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Store } from "../../../host/asl/store.ts";
import type { Volume, VolumeFile } from "../../../host/asl/volume.ts";
import { bytesOf, openSmall } from "./stores.ts";

const COUNT = 200;
const ARTIFACTS = Array.from({ length: COUNT }, (_, k) => bytesOf(k));
const KEYS = ARTIFACTS.map((bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
const LIMITS = { inlineBytes: 0, blockBytes: 1 << 20, logBytes: 1 << 20, groupBytes: 1 << 20 };

/** Which artifacts a view answers, asked in order, twice over; an answer that is wrong is an error. */
function answered(view: Pick<Store, "get" | "has">, verify: boolean): number[] {
  for (const key of KEYS) view.get(key, { verify });
  return KEYS.flatMap((key, k) => {
    const bytes = view.get(key, { verify });
    if (bytes === undefined) return [];
    if (Buffer.compare(bytes, ARTIFACTS[k]!) !== 0) throw new Error(`artifact ${k} is another one`);
    return [k];
  });
}

const ALL = ARTIFACTS.map((_, k) => k);

t.test("all of them, by get and into a buffer, verified and not", async (t) => {
  const store = openSmall({ limits: LIMITS });
  await store.putMany(ARTIFACTS);
  for (const verify of [true, false]) {
    t.strictSame(answered(store, verify), ALL);
    for (const [k, key] of KEYS.entries()) {
      const into = new Uint8Array(120).fill(255);
      t.equal(store.readInto(key, into, 10, 0, 100, { verify }), 100);
      t.equal(Buffer.compare(into.subarray(10, 110), ARTIFACTS[k]!), 0);
      t.equal(into[9], 255);
      t.equal(into[110], 255);
    }
  }
  // What a caller does to its bytes is its own affair.
  for (const key of KEYS) store.get(key, { verify: false })!.fill(0);
  t.strictSame(answered(store, false), ALL);
});

t.test("what was removed is gone, what was put again is there", async (t) => {
  const store = openSmall({ limits: LIMITS });
  await store.putMany(ARTIFACTS);
  await store.snapshot("all");
  answered(store, false);
  for (const k of [50, 51, 120]) await store.remove(KEYS[k]!);
  const left = ALL.filter((k) => k !== 50 && k !== 51 && k !== 120);
  for (const verify of [true, false]) t.strictSame(answered(store, verify), left);
  await store.put(ARTIFACTS[51]!);
  for (const verify of [true, false])
    t.strictSame(
      answered(store, verify),
      ALL.filter((k) => k !== 50 && k !== 120),
    );
  t.strictSame(answered(store.at("all"), false), ALL);
});

t.test("a snapshot has nothing that came later", async (t) => {
  const store = openSmall({ limits: LIMITS });
  await store.putMany(ARTIFACTS.slice(0, 77));
  await store.snapshot("early");
  await store.putMany(ARTIFACTS.slice(77));
  t.strictSame(answered(store, false), ALL);
  t.strictSame(answered(store.at("early"), false), ALL.slice(0, 77));
  t.strictSame(answered(store, false), ALL);
});

t.test("a group whose frame cannot be written leaves nothing to be read", async (t) => {
  const memory = new MemoryVolume();
  let isFull = false;
  const volume: Volume = new Proxy(memory, {
    get(target, name) {
      if (name !== "open") return (target[name as keyof Volume] as () => unknown).bind(target);
      return (path: string, mode: "read" | "write" | "create"): VolumeFile => {
        const file = target.open(path, mode);
        if (!path.startsWith("log/")) return file;
        return new Proxy(file, {
          get(of, method) {
            if (method === "write" && isFull)
              return () => {
                throw Object.assign(new Error("no space"), { code: "ENOSPC" });
              };
            return (of[method as keyof VolumeFile] as () => unknown).bind(of);
          },
        });
      };
    },
  });
  const store = openSmall({ volume, limits: LIMITS });
  await store.putMany(ARTIFACTS.slice(0, 100));
  isFull = true;
  await t.rejects(store.putMany(ARTIFACTS.slice(100)), { code: "ASL-NO-SPACE" });
  isFull = false;
  t.strictSame(answered(store, false), ALL.slice(0, 100));
  // The positions of what failed are those of others now, and their bytes still lie in the block.
  for (let k = 0; k < 60; k++) await store.bind(1, new Uint8Array(32).fill(k), KEYS[k]!);
  for (const verify of [true, false]) t.strictSame(answered(store, verify), ALL.slice(0, 100));
  await store.close();
  const reader = openSmall({ volume, limits: LIMITS, options: { readOnly: true } });
  t.strictSame(answered(reader, false), ALL.slice(0, 100));
});

t.test("[ASL-CORE-READ-1] what is damaged is an error", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume, limits: LIMITS });
  await store.putMany(ARTIFACTS);
  const { location } = store.stat(KEYS[60]!)!;
  const file = volume.open(location.file, "write");
  // The header is looked at only where the digest is not.
  for (const [at, verify, code] of [
    [location.offset + 72 + 5, true, "ASL-CORRUPT"],
    [location.offset + 42, false, "ASL-BLOCK-DAMAGED"],
    [location.offset + 17, false, "ASL-BLOCK-DAMAGED"],
  ] as const) {
    const byte = new Uint8Array(1);
    file.read(byte, 0, 1, at);
    byte[0]! ^= 1;
    file.write(byte, 0, 1, at);
    for (const key of KEYS.slice(50, 60)) store.get(key);
    t.throws(() => store.get(KEYS[60]!, { verify }), { code });
    for (const key of KEYS.slice(61)) t.equal(store.get(key)!.length, 100);
    byte[0]! ^= 1;
    file.write(byte, 0, 1, at);
  }
});
