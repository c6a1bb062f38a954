/* Quotas: of bytes, of files, of handles, of the depth and the length of paths. */
#include "wasi.h"

#define LIMIT 100000

program {
  static u8 bytes[LIMIT + 1];
  u32 moved, other;
  u32 fd = opened(ROOT, "f", CREAT, READ | WRITE, 0);
  answers(DQUOT, fd_write, fd, &(__wasi_ciovec_t){bytes, LIMIT + 1}, 1, &moved);
  answers(DQUOT, fd_pwrite, fd, &(__wasi_ciovec_t){bytes, 1}, 1, LIMIT, &moved);
  answers(DQUOT, fd_filestat_set_size, fd, LIMIT + 1);
  answers(DQUOT, fd_allocate, fd, 0, LIMIT + 1);
  answers(SUCCESS, fd_write, fd, &(__wasi_ciovec_t){bytes, 100}, 1, &moved);
  equals(moved, 100);

  /* Depth: from the third name on. */
  answers(SUCCESS, path_create_directory, ROOT, TEXT("a"));
  answers(SUCCESS, path_create_directory, ROOT, TEXT("a/b"));
  answers(DQUOT, path_create_directory, ROOT, TEXT("a/b/c"));
  char target[4];
  __wasi_filestat_t stat;
  answers(DQUOT, path_filestat_get, ROOT, 0, TEXT("a/b/c"), &stat);
  answers(DQUOT, path_filestat_set_times, ROOT, 0, TEXT("a/b/c"), 0, 0, 0);
  answers(DQUOT, path_link, ROOT, 0, TEXT("f"), ROOT, TEXT("a/b/c"));
  answers(DQUOT, path_open, ROOT, 0, TEXT("a/b/c"), 0, READ, 0, 0, &other);
  answers(DQUOT, path_readlink, ROOT, TEXT("a/b/c"), target, sizeof target, &moved);
  answers(DQUOT, path_remove_directory, ROOT, TEXT("a/b/c"));
  answers(DQUOT, path_rename, ROOT, TEXT("f"), ROOT, TEXT("a/b/c"));
  answers(DQUOT, path_symlink, TEXT("f"), ROOT, TEXT("a/b/c"));
  answers(DQUOT, path_unlink_file, ROOT, TEXT("a/b/c"));
  const char *path = repeated("./", 60);
  answers(NAMETOOLONG, path_filestat_get, ROOT, 0, path, 120, &stat);

  /* Names, until there are too many. */
  u32 made = 0;
  for (char name[] = "a0"; made < 40; made++, name[1]++)
    if (wasi_path_create_directory(ROOT, name, 2) != __WASI_ERRNO_SUCCESS) break;
  equals(made > 2 && made < 20, 1);
  answers(DQUOT, path_create_directory, ROOT, TEXT("more"));
  answers(DQUOT, path_open, ROOT, 0, TEXT("more"), CREAT, WRITE, 0, 0, &other);
  answers(DQUOT, path_symlink, TEXT("f"), ROOT, TEXT("more"));
  answers(DQUOT, path_link, ROOT, 0, TEXT("f"), ROOT, TEXT("more"));

  /* Handles, likewise. */
  u32 handles = 0;
  while (handles < 40 && wasi_path_open(ROOT, 0, TEXT("f"), 0, READ, 0, 0, &other) == __WASI_ERRNO_SUCCESS) handles++;
  equals(handles > 2 && handles < 20, 1);
  answers(DQUOT, path_open, ROOT, 0, TEXT("f"), 0, READ, 0, 0, &other);
  answers(SUCCESS, fd_close, fd);
  answers(SUCCESS, path_open, ROOT, 0, TEXT("f"), 0, READ, 0, 0, &other);
}
