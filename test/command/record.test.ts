/** Recordings, replays and traces of the command. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Status } from "../../syscalls/status.ts";
import { ashlar, type Ended, type Given, reportOf, scratch, start, wat } from "./ashlar.ts";
import { SCRIPT } from "./script.ts";
import { TOOL } from "./tool.ts";

await wat("script.wasm", SCRIPT);
await wat("tool.wasm", TOOL);
const at = (path: string): string => join(scratch, path);
mkdirSync(at("data"));

/** Runs the script guest with these words. */
function script(words: readonly string[], options: readonly string[] = [], given: Given = {}): Promise<Ended> {
  return ashlar(["run", "script.wasm", ...options, "--", ...words], given);
}

function replay(...options: string[]): Promise<Ended> {
  return ashlar(["run", "script.wasm", "--replay", "run.rec", ...options]);
}

t.test("[CLI-RECORD-1, CLI-REPLAY-1] a replay is the run again, without its host", async (t) => {
  writeFileSync(at("data/f"), "of the file\n");
  const real = ["--clock", "real", "--seed", "real", "--env", "A=1", "--dir", "data::/d", "--report", "-", "--digest"];
  const words = ["p", "/d/f", "c", "r", "v", "i", "g", "a line", "w", "/d/g", "written"];
  const ends: [string, string[], Partial<Ended>][] = [
    ["exit 0", [], { code: 0 }],
    ["exit 3", ["p", "/d/none"], { code: Status.NOT_FOUND }],
    ["trap", ["T"], { code: 134, stderr: "Unreachable" }],
    ["no fuel", ["L"], { code: 134, stderr: "OutOfFuel" }],
  ];
  for (const [what, last, expected] of ends) {
    const options = [...real, "--fuel", "9007199254740", "--record", "run.rec"];
    if (what === "no fuel") options[options.indexOf("--fuel") + 1] = "200000";
    const first = await reportOf(script([...words, ...last], options, { input: "typed" }));
    t.match(first, { code: expected.code, stderr: expected.stderr ?? "a line\n" }, what);
    t.match(first.report.stateDigest, /^[0-9a-f]{64}$/);
    rmSync(at("data/g"));
    writeFileSync(at("data/f"), "changed since");
    const again = await reportOf(replay("--report", "-", "--digest"));
    t.notOk(existsSync(at("data/g")), "nothing is touched");
    writeFileSync(at("data/f"), "of the file\n");
    t.equal(again.stderr, first.stderr, what);
    t.strictSame(again.output, first.output, what);
    t.strictSame({ ...again.report, durationMs: 0 }, { ...first.report, durationMs: 0 }, what);
  }
});

t.test("[CLI-RECORD-3] one file cannot be two things", async (t) => {
  t.match(await script(["c"], ["--record", "kept.rec"]), { code: 0 });
  const kept = readFileSync(at("kept.rec"));
  const same = [
    ["--replay", "kept.rec", "--trace-file", "./kept.rec"],
    ["--replay", "kept.rec", "--report", at("kept.rec")],
    ["--record", "kept.rec", "--trace-file", "data/../kept.rec"],
    ["--record", "kept.rec", "--stdin", "kept.rec"],
  ];
  for (const options of same)
    t.match(
      await ashlar(["run", "script.wasm", ...options]),
      { code: 2, stderr: /^error\[CLI-USAGE\]: .*same file/ },
      options.join(" "),
    );
  t.strictSame(readFileSync(at("kept.rec")), kept, "none was opened");
  t.match(await script(["c"], ["--trace-file", "/dev/null", "--report", "/dev/null"]), { code: 0 });
});

t.test("[CLI-REPLAY-1] of a call by name: its values, and its results", async (t) => {
  const invoke = "values(-1, 18446744073709551615, nan, -0)";
  const record = ["--invoke", invoke, "--record", "values.rec", "--max-depth", "2000000"];
  const first = await ashlar(["run", "tool.wasm", ...record]);
  t.match(first, { code: 0, stdout: "-1\n-1\nnan\n-0\nnull\n" });
  const again = await ashlar(["run", "tool.wasm", "--replay", "values.rec"]);
  t.strictSame(again, first);
});

t.test("[CLI-REPLAY-2] what a replay is not given, and what it is not", async (t) => {
  t.match(await script(["c"], ["--record", "run.rec"]), { code: 0 });
  const wrong = [
    ["--dir", "data"],
    ["--tmp", "/t"],
    ["--env", "A=1"],
    ["--stdin", "script.wasm"],
    ["--clock", "real"],
    ["--seed", "1"],
    ["--interactive"],
    ["--host-metadata"],
    ["--quota", "files=1"],
    ["--grants", "none.json"],
    ["--record", "other.rec"],
    ["--invoke", "_start"],
    ["--fuel", "1"],
    ["--max-memory", "1MiB"],
    ["--max-depth", "1"],
    ["--", "word"],
  ];
  for (const options of wrong)
    t.match(await replay(...options), { code: 2, stderr: /^error\[CLI-USAGE\]: --replay has/ }, options.join(" "));
  for (const options of [
    ["--record", "-"],
    ["--trace-file", "-"],
  ])
    t.match(await script([], options), { code: 2, stderr: /^error\[CLI-USAGE\]/ });
  t.match(await ashlar(["run", "tool.wasm", "--replay", "run.rec"]), {
    code: 1,
    stdout: "",
    stderr: /^error\[ABI-REPLAY\]: .*module [0-9a-f]{64}/,
  });
  t.match(await ashlar(["run", "script.wasm", "--replay", "none.rec"]), { code: 1, stderr: /^error\[CLI-REPLAY\]/ });
  t.match(await ashlar(["run", "script.wasm", "--replay", "data"]), { code: 1, stderr: /^error\[CLI-REPLAY\]/ });
  t.match(await ashlar(["run", "script.wasm", "--replay", "script.wasm"]), {
    code: 1,
    stderr: /^error\[ABI-RECORDING\]/,
  });
  const bytes = readFileSync(at("run.rec"));
  for (let k = 0; k < bytes.length; k += 37) {
    const damaged = Uint8Array.from(bytes);
    damaged[k]! ^= 1;
    writeFileSync(at("run.rec"), damaged);
    const { report, code } = await reportOf(replay("--report", "-"));
    t.match({ code, report }, { code: 1, report: { outcome: "error", error: { code: "ABI-RECORDING" } } }, `byte ${k}`);
  }
});

t.test("[CLI-RECORD-1] a recording of a run that was killed replays up to there", async (t) => {
  const child = start([
    "run",
    "script.wasm",
    "--interactive",
    "--record",
    "run.rec",
    "--",
    "v",
    "g",
    "ready",
    "i",
    "L",
  ]);
  await once(child.stderr!, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  t.ok(statSync(at("run.rec")).size > 0, "the beginning is there");
  t.match(await replay(), { code: 1, stderr: /^error\[ABI-RECORDING\]/ });

  const script = start(["run", "tool.wasm", "--invoke", "flood(1000000)", "--record", "long.rec"]);
  script.stdout!.once("data", () => script.kill("SIGKILL"));
  await once(script, "close");
  const { stdout, stderr, code } = await ashlar(["run", "tool.wasm", "--replay", "long.rec"]);
  t.match({ code, stderr }, { code: 1, stderr: /^error\[ABI-RECORDING\]/ });
  t.match(stdout, /^(abcdefghijklmno\n)*$/);
});

t.test("[CLI-RECORD-2] the file is emptied first, and must be writable", async (t) => {
  writeFileSync(at("run.rec"), "of an earlier run");
  t.match(await ashlar(["run", "none.wasm", "--record", "run.rec"]), { code: 1 });
  t.equal(statSync(at("run.rec")).size, 0);
  t.match(await script(["g", "It runs."], ["--record", "data"]), {
    code: 1,
    stderr: /^error\[CLI-RECORD\](?![\s\S]*It runs)/,
  });
  if (!existsSync("/dev/full")) return;
  const full = await reportOf(script(["c"], ["--record", "/dev/full", "--report", "-"]));
  t.match(full, { code: 1, report: { outcome: "error", error: { code: "ABI-RECORDING" } } });
});

t.test("[CLI-RECORD-1] a folder that is copied out, and a run that is recorded, are both", async (t) => {
  writeFileSync(at("data/f"), "old");
  t.match(await script(["w", "/t/f", "new"], ["--tmp", "/t=data", "--record", "run.rec"]), { code: 0 });
  t.equal(readFileSync(at("data/f"), "utf8"), "new");
  writeFileSync(at("data/f"), "old");
  t.match(await replay(), { code: 0, stderr: "" });
  t.equal(readFileSync(at("data/f"), "utf8"), "old");
});

t.test(
  "[CLI-TRACE-1, CLI-TRACE-2] traces: all calls, some, as JSON, into a file; and they change nothing",
  async (t) => {
    writeFileSync(at("data/f"), "text");
    const words = ["p", "/d/f", "c", "p", "/d/none"];
    const plain = await reportOf(script(words, ["--dir", "data::/d", "--report", "-", "--digest"]));
    const traced = await reportOf(script(words, ["--dir", "data::/d", "--report", "-", "--digest", "--trace"]));
    t.strictSame({ ...traced.report, durationMs: 0 }, { ...plain.report, durationMs: 0 });
    t.strictSame(traced.output, plain.output);
    const lines = traced.stderr.trimEnd().split("\n");
    t.match(lines[0], /^ +\d+ sys\.args_count\(\) = 5$/);
    t.match(traced.stderr, / fs\.open\(null, "\/d\/f", READ\) = OK, File#2\n/);
    t.match(lines.at(-1), / sys\.exit\(3\) = exit 3$/);

    const some = await script(words, ["--dir", "data::/d", "--trace=fs.*,!fs.read,!fs.close"]);
    t.strictSame(some.stderr.match(/[a-z]+\.[a-z_]+(?=\()/g), [
      "fs.open",
      "fs.write",
      "fs.write",
      "fs.write",
      "fs.open",
    ]);
    const failures = await script(words, ["--dir", "data::/d", "--trace=status:error", "--trace-json"]);
    t.match(JSON.parse(failures.stderr.split("\n")[0]!), { call: "fs.open", status: "NOT_FOUND" });

    const file = await script(words, ["--dir", "data::/d", "--trace-file", "trace.txt"]);
    t.equal(file.stderr, "");
    t.equal(readFileSync(at("trace.txt"), "utf8"), traced.stderr);
    t.match(await script(words, ["--dir", "data::/d", "--record", "run.rec"]), { code: 3 });
    t.equal((await replay("--trace")).stderr, traced.stderr, "of a replay too");

    t.match(
      await script([], ["--trace", "fs.*"]),
      { code: 2, stderr: /^error\[CLI-USAGE\]/ },
      "a value stands behind =",
    );
    t.match(await script(["g", "It runs."], ["--trace=fs.raed"]), {
      code: 2,
      stderr: /^error\[CLI-USAGE\](?![\s\S]*It runs)/,
    });
    t.match(await script(["g", "It runs."], ["--trace-file", "data"]), {
      code: 1,
      stderr: /^error\[CLI-TRACE\](?![\s\S]*It runs)/,
    });
    if (existsSync("/dev/full"))
      t.match(await script(["c"], ["--trace-file", "/dev/full"]), { code: 1, stderr: /^error\[CLI-TRACE\]/ });
  },
);

t.test("[CLI-TRACE-2] a trace shows what a terminal would obey as text", async (t) => {
  const { stderr } = await script(["p", "/\x1b[31m\n\u202e"], ["--dir", "data::/", "--trace=fs.open"]);
  t.notOk(/[\p{Cc}\p{Cf}]/u.test(stderr.trimEnd()));
  t.equal(stderr.split("\n").length, 2);
});

t.test("[CLI-RECORD-1] a recording is the same for the same run", async (t) => {
  const digest = (): string =>
    createHash("sha256")
      .update(readFileSync(at("run.rec")))
      .digest("hex");
  await script(["c", "r", "v"], ["--record", "run.rec"]);
  const first = digest();
  copyFileSync(at("run.rec"), at("first.rec"));
  await script(["c", "r", "v"], ["--record", "run.rec"]);
  t.equal(digest(), first);
});
