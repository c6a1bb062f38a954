/**
 * The virtual machine: WebAssembly under the deterministic profile, with HeapRefs and fuel.
 *
 * ```ts
 * import { Module } from "ashlar/vm";
 * const instance = Module.decode(bytes).instantiate({ fuel: 10_000_000n });
 * instance.invoke("fib", [32]); // [2178309]
 * instance.fuelUsed;            // bigint, the same everywhere
 * ```
 */
export { disassemble } from "./bytecode/disassemble.ts";
export { encode } from "./bytecode/encode.ts";
export { type Immediate, OPCODES, type Opcode } from "./bytecode/opcodes.ts";
export type {
  ExternType,
  FunctionType,
  GlobalType,
  MemoryType,
  ModuleStructure,
  RefType,
  TableType,
  ValueType,
} from "./bytecode/structure.ts";
export { BYTES_CALLS } from "./bytes.ts";
export type { CallFuel, Declaration, Parameter, ParameterType } from "./declaration.ts";
export { functionTypeOf, packedTypeOf } from "./declaration.ts";
export {
  AshlarError,
  DecodeError,
  LimitError,
  LinkError,
  Stopped,
  UnsupportedFeature,
  UsageError,
  ValidationError,
} from "./errors.ts";
export type { Engine, InvokeOptions } from "./execution.ts";
export { FUEL_SCHEDULE } from "./fuel.ts";
export type { FuelProfile, ProfileRow } from "./fuel-profile.ts";
export { type BigintFunction, type Caller, ExportedFunction, type HostFunction, type Results } from "./function.ts";
export { Global } from "./global.ts";
export { BYTES_KIND, Heap, type Kind, STALE_OBJECT } from "./heap.ts";
export {
  type Imports,
  type ImportValue,
  Instance,
  type InstantiateOptions,
  type RestoreOptions,
  type RestorePart,
  restore,
} from "./instance.ts";
export type { AbortLike } from "./interruption.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export { Memory, PAGE_BYTES } from "./memory.ts";
export { Module } from "./module.ts";
export type { Hooks, Position } from "./reference/activation.ts";
export { type Hash, injectSha256 } from "./sha256.ts";
export { type HostState, Store, type StoreOptions } from "./store.ts";
export { Table } from "./table.ts";
export { Fault, type Frame, Trap, TrapCode, type TrapName } from "./trap.ts";
export { decodeUtf8, encodeUtf8 } from "./utf8.ts";
export type { Bits, Extern, Value, ValueOptions } from "./value.ts";
