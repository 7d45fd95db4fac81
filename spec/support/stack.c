/*
** How much C stack a call needs, for Lua's package.loadlib: a thread calls it on a stack that was
** painted before, while the caller waits.
*/
#define _GNU_SOURCE  // MAP_ANONYMOUS
#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { PAINT = 0xA5, GUARD = 65536 };

typedef struct Call {
  lua_State *L;
  int status;
} Call;

int needed(lua_State *L);

static void *run(void *context) {
  Call *call = context;
  call->status = lua_pcall(call->L, 0, 0, 0);
  return NULL;
}

/* needed(bytes, f) --> bytes of the stack that f() used, the thread's own included; raises what f
   raises. A stack that is too small ends the process. */
int needed(lua_State *L) {
  size_t size = (size_t)luaL_checkinteger(L, 1);
  lua_settop(L, 2);
  unsigned char *memory =
    mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, GUARD, PROT_NONE) != 0)
    return luaL_error(L, "no memory for a stack");
  unsigned char *stack = memory + GUARD;
  memset(stack, PAINT, size);

  Call call = {.L = L};
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = pthread_attr_setstack(&attributes, stack, size);
  if (error == 0) error = pthread_create(&thread, &attributes, run, &call);
  pthread_attr_destroy(&attributes);
  if (error == 0) error = pthread_join(thread, NULL);

  size_t free = 0;
  while (free < size && stack[free] == PAINT) free++;
  munmap(memory, GUARD + size);
  if (error != 0) return luaL_error(L, "no thread of so small a stack: %s", strerror(error));
  if (call.status != LUA_OK) return lua_error(L);
  lua_pushinteger(L, (lua_Integer)(size - free));
  return 1;
}
