/** What a thread of kernels asks the main thread: each question is put and its answer waited for. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { AshlarError } from "../../vm/errors.ts";
import type { ArtifactStore, ArtifactWriter, FoundArtifact } from "../asl/syscalls.ts";
import type { Input } from "./input-files.ts";
import {
  Answered,
  CHUNK_BYTES,
  Control,
  type JobInput,
  type JobMessage,
  type KernelStart,
  type ListAnswer,
  type NumberedArtifact,
  type Question,
  type SealAnswer,
  type ThreadMessage,
} from "./kernel-messages.ts";
import type { Tag } from "./program.ts";

/** The main thread could not answer; it knows why. No status tells a guest of it. */
export class HostFailed extends AshlarError {
  readonly code = "PEL-KERNEL";
  constructor() {
    super("the host could not answer");
    this.name = "HostFailed";
  }
}

/** Chunks of artifacts that are kept. */
const KEPT_CHUNKS = 16;

/** Pieces of an artifact that many small reads are answered from. */
interface Chunk {
  readonly artifact: number;
  readonly start: number;
  readonly bytes: Uint8Array;
}

export class KernelChannel {
  readonly #start: KernelStart;
  readonly #port: MessagePort;
  /** The one used last is the last. */
  readonly #chunks: Chunk[] = [];
  /** Of the inputs that came with the job. */
  #shipped: Uint8Array = new Uint8Array(0);
  /** True once the main thread could not answer. */
  hasFailed = false;

  constructor(start: KernelStart, port: MessagePort) {
    this.#start = start;
    this.#port = port;
  }

  /** A job has come. */
  begin({ inputs, slot }: JobMessage): void {
    this.#chunks.length = 0;
    this.hasFailed = false;
    const last = inputs.findLast(({ at }) => at >= 0);
    const from = CHUNK_BYTES * (1 + slot);
    if (last !== undefined) this.#shipped = this.#start.bytes.slice(from, from + last.at + last.bytes);
  }

  /** The message that answers; undefined where the shared bytes do. Throws HostFailed. */
  ask(question: Question): unknown {
    const { control, answers } = this.#start;
    if (this.hasFailed) throw new HostFailed();
    Atomics.store(control, Control.ANSWER, 0);
    this.#port.postMessage({ type: "ask", question } satisfies ThreadMessage);
    Atomics.wait(control, Control.ANSWER, 0);
    switch (Atomics.load(control, Control.ANSWER)) {
      case Answered.BYTES:
        return undefined;
      case Answered.MESSAGE:
        return receiveMessageOnPort(answers)!.message;
      default:
        this.hasFailed = true;
        throw new HostFailed();
    }
  }

  /** Fills `into` with what lies at `offset` of an input, all of which is inside. Throws HostFailed. */
  readonly readInput = (input: Input, offset: number, into: Uint8Array): void => {
    const { at, number } = input as JobInput;
    if (at >= 0) into.set(this.#shipped.subarray(at + offset, at + offset + into.length));
    else this.read(number, input.bytes, offset, into);
  };

  /** The same of any artifact, `bytes` long. */
  read(artifact: number, bytes: number, offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const position = offset + done;
      const start = position - (position % CHUNK_BYTES);
      const chunk = this.#chunk(artifact, start, Math.min(CHUNK_BYTES, bytes - start));
      const part = chunk.subarray(position - start, position - start + into.length - done);
      into.set(part, done);
      done += part.length;
    }
  }

  #chunk(artifact: number, start: number, length: number): Uint8Array {
    const chunks = this.#chunks;
    const known = chunks.findLastIndex((chunk) => chunk.artifact === artifact && chunk.start === start);
    let chunk: Chunk;
    if (known >= 0) {
      if (known === chunks.length - 1) return chunks[known]!.bytes;
      [chunk] = chunks.splice(known, 1) as [Chunk];
    } else {
      this.ask({ type: "read", artifact, offset: start, length });
      chunk = { artifact, start, bytes: this.#start.bytes.slice(0, length) };
      if (chunks.length === KEPT_CHUNKS) chunks.shift();
    }
    chunks.push(chunk);
    return chunk.bytes;
  }
}

/** The artifacts that a kernel may reach by the calls of `asl`: its inputs, and what it seals. */
export class ChannelStore implements ArtifactStore {
  readonly isWritable = true;
  /** In the order in which they were sealed. */
  readonly sealed: { readonly key: Uint8Array; readonly tag: Tag }[] = [];
  readonly #channel: KernelChannel;

  constructor(channel: KernelChannel) {
    this.#channel = channel;
  }

  find(key: Uint8Array): FoundArtifact | undefined {
    return this.#channel.ask({ type: "find", key }) as NumberedArtifact | undefined;
  }
  read(artifact: FoundArtifact, offset: number, into: Uint8Array): void {
    this.#channel.read((artifact as NumberedArtifact).number, artifact.bytes, offset, into);
  }
  create(tag: Tag): ArtifactWriter {
    return new ChannelWriter(this.#channel, tag, this.sealed);
  }
  *list(after: Uint8Array | undefined): Iterable<FoundArtifact> {
    for (let from = after; ; ) {
      const { artifacts, isEnd } = this.#channel.ask({ type: "list", after: from }) as ListAnswer;
      yield* artifacts;
      if (isEnd) return;
      from = artifacts.at(-1)!.key;
    }
  }
  /** The main thread does. */
  commit(): void {}
  discard(): void {}
}

/** What is written is gathered, so that a small artifact takes one question. */
class ChannelWriter implements ArtifactWriter {
  readonly #channel: KernelChannel;
  readonly #tag: Tag;
  readonly #sealed: ChannelStore["sealed"];
  #writer: number | undefined;
  #held = new Uint8Array(256);
  #length = 0;

  constructor(channel: KernelChannel, tag: Tag, sealed: ChannelStore["sealed"]) {
    this.#channel = channel;
    this.#tag = tag;
    this.#sealed = sealed;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.#length === CHUNK_BYTES) this.#flush();
      const part = bytes.subarray(done, done + CHUNK_BYTES - this.#length);
      this.#make(this.#length + part.length);
      this.#held.set(part, this.#length);
      this.#length += part.length;
      done += part.length;
    }
  }
  seal(): { readonly artifact: FoundArtifact; readonly isNew: boolean } {
    const question = {
      type: "seal",
      writer: this.#writer,
      tag: this.#tag,
      bytes: this.#held.subarray(0, this.#length),
    } as const;
    const answer = this.#channel.ask(question) as SealAnswer;
    this.#sealed.push({ key: answer.artifact.key, tag: this.#tag });
    return answer;
  }
  abort(): void {
    if (this.#writer !== undefined) this.#channel.ask({ type: "abort", writer: this.#writer });
  }

  #make(length: number): void {
    if (length <= this.#held.length) return;
    const larger = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(length, 2 * this.#held.length)));
    larger.set(this.#held.subarray(0, this.#length));
    this.#held = larger;
  }
  #flush(): void {
    this.#writer ??= this.#channel.ask({ type: "create", tag: this.#tag }) as number;
    this.#channel.ask({ type: "write", writer: this.#writer, bytes: this.#held.subarray(0, this.#length) });
    this.#length = 0;
  }
}
