/**
 * Where fuel goes: what each function charged, by the stack of calls that led to it (spec PROFILE-FUEL-1). Every charge
 * counts, none is sampled: the engine says when a function is entered and left, and what the store has used by then.
 */
import type { FunctionInstance } from "./function.ts";
import type { Store } from "./store.ts";

/** Most frames of a stack; what deeper ones charge counts for the frame at that depth (spec PROFILE-FUEL-3). */
export const PROFILE_FRAMES = 256;
/** Most characters of all stacks together: of each the names of its frames, one for each frame, and 256 (spec PROFILE-FUEL-4). */
const PROFILE_CHARACTERS = 64 * 1024 * 1024;
const STACK_CHARACTERS = 256;
/** Most characters of a function's name; the rest is left out. */
const NAME_CHARACTERS = 256;

/** What was charged with no function running: for the segments of instances. */
const OUTSIDE = "(instantiation)";

/** A stack of calls, by its innermost function; the row of that function's caller is the last one before with a depth one less. */
export interface ProfileRow {
  /** 1 for what the host called. */
  readonly depth: number;
  readonly name: string;
  /** Fuel that the function charged itself, called by this stack; exact below 2^53. */
  readonly fuel: number;
}

class Node implements ProfileRow {
  readonly name: string;
  readonly caller: Node | undefined;
  readonly depth: number;
  /** Characters of the whole stack. */
  readonly characters: number;
  fuel = 0;
  /** In the order of their first calls; most functions have none. */
  callees: Map<string, Node> | undefined;
  /** The callee asked for last, which is nearly always the next one. */
  #recent: Node | undefined;

  constructor(name: string, caller: Node | undefined) {
    this.name = name;
    this.caller = caller;
    this.depth = caller === undefined ? 0 : caller.depth + 1;
    this.characters = (caller === undefined ? 0 : caller.characters) + name.length + 1;
  }

  callee(name: string): Node | undefined {
    if (this.#recent !== undefined && this.#recent.name === name) return this.#recent;
    const found = this.callees?.get(name);
    if (found !== undefined) this.#recent = found;
    return found;
  }

  add(name: string): Node {
    const made = new Node(name, this);
    this.callees ??= new Map();
    this.callees.set(name, made);
    this.#recent = made;
    return made;
  }
}

/** The profile of a store that was made with `profile: true`. */
export class FuelProfile {
  readonly #store: Store;
  readonly #root = new Node("", undefined);
  #current: Node = this.#root;
  /** What the last host call counts for. */
  #host: Node = this.#root;
  /** Frames above the current node that have none of their own. */
  #beyond = 0;
  #room = PROFILE_CHARACTERS;
  /** Fuel used when the last charge was counted. */
  #counted = 0;
  /** By a function's address. */
  readonly #names: (string | undefined)[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Every stack there was, each behind its caller, callees in the order of their first calls. The sum of their fuel is what
   * the store has used; after a trap other than OutOfFuel also what VM-FUEL-7 leaves out.
   */
  rows(): ProfileRow[] {
    this.#count(this.#store.activation.profiledFuel());
    const rows: ProfileRow[] = [];
    if (this.#root.fuel > 0) rows.push({ depth: 1, name: OUTSIDE, fuel: this.#root.fuel });
    const add = ({ callees }: Node): void => {
      for (const callee of callees?.values() ?? []) {
        const { depth, name, fuel } = callee;
        rows.push({ depth, name, fuel });
        add(callee);
      }
    };
    add(this.#root);
    return rows;
  }

  // ---- what the engine calls; `used` is all fuel charged until then

  /** An execution begins. */
  begin(used: number): void {
    this.#count(used);
    this.#current = this.#root;
    this.#beyond = 0;
  }

  /** A function runs, for whose first block `cost` was charged. */
  enter(address: number, cost: number, used: number): void {
    this.#count(used - cost);
    if (this.#beyond > 0) this.#beyond++;
    else {
      const callee = this.#callee(address);
      if (callee === undefined) this.#beyond++;
      else this.#current = callee;
    }
    this.#count(used);
  }

  leave(used: number): void {
    this.#count(used);
    if (this.#beyond > 0) this.#beyond--;
    else this.#current = this.#current.caller!;
  }

  /** A host function is called, which has charged `cost`. */
  host(address: number, cost: number, used: number): void {
    this.#count(used - cost);
    const callee = this.#beyond > 0 ? undefined : this.#callee(address);
    this.#host = callee ?? this.#current;
    this.#host.fuel += cost;
    this.#counted = used;
  }

  /** The host function that was called last charges more. */
  charge(cost: number, used: number): void {
    this.#host.fuel += cost;
    this.#counted = used;
  }

  /** The call of it, which has charged `cost` in all, is as if it had not been made, but for the store's fuel. */
  uncall(cost: number): void {
    this.#host.fuel -= cost;
    this.#current.fuel += cost;
  }

  /** A trap: what was charged stays in the profile, and the store goes back to `published`. */
  trap(used: number, published: number): void {
    this.#count(used);
    this.#counted = published;
  }

  #count(used: number): void {
    this.#current.fuel += used - this.#counted;
    this.#counted = used;
  }

  /** The current node's callee, or undefined where there is to be none. */
  #callee(address: number): Node | undefined {
    const name = this.#names[address] ?? this.#nameOf(address);
    const current = this.#current;
    const known = current.callee(name);
    if (known !== undefined) return known;
    if (current.depth === PROFILE_FRAMES) return undefined;
    const characters = current.characters + name.length + 1;
    if (characters + STACK_CHARACTERS > this.#room) return undefined;
    this.#room -= characters + STACK_CHARACTERS;
    return current.add(name);
  }

  #nameOf(address: number): string {
    const name = functionName(this.#store, this.#store.functions[address]!).slice(0, NAME_CHARACTERS);
    this.#names[address] = name;
    return name;
  }
}

/** A guest function's name, or `module.name` of the import that a host function is. */
function functionName(store: Store, target: FunctionInstance): string {
  const { instance, index } = target;
  if (instance !== undefined) return instance.module.functionName(index) || `function ${index}`;
  const importer = store.instances.find(({ functions }) => functions[index] === target)!;
  const { module, name } = importer.module.structure.imports.filter(({ type }) => type.kind === "function")[index]!;
  return `${module}.${name}`;
}
