/** JSON that people write: a configuration, a lock file. */
import { type PackCode, PackError } from "../host/assets/errors.ts";
import type { Json } from "../host/assets/json.ts";
import { parseJson } from "../host/assets/json-text.ts";

/** The value of a JSON text. Throws a PackError `code`, with the line and the pointer, for any other, and for keys that come twice. */
export function parseDocument(bytes: Uint8Array, code: PackCode, file: string): Json {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new PackError(code, "this is not UTF-8", { file });
  }
  if (/^(<{7}|={7}|>{7})( |$)/m.test(text))
    throw new PackError(code, "the file has conflict markers of a merge: resolve them first", { file });
  return parseJson(text, (message, pointer) => new PackError(code, message, { file, pointer }));
}
