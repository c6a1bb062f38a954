import t, { type Test } from "tap";
import { type ArtifactIndex, Located } from "../../../host/asl/artifact-index.ts";
import { Row, RowKind } from "../../../host/asl/index-rows.ts";
import { Random } from "../../vm/random.ts";
import { anyRow, craftedDigest, isBinding, Model, memory, Published, textOf } from "./index-rows.ts";

let hints = 0;

/** A hint is the place of the newest row, or that of none of the key's. */
function compareLocated(
  index: ArtifactIndex,
  model: Model,
  algorithm: number,
  digest: Uint8Array,
  asOf: number,
  wanted: readonly Row[],
  wrong: string[],
): void {
  const row = new Row();
  row.digest.set(digest);
  const how = index.locate(row, algorithm, digest, 0, asOf);
  const newest = wanted[0];
  if (
    how === Located.NONE
      ? newest !== undefined
      : how === Located.ROW && (newest === undefined || textOf(row) !== textOf(newest))
  )
    wrong.push(`located: ${how}`);
  if (how !== Located.HINT) return;
  hints++;
  const isAt = ({ block, offset }: Row): boolean => block === row.block && offset === row.offset;
  if (!model.rows.some(isAt)) wrong.push("located: nothing is there");
  if (newest === undefined || (newest.kind === RowKind.PUT && isAt(newest) && newest.length <= row.length)) return;
  if (wanted.some(isAt)) wrong.push("located: an older row");
}

/** Compares every kind of answer with the model's. */
function compare(t: Test, index: ArtifactIndex, model: Model, random: Random, digests: readonly Uint8Array[]): void {
  const last = model.rows.at(-1)?.position ?? 0;
  const row = new Row();
  const wrong: string[] = [];
  const expect = (what: string, got: string, wanted: string): void => {
    if (got !== wanted) wrong.push(`${what}: ${got} instead of ${wanted}`);
  };
  for (let k = 0; k < 30; k++) {
    const digest = random.below(8) === 0 ? craftedDigest(random) : digests[random.below(digests.length)]!;
    const asOf = random.below(3) === 0 ? Number.POSITIVE_INFINITY : random.below(last + 2);
    for (const binding of [false, true]) {
      const algorithm = binding ? 0 : 1 + random.below(2);
      const wanted = model.rowsOf(binding, algorithm, digest, asOf);
      row.digest.set(digest);
      const found = index.find(row, binding, algorithm, digest, 0, asOf);
      expect("find", found ? textOf(row) : "", wanted[0] === undefined ? "" : textOf(wanted[0]));
      if (!binding) compareLocated(index, model, algorithm, digest, asOf, wanted, wrong);
      const got = index.rowsOf(binding, algorithm, digest, 0, asOf);
      expect("rowsOf", got.map(textOf).join("\n"), wanted.map(textOf).join("\n"));
    }
    const algorithm = 1 + random.below(2);
    const flags = random.below(4);
    const tag = (flags & 1) === 0 ? 0 : random.below(3) * 0x7fff_ffff;
    const [how, wanted] = model.findRecord(algorithm, digest, flags, tag, asOf);
    row.digest.set(digest);
    const got = index.findRecord(row, algorithm, digest, 0, flags, tag, asOf);
    expect(
      "findRecord",
      `${got} ${got === 0 ? "" : textOf(row)}`,
      `${how} ${wanted === undefined ? "" : textOf(wanted)}`,
    );
  }
  t.same(wrong, []);
}

function scanned(rows: Iterable<Row>): string {
  const out: string[] = [];
  for (const row of rows) out.push(textOf(row));
  return out.join("\n");
}

for (const { seed, groups, groupRows, digestCount, openRows, fanIn, mostSegments } of [
  { seed: 1, groups: 60, groupRows: 12, digestCount: 50, openRows: 30, fanIn: 2, mostSegments: 3 },
  { seed: 2, groups: 60, groupRows: 40, digestCount: 2000, openRows: 100, fanIn: 4, mostSegments: 8 },
  { seed: 3, groups: 40, groupRows: 200, digestCount: 400, openRows: 700, fanIn: 3, mostSegments: 4 },
  { seed: 4, groups: 40, groupRows: 200, digestCount: 3, openRows: 900, fanIn: 2, mostSegments: 2 },
]) {
  t.test(
    `[ASL-INDEX-3, ASL-INDEX-4, ASL-INDEX-5, ASL-INDEX-8, ASL-INDEX-9, ASL-INDEX-13] every answer is that of a plain list, at any position, while segments are written, merged and opened again (seed ${seed})`,
    async (t) => {
      const random = new Random(seed);
      const digests = Array.from({ length: digestCount }, () => craftedDigest(random));
      const published = new Published(memory(), { openRows, fanIn, mostSegments });
      const model = new Model();
      let index = published.open();
      let position = 1;
      let scans: { readonly rows: Iterator<Row>; readonly wanted: Row[]; at: number }[] = [];
      let most = 0;
      for (let group = 0; group < groups; group++) {
        for (let k = random.below(groupRows) + 1; k > 0; k--) {
          position += 1 + random.below(3);
          const row = anyRow(random, digests, position);
          model.rows.push(row);
          index.add(row);
        }
        if (index.isFull || random.below(20) === 0) index.freeze(position);
        index.work(random.below(2) === 0 ? random.below(20) : random.below(4 * groupRows));
        most = Math.max(most, index.segmentCount);
        if (random.below(4) === 0) compare(t, index, model, random, digests);
        if (random.below(6) === 0) {
          const asOf = random.below(position + 2);
          const from = random.below(2) === 0 ? undefined : craftedDigest(random);
          scans.push({ rows: index.scan(asOf, from), wanted: model.scan(asOf, from), at: 0 });
        }
        // Scans go on a little, whatever has happened since they began.
        for (const scan of scans) {
          for (let k = random.below(100); k > 0 && scan.at <= scan.wanted.length; k--, scan.at++) {
            const { done, value } = scan.rows.next();
            const wanted = scan.wanted[scan.at];
            if ((done === true ? "" : textOf(value)) !== (wanted === undefined ? "" : textOf(wanted)))
              t.fail(`row ${scan.at} of a scan`);
          }
        }
        if (random.below(12) === 0) {
          const open = scans.filter(({ at, wanted }) => at <= wanted.length);
          scans = [];
          index.close();
          for (const scan of open) t.throws(() => scan.rows.next(), { code: "ASL-CLOSED" });
          index = published.open({ budgetBytes: random.below(2) * 2 ** 20 });
          for (const row of model.rows) if (row.position > published.through) index.add(row);
        }
      }
      compare(t, index, model, random, digests);
      t.equal(scanned(index.scan(position)), model.scan(position).map(textOf).join("\n"));
      while (index.debt > 0) index.work(1000);
      t.ok(index.segmentCount <= mostSegments);
      t.ok(most > 1 && published.count > 2, `${most} segments, ${published.count} lists of them`);
      const seen: string[] = [];
      t.same(
        index.check(position, (row) => seen.push(textOf(row))),
        [],
      );
      t.same(seen.sort(), model.rows.map(textOf).sort());
      t.equal(index.stats().rows, model.rows.length);
      t.ok(model.rows.some(isBinding));
      t.ok(digestCount < 100 || hints > 10, `${hints} hints`);
      index.close();
    },
  );
}
