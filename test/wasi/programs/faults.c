/*
 * `faults FUNCTION ERRNO…`: calls the function once for each errno, which it must answer. Between two `sched_yield` the
 * file system fails as the test that runs this has planned.
 */
#include "wasi.h"

static char name[64];
static u32 file, folder, moved;
static u64 wide;
static char text[64];
static __wasi_filestat_t stat;

static u32 call(void) {
#define when(function, ...) \
  if (strcmp(name, #function) == 0) return wasi_##function(__VA_ARGS__)
  __wasi_iovec_t into = {(u8 *)text, 4};
  __wasi_ciovec_t from = {(u8 *)text, 4};
  when(fd_allocate, file, 0, 100);
  when(fd_close, file);
  when(fd_datasync, file);
  when(fd_filestat_get, file, &stat);
  when(fd_filestat_set_size, file, 3);
  when(fd_filestat_set_times, file, 0, 0, __WASI_FSTFLAGS_MTIM);
  when(fd_pread, file, &into, 1, 0, &moved);
  when(fd_pwrite, file, &from, 1, 0, &moved);
  when(fd_read, file, &into, 1, &moved);
  when(fd_readdir, folder, (u8 *)text, sizeof text, 2, &moved);
  when(fd_renumber, folder, file);
  when(fd_seek, file, 0, __WASI_WHENCE_END, &wide);
  when(fd_sync, file);
  when(fd_write, file, &from, 1, &moved);
  when(path_create_directory, ROOT, TEXT("new"));
  when(path_filestat_get, ROOT, 0, TEXT("text"), &stat);
  when(path_filestat_set_times, ROOT, 0, TEXT("text"), 0, 0, __WASI_FSTFLAGS_MTIM);
  when(path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("new"));
  when(path_open, ROOT, 0, TEXT("text"), 0, READ, 0, 0, &moved);
  when(path_readlink, ROOT, TEXT("link"), text, sizeof text, &moved);
  when(path_remove_directory, ROOT, TEXT("folder"));
  when(path_rename, ROOT, TEXT("text"), ROOT, TEXT("new"));
  when(path_symlink, TEXT("text"), ROOT, TEXT("new"));
  when(path_unlink_file, ROOT, TEXT("text"));
  return -1;
}

program {
  static u8 *list[64], buffer[1024];
  u32 count, bytes;
  answers(SUCCESS, args_sizes_get, &count, &bytes);
  answers(SUCCESS, args_get, list, buffer);
  if (count < 3) return;
  memcpy(name, list[1], strlen((char *)list[1]) + 1);
  for (u32 k = 2; k < count; k++) {
    u32 expected = 0;
    for (u8 *digit = list[k]; *digit != 0; digit++) expected = 10 * expected + *digit - '0';
    file = opened(ROOT, "text", 0, READ | WRITE, __WASI_FDFLAGS_SYNC);
    folder = opened(ROOT, "folder", DIRECTORY, 0, 0);
    answers(SUCCESS, sched_yield);
    u32 errno = call();
    answers(SUCCESS, sched_yield);
    equals(errno, expected);
    if (wasi_fd_close(folder) != __WASI_ERRNO_SUCCESS) equals(strcmp(name, "fd_renumber"), 0);
    if (wasi_fd_close(file) != __WASI_ERRNO_SUCCESS) equals(strcmp(name, "fd_close"), 0);
  }
}
