;; Tells the size of each file that it is given.
(module
  (import "bytes" "of_memory" (func $of_memory (result i64)))
  (import "sys" "args_count" (func $args_count (result i32)))
  (import "sys" "arg_read" (func $arg_read (param i32 i64 i32 i32) (result i32)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "sys" "stderr" (func $stderr (result i64)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "fs" "write" (func $write (param i64 i64 i64 i32 i32) (result i32 i32)))
  (import "fs" "stat" (func $stat (param i64 i64 i32 i32 i32) (result i32 i32 i64 i64 i64 i64 i64 i64)))

  ;; 0: constants; 128: the digits of a number, from their end; 4096: the argument at hand
  (memory (export "memory") 2)
  (data (i32.const 0) "Hello from a guest! Give it paths of files.\0a")
  (data (i32.const 64) ": ")
  (data (i32.const 66) " bytes\0a")
  (data (i32.const 73) ": cannot be read\0a")

  ;; Writes bytes of the memory to a stream; that nobody can read them is no reason to go on.
  (func $print (param $stream i64) (param $at i32) (param $length i32)
    (call $write (local.get $stream) (i64.const -1) (call $of_memory) (local.get $at) (local.get $length))
    drop
    (if (then (call $exit (i32.const 1)))))

  (func $print_number (param $stream i64) (param $number i64) (local $at i32)
    (local.set $at (i32.const 160))
    (loop $digits
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $digits (i64.ne (local.get $number) (i64.const 0))))
    (call $print (local.get $stream) (local.get $at) (i32.sub (i32.const 160) (local.get $at))))

  ;; Tells the size of one file; 1 when that fails.
  (func $tell (param $index i32) (result i32) (local $length i32) (local $bytes i64) (local $status i32)
    (local.set $length
      (call $arg_read (local.get $index) (call $of_memory) (i32.const 4096) (i32.const 61440)))
    (call $stat (i64.const 0) (call $of_memory) (i32.const 4096) (local.get $length) (i32.const 0))
    drop drop drop drop drop
    local.set $bytes
    drop
    local.set $status
    (if (local.get $status)
      (then
        (call $print (call $stderr) (i32.const 4096) (local.get $length))
        (call $print (call $stderr) (i32.const 73) (i32.const 17))
        (return (i32.const 1))))
    (call $print (call $stdout) (i32.const 4096) (local.get $length))
    (call $print (call $stdout) (i32.const 64) (i32.const 2))
    (call $print_number (call $stdout) (local.get $bytes))
    (call $print (call $stdout) (i32.const 66) (i32.const 7))
    (i32.const 0))

  (func (export "_start") (local $index i32) (local $code i32)
    (if (i32.eqz (call $args_count))
      (then (call $print (call $stdout) (i32.const 0) (i32.const 44))))
    (block $end
      (loop $arguments
        (br_if $end (i32.ge_u (local.get $index) (call $args_count)))
        (local.set $code (i32.or (local.get $code) (call $tell (local.get $index))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $arguments)))
    (call $exit (local.get $code))))
