/* No descriptor is a socket. */
#include "wasi.h"

static void no_socket(u32 fd) {
  u8 buffer[4] = {0};
  u32 count;
  u16 flags;
  __wasi_iovec_t into = {buffer, sizeof buffer};
  __wasi_ciovec_t from = {buffer, sizeof buffer};
  answers(NOTSOCK, sock_accept, fd, 0, &count);
  answers(NOTSOCK, sock_recv, fd, &into, 1, 0, &count, &flags);
  answers(NOTSOCK, sock_send, fd, &from, 1, 0, &count);
  answers(NOTSOCK, sock_shutdown, fd, __WASI_SDFLAGS_WR);
}

program {
  no_socket(STDIN);
  no_socket(STDERR);
  no_socket(ROOT);
  no_socket(opened(ROOT, "f", CREAT, READ | WRITE, 0));
}
