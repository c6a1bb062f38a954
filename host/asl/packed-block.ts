/** A block file that takes records: one group after the other, until it is full and sealed (spec ASL-BLOCK-10). */
import { BLOCK_FOOTER_BYTES, encodeBlockFooter } from "./block-file.ts";
import { AslError } from "./errors.ts";
import { RECORD_ALIGNMENT } from "./record.ts";
import type { VolumeFile } from "./volume.ts";

/** What a block needs of those it is one of. */
export interface BlockKeeper {
  readonly seed: number;
  /** Bytes at which a packed block is full. */
  readonly blockBytes: number;
  /** Syncs the folder of blocks if names in it are not on disk yet. */
  syncNames(): void;
  removeFile(number: number): void;
  /** Bytes behind the end of a block are not what they were. */
  changed(block: number): void;
}

export class PackedBlock {
  readonly number: number;
  readonly path: string;
  readonly isPublished: boolean;
  readonly #keeper: BlockKeeper;
  readonly #file: VolumeFile;
  #end: number;
  /** Whether there may be something behind the end. */
  #isRagged = false;
  #isSealed = false;
  #isClosed = false;

  constructor(
    keeper: BlockKeeper,
    file: VolumeFile,
    place: { readonly number: number; readonly path: string; readonly isPublished: boolean },
    end: number,
  ) {
    this.number = place.number;
    this.path = place.path;
    this.isPublished = place.isPublished;
    this.#keeper = keeper;
    this.#file = file;
    this.#end = end;
  }

  /** Where the next record begins. */
  get end(): number {
    return this.#end;
  }
  get isFull(): boolean {
    return this.#end + BLOCK_FOOTER_BYTES >= this.#keeper.blockBytes;
  }
  /** Writes whole records; the answer is where the first begins. After an error the block ends where it did. */
  append(bytes: Uint8Array, at: number, length: number): number {
    const offset = this.#end;
    if (length % RECORD_ALIGNMENT !== 0 || this.#isSealed)
      throw new AslError("ASL-ARGUMENT", `${length} bytes cannot be appended`, { file: this.path, offset });
    try {
      this.#file.write(bytes, at, length, offset);
    } catch (error) {
      this.#isRagged = true;
      this.#keeper.changed(this.number);
      throw AslError.from(error, "ASL-WRITE", "it cannot be written", { file: this.path, offset });
    }
    this.#end = offset + length;
    return offset;
  }
  /** Takes back what was appended last: no frame of the log came to name it. */
  rewind(end: number): void {
    this.#end = end;
    this.#isRagged = true;
    this.#keeper.changed(this.number);
  }
  /** What was appended, and the file's name, are on disk when it returns. */
  sync(): void {
    if (this.#isClosed) return;
    try {
      this.#file.sync();
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: this.path });
    }
    this.#keeper.syncNames();
  }
  /** No more records: the footer is written, all of it is on disk, and the file is closed. */
  seal(): void {
    if (this.#isSealed) return;
    const footer = encodeBlockFooter(this.#end, this.#keeper.seed);
    try {
      // What is behind the end was never acknowledged, and would hide the footer.
      if (this.#isRagged) this.#file.truncate(this.#end);
      this.#file.write(footer, 0, footer.length, this.#end);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be sealed", { file: this.path, offset: this.#end });
    }
    this.#isSealed = true;
    this.sync();
    this.close();
  }
  /** Removes it: nothing that was appended counts. */
  discard(): void {
    this.close();
    this.#keeper.removeFile(this.number);
  }
  /** Leaves it as it is: one that is not sealed can be opened again at its end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }
}
