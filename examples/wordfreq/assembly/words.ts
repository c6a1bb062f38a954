/**
 * Finds words in UTF-8. A word is a run of letters; ASCII capitals count as small ones. An apostrophe between letters
 * belongs to the word, and the typographic one counts as the plain one: "don’t" is "don't". What is not UTF-8 separates
 * words as punctuation does.
 */
import { WordTable } from "./table";

const APOSTROPHE: u32 = 0x27;
const RIGHT_QUOTE: u32 = 0x2019;

export class WordScanner {
  /** The word so far; it grows. */
  private word: Uint8Array = new Uint8Array(64);
  private length: i32 = 0;
  /** Apostrophes at the end that belong to the word only if a letter follows. */
  private waiting: bool = false;
  /** The character so far, how many of its bytes are missing, and the least one that needs so many. */
  private character: u32 = 0;
  private missing: i32 = 0;
  private least: u32 = 0;

  constructor(private readonly table: WordTable) {}

  feed(byte: u8): void {
    if (this.missing > 0) {
      if ((byte & 0xc0) == 0x80) {
        this.character = (this.character << 6) | (byte & 0x3f);
        if (--this.missing > 0) return;
        if (this.character >= this.least) this.take(this.character);
        else this.end();
        return;
      }
      this.missing = 0;
      this.end();
    }
    if (byte < 0x80) this.take(byte);
    else if (byte >= 0xc2 && byte < 0xe0) this.begin(byte & 0x1f, 1, 0x80);
    else if (byte >= 0xe0 && byte < 0xf0) this.begin(byte & 0x0f, 2, 0x800);
    else if (byte >= 0xf0 && byte < 0xf5) this.begin(byte & 0x07, 3, 0x10000);
    else this.end();
  }

  /** Ends the word that is under way, if any. */
  end(): void {
    if (this.length > 0) this.table.add(this.word, this.length);
    this.length = 0;
    this.waiting = false;
  }

  private begin(bits: u32, missing: i32, least: u32): void {
    this.character = bits;
    this.missing = missing;
    this.least = least;
  }

  private take(character: u32): void {
    if (isLetter(character)) {
      if (this.waiting) this.push(APOSTROPHE);
      this.waiting = false;
      this.append(character - 0x41 < 26 ? character + 0x20 : character);
    } else if ((character == APOSTROPHE || character == RIGHT_QUOTE) && this.length > 0 && !this.waiting) {
      this.waiting = true;
    } else {
      this.end();
    }
  }

  private append(character: u32): void {
    if (character < 0x80) {
      this.push(character);
    } else if (character < 0x800) {
      this.push(0xc0 | (character >> 6));
      this.push(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
      this.push(0xe0 | (character >> 12));
      this.push(0x80 | ((character >> 6) & 0x3f));
      this.push(0x80 | (character & 0x3f));
    } else {
      this.push(0xf0 | (character >> 18));
      this.push(0x80 | ((character >> 12) & 0x3f));
      this.push(0x80 | ((character >> 6) & 0x3f));
      this.push(0x80 | (character & 0x3f));
    }
  }

  private push(byte: u32): void {
    if (this.length == this.word.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.word);
      this.word = larger;
    }
    this.word[this.length++] = <u8>byte;
  }
}

/** Letters of the scripts whose punctuation Unicode keeps apart: everything from U+00C0 on but signs and symbols. */
function isLetter(character: u32): bool {
  if (character < 0xc0) return (character | 0x20) - 0x61 < 26;
  if (character == 0xd7 || character == 0xf7) return false;
  // General punctuation to miscellaneous symbols; punctuation of CJK; surrogates, private use; byte order mark.
  if (character >= 0x2000 && character < 0x2c00) return false;
  if (character >= 0x3000 && character < 0x3040) return false;
  if (character >= 0xd800 && character < 0xf900) return false;
  return character != 0xfeff && character < 0x1f000;
}
