/** `assets-tool patch`. */
import { patchPack } from "../../../assets-tool/patch.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { packOutput, stackPaths } from "./packs.ts";

export async function patch(args: Arguments): Promise<number> {
  const [base, next] = args.positionals as readonly [string, string];
  const output = packOutput(args.options);
  if (output === undefined) throw usageError("`patch` needs a place for the patch.", "Write -o PATCH.");
  return answer("patch", args, async (progress) => {
    const data = await patchPack({ base: stackPaths(base), next, output, onProgress: progress.update });
    const { added, changed, removed, unchanged, bytes, identity } = data;
    const text = (): string =>
      `${plain(data.output)}: ${counted(added, "asset")} added, ${changed} changed, ${removed} removed, ${unchanged} unchanged; ${counted(bytes, "byte")}\n${columns(
        [
          ["identity", identity],
          ["patch of", data.base],
        ],
      )}`;
    return { data, text };
  });
}
