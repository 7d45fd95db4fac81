/*
** reduce.h - many elements to few: what other files need of it too.
*/
#ifndef PERILUNE_REDUCE_H
#define PERILUNE_REDUCE_H

#include "matrix.h"

/*
** The sum, in double: float32 would lose the small terms of a long one. NaN if an element is.
** The largest element, NaN if there is one.
** Few elements are taken in place, where a call would cost as much as the work.
*/
#define REDUCE_FEW 32
double reduce_sum_of_many(int n, const real *X);
real reduce_largest_of_many(int n, const real *X);

static inline double reduce_sum(int n, const real *X) {
  if (n > REDUCE_FEW) return reduce_sum_of_many(n, X);
  double total = 0;
  for (int k = 0; k < n; k++) total += (double)X[k];
  return total;
}

static inline real reduce_largest(int n, const real *X) {
  if (n > REDUCE_FEW) return reduce_largest_of_many(n, X);
  real best = X[0];
  /* From both ends: one comparison tells of NaN in either. */
  for (int k = 0; k < n - k; k++) {
    real a = X[k];
    real b = X[n - 1 - k];
    if (isunordered(a, b)) return (real)NAN;
    real larger = a > b ? a : b;
    best = larger > best ? larger : best;
  }
  return best;
}

/* What elements first..last-1 contribute to a result */
typedef double (*Contribution)(const void *context, int first, int last);

/*
** The sum of what 0..n-1 contribute, piece by piece as in pool_run_range, added in the order of the
** pieces: its bits depend on n and grain alone.
*/
double reduce_pieces(Pool *pool, int n, int grain, Contribution contribution, const void *context);

/* The sum of all elements */
double reduce_matrix(Pool *pool, const Matrix *M);

/* Elements first..first+count-1 of b = X J_N, or of b + X J_N: the sum of the columns of X */
void reduce_columns(const Matrix *X, int first, int count, bool adds, real *b);

#endif
