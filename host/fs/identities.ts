/**
 * Which file is which (spec FS-STAT-3). Hosts tell files apart by device and inode, and give the inode of a file that is gone
 * to one that is made later: so each new file that got a number told before is another generation of it.
 */
import type { VolumeStats } from "./volume.ts";

export class Identities {
  /** Generation of each inode that was told, or made again. */
  readonly #generations = new Map<bigint, bigint>();

  /** What the guest is told; `generation` as it was when the file was opened. */
  of(stats: VolumeStats, generation: bigint = this.generationOf(stats)): bigint {
    const inode = inodeOf(stats);
    if (!this.#generations.has(inode)) this.#generations.set(inode, generation);
    return (generation << 128n) | inode;
  }

  generationOf(stats: VolumeStats): bigint {
    return this.#generations.get(inodeOf(stats)) ?? 0n;
  }

  /** True when a file with this number, as text, is gone: its inode went to one that was made later. */
  isGone(id: string): boolean {
    const number = BigInt(id);
    const current = this.#generations.get(BigInt.asUintN(128, number));
    return current !== undefined && number >> 128n < current;
  }

  /** A file was just made. `look` tells its stats, and is asked only when anything was told; it may fail. */
  made(look: () => VolumeStats | undefined): bigint {
    if (this.#generations.size === 0) return 0n;
    let stats: VolumeStats | undefined;
    try {
      stats = look();
    } catch {
      // The file is there, which counts for more than its number.
    }
    if (stats === undefined || !this.#generations.has(inodeOf(stats))) return 0n;
    const generation = this.generationOf(stats) + 1n;
    this.#generations.set(inodeOf(stats), generation);
    return generation;
  }
}

function inodeOf({ dev, ino }: VolumeStats): bigint {
  return (dev << 64n) | ino;
}
