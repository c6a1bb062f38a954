/** Makes modules that fail a test smaller, while they fail. */
import { decode } from "../../vm/bytecode/decode.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import { SectionId } from "../../vm/bytecode/structure.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { DEFAULT_LIMITS } from "../../vm/limits.ts";
import { assemble, type Parts, takeApart } from "./mutate.ts";

/** Instructions that may stand for any that leave one value, or none. */
const SUBSTITUTES: readonly (readonly number[])[] = [
  [],
  [0x41, 0],
  [0x42, 0],
  [0x43, 0, 0, 0, 0],
  [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
  [0x1a],
  [0x00],
];

/**
 * The modules with fewer functions and instructions, so that `fails` still says true of them; it is asked about valid
 * modules only. Ends after about `seconds`.
 */
export function shrinkModules(
  modules: readonly Uint8Array[],
  fails: (modules: readonly Uint8Array[]) => boolean,
  seconds = 60,
): Uint8Array[] {
  const end = performance.now() + 1000 * seconds;
  let best = [...modules];
  const better = (index: number, change: (parts: Parts) => void): boolean => {
    const parts = takeApart(decode(best[index]!, DEFAULT_LIMITS));
    change(parts);
    const bytes = assemble(parts);
    const tried = best.map((old, k) => (k === index ? bytes : old));
    if (!isValid(bytes) || !fails(tried)) return false;
    best = tried;
    return true;
  };
  for (let before = Number.POSITIVE_INFINITY; sizeOf(best) < before && performance.now() < end; ) {
    before = sizeOf(best);
    for (let index = best.length - 1; index >= 0; index--) {
      const late = (): boolean => performance.now() > end;
      for (const id of [SectionId.data, SectionId.dataCount, SectionId.start, SectionId.custom])
        better(index, (parts) => {
          parts.sections = parts.sections.filter((section) => section.id !== id);
        });
      const count = takeApart(decode(best[index]!, DEFAULT_LIMITS)).bodies.length;
      for (let body = count - 1; body >= 0 && !late(); body--)
        shrinkBody(index, body, better, () => bodyOf(best[index]!, body), late);
    }
  }
  return best;
}

const sizeOf = (modules: readonly Uint8Array[]): number => modules.reduce((sum, { length }) => sum + length, 0);

function bodyOf(bytes: Uint8Array, body: number): readonly Uint8Array[] {
  return takeApart(decode(bytes, DEFAULT_LIMITS)).bodies[body]!.instructions;
}

function isValid(bytes: Uint8Array): boolean {
  try {
    validate(decode(bytes, DEFAULT_LIMITS), DEFAULT_LIMITS);
    return true;
  } catch {
    return false;
  }
}

function shrinkBody(
  index: number,
  body: number,
  better: (index: number, change: (parts: Parts) => void) => boolean,
  instructions: () => readonly Uint8Array[],
  late: () => boolean,
): void {
  const replace = (at: number, count: number, by: readonly number[]): boolean =>
    better(index, (parts) => {
      parts.bodies[body]!.instructions.splice(at, count, ...(by.length > 0 ? [Uint8Array.from(by)] : []));
    });
  const length = (): number => instructions().length - 1;
  const dropLocals = (): void => {
    better(index, (parts) => {
      parts.bodies[body]!.locals = Uint8Array.of(0);
    });
  };
  if (length() === 0 || replace(0, length(), [0x00])) {
    dropLocals();
    return;
  }
  for (let size = 1 << Math.floor(Math.log2(length())); size >= 1 && !late(); size >>= 1)
    for (let at = length() - size; at >= 0 && !late(); at -= size) {
      const same = size === 1 ? instructions()[at]! : undefined;
      const by = SUBSTITUTES.find((bytes) => !isSame(bytes, same) && replace(at, size, bytes));
      if (by) at = Math.min(at, length() - size + 1);
    }
  unwrap(better, index, body, instructions, late);
  dropLocals();
}

const isSame = (bytes: readonly number[], other: Uint8Array | undefined): boolean =>
  other !== undefined && bytes.length === other.length && bytes.every((byte, k) => byte === other[k]);

/** Takes blocks, loops and ifs away and leaves what is in them. */
function unwrap(
  better: (index: number, change: (parts: Parts) => void) => boolean,
  index: number,
  body: number,
  instructions: () => readonly Uint8Array[],
  late: () => boolean,
): void {
  for (let at = 0; at < instructions().length && !late(); at++) {
    const end = endOf(instructions(), at);
    if (end < 0) continue;
    better(index, (parts) => {
      const list = parts.bodies[body]!.instructions;
      list.splice(end, 1);
      list.splice(at, 1, ...(list[at]![0] === 0x04 ? [Uint8Array.of(0x1a)] : []));
    });
  }
}

/** Place of the `end` of the block that begins at `at`; -1 when none begins there. */
function endOf(instructions: readonly Uint8Array[], at: number): number {
  const instruction = new Instruction();
  let depth = 0;
  for (let k = at; k < instructions.length; k++) {
    readInstruction(new Reader(instructions[k]!), instruction);
    if (instruction.index >= 0x02 && instruction.index <= 0x04) depth++;
    if (instruction.index === 0x0b) depth--;
    if (depth === 0) return k === at ? -1 : k;
  }
  return -1;
}
