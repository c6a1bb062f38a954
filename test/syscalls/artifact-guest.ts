/**
 * A guest with a store. Its functions take what standard input holds: `make` and its like seal it as an artifact and write the key, as hexadecimal
 * digits; `get` writes the artifact whose key it is. A status that is not OK is the exit code.
 */
export const ARTIFACT_GUEST = `(module
  (import "asl" "open_p" (func $open (param i64 i32 i32 i32) (result i32)))
  (import "asl" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "asl" "create_p" (func $create (param i32 i32 i32) (result i32)))
  (import "asl" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "asl" "seal_p" (func $seal (param i64 i64 i32 i32 i32) (result i32)))
  (import "asl" "list_p" (func $list (param i64 i32 i32 i64 i32 i32 i32) (result i32)))
  (import "fs" "read_p" (func $input (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write_p" (func $output (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "open_p" (func $file (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "log" (func $log (param i64 i32 i32)))
  (import "sys" "sleep" (func $sleep (param i64)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory (export "memory") 40)
  (data (i32.const 100) "0123456789abcdef")
  (data (i32.const 200) "ready/t/f")

  (func $check (param $status i32)
    (if (local.get $status) (then (call $exit (local.get $status)))))
  (func $show (param $at i32) (param $length i32)
    (call $check (call $output (call $stdout) (i64.const -1) (call $own) (local.get $at) (local.get $length) (i32.const 0))))
  ;; Standard input, from 65536 on: its length.
  (func $take (result i32)
    (call $check (call $input (call $stdin) (i64.const -1) (call $own) (i32.const 65536) (i32.const 2500000) (i32.const 0)))
    (i32.load (i32.const 0)))

  (func $make (export "make") (local $writer i64) (local $k i32) (local $byte i32)
    (call $check (call $create (i32.const 7) (i32.const 1) (i32.const 8)))
    (local.set $writer (i64.load (i32.const 8)))
    (call $check (call $write (local.get $writer) (i64.const -1) (call $own) (i32.const 65536) (call $take) (i32.const 16)))
    (call $check (call $seal (local.get $writer) (call $own) (i32.const 1024) (i32.const 36) (i32.const 16)))
    (loop $digits
      (local.set $byte (i32.load8_u (i32.add (i32.const 1024) (local.get $k))))
      (i32.store8 (i32.add (i32.const 2048) (i32.shl (local.get $k) (i32.const 1)))
        (i32.load8_u (i32.add (i32.const 100) (i32.shr_u (local.get $byte) (i32.const 4)))))
      (i32.store8 (i32.add (i32.const 2049) (i32.shl (local.get $k) (i32.const 1)))
        (i32.load8_u (i32.add (i32.const 100) (i32.and (local.get $byte) (i32.const 15)))))
      (br_if $digits (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.load (i32.const 16)))))
    (call $show (i32.const 2048) (i32.shl (local.get $k) (i32.const 1)))
    (call $get_sealed))
  ;; What was sealed can be opened.
  (func $get_sealed
    (call $check (call $open (call $own) (i32.const 1024) (i32.load (i32.const 16)) (i32.const 24))))
  (func (export "make_and_exit") (call $make) (call $exit (i32.const 5)))
  (func (export "make_and_trap") (call $make) unreachable)
  (func (export "make_and_spin") (call $make)
    (call $log (call $own) (i32.const 200) (i32.const 5)) (loop (br 0)))
  (func (export "make_and_sleep") (call $make)
    (call $log (call $own) (i32.const 200) (i32.const 5)) (call $sleep (i64.const 1000000000000)))
  ;; Makes /t/f, too.
  (func (export "make_with_file") (call $make)
    (call $check (call $file (i64.const 0) (call $own) (i32.const 205) (i32.const 4) (i32.const 6) (i32.const 24))))
  (func (export "leave_open")
    (call $check (call $create (i32.const 0) (i32.const 0) (i32.const 8)))
    (call $check (call $write (i64.load (i32.const 8)) (i64.const -1) (call $own) (i32.const 65536) (call $take) (i32.const 16))))

  (func (export "get")
    (call $check (call $open (call $own) (i32.const 65536) (call $take) (i32.const 8)))
    (call $check
      (call $read (i64.load (i32.const 8)) (i64.const 0) (call $own) (i32.const 65536) (i32.const 2500000) (i32.const 16)))
    (call $show (i32.const 65536) (i32.load (i32.const 16))))
  ;; Number of artifacts, of at most 1300.
  (func (export "count") (result i32)
    (call $check (call $list (call $own) (i32.const 0) (i32.const 0) (call $own) (i32.const 65536) (i32.const 65536) (i32.const 8)))
    (i32.div_u (i32.load (i32.const 8)) (i32.const 48))))
`;
