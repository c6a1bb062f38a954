/** `assets-tool inspect`. */
import { inspectPack, type PackInspection, type Place, placeIn, type Share } from "../../../assets-tool/inspect.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { withPack } from "./packs.ts";

export function inspect(args: Arguments): Promise<number> {
  const path = args.positionals[0]!;
  const at = args.options.get("at")?.[0];
  const offset = at === undefined ? undefined : parseOffset(at);
  return answer("inspect", args, () =>
    withPack(path, (pack) => {
      if (offset === undefined) {
        const data = { path, ...inspectPack(pack) };
        return { data, text: () => describe(data) };
      }
      const data = { path, place: placeIn(pack, offset) };
      return { data, text: () => describePlace(data.place) };
    }),
  );
}

function parseOffset(text: string): number {
  const offset = /^(\d+(_\d+)*|0x[0-9a-f]+)$/i.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  if (Number.isSafeInteger(offset)) return offset;
  throw usageError(`--at takes an offset in bytes, such as 4096 or 0x1000, not ${JSON.stringify(text)}.`);
}

function describe(pack: PackInspection & { readonly path: string }): string {
  const { sizes } = pack;
  const facts = [
    ["file", plain(pack.path)],
    ["identity", pack.identity],
    ["version", `${pack.version}${pack.patch === null ? "" : ", a patch"}`],
    ["signature", pack.signed ? "there is one; `verify` tells whose" : "none"],
    ...(pack.patch === null
      ? []
      : [
          ["patch of", pack.patch.base],
          ["removes", counted(pack.patch.removed.length, "asset")],
        ]),
    ["alignment", counted(pack.alignment, "byte")],
    ["leaves", counted(pack.leafSize, "byte")],
    ["encoders", Object.values(pack.encoders).map(plain).join(", ") || "none"],
    ["metadata", plain(JSON.stringify(pack.metadata))],
    ["assets", `${counted(pack.assets, "asset")}, ${counted(pack.bytes, "byte")} decoded`],
    ["slices", counted(pack.slices, "slice")],
    ["shared", `${counted(pack.shared, "asset")}, which saves ${counted(pack.sharedBytes, "byte")}`],
  ];
  const parts: [string, number][] = [
    ["prelude", sizes.prelude],
    ["header", sizes.header],
    ["header padding", sizes.headerPadding],
    ["slices", sizes.slices],
    ["slice padding", sizes.slicePadding],
    ["signature", sizes.signature],
    ["file", sizes.file],
  ];
  const shares = (of: readonly Share[], name: (index: number) => string): (string | number)[][] =>
    of.map(({ assets, storedBytes, bytes }, index) => [name(index), assets, storedBytes, bytes]);
  const preload = pack.preload.map(({ slot, assetId, name, bankType }) => [
    bankType ?? "?",
    slot,
    assetId,
    name ?? "(below the patch)",
  ]);
  return [
    columns(facts),
    columns(parts, ["part", "bytes"]),
    columns(
      shares(pack.bankTypes, (index) => pack.bankTypes[index]!.bankType),
      ["bank", "assets", "stored", "decoded"],
    ),
    columns(
      shares(pack.codecs, (index) => pack.codecs[index]!.codec),
      ["codec", "assets", "stored", "decoded"],
    ),
    preload.length === 0 ? "no preload\n" : columns(preload, ["preload", "slot", "asset", "name"]),
  ].join("\n");
}

function describePlace({ offset, part, start, length, field, pointer, assets, leaf }: Place): string {
  const facts = [
    ["byte", `${offset} (0x${offset.toString(16)})`],
    ["part", part],
    ...(field === undefined ? [] : [["field", field]]),
    ...(pointer === undefined ? [] : [["pointer", pointer === "" ? '""' : pointer]]),
    ["range", `${start} to ${start + length - 1}, ${counted(length, "byte")}`],
    ["inside", `byte ${offset - start} of it`],
    ...(leaf === undefined ? [] : [["leaf", `${leaf} of the tree hash`]]),
    ...(assets ?? []).map(({ id, name, bankType }) => ["asset", `${id}, ${bankType}: ${name}`]),
  ];
  return columns(facts);
}
