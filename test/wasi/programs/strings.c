/* Arguments and environment. */
#include "wasi.h"

program {
  u32 count = 0, bytes = 0;
  u8 *list[8], buffer[64];

  answers(SUCCESS, args_sizes_get, &count, &bytes);
  equals(count, 4);
  answers(SUCCESS, args_get, list, buffer);
  equals(list[0] - buffer, 0);
  equals(bytes, strlen((char *)list[0]) + 1 + sizeof "one" + sizeof "" + sizeof "dr\xc3\xa9i");
  equals(strcmp((char *)list[1], "one"), 0);
  equals(strcmp((char *)list[2], ""), 0);
  equals(strcmp((char *)list[3], "dr\xc3\xa9i"), 0);
  equals(list[3] + sizeof "dr\xc3\xa9i" - buffer, bytes);

  answers(SUCCESS, environ_sizes_get, &count, &bytes);
  equals(count, 3);
  equals(bytes, sizeof "HOME=/" + sizeof "EMPTY=" + sizeof "B=a=b");
  answers(SUCCESS, environ_get, list, buffer);
  equals(strcmp((char *)list[0], "HOME=/"), 0);
  equals(strcmp((char *)list[1], "EMPTY="), 0);
  equals(strcmp((char *)list[2], "B=a=b"), 0);
}
