/** Runs a guest from a recording, without a host (spec REC-REPLAY). `recording.ts` shows how. */
import { AshlarError, UsageError } from "../vm/errors.ts";
import { FUEL_SCHEDULE } from "../vm/fuel.ts";
import { MOST_CHARGE } from "../vm/function.ts";
import { BYTES_KIND, type Heap, type Kind } from "../vm/heap.ts";
import type { StoreLimits } from "../vm/limits.ts";
import type { Module } from "../vm/module.ts";
import { Fault, TrapCode, type TrapCode as TrapNumber } from "../vm/trap.ts";
import {
  type Call,
  type HostFunctions,
  hostFunctions,
  type Implementation,
  type LooseBody,
  type Tape,
} from "./dispatch.ts";
import { Exit } from "./exit.ts";
import { KINDS } from "./kinds.ts";
import type { Observer } from "./observe.ts";
import {
  argumentsChecksum,
  EventTag,
  type Outcome,
  outcomeJson,
  type RecordingHeader,
  RefTag,
  writtenWindows,
} from "./recording.ts";
import {
  canonicalJson,
  type Json,
  type JsonObject,
  type ReadBytes,
  RecordingError,
  RecordingReader,
} from "./recording-file.ts";
import { Status } from "./status.ts";
import { ABI_VERSION, SYSCALLS, type Syscall } from "./table.ts";
import { checkAbiVersion } from "./version.ts";
import { createPersonality } from "./wasi/personality.ts";
import { wordsOf } from "./words.ts";

/** The guest does not do what the recording says it did. */
export class ReplayError extends AshlarError {
  readonly code = "ABI-REPLAY";
  /** Number of the call, from 1, at which the two part; 0 before any. Calls that end before they reach the host do not count. */
  readonly call: number;
  readonly expected: string;
  readonly actual: string;
  constructor(call: number, expected: string, actual: string) {
    const where = call === 0 ? "before the first call" : `at call ${call}`;
    super(`the replay differs from the recording ${where}: expected ${expected}, got ${actual}`);
    this.name = "ReplayError";
    this.call = call;
    this.expected = expected;
    this.actual = actual;
  }
}

/** Tags of the events of calls. */
const CALL_TAGS: readonly number[] = [EventTag.RETURN, EventTag.TRAP, EventTag.EXIT, EventTag.CHARGE];

/** Begins to read a recording. Throws a RecordingError for what is none, or one of another ABI or fuel schedule. */
export function openRecording(source: Uint8Array | ReadBytes): Player {
  return new Player(new RecordingReader(source));
}

/** Stands for a host's object during a replay. */
interface ReplayedObject {
  readonly positional: boolean;
  /** The call that made it, `sys.stdout`. */
  readonly maker: string;
}

/** Hears of a call that the recording answered with OK, or without a status. */
type Listener = (row: Syscall, values: readonly unknown[]) => void;

export class Player implements Tape {
  readonly header: RecordingHeader;
  words: readonly number[] = [];
  listener: Listener | undefined;
  readonly #reader: RecordingReader;
  /** Rows by the numbers that the events use. */
  readonly #rows: string[] = [];
  #calls = 0;

  constructor(reader: RecordingReader) {
    this.#reader = reader;
    this.header = headerOf(reader.header);
  }

  grant(): ReadonlySet<string> {
    return new Set(this.header.granted);
  }

  kinds(kinds: readonly Kind[]): Kind[] {
    return kinds.map(({ id, name, create, read, update, destroy }) => ({
      id,
      name,
      create,
      read,
      update,
      destroy,
      save: () => this.#saved(id, name),
    }));
  }

  body(row: Syscall): LooseBody {
    const checksum = argumentsChecksum(row);
    const written = writtenWindows(row);
    const name = `${row.module}.${row.name}`;
    const statuses = new Set<number>([Status.OK, ...row.statuses.map((status) => Status[status])]);
    const hasStatus = row.results[0]?.name === "status";
    return (call, ...values) => {
      const reader = this.#reader;
      const crc = checksum(this.words, values);
      this.#calls++;
      let tag = this.#event(name, crc);
      while (tag === EventTag.CHARGE) {
        call.charge(reader.varint(MOST_CHARGE));
        tag = this.#event(name, crc);
      }
      if (tag === EventTag.TRAP) throw this.#fault();
      if (tag === EventTag.EXIT) throw new Exit(reader.varint(255));
      let first: number | undefined;
      if (hasStatus) {
        first = reader.varint(0xffff_ffff);
        if (!statuses.has(first)) throw reader.damaged(`${name} does not declare the status ${first}`);
        if (first !== Status.OK) return first;
      }
      for (let k = hasStatus ? 1 : 0; k < row.results.length; k++) {
        const { type } = row.results[k]!;
        if (typeof type === "object") this.#ref(call, k, name);
        else if (wordsOf(type) === 2) call.setBig(k, reader.varint64());
        else if (k === 0) first = reader.varint(0xffff_ffff);
        else call.set(k, reader.varint(0xffff_ffff));
      }
      for (const { value, count } of written) {
        const window = values[value] as Uint8Array;
        const bytes = reader.varint(window.length);
        const counted = count === "all" ? window.length : count === 0 ? first! : call.low[count]! >>> 0;
        if (bytes !== counted) throw reader.damaged(`${name} writes ${bytes} bytes and counts ${counted}`);
        reader.fill(window.subarray(0, bytes));
      }
      this.listener?.(row, values);
      return first;
    };
  }

  /**
   * Compares what the run came to with what the recorded one did. Throws a ReplayError where they differ, also when the
   * recorded run made more calls; a RecordingError when the recording ends before the recorded run did.
   */
  end(outcome: Outcome): void {
    this.#calls++;
    if (!this.#reader.ended) {
      const tag = this.#tag();
      if (tag !== undefined)
        throw new ReplayError(
          this.#calls,
          tag === EventTag.SAVE ? "a state digest" : this.#row(),
          "the end of the run",
        );
    }
    const recorded = this.#reader.outcome();
    const actual = outcomeJson(outcome);
    const text = (from: JsonObject, name: string): string =>
      from[name] === undefined ? `no ${name}` : `${name} ${canonicalJson(from[name])}`;
    for (const name of Object.keys({ ...recorded, ...actual }).sort())
      if (text(recorded, name) !== text(actual, name))
        throw new ReplayError(this.#calls, text(recorded, name), text(actual, name));
  }

  /** Tag of the next event, which must be one of this call. */
  #event(actual: string, crc: number): number {
    const tag = this.#tag();
    if (tag === undefined) throw new ReplayError(this.#calls, "the end of the run", actual);
    if (tag === EventTag.SAVE) throw new ReplayError(this.#calls, "a state digest", actual);
    if (!CALL_TAGS.includes(tag)) throw this.#reader.damaged(`an event of kind ${tag}`);
    const recorded = this.#row();
    if (recorded !== actual) throw new ReplayError(this.#calls, recorded, actual);
    if (this.#reader.u32() !== crc) throw new ReplayError(this.#calls, actual, `${actual} with other arguments`);
    return tag;
  }

  /** Tag of the next event that is no name; undefined at the end. */
  #tag(): number | undefined {
    while (!this.#reader.ended) {
      const tag = this.#reader.byte();
      if (tag !== EventTag.NAME) return tag;
      this.#rows.push(this.#reader.text());
    }
    return undefined;
  }

  #row(): string {
    const name = this.#rows[this.#reader.varint(0xffff_ffff)];
    if (name === undefined) throw this.#reader.damaged("a call has no name");
    return name;
  }

  #fault(): Fault {
    const reader = this.#reader;
    const code = reader.varint(0xffff_ffff);
    if (!Object.values<number>(TrapCode).includes(code)) throw reader.damaged(`no trap has the code ${code}`);
    return new Fault(code as TrapNumber, reader.varint(1) === 1 ? reader.text() : undefined);
  }

  #ref(call: Call, index: number, maker: string): void {
    const reader = this.#reader;
    const tag = reader.byte();
    if (tag === RefTag.NULL) call.setRef(index, 0);
    else if (tag === RefTag.NEW) {
      const slot = this.#make(call.heap, maker);
      if (slot === 0) throw new ReplayError(this.#calls, "a new object", "a full heap");
      call.setRef(index, slot);
    } else if (tag === RefTag.KNOWN) call.setWords(index, reader.varint(0xffff_ffff), reader.varint(0xffff_ffff));
    else throw reader.damaged(`a HeapRef of kind ${tag}`);
  }

  /** Slot of the object that the recorded call made. */
  #make(heap: Heap, maker: string): number {
    const reader = this.#reader;
    const kind = reader.varint(0xffff);
    if (kind === BYTES_KIND.id) {
      const length = reader.varint(0xffff_ffff);
      const slot = heap.newBytes(length);
      if (slot !== 0) reader.fill(heap.window(slot, heap.generation(slot), 0, length));
      return slot;
    }
    const object: ReplayedObject = { positional: reader.varint(1) === 1, maker };
    try {
      return heap.create(kind, object);
    } catch (error) {
      if (error instanceof UsageError && error.code === "VM-ARGUMENT")
        throw reader.damaged(`no kind has the id ${kind}`);
      throw error;
    }
  }

  /** What the recorded host answered when a state digest asked for an object. */
  #saved(kind: number, name: string): Uint8Array | undefined {
    const reader = this.#reader;
    const actual = `a state digest (${name})`;
    const tag = this.#tag();
    if (tag === undefined) throw new ReplayError(this.#calls, "the end of the run", actual);
    if (tag !== EventTag.SAVE) throw new ReplayError(this.#calls, this.#row(), actual);
    const recorded = reader.varint(0xffff);
    if (recorded !== kind) throw new ReplayError(this.#calls, `a state digest (kind ${recorded})`, actual);
    return reader.varint(1) === 1 ? reader.bytes() : undefined;
  }
}

/** The header, checked; throws a RecordingError. */
function headerOf(json: JsonObject): RecordingHeader {
  const refuse = (what: string): never => {
    throw new RecordingError(`the recording cannot be replayed: ${what}`);
  };
  const { abi, fuelSchedule, module, fuel, limits, granted, about = null } = json;
  if (abi !== ABI_VERSION)
    refuse(`it is of version ${canonicalJson(abi ?? null)} of the ABI, this host of ${ABI_VERSION}`);
  if (fuelSchedule !== FUEL_SCHEDULE)
    refuse(`it is of fuel schedule ${canonicalJson(fuelSchedule ?? null)}, this VM of ${FUEL_SCHEDULE}`);
  if (typeof module !== "string" || !/^[0-9a-f]{64}$/.test(module)) return refuse("its module is no SHA-256");
  if (fuel !== null && (typeof fuel !== "string" || !/^\d{1,19}$/.test(fuel))) return refuse("its fuel is no number");
  if (fuel !== null && BigInt(fuel) >= 2n ** 63n) return refuse("its fuel is over 2^63 - 1");
  if (!Array.isArray(granted) || granted.some((name: Json) => typeof name !== "string"))
    return refuse("its grants are no names");
  return {
    module,
    fuel: fuel === null ? undefined : BigInt(fuel),
    limits: limitsOf(limits) ?? refuse("its limits are not all there"),
    granted: granted as string[],
    about,
  };
}

const LIMITS: readonly (keyof StoreLimits)[] = [
  "memoryPages",
  "tableElements",
  "depth",
  "heapObjects",
  "heapBytes",
  "instances",
];

/** Their ranges are checked where they are used. */
function limitsOf(json: Json | undefined): StoreLimits | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const given = json as { [name in keyof StoreLimits]?: Json };
  if (LIMITS.some((name) => !Number.isSafeInteger(given[name]))) return undefined;
  return Object.fromEntries(LIMITS.map((name) => [name, given[name]])) as unknown as StoreLimits;
}

export interface ReplayOptions {
  readonly observe?: Observer;
  /** Hear what the guest writes to its streams, and `sys.log`, again. The bytes are good only during the call. */
  readonly stdout?: (bytes: Uint8Array) => void;
  readonly stderr?: (bytes: Uint8Array) => void;
  readonly log?: (line: Uint8Array) => void;
}

/** For `module.instantiate({ ...abi })`, in place of a host's. */
export interface ReplayAbi {
  readonly imports: HostFunctions;
  readonly kinds: readonly Kind[];
  /** Throws a ReplayError for another module than the recorded one, and what the check of `createAbi` throws. */
  check(module: Module): void;
}

/** The modules `fs` and `sys` from a recording, and what is made of them. */
export function replayAbi(player: Player, options: ReplayOptions = {}): ReplayAbi {
  const streams: { readonly [maker: string]: ((bytes: Uint8Array) => void) | undefined } = {
    "sys.stdout": options.stdout,
    "sys.stderr": options.stderr,
  };
  player.listener = ({ module, name }, values) => {
    if (module === "sys" && name === "log") options.log?.(values[0] as Uint8Array);
    if (module !== "fs" || name !== "write") return;
    const [handle, , bytes] = values as [ReplayedObject, number, Uint8Array];
    if (bytes.length > 0) streams[handle.maker]?.(bytes);
  };
  const kinds = player.kinds(KINDS);
  const dispatch = { observe: options.observe, tape: player };
  const syscalls = hostFunctions(SYSCALLS, NO_BODIES, new Set(), kinds, dispatch);
  return {
    imports: { ...syscalls, ...createPersonality(syscalls, kinds, options.observe).imports },
    kinds,
    check(module) {
      checkAbiVersion(module.structure);
      if (module.digest !== player.header.module)
        throw new ReplayError(0, `module ${player.header.module}`, `module ${module.digest}`);
    },
  };
}

/** A body for each syscall, of which the player calls none. */
const NO_BODIES: Implementation = Object.fromEntries(
  [...new Set(SYSCALLS.map(({ module }) => module))].map((module) => [
    module,
    Object.fromEntries(
      SYSCALLS.filter((row) => row.module === module).map(({ name }) => [name, () => undefined] as const),
    ),
  ]),
);
