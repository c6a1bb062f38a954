/** `assets-tool keygen`, and `ashlar keygen`. */
import { generateKeys } from "../../../assets-tool/keys.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { columns } from "../columns.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";

export async function keygen(args: Arguments): Promise<number> {
  const path = args.options.get("output")?.[0];
  if (path === undefined || path === "-")
    throw usageError("`keygen` needs a file for the private key.", "Write -o FILE.");
  return answer("keygen", args, () => {
    const { privateKeyFile, publicKeyFile, publicKey } = generateKeys(path);
    const data = { privateKeyFile, publicKeyFile, publicKey: hex(publicKey) };
    const text = (): string =>
      columns([
        ["private key", `${plain(privateKeyFile)} (keep it secret)`],
        ["public key", plain(publicKeyFile)],
        ["", data.publicKey],
      ]);
    return { data, text };
  });
}
