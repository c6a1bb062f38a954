/** As many instances as we promise, and one memory more than a machine has. */
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { type Instance, Module } from "../../vm/index.ts";
import { manyInstances } from "./many-instances.ts";

await manyInstances({ live: 50_000, liveWithMemories: 4_000, inTurn: 50_000 });

t.test("[VM-LIMIT-2] memories beyond what the host has are VM-HOST-MEMORY", async (t) => {
  const module = Module.decode(await loadWat(`(module (memory 1) (func (export "f") (result i32) (memory.size)))`));
  const instances: Instance[] = [];
  t.throws(
    () => {
      // 10 GB of address space each.
      for (let k = 0; k < 40_000; k++) instances.push(module.instantiate({ engine: "compiled" }));
    },
    { code: "VM-HOST-MEMORY" },
  );
  t.ok(instances.length > 4_000, `${instances.length} instances`);
  t.same(instances[0]!.invoke("f"), [1]);
  t.same(instances.at(-1)!.invoke("f"), [1]);
});
