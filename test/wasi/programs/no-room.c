/*
 * Two instances of this share their descriptors. The first opens some, with which the heap is full, so that there is no
 * room for a HeapRef on the second's memory. Each answers the line of what went wrong, or 0.
 */
#include "wasi.h"

#define must(errno, function, ...) \
  if (wasi_##function(__VA_ARGS__) != __WASI_ERRNO_##errno) return __LINE__

static u32 fd;

__attribute__((export_name("open_some"))) u32 open_some(void) {
  must(SUCCESS, path_open, ROOT, 0, TEXT("text"), 0, READ | WRITE, 0, 0, &fd);
  must(DQUOT, path_open, ROOT, 0, TEXT("text"), 0, READ, 0, 0, &fd);
  return 0;
}

__attribute__((export_name("find_no_room"))) u32 find_no_room(void) {
  static u8 buffer[64], *list[4];
  u32 moved;
  __wasi_filestat_t stat;
  __wasi_iovec_t into[2] = {{buffer, 4}, {buffer, 4}};
  __wasi_ciovec_t from[2] = {{buffer, 4}, {buffer, 4}};
  fd = ROOT + 1;
  must(NOMEM, args_get, list, buffer);
  must(NOMEM, environ_get, list, buffer);
  must(NOMEM, fd_filestat_get, fd, &stat);
  must(NOMEM, fd_filestat_set_times, fd, 0, 0, __WASI_FSTFLAGS_MTIM);
  must(NOMEM, fd_pread, fd, into, 2, 0, &moved);
  must(NOMEM, fd_pwrite, fd, from, 1, 0, &moved);
  must(NOMEM, fd_read, fd, into, 1, &moved);
  must(NOMEM, fd_write, STDERR, from, 2, &moved);
  must(NOMEM, path_create_directory, ROOT, TEXT("d"));
  must(NOMEM, path_filestat_get, ROOT, 0, TEXT("f"), &stat);
  must(NOMEM, path_filestat_set_times, ROOT, 0, TEXT("f"), 0, 0, 0);
  must(NOMEM, path_link, ROOT, 0, TEXT("f"), ROOT, TEXT("g"));
  must(NOMEM, path_open, ROOT, 0, TEXT("f"), 0, READ, 0, 0, &moved);
  must(NOMEM, path_readlink, ROOT, TEXT("l"), (char *)buffer, sizeof buffer, &moved);
  must(NOMEM, path_remove_directory, ROOT, TEXT("d"));
  must(NOMEM, path_rename, ROOT, TEXT("f"), ROOT, TEXT("g"));
  must(NOMEM, path_symlink, TEXT("f"), ROOT, TEXT("l"));
  must(NOMEM, path_unlink_file, ROOT, TEXT("f"));
  must(NOMEM, random_get, buffer, 8);
  /* What needs none goes on. */
  must(SUCCESS, random_get, buffer, 0);
  must(SUCCESS, fd_sync, fd);
  must(SUCCESS, fd_readdir, ROOT, buffer, sizeof buffer, 0, &moved);
  must(SUCCESS, fd_close, fd);
  must(SUCCESS, random_get, buffer, 8);
  return 0;
}

void _start(void) {}
