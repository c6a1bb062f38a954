/** Packing on a host that fails: whatever goes wrong, whenever, there is a whole pack or the one from before. */
import { spawnSync } from "node:child_process";
import fs, { chmodSync, mkdirSync, readdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import t, { type Test } from "tap";
import { generateKeys } from "../../assets-tool/keys.ts";
import type { packAssets } from "../../assets-tool/pack.ts";
import type { patchPack } from "../../assets-tool/patch.ts";
import { signAssets } from "../../assets-tool/sign.ts";
import type { PackError } from "../../host/assets/errors.ts";
import { told, Workshop } from "./workshop.ts";

const isPosix = process.platform !== "win32";
const isRoot = process.getuid?.() === 0;
const POSIX = isPosix ? {} : { skip: "of POSIX" };
const PACK = fileURLToPath(new URL("../../assets-tool/pack.ts", import.meta.url));

function shopOf(t: Test): Workshop {
  const shop = new Workshop(t).write({
    "art/a.txt": "a".repeat(300),
    "art/b.bin": "b".repeat(5_000),
    "art/deep/c.json": "[1, 2]",
  });
  return shop.configure({
    codec: "deflate",
    rules: [
      { files: "*.bin", codec: "raw" },
      { files: "**", preload: true },
    ],
  });
}

/** What lies there beside what should. */
function leftOvers(shop: Workshop): readonly string[] {
  const known = [
    "art",
    "cache",
    "out.pa",
    "assets.config.json",
    "assets.lock.json",
    "a.txt",
    "b.bin",
    "deep",
    "kill.mjs",
    "pack.mjs",
    "base.pa",
  ];
  return ["", "art"].flatMap((folder) => readdirSync(shop.at(folder))).filter((name) => !known.includes(name));
}

/** Functions of `node:fs` that a packer may call. */
const CALLS = [
  "openSync",
  "closeSync",
  "fstatSync",
  "fsyncSync",
  "lstatSync",
  "mkdirSync",
  "readdirSync",
  "readFileSync",
  "readSync",
  "realpathSync",
  "renameSync",
  "statSync",
  "write",
  "writeSync",
] as const;

/** A `node:fs` of which the call of a number fails; counts them. */
function failingFs(): { fs: object; arm(at: number, code: string): void; calls(): number; failed(): string } {
  let calls = 0;
  let failAt = 0;
  let code = "";
  let failed = "";
  const errorOf = (name: string) => Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: name });
  const wrapped = Object.fromEntries(
    CALLS.map((name) => {
      const real = fs[name] as (...args: unknown[]) => unknown;
      return [
        name,
        (...args: unknown[]) => {
          if (++calls !== failAt) return real(...args);
          failed = name;
          if (name === "write") return (args.at(-1) as (error: unknown) => void)(errorOf(name));
          // What is closed is closed, though it fails: as Linux does it.
          if (name === "closeSync") real(...args);
          throw errorOf(name);
        },
      ];
    }),
  );
  return {
    fs: { ...fs, ...wrapped },
    arm: (at, wanted) => {
      calls = 0;
      failAt = at;
      code = wanted;
      failed = "";
    },
    calls: () => calls,
    failed: () => failed,
  };
}

t.test("[TOOL-OUTPUT-1, TOOL-OUTPUT-2, TOOL-CACHE-2] every call of the file system fails once", async (t) => {
  const faulty = failingFs();
  const mocked = (await t.mockImport("../../assets-tool/pack.ts", { "node:fs": faulty.fs })) as {
    packAssets: typeof packAssets;
  };
  const shop = shopOf(t);
  const request = { from: shop.at("art"), output: shop.at("out.pa"), cache: shop.at("cache") };
  await shop.pack();
  const before = shop.digest();
  const old = shop.read("out.pa");
  const lock = shop.read("art/assets.lock.json");
  shop.write({ "art/a.txt": "changed", "art/new.txt": "new" });
  await shop.pack();
  const after = shop.digest();
  const ids = shop.text("art/assets.lock.json");
  t.not(after, before);

  let failures = 0;
  let isDone = false;
  const codes = ["ENOSPC", "EIO", "EACCES"];
  for (let at = 1; !isDone; at++) {
    shop.remove("cache");
    shop.write({ "out.pa": old, "art/assets.lock.json": lock });
    faulty.arm(at, codes[at % codes.length]!);
    try {
      await mocked.packAssets(request);
      t.equal(shop.digest(), after, `call ${at}, ${faulty.failed()}: what succeeds is whole`);
      isDone = faulty.failed() === "";
    } catch (error) {
      failures++;
      // The classes of the mocked modules are others.
      if (!/^PACK-/.test((error as PackError).code)) throw error;
      const is = shop.digest();
      t.ok(is === before || is === after, `call ${at}, ${faulty.failed()}: a whole pack`);
    }
    faulty.arm(0, "");
    t.strictSame(leftOvers(shop), ["new.txt"], `call ${at}: nothing is left behind`);
    // As often as there is time for it.
    if (at % 4 !== 0) continue;
    await shop.pack({ cache: shop.at("cache") });
    t.equal(shop.digest(), after, "the next one is right");
    t.equal(shop.text("art/assets.lock.json"), ids, "with the same ids");
  }
  t.ok(failures > 20, `${failures} calls made it fail`);
});

t.test("[TOOL-OUTPUT-1, TOOL-PATCH-2] patches on a host that fails", async (t) => {
  const faulty = failingFs();
  const mocked = (await t.mockImport("../../assets-tool/patch.ts", { "node:fs": faulty.fs })) as {
    patchPack: typeof patchPack;
  };
  const shop = shopOf(t);
  await shop.pack({ output: shop.at("base.pa") });
  shop.write({ "art/b.bin": "c".repeat(6_000) });
  await shop.pack();
  const request = { base: [shop.at("base.pa")], next: shop.at("out.pa"), output: shop.at("patch.pa") };
  const { identity } = await mocked.patchPack(request);
  const whole = shop.digest("patch.pa");
  for (let at = 1, isDone = false; !isDone; at++) {
    shop.write({ "patch.pa": "what was there" });
    faulty.arm(at, "EIO");
    try {
      t.equal((await mocked.patchPack(request)).identity, identity);
      isDone = faulty.failed() === "";
    } catch (error) {
      if (!/^PACK-/.test((error as PackError).code)) throw error;
      t.ok(
        shop.text("patch.pa") === "what was there" || shop.digest("patch.pa") === whole,
        `call ${at}, ${faulty.failed()}`,
      );
    }
    faulty.arm(0, "");
    t.strictSame(leftOvers(shop), ["patch.pa"]);
  }
});

/** Packs, and kills itself before the call of a number that changes anything; tells how many there are if it comes to an end. */
const KILL = `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const [at, from, output] = process.argv.slice(2);
let calls = 0;
for (const name of ["openSync", "linkSync", "write", "writeSync", "fsyncSync", "renameSync", "rmSync"]) {
  const real = fs[name];
  fs[name] = (...args) => {
    const changes = name !== "openSync" || String(args[1]).startsWith("wx");
    if (changes && ++calls === Number(at)) process.kill(process.pid, "SIGKILL");
    return real(...args);
  };
}
syncBuiltinESMExports();
const { packAssets } = await import("./pack.mjs");
calls = 0;
await packAssets({ from, output, cache: false });
console.log(calls);
`;

t.test("[TOOL-OUTPUT-1, TOOL-OUTPUT-2, TOOL-LOCK-5] killed at any time", POSIX, async (t) => {
  const shop = shopOf(t).write({ "kill.mjs": KILL });
  // One file is loaded faster than fifty.
  await build({
    entryPoints: [PACK],
    outfile: shop.at("pack.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  const run = (at: number) => {
    const args = ["--no-warnings", shop.at("kill.mjs"), String(at), shop.at("art"), shop.at("out.pa")];
    return spawnSync(process.execPath, args, { encoding: "utf8" });
  };
  await shop.pack();
  const before = shop.digest();
  const old = shop.read("out.pa");
  const lock = shop.text("art/assets.lock.json");
  shop.write({ "art/a.txt": "changed", "art/new.txt": "new" });
  const calls = Number(run(0).stdout);
  const after = shop.digest();
  const ids = shop.text("art/assets.lock.json");
  t.not(after, before);
  t.ok(calls >= 12, `${calls} calls change something`);
  for (let at = 1; at <= calls; at += 2) {
    shop.write({ "out.pa": old, "art/assets.lock.json": lock });
    t.equal(run(at).signal, "SIGKILL");
    const is = shop.digest();
    t.ok(is === before || is === after, `killed before call ${at}: a whole pack`);
    t.ok([lock, ids].includes(shop.text("art/assets.lock.json")), "and a whole lock file");
    await shop.pack();
    t.equal(shop.digest(), after, "the next one is right, and does not wait");
    t.equal(shop.text("art/assets.lock.json"), ids);
  }

  // What they left goes when it is old.
  const left = leftOvers(shop).filter((name) => name.startsWith("out.pa."));
  t.ok(left.length > 0);
  for (const name of left) utimesSync(shop.at(name), 1_000, 1_000);
  const own = `out.pa.${process.pid}.00000000.tmp`;
  shop.write({ [own]: "of one that runs", "out.pa.1.tmp": "of somebody else" });
  for (const name of [own, "out.pa.1.tmp"]) utimesSync(shop.at(name), 1_000, 1_000);
  const { notes } = await shop.pack();
  t.strictSame(
    notes.map(({ kind, file }) => `${kind} ${file}`).sort(),
    left.map((name) => `left-behind ${shop.at(name)}`).sort(),
  );
  t.strictSame(
    readdirSync(shop.folder).filter((name) => name.startsWith("out.pa.")),
    [own, "out.pa.1.tmp"].sort(),
  );
});

t.test("[TOOL-OUTPUT-2] outputs that cannot be", async (t) => {
  const shop = shopOf(t);
  await shop.pack();
  const before = shop.digest();
  const fails = async (output: string) => await told(() => shop.pack({ output: shop.at(output) }), shop.folder);
  t.strictSame(await fails("none/out.pa"), [["PACK-OUTPUT", "none/out.pa"]]);
  t.strictSame(await fails("out.pa/below"), [["PACK-OUTPUT", "out.pa/below"]]);
  mkdirSync(shop.at("folder"));
  t.strictSame(await fails("folder"), [["PACK-OUTPUT", "folder"]]);
  if (isPosix) {
    spawnSync("mkfifo", [shop.at("pipe")]);
    t.strictSame(await fails("pipe"), [["PACK-OUTPUT", "pipe"]]);
    shop.write({ loop: { link: "loop" } });
    t.strictSame(await fails("loop"), [["PACK-OUTPUT", "loop"]]);
    shop.remove("pipe", "loop");
  }
  if (isPosix && !isRoot) {
    chmodSync(shop.at("folder"), 0o500);
    t.strictSame(await fails("folder/out.pa"), [["PACK-OUTPUT", "folder/out.pa"]]);
    chmodSync(shop.at("art"), 0o000);
    t.strictSame(await fails("other.pa"), [["PACK-INPUT", "art"]]);
    chmodSync(shop.at("art"), 0o700);
  }
  t.equal(shop.digest(), before);
  t.strictSame(readdirSync(shop.at("folder")), []);
});

t.test("[TOOL-OUTPUT-2] an output that is a link", POSIX, async (t) => {
  const shop = shopOf(t);
  mkdirSync(shop.at("real"));
  symlinkSync(join("real", "game.pa"), shop.at("out.pa"));
  shop.write({ "real/game.pa": "older" });
  const { output } = await shop.pack();
  t.equal(output, shop.at("real/game.pa"));
  t.ok(fs.lstatSync(shop.at("out.pa")).isSymbolicLink());
  t.equal(shop.found("real/game.pa").length, 3);

  shop.remove("real/game.pa");
  t.equal((await shop.pack()).output, output, "one that leads to nothing yet");
  t.ok(fs.lstatSync(shop.at("out.pa")).isSymbolicLink());

  shop.remove("art/assets.lock.json");
  shop.write({ "art/assets.lock.json": { link: "../real/shared.json" } });
  await shop.pack();
  t.ok(fs.lstatSync(shop.at("art/assets.lock.json")).isSymbolicLink(), "a lock file that several share");
  t.match(shop.text("real/shared.json"), /"a\.txt": 1/);

  const { privateKeyFile: key } = generateKeys(shop.at("key.pem"));
  await signAssets({ pack: shop.at("out.pa"), key });
  t.ok(fs.lstatSync(shop.at("out.pa")).isSymbolicLink(), "signing writes there, too");
  t.ok(shop.open(({ prelude }) => prelude.signatureLength > 0, "real/game.pa"));
  spawnSync("mkfifo", [shop.at("pipe")]);
  const toPipe = () => signAssets({ pack: shop.at("out.pa"), key, force: true, output: shop.at("pipe") });
  t.strictSame(await told(toPipe, shop.folder), [["PACK-OUTPUT", "pipe"]]);
});

t.test("[TOOL-OUTPUT-4] an output that would take the place of something else", async (t) => {
  const shop = shopOf(t);
  const fails = async (request: Parameters<Workshop["pack"]>[0]) => await told(() => shop.pack(request), shop.folder);
  t.strictSame(await fails({ output: shop.at("art/a.txt") }), [["PACK-OUTPUT", "art/a.txt"]], "a source");
  t.strictSame(await fails({ output: shop.at("art/assets.config.json") }), [["PACK-OUTPUT", "art/assets.config.json"]]);
  t.strictSame(await fails({ lock: shop.at("out.pa") }), [["PACK-OUTPUT", "out.pa"]], "the lock file");
  t.equal(shop.text("art/a.txt"), "a".repeat(300));
  t.notOk(shop.has("out.pa"));
  shop.write({ "art/empty.pa": "" });
  await shop.pack({ output: shop.at("art/empty.pa") });
  t.equal(shop.found("art/empty.pa").length, 3, "what has no bytes is no loss");
  await shop.pack({ output: shop.at("art/empty.pa") });
});
