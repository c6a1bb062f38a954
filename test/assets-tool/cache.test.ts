/** The cache: what is in it is what would be made, and nothing about it fails a pack. */
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { cacheFolder, cacheKey, type MadeAsset, openCache } from "../../assets-tool/cache.ts";
import type { Importer } from "../../assets-tool/importer.ts";
import { Random } from "../vm/random.ts";
import { Workshop } from "./workshop.ts";

const isPosix = process.platform !== "win32";
const POSIX = isPosix ? {} : { skip: "of POSIX" };

/** Counts how often it is asked. */
function counting(version = 1): Importer & { count: number } {
  const importer = {
    name: "counting",
    version,
    bankTypes: ["data"],
    count: 0,
    matches: (path: string) => path.endsWith(".x"),
    import: ({ bytes }: { bytes: Uint8Array }) => {
      importer.count++;
      return [
        {
          suffix: "",
          bankType: "data",
          bytes: Buffer.from(`${version}:${Buffer.from(bytes).toString().repeat(20)}`),
          metadata: { n: 1 },
        },
        {
          suffix: ".more",
          bankType: "palettes",
          bytes: new Uint8Array(0),
          metadata: { __proto__: null, "\u00e4": [true] },
        },
      ];
    },
  };
  return importer;
}

function shopOf(t: { teardown(end: () => void): void }) {
  const shop = new Workshop(t).write({
    "art/a.x": "one",
    "art/b.x": "two",
    "art/c.txt": "text",
    "art/d.bin": "d".repeat(2_000),
  });
  const cache = shop.at("cache");
  const entries = (): string[] => readdirSync(cache).sort();
  return { shop, cache, entries };
}

t.test("[TOOL-CACHE-1, TOOL-CACHE-5] what is kept, and by what", async (t) => {
  const { shop, cache, entries } = shopOf(t);
  const importer = counting();
  const pack = async (config: object = {}, importers = [importer]) => {
    shop.configure(config);
    const { made, cached } = await shop.pack({ cache, importers });
    return [made, cached];
  };
  t.strictSame(await pack(), [3, 0]);
  const whole = shop.digest();
  t.equal(importer.count, 2);
  t.equal(entries().length, 3, "sources that are stored as they are, are not kept");
  t.strictSame(await pack(), [0, 3]);
  t.equal(importer.count, 2);
  t.equal(shop.digest(), whole);
  await shop.pack({ importers: [counting()] });
  t.equal(shop.digest(), whole, "as without cache");

  t.strictSame(
    await pack({ names: "stem", rules: [{ files: "*", metadata: { m: 1 }, bank: "other" }] }),
    [0, 3],
    "names, banks and metadata come after",
  );
  t.strictSame(await pack({ rules: [{ files: "a.x", settings: { s: 1 } }, { files: "*" }] }), [1, 2], "settings");
  t.strictSame(await pack({ codec: "deflate" }), [4, 0], "the codec");
  t.strictSame(await pack({ codec: "deflate" }), [0, 4]);
  const compressed = shop.digest();
  await shop.pack({ importers: [counting()] });
  t.equal(shop.digest(), compressed);
  t.strictSame(await pack({}, [counting(2)]), [2, 1], "the importer's version");
  t.match(shop.found()[0], { text: `2:${"one".repeat(20)}` });
  shop.write({ "art/b.x": "three" });
  t.strictSame(await pack(), [1, 2], "the source");
  shop.write({ "art/b.x": "two" });
  t.strictSame(await pack(), [0, 3]);
  t.equal(shop.digest(), whole);
  shop.write({ "art/e.x": "one" });
  t.strictSame(await pack(), [0, 4], "under whatever path");
});

t.test("[TOOL-CACHE-1] keys", async (t) => {
  t.match(cacheKey("a"), /^[0-9a-f]{64}$/);
  t.equal(cacheKey("a", Buffer.from("b")), cacheKey("a", "b"));
  const keys = [
    cacheKey(),
    cacheKey(""),
    cacheKey("", ""),
    cacheKey("ab"),
    cacheKey("a", "b"),
    cacheKey("", "ab"),
    cacheKey("1:a"),
  ];
  t.equal(new Set(keys).size, keys.length);
});

t.test("[TOOL-CACHE-5] what cannot be made shorter is not kept twice", async (t) => {
  const { shop, cache, entries } = shopOf(t);
  shop.remove("art/a.x", "art/b.x", "art/c.txt");
  const random = new Random(2);
  const noise = Uint8Array.from({ length: 4_000 }, () => random.below(256));
  shop.write({ "art/d.bin": noise }).configure({ codec: "deflate" });
  t.match(await shop.pack({ cache }), { made: 1, cached: 0 });
  const first = shop.digest();
  t.ok(statSync(join(cache, entries()[0]!)).size < 300);
  t.match(await shop.pack({ cache }), { made: 0, cached: 1 });
  t.equal(shop.digest(), first);
});

t.test("[TOOL-CACHE-2] damage", async (t) => {
  const { shop, cache, entries } = shopOf(t);
  const importer = counting();
  await shop.pack({ cache, importers: [importer] });
  const whole = shop.digest();
  const name = entries()[0]!;
  const entry = `cache/${name}`;
  const good = shop.read(entry);
  const bad: readonly Uint8Array[] = [
    new Uint8Array(0),
    good.subarray(0, 31),
    good.subarray(0, good.length - 1),
    Buffer.concat([good, Buffer.of(0)]),
    ...[0, 32, 36, 60, good.length - 1].map((at) => good.map((byte, k) => (k === at ? byte ^ 1 : byte))),
  ];
  for (const bytes of bad) {
    shop.write({ [entry]: bytes });
    t.match(await shop.pack({ cache, importers: [importer] }), { made: 1, cached: 2 });
    t.equal(shop.digest(), whole);
    t.ok(shop.read(entry).equals(good), "made anew");
  }
  if (isPosix) {
    shop.remove(entry);
    shop.write({ elsewhere: good, [entry]: { link: "../elsewhere" } });
    t.match(await shop.pack({ cache, importers: [importer] }), { made: 1 }, "links are not followed");
  }
  shop.remove(entry);
  mkdirSync(shop.at(entry));
  t.match(await shop.pack({ cache, importers: [importer] }), { made: 1 }, "a folder in its place");
  t.equal(shop.digest(), whole);
  t.notOk(
    entries().some((name) => name.startsWith(".tmp-")),
    "what cannot be kept leaves nothing",
  );
});

t.test("[TOOL-CACHE-3] folders that are not used", POSIX, async (t) => {
  const { shop } = shopOf(t);
  const why = async (cache: string) => {
    const { notes, made, cached } = await shop.pack({ cache, importers: [counting()] });
    t.strictSame([made, cached], [3, 0]);
    return notes.map(({ kind, message, file }) => `${kind}: ${file === cache ? message : file}`);
  };
  mkdirSync(shop.at("open"));
  chmodSync(shop.at("open"), 0o755);
  t.match(await why(shop.at("open")), [/cache: the cache is not used: others may use it too/]);
  t.strictSame(readdirSync(shop.at("open")), []);
  mkdirSync(shop.at("real"), 0o700);
  shop.write({ link: { link: "real" }, file: "x" });
  t.match(await why(shop.at("link")), [/it is a link/]);
  t.match(await why(shop.at("file")), [/it is no folder/]);
  t.match(await why(shop.at("file/below")), [/the cache is not used: /]);
  t.strictSame(await why(shop.at("new/folder")), []);
  t.equal(statSync(shop.at("new/folder")).mode & 0o777, 0o700);
  await shop.pack({ cache: false });
  t.notOk(shop.has("cache"));
});

t.test("[TOOL-CACHE-3] room", async (t) => {
  const { shop, cache } = shopOf(t);
  const made = (bytes: number): readonly MadeAsset[] => [
    { suffix: "", bankType: "data", metadata: {}, codec: "raw", decodedSize: bytes, stored: new Uint8Array(bytes) },
  ];
  const open = openCache(cache, (message) => t.fail(message), 10_000)!;
  const keys = ["a", "b", "c", "d"].map((name) => cacheKey(name));
  keys.slice(0, 3).forEach((key, k) => {
    open.write(key, made(3_000));
    utimesSync(join(cache, `${key}.asset`), 1_000 + k, 1_000 + k);
  });
  shop.write({ "cache/.tmp-1-old": "x", "cache/.tmp-1-new": "x", "cache/mine.txt": "x" });
  utimesSync(shop.at("cache/.tmp-1-old"), 1_000, 1_000);
  // Being read is being used.
  t.match(open.read(keys[0]!), made(3_000));
  open.write(keys[3]!, made(3_000));
  open.close();
  t.strictSame(
    keys.map((key) => open.read(key) !== undefined),
    [true, false, true, true],
  );
  t.strictSame(
    [".tmp-1-old", ".tmp-1-new", "mine.txt"].map((name) => shop.has(`cache/${name}`)),
    [false, true, true],
  );
  rmSync(cache, { recursive: true });
  open.write(keys[0]!, made(1));
  open.close();
  t.equal(open.read(keys[0]!), undefined, "the folder may go at any time");
});

t.test("[TOOL-CACHE-4] whose folder", async (t) => {
  t.equal(cacheFolder({ ASHLAR_ASSETS_CACHE: "/own", XDG_CACHE_HOME: "/xdg", HOME: "/home" }), "/own");
  t.equal(cacheFolder({ XDG_CACHE_HOME: "/xdg", HOME: "/home" }), join("/xdg", "ashlar-assets"));
  t.equal(cacheFolder({ XDG_CACHE_HOME: "relative", HOME: "/home" }), join("/home", ".cache", "ashlar-assets"));
  t.equal(cacheFolder({ LOCALAPPDATA: "/local" }), join("/local", "ashlar-assets", "cache"));
  t.equal(cacheFolder({}), undefined);
  const { shop, cache } = shopOf(t);
  const before = process.env.ASHLAR_ASSETS_CACHE;
  process.env.ASHLAR_ASSETS_CACHE = cache;
  t.teardown(() => {
    if (before === undefined) delete process.env.ASHLAR_ASSETS_CACHE;
    else process.env.ASHLAR_ASSETS_CACHE = before;
  });
  await shop.pack({ cache: undefined });
  t.ok(shop.has("cache"));
});
