/** Modules written byte by byte, and what the VM says of them, for the bytecode tests. */
import { decode } from "../../vm/bytecode/decode.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { AshlarError, LimitError, UnsupportedFeature } from "../../vm/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../vm/limits.ts";

export const HEADER: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** The shortest LEB128 form of an unsigned number. */
export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(Math.floor(value / 128))];
}

/** A section: id, size, contents. */
export function section(id: number, ...contents: readonly number[]): number[] {
  return [id, ...leb(contents.length), ...contents];
}

/** A module: the header and these sections. */
export function moduleOf(...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...HEADER, ...sections.flat()]);
}

/** A name as the format has it. */
export function name(text: string): number[] {
  return [...leb(text.length), ...Array.from(text, (letter) => letter.charCodeAt(0))];
}

/** Type section: one type, from nothing to nothing. */
export const TYPE: readonly number[] = section(1, 1, 0x60, 0, 0);

/**
 * A module of one function of type () -> () without locals whose body is `code` and `end`; `others` are sections between
 * function and code. Its first instruction is at {@link codeOffset}.
 */
export function bodyModule(
  code: readonly number[],
  ...others: readonly (readonly number[])[]
): Uint8Array<ArrayBuffer> {
  const body = [0, ...code, 0x0b];
  return moduleOf(TYPE, section(3, 1, 0), ...others, section(10, 1, ...leb(body.length), ...body));
}

/** Offset of the first instruction of a {@link bodyModule} with a body of less than 120 bytes. */
export function codeOffset(...others: readonly (readonly number[])[]): number {
  return HEADER.length + TYPE.length + 4 + others.flat().length + 5;
}

/** A {@link bodyModule} of `depth` empty blocks, each in the other. */
export function nested(depth: number): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.copy(moduleOf(TYPE, section(3, 1, 0)));
  writer.byte(10);
  const sized = writer.beginSized();
  writer.byte(1);
  const body = writer.beginSized();
  writer.byte(0);
  for (let k = 0; k < depth; k++) writer.copy(Uint8Array.of(0x02, 0x40));
  for (let k = 0; k <= depth; k++) writer.byte(0x0b);
  writer.endSized(body);
  writer.endSized(sized);
  return writer.written.slice();
}

/** What decoding and validating `bytes` says: "valid", or the error's class, what it names and its offset. */
export function verdict(bytes: Uint8Array, limits: Partial<Limits> = {}): string {
  const within = { ...DEFAULT_LIMITS, ...limits };
  try {
    validate(decode(bytes, within), within);
    return "valid";
  } catch (error) {
    if (error instanceof UnsupportedFeature) return `${error.name} ${error.feature} @${error.offset}`;
    if (error instanceof LimitError) return `${error.name} ${error.limit} ${error.actual} > ${error.allowed}`;
    if (error instanceof AshlarError && "offset" in error) return `${error.name} @${error.offset}`;
    throw error;
  }
}
