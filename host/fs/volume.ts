/** The part of `node:fs` that the file system `directory` stands on. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { type EntryKind, type Stat, type Times, WALK } from "./file-system.ts";

/** `node:fs`, or anything of its shape, as memfs is. */
export interface Volume {
  readonly constants: VolumeConstants;
  openSync(path: string, flags: number, mode?: number): number;
  closeSync(fd: number): void;
  fchmodSync(fd: number, mode: number): void;
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  ftruncateSync(fd: number, length: number): void;
  fsyncSync(fd: number): void;
  futimesSync(fd: number, accessed: string, modified: string): void;
  fstatSync(fd: number, options: { bigint: true }): VolumeStats;
  lstatSync(path: string, options: { bigint: true; throwIfNoEntry: false }): VolumeStats | undefined;
  lutimesSync(path: string, accessed: string, modified: string): void;
  mkdirSync(path: string, mode: number): void;
  rmdirSync(path: string): void;
  unlinkSync(path: string): void;
  renameSync(path: string, newPath: string): void;
  linkSync(path: string, newPath: string): void;
  symlinkSync(target: string, path: string): void;
  readlinkSync(path: string): string;
  readlinkSync(path: string, options: { encoding: "buffer" }): Uint8Array;
  realpathSync(path: string): string;
  readdirSync(path: string, options: { encoding: "buffer"; withFileTypes: true }): readonly VolumeEntry[];
}
/** Named one by one: a copy of the whole module would be made of it in a bundle, at every start of the command. */
export const HOST_VOLUME = {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} as unknown as Volume;

export interface VolumeConstants {
  readonly O_RDONLY: number;
  readonly O_WRONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_APPEND: number;
  /** Absent where the platform has none. */
  readonly O_NOFOLLOW?: number;
  readonly O_NONBLOCK?: number;
  readonly O_NOCTTY?: number;
  readonly O_DIRECTORY?: number;
}
interface NodeKind {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}
export interface VolumeStats extends NodeKind {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly size: bigint;
  readonly nlink: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}
export interface VolumeEntry extends NodeKind {
  readonly name: Uint8Array;
}

export function isSame(left: VolumeStats, right: Pick<VolumeStats, "dev" | "ino">): boolean {
  return left.ino === right.ino && left.dev === right.dev;
}

/** The stats of what has this name, link or not; undefined when nothing has. */
export function look(volume: Volume, path: string): VolumeStats | undefined {
  return volume.lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** What {@link lookOnce} has seen, on which volume, in which walk. */
const seen = new Map<string, VolumeStats | undefined>();
let seenOn: Volume | undefined;
let seenIn = 0;

/** Forgets it: a path through a handle leads elsewhere when the handle was closed. */
export function forgetSeen(): void {
  seen.clear();
}

/** As {@link look}, but what was seen in this walk is not looked at again. */
export function lookOnce(volume: Volume, path: string): VolumeStats | undefined {
  if (WALK.number === 0) return look(volume, path);
  if (seenIn !== WALK.number || seenOn !== volume) {
    seen.clear();
    seenIn = WALK.number;
    seenOn = volume;
  }
  const known = seen.get(path);
  if (known !== undefined) return known;
  const stats = look(volume, path);
  seen.set(path, stats);
  return stats;
}

/** True when the path, its last name not followed, leads to the file of these stats. */
export function leadsTo(volume: Volume, path: string, stats: Pick<VolumeStats, "dev" | "ino">): boolean {
  const there = lookOnce(volume, path);
  return there !== undefined && isSame(there, stats);
}

export function kindOf(node: NodeKind): EntryKind {
  if (node.isFile()) return "file";
  if (node.isDirectory()) return "directory";
  return node.isSymbolicLink() ? "symlink" : "other";
}

/** `targetBytes`: length of a link's target; what a host says of it differs. */
export function statOf(stats: VolumeStats, id: bigint, targetBytes = 0): Stat {
  const kind = kindOf(stats);
  return {
    kind,
    bytes: kind === "file" ? Number(stats.size) : targetBytes,
    id,
    links: kind === "file" ? Number(stats.nlink) : 1,
    accessed: stats.atimeNs,
    modified: stats.mtimeNs,
    changed: stats.ctimeNs,
  };
}

/** Both times as `utimes` takes them; one that is to stay is what it was. */
export function timesOf({ accessed, modified }: Times, stats: () => VolumeStats): [accessed: string, modified: string] {
  const old = accessed === undefined || modified === undefined ? stats() : undefined;
  return [seconds(accessed ?? old!.atimeNs), seconds(modified ?? old!.mtimeNs)];
}

/**
 * Nanoseconds as the seconds that Node.js takes, a double with no room for nanoseconds: whole seconds exactly, else the middle
 * of the right microsecond, until the year 2106. As text, because Node.js takes a negative number for now.
 */
function seconds(nanoseconds: bigint): string {
  const below = ((nanoseconds % 1000n) + 1000n) % 1000n;
  const microseconds = Number((nanoseconds - below) / 1000n);
  return `${(microseconds % 1e6 === 0 ? microseconds : microseconds + 0.5) / 1e6}`;
}
