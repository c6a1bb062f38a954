/** The clocks behind `sys.clock` and `sys.sleep` (spec ABI-CLOCK). Times are in nanoseconds. */
import { Stopped } from "../vm/errors.ts";
import { isStopRequested, pause } from "./interrupt.ts";

export interface Clock {
  /** Since 1970, UTC. */
  time(fuelUsed: bigint): bigint;
  /** Since some fixed moment; never goes back. */
  monotonic(fuelUsed: bigint): bigint;
  sleep(duration: bigint): void;
  /** How far sleeps have put a virtual clock forward, for snapshots. */
  slept: bigint;
}

const LATEST = 2n ** 63n - 1n;
const NANOSECONDS = 1_000_000n;
/** Longest single wait, in milliseconds: what a timer can hold. */
const LONGEST_WAIT = 2 ** 31 - 1;

function capped(time: bigint): bigint {
  return time > LATEST ? LATEST : time;
}

/** One nanosecond passes with each unit of fuel, and none otherwise; a sleep puts it forward (spec ABI-CLOCK-1). */
export function virtualClock(start: bigint): Clock {
  return {
    slept: 0n,
    time(fuelUsed) {
      return capped(start + this.slept + fuelUsed);
    },
    monotonic(fuelUsed) {
      return capped(this.slept + fuelUsed);
    },
    sleep(duration) {
      this.slept = capped(this.slept + duration);
    },
  };
}

/** The host's clocks; a sleep blocks the thread, and throws Stopped when the run is to stop. */
export function realClock(interrupt?: Int32Array): Clock {
  const origin = performance.now();
  const nanoseconds = (milliseconds: number): bigint => {
    const whole = Math.floor(milliseconds);
    return BigInt(whole) * NANOSECONDS + BigInt(Math.floor((milliseconds - whole) * Number(NANOSECONDS)));
  };
  return {
    slept: 0n,
    time: () => nanoseconds(performance.timeOrigin) + nanoseconds(performance.now()),
    monotonic: () => nanoseconds(performance.now() - origin),
    sleep(duration) {
      const end = performance.now() + Number(duration) / Number(NANOSECONDS);
      // A wait may end early by what the timer cannot tell apart.
      for (let left = end - performance.now(); left > 0; left = end - performance.now()) {
        pause(Math.min(left, LONGEST_WAIT), interrupt);
        if (isStopRequested(interrupt)) throw new Stopped();
      }
    },
  };
}
