/** The basic blocks of a function body (spec VM-FUEL-2): what each costs, and what a label must know before it is reached. */
import { OPCODE_BY_INDEX } from "../bytecode/opcodes.ts";
import { Instruction } from "../bytecode/reader.ts";
import type { FunctionBody } from "../bytecode/structure.ts";
import { carryFuel, localsFuel } from "../fuel.ts";
import type { TranslationInput } from "../reference/translate.ts";
import type { Code } from "./code.ts";

/** Facts about a construct, by the order in which live constructs begin; the function itself is number 0. */
export const Fact = {
  /** A `br_table` names it. */
  table: 1,
  /** An `if` with an `else`. */
  else: 2,
} as const;

const PRICES = Uint8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.price ?? 0);

/** Scans bodies one after the other into the same arrays. */
export class BlockScan {
  /** Fuel of each live basic block, in the order in which they begin. */
  costs: Int32Array = new Int32Array(256);
  blocks = 0;
  /** {@link Fact}s of each live construct. */
  facts: Uint8Array = new Uint8Array(64);
  constructs = 0;
  /** Live loops. */
  loops = 0;

  readonly #input: TranslationInput;
  readonly #code: Code;
  readonly #instruction = new Instruction();

  // The open constructs: their opcode, number, values of their label, 1 once a branch names them.
  #depth = 0;
  #opcodes = new Uint8Array(64);
  #numbers = new Int32Array(64);
  #arities = new Int32Array(64);
  #targeted = new Uint8Array(64);

  constructor(input: TranslationInput, code: Code) {
    this.#input = input;
    this.#code = code;
  }

  scan(body: FunctionBody, results: number): void {
    const instruction = this.#instruction;
    const code = this.#code;
    code.open(body);
    this.blocks = 0;
    this.constructs = 0;
    this.loops = 0;
    this.#depth = 0;
    this.#open(0x02, results);
    this.#begin(localsFuel(body.localCount));
    let dead = false;
    let deadDepth = 0;
    while (this.#depth > 0) {
      code.next(instruction);
      const { index } = instruction;
      if (dead) {
        if (index === 0x02 || index === 0x03 || index === 0x04) {
          deadDepth++;
          continue;
        }
        if (deadDepth > 0) {
          if (index === 0x0b) deadDepth--;
          continue;
        }
        if (index !== 0x0b && index !== 0x05) continue;
      } else this.costs[this.blocks - 1]! += PRICES[index]!;
      switch (index) {
        case 0x00:
          dead = true;
          break;
        case 0x02:
          this.#open(index, this.#results(instruction.imm0));
          break;
        case 0x03:
          this.loops++;
          this.#open(index, this.#params(instruction.imm0));
          this.#begin(0);
          break;
        case 0x04:
          this.#open(index, this.#results(instruction.imm0));
          this.#begin(0);
          break;
        case 0x05: {
          const at = this.#depth - 1;
          if (!dead) this.#targeted[at] = 1;
          this.#opcodes[at] = index;
          this.facts[this.#numbers[at]!]! |= Fact.else;
          this.#begin(0);
          dead = false;
          break;
        }
        case 0x0b: {
          const at = --this.#depth;
          const opcode = this.#opcodes[at]!;
          if (opcode === 0x03 || at === 0) break;
          if (dead && this.#targeted[at] === 0 && opcode !== 0x04) break;
          dead = false;
          this.#begin(0);
          break;
        }
        case 0x0c:
        case 0x0f:
          this.#branch(index === 0x0f ? this.#depth - 1 : instruction.imm0);
          dead = true;
          break;
        case 0x0d:
          this.#branch(instruction.imm0);
          this.#begin(0);
          break;
        case 0x0e: {
          const { labels, labelCount, imm0 } = instruction;
          this.#branch(imm0);
          this.facts[this.#numbers[this.#depth - 1 - imm0]!]! |= Fact.table;
          for (let k = 0; k < labelCount; k++) {
            const at = this.#depth - 1 - labels[k]!;
            this.#targeted[at] = 1;
            this.facts[this.#numbers[at]!]! |= Fact.table;
          }
          dead = true;
          break;
        }
        case 0x10: {
          const { importedFunctions, bytesRows, bytesPrices } = this.#input;
          if (instruction.imm0 < importedFunctions) {
            const row = bytesRows[instruction.imm0]!;
            if (row >= 0) this.costs[this.blocks - 1]! += bytesPrices[row]!;
          }
          break;
        }
      }
    }
  }

  #branch(label: number): void {
    const at = this.#depth - 1 - label;
    this.#targeted[at] = 1;
    this.costs[this.blocks - 1]! += carryFuel(this.#arities[at]!);
  }

  #begin(cost: number): void {
    if (this.blocks === this.costs.length) {
      const grown = new Int32Array(2 * this.blocks);
      grown.set(this.costs);
      this.costs = grown;
    }
    this.costs[this.blocks++] = cost;
  }

  #open(opcode: number, arity: number): void {
    const at = this.#depth++;
    if (at === this.#opcodes.length) {
      this.#opcodes = doubled(this.#opcodes);
      this.#targeted = doubled(this.#targeted);
      this.#numbers = doubled(this.#numbers);
      this.#arities = doubled(this.#arities);
    }
    if (this.constructs === this.facts.length) this.facts = doubled(this.facts);
    this.#opcodes[at] = opcode;
    this.#numbers[at] = this.constructs;
    this.#arities[at] = arity;
    this.#targeted[at] = 0;
    this.facts[this.constructs++] = 0;
  }

  #params(type: number): number {
    return type >= 0 ? this.#input.structure.types[type]!.params.length : 0;
  }

  #results(type: number): number {
    if (type >= 0) return this.#input.structure.types[type]!.results.length;
    return type === -64 ? 0 : 1;
  }
}

function doubled<Items extends Uint8Array | Int32Array>(items: Items): Items {
  const grown = new (items.constructor as new (length: number) => Items)(items.length * 2);
  grown.set(items);
  return grown;
}
