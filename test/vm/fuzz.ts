/**
 * Seeds of the fuzzer: generated modules, and those that binaryen makes of random bytes. A failure is shrunk and written
 * as text that begins with how to run it, for `test/fixtures/fuzz`.
 */
import type { Optimizer } from "../../host/command/optimize.ts";
import { adopt, kept } from "../../host/compile.ts";
import { hostLinkageOf } from "../../vm/compiled/linkage.ts";
import { rewrite } from "../../vm/compiler/rewrite.ts";
import { Module } from "../../vm/index.ts";
import { LOOK } from "../../vm/tuning.ts";
import { type CompareTally, compare, DEPTHS, differ, ENGINES, newCompareTally, observe, PLENTY } from "./compare.ts";
import { mix, Random } from "./random.ts";
import { shrinkModules } from "./shrink.ts";
import {
  type Bounds,
  type Call,
  Difference,
  modulesOf,
  planOf,
  SAVED,
  type Subject,
  subjectOf,
  subjectOfBytes,
  textOf,
  worldOf,
} from "./subject.ts";

/** A subject and the calls that are made of it. */
interface Case {
  readonly subject: Subject;
  readonly plan: readonly Call[];
  readonly random: Random;
}

function caseOf(subject: Subject, seed: number): Case {
  const random = new Random(mix(seed, 0x99));
  // Mostly so little that compiled code moves on to a resume clone at nearly every turn of a loop.
  LOOK.fuel = random.pick([20n, 20n, 300n, 1n << 20n]);
  return { subject, plan: planOf(subject, random, 1), random };
}

/** Four of five seeds are wild; the others are compared with plain V8, too. */
export function generatedCase(seed: number): Case {
  const wild = seed % 5 !== 0;
  const modules = modulesOf(mix(seed, 0x77) >>> 2, new Set(), wild);
  return caseOf(subjectOf(`seed ${seed}`, modules, wild), seed);
}

/** A case of modules in the binary format, which plain V8 is not asked about. */
export function binaryCase(name: string, binaries: readonly Uint8Array[], seed: number): Case {
  return caseOf(subjectOfBytes(name, binaries, false), seed);
}

/**
 * Runs a case on both engines; the difference that it shows, or undefined. With `optimizer` the compiled engine runs what
 * it makes of the code, where it can be used.
 */
export function fuzz(make: () => Case, tally: CompareTally, optimizer?: Optimizer): Difference | undefined {
  try {
    const { subject, plan, random } = make();
    const other = optimizer ? optimized(subject, optimizer) : subject;
    if (other) compare(subject, plan, random, tally, other);
    return undefined;
  } catch (error) {
    return error instanceof Difference ? error : new Difference((error as Error).stack ?? String(error));
  }
}

/** The subject with optimised code; undefined where instances link to one another. */
function optimized(subject: Subject, optimizer: Optimizer): Subject | undefined {
  const [part, second] = subject.parts;
  const imports = worldOf(subject).imports([]);
  const module = Module.decode(part!.module.structure.bytes);
  const linkage = second ? undefined : hostLinkageOf(module, imports);
  if (!linkage) return undefined;
  const { bytes, sites } = optimizer(rewrite(module.rewriteInput, linkage));
  adopt(module, imports, kept(linkage, bytes, sites));
  return { ...subject, parts: [{ ...part!, module }] };
}

/** What is written at the head of a saved failure. */
interface Saved {
  readonly calls: readonly (readonly [part: number, name: string, args: readonly string[]])[];
  /** Of the run that differed. */
  readonly fuel: string;
  readonly depth: number;
  /** {@link LOOK}. */
  readonly look: string;
}

/** The texts of a case that fails, smaller: its modules in order, the first with the head. */
export function shrunk(make: () => Case, found: Difference): string[] {
  const { subject, plan } = make();
  const { bounds } = found;
  let modules = subject.parts.map(({ module }) => module.structure.bytes);
  const fails = (binaries: readonly Uint8Array[], calls: readonly Call[]): Bounds | undefined =>
    bounds && failingBounds(partsOf(subject, binaries), calls, bounds);
  if (!fails(modules, plan)) return [`;; does not fail again: ${found.message}`, ...textOf(modules)];
  let calls = plan;
  for (let k = plan.length - 1; k >= 0; k--) {
    const fewer = calls.filter((call) => call !== plan[k]);
    if (fails(modules, fewer)) calls = fewer;
  }
  while (
    modules.length > 1 &&
    calls.every(({ part }) => part < modules.length - 1) &&
    fails(modules.slice(0, -1), calls)
  )
    modules = modules.slice(0, -1);
  const small = shrinkModules(modules, (binaries) => fails(binaries, calls) !== undefined);
  const { fuel, depth } = fails(small, calls)!;
  const saved: Saved = {
    calls: calls.map(({ part, entry, args }) => [part, entry.name, args.map(String)]),
    fuel: String(fuel),
    depth,
    look: String(LOOK.fuel),
  };
  const [first, ...others] = textOf(small);
  return [`${SAVED}${JSON.stringify(saved)}\n${first}`, ...others];
}

/** The subject with other binaries in place of its own; equal ones are one module, as they were. */
function partsOf(subject: Subject, binaries: readonly Uint8Array[]): Subject {
  const decoded = new Map<Uint8Array, Module>();
  for (const bytes of binaries) if (!decoded.has(bytes)) decoded.set(bytes, Module.decode(bytes));
  const parts = binaries.map((bytes, k) => ({
    module: decoded.get(bytes)!,
    canonical: undefined,
    entries: subject.parts[k]!.entries,
  }));
  return { ...subject, parts };
}

/** Bounds of the kind that a difference had in which there still is one. */
function failingBounds(subject: Subject, plan: readonly Call[], { fuel, depth }: Bounds): Bounds | undefined {
  const tried: Bounds[] = [{ fuel, depth }];
  if (depth !== PLENTY.depth) tried.push(...DEPTHS.map((depth) => ({ ...PLENTY, depth })));
  if (fuel !== PLENTY.fuel) {
    const total = observe(subject, plan, ENGINES[0], PLENTY).fuel.at(-1)!;
    const step = total / 100n + 1n;
    for (let amount = 0n; amount <= total; amount += step) tried.push({ ...PLENTY, fuel: amount });
  }
  return tried.find((bounds) => differenceWithin(subject, plan, bounds) !== undefined);
}

function differenceWithin(subject: Subject, plan: readonly Call[], bounds: Bounds): Difference | undefined {
  try {
    const [expected, actual] = ENGINES.map((engine) => observe(subject, plan, engine, bounds)) as [
      ReturnType<typeof observe>,
      ReturnType<typeof observe>,
    ];
    differ(subject.name, bounds, expected, actual);
    return undefined;
  } catch (error) {
    return error instanceof Difference ? error : new Difference((error as Error).stack ?? String(error), bounds);
  }
}

/** Runs a saved failure again, as its head says, and with calls and bounds of many seeds: the first difference. */
export function replay(name: string, head: string, binaries: readonly Uint8Array[], tally = newCompareTally()) {
  const subject = subjectOfBytes(name, binaries, false);
  if (head.startsWith(SAVED)) {
    const saved = JSON.parse(head.slice(SAVED.length)) as Saved;
    const calls = saved.calls.map(([part, entry, args]) => callOf(subject, part, entry, args));
    LOOK.fuel = BigInt(saved.look);
    const difference = differenceWithin(subject, calls, { fuel: BigInt(saved.fuel), depth: saved.depth });
    if (difference) return difference;
  }
  for (let seed = 0; seed < 15; seed++) {
    const difference = fuzz(() => caseOf(subject, seed), tally);
    if (difference) return difference;
  }
  return undefined;
}

function callOf(subject: Subject, part: number, name: string, args: readonly string[]): Call {
  const entry = subject.parts[part]!.entries.find((known) => known.name === name)!;
  const wide = (k: number): boolean => entry.params[k] === "i64" || entry.params[k] === "f64";
  return { part, entry, args: args.map((text, k) => (wide(k) ? BigInt(text) : Number(text))) };
}
