/** The pack that the specification shows byte by byte. */
import { readFileSync } from "node:fs";
import t from "tap";
import { encodePack, openPack } from "../../../host/assets/index.ts";
import { compare } from "./mutations.ts";
import { partsOf, seal } from "./pack-parts.ts";
import { readPack } from "./second-reader.ts";

const SPEC = readFileSync(new URL("../../../specs/15-asset-management.md", import.meta.url), "utf8");
const EXAMPLE = /<!-- worked example -->([\s\S]*?)<!-- end -->/.exec(SPEC)![1]!;

/** The bytes of the dump, and its lines. */
function dump(): { bytes: Uint8Array; named: Map<string, number> } {
  const bytes: number[] = [];
  const named = new Map<string, number>();
  const [, lines] = /```\n(0000[\s\S]*?)```/.exec(EXAMPLE)!;
  for (const line of lines!.trimEnd().split("\n")) {
    const [, offset, hex, name] = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?)+?) *(?: {2}(\S.*))?$/.exec(line)!;
    if (Number.parseInt(offset!, 16) !== bytes.length) throw new Error(`the line ${line} is at ${bytes.length}`);
    if (name !== undefined) named.set(name, bytes.length);
    bytes.push(
      ...hex!
        .trim()
        .split(" ")
        .map((byte) => Number.parseInt(byte, 16)),
    );
  }
  return { bytes: Uint8Array.from(bytes), named };
}

t.test("[PACK-PRELUDE-1, PACK-HEADER-2, PACK-IDENTITY-1] the worked example is a pack, and this pack", async (t) => {
  const { bytes, named } = dump();
  t.same(compare([bytes]), { code: "" }, "both readers take it");
  const second = readPack(bytes);
  second.verify();
  const pack = openPack(bytes);
  pack.verify();
  t.ok(EXAMPLE.includes(`The identity is \`${pack.identity}\``), "its identity");
  const json = /```json\n(.*)\n```/.exec(EXAMPLE)![1]!;
  t.equal(Buffer.from(pack.headerJson).toString(), json, "its header");
  const spaces = Number(/and (\d+) spaces/.exec(EXAMPLE)![1]);
  t.equal(pack.prelude.headerLength, Buffer.byteLength(json) + spaces);
  t.same(
    second.table.map((entry) => [entry.asset_id, entry.asset_name, Buffer.from(second.data(entry)).toString()]),
    [
      [5, "hello.txt", "hello\n"],
      [6, "zeros", "\0\0\0\0"],
    ],
  );
  t.same(pack.preload, [{ assetId: 5, slot: 0 }]);
  t.same(Object.fromEntries(named), {
    magic: 0,
    version: 8,
    "required flags": 12,
    "optional flags": 16,
    "length of the header": 20,
    "offset of the payload": 24,
    "length of the payload": 32,
    "length of the file": 40,
    "digest of the header": 48,
    "root of the payload": 80,
    "length of the signature": 112,
    zeros: 116,
    "CRC-32": 124,
    header: 128,
    "slice of asset 5": 720,
    padding: 726,
    "slice of asset 6": 728,
  });

  const samples = [
    { id: 5, name: "hello.txt", bank: "text", bytes: Buffer.from("hello\n") },
    { id: 6, name: "zeros", bytes: new Uint8Array(4) },
  ];
  const parts = partsOf(samples, { alignment: 4, preload: [[5, 0]] });
  t.same(Buffer.from(seal(parts)), Buffer.from(bytes), "what a second writer makes of what the text says");
  const written = await encodePack({
    alignment: 4,
    assets: samples.map(({ id, name, bank = "data", bytes }) => ({
      id,
      name,
      bankType: bank,
      codec: "raw",
      decodedSize: bytes.length,
      stored: bytes,
    })),
    preload: [{ assetId: 5, slot: 0 }],
  });
  t.same(Buffer.from(written), Buffer.from(bytes), "and the writer");
  t.end();
});
