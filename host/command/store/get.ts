/** `ashlar store get`. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, realpathSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ALGORITHMS, type ArtifactKey, AslError, type View } from "../../asl/index.ts";
import { replaceFile } from "../../assets/output.ts";
import type { Answer } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { cannotWrite } from "../files.ts";
import type { Progress } from "../progress.ts";
import { parseCount } from "../quantities.ts";
import { plain, STDOUT, writeFully } from "../terminal.ts";
import { answer } from "./answer.ts";
import { keyNamed, notFound } from "./keys.ts";
import { stoppable } from "./stopping.ts";
import { viewOf, withStore } from "./stores.ts";

/** What is read at a time: whole leaves of the sums by which parts of large artifacts are checked. */
const PIECE_BYTES = 1024 * 1024;
/** Larger ones are read twice on their way to standard output: first to see that all of it is as it should be. */
const MOST_HELD_BYTES = 64 * 1024 * 1024;
const MOST_COUNT = 2n ** 53n - 1n;

export async function get(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const word = positionals[1]!;
  const output = options.get("output")?.[0] ?? "-";
  if (output === "") throw usageError("The name of the file is empty.");
  if (output === "-" && options.has("json"))
    throw usageError("--json has no use where the bytes go to standard output.", "Write -o FILE.");
  const count = (name: string): number | undefined => {
    const text = options.get(name)?.[0];
    return text === undefined ? undefined : Number(parseCount(name, text, MOST_COUNT));
  };
  const offset = count("offset") ?? 0;
  const most = count("length") ?? Number.POSITIVE_INFINITY;
  return answer("get", args, (progress) =>
    withStore(args, "read", async (store): Promise<Answer | undefined> => {
      const view = viewOf(store, args);
      const key = keyNamed(view, word);
      const stat = view.stat(key);
      if (stat === undefined) throw notFound(`there is no artifact ${key}`);
      if (offset > stat.length)
        throw new AslError("ASL-ARGUMENT", `--offset ${offset} is beyond its ${stat.length} bytes`, { key });
      const part = new Part(view, key, offset, Math.min(most, stat.length - offset), stat.length, progress);
      if (output === "-") {
        toStdout(part);
        return undefined;
      }
      await toFile(part, output);
      const data = { key, output, offset, bytes: part.length };
      return { data, text: () => `${plain(output)}: ${counted(part.length, "byte")}\n` };
    }),
  );
}

/** Writes all of an artifact that is there to a file, or for `-` to standard output. */
export async function writeArtifact(view: View, key: ArtifactKey, output: string, progress: Progress): Promise<void> {
  const { length } = view.stat(key)!;
  const part = new Part(view, key, 0, length, length, progress);
  if (output === "-") toStdout(part);
  else await toFile(part, output);
}

/** Bytes of an artifact, checked. */
class Part {
  readonly length: number;
  readonly #view: View;
  readonly #key: ArtifactKey;
  readonly #offset: number;
  readonly #isWhole: boolean;
  readonly #progress: Progress;

  constructor(view: View, key: ArtifactKey, offset: number, length: number, all: number, progress: Progress) {
    this.#view = view;
    this.#key = key;
    this.#offset = offset;
    this.#isWhole = length === all;
    this.#progress = progress;
    this.length = length;
  }
  /** In order; each is good until the next. Throws an AslError: of the whole also at the end, when its digest is not what the key says. */
  *pieces(): Generator<Uint8Array> {
    const { length } = this;
    const hash = this.#isWhole ? createHash(hashOf(this.#key)) : undefined;
    const piece = new Uint8Array(Math.min(PIECE_BYTES, length));
    for (let done = 0; done < length; ) {
      const got = this.#view.readInto(this.#key, piece, 0, this.#offset + done, Math.min(piece.length, length - done));
      if (got <= 0) throw new AslError("ASL-CORRUPT", `it ends after ${this.#offset + done} bytes`, { key: this.#key });
      const bytes = piece.subarray(0, got);
      hash?.update(bytes);
      yield bytes;
      done += got;
      this.#progress.update(done, length);
    }
    if (hash !== undefined) this.#check(hash);
  }
  #check(hash: Hash): void {
    if (hash.digest("hex") !== this.#key.slice(this.#key.indexOf(":") + 1))
      throw new AslError("ASL-CORRUPT", "its bytes are not what the key says", { key: this.#key });
  }
}

/** Node.js's name of what the key was made by. */
function hashOf(key: ArtifactKey): string {
  return ALGORITHMS.find(({ name }) => key.startsWith(`${name}:`))!.host;
}

/** Nothing of what is damaged. */
function toStdout(part: Part): void {
  if (part.length > MOST_HELD_BYTES) {
    for (const _ of part.pieces());
    for (const piece of part.pieces()) writeFully(STDOUT, piece);
    return;
  }
  const bytes = new Uint8Array(part.length);
  let at = 0;
  for (const piece of part.pieces()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  writeFully(STDOUT, bytes);
}

/** A file is whole or not at all, and one that was there as it was; what is no file, such as a pipe, is written to. */
async function toFile(part: Part, path: string): Promise<void> {
  await stoppable(async (signal) => {
    const fill = async (fd: number): Promise<void> => {
      for (const piece of part.pieces()) {
        writeFully(fd, piece);
        // Signals are heard between pieces.
        await setImmediate();
        signal.throwIfAborted();
      }
    };
    let failure: unknown;
    try {
      const there = statSync(path, { throwIfNoEntry: false });
      if (there === undefined || there.isFile() || there.isDirectory()) {
        const place = there === undefined ? path : realpathSync(path);
        await replaceFile(place, (fd) =>
          fill(fd).catch((error: unknown) => {
            failure = error;
            throw error;
          }),
        );
      } else await toDevice(path, fill);
    } catch (error) {
      throw failure instanceof AslError || signal.aborted
        ? (failure ?? error)
        : cannotWrite("CLI-OUTPUT", "artifact", failure ?? error);
    }
  });
}

async function toDevice(path: string, fill: (fd: number) => Promise<void>): Promise<void> {
  const fd = openSync(path, "w");
  try {
    await fill(fd);
  } finally {
    closeSync(fd);
  }
}
