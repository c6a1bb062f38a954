/** Random reads of a store whose rows are in segments: most of them go by the locator's hint, and nothing else is different. */
import { createHash } from "node:crypto";
import t from "tap";
import { AslError } from "../../../host/asl/errors.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { bytesOf, openSmall, randomFrom } from "./stores.ts";

const LIMITS = {
  inlineBytes: 512,
  blockBytes: 1 << 16,
  packedBytes: 1 << 16,
  groupBytes: 1 << 13,
  logBytes: 1 << 16,
  tailRows: 0,
};
const TUNING = { openRows: 64 };
/** At the bounds of what a locator knows of lengths, and beyond them. */
const LENGTHS = [
  4, 63, 64, 65, 96, 97, 128, 256, 257, 1024, 1025, 4095, 4096, 4097, 8192, 32_768, 32_769, 65_536, 65_537,
];
const COUNT = 400;
const ARTIFACTS = Array.from({ length: COUNT }, (_, k) => bytesOf(k, LENGTHS[k % LENGTHS.length]!));
const KEYS = ARTIFACTS.map((bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
const ORDER = Array.from(randomFrom(3)(COUNT), (byte, k) => (byte * 7 + k * 31) % COUNT);

/** How many bytes are read of a volume's index, its locators included. */
function counted(of: Volume): { readonly volume: Volume; readonly pages: () => number } {
  let pages = 0;
  const volume: Volume = new Proxy(of, {
    get(target, name) {
      if (name !== "open") return (target[name as keyof Volume] as () => unknown).bind(target);
      return (...args: Parameters<Volume["open"]>) => {
        const file = target.open(...args);
        const read = file.read.bind(file);
        if (args[0].endsWith(".seg"))
          file.read = (...given) => {
            pages++;
            return read(...given);
          };
        return file;
      };
    },
  });
  return { volume, pages: () => pages };
}

t.test("whatever the length, by get and into a buffer, verified and not", async (t) => {
  const { volume, pages } = counted(new MemoryVolume());
  const writer = openSmall({ volume, limits: LIMITS, tuning: TUNING });
  await writer.putMany(ARTIFACTS);
  await writer.close();
  for (const [indexBytes, most] of [
    [1 << 24, 100],
    [0, Number.POSITIVE_INFINITY],
  ] as const) {
    const store = openSmall({ volume, limits: LIMITS, tuning: TUNING, options: { indexBytes } });
    const before = pages();
    for (const verify of [false, true])
      for (const k of ORDER) {
        const expected = ARTIFACTS[k]!;
        const { length } = expected;
        const bytes = store.get(KEYS[k]!, { verify })!;
        t.equal(Buffer.compare(bytes, expected), 0);
        const into = new Uint8Array(length + 20).fill(255);
        t.equal(store.readInto(KEYS[k]!, into, 10, 0, length + 10, { verify }), length);
        t.equal(Buffer.compare(into.subarray(10, 10 + length), expected), 0);
        t.ok(
          into.subarray(0, 10).every((byte) => byte === 255) &&
            into.subarray(10 + length).every((byte) => byte === 255),
        );
        const from = length >> 2;
        t.equal(store.readInto(KEYS[k]!, into, 1, from, 3, { verify }), Math.min(3, length - from));
        t.equal(Buffer.compare(into.subarray(1, 1 + Math.min(3, length - from)), expected.subarray(from, from + 3)), 0);
        t.equal(store.readInto(KEYS[k]!, into, 0, length + 5, 3, { verify }), 0);
      }
    // Without hints each of the thousands of lookups has its page.
    t.ok(pages() - before < most, `${pages() - before} reads of the index`);
    t.equal(store.get(`sha256:${"0".repeat(64)}`), undefined);
    t.equal(store.readInto(`sha256:${"0".repeat(64)}`, new Uint8Array(9)), -1);
    await store.close();
  }
});

t.test("what was removed, put again, tagged, and seen from a snapshot", async (t) => {
  const store = openSmall({ limits: LIMITS, tuning: TUNING });
  await store.putMany(ARTIFACTS.slice(0, 200));
  await store.snapshot("early");
  for (let k = 0; k < 200; k += 3) await store.remove(KEYS[k]!);
  await store.putMany(ARTIFACTS.slice(200));
  for (let k = 0; k < 200; k += 6) await store.put(ARTIFACTS[k]!);
  for (let k = 0; k < 200; k += 5) await store.put(ARTIFACTS[k]!, { typeTag: 9 });
  await store.putMany(Array.from({ length: 200 }, (_, k) => bytesOf(1000 + k)));
  for (const k of ORDER) {
    const isRemoved = k < 200 && k % 3 === 0 && k % 6 !== 0 && k % 5 !== 0;
    const bytes = store.get(KEYS[k]!, { verify: k % 2 === 0 });
    t.equal(bytes === undefined, isRemoved, `${k}`);
    if (bytes !== undefined) t.equal(Buffer.compare(bytes, ARTIFACTS[k]!), 0);
    t.equal(store.at("early").get(KEYS[k]!) === undefined, k >= 200, `early ${k}`);
  }
});

t.test("every bit of a record that is another one is an error, or changes nothing", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume, limits: LIMITS, tuning: TUNING });
  await store.putMany(ARTIFACTS);
  const k = 7 + LENGTHS.length * 5;
  const { location } = store.stat(KEYS[k]!)!;
  const file = volume.open(location.file, "write");
  const byte = new Uint8Array(1);
  for (let at = location.offset; at < location.offset + 72 + ARTIFACTS[k]!.length; at += 3) {
    file.read(byte, 0, 1, at);
    byte[0]! ^= 1 << (at % 8);
    file.write(byte, 0, 1, at);
    for (const verify of [true, false]) {
      // Between others, so that no two are neighbours.
      store.get(KEYS[(k + 100) % COUNT]!);
      let bytes: Uint8Array | undefined;
      try {
        bytes = store.get(KEYS[k]!, { verify });
      } catch (error) {
        t.ok(error instanceof AslError && ["ASL-CORRUPT", "ASL-BLOCK-DAMAGED"].includes(error.code), `${error}`);
        continue;
      }
      // What is not compared is the payload.
      if (verify || at < location.offset + 72)
        t.equal(Buffer.compare(bytes!, ARTIFACTS[k]!), 0, `byte ${at - location.offset}`);
      else t.equal(bytes!.length, ARTIFACTS[k]!.length);
    }
    byte[0]! ^= 1 << (at % 8);
    file.write(byte, 0, 1, at);
  }
});
