/**
 * Every limit of the VM (spec VM-LIMIT-1). Passing a module limit is a {@link LimitError}; what passing an instance
 * limit does is said beside it. Defaults keep the rewritten module of the compiled engine inside V8's own limits, but for
 * what VM-ENGINE-2 names.
 */
import { LimitError, UsageError } from "./errors.ts";

/** Limits on a module, checked while it is decoded. */
export interface ModuleLimits {
  /** Bytes of the whole module. */
  readonly moduleBytes: number;
  readonly types: number;
  readonly imports: number;
  /** Imported and defined functions. */
  readonly functions: number;
  readonly globals: number;
  readonly tables: number;
  readonly exports: number;
  readonly elementSegments: number;
  readonly dataSegments: number;
  /** Items of one element segment. */
  readonly elementItems: number;
  readonly functionParams: number;
  readonly functionResults: number;
  /** Parameters and locals of one function. */
  readonly functionLocals: number;
  /** Bytes of one function body. */
  readonly functionBytes: number;
  /** Values on the operand stack of one function, as the validator counts them (spec VM-VALIDATE-4). */
  readonly functionOperands: number;
  /** Targets of one br_table, the default not counted. */
  readonly branchTargets: number;
  /** Bytes of one name (import, export, custom section). */
  readonly nameBytes: number;
}

/** Limits on what a running store may hold. */
export interface StoreLimits {
  /** Pages (65,536 bytes) of one memory; `memory.grow` past it answers -1, a larger minimum is a LimitError. */
  readonly memoryPages: number;
  /** Elements of one table; `table.grow` past it answers -1, a larger minimum is a LimitError. */
  readonly tableElements: number;
  /** Slots of call depth (spec VM-DEPTH-1); past it StackExhausted. */
  readonly depth: number;
  /** Live heap objects; `bytes.new` past it answers null. At most 2^24. */
  readonly heapObjects: number;
  /**
   * Bytes of the heap's region, each object rounded up to 16; `bytes.new` answers null when no gap in it fits, also while
   * fewer bytes are live. At most 2^31.
   */
  readonly heapBytes: number;
  /** Instances of one store; past it a LimitError. */
  readonly instances: number;
}
export type Limits = ModuleLimits & StoreLimits;

export const DEFAULT_LIMITS: Limits = {
  moduleBytes: 256 * 1024 * 1024,
  types: 1_000_000,
  imports: 100_000,
  functions: 1_000_000,
  globals: 1_000_000,
  tables: 1_000,
  exports: 1_000_000,
  elementSegments: 100_000,
  dataSegments: 100_000,
  elementItems: 10_000_000,
  functionParams: 998,
  functionResults: 999,
  functionLocals: 49_000,
  functionBytes: 3_000_000,
  functionOperands: 1_000_000,
  branchTargets: 65_520,
  nameBytes: 100_000,
  memoryPages: 16_384,
  tableElements: 10_000_000,
  depth: 25_000,
  heapObjects: 65_536,
  heapBytes: 256 * 1024 * 1024,
  instances: 10_000,
};

/** Highest value an embedder may set, where it is not a safe integer already. */
export const LIMIT_CEILINGS: Partial<Limits> = {
  memoryPages: 65_536,
  tableElements: 10_000_000,
  depth: 100_000_000,
  heapObjects: 2 ** 24,
  heapBytes: 2 ** 31,
  functionParams: 998,
  functionResults: 999,
  // A body is charged less than 32 a byte and 1 for 8 locals; the engine's counter has room for 2^28 a function.
  functionBytes: 7_654_321,
  functionLocals: 50_000,
};

/** The defaults with `given` over them; throws VM-ARGUMENT for an unknown name or a value that is not an integer in range. */
export function limitsWith(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw new UsageError("VM-ARGUMENT", `there is no limit named ${name}`);
    const ceiling = LIMIT_CEILINGS[name as keyof Limits] ?? Number.MAX_SAFE_INTEGER;
    if (!Number.isInteger(value) || value < 0 || value > ceiling)
      throw new UsageError("VM-ARGUMENT", `limit ${name} must be an integer from 0 to ${ceiling}, not ${value}`);
  }
  return { ...DEFAULT_LIMITS, ...given };
}

/** Throws a LimitError when `actual` is over the limit `name`. */
export function checkLimit<Name extends keyof Limits>(
  limits: Pick<Limits, Name>,
  name: Name,
  actual: number,
  offset = -1,
): void {
  if (actual > limits[name]) throw new LimitError(name, limits[name], actual, offset);
}
