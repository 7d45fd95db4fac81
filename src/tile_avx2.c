/*
** tile_avx2.c - matrix products in registers, with the vectors of AVX2
*/
#include "tile.h"

#ifdef TILES_FOR_X86

#define LANES_BYTES 32
#define TILES       tiles_avx2
#include "tile_kernels.h"

#endif
