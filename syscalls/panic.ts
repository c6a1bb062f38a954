import { AshlarError } from "../vm/errors.ts";

/** A broken invariant on the host's side of the ABI (spec ABI-PANIC-1): a bug, never a trap and never a status. */
export class Panic extends AshlarError {
  readonly code = "ABI-PANIC";
  constructor(message: string, options?: ErrorOptions) {
    super(message);
    this.name = "Panic";
    if (options !== undefined) this.cause = options.cause;
  }
}
