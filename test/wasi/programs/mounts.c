/* Two folders: names for descriptors, and nothing leads from one to the other. */
#include "wasi.h"

enum { FIRST = ROOT, SECOND };

program {
  char name[16];
  u32 fd;
  __wasi_prestat_t prestat;
  answers(SUCCESS, fd_prestat_get, FIRST, &prestat);
  equals(prestat.u.dir.pr_name_len, sizeof "/second" - 1);
  answers(SUCCESS, fd_prestat_dir_name, FIRST, name, sizeof name);
  equals(memcmp(name, "/second", 7), 0);
  answers(SUCCESS, fd_prestat_get, SECOND, &prestat);
  answers(SUCCESS, fd_prestat_dir_name, SECOND, name, sizeof name);
  equals(memcmp(name, "/folder", 7), 0);
  answers(BADF, fd_prestat_get, SECOND + 1, &prestat);

  make_file(FIRST, "f", "first");
  answers(NOENT, path_open, SECOND, 0, TEXT("f"), 0, READ, 0, 0, &fd);
  answers(XDEV, path_rename, FIRST, TEXT("f"), SECOND, TEXT("f"));
  answers(XDEV, path_link, FIRST, 0, TEXT("f"), SECOND, TEXT("f"));
  answers(PERM, path_open, FIRST, 0, TEXT("../folder/inner"), 0, READ, 0, 0, &fd);
  file_holds(SECOND, "inner", "inner");

  /* The same file has the same number, others another. */
  __wasi_filestat_t one, other;
  answers(SUCCESS, path_filestat_get, FIRST, 0, TEXT("f"), &one);
  answers(SUCCESS, path_filestat_get, SECOND, 0, TEXT("inner"), &other);
  equals(one.dev == other.dev && one.ino == other.ino, 0);
}
