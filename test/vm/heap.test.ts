import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { BYTES_CALLS, type BytesCall } from "../../vm/bytes.ts";
import type { Declaration } from "../../vm/declaration.ts";
import { UsageError } from "../../vm/errors.ts";
import { BYTES_KIND, HEADER_BYTES, Heap, type Kind, STALE_OBJECT } from "../../vm/heap.ts";
import { Fault, trapName } from "../../vm/trap.ts";
import { type Argument, bits, HeapModel, joined, NULL_REF, type Ref, words } from "./heap-model.ts";

const LIMITS = { heapObjects: 12, heapBytes: 1000 };
/** A kind whose objects are their own saved form; those that begin with 255 cannot be opened again. */
const NOTE: Kind = {
  id: 7,
  name: "Note",
  create: "note.open",
  read: "note.read",
  update: "none: it is a constant",
  destroy: "note.close",
  save: (object) => object as Uint8Array,
  restore: (bytes) => (bytes[0] === 255 ? undefined : bytes),
};
const SOCKET: Kind = { ...NOTE, id: 65_535, name: "Socket", save: () => undefined };
const KINDS = [NOTE, SOCKET];

const CALLS = new Map(BYTES_CALLS.map((call) => [call.name, call]));
/** Cells in front of and behind the arguments, which a call must leave alone. */
const MARGIN = 4;
const UNTOUCHED = 0x5a5a5a5a;

type Outcome = { readonly trap: string } | { readonly result: bigint };

/** Runs a call of `bytes` on cells as an engine does; checks that it touches none but its own. */
function run(
  heap: Heap,
  name: string,
  args: readonly Argument[],
  instance = 0,
  memory?: { bytes: Uint8Array },
): Outcome {
  const call = CALLS.get(name)!;
  const cells = new Int32Array(2 * args.length + 2 + 2 * MARGIN).fill(UNTOUCHED);
  args.forEach((argument, index) => {
    const value = typeof argument === "bigint" ? argument : bits(argument);
    cells[MARGIN + 2 * index] = Number(BigInt.asIntN(32, value));
    if (isWide(call.params[index]!.type)) cells[MARGIN + 2 * index + 1] = Number(BigInt.asIntN(32, value >> 32n));
  });
  const before = cells.slice();
  try {
    call.run(heap, cells, MARGIN, instance, memory);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (String(cells) !== String(before)) throw new Error(`${name} trapped and wrote to its cells`);
    return { trap: trapName(error.code) };
  }
  const result = call.results[0]?.type;
  const own = result === undefined ? 0 : isWide(result) ? 2 : 1;
  for (let index = 0; index < own; index++) before[MARGIN + index] = cells[MARGIN + index]!;
  if (String(cells) !== String(before)) throw new Error(`${name} wrote to cells that are not its result's`);
  if (own === 0) return { result: 0n };
  const low = BigInt(cells[MARGIN]! >>> 0);
  return { result: own === 1 ? low : low | (BigInt(cells[MARGIN + 1]! >>> 0) << 32n) };
}

function isWide(type: Declaration["params"][number]["type"]): boolean {
  return typeof type === "object" || type === "i64" || type === "u64" || type === "f64";
}

function refOf(value: bigint): Ref {
  return { slot: Number(value & 0xffff_ffffn), generation: Number(value >> 32n) };
}

function digestOf(heap: Heap): Uint8Array {
  const parts: Uint8Array[] = [];
  heap.digest((bytes) => parts.push(bytes.slice()));
  return joined(parts);
}

/** A new object through the API. */
function made(heap: Heap, length: number, value = 0): Ref {
  const slot = heap.newBytes(length);
  const ref = { slot, generation: slot === 0 ? 0 : heap.generation(slot) };
  if (slot !== 0 && value !== 0) heap.window(ref.slot, ref.generation, 0, length).fill(value);
  return ref;
}

function destroy(heap: Heap, ref: Ref): void {
  heap.destroy(ref.slot, ref.generation, BYTES_KIND.id);
}

/** Code of the Fault or UsageError that `action` throws; fails when it throws none. */
function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault) return trapName(error.code);
    if (error instanceof UsageError) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

/** Numbers from 0 to 2^32 - 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

// ---- against the model

const CALL_NAMES = BYTES_CALLS.map((call) => call.name);
/** Lengths and offsets: mostly small, sometimes at an edge of u32. */
const SIZE = fc.oneof(
  { weight: 8, arbitrary: fc.nat(70) },
  { weight: 2, arbitrary: fc.nat(1100) },
  { weight: 1, arbitrary: fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff) },
);
const OPERATION = fc.record({
  // `new` and the bulk calls more often than one row in 22.
  name: fc.constantFrom(
    ...CALL_NAMES,
    "new",
    "new",
    "new",
    "copy",
    "fill",
    "note",
    "note",
    "unnote",
    "restore",
    "grow",
  ),
  // Refs in use, more often than not the latest.
  refs: fc.array(fc.oneof(fc.nat(3), fc.nat(60)), { minLength: 2, maxLength: 2 }),
  sizes: fc.array(SIZE, { minLength: 3, maxLength: 3 }),
  value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  instance: fc.nat(3),
});

function argumentsFor(call: BytesCall, refs: readonly Ref[], sizes: readonly number[], value: bigint): Argument[] {
  let ref = 0;
  let size = 0;
  return call.params.map(({ type }) => {
    if (typeof type === "object") return refs[ref++]!;
    return type === "u32" ? BigInt(sizes[size++]!) : isWide(type) ? value : BigInt.asUintN(32, value);
  });
}

function memories(): ({ bytes: Uint8Array } | undefined)[] {
  const shared = { bytes: new Uint8Array(64) };
  return [shared, shared, { bytes: new Uint8Array(33) }, undefined];
}

t.test(
  "[HEAP-REF-2, HEAP-REF-5, HEAP-CHECK-1, HEAP-CHECK-3, HEAP-PLACE-1, HEAP-BYTES-2, HEAP-BYTES-3, HEAP-BYTES-4, HEAP-DIGEST-1, HEAP-SAVE-1, HEAP-SAVE-3, HEAP-SAVE-4] any sequence of operations does what the model does",
  async (t) => {
    const trapped = new Set<string>();
    const succeeded = new Set<string>();
    const property = fc.property(
      fc.constantFrom(2, 32),
      fc.array(OPERATION, { maxLength: 150, size: "max" }),
      (width, operations) => {
        const heapMemories = memories();
        const model = new HeapModel({ ...LIMITS, generationBits: width }, memories());
        let heap = new Heap(LIMITS, KINDS, { generationBits: width });
        // Null, slots never used, other generations; then every ref ever made, dead or alive, at the front.
        const refs: Ref[] = [
          NULL_REF,
          { slot: 0, generation: 1 },
          { slot: 99, generation: 1 },
          { slot: 1, generation: 0 },
        ];
        for (const { name, refs: picks, sizes, value, instance } of operations) {
          const given = picks.map((pick) => refs[pick % refs.length]!);
          const remember = (ref: Ref) => {
            if (ref.slot === 0) return;
            refs.unshift(ref);
            refs.splice(1, 0, { slot: ref.slot, generation: ref.generation + 1 });
          };
          const call = CALLS.get(name);
          if (call !== undefined) {
            const args = argumentsFor(call, given, sizes, value);
            const expected = model.run(call, args, instance);
            const outcome = run(heap, name, args, instance, heapMemories[instance]);
            if ("trap" in expected) trapped.add(`${name} ${trapName(expected.trap)}`);
            else succeeded.add(name);
            assert.deepEqual(outcome, "trap" in expected ? { trap: trapName(expected.trap) } : expected);
            if (call.results[0]?.name === "ref" && "result" in outcome) remember(refOf(outcome.result));
          } else if (name === "note") {
            const saved = Uint8Array.from(sizes.slice(0, sizes[0]! % 3));
            const expected = model.create(NOTE.id, saved);
            assert.equal(heap.create(NOTE.id, saved), expected.slot);
            remember(expected);
          } else if (name === "unnote") {
            const { slot, generation } = given[0]!;
            const expected = model.destroy(given[0]!, NOTE.id);
            const code = codeOf(() => heap.destroy(slot, generation, NOTE.id));
            assert.equal(code, "trap" in expected ? trapName(expected.trap) : "nothing was thrown");
          } else if (name === "restore") {
            heap = Heap.restore(heap.save(), LIMITS, KINDS, (number) => heapMemories[number]);
            model.goStale((saved) => saved[0] === 255);
          } else {
            for (const memory of [heapMemories[instance], model.memories[instance]])
              if (memory !== undefined && memory.bytes.length < 200)
                memory.bytes = joined([memory.bytes, new Uint8Array(sizes[0]! % 40)]);
          }
          assert.deepEqual(digestOf(heap), model.digest());
        }
        assert.deepEqual(heap.save(), model.save());
        assert.deepEqual(
          heapMemories.map((memory) => memory?.bytes),
          model.memories.map((memory) => memory?.bytes),
        );
        assert.deepEqual([heap.objects, heap.liveBytes, heap.extent], [model.objects, model.liveBytes, model.extent]);
        heap.check();
      },
    );
    fc.assert(property, { numRuns: 1000, seed: 1 });
    t.strictSame([...succeeded].sort(), [...CALL_NAMES].sort(), "every call ran");
    const possible = BYTES_CALLS.flatMap((call) => call.traps.map((trap) => `${call.name} ${trap}`));
    t.strictSame([...trapped].sort(), possible.sort(), "every call met every one of its traps, and no other");
  },
);

t.test("[HEAP-CHECK-1, HEAP-CHECK-2, HEAP-CHECK-3] what a call checks first, and where windows end", async (t) => {
  const heap = new Heap(LIMITS, KINDS);
  const memory = { bytes: new Uint8Array(20) };
  const object = made(heap, 20, 3);
  const window = refOf((run(heap, "of_memory", [], 0, memory) as { result: bigint }).result);
  const note: Ref = { slot: heap.create(NOTE.id, new Uint8Array(0)), generation: 1 };
  const stale = made(heap, 64);
  destroy(heap, stale);
  const before = digestOf(heap);

  // A ref that fails two checks, or a call with two bad refs, meets the first.
  const far = 0xffff_ffffn;
  t.strictSame(run(heap, "load8_u", [NULL_REF, far]), { trap: "HeapRefNull" });
  t.strictSame(run(heap, "load8_u", [stale, far]), { trap: "HeapRefStale" });
  t.strictSame(run(heap, "load8_u", [note, far]), { trap: "HeapRefKind" });
  t.strictSame(run(heap, "copy", [object, 21n, NULL_REF, 0n, 0n]), { trap: "HeapWindow" });
  t.strictSame(run(heap, "copy", [object, 20n, NULL_REF, far, far]), { trap: "HeapWindow" });
  t.strictSame(run(heap, "copy", [object, 20n, NULL_REF, far, 0n]), { trap: "HeapRefNull" });
  t.strictSame(run(heap, "compare", [stale, far, NULL_REF, far, 0n]), { trap: "HeapRefStale" });
  t.strictSame(run(heap, "kind", [NULL_REF]), { trap: "HeapRefNull" });
  t.strictSame(run(heap, "destroy", [window]), { trap: "HeapRefFixed" });
  t.strictSame(run(heap, "destroy", [note]), { trap: "HeapRefKind" });
  t.equal(
    codeOf(() => heap.destroy(window.slot, window.generation, NOTE.id)),
    "HeapRefKind",
  );
  t.equal(
    codeOf(() => heap.object(object.slot, object.generation, NOTE.id)),
    "HeapRefKind",
  );

  for (const ref of [object, window]) {
    // Zero bytes at the end are in bounds; sums that pass 2^32 do not wrap.
    t.strictSame(run(heap, "fill", [ref, 20n, 9n, 0n]), { result: 0n });
    t.strictSame(run(heap, "compare", [ref, 20n, ref, 0n, 0n]), { result: 0n });
    t.strictSame(run(heap, "fill", [ref, 21n, 9n, 0n]), { trap: "HeapWindow" });
    t.strictSame(run(heap, "fill", [ref, 4n, 9n, 0xffff_fffcn]), { trap: "HeapWindow" });
    t.strictSame(run(heap, "fill", [ref, far, 9n, far]), { trap: "HeapWindow" });
    t.strictSame(run(heap, "fill", [ref, far, 9n, 1n]), { trap: "HeapWindow" });
    t.strictSame(run(heap, "load64", [ref, 12n]), { result: ref === object ? 0x0303_0303_0303_0303n : 0n });
    t.strictSame(run(heap, "load64", [ref, 13n]), { trap: "HeapWindow" });
    t.strictSame(run(heap, "load8_u", [ref, 0x8000_0000n]), { trap: "HeapWindow" });
  }
  t.strictSame(digestOf(heap), before);
  t.strictSame(memory.bytes, new Uint8Array(20));
});

t.test("[HEAP-REF-1, HEAP-REF-3] an i64 that names no live object always traps", async (t) => {
  const heap = new Heap({ heapObjects: 100, heapBytes: 10_000 }, KINDS);
  const first = made(heap, 5);
  t.strictSame([first.slot, first.generation], [1, 1]);
  t.equal(bits(first), 0x1_0000_0001n);
  const live = new Map<bigint, Ref>();
  const dead = new Set<bigint>([0n]);
  const next = random(7);
  for (let step = 0; step < 3000; step++) {
    const [ref] = live.values();
    if (ref !== undefined && next() % 2 === 0) {
      destroy(heap, ref);
      live.delete(bits(ref));
      dead.add(bits(ref));
    } else {
      const ref = made(heap, next() % 50);
      if (ref.slot !== 0) live.set(bits(ref), ref);
    }
    for (const value of live.keys()) if (dead.has(value)) t.fail(`${value} came back to life`);
  }
  t.ok(dead.size > 1000);
  const wrong = [...dead].filter((value) => !("trap" in run(heap, "kind", [value])));
  t.strictSame(wrong, [], "stale refs");
  const forged = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    // Near to what lives: a slot in use with another generation, a generation in use with another slot.
    fc.tuple(fc.nat(110), fc.nat(3100)).map(([slot, generation]) => bits({ slot, generation })),
  );
  let tried = 0;
  const property = fc.property(forged, (value) => {
    if (value === bits(first) || live.has(value)) return;
    tried++;
    const expected = { trap: value === 0n ? "HeapRefNull" : "HeapRefStale" };
    for (const { name, params } of BYTES_CALLS) {
      if (params.length === 0 || typeof params[0]!.type !== "object") continue;
      assert.deepEqual(run(heap, name, [value, ...params.slice(1).map(() => 0n)]), expected);
    }
  });
  fc.assert(property, { numRuns: 2000, seed: 2 });
  t.ok(tried > 1000);
});

t.test("[HEAP-REF-3, HEAP-CHECK-1] bytes behind a full table are no slot", async (t) => {
  // Four entries of 16 bytes end at a multiple of 64, where the byte region begins: an entry of the guest's own making.
  const heap = new Heap({ heapObjects: 3, heapBytes: 1000 });
  const [forge] = [made(heap, 64), made(heap, 0), made(heap, 0)];
  for (const [index, word] of [7, 1, 0, 0xffff].entries())
    run(heap, "store32", [forge!, BigInt(4 * index), BigInt(word)]);
  t.strictSame([...new Uint32Array(heap.memory!.buffer, HEADER_BYTES + 16 * 4, 4)], [7, 1, 0, 0xffff]);
  t.strictSame(run(heap, "len", [{ slot: 4, generation: 7 }]), { trap: "HeapRefStale" });
  t.strictSame(run(heap, "load8_u", [{ slot: 4, generation: 7 }, 0n]), { trap: "HeapRefStale" });
});

t.test("[HEAP-REF-4] a slot whose generations are spent is retired", async (t) => {
  const heap = new Heap({ heapObjects: 3, heapBytes: 1000 }, KINDS, { generationBits: 2 });
  const seen: Ref[] = [];
  for (let ref = made(heap, 1); ref.slot !== 0; ref = made(heap, 1)) {
    seen.push(ref);
    destroy(heap, ref);
    heap.check();
  }
  const order = [1, 2, 3].flatMap((slot) => [1, 2, 3].map((generation) => ({ slot, generation })));
  t.strictSame(seen, order, "three generations of each slot, then null");
  t.equal(heap.objects, 0);
  t.equal(heap.create(NOTE.id, new Uint8Array(0)), 0);
  t.strictSame(run(heap, "of_memory", [], 0, { bytes: new Uint8Array(1) }), { result: 0n });
  for (const ref of seen) t.strictSame(run(heap, "len", [ref]), { trap: "HeapRefStale" });
  for (const slot of [1, 2, 3]) {
    t.strictSame(run(heap, "len", [{ slot, generation: 0 }]), { trap: "HeapRefStale" });
    t.strictSame(run(heap, "len", [{ slot, generation: 4 }]), { trap: "HeapRefStale" });
  }
  const again = Heap.restore(heap.save(), { heapObjects: 3, heapBytes: 1000 }, KINDS, () => undefined);
  t.equal(again.newBytes(1), 0);

  // The full width, from a saved heap whose free slot is at its last generation.
  const wide = new Heap({ heapObjects: 1, heapBytes: 1000 });
  destroy(wide, made(wide, 1));
  const saved = wide.save();
  saved.set(words(0xffff_ffff), 32);
  const last = Heap.restore(saved, { heapObjects: 1, heapBytes: 1000 }, [], () => undefined);
  const ref = made(last, 1);
  t.strictSame(ref, { slot: 1, generation: 0xffff_ffff });
  t.strictSame(run(last, "len", [ref]), { result: 1n });
  destroy(last, ref);
  t.strictSame(run(last, "len", [ref]), { trap: "HeapRefStale" });
  t.equal(last.newBytes(1), 0);
});

t.test("[HEAP-KIND-1, HEAP-KIND-2] kinds and the objects that the host keeps", async (t) => {
  const bytes = { id: 1, name: "Bytes", create: "bytes.new", read: "bytes.load8_u" };
  t.match(BYTES_KIND, { ...bytes, update: "bytes.store8", destroy: "bytes.destroy" });
  for (const wrong of [
    { id: 0 },
    { id: 65_536 },
    { id: 1.5 },
    { id: 1 },
    { create: "" },
    { read: "open" },
    { update: "none" },
    { destroy: "none: " },
  ])
    t.equal(
      codeOf(() => new Heap(LIMITS, [{ ...NOTE, ...wrong }])),
      "VM-ARGUMENT",
      JSON.stringify(wrong),
    );
  t.equal(
    codeOf(() => new Heap(LIMITS, [NOTE, { ...NOTE, name: "Other" }])),
    "VM-ARGUMENT",
  );

  const closed: unknown[] = [];
  const door: Kind = { ...NOTE, id: 8, name: "Door", close: (object) => closed.push(object) };
  const heap = new Heap(LIMITS, [NOTE, door]);
  t.equal(
    codeOf(() => heap.create(9, "x")),
    "VM-ARGUMENT",
  );
  t.equal(
    codeOf(() => heap.create(1, "x")),
    "VM-ARGUMENT",
  );
  const objects = ["a", "b", "c"].map((name) => heap.create(door.id, name));
  t.strictSame(objects, [1, 2, 3]);
  heap.create(NOTE.id, "n");
  t.strictSame(run(heap, "kind", [{ slot: 2, generation: 1 }]), { result: 8n });
  heap.destroy(2, 1, door.id);
  t.strictSame(closed, [], "a destroyed object is not closed: its call has done that");
  t.equal(heap.object(1, 1, door.id), "a");
  t.equal(heap.create(door.id, "d"), 2);
  t.equal(heap.object(2, 2, door.id), "d");
  t.equal(heap.object(3, 1, door.id), "c");
  heap.close();
  t.strictSame(closed, ["a", "d", "c"]);
});

t.test("[HEAP-LAYOUT-1, HEAP-LAYOUT-2] table and bytes in the memory", async (t) => {
  const heap = new Heap({ heapObjects: 5, heapBytes: 1000 }, KINDS);
  t.strictSame(run(heap, "len", [NULL_REF]), { trap: "HeapRefNull" });
  t.equal(heap.memory, undefined, "no memory before the first object");
  const refs = [20, 0, 5].map((length) => made(heap, length, 0xab));
  heap.create(NOTE.id, new Uint8Array(0));
  heap.memoryRef(3, { bytes: new Uint8Array(100) });
  destroy(heap, refs[0]!);
  destroy(heap, refs[2]!);
  t.equal(HEADER_BYTES, 8192);
  const region = 64 * Math.ceil((8192 + 16 * 6) / 64);
  t.equal(region, 8320);
  const memory = new DataView(heap.memory!.buffer);
  const entry = (slot: number) => [0, 4, 8, 12].map((field) => memory.getUint32(8192 + 16 * slot + field, true));
  t.strictSame(new Uint8Array(heap.memory!.buffer, 8192, 16), new Uint8Array(16), "slot 0");
  t.strictSame([1, 2, 3, 4, 5].map(entry), [
    [2, 0, 0, 0],
    [1, 1, 0, 0],
    [2, 0, 1, 0],
    [1, 7, 0, 0],
    [1, 0x1_0001, 3, 0],
  ]);
  made(heap, 33, 0xcd);
  t.strictSame(entry(3), [2, 1, region, 33]);
  t.strictSame(new Uint8Array(heap.memory!.buffer, region, 33), new Uint8Array(33).fill(0xcd));

  const retiring = new Heap({ heapObjects: 5, heapBytes: 1000 }, [], { generationBits: 1 });
  destroy(retiring, made(retiring, 20));
  t.strictSame(new Uint8Array(retiring.memory!.buffer, 8192 + 16, 16), new Uint8Array(16), "a retired slot");
});

t.test("[HEAP-PLACE-1, HEAP-PLACE-4] placement by hand: lowest gap, coalescing, zero bytes", async (t) => {
  const heap = new Heap({ heapObjects: 64, heapBytes: 4096 });
  const view = () => new DataView(heap.memory!.buffer);
  const region = HEADER_BYTES + 16 * 68;
  const placeOf = ({ slot }: Ref) => view().getUint32(HEADER_BYTES + 16 * slot + 8, true) - region;
  const [a, b, c, d] = [16, 1, 48, 32].map((length) => made(heap, length, 0xff)) as [Ref, Ref, Ref, Ref];
  t.strictSame([a, b, c, d].map(placeOf), [0, 16, 32, 80]);
  destroy(heap, a);
  destroy(heap, c);
  const e = made(heap, 17, 0xff);
  t.equal(placeOf(e), 32, "not at 0, where 16 are free");
  const f = made(heap, 3, 0xff);
  t.equal(placeOf(f), 0);
  destroy(heap, f);
  destroy(heap, e);
  destroy(heap, b);
  const g = made(heap, 80);
  t.equal(placeOf(g), 0, "0, 16, 32 are one gap");
  t.ok(heap.window(g.slot, g.generation, 0, 80).every((byte) => byte === 0));
  destroy(heap, d);
  const h = made(heap, 4096 - 80);
  t.equal(placeOf(h), 80, "the gap at the end joins what was never used");
  t.ok(heap.window(h.slot, h.generation, 0, 4096 - 80).every((byte) => byte === 0));
  t.equal(made(heap, 1).slot, 0);
  heap.check();
});

// ---- extent

/** A sequence of operations: a positive number allocates so many bytes, -k frees what allocation number k - 1 gave. */
type Recording = readonly number[];

/** Draws `count` sizes and keeps about `live` bytes alive, freeing at random. */
function churn(
  seed: number,
  count: number,
  live: number,
  sizeOf: (next: () => number, step: number) => number,
): Recording {
  const next = random(seed);
  const recording: number[] = [];
  const alive: { readonly id: number; readonly size: number }[] = [];
  let bytes = 0;
  for (let step = 0; step < count; step++) {
    const size = sizeOf(next, step);
    alive.push({ id: step + 1, size });
    recording.push(size);
    bytes += size;
    while (bytes > live) {
      const [gone] = alive.splice(next() % alive.length, 1);
      bytes -= gone!.size;
      recording.push(-gone!.id);
    }
  }
  return recording;
}

/** A recorder that programs below run on, like a heap that only counts. */
class Recorder {
  readonly recording: number[] = [];
  #count = 0;
  allocate(size: number): number {
    this.recording.push(size);
    return ++this.#count;
  }
  free(id: number): void {
    this.recording.push(-id);
  }
}

/** Builds strings by appending to buffers that double, then keeps each at its exact size; drops old ones. */
function stringBuilder(): Recording {
  const recorder = new Recorder();
  const next = random(11);
  const kept: number[] = [];
  for (let text = 0; text < 400; text++) {
    const length = 1 + (next() % 1000) * (next() % 8);
    let capacity = 16;
    let buffer = recorder.allocate(capacity);
    for (let used = 0; used < length; used += 1 + (next() % 40)) {
      if (used <= capacity) continue;
      capacity *= 2;
      const larger = recorder.allocate(capacity);
      recorder.free(buffer);
      buffer = larger;
    }
    kept.push(recorder.allocate(length));
    recorder.free(buffer);
    if (kept.length > 60) recorder.free(kept.splice(next() % 30, 1)[0]!);
  }
  return recorder.recording;
}

/** A chained hash map of words: an object for each entry and for each key, and a table that doubles at 3/4. */
function hashMap(): Recording {
  const recorder = new Recorder();
  const next = random(12);
  let slots = 8;
  let table = recorder.allocate(8 * slots);
  const entries: (readonly [entry: number, key: number])[] = [];
  for (let step = 0; step < 20_000; step++) {
    if (entries.length > 100 && next() % 3 === 0) {
      const [gone] = entries.splice(next() % entries.length, 1);
      for (const id of gone!) recorder.free(id);
      continue;
    }
    entries.push([recorder.allocate(32), recorder.allocate(1 + (next() % 24))]);
    if (entries.length * 4 <= slots * 3) continue;
    slots *= 2;
    const larger = recorder.allocate(8 * slots);
    recorder.free(table);
    table = larger;
  }
  return recorder.recording;
}

/** An editor: lines of text that are replaced one by one, files that open and close, now and then a save buffer. */
function editor(): Recording {
  const recorder = new Recorder();
  const next = random(13);
  const files: number[][] = [];
  for (let step = 0; step < 20_000; step++) {
    const choice = next() % 100;
    if (choice === 0 || files.length === 0) {
      files.push(Array.from({ length: 20 + (next() % 400) }, () => recorder.allocate(1 + (next() % 120))));
      if (files.length > 8) for (const line of files.splice(next() % 8, 1)[0]!) recorder.free(line);
    } else if (choice < 3) {
      recorder.free(recorder.allocate(10_000 + (next() % 50_000)));
    } else {
      const file = files[next() % files.length]!;
      const line = next() % file.length;
      const replaced = recorder.allocate(1 + (next() % 120));
      recorder.free(file[line]!);
      file[line] = replaced;
    }
  }
  return recorder.recording;
}

/** Fills the heap with small objects, frees every other one, and asks for objects that just do not fit the holes. */
function holes(): Recording {
  const recorder = new Recorder();
  for (let round = 0; round < 20; round++) {
    const small = Array.from({ length: 2000 }, () => recorder.allocate(64));
    small.forEach((id, index) => {
      if (index % 2 === 0) recorder.free(id);
    });
    const large = Array.from({ length: 800 }, () => recorder.allocate(80));
    small.forEach((id, index) => {
      if (index % 2 === 1) recorder.free(id);
    });
    large.forEach((id) => {
      recorder.free(id);
    });
  }
  return recorder.recording;
}

/** Plays a recording; answers the extent and the peak of live bytes, in bytes. */
function play(recording: Recording): { extent: number; peak: number; heap: Heap } {
  const heap = new Heap({ heapObjects: 200_000, heapBytes: 2 ** 28 });
  const refs: Ref[] = [];
  let peak = 0;
  for (const step of recording) {
    if (step < 0) destroy(heap, refs[-step - 1]!);
    else refs.push(made(heap, step));
    peak = Math.max(peak, heap.liveBytes);
  }
  heap.check();
  return { extent: heap.extent, peak, heap };
}

t.test("[HEAP-PLACE-2] the extent is at most 2 × peak live bytes + 64 KiB", async (t) => {
  const power = (next: () => number) => Math.min(100_000, Math.ceil(16 / (1 - next() / 2 ** 32) ** 1.1));
  const recordings: Record<string, Recording> = {
    stringBuilder: stringBuilder(),
    hashMap: hashMap(),
    editor: editor(),
    holes: holes(),
  };
  for (const seed of [1, 2, 3]) {
    recordings[`uniform ${seed}`] = churn(seed, 30_000, 2_000_000, (next) => 1 + (next() % 4000));
    recordings[`uniform, small heap ${seed}`] = churn(seed, 30_000, 40_000, (next) => 1 + (next() % 4000));
    recordings[`power law ${seed}`] = churn(seed, 30_000, 2_000_000, power);
    recordings[`phases ${seed}`] = churn(
      seed,
      30_000,
      2_000_000,
      (next, step) => 1 + (next() % (20 << (Math.floor(step / 3000) % 10))),
    );
    recordings[`two sizes ${seed}`] = churn(seed, 30_000, 1_000_000, (next) => (next() % 2 === 0 ? 48 : 1040));
  }
  for (const [name, recording] of Object.entries(recordings)) {
    const { extent, peak } = play(recording);
    const ratio = (extent / peak).toFixed(2);
    t.ok(
      peak > 30_000 && extent >= peak && extent <= 2 * peak + 65_536,
      `${name}: ${extent} bytes for ${peak}, ${ratio}`,
    );
  }
});

t.test("[HEAP-PLACE-3] Robson's attack passes 2 × peak, and stays below the stated worst case", async (t) => {
  // In step i keep what covers an address that is f modulo 2^i, free the rest, and fill up with objects of 2^i granules.
  const peak = 1 << 12;
  const steps = 8;
  const region = 4 * Math.ceil((HEADER_BYTES + 16 * (peak + 1)) / 64);
  const heap = new Heap({ heapObjects: peak, heapBytes: 2 ** 24 });
  let alive: { readonly ref: Ref; readonly start: number; readonly size: number }[] = [];
  let offset = 0;
  for (let step = 0; step <= steps; step++) {
    const size = 1 << step;
    if (step > 0) {
      const covers = (start: number, length: number, f: number) => (((f - start) % size) + size) % size < length;
      const reach = (f: number) =>
        alive.reduce((sum, object) => sum + (covers(object.start, object.size, f) ? size - object.size : 0), 0);
      if (reach(offset + size / 2) > reach(offset)) offset += size / 2;
      for (const { ref, start, size } of alive) if (!covers(start, size, offset)) destroy(heap, ref);
      alive = alive.filter(({ start, size }) => covers(start, size, offset));
    }
    while (heap.liveBytes / 16 + size <= peak) {
      const ref = made(heap, size * 16);
      const start = new DataView(heap.memory!.buffer).getUint32(HEADER_BYTES + 16 * ref.slot + 8, true) / 16 - region;
      alive.push({ ref, start, size });
    }
    heap.check();
  }
  const extent = heap.extent / 16;
  t.ok(
    extent >= peak * (1 + steps / 2) - 2 ** steps + 1,
    `${extent} granules for ${peak}, objects up to ${2 ** steps}`,
  );
  t.ok(extent <= peak * (1 + 3 * steps));
  t.ok(extent > 2 * peak + 4096);
});

// ---- limits

t.test("[HEAP-LIMIT-1] at a limit a new ref is null and nothing changes", async (t) => {
  const heap = new Heap({ heapObjects: 3, heapBytes: 1000 }, KINDS);
  t.equal(made(heap, 993).slot, 0, "992 is 1000 in whole granules");
  t.equal(made(heap, 0xffff_ffff).slot, 0);
  t.equal(heap.memory, undefined);
  const [a, b] = [made(heap, 480, 1), made(heap, 496, 2)];
  t.equal(heap.liveBytes, 976);
  t.equal(made(heap, 17).slot, 0);
  const before = heap.save();
  t.strictSame(run(heap, "new", [17n]), { result: 0n });
  t.strictSame(heap.save(), before);
  t.not(made(heap, 16).slot, 0);
  t.notOk(heap.hasRoom);
  t.equal(heap.liveBytes, 992);
  const full = heap.save();
  t.strictSame(run(heap, "new", [0n]), { result: 0n });
  t.equal(heap.create(NOTE.id, new Uint8Array(0)), 0);
  t.strictSame(run(heap, "of_memory", [], 0, { bytes: new Uint8Array(1) }), { result: 0n });
  t.strictSame(heap.save(), full);
  destroy(heap, a!);
  t.equal(made(heap, 481).slot, 0, "496 bytes are free, 480 of them in one gap");
  destroy(heap, b!);
  t.equal(made(heap, 976).slot, b!.slot, "one gap again");
  t.equal(new Heap({ heapObjects: 0, heapBytes: 1000 }).newBytes(0), 0);
  t.equal(new Heap({ heapObjects: 1, heapBytes: 0 }).newBytes(1), 0);
  t.equal(new Heap({ heapObjects: 1, heapBytes: 15 }).newBytes(0), 1);

  // The ceilings of both limits: addresses pass 2^31.
  const largest = new Heap({ heapObjects: 2 ** 24, heapBytes: 2 ** 31 });
  const [low, high] = [made(largest, 2 ** 31 - 16), made(largest, 16)];
  t.equal(made(largest, 1).slot, 0);
  t.equal(largest.extent, 2 ** 31);
  t.strictSame(run(largest, "store64", [low!, 2n ** 31n - 24n, 0x0102_0304_0506_0708n]), { result: 0n });
  t.strictSame(run(largest, "load64", [low!, 2n ** 31n - 24n]), { result: 0x0102_0304_0506_0708n });
  t.strictSame(run(largest, "fill", [high!, 0n, 7n, 16n]), { result: 0n });
  t.strictSame(run(largest, "copy", [low!, 5n, high!, 8n, 8n]), { result: 0n });
  t.strictSame(run(largest, "load64", [low!, 4n]), { result: 0x0707_0707_0707_0700n });
  t.strictSame(run(largest, "load8_u", [low!, 2n ** 31n - 16n]), { trap: "HeapWindow" });
  destroy(largest, high!);
  t.equal(largest.liveBytes, 2 ** 31 - 16);
  t.equal(made(largest, 16).slot, high!.slot);
});

t.test("[HEAP-LIMIT-2] the memory grows seldom, and a host without memory changes nothing", async (t) => {
  const heap = new Heap({ heapObjects: 100_000, heapBytes: 2 ** 26 });
  const first = made(heap, 100, 5);
  let buffer = heap.memory!.buffer;
  let growths = 0;
  while (made(heap, 1000).slot !== 0) {
    if (heap.memory!.buffer !== buffer) growths++;
    buffer = heap.memory!.buffer;
  }
  t.ok(growths > 3 && growths < 12, `${growths} growths`);
  t.ok(buffer.byteLength <= 65_536 * Math.ceil((HEADER_BYTES + 16 * 100_001 + 2 ** 26 + 64) / 65_536));
  t.strictSame(
    heap.window(first.slot, first.generation, 0, 100),
    new Uint8Array(100).fill(5),
    "views follow the memory",
  );

  const given = WebAssembly.Memory;
  const grow = given.prototype.grow;
  const refused: number[] = [];
  try {
    const poor = new Heap(LIMITS);
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("no memory");
      }
    } as unknown as typeof given;
    t.equal(
      codeOf(() => poor.newBytes(1)),
      "VM-HOST-MEMORY",
    );
    t.equal(
      codeOf(() => run(poor, "of_memory", [], 0, { bytes: new Uint8Array(1) })),
      "VM-HOST-MEMORY",
    );
    t.strictSame([poor.objects, poor.liveBytes, poor.extent, poor.memory], [0, 0, 0, undefined]);
    WebAssembly.Memory = given;
    t.equal(poor.newBytes(1), 1);

    const tight = new Heap({ heapObjects: 10, heapBytes: 2 ** 24 });
    const object = made(tight, 50_000, 9);
    const before = tight.save();
    given.prototype.grow = (delta) => {
      refused.push(delta);
      throw new RangeError("no memory");
    };
    t.equal(
      codeOf(() => tight.newBytes(1_000_000)),
      "VM-HOST-MEMORY",
    );
    t.strictSame(tight.save(), before);
    t.strictSame(refused, [16, 16], "the ample size and the needed one are one here");
    tight.check();
    // A host that has what is needed and not what is ample.
    given.prototype.grow = function (delta) {
      if (delta > 16) throw new RangeError("no memory");
      return grow.call(this, delta);
    };
    t.not(made(tight, 1_000_000).slot, 0);
    t.not(made(tight, 65_536).slot, 0);
    tight.check();
    t.ok(tight.window(object.slot, object.generation, 0, 50_000).every((byte) => byte === 9));
  } finally {
    WebAssembly.Memory = given;
    given.prototype.grow = grow;
  }
});

// ---- module bytes

t.test("[HEAP-BYTES-1] the table in the spec is the table of the code", async (t) => {
  const spec = readFileSync(new URL("../../specs/11-heap.md", import.meta.url), "utf8");
  const inSpec = [...spec.matchAll(/^ {2}(\| `[a-z]\w+` \|.*\|)$/gm)].map(([, line]) => line);
  const typeText = (type: Declaration["params"][number]["type"]) => (typeof type === "object" ? type.ref : type);
  const list = (parameters: Declaration["params"]) =>
    parameters.map(({ name, type }) => `${name} ${typeText(type)}`).join(", ");
  const fuelText = ({ fuel, params }: BytesCall) => {
    if (typeof fuel === "number") return `${fuel}`;
    t.equal(fuel.perByte, 1 / 64);
    return `${fuel.base} + ${params[fuel.lengthArgument]!.name} / 64`;
  };
  const trapText = (traps: readonly string[]) =>
    traps.join(" ").replace("HeapRefNull HeapRefStale HeapRefKind", "ref").replace("ref HeapWindow", "window");
  const inCode = BYTES_CALLS.map((call) =>
    ["", `\`${call.name}\``, list(call.params), list(call.results), fuelText(call), trapText(call.traps), ""]
      .join(" | ")
      .trim(),
  );
  t.strictSame(
    inSpec,
    inCode.map((line) => line.replaceAll("|  |", "| |")),
  );
  t.equal(inSpec.length, 22);
  for (const { name, module, mayFree, capability, statuses, bulk } of BYTES_CALLS) {
    t.strictSame([module, capability, [...statuses]], ["bytes", "none", []]);
    t.equal(mayFree, name === "destroy");
    t.equal(bulk, ["new", "copy", "fill", "compare"].includes(name));
  }
});

t.test("[HEAP-BYTES-2, HEAP-BYTES-3, HEAP-BYTES-4] values, pinned", async (t) => {
  const heap = new Heap(LIMITS);
  const ref = made(heap, 16);
  const results = (name: string, ...args: Argument[]) => (run(heap, name, [ref, ...args]) as { result: bigint }).result;
  results("store64", 1n, 0x8877_6655_4433_2211n);
  t.strictSame(
    [...heap.window(ref.slot, ref.generation, 0, 10)],
    [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0],
  );
  t.equal(results("load8_u", 8n), 0x88n);
  t.equal(results("load8_s", 8n), 0xffff_ff88n);
  t.equal(results("load16_u", 7n), 0x8877n);
  t.equal(results("load16_s", 7n), 0xffff_8877n);
  t.equal(results("load16_s", 1n), 0x2211n);
  t.equal(results("load32", 5n), 0x8877_6655n);
  t.equal(results("load64", 2n), 0x0088_7766_5544_3322n);
  // A signalling NaN, whose bits no JavaScript number keeps.
  results("store_f32", 3n, 0x7fa0_0001n);
  t.equal(results("load_f32", 3n), 0x7fa0_0001n);
  results("store_f64", 3n, 0xfff4_0000_0000_0001n);
  t.equal(results("load_f64", 3n), 0xfff4_0000_0000_0001n);
  results("store8", 0n, 0xffff_ff80n);
  results("store16", 14n, 0xffff_1234n);
  results("fill", 1n, 0x1_ffn, 13n);
  t.equal(results("load64", 0n), 0xffff_ffff_ffff_ff80n);
  t.equal(results("load64", 8n), 0x1234_ffff_ffff_ffffn);
  heap.window(ref.slot, ref.generation, 0, 16).set(Array.from({ length: 16 }, (_, index) => index));
  results("copy", 2n, ref, 0n, 10n);
  t.strictSame([...heap.window(ref.slot, ref.generation, 0, 14)], [0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13]);
  results("copy", 0n, ref, 2n, 10n);
  t.strictSame([...heap.window(ref.slot, ref.generation, 0, 12)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 9]);

  // Longer than what is compared byte by byte, at all alignments, with a difference anywhere.
  const roomy = new Heap({ heapObjects: 3, heapBytes: 10_000 });
  const [a, b] = [made(roomy, 700, 0x80), made(roomy, 700, 0x80)] as [Ref, Ref];
  const compare = (x: Ref, at: number, y: Ref, from: number, length: number) =>
    run(roomy, "compare", [x, BigInt(at), y, BigInt(from), BigInt(length)]);
  for (let at = 0; at < 5; at++) {
    for (const length of [127, 128, 129, 130, 131, 601]) {
      t.strictSame(compare(a, at, b, 3, length), { result: 0n });
      for (const difference of [0, 1, 126, length - 1]) {
        roomy.window(b.slot, b.generation, 3 + difference, 1)[0] = 0x7f;
        t.strictSame(compare(a, at, b, 3, length), { result: 1n });
        t.strictSame(compare(b, 3, a, at, length), { result: 0xffff_ffffn });
        t.strictSame(compare(b, 3, a, at, difference), { result: 0n });
        roomy.window(b.slot, b.generation, 3 + difference, 1)[0] = 0x80;
      }
    }
  }
});

t.test("[HEAP-BYTES-5] windows over memories", async (t) => {
  const heap = new Heap(LIMITS);
  // A memory that two instances share, as views that are made anew at each use.
  let buffer = new ArrayBuffer(300);
  const memory = {
    get bytes() {
      return new Uint8Array(buffer);
    },
  };
  const ofMemory = (instance: number, source?: { bytes: Uint8Array }) =>
    refOf((run(heap, "of_memory", [], instance, source) as { result: bigint }).result);
  t.strictSame(ofMemory(9), NULL_REF, "an instance without a memory");
  const [first, second] = [ofMemory(0, memory), ofMemory(1, memory)];
  t.strictSame(ofMemory(0, memory), first);
  t.not(first.slot, second.slot);
  t.equal(heap.objects, 2);
  t.strictSame(run(heap, "kind", [first]), { result: 1n });
  t.strictSame(run(heap, "len", [first]), { result: 300n });
  new Uint8Array(buffer).set(Array.from({ length: 300 }, (_, index) => index));
  t.strictSame(run(heap, "load32", [second, 255n]), { result: 0x0201_00ffn });
  // Overlapping windows through two refs: forwards, backwards.
  t.strictSame(run(heap, "copy", [first, 10n, second, 0n, 200n]), { result: 0n });
  t.strictSame(
    new Uint8Array(buffer, 10, 200),
    Uint8Array.from({ length: 200 }, (_, index) => index),
  );
  t.strictSame(run(heap, "copy", [second, 0n, first, 10n, 200n]), { result: 0n });
  t.strictSame(
    new Uint8Array(buffer, 0, 200),
    Uint8Array.from({ length: 200 }, (_, index) => index),
  );
  t.equal(heap.window(first.slot, first.generation, 0, 0).buffer, buffer);
  const object = made(heap, 64);
  t.strictSame(run(heap, "copy", [object, 0n, first, 100n, 64n]), { result: 0n });
  t.strictSame(run(heap, "compare", [first, 100n, object, 0n, 64n]), { result: 0n });
  t.strictSame(run(heap, "load8_u", [first, 300n]), { trap: "HeapWindow" });
  buffer = new ArrayBuffer(301);
  t.strictSame(run(heap, "load8_u", [first, 300n]), { result: 0n }, "the memory has grown");
  t.strictSame(run(heap, "len", [first]), { result: 301n });
  t.strictSame(run(heap, "destroy", [first]), { trap: "HeapRefFixed" });
  t.equal(
    codeOf(() => heap.kindOf(first.slot, first.generation)),
    "nothing was thrown",
  );
});

// ---- digest and saved form

t.test("[HEAP-DIGEST-1, HEAP-DIGEST-2] the digest, byte by byte, and what it leaves out", async (t) => {
  const heap = new Heap(LIMITS, KINDS);
  t.strictSame(digestOf(heap), words(0));
  const refs = [3, 40, 0].map((length) => made(heap, length, 6)) as [Ref, Ref, Ref];
  heap.create(NOTE.id, Uint8Array.of(1, 2));
  heap.create(SOCKET.id, "unsaved");
  heap.memoryRef(5, { bytes: new Uint8Array(3) });
  destroy(heap, refs[0]);
  const next = made(heap, 2, 4);
  t.strictSame(next, { slot: 1, generation: 2 });
  const expected = [
    words(6),
    words(1, 2, 1, 2),
    Uint8Array.of(4, 4),
    words(2, 1, 1, 40),
    new Uint8Array(40).fill(6),
    words(3, 1, 1, 0),
    words(4, 1, 7, 2),
    Uint8Array.of(1, 2),
    words(5, 1, 65_535, 0xffff_ffff),
    words(6, 1, 0x1_0001, 5),
  ];
  t.strictSame(digestOf(heap), joined(expected));

  // The same objects at other places, with another extent, other free slots and other limits.
  const other = new Heap({ heapObjects: 9, heapBytes: 4096 });
  const [a, b, c] = [made(other, 100), made(other, 100), made(other, 1000)];
  destroy(other, a!);
  const again = made(other, 1000);
  destroy(other, c!);
  destroy(other, again);
  destroy(other, b!);
  const plain = new Heap(LIMITS);
  destroy(plain, made(plain, 1));
  destroy(plain, made(plain, 1));
  t.strictSame(digestOf(other), digestOf(plain));
  t.notSame(other.extent, plain.extent);
});

/** A heap with everything in it: gaps, empty objects, windows, hosted and stale objects, free and retired slots. */
function fullHeap(): { heap: Heap; memory: (instance: number) => { bytes: Uint8Array } | undefined } {
  const memory = { bytes: new Uint8Array(8) };
  const heap = new Heap(LIMITS, KINDS, { generationBits: 2 });
  const lost = heap.create(NOTE.id, Uint8Array.of(255));
  assert.equal(lost, 1);
  const refs = [33, 0, 16, 5, 70].map((length) => made(heap, length, 0x11));
  heap.create(NOTE.id, Uint8Array.of(9, 8, 7));
  heap.memoryRef(0, memory);
  heap.memoryRef(2, memory);
  for (let generation = 1; generation <= 3; generation++) {
    heap.destroy(refs[2]!.slot, generation, BYTES_KIND.id);
    if (generation < 3) assert.equal(made(heap, 16).slot, refs[2]!.slot);
  }
  const free = [made(heap, 1), made(heap, 2)];
  for (const ref of free) destroy(heap, ref);
  const restored = Heap.restore(heap.save(), LIMITS, KINDS, () => memory);
  return { heap: restored, memory: (instance) => (instance === 0 || instance === 2 ? memory : undefined) };
}

t.test(
  "[HEAP-SAVE-2, HEAP-SAVE-4] objects that cannot be saved, and objects that cannot be opened again",
  async (t) => {
    const unsaved = new Heap(LIMITS, KINDS);
    const slot = unsaved.create(SOCKET.id, "socket");
    t.equal(
      codeOf(() => unsaved.save()),
      "VM-SNAPSHOT",
    );
    unsaved.destroy(slot, 1, SOCKET.id);
    t.equal(
      codeOf(() => unsaved.save()),
      "nothing was thrown",
    );

    const { heap } = fullHeap();
    t.equal(heap.object(1, 1, NOTE.id), STALE_OBJECT);
    t.strictSame(run(heap, "kind", [{ slot: 1, generation: 1 }]), { result: 7n });
    t.strictSame(run(heap, "len", [{ slot: 1, generation: 1 }]), { trap: "HeapRefKind" });
    const again = Heap.restore(heap.save(), LIMITS, KINDS, () => ({ bytes: new Uint8Array(0) }));
    t.equal(again.object(1, 1, NOTE.id), STALE_OBJECT, "stale for good");
    t.strictSame(again.save(), heap.save());
    heap.destroy(1, 1, NOTE.id);
    t.equal(heap.create(NOTE.id, Uint8Array.of(1)), 1);

    // One buffer for every object's saved form is enough.
    const scratch = Buffer.alloc(1);
    const thrifty: Kind = {
      ...NOTE,
      save: (object) => {
        scratch[0] = object as number;
        return scratch;
      },
      close: () => t.fail("a stale object was closed"),
    };
    const notes = new Heap(LIMITS, [thrifty]);
    for (const value of [255, 254]) notes.create(NOTE.id, value);
    t.strictSame([...notes.save().subarray(-2)], [255, 254]);
    notes.destroy(2, 1, NOTE.id);
    Heap.restore(notes.save(), LIMITS, [thrifty], () => undefined).close();

    // A restore that fails on the way closes what it had opened.
    const closed: unknown[] = [];
    const frail: Kind = {
      ...NOTE,
      restore: (bytes) => {
        if (bytes[0] === 2) throw new Error("cannot be opened");
        return bytes[0];
      },
      close: (object) => closed.push(object),
    };
    const three = new Heap(LIMITS, [frail]);
    for (const value of [0, 1, 2, 3]) three.create(NOTE.id, Uint8Array.of(value));
    t.throws(() => Heap.restore(three.save(), LIMITS, [frail], () => undefined), { message: "cannot be opened" });
    t.strictSame(closed, [0, 1]);
  },
);

t.test("[HEAP-SAVE-3] a restored heap goes on as the saved one", async (t) => {
  const sizes = fc.array(fc.tuple(fc.nat(300), fc.nat(40)), { maxLength: 200, size: "max" });
  const property = fc.property(sizes, fc.nat(100), (steps, cut) => {
    const limits = { heapObjects: 40, heapBytes: 3000 };
    const heap = new Heap(limits);
    const other: Heap[] = [];
    const refs: Ref[] = [];
    steps.forEach(([size, pick], step) => {
      // The second copy lives under wider limits, where addresses in the memory differ.
      if (step === Math.floor((cut * steps.length) / 101))
        for (const objects of [40, 1000])
          other.push(Heap.restore(heap.save(), { ...limits, heapObjects: objects }, [], () => undefined));
      const ref = refs[pick];
      if (ref !== undefined) {
        refs.splice(pick, 1);
        for (const each of [heap, ...other]) destroy(each, ref);
      } else if (refs.length < 40) {
        const ref = made(heap, size, step);
        if (ref.slot !== 0) refs.push(ref);
        for (const each of other) assert.deepEqual(made(each, size, step), ref);
      }
    });
    for (const each of other) {
      assert.deepEqual(each.save(), heap.save());
      assert.deepEqual(digestOf(each), digestOf(heap));
      each.check();
    }
  });
  fc.assert(property, { numRuns: 200, seed: 3 });
  const { heap } = fullHeap();
  const saved = heap.save();
  t.strictSame([...saved.subarray(0, 8)], [0x41, 0x53, 0x48, 0x50, 1, 0, 0, 0]);
  for (const limits of [
    { heapObjects: 8, heapBytes: 1000 },
    { heapObjects: 12, heapBytes: 100 },
  ])
    t.equal(
      codeOf(() => Heap.restore(saved, limits, KINDS, () => ({ bytes: new Uint8Array(1) }))),
      "VM-SNAPSHOT",
    );
});

t.test("[HEAP-SAVE-5] damaged bytes are refused, or are another heap's", async (t) => {
  const { heap, memory } = fullHeap();
  const saved = heap.save();
  const kinds = [{ ...NOTE, restore: (bytes: Uint8Array) => bytes }];
  const restore = (bytes: Uint8Array) => Heap.restore(bytes, LIMITS, kinds, memory);
  t.strictSame(restore(saved).save(), saved);
  let refused = 0;
  let accepted = 0;
  const attempt = (bytes: Uint8Array) => {
    let other: Heap;
    try {
      other = restore(bytes);
    } catch (error) {
      if (!(error instanceof UsageError && error.code === "VM-SNAPSHOT")) throw error;
      refused++;
      return;
    }
    accepted++;
    other.check();
    assert.deepEqual(other.save(), bytes, "nothing is accepted that a heap could not have written");
    for (let step = 0; step < 12; step++) made(other, 40);
    other.check();
  };
  for (let offset = 0; offset < saved.length; offset++) {
    for (const mask of [0x01, 0x02, 0x10, 0x80, 0xff]) {
      const damaged = saved.slice();
      damaged[offset]! ^= mask;
      attempt(damaged);
    }
  }
  t.ok(refused > 500 && accepted > 500, `${refused} refused, ${accepted} accepted`);
  for (let length = 0; length < saved.length; length++)
    if (codeOf(() => restore(saved.slice(0, length))) !== "VM-SNAPSHOT") t.fail(`${length} bytes were accepted`);
  t.equal(
    codeOf(() => restore(joined([saved, new Uint8Array(1)]))),
    "VM-SNAPSHOT",
  );

  // Random words in the table, many of them plausible.
  const word = fc.oneof(fc.nat(20), fc.constantFrom(0x1_0001, 0x2_0007, 7, 16, 32, 48), fc.nat());
  const entries = 32 + 16 * new DataView(saved.buffer).getUint32(12, true) - 16;
  const changes = fc.array(fc.tuple(fc.nat(entries / 4 - 1), word), { minLength: 1, maxLength: 3 });
  const property = fc.property(changes, (changed) => {
    const damaged = saved.slice();
    for (const [index, value] of changed) damaged.set(words(value), 4 * index);
    attempt(damaged);
  });
  fc.assert(property, { numRuns: 3000, seed: 4 });
});

t.test("[HEAP-SAVE-5] each thing that a saved heap must not say", async (t) => {
  // Four slots: two objects, a note, a free slot; then four bytes, four bytes, one byte.
  const header = [0x5048_5341, 1, 32, 5, 4, 10, 3, 0];
  const table = [1, 1, 0, 4, 1, 1, 16, 4, 1, 7, 0, 1, 2, 0, 0, 0];
  const saved = joined([words(...header, ...table), new Uint8Array(9)]);
  const limits = { heapObjects: 4, heapBytes: 160 };
  const memory = (instance: number) => (instance === 0 ? { bytes: new Uint8Array(1) } : undefined);
  const restore = (bytes: Uint8Array) => Heap.restore(bytes, limits, KINDS, memory);
  t.strictSame(restore(saved).save(), saved);
  const cases: readonly [what: string, ...changes: (readonly [word: number, value: number])[]][] = [
    ["magic", [0, 0x5048_5340]],
    ["version", [1, 2]],
    ["no generation bits", [2, 0]],
    ["too many generation bits", [2, 33]],
    ["a generation that is too wide", [2, 1]],
    ["no slots", [3, 0]],
    ["more slots than the limit", [3, 6]],
    ["slots without end", [3, 0xffff_ffff]],
    ["a first free slot that lives", [4, 1]],
    ["a first free slot out of range", [4, 5]],
    ["a first free slot far out of range", [4, 0xffff_ffff]],
    ["no first free slot", [4, 0]],
    ["an extent over the limit", [5, 11]],
    ["an extent below the last object", [5, 1]],
    ["a wrong count", [6, 4]],
    ["a reserved field", [7, 1]],
    ["a live slot of generation 0", [8, 0]],
    ["an unknown kind", [9, 8]],
    ["an unknown flag", [9, 0x4_0001]],
    ["a stale Bytes", [9, 0x2_0001], [11, 0]],
    ["a window with a place", [13, 0x1_0001], [15, 0]],
    ["a window of a kind that has none", [17, 0x1_0007], [19, 0]],
    ["overlap", [14, 0]],
    ["an object between granules", [14, 8]],
    ["an object out of the region", [14, 160]],
    ["an object that ends after 2^32", [14, 0xffff_fff0]],
    ["an object without length with a place", [15, 0]],
    ["an object that is too long", [15, 0xffff_ffff]],
    ["contents that are too long", [15, 5]],
    ["contents that are too short", [15, 3]],
    ["a note with a place", [18, 16]],
    ["a note that was never saved", [19, 0xffff_ffff]],
    ["a stale note with contents", [17, 0x2_0007]],
    ["a free slot with a length", [23, 1]],
    ["a free slot chained to itself", [22, 4]],
    ["a free slot chained to a live one", [22, 1]],
    ["a retired slot in the chain", [20, 0]],
    ["a retired slot that is chained", [20, 0], [4, 0], [22, 4]],
    ["a window of an instance without memory", [9, 0x1_0001], [11, 1]],
    ["two windows of one instance", [9, 0x1_0001], [11, 0], [13, 0x1_0001], [14, 0], [15, 0]],
  ];
  for (const [what, ...changes] of cases) {
    const damaged = saved.slice();
    for (const [index, value] of changes) damaged.set(words(value), 4 * index);
    // Contents that the changed table no longer claims go too, so that the length is not what is refused.
    const claimed = [0, 1, 2, 3]
      .map((slot) => new DataView(damaged.buffer, 32 + 16 * slot, 16))
      .filter((entry) => [1, 7, 8, 0x1_0007, 0x2_0007, 0x4_0001].includes(entry.getUint32(4, true)))
      .reduce((sum, entry) => sum + entry.getUint32(12, true), 0);
    const fits = what.startsWith("contents") || claimed > 9 ? damaged : damaged.slice(0, 32 + 64 + claimed);
    t.equal(
      codeOf(() => restore(fits)),
      "VM-SNAPSHOT",
      what,
    );
  }
});
