/** `ashlar store ls`. */
import type { ArtifactRecord, ArtifactStat } from "../../asl/index.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { answer, jsonLine } from "./answer.ts";
import { printLines } from "./lines.ts";
import { viewOf, withStore } from "./stores.ts";

export async function ls(args: Arguments): Promise<number> {
  const { options } = args;
  const prefix = prefixOf(options.get("prefix")?.[0]);
  const text = options.has("json") ? jsonText : options.has("long") ? longText : keyText;
  return answer("ls", args, () =>
    withStore(args, "read", (store) => {
      printLines(texts(viewOf(store, args).list({ prefix }), text));
      return undefined;
    }),
  );
}

/** Throws a usage error. */
function prefixOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [, digits] = /^(?:[a-z0-9-]+:)?([0-9a-f]{0,64})$/i.exec(text) ?? [];
  if (digits !== undefined) return digits.toLowerCase();
  throw usageError(`--prefix takes up to 64 hexadecimal digits, not ${JSON.stringify(text)}.`);
}

function* texts(artifacts: Iterable<ArtifactStat>, text: (artifact: ArtifactStat) => string): Generator<string> {
  for (const artifact of artifacts) yield text(artifact);
}

function keyText({ key }: ArtifactStat): string {
  return `${key}\n`;
}

function jsonText(artifact: ArtifactStat): string {
  return jsonLine("ls", artifactData(artifact));
}

/** As `ls` and `stat` tell it. */
export function artifactData({ key, length, records, location }: ArtifactStat): object {
  return { key, length, records: records.map((record) => ({ ...record, typeTag: record.typeTag ?? null })), location };
}

/** Type tag, visibility, logseq and position, for a person. */
export function recordCells({ typeTag, visibility, logseq, position }: ArtifactRecord): readonly string[] {
  const tag = typeTag === undefined ? "-" : `0x${typeTag.toString(16).padStart(8, "0")}`;
  return [tag.padEnd(10), visibility.padEnd(9), String(logseq).padStart(8), String(position).padStart(8)];
}

function longText({ key, length, records }: ArtifactStat): string {
  const lines = records.map((record) => [key, String(length).padStart(12), ...recordCells(record)].join("  "));
  return `${lines.join("\n")}\n`;
}
