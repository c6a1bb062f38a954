/** Places in a guest's source, of the byte offsets that traps name: from what its compiler left in the module (spec SOURCE-PLACE-1). */
import { type ModuleStructure, SectionId } from "../../vm/bytecode/structure.ts";
import { DAMAGED } from "./cursor.ts";
import { inlinedCalls } from "./dwarf-inlines.ts";
import { type DwarfSections, linesOf, type SourceLine } from "./dwarf-lines.ts";
import { linesOfSourceMap, sourceMapName } from "./source-map.ts";

/** Most entries, attributes and ranges that are read for one trap: half a second. 64 frames in 2 MB of Rust took 300,000. */
const MOST_STEPS = 5_000_000;

/** Where an instruction comes from. */
export interface SourcePlace extends SourceLine {
  /** Of the function that was inlined there; undefined for the function itself. */
  readonly inlined?: string;
}

/**
 * The places of byte offsets in a module: the innermost inlined function first, the function itself last. By DWARF, else by
 * the source map that the module names, which `readBeside` reads. Offsets of which nothing is known are not in the answer;
 * damaged information only gives fewer places.
 */
export function sourcePlaces(
  structure: ModuleStructure,
  offsets: Iterable<number>,
  readBeside?: (name: string) => string | undefined,
): Map<number, readonly SourcePlace[]> {
  const ascending = [...new Set(offsets)].filter((offset) => offset >= 0).sort((a, b) => a - b);
  if (ascending.length === 0) return new Map();
  const section = (name: string): Uint8Array => {
    const found = structure.customs.find((custom) => custom.name === name);
    return found === undefined ? new Uint8Array(0) : structure.bytes.subarray(found.start, found.end);
  };
  const places = dwarfPlaces(structure, ascending, section);
  if (places.size > 0) return places;
  const name = sourceMapName(section("sourceMappingURL"));
  const text = name === undefined ? undefined : readBeside?.(name);
  if (text === undefined) return places;
  const startOf = (offset: number): number =>
    structure.bodies.find(({ start, end }) => start <= offset && offset < end)?.start ?? offset;
  for (const [offset, line] of linesOfSourceMap(text, ascending, startOf)) places.set(offset, [line]);
  return places;
}

function dwarfPlaces(
  { sections, bytes }: ModuleStructure,
  offsets: readonly number[],
  section: (name: string) => Uint8Array,
): Map<number, readonly SourcePlace[]> {
  let steps = MOST_STEPS;
  const dwarf: DwarfSections = {
    spend: () => {
      if (--steps < 0) throw DAMAGED;
    },
    line: section(".debug_line"),
    lineStr: section(".debug_line_str"),
    str: section(".debug_str"),
    strOffsets: section(".debug_str_offsets"),
    addr: section(".debug_addr"),
    info: section(".debug_info"),
    abbrev: section(".debug_abbrev"),
    ranges: section(".debug_ranges"),
    rnglists: section(".debug_rnglists"),
  };
  // Code addresses of DWARF begin with the contents of the code section.
  const base = sections.find(({ id }) => id === SectionId.code)?.start ?? bytes.length;
  const lines = linesOf(
    dwarf,
    offsets.map((offset) => offset - base).filter((address) => address > 0),
  );
  const calls = inlinedCalls(dwarf, new Map([...lines].map(([address, { table }]) => [address, table])));
  const places = new Map<number, readonly SourcePlace[]>();
  for (const [address, { file, line, column }] of lines) {
    const chain: SourcePlace[] = [];
    let place: SourceLine = { file, line, column };
    for (const call of calls.get(address) ?? []) {
      // Without a file the call cannot be placed, and what is around it neither.
      if (call.file === undefined || call.line === 0) break;
      if (place.line > 0) chain.push({ ...place, inlined: call.name ?? "" });
      place = { file: call.file, line: call.line, column: call.column };
    }
    if (place.line > 0) chain.push(place);
    if (chain.length > 0) places.set(address + base, chain);
  }
  return places;
}
