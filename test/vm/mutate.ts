/**
 * Mutants of modules for differential tests: byte-level damage, and structural changes that keep sizes and counts right
 * so that what they reach is the validator and not the first LEB.
 */
import { decode } from "../../vm/bytecode/decode.ts";
import { writeInstruction } from "../../vm/bytecode/encode.ts";
import { OPCODE_BY_INDEX } from "../../vm/bytecode/opcodes.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import { type ModuleStructure, SectionId } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { DEFAULT_LIMITS } from "../../vm/limits.ts";

/** A seeded generator (mulberry32): `next(n)` is an integer of [0, n). */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  next(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }
  pick<Item>(items: ArrayLike<Item>): Item {
    return items[this.next(items.length)]!;
  }
}

/** A module taken apart: sections in order, the code section's bodies as instructions. */
export interface Parts {
  sections: { id: number; contents: Uint8Array }[];
  /** Undefined when the module has no code section. */
  bodies: { locals: Uint8Array; instructions: Uint8Array[] }[];
}

/** What a base module needs for mutation; take it apart once and mutate it often. */
export class Base {
  readonly bytes: Uint8Array;
  readonly structure: ModuleStructure;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.structure = decode(bytes, DEFAULT_LIMITS);
  }

  /** One mutant; `kind` says how it came about. */
  mutant(random: Random): { kind: string; bytes: Uint8Array } {
    const kind = random.pick(KINDS);
    const parts = takeApart(this.structure);
    const count = random.next(8) === 0 ? 2 : 1;
    let bytes: Uint8Array | undefined;
    for (let k = 0; k < count; k++) bytes = MUTATIONS[kind](parts, random, bytes ?? this.bytes);
    return { kind, bytes: bytes ?? assemble(parts) };
  }
}

export function takeApart({ bytes, sections, bodies }: ModuleStructure): Parts {
  const reader = new Reader(bytes);
  const instruction = new Instruction();
  return {
    sections: sections.map(({ id, start, end }) => ({ id, contents: bytes.subarray(start, end) })),
    bodies: bodies.map(({ start, code, end }) => {
      const instructions: Uint8Array[] = [];
      reader.reset(code, end);
      while (reader.position < end) {
        const from = reader.position;
        readInstruction(reader, instruction);
        instructions.push(bytes.subarray(from, reader.position));
      }
      return { locals: bytes.subarray(start, code), instructions };
    }),
  };
}

export function assemble({ sections, bodies }: Parts): Uint8Array {
  const writer = new Writer();
  writer.copy(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  for (const { id, contents } of sections) {
    writer.byte(id);
    const sized = writer.beginSized();
    if (id === SectionId.code) {
      writer.u32(bodies.length);
      for (const { locals, instructions } of bodies) {
        const body = writer.beginSized();
        writer.copy(locals);
        for (const instruction of instructions) writer.copy(instruction);
        writer.endSized(body);
      }
    } else writer.copy(contents);
    writer.endSized(sized);
  }
  return writer.written.slice();
}

function splice(bytes: Uint8Array, at: number, removed: number, added: readonly number[]): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}

const VALUE_CODES = [0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f];
/** Bytes that mean something in many places: small indices, types, opcodes of control, prefixes, LEB's top bit. */
const TELLING = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 0x40, 0x60, 0x70, 0x7f, 0x80, 0xd0, 0xfc, 0xff];

const INDICES = Array.from(OPCODE_BY_INDEX.keys()).filter((index) => OPCODE_BY_INDEX[index]);

/** An instruction of any kind with small random immediates. */
function anyInstruction(random: Random): Uint8Array {
  const instruction = new Instruction();
  instruction.index = random.pick(INDICES);
  return written(instruction, random);
}

/** Gives `instruction` fresh immediates, as its opcode wants them, and encodes it. */
function written(instruction: Instruction, random: Random): Uint8Array {
  const writer = new Writer();
  const { immediate } = OPCODE_BY_INDEX[instruction.index]!;
  instruction.imm0 = random.next(4);
  instruction.imm1 = immediate === "memarg" ? random.next(100) : random.next(3);
  instruction.low = random.next(300) - 150;
  instruction.high = random.next(2) - 1;
  instruction.labelCount = 0;
  if (immediate === "block") instruction.imm0 = random.pick([-64, -64, -1, -2, -3, -4, -16, -17, 0, 1, 2]);
  if (immediate === "reftype") instruction.imm0 = random.pick([0x70, 0x6f]);
  if (immediate === "select") instruction.addLabel(random.pick(VALUE_CODES));
  if (immediate === "labels") for (let k = random.next(4); k > 0; k--) instruction.addLabel(random.next(3));
  writeInstruction(writer, instruction);
  return writer.written.slice();
}

/** Indices of the opcodes with the same immediate, so that an exchange leaves the rest of the body in step. */
function likeOpcodes(index: number): number[] {
  const { immediate } = OPCODE_BY_INDEX[index]!;
  return INDICES.filter((other) => OPCODE_BY_INDEX[other]!.immediate === immediate);
}

/** Reads the encoded instruction `bytes`. */
function read(bytes: Uint8Array): Instruction {
  const instruction = new Instruction();
  readInstruction(new Reader(bytes), instruction);
  return instruction;
}

/** A mutation changes `parts` and returns undefined, or returns new bytes for the whole module. */
type Mutation = (parts: Parts, random: Random, bytes: Uint8Array) => Uint8Array | undefined;

/** Runs `change` on a random body's instructions, at a random one. */
function inBody(change: (instructions: Uint8Array[], at: number, random: Random) => void): Mutation {
  return ({ bodies }, random) => {
    if (bodies.length === 0) return undefined;
    const { instructions } = random.pick(bodies);
    change(instructions, random.next(instructions.length), random);
    return undefined;
  };
}

/** Runs `change` on the contents of a random section other than code. */
function inSection(change: (contents: Uint8Array, random: Random) => Uint8Array): Mutation {
  return ({ sections }, random) => {
    const others = sections.filter(({ id }) => id !== SectionId.code);
    if (others.length === 0) return undefined;
    const section = random.pick(others);
    section.contents = change(section.contents, random);
    return undefined;
  };
}

const MUTATIONS = {
  // Bytes of the whole module.
  flipBit: (_, random, bytes) => {
    const at = 8 + random.next(bytes.length - 8);
    return splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << random.next(8))]);
  },
  setByte: (_, random, bytes) => splice(bytes, random.next(bytes.length), 1, [random.pick(TELLING)]),
  insertByte: (_, random, bytes) => splice(bytes, random.next(bytes.length + 1), 0, [random.pick(TELLING)]),
  deleteBytes: (_, random, bytes) => splice(bytes, random.next(bytes.length), 1 + random.next(3), []),
  truncate: (_, random, bytes) => bytes.slice(0, random.next(bytes.length)),
  // Sections.
  dropSection: ({ sections }, random) => void sections.splice(random.next(sections.length), 1),
  repeatSection: ({ sections }, random) => {
    if (sections.length > 0) sections.splice(random.next(sections.length), 0, random.pick(sections));
    return undefined;
  },
  swapSections: ({ sections }, random) => {
    const at = random.next(sections.length);
    const [first, second] = [sections[at], sections[at + 1]];
    if (first && second) sections.splice(at, 2, second, first);
    return undefined;
  },
  addSection: ({ sections }, random) => {
    const id = random.next(14);
    sections.splice(random.next(sections.length + 1), 0, { id, contents: Uint8Array.of(random.next(2)) });
    return undefined;
  },
  setSectionByte: inSection((contents, random) =>
    splice(contents, random.next(contents.length), 1, [random.pick(TELLING)]),
  ),
  changeSectionByte: inSection((contents, random) => {
    const at = random.next(contents.length);
    return splice(contents, at, 1, [((contents[at] ?? 0) + random.pick([-2, -1, 1, 2])) & 0xff]);
  }),
  resizeSection: inSection((contents, random) =>
    random.next(2) === 0
      ? splice(contents, random.next(contents.length), 1, [])
      : splice(contents, random.next(contents.length + 1), 0, [random.pick(TELLING)]),
  ),
  changeType: inSection((contents, random) => {
    const places = Array.from(contents.keys()).filter((at) => VALUE_CODES.includes(contents[at]!));
    if (places.length === 0) return contents;
    return splice(contents, random.pick(places), 1, [random.pick([...VALUE_CODES, 0x7b, 0x63, 0x6e, 0x78])]);
  }),
  padSection: inSection((contents, random) => {
    // A longer form of some small number: allowed where the format has a LEB, damage elsewhere.
    const at = random.next(contents.length);
    return splice(contents, at, 1, [(contents[at] ?? 0) | 0x80, 0x00]);
  }),
  changeLocals: ({ bodies }, random) => {
    if (bodies.length === 0) return undefined;
    const body = random.pick(bodies);
    const runs = Array.from({ length: random.next(4) }, () => [random.next(4), random.pick(VALUE_CODES)]);
    body.locals = Uint8Array.from([runs.length, ...runs.flat()]);
    return undefined;
  },
  // Instructions.
  exchangeOpcode: inBody((instructions, at, random) => {
    const instruction = read(instructions[at]!);
    const writer = new Writer();
    instruction.index = random.pick(likeOpcodes(instruction.index));
    writeInstruction(writer, instruction);
    instructions[at] = writer.written.slice();
  }),
  exchangeImmediates: inBody((instructions, at, random) => {
    instructions[at] = written(read(instructions[at]!), random);
  }),
  replaceInstruction: inBody((instructions, at, random) => {
    instructions[at] = anyInstruction(random);
  }),
  insertInstruction: inBody((instructions, at, random) => void instructions.splice(at, 0, anyInstruction(random))),
  insertDead: inBody((instructions, at, random) => {
    const dead = Array.from({ length: 1 + random.next(6) }, () => anyInstruction(random));
    instructions.splice(
      at,
      0,
      random.pick([Uint8Array.of(0x00), Uint8Array.of(0x0f), Uint8Array.of(0x0c, 0)]),
      ...dead,
    );
  }),
  deleteInstruction: inBody((instructions, at) => void instructions.splice(at, 1)),
  repeatInstruction: inBody((instructions, at) => void instructions.splice(at, 0, instructions[at]!)),
  swapInstructions: inBody((instructions, at) => {
    const next = instructions[at + 1];
    if (next) instructions.splice(at, 2, next, instructions[at]!);
  }),
  padInstruction: inBody((instructions, at) => {
    const bytes = instructions[at]!;
    const last = bytes.length - 1;
    instructions[at] = splice(bytes, last, 1, [bytes[last]! | 0x80, bytes[last]! & 0x40 ? 0x7f : 0x00]);
  }),
  insertBytes: inBody((instructions, at, random) => {
    const noise = Uint8Array.from({ length: 1 + random.next(3) }, () => random.next(256));
    instructions.splice(at, 0, noise);
  }),
} satisfies { readonly [kind: string]: Mutation };

type Kind = keyof typeof MUTATIONS;
const KINDS = Object.keys(MUTATIONS) as Kind[];
