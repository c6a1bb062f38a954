/** Building programs in TypeScript (spec PEL-PROGRAM). */
import { type ArtifactKey, copyOf, keyBytes } from "../asl/key.ts";
import { canonicalProgram, guestNode } from "./canonical.ts";
import { expectArgument, type PelCode, PelError } from "./errors.ts";
import {
  checkNode,
  GUEST_LIMITS,
  type GuestLimits,
  type Node,
  type Program,
  type ProgramOutput,
  type Ref,
  type Tag,
} from "./program.ts";

/** An output, or the receipt, of a node that a {@link ProgramBuilder} has made. */
export class Value {
  readonly builder: ProgramBuilder;
  readonly ref: Ref;

  constructor(builder: ProgramBuilder, ref: Ref) {
    this.builder = builder;
    this.ref = ref;
  }
  /** The receipt of the node whose output this is; inputs have none. */
  get receipt(): Value {
    return new Value(this.builder, { node: this.ref.node, output: undefined });
  }
}

/** What a `guest` node does; see {@link GuestLimits} for `limits`. */
export interface GuestOptions {
  readonly module: ArtifactKey;
  /** The export to call; the module's entry point by default. */
  readonly entry?: string | undefined;
  readonly args?: readonly string[] | undefined;
  /** By the names of files in `/in`. */
  readonly inputs?: { readonly [name: string]: Value } | undefined;
  /** Names of files in `/out`, alone or with the type tag that the artifact gets. */
  readonly outputs?: readonly (string | { readonly name: string; readonly tag?: Tag })[] | undefined;
  /** The output that takes the stream, which is discarded by default. */
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  /** The input that is a pack. */
  readonly assets?: string | undefined;
  readonly io?: "files" | "artifacts" | undefined;
  /** Fuel below 2^53 may be a number. */
  readonly limits?: (Partial<Omit<GuestLimits, "fuel">> & { readonly fuel?: bigint | number }) | undefined;
}

/** What a `guest` node makes. */
export interface GuestValues {
  /** Throws PEL-REF for a name that was not declared. */
  output(name: string): Value;
  readonly receipt: Value;
}

/** Makes the nodes of a program one by one. What is wrong with a node, or an argument, is a PelError at once. */
export class ProgramBuilder {
  readonly #nodes: Node[] = [];
  readonly #outputs: ProgramOutput[] = [];
  #index: readonly number[] = [];

  /** An artifact that a run is given; the same name again is the same input. */
  input(name: string, options: { readonly tag?: Tag } = {}): Value {
    expectText(name, "the name of an input");
    expectArgument(isRecord(options), "an object of options");
    return this.#add({ op: "input", name, tag: options.tag, refs: [] });
  }
  /** Bytes, of which it keeps a copy, or text as UTF-8. */
  const(bytes: Uint8Array | string): Value {
    expectArgument(typeof bytes === "string" || bytes instanceof Uint8Array, "a Uint8Array, or text,");
    return this.#add({ op: "const", bytes: copyOf(typeof bytes === "string" ? Buffer.from(bytes) : bytes), refs: [] });
  }
  /** One to 65,534 values, one behind the other. */
  concat(values: readonly Value[]): Value {
    return this.#add({ op: "concat", refs: this.#refs(values) });
  }
  /** `length` bytes from `offset`, by default all to the end. */
  slice(value: Value, offset: number, length?: number): Value {
    return this.#add({ op: "slice", offset, length, refs: this.#refs([value]) });
  }
  /** SHA-256: 32 bytes. */
  hash(value: Value): Value {
    return this.#add({ op: "hash", refs: this.#refs([value]) });
  }
  /** Eight bytes, little-endian. */
  length(value: Value): Value {
    return this.#add({ op: "length", refs: this.#refs([value]) });
  }
  /** The case that the little-endian number in `selector` tells; the first is 0. */
  select(selector: Value, cases: readonly Value[]): Value {
    return this.#add({ op: "select", refs: [this.#ref(selector), ...this.#refs(cases)] });
  }
  /** One part more than there are offsets, which ascend. */
  split(value: Value, at: readonly number[]): Value[] {
    expectArgument(Array.isArray(at), "an array of offsets");
    const { ref } = this.#add({ op: "split", at: [...at], refs: this.#refs([value]) });
    return Array.from({ length: at.length + 1 }, (_, output) => new Value(this, { node: ref.node, output }));
  }
  guest(options: GuestOptions): GuestValues {
    expectGuestOptions(options);
    const inputs = Object.entries(options.inputs ?? {}).map(([name, value]) => [name, this.#ref(value)] as const);
    const outputs = (options.outputs ?? []).map((output) => (typeof output === "string" ? { name: output } : output));
    const { fuel = GUEST_LIMITS.fuel, ...counts } = options.limits ?? {};
    const limits = { ...counts, fuel: Number.isSafeInteger(fuel) ? BigInt(fuel) : (fuel as bigint) };
    const node = guestNode({ ...options, inputs, outputs, limits });
    const first = this.#add(node);
    return {
      receipt: first.receipt,
      output: (name) => {
        const output = node.outputs.findIndex((declared) => declared.name === name);
        if (output >= 0) return new Value(this, { node: first.ref.node, output });
        throw new PelError("PEL-REF", `the guest declares no output ${JSON.stringify(name)}`);
      },
    };
  }

  /** Makes `value` an output of the program. */
  output(name: string, value: Value): this {
    expectText(name, "the name of an output");
    this.#outputs.push({ name, ref: this.#ref(value) });
    return this;
  }

  /** The program of what was made so far. Throws a PelError: pointers are into the nodes in the order in which they were made. */
  build(): Program {
    const { program, index } = canonicalProgram(this.#nodes, this.#outputs);
    this.#index = index;
    return program;
  }

  /** Index of the node of `value` in the program that was built last. */
  indexOf(value: Value): number {
    const index = this.#index[this.#ref(value).node];
    if (index === undefined) throw new PelError("PEL-ARGUMENT", "the node is in no program that was built");
    return index;
  }

  #add(node: Node): Value {
    const index = this.#nodes.length;
    checkNode(node, node.refs.length, (code: PelCode, message, pointer) => {
      throw new PelError(code, message, { pointer: `/nodes/${index}${pointer}`, node: index });
    });
    this.#nodes.push(node);
    return new Value(this, { node: index, output: 0 });
  }
  #refs(values: readonly Value[]): Ref[] {
    expectArgument(Array.isArray(values), "an array of values");
    return values.map((value) => this.#ref(value));
  }
  #ref(value: Value): Ref {
    expectArgument(value instanceof Value && value.builder === this, "a value of this builder");
    return value.ref;
  }
}

function expectGuestOptions(options: GuestOptions): void {
  expectArgument(isRecord(options), "an object of options");
  const { module, args = [], inputs = {}, outputs = [], limits = {} } = options;
  expectArgument(isKey(module), "the key of a module");
  for (const option of ["entry", "stdout", "stderr", "assets"] as const)
    if (options[option] !== undefined) expectText(options[option], option);
  expectArgument(
    Array.isArray(args) && args.every((argument) => typeof argument === "string"),
    "an array of arguments",
  );
  expectArgument(isRecord(inputs), "an object of values by names");
  const isOutput = (output: unknown): boolean =>
    typeof output === "string" || (isRecord(output) && "name" in output && typeof output.name === "string");
  expectArgument(Array.isArray(outputs) && outputs.every(isOutput), "an array of names, and of objects with a name,");
  expectArgument(isRecord(limits), "an object of limits");
  const unknown = Object.keys(limits).find((name) => !Object.hasOwn(GUEST_LIMITS, name));
  if (unknown !== undefined) throw new PelError("PEL-ARGUMENT", `there is no limit ${JSON.stringify(unknown)}`);
}

function expectText(text: unknown, what: string): void {
  expectArgument(typeof text === "string", `${what}, which is text,`);
}

function isRecord(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isKey(key: unknown): boolean {
  try {
    return typeof key === "string" && keyBytes(key).length > 0;
  } catch {
    return false;
  }
}
