/** `ashlar store fsck`. */
import { type Problem, Store } from "../../asl/index.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { ExitCode } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { stoppable } from "./stopping.ts";
import { remainsOf, waitingOf } from "./stores.ts";

export async function fsck(args: Arguments): Promise<number> {
  const { options } = args;
  const request = { ...waitingOf(args), deep: options.has("deep"), repair: options.has("repair") };
  return answer("fsck", args, (progress) =>
    stoppable(async (signal) => {
      const folder = remainsOf(args);
      const onProgress = (done: number, total: number): void => progress.update(done, total);
      const data = await Store.fsck(folder, { ...request, onProgress, signal });
      const { problems, omitted } = data;
      const found = problems.length + omitted;
      const isLeft = omitted > 0 || problems.some(({ repaired }) => repaired === undefined);
      const text = (): string => {
        const end = `${counted(data.artifacts, "artifact")}, ${counted(data.bytes, "byte")}: ${found === 0 ? "all as it should be" : counted(found, "problem")}\n`;
        return `${problems.map(problemText).join("")}${end}`;
      };
      return { data, text, exitCode: isLeft ? ExitCode.FAILURE : ExitCode.OK };
    }),
  );
}

/** What is wrong, where, what it harms, and what was done about it. */
export function problemText({ code, message, file, offset, key, affects, repaired }: Problem): string {
  const place = file === undefined ? "" : `${file}${offset === undefined ? "" : ` at byte ${offset}`}: `;
  const lines = [
    `${code}: ${plain(`${place}${key === undefined ? "" : `${key}: `}${message}`)}\n`,
    ...affects.map((what) => `  it harms ${plain(what)}\n`),
    ...(repaired === undefined ? [] : [`  repaired: ${plain(repaired)}\n`]),
  ];
  return lines.join("");
}
