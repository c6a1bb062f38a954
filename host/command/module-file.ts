/** Reads the module that a command is given: a file or stdin, binary or text. */
import { readFileSync } from "node:fs";
import { type CompiledCode, isImage, readImage } from "../image.ts";
import { CommandError, ExitCode } from "./failure.ts";
import { errorCode, readAll, STDIN } from "./terminal.ts";

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
/** With which an `assets.pa` begins. */
const PACK_MAGIC = [0x89, 0x50, 0x41, 0x4b];
const REASONS: { readonly [errno: string]: string } = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is not a directory",
};

export interface Guest {
  /** The binary module; of an image a part of its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  // Of an image.
  readonly digest?: string;
  readonly code?: CompiledCode;
  readonly snapshot?: Uint8Array | undefined;
}

/**
 * The module in `path`, or from stdin for `-`: binary, text, for which wabt is loaded, or in an image. Throws CLI-MODULE,
 * WatError, ImageError.
 */
export async function readGuest(path: string): Promise<Guest> {
  const bytes = readBytes(path);
  if (isImage(bytes)) {
    const { module, digest, code, snapshot } = readImage(bytes);
    return { bytes: module, digest, code, snapshot };
  }
  if (!isText(path, bytes)) {
    if (PACK_MAGIC.every((byte, index) => bytes[index] === byte))
      throw new CommandError(
        "CLI-MODULE",
        ExitCode.FAILURE,
        "This is a pack of assets, and no module.",
        "`ashlar assets inspect PACK` shows it.",
      );
    return { bytes };
  }
  const { loadWat } = await import("../wat.ts");
  return { bytes: await loadWat(bytes) };
}

function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    if (path === "-") return readAll(STDIN);
    const read = readFileSync(path);
    // It needs a buffer of its own, which can be handed to the worker; for a small file Node.js lends one that others use too.
    return read.length === read.buffer.byteLength ? new Uint8Array(read.buffer) : new Uint8Array(read);
  } catch (error) {
    const reason = REASONS[errorCode(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
    throw new CommandError("CLI-MODULE", ExitCode.FAILURE, `The module cannot be read: ${reason}.`);
  }
}

/** The text format: by the file's name, or because what is no binary begins as text does. */
function isText(path: string, bytes: Uint8Array): boolean {
  if (MAGIC.every((byte, index) => bytes[index] === byte)) return false;
  if (path.endsWith(".wat")) return true;
  return /^\s*(\(|;;)/.test(Buffer.from(bytes.subarray(0, 1024)).toString("latin1"));
}
