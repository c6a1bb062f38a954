/** Peers of `assets.pa`: asar, zip, plain files. What is used of packages of bench/package.json is declared here: they may not be there. */
import { cpSync, createWriteStream, existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { packAssets } from "../assets-tool/index.ts";
import { openPack } from "../host/assets/index.ts";

export interface Archive {
  /** As a heading of a table. */
  readonly name: string;
  /** How the file ends. */
  readonly extension: string;
  /** Undefined when it is not installed. */
  readonly version: string | undefined;
  /** Loads the code that packing needs. */
  load?(): Promise<unknown>;
  pack(folder: string, output: string): Promise<void>;
  /** How many files are in it, the directory read anew; undefined where there is none to read. */
  readonly count?: (file: string) => Promise<number>;
}

interface Asar {
  createPackage(folder: string, output: string): Promise<void>;
  listPackage(file: string, options: { isPack: boolean }): string[];
  uncacheAll(): void;
}
interface Yazl {
  ZipFile: new () => {
    addFile(path: string, name: string, options: { compress: boolean }): void;
    end(): void;
    outputStream: NodeJS.ReadableStream;
  };
}
interface YauzlFile {
  readonly entryCount: number;
  readEntry(): void;
  on(event: string, listener: (...args: never[]) => void): void;
}
interface Yauzl {
  open(path: string, options: { lazyEntries: boolean }, callback: (error: Error | null, file: YauzlFile) => void): void;
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`node_modules/${name}/`, import.meta.url));
}

function versionOf(name: string): string | undefined {
  const path = join(pathOf(name), "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version : undefined;
}

async function load<T>(name: string, entry: string): Promise<T> {
  const module = (await import(pathToFileURL(join(pathOf(name), entry)).href)) as { default?: T };
  return module.default ?? (module as T);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export const ASHLAR: Archive = {
  name: "assets.pa",
  extension: "pa",
  version: "",
  async pack(folder, output) {
    // asar keeps no ids and caches nothing either.
    await packAssets({ from: folder, output, lock: false, cache: false });
  },
  async count(file) {
    const pack = openPack(file);
    const { length } = pack;
    pack.close();
    return length;
  },
};

export const ASAR: Archive = {
  name: "asar",
  extension: "asar",
  version: versionOf("@electron/asar"),
  load: () => load("@electron/asar", "lib/asar.js"),
  async pack(folder, output) {
    await (await load<Asar>("@electron/asar", "lib/asar.js")).createPackage(folder, output);
  },
  async count(file) {
    const asar = await load<Asar>("@electron/asar", "lib/asar.js");
    asar.uncacheAll();
    return asar.listPackage(file, { isPack: false }).length;
  },
};

export const ZIP: Archive = {
  name: "zip, stored",
  extension: "zip",
  version: versionOf("yauzl") && versionOf("yazl"),
  load: () => load("yazl", "index.js"),
  async pack(folder, output) {
    const { ZipFile } = await load<Yazl>("yazl", "index.js");
    const zip = new ZipFile();
    for (const name of await filesIn(folder)) zip.addFile(join(folder, name), name, { compress: false });
    const written = zip.outputStream.pipe(createWriteStream(output));
    zip.end();
    await finished(written);
  },
  async count(file) {
    const yauzl = await load<Yauzl>("yauzl", "index.js");
    return new Promise((resolve, reject) => {
      yauzl.open(file, { lazyEntries: true }, (error, zip) => {
        if (error !== null) return reject(error);
        let count = 0;
        zip.on("entry", () => {
          count++;
          zip.readEntry();
        });
        zip.on("end", () => resolve(count));
        zip.readEntry();
      });
    });
  },
};

export const FILES: Archive = {
  name: "files copied",
  extension: "folder",
  version: "",
  async pack(folder, output) {
    cpSync(folder, output, { recursive: true });
  },
};

/** Those that are installed. */
export const ARCHIVES: readonly Archive[] = [ASHLAR, ASAR, ZIP, FILES].filter(({ version }) => version !== undefined);
