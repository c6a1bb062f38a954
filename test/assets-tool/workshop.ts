/** A folder to pack in, and what comes out of it. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type PackRequest, packAssets } from "../../assets-tool/pack.ts";
import type { PackReport } from "../../assets-tool/report.ts";
import { type PackCode, PackError, type Problem } from "../../host/assets/errors.ts";
import { type Asset, openPack, type Pack } from "../../host/assets/pack.ts";

/** What a test (or the top level) has of tap's. */
interface Owner {
  teardown(end: () => void): void;
}

/** A file by its path, or the target of a link. */
export type Tree = { readonly [path: string]: string | Uint8Array | { readonly link: string } };

/** An asset, as a guest finds it. */
export interface Found {
  readonly id: number;
  readonly name: string;
  readonly bankType: string;
  readonly codec: string;
  readonly text: string;
  readonly metadata: unknown;
}

export class Workshop {
  readonly folder: string;

  constructor(t: Owner) {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-workshop-")));
    t.teardown(() => {
      // A test may have taken permissions away.
      if (existsSync(this.folder)) chmodSync(this.folder, 0o700);
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  at(path: string): string {
    return join(this.folder, path);
  }
  has(path: string): boolean {
    return existsSync(this.at(path));
  }
  read(path: string): Buffer {
    return readFileSync(this.at(path));
  }
  text(path: string): string {
    return this.read(path).toString();
  }
  remove(...paths: readonly string[]): void {
    for (const path of paths) rmSync(this.at(path), { recursive: true, force: true });
  }
  write(tree: Tree): this {
    for (const [path, content] of Object.entries(tree)) {
      const file = this.at(path);
      mkdirSync(dirname(file), { recursive: true });
      if (typeof content === "string" || content instanceof Uint8Array) writeFileSync(file, content);
      else symlinkSync(content.link, file);
    }
    return this;
  }
  /** Writes `assets.config.json` into `art`. */
  configure(config: object): this {
    return this.write({ "art/assets.config.json": JSON.stringify(config) });
  }

  /** Packs `art` to `out.pa`, without cache, and without lock file where there is no configuration, unless asked otherwise. */
  pack(request: Partial<PackRequest> = {}): Promise<PackReport> {
    const lock = this.has("art/assets.config.json") ? undefined : (false as const);
    return packAssets({ from: this.at("art"), output: this.at("out.pa"), cache: false, lock, ...request });
  }

  /** Uses a pack, and verifies all of it first. */
  open<T>(use: (pack: Pack) => T, path = "out.pa"): T {
    const pack = openPack(this.at(path), { slots: 2 ** 31 - 1 });
    try {
      pack.verify();
      return use(pack);
    } finally {
      pack.close();
    }
  }
  /** The assets by ascending id. */
  found(path = "out.pa"): readonly Found[] {
    return this.open((pack) => [...pack.assets()].map(foundOf), path);
  }
  /** Names by ascending id. */
  names(path = "out.pa"): readonly string[] {
    return this.found(path).map(({ name }) => name);
  }
  digest(path = "out.pa"): string {
    return createHash("sha256").update(this.read(path)).digest("hex");
  }
}

export function foundOf(asset: Asset): Found {
  const { id, name, bankType, codec } = asset;
  const metadata: unknown = JSON.parse(Buffer.from(asset.metadata).toString());
  return { id, name, bankType, codec, text: bytesOf(asset).toString(), metadata };
}

export function bytesOf(asset: Asset): Buffer {
  const bytes = Buffer.alloc(asset.decodedSize);
  const open = asset.open();
  open.read(0, bytes);
  open.close();
  return bytes;
}

/** The problems with which it ends; fails when it does not. */
export async function problemsOf(task: () => unknown): Promise<readonly Problem[]> {
  try {
    await task();
  } catch (error) {
    if (error instanceof PackError) return error.problems;
    throw error;
  }
  throw new Error("nothing was wrong");
}

/** Codes of its problems, with their pointers or else files, which are told from `folder` on. */
export async function told(task: () => unknown, folder = ""): Promise<readonly (readonly [PackCode, string])[]> {
  return (await problemsOf(task)).map(({ code, pointer, file = "" }) => {
    const path = folder !== "" && file.startsWith(folder) ? file.slice(folder.length + 1) : file;
    return [code, pointer ?? path];
  });
}
