/** A bounded number of open files to read from: block files, and log files (spec ASL-BLOCK-12). */
import { BLOCK_HEADER_BYTES, blockPath, decodeBlockHeader, LOG_BIT } from "./block-file.ts";
import { AslError } from "./errors.ts";
import { readFully, type Volume, type VolumeFile } from "./volume.ts";

/** A file that is open for reading. */
export class OpenFile {
  readonly block: number;
  readonly path: string;
  readonly file: VolumeFile;
  /** When it was last asked for, in calls. */
  used = 0;
  /** Who goes on with it later: it is not closed meanwhile. */
  holders = 0;

  constructor(block: number, path: string, file: VolumeFile) {
    this.block = block;
    this.path = path;
    this.file = file;
  }
}

export class OpenFiles {
  readonly #volume: Volume;
  readonly #seed: number;
  readonly #most: number;
  readonly #files = new Map<number, OpenFile>();
  #last: OpenFile | undefined;
  #calls = 0;

  constructor(volume: Volume, seed: number, most: number) {
    this.#volume = volume;
    this.#seed = seed;
    this.#most = most;
  }

  get size(): number {
    return this.#files.size;
  }
  /** Throws ASL-BLOCK-DAMAGED if there is no such file or it is not what its name says, ASL-VERSION or ASL-READ. */
  of(block: number): OpenFile {
    const last = this.#last;
    if (last !== undefined && last.block === block) return last;
    const open = this.#files.get(block) ?? this.#open(block);
    open.used = ++this.#calls;
    this.#last = open;
    return open;
  }
  #open(block: number): OpenFile {
    const path = blockPath(block);
    // The one asked for last has the time of when it became so; it counts as used now.
    if (this.#last !== undefined) this.#last.used = ++this.#calls;
    while (this.#files.size >= this.#most && this.#closeOldest());
    let file: VolumeFile;
    try {
      file = this.#openFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT")
        throw new AslError("ASL-BLOCK-DAMAGED", "there is no such file", { file: path }, error);
      throw AslError.from(error, "ASL-READ", "it cannot be opened", { file: path });
    }
    try {
      if (block < LOG_BIT) this.#check(block, path, file);
    } catch (error) {
      file.close();
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path, offset: 0 });
    }
    const open = new OpenFile(block, path, file);
    this.#files.set(block, open);
    return open;
  }
  /** With fewer files open if the process has too many: how many it may have is not ours to say. */
  #openFile(path: string): VolumeFile {
    for (;;) {
      try {
        return this.#volume.open(path, "read");
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if ((code !== "EMFILE" && code !== "ENFILE") || !this.#closeOldest()) throw error;
      }
    }
  }
  /** A damaged header hides no record: they tell what they are. But a whole one of another file says that this is that file. */
  #check(block: number, path: string, file: VolumeFile): void {
    const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
    const header = decodeBlockHeader(bytes.subarray(0, readFully(file, bytes, 0, BLOCK_HEADER_BYTES, 0)), path);
    if (header !== undefined && (header.number !== block || header.seed !== this.#seed))
      throw new AslError("ASL-BLOCK-DAMAGED", `it is block ${header.number} of this or another store`, {
        file: path,
        offset: 0,
      });
  }
  #closeOldest(): boolean {
    let oldest: OpenFile | undefined;
    for (const open of this.#files.values())
      if (open.holders === 0 && (oldest === undefined || open.used < oldest.used)) oldest = open;
    if (oldest === undefined) return false;
    this.#close(oldest);
    return true;
  }
  #close(open: OpenFile): void {
    this.#files.delete(open.block);
    if (this.#last === open) this.#last = undefined;
    open.file.close();
  }
  /** The next read opens the file again: it was removed, or is another one now. */
  forget(block: number): void {
    const open = this.#files.get(block);
    if (open !== undefined && open.holders === 0) this.#close(open);
    else if (open !== undefined) {
      // Whoever holds it closes it.
      this.#files.delete(block);
      if (this.#last === open) this.#last = undefined;
    }
  }
  hold(block: number): OpenFile {
    const open = this.of(block);
    open.holders++;
    return open;
  }
  release(open: OpenFile): void {
    open.holders--;
    if (open.holders === 0 && this.#files.get(open.block) !== open) open.file.close();
  }
  close(): void {
    for (const open of [...this.#files.values()]) this.forget(open.block);
  }
}
