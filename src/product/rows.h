/*
** rows.h - a matrix, given by its rows, times a vector. In plain loops:
**
**   for (int i = 0; i < rows; i++)
**     for (int l = 0; l < k; l++) y[i] += A[i * lda + l] * x[l];
**
** Here each sum is in two, which do not wait for each other, and as many rows are read side by side
** as the processor reads fastest (STREAMS). Each element of A is needed once, so that its speed is
** that of the memory.
*/
#ifndef PERILUNE_ROWS_H
#define PERILUNE_ROWS_H

#include "product/tile.h"

/* The first `rows` sums count. */
INLINE Four rows_times_vector(int rows, int k, const real *A, int lda, const real *x) {
  Lanes sums[4][2] = {{{0}}};
  int l = 0;
  for (; l <= k - 2 * LANES; l += 2 * LANES) {
    UNROLL for (int h = 0; h < 2; h++) {
      Lanes values = lanes_load(x + l + h * LANES);
      UNROLL for (int r = 0; r < rows; r++) {
        sums[r][h] += lanes_load(A + r * lda + l + h * LANES) * values;
      }
    }
  }
  for (int rest = k - l; rest > 0; rest -= LANES) {
    Mask mask = lanes_first(least(rest, LANES));
    Lanes values = lanes_load_masked(mask, x + k - rest);
    UNROLL for (int r = 0; r < rows; r++) {
      sums[r][0] += lanes_load_masked(mask, A + r * lda + k - rest) * values;
    }
  }
  UNROLL for (int r = 0; r < rows; r++) sums[r][0] += sums[r][1];
  return lanes_sums(sums[0][0], sums[1][0], sums[2][0], sums[3][0]);
}

/* y = A^t x, or y + A^t x. What follows x is fetched, which may be the next sample. */
TARGET static void times_vector(int rows, int k, const real *A, int lda, const real *x, bool adds,
                                real *y) {
  for (int l = 0; l <= k - LANES; l += LANES) fetch((uintptr_t)(x + k), l);
  int i = 0;
  for (; i + STREAMS <= rows; i += STREAMS, A += STREAMS * lda) {
    Four sums = rows_times_vector(STREAMS, k, A, lda, x);
    store_rows(STREAMS, sums, adds, y + i);
  }
  for (; i < rows; i++, A += lda) {
    Four sums = rows_times_vector(1, k, A, lda, x);
    store_rows(1, sums, adds, y + i);
  }
}

#endif
