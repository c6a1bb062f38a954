/** Stores of guests in the host: when what a guest sealed is kept, stores as grants, and a real store beside the one in memory. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { AslError } from "../../host/asl/errors.ts";
import { MemoryVolume } from "../../host/asl/memory-volume.ts";
import { artifactsOf } from "../../host/asl/staged.ts";
import { Store, type StoreParts } from "../../host/asl/store.ts";
import type { ArtifactStore, ArtifactWriter } from "../../host/asl/syscalls.ts";
import { type GuestOptions, type GuestResult, runGuest } from "../../host/guest.ts";
import { openGrants } from "../../host/open-grants.ts";
import { loadWat } from "../../host/wat.ts";
import { Status } from "../../syscalls/status.ts";
import { Module } from "../../vm/index.ts";
import { ARTIFACT_GUEST } from "../syscalls/artifact-guest.ts";
import { keyOf, MemoryArtifacts, textOf } from "../syscalls/artifacts.ts";
import { onEngines, thrown } from "../syscalls/guest.ts";
import { bytesOf } from "../syscalls/packs.ts";
import { Random } from "../vm/random.ts";

const scratch = mkdtempSync(join(tmpdir(), "ashlar-artifacts-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const GUEST = Module.decode(await loadWat(ARTIFACT_GUEST));
const TEXT = Buffer.from("what the guest makes");

function run(name: string, input: Uint8Array, options: Partial<GuestOptions>): GuestResult {
  return runGuest({ module: GUEST, invoke: { name }, stdin: input, ...options });
}

onEngines("[ASL-SYS-COMMIT-1, ASL-SYS-COMMIT-2, ASL-SYS-VIEW-1] what is kept of which runs", (t, engine) => {
  const hex = Buffer.from(keyOf(TEXT)).toString("hex");
  const ended = (name: string, options: Partial<GuestOptions> = {}): [MemoryArtifacts, GuestResult] => {
    const store = new MemoryArtifacts();
    const result = run(name, TEXT, { engine, store, ...options });
    return [store, result];
  };
  for (const [name, exitCode] of [
    ["make", 0],
    ["make_and_exit", 5],
  ] as const) {
    const [store, result] = ended(name);
    t.match(result, { outcome: "exit", exitCode, stdout: Buffer.from(hex) }, name);
    t.equal(store.end, "committed");
    t.ok(store.has(TEXT));
    t.equal(store.open, 0);
  }
  const stop = new AbortController();
  const lost: [string, string, Partial<GuestOptions>][] = [
    ["make_and_trap", "trap", {}],
    ["make_and_spin", "out-of-fuel", { fuel: 2_000_000n }],
    ["make_and_sleep", "stopped", { signal: stop.signal, log: () => stop.abort() }],
    [
      "make",
      "error",
      {
        syscalls: [
          (): never => {
            throw new Error("on purpose");
          },
        ],
      },
    ],
  ];
  for (const [name, outcome, options] of lost) {
    const store = new MemoryArtifacts();
    const attempt = (): string => run(name, TEXT, { engine, store, ...options }).outcome;
    t.equal(outcome === "error" ? thrown(attempt) instanceof Error && "error" : attempt(), outcome);
    t.same([store.end, store.has(TEXT), store.open], ["discarded", false, 0], outcome);
  }
  const [open, result] = ended("leave_open");
  t.match(result, { outcome: "exit", exitCode: 0 });
  t.same([open.end, open.open], ["committed", 0], "what was not sealed is given up");

  const { snapshot } = ((): GuestResult => {
    const store = new MemoryArtifacts();
    const ready = runGuest({ module: GUEST, engine, store, stdin: TEXT, preinit: ["make"] });
    t.match(ready, { outcome: "exit", exitCode: 0 });
    t.same([store.end, store.has(TEXT)], ["discarded", false], "made ready for an image");
    return ready;
  })();
  const later = new MemoryArtifacts();
  t.match(run("count", TEXT, { engine, store: later, snapshot: snapshot! }), { results: [0] });
  t.end();
});

onEngines("[ASL-SYS-COMMIT-1] a commit that fails is an error of the run", (t, engine) => {
  const failing = (): MemoryArtifacts =>
    new MemoryArtifacts({ faults: { commit: new AslError("ASL-NO-SPACE", "on purpose") } });
  const store = failing();
  t.match(run("make_and_exit", TEXT, { engine, store }), {
    outcome: "error",
    exitCode: 1,
    error: { code: "ASL-NO-SPACE" },
  });
  t.same([store.end, store.has(TEXT)], ["discarded", false]);
  t.match(run("make_and_trap", TEXT, { engine, store: failing() }), { outcome: "trap" }, "nothing is committed");
  // What is copied back may tell of artifacts: it comes later.
  const host = mkdtempSync(join(scratch, "tmp-"));
  const grants = { tmp: [{ guest: "/t", host }] };
  run("make_with_file", TEXT, { engine, store: failing(), grants });
  t.same(readdirSync(host), []);
  t.match(run("make_with_file", TEXT, { engine, store: new MemoryArtifacts(), grants }), { exitCode: 0 });
  t.same(readdirSync(host), ["f"]);
  t.end();
});

onEngines(
  "[ASL-SYS-GRANT-1, ASL-SYS-GRANT-2, ASL-SYS-COMMIT-1, SEC-GUEST-1, SEC-GUEST-2] a folder as a grant",
  async (t, engine) => {
    const host = mkdtempSync(join(scratch, "store-"));
    const grants = { store: { host } };
    const readOnly = { store: { host, readOnly: true } };
    t.match(
      thrown(() => run("count", TEXT, { engine, grants })),
      { code: "ASL-NO-STORE" },
    );
    t.match(
      thrown(() => run("count", TEXT, { grants: { store: { host: join(scratch, "none") } } })),
      {
        code: "ASL-NO-STORE",
      },
    );
    t.same(readdirSync(host), [], "nothing is made");
    await (await Store.open(host, { create: true })).close();

    const made = run("make", TEXT, { engine, grants });
    t.match(made, { outcome: "exit", exitCode: 0 });
    t.match(run("get", Buffer.from(textOf(keyOf(TEXT))), { engine, grants: readOnly }), { exitCode: 0, stdout: TEXT });
    t.match(run("make_and_trap", bytesOf(9), { engine, grants }), { outcome: "trap" });
    t.match(run("make", bytesOf(9), { engine, grants: readOnly }), {
      exitCode: Status.READ_ONLY,
      stdout: Buffer.alloc(0),
    });
    t.match(run("count", TEXT, { engine, grants: readOnly }), { results: [1] });
    const large = bytesOf(2_500_000, 3);
    t.match(run("make", large, { engine, grants }), { exitCode: 0 });
    const { stdout } = run("get", keyOf(large), { engine, grants });
    t.ok(Buffer.from(stdout).equals(large), "more than is kept in memory");
    t.match(run("make", large, { engine, grants: { ...grants, quota: { storeBytes: 2_499_999 } } }), {
      exitCode: Status.QUOTA,
    });
    t.match(run("make", TEXT, { engine, grants: { ...grants, quota: { storeArtifacts: 0 } } }), {
      exitCode: Status.QUOTA,
    });
    t.match(run("make", TEXT, { engine, grants: { ...grants, quota: { storeWriters: 0 } } }), {
      exitCode: Status.QUOTA,
    });

    const store = await Store.open(host);
    t.same([...store.list()].length, 2);
    t.same(
      store.stat(keyOf(TEXT))!.records.map(({ typeTag, visibility }) => [typeTag, visibility]),
      [[7, "internal"]],
    );
    // While another writes.
    t.match(
      thrown(() => run("count", TEXT, { engine, grants: { store: { host, wait: 0.02 } } })),
      { code: "ASL-LOCKED" },
    );
    t.match(run("count", TEXT, { engine, grants: readOnly }), { results: [2] });
    t.match(run("count", TEXT, { engine, store: artifactsOf(store) }), { results: [2] });
    t.match(run("make", bytesOf(11), { engine, store: artifactsOf(store, { readOnly: true }) }), {
      exitCode: Status.READ_ONLY,
    });
    t.match(run("make", bytesOf(11), { engine, store: artifactsOf(store) }), { exitCode: 0 });
    t.ok(store.has(keyOf(bytesOf(11))), "it is there, and the store is not closed");
    await store.close();
    t.match(
      thrown(() => run("count", TEXT, { store: artifactsOf(store) })),
      { code: "ASL-CLOSED" },
    );
    t.match(
      thrown(() => run("count", TEXT, { store: new MemoryArtifacts(), grants })),
      { code: "FS-GRANT" },
    );
    t.match(
      thrown(() => run("count", TEXT, { store: host as unknown as ArtifactStore })),
      { code: "FS-GRANT" },
    );
    t.match(
      thrown(() => run("count", TEXT, { store: store as unknown as ArtifactStore })),
      { code: "FS-GRANT" },
    );
    t.match(
      thrown(() => runGuest({ module: GUEST, store: new MemoryArtifacts(), replay: new Uint8Array(0) })),
      {
        code: "VM-ARGUMENT",
      },
    );
  },
);

t.test("[ASL-SYS-READ-1, ASL-SYS-FAULT-1] what is damaged on disk reaches no guest", async (t) => {
  const host = mkdtempSync(join(scratch, "damaged-"));
  const store = await Store.open(host, { create: true });
  const random = new Random(8);
  const contents = [2000, 60_000, 200_000, 1_500_000].map((length) => Uint8Array.from({ length }, () => random.next()));
  await store.putMany(contents);
  await store.close();
  const get = (bytes: Uint8Array): GuestResult =>
    run("get", keyOf(bytes), { grants: { store: { host, readOnly: true } } });
  for (const bytes of contents) t.ok(Buffer.from(get(bytes).stdout).equals(bytes));
  let flipped = 0;
  for (const name of readdirSync(join(host, "blocks"))) {
    const path = join(host, "blocks", name);
    const file = readFileSync(path);
    for (const bytes of contents) {
      const at = file.indexOf(bytes.subarray(0, 100));
      if (at < 0) continue;
      file[at + 50]! ^= 1;
      flipped++;
    }
    writeFileSync(path, file);
  }
  t.equal(flipped, contents.length);
  for (const bytes of contents) {
    const { exitCode, stdout } = get(bytes);
    t.same([exitCode, stdout.length], [Status.CORRUPT, 0], `${bytes.length} bytes`);
  }
});

t.test("[ASL-SYS-GRANT-2] stores that were granted are closed, whatever else goes wrong", async (t) => {
  const host = mkdtempSync(join(scratch, "closed-"));
  await (await Store.open(host, { create: true })).close();
  const isFree = async (): Promise<boolean> => {
    await (await Store.open(host)).close();
    return true;
  };
  const open = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
  const before = open();
  const grants = openGrants({ store: { host } });
  await t.rejects(Store.open(host), { code: "ASL-LOCKED" });
  grants.close();
  t.ok(await isFree());
  t.throws(() => openGrants({ store: { host }, stdin: scratch }), { code: "FS-GRANT" });
  t.ok(await isFree());
  const unlinked = Module.decode(await loadWat(`(module (import "no" "such" (func)) (func (export "main")))`));
  t.match(runGuest({ module: unlinked, grants: { store: { host } } }), {
    outcome: "error",
    error: { code: "VM-LINK" },
  });
  t.ok(await isFree());
  t.equal(open(), before);
});

onEngines("[REC-REPLAY-1, ASL-SYS-VIEW-1] a recorded run is replayed without its store", (t, engine, other) => {
  const store = new MemoryArtifacts();
  store.add(bytesOf(5));
  for (const [name, input] of [
    ["make", TEXT],
    ["get", keyOf(bytesOf(5))],
    ["count", TEXT],
    ["leave_open", TEXT],
    ["make_and_trap", bytesOf(7)],
  ] as const) {
    const pieces: Uint8Array[] = [];
    const live = run(name, input, { engine, store, record: (piece) => void pieces.push(piece.slice()) });
    const again = runGuest({ module: GUEST, engine: other, replay: Buffer.concat(pieces) });
    const { fuelUsed, stateDigest, stdout, results, outcome } = live;
    t.type(stateDigest, "string");
    t.same(
      [again.fuelUsed, again.stateDigest, again.stdout, again.results, again.outcome],
      [fuelUsed, stateDigest, stdout, results, outcome],
      name,
    );
  }
  t.end();
});

/** A store in memory that puts things in all the places that a large one has. */
async function smallStore(): Promise<{ readonly store: Store; readonly parts: StoreParts }> {
  const parts: StoreParts = {
    volume: new MemoryVolume(),
    background: false,
    limits: {
      packedBytes: 300,
      ownBytes: 2000,
      chunkBytes: 700,
      stagedBytes: 1000,
      blockBytes: 4000,
      inlineBytes: 500,
    },
  };
  return { store: await Store.open("memory", { create: true }, parts), parts };
}

t.test(
  "[ASL-SYS-VIEW-1, ASL-SYS-COMMIT-1] what others put meanwhile is not there, and what both made is there once",
  async (t) => {
    const { store } = await smallStore();
    const [before, both, theirs] = [bytesOf(10, 1), bytesOf(400, 2), bytesOf(10, 3)];
    await store.put(before);
    const artifacts = artifactsOf(store);
    for (const bytes of [both, theirs]) await store.put(bytes, { typeTag: 7 });
    const keys = (): string[] => [...artifacts.list(undefined)].map(({ key }) => textOf(key));
    t.same(keys(), [textOf(keyOf(before))]);
    t.equal(artifacts.find(keyOf(both)), undefined);
    const writer = artifacts.create(7);
    writer.write(both);
    const { artifact, isNew } = writer.seal();
    t.same([artifact.bytes, artifact.records, isNew], [400, [{ typeTag: 7, isPublished: false }], true]);
    const into = new Uint8Array(400);
    artifacts.read(artifact, 0, into);
    t.same(into, both);
    t.same(keys(), [before, both].map((bytes) => textOf(keyOf(bytes))).sort());
    await store.remove(keyOf(before));
    t.equal(artifacts.find(keyOf(before))?.bytes, 10, "what others remove stays");
    const { position } = store;
    artifacts.commit();
    t.equal(store.position, position, "there is nothing to add");
    t.equal(store.stat(keyOf(both))!.records.length, 1);
    t.match(
      thrown(() => artifacts.find(keyOf(both))),
      { code: "ASL-DISCARDED" },
    );
    await store.close();
  },
);

t.test("[ASL-SYS-VIEW-1, ASL-SYS-LIST-1] a real store answers what the one in memory does", async (t) => {
  for (const seed of [1, 2, 3]) {
    const random = new Random(seed);
    const contents = Array.from({ length: 60 }, (_, k) =>
      bytesOf(random.pick([0, 1, 50, 200, 300, 301, 900, 2000, 2001, 5000]) + (k & 7), k),
    );
    const { store, parts } = await smallStore();
    const memory = new MemoryArtifacts();
    for (let k = 0; k < 20; k++) {
      const typeTag = random.pick([undefined, undefined, 0, k]);
      memory.add(contents[k]!, typeTag);
      await store.put(contents[k]!, { typeTag });
    }
    for (const k of [20, 21, 22]) {
      memory.add(contents[k]!, 5, true);
      await store.put(contents[k]!, { typeTag: 5, visibility: "published" });
    }
    for (let round = 0; round < 3; round++) {
      const real = artifactsOf(store);
      const both: readonly ArtifactStore[] = [real, memory];
      const same = <T>(act: (on: ArtifactStore) => T, what: string): void => {
        const [one, two] = both.map(act);
        t.strictSame(one, two, what);
      };
      const found = (on: ArtifactStore, key: Uint8Array): unknown => {
        const artifact = on.find(key);
        return artifact && [Buffer.from(artifact.key).toString("hex"), artifact.bytes, artifact.records];
      };
      for (let step = 0; step < 40; step++) {
        const bytes = random.pick(contents);
        const key = keyOf(bytes);
        const what = random.below(4);
        if (what === 0) same((on) => found(on, key), "find");
        else if (what === 1) {
          const from = random.below(bytes.length + 1);
          const into = (): Uint8Array => new Uint8Array(Math.min(700, bytes.length - from));
          same((on) => {
            const artifact = on.find(key);
            const window = into();
            if (artifact !== undefined) on.read(artifact, from, window);
            return Buffer.from(window).toString("hex");
          }, "read");
        } else if (what === 2) {
          const after = random.chance(0.3) ? undefined : key;
          const most = random.below(50);
          same((on) => {
            const listed: unknown[] = [];
            for (const artifact of on.list(after)) {
              if (listed.length >= most) break;
              listed.push(found(on, artifact.key), artifact.bytes, artifact.records);
            }
            return listed;
          }, "list");
        } else {
          const tag = random.pick([undefined, 0, 5]);
          const isAborted = random.chance(0.2);
          const cut = random.below(bytes.length + 1);
          same((on) => {
            const writer: ArtifactWriter = on.create(tag);
            writer.write(bytes.subarray(0, cut));
            writer.write(bytes.subarray(cut));
            if (isAborted) return writer.abort();
            const { artifact, isNew } = writer.seal();
            return [Buffer.from(artifact.key).toString("hex"), artifact.records, isNew];
          }, "make");
        }
      }
      const ends = round === 1 ? "discard" : "commit";
      for (const on of both) on[ends]();
      if (ends === "commit") real.discard();
      t.equal([...store.list()].length, [...memory.list(undefined)].length, ends);
    }
    const all = [...memory.list(undefined)].map(({ key }) => textOf(key));
    t.ok(all.length > 24, `${all.length} artifacts`);
    await store.close();
    const again = await Store.open("memory", {}, parts);
    t.same(
      [...again.list()].map(({ key }) => key),
      all,
      "all that was committed is there later",
    );
    for (const key of all) t.equal(textOf(keyOf(again.get(key)!)), key);
    await again.close();
  }
});
