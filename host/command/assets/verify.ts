/** `assets-tool verify`. */
import { readPublicKey } from "../../../assets-tool/keys.ts";
import { type Verification, verifyPacks } from "../../../assets-tool/verify.ts";
import { DEFAULT_SLOTS } from "../../assets/format.ts";
import { IDENTITY } from "../../assets/identity.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { usageError } from "../failure.ts";
import { parseCount } from "../quantities.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { withStack } from "./packs.ts";

const MOST_SLOTS = 2n ** 32n;

export async function verify(args: Arguments): Promise<number> {
  const { positionals, options } = args;
  const key = options.get("key")?.[0];
  const identity = options.get("identity")?.[0];
  if (identity !== undefined && !IDENTITY.test(identity))
    throw usageError(`--identity takes mi2:…:…, not ${JSON.stringify(identity)}.`);
  const slotsText = options.get("slots")?.[0];
  const slots = slotsText === undefined ? DEFAULT_SLOTS : Number(parseCount("slots", slotsText, MOST_SLOTS));
  return answer("verify", args, (progress) => {
    const publicKey = key === undefined ? undefined : readPublicKey(key);
    return withStack(
      positionals[0]!,
      (set) => {
        const data = verifyPacks(set, { publicKey, identity, onProgress: progress.update });
        return { data, text: () => describe(data, publicKey !== undefined) };
      },
      { slots },
    );
  });
}

function describe({ identity, assets, packs }: Verification, isDemanded: boolean): string {
  const lines = packs.map(({ file, assets, bytes, signedBy }) => {
    const signature =
      signedBy === null ? "not signed" : `signed by ${signedBy}${isDemanded ? "" : " (whoever that is)"}`;
    return `${plain(file ?? "pack")}: ${counted(assets, "asset")}, ${counted(bytes, "byte")}, all as they should be; ${signature}\n`;
  });
  const total = packs.length > 1 ? [["together", counted(assets, "asset")]] : [];
  return `${lines.join("")}${columns([...total, ["identity", identity]])}`;
}
