/** The runner of the official suite, on tests of our own: one that calls everything passed would be worse than none. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { type Exception, linesOf, resultsOf, staleExceptions } from "./report.ts";
import { type Answer, differenceOf, failureOf, withGrants } from "./run.ts";
import { findTests, readScript, ScriptError } from "./suite.ts";

const scratch = mkdtempSync(join(tmpdir(), "ashlar-suite-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const NOTHING = {
  args: [],
  env: {},
  root: undefined,
  stdin: "",
  reads: [],
  exitCode: 0,
  host: {},
};
const FINE: Answer = { ending: 0, stdout: "", stderr: "", fuel: 5n, stateDigest: "d" };

t.test("what a test is given and answers, in both styles", async (t) => {
  t.same(readScript({}, "/x"), NOTHING);
  t.same(readScript({ args: ["a"], root: "r", env: { A: "1" }, exit_code: 3, stdout: "o", stderr: null }, "/x"), {
    ...NOTHING,
    args: ["a"],
    root: "/x/r",
    env: { A: "1" },
    exitCode: 3,
    reads: [{ stream: "stdout", text: "o" }],
  });
  t.same(readScript({ operations: [{ type: "run" }, { type: "wait" }], proposals: [], debug: true }, "/x"), NOTHING);
  const operations = [
    { type: "run", args: ["a"], root: null },
    { type: "write", id: "stdin", payload: "in" },
    { type: "read", payload: "one" },
    { type: "read", id: "stderr", payload: "two" },
    { type: "wait", exit_code: 1 },
  ];
  const reads = [
    { stream: "stdout", text: "one" },
    { stream: "stderr", text: "two" },
  ];
  t.same(readScript({ operations }, "/x"), { ...NOTHING, args: ["a"], stdin: "in", reads, exitCode: 1 });

  const refused: readonly [unknown, RegExp][] = [
    [[], /no object/],
    [{ arguments: [] }, /arguments is unknown/],
    [{ args: "a" }, /args is no list/],
    [{ args: [1] }, /args is no text/],
    [{ exit_code: "1" }, /number/],
    [{ args: [], operations }, /mixed/],
    [{ operations: [{ type: "run" }] }, /end with wait/],
    [{ operations: [{ type: "wait" }, { type: "run" }] }, /begin with run/],
    [{ operations: [{ type: "run" }, { type: "run" }, { type: "wait" }] }, /once/],
    [{ operations: [{ type: "run" }, { type: "kill" }, { type: "wait" }] }, /kill is not supported/],
    [{ operations: [{ type: "run" }, { type: "read", id: "x" }, { type: "wait" }] }, /no stream x/],
    [{ operations, proposals: ["sockets"] }, /more than preview 1/],
  ];
  for (const [json, message] of refused) t.throws(() => readScript(json, "/x"), message);
});

t.test("an answer that is not what the test wants", async (t) => {
  const script = readScript({ stdout: "ab", stderr: "c", exit_code: 2 }, "/x");
  const right: Answer = { ...FINE, ending: 2, stdout: "ab, and more", stderr: "c" };
  t.equal(failureOf(script, right), undefined);
  t.match(failureOf(script, { ...right, ending: 0 }), /expected exit code 2, got 0; stderr "c"/);
  t.match(failureOf(script, { ...right, ending: "trap: x" }), /got trap: x/);
  t.match(failureOf(script, { ...right, stdout: "a" }), /expected "ab" on stdout, got "a"/);
  t.match(failureOf(script, { ...right, stderr: "" }), /expected "c" on stderr, got ""/);
  t.equal(differenceOf(FINE, FINE), undefined);
  t.match(differenceOf(FINE, { ...FINE, fuel: 6n }), /fuel is 5 on the compiled engine, 6 on/);
  t.match(differenceOf(FINE, { ...FINE, stateDigest: "e" }), /stateDigest/);
});

t.test("a test has a fresh copy of its folder, without what earlier runs left", async (t) => {
  const root = join(scratch, "root");
  mkdirSync(join(root, "d.cleanup/x"), { recursive: true });
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/f.cleanup"), "");
  writeFileSync(join(root, "d/f"), "");
  symlinkSync("../away", join(root, "link"));
  const script = { ...NOTHING, root };
  const seen = withGrants(script, "directory", ({ dirs, tmp }) => {
    t.equal(tmp, undefined);
    const { host, guest } = dirs![0]!;
    t.equal(guest, "/");
    t.same(readdirSync(host, { recursive: true }).sort(), ["d", "d/f", "link"]);
    writeFileSync(join(host, "new"), "");
    return host;
  });
  t.throws(() => readdirSync(seen), { code: "ENOENT" });
  t.same(readdirSync(root).sort(), ["d", "d.cleanup", "link"], "the folder itself is left alone");
  withGrants(script, "memory", ({ tmp, dirs }) => t.match({ tmp, dirs }, { tmp: [{ guest: "/" }], dirs: undefined }));
  t.same(
    withGrants({ ...NOTHING, env: { A: "1" } }, "memory", (grants) => grants),
    { env: { A: "1" } },
  );
});

t.test("exceptions", async (t) => {
  const test = { suite: "s", name: "n", module: "n.wasm", script: readScript({}, "/x") };
  const bad: Answer = { ...FINE, ending: 7 };
  const outcomes = (answers: readonly Answer[], exceptions: readonly Exception[] = [], missing = "lost") =>
    resultsOf(test, answers, missing, exceptions).map(({ outcome }) => outcome);
  t.same(outcomes([FINE, FINE, FINE, FINE]), ["passed", "passed", "passed", "passed"]);
  t.same(outcomes([bad, bad, FINE, FINE]), ["failed", "failed", "passed", "passed"]);
  t.same(outcomes([FINE, { ...FINE, fuel: 6n }, FINE]), ["passed", "failed", "passed", "failed"]);
  const exception: Exception = { suite: "s", test: "n", fileSystem: "directory", answer: "got 7", reason: "r" };
  t.same(outcomes([bad, bad, FINE, FINE], [exception]), ["excepted", "excepted", "passed", "passed"]);
  t.same(outcomes([bad, FINE, bad, FINE], [exception]), ["excepted", "failed", "failed", "failed"]);
  t.same(outcomes([{ ...bad, ending: 8 }], [exception]), ["failed", "failed", "failed", "failed"]);
  const results = resultsOf(test, [FINE, FINE, bad], "lost", []);
  t.same(staleExceptions(results, [exception, { ...exception, suite: "other" }]), []);
  t.same(staleExceptions(results, [{ ...exception, test: "m" }]), [{ ...exception, test: "m" }]);
  t.same(linesOf(results, []), [
    "FAILED n (s), memory, compiled: expected exit code 0, got 7",
    "FAILED n (s), memory, reference: lost",
    "directory, compiled: 1 passed, 0 failed, 0 as exceptions say",
    "directory, reference: 1 passed, 0 failed, 0 as exceptions say",
    "memory, compiled: 0 passed, 1 failed, 0 as exceptions say",
    "memory, reference: 0 passed, 1 failed, 0 as exceptions say",
    "1 tests on 2 file systems and both engines",
  ]);
});

t.test("the command", async (t) => {
  const folder = join(scratch, "tests/c/wasm32-wasip1");
  const other = join(scratch, "tests/c/wasm32-wasip3");
  for (const path of [folder, other]) mkdirSync(path, { recursive: true });
  const exit = (code: number): string => `(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const ${code}))))`;
  const write = async (path: string, wat: string): Promise<void> => writeFileSync(path, await loadWat(wat));
  await write(join(folder, "good.wasm"), exit(4));
  writeFileSync(join(folder, "good.json"), `{ "exit_code": 4 }`);
  await write(join(other, "later.wasm"), exit(1));
  writeFileSync(join(folder, "manifest.json"), `{ "name": "Some tests" }`);
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [fileURLToPath(new URL("../wasi-testsuite.ts", import.meta.url)), ...args], {
      encoding: "utf8",
    });
  const fine = run(join(scratch, "tests"));
  t.match(fine, { status: 0, stdout: /memory, reference: 1 passed, 0 failed.*\n1 tests on 2 file systems/s });

  await write(join(folder, "bad.wasm"), exit(1));
  writeFileSync(join(folder, "odd.json"), `{ "exit_code": [] }`);
  await write(join(folder, "odd.wasm"), exit(0));
  const json = join(scratch, "report.json");
  const failed = run(scratch, "--json", json);
  t.equal(failed.status, 1);
  t.match(failed.stdout, /FAILED bad \(Some tests\), memory, compiled: expected exit code 0, got 1\n/);
  t.match(failed.stdout, /FAILED odd \(Some tests\), directory, reference: odd.json: exit_code is a number\n/);
  t.notMatch(failed.stdout, /good|later/);
  t.match(JSON.parse(readFileSync(json, "utf8")).totals[3], {
    fileSystem: "memory",
    passed: 1,
    failed: 2,
    excepted: 0,
  });
  await write(join(folder, "endless.wasm"), `(module (func (export "_start") (loop (br 0))))`);
  const endless = run(scratch, "--test", "endless", "--timeout", "1");
  t.match(endless, { status: 1, stdout: /FAILED endless \(Some tests\), directory, compiled: no end after 1 s\n/ });
  t.match(run(join(folder, "good.wasm"), "--test", "good"), { status: 0 });
  t.match(run(scratch, "--test", "none"), { status: 2, stderr: /there is no test/ });
  t.match(run(join(scratch, "nowhere")), { status: 2, stderr: /there is no/ });
  t.match(run(), { status: 2, stderr: /^usage/ });
  t.equal(findTests(scratch).filter(({ script }) => script instanceof ScriptError).length, 1);
});
