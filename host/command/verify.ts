/** `ashlar verify`: a receipt is run again, and compared (spec CLI-PEL-12). */
import { existsSync } from "node:fs";
import type { ArtifactKey, View } from "../asl/index.ts";
import { type Finding, type Verification, verifyReceipt } from "../pel/verify.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { attestationAnswer, attestationOf } from "./attest.ts";
import { columns, counted } from "./columns.ts";
import { CommandError, ExitCode, usageError } from "./failure.ts";
import { EXECUTION_OPTIONS } from "./pel/options.ts";
import { executionOf, keyThere, withNamedStore } from "./pel/stores.ts";
import { grouped } from "./quantities.ts";
import { stoppable } from "./store/stopping.ts";
import { plain } from "./terminal.ts";

const { answer }: Answering = answering(undefined);

export async function verify(args: Arguments): Promise<number> {
  if (args.options.has("public-key")) return verifySigned(args);
  if (args.options.has("builder"))
    throw usageError("--builder is for an envelope: --public-key says who must have signed it.");
  const execution = executionOf(args);
  const deep = args.options.has("deep");
  return answer("verify", args, (progress) =>
    stoppable((signal) =>
      withNamedStore(args, "read", async (store): Promise<Answer> => {
        const receipt = receiptNamed(store.view(), args.positionals[0]!);
        const verification = await verifyReceipt(store, receipt, {
          ...execution,
          deep,
          signal,
          onProgress: ({ done, receipts }) =>
            progress.update(done, receipts, "verify", `, ${grouped(BigInt(done))} of ${counted(receipts, "receipt")}`),
        });
        return {
          data: { ...verification, findings: verification.findings.map(findingData) },
          text: () => verificationText(verification),
          exitCode: verification.verdict === "verified" ? ExitCode.OK : ExitCode.FAILURE,
        };
      }),
    ),
  );
}

/** The key of what is there. A word that is none may well be the file of an envelope. Throws CLI-KEY or ASL-NOT-FOUND. */
function receiptNamed(view: View, word: string): ArtifactKey {
  try {
    return keyThere(view, word);
  } catch (error) {
    if (!(error instanceof CommandError) || (word !== "-" && !existsSync(word))) throw error;
    const hint = "To check an envelope: --public-key FILE says who must have signed it.";
    throw new CommandError(error.code, error.exitCode, error.message, hint);
  }
}

/** An envelope is held against keys, and against its receipt where there is a store; nothing is run again. */
function verifySigned(args: Arguments): Promise<number> {
  for (const name of ["deep", ...EXECUTION_OPTIONS.map(({ name }) => name)])
    if (args.options.has(name)) throw usageError(`--${name} is for a receipt: of an envelope nothing is run again.`);
  return answer("verify", args, async () => attestationAnswer(await attestationOf(args, args.positionals[0]!)));
}

function verificationText({ receipt, kind, verdict, verified, findings, more, unstored }: Verification): string {
  const rows = [
    [verdict, receipt, `the receipt of a ${kind}`],
    ["run again", `${counted(verified, "receipt")} as recorded`],
  ];
  const gone = unstored.map((key) => `note: the output ${key} is as recorded, and is not in the store\n`);
  return columns(rows) + findingsText(findings, more) + gone.join("");
}

/** What was found, the first first. */
export function findingsText(findings: readonly Finding[], more: number): string {
  const lines = findings.map(({ type, receipt, node, op, message }) => {
    const places = [node === undefined ? "" : `node ${node}`, op ?? ""].filter((place) => place !== "");
    const place = places.length === 0 ? "" : ` (${places.join(", ")})`;
    return `${type}: ${receipt}${place}\n  ${plain(message)}\n`;
  });
  return lines.join("") + (more > 0 ? `and ${grouped(BigInt(more))} more\n` : "");
}

/** With null for what is not known. */
export function findingData({ node, op, output, offset, ...rest }: Finding): object {
  return {
    ...rest,
    node: node ?? null,
    op: op ?? null,
    output: output === undefined ? null : { index: output.index, name: output.name ?? null },
    offset: offset ?? null,
  };
}
