/*
** affine.h - the affine map with an elementwise function on its way out, and its gradients.
*/
#ifndef PERILUNE_AFFINE_H
#define PERILUNE_AFFINE_H

#include "matrix.h"

/* A[k] from Z[k] for k = 0..n-1; A may be Z */
typedef void (*Elementwise)(int n, const real *Z, real *A);

/* The arguments of the affine map, checked */
typedef struct Affine {
  Matrix *Z;
  const Matrix *W;
  const Matrix *A_below;
  const Matrix *b;
} Affine;

/* The arguments Z, W, A_below, b, which begin at `first` */
void affine_check(lua_State *L, int first, Affine *affine);

/* Z = W A_below + b and, where sigma is not NULL, A = sigma(Z). */
void affine_run(lua_State *L, const Affine *affine, Elementwise sigma, const Matrix *A);

/* The arguments of the gradients, checked */
typedef struct AffineGradients {
  Matrix *dJ_dW;
  Matrix *dJ_db;
  Matrix *H;
  const Matrix *A_below;
  bool adds;  // to what the gradients hold
} AffineGradients;

/* The arguments dJ_dW, dJ_db, H, A_below, which begin at 1, and `adds` at a place of its own */
void affine_check_gradients(lua_State *L, int adds, AffineGradients *gradients);

/* dJ_dW = H A_below^t and dJ_db = H J_N, or both plus what they held. */
void affine_run_gradients(lua_State *L, const AffineGradients *gradients);

#endif
