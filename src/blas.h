/*
** blas.h - OpenBLAS, which is loaded by the first product that needs it.
*/
#ifndef PERILUNE_BLAS_H
#define PERILUNE_BLAS_H

#include <cblas.h>
#include <lua.h>

/* What we call of OpenBLAS; openblas.c holds the one there is. */
typedef struct Blas {
  __typeof__(cblas_sgemm) *sgemm;
  __typeof__(cblas_dgemm) *dgemm;
  __typeof__(openblas_set_num_threads) *set_num_threads;
} Blas;

/* Note where OpenBLAS will be loaded from: paths may mean something else later. */
void blas_open(lua_State *L);

/*
** OpenBLAS, ready to be called by `threads` threads at a time: `blas`, or loaded where that is NULL. Raises when it is not
** there or has no room.
*/
const Blas *blas_check(lua_State *L, const Blas *blas, int threads);

#endif
