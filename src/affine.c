/*
** affine.c - the affine map Z = W A + b (1.4), its gradients (4.1) and its transpose (4.2).
*/
#include "affine.h"

#include "reduce.h"
#include "vector.h"


/* Kernels */

/* Add b to each of `cols` columns, which begin `ldz` elements apart. */
MULTIVERSION static void add_to_columns(int rows, int cols, const real *b, real *Z, int ldz) {
  for (int j = 0; j < cols; j++, Z += ldz) {
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) Z[i] += b[i];
  }
}

void affine_add_bias(const void *context, const Matrix *Z, Block block) {
  const Matrix *b = context;
  if (b == NULL) return;
  real *first = Z->data + matrix_index(Z, block.row, block.col);
  add_to_columns(block.rows, block.cols, b->data + block.row, first, Z->rows);
}

/*
** dJ_db = H J_N, or plus that, for the units of the block: done with the first of the blocks that
** have these units
*/
static void sum_units(const void *context, const Matrix *dJ_dW, Block block) {
  const AffineGradients *g = context;
  (void)dJ_dW;
  if (g->dJ_db == NULL || block.col != 0) return;
  reduce_columns(g->H, block.row, block.rows, g->adds, g->dJ_db->data);
}

void affine_run(Pool *pool, const Affine *a) {
  How how = {.epilogue = affine_add_bias, .context = a->b};
  product_run(pool, a->Z, a->W, a->A_below, how);
}

void affine_run_gradients(Pool *pool, const AffineGradients *g) {
  How how = {.transposeB = true, .adds = g->adds, .epilogue = sum_units, .context = g};
  product_run(pool, g->dJ_dW, g->H, g->A_below, how);
}


/* Bindings */

Affine affine_check(lua_State *L, int first, Matrix *const *m) {
  Affine a = {.Z = m[0], .W = m[1], .A_below = m[2], .b = m[3]};
  int N = a.A_below->cols;
  matrix_check_size(L, first + 2, a.A_below, a.W->cols, N);
  if (a.b != NULL) matrix_check_size(L, first + 3, a.b, a.W->rows, 1);
  matrix_check_size(L, first, a.Z, a.W->rows, N);
  matrix_check_by_columns(L, first, a.Z);
  matrix_check_distinct(L, first, a.Z, first + 1, a.W);
  matrix_check_distinct(L, first, a.Z, first + 2, a.A_below);
  if (a.b != NULL) matrix_check_distinct(L, first, a.Z, first + 3, a.b);
  product_check_memory(L, a.Z, a.W, a.A_below, (How){0});
  return a;
}

/* affine_forward(Z, W, A, b) --> Z = W A + b, (1.4); b may be nil */
static int affine_forward(lua_State *L) {
  Matrix *m[4];
  matrix_check_list(L, 1, 4, 4, m);
  Affine affine = affine_check(L, 1, m);

  affine_run(matrix_pool(L), &affine);
  lua_settop(L, 1);
  return 1;
}

AffineGradients affine_check_gradients(lua_State *L, Matrix *const *m, int adds) {
  AffineGradients g = {.dJ_dW = m[0], .dJ_db = m[1], .H = m[2], .A_below = m[3]};
  g.adds = lua_toboolean(L, adds);
  int N = g.H->cols;
  matrix_check_size(L, 3, g.H, g.dJ_dW->rows, N);
  matrix_check_by_columns(L, 3, g.H);
  matrix_check_size(L, 4, g.A_below, g.dJ_dW->cols, N);
  matrix_check_distinct(L, 1, g.dJ_dW, 3, g.H);
  matrix_check_distinct(L, 1, g.dJ_dW, 4, g.A_below);
  if (g.dJ_db != NULL) {
    matrix_check_size(L, 2, g.dJ_db, g.dJ_dW->rows, 1);
    matrix_check_distinct(L, 1, g.dJ_dW, 2, g.dJ_db);
    matrix_check_distinct(L, 2, g.dJ_db, 3, g.H);
    matrix_check_distinct(L, 2, g.dJ_db, 4, g.A_below);
  }
  product_check_memory(L, g.dJ_dW, g.H, g.A_below, (How){.transposeB = true});
  return g;
}

/* affine_gradients(dJ_dW, dJ_db, H, A [, adds]) --> dJ_dW = H A^t, and dJ_db = H J_N (4.1), or both
   plus what they held; dJ_db may be nil */
static int affine_gradients(lua_State *L) {
  Matrix *m[4];
  matrix_check_list(L, 1, 4, 2, m);
  AffineGradients g = affine_check_gradients(L, m, 5);

  affine_run_gradients(matrix_pool(L), &g);
  lua_settop(L, 1);
  return 1;
}

/* affine_backward(Delta, W, H [, adds]) --> Delta = W^t H (4.2), or Delta + W^t H */
static int affine_backward(lua_State *L) {
  Matrix *m[3];
  matrix_check_list(L, 1, 3, 0, m);
  Matrix *Delta = m[0];
  const Matrix *W = m[1];
  const Matrix *H = m[2];
  matrix_check_size(L, 3, H, W->rows, H->cols);
  matrix_check_size(L, 1, Delta, W->cols, H->cols);
  matrix_check_distinct(L, 1, Delta, 2, W);
  matrix_check_distinct(L, 1, Delta, 3, H);
  How how = {.transposeA = true, .adds = lua_toboolean(L, 4)};
  product_check_memory(L, Delta, W, H, how);

  product_run(matrix_pool(L), Delta, W, H, how);
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
