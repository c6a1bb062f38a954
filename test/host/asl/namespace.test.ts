/** Names of bindings. */
import { createHash } from "node:crypto";
import t from "tap";
import { FIRST_FREE, Namespace, nameOf, nameText, packName } from "../../../host/asl/namespace.ts";

t.test("[ASL-NAMESPACE-1] the numbers that are given out", (t) => {
  t.strictSame(Namespace, { NAME: 1, PACK: 2, MEMO: 3, EDGE: 4, RUN: 5, CONTEXT: 6, MODULE: 7 });
  t.equal(FIRST_FREE, 65_536);
  t.end();
});

t.test("[ASL-NAMESPACE-2] names of people", (t) => {
  const name = nameOf("größe");
  t.equal(Buffer.from(name).toString("hex"), `6772c3b6c39f65${"00".repeat(25)}`);
  for (const text of ["a", "größe", "deadbee", "dead beef", "x".repeat(32), "🙂".repeat(8), "-"])
    t.equal(nameText(nameOf(text)), text);
  const none = [
    "",
    "x".repeat(33),
    "🙂🙂🙂🙂🙂🙂🙂🙂a",
    "a:b",
    "mi2:x",
    "deadbeef",
    "0123456789ABCDEF",
    "\ud800",
    "a\nb",
    "\0",
    "\x7f",
  ];
  for (const text of none) t.throws(() => nameOf(text), { code: "ASL-ARGUMENT" }, JSON.stringify(text));
  const bytes = (hex: string): Uint8Array => Buffer.from(hex.padEnd(64, "0"), "hex");
  for (const hex of ["", "ff", "c3", "613a62", "6100c3b6", "6465616462656566", "0a"])
    t.equal(nameText(bytes(hex)), undefined, hex);
  t.equal(nameText(bytes("ab".repeat(32))), undefined);
  t.end();
});

t.test("[ASL-NAMESPACE-2] what is far too long is not told in full", (t) => {
  for (const make of [nameOf, packName]) {
    t.throws(() => make("mi2:".repeat(100_000)), { code: "ASL-ARGUMENT", message: /^.{100,300}$/ });
  }
  t.end();
});

t.test("[ASL-NAMESPACE-3] packs by their identity", (t) => {
  const half = `bciq${"a".repeat(52)}`;
  const identity = `mi2:${half}:${half}`;
  t.strictSame(Buffer.from(packName(identity)), createHash("sha256").update(identity).digest());
  for (const text of ["", identity.slice(1), `${identity}a`, identity.toUpperCase()])
    t.throws(() => packName(text), { code: "ASL-ARGUMENT" });
  t.end();
});
