/* Times of files. */
#include "wasi.h"

#define ATIM __WASI_FSTFLAGS_ATIM
#define ATIM_NOW __WASI_FSTFLAGS_ATIM_NOW
#define MTIM __WASI_FSTFLAGS_MTIM
#define MTIM_NOW __WASI_FSTFLAGS_MTIM_NOW
#define SECOND 1000000000ull

static __wasi_filestat_t stat;

program {
  u32 fd = opened(ROOT, "text", 0, READ | WRITE, 0);
  answers(SUCCESS, fd_filestat_set_times, fd, 5 * SECOND, 6 * SECOND, ATIM | MTIM);
  answers(SUCCESS, fd_filestat_get, fd, &stat);
  equals(stat.atim, 5 * SECOND);
  equals(stat.mtim, 6 * SECOND);
  answers(SUCCESS, fd_filestat_set_times, fd, 7 * SECOND, 8 * SECOND, MTIM);
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("text"), &stat);
  equals(stat.atim, 5 * SECOND);
  equals(stat.mtim, 8 * SECOND);
  answers(SUCCESS, path_filestat_set_times, ROOT, 0, TEXT("text"), 9 * SECOND + 123456, 0, ATIM);
  answers(SUCCESS, fd_filestat_get, fd, &stat);
  equals(stat.atim / 1000, 9 * SECOND / 1000 + 123);
  equals(stat.mtim, 8 * SECOND);
  answers(SUCCESS, fd_filestat_set_times, fd, 0, 0, 0);
  answers(SUCCESS, fd_filestat_get, fd, &stat);
  equals(stat.mtim, 8 * SECOND);

  u64 now = 0;
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_REALTIME, 0, &now);
  answers(SUCCESS, path_filestat_set_times, ROOT, 0, TEXT("text"), 0, 0, ATIM_NOW | MTIM_NOW);
  answers(SUCCESS, fd_filestat_get, fd, &stat);
  equals(stat.mtim + 1000 >= now && stat.mtim < now + SECOND, 1);
  equals(stat.atim, stat.mtim);

  answers(INVAL, fd_filestat_set_times, fd, 0, 0, ATIM | ATIM_NOW);
  answers(INVAL, fd_filestat_set_times, fd, 0, 0, 16);
  answers(INVAL, path_filestat_set_times, ROOT, 0, TEXT("text"), 0, 0, MTIM | MTIM_NOW);
  answers(INVAL, path_filestat_set_times, ROOT, 2, TEXT("text"), 0, 0, MTIM);
  answers(INVAL, fd_filestat_set_times, STDOUT, 0, 0, MTIM_NOW);

  /* Of a link, or of what it leads to. */
  answers(SUCCESS, path_symlink, TEXT("text"), ROOT, TEXT("link"));
  answers(SUCCESS, path_filestat_set_times, ROOT, 0, TEXT("link"), 0, 3 * SECOND, MTIM);
  answers(SUCCESS, path_filestat_set_times, ROOT, FOLLOW, TEXT("link"), 0, 4 * SECOND, MTIM);
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("link"), &stat);
  equals(stat.mtim, 3 * SECOND);
  answers(SUCCESS, path_filestat_get, ROOT, FOLLOW, TEXT("link"), &stat);
  equals(stat.mtim, 4 * SECOND);

  u32 folder = opened(ROOT, "folder", DIRECTORY, 0, 0);
  answers(SUCCESS, fd_filestat_set_times, folder, 0, 2 * SECOND, MTIM);
  answers(SUCCESS, fd_filestat_get, folder, &stat);
  equals(stat.mtim, 2 * SECOND);
  /* What differs from run to run must not be left in memory. */
  memset(&stat, 0, sizeof stat);
}
