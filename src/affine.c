/*
** affine.c - the affine map Z = W A + b (1.4), its gradients (4.1) and its transpose (4.2).
*/
#include "affine.h"

#include "product.h"
#include "reduce.h"
#include "vector.h"

typedef struct Forward {
  Product product;
  const real *b;
  Elementwise sigma;
  real *A;
} Forward;

typedef struct Gradients {
  Product product;
  const Matrix *H;
  real *dJ_db;
} Gradients;


/* Kernels */

KERNEL static void add_bias(int rows, const real *b, real *Z) {
  VECTOR_LOOP
  for (int i = 0; i < rows; i++) Z[i] += b[i];
}

/* Bias and activation follow while the block is in the cache. */
static void forward_block(void *context, int index) {
  const Forward *f = context;
  Block block = product_block(&f->product, index);
  product_compute(&f->product, block);
  for (int j = block.col; j < block.col + block.cols; j++) {
    int first = j * f->product.m + block.row;
    add_bias(block.rows, f->b + block.row, f->product.C + first);
    if (f->sigma != NULL) f->sigma(block.rows, f->product.C + first, f->A + first);
  }
}

/* The piece after the last block is the bias. */
static void gradients_block(void *context, int index) {
  const Gradients *g = context;
  if (index == g->product.blocks)
    sum_columns(g->H, g->dJ_db);
  else
    product_compute(&g->product, product_block(&g->product, index));
}


/* Bindings */

void affine_check(lua_State *L, int first) {
  matrix_check(L, first);
  const Matrix *W = matrix_check(L, first + 1);
  const Matrix *A_below = matrix_check(L, first + 2);
  if (A_below->rows != W->cols) matrix_check_shape(L, first + 2, W->cols, A_below->cols);
  matrix_check_shape(L, first + 3, W->rows, 1);
  matrix_check_samples(L, first, W->rows, A_below->cols);
  for (int operand = 1; operand <= 3; operand++)
    matrix_check_distinct(L, first, first + operand);
}

void affine_run(lua_State *L, int first, Elementwise sigma, real *A) {
  Matrix *Z = lua_touserdata(L, first);
  const Matrix *W = lua_touserdata(L, first + 1);
  const Matrix *A_below = lua_touserdata(L, first + 2);
  const Matrix *b = lua_touserdata(L, first + 3);
  pool_check_blas(L, matrix_pool(L));

  Forward f = {.product = product_prepare(Z, W, false, A_below, false), .b = b->data};
  f.sigma = sigma;
  f.A = A;
  pool_run(matrix_pool(L), f.product.blocks, forward_block, &f);
}

/* affine_forward(Z, W, A, b) --> Z = W A + b, (1.4) */
static int affine_forward(lua_State *L) {
  affine_check(L, 1);

  affine_run(L, 1, NULL, NULL);
  lua_settop(L, 1);
  return 1;
}

/* affine_gradients(dJ_dW, dJ_db, H, A) --> dJ_dW = H A^t, after dJ_db = H J_N, (4.1) */
static int affine_gradients(lua_State *L) {
  Matrix *dJ_dW = matrix_check(L, 1);
  Matrix *dJ_db = matrix_check(L, 2);
  const Matrix *H = matrix_check(L, 3);
  const Matrix *A = matrix_check(L, 4);
  matrix_check_samples(L, 3, dJ_dW->rows, H->cols);
  matrix_check_shape(L, 4, dJ_dW->cols, H->cols);
  matrix_check_shape(L, 2, dJ_dW->rows, 1);
  for (int result = 1; result <= 2; result++) {
    for (int operand = result + 1; operand <= 4; operand++)
      matrix_check_distinct(L, result, operand);
  }
  pool_check_blas(L, matrix_pool(L));

  Gradients g = {product_prepare(dJ_dW, H, false, A, true), H, dJ_db->data};
  pool_run(matrix_pool(L), g.product.blocks + 1, gradients_block, &g);
  lua_settop(L, 1);
  return 1;
}

/* affine_backward(Delta, W, H) --> Delta = W^t H, (4.2) */
static int affine_backward(lua_State *L) {
  Matrix *Delta = matrix_check(L, 1);
  const Matrix *W = matrix_check(L, 2);
  const Matrix *H = matrix_check(L, 3);
  if (H->rows != W->rows) matrix_check_shape(L, 3, W->rows, H->cols);
  matrix_check_shape(L, 1, W->cols, H->cols);
  matrix_check_distinct(L, 1, 2);
  matrix_check_distinct(L, 1, 3);
  pool_check_blas(L, matrix_pool(L));

  product_run(L, Delta, W, true, H, false);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"affine_backward",  affine_backward },
  {"affine_forward",   affine_forward  },
  {"affine_gradients", affine_gradients},
  {NULL,               NULL            },
};

void affine_open(lua_State *L) {
  matrix_register(L, functions);
}
