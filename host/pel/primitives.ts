/** Runs primitives (spec PEL-EXEC): nodes whose work is done by the compiled module of their program. */

import { Panic } from "../../syscalls/panic.ts";
import { type Status, statusName } from "../../syscalls/status.ts";
import type { Engine } from "../../vm/execution.ts";
import type { Instance } from "../../vm/instance.ts";
import { Module } from "../../vm/module.ts";
import { createAbi } from "../abi.ts";
import { AslError } from "../asl/errors.ts";
import type { Known, Made, NodeArtifacts } from "./artifacts.ts";
import { FailureCode, type Outcome } from "./claim.ts";
import { exportName, parametersAt, SLOT_BYTES, SLOTS_AT, shapeOf } from "./compile.ts";
import type { Node } from "./program.ts";
import { Trace } from "./trace.ts";

/** What became of a node. */
export interface Executed {
  readonly outcome: Outcome;
  readonly fuel: bigint;
  /** 32 bytes. */
  readonly trace: Uint8Array;
  /** In the order of the node's outputs; empty unless the outcome is ok. */
  readonly outputs: readonly (Made | Known)[];
}

const OK: Outcome = { type: "ok" };
const OUT_OF_RANGE: Outcome = { type: "failure", code: FailureCode.OUT_OF_RANGE, detail: "" };
const BAD_SELECTOR: Outcome = { type: "failure", code: FailureCode.BAD_SELECTOR, detail: "" };
/** By what an export answers, negated. */
const FAILURES: readonly Outcome[] = [OK, OUT_OF_RANGE, BAD_SELECTOR];

/** No limits: a primitive makes no more than its node says. */
const QUOTA = { artifacts: Number.MAX_SAFE_INTEGER, writers: Number.MAX_SAFE_INTEGER } as const;
/** The ref over the module's own memory stays. */
const OBJECTS = 1;

/** One instance of a program's compiled module, which all nodes share that this thread runs. */
export class Primitives {
  readonly #artifacts: NodeArtifacts;
  readonly #module: Module;
  readonly #engine: Engine;
  readonly #trace = new Trace();
  #instance: Instance | undefined;

  constructor(module: Uint8Array, engine: Engine, artifacts: NodeArtifacts) {
    this.#module = Module.decode(module);
    this.#engine = engine;
    this.#artifacts = artifacts;
  }

  /** Runs a node, of which `artifacts` has begun. Throws what the store throws. */
  run(node: Node, inputs: readonly Known[]): Executed {
    const shape = shapeOf(node)!;
    this.#instance ??= this.#instantiate();
    const instance = this.#instance;
    const { store } = instance;
    const memory = instance.memory("memory").bytes;
    for (let k = 0, at = SLOTS_AT; k < inputs.length; k++, at += SLOT_BYTES) writeSlot(memory, at, inputs[k]!.key);
    const args = argumentsOf(node, memory, parametersAt(shape));
    const before = store.fuelUsed;
    this.#trace.begin();
    let answer: number;
    try {
      answer = instance.invoke(exportName(shape), args)[0] as number;
    } catch (error) {
      this.#close();
      throw this.#artifacts.failure ?? error;
    }
    const trace = this.#trace.end();
    const fuel = store.fuelUsed - before;
    if (answer > 0) {
      // What was open is left to a new instance.
      this.#close();
      throw this.#artifacts.failure ?? new AslError("ASL-READ", `a call answered ${statusName(answer as Status)}`);
    }
    if (store.heap.objects > OBJECTS) throw new Panic("a primitive has left something open");
    const outcome = FAILURES[-answer]!;
    if (answer < 0) return { outcome, fuel, trace, outputs: [] };
    const { made } = this.#artifacts;
    if (node.op !== "select") return { outcome, fuel, trace, outputs: made };
    const chosen = new DataView(memory.buffer, memory.byteOffset).getUint32(0, true);
    return { outcome, fuel, trace, outputs: [inputs[1 + chosen]!] };
  }

  close(): void {
    this.#close();
  }

  #instantiate(): Instance {
    const abi = createAbi({ store: this.#artifacts, storeQuota: QUOTA, record: this.#trace });
    return this.#module.instantiate({ ...abi, engine: this.#engine });
  }
  #close(): void {
    this.#instance?.store.close();
    this.#instance = undefined;
  }
}

function writeSlot(memory: Uint8Array, at: number, key: Uint8Array): void {
  // Another node may have had its parameters there.
  memory[at] = key.length;
  memory.fill(0, at + 1, at + 4);
  memory.set(key, at + 4);
}

/** What the export of a node is called with; longer parameters are in memory. */
function argumentsOf(node: Node, memory: Uint8Array, at: number): (number | bigint)[] {
  switch (node.op) {
    case "const":
      memory.set(node.bytes, at);
      return [node.bytes.length];
    case "slice":
      return [BigInt(node.offset), node.length === undefined ? -1n : BigInt(node.length)];
    case "split": {
      const view = new DataView(memory.buffer, memory.byteOffset);
      for (const [k, offset] of node.at.entries()) view.setBigUint64(at + 8 * k, BigInt(offset), true);
      return [];
    }
    default:
      return [];
  }
}
