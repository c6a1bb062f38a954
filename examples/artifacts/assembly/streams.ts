/** Bytes on their way, a piece at a time: from a file or the standard input into an artifact, and back. */
import * as ashlar from "../../../syscalls/bindings/assemblyscript/ashlar";
import { HeapRef, sys_stdin, sys_stdout } from "../../../syscalls/bindings/assemblyscript/syscalls";

const PIECE_BYTES = 65536;
/** Names a standard stream where a path is expected. */
export const STREAM = "-";

const piece = new Uint8Array(PIECE_BYTES);

export function fail(code: i32, message: string): void {
  ashlar.printError("artifacts: " + message);
  ashlar.exit(code);
}

export function failed(what: string): void {
  fail(1, what + ": " + ashlar.statusName(ashlar.lastStatus));
}

/** The value; ends the guest where there is none. */
export function need<T>(value: T | null, what: string): T {
  if (value == null) failed(what);
  return value!;
}

export function begin(hasTypeTag: bool, typeTag: u32): ashlar.Writer {
  const writer = hasTypeTag ? ashlar.Writer.tagged(typeTag) : ashlar.Writer.create();
  return need<ashlar.Writer>(writer, "cannot make an artifact");
}

/** Seals what a file holds, or the standard input; answers the key. */
export function putFile(path: string, hasTypeTag: bool, typeTag: u32): Uint8Array {
  const isStream = path == STREAM;
  const file = isStream ? sys_stdin() : ashlar.open(path, ashlar.OpenFlag.READ);
  if (file == 0) failed("cannot open " + path);
  const writer = begin(hasTypeTag, typeTag);
  let offset: i64 = 0;
  do {
    const got = ashlar.readInto(file, isStream ? -1 : offset, piece, 0, PIECE_BYTES);
    if (got < 0) failed("cannot read " + path);
    if (!writer.writeFrom(piece, 0, got)) failed("cannot write an artifact of " + path);
    offset += got;
  } while (!ashlar.atEnd);
  const key = need<Uint8Array>(writer.seal(), "cannot seal an artifact of " + path);
  writer.close();
  ashlar.close(file);
  return key;
}

export function open(key: string): ashlar.Artifact {
  return need<ashlar.Artifact>(ashlar.Artifact.named(key), "cannot open " + key);
}

/** Writes an artifact to a file, or to the standard output. */
export function getFile(key: string, path: string): void {
  const artifact = open(key);
  const isStream = path == STREAM;
  const flags = ashlar.OpenFlag.WRITE | ashlar.OpenFlag.CREATE | ashlar.OpenFlag.TRUNCATE;
  const file: HeapRef = isStream ? sys_stdout() : ashlar.open(path, flags);
  if (file == 0) failed("cannot open " + path);
  let offset: i64 = 0;
  do {
    const got = artifact.readInto(offset, piece, 0, PIECE_BYTES);
    if (got < 0) failed("cannot read " + key);
    if (!ashlar.writeFrom(file, isStream ? -1 : offset, piece.subarray(0, got))) failed("cannot write " + path);
    offset += got;
  } while (!ashlar.atEnd);
  artifact.close();
  if (!ashlar.close(file)) failed("cannot write " + path);
}
