/** Rows for tests of the index, and what it should answer, from a plain array. */
import { ArtifactIndex, Found, type IndexTuning, type SegmentEntry } from "../../../host/asl/artifact-index.ts";
import { Row, RowFlag, RowKind } from "../../../host/asl/index-rows.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import type { Random } from "../../vm/random.ts";

export const SEED = 0x5eed_1234;

/** A volume with the folder that the index expects. */
export function memory(): MemoryVolume {
  const volume = new MemoryVolume();
  volume.makeFolder("index");
  return volume;
}

/** An index and what a checkpoint would know of it. */
export class Published {
  segments: readonly SegmentEntry[] = [];
  nextNumber = 1;
  through = 0;
  count = 0;
  readonly volume: Volume;
  readonly tuning: Partial<IndexTuning>;
  /** What to do before a list counts as published. */
  before: () => void = () => {};

  constructor(volume: Volume, tuning: Partial<IndexTuning> = {}) {
    this.volume = volume;
    this.tuning = tuning;
  }
  open(more: { readonly readOnly?: boolean; readonly budgetBytes?: number } = {}): ArtifactIndex {
    return new ArtifactIndex({
      volume: this.volume,
      seed: SEED,
      tuning: this.tuning,
      budgetBytes: 0,
      segments: this.segments,
      nextNumber: this.nextNumber,
      ...more,
      publish: (segments, nextNumber, through) => {
        this.before();
        this.segments = segments;
        this.nextNumber = nextNumber;
        this.through = Math.max(this.through, through);
        this.count++;
      },
    });
  }
}

/** Digests that are hard to tell apart: many with the same first 32 or 64 bits, or all but the last byte. */
export function craftedDigest(random: Random): Uint8Array {
  const digest = new Uint8Array(32);
  for (let k = 0; k < 32; k++) digest[k] = random.below(256);
  switch (random.below(5)) {
    case 0:
      return digest;
    case 1:
      digest.fill(0x77, 0, 4);
      break;
    case 2:
      digest.fill(random.below(2) === 0 ? 0 : 0xff, 0, 8);
      break;
    case 3:
      digest.fill(0x77, 0, 31);
      break;
    default:
      digest.fill(0, 1);
  }
  return digest;
}

/** Fills a row with anything that one may hold. */
export function anyRow(random: Random, digests: readonly Uint8Array[], position: number): Row {
  const row = new Row();
  const digest = digests[random.below(digests.length)]!;
  row.digest.set(digest);
  const isBinding = random.below(4) === 0;
  if (isBinding) row.kind = random.below(4) === 0 ? RowKind.UNBINDING : RowKind.BINDING;
  else row.kind = random.below(5) === 0 ? RowKind.TOMBSTONE : RowKind.PUT;
  row.algorithm = isBinding ? 0 : 1 + random.below(2);
  row.flags = isBinding ? 0 : random.below(8);
  row.tag = (row.flags & RowFlag.HAS_TAG) === 0 ? 0 : random.below(3) * 0x7fff_ffff;
  row.domain = random.below(2) * 0xffff;
  row.source = random.below(3) * 0x7fff;
  row.block = random.below(2) === 0 ? random.below(1000) : 0x8000_0000 + random.below(10);
  row.offset = random.below(2) === 0 ? 8 * random.below(1000) : 2 ** 35 - 8;
  row.length = random.below(2) === 0 ? random.below(1000) : 2 ** 48 - 1 - random.below(1000);
  row.logseq = random.below(2) === 0 ? position : 2 ** 53 - 1 - random.below(1000);
  row.position = position;
  return row;
}

export function isBinding(row: Row): boolean {
  return row.kind >= RowKind.BINDING;
}

export function textOf(row: Row): string {
  const { kind, flags, algorithm, tag, domain, source, block, offset, length, position, logseq, digest } = row;
  const hex = Buffer.from(digest).toString("hex");
  return [hex, algorithm, kind, flags, tag, domain, source, block, offset, length, position, logseq].join(" ");
}

/** What an index answers, the slow way. */
export class Model {
  readonly rows: Row[] = [];

  rowsOf(binding: boolean, algorithm: number, digest: Uint8Array, asOf: number): Row[] {
    return this.rows
      .filter(
        (row) =>
          isBinding(row) === binding &&
          row.algorithm === algorithm &&
          row.position <= asOf &&
          Buffer.compare(row.digest, digest) === 0,
      )
      .reverse();
  }
  findRecord(
    algorithm: number,
    digest: Uint8Array,
    flags: number,
    tag: number,
    asOf: number,
  ): readonly [Found, Row | undefined] {
    const rows = this.rowsOf(false, algorithm, digest, asOf);
    const shadow = rows.findIndex(({ kind }) => kind === RowKind.TOMBSTONE);
    const visible = shadow < 0 ? rows : rows.slice(0, shadow);
    const exact = visible.find((row) => (row.flags & 3) === flags && row.tag === tag);
    if (exact !== undefined) return [Found.EXACT, exact];
    const other = visible.find((row) => (row.flags & 2) === (flags & 2)) ?? visible[0];
    return [other === undefined ? Found.NONE : Found.OTHER, other];
  }
  scan(asOf: number, from: Uint8Array = new Uint8Array(32)): Row[] {
    return this.rows
      .filter((row) => row.position <= asOf && Buffer.compare(row.digest, from) >= 0)
      .sort(
        (left, right) =>
          Buffer.compare(left.digest, right.digest) ||
          left.algorithm - right.algorithm ||
          Number(isBinding(left)) - Number(isBinding(right)) ||
          left.position - right.position,
      );
  }
}
