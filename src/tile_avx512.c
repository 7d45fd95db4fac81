/*
** tile_avx512.c - matrix products in registers, with the vectors of AVX-512
*/
#include "tile.h"

#ifdef TILES_FOR_X86

#define LANES_BYTES 64
#define TILES       tiles_avx512
#include "tile_kernels.h"

#endif
