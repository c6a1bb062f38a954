/** `ashlar completion`, in the shells themselves. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Program } from "../../host/command/command.ts";
import { ASHLAR } from "../../host/command/commands.ts";
import { runInProcess } from "./in-process.ts";

const folder = t.testdir({ "file one": "", "file-two": "" });

/** The script for a shell, as a file. */
async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runInProcess(ASHLAR as unknown as Program<unknown>, ["completion", shell]);
  t.equal(code, 0, shell);
  const path = join(folder, `script.${shell}`);
  writeFileSync(path, stdout);
  return path;
}

/** Every line up to a command, with the words and options that may follow. */
async function linesOf(program: Program<never>): Promise<{ line: string; words: string[]; options: string[] }[]> {
  const words = [...program.commands.map(({ name }) => name), "help"];
  const all = [{ line: program.name, words, options: [] as string[] }];
  for (const row of program.commands) {
    const line = `${program.name} ${row.name}`;
    if ("verbs" in row) all.push(...(await linesOf(await row.verbs(line))));
    else all.push({ line, words: [], options: [...row.options.map(({ name }) => `--${name}`), "--help"] });
  }
  return all;
}

function isThere(shell: string): boolean {
  return spawnSync(shell, ["-c", "exit 7"]).status === 7;
}

/** What is offered for the last word of each line. */
function completedByBash(script: string, lines: readonly (readonly string[])[]): string[][] {
  const asks = lines.map((words) => {
    const list = words.map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _ashlar; echo "\${COMPREPLY[*]}"`;
  });
  const program = [`source '${script}'`, ...asks].join("\n");
  const text = execFileSync("bash", ["--norc", "-s"], { cwd: folder, input: program, encoding: "utf8" });
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" ").filter((word) => word !== ""));
}

t.test("[CLI-COMPLETION-1, CLI-COMPLETION-2] bash completes every command, verb and option", async (t) => {
  const script = await scriptFor("bash");
  const places = await linesOf(ASHLAR as Program<never>);
  t.ok(places.length > 30);
  const lines = places.map(({ line, words }) => [...line.split(" "), words.length > 0 ? "" : "--"]);
  const found = completedByBash(script, lines);
  for (const [k, { line, words, options }] of places.entries())
    t.strictSame(found[k]!.toSorted(), (words.length > 0 ? words : options).toSorted(), line);

  const cases: [line: string, offered: string[]][] = [
    ["ashlar comp", ["completion"]],
    ["ashlar nothing", []],
    ["ashlar completion ", ["bash", "zsh", "fish"]],
    ["ashlar store st", ["stat", "stats"]],
    ["ashlar help st", ["store"]],
    ["ashlar help store unb", ["unbind"]],
    ["ashlar run --engine ", ["compiled", "reference"]],
    ["ashlar run --engine = r", ["reference"]],
    ["ashlar run --engine =", ["compiled", "reference"]],
    ["ashlar run guest.wasm --sum", ["--summary"]],
    ["ashlar run --fuel ", []],
    ["ashlar run --stdin ", []],
    ["ashlar run guest.wasm -- --en", []],
    ["ashlar new x --lang ", ["as", "c", "rust", "wat"]],
    ["ashlar store get disk --", ["--output", "--offset", "--length", "--at", "--json", "--help"]],
  ];
  const offered = completedByBash(
    script,
    cases.map(([line]) => line.split(" ")),
  );
  for (const [k, [line, expected]] of cases.entries()) t.strictSame(offered[k], expected, line);
  t.match(await runInProcess(ASHLAR as unknown as Program<unknown>, ["completion", "tcsh"]), {
    code: 2,
    stderr: /no completion for "tcsh"[\s\S]*bash, zsh, fish/,
  });
});

t.test("[CLI-COMPLETION-1] the scripts tell every option with what it does", async (t) => {
  const [zsh, fish] = [await scriptFor("zsh"), await scriptFor("fish")].map((path) =>
    execFileSync("cat", [path], { encoding: "utf8" }),
  );
  for (const { line, options } of await linesOf(ASHLAR as Program<never>)) {
    for (const option of options)
      if (!fish!.includes(`"${line}"' -l ${option.slice(2)} `)) t.fail(`fish: ${line} ${option}`);
    const place = zsh!.slice(zsh!.indexOf(`    ('${line}')\n`));
    const end = place.indexOf("\n      ;;");
    for (const option of options)
      if (!new RegExp(`'\\*?${option}(=-?)?\\[`).test(place.slice(0, end))) t.fail(`zsh: ${line} ${option}`);
  }
  t.end();
});

t.test("[CLI-COMPLETION-2] fish completes", { skip: isThere("fish") ? false : "there is no fish" }, async (t) => {
  const script = await scriptFor("fish");
  const complete = (line: string): string[] => {
    const text = execFileSync("fish", ["--no-config", "-c", `source '${script}'; complete -C '${line}'`], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, HOME: folder },
    });
    return text.split("\n").slice(0, -1);
  };
  t.strictSame(complete("ashlar comp"), ["completion\tprint a script by which a shell completes lines"]);
  t.strictSame(
    complete("ashlar store st").map((line) => line.split("\t")[0]),
    ["stat", "stats"],
  );
  t.strictSame(
    complete("ashlar run --engine ").map((line) => line.split("\t")[0]),
    ["compiled", "reference"],
  );
  t.strictSame(complete("ashlar store get --off"), ["--offset\tBegin at this byte"]);
  t.strictSame(complete("ashlar run file-"), ["file-two"]);
  t.end();
});

t.test("[CLI-COMPLETION-2] zsh completes", { skip: isThere("zsh") ? false : "there is no zsh" }, async (t) => {
  const script = await scriptFor("zsh");
  const driver = `
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z "PS1='> '; autoload -Uz compinit; compinit -u -D; source $1; stty cols 200 rows 200; echo REA''DY"
    zpty -r z out '*READY*'
    zpty -w -n z "$2"$'\\t\\t'
    zpty -r z out "*$3*"
    print -r -- "$out"`;
  const complete = (line: string, expected: string): string =>
    // It waits for what is expected.
    spawnSync("zsh", ["-f", "-c", driver, "zsh", script, line, expected], {
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
      env: { ...process.env, TERM: "dumb", HOME: folder },
    }).stdout;
  t.match(complete("ashlar store un", "unpin"), /unpin/);
  t.match(complete("ashlar comp", "completion"), /completion/);
  t.match(complete("ashlar run --engine=", "reference"), /compiled/);
  t.match(complete("ashlar store get disk --off", "offset="), /--offset=/);
  t.end();
});
