/** `ashlar store rebuild`. */
import { folderVolume } from "../../asl/folder-volume.ts";
import { processOwners } from "../../asl/owner.ts";
import { rebuildVolume } from "../../asl/rebuild.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { problemText } from "./fsck.ts";
import { stoppable } from "./stopping.ts";
import { remainsOf, waitingOf } from "./stores.ts";

export async function rebuild(args: Arguments): Promise<number> {
  const request = waitingOf(args);
  return answer("rebuild", args, (progress) =>
    stoppable(async (signal) => {
      const folder = remainsOf(args);
      const onProgress = (done: number, total: number): void => progress.update(done, total);
      const data = await rebuildVolume(folderVolume(folder), processOwners(), { ...request, onProgress, signal });
      const { artifacts, found, lost, damaged, unknown, quarantined } = data;
      const lines = [
        ...damaged.map(problemText),
        ...unknown.map((what) => `not known: ${plain(what)}\n`),
        ...quarantined.map((path) => `moved to quarantine: ${plain(path)}\n`),
        `${counted(artifacts, "record")}, of which ${found} no log told; ${counted(lost, "position")} of which nothing is known\n`,
      ];
      return { data, text: () => lines.join("") };
    }),
  );
}
