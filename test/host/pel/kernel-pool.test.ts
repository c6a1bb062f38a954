/** Threads of kernels: many jobs, jobs that are stopped, threads that end, and code that is kept. */
import { readFileSync } from "node:fs";
import t from "tap";
import { type CodeCache, KernelPool } from "../../../host/pel/kernel-pool.ts";
import { loadWat } from "../../../host/wat.ts";
import { Stopped } from "../../../vm/errors.ts";
import { ENGINES } from "../../vm/compare.ts";
import { jobOf } from "./kernels.ts";

const OK = { type: "ok" };

t.test("[PEL-KERNEL-11] more jobs than threads: each ends as it would alone", async (t) => {
  const pool = new KernelPool({ workers: 3 });
  t.teardown(() => pool.close());
  const jobs = Array.from({ length: 60 }, (_, k) => {
    const entry = ["copy", "trap", "exit", "deep", "undeclared", "world"][k % 6]!;
    const inputs = { a: Buffer.alloc(1000 * k, `${k}`) };
    return { entry, inputs, seed: new Uint8Array(32).fill(k) };
  });
  const engineOf = (k: number) => ENGINES[k % 2]!;
  const ends = await Promise.all(jobs.map((job, k) => pool.run(jobOf(engineOf(k), job))));
  for (const [k, job] of jobs.entries()) t.same(await pool.run(jobOf(engineOf(k + 1), job)), ends[k], job.entry);
});

t.test("[PEL-KERNEL-11] nothing is left of the kernel before", async (t) => {
  const pool = new KernelPool({ workers: 1 });
  t.teardown(() => pool.close());
  for (const engine of ENGINES)
    for (let k = 0; k < 6; k++) {
      t.same((await pool.run(jobOf(engine, { entry: "dirty", outputs: [] }))).outcome, OK);
      t.same((await pool.run(jobOf(engine, { entry: "clean", outputs: [] }))).outcome, OK, `${engine}: zeroes`);
    }
});

t.test("[PEL-KERNEL-12] a job that waits, runs in a loop, or asks is stopped; the pool goes on", async (t) => {
  const pool = new KernelPool({ workers: 1 });
  t.teardown(() => pool.close());
  for (const engine of ENGINES) {
    const stop = new AbortController();
    const forever = { fuel: 2n ** 62n };
    const loop = pool.run(jobOf(engine, { entry: "loop", limits: forever }), stop.signal);
    const waiting = pool.run(jobOf(engine, { entry: "hello" }), stop.signal);
    const behind = pool.run(jobOf(engine, { entry: "hello" }));
    setTimeout(() => stop.abort(), 30);
    await Promise.all([t.rejects(loop, Stopped), t.rejects(waiting, Stopped)]);
    t.same((await behind).outcome, OK, `${engine}: what was not stopped runs`);
    await t.rejects(
      pool.run(jobOf(engine, { entry: "hello" }), stop.signal),
      Stopped,
      "a signal that was given before",
    );

    const asking = new AbortController();
    const job = jobOf(engine, { entry: "sample", inputs: { a: Buffer.alloc(1_000_000) } });
    const { read } = job.store;
    job.store.read = (...given) => {
      asking.abort();
      return read.apply(job.store, given);
    };
    await t.rejects(pool.run(job, asking.signal), Stopped);
    t.same((await pool.run(jobOf(engine, { entry: "hello" }))).outcome, OK);
  }
});

t.test("[PEL-KERNEL-11] what waits behind a long job goes to a thread that has nothing to do", async (t) => {
  const pool = new KernelPool({ workers: 2 });
  t.teardown(() => pool.close());
  const stop = new AbortController();
  const long = pool.run(jobOf("compiled", { entry: "loop", limits: { fuel: 2n ** 62n } }), stop.signal);
  const short = Array.from({ length: 7 }, (_, k) => pool.run(jobOf(ENGINES[k % 2]!, { entry: "hello" })));
  for (const end of await Promise.all(short)) t.same(end.outcome, OK);
  stop.abort();
  await t.rejects(long, Stopped);
});

t.test(
  "[PEL-KERNEL-12] a kernel that cannot be stopped ends with its thread; what is behind it runs on another",
  async (t) => {
    const pool = new KernelPool({ workers: 1 });
    t.teardown(() => pool.close());
    // Neither a loop nor a call of the host.
    const fills = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432))".repeat(1000);
    const module = await loadWat(`(module (memory 512) (func (export "_start") ${fills}))`);
    const stop = new AbortController();
    await pool.run(jobOf("compiled", { entry: "hello" }));
    const stuck = pool.run(jobOf("compiled", { module, outputs: [] }), stop.signal);
    const behind = pool.run(jobOf("compiled", { entry: "hello" }));
    const last = pool.run(jobOf("compiled", { entry: "hello" }), stop.signal);
    setTimeout(() => stop.abort(), 50);
    await Promise.all([t.rejects(stuck, Stopped), t.rejects(last, Stopped)]);
    t.same((await behind).outcome, OK);
  },
);

t.test("[PEL-KERNEL-11] how many threads there may be", async (t) => {
  for (const workers of [0, -1, 1.5, 257, Number.NaN, Number.POSITIVE_INFINITY, "2"])
    t.throws(() => new KernelPool({ workers: workers as number }), { code: "PEL-ARGUMENT" });
});

t.test("[PEL-KERNEL-12] closing a pool stops all; none begins behind it", async (t) => {
  const pool = new KernelPool({ workers: 2 });
  const jobs = ENGINES.flatMap((engine) =>
    [0, 1, 2].map(() => pool.run(jobOf(engine, { entry: "loop", limits: { fuel: 2n ** 62n } }))),
  );
  const ended = Promise.all(jobs.map((job) => t.rejects(job, Stopped)));
  await pool.close();
  await ended;
  await t.rejects(pool.run(jobOf("compiled")), Stopped);
});

t.test("[PEL-KERNEL-10] guests that need more than the host has end their job, not the pool", async (t) => {
  const pool = new KernelPool({ workers: 1 });
  t.teardown(() => pool.close());
  for (const engine of ENGINES) {
    // More slots than the stack of a thread holds.
    const deep = pool
      .run(jobOf(engine, { entry: "deep", limits: { depth: 100_000_000 } }))
      .catch((error: unknown) => error);
    if (engine === "compiled") t.match(await deep, { code: "PEL-KERNEL", message: /VM-HOST-STACK/ });
    else await deep;
    t.same((await pool.run(jobOf(engine, { entry: "hello" }))).outcome, OK);
  }
});

t.test("[PEL-KERNEL-13] code that was compiled is kept for another pool, and makes no difference", async (t) => {
  const kept = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const codeCache: CodeCache = {
    read: (name) => {
      asked.push(name);
      return kept.get(name);
    },
    write: (name, bytes) => void kept.set(name, bytes),
  };
  const module = readFileSync(new URL("../../programs/build/minigzip.wasm", import.meta.url));
  const job = jobOf("compiled", {
    module,
    inputs: { text: Buffer.from("text") },
    outputs: ["out"],
    node: { args: ["-c", "/in/text"], stdout: "out" },
  });
  const ends: unknown[] = [];
  for (let k = 0; k < 3; k++) {
    const pool = new KernelPool({ workers: 1, codeCache });
    ends.push(await pool.run(job), await pool.run(job));
    await pool.close();
    t.equal(kept.size, 1);
    t.equal(asked.length, k + 1, "once a thread");
    if (k === 1) for (const [name, bytes] of kept) kept.set(name, bytes.subarray(0, 100));
  }
  for (const end of ends) t.same(end, ends[0]);
  const small = new KernelPool({ workers: 1, codeCache });
  t.teardown(() => small.close());
  await small.run(jobOf("compiled", { module: await loadWat(`(module (func (export "_start")))`), outputs: [] }));
  await small.run({ ...job, engine: "reference" });
  t.equal(kept.size, 1, "what is small is not kept");
});
