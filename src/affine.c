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
  bool units_are_columns;  // of C, which dJ_dW is, or its transpose
  const Matrix *H;
  real *dJ_db;
} Gradients;


/* Kernels */

/* Add b to each of `cols` columns, which begin `ldz` elements apart. */
MULTIVERSION static void add_bias(Block block, const real *b, real *Z, int ldz) {
  for (int j = 0; j < block.cols; j++, Z += ldz) {
    VECTOR_LOOP
    for (int i = 0; i < block.rows; i++) Z[i] += b[i];
  }
}

/* Bias and activation follow while the block is in the cache. */
static void forward_block(void *context, int index) {
  const Forward *f = context;
  const Product *p = &f->product;
  Block block = product_block(p, index);
  product_compute(p, block);
  int first = block.col * p->m + block.row;
  add_bias(block, f->b + block.row, p->C + first, p->m);
  if (f->sigma == NULL) return;
  bool is_contiguous = block.rows == p->m;
  int n = is_contiguous ? block.rows * block.cols : block.rows;
  int runs = is_contiguous ? 1 : block.cols;
  for (int j = 0; j < runs; j++, first += p->m) f->sigma(n, p->C + first, f->A + first);
}

/* Of the blocks with the same units, the first computes their biases' gradients too. */
static void gradients_block(void *context, int index) {
  const Gradients *g = context;
  Block block = product_block(&g->product, index);
  product_compute(&g->product, block);
  if (g->units_are_columns && block.row == 0)
    reduce_columns(g->H, block.col, block.cols, g->dJ_db);
  if (!g->units_are_columns && block.col == 0)
    reduce_columns(g->H, block.row, block.rows, g->dJ_db);
}


/* Bindings */

void affine_check(lua_State *L, int first, Affine *a) {
  Matrix *m[4];
  matrix_check_list(L, first, 4, m);
  a->Z = m[0];
  a->W = m[1];
  a->A_below = m[2];
  a->b = m[3];
  int N = a->A_below->cols;
  matrix_check_size(L, first + 2, a->A_below, a->W->cols, N);
  matrix_check_size(L, first + 3, a->b, a->W->rows, 1);
  matrix_check_size(L, first, a->Z, a->W->rows, N);
  matrix_check_by_columns(L, first, a->Z);
  matrix_check_distinct(L, first, a->Z, first + 1, a->W);
  matrix_check_distinct(L, first, a->Z, first + 2, a->A_below);
  matrix_check_distinct(L, first, a->Z, first + 3, a->b);
  pool_check_blas(L, matrix_pool(L));
}

void affine_run(lua_State *L, const Affine *a, Elementwise sigma, real *A) {
  Forward f;
  product_prepare(&f.product, a->Z, a->W, false, a->A_below, false);
  f.b = a->b->data;
  f.sigma = sigma;
  f.A = A;
  pool_run(matrix_pool(L), f.product.blocks, forward_block, &f);
}

/* affine_forward(Z, W, A, b) --> Z = W A + b, (1.4) */
static int affine_forward(lua_State *L) {
  Affine affine;
  affine_check(L, 1, &affine);

  affine_run(L, &affine, NULL, NULL);
  lua_settop(L, 1);
  return 1;
}

void affine_check_gradients(lua_State *L, AffineGradients *g) {
  Matrix *m[4];
  matrix_check_list(L, 1, 4, m);
  g->dJ_dW = m[0];
  g->dJ_db = m[1];
  g->H = m[2];
  g->A_below = m[3];
  int N = g->H->cols;
  matrix_check_size(L, 3, g->H, g->dJ_dW->rows, N);
  matrix_check_by_columns(L, 3, g->H);
  matrix_check_size(L, 4, g->A_below, g->dJ_dW->cols, N);
  matrix_check_size(L, 2, g->dJ_db, g->dJ_dW->rows, 1);
  matrix_check_distinct(L, 1, g->dJ_dW, 2, g->dJ_db);
  matrix_check_distinct(L, 1, g->dJ_dW, 3, g->H);
  matrix_check_distinct(L, 1, g->dJ_dW, 4, g->A_below);
  matrix_check_distinct(L, 2, g->dJ_db, 3, g->H);
  matrix_check_distinct(L, 2, g->dJ_db, 4, g->A_below);
  pool_check_blas(L, matrix_pool(L));
}

void affine_run_gradients(lua_State *L, const AffineGradients *g) {
  Gradients task;
  product_prepare(&task.product, g->dJ_dW, g->H, false, g->A_below, true);
  task.units_are_columns = g->dJ_dW->order == BY_ROWS;
  task.H = g->H;
  task.dJ_db = g->dJ_db->data;
  pool_run(matrix_pool(L), task.product.blocks, gradients_block, &task);
}

/* affine_gradients(dJ_dW, dJ_db, H, A) --> dJ_dW = H A^t, after dJ_db = H J_N, (4.1) */
static int affine_gradients(lua_State *L) {
  AffineGradients g;
  affine_check_gradients(L, &g);

  affine_run_gradients(L, &g);
  lua_settop(L, 1);
  return 1;
}

/* affine_backward(Delta, W, H) --> Delta = W^t H, (4.2) */
static int affine_backward(lua_State *L) {
  Matrix *m[3];
  matrix_check_list(L, 1, 3, m);
  Matrix *Delta = m[0];
  const Matrix *W = m[1];
  const Matrix *H = m[2];
  matrix_check_size(L, 3, H, W->rows, H->cols);
  matrix_check_size(L, 1, Delta, W->cols, H->cols);
  matrix_check_distinct(L, 1, Delta, 2, W);
  matrix_check_distinct(L, 1, Delta, 3, H);
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
