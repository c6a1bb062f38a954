/** Assets as files again (spec TOOL-EXTRACT). What a pack names must not reach anything outside of the folder, nor replace what is there. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { PackError, Problems } from "../host/assets/errors.ts";
import { nameProblem } from "../host/assets/names.ts";
import { outputError } from "../host/assets/output.ts";
import type { Asset, AssetSet } from "../host/assets/pack.ts";
import { clashesOf, portableProblem } from "./portable-names.ts";

export interface ExtractOptions {
  /** The assets to extract; all by default. */
  readonly filter?: (asset: Asset) => boolean;
  /** Replace files that are there. */
  readonly force?: boolean;
  /** Hears of the decoded bytes that are written, and of how many there will be. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ExtractedFile {
  readonly id: number;
  readonly name: string;
  /** Below the folder, with the separators of the system. */
  readonly path: string;
  readonly bytes: number;
}

/**
 * Writes the decoded bytes of assets to files in `folder`, named as they are. Everything that is wrong with names and with what is
 * there is told before anything is written. Throws a PackError.
 */
export function extractAssets(set: AssetSet, folder: string, options: ExtractOptions = {}): readonly ExtractedFile[] {
  const { filter = () => true, force = false, onProgress = () => {} } = options;
  const assets = [...set.assets()].filter(filter);
  checkNames(assets);
  const target = new TargetFolder(folder, force);
  target.check(assets);
  const total = assets.reduce((sum, { decodedSize }) => sum + decodedSize, 0);
  let done = 0;
  return assets.map((asset) => {
    const { id, name, decodedSize } = asset;
    const path = target.write(asset, (bytes) => onProgress((done += bytes), total));
    return { id, name, path, bytes: decodedSize };
  });
}

function checkNames(assets: readonly Asset[]): void {
  const problems = new Problems();
  const add = ({ pack, index }: Asset, message: string): void =>
    problems.add("PACK-EXTRACT", message, { file: pack.label, pointer: `/asset_table/${index}/asset_name` });
  const names = assets.map(({ name }) => name);
  names.forEach((name, index) => {
    // The reader refuses the former; that nothing leaves the folder does not hang on it.
    const problem = nameProblem(name) ?? portableProblem(name);
    if (problem !== undefined) add(assets[index]!, `${JSON.stringify(name)}: ${problem}`);
  });
  for (const { second, message } of clashesOf(names)) add(assets[second]!, message);
  problems.check();
}

/** Reached component by component, and never through a link. */
class TargetFolder {
  readonly #folder: string;
  readonly #force: boolean;
  /** Folders of which it is known that they are there and no links. */
  readonly #known = new Set<string>();
  #root = "";

  constructor(folder: string, force: boolean) {
    this.#folder = folder;
    this.#force = force;
  }

  /** Looks at all that would be in the way. */
  check(assets: readonly Asset[]): void {
    const problems = new Problems();
    const root = this.#stat(this.#folder);
    if (root === undefined) return;
    for (const { name } of assets) {
      const inTheWay = this.#obstacle(name);
      if (inTheWay !== undefined) problems.add("PACK-EXTRACT", inTheWay.message, { file: inTheWay.path });
    }
    problems.check();
  }

  #obstacle(name: string): { readonly path: string; readonly message: string } | undefined {
    const parts = name.split("/");
    let path = this.#folder;
    for (const [index, part] of parts.entries()) {
      path = join(path, part);
      if (this.#known.has(path)) continue;
      const there = this.#stat(path);
      if (there === undefined) return undefined;
      if (index < parts.length - 1) {
        if (!there.isDirectory()) return { path, message: notFolder(there) };
        this.#known.add(path);
      } else if (!this.#force) return { path, message: "there is something of this name; --force replaces files" };
      else if (!there.isFile()) return { path, message: "what is there is no regular file, and is not replaced" };
    }
    return undefined;
  }

  #stat(path: string): Stats | undefined {
    try {
      return lstatSync(path, { throwIfNoEntry: false });
    } catch (error) {
      throw outputError(error, path);
    }
  }

  /** Answers the path below the folder. */
  write(asset: Asset, onBytes: (bytes: number) => void): string {
    if (this.#root === "") this.#root = makeRoot(this.#folder);
    const parts = asset.name.split("/");
    let folder = this.#root;
    for (const part of parts.slice(0, -1)) {
      folder = join(folder, part);
      this.#makeFolder(folder);
    }
    const path = join(folder, parts.at(-1)!);
    const temporary = join(folder, `.extract-${process.pid}-${randomBytes(8).toString("hex")}.tmp`);
    try {
      writeAsset(asset, temporary, onBytes);
      this.#put(temporary, path);
    } catch (error) {
      removeLeftOver(temporary);
      throw outputError(error, path);
    }
    return join(...parts);
  }

  #makeFolder(path: string): void {
    if (this.#known.has(path)) return;
    try {
      mkdirSync(path);
    } catch (error) {
      const there = this.#stat(path);
      if (there === undefined) throw outputError(error, path);
      if (!there.isDirectory()) throw new PackError("PACK-EXTRACT", notFolder(there), { file: path });
    }
    this.#known.add(path);
  }

  #put(temporary: string, path: string): void {
    if (this.#force) {
      const there = this.#stat(path);
      if (there !== undefined && !there.isFile())
        throw new PackError("PACK-EXTRACT", "what is there is no regular file, and is not replaced", { file: path });
      renameSync(temporary, path);
      return;
    }
    try {
      // Unlike a rename this never replaces what has come there meanwhile.
      linkSync(temporary, path);
      rmSync(temporary);
    } catch (error) {
      // A file system without links.
      if (this.#stat(path) !== undefined) throw error;
      renameSync(temporary, path);
    }
  }
}

function notFolder(stats: Stats): string {
  return stats.isSymbolicLink() ? "this is a link, and none is followed" : "this is no folder";
}

/** The folder that was named, which may be a link. */
function makeRoot(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return realpathSync(folder);
  } catch (error) {
    throw outputError(error, folder);
  }
}

function writeAsset(asset: Asset, path: string, onBytes: (bytes: number) => void): void {
  const fd = openSync(path, "wx");
  try {
    for (const piece of asset.pieces()) {
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
      onBytes(piece.length);
    }
  } finally {
    closeSync(fd);
  }
}

function removeLeftOver(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What is told is why there is one.
  }
}
