/** `ashlar store rebuild`. */
import type { Arguments } from "../arguments.ts";
import { answer } from "./answer.ts";

export async function rebuild(args: Arguments): Promise<number> {
  return answer("rebuild", args, () => {
    throw new Error("not there yet");
  });
}
