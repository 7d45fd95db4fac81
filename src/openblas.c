/*
** openblas.c - OpenBLAS's products. A module of its own, because the system loads OpenBLAS with
** whatever is linked with it (blas.c).
*/
#include "blas.h"

#include <stddef.h>

extern const Blas perilune_blas __attribute__((visibility("default")));

/* OpenMP's; NULL unless OpenBLAS was built with it */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int threads) __attribute__((weak));

/*
** Built with OpenMP, OpenBLAS takes as many threads as OpenMP allows the calling one, whatever it
** was told itself: bits would depend on it. Returns what leave() gives back to the host's own use
** of OpenMP.
*/
static int enter(void) {
  if (omp_set_num_threads == NULL) return 0;
  int callers = omp_get_max_threads();
  omp_set_num_threads(1);
  return callers;
}

static void leave(int callers) {
  if (omp_set_num_threads != NULL) omp_set_num_threads(callers);
}

static void sgemm(CBLAS_TRANSPOSE opA, CBLAS_TRANSPOSE opB, int m, int n, int k, const float *A,
                  int lda, const float *B, int ldb, float beta, float *C, int ldc) {
  int callers = enter();
  cblas_sgemm(CblasColMajor, opA, opB, m, n, k, 1, A, lda, B, ldb, beta, C, ldc);
  leave(callers);
}

static void dgemm(CBLAS_TRANSPOSE opA, CBLAS_TRANSPOSE opB, int m, int n, int k, const double *A,
                  int lda, const double *B, int ldb, double beta, double *C, int ldc) {
  int callers = enter();
  cblas_dgemm(CblasColMajor, opA, opB, m, n, k, 1, A, lda, B, ldb, beta, C, ldc);
  leave(callers);
}

static void keep_to_one_thread(void) {
  int callers = enter();
  openblas_set_num_threads(1);
  leave(callers);
}

const Blas perilune_blas = {sgemm, dgemm, keep_to_one_thread};
