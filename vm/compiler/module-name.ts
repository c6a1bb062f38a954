/**
 * The name section at the end of each module that V8 compiles. By the module's name frames are told apart, so every
 * compilation has another; it is written over the old one, since to copy tens of megabytes takes as long as to compile them.
 */
import type { Writer } from "../bytecode/writer.ts";

const PREFIX = "ashlar-";
const DIGITS = 11;
const UNNAMED = "0".repeat(DIGITS);

/** Ends a module with room for its name. */
export function reserveName(out: Writer): void {
  out.byte(0);
  const section = out.beginSized();
  out.name("name");
  out.byte(0);
  const subsection = out.beginSized();
  out.name(`${PREFIX}${UNNAMED}`);
  out.endSized(subsection);
  out.endSized(section);
}

/** What `use` makes of `bytes`, which {@link reserveName} ended, while their name is that of `number`. */
export function withName<T>(bytes: Uint8Array, number: number, use: () => T): T {
  write(bytes, number < 0 ? `v${String(-number).padStart(DIGITS - 1, "0")}` : String(number).padStart(DIGITS, "0"));
  try {
    return use();
  } finally {
    write(bytes, UNNAMED);
  }
}

function write(bytes: Uint8Array, digits: string): void {
  for (let k = 0; k < DIGITS; k++) bytes[bytes.length - DIGITS + k] = digits.charCodeAt(k);
}
