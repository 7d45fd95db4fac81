/*
** states.c - Lua states as a host may have them, many at once or one with a cap on its memory, and
** a look into OpenBLAS: functions that Lua's package.loadlib finds.
*/
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64, MOST_ROUNDS = 8, LONGEST = 256 };

int together(lua_State *L);
int capped(lua_State *L);
int ask(lua_State *L);

/*
** What `script` returns, as a string, or raises. Nothing of another state is used, so that it may
** be called in any thread.
*/
static bool run(lua_State *L, const char *script, char result[LONGEST]) {
  luaL_openlibs(L);
  bool is_ok = luaL_loadstring(L, script) == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_OK;
  const char *text = lua_tostring(L, -1);
  strncpy(result, text == NULL ? "neither a string nor a number" : text, LONGEST - 1);
  return is_ok;
}

typedef struct Thread {
  pthread_t id;
  pthread_barrier_t *start;
  const char *script;
  int rounds;
  char results[MOST_ROUNDS][LONGEST];
} Thread;

static void *run_states(void *argument) {
  Thread *thread = argument;
  pthread_barrier_wait(thread->start);
  for (int round = 0; round < thread->rounds; round++) {
    lua_State *L = luaL_newstate();
    if (L == NULL) continue;
    run(L, thread->script, thread->results[round]);
    lua_close(L);
  }
  return NULL;
}

/*
** together(script, threads, rounds) --> a table of what each state returned or raised: as many
** threads begin at once, and each runs the script in so many states, one after the other.
*/
int together(lua_State *L) {
  const char *script = luaL_checkstring(L, 1);
  lua_Integer count = luaL_checkinteger(L, 2);
  lua_Integer rounds = luaL_checkinteger(L, 3);
  luaL_argcheck(L, count >= 1 && count <= MOST_THREADS, 2, "too many");
  luaL_argcheck(L, rounds >= 1 && rounds <= MOST_ROUNDS, 3, "too many");
  Thread *threads = lua_newuserdatauv(L, (size_t)count * sizeof(Thread), 0);
  memset(threads, 0, (size_t)count * sizeof(Thread));
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)count);
  for (int k = 0; k < count; k++) {
    threads[k].start = &start;
    threads[k].script = script;
    threads[k].rounds = (int)rounds;
    if (pthread_create(&threads[k].id, NULL, run_states, &threads[k]) != 0) abort();
  }
  for (int k = 0; k < count; k++) pthread_join(threads[k].id, NULL);
  pthread_barrier_destroy(&start);

  lua_newtable(L);
  for (int k = 0; k < count * rounds; k++) {
    lua_pushstring(L, threads[k / rounds].results[k % rounds]);
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

typedef struct Cap {
  size_t most;  // bytes
  size_t live;
  size_t highest;
} Cap;

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  Cap *cap = context;
  if (block == NULL) old_size = 0;  // it was the kind of a new object
  if (size == 0) {
    free(block);
    cap->live -= old_size;
    return NULL;
  }
  if (cap->live - old_size + size > cap->most) return NULL;
  void *moved = realloc(block, size);
  if (moved == NULL) return NULL;
  cap->live = cap->live - old_size + size;
  if (cap->live > cap->highest) cap->highest = cap->live;
  return moved;
}

/*
** capped(script, bytes) --> ok, what the script returned or raised, the most bytes that its state
** had at a time, and those that it had not given back when it was closed.
*/
int capped(lua_State *L) {
  const char *script = luaL_checkstring(L, 1);
  Cap cap = {.most = (size_t)luaL_checkinteger(L, 2)};
  char result[LONGEST] = "";
#if LUA_VERSION_NUM >= 505
  lua_State *inner = lua_newstate(allocate, &cap, 1);
#else
  lua_State *inner = lua_newstate(allocate, &cap);
#endif
  if (inner == NULL) return luaL_error(L, "no state can be made of so few bytes");
  bool is_ok = run(inner, script, result);
  lua_close(inner);
  lua_pushboolean(L, is_ok);
  lua_pushstring(L, result);
  lua_pushinteger(L, (lua_Integer)cap.highest);
  lua_pushinteger(L, (lua_Integer)cap.live);
  return 4;
}

/* ask(path, name) --> what the function of that name gives, of a library that is loaded already */
int ask(lua_State *L) {
  void *library = dlopen(luaL_checkstring(L, 1), RTLD_NOW | RTLD_NOLOAD);
  if (library == NULL) return luaL_error(L, "%s", dlerror());
  int (*function)(void) = NULL;
  void *symbol = dlsym(library, luaL_checkstring(L, 2));
  if (symbol == NULL) return luaL_error(L, "%s", dlerror());
  memcpy(&function, &symbol, sizeof function);  // C knows no conversion between the two
  lua_pushinteger(L, function());
  return 1;
}
