/** Where files go that a repair or a rebuild replaces: nothing is ever removed, or written over (spec ASL-FSCK-6). */
import { AslError } from "./errors.ts";
import { removeIfThere } from "./format.ts";
import type { Patch } from "./patched-volume.ts";
import type { Volume, VolumeFile } from "./volume.ts";

export const QUARANTINE_FOLDER = "quarantine";

const PIECE_BYTES = 1024 * 1024;

export class Quarantine {
  /** Paths of the files that are there now, and were not before. */
  readonly taken: string[] = [];
  readonly #volume: Volume;
  #next: number;

  constructor(volume: Volume) {
    this.#volume = volume;
    volume.makeFolder(QUARANTINE_FOLDER);
    volume.syncFolder("");
    const numbers = volume.list(QUARANTINE_FOLDER).map((name) => Number.parseInt(name, 10) || 0);
    this.#next = Math.max(0, ...numbers) + 1;
  }
  #name(path: string): string {
    return `${QUARANTINE_FOLDER}/${this.#next++}-${path.replaceAll("/", "-")}`;
  }
  /** Moves a file there. Nothing happens without the file. */
  take(path: string): void {
    const to = this.#name(path);
    this.#do(path, () => {
      this.#volume.rename(path, to);
      this.#syncBoth(path);
      this.taken.push(to);
    });
  }
  /** Gives a file a second name there: what comes in its place does not touch it. */
  keep(path: string): void {
    const to = this.#name(path);
    this.#do(path, () => {
      this.#volume.link(path, to);
      this.#volume.syncFolder(QUARANTINE_FOLDER);
      this.taken.push(to);
    });
  }
  #do(path: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw AslError.from(error, "ASL-WRITE", "it cannot be moved to quarantine", { file: path });
    }
  }
  #syncBoth(path: string): void {
    this.#volume.syncFolder(QUARANTINE_FOLDER);
    this.#volume.syncFolder(folderOf(path));
  }

  /** Puts a file in the place of one that differs from it in the patches, and keeps that one here. */
  replace(path: string, isWhole: boolean, patches: readonly Patch[], length?: number): void {
    const temporary = `${path}.tmp`;
    try {
      removeIfThere(this.#volume, temporary);
      const to = this.#volume.open(temporary, "create");
      try {
        if (!isWhole) this.#copy(path, to, length);
        for (const { offset, bytes } of patches) to.write(bytes, 0, bytes.length, offset);
        to.sync();
      } finally {
        to.close();
      }
      this.keep(path);
      this.#volume.rename(temporary, path);
      this.#volume.syncFolder(folderOf(path));
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be repaired", { file: path });
    }
  }
  #copy(path: string, to: VolumeFile, length = Number.POSITIVE_INFINITY): void {
    const from = this.#volume.open(path, "read");
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      const size = Math.min(from.size(), length);
      for (let at = 0; at < size; ) {
        const count = from.read(piece, 0, Math.min(piece.length, size - at), at);
        if (count === 0) break;
        to.write(piece, 0, count, at);
        at += count;
      }
    } finally {
      from.close();
    }
  }
}

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
