/*
** product.h - matrix products, cut into blocks that threads can share.
** The blocks depend on the shapes alone and each is one call on one thread, so the result is the same to
** the last bit however many threads there are.
*/
#ifndef PERILUNE_PRODUCT_H
#define PERILUNE_PRODUCT_H

#include "matrix.h"
#include "tile.h"

/* C = op(A) op(B), prepared: m x n x k in the order that C is stored in. */
typedef struct Product {
  int m;
  int n;
  int k;
  CBLAS_TRANSPOSE opA;
  CBLAS_TRANSPOSE opB;
  const real *A;
  const real *B;
  real *C;
  int lda;
  int ldb;
  int block_rows;
  int block_cols;
  int blocks_down;
  int blocks_across;
  int blocks;
  bool shares_are_rows;  // of C, for the threads; else columns
  const Tiles *tiles;    // to multiply in, or NULL
} Product;

/* Part of a matrix that is stored by columns. */
typedef struct Block {
  int row;
  int col;
  int rows;
  int cols;
} Block;

void product_prepare(Product *p, Matrix *C, const Matrix *A, bool transposeA,
                     const Matrix *B, bool transposeB);

/* Block `index` of C. Where C is stored by rows, it is a block of the transpose. */
Block product_block(const Product *p, int index);

void product_compute(const Product *p, Block block);

/* C = op(A) op(B) on the pool; shapes and overlap have been checked. */
void product_run(lua_State *L, Matrix *C, const Matrix *A, bool transposeA,
                 const Matrix *B, bool transposeB);

/* A * B --> a new matrix, for matrices */
int product_operator(lua_State *L);

#endif
