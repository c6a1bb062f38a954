/** All files of a volume, to be looked at, copied and changed. */
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { readFully, type Volume } from "../../../host/asl/volume.ts";
import { SimulatedVolume } from "./simulated-volume.ts";

const FOLDERS = ["", "log", "blocks", "index", "checkpoint", "quarantine", "rebuild"];

/** Files by their paths. */
export function filesOf(volume: Volume): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const folder of FOLDERS)
    for (const name of listOf(volume, folder)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (!FOLDERS.includes(path)) files.set(path, readFile(volume, path));
    }
  return files;
}

export function volumeWith(files: ReadonlyMap<string, Uint8Array>): MemoryVolume {
  const volume = new MemoryVolume();
  for (const folder of ["log", "blocks", "index", "checkpoint"]) volume.makeFolder(folder);
  for (const [path, bytes] of files) {
    if (path.includes("/")) volume.makeFolder(path.slice(0, path.lastIndexOf("/")));
    writeFile(volume, path, bytes);
  }
  return volume;
}

export function simulatedWith(files: ReadonlyMap<string, Uint8Array>): SimulatedVolume {
  const folders = [...files.keys()].flatMap((path) =>
    path.includes("/") ? [path.slice(0, path.lastIndexOf("/") + 1)] : [],
  );
  const empty = ["log/", "blocks/", "index/", "checkpoint/", ...folders].map(
    (path) => [path, new Uint8Array()] as const,
  );
  return SimulatedVolume.of(new Map([...empty, ...files]));
}

export function listOf(volume: Volume, folder: string): string[] {
  try {
    return volume.list(folder);
  } catch {
    return [];
  }
}

export function readFile(volume: Volume, path: string): Uint8Array {
  const file = volume.open(path, "read");
  const bytes = new Uint8Array(file.size());
  readFully(file, bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

function writeFile(volume: Volume, path: string, bytes: Uint8Array): void {
  const file = volume.open(path, "create");
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

/** Changes a byte of a file. */
export function flip(volume: Volume, path: string, at: number, mask = 0x10): void {
  const file = volume.open(path, "write");
  const bytes = new Uint8Array(1);
  file.read(bytes, 0, 1, at < 0 ? file.size() + at : at);
  bytes[0]! ^= mask;
  file.write(bytes, 0, 1, at < 0 ? file.size() + at : at);
  file.close();
}

/** Where these bytes are in the files of a folder. */
export function findBytes(volume: Volume, folder: string, bytes: Uint8Array): { path: string; at: number }[] {
  return listOf(volume, folder)
    .sort()
    .flatMap((name) => {
      const path = `${folder}/${name}`;
      const all = Buffer.from(readFile(volume, path));
      const places: { path: string; at: number }[] = [];
      for (let at = all.indexOf(bytes); at >= 0; at = all.indexOf(bytes, at + 1)) places.push({ path, at });
      return places;
    });
}
