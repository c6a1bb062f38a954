/** `assets-tool sign`. */
import { signAssets } from "../../../assets-tool/sign.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";

export async function sign(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const key = options.get("key")?.[0];
  if (key === undefined) throw usageError("`sign` needs a private key.", "Write --key KEY; `keygen` makes one.");
  return answer("sign", args, async () => {
    const force = options.has("force");
    const request = { pack: positionals[0]!, key, output: options.get("output")?.[0], force };
    const { output, identity, publicKey } = await signAssets(request);
    const data = { output, identity, publicKey: hex(publicKey) };
    return { data, text: () => `${plain(output)}: signed by ${data.publicKey}\n` };
  });
}
