/* Directories as descriptors: listing them, and what else cannot be done with one. */
#include "wasi.h"

static u8 buffer[4096];
static u32 used, moved;

/* Entry `index` of a listing must have this name; where it goes on. */
static u64 entry(u32 index, const char *name, u32 filetype, u32 line) {
  u32 at = 0;
  for (u32 k = 0; at + sizeof(__wasi_dirent_t) <= used; k++) {
    __wasi_dirent_t head;
    memcpy(&head, buffer + at, sizeof head);
    at += sizeof head;
    if (k == index) {
      compare(head.d_namlen, strlen(name), TEXT("the name's length"), line);
      compare(memcmp(buffer + at, name, strlen(name)), 0, TEXT("the name"), line);
      compare(head.d_type, filetype, TEXT("the type"), line);
      return head.d_next;
    }
    at += head.d_namlen;
  }
  compare(used, -1, TEXT("the listing's end"), line);
  return 0;
}
#define entry(index, name, filetype) entry(index, name, __WASI_FILETYPE_##filetype, __LINE__)

static void listing(void) {
  answers(SUCCESS, path_create_directory, ROOT, TEXT("list"));
  u32 fd = opened(ROOT, "list", DIRECTORY, 0, 0);
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, 0, &used);
  equals(used, 2 * sizeof(__wasi_dirent_t) + sizeof "..");

  make_file(fd, "b", "");
  answers(SUCCESS, path_create_directory, fd, TEXT("a"));
  answers(SUCCESS, path_symlink, TEXT("b"), fd, TEXT("a-link"));
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, 0, &used);
  entry(0, ".", DIRECTORY);
  u64 behind_dots = entry(1, "..", DIRECTORY);
  u64 behind_a = entry(2, "a", DIRECTORY);
  entry(3, "a-link", SYMBOLIC_LINK);
  u64 end = entry(4, "b", REGULAR_FILE);
  equals(used, 5 * sizeof(__wasi_dirent_t) + strlen("...aa-linkb"));

  /* From the middle; from the end; what fits, to the byte. */
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, behind_a, &used);
  entry(0, "a-link", SYMBOLIC_LINK);
  entry(1, "b", REGULAR_FILE);
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, behind_dots, &used);
  entry(0, "a", DIRECTORY);
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, end, &used);
  equals(used, 0);
  answers(SUCCESS, fd_readdir, fd, buffer, 40, behind_dots, &used);
  equals(used, 40);
  entry(0, "a", DIRECTORY);
  answers(SUCCESS, fd_readdir, fd, buffer, 0, 0, &used);
  equals(used, 0);
  answers(INVAL, fd_readdir, fd, buffer, sizeof buffer, end + 1, &used);
  answers(INVAL, fd_readdir, fd, buffer, sizeof buffer, -1ull, &used);
  answers(NOTDIR, fd_readdir, opened(fd, "b", 0, READ, 0), buffer, sizeof buffer, 0, &used);

  /* The same numbers as those of the files. */
  __wasi_filestat_t stat;
  __wasi_dirent_t head;
  answers(SUCCESS, fd_readdir, fd, buffer, sizeof buffer, behind_dots, &used);
  memcpy(&head, buffer, sizeof head);
  answers(SUCCESS, path_filestat_get, fd, 0, TEXT("a"), &stat);
  equals(head.d_ino, stat.ino);
  answers(SUCCESS, fd_close, fd);
}

static void no_file(u32 fd) {
  u64 position;
  __wasi_iovec_t into = {buffer, 4};
  __wasi_ciovec_t from = {buffer, 4};
  answers(ISDIR, fd_read, fd, &into, 1, &moved);
  answers(ISDIR, fd_pread, fd, &into, 1, 0, &moved);
  answers(ISDIR, fd_write, fd, &from, 1, &moved);
  answers(ISDIR, fd_pwrite, fd, &from, 1, 0, &moved);
  answers(BADF, fd_seek, fd, 0, __WASI_WHENCE_SET, &position);
  answers(BADF, fd_tell, fd, &position);
  answers(BADF, fd_allocate, fd, 0, 1);
  answers(BADF, fd_advise, fd, 0, 0, 0);
  answers(BADF, fd_filestat_set_size, fd, 0);
}

static void descriptors(void) {
  __wasi_prestat_t prestat = {.tag = 9};
  answers(SUCCESS, fd_prestat_get, ROOT, &prestat);
  equals(prestat.tag, __WASI_PREOPENTYPE_DIR);
  equals(prestat.u.dir.pr_name_len, 1);
  char name[4] = "----";
  answers(SUCCESS, fd_prestat_dir_name, ROOT, name, 1);
  equals(memcmp(name, "/---", 4), 0);
  answers(NAMETOOLONG, fd_prestat_dir_name, ROOT, name, 0);
  u32 fd = opened(ROOT, "folder", 0, READ, 0);
  answers(BADF, fd_prestat_get, fd, &prestat);
  answers(BADF, fd_prestat_dir_name, fd, name, 4);
  no_file(ROOT);
  no_file(fd);

  __wasi_fdstat_t stat;
  answers(SUCCESS, fd_fdstat_get, fd, &stat);
  equals(stat.fs_filetype, __WASI_FILETYPE_DIRECTORY);
  equals(stat.fs_rights_base & __WASI_RIGHTS_PATH_OPEN, __WASI_RIGHTS_PATH_OPEN);
  __wasi_filestat_t filestat;
  answers(SUCCESS, fd_filestat_get, fd, &filestat);
  equals(filestat.filetype, __WASI_FILETYPE_DIRECTORY);
  answers(SUCCESS, fd_sync, fd);
  answers(SUCCESS, fd_datasync, fd);

  /* It goes where its directory goes, and is of no use when that is gone. */
  answers(SUCCESS, path_rename, ROOT, TEXT("folder"), ROOT, TEXT("moved"));
  file_holds(fd, "inner", "inner");
  answers(SUCCESS, path_unlink_file, fd, TEXT("inner"));
  answers(SUCCESS, path_remove_directory, ROOT, TEXT("moved"));
  answers(NOENT, path_create_directory, fd, TEXT("new"));
  answers(NOENT, path_open, fd, 0, TEXT("inner"), 0, READ, 0, 0, &moved);
  answers(SUCCESS, fd_close, fd);

  /* A preopened one can be closed, too; its number is free then. */
  fd = opened(ROOT, ".", DIRECTORY, 0, 0);
  answers(SUCCESS, fd_close, ROOT);
  answers(BADF, path_create_directory, ROOT, TEXT("new"));
  answers(BADF, fd_prestat_get, ROOT, &prestat);
  answers(SUCCESS, fd_renumber, fd, STDIN);
  equals(opened(STDIN, "text", 0, READ, 0), ROOT);
}

program {
  listing();
  descriptors();
}
