/** Keeps what was made until it is written: in memory, and in a temporary file what is too much for that. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PackError } from "../host/assets/errors.ts";
import type { StoredFile } from "../host/assets/write.ts";

/** Bytes in memory, at most. */
const MOST_HELD_BYTES: number = 256 * 1024 * 1024;

export class Spool {
  readonly #mostBytes: number;
  #held = 0;
  #folder: string | undefined;
  #file = "";
  #fd = -1;
  #length = 0;

  constructor(mostBytes: number = MOST_HELD_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** The same bytes, which may lie elsewhere now. Throws a PackError. */
  keep(stored: Uint8Array | StoredFile): Uint8Array | StoredFile {
    if (!(stored instanceof Uint8Array)) return stored;
    if (this.#held + stored.length <= this.#mostBytes) {
      this.#held += stored.length;
      return stored;
    }
    try {
      return this.#spill(stored);
    } catch (error) {
      const file = this.#file || tmpdir();
      throw PackError.from(error, "PACK-OUTPUT", "what was made cannot be kept", { file });
    }
  }

  #spill(bytes: Uint8Array): StoredFile {
    if (this.#folder === undefined) {
      this.#folder = mkdtempSync(join(tmpdir(), "ashlar-assets-"));
      this.#file = join(this.#folder, "spool");
      this.#fd = openSync(this.#file, "wx", 0o600);
    }
    const offset = this.#length;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at, offset + at);
    this.#length += bytes.length;
    return { file: this.#file, size: bytes.length, offset };
  }

  close(): void {
    if (this.#folder === undefined) return;
    closeSync(this.#fd);
    rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }
}
