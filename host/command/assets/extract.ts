/** `assets-tool extract`. */
import { extractAssets } from "../../../assets-tool/extract.ts";
import { GlobError, globOf } from "../../../assets-tool/glob.ts";
import { PackError } from "../../assets/errors.ts";
import type { Asset, AssetSet } from "../../assets/pack.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { STDOUT, writeFully } from "../terminal.ts";
import { type Answer, answer } from "./answer.ts";
import { withStack } from "./packs.ts";

export async function extract(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const folder = options.get("output")?.[0];
  if (folder === undefined) throw usageError("`extract` needs a folder.", "Write -o DIR.");
  const isWanted = filterOf(options);
  if (folder === "-" && (options.has("json") || options.has("force")))
    throw usageError("-o - writes the asset's bytes, and takes neither --json nor --force.");
  return answer("extract", args, (progress) =>
    withStack(positionals[0]!, (set): Answer | undefined => {
      if (folder === "-") {
        for (const piece of onlyAsset(set, isWanted).pieces()) writeFully(STDOUT, piece);
        return undefined;
      }
      const force = options.has("force");
      const files = extractAssets(set, folder, { filter: isWanted, force, onProgress: progress.update });
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const text = (): string =>
        `${columns(files.map(({ bytes, path }) => [bytes, path]))}${counted(files.length, "file")}, ${counted(bytes, "byte")}\n`;
      return { data: { identity: set.identity, folder, files }, text };
    }),
  );
}

/** An asset that every option given allows; of an option that is given several times, one of its values. */
function filterOf(options: Arguments["options"]): (asset: Asset) => boolean {
  const ids = options.get("id")?.map(parseId);
  const globs = options.get("name")?.map(parseGlob);
  const types = options.get("type");
  return ({ id, name, bankType }) =>
    (ids?.includes(id) ?? true) &&
    (types?.includes(bankType) ?? true) &&
    (globs?.some((glob) => glob.matches(name)) ?? true);
}

function parseId(text: string): number {
  const id = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id === (id | 0)) return id;
  throw usageError(`--id takes an integer from -2147483648 to 2147483647, not ${JSON.stringify(text)}.`);
}

function parseGlob(text: string): ReturnType<typeof globOf> {
  try {
    return globOf(text);
  } catch (error) {
    if (error instanceof GlobError) throw usageError(`--name ${JSON.stringify(text)}: ${error.message}.`);
    throw error;
  }
}

function onlyAsset(set: AssetSet, isWanted: (asset: Asset) => boolean): Asset {
  const [asset, ...others] = [...set.assets()].filter(isWanted);
  if (asset !== undefined && others.length === 0) return asset;
  const count = asset === undefined ? 0 : others.length + 1;
  throw new PackError(
    "PACK-EXTRACT",
    `-o - takes exactly one asset, and ${counted(count, "asset")} would be extracted`,
  );
}
