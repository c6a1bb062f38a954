/** WAV files as sounds (spec TOOL-WAV-1). */
import { hex } from "../../host/assets/hash.ts";
import type { Json, JsonObject } from "../../host/assets/json.ts";
import type { Importer } from "../importer.ts";
import { Settings } from "./settings.ts";
import { SourceView } from "./source-view.ts";

const FORMATS = ["s16", "u8", "f32"] as const;
type Format = (typeof FORMATS)[number];
const FORMAT_BYTES = { s16: 2, u8: 1, f32: 4 } as const;

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** What stands behind the format's number in an extensible header, so that both are a GUID. */
const GUID_END = "0000 0000 1000 8000 00aa 0038 9b71".replaceAll(" ", "");

const MOST_CHANNELS = 32;
const MOST_RATE = 768_000;
/** A sound of 8 bits becomes one of 32: so much, and no more, may come out. */
const MOST_BYTES: number = 1024 * 1024 * 1024;

/** What the chunk `fmt ` says. */
interface Shape {
  readonly isFloat: boolean;
  readonly channels: number;
  readonly rate: number;
  /** Of a sample of one channel. */
  readonly bytes: number;
}

export const wav: Importer = {
  name: "wav",
  version: 1,
  bankTypes: ["sounds"],
  matches: (path) => /\.wave?$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const format = known.choice("format", FORMATS) ?? "s16";
    const channels = known.choice("channels", [1, "keep"]) ?? "keep";
    known.end();
    const view = new SourceView(source);
    const { shape, data, loop } = readChunks(view);
    const frames = data.length / (shape.bytes * shape.channels);
    const kept = channels === 1 ? 1 : shape.channels;
    const length = frames * kept * FORMAT_BYTES[format];
    if (length > MOST_BYTES)
      throw view.wrong(`it makes a sound of ${length} bytes; at most ${MOST_BYTES} are imported`);
    const metadata: { [key: string]: Json } = { channels: kept, format, frames, rate: shape.rate };
    if (loop !== undefined) {
      const [start, end] = loop;
      if (start > end || end >= frames)
        throw view.wrong(`the loop in "smpl" is from frame ${start} to ${end}, and there are ${frames}`);
      metadata.loop = { end: end + 1, start } satisfies JsonObject;
    }
    return [{ suffix: "", bankType: "sounds", bytes: converted(data, shape, kept, format), metadata }];
  },
};

function readChunks(view: SourceView): { shape: Shape; data: Uint8Array; loop: readonly [number, number] | undefined } {
  const kind = view.length < 12 ? "" : `${view.tag(0, "the file's kind")} ${view.tag(8, "the form")}`;
  if (kind !== "RIFF WAVE")
    throw view.wrong('it does not begin as a WAV file does: with "RIFF", a length and "WAVE"', 0);
  const end = 8 + view.u32(4, "the length", true);
  if (end > view.length)
    throw view.wrong(
      `the file says that it has ${end} bytes, and ${view.length} are there: it was cut off, or never closed`,
      4,
    );
  let shape: Shape | undefined;
  let data: Uint8Array | undefined;
  let loop: readonly [number, number] | undefined;
  for (let at = 12; at + 8 <= end; ) {
    const name = view.tag(at, "the name of a chunk");
    const length = view.u32(at + 4, "the length of a chunk", true);
    const body = at + 8;
    if (length > end - body)
      throw view.wrong(`the chunk "${name}" says that it has ${length} bytes, and ${end - body} are left`, at + 4);
    if (name === "fmt ") {
      if (shape !== undefined) throw view.wrong('there is a second chunk "fmt "', at);
      shape = readShape(view, body, length);
    } else if (name === "data") {
      if (data !== undefined) throw view.wrong('there is a second chunk "data"', at);
      data = view.span(body, length, "the samples");
      if (shape === undefined) throw view.wrong('"data" stands before "fmt "', at);
      const frame = shape.bytes * shape.channels;
      if (length % frame !== 0)
        throw view.wrong(
          `the samples are ${length} bytes, which is no whole number of frames of ${frame} bytes`,
          at + 4,
        );
    } else if (name === "smpl" && length >= 60 && view.u32(body + 28, "the number of loops", true) > 0) {
      loop = [view.u32(body + 44, "a loop", true), view.u32(body + 48, "a loop", true)];
    }
    at = body + length + (length & 1);
  }
  if (shape === undefined || data === undefined)
    throw view.wrong(`there is no chunk "${shape === undefined ? "fmt " : "data"}"`);
  return { shape, data, loop };
}

function readShape(view: SourceView, at: number, length: number): Shape {
  if (length < 16) throw view.wrong(`the chunk "fmt " has at least 16 bytes, not ${length}`, at);
  let format = view.u16(at, "the format", true);
  const channels = view.u16(at + 2, "the channels", true);
  const rate = view.u32(at + 4, "the rate", true);
  const frame = view.u16(at + 12, "the bytes of a frame", true);
  const bits = view.u16(at + 14, "the bits of a sample", true);
  if (format === EXTENSIBLE) {
    if (length < 40) throw view.wrong(`an extensible chunk "fmt " has at least 40 bytes, not ${length}`, at);
    const guid = hex(view.span(at + 26, 14, "the format's name"));
    format = guid === GUID_END ? view.u16(at + 24, "the format", true) : EXTENSIBLE;
  }
  if (format !== PCM && format !== FLOAT)
    throw view.wrong(`its format is 0x${format.toString(16)}: only PCM (1) and floats (3) are imported`, at);
  const allowed = format === PCM ? [8, 16, 24, 32] : [32, 64];
  if (!allowed.includes(bits)) throw view.wrong(`samples have ${allowed.join(", ")} bits, not ${bits}`, at + 14);
  if (channels < 1 || channels > MOST_CHANNELS)
    throw view.wrong(`there are 1 to ${MOST_CHANNELS} channels, not ${channels}`, at + 2);
  if (rate < 1 || rate > MOST_RATE) throw view.wrong(`the rate is from 1 to ${MOST_RATE} Hz, not ${rate}`, at + 4);
  if (frame !== (channels * bits) / 8)
    throw view.wrong(`a frame of ${channels} × ${bits} bits has ${(channels * bits) / 8} bytes, not ${frame}`, at + 12);
  return { isFloat: format === FLOAT, channels, rate, bytes: bits / 8 };
}

/** How sample `at` of the source is read, as a number from -1 up to, for integers, less than 1. */
function sampleReader(data: Uint8Array, { isFloat, bytes }: Shape): (at: number) => number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (isFloat) return bytes === 4 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  if (bytes === 1) return (at) => (view.getUint8(at) - 128) / 0x80;
  if (bytes === 2) return (at) => view.getInt16(at, true) / 0x8000;
  if (bytes === 3) return (at) => (view.getUint8(at) | (view.getInt16(at + 1, true) << 8)) / 0x80_0000;
  return (at) => view.getInt32(at, true) / 0x8000_0000;
}

/** Puts a number, limited to -1 … 1, where sample `k` goes. Halves are rounded up; NaN is silence. */
function sampleWriter(into: DataView, format: Format): (k: number, value: number) => void {
  const scaled = (value: number, scale: number): number =>
    Math.max(-scale, Math.min(scale - 1, Math.floor(value * scale + 0.5)));
  const number = (value: number): number => (Number.isNaN(value) ? 0 : value);
  if (format === "s16") return (k, value) => into.setInt16(2 * k, scaled(number(value), 0x8000), true);
  if (format === "u8") return (k, value) => into.setUint8(k, scaled(number(value), 0x80) + 128);
  return (k, value) => into.setFloat32(4 * k, Math.max(-1, Math.min(1, number(value))), true);
}

function converted(data: Uint8Array, shape: Shape, kept: number, format: Format): Uint8Array {
  // What a file has most often, and what comes out, are the same bytes.
  if (format === "s16" && shape.bytes === 2 && kept === shape.channels) return data.slice();
  const samples = data.length / shape.bytes;
  const bytes = new Uint8Array((samples / shape.channels) * kept * FORMAT_BYTES[format]);
  const read = sampleReader(data, shape);
  const write = sampleWriter(new DataView(bytes.buffer), format);
  const mixed = shape.channels / kept;
  for (let k = 0, at = 0; k * mixed < samples; k++) {
    let sum = 0;
    for (let c = 0; c < mixed; c++, at += shape.bytes) sum += read(at);
    write(k, sum / mixed);
  }
  return bytes;
}
