/*
** loss.c - the error J and its gradient, in pairs: (2.18) with (2.23), and softmax with cross-entropy.
*/
#include <stdio.h>

#include "matrix.h"
#include "reduce.h"
#include "softmax.h"
#include "vector.h"

typedef struct Loss {
  int rows;
  int cols;
  const real *A;
  const real *T;
  bool labels;  // T holds one class for each column, counted from 1
  real *Delta;  // or NULL
} Loss;


/* Kernels */

/* Sum of (a - t)^2, and Delta = (A - T) / N */
MULTIVERSION static double squared_differences(const void *context, int first, int last) {
  const Loss *loss = context;
  const real *A = loss->A;
  const real *T = loss->T;
  real *Delta = loss->Delta;
  real scale = 1 / (real)loss->cols;
  double total = 0;
  if (Delta == NULL) {
#pragma omp simd reduction(+ : total)
    for (int k = first; k < last; k++)
      total += (double)(A[k] - T[k]) * (double)(A[k] - T[k]);
  } else {
#pragma omp simd reduction(+ : total)
    for (int k = first; k < last; k++) {
      real difference = A[k] - T[k];
      total += (double)difference * (double)difference;
      Delta[k] = difference * scale;
    }
  }
  return total;
}

/* sum_i t_i of column j: 1 for a label */
static double target_sum(const Loss *loss, int j) {
  return loss->labels ? 1 : reduce_sum(loss->rows, loss->T + j * loss->rows);
}

/* sum_i t_i x_i of column j, x being the column of Z less `shift`; terms with t_i = 0 count nothing, even for infinite x_i */
static double target_logit(const Loss *loss, int j, const real *z, real shift) {
  if (loss->labels) return (double)(z[(int)loss->T[j] - 1] - shift);
  const real *t = loss->T + j * loss->rows;
  double total = 0;
  for (int i = 0; i < loss->rows; i++) {
    if (t[i] != 0) total += (double)t[i] * (double)(z[i] - shift);
  }
  return total;
}

/*
** - sum of t_i log softmax(z)_i, where log softmax(z)_i is z_i - shift - log(sum_j e^(z_j - shift)), the shift being the
** largest z of the column.
*/
static double cross_entropy(const void *context, int first, int last) {
  const Loss *loss = context;
  int n = loss->rows;
  double J = 0;
  for (int j = first; j < last; j++) {
    const real *z = loss->A + j * n;
    real shift = 0;
    double sum = softmax_sum(n, z, &shift);
    J += target_sum(loss, j) * log(sum) - target_logit(loss, j, z, shift);
  }
  return J;
}

/*
** The same, and Delta = (softmax(Z) sum_i t_i - T) / N. A logarithm takes longer than all else of a short column, so the
** sums of columns with sum_i t_i = 1 are multiplied before one is taken: 32 of them, each at least 1 and less than 2^31,
** are within a double's range.
*/
MULTIVERSION static double cross_entropy_with_gradient(const void *context, int first,
                                                       int last) {
  enum { FACTORS = 32 };
  const Loss *loss = context;
  int n = loss->rows;
  real weight = 1 / (real)loss->cols;
  double J = 0;
  double product = 1;
  softmax_shift(n, last - first, loss->A + first * n, loss->Delta + first * n);
  for (int j = first; j < last; j++) J -= target_logit(loss, j, loss->Delta + j * n, 0);
  softmax_exponentials(n * (last - first), loss->Delta + first * n);
  for (int j = first; j < last; j++) {
    real *delta = loss->Delta + j * n;
    double total = reduce_sum(n, delta);
    double targets = target_sum(loss, j);
    real factor = (real)(targets / total) * weight;
    if (targets != 1)
      J += targets * log(total);
    else
      product *= total;
    if ((j - first + 1) % FACTORS == 0) {
      J += log(product);
      product = 1;
    }
    VECTOR_LOOP
    for (int i = 0; i < n; i++) delta[i] *= factor;
    if (loss->labels) {
      delta[(int)loss->T[j] - 1] -= weight;
    } else {
      VECTOR_LOOP
      for (int i = 0; i < n; i++) delta[i] -= loss->T[j * n + i] * weight;
    }
  }
  return J + log(product);
}


/* Bindings */

static void check_labels(lua_State *L, const Matrix *T, int classes) {
  for (int j = 0; j < T->cols; j++) {
    double label = (double)T->data[j];
    if (!(label >= 1 && label <= classes) || label != floor(label)) {
      char got[32];
      snprintf(got, sizeof got, "%g", label);
      luaL_argerror(L, 3,
                    lua_pushfstring(L, "labels 1 to %d expected, got %s in column %d",
                                    classes, got, j + 1));
    }
  }
}

/* Argument 1, the result Delta, may be nil. Otherwise it has A's shape, and is A or T itself or shares no memory with
** them. */
static Matrix *check_delta(lua_State *L, const Matrix *A) {
  luaL_checkany(L, 1);
  return lua_isnil(L, 1) ? NULL : matrix_check_samples(L, 1, A->rows, A->cols);
}

/* squared_error(Delta, A, T) --> J */
static int loss_squared_error(lua_State *L) {
  const Matrix *A = matrix_check(L, 2);
  matrix_check_by_columns(L, 2, A);
  const Matrix *T = matrix_check_samples(L, 3, A->rows, A->cols);
  Matrix *Delta = check_delta(L, A);
  Loss loss = {.rows = A->rows, .cols = A->cols, .A = A->data, .T = T->data};
  if (Delta != NULL) {
    matrix_check_aligned(L, 1, Delta, 2, A);
    matrix_check_aligned(L, 1, Delta, 3, T);
    loss.Delta = Delta->data;
  }

  double total =
    reduce_parts(matrix_pool(L), matrix_size(A), POOL_GRAIN, squared_differences, &loss);
  lua_pushnumber(L, total / 2 / A->cols);
  return 1;
}

/* softmax_cross_entropy(Delta, Z, T) --> J */
static int loss_softmax_cross_entropy(lua_State *L) {
  const Matrix *Z = matrix_check(L, 2);
  matrix_check_by_columns(L, 2, Z);
  const Matrix *T = matrix_check(L, 3);
  bool labels = T->rows == 1 && Z->rows != 1;
  matrix_check_samples(L, 3, labels ? 1 : Z->rows, Z->cols);
  if (labels) check_labels(L, T, Z->rows);
  Matrix *Delta = check_delta(L, Z);
  Loss loss = {
    .rows = Z->rows, .cols = Z->cols, .A = Z->data, .T = T->data, .labels = labels};
  if (Delta != NULL) {
    matrix_check_aligned(L, 1, Delta, 2, Z);
    matrix_check_distinct(L, 1, Delta, 3, T);
    loss.Delta = Delta->data;
  }

  Part part = Delta == NULL ? cross_entropy : cross_entropy_with_gradient;
  double total = reduce_parts(matrix_pool(L), Z->cols, pool_lines(Z->rows), part, &loss);
  lua_pushnumber(L, total / Z->cols);
  return 1;
}

static const luaL_Reg functions[] = {
  {"softmax_cross_entropy", loss_softmax_cross_entropy},
  {"squared_error",         loss_squared_error        },
  {NULL,                    NULL                      },
};

void loss_open(lua_State *L) {
  matrix_register(L, functions);
}
