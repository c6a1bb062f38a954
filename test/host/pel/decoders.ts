/** Both decoders of programs, held against each other. */
import { isDeepStrictEqual } from "node:util";
import { PelError } from "../../../host/pel/errors.ts";
import { decodeProgram, encodeProgram, type Program } from "../../../host/pel/program.ts";
import { referenceDecode } from "./reference-decoder.ts";

/** What decoding says of these bytes: code and pointer, or `ok`. */
export function verdict(bytes: Uint8Array): string {
  const found = decoded(bytes);
  return found instanceof PelError ? `${found.code} ${found.place.pointer}` : "ok";
}

function decoded(bytes: Uint8Array): Program | PelError {
  try {
    return decodeProgram(bytes);
  } catch (error) {
    if (error instanceof PelError) return error;
    throw error;
  }
}

/** The code of what refuses these bytes, or `ok`. Throws when the decoders differ, or a program is encoded to other bytes. */
export function judge(bytes: Uint8Array): string {
  const found = decoded(bytes);
  const reference = referenceDecode(bytes);
  const isRefused = found instanceof PelError;
  const agrees = isRefused
    ? reference === undefined
    : isDeepStrictEqual(found, reference) && Buffer.from(encodeProgram(found)).equals(bytes);
  if (!agrees) throw new Error(`${isRefused ? found.message : "taken"}: ${Buffer.from(bytes).toString("hex")}`);
  return isRefused ? found.code : "ok";
}
