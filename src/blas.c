/*
** blas.c - makes sure that there is room for OpenBLAS, and loads it.
**
** Problem: built with threads of its own, OpenBLAS starts one for each further processor as soon as
** it is loaded, and maps a buffer for each; any build maps another buffer for each thread that
** calls it. Where it cannot map one it tries for ever: under a limit on address space a host would
** hang in `require`, in a product, or at its exit. Rule: the module that is linked with OpenBLAS
** (openblas.c) is loaded by the first product that needs it, and not before there is room for all
** the buffers.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // dladdr
#endif

#include "blas.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The buffer of a thread, which is 128 MiB, and the thread's stack */
#define BUFFER ((size_t)136 << 20)

/* OpenBLAS itself and the libraries that it needs */
#define LIBRARIES ((size_t)48 << 20)

/* Of the registry: the path of the module that is linked with OpenBLAS */
static const char module_path[] = "perilune.openblas";

void blas_open(lua_State *L) {
  Dl_info self;
  char path[PATH_MAX];
  if (dladdr(module_path, &self) == 0 || realpath(self.dli_fname, path) == NULL) {
    return;  // then OpenBLAS is looked for in the program itself
  }
  size_t folder = (size_t)(strrchr(path, '/') + 1 - path);
  lua_pushlstring(L, path, folder);
  lua_pushliteral(L, "openblas.so");
  lua_concat(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, module_path);
}

/* Threads of OpenBLAS's own that map a buffer as it is loaded, at most */
static size_t own_threads(void) {
#ifdef OPENBLAS_SERIAL
  return 0;
#else
  return (size_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

static bool has_room(size_t bytes) {
  void *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return false;
  munmap(room, bytes);
  return true;
}

static const Blas *load(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, module_path);
  void *module = dlopen(lua_tostring(L, -1), RTLD_NOW | RTLD_LOCAL);
  const Blas *blas = module == NULL ? NULL : dlsym(module, "perilune_blas");
  if (blas == NULL) {
    luaL_error(L, "OpenBLAS cannot be loaded: %s", dlerror());
    return NULL;  // never reached: for static analysis
  }
  lua_pop(L, 1);
  blas->keep_to_one_thread();
  return blas;
}

const Blas *blas_check(lua_State *L, const Blas *blas, int threads) {
  size_t bytes = BUFFER * (size_t)threads;
  if (blas == NULL) bytes += LIBRARIES + BUFFER * own_threads();
  if (!has_room(bytes)) {
    luaL_error(L, "not enough memory: OpenBLAS needs %d MiB of address space (threads: %d)",
               (int)(bytes >> 20), threads);
  }
  return blas == NULL ? load(L) : blas;
}
