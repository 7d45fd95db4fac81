/*
** tile.h - matrix products in registers, mostly without the copies of its operands that OpenBLAS
** makes before it multiplies: for processors with AVX-512 or AVX2.
*/
#ifndef PERILUNE_TILE_H
#define PERILUNE_TILE_H

#include <stdbool.h>

#include "real.h"

/* C = op(A) op(B), or C + op(A) op(B), m x n x k, all stored by columns */
typedef struct TileProduct {
  int m;
  int n;
  int k;
  bool transposeA;
  bool transposeB;
  bool adds;
  const real *A;
  int lda;
  const real *B;
  int ldb;
  real *C;
  int ldc;
} TileProduct;

/* The kernels for one width of vectors */
typedef struct Tiles {
  /*
  ** Whether a product, m x n x k, is slower in OpenBLAS. One of A and B may be transposed, not
  ** both.
  */
  bool (*suit)(int m, int n, int k, bool transposeA);
  void (*compute)(const TileProduct *p);
  /* y = A^t x, or y + A^t x, A with k rows and `rows` columns, lda apart */
  void (*times_vector)(int rows, int k, const real *A, int lda, const real *x, bool adds, real *y);
  /* Blocks to cut a product into */
  int most_blocks;
  /* Columns of a block that is cut in their direction first */
  int least_cols;
} Tiles;

#if defined(__x86_64__) && defined(__GNUC__)
#define TILES_FOR_X86
extern const Tiles tiles_avx512;
extern const Tiles tiles_avx2;
#endif

/* Those of this processor, or NULL */
const Tiles *tiles_here(void);

#endif
