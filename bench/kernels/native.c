// The native form of a kernel: `kernel N CALLS` calls run(N) so often and prints what it answers and the fastest call in ns.
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

RESULT run(int n);

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const int n = atoi(arguments[1]), calls = atoi(arguments[2]);
  long long result = 0, best = 0;
  for (int i = 0; i < calls; i++) {
    const long long start = now();
    result = run(n);
    const long long taken = now() - start;
    if (i == 0 || taken < best) best = taken;
  }
  printf("%lld %lld\n", result, best);
  return 0;
}
