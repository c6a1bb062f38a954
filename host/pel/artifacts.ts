/** What a node sees of the store: its inputs and what it has made itself (spec PEL-EXEC-3); nothing of that is stored before it has ended. */

import type { Batch, StageWriter } from "../asl/batch.ts";
import { copyOf, multihashOf } from "../asl/key.ts";
import type { ArtifactStore, ArtifactWriter, FoundArtifact, SealedArtifact } from "../asl/syscalls.ts";
import type { Tag } from "./program.ts";

/** An artifact that is known to a run. */
export interface Known {
  /** A multihash. */
  readonly key: Uint8Array;
  readonly tag: Tag;
  /** Its length; undefined until somebody asks. */
  bytes: number | undefined;
  /** Causal height; undefined until somebody asks. */
  logseq: number | undefined;
  /** All of its bytes, for a while. */
  held?: Uint8Array | undefined;
}

/** An input that was found. */
interface FoundInput extends FoundArtifact {
  readonly input: Known;
}

/** What a node has made. */
export interface Made {
  readonly key: Uint8Array;
  readonly tag: Tag;
  readonly length: number;
  /** Undefined: it is staged in the node's own batch. */
  readonly bytes: Uint8Array | undefined;
}

export interface NodeArtifactsOptions {
  /** Number of the store's algorithm. */
  readonly algorithm: number;
  /** Bytes of what a node makes that are held in memory; what is more goes to a batch of its own. */
  readonly heldBytes: number;
  /** Reads artifacts that the node has not made; throws AslError. */
  readonly read: (key: Uint8Array, offset: number, into: Uint8Array) => void;
  /** Length of such an artifact; throws AslError when there is none. */
  readonly measure: (known: Known) => number;
  /** Counts bytes that it is about to make; throws when there would be too many. Undefined: as many as it likes. */
  readonly charge: ((bytes: number) => void) | undefined;
  /** Begins the batch of a node's own. */
  readonly begin: () => Batch;
}

/** Inputs of a node are looked for in their order first; a map is made when there are more. */
const FEW = 8;

export class NodeArtifacts implements ArtifactStore {
  readonly isWritable = true;
  /** What the node has made, in the order in which it sealed it. */
  made: Made[] = [];
  /** The batch in which large artifacts of the node are. */
  batch: Batch | undefined;
  /** What went wrong on the host's side: the node has then no outcome. */
  failure: unknown;
  /** Causal height of what it makes. */
  logseq = 0;
  readonly #options: NodeArtifactsOptions;
  #inputs: readonly Known[] = [];
  #next = 0;
  /** Bytes of what it makes that are in memory. */
  #held = 0;
  /** For the bytes of an artifact in the making; empty while there is one. */
  #scratch: Uint8Array = NO_BYTES;
  #byKey: Map<string, Known> | undefined;
  /** Keys of the inputs and of so many artifacts that it made. */
  #sorted: readonly Uint8Array[] | undefined;
  #sortedMade = 0;

  constructor(options: NodeArtifactsOptions) {
    this.#options = options;
  }

  /** Is another node's from here on. */
  begin(inputs: readonly Known[], logseq: number): void {
    this.#inputs = inputs;
    this.#next = 0;
    this.#held = 0;
    this.#byKey = undefined;
    this.#sorted = undefined;
    this.made = [];
    this.batch = undefined;
    this.failure = undefined;
    this.logseq = logseq;
  }

  find(key: Uint8Array): FoundArtifact | undefined {
    const input = this.#input(key);
    if (input !== undefined) {
      const bytes = input.bytes ?? this.#guarded(() => this.#options.measure(input));
      const found: FoundInput = { key: input.key, bytes, records: [recordOf(input)], input };
      return found;
    }
    const made = this.#made(key);
    return made && { key: made.key, bytes: made.length, records: [recordOf(made)] };
  }
  #input(key: Uint8Array): Known | undefined {
    const inputs = this.#inputs;
    if (inputs.length <= FEW) return inputs.find((input) => sameKey(input.key, key));
    // As a rule they are opened one after the other.
    const next = inputs[this.#next];
    if (next !== undefined && sameKey(next.key, key)) {
      this.#next++;
      return next;
    }
    this.#byKey ??= new Map(inputs.map((input) => [textOf(input.key), input]));
    return this.#byKey.get(textOf(key));
  }
  #made(key: Uint8Array): Made | undefined {
    return this.made.find((made) => sameKey(made.key, key));
  }

  read(artifact: FoundArtifact, offset: number, into: Uint8Array): void {
    const { key } = artifact;
    const { input } = artifact as Partial<FoundInput>;
    if (input?.held !== undefined) {
      into.set(input.held.subarray(offset, offset + into.length));
      return;
    }
    const made = input === undefined && this.#input(key) === undefined ? this.#made(key) : undefined;
    if (made?.bytes !== undefined) into.set(made.bytes.subarray(offset, offset + into.length));
    else if (made !== undefined) this.#guarded(() => this.batch!.readInto(key, into, 0, offset, into.length));
    else this.#guarded(() => this.#options.read(key, offset, into));
  }

  create(tag: Tag): ArtifactWriter {
    const { algorithm, heldBytes, charge } = this.#options;
    // As a rule there is one at a time.
    let held = this.#scratch;
    this.#scratch = NO_BYTES;
    let length = 0;
    let large: StageWriter | undefined;
    const end = (): void => {
      if (held.length <= SCRATCH_BYTES) this.#scratch = held;
    };
    return {
      write: (bytes) => {
        if (charge !== undefined) this.#guarded(() => charge(bytes.length));
        if (large === undefined && this.#held + bytes.length > heldBytes) {
          this.#guarded(() => {
            this.batch ??= this.#options.begin();
            large = this.batch.writer({ typeTag: tag, logseq: this.logseq });
            large.write(held.subarray(0, length));
          });
          this.#held -= length;
          end();
        }
        if (large !== undefined) this.#guarded(() => large!.write(bytes));
        else {
          if (length + bytes.length > held.length) {
            const larger = new Uint8Array(Math.min(heldBytes, Math.max(1024, 2 * held.length, length + bytes.length)));
            larger.set(held.subarray(0, length));
            held = larger;
          }
          held.set(bytes, length);
          this.#held += bytes.length;
        }
        length += bytes.length;
      },
      seal: (): SealedArtifact => {
        const bytes = large === undefined ? copyOf(held, 0, length) : undefined;
        const key = bytes === undefined ? this.#guarded(() => large!.finish().keyBytes) : multihashOf(algorithm, bytes);
        if (bytes !== undefined) end();
        const made: Made = { key, tag, length, bytes };
        this.made.push(made);
        return { artifact: { key, bytes: length, records: [recordOf(made)] }, isNew: true };
      },
      abort: () => {
        if (large === undefined) {
          this.#held -= length;
          end();
        }
        large?.discard();
      },
    };
  }

  *list(after: Uint8Array | undefined): Iterable<FoundArtifact> {
    if (this.#sorted === undefined || this.#sortedMade !== this.made.length) {
      const keys = new Map([...this.#inputs, ...this.made].map(({ key }) => [textOf(key), key]));
      this.#sorted = [...keys.values()].sort(compareKeys);
      this.#sortedMade = this.made.length;
    }
    for (const key of this.#sorted) if (after === undefined || compareKeys(key, after) > 0) yield this.find(key)!;
  }

  /** Gives up what is in a batch of its own. */
  discardBatch(): void {
    this.batch?.discard();
    this.batch = undefined;
  }
  /** Commits and discards nothing: who runs the node does. */
  commit(): void {}
  discard(): void {}

  /** What the host fails at ends the node without an outcome, whatever the guest makes of the status. */
  #guarded<Result>(act: () => Result): Result {
    try {
      return act();
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }
}

const NO_BYTES = new Uint8Array();
/** Longest scratch that is kept. */
const SCRATCH_BYTES = 64 * 1024;

function recordOf({ tag }: { readonly tag: Tag }): FoundArtifact["records"][number] {
  return { typeTag: tag, isPublished: false };
}

function sameKey(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  // Digests differ early.
  for (let k = left.length - 1; k >= 0; k--) if (left[k] !== right[k]) return false;
  return true;
}

/** Takes any bytes, and no Buffer has to be made for them. */
const { latin1Slice } = Buffer.prototype as Buffer & { latin1Slice(from: number, to: number): string };

/** For maps: the bytes of a key as latin1. */
export function textOf(key: Uint8Array): string {
  return latin1Slice.call(key, 0, key.length);
}

/** By digests, and then by algorithms. */
function compareKeys(left: Uint8Array, right: Uint8Array): number {
  return (
    Buffer.compare(left.subarray(left.length - 32), right.subarray(right.length - 32)) ||
    left.length - right.length ||
    Buffer.compare(left, right)
  );
}
