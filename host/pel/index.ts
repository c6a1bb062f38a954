/** `ashlar/pel`: programs over artifacts, run as guest code, and the receipts that they leave (specs 30 to 31). */
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
  type RunClaim,
  TypeTag,
  VERSIONS,
  type Versions,
} from "./claim.ts";
export { PEL_CODES, type PelCode, PelError, type PelPlace, type PelProblem } from "./errors.ts";
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
export { type NodeReport, type Progress, type RunOptions, type RunResult, runProgram } from "./run.ts";
