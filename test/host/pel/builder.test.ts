/** Building programs (spec 30). */
import t from "tap";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import { decodeClaim, decodeContext } from "../../../host/pel/claim.ts";
import { PelError } from "../../../host/pel/errors.ts";
import { decodeProgram, encodeProgram, GUEST_LIMITS } from "../../../host/pel/program.ts";
import { parseProgram } from "../../../host/pel/text.ts";
import { MODULE } from "./programs.ts";

t.test("[PEL-PROGRAM-1, PEL-TEXT-6] a builder and a text make the same program", (t) => {
  const builder = new ProgramBuilder();
  const letter = builder.input("letter", { tag: 9 });
  const whole = builder.concat([builder.const("Dear "), letter, builder.const(Uint8Array.of(10))]);
  const parts = builder.split(whole, [4, 8]);
  const guest = builder.guest({
    module: MODULE,
    entry: "main",
    args: ["-n"],
    inputs: { z: parts[2]!, a: builder.slice(whole, 1), proof: whole.receipt },
    outputs: ["out", { name: "log", tag: 3 }],
    stdout: "log",
    limits: { fuel: 5n },
  });
  builder.output("picture", guest.output("out"));
  builder.output("digest", builder.hash(builder.slice(whole, 0, 4)));
  builder.output("receipt", guest.receipt);
  builder.output("chosen", builder.select(builder.length(letter), [parts[0]!, parts[1]!]));
  const program = builder.build();
  const { program: parsed, ids } = parseProgram(
    JSON.stringify({
      nodes: {
        letter: { op: "input", tag: 9 },
        dear: { op: "const", text: "Dear " },
        end: { op: "const", hex: "0a" },
        whole: { op: "concat", of: ["dear", "letter", "end"] },
        parts: { op: "split", of: "whole", at: [4, 8] },
        rest: { op: "slice", of: "whole", offset: 1 },
        head: { op: "slice", of: "whole", offset: 0, length: 4 },
        digest: { op: "hash", of: "head" },
        length: { op: "length", of: "letter" },
        chosen: { op: "select", selector: "length", cases: ["parts.0", "parts.1"] },
        guest: {
          op: "guest",
          module: MODULE,
          entry: "main",
          args: ["-n"],
          inputs: { z: "parts.2", a: "rest", proof: "whole.receipt" },
          outputs: ["out", { name: "log", tag: 3 }],
          stdout: "log",
          limits: { fuel: 5 },
        },
      },
      outputs: { picture: "guest.out", digest: "digest", receipt: "guest.receipt", chosen: "chosen" },
    }),
  );
  t.strictSame(program, parsed);
  t.strictSame(decodeProgram(encodeProgram(program)), program);
  t.equal(builder.indexOf(whole), ids.get("whole"));
  t.equal(builder.indexOf(guest.output("log")), ids.get("guest"));
  t.match(program.nodes.at(-1), { limits: { ...GUEST_LIMITS, fuel: 5n } });
  t.end();
});

t.test("[PEL-ERROR-2] what is wrong with a node is told when it is made", (t) => {
  const builder = new ProgramBuilder();
  const input = builder.input("in");
  t.throws(() => builder.input("a/b"), { code: "PEL-NAME", place: { pointer: "/nodes/1/name", node: 1 } });
  t.throws(() => builder.concat([]), { code: "PEL-ARITY" });
  t.throws(() => builder.slice(input, -1), { code: "PEL-VALUE" });
  t.throws(() => builder.split(input, [2, 1]), { code: "PEL-VALUE" });
  t.throws(() => builder.hash(new ProgramBuilder().input("in")), { code: "PEL-ARGUMENT" });
  t.throws(() => builder.hash(undefined as never), { code: "PEL-ARGUMENT" });
  t.throws(() => builder.guest({ module: MODULE, assets: "pack" }), { code: "PEL-VALUE" });
  const fuelled = (fuel: number | bigint): unknown =>
    builder.guest({ module: MODULE, outputs: ["x"], limits: { fuel } });
  for (const fuel of [0, 2 ** 53 - 1, 0n, 2n ** 63n - 1n]) t.ok(fuelled(fuel));
  for (const fuel of [-1, 0.5, 2 ** 53, 2n ** 63n]) t.throws(() => fuelled(fuel), { code: "PEL-VALUE" });
  const guest = builder.guest({ module: MODULE, outputs: ["out"] });
  t.throws(() => guest.output("in"), { code: "PEL-REF" });
  t.throws(() => builder.build(), { code: "PEL-VALUE", place: { pointer: "/outputs" } });
  t.throws(() => builder.indexOf(input), { code: "PEL-ARGUMENT" });
  builder.output("out", input.receipt);
  t.throws(() => builder.build(), { code: "PEL-REF", place: { pointer: "/outputs/0/ref" } });
  // What is built is not changed by what is done afterwards.
  const bytes = Uint8Array.of(1);
  const other = new ProgramBuilder();
  other.output("out", other.const(bytes));
  bytes[0] = 2;
  const program = other.build();
  other.output("more", other.input("in"));
  t.strictSame(program.nodes, [{ op: "const", bytes: Uint8Array.of(1), refs: [] }]);
  t.equal(program.outputs.length, 1);
  t.end();
});

t.test("[PEL-ERROR-2] arguments that types would not allow", (t) => {
  const builder = new ProgramBuilder();
  const input = builder.input("in");
  const wrong: readonly unknown[] = [undefined, null, -1, "x", [], {}, ["x"], Symbol.iterator, () => 1];
  const calls: readonly ((value: never) => unknown)[] = [
    (value) => builder.output("out", value),
    (value) => builder.concat(value),
    (value) => builder.concat([value]),
    (value) => builder.slice(value, 0),
    (value) => builder.hash(value),
    (value) => builder.select(value, [input]),
    (value) => builder.select(input, value),
    (value) => builder.split(value, []),
    (value) => builder.guest(value),
    (value) => builder.guest({ module: value }),
    (value) => builder.guest({ module: MODULE, inputs: { a: value } }),
    (value) => builder.indexOf(value),
    (value) => decodeProgram(value),
    (value) => decodeClaim(value),
    (value) => decodeContext(value),
  ];
  for (const call of calls) for (const value of wrong) t.throws(() => call(value as never), PelError, `${call}`);
  for (const value of [null, -1, {}, Symbol.iterator, () => 1] as never[]) {
    t.throws(() => builder.input(value), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.const(value), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.output(value, input), { code: "PEL-ARGUMENT" });
    t.throws(() => parseProgram(value), { code: "PEL-ARGUMENT" });
    for (const option of ["entry", "args", "outputs", "stdout", "stderr", "assets"])
      t.throws(() => builder.guest({ module: MODULE, [option]: value }), { code: "PEL-ARGUMENT" }, option);
    t.throws(() => builder.guest({ module: MODULE, args: [value] }), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.guest({ module: MODULE, outputs: [value] }), { code: "PEL-ARGUMENT" });
  }
  for (const value of [null, -1, [], "x"] as never[]) {
    t.throws(() => builder.guest({ module: MODULE, inputs: value }), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.guest({ module: MODULE, limits: value }), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.input("a", value), { code: "PEL-ARGUMENT" });
    t.throws(() => builder.guest({ module: MODULE, limits: { depth: value } }), { code: "PEL-VALUE" });
    t.throws(() => builder.slice(input, value), { code: "PEL-VALUE" });
    t.throws(() => builder.input("a", { tag: value }), { code: "PEL-VALUE" });
    t.throws(() => builder.guest({ module: MODULE, io: value }), { code: "PEL-VALUE" });
  }
  t.throws(() => builder.guest({ module: MODULE, limits: { gas: 1 } as never }), { code: "PEL-ARGUMENT" });
  t.throws(() => builder.guest({ module: MODULE, args: "abc" as never }), { code: "PEL-ARGUMENT" });
  t.equal(builder.output("out", input).build().nodes.length, 1, "and nothing of them is left");
  t.end();
});
