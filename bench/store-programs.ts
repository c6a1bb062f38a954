/** Stores that fit no library's form: git, a program, and cacache, which keeps each artifact in a file of its own. */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { versionOf } from "./report.ts";
import { ARTIFACT_BYTES, DIGEST_AT, keysOf, keyViews, noiseAt, pieces, sample } from "./store-artifacts.ts";
import {
  ABSENT,
  ARTIFACTS,
  diskBytes,
  type Figures,
  installed,
  type Load,
  load,
  type Peer,
  rateOf,
  rateOnce,
} from "./store-figures.ts";

// ----------------------------------------------------------------------------------------------------- git

/** Runs git in a folder: input and output are files. */
export function git(folder: string, args: readonly string[], input = "/dev/null", output = "/dev/null"): void {
  const [from, to] = [openSync(input, "r"), openSync(output, "w")];
  const { status, stderr } = spawnSync("git", ["-C", folder, ...args], { stdio: [from, to, "pipe"], encoding: "utf8" });
  closeSync(from);
  closeSync(to);
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
}

/** Noise does not become shorter: git is spared the attempt. */
export const UNCOMPRESSED = ["-c", "core.compression=0", "-c", "pack.compression=0"];

export function initGit(folder: string): void {
  git(".", ["init", "--quiet", "--bare", "--object-format=sha256", folder]);
}

async function turnOfGit({ folder, count, queries }: Load): Promise<Figures> {
  const repository = join(folder, "git");
  initGit(repository);
  const input = join(folder, "input");
  const fd = openSync(input, "w");
  for (const artifact of pieces(noiseAt(0, count * ARTIFACT_BYTES, ARTIFACTS), ARTIFACT_BYTES)) {
    writeSync(fd, Buffer.concat([Buffer.from(`blob\ndata ${ARTIFACT_BYTES}\n`), artifact, Buffer.from("\n")]));
  }
  fsyncSync(fd);
  closeSync(fd);
  // Deltas of noise are searched for in vain.
  const put = await rateOnce(count, () =>
    git(repository, [...UNCOMPRESSED, "fast-import", "--quiet", "--depth=0"], input),
  );

  const all = join(folder, "all");
  git(repository, ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"], "/dev/null", all);
  const names = readFileSync(all, "latin1").trim().split("\n");
  const random = join(folder, "random");
  writeFileSync(random, Array.from(sample(names.length, queries), (k) => `${names[k]}\n`).join(""));
  const absent = join(folder, "absent");
  const others = keyViews(keysOf(sample(queries, queries), ARTIFACT_BYTES, ABSENT), DIGEST_AT);
  writeFileSync(absent, others.map((key) => `${key.toString("hex")}\n`).join(""));

  // What it takes to start is not what is compared.
  const start = 1 / (await rateOf(1, () => git(repository, ["cat-file", "--batch", "--buffer"])));
  const rate = async (calls: number, file: string | undefined, ...args: string[]): Promise<number> =>
    calls / (1 / (await rateOf(1, () => git(repository, ["cat-file", "--buffer", ...args], file))) - start);
  return {
    put,
    get: await rate(queries, random, "--batch"),
    sequential: await rate(count, undefined, "--batch-all-objects", "--unordered", "--batch"),
    has: await rate(queries, random, "--batch-check"),
    absent: await rate(queries, absent, "--batch-check"),
    disk: diskBytes(repository) / count,
  };
}

export const GIT: Peer = { name: "git", version: versionOf("git")?.replace("git version ", ""), turn: turnOfGit };

// ------------------------------------------------------------------------------------------------- cacache

export interface Cacache {
  readonly put: {
    (cache: string, key: string, data: Buffer, options: object): Promise<string>;
    stream(cache: string, key: string, options: object): NodeJS.WritableStream;
  };
  readonly get: {
    byDigest(cache: string, integrity: string, options: object): Promise<Buffer>;
    hasContent(cache: string, integrity: string): Promise<unknown>;
    readonly stream: { byDigest(cache: string, integrity: string): NodeJS.ReadableStream };
  };
}

const CACACHE_SHARE = 100;
const UNREMEMBERED = { memoize: false, algorithms: ["sha256"] };

async function turnOfCacache({ folder, count }: Load): Promise<Figures> {
  const { put, get } = load<Cacache>("cacache");
  const artifacts = pieces(noiseAt(0, (count / CACACHE_SHARE) * ARTIFACT_BYTES, ARTIFACTS), ARTIFACT_BYTES);
  const cache = join(folder, "cache");
  const keys: string[] = [];
  const rate = await rateOnce(artifacts.length, async () => {
    for (const [k, artifact] of artifacts.entries()) keys.push(`${await put(cache, `${k}`, artifact, UNREMEMBERED)}`);
  });
  const random = Array.from(sample(keys.length, keys.length), (k) => keys[k]!);
  return {
    put: rate,
    verified: await rateOf(random.length, async () => {
      for (const key of random) await get.byDigest(cache, key, UNREMEMBERED);
    }),
    has: await rateOf(random.length, async () => {
      for (const key of random) await get.hasContent(cache, key);
    }),
    disk: diskBytes(cache) / artifacts.length,
  };
}

export const CACACHE: Peer = { name: "cacache", version: installed("cacache"), turn: turnOfCacache };
