/**
 * The fuel schedule, version 1 (spec VM-FUEL-1). Prices of instructions stand in the opcode table and in the table of
 * `bytes`; here is what is charged on top of them. Everything is priced on the guest's own bytecode.
 */
import type { Bulk } from "./bytecode/opcodes.ts";

/** Version of the schedule; a change of any price is a new version. */
export const FUEL_SCHEDULE = 1;

/** log2 of the units one fuel pays for (spec VM-FUEL-5): 64 bytes, 8 table elements. A page costs 1,024. */
export const BYTES_SHIFT = 6;
const ELEMENTS_SHIFT = 3;
const PAGE_FUEL = 1024;

/** Fuel for the amount a bulk instruction works on; `amount` is its u32 operand. The answer is below 2^30. */
export function bulkFuel(bulk: Bulk, amount: number): number {
  switch (bulk) {
    case "bytes":
      return amount >>> BYTES_SHIFT;
    case "elements":
      return amount >>> ELEMENTS_SHIFT;
    case "pages":
      // More pages than a memory can have are refused whatever the fuel, so they cost nothing.
      return amount > 65_536 ? 0 : amount * PAGE_FUEL;
  }
}

/** Fuel on top of a branch's, return's or call's price for the values it carries (spec VM-FUEL-3). */
export function carryFuel(values: number): number {
  return values >>> 3;
}

/** Fuel in a function's first block for the locals it sets to zero (spec VM-FUEL-4). */
export function localsFuel(locals: number): number {
  return locals >>> 3;
}
