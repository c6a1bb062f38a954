import t from "tap";
import { Namespace } from "../../../host/asl/index.ts";
import { edgeId, keepGraph, openGraph, stageEdge } from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { SimulatedVolume } from "../asl/simulated-volume.ts";
import { openSmall } from "../asl/stores.ts";
import { act, EdgeModel, keyOf, TINY } from "./edge-model.ts";
import { askAll, askImage, cutAll, flip, forge, NODES, sampleOf, work } from "./index-faults.ts";

t.test(
  "[TGK-INDEX-6, TGK-INDEX-3, TGK-SEGMENT-6] a byte that is another one is noticed, or makes no difference",
  async (t) => {
    const sample = await sampleOf(1);
    let noticed = 0;
    let flips = 0;
    const wrong: string[] = [];
    const paths = [...sample.files.keys()].filter((path) => /^tgk\/./.test(path));
    t.ok(paths.length >= 3, paths.join());
    for (const path of paths) {
      const { length } = sample.files.get(path)!;
      for (let at = 0; at < length; at += path.endsWith("MANIFEST") ? 11 : 97) {
        const answer = flip(sample, path, at, flips % 3 === 0 ? { readOnly: true } : {});
        wrong.push(...answer.wrong);
        if (answer.isNoticed) noticed++;
        flips++;
      }
    }
    t.same(wrong, []);
    t.ok(noticed > 10, `${noticed} of ${flips} were found while the graph was asked`);
  },
);

t.test(
  "[TGK-SEGMENT-6] numbers that make no sense, with checksums that fit, end in an error or an answer",
  async (t) => {
    const sample = await sampleOf(3);
    const random = new Random(1);
    const path = [...sample.files.keys()].find((name) => name.endsWith(".edg"))!;
    const words = sample.files.get(path)!.length / 2052 / 2;
    const wrong: string[] = [];
    const used: number[] = [];
    const bytes = Buffer.from(sample.files.get(path)!);
    for (let place = 10; place < 1024 * words && 4 * place < bytes.length - 4; place++)
      if (bytes.readUInt32LE(4 * place) !== 0) used.push(place);
    for (let turn = 0; turn < 150; turn++) {
      const place = turn < 6 ? 10 + turn : random.pick(used);
      wrong.push(
        ...forge(sample, path, place, random.pick([0, 1, 2, 7, 100, 0xffff, 0x7fff_ffff, 0xffff_ffff, random.next()])),
      );
    }
    t.same(wrong, []);
  },
);

t.test("[TGK-INDEX-4] crashes while the index is written", async (t) => {
  const { images, wrong } = await cutAll(4, 40, 2);
  t.same(wrong, []);
  t.ok(images > 50, `${images} images`);
});

t.test("[TGK-INDEX-4] an index that cannot be written", async (t) => {
  const calls = new SimulatedVolume();
  calls.isRecording = true;
  await work(calls, 6, 25);
  const numbers = calls.calls.filter(({ path }) => path.startsWith("tgk")).map(({ number }) => number);
  t.ok(numbers.length > 60, `${numbers.length} calls`);
  let failed = 0;
  const wrong: string[] = [];
  for (let k = 0; k < numbers.length; k += 5) {
    const volume = new SimulatedVolume();
    const code = k % 2 === 0 ? "ENOSPC" : "EIO";
    const effect = k % 4 < 2 ? "none" : "done";
    volume.fault = ({ number }) => (number === numbers[k] ? { code, effect } : undefined);
    try {
      await work(volume, 6, 25);
    } catch (error) {
      failed++;
      if (!/^ASL-(WRITE|NO-SPACE|READ)$/.test(String((error as { code?: unknown }).code)))
        wrong.push(String((error as Error).stack));
    }
    volume.fault = undefined;
    wrong.push(...askImage(volume, k));
  }
  t.same(wrong, []);
  t.ok(failed > 6, `${failed} failed`);
});

t.test("[TGK-INDEX-3] an index of a log of the same length is none, if the log says something else", async (t) => {
  const before = new SimulatedVolume();
  await openSmall({ volume: before }).close();
  const volumes = [1, 2].map((target) => {
    const volume = SimulatedVolume.of(before.files());
    const store = openSmall({ volume, seed: 5 });
    const batch = store.batch();
    for (let k = 0; k < 6; k++) stageEdge(batch, { from: [keyOf(0)], to: [keyOf(target)], type: 256 + k, roles: 0 });
    batch.commit();
    openGraph(store, { tuning: TINY }).close();
    store.closeSync();
    return volume;
  });
  const [ours, theirs] = volumes.map((volume) => volume.files()) as [Map<string, Uint8Array>, Map<string, Uint8Array>];
  t.equal(ours.get("log/0000000000000001.log")!.length, theirs.get("log/0000000000000001.log")!.length);
  for (const [path, bytes] of theirs) if (path.startsWith("tgk")) ours.set(path, bytes);
  const store = openSmall({ volume: SimulatedVolume.of(ours) });
  const graph = openGraph(store, { tuning: TINY });
  t.equal([...graph.edgesOf(keyOf(1), "to")].length, 6);
  t.equal([...graph.edgesOf(keyOf(2), "to")].length, 0);
  graph.close();
  await store.close();
});

t.test("[TGK-INDEX-3] an index of another log is none", async (t) => {
  // Two stores that are one up to a point.
  const random = new Random(9);
  const before = new SimulatedVolume();
  let store = openSmall({ volume: before });
  for (let turn = 0; turn < 10; turn++) await act(store, new EdgeModel(), random, NODES);
  await store.close();
  const after = SimulatedVolume.of(before.files());
  store = openSmall({ volume: after });
  for (let turn = 0; turn < 20; turn++) {
    await act(store, new EdgeModel(), random, NODES);
    openGraph(store, { tuning: TINY }).close();
  }
  await store.close();
  // The store as it was, with the index of what came later.
  const mixed = new Map([...before.files()].filter(([path]) => !path.startsWith("tgk")));
  for (const [path, bytes] of after.files()) if (path.startsWith("tgk")) mixed.set(path, bytes);
  t.ok([...mixed.keys()].some((path) => path.endsWith(".edg")));
  const volume = SimulatedVolume.of(mixed);
  t.same(askImage(volume, 1), []);
  store = openSmall({ volume, seed: 77 });
  for (let turn = 0; turn < 30; turn++) await act(store, new EdgeModel(), random, NODES);
  await store.close();
  t.same(askImage(volume, 2), []);
});

t.test("[TGK-INDEX-5] who reads only makes no files, and goes on with those that a writer replaces", async (t) => {
  const sample = await sampleOf(2);
  const volume = SimulatedVolume.of(sample.files);
  const reader = openSmall({ volume, options: { readOnly: true } });
  const { changeCount } = volume;
  const graph = openGraph(reader, { tuning: TINY });
  t.equal(askAll(reader, sample.model, 1).code, undefined);
  t.same(askAll(reader, sample.model, 1).wrong, []);
  keepGraph(reader);
  t.equal(volume.changeCount, changeCount, "nothing is written");
  const writer = openSmall({ volume });
  const random = new Random(2);
  const names = volume.list("tgk");
  for (let turn = 0; turn < 60; turn++) {
    await act(writer, new EdgeModel(), random, NODES);
    openGraph(writer, { tuning: TINY }).close();
  }
  t.notOk(
    names.filter((name) => name.endsWith(".edg")).every((name) => volume.list("tgk").includes(name)),
    "some are replaced",
  );
  t.same(askAll(reader, sample.model, 3).wrong, []);
  graph.close();
  t.same(askAll(reader, sample.model, 4), { ...askAll(reader, sample.model, 4), wrong: [], code: undefined });
  await reader.close();
  await writer.close();
});

t.test("[TGK-INDEX-2] an edge that is bound to something else is none", async (t) => {
  const store = openSmall();
  const edge = { from: [keyOf(0)], to: [keyOf(1)], type: 256, roles: 1 };
  const count = (): number => {
    const graph = openGraph(store, { tuning: TINY });
    const found = [...graph.edgesOf(keyOf(0), "from")].length + [...graph.edgesOf(keyOf(1), "to")].length;
    graph.close();
    return found;
  };
  const stage = (): void => {
    const batch = store.batch();
    stageEdge(batch, edge);
    batch.commit();
  };
  const garbage = await store.put(Buffer.from("no edge"));
  await store.bind(Namespace.EDGE, edgeId(edge), garbage);
  t.equal(count(), 0);
  stage();
  t.equal(count(), 2);
  // Its artifact goes, and then the binding: what it was is still known.
  await store.remove(store.resolve(Namespace.EDGE, edgeId(edge))!);
  t.equal(count(), 2);
  await store.bind(Namespace.EDGE, edgeId(edge), garbage);
  t.equal(count(), 0);
  stage();
  t.equal(count(), 2);
  await store.unbind(Namespace.EDGE, edgeId(edge));
  t.equal(count(), 0);
  stage();
  t.equal(count(), 2);
  await store.close();
});

t.test("[TGK-INDEX-7] segments become fewer, and nothing is made where little is to be kept", async (t) => {
  const volume = new SimulatedVolume();
  const store = openSmall({ volume });
  const batch = store.batch();
  for (let k = 0; k < 300; k++) stageEdge(batch, { from: [keyOf(k % 17)], to: [keyOf(k)], type: 256 + k, roles: 0 });
  openGraph(store).close();
  batch.commit();
  openGraph(store).close();
  keepGraph(store);
  t.notOk(volume.list("").includes("tgk"));
  // All in one frame, more than a segment takes.
  const graph = openGraph(store, { tuning: TINY });
  t.match(graph.stats(), { entries: 300 });
  t.ok(graph.stats().segments <= 6, `${graph.stats().segments} segments`);
  t.equal(graph.position, store.position);
  t.equal([...graph.edgesOf(keyOf(0), "from")].length, 18);
  graph.close();
  t.ok(volume.list("tgk").includes("MANIFEST"));
  await store.close();
});
