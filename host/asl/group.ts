/**
 * A group of what is committed at once: entries of the log, and the records of their artifacts, as they will stand in a frame and in a
 * block. Where they will stand is known when it is committed (spec ASL-LOG-GROUP).
 */
import { LOG_BIT } from "./block-file.ts";
import { crc32Of } from "./checksum.ts";
import { getU64, setU64 } from "./format.ts";
import {
  BINDING_BYTES,
  BINDING_CRC_AT,
  EntryFlag,
  EntryKind,
  encodeEntry,
  type Payload,
  PUT_BYTES,
  TOMBSTONE_BYTES,
} from "./frames.ts";
import { DIGEST_BYTES, type Digester, sameDigest } from "./key.ts";
import { endRecord, RECORD_BYTES, RECORD_DIGEST_AT, RecordFlag, recordSize, writeRecordHeader } from "./record.ts";

/** Number of the block of what lies in the group itself: its offset is where in {@link Group.bytes}. */
const HERE = 0;

/** Position and logseq of what is staged: they are known when it is committed. */
export const UNKNOWN = 0;

/** Where an artifact lies; a row of the index is one. */
export interface Place {
  readonly block: number;
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

/** What a group holds of a key. */
export const Held = { NOTHING: 0, RECORD: 1, OTHER_RECORD: 2, TOMBSTONE: 3 } as const;
export type Held = (typeof Held)[keyof typeof Held];

const SHARED_FLAGS: number = RecordFlag.HAS_TAG | RecordFlag.CHUNKED;

export class Group {
  /** The records, each at a multiple of 8. */
  bytes: Buffer;
  view: DataView;
  /** Of {@link bytes}. */
  length = 0;
  /** The entries. */
  entries: Buffer = Buffer.allocUnsafe(1 << 14);
  entriesLength = 0;
  count = 0;
  readonly #seed: number;
  readonly #digest: Digester;
  #entriesView = new DataView(this.entries.buffer, this.entries.byteOffset, this.entries.length);
  /** Of open addressing: where the entry is in {@link entries}, divided by 8, and 1; by the first bits of its digest. */
  #slots = new Int32Array(1 << 8);
  #used = 0;
  /** What {@link find} found: where its entry is. */
  #found = 0;
  isPublished = false;
  #hasTombstones = false;
  #position = UNKNOWN;
  /** Highest logseq, with what is in it. */
  logseq = 0;

  constructor(bytes: number, seed: number, digest: Digester) {
    this.bytes = Buffer.allocUnsafe(bytes);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.#seed = seed;
    this.#digest = digest;
  }
  /** Empties it; the next entry has this position, the next artifact the logseq behind this. */
  begin(position: number, logseq: number, isPublished: boolean): void {
    this.length = 0;
    this.entriesLength = 0;
    this.count = 0;
    if (this.#used > 0) this.#slots.fill(0);
    this.#used = 0;
    this.#hasTombstones = false;
    this.#position = position;
    this.logseq = logseq;
    this.isPublished = isPublished;
  }
  /** Position of the next entry. */
  get nextPosition(): number {
    return this.#position + this.count;
  }

  /** Puts the digest of `payload`, which a multihash ends with that is known, where the next record has it: {@link digestAt} of {@link bytes}. */
  digest(algorithm: number, payload: Uint8Array, known?: Uint8Array): void {
    this.#reserve(recordSize(payload.length));
    if (known === undefined) this.#digest(algorithm, payload, this.bytes, this.digestAt);
    else
      for (let k = 1; k <= DIGEST_BYTES; k++) this.bytes[this.digestAt + DIGEST_BYTES - k] = known[known.length - k]!;
  }
  get digestAt(): number {
    return this.length + RECORD_DIGEST_AT;
  }

  /** Adds an artifact, whose {@link digest} was made last. */
  put(kind: EntryKind, algorithm: number, payload: Uint8Array, flags: number, tag: number, logseq: number): void {
    const { bytes, view, length: at } = this;
    const position = this.#position === UNKNOWN ? UNKNOWN : this.nextPosition;
    bytes.set(payload, at + RECORD_BYTES);
    endRecord(bytes, view, at, payload.length, this.#seed);
    writeRecordHeader(bytes, view, at, flags, algorithm, tag, payload.length, position, logseq, this.#seed);
    this.#addPut(kind, flags, algorithm, bytes, this.digestAt, tag, logseq, HERE, at, payload.length);
    this.length = at + recordSize(payload.length);
    if (logseq > this.logseq) this.logseq = logseq;
  }
  /** Adds a record of an artifact that lies somewhere. */
  putAt(
    kind: EntryKind,
    flags: number,
    algorithm: number,
    digest: Uint8Array,
    at: number,
    tag: number,
    logseq: number,
    place: Place,
  ): void {
    const shared = (flags & RecordFlag.HAS_TAG) | (place.flags & RecordFlag.CHUNKED);
    this.#addPut(kind, shared, algorithm, digest, at, tag, logseq, place.block, place.offset, place.length);
    if (logseq > this.logseq) this.logseq = logseq;
  }
  /** Adds another record of the artifact that {@link find} found here. */
  putAgain(flags: number, algorithm: number, tag: number, logseq: number): void {
    const digest = this.entries.subarray(this.#found + 16, this.#found + 16 + DIGEST_BYTES);
    this.putAt(EntryKind.PUT, flags, algorithm, digest, 0, tag, logseq, this.foundPlace());
  }
  /** Where the artifact lies that {@link find} found here. */
  foundPlace(): Place & { readonly algorithm: number; readonly isHere: boolean } {
    const at = this.#found;
    const view = this.#entriesView;
    const block = view.getUint32(at + 56, true);
    return {
      block,
      offset: getU64(view, at + 64),
      length: getU64(view, at + 72),
      flags: this.entries[at + 1]! & RecordFlag.CHUNKED,
      algorithm: this.entries[at + 14]!,
      isHere: block === HERE,
    };
  }
  #addPut(
    kind: EntryKind,
    flags: number,
    algorithm: number,
    digest: Uint8Array,
    digestAt: number,
    tag: number,
    logseq: number,
    block: number,
    offset: number,
    length: number,
  ): void {
    const at = this.#addEntry(PUT_BYTES);
    const { entries } = this;
    const view = this.#entriesView;
    // HAS_TAG and CHUNKED are the same bits in records and entries.
    view.setUint32(at, kind | (((flags & SHARED_FLAGS) | EntryFlag.REQUIRED) << 8), true);
    view.setUint32(at + 4, PUT_BYTES, true);
    view.setUint32(at + 8, tag, true);
    view.setUint32(at + 12, algorithm << 16, true);
    for (let k = 0; k < DIGEST_BYTES; k++) entries[at + 16 + k] = digest[digestAt + k]!;
    setU64(view, at + 48, logseq);
    view.setUint32(at + 56, block, true);
    view.setUint32(at + 60, 0, true);
    setU64(view, at + 64, offset);
    setU64(view, at + 72, length);
    this.#remember(at);
  }
  remove(algorithm: number, digest: Uint8Array, digestAt: number): void {
    const at = this.#addEntry(TOMBSTONE_BYTES);
    this.#hasTombstones = true;
    const view = this.#entriesView;
    view.setUint32(at, EntryKind.TOMBSTONE | (EntryFlag.REQUIRED << 8), true);
    view.setUint32(at + 4, TOMBSTONE_BYTES, true);
    view.setUint32(at + 8, 0, true);
    view.setUint32(at + 12, algorithm << 16, true);
    for (let k = 0; k < DIGEST_BYTES; k++) this.entries[at + 16 + k] = digest[digestAt + k]!;
    setU64(view, at + 48, this.#position === UNKNOWN ? UNKNOWN : ++this.logseq);
    this.#remember(at);
  }
  /** Adds a binding to the artifact of this digest. Programs make many: it is written where it stands. */
  bind(
    namespace: number,
    name: Uint8Array,
    algorithm: number,
    digest: Uint8Array,
    digestAt: number,
    logseq: number,
  ): void {
    const at = this.#addEntry(BINDING_BYTES);
    const { entries } = this;
    const view = this.#entriesView;
    view.setUint32(at, EntryKind.BINDING | (EntryFlag.REQUIRED << 8), true);
    view.setUint32(at + 4, BINDING_BYTES, true);
    view.setUint32(at + 8, namespace, true);
    view.setUint32(at + 12, algorithm << 16, true);
    for (let k = 0; k < DIGEST_BYTES; k++) {
      entries[at + 16 + k] = name[k]!;
      entries[at + 56 + k] = digest[digestAt + k]!;
    }
    setU64(view, at + 48, logseq);
    view.setUint32(at + 88, 0, true);
    view.setUint32(at + 92, 0, true);
    if (logseq > this.logseq) this.logseq = logseq;
  }
  /** Adds an entry that is none of an artifact. */
  add(payload: Payload): void {
    const encoded = encodeEntry(payload);
    const at = this.#addEntry(encoded.length);
    encoded.copy(this.entries, at);
    if (payload.kind === "binding" && payload.logseq > this.logseq) this.logseq = payload.logseq;
  }

  /** What the group holds of a key: a record with this tag and visibility, another one (for {@link putAgain}), a tombstone behind all, or nothing. */
  find(algorithm: number, digest: Uint8Array, digestAt: number, flags: number, tag: number): Held {
    const mask = this.#slots.length - 1;
    const view = this.#entriesView;
    const wanted = flags & RecordFlag.HAS_TAG;
    let held: Held = Held.NOTHING;
    // What was added later is found later.
    for (let slot = slotOf(digest, digestAt) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (this.#slots[slot]! - 1) * 8;
      if (this.entries[at + 14] !== algorithm || !sameDigest(this.entries, at + 16, digest, digestAt)) continue;
      if (this.entries[at] === EntryKind.TOMBSTONE) held = Held.TOMBSTONE;
      else if (held !== Held.RECORD) {
        this.#found = at;
        const isSame =
          (this.entries[at + 1]! & EntryFlag.HAS_TAG) === wanted &&
          (wanted === 0 || view.getUint32(at + 8, true) === tag);
        held = isSame ? Held.RECORD : Held.OTHER_RECORD;
      }
    }
    return held;
  }

  /** Type tags of what the group holds of a key, behind the last tombstone. */
  recordsOf(algorithm: number, digest: Uint8Array, digestAt: number): (number | undefined)[] {
    const mask = this.#slots.length - 1;
    let tags: (number | undefined)[] = [];
    for (let slot = slotOf(digest, digestAt) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (this.#slots[slot]! - 1) * 8;
      if (this.entries[at + 14] !== algorithm || !sameDigest(this.entries, at + 16, digest, digestAt)) continue;
      if (this.entries[at] === EntryKind.TOMBSTONE) tags = [];
      else
        tags.push(
          (this.entries[at + 1]! & EntryFlag.HAS_TAG) !== 0 ? this.#entriesView.getUint32(at + 8, true) : undefined,
        );
    }
    return tags;
  }
  /** Copies bytes of an artifact that lies here. */
  copyRecord({ offset: at }: Place, into: Uint8Array, to: number, offset: number, length: number): void {
    const from = at + RECORD_BYTES + offset;
    into.set(this.bytes.subarray(from, from + length), to);
  }

  /** Has the entries say where the records lie, now that it is known: `bytes[0]` at `offset` of `block`. */
  settle(block: number, offset: number): void {
    const view = this.#entriesView;
    for (let at = 0; at < this.entriesLength; at += view.getUint32(at + 4, true)) {
      // It is read by itself, without the frame that it is in.
      if (this.entries[at] === EntryKind.BINDING)
        view.setUint32(at + BINDING_CRC_AT, crc32Of(this.entries, at, at + BINDING_CRC_AT, this.#seed), true);
      if (this.entries[at] !== EntryKind.PUT && this.entries[at] !== EntryKind.PUBLISH) continue;
      if (view.getUint32(at + 56, true) !== HERE) continue;
      view.setUint32(at + 56, block, true);
      setU64(view, at + 64, getU64(view, at + 64) + offset);
    }
  }
  /** Moves the records to where there is room for them; the entries name that. */
  moveRecords(move: (bytes: Buffer, length: number) => { readonly block: number; readonly offset: number }): void {
    if (this.length === 0) return;
    const { block, offset } = move(this.bytes, this.length);
    this.settle(block, offset);
    this.length = 0;
  }
  /**
   * Gives what was staged its positions and logseqs, behind these. Artifacts that the store has come to know since are left out, as
   * `isKnown` says.
   */
  number(
    position: number,
    logseq: number,
    isKnown: (digest: Uint8Array, at: number, algorithm: number, flags: number, tag: number) => boolean,
  ): void {
    const { entries, bytes } = this;
    const view = this.#entriesView;
    this.#position = position;
    this.logseq = logseq;
    /** What the batch has removed so far: what the store knows of that is what goes. */
    const removed = new Set<string>();
    let to = 0;
    let count = 0;
    for (let at = 0, size = 0; at < this.entriesLength; at += size) {
      size = view.getUint32(at + 4, true);
      const kind = entries[at];
      const algorithm = entries[at + 14]!;
      const flags = entries[at + 1]! & RecordFlag.HAS_TAG;
      const tag = view.getUint32(at + 8, true);
      if (kind === EntryKind.TOMBSTONE) removed.add(entries.toString("latin1", at + 16, at + 48));
      if (
        (kind === EntryKind.PUT || kind === EntryKind.PUBLISH) &&
        !(this.#hasTombstones && removed.has(entries.toString("latin1", at + 16, at + 48))) &&
        isKnown(entries, at + 16, algorithm, flags, tag)
      )
        continue;
      if (NUMBERED.includes(kind!)) {
        const own = getU64(view, at + 48);
        if (own === UNKNOWN) setU64(view, at + 48, this.logseq + 1);
        this.logseq = Math.max(this.logseq, own === UNKNOWN ? this.logseq + 1 : own);
        if (kind === EntryKind.PUT && view.getUint32(at + 56, true) === HERE) {
          const record = view.getUint32(at + 64, true);
          // Another record of the same artifact shares its place, and comes later.
          if (getU64(this.view, record + 24) === UNKNOWN) {
            setU64(this.view, record + 24, position + count);
            setU64(this.view, record + 32, getU64(view, at + 48));
            this.view.setUint32(record + 4, crc32Of(bytes, record + 8, record + RECORD_BYTES, this.#seed), true);
          }
        }
      }
      entries.copyWithin(to, at, at + size);
      to += size;
      count++;
    }
    this.entriesLength = to;
    this.count = count;
  }

  #addEntry(size: number): number {
    const at = this.entriesLength;
    if (at + size > this.entries.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.entries.length, at + size));
      this.entries.copy(larger, 0, 0, at);
      this.entries = larger;
      this.#entriesView = new DataView(larger.buffer, larger.byteOffset, larger.length);
    }
    this.entriesLength = at + size;
    this.count++;
    return at;
  }
  #remember(at: number): void {
    if (2 * ++this.#used > this.#slots.length) {
      const before = this.#slots;
      this.#slots = new Int32Array(2 * before.length);
      // In the order of the entries, by which later ones are found later.
      const kept = before.filter((slot) => slot !== 0).sort();
      for (const slot of kept) this.#place(slot);
    }
    this.#place(at / 8 + 1);
  }
  #place(value: number): void {
    const mask = this.#slots.length - 1;
    let slot = slotOf(this.entries, (value - 1) * 8 + 16) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = value;
  }
  #reserve(size: number): void {
    const { bytes, length } = this;
    if (length + size <= bytes.length) return;
    this.bytes = Buffer.allocUnsafe(Math.max(2 * bytes.length, length + size));
    bytes.copy(this.bytes, 0, 0, length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }
}

/** Kinds of entries that have a logseq, 48 bytes behind their beginning. */
const NUMBERED: readonly number[] = [EntryKind.PUT, EntryKind.TOMBSTONE, EntryKind.PUBLISH, EntryKind.BINDING];

/** A digest is as random as a hash of it would be. */
function slotOf(digest: Uint8Array, at: number): number {
  return digest[at]! | (digest[at + 1]! << 8) | (digest[at + 2]! << 16) | (digest[at + 3]! << 24);
}

/** The number of a log file, as entries and rows have it. */
export function logBlock(number: number): number {
  return (LOG_BIT | number) >>> 0;
}
