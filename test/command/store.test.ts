/** `ashlar store`, as users and scripts meet it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import t from "tap";
import { openPack } from "../../host/assets/pack.ts";
import { storeProgram } from "../../host/command/store/verbs.ts";
import { mixedPack } from "../assets-tool/small-packs.ts";
import { ashlar, root, scratch, start } from "./ashlar.ts";
import { type Answered, runInProcess } from "./in-process.ts";

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "" });

function store(...words: readonly string[]): Promise<Answered> {
  return runInProcess(storeProgram("ashlar store"), words);
}

/** What `--json` prints: an object, or one for each line. */
async function json(...words: readonly string[]) {
  const ended = await store(...words, "--json");
  const lines = ended.stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  return { ...ended, lines, data: lines[0] };
}

/** A line that has to do what it says; without the line end. */
async function done(...words: readonly string[]): Promise<string> {
  const ended = await store(...words);
  t.match(ended, { code: 0 }, words.join(" "));
  return ended.stdout.trimEnd();
}

const keyOf = (bytes: string | Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

let stores = 0;
async function newStore(): Promise<string> {
  const folder = `store-${++stores}`;
  await done("init", folder);
  return folder;
}

async function put(folder: string, text: string | Uint8Array, ...words: readonly string[]): Promise<string> {
  writeFileSync("input", text);
  return done("put", folder, "input", ...words);
}

/** Bytes that repeat nowhere. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let state = 1, at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

/** Two texts whose keys begin with the same nine digits, as digits behind `artifact `. */
const ALIKE = ["57283", "61348"] as const;

t.test("[CLI-STORE-1] a table of verbs; usage errors come before anything is touched", async (t) => {
  const { stdout } = await store("help");
  const verbs = [
    ...["init", "put", "get", "ls", "stat", "rm", "log", "snapshot", "bind", "resolve", "unbind", "bindings"],
    ...["publish", "pin", "unpin", "pins", "fsck", "rebuild", "stats"],
  ];
  for (const verb of verbs) {
    t.match(stdout, new RegExp(`^ {2}${verb} `, "m"));
    t.match(await store("help", verb), {
      code: 0,
      stdout: new RegExp(`^ashlar store ${verb}: .*\n\nUsage: ashlar store ${verb} DIR`),
    });
  }
  const wrong: [readonly string[], RegExp][] = [
    [["init"], /needs a DIR/],
    [["put", "x"], /needs a FILE/],
    [["put", "x", "-", "-"], /read once/],
    [["put", "x", "-", "--type-tag", "4294967296"], /below 2\^32/],
    [["put", "x", "-", "--wait", "-1"], /--wait takes seconds/],
    [["get", "x", "y", "--json"], /-o FILE/],
    [["get", "x", "y", "--offset", "-1"], /--offset takes/],
    [["ls", "x", "--prefix", "xyz"], /--prefix takes/],
    [["log", "x", "--from", "one"], /--from takes/],
    [["snapshot", "x"], /one of/],
    [["snapshot", "x", "a", "--list"], /one of/],
    [["bind", "x", "a", "b", "--namespace", "7"], /65536/],
    [["bind", "x", "a", "b", "--namespace", "65536"], /64 hexadecimal/],
    [["ls", ""], /is empty/],
  ];
  for (const [words, message] of wrong)
    t.match(await store(...words), { code: 2, stdout: "", stderr: message }, words.join(" "));
  t.notOk(existsSync("x"));
});

t.test("[CLI-STORE-2] init: a new folder or an empty one, and nothing else", async (t) => {
  t.match(await store("init", "new/one"), { code: 0, stdout: /^new\/one: a store .*sha256.* [0-9a-f]{32}\n$/ });
  t.match(await json("init", "new/one"), { code: 1, data: { error: { code: "ASL-EXISTS" } } });
  mkdirSync("full");
  writeFileSync("full/file", "");
  t.match(await store("init", "full"), { code: 1, stderr: /^error\[CLI-STORE\].*not empty/ });
  t.strictSame(readdirSync("full"), ["file"]);
  t.match(await store("init", "full/file"), { code: 1, stderr: /^error\[CLI-STORE\]/ });
  t.match(await json("init", "blake", "--algorithm", "blake2s-256"), {
    data: { algorithm: "blake2s-256", folder: "blake" },
  });
  const key = await put("blake", "text");
  t.equal(key, `blake2s-256:${createHash("blake2s256").update("text").digest("hex")}`);
  t.equal((await store("get", "blake", key)).stdout, "text");
  t.match(await store("init", "md5", "--algorithm", "md5"), { code: 1, stderr: /blake2s-256/ });
  for (const folder of ["none", "full"])
    t.match(await json("ls", folder), {
      code: 1,
      data: { schema: "ashlar.store.ls/1", error: { code: "ASL-NO-STORE" } },
    });
  t.match(await store("put", "none", "full/file"), { code: 1, stderr: /ASL-NO-STORE[\s\S]*init/ });
  t.notOk(existsSync("none"));
});

t.test("[CLI-STORE-3] put: of any size, a key for each, in their order", async (t) => {
  const folder = await newStore();
  const lengths = [0, 1, 255, 65_536, 65_537, 262_144, 262_145, 1_048_575, 1_048_576, 1_048_577, 3_000_000];
  const files = lengths.map((length) => {
    writeFileSync(`f${length}`, noise(length));
    return `f${length}`;
  });
  const keys = files.map((file) => keyOf(readFileSync(file)));
  t.strictSame((await done("put", folder, ...files)).split("\n"), keys);
  t.strictSame((await done("put", folder, ...files.toReversed())).split("\n"), keys.toReversed(), "again");
  t.strictSame((await done("ls", folder)).split("\n"), keys.toSorted());
  for (const [k, file] of files.entries()) {
    t.equal(
      await done("get", folder, keys[k]!, "-o", "out"),
      `out: ${file.slice(1).replace(/\B(?=(\d{3})+$)/g, ",")} byte${lengths[k] === 1 ? "" : "s"}`,
    );
    t.ok(readFileSync("out").equals(readFileSync(file)), file);
  }
  const { lines } = await json("put", folder, "f1", "f3000000", "--type-tag", "0x10", "--published");
  t.strictSame(lines, [
    { schema: "ashlar.store.put/1", input: "f1", key: keys[1], bytes: 1 },
    { schema: "ashlar.store.put/1", input: "f3000000", key: keys.at(-1), bytes: 3_000_000 },
  ]);
  const records = [
    { typeTag: null, visibility: "internal" },
    { typeTag: 16, visibility: "published" },
  ];
  t.match((await json("stat", folder, keys.at(-1)!)).data, { key: keys.at(-1), length: 3_000_000, records });
});

t.test("[CLI-STORE-3] put: what is no file is told before anything is stored", async (t) => {
  const folder = await newStore();
  writeFileSync("good", "good");
  mkdirSync("some-folder");
  t.match(await store("put", folder, "good", "missing"), {
    code: 1,
    stdout: "",
    stderr: /^error\[CLI-INPUT\].*missing/,
  });
  t.match(await store("put", folder, "good", "some-folder"), {
    code: 1,
    stdout: "",
    stderr: /is a folder[\s\S]*assets pack/,
  });
  t.equal(await done("ls", folder), "");
});

t.test("[CLI-STORE-3] put: standard input, a pipe or a file", async (t) => {
  const folder = await newStore();
  const bytes = noise(12_000_000);
  t.match(await ashlar(["store", "put", folder, "-"], { input: bytes }), {
    code: 0,
    stdout: `${keyOf(bytes)}\n`,
    stderr: "",
  });
  writeFileSync("good", "good");
  t.match(await ashlar(["store", "put", folder, "good", "-", "--json"], { input: "" }), {
    code: 0,
    stdout: /"input":"-".*"bytes":0/,
  });
  const stdin = openSync("good", "r");
  t.match(await ashlar(["store", "put", folder, "-"], { stdin }), { code: 0, stdout: `${keyOf("good")}\n` });
  closeSync(stdin);
  const folderFd = openSync(".", "r");
  t.match(await ashlar(["store", "put", folder, "-"], { stdin: folderFd }), { code: 1, stderr: /CLI-INPUT/ });
  closeSync(folderFd);
  t.equal((await done("ls", folder)).split("\n").length, 3);
});

t.test("[CLI-STORE-4] a pack is found by its identity; one that is damaged is stored and has none", async (t) => {
  const folder = await newStore();
  const pack = await mixedPack();
  const { identity } = openPack(pack);
  writeFileSync("mixed.pa", pack);
  const { lines } = await json("put", folder, "mixed.pa");
  t.match(lines, [{ key: keyOf(pack), identity }]);
  t.equal(await done("resolve", folder, identity), keyOf(pack));
  await done("get", folder, identity, "-o", "out.pa");
  t.ok(readFileSync("out.pa").equals(pack));
  t.match((await json("bindings", folder)).lines, [
    { namespace: 2, name: createHash("sha256").update(identity).digest("hex") },
  ]);
  t.match(await store("put", folder, "mixed.pa"), {
    stdout: `${keyOf(pack)}\n`,
    stderr: `note: mixed.pa is ${identity}\n`,
  });

  const damaged = pack.slice();
  damaged[damaged.length - 1]! ^= 1;
  writeFileSync("damaged.pa", damaged);
  const cut = pack.subarray(0, 40);
  writeFileSync("cut.pa", cut);
  for (const [name, bytes] of [
    ["damaged.pa", damaged],
    ["cut.pa", cut],
  ] as const)
    t.match(
      await store("put", folder, name),
      { code: 0, stdout: `${keyOf(bytes)}\n`, stderr: /^note: .* \(PACK-/m },
      name,
    );
  t.equal((await json("bindings", folder)).lines.length, 1);
  await done("unbind", folder, identity);
  t.match(await store("get", folder, identity), { code: 1, stdout: "", stderr: /^error\[ASL-NOT-FOUND\]/ });
  t.match(await store("get", folder, "mi2:x"), { code: 1, stderr: /^error\[ASL-ARGUMENT\]/ });
});

t.test("[CLI-STORE-5] get: parts, and a file that is there whole or as it was", async (t) => {
  const folder = await newStore();
  const bytes = noise(2_000_000);
  const key = await put(folder, bytes);
  const parts: [number, number][] = [
    [0, 0],
    [0, 10],
    [65_530, 20],
    [1_048_570, 100_000],
    [1_999_999, 5],
    [2_000_000, 5],
  ];
  for (const [offset, length] of parts) {
    t.match((await json("get", folder, key, "--offset", `${offset}`, "--length", `${length}`, "-o", "part")).data, {
      output: "part",
      offset,
      bytes: Math.min(length, 2_000_000 - offset),
    });
    t.ok(readFileSync("part").equals(bytes.subarray(offset, offset + length)), `${offset}, ${length}`);
  }
  t.match(await store("get", folder, key, "--offset", "2000001"), { code: 1, stdout: "", stderr: /ASL-ARGUMENT/ });

  const text = await put(folder, "text");
  writeFileSync("there", "old", { mode: 0o640 });
  chmodSync("there", 0o640);
  symlinkSync("there", "link");
  await done("get", folder, text, "-o", "link");
  t.equal(readFileSync("there", "utf8"), "text", "a link stays");
  if (process.platform !== "win32") t.equal(statSync("there").mode & 0o777, 0o640);
  t.match(await store("get", folder, text, "-o", "."), { code: 1, stderr: /^error\[CLI-OUTPUT\]/ });
  t.match(await store("get", folder, text, "-o", "no/such/folder"), { code: 1, stderr: /^error\[CLI-OUTPUT\]/ });
  t.match(await store("get", folder, keyOf("none"), "-o", "none"), { code: 1, stderr: /^error\[ASL-NOT-FOUND\]/ });
  t.notOk(existsSync("none"));
  t.strictSame(
    readdirSync(".").filter((name) => name.endsWith(".tmp")),
    [],
  );
});

/** Changes a byte of what an artifact consists of. */
async function damage(folder: string, key: string, at: number): Promise<void> {
  const { location } = (await json("stat", folder, key)).data;
  const fd = openSync(join(folder, location.file), "r+");
  const byte = Buffer.alloc(1);
  // Behind the header of its record.
  readSync(fd, byte, 0, 1, location.offset + 72 + at);
  byte[0]! ^= 0x40;
  writeSync(fd, byte, 0, 1, location.offset + 72 + at);
  closeSync(fd);
}

t.test("[CLI-STORE-5] get: nothing of an artifact that is damaged", async (t) => {
  const folder = await newStore();
  const bytes = noise(3_000_000);
  const key = await put(folder, bytes);
  const small = await put(folder, bytes.subarray(0, 100_000));
  await damage(folder, key, 2_500_000);
  await damage(folder, small, 2);
  writeFileSync("there", "old");
  for (const damaged of [key, small]) {
    t.match(await store("get", folder, damaged), {
      code: 1,
      stdout: "",
      stderr: /^error\[ASL-(CORRUPT|BLOCK-DAMAGED)\][\s\S]*fsck/,
    });
    t.match(await json("get", folder, damaged, "-o", "there"), {
      code: 1,
      data: { error: { code: /^ASL-(CORRUPT|BLOCK-DAMAGED)$/ } },
    });
  }
  t.equal(readFileSync("there", "utf8"), "old");
  const part = await ashlar(["store", "get", folder, key, "--length", "1000000", "-o", "part"]);
  t.match(part, { code: 0 }, "what is not damaged of it");
  t.ok(readFileSync("part").equals(bytes.subarray(0, 1_000_000)));
});

t.test("[CLI-STORE-6] keys may be abbreviated where one artifact alone begins so", async (t) => {
  const folder = await newStore();
  const [left, right] = ALIKE.map((digits) => `artifact ${digits}`);
  const first = await put(folder, left!);
  const digits = first.slice("sha256:".length);
  for (const word of [digits, digits.slice(0, 8), digits.slice(0, 9).toUpperCase(), `sha256:${digits.slice(0, 11)}`])
    t.match(await store("get", folder, word), { code: 0, stdout: left }, word);
  const second = await put(folder, right!);
  const alike = await store("get", folder, digits.slice(0, 8));
  t.match(alike, { code: 1, stdout: "", stderr: /^error\[CLI-KEY\].*ambiguous/ });
  for (const key of [first, second]) t.ok(alike.stderr.includes(key));
  t.equal((await store("get", folder, second.slice(7, 23))).stdout, right);
  const wrong: [string, string][] = [
    ["sha256:1234567", "CLI-KEY"],
    ["sha256:", "CLI-KEY"],
    ["sha256:xyz", "CLI-KEY"],
    [`sha256:${digits}0`, "CLI-KEY"],
    ["md5:12345678", "CLI-KEY"],
    ["00000000", "ASL-NOT-FOUND"],
    [`blake2s-256:${digits.slice(0, 8)}`, "ASL-NOT-FOUND"],
    ["name", "ASL-NOT-FOUND"],
    ["", "ASL-ARGUMENT"],
  ];
  for (const [word, code] of wrong)
    t.match(await json("stat", folder, word), { code: 1, data: { error: { code } } }, word);
});

t.test("[CLI-STORE-7] ls and stat: in the order of digests, with --long all records", async (t) => {
  const folder = await newStore();
  const keys: string[] = [];
  for (let k = 0; k < 20; k++) keys.push(await put(folder, `artifact ${k}`));
  await put(folder, "artifact 0", "--type-tag", "7");
  keys.sort();
  t.strictSame((await done("ls", folder)).split("\n"), keys);
  const prefix = keys[3]!.slice(7, 9);
  t.strictSame(
    (await done("ls", folder, "--prefix", prefix)).split("\n"),
    keys.filter((key) => key.startsWith(`sha256:${prefix}`)),
  );
  t.strictSame((await done("ls", folder, "--prefix", keys[4]!)).split("\n"), [keys[4]]);
  t.equal((await done("ls", folder, "--long")).split("\n").length, 21);
  const { lines } = await json("ls", folder);
  t.strictSame(
    lines.map(({ key }) => key),
    keys,
  );
  const tagged = lines.find(({ key }) => key === keyOf("artifact 0"));
  t.match(tagged, {
    schema: "ashlar.store.ls/1",
    length: 10,
    records: [
      { typeTag: null, position: 1 },
      { typeTag: 7, position: 21 },
    ],
  });
  t.match(await store("stat", folder, keyOf("artifact 0")), {
    code: 0,
    stdout: /^sha256:.*\n10 bytes in [\s\S]*0x00000007/,
  });
});

t.test("[CLI-STORE-8] rm: all or none; snapshots keep what was there", async (t) => {
  const folder = await newStore();
  const keys = [await put(folder, "a"), await put(folder, "b"), await put(folder, "c")] as const;
  t.match((await json("snapshot", folder, "before")).data, { name: "before", position: 4 });
  t.match(await store("rm", folder, keys[0], keyOf("none")), { code: 1, stdout: "", stderr: /ASL-NOT-FOUND/ });
  t.equal((await done("ls", folder)).split("\n").length, 3);
  t.strictSame((await json("rm", folder, keys[0], keys[1].slice(7, 20), keys[0])).data.removed, [keys[0], keys[1]]);
  t.equal(await done("ls", folder), keys[2]);
  t.match(await store("get", folder, keys[0]), { code: 1, stderr: /ASL-NOT-FOUND/ });
  t.equal((await store("get", folder, keys[0], "--at", "before")).stdout, "a");
  t.strictSame((await done("ls", folder, "--at", "before")).split("\n"), keys.toSorted());
  t.match(await store("ls", folder, "--at", "never"), { code: 1, stderr: /ASL-NOT-FOUND/ });
});

t.test("[CLI-STORE-9] log: every entry, oldest first", async (t) => {
  const folder = await newStore();
  const key = await put(folder, "a", "--type-tag", "5");
  await done("bind", folder, "first", key);
  await done("snapshot", folder, "s");
  await done("pin", folder, "why", key);
  await done("rm", folder, key);
  await done("unbind", folder, "first");
  const { lines } = await json("log", folder);
  t.match(lines, [
    { schema: "ashlar.store.log/1", position: 1, logseq: 1, kind: "put", key, length: 1, typeTag: 5 },
    { position: 2, kind: "binding", namespace: 1, name: "first", key },
    { position: 3, kind: "snapshot", name: "s" },
    { position: 4, kind: "pin", label: "why", key },
    { position: 5, kind: "tombstone", key },
    { position: 6, kind: "binding", name: "first", key: null },
  ]);
  t.strictSame(
    (await json("log", folder, "--from", "3", "--limit", "2")).lines.map(({ position }) => position),
    [3, 4],
  );
  t.strictSame((await json("log", folder, "--limit", "0")).lines, []);
  t.match(await done("log", folder), /^ +1 +1 {2}put +sha256:[0-9a-f]{64} {2}length 1 {2}typeTag 5\n/);
});

t.test("[CLI-STORE-10] snapshots: listed, dropped, and identified by what they hold", async (t) => {
  const folders = [await newStore(), await newStore()];
  const identities: string[] = [];
  for (const folder of folders) {
    for (const text of ["a", "b"]) await put(folder, text);
    await done("snapshot", folder, "s");
    await put(folder, "c");
    identities.push(await done("snapshot", folder, "--identity", "s"));
  }
  const [folder] = folders as [string];
  t.equal(identities[0], identities[1]);
  t.match(identities[0], /^[0-9a-f]{64}$/);
  await done("snapshot", folder, "t");
  t.not(await done("snapshot", folder, "--identity", "t"), identities[0]);
  t.strictSame((await json("snapshot", folder, "--list")).data.snapshots, [
    { name: "s", position: 3 },
    { name: "t", position: 5 },
  ]);
  t.match(await store("snapshot", folder, "s"), { code: 1, stderr: /ASL-EXISTS/ });
  await done("snapshot", folder, "--drop", "s");
  for (const words of [
    ["--drop", "s"],
    ["--identity", "s"],
  ])
    t.match(await store("snapshot", folder, ...words), { code: 1, stderr: /ASL-NOT-FOUND/ });
  t.match(await done("snapshot", folder, "--list"), /^position +name\n +5 +t$/);
});

t.test("[CLI-STORE-11] names: bound, resolved, listed, taken back", async (t) => {
  const folder = await newStore();
  const [a, b] = [await put(folder, "a"), await put(folder, "b")];
  await done("bind", folder, "größe", a);
  await done("snapshot", folder, "s");
  await done("bind", folder, "größe", b.slice(7, 30));
  t.equal(await done("resolve", folder, "größe"), b);
  t.equal(await done("resolve", folder, "größe", "--at", "s"), a);
  t.equal((await store("get", folder, "größe")).stdout, "b");
  await done("bind", folder, "two words", "größe");
  const name = "ab".repeat(32);
  await done("bind", folder, name, a, "--namespace", "65536");
  t.equal(await done("resolve", folder, name, "--namespace", "65536"), a);
  t.strictSame(
    (await done("bindings", folder)).split("\n").sort(),
    [`${a}  65536 ${name}`, `${b}  größe`, `${b}  two words`].sort(),
  );
  t.match(await store("bind", folder, "c", keyOf("none")), { code: 1, stderr: /ASL-NOT-FOUND/ });
  for (const none of ["deadbeef", "a:b", "x".repeat(33)])
    t.match(await store("bind", folder, none, a), { code: 1, stderr: /ASL-ARGUMENT/ }, none);
  await done("unbind", folder, "größe");
  for (const verb of ["resolve", "unbind", "get"])
    t.match(await store(verb, folder, "größe"), { code: 1, stderr: /ASL-NOT-FOUND/ });
});

t.test("[CLI-STORE-12] publish, and pins", async (t) => {
  const folder = await newStore();
  const keys = [await put(folder, "a"), await put(folder, "b")] as const;
  t.match(await store("publish", folder, keys[0], keyOf("none")), { code: 1, stderr: /ASL-NOT-FOUND/ });
  t.strictSame((await json("publish", folder, ...keys)).data.published, keys);
  for (const key of keys)
    t.match((await json("stat", folder, key)).data.records, [{ visibility: "internal" }, { visibility: "published" }]);
  await done("pin", folder, "museum", keys[0]);
  t.match(
    (await json("pins", folder)).data.pins.filter(({ label }: { label: string }) => label === "museum"),
    [{ key: keys[0] }],
  );
  t.match(await done("pins", folder), /museum/);
  await done("unpin", folder, "museum");
  t.match(await store("unpin", folder, "museum"), { code: 1, stderr: /ASL-NOT-FOUND/ });
  t.match(await store("pin", folder, "x", keyOf("none")), { code: 1, stderr: /ASL-NOT-FOUND/ });
});

t.test("[CLI-STORE-13] one writer at a time, and any number of readers", async (t) => {
  const folder = await newStore();
  const key = await put(folder, "a");
  const writer = start(["store", "put", folder, "-"]);
  writer.stdin!.write(noise(3_000_000));
  await until(() => existsSync(join(folder, "blocks")) && lockOwner(folder) === writer.pid);
  t.match(await json("put", folder, "input", "--wait", "0.1"), {
    code: 1,
    data: { error: { code: "ASL-LOCKED", message: new RegExp(`\\b${writer.pid}\\b`) } },
  });
  t.equal((await store("get", folder, key)).stdout, "a");
  t.equal(await done("ls", folder), key, "nothing of what is not there as a whole");
  const waiting = ashlar(["store", "put", folder, "input", "--wait", "20"]);
  await setTimeout(200);
  writer.stdin!.end();
  t.match(await waiting, { code: 0, stdout: `${key}\n` });
  t.equal((await done("ls", folder)).split("\n").length, 2);
});

/** Who writes to the store, if anybody. */
function lockOwner(folder: string): number | undefined {
  const [newest] = readdirSync(folder)
    .filter((name) => /^LOCK\.[0-9a-f]+$/.test(name))
    .sort()
    .reverse();
  if (newest === undefined) return undefined;
  return Number(/^pid\D+(\d+)$/m.exec(readFileSync(join(folder, newest), "utf8"))?.[1]);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(20);
}

t.test("[CLI-STORE-14] Ctrl-C, and worse: what was told is there, and nothing is half there", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    const folder = await newStore();
    const key = await put(folder, "a");
    const writer = start(["store", "put", folder, "input", "-"]);
    writer.stdin!.on("error", () => {});
    writer.stdin!.write(noise(5_000_000));
    const [told] = await once(writer.stdout!, "data");
    t.equal(`${told}`, `${key}\n`);
    writer.kill(signal);
    t.strictSame(await once(writer, "close"), [null, signal]);
    t.equal(await done("ls", folder), key);
    t.equal(await put(folder, "b", "--wait", "5"), keyOf("b"), "the lock is nobody's");
    t.match(await store("fsck", folder, "--deep"), { code: 0 });
  }
});

t.test("[CLI-STORE-14] Ctrl-C while a file is written: it is as it was", async (t) => {
  const folder = await newStore();
  const key = await put(folder, noise(40_000_000));
  writeFileSync("there", "old");
  // It comes when the third piece is written.
  const interrupting = `
    import fs from "node:fs";
    const { writeSync } = fs;
    let pieces = 0;
    fs.writeSync = (fd, bytes, ...rest) => {
      if (bytes.length > 1e6 && ++pieces === 3) process.kill(process.pid, "SIGINT");
      return writeSync(fd, bytes, ...rest);
    };`;
  const node = ["--import", `data:text/javascript,${encodeURIComponent(interrupting)}`];
  t.match(await ashlar(["store", "get", folder, key, "-o", "there"], { node }), {
    signal: "SIGINT",
    stdout: "",
    stderr: "",
  });
  t.equal(readFileSync("there", "utf8"), "old");
  t.strictSame(
    readdirSync(".").filter((name) => name.endsWith(".tmp")),
    [],
  );
});

t.test("[CLI-STORE-1] a reader that goes away: 141, and nothing is said", async (t) => {
  const folder = await newStore();
  mkdirSync("many");
  const files = Array.from({ length: 3_000 }, (_, k) => {
    writeFileSync(`many/${k}`, `artifact ${k}`);
    return `many/${k}`;
  });
  t.equal((await done("put", folder, ...files)).split("\n").length, 3_000);
  const child = start(["store", "ls", folder, "--json"]);
  let stderr = "";
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  child.stdout!.once("data", () => child.stdout!.destroy());
  t.equal((await once(child, "close"))[0], 141);
  t.equal(stderr, "");
});

t.test("[CLI-STORE-15] fsck tells all that is wrong, and exits with 1", async (t) => {
  const folder = await newStore();
  const keys = [await put(folder, noise(300_000)), await put(folder, "b")] as const;
  await done("bind", folder, "name", keys[0]);
  t.match(await store("fsck", folder), { code: 0, stderr: "" });
  t.match(await json("fsck", folder, "--deep"), { code: 0, data: { schema: "ashlar.store.fsck/1", problems: [] } });
  await damage(folder, keys[0], 200_000);
  for (const words of [[], ["--deep"]]) {
    const { code, data } = await json("fsck", folder, ...words);
    t.equal(code, 1);
    const problem = data.problems.find(({ key }: { key?: string }) => key === keys[0]);
    t.match(
      problem,
      { code: /^ASL-/, message: /./, file: /^blocks\//, affects: [/CURRENT/, /binding/] },
      words.join(" "),
    );
  }
  t.match(await store("fsck", folder), {
    code: 1,
    stdout: new RegExp(`^ASL-.*${keys[0]}[\\s\\S]*problems?\n$`, "m"),
    stderr: "",
  });
  t.equal((await store("fsck", folder, "--repair")).code, 1, "what is lost cannot be made again");
  t.equal((await store("get", folder, keys[1])).stdout, "b");
});

t.test("[CLI-STORE-15] fsck --repair mends what can be mended", async (t) => {
  const folder = await newStore();
  const key = await put(folder, "a");
  rmSync(join(folder, "CURRENT"));
  t.equal((await store("fsck", folder)).code, 1);
  const { code, data } = await json("fsck", folder, "--repair");
  t.equal(code, 0);
  t.match(data.problems, [{ repaired: /./ }]);
  t.match(await json("fsck", folder, "--deep"), { code: 0, data: { problems: [] } });
  t.equal((await store("get", folder, key)).stdout, "a");
});

t.test("[CLI-STORE-15] rebuild: a store whose log is gone", async (t) => {
  const folder = await newStore();
  const bytes = noise(300_000);
  const key = await put(folder, bytes);
  const large = await put(folder, noise(3_000_000));
  await done("bind", folder, "name", key);
  for (const name of readdirSync(join(folder, "log"))) rmSync(join(folder, "log", name));
  rmSync(join(folder, "CURRENT"), { force: true });
  t.match(await store("ls", folder), { code: 1, stderr: /^error\[ASL-/ });
  t.match(await json("rebuild", folder), {
    code: 0,
    data: { schema: "ashlar.store.rebuild/1", artifacts: 2, found: 2, damaged: [], unknown: [/./] },
  });
  t.strictSame((await done("ls", folder)).split("\n"), [key, large].sort());
  await done("get", folder, key, "-o", "out");
  t.ok(readFileSync("out").equals(bytes));
  t.equal((await store("resolve", folder, "name")).code, 1, "names are in the log alone");
  t.match(await store("fsck", folder, "--deep"), { code: 0 });
  t.match(await store("rebuild", folder), { code: 0, stdout: /2 records/ });
  t.strictSame(
    (await json("log", folder)).lines.map(({ kind }) => kind).filter((kind) => kind !== "lost"),
    ["put", "put"],
  );
});

t.test("[CLI-STORE-2] what is no store stays none", async (t) => {
  mkdirSync("other");
  writeFileSync("other/file", "");
  for (const folder of ["none", "other", "other/file"]) {
    for (const words of [
      ["fsck", "--repair"],
      ["fsck"],
      ["rebuild"],
      ["put", "other/file"],
      ["rm", "12345678"],
      ["log"],
    ]) {
      const [verb, ...others] = words as [string, ...string[]];
      t.match(
        await store(verb, folder, ...others),
        { code: 1, stdout: "", stderr: /^error\[ASL-(NO-STORE|READ)\]/ },
        `${verb} ${folder}`,
      );
    }
  }
  t.notOk(existsSync("none"));
  t.strictSame(readdirSync("other"), ["file"]);
});

t.test("[CLI-STORE-16] stats", async (t) => {
  const folder = await newStore();
  await put(folder, "a");
  const { data } = await json("stats", folder);
  t.match(data, { schema: "ashlar.store.stats/1" });
  t.match(await done("stats", folder), /\d/);
});

t.test("[CLI-STORE-1] what the README shows", { skip: process.platform === "win32" && "no bash" }, async (t) => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const section = readme.slice(readme.indexOf("\n## The store\n"));
  const [, script] = /\n```sh\n([\s\S]*?)```\n/.exec(section) ?? [];
  mkdirSync("readme/art", { recursive: true });
  writeFileSync("readme/art/logo.png", "test");
  writeFileSync("readme/art/grass.png", "grass");
  const npx = `npx() { shift; ${JSON.stringify(process.execPath)} ${JSON.stringify(join(root, "dist/ashlar.js"))} "$@"; }`;
  const shell = spawn("bash", ["-euo", "pipefail", "-c", `${npx}\n${script}`], { cwd: "readme" });
  const [stdout, stderr, [code]] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, "close")]);
  t.match({ code, stderr }, { code: 0, stderr: "" });
  t.equal(readFileSync("readme/logo.png", "utf8"), "test");
  t.match(stdout, new RegExp(`^${keyOf("grass")}\n${keyOf("test")}\nsha256:`, "m"));
  t.ok(script!.split("\n").length > 10);

  const [, program] = /\n```ts\n([\s\S]*?)```\n/.exec(section) ?? [];
  mkdirSync("readme/node_modules");
  symlinkSync(root, "readme/node_modules/ashlar");
  writeFileSync("readme/program.mjs", `${program}console.log(key);\n`);
  const ended = spawn(process.execPath, ["program.mjs"], { cwd: "readme" });
  ended.stdin.end("more");
  t.strictSame(await Promise.all([text(ended.stdout), text(ended.stderr)]), [`${keyOf("text")}\n`, ""]);
  t.match(await store("get", "readme/disk", keyOf("more")), { code: 0, stdout: "more" });
});
