/**
 * Handles on folders of the host, for Linux, which reaches a name in an open folder through `/proc/self/fd`. Each handle
 * was reached from its root by opening one name in the handle of the folder above, never through a link, and it is used
 * only while its path still leads to it. What is named relative to it is in that folder, whatever happens to the tree
 * meanwhile: what openat2 does.
 */
import { type Folder, RETRY } from "./file-system.ts";
import { forgetSeen, leadsTo, type Volume, type VolumeStats } from "./volume.ts";

/** A folder of the host. */
export interface RealFolder extends Folder {
  readonly parent: RealFolder | undefined;
  /** On the host, without a link in it. */
  readonly path: string;
}

interface Anchor {
  readonly volume: Volume;
  readonly path: string;
  readonly fd: number;
  readonly stats: VolumeStats;
}

/** Linux's O_PATH, which Node.js does not name: a handle for folders that may be searched but not read. */
const O_PATH = 0x20_0000;
/** Handles kept for the next use, by all file systems together: they are never given back. */
const KEPT = 16;
/** The latest used first. */
const kept: Anchor[] = [];

export function pathOfHandle(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** True when the kernel says where an open handle is. */
export function knowsWhere(volume: Volume, folder: string): boolean {
  try {
    const fd = volume.openSync(folder, O_PATH);
    try {
      return volume.readlinkSync(pathOfHandle(fd)) === folder;
    } finally {
      volume.closeSync(fd);
    }
  } catch {
    return false;
  }
}

/**
 * A handle on the folder, good until the next call but one; RETRY when its path does not lead there any more. Throws what
 * the host throws.
 */
export function anchor(volume: Volume, folder: RealFolder): number | typeof RETRY {
  const old = keptHandle(volume, folder);
  if (old !== undefined) return old;
  const fd = open(volume, folder);
  if (fd === RETRY) return RETRY;
  let stats: VolumeStats | undefined;
  const isRight = (): boolean => leadsTo(volume, folder.path, (stats = volume.fstatSync(fd, { bigint: true })));
  if (isClosedUnless(volume, fd, isRight)) return RETRY;
  kept.unshift({ volume, path: folder.path, fd, stats: stats! });
  if (kept.length > KEPT) {
    const oldest = kept.pop()!;
    close(oldest.volume, oldest.fd);
  }
  return fd;
}

/** The kept handle on the folder, used just now; undefined when there is none, or it is not there any more. */
function keptHandle(volume: Volume, folder: RealFolder): number | undefined {
  const index = kept.findIndex((candidate) => candidate.path === folder.path && candidate.volume === volume);
  if (index < 0) return undefined;
  const [found] = kept.splice(index, 1);
  const { fd, stats } = found!;
  if (isClosedUnless(volume, fd, () => leadsTo(volume, folder.path, stats))) return undefined;
  kept.unshift(found!);
  return fd;
}

function open(volume: Volume, { parent, path, name }: RealFolder): number | typeof RETRY {
  const flags = O_PATH | (volume.constants.O_DIRECTORY ?? 0) | (volume.constants.O_NOFOLLOW ?? 0);
  if (parent === undefined) {
    const fd = volume.openSync(path, flags);
    return isClosedUnless(volume, fd, () => volume.readlinkSync(pathOfHandle(fd)) === path) ? RETRY : fd;
  }
  const above = keptHandle(volume, parent);
  if (above !== undefined) return volume.openSync(`${pathOfHandle(above)}/${name}`, flags);
  const passing = open(volume, parent);
  if (passing === RETRY) return RETRY;
  try {
    return volume.openSync(`${pathOfHandle(passing)}/${name}`, flags);
  } finally {
    close(volume, passing);
  }
}

/** Closes the handle unless it is the right one: true when it is closed. */
function isClosedUnless(volume: Volume, fd: number, isRight: () => boolean): boolean {
  let right = false;
  try {
    right = isRight();
  } finally {
    if (!right) close(volume, fd);
  }
  return !right;
}

function close(volume: Volume, fd: number): void {
  forgetSeen();
  try {
    volume.closeSync(fd);
  } catch {
    // Nothing was written through it.
  }
}
