/** Receipts as signed statements. */
import { generateKeyPairSync } from "node:crypto";
import t from "tap";
import { type ArtifactKey, keyText } from "../../../host/asl/key.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { canonicalJson } from "../../../host/assets/json.ts";
import { publicKeyBytes } from "../../../host/assets/signature.ts";
import {
  attestReceipt,
  BUILD_TYPES,
  BUILDER,
  type Receipts,
  statementOf,
  verifyEnvelope,
} from "../../../host/pel/attest.ts";
import { encodeNodeClaim, encodeRunClaim, type NodeClaim, type RunClaim, VERSIONS } from "../../../host/pel/claim.ts";
import { keyIdOf, signEnvelope } from "../../../host/pel/dsse.ts";
import { encodeProgram, GUEST_LIMITS, type GuestNode, type Node, type Ref } from "../../../host/pel/program.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { encodeStatement, parseStatement, STATEMENT_PAYLOAD } from "../../../host/pel/slsa.ts";
import { mixed, openStore, putTexts } from "./runs.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ed25519");
const publicKeys = [publicKeyBytes(publicKey)];
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const keyOf = (text: string): ArtifactKey => keyText(1, digestOf(bytesOf(text)));

/** What holds artifacts, and nothing else. */
class Artifacts implements Receipts {
  readonly #held = new Map<string, Uint8Array>();

  put(bytes: Uint8Array): ArtifactKey {
    const key = keyText(1, digestOf(bytes));
    this.#held.set(key, bytes);
    return key;
  }
  get(key: string | Uint8Array): Uint8Array | undefined {
    return this.#held.get(String(key));
  }
  read(key: string | Uint8Array, offset: number, length: number): Uint8Array | undefined {
    return this.get(key)?.subarray(offset, offset + length);
  }
}

const at = (node: number, output: number | undefined = 0): Ref => ({ node, output });

const GUEST: GuestNode = {
  op: "guest",
  module: keyOf("module"),
  entry: undefined,
  args: ["--top", "10"],
  inputs: ["texts", "words"],
  outputs: [
    { name: "counts.tsv", tag: undefined },
    { name: "log", tag: 7 },
  ],
  stdout: "log",
  stderr: undefined,
  assets: undefined,
  io: "files",
  limits: GUEST_LIMITS,
  refs: [at(0), at(1)],
};

const NODE_CLAIM: NodeClaim = {
  kind: "node",
  node: GUEST,
  inputs: [
    { key: keyOf("the texts"), tag: undefined },
    { key: keyOf("the words"), tag: 9 },
  ],
  ...VERSIONS,
  outputs: [
    { key: keyOf("the counts"), tag: undefined },
    { key: keyOf("the log"), tag: 7 },
  ],
  fuel: 2n ** 62n,
  outcome: { type: "ok" },
  trace: digestOf(bytesOf("calls")),
};

const digest = (text: string) => ({ sha256: keyOf(text).slice("sha256:".length) });

/** A program of a guest, and a receipt of its run. */
function runIn(artifacts: Artifacts, changes: Partial<RunClaim> = {}): ArtifactKey {
  const input = (name: string): Node => ({ op: "input", name, tag: undefined, refs: [] });
  const program = artifacts.put(
    encodeProgram({
      nodes: [input("a"), input("b"), GUEST],
      outputs: [{ name: "counts", ref: at(2) }],
    }),
  );
  const claim: RunClaim = {
    kind: "run",
    program,
    inputs: [
      { name: "a", key: keyOf("the texts"), tag: undefined },
      { name: "b", key: keyOf("the words"), tag: 9 },
    ],
    keepGoing: false,
    ...VERSIONS,
    failed: undefined,
    outputs: [{ name: "counts", key: keyOf("the counts"), tag: undefined }],
    claims: [undefined, undefined, keyOf("a claim")],
    ...changes,
  };
  return artifacts.put(encodeRunClaim(claim));
}

t.test("[PER-ATTEST-5, PER-ATTEST-6] the receipt of a node as a statement", (t) => {
  const artifacts = new Artifacts();
  const receipt = artifacts.put(encodeNodeClaim(NODE_CLAIM));
  const statement = statementOf(artifacts, receipt);
  t.strictSame(statement, {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: "counts.tsv", digest: digest("the counts") },
      { name: "log", digest: digest("the log"), annotations: { ashlar_typeTag: 7 } },
    ],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:ashlar:pel:node:v1",
        externalParameters: {
          op: "guest",
          parameters: {
            module: keyOf("module"),
            entry: null,
            args: ["--top", "10"],
            outputs: [
              { name: "counts.tsv", tag: null },
              { name: "log", tag: 7 },
            ],
            stdout: "log",
            stderr: null,
            assets: null,
            io: "files",
            limits: { ...GUEST_LIMITS, fuel: "10000000000" },
          },
          inputs: [
            { name: "texts", artifact: keyOf("the texts") },
            { name: "words", artifact: keyOf("the words") },
          ],
        },
        internalParameters: { ...VERSIONS },
        resolvedDependencies: [
          { name: "module", digest: digest("module") },
          { name: "inputs/texts", digest: digest("the texts") },
          { name: "inputs/words", digest: digest("the words"), annotations: { ashlar_typeTag: 9 } },
        ],
      },
      runDetails: {
        builder: { id: BUILDER },
        byproducts: [
          {
            name: "claim",
            digest: { sha256: receipt.slice("sha256:".length) },
            annotations: { ashlar_fuel: "4611686018427387904", ashlar_outcome: "ok" },
          },
          { name: "trace", digest: digest("calls") },
        ],
      },
    },
  });
  t.strictSame(JSON.parse(Buffer.from(encodeStatement(statement)).toString()), statement, "it is JSON");
  t.doesNotThrow(() => parseStatement(encodeStatement(statement)), "and a statement by the rules of both formats");
  t.end();
});

t.test(
  "[PER-ATTEST-5, PER-ATTEST-6] every operation has its parameters, and outputs and inputs are told apart",
  (t) => {
    const artifacts = new Artifacts();
    const shown = (node: Node, inputs: number, outputs: number) => {
      const claim: NodeClaim = {
        ...NODE_CLAIM,
        node: { ...node, refs: Array.from({ length: inputs }, () => at(0)) },
        inputs: Array.from({ length: inputs }, (_, k) => ({ key: keyOf(`input ${k}`), tag: undefined })),
        outputs: Array.from({ length: outputs }, (_, k) => ({ key: keyOf(`output ${k}`), tag: undefined })),
      };
      const { subject, predicate } = statementOf(artifacts, artifacts.put(encodeNodeClaim(claim)));
      const { externalParameters, resolvedDependencies } = predicate.buildDefinition;
      t.strictSame(externalParameters.op, node.op);
      t.equal(resolvedDependencies?.length, inputs);
      return { parameters: externalParameters.parameters, names: subject.map(({ name }) => name) };
    };
    const refs: readonly Ref[] = [];
    t.strictSame(shown({ op: "const", bytes: bytesOf("hello"), refs }, 0, 1), {
      parameters: { base64: "aGVsbG8=" },
      names: ["0"],
    });
    t.strictSame(shown({ op: "slice", offset: 3, length: undefined, refs }, 1, 1).parameters, {
      offset: 3,
      length: null,
    });
    t.strictSame(shown({ op: "slice", offset: 3, length: 4, refs }, 1, 1).parameters, { offset: 3, length: 4 });
    t.strictSame(shown({ op: "split", at: [1, 1, 8], refs }, 1, 4), {
      parameters: { at: [1, 1, 8] },
      names: ["0", "1", "2", "3"],
    });
    for (const op of ["concat", "hash", "length", "select"] as const)
      t.strictSame(shown({ op, refs }, op === "select" ? 2 : 1, 1).parameters, {}, op);
    t.end();
  },
);

t.test("[PER-ATTEST-5, PER-ATTEST-6] the receipt of a run as a statement", (t) => {
  const artifacts = new Artifacts();
  const receipt = runIn(artifacts);
  const { subject, predicate } = statementOf(artifacts, receipt, "https://example.com/builder");
  const { buildDefinition, runDetails } = predicate;
  const { program } = buildDefinition.externalParameters as { program: string };
  t.strictSame(subject, [{ name: "counts", digest: digest("the counts") }]);
  t.strictSame(buildDefinition, {
    buildType: BUILD_TYPES.run,
    externalParameters: {
      program,
      inputs: [
        { name: "a", artifact: keyOf("the texts") },
        { name: "b", artifact: keyOf("the words") },
      ],
      keepGoing: false,
    },
    internalParameters: { ...VERSIONS },
    resolvedDependencies: [
      { name: "program", digest: { sha256: program.slice("sha256:".length) } },
      { name: "module", digest: digest("module") },
      { name: "inputs/a", digest: digest("the texts") },
      { name: "inputs/b", digest: digest("the words"), annotations: { ashlar_typeTag: 9 } },
    ],
  });
  t.ok(artifacts.get(program), "the program is named by its key");
  t.strictSame(runDetails, {
    builder: { id: "https://example.com/builder" },
    byproducts: [
      {
        name: "claim",
        digest: { sha256: receipt.slice("sha256:".length) },
        annotations: { ashlar_outcome: "ok" },
      },
    ],
  });
  const failed = statementOf(artifacts, runIn(artifacts, { keepGoing: true, failed: 2 }));
  t.strictSame(failed.predicate.runDetails.byproducts?.[0]?.annotations, {
    ashlar_outcome: "failed",
    ashlar_failedNode: 2,
  });
  t.end();
});

/** Text, an object of anything, or texts by name; lists and messages of these. */
type Shape = "text" | "struct" | "texts" | readonly [Shape] | { readonly [member: string]: Shape };

/** github.com/in-toto/attestation, protos/in_toto_attestation/v1/{statement,resource_descriptor}.proto and protos/…/predicates/provenance/v1/provenance.proto. */
const RESOURCE: Shape = {
  name: "text",
  uri: "text",
  digest: "texts",
  content: "text",
  downloadLocation: "text",
  mediaType: "text",
  annotations: "struct",
};
const PUBLISHED: Shape = {
  _type: "text",
  subject: [RESOURCE],
  predicateType: "text",
  predicate: {
    buildDefinition: {
      buildType: "text",
      externalParameters: "struct",
      internalParameters: "struct",
      resolvedDependencies: [RESOURCE],
    },
    runDetails: {
      builder: { id: "text", version: "texts", builderDependencies: [RESOURCE] },
      metadata: { invocationId: "text", startedOn: "text", finishedOn: "text" },
      byproducts: [RESOURCE],
    },
  },
};

/** Pointers to what readers of the published messages do not expect. */
function* unexpected(value: unknown, shape: Shape | undefined, pointer = ""): Generator<string> {
  if (shape === "text" ? typeof value !== "string" : typeof value !== "object" || value === null) yield pointer;
  else if (Array.isArray(shape) !== Array.isArray(value)) yield pointer;
  else if (shape === "texts")
    for (const [name, text] of Object.entries(value as object)) yield* unexpected(text, "text", `${pointer}/${name}`);
  else if (typeof shape === "object")
    for (const [name, member] of Object.entries(value as object)) {
      const of: Shape | undefined = Array.isArray(shape)
        ? shape[0]
        : (shape as { readonly [member: string]: Shape })[name];
      if (of === undefined) yield `${pointer}/${name}`;
      else yield* unexpected(member, of, `${pointer}/${name}`);
    }
}

t.test("[PER-ATTEST-5] statements are messages of the published schemas", (t) => {
  const artifacts = new Artifacts();
  const receipts = [artifacts.put(encodeNodeClaim(NODE_CLAIM)), runIn(artifacts), runIn(artifacts, { failed: 2 })];
  for (const receipt of receipts) t.strictSame([...unexpected(statementOf(artifacts, receipt), PUBLISHED)], []);
  const statement = { subject: [{ nam: "x" }], predicate: { runDetails: { builder: { id: 7 } } }, predicateType: [] };
  t.strictSame(
    [...unexpected(statement, PUBLISHED)],
    ["/subject/0/nam", "/predicate/runDetails/builder/id", "/predicateType"],
    "what is none is told from one",
  );
  t.end();
});

t.test("[PER-ATTEST-5] keys of all algorithms have the names that digests have in in-toto", (t) => {
  const artifacts = new Artifacts();
  const outputs = [1, 2, 3, 4].map((algorithm) => ({
    key: keyText(algorithm, new Uint8Array(32).fill(algorithm)),
    tag: undefined,
  }));
  const node: Node = { op: "split", at: [1, 2, 3], refs: [at(0)] };
  const claim: NodeClaim = { ...NODE_CLAIM, node, inputs: [{ key: keyOf("x"), tag: undefined }], outputs };
  const { subject } = statementOf(artifacts, artifacts.put(encodeNodeClaim(claim)));
  t.strictSame(
    subject.map(({ digest }) => digest),
    [
      { sha256: "01".repeat(32) },
      { sha3_256: "02".repeat(32) },
      { sha512_256: "03".repeat(32) },
      { blake2s: "04".repeat(32) },
    ],
  );
  t.end();
});

t.test("[PER-ATTEST-7] an envelope is the same bytes whenever it is made, and is taken by its keys", (t) => {
  const artifacts = new Artifacts();
  for (const receipt of [artifacts.put(encodeNodeClaim(NODE_CLAIM)), runIn(artifacts)]) {
    const text = attestReceipt(artifacts, receipt, { privateKeys: [privateKey] });
    t.equal(attestReceipt(artifacts, Buffer.from(receipt).toString(), { privateKeys: [privateKey] }), text);
    t.equal(canonicalJson(JSON.parse(text)), text, "in canonical JSON");
    const expected = { receipt, builder: BUILDER, signers: publicKeys.map(keyIdOf), isCompared: false };
    t.match(verifyEnvelope(bytesOf(text), { publicKeys }), expected);
    t.match(verifyEnvelope(bytesOf(text), { publicKeys, receipts: artifacts }), { ...expected, isCompared: true });
    const both = attestReceipt(artifacts, receipt, { privateKeys: [privateKey, other.privateKey], builder: "urn:x:y" });
    const all = [...publicKeys, publicKeyBytes(other.publicKey)];
    t.match(verifyEnvelope(bytesOf(both), { publicKeys: all, receipts: artifacts, builder: "urn:x:y" }), {
      signers: all.map(keyIdOf),
      builder: "urn:x:y",
    });
    t.throws(
      () => verifyEnvelope(bytesOf(text), { publicKeys: all }),
      { code: "PEL-SIGNATURE" },
      "each has to have signed",
    );
    t.throws(() => verifyEnvelope(bytesOf(both), { publicKeys, builder: BUILDER }), {
      code: "PEL-STATEMENT",
      place: { pointer: "/predicate/runDetails/builder/id" },
    });
  }
  t.throws(() => attestReceipt(artifacts, runIn(artifacts), { privateKeys: [] }), { code: "PEL-ARGUMENT" });
  t.throws(() => attestReceipt(artifacts, runIn(artifacts), { privateKeys: [publicKey] }), { message: /private/i });
  t.end();
});

t.test("[PER-ATTEST-8] what cannot be attested says why", (t) => {
  const artifacts = new Artifacts();
  const options = { privateKeys: [privateKey] };
  const failures: readonly NodeClaim["outcome"][] = [
    { type: "trap", code: 1, function: 0, offset: 0 },
    { type: "out-of-fuel" },
    { type: "exit", code: 3 },
    { type: "failure", code: 1, detail: "" },
  ];
  for (const outcome of failures) {
    const receipt = artifacts.put(encodeNodeClaim({ ...NODE_CLAIM, outcome, outputs: [] }));
    t.throws(() => attestReceipt(artifacts, receipt, options), { code: "PEL-ATTEST", place: { key: receipt } });
  }
  const failed = runIn(artifacts, { failed: 2, outputs: [] });
  t.throws(() => attestReceipt(artifacts, failed, options), { code: "PEL-ATTEST" }, "a run that made nothing");
  t.throws(() => attestReceipt(artifacts, keyOf("nothing"), options), {
    code: "PEL-ATTEST",
    place: { key: keyOf("nothing") },
  });
  const text = artifacts.put(bytesOf("no receipt"));
  t.throws(() => attestReceipt(artifacts, text, options), { code: "PEL-RECEIPT", place: { key: text } });
  const later = Uint8Array.from(artifacts.get(failed)!, (byte, at) => (at === 1 ? 2 : byte));
  t.throws(() => attestReceipt(artifacts, artifacts.put(later), options), { code: "PEL-VERSION" });
  const lost = runIn(artifacts, { program: keyOf("a program that is gone") });
  t.throws(() => attestReceipt(artifacts, lost, options), {
    code: "PEL-ATTEST",
    place: { key: keyOf("a program that is gone") },
  });
  t.throws(() => attestReceipt(artifacts, "sha256:12", options), { code: "ASL-KEY" });
  t.end();
});

interface Members {
  [member: string]: unknown;
}

t.test("[PER-ATTEST-9] a statement that is not what the receipt says is told from it, at the place", (t) => {
  const artifacts = new Artifacts();
  const receipt = runIn(artifacts);
  const statement = statementOf(artifacts, receipt);
  /** Signed by the right key, with the value at a pointer replaced. */
  const forged = (pointer: string, value: unknown): Uint8Array => {
    const changed: unknown = structuredClone(statement);
    const steps = pointer.split("/").slice(1);
    const last = steps.pop()!;
    const parent = steps.reduce((at, step) => (at as Members)[step], changed) as Members;
    parent[last] = value;
    return bytesOf(signEnvelope(STATEMENT_PAYLOAD, bytesOf(JSON.stringify(changed)), [privateKey]));
  };
  const definition = "/predicate/buildDefinition";
  const wrong = digest("something else");
  for (const [pointer, value, place = pointer] of [
    ["/subject/0/digest", wrong, "/subject/0/digest/sha256"],
    ["/subject/0/name", "count"],
    ["/subject/1", { name: "another", digest: wrong }],
    [`${definition}/externalParameters/program`, keyOf("another")],
    [`${definition}/externalParameters/inputs/1/artifact`, keyOf("another")],
    [`${definition}/externalParameters/keepGoing`, true],
    [`${definition}/externalParameters/andThis`, 1],
    [`${definition}/externalParameters/inputs/0/andThis`, 1],
    [`${definition}/internalParameters/fuelSchedule`, 99],
    [`${definition}/resolvedDependencies/0/digest/sha256`, wrong.sha256],
    [`${definition}/resolvedDependencies/3/annotations/ashlar_typeTag`, 10],
    [`${definition}/resolvedDependencies/3/annotations`, null],
    [`${definition}/resolvedDependencies`, null],
    [`${definition}/buildType`, BUILD_TYPES.node],
    ["/predicate/runDetails/byproducts/0/annotations/ashlar_outcome", "failed"],
  ] as const) {
    const envelope = forged(pointer, value);
    const unexpected = { code: "PEL-ATTEST", place: { pointer: place, key: receipt } };
    t.throws(() => verifyEnvelope(envelope, { publicKeys, receipts: artifacts }), unexpected, pointer);
    t.match(verifyEnvelope(envelope, { publicKeys }), { isCompared: false }, "without the receipt nobody can tell");
  }
  for (const pointer of ["/someone_else", "/subject/0/someone_else", "/predicate/runDetails/metadata"])
    t.match(
      verifyEnvelope(forged(pointer, { at: "noon" }), { publicKeys, receipts: artifacts }),
      { isCompared: true },
      pointer,
    );
  // Reads as more than one number of bytes, and is of another receipt, or of none.
  for (const [pointer, value, code] of [
    ["/predicate/runDetails/byproducts/0/digest/sha256", wrong.sha256, "PEL-ATTEST"],
    ["/predicate/runDetails/byproducts/0/name", "claims", "PEL-STATEMENT"],
    ["/predicate/runDetails/byproducts/0/digest", { gitCommit: "00".repeat(20) }, "PEL-STATEMENT"],
    ["/predicate/runDetails/byproducts/0/digest", { blake2s: "xyz" }, "PEL-STATEMENT"],
    ["/predicate/runDetails/byproducts", null, "PEL-STATEMENT"],
    [`${definition}/buildType`, "https://github.com/actions/buildtypes/workflow/v1", "PEL-STATEMENT"],
  ] as const)
    t.throws(() => verifyEnvelope(forged(pointer, value), { publicKeys, receipts: artifacts }), { code }, pointer);
  const swapped = bytesOf(signEnvelope("application/json", encodeStatement(statement), [privateKey]));
  t.throws(() => verifyEnvelope(swapped, { publicKeys }), { code: "PEL-ENVELOPE", place: { pointer: "/payloadType" } });
  const twice = bytesOf(signEnvelope(STATEMENT_PAYLOAD, bytesOf('{"_type":"a","_type":"b"}'), [privateKey]));
  t.throws(() => verifyEnvelope(twice, { publicKeys }), { code: "PEL-STATEMENT", place: { pointer: "/_type" } });
  t.end();
});

t.test("[PER-ATTEST-5, PER-ATTEST-7] names of any kind, and many artifacts", (t) => {
  const artifacts = new Artifacts();
  const odd = ["__proto__", "constructor", "ä∕ö", "~0", "\u{1f600}"].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const named = (name: string) => ({ name, key: keyOf(name), tag: undefined });
  const receipt = runIn(artifacts, { inputs: odd.map(named), outputs: odd.map(named) });
  const text = attestReceipt(artifacts, receipt, { privateKeys: [privateKey] });
  const { statement } = verifyEnvelope(bytesOf(text), { publicKeys, receipts: artifacts });
  t.strictSame(
    statement.subject.map(({ name }) => name),
    odd,
  );
  const many = Array.from({ length: 10_000 }, (_, k) => ({ ...named(""), name: String(k).padStart(8, "0") }));
  const large = runIn(artifacts, { inputs: many, outputs: many });
  const envelope = bytesOf(attestReceipt(artifacts, large, { privateKeys: [privateKey] }));
  t.equal(verifyEnvelope(envelope, { publicKeys, receipts: artifacts }).statement.subject.length, 10_000);
  t.end();
});

t.test(
  "[PER-ATTEST-7, PER-ATTEST-9] what runs leave on one engine is attested as what they leave on the other",
  async (t) => {
    const envelopes = await Promise.all(
      (["compiled", "reference"] as const).map(async (engine) => {
        const store = openStore();
        try {
          const { module, inputs } = await putTexts(store, 1);
          const { claim, nodes } = await runProgram(store, mixed(module, 1), { inputs, engine, workers: 1 });
          const receipts = [claim, ...nodes.flatMap(({ claim }) => claim ?? [])];
          return receipts.map((receipt) => {
            const text = attestReceipt(store, receipt, { privateKeys: [privateKey] });
            t.match(verifyEnvelope(bytesOf(text), { publicKeys, receipts: store }), { receipt, isCompared: true });
            return text;
          });
        } finally {
          await store.close();
        }
      }),
    );
    t.equal(envelopes[0]!.length, 11);
    t.strictSame(envelopes[1], envelopes[0]);
  },
);
