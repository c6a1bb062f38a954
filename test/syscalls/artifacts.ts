/** Artifacts in memory for the tests of module `asl`: a store without a disk, which fails when it is told to. */
import { createHash } from "node:crypto";
import { AslError } from "../../host/asl/errors.ts";
import type {
  ArtifactRecord,
  ArtifactStore,
  ArtifactWriter,
  FoundArtifact,
  SealedArtifact,
} from "../../host/asl/syscalls.ts";

/** How calls of a {@link MemoryArtifacts} go wrong. */
export interface StoreFaults {
  /** What every call throws. */
  error?: Error | undefined;
  /** What `commit` throws. */
  commit?: Error | undefined;
}

interface Held extends FoundArtifact {
  readonly contents: Uint8Array;
}

/** The multihash of bytes. */
export function keyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(0x12, 32, ...createHash("sha256").update(bytes).digest());
}

/** Its text. */
export function textOf(key: Uint8Array): string {
  return `sha256:${Buffer.from(key.subarray(2)).toString("hex")}`;
}

/** In the order in which artifacts are listed. */
export function byDigest(left: { readonly key: Uint8Array }, right: { readonly key: Uint8Array }): number {
  return Buffer.compare(left.key.subarray(-32), right.key.subarray(-32));
}

function byTag(left: ArtifactRecord, right: ArtifactRecord): number {
  return (left.typeTag ?? -1) - (right.typeTag ?? -1) || Number(left.isPublished) - Number(right.isPublished);
}

export class MemoryArtifacts implements ArtifactStore {
  readonly isWritable: boolean;
  readonly faults: StoreFaults;
  /** Sealed, and not committed. */
  staged: Map<string, Held> = new Map();
  /** How it ended. */
  end: "open" | "committed" | "discarded" = "open";
  /** Writers that are neither sealed nor given up. */
  open = 0;
  readonly #stored = new Map<string, Held>();

  constructor(options: { readonly isWritable?: boolean; readonly faults?: StoreFaults } = {}) {
    this.isWritable = options.isWritable ?? true;
    this.faults = options.faults ?? {};
  }

  /** Puts an artifact into what was there before. */
  add(contents: Uint8Array, typeTag?: number, isPublished = false): Uint8Array {
    const key = keyOf(contents);
    const before = this.#stored.get(textOf(key));
    this.#stored.set(textOf(key), withRecord(before, key, contents, { typeTag, isPublished }));
    return key;
  }
  has(contents: Uint8Array): boolean {
    return this.#stored.has(textOf(keyOf(contents)));
  }

  find(key: Uint8Array): Held | undefined {
    this.#fail();
    const name = textOf(key);
    return key[0] === 0x12 ? (this.staged.get(name) ?? this.#stored.get(name)) : undefined;
  }
  read(artifact: FoundArtifact, offset: number, into: Uint8Array): void {
    this.#fail();
    const { contents } = this.find(artifact.key)!;
    if (offset + into.length > contents.length) throw new RangeError("more is read than there is");
    into.set(contents.subarray(offset, offset + into.length));
  }
  create(typeTag: number | undefined): ArtifactWriter {
    this.#fail();
    if (!this.isWritable) throw new AslError("ASL-READ-ONLY", "on purpose");
    const pieces: Uint8Array[] = [];
    this.open++;
    return {
      write: (bytes) => {
        this.#fail();
        pieces.push(bytes.slice());
      },
      seal: () => {
        this.#fail();
        this.open--;
        return this.#seal(Buffer.concat(pieces), { typeTag, isPublished: false });
      },
      abort: () => {
        this.open--;
        this.#fail();
      },
    };
  }
  *list(after: Uint8Array | undefined): Iterable<FoundArtifact> {
    this.#fail();
    const all = new Map([...this.#stored, ...this.staged]);
    for (const artifact of [...all.values()].sort(byDigest))
      if (after === undefined || byDigest(artifact, { key: after }) > 0) yield artifact;
  }
  commit(): void {
    if (this.faults.commit !== undefined) throw this.faults.commit;
    for (const [name, held] of this.staged) this.#stored.set(name, held);
    this.staged.clear();
    this.end = "committed";
  }
  discard(): void {
    this.staged.clear();
    if (this.end === "open") this.end = "discarded";
  }

  #seal(contents: Uint8Array, record: ArtifactRecord): SealedArtifact {
    const key = keyOf(contents);
    const before = this.find(key);
    const isSame = (other: ArtifactRecord): boolean => byTag(other, record) === 0;
    if (before?.records.some(isSame)) return { artifact: before, isNew: false };
    const artifact = withRecord(before, key, contents, record);
    this.staged.set(textOf(key), artifact);
    return { artifact, isNew: true };
  }
  #fail(): void {
    if (this.faults.error !== undefined) throw this.faults.error;
  }
}

function withRecord(before: Held | undefined, key: Uint8Array, contents: Uint8Array, record: ArtifactRecord): Held {
  return { key, bytes: contents.length, contents, records: [...(before?.records ?? []), record].sort(byTag) };
}
