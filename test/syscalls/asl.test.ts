/** Module `asl`: artifacts and writers, as guests on either engine see them; over a store in memory. */
import t from "tap";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { ASL_CODES, type AslCode, AslError } from "../../host/asl/errors.ts";
import { loadWat } from "../../host/wat.ts";
import type { CallEvent } from "../../syscalls/observe.ts";
import { Panic } from "../../syscalls/panic.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import { traceLine } from "../../syscalls/trace.ts";
import { type Engine, Instance, Module } from "../../vm/index.ts";
import { Driver, NULL_REF, narrow, type Ref, wide } from "../conformance/driver.ts";
import { Random } from "../vm/random.ts";
import { byDigest, keyOf, MemoryArtifacts, textOf } from "./artifacts.ts";
import { onEngines, thrown } from "./guest.ts";
import { bytesOf } from "./packs.ts";
import { standOn } from "./stand.ts";

const DATA_AT = 65_536;
const { OK, INVALID, NOT_FOUND, READ_ONLY, QUOTA, STALE, SEALED, ABORTED } = Status;

/** What an artifact's record of a list says. */
interface Listed {
  readonly key: string;
  readonly flags: number;
  readonly tag: number;
  readonly bytes: number;
}

/** A guest with a store. */
class Guest extends Driver {
  status(name: string, ...args: readonly (number | Ref)[]): number {
    const { returned, results } = this.call("asl", name, ...args);
    return returned ?? (results[0] as number);
  }
  find(key: string | Uint8Array): { status: number; handle: Ref } {
    const { results } = this.call("asl", "open", ...this.path(key));
    return { status: results[0] as number, handle: results[1] as Ref };
  }
  /** The handle of an artifact that must be there. */
  artifact(key: string | Uint8Array): Ref {
    const { status, handle } = this.find(key);
    if (status !== OK) throw new Error(`open answers ${statusName(status)}`);
    return handle;
  }
  info(handle: Ref, record = 0): (number | undefined)[] {
    const [status, ...told] = this.call("asl", "info", handle, record).results;
    return [status as number, ...told.map((result) => (typeof result === "number" ? result >>> 0 : narrow(result)))];
  }
  bytes(artifact: Ref, offset: number, length: number) {
    const window = this.memory.bytes.subarray(DATA_AT, DATA_AT + length).fill(0xee);
    const { results } = this.call("asl", "read", artifact, wide(offset), this.own, DATA_AT, length);
    const [status, moved, eof] = results as number[];
    return { status, eof, bytes: window.slice(0, moved), rest: window.slice(moved) };
  }
  /** All of an artifact, or the status that tells why not. */
  whole(key: string | Uint8Array): Uint8Array | number {
    const { status, handle } = this.find(key);
    if (status !== OK) return status;
    const { bytes } = this.bytes(handle, 0, 100_000);
    this.status("close", handle);
    return bytes;
  }
  writer(tag?: number): Ref {
    const { results } = this.call("asl", "create", tag ?? 0, tag === undefined ? 0 : 1);
    if (results[0] !== OK) throw new Error(`create answers ${statusName(results[0] as number)}`);
    return results[1] as Ref;
  }
  add(writer: Ref, bytes: Uint8Array, offset = -1): number {
    this.memory.bytes.set(bytes, DATA_AT);
    const { results } = this.call("asl", "write", writer, wide(offset), this.own, DATA_AT, bytes.length);
    if (results[1] !== (results[0] === OK ? bytes.length : 0)) throw new Error(`${results[1]} bytes were written`);
    return results[0] as number;
  }
  seal(writer: Ref, room = 40): Uint8Array | number {
    const window = this.memory.bytes.subarray(DATA_AT, DATA_AT + room).fill(0xee);
    const { results } = this.call("asl", "seal", writer, this.own, DATA_AT, room);
    const length = results[1] as number;
    if (!window.subarray(length).every((byte) => byte === 0xee)) throw new Error("the rest of the window was changed");
    return results[0] === OK ? window.slice(0, length) : (results[0] as number);
  }
  /** Makes an artifact, and answers its key. */
  make(bytes: Uint8Array, tag?: number): Uint8Array {
    const writer = this.writer(tag);
    const status = this.add(writer, bytes);
    const key = this.seal(writer);
    if (status !== OK || typeof key === "number") throw new Error(`made: ${status}, ${key}`);
    this.status("close", writer);
    return key;
  }
  page(after: string | Uint8Array, room: number): { status: number; eof: number; listed: Listed[]; bytes: number } {
    const window = this.memory.bytes.subarray(DATA_AT, DATA_AT + room).fill(0xee);
    const { results } = this.call("asl", "list", ...this.path(after), this.own, DATA_AT, room);
    const [status, moved, eof] = results as [number, number, number];
    const view = new DataView(window.buffer, window.byteOffset, window.length);
    const listed: Listed[] = [];
    for (let at = 0; at < moved; ) {
      const key = textOf(window.slice(at + 1, at + 1 + window[at]!));
      at += 1 + window[at]!;
      listed.push({
        key,
        flags: window[at]!,
        tag: view.getUint32(at + 1, true),
        bytes: Number(view.getBigUint64(at + 5, true)),
      });
      at += 13;
    }
    if (!window.subarray(moved).every((byte) => byte === 0xee)) throw new Error("the rest of the window was changed");
    return { status, eof, listed, bytes: moved };
  }
  /** The whole list, by pages of so many bytes. */
  all(room: number, after: string | Uint8Array = ""): Listed[] {
    const all: Listed[] = [];
    for (let page = this.page(after, room); ; page = this.page(all.at(-1)!.key, room)) {
      if (page.status !== OK) throw new Error(`list answers ${statusName(page.status)}`);
      all.push(...page.listed);
      if (page.eof === 1) return all;
    }
  }
}

function guestOn(engine: Engine, store: MemoryArtifacts, options: AbiOptions = {}, limits = {}): Guest {
  return new Guest({ store, ...options }, limits, standOn(engine));
}

onEngines("[ASL-SYS-GRANT-1, ABI-CAPABILITY-1] what needs the grant, and what one for reading refuses", (t, engine) => {
  const bare = new Guest({}, {}, standOn(engine));
  t.equal(bare.trap("asl", "open", ...bare.path("x")), "MissingCapability");
  t.equal(bare.trap("asl", "create", 0, 0), "MissingCapability");
  t.equal(bare.trap("asl", "list", ...bare.path(""), bare.own, 0, 100), "MissingCapability");
  const store = new MemoryArtifacts({ isWritable: false });
  const key = store.add(bytesOf(10));
  const guest = guestOn(engine, store, { storeQuota: { writers: 0 } }, { heapObjects: 1 });
  t.equal(guest.status("create", 0, 0), READ_ONLY, "before quotas and room");
  t.equal(guest.find(key).status, QUOTA);
  t.same(guestOn(engine, store).whole(key), bytesOf(10));
  for (const name of ["info", "abort", "close"])
    t.equal(guest.trap("asl", name, NULL_REF, ...(name === "info" ? [0] : [])), "HeapRefNull");
  t.end();
});

onEngines("[ASL-SYS-KEY-1, ASL-SYS-OPEN-1] keys, as bytes and as text", (t, engine) => {
  const store = new MemoryArtifacts();
  const key = store.add(bytesOf(100));
  const guest = guestOn(engine, store);
  for (const form of [key, textOf(key)]) t.same(guest.whole(form), bytesOf(100));
  t.equal(guest.whole(keyOf(bytesOf(99))), NOT_FOUND);
  const digest = key.subarray(2);
  const others = [
    [Uint8Array.of(0x16, 32, ...digest), `sha3-256:${"0".repeat(64)}`],
    [Uint8Array.of(0x95, 0x20, 32, ...digest), `sha2-512-256:${"0".repeat(64)}`],
    [Uint8Array.of(0xe0, 0xe4, 0x02, 32, ...digest), `blake2s-256:${"0".repeat(64)}`],
  ];
  for (const form of others.flat()) t.equal(guest.whole(form), NOT_FOUND, "of another algorithm");
  const text = textOf(key);
  const bad = [
    "",
    "sha256:",
    text.slice(0, -1),
    `${text}0`,
    `${text}\n`,
    text.toUpperCase(),
    text.replace("sha256", "SHA256"),
    text.replace(":", "-"),
    `${text.slice(0, 8)}g${text.slice(9)}`,
    text.slice(7),
    `sha1:${"0".repeat(40)}`,
    digest,
    key.subarray(0, 33),
    Uint8Array.of(...key, 0),
    Uint8Array.of(0x12, 31, ...digest),
    Uint8Array.of(0x11, 32, ...digest),
    Uint8Array.of(0x92, 0, 32, ...digest),
    new Uint8Array(128),
    new Uint8Array(50_000).fill(0x73),
  ];
  for (const form of bad) {
    t.equal(guest.find(form).status, INVALID, Buffer.from(form).toString("latin1").slice(0, 80));
    if (form.length > 0) t.equal(guest.page(form, 100).status, INVALID);
  }
  const full = guestOn(engine, store, {}, { heapObjects: 1 });
  t.equal(full.find("x").status, INVALID, "before there is no room");
  t.equal(full.find(keyOf(bytesOf(1))).status, QUOTA, "before it is looked for");
  t.end();
});

onEngines("[ASL-SYS-READ-1, ASL-SYS-INFO-1] what is told and read of artifacts", (t, engine) => {
  const random = new Random(3);
  const store = new MemoryArtifacts();
  const guest = guestOn(engine, store);
  for (const contents of [bytesOf(0), bytesOf(1, 2), bytesOf(300, 3), bytesOf(70_000, 4)]) {
    const artifact = guest.artifact(store.add(contents));
    t.same(guest.info(artifact), [OK, contents.length, 1, 0, 0, 0]);
    const check = (offset: number, length: number): void => {
      const { status, bytes, rest, eof } = guest.bytes(artifact, offset, length);
      const expected = Buffer.from(contents.subarray(offset, offset + length));
      const holds =
        status === OK &&
        expected.equals(bytes) &&
        rest.every((byte) => byte === 0xee) &&
        eof === (offset + bytes.length >= contents.length ? 1 : 0);
      if (!holds) t.fail(`${length} bytes at ${offset} of ${contents.length}`);
    };
    const { length } = contents;
    for (const offset of [0, 1, length - 1, length, length + 1, 2 ** 40, 2 ** 53 - 1])
      for (const count of [0, 1, length, length + 1]) check(Math.max(offset, 0), count);
    for (let k = 0; k < 20; k++) check(random.below(length + 2), random.below(1000));
    t.equal(guest.trap("asl", "read", artifact, wide(-1), guest.own, 0, 1), "BadArgument");
    t.equal(guest.status("close", artifact), OK);
    t.equal(guest.trap("asl", "info", artifact, 0), "HeapRefStale");
  }
  t.equal(guest.heap.objects, 1);

  // Records: without a tag, by tags, internal before published.
  const bytes = Buffer.from("tagged");
  for (const [tag, isPublished] of [
    [0xffff_ffff, false],
    [7, true],
    [0, false],
    [7, false],
    [undefined, true],
  ] as const)
    store.add(bytes, tag, isPublished);
  const tagged = guest.artifact(keyOf(bytes));
  t.same(
    [0, 1, 2, 3, 4].map((record) => guest.info(tagged, record)),
    [
      [OK, 6, 5, 0, 0, 1],
      [OK, 6, 5, 1, 0, 0],
      [OK, 6, 5, 1, 7, 0],
      [OK, 6, 5, 1, 7, 1],
      [OK, 6, 5, 1, 0xffff_ffff, 0],
    ],
  );
  for (const record of [5, -1]) t.same(guest.info(tagged, record), [NOT_FOUND, 0, 0, 0, 0, 0]);
  guest.make(bytes, 3);
  t.same(guest.info(tagged)[2], 5, "as it was when it was opened");
  t.same(guest.info(guest.artifact(keyOf(bytes)), 2), [OK, 6, 6, 1, 3, 0]);
  const writer = guest.writer(9);
  guest.add(writer, bytesOf(20));
  t.same(guest.info(writer), [OK, 20, 1, 1, 9, 0]);
  t.same(guest.info(writer, 1), [NOT_FOUND, 0, 0, 0, 0, 0]);
  guest.seal(writer);
  t.same(guest.info(writer), [OK, 20, 1, 1, 9, 0]);
  t.same(guest.info(guest.writer()), [OK, 0, 1, 0, 0, 0]);
  t.end();
});

/** What a writer is by the specification. */
function model(operations: readonly string[]): string[] {
  let state = "OPEN";
  return operations.map((operation) => {
    const before = state;
    if (operation === "seal" && before === "OPEN") state = "SEALED";
    if (operation === "abort" && before === "OPEN") state = "ABORTED";
    if (before === "OPEN") return "OK";
    return operation === "abort" && before === "ABORTED" ? "OK" : before;
  });
}

onEngines(
  "[ASL-SYS-WRITER-1, ASL-SYS-WRITER-2, ASL-SYS-WRITER-3, ASL-SYS-WRITER-4] writers, in every order of calls",
  (t, engine) => {
    const store = new MemoryArtifacts();
    const guest = guestOn(engine, store);
    const names = ["write", "seal", "abort"];
    let sequences = 0;
    for (let number = 0; number < 3 ** 5; number++) {
      const operations = Array.from({ length: 5 }, (_, k) => names[Math.floor(number / 3 ** k) % 3]!);
      const writer = guest.writer();
      const text = Buffer.from(`${number}`);
      let key: Uint8Array | number = 0;
      const before = store.staged.size;
      const seen = operations.map((name) => {
        if (name === "write") return statusName(guest.add(writer, text));
        if (name === "abort") return statusName(guest.status("abort", writer));
        const sealed = guest.seal(writer);
        if (typeof sealed === "number") return statusName(sealed);
        key = sealed;
        return "OK";
      });
      t.same(seen, model(operations), `${operations}`);
      t.equal(guest.status("close", writer), OK);
      const sealedAt = model(operations).findIndex((end, k) => operations[k] === "seal" && end === "OK");
      const writes = operations.slice(0, Math.max(sealedAt, 0)).filter((name) => name === "write").length;
      const expected = Buffer.from(`${number}`.repeat(writes));
      if (sealedAt >= 0) {
        t.same(key, keyOf(expected));
        t.same(guest.whole(key as unknown as Uint8Array), expected);
      } else t.equal(store.staged.size, before, "nothing was sealed");
      sequences++;
    }
    t.equal(sequences, 243);
    t.equal(store.open, 0, "no writer of the store is left");
    t.equal(guest.heap.objects, 1);
    t.end();
  },
);

onEngines("[ASL-SYS-WRITER-2, ASL-SYS-WRITER-3, ABI-TRANSFER-3] offsets, rooms, and a guest that ends", (t, engine) => {
  const store = new MemoryArtifacts();
  const guest = guestOn(engine, store);
  const writer = guest.writer();
  for (const offset of [0, 1, 2 ** 40]) t.equal(guest.add(writer, bytesOf(4), offset), INVALID);
  t.equal(guest.trap("asl", "write", writer, wide(-2), guest.own, 0, 4), "BadArgument");
  t.equal(guest.add(writer, bytesOf(0)), OK);
  for (const room of [0, 34, 35]) t.equal(guest.seal(writer, room), INVALID);
  t.same(guest.seal(writer, 36), keyOf(bytesOf(0)));
  for (const room of [0, 36]) t.equal(guest.seal(writer, room), SEALED, "before the window is looked at");
  t.equal(guest.add(writer, bytesOf(4), 0), INVALID, "an offset that none can have");
  t.equal(guest.trap("asl", "create", 0, 2), "BadArgument");
  guest.writer();
  guest.status("abort", guest.writer());
  t.equal(store.open, 1);
  guest.heap.close();
  t.equal(store.open, 0, "what is open when a store is closed is given up");
  t.end();
});

onEngines("[ASL-SYS-VIEW-1, ASL-SYS-LIST-1] what was sealed is there at once, and nobody else's", (t, engine) => {
  const store = new MemoryArtifacts();
  const before = store.add(bytesOf(10, 1));
  const guest = guestOn(engine, store);
  const writer = guest.writer();
  guest.add(writer, bytesOf(10, 2));
  t.equal(guest.whole(keyOf(bytesOf(10, 2))), NOT_FOUND, "not while it is in the making");
  const key = guest.seal(writer) as Uint8Array;
  t.same(guest.whole(key), bytesOf(10, 2));
  t.same(
    guest.all(500).map(({ key }) => key),
    [before, key]
      .map((key) => ({ key }))
      .sort(byDigest)
      .map(({ key }) => textOf(key)),
  );
  t.ok(!store.has(bytesOf(10, 2)), "it is not stored yet");
  t.end();
});

onEngines("[ASL-SYS-LIST-1, ASL-SYS-LIST-2, ASL-SYS-LIST-3] lists, in pages of every size", (t, engine) => {
  const store = new MemoryArtifacts();
  const contents = Array.from({ length: 40 }, (_, k) => bytesOf(k * 3, k));
  for (const [k, bytes] of contents.entries()) {
    if (k % 2 === 0) store.add(bytes, k % 4 === 0 ? k : undefined, k % 8 === 6);
    if (k === 20) store.add(bytes, 5);
  }
  const guest = guestOn(engine, store);
  for (const [k, bytes] of contents.entries()) if (k % 2 === 1) guest.make(bytes, k % 3 === 0 ? k : undefined);
  const tagOf = (k: number): number | undefined => {
    if (k === 20) return 5;
    return (k % 2 === 1 ? k % 3 === 0 : k % 4 === 0) ? k : undefined;
  };
  const expected = contents
    .map((bytes, k) => ({ bytes, k, key: keyOf(bytes) }))
    .sort(byDigest)
    .map(({ bytes, k, key }) => ({
      key: textOf(key),
      flags: (tagOf(k) === undefined ? 0 : 1) + (k % 8 === 6 ? 2 : 0),
      tag: tagOf(k) ?? 0,
      bytes: bytes.length,
    }));
  for (const room of [48, 49, 50, 95, 96, 97, 500, 40 * 48, 40 * 48 + 1, 100_000])
    t.same(guest.all(room), expected, `${room} bytes`);
  t.same(guest.page("", 40 * 48), { status: OK, eof: 1, listed: expected, bytes: 40 * 48 });
  t.same(guest.page("", 40 * 48 - 1).eof, 0);
  for (const room of [0, 1, 47]) t.match(guest.page("", room), { status: INVALID, eof: 0, bytes: 0 });
  const last = expected.at(-1)!.key;
  t.same(guest.page(last, 0), { status: OK, eof: 1, listed: [], bytes: 0 });
  // Behind a key that is none of an artifact.
  const between = Buffer.from(expected[9]!.key.slice(7), "hex");
  between[31]! ^= 1;
  const after = guest.all(500, Uint8Array.of(0x12, 32, ...between));
  t.same(after, expected.slice(between[31]! > Buffer.from(expected[9]!.key.slice(7), "hex")[31]! ? 10 : 9));
  // What is sealed between two pages is told where it belongs.
  const first = guest.page("", 500);
  const fresh = Array.from({ length: 10 }, (_, k) => guest.make(Buffer.from(`fresh ${k}`)));
  const rest = guest.all(500, first.listed.at(-1)!.key).map(({ key }) => key);
  for (const key of fresh) {
    const text = textOf(key);
    t.equal(rest.includes(text), text > first.listed.at(-1)!.key);
  }
  t.equal(new MemoryArtifacts().isWritable && guestOn(engine, new MemoryArtifacts()).all(0).length, 0);
  t.end();
});

onEngines("[ASL-SYS-LIST-3] one call moves at most 65,536 bytes", (t, engine) => {
  const store = new MemoryArtifacts();
  for (let k = 0; k < 1500; k++) store.add(Buffer.from(`${k}`));
  const guest = guestOn(engine, store);
  const { status, eof, bytes } = guest.page("", 100_000);
  t.same([status, eof, bytes], [OK, 0, 48 * 1365]);
  t.equal(guest.all(100_000).length, 1500);
  t.end();
});

onEngines("[ASL-SYS-QUOTA-1] bytes, artifacts and writers of a run", (t, engine) => {
  const store = new MemoryArtifacts();
  store.add(bytesOf(60, 1));
  const guest = guestOn(engine, store, { storeQuota: { bytes: 100, artifacts: 2, writers: 2 } });
  const writers = [guest.writer(), guest.writer()];
  t.equal(guest.status("create", 0, 0), QUOTA);
  t.equal(guest.add(writers[0]!, bytesOf(60, 1)), OK);
  t.equal(guest.add(writers[1]!, bytesOf(41)), QUOTA);
  t.equal(guest.add(writers[1]!, bytesOf(40)), OK);
  t.equal(guest.add(writers[1]!, bytesOf(1)), QUOTA);
  t.equal(guest.add(writers[1]!, bytesOf(0)), OK);
  t.type(guest.seal(writers[0]!), Uint8Array, "it was there already");
  t.equal(guest.add(writers[1]!, bytesOf(60)), OK, "so it counts no more");
  t.equal(guest.status("abort", writers[1]!), OK);
  const third = guest.writer();
  t.equal(guest.add(third, bytesOf(100)), OK, "what is given up counts no more");
  t.equal(guest.status("close", third), OK);
  guest.make(bytesOf(50, 2));
  guest.make(bytesOf(50, 2));
  const fourth = guest.writer();
  t.equal(guest.add(fourth, bytesOf(51, 3)), QUOTA, "what was sealed counts");
  t.equal(guest.add(fourth, bytesOf(50, 3)), OK);
  t.type(guest.seal(fourth), Uint8Array);
  const fifth = guest.writer();
  t.equal(guest.seal(fifth), QUOTA);
  t.equal(guest.seal(fifth, 0), INVALID);
  t.equal(store.staged.size, 2);
  const usual = guestOn(engine, new MemoryArtifacts());
  for (let k = 0; k < 64; k++) usual.writer();
  t.equal(usual.status("create", 0, 0), QUOTA, "64 by default");
  t.end();
});

onEngines("[ASL-SYS-FAULT-1, ABI-TRANSFER-5] stores that fail, and are whole again", (t, engine) => {
  const cause = (code: string): Error => Object.assign(new Error("on purpose"), { code });
  const { OTHER, CORRUPT, NO_SPACE, TRANSIENT } = Status;
  const special: { readonly [code in AslCode]?: number } = {
    "ASL-CORRUPT": CORRUPT,
    "ASL-BLOCK-DAMAGED": CORRUPT,
    "ASL-INDEX-DAMAGED": CORRUPT,
    "ASL-LOG-DAMAGED": CORRUPT,
    "ASL-CURRENT-DAMAGED": CORRUPT,
    "ASL-NO-SPACE": NO_SPACE,
    "ASL-READ-ONLY": READ_ONLY,
    "ASL-LIMIT": QUOTA,
  };
  const ways: (readonly [Error, number])[] = (Object.keys(ASL_CODES) as AslCode[]).map((code) => [
    new AslError(code, "on purpose"),
    special[code] ?? OTHER,
  ]);
  for (const code of ["ASL-READ", "ASL-WRITE"] as const) {
    ways.push([new AslError(code, "on purpose", {}, cause("EIO")), OTHER]);
    for (const errno of ["EAGAIN", "EINTR"]) ways.push([new AslError(code, "on purpose", {}, cause(errno)), TRANSIENT]);
  }
  ways.push([new Error("without a code"), OTHER], [cause("EIO"), OTHER]);
  for (const [error, status] of ways) {
    const store = new MemoryArtifacts();
    const key = store.add(bytesOf(100));
    const guest = guestOn(engine, store);
    const artifact = guest.artifact(key);
    const writer = guest.writer();
    guest.add(writer, Buffer.from("begin"));
    store.faults.error = error;
    /** What the status is where the call lists only these. */
    const among = (...listed: number[]): number => (listed.includes(status) ? status : OTHER);
    const reads = [CORRUPT, TRANSIENT];
    t.equal(guest.find(key).status, among(...reads), `${error.message} ${(error as AslError).code}`);
    const read = guest.bytes(artifact, 0, 64);
    t.equal(read.status, among(...reads));
    t.ok(read.rest.length === 64 && read.rest.every((byte) => byte === 0xee), "the window is as it was");
    t.equal(guest.page("", 500).status, among(...reads));
    t.equal(guest.status("create", 0, 0), among(READ_ONLY, NO_SPACE, QUOTA));
    t.equal(guest.add(writer, Buffer.from("more")), among(NO_SPACE, QUOTA, TRANSIENT));
    t.equal(guest.seal(writer), among(CORRUPT, NO_SPACE, QUOTA, TRANSIENT));
    t.equal(guest.heap.objects, 3, "no handle was made or lost");
    const other = guest.info(writer);
    t.same(other, [OK, 5, 1, 0, 0, 0], "it has what it had");
    store.faults.error = undefined;
    t.equal(guest.add(writer, Buffer.from(" again")), OK);
    t.same(guest.seal(writer), keyOf(Buffer.from("begin again")));
    t.equal(guest.bytes(artifact, 0, 64).status, OK);
  }
  const store = new MemoryArtifacts();
  const guest = guestOn(engine, store, { storeQuota: { writers: 1, bytes: 10 } });
  for (const end of ["abort", "close"]) {
    const writer = guest.writer();
    t.equal(guest.add(writer, bytesOf(10)), OK);
    store.faults.error = cause("EIO");
    t.equal(guest.status(end, writer), OK, "giving up always works");
    store.faults.error = undefined;
    if (end === "abort") t.equal(guest.add(writer, bytesOf(0)), ABORTED);
  }
  t.end();
});

t.test("[ASL-SYS-FAULT-1, ABI-PANIC-1] what is a defect goes through", (t) => {
  const store = new MemoryArtifacts();
  const guest = new Guest({ store });
  store.faults.error = new Panic("on purpose");
  t.throws(() => guest.find(keyOf(bytesOf(1))), { code: "ABI-PANIC" });
  t.throws(() => guest.status("create", 0, 0), { code: "ABI-PANIC" });
  t.end();
});

const SAVED = `(module
  (import "asl" "open" (func $open (param i64 i32 i32) (result i32 i64)))
  (import "asl" "create" (func $create (param i32 i32) (result i32 i64)))
  (import "asl" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "asl" "seal" (func $seal (param i64 i64 i32 i32) (result i32 i32)))
  (import "asl" "abort" (func $abort (param i64) (result i32)))
  (import "asl" "close" (func $close (param i64) (result i32)))
  (import "asl" "info" (func $info (param i64 i32) (result i32 i64 i32 i32 i32 i32)))
  (import "asl" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 0))
  (func $keep (param i32) (param i64) (result i32)
    (i64.store (i32.mul (global.get $at) (i32.const 8)) (local.get 1))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (local.get 0))
  (func $ref (param i32) (result i64) (i64.load (i32.mul (local.get 0) (i32.const 8))))
  (func (export "open") (param i32) (result i32) (call $keep (call $open (call $own) (i32.const 4096) (local.get 0))))
  (func (export "create") (param i32 i32) (result i32) (call $keep (call $create (local.get 0) (local.get 1))))
  (func (export "write") (param i32) (result i32 i32)
    (call $write (call $ref (local.get 0)) (i64.const -1) (call $own) (i32.const 8192) (i32.const 5)))
  (func (export "seal") (param i32) (result i32 i32)
    (call $seal (call $ref (local.get 0)) (call $own) (i32.const 4096) (i32.const 36)))
  (func (export "abort") (param i32) (result i32) (call $abort (call $ref (local.get 0))))
  (func (export "close") (param i32) (result i32) (call $close (call $ref (local.get 0))))
  (func (export "info") (param i32) (result i32 i64 i32 i32 i32 i32) (call $info (call $ref (local.get 0)) (i32.const 0)))
  (func (export "read") (param i32) (result i32 i32 i32)
    (call $read (call $ref (local.get 0)) (i64.const 1) (call $own) (i32.const 4096) (i32.const 4))))`;
const saved = Module.decode(await loadWat(SAVED));

onEngines("[ASL-SYS-SNAPSHOT-1, ASL-SYS-SNAPSHOT-2] artifacts and writers in snapshots", (t, engine, other) => {
  const contents = bytesOf(100, 6);
  const storeWith = (...all: Uint8Array[]): MemoryArtifacts => {
    const store = new MemoryArtifacts();
    for (const bytes of all) store.add(bytes);
    return store;
  };
  const abiOf = (store: MemoryArtifacts): Abi => createAbi({ store });
  const call = (on: Instance, name: string, ...args: number[]) => on.invoke(name, args);
  const put = (on: Instance, bytes: Uint8Array, at = 4096): number => {
    on.memory("memory").bytes.set(bytes, at);
    return bytes.length;
  };
  const instance = saved.instantiate({ ...abiOf(storeWith(contents)), engine });
  // 0: an artifact; 1 to 3: writers that are sealed, given up, and open; 4: what was sealed.
  t.same(call(instance, "open", put(instance, keyOf(contents))), [OK]);
  put(instance, Buffer.from("quill"), 8192);
  for (const [tag, has] of [
    [7, 1],
    [0, 0],
    [8, 1],
  ] as const)
    t.same(call(instance, "create", tag, has), [OK]);
  for (const writer of [1, 2, 3]) t.same(call(instance, "write", writer), [OK, 5]);
  t.same(call(instance, "abort", 2), [OK]);
  t.same(call(instance, "seal", 1), [OK, 34]);
  t.same(call(instance, "open", 34), [OK]);
  const digest = instance.stateDigest();
  const snapshot = instance.snapshot();

  for (const on of [engine, other]) {
    const again = Instance.restore(saved, snapshot, { ...abiOf(storeWith(contents)), engine: on });
    t.same(call(again, "info", 0), [OK, 100n, 1, 0, 0, 0]);
    t.same(call(again, "read", 0), [OK, 4, 0]);
    t.same(again.memory("memory").bytes.slice(4096, 4100), contents.slice(1, 5));
    t.same(call(again, "info", 1), [OK, 5n, 1, 1, 7, 0]);
    t.same(call(again, "seal", 1), [SEALED, 0]);
    t.same(call(again, "write", 2), [ABORTED, 0]);
    for (const [name, ...rest] of [["write", 0], ["seal", 0], ["abort"], ["info", 0n, 0, 0, 0, 0]] as const)
      t.same(call(again, name, 3), [STALE, ...rest], "what was in the making is gone");
    t.same(call(again, "info", 4)[0], STALE, "what was sealed was not stored");
    t.same(call(again, "close", 3), [OK]);
    t.same(call(again, "close", 4), [OK]);
    t.not(again.stateDigest(), digest);
  }
  const both = Instance.restore(saved, snapshot, {
    ...abiOf(storeWith(contents, Buffer.from("quill"))),
    engine: other,
  });
  t.same(call(both, "info", 4), [OK, 5n, 1, 0, 0, 0], "where it was stored it is there");
  const empty = Instance.restore(saved, snapshot, { ...abiOf(storeWith()), engine });
  t.same(call(empty, "read", 0), [STALE, 0, 0]);
  const bare = Instance.restore(saved, snapshot, { ...createAbi(), engine });
  t.same(call(bare, "read", 0), [STALE, 0, 0]);
  t.match(
    thrown(() => call(bare, "open", 34)),
    { reason: "MissingCapability" },
  );
  const failing = storeWith(contents);
  failing.faults.error = new Error("on purpose");
  const broken = Instance.restore(saved, snapshot, { ...abiOf(failing), engine });
  failing.faults.error = undefined;
  t.same(call(broken, "read", 0), [STALE, 0, 0], "it could not be looked up then");
  t.end();
});

t.test("[ASL-SYS-SNAPSHOT-1, ASL-SYS-SNAPSHOT-2] how they are saved, and what is no such thing", (t) => {
  const store = new MemoryArtifacts();
  const key = store.add(bytesOf(5));
  const abi = createAbi({ store });
  const guest = new Guest(abi);
  guest.artifact(key);
  const open = guest.writer(0xffff_ffff);
  guest.add(open, bytesOf(3));
  guest.seal(guest.writer());
  guest.status("abort", guest.writer());
  const heap: string[] = [];
  guest.heap.digest((bytes) => void heap.push(Buffer.from(bytes).toString("latin1")));
  for (const fields of [[textOf(key)], [0, 0xffff_ffff, 3], [1, null, 0], [2, null, 0]])
    t.ok(heap.join("").includes(JSON.stringify(fields)), JSON.stringify(fields));

  const [artifacts, writers] = abi.kinds.filter(({ name }) => name === "Artifact" || name === "Writer");
  const encoded = (fields: unknown): Uint8Array => Buffer.from(JSON.stringify(fields));
  for (const bad of [{}, [], [1], [null], ["x"], [textOf(keyOf(bytesOf(6)))], [textOf(key).toUpperCase()]])
    t.equal(artifacts!.restore!(encoded(bad)), undefined, JSON.stringify(bad));
  t.equal(artifacts!.restore!(Buffer.from([0xff])), undefined);
  t.match(artifacts!.restore!(encoded([textOf(key)])), { artifact: { bytes: 5 } });
  for (const bad of [
    [],
    [0, null, 0],
    [3, null, 0],
    ["1", null, 0],
    [1, -1, 0],
    [1, 2 ** 32, 0],
    [1, 0.5, 0],
    [1, "0", 0],
    [1, null, -1],
    [1, null, "0"],
    [1, null],
  ])
    t.equal(writers!.restore!(encoded(bad)), undefined, JSON.stringify(bad));
  t.match(writers!.restore!(encoded([1, 0xffff_ffff, 9])), { state: 1, typeTag: 0xffff_ffff, bytes: 9 });
  t.end();
});

onEngines("[ABI-TRACE-1, ABI-TRACE-2] how calls are traced", (t, engine) => {
  const lines: string[] = [];
  const store = new MemoryArtifacts();
  const observe = (event: CallEvent): void => void lines.push(traceLine(event).replace(/^ *\d+ /, ""));
  const guest = guestOn(engine, store, { observe });
  guest.make(Buffer.from("traced"), 5);
  guest.find("nonsense");
  t.match(lines, [
    /^asl\.create\(5, 1\) = OK, Writer#2$/,
    /^asl\.write\(Writer#2, -1, Bytes#1\[65536\.\.\+6\] "traced"\) = OK, bytes_transferred 6$/,
    /^asl\.seal\(Writer#2, Bytes#1\[65536\.\.\+40\]\) = OK, bytes_transferred 34, "\\x12 .*"…$/,
    /^asl\.close\(Writer#2\) = OK$/,
    /^asl\.open\(Bytes#1\[0\.\.\+8\] "nonsense"\) = INVALID$/,
  ]);
  t.end();
});
