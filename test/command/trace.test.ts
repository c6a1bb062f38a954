/** `ashlar verify`, `replay`, `why` and `trace`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Store } from "../../host/asl/index.ts";
import type { Program } from "../../host/command/command.ts";
import { ASHLAR } from "../../host/command/commands.ts";
import { decodeClaim, encodeNodeClaim, type NodeClaim, TypeTag } from "../../host/pel/claim.ts";
import { stageEdge } from "../../host/tgk/index.ts";
import { cache, scratch } from "./ashlar.ts";
import { type Answered, runInProcess } from "./in-process.ts";

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "", ASHLAR_CACHE: cache });

function run(...words: readonly string[]): Promise<Answered> {
  return runInProcess(ASHLAR as unknown as Program<unknown>, words);
}

async function json(...words: readonly string[]) {
  const ended = await run(...words, "--json");
  return { ...ended, data: JSON.parse(ended.stdout) };
}

writeFileSync("text", "hello world");
writeFileSync(
  "parts.pel.json",
  JSON.stringify({
    nodes: {
      text: { op: "input" },
      head: { op: "slice", of: "text", offset: 0, length: 4 },
      both: { op: "concat", of: ["head", "text"] },
      sum: { op: "hash", of: "both" },
    },
    outputs: { sum: "sum", both: "both" },
  }),
);
await run("store", "init", "disk");
const ran = (await json("pel", "run", "parts.pel.json", "--store", "disk", "--input", "text=@text", "--nodes")).data;
const { receipt } = ran;
const keyOf = (label: string): string => ran.all.find((node: { label: string }) => node.label === label).key;
const text = keyOf("text");
const sum = keyOf("sum");

/** Changes a store as no command does. */
async function withStore<Result>(use: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await Store.open("disk", {});
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

t.test("[CLI-PEL-12] verify: what is true, and the first thing that is not", async (t) => {
  t.match(await json("verify", receipt, "--store", "disk"), {
    code: 0,
    data: {
      ...{ schema: "ashlar.verify/1", receipt, kind: "run", verdict: "verified" },
      ...{ findings: [], more: 0, unstored: [] },
    },
  });
  t.match(await run("verify", receipt.slice(7, 20), "--store", "disk", "--deep", "--engine", "reference"), {
    code: 0,
    stdout: new RegExp(`^verified +${receipt} +the receipt of a run\nrun again +\\d+ receipts? as recorded\n$`),
  });
  // A receipt that lies: about its first output.
  const { data } = await json("pel", "graph", receipt, "--store", "disk");
  const hash = data.nodes.find(({ op }: { op: string }) => op === "hash");
  const lie = await withStore(async (store) => {
    const claim = decodeClaim(store.get(hash.receipt.receipt)!) as NodeClaim;
    const false_ = { ...claim, outputs: [{ key: text as NodeClaim["outputs"][0]["key"], tag: undefined }] };
    return store.put(encodeNodeClaim(false_), { typeTag: TypeTag.CLAIM });
  });
  const found = await json("verify", lie, "--store", "disk");
  t.match(found, {
    code: 1,
    data: {
      kind: "node",
      verdict: "differs",
      verified: 0,
      findings: [{ type: "differs", receipt: lie, op: "hash", output: { index: 0, name: null }, offset: /^\d+$/ }],
    },
  });
  t.match(await run("verify", lie, "--store", "disk"), {
    code: 1,
    stdout: new RegExp(`^differs +${lie}[\\s\\S]*\ndiffers: ${lie}.*hash\\)\n {2}\\S`),
  });
  t.match(await run("verify", "parts.pel.json", "--store", "disk"), {
    code: 1,
    stderr: /ASL-NOT-FOUND[\s\S]*--public-key FILE/,
  });
  t.match(await run("verify", text, "--store", "disk"), { code: 1, stderr: /^error\[PEL-RECEIPT\]/ });
});

t.test("[CLI-PEL-13] replay: everything is made again in an empty store", async (t) => {
  const told = await json("replay", receipt, "--store", "disk", "--into", "again");
  t.match(told, {
    code: 0,
    data: { schema: "ashlar.replay/1", into: "again", verdict: "verified", runs: 1, findings: [], more: 0 },
  });
  t.equal(told.data.sources.artifacts, 2, "the text and the program");
  t.match(await run("store", "get", "again", sum, "-o", "again.bin"), { code: 0 });
  await run("store", "get", "disk", sum, "-o", "disk.bin");
  t.strictSame(readFileSync("again.bin"), readFileSync("disk.bin"));
  t.match(await run("verify", receipt, "--store", "again"), { code: 0 });
  t.match(await run("replay", receipt, "--store", "disk", "--into", "again"), {
    code: 1,
    stderr: /^error\[ASL-EXISTS\]/,
  });
  // The whole store, with the receipt that lies.
  const all = await run("replay", "--store", "disk", "--into", "all");
  t.match(all, { code: 1, stdout: /^differs +all\n[\s\S]*\ncopied +\d+ artifacts/ });
  t.match(await run("replay", "--store", "nowhere", "--into", "more"), { code: 1, stderr: /^error\[ASL-NO-STORE\]/ });
  t.notOk(existsSync("more"));
});

t.test("[CLI-PEL-14] why: the receipts, down to sources", async (t) => {
  const found = await json("why", sum, "--store", "disk");
  t.match(found, { code: 0, data: { schema: "ashlar.why/1", key: sum, isWhole: true } });
  const nodes = found.data.nodes as { id: string; label: string; op: string; key: string }[];
  t.strictSame(
    nodes.filter(({ op }) => op === "receipt").map(({ label }) => label),
    ["hash", "concat", "slice"],
  );
  t.strictSame(
    nodes.filter(({ label }) => label === "source").map(({ key }) => key),
    [text],
  );
  t.match((await run("why", sum, "--store", "disk")).stdout.split("\n"), [
    /^artifact {2}sha256:\S+ {2}32 bytes$/,
    /^└─ hash {2}receipt {2}sha256:\S+ {2}fuel [\d,]+$/,
    /^ {3}└─ artifact/,
    /^ {6}└─ concat {2}receipt/,
    /^ {9}├─ artifact .* 4 bytes$/,
    /^ {9}│ {2}└─ slice {2}receipt/,
    /^ {9}│ {5}└─ source .* 11 bytes {2}input$/,
    /^ {9}└─ source .* 11 bytes {2}input$/,
  ]);
  t.match(await run("why", receipt, "--store", "disk", "--depth", "1"), {
    code: 0,
    stdout: /^run {2}receipt .*\n├─ program: program .*\n├─ text: source .*\n├─ node 1: slice .*\(more below\)\n/,
  });
  t.match(await run("why", sum, "--store", "disk", "--dot"), { stdout: /^digraph "why sha256:/ });
  t.match(await json("why", sum, "--store", "disk", "--html", "why.html"), {
    data: { html: "why.html", nodes: 7, edges: 7 },
  });
  t.match(readFileSync("why.html", "utf8"), /^<!doctype html>/);
  t.match(await run("why", `sha256:${"0".repeat(64)}`, "--store", "disk"), {
    code: 1,
    stderr: /^error\[PEL-ARGUMENT\]/,
  });
});

t.test("[CLI-PEL-15] trace: edges from both ends, of users too, and in a circle", async (t) => {
  const labels = ({ data }: { data: { nodes: { label: string; op: string }[] } }) =>
    data.nodes.map(({ label, op }) => (op === "" ? label : `${label} ${op}`)).toSorted();
  const backward = await json("trace", sum, "--store", "disk", "--type", "execution");
  t.match(backward, { code: 0, data: { schema: "ashlar.trace/1", key: sum, direction: "backward", isWhole: true } });
  t.strictSame(labels(backward), [
    ...["artifact", "artifact", "artifact", "artifact"],
    ...["execution concat", "execution hash", "execution slice"],
  ]);
  const near = await json("trace", text, "--store", "disk", "--forward", "--depth", "1");
  t.strictSame(
    labels(near).filter((label) => /execution|run/.test(label)),
    ["execution concat", "execution slice", "run"],
  );
  t.match(await json("trace", text, "--store", "disk", "--forward", "--tag", "0x103", "--type", "run"), {
    data: { nodes: [{ label: "artifact" }, {}, {}, {}, {}] },
  });
  t.match(await json("trace", text, "--store", "disk", "--forward", "--limit", "1"), {
    stderr: /^note: there are more edges than 1/,
    data: { isWhole: false },
  });
  const shown = (await run("trace", sum, "--store", "disk", "--type", "1")).stdout.split("\n");
  t.match(shown, [/^artifact {2}sha256:\S+ {2}32 bytes$/, /^└─ execution {2}hash {2}fuel [\d,]+$/, /^ {3}└─ artifact/]);

  await run("store", "snapshot", "disk", "before");
  await withStore(async (store) => {
    const batch = store.batch();
    const [one, other] = [text, sum].map((key) => key as NodeClaim["outputs"][0]["key"]) as [never, never];
    stageEdge(batch, { from: [one], to: [other], type: 300, roles: 0 }, { logseq: 1 });
    stageEdge(batch, { from: [other], to: [one], type: 300, roles: 5 }, { logseq: 1 });
    await batch.commit();
  });
  const circle = await json("trace", text, "--store", "disk", "--type", "300");
  t.match(circle.data.edges.length, 4);
  t.match(await run("trace", text, "--store", "disk", "--type", "300"), {
    stdout:
      /^artifact .*\n└─ edge of type 300\n {3}└─ artifact .*\n {6}└─ edge of type 300\n {9}└─ artifact .* \(above\)\n$/,
  });
  t.match(await json("trace", text, "--store", "disk", "--type", "300", "--html", "circle.html"), { code: 0 });
  t.match(await json("trace", text, "--store", "disk", "--type", "300", "--at", "before"), { data: { edges: [] } });
  t.match(await run("trace", "nothing", "--store", "disk"), { code: 1, stderr: /^error\[ASL-NOT-FOUND\]/ });
  t.ok(readdirSync(join(scratch, "disk")).includes("log"));
});
