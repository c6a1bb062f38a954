/** `ashlar attest`: receipts as signed statements, and such statements held against their keys and receipts (spec CLI-ATTEST). */
import { readPrivateKey, readPublicKey } from "../../assets-tool/keys.ts";
import { type Attestation, attestReceipt, verifyEnvelope } from "../pel/attest.ts";
import { MOST_ENVELOPE_BYTES } from "../pel/dsse.ts";
import { PelError } from "../pel/errors.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { columns, counted } from "./columns.ts";
import { usageError } from "./failure.ts";
import { replaceFile } from "./files.ts";
import { withNamedStore } from "./pel/stores.ts";
import { Input } from "./store/input.ts";
import { keyNamed } from "./store/keys.ts";
import { stoppable } from "./store/stopping.ts";
import { plain } from "./terminal.ts";

const { answer }: Answering = answering(undefined);

export async function attest(args: Arguments): Promise<number> {
  const { positionals, options } = args;
  const envelope = options.get("verify")?.[0];
  if (envelope !== undefined) {
    if (positionals.length > 0) throw usageError("--verify ENVELOPE says itself which receipt it is about.");
    for (const name of ["key", "output"])
      if (options.has(name)) throw usageError(`--${name} is for signing, not for --verify.`);
    if (!options.has("public-key"))
      throw usageError("--verify needs the key that must have signed.", "Write --public-key FILE.");
    return answer("attest", args, () => verify(args, envelope));
  }
  const [receipt] = positionals;
  if (receipt === undefined)
    throw usageError("`ashlar attest` needs a receipt.", "Write RECEIPT --store DIR --key FILE.");
  if (options.has("public-key")) throw usageError("--public-key is for --verify: --key FILE signs.");
  if (!options.has("key"))
    throw usageError("`ashlar attest` needs a private key.", "Write --key FILE; `ashlar keygen` makes one.");
  return answer("attest", args, () => sign(args, receipt));
}

async function sign(args: Arguments, receipt: string): Promise<Answer> {
  const { options } = args;
  const builder = builderOf(args);
  const output = options.get("output")?.[0] ?? "-";
  if (output === "") throw usageError("The name of the file is empty.");
  const privateKeys = options.get("key")!.map(readPrivateKey);
  return withNamedStore(args, "read", (store) => {
    const key = keyNamed(store.view(), receipt);
    const text = attestReceipt(store.view(), key, { privateKeys, builder });
    if (output === "-")
      return { data: { receipt: key, envelope: JSON.parse(text) as object }, text: () => `${text}\n` };
    replaceFile(output, Buffer.from(`${text}\n`), "CLI-OUTPUT", "envelope");
    return { data: { receipt: key, output }, text: () => `${plain(output)}: ${key}\n` };
  });
}

async function verify(args: Arguments, envelope: string): Promise<Answer> {
  return attestationAnswer(await attestationOf(args, envelope));
}

/** What the envelope in a file says, held against `--public-key`, `--builder`, and the receipt if there is a `--store`. */
export async function attestationOf(args: Arguments, envelope: string): Promise<Attestation> {
  const { options } = args;
  const builder = builderOf(args);
  const publicKeys = (options.get("public-key") ?? []).map(readPublicKey);
  const bytes = await readEnvelope(envelope);
  if (!options.has("store")) return verifyEnvelope(bytes, { publicKeys, builder });
  return withNamedStore(args, "read", (store) =>
    verifyEnvelope(bytes, { publicKeys, builder, receipts: store.view() }),
  );
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
async function readEnvelope(name: string): Promise<Uint8Array> {
  return stoppable(async (signal) => {
    const input = await Input.open(name, signal);
    try {
      const pieces = [await input.first()];
      let length = pieces[0]!.length;
      for await (const piece of input.rest()) {
        pieces.push(piece);
        length += piece.length;
        if (length > MOST_ENVELOPE_BYTES)
          throw new PelError("PEL-LIMIT", `an envelope has at most ${MOST_ENVELOPE_BYTES} bytes`);
      }
      return Buffer.concat(pieces);
    } finally {
      input.close();
    }
  });
}

function builderOf({ options }: Arguments): string | undefined {
  const builder = options.get("builder")?.[0];
  // RFC 3986: a scheme, and something behind it.
  if (builder === undefined || /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/.test(builder)) return builder;
  throw usageError(`--builder takes a URI, not ${JSON.stringify(builder)}.`);
}
