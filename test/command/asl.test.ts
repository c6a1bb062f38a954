/** Stores that the command grants: `--store`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Store } from "../../host/asl/store.ts";
import { Status } from "../../syscalls/status.ts";
import { ARTIFACT_GUEST } from "../syscalls/artifact-guest.ts";
import { keyOf, textOf } from "../syscalls/artifacts.ts";
import { bytesOf } from "../syscalls/packs.ts";
import { ashlar, cache, type Ended, type Given, reportOf, root, scratch, start, wat } from "./ashlar.ts";

await wat("artifacts.wasm", ARTIFACT_GUEST);
const hex = (bytes: Uint8Array): string => Buffer.from(keyOf(bytes)).toString("hex");

async function storeAt(name: string): Promise<string> {
  await (await Store.open(join(scratch, name), { create: true })).close();
  return name;
}
function run(name: string, input: Uint8Array | string, ...flags: readonly string[]): Promise<Ended> {
  return ashlar(["run", "artifacts.wasm", "--invoke", name, ...flags], { input });
}
/** What is in a store by now. */
async function keysIn(name: string): Promise<string[]> {
  const store = await Store.open(join(scratch, name), { readOnly: true });
  const keys = [...store.list()].map(({ key }) => key);
  store.closeSync();
  return keys;
}
/** Nobody writes to it. */
async function isFree(name: string): Promise<boolean> {
  await (await Store.open(join(scratch, name))).close();
  return true;
}

t.test(
  "[ASL-SYS-GRANT-1, ASL-SYS-COMMIT-1, ASL-SYS-COMMIT-2, CLI-GRANT-2] what a run makes is stored, on both engines",
  async (t) => {
    for (const engine of ["compiled", "reference"]) {
      const store = await storeAt(`run-${engine}`);
      const given = ["--store", store, "--engine", engine];
      const text = `made by the ${engine} engine`;
      t.match(await run("make", text, ...given), { code: 0, stdout: hex(Buffer.from(text)), stderr: "" });
      const key = textOf(keyOf(Buffer.from(text)));
      t.same(await keysIn(store), [key]);
      t.match(await run("get", key, ...given), { code: 0, stdout: text });
      t.match(await run("make_and_exit", "five", ...given), { code: 5, stdout: hex(Buffer.from("five")) });
      t.equal((await keysIn(store)).length, 2);
      t.match(await run("make_and_trap", "lost", ...given), {
        code: 134,
        stdout: hex(Buffer.from("lost")),
        stderr: new RegExp(`note: ${store}: nothing was stored, because the guest did not end by itself\n`),
      });
      t.match(await run("make_and_spin", "lost", ...given, "--fuel", "3000000"), { code: 134 });
      t.match(await run("get", keyOf(Buffer.from("lost")), ...given), { code: Status.NOT_FOUND });
      t.equal((await keysIn(store)).length, 2);
    }
    const readOnly = ["--store", "run-compiled:ro"];
    t.match(await run("make", "more", ...readOnly), { code: Status.READ_ONLY, stdout: "" });
    t.match(await run("get", textOf(keyOf(Buffer.from("five"))), ...readOnly), { code: 0, stdout: "five" });
    t.match(await run("make_and_trap", "more", ...readOnly), { code: Status.READ_ONLY, stderr: "" });
    t.match(await run("count", ""), { code: 134, stderr: /MissingCapability/ });
    const grants = { store: { host: "run-compiled", readOnly: true } };
    writeFileSync(join(scratch, "store.json"), JSON.stringify(grants));
    t.match(await run("count", "", "--grants", "store.json"), { code: 0, stdout: "2\n" });
    t.match(await run("make", "more", "--grants", "store.json"), { code: Status.READ_ONLY });
    t.match(await run("make", "more", "--grants", "store.json", "--store", "run-compiled"), { code: 0 });
    const tight = ["--store", "run-compiled", "--quota", "storeBytes=3,storeArtifacts=1,storeWriters=1"];
    t.match(await run("make", "four", ...tight), { code: Status.QUOTA });
    t.match(await run("make", "new", ...tight), { code: 0 });
  },
);

t.test("[ASL-SYS-GRANT-2, CLI-EXIT-1] what is no store, and who else writes to it", async (t) => {
  mkdirSync(join(scratch, "empty"));
  for (const name of ["empty", "missing", "empty:ro"])
    t.match(await run("count", "", "--store", name), { code: 1, stdout: "", stderr: /^error\[ASL-NO-STORE\]/ }, name);
  t.same(readdirSync(join(scratch, "empty")), []);
  const name = await storeAt("locked");
  const store = await Store.open(join(scratch, name));
  await store.put(Buffer.from("there before"));
  const waited = await run("count", "", "--store", name, "--store-wait", "0.05");
  t.match(waited, { code: 1, stdout: "", stderr: /^error\[ASL-LOCKED\]/m });
  t.match(waited.stderr, new RegExp(`process ${process.pid} .*\\n {2}in ${name}\\n`), "both are named");
  t.match(await run("count", "", "--store", `${name}:ro`), { code: 0, stdout: "1\n" });
  const patient = run("count", "", "--store", name);
  setTimeout(() => store.closeSync(), 300);
  t.match(await patient, { code: 0, stdout: "1\n" }, "it waits");
});

/** Ends as `ashlar` does, when `act` has been called at the guest's first word on standard error. */
async function stopped(args: readonly string[], signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
  const child = start(["run", "artifacts.wasm", ...args]);
  child.stdin!.end("in vain");
  child.stdout!.resume();
  const [words] = await once(child.stderr!, "data");
  if (!String(words).startsWith("ready")) throw new Error(String(words));
  child.kill(signal);
  const [code, by] = await once(child, "close");
  return code ?? by;
}

t.test("[ASL-SYS-COMMIT-2, CLI-STOP-1] a run that is stopped stores nothing, and lets others write", async (t) => {
  const store = await storeAt("stopped");
  const files = (): string[] => readdirSync(join(scratch, store, "blocks"));
  const before = files();
  for (const [name, ...flags] of [
    ["make_and_spin"],
    ["make_and_sleep", "--clock", "real"],
    ["make_and_spin", "--engine", "reference"],
  ] as const) {
    t.match(await stopped(["--invoke", name, "--store", store, ...flags], "SIGINT"), /SIGINT|130/);
    t.ok(await isFree(store));
  }
  t.match(await run("make_and_spin", "in vain", "--store", store, "--timeout", "0.4"), {
    code: 124,
    stderr: /nothing was stored/,
  });
  t.match(await stopped(["--invoke", "make_and_spin", "--store", store], "SIGKILL"), "SIGKILL");
  t.ok(await isFree(store), "its owner is dead");
  t.same(await keysIn(store), []);
  t.same(files(), before);
});

/** Runs with files of at most so many KiB: what writes beyond has an error, and no signal, nor a test runner that listens for it. */
async function limited(kib: number, args: readonly string[], { input = "" }: Given): Promise<Ended> {
  const script = join(root, "dist/ashlar.js");
  const child = spawn(
    "sh",
    ["-c", `trap "" XFSZ; unset NODE_OPTIONS; ulimit -f ${kib * 2}; exec "$0" "$@"`, process.execPath, script, ...args],
    {
      cwd: scratch,
      env: { ...process.env, NO_COLOR: "", FORCE_COLOR: "", ASHLAR_CACHE: cache },
    },
  );
  const pieces = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (piece) => void (pieces[name] += piece));
  child.stdin.end(input);
  const [code, signal] = await once(child, "close");
  return { code, signal, ...pieces };
}

t.test("[ASL-SYS-COMMIT-1] a commit that fails exits with 1", { skip: process.platform === "win32" }, async (t) => {
  const store = await storeAt("full");
  t.match(await run("make", "small", "--store", store), { code: 0 });
  const large = bytesOf(900_000, 3);
  const args = ["run", "artifacts.wasm", "--no-cache", "--invoke", "make_and_exit", "--store", store];
  const ended = await limited(256, args, { input: large });
  t.match(ended, { code: 1, stdout: hex(large), stderr: /^error\[ASL-NO-SPACE\].*\n {2}in full\n/ });
  t.ok(await isFree(store));
  t.same(await keysIn(store), [textOf(keyOf(Buffer.from("small")))], "the store is as it was");
  t.match(await run("make", large, "--store", store), { code: 0 });
  t.equal((await keysIn(store)).length, 2);
});

t.test("[REC-REPLAY-1, IMAGE-PREINIT-1] recordings need no store, and images begin with none of it", async (t) => {
  const store = await storeAt("recorded");
  const flags = ["--invoke", "make", "--digest", "--report", "-"];
  const live = await reportOf(
    ashlar(["run", "artifacts.wasm", "--store", store, "--record", "asl.rec", ...flags], { input: "recorded" }),
  );
  const again = await reportOf(ashlar(["run", "artifacts.wasm", "--replay", "asl.rec", ...flags.slice(2)]));
  t.equal(live.code, 0);
  t.same(again.output, live.output);
  t.equal(again.report.stateDigest, live.report.stateDigest);
  t.equal(again.report.fuelUsed, live.report.fuelUsed);
  t.match(await ashlar(["run", "artifacts.wasm", "--replay", "asl.rec", "--store", store]), { code: 2 });
  t.match(await ashlar(["run", "artifacts.wasm", "--replay", "asl.rec", "--store-wait", "1"]), { code: 2 });
  t.equal((await keysIn(store)).length, 1, "a replay stores nothing");
});
