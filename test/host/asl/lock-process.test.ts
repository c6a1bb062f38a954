/** The lock between real processes. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { folderVolume } from "../../../host/asl/folder-volume.ts";
import { acquireLock } from "../../../host/asl/lock.ts";
import { processOwners } from "../../../host/asl/owner.ts";

const PROGRAM = fileURLToPath(new URL("lock-process.ts", import.meta.url));

class Child {
  readonly process: ChildProcess;
  readonly #lines: string[] = [];
  #wake: (() => void) | undefined;

  constructor(t: Test, folder: string, waitMs = 0, wrapper: readonly string[] = []) {
    const [command, ...first] = [...wrapper, process.execPath];
    this.process = spawn(command!, [...first, PROGRAM, folder, String(waitMs)], { stdio: ["pipe", "pipe", "inherit"] });
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#lines.push(...text.trim().split("\n"));
      this.#wake?.();
    });
    t.teardown(() => this.process.kill("SIGKILL"));
  }
  async line(): Promise<string> {
    while (this.#lines.length === 0) await new Promise<void>((resolve) => void (this.#wake = resolve));
    return this.#lines.shift()!;
  }
  async end(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.stdin!.write("end\n");
    await ended;
  }
}

t.test("[ASL-LOCK-2] A process that was killed is taken over; one that runs is not", async (t) => {
  const folder = t.testdir();
  const first = new Child(t, folder);
  t.equal(await first.line(), "has 1");
  const refused = new Child(t, folder);
  t.match(await refused.line(), new RegExp(`ASL-LOCKED: .*process ${first.process.pid} on`));
  const ended = once(first.process, "exit");
  first.process.kill("SIGKILL");
  await ended;
  const second = new Child(t, folder);
  t.equal(await second.line(), "has 2");
  await second.end();
  const third = new Child(t, folder);
  t.equal(await third.line(), "has 3");
  await third.end();
  t.same(readdirSync(folder), ["LOCK.0000000000000003"]);
});

t.test("[ASL-LOCK-3] Two processes wait, each gets it", async (t) => {
  const folder = t.testdir();
  const attempt = acquireLock(folderVolume(folder), processOwners());
  t.ok("lock" in attempt);
  const waiting = [1, 2].map(() => new Child(t, folder, 60_000));
  t.same(await Promise.all(waiting.map((child) => child.line())), ["waits for 1", "waits for 1"]);
  if ("lock" in attempt) attempt.lock.release();
  // They also say whom they see come first.
  const got = waiting.map(async (child) => {
    for (;;) {
      const line = await child.line();
      if (line.startsWith("has")) return { child, line };
    }
  });
  const first = await Promise.race(got);
  t.equal(first.line, "has 2");
  await first.child.end();
  const second = await got[waiting[0] === first.child ? 1 : 0]!;
  t.equal(second.line, "has 3");
  await second.child.end();
});

const UNSHARE = ["unshare", "--fork", "--pid", "--mount-proc"];
const skip =
  spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), "true"]).status !== 0 && "this system makes no namespaces here";

t.test("[ASL-LOCK-2] A process in another namespace is never presumed dead", { skip }, async (t) => {
  const folder = t.testdir();
  const other = new Child(t, folder, 0, [...UNSHARE, "--kill-child"]);
  t.equal(await other.line(), "has 1");
  const ended = once(other.process, "exit");
  other.process.kill("SIGKILL");
  await ended;
  const here = new Child(t, folder);
  t.match(await here.line(), /ASL-LOCKED: .*cannot be told from here/);
});
