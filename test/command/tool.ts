/** A guest with a function for each thing that the command is tested on; `--invoke` calls them. */
export const TOOL = `(module
  (import "bytes" "of_memory" (func $of_memory (result i64)))
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "sys" "stderr" (func $stderr (result i64)))
  (import "sys" "log" (func $log (param i64 i32 i32)))
  (import "fs" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "open_p" (func $open (param i64 i64 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "one\\0atwo\\0athree")
  (data (i32.const 32) "hello\\0a")
  (data (i32.const 48) "a line")
  (data (i32.const 64) "/g/f")

  ;; Writes length bytes at offset; a status but OK is the exit code.
  (func $put (param $stream i64) (param $offset i32) (param $length i32) (local $status i32)
    (local.set $status
      (call $write (local.get $stream) (i64.const -1) (call $of_memory) (local.get $offset) (local.get $length) (i32.const 0)))
    (if (local.get $status) (then (call $exit (local.get $status)))))

  (func (export "_start") (call $put (call $stdout) (i32.const 32) (i32.const 6)))
  (func (export "exit") (param i32) (call $exit (local.get 0)))
  (func $trap (export "trap") unreachable)
  (func $loop (export "loop") (loop (br 0)))
  (func $recurse (export "recurse") (call $recurse))
  (func $descend (export "descend") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (call $descend (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0))))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "new_bytes") (param i32) (result i32) (i64.ne (call $new (local.get 0)) (i64.const 0)))
  (func (export "odd (name)") (result i32) (i32.const 42))
  (func (export "values") (param i32 i64 f32 f64) (result i32 i64 f32 f64 externref)
    (local.get 0) (local.get 1) (local.get 2) (local.get 3) (ref.null extern))
  (func (export "log_line") (call $log (call $of_memory) (i32.const 48) (i32.const 6)))

  (func $talk
    (call $put (call $stdout) (i32.const 16) (i32.const 4))
    (call $put (call $stderr) (i32.const 20) (i32.const 4))
    (call $put (call $stdout) (i32.const 24) (i32.const 5)))
  (func $talk_and_trap (export "talk_and_trap") (call $talk) unreachable)
  (func (export "talk_and_exit") (call $talk) (call $exit (i32.const 5)))
  (func (export "talk_and_loop") (call $talk) (loop (br 0)))

  ;; Writes 65,536 bytes that often: the letters a to o and a line end, over and over.
  (func (export "flood") (param $times i32) (local $stream i64) (local $k i32)
    (drop (memory.grow (i32.const 1)))
    (local.set $stream (call $stdout))
    (loop $letters
      (i32.store8 (i32.add (i32.const 65536) (local.get $k))
        (select (i32.const 10) (i32.add (i32.const 97) (local.get $k)) (i32.eq (local.get $k) (i32.const 15))))
      (br_if $letters (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 16))))
    (loop $copies
      (memory.copy (i32.add (i32.const 65536) (local.get $k)) (i32.const 65536) (local.get $k))
      (br_if $copies (i32.lt_u (local.tee $k (i32.shl (local.get $k) (i32.const 1))) (i32.const 65536))))
    (loop $writes
      (call $put (local.get $stream) (i32.const 65536) (i32.const 65536))
      (br_if $writes (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))

  ;; Copies standard input to standard output.
  (func (export "cat") (local $in i64) (local $out i64)
    (drop (memory.grow (i32.const 1)))
    (local.set $in (call $stdin))
    (local.set $out (call $stdout))
    (loop $more
      (if (call $read (local.get $in) (i64.const -1) (call $of_memory) (i32.const 65536) (i32.const 60000) (i32.const 0))
        (then unreachable))
      (call $put (local.get $out) (i32.const 65536) (i32.load (i32.const 0)))
      (br_if $more (i32.eqz (i32.load (i32.const 4))))))

  ;; Creates /g/f and answers the status.
  (func $touch (export "touch") (result i32)
    (call $open (i64.const 0) (call $of_memory) (i32.const 64) (i32.const 4) (i32.const 6) (i32.const 0))))
`;
