/**
 * One subject on both engines, under plenty of fuel and under little, under a deep stack and a shallow one: the same
 * outcomes, fuel, traces of host calls and state; and where nothing runs out, the outcomes of plain V8.
 */
import { createHash } from "node:crypto";
import { OPCODE_BY_INDEX } from "../../vm/bytecode/opcodes.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import {
  AshlarError,
  DEFAULT_LIMITS,
  type Module,
  type Position,
  Store,
  type StoreOptions,
  Trap,
  TrapCode,
} from "../../vm/index.ts";
import type { Random } from "./random.ts";
import {
  answerOf,
  type Bounds,
  type Call,
  Difference,
  describe,
  exportedState,
  hostTrace,
  instantiate,
  invoke,
  plainNaN,
  type Subject,
  showAll,
  showTrap,
  stateOf,
  theirs,
  worldOf,
} from "./subject.ts";

export type Engine = NonNullable<StoreOptions["engine"]>;

/** The engine that defines what is right, and the other. */
export const ENGINES: readonly [Engine, Engine] = ["reference", "compiled"];

/** What a run shows: a line for each call that was made, and the state at the end. */
export interface Observed {
  readonly calls: readonly string[];
  /** Charged by the end of each call; first by the end of instantiation. */
  readonly fuel: readonly bigint[];
  readonly state: string;
  readonly store: Store;
}

/** Sums over comparisons, for reports and for tests to assert that they were enough. */
export interface CompareTally {
  /** Digests of the modules that were compared, 52 bits of each. */
  readonly modules: Set<number>;
  subjects: number;
  /** Runs on both engines. */
  runs: number;
  calls: number;
  /** Modules that executed 1,000 instructions or more. */
  long: number;
  /** Calls whose outcome was compared with V8's, too. */
  plain: number;
  /** Executions by opcode index, of the runs that were counted. */
  readonly opcodes: number[];
  /** By trap code. */
  readonly traps: number[];
  /** OutOfFuel and StackExhausted by the kind of place. */
  readonly sites: { [kind: string]: number };
}

export function newCompareTally(): CompareTally {
  return {
    modules: new Set(),
    subjects: 0,
    runs: 0,
    calls: 0,
    long: 0,
    plain: 0,
    opcodes: [],
    traps: [],
    sites: {},
  };
}

/** Bounds for what is not meant to reach them; the fuel bounds the time of a comparison. */
export const PLENTY: Bounds = { fuel: 20_000n, depth: DEFAULT_LIMITS.depth };

/** Depths, in slots, at which many modules run out of stack. */
export const DEPTHS: readonly number[] = [20, 60, 100, 300, 1000];

const HEAP_LIMITS = { heapObjects: 200, heapBytes: 1 << 20 };

/** Runs the calls in order until one leaves the store unusable. */
export function observe(
  subject: Subject,
  plan: readonly Call[],
  engine: Engine,
  { fuel, depth }: Bounds,
  hook?: (position: Position) => void,
): Observed {
  const world = worldOf(subject);
  const limits = { ...HEAP_LIMITS, depth };
  const store = new Store({ ...world.options, fuel, limits, engine });
  if (hook) store.hooks = { instruction: hook };
  hostTrace.hash = 0;
  const calls: string[] = [];
  const used: bigint[] = [];
  const run = (what: string, act: () => string): boolean => {
    let ends = true;
    let outcome: string;
    try {
      outcome = act();
    } catch (error) {
      outcome = failureText(error);
      ends = !(error instanceof Trap && error.code === TrapCode.OutOfFuel);
    }
    calls.push(`${what} ${outcome} #${hostTrace.hash}`);
    used.push(store.fuelUsed);
    return ends;
  };
  let whole = false;
  run("instantiation", () => {
    instantiate(subject, store, world);
    whole = true;
    return "done";
  });
  if (whole) plan.every((call, k) => run(describe(plan, k), () => showAll(call.entry.results, invoke(store, call))));
  return { calls, fuel: used, state: store.instances.length > 0 ? stateOf(store) : "none", store };
}

function failureText(error: unknown): string {
  if (error instanceof Trap) return `${showTrap(error)} after ${error.fuel}`;
  if (error instanceof AshlarError) return `fails with ${error.code}: ${error.message}`;
  if (error instanceof RangeError && error.message === "of the host") return "throws what the host threw";
  // Our own mistake, or one of V8's.
  return `throws ${(error as Error).stack ?? error}`;
}

/**
 * Throws a {@link Difference} at the first thing that does not agree. `other` is what the second engine runs: the same
 * modules, with code of another make.
 */
export function compare(
  subject: Subject,
  plan: readonly Call[],
  random: Random,
  tally: CompareTally,
  other = subject,
): void {
  const both = (bounds: Bounds, hook?: (position: Position) => void): Observed => {
    const expected = observe(subject, plan, ENGINES[0], bounds, hook);
    const actual = observe(other, plan, ENGINES[1], bounds);
    tally.runs++;
    tally.calls += expected.calls.length - 1;
    differ(subject.name, bounds, expected, actual);
    for (const line of expected.calls) count(subject, line, tally);
    return expected;
  };
  const counter = new Counter(subject, tally.opcodes);
  const whole = both(PLENTY, (position) => counter.step(position));
  tally.subjects++;
  for (const module of new Set(subject.parts.map((part) => part.module))) {
    const known = tally.modules.size;
    tally.modules.add(digestOf(module));
    if (tally.modules.size > known && counter.stepsOf(module) >= 1000) tally.long++;
  }
  if (subject.parts.every(({ canonical }) => canonical !== undefined)) plain(subject, plan, whole, tally);
  for (const fuel of fuels(whole.fuel, random)) both({ ...PLENTY, fuel });
  if (random.chance(0.4)) both({ ...PLENTY, depth: random.pick(DEPTHS) });
}

/** Amounts that run out: anywhere, at the end of a call, and just before it. */
function fuels(used: readonly bigint[], random: Random): bigint[] {
  const anywhere = (): bigint => {
    const k = random.below(used.length);
    const [from, to] = [used[k - 1] ?? 0n, used[k]!];
    return from + BigInt(random.below(Number(to - from) + 1));
  };
  const end = random.pick(used);
  return [anywhere(), random.chance(0.4) ? anywhere() : random.chance(0.5) && end > 0n ? end - 1n : end];
}

/** Throws a {@link Difference} when two runs within the same bounds do not show the same. */
export function differ(name: string, bounds: Bounds, expected: Observed, actual: Observed): void {
  const fail = (what: string, got: unknown, wanted: unknown): never => {
    const { fuel, depth } = bounds;
    throw new Difference(`${name}, fuel ${fuel}, depth ${depth}: ${what}: got ${got}, expected ${wanted}`, bounds);
  };
  const lines = Math.max(expected.calls.length, actual.calls.length);
  for (let k = 0; k < lines; k++) {
    if (expected.calls[k] !== actual.calls[k]) fail(`line ${k}`, actual.calls[k], expected.calls[k]);
    if (expected.fuel[k] !== actual.fuel[k]) fail(`fuel after line ${k}`, actual.fuel[k], expected.fuel[k]);
  }
  if (expected.state !== actual.state) fail("state", actual.state, expected.state);
}

const TRAP = / trap (\d+)(?: (\d+):(\d+)@(\d+))?/;

function count(subject: Subject, line: string, tally: CompareTally): void {
  const found = TRAP.exec(line);
  if (!found) return;
  const code = Number(found[1]);
  tally.traps[code] = (tally.traps[code] ?? 0) + 1;
  if (code !== TrapCode.OutOfFuel) return;
  const kind =
    found[2] === undefined ? "outside" : siteKind(subject, Number(found[2]), Number(found[3]), Number(found[4]));
  tally.sites[kind] = (tally.sites[kind] ?? 0) + 1;
}

/** What stands at an offset, as far as fuel is concerned. */
function siteKind(subject: Subject, instance: number, index: number, offset: number): string {
  const { structure } = subject.parts[instance]!.module;
  const imported = structure.imports.filter(({ type }) => type.kind === "function").length;
  const { code, end } = structure.bodies[index - imported]!;
  if (offset === end - 1) return "return to the host";
  const instruction = new Instruction();
  readInstruction(new Reader(structure.bytes, offset, end), instruction);
  const { name } = OPCODE_BY_INDEX[instruction.index]!;
  if (name === "loop") return offset === code ? "entry or loop" : "loop";
  if (offset === code) return "entry";
  if (name !== "call") return name;
  const callee = structure.imports.filter(({ type }) => type.kind === "function")[instruction.imm0];
  return callee ? `call of ${callee.module}` : name;
}

interface Counted {
  readonly opcodeAt: Uint16Array;
  steps: number;
}

/** Counts instructions by module and by opcode. */
class Counter {
  readonly #subject: Subject;
  readonly #opcodes: number[];
  readonly #modules = new Map<Module, Counted>();

  constructor(subject: Subject, opcodes: number[]) {
    this.#subject = subject;
    this.#opcodes = opcodes;
  }

  step({ instance, offset }: Position): void {
    const { module } = this.#subject.parts[instance]!;
    const counted = this.#modules.get(module) ?? this.#decode(module);
    counted.steps++;
    const opcode = counted.opcodeAt[offset]!;
    this.#opcodes[opcode] = (this.#opcodes[opcode] ?? 0) + 1;
  }

  stepsOf(module: Module): number {
    return this.#modules.get(module)?.steps ?? 0;
  }

  #decode(module: Module): Counted {
    const { bytes, bodies } = module.structure;
    const opcodeAt = new Uint16Array(bytes.length);
    const instruction = new Instruction();
    for (const { code, end } of bodies) {
      const reader = new Reader(bytes, code, end);
      while (reader.position < end) {
        readInstruction(reader, instruction);
        opcodeAt[instruction.offset] = instruction.index;
      }
    }
    const counted = { opcodeAt, steps: 0 };
    this.#modules.set(module, counted);
    return counted;
  }
}

function digestOf(module: Module): number {
  const digest = createHash("sha1").update(module.structure.bytes).digest();
  return digest.readUIntBE(0, 6);
}

/** Plain V8 on the same calls, as long as neither fuel nor stack ran out. */
function plain(subject: Subject, plan: readonly Call[], observed: Observed, tally: CompareTally): void {
  const outcomes = observed.calls.map((line) => line.slice(0, line.lastIndexOf(" #")));
  if (!outcomes[0]!.endsWith("done")) return;
  const other = theirs(subject, HEAP_LIMITS);
  for (const [k, call] of plan.entries()) {
    const line = outcomes[k + 1];
    if (line === undefined || ranOut(line)) return;
    const { entry } = call;
    const answer = answerOf(other.instances[call.part]!, call);
    const ours = line.slice(describe(plan, k).length + 1);
    const expected = ours.startsWith("trap") ? ours.split(" ", 2).join(" ") : plainNaN(entry, ours);
    tally.plain++;
    if (answer !== expected)
      throw new Difference(`${subject.name}: ${describe(plan, k)}: V8 says ${answer}, we ${expected}`);
  }
  if (outcomes.length !== plan.length + 1) return;
  observed.store.instances.forEach((instance, number) => {
    const [ours, v8] = exportedState(instance, other.instances[number]!);
    if (ours !== v8) throw new Difference(`${subject.name}: state of ${number}: V8 says ${v8}, we ${ours}`);
  });
}

function ranOut(line: string): boolean {
  const code = Number(TRAP.exec(line)?.[1]);
  return code === TrapCode.OutOfFuel || code === TrapCode.StackExhausted;
}
