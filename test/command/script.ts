/**
 * A guest that does what its arguments say, one after another; a status but OK ends it with that exit code.
 *
 * | words | what |
 * |---|---|
 * | `w PATH TEXT` | writes a file |
 * | `p PATH` | prints a file |
 * | `d PATH`, `R PATH`, `x PATH` | makes a directory, removes one, removes a file |
 * | `m PATH PATH`, `l TARGET PATH` | renames, makes a symbolic link |
 * | `t PATH` | prints the time of the last change of a file, in 16 hexadecimal digits |
 * | `c`, `z`, `r` | prints the time, sleeps for 1 s, prints 8 random bytes, likewise |
 * | `v` | prints the environment, a variable a line |
 * | `i` | prints what one read of standard input gives, in brackets |
 * | `g TEXT` | logs |
 * | `f COUNT` | writes a digit that often, to /w/0000 and so on: COUNT is four digits |
 * | `T`, `L` | traps, loops |
 */
export const SCRIPT = `(module
  (import "bytes" "of_memory" (func $mem (result i64)))
  (import "sys" "args_count" (func $args_count (result i32)))
  (import "sys" "arg_read" (func $arg_read (param i32 i64 i32 i32) (result i32)))
  (import "sys" "env_count" (func $env_count (result i32)))
  (import "sys" "env_read" (func $env_read (param i32 i64 i32 i32) (result i32)))
  (import "sys" "clock" (func $clock (param i32) (result i64)))
  (import "sys" "sleep" (func $sleep (param i64)))
  (import "sys" "random" (func $random (param i64 i32 i32)))
  (import "sys" "log" (func $log (param i64 i32 i32)))
  (import "sys" "exit" (func $exit (param i32)))
  (import "sys" "stdin" (func $stdin (result i64)))
  (import "sys" "stdout" (func $stdout (result i64)))
  (import "fs" "open_p" (func $open (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "fs" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
  (import "fs" "stat_p" (func $stat (param i64 i64 i32 i32 i32 i32) (result i32)))
  (import "fs" "close" (func $close (param i64) (result i32)))
  (import "fs" "mkdir" (func $mkdir (param i64 i64 i32 i32) (result i32)))
  (import "fs" "rmdir" (func $rmdir (param i64 i64 i32 i32) (result i32)))
  (import "fs" "unlink" (func $unlink (param i64 i64 i32 i32) (result i32)))
  (import "fs" "rename" (func $rename (param i64 i64 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "fs" "symlink" (func $symlink (param i64 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 256) "0123456789abcdef")
  (data (i32.const 512) "/w/0000")
  (global $k (mut i32) (i32.const 0))
  (global $stream (mut i64) (i64.const 0))

  (func $check (param $status i32) (if (local.get $status) (then (call $exit (local.get $status)))))
  ;; The next argument, at $at; its length.
  (func $next (param $at i32) (result i32)
    (call $arg_read (global.get $k) (call $mem) (local.get $at) (i32.const 4096))
    (global.set $k (i32.add (global.get $k) (i32.const 1))))
  (func $print (param $at i32) (param $length i32)
    (if (i64.eqz (global.get $stream)) (then (global.set $stream (call $stdout))))
    (call $check (call $write (global.get $stream) (i64.const -1) (call $mem) (local.get $at) (local.get $length) (i32.const 0))))
  (func $line (i32.store8 (i32.const 300) (i32.const 10)) (call $print (i32.const 300) (i32.const 1)))
  (func $hex (param $value i64) (local $digit i32)
    (loop $digits
      (i32.store8 (i32.add (i32.const 320) (local.get $digit))
        (i32.load8_u (i32.add (i32.const 256) (i32.wrap_i64 (i64.shr_u (local.get $value) (i64.const 60))))))
      (local.set $value (i64.shl (local.get $value) (i64.const 4)))
      (br_if $digits (i32.lt_u (local.tee $digit (i32.add (local.get $digit) (i32.const 1))) (i32.const 16))))
    (call $print (i32.const 320) (i32.const 16))
    (call $line))

  (func $put (param $path i32) (param $length i32) (param $from i32) (param $bytes i32) (local $file i64)
    (call $check (call $open (i64.const 0) (call $mem) (local.get $path) (local.get $length) (i32.const 22) (i32.const 0)))
    (local.set $file (i64.load (i32.const 0)))
    (call $check (call $write (local.get $file) (i64.const 0) (call $mem) (local.get $from) (local.get $bytes) (i32.const 0)))
    (call $check (call $close (local.get $file))))
  (func $get (param $length i32) (local $file i64)
    (call $check (call $open (i64.const 0) (call $mem) (i32.const 1024) (local.get $length) (i32.const 1) (i32.const 0)))
    (local.set $file (i64.load (i32.const 0)))
    (call $check (call $read (local.get $file) (i64.const 0) (call $mem) (i32.const 65536) (i32.const 65536) (i32.const 0)))
    (call $print (i32.const 65536) (i32.load (i32.const 0)))
    (call $check (call $close (local.get $file))))
  ;; COUNT is at 1024: that number, counted down in the path's own digits.
  (func $fill (local $count i32) (local $digit i32)
    (loop $digits
      (local.set $count (i32.add (i32.mul (local.get $count) (i32.const 10))
        (i32.sub (i32.load8_u (i32.add (i32.const 1024) (local.get $digit))) (i32.const 48))))
      (br_if $digits (i32.lt_u (local.tee $digit (i32.add (local.get $digit) (i32.const 1))) (i32.const 4))))
    (loop $files
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (i32.store8 (i32.const 515) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $count) (i32.const 1000)) (i32.const 10))))
      (i32.store8 (i32.const 516) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $count) (i32.const 100)) (i32.const 10))))
      (i32.store8 (i32.const 517) (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $count) (i32.const 10)) (i32.const 10))))
      (i32.store8 (i32.const 518) (i32.add (i32.const 48) (i32.rem_u (local.get $count) (i32.const 10))))
      (memory.fill (i32.const 65536) (i32.load8_u (i32.const 518)) (i32.const 10000))
      (call $put (i32.const 512) (i32.const 7) (i32.const 65536) (i32.const 10000))
      (br_if $files (local.get $count))))
  (func $environment (local $index i32) (local $length i32)
    (block $done
      (loop $variables
        (br_if $done (i32.ge_u (local.get $index) (call $env_count)))
        (local.set $length (call $env_read (local.get $index) (call $mem) (i32.const 65536) (i32.const 4096)))
        (call $print (i32.const 65536) (local.get $length))
        (call $line)
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $variables))))
  (func $input
    (call $check (call $read (call $stdin) (i64.const -1) (call $mem) (i32.const 65537) (i32.const 4096) (i32.const 0)))
    (i32.store8 (i32.const 65536) (i32.const 91))
    (i32.store8 (i32.add (i32.const 65537) (i32.load (i32.const 0))) (i32.const 93))
    (call $print (i32.const 65536) (i32.add (i32.const 2) (i32.load (i32.const 0)))))

  (func $is (param $op i32) (result i32) (i32.eq (i32.load8_u (i32.const 900)) (local.get $op)))
  (func (export "_start") (local $length i32)
    (loop $words
      (if (i32.ge_u (global.get $k) (call $args_count)) (then (return)))
      (drop (call $next (i32.const 900)))
      (if (call $is (i32.const ${code("T")})) (then unreachable))
      (if (call $is (i32.const ${code("L")})) (then (loop $ever (br $ever))))
      (if (call $is (i32.const ${code("c")})) (then (call $hex (call $clock (i32.const 0)))))
      (if (call $is (i32.const ${code("z")})) (then (call $sleep (i64.const 1000000000))))
      (if (call $is (i32.const ${code("v")})) (then (call $environment)))
      (if (call $is (i32.const ${code("i")})) (then (call $input)))
      (if (call $is (i32.const ${code("r")})) (then
        (call $random (call $mem) (i32.const 0) (i32.const 8))
        (call $hex (i64.load (i32.const 0)))))
      (if (call $is (i32.const ${code("g")})) (then (call $log (call $mem) (i32.const 1024) (call $next (i32.const 1024)))))
      (if (call $is (i32.const ${code("f")})) (then (drop (call $next (i32.const 1024))) (call $fill)))
      (if (call $is (i32.const ${code("w")})) (then
        (local.set $length (call $next (i32.const 1024)))
        (call $put (i32.const 1024) (local.get $length) (i32.const 65536) (call $next (i32.const 65536)))))
      (if (call $is (i32.const ${code("p")})) (then (call $get (call $next (i32.const 1024)))))
      (if (call $is (i32.const ${code("t")})) (then
        (call $check (call $stat (i64.const 0) (call $mem) (i32.const 1024) (call $next (i32.const 1024)) (i32.const 0) (i32.const 0)))
        (call $hex (i64.load (i32.const 36)))))
      (if (call $is (i32.const ${code("d")})) (then
        (call $check (call $mkdir (i64.const 0) (call $mem) (i32.const 1024) (call $next (i32.const 1024))))))
      (if (call $is (i32.const ${code("R")})) (then
        (call $check (call $rmdir (i64.const 0) (call $mem) (i32.const 1024) (call $next (i32.const 1024))))))
      (if (call $is (i32.const ${code("x")})) (then
        (call $check (call $unlink (i64.const 0) (call $mem) (i32.const 1024) (call $next (i32.const 1024))))))
      (if (call $is (i32.const ${code("m")})) (then
        (call $check (call $rename (i64.const 0) (call $mem) (i32.const 1024) (call $next (i32.const 1024))
          (i64.const 0) (call $mem) (i32.const 8192) (call $next (i32.const 8192))))))
      (if (call $is (i32.const ${code("l")})) (then
        (call $check (call $symlink (call $mem) (i32.const 1024) (call $next (i32.const 1024))
          (i64.const 0) (call $mem) (i32.const 8192) (call $next (i32.const 8192))))))
      (br $words))))
`;

function code(letter: string): number {
  return letter.charCodeAt(0);
}
