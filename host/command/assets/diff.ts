/** `assets-tool diff`. */
import { type AssetSummary, diffPacks, type PackDifference } from "../../../assets-tool/diff.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { ExitCode } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { withStack } from "./packs.ts";

/** As those of `diff`. */
const DIFFERENT = 1;
const TROUBLE = 2;

export function diff(args: Arguments): Promise<number> {
  const [before, after] = args.positionals as readonly [string, string];
  const compare = () =>
    withStack(before, (left) =>
      withStack(after, (right) => {
        const data = diffPacks(left, right);
        return { data, text: () => describe(data), exitCode: data.same ? ExitCode.OK : DIFFERENT };
      }),
    );
  return answer("diff", args, compare, TROUBLE);
}

function describe(difference: PackDifference): string {
  const { added, removed, changed, preload, metadata, unchanged, same, identical } = difference;
  if (identical) return "the packs are identical\n";
  if (same)
    return "the packs have the same assets, preload and metadata, and are laid out or encoded by different means\n";
  const lines = [
    ...removed.map((asset) => `- ${textOf(asset)}`),
    ...added.map((asset) => `+ ${textOf(asset)}`),
    ...changed.map(({ before, after, changed: aspects }) => {
      const from = before.name === after.name ? "" : `${plain(before.name)} -> `;
      const sizes = aspects.includes("bytes") ? `, ${before.decodedSize} -> ${after.decodedSize} bytes` : "";
      const type = aspects.includes("bankType") ? `, ${before.bankType} -> ${after.bankType}` : "";
      return `~ ${after.id} ${from}${plain(after.name)}: ${aspects.map((aspect) => ASPECTS[aspect]).join(", ")}${type}${sizes}`;
    }),
    ...(preload === null ? [] : [`~ preload: ${counted(preload.before.length, "slot")} -> ${preload.after.length}`]),
    ...(metadata ? ["~ metadata of the pack"] : []),
    `${counted(added.length, "asset")} added, ${removed.length} removed, ${changed.length} changed, ${unchanged} unchanged`,
  ];
  return `${lines.join("\n")}\n`;
}

const ASPECTS = { name: "name", bankType: "bank type", bytes: "bytes", metadata: "metadata" } as const;

function textOf({ id, name, bankType, decodedSize }: AssetSummary): string {
  return `${id} ${plain(name)}: ${bankType}, ${counted(decodedSize, "byte")}`;
}
