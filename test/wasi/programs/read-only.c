/* A folder that cannot be changed. */
#include "wasi.h"

program {
  u32 fd;
  file_holds(ROOT, "text", "0123456789");
  answers(ROFS, path_create_directory, ROOT, TEXT("new"));
  answers(ROFS, path_filestat_set_times, ROOT, 0, TEXT("text"), 0, 0, __WASI_FSTFLAGS_MTIM);
  answers(ROFS, path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("new"));
  answers(ROFS, path_open, ROOT, 0, TEXT("text"), 0, READ | WRITE, 0, 0, &fd);
  answers(ROFS, path_open, ROOT, 0, TEXT("text"), TRUNC, READ, 0, 0, &fd);
  answers(ROFS, path_open, ROOT, 0, TEXT("new"), CREAT, READ, 0, 0, &fd);
  answers(ROFS, path_remove_directory, ROOT, TEXT("folder"));
  answers(ROFS, path_rename, ROOT, TEXT("text"), ROOT, TEXT("new"));
  answers(ROFS, path_symlink, TEXT("text"), ROOT, TEXT("new"));
  answers(ROFS, path_unlink_file, ROOT, TEXT("text"));
  fd = opened(ROOT, "text", 0, READ, 0);
  answers(ROFS, fd_filestat_set_times, fd, 0, 0, __WASI_FSTFLAGS_MTIM);
  answers(BADF, fd_filestat_set_size, fd, 0);
  answers(BADF, fd_allocate, fd, 0, 100);
  file_holds(ROOT, "text", "0123456789");
}
