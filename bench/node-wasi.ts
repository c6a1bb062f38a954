/** What the groups share that hold the compiled engine, with fuel and depth, against `node:wasi` on the same modules. */
import { geometricMean, median, milliseconds, progress, ratio, table } from "./report.ts";

export type Side = "compiled" | "node";
/** Milliseconds of the thread, of each turn of a process; the first one is not yet hot. */
export type Times = readonly number[];

interface Row {
  readonly name: string;
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
  /** The ratio of the first turns. */
  readonly first: number;
}

/** Has `once` do each task in so many processes a side, which take turns; medians of their turns. */
export async function againstNode(
  group: string,
  names: readonly string[],
  rounds: number,
  once: (name: string, side: Side) => Promise<Times>,
): Promise<Row[]> {
  const runs = names.map((name) => ({ name, compiled: [] as Times[], node: [] as Times[] }));
  for (let round = 0; round < rounds; round++)
    for (const run of runs)
      for (const side of round % 2 === 0 ? (["compiled", "node"] as const) : (["node", "compiled"] as const)) {
        progress(`${group}: round ${round + 1} of ${rounds}, ${run.name}, ${side}`);
        run[side].push(await once(run.name, side));
      }
  return runs.map(({ name, compiled, node }) => {
    const [ours, theirs] = [later(compiled), later(node)];
    return { name, ours, theirs, ratio: ours / theirs, first: first(compiled) / first(node) };
  });
}

function first(times: readonly Times[]): number {
  return median(times.map(([turn]) => turn!));
}

function later(times: readonly Times[]): number {
  return median(times.flatMap((turns) => turns.slice(1)));
}

export function meanOf(rows: readonly Row[]): number {
  return geometricMean(rows.map((row) => row.ratio));
}

export function tableOf(rows: readonly Row[]): string {
  return table(
    ["task", "compiled:", "node:wasi:", "÷:", "first ÷:"],
    [
      ...rows.map((row) => [
        row.name,
        milliseconds(row.ours),
        milliseconds(row.theirs),
        ratio(row.ratio),
        ratio(row.first),
      ]),
      ["geometric mean", "", "", ratio(meanOf(rows)), ratio(geometricMean(rows.map((row) => row.first)))],
    ],
  );
}

/** Milliseconds of the processor that this thread has had: other work of the machine does not count. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
