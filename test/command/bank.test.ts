/** Packs that the command grants: `--assets`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { Namespace, packName, Store } from "../../host/asl/index.ts";
import { openPack } from "../../host/assets/pack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { bytesOf, INPUT, PACK, PRELOADED_BYTES, raw } from "../syscalls/packs.ts";
import { ashlar, type Ended, reportOf, scratch, wat } from "./ashlar.ts";

/** Writes the asset in slot 0 of the tiles, and the one with the id 4; exits with 77 when there is none of that id. */
await wat(
  "assets.wasm",
  `(module
    (import "bank" "open_slot" (func $slot (param i32 i32) (result i32 i64)))
    (import "bank" "open_asset" (func $asset (param i32) (result i32 i64)))
    (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
    (import "sys" "stdout" (func $stdout (result i64)))
    (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (func $show (param $bank i64) (local $bytes i32)
      (call $read (local.get $bank) (i64.const 0) (call $own) (i32.const 0) (i32.const 65536))
      (drop) (local.set $bytes) (drop)
      (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 0) (local.get $bytes))
      (drop) (drop))
    (func (export "main") (result i32) (local $status i32) (local $bank i64)
      (call $slot (i32.const 1) (i32.const 0))
      (local.set $bank) (local.set $status)
      (if (i32.eqz (local.get $status)) (then (call $show (local.get $bank))))
      (call $asset (i32.const 4))
      (local.set $bank) (local.set $status)
      (if (i32.eqz (local.get $status)) (then (call $show (local.get $bank))))
      (select (i32.const 77) (local.get $status) (i32.eq (local.get $status) (i32.const 3)))))`,
);

const PLAIN = bytesOf(5).map((byte) => (byte & 31) + 97);
const words = (text: string): Uint8Array => Buffer.from(text);
const BASE = await encodePack({
  assets: [raw(1, "tiles/a", "tiles", PLAIN), raw(4, "text/b", "text", words("the base\n"))],
  preload: [{ assetId: 1, slot: 0 }],
});
const BASE_IDENTITY = openPack(BASE).identity;
const NEXT = await encodePack({
  assets: [raw(4, "text/b", "text", words("the patch\n")), raw(9, "tiles/c", "tiles", words("tiles of the patch, "))],
  preload: [{ assetId: 9, slot: 0 }],
  patch: { base: BASE_IDENTITY, removed: [1] },
});
const LAST = await encodePack({
  assets: [],
  patch: { base: openPack(NEXT).identity, removed: [4] },
});
for (const [name, bytes] of Object.entries({ "base.pa": BASE, "next.pa": NEXT, "last.pa": LAST, "usual.pa": PACK }))
  writeFileSync(join(scratch, name), bytes);

function run(...flags: readonly string[]): Promise<Ended> {
  return ashlar(["run", "assets.wasm", ...flags]);
}

t.test("[CLI-STORE-17] packs that lie in a store are granted by their identities", async (t) => {
  t.match(await ashlar(["store", "init", "disk"]), { code: 0 });
  t.match(await ashlar(["store", "put", "disk", "base.pa", "next.pa"]), { code: 0 });
  const next = openPack(NEXT).identity;
  for (const store of ["disk", "disk:ro"]) {
    t.match(await run("--store", store, "--assets", BASE_IDENTITY), {
      code: 0,
      stdout: `${Buffer.from(PLAIN)}the base\n`,
    });
    t.match(await run("--assets", `${BASE_IDENTITY},${next}`, "--store", store), {
      code: 0,
      stdout: "tiles of the patch, the patch\n",
    });
  }
  t.match(await run("--store", "disk", "--assets", `base.pa,${next}`), {
    code: 0,
    stdout: "tiles of the patch, the patch\n",
  });
  const grants = { assets: { host: BASE_IDENTITY, patches: ["next.pa"] }, store: { host: "disk" } };
  writeFileSync(join(scratch, "stored.json"), JSON.stringify(grants));
  t.match(await run("--grants", "stored.json"), { code: 0, stdout: "tiles of the patch, the patch\n" });

  t.match(await run("--assets", BASE_IDENTITY), { code: 1, stderr: /^error\[FS-GRANT\].*store/ });
  t.match(await run("--store", "disk", "--assets", openPack(LAST).identity), {
    code: 1,
    stderr: /^error\[PACK-READ\]/,
  });
  t.match(await run("--store", "disk", "--assets", `${next},${BASE_IDENTITY}`), {
    code: 1,
    stderr: /^error\[PACK-BASE\]/,
  });
  const store = await Store.open(join(scratch, "disk"));
  const key = await store.put(NEXT);
  await store.bind(Namespace.PACK, packName(BASE_IDENTITY), key);
  await store.close();
  t.match(await run("--store", "disk", "--assets", BASE_IDENTITY), { code: 1, stderr: /^error\[PACK-IDENTITY\]/ });
});

t.test("[BANK-GRANT-1, BANK-BOOT-1, CLI-GRANT-2] packs and patches are granted, on both engines", async (t) => {
  for (const engine of ["compiled", "reference"]) {
    const given = ["--engine", engine];
    t.match(await run("--assets", "base.pa", ...given), {
      code: 0,
      stdout: `${Buffer.from(PLAIN)}the base\n`,
      stderr: "",
    });
    t.match(await run("--assets", "base.pa,next.pa", ...given), { code: 0, stdout: "tiles of the patch, the patch\n" });
    t.match(await run("--assets=base.pa,next.pa,last.pa", ...given), { code: 77, stdout: "" });
  }
  t.match(await run(), { code: 134, stderr: /MissingCapability/ });
  const grants = { assets: { host: "base.pa", patches: ["next.pa"], verify: "always", slots: 1 } };
  writeFileSync(join(scratch, "grants.json"), JSON.stringify(grants));
  t.match(await run("--grants", "grants.json"), { code: 0, stdout: "tiles of the patch, the patch\n" });
  t.match(await run("--grants", "grants.json", "--assets", "base.pa"), { code: 0, stdout: /the base/ });
});

t.test(
  "[BANK-BOOT-3, BANK-QUOTA-1, CLI-EXIT-1] a boot that fails exits with 1, and nothing of the guest runs",
  async (t) => {
    const failing = async (code: string, ...flags: readonly string[]): Promise<void> => {
      const ended = await run(...flags);
      t.match(ended, { code: 1, stdout: "" }, flags.join(" "));
      t.match(ended.stderr, `error[${code}]`, flags.join(" "));
    };
    await failing("PACK-READ", "--assets", "none.pa");
    await failing("PACK-BASE", "--assets", "base.pa,last.pa");
    await failing("PACK-BASE", "--assets", "next.pa");
    await failing("PACK-MAGIC", "--assets", "assets.wasm");
    writeFileSync(join(scratch, "damaged.pa"), Buffer.from(PACK).fill(0, PACK.length - 400, PACK.length - 1));
    await failing("PACK-DIGEST", "--assets", "damaged.pa");
    const clashing = await encodePack({ ...INPUT, preload: [{ assetId: 1, slot: 255 }] });
    writeFileSync(join(scratch, "high.pa"), clashing);
    writeFileSync(join(scratch, "few.json"), JSON.stringify({ assets: { host: "high.pa", slots: 255 } }));
    await failing("PACK-PRELOAD-SLOT", "--grants", "few.json");
    await failing("PACK-LIMIT", "--assets", "usual.pa", "--quota", `bankBytes=${PRELOADED_BYTES - 1}`);
    t.match(await run("--assets", "usual.pa", "--quota", `bankBytes=${PRELOADED_BYTES + 500}`), { code: 0 });
    t.match(await run("--assets", "usual.pa", "--quota", `bankBytes=${PRELOADED_BYTES}`), { code: 8 });
  },
);

t.test("[REC-EVENT-6, REC-REPLAY-1] a recorded run is replayed without its pack", async (t) => {
  const live = await reportOf(
    ashlar(["run", "assets.wasm", "--assets", "base.pa", "--record", "run.rec", "--digest", "--report", "-"]),
  );
  const again = await reportOf(ashlar(["run", "assets.wasm", "--replay", "run.rec", "--digest", "--report", "-"]));
  t.equal(live.code, 0);
  t.same(again.output, live.output);
  t.equal(again.report.stateDigest, live.report.stateDigest);
  t.equal(again.report.fuelUsed, live.report.fuelUsed);
});

/** Made ready, it has filled slot 7 with the asset 1 and holds the asset 4; `main` writes both, or exits with a status. */
await wat(
  "kept.wasm",
  `(module
    (import "bank" "open_slot" (func $slot (param i32 i32) (result i32 i64)))
    (import "bank" "open_asset" (func $asset (param i32) (result i32 i64)))
    (import "bank" "request" (func $request (param i32 i32) (result i32 i64)))
    (import "bank" "state" (func $state (param i64) (result i32 i32)))
    (import "bank" "commit" (func $commit (param i64) (result i32)))
    (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
    (import "sys" "stdout" (func $stdout (result i64)))
    (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") 1)
    (global $kept (mut i64) (i64.const 0))
    (func (export "ready") (local $load i64)
      (call $asset (i32.const 4)) (global.set $kept) (drop)
      (call $request (i32.const 1) (i32.const 7)) (local.set $load) (drop)
      (call $state (local.get $load)) (drop) (drop)
      (call $state (local.get $load)) (drop) (drop)
      (drop (call $commit (local.get $load))))
    (func $show (param $bank i64) (result i32) (local $bytes i32) (local $status i32)
      (call $read (local.get $bank) (i64.const 0) (call $own) (i32.const 0) (i32.const 65536))
      (drop) (local.set $bytes) (local.set $status)
      (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 0) (local.get $bytes))
      (drop) (drop)
      (local.get $status))
    (func (export "main") (result i32) (local $status i32) (local $bank i64)
      (call $slot (i32.const 1) (i32.const 7)) (local.set $bank) (local.set $status)
      (if (local.get $status) (then (return (local.get $status))))
      (i32.or (call $show (local.get $bank)) (call $show (global.get $kept)))))`,
);

t.test("[BANK-SNAPSHOT-1, BANK-SNAPSHOT-2, IMAGE-PREINIT-2] banks of a guest that was made ready", async (t) => {
  const built = await ashlar(["build", "kept.wasm", "--preinit=ready", "--assets", "base.pa", "-o", "kept.image"]);
  t.match(built, { code: 0 });
  const ready = (...flags: string[]): Promise<Ended> => ashlar(["run", "kept.image", ...flags]);
  t.match(await ready("--assets", "base.pa"), { code: 0, stdout: `${Buffer.from(PLAIN)}the base\n` });
  t.match(await ready("--assets", "base.pa,next.pa"), { code: 3, stdout: "" }, "the patch has no asset 1");
  t.match(await ready(), { code: 134, stderr: /MissingCapability/ });
});
