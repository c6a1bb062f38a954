/** A plain model of spec 11-heap, written from the spec and for nothing but clarity; `heap.test.ts` holds the heap to it. */
import type { BytesCall } from "../../vm/bytes.ts";
import { TrapCode } from "../../vm/trap.ts";

export interface Ref {
  readonly slot: number;
  readonly generation: number;
}
export const NULL_REF: Ref = { slot: 0, generation: 0 };

/** An argument of a call: a ref, or the bits of a number. */
export type Argument = Ref | bigint;

type Thing =
  | { readonly is: "bytes"; readonly bytes: Uint8Array; readonly place: number }
  | { readonly is: "window"; readonly instance: number }
  | { readonly is: "hosted"; readonly kind: number; readonly saved: Uint8Array }
  | { readonly is: "stale"; readonly kind: number };
interface Slot {
  generation: number;
  thing: Thing | undefined;
  next: number;
}

/** What a call came to: a trap, or the bits of its result (0 when it has none). */
export type Outcome = { readonly trap: TrapCode } | { readonly result: bigint };

class Trapped {
  readonly code: TrapCode;
  constructor(code: TrapCode) {
    this.code = code;
  }
}

export interface ModelOptions {
  readonly heapObjects: number;
  readonly heapBytes: number;
  readonly generationBits: number;
}

export class HeapModel {
  readonly options: ModelOptions;
  /** Linear memory of each instance, if it has one. */
  readonly memories: readonly ({ bytes: Uint8Array } | undefined)[];
  /** The instance whose code calls (spec HEAP-BYTES-6); undefined for the host, which may use every window. */
  viewer: number | undefined;
  slots: Slot[] = [{ generation: 0, thing: undefined, next: 0 }];
  free = 0;
  extent = 0;
  peak = 0;

  constructor(options: ModelOptions, memories: readonly ({ bytes: Uint8Array } | undefined)[]) {
    this.options = options;
    this.memories = memories;
  }

  get objects(): number {
    return this.slots.filter(({ thing }) => thing !== undefined).length;
  }

  get liveBytes(): number {
    return this.#extents().reduce((sum, [start, end]) => sum + end - start, 0);
  }

  run(call: BytesCall, args: readonly Argument[], instance: number): Outcome {
    try {
      return { result: BigInt.asUintN(64, this.#run(call.name, args, instance)) };
    } catch (error) {
      if (error instanceof Trapped) return { trap: error.code };
      throw error;
    }
  }

  create(kind: number, saved: Uint8Array): Ref {
    return this.#take({ is: "hosted", kind, saved });
  }

  destroy(ref: Ref, kind: number): Outcome {
    try {
      this.#destroy(ref, kind);
      return { result: 0n };
    } catch (error) {
      if (error instanceof Trapped) return { trap: error.code };
      throw error;
    }
  }

  /** What a restore does to hosted objects that cannot be opened again. */
  goStale(isLost: (saved: Uint8Array) => boolean): void {
    for (const slot of this.slots)
      if (slot.thing?.is === "hosted" && isLost(slot.thing.saved)) slot.thing = { is: "stale", kind: slot.thing.kind };
  }

  digest(): Uint8Array {
    const parts = [words(this.objects)];
    this.slots.forEach(({ generation, thing }, slot) => {
      if (thing === undefined) return;
      const [kind, size, contents] = describe(thing);
      parts.push(words(slot, generation, kind, size), contents);
    });
    return joined(parts);
  }

  save(): Uint8Array {
    const { generationBits } = this.options;
    const header = words(1, generationBits, this.slots.length, this.free, this.extent / 16, this.objects, 0);
    const table: Uint8Array[] = [];
    const contents: Uint8Array[] = [];
    for (const { generation, thing, next } of this.slots.slice(1)) {
      if (thing === undefined) {
        table.push(words(generation, 0, next, 0));
        continue;
      }
      const [kind, size, bytes] = describe(thing);
      table.push(words(generation, kind, thing.is === "bytes" && size > 0 ? thing.place : 0, size));
      contents.push(bytes);
    }
    return joined([new TextEncoder().encode("ASHP"), header, ...table, ...contents]);
  }

  #run(name: string, args: readonly Argument[], instance: number): bigint {
    const ref = (index: number) => args[index] as Ref;
    const number = (index: number) => args[index] as bigint;
    const u32 = (index: number) => Number(BigInt.asUintN(32, number(index)));
    const window = (at: number, length: number) => this.#window(ref(at), u32(at + 1), length);
    const access = /^(load|store)_?f?(\d+)(_s)?/.exec(name);
    if (access !== null) {
      const size = Number(access[2]) / 8;
      const bytes = window(0, size);
      if (access[1] === "store") {
        for (let index = 0; index < size; index++) bytes[index] = Number((number(2) >> BigInt(8 * index)) & 255n);
        return 0n;
      }
      let value = 0n;
      for (let index = 0; index < size; index++) value |= BigInt(bytes[index]!) << BigInt(8 * index);
      return access[3] === undefined ? value : BigInt.asUintN(32, BigInt.asIntN(8 * size, value));
    }
    switch (name) {
      case "new":
        return bits(this.#newBytes(u32(0)));
      case "len":
        return BigInt(this.#bytesOf(ref(0)).length);
      case "kind":
        return BigInt(kindOf(this.#live(ref(0))));
      case "copy": {
        const target = window(0, u32(4));
        target.set(window(2, u32(4)).slice());
        return 0n;
      }
      case "fill":
        window(0, u32(3)).fill(Number(number(2) & 255n));
        return 0n;
      case "compare": {
        const a = window(0, u32(4));
        const b = window(2, u32(4));
        const differs = a.findIndex((byte, index) => byte !== b[index]);
        return differs < 0 ? 0n : a[differs]! < b[differs]! ? 0xffff_ffffn : 1n;
      }
      case "of_memory": {
        if (this.memories[instance] === undefined) return 0n;
        const slot = this.slots.findIndex(({ thing }) => thing?.is === "window" && thing.instance === instance);
        if (slot > 0) return bits({ slot, generation: this.slots[slot]!.generation });
        return bits(this.#take({ is: "window", instance }));
      }
      case "destroy":
        this.#destroy(ref(0), 1);
        return 0n;
      default:
        throw new Error(`the model knows no call ${name}`);
    }
  }

  #live(ref: Ref): Thing {
    if (ref.slot === 0 && ref.generation === 0) throw new Trapped(TrapCode.HeapRefNull);
    const slot = this.slots[ref.slot];
    if (slot?.thing === undefined || slot.generation !== ref.generation) throw new Trapped(TrapCode.HeapRefStale);
    return slot.thing;
  }

  #bytesOf(ref: Ref): Uint8Array {
    const thing = this.#live(ref);
    if (thing.is === "bytes") return thing.bytes;
    if (thing.is === "window" && (this.viewer ?? thing.instance) === thing.instance)
      return this.memories[thing.instance]!.bytes;
    throw new Trapped(TrapCode.HeapRefKind);
  }

  #window(ref: Ref, offset: number, length: number): Uint8Array {
    const bytes = this.#bytesOf(ref);
    if (offset + length > bytes.length) throw new Trapped(TrapCode.HeapWindow);
    return bytes.subarray(offset, offset + length);
  }

  /** Live extents of `Bytes` objects as start and end in the byte region, in order. */
  #extents(): [number, number][] {
    const extents: [number, number][] = [];
    for (const { thing } of this.slots)
      if (thing?.is === "bytes" && thing.bytes.length > 0)
        extents.push([thing.place, thing.place + rounded(thing.bytes.length)]);
    return extents.sort(([a], [b]) => a - b);
  }

  #newBytes(length: number): Ref {
    let place = 0;
    for (const [start, end] of this.#extents()) {
      if (start - place >= rounded(length)) break;
      place = end;
    }
    const end = place + rounded(length);
    if (end > rounded(this.options.heapBytes - 15)) return NULL_REF;
    const ref = this.#take({ is: "bytes", bytes: new Uint8Array(length), place });
    if (ref.slot !== 0 && length > 0) this.extent = Math.max(this.extent, end);
    this.peak = Math.max(this.peak, this.liveBytes);
    return ref;
  }

  #take(thing: Thing): Ref {
    if (this.objects === this.options.heapObjects) return NULL_REF;
    let slot = this.free;
    if (slot !== 0) this.free = this.slots[slot]!.next;
    else if (this.slots.length > this.options.heapObjects) return NULL_REF;
    else {
      slot = this.slots.length;
      this.slots.push({ generation: 1, thing, next: 0 });
    }
    const entry = this.slots[slot]!;
    entry.thing = thing;
    return { slot, generation: entry.generation };
  }

  #destroy(ref: Ref, kind: number): void {
    const thing = this.#live(ref);
    if (kindOf(thing) !== kind) throw new Trapped(TrapCode.HeapRefKind);
    if (thing.is === "window") throw new Trapped(TrapCode.HeapRefFixed);
    const slot = this.slots[ref.slot]!;
    slot.thing = undefined;
    slot.next = 0;
    slot.generation++;
    if (slot.generation === 2 ** this.options.generationBits) slot.generation = 0;
    else {
      slot.next = this.free;
      this.free = ref.slot;
    }
  }
}

function kindOf(thing: Thing): number {
  return thing.is === "bytes" || thing.is === "window" ? 1 : thing.kind;
}

/** Kind word, size and contents, as in the digest. */
function describe(thing: Thing): [number, number, Uint8Array] {
  const nothing = new Uint8Array(0);
  switch (thing.is) {
    case "bytes":
      return [1, thing.bytes.length, thing.bytes];
    case "window":
      return [0x1_0001, thing.instance, nothing];
    case "hosted":
      return [thing.kind, thing.saved.length, thing.saved];
    case "stale":
      return [0x2_0000 + thing.kind, 0, nothing];
  }
}

/** The ref as the i64 that a guest sees. */
export function bits({ slot, generation }: Ref): bigint {
  return BigInt(slot) | (BigInt(generation) << 32n);
}

export function rounded(length: number): number {
  return Math.ceil(length / 16) * 16;
}

export function words(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, index) => {
    view.setUint32(4 * index, value, true);
  });
  return new Uint8Array(view.buffer);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
