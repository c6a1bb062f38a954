/** What a person is told of a trap: why, where in the module and in the guest's source, and what to do about it. */
import type { SourcePlace } from "../source/places.ts";
import { grouped } from "./quantities.ts";
import type { RunRequest, TrapSite } from "./run-messages.ts";
import { readableName } from "./rust-names.ts";
import { DIM_STYLE, ERROR_STYLE, plain, styled } from "./terminal.ts";

/** The lines for a terminal. */
export function describeTrap(trap: TrapSite, request: RunRequest, fuelUsed: bigint): string {
  const lines = [`${styled(ERROR_STYLE, "trap:")} ${plain(trap.message)} [${trap.name}]`];
  const frames = frameLines(trap.backtrace);
  for (let at = 0, next = 0; at < frames.length; at = next) {
    while (next < frames.length && frames[next] === frames[at]) next++;
    lines.push(frames[at]!);
    if (next - at > 1) lines.push(`     ${next - at - 1} more times`);
  }
  lines.push(styled(DIM_STYLE, `  in ${plain(request.module)}, after ${grouped(fuelUsed)} units of fuel`));
  const hint = hintOf(trap, request);
  if (hint !== undefined) lines.push(`  ${hint}`);
  return `${lines.join("\n")}\n`;
}

/** A line for each frame, and for each function that was inlined there: name, place in the source, place in the module. */
function frameLines(backtrace: TrapSite["backtrace"]): string[] {
  const rows: (readonly [name: string, source: string, place: string])[] = [];
  for (const { name, function: index, offset, sources = [] } of backtrace) {
    for (const source of sources)
      if (source.inlined !== undefined) rows.push([shortened(nameOf(source.inlined)), sourceText(source), "inlined"]);
    rows.push([nameOf(name), sourceText(sources.at(-1)), `function ${index}, offset 0x${offset.toString(16)}`]);
  }
  const nameWidth = Math.min(MOST_NAME, Math.max(0, ...rows.map(([name]) => name.length)));
  const sourceWidth = Math.max(0, ...rows.map(([, source]) => source.length));
  return rows.map(([name, source, place]) => {
    const middle = sourceWidth === 0 ? "" : `${source.padEnd(sourceWidth)}  `;
    return `  at ${name.padEnd(nameWidth)}  ${middle}${place}`;
  });
}

/** Characters of the column of names. The types in the name of an inlined function may take whole lines. */
const MOST_NAME = 48;

function shortened(name: string): string {
  return name.length > MOST_NAME ? `${name.slice(0, MOST_NAME - 1)}…` : name;
}

function sourceText(place: SourcePlace | undefined): string {
  if (place === undefined) return "";
  return plain(`${place.file}:${place.line}${place.column === 0 ? "" : `:${place.column}`}`);
}

function nameOf(name: string | undefined): string {
  return name === undefined || name === "" ? "(no name)" : plain(readableName(name));
}

/** How to grant what a guest lacks. */
const GRANT_HINTS: readonly (readonly [capability: string, hint: string])[] = [
  ["fs", "Grant a folder with --dir HOST::GUEST, with :ro to read only, or with --tmp GUEST one in memory."],
  ["assets", "Grant a pack with --assets FILE."],
  ["store", "Grant a store with --store DIR, with :ro to read only."],
];

function hintOf(trap: TrapSite, request: RunRequest): string | undefined {
  switch (trap.name) {
    case "OutOfFuel":
      return `The limit was ${grouped(request.fuel ?? 0n)}; --fuel sets it.`;
    case "StackExhausted":
      return `The limit was ${grouped(BigInt(request.limits.depth))} slots; --max-depth sets it.`;
    case "MissingCapability":
      return GRANT_HINTS.find(([capability]) => trap.message.includes(`"${capability}"`))?.[1];
    default:
      return undefined;
  }
}
