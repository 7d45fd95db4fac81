/*
** dense.c - the dense layer in one call each way: A = sigma(W A_below + b) (1.4), and H (4.2) with
** its gradients (4.1).
*/
#include "activation.h"
#include "affine.h"

typedef struct Forward {
  const Matrix *b;  // or NULL
  const Sigma *sigma;
  const Matrix *A;
} Forward;

/* Z = Z + b, then A = sigma(Z), while the block is in the cache */
static void activate(const void *context, const Matrix *Z, Block block) {
  const Forward *f = context;
  affine_add_bias(f->b, Z, block);
  bool is_contiguous = block.rows == Z->rows;
  int n = is_contiguous ? block.rows * block.cols : block.rows;
  int stretches = is_contiguous ? 1 : block.cols;
  int first = matrix_index(Z, block.row, block.col);
  for (int j = 0; j < stretches; j++, first += Z->rows)
    activation_apply(f->sigma, n, Z->data + first, f->A->data + first);
}

static void run_forward(Pool *pool, const Affine *a, const Sigma *sigma, const Matrix *A) {
  if (activation_is_elementwise(sigma)) {
    Forward forward = {a->b, sigma, A};
    How how = {.epilogue = activate, .context = &forward};
    product_run(pool, a->Z, a->W, a->A_below, how);
  } else {
    affine_run(pool, a);
    activation_forward(pool, sigma, A, a->Z);
  }
}


/* Bindings */

/*
** dense_forward(A, Z, W, A_below, b, sigma) --> A = sigma(Z), after Z = W A_below + b (1.4); b may
** be nil, A may be Z
*/
static int dense_forward(lua_State *L) {
  Matrix *m[5];
  matrix_check_list(L, 1, 5, 5, m);
  const Matrix *A = m[0];
  Affine affine = affine_check(L, 2, m + 1);
  matrix_check_size(L, 1, A, affine.Z->rows, affine.Z->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_aligned(L, 1, A, 2, affine.Z);
  matrix_check_distinct(L, 1, A, 3, affine.W);
  matrix_check_distinct(L, 1, A, 4, affine.A_below);
  if (affine.b != NULL) matrix_check_distinct(L, 1, A, 5, affine.b);
  const Sigma *sigma = activation_check(L, 6);

  run_forward(matrix_pool(L), &affine, sigma, A);
  lua_settop(L, 1);
  return 1;
}

/* dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, sigma [, adds]) --> dJ_dW = H A_below^t,
   and dJ_db = H J_N (4.1), or both plus what they held, after H = J_sigma^t Delta (4.2); dJ_db
   may be nil */
static int dense_gradients(lua_State *L) {
  Matrix *m[7];
  matrix_check_list(L, 1, 7, 2, m);
  AffineGradients g = affine_check_gradients(L, m, 9);
  for (int arg = 5; arg <= 7; arg++) {
    const Matrix *operand = m[arg - 1];
    matrix_check_size(L, arg, operand, g.H->rows, g.H->cols);
    matrix_check_by_columns(L, arg, operand);
    matrix_check_aligned(L, 3, g.H, arg, operand);
    matrix_check_distinct(L, 1, g.dJ_dW, arg, operand);
    if (g.dJ_db != NULL) matrix_check_distinct(L, 2, g.dJ_db, arg, operand);
  }
  matrix_check_distinct(L, 3, g.H, 4, g.A_below);
  const Sigma *sigma = activation_check(L, 8);

  activation_backward(matrix_pool(L), sigma, g.H, m[4], m[5], m[6]);
  affine_run_gradients(matrix_pool(L), &g);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"dense_forward",   dense_forward  },
  {"dense_gradients", dense_gradients},
  {NULL,              NULL           },
};

void dense_open(lua_State *L) {
  activation_register(L, functions);
}
