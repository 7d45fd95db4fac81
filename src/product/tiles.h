/*
** tiles.h - matrix products in registers, without the copies of its operands that OpenBLAS makes
** before it multiplies, or with smaller ones. A tile is a small rectangle of C whose sums are all
** kept in vector registers. What a processor can hold, and how much its caches do, differs: each
** instruction set has a file of its own (tiles_avx512.c, tiles_avx2.c) with all its numbers.
**
** Another instruction set, such as NEON, is one more such file (kernels.h lists what it defines),
** its TileSet below, and a line in tiles.c.
*/
#ifndef PERILUNE_TILES_H
#define PERILUNE_TILES_H

#include <stddef.h>

#include "product/block_product.h"

/* The kernels of one instruction set */
typedef struct TileSet {
  /*
  ** Whether a product, m x n x k, is slower in OpenBLAS. One of A and B may be transposed, not
  ** both.
  */
  bool (*suit)(int m, int n, int k, bool transposeA);
  /* Bytes of memory that `compute` needs for a block of such a product, on each thread; often 0 */
  size_t (*scratch)(int m, int n, int k, bool transposeA);
  /* `scratch` begins where a cache line does; or it is NULL, and nothing is copied there. */
  void (*compute)(const BlockProduct *p, real *scratch);
  /* y = A^t x, or y + A^t x, A with k rows and `rows` columns, lda apart */
  void (*times_vector)(int rows, int k, const real *A, int lda, const real *x, bool adds, real *y);
  /* Blocks to cut a product into */
  int most_blocks;
  /* Columns of a block that is cut in their direction first */
  int least_cols;
} TileSet;

#if defined(__x86_64__) && defined(__GNUC__)
#define TILES_FOR_X86
extern const TileSet tiles_avx512;
extern const TileSet tiles_avx2;
#endif

/* Those of this processor, or NULL */
const TileSet *tiles_here(void);

#endif
