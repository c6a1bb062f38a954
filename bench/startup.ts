/** The start-up group: wall time of whole processes. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { binaryOf } from "./kernels.ts";
import { atMost, file, type Group, median, milliseconds, type Options, progress, table } from "./report.ts";

export async function startupGroup({ rounds, folder }: Options): Promise<Group> {
  const title = "Start-up";
  const command = fileURLToPath(new URL("../dist/ashlar.js", import.meta.url));
  if (!existsSync(command)) return { title, text: "Not measured: dist/ashlar.js is not built.", targets: [] };
  const guest = file(folder, "empty-start.wasm", binaryOf('(module (func (export "_start")))'));
  const forms = [
    { what: "`node -e 0`", args: ["-e", "0"], times: [] as number[] },
    { what: "`ashlar run` of an empty guest", args: [command, "run", guest], times: [] as number[] },
    {
      what: "the same with `--engine reference`",
      args: [command, "run", "--engine", "reference", guest],
      times: [] as number[],
    },
  ];
  for (let round = 0; round < 4 * rounds; round++) {
    progress(`start-up ${round + 1} of ${4 * rounds}`);
    for (const { args, times } of forms) times.push(await spawned(args));
  }
  const [bare, ours] = forms.map(({ times }) => times) as [number[], number[]];
  const fastest = Math.min(...ours) - Math.min(...bare);
  const middle = median(ours) - median(bare);
  const show = (value: number) =>
    value === middle ? `${value.toFixed(1)} ms (fastest: ${fastest.toFixed(1)} ms)` : `${value} ms`;
  return {
    title,
    text: `Wall time of whole processes, ${4 * rounds} interleaved runs of each.

${table(
  ["what", "fastest:", "median:"],
  forms.map(({ what, times }) => [what, milliseconds(Math.min(...times)), milliseconds(median(times))]),
)}`,
    targets: [atMost("empty guest over `node -e 0`, medians", 40, middle, show)],
  };
}

function spawned(args: readonly string[]): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, _, stderr) => {
      if (error !== null) reject(new Error(`${args.join(" ")}: ${stderr || error.message}`));
      else resolve(performance.now() - start);
    });
  });
}
