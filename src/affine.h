/*
** affine.h - the affine map and its gradients, for layers that do more in the same pass.
*/
#ifndef PERILUNE_AFFINE_H
#define PERILUNE_AFFINE_H

#include "matrix.h"
#include "product/product.h"

/* The arguments of the affine map, checked */
typedef struct Affine {
  Matrix *Z;
  const Matrix *W;
  const Matrix *A_below;
  const Matrix *b;  // or NULL
} Affine;

/* The arguments Z, W, A_below, b, which begin at `first` and are the matrices m; b may be NULL. */
Affine affine_check(lua_State *L, int first, Matrix *const *m);

/* Z = W A_below + b */
void affine_run(Pool *pool, const Affine *affine);

/* The epilogue that makes Z = Z + b; its context is the matrix b or NULL. */
void affine_add_bias(const void *context, const Matrix *Z, Block block);

/* The arguments of the gradients, checked */
typedef struct AffineGradients {
  Matrix *dJ_dW;
  Matrix *dJ_db;  // or NULL
  Matrix *H;
  const Matrix *A_below;
  bool adds;  // to what the gradients hold
} AffineGradients;

/* The arguments dJ_dW, dJ_db, H, A_below, which begin at 1 and are the matrices m, and the argument
   `adds`; dJ_db may be NULL. */
AffineGradients affine_check_gradients(lua_State *L, Matrix *const *m, int adds);

/* dJ_dW = H A_below^t and dJ_db = H J_N, or both plus what they held */
void affine_run_gradients(Pool *pool, const AffineGradients *gradients);

#endif
