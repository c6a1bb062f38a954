/** Volumes: the three of them are told apart by nothing but what a crash leaves; and the one that simulates crashes is held against small logs, right and wrong ones. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import t from "tap";
import { folderVolume } from "../../../host/asl/folder-volume.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { type OpenMode, readFully, type Volume, type VolumeFile } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import { SECTOR_BYTES, SimulatedVolume } from "./simulated-volume.ts";

// ------------------------------------------------------------------------------------------------ the same answers

/** Random calls, with what each of them answered. */
function conversation(volume: Volume, seed: number, length: number): string[] {
  const random = new Random(seed);
  const names = ["a", "b", "f/a", "f/b", "f/g/c", "none/a"];
  const files: VolumeFile[] = [];
  const answers: string[] = [];
  const bytes = new Uint8Array(1500);
  const ask = (what: string, call: () => unknown): void => {
    try {
      answers.push(`${what}: ${JSON.stringify(call() ?? null)}`);
    } catch (error) {
      // Systems differ in what they say of the truncation of a file that was opened for reading.
      answers.push(`${what}: ${(error as NodeJS.ErrnoException).code!.replace("EINVAL", "EBADF")}`);
    }
  };
  for (let k = 0; k < length; k++) {
    const name = random.pick(names);
    const other = random.pick(names);
    const file = files.length === 0 ? undefined : random.pick(files);
    const position = random.below(1200);
    const count = random.below(1200);
    switch (random.below(file === undefined ? 6 : 12)) {
      case 0:
        ask(`folder ${name}`, () => volume.makeFolder(random.pick(["f", "f/g"])));
        break;
      case 1:
        ask(`rename ${name} ${other}`, () => volume.rename(name, other));
        break;
      case 2:
        ask(`link ${name} ${other}`, () => volume.link(name, other));
        break;
      case 3:
        ask(`remove ${name}`, () => volume.remove(name));
        break;
      case 4:
        ask("list", () => ["", "f", "f/g", "none"].map((folder) => attempt(() => volume.list(folder).sort())));
        ask("sync folder", () => volume.syncFolder(random.pick(["", "f", "f/g", "none"])));
        break;
      case 5: {
        const mode: OpenMode = random.pick(["read", "write", "create", "create"]);
        ask(`open ${name} ${mode}`, () => void files.push(volume.open(name, mode)));
        break;
      }
      case 6:
      case 7:
        bytes.fill(k);
        ask(`write ${position} ${count}`, () => file!.write(bytes, 7, count, position));
        break;
      case 8:
        ask(`read ${position} ${count}`, () => {
          const into = new Uint8Array(1300);
          return [readFully(file!, into, 50, count, position), crc32(into)];
        });
        break;
      case 9:
        ask(`truncate ${position}`, () => file!.truncate(position));
        break;
      case 10:
        ask("size", () => file!.size());
        ask("sync", () => file!.sync());
        break;
      default:
        files.splice(files.indexOf(file!), 1);
        ask("close", () => file!.close());
    }
  }
  for (const file of files) file.close();
  return answers;
}

function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

t.test("[ASL-VOLUME-1] a folder, a volume in memory and a simulated one answer the same", (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "ashlar-volume-"));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  for (let seed = 1; seed <= 12; seed++) {
    const simulated = new SimulatedVolume();
    simulated.shortReads = new Random(seed);
    const real = folderVolume(join(scratch, String(seed)));
    real.makeFolder("");
    const expected = conversation(real, seed, 200);
    t.ok(expected.length >= 200);
    t.same(conversation(new MemoryVolume(), seed, 200), expected, `seed ${seed}: memory`);
    t.same(conversation(simulated, seed, 200), expected, `seed ${seed}: simulated`);
  }
  t.end();
});

t.test("[ASL-VOLUME-1] a closed file, and one opened for reading, are not written", async (t) => {
  for (const volume of [new MemoryVolume(), new SimulatedVolume()]) {
    const file = volume.open("a", "create");
    await file.writeLater(Uint8Array.of(1, 2, 3), 0, 3, 2);
    t.equal(file.size(), 5);
    file.close();
    t.throws(() => file.write(Uint8Array.of(1), 0, 1, 0), { code: "EBADF" });
    t.throws(() => file.sync(), { code: "EBADF" });
    const again = volume.open("a", "read");
    t.throws(() => again.write(Uint8Array.of(1), 0, 1, 0), { code: "EBADF" });
    t.throws(() => again.truncate(0), { code: "EBADF" });
    const into = new Uint8Array(6);
    t.equal(again.read(into, 1, 9, 1), 4);
    t.same([...into], [0, 0, 1, 2, 3, 0]);
  }
});

// ------------------------------------------------------------------------------------------------ what a crash leaves

/** Content of a file in each image, or undefined where there is none; without repetitions. */
function contents(volume: SimulatedVolume, path: string, budget = 4000): Set<string | undefined> {
  const found = new Set<string | undefined>();
  for (const image of volume.crashImages(new Random(1), budget)) {
    const bytes = image.files().get(path);
    found.add(bytes && Buffer.from(bytes).toString("latin1"));
  }
  return found;
}

function create(volume: Volume, path: string, text: string): VolumeFile {
  const file = volume.open(path, "create");
  const bytes = Buffer.from(text, "latin1");
  file.write(bytes, 0, bytes.length, 0);
  return file;
}

t.test("[ASL-VOLUME-2] what was synced is there: bytes by the file's sync, names by the folder's", (t) => {
  const volume = new SimulatedVolume();
  const file = create(volume, "a", "one");
  t.same(contents(volume, "a"), new Set([undefined, "", "one", "\0\0\0"]), "nothing was");
  file.sync();
  t.same(contents(volume, "a"), new Set([undefined, "one"]), "the file was");
  volume.syncFolder("");
  t.same(contents(volume, "a"), new Set(["one"]), "both were");
  file.write(Buffer.from("two"), 0, 3, 3);
  volume.rename("a", "b");
  t.same(contents(volume, "a"), new Set([undefined, "one", "onetwo"]), "what came then may be there");
  t.same(contents(volume, "b"), new Set([undefined, "one", "onetwo", "one\0\0\0"]));
  t.end();
});

t.test("[ASL-VOLUME-3] what was not synced comes in any order, torn at sectors, and lengths come without data", (t) => {
  const volume = new SimulatedVolume();
  const old = "o".repeat(4 * SECTOR_BYTES);
  const file = create(volume, "a", old);
  file.sync();
  create(volume, "b", "z".repeat(5000));
  volume.syncFolder("");
  const write = (text: string, sector: number, length: number): void =>
    file.write(Buffer.from(text.repeat(length)), 0, length, sector * SECTOR_BYTES);
  write("x", 0, 2 * SECTOR_BYTES);
  write("y", 3, 2 * SECTOR_BYTES);
  // Of each sector a letter.
  const found = new Set(
    [...contents(volume, "a")].map((text) =>
      text!
        .match(/.{512}/gs)!
        .map((sector) => sector[0])
        .join(""),
    ),
  );
  for (const letters of ["oooo", "xxoo", "oooyy", "xxoyy", "xooo", "oxoo", "oooy", "xooyy", "oooo\0", "xxoo\0"])
    t.ok(found.has(letters), JSON.stringify(letters));
  t.ok(found.has("xxooz"), "bytes of another file");
  t.notOk(
    [...found].some((letters) => !/^[xo]{2}o[oy]/.test(letters)),
    "nothing else",
  );
  t.end();
});

t.test("[ASL-VOLUME-3] of one sector only what the cache held at some time is there", (t) => {
  const volume = new SimulatedVolume();
  const file = create(volume, "a", "....");
  file.sync();
  volume.syncFolder("");
  for (const [at, letter] of ["a", "b", "c"].entries()) file.write(Buffer.from(letter), 0, 1, at);
  t.same(contents(volume, "a"), new Set(["....", "a...", "ab..", "abc."]));
  file.truncate(2);
  file.write(Buffer.from("z"), 0, 1, 3);
  t.ok(contents(volume, "a").has("ab"));
  t.ok(contents(volume, "a").has("ab\0z"));
  t.end();
});

t.test("[ASL-VOLUME-3] names come in any order, and a rename may leave both", (t) => {
  const volume = new SimulatedVolume();
  create(volume, "CURRENT", "old").sync();
  volume.syncFolder("");
  create(volume, "tmp", "new").sync();
  volume.rename("tmp", "CURRENT");
  create(volume, "other", "").sync();
  const states = new Set<string>();
  for (const image of volume.crashImages(new Random(1), 400))
    states.add([...image.files()].map(([path, bytes]) => `${path}=${Buffer.from(bytes)}`).join());
  t.same(
    states,
    new Set(
      ["CURRENT=old", "CURRENT=new", "CURRENT=old,tmp=new", "CURRENT=new,tmp=new"].flatMap((state) => [
        state,
        state.includes("tmp") ? state.replace(",tmp", ",other=,tmp") : `${state},other=`,
      ]),
    ),
  );
  t.end();
});

t.test("[ASL-VOLUME-4] after a failed sync the cache has what the disk never gets", (t) => {
  const failed = (effect: "lose" | "evict"): SimulatedVolume => {
    const volume = new SimulatedVolume();
    const file = create(volume, "a", "one");
    file.sync();
    volume.syncFolder("");
    file.write(Buffer.from("two"), 0, 3, 3);
    volume.fault = ({ kind }) => (kind === "sync" ? { code: "EIO", effect } : undefined);
    t.throws(() => file.sync(), { code: "EIO" });
    volume.fault = undefined;
    file.sync();
    return volume;
  };
  t.equal(Buffer.from(failed("lose").files().get("a")!).toString(), "onetwo");
  t.same(contents(failed("lose"), "a"), new Set(["one"]));
  t.equal(Buffer.from(failed("evict").files().get("a")!).toString(), "one");
  t.end();
});

t.test("a killed process leaves what it wrote, a loss of power after that not", (t) => {
  const volume = new SimulatedVolume();
  create(volume, "a", "one");
  const killed = volume.killed();
  t.equal(killed.digest(), volume.digest());
  killed.open("b", "create");
  t.not(killed.digest(), volume.digest());
  t.ok(contents(killed, "a").has(undefined));
  volume.syncFolder("");
  t.ok(contents(killed, "a").has(undefined), "they are two");
  t.end();
});

t.test("a flipped bit is there for good", (t) => {
  const volume = new SimulatedVolume();
  create(volume, "a", "one").sync();
  volume.syncFolder("");
  volume.flip("a", 1, 0x80);
  t.same([...volume.files().get("a")!], [0x6f, 0xee, 0x65]);
  t.equal(SimulatedVolume.of(volume.files()).digest(), volume.digest());
  t.end();
});

// ------------------------------------------------------------------------------------------------ small logs

/** A log of lines, each with a check of its own; what it does wrong has a name. */
type Mistake = "none" | "no sync" | "no sync of the folder" | "sync before the write" | "keeps a torn tail";

class LineLog {
  readonly #file: VolumeFile;
  readonly #mistake: Mistake;
  #length: number;
  readonly lines: string[] = [];

  constructor(volume: Volume, mistake: Mistake) {
    this.#mistake = mistake;
    if (!volume.list("").includes("log")) create(volume, "log", "").close();
    if (mistake !== "no sync of the folder") volume.syncFolder("");
    this.#file = volume.open("log", "write");
    const bytes = Buffer.alloc(this.#file.size());
    readFully(this.#file, bytes, 0, bytes.length, 0);
    this.#length = 0;
    for (;;) {
      const end = bytes.indexOf(10, this.#length);
      const line = bytes.toString("latin1", this.#length, end);
      const text = line.slice(2);
      if (end < 0 || line.slice(0, 2) !== check(text)) break;
      this.lines.push(text);
      this.#length = end + 1;
    }
    if (mistake === "keeps a torn tail") this.#length = bytes.length;
    this.#file.truncate(this.#length);
    this.#file.sync();
  }
  append(text: string): void {
    const bytes = Buffer.from(`${check(text)}${text}\n`, "latin1");
    if (this.#mistake === "sync before the write") this.#file.sync();
    this.#file.write(bytes, 0, bytes.length, this.#length);
    if (this.#mistake === "none" || this.#mistake === "keeps a torn tail" || this.#mistake === "no sync of the folder")
      this.#file.sync();
    this.#length += bytes.length;
  }
}

function check(text: string): string {
  let sum = 7;
  for (const letter of text) sum = (Math.imul(sum, 31) + letter.charCodeAt(0)) % 625;
  return String.fromCharCode(97 + Math.floor(sum / 25), 97 + (sum % 25));
}

/** Images in which something is missing or is not as it was written, of how many. */
function explore(mistake: Mistake): { readonly images: number; readonly wrong: number } {
  const volume = new SimulatedVolume();
  const random = new Random(3);
  const written: string[] = [];
  let acknowledged = 0;
  let wrong = 0;
  const seen = new Set<string>();
  const cut = (): void => {
    for (const image of volume.crashImages(random, 30)) {
      const digest = image.digest();
      if (seen.has(digest + acknowledged)) continue;
      seen.add(digest + acknowledged);
      const recovered = new LineLog(image, mistake);
      const { length } = recovered.lines;
      recovered.append("more");
      const { lines } = new LineLog(image, mistake);
      const isPrefix = length <= written.length && recovered.lines.every((line, k) => line === written[k]);
      if (!isPrefix || length < acknowledged || lines.length !== length + 1 || lines[length] !== "more") wrong++;
    }
  };
  volume.onCut = cut;
  const log = new LineLog(volume, mistake);
  for (const text of ["first", "s".repeat(1000), "third", "f".repeat(5000)]) {
    written.push(text);
    log.append(text);
    acknowledged++;
  }
  cut();
  return { images: seen.size, wrong };
}

t.test("a small log that syncs what it says is whole after each crash", (t) => {
  const { images, wrong } = explore("none");
  t.ok(images > 20, `${images} images`);
  t.equal(wrong, 0);
  t.end();
});

for (const mistake of ["no sync", "no sync of the folder", "sync before the write", "keeps a torn tail"] as const) {
  t.test(`a small log with a mistake is found: ${mistake}`, (t) => {
    t.ok(explore(mistake).wrong > 0);
    t.end();
  });
}
