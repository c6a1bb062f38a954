/**
 * Large artifacts in the store's peers, which read and write streams: `node store-large.ts PEER FOLDER BYTES` is one turn, in a process
 * of its own, and prints JSON. Ours is in store-turns.ts.
 */
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isMain } from "./report.ts";
import { noiseAt, pieces } from "./store-artifacts.ts";
import { load, rateOnce } from "./store-figures.ts";
import { type Cacache, git, initGit, UNCOMPRESSED } from "./store-programs.ts";
import type { Large } from "./store-turns.ts";

const MIB = 2 ** 20;

async function largeInGit(folder: string, bytes: number): Promise<Large> {
  const input = join(folder, "input");
  const fd = openSync(input, "w");
  for (const piece of piecesOf(bytes)) writeSync(fd, piece);
  closeSync(fd);
  const repository = join(folder, "git");
  initGit(repository);
  const name = join(folder, "name");
  const write = await rateOnce(bytes, () =>
    git(repository, [...UNCOMPRESSED, "hash-object", "-w", "--stdin"], input, name),
  );
  const read = (): void => git(repository, ["cat-file", "blob", readFileSync(name, "latin1").trim()]);
  read();
  // No digest is compared.
  return { write, read: await rateOnce(bytes, read) };
}

async function largeInCacache(folder: string, bytes: number): Promise<Large> {
  const { put, get } = load<Cacache>("cacache");
  const cache = join(folder, "cache");
  let integrity = "";
  const write = await rateOnce(bytes, async () => {
    const stream = put.stream(cache, "large", { algorithms: ["sha256"] });
    stream.on("integrity", (value: unknown) => {
      integrity = `${value}`;
    });
    for (const piece of piecesOf(bytes)) if (!stream.write(piece)) await once(stream, "drain");
    stream.end();
    await once(stream, "finish");
  });
  const streamed = await rateOnce(bytes, async () => {
    let length = 0;
    for await (const piece of get.stream.byDigest(cache, integrity)) length += piece.length;
    if (length !== bytes) throw new Error("short read");
  });
  return { write, streamed };
}

function* piecesOf(bytes: number): Iterable<Buffer> {
  const noise = pieces(noiseAt(0, 64 * MIB), MIB);
  for (let k = 0; k < bytes / MIB; k++) yield noise[k % noise.length]!;
}

if (isMain(import.meta.url)) {
  const [name, folder, bytes] = process.argv.slice(2);
  mkdirSync(folder!);
  const turn = name === "git" ? largeInGit : largeInCacache;
  console.log(JSON.stringify(await turn(folder!, Number(bytes))));
}
