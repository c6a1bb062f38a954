/** Where fuel goes: rows of profiles, pinned, and compared with what hooks see. */
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { PROFILE_FRAMES, type ProfileRow } from "../../vm/fuel-profile.ts";
import {
  type Caller,
  type HostFunction,
  type Imports,
  Instance,
  Module,
  Store,
  Trap,
  TrapCode,
} from "../../vm/index.ts";
import { Random } from "./random.ts";
import {
  instantiate,
  invoke,
  modulesOf,
  planOf,
  showAll,
  showTrap,
  stateOf,
  subjectOf,
  type World,
  worldOf,
} from "./subject.ts";

async function module(wat: string): Promise<Module> {
  return Module.decode(await loadWat(wat));
}

/** Rows as text, indented by depth. */
function shown(rows: readonly ProfileRow[]): string[] {
  return rows.map(({ depth, name, fuel }) => `${"  ".repeat(depth - 1)}${name} ${fuel}`);
}

function sum(rows: readonly ProfileRow[]): bigint {
  return rows.reduce((total, { fuel }) => total + BigInt(fuel), 0n);
}

/** Name of the trap that `run` ends with. */
function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Trap) return error.reason;
    throw error;
  }
  return "none";
}

const PRICE: HostFunction = {
  type: { params: ["i32"], results: [] },
  fuel: { base: 100, perByte: 1, lengthArgument: 0 },
  mayFree: false,
  call: () => {},
};
const IMPORTS: Imports = {
  fs: { read: PRICE },
  env: {
    fail: {
      ...PRICE,
      fuel: 5,
      call: () => {
        throw new Error("the host failed");
      },
    },
  },
};

/** Charges in its segments, in its start function, through a table, in the host, in bulk, in a loop, and in a recursion. */
const GUEST = `(module
  (import "fs" "read" (func $imported (param i32)))
  (import "env" "fail" (func $fail (param i32)))
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (type $take (func (param i32)))
  (memory 1)
  (data (i32.const 0) "${"x".repeat(128)}")
  (table 2 funcref)
  (elem (i32.const 0) $imported $leaf)
  (global $starts (mut i32) (i32.const 0))
  (start $start)
  (func $start (global.set $starts (i32.const 1)))
  (func $leaf (param i32) (memory.fill (i32.const 0) (i32.const 1) (i32.const 640)))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $main (export "main") (local $k i32)
    (call $imported (i32.const 7))
    (local.set $k (i32.const 3))
    (loop $again
      (call $leaf (i32.const 0))
      (br_if $again (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
    (call_indirect (type $take) (i32.const 20) (i32.const 0))
    (call_indirect (type $take) (i32.const 20) (i32.const 1))
    (drop (call $new (i32.const 64)))
    (drop (call $fib (i32.const 3))))
  (func (export "nameless") (call $main))
  (func $trap (export "trap") (call $leaf (i32.const 0)) (call $trap2))
  (func $trap2 (call $imported (i32.const 0)) (call $leaf (i32.const 0)) unreachable)
  (func $throw (export "throw") (call $leaf (i32.const 0)) (call $fail (i32.const 0)))
  (func $deep (export "deep") (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "all") (param i32)
    (if (call $fib (local.get 0)) (then (call $deep (local.get 0)) (call $leaf (i32.const 1))) (else (return)))))`;

t.test("[PROFILE-FUEL-1, PROFILE-FUEL-3] each stack has what its innermost function charged", async (t) => {
  const guest = await module(GUEST);
  const plain = guest.instantiate({ imports: IMPORTS });
  const profiled = guest.instantiate({ imports: IMPORTS, profile: true });
  t.equal(plain.store.profile, undefined);
  plain.invoke("main");
  profiled.invoke("main");
  const rows = profiled.store.profile!.rows();
  t.same(shown(rows), [
    // Segments: 1 + ⌊2 / 8⌋ and 1 + ⌊128 / 64⌋.
    "(instantiation) 4",
    "start 2",
    // Four instructions before the loop, 3 × 7 in it, twelve behind it, and of `bytes.new` its price and ⌊64 / 64⌋.
    "main 42",
    "  fs.read 227",
    // Called three times in the loop, and once through the table: 4 instructions and ⌊640 / 64⌋.
    "  leaf 56",
    "  fib 13",
    "    fib 18",
    "      fib 10",
  ]);
  t.equal(sum(rows), profiled.fuelUsed);
  t.equal(profiled.fuelUsed, plain.fuelUsed);
  t.equal(profiled.stateDigest(), plain.stateDigest());
});

t.test("[PROFILE-FUEL-1] functions have what hooks see them charge", async (t) => {
  // Without calls of the host, what is charged between two instructions counts for the function of the first, but what a call
  // charges for its callee.
  const guest = await module(GUEST);
  const { bytes } = guest.structure;
  const expected = new Map<string, bigint>();
  const watched = guest.instantiate({ imports: IMPORTS });
  let before = undefined as { name: string; opcode: number; fuel: bigint } | undefined;
  watched.store.hooks = {
    instruction: ({ function: index, offset }) => {
      const name = guest.functionName(index)!;
      const fuel = watched.fuelUsed;
      const payer = before === undefined || before.opcode === 0x10 ? name : before.name;
      const from = before?.fuel ?? start;
      expected.set(payer, (expected.get(payer) ?? 0n) + fuel - from);
      before = { name, opcode: bytes[offset]!, fuel };
    },
  };
  const start = watched.fuelUsed;
  watched.invoke("all", [9]);
  const { name: last, fuel: seen } = before!;
  expected.set(last, expected.get(last)! + watched.fuelUsed - seen);
  const profiled = guest.instantiate({ imports: IMPORTS, profile: true });
  profiled.invoke("all", [9]);
  const rows = profiled.store.profile!.rows().filter(({ name }) => name !== "(instantiation)" && name !== "start");
  const found = new Map<string, bigint>();
  for (const { name, fuel } of rows) found.set(name, (found.get(name) ?? 0n) + BigInt(fuel));
  t.same([...found].sort(), [...expected].sort());
  t.ok(found.get("fib")! > 900n && found.get("deep")! > 40n && found.get("leaf") === 14n);
});

t.test(
  "[PROFILE-FUEL-2] the sum is the fuel used, wherever it runs out, and a run in pieces has the same profile",
  async (t) => {
    const guest = await module(GUEST);
    const whole = guest.instantiate({ imports: IMPORTS, profile: true });
    whole.invoke("main");
    const expected = shown(whole.store.profile!.rows());
    for (let fuel = 6n; fuel < whole.fuelUsed; fuel++) {
      const part = guest.instantiate({ imports: IMPORTS, profile: true, fuel });
      t.throws(() => part.invoke("main"), Trap);
      const { profile } = part.store;
      if (sum(profile!.rows()) !== part.fuelUsed) t.fail(`with ${fuel} units of fuel`);
      part.resume(1_000_000n);
      t.same(shown(profile!.rows()), expected, `resumed after ${fuel} units`);
    }
    t.throws(() => guest.instantiate({ imports: IMPORTS, profile: true, fuel: 5n }), Trap);

    const stepped = guest.instantiate({ imports: IMPORTS, profile: true });
    stepped.begin("main");
    while (stepped.step(3)) if (sum(stepped.store.profile!.rows()) !== stepped.fuelUsed) t.fail("while stepping");
    t.same(shown(stepped.store.profile!.rows()), expected);
    const changing = guest.instantiate({ imports: IMPORTS, profile: true });
    changing.begin("main");
    changing.step(10);
    changing.resume(0n);
    t.same(shown(changing.store.profile!.rows()), expected, "from stepping to running");
  },
);

t.test("[PROFILE-FUEL-1, VM-HOST-5] what a host function charges itself is in its frame, once", async (t) => {
  const call = (caller: Caller, length = 0): void => {
    caller.charge(1_000);
    caller.charge(length);
  };
  const imports = { ...IMPORTS, fs: { read: { ...PRICE, call } } };
  const guest = await module(GUEST);
  const whole = guest.instantiate({ imports, profile: true });
  whole.invoke("main");
  const expected = shown(whole.store.profile!.rows());
  t.ok(expected.includes("  fs.read 2254"), expected.join("\n"));
  for (let fuel = 0n; 6n + fuel < whole.fuelUsed; fuel += 93n) {
    const part = guest.instantiate({ imports, profile: true, fuel: 6n + fuel });
    t.equal(
      reasonOf(() => part.invoke("main")),
      "OutOfFuel",
    );
    t.equal(sum(part.store.profile!.rows()), part.fuelUsed, `paused after ${fuel} units`);
    part.resume(1_000_000n);
    t.same(shown(part.store.profile!.rows()), expected, `resumed after ${fuel} units`);
  }
});

t.test("[PROFILE-FUEL-2] what a trap takes back is in the profile", async (t) => {
  const guest = (await module(GUEST)).instantiate({ imports: IMPORTS, profile: true });
  const plain = guest.module.instantiate({ imports: IMPORTS });
  const expected = [
    "(instantiation) 4",
    "start 2",
    "trap 3",
    "  leaf 14",
    "  trap2 5",
    "    fs.read 100",
    "    leaf 14",
  ];
  for (const { store, invoke } of [plain, guest].map((one) => ({
    store: one.store,
    invoke: () => one.invoke("trap"),
  }))) {
    t.equal(reasonOf(invoke), "Unreachable");
    // Up to the call of the host: segments, start, trap, leaf, trap2, fs.read.
    t.equal(store.fuelUsed, 4n + 2n + 3n + 14n + 5n + 100n);
  }
  const { profile } = guest.store;
  t.same(shown(profile!.rows()), expected);
  t.equal(sum(profile!.rows()), guest.fuelUsed + 14n);
  // The next invocation counts from there.
  guest.invoke("fib", [0]);
  t.same(shown(profile!.rows()), [...expected, "fib 5"]);
  // What the host throws ends the stack, and charges nothing back.
  t.throws(() => guest.invoke("throw"), { message: "the host failed" });
  t.same(shown(profile!.rows()).slice(expected.length + 1), ["throw 4", "  leaf 14", "  env.fail 5"]);
  guest.invoke("fib", [0]);
  t.equal(sum(profile!.rows()), guest.fuelUsed + 14n);
  // Depth that does not suffice is the caller's charge.
  const shallow = guest.module.instantiate({ imports: IMPORTS, profile: true, limits: { depth: 40 } });
  t.equal(
    reasonOf(() => shallow.invoke("deep", [100])),
    "StackExhausted",
  );
  const rows = shallow.store.profile!.rows().filter(({ name }) => name === "deep");
  t.equal(rows.length, Math.floor(40 / (8 + 1 + 2)));
  const fuels = rows.map(({ fuel }) => fuel);
  t.same(fuels, [6, 6, 6 + 2], "two of the one that had no room");
});

t.test("[PROFILE-FUEL-2] a profile changes nothing, and needs a store of its own", async (t) => {
  const guest = await module(GUEST);
  const store = new Store({ profile: true });
  t.equal(store.engine, "reference");
  t.throws(() => guest.instantiate({ store, imports: IMPORTS, profile: true }), { code: "VM-ARGUMENT" });
  const instance = guest.instantiate({ store, imports: IMPORTS });
  instance.begin("main");
  instance.step(1);
  const snapshot = instance.snapshot();
  const plain = guest.instantiate({ imports: IMPORTS });
  plain.begin("main");
  plain.step(1);
  t.same(snapshot, plain.snapshot());
  const restored = Instance.restore(guest, snapshot, { imports: IMPORTS });
  t.equal(restored.store.profile, undefined);
  restored.resume(0n);
  instance.resume(0n);
  t.equal(restored.fuelUsed, instance.fuelUsed);
  t.equal(restored.stateDigest(), instance.stateDigest());
});

t.test(
  "[PROFILE-FUEL-2] generated modules do the same with a profile, and the profile has all that they charge",
  (t) => {
    const tally = { calls: 0, traps: 0, outOfFuel: 0, deep: 0, beyond: 0n };
    for (let seed = 0; seed < 120; seed++) {
      const subject = subjectOf(`seed ${seed}`, modulesOf(seed));
      const plan = planOf(subject, new Random(seed), 2);
      const fuel = seed % 3 === 0 ? 200n : 20_000n;
      const [plain, profiled] = [false, true].map((profile) => {
        const world = worldOf(subject);
        const limits = { heapObjects: 200, heapBytes: 1 << 20, depth: seed % 5 === 0 ? 100 : 2000 };
        return { world, store: new Store({ ...world.options, limits, profile, fuel, engine: "reference" }) };
      });
      /** What the profile has of charges that a trap took back. */
      let beyond = 0n;
      const act = (what: string, run: (store: Store, world: World) => string): boolean => {
        const ended = [plain!, profiled!].map(({ store, world }) => {
          try {
            return { text: run(store, world), code: 0 };
          } catch (error) {
            if (!(error instanceof Trap)) return { text: String(error), code: 0 };
            return { text: `${showTrap(error)} after ${error.fuel}`, code: error.code };
          }
        });
        const [one, other] = ended;
        if (one!.text !== other!.text || plain!.store.fuelUsed !== profiled!.store.fuelUsed)
          t.fail(`seed ${seed}, ${what}: ${one!.text} | ${other!.text}`);
        const rows = profiled!.store.profile!.rows();
        const more = sum(rows) - profiled!.store.fuelUsed - beyond;
        const takesBack = other!.code !== 0 && other!.code !== TrapCode.OutOfFuel;
        if (more !== 0n && !(takesBack && more > 0n)) t.fail(`seed ${seed}, ${what}: ${more} units too many`);
        if (rows.some(({ fuel }) => fuel < 0)) t.fail(`seed ${seed}, ${what}: a stack that gives fuel back`);
        beyond += more;
        tally.calls++;
        if (takesBack) tally.traps++;
        if (other!.code === TrapCode.OutOfFuel) tally.outOfFuel++;
        if (rows.some(({ depth }) => depth > 3)) tally.deep++;
        return other!.text !== "" && one!.code !== TrapCode.OutOfFuel;
      };
      const whole = act("instantiation", (store, world) => {
        instantiate(subject, store, world);
        return "done";
      });
      if (whole && plain!.store.instances.length === subject.parts.length)
        plan.every((call, k) => act(`call ${k}`, (store) => showAll(call.entry.results, invoke(store, call))));
      if (plain!.store.instances.length > 0)
        t.equal(stateOf(profiled!.store), stateOf(plain!.store), `the state of seed ${seed}`);
      tally.beyond += beyond;
    }
    t.ok(tally.calls > 500 && tally.traps > 50 && tally.outOfFuel > 20 && tally.deep > 50, JSON.stringify(tally, text));
    t.ok(tally.beyond > 100n, `${tally.beyond} units taken back`);
    t.end();
  },
);

function text(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

t.test("[PROFILE-FUEL-1, PROFILE-FUEL-3] instances of a store, hosts called directly, and names", async (t) => {
  const store = new Store({ profile: true });
  const callee = (
    await module(`(module (import "fs" "read" (func $r (param i32))) (export "again" (func $r))
      (func $same (export "f") (param i32) (call $r (local.get 0))))`)
  ).instantiate({ store, imports: IMPORTS });
  const caller = (
    await module(`(module (import "a" "f" (func $f (param i32))) (import "a" "again" (func $read (param i32)))
      (func $same (export "run") (call $f (i32.const 1)) (call $read (i32.const 2)) (call 3)) (func (nop)))`)
  ).instantiate({ store, imports: { a: { f: callee.function("f"), again: callee.function("again") } } });
  caller.invoke("run");
  callee.invoke("again", [3]);
  t.same(shown(store.profile!.rows()), [
    "same 5",
    "  same 2",
    "    fs.read 101",
    "  fs.read 102",
    "  function 3 1",
    "fs.read 103",
  ]);
  t.equal(sum(store.profile!.rows()), store.fuelUsed);
});

t.test("[PROFILE-FUEL-1] what a call of bytes charges is its caller's, through a table too", async (t) => {
  const guest = (
    await module(`(module (import "bytes" "new" (func $new (param i32) (result i64))) (type $t (func (param i32) (result i64)))
      (table 1 funcref) (elem (i32.const 0) $new)
      (func $direct (drop (call $new (i32.const 128))))
      (func $table (drop (call_indirect (type $t) (i32.const 128) (i32.const 0))))
      (func (export "run") (call $direct) (call $table)))`)
  ).instantiate({ profile: true });
  guest.invoke("run");
  // Its price is 4, and ⌊128 / 64⌋.
  t.same(shown(guest.store.profile!.rows()), ["(instantiation) 1", "run 2", "  direct 9", "  table 10"]);
});

t.test("[PROFILE-FUEL-4] stacks are cut where they are too deep or too many", async (t) => {
  const guest = await module(GUEST);
  const deep = guest.instantiate({ imports: IMPORTS, profile: true, limits: { depth: 1_000_000 } });
  deep.invoke("deep", [1000]);
  const rows = deep.store.profile!.rows().filter(({ name }) => name === "deep");
  t.equal(rows.length, PROFILE_FRAMES);
  t.equal(rows.at(-1)!.depth, PROFILE_FRAMES);
  // Six instructions where it calls, two in the innermost one.
  t.same([rows[0]!.fuel, rows[254]!.fuel, rows[255]!.fuel], [6, 6, 6 * (1001 - 256) + 2]);
  deep.invoke("deep", [1]);
  t.equal(deep.store.profile!.rows().find(({ name }) => name === "deep")!.fuel, 12, "the next stack is its own");

  // Ten functions, each with 256 stacks and a name of 300 units: 10 × 257 × (1 + … + 256) is more than 2^26.
  const functions = Array.from({ length: 10 }, (_, k) => {
    const name = `$${k}${"n".repeat(299)}`;
    return `(func ${name} (param i32) (if (local.get 0) (then (call ${name} (i32.sub (local.get 0) (i32.const 1))))))`;
  });
  const calls = functions.map((_, k) => `(call ${k} (i32.const 300))`).join(" ");
  const many = (await module(`(module ${functions.join(" ")} (func $run (export "run") ${calls}))`)).instantiate({
    profile: true,
    limits: { depth: 1_000_000 },
  });
  many.invoke("run");
  const all = many.store.profile!.rows();
  t.equal(sum(all), many.fuelUsed);
  let characters = 0;
  const stack: number[] = [0];
  for (const { depth, name } of all) {
    stack[depth] = stack[depth - 1]! + name.length + 1;
    characters += stack[depth]! + 256;
  }
  t.ok(characters <= 2 ** 26 && characters > 2 ** 26 - 257 * 257, `${characters} units`);
  t.ok(all.every(({ name }) => name.length <= 256));
  t.ok(all.length < 1 + 10 * 255);
});
