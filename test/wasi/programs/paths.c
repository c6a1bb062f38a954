/* Paths: where they lead, and where they do not. */
#include "wasi.h"

static u32 fd;
static __wasi_filestat_t stat;

/* Every function with a path, on one that leads nowhere. */
static void nowhere(u32 errno, const char *path, u32 bytes, u32 line) {
  char target[8];
  u32 used;
#define must(function, ...) compare(wasi_##function(__VA_ARGS__), errno, TEXT(#function), line)
  must(path_create_directory, ROOT, path, bytes);
  must(path_filestat_get, ROOT, 0, path, bytes, &stat);
  must(path_filestat_set_times, ROOT, 0, path, bytes, 0, 0, __WASI_FSTFLAGS_MTIM);
  must(path_link, ROOT, 0, path, bytes, ROOT, TEXT("new"));
  must(path_link, ROOT, 0, TEXT("text"), ROOT, path, bytes);
  must(path_open, ROOT, 0, path, bytes, 0, READ, 0, 0, &fd);
  must(path_open, ROOT, 0, path, bytes, CREAT, WRITE, 0, 0, &fd);
  must(path_readlink, ROOT, path, bytes, target, sizeof target, &used);
  must(path_remove_directory, ROOT, path, bytes);
  must(path_rename, ROOT, path, bytes, ROOT, TEXT("new"));
  must(path_rename, ROOT, TEXT("text"), ROOT, path, bytes);
  must(path_symlink, TEXT("text"), ROOT, path, bytes);
  must(path_unlink_file, ROOT, path, bytes);
}
#define lead_nowhere(errno, ...) nowhere(__WASI_ERRNO_##errno, __VA_ARGS__, __LINE__)

static void opening(void) {
  answers(NOENT, path_open, ROOT, 0, TEXT("nothing"), 0, READ, 0, 0, &fd);
  answers(EXIST, path_open, ROOT, 0, TEXT("text"), CREAT | EXCL, WRITE, 0, 0, &fd);
  answers(NOTDIR, path_open, ROOT, 0, TEXT("text"), DIRECTORY, READ, 0, 0, &fd);
  answers(NOTDIR, path_open, ROOT, 0, TEXT("text/"), 0, READ, 0, 0, &fd);
  answers(NOTDIR, path_open, opened(ROOT, "text", 0, READ, 0), 0, TEXT("inner"), 0, READ, 0, 0, &fd);
  answers(ISDIR, path_open, ROOT, 0, TEXT("folder"), 0, READ | WRITE, 0, 0, &fd);
  answers(ISDIR, path_open, ROOT, 0, TEXT("folder"), DIRECTORY, READ | WRITE, 0, 0, &fd);
  answers(ISDIR, path_open, ROOT, 0, TEXT("folder"), TRUNC, WRITE, 0, 0, &fd);
  answers(ISDIR, path_open, ROOT, 0, TEXT("new/"), CREAT, WRITE, 0, 0, &fd);
  answers(INVAL, path_open, ROOT, 0, TEXT("new"), CREAT | DIRECTORY, READ, 0, 0, &fd);
  answers(INVAL, path_open, ROOT, 2, TEXT("text"), 0, READ, 0, 0, &fd);
  answers(INVAL, path_open, ROOT, 0, TEXT("text"), 16, READ, 0, 0, &fd);
  answers(INVAL, path_open, ROOT, 0, TEXT("text"), 0, READ, 0, 32, &fd);
  answers(NOENT, path_filestat_get, ROOT, 0, TEXT("new"), &stat);
  answers(INVAL, path_filestat_get, ROOT, 2, TEXT("text"), &stat);

  /* A directory without a mode, or to read, is what it is. */
  answers(SUCCESS, path_open, ROOT, 0, TEXT("folder/."), 0, 0, 0, 0, &fd);
  answers(SUCCESS, path_open, ROOT, 0, TEXT("./folder//"), 0, READ, 0, 0, &fd);
  file_holds(fd, "inner", "inner");
  answers(SUCCESS, path_filestat_get, fd, 0, TEXT("./inner"), &stat);
  equals(stat.filetype, __WASI_FILETYPE_REGULAR_FILE);
  equals(stat.size, 5);
  file_holds(ROOT, "folder/../text", "0123456789");

  /* Emptied, and made. */
  fd = opened(ROOT, "text", TRUNC, WRITE, 0);
  file_holds(ROOT, "text", "");
  fd = opened(ROOT, "made", CREAT, 0, 0);
  file_holds(ROOT, "made", "");
  fd = opened(ROOT, "made too", CREAT | EXCL | TRUNC, WRITE, 0);
}

static void names(void) {
  lead_nowhere(NOENT, "", 0);
  lead_nowhere(NOENT, TEXT("nothing/name"));
  lead_nowhere(NOTDIR, TEXT("text/name"));
  lead_nowhere(INVAL, TEXT("zero\0byte"));
  lead_nowhere(INVAL, TEXT("bad\xff" "utf8"));
  const char *name = repeated("n", 256);
  lead_nowhere(NAMETOOLONG, name, 256);
  name = repeated("./", 2049);
  lead_nowhere(NAMETOOLONG, name, 4098);
  name = repeated("n", 255);
  answers(SUCCESS, path_create_directory, ROOT, name, 255);
  answers(SUCCESS, path_remove_directory, ROOT, name, 255);
}

/* Out of the directory that a path begins at, in any way. */
static void confinement(void) {
  lead_nowhere(PERM, TEXT("/text"));
  lead_nowhere(PERM, TEXT("../text"));
  lead_nowhere(PERM, TEXT("folder/../../text"));
  answers(SUCCESS, path_open, ROOT, 0, TEXT("folder"), DIRECTORY, 0, 0, 0, &fd);
  answers(PERM, path_open, fd, 0, TEXT("../text"), 0, READ, 0, 0, &fd);
  answers(SUCCESS, path_symlink, TEXT("../.."), ROOT, TEXT("folder/out"));
  answers(PERM, path_symlink, TEXT("/etc"), ROOT, TEXT("absolute"));
  lead_nowhere(PERM, TEXT("folder/out/text"));
  answers(PERM, path_open, ROOT, FOLLOW, TEXT("folder/out"), 0, READ, 0, 0, &fd);
}

static void making(void) {
  answers(SUCCESS, path_create_directory, ROOT, TEXT("d"));
  answers(EXIST, path_create_directory, ROOT, TEXT("d"));
  answers(EXIST, path_create_directory, ROOT, TEXT("text"));
  answers(EXIST, path_create_directory, ROOT, TEXT("d/"));
  answers(SUCCESS, path_create_directory, ROOT, TEXT("d/e/"));
  answers(NOTEMPTY, path_remove_directory, ROOT, TEXT("d"));
  answers(NOTDIR, path_remove_directory, ROOT, TEXT("text"));
  answers(NOENT, path_remove_directory, ROOT, TEXT("nothing"));
  answers(INVAL, path_remove_directory, ROOT, TEXT("d/e/."));
}

static void removing(void) {
  answers(ISDIR, path_unlink_file, ROOT, TEXT("d"));
  answers(NOTDIR, path_unlink_file, ROOT, TEXT("text/"));
  answers(NOENT, path_unlink_file, ROOT, TEXT("nothing"));
  answers(SUCCESS, path_remove_directory, ROOT, TEXT("d/e"));
  answers(SUCCESS, path_remove_directory, ROOT, TEXT("d/"));
  answers(NOENT, path_filestat_get, ROOT, 0, TEXT("d"), &stat);
  answers(SUCCESS, path_unlink_file, ROOT, TEXT("text"));
  answers(NOENT, path_filestat_get, ROOT, 0, TEXT("text"), &stat);
}

program {
  opening();
  names();
  confinement();
  making();
  removing();
}
