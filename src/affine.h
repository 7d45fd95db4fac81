/*
** affine.h - the affine map with an elementwise function on its way out.
*/
#ifndef PERILUNE_AFFINE_H
#define PERILUNE_AFFINE_H

#include "matrix.h"

/* A[k] from Z[k] for k = 0..n-1; A may be Z */
typedef void (*Elementwise)(int n, const real *Z, real *A);

/* Check the arguments Z, W, A_below, b, which begin at `first`. */
void affine_check(lua_State *L, int first);

/* Z = W A_below + b of the arguments from `first` on and, where sigma is not NULL, A = sigma(Z). */
void affine_run(lua_State *L, int first, Elementwise sigma, real *A);

#endif
