/** `ashlar attest`: receipts as signed statements, and such statements held against their keys and receipts (spec CLI-ATTEST). */
import { readPrivateKey, readPublicKey } from "../../assets-tool/keys.ts";
import { Store, type View } from "../asl/index.ts";
import { type Attestation, attestReceipt, verifyEnvelope } from "../pel/attest.ts";
import { MOST_ENVELOPE_BYTES } from "../pel/dsse.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { columns, counted } from "./columns.ts";
import { usageError } from "./failure.ts";
import { replaceFile } from "./files.ts";
import { Input } from "./store/input.ts";
import { keyNamed } from "./store/keys.ts";
import { stoppable } from "./store/stopping.ts";
import { plain } from "./terminal.ts";

const { answer }: Answering = answering(undefined);

export async function attest(args: Arguments): Promise<number> {
  const { positionals, options } = args;
  const envelope = options.get("verify")?.[0];
  if (envelope === undefined) {
    const [folder, receipt] = positionals;
    if (folder === undefined || receipt === undefined)
      throw usageError("`ashlar attest` needs a store and a receipt in it.", "Write DIR RECEIPT --key FILE.");
    if (options.has("public-key")) throw usageError("--public-key is for --verify: --key FILE signs.");
    const keys = options.get("key");
    if (keys === undefined)
      throw usageError("`ashlar attest` needs a private key.", "Write --key FILE; `ashlar keygen` makes one.");
    return answer("attest", args, () => sign(args, folder, receipt, keys));
  }
  if (positionals.length > 1) throw usageError("--verify ENVELOPE has at most a store behind it.");
  for (const name of ["key", "output"])
    if (options.has(name)) throw usageError(`--${name} is for signing, not for --verify.`);
  const keys = options.get("public-key");
  if (keys === undefined) throw usageError("--verify needs the key that must have signed.", "Write --public-key FILE.");
  return answer("attest", args, () => verify(args, envelope, keys));
}

async function sign(args: Arguments, folder: string, receipt: string, keys: readonly string[]): Promise<Answer> {
  const { options } = args;
  const privateKeys = keys.map(readPrivateKey);
  const builder = builderOf(args);
  return withReceipts(folder, (view) => {
    const key = keyNamed(view, receipt);
    const text = attestReceipt(view, key, { privateKeys, builder });
    const output = options.get("output")?.[0] ?? "-";
    if (output === "") throw usageError("The name of the file is empty.");
    if (output === "-") return { data: { receipt: key, envelope: JSON.parse(text) }, text: () => `${text}\n` };
    replaceFile(output, Buffer.from(`${text}\n`), "CLI-OUTPUT", "envelope");
    return { data: { receipt: key, output }, text: () => `${plain(output)}: ${key}\n` };
  });
}

async function verify(args: Arguments, envelope: string, keys: readonly string[]): Promise<Answer> {
  const publicKeys = keys.map(readPublicKey);
  const builder = builderOf(args);
  const bytes = await readEnvelope(envelope);
  const [folder] = args.positionals;
  const attestation =
    folder === undefined
      ? verifyEnvelope(bytes, { publicKeys, builder })
      : await withReceipts(folder, (receipts) => verifyEnvelope(bytes, { publicKeys, builder, receipts }));
  return attestationAnswer(attestation);
}

/** How an envelope that is in order is told. */
export function attestationAnswer({ kind, receipt, builder, signers, statement, isCompared }: Attestation): Answer {
  const outputs = statement.subject.map(({ name, digest }) => ({ name: name ?? null, digest }));
  return {
    data: { kind, receipt, builder, signers, isCompared, outputs, statement },
    text: () =>
      columns([
        ["receipt", receipt],
        ["of", kind === "node" ? "a node" : "a run"],
        ["outputs", counted(outputs.length, "artifact")],
        ["builder", plain(builder)],
        ...signers.map((signer) => ["signed by", signer]),
        ["held against", isCompared ? "the receipt in the store" : "its signatures alone"],
      ]),
  };
}

/** An envelope in a file; `-` is standard input. No more is read than an envelope can have. */
export async function readEnvelope(name: string): Promise<Uint8Array> {
  return stoppable(async (signal) => {
    const input = await Input.open(name, signal);
    try {
      const pieces = [await input.first()];
      let length = pieces[0]!.length;
      for await (const piece of input.rest()) {
        pieces.push(piece);
        length += piece.length;
        if (length > MOST_ENVELOPE_BYTES) break;
      }
      return Buffer.concat(pieces);
    } finally {
      input.close();
    }
  });
}

async function withReceipts<Result>(folder: string, use: (view: View) => Result): Promise<Result> {
  if (folder === "") throw usageError("The name of the store's folder is empty.");
  const store = await Store.open(folder, { readOnly: true });
  try {
    return use(store.view());
  } finally {
    await store.close();
  }
}

function builderOf({ options }: Arguments): string | undefined {
  const builder = options.get("builder")?.[0];
  // RFC 3986: a scheme, and something behind it.
  if (builder === undefined || /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/.test(builder)) return builder;
  throw usageError(`--builder takes a URI, not ${JSON.stringify(builder)}.`);
}
