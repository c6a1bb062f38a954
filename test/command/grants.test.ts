/** What a guest is granted: flags, `grants.json`, `--tmp`. */
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import t from "tap";
import { directoryFileSystem } from "../../host/fs/directory.ts";
import { faultyFileSystem } from "../../host/fs/faulty.ts";
import { type FileSystem, RETRY } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { checkGrants, GRANTS_BYTES, type Grants, mergeGrants, readGrants } from "../../host/grants.ts";
import { openTmp, TmpError } from "../../host/tmp.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { ashlar, type Ended, type Given, reportOf, scratch, start, wat } from "./ashlar.ts";
import { SCRIPT } from "./script.ts";

await wat("script.wasm", SCRIPT);

/** Runs the script guest with these words. */
function script(words: readonly string[], options: readonly string[] = [], given: Given = {}): Promise<Ended> {
  return ashlar(["run", "script.wasm", ...options, "--", ...words], given);
}

/** A new folder with these files; a value `-> TARGET` is a link. */
function folder(name: string, files: { readonly [path: string]: string }): string {
  const path = join(scratch, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    if (text.startsWith("-> ")) symlinkSync(text.slice(3), join(path, file));
    else writeFileSync(join(path, file), text);
  }
  return path;
}

/** What is in a folder, as {@link folder} takes it; directories without anything in them end with a slash. */
function contentsOf(path: string, prefix = ""): { readonly [path: string]: string } {
  const files: { [path: string]: string } = {};
  for (const name of readdirSync(path).sort()) {
    const at = join(path, name);
    const stats = lstatSync(at);
    if (stats.isSymbolicLink()) files[prefix + name] = `-> ${readlinkSync(at)}`;
    else if (stats.isFile()) files[prefix + name] = readFileSync(at, "utf8");
    else if (stats.isDirectory() && readdirSync(at).length === 0) files[`${prefix}${name}/`] = "";
    else if (stats.isDirectory()) Object.assign(files, contentsOf(at, `${prefix}${name}/`));
  }
  return files;
}

t.test("[CLI-GRANT-2] grants.json: every key, and what is wrong with it by its JSON pointer", async (t) => {
  const all: Grants = {
    dirs: [{ host: "/a", guest: "/a", readOnly: true, overlay: false }],
    tmp: [{ guest: "/t" }, { guest: "/u", host: "/u" }],
    env: { A: "1", ["__proto__"]: "2" },
    stdin: "/in",
    clock: { start: "2026-01-01T00:00:00.123456789Z" },
    seed: "0xff",
    interactive: true,
    hostMetadata: false,
    assets: { host: "/p", patches: ["/q", "/r"], verify: "always", slots: { tiles: 65_536, own: 0 } },
    store: { host: "/s", readOnly: true, wait: 0.5 },
    quota: {
      bytes: 1,
      files: 2,
      handles: 3,
      path: 4,
      depth: 5,
      bankBytes: 6,
      storeBytes: 7,
      storeArtifacts: 8,
      storeWriters: 9,
    },
  };
  const path = join(scratch, "all.json");
  writeFileSync(path, `\ufeff${JSON.stringify(all)}`);
  t.strictSame(readGrants(path), all);
  const relative = {
    dirs: [{ host: "a/../b", guest: "/" }],
    stdin: "in",
    assets: { host: "p", patches: ["q"] },
    store: { host: "s" },
  };
  t.strictSame(checkGrants(relative, { folder: "/f" }), {
    dirs: [{ host: "/f/b", guest: "/" }],
    stdin: "/f/in",
    assets: { host: "/f/p", patches: ["/f/q"] },
    store: { host: "/f/s" },
  });
  const wrong: [string, unknown][] = [
    ["at the top", []],
    ["at the top", null],
    ["/dir:", { dir: [] }],
    ["/a~1b~0:", { "a/b~": 1 }],
    ["/constructor:", { constructor: 1 }],
    ["/dirs:", { dirs: {} }],
    ["/dirs/0:", { dirs: [{ host: "a" }] }],
    [
      "/dirs/1/guest:",
      {
        dirs: [
          { host: "a", guest: "/" },
          { host: "a", guest: "b" },
        ],
      },
    ],
    ["/dirs/0/guest:", { dirs: [{ host: "a", guest: "/a/../b" }] }],
    ["/dirs/0/host:", { dirs: [{ host: "", guest: "/" }] }],
    ["/dirs/0/readOnly:", { dirs: [{ host: "a", guest: "/", readOnly: 1 }] }],
    ["/tmp/0/guest:", { tmp: [{ guest: 1 }] }],
    ["/tmp/0/quota:", { tmp: [{ guest: "/", quota: 1 }] }],
    ["/env/A=B:", { env: { "A=B": "" } }],
    ["/env/:", { env: { "": "" } }],
    ["/env/A:", { env: { A: 1 } }],
    ["/env/A:", { env: { A: "\0" } }],
    ["/env/A:", { env: { A: "\ud800" } }],
    ["/stdin:", { stdin: true }],
    ["/clock:", { clock: "now" }],
    ["/clock:", { clock: null }],
    ["/clock:", { clock: {} }],
    ["/clock/start:", { clock: { start: "2026-02-30T00:00:00Z" } }],
    ["/clock/start:", { clock: { start: "2026-01-01T00:00:00" } }],
    ["/clock/start:", { clock: { start: "2263-01-01T00:00:00Z" } }],
    ["/clock/start:", { clock: { start: "1969-12-31T23:59:59Z" } }],
    ["/seed:", { seed: -1 }],
    ["/seed:", { seed: 1.5 }],
    ["/seed:", { seed: `0x1${"0".repeat(64)}` }],
    ["/interactive:", { interactive: "yes" }],
    ["/quota/bytes:", { quota: { bytes: "1" } }],
    ["/quota/size:", { quota: { size: 1 } }],
    ["/quota/bankBytes:", { quota: { bankBytes: -1 } }],
    ["/quota/storeWriters:", { quota: { storeWriters: 1.5 } }],
    ["/store:", { store: "s" }],
    ["/store:", { store: { readOnly: true } }],
    ["/store/host:", { store: { host: "" } }],
    ["/store/readOnly:", { store: { host: "s", readOnly: 1 } }],
    ["/store/wait:", { store: { host: "s", wait: -1 } }],
    ["/store/wait:", { store: { host: "s", wait: "1" } }],
    ["/store/wait:", { store: { host: "s", wait: 3_000_000 } }],
    ["/assets:", { assets: "p" }],
    ["/assets:", { assets: { patches: [] } }],
    ["/assets/host:", { assets: { host: "" } }],
    ["/assets/patches:", { assets: { host: "p", patches: "q" } }],
    ["/assets/patches/0:", { assets: { host: "p", patches: [1] } }],
    ["/assets/verify:", { assets: { host: "p", verify: "once" } }],
    ["/assets/slots:", { assets: { host: "p", slots: 65_537 } }],
    ["/assets/slots:", { assets: { host: "p", slots: 1.5 } }],
    ["/assets/slots/tiles:", { assets: { host: "p", slots: { tiles: -1 } } }],
    ["/assets/slots/Tiles:", { assets: { host: "p", slots: { Tiles: 1 } } }],
    ["/assets/path:", { assets: { host: "p", path: "q" } }],
  ];
  for (const [place, data] of wrong)
    t.throws(() => checkGrants(data), { code: "FS-GRANT", message: place }, JSON.stringify(data));
  for (const text of ["{", "{}{}", "\xff", `{"env":{"A":"${"x".repeat(GRANTS_BYTES)}"}}`]) {
    writeFileSync(path, text, "latin1");
    t.throws(() => readGrants(path), { code: "FS-GRANT", message: "all.json" });
  }
  t.match(await script([], ["--grants", "all.json"]), { code: 1, stderr: /^error\[FS-GRANT\]: all\.json/ });
  t.match(await script([], ["--grants", "none.json"]), { code: 1, stderr: /^error\[FS-GRANT\]: none\.json/ });
});

t.test("[CLI-GRANT-2, CLI-GRANT-3] flags, and flags on top of a file", async (t) => {
  t.strictSame(
    mergeGrants(
      { dirs: [{ host: "a", guest: "/a" }], env: { A: "1", B: "1" }, clock: "real", quota: { bytes: 1, files: 1 } },
      { dirs: [{ host: "b", guest: "/b" }], env: { B: "2" }, clock: "virtual", quota: { files: 2 }, tmp: [] },
    ),
    {
      dirs: [
        { host: "a", guest: "/a" },
        { host: "b", guest: "/b" },
      ],
      env: { A: "1", B: "2" },
      clock: "virtual",
      quota: { bytes: 1, files: 2 },
      tmp: [],
    },
  );
  const path = folder("granted", { "grants.json": "", "data/f": "of the file\n", in: "input" });
  const grants: Grants = {
    dirs: [{ host: "data", guest: "/d", readOnly: true }],
    env: { A: "1", B: "1" },
    stdin: "in",
    seed: 7,
  };
  writeFileSync(join(path, "grants.json"), JSON.stringify(grants));
  const flags = ["--env", "B=2=3", "--env", "C", "--env", "D=", "--tmp", "/t"];
  const words = ["v", "p", "/d/f", "i", "w", "/t/x", "\n", "p", "/t/x", "r"];
  const ended = await script(words, ["--grants", "granted/grants.json", ...flags], { env: { C: "inherited" } });
  const [seven, other] = [await script(["r"], ["--seed", "7"]), await script(["r"])];
  t.match(ended, { code: 0, stdout: `A=1\nB=2=3\nC=inherited\nD=\nof the file\n[input]\n${seven.stdout}` });
  t.not(seven.stdout, other.stdout);
  const wrong: string[][] = [
    ["--env", "=1"],
    ["--env", "NO_SUCH_VARIABLE"],
    ["--clock", "now"],
    ["--clock", "virtual:2026"],
    ["--clock", "virtual:1969-12-31T23:59:59.999999999Z"],
    ["--stdin", ""],
    ["--seed", "-1"],
    ["--seed", `${2n ** 256n}`],
    ["--quota", "bytes=1,bytes=2"],
    ["--quota", "size=1"],
    ["--quota", "files=x"],
    ["--quota", "files"],
    ["--tmp", "t"],
    ["--tmp", "/t="],
    ["--dir", "a::b:overlay"],
    ["--interactive=1"],
    ["--assets", ""],
    ["--assets", "a,"],
    ["--assets", ",a"],
    ["--assets", "a", "--assets", "b"],
    ["--assets", "a,b", "--record", "b"],
    ["--quota", "bankBytes=x"],
    ["--quota", "storeArtifacts=x"],
    ["--store", ""],
    ["--store", ":ro"],
    ["--store", "a", "--store", "b"],
    ["--store-wait", "1"],
    ["--store", "a", "--store-wait", "x"],
    ["--store", "a", "--store-wait", "-1"],
    ["--store", "a", "--store-wait", "2000001"],
  ];
  for (const flags of wrong)
    t.match(await script([], flags), { code: 2, stderr: /^error\[CLI-USAGE\]/ }, flags.join(" "));
});

t.test("[CLI-GRANT-4] what cannot be opened is told before the guest runs", async (t) => {
  folder("there", { in: "" });
  const wrong: string[][] = [
    ["--dir", "nowhere::/d"],
    ["--dir", "there/in::/d:overlay"],
    ["--tmp", "/t=nowhere"],
    ["--stdin", "nowhere"],
    ["--stdin", "there"],
    ["--tmp", "/t", "--dir", "there::/t"],
  ];
  for (const flags of wrong)
    t.match(
      await script(["g", "It runs."], flags),
      { code: 1, stderr: /^error\[FS-GRANT\](?![\s\S]*It runs)/ },
      flags.join(" "),
    );
});

t.test("[CLI-ENV-1] clock, randomness and environment are the same in every run, or what is granted", async (t) => {
  const words = ["c", "z", "c", "r", "v"];
  const [first, second] = await Promise.all([script(words), script(words)]);
  t.equal(first.stdout, second.stdout);
  const [before = "", after = "", random = ""] = first.stdout.split("\n");
  const time = (text: string): bigint => BigInt(`0x${text}`);
  t.ok(time(before) > 0n && time(before) < 1_000_000n, "little fuel was used since 1970");
  const slept = time(after) - time(before);
  t.ok(slept > 1_000_000_000n && slept < 1_001_000_000n, "a virtual second passed, and some fuel was used");
  t.equal(first.stdout.split("\n").length, 4, "the environment is empty");
  // SHA-256 of 40 zero bytes begins so; read as a little-endian number.
  const { createHash } = await import("node:crypto");
  t.equal(time(random), createHash("sha256").update(Buffer.alloc(40)).digest().readBigUInt64LE());
  t.equal((await script(["r"], ["--seed", "0x0"])).stdout, `${random}\n`);

  const start = Date.parse("2026-01-01T00:00:00Z");
  const moved = await script(words, ["--clock", "virtual:2026-01-01T00:00:00Z"]);
  t.equal(time(moved.stdout.split("\n")[0]!) - time(before), BigInt(start) * 1_000_000n);
  const now = BigInt(Date.now()) * 1_000_000n;
  const real = await script(["c", "r"], ["--clock", "real", "--seed", "real"]);
  const [realTime = "", realRandom] = real.stdout.split("\n");
  t.ok(time(realTime) - now > -1_000_000_000n, "not before it was started");
  t.ok(BigInt(Date.now() + 1000) * 1_000_000n > time(realTime), "not after it ended");
  t.not(realRandom, random);
});

t.test("[CLI-GRANT-2] interactive input comes as it is written; other input when it is complete", async (t) => {
  const child = start(["run", "script.wasm", "--interactive", "--", "i", "i", "i"]);
  const answers: string[] = [];
  for (const word of ["ab", "c"]) {
    child.stdin!.write(word);
    answers.push(String((await once(child.stdout!, "data"))[0]));
  }
  child.stdin!.end();
  answers.push(String((await once(child.stdout!, "data"))[0]));
  t.strictSame(answers, ["[ab]", "[c]", "[]"]);
  t.match(await script(["i", "i"], [], { input: "abc" }), { stdout: "[abc][]" });
});

t.test("[CLI-GRANT-2] times of host files are shown where that is granted", async (t) => {
  const path = folder("times", { f: "" });
  utimesSync(join(path, "f"), 1, 2);
  t.match(await script(["t", "/d/f"], ["--dir", "times::/d"]), { stdout: "0000000000000000\n" });
  t.match(await script(["t", "/d/f"], ["--dir", "times::/d", "--host-metadata"]), { stdout: "0000000077359400\n" });
});

t.test("[CLI-GRANT-5] an overlay shows changes, and keeps the folder", async (t) => {
  const files = { f: "old", "a/b": "inner" };
  const path = folder("below", files);
  const words = ["w", "/d/f", "new", "x", "/d/a/b", "R", "/d/a", "w", "/d/g", "more", "p", "/d/f", "p", "/d/g"];
  t.match(await script(words, ["--dir", "below::/d:overlay"]), { code: 0, stdout: "newmore" });
  t.strictSame(contentsOf(path), files);
});

t.test("[CLI-QUOTA-1] quotas are statuses", async (t) => {
  const QUOTA = Status.QUOTA;
  const path = folder("quota", { old: "0123456789" });
  const write = (bytes: number): string[] => ["w", "/d/f", "x".repeat(bytes)];
  for (const mount of [
    ["--dir", "quota::/d"],
    ["--dir", "quota::/d:overlay"],
    ["--tmp", "/d"],
  ]) {
    const what = mount.join(" ");
    rmSync(join(path, "f"), { force: true });
    t.match(await script(write(10), [...mount, "--quota", "bytes=10"]), { code: 0 }, what);
    rmSync(join(path, "f"), { force: true });
    t.match(await script(write(11), [...mount, "--quota", "bytes=10"]), { code: QUOTA }, what);
    rmSync(join(path, "f"), { force: true });
    t.match(await script([...write(1), "d", "/d/g"], [...mount, "--quota", "files=2"]), { code: 0 }, what);
    rmSync(join(path, "f"), { force: true });
    rmSync(join(path, "g"), { recursive: true, force: true });
    t.match(await script([...write(1), "d", "/d/g"], [...mount, "--quota", "files=1"]), { code: QUOTA }, what);
  }
  t.match(await script(write(1), ["--tmp", "/d", "--quota", "handles=0"]), { code: QUOTA });
  t.match(await script(write(1), ["--tmp", "/d", "--quota", "handles=1,path=4,depth=1"]), { code: 0 });
  t.match(await script(write(1), ["--tmp", "/d", "--quota", "path=3"]), { code: Status.NAME_TOO_LONG });
  t.match(await script(["d", "/d/g", "w", "/d/g/h", ""], ["--tmp", "/d", "--quota", "depth=1"]), { code: QUOTA });
});

t.test("[CLI-TMP-1] a folder in memory, empty or with a copy that follows no link", async (t) => {
  t.match(await script(["w", "/t/f", "text", "p", "/t/f"], ["--tmp", "/t"]), { code: 0, stdout: "text" });
  folder("secret", { key: "secret" });
  const files = {
    f: "text",
    "a/b/c": "deep",
    "a/empty": "",
    link: "-> f",
    out: "-> ../secret",
    key: "-> ../secret/key",
  };
  const path = folder("copied", files);
  const run = (...words: string[]): Promise<Ended> => script(words, ["--tmp", "/t=copied"]);
  t.match(await run("p", "/t/f", "p", "/t/a/b/c", "p", "/t/link"), { code: 0, stdout: "textdeeptext", stderr: "" });
  t.match(await run("p", "/t/key"), { code: Status.ACCESS, stdout: "" });
  t.match(await run("p", "/t/out/key"), { code: Status.ACCESS, stdout: "" });
  t.strictSame(contentsOf(path), files);
  t.match(await script(["v"], ["--tmp", "/t=copied", "--quota", "bytes=7"]), {
    code: 1,
    stderr: /FS-GRANT.*QUOTA|NO_SPACE/,
  });
  t.match(await script(["v"], ["--tmp", "/t=copied", "--quota", "files=3"]), { code: 1, stderr: /FS-GRANT/ });

  if (process.platform !== "linux") return;
  const { execFileSync } = await import("node:child_process");
  execFileSync("mkfifo", [join(path, "pipe")]);
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff)]), "no UTF-8");
  symlinkSync(Buffer.of(0xff), join(path, "q"));
  const noted = await script(["w", "/t/f", "new"], ["--tmp", "/t=copied"]);
  t.match(noted, {
    code: 0,
    stderr: /^note: copied: .*UTF-8.*\nnote: copied: pipe is left out.*\nnote: copied: q is left out.*UTF-8\n$/,
  });
  t.equal(readFileSync(join(path, "f"), "utf8"), "new");
  t.ok(statSync(join(path, "pipe")).isFIFO());
  t.equal(readdirSync(path, { encoding: "buffer" }).filter((name) => name[0] === 0xff).length, 1);
});

t.test("[CLI-TMP-2] changes come back when the guest ended by itself", async (t) => {
  const files = { f: "old", g: "old", "a/b/c": "deep", "a/x": "", link: "-> f", "same/f": "same" };
  const changes = ["w", "/t/f", "new", "x", "/t/g", "d", "/t/n", "d", "/t/n/m", "w", "/t/n/m/f", "made"];
  const more = [
    "m",
    "/t/a/b",
    "/t/b",
    "x",
    "/t/link",
    "l",
    "n/m/f",
    "/t/link",
    "x",
    "/t/a/x",
    "R",
    "/t/a",
    "d",
    "/t/e",
  ];
  const kinds = ["x", "/t/f", "d", "/t/f", "w", "/t/f/g", "in f"];
  const path = folder("back", files);
  const same = statSync(join(path, "same/f"), { bigint: true });
  const run = (words: string[], ...options: string[]): Promise<Ended> =>
    script(words, ["--tmp", "/t=back", ...options]);
  t.match(await run([...changes, "T"]), { code: 134, stderr: /^trap: [\s\S]*\nnote: back: nothing was copied back/ });
  t.match(await run([...changes, "L"], "--fuel", "1000000"), { code: 134 });
  t.strictSame(contentsOf(path), files, "not after a trap, and not without fuel");
  t.match(await run([...changes, ...more]), { code: 0, stderr: "" });
  const after = { f: "new", "n/m/f": "made", "b/c": "deep", link: "-> n/m/f", "e/": "", "same/f": "same" };
  t.strictSame(contentsOf(path), after);
  t.match(await run([...kinds, "p", "/t/none"]), { code: Status.NOT_FOUND, stderr: "" }, "with any exit code");
  const { f: _, ...others } = after;
  t.strictSame(contentsOf(path), { ...others, "f/g": "in f" });
  t.match(await run(["x", "/t/f/g", "R", "/t/f", "w", "/t/f", "again"]), { code: 0, stderr: "" });
  t.strictSame(contentsOf(path), { ...others, f: "again" });
  const still = statSync(join(path, "same/f"), { bigint: true });
  t.strictSame([still.ino, still.ctimeNs], [same.ino, same.ctimeNs], "what is unchanged is not touched");
});

t.test("[CLI-TMP-1] a file that replaces another has its permissions", async (t) => {
  const path = folder("modes", { secret: "old", tool: "old" });
  chmodSync(join(path, "secret"), 0o600);
  chmodSync(join(path, "tool"), 0o755);
  const words = ["w", "/t/secret", "new", "w", "/t/tool", "new", "w", "/t/fresh", "made"];
  t.match(await script(words, ["--tmp", "/t=modes"]), { code: 0, stderr: "" });
  const modeOf = (name: string): number => statSync(join(path, name)).mode & 0o777;
  t.strictSame(contentsOf(path), { fresh: "made", secret: "new", tool: "new" });
  t.strictSame([modeOf("secret"), modeOf("tool"), modeOf("fresh")], [0o600, 0o755, 0o666 & ~process.umask()]);

  const plan = { at: 1, operation: "permitAs", status: Status.ACCESS } as const;
  const tmp = openTmp({ host: faultyFileSystem(directoryFileSystem(path), plan) });
  put(tmp.fs, "secret", "newer");
  t.throws(() => tmp.copyOut(), { code: "FS-TMP" }, "rather than for all to read");
  t.strictSame(contentsOf(path), { fresh: "made", secret: "new", tool: "new" });
});

/** A folder of the host in memory. */
function hostFolder(files: { readonly [path: string]: string }): MemoryFileSystem {
  return new MemoryFileSystem(files);
}

function filesOf(fs: MemoryFileSystem): { readonly [path: string]: string } {
  return Object.fromEntries(
    fs
      .paths()
      .sort()
      .map((path) => [path, Buffer.from(fs.get(path)!).toString()]),
  );
}

/** Writes a file of the guest's. */
function put(fs: FileSystem, name: string, text: string): void {
  const file = fs.open(fs.root, name, OpenFlag.WRITE | OpenFlag.TRUNCATE);
  const open = file === Status.NOT_FOUND || typeof file === "number" ? fs.create(fs.root, name, OpenFlag.WRITE) : file;
  if (typeof open === "number") throw new Error(`${name}: ${open}`);
  open.write(0, Buffer.from(text));
  open.close();
}

t.test("[CLI-TMP-5] a copy-out fails whole before the first rename, and says so later", async (t) => {
  const before = { "/f": "old", "/g": "old", "/h": "old" };
  const after = { "/f": "new", "/g": "new", "/n": "new" };
  let untouched = 0;
  let partly = 0;
  for (let at = 1; ; at++) {
    const host = hostFolder(before);
    const plan: { at?: number; status: 7; calls: never[] } = { status: Status.NO_SPACE, calls: [] };
    const tmp = openTmp({ host: faultyFileSystem(host, plan) });
    for (const name of ["f", "g", "n"]) put(tmp.fs, name, "new");
    tmp.fs.unlink(tmp.fs.root, "h");
    plan.calls.length = 0;
    plan.at = at;
    let error: unknown;
    try {
      tmp.copyOut();
    } catch (thrown) {
      error = thrown;
    }
    if (plan.calls.length < at) {
      t.strictSame(filesOf(host), after);
      break;
    }
    const files = filesOf(host);
    if (error === undefined) {
      // Closing, and syncing a folder, may fail without harm.
      t.strictSame(files, after, `call ${at}`);
      continue;
    }
    t.ok(error instanceof TmpError && error.code === "FS-TMP", `call ${at}`);
    const { message } = error as TmpError;
    if (/nothing was copied back/.test(message)) {
      untouched++;
      t.strictSame(files, before, `call ${at}: ${message}`);
    } else {
      partly++;
      t.match(message, /not everything was copied back/);
      for (const [path, text] of Object.entries(files))
        t.ok(text === "new" || before[path as "/f"] === text, `call ${at}: ${path} is whole`);
    }
  }
  t.ok(untouched > 5 && partly > 2, "both happened");
});

t.test("[CLI-TMP-5] temporary files go although someone else changes the folder", (t) => {
  const host = hostFolder({ "/f": "old" });
  const create = host.create.bind(host);
  const unlink = host.unlink.bind(host);
  let made = 0;
  host.create = (...args) => (made++ === 0 ? create(...args) : Status.NO_SPACE);
  let asked = 0;
  // The first time it answers as when a folder above moves.
  host.unlink = (...args) => (asked++ === 0 ? RETRY : unlink(...args));
  const tmp = openTmp({ host });
  put(tmp.fs, "a", "new");
  put(tmp.fs, "b", "new");
  t.throws(() => tmp.copyOut(), { code: "FS-TMP" });
  t.strictSame(filesOf(host), { "/f": "old" });
  t.end();
});

t.test("[CLI-TMP-5] a folder that is gone", async (t) => {
  const path = folder("gone", { f: "old" });
  const child = start([
    "run",
    "script.wasm",
    "--interactive",
    "--tmp",
    "/t=gone",
    "--report",
    "-",
    "--",
    "w",
    "/t/f",
    "new",
    "g",
    "x",
    "i",
  ]);
  child.stderr!.once("data", () => {
    rmSync(path, { recursive: true });
    child.stdin!.end();
  });
  let out = "";
  child.stdout!.on("data", (text) => {
    out += text;
  });
  const [code] = await once(child, "close");
  t.equal(code, 1);
  t.match(JSON.parse(out.trim().split("\n").pop()!), { outcome: "error", exitCode: 1, error: { code: "FS-TMP" } });
  t.notOk(existsSync(path));
});

t.test("[CLI-TMP-3] a copy-out follows no link that has come meanwhile", async (t) => {
  const secret = folder("outside", { f: "secret", g: "secret" });
  const path = folder("swapped", { "a/f": "old", "b/f": "old", g: "old" });
  const words = ["w", "/t/a/f", "new", "x", "/t/b/f", "w", "/t/g", "new", "g", "ready", "i"];
  for (const name of ["a", "b"]) {
    const child = start(["run", "script.wasm", "--interactive", "--tmp", "/t=swapped", "--", ...words]);
    await once(child.stderr!, "data");
    rmSync(join(path, name), { recursive: true });
    symlinkSync("../outside", join(path, name));
    child.stdin!.end();
    const [code] = await once(child, "close");
    t.equal(code, 1, name);
    t.strictSame(contentsOf(secret), { f: "secret", g: "secret" });
    t.match(contentsOf(path), { [name]: "-> ../outside", g: "old" });
    rmSync(join(path, name));
    mkdirSync(join(path, name));
    writeFileSync(join(path, name, "f"), "old");
  }
});

t.test("[CLI-TMP-3, CLI-TMP-4] a run that is killed leaves whole files", async (t) => {
  const old = "old".repeat(1000);
  const count = 60;
  const names = Array.from({ length: count }, (_, k) => `${k}`.padStart(4, "0"));
  const files = Object.fromEntries(names.map((name) => [name, old]));
  let [early, late] = [0, 0];
  for (let round = 0; round < 8; round++) {
    const path = folder("killed", files);
    const child = start(["run", "script.wasm", "--tmp", "/w=killed", "--", "f", `${count}`.padStart(4, "0")]);
    let closed = false;
    const close = once(child, "close").then(() => {
      closed = true;
    });
    // Kill it when so many temporaries are there, or so many files are in their place.
    const written = Math.ceil(Math.random() * count);
    const isTime = (): boolean => {
      const now = readdirSync(path);
      if (round % 2 === 0) return now.length >= count + written;
      return now.length > count && now.filter((name) => !name.startsWith(".")).some((name) => isNew(join(path, name)));
    };
    while (!closed && !isTime()) await new Promise((resolve) => setImmediate(resolve));
    child.kill("SIGKILL");
    await close;
    let news = 0;
    for (const name of readdirSync(path)) {
      if (/^\.ashlar-tmp-\d+-\d+$/.test(name)) continue;
      const text = readFileSync(join(path, name), "utf8");
      const isOld = text === old;
      if (!isOld) news++;
      if (!isOld && text !== name.at(-1)!.repeat(10_000)) t.fail(`round ${round}: ${name} is cut`);
    }
    t.equal(readdirSync(path).filter((name) => !name.startsWith(".")).length, count);
    if (news === 0) early++;
    else late++;
  }
  t.ok(early > 0, "killed before the first rename");
  t.ok(late > 0, "killed after the first rename");

  const path = folder("left", { f: "old", ".ashlar-tmp-1-0": "cut" });
  const next = await script(["w", "/t/f", "new", "p", "/t/.ashlar-tmp-1-0"], ["--tmp", "/t=left"]);
  t.match(next, { code: Status.NOT_FOUND, stderr: /^note: left: \.ashlar-tmp-1-0 was left/ });
  t.strictSame(contentsOf(path), { ".ashlar-tmp-1-0": "cut", f: "new" });
  const made = await script(["w", "/t/.ashlar-tmp-1-1", "x", "w", "/t/g", "y"], ["--tmp", "/t=left"]);
  t.match(made, { code: 0, stderr: /\nnote: left: \.ashlar-tmp-1-1 is not copied back/ });
  t.strictSame(contentsOf(path), { ".ashlar-tmp-1-0": "cut", f: "new", g: "y" });
});

function isNew(path: string): boolean {
  return statSync(path).size === 10_000 && basename(path) !== "";
}

t.test("[CLI-TMP-2] with --report the guest's own end is told", async (t) => {
  folder("reported", { f: "old" });
  const { report } = await reportOf(script(["w", "/t/f", "new", "T"], ["--tmp", "/t=reported", "--report", "-"]));
  t.match(report, { outcome: "trap", exitCode: 134, error: null });
});
