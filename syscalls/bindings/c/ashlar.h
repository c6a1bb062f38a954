/**
 * Ashlar's host ABI for guests in C and C++. No libc is needed:
 *
 *   clang --target=wasm32 -O2 -mbulk-memory -nostdlib -Wl,--no-entry guest.c -o guest.wasm
 *
 * What the outside world refuses is a status other than ASHLAR_STATUS_OK; a wrong argument is a trap and ends the guest.
 * Text is UTF-8; what takes a `const char *` without a length takes it up to its NUL. A null `dir` is the guest's root.
 */
#ifndef ASHLAR_H
#define ASHLAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ashlar_syscalls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ashlar_status;

/**
 * Defines the entry point: it calls `int function(int count, char **arguments)` and exits with what that answers. The
 * guest's own name is no argument. The module also says which version of the ABI it was built for.
 */
#define ASHLAR_MAIN(function)                                             \
  __asm__(".section .custom_section.ashlar.abi,\"\",@\n"                  \
          ".int8 " ASHLAR_TEXT_(ASHLAR_ABI_VERSION) "\n");                \
  __attribute__((export_name("_start"))) void ashlar_start_(void) {       \
    int count = (int)ashlar_sys_args_count();                             \
    ashlar_exit(function(count, ashlar_arguments()));                     \
  }
#define ASHLAR_TEXT_(macro) ASHLAR_QUOTE_(macro)
#define ASHLAR_QUOTE_(text) #text

/** Ends the guest. Of `code` the low eight bits count; 0 means success. */
static inline __attribute__((noreturn)) void ashlar_exit(int code) {
  ashlar_sys_exit((uint32_t)code & 255);
  __builtin_trap();
}

/* ---- What compilers call ---- */

/* The compiler may call these, so they are there unless a libc is linked. */
__attribute__((weak, no_builtin)) void *memcpy(void *to, const void *from, size_t length) {
#ifdef __wasm_bulk_memory__
  return __builtin_memcpy(to, from, length);
#else
  for (size_t k = 0; k < length; k++) ((char *)to)[k] = ((const char *)from)[k];
  return to;
#endif
}
__attribute__((weak, no_builtin)) void *memmove(void *to, const void *from, size_t length) {
#ifdef __wasm_bulk_memory__
  return __builtin_memmove(to, from, length);
#else
  if ((uintptr_t)to <= (uintptr_t)from)
    for (size_t k = 0; k < length; k++) ((char *)to)[k] = ((const char *)from)[k];
  else
    for (size_t k = length; k > 0; k--) ((char *)to)[k - 1] = ((const char *)from)[k - 1];
  return to;
#endif
}
__attribute__((weak, no_builtin)) void *memset(void *to, int byte, size_t length) {
#ifdef __wasm_bulk_memory__
  return __builtin_memset(to, byte, length);
#else
  for (size_t k = 0; k < length; k++) ((char *)to)[k] = (char)byte;
  return to;
#endif
}
__attribute__((weak, no_builtin)) int memcmp(const void *left, const void *right, size_t length) {
  const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
  for (size_t k = 0; k < length; k++)
    if (a[k] != b[k]) return a[k] < b[k] ? -1 : 1;
  return 0;
}
__attribute__((weak, no_builtin)) size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

/* ---- Memory ---- */

extern unsigned char __heap_base;
/** End of what `ashlar_allocate` gave; 0 before its first call. */
__attribute__((weak)) uintptr_t ashlar_top_ = 0;

/** `length` bytes that live until `ashlar_release`, aligned to 16 bytes; NULL when the memory cannot grow. */
static inline void *ashlar_allocate(size_t length) {
  const uintptr_t start = ((ashlar_top_ == 0 ? (uintptr_t)&__heap_base : ashlar_top_) + 15) & ~(uintptr_t)15;
  const uint64_t end = (uint64_t)start + length;
  const uint64_t present = (uint64_t)__builtin_wasm_memory_size(0) * 65536;
  if (end > UINT32_MAX) return NULL;
  if (end > present && __builtin_wasm_memory_grow(0, (size_t)((end - present + 65535) / 65536)) == (size_t)-1) return NULL;
  ashlar_top_ = (uintptr_t)end;
  return (void *)start;
}

/** Where the memory given out ends now, for `ashlar_release`. */
static inline uintptr_t ashlar_mark(void) { return ashlar_top_; }

/** Takes back everything that was allocated since `ashlar_mark` answered `mark`. */
static inline void ashlar_release(uintptr_t mark) { ashlar_top_ = mark; }

/** Object and offset of bytes in memory, as calls take them. */
#define ASHLAR_BYTES_(pointer) ashlar_bytes_of_memory(), (uint32_t)(uintptr_t)(pointer)
#define ASHLAR_STRING_(text) ASHLAR_BYTES_(text), (uint32_t)strlen(text)

/* ---- Files ---- */

/** Opens a file or directory. `flags` is a sum of ASHLAR_OPEN_…. */
static inline ashlar_status ashlar_open(ashlar_ref dir, const char *path, uint32_t flags, ashlar_ref *handle) {
  struct ashlar_fs_open_results results;
  const ashlar_status status = ashlar_fs_open(dir, ASHLAR_STRING_(path), flags, &results);
  *handle = results.handle;
  return status;
}

/** Ends a handle, whatever the status; a status other than OK says that bytes written earlier may be lost. */
static inline ashlar_status ashlar_close(ashlar_ref handle) { return ashlar_fs_close(handle); }

/**
 * Reads up to `length` bytes from `offset` of a file (-1: of a stream). `*got` is how many; fewer come only at the end of
 * the data or from an interactive stream. `*at_end` is true when nothing follows them.
 */
static inline ashlar_status ashlar_read(ashlar_ref handle, int64_t offset, void *to, uint32_t length, uint32_t *got,
                                        bool *at_end) {
  struct ashlar_fs_read_results results;
  const ashlar_status status = ashlar_fs_read(handle, offset, ASHLAR_BYTES_(to), length, &results);
  *got = results.bytes_transferred;
  *at_end = results.eof != 0;
  return status;
}

/** Writes all bytes, or none, at `offset` of a file; -1 is its end, and the place for a stream. */
static inline ashlar_status ashlar_write(ashlar_ref handle, int64_t offset, const void *from, uint32_t length) {
  struct ashlar_fs_write_results results;
  return ashlar_fs_write(handle, offset, ASHLAR_BYTES_(from), length, &results);
}

/** Length of an open file in bytes. */
static inline ashlar_status ashlar_size(ashlar_ref handle, uint64_t *bytes) {
  struct ashlar_fs_size_results results;
  const ashlar_status status = ashlar_fs_size(handle, &results);
  *bytes = results.bytes;
  return status;
}

/** Makes an open file shorter, or longer by zeroes. */
static inline ashlar_status ashlar_truncate(ashlar_ref handle, uint64_t bytes) {
  return ashlar_fs_truncate(handle, bytes);
}

/** Waits until what was written is on the disk. */
static inline ashlar_status ashlar_sync(ashlar_ref handle) { return ashlar_fs_sync(handle); }

/**
 * Everything from `offset` on (-1: of a stream), in memory of `ashlar_allocate`, with a NUL behind it. TOO_LARGE when the
 * memory cannot hold it.
 */
static inline ashlar_status ashlar_read_all(ashlar_ref handle, int64_t offset, char **bytes, uint32_t *length) {
  const uint32_t piece = 65536;
  const uintptr_t mark = ashlar_mark();
  char *start = NULL;
  uint32_t total = 0;
  bool at_end = false;
  *bytes = NULL;
  *length = 0;
  while (!at_end) {
    /* Pieces are multiples of 16 bytes and nothing else is allocated meanwhile, so they follow one another. */
    char *to = (char *)ashlar_allocate(piece);
    uint32_t filled = 0;
    if (start == NULL) start = to;
    ashlar_status status = to == NULL ? ASHLAR_STATUS_TOO_LARGE : ASHLAR_STATUS_OK;
    while (status == ASHLAR_STATUS_OK && filled < piece && !at_end) {
      uint32_t got;
      status = ashlar_read(handle, offset < 0 ? -1 : offset + total, to + filled, piece - filled, &got, &at_end);
      filled += got;
      total += got;
    }
    if (status != ASHLAR_STATUS_OK) {
      ashlar_release(mark);
      return status;
    }
  }
  ashlar_release((uintptr_t)start + total);
  if (ashlar_allocate(1) == NULL) return ASHLAR_STATUS_TOO_LARGE;
  start[total] = 0;
  *bytes = start;
  *length = total;
  return ASHLAR_STATUS_OK;
}

/** Everything in a file, as `ashlar_read_all` answers it. */
static inline ashlar_status ashlar_read_file(ashlar_ref dir, const char *path, char **bytes, uint32_t *length) {
  ashlar_ref file;
  ashlar_status status = ashlar_open(dir, path, ASHLAR_OPEN_READ, &file);
  *bytes = NULL;
  *length = 0;
  if (status != ASHLAR_STATUS_OK) return status;
  status = ashlar_read_all(file, 0, bytes, length);
  ashlar_close(file);
  return status;
}

static inline ashlar_status ashlar_store_(ashlar_ref dir, const char *path, uint32_t flags, const void *bytes,
                                          uint32_t length) {
  ashlar_ref file;
  const ashlar_status opened = ashlar_open(dir, path, ASHLAR_OPEN_WRITE | ASHLAR_OPEN_CREATE | flags, &file);
  if (opened != ASHLAR_STATUS_OK) return opened;
  const ashlar_status written = ashlar_write(file, -1, bytes, length);
  const ashlar_status closed = ashlar_close(file);
  return written != ASHLAR_STATUS_OK ? written : closed;
}

/** Makes a file hold exactly these bytes. */
static inline ashlar_status ashlar_write_file(ashlar_ref dir, const char *path, const void *bytes, uint32_t length) {
  return ashlar_store_(dir, path, ASHLAR_OPEN_TRUNCATE, bytes, length);
}

/** Adds bytes at the end of a file, which is made when it is not there. */
static inline ashlar_status ashlar_append_file(ashlar_ref dir, const char *path, const void *bytes, uint32_t length) {
  return ashlar_store_(dir, path, ASHLAR_OPEN_APPEND, bytes, length);
}

/* ---- Names ---- */

/** What a path stands for; `flags` is 0 or ASHLAR_OPEN_NOFOLLOW. With an empty path `dir` is any handle, and meant itself. */
static inline ashlar_status ashlar_stat(ashlar_ref dir, const char *path, uint32_t flags,
                                        struct ashlar_fs_stat_results *stat) {
  return ashlar_fs_stat(dir, ASHLAR_STRING_(path), flags, stat);
}

/** Sets both times of what a path stands for, in nanoseconds since 1970; empty paths as in `ashlar_stat`. */
static inline ashlar_status ashlar_set_times(ashlar_ref dir, const char *path, int64_t accessed, int64_t modified) {
  return ashlar_fs_set_times(dir, ASHLAR_STRING_(path), ASHLAR_TIMES_ACCESSED | ASHLAR_TIMES_MODIFIED, accessed, modified);
}

/** Makes a directory. */
static inline ashlar_status ashlar_mkdir(ashlar_ref dir, const char *path) {
  return ashlar_fs_mkdir(dir, ASHLAR_STRING_(path));
}

/** Removes an empty directory. */
static inline ashlar_status ashlar_rmdir(ashlar_ref dir, const char *path) {
  return ashlar_fs_rmdir(dir, ASHLAR_STRING_(path));
}

/** Removes a name of a file, or a symbolic link. */
static inline ashlar_status ashlar_unlink(ashlar_ref dir, const char *path) {
  return ashlar_fs_unlink(dir, ASHLAR_STRING_(path));
}

/** Gives what has one name another, in place of what had that. */
static inline ashlar_status ashlar_rename(ashlar_ref dir, const char *path, ashlar_ref new_dir, const char *new_path) {
  return ashlar_fs_rename(dir, ASHLAR_STRING_(path), new_dir, ASHLAR_STRING_(new_path));
}

/** Gives a file one more name. */
static inline ashlar_status ashlar_link(ashlar_ref dir, const char *path, ashlar_ref new_dir, const char *new_path) {
  return ashlar_fs_link(dir, ASHLAR_STRING_(path), new_dir, ASHLAR_STRING_(new_path));
}

/** Makes a symbolic link at a path. */
static inline ashlar_status ashlar_symlink(const char *target, ashlar_ref dir, const char *path) {
  return ashlar_fs_symlink(ASHLAR_STRING_(target), dir, ASHLAR_STRING_(path));
}

/** Target of a symbolic link, with a NUL behind it, in memory of `ashlar_allocate`; TOO_LARGE when that is full. */
static inline ashlar_status ashlar_readlink(ashlar_ref dir, const char *path, char **target) {
  struct ashlar_fs_readlink_results results;
  uint32_t room = 256;
  *target = NULL;
  for (;;) {
    const uintptr_t mark = ashlar_mark();
    char *bytes = (char *)ashlar_allocate(room + 1);
    if (bytes == NULL) return ASHLAR_STATUS_TOO_LARGE;
    const ashlar_status status = ashlar_fs_readlink(dir, ASHLAR_STRING_(path), ASHLAR_BYTES_(bytes), room, &results);
    if (status == ASHLAR_STATUS_OK && results.bytes <= room) {
      bytes[results.bytes] = 0;
      *target = bytes;
      return ASHLAR_STATUS_OK;
    }
    ashlar_release(mark);
    if (status != ASHLAR_STATUS_OK) return status;
    room = results.bytes;
  }
}

/* ---- Directories ---- */

/** A name in a directory. */
struct ashlar_entry {
  /** ASHLAR_ENTRY_…. */
  uint32_t kind;
  uint32_t length;
  /** With a NUL behind it. */
  char name[256];
};

/** A walk through the names in a directory, sorted by their bytes. */
struct ashlar_listing {
  /** Why `ashlar_next` answered false; OK at the end of the names. */
  ashlar_status status;
  ashlar_ref dir;
  uint64_t cookie;
  bool at_end;
  uint32_t at;
  uint32_t filled;
  unsigned char records[1024];
};

/** Starts to list an open directory. */
static inline void ashlar_list(struct ashlar_listing *listing, ashlar_ref dir) {
  listing->status = ASHLAR_STATUS_OK;
  listing->dir = dir;
  listing->cookie = 0;
  listing->at_end = false;
  listing->at = 0;
  listing->filled = 0;
}

/** Tells the next name; false at the end and when listing failed. */
static inline bool ashlar_next(struct ashlar_listing *listing, struct ashlar_entry *entry) {
  if (listing->at == listing->filled) {
    if (listing->at_end || listing->status != ASHLAR_STATUS_OK) return false;
    struct ashlar_fs_list_results results;
    listing->status = ashlar_fs_list(listing->dir, listing->cookie, ASHLAR_BYTES_(listing->records),
                                     sizeof listing->records, &results);
    listing->cookie = results.next_cookie;
    listing->at_end = results.eof != 0;
    listing->at = 0;
    listing->filled = results.bytes_transferred;
    if (listing->filled == 0) return false;
  }
  const unsigned char *record = listing->records + listing->at;
  entry->kind = record[0];
  entry->length = record[1];
  memcpy(entry->name, record + 2, entry->length);
  entry->name[entry->length] = 0;
  listing->at += 2 + entry->length;
  return true;
}

/* ---- Assets ---- */

/** Opens the asset that a slot holds now. */
static inline ashlar_status ashlar_open_slot(uint32_t bank_type, uint32_t slot, ashlar_ref *bank) {
  struct ashlar_bank_open_slot_results results;
  const ashlar_status status = ashlar_bank_open_slot(bank_type, slot, &results);
  *bank = results.bank;
  return status;
}

/** Opens an asset by its id, in a slot or not. */
static inline ashlar_status ashlar_open_asset(int32_t asset_id, ashlar_ref *bank) {
  struct ashlar_bank_open_asset_results results;
  const ashlar_status status = ashlar_bank_open_asset(asset_id, &results);
  *bank = results.bank;
  return status;
}

/** Ends the handle of an asset. */
static inline ashlar_status ashlar_close_asset(ashlar_ref bank) { return ashlar_bank_close(bank); }

/** Length of an asset in bytes. */
static inline ashlar_status ashlar_asset_size(ashlar_ref bank, uint64_t *bytes) {
  struct ashlar_bank_size_results results;
  const ashlar_status status = ashlar_bank_size(bank, &results);
  *bytes = results.bytes;
  return status;
}

/** Reads up to `length` bytes of an asset from `offset` on. `*got` is how many; fewer come only at its end. */
static inline ashlar_status ashlar_read_asset(ashlar_ref bank, int64_t offset, void *to, uint32_t length, uint32_t *got) {
  struct ashlar_bank_read_results results;
  const ashlar_status status = ashlar_bank_read(bank, offset, ASHLAR_BYTES_(to), length, &results);
  *got = results.bytes_transferred;
  return status;
}

/** A whole asset, in memory of `ashlar_allocate`, with a NUL behind it. TOO_LARGE when the memory cannot hold it. */
static inline ashlar_status ashlar_read_whole_asset(ashlar_ref bank, char **bytes, uint32_t *length) {
  uint64_t size;
  ashlar_status status = ashlar_asset_size(bank, &size);
  *bytes = NULL;
  *length = 0;
  if (status != ASHLAR_STATUS_OK) return status;
  const uintptr_t mark = ashlar_mark();
  char *start = size < UINT32_MAX ? (char *)ashlar_allocate((size_t)size + 1) : NULL;
  if (start == NULL) return ASHLAR_STATUS_TOO_LARGE;
  status = ashlar_read_asset(bank, 0, start, (uint32_t)size, length);
  if (status != ASHLAR_STATUS_OK) {
    ashlar_release(mark);
    return status;
  }
  start[*length] = 0;
  *bytes = start;
  return ASHLAR_STATUS_OK;
}

/** The metadata of an asset, a JSON object, as `ashlar_read_whole_asset` answers bytes. */
static inline ashlar_status ashlar_asset_metadata(ashlar_ref bank, char **json, uint32_t *length) {
  struct ashlar_bank_info_results info;
  struct ashlar_bank_metadata_results results;
  ashlar_status status = ashlar_bank_info(bank, &info);
  *json = NULL;
  *length = 0;
  if (status != ASHLAR_STATUS_OK) return status;
  const uintptr_t mark = ashlar_mark();
  char *start = (char *)ashlar_allocate((size_t)info.metadata_bytes + 1);
  if (start == NULL) return ASHLAR_STATUS_TOO_LARGE;
  status = ashlar_bank_metadata(bank, 0, ASHLAR_BYTES_(start), info.metadata_bytes, &results);
  if (status != ASHLAR_STATUS_OK) {
    ashlar_release(mark);
    return status;
  }
  start[results.bytes_transferred] = 0;
  *json = start;
  *length = results.bytes_transferred;
  return ASHLAR_STATUS_OK;
}

/** Loads an asset and has a slot of its bank hold it; `ashlar_bank_request` and its like do it step by step. */
static inline ashlar_status ashlar_load_asset(int32_t asset_id, uint32_t slot) {
  struct ashlar_bank_request_results requested;
  struct ashlar_bank_state_results results;
  ashlar_status status = ashlar_bank_request(asset_id, slot, &requested);
  if (status != ASHLAR_STATUS_OK) return status;
  do status = ashlar_bank_state(requested.load, &results);
  while (status == ASHLAR_STATUS_OK && (results.state == ASHLAR_LOAD_PENDING || results.state == ASHLAR_LOAD_LOADING));
  if (status == ASHLAR_STATUS_OK) status = ashlar_bank_commit(requested.load);
  ashlar_bank_close(requested.load);
  return status;
}

/* ---- Artifacts ---- */

/** Bytes of the longest key. */
#define ASHLAR_KEY_ROOM 36
/** Bytes of the longest text of a key, with its NUL. */
#define ASHLAR_KEY_TEXT_ROOM 78

/** The key of an artifact: a multihash. */
struct ashlar_key {
  uint32_t length;
  unsigned char bytes[ASHLAR_KEY_ROOM];
};

/** Opens the artifact of a key. */
static inline ashlar_status ashlar_open_artifact(const struct ashlar_key *key, ashlar_ref *artifact) {
  struct ashlar_asl_open_results results;
  const ashlar_status status = ashlar_asl_open(ASHLAR_BYTES_(key->bytes), key->length, &results);
  *artifact = results.artifact;
  return status;
}

/** Opens the artifact of a key as text, `sha256:…`. */
static inline ashlar_status ashlar_open_named_artifact(const char *key, ashlar_ref *artifact) {
  struct ashlar_asl_open_results results;
  const ashlar_status status = ashlar_asl_open(ASHLAR_STRING_(key), &results);
  *artifact = results.artifact;
  return status;
}

/** Length of an artifact in bytes; of one in the making what it has taken. `ashlar_asl_info` tells more. */
static inline ashlar_status ashlar_artifact_size(ashlar_ref artifact, uint64_t *bytes) {
  struct ashlar_asl_info_results results;
  const ashlar_status status = ashlar_asl_info(artifact, 0, &results);
  *bytes = results.bytes;
  return status;
}

/** Reads up to `length` bytes of an artifact from `offset` on. `*got` is how many; fewer come only at its end. */
static inline ashlar_status ashlar_read_artifact(ashlar_ref artifact, int64_t offset, void *to, uint32_t length,
                                                 uint32_t *got) {
  struct ashlar_asl_read_results results;
  const ashlar_status status = ashlar_asl_read(artifact, offset, ASHLAR_BYTES_(to), length, &results);
  *got = results.bytes_transferred;
  return status;
}

/** A whole artifact, in memory of `ashlar_allocate`, with a NUL behind it. TOO_LARGE when the memory cannot hold it. */
static inline ashlar_status ashlar_read_whole_artifact(ashlar_ref artifact, char **bytes, uint32_t *length) {
  uint64_t size;
  ashlar_status status = ashlar_artifact_size(artifact, &size);
  *bytes = NULL;
  *length = 0;
  if (status != ASHLAR_STATUS_OK) return status;
  const uintptr_t mark = ashlar_mark();
  char *start = size < UINT32_MAX ? (char *)ashlar_allocate((size_t)size + 1) : NULL;
  if (start == NULL) return ASHLAR_STATUS_TOO_LARGE;
  status = ashlar_read_artifact(artifact, 0, start, (uint32_t)size, length);
  if (status != ASHLAR_STATUS_OK) {
    ashlar_release(mark);
    return status;
  }
  start[*length] = 0;
  *bytes = start;
  return ASHLAR_STATUS_OK;
}

/** Begins an artifact without a type tag; `ashlar_asl_create` does with one. */
static inline ashlar_status ashlar_create_artifact(ashlar_ref *writer) {
  struct ashlar_asl_create_results results;
  const ashlar_status status = ashlar_asl_create(0, 0, &results);
  *writer = results.writer;
  return status;
}

/** Adds all bytes to an artifact in the making, or none. */
static inline ashlar_status ashlar_write_artifact(ashlar_ref writer, const void *from, uint32_t length) {
  struct ashlar_asl_write_results results;
  return ashlar_asl_write(writer, -1, ASHLAR_BYTES_(from), length, &results);
}

/** Ends the making of an artifact, and tells its key. */
static inline ashlar_status ashlar_seal_artifact(ashlar_ref writer, struct ashlar_key *key) {
  struct ashlar_asl_seal_results results;
  const ashlar_status status = ashlar_asl_seal(writer, ASHLAR_BYTES_(key->bytes), ASHLAR_KEY_ROOM, &results);
  key->length = results.bytes_transferred;
  return status;
}

/** Ends the handle of an artifact, or of one in the making: that is given up when it was not sealed. */
static inline ashlar_status ashlar_close_artifact(ashlar_ref handle) { return ashlar_asl_close(handle); }

/** Makes an artifact of some bytes, and tells its key. */
static inline ashlar_status ashlar_put_artifact(const void *from, uint32_t length, struct ashlar_key *key) {
  ashlar_ref writer;
  ashlar_status status = ashlar_create_artifact(&writer);
  key->length = 0;
  if (status != ASHLAR_STATUS_OK) return status;
  status = ashlar_write_artifact(writer, from, length);
  if (status == ASHLAR_STATUS_OK) status = ashlar_seal_artifact(writer, key);
  ashlar_close_artifact(writer);
  return status;
}

/** Writes the text of a key, `sha256:…`, and a NUL; answers its length. `to` has room for ASHLAR_KEY_TEXT_ROOM bytes. */
static inline uint32_t ashlar_key_text(const struct ashlar_key *key, char *to) {
  const char *name = "sha256:";
  if (key->bytes[0] == 0x16) name = "sha3-256:";
  else if (key->bytes[0] == 0x95) name = "sha2-512-256:";
  else if (key->bytes[0] == 0xe0) name = "blake2s-256:";
  uint32_t length = (uint32_t)strlen(name);
  memcpy(to, name, length);
  for (uint32_t k = key->length < 32 ? 0 : key->length - 32; k < key->length; k++) {
    to[length++] = "0123456789abcdef"[key->bytes[k] >> 4];
    to[length++] = "0123456789abcdef"[key->bytes[k] & 15];
  }
  to[length] = 0;
  return length;
}

/** An artifact, as a list tells of it. */
struct ashlar_artifact_entry {
  struct ashlar_key key;
  /** Sum of ASHLAR_ARTIFACT_…. */
  uint32_t flags;
  uint32_t type_tag;
  uint64_t bytes;
};

/** A walk through the artifacts of the store, by their digests. */
struct ashlar_artifact_listing {
  /** Why `ashlar_next_artifact` answered false; OK at the end. */
  ashlar_status status;
  struct ashlar_key after;
  bool at_end;
  uint32_t at;
  uint32_t filled;
  unsigned char records[1024];
};

/** Starts to list the artifacts of the store. */
static inline void ashlar_list_artifacts(struct ashlar_artifact_listing *listing) {
  listing->status = ASHLAR_STATUS_OK;
  listing->after.length = 0;
  listing->at_end = false;
  listing->at = 0;
  listing->filled = 0;
}

/** Tells the next artifact; false at the end and when listing failed. */
static inline bool ashlar_next_artifact(struct ashlar_artifact_listing *listing, struct ashlar_artifact_entry *entry) {
  if (listing->at == listing->filled) {
    if (listing->at_end || listing->status != ASHLAR_STATUS_OK) return false;
    struct ashlar_asl_list_results results;
    listing->status = ashlar_asl_list(ASHLAR_BYTES_(listing->after.bytes), listing->after.length,
                                      ASHLAR_BYTES_(listing->records), sizeof listing->records, &results);
    listing->at_end = results.eof != 0;
    listing->at = 0;
    listing->filled = results.bytes_transferred;
    if (listing->filled == 0) return false;
  }
  const unsigned char *record = listing->records + listing->at;
  entry->key.length = record[0];
  memcpy(entry->key.bytes, record + 1, record[0]);
  const unsigned char *fields = record + 1 + record[0];
  entry->flags = fields[0];
  memcpy(&entry->type_tag, fields + 1, 4);
  memcpy(&entry->bytes, fields + 5, 8);
  listing->at += 14 + entry->key.length;
  listing->after = entry->key;
  return true;
}

/* ---- The world ---- */

/** An argument, with a NUL behind it, in memory of `ashlar_allocate`; NULL when that is full. */
static inline char *ashlar_argument(uint32_t index) {
  const uint32_t length = ashlar_sys_arg_size(index);
  char *text = (char *)ashlar_allocate((size_t)length + 1);
  if (text == NULL) return NULL;
  ashlar_sys_arg_read(index, ASHLAR_BYTES_(text), length);
  text[length] = 0;
  return text;
}

/** All arguments and a NULL, in memory of `ashlar_allocate`; traps when that is full. */
static inline char **ashlar_arguments(void) {
  const uint32_t count = ashlar_sys_args_count();
  char **arguments = (char **)ashlar_allocate(((size_t)count + 1) * sizeof(char *));
  if (arguments == NULL) __builtin_trap();
  for (uint32_t k = 0; k < count; k++) {
    arguments[k] = ashlar_argument(k);
    if (arguments[k] == NULL) __builtin_trap();
  }
  arguments[count] = NULL;
  return arguments;
}

/** Value of a variable of the environment, in memory of `ashlar_allocate`; NULL when it is not set. */
static inline char *ashlar_variable(const char *name) {
  const uint32_t count = ashlar_sys_env_count();
  const size_t name_length = strlen(name);
  for (uint32_t k = 0; k < count; k++) {
    const uint32_t length = ashlar_sys_env_size(k);
    const uintptr_t mark = ashlar_mark();
    char *text = (char *)ashlar_allocate((size_t)length + 1);
    if (text == NULL) return NULL;
    ashlar_sys_env_read(k, ASHLAR_BYTES_(text), length);
    text[length] = 0;
    if (length > name_length && text[name_length] == '=' && memcmp(text, name, name_length) == 0)
      return text + name_length + 1;
    ashlar_release(mark);
  }
  return NULL;
}

/** Handles of the standard streams; 0 before their first use. */
__attribute__((weak)) ashlar_ref ashlar_stdin_ = 0;
__attribute__((weak)) ashlar_ref ashlar_stdout_ = 0;
__attribute__((weak)) ashlar_ref ashlar_stderr_ = 0;

static inline ashlar_ref ashlar_stdin(void) {
  if (ashlar_stdin_ == 0) ashlar_stdin_ = ashlar_sys_stdin();
  return ashlar_stdin_;
}
static inline ashlar_ref ashlar_stdout(void) {
  if (ashlar_stdout_ == 0) ashlar_stdout_ = ashlar_sys_stdout();
  return ashlar_stdout_;
}
static inline ashlar_ref ashlar_stderr(void) {
  if (ashlar_stderr_ == 0) ashlar_stderr_ = ashlar_sys_stderr();
  return ashlar_stderr_;
}

/** Writes text to the standard output as it is. */
static inline ashlar_status ashlar_print(const char *text) {
  return ashlar_write(ashlar_stdout(), -1, text, (uint32_t)strlen(text));
}

/** Writes text to the standard error output as it is. */
static inline ashlar_status ashlar_print_error(const char *text) {
  return ashlar_write(ashlar_stderr(), -1, text, (uint32_t)strlen(text));
}

/** Writes a number in decimal and a NUL; answers the number of digits. `to` has room for 21 bytes. */
static inline uint32_t ashlar_decimal(char *to, uint64_t number) {
  char digits[20];
  uint32_t count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  for (uint32_t k = 0; k < count; k++) to[k] = digits[count - 1 - k];
  to[count] = 0;
  return count;
}

/** Hands a line of diagnostics to whoever runs the guest. */
static inline void ashlar_log(const char *line) { ashlar_sys_log(ASHLAR_STRING_(line)); }

/** The time of day, in nanoseconds since 1970. */
static inline int64_t ashlar_now(void) { return ashlar_sys_clock(ASHLAR_CLOCK_REALTIME); }

/** A time that never goes back, in nanoseconds since some fixed moment. */
static inline int64_t ashlar_monotonic(void) { return ashlar_sys_clock(ASHLAR_CLOCK_MONOTONIC); }

/** Waits. */
static inline void ashlar_sleep(uint64_t nanoseconds) { ashlar_sys_sleep(nanoseconds); }

/** Fills memory with random bytes. */
static inline void ashlar_random(void *to, uint32_t length) { ashlar_sys_random(ASHLAR_BYTES_(to), length); }

#ifdef __cplusplus
}
#endif

#endif
