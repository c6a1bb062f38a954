/**
 * Reads guests in WebAssembly's text format through wabt, which is loaded only when there is text to read.
 */
import { AshlarError } from "../vm/errors.ts";

/** The text is not a module. `line` and `column` count from 1; 0 where wabt does not say. */
export class WatError extends AshlarError {
  readonly code = "VM-WAT";
  readonly line: number;
  readonly column: number;
  constructor(line: number, column: number, message: string) {
    super(line === 0 ? message : `${message} at line ${line}, column ${column}`);
    this.name = "WatError";
    this.line = line;
    this.column = column;
  }
}

/** The profile (spec VM-PROFILE-1) in wabt's words. */
const FEATURES = {
  bulk_memory: true,
  extended_const: true,
  multi_value: true,
  mutable_globals: true,
  reference_types: true,
  sat_float_to_int: true,
  sign_extension: true,
  annotations: false,
  code_metadata: false,
  exceptions: false,
  function_references: false,
  gc: false,
  memory64: false,
  relaxed_simd: false,
  simd: false,
  tail_call: false,
  threads: false,
};

/** One wabt for all texts: each has a WebAssembly.Memory of its own. */
let instance: ReturnType<typeof import("wabt")> | undefined;

/** Where wabt's messages say they are, and what they say: `name:line:column: error: text`. */
const MESSAGE = /^.*?:(\d+):(\d+): error: (.*)$/m;

/**
 * The binary form of a module's text, with its names in the name section; not validated. `source` is the text or its
 * UTF-8 bytes. Throws WatError.
 */
export async function loadWat(source: string | Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const text = typeof source === "string" ? source : textOf(source);
  instance ??= import("wabt").then(({ default: load }) => load());
  const wabt = await instance;
  // wabt's memory never shrinks, so whatever happens its module must be given back.
  let module: ReturnType<typeof wabt.parseWat> | undefined;
  try {
    module = wabt.parseWat("module", text, FEATURES);
    return module.toBinary({ write_debug_names: true }).buffer.slice();
  } catch (error) {
    throw watErrorOf(error);
  } finally {
    module?.destroy();
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new WatError(0, 0, "the text is not UTF-8");
  }
}

function watErrorOf(error: unknown): WatError {
  const message = error instanceof Error ? error.message : String(error);
  const [, line, column, what] = MESSAGE.exec(message) ?? [];
  return new WatError(Number(line ?? 0), Number(column ?? 0), what ?? message.trim());
}
