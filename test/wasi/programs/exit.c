/* The exit code. */
#include "wasi.h"

program {
  say(TEXT("bye"));
  wasi_proc_exit(200);
}
