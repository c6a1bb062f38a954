/** The example `examples/tilemap`: its art, its pack, and the picture that it draws on both engines. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode as decodeFastPng } from "fast-png";
import t from "tap";
import { idsOf } from "../assets-tool/ids.ts";
import { decodePng } from "../assets-tool/importers/png-image.ts";
import { packAssets } from "../assets-tool/pack.ts";
import { png, type Sheet, terrain, things } from "../examples/tilemap/art/draw.ts";
import { openPack } from "../host/assets/pack.ts";
import { type GuestOptions, runGuest } from "../host/guest.ts";
import { ENGINES } from "./vm/compare.ts";

const example = fileURLToPath(new URL("../examples/tilemap", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "ashlar-tilemap-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const pack = join(scratch, "assets.pa");
const lock = join(example, "assets/assets.lock.json");
const module = readFileSync(join(example, "build/tilemap.wasm"));

/** SHA-256 of the picture's size and its pixels, each red, green and blue. */
const PIXELS = "1bf7e29d16e28ed48cf2ac9e0938d227cc246af0b1de91a442a0d67dfd500970";

function indicesOf(bytes: Uint8Array) {
  return decodePng({ path: "", bytes }).indexed!;
}

function pixelDigest(bytes: Uint8Array): string {
  const { width, height } = decodePng({ path: "", bytes });
  const { indices, palette } = indicesOf(bytes);
  const colors = Uint8Array.from(
    { length: 3 * indices.length },
    (_, k) => palette[4 * indices[Math.floor(k / 3)]! + (k % 3)]!,
  );
  return createHash("sha256").update(`${width} ${height} `).update(colors).digest("hex");
}

t.test("the art is what its script draws", (t) => {
  const drawn: readonly (readonly [string, Sheet])[] = [
    ["tiles/terrain.png", terrain()],
    ["sprites/things.png", things()],
  ];
  for (const [name, sheet] of drawn) {
    const kept = readFileSync(join(example, "assets", name));
    t.same(indicesOf(kept), indicesOf(png(sheet)), name);
  }
  t.end();
});

t.test("[TOOL-IDS-4] the pack has the ids that the guest was compiled with", async (t) => {
  const before = readFileSync(lock, "utf8");
  await packAssets({ from: join(example, "assets"), output: pack, cache: false });
  t.equal(readFileSync(lock, "utf8"), before, "the lock file is the one that is kept");
  const set = openPack(pack);
  t.equal(idsOf(set, "as"), readFileSync(join(example, "assembly/ids.ts"), "utf8"));
  set.close();
});

/** Runs the guest on the pack, with a folder to write to. */
function run(name: string, options: Partial<GuestOptions> = {}) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const grants = { assets: { host: pack }, dirs: [{ host: folder, guest: "/out" }], ...options.grants };
  const ended = runGuest({ module, args: ["/out/picture.png"], ...options, grants });
  return { ...ended, picture: join(folder, "picture.png") };
}

t.test("the picture, on both engines, by its pixels", (t) => {
  const fuel = new Set<bigint>();
  for (const engine of ENGINES) {
    const { outcome, exitCode, stdout, stderr, picture, fuelUsed } = run(engine, { engine });
    t.same({ outcome, exitCode, stderr: Buffer.from(stderr).toString() }, { outcome: "exit", exitCode: 0, stderr: "" });
    t.match(Buffer.from(stdout).toString(), /^40 × 24 tiles, 640 × 384 pixels, \d+ bytes: \/out\/picture\.png\n$/);
    const bytes = readFileSync(picture);
    t.equal(pixelDigest(bytes), PIXELS);
    t.ok(bytes.equals(readFileSync(join(example, "picture.png"))), "and it is the file that the readme shows");
    t.match(decodeFastPng(bytes, { checkCrc: true }), { width: 640, height: 384, channels: 1, depth: 8 });
    fuel.add(fuelUsed);
  }
  t.equal(fuel.size, 1, "for the same fuel");
  t.end();
});

t.test("without a pack, with wrong arguments, with nowhere to write", (t) => {
  const without = runGuest({ module, args: ["/out/picture.png"] });
  t.match(without, { outcome: "trap", exitCode: 134, trap: { message: /assets/ } });
  const usage = run("usage", { args: [] });
  t.match(usage, { exitCode: 2 });
  t.match(Buffer.from(usage.stderr).toString(), "usage: tilemap OUTPUT.png\n");
  const nowhere = run("nowhere", { args: ["/out/none/picture.png"] });
  t.match(nowhere, { exitCode: 1 });
  t.match(Buffer.from(nowhere.stderr).toString(), "tilemap: cannot write /out/none/picture.png: NOT_FOUND\n");
  t.end();
});
