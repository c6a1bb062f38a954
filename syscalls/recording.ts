/**
 * Recordings of what a host answered to a guest (spec 19a): this file makes them, `replay.ts` runs a guest from one,
 * without a host.
 *
 * ```ts
 * const recorder = createRecorder({ module: module.digest, fuel, limits, about: { args }, write });
 * const abi = createAbi({ …, record: recorder }); // of another table: defineSyscalls(table, bodies, { tape: recorder })
 * // … run the guest in a store with that fuel, these limits and abi.kinds; `thrown` is what its invocation threw …
 * recorder.end(outcomeOf(store.fuelUsed, thrown, stateDigest));
 *
 * const player = openRecording(source); // a Uint8Array, or a function that fills one and answers how much; 0 at the end
 * const { module, fuel, limits, about } = player.header;
 * const abi = replayAbi(player, { stdout, stderr, log, observe }); // of another table: { tape: player }
 * // … the same …
 * player.end(outcomeOf(store.fuelUsed, thrown, stateDigest)); // throws a ReplayError where anything differs
 * ```
 *
 * A state digest asks the host about the objects behind HeapRefs. So it is part of a recording: a replay must take one
 * exactly where the recorded run took one, always before `end`. When `thrown` is a RecordingError (the recording is
 * damaged, or ends where its process was killed) or a ReplayError, it is the result, and there is nothing to `end`.
 */
import { AshlarError } from "../vm/errors.ts";
import { FUEL_SCHEDULE } from "../vm/fuel.ts";
import { BYTES_KIND, type Heap, type Kind } from "../vm/heap.ts";
import { type Limits, limitsWith, type StoreLimits } from "../vm/limits.ts";
import { Fault, Trap, TrapCode } from "../vm/trap.ts";
import type { TransferHandle } from "./checks.ts";
import { crc32 } from "./crc32.ts";
import type { Call, LooseBody, Tape } from "./dispatch.ts";
import { Exit } from "./exit.ts";
import { Panic } from "./panic.ts";
import { type Json, type JsonObject, RecordingWriter, type WriteBytes } from "./recording-file.ts";
import { Status } from "./status.ts";
import { ABI_VERSION, type Syscall } from "./table.ts";
import { valueIndices, wordIndices, wordsOf } from "./words.ts";

/** First byte of an event (spec REC-EVENT-1). */
export const EventTag = { NAME: 1, RETURN: 2, TRAP: 3, EXIT: 4, SAVE: 5, CHARGE: 6 } as const;
/** First byte of a HeapRef among the results (spec REC-EVENT-3). */
export const RefTag = { NULL: 0, KNOWN: 1, NEW: 2 } as const;

/** What a recording says of its run before it begins (spec REC-HEADER-1). */
export interface RecordingHeader {
  /** SHA-256 of the module, in hexadecimal. */
  readonly module: string;
  /** Undefined: unlimited. */
  readonly fuel: bigint | undefined;
  readonly limits: StoreLimits;
  /** Capabilities. */
  readonly granted: readonly string[];
  /** What the embedder wants to find again: what was called, with which arguments. */
  readonly about: Json;
}

/** What a run came to (spec REC-END-1). */
export interface Outcome {
  readonly outcome: "returned" | "exit" | "trap" | "error";
  readonly exitCode?: number;
  readonly trap?: { readonly code: number; readonly function: number; readonly offset: number };
  /** Code of an error that is neither; a host's error without a code is "unknown". */
  readonly error?: string;
  readonly fuelUsed: bigint;
  readonly stateDigest?: string;
}

/** The outcome of a run, from what its invocation threw; undefined when it returned. */
export function outcomeOf(fuelUsed: bigint, thrown?: unknown, stateDigest?: string): Outcome {
  const rest = { fuelUsed, ...(stateDigest !== undefined && { stateDigest }) };
  if (thrown === undefined) return { outcome: "returned", ...rest };
  if (thrown instanceof Exit) return { outcome: "exit", exitCode: thrown.exitCode, ...rest };
  if (thrown instanceof Trap) {
    const { code, function: index, offset } = thrown;
    return { outcome: "trap", trap: { code, function: index, offset }, ...rest };
  }
  return { outcome: "error", error: thrown instanceof AshlarError ? String(thrown.code) : "unknown", ...rest };
}

export function outcomeJson({ fuelUsed, ...rest }: Outcome): JsonObject {
  return { ...rest, fuelUsed: String(fuelUsed) };
}

export interface RecorderOptions {
  /** SHA-256 of the module, in hexadecimal. */
  readonly module: string;
  /** Of the store; as given to it. */
  readonly fuel?: bigint | undefined;
  readonly limits?: Partial<Limits> | undefined;
  readonly about?: Json;
  /** Takes the file, piece by piece, in order; a piece is good only during the call. */
  readonly write: WriteBytes;
}

/** Records the run of one store. Throws a RecordingError when the recording cannot be written. */
export function createRecorder(options: RecorderOptions): Recorder {
  return new Recorder(options);
}

/** CRC-32 of a call's arguments (spec REC-EVENT-2): tells whether a guest makes the same call again. */
export function argumentsChecksum(row: Syscall): (words: readonly number[], values: readonly unknown[]) => number {
  const at = wordIndices(row.params);
  const valueAt = valueIndices(row);
  const size = row.params.reduce((bytes, { type }) => bytes + (type === "f64" ? 8 : 4 * wordsOf(type)), 0);
  const view = new DataView(new ArrayBuffer(size));
  const bytes = new Uint8Array(view.buffer);
  const sources = row.windows.filter(({ written }) => written === undefined).map(({ ref }) => valueAt[ref]!);
  return (words, values) => {
    let offset = 0;
    row.params.forEach(({ type }, k) => {
      const word = words[at[k]!]!;
      // A NaN of JavaScript has no bits of its own.
      if (type === "f64") view.setFloat64(offset, Number.isNaN(word) ? Number.NaN : word, true);
      else if (type === "f32") view.setFloat32(offset, Number.isNaN(word) ? Number.NaN : word, true);
      else {
        view.setInt32(offset, word, true);
        if (wordsOf(type) === 2) view.setInt32(offset + 4, words[at[k]! + 1]!, true);
      }
      offset += type === "f64" ? 8 : 4 * wordsOf(type);
    });
    let crc = crc32(0, bytes);
    for (const source of sources) crc = crc32(crc, values[source] as Uint8Array);
    return crc;
  };
}

/** For each window that the row writes: the value it is, and the result that counts its bytes. */
export function writtenWindows(row: Syscall): { readonly value: number; readonly count: number | "all" }[] {
  const valueAt = valueIndices(row);
  return row.windows.flatMap(({ ref, written }) =>
    written === undefined ? [] : [{ value: valueAt[ref]!, count: written }],
  );
}

export class Recorder implements Tape {
  words: readonly number[] = [];
  readonly #options: RecorderOptions;
  readonly #granted = new Set<string>();
  readonly #rows = new Map<Syscall, number>();
  #writer: RecordingWriter | undefined;
  #isEnded = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  grant(granted: ReadonlySet<string>): ReadonlySet<string> {
    if (this.#writer !== undefined) throw new Panic("a recorder is given to every table before the guest runs");
    for (const name of granted) this.#granted.add(name);
    return granted;
  }

  kinds(kinds: readonly Kind[]): Kind[] {
    return kinds.map((kind) => ({
      ...kind,
      save: (object) => {
        const bytes = kind.save?.(object);
        const writer = this.#events();
        writer.byte(EventTag.SAVE);
        writer.varint(kind.id);
        writer.byte(bytes === undefined ? 0 : 1);
        if (bytes !== undefined) writer.bytes(bytes);
        return bytes;
      },
    }));
  }

  body(row: Syscall, run: LooseBody): LooseBody {
    const checksum = argumentsChecksum(row);
    const written = writtenWindows(row);
    const hasStatus = row.results[0]?.name === "status";
    return (call, ...values) => {
      const crc = checksum(this.words, values);
      const objects = call.heap.objects;
      let first: number | undefined;
      let hasCharged = false;
      call.charging = (fuel) => {
        hasCharged = true;
        this.#call(EventTag.CHARGE, row, crc).varint64(fuel | 0, Math.floor(fuel / 2 ** 32));
      };
      try {
        first = run(call, ...values);
      } catch (error) {
        // A replay runs out of fuel where it charges.
        if (error instanceof Fault && error.code === TrapCode.OutOfFuel && hasCharged) throw error;
        if (error instanceof Fault) {
          const writer = this.#call(EventTag.TRAP, row, crc);
          writer.varint(error.code);
          writer.byte(error.detail === undefined ? 0 : 1);
          if (error.detail !== undefined) writer.text(error.detail);
        } else if (error instanceof Exit) this.#call(EventTag.EXIT, row, crc).varint(error.exitCode);
        throw error;
      }
      if (hasStatus && first !== Status.OK) {
        this.#call(EventTag.RETURN, row, crc).varint(first! >>> 0);
        return first;
      }
      // Nothing is written of a call that cannot be.
      const made = newObjects(row, call, objects);
      const pieces = written.map(({ value, count }) => {
        const window = values[value] as Uint8Array;
        const bytes = count === "all" ? window.length : count === 0 ? first! : call.low[count]! >>> 0;
        if (bytes > window.length) throw new Panic(`${row.module}.${row.name} counts more bytes than its window has`);
        return window.subarray(0, bytes);
      });
      const writer = this.#call(EventTag.RETURN, row, crc);
      row.results.forEach(({ type }, k) => {
        if (typeof type === "object") writeRef(writer, call.heap, call.low[k]!, call.high[k]!, made > 0);
        else if (wordsOf(type) === 2) writer.varint64(call.low[k]!, call.high[k]!);
        else writer.varint((k === 0 ? first! : call.low[k]!) >>> 0);
      });
      for (const piece of pieces) writer.bytes(piece);
      return first;
    };
  }

  /** Writes out what was gathered, so that it is there should the process be killed. */
  flush(): void {
    this.#events().flush();
  }

  /** Ends the recording. */
  end(outcome: Outcome): void {
    this.#events().end(outcomeJson(outcome));
    this.#isEnded = true;
  }

  #call(tag: number, row: Syscall, crc: number): RecordingWriter {
    const writer = this.#events();
    const number = this.#rows.get(row) ?? this.#nameRow(writer, row);
    writer.byte(tag);
    writer.varint(number);
    writer.u32(crc);
    return writer;
  }

  #nameRow(writer: RecordingWriter, row: Syscall): number {
    writer.byte(EventTag.NAME);
    writer.text(`${row.module}.${row.name}`);
    this.#rows.set(row, this.#rows.size);
    return this.#rows.size - 1;
  }

  #events(): RecordingWriter {
    if (this.#isEnded) throw new Panic("the recording has ended");
    this.#writer ??= new RecordingWriter(this.#options.write, this.#header());
    return this.#writer;
  }

  #header(): JsonObject {
    const { module, fuel, limits, about = null } = this.#options;
    const { memoryPages, tableElements, depth, heapObjects, heapBytes, instances } = limitsWith(limits);
    return {
      abi: ABI_VERSION,
      about,
      fuel: fuel === undefined ? null : String(fuel),
      fuelSchedule: FUEL_SCHEDULE,
      granted: [...this.#granted].sort(),
      limits: { memoryPages, tableElements, depth, heapObjects, heapBytes, instances },
      module,
    };
  }
}

/** How many of its results a call has made, all or none; `before` counts the objects before the call. */
function newObjects(row: Syscall, call: Call, before: number): number {
  const made = call.heap.objects - before;
  const refs = row.results.filter(({ type }, k) => typeof type === "object" && call.low[k] !== 0).length;
  if (made !== 0 && made !== refs)
    throw new Panic(`${row.module}.${row.name} cannot be recorded: it made or ended objects beside its results`);
  return made;
}

function writeRef(writer: RecordingWriter, heap: Heap, low: number, high: number, isNew: boolean): void {
  if (low === 0 && high === 0) {
    writer.byte(RefTag.NULL);
    return;
  }
  writer.byte(isNew ? RefTag.NEW : RefTag.KNOWN);
  if (!isNew) {
    writer.varint(low >>> 0);
    writer.varint(high >>> 0);
    return;
  }
  const kind = heap.kindOf(low, high);
  writer.varint(kind);
  if (kind === BYTES_KIND.id) writer.bytes(heap.window(low, high, 0, heap.length(low, high)));
  else writer.byte(isPositional(heap.object(low, high, kind)) ? 1 : 0);
}

function isPositional(object: unknown): boolean {
  return typeof object === "object" && object !== null && (object as Partial<TransferHandle>).positional === true;
}
