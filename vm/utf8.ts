/**
 * UTF-8 in a bare JavaScript context, where there is no TextDecoder. Strict as WebAssembly's names are (core spec 2.0,
 * §5.2.4; spec VM-DECODE-4): no overlong form, no surrogate, nothing above U+10FFFF; U+FEFF is kept as a character.
 */

/** Code units turned into a string at once: below every engine's limit on arguments. */
const CHUNK = 4096;

/** The text of `bytes[start, end)`, or undefined when it is not well-formed UTF-8. `0 <= start <= end <= bytes.length`. */
export function decodeUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string | undefined {
  let text = "";
  let units: number[] = [];
  for (let at = start; at < end; ) {
    const first = bytes[at++]!;
    let point = first;
    if (first >= 0x80) {
      const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
      if (more === 0 || end - at < more) return undefined;
      point = first & (0x3f >> more);
      for (let k = 0; k < more; k++) {
        const next = bytes[at++]!;
        if ((next & 0xc0) !== 0x80) return undefined;
        point = (point << 6) | (next & 0x3f);
      }
      if (more === 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return undefined;
      if (more === 3 && (point < 0x10000 || point > 0x10ffff)) return undefined;
    }
    if (point < 0x10000) units.push(point);
    else units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
    if (units.length >= CHUNK) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

/** The UTF-8 bytes of `text`; a lone surrogate becomes U+FFFD, as in the web's TextEncoder. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let k = 0; k < text.length; k++) {
    let point = text.codePointAt(k)!;
    if (point >= 0x10000) k++;
    else if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
    if (point < 0x80) bytes[at++] = point;
    else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else {
      if (point < 0x10000) bytes[at++] = 0xe0 | (point >> 12);
      else {
        bytes[at++] = 0xf0 | (point >> 18);
        bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
      }
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    }
  }
  return bytes.slice(0, at);
}
