/**
 * A store of the present format, with something of everything that it knows: `test/fixtures/stores/v1` was made by running this file once,
 * and is not made again. Another version of the format has another folder; this one has to be read for ever.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Store } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { SecondReading, volumeFiles } from "./second-reader.ts";
import { alone, bytesOf, randomFrom, SMALL } from "./stores.ts";

const FOLDERS: readonly string[] = ["", "log", "blocks", "index", "checkpoint"];

export function fixturePath(version: string): string {
  return fileURLToPath(new URL(`../../fixtures/stores/${version}`, import.meta.url));
}

/** What a store holds, as text: of each artifact the digest is in the key, so its bytes are told by their length. */
export function described(volume: Volume): string {
  const reading = new SecondReading(volumeFiles(volume), "log");
  const lines = [`position ${reading.position}, logseq ${reading.logseq}`];
  const positions = [...reading.snapshots.values()].map(
    ({ name, position }) => [`snapshot ${name}`, position] as const,
  );
  for (const [title, position] of [["current", reading.position] as const, ...positions]) {
    lines.push(`${title} at ${position}`);
    const { artifacts, bindings } = reading.contents(position);
    for (const [key, { length, records }] of [...artifacts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const told = records.map(
        (record) => `${record.typeTag ?? "-"} ${record.visibility} ${record.position}/${record.logseq}`,
      );
      lines.push(`  ${key} ${length}: ${told.join(", ")}`);
    }
    for (const [name, { key }] of [...bindings].sort(([a], [b]) => (a < b ? -1 : 1))) lines.push(`  ${name} = ${key}`);
  }
  for (const [label, key] of reading.pins) lines.push(`pin ${label} ${key}`);
  return `${lines.join("\n")}\n`;
}

/** The files of a fixture, in memory. */
export function fixtureVolume(version: string): MemoryVolume {
  const volume = new MemoryVolume();
  for (const folder of FOLDERS) {
    volume.makeFolder(folder);
    for (const entry of readdirSync(`${fixturePath(version)}/${folder}`, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const bytes = readFileSync(`${fixturePath(version)}/${path}`);
      const file = volume.open(path, "create");
      file.write(bytes, 0, bytes.length, 0);
      file.close();
    }
  }
  return volume;
}

async function make(volume: Volume): Promise<void> {
  const open = (): Store =>
    Store.openSync(
      "",
      { create: true },
      { volume, owners: alone(), random: randomFrom(1), limits: SMALL, background: false },
    );
  const name = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
  let store = open();
  // Inline, with nothing in it, with tags, and both visibilities.
  const first = await store.put(bytesOf(1));
  await store.put(new Uint8Array());
  await store.put(bytesOf(2), { typeTag: 7 });
  await store.put(bytesOf(2), { typeTag: 0xffff_ffff });
  await store.put(bytesOf(2), { visibility: "published" });
  // In a packed block, in a block of its own, and in chunks.
  const packed = [...(await store.putMany([bytesOf(3, 300), bytesOf(4, 300), bytesOf(5, 400)]))];
  const own = await store.put(bytesOf(6, 3000));
  await store.put(bytesOf(7, 5000));
  await store.bind(1, name(1), first);
  await store.bind(2, name(2), own);
  await store.snapshot("before");
  await store.snapshot("dropped");
  await store.pin(own, "kept ä");
  await store.pin(first, "let go");
  await store.remove(packed[1]!);
  await store.unbind(1, name(1));
  await store.publish([first, own]);
  await store.dropSnapshot("dropped");
  await store.unpin("let go");
  const batch = store.batch();
  for (let k = 10; k < 14; k++) batch.put(bytesOf(k, 400), { typeTag: k });
  batch.bind(3, name(3), batch.put(bytesOf(14), { logseq: 1000 }));
  batch.remove(packed[2]!);
  batch.commit();
  await store.close();
  // All so far in a segment of the index; what comes is read from the log.
  store = Store.openSync(
    "",
    {},
    {
      volume,
      owners: alone(),
      random: randomFrom(2),
      limits: { ...SMALL, ownBytes: 100_000, tailRows: 0 },
      background: false,
    },
  );
  // With a table of checksums.
  await store.put(new Uint8Array(65_537).fill(7), { visibility: "published" });
  await store.close();
  store = open();
  // Removed, and put again.
  await store.put(bytesOf(4, 300));
  await store.snapshot("after");
  await store.put(bytesOf(22));
  await store.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const volume = new MemoryVolume();
  await make(volume);
  const to = fixturePath(process.argv[2] ?? "");
  const files = volumeFiles(volume);
  for (const folder of FOLDERS)
    for (const entry of files.list(folder)) {
      const path = folder === "" ? entry : `${folder}/${entry}`;
      if (FOLDERS.includes(path)) continue;
      mkdirSync(dirname(`${to}/${path}`), { recursive: true });
      writeFileSync(`${to}/${path}`, files.read(path)!, { flag: "wx" });
    }
  writeFileSync(`${to}.txt`, described(volume), { flag: "wx" });
  const store = Store.openSync("", { readOnly: true }, { volume });
  const identity = Buffer.from(await store.snapshotIdentity("before")).toString("hex");
  writeFileSync(`${to}.identity`, `${identity}\n`, { flag: "wx" });
}
