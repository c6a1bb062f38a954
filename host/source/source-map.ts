/** Source maps (ECMA-426) of wasm modules: one generated line, whose columns are byte offsets in the module. */
import { firstFrom, type SourceLine } from "./dwarf-lines.ts";

/** Name of the map's file that a module gives in its section `sourceMappingURL`; undefined unless it lies beside the module. */
export function sourceMapName(section: Uint8Array): string | undefined {
  let length = 0;
  let at = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = section[at++];
    if (byte === undefined || shift > 28) return undefined;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  if (length < 1 || length > section.length - at) return undefined;
  const url = new TextDecoder().decode(section.subarray(at, at + length)).replace(/^\.\//, "");
  // The guest says this: no other folder, no other scheme.
  return /[/\\:%?#\0]/.test(url) || url === "." || url === ".." ? undefined : url;
}

/**
 * The lines of module offsets, which ascend. `startOf` answers where the function of an offset starts: what stands before
 * it says nothing about it. A map that makes no sense has no lines.
 */
export function linesOfSourceMap(
  text: string,
  offsets: readonly number[],
  startOf: (offset: number) => number,
): Map<number, SourceLine> {
  const found = new Map<number, SourceLine>();
  const map = parsed(text);
  if (map === undefined) return found;
  const { mappings, sources } = map;
  const last = { column: -1, source: -1, line: 0, character: 0 };
  const tell = (until: number): void => {
    for (let k = firstFrom(offsets, last.column); k < offsets.length && offsets[k]! < until; k++) {
      const offset = offsets[k]!;
      const file = sources[last.source];
      if (typeof file !== "string" || last.column < startOf(offset)) continue;
      if (last.line >= 0 && last.character >= 0)
        found.set(offset, { file, line: last.line + 1, column: last.character + 1 });
    }
  };
  const fields = [0, 0, 0, 0];
  let column = 0;
  let [source, line, character] = [0, 0, 0];
  let at = 0;
  while (at < mappings.length && mappings[at] !== ";") {
    let count = 0;
    while (at < mappings.length && mappings[at] !== "," && mappings[at] !== ";") {
      let value = 0;
      let unit = 1;
      for (;;) {
        const digit = DIGITS.indexOf(mappings[at++] ?? "");
        if (digit < 0) return found;
        value += (digit & 31) * unit;
        if (digit < 32) break;
        unit *= 32;
      }
      const isNegative = value % 2 === 1;
      if (count < 4) fields[count] = isNegative ? -(value - 1) / 2 : value / 2;
      count++;
    }
    if (mappings[at] === ",") at++;
    if (count === 0) continue;
    column += fields[0]!;
    tell(column);
    last.column = column;
    last.source = -1;
    if (count < 4) continue;
    source += fields[1]!;
    line += fields[2]!;
    character += fields[3]!;
    Object.assign(last, { source, line, character });
  }
  tell(Number.POSITIVE_INFINITY);
  return found;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function parsed(text: string): { mappings: string; sources: unknown[] } | undefined {
  try {
    const { version, mappings, sources } = JSON.parse(text);
    return version === 3 && typeof mappings === "string" && Array.isArray(sources) ? { mappings, sources } : undefined;
  } catch {
    return undefined;
  }
}
