/** Execution as an embedder sees it: values, stores, linking, fuel, depth, traps, stepping. Fuel and sites are pinned. */
import { readFileSync } from "node:fs";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import {
  type BigintFunction,
  type Caller,
  DEFAULT_LIMITS,
  ExportedFunction,
  Global,
  type HostFunction,
  type Imports,
  Instance,
  type Limits,
  Memory,
  Module,
  restore,
  Store,
  Table,
  Trap,
  TrapCode,
  type Value,
} from "../../vm/index.ts";
import { LIMIT_CEILINGS } from "../../vm/limits.ts";
import { onBoth, trapOf } from "./engines.ts";

const FIB = `(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`;

async function module(wat: string): Promise<Module> {
  return Module.decode(await loadWat(wat));
}

async function instance(wat: string, options: Parameters<Module["instantiate"]>[0] = {}): Promise<Instance> {
  return (await module(wat)).instantiate(options);
}

function host(type: HostFunction["type"], call: HostFunction["call"], fuel: HostFunction["fuel"] = 0): HostFunction {
  return { type, fuel, mayFree: false, call };
}

t.test("[VM-LIMIT-1] limits are checked and reported", async (t) => {
  const bytes = await loadWat(FIB);
  t.throws(() => Module.decode(bytes, { limits: { moduleBytes: 10 } }), {
    code: "VM-LIMIT",
    limit: "moduleBytes",
    allowed: 10,
    actual: bytes.length,
  });
  t.throws(() => Module.decode(bytes, { limits: { functionBytes: 5 } }), { code: "VM-LIMIT", limit: "functionBytes" });
  t.throws(() => Module.decode(bytes, { limits: { nonsense: 5 } as Partial<Limits> }), { code: "VM-ARGUMENT" });
  for (const depth of [-1, 1.5, Number.NaN, 2 ** 40])
    t.throws(() => new Store({ limits: { depth } }), { code: "VM-ARGUMENT" }, `depth ${depth}`);
  t.throws(() => Module.decode(bytes).instantiate({ engine: "turbo" as "reference" }), { code: "VM-ARGUMENT" });
  t.throws(() => new Store({ engine: "turbo" as "reference" }), { code: "VM-ARGUMENT" });
  t.throws(() => new Store({ fuel: -1n }), { code: "VM-ARGUMENT" });
  t.throws(() => new Store({ fuel: 1 as unknown as bigint }), { code: "VM-ARGUMENT" });
  t.throws(() => new Store().addFuel(-1n), { code: "VM-ARGUMENT" });
  t.throws(() => new Store({ fuel: 2n ** 63n }), { code: "VM-ARGUMENT" });
});

t.test("[VM-LIMIT-1] the specification's table is the table of limits", async (t) => {
  const spec = readFileSync(new URL("../../specs/10-vm.md", import.meta.url), "utf8");
  const rows = [...spec.matchAll(/^\| (\w+) \| (\d+) \| (\d*) ?\|/gm)].map(([, name, value, ceiling]) => [
    name!,
    value!,
    ceiling!,
  ]);
  const limits = Object.entries(DEFAULT_LIMITS).map(([name, value]) => {
    const ceiling = LIMIT_CEILINGS[name as keyof Limits];
    return [name, String(value), ceiling === undefined ? "" : String(ceiling)];
  });
  t.same(rows, limits);
  t.throws(() => new Store({ limits: { toString: 5 } as Partial<Limits> }), { code: "VM-ARGUMENT" });
});

onBoth("[VM-LIMIT-2] growth stops at the limits, and at the declared maximum", async (t, vm) => {
  const wat = (memory: string, table: string) => `(module (memory ${memory}) (table ${table} funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))`;
  const limited = await vm.instance(wat("1", "1"), { limits: { memoryPages: 3, tableElements: 5 } });
  t.same(limited.invoke("memory", [3]), [-1]);
  t.same(limited.invoke("memory", [2]), [1]);
  t.same(limited.invoke("memory", [1]), [-1]);
  t.same(limited.invoke("memory", [0]), [3]);
  t.same(limited.invoke("memory", [-1]), [-1]);
  t.same(limited.invoke("table", [5]), [-1]);
  t.same(limited.invoke("table", [4]), [1]);
  t.same(limited.invoke("table", [-1]), [-1]);
  const declared = await vm.instance(wat("1 2", "1 2"));
  t.same(declared.invoke("memory", [2]), [-1]);
  t.same(declared.invoke("memory", [1]), [1]);
  t.same(declared.invoke("table", [2]), [-1]);
  const big = await vm.module(wat("4", "1"));
  t.throws(() => big.instantiate({ limits: { memoryPages: 3 } }), { code: "VM-LIMIT", limit: "memoryPages" });
  const wide = await vm.module(wat("1", "9"));
  t.throws(() => wide.instantiate({ limits: { tableElements: 8 } }), { code: "VM-LIMIT", limit: "tableElements" });
  const store = vm.store({ limits: { instances: 2 } });
  wide.instantiate({ store });
  wide.instantiate({ store });
  t.throws(() => wide.instantiate({ store }), { code: "VM-LIMIT", limit: "instances" });
});

onBoth("[VM-ERROR-1] errors have their codes", async (t, vm) => {
  t.throws(() => Module.decode(Uint8Array.of(0)), { code: "VM-DECODE", offset: 0 });
  t.throws(() => Module.decode(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 2, 1, 0x5f)), {
    code: "VM-UNSUPPORTED_FEATURE",
    feature: "garbage collection",
    offset: 11,
  });
  const invalid = Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    1,
    4,
    1,
    0x60,
    0,
    0,
    3,
    2,
    1,
    0,
    10,
    5,
    1,
    3,
    0,
    0x6a,
    0x0b,
  );
  t.throws(() => Module.decode(invalid), { code: "VM-VALIDATION", offset: 23 });
  const fib = await vm.instance(FIB);
  t.throws(() => fib.invoke("nothing"), { code: "VM-NO-EXPORT", message: /exports fib/ });
  t.throws(() => fib.memory("fib"), { code: "VM-NO-EXPORT" });
  t.throws(() => fib.invoke("fib", []), { code: "VM-ARGUMENT" });
  t.throws(() => fib.resume(1n), { code: vm.isReference ? "VM-NOT-PAUSED" : "VM-ENGINE" });
  t.throws(() => fib.step(), { code: vm.isReference ? "VM-NOT-PAUSED" : "VM-ENGINE" });
});

onBoth("[VM-VALUE-1] values cross the boundary as they are declared", async (t, vm) => {
  const types = ["i32", "i64", "f32", "f64", "externref"];
  const functions = types.map((type) => `(func (export "${type}") (param ${type}) (result ${type}) (local.get 0))`);
  const same = await vm.instance(`(module ${functions.join("")}
    (func (export "funcref") (param funcref) (result funcref) (local.get 0)))`);
  const extern = { extern: { any: "object" } };
  const cases: [string, Value, Value][] = [
    ["i32", -1, -1],
    ["i32", 2 ** 32 - 1, -1],
    ["i64", -(2n ** 63n), -(2n ** 63n)],
    ["i64", 2n ** 64n - 1n, -1n],
    ["f32", 0.1, Math.fround(0.1)],
    ["f64", 0.1, 0.1],
    ["f64", -0, -0],
    ["funcref", null, null],
    ["funcref", same.function("i32"), same.function("i32")],
    ["externref", null, null],
    ["externref", extern, extern],
    ["externref", { extern: null }, { extern: null }],
  ];
  t.equal(same.function("i32"), same.function("i32"), "a function is the same value each time");
  t.equal(same.store.externNumber(extern), same.store.externNumber(extern), "so is what is behind a reference");
  for (const [name, given, expected] of cases) t.strictSame(same.invoke(name, [given]), [expected], `${name} ${given}`);
  const wrong: [string, Value | undefined][] = [
    ["i32", 1.5],
    ["i32", 2 ** 32],
    ["i32", 1n],
    ["i32", Number.NaN],
    ["i64", 1],
    ["i64", 2n ** 64n],
    ["f32", 1n],
    ["f64", null],
    ["funcref", 5],
    ["funcref", extern],
    ["externref", 5],
    ["i32", undefined],
    ["i32", 2.5],
    ["i32", -(2 ** 31) - 1],
    ["i64", -(2n ** 63n) - 1n],
    ["f32", { bits: 2 ** 32 }],
    ["f32", { bits: -1 }],
    ["f32", { bits: 0.5 }],
    ["f32", { bits: 1n }],
    ["f64", { bits: 2n ** 64n }],
    ["f64", { bits: -1n }],
    ["f64", { bits: 1 }],
    ["f64", extern],
    ["funcref", { functionType: {}, store: same.store, address: 0 } as unknown as Value],
    ["externref", 5n],
    ["externref", {} as Value],
  ];
  for (const [name, given] of wrong)
    t.throws(() => same.invoke(name, [given as Value]), { code: "VM-ARGUMENT" }, `${name} ${String(given)}`);
});

onBoth("[VM-NAN-1, VM-NAN-2] arithmetic makes the canonical NaN, moves keep bits", async (t, vm) => {
  const guest = await vm.instance(`(module (memory 1)
    (func (export "add32") (param f32) (result i32) (i32.reinterpret_f32 (f32.add (local.get 0) (f32.const 1))))
    (func (export "add64") (param f64) (result i64) (i64.reinterpret_f64 (f64.add (local.get 0) (f64.const 1))))
    (func (export "ceil") (param f64) (result f64) (f64.ceil (local.get 0)))
    (func (export "sqrt") (param f32) (result f32) (f32.sqrt (local.get 0)))
    (func (export "min") (param f32) (result f32) (f32.min (f32.const 1) (local.get 0)))
    (func (export "demote") (param f64) (result f32) (f32.demote_f64 (local.get 0)))
    (func (export "promote") (param f32) (result f64) (f64.promote_f32 (local.get 0)))
    (func (export "neg") (param f64) (result f64) (f64.neg (local.get 0)))
    (func (export "copysign") (param f32) (result f32) (f32.copysign (local.get 0) (f32.const -1)))
    (func (export "zero") (result f64) (f64.div (f64.const 0) (f64.const 0)))
    (func (export "store") (param f32) (result i32)
      (f32.store (i32.const 3) (select (local.get 0) (f32.const 0) (i32.const 1))) (i32.load (i32.const 3)))
    (func (export "same32") (param f32) (result f32) (local.get 0)))`);
  const payload32 = { bits: 0xffa12345 };
  const payload64 = { bits: 0xfff4000000012345n };
  const bits = { bits: true };
  t.same(guest.invoke("add32", [payload32]), [0x7fc00000]);
  t.same(guest.invoke("add64", [payload64]), [0x7ff8000000000000n]);
  t.same(guest.invoke("ceil", [payload64], bits), [{ bits: 0x7ff8000000000000n }]);
  t.same(guest.invoke("sqrt", [-1], bits), [{ bits: 0x7fc00000 }]);
  t.same(guest.invoke("min", [payload32], bits), [{ bits: 0x7fc00000 }]);
  t.same(guest.invoke("demote", [payload64], bits), [{ bits: 0x7fc00000 }]);
  t.same(guest.invoke("promote", [payload32], bits), [{ bits: 0x7ff8000000000000n }]);
  t.same(guest.invoke("neg", [payload64], bits), [{ bits: 0x7ff4000000012345n }]);
  t.same(guest.invoke("copysign", [{ bits: 0x7fa12345 }], bits), [{ bits: 0xffa12345 }]);
  t.same(guest.invoke("zero", [], bits), [{ bits: 0x7ff8000000000000n }]);
  t.same(guest.invoke("store", [payload32]), [0xffa12345 | 0]);
  t.same(guest.invoke("same32", [payload32], bits), [payload32]);
  t.same(guest.invoke("same32", [Number.NaN], bits), [{ bits: 0x7fc00000 }]);
  const odd = new DataView(new ArrayBuffer(8));
  odd.setBigUint64(0, 0xfff4000000012345n);
  const fromHost = await vm.instance(
    `(module (import "h" "nan" (func $nan (result f64)))
      (func (export "bits") (result i64) (i64.reinterpret_f64 (call $nan))))`,
    { imports: { h: { nan: host({ params: [], results: ["f64"] }, () => odd.getFloat64(0)) } } },
  );
  t.same(fromHost.invoke("bits"), [0x7ff8000000000000n]);
});

onBoth("[VM-STORE-1, VM-STORE-2] instances that link share a store and nothing crosses stores", async (t, vm) => {
  const lib = await vm.module(
    `(module (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))`,
  );
  const user = await vm.module(`(module (import "lib" "twice" (func $twice (param i32) (result i32)))
    (func (export "run") (param i32) (result i32) (call $twice (call $twice (local.get 0)))))`);
  const store = vm.store({ fuel: 1000n });
  const imports = { lib: { twice: lib.instantiate({ store }).function("twice") } };
  const instance = user.instantiate({ store, imports });
  t.same(instance.invoke("run", [5]), [20]);
  t.equal(instance.number, 1);
  t.equal(store.fuelUsed, 9n, "three instructions in run, three in each twice");
  t.throws(() => user.instantiate({ imports }), { code: "VM-LINK", message: /another store/ });
  t.throws(() => lib.instantiate({ store, fuel: 1n }), { code: "VM-ARGUMENT" });
  const takes = await vm.module(`(module (func (export "f") (param funcref)))`);
  t.throws(() => takes.instantiate().invoke("f", [instance.function("run")]), { code: "VM-ARGUMENT" });
});

onBoth("[VM-STORE-2] tables and globals of references belong to one store", async (t, vm) => {
  const guest =
    await vm.module(`(module (import "m" "t" (table $t 2 funcref)) (import "m" "g" (global $g (mut externref)))
    (import "m" "i" (global $i (mut i32))) (func $f (export "f") (result i32) (i32.const 7))
    (elem (i32.const 0) $f) (func (export "call") (result i32) (call_indirect (result i32) (i32.const 1)))
    (func (export "set") (param externref) (global.set $g (local.get 0)) (global.set $i (i32.const 1))))`);
  const given = () => ({
    t: new Table({ element: "funcref", minimum: 2, maximum: undefined }),
    g: new Global({ value: "externref", mutable: true }, null),
    i: new Global({ value: "i32", mutable: true }, 0),
  });
  const m = given();
  t.throws(() => m.g.set({ extern: 1 }), { code: "VM-ARGUMENT" }, "no store has it yet");
  const first = guest.instantiate({ imports: { m } });
  first.invoke("set", [{ extern: "host" }]);
  t.same(m.g.get(), { extern: "host" });
  m.g.set({ extern: "other" });
  t.same(m.t.get(0), first.function("f"));
  t.equal(m.t.get(1), null);
  m.t.set(1, m.t.get(0));
  t.same(first.invoke("call"), [7]);
  m.t.set(1, null);
  t.equal(trapOf(() => first.invoke("call")).code, TrapCode.IndirectCall);
  for (const index of [-1, 2, 0.5]) {
    t.throws(() => m.t.get(index), { code: "VM-ARGUMENT" });
    t.throws(() => m.t.set(index, null), { code: "VM-ARGUMENT" });
  }
  t.throws(() => m.t.set(0, 5), { code: "VM-ARGUMENT" });
  guest.instantiate({ imports: { m }, store: first.store });
  t.throws(() => guest.instantiate({ imports: { m: { ...given(), t: m.t } } }), { code: "VM-LINK", importName: "t" });
  t.throws(() => guest.instantiate({ imports: { m: { ...given(), g: m.g } } }), { code: "VM-LINK", importName: "g" });
  guest.instantiate({ imports: { m: { ...given(), i: m.i } } });
  const unlinked = given();
  t.throws(() => guest.instantiate({ imports: { m: { ...unlinked, i: m.g } } }), { code: "VM-LINK" });
  guest.instantiate({ imports: { m: unlinked } });
  const store = vm.store();
  const filled = new Global({ value: "externref", mutable: true }, { extern: 5 }, store);
  t.throws(() => guest.instantiate({ imports: { m: { ...given(), g: filled } } }), { code: "VM-LINK" });
  const table = new Table({ element: "externref", minimum: 1, maximum: 3 }, DEFAULT_LIMITS, store);
  table.set(0, { extern: "in a table" });
  t.same(table.get(0), { extern: "in a table" });
  t.same([table.grow(-1, 0), table.grow(3, 0), table.grow(2, 0), table.length], [-1, -1, 1, 3]);
  const forged = new ExportedFunction(first.store, 999, { params: [], results: [] });
  t.throws(() => m.t.set(0, forged), { code: "VM-ARGUMENT" }, "a function that the store has not");
  const user = await vm.module(`(module (import "m" "f" (func)))`);
  t.throws(() => user.instantiate({ store: first.store, imports: { m: { f: forged } } }), { code: "VM-LINK" });
});

onBoth("[VM-EXEC-1] another store may run the same module during a host call", async (t, vm) => {
  const many = Array.from(
    { length: 40 },
    (_, k) =>
      `(func (export "g${k}") (param i32) (result i32) ${"(local.set 0 (i32.mul (local.get 0) (i32.const 3)))".repeat(60)} (local.get 0))`,
  );
  const guest = await vm.module(`(module (import "h" "f" (func $f)) ${many.join("")}
    (func (export "run") (result i32) (call $f) (call $last (i32.const 5)))
    (func $last (export "last") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`);
  const linked = (call: HostFunction["call"]): Imports => ({ h: { f: host({ params: [], results: [] }, call) } });
  const other = guest.instantiate({ imports: linked(() => {}) });
  const instance = guest.instantiate({
    imports: linked(() => {
      for (let k = 0; k < many.length; k++) other.invoke(`g${k}`, [1]);
      other.invoke("last", [1]);
    }),
  });
  t.same(instance.invoke("run"), [6]);
});

onBoth("[VM-STORE-3] a host function cannot use the store that is calling it", async (t, vm) => {
  let instance: Instance;
  const attempts: (() => unknown)[] = [
    () => instance.invoke("run"),
    () => instance.snapshot(),
    () => instance.resume(1n),
    () => instance.begin("run"),
    () => instance.module.instantiate({ store: instance.store }),
    () => instance.store.close(),
    () => instance.function("direct").invoke(),
  ];
  let next = 0;
  const call = (): void => {
    attempts[next]!();
  };
  const guest = await vm.module(
    `(module (import "h" "f" (func $f)) (func (export "run") (call $f)) (export "direct" (func $f)))`,
  );
  instance = guest.instantiate({ imports: { h: { f: host({ params: [], results: [] }, call) } } });
  for (; next < attempts.length; next++)
    for (const name of ["run", "direct"])
      t.throws(() => instance.invoke(name), { code: "VM-REENTRANT" }, `${name} ${attempts[next]}`);
});

onBoth("[VM-LINK-1] imports match by kind, type, size and mutability", async (t, vm) => {
  const guest = async (field: string): Promise<Module> => vm.module(`(module (import "m" "x" ${field}))`);
  const link = async (field: string, x: Imports[string][string] | undefined) =>
    (await guest(field)).instantiate({ imports: x === undefined ? {} : { m: { x } } });
  const nothing = host({ params: [], results: [] }, () => {});
  const bad: [string, Imports[string][string] | undefined][] = [
    ["(func)", undefined],
    ["(func (param i32))", nothing],
    ["(func (result i32))", nothing],
    ["(func)", new Memory({ minimum: 1, maximum: undefined })],
    ["(memory 1)", nothing],
    ["(memory 2)", new Memory({ minimum: 1, maximum: undefined })],
    ["(memory 1 2)", new Memory({ minimum: 1, maximum: undefined })],
    ["(memory 1 2)", new Memory({ minimum: 1, maximum: 3 })],
    ["(table 1 funcref)", new Table({ element: "externref", minimum: 1, maximum: undefined })],
    ["(table 2 funcref)", new Table({ element: "funcref", minimum: 1, maximum: undefined })],
    ["(global i32)", new Global({ value: "i64", mutable: false }, 1n)],
    ["(global i32)", new Global({ value: "i32", mutable: true }, 1)],
    ["(global (mut i32))", new Global({ value: "i32", mutable: false }, 1)],
  ];
  for (const [field, value] of bad)
    await t.rejects(link(field, value), { code: "VM-LINK", module: "m", importName: "x" }, field);
  await link("(func)", nothing);
  await link("(memory 1 2)", new Memory({ minimum: 1, maximum: 2 }));
  await link("(table 1 funcref)", new Table({ element: "funcref", minimum: 1, maximum: undefined }));
  await link("(global i32)", new Global({ value: "i32", mutable: false }, 1));
  for (const x of [null, 5, "f", () => 5, {}, { type: {}, fuel: 0, call() {} }, { ...nothing, call: 5 }])
    await t.rejects(link("(func)", x as unknown as HostFunction), { code: "VM-LINK" }, `${typeof x} is not a function`);
  for (const x of [null, 5, {}])
    for (const field of ["(memory 1)", "(table 1 funcref)", "(global i32)"])
      await t.rejects(link(field, x as unknown as Memory), { code: "VM-LINK" });
  t.throws(() => new Global({ value: "i32", mutable: false }, 1).set(2), { code: "VM-ARGUMENT" }, "it is immutable");
  const prototype = await vm.module(`(module (import "m" "toString" (func)))`);
  t.throws(() => prototype.instantiate({ imports: { m: null } as unknown as Imports }), { code: "VM-LINK" });
  t.throws(() => prototype.instantiate({ imports: { m: {} } }), { code: "VM-LINK" }, "inherited names are not imports");
  const unlinked = await vm.module(`(module (import "h" "f" (func)) (import "m" "x" (func)))`);
  const store = vm.store();
  t.throws(() => unlinked.instantiate({ store, imports: { h: { f: nothing } } }), { code: "VM-LINK" });
  t.same([store.functions.length, store.instances.length], [0, 0], "a failed link leaves nothing in the store");
});

onBoth("[VM-LINK-1] a check comes before linking; a closed store has let go of its objects", async (t, vm) => {
  const guest = await vm.module(`(module (import "h" "f" (func)))`);
  const failure = new Error("not this one");
  const check = (given: Module): void => {
    t.equal(given, guest);
    throw failure;
  };
  t.throws(() => guest.instantiate({ check }), failure);
  const closed: unknown[] = [];
  const kind = { id: 9, name: "Thing", create: "h.f", read: "none: test", update: "none: test", destroy: "none: test" };
  const store = vm.store({ kinds: [{ ...kind, close: (object) => closed.push(object) }] });
  store.heap.create(9, "thing");
  store.close();
  t.same(closed, ["thing"]);
});

onBoth("[VM-LINK-2] module bytes is the VM's own", async (t, vm) => {
  const guest = await vm.module(`(module (import "bytes" "new" (func $new (param i32) (result i64)))
    (import "bytes" "len" (func $len (param i64) (result i32)))
    (func (export "run") (result i32) (call $len (call $new (i32.const 77)))))`);
  const imports = { bytes: { new: host({ params: [], results: [] }, () => void t.fail("called")) } };
  t.same(guest.instantiate({ imports }).invoke("run"), [77]);
  const unknown = await vm.module(`(module (import "bytes" "nonsense" (func)))`);
  t.throws(() => unknown.instantiate(), { code: "VM-LINK", importName: "nonsense" });
  const mistyped = await vm.module(`(module (import "bytes" "len" (func (param i32) (result i32))))`);
  t.throws(() => mistyped.instantiate(), { code: "VM-LINK", message: /\(i64\) -> \(i32\)/ });
});

onBoth("[VM-INSTANTIATE-1] segments are charged and applied in order, then the start function runs", async (t, vm) => {
  const guest =
    await vm.module(`(module (import "m" "memory" (memory 1)) (table 4 funcref) (elem (i32.const 1) $f $f) (func $f)
    (data (i32.const 0) "${"x".repeat(64)}") (data (i32.const 65534) "abc") (start $f))`);
  const memory = new Memory({ minimum: 1, maximum: undefined });
  const store = vm.store();
  const trap = trapOf(() => guest.instantiate({ store, imports: { m: { memory } } }));
  t.match(trap, { code: TrapCode.MemoryOutOfBounds, function: -1, offset: -1, resumable: false });
  t.equal(memory.bytes[63], 0x78, "what came before the trap stays");
  t.equal(memory.bytes[65534], 0, "the segment that traps is not copied in part");
  t.equal(store.fuelUsed, 1n + 2n + 1n, "elements 1, data 1 + 64/64 and 1");
  t.equal(trapOf(() => guest.instantiate({ fuel: 2n, imports: { m: { memory } } })).code, TrapCode.OutOfFuel);
  const looping = await vm.module(`(module (func $f (loop $l (br $l))) (start $f))`);
  const outOfFuel = trapOf(() => looping.instantiate({ fuel: 100n }));
  t.match(outOfFuel, { code: TrapCode.OutOfFuel, resumable: false, function: 0, fuel: 101n });
  const starved = vm.store({ fuel: 100n });
  trapOf(() => looping.instantiate({ store: starved }));
  t.equal(starved.paused, false);
  t.equal(starved.instances.length, 1, "its number is taken");
  vm.onReference(() => {
    t.throws(() => starved.resume(1n), { code: "VM-NOT-PAUSED" });
    const idle = starved.instances[0]!.snapshot();
    t.equal(new DataView(idle.buffer).getFloat64(96, true), 0, "nothing is to be charged again");
  });
  const sized = await vm.instance(
    `(module (table 2 funcref) (elem (i32.const 1) func) (memory 0) (data (i32.const 0) ""))`,
  );
  t.equal(sized.fuelUsed, 2n);
  const many = await vm.module(
    `(module (table 9 funcref) (func $f (export "f") (result i32) (i32.const 8)) (global (export "g") funcref (ref.func $f)) (elem (i32.const 0) $f $f $f $f $f $f $f $f)
      (elem (table 0) (i32.const 8) funcref (item ref.func $f)) (elem $null funcref (item ref.null func))
      (func (export "call") (result i32) (table.init $null (i32.const 0) (i32.const 0) (i32.const 1))
        (i32.add (call_indirect (result i32) (i32.const 8)) (ref.is_null (table.get (i32.const 0))))))`,
  );
  const filled = many.instantiate();
  t.equal(filled.fuelUsed, 2n + 1n);
  t.same(filled.invoke("call"), [9], "items may be expressions");
  const second = await vm.instance(
    `(module (import "m" "g" (global funcref)) (table 1 funcref) (elem (i32.const 0) funcref (item global.get 0))
      (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0))))`,
    { store: filled.store, imports: { m: { g: filled.global("g") } } },
  );
  t.same(second.invoke("call"), [8]);
  t.equal(trapOf(() => many.instantiate({ fuel: 1n })).code, TrapCode.OutOfFuel);
  for (const [field, code] of [
    [`(table 1 funcref) (func $f) (elem (i32.const -1) $f)`, TrapCode.TableOutOfBounds],
    [`(memory 1) (data (i32.const -1) "x")`, TrapCode.MemoryOutOfBounds],
  ] as const)
    await t.rejects(vm.instance(`(module ${field})`), { code });
  // A start function that the host has: what it throws comes through, and no instance calls it.
  const starts = await vm.module(`(module (import "h" "f" (func $f)) (memory 1) (start $f))`);
  const failure = new Error("of the host");
  const from: [number, unknown][] = [];
  const start = host({ params: [], results: [] }, (caller) => {
    from.push([caller.instance, caller.memory]);
    throw failure;
  });
  t.throws(() => starts.instantiate({ imports: { h: { f: start } } }), failure);
  t.same(from, [[-1, undefined]]);
  const elsewhere = looping.instantiate.bind(looping, { fuel: 100n });
  const inner = (await vm.instance(FIB, { fuel: 1n })) as Instance;
  const nested = host({ params: [], results: [] }, () => void inner.invoke("fib", [20]));
  const passed = trapOf(() => starts.instantiate({ imports: { h: { f: nested } } }));
  t.match(passed, { code: TrapCode.OutOfFuel, resumable: vm.isReference }, "another store's trap is not this one's");
  t.equal(trapOf(elsewhere).resumable, false);
});

onBoth("[VM-EXEC-2] after a trap the instance may be invoked again", async (t, vm) => {
  const guest = await vm.instance(`(module (global $g (export "g") (mut i32) (i32.const 0))
    (func (export "run") (param i32) (result i32)
      (global.set $g (i32.add (global.get $g) (i32.const 1))) (i32.div_s (i32.const 10) (local.get 0))))`);
  t.equal(trapOf(() => guest.invoke("run", [0])).code, TrapCode.IntegerDivideByZero);
  t.same(guest.invoke("run", [5]), [2]);
  t.equal(guest.global("g").value, 2);
  const paused = await vm.instance(FIB, { fuel: 50n });
  t.equal(trapOf(() => paused.invoke("fib", [20])).resumable, vm.isReference);
  vm.onReference(() => {
    paused.store.addFuel(1_000_000n);
    t.same(paused.invoke("fib", [10]), [55], "a new invocation gives up the paused one");
    t.throws(() => paused.resume(0n), { code: "VM-NOT-PAUSED" });
  });
  const waiting = await vm.instance(
    `(module (func (export "f") (param i32 i32) (result i32)
      (loop $l (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 10)))) (local.get 0)))`,
    { fuel: 20n },
  );
  t.equal(trapOf(() => waiting.invoke("f", [7, 0])).code, TrapCode.OutOfFuel);
  vm.onReference(() => {
    for (const args of [[99, 1.5], [99], [99, 98, 97]])
      t.throws(() => waiting.invoke("f", args), { code: "VM-ARGUMENT" });
    t.same(waiting.resume(1000n), [7], "arguments that are refused leave what is paused alone");
  });
  const poor = await vm.instance(FIB, { fuel: 0n });
  t.equal(trapOf(() => poor.invoke("fib", [20])).fuel, 4n);
  vm.onReference(() => {
    t.equal(trapOf(() => poor.begin("fib", [20])).fuel, 8n, "a new invocation charges its own entry");
    poor.store.addFuel(100n);
    poor.begin("fib", [20]);
    t.equal(new DataView(poor.snapshot().buffer).getFloat64(96, true), 0);
  });
});

onBoth("[VM-HOST-1] host functions get words and write results", async (t, vm) => {
  const seen: number[][] = [];
  let fuelLeft: bigint | undefined;
  const imports: Imports = {
    h: {
      mixed: host({ params: ["i32", "i64", "f32", "f64"], results: ["i64"] }, (caller: Caller, ...words) => {
        seen.push(words);
        fuelLeft = caller.fuelLeft();
        caller.results.setI64(0, 7, -1);
      }),
      two: host({ params: [], results: ["f32", "i32"] }, (caller) => caller.results.setI32(1, 5)),
      none: host({ params: ["i64"], results: ["i64"] }, () => {}),
    },
  };
  const guest = await vm.instance(
    `(module (import "h" "mixed" (func $mixed (param i32 i64 f32 f64) (result i64)))
    (import "h" "two" (func $two (result f32 i32))) (import "h" "none" (func $none (param i64) (result i64)))
    (func (export "mixed") (result i64) (call $mixed (i32.const -1) (i64.const -4294967294) (f32.const 0.5) (f64.const -0.25)))
    (func (export "two") (result f32 i32) (call $two))
    (func (export "none") (result i64) (call $none (i64.const 9))))`,
    { imports, fuel: 100n },
  );
  t.same(guest.invoke("mixed"), [-4294967289n]);
  t.same(seen, [[-1, 2, -1, 0.5, -0.25]]);
  t.equal(fuelLeft, 95n);
  t.same(guest.invoke("two"), [0, 5]);
  t.same(guest.invoke("none"), [0n], "a result that is not written is 0");
  // Any number of words; a memory that the host makes larger; results of the wrong kind.
  for (let count = 0; count < 11; count++) {
    const given: number[][] = [];
    const params = Array.from({ length: count }, () => "i32" as const);
    const f = host({ params, results: [] }, (_, ...words) => void given.push(words));
    const text = `(param ${params.join(" ")})`;
    const numbers = params.map((_, k) => k + 1);
    const guest = await vm.instance(
      `(module (import "h" "f" (func $f ${text})) (func (export "f") (call $f ${numbers.map((k) => `(i32.const ${k})`).join(" ")})))`,
      { imports: { h: { f } } },
    );
    guest.invoke("f");
    t.same(given, [numbers], `${count} arguments`);
  }
  const grows = await vm.instance(
    `(module (import "h" "f" (func $f (param i32))) (memory 1 3)
      (func (export "f") (result i32) (call $f (i32.const 1)) (i32.store (i32.const 131068) (i32.const 5)) (memory.size)))`,
    {
      imports: {
        h: {
          f: host({ params: ["i32"], results: [] }, ({ memory }, delta) => {
            t.same([memory!.grow(-1), memory!.grow(delta!), memory!.pages, memory!.grow(2)], [-1, 1, 2, -1]);
          }),
        },
      },
    },
  );
  t.same(grows.invoke("f"), [2]);
  for (const wrong of [
    (caller: Caller) => caller.results.setI32(0, 1),
    (caller: Caller) => caller.results.setI64(1, 1, 1),
    (caller: Caller) => caller.results.setF64(0, 1),
    (caller: Caller) => caller.results.setF32(5, 1),
    (caller: Caller) => caller.results.setValue(5, 1),
    (caller: Caller) => caller.results.setValue(1, 1n),
  ]) {
    const guest = await vm.instance(
      `(module (import "h" "f" (func $f (result f32 i32))) (func (export "f") (result f32 i32) (call $f)))`,
      {
        imports: { h: { f: host({ params: [], results: ["f32", "i32"] }, wrong) } },
      },
    );
    t.throws(() => guest.invoke("f"), { code: "VM-ARGUMENT" });
  }
});

onBoth("[VM-HOST-2] what a host function throws ends the invocation", async (t, vm) => {
  const failure = new Error("of the host");
  const imports: Imports = {
    h: {
      throws: host({ params: [], results: [] }, () => {
        throw failure;
      }),
      traps: host({ params: [], results: [] }, (caller) => caller.trap(TrapCode.BadArgument, "told so")),
    },
  };
  const guest = await vm.instance(
    `(module (import "h" "throws" (func $throws)) (import "h" "traps" (func $traps))
      (func (export "throws") (call $throws)) (func (export "traps") nop (call $traps)) (export "direct" (func $traps)))`,
    { imports },
  );
  t.throws(() => guest.invoke("throws"), failure);
  const trap = trapOf(() => guest.invoke("traps"));
  t.match(trap, { code: TrapCode.BadArgument, function: 3, message: "argument out of its range: told so" });
  t.equal(trap.offset, guest.module.structure.bodies[1]!.code + 1);
  t.equal(trapOf(() => guest.invoke("direct")).function, -1);
  t.equal(guest.store.paused, false);
});

onBoth("[VM-HOST-3] with bigint, values go in and out", async (t, vm) => {
  const seen: (Value | readonly Value[])[] = [];
  const f: BigintFunction = {
    bigint: true,
    type: { params: ["i64", "externref", "i32"], results: ["i64", "externref", "f32"] },
    fuel: 3,
    mayFree: false,
    call: (_caller, ...values) => {
      seen.push(values);
      return [(values[0] as bigint) * 2n, values[1]!, 1.5];
    },
  };
  const one: BigintFunction = {
    bigint: true,
    type: { params: [], results: ["i64"] },
    fuel: 0,
    mayFree: false,
    call: () => -5n,
  };
  const guest = await vm.instance(
    `(module (import "h" "f" (func $f (param i64 externref i32) (result i64 externref f32)))
      (import "h" "one" (func $one (result i64)))
      (func (export "run") (param i64 externref) (result i64 externref f32) (call $f (local.get 0) (local.get 1) (i32.const -3)))
      (func (export "one") (result i64) (call $one)))`,
    { imports: { h: { f, one } } },
  );
  const extern = { extern: "text" };
  t.same(guest.invoke("run", [-(2n ** 40n), extern]), [-(2n ** 41n), extern, 1.5]);
  t.same(seen, [[-(2n ** 40n), extern, -3]]);
  t.equal(guest.fuelUsed, 4n + 3n);
  t.same(guest.invoke("one"), [-5n]);
  const results = ["i32", "i64", "f32", "f64", "funcref", "externref"] as const;
  const bad: readonly (Value | readonly Value[] | undefined)[] = [1.5, 1, 1n, null, 5, 5];
  const good: readonly Value[] = [2 ** 31, 2n ** 63n, { bits: 0xffa12345 }, { bits: 0xfff4000000012345n }, null, null];
  const out: readonly Value[] = [-(2 ** 31), -(2n ** 63n), good[2]!, good[3]!, null, null];
  for (const [k, result] of results.entries()) {
    let returned: Value | readonly Value[] | undefined = good[k]!;
    const f: BigintFunction = {
      bigint: true,
      type: { params: [], results: [result] },
      fuel: 0,
      mayFree: false,
      call: () => returned,
    };
    const guest = await vm.instance(
      `(module (import "h" "f" (func $f (result ${result}))) (func (export "f") (result ${result}) (call $f)))`,
      { imports: { h: { f } } },
    );
    t.same(guest.invoke("f", [], { bits: true }), [out[k]!], result);
    for (returned of [bad[k], undefined, []]) t.throws(() => guest.invoke("f"), { code: "VM-ARGUMENT" }, result);
  }
});

/** Fuel of one invocation. */
function fuelOf(guest: Instance, name: string, args: readonly Value[] = []): bigint {
  const before = guest.fuelUsed;
  guest.invoke(name, args);
  return guest.fuelUsed - before;
}

onBoth("[VM-FUEL-1, VM-FUEL-2] blocks are charged at their entry, dead code never", async (t, vm) => {
  const guest = await vm.instance(`(module
    (func (export "empty"))
    (func (export "straight") nop nop i32.const 1 drop)
    (func (export "blocks") block block nop end end loop nop end)
    (func (export "then") (param i32) local.get 0 if nop nop nop else nop end nop)
    (func (export "no else") (param i32) local.get 0 if nop nop end nop)
    (func (export "br_if") (param i32) block local.get 0 br_if 0 nop nop nop end nop)
    (func (export "dead") block br 0 nop nop nop end nop return nop nop)
    (func (export "table") (param i32) block block local.get 0 br_table 0 1 end nop nop end nop)
    (func (export "loop") (param i32) loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)
    (func (export "trap") (param i32) nop local.get 0 if unreachable end nop))`);
  const expected: [string, Value[], bigint][] = [
    ["empty", [], 0n],
    ["straight", [], 4n],
    ["blocks", [], 2n],
    ["then", [1], 2n + 3n + 1n],
    ["then", [0], 2n + 1n + 1n],
    ["no else", [1], 2n + 2n + 1n],
    ["no else", [0], 2n + 1n],
    ["br_if", [0], 2n + 3n + 1n],
    ["br_if", [1], 2n + 1n],
    ["dead", [], 1n + 2n],
    ["table", [0], 2n + 2n + 1n],
    ["table", [1], 2n + 1n],
    ["loop", [1], 5n],
    ["loop", [1000], 5000n],
    ["trap", [0], 3n + 1n],
  ];
  for (const [name, args, fuel] of expected) t.equal(fuelOf(guest, name, args), fuel, `${name} ${args}`);
});

onBoth("[VM-FUEL-3, VM-FUEL-4] carried values and locals cost on top", async (t, vm) => {
  const values = (count: number) => "i32.const 0 ".repeat(count);
  const results = (count: number) => `(result ${"i32 ".repeat(count)})`;
  const guest = await vm.instance(`(module
    (func (export "return") ${results(17)} ${values(17)} return)
    (func (export "br") block ${results(8)} ${values(8)} br 0 end ${"drop ".repeat(8)})
    (func (export "br_if") block ${results(7)} ${values(7)} i32.const 0 br_if 0 end ${"drop ".repeat(7)})
    (func (export "br_table") block ${results(24)} ${values(24)} i32.const 0 br_table 0 end ${"drop ".repeat(24)})
    (func (export "locals") (param i32 i32 i32 i32 i32 i32 i32 i32) (local ${"i64 ".repeat(20)})))`);
  t.equal(fuelOf(guest, "return"), 17n + 1n + 2n);
  t.equal(fuelOf(guest, "br"), 8n + 1n + 1n + 8n);
  t.equal(fuelOf(guest, "br_if"), 8n + 1n + 0n + 7n);
  t.equal(fuelOf(guest, "br_table"), 25n + 1n + 3n + 24n);
  t.equal(fuelOf(guest, "locals", [0, 0, 0, 0, 0, 0, 0, 0]), 2n);
});

onBoth("[VM-FUEL-5] bulk instructions charge by their amount before they check it", async (t, vm) => {
  const wat = `(module (memory 4) (table 100 funcref) (data $d "${"x".repeat(200)}") (elem $e funcref ${"(ref.null func) ".repeat(100)})
    (func (export "memory.fill") (param i32) i32.const 0 i32.const 0 local.get 0 memory.fill)
    (func (export "memory.copy") (param i32) i32.const 0 i32.const 0 local.get 0 memory.copy)
    (func (export "memory.init") (param i32) i32.const 0 i32.const 0 local.get 0 memory.init $d)
    (func (export "table.fill") (param i32) i32.const 0 ref.null func local.get 0 table.fill)
    (func (export "table.copy") (param i32) i32.const 0 i32.const 0 local.get 0 table.copy)
    (func (export "table.init") (param i32) i32.const 0 i32.const 0 local.get 0 table.init $e)
    (func (export "table.grow") (param i32) ref.null func local.get 0 table.grow drop)
    (func (export "memory.grow") (param i32) local.get 0 memory.grow drop))`;
  const guest = await vm.instance(wat);
  for (const name of ["memory.fill", "memory.copy", "memory.init"])
    for (const [amount, fuel] of [
      [0, 0n],
      [63, 0n],
      [64, 1n],
      [199, 3n],
    ] as const)
      t.equal(fuelOf(guest, name, [amount]), 4n + fuel, `${name} ${amount}`);
  for (const name of ["table.fill", "table.copy", "table.init"])
    for (const [amount, fuel] of [
      [0, 0n],
      [7, 0n],
      [8, 1n],
      [100, 12n],
    ] as const)
      t.equal(fuelOf(guest, name, [amount]), 4n + fuel, `${name} ${amount}`);
  t.equal(fuelOf(guest, "table.grow", [16]), 4n + 2n);
  t.equal(fuelOf(guest, "memory.grow", [2]), 3n + 2048n);
  t.equal(fuelOf(guest, "memory.grow", [65_536]), 3n + 65_536n * 1024n, "charged although it fails");
  t.equal(fuelOf(guest, "memory.grow", [65_537]), 3n);
  t.equal(trapOf(() => guest.invoke("memory.fill", [-1])).code, TrapCode.MemoryOutOfBounds);
  const poor = await vm.instance(wat, { fuel: 100n });
  const trap = trapOf(() => poor.invoke("memory.fill", [-1]));
  t.equal(trap.code, TrapCode.OutOfFuel, "out of fuel comes before out of bounds");
  t.equal(trap.fuel, 4n + 67_108_863n);
  const table = await vm.instance(wat, { fuel: 100n });
  t.equal(trapOf(() => table.invoke("table.copy", [-1])).code, TrapCode.OutOfFuel);
  t.equal(trapOf(() => guest.invoke("table.copy", [-1])).code, TrapCode.TableOutOfBounds);
});

onBoth("[VM-FUEL-6] out of fuel is exact and can be resumed", async (t, vm) => {
  const fib = await vm.module(FIB);
  const whole = fib.instantiate();
  t.same(whole.invoke("fib", [15]), [610]);
  t.equal(whole.fuelUsed, 987n * 5n + 986n * 13n, "987 leaves of 5 and 986 calls of 13");
  const exact = fib.instantiate({ fuel: 17753n });
  t.same(exact.invoke("fib", [15]), [610]);
  t.equal(exact.store.fuelLeft, 0n);
  const short = fib.instantiate({ fuel: 17752n });
  const trap = trapOf(() => short.invoke("fib", [15]));
  t.match(trap, { code: TrapCode.OutOfFuel, resumable: vm.isReference, fuel: 17753n });
  vm.onReference(() => {
    t.throws(() => short.resume(0n), { code: TrapCode.OutOfFuel });
    t.same(short.resume(1n), [610]);
    t.equal(short.fuelUsed, 17753n);
  });
  for (const slice of vm.isReference ? [1n, 13n, 1000n] : []) {
    const sliced = Module.decode(fib.structure.bytes).instantiate({ fuel: 0n });
    let results: Value[] | undefined;
    let pauses = 0;
    for (let first = true; results === undefined; first = false) {
      try {
        results = first ? sliced.invoke("fib", [15]) : sliced.resume(slice);
      } catch (error) {
        if (!(error instanceof Trap && error.resumable)) throw error;
        pauses++;
      }
    }
    t.same(results, [610]);
    t.equal(sliced.fuelUsed, 17753n, `in slices of ${slice}: ${pauses} pauses`);
    t.ok(pauses > 17);
  }
  const sites = await vm.module(`(module (import "h" "f" (func $f)) (memory 1)
    (func (export "entry") nop nop)
    (func (export "loop") (loop $l nop (br $l)))
    (func (export "host") nop (call $f) nop)
    (func (export "bulk") (memory.fill (i32.const 0) (i32.const 0) (i32.const 6400)))
    (func (export "return") (block (br_if 0 (i32.const 1))) nop nop nop))`);
  const imports = { h: { f: host({ params: [], results: [] }, () => {}, 50) } };
  const expected: [string, bigint, (start: number, end: number) => number][] = [
    ["entry", 1n, (start) => start],
    ["loop", 9n, (start) => start],
    ["host", 20n, (start) => start + 1],
    ["bulk", 20n, (start) => start + 2 + 2 + 3],
    ["return", 4n, (_start, end) => end - 1],
  ];
  for (const [name, fuel, site] of expected) {
    const instance = sites.instantiate({ fuel, imports });
    const trap = trapOf(() => instance.invoke(name));
    const index = expected.findIndex((entry) => entry[0] === name);
    const { code, end } = sites.structure.bodies[index]!;
    t.match(trap, { code: TrapCode.OutOfFuel, function: index + 1, offset: site(code, end) }, name);
    if (name !== "loop") vm.onReference(() => void t.same(instance.resume(1000n), []));
  }
  t.equal(whole.store.fuelLeft, undefined);
});

onBoth("[VM-FUEL-6] fuel is exact over any amount, and debts of many returns add up", async (t, vm) => {
  const big = await vm.module(`(module (memory 0 0) (func (export "run") (param i32)
    (loop $l (drop (memory.grow (i32.const 65536))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`);
  const used = 100n * (65_536n * 1024n + 8n);
  t.equal(fuelOf(big.instantiate(), "run", [100]), used);
  const rich = big.instantiate({ fuel: 2n ** 63n - 1n });
  t.equal(fuelOf(rich, "run", [100]), used);
  t.equal(rich.store.fuelLeft, 2n ** 63n - 1n - used);
  t.equal(fuelOf(big.instantiate({ fuel: used }), "run", [100]), used);
  const short = big.instantiate({ fuel: used - 1n });
  t.equal(trapOf(() => short.invoke("run", [100])).fuel, used, "at the last loop's last block");
  // Each test where the slice of 2^29 is used up: nothing left is enough, one less is not.
  const slice = 2 ** 29;
  const imports = {
    h: {
      slice: host({ params: [], results: [] }, () => {}, slice),
      one: host({ params: [], results: [] }, () => {}, 1),
    },
  };
  for (const [body, cost] of [
    ["(call $f)", 1n + 2n],
    ["(call_indirect (i32.const 0))", 2n + 2n],
    ["(call $user)", 2n + 2n],
    ["(loop nop nop)", 2n],
    ["(call $one)", 1n + 1n],
    ["(memory.fill (i32.const 0) (i32.const 0) (i32.const 128))", 4n + 2n],
    ["(call $fill (i64.const 4294967297) (i32.const 0) (i32.const 0) (i32.const 128))", 5n + 2n + 2n],
  ] as const) {
    const guest = await vm.module(`(module (import "h" "slice" (func $slice)) (import "h" "one" (func $one))
      (import "bytes" "new" (func $new (param i32) (result i64))) (import "bytes" "fill" (func $fill (param i64 i32 i32 i32)))
      (func $f nop nop) (table 1 funcref) (elem (i32.const 0) $f) (memory 1) (func $user (call $f))
      (func (export "f") (drop (call $new (i32.const 128))) (call $slice) ${body}))`);
    const whole = guest.instantiate({ imports });
    whole.invoke("f");
    const used = whole.fuelUsed;
    t.equal(used, 1n + 3n + 4n + 2n + 1n + BigInt(slice) + cost, "with the segment's, and those of new and slice");
    const exact = guest.instantiate({ imports, fuel: used });
    t.same(exact.invoke("f"), [], `exactly enough for ${body}`);
    t.equal(exact.store.fuelLeft, 0n);
    const short = guest.instantiate({ imports, fuel: used - 1n });
    t.equal(trapOf(() => short.invoke("f")).fuel, used);
    vm.onReference(() => {
      t.same(short.resume(1n), []);
      t.equal(short.fuelUsed, used, body);
    });
  }
  // Two in each frame before the if, four and the drops in its arm; none of the blocks behind the call is tested.
  for (const [types, values] of [
    ["", []],
    ["(result i32)", ["(i32.const 1)"]],
    ["(result i32 i64)", ["(i32.const 1)", "(i64.const 1)"]],
  ] as const) {
    const deep = await vm.module(
      `(module (func $f (export "f") (param i32) ${types}
        (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) ${values.map(() => "drop").join(" ")}))
        ${"nop ".repeat(29_000)} ${values.join(" ")}))`,
    );
    const check = (frames: number): void => {
      const guest = deep.instantiate({ fuel: BigInt(frames) * 1000n, limits: { depth: 20 * frames } });
      const pushed = BigInt(values.length);
      const total = (BigInt(frames) + 1n) * (2n + 29_000n + pushed) + BigInt(frames) * (4n + pushed);
      t.match(
        trapOf(() => guest.invoke("f", [frames])),
        { code: TrapCode.OutOfFuel, resumable: vm.isReference, fuel: total },
        types,
      );
      vm.onReference(() => {
        t.equal(guest.resume(10_000_000_000n).length, values.length);
        t.equal(guest.fuelUsed, total);
      });
    };
    check(1_000);
    vm.onReference(() => check(100_000));
  }
});

onBoth("[VM-FUEL-7] a trap goes back to the last publication point", async (t, vm) => {
  const guest = await vm.instance(
    `(module (import "h" "f" (func $f)) (memory 0)
      (func (export "early") nop nop unreachable)
      (func (export "late") nop (call $f) nop unreachable)
      (func (export "inside") nop nop (drop (i32.load (i32.const 0)))))`,
    { imports: { h: { f: host({ params: [], results: [] }, () => {}, 7) } } },
  );
  t.equal(trapOf(() => guest.invoke("early")).fuel, 0n);
  t.equal(guest.fuelUsed, 0n);
  t.equal(trapOf(() => guest.invoke("late")).fuel, 4n + 7n);
  t.equal(trapOf(() => guest.invoke("inside")).fuel, 4n + 7n);
  t.equal(guest.fuelUsed, 11n);
  const direct = await vm.instance(`(module (import "bytes" "destroy" (func $d (param i64))) (export "d" (func $d)))`);
  t.match(
    trapOf(() => direct.invoke("d", [5n])),
    {
      code: TrapCode.HeapRefStale,
      fuel: 0n,
      backtrace: [],
      resumable: false,
    },
  );
  const paused = await vm.instance(
    `(module (func (export "run") (local i32) (loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 10)))) unreachable))`,
    { fuel: 30n },
  );
  t.equal(trapOf(() => paused.invoke("run")).fuel, 35n);
  vm.onReference(() => {
    t.equal(trapOf(() => paused.resume(1000n)).fuel, 35n, "the resumption is a publication point");
    t.equal(paused.store.fuelLeft, 30n + 1000n - 35n);
  });
});

/** Charges what it is given, then answers the sum of its arguments; what it saw of the fuel stands in `seen`. */
function charging(seen: bigint[] = []): HostFunction {
  return host(
    { params: ["i64", "f64"], results: ["i64"] },
    (caller: Caller, low, high, twice) => {
      caller.charge((high! >>> 0) * 2 ** 32 + (low! >>> 0));
      caller.charge(twice!);
      seen.push(caller.fuelUsed());
      caller.results.setI64(0, low! + twice!, 0);
    },
    3,
  );
}

const CHARGED = `(module (import "h" "f" (func $f (param i64 f64) (result i64)))
  (func $inner (param i64 f64) (result i64) (local i64) (call $f (local.get 0) (local.get 1)))
  (func (export "f") (param i64 f64) (result i64) (i64.add (call $inner (local.get 0) (local.get 1)) (i64.const 1)))
  (func (export "trap") (param i64) nop (drop (call $f (local.get 0) (f64.const 0))) nop unreachable)
  (func (export "loop") (param i32) (result i64) (local i64)
    (loop $l (local.set 1 (i64.add (local.get 1) (call $f (i64.const 10) (f64.const 5))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (export "direct" (func $f)))`;

onBoth("[VM-HOST-5] a host function charges more", async (t, vm) => {
  const seen: bigint[] = [];
  const module = await vm.module(CHARGED);
  const guest = module.instantiate({ imports: { h: { f: charging(seen) } } });
  const plain = 5n + 3n + 3n;
  t.same(guest.invoke("f", [40n, 2]), [43n]);
  t.equal(guest.fuelUsed, plain + 42n);
  t.same(seen, [plain + 42n], "all of the outer block, and the inner one's, is charged by then");
  t.equal(fuelOf(guest, "f", [2n ** 43n, 2 ** 31]), plain + 2n ** 43n + 2n ** 31n, "more than the loop's slice");
  t.same(guest.invoke("loop", [100]), [1500n]);
  const before = guest.fuelUsed;
  t.equal(trapOf(() => guest.invoke("trap", [7n])).fuel - before, 7n + 3n + 7n, "behind a trap the charge stays");
  t.same(guest.invoke("direct", [4n, 3]), [7n]);
  t.equal(fuelOf(guest, "direct", [4n, 3]), 3n + 7n);
  for (const wrong of [-1, 0.5, 2 ** 43 + 1, Number.NaN, Number.POSITIVE_INFINITY])
    t.throws(() => guest.invoke("f", [0n, wrong]), { code: "VM-ARGUMENT" }, `${wrong}`);

  // Fuel runs out in the first charge, in the second, and nowhere.
  for (const name of ["f", "loop"])
    for (const [fuel, debt] of [
      [20n, true],
      [45n, true],
      [1_000n, false],
    ] as const) {
      const calls: bigint[] = [];
      const short = module.instantiate({ imports: { h: { f: charging(calls) } }, fuel });
      const args = name === "f" ? [40n, 2] : [3];
      if (!debt) {
        short.invoke(name, args);
        continue;
      }
      const trap = trapOf(() => short.invoke(name, args));
      t.match(trap, { code: TrapCode.OutOfFuel, resumable: vm.isReference, function: name === "f" ? 1 : 4 });
      t.equal(trap.backtrace.length, name === "f" ? 2 : 1);
      t.ok(trap.fuel > fuel, "the debt is counted");
      t.equal(trap.fuel, short.fuelUsed);
      vm.onReference(() => {
        const whole = module.instantiate({ imports: { h: { f: charging() } } });
        const expected = whole.invoke(name, args);
        const snapshot = short.snapshot();
        const copy = Instance.restore(module, snapshot, { imports: { h: { f: charging() } } });
        t.same(short.resume(1_000n), expected);
        t.equal(short.fuelUsed, whole.fuelUsed, "nothing is charged twice");
        t.equal(calls.length, name === "f" ? 1 : 3, "what ran out had done nothing");
        t.same(copy.resume(1_000n), expected, "from a snapshot, too");
        t.equal(copy.fuelUsed, whole.fuelUsed);
      });
    }
  const poor = module.instantiate({ imports: { h: { f: charging() } }, fuel: 10n });
  t.match(
    trapOf(() => poor.invoke("direct", [20n, 0])),
    { code: TrapCode.OutOfFuel, resumable: false, fuel: 23n, backtrace: [] },
    "called by the embedder",
  );

  vm.onReference(() => {
    // Piece by piece, with another charge every time that there is fuel again.
    const starved = module.instantiate({ imports: { h: { f: charging() } }, fuel: 1n });
    let results: Value[] | undefined;
    t.throws(() => starved.invoke("loop", [10]));
    for (let k = 0; k < 1_000 && results === undefined; k++)
      try {
        results = starved.resume(1n);
      } catch (error) {
        if (!(error instanceof Trap)) throw error;
      }
    t.same(results, [150n]);
    t.equal(starved.fuelUsed, 10n * (11n + 3n + 15n) + 1n);
    const stepped = module.instantiate({ imports: { h: { f: charging() } }, fuel: 20n });
    stepped.begin("f", [40n, 2]);
    t.equal(trapOf(() => stepped.step(100)).code, TrapCode.OutOfFuel);
    t.same(stepped.resume(100n), [43n]);
    t.equal(stepped.fuelUsed, plain + 42n);
  });

  const start = await vm.module(
    `(module (import "h" "f" (func $f (param i64 f64) (result i64))) (func $s (drop (call $f (i64.const 9) (f64.const 0)))) (start $s))`,
  );
  t.match(
    trapOf(() => start.instantiate({ imports: { h: { f: charging() } }, fuel: 10n })),
    { code: TrapCode.OutOfFuel, resumable: false, fuel: 16n },
  );
});

onBoth("[VM-FUEL-8] host calls and calls of bytes charge their price", async (t, vm) => {
  const byBytes = host({ params: ["i64", "i32"], results: [] }, () => {}, {
    base: 10,
    perByte: 1 / 8,
    lengthArgument: 1,
  });
  const guest = await vm.instance(
    `(module (import "h" "f" (func $f (param i64 i32))) (import "bytes" "new" (func $new (param i32) (result i64)))
      (table 1 funcref) (elem (i32.const 0) $new)
      (func (export "host") (param i32) (call $f (i64.const 0) (local.get 0)))
      (func (export "new") (param i32) (drop (call $new (local.get 0))))
      (func (export "table") (param i32) (drop (call_indirect (param i32) (result i64) (local.get 0) (i32.const 0)))))`,
    { imports: { h: { f: byBytes } } },
  );
  t.equal(fuelOf(guest, "host", [0]), 3n + 10n);
  t.equal(fuelOf(guest, "host", [15]), 3n + 11n);
  t.equal(fuelOf(guest, "host", [-1]), 3n + 10n + 536_870_911n);
  t.equal(fuelOf(guest, "new", [0]), 3n + 4n);
  t.equal(fuelOf(guest, "new", [640]), 3n + 4n + 10n);
  t.equal(fuelOf(guest, "table", [640]), 4n + 4n + 10n);
  const most = await vm.instance(
    `(module (import "bytes" "new" (func $new (param i32) (result i64))) (import "bytes" "fill" (func $fill (param i64 i32 i32 i32)))
      (func (export "f") (call $fill (call $new (i32.const 8)) (i32.const 0) (i32.const 0) (i32.const -1))))`,
    { fuel: 1000n },
  );
  t.match(
    trapOf(() => most.invoke("f")),
    { code: TrapCode.OutOfFuel, fuel: 6n + 4n + 2n + 67_108_863n },
  );
  vm.onReference(() => void t.equal(trapOf(() => most.resume(100_000_000n)).code, TrapCode.HeapWindow));
  const huge = host({ params: ["i32"], results: [] }, () => {}, { base: 0, perByte: 1024, lengthArgument: 0 });
  const wat = `(module (import "h" "f" (func $f (param i32))) (export "direct" (func $f))
    (func (export "run") (param i32) (call $f (local.get 0))))`;
  const rich = await vm.instance(wat, { imports: { h: { f: huge } } });
  t.equal(fuelOf(rich, "run", [-1]), 2n + 1024n * 4_294_967_295n);
  t.equal(fuelOf(rich, "direct", [-1]), 1024n * 4_294_967_295n);
  const poor = await vm.instance(wat, { imports: { h: { f: huge } }, fuel: 1000n });
  t.same(poor.invoke("direct", [0]), []);
  const little = await vm.instance(wat, { imports: { h: { f: huge } }, fuel: 1023n });
  t.match(
    trapOf(() => little.invoke("direct", [1])),
    { code: TrapCode.OutOfFuel, resumable: false, fuel: 1024n },
  );
  t.equal(trapOf(() => poor.invoke("run", [-1])).fuel, 2n + 1024n * 4_294_967_295n);
  vm.onReference(() => {
    t.throws(() => little.resume(1n), { code: "VM-NOT-PAUSED" });
    t.same(poor.resume(1024n * 4_294_967_295n), []);
  });
  for (const fuel of [
    -1,
    0.5,
    { base: 0, perByte: 0.3, lengthArgument: 0 },
    { base: 0, perByte: 1, lengthArgument: 5 },
  ])
    await t.rejects(vm.instance(wat, { imports: { h: { f: { ...huge, fuel } } } }), { code: "VM-ARGUMENT" });
});

onBoth("[VM-DEPTH-1, VM-DEPTH-2] depth is counted in slots", async (t, vm) => {
  // A frame of $f: 8 + 1 parameter + 2 locals + 2 operands.
  const deep = await vm.module(`(module (func $f (export "f") (param i32) (result i32) (local i64 i64)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1))))))))`);
  const slots = 8 + 1 + 2 + 3;
  for (const depth of [100, 1400, 1413, 1414]) {
    const guest = deep.instantiate({ limits: { depth } });
    const frames = Math.floor(depth / slots);
    t.same(guest.invoke("f", [frames - 1]), [frames - 1]);
    const trap = trapOf(() => guest.invoke("f", [frames]));
    t.match(trap, { code: TrapCode.StackExhausted, function: 0, offset: deep.structure.bodies[0]!.code });
    t.equal(trap.backtrace.length, Math.min(64, frames + 1));
  }
  const both = deep.instantiate({ limits: { depth: 0 }, fuel: 1n });
  t.equal(trapOf(() => both.invoke("f", [0])).code, TrapCode.OutOfFuel, "fuel is tested before depth");
  const leaves = await vm.module(`(module (import "bytes" "new" (func $new (param i32) (result i64)))
    (func (export "leaf") (param i32) (result i64) (call $new (local.get 0)))
    (func (export "wide") (local ${"i32 ".repeat(56)}))
    (func (export "wider") (local ${"i32 ".repeat(57)}))
    (func $nothing) (func (export "caller") (call $nothing)))`);
  const flat = leaves.instantiate({ limits: { depth: 7 } });
  t.same(flat.invoke("leaf", [0]), [(1n << 32n) | 1n]);
  t.same(flat.invoke("wide"), []);
  t.equal(trapOf(() => flat.invoke("wider")).code, TrapCode.StackExhausted);
  t.equal(trapOf(() => flat.invoke("caller")).code, TrapCode.StackExhausted);
  t.same(leaves.instantiate({ limits: { depth: 8 } }).invoke("caller"), []);
  const store = vm.store({ limits: { depth: 90 } });
  const inner = (
    await vm.module(
      `(module (func (export "none")) (func (export "one") (param i32) (result i32) (local.get 0))
        (func $wide (export "two") (param i32) (result i32 i64) (local ${"i32 ".repeat(60)}) (local.get 0) (i64.const 5))
        (func (export "deep") (param i32) (result i32 i64) (call $wide (local.get 0))))`,
    )
  ).instantiate({ store });
  const lib: Imports[string] = Object.fromEntries(
    ["none", "one", "two", "deep"].map((name) => [name, inner.function(name)]),
  );
  const outer = (
    await vm.module(`(module (import "lib" "none" (func $none)) (import "lib" "one" (func $one (param i32) (result i32)))
      (import "lib" "two" (func $two (param i32) (result i32 i64))) (import "lib" "deep" (func $deep (param i32) (result i32 i64)))
      (func (export "f") (param i32) (result i32 i64) (local i64)
        (loop $l (call $none) (call $two (call $one (local.get 0))) (local.set 1) drop
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $two (i32.const 9)) (local.set 1) (local.get 1))
      (func (export "g") (call $deep (i32.const 1)) drop drop))`)
  ).instantiate({ store, imports: { lib } });
  t.same(outer.invoke("f", [100]), [9, 5n], "what a call into another instance takes it gives back");
  const within = await vm.instance(
    `(module (func $some (param i32) (result i32 i64 f32) (local ${"i32 ".repeat(60)})
        (i32.add (local.get 0) (i32.const 1)) (i64.const -5) (f32.const 0.5))
      (func $one (param i32) (result i32) (local ${"i32 ".repeat(60)}) (local.get 0)) (func $none (local ${"i32 ".repeat(60)}))
      (func (export "f") (param i32) (result i32 i64 f32) (local i32)
        (loop $l (call $none) (call $some (call $one (local.get 1))) drop drop (local.set 1)
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $some (local.get 1))))`,
    { limits: { depth: 90 } },
  );
  t.same(within.invoke("f", [100]), [101, -5n, 0.5], "nor does any return keep it");
  const high = await vm.instance(`(module (func $high (result i64) (i64.const 1099511627776))
    (func (export "f") (result i64) (i64.add (call $high) (i64.const 1))))`);
  t.same(high.invoke("f"), [2n ** 40n + 1n]);
  const deepTrap = trapOf(() => outer.invoke("g"));
  t.match(deepTrap, { code: TrapCode.StackExhausted, function: 2 });
  t.same(
    deepTrap.backtrace.map((frame) => frame.instance),
    [0, 0, 1],
    "8 + 2, 8 + 1 + 2, 8 + 1 + 60 + 2",
  );
  const endless = await vm.module(`(module (func $f (export "f") (call $f)))`);
  t.equal(trapOf(() => endless.instantiate().invoke("f")).code, TrapCode.StackExhausted);
  vm.onReference(() => {
    const deepest = endless.instantiate({ limits: { depth: 10_000_000 } });
    t.equal(trapOf(() => deepest.invoke("f")).code, TrapCode.StackExhausted);
  });
  t.equal(DEFAULT_LIMITS.depth, 25_000);
});

onBoth("[VM-TRAP-1, VM-TRAP-2] each trap has its code and its site", async (t, vm) => {
  const cases: [string, string, number, number][] = [
    ["Unreachable", "unreachable", 0, 1],
    ["IntegerDivideByZero", "i32.const 1 i32.const 0 i32.div_u drop", 4, 2],
    ["IntegerDivideByZero", "i64.const 1 i64.const 0 i64.rem_s drop", 4, 2],
    ["IntegerOverflow", "i32.const -2147483648 i32.const -1 i32.div_s drop", 8, 3],
    ["IntegerOverflow", "i64.const -9223372036854775808 i64.const -1 i64.div_s drop", 13, 3],
    ["InvalidConversion", "f64.const nan i32.trunc_f64_s drop", 9, 4],
    ["InvalidConversion", "f32.const 3e9 i32.trunc_f32_s drop", 5, 4],
    ["InvalidConversion", "f64.const -1 i64.trunc_f64_u drop", 9, 4],
    ["MemoryOutOfBounds", "i32.const 65533 i32.load drop", 4, 5],
    ["MemoryOutOfBounds", "i32.const 1 i32.load8_u offset=4294967295 drop", 2, 5],
    ["MemoryOutOfBounds", "i32.const -1 i64.const 0 i64.store", 4, 5],
    ["TableOutOfBounds", "i32.const 2 table.get 0 drop", 2, 6],
    ["TableOutOfBounds", "i32.const 2 call_indirect", 2, 6],
    ["IndirectCall", "i32.const 0 call_indirect", 2, 7],
    ["IndirectCall", "i32.const 1 call_indirect (param i32)", 2, 7],
  ];
  for (const [reason, body, at, code] of cases) {
    const text = body.endsWith("(param i32)") ? `i32.const 0 ${body}` : body;
    const guest = await vm.instance(
      `(module (memory 1) (table 2 funcref) (elem (i32.const 1) $f) (func $f (export "f") ${text}))`,
    );
    const before = guest.stateDigest();
    const trap = trapOf(() => guest.invoke("f"));
    const offset = guest.module.structure.bodies[0]!.code + at + (text === body ? 0 : 2);
    t.match(trap, { reason, code, function: 0, offset, resumable: false }, body);
    t.equal(guest.stateDigest(), before);
    vm.onReference(() => {
      guest.store.activation.trapCode = code === 1 ? TrapCode.IndirectCall : TrapCode.Unreachable;
      t.equal(trapOf(() => guest.invoke("f")).code, code);
    });
  }
});

onBoth("[VM-TRAP-3] the backtrace names the callers, across instances", async (t, vm) => {
  const store = vm.store();
  const inner = (
    await vm.module(`(module (func $boom (export "exported") (param i32) nop local.get 0 drop unreachable))`)
  ).instantiate({ store });
  const outer = (
    await vm.module(`(module (import "lib" "f" (func $imported (param i32))) (table 1 funcref) (elem (i32.const 0) $imported)
      (func (export "run") nop call 2) (func nop nop (call_indirect (param i32) (i32.const 5) (i32.const 0))))`)
  ).instantiate({ store, imports: { lib: { f: inner.function("exported") } } });
  const trap = trapOf(() => outer.invoke("run"));
  const [run, middle] = outer.module.structure.bodies;
  t.same(trap.backtrace, [
    { instance: 0, function: 0, offset: inner.module.structure.bodies[0]!.code + 4, name: "boom" },
    { instance: 1, function: 2, offset: middle!.code + 6, name: undefined },
    { instance: 1, function: 1, offset: run!.code + 1, name: "run" },
  ]);
  t.equal(outer.module.functionName(0), "imported");
  t.equal(trap.name, "Trap");
});

onBoth("[VM-TRAP-4] what traps has changed nothing", async (t, vm) => {
  const guest =
    await vm.instance(`(module (memory 1) (table 2 funcref) (data $d "abcdef") (global $g (mut i32) (i32.const 1))
    (func (export "store") (i64.store (i32.const 65530) (i64.const -1)))
    (func (export "fill") (memory.fill (i32.const 65530) (i32.const 1) (i32.const 7)))
    (func (export "copy") (memory.copy (i32.const 0) (i32.const 65530) (i32.const 7)))
    (func (export "init") (memory.init $d (i32.const 65534) (i32.const 0) (i32.const 6)))
    (func (export "init2") (memory.init $d (i32.const 0) (i32.const 1) (i32.const 6)))
    (func $f (export "tablefill") (table.fill (i32.const 1) (ref.func $f) (i32.const 2)))
    (func (export "set") (global.set $g (i32.div_s (i32.const 1) (i32.const 0)))))`);
  const before = guest.stateDigest();
  for (const name of ["store", "fill", "copy", "init", "init2", "tablefill", "set"]) {
    t.ok(trapOf(() => guest.invoke(name)).code > 0);
    t.equal(guest.stateDigest(), before, name);
  }
});

const STEPPED = `(module (memory 1) (table 2 funcref) (elem (i32.const 0) $square $fib) (global $g (mut i64) (i64.const 5))
  (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "run") (param $n i32) (result i32 i64) (local $i i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum)
        (call_indirect (param i32) (result i32) (local.get $i) (i32.and (local.get $i) (i32.const 1)))))
      (i32.store (i32.mul (local.get $i) (i32.const 4)) (local.get $sum))
      (global.set $g (i64.add (global.get $g) (i64.extend_i32_s (local.get $sum))))
      (br_if $l (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (memory.fill (i32.const 100) (i32.const 7) (i32.const 100))
    (local.get $sum) (global.get $g)))`;

t.test("[VM-STEP-1, VM-EXEC-1] stepping stops before every instruction and changes nothing", async (t) => {
  const guest = await module(STEPPED);
  const whole = guest.instantiate();
  const results = whole.invoke("run", [6]);
  t.same(results, [28, 69n]);
  const stepped = guest.instantiate();
  stepped.begin("run", [6]);
  const start = guest.structure.bodies[2]!.code;
  t.same(stepped.position, { instance: 0, function: 2, offset: start }, "before the loop");
  let steps = 1;
  const offsets: number[] = [];
  while (stepped.step()) {
    offsets.push(stepped.position!.offset - start);
    steps++;
  }
  t.same(offsets.slice(0, 4), [2, 4, 6, 8], "loop, local.get, local.get, local.get, i32.const");
  t.equal(
    BigInt(steps),
    whole.fuelUsed - 1n - 1n + 1n,
    "one a fuel, but for the segment, 64 bytes of fill, and the loop",
  );
  t.same(stepped.store.results(), results);
  t.equal(stepped.fuelUsed, whole.fuelUsed);
  t.equal(stepped.stateDigest(), whole.stateDigest());
  t.equal(stepped.position, undefined);
  const mixed = guest.instantiate();
  mixed.begin("run", [6]);
  t.ok(mixed.step(17));
  t.same(mixed.resume(0n), results);
  t.equal(mixed.fuelUsed, whole.fuelUsed);
  const starved = guest.instantiate({ fuel: 30n });
  starved.begin("run", [6]);
  t.throws(() => starved.step(1000), { code: TrapCode.OutOfFuel, resumable: true });
  t.same(starved.resume(10_000n), results);
  t.equal(starved.fuelUsed, whole.fuelUsed);
  const paused = guest.instantiate();
  paused.begin("run", [6]);
  for (const count of [0, -1, 1.5, Number.NaN]) t.throws(() => paused.step(count), { code: "VM-ARGUMENT" });
  t.throws(() => paused.resume(-1n), { code: "VM-ARGUMENT" });
  t.same(paused.resume(0n), results);
  t.throws(() => paused.step(), { code: "VM-NOT-PAUSED" });
  // From a pause of an execution that nothing was to stop: at the loop, a call and the bulk instruction.
  const seen: number[] = [];
  for (let fuel = 1n; fuel < whole.fuelUsed; fuel++) {
    const fast = guest.instantiate({ fuel });
    const trap = trapOf(() => fast.invoke("run", [6]));
    t.throws(() => fast.step(), { code: TrapCode.OutOfFuel }, "a step adds no fuel");
    fast.store.addFuel(10_000n);
    if (fuel % 2n === 0n) {
      t.equal(fast.position!.offset, trap.offset);
      let more = 1;
      while (fast.step()) more++;
      seen.push(more);
      t.same(fast.store.results(), results);
    } else {
      let more = 0;
      fast.store.hooks = { instruction: () => void more++ };
      t.same(fast.resume(0n), results);
      seen.push(more);
    }
    t.equal(fast.fuelUsed, whole.fuelUsed);
  }
  t.equal(seen.length, Number(whole.fuelUsed) - 1);
  t.same([seen[0], seen.at(-1)], [steps - 1, 2], "all, from the entry; two behind the fill");
  starved.begin("run", [6]);
  t.throws(() => starved.store.results(), { code: "VM-ARGUMENT" }, "not ended yet");
  const empty = await instance(`(module (func (export "f")))`);
  t.throws(() => empty.store.results(), { code: "VM-ARGUMENT" }, "never begun");
  empty.begin("f");
  t.same(empty.store.results(), []);
  t.equal(empty.store.paused, false, "nothing to step over");
  const direct = await instance(`(module (import "h" "f" (func $f)) (export "f" (func $f)))`, {
    imports: { h: { f: host({ params: [], results: [] }, () => {}) } },
  });
  t.throws(() => direct.begin("f"), { code: "VM-ARGUMENT" }, "a host function has no instructions");
  // Out of fuel at the return, with the result in a local.
  const returns = await module(
    `(module (func (export "f") (param i32) (result i32) (local i32)
      (block (br_if 0 (i32.const 1))) nop nop (local.set 1 (i32.const 55)) local.get 1 return))`,
  );
  const late = returns.instantiate({ fuel: 4n });
  trapOf(() => late.invoke("f", [77]));
  late.store.addFuel(100n);
  t.equal(late.step(), false);
  t.same(late.store.results(), [55]);
  const hooked = returns.instantiate({ fuel: 4n });
  trapOf(() => hooked.invoke("f", [77]));
  hooked.store.hooks = { instruction() {} };
  t.same(hooked.resume(100n), [55]);
});

t.test("[VM-EXEC-1] a module keeps its own copy of its bytes", async (t) => {
  const bytes = Buffer.from(await loadWat(FIB));
  const fib = Module.decode(bytes);
  bytes.fill(0);
  t.same(fib.instantiate().invoke("fib", [10]), [55]);
});

t.test("[VM-HOOK-1] hooks see every instruction", async (t) => {
  const guest = await module(STEPPED);
  const whole = guest.instantiate();
  whole.invoke("run", [6]);
  const hooked = guest.instantiate();
  const seen: number[] = [];
  hooked.store.hooks = { instruction: ({ offset }) => seen.push(offset) };
  t.same(hooked.invoke("run", [6]), [28, 69n]);
  t.equal(BigInt(seen.length), whole.fuelUsed - 1n);
  t.equal(hooked.fuelUsed, whole.fuelUsed);
  t.equal(hooked.stateDigest(), whole.stateDigest());
  hooked.store.hooks = undefined;
  hooked.invoke("run", [6]);
  t.equal(BigInt(seen.length), whole.fuelUsed - 1n);
  const counting = {
    count: 0,
    instruction() {
      this.count++;
    },
  };
  hooked.store.hooks = counting;
  hooked.invoke("run", [6]);
  t.equal(counting.count, seen.length, "hooks are called as methods");
  hooked.store.hooks = {};
  t.same(hooked.invoke("run", [6]).length, 2);
  const failure = new Error("enough");
  hooked.store.hooks = {
    instruction() {
      throw failure;
    },
  };
  t.throws(() => hooked.invoke("run", [6]), failure);
});

onBoth("[VM-DIGEST-1, VM-DIGEST-2] the digest is of the state alone", async (t, vm) => {
  const wat = (memory: string) => `(module (import "bytes" "new" (func $new (param i32) (result i64)))
    (import "bytes" "store8" (func $store8 (param i64 i32 i32))) (import "bytes" "destroy" (func $destroy (param i64)))
    ${memory} (table 2 funcref) (elem $e funcref (ref.func $f)) (global $g (mut i64) (i64.const -2))
    (global $h (mut f32) (f32.const 1.5))
    (data $d "x")
    (func (export "store") (i32.store8 (i32.const 65536) (i32.const 9)))
    (func (export "unstore") (i32.store8 (i32.const 65536) (i32.const 0)))
    (func (export "global") (global.set $g (i64.const 4294967296)))
    (func $f (export "table") (table.set (i32.const 1) (ref.func $f)))
    (func (export "drop") (data.drop $d)) (func (export "elem") (elem.drop $e))
    (func (export "heap") (call $store8 (call $new (i32.const 3)) (i32.const 0) (i32.const 1)))
    (func (export "heap and back") (call $destroy (call $new (i32.const 3)))))`;
  const guest = await vm.module(wat("(memory 2)"));
  const { createHash } = await import("node:crypto");
  const fresh = guest.instantiate();
  const u32 = (...words: number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  const expected = createHash("sha256")
    .update(u32(1, 2, 0, 0))
    .update(u32(0xfffffffe, 0xffffffff, 0x3fc00000, 0))
    .update(u32(2, 0, 0, 0, 0))
    .update(u32(1))
    .update(Uint8Array.of(0))
    .update(u32(1))
    .update(Uint8Array.of(0))
    .update(u32(0))
    .digest("hex");
  t.equal(fresh.stateDigest(), expected, "as the specification spells it");
  const seen = new Set([expected]);
  for (const name of ["store", "global", "table", "drop", "elem", "heap"]) {
    const changed = guest.instantiate();
    changed.invoke(name);
    t.notOk(seen.has(changed.stateDigest()), `${name} shows`);
    seen.add(changed.stateDigest());
  }
  const table = guest.instantiate();
  table.invoke("table");
  const withTable = createHash("sha256")
    .update(u32(1, 2, 0, 0, 0xfffffffe, 0xffffffff, 0x3fc00000, 0, 2, 0, 0, 1, 6, 1))
    .update(Uint8Array.of(0))
    .update(u32(1))
    .update(Uint8Array.of(0))
    .update(u32(0))
    .digest("hex");
  t.equal(table.stateDigest(), withTable, "a function is its instance and index");
  const lib =
    await vm.module(`(module (memory (export "m") 0) (table (export "t") 1 funcref) (table (export "x") 2 externref)
    (global (export "g") (mut i64) (i64.const -3)) (global (export "d") f64 (f64.const 2)) (global i32 (i32.const 6))
    (global (export "f") funcref (ref.func $f)) (func $f (export "set") (param externref) (table.set 1 (i32.const 1) (local.get 0))))`);
  const user = await vm.module(`(module (import "l" "g" (global (mut i64))) (import "l" "t" (table 1 funcref))
    (import "l" "m" (memory 0)) (import "l" "f" (global funcref)) (import "l" "set" (func (param externref))) (global f32 (f32.const 1)))`);
  const first = lib.instantiate();
  const imports: Imports = {
    l: {
      g: first.global("g"),
      t: first.table("t"),
      m: first.memory("m"),
      f: first.global("f"),
      set: first.function("set"),
    },
  };
  const second = user.instantiate({ store: first.store, imports });
  (await vm.module("(module)")).instantiate({ store: first.store });
  first.invoke("set", [{ extern: 1 }]);
  const shared = createHash("sha256")
    .update(u32(3, 0, 0xfffffffd, 0xffffffff, 0, 0x40000000, 6, 0, 1, 0, 1, 0, 0, 2, 0, 0, 0xffffffff, 0, 0, 0))
    .update(u32(0x3f800000, 0, 0, 0))
    .update(u32(0, 0))
    .update(u32(0))
    .digest("hex");
  t.equal(second.stateDigest(), shared, "what is shared is there once");
  const same = guest.instantiate({ fuel: 1000n, limits: { depth: 77 } });
  same.invoke("store");
  same.invoke("unstore");
  same.invoke("heap and back");
  t.equal(same.stateDigest(), expected, "fuel, limits and what is gone do not show");
});

t.test("[VM-SNAPSHOT-1, VM-SNAPSHOT-3] a restored store goes on to the same end, from anywhere", async (t) => {
  const guest = await module(STEPPED);
  const whole = guest.instantiate();
  const results = whole.invoke("run", [6]);
  const check = (snapshot: Uint8Array, what: string): void => {
    const restored = Instance.restore(guest, snapshot);
    t.same(restored.snapshot(), snapshot, `${what}: the same snapshot again`);
    t.same(restored.resume(10_000n), results, what);
    t.equal(restored.fuelUsed, whole.fuelUsed, what);
    t.equal(restored.stateDigest(), whole.stateDigest(), what);
  };
  const stepped = guest.instantiate();
  stepped.begin("run", [6]);
  let count = 0;
  do {
    if (count++ % 5 === 0) check(stepped.snapshot(), `after ${count} steps`);
  } while (stepped.step());
  const sliced = guest.instantiate({ fuel: 1n });
  for (let more = true, first = true; more; first = false) {
    try {
      if (first) sliced.invoke("run", [6]);
      else sliced.resume(7n);
      more = false;
    } catch (error) {
      if (!(error instanceof Trap && error.resumable)) throw error;
      check(sliced.snapshot(), `at ${error.function}:${error.offset}`);
    }
  }
});

t.test("[VM-SNAPSHOT-1] between calls, across instances, and what is refused", async (t) => {
  const lib =
    await module(`(module (memory (export "memory") 1) (table (export "table") 3 funcref) (global (export "g") (mut i32) (i32.const 4))
    (func (export "f") (param i32) (result i32) (i32.store (i32.const 0) (local.get 0)) (local.get 0)))`);
  const user = await module(`(module (import "lib" "memory" (memory 1)) (import "lib" "table" (table 3 funcref))
    (import "lib" "f" (func $f (param i32) (result i32))) (import "lib" "g" (global $g (mut i32)))
    (import "bytes" "new" (func $new (param i32) (result i64))) (import "h" "h" (func $h)) (elem (i32.const 1) $mine $h)
    (func $mine (result i32) (call $h) (i32.add (global.get $g) (call $f (i32.const 9))))
    (func (export "new") (result i64) (call $new (i32.const 50000)))
    (func (export "run") (result i32) (global.set $g (i32.const 100)) (call_indirect (result i32) (i32.const 1)))
    (func (export "read") (result i32) (i32.load (i32.const 0))))`);
  const h = { h: host({ params: [], results: [] }, () => {}) };
  const linked = (instances: readonly Instance[]): Imports => {
    const from = instances[0]!;
    return {
      h,
      lib: { memory: from.memory("memory"), table: from.table("table"), f: from.function("f"), g: from.global("g") },
    };
  };
  const store = new Store({ fuel: 10_000n, limits: { depth: 999 } });
  lib.instantiate({ store });
  const before = user.instantiate({ store, imports: linked(store.instances) });
  before.invoke("new");
  before.invoke("run");
  const snapshot = before.snapshot();
  const parts = [
    { module: lib, imports: {} },
    { module: user, imports: linked },
  ];
  const again = restore(snapshot, parts);
  const after = again.instances[1]!;
  t.equal(after.stateDigest(), before.stateDigest());
  t.equal(again.fuelUsed, store.fuelUsed);
  t.equal(again.fuelLeft, store.fuelLeft);
  t.equal(again.limits.depth, 999);
  t.same(after.snapshot(), snapshot);
  for (const name of ["read", "run", "new"]) t.same(after.invoke(name), before.invoke(name), name);
  t.equal(after.stateDigest(), before.stateDigest());
  // Paused between the instances.
  before.store.begin(store.instances[1]!.function("run").address, []);
  t.ok(before.step(8));
  t.equal(before.position!.instance, 0);
  const paused = restore(before.snapshot(), parts);
  t.same(paused.position, before.position);
  t.same(paused.resume(0n), [109]);
  t.same(before.resume(0n), [109]);
  t.equal(paused.fuelUsed, store.fuelUsed);
  // At every step and at every lack of fuel, each way on: the same end.
  const run = store.instances[1]!.function("run");
  const start = store.fuelUsed;
  t.same(run.invoke(), [109]);
  const whole = store.fuelUsed - start;
  const digest = before.stateDigest();
  const ends = (at: Store, from: bigint, what: string): void => {
    for (const go of ["resume", "step"] as const) {
      const copy = restore(saveOf(at), parts);
      copy.addFuel(1000n);
      if (go === "resume") t.same(copy.resume(0n), [109], what);
      else {
        while (copy.step(2));
        t.same(copy.results(), [109], what);
      }
      t.equal(copy.fuelUsed - from, whole, what);
      t.equal(copy.instances[0]!.stateDigest(), digest, what);
    }
  };
  const saveOf = (at: Store): Uint8Array => at.instances[0]!.snapshot();
  let steps = 0;
  const earlier = store.fuelUsed;
  store.begin(run.address, []);
  do ends(store, earlier, `after ${steps++} steps`);
  while (store.step());
  t.equal(steps, 13);
  for (let fuel = 0n; fuel < whole; fuel++) {
    const poor = new Store({ fuel: 1n + fuel });
    lib.instantiate({ store: poor });
    user.instantiate({ store: poor, imports: linked(poor.instances) });
    const from = poor.fuelUsed;
    trapOf(() => poor.instances[1]!.invoke("run"));
    const copy = restore(saveOf(poor), parts);
    t.same(copy.resume(1000n), [109]);
    t.equal(copy.fuelUsed - from, whole, `with ${fuel}`);
    if (fuel % 2n === 0n) poor.addFuel(100n);
    t.same(poor.resume(100n), [109]);
    t.equal(poor.fuelUsed - from, whole);
  }

  for (const [field, x, refused] of [
    ["(memory 1)", new Memory({ minimum: 1, maximum: undefined }), true],
    ["(table 1 funcref)", new Table({ element: "funcref", minimum: 1, maximum: undefined }), true],
    ["(global (mut i32))", new Global({ value: "i32", mutable: true }, 1), true],
    ["(global i32)", new Global({ value: "i32", mutable: false }, 1), false],
    ["(global externref)", new Global({ value: "externref", mutable: false }, null), true],
  ] as const) {
    const shared = await module(`(module (import "m" "x" ${field}))`);
    const outside = shared.instantiate({ imports: { m: { x } } });
    if (refused) t.throws(() => outside.snapshot(), { code: "VM-SNAPSHOT" }, field);
    else t.same(Instance.restore(shared, outside.snapshot(), { imports: { m: { x } } }).snapshot(), outside.snapshot());
  }
  const refs = await module(
    `(module (table (export "t") 1 externref) (global $g (mut externref) (ref.null extern))
    (func (export "g") (param externref) (global.set $g (local.get 0)))
    (func (export "t") (param externref) (table.set (i32.const 0) (local.get 0)))
    (func (export "wait") (param externref) (loop $l (br $l))))`.replace('(table (export "t")', "(table"),
  );
  for (const name of ["g", "t"]) {
    const holds = refs.instantiate();
    holds.snapshot();
    holds.invoke(name, [{ extern: 1 }]);
    t.throws(() => holds.snapshot(), { code: "VM-SNAPSHOT" });
    holds.invoke(name, [null]);
    holds.snapshot();
  }
  const waits = refs.instantiate({ fuel: 10n });
  trapOf(() => waits.invoke("wait", [{ extern: 1 }]));
  t.throws(() => waits.snapshot(), { code: "VM-SNAPSHOT" });
});

t.test("[VM-SNAPSHOT-2, VM-SNAPSHOT-4] the bytes of a snapshot, and bytes that are none", async (t) => {
  const { createHash } = await import("node:crypto");
  const guest = await module(
    `(module (memory 1 2) (data (i32.const 8192) "\\01") (global (mut i32) (i32.const 7)) (func (export "f") nop nop))`,
  );
  const fresh = guest.instantiate({ fuel: 10n });
  const snapshot = fresh.snapshot();
  const seal = (bytes: Uint8Array): Uint8Array => {
    const body = bytes.subarray(0, bytes.length - 32);
    return Buffer.concat([body, createHash("sha256").update(body).digest()]);
  };
  t.same(seal(snapshot), Buffer.from(snapshot), "the last 32 bytes are SHA-256 of the rest");
  const view = new DataView(snapshot.buffer);
  t.equal(Buffer.from(snapshot.subarray(0, 8)).toString("latin1"), "\x89ASHS\r\n\x1a");
  t.equal(view.getUint32(8, true), 1);
  t.equal(view.getFloat64(12, true), DEFAULT_LIMITS.memoryPages);
  t.same([view.getUint32(60, true), view.getBigUint64(64, true), view.getBigUint64(80, true)], [0, 10n, 9n], "fuel");
  t.same([view.getFloat64(96, true), view.getUint32(104, true)], [0, 1]);
  t.equal(Buffer.from(snapshot.subarray(108, 140)).toString("hex"), guest.digest);
  t.same(
    [140, 144, 145, 149, 153, 157, 161, 161 + 4096].map((at) => view.getUint8(at)),
    [1, 1, 0, 1, 1, 2, 1, 2],
    "dropped segments, one page, one chunk, number 2, its bytes; then a global's two words",
  );
  t.throws(() => Instance.restore(guest, snapshot.subarray(0, 50)), { code: "VM-SNAPSHOT" });
  t.throws(() => Instance.restore(guest, new Uint8Array(0)), { code: "VM-SNAPSHOT" });
  const other = await module(`(module)`);
  t.throws(() => Instance.restore(other, snapshot), { code: "VM-SNAPSHOT", message: /another module/ });
  t.throws(() => restore(snapshot, []), { code: "VM-SNAPSHOT" });
  // A paused one has every part.
  const paused = guest.instantiate({ fuel: 10n });
  paused.begin("f");
  const bytes = paused.snapshot();
  let refused = 0;
  let restored = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (at > 200 && at < 4200) continue;
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (at % 8);
    t.throws(() => Instance.restore(guest, damaged), { code: "VM-SNAPSHOT" });
    try {
      // With a checksum that fits: refused by what it says, or a store that runs.
      const forged = Instance.restore(guest, seal(damaged));
      restored++;
      if (forged.store.paused) forged.resume(1_000n);
    } catch (error) {
      if (!/^(VM-SNAPSHOT|VM-LIMIT|VM-ARGUMENT|8)$/.test(String((error as { code?: unknown }).code))) throw error;
      refused++;
    }
  }
  t.ok(refused > 100 && restored > 20, `${refused} refused, ${restored} restored`);
});

t.test(
  "[VM-SNAPSHOT-2, VM-SNAPSHOT-3, VM-SNAPSHOT-4] every field of a paused store, and what it may not be",
  async (t) => {
    const { createHash } = await import("node:crypto");
    const guest = await module(`(module (memory 1 2) (table 2 externref) (table 1 funcref)
    (global (mut externref) (ref.null extern)) (global (mut i32) (i32.const 7)) (data $d "") (elem $e funcref (ref.func $f))
    (func $f (export "f") (param i32) (result i32)
      (if (result i32) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else nop (i32.const 3)))))`);
    const paused = guest.instantiate({ fuel: 2n ** 63n - 1n, limits: { depth: 1000 } });
    paused.store.addFuel(2n ** 63n - 1n);
    paused.store.addFuel(2n ** 63n - 1n);
    paused.begin("f", [2]);
    t.ok(paused.step(14));
    const snapshot = paused.snapshot();
    const { code } = guest.structure.bodies[0]!;
    const heap = new DataView(snapshot.buffer).getUint32(202, true);
    const execution = 206 + heap;
    const u32At = (at: number): number => new DataView(snapshot.buffer).getUint32(at, true);
    t.equal(u32At(execution), 1, "paused");
    const fields = Array.from({ length: 15 }, (_, k) => u32At(execution + 4 + 4 * k));
    const called = code + 2 + 2 + 2 + 2 + 1;
    const innermost = called + 2 + 1;
    t.same(fields.slice(0, 5), [2, 0, 0, 1000 - 3 * 11, 3], "between instructions, entry, depth, frames");
    t.same(fields.slice(5, 14), [0, 0, innermost, 0, 0, called, 0, 0, called]);
    // A frame: the parameter, the header, two operands at most.
    t.equal(fields[14], 2 * (2 + 4), "the third frame stands on the first operands of the two others");
    const words = execution + 4 + 4 * 15;
    const stack = Array.from({ length: u32At(words) }, (_, k) => u32At(words + 4 + 4 * k));
    t.equal(stack.length, 12 + 2 + 4 + 2 * 2);
    t.same(
      [...stack.slice(0, 6), ...stack.slice(6, 12), ...stack.slice(12, 18)],
      [...[2, 0, 0, 0, 0, 0], ...[1, 0, 0, 0, 0, 0], ...[0, 0, 0, 6, 0, 0]],
    );
    t.equal(words + 4 + 4 * stack.length + 32, snapshot.length);
    const forge = (changes: readonly (readonly [number, number])[], more = 0): Uint8Array => {
      const body = new Uint8Array(snapshot.length - 32 + more);
      body.set(snapshot.subarray(0, Math.min(body.length, snapshot.length - 32)));
      const view = new DataView(body.buffer);
      for (const [at, value] of changes) view.setUint32(at, value, true);
      return Buffer.concat([body, createHash("sha256").update(body).digest()]);
    };
    t.same(Instance.restore(guest, forge([])).resume(0n), [3]);
    t.same([u32At(72), u32At(76)], [1, 0], "granted is over 2^64");
    t.same(Instance.restore(guest, forge([])).snapshot(), snapshot);
    const field = (k: number): number => execution + 4 + 4 * k;
    const refused: [string, ...(readonly [number, number])[]][] = [
      ["magic", [4, 0x1b0a0d53]],
      ["version", [8, 2]],
      ["limit", [16, 0x7ff80000]],
      ["unlimited", [60, 2]],
      ["granted", [76, 0x80000000]],
      ["left", [92, 1]],
      ["credit", [100, 0x7ff80000]],
      ["negative credit", [100, 0xbff00000]],
      ["instances", [104, 2]],
      ["module", [108, 0]],
      ["data flags", [140, 2]],
      ["data flag", [141, 0x02000000]],
      ["pages too few", [150, 0]],
      ["pages too many", [150, 3]],
      ["chunks", [154, 0x10000000]],
      ["table", [158, 0x40000000]],
      ["externref", [162, 1]],
      ["funcref", [174, 2]],
      ["negative funcref", [174, 0xffffffff]],
      ["global", [178, 1]],
      ["externref in a global", [182, 1]],
      ["heap", [202, 0x10000000]],
      ["paused", [execution, 2]],
      ["kind", [field(0), 3]],
      ["kind 0", [field(0), 0]],
      ["kind of place", [field(0), 1]],
      ["entry instance", [field(1), 1]],
      ["entry function", [field(2), 1]],
      ["depth", [field(3), 1000 - 3 * 11 + 1]],
      ["less depth", [field(3), 1000 - 3 * 11 - 1]],
      ["no frames", [field(4), 0]],
      ["frames", [field(4), 0x10000000]],
      ["frame's instance", [field(5), 1]],
      ["frame's function", [field(6), 1]],
      ["frame's offset", [field(7), innermost - 1]],
      ["caller's instance", [field(8), 1]],
      ["caller that does not call", [field(10), code]],
      ["outermost function", [field(12), 7]],
      ["odd base", [field(14), 11]],
      ["base", [field(14), 10]],
      ["base outside", [field(14), 1_000_000]],
      ["stack", [words, stack.length + 1]],
      ["stack of any length", [words, 0xffffffff]],
      ["negative caller's base", [words + 4 + 4 * 15, -2]],
      ["caller's base", [words + 4 + 4 * 15, 4]],
    ];
    for (const [what, ...changes] of refused)
      t.throws(() => Instance.restore(guest, forge(changes)), { code: "VM-SNAPSHOT" }, what);
    t.throws(() => Instance.restore(guest, forge([], 4)), { code: "VM-SNAPSHOT" }, "bytes behind its end");
    for (let missing = 1; missing < snapshot.length - 32; missing++)
      t.throws(
        () => Instance.restore(guest, forge([], -missing)),
        { code: "VM-SNAPSHOT" },
        `${missing} bytes are missing`,
      );
    t.throws(() => Instance.restore(guest, snapshot, { limits: { depth: 32 } }), { code: "VM-SNAPSHOT" });
    t.throws(() => Instance.restore(guest, snapshot, { limits: { depth: -1 } }), { code: "VM-ARGUMENT" });
    const deeper = Instance.restore(guest, snapshot, { limits: { depth: 33 } });
    t.same(deeper.resume(0n), [3], "the frames there are fit");
    t.equal(trapOf(() => deeper.invoke("f", [3])).code, TrapCode.StackExhausted);
  },
);

onBoth("[OVERVIEW-DETERMINISM-1] fuel and digest of an execution, once and for all", async (t, vm) => {
  const guest = await vm.module(STEPPED);
  for (let run = 0; run < 2; run++) {
    const instance = guest.instantiate({ fuel: 10_000n });
    t.same(instance.invoke("run", [12]), [364, 1165n]);
    t.equal(instance.fuelUsed, 4424n);
    t.equal(instance.stateDigest(), "2f020de03db4705158a9eaa1c29aba2e1f6a2a715689e97156af49d9fcb6c3d6");
  }
});

onBoth("[VM-EXEC-1] code stays in proportion to the guest's, however many values its branches carry", async (t, vm) => {
  const results = "i32 ".repeat(999);
  const guest = await vm.instance(`(module (func (export "f") (param i32) (result ${results})
    (block (result ${results}) i32.const 5 ${"i32.const 1 ".repeat(999)} ${"local.get 0 br_if 0 ".repeat(20_000)} br 0)))`);
  t.equal(guest.invoke("f", [1]).length, 999);
  t.ok(guest.module.code(false, false).length < 20 * guest.module.structure.bytes.length);
  t.equal(guest.invoke("f", [0]).length, 999);
});

t.test("[VM-SNAPSHOT-2, VM-SNAPSHOT-3] snapshots that were written in format 1 can be restored for ever", async (t) => {
  const fixture = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/v1/${name}`, import.meta.url));
  const guest = Module.decode(fixture("guest.wasm"));
  for (const [name, used] of [
    ["out-of-fuel.snapshot", 212n],
    ["stepped.snapshot", undefined],
  ] as const) {
    const bytes = fixture(name);
    const restored = Instance.restore(guest, bytes);
    if (used) t.equal(restored.fuelUsed, used);
    else t.same(restored.position, { instance: 0, function: 5, offset: 213 });
    t.same(restored.snapshot(), new Uint8Array(bytes));
    t.same(restored.resume(1_000n), [159]);
    t.equal(restored.fuelUsed, 591n);
    t.equal(restored.stateDigest(), "c0384830ab26ff35a9830418038d29895c6cb882843d60af0f1eb074b411ff82");
  }
});
