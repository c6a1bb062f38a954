/** The example `examples/pipeline`: what it executes in which run, its picture, and its receipt whatever it runs on. */
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Store } from "ashlar/store";
import { decode as decodePng } from "fast-png";
import t from "tap";
import { idsOf } from "../assets-tool/ids.ts";
import { programOf, putSources, runPipeline } from "../examples/pipeline/pipeline.ts";
import { openPack } from "../host/assets/pack.ts";
import { ashlar, root, scratch } from "./command/ashlar.ts";

const example = join(root, "examples/pipeline");
const texts = join(root, "examples/wordfreq/data/texts");

let stores = 0;
async function withStore<T>(act: (store: Store) => Promise<T>): Promise<T> {
  const store = await Store.open(join(scratch, `store-${stores++}`), { create: true });
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

t.test("[PEL-MEMO-2] a second run executes nothing, a changed text its own path", (t) =>
  withStore(async (store) => {
    const folder = join(scratch, "texts");
    cpSync(texts, folder, { recursive: true });
    const run = async () => {
      const { result, picture } = await runPipeline(store, folder);
      const executed = result.nodes.filter(({ state }) => state === "executed").length;
      t.equal(executed, result.executed);
      return { counts: [result.executed, result.hits, result.failed], claim: result.claim, picture };
    };
    const first = await run();
    t.same(first.counts, [8, 0, undefined]);
    t.match(decodePng(first.picture!, { checkCrc: true }), { width: 720, channels: 1, depth: 8 });
    t.ok(readFileSync(join(example, "chart.png")).equals(first.picture!), "the picture that the readme shows");

    t.same(await run(), { ...first, counts: [0, 8, undefined] }, "and the receipt is the same");

    appendFileSync(join(folder, "alice.txt"), "\nCuriouser, curiouser, curiouser, curiouser, curiouser!\n");
    const changed = await run();
    t.same(changed.counts, [4, 4, undefined]);
    t.not(changed.claim, first.claim);
    t.notOk(Buffer.from(changed.picture!).equals(first.picture!));

    appendFileSync(join(folder, "alice.txt"), "\nJabberwocky.\n");
    t.same((await run()).counts, [3, 5, undefined], "the ranking stays, so there is nothing to draw");

    renameSync(join(folder, "alice.txt"), join(folder, "wonderland.txt"));
    t.same((await run()).counts, [3, 5, undefined], "a text under another name is counted already");
    rmSync(join(folder, "wonderland.txt"));
    t.same((await run()).counts, [3, 4, undefined]);
  }),
);

t.test("[PEL-RUN-2] one receipt, on both engines, with one worker and two", async (t) => {
  const claims = new Set<string>();
  const runs = [
    { engine: "compiled", workers: 1 },
    { engine: "compiled", workers: 2 },
    { engine: "reference", workers: 2 },
  ] as const;
  for (const options of runs) {
    const { result, picture } = await withStore((store) => runPipeline(store, texts, options));
    t.equal(result.executed, 8, `${options.engine}, ${options.workers}`);
    t.ok(readFileSync(join(example, "chart.png")).equals(picture!));
    claims.add(result.claim);
  }
  t.equal(claims.size, 1);
});

t.test("the pack has the slots that the guest was compiled with", (t) =>
  withStore(async (store) => {
    const lock = join(example, "assets/assets.lock.json");
    const before = readFileSync(lock, "utf8");
    const sources = await putSources(store, texts);
    t.equal(readFileSync(lock, "utf8"), before, "the lock file is the one that is kept");
    t.equal(programOf(sources).nodes.length, 5 + 1 + 5 + 3);
    const set = openPack(join(example, "build/assets.pa"));
    t.equal(idsOf(set, "as"), readFileSync(join(example, "assembly/ids.ts"), "utf8"));
    set.close();
  }),
);

t.test("the readme's program does what it is shown for", async (t) => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, text] = /```json\n(\{\n {2}"nodes".*?)```/s.exec(readme)!;
  writeFileSync(join(scratch, "words.pel.json"), text!);
  const module = "examples/wordfreq/build/wordfreq.wasm";
  cpSync(join(root, module), join(scratch, module));
  const alice = join(texts, "alice.txt");
  await (await Store.open(join(scratch, "disk"), { create: true })).close();
  const line = "pel run words.pel.json --store disk --output words=words.tsv --json --input";
  const first = await ashlar([...line.split(" "), `text=@${alice}`]);
  t.match(first, { code: 0, stderr: "" });
  const words = readFileSync(join(scratch, "words.tsv"), "utf8");
  t.match(words, /^\d+\tthe\n/);
  t.equal(words.split("\n").length, 11);
  const { receipt } = JSON.parse(first.stdout) as { receipt: string };
  t.match(await ashlar(["verify", receipt, "--store", "disk"]), { code: 0 });
});

t.test("as a command it tells its receipt, and how to verify it", async (t) => {
  const folder = join(scratch, "one");
  cpSync(texts, folder, { recursive: true });
  const stdout = execFileSync(process.execPath, [join(example, "pipeline.ts"), folder], {
    encoding: "utf8",
    cwd: scratch,
  });
  const lines = stdout.trimEnd().split("\n");
  t.match(lines[0], /^texts {5}5 in one$/);
  t.match(lines[1], /^nodes {5}\d executed, \d done before, \d+\.\d\d s$/);
  t.match(lines[2], /^picture {3}.*chart\.png$/);
  const receipt = /^receipt {3}(sha256:[0-9a-f]{64})$/.exec(lines[3]!)![1]!;
  t.equal(lines.length, 5);
  const verify = new RegExp(`^verify {4}npx ashlar (verify ${receipt} --store \\S+)$`).exec(lines[4]!)![1]!;
  t.match(await ashlar(verify.split(" ")), { code: 0 });
});
