/* SQLite's shell asks here for the user's home; there are no users. */
#include <stddef.h>
#include <sys/types.h>

struct passwd {
  char *pw_dir;
};
static inline uid_t getuid(void) { return 1; }
static inline struct passwd *getpwuid(uid_t user) { return (void)user, NULL; }
