/** Where a pack's bytes come from, when they are held against digests, and what happens when they change; identity and tree hash. */
import {
  appendFileSync,
  closeSync,
  openSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Asset, openPack, PackError, type PackOptions, type PackReader } from "../../../host/assets/index.ts";
import { BASES } from "./mutations.ts";
import { lines, noise, type Parts, partsOf, seal } from "./pack-parts.ts";
import { readPack, treeHash } from "./second-reader.ts";

const RICH = seal(BASES.rich!());

function payloadOffset(file: Uint8Array): number {
  return Number(new DataView(file.buffer, file.byteOffset).getBigUint64(24, true));
}

/** Everything of an asset, opened once. */
function contentOf(asset: Asset): Uint8Array {
  const open = asset.open();
  const bytes = new Uint8Array(asset.decodedSize);
  open.read(0, bytes);
  open.close();
  return bytes;
}

/** A reader that counts, of bytes that may be changed under it. */
function counting(bytes: Uint8Array) {
  const reads: [position: number, length: number][] = [];
  const reader: PackReader = {
    size: bytes.length,
    read: (position, into) => {
      reads.push([position, into.length]);
      const found = bytes.subarray(position, position + into.length);
      into.set(found);
      return found.length;
    },
  };
  return { reader, reads };
}

t.test(
  "[PACK-SOURCE-1, PACK-OPEN-1] from a file, from bytes, and by a reader: the same; opening reads prelude and header",
  (t) => {
    const path = join(t.testdir({ "a.pa": Buffer.from(RICH) }), "a.pa");
    const { reader, reads } = counting(RICH);
    // Bytes may lie anywhere in a buffer.
    const shifted = new Uint8Array(RICH.length + 3).subarray(3);
    shifted.set(RICH);
    const second = readPack(RICH);
    for (const source of [path, RICH, shifted, reader]) {
      const pack = openPack(source);
      t.equal(pack.identity, second.identity);
      for (const entry of second.table)
        t.same(Buffer.from(contentOf(pack.asset(entry.asset_id)!)), Buffer.from(second.data(entry)), entry.asset_name);
      pack.close();
      pack.close();
    }
    const end = payloadOffset(RICH);
    reads.length = 0;
    openPack(reader);
    t.same(
      reads,
      [
        [0, 128],
        [128, end - 128],
      ],
      "two reads",
    );
    t.end();
  },
);

t.test("[PACK-SOURCE-1] what cannot be read is PACK-READ, with the host's error as its cause", (t) => {
  const folder = t.testdir({ "a.pa": Buffer.from(RICH), folder: {} });
  t.throws(() => openPack(join(folder, "none.pa")), { code: "PACK-READ", cause: { code: "ENOENT" } });
  t.throws(() => openPack(join(folder, "folder")), { code: "PACK-READ" }, "a folder");
  t.throws(() => openPack("/dev/null"), { code: "PACK-READ" }, "a device");
  const cause = new Error("of the embedder");
  const fails = (from: number): PackReader => ({
    size: RICH.length,
    read: (position, into) => {
      if (position >= from) throw cause;
      into.set(RICH.subarray(position, position + into.length));
      return into.length;
    },
  });
  for (const from of [0, 128]) t.throws(() => openPack(fails(from)), { code: "PACK-READ", cause });
  const pack = openPack(fails(payloadOffset(RICH)));
  for (const asset of pack.assets())
    if (asset.size > 0) t.throws(() => contentOf(asset), { code: "PACK-READ", cause }, asset.name);
  t.throws(() => pack.verify(), { code: "PACK-READ" });
  for (const size of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    t.throws(() => openPack({ size, read: () => 0 }), { code: "PACK-READ" }, `a size of ${size}`);
  for (const got of [-1, 0.5, Number.NaN, 2 ** 32])
    t.throws(() => openPack({ size: RICH.length, read: () => got }), { code: "PACK-READ" }, `${got} bytes read`);
  t.throws(() => openPack({ size: RICH.length, read: () => 0 }), { code: "PACK-CHANGED" }, "nothing is read");
  const closed = openPack(RICH);
  closed.close();
  t.throws(() => contentOf(closed.asset(-1)!), { code: "PACK-READ" }, "a pack that is closed");
  t.end();
});

t.test("[PACK-SOURCE-1] whatever a reader throws is told as what cannot be read", (t) => {
  const bytes = seal(partsOf([{ id: 1, bytes: Uint8Array.of(1) }]));
  const fail = (what: string) => () => {
    throw new Error(what);
  };
  const read = (position: number, into: Uint8Array): number => {
    const found = bytes.subarray(position, position + into.length);
    into.set(found);
    return found.length;
  };
  const pack = openPack({ size: bytes.length, read, check: fail("it changed"), close: fail("it stays open") });
  t.throws(() => pack.asset(1)!.open().load(), { code: "PACK-READ", message: /it changed/ });
  pack.close();
  const damaged = { size: 3, read, close: fail("it stays open") };
  t.throws(() => openPack(damaged), { code: "PACK-LENGTH" }, "what is wrong with the pack, not with closing it");
  t.end();
});

t.test("[PACK-VERIFY-1] options that are none are told, and turn nothing off", (t) => {
  for (const options of [{ verify: "allways" }, { decodedBytes: Number.NaN }, { headerBytes: -1 }])
    t.throws(() => openPack(new Uint8Array(0), options as PackOptions), RangeError);
  t.end();
});

t.test("[PACK-SOURCE-1] a file that is replaced stays; one that changes in place is PACK-CHANGED", (t) => {
  const folder = t.testdir({});
  const open = (name: string, options?: PackOptions) => {
    const path = join(folder, name);
    writeFileSync(path, RICH);
    // So that a change in the same tick of the clock shows.
    utimesSync(path, 1_000_000, 1_000_000);
    return { path, pack: openPack(path, options) };
  };
  const replaced = open("replaced.pa");
  writeFileSync(join(folder, "other.pa"), seal(partsOf([])));
  renameSync(join(folder, "other.pa"), replaced.path);
  t.equal(contentOf(replaced.pack.asset(-1)!).length, 48);
  replaced.pack.verify();
  for (const [what, change] of [
    ["longer", (path: string) => appendFileSync(path, "more")],
    ["shorter", (path: string) => truncateSync(path, RICH.length - 1)],
    ["empty", (path: string) => truncateSync(path, 0)],
    ["touched", (path: string) => utimesSync(path, 2_000_000, 2_000_000)],
    [
      "overwritten",
      (path: string) => {
        const fd = openSync(path, "r+");
        writeSync(fd, new Uint8Array(RICH.length - payloadOffset(RICH)), 0, undefined, payloadOffset(RICH));
        closeSync(fd);
      },
    ],
  ] as const) {
    const { path, pack } = open(`${what}.pa`);
    const read = pack.asset(0)!.open();
    read.load();
    change(path);
    for (const id of [-1, 1])
      t.throws(() => contentOf(pack.asset(id)!), { code: "PACK-CHANGED" }, `${what}: asset ${id}`);
    t.throws(() => pack.verify(), { code: /^PACK-(CHANGED|DIGEST)$/ }, `${what}: verify`);
    t.equal(read.read(0, new Uint8Array(10)), 10, `${what}: what was decoded before stays`);
    pack.close();
  }
  // What was looked at once is read as it is; an end that comes early is told.
  const { path, pack } = open("later.pa");
  const raw = pack.asset(2_147_483_647)!.open();
  raw.load();
  truncateSync(path, RICH.length - 3);
  t.throws(() => raw.read(0, new Uint8Array(7)), { code: "PACK-CHANGED" }, "a raw asset that is cut off");
  t.end();
});

t.test("[PACK-VERIFY-1] digests are looked at first, always or never", (t) => {
  const damaged = RICH.slice();
  const at = payloadOffset(RICH);
  // The first slice is that of two raw assets; the second is deflated.
  damaged[at]! ^= 1;
  const parts = BASES.rich!();
  const deflated = parts.header.asset_table.find(({ codec }) => codec === "deflate")!;
  damaged[at + deflated.offset + deflated.size - 1]! ^= 1;
  for (const verify of [undefined, "first", "always"] as const) {
    const pack = openPack(damaged, verify && { verify });
    for (const id of [-2_147_483_648, -1, 0]) {
      const into = new Uint8Array(8);
      const open = pack.asset(id)!.open();
      t.throws(() => open.load(), { code: "PACK-DIGEST", problems: [{ pointer: /^\/asset_table\/\d\/digest$/ }] });
      t.throws(() => open.read(0, into), { code: "PACK-DIGEST" }, `${verify}: asset ${id}`);
      t.throws(() => open.read(40, into), { code: "PACK-DIGEST" }, "and again");
      t.same(into, new Uint8Array(8), "no byte is given");
    }
    t.equal(contentOf(pack.asset(8)!).length, 33, "others can be read");
  }
  const never = openPack(damaged, { verify: "never" });
  t.same(contentOf(never.asset(-1)!), damaged.subarray(at, at + 48), "as it lies there");
  t.throws(() => contentOf(never.asset(0)!), { code: "PACK-DECODE" });
  t.throws(() => never.verify(), { code: "PACK-DIGEST" }, "verify looks whatever the policy is");

  const { reader, reads } = counting(RICH);
  const readsOf = (options: PackOptions, times: number): number => {
    const pack = openPack(reader, options);
    reads.length = 0;
    const open = pack.asset(8)!.open();
    for (let k = 0; k < times; k++) open.read(0, new Uint8Array(33));
    open.close();
    contentOf(pack.asset(8)!);
    return reads.length;
  };
  t.equal(readsOf({ verify: "never" }, 5), 6, "never: what is asked for alone");
  t.equal(readsOf({ verify: "first" }, 5), 7, "first: once more");
  t.equal(readsOf({ verify: "always" }, 5), 8, "always: once more each time that it is opened");
  const changed = RICH.slice();
  const first = openPack(changed);
  const always = openPack(changed, { verify: "always" });
  for (const pack of [first, always]) contentOf(pack.asset(-1)!);
  changed[at]! ^= 1;
  t.same(contentOf(first.asset(-1)!)[0], changed[at], "first: found right once, not looked at again");
  t.throws(() => contentOf(always.asset(-1)!), { code: "PACK-DIGEST" }, "always");
  t.end();
});

t.test(
  "[PACK-VERIFY-1] encoded assets are decoded once for all that have them open, and let go of with the last",
  (t) => {
    const { reader, reads } = counting(RICH);
    const pack = openPack(reader);
    const opens = [0, 0, 0].map((id) => pack.asset(id)!.open());
    reads.length = 0;
    for (const open of opens) t.equal(open.read(0, new Uint8Array(5)), 5);
    t.equal(reads.length, 1, "read once");
    opens[0]!.close();
    opens[0]!.close();
    t.equal(opens[1]!.read(3, new Uint8Array(5)), 5, "others go on");
    for (const open of opens) open.close();
    t.equal(pack.asset(0)!.open().read(0, new Uint8Array(5)), 5);
    t.equal(reads.length, 2, "let go of with the last");
    t.end();
  },
);

t.test("[PACK-SOURCE-1] positions: at the end, beyond it, and what is none", (t) => {
  const { reader, reads } = counting(RICH);
  const pack = openPack(reader);
  for (const id of [8, 0]) {
    const asset = pack.asset(id)!;
    const whole = contentOf(asset);
    const open = asset.open();
    for (const [offset, length] of [
      [0, 0],
      [0, 1],
      [1, 5],
      [whole.length - 1, 10],
      [whole.length, 10],
      [whole.length + 1, 10],
      [2 ** 31, 1],
      [2 ** 53 - 1, 1],
      [0, whole.length + 10],
    ] as const) {
      const into = new Uint8Array(length).fill(0xaa);
      const got = open.read(offset, into);
      t.same(into.subarray(0, got), whole.subarray(offset, offset + length), `${length} at ${offset} of asset ${id}`);
      t.ok(
        into.subarray(got).every((byte) => byte === 0xaa),
        "no more than that",
      );
    }
    reads.length = 0;
    for (const offset of [-1, -(2 ** 31), 0.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      t.throws(() => open.read(offset, new Uint8Array(4)), RangeError, `at ${offset} of asset ${id}`);
      t.throws(() => asset.readStored(offset, new Uint8Array(4)), RangeError, `stored, at ${offset}`);
    }
    t.same(reads, [], "none of these is asked of the source");
  }
  const stored = new Uint8Array(100);
  const deflated = pack.asset(0)!;
  t.equal(deflated.readStored(0, stored), Math.min(100, deflated.size));
  t.equal(deflated.readStored(deflated.size, stored), 0);
  t.end();
});

t.test("[PACK-VERIFY-2] verify reads everything once, and tells all that is wrong", (t) => {
  const { reader, reads } = counting(RICH);
  const pack = openPack(reader);
  reads.length = 0;
  const heard: [number, number][] = [];
  pack.verify((done, total) => heard.push([done, total]));
  const payload = RICH.length - payloadOffset(RICH);
  const encoded = pack.asset(0)!.size + pack.asset(1)!.size;
  const bytes = reads.reduce((sum, [, length]) => sum + length, 0);
  t.ok(bytes >= payload && bytes <= payload + encoded, `${bytes} bytes read of ${payload}`);
  t.same(heard.at(-1), [payload, payload]);
  t.ok(heard.every(([done], k) => k === 0 || done > heard[k - 1]![0]));
  const parts = BASES.rich!();
  const [first, deflated] = [parts.header.asset_table[0]!, parts.header.asset_table[2]!];
  parts.payload[first.offset] = 0;
  parts.payload[first.offset + 1] = 0;
  parts.payload[deflated.offset] = 7;
  const damaged = seal(parts, { prelude: (_, bytes) => bytes.fill(1, 80, 112) });
  try {
    openPack(damaged).verify();
    t.fail("it was found right");
  } catch (error) {
    if (!(error instanceof PackError)) throw error;
    t.same(
      error.problems.map(({ code, pointer, offset }) => pointer ?? offset ?? code),
      ["/asset_table/0/digest", "/asset_table/2/digest", 80],
    );
    t.same(
      error.problems.map(({ code }) => code),
      ["PACK-DIGEST", "PACK-DIGEST", "PACK-ROOT"],
    );
  }
  t.end();
});

t.test("[PACK-TREE-1, PACK-TREE-2, PACK-OPEN-1] the tree hash, at the edges of leaves and rows", (t) => {
  const leaf = 4096;
  const roots = new Map<string, number>();
  for (const length of [
    0,
    1,
    leaf - 1,
    leaf,
    leaf + 1,
    2 * leaf,
    2 * leaf + 1,
    3 * leaf,
    4 * leaf,
    5 * leaf,
    7 * leaf + 1,
    8 * leaf,
    9 * leaf,
    1024 * leaf + 5,
  ]) {
    const parts = partsOf(length === 0 ? [] : [{ id: 1, bytes: noise(length) }]);
    parts.header.data.leaf_size = leaf;
    const file = seal(parts);
    openPack(file).verify();
    roots.set(Buffer.from(file.subarray(80, 112)).toString("hex"), length);
    // Over several pieces that the reader takes at once.
    const wrong = seal(parts, { prelude: (_, bytes) => (bytes[80]! ^= 1) });
    t.throws(() => openPack(wrong).verify(), { code: "PACK-ROOT", problems: [{ offset: 80 }] }, `${length} bytes`);
  }
  t.equal(roots.size, 14, "each length has its own root");
  const zeros = (length: number, leafSize: number): string =>
    Buffer.from(treeHash(new Uint8Array(length), leafSize)).toString("hex");
  t.not(zeros(leaf, leaf), zeros(leaf - 1, leaf), "a root binds the length");
  t.not(zeros(leaf, leaf), zeros(leaf, 2 * leaf), "and the size of leaves");
  // Worked out by hand: SHA-256(02 ‖ 0 ‖ 262144 ‖ SHA-256(00)).
  t.equal(zeros(0, 262_144), Buffer.from(seal(partsOf([])).subarray(80, 112)).toString("hex"));
  t.end();
});

t.test("[PACK-IDENTITY-1] the identity names header and payload, and nothing else", (t) => {
  const folder = t.testdir({});
  const identity = (parts: Parts, over = {}): string => {
    const file = seal(parts, over);
    const path = join(folder, `${Math.random()}.pa`);
    writeFileSync(path, file);
    const { identity } = openPack(path);
    t.equal(identity, readPack(file).identity);
    t.match(identity, /^mi2:b[a-z2-7]{55}:b[a-z2-7]{55}$/);
    return identity;
  };
  const parts = partsOf([{ id: 1, bytes: lines(3) }]);
  const own = identity(parts);
  t.equal(identity(parts), own, "in another file");
  const { length } = Buffer.from(JSON.stringify(parts.header));
  t.equal(
    identity(parts, { padding: new Uint8Array((-(128 + length) & 15) + 64).fill(32) }),
    own,
    "with other padding",
  );
  t.equal(identity(parts, { prelude: (view: DataView) => view.setUint32(16, 1, true) }), own, "with optional flags");
  const [, index, data] = own.split(":");
  const renamed = partsOf([{ id: 1, name: "b", bytes: lines(3) }]);
  t.match(identity(renamed), new RegExp(`^mi2:(?!${index}).*:${data}$`), "another header");
  const more = partsOf([{ id: 1, bytes: lines(4) }]);
  t.notMatch(identity(more), `:${data}`, "another payload");
  const leaves = partsOf([{ id: 1, bytes: lines(3) }]);
  leaves.header.data.leaf_size = 4096;
  t.notMatch(identity(leaves), `:${data}`, "other leaves");
  t.end();
});

t.test("[PACK-CODEC-1] a host brings codecs of its own, or others for those there are", (t) => {
  const xor = (name: string) => ({ name, decode: (stored: Uint8Array) => stored.map((byte) => byte ^ 0xff) });
  const parts = partsOf([{ id: 1, codec: "xor" as "raw", bytes: noise(8) }]);
  t.throws(() => openPack(seal(parts)), { code: "PACK-CODEC" });
  const pack = openPack(seal(parts), { codecs: [xor("xor")] });
  t.same(
    contentOf(pack.asset(1)!),
    noise(8).map((byte) => byte ^ 0xff),
  );
  pack.verify();
  const other = partsOf([{ id: 1, codec: "deflate", bytes: noise(8), stored: noise(8) }]);
  t.same(
    contentOf(openPack(seal(other), { codecs: [xor("deflate")] }).asset(1)!),
    noise(8).map((byte) => byte ^ 0xff),
  );
  for (const [what, decode] of [
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["answers less", () => new Uint8Array(7)],
    ["answers more", () => new Uint8Array(9)],
  ] as const)
    t.throws(
      () => contentOf(openPack(seal(parts), { codecs: [{ name: "xor", decode }] }).asset(1)!),
      { code: "PACK-DECODE" },
      what,
    );
  t.end();
});
