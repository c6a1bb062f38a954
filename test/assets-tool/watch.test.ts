/** Watching: the last pack is of the last state. */
import * as fs from "node:fs";
import { mkdirSync, renameSync, utimesSync } from "node:fs";
import t, { type Test } from "tap";
import type { PackReport } from "../../assets-tool/report.ts";
import { type Rhythm, type WatchRequest, watchAssets } from "../../assets-tool/watch.ts";
import { PackError } from "../../host/assets/errors.ts";
import { Workshop } from "./workshop.ts";

const MOST_WAIT_MS = 30_000;

/** What a watch tells, one after the other. */
class Told {
  readonly all: (PackReport | PackError)[] = [];
  #hear: () => void = () => {};
  tell(what: PackReport | PackError): void {
    this.all.push(what);
    this.#hear();
  }
  /** Waits until one fits. */
  async until(fits: (what: PackReport | PackError) => boolean): Promise<void> {
    const end = Date.now() + MOST_WAIT_MS;
    while (!this.all.some(fits)) {
      if (Date.now() > end) throw new Error(`it did not come: ${this.all.map(String)}`);
      await new Promise<void>((done) => {
        this.#hear = done;
        setTimeout(done, 1_000);
      });
    }
  }
}

interface Watched extends Told {
  stop(): Promise<void>;
}

function watching(
  t: Test,
  shop: Workshop,
  request: Partial<WatchRequest> = {},
  watch: (request: WatchRequest, rhythm?: Rhythm) => Promise<void> = watchAssets,
  rhythm?: Rhythm,
): Watched {
  const told = new Told();
  const end = new AbortController();
  const done = watch(
    {
      from: shop.at("art"),
      output: shop.at("out.pa"),
      cache: false,
      onPack: (report) => told.tell(report),
      onFailure: (error) => told.tell(error as PackError),
      ...request,
      signal: end.signal,
    },
    rhythm,
  );
  const stop = async (): Promise<void> => {
    end.abort();
    await done;
  };
  t.teardown(stop);
  return Object.assign(told, { stop });
}

const names = (shop: Workshop): string => (shop.has("out.pa") ? shop.names().join(" ") : "");

/** Waits until the pack holds what is meant. */
async function becomes(shop: Workshop, told: Told, wanted: string): Promise<void> {
  await told.until(() => names(shop) === wanted);
}

t.test("[TOOL-WATCH-1] packs when something changes", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" });
  const told = watching(t, shop);
  await becomes(shop, told, "a");
  shop.write({ "art/b": "b" });
  await becomes(shop, told, "a b");
  shop.write({ "art/deep/er/c": "c" });
  await becomes(shop, told, "a b deep/er/c");
  shop.remove("art/deep");
  await becomes(shop, told, "a b");
  shop.write({ "art/deep/d": "d" });
  await becomes(shop, told, "a b deep/d");
  shop.write({ "art/deep/e": "e" });
  await becomes(shop, told, "a b deep/d deep/e");
  renameSync(shop.at("art/b"), shop.at("art/f"));
  await becomes(shop, told, "a deep/d deep/e f");
  shop.write({ "art/a": "A" });
  await told.until(() => shop.found()[0]?.text === "A");
  // As editors save.
  shop.write({ "art/.a.swp": "other", tmp: "from a temporary file" });
  renameSync(shop.at("tmp"), shop.at("art/a"));
  await told.until(() => shop.found()[0]?.text === "from a temporary file");
  await told.stop();
  t.ok(told.all.every((what) => !(what instanceof PackError)));
});

t.test("[TOOL-WATCH-1] configuration and lock file", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b" });
  const told = watching(t, shop);
  await becomes(shop, told, "a b");
  shop.configure({ rules: [{ files: "b" }] });
  await becomes(shop, told, "b");
  shop.configure({ rules: [{ files: "?" }] });
  await becomes(shop, told, "a b");
  const lock = shop.text("art/assets.lock.json").replace('"b": 2', '"b": -2');
  shop.write({ "art/assets.lock.json": lock });
  await becomes(shop, told, "b a");
  shop.remove("art/assets.config.json");
  shop.write({ "art/assets.config.mjs": 'export default { rules: [{ files: "a" }] };' });
  await becomes(shop, told, "a");
  shop.write({ "art/assets.config.mjs": 'export default { rules: [{ files: "b", name: "module" }] };' });
  await becomes(shop, told, "module");
});

t.test("[TOOL-WATCH-1] what changes during a pack", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b" });
  let count = 0;
  const told = watching(t, shop, {
    onProgress: ({ phase, done }) => {
      if (phase === "import" && done === 2 && count < 3) shop.write({ [`art/c${++count}`]: "c" });
    },
  });
  await becomes(shop, told, "a b c1 c2 c3");
  // The end of it leaves a whole pack.
  await told.stop();
  t.equal(names(shop), "a b c1 c2 c3");
});

t.test("[TOOL-WATCH-2] what fails", async (t) => {
  const shop = new Workshop(t).write({ "art/a.png": "no picture", "art/b": "b" });
  const failures = (told: Told) => told.all.filter((what) => what instanceof PackError);
  const told = watching(t, shop, {}, watchAssets, { quiet: 5, unrest: 100, look: 20, poll: 20 });
  await told.until((what) => what instanceof PackError && what.code === "PACK-IMPORT");
  t.notOk(shop.has("out.pa"));
  await new Promise((done) => setTimeout(done, 200));
  t.equal(failures(told).length, 1, "is told once");
  shop.remove("art/a.png");
  await becomes(shop, told, "b");
  shop.configure({ codec: "none" });
  await told.until((what) => what instanceof PackError && what.code === "PACK-CONFIG");
  t.equal(names(shop), "b", "the pack stays");
  shop.configure({ codec: "what" });
  await told.until(() => failures(told).length >= 3);
  shop.remove("art");
  await told.until((what) => what instanceof PackError && what.code === "PACK-INPUT");
  shop.write({ "art/c": "c" });
  await becomes(shop, told, "c");
});

t.test("[TOOL-WATCH-3] where the system tells nothing", async (t) => {
  const mock = async (watch: () => fs.FSWatcher) =>
    (
      (await t.mockImport("../../assets-tool/watch.ts", { "node:fs": { ...fs, watch } })) as {
        watchAssets: typeof watchAssets;
      }
    ).watchAssets;
  const rhythm: Rhythm = { quiet: 5, unrest: 100, look: 60_000, poll: 20 };
  const fails = await mock(() => {
    throw Object.assign(new Error("ENOSPC: System limit for number of file watchers reached"), { code: "ENOSPC" });
  });
  const shop = new Workshop(t).write({ "art/a": "a" });
  const told = watching(t, shop, {}, fails, rhythm);
  await becomes(shop, told, "a");
  shop.write({ "art/b": "b" });
  await becomes(shop, told, "a b");

  const silent = await mock(() => ({ on: () => {}, close: () => {} }) as unknown as fs.FSWatcher);
  const other = new Workshop(t).write({ "art/a": "a" });
  const heard = watching(t, other, {}, silent, { ...rhythm, look: 20, poll: 60_000 });
  await becomes(other, heard, "a");
  other.write({ "art/b": "b" });
  await becomes(other, heard, "a b");
});

t.test("[TOOL-WATCH-4] what is no change", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" });
  const told = watching(
    t,
    shop,
    { output: shop.at("art/out.pa"), lock: shop.at("art/my.lock"), cache: shop.at("art/cache") },
    watchAssets,
    {
      quiet: 5,
      unrest: 100,
      look: 20,
      poll: 20,
    },
  );
  await told.until(() => shop.has("art/out.pa"));
  shop.write({ "art/.hidden": "h" });
  mkdirSync(shop.at("art/empty"));
  await new Promise((done) => setTimeout(done, 300));
  // States within the same tick of the clock are not told apart: one pack more is allowed.
  t.ok(told.all.length <= 2, "neither its own files nor what is no source");
  const before = told.all.length;
  utimesSync(shop.at("art/a"), 1_000, 1_000);
  await told.until(() => told.all.length > before);
  await told.stop();
  const { length } = told.all;
  shop.write({ "art/b": "b" });
  await new Promise((done) => setTimeout(done, 100));
  t.equal(told.all.length, length, "nor anything once it has ended");
});
