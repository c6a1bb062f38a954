/** The guest's frames in a stack that V8 captured. */
import { Fault } from "../trap.ts";

/** What V8 adds to JavaScript. */
const V8 = Error as unknown as {
  captureStackTrace?: (holder: object) => void;
  stackTraceLimit: number | undefined;
  prepareStackTrace: unknown;
};

/**
 * A frame of compiled code: number of its image, function index there, and byte offset in the image's module. Image 0 is
 * an adapter; a negative one is a forwarder to the instance of that ordinal.
 */
export interface NativeFrame {
  readonly image: number;
  readonly function: number;
  readonly offset: number;
}

/** V8 writes `wasm://wasm/MODULE-HASH:wasm-function[INDEX]:0xOFFSET`; `withName` gives modules their names. */
const FRAME = /wasm\/ashlar-(v?)(\d+)-[0-9a-f]+:wasm-function\[(\d+)\]:0x([0-9a-f]+)/;

/** Frames of compiled code, innermost first; and whether the innermost frame of all is one. */
export function framesOf(thrown: object): { readonly frames: readonly NativeFrame[]; readonly innermost: boolean } {
  const sites = sitesOf(thrown);
  const parsed = sites.map((site) => FRAME.exec(site));
  const frames = parsed
    .filter((match) => match !== null)
    .map(([, via, image, index, offset]) => ({
      image: via ? -Number(image) : Number(image),
      function: Number(index),
      offset: Number.parseInt(offset!, 16),
    }));
  return { frames, innermost: (parsed[0] ?? null) !== null };
}

/** Every frame as V8 writes it. Of what is not a trap the stack becomes the text that it would be anyway. */
function sitesOf(thrown: object): readonly string[] {
  const before = Object.getOwnPropertyDescriptor(V8, "prepareStackTrace");
  const format: unknown = before?.value;
  let found: readonly string[] | undefined;
  const prepare = (error: unknown, sites: readonly unknown[]): unknown => {
    found = sites.map(String);
    const isForeign = !FRAME.test(found[0] ?? "") && !(thrown instanceof Fault);
    try {
      if (isForeign && typeof format === "function") return format.call(V8, error, sites);
    } catch {
      // The embedder's formatter does not decide what becomes of a call.
    }
    return [String(error), ...found.map((site) => `    at ${site}`)].join("\n");
  };
  Reflect.set(V8, "prepareStackTrace", prepare);
  try {
    const { stack } = thrown as { stack?: unknown };
    // Something may have read the stack before, so that it is a text already.
    return found ?? String(stack).split("\n    at ").slice(1);
  } finally {
    if (before) Reflect.defineProperty(V8, "prepareStackTrace", before);
    else Reflect.deleteProperty(V8, "prepareStackTrace");
  }
}

/** Sets how many frames V8 captures, and undefined what it does without; answers what it was. */
export function limitFrames(most: number | undefined): number | undefined {
  const before = V8.stackTraceLimit;
  // Somebody may have frozen it since; `Reflect.set` would take longer than a short call.
  try {
    if (most === undefined) Reflect.deleteProperty(V8, "stackTraceLimit");
    else V8.stackTraceLimit = most;
  } catch {}
  return before;
}

/** True on V8, unless what {@link limitFrames} and {@link framesOf} set is frozen. */
export function capturesStacks(): boolean {
  const limit = Object.getOwnPropertyDescriptor(V8, "stackTraceLimit");
  const format = Object.getOwnPropertyDescriptor(V8, "prepareStackTrace");
  const canSet = (found: PropertyDescriptor | undefined): boolean =>
    found ? found.configurable === true && found.writable === true : Object.isExtensible(V8);
  return typeof V8.captureStackTrace === "function" && canSet(limit) && canSet(format);
}
