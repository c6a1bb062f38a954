/**
 * How a run is stopped from another thread (spec CLI-STOP): two words of shared memory. Each side first writes its own word
 * and then reads the other's, so at least one of the two sees the other: whoever asked for a stop and then finds the
 * run outside of host calls may end its thread, because the run enters none any more.
 */

/** Word that whoever wants a stop sets to 1, and that a sleeping run waits on. */
const STOP = 0;
/** Word of the run: what must not be cut short. The VM sets 1 around each host call. */
const BUSY = 1;

/** A host call is running. */
const CALL = 1;
/** The guest has ended; what it made is being kept. */
const KEEPING = 2;

export function createInterrupt(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(8));
}

// ---- whoever stops

export function requestStop(interrupt: Int32Array): void {
  Atomics.store(interrupt, STOP, 1);
  Atomics.notify(interrupt, STOP);
}

/** After {@link requestStop}: what the run is doing. When it is nothing its thread may be ended at any time. */
export function busyWith(interrupt: Int32Array): "nothing" | "call" | "keeping" {
  const busy = Atomics.load(interrupt, BUSY);
  return busy === KEEPING ? "keeping" : busy === CALL ? "call" : "nothing";
}

// ---- the run

export function isStopRequested(interrupt: Int32Array | undefined): boolean {
  return interrupt !== undefined && Atomics.load(interrupt, STOP) !== 0;
}

/** From here on the run is not to be cut short; false when a stop was asked for before: then it must not go on. */
export function beginKeeping(interrupt: Int32Array | undefined): boolean {
  if (interrupt !== undefined) Atomics.store(interrupt, BUSY, KEEPING);
  return !isStopRequested(interrupt);
}

/** Waits so long, or until a stop is asked for. */
export function pause(ms: number, interrupt: Int32Array = new Int32Array(new SharedArrayBuffer(4))): void {
  Atomics.wait(interrupt, STOP, 0, ms);
}
