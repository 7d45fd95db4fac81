/*
** tile.h - matrix products in registers, without the copies of its operands that OpenBLAS makes before it multiplies:
** for processors with AVX-512.
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

/* Whether this processor has tiles. */
bool tile_exists(void);

/* One of A and B may be transposed, not both. */
void tile_compute(const TileProduct *p);

/* y = A^t x, A with k rows and `rows` columns, lda apart. */
void tile_times_vector(int rows, int k, const real *A, int lda, const real *x, real *y);

#endif
