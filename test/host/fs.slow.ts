/** The random calls of fs.test.ts, many more of them and longer. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFsFromVolume, Volume as MemfsVolume } from "memfs";
import t from "tap";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { oracleFileSystem } from "../conformance/oracle.ts";
import { differential } from "./differential.ts";
import { PosixGuest } from "./posix.ts";

const linux = process.platform === "linux";
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-fs-slow-")));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

function folder(): string {
  const root = join(scratch, `${folders++}`, "in", "side");
  mkdirSync(root, { recursive: true });
  return root;
}

function overMemfs(): ReturnType<typeof directoryFileSystem> {
  const fs = createFsFromVolume(new MemfsVolume()) as unknown as Volume & { mkdirSync(path: string): void };
  fs.mkdirSync("/root");
  return directoryFileSystem("/root", { volume: fs });
}

const memory = (): MemoryFileSystem => new MemoryFileSystem();
const overlay = (): MemoryFileSystem => overlayFileSystem(memory());
const kernel = linux ? (): PosixGuest => new PosixGuest(folder()) : undefined;

t.test("[FS-NAME-5, FS-PATH-6] in memory, and on the kernel", async (t) => {
  for (const handles of linux ? [true, false] : [false]) {
    const { calls } = differential({ systems: { memory, overlay }, kernel, handles, runs: 10_000, length: 100 });
    t.ok(calls > 500_000, `${calls} calls`);
  }
});

t.test("[FS-NAME-5, FS-PATH-6] on a disk", async (t) => {
  const directory = (): ReturnType<typeof directoryFileSystem> => directoryFileSystem(folder());
  const systems = { memory, directory, ...(linux ? { oracle: () => oracleFileSystem(folder()) } : {}) };
  const { calls } = differential({ systems, kernel: undefined, handles: linux, links: linux, runs: 1000, length: 100 });
  t.ok(calls > 50_000, `${calls} calls`);
});

t.test("[FS-NAME-5, FS-PATH-6] on a disk by inode, and over memfs", async (t) => {
  const byInode = (): ReturnType<typeof directoryFileSystem> => directoryFileSystem(folder(), { platform: "darwin" });
  const systems = { memory, "by inode": byInode, "over memfs": overMemfs };
  const { calls } = differential({ systems, kernel: undefined, handles: false, links: false, runs: 1000, length: 100 });
  t.ok(calls > 50_000, `${calls} calls`);
});
