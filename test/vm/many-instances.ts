/** Many instances at once, and many one after the other, on the compiled engine. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { type Instance, Module, Store } from "../../vm/index.ts";

const ADD = `(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`;
const BOTH = `(module (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "store32" (func $store (param i64 i32 i32))) (import "bytes" "load32" (func $load (param i64 i32) (result i32)))
  (memory 1) (global $ref (mut i64) (i64.const 0))
  (func (export "f") (param i32) (result i32)
    (global.set $ref (call $new (i32.const 64)))
    (call $store (global.get $ref) (i32.const 60) (local.get 0))
    (i32.store (i32.const 65532) (i32.mul (local.get 0) (i32.const 3)))
    (call $load (global.get $ref) (i32.const 60)))
  (func (export "g") (result i32)
    (i32.add (call $load (global.get $ref) (i32.const 60)) (i32.load (i32.const 65532)))))`;

export interface Counts {
  readonly live: number;
  readonly liveWithMemories: number;
  readonly inTurn: number;
}

export async function manyInstances({ live, liveWithMemories, inTurn }: Counts): Promise<void> {
  const add = Module.decode(await loadWat(ADD));
  const both = Module.decode(await loadWat(BOTH));
  const engine = "compiled";

  t.test(`[VM-ENGINE-1, HEAP-LAYOUT-1] ${live} live instances without a memory`, async (t) => {
    const instances: Instance[] = [];
    for (let k = 0; k < live; k++) {
      const instance = add.instantiate({ engine });
      if (instance.invoke("f", [k])[0] !== k + 1) t.fail(`instance ${k}`);
      instances.push(instance);
    }
    t.equal(instances.length, live);
    t.equal(instances[0]!.store.heap.memory, undefined, "nothing reads a heap");
    t.same(instances.at(-1)!.invoke("f", [5]), [6]);
  });

  t.test(`[VM-ENGINE-1, HEAP-LAYOUT-1] ${liveWithMemories} live instances with a memory and a heap`, async (t) => {
    const instances: Instance[] = [];
    for (let k = 0; k < liveWithMemories; k++) {
      const instance = both.instantiate({ engine });
      instance.invoke("f", [k]);
      instances.push(instance);
    }
    const wrong = instances.filter((instance, k) => instance.invoke("g")[0] !== 4 * k);
    t.equal(wrong.length, 0, "each has its own");
    t.equal(new Set(instances.map(({ store }) => store.heap.memory)).size, liveWithMemories);
  });

  t.test(`[VM-ENGINE-1] ${inTurn} instances in turn leave nothing behind`, async (t) => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const shared = new Store({ engine, limits: { instances: inTurn } });
    for (const [module, count] of [
      [add, inTurn],
      [both, Math.ceil(inTurn / 10)],
    ] as const) {
      const alive: WeakRef<Instance>[] = [];
      for (let k = 0; k < count; k++) {
        const instance = module.instantiate({ engine });
        instance.invoke("f", [k]);
        if (k % 10 === 0) alive.push(new WeakRef(instance));
        if (k % 3 === 0) instance.store.close();
      }
      // What a WeakRef was made of lives until the present job ends.
      await new Promise((resolve) => setTimeout(resolve, 0));
      gc();
      const left = alive.filter((ref) => ref.deref() !== undefined).length;
      t.ok(left <= 1, `${left} of ${alive.length} are still there`);
    }
    for (let k = 0; k < 100; k++) add.instantiate({ store: shared });
    t.equal(shared.instances.length, 100);
    t.same(shared.instances[99]!.invoke("f", [1]), [2]);
  });
}
