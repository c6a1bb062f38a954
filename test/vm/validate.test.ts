import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { decode } from "../../vm/bytecode/decode.ts";
import { OPCODES } from "../../vm/bytecode/opcodes.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { DecodeError, LimitError, UnsupportedFeature, ValidationError } from "../../vm/errors.ts";
import { DEFAULT_LIMITS } from "../../vm/limits.ts";
import { bodyModule, codeOffset, leb, moduleOf, nested, section, TYPE, verdict } from "./binary.ts";
import { ALL_OPCODES, GUESTS, OPCODE_GUESTS } from "./guests.ts";
import { Base, Random } from "./mutate.ts";

const MEMORY = section(5, 1, 0, 1);
/** Table 0 of funcref and table 1 of externref, one element each. */
const TABLES = section(4, 2, 0x70, 0, 1, 0x6f, 0, 1);
/** Global 0: a mutable i32; global 1: an immutable f32. */
const GLOBALS = section(6, 2, 0x7f, 1, 0x41, 0, 0x0b, 0x7d, 0, 0x43, 0, 0, 0, 0, 0x0b);
/** A passive segment of no functions, and one of no externrefs. */
const ELEMENTS = section(9, 2, 1, 0, 0, 5, 0x6f, 0);

const I32 = [0x41, 0];
const I64 = [0x42, 0];
const F32 = [0x43, 0, 0, 0, 0];
const NULL_FUNC = [0xd0, 0x70];
const NULL_EXTERN = [0xd0, 0x6f];
const DROP = 0x1a;

t.test("[VM-VALIDATE-1] what each rule for instructions refuses", async (t) => {
  // The body's instructions, and which of its bytes the refused instruction begins at; then what it needs before it.
  const cases: readonly [what: string, code: readonly number[], at: number, ...others: (readonly number[])[]][] = [
    ["an operand missing", [...I32, 0x6a, DROP], 2],
    ["an operand of another type", [...I32, ...I64, 0x6a, DROP], 4],
    ["the second operand of another type", [...I64, ...I32, 0x6a, DROP], 4],
    ["the third operand of another type", [...I64, ...I32, ...I32, 0xfc, 0x0b, 0], 6, MEMORY],
    ["an operand below the block", [...I32, 0x02, 0x40, DROP, 0x0b], 4],
    ["a value left at the end", [...I32], 2],
    ["a value left in a block", [0x02, 0x40, ...I32, 0x0b], 4],
    ["no result of a block", [0x02, 0x7f, 0x0b, DROP], 2],
    ["another result of a block", [0x02, 0x7f, ...I64, 0x0b, DROP], 4],
    ["a block's unknown type", [0x02, 0x01, 0x0b], 0],
    ["an if without condition", [0x04, 0x40, 0x0b], 0],
    ["an if with a result and no else", [...I32, 0x04, 0x7f, ...I32, 0x0b, DROP], 6],
    ["the arm before else", [...I32, 0x04, 0x7f, 0x05, ...I32, 0x0b, DROP], 4],
    ["the arm after else", [...I32, 0x04, 0x7f, ...I32, 0x05, 0x0b, DROP], 7],
    ["dead code before else is not dead after", [...I32, 0x04, 0x7f, 0x00, 0x05, 0x0b, DROP], 6],
    ["an unknown label", [0x0c, 1], 0],
    ["br without its operand", [0x02, 0x7f, 0x0c, 0, 0x0b, DROP], 2],
    ["br_if without condition", [0x0d, 0], 0],
    ["br_if's unknown label", [...I32, 0x0d, 1], 2],
    ["br_if without its operand", [0x02, 0x7f, ...I32, 0x0d, 0, 0x0b, DROP], 4],
    ["br_if keeps its operands", [0x02, 0x7f, ...I32, ...I32, 0x0d, 0, 0x42, 0, 0x0b, DROP], 10],
    ["br_table without index", [0x0e, 0, 0], 0],
    ["br_table without its operand", [0x02, 0x7f, ...I32, 0x0e, 0, 0, 0x0b, DROP], 4],
    ["br_table's unknown label", [...I32, 0x0e, 1, 1, 0], 2],
    ["br_table's unknown default", [...I32, 0x0e, 1, 0, 1], 2],
    ["br_table's labels of different arity", [0x02, 0x7f, ...I32, ...I32, 0x0e, 1, 0, 1, 0x0b, DROP], 6],
    [
      "br_table's labels of different types",
      [0x02, 0x7e, 0x02, 0x7f, ...I32, ...I32, 0x0e, 1, 1, 0, 0x0b, 0x0b, DROP],
      8,
    ],
    ["br_table's labels of different arity in dead code", [0x02, 0x7f, 0x00, 0x0e, 1, 0, 1, 0x0b, DROP], 3],
    ["return does not need more, the end does", [0x0f, ...I32, ...I32], 5],
    ["an unknown function", [0x10, 1], 0],
    ["call_indirect without a table", [...I32, 0x11, 0, 0], 2],
    ["call_indirect of externref", [...I32, 0x11, 0, 1], 2, TABLES],
    ["call_indirect's unknown type", [...I32, 0x11, 1, 0], 2, TABLES],
    ["call_indirect without index", [0x11, 0, 0], 0, TABLES],
    ["drop of nothing", [DROP], 0],
    ["select of two types", [...I32, ...I64, ...I32, 0x1b, DROP], 6],
    ["select of references without a type", [...NULL_FUNC, ...NULL_FUNC, ...I32, 0x1b, DROP], 6],
    ["select without condition", [...I32, ...I32, ...I64, 0x1b, DROP], 6],
    ["select with no type", [...I32, ...I32, ...I32, 0x1c, 0, DROP], 6],
    ["select with two types", [...I32, ...I32, ...I32, 0x1c, 2, 0x7f, 0x7f, DROP], 6],
    ["select of another type than it says", [...I32, ...I32, ...I32, 0x1c, 1, 0x7e, DROP], 6],
    ["an unknown local", [0x20, 0, DROP], 0],
    ["setting an unknown local", [...I32, 0x21, 0], 2],
    ["an unknown global", [0x23, 2, DROP], 0, GLOBALS],
    ["a global of another type", [0x23, 1, 0x21, 0], 2, GLOBALS],
    ["setting an immutable global", [...F32, 0x24, 1], 5, GLOBALS],
    ["setting a global to another type", [...F32, 0x24, 0], 5, GLOBALS],
    ["an unknown table", [...I32, 0x25, 2, DROP], 2, TABLES],
    ["table.get without index", [0x25, 0, DROP], 0, TABLES],
    ["table.set of another type", [...I32, ...NULL_FUNC, 0x26, 1], 4, TABLES],
    ["table.size of an unknown table", [0xfc, 0x10, 2, DROP], 0, TABLES],
    ["table.grow with another type", [...NULL_FUNC, ...I32, 0xfc, 0x0f, 1, DROP], 4, TABLES],
    ["table.fill with another type", [...I32, ...NULL_FUNC, ...I32, 0xfc, 0x11, 1], 6, TABLES],
    ["table.copy between types", [...I32, ...I32, ...I32, 0xfc, 0x0e, 0, 1], 6, TABLES],
    ["table.init of an unknown segment", [...I32, ...I32, ...I32, 0xfc, 0x0c, 2, 0], 6, TABLES, ELEMENTS],
    ["table.init of another type", [...I32, ...I32, ...I32, 0xfc, 0x0c, 1, 0], 6, TABLES, ELEMENTS],
    ["elem.drop of an unknown segment", [0xfc, 0x0d, 2], 0, ELEMENTS],
    ["a load without memory", [...I32, 0x28, 2, 0, DROP], 2],
    ["memory.size without memory", [0x3f, 0, DROP], 0],
    ["memory.copy without memory", [...I32, ...I32, ...I32, 0xfc, 0x0a, 0, 0], 6],
    ["memory.init without memory", [...I32, ...I32, ...I32, 0xfc, 0x08, 0, 0], 6],
    ["an alignment above the natural of 1", [...I32, 0x2d, 1, 0, DROP], 2, MEMORY],
    ["an alignment above the natural of 2", [...I32, 0x2f, 2, 0, DROP], 2, MEMORY],
    ["an alignment above the natural of 4", [...I32, 0x28, 3, 0, DROP], 2, MEMORY],
    ["an alignment above the natural of 8", [...I32, 0x29, 4, 0, DROP], 2, MEMORY],
    ["data.drop of an unknown segment", [0xfc, 0x09, 0], 0],
    ["ref.is_null of a number", [...I32, 0xd1, DROP], 2],
    ["ref.func of an unknown function", [0xd2, 1, DROP], 0],
    ["ref.func of an undeclared function", [0xd2, 0, DROP], 0],
    ["a funcref where an externref is wanted", [0x02, 0x6f, ...NULL_FUNC, 0x0b, DROP], 4],
    ["an externref where a funcref is wanted", [0x02, 0x70, ...NULL_EXTERN, 0x0b, DROP], 4],
  ];
  for (const [what, code, at, ...others] of cases) {
    const bytes = bodyModule(code, ...others);
    t.equal(verdict(bytes), `ValidationError @${codeOffset(...others) + at}`, what);
    t.equal(WebAssembly.validate(bytes), false, `${what}: V8 agrees`);
  }
});

t.test(
  "[VM-VALIDATE-1, VM-VALIDATE-2] what each rule for sections refuses, at the entry, in the sections' order",
  async (t) => {
    const func = (type: number, ...body: number[]) => [section(3, 1, type), section(10, 1, body.length, ...body)];
    const swapType = section(1, 1, 0x60, 2, 0x7f, 0x7e, 2, 0x7e, 0x7f);
    const constant = (...expression: number[]) => section(6, 1, 0x7f, 0, ...expression, 0x0b);
    const cases: readonly [what: string, offset: number, bytes: Uint8Array][] = [
      ["an import's unknown type", 17, moduleOf(TYPE, section(2, 1, 0, 0, 0, 1))],
      ["a function's unknown type", 18, moduleOf(TYPE, section(3, 2, 0, 1), section(10, 2, 2, 0, 0x0b, 2, 0, 0x0b))],
      ["a table with minimum over maximum", 10, moduleOf(section(4, 1, 0x70, 1, 2, 1))],
      ["an imported table with minimum over maximum", 11, moduleOf(section(2, 1, 0, 0, 1, 0x70, 1, 2, 1))],
      ["a memory with minimum over maximum", 10, moduleOf(section(5, 1, 1, 2, 1))],
      ["a memory of 65,537 pages", 10, moduleOf(section(5, 1, 0, ...leb(65_537)))],
      ["a memory that may have 65,537 pages", 10, moduleOf(section(5, 1, 1, 0, ...leb(65_537)))],
      ["an imported memory of 65,537 pages", 11, moduleOf(section(2, 1, 0, 0, 2, 0, ...leb(65_537)))],
      ["an export of an unknown function", 11, moduleOf(section(7, 1, 0, 0, 0))],
      ["an export of an unknown table", 11, moduleOf(section(7, 1, 0, 1, 0))],
      ["an export of an unknown memory", 11, moduleOf(section(7, 1, 0, 2, 0))],
      ["an export of an unknown global", 11, moduleOf(section(7, 1, 0, 3, 0))],
      ["two exports of a name", 20, moduleOf(MEMORY, section(7, 2, 1, 97, 2, 0, 1, 97, 2, 0)).fill(2, 10, 10)],
      ["an unknown start function", 10, moduleOf(section(8, 0))],
      [
        "a start function with a parameter",
        24,
        moduleOf(section(1, 1, 0x60, 1, 0x7f, 0), section(2, 1, 0, 0, 0, 0), section(8, 0)),
      ],
      [
        "a start function with a result",
        24,
        moduleOf(section(1, 1, 0x60, 0, 1, 0x7f), section(2, 1, 0, 0, 0, 0), section(8, 0)),
      ],
      ["an active segment without table", 11, moduleOf(section(9, 1, 0, ...I32, 0x0b, 0))],
      ["an active segment for a table of another type", 20, moduleOf(TABLES, section(9, 1, 2, 1, ...I32, 0x0b, 0, 0))],
      ["a segment's unknown function", 11, moduleOf(section(9, 1, 1, 0, 1, 0))],
      ["a segment's offset of another type", 23, moduleOf(TABLES, section(9, 1, 0, ...I64, 0x0b, 0))],
      ["a segment's item of another type", 16, moduleOf(section(9, 1, 5, 0x70, 1, ...NULL_EXTERN, 0x0b))],
      ["an active data segment without memory", 12, moduleOf(section(11, 1, 0, ...I32, 0x0b, 0))],
      ["an active data segment for memory 1", 18, moduleOf(MEMORY, section(11, 1, 2, 1, ...I32, 0x0b, 0))],
      ["a data segment's offset of another type", 19, moduleOf(MEMORY, section(11, 1, 0, ...I64, 0x0b, 0))],
      ["a block without its parameter", 29, moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x02, 0, 0x0b, 0x0b))],
      ["a result missing at the end", 29, moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x0b))],
      ["a call without its arguments", 29, moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x10, 0, 0x0b))],
      ["a return without its operands", 29, moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x0f, 0x0b))],
      [
        "a loop's label takes its parameters",
        39,
        moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x20, 1, 0x03, 0, DROP, DROP, ...I64, ...I32, 0x0c, 0, 0x0b, 0x0b)),
      ],
      [
        "an if without else whose types differ",
        36,
        moduleOf(swapType, ...func(0, 0, 0x20, 0, 0x20, 1, ...I32, 0x04, 0, 0x00, 0x0b, 0x0b)),
      ],
      ["a constant of another type", 15, moduleOf(constant(...I64))],
      ["an empty constant expression", 13, moduleOf(constant())],
      ["two constants", 17, moduleOf(constant(...I32, ...I32))],
      // The order: of two faults, the one that comes first in it.
      [
        "imports before functions",
        17,
        moduleOf(TYPE, section(2, 1, 0, 0, 0, 1), section(3, 1, 1), section(10, 1, 2, 0, 0x0b)),
      ],
    ];
    for (const [what, offset, bytes] of cases) {
      t.equal(verdict(bytes), `ValidationError @${offset}`, what);
      t.equal(WebAssembly.validate(bytes), false, `${what}: V8 agrees`);
    }
  },
);

t.test("[VM-PROFILE-1, VM-VALIDATE-1] constant expressions", async (t) => {
  const imports = section(2, 3, 0, 0, 3, 0x7f, 0, 0, 0, 3, 0x7f, 1, 0, 0, 3, 0x7e, 0);
  // 1 while an i32 global's initialiser may be this, after three imported globals: i32, mutable i32, i64.
  const cases: readonly [code: readonly number[], verdict: string][] = [
    [[...I32], "valid"],
    [[0x23, 0], "valid"],
    [[...I32, 0x23, 0, 0x6a, ...I32, 0x6b, 0x23, 0, 0x6c], "valid"],
    [[0x23, 1], "ValidationError @31"],
    [[0x23, 2], "ValidationError @33"],
    [[0x23, 3], "ValidationError @31"],
    [[...I32, ...I32, 0x71], "ValidationError @35"],
    [[...I32, 0x45], "ValidationError @33"],
    [[...I64, 0xa7], "ValidationError @33"],
    [[0x02, 0x7f, ...I32, 0x0b], "ValidationError @31"],
    [[0x10, 0], "ValidationError @31"],
    [[0x01, ...I32], "ValidationError @31"],
    [[...I32, DROP, ...I32], "ValidationError @33"],
    [[0x20, 0], "ValidationError @31"],
    [[0x00], "ValidationError @31"],
    [[0xd0, 0x70], "ValidationError @33"],
    [[0xff], "DecodeError @31"],
  ];
  for (const [code, expected] of cases) {
    const bytes = moduleOf(imports, section(6, 1, 0x7f, 0, ...code, 0x0b));
    t.equal(verdict(bytes), expected, code.join(" "));
    t.equal(WebAssembly.validate(bytes), expected === "valid", `${code.join(" ")}: V8 agrees`);
  }
  const wide = moduleOf(section(6, 1, 0x7e, 0, ...I64, ...I64, 0x7c, ...I64, 0x7d, ...I64, 0x7e, 0x0b));
  t.equal(verdict(wide), "valid", "i64.add, i64.sub, i64.mul");
  const mutable = moduleOf(section(6, 2, 0x7f, 1, ...I32, 0x0b, 0x7f, 0, 0x23, 0, 0x0b));
  t.equal(verdict(mutable), "ValidationError @18", "a mutable defined global is no other proposal's either");
});

t.test("[VM-VALIDATE-2] decoding comes first, and a body's instructions one by one", async (t) => {
  const at = codeOffset();
  t.equal(verdict(bodyModule([DROP, 0xff])), `ValidationError @${at}`);
  t.equal(verdict(bodyModule([0xff, DROP])), `DecodeError @${at}`);
  t.equal(verdict(bodyModule([DROP, 0xfd, 0x00])), `ValidationError @${at}`);
  const custom = bodyModule([DROP]);
  t.equal(verdict(Uint8Array.from([...custom, 14, 0])), `DecodeError @${custom.length}`, "a section behind the body");
});

t.test("[VM-VALIDATE-3] functions a body may refer to, and segments", async (t) => {
  const refer = (...places: string[]) => loadWat(`(module ${places.join(" ")} (func $f) (func (drop (ref.func $f))))`);
  t.match(verdict(await refer()), /^ValidationError/);
  t.match(verdict(await refer("(start $f)")), /^ValidationError/, "the start does not declare");
  t.match(verdict(await refer("(func (call $f))")), /^ValidationError/, "a call does not");
  t.equal(verdict(await refer('(export "f" (func $f))')), "valid");
  t.equal(verdict(await refer("(global funcref (ref.func $f))")), "valid");
  t.equal(verdict(await refer("(elem declare func $f)")), "valid");
  t.equal(verdict(await refer("(elem func $f)")), "valid");
  t.equal(verdict(await refer("(elem funcref (ref.func $f))")), "valid");
  t.equal(verdict(await refer("(table funcref (elem $f))")), "valid");

  const bytes = await loadWat(GUESTS.segments);
  const { declared } = validate(decode(bytes, DEFAULT_LIMITS), DEFAULT_LIMITS);
  t.strictSame([...declared], [1, 1, 1, 1], "start, f, g, h");
  const loops = decode(await loadWat(GUESTS.loops), DEFAULT_LIMITS);
  t.strictSame([...validate(loops, DEFAULT_LIMITS).declared], [1, 1]);

  const data = section(11, 1, 1, 0);
  const withData = (code: number[], ...others: (readonly number[])[]) =>
    Uint8Array.from([...bodyModule(code, ...others), ...data]);
  t.equal(verdict(withData([0xfc, 0x09, 0], section(12, 1))), "valid");
  const init = [...I32, ...I32, ...I32, 0xfc, 0x08, 0, 0];
  t.equal(verdict(withData(init, MEMORY, section(12, 1))), "valid");
  t.equal(verdict(withData(init, section(12, 1))), `ValidationError @${codeOffset(section(12, 1)) + 6}`, "no memory");
  t.equal(verdict(withData([0xfc, 0x09, 0])), `DecodeError @${codeOffset()}`, "data.drop without data count");
  t.equal(verdict(withData([0xfc, 0x09, 1], section(12, 1))), `ValidationError @${codeOffset(section(12, 1))}`);
});

t.test("[VM-VALIDATE-4] facts: operand height and calls", async (t) => {
  const facts = async (text: string) => {
    const { maxHeight, hasCalls } = validate(decode(await loadWat(text), DEFAULT_LIMITS), DEFAULT_LIMITS);
    return [[...maxHeight], [...hasCalls]];
  };
  t.strictSame(await facts("(module (func) (func nop) (func i32.const 1 drop))"), [
    [0, 0, 1],
    [0, 0, 0],
  ]);
  t.strictSame(await facts(GUESTS.loops), [
    [3, 2],
    [1, 0],
  ]);
  const bodies = [
    // Parameters of a block are above what is below it; its results come on top again.
    "(func i32.const 1 i32.const 2 block (param i32) (result i32) i32.const 3 drop end drop drop)",
    "(func (result i32 i32 i32) i32.const 1 i32.const 2 i32.const 3)",
    // A call's results, and a body that only calls: the results count, whatever the arguments were.
    "(func call 1 drop drop drop)",
    // Dead code counts: two constants behind a return.
    "(func return i32.const 1 i32.const 2 drop drop)",
    // br_if in dead code gives back what it should have found.
    "(func (result i32 i32) i32.const 1 i32.const 2 return br_if 0)",
    "(func block i32.const 1 br_if 0 end i32.const 0 call_indirect (type 0))",
  ];
  t.strictSame(await facts(`(module (type (func)) (table 1 funcref) ${bodies.join("\n")})`), [
    [3, 3, 3, 2, 2, 1],
    [0, 0, 1, 0, 0, 1],
  ]);
});

t.test("[VM-VALIDATE-5] deep nesting and long bodies", async (t) => {
  const deep = nested(100_000);
  t.equal(verdict(deep), "valid");
  t.equal(verdict(deep.slice(0, -1)), "DecodeError @22", "the section is cut");
  const unclosed = deep.slice();
  unclosed[deep.length - 1] = 0x01;
  t.equal(verdict(unclosed), `DecodeError @${deep.length}`, "one end is missing");

  // Forty branch tables of 60,000 labels: with 999 operands each, checked label by label, over two billion steps.
  const timeOf = (operands: number): number => {
    const writer = new Writer();
    const results = new Array<number>(operands).fill(0x7f);
    writer.copy(moduleOf(section(1, 2, 0x60, 0, 0, 0x60, 0, ...leb(operands), ...results)));
    writer.copy(Uint8Array.from(section(3, 1, 0)));
    writer.byte(10);
    const sized = writer.beginSized();
    writer.byte(1);
    const body = writer.beginSized();
    writer.byte(0);
    const block = [0x02, 1, ...new Array<number[]>(operands + 1).fill(I32).flat(), 0x0e, ...leb(60_000)];
    const drops = new Uint8Array(operands).fill(DROP);
    const wide = Uint8Array.from([...block, ...new Uint8Array(60_001), 0x0b, ...drops]);
    for (let k = 0; k < 40; k++) writer.copy(wide);
    writer.byte(0x0b);
    writer.endSized(body);
    writer.endSized(sized);
    const begin = performance.now();
    t.equal(verdict(writer.written), "valid");
    return performance.now() - begin;
  };
  const narrow = Math.min(timeOf(1), timeOf(1));
  const ratio = timeOf(999) / narrow;
  t.ok(ratio < 50, `${ratio.toFixed(1)} times as long as with one operand`);
});

t.test("[VM-VALIDATE-6] agrees with V8 on mutated modules", async (t) => {
  const texts = [...Object.values(GUESTS), ALL_OPCODES];
  const bases = { rich: [] as Base[], small: [] as Base[] };
  for (const text of texts) bases.rich.push(new Base(await loadWat(text)));
  for (const text of OPCODE_GUESTS.values()) bases.small.push(new Base(await loadWat(text)));
  t.equal(bases.small.length, OPCODES.length);

  const random = new Random(0x5eed);
  const compared = { valid: 0, malformed: 0, invalid: 0 };
  const apart = { unsupported: 0, limits: 0, longTypeCodes: 0, largeTables: 0 };
  const kinds = new Map<string, { valid: number; refused: number }>();
  const disagreements: string[] = [];
  for (let k = 0; k < 40_000; k++) {
    const { kind, bytes } = random.pick(random.next(2) === 0 ? bases.rich : bases.small).mutant(random);
    let refusal: unknown;
    let tables = 0;
    try {
      const structure = decode(bytes, DEFAULT_LIMITS);
      tables = Math.max(0, ...structure.tables.map(({ minimum }) => minimum));
      validate(structure, DEFAULT_LIMITS);
    } catch (error) {
      refusal = error;
    }
    const v8 = WebAssembly.validate(bytes);
    if (refusal instanceof UnsupportedFeature) apart.unsupported++;
    else if (refusal instanceof LimitError) apart.limits++;
    else if (refusal === undefined && !v8 && tables > 10_000_000) apart.largeTables++;
    else if (refusal instanceof DecodeError && v8 && refusal.message.startsWith("a type code of more than one byte"))
      apart.longTypeCodes++;
    else {
      const tally = kinds.get(kind) ?? { valid: 0, refused: 0 };
      kinds.set(kind, tally);
      if (refusal === undefined) {
        compared.valid++;
        tally.valid++;
      } else if (refusal instanceof DecodeError) compared.malformed++;
      else if (refusal instanceof ValidationError) compared.invalid++;
      else throw refusal;
      if (refusal !== undefined) tally.refused++;
      if ((refusal === undefined) !== v8)
        disagreements.push(`${kind}: ${refusal ?? "valid"}: ${Buffer.from(bytes).toString("hex")}`);
    }
  }
  t.strictSame(disagreements.slice(0, 5), [], "no verdict differs");
  t.comment({ compared, apart });
  const { valid, malformed, invalid } = compared;
  t.ok(valid >= 8000 && malformed >= 8000 && invalid >= 8000, "enough of each verdict were compared");
  t.ok(valid + malformed + invalid >= 35_000);
  t.ok(apart.unsupported + apart.limits + apart.longTypeCodes + apart.largeTables < 4000, "few were not");
  t.equal(kinds.size, 25, "every mutation had its part");
  for (const [kind, { valid, refused }] of kinds)
    t.ok(refused > 50 && valid + refused > 800, `${kind}: ${valid} ${refused}`);
});
