/*
** blas.h - OpenBLAS, which is loaded by the first product that needs it.
*/
#ifndef PERILUNE_BLAS_H
#define PERILUNE_BLAS_H

#include <cblas.h>
#include <lua.h>

/*
** What we use of OpenBLAS: C = op(A) op(B) + beta C by columns, m x n x k, on the calling thread
** alone
*/
typedef struct Blas {
  void (*sgemm)(CBLAS_TRANSPOSE opA, CBLAS_TRANSPOSE opB, int m, int n, int k, const float *A,
                int lda, const float *B, int ldb, float beta, float *C, int ldc);
  void (*dgemm)(CBLAS_TRANSPOSE opA, CBLAS_TRANSPOSE opB, int m, int n, int k, const double *A,
                int lda, const double *B, int ldb, double beta, double *C, int ldc);
  void (*keep_to_one_thread)(void);  // to be called once, before
} Blas;

/* Note where OpenBLAS will be loaded from: paths may mean something else later. */
void blas_open(lua_State *L);

/*
** OpenBLAS, ready to be called by `threads` threads at a time: `blas`, or loaded where that is
** NULL. Raises when it is not there or has no room.
*/
const Blas *blas_check(lua_State *L, const Blas *blas, int threads);

#endif
