/*
 * All functions of wasi_snapshot_preview1 as a module imports them, paths with their lengths, and what the programs here
 * check answers by. A program is its own start function: `program { … }`. It goes on after an answer that is wrong, says
 * so on standard error, and exits with 1 in the end.
 */
#ifndef WASI_H
#define WASI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wasi/api.h>

typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define FUNCTION(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) extern u32 wasi_##name

FUNCTION(args_get)(u8 **argv, u8 *buffer);
FUNCTION(args_sizes_get)(u32 *count, u32 *bytes);
FUNCTION(environ_get)(u8 **environ, u8 *buffer);
FUNCTION(environ_sizes_get)(u32 *count, u32 *bytes);
FUNCTION(clock_res_get)(u32 clock, u64 *resolution);
FUNCTION(clock_time_get)(u32 clock, u64 precision, u64 *time);
FUNCTION(fd_advise)(u32 fd, u64 offset, u64 length, u32 advice);
FUNCTION(fd_allocate)(u32 fd, u64 offset, u64 length);
FUNCTION(fd_close)(u32 fd);
FUNCTION(fd_datasync)(u32 fd);
FUNCTION(fd_fdstat_get)(u32 fd, __wasi_fdstat_t *stat);
FUNCTION(fd_fdstat_set_flags)(u32 fd, u32 flags);
FUNCTION(fd_fdstat_set_rights)(u32 fd, u64 base, u64 inheriting);
FUNCTION(fd_filestat_get)(u32 fd, __wasi_filestat_t *stat);
FUNCTION(fd_filestat_set_size)(u32 fd, u64 bytes);
FUNCTION(fd_filestat_set_times)(u32 fd, u64 accessed, u64 modified, u32 flags);
FUNCTION(fd_pread)(u32 fd, const __wasi_iovec_t *into, u32 count, u64 offset, u32 *moved);
FUNCTION(fd_prestat_get)(u32 fd, __wasi_prestat_t *stat);
FUNCTION(fd_prestat_dir_name)(u32 fd, char *name, u32 bytes);
FUNCTION(fd_pwrite)(u32 fd, const __wasi_ciovec_t *from, u32 count, u64 offset, u32 *moved);
FUNCTION(fd_read)(u32 fd, const __wasi_iovec_t *into, u32 count, u32 *moved);
FUNCTION(fd_readdir)(u32 fd, u8 *buffer, u32 bytes, u64 cookie, u32 *used);
FUNCTION(fd_renumber)(u32 fd, u32 to);
FUNCTION(fd_seek)(u32 fd, i64 offset, u32 whence, u64 *position);
FUNCTION(fd_sync)(u32 fd);
FUNCTION(fd_tell)(u32 fd, u64 *position);
FUNCTION(fd_write)(u32 fd, const __wasi_ciovec_t *from, u32 count, u32 *moved);
FUNCTION(path_create_directory)(u32 fd, const char *path, u32 bytes);
FUNCTION(path_filestat_get)(u32 fd, u32 flags, const char *path, u32 bytes, __wasi_filestat_t *stat);
FUNCTION(path_filestat_set_times)
(u32 fd, u32 lookup, const char *path, u32 bytes, u64 accessed, u64 modified, u32 flags);
FUNCTION(path_link)
(u32 fd, u32 lookup, const char *path, u32 bytes, u32 new_fd, const char *new_path, u32 new_bytes);
FUNCTION(path_open)
(u32 fd, u32 lookup, const char *path, u32 bytes, u32 oflags, u64 base, u64 inheriting, u32 fdflags, u32 *opened);
FUNCTION(path_readlink)(u32 fd, const char *path, u32 bytes, char *buffer, u32 room, u32 *used);
FUNCTION(path_remove_directory)(u32 fd, const char *path, u32 bytes);
FUNCTION(path_rename)(u32 fd, const char *path, u32 bytes, u32 new_fd, const char *new_path, u32 new_bytes);
FUNCTION(path_symlink)(const char *target, u32 target_bytes, u32 fd, const char *path, u32 bytes);
FUNCTION(path_unlink_file)(u32 fd, const char *path, u32 bytes);
FUNCTION(poll_oneoff)(const __wasi_subscription_t *in, __wasi_event_t *out, u32 count, u32 *happened);
FUNCTION(proc_raise)(u32 signal);
FUNCTION(sched_yield)(void);
FUNCTION(random_get)(void *buffer, u32 bytes);
FUNCTION(sock_accept)(u32 fd, u32 flags, u32 *accepted);
FUNCTION(sock_recv)(u32 fd, const __wasi_iovec_t *into, u32 count, u32 flags, u32 *moved, u16 *answer);
FUNCTION(sock_send)(u32 fd, const __wasi_ciovec_t *from, u32 count, u32 flags, u32 *moved);
FUNCTION(sock_shutdown)(u32 fd, u32 how);

__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"), noreturn)) extern void
wasi_proc_exit(u32 code);

/* A path, or other text, and its length. */
#define TEXT(text) text, sizeof(text) - 1

enum { STDIN, STDOUT, STDERR, ROOT };

#define READ __WASI_RIGHTS_FD_READ
#define WRITE __WASI_RIGHTS_FD_WRITE
#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW
#define CREAT __WASI_OFLAGS_CREAT
#define DIRECTORY __WASI_OFLAGS_DIRECTORY
#define EXCL __WASI_OFLAGS_EXCL
#define TRUNC __WASI_OFLAGS_TRUNC

static int wrong;

static void say(const char *text, u32 bytes) {
  u32 moved;
  __wasi_ciovec_t vector = {(const u8 *)text, bytes};
  wasi_fd_write(STDERR, &vector, 1, &moved);
}

static void say_number(i64 number) {
  char digits[20];
  u32 at = sizeof digits;
  u64 rest = number < 0 ? -(u64)number : (u64)number;
  do digits[--at] = '0' + rest % 10;
  while (rest /= 10);
  if (number < 0) digits[--at] = '-';
  say(digits + at, sizeof digits - at);
}

static void compare(i64 got, i64 expected, const char *what, u32 bytes, u32 line) {
  if (got == expected) return;
  wrong = 1;
  say(TEXT("line ")), say_number(line), say(TEXT(": ")), say(what, bytes), say(TEXT(" is ")), say_number(got);
  say(TEXT(", not ")), say_number(expected), say(TEXT("\n"));
}

/* Calls a function, which must answer this errno. */
#define answers(errno, function, ...) \
  compare(wasi_##function(__VA_ARGS__), __WASI_ERRNO_##errno, TEXT(#function), __LINE__)
/* A number must be as expected. */
#define equals(got, expected) compare((i64)(got), (i64)(expected), TEXT(#got), __LINE__)

#define program \
  static void run(void); \
  void _start(void) { \
    run(); \
    wasi_proc_exit(wrong); \
  } \
  static void run(void)

/* ---- what most programs do; each must succeed */

/* Opens a file, with 0 for the lookup; the descriptor. */
static u32 opened(u32 directory, const char *path, u32 oflags, u64 rights, u32 fdflags) {
  u32 fd = -1;
  equals(wasi_path_open(directory, 0, path, strlen(path), oflags, rights, 0, fdflags, &fd), 0);
  return fd;
}

/* Makes a file that holds `text`. */
static inline void make_file(u32 directory, const char *path, const char *text) {
  u32 fd = opened(directory, path, CREAT | TRUNC, WRITE, 0);
  u32 moved = 0;
  __wasi_ciovec_t vector = {(const u8 *)text, strlen(text)};
  equals(wasi_fd_write(fd, &vector, 1, &moved), 0);
  equals(moved, strlen(text));
  equals(wasi_fd_close(fd), 0);
}

/* The file must hold `text`. */
static inline void holds(u32 directory, const char *path, const char *text, u32 line) {
  static u8 buffer[4096];
  u32 fd = opened(directory, path, 0, READ, 0);
  u32 moved = 0;
  __wasi_iovec_t vector = {buffer, sizeof buffer};
  compare(wasi_fd_read(fd, &vector, 1, &moved), 0, TEXT("reading"), line);
  compare(moved, strlen(text), TEXT("the file's length"), line);
  compare(memcmp(buffer, text, moved), 0, TEXT("what the file holds"), line);
  equals(wasi_fd_close(fd), 0);
}
#define file_holds(directory, path, text) holds(directory, path, text, __LINE__)

/* A path of `length` times `part`. */
static inline const char *repeated(const char *part, u32 length) {
  static char path[8192];
  u32 bytes = strlen(part);
  for (u32 k = 0; k < length; k++) memcpy(path + k * bytes, part, bytes);
  path[length * bytes] = 0;
  return path;
}

#endif
