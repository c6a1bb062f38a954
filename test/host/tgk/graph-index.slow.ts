import t from "tap";
import { cutAll, flip, forge, sampleOf } from "./index-faults.ts";

t.test("[TGK-INDEX-6] every byte of an index as another one", async (t) => {
  const sample = await sampleOf(1);
  const wrong: string[] = [];
  let flips = 0;
  for (const [path, { length }] of sample.files)
    if (/^tgk\/./.test(path))
      for (let at = 0; at < length; at++)
        wrong.push(...flip(sample, path, at, flips++ % 2 === 0 ? {} : { readOnly: true }).wrong);
  t.same(wrong.slice(0, 5), []);
  t.ok(flips > 10_000, `${flips} bytes`);
});

t.test("[TGK-SEGMENT-6] every word of a segment as a number that makes no sense", async (t) => {
  const sample = await sampleOf(4);
  const wrong: string[] = [];
  for (const [path, { length }] of sample.files)
    if (path.endsWith(".edg"))
      for (let place = 10; place < (length / 2052) * 512; place++)
        for (const value of [1, 0x7fff_ffff, 0xffff_ffff]) wrong.push(...forge(sample, path, place, value));
  t.same(wrong.slice(0, 5), []);
});

t.test("[TGK-INDEX-4] many crashes while the index is written", async (t) => {
  let all = 0;
  for (let seed = 10; seed < 40; seed++) {
    const { images, wrong } = await cutAll(seed, 60, 6);
    t.same(wrong.slice(0, 5), [], `seed ${seed}`);
    all += images;
  }
  t.ok(all > 5000, `${all} images`);
});
