/**
 * The trace digest of a node (spec PER-TRACE): SHA-256 over what passed between guest and host, call by call. It stands where a
 * recorder would, so each call is heard once, in whatever form it was imported.
 *
 * ```ts
 * const trace = new Trace();
 * const abi = createAbi({ …, record: trace });
 * trace.begin();
 * // … the guest runs …
 * const digest = trace.end();
 * ```
 */
import type { Hash } from "node:crypto";
import type { Call, LooseBody, Tape } from "../../syscalls/dispatch.ts";
import { Exit } from "../../syscalls/exit.ts";
import { writtenWindows } from "../../syscalls/recording.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import type { Syscall } from "../../syscalls/table.ts";
import { valueIndices, wordIndices, wordsOf } from "../../syscalls/words.ts";
import type { Kind } from "../../vm/heap.ts";
import { Fault, TrapCode } from "../../vm/trap.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";
import { DIGEST_BYTES, digestInto } from "../asl/key.ts";
import type { OpenArtifact } from "../asl/syscalls.ts";
import type { Held } from "../assets/banks.ts";
import { digestOf, sha256 } from "../assets/hash.ts";
import type { Asset } from "../assets/pack.ts";
import type { FileSystem } from "../fs/file-system.ts";
import type { FileHandle, StreamHandle, StreamName } from "../fs/handles.ts";
import { PelError } from "./errors.ts";
import { InputFile } from "./input-files.ts";

/** What each trace begins with. */
const PREFIX: Uint8Array = encodeUtf8("ashlar trace 1\n");
/** Longest bytes that stand for themselves: a digest of fewer takes longer than they do. */
const MOST_PLAIN = 256;
const BUFFER_BYTES = 65_536;
/** No event has more. */
const EVENT_BYTES = 4096;

/** Its number among the algorithms of keys. */
const SHA256 = 1;

/** How a call ended (spec PER-TRACE-2). */
const End = { RETURNED: 0, TRAP: 1, EXIT: 2 } as const;
/** What stands for bytes (spec PER-TRACE-4). */
const Bytes = { PLAIN: 0, DIGEST: 1, ARTIFACT: 2, ASSET: 3, OUTPUT: 4 } as const;

/** What becomes artifacts when the guest has ended. */
export interface Becoming {
  /** The file system whose files do. */
  readonly files?: FileSystem;
  readonly streams?: ReadonlySet<StreamName>;
}

/** One argument or result: where its words are, and how it is written. */
interface Field {
  readonly what: "word" | "wide" | "ref" | "f32" | "f64";
  readonly word: number;
}

export class Trace implements Tape {
  words: readonly number[] = [];
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #at = 0;
  /** Of what was in the buffer before; undefined as long as it has held all. */
  #hash: Hash | undefined;
  #becoming: Becoming = {};

  /** By slot: the generation that was seen last, and its number, which counts when it is above {@link #base}. */
  readonly #generations: number[] = [];
  readonly #numbers: number[] = [];
  #base = 0;
  #last = 0;

  /** The pack and number of the asset that was read last, for {@link Bytes.ASSET}. */
  #asset: Asset | undefined;
  #assetName: Uint8Array = PREFIX;

  /** Forgets what it has heard. */
  begin(becoming: Becoming = {}): void {
    this.#becoming = becoming;
    this.#hash = undefined;
    this.#asset = undefined;
    this.#base = this.#last;
    this.#buffer.set(PREFIX);
    this.#at = PREFIX.length;
  }

  /** The digest, 32 bytes that may lie in a larger buffer, of what it has heard since {@link begin}. */
  end(): Uint8Array {
    const rest = this.#buffer.subarray(0, this.#at);
    let digest: Uint8Array;
    if (this.#hash === undefined) digestInto(SHA256, rest, (digest = Buffer.allocUnsafe(DIGEST_BYTES)), 0);
    else digest = this.#hash.update(rest).digest();
    this.begin();
    return digest;
  }

  grant(granted: ReadonlySet<string>): ReadonlySet<string> {
    return granted;
  }

  kinds(kinds: readonly Kind[]): Kind[] {
    return [...kinds];
  }

  body(row: Syscall, run: LooseBody): LooseBody {
    const name = encodeUtf8(`${row.module}.${row.name}`);
    const fields = argumentsOf(row);
    const results = resultsOf(row);
    const hasStatus = row.results[0]?.name === "status";
    const valueAt = valueIndices(row);
    const given = row.windows.filter(({ written }) => written === undefined).map(({ ref }) => valueAt[ref]!);
    const written = writtenWindows(row);
    const source = SOURCES[`${row.module}.${row.name}`];
    const isSink = SINKS.has(`${row.module}.${row.name}`);
    return (call, a, b, c, d, e) => {
      if (this.#at > BUFFER_BYTES - EVENT_BYTES) this.#flush();
      const before = this.#at;
      this.#buffer[this.#at++] = name.length;
      this.#buffer.set(name, this.#at);
      this.#at += name.length;
      this.#arguments(fields);
      if (isSink && this.#becomesArtifact(a as OpenSink)) this.#buffer[this.#at++] = Bytes.OUTPUT;
      else for (let k = 0; k < given.length; k++) this.#bytes(windowOf(given[k]!, a, b, c, d, e));
      let first: number | undefined;
      try {
        first = run(call, a, b, c, d, e);
      } catch (error) {
        if (error instanceof Exit) this.#end(End.EXIT, error.exitCode);
        else if (error instanceof Fault && error.code !== TrapCode.OutOfFuel) this.#end(End.TRAP, error.code);
        else {
          // For want of fuel it was not made, and may be again; any other error is a defect, and no part of what happened.
          this.#at = before;
        }
        throw error;
      }
      this.#buffer[this.#at++] = End.RETURNED;
      if (hasStatus && first !== Status.OK) {
        if (first === Status.NO_SPACE || (first === Status.OTHER && row.module !== "bank"))
          throw hostFailed(row, first);
        this.#word(first!);
        return first;
      }
      this.#results(results, call, first);
      for (let k = 0; k < written.length; k++) {
        const { value, count } = written[k]!;
        const window = windowOf(value, a, b, c, d, e);
        const length = count === "all" ? window.length : count === 0 ? first! : call.low[count]! >>> 0;
        if (source === undefined || !this.#source(source, a)) this.#bytes(window, length);
      }
      return first;
    };
  }

  #end(tag: number, code: number): void {
    this.#buffer[this.#at++] = tag;
    this.#word(code);
  }

  #arguments(fields: readonly Field[]): void {
    const { words } = this;
    for (let k = 0; k < fields.length; k++) {
      const { what, word } = fields[k]!;
      if (what === "word") this.#word(words[word]!);
      else if (what === "wide") {
        this.#word(words[word]!);
        this.#word(words[word + 1]!);
      } else if (what === "ref") this.#word(this.#numberOf(words[word]!, words[word + 1]!));
      else this.#float(what, words[word]!);
    }
  }

  #results(fields: readonly Field[], { low, high }: Call, first: number | undefined): void {
    for (let k = 0; k < fields.length; k++) {
      const { what } = fields[k]!;
      if (what === "ref") this.#word(this.#numberOf(low[k]!, high[k]!));
      else if (what === "wide") {
        this.#word(low[k]!);
        this.#word(high[k]!);
      } else this.#word(k === 0 ? first! : low[k]!);
    }
  }

  /** Number of a HeapRef: 0 of the null one, else by first use. */
  #numberOf(low: number, high: number): number {
    if (low === 0 && high === 0) return 0;
    const slot = low >>> 0;
    const known = this.#numbers[slot];
    if (known !== undefined && known > this.#base && this.#generations[slot] === high) return known - this.#base;
    this.#numbers[slot] = ++this.#last;
    this.#generations[slot] = high;
    return this.#last - this.#base;
  }

  /** The first `length` bytes of a window. */
  #bytes(window: Uint8Array, length: number = window.length): void {
    this.#buffer[this.#at++] = length <= MOST_PLAIN ? Bytes.PLAIN : Bytes.DIGEST;
    this.#word(length);
    const bytes = length === window.length ? window : window.subarray(0, length);
    if (length <= MOST_PLAIN) this.#put(bytes);
    else this.#put(digestOf(bytes));
  }

  /** Whether what is written there becomes an artifact. */
  #becomesArtifact(handle: OpenSink): boolean {
    const { files, streams } = this.#becoming;
    if (!("type" in handle)) return true;
    return handle.type === "stream" ? streams?.has(handle.name) === true : handle.mount.fs === files;
  }

  /** What names the bytes that were read; false where nothing does. */
  #source(source: Source, handle: unknown): boolean {
    if (source === "artifact") this.#key((handle as OpenArtifact).artifact.key);
    else if (source === "asset") {
      const { asset } = handle as Held;
      if (asset !== this.#asset) {
        this.#asset = asset;
        this.#assetName = encodeUtf8(asset.pack.identity);
      }
      this.#buffer[this.#at++] = Bytes.ASSET;
      this.#buffer[this.#at++] = this.#assetName.length;
      this.#put(this.#assetName);
      this.#word(asset.id);
    } else {
      const { node } = handle as Partial<FileHandle>;
      if (!(node instanceof InputFile)) return false;
      this.#key(node.key);
    }
    return true;
  }

  #key(key: Uint8Array): void {
    this.#buffer[this.#at++] = Bytes.ARTIFACT;
    this.#buffer[this.#at++] = key.length;
    this.#put(key);
  }

  #put(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #word(value: number): void {
    const buffer = this.#buffer;
    const at = this.#at;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
    this.#at = at + 4;
  }

  #float(what: "f32" | "f64", value: number): void {
    // A NaN of JavaScript has no bits of its own.
    const number = Number.isNaN(value) ? Number.NaN : value;
    if (what === "f32") this.#view.setFloat32(this.#at, number, true);
    else this.#view.setFloat64(this.#at, number, true);
    this.#at += what === "f32" ? 4 : 8;
  }

  #flush(): void {
    this.#hash ??= sha256();
    this.#hash.update(this.#buffer.subarray(0, this.#at));
    this.#at = 0;
  }
}

type Source = "artifact" | "asset" | "file";
/** Calls whose window is filled with what may have a name, behind their first value. */
const SOURCES: { readonly [name: string]: Source } = {
  "asl.read": "artifact",
  "bank.read": "asset",
  "fs.read": "file",
};
/** Calls that write a window at an offset to what may become an artifact. */
const SINKS: ReadonlySet<string> = new Set(["asl.write", "fs.write"]);
/** What the first value of those is: a writer has no `type`. */
type OpenSink = FileHandle | StreamHandle | Record<never, never>;

/**
 * Nothing that a guest of a node does leads to these statuses (but for what is wrong with assets): its host has no memory, or its
 * store cannot be read. What follows from that is no outcome (spec PEL-KERNEL-10).
 */
function hostFailed({ module, name }: Syscall, status: Status): PelError {
  return new PelError("PEL-KERNEL", `the host failed at ${module}.${name}: ${statusName(status)}`);
}

/** The arguments of a row but for where its windows lie. */
function argumentsOf({ params, windows }: Syscall): Field[] {
  const at = wordIndices(params);
  const hidden = new Set(windows.flatMap(({ ref, offset }) => [ref, offset]));
  return params.flatMap(({ type }, index) => (hidden.has(index) ? [] : [{ what: fieldOf(type), word: at[index]! }]));
}

function resultsOf({ results }: Syscall): Field[] {
  return results.map(({ type }, word) => ({ what: fieldOf(type), word }));
}

function fieldOf(type: Syscall["params"][number]["type"]): Field["what"] {
  if (typeof type === "object") return "ref";
  if (type === "f32" || type === "f64") return type;
  return wordsOf(type) === 2 ? "wide" : "word";
}

/** A body has five values at most (`MOST_VALUES`). */
function windowOf(index: number, a: unknown, b: unknown, c: unknown, d: unknown, e: unknown): Uint8Array {
  return (index === 0 ? a : index === 1 ? b : index === 2 ? c : index === 3 ? d : e) as Uint8Array;
}
