/** A function body decoded once, for the passes that read it one after the other. */
import { Instruction, Reader, readInstruction } from "../bytecode/reader.ts";
import type { FunctionBody } from "../bytecode/structure.ts";

/** Words of an instruction: offset, index, and two of immediates. */
const WORDS = 4;
const BR_TABLE = 0x0e;

export class Code {
  /** The next instruction to read: its place, not its offset. */
  position = 0;

  readonly #reader: Reader;
  readonly #instruction = new Instruction();
  #words = new Int32Array(4096);
  /** Labels of each br_table, behind their number. */
  #labels: number[] = [];
  #length = 0;
  #end = 0;
  #body: FunctionBody | undefined;

  constructor(bytes: Uint8Array) {
    this.#reader = new Reader(bytes);
  }

  /** Goes to the beginning of `body`. */
  open(body: FunctionBody): void {
    this.position = 0;
    if (this.#body === body) return;
    this.#body = body;
    this.#end = body.end;
    this.#length = 0;
    this.#labels = [];
    const reader = this.#reader;
    const instruction = this.#instruction;
    reader.reset(body.code, body.end);
    while (reader.position < body.end) {
      readInstruction(reader, instruction);
      if (this.#length === this.#words.length) this.#grow();
      const words = this.#words;
      const at = this.#length;
      const { index, imm0 } = instruction;
      words[at] = instruction.offset;
      words[at + 1] = index;
      const isConstant = index >= 0x41 && index <= 0x44;
      words[at + 2] = isConstant ? instruction.low : imm0;
      words[at + 3] = isConstant ? instruction.high : index === BR_TABLE ? this.#keepLabels() : instruction.imm1;
      this.#length = at + WORDS;
    }
  }

  /**
   * Reads the instruction at the position into `into`, all but the types of a `select`, and goes on. A constant's words
   * are `imm0`, the low one, and `imm1`.
   */
  next(into: Instruction): void {
    const words = this.#words;
    const at = this.position;
    const index = words[at + 1]!;
    into.offset = words[at]!;
    into.index = index;
    into.imm0 = words[at + 2]!;
    into.imm1 = words[at + 3]!;
    this.position = at + WORDS;
    if (index === BR_TABLE) this.#giveLabels(into, into.imm1);
  }

  /** Offset in the module where the instruction that was read last ends. */
  get end(): number {
    return this.position < this.#length ? this.#words[this.position]! : this.#end;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#words.length);
    grown.set(this.#words);
    this.#words = grown;
  }

  #keepLabels(): number {
    const { labels, labelCount } = this.#instruction;
    const place = this.#labels.length;
    this.#labels.push(labelCount);
    for (let k = 0; k < labelCount; k++) this.#labels.push(labels[k]!);
    return place;
  }

  #giveLabels(into: Instruction, place: number): void {
    const count = this.#labels[place]!;
    into.labelCount = 0;
    for (let k = 1; k <= count; k++) into.addLabel(this.#labels[place + k]!);
  }
}
