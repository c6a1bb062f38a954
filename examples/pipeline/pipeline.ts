/**
 * Counts the words of every text in a folder, merges the lists, ranks the words and draws them: a program of guests on a store. What was
 * done before, and with the same bytes, is not done again. See README.md.
 *
 *   node pipeline.ts [FOLDER]
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { packAssets } from "ashlar/assets-tool";
import { type Program, ProgramBuilder, type RunOptions, type RunResult, runProgram } from "ashlar/pel";
import { type ArtifactKey, Store } from "ashlar/store";

const here = fileURLToPath(new URL(".", import.meta.url));
const build = join(here, "build");

const TEXT = ".txt";
const TITLE = "The most frequent words of five letters and more";

/** The keys of what the program is made of and works on. */
export interface Sources {
  readonly wordfreq: ArtifactKey;
  readonly merge: ArtifactKey;
  readonly rank: ArtifactKey;
  readonly render: ArtifactKey;
  /** By the names of input nodes: the pack, and each text. */
  readonly inputs: { readonly [name: string]: ArtifactKey };
}

/** The names of a folder's texts, sorted. */
export function textsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(TEXT))
    .sort();
}

/** Puts the guests, the pack and the texts; what the store has already, it keeps. */
export async function putSources(store: Store, folder: string): Promise<Sources> {
  await packAssets({ from: join(here, "assets") });
  const put = (path: string): Promise<ArtifactKey> => store.put(readFileSync(path));
  const inputs: { [name: string]: ArtifactKey } = { "assets.pa": await put(join(build, "assets.pa")) };
  for (const name of textsOf(folder)) inputs[name] = await put(join(folder, name));
  return {
    wordfreq: await put(join(here, "../wordfreq/build/wordfreq.wasm")),
    merge: await put(join(build, "merge.wasm")),
    rank: await put(join(build, "rank.wasm")),
    render: await put(join(build, "render.wasm")),
    inputs,
  };
}

/** A node for each text, and three that follow. */
export function programOf({ wordfreq, merge, rank, render, inputs }: Sources): Program {
  const builder = new ProgramBuilder();
  const { "assets.pa": _, ...texts } = inputs;
  const lists = Object.keys(texts).map((name) => {
    // The text's own name is no part of this node: under another name it is counted already.
    const counted = builder.guest({
      module: wordfreq,
      args: ["/in", "/out/words.tsv"],
      inputs: { "text.txt": builder.input(name) },
      outputs: ["words.tsv"],
    });
    return [`${name.slice(0, -TEXT.length)}.tsv`, counted.output("words.tsv")] as const;
  });
  const merged = builder.guest({
    module: merge,
    inputs: Object.fromEntries(lists),
    outputs: ["words.tsv"],
  });
  const ranked = builder.guest({
    module: rank,
    args: ["14", "5"],
    inputs: { "words.tsv": merged.output("words.tsv") },
    outputs: ["top.tsv"],
  });
  const drawn = builder.guest({
    module: render,
    args: [TITLE],
    inputs: { "top.tsv": ranked.output("top.tsv"), "assets.pa": builder.input("assets.pa") },
    assets: "assets.pa",
    outputs: ["chart.png"],
  });
  builder.output("top.tsv", ranked.output("top.tsv"));
  builder.output("chart.png", drawn.output("chart.png"));
  return builder.build();
}

/** One run, from the files of a folder to the picture's bytes; these are absent when a node failed. */
export async function runPipeline(
  store: Store,
  folder: string,
  options: RunOptions = {},
): Promise<{ result: RunResult; picture: Uint8Array | undefined }> {
  const sources = await putSources(store, folder);
  const result = await runProgram(store, programOf(sources), { ...options, inputs: sources.inputs });
  const output = result.outputs.find(({ name }) => name === "chart.png");
  return { result, picture: output && store.get(output.key) };
}

async function main(): Promise<void> {
  const folder = process.argv[2] ?? join(here, "../wordfreq/data/texts");
  const texts = textsOf(folder).length;
  if (texts === 0) {
    process.stderr.write(`no ${TEXT} files are in ${folder}\n`);
    process.exitCode = 1;
    return;
  }
  const disk = join(build, "store");
  const store = await Store.open(disk, { create: true });
  try {
    const start = performance.now();
    const { result, picture } = await runPipeline(store, folder);
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const named = (path: string): string => relative(process.cwd(), path) || ".";
    console.log(`texts     ${texts} in ${named(folder)}`);
    console.log(`nodes     ${result.executed} executed, ${result.hits} done before, ${seconds} s`);
    if (picture !== undefined) {
      const file = join(build, "chart.png");
      writeFileSync(file, picture);
      console.log(`picture   ${named(file)}`);
    }
    console.log(`receipt   ${result.claim}`);
    console.log(`verify    npx ashlar verify ${result.claim} --store ${named(disk)}`);
    if (result.failed !== undefined) {
      console.log(`failed    npx ashlar why ${result.claim} --store ${named(disk)}`);
      process.exitCode = 1;
    }
  } finally {
    await store.close();
  }
}

if (import.meta.main) await main();
