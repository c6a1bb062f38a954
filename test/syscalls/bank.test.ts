/** Module `bank`: slots, handles and loads of assets, as guests on either engine see them. */
import t, { type Test } from "tap";
import { type Abi, type AbiOptions, createAbi } from "../../host/abi.ts";
import { LoadState } from "../../host/assets/banks.ts";
import { PackError } from "../../host/assets/errors.ts";
import { bankNumber } from "../../host/assets/names.ts";
import { openPack, type PackOptions } from "../../host/assets/pack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { loadWat } from "../../host/wat.ts";
import type { CallEvent } from "../../syscalls/observe.ts";
import { Status } from "../../syscalls/status.ts";
import { traceLine } from "../../syscalls/trace.ts";
import { type Engine, Instance, Module, Trap } from "../../vm/index.ts";
import { Driver, NULL_REF, narrow, type Ref, wide } from "../conformance/driver.ts";
import { Random } from "../vm/random.ts";
import { onEngines, thrown } from "./guest.ts";
import {
  bytesOf,
  CONTENTS,
  deflated,
  faultyReader,
  INPUT,
  PACK,
  PRELOADED_BYTES,
  type ReaderFaults,
  raw,
} from "./packs.ts";
import { standOn } from "./stand.ts";

const TILES = 1;
const DATA_AT = 65_536;

/** A guest with a pack. */
class Guest extends Driver {
  status(name: string, ...args: readonly (number | Ref)[]): number {
    const { returned, results } = this.call("bank", name, ...args);
    return returned ?? (results[0] as number);
  }
  /** A handle that must be there. */
  made(name: string, ...args: readonly (number | Ref)[]): Ref {
    const { results } = this.call("bank", name, ...args);
    if (results[0] !== Status.OK) throw new Error(`${name} answers ${results[0]}`);
    return results[1] as Ref;
  }
  state(load: Ref): number {
    return this.call("bank", "state", load).results[1] as number;
  }
  idOf(bank: Ref): number {
    return this.call("bank", "info", bank).results[1] as number;
  }
  /** What a slot holds: an id, or a status, negative. */
  slot(type: number, slot: number): number {
    const { results } = this.call("bank", "open_slot", type, slot);
    if (results[0] !== Status.OK) return -(results[0] as number);
    const id = this.idOf(results[1] as Ref);
    this.status("close", results[1] as Ref);
    return id;
  }
  /** A load that was taken through `state` so many times. */
  load(id: number, slot: number, steps = 2): Ref {
    const load = this.made("request", id, slot);
    for (let k = 0; k < steps; k++) this.state(load);
    return load;
  }
  bytes(name: "read" | "metadata", bank: Ref, offset: number, length: number) {
    const window = this.memory.bytes.subarray(DATA_AT, DATA_AT + length).fill(0xee);
    const { results } = this.call("bank", name, bank, wide(offset), this.own, DATA_AT, length);
    const [status, moved, eof] = results as number[];
    return { status, eof, bytes: window.slice(0, moved), rest: window.slice(moved) };
  }
}

function guestOn(engine: Engine, options: AbiOptions = {}, pack: PackOptions = {}): Guest {
  return new Guest({ assets: openPack(PACK, pack), ...options }, {}, standOn(engine));
}

onEngines("[BANK-GRANT-1, BANK-SLOT-1, BANK-OPEN-1] slots", async (t, engine) => {
  const guest = guestOn(engine);
  const levels = bankNumber("levels") | 0;
  t.ok(levels < 0, "the highest bit is set");
  t.same([guest.slot(TILES, 5), guest.slot(TILES, 0), guest.slot(levels, 255)], [2, 1, 2147483647]);
  for (const [type, slot] of [
    [TILES, 1],
    [TILES, 255],
    [5, 0],
    [0, 0],
    [99, 5],
  ] as const)
    t.equal(guest.slot(type, slot), -Status.NOT_FOUND, `${type} ${slot}`);
  for (const slot of [256, 65_536, -1])
    for (const type of [TILES, 99]) t.equal(guest.slot(type, slot), -Status.NO_SLOT);
  t.equal(guest.heap.objects, 1, "all handles are closed");

  const few = guestOn(engine, { banks: { slots: { tiles: 6, sprites: 0, own: 65_536 } } });
  const last = (type: number): number[] => [5, 6, 255, 256, 65_535].map((slot) => -few.slot(type, slot));
  const { NOT_FOUND, NO_SLOT } = Status;
  t.same(last(TILES), [-2, NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT]);
  t.same(last(2), [NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT]);
  t.same(last(3), [NOT_FOUND, NOT_FOUND, NOT_FOUND, NO_SLOT, NO_SLOT]);
  t.same(last(bankNumber("own") | 0), [NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND]);
  t.equal(few.status("request", 1, 6), NO_SLOT);
  t.equal(few.status("request", 3, 6), Status.OK);
  t.equal(few.status("request", 0, 6), NOT_FOUND, "an asset that is not there has no bank");

  const bare = new Guest({}, {}, standOn(engine));
  for (const name of ["open_slot", "open_asset", "request"])
    t.equal(bare.trap("bank", name, ...(name === "open_asset" ? [1] : [1, 0])), "MissingCapability");
});

onEngines(
  "[BANK-OPEN-1, BANK-OPEN-2] handles need room, which is looked for before anything is charged",
  async (t, engine) => {
    const guest = new Guest({ assets: openPack(PACK) }, { heapObjects: 2 }, standOn(engine));
    const handle = guest.made("open_asset", 2);
    for (const [name, ...args] of [
      ["open_slot", TILES, 5],
      ["open_asset", 2],
      ["request", 2, 5],
    ] as const)
      t.equal(guest.status(name, ...args), Status.QUOTA, name);
    t.equal(guest.status("open_slot", TILES, 6), Status.NOT_FOUND);
    t.equal(guest.status("open_asset", 0), Status.NOT_FOUND);
    t.equal(guest.status("request", 2, 256), Status.NO_SLOT);
    guest.status("close", handle);
    t.equal(guest.status("request", 2, 5), Status.OK);
  },
);

onEngines(
  "[BANK-INFO-1, BANK-READ-1, BANK-READ-2, PACK-VERIFY-1] what is told and read of assets",
  async (t, engine) => {
    const random = new Random(7);
    for (const verify of ["first", "always", "never"] as const) {
      const guest = guestOn(engine, {}, { verify });
      for (const { id, bankType, metadata = {}, stored } of INPUT.assets) {
        const bank = guest.made("open_asset", id);
        const contents = Buffer.from(CONTENTS[id]!);
        const json = Buffer.from(JSON.stringify(metadata));
        const [status, ...told] = guest.call("bank", "info", bank).results;
        t.same(
          [status, ...told.map((result) => (typeof result === "number" ? result : narrow(result)))],
          [0, id, bankNumber(bankType) | 0, contents.length, (stored as Uint8Array).length, json.length],
        );
        t.same(guest.call("bank", "size", bank).results, [0, wide(contents.length)]);
        const check = (name: "read" | "metadata", whole: Buffer, offset: number, length: number): void => {
          const { status, bytes, rest, eof } = guest.bytes(name, bank, offset, length);
          const expected = whole.subarray(offset, offset + length);
          const holds =
            status === 0 &&
            expected.equals(bytes) &&
            rest.every((byte) => byte === 0xee) &&
            eof === (offset + bytes.length >= whole.length ? 1 : 0);
          if (!holds) t.fail(`${name} of ${id} at ${offset}, ${length} bytes`);
        };
        for (const offset of [0, 1, contents.length - 1, contents.length, contents.length + 1, 2 ** 40, 2 ** 53 - 1])
          for (const length of [0, 1, contents.length, contents.length + 1])
            check("read", contents, Math.max(offset, 0), length);
        for (let k = 0; k < 50; k++) {
          check("read", contents, random.below(contents.length + 2), random.below(contents.length + 50));
          check("metadata", json, random.below(json.length + 2), random.below(json.length + 2));
        }
        t.equal(guest.trap("bank", "read", bank, wide(-1), guest.own, 0, 1), "BadArgument");
        t.equal(guest.trap("bank", "metadata", bank, wide(-1), guest.own, 0, 1), "BadArgument");
        t.equal(guest.status("close", bank), Status.OK);
        t.equal(guest.trap("bank", "size", bank), "HeapRefStale");
      }
    }
  },
);

onEngines("[BANK-READ-1] reads that are larger than what is kept for them", async (t, engine) => {
  const large = bytesOf(1_200_000, 9);
  const assets = openPack(await encodePack({ assets: [raw(1, "a", "data", large), deflated(2, "b", "data", large)] }));
  const guest = guestOn(engine, { assets });
  for (const id of [1, 2]) {
    const bank = guest.made("open_asset", id);
    for (const length of [1_200_000, 1_048_576, 1_048_577, 10, 65_536, 70_000]) {
      const { status, bytes, eof } = guest.bytes("read", bank, 3, length);
      t.same([status, eof], [0, length === 1_200_000 ? 1 : 0]);
      t.ok(Buffer.from(bytes).equals(large.subarray(3, 3 + length)), `${length} bytes of ${id}`);
    }
  }
});

const OPENING = `(module
  (import "bank" "open_asset_p" (func $asset (param i32 i32) (result i32)))
  (import "bank" "request_p" (func $request (param i32 i32 i32) (result i32)))
  (import "bank" "open_slot_p" (func $slot (param i32 i32 i32) (result i32)))
  (import "bank" "state_p" (func $state (param i64 i32) (result i32)))
  (memory (export "memory") 1)
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (func $count (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
  (func (export "asset") (param i32) (result i32) (call $count) (call $asset (local.get 0) (i32.const 8)))
  (func (export "request") (param i32) (result i32) (call $count) (call $request (local.get 0) (i32.const 0) (i32.const 8)))
  (func (export "slot") (result i32) (call $slot (i32.const 1) (i32.const 5) (i32.const 8)))
  (func (export "state") (result i32) (call $state (i64.load (i32.const 8)) (i32.const 16))))`;
const module = Module.decode(await loadWat(OPENING));

onEngines("[BANK-FUEL-1] what is charged, before anything is done", async (t, engine) => {
  for (const verify of ["first", "always", "never"] as const) {
    const instance = module.instantiate({ ...createAbi({ assets: openPack(PACK, { verify }) }), engine });
    const { store } = instance;
    const cost = (name: string, ...args: number[]): number => {
      const before = store.fuelUsed;
      instance.invoke(name, args);
      return Number(store.fuelUsed - before);
    };
    // With no such asset nothing is charged beside the price.
    const own = { asset: cost("asset", 0), request: cost("request", 0) };
    for (const { id, codec, decodedSize, stored } of INPUT.assets) {
      const { length } = stored as Uint8Array;
      const work = codec === "raw" ? Math.floor(length / 32) : length + Math.floor(decodedSize / 4);
      for (const name of ["asset", "request"] as const) {
        t.equal(cost(name, id), own[name] + work, `${name} of ${id}, ${verify}`);
        t.equal(cost(name, id), own[name] + work, "no less the second time");
      }
    }
    const [first, ...others] = Array.from({ length: 4 }, () => cost("state"));
    t.same(others, [first, first, first], "the work was charged with the request");
    t.equal(cost("slot"), cost("slot"));
  }
});

onEngines(
  "[BANK-FUEL-1, VM-HOST-5] without the fuel for it nothing is opened, and it can be done again",
  async (t, engine) => {
    const faults: ReaderFaults = {};
    const abi = createAbi({ assets: openPack(faultyReader(PACK, faults)) });
    const measured = module.instantiate({ ...createAbi({ assets: openPack(PACK) }), engine });
    measured.invoke("asset", [4]);
    const all = measured.store.fuelUsed;
    const instance = module.instantiate({ ...abi, engine, fuel: all - 1n });
    // Whoever looks at the pack finds a fault.
    faults.error = new Error("too early");
    const trap = thrown(() => instance.invoke("asset", [4]));
    t.ok(trap instanceof Trap);
    const { reason, resumable, fuel } = trap as Trap;
    t.same([reason, resumable, fuel], ["OutOfFuel", engine === "reference", all]);
    t.equal(instance.store.heap.objects, 0);
    if (engine === "compiled") return;
    faults.error = undefined;
    t.same(instance.resume(1n), [Status.OK]);
    t.equal(instance.store.fuelUsed, all, "nothing is charged twice");
    t.equal(instance.global("calls").value, 1);
  },
);

onEngines(
  "[ABI-TRACE-1, ABI-TRACE-2, BANK-FUEL-1] observers hear of all that a call was charged",
  async (t, engine) => {
    const heard: CallEvent[] = [];
    const observe = (event: CallEvent): void => void heard.push(event);
    const lines: string[] = [];
    for (const fuel of [10_000n, 600n]) {
      const abi = createAbi({ assets: openPack(PACK), observe });
      const instance = module.instantiate({ ...abi, engine, fuel });
      const before = heard.length;
      const error = fuel > 600n ? instance.invoke("asset", [2]) : thrown(() => instance.invoke("asset", [2]));
      if (fuel > 600n) {
        const { size, decodedSize } = openPack(PACK).asset(2)!;
        const event = heard.at(-1)!;
        t.same([event.row.name, event.end.type], ["open_asset", "returned"]);
        t.ok(event.fuel > 500n + BigInt(size + decodedSize / 4));
        lines.push(traceLine(event));
      } else {
        t.match(error, { reason: "OutOfFuel" });
        t.equal(heard.length, before, "it was not made");
      }
    }
    t.match(lines, [/^ +\d+ bank\.open_asset\(2\) = OK, Bank#1$/]);
  },
);

/** What a load is by the specification. */
function model(operations: readonly string[]): string[] {
  let state: number = LoadState.PENDING;
  return operations.map((operation) => {
    const before = state;
    if (operation === "state") {
      if (state < LoadState.READY) state++;
      return `${before}`;
    }
    if (operation === "commit") {
      if (state === LoadState.READY) state = LoadState.COMMITTED;
      if (before < LoadState.READY) return "NOT_READY";
      return before === LoadState.READY ? "OK" : before === LoadState.COMMITTED ? "INVALID" : "CANCELED";
    }
    if (state === LoadState.COMMITTED) return "INVALID";
    state = LoadState.CANCELED;
    return "OK";
  });
}

onEngines(
  "[BANK-LOAD-1, BANK-LOAD-2, BANK-LOAD-3, BANK-LOAD-4, BANK-LOAD-5, BANK-LOAD-6] loads, in every order of calls",
  async (t, engine) => {
    const names = ["state", "commit", "cancel"];
    const guest = guestOn(engine);
    const statusName = (status: number): string => Object.entries(Status).find(([, number]) => number === status)![0];
    let sequences = 0;
    for (let number = 0; number < 3 ** 6; number++) {
      const operations = Array.from({ length: 6 }, (_, k) => names[Math.floor(number / 3 ** k) % 3]!);
      const slot = number % 200;
      const before = guest.slot(TILES, slot);
      const load = guest.made("request", 2, slot);
      const seen = operations.map((name) => {
        const held = guest.slot(TILES, slot);
        const answer = name === "state" ? `${guest.state(load)}` : statusName(guest.status(name, load));
        const isCommitted = name === "commit" && answer === "OK";
        if (guest.slot(TILES, slot) !== (isCommitted ? 2 : held)) t.fail(`${operations}: ${name} changes the slot`);
        return answer;
      });
      t.same(seen, model(operations), `${operations}`);
      const isCommitted = model(operations).some((answer, k) => operations[k] === "commit" && answer === "OK");
      t.equal(guest.status("close", load), Status.OK);
      t.equal(guest.slot(TILES, slot), isCommitted ? 2 : before, "closing changes no slot");
      sequences++;
    }
    t.equal(sequences, 729);
    t.equal(guest.heap.objects, 1);
  },
);

onEngines("[BANK-OPEN-1, BANK-LOAD-4] a handle stays on what its slot held", async (t, engine) => {
  const guest = guestOn(engine);
  const before = guest.made("open_slot", TILES, 5);
  t.equal(guest.idOf(before), 2);
  t.equal(guest.status("commit", guest.load(1, 5)), Status.OK);
  t.equal(guest.slot(TILES, 5), 1);
  t.equal(guest.idOf(before), 2);
  t.same(guest.bytes("read", before, 0, 3000).bytes, CONTENTS[2]);
  const loads = [guest.load(1, 7), guest.load(2, 7)];
  for (const load of loads) t.equal(guest.status("commit", load), Status.OK);
  t.equal(guest.slot(TILES, 7), 2, "the last one wins");
  t.equal(guest.status("commit", guest.load(2, 7)), Status.OK, "the same once more");
  t.equal(guest.slot(TILES, 7), 2);
});

onEngines("[BANK-QUOTA-1] decoded bytes are counted once, and for as long as they are held", async (t, engine) => {
  const guest = guestOn(engine, { banks: { bytes: PRELOADED_BYTES + 499 } });
  const { QUOTA, OK } = Status;
  const opened = (id: number): number => {
    const { results } = guest.call("bank", "open_asset", id);
    if (results[0] === OK) guest.status("close", results[1] as Ref);
    return results[0] as number;
  };
  t.equal(opened(4), QUOTA);
  t.equal(opened(1), OK, "raw assets take nothing");
  t.equal(opened(2), OK, "what a slot holds is there already");
  const handle = guest.made("open_slot", TILES, 5);
  t.equal(guest.status("commit", guest.load(1, 5)), OK);
  t.equal(opened(4), QUOTA, "a handle still holds it");
  const load = guest.load(4, 0);
  t.equal(guest.state(load), LoadState.ERROR);
  t.equal(guest.status("commit", load), QUOTA);
  guest.status("close", handle);
  t.equal(opened(4), OK, "nobody holds it any more");
  t.equal(guest.status("commit", load), QUOTA, "a load that failed stays as it is");
  const again = guest.load(4, 0);
  t.equal(guest.state(again), LoadState.READY);
  t.equal(opened(2), QUOTA);
  t.equal(guest.status("cancel", again), OK);
  t.equal(opened(2), OK, "a load that was canceled holds nothing");
  const third = guest.load(4, 0);
  t.equal(opened(2), QUOTA);
  guest.status("close", third);
  t.equal(opened(2), OK, "nor one that was closed");
  const fourth = guest.load(4, 0);
  t.equal(guest.status("commit", fourth), OK);
  guest.status("close", fourth);
  t.equal(opened(2), QUOTA, "a slot holds it");
});

onEngines("[BANK-FAULT-1, ABI-TRANSFER-5] packs that fail, and are whole again", async (t, engine) => {
  const hostError = (code: string): Error => Object.assign(new Error("on purpose"), { code });
  const whole: ReaderFaults = { error: undefined, end: undefined, mask: undefined, changed: undefined };
  const { OK, OTHER, TRANSIENT, CORRUPT, STALE } = Status;
  const ways: readonly (readonly [ReaderFaults, number])[] = [
    [{ error: hostError("EIO") }, OTHER],
    [{ error: new Error("without a code") }, OTHER],
    [{ error: hostError("EAGAIN") }, TRANSIENT],
    [{ error: hostError("EINTR") }, TRANSIENT],
    [{ mask: 0x40 }, CORRUPT],
    [{ end: PACK.length - 600 }, STALE],
    [{ changed: new PackError("PACK-CHANGED", "on purpose") }, STALE],
    [{ changed: hostError("EIO") }, OTHER],
  ];
  for (const [way, status] of ways) {
    const faults: ReaderFaults = {};
    const guest = guestOn(engine, { assets: openPack(faultyReader(PACK, faults)) });
    Object.assign(faults, way);
    t.equal(guest.status("open_asset", 4), status);
    const load = guest.load(4, 0);
    t.equal(guest.state(load), LoadState.ERROR);
    const plain = guest.made("open_asset", 3);
    const read = guest.bytes("read", plain, 0, 64);
    t.equal(read.status, status);
    t.ok(read.rest.length === 64 && read.rest.every((byte) => byte === 0xee), "the window is as it was");
    Object.assign(faults, whole);
    t.equal(guest.status("commit", load), status, "the load has failed for good");
    t.equal(guest.state(load), LoadState.ERROR);
    t.equal(guest.slot(6, 0), -Status.NOT_FOUND);
    t.equal(guest.status("cancel", load), OK);
    t.equal(guest.status("commit", load), Status.CANCELED);
    t.equal(guest.bytes("read", plain, 0, 64).status, status === CORRUPT ? CORRUPT : OK);
    guest.status("close", plain);
    const again = guest.made("open_asset", 3);
    t.equal(guest.bytes("read", again, 0, 64).status, OK, "another look at it");
    guest.status("close", again);
    const other = guest.load(4, 0);
    t.equal(guest.state(other), LoadState.READY);
    guest.status("close", other);
    guest.status("close", load);
    t.equal(guest.slot(TILES, 0), 1, "what was loaded before is there");
  }
});

onEngines("[BANK-FAULT-1] a raw asset that is corrupt is so for all who hold it", async (t, engine) => {
  const faults: ReaderFaults = {};
  let reads = 0;
  const reader = faultyReader(PACK, faults);
  const counted = {
    size: reader.size,
    read: (position: number, into: Uint8Array) => {
      reads++;
      return reader.read(position, into);
    },
  };
  const guest = guestOn(engine, { assets: openPack(counted) });
  const { CORRUPT, OK } = Status;
  const first = guest.made("open_asset", 3);
  faults.mask = 1;
  const load = guest.load(3, 0);
  t.equal(guest.status("commit", load), CORRUPT);
  faults.mask = 0;
  const before = reads;
  t.equal(guest.bytes("read", first, 0, 4).status, CORRUPT);
  t.equal(guest.bytes("read", guest.made("open_asset", 3), 0, 4).status, CORRUPT);
  t.equal(guest.status("commit", guest.load(3, 0)), CORRUPT);
  t.equal(reads, before, "nobody looks again");
  t.equal(guest.call("bank", "size", first).results[0], OK, "what the pack tells of it is known");
});

onEngines("[BANK-FAULT-1, PACK-VERIFY-1] when stored bytes are held against their digests", async (t, engine) => {
  for (const verify of ["first", "always", "never"] as const) {
    const faults: ReaderFaults = {};
    const guest = guestOn(engine, { assets: openPack(faultyReader(PACK, faults), { verify }) });
    const read = (): number => {
      const bank = guest.made("open_asset", 3);
      const { status } = guest.bytes("read", bank, 0, 10);
      guest.status("close", bank);
      return status!;
    };
    t.equal(read(), Status.OK);
    faults.mask = 1;
    t.equal(read(), verify === "always" ? Status.CORRUPT : Status.OK, verify);
  }
});

/** Opens, loads and fills; */
const SAVED = `(module
  (import "bank" "open_slot" (func $slot (param i32 i32) (result i32 i64)))
  (import "bank" "open_asset" (func $asset (param i32) (result i32 i64)))
  (import "bank" "request" (func $request (param i32 i32) (result i32 i64)))
  (import "bank" "state" (func $state (param i64) (result i32 i32)))
  (import "bank" "commit" (func $commit (param i64) (result i32)))
  (import "bank" "close" (func $close (param i64) (result i32)))
  (import "bank" "size" (func $size (param i64) (result i32 i64)))
  (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 1)
  (table $refs 16 funcref)
  (global $at (mut i32) (i32.const 0))
  (func $keep (param i32) (param i64) (result i32)
    (i64.store (i32.mul (global.get $at) (i32.const 8)) (local.get 1))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (local.get 0))
  (func $ref (param i32) (result i64) (i64.load (i32.mul (local.get 0) (i32.const 8))))
  (func (export "slot") (param i32 i32) (result i32) (call $keep (call $slot (local.get 0) (local.get 1))))
  (func (export "asset") (param i32) (result i32) (call $keep (call $asset (local.get 0))))
  (func (export "request") (param i32 i32) (result i32) (call $keep (call $request (local.get 0) (local.get 1))))
  (func (export "state") (param i32) (result i32 i32) (call $state (call $ref (local.get 0))))
  (func (export "commit") (param i32) (result i32) (call $commit (call $ref (local.get 0))))
  (func (export "close") (param i32) (result i32) (call $close (call $ref (local.get 0))))
  (func (export "size") (param i32) (result i32 i64) (call $size (call $ref (local.get 0))))
  (func (export "read") (param i32) (result i32 i32 i32)
    (call $read (call $ref (local.get 0)) (i64.const 1) (call $own) (i32.const 4096) (i32.const 4))))`;

onEngines("[BANK-SNAPSHOT-1, BANK-SNAPSHOT-2] banks in snapshots", async (t, engine, other) => {
  const saved = Module.decode(await loadWat(SAVED));
  const abiOf = (bytes: Uint8Array = PACK, options: AbiOptions = {}): Abi =>
    createAbi({ assets: openPack(bytes), ...options });
  const instance = saved.instantiate({ ...abiOf(), engine });
  const call = (on: Instance, name: string, ...args: number[]) => on.invoke(name, args);
  // 0: the asset 2 of a slot; 1 and 2: the assets 4 and 3; 3 to 7: loads that are pending, loading, ready, committed and failed.
  for (const [name, ...args] of [
    ["slot", 1, 5],
    ["asset", 4],
    ["asset", 3],
    ["request", 4, 1],
    ["request", 4, 2],
    ["request", 4, 3],
    ["request", 1, 5],
  ] as const)
    t.same(call(instance, name, ...args), [Status.OK], `${name} ${args}`);
  for (const load of [4, 5, 5, 6, 6]) call(instance, "state", load);
  t.same(call(instance, "commit", 6), [Status.OK]);
  const digest = instance.stateDigest();
  const snapshot = instance.snapshot();

  const check = (on: Instance): void => {
    t.equal(on.stateDigest(), digest);
    t.same(on.snapshot(), snapshot, "a restored instance is saved as the same bytes");
    t.same(
      [call(on, "size", 0), call(on, "size", 1), call(on, "size", 2)],
      [
        [0, 3000n],
        [0, 500n],
        [0, 64n],
      ],
    );
    t.same(call(on, "read", 1), [0, 4, 0]);
    t.same(on.memory("memory").bytes.slice(4096, 4100), CONTENTS[4]!.slice(1, 5));
    t.same(
      [3, 4, 5, 6].map((load) => call(on, "state", load)[1]),
      [0, 1, 2, 3],
    );
    t.same(call(on, "commit", 5), [Status.OK]);
    t.same(call(on, "slot", 6, 3), [Status.OK]);
    t.same(call(on, "slot", 1, 5), [Status.OK]);
    t.same(call(on, "size", 8), [0, 300n], "the slot that was filled anew");
  };
  for (const [k, on] of [engine, other, engine].entries()) {
    // Whatever the boot has loaded gives way, also where there is no room for both.
    const options = k === 2 ? { banks: { bytes: PRELOADED_BYTES + 500 } } : {};
    check(Instance.restore(saved, snapshot, { ...abiOf(PACK, options), engine: on }));
  }

  // A pack with another asset 4 and none of the id 1, and a preload of its own.
  const changed = await encodePack({
    assets: INPUT.assets
      .filter(({ id }) => id !== 1)
      .map((asset) => (asset.id === 4 ? deflated(4, "text/story", "text", bytesOf(501, 4)) : asset)),
    preload: [{ assetId: 2, slot: 0 }],
  });
  const stale = Instance.restore(saved, snapshot, { ...abiOf(changed), engine });
  t.same(
    [call(stale, "size", 0), call(stale, "size", 1), call(stale, "size", 2)],
    [
      [0, 3000n],
      [Status.STALE, 0n],
      [0, 64n],
    ],
  );
  t.same(call(stale, "read", 1), [Status.STALE, 0, 0]);
  t.same(
    [3, 4, 5, 6].map((load) => call(stale, "state", load)[0]),
    Array(4).fill(Status.STALE),
  );
  t.same(call(stale, "commit", 5), [Status.STALE]);
  t.same(call(stale, "close", 5), [Status.OK]);
  t.same(call(stale, "slot", 1, 5), [Status.NOT_FOUND], "the asset of this slot is not there");
  t.same(call(stale, "slot", 1, 0), [Status.NOT_FOUND], "the slots are those of the snapshot");
  t.same(call(stale, "slot", bankNumber("levels") | 0, 255), [Status.OK]);
  t.not(stale.stateDigest(), digest);

  // Without room, slots or packs.
  const tight = Instance.restore(saved, snapshot, { ...abiOf(PACK, { banks: { bytes: PRELOADED_BYTES } }), engine });
  t.same(
    [0, 1].map((handle) => call(tight, "size", handle)[0]),
    [Status.OK, Status.STALE],
  );
  t.same(
    [3, 4, 5, 6].map((load) => call(tight, "state", load)[0]),
    [0, 0, Status.STALE, 0],
  );
  const two = { banks: { slots: { text: 2 } } };
  const few = Instance.restore(saved, snapshot, { ...abiOf(PACK, two), engine });
  t.same(
    [3, 4, 5, 6].map((load) => call(few, "state", load)[0]),
    [0, Status.STALE, Status.STALE, 0],
  );
  const bare = Instance.restore(saved, snapshot, { ...createAbi(), engine });
  t.same(call(bare, "size", 0), [Status.STALE, 0n]);
  t.match(
    thrown(() => call(bare, "slot", 1, 5)),
    { reason: "MissingCapability" },
  );
});

t.test("[BANK-SNAPSHOT-1, BANK-SNAPSHOT-2] how banks are saved, and what is no such thing", async (t) => {
  const assets = openPack(PACK);
  const abi = createAbi({ assets });
  const fieldsOf = (state: Uint8Array): unknown[] => {
    const length = new DataView(state.buffer, state.byteOffset).getUint32(0, true);
    return JSON.parse(Buffer.from(state.subarray(4, 4 + length)).toString());
  };
  const item = (id: number): unknown[] => {
    const { digest, codec, bankType } = assets.asset(id)!;
    return [id, digest, codec, bankType];
  };
  const levels = [...item(2147483647), 255];
  t.same(fieldsOf(abi.state.save()), ["0", 0, [], [], 0, null, [[...item(1), 0], [...item(2), 5], levels]]);
  t.same(fieldsOf(createAbi().state.save()), ["0", 0, [], [], 0], "without slots there is no such item");
  const driver = new Guest(abi);
  const load = driver.load(4, 9, 1);
  const heap: string[] = [];
  driver.heap.digest((bytes) => void heap.push(Buffer.from(bytes).toString("latin1")));
  t.ok(heap.join("").includes(JSON.stringify([...item(4), 9, 1, 0])));
  driver.status("close", load);

  const stateOf = (slots: unknown): Uint8Array => {
    const json = Buffer.from(JSON.stringify(["0", 0, [], [], 0, null, slots]));
    const bytes = Buffer.alloc(4 + json.length);
    bytes.writeUInt32LE(json.length);
    json.copy(bytes, 4);
    return bytes;
  };
  const before = abi.state.save();
  for (const bad of [
    {},
    1,
    "x",
    [1],
    [[]],
    [[1, "", "", ""]],
    [[...item(1), -1]],
    [[...item(1), 65_536]],
    [[...item(1), "0"]],
  ]) {
    t.equal(abi.state.restore(stateOf(bad)), false, JSON.stringify(bad));
    t.same(abi.state.save(), before, "nothing is changed");
  }
  const slotsOf = (): unknown => fieldsOf(abi.state.save())[6];
  t.equal(
    abi.state.restore(
      stateOf([
        [...item(4), 1],
        [...item(1), 300],
        [1, "no such digest", "raw", "tiles", 1],
      ]),
    ),
    true,
  );
  t.same(slotsOf(), [[...item(4), 1]], "what cannot be is left out");
  t.equal(
    abi.state.restore(
      stateOf([
        [...item(1), 1],
        [...item(2), 1],
      ]),
    ),
    true,
  );
  t.same(slotsOf(), [[...item(2), 1]]);
  t.equal(abi.state.restore(stateOf(null)), true);
  t.same(slotsOf(), undefined);

  const [bank, loads] = abi.kinds.filter(({ name }) => name === "Bank" || name === "Load");
  const encoded = (fields: unknown): Uint8Array => Buffer.from(JSON.stringify(fields));
  for (const bad of [
    {},
    [],
    [1],
    ["1", ...item(1).slice(1)],
    [1, "", "raw", "tiles"],
    [...item(2).slice(0, 2), "raw", "tiles"],
  ])
    t.equal(bank!.restore!(encoded(bad)), undefined, JSON.stringify(bad));
  t.equal(bank!.restore!(Buffer.from([0xff])), undefined);
  const { OK, CORRUPT, INVALID } = Status;
  for (const tail of [
    [],
    [256, 0, OK],
    [-1, 0, OK],
    [0, 6, OK],
    [0, -1, OK],
    [0, 0.5, OK],
    [0, 0, CORRUPT],
    [0, 5, OK],
    [0, 5, INVALID],
    [0, "0", OK],
  ])
    t.equal(loads!.restore!(encoded([...item(1), ...tail])), undefined, JSON.stringify(tail));
  t.match(loads!.restore!(encoded([...item(1), 0, 5, CORRUPT])), { state: 5, failure: CORRUPT });
});

t.test("[BANK-OPEN-1] a null handle is none", async (t: Test) => {
  const guest = new Guest({ assets: openPack(PACK) });
  for (const name of ["info", "size", "state", "commit", "cancel", "close"])
    t.equal(guest.trap("bank", name, NULL_REF), "HeapRefNull");
});
