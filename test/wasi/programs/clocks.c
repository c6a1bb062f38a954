/* Clocks, waiting and randomness. */
#include "wasi.h"

#define SECOND 1000000000ull

static __wasi_subscription_t clock(u64 userdata, u32 id, u64 timeout, u32 flags) {
  __wasi_subscription_t one = {.userdata = userdata, .u.tag = __WASI_EVENTTYPE_CLOCK};
  one.u.u.clock = (__wasi_subscription_clock_t){.id = id, .timeout = timeout, .flags = flags};
  return one;
}

static __wasi_subscription_t readable(u64 userdata, u32 fd, u32 type) {
  __wasi_subscription_t one = {.userdata = userdata, .u.tag = type};
  one.u.u.fd_read.file_descriptor = fd;
  return one;
}

program {
  u64 resolution = 0, first = 0, second = 0, day = 0;
  for (u32 id = 0; id < 2; id++) {
    resolution = 0;
    answers(SUCCESS, clock_res_get, id, &resolution);
    equals(resolution > 0, 1);
  }
  answers(INVAL, clock_res_get, 4, &resolution);
  answers(INVAL, clock_time_get, 4, 0, &first);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_REALTIME, 0, &day);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &first);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, SECOND, &second);
  equals(second > first, 1);
  answers(SUCCESS, sched_yield);

  /* Waiting ends at the earliest timeout, and no other one has come. */
  __wasi_subscription_t in[4] = {clock(1, __WASI_CLOCKID_MONOTONIC, SECOND / 10, 0),
                                 clock(2, __WASI_CLOCKID_REALTIME, SECOND / 100, 0)};
  __wasi_event_t out[4];
  u32 count = 99;
  memset(out, 0xff, sizeof out);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &first);
  answers(SUCCESS, poll_oneoff, in, out, 2, &count);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &second);
  equals(count, 1);
  equals(out[0].userdata, 2);
  equals(out[0].error, __WASI_ERRNO_SUCCESS);
  equals(out[0].type, __WASI_EVENTTYPE_CLOCK);
  equals(out[0].fd_readwrite.nbytes, 0);
  equals(out[0].fd_readwrite.flags, 0);
  equals(out[1].userdata, -1);
  equals(second - first >= SECOND / 100, 1);
  equals(second - first < SECOND / 10, 1);

  /* A moment, and one that has been. */
  in[0] = clock(3, __WASI_CLOCKID_MONOTONIC, second + SECOND / 100, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
  answers(SUCCESS, poll_oneoff, in, out, 1, &count);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &first);
  equals(first >= second + SECOND / 100, 1);
  in[0] = clock(4, __WASI_CLOCKID_REALTIME, day, __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME);
  answers(SUCCESS, poll_oneoff, in, out, 1, &count);
  equals(count, 1);
  equals(out[0].userdata, 4);

  /* What cannot be waited for is told at once, of each subscription by itself. */
  in[0] = clock(5, 9, SECOND, 0);
  in[1] = readable(6, 77, __WASI_EVENTTYPE_FD_READ);
  in[2] = clock(7, __WASI_CLOCKID_MONOTONIC, 100 * SECOND, 0);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &first);
  answers(SUCCESS, poll_oneoff, in, out, 3, &count);
  answers(SUCCESS, clock_time_get, __WASI_CLOCKID_MONOTONIC, 0, &second);
  equals(second - first < SECOND, 1);
  equals(count, 2);
  equals(out[0].userdata, 5);
  equals(out[0].error, __WASI_ERRNO_INVAL);
  equals(out[1].userdata, 6);
  equals(out[1].error, __WASI_ERRNO_BADF);
  equals(out[1].type, __WASI_EVENTTYPE_FD_READ);

  /* Streams and files are ready. */
  in[0] = readable(8, STDOUT, __WASI_EVENTTYPE_FD_WRITE);
  in[1] = readable(9, STDIN, __WASI_EVENTTYPE_FD_READ);
  in[2] = clock(10, __WASI_CLOCKID_MONOTONIC, 100 * SECOND, 0);
  answers(SUCCESS, poll_oneoff, in, out, 3, &count);
  equals(count, 2);
  equals(out[0].userdata, 8);
  equals(out[1].userdata, 9);
  in[0].u.tag = 3;
  answers(SUCCESS, poll_oneoff, in, out, 1, &count);
  equals(count, 1);
  equals(out[0].error, __WASI_ERRNO_INVAL);
  answers(INVAL, poll_oneoff, in, out, 0, &count);

  u8 random[40] = {0}, other[40] = {0};
  answers(SUCCESS, random_get, random, 0);
  equals(random[0], 0);
  answers(SUCCESS, random_get, random, 32);
  answers(SUCCESS, random_get, other, 32);
  equals(memcmp(random, other, 32) != 0, 1);
  equals(random[32], 0);
  answers(NOSYS, proc_raise, 15);
}
