/* Reading and writing files. */
#include "wasi.h"

#define VECTORS 1025

static u8 buffer[64];
static __wasi_iovec_t many[VECTORS];
static u32 moved;
static u64 position;

static u32 read(u32 fd, u32 bytes) {
  __wasi_iovec_t into = {buffer, bytes};
  moved = -1;
  return wasi_fd_read(fd, &into, 1, &moved);
}
static u32 write(u32 fd, const char *text) {
  __wasi_ciovec_t from = {(const u8 *)text, strlen(text)};
  moved = -1;
  return wasi_fd_write(fd, &from, 1, &moved);
}
static u64 length(u32 fd) {
  __wasi_filestat_t stat = {0};
  answers(SUCCESS, fd_filestat_get, fd, &stat);
  equals(stat.filetype, __WASI_FILETYPE_REGULAR_FILE);
  equals(stat.nlink, 1);
  return stat.size;
}

/* The offset of a descriptor: what moves it, and where it cannot go. */
static void offsets(void) {
  u32 fd = opened(ROOT, "offsets", CREAT | EXCL, READ | WRITE, 0);
  __wasi_ciovec_t from[3] = {{(const u8 *)"hello", 5}, {(const u8 *)"", 0}, {(const u8 *)" world", 6}};
  answers(SUCCESS, fd_write, fd, from, 3, &moved);
  equals(moved, 11);
  answers(SUCCESS, fd_tell, fd, &position);
  equals(position, 11);
  equals(read(fd, 4), 0);
  equals(moved, 0);

  answers(SUCCESS, fd_seek, fd, 2, __WASI_WHENCE_SET, &position);
  equals(position, 2);
  answers(SUCCESS, fd_seek, fd, -1, __WASI_WHENCE_CUR, &position);
  equals(position, 1);
  __wasi_iovec_t into[3] = {{buffer, 4}, {buffer, 0}, {buffer + 8, 20}};
  answers(SUCCESS, fd_read, fd, into, 3, &moved);
  equals(moved, 10);
  equals(memcmp(buffer, "ello", 4), 0);
  equals(memcmp(buffer + 8, " world", 6), 0);
  answers(SUCCESS, fd_seek, fd, -3, __WASI_WHENCE_END, &position);
  equals(position, 8);
  equals(read(fd, 9), 0);
  equals(moved, 3);
  answers(INVAL, fd_seek, fd, -1, __WASI_WHENCE_SET, &position);
  answers(INVAL, fd_seek, fd, -12, __WASI_WHENCE_END, &position);
  answers(INVAL, fd_seek, fd, 0, 3, &position);
  answers(OVERFLOW, fd_seek, fd, INT64_MAX, __WASI_WHENCE_CUR, &position);
  answers(SUCCESS, fd_tell, fd, &position);
  equals(position, 11);

  /* With an offset of its own a call leaves the descriptor's alone. */
  __wasi_iovec_t one = {buffer, 5};
  answers(SUCCESS, fd_pread, fd, &one, 1, 6, &moved);
  equals(moved, 5);
  equals(memcmp(buffer, "world", 5), 0);
  answers(SUCCESS, fd_pread, fd, &one, 1, 100, &moved);
  equals(moved, 0);
  answers(INVAL, fd_pread, fd, &one, 1, -1ull, &moved);
  answers(SUCCESS, fd_pwrite, fd, from, 1, 13, &moved);
  equals(moved, 5);
  answers(INVAL, fd_pwrite, fd, from, 1, 1ull << 63, &moved);
  answers(FBIG, fd_pwrite, fd, from, 1, 1ull << 62, &moved);
  answers(SUCCESS, fd_tell, fd, &position);
  equals(position, 11);
  equals(length(fd), 18);

  /* Behind the end a write leaves a hole of zeroes. */
  answers(SUCCESS, fd_seek, fd, 20, __WASI_WHENCE_SET, &position);
  equals(write(fd, "!"), 0);
  answers(SUCCESS, fd_seek, fd, 10, __WASI_WHENCE_SET, &position);
  equals(read(fd, 20), 0);
  equals(moved, 11);
  equals(memcmp(buffer, "d\0\0hello\0\0!", 11), 0);
  answers(SUCCESS, fd_seek, fd, (1ll << 53) - 1, __WASI_WHENCE_SET, &position);
  answers(FBIG, fd_write, fd, from, 1, &moved);
  equals(read(fd, 1), 0);
  equals(moved, 0);

  answers(SUCCESS, fd_sync, fd);
  answers(SUCCESS, fd_datasync, fd);
  answers(SUCCESS, fd_advise, fd, 0, 0, __WASI_ADVICE_NOREUSE);
  answers(INVAL, fd_advise, fd, 0, 0, 6);
  answers(INVAL, fd_advise, fd, 1ull << 63, 0, __WASI_ADVICE_NORMAL);
  answers(SUCCESS, fd_close, fd);
}

static void vectors(void) {
  u32 fd = opened(ROOT, "text", 0, READ | WRITE, 0);
  answers(SUCCESS, fd_read, fd, many, 0, &moved);
  equals(moved, 0);
  for (u32 k = 0; k < VECTORS; k++) many[k] = (__wasi_iovec_t){buffer + k % 3, k % 2};
  answers(SUCCESS, fd_read, fd, many, VECTORS - 1, &moved);
  equals(moved, 10);
  answers(INVAL, fd_read, fd, many, VECTORS, &moved);
  answers(INVAL, fd_pread, fd, many, VECTORS, 0, &moved);
  answers(INVAL, fd_write, fd, (__wasi_ciovec_t *)many, VECTORS, &moved);
  answers(INVAL, fd_pwrite, fd, (__wasi_ciovec_t *)many, VECTORS, 0, &moved);

  /* Their sum does not fit the number that tells of it. */
  __builtin_wasm_memory_grow(0, 65);
  u32 pages = __builtin_wasm_memory_size(0);
  for (u32 k = 0; k < VECTORS - 1; k++) many[k] = (__wasi_iovec_t){0, pages << 16};
  answers(INVAL, fd_write, fd, (__wasi_ciovec_t *)many, VECTORS - 1, &moved);
  answers(INVAL, fd_read, fd, many, VECTORS - 1, &moved);
  equals(length(fd), 10);

  /* Vectors of which none fits what is copied at once. */
  u8 *large = (u8 *)((pages - 64) << 16);
  memset(large, 'x', 100000);
  __wasi_ciovec_t from[2] = {{large, 60000}, {large + 60000, 40000}};
  answers(SUCCESS, fd_pwrite, fd, from, 2, 5, &moved);
  equals(moved, 100000);
  equals(length(fd), 100005);
  __wasi_iovec_t into[3] = {{large + 200000, 9}, {large + 200009, 99991}, {large + 300000, 99}};
  answers(SUCCESS, fd_pread, fd, into, 3, 5, &moved);
  equals(moved, 100000);
  equals(memcmp(large, large + 200000, 100000), 0);
  answers(SUCCESS, fd_filestat_set_size, fd, 10);
  answers(SUCCESS, fd_close, fd);
}

/* What a descriptor was opened for. */
static void modes(void) {
  __wasi_iovec_t into = {buffer, 4};
  __wasi_ciovec_t from = {(const u8 *)"1234", 4};
  u32 reader = opened(ROOT, "modes", CREAT, READ, 0);
  answers(BADF, fd_write, reader, &from, 1, &moved);
  answers(BADF, fd_pwrite, reader, &from, 1, 0, &moved);
  answers(BADF, fd_filestat_set_size, reader, 1);
  answers(BADF, fd_allocate, reader, 0, 1);
  u32 writer = opened(ROOT, "modes", 0, WRITE, 0);
  answers(BADF, fd_read, writer, &into, 1, &moved);
  answers(BADF, fd_pread, writer, &into, 1, 0, &moved);
  equals(write(writer, "abcdef"), 0);
  equals(read(reader, 8), 0);
  equals(moved, 6);

  /* At the end, wherever the offset is, until that is turned off. */
  u32 end = opened(ROOT, "modes", 0, READ | WRITE, __WASI_FDFLAGS_APPEND);
  __wasi_fdstat_t stat;
  answers(SUCCESS, fd_fdstat_get, end, &stat);
  equals(stat.fs_flags, __WASI_FDFLAGS_APPEND);
  equals(stat.fs_filetype, __WASI_FILETYPE_REGULAR_FILE);
  equals(stat.fs_rights_base & (READ | WRITE), READ | WRITE);
  equals(write(end, "gh"), 0);
  answers(SUCCESS, fd_tell, end, &position);
  equals(position, 8);
  answers(SUCCESS, fd_seek, end, 0, __WASI_WHENCE_SET, &position);
  equals(read(end, 1), 0);
  equals(buffer[0], 'a');
  equals(write(end, "i"), 0);
  answers(SUCCESS, fd_fdstat_set_flags, end, __WASI_FDFLAGS_SYNC);
  answers(SUCCESS, fd_fdstat_get, end, &stat);
  equals(stat.fs_flags, __WASI_FDFLAGS_SYNC);
  answers(SUCCESS, fd_seek, end, 1, __WASI_WHENCE_SET, &position);
  equals(write(end, "B"), 0);
  answers(INVAL, fd_fdstat_set_flags, end, 32);
  file_holds(ROOT, "modes", "aBcdefghi");

  /* Rights can be given up, and not taken again. */
  answers(SUCCESS, fd_fdstat_set_rights, end, READ, 0);
  answers(SUCCESS, fd_fdstat_get, end, &stat);
  equals(stat.fs_rights_base, READ);
  equals(stat.fs_rights_inheriting, 0);
  answers(BADF, fd_write, end, &from, 1, &moved);
  answers(NOTCAPABLE, fd_fdstat_set_rights, end, READ | WRITE, 0);
  answers(NOTCAPABLE, fd_fdstat_set_rights, end, READ, READ);
  answers(SUCCESS, fd_close, end);
  answers(SUCCESS, fd_close, writer);
  answers(SUCCESS, fd_close, reader);
}

static void lengths(void) {
  u32 fd = opened(ROOT, "lengths", CREAT, READ | WRITE, 0);
  equals(write(fd, "abcdef"), 0);
  answers(SUCCESS, fd_filestat_set_size, fd, 3);
  equals(length(fd), 3);
  answers(SUCCESS, fd_filestat_set_size, fd, 5);
  equals(length(fd), 5);
  answers(SUCCESS, fd_tell, fd, &position);
  equals(position, 6);
  answers(SUCCESS, fd_pread, fd, &(__wasi_iovec_t){buffer, 9}, 1, 0, &moved);
  equals(moved, 5);
  equals(memcmp(buffer, "abc\0\0", 5), 0);
  answers(INVAL, fd_filestat_set_size, fd, -1ull);
  answers(FBIG, fd_filestat_set_size, fd, 1ull << 60);

  answers(SUCCESS, fd_allocate, fd, 2, 2);
  equals(length(fd), 5);
  answers(SUCCESS, fd_allocate, fd, 4, 8);
  equals(length(fd), 12);
  answers(INVAL, fd_allocate, fd, 4, 0);
  answers(INVAL, fd_allocate, fd, -1ull, 1);
  answers(INVAL, fd_allocate, fd, 1, -1ull);
  answers(FBIG, fd_allocate, fd, INT64_MAX, 1);
  answers(FBIG, fd_allocate, fd, INT64_MAX, INT64_MAX);
  equals(length(fd), 12);
  answers(SUCCESS, fd_close, fd);
}

/* A file without a name lives on; so does a descriptor with another number. */
static void lives(void) {
  u32 fd = opened(ROOT, "lives", CREAT, READ | WRITE, 0);
  answers(SUCCESS, path_unlink_file, ROOT, TEXT("lives"));
  equals(write(fd, "still"), 0);
  u32 other = opened(ROOT, "text", 0, READ, 0);
  equals(other, fd + 1);
  answers(SUCCESS, fd_renumber, fd, other);
  answers(BADF, fd_tell, fd, &position);
  answers(SUCCESS, fd_tell, other, &position);
  equals(position, 5);
  answers(SUCCESS, fd_renumber, other, other);
  answers(SUCCESS, fd_pread, other, &(__wasi_iovec_t){buffer, 9}, 1, 0, &moved);
  equals(moved, 5);
  equals(opened(ROOT, "text", 0, READ, 0), fd);
  answers(SUCCESS, fd_close, fd);
  answers(SUCCESS, fd_close, other);
}

program {
  offsets();
  vectors();
  modes();
  lengths();
  lives();
}
