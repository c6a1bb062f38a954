/** A source as an importer reads it: no number of it is trusted (spec TOOL-IMPORT-3). */
import { PackError } from "../../host/assets/errors.ts";
import type { ImportSource } from "../importer.ts";

/** The error for a source. */
export function wrongSource(source: ImportSource, message: string, offset?: number): PackError {
  return new PackError("PACK-IMPORT", message, { file: source.path, offset });
}

/** Numbers of a source, each behind a check that they are there. */
export class SourceView {
  readonly source: ImportSource;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(source: ImportSource) {
    this.source = source;
    // Not the source's own view: of a Buffer, `slice` and `subarray` mean something else or are slower.
    const { buffer, byteOffset, byteLength } = source.bytes;
    this.bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  wrong(message: string, offset?: number): PackError {
    return wrongSource(this.source, message, offset);
  }

  /** `length` bytes from `offset` on, not copied. `what` they are is for the message. */
  span(offset: number, length: number, what: string): Uint8Array {
    this.need(offset, length, what);
    return this.bytes.subarray(offset, offset + length);
  }

  /** Throws where `length` bytes from `offset` on are not all there. */
  need(offset: number, length: number, what: string): void {
    if (offset >= 0 && length >= 0 && length <= this.length - offset) return;
    const there = Math.max(0, this.length - Math.max(0, offset));
    throw this.wrong(`${what}: ${length} bytes are needed and ${there} are left`, Math.min(offset, this.length));
  }

  u8(offset: number, what: string): number {
    this.need(offset, 1, what);
    return this.bytes[offset]!;
  }

  /** The bytes that say four letters, as text; what is no printable ASCII is a `?`. */
  tag(offset: number, what: string): string {
    const letters = this.span(offset, 4, what);
    return String.fromCharCode(...letters.map((letter) => (letter < 0x20 || letter > 0x7e ? 0x3f : letter)));
  }

  u16(offset: number, what: string, littleEndian = false): number {
    this.need(offset, 2, what);
    return this.#view.getUint16(offset, littleEndian);
  }

  i16(offset: number, what: string): number {
    this.need(offset, 2, what);
    return this.#view.getInt16(offset);
  }

  u32(offset: number, what: string, littleEndian = false): number {
    this.need(offset, 4, what);
    return this.#view.getUint32(offset, littleEndian);
  }
}
