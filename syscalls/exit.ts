/**
 * What `sys.exit` throws through the engine (spec ABI-EXIT-1). Not an Error: whoever invoked the guest catches it and
 * takes `exitCode` (0 to 255) as the guest's own.
 */
export class Exit {
  readonly exitCode: number;
  constructor(exitCode: number) {
    this.exitCode = exitCode;
  }
}
