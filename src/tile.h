/*
** tile.h - small matrix products, in registers: OpenBLAS copies its operands before it multiplies, which takes
** as long as the product itself where that is small.
*/
#ifndef PERILUNE_TILE_H
#define PERILUNE_TILE_H

#include <stdbool.h>

#include "real.h"

/* C = op(A) op(B), m x n x k, all stored by columns */
typedef struct TileProduct {
  int m;
  int n;
  int k;
  bool transposeA;
  bool transposeB;
  const real *A;
  int lda;
  const real *B;
  int ldb;
  real *C;
  int ldc;
} TileProduct;

/* Multiplications up to which tiles find their operands in the cache */
#define MAX_TILES (1 << 24)

/* Whether this processor has tiles at all. */
bool tile_exists(void);

/* Whether tile_compute is the faster way on this processor, where OpenBLAS uses AVX-512 or does not. */
bool tile_suits(const TileProduct *p, bool blas_is_wide);

void tile_compute(const TileProduct *p);

#endif
