/** `ashlar/pel`: programs over artifacts, run as guest code, and the receipts that they leave (specs 30 to 31). */

export {
  type Attestation,
  type AttestOptions,
  attestReceipt,
  type VerifyEnvelopeOptions,
  verifyEnvelope,
} from "./attest.ts";
export { type GuestOptions, type GuestValues, ProgramBuilder, type Value } from "./builder.ts";
export { canonicalProgram } from "./canonical.ts";
export {
  type ArtifactRef,
  type Context,
  decodeClaim,
  decodeContext,
  encodeNodeClaim,
  encodeRunClaim,
  FailureCode,
  type FailureName,
  failureName,
  type NamedRef,
  type NodeClaim,
  type Outcome,
  outcomeText,
  type RunClaim,
  TypeTag,
  VERSIONS,
  type Versions,
} from "./claim.ts";
export { PEL_CODES, type PelCode, PelError, type PelPlace, type PelProblem } from "./errors.ts";
export {
  type ExplainedNode,
  type ExplainOptions,
  type Explanation,
  explainProgram,
  type Reason,
  reasonText,
} from "./explain.ts";
export type { CodeCache } from "./kernel-pool.ts";
export {
  decodeProgram,
  encodeProgram,
  type GuestLimits,
  type GuestNode,
  type Node,
  type Op,
  outputCount,
  type Program,
  type ProgramOutput,
  type Ref,
  type Tag,
} from "./program.ts";
export { type Provenance, type ProvenanceEdge, type ProvenanceNode, type WhyOptions, why } from "./provenance.ts";
export { type Replay, type ReplayOptions, replayStore } from "./replay.ts";
export { type NodeReport, type Progress, type RunOptions, type RunResult, runProgram } from "./run.ts";
export { type ParsedProgram, parseProgram, programText, type ResolveModule } from "./text.ts";
export { type Finding, type Verdict, type Verification, type VerifyOptions, verifyReceipt } from "./verify.ts";
