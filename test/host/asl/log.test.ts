import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import t from "tap";
import { readCheckpoint, readCurrent } from "../../../host/asl/checkpoint.ts";
import { AslError } from "../../../host/asl/errors.ts";
import { readFormat } from "../../../host/asl/format.ts";
import { EntryKind, encodeEntry, type Payload, readEntry } from "../../../host/asl/frames.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { bytesOf, contentsOf, openSmall } from "./stores.ts";

const LOG = "log/0000000000000001.log";
const NAME = new Uint8Array(32).fill(7);

function read(volume: Volume, path: string): Buffer {
  const file = volume.open(path, "read");
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

function write(volume: Volume, path: string, bytes: Uint8Array): void {
  if (volume.list("log").includes(path.slice(4))) volume.remove(path);
  const file = volume.open(path, "create");
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof AslError)) throw error;
    return error.code;
  }
}

const sha256 = (...parts: Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Frames of a log file, read by what the specification says and by none of the store's code. */
function framesOf(log: Buffer): { at: number; header: Buffer; body: Buffer }[] {
  const frames = [];
  for (let at = 128; at < log.length; ) {
    const length = Number(log.readBigUInt64LE(at + 16));
    frames.push({ at, header: log.subarray(at, at + 192), body: log.subarray(at + 192, at + 192 + length) });
    at += 192 + length;
  }
  return frames;
}

t.test(
  "[ASL-LOG-FILE-1, ASL-LOG-FRAME-1, ASL-LOG-FRAME-2, ASL-LOG-FRAME-3] log files, frames and the chain of hashes",
  async (t) => {
    const volume = new MemoryVolume();
    const store = openSmall({ volume });
    for (let k = 0; k < 40; k++) await store.put(bytesOf(k, 200 + (k % 3) * 400));
    await store.close();
    const format = read(volume, "FORMAT");
    const seed = format.readUInt32LE(32);
    const names = volume.list("log").sort();
    t.ok(names.length > 2);
    let hash = sha256(format);
    let position = 1n;
    let isInBlock = false;
    for (const [k, name] of names.entries()) {
      t.equal(name, `${(k + 1).toString(16).padStart(16, "0")}.log`);
      const log = read(volume, `log/${name}`);
      t.ok(log.length <= 4096);
      t.equal(log.subarray(16, 32).toString("hex"), format.subarray(16, 32).toString("hex"));
      t.equal(log.readBigUInt64LE(32), BigInt(k + 1));
      t.equal(log.readBigUInt64LE(40), position);
      t.equal(log.readUInt32LE(48), seed);
      t.equal(log.subarray(64, 96).toString("hex"), hash);
      t.equal(log.readUInt32LE(124), crc32(log.subarray(0, 124)));
      for (const { at, header, body } of framesOf(log)) {
        t.equal(header.readUInt32LE(0), 0x4d524641);
        t.equal(header.readUInt32LE(4), crc32(header.subarray(8), seed));
        const entries = header.readUInt32LE(24);
        const extents = header.readUInt32LE(28);
        t.strictSame(
          [
            header[12],
            header[13],
            header.readBigUInt64LE(40),
            header.readBigUInt64LE(48),
            header.readBigUInt64LE(56),
            header.readBigUInt64LE(64),
            header.readBigUInt64LE(72),
          ],
          [0, 1, position, 1n, BigInt(at), BigInt(k + 1), BigInt(at)],
        );
        t.equal(header.subarray(88, 96).toString("hex"), log.subarray(56, 64).toString("hex"));
        t.equal(header.subarray(96, 128).toString("hex"), hash);
        t.equal(header.subarray(128, 160).toString("hex"), sha256(body));
        t.equal(body.length % 8, 0);
        t.equal(body[extents * 56], 1, "a put");
        if (extents > 0) {
          isInBlock = true;
          const block = read(volume, `blocks/${body.readUInt32LE(0).toString(16).padStart(16, "0")}.blk`);
          const [start, end] = [Number(body.readBigUInt64LE(8)), Number(body.readBigUInt64LE(16))];
          t.equal(body.subarray(24, 56).toString("hex"), sha256(block.subarray(start, end)));
        }
        position += BigInt(entries);
        hash = sha256(header);
      }
    }
    t.equal(position, 41n);
    t.ok(isInBlock);
  },
);

t.test("[ASL-LOG-GROUP-1] small groups stand inline", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const small = await store.put(bytesOf(1, 512 - 72));
  const large = await store.put(bytesOf(2, 512 - 72 + 1));
  t.match(store.stat(small)!.location, { file: LOG });
  t.match(store.stat(large)!.location, { file: "blocks/0000000000000001.blk", offset: 64 });
});

t.test("[ASL-LOG-ENTRY-1] entries of every kind, and of none", async (t) => {
  const digest = bytesOf(1, 32);
  const entries: Payload[] = [
    { kind: "binding", namespace: 3, name: NAME, algorithm: 1, digest, logseq: 2 ** 40 },
    { kind: "binding", namespace: 3, name: NAME, algorithm: 0, digest: undefined, logseq: 5 },
    { kind: "pin", algorithm: 2, digest, label: "a label" },
    { kind: "snapshot", name: "é" },
    { kind: "snapshot", name: "12345678" },
    { kind: "drop", what: "pin", name: "x" },
    { kind: "drop", what: "snapshot", name: "x" },
    { kind: "domain", index: 7, id: bytesOf(2, 16) },
    { kind: "references", algorithm: 1, digest, references: [bytesOf(3, 32), bytesOf(4, 32)] },
    { kind: "lost" },
  ];
  const sizes = [96, 96, 56, 24, 24, 24, 24, 32, 112, 8];
  for (const [k, entry] of entries.entries()) {
    const bytes = encodeEntry(entry);
    t.equal(bytes.length, sizes[k], entry.kind);
    t.equal(bytes.readUInt32LE(4), sizes[k]);
    t.equal(
      (bytes[1]! & 128) === 0,
      ["references", "lost"].includes(entry.kind),
      "required, unless nothing follows from it",
    );
    t.strictSame(readEntry(bytes, 0, bytes.length, LOG, 0), entry);
    for (const size of bytes.length === 8 ? [16] : [8, bytes.length - 8, bytes.length + 8])
      t.equal(
        codeOf(() => readEntry(Buffer.concat([bytes, Buffer.alloc(8)]), 0, size, LOG, 0)),
        "ASL-LOG-DAMAGED",
        `${entry.kind} ${size}`,
      );
  }
  const unknown = Buffer.alloc(16);
  unknown[0] = 77;
  t.strictSame(readEntry(unknown, 0, 16, LOG, 0), { kind: "unknown", number: 77 });
  unknown[1] = 128;
  t.equal(
    codeOf(() => readEntry(unknown, 0, 16, LOG, 0)),
    "ASL-VERSION",
  );
  t.equal(EntryKind.REFERENCES, 10);
});

t.test("[ASL-LOG-ENTRY-1] a store with entries of a later version", (t) => {
  for (const flag of [0, 128]) {
    const volume = new MemoryVolume();
    const store = openSmall({ volume });
    store.batch().commit();
    void store.snapshot("later");
    store.closeSync();
    // The snapshot's entry becomes one of a kind that nobody knows.
    const log = read(volume, LOG);
    const seed = read(volume, "FORMAT").readUInt32LE(32);
    const [{ at, header, body }] = framesOf(log) as [{ at: number; header: Buffer; body: Buffer }];
    body[0] = 200;
    body[1] = flag;
    Buffer.from(sha256(body), "hex").copy(header, 128);
    header.writeUInt32LE(crc32(header.subarray(8), seed), 4);
    const file = volume.open(LOG, "write");
    file.write(log, at, log.length - at, at);
    const open = (): unknown => contentsOf(openSmall({ volume }));
    if (flag === 128) t.equal(codeOf(open), "ASL-VERSION");
    else t.strictSame((open() as { snapshots: unknown }).snapshots, []);
  }
  t.end();
});

/** Tells what a store does to its files. */
class Watched extends MemoryVolume {
  readonly calls: string[] = [];

  override open(path: string, mode: "read" | "write" | "create") {
    const file = super.open(path, mode);
    const { calls } = this;
    if (mode === "create") calls.push(`create ${path}`);
    return {
      size: () => file.size(),
      read: (into: Uint8Array, at: number, length: number, position: number) => file.read(into, at, length, position),
      write: (bytes: Uint8Array, at: number, length: number, position: number) => {
        calls.push(`write ${path}`);
        file.write(bytes, at, length, position);
      },
      writeLater: (bytes: Uint8Array, at: number, length: number, position: number) => {
        calls.push(`write ${path}`);
        return file.writeLater(bytes, at, length, position);
      },
      sync: () => {
        calls.push(`sync ${path}`);
        file.sync();
      },
      truncate: (length: number) => file.truncate(length),
      close: () => file.close(),
    };
  }
  override syncFolder(path: string): void {
    this.calls.push(`sync ${path}/`);
    super.syncFolder(path);
  }
  override rename(from: string, to: string): void {
    this.calls.push(`rename ${to}`);
    super.rename(from, to);
  }
  since(act: () => unknown): string[] {
    this.calls.length = 0;
    act();
    return this.calls.splice(0).filter((call, k, all) => call !== all[k - 1]);
  }
}

t.test("[ASL-LOG-ENTRY-1] a binding that is damaged in the log binds to nothing else", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const key = await store.put(bytesOf(1));
  await store.bind(1, NAME, key);
  store.closeSync();
  const log = read(volume, LOG);
  const [, { at, body }] = framesOf(log) as [unknown, { at: number; body: Buffer }];
  t.equal(body[0], 4);
  t.equal(body.readUInt32LE(88), crc32(body.subarray(0, 88), read(volume, "FORMAT").readUInt32LE(32)));
  const open = openSmall({ volume });
  t.equal(open.resolve(1, NAME), key);
  for (let offset = 0; offset < 92; offset++) {
    const file = volume.open(LOG, "write");
    file.write(Uint8Array.of(log[at + 192 + offset]! ^ 4), 0, 1, at + 192 + offset);
    t.equal(
      codeOf(() => open.resolve(1, NAME)),
      "ASL-LOG-DAMAGED",
      `byte ${offset}`,
    );
    t.equal(
      codeOf(() => [...open.bindings()]),
      "ASL-LOG-DAMAGED",
    );
    file.write(log, at + 192 + offset, 1, at + 192 + offset);
  }
});

t.test("[ASL-LOG-COMMIT-1] block, sync, frame, sync", async (t) => {
  const volume = new Watched();
  const store = openSmall({ volume, options: { create: true, durability: "each" } });
  const BLOCK = "blocks/0000000000000001.blk";
  t.strictSame(
    volume.since(() => void store.put(bytesOf(1))),
    [`write ${LOG}`, `sync ${LOG}`],
  );
  t.strictSame(
    volume.since(() => void store.put(bytesOf(2, 900))),
    [`create ${BLOCK}`, `write ${BLOCK}`, `sync ${BLOCK}`, "sync blocks/", `write ${LOG}`, `sync ${LOG}`],
  );
  t.strictSame(
    volume.since(() => void store.put(bytesOf(3, 900))),
    [`write ${BLOCK}`, `sync ${BLOCK}`, `write ${LOG}`, `sync ${LOG}`],
  );
  volume.calls.length = 0;
  await store.put(bytesOf(4, 3000));
  const OWN = "blocks/0000000000000002.blk";
  const calls = volume.calls.filter((call) => !call.startsWith("write") || call === `write ${LOG}`);
  t.strictSame(calls, [`create ${OWN}`, `sync ${OWN}`, "sync blocks/", `write ${LOG}`, `sync ${LOG}`]);
  store.closeSync();
  const none = openSmall({ volume: new Watched(), options: { create: true, durability: "none" } });
  t.teardown(() => none.closeSync());
});

t.test("[ASL-LOG-COMMIT-2] positions of what was not committed go to the next", async (t) => {
  const volume = new MemoryVolume();
  let isFull = false;
  const { open } = volume;
  volume.open = function (path, mode) {
    const file = open.call(this, path, mode);
    const { write } = file;
    file.write = (bytes, at, length, position) => {
      if (isFull) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      write.call(file, bytes, at, length, position);
    };
    return file;
  };
  const store = openSmall({ volume });
  isFull = true;
  await t.rejects(store.put(bytesOf(1)), { code: "ASL-NO-SPACE" });
  isFull = false;
  const key = await store.put(bytesOf(2));
  t.match(store.stat(key)!.records, [{ position: 1, logseq: 1 }]);
});

t.test("[ASL-CURRENT-1, ASL-CURRENT-2, ASL-CURRENT-3] CURRENT and the checkpoint that it names", async (t) => {
  const volume = new Watched();
  const store = openSmall({ volume });
  const keys = await store.putMany(Array.from({ length: 100 }, (_, k) => bytesOf(k)));
  await store.snapshot("s");
  await store.pin(keys.at(0)!, "p");
  const before = read(volume, "CURRENT");
  t.equal(before.length, 192);
  const calls = volume.since(() => store.closeSync());
  t.equal(calls.indexOf("rename CURRENT") > calls.findLastIndex((call) => call.startsWith("sync checkpoint/")), true);
  t.equal(
    calls.findLastIndex((call) => call.startsWith("sync index/")) <
      calls.indexOf("rename checkpoint/0000000000000001.ckp"),
    true,
  );
  const { format } = readFormat(volume);
  const current = readCurrent(volume, format);
  t.equal(current.checkpoint, 1);
  const bytes = read(volume, "CURRENT");
  t.equal(bytes.readUInt32LE(188), crc32(bytes.subarray(0, 188), format.seed));
  t.equal(bytes.subarray(80, 112).toString("hex"), sha256(read(volume, "checkpoint/0000000000000001.ckp")));
  t.equal(bytes.readBigUInt64LE(40), 103n, "the place is behind all");
  const checkpoint = readCheckpoint(volume, current);
  t.equal(
    checkpoint.segments.reduce((rows, { count }) => rows + count, 0),
    100,
  );
  t.strictSame([...checkpoint.snapshots.keys()], ["s"]);
  t.strictSame([...checkpoint.pins.keys()], ["p"]);
  const again = openSmall({ volume });
  await again.put(bytesOf(1000));
  const contents = contentsOf(again);
  again.closeSync();
  t.equal(volume.list("checkpoint").length, 1);
  const end = read(volume, "CURRENT").readBigUInt64LE(120);
  const last = volume.list("log").sort().at(-1)!;
  t.equal(end, BigInt(read(volume, `log/${last}`).length), "it says up to where the log is on disk");
  t.strictSame(contentsOf(openSmall({ volume })), contents);
});

t.test(
  "[ASL-CURRENT-4, ASL-LOG-STATE-1] a checkpoint and what follows say what the log says from its beginning",
  async (t) => {
    const volume = new MemoryVolume();
    let store = openSmall({ volume });
    for (let round = 0; round < 4; round++) {
      const keys = await store.putMany(Array.from({ length: 90 }, (_, k) => bytesOf(round * 50 + k)));
      await store.bind(1, NAME, keys.at(round)!);
      await store.snapshot(`s${round}`);
      if (round > 1) await store.dropSnapshot(`s${round - 1}`);
      await store.pin(keys.at(1)!, `p${round}`);
      await store.remove(keys.at(2)!);
      await store.put(bytesOf(round * 50 + 5), { visibility: "published" });
      await store.close();
      store = openSmall({ volume });
    }
    const contents = contentsOf(store);
    store.closeSync();
    const { format } = readFormat(volume);
    t.ok(readCurrent(volume, format).checkpoint > 0);
    // As it was when the store was made.
    const current = read(volume, "CURRENT");
    current.fill(0, 16, 188);
    current.writeBigUInt64LE(1n, 24);
    current.writeBigUInt64LE(128n, 32);
    current.writeBigUInt64LE(1n, 40);
    Buffer.from(sha256(read(volume, "FORMAT")), "hex").copy(current, 48);
    current.writeUInt32LE(crc32(current.subarray(0, 188), format.seed), 188);
    const file = volume.open("CURRENT", "write");
    file.write(current, 0, 192, 0);
    file.close();
    t.strictSame(contentsOf(openSmall({ volume, options: { readOnly: true } })), contents);
  },
);

t.test(
  "[ASL-RECOVERY-1] what is behind the last whole frame is cut off, and opening again finds the same",
  async (t) => {
    const volume = new MemoryVolume();
    const store = openSmall({ volume });
    await store.put(bytesOf(1));
    const key = await store.put(bytesOf(2));
    const contents = contentsOf(store);
    // No close: the process ends.
    const log = read(volume, LOG);
    const orphan = volume.open("blocks/00000000000000aa.blk", "create");
    orphan.close();
    for (const tail of [
      new Uint8Array(1),
      new Uint8Array(5000),
      bytesOf(9, 333),
      log.subarray(128, 400),
      log.subarray(0, 128),
    ]) {
      write(volume, LOG, Buffer.concat([log, tail]));
      const first = openSmall({ volume });
      t.strictSame(contentsOf(first), contents);
      t.equal(read(volume, LOG).length, log.length);
      t.strictSame(volume.list("blocks"), []);
      t.strictSame(contentsOf(openSmall({ volume })), contents);
    }
    // Cut at every byte of the last frame, it is not there; and the next one takes its place.
    const [, last] = framesOf(log) as [unknown, { at: number }];
    for (let length = last.at; length < log.length; length += 7) {
      const copy = new MemoryVolume();
      for (const folder of ["log", "blocks", "index", "checkpoint"]) copy.makeFolder(folder);
      write(copy, LOG, log.subarray(0, length));
      for (const name of ["FORMAT", "CURRENT"]) {
        const file = copy.open(name, "create");
        const bytes = read(volume, name);
        if (name === "CURRENT") {
          // Not closed since.
          bytes.writeBigUInt64LE(128n, 120);
          bytes.writeUInt32LE(crc32(bytes.subarray(0, 188), read(volume, "FORMAT").readUInt32LE(32)), 188);
        }
        file.write(bytes, 0, bytes.length, 0);
        file.close();
      }
      const cut = openSmall({ volume: copy });
      t.equal(cut.has(key), false);
      t.equal(cut.position, 1);
      await cut.put(bytesOf(3));
      t.equal(cut.position, 2);
    }
  },
);

t.test("[ASL-RECOVERY-2, ASL-RECOVERY-3] what was on disk once is no torn tail", async (t) => {
  const make = async (close: boolean): Promise<MemoryVolume> => {
    const volume = new MemoryVolume();
    const store = openSmall({ volume });
    for (let k = 0; k < 3; k++) await store.put(bytesOf(k));
    if (close) store.closeSync();
    return volume;
  };
  const flip = (volume: Volume, at: number): void => {
    const log = read(volume, LOG);
    log[at]! ^= 1;
    write(volume, LOG, log);
  };
  const frames = framesOf(read(await make(true), LOG));
  t.equal(frames.length, 3);
  for (const { at } of frames) {
    for (const offset of [0, 4, 20, 45, 56, 72, 90, 100, 130, 192, 280]) {
      const closed = await make(true);
      flip(closed, at + offset);
      t.equal(
        codeOf(() => openSmall({ volume: closed })),
        "ASL-LOG-DAMAGED",
        `frame at ${at}, byte ${offset}, closed`,
      );
      t.equal(
        codeOf(() => openSmall({ volume: closed, options: { readOnly: true } })),
        "ASL-LOG-DAMAGED",
      );
      const killed = await make(false);
      flip(killed, at + offset);
      const isLast = at === frames[2]!.at;
      t.equal(
        codeOf(() => openSmall({ volume: killed }).closeSync()),
        isLast ? undefined : "ASL-LOG-DAMAGED",
        `frame at ${at}, byte ${offset}, killed`,
      );
    }
  }
  const short = await make(true);
  write(short, LOG, read(short, LOG).subarray(0, frames[2]!.at));
  t.equal(
    codeOf(() => openSmall({ volume: short })),
    "ASL-LOG-DAMAGED",
    "a whole frame is gone",
  );
  const gone = await make(true);
  gone.remove(LOG);
  t.equal(
    codeOf(() => openSmall({ volume: gone })),
    "ASL-LOG-DAMAGED",
  );
  const header = await make(false);
  flip(header, 40);
  t.equal(
    codeOf(() => openSmall({ volume: header })),
    "ASL-LOG-DAMAGED",
  );
});

t.test("a file of the log in the middle", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  for (let k = 0; k < 30; k++) await store.put(bytesOf(k, 300));
  t.ok(volume.list("log").length > 3);
  const path = "log/0000000000000002.log";
  const log = read(volume, path);
  const last = framesOf(log).at(-1)!;
  for (const bytes of [log.subarray(0, last.at), log.subarray(0, 100), Buffer.alloc(log.length)]) {
    write(volume, path, bytes);
    t.equal(
      codeOf(() => openSmall({ volume })),
      "ASL-LOG-DAMAGED",
    );
  }
  volume.remove(path);
  t.equal(
    codeOf(() => openSmall({ volume })),
    "ASL-LOG-DAMAGED",
  );
  write(volume, path, log);
  t.equal([...openSmall({ volume }).list()].length, 30);
});

t.test("an artifact that is a piece of the log does not pass for it", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  await store.put(bytesOf(1));
  await store.put(bytesOf(2));
  const log = read(volume, LOG);
  const [, second] = framesOf(log) as [unknown, { at: number; header: Buffer; body: Buffer }];
  // What follows is torn, and holds a frame of this very log.
  await store.put(Buffer.concat([second.header, second.body]).subarray(0, 400));
  const all = read(volume, LOG);
  write(volume, LOG, all.subarray(0, all.length - 8));
  t.equal([...openSmall({ volume }).list()].length, 2);
});

t.test("[ASL-RECOVERY-4] readers leave a torn tail", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  await store.put(bytesOf(1));
  await store.put(bytesOf(2));
  const log = read(volume, LOG);
  write(volume, LOG, log.subarray(0, log.length - 3));
  const reader = openSmall({ volume, options: { readOnly: true } });
  t.equal([...reader.list()].length, 1);
  reader.closeSync();
  t.equal(read(volume, LOG).length, log.length - 3);
});
