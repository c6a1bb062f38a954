/** `ashlar edge`, as users and scripts meet it. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import t from "tap";
import { edgeProgram } from "../../host/command/edge-verbs.ts";
import { storeProgram } from "../../host/command/store/verbs.ts";
import { scratch } from "./ashlar.ts";
import { type Answered, runInProcess } from "./in-process.ts";

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "" });

const keyOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const edge = (...words: readonly string[]): Promise<Answered> => runInProcess(edgeProgram("ashlar edge"), words);

/** A line that has to do what it says; its lines. */
async function done(...words: readonly string[]): Promise<string[]> {
  const ended = await edge(...words);
  t.match(ended, { code: 0, stderr: "" }, words.join(" "));
  return ended.stdout.split("\n").slice(0, -1);
}

let stores = 0;
async function newStore(): Promise<string> {
  const folder = `edges-${++stores}`;
  const store = async (...words: readonly string[]): Promise<void> => {
    t.equal((await runInProcess(storeProgram("ashlar store"), words)).code, 0, words.join(" "));
  };
  await store("init", folder);
  for (const name of ["draft", "report", "notes"]) {
    writeFileSync(name, name);
    await store("put", folder, name);
  }
  await store("bind", folder, "draft", keyOf("draft"));
  return folder;
}

t.test("[TGK-COMMAND-1, TGK-COMMAND-2, TGK-COMMAND-3] edges come, are listed, and go", async (t) => {
  const store = await newStore();
  const [draft, report, notes, absent] = ["draft", "report", "notes", "nowhere"].map(keyOf) as [
    string,
    string,
    string,
    string,
  ];
  const short = report.slice(7, 17);
  const [id] = await done(
    "add",
    "--store",
    store,
    "--from",
    "draft",
    "--from",
    absent,
    "--to",
    short,
    "--type",
    "300",
    "--roles",
    "5",
  );
  t.match(id, /^[0-9a-f]{64}$/);
  const line = (roles: number): string => `${id}  300  ${roles}  ${draft} ${absent} -> ${report}`;
  t.same(await done("list", "--store", store), [line(5)]);
  t.same(
    await done(
      "add",
      "--store",
      store,
      "--from",
      draft,
      "--from",
      absent,
      "--to",
      report,
      "--type",
      "0x12c",
      "--roles",
      "5",
    ),
    [id],
  );
  t.same(await done("add", "--store", store, "--from", draft, "--from", absent, "--to", report, "--type", "300"), [id]);
  t.same(await done("list", "--store", store), [line(0)], "the last roles count");
  t.equal((await runInProcess(storeProgram("ashlar store"), ["snapshot", store, "then"])).code, 0);
  const [back] = await done("add", "--store", store, "--from", report, "--to", draft);
  t.same(await done("list", "draft", "--store", store), [`${back}  256  0  ${report} -> ${draft}`, line(0)]);
  t.same(await done("list", "draft", "--store", store, "--side", "from"), [line(0)]);
  t.same(await done("list", "draft", "--store", store, "--side", "to", "--type", "300"), []);
  t.same(await done("list", "--store", store, "--type", "300", "--type", "7"), [line(0)]);
  t.same(await done("list", "--store", store, "--roles", "1"), []);
  t.same(await done("list", notes, "--store", store), []);
  t.same(await done("list", absent, "--store", store), [line(0)]);
  t.same(await done("list", "draft", "--store", store, "--at", "then"), [line(0)]);
  const [json] = await done("list", "draft", "--store", store, "--json", "--side", "from");
  t.same(JSON.parse(json!), {
    schema: "ashlar.edge.list/1",
    id,
    type: 300,
    roles: 0,
    from: [draft, absent],
    to: [report],
  });
  t.same(await done("remove", id!.slice(0, 8), "--store", store), []);
  t.same(await done("list", "--store", store), [`${back}  256  0  ${report} -> ${draft}`]);
  t.same(await done("list", "--store", store, "--at", "then"), [line(0)]);
  const [added] = await done("add", "--store", store, "--to", notes, "--json");
  t.match(JSON.parse(added!), { schema: "ashlar.edge.add/1", type: 256, roles: 0, from: [], to: [notes], isNew: true });
  const [loop] = await done("add", "--store", store, "--from", report, "--to", report, "--type", "400");
  t.same(
    (await done("list", report, "--store", store)).map((text) => text.slice(0, 64)),
    [loop, back],
  );
  const [again] = await done("add", "--store", store, "--to", notes, "--json");
  t.match(JSON.parse(again!), { isNew: false });
});

t.test("[TGK-COMMAND-1, TGK-COMMAND-2, TGK-COMMAND-3] what is refused", async (t) => {
  const store = await newStore();
  const refused: readonly [code: number, stderr: RegExp, ...words: string[]][] = [
    [2, /--store DIR/, "add", "--to", "draft"],
    [2, /what the edge is about/, "add", "--store", store],
    [2, /from 256 on/, "add", "--store", store, "--to", "draft", "--type", "255"],
    [2, /below 2\^32/, "add", "--store", store, "--to", "draft", "--type", "4294967296"],
    [2, /from 0 to 255/, "add", "--store", store, "--to", "draft", "--roles", "256"],
    [1, /ASL-NOT-FOUND/, "add", "--store", store, "--to", "nothing"],
    [1, /CLI-KEY/, "add", "--store", store, "--to", "sha256:12"],
    [1, /ASL-NO-STORE/, "list", "--store", "nowhere"],
    [2, /--side/, "list", "--store", store, "--side", "from"],
    [2, /--side/, "list", "draft", "--store", store, "--side", "both"],
    [1, /ASL-NOT-FOUND/, "list", "--store", store, "--at", "never"],
    [1, /CLI-KEY/, "remove", "1234", "--store", store],
    [1, /TGK-NOT-FOUND/, "remove", "12345678", "--store", store],
    [1, /TGK-NOT-FOUND/, "remove", "0".repeat(64), "--store", store],
  ];
  for (const [code, stderr, ...words] of refused)
    t.match(await edge(...words), { code, stdout: "", stderr }, words.join(" "));
  const { code, stdout } = await edge("remove", "12345678", "--store", store, "--json");
  t.match(
    { code, data: JSON.parse(stdout) },
    { code: 1, data: { schema: "ashlar.edge.remove/1", error: { code: "TGK-NOT-FOUND" } } },
  );
});
