/* Throwing and catching, for wasi.h. */
#include "wasi.h"

__attribute__((import_module("asyncify"), import_name("start_unwind"))) void start_unwind(void *stack);
__attribute__((import_module("asyncify"), import_name("stop_unwind"))) void stop_unwind(void);

/* Where asyncify saves the locals of each function that it leaves: room for Lua's deepest recursion. */
static char saved[1 << 20];
static struct {
  char *next, *end;
} stack;
static int unwinding;

void lua_wasi_throw(void) {
  stack.next = saved;
  stack.end = saved + sizeof saved;
  unwinding = 1;
  start_unwind(&stack);
}

void lua_wasi_try(struct lua_State *L, void (*function)(struct lua_State *, void *), void *argument) {
  function(L, argument);
  if (!unwinding) return;
  unwinding = 0;
  stop_unwind();
}
