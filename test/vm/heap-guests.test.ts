/** The calls of `bytes` as guests make them, on both engines, against the model: directly, through a table, in a loop. */
import assert from "node:assert/strict";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { BYTES_CALLS, type BytesCall } from "../../vm/bytes.ts";
import { functionTypeOf } from "../../vm/declaration.ts";
import { type Instance, Module, Store, Trap, type Value } from "../../vm/index.ts";
import { LOOK } from "../../vm/tuning.ts";
import { ENGINES } from "./compare.ts";
import { type Argument, bits, HeapModel, joined, NULL_REF, type Outcome, type Ref } from "./heap-model.ts";
import { THING } from "./host-models.ts";
import { Random, someBits } from "./random.ts";

const LIMITS = { heapObjects: 12, heapBytes: 1000 };
/** How a guest makes a call. A loop makes it twice where that is as good as once. */
const FORMS = ["direct", "table", "loop"] as const;
const ONCE = ["new", "destroy", "copy", "of_memory"];

function guest(memory: string, grows = true): string {
  const imports = BYTES_CALLS.map((call) => `(import "bytes" "${call.name}" (func $${call.name} ${typeText(call)}))`);
  const names = BYTES_CALLS.map(({ name }) => `$${name}`).join(" ");
  const functions = BYTES_CALLS.flatMap((call, row) => {
    const { params, results } = functionTypeOf(call);
    const args = params.map((_, k) => `(local.get ${k})`).join(" ");
    const [round, kept] = [params.length, params.length + 1];
    const locals = `(local i32 ${results.join(" ")})`;
    const set = results.length > 0 ? `(local.set ${kept}` : "(block";
    const rounds = ONCE.includes(call.name) ? 1 : 2;
    return [
      `(func (export "direct ${call.name}") ${typeText(call)} (call $${call.name} ${args}))`,
      `(func (export "table ${call.name}") ${typeText(call)}
        (call_indirect ${typeText(call)} ${args} (i32.const ${row})))`,
      `(func (export "loop ${call.name}") ${typeText(call)} ${locals}
        (loop $again ${set} (call $${call.name} ${args}))
          (br_if $again (i32.lt_u (local.tee ${round} (i32.add (local.get ${round}) (i32.const 1))) (i32.const ${rounds}))))
        ${results.length > 0 ? `(local.get ${kept})` : ""})`,
    ];
  });
  return `(module ${imports.join("\n")} ${memory}
    (table ${BYTES_CALLS.length} funcref) (elem (i32.const 0) ${names})
    ${functions.join("\n")}
    ${grows ? '(func (export "grow") (result i32) (memory.grow (i32.const 1)))' : ""})`;
}

function typeText(call: BytesCall): string {
  const { params, results } = functionTypeOf(call);
  return `(param ${params.join(" ")}) (result ${results.join(" ")})`;
}

function valueFrom(type: string, argument: Argument): Value {
  const given = typeof argument === "bigint" ? argument : bits(argument);
  if (type === "i32") return Number(BigInt.asIntN(32, given));
  if (type === "f32") return { bits: Number(BigInt.asUintN(32, given)) };
  return type === "f64" ? { bits: BigInt.asUintN(64, given) } : BigInt.asIntN(64, given);
}

/** What a guest's call comes to, as the model says it. */
function outcomeOf(instance: Instance, name: string, call: BytesCall, args: readonly Argument[]): Outcome {
  const { params, results } = functionTypeOf(call);
  const values = args.map((argument, k) => valueFrom(params[k]!, argument));
  try {
    const [result] = instance.invoke(name, values, { bits: true });
    const plain =
      typeof result === "object" && result && "bits" in result ? result.bits : (result as number | undefined);
    const wide = results[0] === "i64" || results[0] === "f64";
    return { result: BigInt.asUintN(wide ? 64 : 32, BigInt(plain ?? 0)) };
  } catch (error) {
    if (error instanceof Trap) return { trap: error.code };
    throw error;
  }
}

function digestOf(store: Store): Uint8Array {
  const parts: Uint8Array[] = [];
  store.heap.digest((bytes) => parts.push(bytes.slice()));
  return joined(parts);
}

/** Mostly what is near to small objects, sometimes an edge of u32. */
function someSize(random: Random): bigint {
  const kind = random.below(11);
  if (kind < 8) return BigInt(random.below(71));
  return BigInt(kind < 10 ? random.below(1100) : random.pick([0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff]));
}

t.test(
  "[HEAP-CHECK-1, HEAP-CHECK-2, HEAP-CHECK-3, HEAP-BYTES-1, HEAP-BYTES-2, HEAP-BYTES-3, HEAP-BYTES-4, HEAP-BYTES-5, HEAP-BYTES-6, HEAP-LIMIT-1] guests' calls do what the model does, on both engines",
  async (t) => {
    const [own, none] = await Promise.all(["(memory 1 3)", "(memory 0 0)"].map((text) => loadWat(guest(text))));
    const parts = [own!, own!, none!, await loadWat(guest("", false))].map((bytes) => Module.decode(bytes));
    const trapped = new Set<string>();
    const look = LOOK.fuel;
    LOOK.fuel = 20n;
    for (let sequence = 0; sequence < 80; sequence++) {
      const random = new Random(sequence);
      const memories = [65_536, 65_536, 0].map((length): { bytes: Uint8Array } => ({ bytes: new Uint8Array(length) }));
      const model = new HeapModel({ ...LIMITS, generationBits: 32 }, [...memories, undefined]);
      const stores = ENGINES.map((engine) => {
        const store = new Store({ limits: LIMITS, engine, kinds: [THING] });
        for (const module of parts) module.instantiate({ store });
        return store;
      });
      const refs: Ref[] = [
        NULL_REF,
        { slot: 0, generation: 1 },
        { slot: 9, generation: 1 },
        { slot: 1, generation: 0 },
      ];
      for (let step = 0; step < 150; step++) {
        const instance = random.pick([0, 0, 0, 1, 2, 3]);
        if (random.chance(0.01) && instance < 2 && memories[instance]!.bytes.length < 3 * 65_536) {
          memories[instance]!.bytes = joined([memories[instance]!.bytes, new Uint8Array(65_536)]);
          for (const store of stores) store.instances[instance]!.invoke("grow");
        }
        if (random.chance(0.05)) {
          const ref = model.create(THING.id, THING.save!(undefined)!);
          for (const store of stores) assert.equal(store.heap.create(THING.id, undefined), ref.slot);
          refs.unshift(ref);
        }
        const call = random.chance(0.15) ? BYTES_CALLS[0]! : random.pick(BYTES_CALLS);
        const args = call.params.map(({ type }): Argument => {
          if (typeof type === "object") return refs[random.below(random.chance(0.6) ? 4 : refs.length)]!;
          return type === "u32" ? someSize(random) : BigInt.asUintN(64, BigInt(someBits(random, "i64")));
        });
        model.viewer = instance;
        const expected = model.run(call, args, instance);
        const name = `${random.pick(FORMS)} ${call.name}`;
        for (const store of stores) {
          const outcome = outcomeOf(store.instances[instance]!, name, call, args);
          assert.deepEqual(outcome, expected, `${sequence}, ${step}: ${name}(${args.map(String)}) on ${store.engine}`);
        }
        assert.equal(stores[1]!.fuelUsed, stores[0]!.fuelUsed);
        if ("trap" in expected) trapped.add(`${name} ${expected.trap}`);
        else if (call.results[0]?.name === "ref" && expected.result !== 0n) {
          const ref = { slot: Number(expected.result & 0xffff_ffffn), generation: Number(expected.result >> 32n) };
          refs.unshift(ref, { slot: ref.slot, generation: ref.generation + 1 });
        }
      }
      for (const store of stores) {
        assert.deepEqual(digestOf(store), model.digest());
        memories.forEach(({ bytes }, k) => {
          assert.ok(Buffer.compare(bytes, store.instances[k]!.memory0.bytes) === 0, `memory ${k} on ${store.engine}`);
        });
      }
      t.equal(stores[1]!.instances[0]!.stateDigest(), stores[0]!.instances[0]!.stateDigest());
    }
    LOOK.fuel = look;
    const possible = BYTES_CALLS.flatMap(({ name, traps }) =>
      FORMS.map((form) => `${form} ${name}`).flatMap((f) => traps.map((trap) => `${f} ${trap}`)),
    );
    t.equal(trapped.size, possible.length, "every call met every one of its traps, in every form");
  },
);
