/**
 * Whether receipts are true (spec PER-VERIFY): what they tell of is run again, in a store of its own, and has to come to the same claim.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../../vm/index.ts";
import { folderVolume } from "../asl/folder-volume.ts";
import { type ArtifactKey, type KeyLike, Store, type View } from "../asl/index.ts";
import { algorithmOf, ParsedKey, textOfKey } from "../asl/key.ts";
import type { Volume } from "../asl/volume.ts";
import type { ArtifactRef } from "./claim.ts";
import { Closure, MOST_RECEIPTS } from "./closure.ts";
import { compareNodes, compareRuns, madeClaim } from "./compare.ts";
import { expectArgument, PelError } from "./errors.ts";
import {
  type Finding,
  Findings,
  findingOf,
  MOST_FINDINGS,
  type Problem,
  unread,
  type Verdict,
  versionFinding,
} from "./findings.ts";
import type { Program } from "./program.ts";
import { checkStopped, expectStore, isDamage, type ReadReceipt, readReceipt } from "./provenance.ts";
import {
  groupsOf,
  lackOf,
  lackOfRun,
  type NodeReceipt,
  programOf,
  type RunReceipt,
  readProgram,
  TOGETHER,
  TOGETHER_BYTES,
} from "./rerun.ts";
import { type RunOptions, type RunResult, runProgram } from "./run.ts";

export type { Finding, Verdict } from "./findings.ts";

export interface VerifyOptions {
  /** True: also the receipts that its inputs came with, and those of theirs, and so on. */
  readonly deep?: boolean | undefined;
  readonly engine?: Engine | undefined;
  readonly workers?: number | undefined;
  readonly codeCache?: RunOptions["codeCache"];
  /** Most bytes that nodes which are run together may make: PEL-LIMIT beyond. No limit by default: a receipt can ask for any number. */
  readonly storeBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  /** Most receipts that are looked at, 1,000,000 by default: PEL-LIMIT if there are more. */
  readonly most?: number | undefined;
}

export interface VerifyProgress {
  /** Receipts that were found so far. */
  readonly receipts: number;
  /** Those of them that were run again. */
  readonly done: number;
}

export interface Verification {
  readonly receipt: ArtifactKey;
  readonly kind: "node" | "run";
  readonly verdict: Verdict;
  /** Receipts that say what is so. */
  readonly verified: number;
  /** The first {@link MOST_FINDINGS}, that of the receipt itself before those of what is behind it. */
  readonly findings: readonly Finding[];
  /** How many more there are. */
  readonly more: number;
  /** Outputs that the store lacks, of receipts that are true: up to {@link MOST_FINDINGS}. */
  readonly unstored: readonly ArtifactKey[];
}

/** How things are run again. */
export type Rerun = Pick<VerifyOptions, "engine" | "workers" | "codeCache" | "storeBytes" | "signal">;

/**
 * Runs again what a receipt tells of, and compares. Nothing is changed in the store. Throws PEL-ARGUMENT if the store has no such receipt, PEL-RECEIPT
 * if it is none, an AslError, and Stopped.
 */
export async function verifyReceipt(store: Store, key: KeyLike, options: VerifyOptions = {}): Promise<Verification> {
  expectStore(store, options);
  const { most = MOST_RECEIPTS } = options;
  expectArgument(Number.isInteger(most) && most >= 1, "most receipts from 1 on");
  const receipt = textOfKey(key);
  const view = store.view();
  const first = readReceipt(view, receipt);
  if (first.problem !== undefined)
    throw new PelError(first.problem === "missing" ? "PEL-ARGUMENT" : "PEL-RECEIPT", first.message, { key: receipt });
  const closure = new Closure(store, most);
  try {
    return await verifyClosure(view, receipt, first, closure, options);
  } finally {
    closure.close();
  }
}

async function verifyClosure(
  view: View,
  receipt: ArtifactKey,
  first: Extract<ReadReceipt, { readonly bytes: number }>,
  closure: Closure,
  options: VerifyOptions,
): Promise<Verification> {
  const { deep = false, onProgress } = options;
  const findings = new Findings();
  const unstored = new Set<ArtifactKey>();
  let verified = 0;
  let done = 0;
  const checkOutputs = (outputs: readonly ArtifactRef[]): void => {
    for (const { key } of outputs) if (unstored.size < MOST_FINDINGS && !view.has(key)) unstored.add(key);
  };
  /** Receipts of nodes that wait to be run again together. */
  let waiting: NodeReceipt[] = [];
  let weight = 0;
  const runWaiting = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const receipts = waiting;
    waiting = [];
    weight = 0;
    for (const finding of await verifyNodes(view, receipts, options)) findings.add(finding);
    const wrong = findings.receipts;
    for (const { key, claim } of receipts) {
      done++;
      if (wrong.has(key)) continue;
      verified++;
      checkOutputs(claim.outputs);
    }
    onProgress?.({ receipts: closure.found, done });
  };
  closure.add(receipt);
  for (let next = closure.next(); next !== undefined || waiting.length > 0; next = closure.next()) {
    if (next === undefined) {
      await runWaiting();
      continue;
    }
    checkStopped(options.signal);
    const read = next === receipt ? first : readReceipt(view, next);
    if (read.claim === undefined) {
      findings.add(unread(next, read));
      done++;
      continue;
    }
    const { claim } = read;
    const version = versionFinding(next, claim);
    if (version !== undefined) {
      findings.add(version);
      done++;
    } else if (claim.kind === "node") {
      waiting.push({ key: next, claim, bytes: read.bytes });
      weight += read.bytes;
    } else {
      const { finding, outputs } = await verifyRun(view, { key: next, claim }, options);
      done++;
      if (finding !== undefined) findings.add(finding);
      else {
        verified++;
        for (const node of claim.claims) if (node !== undefined) closure.skip(node);
        checkOutputs(outputs);
      }
      onProgress?.({ receipts: closure.found, done });
    }
    if (deep) await closure.addBehind(claim);
    // What was asked about comes before what is behind it.
    if (next === receipt || waiting.length >= TOGETHER || weight >= TOGETHER_BYTES) await runWaiting();
  }
  return {
    receipt,
    kind: first.claim.kind,
    verdict: findings.verdict,
    verified,
    findings: findings.first,
    more: findings.total - findings.first.length,
    unstored: [...unstored],
  };
}

/** Runs the nodes of receipts again, which do not depend on one another: all that they take is there by its key. */
async function verifyNodes(view: View, receipts: readonly NodeReceipt[], rerun: Rerun): Promise<Finding[]> {
  const findings: Finding[] = [];
  const whole: NodeReceipt[] = [];
  for (const receipt of receipts) {
    const finding = lackOf(view, receipt);
    if (finding === undefined) whole.push(receipt);
    else findings.push(finding);
  }
  for (const group of groupsOf(whole)) findings.push(...(await verifyGroup(view, group, rerun)));
  return findings;
}

async function verifyGroup(view: View, group: readonly NodeReceipt[], rerun: Rerun): Promise<Finding[]> {
  const { program, indices, inputs } = programOf(group.map(({ claim }) => claim));
  try {
    return await inScratch(group[0]!.key, async (scratch) => {
      const result = await runAgain(scratch, view, program, inputs, true, rerun);
      const findings: Finding[] = [];
      for (const [k, { key, claim }] of group.entries()) {
        const { claim: made } = result.nodes[indices[k]!]!;
        if (made === key) continue;
        findings.push(await compareNodes(view, scratch, { key, claim }, madeClaim(scratch, made), rerun.signal));
      }
      return findings;
    });
  } catch (error) {
    if (!isDamage(error)) throw error;
    const [only] = group;
    if (group.length === 1)
      return [
        findingOf({
          type: "damaged",
          receipt: only!.key,
          op: only!.claim.node.op,
          field: "inputs",
          message: `it cannot be run again: ${error.message}`,
        }),
      ];
    // Which of them cannot be read is not told by the run.
    const half = group.length >> 1;
    return [
      ...(await verifyGroup(view, group.slice(0, half), rerun)),
      ...(await verifyGroup(view, group.slice(half), rerun)),
    ];
  }
}

/** Runs the program of a run's receipt again. */
async function verifyRun(
  view: View,
  { key: receipt, claim }: RunReceipt,
  rerun: Rerun,
): Promise<{ readonly finding: Finding | undefined; readonly outputs: readonly ArtifactRef[] }> {
  const stop = (finding: Problem): { finding: Finding; outputs: readonly ArtifactRef[] } => ({
    finding: findingOf({ receipt, ...finding }),
    outputs: [],
  });
  const read = readProgram(view, claim.program);
  if (read.program === undefined) return stop(read.problem);
  const { program } = read;
  const lack = lackOfRun(view, claim, program);
  if (lack !== undefined) return stop(lack);
  const inputs = Object.fromEntries(claim.inputs.map(({ name, key }) => [name, key]));
  try {
    return await inScratch(receipt, async (scratch) => {
      const result = await runAgain(scratch, view, program, inputs, claim.keepGoing, rerun);
      const outputs = result.nodes.flatMap(({ outputs }) => outputs);
      if (result.claim === receipt) return { finding: undefined, outputs };
      return {
        finding: await compareRuns(view, scratch, { key: receipt, claim }, program, result, rerun.signal),
        outputs,
      };
    });
  } catch (error) {
    if (!isDamage(error)) throw error;
    return stop({ type: "damaged", field: "inputs", message: `it cannot be run again: ${error.message}` });
  }
}

async function runAgain(
  scratch: Store,
  from: View,
  program: Program,
  inputs: { readonly [name: string]: ArtifactKey },
  keepGoing: boolean,
  { engine, workers, codeCache, storeBytes, signal }: Rerun,
): Promise<RunResult> {
  return await runProgram(scratch, program, {
    inputs,
    from,
    keepGoing,
    cache: false,
    engine,
    workers,
    codeCache,
    storeBytes,
    signal,
  });
}

/** Runs something with an empty store that names artifacts as this key does, and that is gone then. */
async function inScratch<T>(key: ArtifactKey, act: (scratch: Store) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-verify-"));
  try {
    const algorithm = algorithmOf(new ParsedKey().parse(key).algorithm).name;
    const options = { create: "new", durability: "none", algorithm } as const;
    const scratch = await Store.open(folder, options, { volume: fleetingVolume(folder) });
    try {
      return await act(scratch);
    } finally {
      await scratch.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder of which nothing has to last: nobody waits for its disk. */
function fleetingVolume(folder: string): Volume {
  const volume = folderVolume(folder);
  return {
    ...volume,
    open: (path, mode) => {
      const file = volume.open(path, mode);
      file.sync = () => {};
      file.syncLater = async () => {};
      return file;
    },
    syncFolder: () => {},
  };
}
