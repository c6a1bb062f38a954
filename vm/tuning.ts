/** Numbers with no effect on any result: they trade memory and time. */

/** Cells (8 bytes) of a store's stack when it is first used; it doubles from there. */
export const FIRST_STACK_CELLS = 4096;

/** Most fuel that the reference engine's loop holds at once, in its int32 counter. */
export const FUEL_SLICE: bigint = 1n << 29n;
