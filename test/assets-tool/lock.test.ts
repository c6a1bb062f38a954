/** Lock files: ids are for good, whoever packs, and how many at once. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import t from "tap";
import { holdFile } from "../../assets-tool/held.ts";
import { assignIds, type LockFile, lockText, readLock } from "../../assets-tool/lock.ts";
import { Random } from "../vm/random.ts";
import { problemsOf, told, Workshop } from "./workshop.ts";

const LOCK = "art/assets.lock.json";
const EMPTY: LockFile = { assets: new Map(), retired: new Map() };
const said = (ids: { readonly [name: string]: number } = {}) => ({
  file: "c.json",
  ids: new Map(Object.entries(ids).map(([name, value]) => [name, { value, pointer: `/ids/${name}` }])),
});
const parse = (text: string) => readLock(Buffer.from(text), "lock");

t.test("[TOOL-LOCK-1] what the file holds", async (t) => {
  const shop = new Workshop(t).write({
    "art/b": "b",
    "art/\u{1f600}": "x",
    "art/\uffee": "y",
    "art/__proto__": "z",
    'art/"q"': "q",
  });
  await shop.configure({ ids: { b: -3 } }).pack();
  t.equal(
    shop.text(LOCK),
    `{
  "schema": "ashlar.assets.lock/1",
  "assets": {
    "\\"q\\"": 1,
    "__proto__": 2,
    "b": -3,
    "\uffee": 3,
    "\u{1f600}": 4
  },
  "retired": {}
}
`,
  );
  shop.remove("art/__proto__", 'art/"q"');
  await shop.pack();
  t.match(shop.text(LOCK), /"retired": \{\n {4}"1": "\\"q\\"",\n {4}"2": "__proto__"\n {2}\}\n\}\n$/);
  const before = statSync(shop.at(LOCK)).ino;
  await shop.pack();
  t.equal(statSync(shop.at(LOCK)).ino, before, "it is not written when it would not change");
  const crlf = shop.text(LOCK).replaceAll("\n", "\r\n");
  shop.write({ [LOCK]: crlf });
  await shop.pack({ check: true });
  await shop.pack();
  t.equal(shop.text(LOCK), crlf, "nor for its line ends");
  t.strictSame(
    shop.found().map(({ id, name }) => [id, name]),
    [
      [-3, "b"],
      [3, "\uffee"],
      [4, "\u{1f600}"],
    ],
  );
});

t.test("[TOOL-LOCK-1] a text for each contents, and back", async (t) => {
  const random = new Random(5);
  for (let round = 0; round < 50; round++) {
    const assets = new Map<string, number>();
    const retired = new Map<number, string>();
    for (let k = 0; k < 20; k++) {
      const name = `${random.pick(["a", "\u00e9", "\u{10000}", "9", "-1"])}${random.below(50)}`;
      const id = random.next() | 0;
      if (random.chance(0.5)) assets.set(name, id);
      else retired.set(id, name);
    }
    const text = lockText({ assets, retired });
    const back = parse(text);
    t.equal(lockText(back), text);
    t.strictSame(new Map([...back.assets].sort()), new Map([...assets].sort()));
    t.strictSame([...back.retired].sort(), [...retired].sort());
    const shuffled = { assets: new Map([...assets].reverse()), retired: new Map([...retired].reverse()) };
    t.equal(lockText(shuffled), text);
  }
});

t.test("[TOOL-LOCK-2] ids of assets", async (t) => {
  const first = assignIds(["b", "a", "c"], said(), EMPTY);
  t.strictSame(
    [...first.ids],
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ],
  );
  t.strictSame(first.added, ["a", "b", "c"]);
  // Whatever comes and goes, ids stay.
  const second = assignIds(["d", "A", "c", "a"], said(), first.next);
  t.strictSame(
    [...second.ids],
    [
      ["A", 4],
      ["a", 1],
      ["c", 3],
      ["d", 5],
    ],
  );
  t.strictSame([second.added, second.retired], [["A", "d"], ["b"]]);
  const third = assignIds(["b", "e"], said(), second.next);
  t.strictSame(
    [...third.ids],
    [
      ["b", 2],
      ["e", 6],
    ],
    "what comes back has the id that it had",
  );
  t.strictSame([third.added, third.retired], [["e"], ["A", "a", "c", "d"]]);
  const wanted = assignIds(["b", "e", "f", "g"], said({ e: 1_000, g: 7 }), third.next);
  t.strictSame(
    [...wanted.ids],
    [
      ["b", 2],
      ["e", 1_000],
      ["f", 8],
      ["g", 7],
    ],
    "what the configuration says stands above",
  );
  const back = assignIds(["e"], said(), assignIds([], said(), wanted.next).next);
  t.strictSame([...back.ids], [["e", 1_000]], "of several that it had the highest");
  const ends = assignIds(["x", "y", "z"], said({ x: -(2 ** 31), y: 2 ** 31 - 1, z: 0 }), EMPTY);
  t.strictSame([...ends.ids.values()], [-(2 ** 31), 2 ** 31 - 1, 0]);
});

t.test("[TOOL-LOCK-3] no id is used twice", async (t) => {
  const random = new Random(9);
  let lock = EMPTY;
  const owners = new Map<number, string>();
  for (let round = 0; round < 200; round++) {
    const names = Array.from({ length: 30 }, (_, k) => `n${k}`).filter(() => random.chance(0.4));
    const { ids, next } = assignIds(names, said(), parse(lockText(lock)));
    for (const [name, id] of ids) {
      if ((owners.get(id) ?? name) !== name) t.fail(`${id} was ${owners.get(id)}, and is ${name}`);
      owners.set(id, name);
    }
    lock = next;
  }
  t.equal(owners.size, 30);

  const before = assignIds(["b"], said(), assignIds(["a", "b"], said(), EMPTY).next).next;
  t.strictSame(await told(() => assignIds(["b", "c", "d"], said({ c: 1, d: 2 }), before)), [
    ["PACK-LOCK", "/ids/c"],
    ["PACK-LOCK", "/ids/d"],
  ]);
  t.strictSame(
    [...assignIds(["a", "b"], said({ a: 1 }), before).ids],
    [
      ["a", 1],
      ["b", 2],
    ],
    "its own it may have",
  );
  const moved = assignIds(["b"], said({ b: 9 }), before);
  t.equal(
    lockText(moved.next),
    lockText({
      assets: new Map([["b", 9]]),
      retired: new Map([
        [1, "a"],
        [2, "b"],
      ]),
    }),
  );
});

t.test("[TOOL-LOCK-4] what is no lock file", async (t) => {
  const wrong: readonly (readonly [text: string, ...pointers: string[]])[] = [
    ["", ""],
    ["{", ""],
    ["[]", "/schema"],
    ["null", "/schema"],
    ["{}", "/schema"],
    ['{"schema": "ashlar.assets.lock/2", "assets": {}, "retired": {}}', "/schema"],
    ['{"schema": "ashlar.assets.lock/1"}', "/assets", "/retired"],
    ['{"schema": "ashlar.assets.lock/1", "assets": [], "retired": {}, "next": 1}', "/next", "/assets"],
    ['{"schema": "ashlar.assets.lock/1", "assets": {"a": 1, "b": 1}, "retired": {}}', "/assets/b"],
    ['{"schema": "ashlar.assets.lock/1", "assets": {"a": 1, "a": 2}, "retired": {}}', "/assets/a"],
    ['{"schema": "ashlar.assets.lock/1", "assets": {"a": 1}, "retired": {"1": "b"}}', "/retired/1"],
    [
      '{"schema": "ashlar.assets.lock/1", "assets": {"a": 2147483648, "b": 0.5, "c": "1", "d": -0}, "retired": {}}',
      "/assets/a",
      "/assets/b",
      "/assets/c",
      "/assets/d",
    ],
    ['{"schema": "ashlar.assets.lock/1", "assets": {"../a": 1}, "retired": {}}', "/assets/..~1a"],
    [
      '{"schema": "ashlar.assets.lock/1", "assets": {}, "retired": {"01": "a", "x": "b", "-0": "c", "5": 1, "6": ""}}',
      "/retired/5",
      "/retired/6",
      "/retired/01",
      "/retired/x",
      "/retired/-0",
    ],
  ];
  for (const [text, ...pointers] of wrong) {
    const found = await told(() => parse(text));
    t.strictSame(
      found,
      pointers.map((pointer) => ["PACK-LOCK", pointer]),
      text,
    );
  }
  t.match((await problemsOf(() => readLock(Uint8Array.of(0xff), "lock")))[0], { code: "PACK-LOCK", file: "lock" });

  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b" }).configure({});
  await shop.pack();
  const pack = shop.digest();
  const merge = shop.text(LOCK).replace('    "b": 2', '<<<<<<< ours\n    "b": 2\n=======\n    "c": 2\n>>>>>>> theirs');
  shop.write({ [LOCK]: merge });
  t.match((await problemsOf(() => shop.pack()))[0], { code: "PACK-LOCK", message: /conflict markers/ });
  t.equal(shop.text(LOCK), merge, "nothing is written");
  t.equal(shop.digest(), pack);
  shop.remove(LOCK);
  mkdirSync(shop.at(LOCK));
  t.strictSame(await told(() => shop.pack(), shop.folder), [["PACK-LOCK", LOCK]]);
});

t.test("[TOOL-LOCK-5] packers that run at the same time", async (t) => {
  const shop = new Workshop(t);
  const PACKERS = 3;
  // Each sees assets that the others do not: all must be in the lock file in the end, under ids of their own.
  for (let k = 0; k < PACKERS; k++)
    for (let n = 0; n < 30; n++) shop.write({ [`art${k}/own${k}-${n}`]: "x", [`art${k}/shared${n}`]: "y" });
  const program = `
    import { packAssets } from ${JSON.stringify(fileURLToPath(new URL("../../assets-tool/pack.ts", import.meta.url)))};
    const [from, output, lock] = process.argv.slice(1);
    for (let round = 0; round < 4; round++) await packAssets({ from, output, lock, cache: false });`;
  const children = Array.from({ length: PACKERS }, (_, k) =>
    spawn(
      process.execPath,
      [
        "--no-warnings",
        "--input-type=module",
        "-e",
        program,
        "--",
        shop.at(`art${k}`),
        shop.at(`${k}.pa`),
        shop.at("lock.json"),
      ],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    ),
  );
  for (const [code] of await Promise.all(children.map((child) => once(child, "exit")))) t.equal(code, 0);
  const { assets, retired } = readLock(shop.read("lock.json"), "");
  const names = [...assets.keys(), ...retired.values()];
  t.equal(new Set(names).size, 30 + 30 * PACKERS);
  t.equal(names.length, 30 + 30 * PACKERS, "no asset got two ids");
  const ids = new Map([...assets, ...[...retired].map(([id, name]) => [name, id] as const)]);
  for (let k = 0; k < PACKERS; k++)
    t.ok(
      shop.found(`${k}.pa`).every(({ id, name }) => ids.get(name) === id),
      "each pack has the ids of the lock file",
    );
  t.notOk(shop.has("lock.json.held"));
});

t.test("[TOOL-LOCK-5] who holds it", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" }).configure({});
  const path = shop.at(LOCK);
  const release = await holdFile(path);
  const [problem] = await problemsOf(() => holdFile(path, 30));
  t.match(problem, { code: "PACK-LOCK", file: path, message: `process ${process.pid} of ` });
  let isHeld = false;
  const waiting = holdFile(path).then((next) => {
    isHeld = true;
    next();
  });
  t.notOk(isHeld);
  release();
  await waiting;
  t.ok(isHeld);

  // Of one that is gone: a child that has ended.
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const here = encodeURIComponent(hostname());
  shop.write({ [`${LOCK}.held`]: `${here} ${child.pid} 1 0.5\n` });
  await shop.pack();
  t.notOk(shop.has(`${LOCK}.held`), "is taken over");
  // Several that find it at once still take turns.
  shop.write({ [`${LOCK}.held`]: `${here} ${child.pid} 2 0.5\n` });
  let holders = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const release = await holdFile(path);
      t.equal(++holders, 1);
      await new Promise((done) => setTimeout(done, 2));
      holders--;
      release();
    }),
  );
  for (const text of [`elsewhere ${child.pid} 1 0.5\n`, "", "what is this?"]) {
    shop.write({ [`${LOCK}.held`]: text });
    t.match((await problemsOf(() => holdFile(path, 30)))[0], { code: "PACK-LOCK", message: /remove / }, "who knows");
  }
});

t.test("[TOOL-LOCK-5] a lock file that stays as it is is only read", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" }).configure({});
  await shop.pack();
  shop.write({ [`${LOCK}.held`]: "elsewhere 1 1 0.5\n" });
  t.equal((await shop.pack()).added.length, 0, "nobody is waited for");
  chmodSync(shop.at("art"), 0o500);
  await shop.pack();
  chmodSync(shop.at("art"), 0o700);
});

t.test("[TOOL-LOCK-5] the lock file comes first", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" }).configure({});
  // What fails while the pack is written leaves ids that stay.
  await shop.pack();
  shop.write({ "art/0": "0" });
  shop.configure({
    metadata: { [`${"k".repeat(100)}`]: 1 },
    rules: [{ files: "*", metadata: { long: "x".repeat(70_000) } }],
  });
  await t.rejects(shop.pack(), { code: /PACK-/ });
  t.match(shop.text(LOCK), /"0": 2,\n {4}"a": 1/);
  await shop.configure({}).pack();
  t.strictSame(shop.names(), ["a", "0"]);
  shop.configure({ lock: "none/lock.json" });
  t.match((await problemsOf(() => shop.pack()))[0], { code: "PACK-LOCK", file: shop.at("art/none/lock.json") });
});

t.test("[TOOL-LOCK-6] without lock file", async (t) => {
  const shop = new Workshop(t).write({ "art/c": "c", "art/a": "a" });
  const { added, retired, lock } = await shop.pack();
  t.strictSame([added, retired, lock], [[], [], undefined]);
  t.strictSame(
    shop.found().map(({ id, name }) => [id, name]),
    [
      [1, "a"],
      [2, "c"],
    ],
  );
  shop.write({ "art/b": "b" });
  await shop.pack();
  t.strictSame(
    shop.found().map(({ id, name }) => [id, name]),
    [
      [1, "a"],
      [2, "b"],
      [3, "c"],
    ],
  );
  await shop.configure({ ids: { b: -1 } }).pack({ lock: false });
  t.strictSame(shop.names(), ["b", "a", "c"], "ids of the configuration hold");
  t.notOk(shop.has(LOCK));
  shop.remove("art/assets.config.json");
  const { lock: usual } = await shop.pack({ lock: undefined });
  t.equal(usual, shop.at(LOCK), "a folder without configuration has one too");
});
