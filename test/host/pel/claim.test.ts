/** Receipts that are damaged, or made to do damage (spec 31). */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { keyBytes, keyText } from "../../../host/asl/key.ts";
import { canonicalProgram, guestNode } from "../../../host/pel/canonical.ts";
import {
  type ArtifactRef,
  decodeClaim,
  decodeContext,
  encodeNodeClaim,
  encodeRunClaim,
  type NodeClaim,
  type Outcome,
  type RunClaim,
  VERSIONS,
  writeContext,
} from "../../../host/pel/claim.ts";
import { PelError } from "../../../host/pel/errors.ts";
import { type Node, outputCount } from "../../../host/pel/program.ts";
import { CborWriter } from "../../../host/tgk/cbor.ts";
import { draft, EVERY_OP } from "./programs.ts";

const KEYS = [1, 2, 3, 4].map((algorithm) => keyText(algorithm, new Uint8Array(32).fill(algorithm)));
const OUTCOMES: readonly Outcome[] = [
  { type: "ok" },
  { type: "trap", code: 1, function: 12, offset: 70_000 },
  { type: "out-of-fuel" },
  { type: "exit", code: 4_294_967_295 },
  { type: "failure", code: 3, detail: "é" },
];

function artifact(number: number): ArtifactRef {
  return { key: KEYS[number % 4]!, tag: number % 3 === 0 ? undefined : number * 100_000 };
}

function claimOf(node: Node, outcome: Outcome): NodeClaim {
  const outputs = outcome.type === "ok" ? Array.from({ length: outputCount(node) }, (_, k) => artifact(k)) : [];
  return {
    kind: "node",
    // What refs name is no part of a claim.
    node: { ...node, refs: node.refs.map(() => ({ node: 0, output: 0 })) },
    inputs: node.refs.map((_, k) => artifact(k)),
    ...VERSIONS,
    outputs,
    fuel: 2n ** 63n,
    outcome,
    trace: new Uint8Array(32).fill(7),
  };
}

const RUN: RunClaim = {
  kind: "run",
  program: KEYS[0]!,
  inputs: [
    { name: "a", key: KEYS[0]!, tag: undefined },
    { name: "\uffee", key: KEYS[1]!, tag: 5 },
    { name: "\u{1f600}", key: KEYS[1]!, tag: 5 },
  ],
  keepGoing: true,
  ...VERSIONS,
  failed: 2,
  outputs: [{ name: "out", key: KEYS[2]!, tag: 7 }],
  claims: [undefined, KEYS[0]!, KEYS[3]!],
};
const OK_RUN: RunClaim = { ...RUN, keepGoing: false, failed: undefined };

const CONTEXT = {
  claim: KEYS[0]!,
  domain: new Uint8Array(16).fill(1),
  position: 4_294_967_296,
  frameHash: new Uint8Array(32).fill(2),
  logseq: 9,
};
function encodeContext(context: typeof CONTEXT): Uint8Array {
  const writer = new CborWriter();
  writeContext(writer, keyBytes(context.claim), context);
  return writer.take();
}

/** Bytes of a claim that were encoded again, or the code of what refused them. Everything else that is thrown is a defect. */
function again(bytes: Uint8Array): Uint8Array | string {
  try {
    const claim = decodeClaim(bytes);
    return claim.kind === "node" ? encodeNodeClaim(claim) : encodeRunClaim(claim);
  } catch (error) {
    if (!(error instanceof PelError) || error.place.offset === undefined) throw error;
    return error.code;
  }
}

t.test(
  "[PER-CLAIM-1, PER-CLAIM-2, PER-CLAIM-3, PER-CLAIM-4, PER-RUN-1, PER-RUN-2, PER-CONTEXT-1] what is encoded is decoded",
  (t) => {
    fc.assert(
      fc.property(draft, fc.constantFrom(...OUTCOMES), (given, outcome) => {
        for (const node of canonicalProgram(given.nodes, given.outputs).program.nodes) {
          if (node.op === "input") continue;
          const claim = claimOf(node, outcome);
          t.strictSame(decodeClaim(encodeNodeClaim(claim)), claim);
        }
      }),
      { numRuns: 40 },
    );
    for (const claim of [RUN, OK_RUN]) t.strictSame(decodeClaim(encodeRunClaim(claim)), claim);
    t.strictSame(decodeContext(encodeContext(CONTEXT)), CONTEXT);
    t.end();
  },
);

t.test(
  "[PER-CLAIM-5] a damaged receipt is refused with PEL-RECEIPT, or is another receipt, with the encoding that it has",
  (t) => {
    const nodes = canonicalProgram(EVERY_OP.nodes, EVERY_OP.outputs).program.nodes.filter(({ op }) => op !== "input");
    const receipts = [
      ...OUTCOMES.map((outcome) => encodeNodeClaim(claimOf(nodes.at(-1)!, outcome))),
      ...nodes.map((node) => encodeNodeClaim(claimOf(node, OUTCOMES[0]!))),
      encodeRunClaim(RUN),
      encodeRunClaim(OK_RUN),
    ];
    const codes = new Map<string, number>();
    const check = (bytes: Uint8Array): void => {
      const found = again(bytes);
      const code = typeof found === "string" ? found : "taken";
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (typeof found !== "string" && !Buffer.from(found).equals(bytes)) t.fail(Buffer.from(bytes).toString("hex"));
    };
    for (const bytes of receipts)
      for (let at = 0; at < bytes.length; at++) {
        check(bytes.subarray(0, at));
        for (const value of [0, 0x17, 0x18, 0x1b, 0x40, 0x60, 0x80, 0x9b, 0xf6, 0xff, bytes[at]! ^ 1])
          check(bytes.with(at, value));
        check(Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1)));
        check(Uint8Array.of(...bytes.subarray(0, at), 0, ...bytes.subarray(at)));
      }
    fc.assert(
      fc.property(
        fc.constantFrom(...receipts),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 2, maxLength: 4 }),
        (bytes, changes) => {
          const changed = bytes.slice();
          for (const [at, value] of changes) changed[at % changed.length] = value;
          check(changed);
        },
      ),
      { numRuns: 1000 },
    );
    t.strictSame([...codes.keys()].sort(), ["PEL-RECEIPT", "PEL-VERSION", "taken"], JSON.stringify([...codes]));
    const context = encodeContext(CONTEXT);
    for (let at = 0; at < context.length; at++)
      for (const bytes of [
        context.subarray(0, at),
        context.with(at, 0),
        context.with(at, 0xff),
        context.with(at, context[at]! ^ 1),
      ]) {
        try {
          const found = decodeContext(bytes);
          t.ok(Buffer.from(encodeContext(found as typeof CONTEXT)).equals(bytes));
        } catch (error) {
          if (!(error instanceof PelError)) throw error;
          t.match(error.code, /^PEL-(RECEIPT|VERSION)$/);
        }
      }
    t.end();
  },
);

t.test("[PER-CLAIM-5] receipts that contradict themselves", (t) => {
  const refused = (bytes: Uint8Array): string | undefined => {
    const found = again(bytes);
    return typeof found === "string" ? found : undefined;
  };
  const claim = claimOf({ op: "concat", refs: [{ node: 0, output: 0 }] }, OUTCOMES[0]!);
  const run = (parts: Partial<RunClaim>): string | undefined => refused(encodeRunClaim({ ...RUN, ...parts }));
  const cases: readonly [string, string | undefined][] = [
    ["more inputs than refs", refused(encodeNodeClaim({ ...claim, inputs: [artifact(0), artifact(1)] }))],
    ["no output", refused(encodeNodeClaim({ ...claim, outputs: [] }))],
    ["an output of a failure", refused(encodeNodeClaim({ ...claim, outcome: OUTCOMES[2]! }))],
    ["exit 0", refused(encodeNodeClaim({ ...claim, outputs: [], outcome: { type: "exit", code: 0 } }))],
    [
      "an unknown failure",
      refused(encodeNodeClaim({ ...claim, outputs: [], outcome: { type: "failure", code: 99 as never, detail: "" } })),
    ],
    ["a short trace", refused(encodeNodeClaim({ ...claim, trace: new Uint8Array(31) }))],
    [
      "an input node",
      refused(encodeNodeClaim({ ...claim, inputs: [], node: { op: "input", name: "a", tag: undefined, refs: [] } })),
    ],
    [
      "a node that cannot be",
      refused(encodeNodeClaim({ ...claim, node: { op: "slice", offset: 0, length: 0, refs: [] }, inputs: [] })),
    ],
    ["names out of order", run({ inputs: RUN.inputs.toReversed() })],
    ["a name twice", run({ outputs: [RUN.outputs[0]!, RUN.outputs[0]!] })],
    ["no such node failed", run({ failed: 3 })],
    ["the node that failed has no claim", run({ failed: 0 })],
  ];
  for (const [what, code] of cases) t.equal(code, "PEL-RECEIPT", what);
  // Claims of millions in a few bytes.
  for (const hex of ["840101879affffffff", "840100869b0000010000000000", "84010187015b0000010000000000"])
    t.equal(refused(Buffer.from(hex, "hex")), "PEL-RECEIPT");
  t.equal(refused(new Uint8Array(1_000_000).fill(0x84)), "PEL-RECEIPT");
  t.end();
});

t.test("[PER-CLAIM-1, PER-RUN-1, PER-CONTEXT-1] receipts of the first version are read as ever", (t) => {
  const versions = { abi: 1, fuelSchedule: 1, compiler: 1 };
  const ref = { node: 0, output: 0 };
  const guest = guestNode({
    module: KEYS[1]!,
    entry: "main",
    args: ["-n", "é"],
    inputs: [
      ["fonts.pa", ref],
      ["text", ref],
    ],
    outputs: [{ name: "log" }, { name: "page", tag: 70_000 }],
    stdout: "log",
    assets: "fonts.pa",
    limits: { fuel: 2n ** 63n - 1n, depth: 10 },
  });
  const fixture = JSON.parse(readFileSync(new URL("../../fixtures/pel/receipts.json", import.meta.url), "utf8"));
  const bytes = (name: string): Uint8Array => new Uint8Array(Buffer.from(fixture[name], "hex"));
  for (const outcome of OUTCOMES) {
    const claim = { ...claimOf(guest, outcome), ...versions };
    t.strictSame(decodeClaim(bytes(outcome.type)), claim);
    t.strictSame(encodeNodeClaim(claim), bytes(outcome.type));
  }
  const run = { ...RUN, ...versions };
  t.strictSame(decodeClaim(bytes("run")), run);
  t.strictSame(encodeRunClaim(run), bytes("run"));
  t.strictSame(decodeContext(bytes("context")), CONTEXT);
  t.strictSame(encodeContext(CONTEXT), bytes("context"));
  t.end();
});
