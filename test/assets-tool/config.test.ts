/** Configurations: what they may say, and what comes of it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import {
  type AssetsConfig,
  type Configuration,
  checkConfiguration,
  defineConfig,
  type RuleConfig,
  readConfiguration,
} from "../../assets-tool/config.ts";
import { parseDocument } from "../../assets-tool/document.ts";
import { IMPORTERS } from "../../assets-tool/importers/index.ts";
import { readLock } from "../../assets-tool/lock.ts";
import { MOST_PROBLEMS, PackError } from "../../host/assets/errors.ts";
import type { Json } from "../../host/assets/json.ts";
import { Random } from "../vm/random.ts";
import { foundOf, problemsOf, told, Workshop } from "./workshop.ts";

const check = (value: unknown): Configuration =>
  checkConfiguration(value as Json, "/art/assets.config.json", "/art", IMPORTERS);

t.test("[TOOL-CONFIG-1, TOOL-CONFIG-2] all keys are optional", async (t) => {
  const { root, output, lock, alignment, ignore, rules, ids, preload, order, slots } = check({});
  t.strictSame({ root, output, lock }, { root: "/art", output: "/art/assets.pa", lock: "/art/assets.lock.json" });
  t.strictSame(
    { alignment, ignore, preload, order, ids: [...ids] },
    { alignment: 16, ignore: [], preload: [], order: [], ids: [] },
  );
  t.equal(slots("tiles"), 256);
  t.match(rules, [{ codec: "raw", names: "path", settings: {}, importer: undefined, preload: undefined }]);
  t.ok(rules[0]!.files[0]!.matches("a/b"));

  const said = check({
    $schema: "x",
    root: "../pictures",
    output: "out/game.pa",
    lock: "ids.json",
    alignment: 4096,
    metadata: { game: "x" },
    names: "stem",
    codec: "auto",
    ignore: ["**/*.psd"],
    rules: [
      { files: ["a/*", "!a/b"], codec: "zstd", bank: "levels", importer: "data", preload: { levels: 3 } },
      { files: "b" },
    ],
    ids: { "a/x": -5 },
    preload: [{ asset: "a/x", slot: 7 }],
    slots: { tiles: 1000 },
    order: ["a/**"],
  });
  t.equal(said.root, "/pictures");
  t.equal(said.output, "/art/out/game.pa");
  t.equal(said.lock, "/art/ids.json");
  t.match(said.rules, [
    { codec: "zstd", names: "stem", bank: "levels", importer: { name: "data" }, pointer: "/rules/0" },
    { codec: "auto", names: "stem" },
  ]);
  t.strictSame(said.ids.get("a/x"), { value: -5, pointer: "/ids/a~1x" });
  t.strictSame(said.preload, [{ value: { name: "a/x", slot: 7 }, pointer: "/preload/0" }]);
  t.equal(said.slots("tiles"), 1000);
  t.equal(said.slots("sounds"), 256);
});

t.test("[TOOL-CONFIG-4] what makes no sense is told with its place", async (t) => {
  const wrong: readonly (readonly [value: unknown, ...pointers: string[]])[] = [
    [[], ""],
    [null, ""],
    [{ rule: [] }, "/rule"],
    [{ root: 1 }, "/root"],
    [{ root: "" }, "/root"],
    [{ root: "a\0b" }, "/root"],
    [{ output: "", lock: [] }, "/output", "/lock"],
    [{ alignment: 3 }, "/alignment"],
    [{ alignment: 131_072 }, "/alignment"],
    [{ alignment: 0 }, "/alignment"],
    [{ alignment: "16" }, "/alignment"],
    [{ metadata: [] }, "/metadata"],
    [{ names: "full" }, "/names"],
    [{ codec: "gzip" }, "/codec"],
    [{ ignore: "x" }, "/ignore"],
    [{ ignore: [1, "["] }, "/ignore/0", "/ignore/1"],
    [{ order: ["a", "../b"] }, "/order/1"],
    [{ rules: {} }, "/rules"],
    [{ rules: ["x"] }, "/rules/0"],
    [{ rules: [{}] }, "/rules/0"],
    [{ rules: [{ files: 1 }] }, "/rules/0/files"],
    [{ rules: [{ files: [] }] }, "/rules/0/files"],
    [{ rules: [{ files: ["!a"] }] }, "/rules/0/files"],
    [{ rules: [{ files: "[" }] }, "/rules/0/files"],
    [{ rules: [{ files: ["a", "!["] }] }, "/rules/0/files/1"],
    [{ rules: [{ files: "a", importer: "psd" }] }, "/rules/0/importer"],
    [{ rules: [{ files: "a", bank: "Tiles" }] }, "/rules/0/bank"],
    [{ rules: [{ files: "a", codec: "brotli", names: 1 }] }, "/rules/0/codec", "/rules/0/names"],
    [{ rules: [{ files: "a", settings: 1, metadata: 2 }] }, "/rules/0/settings", "/rules/0/metadata"],
    [{ rules: [{ files: "a", name: "../b" }] }, "/rules/0/name"],
    [{ rules: [{ files: "a", preload: false }] }, "/rules/0/preload"],
    [{ rules: [{ files: "a", preload: { tiles: -1, "": 0 } }] }, "/rules/0/preload/tiles", "/rules/0/preload/"],
    [{ rules: [{ files: "a", ID: 1 }] }, "/rules/0/ID"],
    [{ ids: { a: 2 ** 31 } }, "/ids/a"],
    [{ ids: { a: 1.5, b: "1" } }, "/ids/a", "/ids/b"],
    [{ ids: { a: 1, b: 1 } }, "/ids/b"],
    [{ ids: { "a/": 1 } }, "/ids/a~1"],
    [{ ids: { "\u00e4": 1, "a\u0308": 2 } }, "/ids/a\u0308"],
    [{ preload: {} }, "/preload"],
    [
      { preload: [{ asset: "a" }, { slot: 1 }, { asset: "a", slot: -1 }, 1] },
      "/preload/0",
      "/preload/1",
      "/preload/2/slot",
      "/preload/3",
    ],
    [{ slots: { tiles: 0 } }, "/slots/tiles"],
    [{ slots: { Tiles: 1 } }, "/slots/Tiles"],
  ];
  for (const [value, ...pointers] of wrong) {
    const expected = pointers.map((pointer) => ["PACK-CONFIG", pointer] as const);
    t.strictSame(await told(() => check(value)), expected, JSON.stringify(value));
  }
  t.equal(check({ ids: { a: -0, b: 2 ** 31 - 1, c: -(2 ** 31) } }).ids.size, 3);
  t.ok(Object.is(check({ ids: { a: -0 } }).ids.get("a")!.value, 0), "-0 is 0");
  const many = await problemsOf(() => check({ ignore: Array(1_000).fill(0) }));
  t.equal(many.length, MOST_PROBLEMS);
});

t.test("[TOOL-CONFIG-1, TOOL-CONFIG-4] the JSON of configurations", async (t) => {
  const place = async (text: string | Uint8Array) => {
    const [problem] = await problemsOf(() => parseDocument(Buffer.from(text), "PACK-CONFIG", "c.json"));
    return `${problem?.code} ${problem?.pointer ?? "-"}: ${problem?.message}`;
  };
  t.equal(await place('{"a":{"b/c":1,"b/c":2}}'), 'PACK-CONFIG /a/b~1c: the key "b/c" comes twice (line 1, column 20)');
  t.match(await place('{"a":\n [1,\n  tru]}'), /\/a\/1: expected a value, found tru \(line 3, column 3\)/);
  t.match(await place("{} x"), /expected the end/);
  t.match(await place("["), /expected a value, found the end/);
  t.match(await place('{"a":1,}'), /expected a key/);
  t.match(await place("[1 2]"), /expected ","/);
  t.match(await place('{"a":1e999}'), /too large/);
  t.match(await place('["\\ud800"]'), /lone surrogate/);
  t.match(await place('["\u0001"]'), /expected a value/);
  t.match(await place('"'), /expected a value/);
  t.match(await place("[".repeat(100_000)), /nested deeper/);
  t.match(await place("<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n"), /conflict markers/);
  t.match(await place(Uint8Array.of(0x22, 0xff, 0x22)), /not UTF-8/);
  const parsed = parseDocument(
    Buffer.from('\ufeff {"__proto__": {"a": [null, -0.5e1, "\\u00e4"]}}\r\n'),
    "PACK-CONFIG",
    "",
  );
  t.equal(JSON.stringify(parsed), '{"__proto__":{"a":[null,-5,"ä"]}}', "__proto__ is a key like others");
  t.notOk("a" in (parsed as object));
});

t.test(
  "[TOOL-CONFIG-4, TOOL-LOCK-4] any bytes are a configuration, a lock file, or an error with its place",
  async (t) => {
    const config = `{"root": "a", "alignment": 16, "ids": {"a": -1, "b": 2}, "slots": {"tiles": 3}, "order": ["a/**", "{b,c}"],
    "rules": [{"files": ["**/*.png", "!x"], "bank": "tiles", "codec": "auto", "settings": {"n": [1e3, null]}, "preload": {"tiles": 0}}],
    "preload": [{"asset": "a", "slot": 0}], "metadata": {"\\u00e4": "\u00e4"}}`;
    const lock = '{"schema": "ashlar.assets.lock/1", "assets": {"a": 1, "b": -2}, "retired": {"7": "c", "-9": "d"}}';
    const random = new Random(12);
    const pieces = [
      '"',
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "0",
      "-",
      "1e9",
      "null",
      "\\",
      "__proto__",
      "\u0000",
      "..",
      "**",
      "\ufeff",
    ];
    let wrong = 0;
    for (let round = 0; round < 4_000; round++) {
      const isLock = random.chance(0.3);
      const bytes = [...Buffer.from(isLock ? lock : config)];
      for (let k = random.below(4); k >= 0; k--) {
        const at = random.below(bytes.length);
        const piece = random.chance(0.5) ? [...Buffer.from(random.pick(pieces))] : [random.below(256)];
        bytes.splice(at, random.below(4), ...(random.chance(0.7) ? piece : []));
      }
      const text = Uint8Array.from(bytes);
      try {
        if (isLock) readLock(text, "lock");
        else check(parseDocument(text, "PACK-CONFIG", "config"));
      } catch (error) {
        wrong++;
        const code = isLock ? "PACK-LOCK" : "PACK-CONFIG";
        if (!(error instanceof PackError) || error.code !== code) t.fail(`round ${round}: ${error}`);
      }
    }
    t.ok(wrong > 2_000 && wrong < 4_000, `${wrong} were wrong`);
  },
);

t.test("[TOOL-CONFIG-1, TOOL-CONFIG-8] files and folders of configurations", async (t) => {
  const shop = new Workshop(t).write({ "art/a.txt": "a", "art/b.dat": "b" });
  await shop.pack();
  t.strictSame(shop.names(), ["a.txt", "b.dat"], "a folder without");
  t.notOk(shop.has("art/assets.lock.json"));
  t.strictSame(await told(() => shop.pack({ output: undefined })), [["PACK-OUTPUT", shop.at("art")]]);
  await shop.pack({ lock: undefined });
  t.ok(shop.has("art/assets.lock.json"));
  shop.remove("art/assets.lock.json");

  shop.configure({ rules: [{ files: "*.txt" }] });
  await shop.pack({ output: undefined });
  t.strictSame(shop.names("art/assets.pa"), ["a.txt"], "a folder with");
  t.ok(shop.has("art/assets.lock.json"));
  await shop.pack({ from: shop.at("art/assets.config.json") });
  t.strictSame(shop.names(), ["a.txt"], "its file");

  shop.write({ "art/assets.config.mjs": "export default {};" });
  t.strictSame(await told(() => shop.pack()), [["PACK-CONFIG", shop.at("art")]], "two of them");
  shop.remove("art/assets.config.json");
  shop.write({ "art/assets.config.mjs": 'export default { rules: [{ files: "*.dat", names: "stem" }] };' });
  await shop.pack();
  t.strictSame(shop.names(), ["b"], "a module");

  shop.write({ "any.json": '{"root": "art", "ignore": ["**/*.mjs"]}' });
  await shop.pack({ from: shop.at("any.json"), lock: shop.at("my.lock") });
  t.strictSame(shop.names(), ["a.txt", "assets.lock.json", "assets.pa", "b.dat"], "of any name");
  t.ok(shop.has("my.lock"));

  const fails = async (text: string) => {
    shop.write({ "bad.mjs": text });
    const [problem] = await problemsOf(() => readConfiguration(shop.at("bad.mjs"), IMPORTERS, true));
    return `${problem?.code} ${problem?.pointer ?? "-"} ${problem?.message}`;
  };
  t.match(await fails("throw new Error('oh');  "), /PACK-CONFIG - the configuration fails: oh/);
  t.match(await fails("export const a = 1;   "), /no default export/);
  t.match(await fails("export default { ids: { a: () => 1 } };"), /PACK-CONFIG \/ids\/a a function/);
  t.match(await fails("export default { alignment: NaN };"), /PACK-CONFIG \/alignment/);
  t.strictSame(await told(() => shop.pack({ from: shop.at("none.json") })), [["PACK-INPUT", shop.at("none.json")]]);
  shop.write({ "picture.png": Uint8Array.of(0x89, 0x50) });
  t.strictSame(await told(() => shop.pack({ from: shop.at("picture.png") })), [
    ["PACK-CONFIG", shop.at("picture.png")],
  ]);
  shop.write({ "large.json": " ".repeat(1024 * 1024 + 1) });
  t.strictSame(await told(() => shop.pack({ from: shop.at("large.json") })), [["PACK-CONFIG", shop.at("large.json")]]);
});

t.test("[TOOL-CONFIG-1] a configuration in TypeScript", async (t) => {
  t.strictSame(defineConfig({ codec: "auto" }), { codec: "auto" });
  const shop = new Workshop(t).write({
    "art/assets.config.ts": 'const files: string = "*.txt";\nexport default { rules: [{ files }] };\n',
    "art/a.txt": "a",
    "art/b": "b",
  });
  await shop.pack();
  t.strictSame(shop.names(), ["a.txt"]);
  // As on a Node.js that strips no types.
  const script = join(fileURLToPath(new URL("../..", import.meta.url)), "dist/assets-tool/pack.js");
  const program = `import(${JSON.stringify(script)}).then(({packAssets}) => packAssets({from: ${JSON.stringify(shop.at("art"))}, cache: false})).catch(({code, message}) => console.log(code, message));`;
  const run = (...options: string[]): string =>
    spawnSync(process.execPath, [...options, "-e", program], { encoding: "utf8" }).stdout;
  t.match(run("--no-experimental-strip-types"), /^PACK-CONFIG .*does not strip types: take assets.config.json/);
  shop.write({ "art/package.json": '{"type": "commonjs"}' });
  t.match(run(), /^PACK-CONFIG .*; end its name in \.mts or \.mjs/, "in a package of scripts");
});

t.test("[TOOL-CONFIG-3, TOOL-CONFIG-5] the first rule that matches", async (t) => {
  const shop = new Workshop(t)
    .write({ "art/a.txt": "a", "art/b.txt": "b", "art/sub/c.txt": "c", "art/d.bin": "d", "art/.e.txt": "e" })
    .configure({
      metadata: { "": [1] },
      names: "stem",
      rules: [
        { files: ["**/*.txt", "!sub/**"], metadata: { lang: "en" } },
        { files: "sub/*.txt", names: "path", bank: "letters", importer: "data" },
        { files: "d.bin", name: "deep/data", metadata: { n: null } },
        { files: "*.gone" },
      ],
      order: ["no*", "sub/**"],
    });
  const { notes, banks } = await shop.pack();
  t.strictSame(shop.found(), [
    { id: 1, name: "a", bankType: "text", codec: "raw", text: "a", metadata: { lang: "en" } },
    { id: 2, name: "b", bankType: "text", codec: "raw", text: "b", metadata: { lang: "en" } },
    { id: 3, name: "deep/data", bankType: "data", codec: "raw", text: "d", metadata: { n: null } },
    { id: 4, name: "sub/c.txt", bankType: "letters", codec: "raw", text: "c", metadata: {} },
  ]);
  shop.open((pack) => t.same(pack.header.metadata, { "": [1] }));
  t.strictSame(
    notes.map(({ kind, pointer }) => [kind, pointer]),
    [
      ["unused-rule", "/rules/3"],
      ["unused-order", "/order/0"],
    ],
  );
  t.strictSame(banks, [
    { bankType: "data", assets: 1, bytes: 1, storedBytes: 1 },
    { bankType: "letters", assets: 1, bytes: 1, storedBytes: 1 },
    { bankType: "text", assets: 2, bytes: 2, storedBytes: 2 },
  ]);
});

t.test("[TOOL-CONFIG-4] what only the sources show", async (t) => {
  const shop = new Workshop(t)
    .write({ "art/a.txt": "a", "art/b.txt": "b" })
    .configure({ rules: [{ files: "*.txt", name: "same" }] });
  t.strictSame(await told(() => shop.pack()), [["PACK-CONFIG", "/rules/0/name"]]);
  shop.configure({ ids: { "a.txt": 4, c: 1, d: 2 } });
  t.strictSame(await told(() => shop.pack()), [
    ["PACK-CONFIG", "/ids/c"],
    ["PACK-CONFIG", "/ids/d"],
  ]);
  shop.configure({
    preload: [
      { asset: "a.txt", slot: 0 },
      { asset: "x", slot: 1 },
    ],
  });
  t.strictSame(await told(() => shop.pack()), [["PACK-CONFIG", "/preload/1/asset"]]);
  t.notOk(shop.has("art/assets.lock.json"), "nothing is written");
  shop.configure({ rules: [{ files: "*", settings: { newlines: "cr" } }] });
  t.strictSame(await told(() => shop.pack(), shop.folder), [
    ["PACK-CONFIG", "/rules/0/settings/newlines"],
    ["PACK-CONFIG", "/rules/0/settings/newlines"],
  ]);
});

t.test("[TOOL-CONFIG-6] the preload table", async (t) => {
  const shop = new Workshop(t).write({
    "art/a.txt": "a",
    "art/b.txt": "b",
    "art/c.txt": "c",
    "art/x.dat": "x",
    "art/y.dat": "y",
  });
  const preload = async (config: object) => {
    shop.remove("art/assets.lock.json");
    await shop.configure(config).pack();
    return shop.open((pack) => pack.preload.map(({ assetId, slot }) => `${pack.asset(assetId)!.name} ${slot}`));
  };
  t.strictSame(await preload({}), []);
  t.strictSame(
    await preload({
      rules: [
        { files: "*.dat", preload: true },
        { files: "*.txt", preload: true },
      ],
    }),
    ["x.dat 0", "y.dat 1", "a.txt 0", "b.txt 1", "c.txt 2"],
  );
  t.strictSame(
    await preload({
      preload: [
        { asset: "c.txt", slot: 255 },
        { asset: "b.txt", slot: 1 },
      ],
      rules: [
        { files: "a.txt", preload: true },
        { files: "*", preload: { text: 0, data: 4 } },
      ],
    }),
    ["c.txt 255", "b.txt 1", "a.txt 0", "x.dat 4", "y.dat 5"],
    "what is named is not put twice",
  );
  t.strictSame(
    await preload({
      rules: [{ files: "a.txt", preload: true }, { files: "*.txt", preload: { text: 0 } }, { files: "*.dat" }],
    }),
    ["a.txt 2", "b.txt 0", "c.txt 1"],
    "free ones are those that nobody says",
  );
  t.strictSame(await preload({ slots: { text: 300 }, preload: [{ asset: "a.txt", slot: 299 }] }), ["a.txt 299"]);

  const fails = async (config: object) => await told(() => preload(config));
  t.strictSame(await fails({ preload: [{ asset: "a.txt", slot: 256 }] }), [["PACK-PRELOAD-SLOT", "/preload/0"]]);
  t.strictSame(
    await fails({
      preload: [
        { asset: "a.txt", slot: 1 },
        { asset: "b.txt", slot: 1 },
      ],
    }),
    [["PACK-PRELOAD-CLASH", "/preload/1"]],
  );
  t.strictSame(
    await fails({
      rules: [
        { files: "a.txt", preload: { text: 1 } },
        { files: "*.txt", preload: { text: 0 } },
      ],
    }),
    [["PACK-PRELOAD-CLASH", "/rules/1/preload/text"]],
  );
  t.strictSame(await fails({ slots: { text: 2 }, rules: [{ files: "*.txt", preload: true }] }), [
    ["PACK-PRELOAD-SLOT", "/rules/0/preload"],
  ]);
  t.notOk(shop.has("art/assets.lock.json"), "nothing is written");
});

t.test("[TOOL-CONFIG-7] the order of slices", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b", "art/c": "c", "art/d": "d" });
  const slices = async (config: object) => {
    await shop.configure(config).pack();
    return shop.open((pack) => [...pack.assets()].sort((a, b) => a.offset - b.offset).map(({ name }) => name));
  };
  t.strictSame(await slices({}), ["a", "b", "c", "d"]);
  t.strictSame(await slices({ order: ["c", "[bc]"] }), ["c", "b", "a", "d"]);
  t.strictSame(
    shop.open((pack) => [...pack.assets()].map(foundOf).map(({ text }) => text)),
    ["a", "b", "c", "d"],
  );
  await shop.configure({ alignment: 4096 }).pack();
  shop.open((pack) =>
    t.strictSame(
      [...pack.assets()].map(({ offset }) => offset),
      [0, 4096, 8192, 12288],
    ),
  );
});

t.test(
  "[TOOL-CONFIG-2, TOOL-CONFIG-3] the schema for editors has the keys that a configuration may have",
  async (t) => {
    const top: { readonly [key in keyof Required<AssetsConfig>]: true } = {
      $schema: true,
      root: true,
      output: true,
      lock: true,
      alignment: true,
      metadata: true,
      names: true,
      codec: true,
      ignore: true,
      rules: true,
      ids: true,
      preload: true,
      slots: true,
      order: true,
    };
    const rule: { readonly [key in keyof Required<RuleConfig>]: true } = {
      files: true,
      importer: true,
      bank: true,
      codec: true,
      names: true,
      settings: true,
      metadata: true,
      name: true,
      preload: true,
    };
    const path = new URL("../../assets-tool/assets.config.schema.json", import.meta.url);
    const { properties, $defs } = JSON.parse(readFileSync(path, "utf8"));
    t.strictSame(Object.keys(properties), Object.keys(top));
    t.strictSame(Object.keys($defs.rule.properties), Object.keys(rule));
    // What it allows of fixed words and numbers is allowed, and what it takes for absent keys.
    const defaults = Object.entries<{ default?: unknown }>(properties).flatMap(([key, { default: value }]) =>
      value === undefined ? [] : [[key, value]],
    );
    const placed = ({ root, output, lock, alignment }: Configuration): unknown[] => [root, output, lock, alignment];
    t.strictSame(placed(check(Object.fromEntries(defaults))), placed(check({})));
    for (const alignment of properties.alignment.enum) t.equal(check({ alignment }).alignment, alignment);
    for (const codec of $defs.codec.enum) t.equal(check({ codec }).rules[0]!.codec, codec);
    for (const names of $defs.names.enum) t.equal(check({ names }).rules[0]!.names, names);
  },
);
