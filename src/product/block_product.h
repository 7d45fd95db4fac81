/*
** block_product.h - what is to be multiplied for one block of a product.
*/
#ifndef PERILUNE_BLOCK_PRODUCT_H
#define PERILUNE_BLOCK_PRODUCT_H

#include <stdbool.h>

#include "real.h"

/* C = op(A) op(B), or C + op(A) op(B), m x n x k, all stored by columns */
typedef struct BlockProduct {
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
} BlockProduct;

#endif
