/**
 * Statements about what was made, and how: in-toto Statement v1 (github.com/in-toto/attestation, spec/v1) with a provenance predicate v1 of SLSA
 * (slsa.dev/provenance/v1) (spec PER-ATTEST).
 */
import { canonicalJson, type Json, type JsonObject, pointerStep } from "../assets/json.ts";
import { expecting, jsonTextOf, parseJson } from "../assets/json-text.ts";
import { PelError } from "./errors.ts";

/** What envelopes call a statement. */
export const STATEMENT_PAYLOAD = "application/vnd.in-toto+json";
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
export const PROVENANCE_TYPE = "https://slsa.dev/provenance/v1";

/** Digests by the names of their algorithms. */
export interface DigestSet {
  readonly [algorithm: string]: string;
}

export interface ResourceDescriptor {
  readonly name?: string;
  readonly uri?: string;
  readonly digest?: DigestSet;
  readonly mediaType?: string;
  readonly annotations?: JsonObject;
}

export interface Provenance {
  readonly buildDefinition: {
    readonly buildType: string;
    readonly externalParameters: JsonObject;
    readonly internalParameters?: JsonObject;
    readonly resolvedDependencies?: readonly ResourceDescriptor[];
  };
  readonly runDetails: {
    readonly builder: { readonly id: string };
    readonly byproducts?: readonly ResourceDescriptor[];
  };
}

export interface Statement {
  readonly _type: typeof STATEMENT_TYPE;
  /** At least one; each has a digest. */
  readonly subject: readonly ResourceDescriptor[];
  readonly predicateType: typeof PROVENANCE_TYPE;
  readonly predicate: Provenance;
}

/** Bytes of the digests whose names are given out (spec/v1/digest_set.md): those are in lower case hexadecimal. */
const DIGEST_BYTES: { readonly [algorithm: string]: number } = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  sha512_224: 28,
  sha512_256: 32,
  sha3_224: 28,
  sha3_256: 32,
  sha3_384: 48,
  sha3_512: 64,
};

/** Canonical JSON: one text for a statement. */
export function encodeStatement(statement: Statement): Uint8Array {
  return Buffer.from(canonicalJson(statement));
}

/**
 * The statement that the bytes are. What both formats demand is there; members that they do not know are kept, and null is as good as nothing. Throws
 * PEL-STATEMENT.
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const text = jsonTextOf(bytes);
  if (text === undefined) throw problem("the statement is not UTF-8");
  const statement = objectAt(parseJson(text, problem), "");
  exactly(statement._type, STATEMENT_TYPE, "/_type");
  const subject = descriptorsAt(statement.subject, "/subject");
  if (subject.length === 0) throw problem("a subject was expected", "/subject");
  for (const [index, { digest }] of subject.entries())
    if (!isSet(digest)) throw problem("a subject has a digest", `/subject/${index}/digest`);
  exactly(statement.predicateType, PROVENANCE_TYPE, "/predicateType");
  const predicate = objectAt(statement.predicate, "/predicate");
  const at = (name: string): string => `/predicate/${name}`;

  const definition = objectAt(predicate.buildDefinition, at("buildDefinition"));
  textAt(definition.buildType, at("buildDefinition/buildType"));
  objectAt(definition.externalParameters, at("buildDefinition/externalParameters"));
  objectAt(definition.internalParameters ?? {}, at("buildDefinition/internalParameters"));
  descriptorsAt(definition.resolvedDependencies, at("buildDefinition/resolvedDependencies"));

  const details = objectAt(predicate.runDetails, at("runDetails"));
  const builder = objectAt(details.builder, at("runDetails/builder"));
  textAt(builder.id, at("runDetails/builder/id"));
  descriptorsAt(builder.builderDependencies, at("runDetails/builder/builderDependencies"));
  objectAt(details.metadata ?? {}, at("runDetails/metadata"));
  descriptorsAt(details.byproducts, at("runDetails/byproducts"));
  return statement as unknown as Statement;
}

export function problem(message: string, pointer?: string): PelError {
  return new PelError("PEL-STATEMENT", message, { pointer });
}

function exactly(value: Json | undefined, expected: string, pointer: string): void {
  if (textAt(value, pointer) !== expected) throw problem(`${expected} was expected`, pointer);
}

const expect = expecting(problem);
const objectAt = expect.object;

/** Text that is not empty, which would be as good as none. */
function textAt(value: Json | undefined, pointer: string): string {
  if (value !== "") return expect.text(value, pointer);
  throw problem("text was expected", pointer);
}

function descriptorsAt(value: Json | undefined, pointer: string): readonly ResourceDescriptor[] {
  const list = expect.array(value ?? [], pointer);
  for (const [index, item] of list.entries()) checkDescriptor(item, `${pointer}/${index}`);
  return list as unknown as readonly ResourceDescriptor[];
}

function checkDescriptor(value: Json, pointer: string): void {
  const descriptor = objectAt(value, pointer);
  for (const member of ["name", "uri", "content", "downloadLocation", "mediaType"])
    if (isSet(descriptor[member])) textAt(descriptor[member], pointer + pointerStep(member));
  if (isSet(descriptor.annotations)) objectAt(descriptor.annotations, `${pointer}/annotations`);
  if (isSet(descriptor.digest)) checkDigests(objectAt(descriptor.digest, `${pointer}/digest`), `${pointer}/digest`);
  if (!["uri", "digest", "content"].some((member) => isSet(descriptor[member])))
    throw problem("one of uri, digest and content was expected", pointer);
}

/** Unset, null and empty are one. */
function isSet(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function checkDigests(digests: JsonObject, pointer: string): void {
  for (const [algorithm, value] of Object.entries(digests)) {
    const at = pointer + pointerStep(algorithm);
    const digest = textAt(value, at);
    const size = Object.hasOwn(DIGEST_BYTES, algorithm) ? DIGEST_BYTES[algorithm] : undefined;
    if (size !== undefined && !(digest.length === 2 * size && /^[0-9a-f]*$/.test(digest)))
      throw problem(`${2 * size} digits 0-9a-f were expected`, at);
  }
}
