/* Put in front of SQLite's files: what its module for Unix and its shell name and wasi-libc lacks. */
#ifndef SQLITE_WASI_H
#define SQLITE_WASI_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files have no owners and no modes: a change of them is left out, as SQLite itself does where it may not make one. */
static inline int fchmod(int file, mode_t mode) { return (void)file, (void)mode, 0; }
static inline int fchown(int file, uid_t owner, gid_t group) { return (void)file, (void)owner, (void)group, 0; }
static inline int chmod(const char *path, mode_t mode) { return (void)path, (void)mode, 0; }
static inline uid_t geteuid(void) { return 1; }

/* Locks of files: fcntl refuses these, so `unix-none`, which asks for none, is the default. */
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_GETLK 12
#define F_SETLK 13
#define SQLITE_DEFAULT_UNIX_VFS "unix-none"

#endif
