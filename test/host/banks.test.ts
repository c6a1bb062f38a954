/** Banks of the host: what a boot loads, what holds an asset and lets go of it, packs as grants. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { createBanks, LoadState } from "../../host/assets/banks.ts";
import { type AssetSet, openPack } from "../../host/assets/pack.ts";
import { openStack } from "../../host/assets/stack.ts";
import { encodePack, type PackInput } from "../../host/assets/write.ts";
import { runGuest } from "../../host/guest.ts";
import { openGrants } from "../../host/open-grants.ts";
import { loadWat } from "../../host/wat.ts";
import { Status } from "../../syscalls/status.ts";
import { Module } from "../../vm/index.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { onEngines, thrown } from "../syscalls/guest.ts";
import { CONTENTS, faultyReader, INPUT, PACK, PRELOADED_BYTES, type ReaderFaults, raw } from "../syscalls/packs.ts";

const scratch = mkdtempSync(join(tmpdir(), "ashlar-banks-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

function path(name: string, bytes: Uint8Array): string {
  const place = join(scratch, name);
  writeFileSync(place, bytes);
  return place;
}

function withPreload(...preload: readonly (readonly [assetId: number, slot: number])[]): PackInput {
  return { ...INPUT, slots: 65_536, preload: preload.map(([assetId, slot]) => ({ assetId, slot })) };
}

t.test("[BANK-BOOT-1, BANK-BOOT-2, BANK-LOAD-1] every state of a boot, in the order of the preload", async (t) => {
  const { PENDING, LOADING, READY, COMMITTED } = LoadState;
  const heard: [number, number, number][] = [];
  const faults: ReaderFaults = {};
  const set = openPack(faultyReader(PACK, faults));
  createBanks(set, { observe: ({ assetId, slot }, state) => void heard.push([assetId, slot, state]) });
  t.same(
    heard,
    INPUT.preload!.flatMap(({ assetId, slot }) =>
      [PENDING, LOADING, READY, COMMITTED].map((state) => [assetId, slot, state]),
    ),
  );
  t.equal(heard.length, 12);
  // One is committed before the next one is begun: with a fault in the middle there is no word of the last.
  heard.length = 0;
  const broken = openPack(faultyReader(PACK, faults));
  const error = thrown(() =>
    createBanks(broken, {
      observe: ({ assetId, slot }, state) => {
        heard.push([assetId, slot, state]);
        if (state === COMMITTED) faults.mask = 1;
      },
    }),
  );
  t.match(error, { code: "PACK-DIGEST" });
  t.same(
    heard.map(([id, , state]) => [id, state]),
    [
      ...[PENDING, LOADING, READY, COMMITTED].map((state) => [2, state]),
      [1, PENDING],
      [1, LOADING],
      [1, LoadState.ERROR],
    ],
  );
});

t.test("[BANK-BOOT-1, PACK-PRELOAD-1] the whole preload is checked before a bank is touched", async (t) => {
  const touched: number[] = [];
  const codec = {
    name: "told",
    decode: (stored: Uint8Array) => {
      touched.push(stored.length);
      return stored.slice();
    },
  };
  const told = (id: number, length: number) => ({
    ...raw(id, `a/${id}`, "data", new Uint8Array(length).fill(id)),
    codec: "told",
  });
  const open = async (preload: PackInput["preload"], slots: number) => {
    const bytes = await encodePack({
      assets: [told(1, 10), told(2, 20)],
      preload: preload!,
      slots: 1000,
      codecs: ["told"],
    });
    return openPack(bytes, { codecs: [codec], slots });
  };
  const fine = [
    { assetId: 1, slot: 0 },
    { assetId: 2, slot: 299 },
    { assetId: 1, slot: 1 },
  ];
  createBanks(await open(fine, 300), { slots: 300 });
  t.same(touched, [10, 20], "what two slots hold is decoded once");
  touched.length = 0;
  const set = await open(fine, 300);
  t.match(
    thrown(() => createBanks(set, { slots: 299 })),
    {
      code: "PACK-PRELOAD-SLOT",
      problems: [{ pointer: "/preload/1/slot" }],
    },
  );
  t.match(
    thrown(() => createBanks(set, { slots: { data: 1 } })),
    { code: "PACK-PRELOAD-SLOT", total: 2 },
  );
  t.match(
    thrown(() => createBanks(set)),
    { code: "PACK-PRELOAD-SLOT" },
  );
  t.same(touched, []);
  // A set of the embedder's own is not believed either.
  const own = (...more: typeof fine): AssetSet => ({
    identity: set.identity,
    length: set.length,
    packs: set.packs,
    preload: [...fine, ...more],
    asset: (id) => set.asset(id),
    assetNamed: (name) => set.assetNamed(name),
    assets: () => set.assets(),
    close: () => set.close(),
  });
  t.match(
    thrown(() => createBanks(own(fine[0]!), { slots: 300 })),
    { code: "PACK-PRELOAD-CLASH" },
  );
  t.match(
    thrown(() => createBanks(own({ assetId: 3, slot: 5 }), { slots: 300 })),
    { code: "PACK-PRELOAD-ID" },
  );
  t.same(touched, []);
});

t.test("[BANK-BOOT-3, BANK-QUOTA-1] after a boot that failed nothing is held", async (t) => {
  let decoded = 0;
  const bytes = await encodePack(withPreload([2, 0], [4, 0], [2, 1]));
  const set = openPack(bytes);
  const error = thrown(() => createBanks(set, { bytes: 3499 }));
  t.match(error, { code: "PACK-LIMIT", message: /asset 4 \(text\/story\) has 500 bytes.*499 more/ });
  const banks = createBanks(set, { bytes: 3500, observe: () => void decoded++ });
  t.same([decoded, (banks.save() as unknown[]).length], [12, 3]);
});

t.test("[BANK-QUOTA-1, BANK-LOAD-6] what nobody holds is let go, also when a store is closed", async (t) => {
  let decodes = 0;
  const codec = {
    name: "told",
    decode: (stored: Uint8Array) => {
      decodes++;
      return stored.slice();
    },
  };
  const assets = [{ ...raw(1, "a", "data", CONTENTS[1]!), codec: "told" }, raw(2, "b", "data", CONTENTS[3]!)];
  const bytes = await encodePack({ assets, codecs: ["told"] });
  const abi = createAbi({ assets: openPack(bytes, { codecs: [codec] }) });
  const guest = new Driver(abi);
  const made = (name: string, ...args: number[]): Ref => guest.call("bank", name, ...args).results[1] as Ref;
  const call = (name: string, ref: Ref): void => void guest.call("bank", name, ref);
  const first = made("open_asset", 1);
  const second = made("open_asset", 1);
  const load = made("request", 1, 0);
  for (let k = 0; k < 3; k++) call("state", load);
  t.equal(decodes, 1, "one copy for two handles and a load");
  call("close", first);
  call("close", second);
  call("commit", load);
  call("close", load);
  call("close", made("open_asset", 1));
  t.equal(decodes, 1, "the slot has it");
  const other = made("request", 2, 0);
  for (let k = 0; k < 2; k++) call("state", other);
  call("commit", other);
  call("close", made("open_asset", 1));
  t.equal(decodes, 2, "it was let go when the slot was filled anew");
  // Handles that are left are closed with the store.
  const handles = [made("open_asset", 1), made("open_slot", 7, 0), made("request", 1, 5)];
  call("state", handles[2]!);
  call("state", handles[2]!);
  t.equal(decodes, 3);
  guest.heap.close();
  const again = new Driver(abi);
  again.call("bank", "open_asset", 1);
  t.equal(decodes, 4);
});

/** Its start function copies the beginning of a slot to the memory; `main` writes that, or exits with the status. */
const GUEST = Module.decode(
  await loadWat(`(module
    (import "bank" "open_slot" (func $slot (param i32 i32) (result i32 i64)))
    (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
    (import "sys" "stdout" (func $stdout (result i64)))
    (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (global $status (export "status") (mut i32) (i32.const 0))
    (func $begin (local $bank i64)
      (call $slot (i32.const 1) (i32.const 0))
      (local.set $bank) (global.set $status)
      (if (i32.eqz (global.get $status)) (then
        (call $read (local.get $bank) (i64.const 0) (call $own) (i32.const 0) (i32.const 10))
        (drop) (drop) (drop))))
    (start $begin)
    (func (export "main") (result i32)
      (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 0) (i32.const 10))
      (drop) (drop)
      (global.get $status)))`),
);

onEngines("[BANK-BOOT-1, BANK-BOOT-2, BANK-GRANT-1] banks are full before the first instruction", async (t, engine) => {
  const digits = Buffer.from("0123456789");
  const base = await encodePack({ assets: [raw(1, "a", "tiles", digits)], preload: [{ assetId: 1, slot: 0 }] });
  const patch = await encodePack({
    assets: [raw(1, "a", "tiles", digits.toReversed())],
    preload: [{ assetId: 1, slot: 0 }],
    patch: { base: openPack(base).identity, removed: [] },
  });
  const empty = await encodePack({ assets: [], patch: { base: openPack(patch).identity, removed: [] } });
  const [host, ...patches] = [path("base.pa", base), path("patch.pa", patch), path("empty.pa", empty)];
  const run = (layers: number) =>
    runGuest({ module: GUEST, engine, grants: { assets: { host: host!, patches: patches.slice(0, layers) } } });
  t.match(run(0), { outcome: "exit", exitCode: 0, stdout: digits });
  t.match(run(1), { outcome: "exit", exitCode: 0, stdout: digits.toReversed() });
  t.match(run(2), { exitCode: Status.NOT_FOUND }, "the preload of the topmost pack counts");
  t.equal(run(0).fuelUsed, run(1).fuelUsed, "boots cost no fuel");
  const assets = openStack([base, patch]);
  t.match(runGuest({ module: GUEST, engine, assets }), { exitCode: 0, stdout: digits.toReversed() });
  t.match(runGuest({ module: GUEST, engine, assets }), { exitCode: 0 }, "it is not closed");
  t.match(
    thrown(() => runGuest({ module: GUEST, assets, grants: { assets: { host: host! } } })),
    { code: "FS-GRANT" },
  );
  t.match(
    thrown(() => runGuest({ module: GUEST, assets: host as unknown as AssetSet })),
    { code: "FS-GRANT" },
    "a path is granted",
  );
  t.match(
    thrown(() => runGuest({ module: GUEST, assets, replay: new Uint8Array(0) })),
    { code: "VM-ARGUMENT" },
  );

  const instance = GUEST.instantiate({ engine, ...createAbi({ assets: openStack([base, patch]) }) });
  t.same(instance.memory("memory").bytes.slice(0, 10), digits.toReversed());
  t.equal(instance.global("status").value, 0);
});

t.test("[BANK-BOOT-3] what is wrong with a pack is thrown before anything of the guest runs", async (t) => {
  const attempt = (assets: { host: string; patches?: string[]; slots?: number }, bankBytes?: number): unknown =>
    thrown(() =>
      runGuest({ module: GUEST, grants: { assets, ...(bankBytes !== undefined && { quota: { bankBytes } }) } }),
    );
  const usual = path("usual.pa", PACK);
  t.match(attempt({ host: join(scratch, "none.pa") }), { code: "PACK-READ" });
  t.match(attempt({ host: scratch }), { code: "PACK-READ" });
  t.match(attempt({ host: usual, patches: [usual] }), { code: "PACK-BASE" });
  t.match(attempt({ host: usual, slots: 255 }), { code: "PACK-PRELOAD-SLOT" });
  t.match(attempt({ host: usual, slots: 65_537 }), { code: "FS-GRANT" });
  t.match(attempt({ host: usual }, PRELOADED_BYTES - 1), { code: "PACK-LIMIT" });
  const damaged = path("damaged.pa", Buffer.from(PACK).fill(1, PACK.length - 400));
  t.match(attempt({ host: damaged }), { code: "PACK-DIGEST" });
  t.equal(runGuest({ module: GUEST, grants: { assets: { host: usual } } }).exitCode, 0);
});

t.test("packs that were granted are closed, whatever else goes wrong", async (t) => {
  if (process.platform !== "linux") return;
  const open = (): number => readdirSync("/proc/self/fd").length;
  const host = path("closed.pa", PACK);
  const before = open();
  const grants = openGrants({ assets: { host } });
  t.equal(open(), before + 1);
  grants.close();
  t.equal(open(), before);
  t.throws(() => openGrants({ assets: { host }, stdin: scratch }), { code: "FS-GRANT" });
  t.throws(() => openGrants({ assets: { host, patches: [host] } }), { code: "PACK-BASE" });
  t.throws(() => runGuest({ module: GUEST, grants: { assets: { host }, quota: { bankBytes: 0 } } }), {
    code: "PACK-LIMIT",
  });
  runGuest({ module: GUEST, grants: { assets: { host } } });
  t.equal(open(), before);
});
