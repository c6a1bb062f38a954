/** `ashlar store fsck` and `rebuild`. */
import type { Arguments } from "../arguments.ts";
import { answer } from "./answer.ts";

export async function fsck(args: Arguments): Promise<number> {
  return answer("fsck", args, () => {
    throw new Error("not there yet");
  });
}

export async function rebuild(args: Arguments): Promise<number> {
  return answer("rebuild", args, () => {
    throw new Error("not there yet");
  });
}
