/** Recordings: the bytes of the file, what a replay verifies, and that nothing of the host is needed. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import t from "tap";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { openPack } from "../../host/assets/pack.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { loadWat } from "../../host/wat.ts";
import { defineSyscalls } from "../../syscalls/define.ts";
import type { Call, Implementation } from "../../syscalls/dispatch.ts";
import { hostFunctions } from "../../syscalls/dispatch.ts";
import { Exit } from "../../syscalls/exit.ts";
import {
  type CallEvent,
  createRecorder,
  type Outcome,
  openRecording,
  outcomeOf,
  type RecorderOptions,
  RecordingError,
  ReplayError,
  type ReplayOptions,
  replayAbi,
  traceJson,
} from "../../syscalls/index.ts";
import { KINDS } from "../../syscalls/kinds.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS, syscallRow } from "../../syscalls/table.ts";
import { AshlarError, Fault, Module, Store, type Value } from "../../vm/index.ts";
import { Driver, NULL_REF, type Ref, wide } from "../conformance/driver.ts";
import { Random } from "../vm/random.ts";
import { onEngines } from "./guest.ts";
import { PACK } from "./packs.ts";

const { READ, WRITE, CREATE, DIRECTORY } = OpenFlag;
const DIGEST = "5a".repeat(32);

/** A recorder with everything that it writes. */
function recorderFor(options: Partial<RecorderOptions> = {}) {
  const pieces: Uint8Array[] = [];
  const recorder = createRecorder({ module: DIGEST, write: (bytes) => void pieces.push(bytes.slice()), ...options });
  return { recorder, pieces, file: () => new Uint8Array(Buffer.concat(pieces)) };
}

/** Calls `run` with a guest whose host is recorded; answers the file. */
function record(run: (guest: Driver) => void, options: AbiOptions = {}, outcome: Outcome = outcomeOf(7n)): Uint8Array {
  const { recorder, file } = recorderFor();
  run(new Driver(createAbi({ ...options, record: recorder })));
  recorder.end(outcome);
  return file();
}

/** Calls `run` with a guest that has no host but the recording. */
function replay(
  file: Uint8Array,
  run: (guest: Driver) => void,
  options: ReplayOptions = {},
  outcome: Outcome = outcomeOf(7n),
): void {
  const player = openRecording(file);
  run(new Driver(replayAbi(player, options)));
  player.end(outcome);
}

/** What `run` throws. */
function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

const files = (): AbiOptions => ({
  mounts: [{ guest: "/", fs: new MemoryFileSystem({ a: "0123456789" }) }],
  stdout: () => {},
});

/** A few calls of every way to end. */
function fewCalls(guest: Driver): void {
  const ends = (run: () => unknown): void => {
    const error = thrown(run);
    if (error instanceof AshlarError) throw error;
  };
  const file = guest.handle("/a", READ | WRITE);
  guest.read(file, 8, 4);
  guest.open("/none", READ);
  guest.clock(0);
  ends(() => guest.call("sys", "arg_size", 0));
  guest.call("sys", "stdout");
  guest.close(file);
  guest.heap.digest(() => {});
  ends(() => guest.call("sys", "exit", 3));
}

interface Chunk {
  readonly kind: number;
  readonly contents: Buffer;
}

/** The chunks of a file, taken apart as the spec says. */
function chunksOf(file: Uint8Array): Chunk[] {
  const bytes = Buffer.from(file);
  const sha = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest().subarray(0, 8);
  const chunks: Chunk[] = [];
  let checksum = sha(bytes.subarray(0, 12));
  for (let at = 12; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32LE(at);
    checksum = sha(checksum, bytes.subarray(at, end));
    if (!checksum.equals(bytes.subarray(end, end + 8))) throw new Error(`the checksum at ${end} is wrong`);
    chunks.push({ kind: bytes[at + 4]!, contents: bytes.subarray(at + 5, end) });
    at = end + 8;
  }
  return chunks;
}

/** A file of chunks. */
function fileOf(chunks: readonly { readonly kind: number; readonly contents: Uint8Array | string }[], version = 1) {
  const head = Buffer.from("89415348520d0a1a00000000", "hex");
  head.writeUInt32LE(version, 8);
  const sha = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest().subarray(0, 8);
  const parts: Uint8Array[] = [head];
  let checksum = sha(head);
  for (const { kind, contents } of chunks) {
    const body = Buffer.from(contents);
    const start = Buffer.alloc(5);
    start.writeUInt32LE(body.length);
    start[4] = kind;
    checksum = sha(checksum, start, body);
    parts.push(start, body, checksum);
  }
  return new Uint8Array(Buffer.concat(parts));
}

const HEADER = JSON.stringify({
  abi: 1,
  about: null,
  fuel: null,
  fuelSchedule: 1,
  granted: ["fs", "stdout"],
  limits: {
    depth: 25000,
    heapBytes: 268435456,
    heapObjects: 65536,
    instances: 10000,
    memoryPages: 16384,
    tableElements: 10000000,
  },
  module: DIGEST,
});

const crc = (hex: string): string => {
  // CRC-32 bit by bit, as ISO-HDLC defines it.
  let rest = 0xffff_ffff;
  for (const byte of Buffer.from(hex, "hex")) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb8_8320 : rest >>> 1;
  }
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(~rest >>> 0);
  return bytes.toString("hex");
};
const text = (value: string): string =>
  Buffer.concat([Uint8Array.of(value.length), Buffer.from(value)]).toString("hex");

t.test(
  "[REC-FILE-1, REC-FILE-2, REC-FILE-3, REC-HEADER-1, REC-END-1, REC-EVENT-1, REC-EVENT-2, REC-EVENT-3, REC-EVENT-4] every byte of a small recording",
  async (t) => {
    const file = record(fewCalls, files());
    t.equal(Buffer.from(file.subarray(0, 12)).toString("hex"), "89415348520d0a1a01000000");
    const chunks = chunksOf(file);
    t.same(
      chunks.map(({ kind }) => kind),
      [1, 2, 3],
    );
    t.equal(chunks[0]!.contents.toString(), HEADER);
    t.equal(chunks[2]!.contents.toString(), `{"fuelUsed":"7","outcome":"returned"}`);
    const own = "0100000001000000";
    const handle = "0200000001000000";
    const saved = (kind: string, fields: string): string => `05${kind}01${text(fields)}`;
    const expected = [
      // open(null, "/a", READ|WRITE): OK, a new File with offsets.
      `01${text("fs.open")}`,
      `0200${crc(`0000000000000000${own}000000000200000003000000${Buffer.from("/a").toString("hex")}`)}00020201`,
      // read(File, 8, 4 bytes): OK, 2, eof 1, "89".
      `01${text("fs.read")}`,
      `0201${crc(`${handle}0800000000000000${own}0000010004000000`)}000201023839`,
      // open(null, "/none", READ): NOT_FOUND and nothing else.
      `0200${crc(`0000000000000000${own}000000000500000001000000${Buffer.from("/none").toString("hex")}`)}03`,
      // clock(0): 0.
      `01${text("sys.clock")}`,
      `0202${crc("00000000")}00`,
      // arg_size(0): the trap BadArgument.
      `01${text("sys.arg_size")}`,
      `0303${crc("00000000")}3c01${text("there are 0 arguments, and no number 0")}`,
      // stdout(): a new Stream.
      `01${text("sys.stdout")}`,
      `0204${crc("")}020400`,
      // close(File): OK.
      `01${text("fs.close")}`,
      `0205${crc(handle)}00`,
      // A digest asks for the stream.
      saved("04", `["stdout",0]`),
      // exit(3).
      `01${text("sys.exit")}`,
      `0406${crc("03000000")}03`,
    ];
    t.equal(chunks[1]!.contents.toString("hex"), expected.join(""));
    t.same(file, fileOf(chunks));
  },
);

t.test(
  "[REC-FILE-6, REC-REPLAY-1] a recording replays, and with any byte changed, removed or added it does not",
  async (t) => {
    const file = record(fewCalls, files());
    replay(file, fewCalls);
    let refused = 0;
    for (let at = 0; at < file.length; at++) {
      for (const bits of [1, 0x80, 0xff]) {
        const changed = file.slice();
        changed[at]! ^= bits;
        const error = thrown(() => replay(changed, fewCalls));
        if (!(error instanceof RecordingError)) t.fail(`byte ${at}: ${error}`);
        else refused++;
      }
      const shorter = Uint8Array.from([...file.subarray(0, at), ...file.subarray(at + 1)]);
      if (!(thrown(() => replay(shorter, fewCalls)) instanceof RecordingError)) t.fail(`without byte ${at}`);
      const longer = Uint8Array.from([...file.subarray(0, at), 0, ...file.subarray(at)]);
      if (!(thrown(() => replay(longer, fewCalls)) instanceof RecordingError)) t.fail(`with one more byte at ${at}`);
    }
    t.equal(refused, 3 * file.length);
    t.throws(() => replay(Uint8Array.from([...file, 0]), fewCalls), { code: "ABI-RECORDING" });
    t.throws(() => openRecording(new TextEncoder().encode("#!/bin/sh")), { code: "ABI-RECORDING", truncated: false });
  },
);

t.test("[REC-EVENT-1, REC-EVENT-6] what a call charges by itself", async (t) => {
  const openAsset = (guest: Driver): void => void guest.call("bank", "open_asset", 4);
  const file = record(openAsset, { assets: openPack(PACK) });
  const { size, decodedSize } = openPack(PACK).asset(4)!;
  const fuel = size + decodedSize / 4;
  t.ok(fuel >= 128 && fuel < 16_384, "two bytes");
  const [header, , end] = chunksOf(file) as [Chunk, Chunk, Chunk];
  const arguments4 = crc("04000000");
  const name = `010f${Buffer.from("bank.open_asset").toString("hex")}`;
  const charge = `0600${arguments4}${Buffer.of((fuel & 127) | 128, fuel >> 7).toString("hex")}`;
  const returned = `0200${arguments4}00020501`;
  t.equal(chunksOf(file)[1]!.contents.toString("hex"), name + charge + returned);

  const charged = (events: string): bigint => {
    const again = fileOf([header, { kind: 2, contents: Buffer.from(events, "hex") }, end]);
    let used = 0n;
    replay(again, (guest) => {
      openAsset(guest);
      used = guest.fuelUsed;
    });
    return used;
  };
  t.equal(charged(name + charge + returned), BigInt(fuel));
  t.equal(charged(name + charge + charge + returned), BigInt(2 * fuel));
  t.equal(charged(name + returned), 0n, "what is charged is the recording's to say");
  t.equal(charged(`${name}0600${arguments4}808080808080${"02"}${returned}`), 2n ** 43n);
  const fails = (events: string, code: string): void => {
    t.throws(() => charged(events), { code }, events);
  };
  fails(`${name}0600${arguments4}818080808080${"02"}${returned}`, "ABI-RECORDING");
  fails(`${name}0600${crc("05000000")}01${returned}`, "ABI-REPLAY");
  fails(`${name}${charge}0200${crc("05000000")}00020501`, "ABI-REPLAY");
  fails(`${name}${charge}`, "ABI-REPLAY");
  fails(`${name}${charge}0700${arguments4}`, "ABI-RECORDING");
  fails(`${name}${charge}050500`, "ABI-REPLAY");
});

onEngines("[REC-EVENT-6, REC-REPLAY-3] a run that ends where a call charges", async (t, engine, other) => {
  const module = Module.decode(
    await loadWat(`(module
      (import "bank" "open_asset" (func $asset (param i32) (result i32 i64)))
      (import "bank" "request" (func $request (param i32 i32) (result i32 i64)))
      (func (export "run") (result i32)
        (call $asset (i32.const 2)) (drop)
        (call $request (i32.const 4) (i32.const 0)) (drop)
        i32.or))`),
  );
  const ended = (run: () => unknown, fuelUsed: () => bigint): Outcome => {
    const error = thrown(run);
    return outcomeOf(fuelUsed(), error);
  };
  const live = (on: typeof engine, fuel: bigint) => {
    const { recorder, file } = recorderFor({ module: module.digest, fuel });
    const abi = createAbi({ assets: openPack(PACK), record: recorder });
    const instance = module.instantiate({ engine: on, fuel, ...abi });
    const outcome = ended(
      () => instance.invoke("run"),
      () => instance.store.fuelUsed,
    );
    recorder.end(outcome);
    return { file: file(), outcome };
  };
  const all = live(engine, 1_000_000n).outcome.fuelUsed;
  const ends = new Set<string>();
  for (let fuel = all; fuel > 400n; fuel -= fuel === all ? 1n : 31n) {
    const { file, outcome } = live(engine, fuel);
    ends.add(outcome.outcome);
    if (Buffer.compare(file, live(other, fuel).file) !== 0) t.fail(`the recordings differ with ${fuel} units`);
    for (const on of [engine, other]) {
      const player = openRecording(file);
      const again = module.instantiate({ engine: on, fuel, ...replayAbi(player) });
      const end = ended(
        () => again.invoke("run"),
        () => again.store.fuelUsed,
      );
      player.end(end);
      if (end.outcome !== outcome.outcome) t.fail(`${fuel} units: ${end.outcome}`);
    }
  }
  t.same([...ends], ["returned", "trap"]);

  // Resumed, the call is made again: its charge is recorded again, too.
  if (engine === "compiled") return;
  const { recorder, file } = recorderFor({ module: module.digest, fuel: 600n });
  const options = { engine, fuel: 600n };
  const again = (abi: Pick<ReturnType<typeof createAbi>, "imports" | "kinds">): Outcome => {
    const instance = module.instantiate({ ...options, ...abi });
    t.match(
      thrown(() => instance.invoke("run")),
      { reason: "OutOfFuel", resumable: true },
    );
    t.same(instance.resume(10_000n), [Status.OK]);
    return outcomeOf(instance.store.fuelUsed);
  };
  recorder.end(again(createAbi({ assets: openPack(PACK), record: recorder })));
  const player = openRecording(file());
  player.end(again(replayAbi(player)));
});

t.test("[REC-BODY-1, REC-EVENT-6, ABI-DEFINE-5] implementations of an embedder charge, too", async (t) => {
  const charges: { amounts: number[] } = { amounts: [] };
  const table = {
    module: "own",
    rows: [{ name: "work", doc: "Charges.", params: [], results: [], fuel: 1 }],
  } as const;
  const bodies = {
    work: (call: Call) => {
      for (const amount of charges.amounts) call.charge(amount);
    },
  };
  const { recorder, file } = recorderFor();
  const live = new Driver({ ...defineSyscalls(table, bodies, { tape: recorder }), kinds: KINDS });
  for (charges.amounts of [[], [0], [1, 2 ** 43], [2 ** 31, 2 ** 32, 2 ** 32 + 1]]) live.call("own", "work");
  for (const bad of [-1, 0.5, 2 ** 43 + 1, Number.NaN]) {
    charges.amounts = [bad];
    t.throws(() => live.call("own", "work"), { code: "VM-ARGUMENT" }, `${bad}`);
  }
  recorder.end(outcomeOf(live.fuelUsed));
  const player = openRecording(file());
  const again = new Driver({ ...defineSyscalls(table, bodies, { tape: player }), kinds: KINDS });
  for (let k = 0; k < 4; k++) again.call("own", "work");
  t.equal(again.fuelUsed, live.fuelUsed);
  t.equal(again.fuelUsed, 2n ** 43n + 1n + 2n ** 31n + 2n ** 33n + 1n);
  player.end(outcomeOf(again.fuelUsed));
});

t.test("[REC-FILE-8] a file that was cut off replays as far as it goes, and says so", async (t) => {
  const { recorder, pieces } = recorderFor();
  const live = new Driver(createAbi({ ...files(), record: recorder }));
  const clocks = (guest: Driver, times: number): void => {
    for (let k = 0; k < times; k++) guest.clock(0);
  };
  clocks(live, 3);
  recorder.flush();
  const whole = Buffer.concat(pieces);
  clocks(live, 1);
  // Nobody ended it: the process is gone.
  let reached = 0;
  for (let length = 0; length <= whole.length; length++) {
    const player = (): ReturnType<typeof openRecording> => openRecording(whole.subarray(0, length));
    const error = thrown(() => {
      const guest = new Driver(replayAbi(player()));
      clocks(guest, 3);
      reached++;
      clocks(guest, 1);
    });
    t.ok(error instanceof RecordingError && error.truncated, `${length} of ${whole.length} bytes: ${error}`);
  }
  t.equal(reached, 1, "only the whole chunk is good");
  const player = openRecording(whole);
  clocks(new Driver(replayAbi(player)), 3);
  t.throws(() => player.end(outcomeOf(7n)), { code: "ABI-RECORDING", truncated: true });
});

t.test("[REC-FILE-4, REC-FILE-7] long events span chunks; a length is not believed", async (t) => {
  const contents = Buffer.from(Array.from({ length: 100_000 }, (_, k) => (k * k) >> 3));
  const options = { mounts: [{ guest: "/", fs: new MemoryFileSystem({ long: contents }) }] };
  const seen: string[] = [];
  const run = (guest: Driver): void => {
    seen.push(guest.read(guest.handle("/long", READ), 0, 100_000).text);
  };
  const file = record(run, options);
  const chunks = chunksOf(file);
  t.same(chunks.map(({ kind, contents: { length } }) => [kind, length]).slice(1, -1), [
    ...Array.from({ length: 6 }, () => [2, 16_384]),
    [2, chunks.at(-2)!.contents.length],
  ]);
  t.ok(file.length < contents.length + 1000);
  replay(file, run);
  t.equal(seen[1], contents.toString("latin1"));

  // A reader that gets its file in pieces of one byte, and never holds more than it must.
  let at = 0;
  const player = openRecording((into) => {
    if (at < file.length) into[0] = file[at]!;
    return at++ < file.length ? 1 : 0;
  });
  run(new Driver(replayAbi(player)));
  player.end(outcomeOf(7n));
  t.equal(seen[2], seen[1]);

  // An event that announces 2^53 - 1 bytes of an answer to a digest, and has none.
  const boast = Buffer.from(`050201${"ffffffffffffff0f"}`, "hex");
  const boasting = openRecording(
    fileOf([
      { kind: 1, contents: HEADER },
      { kind: 2, contents: boast },
      { kind: 3, contents: "{}" },
    ]),
  );
  const guest = new Driver(replayAbi(boasting));
  guest.heap.create(2, {});
  t.throws(() => guest.heap.digest(() => {}), { code: "ABI-RECORDING" });
  const large = Buffer.from("89415348520d0a1a01000000ffffffff01", "hex");
  t.throws(() => openRecording(large), { code: "ABI-RECORDING", message: /4294967295/ });
});

t.test("[REC-FILE-5, REC-HEADER-2] other chunks, versions, tables and schedules", async (t) => {
  const [header, events, end] = chunksOf(record(fewCalls, files())) as [Chunk, Chunk, Chunk];
  const more = { kind: 200, contents: "whatever comes" };
  replay(fileOf([header, more, events, more, more, end]), fewCalls);
  const refused = (chunks: Parameters<typeof fileOf>[0], version?: number): void => {
    t.throws(() => replay(fileOf(chunks, version), fewCalls), { code: "ABI-RECORDING", truncated: false });
  };
  refused([header, events, end], 2);
  for (const kind of [0, 4, 127]) refused([header, { ...more, kind }, events, end]);
  refused([more, events, end]);
  refused([events, header, end]);
  refused([header, header, events, end]);
  refused([header, events, end, end]);
  refused([header, events, end, more]);
  refused([header, { ...events, contents: events.contents.subarray(0, -1) }, end]);
  for (const contents of ["", "[]", "1", "{", "\xff"]) refused([{ kind: 1, contents }, events, end]);
  const fields = JSON.parse(HEADER);
  for (const change of [
    { abi: 2 },
    { abi: undefined },
    { fuelSchedule: 0 },
    { module: "5A" },
    { module: undefined },
    { fuel: 7 },
    { fuel: "-1" },
    { fuel: String(2n ** 63n) },
    { fuel: undefined },
    { granted: "fs" },
    { granted: [1] },
    { limits: [] },
    { limits: { ...fields.limits, depth: undefined } },
    { limits: { ...fields.limits, depth: 0.5 } },
  ])
    refused([{ kind: 1, contents: JSON.stringify({ ...fields, ...change }) }, events, end]);
  t.throws(() => recorderFor({ about: "x".repeat(2 ** 20) }).recorder.flush(), { code: "ABI-RECORDING" });
});

t.test("[REC-FILE-6] events that make no sense in a file whose checksums are right", async (t) => {
  const named = `01${text("sys.clock")}01${text("sys.stdout")}01${text("fs.read")}01${text("sys.arg_size")}01${text("sys.random")}`;
  const refused = (events: string, run: (guest: Driver) => void, what: string): void => {
    const contents = Buffer.from(named + events, "hex");
    const file = fileOf([
      { kind: 1, contents: HEADER },
      { kind: 2, contents },
      { kind: 3, contents: "{}" },
    ]);
    t.throws(() => replay(file, run), { code: "ABI-RECORDING" }, what);
  };
  const clock = (guest: Driver): void => void guest.clock(0);
  const zero = crc("00000000");
  refused(`00`, clock, "tag 0");
  refused(`06`, clock, "tag 6");
  refused(`0205${zero}00`, clock, "a call without a name");
  refused(`0280`, clock, "a number without an end");
  refused(`028000${zero}00`, clock, "a number with too many bytes");
  refused(`0200${zero}${"ff".repeat(9)}7f`, clock, "a number over 2^64");
  refused(`0200${zero}${"80".repeat(20)}`, clock, "a number of 20 bytes");
  refused(`0300${zero}07`, clock, "a trap cut off");
  refused(`0300${zero}6300`, clock, "no trap");
  refused(`0300${zero}3c02`, clock, "a detail that is there twice");
  refused(`0300${zero}3c0101ff`, clock, "a detail that is no UTF-8");
  refused(`0400${zero}8002`, clock, "exit 256");
  const stdout = (guest: Driver): void => void guest.call("sys", "stdout");
  refused(`0201${crc("")}03`, stdout, "a HeapRef of kind 3");
  refused(`0201${crc("")}026300`, stdout, "an object of kind 99");
  refused(`0201${crc("")}020402`, stdout, "an object that has offsets twice");
  const size = (guest: Driver): void => void guest.call("sys", "arg_size", 0);
  refused(`0203${zero}8080808010`, size, "a u32 of 2^32");
  const random = (guest: Driver): void => void guest.random(4);
  const four = crc("0100000001000000" + "00000100" + "04000000");
  refused(`0204${four}0500112233`, random, "more bytes than the window has");
  refused(`0204${four}03001122`, random, "fewer bytes than all");
  const status = (guest: Driver): void => void guest.read(guest.ref(guest.heap.create(2, { positional: true })), 0, 4);
  const read = crc("0200000001000000" + "0000000000000000" + "0100000001000000" + "00000100" + "04000000");
  refused(`0202${read}64`, status, "a status that the row does not declare");
  refused(`0202${read}0002010111`, status, "fewer bytes than are counted");
  refused(`0202${read}00020102`, status, "bytes cut off");
});

t.test("[REC-FILE-6, REC-FILE-7] whatever the events are, a replay ends in one of its own errors", async (t) => {
  const [header, events, end] = chunksOf(record(fewCalls, files())) as [Chunk, Chunk, Chunk];
  const random = new Random(7);
  const ends = new Map<string, number>();
  for (let k = 0; k < 4000; k++) {
    const contents = Buffer.from(events.contents);
    for (let changes = 1 + random.below(3); changes > 0; changes--)
      contents[random.below(contents.length)] = random.chance(0.5) ? random.below(256) : random.below(8);
    const error = thrown(() => replay(fileOf([header, { kind: 2, contents }, end]), fewCalls));
    // A changed event can also be a trap, an exit, or, which makes this test's guest throw, a file that is not there.
    const isExpected = [RecordingError, ReplayError, Fault, Exit].some((type) => error instanceof type);
    const isGuests = error instanceof Error && /^open .* status/.test(error.message);
    if (error !== undefined && !isExpected && !isGuests) t.fail(`mutation ${k}: ${(error as Error).stack ?? error}`);
    const name = error === undefined ? "none" : (error as Error).name;
    ends.set(name, (ends.get(name) ?? 0) + 1);
  }
  for (const name of ["RecordingError", "ReplayError"]) t.ok((ends.get(name) ?? 0) > 100, name);
});

t.test("[REC-FILE-9] a recording that cannot be written ends the invocation", async (t) => {
  const failure = Object.assign(new Error("no space"), { code: "ENOSPC" });
  for (let good = 0; good < 3; good++) {
    let writes = 0;
    const recorder = createRecorder({
      module: DIGEST,
      write: () => {
        if (writes++ === good) throw failure;
      },
    });
    const guest = new Driver(createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }], record: recorder }));
    const error = thrown(() => {
      for (;;) guest.open("/none", READ);
    });
    t.ok(error instanceof RecordingError);
    t.equal((error as Error).cause, failure);
  }
});

t.test("[REC-REPLAY-2] a guest that does something else", async (t) => {
  const file = record((guest) => {
    guest.clock(0);
    guest.args();
    const out = guest.call("sys", "stdout").results[0] as Ref;
    guest.write(out, -1, "hello");
    guest.heap.digest(() => {});
  }, files());
  const differs = (run: (guest: Driver) => void, call: number, expected: string, actual: string): void => {
    const error = thrown(() => replay(file, run));
    t.ok(error instanceof ReplayError, String(error));
    t.match(error, { code: "ABI-REPLAY", call, expected, actual });
  };
  differs((guest) => void guest.args(), 1, "sys.clock", "sys.args_count");
  differs((guest) => void guest.clock(1), 1, "sys.clock", "sys.clock with other arguments");
  const begin = (guest: Driver): Ref => {
    guest.clock(0);
    guest.args();
    return guest.call("sys", "stdout").results[0] as Ref;
  };
  differs((guest) => void guest.write(begin(guest), -1, "hellO"), 4, "fs.write", "fs.write with other arguments");
  differs((guest) => void guest.write(begin(guest), -1, "hell"), 4, "fs.write", "fs.write with other arguments");
  differs((guest) => void begin(guest), 4, "fs.write", "the end of the run");
  differs(
    (guest) => {
      begin(guest);
      guest.heap.digest(() => {});
    },
    3,
    "fs.write",
    "a state digest (Stream)",
  );
  const all = (guest: Driver): void => void guest.write(begin(guest), -1, "hello");
  differs(all, 5, "a state digest", "the end of the run");
  differs(
    (guest) => {
      all(guest);
      guest.clock(0);
    },
    5,
    "a state digest",
    "sys.clock",
  );
  const digested = (guest: Driver): void => {
    all(guest);
    guest.heap.digest(() => {});
  };
  replay(file, digested);
  const further = (more: (guest: Driver) => void) => (guest: Driver) => {
    digested(guest);
    more(guest);
  };
  differs(
    further((guest) => void guest.clock(0)),
    5,
    "the end of the run",
    "sys.clock",
  );
  differs(
    further((guest) => guest.heap.digest(() => {})),
    4,
    "the end of the run",
    "a state digest (Stream)",
  );
});

t.test("[REC-REPLAY-3, REC-END-1] another outcome", async (t) => {
  const trap = { code: 2, function: 3, offset: 44 };
  const outcomes: Outcome[] = [
    { outcome: "returned", fuelUsed: 7n },
    { outcome: "returned", fuelUsed: 8n },
    { outcome: "returned", fuelUsed: 7n, stateDigest: "00" },
    { outcome: "returned", fuelUsed: 7n, stateDigest: "01" },
    { outcome: "exit", fuelUsed: 7n, exitCode: 0 },
    { outcome: "exit", fuelUsed: 7n, exitCode: 1 },
    { outcome: "trap", fuelUsed: 7n, trap },
    { outcome: "trap", fuelUsed: 7n, trap: { ...trap, code: 3 } },
    { outcome: "trap", fuelUsed: 7n, trap: { ...trap, function: 4 } },
    { outcome: "trap", fuelUsed: 7n, trap: { ...trap, offset: 45 } },
    { outcome: "error", fuelUsed: 7n, error: "ABI-PANIC" },
    { outcome: "error", fuelUsed: 7n, error: "unknown" },
  ];
  for (const recorded of outcomes) {
    const file = record((guest) => void guest.clock(0), {}, recorded);
    for (const actual of outcomes) {
      const run = (): void => replay(file, (guest) => void guest.clock(0), {}, actual);
      if (actual === recorded) run();
      else t.throws(run, { code: "ABI-REPLAY", call: 2 });
    }
  }
  t.equal(
    chunksOf(record(() => {}, {}, outcomes[6]!))
      .at(-1)!
      .contents.toString(),
    `{"fuelUsed":"7","outcome":"trap","trap":{"code":2,"function":3,"offset":44}}`,
  );
});

t.test(
  "[REC-EVENT-5, REC-REPLAY-1] what the checks of a row end is not recorded, and ends the same in a replay",
  async (t) => {
    const answers: unknown[] = [];
    const run = (guest: Driver): void => {
      const file = guest.handle("/a", READ);
      answers.push(
        guest.trap("fs", "read", NULL_REF, wide(0), guest.own, 0, 1),
        guest.trap("fs", "read", file, wide(-1), guest.own, 0, 1),
        guest.trap("sys", "stderr"),
        guest.trap("sys", "exit", 256),
        guest.read(guest.call("sys", "stdout").results[0] as Ref, 5, 1).status,
        guest.close(file),
        guest.trap("fs", "close", file),
      );
    };
    const file = record(run, files());
    replay(file, run);
    const expected = [
      "HeapRefNull",
      "BadArgument",
      "MissingCapability",
      "BadArgument",
      Status.INVALID,
      0,
      "HeapRefStale",
    ];
    t.same(answers, [...expected, ...expected]);
    const names = chunksOf(file)[1]!
      .contents.toString("latin1")
      .match(/(?:fs|sys)\.[a-z]+/g);
    t.same(names, ["fs.open", "sys.stdout", "fs.close"]);

    // Nor is a defect of the host.
    const { recorder, file: written } = recorderFor();
    const row = SYSCALLS.find(({ name }) => name === "clock")!;
    const bodies: Implementation = {
      sys: {
        clock: () => {
          throw new TypeError("a defect");
        },
      },
    };
    const guest = new Driver({
      imports: hostFunctions([row], bodies, new Set(), KINDS, { tape: recorder }),
      kinds: KINDS,
    });
    const error = thrown(() => guest.clock(0));
    recorder.end(outcomeOf(7n, error));
    t.match(error, { name: "TypeError" });
    const observed: string[] = [];
    const observe = ({ end }: CallEvent): void => void observed.push(end.type);
    t.throws(() => replay(written(), (again) => void again.clock(0), { observe }), {
      code: "ABI-REPLAY",
      expected: "the end of the run",
    });
    t.same(observed, ["error"]);
  },
);

t.test("[REC-BODY-1, REC-EVENT-3] implementations that make objects", async (t) => {
  const rows = [
    syscallRow("own", {
      name: "make",
      doc: "Makes two objects, or hands out one that is there.",
      params: [{ name: "what", type: "u32", doc: "which" }],
      results: [
        { name: "status", type: "i32", doc: "status" },
        { name: "bytes", type: { ref: "Bytes" }, doc: "bytes" },
        { name: "file", type: { ref: "File" }, doc: "file" },
      ],
      fuel: 1,
      statuses: ["OTHER", "QUOTA"],
    }),
    syscallRow("own", {
      name: "count",
      doc: "Counts more than there is.",
      params: [
        { name: "ref", type: { ref: "Bytes" }, doc: "ref" },
        { name: "offset", type: "u32", doc: "offset" },
        { name: "length", type: "u32", doc: "length" },
      ],
      results: [{ name: "bytes", type: "u32", doc: "bytes" }],
      windows: [{ ref: 0, offset: 1, length: 2, written: 0 }],
      fuel: 1,
    }),
  ];
  let last = 0;
  const bodies: Implementation = {
    own: {
      make: (call: Call, what: number) => {
        if (what === 1) {
          last = call.heap.newBytes(3);
          call.heap.window(last, call.heap.generation(last), 0, 3).set([7, 8, 9]);
          call.setRef(1, last);
          call.setRef(2, call.heap.create(2, { positional: true }));
        }
        if (what === 2) call.setRef(1, last);
        if (what === 3) call.heap.newBytes(1);
        if (what === 4) call.heap.destroy(last, call.heap.generation(last), 1);
        if (what === 5) {
          call.setRef(1, last);
          call.setRef(2, call.heap.create(2, {}));
        }
        return what === 6 ? Status.QUOTA : Status.OK;
      },
      count: (_call: Call, window: Uint8Array) => window.length + 1,
    },
  };
  const { recorder, file } = recorderFor();
  const kinds = recorder.kinds(KINDS);
  const live = new Driver({ imports: hostFunctions(rows, bodies, new Set(), kinds, { tape: recorder }), kinds });
  const make = (guest: Driver, what: number): unknown => guest.call("own", "make", what).results;
  const run = (guest: Driver): unknown[] => {
    const made = make(guest, 1) as [number, Ref, Ref];
    const [, [slot, generation]] = made;
    const bytes = [...guest.heap.window(slot, generation, 0, 3)];
    return [made, bytes, make(guest, 2), make(guest, 0), make(guest, 6)];
  };
  const answers = run(live);
  t.same(answers, [
    [0, [2, 1], [3, 1]],
    [7, 8, 9],
    [0, [2, 1], [0, 0]],
    [0, [0, 0], [0, 0]],
    [Status.QUOTA, [0, 0], [0, 0]],
  ]);
  for (const what of [3, 4, 5]) t.throws(() => make(live, what), { code: "ABI-PANIC" });
  t.throws(() => live.call("own", "count", live.own, 0, 1), { code: "ABI-PANIC" });
  recorder.end(outcomeOf(7n));
  t.throws(() => make(live, 0), { code: "ABI-PANIC" });
  t.throws(() => hostFunctions(rows, bodies, new Set(), kinds, { tape: recorder }), { code: "ABI-PANIC" });

  const player = openRecording(file());
  const again = player.kinds(KINDS);
  const bodiesNotRun: Implementation = { own: { make: () => t.fail("a body ran") as never, count: () => 0 } };
  const guest = new Driver({
    imports: hostFunctions(rows, bodiesNotRun, new Set(), again, { tape: player }),
    kinds: again,
  });
  t.same(run(guest), answers);
  player.end(outcomeOf(7n));

  // Where the heap is fuller than it was, the object that the recorded call made cannot be made.
  const second = openRecording(file());
  const narrowed = hostFunctions(rows, bodiesNotRun, new Set(), KINDS, { tape: second });
  const full = new Driver({ imports: narrowed, kinds: KINDS }, { heapObjects: 1 });
  t.throws(() => make(full, 1), { code: "ABI-REPLAY" });
});

t.test("[REC-REPLAY-5] what a guest wrote can be heard again", async (t) => {
  const run = (guest: Driver): void => {
    const out = guest.call("sys", "stdout").results[0] as Ref;
    const err = guest.call("sys", "stderr").results[0] as Ref;
    guest.write(out, -1, "one ");
    guest.write(err, -1, "bad");
    guest.write(out, -1, "refused");
    guest.write(out, -1, "");
    guest.write(out, -1, "two");
    guest.memory.bytes.set(Buffer.from("logged"));
    guest.call("sys", "log", guest.own, 0, 6);
    guest.write(guest.handle("/a", READ | WRITE), 0, "file");
    guest.read(guest.handle("/a", READ), 0, 10);
  };
  const listen = () => {
    const heard: string[] = [];
    const hear = (name: string) => (bytes: Uint8Array) => {
      if (Buffer.from(bytes).toString() === "refused") throw Object.assign(new Error(), { code: "ENOSPC" });
      heard.push(`${name}: ${Buffer.from(bytes)}`);
    };
    return { heard, listeners: { stdout: hear("stdout"), stderr: hear("stderr"), log: hear("log") } };
  };
  const live = listen();
  const file = record(run, { ...files(), ...live.listeners });
  const again = listen();
  replay(file, run, again.listeners);
  t.same(live.heard, ["stdout: one ", "stderr: bad", "stdout: two", "log: logged"]);
  t.same(again.heard, live.heard);
  replay(file, run);
});

/** A guest that uses files, streams, clock and randomness, and ends as its argument says. */
const GUEST = `(module
  (import "sys" "arg_read" (func $arg_read (param i32 i64 i32 i32) (result i32)))
  (import "sys" "clock" (func $clock (param i32) (result i64)))
  (import "sys" "random" (func $random (param i64 i32 i32)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "fuel_left" (func $fuel_left (result i64)))
  (import "fs" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "open_p" (func $open (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "/data/a")
  (func (export "run") (result i64) (local $time i64)
    (local.set $time (i64.add (call $clock (i32.const 0)) (call $fuel_left)))
    (call $random (call $own) (i32.const 100) (i32.const 50))
    (drop (call $open (i64.const 0) (call $own) (i32.const 0) (i32.const 7) (i32.const 1) (i32.const 200)))
    (drop (call $read (i64.load align=1 (i32.const 200)) (i64.const 1) (call $own) (i32.const 300) (i32.const 100) (i32.const 400)))
    (drop (call $read (call $stdin) (i64.const -1) (call $own) (i32.const 500) (i32.const 100) (i32.const 600)))
    (drop (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 500) (i32.load (i32.const 600)) (i32.const 700)))
    (drop (call $arg_read (i32.const 0) (call $own) (i32.const 800) (i32.const 1)))
    (if (i32.eq (i32.load8_u (i32.const 800)) (i32.const 101)) (then (call $exit (i32.const 9))))
    (if (i32.eq (i32.load8_u (i32.const 800)) (i32.const 116)) (then unreachable))
    (if (i32.eq (i32.load8_u (i32.const 800)) (i32.const 102)) (then (loop (br 0))))
    (local.get $time)))`;

onEngines(
  "[REC-REPLAY-1, REC-REPLAY-3, REC-REPLAY-4, REC-REPLAY-6, REC-HEADER-2] runs of a guest in the VM",
  async (t, engine, replaying) => {
    const module = Module.decode(await loadWat(GUEST));
    const other = Module.decode(await loadWat(`(module (func (export "run")))`));
    for (const [arg, expected] of [
      ["r", "returned"],
      ["e", "exit"],
      ["t", "trap"],
      ["f", "trap"],
    ] as const) {
      const fuel = 100_000n;
      const limits = { heapObjects: 50 };
      const { recorder, file } = recorderFor({ module: module.digest, fuel, limits, about: { args: [arg] } });
      const run = (abi: Pick<ReturnType<typeof createAbi>, "imports" | "kinds" | "check">, store: Store) => {
        let results: Value[] = [];
        const error = thrown(() => {
          results = module.instantiate({ store, imports: abi.imports, check: abi.check }).invoke("run");
        });
        return { results, outcome: outcomeOf(store.fuelUsed, error, store.instances[0]!.stateDigest()) };
      };
      const events: CallEvent[] = [];
      const abi = createAbi({
        args: [arg],
        mounts: [{ guest: "/data", fs: new MemoryFileSystem({ a: "contents" }) }],
        stdin: Buffer.from("typed"),
        stdout: () => {},
        clock: "real",
        seed: "real",
        observe: (event) => events.push(event),
        record: recorder,
      });
      const live = run(abi, new Store({ fuel, limits, kinds: abi.kinds, engine }));
      t.equal(live.outcome.outcome, expected);
      recorder.end(live.outcome);

      const player = openRecording(file());
      t.match(player.header, {
        module: module.digest,
        fuel,
        limits,
        about: { args: [arg] },
        granted: ["fs", "stdin", "stdout"],
      });
      const replayed: CallEvent[] = [];
      let heard = "";
      const replayer = replayAbi(player, {
        observe: (event) => replayed.push(event),
        stdout: (bytes) => {
          heard += Buffer.from(bytes);
        },
      });
      const { header } = player;
      const again = run(
        replayer,
        new Store({ fuel: header.fuel!, limits: header.limits, kinds: replayer.kinds, engine: replaying }),
      );
      t.same(again, live);
      player.end(again.outcome);
      t.equal(heard, "typed");
      t.same(replayed.map(traceJson), events.map(traceJson));
      t.ok(events.length > 6);

      const wrong = replayAbi(openRecording(file()));
      t.throws(() => other.instantiate({ ...wrong }), { code: "ABI-REPLAY" });
      // Less fuel: the run ends elsewhere.
      const short = openRecording(file());
      const poorer = replayAbi(short);
      const ended = run(poorer, new Store({ fuel: 1000n, limits, kinds: poorer.kinds, engine }));
      t.throws(() => short.end(ended.outcome), { code: "ABI-REPLAY" });
    }
  },
);

function kindOf(guest: Driver, [low, high]: Ref): string {
  try {
    const id = guest.heap.kindOf(low, high);
    return KINDS.find((kind) => kind.id === id)?.name ?? "Bytes";
  } catch {
    return "none";
  }
}

/** Makes calls of every row with random arguments, most of them sensible; answers all that a guest can see. */
function randomCalls(guest: Driver, random: Random, count: number): string[] {
  const seen: string[] = [];
  const handles: Ref[] = [NULL_REF, guest.ref(guest.heap.newBytes(600)), guest.own];
  const paths = ["/a", "/d", "/d/b", "/d/../a", "/link", "a", "/none/x", "", "/new", "/d/new/", "/\xff"];
  for (let k = 0; k < count; k++) {
    const row = random.pick(SYSCALLS);
    if (row.name === "exit" || (row.name === "close" && random.chance(0.5))) continue;
    guest.memory.bytes.fill(k, 4096, 8192);
    const words: (number | Ref)[] = row.params.map(({ type, name, maximum, flags, nullable }) => {
      if (typeof type === "object") {
        if (nullable && random.chance(0.7)) return NULL_REF;
        const fitting = handles.filter((ref) => type.ref.split("|").includes(kindOf(guest, ref)));
        return random.pick(fitting.length > 0 && random.chance(0.9) ? fitting : handles);
      }
      if (row.name === "open" && flags !== undefined && random.chance(0.7))
        return random.pick([READ, READ | WRITE, READ | WRITE | CREATE, DIRECTORY]);
      if (flags !== undefined)
        return Object.values(flags).reduce((sum, bit) => sum | (random.chance(0.3) ? bit : 0), 0);
      if (name === "host_offset") return wide(random.below(21) - 1);
      if (type === "u64" || type === "i64") return wide(random.chance(0.7) ? 0 : random.below(20));
      return random.below(Math.min(maximum ?? 4, 200) + 1);
    });
    row.windows.forEach((window, index) => {
      const path = Buffer.from(random.pick(paths), "latin1");
      const at = 1024 * index;
      if (window.text) guest.memory.bytes.set(path, at);
      words[window.ref] = random.chance(0.9) ? guest.own : random.pick(handles);
      words[window.offset] = window.text ? at : 4096;
      words[window.length] = window.text ? path.length : random.below(600);
    });
    const packed = row.results.length > 1 && random.chance(0.3);
    if (packed) words.push(3000);
    guest.fuelUsed += 100n;
    let answer: unknown;
    try {
      answer = guest.call(row.module, packed ? `${row.name}_p` : row.name, ...words);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      answer = [error.code, error.detail];
    }
    row.results.forEach(({ type }, index) => {
      const { results } = answer as { readonly results?: readonly (number | Ref)[] };
      const ref = results?.[index];
      if (typeof type === "object" && Array.isArray(ref)) handles.push(ref as Ref);
    });
    const memory = createHash("sha256").update(guest.memory.bytes.subarray(0, 8192)).digest("hex");
    seen.push(`${row.module}.${row.name} ${JSON.stringify(answer)} ${memory}`);
  }
  const digest = createHash("sha256");
  guest.heap.digest((bytes) => digest.update(bytes));
  return [...seen, digest.digest("hex")];
}

t.test("[REC-REPLAY-1, REC-REPLAY-6, REC-REPLAY-4] random calls replay with equal answers and events", async (t) => {
  const statuses = new Map<string, number>();
  for (let seed = 0; seed < 40; seed++) {
    const events: unknown[] = [];
    let live: string[] = [];
    const file = record(
      (guest) => {
        live = randomCalls(guest, new Random(seed), 300);
      },
      {
        args: ["one", "two"],
        env: { NAME: "value" },
        mounts: [{ guest: "/", fs: new MemoryFileSystem({ a: "0123456789", "d/b": "contents" }) }],
        stdin: Buffer.from("some input"),
        ...(seed % 2 === 0 && { stdout: () => {} }),
        clock: "real",
        seed: "real",
        observe: (event) => events.push(traceJson(event)),
      },
    );
    const replayed: unknown[] = [];
    replay(file, (guest) => t.same(randomCalls(guest, new Random(seed), 300), live, `seed ${seed}`), {
      observe: (event) => replayed.push(traceJson(event)),
    });
    t.same(replayed, events, `seed ${seed}`);
    for (const event of events as { call: string; end: string; status?: string }[])
      statuses.set(
        `${event.call} ${event.status ?? event.end}`,
        (statuses.get(`${event.call} ${event.status ?? event.end}`) ?? 0) + 1,
      );
  }
  for (const needed of [
    "fs.open OK",
    "fs.read OK",
    "fs.write OK",
    "fs.list OK",
    "fs.rename OK",
    "fs.close OK",
    "fs.stat OK",
  ])
    t.ok((statuses.get(needed) ?? 0) > 3, needed);
});

t.test("[REC-FILE-1] a recording that version 1 wrote replays for ever", async (t) => {
  const path = new URL("../fixtures/v1/few-calls.recording", import.meta.url);
  replay(new Uint8Array(readFileSync(path)), fewCalls);
  t.pass("the recorded calls, fuel and end are the same");
});

t.test("[REC-REPLAY-7] a snapshot is not replayed", async (t) => {
  const run = (guest: Driver): void => void guest.call("sys", "stdout");
  const file = record((guest) => {
    run(guest);
    guest.heap.save();
  }, files());
  t.throws(() => replay(file, run), { code: "ABI-REPLAY", expected: "a state digest" });
});
