/** Numbers with no effect on any result: they trade memory and time. */

/** Cells (8 bytes) of a store's stack when it is first used; it doubles from there. */
export const FIRST_STACK_CELLS = 4096;

/** Most fuel that the reference engine's loop holds at once, in its int32 counter. */
export const FUEL_SLICE: bigint = 1n << 29n;

/** The same while an embedder may ask for a stop: looked at when a slice is used up, after some tens of ms. */
export const INTERRUPTED_FUEL_SLICE: bigint = 1n << 24n;

/** `fuel`: after so much compiled code looks around at its next loop: a millisecond, some in baseline code. Tests make it little. */
export const LOOK: { fuel: bigint } = { fuel: 1n << 22n };

/** Frames that may stand between and inside those of a backtrace: the engine's own, and a host function's. */
export const SPARE_FRAMES = 192;
