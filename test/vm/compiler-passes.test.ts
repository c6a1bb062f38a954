/** The passes of the compiler over variables and heap refs, against slow and plain definitions of what they find. */
import assert from "node:assert/strict";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { BodyScan, Event } from "../../vm/compiler/body.ts";
import { Code } from "../../vm/compiler/code.ts";
import { type HeapChanges, type HeapPlan, heapChanges, planHeap } from "../../vm/compiler/heap-regions.ts";
import { isLive, loopLiveness } from "../../vm/compiler/liveness.ts";
import { Module, Trap } from "../../vm/index.ts";
import { limitsWith } from "../../vm/limits.ts";
import { generate } from "./generate.ts";
import { Random } from "./random.ts";

interface Subject {
  readonly module: Module;
  readonly changes: HeapChanges;
  readonly scan: BodyScan;
  /** Defined functions by index. */
  readonly functions: readonly number[];
}

function subjectOf(module: Module, shares = false): Subject {
  const { structure, translation } = module;
  const { declared } = validate(structure, limitsWith({}));
  const changes = heapChanges(translation, declared, shares);
  const scan = new BodyScan(translation, changes.functions, changes.indirect, new Code(translation.structure.bytes));
  return { module, changes, scan, functions: structure.bodies.map((_, own) => translation.importedFunctions + own) };
}

async function wat(text: string, shares = false): Promise<Subject> {
  return subjectOf(Module.decode(await loadWat(text)), shares);
}

const BYTES = `
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "len" (func $len (param i64) (result i32)))
  (import "bytes" "load8_u" (func $load8 (param i64 i32) (result i32)))
  (import "bytes" "store32" (func $store32 (param i64 i32 i32)))
  (import "bytes" "copy" (func $copy (param i64 i32 i64 i32 i32)))
  (import "bytes" "compare" (func $compare (param i64 i32 i64 i32 i32) (result i32)))
  (import "bytes" "destroy" (func $destroy (param i64)))`;

const EVENT_NAMES = Object.keys(Event) as (keyof typeof Event)[];

/** The events as text: `get 1`, `use 3` … */
function eventsOf(scan: BodyScan): string[] {
  return Array.from(scan.events.subarray(0, scan.length), (event) => {
    const name = EVENT_NAMES.find((key) => Event[key] === (event & 15))!;
    return ["get", "set", "branch", "loop", "use"].includes(name) ? `${name} ${event >> 4}` : name;
  });
}

/** Where control may go from each event; `length` is the function's end. */
function successorsOf(scan: BodyScan): number[][] {
  const { events, length } = scan;
  const open: { label: number; start: number; loop: boolean; otherwise: number }[] = [];
  const ends = new Map<number, number>();
  const elses = new Map<number, number>();
  for (let at = 0; at < length; at++) {
    const event = events[at]! & 15;
    if (event === Event.block || event === Event.loop || event === Event.if)
      open.push({ label: -1, start: at, loop: event === Event.loop, otherwise: -1 });
    else if (event === Event.else) open[open.length - 1]!.otherwise = at;
    else if (event === Event.end && open.length > 0) {
      const { start, otherwise } = open.pop()!;
      ends.set(start, at);
      if (otherwise >= 0) elses.set(start, otherwise);
    }
  }
  const starts: number[] = [];
  const successors: number[][] = [];
  for (let at = 0; at < length; at++) {
    const event = events[at]! & 15;
    const payload = events[at]! >> 4;
    const next = at + 1;
    if (event === Event.stop) successors.push([]);
    else if (event === Event.branch) {
      const start = starts[starts.length - 1 - payload];
      const target = start === undefined ? length : (events[start]! & 15) === Event.loop ? start : ends.get(start)! + 1;
      successors.push([next, target]);
    } else if (event === Event.if) {
      starts.push(at);
      successors.push([next, (elses.get(at) ?? ends.get(at)!) + 1]);
    } else if (event === Event.else) successors.push([ends.get(starts[starts.length - 1]!)! + 1]);
    else {
      if (event === Event.block || event === Event.loop) starts.push(at);
      if (event === Event.end) starts.pop();
      successors.push([next]);
    }
  }
  return successors;
}

/** Locals live in front of each event, by the definition: some path reads it before it writes it. */
function liveSets(scan: BodyScan, successors: readonly number[][]): Set<number>[] {
  const live = Array.from({ length: scan.length + 1 }, () => new Set<number>());
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = scan.length - 1; at >= 0; at--) {
      const event = scan.events[at]! & 15;
      const payload = scan.events[at]! >> 4;
      const set = live[at]!;
      const before = set.size;
      for (const next of successors[at]!)
        for (const local of live[next]!) if (event !== Event.set || local !== payload) set.add(local);
      if (event === Event.get) set.add(payload);
      if (set.size !== before) changed = true;
    }
  }
  return live;
}

/** Refs of the plan looked up, whatever path leads there, in front of each event; -1 where none leads. */
function lookedUp(scan: BodyScan, plan: HeapPlan, successors: readonly number[][]): Int32Array {
  const { lookups } = plan;
  const places = new Map(plan.refs.map(({ local }, place) => [local, place]));
  const known = new Int32Array(scan.length + 1).fill(-1);
  const reached = new Uint8Array(scan.length + 1);
  known[0] = (scan.events[0]! & 15) === Event.loop ? (lookups.get(scan.offsets[0]!) ?? 0) : 0;
  reached[0] = 1;
  const open = [0];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === scan.length) continue;
    const event = scan.events[at]! & 15;
    const payload = scan.events[at]! >> 4;
    const here = lookups.get(scan.offsets[at]!) ?? 0;
    for (const next of successors[at]!) {
      let after = known[at]!;
      const place = places.get(payload);
      if (event === Event.use) after |= here;
      // A loop's lookups stand in front of it: those who jump to it do not come by.
      if (event === Event.set && place !== undefined) after = (after & ~(1 << place)) | here;
      if (event === Event.change) after = here;
      if (next < scan.length && (scan.events[next]! & 15) === Event.loop && next > at)
        after |= lookups.get(scan.offsets[next]!) ?? 0;
      if (reached[next] === 1 && (known[next]! & after) === known[next]) continue;
      known[next] = reached[next] === 1 ? known[next]! & after : after;
      reached[next] = 1;
      open.push(next);
    }
  }
  return known;
}

/** Checks what the passes say of the scanned function; counts of loops, live locals, uses, refs hoisted before loops. */
function checkFunction(scan: BodyScan, tally: Tally): void {
  const successors = successorsOf(scan);
  const live = liveSets(scan, successors);
  const liveness = loopLiveness(scan);
  assert(liveness !== undefined);
  for (let at = 0; at < scan.length; at++) {
    if ((scan.events[at]! & 15) !== Event.loop) continue;
    const loop = scan.events[at]! >> 4;
    assert.equal(scan.loops[loop]!.offset, scan.offsets[at]);
    for (let local = 0; local < scan.locals; local++) {
      assert.equal(isLive(liveness, loop, local), live[at]!.has(local), `local ${local} at loop ${loop}`);
      if (live[at]!.has(local)) tally.live++;
    }
    tally.loops++;
  }
  const plan = planHeap(scan);
  const known = lookedUp(scan, plan, successors);
  const { lookups } = plan;
  const seen = new Map<number, number>();
  for (let at = 0; at < scan.length; at++) {
    const event = scan.events[at]! & 15;
    if (event === Event.loop && lookups.has(scan.offsets[at]!)) tally.hoisted++;
    if (event !== Event.use) continue;
    const nth = seen.get(scan.offsets[at]!) ?? 0;
    seen.set(scan.offsets[at]!, nth + 1);
    const place = plan.uses.get(scan.offsets[at]!)![nth]!;
    const local = (scan.events[at]! >> 9) - 1;
    if (place < 0) assert(local < 0 || plan.refs.length > 10);
    else {
      assert.equal(plan.refs[place]!.local, local);
      assert.notEqual(plan.refs[place]!.widths & (scan.events[at]! >> 4) & 31, 0);
      const here = lookups.get(scan.offsets[at]!) ?? 0;
      assert.equal(((known[at]! | here) >>> place) & 1, 1, `ref ${place} at ${scan.offsets[at]}`);
      if (((here >>> place) & 1) === 0) tally.free++;
    }
    tally.uses++;
  }
}

interface Tally {
  loops: number;
  live: number;
  uses: number;
  /** Uses without a lookup of their own. */
  free: number;
  hoisted: number;
}

/** A body of nested constructs, sets, gets, accesses and calls that change the table, to try the passes on. */
function randomBody(random: Random, locals: number, refs: number): string {
  const lines: string[] = [];
  const local = () => random.below(locals);
  const ref = () => locals + random.below(refs);
  const statement = (depth: number, labels: number): void => {
    const kind = random.below(depth > 5 ? 8 : 14);
    if (kind === 0) lines.push(`local.get ${local()} drop`);
    else if (kind === 1) lines.push(`local.get ${local()} local.set ${local()}`);
    else if (kind === 2) lines.push(`local.get ${ref()} local.get ${local()} call $load8 local.set ${local()}`);
    else if (kind === 3) lines.push(`local.get ${ref()} i32.const 0 local.get ${local()} call $store32`);
    else if (kind === 4) lines.push(`local.get ${local()} br_if ${random.below(labels)}`);
    else if (kind === 5 && random.chance(0.4)) lines.push(`local.get ${local()} call $new local.set ${ref()}`);
    else if (kind === 5)
      lines.push(`local.get ${ref()} local.get ${ref()} i32.const 1 local.tee ${local()} call $load8 drop drop`);
    else if (kind === 6 && random.chance(0.2)) lines.push(`local.get ${ref()} call $destroy`);
    else if (kind === 6)
      lines.push(`local.get ${ref()} i32.const 0 local.get ${ref()} i32.const 0 i32.const 1 call $copy`);
    else if (kind === 7 && random.chance(0.3))
      lines.push(
        random.chance(0.5) ? `br ${random.below(labels)}` : `local.get 0 br_table 0 ${random.below(labels)} 0`,
      );
    else if (kind >= 8) {
      const loop = kind >= 11;
      const condition = kind === 8 ? `local.get ${local()} ` : "";
      lines.push(`${condition}${loop ? "loop" : kind === 8 ? "if" : "block"}`);
      const count = random.below(5);
      for (let k = 0; k < count; k++) statement(depth + 1, labels + 1);
      if (kind === 8 && random.chance(0.5)) {
        lines.push("else");
        statement(depth + 1, labels + 1);
      }
      if (loop && random.chance(0.8)) lines.push(`local.get ${local()} br_if 0`);
      lines.push("end");
    }
  };
  for (let k = 0; k < 8; k++) statement(0, 1);
  const declared = `(local ${"i32 ".repeat(locals)}${"i64 ".repeat(refs)})`;
  return `(func ${declared} ${lines.join("\n")})`;
}

t.test("the locals live at loops, and lookups in front of every access, by their definitions", async (t) => {
  const tally: Tally = { loops: 0, live: 0, uses: 0, free: 0, hoisted: 0 };
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const functions = Array.from({ length: 10 }, () =>
      randomBody(random, random.chance(0.2) ? 40 : 6, random.chance(0.1) ? 40 : 3),
    );
    const subject = await wat(`(module ${BYTES} (memory 1) ${functions.join("\n")})`);
    for (const index of subject.functions) {
      subject.scan.scan(index);
      checkFunction(subject.scan, tally);
    }
  }
  t.ok(tally.loops > 2000 && tally.live > 5000, JSON.stringify(tally));
  t.ok(tally.uses > 2000 && tally.free > 400 && tally.hoisted > 100, JSON.stringify(tally));
});

t.test("every body of the generated modules is analysed", (t) => {
  const tally: Tally = { loops: 0, live: 0, uses: 0, free: 0, hoisted: 0 };
  for (let seed = 1; seed <= 150; seed++) {
    const subject = subjectOf(Module.decode(generate(seed, { wild: seed % 2 === 1 }).bytes));
    for (const index of subject.functions) {
      subject.scan.scan(index);
      checkFunction(subject.scan, tally);
    }
  }
  t.ok(tally.loops > 50 && tally.live > 500 && tally.uses > 50, JSON.stringify(tally));
  t.end();
});

t.test("loops tell whether they can be entered from the start, and have calls", async (t) => {
  const subject = await wat(`(module ${BYTES} (import "env" "f" (func $f)) (type $pair (func (param i32 i32)))
    (type $one (func (param i32) (result i32)))
    (func (param i64)
      loop end
      block loop local.get 0 i32.const 0 call $load8 if loop call $f end else loop end end end end
      i32.const 1 loop end loop i32.const 2 br_if 0 end drop
      i32.const 1 loop (type $one) end drop
      i32.const 1 i32.const 2 block (type $pair) drop drop loop end end
      i32.const 1 if loop end end
      i32.const 1 block i32.const 2 if loop end end end drop
      return
      loop end))`);
  subject.scan.scan(subject.functions[0]!);
  const shapes = subject.scan.loops.map(({ parent, enterable, hasCalls, construct }) => [
    construct,
    parent,
    enterable,
    hasCalls,
  ]);
  t.same(shapes, [
    [1, -1, true, false],
    [3, -1, true, true],
    [5, 1, true, true],
    [6, 1, true, false],
    [7, -1, false, false],
    [8, -1, false, false],
    [9, -1, false, false],
    [11, -1, false, false],
    [13, -1, true, false],
    [16, -1, false, false],
  ]);
});

t.test("too many locals and loops, and loops too deep, are not analysed", async (t) => {
  const many = await wat(`(module (func (local ${"i32 ".repeat(4000)}) ${"loop end ".repeat(1000)}))`);
  many.scan.scan(0);
  t.equal(many.scan.loops.length, 1000);
  t.equal(loopLiveness(many.scan), undefined);
  // Each loop hands a local on to the one outside: one round finds one of them.
  const deep = (depth: number): string =>
    `${Array.from({ length: depth }, (_, k) => `loop local.get ${k} br_if 0`).join(" ")} ${Array.from(
      { length: depth },
      (_, k) => `local.get ${depth - k} local.set ${depth - k - 1} br 0 end`,
    ).join(" ")}`;
  const shallow = await wat(`(module (func (local ${"i32 ".repeat(31)}) ${deep(20)}))`);
  shallow.scan.scan(0);
  t.ok(loopLiveness(shallow.scan));
});

t.test("functions change the heap table that make or free objects, or call what may", async (t) => {
  const text = `${BYTES} (import "env" "host" (func $host)) (type $none (func)) (table 2 funcref)
    (func $quiet (param i64) local.get 0 i32.const 0 call $load8 drop local.get 0 call $len drop)
    (func $frees (param i64) local.get 0 call $destroy)
    (func $makes i32.const 1 call $new drop)
    (func $calls local.get 0 call $frees (local i64))
    (func $ping i32.const 1 if call $pong end)
    (func $pong call $ping)
    (func $hosts call $host)
    (func $indirect i32.const 0 call_indirect (type $none))`;
  const names = (subject: Subject) => {
    const { importedFunctions } = subject.module.translation;
    return Array.from(subject.changes.functions.subarray(importedFunctions)).join("");
  };
  const fixed = text.replace(
    "(func $calls local.get 0 call $frees (local i64))",
    "(func $calls (local i64) local.get 0 call $frees)",
  );
  t.equal(names(await wat(`(module ${fixed})`)), "01110010");
  t.equal((await wat(`(module ${fixed})`)).changes.indirect, false);
  t.equal(names(await wat(`(module ${fixed} (elem (i32.const 0) $ping))`)), "01110010");
  t.equal(names(await wat(`(module ${fixed} (elem (i32.const 0) $ping $hosts))`)), "01110011");
  t.equal(names(await wat(`(module ${fixed} (elem (i32.const 0) $indirect))`)), "01110010");
  t.equal(names(await wat(`(module ${fixed})`, true)), "01110011");
});

/** The plan of a function with parameters 0: i64, 1: i64, 2: i32 and the local 3: i32, lookups at their instructions. */
async function planOf(
  body: string,
): Promise<{ events: string[]; lookups: string[]; uses: readonly number[]; refs: HeapPlan["refs"] }> {
  const subject = await wat(`(module ${BYTES} (import "env" "host" (func $host))
    (func (param i64 i64 i32) (local i32) ${body}))`);
  subject.scan.scan(subject.functions[0]!);
  const plan = planHeap(subject.scan);
  const { bytes } = subject.module.structure;
  const names: { readonly [code: number]: string } = { 3: "loop", 0x10: "call", 0x21: "set", 0x22: "tee" };
  const lookups = Array.from(plan.lookups, ([offset, refs]) => `${names[bytes[offset]!]} ${refs}`);
  return { events: eventsOf(subject.scan), lookups, uses: [...plan.uses.values()].flat(), refs: plan.refs };
}

t.test("lookups are hoisted out of loops that keep them", async (t) => {
  const LOAD = "local.get 0 local.get 2 call $load8 drop";
  const sum = await planOf(`loop loop ${LOAD} local.get 0 i32.const 0 i32.const 1 call $store32 br 0 end br 0 end`);
  t.same(sum.lookups, ["loop 1"]);
  t.same(sum.refs, [{ local: 0, widths: 2 | 8 }]);
  t.same((await planOf(`${LOAD} ${LOAD} local.get 0 call $len drop`)).lookups, ["call 1"]);
  t.same((await planOf(`local.get 2 if ${LOAD} end ${LOAD}`)).lookups, ["call 1", "call 1"]);
  t.same((await planOf(`local.get 2 if ${LOAD} else ${LOAD} end ${LOAD}`)).lookups, ["call 1", "call 1"]);
  // A rare call in the loop: the ref is looked up again there, not at each access.
  t.same((await planOf(`loop ${LOAD} local.get 2 if call $host end br 0 end`)).lookups, ["loop 1", "call 1"]);
  t.same((await planOf(`loop ${LOAD} i64.const 5 local.tee 0 drop br 0 end`)).lookups, ["loop 1", "tee 1"]);
  // Too many such calls, or calls in a loop that does not use it: each access looks up where it is not known.
  t.same((await planOf(`loop ${LOAD} ${LOAD} ${"call $host ".repeat(5)} br 0 end`)).lookups, ["call 1"]);
  t.same((await planOf(`loop ${LOAD} loop call $host br 0 end br 0 end`)).lookups, ["call 1"]);
  t.same((await planOf(`loop ${LOAD} loop call $host ${LOAD} local.get 2 br_if 0 end br 0 end`)).lookups, [
    "loop 1",
    "call 1",
  ]);
  t.same(
    (await planOf("loop local.get 0 i32.const 0 local.get 1 i32.const 0 i32.const 1 call $copy br 0 end")).lookups,
    ["loop 3"],
  );
  // What is no local, or not any more, is looked up for itself.
  t.same((await planOf("local.get 0 i64.const 1 i64.add i32.const 0 call $load8 drop")).uses, [-1]);
  t.same((await planOf("local.get 0 i64.const 1 local.set 0 i32.const 0 call $load8 drop")).uses, [-1]);
  t.same(
    (
      await planOf(
        "local.get 0 i32.const 0 local.get 0 i32.const 1 call $load8 call $copy".replace("call $copy", "call $store32"),
      )
    ).uses,
    [0, 0],
  );
  t.same(
    (
      await planOf(
        "local.get 1 local.get 0 i32.const 0 call $load8 drop drop local.get 0 i32.const 0 local.get 1 i32.const 0 i32.const 0 call $compare drop",
      )
    ).uses,
    [0],
  );
});

t.test("[HEAP-REF-3, HEAP-CHECK-1] what is looked up before a loop holds no longer than the table", async (t) => {
  const bytes =
    await loadWat(`(module ${BYTES} (func $make (call $new (i32.const 8)) drop) (func $end (param i64) (call $destroy (local.get 0)))
    (func (export "forged") (param $ref i64) (result i32) (local $k i32) (local $sum i32)
      (loop $next
        (if (i32.eq (local.get $k) (i32.const 2)) (then (call $make)))
        (if (i32.ge_u (local.get $k) (i32.const 2))
          (then (local.set $sum (i32.add (local.get $sum) (i32.add (i32.const 1) (call $load8 (local.get $ref) (i32.const 7)))))))
        (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 5))))
      (local.get $sum))
    (func (export "freed") (param $last i32) (result i32) (local $ref i64) (local $k i32)
      (local.set $ref (call $new (i32.const 100)))
      (loop $next
        (call $store32 (local.get $ref) (i32.mul (local.get $k) (i32.const 4)) (local.get $k))
        (if (i32.eq (local.get $k) (local.get $last)) (then (call $end (local.get $ref))))
        (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 30))))
      (call $len (local.get $ref)))
    (func (export "changed") (result i32) (local $ref i64) (local $k i32) (local $sum i32)
      (loop $next
        (local.set $ref (call $new (local.get $k)))
        (local.set $sum (i32.add (local.get $sum) (call $len (local.get $ref))))
        (br_if $next (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 10))))
      (local.get $sum)))`);
  for (const engine of ["reference", "compiled"] as const) {
    const call = (name: string, ...args: (number | bigint)[]) => {
      const instance = Module.decode(bytes).instantiate({ engine });
      try {
        return instance.invoke(name, args)[0];
      } catch (error) {
        if (!(error instanceof Trap)) throw error;
        return `trap ${error.code}`;
      }
    };
    t.equal(call("forged", 0x1_0000_0001n), 3, `${engine}: a ref that is guessed before it is given out`);
    t.equal(call("forged", 0x2_0000_0001n), "trap 51", engine);
    t.equal(call("freed", 3), "trap 51", `${engine}: stale from the fourth turn on`);
    t.equal(call("freed", 99), "trap 53", `${engine}: 25 words are the object`);
    t.equal(call("changed"), 45, engine);
  }
});
