/** `assets-tool pack`. */
import { type PackRequest, packAssets } from "../../../assets-tool/pack.ts";
import type { Note, PackProgress, PackReport } from "../../../assets-tool/report.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import type { Progress } from "../progress.ts";
import { note, plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { packOutput } from "./packs.ts";

export async function pack(args: Arguments): Promise<number> {
  const { options } = args;
  const request = packRequest(args);
  const check = options.has("check");
  const isQuiet = options.has("quiet");
  return answer("pack", args, async (progress) => {
    const hear = isQuiet ? () => {} : (what: Note) => tellNote(what, progress);
    const onProgress = ({ done, total, phase }: PackProgress) => progress.update(done, total, TITLES[phase]);
    const report = await packAssets({ ...request, check, onProgress, onNote: hear });
    return { data: reportData(report), text: () => describe(report, check) };
  });
}

const TITLES = { import: "importing", write: "writing" } as const;

/** What `pack` and `watch` have in common. */
export function packRequest({ positionals, options }: Arguments): PackRequest {
  const from = positionals[0]!;
  if (from === "") throw usageError("The name of the folder or configuration is empty.");
  return {
    from,
    output: packOutput(options),
    lock: pathOrNone(options, "lock"),
    cache: pathOrNone(options, "cache"),
  };
}

/** False for `--no-NAME`. */
function pathOrNone(options: Arguments["options"], name: string): string | false | undefined {
  const path = options.get(name)?.[0];
  if (!options.has(`no-${name}`)) return path;
  if (path !== undefined) throw usageError(`--${name} and --no-${name} exclude one another.`);
  return false;
}

/** Notes are text, with `--json` too: the report has them as well. */
export function tellNote({ message, file, pointer }: Note, progress: Progress): void {
  progress.clear();
  const places = [file, pointer].filter((place) => place !== undefined && place !== "");
  note(`note: ${plain(message)}${places.length === 0 ? "" : ` (${plain(places.join(", "))})`}\n`);
}

export function reportData(report: PackReport): object {
  return { ...report, lock: report.lock ?? null };
}

function describe(report: PackReport, isCheck: boolean): string {
  const { output, banks, added, retired, assets, bytes, shared, sharedBytes, made, cached } = report;
  const rows = banks.map(({ bankType, assets, storedBytes, bytes }) => [bankType, assets, storedBytes, bytes]);
  const lines = [
    columns(rows, ["bank", "assets", "stored", "decoded"]),
    `${plain(output)}: ${counted(assets, "asset")}, ${counted(bytes, "byte")}${isCheck ? ", as it should be" : ""}\n`,
    shared === 0 ? "" : `shared: ${counted(shared, "asset")}, which saves ${counted(sharedBytes, "byte")}\n`,
    made + cached === 0 ? "" : `imported: ${counted(made, "source")}, and ${cached} from the cache\n`,
    added.length + retired.length === 0
      ? ""
      : `ids: ${counted(added.length, "asset")} added, ${retired.length} retired\n`,
    `identity  ${report.identity}\n`,
  ];
  return lines.join("");
}

/** A line for a pack that was made while watching. */
export function packLine({ output, assets, bytes, added, retired, made, cached }: PackReport): string {
  const ids = added.length + retired.length === 0 ? "" : `; ids: ${added.length} added, ${retired.length} retired`;
  return `${plain(output)}: ${counted(assets, "asset")}, ${counted(bytes, "byte")}; imported ${made}, ${cached} from the cache${ids}\n`;
}
