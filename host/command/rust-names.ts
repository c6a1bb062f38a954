/** Names of Rust's functions as Rust has them: its linker leaves both manglings, legacy and v0 (RFC 2603), in the name section. */

/** Most characters of an answer, and depth of types within types; what would pass that stays as it is. */
const MOST_CHARACTERS = 4096;
const MOST_DEPTH = 100;

/** Thrown and caught here: the name is not mangled as it seemed. */
const OTHER = Symbol("not a mangled name");

/** A mangled name of Rust without its hash; any other name as it is. */
export function readableName(name: string): string {
  const legacy = /^_ZN((?:\d+.*)?)17h[0-9a-f]{16}E(?:\.\w+)*$/.exec(name)?.[1];
  if (legacy !== undefined) return legacyPath(legacy) ?? name;
  const mangled = /^_R([A-Z]\w*)(?:\.\w+)*$/.exec(name)?.[1];
  if (mangled === undefined) return name;
  try {
    return new Demangler(mangled).symbol();
  } catch (error) {
    if (error === OTHER) return name;
    throw error;
  }
}

const ESCAPES: { readonly [code: string]: string } = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** Lengths and parts, one behind the other; undefined when they are not that. */
function legacyPath(mangled: string): string | undefined {
  const parts: string[] = [];
  for (let at = 0; at < mangled.length; ) {
    const digits = /^\d+/.exec(mangled.slice(at, at + 5))?.[0];
    if (digits === undefined) return undefined;
    const start = at + digits.length;
    at = start + Number(digits);
    if (at > mangled.length) return undefined;
    const part = mangled.slice(start, at).replace(/^_\$/, "$");
    parts.push(
      part
        .replaceAll("..", "::")
        .replace(/\$(?:u([0-9a-f]{1,5})|([A-Z]+))\$/g, (whole, hex: string | undefined, code: string | undefined) =>
          hex === undefined ? (ESCAPES[code!] ?? whole) : String.fromCodePoint(Number.parseInt(hex, 16)),
        ),
    );
  }
  return parts.length === 0 ? undefined : parts.join("::");
}

const BASIC: { readonly [letter: string]: string } = {
  a: "i8",
  b: "bool",
  c: "char",
  d: "f64",
  e: "str",
  f: "f32",
  h: "u8",
  i: "isize",
  j: "usize",
  l: "i32",
  m: "u32",
  n: "i128",
  o: "u128",
  p: "_",
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
};

class Demangler {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #out = "";
  /** While it is above 0 nothing is written. */
  #silent = 0;
  #lifetimes = 0;

  constructor(text: string) {
    this.#text = text;
  }

  symbol(): string {
    this.#path(false);
    // The crate that it was instantiated in.
    if (this.#at < this.#text.length) this.#quietly(() => this.#path(false));
    if (this.#at < this.#text.length) throw OTHER;
    return this.#out;
  }

  #write(text: string): void {
    if (this.#silent > 0) return;
    this.#out += text;
    if (this.#out.length > MOST_CHARACTERS) throw OTHER;
  }

  #quietly(read: () => void): void {
    this.#silent++;
    read();
    this.#silent--;
  }

  #deeper(read: () => void): void {
    if (++this.#depth > MOST_DEPTH) throw OTHER;
    read();
    this.#depth--;
  }

  #next(): string {
    const letter = this.#text[this.#at++];
    if (letter === undefined) throw OTHER;
    return letter;
  }

  #takes(letter: string): boolean {
    if (this.#text[this.#at] !== letter) return false;
    this.#at++;
    return true;
  }

  /** `_` is 0, `0_` is 1, `Z_` is 62. */
  #base62(): number {
    if (this.#takes("_")) return 0;
    let value = 0;
    for (;;) {
      const letter = this.#next();
      if (letter === "_") return value + 1;
      const digit = /\d/.test(letter) ? Number(letter) : Number.parseInt(letter, 36) + (/[A-Z]/.test(letter) ? 26 : 0);
      // The numbers of crates are of 64 bits, and not written.
      value = value * 62 + digit;
    }
  }

  #optional62(letter: string): number {
    return this.#takes(letter) ? this.#base62() + 1 : 0;
  }

  /** Reads what stands earlier in the name; lengths are bounded by the output, and by the depth. */
  #again(read: () => void): void {
    const start = this.#at - 1;
    const target = this.#base62();
    if (target >= start) throw OTHER;
    const back = this.#at;
    this.#at = target;
    // What is not written may be left out: it would be read without a bound.
    if (this.#silent === 0) this.#deeper(read);
    this.#at = back;
  }

  #identifier(): { readonly name: string; readonly number: number } {
    const number = this.#optional62("s");
    const isPunycode = this.#takes("u");
    const digits = /^(?:0|[1-9]\d{0,4})/.exec(this.#text.slice(this.#at, this.#at + 5))?.[0];
    if (digits === undefined) throw OTHER;
    this.#at += digits.length;
    this.#takes("_");
    const end = this.#at + Number(digits);
    if (end > this.#text.length) throw OTHER;
    const name = this.#text.slice(this.#at, end);
    this.#at = end;
    return { name: isPunycode ? `punycode{${name}}` : name, number };
  }

  #path(isType: boolean): void {
    this.#deeper(() => this.#pathOf(this.#next(), isType));
  }

  #pathOf(kind: string, isType: boolean): void {
    switch (kind) {
      case "C":
        this.#write(this.#identifier().name);
        return;
      case "M":
      case "X":
      case "Y":
        if (kind !== "Y")
          this.#quietly(() => {
            this.#optional62("s");
            this.#path(false);
          });
        this.#write("<");
        this.#type();
        if (kind !== "M") {
          this.#write(" as ");
          this.#path(true);
        }
        this.#write(">");
        return;
      case "N": {
        const space = this.#next();
        this.#path(isType);
        const { name, number } = this.#identifier();
        if (/[A-Z]/.test(space)) {
          const what = space === "C" ? "closure" : space === "S" ? "shim" : space;
          this.#write(`::{${what}${name === "" ? "" : `:${name}`}#${number}}`);
        } else if (name !== "") this.#write(`::${name}`);
        return;
      }
      case "I":
        this.#path(isType);
        this.#write(isType ? "<" : "::<");
        this.#list(() => this.#argument());
        this.#write(">");
        return;
      case "B":
        this.#again(() => this.#path(isType));
        return;
      default:
        throw OTHER;
    }
  }

  /** Items up to an `E`, with commas between them; how many. */
  #list(item: () => void): number {
    let count = 0;
    for (; !this.#takes("E"); count++) {
      if (count > 0) this.#write(", ");
      item();
    }
    return count;
  }

  #argument(): void {
    if (this.#takes("L")) this.#lifetime(this.#base62());
    else if (this.#takes("K")) this.#constant();
    else this.#type();
  }

  #lifetime(index: number): void {
    if (index === 0) this.#write("'_");
    else if (index > this.#lifetimes) throw OTHER;
    else {
      const place = this.#lifetimes - index;
      this.#write(place < 26 ? `'${String.fromCharCode(97 + place)}` : `'z${place - 25}`);
    }
  }

  /** What stands behind a binder of lifetimes. */
  #bound(read: () => void): void {
    const before = this.#lifetimes;
    const count = this.#optional62("G");
    if (count > MOST_DEPTH) throw OTHER;
    if (count > 0) {
      this.#write("for<");
      for (let k = 0; k < count; k++) {
        if (k > 0) this.#write(", ");
        this.#lifetimes++;
        this.#lifetime(1);
      }
      this.#write("> ");
    }
    read();
    this.#lifetimes = before;
  }

  #type(): void {
    this.#deeper(() => this.#typeOf(this.#next()));
  }

  #typeOf(kind: string): void {
    const basic = BASIC[kind];
    if (basic !== undefined) {
      this.#write(basic);
      return;
    }
    switch (kind) {
      case "A":
      case "S":
        this.#write("[");
        this.#type();
        if (kind === "A") {
          this.#write("; ");
          this.#constant();
        }
        this.#write("]");
        return;
      case "T":
        this.#write("(");
        if (this.#list(() => this.#type()) === 1) this.#write(",");
        this.#write(")");
        return;
      case "R":
      case "Q": {
        this.#write("&");
        const index = this.#takes("L") ? this.#base62() : 0;
        if (index > 0) {
          this.#lifetime(index);
          this.#write(" ");
        }
        if (kind === "Q") this.#write("mut ");
        this.#type();
        return;
      }
      case "P":
      case "O":
        this.#write(kind === "P" ? "*const " : "*mut ");
        this.#type();
        return;
      case "F":
        this.#bound(() => {
          if (this.#takes("U")) this.#write("unsafe ");
          if (this.#takes("K"))
            this.#write(`extern "${this.#takes("C") ? "C" : this.#identifier().name.replaceAll("_", "-")}" `);
          this.#write("fn(");
          this.#list(() => this.#type());
          this.#write(")");
          if (this.#takes("u")) return;
          this.#write(" -> ");
          this.#type();
        });
        return;
      case "D":
        this.#write("dyn ");
        this.#bound(() => this.#traits());
        if (!this.#takes("L")) throw OTHER;
        {
          const index = this.#base62();
          if (index > 0) {
            this.#write(" + ");
            this.#lifetime(index);
          }
        }
        return;
      case "B":
        this.#again(() => this.#type());
        return;
      default:
        this.#pathOf(kind, true);
    }
  }

  #traits(): void {
    for (let count = 0; !this.#takes("E"); count++) {
      if (count > 0) this.#write(" + ");
      this.#path(true);
      // What its associated types are stands with its other arguments.
      while (this.#takes("p")) {
        const hasArguments = this.#silent === 0 && this.#out.endsWith(">");
        if (hasArguments) this.#out = this.#out.slice(0, -1);
        this.#write(`${hasArguments ? ", " : "<"}${this.#identifier().name} = `);
        this.#type();
        this.#write(">");
      }
    }
  }

  #constant(): void {
    if (this.#takes("B")) {
      this.#again(() => this.#constant());
      return;
    }
    const type = this.#next();
    if (type === "p") {
      this.#write("_");
      return;
    }
    const [whole, sign, digits] = /^(n?)([0-9a-f]+)_/.exec(this.#text.slice(this.#at)) ?? [];
    if (whole === undefined || !/[abchijlmnostxy]/.test(type)) throw OTHER;
    this.#at += whole.length;
    const value = BigInt(`0x${digits}`);
    if (type === "b") this.#write(value === 0n ? "false" : "true");
    else if (type === "c") this.#write(`'${value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : "?"}'`);
    else this.#write(`${sign === "n" ? "-" : ""}${value}`);
  }
}
