/**
 * Prints a checksum of each file, in the lines of sha256sum(1). A folder stands for all files below it.
 *
 *   checksum [--sha256 | --crc32] PATH…
 *
 * Names in a folder come in the order of their bytes; symbolic links in it are passed over. What cannot be read is told on
 * the standard error output and makes the exit code 1.
 */
#include "ashlar.h"
#include "crc32.h"
#include "sha256.h"

enum { PATH_ROOM = 65536, CHUNK = 65536 };

static bool with_crc32 = false;
static bool has_failed = false;

/** What the file at hand is called in the output. */
static char path[PATH_ROOM];
static uint32_t path_length = 0;

static uint8_t chunk[CHUNK];

static void fail(const char *text) {
  ashlar_print_error("checksum: ");
  ashlar_write(ashlar_stderr(), -1, path, path_length);
  ashlar_print_error(": ");
  ashlar_print_error(text);
  ashlar_print_error("\n");
  has_failed = true;
}

/** Adds a name to the path; false when there is no room. */
static bool descend(const char *name, uint32_t length) {
  const bool needs_slash = path_length > 0 && path[path_length - 1] != '/';
  if (path_length + needs_slash + length > PATH_ROOM) {
    fail("the path is too long");
    return false;
  }
  if (needs_slash) path[path_length++] = '/';
  memcpy(path + path_length, name, length);
  path_length += length;
  return true;
}

/** A line of the sum's digits and the path. As in sha256sum, a backslash in front says that some in the path are escapes. */
static void print_line(const uint8_t *sum, uint32_t sum_length) {
  static char line[1 + 64 + 2 + 2 * PATH_ROOM + 1];
  uint32_t at = 0;
  for (uint32_t k = 0; k < path_length && at == 0; k++)
    if (path[k] == '\\' || path[k] == '\n' || path[k] == '\r') line[at++] = '\\';
  for (uint32_t k = 0; k < sum_length; k++) {
    line[at++] = "0123456789abcdef"[sum[k] >> 4];
    line[at++] = "0123456789abcdef"[sum[k] & 15];
  }
  line[at++] = ' ';
  line[at++] = ' ';
  for (uint32_t k = 0; k < path_length; k++) {
    const char c = path[k];
    if (c == '\\' || c == '\n' || c == '\r') line[at++] = '\\';
    line[at++] = c == '\n' ? 'n' : c == '\r' ? 'r' : c;
  }
  line[at++] = '\n';
  const ashlar_status status = ashlar_write(ashlar_stdout(), -1, line, at);
  if (status == ASHLAR_STATUS_OK) return;
  ashlar_print_error("checksum: cannot write: ");
  ashlar_print_error(ashlar_status_message(status));
  ashlar_print_error("\n");
  ashlar_exit(1);
}

static void sum_file(ashlar_ref dir, const char *name) {
  ashlar_ref file;
  ashlar_status status = ashlar_open(dir, name, ASHLAR_OPEN_READ, &file);
  if (status != ASHLAR_STATUS_OK) {
    fail(ashlar_status_message(status));
    return;
  }
  struct sha256 hash;
  sha256_start(&hash);
  uint32_t crc = 0;
  uint64_t offset = 0;
  bool at_end = false;
  while (!at_end && status == ASHLAR_STATUS_OK) {
    uint32_t got;
    status = ashlar_read(file, (int64_t)offset, chunk, CHUNK, &got, &at_end);
    offset += got;
    if (with_crc32) crc = crc32_update(crc, chunk, got);
    else sha256_update(&hash, chunk, got);
  }
  ashlar_close(file);
  if (status != ASHLAR_STATUS_OK) {
    fail(ashlar_status_message(status));
    return;
  }
  uint8_t sum[32];
  if (with_crc32)
    for (int k = 0; k < 4; k++) sum[k] = (uint8_t)(crc >> (24 - 8 * k));
  else sha256_finish(&hash, sum);
  print_line(sum, with_crc32 ? 4 : 32);
}

/** The sums of all files in a directory and below. Its handle stays open meanwhile, so nobody can swap what is walked. */
static void sum_directory(ashlar_ref parent, const char *name, uint32_t flags) {
  ashlar_ref dir;
  const ashlar_status status = ashlar_open(parent, name, ASHLAR_OPEN_DIRECTORY | flags, &dir);
  if (status != ASHLAR_STATUS_OK) {
    fail(ashlar_status_message(status));
    return;
  }
  // Not on the stack: folders may be nested a thousand deep.
  const uintptr_t mark = ashlar_mark();
  struct ashlar_listing *listing = ashlar_allocate(sizeof *listing);
  struct ashlar_entry *entry = ashlar_allocate(sizeof *entry);
  if (listing == NULL || entry == NULL) {
    fail("no memory is left");
    ashlar_exit(1);
  }
  ashlar_list(listing, dir);
  while (ashlar_next(listing, entry)) {
    const uint32_t outer_length = path_length;
    if (!descend(entry->name, entry->length)) continue;
    if (entry->kind == ASHLAR_ENTRY_FILE) sum_file(dir, entry->name);
    if (entry->kind == ASHLAR_ENTRY_DIRECTORY) sum_directory(dir, entry->name, ASHLAR_OPEN_NOFOLLOW);
    path_length = outer_length;
  }
  if (listing->status != ASHLAR_STATUS_OK) fail(ashlar_status_message(listing->status));
  ashlar_release(mark);
  ashlar_close(dir);
}

static void sum_path(const char *name) {
  struct ashlar_fs_stat_results stat;
  path_length = 0;
  if (!descend(name, (uint32_t)strlen(name))) return;
  const ashlar_status status = ashlar_stat(0, name, 0, &stat);
  if (status != ASHLAR_STATUS_OK) fail(ashlar_status_message(status));
  else if (stat.kind == ASHLAR_ENTRY_DIRECTORY) sum_directory(0, name, 0);
  else sum_file(0, name);
}

static bool is(const char *left, const char *right) {
  return strlen(left) == strlen(right) && memcmp(left, right, strlen(left)) == 0;
}

static int checksum(int count, char **arguments) {
  int first = 0;
  if (count > 0 && is(arguments[0], "--crc32")) with_crc32 = true;
  if (count > 0 && (with_crc32 || is(arguments[0], "--sha256"))) first = 1;
  if (first == count || arguments[first][0] == '-') {
    ashlar_print_error("usage: checksum [--sha256 | --crc32] PATH...\n");
    return 2;
  }
  crc32_prepare();
  for (int k = first; k < count; k++) sum_path(arguments[k]);
  return has_failed ? 1 : 0;
}

ASHLAR_MAIN(checksum)
