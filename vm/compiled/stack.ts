/** The guest's frames in a stack that V8 captured. */

/** What V8 adds to JavaScript. */
const V8 = Error as unknown as {
  captureStackTrace?: (holder: object) => void;
  stackTraceLimit: number;
  prepareStackTrace: unknown;
};

/** A frame of compiled code: number of its image, function index there, and byte offset in the image's module. */
export interface NativeFrame {
  readonly image: number;
  readonly function: number;
  readonly offset: number;
}

/** V8 writes `wasm://wasm/MODULE-HASH:wasm-function[INDEX]:0xOFFSET`. */
const FRAME = /wasm\/ashlar-(\d+)-[0-9a-f]+:wasm-function\[(\d+)\]:0x([0-9a-f]+)/;

/** Module name of an image, for the name section. */
export function imageName(image: number): string {
  return `ashlar-${image}`;
}

/** Frames of compiled code, innermost first; and whether the innermost frame of all is one. */
export function framesOf(thrown: object): { readonly frames: readonly NativeFrame[]; readonly innermost: boolean } {
  const sites = sitesOf(thrown);
  const parsed = sites.map((site) => FRAME.exec(site));
  const frames = parsed
    .filter((match) => match !== null)
    .map(([, image, index, offset]) => ({
      image: Number(image),
      function: Number(index),
      offset: Number.parseInt(offset!, 16),
    }));
  return { frames, innermost: (parsed[0] ?? null) !== null };
}

/** Every frame as V8 writes it. What an embedder has set to format stacks is out of the way for the moment. */
function sitesOf(thrown: object): readonly string[] {
  const before = Object.getOwnPropertyDescriptor(V8, "prepareStackTrace");
  V8.prepareStackTrace = (_error: unknown, sites: readonly unknown[]) => sites;
  try {
    const { stack } = thrown as { stack?: unknown };
    // Something read the stack before, so that it is a text already.
    if (typeof stack === "string") return stack.split("\n    at ").slice(1);
    return Array.isArray(stack) ? stack.map(String) : [];
  } finally {
    if (before) Object.defineProperty(V8, "prepareStackTrace", before);
    else Reflect.deleteProperty(V8, "prepareStackTrace");
  }
}

/** Sets how many frames V8 captures; answers what it was. */
export function limitFrames(most: number): number {
  const before = V8.stackTraceLimit;
  V8.stackTraceLimit = most;
  return before;
}

/** True on V8, unless an embedder has frozen what {@link limitFrames} and {@link framesOf} set. */
export function capturesStacks(): boolean {
  const limit = Object.getOwnPropertyDescriptor(V8, "stackTraceLimit");
  return typeof V8.captureStackTrace === "function" && Object.isExtensible(V8) && limit?.writable !== false;
}
