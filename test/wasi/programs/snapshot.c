/* Does a little with each call of `step`: a test saves and restores it between two. */
#include "wasi.h"

static u32 step_;

__attribute__((export_name("step"))) u32 step(void) {
  static u32 file, end, folder;
  static u8 buffer[256];
  u32 moved = 0;
  u64 position = 0;
  __wasi_ciovec_t from = {(const u8 *)"0123456789" + step_ % 8, 3};
  __wasi_iovec_t into = {buffer, 2};
  if (step_ == 0) {
    file = opened(ROOT, "text", 0, READ | WRITE, 0);
    end = opened(ROOT, "new", CREAT, WRITE, __WASI_FDFLAGS_APPEND);
    folder = opened(ROOT, "folder", DIRECTORY, 0, 0);
    answers(SUCCESS, fd_renumber, folder, STDIN);
    folder = STDIN;
  }
  answers(SUCCESS, fd_read, file, &into, 1, &moved);
  answers(SUCCESS, fd_write, end, &from, 1, &moved);
  answers(SUCCESS, fd_readdir, folder, buffer, sizeof buffer, step_ % 3, &moved);
  answers(SUCCESS, fd_tell, file, &position);
  answers(SUCCESS, random_get, buffer, 4);
  step_++;
  equals(position, step_ < 5 ? 2 * step_ : 10);
  __wasi_filestat_t stat;
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("new"), &stat);
  equals(stat.size, 3 * step_);
  return wrong;
}

void _start(void) {}
