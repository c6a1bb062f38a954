/** Namespaces of bindings, and the 32 bytes that names become in them (spec ASL-NAMESPACE). */
import { digestOf } from "../assets/hash.ts";
import { IDENTITY } from "../assets/identity.ts";
import { AslError } from "./errors.ts";

/** Append-only. From {@link FIRST_FREE} on they belong to whoever embeds a store. */
export const Namespace = {
  /** Names that people give: 1 to 32 bytes of UTF-8, with zeros behind. */
  NAME: 1,
  /** Packs by their identity: SHA-256 of its text. */
  PACK: 2,
  /** Claims by what was asked for: SHA-256 of a request (spec PEL-MEMO). */
  MEMO: 3,
  /** Edge artifacts by the edge's id (spec TGK-EDGE). */
  EDGE: 4,
  /** Claim of the last run of a program: SHA-256 of the program's key (spec PEL-RUN). */
  RUN: 5,
  /** Contexts by the digest of their claim (spec PER-CONTEXT). */
  CONTEXT: 6,
  /** Compiled modules of programs' primitives (spec PEL-COMPILE). */
  MODULE: 7,
} as const;

export const FIRST_FREE = 65_536;

/** Bytes of every name. */
export const NAME_BYTES = 32;

/** The name of {@link Namespace.NAME} for this text. Throws ASL-ARGUMENT for one that is none. */
export function nameOf(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const problem = bytes.toString() === text ? problemOf(text, bytes.length) : "it holds half a character";
  if (problem !== undefined) throw new AslError("ASL-ARGUMENT", `${quoted(text)} is no name: ${problem}`);
  const name = new Uint8Array(NAME_BYTES);
  name.set(bytes);
  return name;
}

/** So that a name can stand where keys stand, also abbreviated ones, and in a line of text. */
function problemOf(text: string, length: number): string | undefined {
  if (length === 0 || length > NAME_BYTES) return `it has ${length} bytes, and 1 to ${NAME_BYTES} are possible`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
  if (/[\u0000-\u001f\u007f]/.test(text)) return "it holds a control character";
  if (text.includes(":")) return "it holds a colon, as keys do";
  if (/^[0-9a-f]{8,}$/i.test(text)) return "it looks like the beginning of a key";
  return undefined;
}

/** The text of a name of {@link Namespace.NAME}; undefined for one that {@link nameOf} does not make. */
export function nameText(name: Uint8Array): string | undefined {
  let end = NAME_BYTES;
  while (end > 0 && name[end - 1] === 0) end--;
  const bytes = Buffer.from(name.buffer, name.byteOffset, end);
  const text = bytes.toString();
  return problemOf(text, end) === undefined && bytes.equals(Buffer.from(text)) ? text : undefined;
}

/** The name of {@link Namespace.PACK} for an identity. Throws ASL-ARGUMENT for what is none. */
export function packName(identity: string): Uint8Array {
  if (!IDENTITY.test(identity))
    throw new AslError("ASL-ARGUMENT", `${quoted(identity)} is no identity of a pack: mi2:…:… was expected`);
  return digestOf(Buffer.from(identity));
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
