/** Guests in text format for the tests of the host ABI. */
import t, { type Test } from "tap";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { loadWat } from "../../host/wat.ts";
import { type Engine, type Instance, Module } from "../../vm/index.ts";
import { ENGINES } from "../vm/compare.ts";

/** A test for each engine; `other` is the other one. */
export function onEngines(name: string, body: (t: Test, engine: Engine, other: Engine) => void | Promise<void>): void {
  ENGINES.forEach((engine, k) => {
    t.test(`${name} (${engine} engine)`, (t) => body(t, engine, ENGINES[1 - k]!));
  });
}

export async function instantiate(
  engine: Engine,
  wat: string,
  options: AbiOptions = {},
  fuel?: bigint,
): Promise<Instance> {
  const module = Module.decode(await loadWat(wat));
  return module.instantiate({ engine, ...createAbi(options), ...(fuel === undefined ? {} : { fuel }) });
}

/** What `run` throws. */
export function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Has a file, a file to write, a folder and the standard input open, and works on them. */
export const GUEST = `(module
  (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
  (import "fs" "read_p" (func $read_p (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "fs" "list" (func $list (param i64 i64 i64 i32 i32) (result i32 i32 i32 i64)))
  (import "fs" "close" (func $close (param i64) (result i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 2)
  (data (i32.const 0) "/data/in.txt/data/out.txt/data")
  (global $file (export "file") (mut i64) (i64.const 0))
  (global $out (mut i64) (i64.const 0))
  (global $dir (mut i64) (i64.const 0))
  (global $in (mut i64) (i64.const 0))
  (func (export "open") (result i32)
    (call $open (i64.const 0) (call $own) (i32.const 0) (i32.const 12) (i32.const 1)) (global.set $file)
    (call $open (i64.const 0) (call $own) (i32.const 12) (i32.const 13) (i32.const 6)) (global.set $out)
    (call $open (i64.const 0) (call $own) (i32.const 25) (i32.const 5) (i32.const 64)) (global.set $dir)
    (global.set $in (call $stdin))
    i32.or i32.or)
  (func (export "read") (param i64 i32 i32) (result i32 i32 i32)
    (call $read_p (global.get $file) (local.get 0) (call $own) (local.get 1) (local.get 2) (i32.const 900))
    (i32.load (i32.const 900)) (i32.load (i32.const 904)))
  (func (export "read_in") (param i32) (result i32 i32)
    (call $read_p (global.get $in) (i64.const -1) (call $own) (i32.const 1000) (local.get 0) (i32.const 900))
    (i32.load (i32.const 900)))
  (func (export "write") (param i64) (result i32 i32)
    (call $write (global.get $out) (local.get 0) (call $own) (i32.const 0) (i32.const 4)))
  (func (export "write_bad") (result i32 i32)
    (i32.store (i32.const 800) (i32.const 77))
    (call $write (global.get $out) (i64.const 0) (call $own) (i32.const 131070) (i32.const 4)))
  (func (export "list") (param i64) (result i32 i32 i32 i64)
    (call $list (global.get $dir) (local.get 0) (call $own) (i32.const 2000) (i32.const 9)))
  (func (export "close") (result i32) (call $close (global.get $file)))
  (func (export "hello") (result i32 i32)
    (call $write (call $stdout) (i64.const -1) (call $own) (i32.const 0) (i32.const 5))))`;
