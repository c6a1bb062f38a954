/** The host ABI: its table, and the dispatcher that turns the table and an implementation into imports. */

export { assemblyScriptBindings } from "./bindings/assemblyscript.ts";
export { cBindings } from "./bindings/c.ts";
export { rustBindings } from "./bindings/rust.ts";
export type { TransferHandle } from "./checks.ts";
export {
  type Bodies,
  type DefineOptions,
  defineSyscalls,
  FIRST_OWN_KIND,
  type SyscallTable,
  TableError,
} from "./define.ts";
export type {
  Call,
  DispatchOptions,
  HostFunctions,
  Implementation,
  SyscallBody,
  Tape,
} from "./dispatch.ts";
export { hostFunctions } from "./dispatch.ts";
export { Exit } from "./exit.ts";
export {
  ARTIFACT_KIND,
  BANK_KIND,
  DIR_KIND,
  FILE_KIND,
  KINDS,
  LOAD_KIND,
  STREAM_KIND,
  WRITER_KIND,
} from "./kinds.ts";
export type { CallEnd, CallEvent, CallValue, Glimpse, Observer } from "./observe.ts";
export { Panic } from "./panic.ts";
export {
  createRecorder,
  type Outcome,
  outcomeOf,
  type Recorder,
  type RecorderOptions,
  type RecordingHeader,
} from "./recording.ts";
export { type Json, type JsonObject, type ReadBytes, RecordingError, type WriteBytes } from "./recording-file.ts";
export {
  openRecording,
  type Player,
  type ReplayAbi,
  ReplayError,
  type ReplayOptions,
  replayAbi,
} from "./replay.ts";
export { STATUS_MESSAGES, Status, type StatusName, statusName } from "./status.ts";
export {
  ABI_VERSION,
  OpenFlag,
  type Row,
  SYSCALLS,
  type Syscall,
  type SyscallParameter,
  syscall,
  type Window,
} from "./table.ts";
export { traceFilter, traceJson, traceJsonLine, traceLine } from "./trace.ts";
export { ABI_SECTION, checkAbiVersion } from "./version.ts";
