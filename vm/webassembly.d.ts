/** The one part of the WebAssembly JavaScript API that `vm/` uses; without it `vm/` would need the DOM's or Node's types. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(delta: number): number;
  }
}
