/**
 * Errors of the VM (spec VM-ERROR-1). Every error a user can meet has a stable `code` that begins with its owner's
 * prefix; tests and programs compare codes, never messages.
 */

/** The base of every error that Ashlar throws on purpose. */
export abstract class AshlarError extends Error {
  /** A string with the owner's prefix (`VM-`, `ABI-`, …); of a {@link Trap} the number of its trap code. */
  abstract readonly code: string | number;
}

/** The bytes are not a WebAssembly module. `offset` is in bytes from the module's start. */
export class DecodeError extends AshlarError {
  readonly code = "VM-DECODE";
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(`${message} at offset ${hex(offset)}`);
    this.name = "DecodeError";
    this.offset = offset;
  }
}

/** The module is well-formed but not valid (core spec 2.0, chapter 3). */
export class ValidationError extends AshlarError {
  readonly code = "VM-VALIDATION";
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(`${message} at offset ${hex(offset)}`);
    this.name = "ValidationError";
    this.offset = offset;
  }
}

/** The module uses WebAssembly that is outside the profile (spec VM-PROFILE-1); `feature` names the proposal. */
export class UnsupportedFeature extends AshlarError {
  readonly code = "VM-UNSUPPORTED_FEATURE";
  readonly offset: number;
  readonly feature: string;
  constructor(offset: number, feature: string) {
    super(`the module uses ${feature}, which is outside the profile, at offset ${hex(offset)}`);
    this.name = "UnsupportedFeature";
    this.offset = offset;
    this.feature = feature;
  }
}

/** A limit of `limits.ts` would be passed (spec VM-LIMIT-1). */
export class LimitError extends AshlarError {
  readonly code = "VM-LIMIT";
  readonly limit: string;
  readonly allowed: number;
  readonly actual: number;
  /** Byte offset in the module, or -1 where there is none. */
  readonly offset: number;
  constructor(limit: string, allowed: number, actual: number, offset = -1) {
    super(`${limit}: ${actual} is over the limit of ${allowed}${offset < 0 ? "" : ` at offset ${hex(offset)}`}`);
    this.name = "LimitError";
    this.limit = limit;
    this.allowed = allowed;
    this.actual = actual;
    this.offset = offset;
  }
}

/** An import is missing or does not fit (spec VM-LINK-1). */
export class LinkError extends AshlarError {
  readonly code = "VM-LINK";
  readonly module: string;
  readonly importName: string;
  constructor(module: string, importName: string, message: string) {
    super(`import ${JSON.stringify(module)} ${JSON.stringify(importName)}: ${message}`);
    this.name = "LinkError";
    this.module = module;
    this.importName = importName;
  }
}

/** What an embedder asked for is not possible in the state the store is in, or the argument is wrong. */
export class UsageError extends AshlarError {
  readonly code:
    | "VM-REENTRANT"
    | "VM-NOT-PAUSED"
    | "VM-ARGUMENT"
    | "VM-NO-EXPORT"
    | "VM-SNAPSHOT"
    | "VM-SNAPSHOT-MIDCALL"
    | "VM-HOST-MEMORY"
    | "VM-HOST-STACK"
    | "VM-ENGINE"
    | "VM-DEAD";
  constructor(code: UsageError["code"], message: string) {
    super(message);
    this.name = "UsageError";
    this.code = code;
  }
}

/** The embedder stopped an invocation (spec VM-STOP-1). The store may be used again as after a trap. */
export class Stopped extends AshlarError {
  readonly code = "VM-STOPPED";
  constructor() {
    super("the invocation was stopped by the embedder");
    this.name = "Stopped";
  }
}

function hex(offset: number): string {
  return `0x${offset.toString(16)}`;
}
