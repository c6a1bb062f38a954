/* The standard streams. */
#include "wasi.h"

static u8 buffer[16];
static u32 moved;

static void no_file(u32 fd) {
  u64 position;
  answers(SPIPE, fd_seek, fd, 0, __WASI_WHENCE_CUR, &position);
  answers(SPIPE, fd_tell, fd, &position);
  answers(SPIPE, fd_advise, fd, 0, 0, 0);
  answers(SPIPE, fd_allocate, fd, 0, 1);
  answers(INVAL, fd_filestat_set_size, fd, 0);
  answers(INVAL, fd_filestat_set_times, fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW);
  answers(INVAL, fd_sync, fd);
  answers(INVAL, fd_datasync, fd);
  answers(NOTDIR, fd_readdir, fd, buffer, sizeof buffer, 0, &moved);

  char target[4];
  u32 opened;
  __wasi_filestat_t filestat;
  answers(NOTDIR, path_create_directory, fd, TEXT("d"));
  answers(NOTDIR, path_filestat_get, fd, 0, TEXT("f"), &filestat);
  answers(NOTDIR, path_filestat_set_times, fd, 0, TEXT("f"), 0, 0, 0);
  answers(NOTDIR, path_link, fd, 0, TEXT("f"), fd, TEXT("g"));
  answers(NOTDIR, path_open, fd, 0, TEXT("f"), 0, READ, 0, 0, &opened);
  answers(NOTDIR, path_readlink, fd, TEXT("l"), target, sizeof target, &moved);
  answers(NOTDIR, path_remove_directory, fd, TEXT("d"));
  answers(NOTDIR, path_rename, fd, TEXT("f"), fd, TEXT("g"));
  answers(NOTDIR, path_symlink, TEXT("f"), fd, TEXT("l"));
  answers(NOTDIR, path_unlink_file, fd, TEXT("f"));

  __wasi_fdstat_t stat;
  answers(SUCCESS, fd_fdstat_get, fd, &stat);
  equals(stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE || stat.fs_filetype == __WASI_FILETYPE_DIRECTORY, 0);
  answers(SUCCESS, fd_filestat_get, fd, &filestat);
  equals(filestat.filetype, stat.fs_filetype);
}

program {
  __wasi_iovec_t into[2] = {{buffer, 3}, {buffer + 3, 6}};
  answers(SUCCESS, fd_read, STDIN, into, 2, &moved);
  equals(moved, 9);
  equals(memcmp(buffer, "some text", 9), 0);
  answers(SUCCESS, fd_read, STDIN, into, 1, &moved);
  equals(moved, 0);
  __wasi_ciovec_t from[2] = {{(const u8 *)"out", 3}, {(const u8 *)"put\n", 4}};
  answers(SUCCESS, fd_write, STDOUT, from, 2, &moved);
  equals(moved, 7);
  answers(SUCCESS, fd_write, STDERR, from, 1, &moved);
  equals(moved, 3);

  answers(BADF, fd_write, STDIN, from, 1, &moved);
  answers(BADF, fd_read, STDOUT, into, 1, &moved);
  answers(SPIPE, fd_pread, STDIN, into, 1, 0, &moved);
  answers(SPIPE, fd_pwrite, STDOUT, from, 1, 0, &moved);
  for (u32 fd = STDIN; fd <= STDERR; fd++) no_file(fd);

  answers(SUCCESS, fd_close, STDIN);
  answers(BADF, fd_read, STDIN, into, 1, &moved);
  answers(SUCCESS, fd_renumber, STDERR, STDOUT);
  answers(SUCCESS, fd_write, STDOUT, from, 1, &moved);
}
