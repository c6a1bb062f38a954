/** Makes assets of a source: by its importer, and encoded as its rule says (spec TOOL-IMPORT, TOOL-CODEC). */
import { lstatSync, type Stats } from "node:fs";
import { ENCODERS, encodeWith } from "../host/assets/codecs.ts";
import { PackError, type Problem } from "../host/assets/errors.ts";
import { MOST_DECODED_BYTES, MOST_DECODED_RATIO } from "../host/assets/format.ts";
import { digestOf } from "../host/assets/hash.ts";
import { canonicalJson, type JsonObject } from "../host/assets/json.ts";
import type { StoredFile } from "../host/assets/write.ts";
import { type AssetCache, cacheKey, type MadeAsset } from "./cache.ts";
import { readSource, type Source } from "./collect.ts";
import type { CodecChoice, Rule } from "./config.ts";
import type { Importer } from "./importer.ts";

/** An asset of a source, whose bytes may still lie in the source's file. */
export interface Made extends Omit<MadeAsset, "stored"> {
  readonly stored: Uint8Array | StoredFile;
}

/** Shorter sources are read in any case, since they may be pointers of Git LFS. */
const POINTER_BYTES = 1_024;

/** Makes the assets of sources, one source after the other. */
export class Maker {
  readonly #importers: readonly Importer[];
  readonly #cache: AssetCache | undefined;
  /** Sources whose assets came from the cache, and those whose assets were made. */
  cached = 0;
  made = 0;

  constructor(importers: readonly Importer[], cache: AssetCache | undefined) {
    this.#importers = importers;
    this.#cache = cache;
  }

  /** Throws a PackError. */
  async make(source: Source): Promise<readonly Made[]> {
    const { rule } = source;
    const importer = rule.importer ?? this.#importers.find((candidate) => candidate.matches(source.path));
    if (importer === undefined) throw new PackError("PACK-IMPORT", "no importer takes it", { file: source.file });
    const made = await this.#makeBy(importer, source);
    // What a rule says of a bank that the importer does not make stands above it.
    const bank = rule.bank !== undefined && !importer.bankTypes.includes(rule.bank) ? rule.bank : undefined;
    return made.map((asset) => ({
      ...asset,
      bankType: asset.suffix === "" && bank !== undefined ? bank : asset.bankType,
      metadata: { ...asset.metadata, ...rule.metadata },
    }));
  }

  async #makeBy(importer: Importer, source: Source): Promise<readonly Made[]> {
    const { rule, file } = source;
    const settings = settingsOf(importer, rule);
    if (importer.verbatim !== true) {
      const bytes = readSource(source, MOST_DECODED_BYTES);
      if (bytes instanceof Uint8Array) return await this.#kept(importer, source, bytes, settings);
      throw new PackError("PACK-IMPORT", `it has ${bytes.size} bytes; ${MOST_DECODED_BYTES} can be imported`, { file });
    }
    // Settings that do not exist are an error here too.
    if (Object.keys(settings).length > 0) imported(importer, source, new Uint8Array(0), settings);
    const { size, mtimeMs } = lstatOf(file);
    const isRaw = rule.codec === "raw" || size > MOST_DECODED_BYTES;
    if (isRaw && size >= POINTER_BYTES) return [verbatim(importer, size, { file, size, mtimeMs })];
    const bytes = readSource(source, MOST_DECODED_BYTES) as Uint8Array;
    return isRaw ? [verbatim(importer, size, bytes)] : await this.#kept(importer, source, bytes, settings);
  }

  /** From the cache, or for it. */
  async #kept(
    importer: Importer,
    source: Source,
    bytes: Uint8Array,
    settings: JsonObject,
  ): Promise<readonly MadeAsset[]> {
    const { codec } = source.rule;
    const key =
      this.#cache &&
      cacheKey(
        digestOf(bytes),
        `${importer.name} ${importer.version}`,
        canonicalJson(settings),
        codec,
        codec === "raw" ? "" : canonicalJson(ENCODERS),
      );
    const known = key === undefined ? undefined : this.#cache?.read(key);
    if (known !== undefined) {
      this.cached++;
      // What is stored as it was found is not kept twice.
      return known.map((asset) => (isAsFound(importer, asset) ? { ...asset, stored: bytes } : asset));
    }
    const made: MadeAsset[] = [];
    const found = importer.verbatim
      ? [{ suffix: "", bankType: importer.bankTypes[0]!, bytes, metadata: {} }]
      : imported(importer, source, bytes, settings);
    for (const { bytes: decoded, ...asset } of found) {
      const encoded = await encode(codec, decoded);
      made.push({ ...asset, ...encoded, decodedSize: decoded.length });
    }
    this.made++;
    if (key !== undefined)
      this.#cache?.write(
        key,
        made.map((asset) => (isAsFound(importer, asset) ? { ...asset, stored: new Uint8Array(0) } : asset)),
      );
    return made;
  }
}

function isAsFound(importer: Importer, { codec }: MadeAsset): boolean {
  return importer.verbatim === true && codec === "raw";
}

function verbatim(importer: Importer, decodedSize: number, stored: Made["stored"]): Made {
  return { suffix: "", bankType: importer.bankTypes[0]!, metadata: {}, codec: "raw", decodedSize, stored };
}

/** The rule's, and its bank where that is a choice of the importer's (TOOL-IMPORT-2). */
function settingsOf({ bankTypes }: Importer, { settings, bank }: Rule): JsonObject {
  return bank !== undefined && bankTypes.indexOf(bank) > 0 ? { ...settings, bank } : settings;
}

function lstatOf(file: string): Stats {
  let stats: Stats;
  try {
    stats = lstatSync(file);
  } catch (error) {
    throw PackError.from(error, "PACK-INPUT", "it cannot be read", { file });
  }
  if (stats.isFile()) return stats;
  throw new PackError("PACK-INPUT", "this is no regular file", { file });
}

/** What the importer makes; its problems tell the file, or where in the configuration the setting is. */
function imported(
  importer: Importer,
  { path, file, rule }: Source,
  bytes: Uint8Array,
  settings: JsonObject,
): ReturnType<Importer["import"]> {
  try {
    return importer.import({ path, bytes }, settings);
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    const problems = error.problems.map(
      (problem): Problem =>
        problem.code === "PACK-CONFIG"
          ? { ...problem, pointer: `${rule.pointer}/settings${problem.pointer ?? ""}`, file: undefined }
          : { ...problem, file },
    );
    throw PackError.of(problems, error.total);
  }
}

type Encoded = Pick<MadeAsset, "codec" | "stored">;

/** As TOOL-CODEC-1 and TOOL-CODEC-2 say. */
export async function encode(choice: CodecChoice, bytes: Uint8Array): Promise<Encoded> {
  const raw: Encoded = { codec: "raw", stored: bytes };
  if (choice === "raw" || bytes.length === 0 || bytes.length > MOST_DECODED_BYTES) return raw;
  const zstd = choice === "deflate" ? undefined : await zstdOf(bytes);
  const deflate =
    choice === "zstd" && zstd !== undefined
      ? undefined
      : { codec: "deflate", stored: await encodeWith("deflate", bytes) };
  const best = zstd === undefined || (deflate && deflate.stored.length <= zstd.stored.length) ? deflate! : zstd;
  const isShort = choice === "auto" ? 16 * best.stored.length <= 15 * bytes.length : best.stored.length < bytes.length;
  return isShort ? best : raw;
}

/** Undefined where it gets shorter than the format allows. */
async function zstdOf(bytes: Uint8Array): Promise<Encoded | undefined> {
  const stored = await encodeWith("zstd", bytes);
  return bytes.length <= MOST_DECODED_RATIO * stored.length ? { codec: "zstd", stored } : undefined;
}
