/** `ashlar store put`. */
import { statSync } from "node:fs";
import type { ArtifactKey, PutOptions, Store } from "../../asl/index.ts";
import { MAGIC } from "../../assets/format.ts";
import type { Arguments } from "../arguments.ts";
import { ExitCode, failureOf, usageError } from "../failure.ts";
import { openProgress, type Progress } from "../progress.ts";
import { isReaderGone, note, plain, print } from "../terminal.ts";
import { jsonLine, tellFailure } from "./answer.ts";
import { folderError, Input, inputError } from "./input.ts";
import { bindPack } from "./packs.ts";
import { stoppable } from "./stopping.ts";
import { withStore } from "./stores.ts";

/** Larger ones are not gathered. */
const SMALL_BYTES = 256 * 1024;
/** So many small artifacts, or bytes of them, are on their way to the disk together. */
const MOST_PENDING = 4_096;
const MOST_PENDING_BYTES = 16 * 1024 * 1024;

export async function put(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const names = positionals.slice(1);
  if (names.filter((name) => name === "-").length > 1) throw usageError("Standard input can be read once.");
  const tagText = options.get("type-tag")?.[0];
  const typeTag = tagText === undefined ? undefined : parseTypeTag("type-tag", tagText);
  const request: PutOptions = {
    ...(typeTag !== undefined && { typeTag }),
    visibility: options.has("published") ? "published" : "internal",
  };
  const isJson = options.has("json");
  const progress = openProgress("put");
  try {
    const total = totalOf(names);
    await stoppable((signal) => {
      const store = (opened: Store): Promise<void> =>
        putAll(new Putting(opened, request, isJson, progress, total), names, signal);
      return withStore(args, "write", store, signal);
    });
    progress.clear();
    return ExitCode.OK;
  } catch (error) {
    progress.clear();
    if (isReaderGone(error)) throw error;
    return tellFailure("put", error, isJson, ExitCode.FAILURE);
  }
}

async function putAll(putting: Putting, names: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    for (const name of names) await putting.put(name, signal);
  } finally {
    // What is stored already is told, whatever the next one's fate.
    await putting.tellStored();
  }
}

/** A number below 2^32, decimal or `0x…`. Throws a usage error. */
export function parseTypeTag(option: string, text: string): number {
  const tag = /^(\d+(_\d+)*|0x[0-9a-f]+)$/i.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  if (tag < 2 ** 32) return tag;
  throw usageError(`--${option} takes a number below 2^32, such as 7 or 0x61726368, not ${JSON.stringify(text)}.`);
}

/** Bytes of all files, if they are all files. What is not there, or is a folder, is told before anything is stored. */
function totalOf(names: readonly string[]): number | undefined {
  let total: number | undefined = 0;
  for (const name of names) {
    if (name === "-") {
      total = undefined;
      continue;
    }
    let stats: ReturnType<typeof statSync>;
    try {
      stats = statSync(name);
    } catch (error) {
      throw inputError(name, error);
    }
    if (stats!.isDirectory()) throw folderError(name);
    total = total === undefined || !stats!.isFile() ? undefined : total + stats!.size;
  }
  return total;
}

/** An artifact that is stored, or soon will be. */
interface Pending {
  readonly input: string;
  readonly bytes: number;
  readonly key: Promise<ArtifactKey>;
}

class Putting {
  readonly #store: Store;
  readonly #request: PutOptions;
  readonly #isJson: boolean;
  readonly #progress: Progress;
  readonly #total: number | undefined;
  #done = 0;
  #pending: Pending[] = [];
  #pendingBytes = 0;

  constructor(store: Store, request: PutOptions, isJson: boolean, progress: Progress, total: number | undefined) {
    this.#store = store;
    this.#request = request;
    this.#isJson = isJson;
    this.#progress = progress;
    this.#total = total;
  }

  /** Small artifacts are committed in groups, and so told some time later. */
  async put(name: string, signal: AbortSignal): Promise<void> {
    const input = await Input.open(name, signal);
    try {
      const first = await input.first();
      const isPack = first.length >= MAGIC.length && MAGIC.every((byte, at) => first[at] === byte);
      if (input.isAtEnd && !isPack && first.length <= SMALL_BYTES) {
        this.#add({ input: name, bytes: first.length, key: this.#store.put(first, this.#request) });
        this.#advance(first.length);
        if (this.#pending.length >= MOST_PENDING || this.#pendingBytes >= MOST_PENDING_BYTES) await this.tellStored();
        return;
      }
      await this.tellStored();
      const before = this.#done;
      const key = await this.#store.writeStream(this.#pieces(first, input), this.#request);
      const bytes = this.#done - before;
      this.#tell(name, key, bytes, isPack ? await this.#bind(name, key) : undefined);
    } finally {
      input.close();
    }
  }

  async *#pieces(first: Uint8Array, input: Input): AsyncGenerator<Uint8Array> {
    yield first;
    this.#advance(first.length);
    for await (const piece of input.rest()) {
      yield piece;
      this.#advance(piece.length);
    }
  }

  /** Waits for what is on its way, and tells it. */
  async tellStored(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const { input, bytes, key } of pending) this.#tell(input, await key, bytes, undefined);
  }

  #add(pending: Pending): void {
    // It is looked at later, and then thrown.
    pending.key.catch(() => {});
    this.#pending.push(pending);
    this.#pendingBytes += pending.bytes;
  }

  /** The identity under which the pack is found from now on; none of one that is damaged. */
  async #bind(name: string, key: ArtifactKey): Promise<string | undefined> {
    try {
      return await bindPack(this.#store, key, name);
    } catch (error) {
      const { code, message } = failureOf(error);
      if (!code.startsWith("PACK-")) throw error;
      this.#progress.clear();
      note(
        `note: ${plain(name)} begins as a pack and is none (${code}: ${plain(message)}): it is stored, and has no identity\n`,
      );
      return undefined;
    }
  }

  #tell(input: string, key: ArtifactKey, bytes: number, identity: string | undefined): void {
    this.#progress.clear();
    if (this.#isJson) print(jsonLine("put", { input, key, bytes, ...(identity !== undefined && { identity }) }));
    else print(`${key}\n`);
    if (identity !== undefined && !this.#isJson) note(`note: ${plain(input)} is ${identity}\n`);
  }

  #advance(bytes: number): void {
    this.#done += bytes;
    this.#progress.update(this.#done, this.#total, this.#total === undefined ? "bytes put" : "put");
  }
}
