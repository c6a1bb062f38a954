/**
 * Artifacts of a guest (spec 23b): what stands behind the module `asl`. A guest sees the store as it was when the guest began, and
 * what it has sealed itself; that is stored when it has ended by itself, all of it or nothing.
 */

import type { TransferHandle } from "../../syscalls/checks.ts";
import type { Call, Implementation } from "../../syscalls/dispatch.ts";
import { ARTIFACT_KIND, WRITER_KIND } from "../../syscalls/kinds.ts";
import { Status } from "../../syscalls/status.ts";
import { AshlarError } from "../../vm/errors.ts";
import type { Kind } from "../../vm/heap.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import { scratchOf } from "../assets/scratch.ts";
import { AslError } from "./errors.ts";
import { keyBytes, textOfKey } from "./key.ts";

/** What stands behind the calls: a store as it is seen from one position, and what is put on top of it. */
export interface ArtifactStore {
  /** False: {@link create} throws ASL-READ-ONLY. */
  readonly isWritable: boolean;
  /** The artifact of a key, which is a multihash; undefined when there is none. Throws AslError. */
  find(key: Uint8Array): FoundArtifact | undefined;
  /** Fills `into` with what lies at `offset`, all of which is inside; held against the key. Throws AslError. */
  read(artifact: FoundArtifact, offset: number, into: Uint8Array): void;
  /** Begins an artifact. Throws AslError. */
  create(typeTag: number | undefined): ArtifactWriter;
  /** The artifacts behind a key, all without one, in the order of digests and, where these are the same, algorithms. Throws AslError. */
  list(after: Uint8Array | undefined): Iterable<FoundArtifact>;
  /** Stores what was sealed, all of it or nothing. Nothing but `discard` is called behind it. Throws AslError. */
  commit(): void;
  /** Gives up what was sealed and not committed; nothing when it was. Nothing else is called behind it. */
  discard(): void;
}

export interface FoundArtifact {
  /** A multihash. */
  readonly key: Uint8Array;
  /** Its length. */
  readonly bytes: number;
  /** At least one: without a type tag first, then by type tags; the internal one of a tag before the published one. */
  readonly records: readonly ArtifactRecord[];
}

export interface ArtifactRecord {
  readonly typeTag: number | undefined;
  readonly isPublished: boolean;
}

/** An artifact in the making. */
export interface ArtifactWriter {
  /** Adds all of the bytes, which are good only during the call; or throws an AslError and is as it was. */
  write(bytes: Uint8Array): void;
  /** The artifact, which can be found from then on; or throws an AslError. */
  seal(): SealedArtifact;
  /** Gives it up, or what a seal that failed has left. */
  abort(): void;
}

export interface SealedArtifact {
  readonly artifact: FoundArtifact;
  /** False when there was the same record already, so that nothing is to be stored. */
  readonly isNew: boolean;
}

/** Limits on what a run may put into the store. */
export interface ArtifactQuota {
  /** Most bytes in artifacts that it makes, sealed or not. No limit by default. */
  readonly bytes?: number | undefined;
  /** Most artifacts that it seals; 1,048,576 by default. */
  readonly artifacts?: number | undefined;
  /** Most that are in the making at one time; 64 by default. */
  readonly writers?: number | undefined;
}

const DEFAULT_ARTIFACTS = 1_048_576;
const DEFAULT_WRITERS = 64;

export interface Artifacts {
  /** Of the module `asl`. */
  readonly bodies: Implementation[string];
  /** Artifact and Writer. */
  readonly kinds: readonly Kind[];
}

/** How far a writer is (spec ASL-SYS-WRITER-1). */
const WriterState = { OPEN: 0, SEALED: 1, ABORTED: 2 } as const;
type WriterState = (typeof WriterState)[keyof typeof WriterState];

/** What a handle of the kind Artifact stands for. */
export interface OpenArtifact extends TransferHandle {
  readonly artifact: FoundArtifact;
}

/** What one of the kind Writer stands for. */
interface OpenWriter extends TransferHandle {
  readonly typeTag: number | undefined;
  bytes: number;
  state: WriterState;
  /** While it is OPEN. */
  writer: ArtifactWriter | undefined;
}

/** Longest text of a key that is looked at. */
const MOST_KEY = 128;
/** Bytes of a record of `list` beside the key. */
const LISTED_BYTES = 1 + 1 + 4 + 8;
/** Most bytes that a call of `list` moves. */
const PAGE_BYTES = 65_536;
/** Flags in such a record (spec ASL-SYS-LIST-2). */
const ListedFlag = { HAS_TYPE_TAG: 1, PUBLISHED: 2 } as const;

/** The artifacts of one guest; none without a store. */
export function createArtifacts(store: ArtifactStore | undefined, quota: ArtifactQuota = {}): Artifacts {
  const mostBytes = quota.bytes ?? Number.MAX_SAFE_INTEGER;
  const mostArtifacts = quota.artifacts ?? DEFAULT_ARTIFACTS;
  const mostWriters = quota.writers ?? DEFAULT_WRITERS;
  /** In what is in the making, and in what was sealed and will be stored. */
  let bytes = 0;
  /** That will be stored. */
  let artifacts = 0;
  /** Writers that are OPEN. */
  let writers = 0;

  /** Gives up what a writer has; nothing when it is not open. What the host cannot clear away is no matter of the guest's. */
  const giveUp = (open: OpenWriter): Status => {
    if (open.state !== WriterState.OPEN) return Status.OK;
    const { writer } = open;
    open.state = WriterState.ABORTED;
    open.writer = undefined;
    writers--;
    bytes -= open.bytes;
    try {
      writer!.abort();
    } catch (error) {
      statusOf(error);
    }
    return Status.OK;
  };
  /** Why an open writer is none. */
  const refused = ({ state }: OpenWriter): Status =>
    state === WriterState.SEALED ? Status.SEALED : state === WriterState.ABORTED ? Status.ABORTED : Status.OK;

  return {
    bodies: {
      open: (call: Call, given: Uint8Array) => {
        const key = keyOf(given);
        if (key === undefined) return Status.INVALID;
        if (!call.heap.hasRoom) return Status.QUOTA;
        try {
          const artifact = store!.find(key);
          if (artifact === undefined) return Status.NOT_FOUND;
          call.setRef(1, call.heap.create(ARTIFACT_KIND.id, openArtifact(artifact)));
          return Status.OK;
        } catch (error) {
          return readStatusOf(error);
        }
      },
      read: (call: Call, { artifact }: OpenArtifact, offset: number, into: Uint8Array) => {
        const wanted = Math.min(Math.max(artifact.bytes - offset, 0), into.length);
        if (wanted > 0) {
          const buffer = scratchOf(wanted);
          try {
            store!.read(artifact, offset, buffer);
          } catch (error) {
            return readStatusOf(error);
          }
          // A read that fails half-way leaves the window alone (spec ABI-TRANSFER-5).
          into.set(buffer);
        }
        call.setWords(1, wanted, 0);
        call.setWords(2, offset + wanted >= artifact.bytes ? 1 : 0, 0);
        return Status.OK;
      },
      info: (call: Call, handle: OpenArtifact | OpenWriter, number: number) => {
        const { bytes, records } = "artifact" in handle ? handle.artifact : { ...handle, records: [ownRecord(handle)] };
        const record = records[number];
        if (record === undefined) return Status.NOT_FOUND;
        call.set(1, bytes);
        call.set(2, records.length);
        call.set(3, record.typeTag === undefined ? 0 : 1);
        call.set(4, record.typeTag ?? 0);
        call.set(5, record.isPublished ? 1 : 0);
        return Status.OK;
      },
      create: (call: Call, typeTag: number, hasTypeTag: number) => {
        if (!store!.isWritable) return Status.READ_ONLY;
        if (!call.heap.hasRoom || writers >= mostWriters) return Status.QUOTA;
        const tag = hasTypeTag === 1 ? typeTag : undefined;
        try {
          const writer = store!.create(tag);
          writers++;
          const open: OpenWriter = { positional: false, typeTag: tag, bytes: 0, state: WriterState.OPEN, writer };
          call.setRef(1, call.heap.create(WRITER_KIND.id, open));
          return Status.OK;
        } catch (error) {
          const status = statusOf(error);
          return status === Status.TRANSIENT || status === Status.CORRUPT ? Status.OTHER : status;
        }
      },
      write: (call: Call, open: OpenWriter, _offset: number, from: Uint8Array) => {
        if (open.state !== WriterState.OPEN) return refused(open);
        if (from.length > mostBytes - bytes) return Status.QUOTA;
        try {
          if (from.length > 0) open.writer!.write(from);
        } catch (error) {
          const status = statusOf(error);
          return status === Status.READ_ONLY || status === Status.CORRUPT ? Status.OTHER : status;
        }
        open.bytes += from.length;
        bytes += from.length;
        call.set(1, from.length);
        return Status.OK;
      },
      seal: (call: Call, open: OpenWriter, into: Uint8Array) => {
        if (open.state !== WriterState.OPEN) return refused(open);
        if (into.length < MOST_KEY_BYTES) return Status.INVALID;
        if (artifacts >= mostArtifacts) return Status.QUOTA;
        let sealed: SealedArtifact;
        try {
          sealed = open.writer!.seal();
        } catch (error) {
          const status = statusOf(error);
          return status === Status.READ_ONLY ? Status.OTHER : status;
        }
        open.writer = undefined;
        open.state = WriterState.SEALED;
        writers--;
        if (sealed.isNew) artifacts++;
        else bytes -= open.bytes;
        const { key } = sealed.artifact;
        into.set(key);
        call.set(1, key.length);
        return Status.OK;
      },
      abort: (_call: Call, open: OpenWriter) => (open.state === WriterState.SEALED ? Status.SEALED : giveUp(open)),
      close: (_call: Call, handle: OpenArtifact | OpenWriter) => ("artifact" in handle ? Status.OK : giveUp(handle)),
      list: (call: Call, given: Uint8Array, into: Uint8Array) => {
        const after = given.length === 0 ? undefined : keyOf(given);
        if (given.length > 0 && after === undefined) return Status.INVALID;
        const page = scratchOf(Math.min(into.length, PAGE_BYTES));
        let filled = 0;
        let isEnd = true;
        try {
          for (const artifact of store!.list(after)) {
            isEnd = artifact.key.length + LISTED_BYTES <= page.length - filled;
            if (!isEnd) break;
            filled = writeListed(page, filled, artifact);
          }
        } catch (error) {
          return readStatusOf(error);
        }
        if (!isEnd && filled === 0) return Status.INVALID;
        into.set(page.subarray(0, filled));
        call.set(1, filled);
        call.set(2, isEnd ? 1 : 0);
        return Status.OK;
      },
    },
    kinds: [
      {
        ...ARTIFACT_KIND,
        save: (object) => encodeUtf8(JSON.stringify([textOfKey((object as OpenArtifact).artifact.key)])),
        restore: (saved) => {
          const [text] = decodeSaved(saved);
          const key = typeof text === "string" ? keyOf(encodeUtf8(text)) : undefined;
          if (key === undefined) return undefined;
          try {
            const artifact = store?.find(key);
            return artifact && openArtifact(artifact);
          } catch (error) {
            statusOf(error);
            return undefined;
          }
        },
      },
      {
        ...WRITER_KIND,
        close: (object) => void giveUp(object as OpenWriter),
        save: (object) => {
          const { state, typeTag = null, bytes } = object as OpenWriter;
          return encodeUtf8(JSON.stringify([state, typeTag, bytes]));
        },
        restore: (saved): OpenWriter | undefined => {
          const [state, typeTag, bytes] = decodeSaved(saved);
          // What was in the making is nowhere any more.
          if (state !== WriterState.SEALED && state !== WriterState.ABORTED) return undefined;
          if (!isCount(bytes) || !(typeTag === null || (isCount(typeTag) && typeTag < 2 ** 32))) return undefined;
          return { positional: false, typeTag: typeTag ?? undefined, bytes, state, writer: undefined };
        },
      },
    ],
  };
}

/** Bytes of the longest key: what a window for one has room for. */
const MOST_KEY_BYTES = 36;

function openArtifact(artifact: FoundArtifact): OpenArtifact {
  return { positional: true, artifact };
}

/** What a writer's artifact will be stored as. */
function ownRecord({ typeTag }: OpenWriter): ArtifactRecord {
  return { typeTag, isPublished: false };
}

/** The key in a window, a multihash or text, as a multihash of its own; undefined for anything else. */
function keyOf(given: Uint8Array): Uint8Array | undefined {
  if (given.length > MOST_KEY) return undefined;
  try {
    // No multihash that is known begins with a letter.
    const isText = given[0]! >= 0x61 && given[0]! <= 0x7a;
    return keyBytes(isText ? Buffer.from(given).toString("latin1") : given);
  } catch (error) {
    if (error instanceof AslError) return undefined;
    throw error;
  }
}

/** Puts what `list` tells of an artifact at `at`; answers where the next one begins. */
function writeListed(page: Uint8Array, at: number, { key, bytes, records }: FoundArtifact): number {
  const { typeTag, isPublished } = records[0]!;
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  view.setUint8(at, key.length);
  page.set(key, at + 1);
  const behind = at + 1 + key.length;
  const tagged = typeTag === undefined ? 0 : ListedFlag.HAS_TYPE_TAG;
  view.setUint8(behind, tagged | (isPublished ? ListedFlag.PUBLISHED : 0));
  view.setUint32(behind + 1, typeTag ?? 0, true);
  view.setUint32(behind + 5, bytes >>> 0, true);
  view.setUint32(behind + 9, Math.floor(bytes / 0x1_0000_0000), true);
  return at + key.length + LISTED_BYTES;
}

type Failure =
  | typeof Status.OTHER
  | typeof Status.READ_ONLY
  | typeof Status.NO_SPACE
  | typeof Status.QUOTA
  | typeof Status.TRANSIENT
  | typeof Status.CORRUPT;

/** Status of what a store throws (spec ASL-SYS-FAULT-1). Defects pass through. */
function statusOf(error: unknown): Failure {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  switch (code) {
    case "ASL-CORRUPT":
    case "ASL-BLOCK-DAMAGED":
    case "ASL-INDEX-DAMAGED":
    case "ASL-LOG-DAMAGED":
    case "ASL-CURRENT-DAMAGED":
      return Status.CORRUPT;
    case "ASL-READ-ONLY":
      return Status.READ_ONLY;
    case "ASL-NO-SPACE":
      return Status.NO_SPACE;
    case "ASL-LIMIT":
      return Status.QUOTA;
    case "ASL-READ":
    case "ASL-WRITE":
      return cause?.code === "EAGAIN" || cause?.code === "EINTR" ? Status.TRANSIENT : Status.OTHER;
    default:
      if (error instanceof AshlarError && !(error instanceof AslError)) throw error;
      return Status.OTHER;
  }
}

/** The same for what only reads. */
function readStatusOf(error: unknown): Failure {
  const status = statusOf(error);
  return status === Status.TRANSIENT || status === Status.CORRUPT ? status : Status.OTHER;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The JSON array in `bytes`; no items at all for anything else. */
function decodeSaved(bytes: Uint8Array): readonly unknown[] {
  try {
    const items: unknown = JSON.parse(decodeUtf8(bytes) ?? "");
    return Array.isArray(items) ? items : [];
  } catch {
    return [];
  }
}
