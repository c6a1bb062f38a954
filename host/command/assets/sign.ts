/** `assets-tool sign`. */
import { signAssets } from "../../../assets-tool/sign.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { packOutput } from "./packs.ts";

export async function sign(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const key = options.get("key")?.[0];
  if (key === undefined) throw usageError("`sign` needs a private key.", "Write --key KEY; `keygen` makes one.");
  const output = packOutput(options);
  return answer("sign", args, async () => {
    const force = options.has("force");
    const request = { pack: positionals[0]!, key, output, force };
    const signed = await signAssets(request);
    const data = { output: signed.output, identity: signed.identity, publicKey: hex(signed.publicKey) };
    return { data, text: () => `${plain(data.output)}: signed by ${data.publicKey}\n` };
  });
}
