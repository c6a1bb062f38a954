import fc from "fast-check";
import t from "tap";
import { FILTER_WORDS, FilterMode, FuseBuilder, isFilterTable, mayHold } from "../../../host/asl/fuse-filter.ts";
import { Random } from "../../vm/random.ts";

type Key = readonly [hi: number, lo: number];

interface Filter {
  readonly table: Uint32Array;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly calls: number;
}

/** The filter of keys, in any order and with repetitions, made in slices. */
function filterOf(keys: readonly Key[], shardBits: number, slice: number, builder = new FuseBuilder()): Filter {
  builder.clear(shardBits);
  for (const [hi, lo] of keys.toSorted(([a, b], [c, d]) => a - c || b - d)) builder.add(hi, lo);
  builder.begin();
  let calls = 0;
  while (!builder.step(slice)) calls++;
  const { bytes, places, how, seed } = builder.result;
  return { table: Uint32Array.of(0, places, how, seed), bytes, mode: how & 255, calls };
}

function has({ table, bytes }: Filter, shardBits: number, [hi, lo]: Key): boolean {
  return mayHold(table, 0, bytes, shardBits, hi, lo);
}

const word = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0, max: 3 }),
  fc.constant(2 ** 32 - 1),
);

t.test("[ASL-SEGMENT-9] a filter knows every key that it was made of, however they crowd", async (t) => {
  const builder = new FuseBuilder();
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 300 }), fc.integer({ min: 1, max: 500 }), (keys, slice) => {
      const filter = filterOf(keys, 0, slice, builder);
      return (
        isFilterTable(filter.table, filter.bytes.length) &&
        keys.every((key) => has(filter, 0, key)) &&
        (filter.mode === FilterMode.EMPTY) === (keys.length === 0)
      );
    }),
    { numRuns: 300, seed: 7 },
  );
  t.notOk(has(filterOf([], 0, 1, builder), 0, [1, 2]));
});

t.test("[ASL-SEGMENT-9] of absent keys about one in 256 passes, for some nine bits a key", async (t) => {
  const random = new Random(3);
  for (const shardBits of [0, 5]) {
    for (const count of [1000, 20_000, 120_000]) {
      const keys = Array.from({ length: count }, (): Key => [random.next() >>> shardBits, random.next()]);
      const filter = filterOf(keys, shardBits, 5000);
      t.ok(keys.every((key) => has(filter, shardBits, key)));
      t.equal(filter.mode, count < 4096 ? FilterMode.SPREAD : FilterMode.ORDERED);
      const bytes = filter.bytes.length / count;
      t.ok(bytes < (count === 1000 ? 1.5 : count === 20_000 ? 1.27 : 1.22), `${bytes} bytes a key`);
      let passed = 0;
      for (let k = 0; k < 50_000; k++)
        if (has(filter, shardBits, [random.next() >>> shardBits, random.next()])) passed++;
      t.ok(passed > 50_000 * 0.002 && passed < 50_000 * 0.006, `${passed} of 50000`);
      t.ok(filter.calls >= Math.floor((4 * count) / 5000), `${filter.calls} slices`);
    }
  }
});

t.test("[ASL-SEGMENT-9] keys that share their first words get a filter all the same", async (t) => {
  const random = new Random(4);
  for (const keys of [
    Array.from({ length: 10_000 }, (): Key => [0x1234_5678, random.next()]),
    Array.from({ length: 10_000 }, (): Key => [random.next(), 5]),
    Array.from({ length: 10_000 }, (_, k): Key => [k >>> 8, k]),
    Array.from({ length: 10_000 }, (): Key => [2 ** 32 - 1, random.next()]),
  ]) {
    const filter = filterOf(keys, 0, 100_000);
    t.ok(keys.every((key) => has(filter, 0, key)));
    t.ok(filter.mode === FilterMode.SPREAD || filter.mode === FilterMode.ORDERED);
    let passed = 0;
    for (let k = 0; k < 20_000; k++) if (has(filter, 0, [random.next(), random.next()])) passed++;
    t.ok(passed < 20_000 * 0.01, `${passed} of 20000`);
  }
});

t.test("[ASL-SEGMENT-9] a table whose filters do not fill their bytes is refused", async (t) => {
  const { table, bytes } = filterOf(
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    0,
    100,
  );
  t.ok(isFilterTable(table, bytes.length));
  const changes: readonly (readonly [number, number])[] = [
    [0, 1],
    [1, table[1]! + 2 ** (table[2]! >>> 8)],
    [1, table[1]! + 1],
    [1, 0],
    [2, table[2]! + 256],
    [2, 4],
    [2, FilterMode.ORDERED + 256 * 17],
  ];
  for (const [at, value] of changes) {
    const changed = table.slice();
    changed[at] = value;
    t.notOk(isFilterTable(changed, bytes.length), `${at}: ${value}`);
  }
  t.notOk(isFilterTable(table, bytes.length + 1));
  t.ok(isFilterTable(new Uint32Array(FILTER_WORDS), 0));
});
