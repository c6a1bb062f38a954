/* Descriptors that are none: of every function that takes one, and in both places of those that take two. */
#include "wasi.h"

static void none(u32 bad) {
  u8 buffer[64];
  u32 count;
  u16 flags;
  u64 wide;
  __wasi_fdstat_t fdstat;
  __wasi_filestat_t filestat;
  __wasi_prestat_t prestat;
  __wasi_iovec_t into = {buffer, sizeof buffer};
  __wasi_ciovec_t from = {buffer, sizeof buffer};

  answers(BADF, fd_advise, bad, 0, 0, 0);
  answers(BADF, fd_allocate, bad, 0, 1);
  answers(BADF, fd_close, bad);
  answers(BADF, fd_datasync, bad);
  answers(BADF, fd_fdstat_get, bad, &fdstat);
  answers(BADF, fd_fdstat_set_flags, bad, 0);
  answers(BADF, fd_fdstat_set_rights, bad, 0, 0);
  answers(BADF, fd_filestat_get, bad, &filestat);
  answers(BADF, fd_filestat_set_size, bad, 0);
  answers(BADF, fd_filestat_set_times, bad, 0, 0, 0);
  answers(BADF, fd_pread, bad, &into, 1, 0, &count);
  answers(BADF, fd_prestat_get, bad, &prestat);
  answers(BADF, fd_prestat_dir_name, bad, (char *)buffer, sizeof buffer);
  answers(BADF, fd_pwrite, bad, &from, 1, 0, &count);
  answers(BADF, fd_read, bad, &into, 1, &count);
  answers(BADF, fd_readdir, bad, buffer, sizeof buffer, 0, &count);
  answers(BADF, fd_renumber, bad, bad);
  answers(BADF, fd_renumber, bad, STDERR);
  answers(BADF, fd_renumber, STDERR, bad);
  answers(BADF, fd_seek, bad, 0, __WASI_WHENCE_SET, &wide);
  answers(BADF, fd_sync, bad);
  answers(BADF, fd_tell, bad, &wide);
  answers(BADF, fd_write, bad, &from, 1, &count);
  answers(BADF, path_create_directory, bad, TEXT("d"));
  answers(BADF, path_filestat_get, bad, 0, TEXT("f"), &filestat);
  answers(BADF, path_filestat_set_times, bad, 0, TEXT("f"), 0, 0, 0);
  answers(BADF, path_link, bad, 0, TEXT("f"), ROOT, TEXT("g"));
  answers(BADF, path_link, ROOT, 0, TEXT("f"), bad, TEXT("g"));
  answers(BADF, path_open, bad, 0, TEXT("f"), 0, READ, 0, 0, &count);
  answers(BADF, path_readlink, bad, TEXT("l"), (char *)buffer, sizeof buffer, &count);
  answers(BADF, path_remove_directory, bad, TEXT("d"));
  answers(BADF, path_rename, bad, TEXT("f"), ROOT, TEXT("g"));
  answers(BADF, path_rename, ROOT, TEXT("f"), bad, TEXT("g"));
  answers(BADF, path_symlink, TEXT("f"), bad, TEXT("l"));
  answers(BADF, path_unlink_file, bad, TEXT("f"));
  answers(BADF, sock_accept, bad, 0, &count);
  answers(BADF, sock_recv, bad, &into, 1, 0, &count, &flags);
  answers(BADF, sock_send, bad, &from, 1, 0, &count);
  answers(BADF, sock_shutdown, bad, __WASI_SDFLAGS_RD);
}

program {
  make_file(ROOT, "f", "");
  none(4);
  none(1000000);
  none(0x80000000);
  none(0xffffffff);

  u32 fd = opened(ROOT, "f", 0, READ, 0);
  equals(fd, 4);
  answers(SUCCESS, fd_close, fd);
  none(fd);
}
