/**
 * Worlds to escape from: every file system, mounted beside things that no guest may reach. With `secrets` the things
 * outside are there, without they are not: a guest that could tell the two apart has reached them.
 */
import nodeFs from "node:fs";
import { dirname, join } from "node:path";
import { createFsFromVolume, Volume as MemfsVolume } from "memfs";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import type { FileSystem } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import type { Mount } from "../../host/fs/namespace.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { quotaFileSystem } from "../../host/fs/quota.ts";
import { Driver } from "../conformance/driver.ts";

/** Contents of files, null for a folder, a link's target, in which `@` is the folder outside. */
export interface Tree {
  readonly [path: string]: string | null | { readonly link: string };
}

export const SECRET = "SECRET";

/** Beside `granted`: `secret`; in `granted` beside `rw` and `ro`: `rw-secret`. */
const SECRETS: Tree = {
  "secret/x": SECRET,
  "secret/dir/y": SECRET,
  "secret/empty": null,
  "secret/link": { link: "x" },
  "secret/loop": { link: "loop" },
  "granted/rw-secret/x": SECRET,
};
const READ_WRITE: Tree = { f: "mine", "d/g": "mine" };
const READ_ONLY: Tree = {
  f: "theirs",
  "d/g": "theirs",
  empty: null,
  link: { link: "f" },
  out: { link: "../../secret" },
};

export interface World {
  /** `/rw`; `/ro`, read-only; and `/view`, the first again and read-only. */
  readonly mounts: readonly Mount[];
  /** The folder outside, as `@` in paths and targets. */
  readonly outside: string;
  /** All that a guest must leave as it is, with times, as text: what is outside, and what is read-only. */
  untouched(): string;
  /** Of it, what is outside. */
  outsideIs(): string;
}

export interface WorldOptions {
  /** A folder of the host for this world alone. */
  readonly folder: string;
  readonly secrets: boolean;
  readonly planted?: Tree | undefined;
  /** For those on the host's disk. */
  readonly platform?: string;
  readonly volume?: Volume;
}

/** How each file system is made to hold what is in a folder, or in a tree. */
const SYSTEMS = {
  directory: (place) => place.directory(),
  "directory by inode": (place) => place.directory("darwin"),
  "directory over memfs": (place) => place.directory(),
  memory: (place) => place.memory(),
  "overlay over a directory": (place) => overlayFileSystem(place.directory()),
  "overlay over memory": (place) => overlayFileSystem(place.memory()),
  "quota over a directory": (place) => quotaFileSystem(place.directory(), { bytes: 2 ** 20, files: 1000 }),
  "quota over memory": (place) => quotaFileSystem(place.memory(), { bytes: 2 ** 20, files: 1000 }),
} as const satisfies { readonly [name: string]: (place: Place) => FileSystem };

export type SystemName = keyof typeof SYSTEMS;
export const SYSTEM_NAMES = Object.keys(SYSTEMS) as SystemName[];

interface Place {
  directory(platform?: string): FileSystem;
  memory(): FileSystem;
}

export function createWorld(system: SystemName, options: WorldOptions): World {
  const { folder, secrets, planted = {} } = options;
  const volume = system === "directory over memfs" ? memfs() : nodeFs;
  const outside = join(folder, "secret");
  const granted = (name: string): string => join(folder, "granted", name);
  volume.mkdirSync(granted("."), { recursive: true });
  if (secrets) plant(volume, folder, SECRETS, outside);
  const mount = (name: "rw" | "ro", tree: Tree): FileSystem => {
    plant(volume, granted(name), tree, outside);
    return SYSTEMS[system]({
      directory: (platform = options.platform ?? process.platform) =>
        directoryFileSystem(granted(name), { volume: options.volume ?? (volume as unknown as Volume), platform }),
      memory: () => memory(tree, outside),
    });
  };
  const rw = mount("rw", { ...READ_WRITE, ...planted });
  const ro = mount("ro", READ_ONLY);
  // Long ago, so that a host that keeps times of access only now and then would show a read.
  if (secrets) for (const path of Object.keys(SECRETS)) volume.lutimesSync(join(folder, path), 1, 2);
  const lower = system === "overlay over a directory" ? ["rw", "ro"] : [];
  return {
    mounts: [
      { guest: "/rw", fs: rw },
      { guest: "/ro", fs: ro, readOnly: true },
      { guest: "/view", fs: rw, readOnly: true },
    ],
    outside,
    outsideIs,
    untouched: () =>
      [outsideIs(), ...lower.flatMap((name) => changesOf(volume, granted(name))), contentsOf(ro)].join("\n"),
  };

  /** Folders are not listed here, which would be a look at them: what is made in one changes its times. */
  function outsideIs(): string {
    const stamps = [".", "granted", ...(secrets ? ["secret", "secret/dir"] : [])].map((path) =>
      changeOf(volume, join(folder, path)),
    );
    if (secrets) stamps.push(...Object.keys(SECRETS).map((path) => lookOf(volume, join(folder, path))));
    return stamps.join("\n");
  }
}

function memfs(): typeof nodeFs {
  return createFsFromVolume(new MemfsVolume()) as unknown as typeof nodeFs;
}

function plant(fs: typeof nodeFs, root: string, tree: Tree, outside: string): void {
  fs.mkdirSync(root, { recursive: true });
  for (const [path, contents] of Object.entries(tree)) {
    const at = join(root, path);
    fs.mkdirSync(contents === null ? at : dirname(at), { recursive: true });
    if (typeof contents === "string") fs.writeFileSync(at, contents);
    else if (contents !== null) fs.symlinkSync(contents.link.replace("@", outside), at);
  }
}

function memory(tree: Tree, outside: string): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  for (const [path, contents] of Object.entries(tree)) {
    if (contents === null) fs.makeDirectory(path);
    else if (typeof contents === "string") fs.put(path, contents);
    else fs.putLink(path, contents.link.replace("@", outside));
  }
  return fs;
}

/** What tells of a change. */
function changeOf(fs: typeof nodeFs, path: string): string {
  const { ino, mode, nlink, size, mtimeNs, ctimeNs } = fs.lstatSync(path, { bigint: true });
  return [path, ino, mode, nlink, size, mtimeNs, ctimeNs].join(" ");
}

/** What tells of a change, and of a look at what is inside. */
function lookOf(fs: typeof nodeFs, path: string): string {
  return `${changeOf(fs, path)} ${fs.lstatSync(path, { bigint: true }).atimeNs}`;
}

/** What tells of a change to anything in a folder. */
function changesOf(fs: typeof nodeFs, root: string): string[] {
  const inside = fs.readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    return entry.isDirectory() ? changesOf(fs, path) : [changeOf(fs, path)];
  });
  return [changeOf(fs, root), ...inside];
}

/** Everything in a file system, with the times of changes. */
function contentsOf(fs: FileSystem): string {
  const guest = new Driver({ mounts: [{ guest: "/", fs }], hostMetadata: true });
  const tree = guest.tree();
  const stats = ["/", ...Object.keys(tree)].map((path) => {
    const { kind, bytes, links, modified, changed } = guest.stat(path === "/" ? path : `/${path}`, 128);
    return [path, kind, bytes, links, modified, changed].join(" ");
  });
  return `${JSON.stringify(tree)}\n${stats.join("\n")}`;
}
