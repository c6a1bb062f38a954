/** What turns a source file into assets (spec TOOL-IMPORT). Every importer is one of these; `importers/index.ts` lists them. */
import type { JsonObject } from "../host/assets/json.ts";

/** A source file. */
export interface ImportSource {
  /** Relative to the root of the sources, with `/`. For messages and {@link Importer.matches} only: what is made must not depend on it. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** One asset made of a source. */
export interface Imported {
  /** What is put behind the asset's name: "" for the main one, ".palette" for what comes with it. No two of one source are equal. */
  readonly suffix: string;
  /** Must be one of the importer's `bankTypes`, or what its settings ask for. */
  readonly bankType: string;
  readonly bytes: Uint8Array;
  readonly metadata: JsonObject;
}

/**
 * A pure function of the source's bytes and the settings: the same on every machine and version of Node.js. Results are kept
 * under the source's digest, `name`, `version` and the settings, so `version` goes up with every change of what comes out.
 */
export interface Importer {
  /** As in `"importer"` of a rule: `[a-z][a-z0-9-]*`. */
  readonly name: string;
  /** From 1. */
  readonly version: number;
  /** Of what it makes, the first of the main asset: what `pack DIR` shows and a rule without `bank` gets. */
  readonly bankTypes: readonly string[];
  /**
   * It takes any source as it is: one asset with the suffix "", the source's bytes and no metadata, whatever the settings.
   * `import` need not be called, so that the source is never read into memory whole.
   */
  readonly verbatim?: boolean;
  /** Whether a source of this path is its by default; the first importer of the list that says so gets it. */
  matches(path: string): boolean;
  /**
   * The main asset first. Settings are of a JSON file and not looked at by anyone before. Throws `PackError`: `PACK-IMPORT` for a
   * source that cannot be used (naming `file: source.path` and the offset), `PACK-CONFIG` with a `pointer` into the settings
   * (`/tileWidth`) for wrong or unknown ones. Never allocates by an unchecked length of the source.
   */
  import(source: ImportSource, settings: JsonObject): readonly Imported[];
}
