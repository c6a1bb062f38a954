/** Receipts as signed statements that tools of others read, and back (spec PER-ATTEST). */
import type { KeyObject } from "node:crypto";
import { ALGORITHMS, type ArtifactKey, type KeyLike, type View } from "../asl/index.ts";
import { keyText, ParsedKey } from "../asl/key.ts";
import type { JsonObject } from "../assets/json.ts";
import type { ArtifactRef, NamedRef, NodeClaim, RunClaim } from "./claim.ts";
import { differences } from "./difference.ts";
import { checkEnvelope, keyIdOf, parseEnvelope, signEnvelope } from "./dsse.ts";
import { PelError } from "./errors.ts";
import { decodeProgram, type Node } from "./program.ts";
import { readReceipt } from "./provenance.ts";
import {
  type DigestSet,
  encodeStatement,
  PROVENANCE_TYPE,
  parseStatement,
  problem,
  type ResourceDescriptor,
  STATEMENT_PAYLOAD,
  STATEMENT_TYPE,
  type Statement,
} from "./slsa.ts";

/** What was executed, by the kind of its receipt (spec PER-ATTEST-6). */
export const BUILD_TYPES = { node: "urn:ashlar:pel:node:v1", run: "urn:ashlar:pel:run:v1" } as const;
/** Who executed it, unless the signer says otherwise. */
export const BUILDER = "urn:ashlar:pel:v1";

/** Where receipts, and programs of runs, are read. */
export type Receipts = Pick<View, "read" | "get">;

export interface AttestOptions {
  /** Ed25519; each signs. */
  readonly privateKeys: readonly KeyObject[];
  /** A URI of what is trusted to have executed it; {@link BUILDER} by default. */
  readonly builder?: string | undefined;
}

/**
 * The signed statement about a receipt, in JSON: the same bytes for the same receipt, keys and builder. Throws PEL-ATTEST for one that made
 * nothing or is missing, PEL-RECEIPT, PEL-LIMIT, or an AslError.
 */
export function attestReceipt(receipts: Receipts, key: KeyLike, { privateKeys, builder }: AttestOptions): string {
  if (privateKeys.length === 0) throw new PelError("PEL-ARGUMENT", "a private key to sign with was expected");
  const statement = statementOf(receipts, key, builder);
  return signEnvelope(STATEMENT_PAYLOAD, encodeStatement(statement), privateKeys);
}

/** What an envelope says about a receipt. */
export interface Attestation {
  readonly kind: "node" | "run";
  /** The receipt. */
  readonly receipt: ArtifactKey;
  readonly builder: string;
  /** Who signed it of those that were asked for: {@link keyIdOf} their keys. */
  readonly signers: readonly string[];
  readonly statement: Statement;
  /** Whether it was held against the receipt itself. */
  readonly isCompared: boolean;
}

export interface VerifyEnvelopeOptions {
  /** Ed25519, 32 bytes; each must have signed. */
  readonly publicKeys: readonly Uint8Array[];
  /** Where the receipt is: all that the statement says has to be what that says. */
  readonly receipts?: Receipts | undefined;
  /** The builder that is trusted; undefined: any that the keys vouch for. */
  readonly builder?: string | undefined;
}

/**
 * What a signed statement says about a receipt, once its signatures, its form and, if there is one, the receipt itself are found to agree. Throws
 * PEL-ENVELOPE, PEL-SIGNATURE, PEL-STATEMENT, PEL-ATTEST or PEL-LIMIT.
 */
export function verifyEnvelope(bytes: Uint8Array, options: VerifyEnvelopeOptions): Attestation {
  const { publicKeys, receipts } = options;
  const envelope = parseEnvelope(bytes);
  checkEnvelope(envelope, publicKeys, STATEMENT_PAYLOAD);
  const statement = parseStatement(envelope.payload);
  const { buildDefinition, runDetails } = statement.predicate;
  const builder = runDetails.builder.id;
  if (options.builder !== undefined && builder !== options.builder)
    throw problem(
      `the builder is ${quoted(builder)}, not ${quoted(options.builder)}`,
      "/predicate/runDetails/builder/id",
    );
  const kind = (["node", "run"] as const).find((kind) => buildDefinition.buildType === BUILD_TYPES[kind]);
  if (kind === undefined)
    throw problem(
      `${quoted(buildDefinition.buildType)} is no execution by PEL`,
      "/predicate/buildDefinition/buildType",
    );
  const receipt = receiptOf(runDetails.byproducts ?? []);
  if (receipts !== undefined) {
    for (const { pointer, before, after } of differences(statementOf(receipts, receipt, builder), statement, isOpen)) {
      const said = `the statement says ${shown(after)}, the receipt ${shown(before)}`;
      throw new PelError("PEL-ATTEST", said, { pointer, key: receipt });
    }
  }
  const signers = publicKeys.map(keyIdOf);
  return { kind, receipt, builder, signers, statement, isCompared: receipts !== undefined };
}

/** The receipt that a statement is about: the byproduct `claim`. */
function receiptOf(byproducts: readonly ResourceDescriptor[]): ArtifactKey {
  const pointer = "/predicate/runDetails/byproducts";
  const index = byproducts.findIndex(({ name }) => name === "claim");
  for (const { number } of ALGORITHMS) {
    const digest = byproducts[index]?.digest?.[digestName(number)] ?? "";
    if (/^[0-9a-f]{64}$/.test(digest)) return keyText(number, Buffer.from(digest, "hex"));
  }
  throw problem("a byproduct `claim` with its digest was expected", pointer);
}

// ---- what a receipt says

/** What is said of a receipt that cannot be read. */
const UNREADABLE = { missing: "PEL-ATTEST", damaged: "PEL-RECEIPT", version: "PEL-VERSION" } as const;

/** The statement about a receipt (spec PER-ATTEST-5). Throws as {@link attestReceipt} does. */
export function statementOf(receipts: Receipts, key: KeyLike, builder: string = BUILDER): Statement {
  const { algorithm, bytes, at } = new ParsedKey().parse(key);
  const receipt = keyText(algorithm, bytes, at);
  const { claim, problem, message } = { message: "", ...readReceipt(receipts, receipt) };
  if (claim === undefined) throw new PelError(UNREADABLE[problem ?? "damaged"], message, { key: receipt });
  if (claim.outputs.length === 0)
    throw new PelError("PEL-ATTEST", "the receipt is of what made nothing, and a statement has a subject", {
      key: receipt,
    });
  const { abi, fuelSchedule, compiler } = claim;
  const about = claim.kind === "node" ? aboutNode(claim) : aboutRun(claim, receipts);
  return {
    _type: STATEMENT_TYPE,
    subject: about.subject,
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPES[claim.kind],
        externalParameters: about.externalParameters,
        internalParameters: { abi, fuelSchedule, compiler },
        resolvedDependencies: about.resolvedDependencies,
      },
      runDetails: {
        builder: { id: builder },
        byproducts: [
          { name: "claim", digest: digestsOf(receipt), annotations: about.annotations },
          ...(claim.kind === "node" ? [{ name: "trace", digest: { sha256: hexOf(claim.trace) } }] : []),
        ],
      },
    },
  };
}

interface About {
  readonly subject: readonly ResourceDescriptor[];
  readonly externalParameters: JsonObject;
  readonly resolvedDependencies: readonly ResourceDescriptor[];
  readonly annotations: JsonObject;
}

function aboutNode({ node, inputs, outputs, fuel, outcome }: NodeClaim): About {
  const inputNames = node.op === "guest" ? node.inputs : [];
  const outputNames = node.op === "guest" ? node.outputs.map(({ name }) => name) : [];
  const module = node.op === "guest" ? [described("module", { key: node.module, tag: undefined })] : [];
  return {
    subject: outputs.map((output, index) => described(outputNames[index] ?? String(index), output)),
    externalParameters: {
      op: node.op,
      parameters: parametersOf(node),
      inputs: inputs.map(({ key }, index) => ({ name: inputNames[index] ?? String(index), artifact: key })),
    },
    resolvedDependencies: [
      ...module,
      ...inputs.map((input, index) => described(`inputs/${inputNames[index] ?? index}`, input)),
    ],
    annotations: { ashlar_fuel: String(fuel), ashlar_outcome: outcome.type },
  };
}

function aboutRun({ program, inputs, outputs, keepGoing, failed }: RunClaim, receipts: Receipts): About {
  const bytes = receipts.get(program);
  if (bytes === undefined)
    throw new PelError("PEL-ATTEST", "the program of the run is missing, which says what modules it uses", {
      key: program,
    });
  const modules = new Set<ArtifactKey>();
  for (const node of decodeProgram(bytes).nodes) if (node.op === "guest") modules.add(node.module);
  return {
    subject: outputs.map((output) => described(output.name, output)),
    externalParameters: {
      program,
      inputs: inputs.map(({ name, key }: NamedRef) => ({ name, artifact: key })),
      keepGoing,
    },
    resolvedDependencies: [
      described("program", { key: program, tag: undefined }),
      ...[...modules].sort().map((key) => described("module", { key, tag: undefined })),
      ...inputs.map((input) => described(`inputs/${input.name}`, input)),
    ],
    annotations: {
      ashlar_outcome: failed === undefined ? "ok" : "failed",
      ...(failed === undefined ? {} : { ashlar_failedNode: failed }),
    },
  };
}

/** All that the node's own encoding says, but for how many inputs it has. */
export function parametersOf(node: Node): JsonObject {
  switch (node.op) {
    case "const":
      return { base64: Buffer.from(node.bytes).toString("base64") };
    case "slice":
      return { offset: node.offset, length: node.length ?? null };
    case "split":
      return { at: node.at };
    case "guest": {
      const { module, entry, args, outputs, stdout, stderr, assets, io, limits } = node;
      return {
        module,
        entry: entry ?? null,
        args,
        outputs: outputs.map(({ name, tag }) => ({ name, tag: tag ?? null })),
        stdout: stdout ?? null,
        stderr: stderr ?? null,
        assets: assets ?? null,
        io,
        limits: { ...limits, fuel: String(limits.fuel) },
      };
    }
    default:
      return {};
  }
}

function described(name: string, { key, tag }: ArtifactRef): ResourceDescriptor {
  const digest = digestsOf(key);
  return tag === undefined ? { name, digest } : { name, digest, annotations: { ashlar_typeTag: tag } };
}

/** A key as a set of digests (spec PER-ATTEST-5). */
function digestsOf(key: ArtifactKey): DigestSet {
  const { algorithm } = new ParsedKey().parse(key);
  return { [digestName(algorithm)]: key.slice(key.indexOf(":") + 1) };
}

/** Names that in-toto gives out (spec/v1/digest_set.md), by the number of the algorithm. */
const DIGEST_NAMES = ["", "sha256", "sha3_256", "sha512_256", "blake2s"] as const;

function digestName(algorithm: number): string {
  return DIGEST_NAMES[algorithm]!;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

// ---- comparing

/** What external parameters hold beside ours would have had a say in what was made; members that others have added elsewhere are nothing to it. */
function isOpen(pointer: string): boolean {
  return !pointer.startsWith("/predicate/buildDefinition/externalParameters");
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
