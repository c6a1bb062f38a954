/** `ashlar attest` and `ashlar keygen`, as users and scripts meet them. */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import t from "tap";
import { type ArtifactKey, Store } from "../../host/asl/index.ts";
import type { Program } from "../../host/command/command.ts";
import { ASHLAR } from "../../host/command/commands.ts";
import { ProgramBuilder } from "../../host/pel/builder.ts";
import { preAuthEncoding } from "../../host/pel/dsse.ts";
import { runProgram } from "../../host/pel/run.ts";
import { scratch, start } from "./ashlar.ts";
import { runInProcess } from "./in-process.ts";

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "" });

const ashlar = (...words: readonly string[]) => runInProcess(ASHLAR as Program<unknown>, words);

/** A line that has to do what it says; what it prints. */
async function done(...words: readonly string[]): Promise<string> {
  const ended = await ashlar(...words);
  t.match(ended, { code: 0, stderr: "" }, words.join(" "));
  return ended.stdout;
}

/** A line that fails: its exit code and the code of the error. */
async function failed(...words: readonly string[]): Promise<readonly [number, string | undefined]> {
  const { code, stdout, stderr } = await ashlar(...words);
  t.equal(stdout, "", words.join(" "));
  return [code, /^error\[(.*?)\]/.exec(stderr)?.[1]];
}

/** A store in which a program was run: its receipt, and that of its only node. */
const store = await Store.open("disk", { create: true });
const program = new ProgramBuilder();
program.output("both", program.concat([program.input("one"), program.input("two")]));
const inputs = { one: await store.put(Buffer.from("first")), two: await store.put(Buffer.from("second")) };
const run = await runProgram(store, program.build(), { inputs });
const part = new ProgramBuilder();
part.output("part", part.slice(part.input("one"), 100));
const failure = await runProgram(store, part.build(), { inputs: { one: inputs.one } });
await store.close();
const receipts: readonly ArtifactKey[] = [run.claim, run.nodes.at(-1)!.claim!];

await done("keygen", "-o", "a.pem");
const b = JSON.parse(await done("keygen", "-o", "b.pem", "--json"));

t.test("[CLI-ATTEST-1] keygen makes the keys that packs are signed with too", async (t) => {
  t.match(b, { privateKeyFile: "b.pem", publicKeyFile: "b.pem.pub", publicKey: /^[0-9a-f]{64}$/ });
  if (process.platform !== "win32") t.equal(statSync("b.pem").mode & 0o777, 0o600);
  t.match(readFileSync("b.pem", "latin1"), /^-----BEGIN PRIVATE KEY-----\n/);
  t.match(readFileSync("b.pem.pub", "latin1"), /^-----BEGIN PUBLIC KEY-----\n/);
  t.strictSame(await failed("keygen", "-o", "b.pem"), [1, "PACK-KEYFILE"], "what is there stays");
  t.strictSame(await failed("keygen"), [2, "CLI-USAGE"]);
});

t.test("[CLI-ATTEST-2, CLI-ATTEST-3] receipts of runs and of nodes, signed and held against them", async (t) => {
  for (const receipt of receipts) {
    const text = await done("attest", receipt, "--store", "disk", "--key", "a.pem");
    t.equal(
      await done("attest", "--store=disk", receipt.slice(0, 20), "--key", "a.pem"),
      text,
      "abbreviated, the same",
    );
    writeFileSync("envelope.json", text);
    const told = await done("attest", "--verify", "envelope.json", "--public-key", "a.pem.pub");
    t.match(told, new RegExp(`^receipt +${receipt}\n`));
    t.match(told, /held against +its signatures alone/);
    const line = ["attest", "--verify", "envelope.json", "--public-key", "a.pem", "--store", "disk"];
    t.match(await done(...line), /held against +the receipt in the store/);
    t.match(JSON.parse(await done(...line, "--json")), {
      schema: "ashlar.attest/1",
      kind: receipt === run.claim ? "run" : "node",
      receipt,
      builder: "urn:ashlar:pel:v1",
      signers: [/^SHA256:/],
      isCompared: true,
      outputs: [{ name: receipt === run.claim ? "both" : "0", digest: { sha256: run.outputs[0]!.key.slice(7) } }],
      statement: { _type: "https://in-toto.io/Statement/v1", predicateType: "https://slsa.dev/provenance/v1" },
    });
  }
  const data = JSON.parse(await done("attest", run.claim, "--store", "disk", "--key", "a.pem", "--json"));
  t.match(data, {
    schema: "ashlar.attest/1",
    receipt: run.claim,
    envelope: { payloadType: "application/vnd.in-toto+json" },
  });
  t.match(
    await done("attest", run.claim, "--store", "disk", "--key", "a.pem", "-o", "out.json"),
    /^out\.json: sha256:/,
  );
  t.strictSame(JSON.parse(readFileSync("out.json", "utf8")), data.envelope);
});

t.test("[CLI-ATTEST-3] several keys, and who vouches", async (t) => {
  const both = ["--key", "a.pem", "--key", "b.pem"];
  await done("attest", run.claim, "--store", "disk", ...both, "--builder", "https://example.com/b", "-o", "both.json");
  const check = ["attest", "--verify", "both.json", "--store", "disk"];
  t.match(await done(...check, "--public-key", "a.pem.pub", "--public-key", b.publicKey), /example\.com/);
  await done(...check, "--public-key", b.publicKey, "--builder", "https://example.com/b");
  t.strictSame(await failed(...check, "--public-key", b.publicKey, "--builder", "urn:x:y"), [1, "PEL-STATEMENT"]);
  await done("keygen", "-o", "c.pem");
  t.strictSame(await failed(...check, "--public-key", "a.pem.pub", "--public-key", "c.pem.pub"), [1, "PEL-SIGNATURE"]);
});

t.test("[CLI-ATTEST-4] verify takes an envelope too", async (t) => {
  await done("attest", run.claim, "--store", "disk", "--key", "a.pem", "-o", "run.json");
  const line = ["verify", "run.json", "--public-key", "a.pem.pub"];
  t.match(await done(...line), /held against +its signatures alone/);
  t.match(await done(...line, "--store", "disk"), /held against +the receipt in the store/);
  t.match(JSON.parse(await done(...line, "--store", "disk", "--json")), {
    schema: "ashlar.verify/1",
    receipt: run.claim,
    isCompared: true,
  });
  t.strictSame(await failed("verify", "run.json", "--public-key", "b.pem.pub"), [1, "PEL-SIGNATURE"]);
  t.strictSame(await failed(...line, "--builder", "urn:x:y"), [1, "PEL-STATEMENT"]);
  for (const words of [["--deep"], ["--engine", "compiled"], ["--workers", "1"]])
    t.strictSame(await failed(...line, ...words), [2, "CLI-USAGE"], words.join(" "));
  t.strictSame(await failed("verify", "run.json", "--store", "disk", "--builder", "urn:x:y"), [2, "CLI-USAGE"]);
});

t.test("[CLI-ATTEST-2, CLI-ATTEST-3] what is wrong is told", async (t) => {
  const sign = ["attest", run.claim, "--store", "disk", "--key", "a.pem"];
  const text = await done(...sign);
  writeFileSync("envelope.json", text);
  const envelope = JSON.parse(text);
  const check = async (name: string, content: string | Uint8Array, ...words: readonly string[]) => {
    writeFileSync(name, content);
    return failed("attest", "--verify", name, "--public-key", "a.pem.pub", ...words);
  };
  t.strictSame(await check("empty.json", ""), [1, "PEL-ENVELOPE"]);
  t.strictSame(await check("twice.json", text.replace("{", '{"payload":"",')), [1, "PEL-ENVELOPE"]);
  t.strictSame(await check("type.json", JSON.stringify({ ...envelope, payloadType: "text/plain" })), [
    1,
    "PEL-SIGNATURE",
  ]);
  writeFileSync("large.json", "");
  truncateSync("large.json", 2 ** 40);
  t.strictSame(await failed("attest", "--verify", "large.json", "--public-key", "a.pem.pub"), [1, "PEL-LIMIT"]);
  t.strictSame(await failed("attest", "--verify", "envelope.json", "--public-key", "b.pem.pub"), [1, "PEL-SIGNATURE"]);
  t.strictSame(await failed("attest", "--verify", "none.json", "--public-key", "a.pem.pub"), [1, "CLI-INPUT"]);
  t.strictSame(await failed("attest", "--verify", ".", "--public-key", "a.pem.pub"), [1, "CLI-INPUT"]);
  t.strictSame(await failed("attest", "--verify", "envelope.json", "--public-key", "none"), [1, "PACK-KEYFILE"]);
  const other = await Store.open("other", { create: true });
  await other.close();
  t.strictSame(await check("envelope.json", text, "--store", "other"), [1, "PEL-ATTEST"], "no such receipt there");
  t.strictSame(await check("envelope.json", text, "--store", "nowhere"), [1, "ASL-NO-STORE"]);

  t.strictSame(await failed("attest", failure.claim, "--store", "disk", "--key", "a.pem"), [1, "PEL-ATTEST"]);
  t.strictSame(await failed("attest", inputs.one, "--store", "disk", "--key", "a.pem"), [1, "PEL-RECEIPT"]);
  t.strictSame(await failed("attest", "0000000000", "--store", "disk", "--key", "a.pem"), [1, "ASL-NOT-FOUND"]);
  t.strictSame(await failed("attest", run.claim, "--store", "disk", "--key", "a.pem.pub"), [1, "PACK-KEYFILE"]);
  t.strictSame(await failed(...sign, "-o", "no/where.json"), [1, "CLI-OUTPUT"]);
  for (const line of [
    ["attest"],
    ["attest", run.claim],
    ["attest", run.claim, "--key", "a.pem"],
    ["attest", run.claim, "--store", "disk"],
    [...sign, "--public-key", "a.pem.pub"],
    [...sign, "--builder", "nobody"],
    [...sign, "-o", ""],
    ["attest", "--verify", "envelope.json"],
    ["attest", "--verify", "envelope.json", "--public-key", "a.pem.pub", "--key", "a.pem"],
    ["attest", "--verify", "envelope.json", "--public-key", "a.pem.pub", "-o", "x"],
    ["attest", "--verify", "envelope.json", "--public-key", "a.pem.pub", run.claim],
  ])
    t.strictSame(await failed(...line), [2, "CLI-USAGE"], line.join(" "));
  const json = await ashlar("attest", failure.claim, "--store", "disk", "--key", "a.pem", "--json");
  t.match(JSON.parse(json.stdout), { schema: "ashlar.attest/1", error: { code: "PEL-ATTEST" } });
});

t.test("[CLI-ATTEST-3] an envelope through standard input, and OpenSSL agrees with the signature", async (t) => {
  const text = await done("attest", run.claim, "--store", "disk", "--key", "a.pem");
  const child = start(["attest", "--verify", "-", "--public-key", "a.pem.pub"], {});
  child.stdin!.end(text);
  const [code] = await new Promise<[number | null]>((resolve) => child.on("close", (...ended) => resolve([ended[0]])));
  t.equal(code, 0);

  const { payload, payloadType, signatures } = JSON.parse(text);
  writeFileSync("message", preAuthEncoding(payloadType, Buffer.from(payload, "base64")));
  writeFileSync("signature", Buffer.from(signatures[0].sig, "base64"));
  const check = ["-verify", "-pubin", "-inkey", "a.pem.pub", "-rawin", "-in", "message", "-sigfile", "signature"];
  let said: string;
  try {
    said = execFileSync("openssl", ["pkeyutl", ...check], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return t.comment("there is no openssl");
    throw error;
  }
  t.match(said, /Signature Verified Successfully/);
});
