/** Programs that a line names: text, their encoding, or keys (spec CLI-PEL-2). */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ArtifactKey, keyText, type Store, type View } from "../../asl/index.ts";
import { algorithmNamed, DIGEST_BYTES, digestInto } from "../../asl/key.ts";
import { TypeTag } from "../../pel/claim.ts";
import { PelError } from "../../pel/errors.ts";
import { decodeProgram, encodeProgram, PROGRAM_LIMITS, type Program } from "../../pel/program.ts";
import { parseProgram } from "../../pel/text.ts";
import { CommandError, ExitCode } from "../failure.ts";
import { readGuest } from "../module-file.ts";
import { keyNamed } from "../store/keys.ts";
import { readAll, STDIN } from "../terminal.ts";
import { keyThere } from "./stores.ts";

/** A program with what its text calls things. */
export interface NamedProgram {
  /** The word of the line. */
  readonly name: string;
  readonly program: Program;
  readonly bytes: Uint8Array;
  readonly key: ArtifactKey;
  /** By index of a node: its ids in the text; none of a program that is not text. */
  readonly ids: ReadonlyMap<number, string>;
  /** Modules that the text names by files. */
  readonly modules: readonly Uint8Array[];
}

/** With which every encoded program begins: an array of three. */
const ENCODED = 0x83;

/** Whether the word is a file, or standard input, and not a key. */
export function isProgramFile(word: string): boolean {
  return word === "-" || existsSync(word);
}

/**
 * The program that the word names: a file, `-` for standard input, or, in a store, KEY. Files of modules are looked for beside the program's.
 * Throws CLI-PROGRAM, or a PelError with all that is wrong.
 */
export async function readProgram(
  word: string,
  store: Store | undefined,
  view: View | undefined = store?.view(),
): Promise<NamedProgram> {
  const algorithm = store?.algorithm ?? "sha256";
  const isFile = isProgramFile(word);
  if (!isFile && view === undefined) throw unreadable(word, "there is no such file, and no --store to look in");
  const bytes = isFile ? readBytes(word) : storedProgram(view!, keyThere(view!, word));
  if (bytes[0] === ENCODED) {
    const program = decodeProgram(bytes);
    return { name: word, program, bytes, key: keyOf(algorithm, bytes), ids: new Map(), modules: [] };
  }
  const modules = new Modules(word === "-" ? "." : dirname(word), algorithm, view);
  const text = textOf(bytes);
  let parsed = parseProgram(text, modules.keyOf);
  // Text of WebAssembly becomes modules only now: the keys were others.
  if (await modules.assemble()) parsed = parseProgram(text, modules.keyOf);
  const { program } = parsed;
  const named = new Map<number, string[]>();
  for (const [id, index] of parsed.ids) {
    const names = named.get(index);
    if (names === undefined) named.set(index, [id]);
    else names.push(id);
  }
  const ids = new Map([...named].map(([index, names]) => [index, idsText(names)]));
  const encoded = encodeProgram(program);
  return { name: word, program, bytes: encoded, key: keyOf(algorithm, encoded), ids, modules: modules.all };
}

/** Most ids that are shown of a node; the same node may stand in a text many times. */
const MOST_IDS = 3;

function idsText(ids: readonly string[]): string {
  const more = ids.length > MOST_IDS ? ` and ${ids.length - MOST_IDS} more` : "";
  return ids.slice(0, MOST_IDS).join(", ") + more;
}

/** The encoding of a program in a store. */
export function storedProgram(view: View, key: ArtifactKey): Uint8Array {
  const stat = view.stat(key)!;
  if (stat.records.some(({ typeTag }) => typeTag === TypeTag.CLAIM))
    throw unreadable(key, "it is a receipt, and no program");
  if (stat.length > PROGRAM_LIMITS.programBytes) throw unreadable(key, "it is longer than programs can be");
  return view.get(key)!;
}

/** Text in UTF-8, which programs are; a mark at its beginning is no part of it. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new PelError("PEL-JSON", "it is neither text in UTF-8 nor an encoded program", { offset: 0 });
  }
}

function readBytes(word: string): Uint8Array {
  try {
    if (word === "-") return readAll(STDIN);
    const { size } = statSync(word);
    if (size > PROGRAM_LIMITS.programBytes)
      throw new Error(`it has ${size} bytes; programs have at most ${PROGRAM_LIMITS.programBytes}`);
    return readFileSync(word);
  } catch (error) {
    throw unreadable(word, error instanceof Error ? error.message : String(error));
  }
}

function unreadable(word: string, reason: string): CommandError {
  return new CommandError(
    "CLI-PROGRAM",
    ExitCode.FAILURE,
    `The program ${JSON.stringify(word)} cannot be read: ${reason}.`,
    "A program is a file, - for standard input, or a key in the store of --store.",
  );
}

export function keyOf(algorithm: string, bytes: Uint8Array): ArtifactKey {
  const { number } = algorithmNamed(algorithm);
  const digest = Buffer.allocUnsafe(DIGEST_BYTES);
  digestInto(number, bytes, digest, 0);
  return keyText(number, digest);
}

/** Modules that a program names by files. */
class Modules {
  readonly #folder: string;
  readonly #algorithm: string;
  readonly #view: View | undefined;
  readonly #found = new Map<string, { key: ArtifactKey; bytes: Uint8Array | undefined }>();

  constructor(folder: string, algorithm: string, view: View | undefined) {
    this.#folder = folder;
    this.#algorithm = algorithm;
    this.#view = view;
  }
  /** The key of a module; what it throws says why there is none. */
  readonly keyOf = (name: string): ArtifactKey => {
    let found = this.#found.get(name);
    if (found === undefined) this.#found.set(name, (found = this.#find(name)));
    return found.key;
  };
  #find(name: string): { key: ArtifactKey; bytes: Uint8Array | undefined } {
    const path = join(this.#folder, name);
    if (existsSync(path)) {
      const bytes = readFileSync(path);
      return { key: keyOf(this.#algorithm, bytes), bytes };
    }
    if (this.#view === undefined) throw new Error("there is no such file");
    return { key: keyNamed(this.#view, name), bytes: undefined };
  }
  /** Makes modules of those that are text, or in images. Answers whether there were any. */
  async assemble(): Promise<boolean> {
    let isAny = false;
    for (const [name, found] of this.#found) {
      if (found.bytes === undefined || isModule(found.bytes)) continue;
      const { bytes } = await readGuest(join(this.#folder, name));
      this.#found.set(name, { key: keyOf(this.#algorithm, bytes), bytes });
      isAny = true;
    }
    return isAny;
  }
  /** What has to be put into the store. */
  get all(): readonly Uint8Array[] {
    return [...this.#found.values()].map(({ bytes }) => bytes).filter((bytes) => bytes !== undefined);
  }
}

function isModule(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).equals(Buffer.from("\0asm"));
}
