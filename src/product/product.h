/*
** product.h - matrix products, cut into blocks for the threads of the pool. How they are cut
** depends on the shapes alone, and each block is one call on one thread: so the result is the same
** to the last bit however many threads there are.
*/
#ifndef PERILUNE_PRODUCT_H
#define PERILUNE_PRODUCT_H

#include "matrix.h"

/* A rectangle of a matrix: `rows` rows from `row` on, `cols` columns from `col` on */
typedef struct Block {
  int row;
  int col;
  int rows;
  int cols;
} Block;

/*
** What follows each block of C, on the thread that has just computed it, while it is in that
** thread's cache
*/
typedef void (*Epilogue)(const void *context, const Matrix *C, Block block);

typedef struct How {
  bool transposeA;
  bool transposeB;
  bool adds;            // C = C + op(A) op(B)
  bool by_blas;         // by OpenBLAS, whatever would be faster: to measure by
  Epilogue epilogue;    // or NULL
  const void *context;  // of the epilogue
} How;

/*
** Raise where this product is OpenBLAS's and there is no memory for it: to be called before
** anything is written.
*/
void product_check_memory(lua_State *L, Matrix *C, const Matrix *A, const Matrix *B, How how);

/* C = op(A) op(B); shapes, overlap and memory have been checked. */
void product_run(Pool *pool, Matrix *C, const Matrix *A, const Matrix *B, How how);

/* A * B --> a new matrix, for matrices */
int product_operator(lua_State *L);

#endif
