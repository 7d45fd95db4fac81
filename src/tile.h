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

/* Whether tile_compute is the faster way on this processor. */
bool tile_suits(const TileProduct *p);

void tile_compute(const TileProduct *p);

#endif
