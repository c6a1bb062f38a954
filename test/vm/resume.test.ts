/** Calls that go on in clones at nearly every turn of their loops (vm/compiler/resume.ts) show what the reference shows. */
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { type Instance, Module, Store, Trap } from "../../vm/index.ts";
import { LOOK } from "../../vm/tuning.ts";
import { Random } from "./random.ts";

const usual = LOOK.fuel;
t.teardown(() => {
  LOOK.fuel = usual;
});

/** Results or trap, fuel and state of one call in a store of its own. */
function shown(module: Module, engine: "reference" | "compiled", name: string, fuel: bigint): string {
  const store = new Store({ engine, fuel });
  let instance: Instance;
  try {
    instance = module.instantiate({ store });
  } catch (error) {
    return String(error);
  }
  let outcome: string;
  try {
    outcome = String(instance.invoke(name, [7, 3], { bits: true }).map(String));
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    const frames = error.backtrace.map((frame) => `${frame.function}@${frame.offset}`);
    outcome = `${error.code} at ${error.function}@${error.offset}: ${frames}`;
  }
  return `${outcome}; fuel ${store.fuelUsed}; state ${instance.stateDigest()}`;
}

/** A function of constructs in one another; what it does depends on numbers that it makes as it goes. */
class RandomFunction {
  readonly #random: Random;
  readonly #lines: string[] = [];
  readonly #own: number;
  #budget = 60;
  /** Of each open construct: whether its label takes no value. */
  readonly #plain: boolean[] = [];

  constructor(random: Random, own: number) {
    this.#random = random;
    this.#own = own;
  }

  text(): string {
    for (let k = 0; k < 4; k++) this.#statement();
    return `(func $f${this.#own} (export "f${this.#own}") (param i32 i32) (result i32)
      (local i32 i32 i64 f64 f32 i64) ${this.#lines.join("\n")} local.get 0 local.get 2 i32.add)`;
  }

  /** Some bits of the next number. */
  #condition(): string {
    return `call $next i32.const ${this.#random.pick([1, 3, 7])} i32.and`;
  }

  #write(text: string): void {
    this.#lines.push(text);
  }

  #some(): void {
    for (let count = this.#random.below(4); count > 0; count--) this.#statement();
  }

  /** What `head` begins; a label without a value, unless `result`. */
  #inside(head: string, result = false): void {
    this.#write(head);
    this.#plain.push(!result);
    this.#some();
  }

  #end(tail = "end"): void {
    this.#write(tail);
    this.#plain.pop();
  }

  /** Depth of a label without a value. */
  #label(): number {
    const places = this.#plain.flatMap((plain, k) => (plain ? [this.#plain.length - 1 - k] : []));
    return this.#random.pick(places);
  }

  #statement(): void {
    const random = this.#random;
    if (this.#budget-- < 0) return;
    const local = random.below(4);
    const kind = random.below(this.#plain.length > 7 ? 9 : 17);
    if (kind < 9) this.#write(this.#simple(kind, local, random.below(4)));
    else if (kind < 12) {
      this.#inside("loop");
      if (random.chance(0.9)) this.#write(`${this.#condition()} br_if 0`);
      this.#end();
    } else if (kind < 14) {
      this.#inside(`${this.#condition()} if`);
      if (random.chance(0.5)) {
        this.#write("else");
        this.#some();
      }
      this.#end();
    } else if (kind === 14) {
      this.#inside("block (result i32)", true);
      this.#end(`local.get ${local} end local.set ${random.below(4)}`);
    } else if (kind === 15) {
      // An operand lies below: there is no way to the loops in it.
      this.#inside(`local.get ${local} block`);
      this.#end(`end local.set ${random.below(4)}`);
    } else {
      this.#inside("block");
      this.#inside("block");
      this.#write(`${this.#condition()} br_table 0 1 ${this.#label()}`);
      this.#end();
      this.#some();
      this.#end();
    }
  }

  #simple(kind: number, local: number, other: number): string {
    switch (kind) {
      case 0:
        return `local.get ${local} i32.const 5 i32.mul local.get ${other} i32.add local.set ${local}`;
      case 1:
        return "local.get 4 i64.const 3 i64.mul i64.const 1 i64.add local.tee 4 global.set $seen";
      case 2:
        return "local.get 5 f64.const 1.25 f64.mul local.get 4 f64.convert_i64_s f64.add local.set 5";
      case 3:
        return "local.get 5 f64.sqrt local.tee 5 f32.demote_f64 local.set 6";
      case 4:
        return "local.get 6 i32.reinterpret_f32 local.get 5 i64.reinterpret_f64 i32.wrap_i64 i32.xor local.set 2";
      case 5:
        return this.#plain.includes(true) ? `${this.#condition()} br_if ${this.#label()}` : "nop";
      case 6:
        return `i32.const 64 local.get ${local} i32.store local.get ${other} i32.const 0xfff8 i32.and i32.load8_u local.set 3`;
      case 7:
        return this.#own === 0
          ? "nop"
          : `local.get ${local} i32.const 1 call $f${this.#random.below(this.#own)} local.set ${local}`;
      default:
        return `local.get ${local} i32.const 3 i32.rem_u local.set ${other}`;
    }
  }
}

const PRELUDE = `(memory 1) (global $state (export "state") (mut i32) (i32.const 12345)) (global $seen (export "seen") (mut i64) (i64.const 0))
  (func $next (result i32) global.get $state i32.const 1103515245 i32.mul i32.const 12345 i32.add global.set $state
    global.get $state i32.const 16 i32.shr_u)`;

t.test("[VM-EXEC-1] going on in clones changes nothing that shows", async (t) => {
  const outcomes = new Set<string>();
  let looks = 0;
  for (let seed = 1; seed <= 25; seed++) {
    const random = new Random(seed);
    const functions = Array.from({ length: 8 }, (_, own) => new RandomFunction(random, own).text());
    const module = Module.decode(await loadWat(`(module ${PRELUDE} ${functions.join("\n")})`));
    for (let own = 0; own < 8; own++) {
      const fuel = BigInt(random.pick([200, 1000, 5000]));
      const expected = shown(module, "reference", `f${own}`, fuel);
      outcomes.add(expected);
      for (const step of [1n, 9n, 60n]) {
        LOOK.fuel = step;
        looks++;
        t.equal(shown(module, "compiled", `f${own}`, fuel), expected, `seed ${seed}, f${own}, ${step}`);
      }
    }
  }
  t.ok(outcomes.size > 150 && looks === 600, `${outcomes.size} different outcomes`);
});
