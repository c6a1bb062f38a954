/** The functions that are about no descriptor (spec WASI-PROCESS), and those on sockets, of which there are none. */

import { Status } from "../status.ts";
import { ABSTIME, Clock, EVENT_BYTES, Eventtype, SUBSCRIPTION_BYTES } from "./constants.ts";
import { Errno } from "./errno.ts";
import { load32, store16, store32, store64, storeNumber, type Wasi } from "./wasi.ts";

// ---- arguments and environment

/** A list of texts: how many there are, how long each is, and copying one into the program's memory. */
interface Texts {
  count(wasi: Wasi): number;
  size(wasi: Wasi, index: number): number;
  read(wasi: Wasi, index: number, at: number, size: number): void;
}

/** The program's name, and behind it the guest's arguments (spec WASI-PROCESS-1). */
const ARGUMENTS: Texts = {
  count: ({ sys }) => 1 + sys.args_count(),
  size: ({ sys }, index) => (index === 0 ? sys.name_size() : sys.arg_size(index - 1)),
  read: ({ sys, low, high }, index, at, size) => {
    if (index === 0) sys.name_read(low, high, at, size);
    else sys.arg_read(index - 1, low, high, at, size);
  },
};

const ENVIRONMENT: Texts = {
  count: ({ sys }) => sys.env_count(),
  size: ({ sys }, index) => sys.env_size(index),
  read: ({ sys, low, high }, index, at, size) => void sys.env_read(index, low, high, at, size),
};

/** Fuel of a text beside that of its bytes, and bytes for a unit of fuel. */
const TEXT_FUEL = 20;
const TEXT_BYTES = 64;

function sizes(wasi: Wasi, texts: Texts, outCount: number, outBytes: number): Errno {
  const countAt = wasi.check(outCount, 4);
  const bytesAt = wasi.check(outBytes, 4);
  const count = texts.count(wasi);
  if (count > 0) wasi.gate.charge(count * TEXT_FUEL);
  let total = 0;
  for (let k = 0; k < count; k++) total += texts.size(wasi, k) + 1;
  store32(wasi.bytes, countAt, count);
  store32(wasi.bytes, bytesAt, total);
  return Errno.SUCCESS;
}

function getTexts(wasi: Wasi, texts: Texts, pointers: number, buffer: number): Errno {
  const count = texts.count(wasi);
  const lengths: number[] = [];
  for (let k = 0; k < count; k++) lengths.push(texts.size(wasi, k));
  const total = lengths.reduce((sum, length) => sum + length + 1, 0);
  const first = wasi.check(pointers, 4 * count);
  let at = wasi.check(buffer, total);
  wasi.gate.charge(count * TEXT_FUEL + Math.floor(total / TEXT_BYTES));
  if (count > 0 && !wasi.reach()) return Errno.NOMEM;
  for (const [k, length] of lengths.entries()) {
    texts.read(wasi, k, at, length);
    wasi.bytes[at + length] = 0;
    store32(wasi.bytes, first + 4 * k, at);
    at += length + 1;
  }
  return Errno.SUCCESS;
}

export function args_sizes_get(wasi: Wasi, outCount: number, outBytes: number): Errno {
  return sizes(wasi, ARGUMENTS, outCount, outBytes);
}
export function args_get(wasi: Wasi, pointers: number, buffer: number): Errno {
  return getTexts(wasi, ARGUMENTS, pointers, buffer);
}
export function environ_sizes_get(wasi: Wasi, outCount: number, outBytes: number): Errno {
  return sizes(wasi, ENVIRONMENT, outCount, outBytes);
}
export function environ_get(wasi: Wasi, pointers: number, buffer: number): Errno {
  return getTexts(wasi, ENVIRONMENT, pointers, buffer);
}

// ---- clocks

/** The clock of `sys` behind one of WASI, or undefined for a number that is none. What a program has used of the processor is fuel, which the monotonic clock counts. */
function clockOf(id: number): number | undefined {
  if (id === Clock.REALTIME) return 0;
  return id === Clock.MONOTONIC || id === Clock.PROCESS_CPUTIME || id === Clock.THREAD_CPUTIME ? 1 : undefined;
}

export function clock_res_get(wasi: Wasi, id: number, out: number): Errno {
  const at = wasi.check(out, 8);
  if (clockOf(id) === undefined) return Errno.INVAL;
  store64(wasi.bytes, at, 1, 0);
  return Errno.SUCCESS;
}

export function clock_time_get(
  wasi: Wasi,
  id: number,
  _precisionLow: number,
  _precisionHigh: number,
  out: number,
): Errno {
  const at = wasi.check(out, 8);
  const clock = clockOf(id);
  if (clock === undefined) return Errno.INVAL;
  const { gate } = wasi;
  wasi.sys.clock(clock);
  store64(wasi.bytes, at, gate.low[0]!, gate.high[0]!);
  return Errno.SUCCESS;
}

// ---- waiting

/** What is told of a subscription. */
interface Event {
  /** Of the subscription, in the program's memory as it was. */
  readonly at: number;
  readonly errno: Errno;
  /** That can be read, as far as is known. */
  readonly bytes: number;
}

/** Most subscriptions of a call: what is kept of them is many times as large in the host. */
const MOST_SUBSCRIPTIONS = 65_536;

/** Waits until one of `count` subscriptions is ready, and tells of all that are (spec WASI-POLL). */
export function poll_oneoff(wasi: Wasi, subscriptions: number, events: number, count: number, out: number): Errno {
  const from = wasi.check(subscriptions, (count >>> 0) * SUBSCRIPTION_BYTES);
  let to = wasi.check(events, (count >>> 0) * EVENT_BYTES);
  const outAt = wasi.check(out, 4);
  if (count === 0 || count >>> 0 > MOST_SUBSCRIPTIONS) return Errno.INVAL;
  // The events may lie over the subscriptions.
  const given = wasi.bytes.slice(from, from + (count >>> 0) * SUBSCRIPTION_BYTES);
  const ready: Event[] = [];
  const waits: { readonly at: number; readonly left: bigint }[] = [];
  for (let at = 0; at < given.length; at += SUBSCRIPTION_BYTES) {
    const left = given[at + 8] === Eventtype.CLOCK ? timeLeft(wasi, given, at) : undefined;
    if (left === undefined) ready.push(readiness(wasi, given, at));
    else waits.push({ at, left });
  }
  let passed = 0n;
  if (ready.length === 0) {
    const least = waits.reduce((soonest, { left }) => (left < soonest ? left : soonest), waits[0]!.left);
    // All times that have passed already are due, not the earliest alone.
    if (least > 0n) passed = least;
    if (passed > 0n) wasi.sys.sleep(Number(BigInt.asIntN(32, passed)), Number(BigInt.asIntN(32, passed >> 32n)));
  }
  for (const { at, left } of waits) if (left <= passed) ready.push({ at, errno: Errno.SUCCESS, bytes: 0 });
  ready.sort((left, right) => left.at - right.at);
  const { bytes } = wasi;
  for (const { at, errno, bytes: available } of ready) {
    bytes.fill(0, to, to + EVENT_BYTES);
    bytes.set(given.subarray(at, at + 8), to);
    store16(bytes, to + 8, errno);
    bytes[to + 10] = given[at + 8]!;
    storeNumber(bytes, to + 16, available);
    to += EVENT_BYTES;
  }
  store32(bytes, outAt, ready.length);
  return Errno.SUCCESS;
}

/** A file or stream is always ready: it is read and written at once, or waited for there. Anything else is in error. */
function readiness(wasi: Wasi, given: Uint8Array, at: number): Event {
  const kind = given[at + 8]!;
  if (kind !== Eventtype.FD_READ && kind !== Eventtype.FD_WRITE) return { at, errno: Errno.INVAL, bytes: 0 };
  const file = wasi.descriptors.get(load32(given, at + 16));
  if (file === undefined) return { at, errno: Errno.BADF, bytes: 0 };
  const isKnown = kind === Eventtype.FD_READ && file.type === "file" && wasi.sizeOf(file) === Status.OK;
  return { at, errno: Errno.SUCCESS, bytes: isKnown ? Math.max(wasi.gate.wide(1) - file.offset, 0) : 0 };
}

/** Nanoseconds until a clock's subscription is due, 0 or less when it is; undefined for a clock that there is not. */
function timeLeft(wasi: Wasi, given: Uint8Array, at: number): bigint | undefined {
  const clock = clockOf(load32(given, at + 16));
  if (clock === undefined) return undefined;
  const timeout = wide(load32(given, at + 24), load32(given, at + 28));
  if ((given[at + 40]! & ABSTIME) === 0) return timeout;
  wasi.sys.clock(clock);
  return timeout - wide(wasi.gate.low[0]!, wasi.gate.high[0]!);
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

// ---- the rest

export function random_get(wasi: Wasi, buffer: number, length: number): Errno {
  wasi.check(buffer, length >>> 0);
  if (length === 0) return Errno.SUCCESS;
  if (!wasi.reach()) return Errno.NOMEM;
  wasi.sys.random(wasi.low, wasi.high, buffer, length);
  return Errno.SUCCESS;
}

/** Ends the program; the low eight bits of the code are what operating systems take. */
export function proc_exit(wasi: Wasi, code: number): Errno {
  return wasi.sys.exit(code & 255) as Errno;
}

/** There are no signals. */
export function proc_raise(): Errno {
  return Errno.NOSYS;
}

/** There is one thread. */
export function sched_yield(): Errno {
  return Errno.SUCCESS;
}

/** No descriptor is a socket's. */
function notSocket(wasi: Wasi, fd: number): Errno {
  return wasi.descriptors.get(fd) === undefined ? Errno.BADF : Errno.NOTSOCK;
}
export const sock_accept: (wasi: Wasi, fd: number) => Errno = notSocket;
export const sock_recv: (wasi: Wasi, fd: number) => Errno = notSocket;
export const sock_send: (wasi: Wasi, fd: number) => Errno = notSocket;
export const sock_shutdown: (wasi: Wasi, fd: number) => Errno = notSocket;
