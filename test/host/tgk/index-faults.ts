/** What becomes of the index of edges when its files are changed, cut off, or cannot be written: right answers, or a typed error. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { AslError } from "../../../host/asl/errors.ts";
import type { Store, StoreOptions } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { openGraph, TgkError } from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { SimulatedVolume } from "../asl/simulated-volume.ts";
import { openSmall } from "../asl/stores.ts";
import { act, Comparison, EdgeModel, keyOf, modelOf, TINY } from "./edge-model.ts";

export const NODES = Array.from({ length: 9 }, (_, k) => keyOf(k));

export interface Sample {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly model: EdgeModel;
}

/** A closed store with an index of some segments, and a little that is not in it yet. */
export async function sampleOf(seed: number): Promise<Sample> {
  const volume = new SimulatedVolume();
  const store = openSmall({ volume });
  const model = new EdgeModel();
  const random = new Random(seed);
  const segments = (): number =>
    volume.list("").includes("tgk") ? volume.list("tgk").filter((name) => name.endsWith(".edg")).length : 0;
  while (segments() < 2) {
    await act(store, model, random, NODES);
    openGraph(store, { tuning: TINY }).close();
  }
  for (let left = 2; left > 0; left--) await act(store, model, random, NODES);
  await store.close();
  return {
    files: new Map([...volume.files()].map(([path, bytes]) => [path, bytes.slice()])),
    model: modelOfFiles(volume),
  };
}

function modelOfFiles(volume: Volume): EdgeModel {
  const store = openSmall({ volume, options: { readOnly: true } });
  try {
    return modelOf(store);
  } finally {
    store.closeSync();
  }
}

/** Opens a graph and asks it for everything; answers what is wrong, and the code of the error that it came to. */
export function askAll(
  store: Store,
  model: EdgeModel,
  seed: number,
): { readonly wrong: string[]; readonly code: string | undefined; readonly found: number } {
  const comparison = new Comparison(new Random(seed));
  let code: string | undefined;
  try {
    const graph = openGraph(store, { tuning: TINY });
    try {
      comparison.run(graph, model, store.view(), NODES, "");
    } finally {
      graph.close();
    }
  } catch (error) {
    if (!(error instanceof TgkError || error instanceof AslError)) throw error;
    code = error.code;
  }
  return { wrong: comparison.wrong, code, found: comparison.found };
}

/** Changes a byte of a file of the index, and asks; answers what is wrong, and whether it was noticed while it was asked. */
export function flip(
  { files, model }: Sample,
  path: string,
  at: number,
  options: StoreOptions,
): { readonly wrong: string[]; readonly isNoticed: boolean } {
  const volume = SimulatedVolume.of(files);
  volume.flip(path, at, 1 << (at % 8));
  const store = openSmall({ volume, options });
  try {
    const first = askAll(store, model, at);
    if (first.code === undefined) return { wrong: first.wrong, isNoticed: false };
    if (first.code !== "TGK-INDEX-DAMAGED") first.wrong.push(`${path}, byte ${at}: ${first.code}`);
    // It is made again.
    const second = askAll(store, model, at);
    if (second.code !== undefined) second.wrong.push(`${path}, byte ${at}: still ${second.code}`);
    return { wrong: [...first.wrong, ...second.wrong], isNoticed: true };
  } finally {
    store.closeSync();
  }
}

/** Runs a workload on a volume: what is said, and graphs that are opened, which keep the index. */
export async function work(volume: Volume, seed: number, turns: number): Promise<void> {
  const store = openSmall({ volume });
  try {
    const random = new Random(seed);
    const model = new EdgeModel();
    for (let turn = 0; turn < turns; turn++) {
      await act(store, model, random, NODES);
      if (random.chance(0.5)) openGraph(store, { tuning: TINY }).close();
    }
  } finally {
    store.closeSync();
  }
}

/** Opens what a crash left, twice, since the second opening finds what the first has made of it; answers what is wrong. */
export function askImage(image: Volume, seed: number): string[] {
  const wrong: string[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const store = openSmall({ volume: image, seed: seed + turn });
    try {
      const answer = askAll(store, modelOf(store), seed);
      wrong.push(...answer.wrong);
      if (answer.code !== undefined) wrong.push(`an image has ${answer.code}`);
    } finally {
      store.closeSync();
    }
  }
  return wrong;
}

/** Cuts a workload at calls that the index makes; answers how many images there were, and what was wrong. */
export async function cutAll(
  seed: number,
  turns: number,
  images: number,
): Promise<{ readonly images: number; readonly wrong: string[] }> {
  const volume = new SimulatedVolume();
  const random = new Random(seed);
  const left: SimulatedVolume[] = [];
  volume.onCut = ({ path }) => {
    if (path.startsWith("tgk")) left.push(...volume.crashImages(random, images));
  };
  await work(volume, seed, turns);
  volume.onCut = undefined;
  const wrong = left.flatMap((image) => askImage(image, seed));
  return { images: left.length, wrong };
}

/** Changes a word of a segment, and makes all checksums fit; answers what is wrong: anything but an answer or a typed error. */
export function forge({ files, model }: Sample, path: string, place: number, value: number): string[] {
  const changed = new Map(files);
  const segment = Buffer.from(files.get(path)!);
  const manifest = Buffer.from(files.get("tgk/MANIFEST")!);
  const pages = segment.length / 2052;
  const before = digestOf(segment, pages);
  segment.writeUInt32LE(value, 4 * place);
  const page = Math.floor(place / 512);
  segment.writeUInt32LE(crc32(segment.subarray(2048 * page, 2048 * (page + 1)), page), 2048 * pages + 4 * page);
  manifest.set(digestOf(segment, pages), manifest.indexOf(before));
  manifest.writeUInt32LE(crc32(manifest.subarray(0, -4)), manifest.length - 4);
  changed.set(path, segment).set("tgk/MANIFEST", manifest);
  const store = openSmall({ volume: SimulatedVolume.of(changed), options: { readOnly: true } });
  try {
    const { code } = askAll(store, model, place);
    return code === undefined || code === "TGK-INDEX-DAMAGED" ? [] : [`word ${place} of ${path}: ${code}`];
  } catch (error) {
    return [`word ${place} of ${path} as ${value}: ${(error as Error).stack}`];
  } finally {
    store.closeSync();
  }
}

function digestOf(segment: Buffer, pages: number): Buffer {
  return createHash("sha256")
    .update(segment.subarray(0, 2048))
    .update(segment.subarray(2048 * pages))
    .digest();
}
