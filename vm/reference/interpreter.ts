/**
 * The reference engine's loop: runs the operations that `translate.ts` wrote (spec VM-EXEC-1).
 *
 * Everything the loop reads often is a constant of one call of {@link run}; whatever changes such a constant (another
 * instance, a grown memory or stack, a function to translate) ends the call with a {@link Stop} and the activation
 * starts the next. `case` labels are literals because V8 makes a jump table of literals only; they are the numbers of
 * the opcode table and of `operations.ts`.
 */
import { BYTES_CALLS, runBytes } from "../bytes.ts";
import { bulkFuel } from "../fuel.ts";
import { TrapCode } from "../trap.ts";
import type { Activation } from "./activation.ts";
import {
  copy,
  ctz32,
  divS64,
  divU64,
  i64ToF32,
  mul64,
  NAN32,
  NAN64_HIGH,
  nearest,
  popcnt32,
  remS64,
  remU64,
  rotl,
  rotl64,
  satI32,
  satI64,
  satU32,
  satU64,
  setI64,
  truncToI64,
  u64ToF32,
} from "./numeric.ts";

/** Why {@link run} came back. The activation's pc is the operation that stopped. */
export const Stop = {
  /** A Return whose caller is the host or another instance. */
  Return: 1,
  /** Fuel is negative at a test; `credit` was charged by the operation and will be charged again. */
  Fuel: 2,
  Trap: 3,
  /** `callee` is to be translated. */
  Translate: 4,
  /** The operation is done, or was not begun; run again with what has changed. */
  Again: 5,
  /** The frame at `calleeBase` does not fit the stack. */
  Grow: 6,
  /** `target` belongs to another instance; its arguments are at `calleeBase`. */
  Cross: 7,
  Probe: 8,
} as const;

/**
 * A function charges less than 2^28 between two tests (`functionBytes` is bounded for it). Returns do not test, but move
 * a greater debt to the reserve: else the slice could wrap around while many functions return in a row.
 */
const MOST_DEBT = 0x10000000;

export function run(a: Activation): number {
  const s = a.words;
  const f = a.floats;
  const d = a.doubles;
  const code = a.code;
  const c = code.words;
  const entries = code.entries;
  const instance = a.instance;
  const { functions, globals, tables, memory0: memory } = instance;
  const store = a.store;
  const view = memory.view;
  const u8 = memory.bytes;
  const size = u8.length;
  const limit = s.length;
  let pc = a.pc;
  let fp = a.fp;
  let fuel = a.fuel;
  let depth = a.depth;
  let stop: number = Stop.Again;
  loop: for (;;) {
    switch (c[pc]) {
      // ---- control
      case 0x00: {
        // unreachable
        a.trapCode = TrapCode.Unreachable;
        stop = Stop.Trap;
        break loop;
      }
      case 288: {
        // Enter
        const cost = c[pc + 1]!;
        fuel = (fuel - cost) | 0;
        if (fuel < 0) {
          fuel = a.refill(fuel);
          if (fuel < 0) {
            a.credit = cost;
            stop = Stop.Fuel;
            break loop;
          }
        }
        depth = (depth - c[pc + 2]!) | 0;
        if (depth < 0) {
          a.trapCode = TrapCode.StackExhausted;
          stop = Stop.Trap;
          break loop;
        }
        const end = fp + c[pc + 5]!;
        for (let at = fp + c[pc + 4]!; at < end; at++) s[at] = 0;
        pc += 8;
        continue;
      }
      case 289: {
        // Charge
        fuel = (fuel - c[pc + 1]!) | 0;
        pc += 2;
        continue;
      }
      case 304: {
        // Loop
        const cost = c[pc + 1]!;
        fuel = (fuel - cost) | 0;
        if (fuel < 0) {
          fuel = a.refill(fuel);
          if (fuel < 0) {
            a.credit = cost;
            stop = Stop.Fuel;
            break loop;
          }
        }
        pc += 2;
        continue;
      }
      case 305: {
        // Probe
        stop = Stop.Probe;
        break loop;
      }
      case 308: {
        // Entered
        a.entered(c[pc - 1]!, c[pc - 7]!, fuel);
        pc++;
        continue;
      }
      case 309: {
        // Leaving
        a.leaving(fuel);
        pc++;
        continue;
      }
      case 290: {
        // Branch
        fuel = (fuel - c[pc + 2]!) | 0;
        if (fuel < 0 && c[pc + 3]! > 0) {
          // The loop's own operation refills or stops.
          fuel = (fuel + c[pc + 2]!) | 0;
          pc = c[pc + 3]!;
        } else pc = c[pc + 1]!;
        continue;
      }
      case 291: {
        // BranchIf
        if (s[fp + c[pc + 1]!]! !== 0) {
          fuel = (fuel - c[pc + 3]!) | 0;
          if (fuel < 0 && c[pc + 5]! > 0) {
            fuel = (fuel + c[pc + 3]!) | 0;
            pc = c[pc + 5]!;
          } else pc = c[pc + 2]!;
        } else {
          fuel = (fuel - c[pc + 4]!) | 0;
          pc += 6;
        }
        continue;
      }
      case 292: {
        // BranchUnless: never a jump back
        if (s[fp + c[pc + 1]!]! === 0) {
          fuel = (fuel - c[pc + 3]!) | 0;
          pc = c[pc + 2]!;
        } else {
          fuel = (fuel - c[pc + 4]!) | 0;
          pc += 6;
        }
        continue;
      }
      case 293: {
        // BranchTable
        const index = s[fp + c[pc + 1]!]! >>> 0;
        const count = c[pc + 2]!;
        const at = pc + 3 + 3 * (index < count ? index : count);
        fuel = (fuel - c[at + 1]!) | 0;
        if (fuel < 0 && c[at + 2]! > 0) {
          fuel = (fuel + c[at + 1]!) | 0;
          pc = c[at + 2]!;
        } else pc = c[at]!;
        continue;
      }
      case 294: {
        // Return
        const header = fp + c[pc + 1]!;
        const back = s[header]!;
        if ((back | (fuel + MOST_DEBT)) < 0) {
          if (back < 0) {
            stop = Stop.Return;
            break loop;
          }
          fuel = a.refill(fuel);
        }
        const base = s[header + 1]!;
        depth += c[pc + 2]!;
        const from = fp + c[pc + 4]!;
        const words = 2 * c[pc + 3]!;
        for (let k = 0; k < words; k++) s[fp + k] = s[from + k]!;
        fp = base;
        pc = back;
        continue;
      }
      case 295: {
        // Return0
        const header = fp + c[pc + 1]!;
        const back = s[header]!;
        if ((back | (fuel + MOST_DEBT)) < 0) {
          if (back < 0) {
            stop = Stop.Return;
            break loop;
          }
          fuel = a.refill(fuel);
        }
        depth += c[pc + 2]!;
        fp = s[header + 1]!;
        pc = back;
        continue;
      }
      case 296: {
        // Return1
        const header = fp + c[pc + 1]!;
        const back = s[header]!;
        if ((back | (fuel + MOST_DEBT)) < 0) {
          if (back < 0) {
            stop = Stop.Return;
            break loop;
          }
          fuel = a.refill(fuel);
        }
        const base = s[header + 1]!;
        depth += c[pc + 2]!;
        const from = fp + c[pc + 3]!;
        s[fp] = s[from]!;
        s[fp + 1] = s[from + 1]!;
        fp = base;
        pc = back;
        continue;
      }
      case 297: {
        // Call
        const callee = c[pc + 1]!;
        const target = entries[callee]!;
        if (target < 0) {
          a.callee = callee;
          stop = Stop.Translate;
          break loop;
        }
        c[pc] = 298;
        c[pc + 1] = target;
        continue;
      }
      case 298: {
        // CallDirect: does the callee's Enter too, unless that stops
        const enter = c[pc + 1]!;
        const base = fp + c[pc + 2]!;
        if (base + c[enter + 6]! > limit) {
          a.calleeBase = base + c[enter + 6]!;
          stop = Stop.Grow;
          break loop;
        }
        const header = base + c[enter + 3]!;
        s[header] = pc + 3;
        s[header + 1] = fp;
        fp = base;
        const cost = c[enter + 1]!;
        const slots = c[enter + 2]!;
        if (fuel < cost || depth < slots) {
          pc = enter;
          continue;
        }
        fuel = (fuel - cost) | 0;
        depth = (depth - slots) | 0;
        const end = base + c[enter + 5]!;
        for (let at = base + c[enter + 4]!; at < end; at++) s[at] = 0;
        pc = enter + 8;
        continue;
      }
      case 299:
      case 300: {
        // CallImport, CallIndirect
        let target = functions[c[pc + 1]!]!;
        let base = fp + c[pc + 2]!;
        let next = pc + 3;
        if (c[pc] === 300) {
          const table = tables[c[pc + 1]!]!;
          const index = s[fp + c[pc + 3]!]! >>> 0;
          if (index >= table.size) {
            a.trapCode = TrapCode.TableOutOfBounds;
            stop = Stop.Trap;
            break loop;
          }
          const reference = table.elements[index]!;
          if (reference === 0 || store.functions[reference - 1]!.typeId !== c[pc + 2]!) {
            a.trapCode = TrapCode.IndirectCall;
            stop = Stop.Trap;
            break loop;
          }
          target = store.functions[reference - 1]!;
          base = fp + c[pc + 4]!;
          next = pc + 5;
        }
        if (target.instance === instance) {
          const enter = entries[target.index]!;
          if (enter < 0) {
            a.callee = target.index;
            stop = Stop.Translate;
            break loop;
          }
          if (base + c[enter + 6]! > limit) {
            a.calleeBase = base + c[enter + 6]!;
            stop = Stop.Grow;
            break loop;
          }
          const header = base + c[enter + 3]!;
          s[header] = next;
          s[header + 1] = fp;
          fp = base;
          pc = enter;
          continue;
        }
        if (target.instance !== undefined) {
          a.target = target;
          a.calleeBase = base;
          stop = Stop.Cross;
          break loop;
        }
        // A host function, or one of `bytes` through a table.
        const cost = target.price(s, base);
        fuel = cost < 0x40000000 ? (fuel - cost) | 0 : a.chargeLarge(fuel, cost);
        if (fuel < 0) {
          fuel = a.refill(fuel);
          if (fuel < 0) {
            a.credit = cost;
            stop = Stop.Fuel;
            break loop;
          }
        }
        a.pc = pc;
        a.fp = fp;
        a.fuel = fuel;
        a.depth = depth;
        a.callHost(target, base);
        // It may have charged more.
        fuel = a.fuel;
        pc = next;
        // The host may have grown the memory, or in another store run the same module, and so its code.
        if (memory.view !== view || code.words !== c) break loop;
        continue;
      }
      case 301: {
        // Bytes
        const call = BYTES_CALLS[c[pc + 1]!]!;
        const base = fp + c[pc + 2]!;
        if (call.bulk) {
          const cost = a.bytesBulk(call, base);
          fuel = (fuel - cost) | 0;
          if (fuel < 0) {
            fuel = a.refill(fuel);
            if (fuel < 0) {
              a.credit = cost;
              stop = Stop.Fuel;
              break loop;
            }
          }
        }
        a.pc = pc;
        a.fp = fp;
        runBytes(call, store.heap, s, base, instance);
        pc += 3;
        continue;
      }
      // ---- moves
      case 302: {
        // Copy
        const to = fp + c[pc + 1]!;
        const from = fp + c[pc + 2]!;
        s[to] = s[from]!;
        s[to + 1] = s[from + 1]!;
        pc += 3;
        continue;
      }
      case 307: {
        // Move
        const to = fp + c[pc + 1]!;
        const from = fp + c[pc + 2]!;
        s.copyWithin(to, from, from + c[pc + 3]!);
        pc += 4;
        continue;
      }
      case 303: {
        // Constant
        const to = fp + c[pc + 1]!;
        s[to] = c[pc + 2]!;
        s[to + 1] = c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 306: {
        // Select
        const from = fp + (s[fp + c[pc + 4]!]! !== 0 ? c[pc + 2]! : c[pc + 3]!);
        const to = fp + c[pc + 1]!;
        s[to] = s[from]!;
        s[to + 1] = s[from + 1]!;
        pc += 5;
        continue;
      }
      case 0x23: {
        // global.get
        const words = globals[c[pc + 2]!]!.words;
        const to = fp + c[pc + 1]!;
        s[to] = words[0]!;
        s[to + 1] = words[1]!;
        pc += 3;
        continue;
      }
      case 0x24: {
        // global.set
        const words = globals[c[pc + 1]!]!.words;
        const from = fp + c[pc + 2]!;
        words[0] = s[from]!;
        words[1] = s[from + 1]!;
        pc += 3;
        continue;
      }
      // ---- references and tables
      case 0xd2: {
        // ref.func
        setI64(s, fp + c[pc + 1]!, functions[c[pc + 2]!]!.address + 1, 0);
        pc += 3;
        continue;
      }
      case 0x25: {
        // table.get
        const table = tables[c[pc + 3]!]!;
        const index = s[fp + c[pc + 2]!]! >>> 0;
        if (index >= table.size) {
          a.trapCode = TrapCode.TableOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        setI64(s, fp + c[pc + 1]!, table.elements[index]!, 0);
        pc += 4;
        continue;
      }
      case 0x26: {
        // table.set
        const table = tables[c[pc + 3]!]!;
        const index = s[fp + c[pc + 1]!]! >>> 0;
        if (index >= table.size) {
          a.trapCode = TrapCode.TableOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        table.elements[index] = s[fp + c[pc + 2]!]!;
        pc += 4;
        continue;
      }
      case 272: {
        // table.size
        setI64(s, fp + c[pc + 1]!, tables[c[pc + 2]!]!.size, 0);
        pc += 3;
        continue;
      }
      case 0x3f: {
        // memory.size
        setI64(s, fp + c[pc + 1]!, size >>> 16, 0);
        pc += 2;
        continue;
      }
      case 265: {
        // data.drop
        instance.dropData(c[pc + 1]!);
        pc += 2;
        continue;
      }
      case 269: {
        // elem.drop
        instance.dropElements(c[pc + 1]!);
        pc += 2;
        continue;
      }
      // ---- bulk: charge, test, check, act (spec VM-FUEL-5)
      case 0x40:
      case 264:
      case 266:
      case 267:
      case 268:
      case 270:
      case 271:
      case 273: {
        // memory.grow, memory.init, memory.copy, memory.fill, table.init, table.copy, table.grow, table.fill
        const base = fp + c[pc + 1]!;
        const operation = c[pc]!;
        const amount = s[operation === 0x40 ? base : operation === 271 ? base + 2 : base + 4]! >>> 0;
        const cost = bulkFuel(operation === 0x40 ? "pages" : operation < 268 ? "bytes" : "elements", amount);
        fuel = (fuel - cost) | 0;
        if (fuel < 0) {
          fuel = a.refill(fuel);
          if (fuel < 0) {
            a.credit = cost;
            stop = Stop.Fuel;
            break loop;
          }
        }
        a.pc = pc;
        a.fp = fp;
        const fault = instance.bulk(operation, s, base, c[pc + 2]!, c[pc + 3]!);
        if (fault !== 0) {
          a.trapCode = fault;
          stop = Stop.Trap;
          break loop;
        }
        pc += 4;
        if (memory.view !== view) break loop;
        continue;
      }
      // ---- i32: comparisons, arithmetic; then the same with a constant on the right, and fused with a branch
      case 69: {
        // i32.eqz
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! === 0 ? 1 : 0;
        pc += 3;
        continue;
      }
      case 0x46: {
        // i32.eq
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! === s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x47: {
        // i32.ne
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! !== s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x48: {
        // i32.lt_s
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! < s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x49: {
        // i32.lt_u
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 < s[fp + c[pc + 3]!]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4a: {
        // i32.gt_s
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! > s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4b: {
        // i32.gt_u
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 > s[fp + c[pc + 3]!]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4c: {
        // i32.le_s
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! <= s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4d: {
        // i32.le_u
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 <= s[fp + c[pc + 3]!]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4e: {
        // i32.ge_s
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >= s[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x4f: {
        // i32.ge_u
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 >= s[fp + c[pc + 3]!]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x67: {
        // i32.clz
        s[fp + c[pc + 1]!] = Math.clz32(s[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 0x68: {
        // i32.ctz
        s[fp + c[pc + 1]!] = ctz32(s[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 0x69: {
        // i32.popcnt
        s[fp + c[pc + 1]!] = popcnt32(s[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 0x6a: {
        // i32.add
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! + s[fp + c[pc + 3]!]!) | 0;
        pc += 4;
        continue;
      }
      case 0x6b: {
        // i32.sub
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! - s[fp + c[pc + 3]!]!) | 0;
        pc += 4;
        continue;
      }
      case 0x6c: {
        // i32.mul
        s[fp + c[pc + 1]!] = Math.imul(s[fp + c[pc + 2]!]!, s[fp + c[pc + 3]!]!);
        pc += 4;
        continue;
      }
      case 0x71: {
        // i32.and
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! & s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x72: {
        // i32.or
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! | s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x73: {
        // i32.xor
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! ^ s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x74: {
        // i32.shl
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! << s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x75: {
        // i32.shr_s
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >> s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x76: {
        // i32.shr_u
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> s[fp + c[pc + 3]!]!;
        pc += 4;
        continue;
      }
      case 0x77: {
        // i32.rotl
        s[fp + c[pc + 1]!] = rotl(s[fp + c[pc + 2]!]!, s[fp + c[pc + 3]!]!);
        pc += 4;
        continue;
      }
      case 0x78: {
        // i32.rotr
        s[fp + c[pc + 1]!] = rotl(s[fp + c[pc + 2]!]!, -s[fp + c[pc + 3]!]!);
        pc += 4;
        continue;
      }
      case 0x6d: {
        // i32.div_s
        const divisor = s[fp + c[pc + 3]!]!;
        const dividend = s[fp + c[pc + 2]!]!;
        if (divisor === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        if (divisor === -1 && dividend === -0x80000000) {
          a.trapCode = TrapCode.IntegerOverflow;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = (dividend / divisor) | 0;
        pc += 4;
        continue;
      }
      case 0x6e: {
        // i32.div_u
        const divisor = s[fp + c[pc + 3]!]!;
        if (divisor === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = ((s[fp + c[pc + 2]!]! >>> 0) / (divisor >>> 0)) | 0;
        pc += 4;
        continue;
      }
      case 0x6f: {
        // i32.rem_s
        const divisor = s[fp + c[pc + 3]!]!;
        if (divisor === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! % divisor) | 0;
        pc += 4;
        continue;
      }
      case 0x70: {
        // i32.rem_u
        const divisor = s[fp + c[pc + 3]!]!;
        if (divisor === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = ((s[fp + c[pc + 2]!]! >>> 0) % (divisor >>> 0)) | 0;
        pc += 4;
        continue;
      }
      case 340: {
        // i32.eq, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! === c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 341: {
        // i32.ne, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! !== c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 342: {
        // i32.lt_s, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! < c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 343: {
        // i32.lt_u, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 < c[pc + 3]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 344: {
        // i32.gt_s, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! > c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 345: {
        // i32.gt_u, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 > c[pc + 3]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 346: {
        // i32.le_s, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! <= c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 347: {
        // i32.le_u, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 <= c[pc + 3]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 348: {
        // i32.ge_s, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >= c[pc + 3]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 349: {
        // i32.ge_u, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0 >= c[pc + 3]! >>> 0 ? 1 : 0;
        pc += 4;
        continue;
      }
      case 350: {
        // i32.add, constant
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! + c[pc + 3]!) | 0;
        pc += 4;
        continue;
      }
      case 351: {
        // i32.sub, constant
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! - c[pc + 3]!) | 0;
        pc += 4;
        continue;
      }
      case 352: {
        // i32.mul, constant
        s[fp + c[pc + 1]!] = Math.imul(s[fp + c[pc + 2]!]!, c[pc + 3]!);
        pc += 4;
        continue;
      }
      case 357: {
        // i32.and, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! & c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 358: {
        // i32.or, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! | c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 359: {
        // i32.xor, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! ^ c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 360: {
        // i32.shl, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! << c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 361: {
        // i32.shr_s, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >> c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 362: {
        // i32.shr_u, constant
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> c[pc + 3]!;
        pc += 4;
        continue;
      }
      case 363: {
        // i32.rotl, constant
        s[fp + c[pc + 1]!] = rotl(s[fp + c[pc + 2]!]!, c[pc + 3]!);
        pc += 4;
        continue;
      }
      case 364: {
        // i32.rotr, constant
        s[fp + c[pc + 1]!] = rotl(s[fp + c[pc + 2]!]!, -c[pc + 3]!);
        pc += 4;
        continue;
      }
      case 310: {
        // branch if i32.eq
        if (s[fp + c[pc + 1]!]! === s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 311: {
        // branch if i32.ne
        if (s[fp + c[pc + 1]!]! !== s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 312: {
        // branch if i32.lt_s
        if (s[fp + c[pc + 1]!]! < s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 313: {
        // branch if i32.lt_u
        if (s[fp + c[pc + 1]!]! >>> 0 < s[fp + c[pc + 2]!]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 314: {
        // branch if i32.gt_s
        if (s[fp + c[pc + 1]!]! > s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 315: {
        // branch if i32.gt_u
        if (s[fp + c[pc + 1]!]! >>> 0 > s[fp + c[pc + 2]!]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 316: {
        // branch if i32.le_s
        if (s[fp + c[pc + 1]!]! <= s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 317: {
        // branch if i32.le_u
        if (s[fp + c[pc + 1]!]! >>> 0 <= s[fp + c[pc + 2]!]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 318: {
        // branch if i32.ge_s
        if (s[fp + c[pc + 1]!]! >= s[fp + c[pc + 2]!]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 319: {
        // branch if i32.ge_u
        if (s[fp + c[pc + 1]!]! >>> 0 >= s[fp + c[pc + 2]!]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 320: {
        // branch if i32.eq, constant
        if (s[fp + c[pc + 1]!]! === c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 321: {
        // branch if i32.ne, constant
        if (s[fp + c[pc + 1]!]! !== c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 322: {
        // branch if i32.lt_s, constant
        if (s[fp + c[pc + 1]!]! < c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 323: {
        // branch if i32.lt_u, constant
        if (s[fp + c[pc + 1]!]! >>> 0 < c[pc + 2]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 324: {
        // branch if i32.gt_s, constant
        if (s[fp + c[pc + 1]!]! > c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 325: {
        // branch if i32.gt_u, constant
        if (s[fp + c[pc + 1]!]! >>> 0 > c[pc + 2]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 326: {
        // branch if i32.le_s, constant
        if (s[fp + c[pc + 1]!]! <= c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 327: {
        // branch if i32.le_u, constant
        if (s[fp + c[pc + 1]!]! >>> 0 <= c[pc + 2]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 328: {
        // branch if i32.ge_s, constant
        if (s[fp + c[pc + 1]!]! >= c[pc + 2]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 329: {
        // branch if i32.ge_u, constant
        if (s[fp + c[pc + 1]!]! >>> 0 >= c[pc + 2]! >>> 0) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      // ---- i64: two words, low first; every operand is read before the result is written
      case 0x50: {
        // i64.eqz
        const x = fp + c[pc + 2]!;
        s[fp + c[pc + 1]!] = (s[x]! | s[x + 1]!) === 0 ? 1 : 0;
        pc += 3;
        continue;
      }
      case 0x51: {
        // i64.eq
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x]! === s[y]! && s[x + 1]! === s[y + 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x52: {
        // i64.ne
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x]! !== s[y]! || s[x + 1]! !== s[y + 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x53: {
        // i64.lt_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x + 1]! < s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 < s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x54: {
        // i64.lt_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] =
          s[x + 1]! >>> 0 < s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 < s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x55: {
        // i64.gt_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x + 1]! > s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 > s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x56: {
        // i64.gt_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] =
          s[x + 1]! >>> 0 > s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 > s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x57: {
        // i64.le_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x + 1]! < s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 <= s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x58: {
        // i64.le_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] =
          s[x + 1]! >>> 0 < s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 <= s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x59: {
        // i64.ge_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] = s[x + 1]! > s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 >= s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x5a: {
        // i64.ge_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        s[fp + c[pc + 1]!] =
          s[x + 1]! >>> 0 > s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 >= s[y]! >>> 0) ? 1 : 0;
        pc += 4;
        continue;
      }
      case 390: {
        // branch if i64.eq
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x]! === s[y]! && s[x + 1]! === s[y + 1]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 391: {
        // branch if i64.ne
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x]! !== s[y]! || s[x + 1]! !== s[y + 1]!) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 392: {
        // branch if i64.lt_s
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! < s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 < s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 393: {
        // branch if i64.lt_u
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! >>> 0 < s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 < s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 394: {
        // branch if i64.gt_s
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! > s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 > s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 395: {
        // branch if i64.gt_u
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! >>> 0 > s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 > s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 396: {
        // branch if i64.le_s
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! < s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 <= s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 397: {
        // branch if i64.le_u
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! >>> 0 < s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 <= s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 398: {
        // branch if i64.ge_s
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! > s[y + 1]! || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 >= s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 399: {
        // branch if i64.ge_u
        const x = fp + c[pc + 1]!;
        const y = fp + c[pc + 2]!;
        if (s[x + 1]! >>> 0 > s[y + 1]! >>> 0 || (s[x + 1]! === s[y + 1]! && s[x]! >>> 0 >= s[y]! >>> 0)) {
          fuel = (fuel - c[pc + 4]!) | 0;
          if (fuel < 0 && c[pc + 6]! > 0) {
            fuel = (fuel + c[pc + 4]!) | 0;
            pc = c[pc + 6]!;
          } else pc = c[pc + 3]!;
        } else {
          fuel = (fuel - c[pc + 5]!) | 0;
          pc += 7;
        }
        continue;
      }
      case 400: {
        // branch if i64.eq, constant
        const x = fp + c[pc + 1]!;
        if (s[x]! === c[pc + 2]! && s[x + 1]! === c[pc + 3]!) {
          fuel = (fuel - c[pc + 5]!) | 0;
          if (fuel < 0 && c[pc + 7]! > 0) {
            fuel = (fuel + c[pc + 5]!) | 0;
            pc = c[pc + 7]!;
          } else pc = c[pc + 4]!;
        } else {
          fuel = (fuel - c[pc + 6]!) | 0;
          pc += 8;
        }
        continue;
      }
      case 401: {
        // branch if i64.ne, constant
        const x = fp + c[pc + 1]!;
        if (s[x]! !== c[pc + 2]! || s[x + 1]! !== c[pc + 3]!) {
          fuel = (fuel - c[pc + 5]!) | 0;
          if (fuel < 0 && c[pc + 7]! > 0) {
            fuel = (fuel + c[pc + 5]!) | 0;
            pc = c[pc + 7]!;
          } else pc = c[pc + 4]!;
        } else {
          fuel = (fuel - c[pc + 6]!) | 0;
          pc += 8;
        }
        continue;
      }
      case 0x79: {
        // i64.clz
        const x = fp + c[pc + 2]!;
        const high = s[x + 1]!;
        setI64(s, fp + c[pc + 1]!, high !== 0 ? Math.clz32(high) : 32 + Math.clz32(s[x]!), 0);
        pc += 3;
        continue;
      }
      case 0x7a: {
        // i64.ctz
        const x = fp + c[pc + 2]!;
        const low = s[x]!;
        setI64(s, fp + c[pc + 1]!, low !== 0 ? ctz32(low) : 32 + ctz32(s[x + 1]!), 0);
        pc += 3;
        continue;
      }
      case 0x7b: {
        // i64.popcnt
        const x = fp + c[pc + 2]!;
        setI64(s, fp + c[pc + 1]!, popcnt32(s[x]!) + popcnt32(s[x + 1]!), 0);
        pc += 3;
        continue;
      }
      case 0x7c: {
        // i64.add
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const xl = s[x]!;
        const low = (xl + s[y]!) | 0;
        const high = (s[x + 1]! + s[y + 1]! + (low >>> 0 < xl >>> 0 ? 1 : 0)) | 0;
        s[r] = low;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x7d: {
        // i64.sub
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const xl = s[x]!;
        const yl = s[y]!;
        const high = (s[x + 1]! - s[y + 1]! - (xl >>> 0 < yl >>> 0 ? 1 : 0)) | 0;
        s[r] = (xl - yl) | 0;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x7e: {
        // i64.mul
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        mul64(s, r, s[x]!, s[x + 1]!, s[y]!, s[y + 1]!);
        pc += 4;
        continue;
      }
      case 0x7f: {
        // i64.div_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        if ((s[y]! | s[y + 1]!) === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        if (s[y]! === -1 && s[y + 1]! === -1 && s[x]! === 0 && s[x + 1]! === -0x80000000) {
          a.trapCode = TrapCode.IntegerOverflow;
          stop = Stop.Trap;
          break loop;
        }
        divS64(s, r, x, y);
        pc += 4;
        continue;
      }
      case 0x80: {
        // i64.div_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        if ((s[y]! | s[y + 1]!) === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        divU64(s, r, x, y);
        pc += 4;
        continue;
      }
      case 0x81: {
        // i64.rem_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        if ((s[y]! | s[y + 1]!) === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        remS64(s, r, x, y);
        pc += 4;
        continue;
      }
      case 0x82: {
        // i64.rem_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        if ((s[y]! | s[y + 1]!) === 0) {
          a.trapCode = TrapCode.IntegerDivideByZero;
          stop = Stop.Trap;
          break loop;
        }
        remU64(s, r, x, y);
        pc += 4;
        continue;
      }
      case 0x83: {
        // i64.and
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! & s[y + 1]!;
        s[r] = s[x]! & s[y]!;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x84: {
        // i64.or
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! | s[y + 1]!;
        s[r] = s[x]! | s[y]!;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x85: {
        // i64.xor
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! ^ s[y + 1]!;
        s[r] = s[x]! ^ s[y]!;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x86: {
        // i64.shl
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const n = s[y]! & 63;
        const xl = s[x]!;
        const high = n === 0 ? s[x + 1]! : n < 32 ? (s[x + 1]! << n) | (xl >>> (32 - n)) : xl << (n - 32);
        s[r] = n < 32 ? xl << n : 0;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      case 0x87: {
        // i64.shr_s
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const n = s[y]! & 63;
        const xh = s[x + 1]!;
        s[r] = n === 0 ? s[x]! : n < 32 ? (s[x]! >>> n) | (xh << (32 - n)) : xh >> (n - 32);
        s[r + 1] = n < 32 ? xh >> n : xh >> 31;
        pc += 4;
        continue;
      }
      case 0x88: {
        // i64.shr_u
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        const n = s[y]! & 63;
        const xh = s[x + 1]!;
        s[r] = n === 0 ? s[x]! : n < 32 ? (s[x]! >>> n) | (xh << (32 - n)) : xh >>> (n - 32);
        s[r + 1] = n < 32 ? xh >>> n : 0;
        pc += 4;
        continue;
      }
      case 0x89: {
        // i64.rotl
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        rotl64(s, r, s[x]!, s[x + 1]!, s[y]! & 63);
        pc += 4;
        continue;
      }
      case 0x8a: {
        // i64.rotr
        const x = fp + c[pc + 2]!;
        const y = fp + c[pc + 3]!;
        const r = fp + c[pc + 1]!;
        rotl64(s, r, s[x]!, s[x + 1]!, -s[y]! & 63);
        pc += 4;
        continue;
      }
      case 370: {
        // i64.add, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const xl = s[x]!;
        const low = (xl + c[pc + 3]!) | 0;
        const high = (s[x + 1]! + c[pc + 4]! + (low >>> 0 < xl >>> 0 ? 1 : 0)) | 0;
        s[r] = low;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 371: {
        // i64.sub, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const xl = s[x]!;
        const yl = c[pc + 3]!;
        const high = (s[x + 1]! - c[pc + 4]! - (xl >>> 0 < yl >>> 0 ? 1 : 0)) | 0;
        s[r] = (xl - yl) | 0;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 377: {
        // i64.and, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! & c[pc + 4]!;
        s[r] = s[x]! & c[pc + 3]!;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 378: {
        // i64.or, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! | c[pc + 4]!;
        s[r] = s[x]! | c[pc + 3]!;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 379: {
        // i64.xor, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! ^ c[pc + 4]!;
        s[r] = s[x]! ^ c[pc + 3]!;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 380: {
        // i64.shl, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const n = c[pc + 3]! & 63;
        const xl = s[x]!;
        const high = n === 0 ? s[x + 1]! : n < 32 ? (s[x + 1]! << n) | (xl >>> (32 - n)) : xl << (n - 32);
        s[r] = n < 32 ? xl << n : 0;
        s[r + 1] = high;
        pc += 5;
        continue;
      }
      case 381: {
        // i64.shr_s, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const n = c[pc + 3]! & 63;
        const xh = s[x + 1]!;
        s[r] = n === 0 ? s[x]! : n < 32 ? (s[x]! >>> n) | (xh << (32 - n)) : xh >> (n - 32);
        s[r + 1] = n < 32 ? xh >> n : xh >> 31;
        pc += 5;
        continue;
      }
      case 382: {
        // i64.shr_u, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const n = c[pc + 3]! & 63;
        const xh = s[x + 1]!;
        s[r] = n === 0 ? s[x]! : n < 32 ? (s[x]! >>> n) | (xh << (32 - n)) : xh >>> (n - 32);
        s[r + 1] = n < 32 ? xh >>> n : 0;
        pc += 5;
        continue;
      }
      case 383: {
        // i64.rotl, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        rotl64(s, r, s[x]!, s[x + 1]!, c[pc + 3]! & 63);
        pc += 5;
        continue;
      }
      case 384: {
        // i64.rotr, constant
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        rotl64(s, r, s[x]!, s[x + 1]!, -c[pc + 3]! & 63);
        pc += 5;
        continue;
      }
      // ---- floats: arithmetic makes the canonical NaN only (spec VM-NAN-1); moves and sign changes work on the bits
      case 0x5b: {
        // f32.eq
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! === f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x5c: {
        // f32.ne
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! !== f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x5d: {
        // f32.lt
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! < f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x5e: {
        // f32.gt
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! > f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x5f: {
        // f32.le
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! <= f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x60: {
        // f32.ge
        s[fp + c[pc + 1]!] = f[fp + c[pc + 2]!]! >= f[fp + c[pc + 3]!]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x61: {
        // f64.eq
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! === d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x62: {
        // f64.ne
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! !== d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x63: {
        // f64.lt
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! < d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x64: {
        // f64.gt
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! > d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x65: {
        // f64.le
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! <= d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x66: {
        // f64.ge
        s[fp + c[pc + 1]!] = d[(fp + c[pc + 2]!) >> 1]! >= d[(fp + c[pc + 3]!) >> 1]! ? 1 : 0;
        pc += 4;
        continue;
      }
      case 0x8b: {
        // f32.abs
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! & 0x7fffffff;
        pc += 3;
        continue;
      }
      case 0x8c: {
        // f32.neg
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! ^ -0x80000000;
        pc += 3;
        continue;
      }
      case 0x8d: {
        // f32.ceil
        const r = fp + c[pc + 1]!;
        const value = Math.ceil(f[fp + c[pc + 2]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0x8e: {
        // f32.floor
        const r = fp + c[pc + 1]!;
        const value = Math.floor(f[fp + c[pc + 2]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0x8f: {
        // f32.trunc
        const r = fp + c[pc + 1]!;
        const value = Math.trunc(f[fp + c[pc + 2]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0x90: {
        // f32.nearest
        const r = fp + c[pc + 1]!;
        const value = nearest(f[fp + c[pc + 2]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0x91: {
        // f32.sqrt
        const r = fp + c[pc + 1]!;
        const value = Math.sqrt(f[fp + c[pc + 2]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0x92: {
        // f32.add
        const r = fp + c[pc + 1]!;
        const value = f[fp + c[pc + 2]!]! + f[fp + c[pc + 3]!]!;
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x93: {
        // f32.sub
        const r = fp + c[pc + 1]!;
        const value = f[fp + c[pc + 2]!]! - f[fp + c[pc + 3]!]!;
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x94: {
        // f32.mul
        const r = fp + c[pc + 1]!;
        const value = f[fp + c[pc + 2]!]! * f[fp + c[pc + 3]!]!;
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x95: {
        // f32.div
        const r = fp + c[pc + 1]!;
        const value = f[fp + c[pc + 2]!]! / f[fp + c[pc + 3]!]!;
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x96: {
        // f32.min
        const r = fp + c[pc + 1]!;
        const value = Math.min(f[fp + c[pc + 2]!]!, f[fp + c[pc + 3]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x97: {
        // f32.max
        const r = fp + c[pc + 1]!;
        const value = Math.max(f[fp + c[pc + 2]!]!, f[fp + c[pc + 3]!]!);
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 4;
        continue;
      }
      case 0x98: {
        // f32.copysign
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! & 0x7fffffff) | (s[fp + c[pc + 3]!]! & -0x80000000);
        pc += 4;
        continue;
      }
      case 0x99: {
        // f64.abs
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! & 0x7fffffff;
        s[r] = s[x]!;
        s[r + 1] = high;
        pc += 3;
        continue;
      }
      case 0x9a: {
        // f64.neg
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = s[x + 1]! ^ -0x80000000;
        s[r] = s[x]!;
        s[r + 1] = high;
        pc += 3;
        continue;
      }
      case 0x9b: {
        // f64.ceil
        const r = fp + c[pc + 1]!;
        const value = Math.ceil(d[(fp + c[pc + 2]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0x9c: {
        // f64.floor
        const r = fp + c[pc + 1]!;
        const value = Math.floor(d[(fp + c[pc + 2]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0x9d: {
        // f64.trunc
        const r = fp + c[pc + 1]!;
        const value = Math.trunc(d[(fp + c[pc + 2]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0x9e: {
        // f64.nearest
        const r = fp + c[pc + 1]!;
        const value = nearest(d[(fp + c[pc + 2]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0x9f: {
        // f64.sqrt
        const r = fp + c[pc + 1]!;
        const value = Math.sqrt(d[(fp + c[pc + 2]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0xa0: {
        // f64.add
        const r = fp + c[pc + 1]!;
        const value = d[(fp + c[pc + 2]!) >> 1]! + d[(fp + c[pc + 3]!) >> 1]!;
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa1: {
        // f64.sub
        const r = fp + c[pc + 1]!;
        const value = d[(fp + c[pc + 2]!) >> 1]! - d[(fp + c[pc + 3]!) >> 1]!;
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa2: {
        // f64.mul
        const r = fp + c[pc + 1]!;
        const value = d[(fp + c[pc + 2]!) >> 1]! * d[(fp + c[pc + 3]!) >> 1]!;
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa3: {
        // f64.div
        const r = fp + c[pc + 1]!;
        const value = d[(fp + c[pc + 2]!) >> 1]! / d[(fp + c[pc + 3]!) >> 1]!;
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa4: {
        // f64.min
        const r = fp + c[pc + 1]!;
        const value = Math.min(d[(fp + c[pc + 2]!) >> 1]!, d[(fp + c[pc + 3]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa5: {
        // f64.max
        const r = fp + c[pc + 1]!;
        const value = Math.max(d[(fp + c[pc + 2]!) >> 1]!, d[(fp + c[pc + 3]!) >> 1]!);
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 4;
        continue;
      }
      case 0xa6: {
        // f64.copysign
        const x = fp + c[pc + 2]!;
        const r = fp + c[pc + 1]!;
        const high = (s[x + 1]! & 0x7fffffff) | (s[fp + c[pc + 3]! + 1]! & -0x80000000);
        s[r] = s[x]!;
        s[r + 1] = high;
        pc += 4;
        continue;
      }
      // ---- conversions
      case 0xa7: {
        // i32.wrap_i64
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]!;
        pc += 3;
        continue;
      }
      case 0xa8: {
        // i32.trunc_f32_s
        const x = f[fp + c[pc + 2]!]!;
        if (!(x > -2147483649 && x < 2147483648)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = x | 0;
        pc += 3;
        continue;
      }
      case 0xa9: {
        // i32.trunc_f32_u
        const x = f[fp + c[pc + 2]!]!;
        if (!(x > -1 && x < 4294967296)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = x >>> 0;
        pc += 3;
        continue;
      }
      case 0xaa: {
        // i32.trunc_f64_s
        const x = d[(fp + c[pc + 2]!) >> 1]!;
        if (!(x > -2147483649 && x < 2147483648)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = x | 0;
        pc += 3;
        continue;
      }
      case 0xab: {
        // i32.trunc_f64_u
        const x = d[(fp + c[pc + 2]!) >> 1]!;
        if (!(x > -1 && x < 4294967296)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        s[fp + c[pc + 1]!] = x >>> 0;
        pc += 3;
        continue;
      }
      case 0xac: {
        // i64.extend_i32_s
        const low = s[fp + c[pc + 2]!]!;
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 3;
        continue;
      }
      case 0xad: {
        // i64.extend_i32_u
        setI64(s, fp + c[pc + 1]!, s[fp + c[pc + 2]!]!, 0);
        pc += 3;
        continue;
      }
      case 0xae: {
        // i64.trunc_f32_s
        const x = f[fp + c[pc + 2]!]!;
        if (!(x >= -9223372036854775808 && x < 9223372036854775808)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        truncToI64(s, fp + c[pc + 1]!, x);
        pc += 3;
        continue;
      }
      case 0xaf: {
        // i64.trunc_f32_u
        const x = f[fp + c[pc + 2]!]!;
        if (!(x > -1 && x < 18446744073709551616)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        truncToI64(s, fp + c[pc + 1]!, x);
        pc += 3;
        continue;
      }
      case 0xb0: {
        // i64.trunc_f64_s
        const x = d[(fp + c[pc + 2]!) >> 1]!;
        if (!(x >= -9223372036854775808 && x < 9223372036854775808)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        truncToI64(s, fp + c[pc + 1]!, x);
        pc += 3;
        continue;
      }
      case 0xb1: {
        // i64.trunc_f64_u
        const x = d[(fp + c[pc + 2]!) >> 1]!;
        if (!(x > -1 && x < 18446744073709551616)) {
          a.trapCode = TrapCode.InvalidConversion;
          stop = Stop.Trap;
          break loop;
        }
        truncToI64(s, fp + c[pc + 1]!, x);
        pc += 3;
        continue;
      }
      case 0xb2: {
        // f32.convert_i32_s
        f[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]!;
        pc += 3;
        continue;
      }
      case 0xb3: {
        // f32.convert_i32_u
        f[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]! >>> 0;
        pc += 3;
        continue;
      }
      case 0xb4: {
        // f32.convert_i64_s
        const x = fp + c[pc + 2]!;
        f[fp + c[pc + 1]!] = i64ToF32(s[x]!, s[x + 1]!);
        pc += 3;
        continue;
      }
      case 0xb5: {
        // f32.convert_i64_u
        const x = fp + c[pc + 2]!;
        f[fp + c[pc + 1]!] = u64ToF32(s[x]!, s[x + 1]!);
        pc += 3;
        continue;
      }
      case 0xb6: {
        // f32.demote_f64
        const r = fp + c[pc + 1]!;
        const value = d[(fp + c[pc + 2]!) >> 1]!;
        if (value === value) f[r] = value;
        else s[r] = NAN32;
        pc += 3;
        continue;
      }
      case 0xb7: {
        // f64.convert_i32_s
        d[(fp + c[pc + 1]!) >> 1] = s[fp + c[pc + 2]!]!;
        pc += 3;
        continue;
      }
      case 0xb8: {
        // f64.convert_i32_u
        d[(fp + c[pc + 1]!) >> 1] = s[fp + c[pc + 2]!]! >>> 0;
        pc += 3;
        continue;
      }
      case 0xb9: {
        // f64.convert_i64_s
        const x = fp + c[pc + 2]!;
        d[(fp + c[pc + 1]!) >> 1] = s[x + 1]! * 4294967296 + (s[x]! >>> 0);
        pc += 3;
        continue;
      }
      case 0xba: {
        // f64.convert_i64_u
        const x = fp + c[pc + 2]!;
        d[(fp + c[pc + 1]!) >> 1] = (s[x + 1]! >>> 0) * 4294967296 + (s[x]! >>> 0);
        pc += 3;
        continue;
      }
      case 0xbb: {
        // f64.promote_f32
        const r = fp + c[pc + 1]!;
        const value = f[fp + c[pc + 2]!]!;
        if (value === value) d[r >> 1] = value;
        else {
          s[r] = 0;
          s[r + 1] = NAN64_HIGH;
        }
        pc += 3;
        continue;
      }
      case 0xbc: {
        // i32.reinterpret_f32
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]!;
        pc += 3;
        continue;
      }
      case 0xbd: {
        // i64.reinterpret_f64
        copy(s, fp + c[pc + 1]!, fp + c[pc + 2]!);
        pc += 3;
        continue;
      }
      case 0xbe: {
        // f32.reinterpret_i32
        s[fp + c[pc + 1]!] = s[fp + c[pc + 2]!]!;
        pc += 3;
        continue;
      }
      case 0xbf: {
        // f64.reinterpret_i64
        copy(s, fp + c[pc + 1]!, fp + c[pc + 2]!);
        pc += 3;
        continue;
      }
      case 0xc0: {
        // i32.extend8_s
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! << 24) >> 24;
        pc += 3;
        continue;
      }
      case 0xc1: {
        // i32.extend16_s
        s[fp + c[pc + 1]!] = (s[fp + c[pc + 2]!]! << 16) >> 16;
        pc += 3;
        continue;
      }
      case 0xc2: {
        // i64.extend8_s
        const low = (s[fp + c[pc + 2]!]! << 24) >> 24;
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 3;
        continue;
      }
      case 0xc3: {
        // i64.extend16_s
        const low = (s[fp + c[pc + 2]!]! << 16) >> 16;
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 3;
        continue;
      }
      case 0xc4: {
        // i64.extend32_s
        const low = s[fp + c[pc + 2]!]!;
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 3;
        continue;
      }
      case 256: {
        // i32.trunc_sat_f32_s
        s[fp + c[pc + 1]!] = satI32(f[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 257: {
        // i32.trunc_sat_f32_u
        s[fp + c[pc + 1]!] = satU32(f[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 258: {
        // i32.trunc_sat_f64_s
        s[fp + c[pc + 1]!] = satI32(d[(fp + c[pc + 2]!) >> 1]!);
        pc += 3;
        continue;
      }
      case 259: {
        // i32.trunc_sat_f64_u
        s[fp + c[pc + 1]!] = satU32(d[(fp + c[pc + 2]!) >> 1]!);
        pc += 3;
        continue;
      }
      case 260: {
        // i64.trunc_sat_f32_s
        satI64(s, fp + c[pc + 1]!, f[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 261: {
        // i64.trunc_sat_f32_u
        satU64(s, fp + c[pc + 1]!, f[fp + c[pc + 2]!]!);
        pc += 3;
        continue;
      }
      case 262: {
        // i64.trunc_sat_f64_s
        satI64(s, fp + c[pc + 1]!, d[(fp + c[pc + 2]!) >> 1]!);
        pc += 3;
        continue;
      }
      case 263: {
        // i64.trunc_sat_f64_u
        satU64(s, fp + c[pc + 1]!, d[(fp + c[pc + 2]!) >> 1]!);
        pc += 3;
        continue;
      }
      // ---- linear memory
      case 0x28: {
        // i32.load
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = view.getInt32(at, true);
        pc += 4;
        continue;
      }
      case 0x29: {
        // i64.load
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 8 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const r = fp + c[pc + 1]!;
        s[r] = view.getInt32(at, true);
        s[r + 1] = view.getInt32(at + 4, true);
        pc += 4;
        continue;
      }
      case 0x2a: {
        // f32.load
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = view.getInt32(at, true);
        pc += 4;
        continue;
      }
      case 0x2b: {
        // f64.load
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 8 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const r = fp + c[pc + 1]!;
        s[r] = view.getInt32(at, true);
        s[r + 1] = view.getInt32(at + 4, true);
        pc += 4;
        continue;
      }
      case 0x2c: {
        // i32.load8_s
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = (u8[at]! << 24) >> 24;
        pc += 4;
        continue;
      }
      case 0x2d: {
        // i32.load8_u
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = u8[at]!;
        pc += 4;
        continue;
      }
      case 0x2e: {
        // i32.load16_s
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = view.getInt16(at, true);
        pc += 4;
        continue;
      }
      case 0x2f: {
        // i32.load16_u
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        s[fp + c[pc + 1]!] = view.getUint16(at, true);
        pc += 4;
        continue;
      }
      case 0x30: {
        // i64.load8_s
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const low = (u8[at]! << 24) >> 24;
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 4;
        continue;
      }
      case 0x31: {
        // i64.load8_u
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        setI64(s, fp + c[pc + 1]!, u8[at]!, 0);
        pc += 4;
        continue;
      }
      case 0x32: {
        // i64.load16_s
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const low = view.getInt16(at, true);
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 4;
        continue;
      }
      case 0x33: {
        // i64.load16_u
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        setI64(s, fp + c[pc + 1]!, view.getUint16(at, true), 0);
        pc += 4;
        continue;
      }
      case 0x34: {
        // i64.load32_s
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const low = view.getInt32(at, true);
        setI64(s, fp + c[pc + 1]!, low, low >> 31);
        pc += 4;
        continue;
      }
      case 0x35: {
        // i64.load32_u
        const address = s[fp + c[pc + 2]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        setI64(s, fp + c[pc + 1]!, view.getInt32(at, true), 0);
        pc += 4;
        continue;
      }
      case 0x36: {
        // i32.store
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        view.setInt32(at, s[fp + c[pc + 2]!]!, true);
        pc += 4;
        continue;
      }
      case 0x38: {
        // f32.store
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        view.setInt32(at, s[fp + c[pc + 2]!]!, true);
        pc += 4;
        continue;
      }
      case 0x3e: {
        // i64.store32
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 4 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        view.setInt32(at, s[fp + c[pc + 2]!]!, true);
        pc += 4;
        continue;
      }
      case 0x37: {
        // i64.store
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 8 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const x = fp + c[pc + 2]!;
        view.setInt32(at, s[x]!, true);
        view.setInt32(at + 4, s[x + 1]!, true);
        pc += 4;
        continue;
      }
      case 0x39: {
        // f64.store
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 8 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        const x = fp + c[pc + 2]!;
        view.setInt32(at, s[x]!, true);
        view.setInt32(at + 4, s[x + 1]!, true);
        pc += 4;
        continue;
      }
      case 0x3a: {
        // i32.store8
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        u8[at] = s[fp + c[pc + 2]!]!;
        pc += 4;
        continue;
      }
      case 0x3c: {
        // i64.store8
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 1 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        u8[at] = s[fp + c[pc + 2]!]!;
        pc += 4;
        continue;
      }
      case 0x3b: {
        // i32.store16
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        view.setInt16(at, s[fp + c[pc + 2]!]!, true);
        pc += 4;
        continue;
      }
      case 0x3d: {
        // i64.store16
        const address = s[fp + c[pc + 1]!]! >>> 0;
        const offset = c[pc + 3]! >>> 0;
        if (address > size - 2 - offset) {
          a.trapCode = TrapCode.MemoryOutOfBounds;
          stop = Stop.Trap;
          break loop;
        }
        const at = address + offset;
        view.setInt16(at, s[fp + c[pc + 2]!]!, true);
        pc += 4;
        continue;
      }
      default:
        throw new Error(`the reference engine has no operation ${c[pc]} (at ${pc})`);
    }
  }
  a.pc = pc;
  a.fp = fp;
  a.fuel = fuel;
  a.depth = depth;
  return stop;
}
