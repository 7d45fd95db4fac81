/*
** tiles.c - which tiles this processor has
*/
#include "product/tiles.h"

#include <stddef.h>

/* Bytes of the widest vectors: less, to test what other processors run. */
#ifndef WIDEST_TILES
#define WIDEST_TILES 64
#endif

const TileSet *tiles_here(void) {
#ifdef TILES_FOR_X86
  if (WIDEST_TILES >= 64 && __builtin_cpu_supports("avx512f")) return &tiles_avx512;
  if (WIDEST_TILES >= 32 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return &tiles_avx2;
  }
#endif
  return NULL;
}
