/*
** reduce.h - sums that other files need too.
*/
#ifndef PERILUNE_REDUCE_H
#define PERILUNE_REDUCE_H

#include "matrix.h"

/* Elements first..first+count-1 of b = X J_N, the sum of the columns of X */
void sum_columns(const Matrix *X, int first, int count, real *b);

#endif
