import { crc32 } from "node:zlib";
import t from "tap";
import {
  endRecord,
  isLeafTable,
  isRecordOf,
  LEAF_BYTES,
  leafTableBytes,
  RECORD_BYTES,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
  recordSize,
  writeRecordHeader,
} from "../../../host/asl/record.ts";
import { pattern, recordOf, SEED } from "./block-stores.ts";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

t.test("[ASL-BLOCK-3] a header says what it was told, and its bytes are where the layout says", (t) => {
  const bytes = Buffer.alloc(200, 0xff);
  for (let k = 0; k < 32; k++) bytes[64 + 40 + k] = k;
  const flags = RecordFlag.HAS_TAG | RecordFlag.PUBLISHED;
  const length = 2 ** 40 + 5;
  writeRecordHeader(bytes, viewOf(bytes), 64, flags, 3, 0xdead_beef, length, 2 ** 53 - 1, 2 ** 33, SEED);
  const header = bytes.subarray(64, 64 + RECORD_BYTES);
  t.equal(header.toString("latin1", 0, 4), "AREC");
  t.equal(header.readUInt32LE(4), crc32(header.subarray(8), SEED));
  t.equal(header[8], flags | RecordFlag.LEAVES);
  t.equal(header[9], 3);
  t.equal(header.readUInt16LE(10), 0);
  t.equal(header.readUInt32LE(12), 0xdead_beef);
  t.equal(header.readBigUInt64LE(16), BigInt(length));
  t.equal(header.readBigUInt64LE(24), 2n ** 53n - 1n);
  t.equal(header.readBigUInt64LE(32), 2n ** 33n);
  t.ok(bytes.subarray(0, 64).every((byte) => byte === 0xff) && bytes.subarray(136).every((byte) => byte === 0xff));

  const read = new RecordHeader();
  t.ok(readRecordHeader(bytes, viewOf(bytes), 64, SEED, read));
  t.match(read, {
    flags: flags | RecordFlag.LEAVES,
    algorithm: 3,
    tag: 0xdead_beef,
    length,
    position: 2 ** 53 - 1,
    logseq: 2 ** 33,
  });
  t.ok(isRecordOf(bytes, 64, header.subarray(40, 72), 0));
  t.notOk(isRecordOf(bytes, 64, header.subarray(39, 71), 0));
  t.end();
});

t.test("[ASL-BLOCK-4] no header with a changed bit, of another seed, or cut off is one", (t) => {
  const record = recordOf(pattern(100));
  const read = new RecordHeader();
  t.ok(readRecordHeader(record, viewOf(record), 0, SEED, read));
  t.notOk(readRecordHeader(record, viewOf(record), 0, SEED + 1, read));
  t.notOk(readRecordHeader(record, viewOf(record), 8, SEED, read));
  for (let length = 0; length < RECORD_BYTES; length++) {
    const cut = record.subarray(0, length);
    t.notOk(readRecordHeader(cut, viewOf(cut), 0, SEED, read), `${length} bytes`);
  }
  let accepted = 0;
  for (let bit = 0; bit < RECORD_BYTES * 8; bit++) {
    const changed = Buffer.from(record);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    if (readRecordHeader(changed, viewOf(changed), 0, SEED, read)) accepted++;
  }
  t.equal(accepted, 0);
  t.end();
});

t.test("[ASL-BLOCK-3] what no store of this version writes is no header, though its checksum is right", (t) => {
  const change = (act: (record: Buffer) => void): boolean => {
    const record = recordOf(pattern(100));
    act(record);
    record.writeUInt32LE(crc32(record.subarray(8, RECORD_BYTES), SEED), 4);
    return readRecordHeader(record, viewOf(record), 0, SEED, new RecordHeader());
  };
  t.ok(change(() => undefined));
  t.notOk(
    change((record) => record.writeUInt8(64, 8)),
    "a flag",
  );
  t.notOk(
    change((record) => record.writeUInt8(128, 8)),
    "another flag",
  );
  t.notOk(
    change((record) => record.writeUInt8(0, 9)),
    "no algorithm",
  );
  t.notOk(
    change((record) => record.writeUInt8(5, 9)),
    "a later algorithm",
  );
  t.notOk(
    change((record) => record.writeUInt16LE(1, 10)),
    "what is zero",
  );
  t.notOk(
    change((record) => record.writeUInt8(RecordFlag.LEAVES, 8)),
    "leaves of a short payload",
  );
  t.notOk(
    change((record) => record.writeBigUInt64LE(2n ** 20n, 16)),
    "no leaves of a long one",
  );
  for (const at of [16, 24, 32])
    t.notOk(
      change((record) => record.writeBigUInt64LE(2n ** 53n, at)),
      `2^53 at ${at}`,
    );
  t.ok(change((record) => record.writeBigUInt64LE(2n ** 53n - 1n, 24)));
  t.end();
});

t.test("[ASL-BLOCK-5] payloads longer than a leaf are followed by a checksum of each leaf, and one of these", (t) => {
  for (const [length, leaves] of [
    [0, 0],
    [1, 0],
    [65_535, 0],
    [65_536, 0],
    [65_537, 2],
    [131_072, 2],
    [131_073, 3],
  ] as const) {
    const payload = pattern(length);
    const table = leaves === 0 ? 0 : 4 * leaves + 4;
    t.equal(leafTableBytes(length), table, `table of ${length}`);
    const size = recordSize(length);
    t.ok(size % 8 === 0 && size >= RECORD_BYTES + length + table && size < RECORD_BYTES + length + table + 8);
    const record = recordOf(payload);
    t.equal(record.length, size);
    t.strictSame(Uint8Array.from(record.subarray(RECORD_BYTES, RECORD_BYTES + length)), payload);
    let at = RECORD_BYTES + length;
    for (let k = 0; k < leaves; k++, at += 4)
      t.equal(record.readUInt32LE(at), crc32(payload.subarray(k * LEAF_BYTES, (k + 1) * LEAF_BYTES)));
    if (leaves > 0) {
      t.equal(record.readUInt32LE(at), crc32(record.subarray(RECORD_BYTES + length, at), SEED));
      t.ok(isLeafTable(record, viewOf(record), RECORD_BYTES + length, at + 4, SEED));
      t.notOk(isLeafTable(record, viewOf(record), RECORD_BYTES + length, at + 4, SEED + 1));
      at += 4;
    }
    t.ok(record.subarray(at).every((byte) => byte === 0));
  }
  t.equal(recordSize(2 ** 45) % 8, 0, "lengths that no 32 bits hold");
  t.end();
});

t.test("endRecord writes nothing outside of the record", (t) => {
  const length = LEAF_BYTES + 3;
  const bytes = Buffer.alloc(recordSize(length) + 16, 0xee);
  endRecord(bytes, viewOf(bytes), 8, length, SEED);
  t.ok(bytes.subarray(0, 8 + RECORD_BYTES + length).every((byte) => byte === 0xee));
  t.ok(bytes.subarray(8 + recordSize(length)).every((byte) => byte === 0xee));
  t.end();
});
