/** `ashlar assets` and `assets-tool`, as users and scripts meet them. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import t from "tap";
import { openPack } from "../../host/assets/pack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { parseArguments } from "../../host/command/arguments.ts";
import { assetsProgram } from "../../host/command/assets/verbs.ts";
import type { Command } from "../../host/command/command.ts";
import { failureOf } from "../../host/command/failure.ts";
import { barText, openProgress } from "../../host/command/progress.ts";
import { mixedPack, textAsset } from "../assets-tool/small-packs.ts";
import { ashlar, type Ended, firstLine, type Given, root, scratch, start } from "./ashlar.ts";
import { type Answered, runInProcess } from "./in-process.ts";

const TOOL = { program: "assets-tool.js" };

/** In a process of its own. */
function spawned(args: readonly string[], given: Given = {}): Promise<Ended> {
  return ashlar(args, { ...TOOL, ...given });
}

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "", ASHLAR_ASSETS_CACHE: join(scratch, "assets-cache") });

function tool(args: readonly string[]): Promise<Answered> {
  return runInProcess(assetsProgram("assets-tool"), args);
}

/** The object that `--json` prints. */
async function json(args: readonly string[]) {
  const ended = await tool([...args, "--json"]);
  return { ...ended, data: JSON.parse(ended.stdout) };
}

const file = (name: string): string => join(scratch, name);
function write(name: string, bytes: Uint8Array | string): void {
  writeFileSync(file(name), bytes);
}

const mixed = await mixedPack();
write("mixed.pa", mixed);
const { identity } = openPack(mixed);
write("patch.pa", await encodePack({ assets: [textAsset(3, "twin", "!")], patch: { base: identity, removed: [4] } }));
const damaged = mixed.slice();
damaged[damaged.length - 1]! ^= 1;
write("damaged.pa", damaged);

t.test("[TOOL-VERB-1] one table under two names; help and usage errors name the one that was called", async (t) => {
  const [mine, theirs] = await Promise.all([spawned(["list", "mixed.pa"]), ashlar(["assets", "list", "mixed.pa"])]);
  t.equal(mine.code, 0);
  t.strictSame(mine, theirs);
  const help = await tool(["help"]);
  const verbs = [
    ...["pack", "list", "inspect", "extract", "verify", "diff"],
    ...["patch", "sign", "keygen", "watch", "ids", "help"],
  ];
  for (const verb of verbs) t.match(help.stdout, new RegExp(`^ {2}${verb} `, "m"));
  t.match((await ashlar(["help"])).stdout, /^ {2}assets /m);
  const own = [
    ["diff", "--help"],
    ["help", "diff"],
    ["diff", "-h"],
  ] as const;
  for (const words of own)
    t.match(await tool(words), { code: 0, stdout: /^assets-tool diff: .*\n\nUsage: assets-tool diff BEFORE AFTER/ });
  for (const words of [
    ["help", "assets", "diff"],
    ["assets", "help", "diff"],
    ["assets", "diff", "--help"],
  ] as const)
    t.match(await ashlar(words), {
      code: 0,
      stdout: /^ashlar assets diff: .*\n\nUsage: ashlar assets diff BEFORE AFTER/,
    });
  t.equal((await ashlar(["help", "assets"])).stdout, (await ashlar(["assets", "--help"])).stdout);
  t.match(await spawned(["--version"]), { code: 0, stdout: /^ashlar \d/ });

  const told: [readonly string[], RegExp][] = [
    [[], /^Makes packs/],
    [["lsit", "mixed.pa"], /no command "lsit"[\s\S]*Did you mean `assets-tool list`/],
    [["diff", "mixed.pa"], /`assets-tool diff` needs an AFTER/],
    [["list", "mixed.pa", "more"], /has no use for "more"/],
    [["list", "mixed.pa", "--jsno"], /`assets-tool list` has no option --jsno[\s\S]*--json/],
    [["list", "mixed.pa,"], /missing beside a comma/],
    [["list", "mixed.pa,", "--json"], /missing beside a comma/],
  ];
  const ended = await Promise.all(told.map(([words]) => spawned(words)));
  for (const [index, [words, message]] of told.entries())
    t.match(ended[index], { code: 2, stdout: "", stderr: message }, words.join(" "));
});

t.test("[TOOL-VERB-1] options that make no sense, or lack", async (t) => {
  const wrong: [readonly string[], RegExp][] = [
    [["extract", "mixed.pa"], /-o DIR|needs a folder/],
    [["extract", "mixed.pa", "-o", "x", "--id", "2147483648"], /from -2147483648 to 2147483647/],
    [["extract", "mixed.pa", "-o", "x", "--name", "a["], /--name/],
    [["extract", "mixed.pa", "-o", "-", "--json"], /neither --json/],
    [["inspect", "mixed.pa", "--at", "-1"], /--at takes an offset/],
    [["inspect", "mixed.pa", "--at", "9007199254740992"], /--at takes an offset/],
    [["verify", "mixed.pa", "--identity", "mi2:x"], /--identity takes/],
    [["verify", "mixed.pa", "--slots", "many"], /--slots takes/],
    [["sign", "mixed.pa"], /private key/],
    [["keygen"], /private key/],
    [["patch", "mixed.pa", "mixed.pa"], /place for the patch/],
    [["ids", "mixed.pa"], /needs a language/],
    [["ids", "mixed.pa", "--lang", "cobol"], /"cobol"/],
    [["pack", ".", "--cache", "x", "--no-cache"], /exclude one another/],
    [["pack", ".", "--lock", "x", "--no-lock"], /exclude one another/],
    [["watch", ".", "--cache", "x", "--no-cache"], /exclude one another/],
  ];
  const { commands } = assetsProgram("assets-tool");
  for (const [[verb, ...words], message] of wrong) {
    const command = commands.find(({ name }) => name === verb) as Command<unknown>;
    const args = parseArguments(words, command.options, { program: "assets-tool", command: command.name });
    const run = async () => await command.run(args, undefined);
    await t.rejects(run(), { code: "CLI-USAGE", message }, `${verb} ${words.join(" ")}`);
  }
});

t.test("[TOOL-VERB-1] the first problems are shown, each with its place, and how many there are", async (t) => {
  const names = Array.from({ length: 25 }, (_, k) => `there/${k}`);
  write("many.pa", await encodePack({ assets: names.map((name, k) => textAsset(k, name, name)) }));
  mkdirSync(file("full/there"), { recursive: true });
  for (const name of names) write(`full/${name}`, "mine");
  const { code, stderr } = await tool(["extract", "many.pa", "-o", "full"]);
  t.equal(code, 1);
  t.equal(stderr.match(/^error\[PACK-EXTRACT\]: .*\n {2}in full\/there\/\d+$/gm)?.length, 20);
  t.match(stderr, /^and 5 more$/m);
  t.match(await tool(["list", "nothing.pa"]), {
    code: 1,
    stdout: "",
    stderr: /^error\[PACK-READ\].*\n {2}in nothing.pa\n/,
  });
  t.match(await tool(["list", "no\x1b[31m\n.pa"]), { stderr: /in no\\u\{1b\}\[31m\\u\{a\}\.pa\n/ });
});

t.test("[TOOL-VERB-2, TOOL-VERB-3, TOOL-DIFF-3] exit codes and objects, of success and of failure", async (t) => {
  const runs: [readonly string[], number][] = [
    [["list", "mixed.pa"], 0],
    [["inspect", "mixed.pa"], 0],
    [["verify", "mixed.pa"], 0],
    [["verify", "damaged.pa"], 1],
    [["diff", "mixed.pa", "damaged.pa"], 0],
    [["diff", "mixed.pa", "mixed.pa,patch.pa"], 1],
    [["diff", "mixed.pa", "nothing.pa"], 2],
    [["list", "patch.pa"], 1],
  ];
  for (const [words, code] of runs) {
    const { data, ...ended } = await json(words);
    t.match(ended, { code, stderr: "" }, words.join(" "));
    t.equal(data.schema, `ashlar.assets.${words[0]}/1`);
    t.equal("error" in data, code === 2 || (code === 1 && words[0] !== "diff"));
    t.match(ended.stdout, /^[^\n]*\n$/);
  }
  const { data } = await json(["verify", "damaged.pa"]);
  t.match(data.error, { code: "PACK-DIGEST", total: 2 });
  t.match(data.error.problems, [
    { code: "PACK-DIGEST", file: "damaged.pa", pointer: /^\/asset_table\/\d\/digest$/ },
    { code: "PACK-ROOT", offset: 80 },
  ]);
  t.strictSame(Object.keys(data), ["schema", "error"]);
  const many = await json(["extract", "many.pa", "-o", "full"]);
  t.match(many.data.error, { code: "PACK-EXTRACT", total: 25 });
  t.equal(many.data.error.problems.length, 25);
});

t.test("[TOOL-VERB-2] a reader that goes away: 141, and nothing is said", async (t) => {
  const assets = Array.from({ length: 20_000 }, (_, k) => textAsset(k, `n${k}`, "x"));
  write("long.pa", await encodePack({ assets }));
  const child = start(["list", "long.pa", "--json"], TOOL);
  let stderr = "";
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  child.stdout!.once("data", () => child.stdout!.destroy());
  t.equal((await once(child, "close"))[0], 141);
  t.equal(stderr, "");
});

t.test("[TOOL-VERB-2] packs go to files", async (t) => {
  mkdirSync(file("given"));
  for (const line of ["pack given", "patch mixed.pa mixed.pa", "sign mixed.pa --key none"])
    t.match(await tool([...line.split(" "), "-o", "-"]), { code: 2, stderr: /A pack goes to a file/ }, line);
  t.match(await tool(["pack", "", "-o", "none.pa"]), { code: 2 }, "an empty name is not the folder where one is");
});

t.test("[TOOL-VERB-7] a pipe gets the text", { skip: process.platform === "win32" && "there are none" }, async (t) => {
  execFileSync("mkfifo", [file("pipe")]);
  const reader = spawn("cat", [file("pipe")]);
  const seen = text(reader.stdout);
  t.match(await tool(["ids", "mixed.pa", "--lang", "h", "-o", "pipe"]), { code: 0 });
  t.match(await seen, /#define ASSET_/);
});

t.test("[CLI-ERROR-1] an output that cannot be written is no bug", (t) => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  t.match(failureOf(full), { code: "CLI-OUTPUT", exitCode: 1, message: /ENOSPC/ });
  t.end();
});

t.test("[TOOL-VERB-4] packs from standard input, stacks, and names with commas", async (t) => {
  const fromStdin = await spawned(["list", "-", "--json"], { input: mixed });
  t.match(JSON.parse(fromStdin.stdout), { identity, packs: ["standard input"] });
  t.match(await spawned(["verify", "-"], { input: damaged }), { code: 1, stderr: /in standard input, / });
  t.match(await tool(["list", "-,patch.pa"]), { code: 2 });
  const { data } = await json(["list", "mixed.pa,patch.pa"]);
  t.strictSame(data.packs, ["mixed.pa", "patch.pa"]);
  t.strictSame(
    data.assets.map(({ id, pack }: { id: number; pack: number }) => [id, pack]),
    [
      [-2147483648, 0],
      [1, 0],
      [2, 0],
      [3, 1],
      [2147483647, 0],
    ],
  );
  cpSync(file("mixed.pa"), file("mixed.pa,patch"));
  t.match((await json(["list", "mixed.pa,patch"])).data, { packs: ["mixed.pa,patch"] });
  t.match(await tool(["list", "patch.pa,mixed.pa"]), { code: 1, stderr: /^error\[PACK-BASE\]/ });
  write("slots.pa", await mixedPack({ preload: [{ assetId: 1, slot: 999 }], slots: 1000 }));
  for (const verb of ["list", "inspect"]) t.match(await tool([verb, "slots.pa"]), { code: 0, stdout: /\b999\b/ });
});

t.test(
  "[TOOL-VERB-5] progress on a terminal: not before a quarter of a second, removed before anything else",
  async (t) => {
    t.equal(barText("packing", 1, 4), "packing [######------------------]  25 %");
    t.equal(barText("packing", 7, 0), "packing [------------------------]   0 %");
    t.equal(barText("packing", 9, 8), `packing [${"#".repeat(24)}] 100 %`);
    t.equal(barText("packing", 1, 4, 98_001), "packing [######------------------]  25 %, 99 s left");
    t.equal(barText("packing", 1, 4, 3_000_000), "packing [######------------------]  25 %, 50 min left");
    t.equal(barText("packing", 1, 4, 36_000_000), "packing [######------------------]  25 %, 10 h left");
    openProgress("packing", () => 0).update(1, 2);

    const at = join(root, "host/command/progress.ts");
    const script = `
    process.stderr.isTTY = true;
    const { openProgress } = await import(${JSON.stringify(at)});
    let now = 0;
    const bar = openProgress("title", () => now);
    const seen = [];
    for (const [time, done] of [[100, 1], [249, 2], [250, 3], [260, 4], [340, 5]]) {
      now = time;
      bar.update(done, 10, done === 5 ? "part" : undefined);
    }
    bar.clear();
    bar.clear();
    for (const [time, done, total] of [[10_000, 2], [11_000, 4, 10], [13_000, 8, 10]]) {
      now = time;
      bar.update(done, total, "rest");
    }`;
    const node = ["--input-type=module", "--experimental-strip-types", "--no-warnings", "-e", script];
    const erase = "\r\x1b[K";
    const shown = await bare(node, { TERM: "xterm" });
    t.equal(
      shown,
      `${erase}${barText("title", 3, 10)}${erase}${barText("part", 5, 10)}${erase}${erase}rest 2${erase}${barText("rest", 4, 10)}${erase}${barText("rest", 8, 10, 1000)}`,
    );
    t.equal(await bare(node, { TERM: "dumb" }), "");
    t.match(await spawned(["verify", "mixed.pa"]), { stderr: "" });

    async function bare(words: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
      const { spawn } = await import("node:child_process");
      const child = spawn(process.execPath, words, { env: { ...process.env, NODE_OPTIONS: "", ...env } });
      let text = "";
      child.stderr.on("data", (bytes) => {
        text += bytes;
      });
      await once(child, "close");
      return text;
    }
  },
);

t.test("[TOOL-LIST-1] what is told of assets", async (t) => {
  const { data } = await json(["list", "mixed.pa"]);
  t.strictSame(Object.keys(data), ["schema", "identity", "packs", "assets"]);
  t.strictSame(data.assets[1], {
    id: 1,
    name: "tiles/grass",
    bankType: "tiles",
    codec: "raw",
    size: 120,
    decodedSize: 120,
    digest: openPack(mixed).asset(1)!.digest,
    slots: [0],
    metadata: { width: 8 },
    pack: 0,
  });
  const names = (found: { data: { assets: { name: string }[] } }) => found.data.assets.map(({ name }) => name);
  t.strictSame(names(await json(["list", "mixed.pa", "--type", "tiles"])), ["tiles/grass", "tiles/stone"]);
  t.strictSame(names(await json(["list", "mixed.pa", "--type", "levels", "--type", "sprites"])), [
    "maps/\u{1f5fa}",
    "twin",
  ]);
  t.match((await tool(["list", "mixed.pa"])).stdout, /^ +1 +tiles +raw +120 +120 +0 +tiles\/grass$/m);
});

t.test("[TOOL-INSPECT-1, TOOL-AT-1] the object and the text", async (t) => {
  const { data } = await json(["inspect", "mixed.pa"]);
  t.match(data, { path: "mixed.pa", identity, sizes: { file: mixed.length, prelude: 128 }, assets: 6, signed: false });
  const text = await tool(["inspect", "mixed.pa"]);
  t.match(text.stdout, new RegExp(`^identity +${identity}$`, "m"));
  t.match((await tool(["inspect", "patch.pa"])).stdout, new RegExp(`^patch of +${identity}$`, "m"));
  const { payloadOffset } = openPack(mixed).prelude;
  for (const offset of [String(payloadOffset + 16), `0x${(payloadOffset + 16).toString(16)}`])
    t.match((await json(["inspect", "mixed.pa", "--at", offset])).data.place, {
      offset: payloadOffset + 16,
      part: "slice",
      start: payloadOffset + 16,
      length: 120,
      assets: [{ id: 1, name: "tiles/grass", bankType: "tiles" }],
    });
  t.match(await tool(["inspect", "mixed.pa", "--at", "130"]), { stdout: /^pointer +\/alignment$/m });
  t.match(await ashlar(["inspect", "mixed.pa"]), {
    code: 1,
    stderr: /^error\[CLI-MODULE\]: This is a pack[\s\S]*ashlar assets inspect/,
  });
  t.match(await tool(["inspect", "mixed.pa", "--at", "1_000_000"]), { code: 1, stderr: /^error\[PACK-RANGE\]/ });
});

t.test("[TOOL-EXTRACT-1, TOOL-EXTRACT-4] what is chosen; one asset to standard output", async (t) => {
  const { data } = await json([
    "extract",
    "mixed.pa",
    "-o",
    "out",
    "--name",
    "tiles/*",
    "--name",
    "twin",
    "--type",
    "tiles",
  ]);
  t.strictSame(
    data.files.map(({ name }: { name: string }) => name),
    ["tiles/grass", "tiles/stone"],
  );
  t.equal(readFileSync(file("out/tiles/stone"), "utf8"), "stone");
  t.match(await tool(["extract", "mixed.pa", "-o", "out"]), { code: 1 });
  t.notOk(existsSync(file("out/story")));
  t.match(await tool(["extract", "mixed.pa", "-o", "out", "--force"]), { code: 0, stdout: /^6 files, 985 bytes$/m });
  const one = await spawned(["extract", "mixed.pa", "-o", "-", "--id", "4"]);
  t.equal(one.stdout, "once upon a time ".repeat(50));
  t.match(await tool(["extract", "mixed.pa", "-o", "-"]), { code: 1, stdout: "", stderr: /exactly one asset/ });
  t.match(await tool(["extract", "mixed.pa", "-o", "-", "--id=-2147483648"]), { stdout: "[1,2]" });
});

t.test(
  "[TOOL-KEY-1, TOOL-SIGN-1, TOOL-VERIFY-1, TOOL-VERIFY-2, TOOL-VERIFY-3] keys, signatures, verification",
  async (t) => {
    const keys = await json(["keygen", "-o", "key.pem"]);
    t.match(keys.data, { privateKeyFile: "key.pem", publicKeyFile: "key.pem.pub", publicKey: /^[0-9a-f]{64}$/ });
    t.match(await tool(["keygen", "-o", "key.pem"]), { code: 1, stderr: /^error\[PACK-KEYFILE\]/ });
    const { data } = await json(["sign", "mixed.pa", "--key", "key.pem", "-o", "signed.pa"]);
    t.match(data, { output: "signed.pa", identity, publicKey: keys.data.publicKey });
    t.match(await tool(["sign", "signed.pa", "--key", "key.pem"]), { code: 1, stderr: /^error\[PACK-SIGNATURE\]/ });
    t.match(await tool(["sign", "signed.pa", "--key", "key.pem", "--force"]), { code: 0 });
    t.match(await tool(["sign", "signed.pa", "--key", "mixed.pa", "--force"]), {
      code: 1,
      stderr: /^error\[PACK-KEYFILE\]/,
    });

    for (const key of ["key.pem.pub", keys.data.publicKey])
      t.match((await json(["verify", "signed.pa", "--key", key, "--identity", identity])).data, {
        identity,
        assets: 6,
        packs: [{ file: "signed.pa", signedBy: keys.data.publicKey }],
      });
    t.match(await tool(["verify", "mixed.pa", "--key", "key.pem.pub"]), { code: 1, stderr: /not signed/ });
    const other = identity.replace(/.$/, (last) => (last === "a" ? "b" : "a"));
    t.match(await tool(["verify", "mixed.pa", "--identity", other]), { code: 1, stderr: /^error\[PACK-IDENTITY\]/ });
    t.match(await tool(["verify", "slots.pa"]), { code: 1, stderr: /^error\[PACK-PRELOAD-SLOT\]/ });
    t.match(await tool(["verify", "slots.pa", "--slots", "1000"]), { code: 0 });
  },
);

t.test("[TOOL-DIFF-1] what is told of differences", async (t) => {
  const { stdout } = await tool(["diff", "mixed.pa", "mixed.pa,patch.pa"]);
  t.match(stdout, /^- 4 story: text, 850 bytes$/m);
  t.match(stdout, /^~ 3 twin: bank type, bytes, sprites -> text, 5 -> 1 bytes$/m);
  t.match(stdout, /^0 assets added, 1 removed, 1 changed, 4 unchanged$/m);
  t.match((await json(["diff", "mixed.pa", "mixed.pa,patch.pa"])).data, {
    same: false,
    removed: [{ id: 4 }],
    metadata: true,
  });
  t.equal((await tool(["diff", "mixed.pa", "mixed.pa"])).stdout, "the packs are identical\n");
});

t.test("[TOOL-VERB-6, TOOL-VERB-7] packing, patching, ids", async (t) => {
  mkdirSync(file("art"));
  write("art/a.txt", "a");
  write("art/b.txt", "b");
  const packed = await json(["pack", "art", "-o", "v1.pa", "--lock", "art.lock"]);
  t.match(packed, { code: 0, stderr: "" });
  t.strictSame(Object.keys(packed.data).sort(), [
    ...["added", "assets", "banks", "bytes", "cached", "headerBytes", "identity", "lock", "made", "notes", "output"],
    ...["payloadBytes", "retired", "schema", "shared", "sharedBytes", "sources"],
  ]);
  t.match(packed.data, { assets: 2, added: ["a.txt", "b.txt"], banks: [{ bankType: "text", assets: 2, bytes: 2 }] });
  write("art/b.txt", "B");
  t.match(await tool(["pack", "art", "-o", "v1.pa", "--lock", "art.lock", "--check"]), { code: 1 });
  t.match(await tool(["pack", "art", "-o", "v2.pa", "--lock", "art.lock"]), { code: 0, stdout: /^identity +mi2:/m });
  const patched = await json(["patch", "v1.pa", "v2.pa", "-o", "v2.patch.pa"]);
  t.match(patched.data, { base: packed.data.identity, added: 0, changed: 1, removed: 0, unchanged: 1 });
  t.strictSame(Object.keys(patched.data).sort(), [
    ...["added", "base", "bytes", "changed", "identity", "output", "removed", "schema", "unchanged"],
  ]);
  t.match(await tool(["diff", "v1.pa,v2.patch.pa", "v2.pa"]), { code: 0 });

  write("art/CON.txt", "");
  const noted = await tool(["pack", "art", "-o", "v3.pa", "--json"]);
  t.match(noted, { code: 0, stderr: /^note: .*CON\.txt/ });
  t.match(JSON.parse(noted.stdout).notes, [{ kind: "portability" }]);
  t.match(await tool(["pack", "art", "-o", "v3.pa", "--quiet"]), { code: 0, stderr: "" });
  t.match(await tool(["pack", "none", "-o", "v4.pa"]), { code: 1, stderr: /^error\[PACK-/ });
  t.notOk(existsSync(file("v4.pa")));
  rmSync(file("art/CON.txt"));

  rmSync(file("art/assets.lock.json"), { force: true });
  t.match((await json(["pack", "art", "-o", "v3.pa", "--no-lock"])).data, { lock: null, added: [] });
  t.notOk(existsSync(file("art/assets.lock.json")));
  t.match((await json(["pack", "art", "-o", "v3.pa"])).data, {
    lock: /assets\.lock\.json$/,
    added: ["a.txt", "b.txt"],
  });
  t.ok(existsSync(file("art/assets.lock.json")));

  const source = await tool(["ids", "v1.pa", "--lang", "ts"]);
  t.match(source.stdout, /A_TXT: 1,/);
  t.match((await json(["ids", "v1.pa", "--lang", "ts"])).data, {
    lang: "ts",
    text: source.stdout,
    identity: packed.data.identity,
  });
  const into = ["ids", "v1.pa", "--lang", "ts", "-o", "ids.ts"];
  t.match((await json(into)).data, { output: "ids.ts", changed: true });
  t.match((await json(into)).data, { changed: false });
  t.equal(readFileSync(file("ids.ts"), "utf8"), source.stdout);
  t.match(await tool([...into.slice(0, -1), "none/ids.ts"]), { code: 1, stderr: /^error\[PACK-OUTPUT\]/ });
});

t.test(
  "[TOOL-VERB-2, TOOL-VERB-3, TOOL-VERB-6] watch: an object a pack, failures too; ends by its signal",
  async (t) => {
    mkdirSync(file("watched"));
    write("watched/a.txt", "1");
    const child = start(["watch", "watched", "-o", "watched.pa", "--no-cache", "--json"], TOOL);
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    /** The next object of this kind: a state in between may be packed too. */
    const until = async (isIt: (data: { assets?: number; error?: { code: string } }) => boolean) => {
      for (;;) {
        const data = JSON.parse((await lines.next()).value!);
        t.equal(data.schema, "ashlar.assets.watch/1");
        if (isIt(data)) return;
      }
    };
    await until(({ assets }) => assets === 1);
    write("watched/b.txt", "2");
    await until(({ assets }) => assets === 2);
    write("watched/c.json", "{");
    await until(({ error }) => error?.code === "PACK-IMPORT");
    t.equal(openPack(readFileSync(file("watched.pa"))).length, 2);
    rmSync(file("watched/c.json"));
    write("watched/d.txt", "3");
    await until(({ assets }) => assets === 3);
    child.kill("SIGTERM");
    const [code, signal] = await once(child, "close");
    if (process.platform !== "win32") t.strictSame([code, signal], [null, "SIGTERM"]);
  },
);

t.test("[CLI-NODE-1] an old Node.js gets an answer that helps", async (t) => {
  write("old.mjs", 'Object.defineProperty(process.versions, "node", { value: "18.20.0" });');
  const ended = await spawned(["list", "mixed.pa"], { node: ["--import", `file://${file("old.mjs")}`] });
  t.match(ended, { code: 1, stdout: "" });
  t.match(firstLine(ended), /^assets-tool needs Node\.js 22\.3 or newer, and this is 18\.20\.0/);
});
