/** One guest as a kernel, from its module to its outcome (spec PEL-KERNEL). Knows nothing of threads. */
import { Exit } from "../../syscalls/exit.ts";
import { LimitError, LinkError, UsageError } from "../../vm/errors.ts";
import type { Engine } from "../../vm/execution.ts";
import type { Instance } from "../../vm/instance.ts";
import type { Module } from "../../vm/module.ts";
import { Store } from "../../vm/store.ts";
import { Trap, TrapCode } from "../../vm/trap.ts";
import { decodeUtf8 } from "../../vm/utf8.ts";
import { type Abi, type AbiOptions, abiSeries } from "../abi.ts";
import { textOfKey } from "../asl/key.ts";
import type { ArtifactStore } from "../asl/syscalls.ts";
import { PackError } from "../assets/errors.ts";
import { openPack, type Pack } from "../assets/pack.ts";
import { type Called, calledOf, EntryError } from "../entry.ts";
import type { Entry, OpenDirectory } from "../fs/file-system.ts";
import type { StreamName } from "../fs/handles.ts";
import { MemoryFileSystem } from "../fs/memory.ts";
import { FailureCode, type FailureName, type Outcome } from "./claim.ts";
import { type Input, InputFileSystem, type ReadInput } from "./input-files.ts";
import type { KernelEnd, KernelOutput } from "./kernel-messages.ts";
import { compareNames, type GuestNode, type Tag } from "./program.ts";
import { Trace } from "./trace.ts";

/** Artifacts by the calls of `asl`. */
export interface KernelStore extends ArtifactStore {
  /** What was sealed, in that order. */
  readonly sealed: readonly { readonly key: Uint8Array; readonly tag: Tag }[];
}

export interface Kernel {
  readonly node: GuestNode;
  /** In the order of the node's. */
  readonly inputs: readonly Input[];
  /** Throws what no status is to tell a guest of. */
  readonly read: ReadInput;
  /** Of a node whose `io` is `artifacts`. */
  readonly store: KernelStore | undefined;
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly engine: Engine;
  readonly interrupt: Int32Array;
  /** Adopts code for the imports, or keeps what was made for them. */
  readonly code?: { before(abi: Abi): void; after(abi: Abi): void };
}

const OK: Outcome = { type: "ok" };

/** A node of a guest whose module, pack, or what it left is not what it should be. */
function failure(name: FailureName, detail: string): Outcome {
  return { type: "failure", code: FailureCode[name], detail };
}

/** Most names under `/out`: more than a node can declare. */
const MOST_FILES = 65_536;
const TRACE = new Trace();
const ABIS = abiSeries(TRACE);

/**
 * Runs a kernel. What the guest and its module do is told by the outcome. Throws Stopped, what the host failed at (VM-HOST-MEMORY,
 * VM-HOST-STACK), and what `read` and `store` throw.
 */
export function runKernel(module: Module, kernel: Kernel): KernelEnd {
  const { node } = kernel;
  let called: Called;
  try {
    called = callOf(module, node.entry);
  } catch (error) {
    return bad("BAD_MODULE", error);
  }
  const outputs = new Outputs(node);
  let pack: Pack | undefined;
  try {
    let abi: Abi;
    try {
      pack = openAssets(kernel);
      abi = ABIS.next(optionsOf(kernel, outputs, pack));
    } catch (error) {
      return bad("BAD_ASSETS", error);
    }
    return execute(module, kernel, called, outputs, abi);
  } finally {
    ABIS.release();
    pack?.close();
  }
}

function execute(module: Module, kernel: Kernel, called: Called, outputs: Outputs, abi: Abi): KernelEnd {
  const { node, engine, interrupt } = kernel;
  const { fuel, memoryPages, tableElements, depth, heapObjects, heapBytes } = node.limits;
  const limits = { memoryPages, tableElements, depth, heapObjects, heapBytes };
  const store = new Store({ engine, fuel, limits, kinds: abi.kinds, state: abi.state, interrupt });
  TRACE.begin(outputs);
  let outcome: Outcome;
  try {
    if (engine === "compiled") kernel.code?.before(abi);
    outcome = endOf(() => {
      const instance = module.instantiate({ store, imports: abi.imports, check: abi.check });
      return call(instance, called);
    });
    if (engine === "compiled") kernel.code?.after(abi);
    const made = outcome.type === "ok" ? outputs.collect(kernel.store) : [];
    const ended = Array.isArray(made) ? outcome : (made as Outcome);
    return {
      outcome: ended,
      fuel: store.fuelUsed,
      trace: TRACE.end(),
      outputs: Array.isArray(made) ? made : [],
    };
  } finally {
    store.recycle();
  }
}

/** How what `run` does ends; it answers an exit code. */
function endOf(run: () => number): Outcome {
  let code: number;
  try {
    code = run();
  } catch (error) {
    if (error instanceof Exit) code = error.exitCode;
    else if (error instanceof Trap) {
      if (error.code === TrapCode.OutOfFuel) return { type: "out-of-fuel" };
      return { type: "trap", code: error.code, function: error.function, offset: error.offset };
    } else if (error instanceof LinkError || error instanceof LimitError) return failure("BAD_MODULE", error.code);
    else throw error;
  }
  return code === 0 ? OK : { type: "exit", code };
}

/** Calls what the kernel begins with, and answers its exit code. */
function call(instance: Instance, { first, name, isEntry }: Called): number {
  for (const initializer of first) instance.invoke(initializer);
  const [result] = instance.invoke(name!);
  // The low eight bits, as operating systems take them.
  return isEntry && typeof result === "number" ? result & 255 : 0;
}

/** A kernel that did not begin. */
function bad(name: FailureName, error: unknown): KernelEnd {
  const code = codeOf(error);
  if (code === undefined) throw error;
  TRACE.begin();
  return { outcome: failure(name, code), fuel: 0n, trace: TRACE.end(), outputs: [] };
}

/** Code of what is wrong with a module or pack; undefined of what the host failed at. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof PackError) return error.code === "PACK-READ" ? undefined : error.code;
  if (error instanceof EntryError) return error.code;
  return error instanceof UsageError && error.code === "VM-NO-EXPORT" ? error.code : undefined;
}

/** What is wrong with the bytes of a module, as an outcome; throws what the host failed at. */
export function refused(error: unknown): KernelEnd {
  const { code } = error as { readonly code?: unknown };
  if (!(error instanceof Error) || typeof code !== "string" || !MODULE_CODES.has(code)) throw error;
  TRACE.begin();
  return { outcome: failure("BAD_MODULE", code), fuel: 0n, trace: TRACE.end(), outputs: [] };
}
const MODULE_CODES: ReadonlySet<string> = new Set(["VM-DECODE", "VM-VALIDATION", "VM-UNSUPPORTED_FEATURE", "VM-LIMIT"]);

/** What is called of a module, by the name of the entry. */
const CALLED = new WeakMap<Module, Map<string | undefined, Called>>();

/** Throws EntryError, UsageError. */
function callOf(module: Module, entry: string | undefined): Called {
  let known = CALLED.get(module);
  if (known === undefined) CALLED.set(module, (known = new Map()));
  let called = known.get(entry);
  if (called === undefined) {
    called = calledOf(module, entry === undefined ? undefined : { name: entry });
    if (entry !== undefined) called = { ...called, isEntry: checkEntry(module, entry) };
    known.set(entry, called);
  }
  return called;
}

/** Whether an entry's result is the exit code. Throws EntryError for one that takes something, or answers something else. */
function checkEntry(module: Module, entry: string): boolean {
  const type = module.exports.find(({ name }) => name === entry)!.type;
  if (type.kind !== "function") throw new EntryError(`${entry} is no function`);
  const { params, results } = type.type;
  if (params.length > 0 || results.length > 1 || (results.length === 1 && results[0] !== "i32"))
    throw new EntryError(`The function ${entry} takes parameters, or answers something else than an exit code.`);
  return results.length === 1;
}

function openAssets({ node, inputs, read }: Kernel): Pack | undefined {
  if (node.assets === undefined) return undefined;
  const input = inputs[node.inputs.indexOf(node.assets)]!;
  return openPack(
    {
      size: input.bytes,
      read: (position, into) => {
        const wanted = Math.min(Math.max(input.bytes - position, 0), into.length);
        if (wanted > 0) read(input, position, into.subarray(0, wanted));
        return wanted;
      },
    },
    { label: input.name },
  );
}

/** What the guest is given (spec PEL-KERNEL-2). */
function optionsOf({ node, inputs, read, store, seed }: Kernel, outputs: Outputs, pack: Pack | undefined): AbiOptions {
  const own = {
    args: node.args,
    stdin: NOTHING,
    stdout: outputs.output("stdout"),
    stderr: outputs.output("stderr"),
    seed,
    ...(pack !== undefined && { assets: pack }),
  };
  if (store !== undefined)
    return {
      ...own,
      store,
      storeQuota: { bytes: node.limits.outputBytes, artifacts: node.outputs.length + 1 },
      env: variablesOf(inputs),
    };
  const files = node.assets === undefined ? inputs : inputs.filter(({ name }) => name !== node.assets);
  const mounts = [
    { guest: "/in", fs: new InputFileSystem(files, read) },
    { guest: "/out", fs: outputs.files },
  ];
  return { ...own, mounts };
}

const NOTHING = new Uint8Array(0);

/** Keys of the inputs, by their names (spec PEL-KERNEL-5). */
function variablesOf(inputs: readonly Input[]): (readonly [string, string])[] {
  return inputs.filter(({ name }) => !name.includes("=")).map(({ name, key }) => [name, textOfKey(key)]);
}

/** What a kernel makes: files, and what it writes to streams. */
class Outputs {
  readonly files: MemoryFileSystem;
  /** Streams that are outputs. */
  readonly streams: ReadonlySet<StreamName>;
  readonly #node: GuestNode;
  readonly #written = new Map<string, Growing>();

  constructor(node: GuestNode) {
    const { limits, stdout, stderr } = node;
    this.#node = node;
    this.files = new MemoryFileSystem({}, { bytes: limits.outputBytes, files: MOST_FILES });
    const streams = new Set<StreamName>();
    if (stdout !== undefined) streams.add("stdout");
    if (stderr !== undefined) streams.add("stderr");
    this.streams = streams;
  }

  /** Takes a stream. */
  output(stream: "stdout" | "stderr"): (bytes: Uint8Array) => void {
    const name = this.#node[stream];
    if (name === undefined) return discard;
    const written = new Growing(this.#node.limits.outputBytes);
    this.#written.set(name, written);
    return (bytes) => written.add(bytes);
  }

  /** Everything that is declared, in that order; or why the node has failed. */
  collect(store: KernelStore | undefined): KernelOutput[] | Outcome {
    return store === undefined ? this.#collectFiles() : this.#collectSealed(store);
  }

  #collectFiles(): KernelOutput[] | Outcome {
    const { outputs } = this.#node;
    const { files } = this;
    const entries = (files.openDirectory(files.root) as OpenDirectory).list() as readonly Entry[];
    const kinds = new Map(entries.map(({ name, kind }) => [decodeUtf8(name)!, kind]));
    const declared = new Set(outputs.map(({ name }) => name).filter((name) => !this.#written.has(name)));
    const undeclared = [...kinds.keys()].filter((name) => !declared.has(name)).sort(compareNames);
    if (undeclared.length > 0) return failure("UNDECLARED_OUTPUT", undeclared[0]!);
    for (const name of declared) if (kinds.get(name) !== "file") return failure("MISSING_OUTPUT", name);
    return outputs.map(({ name }) => ({ name, bytes: this.#written.get(name)?.bytes() ?? files.get(name)! }));
  }

  #collectSealed({ sealed }: KernelStore): KernelOutput[] | Outcome {
    const made: KernelOutput[] = [];
    let next = 0;
    for (const { name, tag } of this.#node.outputs) {
      const written = this.#written.get(name);
      const found = sealed[next];
      if (written !== undefined) made.push({ name, bytes: written.bytes() });
      else if (found === undefined || found.tag !== tag) return failure("MISSING_OUTPUT", name);
      else {
        made.push({ name, key: found.key });
        next++;
      }
    }
    return next < sealed.length ? failure("UNDECLARED_OUTPUT", textOfKey(sealed[next]!.key)) : made;
  }
}

function discard(): void {}

/** Bytes of a stream. */
class Growing {
  readonly #most: number;
  #buffer = NOTHING;
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }
  add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#most) throw Object.assign(new Error("no more may be written"), { code: "EDQUOT" });
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#most, Math.max(1024, length, 2 * this.#buffer.length)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
  /** Of their own. */
  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }
}
