/*
** activation.h - activations by their handles: what a layer needs of sigma. It knows nothing of
** layers.
*/
#ifndef PERILUNE_ACTIVATION_H
#define PERILUNE_ACTIVATION_H

#include "matrix.h"

/* An activation, as its handle holds it */
typedef struct Sigma Sigma;

/* Register functions as matrix_register does; they may call activation_check. */
void activation_register(lua_State *L, const luaL_Reg *list);

/* Argument `arg`, which must be the handle of an activation of this core. */
const Sigma *activation_check(lua_State *L, int arg);

/* Whether sigma works element by element */
bool activation_is_elementwise(const Sigma *sigma);

/* A = sigma(Z) for n elements of a sigma that works element by element; A may be Z. */
void activation_apply(const Sigma *sigma, int n, const real *Z, real *A);

/* A = sigma(Z); shapes and overlap have been checked, here and below. */
void activation_forward(Pool *pool, const Sigma *sigma, const Matrix *A, const Matrix *Z);

/* H = J_sigma^t Delta */
void activation_backward(Pool *pool, const Sigma *sigma, const Matrix *H, const Matrix *Delta,
                         const Matrix *Z, const Matrix *A);

#endif
