/** Texts (spec TOOL-TEXT-1). */
import { isUtf8 } from "node:buffer";
import { decodeUtf8 } from "../../vm/utf8.ts";
import type { Importer, ImportSource } from "../importer.ts";
import { Settings } from "./settings.ts";
import { SourceView } from "./source-view.ts";

const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** Where the text begins: behind a byte order mark. Throws for what is no UTF-8. */
function textStart(view: SourceView): number {
  const { bytes } = view;
  if (!isUtf8(bytes)) throw view.wrong("it is no text in UTF-8", malformedAt(bytes));
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Offset of the first byte that makes it no UTF-8. */
function malformedAt(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (decodeUtf8(bytes, at, Math.min(at + length, bytes.length)) === undefined) return at;
    at += length;
  }
  return bytes.length;
}

export const text: Importer = {
  name: "text",
  version: 1,
  bankTypes: ["text"],
  matches: (path) => /\.(?:txt|md|csv|tsv|xml|svg|html|css|js|ini|toml|ya?ml|glsl|wgsl|wat)$/i.test(path),
  import(source: ImportSource, settings) {
    const known = new Settings(settings);
    const newlines = known.choice("newlines", ["lf", "keep"]) ?? "lf";
    known.end();
    const view = new SourceView(source);
    const from = view.bytes.subarray(textStart(view));
    if (newlines === "keep") return [{ suffix: "", bankType: "text", bytes: from.slice(), metadata: {} }];
    const bytes = new Uint8Array(from.length);
    let length = 0;
    for (let k = 0; k < from.length; k++)
      if (from[k] !== RETURN || from[k + 1] !== LINE_FEED) bytes[length++] = from[k]!;
    return [{ suffix: "", bankType: "text", bytes: bytes.slice(0, length), metadata: {} }];
  },
};
