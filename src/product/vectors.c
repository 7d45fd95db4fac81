/*
** vectors.c - products in which A, B or C is a vector, in plain loops: their speed is that of the
** memory whatever they do.
*/
#include "product/vectors.h"

#include "product/tiles.h"
#include "vector.h"

/* C = a b^t: packing for gemm would cost more than the product */
MULTIVERSION static void outer_product(int m, int n, const real *a, const real *b, bool adds,
                                       real *C, int ldc) {
  for (int j = 0; j < n; j++, C += ldc) {
    real factor = b[j];
    VECTOR_LOOP
    for (int i = 0; i < m; i++) C[i] = adds ? C[i] + a[i] * factor : a[i] * factor;
  }
}

/*
** y = M x for a matrix of rows, each k neighbours, that begin `stride` elements apart. Four rows at
** a time, because one alone does not ask for memory as fast as it comes.
*/
MULTIVERSION static void four_rows_times_vector(int rows, int k, const real *M, int stride,
                                                const real *x, bool adds, real *y) {
  int i = 0;
  for (; i + 4 <= rows; i += 4, M += 4 * stride) {
    const real *M1 = M + stride;
    const real *M2 = M1 + stride;
    const real *M3 = M2 + stride;
    real sum0 = 0;
    real sum1 = 0;
    real sum2 = 0;
    real sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
    for (int j = 0; j < k; j++) {
      sum0 += M[j] * x[j];
      sum1 += M1[j] * x[j];
      sum2 += M2[j] * x[j];
      sum3 += M3[j] * x[j];
    }
    y[i] = adds ? y[i] + sum0 : sum0;
    y[i + 1] = adds ? y[i + 1] + sum1 : sum1;
    y[i + 2] = adds ? y[i + 2] + sum2 : sum2;
    y[i + 3] = adds ? y[i + 3] + sum3 : sum3;
  }
  for (; i < rows; i++, M += stride) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < k; j++) sum += M[j] * x[j];
    y[i] = adds ? y[i] + sum : sum;
  }
}

static void rows_times_vector(int rows, int k, const real *M, int stride, const real *x, bool adds,
                              real *y) {
  const TileSet *tiles = tiles_here();
  if (tiles)
    tiles->times_vector(rows, k, M, stride, x, adds, y);
  else
    four_rows_times_vector(rows, k, M, stride, x, adds, y);
}

/* y = M x for a matrix of columns, each `rows` neighbours, that begin `stride` elements apart */
MULTIVERSION static void columns_times_vector(int rows, int k, const real *M, int stride,
                                              const real *x, bool adds, real *y) {
  for (int i = 0; i < rows && !adds; i++) y[i] = 0;
  int j = 0;
  for (; j + 4 <= k; j += 4, M += 4 * stride) {
    const real *M1 = M + stride;
    const real *M2 = M1 + stride;
    const real *M3 = M2 + stride;
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) {
      y[i] += (M[i] * x[j] + M1[i] * x[j + 1]) + (M2[i] * x[j + 2] + M3[i] * x[j + 3]);
    }
  }
  for (; j < k; j++, M += stride) {
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) y[i] += M[i] * x[j];
  }
}

/* A vector's elements are neighbours, transposed or not, so that four cases are all. */
void vectors_compute(const BlockProduct *p, bool C_is_row) {
  if (p->k == 1) {
    outer_product(p->m, p->n, p->A, p->B, p->adds, p->C, p->ldc);
  } else if (C_is_row) {
    if (p->transposeB)
      columns_times_vector(p->n, p->k, p->B, p->ldb, p->A, p->adds, p->C);
    else
      rows_times_vector(p->n, p->k, p->B, p->ldb, p->A, p->adds, p->C);
  } else {
    if (p->transposeA)
      rows_times_vector(p->m, p->k, p->A, p->lda, p->B, p->adds, p->C);
    else
      columns_times_vector(p->m, p->k, p->A, p->lda, p->B, p->adds, p->C);
  }
}
