/** Packs of sources: always the same bytes, by importers and codecs, and nothing but what is meant. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Importer } from "../../assets-tool/importer.ts";
import { encode } from "../../assets-tool/make.ts";
import { compareNames } from "../../assets-tool/name-order.ts";
import type { PackProgress } from "../../assets-tool/report.ts";
import { Spool } from "../../assets-tool/spool.ts";
import { ENCODERS } from "../../host/assets/codecs.ts";
import { PackError } from "../../host/assets/errors.ts";
import { MAGIC } from "../../host/assets/format.ts";
import { encodePack, type StoredFile } from "../../host/assets/write.ts";
import { Random } from "../vm/random.ts";
import { digests } from "./digests.ts";
import { problemsOf, told, Workshop } from "./workshop.ts";

const isPosix = process.platform !== "win32";
const POSIX = isPosix ? {} : { skip: "of POSIX" };

/** Of four packs and their lock files. A change of these is a change of every pack that users have checked in. */
const DIGESTS = {
  raw: "8d95f5455c566d544b68ed677a404acacd3fde934492ee1649ad3ec2170cbcff",
  deflate: "f3f2c33eaec30326e8af90efda9bcedd74cb127befd92b5fad48c62b77e6c9a3",
  zstd: "4045268e6e6aa3b53de9e1a65c32d97c2776051ab5ea6868dc92d2b9f65dde91",
  auto: "cbaba6a9db442e2d601eb1d68cd9c6da7a1d39c62e5731975f000acf85975ee8",
};

t.test("[TOOL-SAME-1, TOOL-SAME-3] the same bytes", async (t) => {
  t.strictSame(await digests(), DIGESTS);
  t.strictSame(
    await digests(true),
    DIGESTS,
    "other folder, order, permissions, forms of names; from the cache, over what was there",
  );
});

t.test("[TOOL-SAME-1] the same bytes elsewhere", async (t) => {
  const program = fileURLToPath(new URL("digests.ts", import.meta.url));
  const env = { ...process.env, TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8", NO_COLOR: "1" };
  const { stdout } = spawnSync(process.execPath, ["--no-warnings", program], { encoding: "utf8", cwd: "/", env });
  t.strictSame(JSON.parse(stdout), DIGESTS, "in another time zone, language and folder");
});

t.test("[TOOL-SAME-2] the order of names", async (t) => {
  const names = [
    "",
    "a",
    "a/b",
    "a0",
    "b",
    "\u00e4",
    "\uffee",
    "\u{1f600}",
    "\u{1f600}a",
    "\u{1f601}",
    "Z",
    "a-b",
    "a.b",
  ];
  const random = new Random(1);
  for (let k = 0; k < 300; k++)
    names.push(
      String.fromCodePoint(
        ...Array.from({ length: random.below(4) }, () =>
          random.pick([0x61, 0xe9, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]),
        ),
      ),
    );
  const byBytes = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  t.strictSame([...names].sort(compareNames), byBytes);
});

t.test("[TOOL-SAME-3] the header names encoders that were used", async (t) => {
  const shop = new Workshop(t).write({ "art/a.bin": "a".repeat(1_000) });
  for (const [codec, encoders] of [
    ["raw", {}],
    ["deflate", { deflate: ENCODERS.deflate }],
    ["zstd", { zstd: ENCODERS.zstd }],
  ] as const) {
    await shop.configure({ codec }).pack();
    t.same(
      shop.open((pack) => pack.header.encoders),
      encoders,
    );
  }
});

t.test("[TOOL-CODEC-1] codecs", async (t) => {
  const random = new Random(3);
  const noise = Uint8Array.from({ length: 5_000 }, () => random.below(256));
  const text = Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(100));
  const short = Buffer.from("abc");
  const chosen = async (bytes: Uint8Array) =>
    await Promise.all(
      (["raw", "deflate", "zstd", "auto"] as const).map(async (choice) => (await encode(choice, bytes)).codec),
    );
  t.strictSame(await chosen(text), ["raw", "deflate", "zstd", "zstd"]);
  t.strictSame(await chosen(noise), ["raw", "raw", "raw", "raw"]);
  t.strictSame(await chosen(short), ["raw", "raw", "raw", "raw"]);
  t.strictSame(await chosen(new Uint8Array(0)), ["raw", "raw", "raw", "raw"]);
  // A little shorter: enough for who asks for it, not for `auto`.
  const little = Uint8Array.from({ length: 5_000 }, (_, k) => (k < 4_800 ? noise[k]! : 0));
  const { codec, stored } = await encode("deflate", little);
  t.equal(codec, "deflate");
  t.ok(stored.length * 16 > little.length * 15 && stored.length < little.length);
  t.equal((await encode("auto", little)).codec, "raw");
});

t.test("[TOOL-CODEC-2] what zstd makes too short", async (t) => {
  const shop = new Workshop(t).write({ "art/zeros": new Uint8Array(300_000) }).configure({ codec: "zstd" });
  await shop.pack();
  t.match(shop.found(), [{ codec: "deflate", text: "\0".repeat(300_000) }]);
  t.equal((await encode("auto", new Uint8Array(300_000))).codec, "deflate");
});

t.test("[TOOL-CODEC-3] what is too much for memory", async (t) => {
  const spool = new Spool(100);
  const first = new Uint8Array(60).fill(1);
  t.equal(spool.keep(first), first, "is there room, it stays");
  const kept = [2, 3].map((fill) => spool.keep(new Uint8Array(50).fill(fill)) as StoredFile);
  t.strictSame(
    kept.map(({ size, offset, file }) => [size, offset, readFileSync(file).subarray(offset, offset! + size)[0]]),
    [
      [50, 0, 2],
      [50, 50, 3],
    ],
  );
  const { file } = kept[0]!;
  if (isPosix) t.equal(statSync(file).mode & 0o077, 0);
  const input = (id: number, stored: Uint8Array | StoredFile) =>
    ({ id, name: String(id), bankType: "data", codec: "raw", decodedSize: 50, stored }) as const;
  const whole = await encodePack({
    assets: [input(1, new Uint8Array(50).fill(2)), input(2, new Uint8Array(50).fill(3))],
  });
  const spooled = await encodePack({ assets: [input(1, kept[0]!), input(2, kept[1]!)] });
  t.ok(Buffer.from(whole).equals(spooled));
  spool.close();
  t.notOk(existsSync(file));
  spool.close();
});

t.test("[TOOL-SOURCE-1] what is a source", async (t) => {
  const shop = new Workshop(t).write({
    "art/a": "a",
    "art/deep/er/b": "b",
    "art/.hidden": "h",
    "art/.git/c": "c",
    "art/out.pa": Buffer.concat([MAGIC, Buffer.from("an older pack")]),
    "art/out.pa.123.0a1b2c3d.tmp": "what a killed packer left",
    "art/out.pa.bak": "kept",
    "art/my.lock.held": "",
    "art/cache/x.asset": "",
  });
  mkdirSync(shop.at("art/empty"));
  const request = { output: shop.at("art/out.pa"), lock: shop.at("art/my.lock"), cache: shop.at("art/cache") };
  shop.remove("art/my.lock.held");
  chmodSync(shop.at("art/cache"), 0o700);
  const first = await shop.pack(request);
  const names = ["a", "deep/er/b", "out.pa.bak"];
  t.strictSame(shop.names("art/out.pa"), names);
  t.equal(first.sources, 3);
  const digest = shop.digest("art/out.pa");
  await shop.pack(request);
  t.equal(shop.digest("art/out.pa"), digest, "a pack beside its sources does not pack itself");

  shop.write({ [`art/${"d/".repeat(64)}x`]: "deep" });
  await shop.pack();
  shop.write({ [`art/${"d/".repeat(65)}x`]: "deep" });
  t.strictSame(await told(() => shop.pack(), shop.folder), [["PACK-INPUT", `art/${"d/".repeat(64)}d`]]);
  t.strictSame(await told(() => shop.pack({ from: shop.at("none") }), shop.folder), [["PACK-INPUT", "none"]]);
});

t.test("[TOOL-SOURCE-2] links", POSIX, async (t) => {
  const shop = new Workshop(t).write({
    "art/a.bin": "a",
    "art/deep/b": "b",
    "art/file": { link: "a.bin" },
    "art/far": { link: "link" },
    "art/link": { link: "deep/b" },
    "art/folder": { link: "deep" },
    "out/secret": "s",
  });
  symlinkSync(shop.at("art/deep"), shop.at("art/absolute"));
  await shop.pack();
  t.strictSame(
    shop.found().map(({ name, text }) => `${name}=${text}`),
    ["a.bin=a", "absolute/b=b", "deep/b=b", "far=b", "file=a", "folder/b=b", "link=b"],
  );
  t.equal(statSync(shop.at("art")).isDirectory(), true);

  const fails = async (path: string, link: string, config: object = {}) => {
    shop.write({ [path]: { link } });
    const found = await told(() => shop.configure(config).pack(), shop.folder);
    shop.remove(path);
    return found;
  };
  t.strictSame(await fails("art/x", "../out/secret"), [["PACK-INPUT", "art/x"]], "out of the root");
  t.strictSame(await fails("art/x", "/etc/passwd"), [["PACK-INPUT", "art/x"]]);
  t.strictSame(await fails("art/x", "../out"), [["PACK-INPUT", "art/x"]], "a folder out of the root");
  t.strictSame(await fails("art/x", ".."), [["PACK-INPUT", "art/x"]]);
  t.strictSame(await fails("art/x", "nowhere"), [["PACK-INPUT", "art/x"]]);
  t.strictSame(await fails("art/x", "x"), [["PACK-INPUT", "art/x"]], "itself");
  t.strictSame(
    await fails("art/deep/x", ".."),
    [
      ["PACK-INPUT", "art/deep/x"],
      ["PACK-INPUT", "art/deep/x"],
      ["PACK-INPUT", "art/deep/x"],
    ],
    "a folder that it lies in, by every way to it",
  );
  // A folder beside the root whose name only begins like it.
  shop.write({ "art2/y": "y" });
  t.strictSame(await fails("art/x", "../art2/y"), [["PACK-INPUT", "art/x"]]);

  const request = { output: shop.at("art/deep/out.pa"), lock: false } as const;
  await shop.configure({}).pack(request);
  shop.write({ "art/self.pa": { link: "deep/out.pa" } });
  await shop.pack(request);
  t.notMatch(shop.names("art/deep/out.pa"), ["self.pa"], "a link to the output is no source");
  shop.remove("art/self.pa", "art/deep/out.pa");

  shop.write({ "art/x": { link: "../out/secret" }, "art/.x": { link: "nowhere" } });
  await shop.configure({ ignore: ["x"] }).pack();
  t.notMatch(shop.names(), ["x"], "what is ignored, or matched by nothing, may lead anywhere");
  await shop.configure({ rules: [{ files: "*.bin" }] }).pack();
  t.strictSame(shop.names(), ["a.bin"]);
});

t.test("[TOOL-SOURCE-3] what is no file", POSIX, async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" });
  spawnSync("mkfifo", [shop.at("art/pipe")]);
  const server = createServer().listen(shop.at("art/socket"));
  await once(server, "listening");
  t.teardown(() => server.close());
  t.strictSame(await told(() => shop.pack(), shop.folder), [
    ["PACK-INPUT", "art/pipe"],
    ["PACK-INPUT", "art/socket"],
  ]);
  await shop.configure({ rules: [{ files: "a" }] }).pack();
  t.strictSame(shop.names(), ["a"]);
});

t.test("[TOOL-SOURCE-4] names", POSIX, async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" });
  const fails = async (path: string | Buffer, shown = path.toString()) => {
    const file = typeof path === "string" ? shop.at(path) : Buffer.concat([Buffer.from(`${shop.folder}/`), path]);
    writeFileSync(file, "x");
    const problems = await told(() => shop.pack(), shop.folder);
    shop.remove("art");
    shop.write({ "art/a": "a" });
    t.strictSame(problems, [["PACK-INPUT", shown]], shown);
  };
  await fails(Buffer.from("art/\xff\xfe", "latin1"), "art/\ufffd\ufffd");
  await fails("art/b\\c");
  await fails("art/b\nc");
  await fails("art/C:x");
  await fails("art/\u0085");
  shop.write({ "art/\u00e4": "composed", "art/a\u0308": "not" });
  const [problem, ...others] = await problemsOf(() => shop.pack());
  t.match(problem, { code: "PACK-INPUT", message: /same in NFC/ });
  t.strictSame(others, []);
  shop.remove("art/\u00e4");
  shop.write({ "art/\ufffd": "a name of its own" });
  await shop.pack();
  t.strictSame(shop.names(), ["a", "\u00e4", "\ufffd"]);

  shop.remove("art");
  shop
    .write({ "art/a.x": "1", "art/a.y": "2", "art/b.x": "3", [`art/${"n".repeat(250)}`]: "long" })
    .configure({ names: "stem" });
  const [clash] = await problemsOf(() => shop.pack());
  t.match(clash, { code: "PACK-ASSET-NAME", file: shop.at("art/a.y"), message: /"a" is also that of what a\.x makes/ });
  shop.configure({ rules: [{ files: "a.*" }, { files: "b.x", name: "a.x" }] });
  t.strictSame(await told(() => shop.pack(), shop.folder), [["PACK-ASSET-NAME", "art/b.x"]]);
  // What comes behind the path can make it too long.
  const twins: Importer = {
    name: "twins",
    version: 1,
    bankTypes: ["data"],
    matches: (path) => path.startsWith("n"),
    import: ({ bytes }) => ["", ".second"].map((suffix) => ({ suffix, bankType: "data", bytes, metadata: {} })),
  };
  shop.configure({});
  t.strictSame(await told(() => shop.pack({ importers: [twins] }), shop.folder), [
    ["PACK-INPUT", `art/${"n".repeat(250)}`],
  ]);
});

t.test("[TOOL-SOURCE-5] pointers of Git LFS", async (t) => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`;
  const shop = new Workshop(t).write({
    "art/a.png": pointer,
    "art/b.bin": pointer,
    "art/c.txt": pointer,
    "art/d.bin": "d",
  });
  const problems = await problemsOf(() => shop.pack());
  t.match(problems, [{ code: "PACK-INPUT" }, { code: "PACK-INPUT" }, { code: "PACK-INPUT" }]);
  t.match(problems[0]!.message, /git lfs pull/);
  shop.remove("art/a.png", "art/b.bin");
  shop.write({ "art/c.txt": `${pointer}${"#".repeat(2_000)}` });
  await shop.pack();
  t.strictSame(shop.names(), ["c.txt", "d.bin"], "what is longer is none");
});

t.test("[TOOL-SOURCE-6] sources that change meanwhile", async (t) => {
  const shop = new Workshop(t).write({ "art/a.txt": "first", "art/b.bin": "b".repeat(5_000), "art/c.txt": "last" });
  const during = (change: () => void) => {
    let once = change;
    return {
      onProgress: ({ phase }: PackProgress) => {
        if (phase !== "import") return;
        once();
        once = () => {};
      },
    };
  };
  const b = shop.at("art/b.bin");
  const changes: readonly (() => void)[] = [
    () => appendFileSync(b, "more"),
    () => writeFileSync(b, "b"),
    () => utimesSync(b, 1_000, 1_000),
  ];
  // Progress of a.txt is told before b.bin is found, and of c.txt after: so they change between finding and reading.
  for (const change of changes) {
    shop.write({ "art/b.bin": "b".repeat(5_000) });
    const found = await told(() => {
      let sources = 0;
      return shop.pack({ onProgress: ({ phase }) => phase === "import" && ++sources === 3 && change() });
    }, shop.folder);
    t.strictSame(found, [["PACK-CHANGED", "art/b.bin"]]);
    t.notOk(shop.has("out.pa"), "no pack is made");
  }
  shop.write({ "art/b.bin": "b".repeat(5_000) });
  t.strictSame(await told(() => shop.pack(during(() => shop.remove("art/c.txt"))), shop.folder), [
    ["PACK-INPUT", "art/c.txt"],
  ]);
});

t.test("[TOOL-SOURCE-7] names that are not those of files everywhere", POSIX, async (t) => {
  const shop = new Workshop(t).write({ "art/A": "1", "art/a": "2", "art/aux.txt": "3", "art/b?": "4", "art/ok": "5" });
  const heard: string[] = [];
  const { notes } = await shop.pack({ onNote: ({ kind, file }) => heard.push(`${kind} ${file}`) });
  const files = ["art/aux.txt", "art/b?", "art/a"].map((path) => `portability ${shop.at(path)}`);
  t.strictSame(heard, files);
  t.strictSame(
    notes.map(({ kind, file }) => `${kind} ${file}`),
    files,
  );
  t.equal(shop.found().length, 5);
});

t.test("[TOOL-SOURCE-8, TOOL-IMPORT-3] all problems at once", async (t) => {
  const shop = new Workshop(t).write({
    "art/a.png": "no picture",
    "art/b.json": "{",
    "art/c.wav": "RIFF",
    "art/d.txt": "fine",
  });
  shop.write({ "art/e.txt": Uint8Array.of(0xff) });
  const problems = await told(() => shop.pack(), shop.folder);
  t.strictSame(
    problems.map(([code]) => code),
    Array(4).fill("PACK-IMPORT"),
  );
  const files = (await problemsOf(() => shop.pack())).map(({ file }) => file);
  t.strictSame(
    files,
    ["a.png", "b.json", "c.wav", "e.txt"].map((name) => shop.at(`art/${name}`)),
  );
  for (let k = 0; k < 150; k++) shop.write({ [`art/${k}.png`]: "" });
  try {
    await shop.pack();
    t.fail("nothing was wrong");
  } catch (error) {
    t.ok(error instanceof PackError && error.total === 154 && error.problems.length === 100);
  }
  t.notOk(shop.has("out.pa"));
});

t.test("[TOOL-IMPORT-3] a source that is too large for its importer", async (t) => {
  const shop = new Workshop(t).write({ "art/large.png": "" });
  // Sparse: it takes no room, and nobody reads it.
  truncateSync(shop.at("art/large.png"), 1024 ** 3 + 1);
  t.strictSame(await told(() => shop.pack(), shop.folder), [["PACK-IMPORT", "art/large.png"]]);
});

t.test("[TOOL-IMPORT-2] banks", async (t) => {
  const asked: unknown[] = [];
  const importer: Importer = {
    name: "shapes",
    version: 1,
    bankTypes: ["tiles", "sprites", "palettes"],
    matches: (path) => path.endsWith(".shape"),
    import: ({ bytes }, settings) => {
      asked.push(settings);
      const bankType = settings.bank === "sprites" ? "sprites" : "tiles";
      return [
        { suffix: "", bankType, bytes, metadata: { width: 8, name: "own" } },
        { suffix: ".palette", bankType: "palettes", bytes: new Uint8Array(4), metadata: {} },
      ];
    },
  };
  const shop = new Workshop(t).write({ "art/a.shape": "a" });
  const banks = async (rule: object) => {
    await shop.configure({ rules: [{ files: "*", ...rule }] }).pack({ importers: [importer] });
    return shop.found().map(({ bankType }) => bankType);
  };
  t.strictSame(await banks({}), ["tiles", "palettes"]);
  t.strictSame(await banks({ bank: "tiles" }), ["tiles", "palettes"]);
  t.strictSame(await banks({ bank: "sprites", settings: { n: 1 } }), ["sprites", "palettes"]);
  t.strictSame(await banks({ bank: "levels" }), ["levels", "palettes"]);
  t.strictSame(asked, [{}, {}, { n: 1, bank: "sprites" }, {}]);
  await shop.configure({ rules: [{ files: "*", metadata: { name: "rule", n: 1 } }] }).pack({ importers: [importer] });
  t.strictSame(
    shop.found().map(({ name, metadata }) => [name, metadata]),
    [
      ["a.shape", { width: 8, name: "rule", n: 1 }],
      ["a.shape.palette", { name: "rule", n: 1 }],
    ],
  );
});

t.test("what packing tells", async (t) => {
  const shop = new Workshop(t).write({ "art/a.txt": "same", "art/b.txt": "same", "art/c.bin": "c".repeat(2_000) });
  const progress: PackProgress[] = [];
  const report = await shop.pack({ onProgress: (told) => progress.push(told) });
  const { size } = statSync(shop.at("out.pa"));
  t.match(report, {
    sources: 3,
    assets: 3,
    shared: 1,
    sharedBytes: 4,
    bytes: size,
    made: 2,
    cached: 0,
    lock: undefined,
  });
  t.equal(
    report.identity,
    shop.open(({ identity }) => identity),
  );
  t.strictSame(progress.at(2), { phase: "import", done: 3, total: 3 });
  t.match(progress.at(-1), { phase: "write", done: 2_008, total: 2_008 });
});

t.test("[TOOL-OUTPUT-3] a check", async (t) => {
  const shop = new Workshop(t).write({ "art/a.txt": "a", "art/b.txt": "b" }).configure({ codec: "auto" });
  const lock = "art/assets.lock.json";
  t.strictSame(await told(() => shop.pack({ check: true }), shop.folder), [["PACK-LOCK", lock]], "no lock file");
  t.notOk(shop.has(lock) || shop.has("out.pa"));
  await shop.pack();
  const { identity } = await shop.pack({ check: true });
  t.equal(
    identity,
    shop.open((pack) => pack.identity),
  );
  const whole = shop.read("out.pa");
  shop.write({ "out.pa": Buffer.concat([whole, Buffer.of(0)]) });
  t.strictSame(await told(() => shop.pack({ check: true }), shop.folder), [["PACK-OUTPUT", "out.pa"]]);
  shop.write({ "out.pa": whole.map((byte, k) => (k === whole.length - 1 ? byte ^ 1 : byte)) });
  t.strictSame(await told(() => shop.pack({ check: true }), shop.folder), [["PACK-OUTPUT", "out.pa"]], "the last byte");
  shop.remove("out.pa");
  t.strictSame(await told(() => shop.pack({ check: true }), shop.folder), [["PACK-OUTPUT", "out.pa"]]);
  const before = shop.text(lock);
  shop.write({ "art/c.txt": "c" });
  const [problem] = await problemsOf(() => shop.pack({ check: true }));
  t.match(problem, { code: "PACK-LOCK", message: /"c.txt" has no id yet/ });
  shop.remove("art/c.txt", "art/a.txt");
  t.match((await problemsOf(() => shop.pack({ check: true })))[0], { code: "PACK-LOCK", message: /"a.txt" is gone/ });
  t.equal(shop.text(lock), before);
  t.notOk(shop.has("out.pa"));
});

t.test("an embedder's importer is asked first", async (t) => {
  const shop = new Workshop(t).write({ "art/a.png": "no picture" });
  const any: Importer = {
    name: "any",
    version: 1,
    bankTypes: ["pictures"],
    verbatim: true,
    matches: () => true,
    import: () => [],
  };
  await shop.pack({ importers: [any] });
  t.match(shop.found(), [{ bankType: "pictures", text: "no picture" }]);
});
