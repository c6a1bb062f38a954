/**
 * All that programs made, made once more (spec PER-REPLAY): in an empty store, from sources, programs and modules alone, with the same keys at the end.
 */

import { type ArtifactKey, type KeyLike, Namespace, type Store, type View } from "../asl/index.ts";
import { textOfKey } from "../asl/key.ts";
import { type ArtifactRef, type NodeClaim, type RunClaim, TypeTag } from "./claim.ts";
import { Closure } from "./closure.ts";
import { compareNodes, compareRuns, madeClaim } from "./compare.ts";
import { expectArgument, PelError } from "./errors.ts";
import { type Finding, Findings, findingOf, unread, type Verdict, versionFinding } from "./findings.ts";
import { hasRecord } from "./memo.ts";
import type { Tag } from "./program.ts";
import { checkStopped, expectStore, isDamage, madeOf, Producers, readReceipt } from "./provenance.ts";
import { groupsOf, lackOfRun, type NodeReceipt, programOf, type RunReceipt, readProgram, TOGETHER } from "./rerun.ts";
import { runProgram } from "./run.ts";
import type { Rerun } from "./verify.ts";

export interface ReplayOptions extends Rerun {
  /** Only these, and what is behind them; all receipts of the store by default. */
  readonly receipts?: Iterable<KeyLike> | undefined;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
}

export interface ReplayProgress {
  /** Receipts of runs, and of nodes that are of no run. */
  readonly receipts: number;
  /** Those of them that were run again, or cannot be. */
  readonly done: number;
}

export interface Replay {
  readonly verdict: Verdict;
  /** Receipts that are there again, each with its outputs. */
  readonly runs: number;
  readonly nodes: number;
  /** What was copied, since no receipt made it: sources, programs, modules. */
  readonly sources: { readonly artifacts: number; readonly bytes: number };
  /** What was made: outputs of nodes. */
  readonly made: { readonly artifacts: number; readonly bytes: number };
  /** The first {@link MOST_FINDINGS}. */
  readonly findings: readonly Finding[];
  /** How many more there are. */
  readonly more: number;
}

type Receipt = NodeReceipt | RunReceipt;

/**
 * Makes again what the receipts of a store tell of. `into` is empty, can be written, and names artifacts as `from` does, which is not changed. Throws
 * PEL-ARGUMENT, an AslError, and Stopped.
 */
export async function replayStore(from: Store, into: Store, options: ReplayOptions = {}): Promise<Replay> {
  expectStore(from, options);
  expectStore(into, options);
  const { receipts = [] } = options;
  expectArgument(typeof receipts === "object" && Symbol.iterator in receipts, "keys of receipts");
  if (into.list().next().done !== true)
    throw new PelError("PEL-ARGUMENT", "an empty store to replay into was expected");
  if (from.algorithm !== into.algorithm)
    throw new PelError("PEL-ARGUMENT", `the stores name artifacts by ${from.algorithm} and by ${into.algorithm}`);
  const producers = new Producers(from);
  try {
    return await new Replayer(from, into, producers, options).replay();
  } finally {
    producers.close();
  }
}

class Replayer {
  readonly #from: View;
  readonly #into: Store;
  readonly #options: ReplayOptions;
  readonly #producers: Producers;
  readonly #findings = new Findings();
  /** Receipts that wait for an artifact which another one makes. */
  readonly #waiting = new Map<ArtifactKey, ArtifactKey[]>();
  readonly #store: Store;
  #ready: ArtifactKey[] = [];
  #read: { readonly key: ArtifactKey; readonly read: ReturnType<typeof readProgram> } | undefined;
  #receipts = 0;
  #done = 0;
  readonly #counts = { runs: 0, nodes: 0, sources: { artifacts: 0, bytes: 0 }, made: { artifacts: 0, bytes: 0 } };

  constructor(from: Store, into: Store, producers: Producers, options: ReplayOptions) {
    this.#store = from;
    this.#from = from.view();
    this.#into = into;
    this.#options = options;
    this.#producers = producers;
  }

  async replay(): Promise<Replay> {
    const { onProgress, signal } = this.#options;
    this.#ready = await this.#find();
    this.#receipts = this.#ready.length;
    while (this.#ready.length > 0) {
      const turn = this.#ready;
      this.#ready = [];
      let nodes: NodeReceipt[] = [];
      for (const key of turn) {
        checkStopped(signal);
        const receipt = this.#readReceipt(key);
        if (!(await this.#prepare(receipt))) continue;
        if ("bytes" in receipt) nodes.push(receipt);
        else await this.#run(receipt);
        if (nodes.length >= TOGETHER) {
          await this.#runNodes(nodes);
          nodes = [];
        }
        onProgress?.({ receipts: this.#receipts, done: this.#done });
      }
      await this.#runNodes(nodes);
    }
    this.#giveUp();
    this.#compareModules();
    onProgress?.({ receipts: this.#receipts, done: this.#done });
    const { first, total, verdict } = this.#findings;
    return { verdict, ...this.#counts, findings: first, more: total - first.length };
  }

  /** The receipts of runs, and those of nodes that are of no run, in the order in which the store got them. */
  async #find(): Promise<ArtifactKey[]> {
    const found: { readonly position: number; readonly key: ArtifactKey }[] = [];
    const ofRuns = new Set<ArtifactKey>();
    for await (const { key, position } of this.#keys()) {
      const { claim, ...read } = readReceipt(this.#from, key);
      const finding = claim === undefined ? unread(key, read) : versionFinding(key, claim);
      if (finding !== undefined) this.#findings.add(finding);
      else found.push({ position, key });
      if (claim?.kind === "run") for (const node of claim.claims) if (node !== undefined) ofRuns.add(node);
    }
    found.sort((one, other) => one.position - other.position);
    return found.map(({ key }) => key).filter((key) => !ofRuns.has(key));
  }
  /** One that could be read before. */
  #readReceipt(key: ArtifactKey): Receipt {
    const { claim, ...read } = readReceipt(this.#from, key);
    if (claim?.kind === "run") return { key, claim };
    if (claim !== undefined && "bytes" in read) return { key, claim, bytes: read.bytes };
    throw new PelError("PEL-RECEIPT", "the receipt cannot be read any more", { key });
  }
  async *#keys(): AsyncGenerator<{ readonly key: ArtifactKey; readonly position: number }> {
    const { receipts, signal } = this.#options;
    if (receipts !== undefined) {
      const closure = new Closure(this.#store);
      try {
        for (const receipt of receipts) {
          closure.add(textOfKey(receipt));
        }
        for (let key = closure.next(); key !== undefined; key = closure.next()) {
          const { claim } = readReceipt(this.#from, key);
          if (claim !== undefined) await closure.addBehind(claim);
          yield { key, position: this.#from.stat(key)?.records[0]?.position ?? 0 };
        }
      } finally {
        closure.close();
      }
      return;
    }
    let turn = 0;
    for (const { key, records } of this.#from.list()) {
      if (++turn % 4096 === 0) {
        checkStopped(signal);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const record = records.find(({ typeTag }) => typeTag === TypeTag.CLAIM);
      if (record !== undefined) yield { key, position: record.position };
    }
  }

  /** Whether all that a receipt takes is there now; else it waits, or is given up. */
  async #prepare(receipt: Receipt): Promise<boolean> {
    const { key, claim } = receipt;
    const lack = claim.kind === "run" ? this.#lackOf(claim) : undefined;
    if (lack !== undefined) {
      this.#settle(findingOf({ receipt: key, ...lack }));
      return false;
    }
    for (const { key: taken, tag, isInput } of this.#takenBy(claim)) {
      if (isInput ? hasRecord(this.#into, taken, tag) : this.#into.has(taken)) continue;
      if (this.#isMade(taken, tag)) {
        const waiting = this.#waiting.get(taken);
        if (waiting === undefined) this.#waiting.set(taken, [key]);
        else waiting.push(key);
        return false;
      }
      const problem = await this.#copy(taken);
      if (problem === undefined) continue;
      this.#settle(findingOf({ receipt: key, field: "inputs", recorded: taken, ...problem }));
      return false;
    }
    return true;
  }
  #lackOf(claim: RunClaim): ReturnType<typeof lackOfRun> {
    const { program, problem } = this.#readProgram(claim);
    // What is not there may be made.
    return program === undefined ? problem : lackOfRun(undefined, claim, program);
  }
  /** That of the receipt that was asked for last is asked for again. */
  #readProgram({ program }: RunClaim): ReturnType<typeof readProgram> {
    if (this.#read?.key !== program) this.#read = { key: program, read: readProgram(this.#from, program) };
    return this.#read.read;
  }
  *#takenBy(claim: NodeClaim | RunClaim): Generator<ArtifactRef & { readonly isInput: boolean }> {
    if (claim.kind === "node") {
      for (const [index, { key, tag }] of madeOf(claim).entries())
        yield { key, tag, isInput: index < claim.inputs.length };
      return;
    }
    for (const { key, tag } of claim.inputs) yield { key, tag, isInput: true };
    yield { key: claim.program, tag: undefined, isInput: false };
    for (const node of this.#readProgram(claim).program?.nodes ?? [])
      if (node.op === "guest") yield { key: node.module, tag: undefined, isInput: false };
  }
  /** Whether a receipt made it, and will again: not if it is there, but was put with another tag as well. */
  #isMade(key: ArtifactKey, tag: Tag): boolean {
    if (this.#into.has(key)) return false;
    return tag === TypeTag.CLAIM || this.#producers.origin(key) !== undefined;
  }
  /** Copies what no receipt made. */
  async #copy(key: ArtifactKey): Promise<Pick<Finding, "type" | "message"> | undefined> {
    const stat = this.#from.stat(key);
    const missing = { type: "missing", message: `it cannot be made again: the store lacks ${key}` } as const;
    if (stat === undefined) return missing;
    try {
      for (const typeTag of new Set(stat.records.map(({ typeTag }) => typeTag)))
        await this.#into.writeStream(this.#from.stream(key)!, { typeTag });
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { type: "damaged", message: `it cannot be made again: ${error.message}` };
    }
    this.#counts.sources.artifacts++;
    this.#counts.sources.bytes += stat.length;
    return undefined;
  }

  async #run(receipt: RunReceipt): Promise<void> {
    const { key, claim } = receipt;
    const { engine, workers, codeCache, storeBytes, signal } = this.#options;
    const program = this.#readProgram(claim).program!;
    const inputs = Object.fromEntries(claim.inputs.map(({ name, key }) => [name, key]));
    const result = await runProgram(this.#into, program, {
      inputs,
      keepGoing: claim.keepGoing,
      engine,
      workers,
      codeCache,
      storeBytes,
      signal,
    });
    let finding: Finding | undefined;
    if (result.claim !== key) finding = await compareRuns(this.#from, this.#into, receipt, program, result, signal);
    else {
      this.#counts.runs++;
      for (const node of claim.claims) if (node !== undefined) this.#counts.nodes++;
    }
    this.#settle(finding);
    this.#take(result);
  }
  /** Those that do not wait for one another. */
  async #runNodes(receipts: readonly NodeReceipt[]): Promise<void> {
    for (const group of groupsOf(receipts)) await this.#runGroup(group);
  }
  async #runGroup(receipts: readonly NodeReceipt[]): Promise<void> {
    const { engine, workers, codeCache, storeBytes, signal } = this.#options;
    const { program, indices, inputs } = programOf(receipts.map(({ claim }) => claim));
    const options = { inputs, keepGoing: true, engine, workers, codeCache, storeBytes, signal };
    const result = await runProgram(this.#into, program, options);
    for (const [k, receipt] of receipts.entries()) {
      const { claim } = result.nodes[indices[k]!]!;
      const isSame = claim === receipt.key;
      if (isSame) this.#counts.nodes++;
      const made = isSame ? undefined : madeClaim(this.#into, claim);
      this.#settle(isSame ? undefined : await compareNodes(this.#from, this.#into, receipt, made, signal));
    }
    this.#take(result);
  }
  /** Counts what was made, and lets go on who waits for it. */
  #take(result: Awaited<ReturnType<typeof runProgram>>): void {
    for (const { state, claim, outputs, bytes } of result.nodes) {
      if (state === "executed") {
        this.#counts.made.artifacts += outputs.length;
        this.#counts.made.bytes += bytes ?? 0;
      }
      if (this.#waiting.size === 0) continue;
      for (const { key } of outputs) this.#release(key);
      if (claim !== undefined) this.#release(claim);
    }
    this.#release(result.claim);
  }
  #release(key: ArtifactKey): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#ready.push(...waiting);
  }
  /** One more is over. */
  #settle(finding: Finding | undefined): void {
    this.#done++;
    if (finding !== undefined) this.#findings.add(finding);
  }
  /** Nobody makes what is still waited for. */
  #giveUp(): void {
    for (const [artifact, receipts] of this.#waiting)
      for (const key of receipts)
        this.#settle(
          findingOf({
            type: "missing",
            receipt: key,
            field: "inputs",
            recorded: artifact,
            message: `it cannot be made again: ${artifact}, which another receipt made, was not`,
          }),
        );
  }
  /** Compiled programs are no outputs, and the same all the same. */
  #compareModules(): void {
    for (const { name, key } of this.#from.bindings(Namespace.MODULE)) {
      const made = this.#into.resolve(Namespace.MODULE, name);
      if (made === undefined || made === key) continue;
      this.#findings.add(
        findingOf({
          type: "differs",
          receipt: key,
          field: "module",
          recorded: key,
          actual: made,
          message: "a program was compiled to something else",
        }),
      );
    }
  }
}
