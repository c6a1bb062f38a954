/** What the compiled engine does that the reference engine does not, or does in its own way. */
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { hostLinkageOf, linkageKey } from "../../vm/compiled/linkage.ts";
import { capturesStacks } from "../../vm/compiled/stack.ts";
import {
  type Caller,
  type ExportedFunction,
  Global,
  type HostFunction,
  type Imports,
  Instance,
  type InstantiateOptions,
  Module,
  restore,
  Store,
  Table,
  type Trap,
  TrapCode,
  type Value,
} from "../../vm/index.ts";
import { engineOf } from "../../vm/store.ts";
import { trapOf } from "./engines.ts";

async function module(wat: string): Promise<Module> {
  return Module.decode(await loadWat(wat));
}

async function compiled(wat: string, options: InstantiateOptions = {}): Promise<Instance> {
  return (await module(wat)).instantiate({ engine: "compiled", ...options });
}

function host(type: HostFunction["type"], call: HostFunction["call"], fuel: HostFunction["fuel"] = 0): HostFunction {
  return { type, fuel, mayFree: false, call };
}

const NOTHING = { params: [], results: [] };
const FIB = `(module (func $fib (export "fib") (param i32) (result i32)
  (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`;

t.test("[VM-ENGINE-1] a store has the engine that it was given", async (t) => {
  const fib = await module(FIB);
  t.equal(new Store().engine, "reference");
  t.equal(new Store({ engine: "compiled" }).engine, "compiled");
  t.equal(new Store({ engine: "compiled", profile: true }).engine, "reference");
  t.equal(fib.instantiate().store.engine, "reference");
  const store = new Store({ engine: "compiled" });
  t.same(fib.instantiate({ store }).invoke("fib", [10]), [55]);
  t.same(fib.instantiate({ store, engine: "compiled" }).invoke("fib", [11]), [89]);
  t.throws(() => fib.instantiate({ store, engine: "reference" }), { code: "VM-ARGUMENT" });
  t.throws(() => fib.instantiate({ store: new Store(), engine: "compiled" }), { code: "VM-ARGUMENT" });
  t.throws(() => fib.instantiate({ store, interrupt: new Int32Array(2) }), { code: "VM-ARGUMENT" });
  t.throws(() => new Store({ interrupt: new Int32Array(1) }), { code: "VM-ARGUMENT" });
  t.throws(() => engineOf({ engine: "turbo" as "compiled" }), { code: "VM-ARGUMENT" });
});

t.test("[VM-ENGINE-2] what pauses needs the reference engine", async (t) => {
  const fib = await compiled(FIB);
  const attempts = [
    () => fib.begin("fib", [3]),
    () => fib.step(),
    () => fib.resume(5n),
    () => fib.store.results(),
    () => {
      fib.store.hooks = {};
    },
  ];
  for (const attempt of attempts) t.throws(attempt, { code: "VM-ENGINE" }, String(attempt));
  fib.store.hooks = undefined;
  t.equal(fib.position, undefined);
  t.same(fib.invoke("fib", [7]), [13]);
});

t.test("[VM-ENGINE-2] what V8 does not take", async (t) => {
  const fib = await module(FIB);
  const { Module: Native } = WebAssembly;
  try {
    WebAssembly.Module = class {
      constructor() {
        throw new WebAssembly.CompileError("too large");
      }
    } as never;
    t.throws(() => fib.instantiate({ engine: "compiled" }), { code: "VM-ENGINE", message: /too large/ });
  } finally {
    WebAssembly.Module = Native;
  }
  t.same(fib.instantiate({ engine: "compiled" }).invoke("fib", [10]), [55]);

  const text = `(module (func (export "many") (local ${"i32 ".repeat(50_000)})) (func (export "none") (result i32) (i32.const 3)))`;
  const guest = Module.decode(await loadWat(text), { limits: { functionLocals: 50_000 } });
  t.throws(() => guest.instantiate({ engine: "compiled" }), { code: "VM-ENGINE", message: /local count/ });
  setFlagsFromString("--wasm-lazy-validation");
  try {
    const instance = guest.instantiate({ engine: "compiled" });
    t.throws(() => instance.invoke("many"), { code: "VM-ENGINE", message: /local count/ }, "at the call");
    t.same(instance.invoke("none"), [3]);
  } finally {
    setFlagsFromString("--no-wasm-lazy-validation");
  }
});

t.test("[VM-ENGINE-3] out of fuel is the end of the store", async (t) => {
  const fib = await module(FIB);
  const [reference, other] = (["reference", "compiled"] as const).map((engine) => {
    const instance = fib.instantiate({ engine, fuel: 1000n });
    const trap = trapOf(() => instance.invoke("fib", [20]));
    t.equal(trap.reason, "OutOfFuel");
    t.equal(trap.resumable, engine === "reference");
    return { instance, seen: [trap.fuel, trap.backtrace, instance.fuelUsed, instance.stateDigest()] };
  });
  t.same(other!.seen, reference!.seen);
  t.ok(other!.instance.fuelUsed > 1000n);
  const { instance } = other!;
  instance.store.addFuel(1_000_000n);
  t.equal(instance.store.fuelLeft, reference!.instance.store.fuelLeft! + 1_000_000n);
  t.throws(() => instance.invoke("fib", [1]), { code: "VM-DEAD" });
  t.throws(() => instance.function("fib").invoke([1]), { code: "VM-DEAD" });
  t.throws(() => instance.snapshot(), { code: "VM-DEAD" });
  t.throws(() => fib.instantiate({ store: instance.store }), { code: "VM-DEAD" });
  t.throws(() => instance.resume(5n), { code: "VM-ENGINE" });
});

const REFERENCED = await loadWat(`(module (table (export "t") 1 funcref) (elem (i32.const 0) $g)
    (func $g (param f64 f32) (result f32 f64) (local.get 1) (f64.neg (local.get 0))))`);

t.test("[VM-ENGINE-3] during instantiation, and in a function that only a reference names", async (t) => {
  const seen = [0n, 2n, 4n, 100n].map((fuel) =>
    (["reference", "compiled"] as const).map((engine) => {
      const store = new Store({ engine, fuel });
      try {
        const instance = Module.decode(REFERENCED).instantiate({ store });
        const g = instance.table("t").get(0) as ExportedFunction;
        return [g.invoke([{ bits: 0x7ff0_0000_0000_0001n }, { bits: 0xff80_0001 }], { bits: true }), store.fuelUsed];
      } catch (error) {
        const { reason, backtrace, fuel: used } = error as Trap;
        return [reason, backtrace, used, store.fuelUsed];
      }
    }),
  );
  for (const [reference, other] of seen) t.same(other, reference);
  t.same(seen[3]![1], [[{ bits: 0xff80_0001 }, { bits: 0xfff0_0000_0000_0001n }], 4n]);
  t.same(
    seen.slice(0, 3).map(([reference]) => reference![0]),
    ["OutOfFuel", "OutOfFuel", seen[2]![0]![0]],
  );
});

t.test("[VM-ENGINE-4] a mutable global is of one engine", async (t) => {
  const user = await module(`(module (import "g" "n" (global $n (mut f64))) (import "g" "c" (global $c f32))
    (func (export "add") (global.set $n (f64.add (global.get $n) (f64.promote_f32 (global.get $c))))))`);
  const globals = () => ({
    n: new Global({ value: "f64", mutable: true }, 1.5),
    c: new Global({ value: "f32", mutable: false }, 0.25),
  });
  for (const [first, second] of [
    ["reference", "compiled"],
    ["compiled", "reference"],
  ] as const) {
    const g = globals();
    const one = user.instantiate({ engine: first, imports: { g } });
    const two = user.instantiate({ engine: first, imports: { g } });
    one.invoke("add");
    two.invoke("add");
    t.equal(g.n.get(), 2);
    g.n.set(Number.NaN);
    t.same(g.n.get({ bits: true }), { bits: 0x7ff8_0000_0000_0000n });
    g.n.set({ bits: 0x7ff0_0000_0000_0001n });
    t.same(g.n.get({ bits: true }), { bits: 0x7ff0_0000_0000_0001n });
    t.throws(() => user.instantiate({ engine: second, imports: { g } }), { code: "VM-LINK", importName: "n" });
    const own = user.instantiate({ engine: second, imports: { g: { ...globals(), c: g.c } } });
    own.invoke("add");
  }
});

t.test("[VM-ENGINE-5] a host's stack that is too small is no trap", async (t) => {
  const deep = await compiled(
    `(module (import "h" "f" (func $f)) (func $d (export "d") (param i32) (local i64 i64 i64 i64)
      (call $f) (if (local.get 0) (then (call $d (i32.sub (local.get 0) (i32.const 1)))))))`,
    { limits: { depth: 100_000_000 }, imports: { h: { f: host(NOTHING, () => {}) } } },
  );
  t.throws(() => deep.invoke("d", [10_000_000]), { code: "VM-HOST-STACK" });
  deep.invoke("d", [10]);
  const own = new RangeError("Maximum call stack size exceeded");
  const thrower = await compiled(
    `(module (import "h" "f" (func $f)) (export "f" (func $f)) (func (export "g") (call $f)))`,
    {
      imports: {
        h: {
          f: host(NOTHING, () => {
            throw own;
          }),
        },
      },
    },
  );
  t.throws(() => thrower.invoke("f"), own);
  const foreign = new WebAssembly.RuntimeError("unreachable");
  const other = await compiled(`(module (import "h" "f" (func $f)) (func (export "g") (call $f)))`, {
    imports: {
      h: {
        f: host(NOTHING, () => {
          throw foreign;
        }),
      },
    },
  });
  try {
    other.invoke("g");
    t.fail("it does not return");
  } catch (error) {
    t.equal(error, foreign, "what a host function throws is not taken for a trap of V8");
  }
});

t.test("[VM-DEPTH-1] at the default limit StackExhausted comes before the host's stack ends", async (t) => {
  const list = (count: number, text: (k: number) => string): string =>
    Array.from({ length: count }, (_, k) => text(k)).join(" ");
  // Everything is live across the call, in registers as long as there are some.
  const recursive = (params: number, locals: number): string => `(module (import "h" "f" (func $f)) (memory 1)
    (func $d ${list(params, () => "(param i64)")} ${list(locals, () => "(local f64)")}
      ${list(locals, (k) => `(local.set ${params + k} (f64.load (i32.const ${8 * k})))`)} (call $f)
      (call $d ${list(params, (k) => `(local.get ${k})`)})
      ${list(locals, (k) => `(f64.store (i32.const ${8 * k}) (local.get ${params + k}))`)}
      ${list(params, (k) => `(i64.store (i32.const ${8 * k}) (local.get ${k}))`)})
    (func (export "go") (call $d ${list(params, () => "(i64.const 1)")})))`;
  const operands = `(module (import "h" "f" (func $f)) (memory 1) (func $d (result i64) (call $f)
    ${list(300, (k) => `(i64.load (i32.const ${8 * k}))`)} (call $d) ${list(300, () => "i64.add")})
    (func (export "go") (drop (call $d))))`;
  const guests = [
    [0, 0],
    [1, 0],
    [16, 0],
    [998, 0],
    [0, 16],
    [0, 1000],
  ].map(([params, locals]) => recursive(params!, locals!));
  for (const [k, wat] of [...guests, operands].entries()) {
    let calls = 0;
    const f = host(NOTHING, () => {
      calls++;
    });
    const guest = await compiled(wat, { imports: { h: { f } } });
    // Cold, and in the code that V8 has optimised.
    const reasons = Array.from({ length: 40 }, () => trapOf(() => guest.invoke("go")).reason);
    t.same(new Set(reasons), new Set(["StackExhausted"]), `guest ${k}`);
    t.equal(calls % 40, 0, "always as deep");
    t.ok(calls > 0);
  }
});

t.test("[VM-HOST-2] errors of the host keep their stacks", async (t) => {
  const inner = new WebAssembly.Module(await loadWat(`(module (func (export "f") unreachable))`));
  const errors = [
    () => {
      (new WebAssembly.Instance(inner).exports.f as () => void)();
    },
    () => {
      throw new RangeError("Maximum call stack size exceeded");
    },
  ];
  const format = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  try {
    for (const own of [undefined, () => "as the embedder likes"]) {
      if (own) (Error as { prepareStackTrace?: unknown }).prepareStackTrace = own;
      else Reflect.deleteProperty(Error, "prepareStackTrace");
      for (const fail of errors) {
        const guest = await compiled(`(module (import "h" "f" (func $f)) (func (export "g") (call $f)))`, {
          imports: { h: { f: host(NOTHING, fail) } },
        });
        try {
          guest.invoke("g");
          t.fail("it does not return");
        } catch (error) {
          const { stack, message, name } = error as Error;
          t.equal(typeof stack, "string");
          t.match(stack, own ? /^as the embedder likes$/ : new RegExp(`^${name}: ${message}\\n    at .*\\n    at `));
        }
      }
    }
  } finally {
    Reflect.deleteProperty(Error, "prepareStackTrace");
    if (format) Object.defineProperty(Error, "prepareStackTrace", format);
  }
});

t.test("[VM-HOST-2] a formatter of stacks that throws takes no trap away", async (t) => {
  const format = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const holder = Error as { prepareStackTrace?: unknown };
  let calls = 0;
  const guest = await compiled(`(module (import "h" "f" (func $f)) (func (export "g") (call $f)))`, {
    imports: { h: { f: host(NOTHING, (caller) => caller.trap(TrapCode.BadArgument)) } },
  });
  try {
    holder.prepareStackTrace = () => {
      calls++;
      throw new Error("formatter");
    };
    guest.invoke("g");
    t.fail("it does not return");
  } catch (error) {
    t.equal((error as Trap).code, TrapCode.BadArgument);
    t.equal(calls, 0, "and has nothing to say of it");
  } finally {
    Reflect.deleteProperty(Error, "prepareStackTrace");
    if (format) Object.defineProperty(Error, "prepareStackTrace", format);
  }
});

t.test("[VM-HOST-1, VM-HOST-2] traps from deep in the host, and results that are no numbers", async (t) => {
  const wat = `(module (import "h" "f" (func $f (result f64))) (func (export "g") (result f64) (call $f)))`;
  const type = { params: [], results: ["f64"] } as const;
  const m = await module(wat);
  const shown = (["reference", "compiled"] as const).map((engine) => {
    const invoke = (call: HostFunction["call"]) =>
      m.instantiate({ engine, imports: { h: { f: host(type, call) } } }).invoke("g", [], { bits: true });
    const deep = (caller: Caller, depth: number): number =>
      depth === 0 ? caller.trap(60, "deep") : deep(caller, depth - 1) + 1;
    const trap = trapOf(() => invoke((caller) => deep(caller, 1000)));
    const values = ["text", "2.5", true, null, {}, Number.NaN].map((value) => invoke(() => value as number));
    return [trap.function, trap.offset, trap.backtrace, values];
  });
  t.same(shown[1], shown[0]);
  t.equal(shown[0]![0], 1);
});

t.test("[VM-TRAP-3] whoever formats stacks, and however many frames it wants", async (t) => {
  const guest = await compiled(`(module (func $f (export "f") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then unreachable)) (call $f (i32.sub (local.get 0) (i32.const 1)))))`);
  const error = Error as unknown as { stackTraceLimit: number; prepareStackTrace?: unknown };
  const before = { ...Object.getOwnPropertyDescriptor(Error, "stackTraceLimit") };
  const prepare = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  const asked: string[] = [];
  try {
    for (const limit of [0, 10, 500]) {
      error.stackTraceLimit = limit;
      error.prepareStackTrace = (thrown: Error) => {
        asked.push(thrown.name);
        return "a stack";
      };
      const mine = error.prepareStackTrace;
      const trap = trapOf(() => guest.invoke("f", [100]));
      t.equal(trap.backtrace.length, 64);
      t.ok(trap.backtrace.slice(1).every(({ offset, name }) => offset > trap.offset && name === "f"));
      t.equal(error.stackTraceLimit, limit);
      t.equal(error.prepareStackTrace, mine);
    }
    t.notOk(asked.includes("RuntimeError"));
    Reflect.deleteProperty(Error, "stackTraceLimit");
    t.equal(trapOf(() => guest.invoke("f", [100])).backtrace.length, 64);
    t.notOk(Object.hasOwn(Error, "stackTraceLimit"));
    Object.defineProperty(Error, "stackTraceLimit", { value: 10, writable: false, configurable: true });
    t.equal(trapOf(() => guest.invoke("f", [2])).backtrace.length, 3);
    trapOf(() => guest.invoke("f", [2]));
    t.notOk(capturesStacks(), "a new store would have the reference engine");
    Reflect.deleteProperty(Error, "stackTraceLimit");
    t.ok(capturesStacks());
    Reflect.deleteProperty(Error, "prepareStackTrace");
    t.equal(trapOf(() => guest.invoke("f", [2])).backtrace.length, 3);
    t.notOk(Object.hasOwn(Error, "prepareStackTrace"));
  } finally {
    Object.defineProperty(Error, "stackTraceLimit", before);
    if (prepare) Object.defineProperty(Error, "prepareStackTrace", prepare);
  }
});

t.test("[VM-TRAP-3] backtraces tell instances of one module apart", async (t) => {
  const callee = await module(`(module (func $r (export "f") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then unreachable)) (call $r (i32.sub (local.get 0) (i32.const 1)))))`);
  const caller = await module(`(module (type $t (func (param i32) (result i32))) (import "a" "f" (func $a (type $t)))
    (import "b" "f" (func $b (type $t))) (table (export "t") 2 funcref) (elem (i32.const 0) $a $b)
    (func (export "a") (param i32) (result i32) (call $a (local.get 0)))
    (func (export "b") (param i32) (result i32) (call $b (local.get 0)))
    (func (export "i") (param i32 i32) (result i32) (call_indirect (type $t) (local.get 0) (local.get 1))))`);
  const shown = (["reference", "compiled"] as const).map((engine) => {
    const store = new Store({ engine });
    const one = callee.instantiate({ store });
    const two = callee.instantiate({ store });
    const imports = (a: Instance, b: Instance): Imports => ({
      a: { f: a.exported("f")! },
      b: { f: b.exported("f")! },
    });
    const third = caller.instantiate({ store, imports: imports(one, two) });
    // Of a second instance of a module that calls others.
    const fourth = caller.instantiate({
      store,
      imports: { a: { f: third.exported("b")! }, b: { f: one.exported("f")! } },
    });
    const traps = [
      () => two.invoke("f", [80]),
      () => third.invoke("a", [3]),
      () => third.invoke("b", [80]),
      () => fourth.invoke("a", [1]),
      () => fourth.invoke("b", [1]),
      () => third.invoke("i", [2, 0]),
      () => fourth.invoke("i", [2, 1]),
      () => third.invoke("i", [2, 1]),
      () => two.function("f").invoke([1]),
      () => {
        third.table("t").set(0, two.function("f"));
        third.invoke("i", [70, 0]);
      },
      () => third.invoke("i", [1, 0]),
    ].map((run) => trapOf(run).backtrace.map(({ instance, function: index, offset }) => [instance, index, offset]));
    return traps;
  });
  t.same(shown[1], shown[0]);
  t.same(
    shown[1]!.map((frames) => frames.map(([instance]) => instance).join("")),
    ["1".repeat(64), "00002", "1".repeat(64), "1123", "003", "0002", "0003", "1112", "11", "1".repeat(64), "112"],
  );
});

t.test("[VM-HOST-1] a host function knows who calls it, whichever way", async (t) => {
  const seen: (readonly [string, number, number | undefined])[] = [];
  const who = (name: string): HostFunction =>
    host(NOTHING, (caller) => {
      seen.push([name, caller.instance, caller.memory?.pages]);
    });
  const owner =
    await module(`(module (import "h" "f" (func $f)) (memory 1) (table (export "t") 2 funcref) (elem (i32.const 0) $f $g)
    (export "f" (func $f)) (func $g (call $f)) (export "g" (func $g)))`);
  const user =
    await module(`(module (import "o" "t" (table 2 funcref)) (import "o" "f" (func $f)) (import "o" "g" (func $g)) (memory 2)
    (type $v (func))
    (func (export "direct") (call $f)) (func (export "through") (call $g))
    (func (export "indirect") (param i32) (call_indirect (type $v) (local.get 0))))`);
  const [reference, other] = (["reference", "compiled"] as const).map((engine) => {
    seen.length = 0;
    const store = new Store({ engine });
    const o = owner.instantiate({ store, imports: { h: { f: who("f") } } });
    const imports = { o: { t: o.table("t"), f: o.exported("f")!, g: o.exported("g")! } };
    const u = user.instantiate({ store, imports });
    for (const [name, args] of [["direct"], ["through"], ["indirect", [0]], ["indirect", [1]]] as [string, Value[]?][])
      u.invoke(name, args);
    o.invoke("f");
    o.invoke("g");
    (u.tables[0]!.get(0) as ExportedFunction).invoke();
    return [...seen];
  });
  t.same(other, reference);
  t.same(other, [
    ["f", 1, 2],
    ["f", 0, 1],
    ["f", 1, 2],
    ["f", 0, 1],
    ["f", -1, undefined],
    ["f", 0, 1],
    ["f", -1, undefined],
  ]);
});

t.test("[VM-HOST-1] bound functions are called without anything between", async (t) => {
  const calls: number[][] = [];
  const bound: HostFunction = {
    type: { params: ["i32", "i64"], results: ["i64"] },
    fuel: 5,
    mayFree: false,
    call: () => {
      throw new Error("not this one");
    },
    bind: (caller) => (a, low, high) => {
      caller.look?.();
      calls.push([a!, low!, high!, caller.instance]);
      if (a === 9) caller.trap(60, "nine");
      caller.results.setI64(0, low! + a!, high!);
    },
  };
  const wat = `(module (import "h" "f" (func $f (param i32 i64) (result i64))) (export "h" (func $f))
    (func (export "f") (param i32 i64) (result i64) (call $f (local.get 0) (local.get 1))))`;
  const guest = await compiled(wat, { imports: { h: { f: bound } } });
  t.same(guest.invoke("f", [2, 3n]), [5n]);
  t.same(calls, [[2, 3, 0, 0]]);
  const trap = trapOf(() => guest.invoke("f", [9, 1n]));
  t.same([trap.code, trap.backtrace.length, trap.function], [60, 1, 1]);
  t.throws(() => guest.invoke("f", [1, 1n], { signal: { aborted: true } }), { code: "VM-STOPPED" });
  t.same(guest.invoke("f", [1, 1n], { signal: { aborted: false } }), [2n]);
  t.same(guest.invoke("f", [1, 2n]), [3n]);
  const interrupt = new Int32Array(new SharedArrayBuffer(8));
  const stoppable = await compiled(wat, { imports: { h: { f: bound } }, interrupt });
  t.same(stoppable.invoke("f", [4, -1n]), [-4_294_967_293n]);
  interrupt[0] = 1;
  t.throws(() => stoppable.invoke("f", [4, 0n]), { code: "VM-STOPPED" });
});

for (const engine of ["reference", "compiled"] as const) {
  t.test(`[VM-STOP-1] another thread stops an invocation on the ${engine} engine`, async (t) => {
    const interrupt = new Int32Array(new SharedArrayBuffer(8));
    const words: number[] = [];
    const guest = (
      await module(`(module (import "h" "f" (func $f)) (func (export "spin") (loop (br 0)))
        (func (export "call") (call $f)) (func (export "one") (result i32) (i32.const 1)))`)
    ).instantiate({
      engine,
      interrupt,
      imports: {
        h: {
          f: host(NOTHING, () => {
            words.push(Atomics.load(interrupt, 1));
            if (words.length === 2) throw new Error("it fails");
            if (words.length === 3) interrupt[0] = 1;
          }),
        },
      },
    });
    guest.invoke("call");
    t.equal(interrupt[1], 0);
    t.throws(() => guest.invoke("call"), { message: "it fails" });
    t.equal(interrupt[1], 0);
    guest.invoke("call");
    t.throws(() => guest.invoke("call"), { code: "VM-STOPPED" });
    t.throws(() => guest.invoke("one"), { code: "VM-STOPPED" });
    t.same(words, [1, 1, 1], "in a host call, and never once a stop is wanted");
    t.equal(interrupt[1], 0);
    interrupt[0] = 0;
    const worker = new Worker(
      `const { workerData } = require("node:worker_threads");
      setTimeout(() => Atomics.store(workerData, 0, 1), 50);`,
      { eval: true, workerData: interrupt },
    );
    t.throws(() => guest.invoke("spin"), { code: "VM-STOPPED" });
    await worker.terminate();
    interrupt[0] = 0;
    t.same(guest.invoke("one"), [1], "as after a trap");
  });

  t.test(`[VM-STOP-2] a signal stops at a host call on the ${engine} engine`, async (t) => {
    const signal = { aborted: false };
    let calls = 0;
    const guest = (
      await module(`(module (import "h" "f" (func $f)) (func (export "go") (loop (call $f) (br 0)))
        (export "f" (func $f)) (func (export "one") (result i32) (i32.const 1)))`)
    ).instantiate({
      engine,
      imports: {
        h: {
          f: host(NOTHING, () => {
            signal.aborted = ++calls >= 5;
          }),
        },
      },
    });
    t.throws(() => guest.invoke("go", [], { signal }), { code: "VM-STOPPED" });
    t.equal(calls, 5);
    t.same(guest.invoke("one", [], { signal }), [1], "nothing is called");
    t.throws(() => guest.invoke("f", [], { signal }), { code: "VM-STOPPED" });
    t.equal(calls, 5);
    guest.invoke("f");
    t.equal(calls, 6, "the signal was that invocation's");
  });
}

/** A bit of everything that a snapshot holds. */
const STATE = `(module (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "store8" (func $store8 (param i64 i32 i32))) (import "bytes" "load8_u" (func $load8 (param i64 i32) (result i32)))
  (import "bytes" "of_memory" (func $window (result i64))) (import "bytes" "len" (func $len (param i64) (result i32)))
  (memory 1 4) (global $ref (mut i64) (i64.const 0)) (global $w (mut i64) (i64.const 0)) (global $f (mut f64) (f64.const 1))
  (global $fn (mut funcref) (ref.null func)) (global $own funcref (ref.func $b))
  (table $t 3 10 funcref) (elem $e (i32.const 0) $a $b) (elem $p funcref (ref.func $b)) (data $d "data") (data $q "more")
  (data (i32.const 9) "active")
  (func $a (result i32) (i32.const 10)) (func $b (result i32) (i32.const 20))
  (type $v (func (result i32)))
  (func (export "make") (global.set $ref (call $new (i32.const 40))) (call $store8 (global.get $ref) (i32.const 5) (i32.const 99))
    (global.set $w (call $window)) (global.set $f (f64.div (f64.const 0) (f64.const 0)))
    (drop (memory.grow (i32.const 1))) (i32.store (i32.const 70000) (i32.const 0x12345678))
    (global.set $fn (ref.func $a)) (table.set $t (i32.const 2) (ref.func $b)) (drop (table.grow $t (ref.func $a) (i32.const 2)))
    (memory.init $d (i32.const 100) (i32.const 0) (i32.const 4)) (data.drop $d) (elem.drop $p))
  (func (export "use") (param i32) (result i32)
    (i32.add (i32.mul (call_indirect $t (type $v) (local.get 0)) (i32.const 1000))
      (i32.add (call $load8 (global.get $ref) (i32.const 5))
        (i32.add (call $load8 (global.get $w) (i32.const 101)) (call $len (global.get $w))))))
  (func (export "init") (param i32) (result i32) (table.init $t $e (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 1))
  (func (export "passive") (param i32) (result i32) (table.init $t $p (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 1))
  (func (export "data") (param i32) (result i32) (memory.init $d (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 1))
  (func (export "more") (param i32) (result i32) (memory.init $q (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 1)))`;

t.test("[VM-SNAPSHOT-6] snapshots between calls go from either engine to either", async (t) => {
  const state = await module(STATE);
  const engines = ["reference", "compiled"] as const;
  const snapshots = engines.map((engine) => {
    const instance = state.instantiate({ engine, fuel: 1_000_000n });
    instance.invoke("make");
    return instance.snapshot();
  });
  t.same(snapshots[1], snapshots[0]);
  const fresh = engines.map((engine) => state.instantiate({ engine }).snapshot());
  t.same(fresh[1], fresh[0]);
  const ends = [];
  for (const snapshot of snapshots)
    for (const engine of engines) {
      const instance = Instance.restore(state, snapshot, { engine });
      t.equal(instance.store.engine, engine);
      t.same(instance.snapshot(), snapshot);
      const shown: unknown[] = [instance.stateDigest()];
      for (const [name, arg] of [
        ["use", 0],
        ["use", 2],
        ["use", 4],
        ["use", 5],
        ["init", 0],
        ["init", 1],
        ["passive", 1],
        ["data", 1],
        ["more", 4],
        ["use", 1],
      ] as const)
        try {
          shown.push(instance.invoke(name, [arg]));
        } catch (error) {
          const { reason, function: index, offset, fuel } = error as Trap;
          shown.push([reason, index, offset, fuel]);
        }
      shown.push(instance.fuelUsed, instance.stateDigest());
      ends.push(shown);
    }
  for (const end of ends) t.same(end, ends[0]);
  t.same(ends[0]!.slice(1, 4), [
    [10_000 + 99 + 97 + 131_072],
    [20_000 + 99 + 97 + 131_072],
    [10_000 + 99 + 97 + 131_072],
  ]);
  t.same(
    ends[0]!.slice(4, 10).map((shown) => (shown as unknown[])[0]),
    ["TableOutOfBounds", 1, "TableOutOfBounds", "TableOutOfBounds", "MemoryOutOfBounds", 1],
  );
});

t.test("[VM-SNAPSHOT-6] across instances; inside a call into the reference engine only", async (t) => {
  const owner = await module(
    `(module (table (export "t") 2 funcref) (global (export "g") (mut funcref) (ref.null func)))`,
  );
  const user = await module(`(module (import "o" "t" (table 2 funcref)) (import "o" "g" (global $g (mut funcref)))
    (type $v (func (result i32))) (func $f (result i32) (i32.const 33)) (elem declare func $f)
    (func (export "put") (table.set (i32.const 1) (ref.func $f)) (global.set $g (ref.func $f)))
    (func (export "call") (result i32) (call_indirect (type $v) (i32.const 1)))
    (func (export "spin") (result i32) (loop (br 0)) unreachable))`);
  const imports = ([o]: readonly Instance[]): Imports => ({ o: { t: o!.table("t"), g: o!.global("g") } });
  const parts = [
    { module: owner, imports: {} },
    { module: user, imports },
  ];
  const made = (["reference", "compiled"] as const).map((engine) => {
    const store = new Store({ engine, fuel: 1000n });
    const o = owner.instantiate({ store });
    const u = user.instantiate({ store, imports: imports([o]) });
    u.invoke("put");
    return { store, u };
  });
  const [one, two] = made.map(({ u }) => u.snapshot());
  t.same(two, one);
  for (const engine of ["reference", "compiled"] as const) {
    const store = restore(one!, parts, { engine });
    t.same(store.instances[1]!.invoke("call"), [33]);
    t.equal(store.instances[0]!.stateDigest(), restore(two!, parts).instances[0]!.stateDigest());
  }
  trapOf(() => made[0]!.u.invoke("spin"));
  const midcall = made[0]!.u.snapshot();
  t.equal(restore(midcall, parts).paused, true);
  t.throws(() => restore(midcall, parts, { engine: "compiled" }), { code: "VM-SNAPSHOT-MIDCALL" });
});

t.test("[HEAP-BYTES-5, HEAP-BYTES-6] a window is of use to its own instance and to the host", async (t) => {
  const guest = await module(`(module (import "bytes" "of_memory" (func $window (result i64)))
    (import "bytes" "len" (func $len (param i64) (result i32))) (import "bytes" "load8_u" (func $load (param i64 i32) (result i32)))
    (import "bytes" "store8" (func $store (param i64 i32 i32))) (import "bytes" "kind" (func $kind (param i64) (result i32)))
    (import "bytes" "destroy" (func $destroy (param i64)))
    (import "bytes" "fill" (func $fill (param i64 i32 i32 i32)))
    (import "bytes" "copy" (func $copy (param i64 i32 i64 i32 i32)))
    (import "bytes" "compare" (func $compare (param i64 i32 i64 i32 i32) (result i32)))
    (memory 1) (data (i32.const 7) "x")
    (func (export "window") (result i64) (call $window))
    (func (export "len") (param i64) (result i32) (call $len (local.get 0)))
    (func (export "load") (param i64) (result i32) (call $load (local.get 0) (i32.const 7)))
    (func (export "store") (param i64) (result i32) (call $store (local.get 0) (i32.const 7) (i32.const 121)) (i32.const 0))
    (func (export "fill") (param i64) (result i32) (call $fill (local.get 0) (i32.const 8) (i32.const 5) (i32.const 9)) (i32.const 0))
    (func (export "copy") (param i64) (result i32) (call $copy (local.get 0) (i32.const 8) (local.get 0) (i32.const 4) (i32.const 9)) (i32.const 0))
    (func (export "compare") (param i64) (result i32) (call $compare (local.get 0) (i32.const 8) (local.get 0) (i32.const 4) (i32.const 9)))
    (func (export "kind") (param i64) (result i32) (call $kind (local.get 0)))
    (func (export "destroy") (param i64) (result i32) (call $destroy (local.get 0)) (i32.const 0)))`);
  const bare = await module(
    `(module (import "bytes" "of_memory" (func $window (result i64))) (func (export "window") (result i64) (call $window)))`,
  );
  const calls = ["len", "load", "store", "fill", "copy", "compare", "kind", "destroy"];
  const shown = (["reference", "compiled"] as const).map((engine) => {
    const store = new Store({ engine });
    const one = guest.instantiate({ store });
    const two = guest.instantiate({ store });
    const [window] = one.invoke("window");
    const outcomes = [one, two].map((instance) =>
      calls.map((name) => {
        try {
          return instance.invoke(name, [window!])[0];
        } catch (error) {
          return (error as Trap).reason;
        }
      }),
    );
    const [ref] = one.invoke("window");
    t.equal(store.heap.length(Number(BigInt.asUintN(32, ref as bigint)), 1), 65_536, "the host sees it");
    t.same(bare.instantiate({ store }).invoke("window"), [0n], "no memory, no window");
    return [outcomes, one.stateDigest(), store.fuelUsed];
  });
  t.same(shown[1], shown[0]);
  t.same(shown[0]![0], [
    [65_536, 120, 0, 0, 0, 1, 1, "HeapRefFixed"],
    [...Array(6).fill("HeapRefKind"), 1, "HeapRefFixed"],
  ]);
});

t.test("[VM-STORE-2] tables of the embedder hold functions and host values on both engines", async (t) => {
  const user =
    await module(`(module (import "h" "t" (table $t 2 4 funcref)) (import "h" "x" (table $x 2 externref)) (import "h" "f" (func $f (param i32) (result i32)))
    (type $u (func (param i32) (result i32)))
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "get") (param i32) (result externref) (table.get $x (local.get 0)))
    (func (export "swap") (param funcref externref) (result externref funcref) (local.get 1) (local.get 0))
    (func (export "call") (param i32 i32) (result i32) (call_indirect $t (type $u) (local.get 1) (local.get 0)))
    (func (export "put") (table.set $t (i32.const 1) (ref.func $f))) (elem declare func $f) )`);
  for (const engine of ["reference", "compiled"] as const) {
    const store = new Store({ engine });
    const table = new Table({ element: "funcref", minimum: 2, maximum: 4 });
    const externs = new Table({ element: "externref", minimum: 2, maximum: undefined }, undefined, store);
    const object = { any: "thing" };
    externs.set(1, { extern: object });
    const f = host({ params: ["i32"], results: ["i32"] }, (_, x) => x! + 1000);
    const guest = user.instantiate({ store, imports: { h: { t: table, x: externs, f } } });
    t.same(guest.invoke("get", [1]), [{ extern: object }]);
    t.same(guest.invoke("get", [0]), [null]);
    const double = guest.function("double");
    table.set(0, double);
    guest.invoke("put");
    t.same([guest.invoke("call", [0, 21]), guest.invoke("call", [1, 21])], [[42], [1021]]);
    t.equal(table.get(0), double);
    t.same((table.get(1) as ExportedFunction).invoke([5]), [1005]);
    t.same(guest.invoke("swap", [double, { extern: 7 }]), [{ extern: 7 }, double]);
    t.equal(table.grow(2, 1 + double.address), 2);
    t.same([table.length, table.get(3), table.grow(1, 0)], [4, double, -1]);
    t.throws(() => table.get(4), { code: "VM-ARGUMENT" });
    t.throws(() => table.set(0, 5 as never), { code: "VM-ARGUMENT" });
  }
});

t.test("[VM-LIMIT-2] a host without room is VM-HOST-MEMORY", async (t) => {
  const guest = await module(`(module (import "bytes" "new" (func $n (param i32) (result i64))) (memory 1)
    (func (export "f") (result i64) (call $n (i32.const 1))))`);
  const { Memory, Instance: Native } = WebAssembly;
  const refusing = class {
    constructor() {
      throw new RangeError("Out of memory");
    }
  };
  try {
    WebAssembly.Memory = refusing as never;
    t.throws(() => guest.instantiate({ engine: "compiled" }), { code: "VM-HOST-MEMORY" });
    WebAssembly.Memory = Memory;
    WebAssembly.Instance = refusing as never;
    t.throws(() => guest.instantiate({ engine: "compiled" }), { code: "VM-HOST-MEMORY" });
  } finally {
    WebAssembly.Memory = Memory;
    WebAssembly.Instance = Native;
  }
  const instance = guest.instantiate({ engine: "compiled" });
  t.same(instance.invoke("f"), [2n ** 32n + 1n]);
});

t.test("[VM-ENGINE-1] code of a module is made once for each way of linking", async (t) => {
  const guest = await module(`(module (import "h" "f" (func $f)) (func (export "g") (call $f)))`);
  const f = host(NOTHING, () => {}, 3);
  const key = linkageKey(hostLinkageOf(guest, { h: { f } })!);
  t.equal(guest.codeOf(key), undefined);
  guest.instantiate({ engine: "compiled", imports: { h: { f } } });
  const code = guest.codeOf(key);
  t.ok(code);
  const dearer = { ...f, fuel: { base: 3, perByte: 0, lengthArgument: 0 } };
  t.not(linkageKey(hostLinkageOf(guest, { h: { f: dearer } })!), key);
  t.equal(hostLinkageOf(guest, {}), undefined);
  const other = await module(`(module (import "h" "f" (func $f)) (func (export "g") (call $f)))`);
  other.adoptCode(key, code!);
  const instance = other.instantiate({ engine: "compiled", imports: { h: { f } } });
  instance.invoke("g");
  t.equal(instance.fuelUsed, 4n);
  t.equal(other.codeOf(key), code);
});

t.test("[VM-NAN-1] a NaN is canonical behind every label of a br_table", async (t) => {
  const dirty = "(local.set $x (f64.load (i32.const 8))) (local.set $x (f64.div (local.get $a) (local.get $a)))";
  const table = await compiled(`(module (memory 1)
    (func (export "function") (param $a f64) (param $i i32) (local $x f64) ${dirty}
      (block $b (br_table $b 1 (local.get $i)))
      (f64.store (i32.const 0) (local.get $x)))
    (func (export "loop") (param $a f64) (param $i i32) (result i64) (local $x f64)
      (loop $l (block $b ${dirty} (br_table $b $l (local.get $i))) (return (i64.reinterpret_f64 (local.get $x))))
      (unreachable))
    (func (export "load") (result i64) (i64.load (i32.const 0))))`);
  const canonical = [0x7ff8n << 48n];
  table.invoke("function", [0, 0]);
  t.same(table.invoke("load"), canonical);
  t.same(table.invoke("loop", [0, 0]), canonical);
});

t.test("[VM-NAN-2] a host function gets canonical NaNs", async (t) => {
  const guest = await module(`(module (import "host" "put" (func $put (param f64 f32))) (memory (export "memory") 1)
    (table 1 funcref) (elem (i32.const 0) $put) (type $put (func (param f64 f32)))
    (export "put" (func $put))
    (func (export "made") (param $a f64) (local $x f64)
      (local.set $x (f64.div (local.get $a) (local.get $a)))
      (call $put (local.get $x) (f32.demote_f64 (local.get $x))))
    (func (export "given") (call $put (f64.const -nan:0x123) (f32.const -nan:0x123)))
    (func (export "indirect") (call_indirect (type $put) (f64.const -nan:0x123) (f32.const -nan:0x123) (i32.const 0))))`);
  for (const engine of ["reference", "compiled"] as const) {
    const seen: string[] = [];
    const put = host({ params: ["f64", "f32"], results: [] }, (_, double, single) => {
      const view = new DataView(new ArrayBuffer(12));
      view.setFloat64(0, double!);
      view.setFloat32(8, single!);
      seen.push(`${view.getBigUint64(0).toString(16)} ${view.getUint32(8).toString(16)}`);
    });
    const instance = guest.instantiate({ engine, imports: { host: { put } } });
    instance.invoke("made", [0]);
    instance.invoke("given");
    instance.invoke("indirect");
    instance.invoke("put", [{ bits: 0xfff4n << 48n }, { bits: 0xffa0_0000 }]);
    t.same(seen, Array(4).fill("7ff8000000000000 7fc00000"), engine);
  }
});

t.test("[VM-NAN-1] code for NaNs is in proportion to the guest's, and so is the time to make it", async (t) => {
  const count = 10_000;
  const locals = Array.from({ length: count }, (_, k) => k + 1);
  const exact = (k: number): string => `(local.set ${k} (f64.load (i32.const 0)))`;
  const made = (k: number): string => `(local.set ${k} (f64.add (local.get 0) (local.get 0)))`;
  const declared = `(memory 1) (func (export "f") (param f64) (local ${"f64 ".repeat(count)})`;
  const chain = locals.slice(1).map((k) => `(local.set ${k - 1} (local.get ${k}))`);
  const nested = `${"(if (i32.const 1) (then ".repeat(100)} ${") (else))".repeat(100)}`;
  for (const body of [
    `${chain.join("")} ${exact(count)}`,
    `${locals.map(exact).join("")} ${locals.map(made).join("")} ${nested} ${`(drop (local.get ${count}))`.repeat(count)}`,
  ]) {
    const guest = await module(`(module ${declared} ${body}))`);
    guest.instantiate({ engine: "compiled" }).invoke("f", [0]);
    const made = guest.codeOf(linkageKey(hostLinkageOf(guest, {})!))!;
    t.ok(made.bytes.length < 8 * guest.structure.bytes.length, String(made.bytes.length));
  }
});

t.test(
  "[VM-DEPTH-1] the host's stack has room for the limit, however many kinds of operands lie over a NaN",
  async (t) => {
    const operands = 200;
    const kinds = ["i32", "i64", "f32", "f64", "funcref", "externref"];
    const many = (text: string): string => `${text} `.repeat(operands);
    const zero = (kind: string): string =>
      kind.endsWith("ref") ? `(ref.null ${kind.replace("ref", "")})` : `(${kind}.const 0)`;
    const types = kinds.map((kind) => `(type $${kind} (func (param f64 ${many(kind)}) (result f64 ${many(kind)})))`);
    const blocks = kinds.map(
      (kind) =>
        `(f64.div (local.get $a) (local.get $a)) ${many(zero(kind))} (block (type $${kind})) ${many("drop")} drop`,
    );
    const guest = await module(`(module ${types.join(" ")} (memory (export "memory") 1)
    (func $f (export "f") (param $n i32) (param $a f64) ${blocks.join(" ")}
      (f64.store (i32.const 8) (f64.div (local.get $a) (local.get $a)))
      (if (local.get $n) (then (call $f (i32.sub (local.get $n) (i32.const 1)) (local.get $a))))))`);
    for (const engine of ["reference", "compiled"] as const) {
      const instance = guest.instantiate({ engine });
      instance.invoke("f", [8, 0]);
      t.same(instance.memory("memory").view.getBigUint64(8, true), 0x7ff8n << 48n, engine);
      t.equal(trapOf(() => instance.invoke("f", [1000, 0])).reason, "StackExhausted", engine);
    }
  },
);

t.test("[VM-FUEL-2, VM-FUEL-5, VM-FUEL-8] fuel at the edges of what is kept back and of amounts", async (t) => {
  const guest = await module(`(module (import "host" "part" (func $part (param i32))) (memory 1)
    (table funcref (elem $part)) (type $part (func (param i32)))
    (func (export "grow") (param i32) (drop (memory.grow (local.get 0))))
    (func (export "part") (param i32) (call $part (local.get 0)))
    (func (export "indirect") (param i32) (call_indirect (type $part) (local.get 0) (i32.const 0)))
    ;; Behind the way back less is charged than the loop's first block has charged already.
    (func (export "debt") (param $n i32) (param $c i32) (result i32)
      (loop $l (result i32)
        (nop) (nop) (nop) (nop) (nop) (nop) (nop) (nop)
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
        (if (result i32) (local.get $c) (then (nop) (i32.const 1)) (else (nop) (nop) (i32.const 2)))))
    (func (export "table") (param $n i32) (param $c i32)
      (loop $l
        (nop) (nop) (nop) (nop) (nop) (nop) (nop) (nop)
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
        (if (local.get $c) (then (br_table 0 1 0 (local.get $n)))))))`);
  const fuelOf = (engine: "reference" | "compiled", name: string, args: readonly number[]): bigint => {
    const part = host({ params: ["i32"], results: [] }, () => undefined, {
      base: 3,
      perByte: 3 / 1024,
      lengthArgument: 0,
    });
    const instance = guest.instantiate({ engine, imports: { host: { part } } });
    instance.invoke(name, args);
    return instance.fuelUsed;
  };
  const base = fuelOf("reference", "grow", [0]);
  for (const [name, args, expected] of [
    ["grow", [65_535], base + 65_535n * 1024n],
    ["grow", [65_536], base + 65_536n * 1024n],
    ["grow", [65_537], base],
    ["grow", [-1], base],
    ["part", [1000], fuelOf("reference", "part", [0]) + 2n],
    ["part", [-1], fuelOf("reference", "part", [0]) + (3n * 0xffff_ffffn) / 1024n],
    ["indirect", [1000], fuelOf("reference", "indirect", [0]) + 2n],
    ["debt", [3, 0], undefined],
    ["debt", [3, 1], undefined],
    ["table", [3, 0], undefined],
    ["table", [3, 1], undefined],
  ] as const)
    for (const engine of ["reference", "compiled"] as const)
      t.equal(fuelOf(engine, name, args), expected ?? fuelOf("reference", name, args), `${engine}: ${name} ${args}`);
});

t.test("[VM-FUEL-8, VM-HOST-1] functions of the host and of bytes through the table of another instance", async (t) => {
  const owner =
    await module(`(module (import "host" "who" (func $who)) (import "bytes" "new" (func $new (param i32) (result i64)))
    (table (export "table") funcref (elem $who $new)))`);
  const user = await module(`(module (import "owner" "table" (table 2 funcref)) (memory 1)
    (func (export "who") (call_indirect (i32.const 0)))
    (func (export "new") (call_indirect (param i32) (result i64) (i32.const 64) (i32.const 1)) (drop)))`);
  const seen: unknown[] = [];
  for (const engine of ["reference", "compiled"] as const) {
    const store = new Store({ engine, fuel: 10n });
    const who = host(NOTHING, (caller) => void seen.push([caller.instance, caller.memory?.pages]), 2);
    const table = owner.instantiate({ store, imports: { host: { who } } }).table("table");
    const instance = user.instantiate({ store, imports: { owner: { table } } });
    instance.invoke("who");
    const { reason, function: index, offset, fuel } = trapOf(() => instance.invoke("new"));
    seen.push([reason, index, offset, fuel]);
  }
  t.same(seen[0], [1, 1]);
  t.equal((seen[1] as unknown[])[0], "OutOfFuel");
  t.same(seen.slice(2), seen.slice(0, 2));
});

t.test(
  "[HEAP-CHECK-1, HEAP-CHECK-2, HEAP-CHECK-3] accesses at the edges of objects, and of what is known of refs",
  async (t) => {
    const guest = await module(`(module
    (import "bytes" "new" (func $new (param i32) (result i64)))
    (import "bytes" "destroy" (func $destroy (param i64)))
    (import "bytes" "load8_u" (func $load (param i64 i32) (result i32)))
    (import "bytes" "store8" (func $store (param i64 i32 i32)))
    (import "bytes" "copy" (func $copy (param i64 i32 i64 i32 i32)))
    (import "bytes" "fill" (func $fill (param i64 i32 i32 i32)))
    (func (export "new") (param i32) (result i64) (call $new (local.get 0)))
    (func (export "load") (param i64 i32) (result i32) (call $load (local.get 0) (local.get 1)))
    (func (export "store") (param i64 i32 i32) (call $store (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy") (param i64 i32 i64 i32 i32)
      (call $copy (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
    (func (export "fill") (param i64 i32 i32) (call $fill (local.get 0) (local.get 1) (i32.const 7) (local.get 2)))
    (func (export "other") (param $a i64) (param $b i64) (result i32)
      (i32.add (i32.add (call $load (local.get $a) (i32.const 0))
        (i32.mul (i32.const 256) (call $load (local.tee $a (local.get $b)) (i32.const 0))))
        (i32.mul (i32.const 65536) (call $load (local.get $a) (i32.const 0)))))
    (func (export "freed") (param $a i64) (param $at i32) (result i32) (local $i i32)
      (loop $l
        (call $store (local.get $a) (i32.const 0) (local.get $i))
        (if (i32.eq (local.get $i) (local.get $at)) (then (call $destroy (local.get $a))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))
      (local.get $i))
    (func (export "dead") (param i32) (result i32)
      (block $out (if (local.get 0) (then (nop) (br $out)) (else (nop) (nop) (br $out))) (nop) (nop)) (nop) (nop) (nop) (i32.const 1)))`);
    const shown = (["reference", "compiled"] as const).map((engine) => {
      const instance = guest.instantiate({ engine, limits: { heapObjects: 3 } });
      const lines: string[] = [];
      const invoke = (name: string, ...args: Value[]): Value | undefined => {
        let result: Value | undefined;
        try {
          [result] = instance.invoke(name, args);
          lines.push(`${name} ${args}: ${result}`);
        } catch (error) {
          lines.push(`${name} ${args}: ${(error as Trap).reason} ${(error as Trap).offset}`);
        }
        lines.push(`${instance.fuelUsed} ${instance.stateDigest()}`);
        return result;
      };
      const refs = [10, 12, 14, 1].map((length) => invoke("new", length)!) as bigint[];
      const [a, b, c] = refs as [bigint, bigint, bigint];
      for (const [k, ref] of refs.entries()) invoke("store", ref, 0, k + 1);
      for (const ref of refs) for (const offset of [0, 9, 10, 13, 14, -1]) invoke("load", ref, offset);
      for (const [to, from, length] of [
        [0, 0, 10],
        [0, 3, 10],
        [1, 2, 10],
        [0, 2, 10],
        [10, 12, 0],
        [11, 0, 0],
        [0, 13, 0],
        [-1, 0, 2],
        [0, -1, 2],
        [0, 0, -1],
      ] as const)
        for (const [left, right] of [
          [a, b],
          [a, 5n],
          [5n, b],
          [c, c],
        ] as const)
          invoke("copy", left, to, right, from, length);
      for (const [at, length] of [
        [0, 10],
        [1, 10],
        [0, 11],
        [10, 0],
        [11, 0],
        [-1, 1],
      ] as const)
        invoke("fill", a, at, length);
      invoke("other", a, b);
      invoke("dead", 0);
      invoke("dead", 1);
      invoke("freed", a, 20);
      invoke("freed", a, 4);
      return lines;
    });
    t.ok(shown[0]!.length > 100);
    t.same(shown[1], shown[0]);
  },
);
