/** Runs programs (spec PEL-RUN): what is remembered is taken, primitives run on this thread, guests on threads of their own. */
import { availableParallelism } from "node:os";
import { Stopped } from "../../vm/errors.ts";
import type { Engine } from "../../vm/execution.ts";
import type { Batch } from "../asl/batch.ts";
import { AslError } from "../asl/errors.ts";
import { type ArtifactKey, algorithmNamed, copyOf, keyBytes, keyText, multihashOf, ParsedKey } from "../asl/key.ts";
import { Namespace } from "../asl/namespace.ts";
import { type SnapshotReference, Store } from "../asl/store.ts";
import type { ArtifactRecord, ArtifactStat, KeyLike, View } from "../asl/view.ts";
import { digestOf } from "../assets/hash.ts";
import { CborWriter } from "../tgk/cbor.ts";
import { EdgeType, stageEdge } from "../tgk/edge.ts";
import { type Known, type Made, NodeArtifacts, textOf } from "./artifacts.ts";
import {
  type ArtifactRef,
  decodedRef,
  encodeRunClaim,
  type NamedRef,
  type Outcome,
  TypeTag,
  VERSIONS,
  writeContext,
  writeNodeClaim,
  writeRequest,
} from "./claim.ts";
import { compileShapes, exportName, PEL_COMPILER, type Shape, shapeOf } from "./compile.ts";
import { expectArgument, PelError } from "./errors.ts";
import { type CodeCache, type KernelEnd, KernelPool } from "./kernel-pool.ts";
import { memoName, memoOf } from "./memo.ts";
import { type Executed, Primitives } from "./primitives.ts";
import {
  compareNames,
  decodeProgram,
  encodeProgram,
  type GuestNode,
  type Node,
  type Program,
  type Tag,
  writeNode,
} from "./program.ts";

export interface RunOptions {
  /** By name of an input of the program: the key of an artifact, of which the store has a record with the input's tag. */
  readonly inputs?: { readonly [name: string]: KeyLike } | undefined;
  /** Name of the snapshot that inputs, the program and guests' modules are taken from; by default the store as it is now. */
  readonly snapshot?: string | undefined;
  /** `compiled` by default; nothing that a run leaves tells the two apart. */
  readonly engine?: Engine | undefined;
  /** Threads for guests: as many as there are processors by default, 1 at least. */
  readonly workers?: number | undefined;
  /** False: everything is executed, whatever is remembered. */
  readonly cache?: boolean | undefined;
  /** True: after a failure all nodes run that do not depend on it. */
  readonly keepGoing?: boolean | undefined;
  /** Stops the run, which throws Stopped; nodes that had ended stay remembered. */
  readonly signal?: AbortSignal | undefined;
  /** Hears, now and then, how far it is. What it throws ends the run; what it answers is not looked at. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Most bytes that nodes may make in all; PEL-LIMIT beyond. No limit by default: a program of a few nodes can ask for any number. */
  readonly storeBytes?: number | undefined;
  /** Keeps compiled guests from one run to the next. */
  readonly codeCache?: CodeCache | undefined;
  /** Where artifacts are looked for that the store lacks. */
  readonly from?: View | undefined;
}

export interface Progress {
  /** Of the program, inputs not counted. */
  readonly nodes: number;
  /** That have ended, or will not run. */
  readonly done: number;
  readonly hits: number;
  readonly executed: number;
  /** In the outputs of nodes that were executed. */
  readonly bytes: number;
}

export interface NodeReport {
  readonly index: number;
  readonly op: Node["op"];
  /** `skipped`: it depends on a node that failed, or stands behind one. */
  readonly state: "input" | "hit" | "executed" | "skipped";
  /** Undefined for inputs and what was skipped. */
  readonly outcome: Outcome | undefined;
  readonly claim: ArtifactKey | undefined;
  readonly outputs: readonly ArtifactRef[];
  /** In its outputs; undefined when nothing had to look. */
  readonly bytes: number | undefined;
  readonly fuel: bigint;
}

export interface RunResult {
  /** Of the run: its receipt. */
  readonly claim: ArtifactKey;
  readonly program: ArtifactKey;
  /** Index of the first node that failed. */
  readonly failed: number | undefined;
  /** Those that there are, sorted by names. */
  readonly outputs: readonly NamedRef[];
  readonly nodes: readonly NodeReport[];
  readonly hits: number;
  readonly executed: number;
}

/** Bytes of a node's outputs that are held in memory until it has ended; more go to a batch of its own. */
const HELD_BYTES = 256 * 1024;
/** Bytes and nodes of a batch of several nodes: it is one frame of the log. */
const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_NODES = 8192;
/** Artifacts that are kept in memory when they were made, and the longest. */
const REMEMBERED = 8192;
const REMEMBERED_BYTES = 1024;
/** Of a put, beside the artifact. */
const PUT_BYTES = 160;
/** Guests that wait for a thread, so that it has the next one while this thread keeps what the last one made. */
const AHEAD = 2;
/** Longest time that this thread works without looking at anything else. */
const SLICE_MS = 8;

/** The run that others wait for, by store: one at a time, so that what one does the next finds done (spec PEL-RUN-6). */
const runs = new WeakMap<Store, Promise<unknown>>();

/**
 * Runs a program, given or by its key. Answers when all that it made is on disk; what nodes fail at is in the answer. Throws PelError for inputs that
 * do not fit, AslError, and Stopped.
 *
 * ```ts
 * const store = await Store.open("artifacts", { create: true });
 * const text = await store.put(readFileSync("text.txt"));
 * const program = new ProgramBuilder();
 * program.output("size", program.length(program.input("text")));
 * const { claim, outputs } = await runProgram(store, program.build(), { inputs: { text } });
 * ```
 */
export async function runProgram(
  store: Store,
  program: Program | KeyLike,
  options: RunOptions = {},
): Promise<RunResult> {
  checkOptions(store, options);
  const before = runs.get(store);
  // A snapshot may be dropped while others run.
  const named = options.snapshot === undefined ? undefined : sourceOf(store, options.snapshot);
  const turn = (async () => {
    await unlessAborted(before, options.signal);
    const run = new Run(store, program, options, named ?? sourceOf(store, undefined));
    try {
      return await run.work();
    } finally {
      await run.close();
    }
  })();
  const all = Promise.allSettled([before, turn]).then(() => {
    if (runs.get(store) === all) runs.delete(store);
  });
  runs.set(store, all);
  return await turn;
}

/** What a run takes its sources from. */
interface Source {
  readonly view: View;
  readonly reference: SnapshotReference;
}

/** The snapshot of this name, or the store as it is. Throws ASL-NOT-FOUND. */
function sourceOf(store: Store, snapshot: string | undefined): Source {
  store.flush();
  if (snapshot === undefined) return { view: store.view(), reference: store.reference };
  const view = store.at(snapshot);
  return { view, reference: store.snapshots().find(({ name }) => name === snapshot)! };
}

/** Most threads of a run. */
const MOST_WORKERS = 256;

/** What JavaScript may have been given. Throws PEL-ARGUMENT. */
function checkOptions(store: Store, options: RunOptions): void {
  expectArgument(store instanceof Store, "a store that is open");
  expectArgument(typeof options === "object" && options !== null, "options in an object");
  const { inputs, snapshot, engine, workers, signal, onProgress, storeBytes = 0, codeCache, from } = options;
  expectArgument(
    inputs === undefined || (typeof inputs === "object" && inputs !== null),
    "keys of inputs in an object",
  );
  expectArgument(snapshot === undefined || typeof snapshot === "string", "the name of a snapshot");
  expectArgument(
    engine === undefined || engine === "compiled" || engine === "reference",
    "the engine compiled or reference",
  );
  const count = workers ?? 1;
  expectArgument(Number.isInteger(count) && count >= 1 && count <= MOST_WORKERS, `workers from 1 to ${MOST_WORKERS}`);
  expectArgument(signal === undefined || signal instanceof AbortSignal, "an AbortSignal");
  expectArgument(onProgress === undefined || typeof onProgress === "function", "a function that hears of progress");
  expectArgument(Number.isSafeInteger(storeBytes) && storeBytes >= 0, "storeBytes from 0 to 2^53 - 1");
  const isCache = typeof codeCache?.read === "function" && typeof codeCache.write === "function";
  expectArgument(codeCache === undefined || isCache, "a cache that reads and writes code");
  expectArgument(from === undefined || typeof from?.readInto === "function", "a view of another store");
}

/** Waits, or throws Stopped. */
async function unlessAborted(before: Promise<unknown> | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (before === undefined) return;
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => reject(new Stopped());
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    void before.then(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
  });
}

/** Of a node: its place in {@link STATES}. */
const State = { SKIPPED: 0, INPUT: 1, HIT: 2, EXECUTED: 3 } as const;
const STATES: readonly NodeReport["state"][] = ["skipped", "input", "hit", "executed"];

/** What is known of a node that has ended. */
interface Ended {
  /** Undefined of inputs. */
  readonly claim: Known | undefined;
  readonly outputs: readonly Known[];
  readonly outcome: Outcome;
  readonly fuel: bigint;
  readonly bytes: number | undefined;
}

/** What a node asks for. */
interface Asked {
  readonly index: number;
  readonly inputs: readonly Known[];
  readonly request: Uint8Array;
  /** In the memo: SHA-256 of the request. */
  readonly name: Uint8Array;
}

const OK: Outcome = { type: "ok" };

class Run {
  readonly #store: Store;
  readonly #options: RunOptions;
  readonly #source: View;
  readonly #reference: SnapshotReference;
  readonly #domain: Uint8Array;
  readonly #algorithm: number;
  readonly #program: Program;
  readonly #programKey: Known;
  /** Sorted by names. */
  readonly #inputs: readonly NamedRef[];
  readonly #nodes: readonly Node[];
  readonly #engine: Engine;
  readonly #key = new ParsedKey();
  /** Inputs by name. */
  readonly #given = new Map<string, Known>();

  // By node.
  readonly #state: Uint8Array;
  readonly #ended: (Ended | undefined)[];
  /** How many refs are to nodes that have not ended. */
  readonly #unmet: Uint32Array;
  readonly #blocked: Uint8Array;
  /**
   * Refs to node n: `#dependants[#first[n]]` to `#dependants[#first[n + 1] - 1]`; each is the node that it is of, twice, and one more if it is to
   * a receipt.
   */
  readonly #first: Uint32Array;
  readonly #dependants: Uint32Array;

  #queue: number[] = [];
  #done = 0;
  #hits = 0;
  #executed = 0;
  #bytes = 0;
  /** Bytes that nodes made, also of those that failed. */
  #made = 0;
  #failed = Number.POSITIVE_INFINITY;

  /** What has ended and is not committed yet. */
  #batch: Batch | undefined;
  #batchBytes = 0;
  #batchNodes = 0;
  /** Claims of that, by request. */
  readonly #pending = new Map<string, Ended>();

  /** What was made last and is small: a ring. */
  readonly #remembered: Known[] = [];
  #nextRemembered = 0;

  readonly #request = new CborWriter();
  readonly #writer = new CborWriter();
  readonly #artifacts: NodeArtifacts;
  #primitives: Primitives | undefined;
  #pool: KernelPool | undefined;
  /** Guests that run, by node. */
  readonly #running = new Map<number, AbortController>();
  readonly #waiting: Asked[] = [];
  /** Requests of guests that run or wait, and the nodes that wait for the same one. */
  readonly #asked = new Map<string, number[]>();
  #trouble: unknown;
  #wake: () => void = () => {};

  constructor(store: Store, program: Program | KeyLike, options: RunOptions, { view, reference }: Source) {
    if (store.isReadOnly) throw new AslError("ASL-READ-ONLY", "the store was opened for reading");
    this.#store = store;
    this.#options = options;
    this.#engine = options.engine ?? "compiled";
    this.#algorithm = algorithmNamed(store.algorithm).number;
    this.#domain = store.domain;
    this.#source = view;
    this.#reference = reference;
    this.#artifacts = this.#newArtifacts();
    this.#program = this.#load(program);
    const { nodes } = this.#program;
    this.#nodes = nodes;
    this.#inputs = this.#checkInputs();
    this.#programKey = this.#keyOf(program);

    this.#state = new Uint8Array(nodes.length);
    this.#ended = new Array(nodes.length).fill(undefined);
    this.#unmet = Uint32Array.from(nodes, ({ refs }) => refs.length);
    this.#blocked = new Uint8Array(nodes.length);
    this.#first = new Uint32Array(nodes.length + 1);
    for (const { refs } of nodes) for (const ref of refs) this.#first[ref.node + 1]!++;
    for (let k = 0; k < nodes.length; k++) this.#first[k + 1]! += this.#first[k]!;
    this.#dependants = new Uint32Array(this.#first[nodes.length]!);
    const next = this.#first.slice();
    for (let k = 0; k < nodes.length; k++)
      for (const { node, output } of nodes[k]!.refs)
        this.#dependants[next[node]!++] = 2 * k + (output === undefined ? 1 : 0);
  }

  // ---- before it begins

  #load(program: Program | KeyLike): Program {
    // Whoever made it by hand may have made something else than a program.
    if (!isKey(program)) {
      if (!Array.isArray(program?.nodes) || !Array.isArray(program.outputs))
        throw new PelError("PEL-ARGUMENT", "a program, or the key of one, was expected");
      return decodeProgram(encodeProgram(program));
    }
    const bytes = this.#source.get(program) ?? this.#options.from?.get(program);
    if (bytes !== undefined) return decodeProgram(bytes);
    const { algorithm, bytes: digest, at } = this.#key.parse(program);
    throw new PelError("PEL-INPUT", `the store has no such program${this.#where()}`, {
      key: keyText(algorithm, digest, at),
    });
  }
  /** The program as an artifact, which is put if it is not there. */
  #keyOf(program: Program | KeyLike): Known {
    let key: ArtifactKey;
    if (isKey(program)) {
      const { algorithm, bytes, at } = this.#key.parse(program);
      key = keyText(algorithm, bytes, at);
    } else {
      const batch = this.#store.batch();
      key = batch.put(encodeProgram(program), { typeTag: TypeTag.PROGRAM });
      batch.commit();
    }
    return { key: keyBytes(key), tag: TypeTag.PROGRAM, bytes: undefined, logseq: undefined };
  }

  /** The inputs of the run, which are those of the program, and are there. */
  #checkInputs(): NamedRef[] {
    const given = new Map(Object.entries(this.#options.inputs ?? {}));
    const inputs: NamedRef[] = [];
    for (const [index, node] of this.#nodes.entries()) {
      if (node.op === "guest") this.#checkModule(node, index);
      if (node.op !== "input") continue;
      const { name, tag } = node;
      const key = given.get(name);
      if (key === undefined)
        throw new PelError("PEL-INPUT", `nothing is given for the input ${quoted(name)}`, { node: index });
      given.delete(name);
      const { algorithm, bytes, at } = this.#key.parse(key);
      const text = keyText(algorithm, bytes, at);
      const stat = this.#source.stat(text) ?? this.#options.from?.stat(text);
      if (stat === undefined)
        throw new PelError("PEL-INPUT", `the store has no artifact for the input ${quoted(name)}${this.#where()}`, {
          key: text,
          node: index,
        });
      if (recordOf(stat, tag) === undefined)
        throw new PelError("PEL-INPUT", `the input ${quoted(name)} wants ${tagText(tag)}, and the artifact has none`, {
          key: text,
          node: index,
        });
      inputs.push({ name, key: text, tag });
      this.#given.set(name, { key: keyBytes(text), tag, bytes: stat.length, logseq: recordOf(stat, tag)!.logseq });
    }
    for (const name of given.keys()) throw new PelError("PEL-INPUT", `the program has no input ${quoted(name)}`, {});
    return inputs.sort((left, right) => compareNames(left.name, right.name));
  }
  #checkModule({ module }: GuestNode, node: number): void {
    if (this.#source.has(module) || this.#options.from?.has(module) === true) return;
    throw new PelError("PEL-MODULE", `the store has no such module${this.#where()}`, { key: module, node });
  }
  #where(): string {
    const { snapshot } = this.#options;
    return snapshot === undefined ? "" : ` in the snapshot ${quoted(snapshot)}`;
  }

  // ---- the work

  async work(): Promise<RunResult> {
    try {
      for (let k = 0; k < this.#nodes.length; k++) if (this.#unmet[k] === 0) this.#queue.push(k);
      await this.#drain();
      const result = this.#finish();
      this.#commit();
      return result;
    } catch (error) {
      for (const stop of this.#running.values()) stop.abort();
      await this.#settled();
      // What has ended has ended: the next run finds it.
      try {
        this.#commit();
      } catch (second) {
        throw error instanceof Stopped ? second : error;
      }
      throw error;
    }
  }

  async #drain(): Promise<void> {
    const { signal, onProgress } = this.#options;
    const stopped = (): void => {
      this.#trouble ??= new Stopped();
      this.#wake();
    };
    if (signal?.aborted) throw new Stopped();
    signal?.addEventListener("abort", stopped, { once: true });
    try {
      let at = 0;
      let until = performance.now() + SLICE_MS;
      for (;;) {
        if (this.#trouble !== undefined) throw this.#trouble;
        const queue = this.#queue;
        if (at < queue.length) {
          this.#visit(queue[at++]!);
          if (at > 4096 && at * 2 > queue.length) {
            this.#queue = queue.slice(at);
            at = 0;
          }
          if (performance.now() < until) continue;
          onProgress?.(this.#progress());
          await new Promise((resolve) => setImmediate(resolve));
          until = performance.now() + SLICE_MS;
          continue;
        }
        if (this.#running.size === 0) return;
        onProgress?.(this.#progress());
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        until = performance.now() + SLICE_MS;
      }
    } finally {
      signal?.removeEventListener("abort", stopped);
    }
  }
  #progress(): Progress {
    const inputs = this.#inputs.length;
    return {
      nodes: this.#nodes.length - inputs,
      done: Math.max(0, this.#done - inputs),
      hits: this.#hits,
      executed: this.#executed,
      bytes: this.#bytes,
    };
  }
  /** All guests that ran have ended, in one way or another. */
  async #settled(): Promise<void> {
    while (this.#running.size > 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  /** A node whose refs have all ended. */
  #visit(index: number): void {
    const node = this.#nodes[index]!;
    if (this.#blocked[index] === 1 || (index > this.#failed && this.#options.keepGoing !== true)) {
      this.#skip(index);
      return;
    }
    if (node.op === "input") {
      const known = this.#given.get(node.name)!;
      this.#end(index, State.INPUT, { claim: undefined, outputs: [known], outcome: OK, fuel: 0n, bytes: undefined });
      return;
    }
    const inputs = node.refs.map((ref) => {
      const ended = this.#ended[ref.node]!;
      return ref.output === undefined ? ended.claim! : ended.outputs[ref.output]!;
    });
    writeRequest(this.#request.reset(), node, inputs);
    const request = this.#request.written;
    const name = memoName(request);
    if (this.#options.cache !== false && this.#takeMemo(index, request, name)) return;
    const asked: Asked = { index, inputs, request, name: copyOf(name) };
    if (node.op === "guest") {
      this.#ask({ ...asked, request: copyOf(request) });
      return;
    }
    this.#primitives ??= this.#compile();
    const logseq = 1 + this.#highest(inputs);
    this.#artifacts.begin(inputs, logseq);
    let executed: Executed;
    try {
      executed = this.#primitives.run(node, inputs);
    } catch (error) {
      this.#artifacts.discardBatch();
      throw error;
    }
    this.#keep(asked, logseq, executed, this.#artifacts.batch);
  }

  #takeMemo(index: number, request: Uint8Array, name: Uint8Array): boolean {
    const pending = this.#pending.size === 0 ? undefined : this.#pending.get(textOf(name));
    if (pending !== undefined) {
      this.#end(index, State.HIT, pending);
      return true;
    }
    const memo = memoOf(this.#store, request, name);
    if (memo === undefined || memo.gone !== undefined) return false;
    const { claim, length, result } = memo;
    this.#end(index, State.HIT, {
      claim: { key: claim, tag: TypeTag.CLAIM, bytes: length, logseq: undefined },
      outputs: result.outputs.map(({ key, tag }) => ({ key, tag, bytes: undefined, logseq: undefined })),
      outcome: result.outcome,
      fuel: result.fuel,
      bytes: undefined,
    });
    return true;
  }

  #end(index: number, state: number, ended: Ended): void {
    this.#ended[index] = ended;
    this.#state[index] = state;
    this.#done++;
    if (state === State.HIT) this.#hits++;
    if (state === State.EXECUTED) this.#executed++;
    const isFailed = ended.outcome.type !== "ok";
    if (isFailed && index < this.#failed) {
      this.#failed = index;
      if (this.#options.keepGoing !== true) this.#stopBehind(index);
    }
    this.#release(index, isFailed);
  }
  #skip(index: number): void {
    this.#state[index] = State.SKIPPED;
    this.#done++;
    this.#release(index, true);
  }
  /** Nodes that refer to this one need it no more; those that need what it has not made are blocked. */
  #release(index: number, isFailed: boolean): void {
    const hasReceipt = this.#ended[index] !== undefined;
    for (let k = this.#first[index]!; k < this.#first[index + 1]!; k++) {
      const ref = this.#dependants[k]!;
      const dependant = ref >> 1;
      if (isFailed && !(hasReceipt && (ref & 1) === 1)) this.#blocked[dependant] = 1;
      if (--this.#unmet[dependant]! === 0) this.#queue.push(dependant);
    }
  }
  /** Guests behind a node that failed need not go on: the receipt of the run does not tell of them (spec PEL-RUN-5). */
  #stopBehind(index: number): void {
    for (const [other, stop] of this.#running) if (other > index) stop.abort();
    for (let k = this.#waiting.length - 1; k >= 0; k--)
      if (this.#waiting[k]!.index > index) this.#giveUp(this.#waiting.splice(k, 1)[0]!);
  }

  // ---- primitives

  #newArtifacts(): NodeArtifacts {
    return new NodeArtifacts({
      algorithm: this.#algorithm,
      heldBytes: HELD_BYTES,
      read: (key, offset, into) => this.#read(key, offset, into),
      measure: (known) => this.#measure(known),
      begin: () => this.#store.batch(),
      charge: this.#options.storeBytes === undefined ? undefined : (bytes) => this.#charge(bytes),
    });
  }
  #charge(bytes: number): void {
    const storeBytes = this.#options.storeBytes!;
    this.#made += bytes;
    if (this.#made <= storeBytes) return;
    throw new PelError("PEL-LIMIT", `nodes may make ${storeBytes} bytes in all, and this one would make more`);
  }
  #read(key: Uint8Array, offset: number, into: Uint8Array): void {
    let count = (this.#batch ?? this.#store).readInto(key, into, 0, offset, into.length);
    if (count < 0) count = this.#options.from?.readInto(key, into, 0, offset, into.length) ?? -1;
    if (count === into.length) return;
    if (count < 0) throw this.#lost(key);
    throw new AslError("ASL-CORRUPT", `${count} bytes at ${offset} are there of ${into.length}`);
  }
  #lost(key: Uint8Array): AslError {
    const { algorithm, bytes, at } = this.#key.parse(key);
    return new AslError("ASL-NOT-FOUND", "an artifact that the run needs is not there any more", {
      key: keyText(algorithm, bytes, at),
    });
  }
  #measure(known: Known): number {
    if (known.bytes === undefined) this.#look(known);
    return known.bytes!;
  }
  /** Has the length and the causal height of an artifact. */
  #look(known: Known): void {
    const stat = (this.#batch ?? this.#store).stat(known.key) ?? this.#options.from?.stat(known.key);
    if (stat === undefined) throw this.#lost(known.key);
    known.bytes = stat.length;
    known.logseq ??= (recordOf(stat, known.tag) ?? stat.records[0]!).logseq;
  }
  #highest(inputs: readonly Known[]): number {
    let highest = 0;
    for (const known of inputs) {
      if (known.logseq === undefined) this.#look(known);
      if (known.logseq! > highest) highest = known.logseq!;
    }
    return highest;
  }

  /**
   * The compiled module of the program, which is an artifact (spec PEL-COMPILE-4). It is made anew, since that takes less than to hold what somebody
   * may have bound against what it should be.
   */
  #compile(): Primitives {
    const shapes = new Map<string, Shape>();
    let parameterBytes = 0;
    for (const node of this.#nodes) {
      const shape = shapeOf(node);
      if (shape === undefined) continue;
      shapes.set(exportName(shape), shape);
      if (node.op === "const") parameterBytes = Math.max(parameterBytes, node.bytes.length);
      if (node.op === "split") parameterBytes = Math.max(parameterBytes, 8 * node.at.length);
    }
    const bytes = compileShapes([...shapes.values()], parameterBytes);
    const batch = this.#begin();
    const name = digestOf(Buffer.concat([this.#programKey.key, Uint8Array.of(PEL_COMPILER)]));
    const { key } = batch.stage(bytes, { typeTag: TypeTag.MODULE });
    if (this.#store.resolve(Namespace.MODULE, name) !== key) batch.bind(Namespace.MODULE, name, key);
    this.#batchBytes += bytes.length;
    return new Primitives(bytes, this.#engine, this.#artifacts);
  }

  // ---- guests

  /** A guest is to run, unless the same one does already. */
  #ask(asked: Asked): void {
    const name = textOf(asked.name);
    const others = this.#asked.get(name);
    if (others !== undefined) {
      others.push(asked.index);
      return;
    }
    this.#asked.set(name, []);
    this.#waiting.push(asked);
    this.#start();
  }
  /** Has as many guests run as there are threads. */
  #start(): void {
    const workers = this.#options.workers ?? Math.min(MOST_WORKERS, availableParallelism());
    try {
      while (this.#trouble === undefined && this.#running.size < workers + AHEAD && this.#waiting.length > 0)
        this.#run(this.#waiting.shift()!, workers);
    } catch (error) {
      this.#trouble ??= error;
    }
  }
  #run(asked: Asked, workers: number): void {
    const { index, inputs } = asked;
    this.#pool ??= new KernelPool({ workers, codeCache: this.#options.codeCache });
    const node = this.#nodes[index] as GuestNode;
    const artifacts = this.#newArtifacts();
    const module = { key: keyBytes(node.module), tag: undefined, bytes: undefined, logseq: undefined };
    const logseq = 1 + this.#highest([...inputs, module]);
    artifacts.begin(inputs, logseq);
    const job = {
      node,
      inputs: inputs.map((known, k) => ({ name: node.inputs[k]!, key: known.key, bytes: this.#measure(known) })),
      store: artifacts,
      seed: seedOf(node, inputs),
      engine: this.#engine,
      module: () => {
        const bytes = this.#source.get(node.module) ?? this.#options.from?.get(node.module);
        if (bytes === undefined) throw this.#lost(module.key);
        return bytes;
      },
    };
    const stop = new AbortController();
    this.#running.set(index, stop);
    this.#pool.run(job, stop.signal).then(
      (end) => this.#guestEnded(asked, logseq, artifacts, end),
      (error: unknown) => this.#guestFailed(asked, artifacts, error),
    );
  }
  #guestEnded(asked: Asked, logseq: number, artifacts: NodeArtifacts, end: KernelEnd): void {
    const { index } = asked;
    try {
      if (artifacts.failure !== undefined) throw artifacts.failure;
      if (this.#trouble !== undefined) throw this.#trouble;
      const outputs = outputsOf(this.#nodes[index] as GuestNode, end, artifacts);
      this.#running.delete(index);
      const { outcome, fuel, trace } = end;
      // What a guest that failed has sealed is nobody's.
      if (outcome.type !== "ok") artifacts.discardBatch();
      this.#keep(asked, logseq, { outcome, fuel, trace, outputs }, artifacts.batch);
      const name = textOf(asked.name);
      const others = this.#asked.get(name)!;
      this.#asked.delete(name);
      for (const other of others) this.#end(other, State.HIT, this.#ended[index]!);
      this.#start();
      this.#wake();
    } catch (error) {
      this.#guestFailed(asked, artifacts, error);
    }
  }
  #guestFailed(asked: Asked, artifacts: NodeArtifacts, error: unknown): void {
    const { index } = asked;
    const isOurs = this.#running.get(index)?.signal.aborted === true;
    this.#running.delete(index);
    artifacts.discardBatch();
    if (isOurs && index > this.#failed && this.#trouble === undefined) this.#giveUp(asked);
    else this.#trouble ??= artifacts.failure ?? error;
    this.#start();
    this.#wake();
  }
  /** A guest need not run; those that ask for the same may have to. */
  #giveUp({ index, name }: Asked): void {
    const others = this.#asked.get(textOf(name)) ?? [];
    this.#asked.delete(textOf(name));
    this.#queue.push(index, ...others);
  }

  // ---- what comes of a node

  #begin(): Batch {
    this.#batch ??= this.#store.batch();
    return this.#batch;
  }
  #commit(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    this.#batchBytes = 0;
    this.#batchNodes = 0;
    this.#pending.clear();
    batch?.commit();
  }

  /** Outputs, claim, context, edge and bindings of a node, all of them or nothing (spec PEL-RUN-4). */
  #keep(
    { index, inputs, request, name }: Asked,
    logseq: number,
    { outcome, fuel, trace, outputs }: Executed,
    own: Batch | undefined,
  ): void {
    // Nothing comes before what it depends on.
    if (own !== undefined) this.#commit();
    const batch = own ?? this.#begin();
    try {
      let size = 0;
      const known = outputs.map((output): Known => {
        if (!("length" in output)) return output;
        const { key, tag, length, bytes } = output;
        size += length;
        const isNew = bytes === undefined || batch.stage(bytes, { typeTag: tag, logseq }, key).isNew;
        // What was there keeps its height.
        const height = isNew && bytes !== undefined ? logseq : undefined;
        const made: Known = { key, tag, bytes: length, logseq: height, held: undefined };
        if (bytes !== undefined && length <= REMEMBERED_BYTES) this.#remember(made, bytes);
        return made;
      });
      const writer = this.#writer;
      writeNodeClaim(writer.reset(), request, { outputs: known, fuel, outcome, trace });
      const length = writer.length;
      const claim = this.#stageReceipt(batch, logseq);
      stageEdge(
        batch,
        {
          from: [...inputs.map(({ key }) => key), ...this.#moduleOf(index)],
          to: [claim.key, ...known.map(({ key }) => key)],
          type: EdgeType.EXECUTION,
          roles: 0,
        },
        { logseq },
      );
      batch.bind(Namespace.MEMO, name, claim.key, { logseq });
      const ended: Ended = { claim, outputs: known, outcome, fuel, bytes: size };
      this.#bytes += size;
      if (own !== undefined) own.commit();
      else {
        this.#pending.set(textOf(name), ended);
        this.#batchBytes += size + 2 * length + (6 + known.length) * PUT_BYTES;
        this.#batchNodes++;
        if (this.#batchBytes >= BATCH_BYTES || this.#batchNodes >= BATCH_NODES) this.#commit();
      }
      this.#end(index, State.EXECUTED, ended);
    } catch (error) {
      // A part of a node is nothing: with it goes what else the batch holds, which the next run makes again.
      batch.discard();
      if (own === undefined) this.#batch = undefined;
      throw error;
    }
  }
  /** Nodes that take what was made a moment ago take it from memory. */
  #remember(made: Known, bytes: Uint8Array): void {
    made.held = bytes;
    const before = this.#remembered[this.#nextRemembered];
    if (before !== undefined) before.held = undefined;
    this.#remembered[this.#nextRemembered] = made;
    this.#nextRemembered = (this.#nextRemembered + 1) % REMEMBERED;
  }
  #moduleOf(index: number): Uint8Array[] {
    const node = this.#nodes[index]!;
    return node.op === "guest" ? [keyBytes(node.module)] : [];
  }
  /** Stages the claim that was written, and its context. */
  #stageReceipt(batch: Batch, logseq: number): Known {
    const writer = this.#writer;
    const { length } = writer;
    const { keyBytes: claim, isNew } = batch.stage(writer.written, { typeTag: TypeTag.CLAIM, logseq });
    writeContext(writer.reset(), claim, { domain: this.#domain, ...this.#reference, logseq });
    const { keyBytes: context } = batch.stage(writer.written, { typeTag: TypeTag.CONTEXT, logseq });
    batch.bind(Namespace.CONTEXT, claim.subarray(claim.length - 32), context, { logseq });
    return { key: claim, tag: TypeTag.CLAIM, bytes: length, logseq: isNew ? logseq : undefined };
  }

  // ---- the receipt of the run

  #finish(): RunResult {
    const nodes = this.#nodes;
    const failed = this.#failed === Number.POSITIVE_INFINITY ? undefined : this.#failed;
    const keepGoing = this.#options.keepGoing === true;
    /** Nodes behind a failure have run or not, as it happened: nothing tells of them. */
    const end = failed === undefined || keepGoing ? nodes.length : failed + 1;
    const reports = nodes.map((node, index) => {
      const ended = index < end ? this.#ended[index] : undefined;
      return new Report(index, node.op, ended === undefined ? "skipped" : STATES[this.#state[index]!]!, ended);
    });
    const outputs: NamedRef[] = [];
    for (const { name, ref } of this.#program.outputs) {
      const ended = ref.node < end ? this.#ended[ref.node] : undefined;
      const known = ref.output === undefined ? ended?.claim : ended?.outputs[ref.output];
      if (known !== undefined) outputs.push({ name, ...decodedRef(known) });
    }
    const { key: program } = decodedRef(this.#programKey);
    const encoded = encodeRunClaim({
      kind: "run",
      program,
      inputs: this.#inputs,
      keepGoing,
      ...VERSIONS,
      failed,
      outputs,
      claims: reports.map(({ claimBytes }) => claimBytes),
    });
    const claim = this.#keepRun(encoded, outputs);
    return { claim, program, failed, outputs, nodes: reports, hits: this.#hits, executed: this.#executed };
  }
  #keepRun(encoded: Uint8Array, outputs: readonly NamedRef[]): ArtifactKey {
    const name = digestOf(this.#programKey.key);
    const { key: claim } = decodedRef({ key: multihashOf(this.#algorithm, encoded), tag: undefined });
    // The same run once more says nothing new.
    if (this.#executed === 0 && this.#store.resolve(Namespace.RUN, name) === claim) return claim;
    const inputs = this.#inputs.map((input) => this.#given.get(input.name)!);
    const logseq = 1 + this.#highest([this.#programKey, ...inputs]);
    const batch = this.#begin();
    this.#writer.reset().raw(encoded);
    this.#stageReceipt(batch, logseq);
    const from = [this.#programKey, ...inputs].map(({ key }) => key);
    stageEdge(batch, { from, to: [claim, ...outputs.map(({ key }) => key)], type: EdgeType.RUN, roles: 0 }, { logseq });
    batch.bind(Namespace.RUN, name, claim, { logseq });
    return claim;
  }

  async close(): Promise<void> {
    this.#primitives?.close();
    this.#batch?.discard();
    await this.#pool?.close();
  }
}

/** Most of a large run is never asked for. */
class Report implements NodeReport {
  readonly index: number;
  readonly op: Node["op"];
  readonly state: NodeReport["state"];
  readonly #ended: Ended | undefined;

  constructor(index: number, op: Node["op"], state: NodeReport["state"], ended: Ended | undefined) {
    this.index = index;
    this.op = op;
    this.state = state;
    this.#ended = ended;
  }
  /** A multihash. */
  get claimBytes(): Uint8Array | undefined {
    return this.#ended?.claim?.key;
  }
  get outcome(): Outcome | undefined {
    return this.state === "input" ? undefined : this.#ended?.outcome;
  }
  get claim(): ArtifactKey | undefined {
    return this.#ended?.claim && decodedRef(this.#ended.claim).key;
  }
  get outputs(): readonly ArtifactRef[] {
    return this.#ended?.outputs.map(decodedRef) ?? [];
  }
  get bytes(): number | undefined {
    return this.#ended?.bytes;
  }
  get fuel(): bigint {
    return this.#ended?.fuel ?? 0n;
  }
}

/** What a guest has left, in the order of its outputs: what is bytes becomes artifacts, the others are those that it sealed. */
function outputsOf(node: GuestNode, { outputs }: KernelEnd, artifacts: NodeArtifacts): readonly Made[] {
  const sealed = artifacts.made.values();
  artifacts.made = [];
  return outputs.map((output, k) => {
    if (!("bytes" in output)) return sealed.next().value!;
    const writer = artifacts.create(node.outputs[k]!.tag);
    if (output.bytes.length > 0) writer.write(output.bytes);
    writer.seal();
    return artifacts.made.at(-1)!;
  });
}

/** Where a guest's random bytes come from (spec PEL-KERNEL): its node and its inputs. */
function seedOf(node: Node, inputs: readonly Known[]): Uint8Array {
  const writer = new CborWriter();
  writeNode(writer, node);
  writer.array(inputs.length);
  for (const { key } of inputs) writer.bytes(key);
  return digestOf(writer.written);
}

function isKey(program: Program | KeyLike): program is KeyLike {
  return typeof program === "string" || program instanceof Uint8Array;
}
function recordOf({ records }: Pick<ArtifactStat, "records">, tag: Tag): ArtifactRecord | undefined {
  return records.find(({ typeTag }) => typeTag === tag);
}
function quoted(name: string): string {
  return JSON.stringify(name);
}
function tagText(tag: number | undefined): string {
  return tag === undefined ? "an artifact without a type tag" : `the type tag ${tag}`;
}
