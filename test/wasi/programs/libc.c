/* The same through wasi-libc, as programs in C meet it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  must(argc == 2 && strcmp(argv[1], "text") == 0, "arguments");
  must(strcmp(getenv("NAME"), "value") == 0, "environment");
  char line[32];
  FILE *file = fopen(argv[1], "r+");
  must(file != NULL, "open");
  must(fgets(line, sizeof line, file) != NULL && strcmp(line, "0123456789") == 0, "read");
  must(fprintf(file, " and %d", 42) == 7 && fclose(file) == 0, "write");
  struct stat stat_;
  must(stat("/text", &stat_) == 0 && S_ISREG(stat_.st_mode) && stat_.st_size == 17, "stat");
  must(stat("nothing", &stat_) == -1 && errno == ENOENT, "stat of nothing");
  must(mkdir("new", 0777) == 0 && chdir("new") == 0, "directories");
  must(symlink("../text", "link") == 0 && access("link", R_OK) == 0, "link");
  must(chdir("/") == 0 && rename("new/link", "moved") == 0 && rmdir("new") == 0, "rename");
  must(open("../outside", O_RDONLY) == -1, "confinement");

  DIR *directory = opendir(".");
  must(directory != NULL, "list");
  int names = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) names++;
  must(closedir(directory) == 0 && names == 5, "names");

  struct timespec before, after, wait = {1, 500};
  must(clock_gettime(CLOCK_REALTIME, &before) == 0 && nanosleep(&wait, NULL) == 0, "wait");
  must(clock_gettime(CLOCK_REALTIME, &after) == 0 && after.tv_sec > before.tv_sec, "clock");
  struct pollfd in = {.fd = 0, .events = POLLIN};
  must(poll(&in, 1, 1000) == 1 && getchar() == 'x', "standard input");
  unsigned char random[16] = {0}, zero[16] = {0};
  must(getentropy(random, sizeof random) == 0 && memcmp(random, zero, sizeof zero) != 0, "randomness");
  puts("done");
  return 7;
}
