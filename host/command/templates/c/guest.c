/** Tells the size of each file that it is given. */
#include "ashlar.h"

static int guest(int count, char **arguments) {
  if (count == 0) ashlar_print("Hello from a guest! Give it paths of files.\n");
  int code = 0;
  for (int k = 0; k < count; k++) {
    struct ashlar_fs_stat_results stat;
    const ashlar_status status = ashlar_stat(0, arguments[k], 0, &stat);
    if (status == ASHLAR_STATUS_OK) {
      char bytes[21];
      ashlar_decimal(bytes, stat.bytes);
      ashlar_print(arguments[k]);
      ashlar_print(": ");
      ashlar_print(bytes);
      ashlar_print(" bytes\n");
    } else {
      ashlar_print_error(arguments[k]);
      ashlar_print_error(": ");
      ashlar_print_error(ashlar_status_name(status));
      ashlar_print_error("\n");
      code = 1;
    }
  }
  return code;
}

ASHLAR_MAIN(guest)
