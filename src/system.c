/*
** system.c - what Lua cannot ask of the operating system: a clock, terminals, processors, Ctrl-C,
** new files with permissions, and that data reach the disk. A module of its own: it knows no
** matrices.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // sched_getaffinity
#endif

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_perilune_core_system(lua_State *L);

/* All that a signal handler may look at: no Lua value is safe from a collection at any moment. */
static volatile sig_atomic_t interrupted = 0;
static char answer[160];
static size_t answer_length = 0;
static bool ends = false;

static void hear_interrupt(int signal_number) {
  interrupted = 1;
  signal(signal_number, SIG_DFL);  // the second one ends the process
  bool is_written = answer_length > 0 && write(STDERR_FILENO, answer, answer_length) >= 0;
  (void)is_written;  // whom should it tell?
  if (ends) raise(signal_number);
}

static FILE *check_file(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  luaL_argcheck(L, stream->closef != NULL, 1, "open file expected, got a closed one");
  return stream->f;
}

/* clock() --> seconds since some moment in the past */
static int system_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
  return 1;
}

#if defined(__linux__)

/*
** The first of the processors that share this one's core: this one, where the system does not say
*/
static size_t first_of_core(size_t processor) {
  char path[80];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
           processor);
  FILE *file = fopen(path, "re");
  if (file == NULL) return processor;
  char siblings[16] = "";  // "3,11", "6-7"
  const char *read = fgets(siblings, sizeof siblings, file);
  fclose(file);
  char *end = siblings;
  size_t first = read == NULL ? 0 : strtoul(siblings, &end, 10);
  return end == siblings ? processor : first;
}

static long count_cores(const cpu_set_t *allowed) {
  long count = 0;
  for (size_t processor = 0; processor < CPU_SETSIZE; processor++) {
    if (!CPU_ISSET(processor, allowed)) continue;
    size_t first = first_of_core(processor);
    if (first >= processor || !CPU_ISSET(first, allowed)) count++;
  }
  return count;
}

#endif

/* processors() --> count, those that share a core counted as one */
static int system_processors(lua_State *L) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) count = count_cores(&allowed);
#endif
  lua_pushinteger(L, count < 1 ? 1 : count);
  return 1;
}

/* isatty(file) --> boolean */
static int system_isatty(lua_State *L) {
  lua_pushboolean(L, isatty(fileno(check_file(L))));
  return 1;
}

static int close_created(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return luaL_fileresult(L, fclose(stream->f) == 0, NULL);
}

/*
** create(path [, permissions]) --> file open for writing, or nil and a message. What has the name
** already is refused, a link as well: io.open would empty it, or the file it leads to. permissions
** are the nine bits of chmod, 0 to 511; without them it is the process's umask that decides, as for
** every new file.
*/
static int system_create(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_Integer permissions = luaL_optinteger(L, 2, -1);
  luaL_argcheck(L, lua_isnoneornil(L, 2) || (permissions >= 0 && permissions <= 0777), 2,
                "permissions of 0 to 511 expected");
  luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
  stream->closef = NULL;  // a closed file until there is an open one
  luaL_setmetatable(L, LUA_FILEHANDLE);

  mode_t mode = permissions < 0 ? 0666 : (mode_t)permissions;
  int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0) return luaL_fileresult(L, 0, path);
  bool has_mode = permissions < 0 || fchmod(descriptor, mode) == 0;
  stream->f = has_mode ? fdopen(descriptor, "wb") : NULL;
  if (stream->f == NULL) {
    int reason = errno;
    close(descriptor);
    unlink(path);
    errno = reason;
    return luaL_fileresult(L, 0, path);
  }
  stream->closef = close_created;
  return 1;
}

/* sync(file) --> true, or nil and a message */
static int system_sync(lua_State *L) {
  FILE *file = check_file(L);
  return luaL_fileresult(L, fflush(file) == 0 && fsync(fileno(file)) == 0, NULL);
}

/* sync_directory(path) --> true, or nil and a message */
static int system_sync_directory(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return luaL_fileresult(L, 0, path);
  int failed = fsync(directory);
  int reason = errno;
  close(directory);
  errno = reason;
  return luaL_fileresult(L, failed == 0, path);
}

/*
** catch_interrupt([words [, ends]]): the next SIGINT writes words to stderr and ends the process at
** once, or without `ends` only sets a flag.
*/
static int system_catch_interrupt(lua_State *L) {
  size_t length;
  const char *words = luaL_optlstring(L, 1, "", &length);
  luaL_argcheck(L, length <= sizeof answer, 1,
                lua_pushfstring(L, "at most %d bytes expected", (int)sizeof answer));
  signal(SIGINT, SIG_DFL);  // while the handler's data change
  memcpy(answer, words, length);
  answer_length = length;
  ends = lua_toboolean(L, 2);
  interrupted = 0;
  signal(SIGINT, hear_interrupt);
  return 0;
}

/* interrupted() --> boolean */
static int system_interrupted(lua_State *L) {
  lua_pushboolean(L, interrupted != 0);
  return 1;
}

static const luaL_Reg functions[] = {
  {"catch_interrupt", system_catch_interrupt},
  {"clock",           system_clock          },
  {"create",          system_create         },
  {"interrupted",     system_interrupted    },
  {"isatty",          system_isatty         },
  {"processors",      system_processors     },
  {"sync",            system_sync           },
  {"sync_directory",  system_sync_directory },
  {NULL,              NULL                  },
};

int luaopen_perilune_core_system(lua_State *L) {
  luaL_checkversion(L);
  luaL_newlib(L, functions);
  return 1;
}
