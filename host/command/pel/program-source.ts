/** Programs that a line names: text, their encoding, or keys (spec CLI-PEL-2). */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ArtifactKey, keyText, type Store, type View } from "../../asl/index.ts";
import { algorithmNamed, DIGEST_BYTES, digestInto } from "../../asl/key.ts";
import { TypeTag } from "../../pel/claim.ts";
import { PelError } from "../../pel/errors.ts";
import { decodeProgram, encodeProgram, PROGRAM_LIMITS, type Program } from "../../pel/program.ts";
import { parseProgram } from "../../pel/text.ts";
import { CommandError, ExitCode } from "../failure.ts";
import { readGuest } from "../module-file.ts";
import { Input } from "../store/input.ts";
import { keyNamed } from "../store/keys.ts";
import { keyThere } from "./stores.ts";

/** A program with what its text calls things. */
export interface NamedProgram {
  readonly name: string;
  readonly program: Program;
  readonly bytes: Uint8Array;
  readonly key: ArtifactKey;
  /** By index of a node: its ids in the text; none of a program that is not text. */
  readonly ids: ReadonlyMap<number, string>;
  /** Modules that the text names by files. */
  readonly modules: readonly Uint8Array[];
}

const TOO_LONG = "it is longer than programs can be";

/** With which every encoded program begins: an array of three. */
const ENCODED = 0x83;

/** What a file holds, or standard input for `-`; undefined if there is no file of that name. Throws CLI-PROGRAM, or why the signal was aborted. */
export async function readFileNamed(word: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (word !== "-" && !existsSync(word)) return undefined;
  const pieces: Uint8Array[] = [];
  try {
    const input = await Input.open(word, signal);
    try {
      pieces.push(await input.first());
      let length = pieces[0]!.length;
      for await (const piece of input.rest()) {
        length += piece.length;
        if (length > PROGRAM_LIMITS.programBytes) throw unreadable(word, TOO_LONG);
        pieces.push(piece);
      }
    } finally {
      input.close();
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof CommandError) || error.code === "CLI-PROGRAM") throw error;
    throw unreadable(word, error.message);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/**
 * The program that the word names: `file`, what {@link readFileNamed} answered, or in a store that of KEY. Files of modules are looked for
 * beside the program's. Throws CLI-PROGRAM, or a PelError with all that is wrong.
 */
export async function readProgram(
  word: string,
  file: Uint8Array | undefined,
  store: Store | undefined,
  view: View | undefined = store?.view(),
): Promise<NamedProgram> {
  const algorithm = store?.algorithm ?? "sha256";
  if (file === undefined && view === undefined)
    throw unreadable(word, "there is no such file, and no --store to look in");
  const name = word === "-" ? "standard input" : word;
  const bytes = file ?? storedProgram(view!, keyInStore(view!, word));
  if (bytes[0] === ENCODED) {
    const program = decodeProgram(bytes);
    return { name, program, bytes, key: keyOf(algorithm, bytes), ids: new Map(), modules: [] };
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
  return { name, program, bytes: encoded, key: keyOf(algorithm, encoded), ids, modules: modules.all };
}

/** The key that stands in a file's place. Throws CLI-PROGRAM. */
export function keyInStore(view: View, word: string): ArtifactKey {
  try {
    return keyThere(view, word);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw unreadable(word, `there is no such file, and of the store: ${error.message}`);
  }
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
  if (stat.length > PROGRAM_LIMITS.programBytes) throw unreadable(key, TOO_LONG);
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
