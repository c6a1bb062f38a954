/**
 * The reference engine's own operations: what `translate.ts` writes and `interpreter.ts` runs.
 *
 * An operation is a run of words in an Int32Array: its number, then its operands. Operands that name values are word
 * offsets from the frame's base: every value lives in an 8-byte cell, so a value's slot is known when the function is
 * translated (WebAssembly's operand stack has a static height) and no stack pointer is kept.
 *
 *     frame:  [ parameters | locals | return pc, caller's base, caller's instance, – | operands … ]
 *
 * Numbers below 274 are those of the opcode table (`opcodeIndex`): `[op, destination, a, b]`. The rest stand here.
 * The interpreter's `case` labels repeat these numbers as literals, because V8 makes a jump table of literals only;
 * `test/vm/reference.test.ts` compares the two.
 */
export const Operation = {
  /** cost, depth slots, header, first word to zero, end of words to zero, frame words, function index */
  Enter: 288,
  /** cost */
  Charge: 289,
  /** target, cost, loop */
  Branch: 290,
  /** a, target, cost when taken, cost when not, loop */
  BranchIf: 291,
  BranchUnless: 292,
  /** a, count, then (target, cost, loop) for each label and the default */
  BranchTable: 293,
  /** header, depth slots, results, first result's slot */
  Return: 294,
  /** header, depth slots */
  Return0: 295,
  /** header, depth slots, result's slot */
  Return1: 296,
  /** function index, first argument's slot; becomes CallDirect when the callee is translated */
  Call: 297,
  /** pc of the callee's Enter, first argument's slot */
  CallDirect: 298,
  /** function index, first argument's slot */
  CallImport: 299,
  /** table, type id, slot of the index, first argument's slot */
  CallIndirect: 300,
  /** row of the `bytes` table, first argument's slot */
  Bytes: 301,
  /** destination, source */
  Copy: 302,
  /** destination, low, high */
  Constant: 303,
  /** cost: charges and tests */
  Loop: 304,
  /** stops for a hook or a step */
  Probe: 305,
  /** destination, first, second, condition */
  Select: 306,
  /** destination, source, words; the destination is never above the source */
  Move: 307,
  /** tells a profile; stands behind an Enter, whose words it reads */
  Entered: 308,
  /** tells a profile; stands before a Return */
  Leaving: 309,
  /** + (opcode − 0x46): a, b, target, cost when taken, cost when not, loop */
  BranchCompare: 310,
  /** as above with the word b as a constant */
  BranchCompareConstant: 320,
  /** + (opcode − 0x46): destination, a, constant */
  CompareConstant: 340,
  /** + (opcode − 0x6a): destination, a, constant */
  ArithmeticConstant: 350,
  /** + (opcode − 0x7c): destination, a, low, high */
  Arithmetic64Constant: 370,
  /** + (opcode − 0x51): a, b, target, cost when taken, cost when not, loop */
  BranchCompare64: 390,
  /** + (opcode − 0x51): a, low, high, target, cost when taken, cost when not, loop */
  BranchCompare64Constant: 400,
} as const;

/** Words of an Enter, and where its operands stand. */
export const EnterWord = {
  cost: 1,
  slots: 2,
  header: 3,
  zeroStart: 4,
  zeroEnd: 5,
  need: 6,
  function: 7,
  length: 8,
} as const;

/** Words of each operation that a frame can be called from; a return address is the operation's pc plus this. */
export function callLength(operation: number): number {
  return operation === Operation.CallIndirect ? 5 : 3;
}

/** In a frame's header a caller in another instance is written as `-2 - pc`; this is the host. */
export const RETURN_TO_HOST = -1;

/** Words of a frame's header: return pc, caller's base, caller's instance number, unused. */
export const HEADER_WORDS = 4;
