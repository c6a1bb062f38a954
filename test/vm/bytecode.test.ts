import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { loadWat, WatError } from "../../host/wat.ts";
import { decode } from "../../vm/bytecode/decode.ts";
import { disassemble, disassembleLines } from "../../vm/bytecode/disassemble.ts";
import { encode, writeInstruction } from "../../vm/bytecode/encode.ts";
import { OPCODES, opcodeIndex } from "../../vm/bytecode/opcodes.ts";
import { Feature } from "../../vm/bytecode/profile.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import { type ModuleStructure, SectionId } from "../../vm/bytecode/structure.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { DecodeError } from "../../vm/errors.ts";
import { DEFAULT_LIMITS, type ModuleLimits } from "../../vm/limits.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import { bodyModule, codeOffset, HEADER, leb, moduleOf, name, nested, section, TYPE, verdict } from "./binary.ts";
import { ALL_OPCODES, caseName, GUESTS, OPCODE_GUESTS } from "./guests.ts";

const MEMORY = section(5, 1, 0, 1);
const TABLE = section(4, 1, 0x70, 0, 1);

function same(t: Test, actual: Uint8Array, expected: Uint8Array, message: string): void {
  t.equal(Buffer.compare(actual, expected), 0, message);
}

/** Every section of `expected` that the text format has stands in `actual`, byte for byte; custom ones apart. */
function sameSections(t: Test, actual: ModuleStructure, expected: ModuleStructure, what: string): void {
  for (const { id, start, end } of expected.sections) {
    // The text format has no data count: what reads it writes one where an instruction needs it.
    if (id === SectionId.dataCount) continue;
    const other = actual.sections.find((section) => section.id === id);
    same(
      t,
      actual.bytes.subarray(other?.start, other?.end),
      expected.bytes.subarray(start, end),
      `${what}: section ${id}`,
    );
  }
}

t.test("[VM-DECODE-3] integers: every form the core specification has, and no other", async (t) => {
  const u32 = (...bytes: number[]) => attempt(bytes, (reader) => reader.readU32());
  t.equal(u32(0x00), 0);
  t.equal(u32(0x7f), 127);
  t.equal(u32(0xe5, 0x8e, 0x26), 624485);
  t.equal(u32(0xff, 0xff, 0xff, 0xff, 0x0f), 0xffff_ffff);
  t.equal(u32(0x83, 0x80, 0x80, 0x80, 0x00), 3, "a long form of 3");
  t.equal(u32(0x83, 0x80, 0x80, 0x80, 0x80, 0x00), "integer representation too long");
  t.equal(u32(0xff, 0xff, 0xff, 0xff, 0x1f), "integer too large");
  t.equal(u32(0x80), "unexpected end");

  const s32 = (...bytes: number[]) => attempt(bytes, (reader) => reader.readS32());
  t.equal(s32(0x7f), -1);
  t.equal(s32(0x40), -64);
  t.equal(s32(0x3f), 63);
  t.equal(s32(0xc0, 0x00), 64);
  t.equal(s32(0x80, 0x80, 0x80, 0x80, 0x78), -(2 ** 31));
  t.equal(s32(0xff, 0xff, 0xff, 0xff, 0x07), 2 ** 31 - 1);
  t.equal(s32(0xff, 0xff, 0xff, 0xff, 0x7f), -1, "a long form of -1");
  t.equal(s32(0xff, 0xff, 0xff, 0xff, 0x0f), "integer too large");
  t.equal(s32(0x80, 0x80, 0x80, 0x80, 0x70), "integer too large");
  t.equal(s32(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "integer representation too long");

  const s33 = (...bytes: number[]) => attempt(bytes, (reader) => reader.readS33());
  t.equal(s33(0x40), -64);
  t.equal(s33(0xff, 0xff, 0xff, 0xff, 0x0f), 2 ** 32 - 1);
  t.equal(s33(0x80, 0x80, 0x80, 0x80, 0x70), -(2 ** 32));
  t.equal(s33(0xff, 0xff, 0xff, 0xff, 0x1f), "integer too large");
  t.equal(s33(0x80, 0x80, 0x80, 0x80, 0x60), "integer too large");
  t.equal(s33(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "integer representation too long");

  const s64 = (...bytes: number[]) =>
    attempt(bytes, (reader) => {
      reader.readS64();
      return (BigInt(reader.high) << 32n) | BigInt(reader.low >>> 0);
    });
  const ff = (count: number) => new Array<number>(count).fill(0xff);
  const zeros = (count: number) => new Array<number>(count).fill(0x80);
  t.equal(s64(0x7f), -1n);
  t.equal(s64(...zeros(9), 0x7f), -(2n ** 63n));
  t.equal(s64(...ff(9), 0x00), 2n ** 63n - 1n);
  t.equal(s64(...ff(9), 0x7f), -1n, "a long form of -1");
  t.equal(s64(...ff(9), 0x01), "integer too large");
  t.equal(s64(...zeros(9), 0x7e), "integer too large");
  t.equal(s64(...zeros(10), 0x00), "integer representation too long");

  // Every power of two and its neighbours, both signs, through the writer and back.
  const writer = new Writer(1);
  for (let bit = 0n; bit < 64n; bit++) {
    for (const near of [-1n, 0n, 1n]) {
      for (const sign of [-1n, 1n]) {
        const value = BigInt.asIntN(64, sign * (1n << bit) + near);
        writer.clear();
        writer.s64(Number(BigInt.asIntN(32, value)), Number(value >> 32n));
        t.equal(s64(...writer.written), value, `${value}`);
        const word = Number(BigInt.asIntN(32, value));
        writer.clear();
        writer.s32(word);
        t.equal(s32(...writer.written), word);
        writer.clear();
        writer.u32(word);
        t.equal(u32(...writer.written), word >>> 0);
        t.strictSame([...writer.written], leb(word >>> 0), "the shortest form");
      }
    }
  }

  // Where the format has a byte and not an integer, a longer form is malformed.
  t.equal(verdict(bodyModule([0x02, 0xc0, 0x7f, 0x0b])), `DecodeError @${codeOffset() + 1}`, "block type");
  t.equal(verdict(bodyModule([0xd0, 0xf0, 0x7f, 0x1a])), `DecodeError @${codeOffset() + 1}`, "reference type");
  t.equal(verdict(moduleOf(section(5, 1, 0x81, 0x00, 1, 1))), "DecodeError @11", "limits flags");
  t.equal(verdict(moduleOf(section(5, 1, 0x80, 0x00, 1))), "DecodeError @11", "limits flags");
  t.equal(verdict(moduleOf(section(6, 1, 0xff, 0x7f, 0, 0x41, 0, 0x0b))), "DecodeError @11", "value type");
});

function attempt<Value>(bytes: readonly number[], read: (reader: Reader) => Value): Value | string {
  const reader = new Reader(Uint8Array.from(bytes));
  try {
    const value = read(reader);
    return reader.position === bytes.length ? value : `stopped at ${reader.position}`;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error.message.replace(/(?::.*)? at offset .*/, "");
  }
}

t.test("[VM-DECODE-4] names are strict UTF-8", async (t) => {
  const cases: readonly [bytes: readonly number[], text: string | undefined][] = [
    [[], ""],
    [[0x41, 0x00, 0x7f], "A\0\x7f"],
    [[0xc2, 0x80], "\u0080"],
    [[0xdf, 0xbf], "\u07ff"],
    [[0xe0, 0xa0, 0x80], "\u0800"],
    [[0xed, 0x9f, 0xbf], "\ud7ff"],
    [[0xee, 0x80, 0x80], "\ue000"],
    [[0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
    [[0xef, 0xbf, 0xbf], "\uffff"],
    [[0xf0, 0x90, 0x80, 0x80], "\u{10000}"],
    [[0xf4, 0x8f, 0xbf, 0xbf], "\u{10ffff}"],
    [[0x80], undefined],
    [[0xbf], undefined],
    [[0xc0, 0x80], undefined],
    [[0xc1, 0xbf], undefined],
    [[0xc2], undefined],
    [[0xc2, 0x7f], undefined],
    [[0xe0, 0x9f, 0xbf], undefined],
    [[0xe1, 0x80], undefined],
    [[0xe1, 0x80, 0xc0], undefined],
    [[0xed, 0xa0, 0x80], undefined],
    [[0xed, 0xbf, 0xbf], undefined],
    [[0xf0, 0x8f, 0xbf, 0xbf], undefined],
    [[0xf0, 0x90, 0x80], undefined],
    [[0xf4, 0x90, 0x80, 0x80], undefined],
    [[0xf5, 0x80, 0x80, 0x80], undefined],
    [[0xff], undefined],
  ];
  for (const [bytes, text] of cases) {
    const hex = Buffer.from(bytes).toString("hex");
    t.equal(decodeUtf8(Uint8Array.from(bytes)), text, hex);
    if (text !== undefined) t.strictSame([...encodeUtf8(text)], bytes, `${hex} back`);
    const custom = moduleOf(section(0, bytes.length, ...bytes));
    t.equal(verdict(custom), text === undefined ? "DecodeError @11" : "valid", `custom section named ${hex}`);
  }
  t.equal(decodeUtf8(Uint8Array.of(0xff, 0x61, 0x62, 0xff), 1, 3), "ab", "a range");
  t.strictSame([...encodeUtf8("a\ud800b\udc00")], [0x61, 0xef, 0xbf, 0xbd, 0x62, 0xef, 0xbf, 0xbd], "lone surrogates");
  const long = "é€😀x".repeat(5000);
  t.equal(decodeUtf8(encodeUtf8(long)), long);
  t.strictSame(Buffer.from(encodeUtf8(long)), Buffer.from(long));
});

t.test("[VM-DECODE-1, VM-DECODE-2] preamble and sections", async (t) => {
  const empty = section(3, 0);
  const cases: readonly [string, Uint8Array, string][] = [
    ["nothing", Uint8Array.of(), "DecodeError @0"],
    ["a cut magic", Uint8Array.from(HEADER.slice(0, 3)), "DecodeError @0"],
    ["another magic", Uint8Array.from([0, 0x61, 0x73, 0x6e, 1, 0, 0, 0]), "DecodeError @0"],
    ["a cut version", Uint8Array.from(HEADER.slice(0, 7)), "DecodeError @4"],
    ["another version", Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]), "DecodeError @4"],
    ["the header alone", moduleOf(), "valid"],
    ["an unknown section", moduleOf([14, 0]), "DecodeError @8"],
    ["a section without size", moduleOf([1]), "DecodeError @9"],
    ["a section past the end", moduleOf([1, 2, 0]), "DecodeError @10"],
    ["a section shorter than its contents", moduleOf([1, 3, 1, 0x60, 0, 0]), "DecodeError @13"],
    ["a section longer than its contents", moduleOf(section(1, 1, 0x60, 0, 0, 0)), "DecodeError @14"],
    ["an empty section", moduleOf([1, 0]), "DecodeError @10"],
    ["a section twice", moduleOf(TYPE, TYPE), "DecodeError @14"],
    ["sections out of order", moduleOf(empty, TYPE), "DecodeError @11"],
    ["data count before code", moduleOf(section(12, 0), section(10, 0), section(11, 0)), "valid"],
    ["data count after code", moduleOf(section(10, 0), section(12, 0)), "DecodeError @11"],
    ["data count before element", moduleOf(section(12, 0), section(9, 0)), "DecodeError @11"],
    ["custom sections anywhere", moduleOf(section(0, 1, 97), TYPE, section(0, 0), section(0, 1, 97)), "valid"],
    ["a custom section without a name", moduleOf([0, 0]), "DecodeError @10"],
    ["a name past the section's end", moduleOf([0, 1, 5, 97, 97, 97, 97, 97]), "DecodeError @11"],
    ["functions without code", moduleOf(TYPE, section(3, 1, 0)), "DecodeError @18"],
    ["code without functions", moduleOf(TYPE, section(10, 1, 2, 0, 0x0b)), "DecodeError @20"],
    ["a data count of another number", moduleOf(section(12, 1)), "DecodeError @11"],
    ["mutability 2", moduleOf(section(6, 1, 0x7f, 2, 0x41, 0, 0x0b)), "DecodeError @12"],
    ["import kind 5", moduleOf(section(2, 1, 0, 0, 5)), "DecodeError @13"],
    ["export kind 5", moduleOf(section(7, 1, 0, 5, 0)), "DecodeError @12"],
    ["element flags 8", moduleOf(section(9, 1, 8, 0x41, 0, 0x0b, 0)), "DecodeError @11"],
    ["element kind 1", moduleOf(section(9, 1, 1, 1, 0)), "DecodeError @12"],
    ["data flags 3", moduleOf(section(11, 1, 3, 0)), "DecodeError @11"],
    ["a body past the section's end", moduleOf(TYPE, section(3, 1, 0), section(10, 1, 3, 0, 0x0b)), "DecodeError @22"],
    ["a body without an end", moduleOf(TYPE, section(3, 1, 0), section(10, 1, 2, 0, 1)), "DecodeError @24"],
    ["code after the end", bodyModule([0x0b, 0x01]), `DecodeError @${codeOffset() + 1}`],
    [
      "an alignment of 2^32",
      bodyModule([0x41, 0, 0x28, 0x20, 0, 0x1a], MEMORY),
      `DecodeError @${codeOffset(MEMORY) + 3}`,
    ],
    ["an else without an if", bodyModule([0x02, 0x40, 0x05, 0x0b]), `DecodeError @${codeOffset() + 2}`],
    [
      "2^32 locals",
      moduleOf(TYPE, section(3, 1, 0), section(10, 1, 15, 2, ...leb(2 ** 31), 0x7f, ...leb(2 ** 31), 0x7f, 0x0b, 0)),
      "DecodeError @22",
    ],
  ];
  for (const [what, bytes, expected] of cases) t.equal(verdict(bytes), expected, what);
});

t.test("[VM-PROFILE-2] what other proposals define is refused by the proposal's name", async (t) => {
  const at = codeOffset();
  const withMemory = codeOffset(MEMORY);
  const longOffset = (...bytes: number[]) => bodyModule([0x41, 0, 0x28, 2, ...bytes, 0x1a], MEMORY);
  const cases: readonly (readonly [feature: string, offset: number, bytes: Uint8Array])[] = [
    [Feature.simd, at, bodyModule([0xfd, 0x0c])],
    [Feature.simd, 13, moduleOf(section(1, 1, 0x60, 1, 0x7b, 0))],
    [Feature.threads, at, bodyModule([0xfe, 0x03, 0x00])],
    [Feature.threads, 11, moduleOf(section(5, 1, 3, 1, 1))],
    [Feature.threads, 12, moduleOf(section(4, 1, 0x70, 3, 1, 1))],
    [Feature.exceptions, 8, moduleOf(section(13, 0))],
    [Feature.exceptions, 13, moduleOf(section(2, 1, 0, 0, 4, 0, 0))],
    [Feature.exceptions, 12, moduleOf(section(7, 1, 0, 4, 0))],
    [Feature.exceptions, at + 1, bodyModule([0xd0, 0x69, 0x1a])],
    [Feature.functionReferences, at + 1, bodyModule([0xd0, 0x00, 0x1a])],
    [Feature.functionReferences, 11, moduleOf(section(6, 1, 0x63, 0x70, 0, 0xd0, 0x70, 0x0b))],
    [Feature.functionReferences, 11, moduleOf(section(4, 1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b))],
    [Feature.functionReferences, at + 1, bodyModule([0x02, 0x64, 0x70, 0x0b])],
    ...[0x4e, 0x4f, 0x50, 0x5e, 0x5f].map((form) => [Feature.gc, 11, moduleOf(section(1, 1, form, 0))] as const),
    [Feature.gc, 11, moduleOf(section(4, 1, 0x6e, 0, 1))],
    [Feature.gc, at + 1, bodyModule([0xd0, 0x71, 0x1a])],
    [Feature.multiMemory, 10, moduleOf(section(5, 2, 0, 1, 0, 1))],
    [Feature.multiMemory, 16, moduleOf(section(2, 2, 0, 0, 2, 0, 1, 0, 0, 2, 0, 1))],
    [Feature.multiMemory, 18, moduleOf(section(2, 1, 0, 0, 2, 0, 1), MEMORY)],
    [Feature.multiMemory, withMemory + 1, bodyModule([0x3f, 0x01, 0x1a], MEMORY)],
    [Feature.multiMemory, withMemory + 1, bodyModule([0x3f, 0x80, 0x00, 0x1a], MEMORY)],
    [Feature.multiMemory, withMemory + 1, bodyModule([0x40, 0x01], MEMORY)],
    [Feature.multiMemory, withMemory + 3, bodyModule([0xfc, 0x08, 0x00, 0x01], MEMORY)],
    [Feature.multiMemory, withMemory + 2, bodyModule([0xfc, 0x0a, 0x01, 0x00], MEMORY)],
    [Feature.multiMemory, withMemory + 3, bodyModule([0xfc, 0x0a, 0x00, 0x01], MEMORY)],
    [Feature.multiMemory, withMemory + 2, bodyModule([0xfc, 0x0b, 0x01], MEMORY)],
    [Feature.multiMemory, withMemory + 3, bodyModule([0x41, 0, 0x28, 0x42, 0, 0, 0x1a], MEMORY)],
    [Feature.memory64, 11, moduleOf(section(5, 1, 4, 1))],
    [Feature.memory64, 12, moduleOf(section(4, 1, 0x70, 5, 1, 1))],
    [Feature.memory64, withMemory + 4, longOffset(0x80, 0x80, 0x80, 0x80, 0x10)],
    [Feature.memory64, withMemory + 4, longOffset(0x80, 0x80, 0x80, 0x80, 0x80, 0)],
    [Feature.memory64, withMemory + 4, longOffset(...new Array<number>(9).fill(0x80), 0)],
    [Feature.pageSizes, 11, moduleOf(section(5, 1, 8, 1, 0))],
    [Feature.constantGlobals, 18, moduleOf(section(6, 2, 0x7f, 0, 0x41, 0, 0x0b, 0x7f, 0, 0x23, 0, 0x0b))],
    [Feature.components, 4, Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])],
  ];
  for (const [feature, offset, bytes] of cases) {
    t.equal(verdict(bytes), `UnsupportedFeature ${feature} @${offset}`, Buffer.from(bytes).toString("hex"));
  }
  t.equal(verdict(longOffset(0x80, 0x80, 0x80, 0x80, 0x0f)), "valid", "the last offset of five bytes");
  t.equal(verdict(longOffset(...new Array<number>(10).fill(0x80), 0)), `DecodeError @${withMemory + 4}`);

  const features = byVerdict((code) => moduleOf(section(6, 1, code, 0, 0x41, 0, 0x0b)));
  t.strictSame(features.get("SIMD @11"), [0x7b]);
  t.strictSame(features.get("threads @11"), [0x65]);
  t.strictSame(features.get("exception handling @11"), [0x69, 0x74]);
  t.strictSame(features.get("typed function references @11"), [0x63, 0x64]);
  t.strictSame(features.get("stack switching @11"), [0x5d, 0x68, 0x75]);
  t.strictSame(
    features.get("garbage collection @11"),
    [0x4d, 0x4e, 0x4f, 0x50, 0x5e, 0x5f, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x77, 0x78],
  );
  t.equal(features.size, 6, "no other type code belongs to a proposal");
});

/** The codes whose module is refused as a feature, by feature and offset. */
function byVerdict(moduleWith: (code: number) => Uint8Array): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (let code = 0; code < 256; code++) {
    const answer = verdict(moduleWith(code));
    if (!answer.startsWith("UnsupportedFeature ")) continue;
    const key = answer.slice("UnsupportedFeature ".length);
    found.set(key, [...(found.get(key) ?? []), code]);
  }
  return found;
}

t.test(
  "[VM-PROFILE-1, VM-PROFILE-2, VM-PROFILE-3] every opcode is the profile's, a proposal's, or illegal",
  async (t) => {
    const at = codeOffset();
    const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, k) => first + k);
    const plain = byVerdict((code) => bodyModule([code, ...new Array<number>(20).fill(0)]));
    t.strictSame(plain.get(`exception handling @${at}`), [...range(0x06, 0x0a), 0x18, 0x19, 0x1f]);
    t.strictSame(plain.get(`tail calls @${at}`), [0x12, 0x13]);
    t.strictSame(plain.get(`typed function references @${at}`), [0x14, 0x15, 0xd4, 0xd5, 0xd6]);
    t.strictSame(plain.get(`garbage collection @${at}`), [0xd3, 0xfb]);
    t.strictSame(plain.get(`stack switching @${at}`), range(0xe0, 0xe6));
    t.strictSame(plain.get(`SIMD @${at}`), [0xfd]);
    t.strictSame(plain.get(`threads @${at}`), [0xfe]);
    const prefixed = byVerdict((sub) => bodyModule([0xfc, ...leb(sub), ...new Array<number>(20).fill(0)]));
    t.strictSame(prefixed.get(`memory control @${at}`), [0x12]);
    t.strictSame(prefixed.get(`wide arithmetic @${at}`), range(0x13, 0x16));

    const illegal = (prefix: readonly number[]) => (code: number) => {
      try {
        const [byte] = prefix;
        const bytes = [...prefix, ...(byte === undefined ? [code] : leb(code)), ...new Array<number>(20).fill(0)];
        readInstruction(new Reader(Uint8Array.from(bytes)), new Instruction());
        return false;
      } catch (error) {
        return error instanceof DecodeError && error.offset === 0 && error.message.startsWith("illegal opcode");
      }
    };
    t.strictSame(range(0, 255).filter(illegal([])), [
      ...[0x16, 0x17, 0x1d, 0x1e, 0x27],
      ...range(0xc5, 0xcf),
      ...range(0xd7, 0xdf),
      ...range(0xe7, 0xfa),
      0xff,
    ]);
    t.strictSame(range(0, 1000).filter(illegal([0xfc])), range(0x17, 1000));
    t.equal(verdict(bodyModule([0xff])), `DecodeError @${at}`);
  },
);

t.test("[VM-DECODE-5] lengths are not believed", async (t) => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
  const body = (...bytes: number[]) => moduleOf(TYPE, section(3, 1, 0), section(10, 1, ...leb(bytes.length), ...bytes));
  const cases: readonly [string, Uint8Array, string][] = [
    ...[1, 2, 3, 4, 5, 6, 7, 9, 10, 11].map(
      (id) => [`section ${id}`, moduleOf(section(id, ...huge)), "DecodeError @10"] as [string, Uint8Array, string],
    ),
    ["parameters", moduleOf(section(1, 1, 0x60, ...huge)), "DecodeError @12"],
    ["a name", moduleOf(section(2, 1, ...huge)), "LimitError nameBytes 4294967295 > 100000"],
    ["a name below the limit", moduleOf(section(2, 1, 0x80, 0x01)), "DecodeError @13"],
    ["runs of locals", body(...huge), "DecodeError @22"],
    ["a branch table", body(0, 0x41, 0, 0x0e, ...huge, 0x0b), "DecodeError @26"],
    ["a select's types", body(0, 0x1c, ...huge, 0x0b), "DecodeError @24"],
    ["element items", moduleOf(section(9, 1, 1, 0, ...huge)), "DecodeError @13"],
    ["data bytes", moduleOf(section(11, 1, 1, ...huge)), "DecodeError @17"],
    [
      "a body",
      moduleOf(TYPE, section(3, 1, 0), section(10, 1, ...huge)),
      "LimitError functionBytes 4294967295 > 3000000",
    ],
  ];
  const before = process.memoryUsage();
  for (const [what, bytes, expected] of cases) t.equal(verdict(bytes), expected, what);
  const after = process.memoryUsage();
  t.ok(after.heapUsed + after.external - before.heapUsed - before.external < 64e6, "and nothing large was allocated");

  // Every cut of a module that has everything: refused, with an offset within it, as V8 refuses it.
  const whole = await loadWat(GUESTS.segments);
  const cut: string[] = [];
  for (let length = 0; length < whole.length; length++) {
    const answer = verdict(whole.subarray(0, length));
    const offset = Number(/@(\d+)$/.exec(answer)?.[1]);
    if (answer === "valid" ? !WebAssembly.validate(whole.slice(0, length)) : !(offset <= length))
      cut.push(`${length}: ${answer}`);
  }
  t.strictSame(cut, []);
});

t.test("[VM-DECODE-7] module limits", async (t) => {
  const locals = (count: number) =>
    moduleOf(section(1, 1, 0x60, 1, 0x7f, 0), section(3, 1, 0), section(10, 1, 4, 1, count, 0x7f, 0x0b));
  const importOf = (...type: number[]) => section(2, 2, 0, 0, ...type, 0, 0, ...type);
  // A module that has exactly `at` of what the limit counts.
  const cases: readonly [limit: keyof ModuleLimits, at: number, bytes: Uint8Array][] = [
    ["moduleBytes", 14, moduleOf(TYPE)],
    ["types", 2, moduleOf(section(1, 2, 0x60, 0, 0, 0x60, 0, 0))],
    ["imports", 2, moduleOf(importOf(3, 0x7f, 0))],
    ["functions", 2, moduleOf(TYPE, importOf(0, 0))],
    ["functions", 3, moduleOf(TYPE, importOf(0, 0), section(3, 1, 0), section(10, 1, 2, 0, 0x0b))],
    ["tables", 2, moduleOf(importOf(1, 0x70, 0, 0))],
    ["tables", 3, moduleOf(importOf(1, 0x70, 0, 0), TABLE)],
    ["globals", 2, moduleOf(importOf(3, 0x7f, 0))],
    ["globals", 3, moduleOf(importOf(3, 0x7f, 0), section(6, 1, 0x7f, 0, 0x41, 0, 0x0b))],
    ["exports", 2, moduleOf(MEMORY, section(7, 2, 0, 2, 0, 1, 97, 2, 0))],
    ["elementSegments", 2, moduleOf(section(9, 2, 1, 0, 0, 1, 0, 0))],
    ["elementItems", 2, moduleOf(section(9, 1, 5, 0x70, 2, 0xd0, 0x70, 0x0b, 0xd0, 0x70, 0x0b))],
    ["dataSegments", 2, moduleOf(section(11, 2, 1, 0, 1, 0))],
    ["functionParams", 2, moduleOf(section(1, 1, 0x60, 2, 0x7f, 0x7f, 0))],
    ["functionResults", 2, moduleOf(section(1, 1, 0x60, 0, 2, 0x7f, 0x7f))],
    ["functionLocals", 6, locals(5)],
    ["functionBytes", 4, locals(5)],
    ["functionOperands", 3, bodyModule([0x41, 0, 0x41, 0, 0x41, 0, 0x1a, 0x1a, 0x1a])],
    ["branchTargets", 2, bodyModule([0x41, 0, 0x0e, 2, 0, 0, 0])],
    ["nameBytes", 4, moduleOf(section(2, 1, 1, 97, ...name("name"), 3, 0x7f, 0))],
    ["nameBytes", 3, moduleOf(section(0, ...name("abc")))],
  ];
  for (const [limit, at, bytes] of cases) {
    t.equal(verdict(bytes, { [limit]: at }), "valid", `${limit}: ${at} of ${at}`);
    t.equal(
      verdict(bytes, { [limit]: at - 1 }),
      `LimitError ${limit} ${at} > ${at - 1}`,
      `${limit}: ${at} of ${at - 1}`,
    );
  }
  const tried = new Set<string>(cases.map(([limit]) => limit));
  const storeLimits = ["memoryPages", "tableElements", "depth", "heapObjects", "heapBytes", "instances"];
  t.strictSame(
    Object.keys(DEFAULT_LIMITS).filter((limit) => !tried.has(limit)),
    storeLimits,
    "every module limit is tried",
  );
});

t.test("[VM-DECODE-6] custom sections and names", async (t) => {
  const named = (...contents: number[]) => section(0, ...name("name"), ...contents);
  const functions = section(1, 1, 0, ...name("run"));
  const read = (...sections: (readonly number[])[]) => decode(moduleOf(...sections), DEFAULT_LIMITS);

  const { customs } = read(
    section(0, ...name("a"), 1, 2),
    TYPE,
    section(0, ...name("b")),
    section(0, ...name("c"), 3),
    MEMORY,
  );
  t.strictSame(
    customs.map(({ name, start, end, after }) => [name, start, end, after]),
    [
      ["a", 12, 14, 0],
      ["b", 24, 24, 1],
      ["c", 28, 29, 1],
    ],
  );

  const good = read(named(...section(0, ...name("mod")), ...functions, ...section(2, 1, 0, 1, 2, ...name("x"))));
  t.equal(good.names.module, "mod");
  t.strictSame([...good.names.functions], [[0, "run"]]);
  t.strictSame(
    [...good.names.locals].map(([index, locals]) => [index, [...locals]]),
    [[0, [[2, "x"]]]],
  );

  const functionNames = (structure: ModuleStructure) => [...structure.names.functions];
  t.strictSame(
    functionNames(read(named(...functions), named(...section(1, 1, 0, ...name("other"))))),
    [[0, "run"]],
    "the first",
  );
  t.strictSame(functionNames(read(named(...section(0, 9), ...functions))), [[0, "run"]], "a malformed one before it");
  t.strictSame(functionNames(read(named(...functions, 2, 99))), [[0, "run"]], "a cut one behind it");
  t.strictSame(functionNames(read(named(...section(1, 2, 0, ...name("run"))))), [], "fewer names than it says");
  t.strictSame(functionNames(read(named(...section(1, 1, 0, 1, 0xff)))), [], "a name that is not UTF-8");
  t.strictSame(functionNames(read(named(...section(1, 0xff, 0xff, 0xff, 0xff, 0x0f)))), [], "too many names");
  t.strictSame(functionNames(read(named(0x80))), []);
  t.strictSame(functionNames(read()), []);
});

/** Modules that tools made: large ones of emscripten and of AssemblyScript, and one that binaryen optimised. */
async function toolModules(): Promise<ReadonlyMap<string, Uint8Array>> {
  const modules = new Map<string, Uint8Array>();
  // wabt and binaryen are themselves WebAssembly: what they hand to the engine is a module worth reading.
  const engine = WebAssembly as unknown as { instantiate: (bytes: Uint8Array, ...rest: unknown[]) => unknown };
  const { instantiate } = engine;
  let loading = "";
  let binaryen: typeof import("binaryen")["default"];
  engine.instantiate = (bytes, ...rest) => {
    modules.set(loading, Uint8Array.from(bytes));
    return instantiate(bytes, ...rest);
  };
  try {
    loading = "wabt itself";
    await (await import("wabt")).default();
    loading = "binaryen itself";
    binaryen = (await import("binaryen")).default;
  } finally {
    engine.instantiate = instantiate;
  }
  const module = binaryen.readBinary(await loadWat(GUESTS.loops));
  try {
    module.optimize();
    modules.set("binaryen's", module.emitBinary());
  } finally {
    module.dispose();
  }
  const { default: asc } = await import("assemblyscript/asc");
  const source = `
    class Word { constructor(public text: string, public count: i32) {} }
    export function words(input: string): string {
      const counts = new Map<string, Word>();
      const all = input.split(" ");
      for (let i = 0; i < all.length; i++) {
        if (!counts.has(all[i])) counts.set(all[i], new Word(all[i], 0));
        counts.get(all[i]).count++;
      }
      return counts.values().sort((a, b) => b.count - a.count).map<string>((w) => w.text + ":" + w.count.toString()).join();
    }`;
  for (const [what, options] of [["debug", { debug: true }] as const, ["release", { optimizeLevel: 3 }] as const]) {
    const { error, binary } = await asc.compileString(source, { ...options, bindings: ["raw"] });
    if (error) throw error;
    modules.set(`AssemblyScript's ${what}`, binary!);
  }
  return modules;
}

t.test("[VM-ENCODE-1] encoding gives a decoded module's bytes back", async (t) => {
  const modules = new Map(await toolModules());
  for (const [key, text] of [...Object.entries(GUESTS), ...OPCODE_GUESTS, ["all", ALL_OPCODES] as const]) {
    modules.set(key, await loadWat(text));
  }
  const sections = [TYPE, section(2, 0), section(3, 0), section(4, 0), section(5, 0), section(6, 0), section(7, 0)];
  modules.set("empty sections", moduleOf(...sections, section(9, 0), section(12, 0), section(10, 0), section(11, 0)));
  modules.set(
    "custom sections",
    moduleOf(
      section(0, ...name("a"), 1, 2),
      TYPE,
      section(0, ...name("b")),
      section(0, ...name("a")),
      section(5, 0),
      section(0, 0),
    ),
  );
  modules.set(
    "runs of locals",
    moduleOf(TYPE, section(3, 1, 0), section(10, 1, 10, 4, 0, 0x7f, 1, 0x7f, 1, 0x7f, 0, 0x70, 0x0b)),
  );
  modules.set(
    "flags that say the default",
    moduleOf(
      TABLE,
      MEMORY,
      section(9, 1, 2, 0, 0x41, 0, 0x0b, 0, 0),
      section(12, 1),
      section(11, 1, 2, 0, 0x41, 0, 0x0b, 0),
    ),
  );
  for (const [what, bytes] of modules) {
    const structure = decode(bytes, DEFAULT_LIMITS);
    validate(structure, DEFAULT_LIMITS);
    same(t, encode(structure), bytes, what);
  }
  const sizes = ["wabt itself", "binaryen itself", "AssemblyScript's debug"].map((what) => modules.get(what)!.length);
  t.ok(
    sizes.every((size, k) => size > [100_000, 1_000_000, 10_000][k]!),
    "the large ones are large",
  );
});

t.test("[VM-ENCODE-2, VM-DECODE-3] longer forms are read and written in their shortest", async (t) => {
  const long = (value: number) => [value | 0x80, 0x80, 0x80, 0x80, 0x00];
  const body = (index: number[], alignment: number[], fallback: number[]) => [
    ...[0, 0x41, ...index, 0x28, ...alignment, ...index, 0x0e, ...index, ...fallback, 0x0b],
  ];
  const shape = (integer: (value: number) => number[]) => {
    const code = body(integer(0), integer(2), integer(0));
    return moduleOf(
      [
        1,
        ...integer(4 + integer(1).length + 2 * integer(0).length - 3),
        ...integer(1),
        0x60,
        ...integer(0),
        ...integer(0),
      ],
      [3, ...integer(integer(1).length + integer(0).length), ...integer(1), ...integer(0)],
      [5, ...integer(1 + 2 * integer(1).length), ...integer(1), 0x00, ...integer(1)],
      [10, ...integer(2 * integer(1).length + code.length), ...integer(1), ...integer(code.length), ...code],
    );
  };
  const longest = shape(long);
  t.equal(verdict(longest), "valid");
  t.ok(WebAssembly.validate(longest));
  same(
    t,
    encode(decode(longest, DEFAULT_LIMITS)),
    shape((value) => [value]),
    "the short module",
  );
});

t.test("[VM-OPCODES-1] each opcode decodes, validates, encodes and prints", async (t) => {
  t.equal(OPCODES.length, 201);
  for (const opcode of OPCODES) {
    const key = caseName(opcode);
    const bytes = await loadWat(OPCODE_GUESTS.get(key)!);
    const structure = decode(bytes, DEFAULT_LIMITS);
    validate(structure, DEFAULT_LIMITS);
    const { code, end } = structure.bodies[0]!;
    const reader = new Reader(bytes, code, end);
    const instruction = new Instruction();
    let found = 0;
    while (reader.position < end) {
      readInstruction(reader, instruction);
      t.equal(instruction.offset < reader.position && instruction.offset >= code, true);
      if (instruction.index !== opcodeIndex(opcode.code)) continue;
      found++;
      const writer = new Writer(1);
      writeInstruction(writer, instruction);
      same(t, writer.written, bytes.subarray(instruction.offset, reader.position), `${key}: encoded`);
    }
    t.ok(found > 0, `${key}: its guest has it`);
    // Unnamed, the printed text is the same module again; the closing parenthesis stands for the body's own end.
    const text = disassemble(structure);
    t.match(
      text,
      key === "end" ? /\) +end\n/ : new RegExp(`\\) +${opcode.name.replaceAll(".", "\\.")}[ \\n]`),
      `${key}: printed`,
    );
    sameSections(t, decode(await loadWat(text), DEFAULT_LIMITS), structure, `${key}, read back from its text`);
  }
});

t.test("[VM-OPCODES-1] the specification's table is the opcode table", async (t) => {
  const text = readFileSync(new URL("../../specs/10-vm.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})?)` \|(.*)\|$/gm)].map(([, code, rest]) =>
    [code, ...rest!.split("|").map((cell) => cell.trim())].join(" | "),
  );
  const hex = (code: number) => `0x${code.toString(16).padStart(2, "0")}`;
  const names: Readonly<Record<string, string>> = { i: "i32", I: "i64", f: "f32", F: "f64" };
  const typed = (letters: string) => Array.from(letters, (letter) => names[letter]).join(" ");
  const expected = OPCODES.map(({ code, name, immediate, params, results, price, mayTrap, mayFree, bulk }) => {
    const bytes = code < 0x100 ? hex(code) : `0xfc ${hex(code & 0xff)}`;
    const type = params === undefined ? "*" : `[${typed(params)}] → [${typed(results!)}]`;
    const effects = [mayTrap ? "traps" : "", mayFree ? "frees" : "", bulk ?? ""].filter((effect) => effect !== "");
    return [bytes, name, immediate, type, price, effects.join(", ")].join(" | ");
  });
  t.strictSame(rows, expected);
});

t.test("[VM-TEXT-1] the text format", async (t) => {
  const where = async (text: string | Uint8Array) => {
    try {
      await loadWat(text);
      return "read";
    } catch (error) {
      if (!(error instanceof WatError)) throw error;
      return `${error.code} ${error.line}:${error.column}`;
    }
  };
  const bytes = await loadWat(GUESTS.loops);
  t.ok(WebAssembly.validate(bytes));
  const { names } = decode(bytes, DEFAULT_LIMITS);
  t.equal(names.module, "loops");
  t.strictSame([...names.functions.values()], ["fib", "sieve"]);
  t.strictSame([...names.locals.get(1)!.values()], ["limit", "i", "j", "count"]);
  same(t, await loadWat(encodeUtf8(GUESTS.loops)), bytes, "from UTF-8 bytes");

  t.equal(await where("(module\n  (func (foo)))"), "VM-WAT 2:10");
  t.equal(await where("(module\n(func\n call $missing))"), "VM-WAT 3:7");
  t.equal(await where("(module (func"), "VM-WAT 1:14");
  t.equal(await where(""), "read");
  t.equal(await where(Uint8Array.of(0x28, 0xff)), "VM-WAT 0:0");
  t.equal(await where("(module (func v128.const i32x4 0 0 0 0 drop))"), "VM-WAT 1:15");
  t.equal(await where("(module (func return_call 0))"), "VM-WAT 1:15");
  t.equal(await where("(module (func (try (do) (catch_all))))"), "VM-WAT 1:16");
  t.equal(await where("(module (memory 1 1 shared) (func i32.const 0 i32.atomic.load drop))"), "VM-WAT 1:47");

  // wabt's memory never shrinks: without giving modules back, 20 of these take more than 100 MB.
  const large = `(module ${"(func (result i32) i32.const 1 i32.const 2 i32.add)".repeat(20_000)})`;
  await loadWat(large);
  const before = process.memoryUsage().rss;
  for (let k = 0; k < 10; k++) {
    await loadWat(large);
    t.match(await where(`${large} (`), /VM-WAT/);
  }
  t.ok(process.memoryUsage().rss - before < 50e6, "what wabt made is given back");
});

t.test("[VM-TEXT-2] the disassembly", async (t) => {
  for (const [what, text] of [...Object.entries(GUESTS), ["all", ALL_OPCODES] as const]) {
    const structure = decode(await loadWat(text), DEFAULT_LIMITS);
    sameSections(t, decode(await loadWat(disassemble(structure)), DEFAULT_LIMITS), structure, what);
  }

  const loops = decode(await loadWat(GUESTS.loops), DEFAULT_LIMITS);
  t.equal(
    disassemble(loops, 0),
    [
      "  (func $fib (;0;) (type 0) (param $n i32) (result i32)",
      "    (;39;) local.get $n",
      "    (;3b;) i32.const 2",
      "    (;3d;) i32.lt_s",
      "    (;3e;) if (result i32) (;@1;)",
      "    (;40;)   local.get $n",
      "    (;42;) else",
      "    (;43;)   local.get $n",
      "    (;45;)   i32.const 1",
      "    (;47;)   i32.sub",
      "    (;48;)   call $fib",
      "    (;4a;)   local.get $n",
      "    (;4c;)   i32.const 2",
      "    (;4e;)   i32.sub",
      "    (;4f;)   call $fib",
      "    (;51;)   i32.add",
      "    (;52;) end",
      "  )",
      "",
    ].join("\n"),
  );
  t.throws(() => disassemble(loops, 2), new RangeError("there is no function 2"));
  const segments = decode(await loadWat(GUESTS.segments), DEFAULT_LIMITS);
  t.equal(disassemble(segments, 0), '  (import "env" "start" (func $start (;0;) (type 0)))\n');
  t.match(disassemble(segments), /\(export "\\e2\\82\\ac" \(func \$start\)\)/);

  // Names that the text format cannot have, or that two things share, come out as ones that it can.
  const odd = section(0, ...name("name"), ...section(1, 2, 0, ...name("a (b)"), 1, ...name("a (b)")));
  const two = moduleOf(TYPE, section(3, 2, 0, 0), section(10, 2, 4, 0, 0x10, 1, 0x0b, 2, 0, 0x0b), odd);
  const printed = disassemble(decode(two, DEFAULT_LIMITS));
  t.match(printed, /\(func \$a__b_ \(;0;\)[\s\S]*call \$a__b_\.1\n/);
  same(t, decode(await loadWat(printed), DEFAULT_LIMITS).bytes.subarray(0, 30), two.subarray(0, 30), "and reads back");

  // NaNs with payloads, signed zero, the smallest and the largest, a fraction that is none in binary.
  const bits = [0x7fa00001, 0xffc00000, 0x7fc00000, 0x7f800000, 0x80000000, 0x00000001, 0x3dcccccd, 0x7f7fffff];
  const consts = bits.flatMap((word) => [0x43, word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24, 0x1a]);
  const floats = bodyModule(consts);
  const printedFloats = decode(await loadWat(disassemble(decode(floats, DEFAULT_LIMITS))), DEFAULT_LIMITS);
  sameSections(t, printedFloats, decode(floats, DEFAULT_LIMITS), "floats keep their bits");

  // Deep nesting costs no more than its length.
  const deep = nested(100_000);
  let characters = 0;
  for (const line of disassembleLines(decode(deep, DEFAULT_LIMITS))) characters += line.length;
  t.ok(characters > 5e6 && characters < 50e6, `${characters}`);
});
