/* The tour through the C bindings: see tour.as and tour.rs, which print the same. */
#include "ashlar.h"

static int code = 0;
static void check(ashlar_status status, int step) {
  if (status != ASHLAR_STATUS_OK && code == 0) code = step;
}

static void number(uint64_t value) {
  char digits[21];
  ashlar_decimal(digits, value);
  ashlar_print(digits);
}

static int tour(int count, char **arguments) {
  char *text = NULL;
  uint32_t length = 0;
  ashlar_print("args ");
  for (int k = 0; k < count; k++) {
    if (k > 0) ashlar_print("|");
    ashlar_print(arguments[k]);
  }
  const char *name = ashlar_variable("NAME");
  const char *none = ashlar_variable("NAM");
  ashlar_print("\nenv ");
  ashlar_print(name == NULL ? "-" : name);
  ashlar_print(none == NULL ? " -" : none);
  check(ashlar_read_file(0, "/data/b.txt", &text, &length), 20);
  ashlar_print("\nread ");
  ashlar_print(text);
  ashlar_print("\nmissing ");
  ashlar_print(ashlar_status_name(ashlar_read_file(0, "/data/none", &text, &length)));
  check(ashlar_write_file(0, "/data/out", "först\n", 7), 1);
  check(ashlar_append_file(0, "/data/out", "second", 6), 2);
  check(ashlar_mkdir(0, "/data/new"), 3);
  check(ashlar_rename(0, "/data/out", 0, "/data/new/out"), 4);
  check(ashlar_link(0, "/data/new/out", 0, "/data/hard"), 5);
  check(ashlar_symlink("new/out", 0, "/data/soft"), 6);
  check(ashlar_readlink(0, "/data/soft", &text), 21);
  ashlar_print("\ntarget ");
  ashlar_print(text);
  check(ashlar_set_times(0, "/data/hard", 1, 2), 7);
  struct ashlar_fs_stat_results stat, link;
  check(ashlar_stat(0, "/data/soft", 0, &stat), 22);
  ashlar_print("\nstat ");
  number(stat.kind);
  ashlar_print(" ");
  number(stat.bytes);
  ashlar_print(" ");
  number(stat.links);
  ashlar_print(" ");
  number((uint64_t)stat.accessed);
  ashlar_print(" ");
  number((uint64_t)stat.modified);
  check(ashlar_stat(0, "/data/soft", ASHLAR_OPEN_NOFOLLOW, &link), 23);
  ashlar_print("\nlink ");
  number(link.kind);
  ashlar_print(" ");
  number(link.bytes);
  ashlar_print(link.id != stat.id ? " true" : " false");
  ashlar_ref dir;
  struct ashlar_listing listing;
  struct ashlar_entry entry;
  check(ashlar_open(0, "/data", ASHLAR_OPEN_DIRECTORY, &dir), 24);
  ashlar_print("\nlist");
  ashlar_list(&listing, dir);
  while (ashlar_next(&listing, &entry)) {
    ashlar_print(" ");
    ashlar_print(entry.name);
    ashlar_print(":");
    number(entry.kind);
  }
  check(listing.status, 25);
  check(ashlar_close(dir), 26);
  ashlar_ref file;
  uint64_t size;
  check(ashlar_open(0, "/data/new", ASHLAR_OPEN_DIRECTORY, &dir), 27);
  check(ashlar_open(dir, "out", ASHLAR_OPEN_READ | ASHLAR_OPEN_WRITE, &file), 28);
  check(ashlar_truncate(file, 3), 8);
  check(ashlar_sync(file), 9);
  check(ashlar_size(file, &size), 29);
  ashlar_print("\nsize ");
  number(size);
  check(ashlar_close(file), 10);
  check(ashlar_close(dir), 11);
  check(ashlar_unlink(0, "/data/soft"), 12);
  ashlar_print("\nrmdir ");
  ashlar_print(ashlar_status_name(ashlar_rmdir(0, "/data/new")));
  ashlar_print("\nro ");
  ashlar_print(ashlar_status_name(ashlar_write_file(0, "/ro/x", "x", 1)));
  const int64_t before = ashlar_monotonic();
  ashlar_sleep(1000000);
  ashlar_print(ashlar_now() >= 5000000 ? "\nclock true" : "\nclock false");
  ashlar_print(ashlar_monotonic() - before >= 1000000 ? " true" : " false");
  uint8_t random[8];
  ashlar_random(random, sizeof random);
  ashlar_print("\nrandom ");
  for (int k = 0; k < 8; k++) {
    const char digits[3] = {"0123456789abcdef"[random[k] >> 4], "0123456789abcdef"[random[k] & 15], 0};
    ashlar_print(digits);
  }
  check(ashlar_read_all(ashlar_stdin(), -1, &text, &length), 30);
  if (text[length] != 0) check(ASHLAR_STATUS_OTHER, 31);
  text[5] = 0;
  ashlar_print("\nstdin ");
  number(length);
  ashlar_print(" ");
  ashlar_print(text);
  ashlar_ref bank;
  struct ashlar_bank_info_results info;
  struct ashlar_bank_request_results requested;
  struct ashlar_bank_state_results state;
  uint8_t window[4] = {0};
  uint32_t got;
  check(ashlar_open_slot(ASHLAR_BANK_TYPE_TILES, 5, &bank), 32);
  check(ashlar_bank_info(bank, &info), 33);
  ashlar_print("\nbank ");
  number((uint64_t)info.asset_id);
  ashlar_print(" ");
  number(info.bank_type);
  ashlar_print(" ");
  number(info.bytes);
  ashlar_print(" ");
  number(info.stored_bytes);
  ashlar_print(" ");
  number(info.metadata_bytes);
  check(ashlar_read_asset(bank, 2, window + 1, 3, &got), 34);
  ashlar_print("\ntiles ");
  for (uint32_t k = 0; k < got + 1; k++) {
    const char digits[3] = {"0123456789abcdef"[window[k] >> 4], "0123456789abcdef"[window[k] & 15], 0};
    ashlar_print(digits);
  }
  ashlar_print(" ");
  check(ashlar_asset_metadata(bank, &text, &length), 35);
  ashlar_print(text);
  check(ashlar_asset_size(bank, &size), 36);
  if (size != 8) check(ASHLAR_STATUS_OTHER, 37);
  check(ashlar_close_asset(bank), 38);
  ashlar_print("\npoem ");
  check(ashlar_open_asset(2, &bank), 39);
  check(ashlar_read_whole_asset(bank, &text, &length), 40);
  ashlar_print(text);
  check(ashlar_close_asset(bank), 41);
  ashlar_print("\nslot ");
  ashlar_print(ashlar_status_name(ashlar_open_slot(ASHLAR_BANK_TYPE_TEXT, 9, &bank)));
  check(ashlar_load_asset(2, 9), 42);
  check(ashlar_open_slot(ASHLAR_BANK_TYPE_TEXT, 9, &bank), 43);
  check(ashlar_bank_info(bank, &info), 44);
  ashlar_print("\nloaded ");
  number((uint64_t)info.asset_id);
  check(ashlar_close_asset(bank), 45);
  check(ashlar_bank_request(2, 10, &requested), 46);
  check(ashlar_bank_state(requested.load, &state), 47);
  ashlar_print("\ncommit ");
  ashlar_print(ashlar_status_name(ashlar_bank_commit(requested.load)));
  check(ashlar_bank_cancel(requested.load), 48);
  check(ashlar_bank_close(requested.load), 49);
  ashlar_print("\ndamaged ");
  ashlar_print(ashlar_status_name(ashlar_load_asset(3, 0)));
  struct ashlar_artifact_listing artifacts;
  struct ashlar_artifact_entry stored, last;
  ashlar_ref artifact, writer;
  struct ashlar_asl_info_results record;
  struct ashlar_key made, key;
  char key_text[ASHLAR_KEY_TEXT_ROOM];
  ashlar_list_artifacts(&artifacts);
  if (!ashlar_next_artifact(&artifacts, &stored)) check(ASHLAR_STATUS_OTHER, 50);
  if (ashlar_next_artifact(&artifacts, &last) || artifacts.status != ASHLAR_STATUS_OK) check(ASHLAR_STATUS_OTHER, 51);
  check(ashlar_open_artifact(&stored.key, &artifact), 52);
  check(ashlar_asl_info(artifact, 0, &record), 53);
  ashlar_print("\nstored ");
  number(stored.bytes);
  ashlar_print(" ");
  number(stored.type_tag);
  ashlar_print(" ");
  number(record.bytes);
  ashlar_print(" ");
  number(record.records);
  ashlar_print(" ");
  number(record.type_tag);
  check(ashlar_read_artifact(artifact, 3, window + 1, 3, &got), 54);
  ashlar_print("\nartifact ");
  for (uint32_t k = 0; k < got + 1; k++) {
    const char digits[3] = {"0123456789abcdef"[window[k] >> 4], "0123456789abcdef"[window[k] & 15], 0};
    ashlar_print(digits);
  }
  check(ashlar_read_whole_artifact(artifact, &text, &length), 55);
  ashlar_print(" ");
  ashlar_print(text);
  check(ashlar_close_artifact(artifact), 56);
  if (stored.flags != ASHLAR_ARTIFACT_HAS_TYPE_TAG) check(ASHLAR_STATUS_OTHER, 57);
  check(ashlar_put_artifact("made", 4, &made), 58);
  ashlar_key_text(&made, key_text);
  ashlar_print("\nmade ");
  ashlar_print(key_text);
  check(ashlar_open_named_artifact(key_text, &artifact), 59);
  check(ashlar_read_whole_artifact(artifact, &text, &length), 60);
  check(ashlar_asl_info(artifact, 0, &record), 61);
  ashlar_print("\nnamed ");
  ashlar_print(text);
  ashlar_print(record.has_type_tag ? " true" : " false");
  check(ashlar_close_artifact(artifact), 62);
  struct ashlar_asl_create_results created;
  check(ashlar_asl_create(7, 1, &created), 63);
  check(ashlar_write_artifact(created.writer, "tag", 3), 64);
  check(ashlar_write_artifact(created.writer, "ged", 3), 65);
  check(ashlar_asl_info(created.writer, 0, &record), 66);
  check(ashlar_artifact_size(created.writer, &size), 67);
  ashlar_print("\nwriter ");
  number(size);
  ashlar_print(" ");
  number(record.type_tag);
  check(ashlar_seal_artifact(created.writer, &key), 68);
  ashlar_print("\nkey ");
  number(key.length);
  ashlar_print("\nsealed ");
  ashlar_print(ashlar_status_name(ashlar_write_artifact(created.writer, "x", 1)));
  check(ashlar_close_artifact(created.writer), 69);
  check(ashlar_create_artifact(&writer), 70);
  check(ashlar_asl_abort(writer), 71);
  ashlar_print("\naborted ");
  ashlar_print(ashlar_status_name(ashlar_seal_artifact(writer, &key)));
  check(ashlar_close_artifact(writer), 72);
  made.bytes[5] ^= 1;
  ashlar_print("\nabsent ");
  ashlar_print(ashlar_status_name(ashlar_open_artifact(&made, &artifact)));
  ashlar_print("\nartifacts");
  ashlar_list_artifacts(&artifacts);
  while (ashlar_next_artifact(&artifacts, &stored)) {
    ashlar_print(" ");
    number(stored.bytes);
    ashlar_print(":");
    number(stored.type_tag);
  }
  ashlar_print_error("a line of errors\n");
  ashlar_log("a line of the log");
  ashlar_print(ashlar_sys_fuel_left() == UINT64_MAX ? "\nfuel true\n" : "\nfuel false\n");
  return code == 0 ? 7 : 100 + code;
}

ASHLAR_MAIN(tour)
