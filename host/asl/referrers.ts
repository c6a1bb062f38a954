/** What refers to artifacts: what their damage, or their removal, would mean (spec ASL-FSCK-5). */
import type { Format } from "./format.ts";
import { EXTENT_BYTES, FRAME_BYTES, type Payload, readEntry } from "./frames.ts";
import { algorithmOf, keyText } from "./key.ts";
import { type Frame, logPath } from "./log.ts";
import { readableFrames } from "./log-salvage.ts";
import { Namespace, nameText } from "./namespace.ts";
import type { LogState } from "./state.ts";
import type { Volume } from "./volume.ts";

export interface ArtifactName {
  readonly algorithm: number;
  readonly digest: Uint8Array;
}

/** For each artifact, in words, what refers to it. One pass over the log, with memory for what refers to these. */
export function affectedBy(
  volume: Volume,
  format: Format,
  state: Pick<LogState, "pins" | "snapshots">,
  artifacts: readonly ArtifactName[],
): string[][] {
  if (artifacts.length === 0) return [];
  const referrers = new Referrers(artifacts);
  for (const frame of readableFrames(volume, format))
    eachEntry(frame, (payload, position) => referrers.take(payload, position));
  return artifacts.map((artifact) => referrers.of(artifact, state));
}

/** Hears every entry of a frame. Throws ASL-LOG-DAMAGED or ASL-VERSION. */
export function eachEntry({ header, bytes, at }: Frame, hear: (payload: Payload, position: number) => void): void {
  const file = logPath(header.log);
  let entry = at + FRAME_BYTES + header.extents * EXTENT_BYTES;
  for (let k = 0; k < header.entries; k++) {
    const size = bytes.readUInt32LE(entry + 4);
    hear(readEntry(bytes, entry, size, file, header.offset + entry - at), header.firstPosition + k);
    entry += size;
  }
}

interface Found {
  /** Positions of entries that put it, and that remove it. */
  readonly puts: number[];
  readonly tombstones: number[];
  readonly references: Set<string>;
}

class Referrers {
  readonly #found = new Map<string, Found>();
  /** Names that are bound to one of them, now. */
  readonly #bound = new Map<string, string>();

  constructor(artifacts: readonly ArtifactName[]) {
    for (const artifact of artifacts)
      this.#found.set(nameOf(artifact), { puts: [], tombstones: [], references: new Set() });
  }
  take(payload: Payload, position: number): void {
    switch (payload.kind) {
      case "put":
      case "publish":
        this.#found.get(nameOf(payload))?.puts.push(position);
        return;
      case "tombstone":
        this.#found.get(nameOf(payload))?.tombstones.push(position);
        return;
      case "binding": {
        const { namespace } = payload;
        const text = namespace === Namespace.NAME ? nameText(payload.name) : undefined;
        const name =
          text === undefined ? `${namespace}:${Buffer.from(payload.name).toString("hex")}` : JSON.stringify(text);
        const { algorithm, digest } = payload;
        const target = digest === undefined ? "" : nameOf({ algorithm, digest });
        if (this.#found.has(target)) this.#bound.set(name, target);
        else this.#bound.delete(name);
        return;
      }
      case "references":
        for (const digest of payload.references) {
          const found = this.#found.get(nameOf({ algorithm: payload.algorithm, digest }));
          found?.references.add(textOf(payload));
        }
        return;
      default:
    }
  }
  of(artifact: ArtifactName, { pins, snapshots }: Pick<LogState, "pins" | "snapshots">): string[] {
    const name = nameOf(artifact);
    const { puts, tombstones, references } = this.#found.get(name)!;
    const isIn = (position: number): boolean => {
      const latest = (positions: number[]): number => Math.max(0, ...positions.filter((at) => at <= position));
      return latest(puts) > latest(tombstones);
    };
    return [
      ...(isIn(Number.POSITIVE_INFINITY) ? ["CURRENT"] : []),
      ...[...snapshots.values()]
        .filter(({ position }) => isIn(position))
        .map(({ name }) => `snapshot ${JSON.stringify(name)}`),
      ...[...pins.values()].filter((pin) => nameOf(pin) === name).map(({ label }) => `pin ${JSON.stringify(label)}`),
      ...[...this.#bound].filter(([, target]) => target === name).map(([bound]) => `binding ${bound}`),
      ...[...references].map((key) => `artifact ${key}`),
    ];
  }
}

function nameOf({ algorithm, digest }: ArtifactName): string {
  return `${algorithm}:${Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("latin1")}`;
}

function textOf({ algorithm, digest }: ArtifactName): string {
  algorithmOf(algorithm);
  return keyText(algorithm, digest);
}
