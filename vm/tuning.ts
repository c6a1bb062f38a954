/** Numbers with no effect on any result: they trade memory and time. */

/** Cells (8 bytes) of a store's stack when it is first used; it doubles from there. */
export const FIRST_STACK_CELLS = 4096;

/**
 * The reference engine's loop is trained (`reference/training.ts`) once guests have asked so often for fuel, which until
 * then they get in slices of this size: short runs do without.
 */
export const TRAINING_REFILLS = 4;
export const TRAINING_SLICE: bigint = 128n;

/** Most fuel that the reference engine's loop holds at once, in its int32 counter. */
export const FUEL_SLICE: bigint = 1n << 29n;
