/*
** softmax.h - what softmax(z)_i = e^z_i / sum_j e^z_j is made of, for whatever needs it. The
** largest z of a column is subtracted first: then nothing overflows, and the sum is at least 1.
*/
#ifndef PERILUNE_SOFTMAX_H
#define PERILUNE_SOFTMAX_H

#include "real.h"

/* X = Z less the largest of its column, for `cols` columns of `rows` elements; X may be Z. */
void softmax_shift(int rows, int cols, const real *Z, real *X);

/* x_k = e^x_k for n elements. Many columns at a time are faster than one by one. */
void softmax_exponentials(int n, real *x);

/* sum_i e^(z_i - max z) of a column, without room for the exponentials; sets `shift` to max z. */
double softmax_sum(int n, const real *z, real *shift);

#endif
