/** The standard streams of a guest (spec ABI-STREAM, ABI-TRANSFER). */
import type { Transfer } from "./fs/file-system.ts";

/** Takes all of `bytes`, which are good only during the call, or throws; an error with an errno `code` keeps its meaning. */
export type Output = (bytes: Uint8Array) => void;
/** Fills the beginning of `into`, waiting for at least one byte, and answers how many; 0 at the end. Throws as Output. */
export type Input = (into: Uint8Array) => number;

export interface InputStream {
  /** Bytes read so far. */
  readonly position: number;
  /** Goes to a place that the bytes at hand reach; false when they do not. */
  seek(position: number): boolean;
  /** Sets `transfer`; throws what the source throws, and then nothing was read. */
  read(into: Uint8Array, transfer: Transfer): void;
}

/** Bytes that the source of a stream is asked for at once, or more. */
const READ_AHEAD_BYTES = 65_536;
/** Most bytes of one read of an interactive stream. */
const INTERACTIVE_BYTES = 65_536;

/**
 * A stream of bytes that are read ahead, so that a read knows whether another byte follows, and a failed one loses none.
 */
export function openInput(source: Input | Uint8Array): InputStream {
  let ahead = typeof source === "function" ? new Uint8Array(0) : source;
  let start = 0;
  let end = ahead.length;
  let position = 0;
  return {
    get position() {
      return position;
    },
    seek(wanted) {
      // What a live input once gave is gone.
      const reachable = typeof source === "function" ? wanted === position : wanted >= 0 && wanted <= end;
      if (!reachable) return false;
      start += wanted - position;
      position = wanted;
      return true;
    },
    read(into, transfer) {
      const wanted = into.length + 1;
      if (typeof source === "function" && end - start < wanted) {
        if (ahead.length - start < wanted) {
          // More than is wanted: programs ask for little at a time, and each question costs the host's kernel a call.
          const room = ahead.length < wanted ? new Uint8Array(Math.max(wanted, READ_AHEAD_BYTES)) : ahead;
          room.set(ahead.subarray(start, end));
          end -= start;
          start = 0;
          ahead = room;
        }
        while (end - start < wanted) {
          const got = source(ahead.subarray(end));
          if (got === 0) break;
          end += got;
        }
      }
      const bytes = Math.min(into.length, end - start);
      into.set(ahead.subarray(start, start + bytes));
      start += bytes;
      position += bytes;
      transfer.bytes = bytes;
      transfer.eof = start === end;
    },
  };
}

/** A stream that answers as soon as there is a byte, and knows of its end only when it meets it (spec ABI-STREAM-2). */
export function openInteractiveInput(source: Input): InputStream {
  let scratch: Uint8Array | undefined;
  let position = 0;
  return {
    get position() {
      return position;
    },
    seek: (wanted) => wanted === position,
    read(into, transfer) {
      transfer.bytes = 0;
      transfer.eof = false;
      if (into.length === 0) return;
      scratch ??= new Uint8Array(INTERACTIVE_BYTES);
      // Not into the window itself: a read that fails leaves that alone.
      const got = source(scratch.subarray(0, Math.min(into.length, INTERACTIVE_BYTES)));
      into.set(scratch.subarray(0, got));
      position += got;
      transfer.bytes = got;
      transfer.eof = got === 0;
    },
  };
}
