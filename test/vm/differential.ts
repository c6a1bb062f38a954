/**
 * What the differential tests hold against each other. For one subject (a module, or two that are linked) and a plan of
 * calls:
 *
 * - the fast code, the plain code (with hooks) and V8 agree on results, traps and state;
 * - the fuel that was charged, and every place where fuel is tested, are those that the opcode table and the schedule
 *   give for the instructions that the hooks reported ({@link Meter}: it shares nothing with the translator);
 * - an execution that is cut into pieces by fuel, steps, snapshots and restores ends as the one that was not.
 */
import { OPCODE_BY_INDEX } from "../../vm/bytecode/opcodes.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import { BYTES_CALLS, type BytesCall } from "../../vm/bytes.ts";
import { typeText } from "../../vm/function.ts";
import {
  type FunctionType,
  type HostFunction,
  Memory,
  type Module,
  type Position,
  Store,
  Trap,
  TrapCode,
} from "../../vm/index.ts";
import { Random } from "./random.ts";
import {
  answerOf,
  type Call,
  chargesOf,
  Difference,
  describe,
  exportedState,
  firstDifference,
  instantiate,
  invoke,
  modulesOf,
  outcomeOf,
  plainNaN,
  planOf,
  restored,
  type Subject,
  showAll,
  showTrap,
  stateOf,
  subjectOf,
  type Theirs,
  textOf,
  theirs,
  toValues,
  worldOf,
} from "./subject.ts";

/** Generates and checks the modules of a seed: the difference found, or undefined. */
export function checkSeed(seed: number, tally: Tally, skip: ReadonlySet<number> = new Set()): Difference | undefined {
  try {
    const subject = subjectOf(`seed ${seed}`, modulesOf(seed, skip));
    const random = new Random(seed + 77);
    check(subject, planOf(subject, random, 2), random, tally);
    return undefined;
  } catch (error) {
    if (error instanceof Difference) return error;
    return new Difference(`seed ${seed}: ${(error as Error).stack ?? error}`);
  }
}

/** A seed that fails, without the statements that it fails without: what still differs, and the modules as text. */
export function shrink(seed: number): string {
  const skip = new Set<number>();
  let last = checkSeed(seed, newTally(), skip);
  for (let size = 1 << 10; size >= 1; size >>= 1) {
    for (let at = 0; ; at += size) {
      const left = modulesOf(seed, skip).flatMap(({ statements }) => statements);
      const some = left.slice(at, at + size);
      if (some.length === 0) break;
      const difference = checkSeed(seed, newTally(), new Set([...skip, ...some]));
      if (!difference) continue;
      last = difference;
      for (const id of some) skip.add(id);
      at -= size;
    }
  }
  const texts = textOf(modulesOf(seed, skip).map(({ bytes }) => bytes));
  return [last?.message ?? "no difference", ...texts].join("\n");
}

// ---- an independent account of fuel

interface Event {
  readonly cost: number;
  /** Where fuel is tested behind the charge: an offset, or -1. */
  readonly site: number;
}
interface Place {
  readonly index: number;
  readonly immediate: number;
  readonly second: number;
  /** What happens before the instruction, when it is the first of a basic block. */
  events: readonly Event[];
}

/** Per function of a module, what the schedule says of each offset (spec VM-FUEL-2 to VM-FUEL-5). */
export class Schedule {
  readonly module: Module;
  readonly #imported: FunctionType[];
  readonly #bytes: (BytesCall | undefined)[];
  readonly #functions = new Map<number, Map<number, Place>>();

  constructor(module: Module) {
    this.module = module;
    const imports = module.structure.imports.filter(({ type }) => type.kind === "function");
    this.#imported = imports.map(({ typeIndex }) => module.structure.types[typeIndex]!);
    this.#bytes = imports.map((entry) =>
      entry.module === "bytes" ? BYTES_CALLS.find(({ name }) => name === entry.name) : undefined,
    );
  }

  get imported(): number {
    return this.#imported.length;
  }

  bytesCall(index: number): BytesCall | undefined {
    return this.#bytes[index];
  }

  place(index: number, offset: number): Place {
    let places = this.#functions.get(index);
    if (!places) {
      places = this.#analyse(index);
      this.#functions.set(index, places);
    }
    const place = places.get(offset);
    if (!place) throw new Error(`no instruction of function ${index} at ${offset}`);
    return place;
  }

  #analyse(index: number): Map<number, Place> {
    const { structure } = this.module;
    const body = structure.bodies[index - this.imported]!;
    const places = new Map<number, Place>();
    const reader = new Reader(structure.bytes, body.code, body.end);
    const instruction = new Instruction();
    const { results } = structure.types[structure.functions[index - this.imported]!]!;
    const controls = [{ opcode: 0, label: results.length }];
    let dead = 0;
    let first: Place | undefined;
    let events: Event[] = [];
    let open = { cost: body.localCount >>> 3, site: body.code };
    /** Ends a basic block and begins the next one, at whose start fuel is tested if `site` is an offset. */
    const next = (site: number): void => {
      if (open.cost > 0 || open.site >= 0) events.push(open);
      if (first) {
        first.events = events;
        first = undefined;
        events = [];
      }
      open = { cost: 0, site };
    };
    const arity = (depth: number): number => controls.at(-1 - depth)!.label;
    const die = (): void => {
      next(-1);
      events = [];
      dead = 1;
    };
    while (controls.length > 0) {
      readInstruction(reader, instruction);
      const { index: opcode, imm0, imm1, offset } = instruction;
      const isBlock = opcode >= 0x02 && opcode <= 0x04;
      if (dead > 0) {
        if (isBlock) dead++;
        else if (opcode === 0x05 && dead === 1) dead = 0;
        else if (opcode === 0x0b && --dead === 0) controls.pop();
        if (dead === 0) {
          first = undefined;
          open = { cost: 0, site: -1 };
        }
        continue;
      }
      if (opcode !== 0x02 && opcode !== 0x05 && opcode !== 0x0b) {
        const place: Place = { index: opcode, immediate: imm0, second: imm1, events: [] };
        places.set(offset, place);
        first ??= place;
      }
      open = { ...open, cost: open.cost + OPCODE_BY_INDEX[opcode]!.price };
      if (isBlock) {
        const type = imm0 >= 0 ? structure.types[imm0]! : undefined;
        const short = imm0 === -64 ? 0 : 1;
        const [params, results] = type ? [type.params.length, type.results.length] : [0, short];
        controls.push({ opcode, label: opcode === 0x03 ? params : results });
        if (opcode === 0x03) next(offset);
        else if (opcode === 0x04) next(-1);
      } else if (opcode === 0x05) next(-1);
      else if (opcode === 0x0b) {
        if (controls.pop()!.opcode !== 0x03) next(-1);
      } else if (opcode >= 0x0c && opcode <= 0x0f) {
        open = { ...open, cost: open.cost + (arity(opcode === 0x0f ? controls.length - 1 : imm0) >>> 3) };
        if (opcode === 0x0d) next(-1);
        else die();
      } else if (opcode === 0) die();
      else if (opcode === 0x10) {
        const call = this.#bytes[imm0];
        if (call) open = { ...open, cost: open.cost + (typeof call.fuel === "number" ? call.fuel : call.fuel.base) };
      }
    }
    return places;
  }
}

/** A place where fuel is tested: what had been charged by then, and where the trap would be. */
export interface TestPoint {
  readonly charged: bigint;
  readonly instance: number;
  readonly function: number;
  readonly offset: number;
}

/** Follows an execution by its hooks and keeps its own account. */
class Meter {
  readonly #store: Store;
  readonly #schedules: readonly Schedule[];
  charged = 0n;
  published = 0n;
  points: TestPoint[] = [];
  steps: Position[] = [];
  /** Executions by opcode index. */
  readonly counts: number[];
  /** False once a bulk amount could not be known: the module does not export it. */
  known = true;

  constructor(store: Store, schedules: readonly Schedule[], counts: number[]) {
    this.#store = store;
    this.#schedules = schedules;
    this.counts = counts;
  }

  charge(cost: number, site: number, position: { instance: number; function: number }): void {
    this.charged += BigInt(cost);
    const { charged } = this;
    const { instance, function: index } = position;
    if (site >= 0) this.points.push({ charged, instance, function: index, offset: site });
  }

  step(position: Position): void {
    const { instance, function: index, offset } = position;
    this.steps.push(position);
    const schedule = this.#schedules[instance]!;
    const place = schedule.place(index, offset);
    this.counts[place.index] = (this.counts[place.index] ?? 0) + 1;
    for (const { cost, site } of place.events) this.charge(cost, site, position);
    const bulk = OPCODE_BY_INDEX[place.index]!.bulk;
    if (bulk) {
      const amount = this.#global(instance, "g1");
      const pages = amount > 65_536 ? 0 : amount * 1024;
      this.charge(bulk === "pages" ? pages : amount >>> (bulk === "bytes" ? 6 : 3), offset, position);
    } else if (place.index === 0x10) this.#call(position, schedule, place.immediate);
    else if (place.index === 0x11) this.#indirect(position, schedule.module, place);
  }

  /** A stack that is exhausted is found behind the charge of the function's entry, before its first instruction. */
  entryOf(outcome: string): void {
    const site = new RegExp(`^trap ${TrapCode.StackExhausted} (\\d+):(\\d+)@(\\d+)`).exec(outcome);
    if (!site) return;
    const [instance, index, offset] = site.slice(1).map(Number) as [number, number, number];
    const place = this.#schedules[instance]!.place(index, offset);
    for (const event of place.events.slice(0, 1)) this.charge(event.cost, event.site, { instance, function: index });
  }

  #call(position: Position, schedule: Schedule, callee: number): void {
    const bytes = schedule.bytesCall(callee);
    if (bytes?.bulk) this.charge(this.#global(position.instance, "g1") >>> 6, position.offset, position);
    if (bytes) return;
    const target = this.#store.instances[position.instance]!.functions[callee]!;
    if (target.host) this.#host(position, target.host);
  }

  #indirect(position: Position, module: Module, { immediate, second }: Place): void {
    const instance = this.#store.instances[position.instance]!;
    const table = instance.tables[second]!;
    const index = this.#global(position.instance, "g2");
    const reference = index < table.length ? table.elements[index]! : 0;
    const target = reference > 0 ? this.#store.functions[reference - 1]! : undefined;
    if (target && typeText(target.type) !== typeText(module.structure.types[immediate]!)) return;
    if (target?.host) this.#host(position, target.host);
    if (target?.bytes) {
      const { fuel } = target.bytes;
      const amount = this.#global(position.instance, "g1");
      this.charge(typeof fuel === "number" ? fuel : fuel.base + (amount >>> 6), position.offset, position);
    }
  }

  #host(position: Position, host: HostFunction): void {
    const { fuel } = host;
    const cost =
      typeof fuel === "number" ? fuel : fuel.base + Math.floor(this.#global(position.instance, "g1") * fuel.perByte);
    this.charge(cost, position.offset, position);
    if (chargesOf(host) > 0) this.charge(chargesOf(host), position.offset, position);
    this.published = this.charged;
  }

  /** An exported i32 global as u32. */
  #global(instance: number, name: string): number {
    const { exports } = this.#store.instances[instance]!;
    if (!exports.some((entry) => entry.name === name)) {
      this.known = false;
      return 0;
    }
    return (this.#store.instances[instance]!.global(name).value as number) >>> 0;
  }
}

// ---- runs

/** What one call must do, as the run with hooks saw it. */
interface Expected {
  readonly outcome: string;
  readonly trapped: boolean;
  /** Charged before the call and after it. */
  readonly before: bigint;
  readonly used: bigint;
  readonly digest: string;
  readonly steps: readonly Position[];
  readonly points: readonly TestPoint[];
  readonly known: boolean;
}

/** What a check saw, for the tests to assert that it was enough. */
export interface Tally {
  subjects: number;
  calls: number;
  steps: number;
  /** Calls of at least 100 instructions. */
  long: number;
  pauses: number;
  restores: number;
  counts: number[];
  /** By trap code. */
  traps: number[];
}

export function newTally(): Tally {
  return { subjects: 0, calls: 0, steps: 0, long: 0, pauses: 0, restores: 0, counts: [], traps: [] };
}

/** Throws a {@link Difference} at the first thing that does not agree. */
export function check(subject: Subject, plan: readonly Call[], random: Random, tally: Tally): void {
  const same = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) throw new Difference(`${subject.name}: ${what}: got ${actual}, expected ${expected}`);
  };
  const expected = hooked(subject, plan, tally, same);
  if (expected === undefined) return;
  tally.subjects++;
  fast(subject, plan, expected, same);
  for (const plain of [false, true]) pieces(subject, plan, expected, random, plain, tally, same);
}

type Same = (what: string, actual: unknown, expected: unknown) => void;

/** The run with hooks: it must charge as the meter does. Undefined when instantiation traps. */
function hooked(subject: Subject, plan: readonly Call[], tally: Tally, same: Same): Expected[] | undefined {
  const world = worldOf(subject);
  const store = new Store(world.options);
  const meter = new Meter(
    store,
    subject.parts.map(({ module }) => new Schedule(module)),
    tally.counts,
  );
  store.hooks = { instruction: (position) => meter.step(position) };
  try {
    for (const { module } of subject.parts) {
      const { elements, data } = module.structure;
      for (const { mode, items } of elements) if (mode === "active") meter.charged += 1n + BigInt(items.length >>> 3);
      for (const { mode, start, end } of data) if (mode === "active") meter.charged += 1n + BigInt((end - start) >>> 6);
      module.instantiate({ store, imports: world.imports(store.instances) });
    }
  } catch (error) {
    if (error instanceof Trap) return undefined;
    throw error;
  }
  if (meter.known) same("fuel of instantiation", store.fuelUsed, meter.charged);
  return plan.map((call, k) => {
    const before = store.fuelUsed;
    meter.charged = before;
    meter.published = before;
    meter.points = [];
    meter.steps = [];
    meter.known = true;
    const outcome = outcomeOf(call.entry.results, () => invoke(store, call));
    const trapped = outcome.startsWith("trap");
    if (trapped) {
      const code = Number(outcome.split(" ")[1]);
      tally.traps[code] = (tally.traps[code] ?? 0) + 1;
    }
    if (trapped) meter.entryOf(outcome);
    else {
      const { index, instance } = store.functions[store.instances[call.part]!.function(call.entry.name).address]!;
      const own = index - instance!.module.translation.importedFunctions;
      meter.charge(0, instance!.module.structure.bodies[own]!.end - 1, { instance: call.part, function: index });
    }
    if (meter.known) same(`${describe(plan, k)}: fuel`, store.fuelUsed, trapped ? meter.published : meter.charged);
    tally.calls++;
    tally.steps += meter.steps.length;
    if (meter.steps.length >= 100) tally.long++;
    const { points, steps, known } = meter;
    return { outcome, trapped, before, used: store.fuelUsed, digest: stateOf(store), steps, points, known };
  });
}

/** The fast code, and V8 beside it. */
function fast(subject: Subject, plan: readonly Call[], expected: readonly Expected[], same: Same): void {
  const world = worldOf(subject);
  const store = new Store(world.options);
  instantiate(subject, store, world);
  let other: Theirs | undefined = theirs(subject);
  plan.forEach((call, k) => {
    const { outcome, used, digest } = expected[k]!;
    const what = describe(plan, k);
    same(
      `${what}: fast code`,
      outcomeOf(call.entry.results, () => invoke(store, call)),
      outcome,
    );
    same(`${what}: fuel of the fast code`, store.fuelUsed, used);
    same(`${what}: digest of the fast code`, stateOf(store), digest);
    // The two run out of stack at different depths.
    if (outcome.startsWith(`trap ${TrapCode.StackExhausted}`)) other = undefined;
    if (!other) return;
    const { entry } = call;
    const answer = answerOf(other.instances[call.part]!, call);
    same(
      `${what}: V8`,
      outcome.startsWith("trap") ? outcome.split(" ", 2).join(" ") : plainNaN(entry, outcome),
      answer,
    );
    store.instances.forEach((instance, number) => {
      const [ours, v8] = exportedState(instance, other!.instances[number]!);
      same(`${what}: state of ${number} in V8`, ours, v8);
      const memory = other!.instances[number]!.exports.memory as WebAssembly.Memory | undefined;
      if (memory && instance.memory0 instanceof Memory)
        same(
          `${what}: memory of ${number} in V8`,
          firstDifference(instance.memory0.bytes, new Uint8Array(memory.buffer)),
          -1,
        );
    });
  });
}

const positionText = (position: Position | undefined): string =>
  position ? `${position.instance}:${position.function}@${position.offset}` : "nowhere";

/** Every call in pieces: cut by fuel, by steps, and by being saved and restored. */
function pieces(
  subject: Subject,
  plan: readonly Call[],
  expected: readonly Expected[],
  random: Random,
  plain: boolean,
  tally: Tally,
  same: Same,
): void {
  const world = worldOf(subject);
  let store = new Store({ ...world.options, fuel: expected[0]?.before ?? 2n ** 62n });
  instantiate(subject, store, world);
  same("fuel left after instantiation", store.fuelLeft, 0n);
  const swap = (): void => {
    if (!random.chance(0.2)) return;
    const snapshot = store.instances[0]!.snapshot();
    const next = restored(subject, snapshot);
    same("a restored store's snapshot", firstDifference(next.instances[0]!.snapshot(), snapshot), -1);
    same("a restored store's digest", stateOf(next), stateOf(store));
    next.hooks = store.hooks;
    store = next;
    tally.restores++;
  };
  plan.forEach((call, k) => {
    const { outcome, trapped, before, used, digest, points, steps, known } = expected[k]!;
    const what = `${describe(plan, k)} in pieces${plain ? ", plain" : ""}`;
    let at = Number.NaN;
    const hooks = {
      instruction: () => {
        at++;
      },
    };
    if (plain) store.hooks = hooks;
    // Traps forget what was charged since the last publication, and each resumption is one.
    const shift = store.fuelUsed - before;
    const total = Number((trapped ? (points.at(-1)?.charged ?? used) : used) - before);
    const some = (): bigint =>
      BigInt(random.pick([0, 1, 2, random.below(20), random.below(total + 2), random.below(total + 2)]));
    const debt = store.fuelLeft! < 0n ? -store.fuelLeft! : 0n;
    store.addFuel(debt + some());
    let cursor = 0;
    let answer: string | undefined;
    let atPause = 0n;
    for (let piece = 0; answer === undefined; piece++) {
      const more = piece < 12 ? some() : 2n ** 40n;
      try {
        if (piece === 0) {
          if (random.chance(0.5)) answer = showAll(call.entry.results, invoke(store, call));
          else {
            at = plain ? -1 : 0;
            store.instances[call.part]!.begin(call.entry.name, toValues(call.entry, call.args));
          }
        } else if (random.chance(0.5)) {
          store.addFuel(more);
          const count = random.pick([1, 1, 2, 10, 1 + random.below(steps.length + 1)]);
          if (!plain) at += count;
          if (!store.step(count)) answer = showAll(call.entry.results, store.results({ bits: true }));
        } else {
          if (!plain) at = Number.NaN;
          answer = showAll(call.entry.results, store.resume(more, { bits: true }));
        }
        if (answer === undefined) {
          if (at >= 0)
            same(`${what}: position after ${at} steps`, positionText(store.position), positionText(steps[at]));
        }
      } catch (error) {
        if (!(error instanceof Trap)) throw error;
        if (!error.resumable) answer = showTrap(error);
        else {
          if (!plain) at = Number.NaN;
          tally.pauses++;
          if (known) {
            const granted = store.fuelUsed + store.fuelLeft!;
            while (cursor < points.length && points[cursor]!.charged + shift <= granted) cursor++;
            const point = points[cursor];
            if (!point)
              throw new Difference(`${subject.name}: ${what}: out of fuel where none is tested: ${showTrap(error)}`);
            const frame = error.backtrace[0]!;
            same(
              `${what}: out of fuel`,
              `${frame.instance}:${frame.function}@${frame.offset} ${error.fuel} ${store.fuelUsed}`,
              `${point.instance}:${point.function}@${point.offset} ${point.charged + shift} ${point.charged + shift}`,
            );
          }
        }
      }
      if (answer === undefined) atPause = store.fuelUsed;
      if (answer === undefined && !subject.externs) swap();
    }
    same(what, answer, outcome);
    // After a trap it is what it was at the last call of the host or the last pause, whichever came later.
    same(`${what}: fuel`, store.fuelUsed, trapped && atPause > used + shift ? atPause : used + shift);
    same(`${what}: digest`, stateOf(store), digest);
    if (!subject.externs) swap();
  });
}
