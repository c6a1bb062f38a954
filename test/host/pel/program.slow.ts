/** Damaged programs and receipts, many more than in the bounded tests. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { canonicalProgram } from "../../../host/pel/canonical.ts";
import { encodeProgram } from "../../../host/pel/program.ts";
import { judge } from "./decoders.ts";
import { draft } from "./programs.ts";

t.setTimeout(3_600_000);

t.test("[PEL-ENC-4, PEL-ERROR-1] every value of every byte", (t) => {
  const bytes = readFileSync(new URL("../../fixtures/pel/every-op.pel", import.meta.url));
  const codes = new Map<string, number>();
  for (let at = 0; at < bytes.length; at++)
    for (let value = 0; value < 256; value++) {
      const code = judge(bytes.with(at, value));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  t.ok(codes.get("ok")! > 10_000);
  t.ok(codes.size > 10, JSON.stringify([...codes]));
  t.end();
});

t.test("[PEL-ENC-4, PEL-ERROR-1] bytes that are changed, moved, repeated and left out", (t) => {
  const change = fc.record({
    kind: fc.constantFrom("set", "remove", "insert", "repeat"),
    at: fc.nat(),
    length: fc.nat(20),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x01, 0x80, 0x81, 0x82, 0x83, 0xf6)),
  });
  let taken = 0;
  const property = fc.property(draft, fc.array(change, { minLength: 1, maxLength: 4 }), (given, changes) => {
    let bytes: number[] = [...encodeProgram(canonicalProgram(given.nodes, given.outputs).program)];
    for (const { kind, at, length, value } of changes) {
      const place = at % (bytes.length + 1);
      if (kind === "set") bytes[place] = value;
      else if (kind === "remove") bytes.splice(place, length);
      else if (kind === "insert") bytes.splice(place, 0, value);
      else bytes = bytes.toSpliced(place, 0, ...bytes.slice(place, place + length));
    }
    if (judge(Uint8Array.from(bytes)) === "ok") taken++;
  });
  fc.assert(property, { numRuns: 200_000 });
  t.ok(taken > 1000, `${taken} other programs`);
  t.end();
});
