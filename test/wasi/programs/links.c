/* Links of both kinds, and renaming. */
#include "wasi.h"

static u32 fd, used;
static char target[64];
static __wasi_filestat_t stat;

static void symbolic(void) {
  answers(SUCCESS, path_symlink, TEXT("text"), ROOT, TEXT("link"));
  answers(EXIST, path_symlink, TEXT("text"), ROOT, TEXT("link"));
  answers(EXIST, path_symlink, TEXT("text"), ROOT, TEXT("folder"));
  answers(EXIST, path_symlink, TEXT("text"), ROOT, TEXT("folder/"));
  answers(NOENT, path_symlink, TEXT("text"), ROOT, TEXT("new/"));
  answers(NOENT, path_symlink, TEXT(""), ROOT, TEXT("empty"));
  answers(SUCCESS, path_readlink, ROOT, TEXT("link"), target, sizeof target, &used);
  equals(used, 4);
  equals(memcmp(target, "text", 4), 0);
  answers(SUCCESS, path_readlink, ROOT, TEXT("link"), target, 2, &used);
  equals(used, 2);
  answers(SUCCESS, path_readlink, ROOT, TEXT("link"), target, 0, &used);
  equals(used, 0);
  answers(INVAL, path_readlink, ROOT, TEXT("text"), target, sizeof target, &used);
  answers(INVAL, path_readlink, ROOT, TEXT("folder"), target, sizeof target, &used);

  /* Followed where that is asked for, and on the way. */
  answers(LOOP, path_open, ROOT, 0, TEXT("link"), 0, READ, 0, 0, &fd);
  answers(SUCCESS, path_open, ROOT, FOLLOW, TEXT("link"), 0, READ, 0, 0, &fd);
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("link"), &stat);
  equals(stat.filetype, __WASI_FILETYPE_SYMBOLIC_LINK);
  equals(stat.size, 4);
  answers(SUCCESS, path_filestat_get, ROOT, FOLLOW, TEXT("link"), &stat);
  equals(stat.filetype, __WASI_FILETYPE_REGULAR_FILE);
  equals(stat.size, 10);
  answers(SUCCESS, path_symlink, TEXT("folder"), ROOT, TEXT("way"));
  file_holds(ROOT, "way/inner", "inner");
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("way/"), &stat);
  equals(stat.filetype, __WASI_FILETYPE_DIRECTORY);
  answers(NOTDIR, path_remove_directory, ROOT, TEXT("way"));

  /* Nothing behind it, and itself. */
  answers(SUCCESS, path_symlink, TEXT("later"), ROOT, TEXT("dangling"));
  answers(NOENT, path_open, ROOT, FOLLOW, TEXT("dangling"), 0, READ, 0, 0, &fd);
  answers(NOENT, path_filestat_get, ROOT, FOLLOW, TEXT("dangling"), &stat);
  answers(EXIST, path_open, ROOT, FOLLOW, TEXT("dangling"), CREAT | EXCL, WRITE, 0, 0, &fd);
  answers(SUCCESS, path_open, ROOT, FOLLOW, TEXT("dangling"), CREAT, WRITE, 0, 0, &fd);
  file_holds(ROOT, "later", "");
  answers(SUCCESS, path_symlink, TEXT("loop"), ROOT, TEXT("loop"));
  answers(LOOP, path_open, ROOT, FOLLOW, TEXT("loop"), 0, READ, 0, 0, &fd);
  answers(LOOP, path_filestat_get, ROOT, FOLLOW, TEXT("loop"), &stat);
  answers(LOOP, path_filestat_set_times, ROOT, FOLLOW, TEXT("loop"), 0, 0, __WASI_FSTFLAGS_MTIM);
  answers(LOOP, path_create_directory, ROOT, TEXT("loop/d"));
  answers(LOOP, path_link, ROOT, 0, TEXT("loop/f"), ROOT, TEXT("new"));
  answers(LOOP, path_readlink, ROOT, TEXT("loop/l"), target, sizeof target, &used);
  answers(LOOP, path_remove_directory, ROOT, TEXT("loop/d"));
  answers(LOOP, path_rename, ROOT, TEXT("loop/f"), ROOT, TEXT("new"));
  answers(LOOP, path_symlink, TEXT("f"), ROOT, TEXT("loop/l"));
  answers(LOOP, path_unlink_file, ROOT, TEXT("loop/f"));
  answers(SUCCESS, path_unlink_file, ROOT, TEXT("loop"));
}

static void hard(void) {
  answers(SUCCESS, path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("second"));
  static __wasi_filestat_t other;
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("text"), &stat);
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("second"), &other);
  equals(stat.ino, other.ino);
  equals(stat.dev, other.dev);
  equals(stat.nlink, 2);
  answers(EXIST, path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("second"));
  answers(EXIST, path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("folder"));
  answers(NOENT, path_link, ROOT, 0, TEXT("nothing"), ROOT, TEXT("new"));
  answers(NOENT, path_link, ROOT, 0, TEXT("text"), ROOT, TEXT("new/"));
  answers(NOTDIR, path_link, ROOT, 0, TEXT("text/"), ROOT, TEXT("new"));
  answers(PERM, path_link, ROOT, 0, TEXT("folder"), ROOT, TEXT("new"));
  answers(INVAL, path_link, ROOT, FOLLOW, TEXT("link"), ROOT, TEXT("new"));

  /* Of a symbolic link itself. */
  answers(SUCCESS, path_link, ROOT, 0, TEXT("link"), ROOT, TEXT("link2"));
  answers(SUCCESS, path_readlink, ROOT, TEXT("link2"), target, sizeof target, &used);
  equals(used, 4);
  answers(SUCCESS, path_unlink_file, ROOT, TEXT("second"));
  answers(SUCCESS, path_filestat_get, ROOT, 0, TEXT("text"), &stat);
  equals(stat.nlink, 1);
  /* What differs from run to run must not be left in memory. */
  memset(&stat, 0, sizeof stat), memset(&other, 0, sizeof other);
}

static void renaming(void) {
  answers(SUCCESS, path_open, ROOT, 0, TEXT("folder"), DIRECTORY, 0, 0, 0, &fd);
  make_file(ROOT, "a", "a");
  answers(SUCCESS, path_rename, ROOT, TEXT("a"), fd, TEXT("b"));
  file_holds(ROOT, "folder/b", "a");
  answers(NOENT, path_rename, ROOT, TEXT("a"), fd, TEXT("b"));
  answers(SUCCESS, path_rename, fd, TEXT("b"), fd, TEXT("b"));
  make_file(ROOT, "a", "new");
  answers(SUCCESS, path_rename, ROOT, TEXT("a"), fd, TEXT("b"));
  file_holds(ROOT, "folder/b", "new");

  answers(SUCCESS, path_create_directory, ROOT, TEXT("d"));
  answers(SUCCESS, path_create_directory, ROOT, TEXT("e"));
  answers(SUCCESS, path_rename, ROOT, TEXT("d"), ROOT, TEXT("e"));
  answers(SUCCESS, path_rename, ROOT, TEXT("e/"), ROOT, TEXT("d/"));
  answers(NOTEMPTY, path_rename, ROOT, TEXT("d"), ROOT, TEXT("folder"));
  answers(ISDIR, path_rename, ROOT, TEXT("text"), ROOT, TEXT("d"));
  answers(NOTDIR, path_rename, ROOT, TEXT("d"), ROOT, TEXT("text"));
  answers(NOTDIR, path_rename, ROOT, TEXT("text/"), ROOT, TEXT("new"));
  answers(NOTDIR, path_rename, ROOT, TEXT("text"), ROOT, TEXT("new/"));
  answers(INVAL, path_rename, ROOT, TEXT("folder"), ROOT, TEXT("folder/in"));
  answers(INVAL, path_rename, ROOT, TEXT("folder/."), ROOT, TEXT("new"));
  answers(SUCCESS, path_rename, ROOT, TEXT("link"), ROOT, TEXT("text"));
  answers(SUCCESS, path_readlink, ROOT, TEXT("text"), target, sizeof target, &used);
  answers(SUCCESS, path_remove_directory, ROOT, TEXT("d"));
}

program {
  symbolic();
  hard();
  renaming();
}
