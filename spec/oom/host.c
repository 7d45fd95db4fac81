/*
** host.c - a host whose memory runs out when a script says so: Lua with an allocator that counts,
** and a module "oom". usage: host SCRIPT [ARGUMENT...]; the exit status is the script's, or LEAKS
** where something was not given back.
*/

#include <dirent.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEAKS = 3 };

/*
** Lua collects its garbage and asks once more where a request fails. So one that fails alone is a
** collection at a bad moment, and two are an error; the handling of it may then find memory, or
** with ALWAYS none.
*/
typedef enum Mode { ONCE, TWICE, ALWAYS } Mode;

static const char *const mode_names[] = {"once", "twice", "always", NULL};

typedef struct Heap {
  size_t live;      // bytes
  bool is_limited;  // in oom.call
  Mode mode;
  lua_Integer count;   // requests for more memory in it
  lua_Integer failed;  // the first of them that fails, 0 for none
} Heap;

static Heap heap;

static bool fails(void) {
  heap.count++;
  lua_Integer later = heap.count - heap.failed;
  if (heap.failed == 0 || later < 0) return false;
  return heap.mode == ALWAYS || later <= (heap.mode == TWICE ? 1 : 0);
}

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  (void)context;
  if (block == NULL) old_size = 0;  // it was the kind of a new object
  if (size == 0) {
    free(block);
    heap.live -= old_size;
    return NULL;
  }
  if (heap.is_limited && size > old_size && fails()) return NULL;
  void *moved = realloc(block, size);
  if (moved != NULL) heap.live = heap.live - old_size + size;
  return moved;
}

/*
** call(k, mode, f, ...) --> count, ok, results: pcall(f, ...) in which the k-th request for memory
** fails, none for k = 0; and how many there were.
*/
static int oom_call(lua_State *L) {
  heap.failed = luaL_checkinteger(L, 1);
  heap.mode = (Mode)luaL_checkoption(L, 2, NULL, mode_names);
  heap.count = 0;
  heap.is_limited = true;
  int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
  heap.is_limited = false;
  luaL_checkstack(L, 1, NULL);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 2);
  lua_pushinteger(L, heap.count);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/* fork() --> 0 in the new process, its number in the old one */
static int oom_fork(lua_State *L) {
  fflush(NULL);  // or both would write what is still in a buffer
  pid_t process = fork();
  if (process < 0) return luaL_error(L, "no process can be started");
  lua_pushinteger(L, process);
  return 1;
}

/* wait(process) --> exit status, or minus the signal that ended it */
static int oom_wait(lua_State *L) {
  int status = 0;
  if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0) {
    return luaL_error(L, "no such process");
  }
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  return 1;
}

/* alarm(seconds): a signal then ends the process */
static int oom_alarm(lua_State *L) {
  alarm((unsigned)luaL_checkinteger(L, 1));
  return 0;
}

static const luaL_Reg functions[] = {
  {"alarm", oom_alarm},
  {"call",  oom_call },
  {"fork",  oom_fork },
  {"wait",  oom_wait },
  {NULL,    NULL     },
};

static int open_oom(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* run(arguments, count) --> exit status */
static int run(lua_State *L) {
  const char **arguments = lua_touserdata(L, 1);
  int count = (int)lua_tointeger(L, 2);
  luaL_openlibs(L);
  luaL_requiref(L, "oom", open_oom, 0);
  lua_settop(L, 0);
  lua_pushcfunction(L, traceback);
  if (luaL_loadfile(L, arguments[1]) != LUA_OK) return lua_error(L);
  for (int k = 2; k < count; k++) lua_pushstring(L, arguments[k]);
  if (lua_pcall(L, count - 2, 1, 1) != LUA_OK) return lua_error(L);
  return 1;
}

/* Open files, where the system lists them */
static int count_files(void) {
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  int count = 0;
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static int files_at_first = 0;

/* At the end of a process in which memory ran out, when its Lua state is closed */
static void check_leaks(void) {
  int files = count_files() - files_at_first;
  if (heap.count == 0 || (heap.live == 0 && files <= 0)) return;
  fprintf(stderr, "not given back: %zu bytes, %d files\n", heap.live, files);
  fflush(NULL);
  _exit(LEAKS);
}

int main(int count, char **arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: %s SCRIPT [ARGUMENT...]\n", arguments[0]);
    return EXIT_FAILURE;
  }
  files_at_first = count_files();
  if (atexit(check_leaks) != 0) return EXIT_FAILURE;
#if LUA_VERSION_NUM >= 505
  lua_State *L = lua_newstate(allocate, NULL, 1);
#else
  lua_State *L = lua_newstate(allocate, NULL);
#endif
  if (L == NULL) return EXIT_FAILURE;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, arguments);
  lua_pushinteger(L, count);
  int status = EXIT_FAILURE;
  if (lua_pcall(L, 2, 1, 0) == LUA_OK) {
    status = (int)lua_tointeger(L, -1);
  } else {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  }
  lua_close(L);
  return status;
}
