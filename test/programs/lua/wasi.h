/*
 * Put in front of each of Lua's files: what wasi-libc lacks.
 *
 * Errors. There is no setjmp, so errors go up as binaryen's asyncify does it: once `start_unwind` was called, each function
 * that it has rewritten returns at once. The one that catches calls `stop_unwind` and goes on. Nothing is ever called again
 * to go back down, so what was saved on the way up is not read.
 */
#ifndef LUA_WASI_H
#define LUA_WASI_H

#include <stdio.h>
#include <stdlib.h>

struct lua_State;

/* Neither must be inlined: asyncify leaves functions alone that call these imports, and must rewrite those around them. */
void lua_wasi_throw(void);
void lua_wasi_try(struct lua_State *L, void (*function)(struct lua_State *, void *), void *argument);

#define luai_jmpbuf int
#define LUAI_THROW(L, c) (lua_wasi_throw(), __builtin_unreachable())
/* The only use is in luaD_rawrunprotected, whose own parameters these are. */
#define LUAI_TRY(L, c, a) lua_wasi_try(L, f, ud);

#include <unistd.h>
#define lua_stdin_is_tty() isatty(0)

/* No temporary files and no other programs. */
#define LUA_TMPNAMBUFSIZE 1
#define lua_tmpnam(buffer, error) ((error) = 1, (void)(buffer))
#undef system
#define system(command) ((command) == NULL ? 0 : -1)
#undef tmpfile
#define tmpfile() ((FILE *)NULL)

#endif
