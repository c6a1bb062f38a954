/** Every bit of a pack flipped, every truncation, bytes behind the end: a typed refusal or the same data, and no reading by lengths that lie. */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openPack, type PackReader } from "../../../host/assets/index.ts";
import { BASES, productOutcome, secondOutcome } from "./mutations.ts";
import { SIGNER, seal } from "./pack-parts.ts";
import { codeOf } from "./problems.ts";

const RICH = seal(BASES.rich!());
const SIGNED = seal(BASES.rich!(), { signature: SIGNER });
const PAYLOAD = Number(new DataView(RICH.buffer).getBigUint64(24, true));

function flipped(file: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = file.slice();
  copy[at]! ^= 1 << bit;
  return copy;
}

/** The code with which a pack is refused when it is opened; "" when it is not. */
function openedCode(source: Uint8Array | PackReader | string): string {
  return codeOf(() => openPack(source).close());
}

/** Counts by code. */
function tally(codes: Iterable<string>): { [code: string]: number } {
  const counts: { [code: string]: number } = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

t.test(
  "[PACK-ERROR-1, PACK-PRELUDE-3] a flipped bit of the prelude or the header is refused by what looks at it first",
  (t) => {
    const codes: string[] = [];
    for (let at = 0; at < PAYLOAD; at++)
      for (let bit = 0; bit < 8; bit++) codes.push(openedCode(flipped(RICH, at, bit)));
    t.same(tally(codes), {
      "PACK-MAGIC": 64,
      "PACK-VERSION": 32,
      "PACK-PRELUDE": 8 * (128 - 12),
      "PACK-HEADER-DIGEST": 8 * (PAYLOAD - 128),
    });
    t.end();
  },
);

t.test(
  "[PACK-VERIFY-1, PACK-VERIFY-2] a flipped bit of the payload or the signature is found by verify, and by the read of the asset that it is in",
  (t) => {
    const whole = productOutcome([SIGNED]);
    if (whole.refused !== undefined) throw new Error(whole.refused);
    t.equal(whole.verified, "");
    const codes: string[] = [];
    let wrong = 0;
    for (let at = PAYLOAD; at < SIGNED.length; at++) {
      const found = productOutcome([flipped(SIGNED, at, at % 8)]);
      if (found.refused !== undefined) {
        codes.push(found.refused);
        continue;
      }
      codes.push(found.verified || found.signer);
      for (const [index, asset] of found.assets.entries()) {
        const { offset, size, data } = asset;
        const isIn = at >= PAYLOAD + offset && at < PAYLOAD + offset + size;
        if (data !== (isIn ? "PACK-DIGEST" : whole.assets[index]!.data)) wrong++;
      }
    }
    t.equal(wrong, 0, "assets are refused, or as they were");
    // Two assets share a slice.
    const slices = new Map(whole.assets.map(({ offset, size }) => [offset, size]));
    slices.set(0, whole.assets[0]!.size);
    const stored = [...slices.values()].reduce((sum, size) => sum + size, 0);
    const signature = 112;
    const padding = SIGNED.length - PAYLOAD - stored - signature;
    t.ok(padding > 0);
    t.same(tally(codes), { "PACK-DIGEST": stored, "PACK-PADDING": padding, "PACK-SIGNATURE": signature });
    t.end();
  },
);

t.test(
  "[PACK-ERROR-1, PACK-PRELUDE-3] a pack that is cut off anywhere is refused, and so is one with something behind it",
  (t) => {
    const cut = Array.from({ length: SIGNED.length }, (_, length) => openedCode(SIGNED.subarray(0, length)));
    t.same(tally(cut), { "PACK-LENGTH": SIGNED.length });
    for (const more of [1, 16, 112, 4096])
      t.equal(openedCode(Buffer.concat([SIGNED, new Uint8Array(more)])), "PACK-LENGTH", `${more} bytes behind it`);
    const path = join(t.testdir({}), "cut.pa");
    writeFileSync(path, SIGNED);
    t.equal(openedCode(path), "");
    for (const length of [SIGNED.length - 1, PAYLOAD, PAYLOAD - 1, 128, 127, 8, 7, 1, 0]) {
      truncateSync(path, length);
      t.equal(openedCode(path), "PACK-LENGTH", `a file of ${length} bytes`);
    }
    t.end();
  },
);

t.test(
  "[PACK-ERROR-1, PACK-OPEN-1] nothing is read, and no memory taken, by a length that was not held against the file",
  (t) => {
    let largest = 0;
    let beyond = 0;
    const counting = (file: Uint8Array, size = file.length): PackReader => ({
      size,
      read: (position, into) => {
        largest = Math.max(largest, into.length);
        if (position + into.length > size) beyond++;
        const found = file.subarray(position, position + into.length);
        into.set(found);
        return found.length;
      },
    });
    const huge = [0, 1, 2 ** 20, 2 ** 26, 2 ** 26 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    for (const headerLength of huge) {
      const file = seal(BASES.rich!(), { prelude: (view) => view.setUint32(20, headerLength, true) });
      t.match(openedCode(counting(file)), /^PACK-(PRELUDE|HEADER-SIZE)$/, `a header of ${headerLength}`);
      const consistent = seal(BASES.rich!(), {
        prelude: (view) => {
          view.setUint32(20, headerLength, true);
          view.setBigUint64(24, 128n + BigInt(headerLength), true);
          view.setBigUint64(40, 128n + BigInt(headerLength) + view.getBigUint64(32, true), true);
        },
      });
      t.match(
        openedCode(counting(consistent)),
        /^PACK-(LENGTH|HEADER-SIZE)$/,
        `a header of ${headerLength}, and a file of that`,
      );
    }
    for (const length of [2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n])
      for (const field of [24, 32, 40]) {
        const file = seal(BASES.rich!(), { prelude: (view) => view.setBigUint64(field, length, true) });
        t.match(openedCode(counting(file)), /^PACK-PRELUDE$/, `${length} at ${field}`);
      }
    t.equal(largest, 128, "no read but that of the prelude");
    t.equal(beyond, 0, "no read beyond the end");
    // A source that has less than it says.
    t.equal(openedCode(counting(RICH.subarray(0, 100), RICH.length)), "PACK-CHANGED");
    t.equal(openedCode(counting(RICH.subarray(0, PAYLOAD - 1), RICH.length)), "PACK-CHANGED");
    t.same(productOutcome([RICH]), secondOutcome([RICH]), "the pack itself is what the second reader reads");
    t.end();
  },
);
