/** Numbers of WASI preview 1, as in its documentation; those of errors stand in `errno.ts`. */

export const Filetype = { UNKNOWN: 0, CHARACTER_DEVICE: 2, DIRECTORY: 3, REGULAR_FILE: 4, SYMBOLIC_LINK: 7 } as const;

export const Fdflag = { APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 } as const;
export const ALL_FDFLAGS = 31;

export const Oflag = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;
export const ALL_OFLAGS = 15;

export const SYMLINK_FOLLOW = 1;

export const Fstflag = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8 } as const;
export const ALL_FSTFLAGS = 15;

export const Whence = { SET: 0, CUR: 1, END: 2 } as const;

export const Clock = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3 } as const;

export const MOST_ADVICE = 5;

/** Kinds of subscription and event. */
export const Eventtype = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;
/** Of a clock's subscription: its timeout is a time of day, not a duration. */
export const ABSTIME = 1;

export const Right = { FD_READ: 0x2, FD_WRITE: 0x40 } as const;

const bits = (...numbers: readonly number[]): number => numbers.reduce((sum, bit) => sum | (1 << bit), 0);

/** Everything about a file: datasync, read, seek, set_flags, sync, tell, write, advise, allocate, filestat, poll. */
export const FILE_RIGHTS: number = bits(0, 1, 2, 3, 4, 5, 6, 7, 8, 21, 22, 23, 27);
/** What is done with paths in a directory, and itself. It is not read, written or sought. */
export const DIRECTORY_RIGHTS: number = bits(0, 4, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 23, 24, 25, 26);
/** Of the standard streams. */
export const STREAM_RIGHTS: number = bits(1, 3, 6, 21, 27);

/** Bytes of the structures in a program's memory. */
export const IOVEC_BYTES = 8;
export const FDSTAT_BYTES = 24;
export const FILESTAT_BYTES = 64;
export const PRESTAT_BYTES = 8;
export const DIRENT_BYTES = 24;
export const SUBSCRIPTION_BYTES = 48;
export const EVENT_BYTES = 32;
