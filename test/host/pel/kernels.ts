/** Guests for the tests of kernels, and jobs for them. */

import { keyText, ParsedKey } from "../../../host/asl/key.ts";
import type { ArtifactStore } from "../../../host/asl/syscalls.ts";
import type { KernelJob } from "../../../host/pel/kernel-pool.ts";
import { GUEST_LIMITS, type GuestLimits, type GuestNode } from "../../../host/pel/program.ts";
import { loadWat } from "../../../host/wat.ts";
import type { Engine } from "../../../vm/index.ts";
import { keyOf, MemoryArtifacts } from "../../syscalls/artifacts.ts";

/** Exports that are entries. Where a call is refused its status is the exit code. `/in/a` is what they take, `/out/a` what they make. */
export const KERNEL: Uint8Array = await loadWat(`(module
  (import "fs" "open_p" (func $open (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "fs" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "list_p" (func $list (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "mkdir" (func $mkdir (param i64 i64 i32 i32) (result i32)))
  (import "fs" "link" (func $link (param i64 i64 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "fs" "symlink" (func $symlink (param i64 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "fs" "unlink" (func $unlink (param i64 i64 i32 i32) (result i32)))
  (import "fs" "close" (func $close (param i64) (result i32)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "random" (func $random (param i64 i32 i32)))
  (import "sys" "clock" (func $clock (param i32) (result i64)))
  (import "sys" "sleep" (func $sleep (param i64)))
  (import "sys" "arg_read" (func $arg (param i32 i64 i32 i32) (result i32)))
  (import "sys" "args_count" (func $args (result i32)))
  (import "sys" "name_read" (func $name (param i64 i32 i32) (result i32)))
  (import "sys" "env_count" (func $envs (result i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "sys" "stderr" (func $stderr (result i64)))
  (import "asl" "create_p" (func $create (param i32 i32 i32) (result i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "fill" (func $fill (param i64 i32 i32 i32)))
  (import "bytes" "load8_u" (func $byte (param i64 i32) (result i32)))
  (memory (export "memory") 3)
  (table 1 funcref)
  (data (i32.const 0) "/in/a/out/a/out/b/in/out/in/b")
  (data (i32.const 100) "hello, world")
  (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func $file (param $at i32) (param $length i32) (param $flags i32) (result i64)
    (call $must (call $open (i64.const 0) (call $own) (local.get $at) (local.get $length) (local.get $flags) (i32.const 200)))
    (i64.load (i32.const 200)))
  (func $in (result i64) (call $file (i32.const 0) (i32.const 5) (i32.const 1)))
  (func $out (result i64) (call $file (i32.const 5) (i32.const 6) (i32.const 22)))
  (func $put (param $file i64) (param $offset i64) (param $at i32) (param $length i32)
    (call $must (call $write (local.get $file) (local.get $offset) (call $own) (local.get $at) (local.get $length) (i32.const 208))))
  (func $make (param $at i32) (param $length i32) (local $file i64)
    (local.set $file (call $out))
    (call $put (local.get $file) (i64.const 0) (local.get $at) (local.get $length))
    (call $must (call $close (local.get $file))))

  (func (export "nothing"))
  (func (export "trap") (call $make (i32.const 100) (i32.const 12)) unreachable)
  (func (export "loop") (loop (br 0)))
  (func (export "answer") (result i32) (i32.const 263))
  (func (export "exit") (call $make (i32.const 100) (i32.const 12)) (call $exit (i32.const 3)))
  (func (export "exit_well") (call $make (i32.const 100) (i32.const 12)) (call $exit (i32.const 0)) unreachable)
  (func $hello (export "hello") (call $make (i32.const 100) (i32.const 12)))
  (func (export "empty") (call $must (call $close (call $out))))
  (func (export "twice") (call $hello) (call $make (i32.const 107) (i32.const 5)))
  (func (export "gone") (call $hello) (call $must (call $unlink (i64.const 0) (call $own) (i32.const 5) (i32.const 6))))
  (func (export "undeclared") (call $hello) (drop (call $file (i32.const 11) (i32.const 6) (i32.const 6))))
  (func (export "directory") (call $hello) (call $must (call $mkdir (i64.const 0) (call $own) (i32.const 11) (i32.const 6))))
  (func (export "directory_for_file") (call $must (call $mkdir (i64.const 0) (call $own) (i32.const 5) (i32.const 6))))
  (func (export "symlink") (call $hello)
    (call $must (call $symlink (call $own) (i32.const 10) (i32.const 1) (i64.const 0) (call $own) (i32.const 11) (i32.const 6))))
  (func (export "two_names") (call $hello)
    (call $must (call $link (i64.const 0) (call $own) (i32.const 5) (i32.const 6) (i64.const 0) (call $own) (i32.const 11) (i32.const 6))))
  (func (export "write_in") (drop (call $file (i32.const 24) (i32.const 5) (i32.const 6))))
  (func (export "huge") (local $file i64) (local $at i64)
    (local.set $file (call $out))
    (loop $more
      (call $put (local.get $file) (local.get $at) (i32.const 65536) (i32.const 65536))
      (local.set $at (i64.add (local.get $at) (i64.const 65536)))
      (br $more)))
  (func (export "huge_stream") (loop $more (call $put (call $stdout) (i64.const -1) (i32.const 65536) (i32.const 65536)) (br $more)))
  (func $deep (export "deep") (call $deep))
  (func (export "grow") (result i32) (i32.sub (memory.grow (i32.const 10)) (i32.const 3)))
  (func (export "objects") (result i32) (loop $more (br_if $more (i64.ne (call $new (i32.const 16)) (i64.const 0)))) (i32.const 9))
  (func (export "divide") (result i32) (i32.div_u (i32.const 1) (i32.load (i32.const 96))))
  (func (export "forge") (call $must (call $close (i64.const 77))))
  (func (export "copy") (local $in i64) (local $out i64) (local $at i64) (local $count i32)
    (local.set $in (call $in))
    (local.set $out (call $out))
    (loop $more
      (call $must (call $read (local.get $in) (local.get $at) (call $own) (i32.const 65536) (i32.const 100000) (i32.const 208)))
      (local.set $count (i32.load (i32.const 208)))
      (call $put (local.get $out) (local.get $at) (i32.const 65536) (local.get $count))
      (local.set $at (i64.add (local.get $at) (i64.extend_i32_u (local.get $count))))
      (br_if $more (i32.eqz (i32.load (i32.const 212)))))
    (call $must (call $close (local.get $out))))
  ;; A byte of each 1000, from the end on.
  (func (export "sample") (local $in i64) (local $out i64) (local $k i64)
    (local.set $in (call $in))
    (local.set $out (call $out))
    (local.set $k (i64.const 999))
    (loop $more
      (call $must (call $read (local.get $in) (i64.mul (local.get $k) (i64.const 1000)) (call $own) (i32.const 65536) (i32.const 1) (i32.const 208)))
      (call $put (local.get $out) (i64.sub (i64.const 999) (local.get $k)) (i32.const 65536) (i32.const 1))
      (br_if $more (i64.ge_s (local.tee $k (i64.sub (local.get $k) (i64.const 1))) (i64.const 0)))))
  (func (export "list")
    (call $must (call $list (call $file (i32.const 17) (i32.const 3) (i32.const 64)) (i64.const 0) (call $own) (i32.const 65536) (i32.const 1000) (i32.const 208)))
    (call $make (i32.const 65536) (i32.load (i32.const 208))))
  ;; Randomness, the time, how many arguments and variables there are, the first argument, and the name.
  (func (export "world") (local $file i64) (local $end i32)
    (call $random (call $own) (i32.const 65536) (i32.const 40))
    (i64.store (i32.const 65576) (call $clock (i32.const 0)))
    (call $sleep (i64.const 1000000000))
    (i64.store (i32.const 65584) (i64.sub (call $clock (i32.const 0)) (i64.load (i32.const 65576))))
    (i32.store8 (i32.const 65592) (call $args))
    (i32.store8 (i32.const 65593) (call $envs))
    (local.set $end (i32.add (i32.const 65594) (call $arg (i32.const 0) (call $own) (i32.const 65594) (i32.const 100))))
    (local.set $end (i32.add (local.get $end) (call $name (call $own) (local.get $end) (i32.const 100))))
    (call $make (i32.const 65536) (i32.sub (local.get $end) (i32.const 65536))))
  (func (export "print")
    (call $put (call $stdout) (i64.const -1) (i32.const 100) (i32.const 7))
    (call $put (call $stderr) (i64.const -1) (i32.const 107) (i32.const 5))
    (call $put (call $stdout) (i64.const -1) (i32.const 107) (i32.const 5)))
  ;; How many bytes standard input has.
  (func (export "input") (result i32)
    (call $must (call $read (call $stdin) (i64.const -1) (call $own) (i32.const 65536) (i32.const 10) (i32.const 208)))
    (i32.load (i32.const 208)))
  (func (export "artifact") (call $must (call $create (i32.const 0) (i32.const 0) (i32.const 300))))
  ;; Fills its memory, and objects of the heap.
  (func (export "dirty") (local $k i32) (local $object i64)
    (memory.fill (i32.const 0) (i32.const 255) (i32.const 196608))
    (loop $more
      (local.set $object (call $new (i32.const 4096)))
      (call $fill (local.get $object) (i32.const 0) (i32.const 255) (i32.const 4096))
      (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 20)))))
  ;; Sums what a fresh memory and fresh objects hold, behind its own data.
  (func (export "clean") (result i32) (local $k i32) (local $sum i64) (local $object i64)
    (local.set $k (i32.const 512))
    (loop $more
      (local.set $sum (i64.or (local.get $sum) (i64.load (local.get $k))))
      (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 8))) (i32.const 196608))))
    (local.set $k (i32.const 0))
    (local.set $object (call $new (i32.const 81920)))
    (loop $more
      (local.set $sum (i64.or (local.get $sum) (i64.extend_i32_u (call $byte (local.get $object) (local.get $k)))))
      (br_if $more (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 81920))))
    (i32.or (i64.ne (local.get $sum) (i64.const 0)) (i64.ne (local.get $object) (i64.const 0x100000001))))
  (func (export "takes") (param i32))
  (func (export "answers") (result i64) (i64.const 0)))`);

export interface JobOptions {
  readonly entry?: string | undefined;
  readonly module?: Uint8Array;
  readonly inputs?: { readonly [name: string]: Uint8Array };
  readonly outputs?: readonly string[];
  readonly limits?: Partial<GuestLimits>;
  readonly node?: Partial<GuestNode>;
  readonly store?: ArtifactStore;
  readonly seed?: Uint8Array;
}

/** A job that makes `a`, unless `outputs` says otherwise. */
export function jobOf(engine: Engine, options: JobOptions = {}): KernelJob {
  const {
    entry,
    module = KERNEL,
    inputs = {},
    outputs = ["a"],
    limits = {},
    seed = new Uint8Array(32).fill(7),
  } = options;
  const given = new MemoryArtifacts();
  const names = Object.keys(inputs).sort();
  const refs = names.map((name) => ({ name, key: given.add(inputs[name]!), bytes: inputs[name]!.length }));
  const key = new ParsedKey().parse(keyOf(module));
  return {
    node: {
      op: "guest",
      module: keyText(key.algorithm, key.bytes, key.at),
      entry,
      args: [],
      inputs: names,
      outputs: [...outputs].sort().map((name) => ({ name, tag: undefined })),
      stdout: undefined,
      stderr: undefined,
      assets: undefined,
      io: "files",
      refs: [],
      ...options.node,
      limits: { ...GUEST_LIMITS, ...limits },
    },
    inputs: refs,
    store: options.store ?? given,
    seed,
    engine,
    module: () => module,
  };
}
