/** The text form of programs (spec 30). */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { keyText } from "../../../host/asl/key.ts";
import { pointerStep } from "../../../host/assets/json.ts";
import { canonicalProgram } from "../../../host/pel/canonical.ts";
import { MOST_PROBLEMS, PEL_CODES, PelError } from "../../../host/pel/errors.ts";
import {
  decodeProgram,
  encodeProgram,
  GUEST_LIMITS,
  MOST_GUEST_LIMITS,
  OPS,
  PROGRAM_LIMITS,
  RESERVED_OPS,
} from "../../../host/pel/program.ts";
import { parseProgram, programText } from "../../../host/pel/text.ts";
import { draft } from "./programs.ts";
import { matches, type Schema } from "./schema.ts";

const fixture = (name: string): URL => new URL(`../../fixtures/pel/${name}`, import.meta.url);
const FIXTURE = readFileSync(fixture("every-op.pel.json"), "utf8");
const SCHEMA = JSON.parse(
  readFileSync(new URL("../../../host/pel/pel.schema.json", import.meta.url), "utf8"),
) as Schema;
const RENDER = keyText(1, new Uint8Array(32).fill(0xcd));

/** Finds the module of the fixture. */
function resolve(module: string): typeof RENDER {
  if (module === "render.wasm") return RENDER;
  throw new Error("there is no such file");
}

/** Why a text is refused; undefined: it is not. */
function refusal(text: string): PelError | undefined {
  try {
    parseProgram(text, resolve);
    return undefined;
  } catch (error) {
    if (error instanceof PelError) return error;
    throw error;
  }
}

/** Codes and pointers of all that is wrong with a document, one a line. */
function problems(document: unknown): string[] {
  const error = refusal(typeof document === "string" ? document : JSON.stringify(document));
  return error?.problems.map(({ code, place }) => `${code} ${place.pointer}`) ?? [];
}

/** What is wrong with a document of one more node, "x", besides an input "in" and a split "parts". */
function nodeProblems(node: unknown): string[] {
  const nodes = { in: { op: "input" }, parts: { op: "split", of: "in", at: [1] }, x: node };
  return problems({ nodes, outputs: { out: "in" } }).map((line) => line.replace("/nodes/x", ""));
}

t.test(
  "[PEL-TEXT-1, PEL-TEXT-3, PEL-TEXT-4, PEL-TEXT-5] a text with every operation is the program that it has always been",
  (t) => {
    const { program, ids } = parseProgram(FIXTURE, resolve);
    t.ok(Buffer.from(encodeProgram(program)).equals(readFileSync(fixture("every-op.pel"))));
    t.strictSame(decodeProgram(readFileSync(fixture("every-op.pel"))), program);
    t.equal(new Set(program.nodes.map(({ op }) => op)).size, OPS.length - RESERVED_OPS.length);
    t.equal(ids.size, 15);
    const node = (id: string): (typeof program.nodes)[number] => program.nodes[ids.get(id)!]!;
    const bytes = (id: string): Uint8Array => (node(id) as { bytes: Uint8Array }).bytes;
    t.strictSame(node("letter"), { op: "input", name: "letter", tag: 4096, refs: [] });
    t.equal(Buffer.from(bytes("greeting")).toString(), "Grüße, ");
    t.equal(Buffer.from(bytes("settings")).toString(), '{"a":[1,true,null],"width":80}');
    t.strictSame([...bytes("newline"), ...bytes("zeros")], [10, 0, 0, 0, 0]);
    t.strictSame(node("choice").refs, [
      { node: ids.get("zeros"), output: 0 },
      { node: ids.get("parts"), output: 0 },
      { node: ids.get("parts"), output: 3 },
      { node: ids.get("size"), output: 0 },
    ]);
    t.match(node("render"), {
      module: RENDER,
      inputs: ["earlier", "fonts.pa", "settings.json", "text"],
      outputs: [{ name: "log" }, { name: "page.png" }, { name: "page.v1.txt", tag: 7 }],
      refs: [
        { node: ids.get("whole"), output: undefined },
        { node: ids.get("fonts"), output: 0 },
      ],
      limits: { ...GUEST_LIMITS, fuel: 9_000_000_000_000_000_000n, memoryPages: 256 },
    });
    // An output with dots in its name, and receipts.
    t.strictSame(node("index").refs, [
      { node: ids.get("render"), output: 2 },
      { node: ids.get("render"), output: undefined },
    ]);
    const output = (name: string): unknown => program.outputs.find((each) => each.name === name)?.ref;
    t.strictSame(output("index"), { node: ids.get("index"), output: 0 });
    t.strictSame(output("index-receipt"), { node: ids.get("index"), output: undefined });
    t.end();
  },
);

t.test("[PEL-TEXT-6] any program has a text, and that text is the program", (t) => {
  fc.assert(
    fc.property(draft, ({ nodes, outputs }) => {
      const { program } = canonicalProgram(nodes, outputs);
      const text = programText(program);
      t.ok(Buffer.from(encodeProgram(parseProgram(text).program)).equals(encodeProgram(program)), text);
      t.ok(matches(SCHEMA, JSON.parse(text)), text);
    }),
    { numRuns: 200 },
  );
  const { program, ids } = parseProgram(FIXTURE, resolve);
  const again = parseProgram(programText(program, ids));
  t.strictSame([...again.ids].sort(), [...ids].sort());
  t.strictSame(again.program, program);
  const taken = new Map([
    ["n1", 0],
    ["n1_", 2],
  ]);
  t.strictSame(Object.keys(JSON.parse(programText(program, taken)).nodes).slice(0, 3), ["n1", "n1__", "n1_"]);
  t.end();
});

t.test("[PEL-TEXT-2, PEL-ERROR-3] all that is wrong with a text is told at once, with pointers", (t) => {
  const document = {
    $schema: 1,
    version: 1,
    nodes: {
      "a.b": { op: "input" },
      one: { op: "input", name: "in" },
      two: { op: "input", name: "in", tag: 5 },
      three: { op: "input", name: "a/b", tag: "5" },
      c: { op: "const" },
      d: { op: "const", text: "a", hex: "00" },
      e: { op: "const", hex: "0" },
      f: { op: "const", base64: "AA" },
      g: { op: "concat", of: [] },
      h: { op: "concat", of: ["nowhere", "one.receipt", "k", "k.3", "k.0", "g.0", "x"] },
      i: { op: "slice", of: "one", length: -1 },
      j: { op: "tgk" },
      k: { op: "split", of: { node: "one" }, at: [2, 1] },
      l: { op: "jump" },
      m: null,
      n: { of: "one" },
      p: { op: "hash", of: "q" },
      q: { op: "concat", of: ["one", "r"] },
      r: { op: "length", of: "p", more: 1 },
      s: { op: "select", selector: "one", cases: [] },
      t: { op: "hash", of: 7 },
      u: { op: "hash", of: { output: "a", receipt: false } },
      x: {
        op: "guest",
        module: "nowhere.wasm",
        args: ["a\0", 1],
        inputs: { "..": "one", a: "k.0" },
        outputs: ["b", { name: "a/c" }, "b", { tag: -1 }],
        stdout: "c",
        stderr: 4,
        assets: "z",
        io: "both",
        limits: { fuel: 1.5, depth: -1, gas: 4 },
      },
      "a~/": 5,
    },
    outputs: { "": "one", good: "two" },
  };
  t.strictSame(problems(document).sort(), [
    "PEL-ARITY /nodes/g/of",
    "PEL-ARITY /nodes/s/cases",
    "PEL-CYCLE /nodes/p",
    "PEL-MEMBER /nodes/c",
    "PEL-MEMBER /nodes/d",
    "PEL-MEMBER /nodes/i",
    "PEL-MEMBER /nodes/n",
    "PEL-MEMBER /nodes/r/more",
    "PEL-MEMBER /nodes/u/of",
    "PEL-MEMBER /nodes/u/of",
    "PEL-MEMBER /nodes/x/limits/gas",
    "PEL-MEMBER /nodes/x/outputs/3",
    "PEL-MEMBER /version",
    "PEL-MODULE /nodes/x/module",
    "PEL-NAME /nodes/a.b",
    "PEL-NAME /nodes/a~0~1",
    "PEL-NAME /nodes/three/name",
    "PEL-NAME /nodes/two",
    "PEL-NAME /nodes/x/inputs/..",
    "PEL-NAME /nodes/x/outputs/1/name",
    "PEL-NAME /nodes/x/outputs/2",
    "PEL-NAME /outputs/",
    "PEL-OPCODE /nodes/l/op",
    "PEL-REF /nodes/h/of/0",
    "PEL-REF /nodes/h/of/1",
    "PEL-REF /nodes/h/of/2",
    "PEL-REF /nodes/h/of/3",
    "PEL-REF /nodes/h/of/5",
    "PEL-REF /nodes/h/of/6",
    "PEL-TYPE /$schema",
    "PEL-TYPE /nodes/a~0~1",
    "PEL-TYPE /nodes/m",
    "PEL-TYPE /nodes/t/of",
    "PEL-TYPE /nodes/three/tag",
    "PEL-TYPE /nodes/x/args/1",
    "PEL-TYPE /nodes/x/limits/fuel",
    "PEL-TYPE /nodes/x/stderr",
    "PEL-UNSUPPORTED-NODE /nodes/j/op",
    "PEL-VALUE /nodes/e/hex",
    "PEL-VALUE /nodes/f/base64",
    "PEL-VALUE /nodes/i/length",
    "PEL-VALUE /nodes/k/at/1",
    "PEL-VALUE /nodes/u/of/receipt",
    "PEL-VALUE /nodes/x/args/0",
    "PEL-VALUE /nodes/x/assets",
    "PEL-VALUE /nodes/x/io",
    "PEL-VALUE /nodes/x/limits/depth",
    "PEL-VALUE /nodes/x/outputs/3/tag",
    "PEL-VALUE /nodes/x/stdout",
  ]);
  const error = refusal(JSON.stringify(document));
  t.equal(error?.total, 49);
  t.match(error?.message, /\(and 48 more\)$/);
  const cycle = { nodes: { a: { op: "hash", of: "b" }, b: { op: "length", of: "a" } }, outputs: { out: "a" } };
  t.throws(() => parseProgram(JSON.stringify(cycle)), { code: "PEL-CYCLE", message: /: a → b → a at \/nodes\/a$/ });
  t.end();
});

t.test("[PEL-TEXT-2, PEL-ERROR-3] texts that are no document of a program", (t) => {
  t.strictSame(problems("{"), ["PEL-JSON "]);
  t.strictSame(problems('{"nodes": {"a": {"op": "input"}, "a": 1}}'), ["PEL-JSON /nodes/a"]);
  t.strictSame(problems("\ufeff{}"), ["PEL-JSON "]);
  t.strictSame(problems("[".repeat(100_000)).length, 1);
  t.strictSame(problems("[]"), ["PEL-TYPE "]);
  t.strictSame(problems({}), ["PEL-MEMBER ", "PEL-MEMBER "]);
  t.strictSame(problems({ nodes: [], outputs: 1 }), ["PEL-TYPE /nodes", "PEL-TYPE /outputs"]);
  t.strictSame(problems({ nodes: {}, outputs: {} }), ["PEL-VALUE /outputs"]);
  const many = Object.fromEntries(Array.from({ length: 150 }, (_, k) => [`n${k}`, {}]));
  t.equal(refusal(JSON.stringify({ nodes: many, outputs: { out: "n0" } }))?.total, 150);
  t.equal(problems({ nodes: many, outputs: { out: "n0" } }).length, MOST_PROBLEMS);
  // Members that every object of JavaScript has.
  for (const name of ["__proto__", "constructor", "toString"])
    t.strictSame(problems(`{"nodes": {"a": {"op": "input", "${name}": 1}}, "outputs": {"out": "a"}}`), [
      `PEL-MEMBER /nodes/a/${name}`,
    ]);
  t.strictSame(nodeProblems({ op: "__proto__" }), ["PEL-OPCODE /op"]);
  t.strictSame(problems('{"nodes": {"__proto__": {"op": "input"}}, "outputs": {"__proto__": "__proto__"}}'), []);
  t.end();
});

t.test("[PEL-TEXT-4] refs say which output they mean", (t) => {
  const guest = { op: "guest", module: RENDER, outputs: ["receipt", "a.b", "a", "."].slice(0, 3) };
  const lookUp = (ref: unknown, outputs: unknown = guest.outputs): unknown => {
    const nodes = { in: { op: "input" }, parts: { op: "split", of: "in", at: [5] }, g: { ...guest, outputs } };
    const text = JSON.stringify({ nodes, outputs: { out: ref } });
    try {
      const { program, ids } = parseProgram(text);
      const { node, output } = program.outputs[0]!.ref;
      return [[...ids].find(([, index]) => index === node)?.[0], output];
    } catch (error) {
      return (error as PelError).code;
    }
  };
  t.strictSame(lookUp("in"), ["in", 0]);
  t.strictSame(lookUp({ node: "in" }), ["in", 0]);
  t.strictSame(lookUp("parts.0"), ["parts", 0]);
  t.strictSame(lookUp({ node: "parts", output: "1" }), ["parts", 1]);
  t.strictSame(lookUp("parts.receipt"), ["parts", undefined]);
  t.strictSame(lookUp("g.a"), ["g", 0]);
  t.strictSame(lookUp("g.a.b"), ["g", 1]);
  t.strictSame(lookUp({ node: "g", output: "receipt" }), ["g", 2]);
  t.strictSame(lookUp({ node: "g", receipt: true }), ["g", undefined]);
  t.strictSame(lookUp("g", ["only"]), ["g", 0]);
  t.strictSame(lookUp("g.only", ["only"]), ["g", 0]);
  t.strictSame(lookUp("g.receipt", []), ["g", undefined]);
  for (const ref of [
    "g.receipt",
    "g",
    "parts",
    "parts.2",
    "parts.00",
    "parts.",
    "in.",
    "in.0",
    "in.receipt",
    "",
    ".a",
    "g.A",
  ])
    t.equal(lookUp(ref), "PEL-REF", ref);
  t.equal(lookUp("g", []), "PEL-REF");
  t.equal(lookUp({ node: "parts", output: 1 }), "PEL-TYPE");
  t.equal(lookUp({ node: "parts", output: "1", receipt: true }), "PEL-MEMBER");
  t.equal(lookUp(["parts"]), "PEL-TYPE");
  t.end();
});

t.test("[PEL-TEXT-3, PEL-TEXT-5] values of members", (t) => {
  const guest = (parts: object): string[] => nodeProblems({ op: "guest", module: RENDER, ...parts });
  t.strictSame(guest({}), []);
  for (const fuel of [0, 9_007_199_254_740_991, "0", "9223372036854775807"])
    t.strictSame(guest({ limits: { fuel } }), []);
  for (const fuel of [9_007_199_254_740_992, "", "01", "-1", "1e5", "12345678901234567890", null])
    t.strictSame(guest({ limits: { fuel } }), ["PEL-TYPE /limits/fuel"]);
  for (const fuel of [-1, "9223372036854775808"]) t.strictSame(guest({ limits: { fuel } }), ["PEL-VALUE /limits/fuel"]);
  t.strictSame(guest({ limits: { heapBytes: 2 ** 31 + 1 } }), ["PEL-VALUE /limits/heapBytes"]);
  for (const module of [`sha256:${"AB".repeat(32)}`, `md9:${"ab".repeat(32)}`, "other.wasm", ""])
    t.strictSame(guest({ module }), ["PEL-MODULE /module"], module);
  t.strictSame(guest({ module: "render.wasm" }), []);
  t.strictSame(guest({ module: 5 }), ["PEL-TYPE /module"]);
  t.throws(() => parseProgram(FIXTURE), { code: "PEL-MODULE", place: { pointer: "/nodes/render/module" } });
  t.throws(
    () =>
      parseProgram(FIXTURE, () => {
        throw new Error("no disk");
      }),
    { message: /render\.wasm": no disk/ },
  );
  t.strictSame(nodeProblems({ op: "const", hex: "aF" }), []);
  for (const hex of ["a", "0g", " 00", "0 0"])
    t.strictSame(nodeProblems({ op: "const", hex }), ["PEL-VALUE /hex"], hex);
  t.strictSame(nodeProblems({ op: "const", base64: "/+8=" }), []);
  for (const base64 of ["/+8", "_-8=", "/+9=", "AA==\n"])
    t.strictSame(nodeProblems({ op: "const", base64 }), ["PEL-VALUE /base64"], base64);
  t.strictSame(nodeProblems({ op: "const", json: null }), []);
  t.strictSame(nodeProblems({ op: "const", text: "a".repeat(PROGRAM_LIMITS.constBytes + 1) }), ["PEL-LIMIT "]);
  // Only what is wrong, and not what follows from that.
  const nameless = { a: { op: "input", name: 1 }, b: { op: "input", name: 2, tag: 1 } };
  t.strictSame(problems({ nodes: nameless, outputs: { out: "a" } }), [
    "PEL-TYPE /nodes/a/name",
    "PEL-TYPE /nodes/b/name",
  ]);
  t.strictSame(guest({ outputs: [1, 2], stdout: 3, inputs: { a: 1 } }), [
    "PEL-TYPE /outputs/0",
    "PEL-TYPE /outputs/1",
    "PEL-TYPE /stdout",
    "PEL-TYPE /inputs/a",
  ]);
  t.strictSame(nodeProblems({ op: "slice", of: "in", offset: 0.5 }), ["PEL-VALUE /offset"]);
  t.strictSame(nodeProblems({ op: "slice", of: "in", offset: "0" }), ["PEL-TYPE /offset"]);
  t.end();
});

t.test("[PEL-TEXT-7] the schema allows what a text may be, and what it refuses is none", (t) => {
  const defs = SCHEMA.$defs!;
  t.strictSame(
    defs.node!.oneOf!.map(({ $ref }) => $ref!.replace("#/$defs/", "")),
    OPS.filter((op) => !RESERVED_OPS.includes(op)),
  );
  const limits = defs.guest!.properties!.limits!.properties!;
  t.strictSame(Object.keys(limits), Object.keys(GUEST_LIMITS));
  for (const [name, value] of Object.entries(GUEST_LIMITS)) {
    t.equal(BigInt(limits[name]!.default as number), BigInt(value));
    if (name !== "fuel") t.equal(limits[name]!.maximum, MOST_GUEST_LIMITS[name as "depth"]);
  }
  const document = JSON.parse(FIXTURE);
  t.ok(matches(SCHEMA, document));
  // Every value of the fixture is replaced, or left out: what the schema refuses then, the reader refuses.
  let refused = 0;
  const replacements = [null, 0, -1, 1.5, 2 ** 53, "", "a/b", "..", "x.y.z", true, [], {}, ["a", "a"], undefined];
  const visit = (value: unknown, pointer: string, set: (other: unknown) => void): void => {
    for (const other of replacements) {
      set(other);
      const isAllowed = matches(SCHEMA, JSON.parse(JSON.stringify(document)));
      if (!isAllowed) refused++;
      if (!isAllowed && problems(document).length === 0) t.fail(`${pointer}: ${JSON.stringify(other)}`);
    }
    set(value);
    if (typeof value !== "object" || value === null || pointer.endsWith("/json")) return;
    for (const [key, item] of Object.entries(value))
      visit(item, pointer + pointerStep(key), (other) => {
        (value as { [key: string]: unknown })[key] = other;
      });
  };
  for (const list of ["nodes", "outputs"] as const)
    for (const [key, item] of Object.entries(document[list]))
      visit(item, `/${list}/${key}`, (other) => {
        document[list][key] = other;
      });
  t.ok(refused > 500, `${refused} documents refused`);
  t.end();
});

t.test("[PEL-ENC-2, PEL-NODE-10, PEL-ERROR-1] the example and the tables of the spec", (t) => {
  const spec = readFileSync(new URL("../../../specs/30-pel.md", import.meta.url), "utf8");
  const block = (language: string): string => spec.split(`\`\`\`${language}\n`)[1]!.split("```")[0]!;
  const bytes = Buffer.from(block("hex").replaceAll(/#.*|\s/g, ""), "hex");
  const { program } = parseProgram(block("json"), () => keyText(1, new Uint8Array(32).fill(0xab)));
  t.ok(Buffer.from(encodeProgram(program)).equals(bytes));
  t.strictSame(decodeProgram(new Uint8Array(bytes)), program);
  const rows = [...spec.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row!.split(" | "));
  /** Of the forms 16,384, 2^31 and 2^63 − 1. */
  const number = (text: string): bigint => {
    const [, base, exponent, less] = /^([\d,]+)(?:\^(\d+))?(?: − (\d+))?$/.exec(text)!;
    return BigInt(base!.replaceAll(",", "")) ** BigInt(exponent ?? 1) - BigInt(less ?? 0);
  };
  for (const [name, value] of Object.entries(GUEST_LIMITS)) {
    const row = rows.find(([first]) => first === `\`${name}\``)!;
    t.equal(number(row[1]!), BigInt(value));
    t.equal(number(row[2]!), BigInt(MOST_GUEST_LIMITS[name as keyof typeof MOST_GUEST_LIMITS]));
  }
  const operations = rows.filter(([first]) => /^\d+$/.test(first!)).map(([, op]) => op);
  t.strictSame(
    operations,
    OPS.map((op) => `\`${op}\``),
  );
  const codes = rows.map(([first]) => /^`(PEL-[A-Z-]+)`$/.exec(first!)?.[1]).filter((code) => code !== undefined);
  t.equal(codes.length, 16);
  for (const code of codes) t.ok(Object.hasOwn(PEL_CODES, code), code);
  t.end();
});
