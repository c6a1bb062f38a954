/**
 * What lies outside the profile (spec VM-PROFILE-1): WebAssembly core 2.0 without SIMD, with extended constant
 * expressions. A code that a known proposal gives a meaning is refused by that proposal's name; any other is malformed.
 */
import { DecodeError, UnsupportedFeature } from "../errors.ts";

export const Feature = {
  simd: "SIMD",
  threads: "threads",
  tailCalls: "tail calls",
  exceptions: "exception handling",
  functionReferences: "typed function references",
  gc: "garbage collection",
  multiMemory: "multi-memory",
  memory64: "memory64",
  pageSizes: "custom page sizes",
  constantGlobals: "constant expressions over defined globals",
  stackSwitching: "stack switching",
  wideArithmetic: "wide arithmetic",
  memoryControl: "memory control",
  components: "the component model",
} as const;

type Ranges = readonly (readonly [first: number, last: number, feature: string])[];

const OPCODES: Ranges = [
  [0x06, 0x0a, Feature.exceptions],
  [0x12, 0x13, Feature.tailCalls],
  [0x14, 0x15, Feature.functionReferences],
  [0x18, 0x19, Feature.exceptions],
  [0x1f, 0x1f, Feature.exceptions],
  [0xd3, 0xd3, Feature.gc],
  [0xd4, 0xd6, Feature.functionReferences],
  [0xe0, 0xe6, Feature.stackSwitching],
  [0xfb, 0xfb, Feature.gc],
  [0xfd, 0xfd, Feature.simd],
  [0xfe, 0xfe, Feature.threads],
];

/** Sub-opcodes of the 0xfc prefix. */
const PREFIXED: Ranges = [
  [18, 18, Feature.memoryControl],
  [19, 22, Feature.wideArithmetic],
];

/** Value types, heap types and the forms of the type section, which share one space of codes. */
const TYPES: Ranges = [
  [0x4d, 0x50, Feature.gc],
  [0x5d, 0x5d, Feature.stackSwitching],
  [0x5e, 0x5f, Feature.gc],
  [0x63, 0x64, Feature.functionReferences],
  [0x65, 0x65, Feature.threads],
  [0x68, 0x68, Feature.stackSwitching],
  [0x69, 0x69, Feature.exceptions],
  [0x6a, 0x6e, Feature.gc],
  [0x71, 0x73, Feature.gc],
  [0x74, 0x74, Feature.exceptions],
  [0x75, 0x75, Feature.stackSwitching],
  [0x77, 0x78, Feature.gc],
  [0x7b, 0x7b, Feature.simd],
];

function refuse(ranges: Ranges, code: number, offset: number, what: string): never {
  const row = ranges.find(([first, last]) => code >= first && code <= last);
  if (row) throw new UnsupportedFeature(offset, row[2]);
  throw new DecodeError(offset, `${what} 0x${code.toString(16)}`);
}

/** Refuses the opcode byte `code`, which has no row in the opcode table. */
export function refuseOpcode(code: number, offset: number): never {
  refuse(OPCODES, code, offset, "illegal opcode");
}

/** Refuses the sub-opcode `code` of the 0xfc prefix. */
export function refusePrefixed(code: number, offset: number): never {
  refuse(PREFIXED, code, offset, "illegal opcode 0xfc");
}

/** Refuses the type code `code`; `what` begins the message where the code means nothing at all. */
export function refuseType(code: number, offset: number, what: string): never {
  refuse(TYPES, code, offset, what);
}
