/** Programs and their one encoding (spec 30). */
import fc from "fast-check";
import t from "tap";
import { keyText } from "../../../host/asl/key.ts";
import { canonicalProgram, guestNode } from "../../../host/pel/canonical.ts";
import { PEL_CODES, PelError } from "../../../host/pel/errors.ts";
import {
  decodeProgram,
  encodeProgram,
  GUEST_LIMITS,
  type GuestNode,
  MOST_GUEST_LIMITS,
  type Node,
  PROGRAM_LIMITS,
  type Program,
  readNode,
  writeNode,
} from "../../../host/pel/program.ts";
import { CborReader, CborWriter } from "../../../host/tgk/cbor.ts";
import { LIMIT_CEILINGS } from "../../../vm/limits.ts";
import { judge, verdict } from "./decoders.ts";
import { type Draft, draft, EVERY_OP, MODULE, shuffled } from "./programs.ts";
import { referenceDecode } from "./reference-decoder.ts";

function canonical({ nodes, outputs }: Draft): Program {
  return canonicalProgram(nodes, outputs).program;
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/[^0-9a-f]/g, ""), "hex"));
}

/** A program of one input, and `node` with refs to it; what making it canonical says. */
function checked(node: Node): string {
  try {
    const input: Node = { op: "input", name: "in", tag: undefined, refs: [] };
    canonicalProgram([input, node], [{ name: "out", ref: { node: 0, output: 0 } }]);
    return "ok";
  } catch (error) {
    if (!(error instanceof PelError)) throw error;
    return `${error.code} ${error.place.pointer}`;
  }
}

const IN = { node: 0, output: 0 };

t.test(
  "[PEL-PROGRAM-1, PEL-ENC-1, PEL-ENC-2, PEL-ENC-5] a program is decoded to what was encoded, by a second decoder too",
  (t) => {
    fc.assert(
      fc.property(draft, (given) => {
        const program = canonical(given);
        const bytes = encodeProgram(program);
        t.strictSame(decodeProgram(bytes), program);
        t.strictSame(referenceDecode(bytes), program);
      }),
      { numRuns: 300 },
    );
    t.strictSame([...new Set(canonical(EVERY_OP).nodes.map(({ op }) => op))].length, 9);
    t.end();
  },
);

t.test(
  "[PEL-ORDER-1, PEL-ORDER-2, PEL-ORDER-3] in whatever order its nodes are given, and however often, a program is one",
  (t) => {
    const orders = draft.chain((given) =>
      fc.tuple(
        fc.constant(given),
        fc.shuffledSubarray([...given.nodes.keys()], { minLength: given.nodes.length }),
        fc.nat(given.nodes.length - 1),
      ),
    );
    fc.assert(
      fc.property(orders, ([given, order, twice]) => {
        const bytes = encodeProgram(canonical(given));
        const other = shuffled(given, order);
        const { program, index } = canonicalProgram([...other.nodes, other.nodes[twice]!], other.outputs.toReversed());
        t.ok(Buffer.from(encodeProgram(program)).equals(bytes));
        t.equal(index.at(-1), index[twice]);
        for (const [k, node] of other.nodes.entries()) t.equal(program.nodes[index[k]!]!.op, node.op);
      }),
      { numRuns: 200 },
    );
    const [a, b] = [Buffer.from("b"), Buffer.from("aa")];
    const { program, index } = canonicalProgram(
      [
        { op: "concat", refs: [{ node: 1, output: 0 }] },
        { op: "const", bytes: b, refs: [] },
        { op: "const", bytes: a, refs: [] },
        { op: "concat", refs: [{ node: 1, output: 0 }] },
      ],
      [{ name: "out", ref: { node: 3, output: 0 } }],
    );
    t.strictSame(index, [2, 1, 0, 2], "by level, then by encoding, of which the shorter text is the lower one");
    t.strictSame(program.outputs[0]!.ref, { node: 2, output: 0 });
    t.end();
  },
);

t.test(
  "[PEL-ENC-4, PEL-ERROR-1] any bytes are refused by both decoders, or taken by both and encoded to themselves",
  (t) => {
    const bytes = encodeProgram(canonical(EVERY_OP));
    let taken = 0;
    const codes = new Set<string>();
    const check = (mutated: Uint8Array): void => {
      const code = judge(mutated);
      codes.add(code);
      if (code === "ok") taken++;
    };
    for (let at = 0; at < bytes.length; at++) {
      check(bytes.subarray(0, at));
      for (const value of [
        0,
        1,
        0x17,
        0x18,
        0x20,
        0x40,
        0x60,
        0x80,
        0x9f,
        0xc0,
        0xf6,
        0xff,
        bytes[at]! ^ 1,
        bytes[at]! + 1,
      ])
        check(bytes.with(at, value & 0xff));
      check(Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1)));
      check(Uint8Array.of(...bytes.subarray(0, at), 0, ...bytes.subarray(at)));
    }
    t.ok(taken > 100, `${taken} other programs`);
    t.ok(codes.size > 8, [...codes].join(" "));
    fc.assert(
      fc.property(
        draft,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (given, changes) => {
          const changed = encodeProgram(canonical(given));
          for (const [at, value] of changes) changed[at % changed.length] = value;
          check(changed);
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 500 });
    t.end();
  },
);

t.test("[PEL-ENC-2, PEL-ENC-5, PEL-ERROR-2] what is wrong with bytes is told with code, pointer and offset", (t) => {
  const output = "81 82 61 6f 82 00 00";
  const cases: readonly [string, string, number | undefined][] = [
    ["", "PEL-ENCODING ", 0],
    ["00", "PEL-ENCODING ", 0],
    ["9f 01 80 80 ff", "PEL-ENCODING ", 0],
    ["82 01 80", "PEL-ENCODING ", 0],
    ["84 02 80 80 80", "PEL-VERSION ", 1],
    [`83 01 81 83 01 81 40 80 ${output} 00`, "PEL-ENCODING ", 15],
    [`83 18 01 81 83 01 81 40 80 ${output}`, "PEL-ENCODING ", 1],
    [`83 01 81 83 01 81 40 80 ${output}`, "ok", undefined],
    [`83 01 81 83 0b 81 40 80 ${output}`, "PEL-OPCODE /nodes/0/op", 3],
    [`83 01 81 83 09 81 40 80 ${output}`, "PEL-UNSUPPORTED-NODE /nodes/0/op", 3],
    [`83 01 81 83 0a 81 40 80 ${output}`, "PEL-UNSUPPORTED-NODE /nodes/0/op", 3],
    [`83 01 81 83 01 82 40 40 80 ${output}`, "PEL-ENCODING /nodes/0", 5],
    [`83 01 81 83 02 80 80 ${output}`, "PEL-ARITY /nodes/0/refs", 3],
    [`83 01 81 83 01 81 40 81 82 00 00 ${output}`, "PEL-ARITY /nodes/0/refs", 3],
    [`83 01 81 83 02 80 81 82 00 00 ${output}`, "PEL-CYCLE /nodes/0", undefined],
    [`83 01 81 83 02 80 81 82 05 00 ${output}`, "PEL-REF /nodes/0/refs/0", 3],
    [`83 01 82 83 01 81 40 80 83 02 80 82 82 00 00 82 00 01 ${output}`, "PEL-REF /nodes/1/refs/1", 8],
    [`83 01 82 83 01 81 40 80 83 02 80 82 82 00 00 82 00 61 ${output}`, "PEL-ENCODING /nodes/1/refs/1", 17],
    [`83 01 82 83 00 82 61 61 f6 80 83 02 80 81 82 00 f6 ${output}`, "PEL-REF /nodes/1/refs/0", 10],
    [`83 01 82 83 02 80 81 82 01 00 83 01 81 40 80 ${output}`, "PEL-NOT-CANONICAL /nodes/0/refs/0", 7],
    [`83 01 82 83 02 80 81 82 01 00 83 02 80 81 82 00 00 ${output}`, "PEL-CYCLE /nodes/0", undefined],
    [`83 01 82 83 01 81 41 02 80 83 01 81 41 01 80 ${output}`, "PEL-NOT-CANONICAL /nodes/1", 9],
    [`83 01 82 83 01 81 41 01 80 83 01 81 41 01 80 ${output}`, "PEL-NOT-CANONICAL /nodes/1", 9],
    [`83 01 82 83 00 82 61 61 f6 80 83 00 82 61 61 00 80 ${output}`, "PEL-NOT-CANONICAL /nodes/1", 10],
    [`83 01 82 83 00 82 61 61 00 80 83 00 82 61 61 f6 80 ${output}`, "PEL-NAME /nodes/1", undefined],
    [`83 01 81 83 00 82 61 2f f6 80 ${output}`, "PEL-NAME /nodes/0/name", 3],
    [`83 01 81 83 00 82 61 ff f6 80 ${output}`, "PEL-ENCODING /nodes/0", 6],
    [`83 01 81 83 00 82 61 61 1b 00 00 00 01 00 00 00 00 80 ${output}`, "PEL-VALUE /nodes/0/tag", 3],
    ["83 01 81 83 01 81 40 80 80", "PEL-VALUE /outputs", 8],
    ["83 01 81 83 01 81 40 80 81 82 61 6f 82 01 00", "PEL-REF /outputs/0/ref", 12],
    ["83 01 81 83 01 81 40 80 82 82 61 6f 82 00 00 82 61 61 82 00 00", "PEL-NOT-CANONICAL /outputs/1/name", 8],
    ["83 01 81 83 01 81 40 80 82 82 61 6f 82 00 00 82 61 6f 82 00 00", "PEL-NAME /outputs/1/name", 8],
  ];
  for (const [text, said, offset] of cases) {
    const bytes = hex(text);
    t.equal(verdict(bytes), said, text);
    t.equal(referenceDecode(bytes) !== undefined, said === "ok", text);
    if (said === "ok") continue;
    try {
      decodeProgram(bytes);
    } catch (error) {
      t.equal((error as PelError).place.offset, offset, text);
      t.match((error as PelError).message, / at (the top|\/)/);
    }
  }
  for (const code of Object.keys(PEL_CODES)) t.match(code, /^PEL-[A-Z-]+$/);
  t.end();
});

t.test("[PEL-LIMIT-1, PEL-LIMIT-2] claims of millions in a few bytes are refused at once", (t) => {
  const cases: readonly [string, string][] = [
    // 10,000,000 nodes, 2^40 nodes, 2^64 − 1 nodes, and 2^40 bytes.
    ["83 01 9a 00 98 96 80 00", "PEL-ENCODING /nodes"],
    ["83 01 9b 00 00 01 00 00 00 00 00 00", "PEL-ENCODING /nodes"],
    ["83 01 9b ff ff ff ff ff ff ff ff 00", "PEL-ENCODING /nodes"],
    ["83 01 81 83 01 81 5b 00 00 01 00 00 00 00 00 00", "PEL-ENCODING /nodes/0"],
    ["83 01 81 83 02 80 9a 00 98 96 80 00", "PEL-ENCODING /nodes/0"],
    ["83 01 81 83 07 81 9a 00 98 96 80 00", "PEL-ENCODING /nodes/0"],
    ["83 01 80 9a 00 98 96 80 00", "PEL-ENCODING /outputs"],
  ];
  const before = process.memoryUsage().rss;
  for (const [text, said] of cases) for (let k = 0; k < 100; k++) t.equal(verdict(hex(text)), said, text);
  // Nested arrays, as deep as there are bytes.
  t.equal(verdict(new Uint8Array(1_000_000).fill(0x81)), "PEL-ENCODING ");
  t.equal(verdict(Uint8Array.of(0x83, 1, ...new Uint8Array(100_000).fill(0x81))), "PEL-ENCODING /nodes/0");
  t.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024);
  t.equal(verdict(new Uint8Array(PROGRAM_LIMITS.programBytes + 1)), "PEL-LIMIT ");
  const many = new CborWriter()
    .array(3)
    .uint(1)
    .array(PROGRAM_LIMITS.nodes + 1)
    .raw(new Uint8Array(2_000_000))
    .take();
  t.equal(verdict(many), "PEL-LIMIT /nodes");
  t.end();
});

t.test("[PEL-LIMIT-1] what just fits is taken, and one more is not", (t) => {
  const at = (count: number): Node => ({ op: "split", at: new Array(count).fill(0), refs: [IN] });
  t.equal(checked(at(65_533)), "ok");
  t.equal(checked(at(65_534)), "PEL-LIMIT /nodes/1/at");
  const concat = (count: number): Node => ({ op: "concat", refs: new Array(count).fill(IN) });
  t.equal(checked(concat(65_534)), "ok");
  t.equal(checked(concat(65_535)), "PEL-ARITY /nodes/1/refs");
  const bytes = (count: number): Node => ({ op: "const", bytes: new Uint8Array(count), refs: [] });
  t.equal(checked(bytes(1_048_576)), "ok");
  t.equal(checked(bytes(1_048_577)), "PEL-LIMIT /nodes/1/bytes");
  const guest = (parts: object): string => checked(guestNode({ module: MODULE, ...parts }));
  t.equal(guest({ entry: "é".repeat(32_767) }), "ok");
  t.equal(guest({ entry: "é".repeat(32_768) }), "PEL-LIMIT /nodes/1/entry");
  t.equal(guest({ args: new Array(65_535).fill("") }), "ok");
  t.equal(guest({ args: new Array(65_536).fill("") }), "PEL-LIMIT /nodes/1/args");
  t.equal(guest({ args: ["é".repeat(524_288)] }), "ok");
  t.equal(guest({ args: ["é".repeat(524_288), "a"] }), "PEL-LIMIT /nodes/1/args");
  const names = (count: number): { name: string }[] => Array.from({ length: count }, (_, k) => ({ name: `${k}` }));
  t.equal(guest({ outputs: names(65_534) }), "ok");
  t.equal(guest({ outputs: names(65_535) }), "PEL-LIMIT /nodes/1/outputs");
  t.equal(guest({ inputs: names(65_535).map(({ name }) => [name, IN]) }), "PEL-LIMIT /nodes/1/inputs");
  const inputs = (count: number): Node[] =>
    names(count).map(({ name }) => ({ op: "input", name, tag: undefined, refs: [] }));
  const out = [{ name: "out", ref: IN }];
  t.equal(canonicalProgram(inputs(65_534), out).program.nodes.length, 65_534);
  t.throws(() => canonicalProgram(inputs(65_535), out), { code: "PEL-LIMIT" });
  t.throws(
    () =>
      canonicalProgram(
        inputs(1),
        names(65_535).map(({ name }) => ({ name, ref: IN })),
      ),
    { code: "PEL-LIMIT" },
  );
  const full = canonicalProgram(
    inputs(1),
    names(65_534).map(({ name }) => ({ name, ref: IN })),
  ).program;
  t.equal(decodeProgram(encodeProgram(full)).outputs.length, 65_534);
  const large: Node[] = new Array(257).fill({ op: "const", bytes: new Uint8Array(1_048_576), refs: [] });
  t.throws(() => canonicalProgram(large, out), { code: "PEL-LIMIT" });
  t.end();
});

t.test(
  "[PEL-PROGRAM-2, PEL-PROGRAM-3, PEL-NODE-1, PEL-NODE-9, PEL-NODE-10] each parameter of a node is checked",
  (t) => {
    for (const name of ["a", "a b", "é", "...", "x".repeat(255), "\u{10ffff}", "é".repeat(127)])
      t.equal(checked({ op: "input", name, tag: undefined, refs: [] }), "ok", name);
    for (const name of [
      "",
      ".",
      "..",
      "a/b",
      "/",
      "a\0",
      "\n",
      "\x7f",
      "\x85",
      "\ud800",
      "x".repeat(256),
      "é".repeat(128),
    ])
      t.equal(checked({ op: "input", name, tag: undefined, refs: [] }), "PEL-NAME /nodes/1/name", name);
    for (const tag of [-1, 0.5, 2 ** 32, Number.NaN])
      t.equal(checked({ op: "input", name: "a", tag, refs: [] }), "PEL-VALUE /nodes/1/tag");
    t.equal(checked({ op: "input", name: "in", tag: 1, refs: [] }), "PEL-NAME /nodes/1", "two inputs of one name");
    for (const offset of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.equal(checked({ op: "slice", offset, length: 1, refs: [IN] }), "PEL-VALUE /nodes/1/offset");
      t.equal(checked({ op: "slice", offset: 1, length: offset, refs: [IN] }), "PEL-VALUE /nodes/1/length");
      t.equal(checked({ op: "split", at: [offset], refs: [IN] }), "PEL-VALUE /nodes/1/at/0");
    }
    t.equal(checked({ op: "split", at: [3, 3, 2], refs: [IN] }), "PEL-VALUE /nodes/1/at/2");
    t.equal(checked({ op: "split", at: [], refs: [IN] }), "ok");
    for (const refs of [[], [IN, IN]])
      for (const op of ["hash", "length"] as const) t.equal(checked({ op, refs }), "PEL-ARITY /nodes/1/refs");
    t.equal(checked({ op: "select", refs: [IN] }), "PEL-ARITY /nodes/1/refs");
    t.equal(checked({ op: "concat", refs: [{ node: 2, output: 0 }] }), "PEL-REF /nodes/1/refs/0");
    for (const output of [1, -1, 0.5, undefined])
      t.equal(checked({ op: "concat", refs: [{ node: 0, output }] }), "PEL-REF /nodes/1/refs/0");
    const refusals: readonly [Partial<GuestNode>, string][] = [
      [{ entry: "\ud800" }, "PEL-VALUE /nodes/1/entry"],
      [{ args: ["a", "\0"] }, "PEL-VALUE /nodes/1/args/1"],
      [{ args: ["\ud800"] }, "PEL-VALUE /nodes/1/args/0"],
      [{ inputs: ["b", "a"], refs: [IN, IN] }, "PEL-NOT-CANONICAL /nodes/1/inputs/1"],
      [{ inputs: ["a", "a"], refs: [IN, IN] }, "PEL-NAME /nodes/1/inputs/1"],
      [{ inputs: ["a"] }, "PEL-ARITY /nodes/1/refs"],
      [{ outputs: [{ name: "a/b", tag: undefined }] }, "PEL-NAME /nodes/1/outputs/0/name"],
      [{ outputs: [{ name: "a", tag: -1 }] }, "PEL-VALUE /nodes/1/outputs/0/tag"],
      [{ stdout: "a" }, "PEL-VALUE /nodes/1/stdout"],
      [{ stderr: "a" }, "PEL-VALUE /nodes/1/stderr"],
      [{ outputs: [{ name: "a", tag: 1 }], stdout: "a", stderr: "a" }, "PEL-VALUE /nodes/1/stderr"],
      [{ assets: "a" }, "PEL-VALUE /nodes/1/assets"],
      [{ io: "both" as "files" }, "PEL-VALUE /nodes/1/io"],
      [{ op: "tgk" as "guest" }, "PEL-UNSUPPORTED-NODE /nodes/1/op"],
      [{ op: "jump" as "guest" }, "PEL-OPCODE /nodes/1/op"],
    ];
    for (const [parts, said] of refusals)
      t.equal(checked({ ...guestNode({ module: MODULE }), ...parts }), said, JSON.stringify(parts));
    for (const [name, most] of Object.entries(MOST_GUEST_LIMITS)) {
      const limited = (value: unknown): string => checked(guestNode({ module: MODULE, limits: { [name]: value } }));
      const one = typeof most === "bigint" ? 1n : 1;
      t.equal(limited(most), "ok");
      t.equal(limited((most as number) + (one as number)), `PEL-VALUE /nodes/1/limits/${name}`);
      t.equal(limited(-one), `PEL-VALUE /nodes/1/limits/${name}`);
      t.equal(limited(undefined), `PEL-VALUE /nodes/1/limits/${name}`);
      // A thread has the stack for so many slots.
      if (name === "depth") t.equal(most, GUEST_LIMITS.depth);
      else if (name in LIMIT_CEILINGS) t.equal(most, LIMIT_CEILINGS[name as keyof typeof LIMIT_CEILINGS]);
    }
    t.strictSame(guestNode({ module: MODULE }).limits, GUEST_LIMITS);
    // Modules by keys of every algorithm.
    for (const algorithm of [1, 2, 3, 4]) {
      const node = guestNode({ module: keyText(algorithm, new Uint8Array(32).fill(algorithm)) });
      const bytes = encodeProgram(
        canonicalProgram([node], [{ name: "r", ref: { node: 0, output: undefined } }]).program,
      );
      t.strictSame(decodeProgram(bytes).nodes, [node]);
      t.strictSame(referenceDecode(bytes)?.nodes, [node]);
    }
    t.end();
  },
);

t.test(
  "[PEL-PROGRAM-2, PEL-PROGRAM-4] names are ordered by their UTF-8; outputs are named once, and there is one at least",
  (t) => {
    const input: Node = { op: "input", name: "in", tag: undefined, refs: [] };
    const named = (...names: string[]): string[] =>
      canonicalProgram(
        [input],
        names.map((name) => ({ name, ref: IN })),
      ).program.outputs.map(({ name }) => name);
    t.strictSame(named("\u{10000}", "\uffee", "b", "é", "ab", "a"), ["a", "ab", "b", "é", "\uffee", "\u{10000}"]);
    t.throws(() => named("a", "a"), { code: "PEL-NAME" });
    t.throws(() => named(), { code: "PEL-VALUE" });
    t.throws(() => named("a/b"), { code: "PEL-NAME" });
    t.throws(() => canonicalProgram([], [{ name: "a", ref: IN }]), {
      code: "PEL-REF",
      place: { pointer: "/outputs/0/ref" },
    });
    t.end();
  },
);

t.test("[PEL-PROGRAM-5, PEL-ORDER-1] a cycle is told with its path, however long", (t) => {
  const ring = (size: number): Node[] =>
    Array.from({ length: size }, (_, k) => ({ op: "concat", refs: [{ node: (k + 1) % size, output: 0 }] }));
  const out = [{ name: "out", ref: IN }];
  t.throws(() => canonicalProgram(ring(1), out), { code: "PEL-CYCLE", message: /: 0 → 0 at \/nodes\/0$/ });
  t.throws(() => canonicalProgram(ring(3), out), { code: "PEL-CYCLE", message: /: 0 → 1 → 2 → 0 / });
  t.throws(() => canonicalProgram(ring(200_000), out), { code: "PEL-CYCLE", message: /19 → … \(199980 more\) → 0 / });
  t.end();
});

t.test("[PEL-ENC-3] a node's own encoding says how many refs it has, and not which", (t) => {
  for (const node of canonical(EVERY_OP).nodes) {
    const bytes = (() => {
      const writer = new CborWriter();
      writeNode(writer, node);
      return writer.take();
    })();
    const fail = (offset: number, message: string): Error => new PelError("PEL-ENCODING", message, { offset });
    const reader = new CborReader(bytes, fail);
    t.strictSame(readNode(reader), { node: { ...node, refs: [] }, arity: node.refs.length });
    reader.end();
    const wrong = node.op === "concat" || node.op === "select" ? 0 : 23;
    t.throws(() => readNode(new CborReader(bytes.with(-1, wrong), fail)), {
      code: "PEL-ARITY",
      place: { pointer: "/refs", offset: 0 },
    });
  }
  t.end();
});
