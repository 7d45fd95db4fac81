/*
** loss.c - the error J and its gradient, in pairs: (2.18) with (2.23), and softmax with
** cross-entropy. With weights
**     J = sum_n sum_i w_in J_in / (sum_n sum_i w_in / S_L),
** which for weights of 1 is the paper's 1/N; a weight of 0 leaves its term out, whatever is in A
** and T.
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
  bool labels;          // T holds one class for each column, counted from 1
  const real *weights;  // or NULL
  bool by_sample;       // there is one weight for each column; else one for each element
  double total;         // sum_n sum_i w_in / S_L
  real *Delta;          // or NULL
} Loss;


/* Kernels */

static double weight(const Loss *loss, int i, int j) {
  return (double)loss->weights[loss->by_sample ? j : j * loss->rows + i];
}

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
    for (int k = first; k < last; k++) total += (double)(A[k] - T[k]) * (double)(A[k] - T[k]);
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

/* Sum of w (a - t)^2, and Delta = w (a - t) / total */
static double weighted_squares(const void *context, int first, int last) {
  const Loss *loss = context;
  double sum = 0;
  for (int j = first; j < last; j++) {
    for (int i = 0; i < loss->rows; i++) {
      int k = j * loss->rows + i;
      double w = weight(loss, i, j);
      real delta = 0;
      if (w != 0) {
        double difference = (double)(loss->A[k] - loss->T[k]);
        sum += w * difference * difference;
        delta = (real)(w * difference / loss->total);
      }
      if (loss->Delta != NULL) loss->Delta[k] = delta;
    }
  }
  return sum;
}

/* sum_i t_i of column j: 1 for a label */
static double target_sum(const Loss *loss, int j) {
  return loss->labels ? 1 : reduce_sum(loss->rows, loss->T + j * loss->rows);
}

/*
** sum_i t_i x_i of column j, x being the column of Z less `shift`; terms with t_i = 0 count
** nothing, even for infinite x_i
*/
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
** - sum of t_i log softmax(z)_i, where log softmax(z)_i is z_i - shift - log(sum_j e^(z_j -
** shift)), the shift being the largest z of the column.
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
** The same, and Delta = (softmax(Z) sum_i t_i - T) / N. A logarithm takes longer than all else of a
** short column, so the sums of columns with sum_i t_i = 1 are multiplied before one is taken: 32 of
** them, each at least 1 and less than 2^31, are within a double's range.
*/
MULTIVERSION static double cross_entropy_with_gradient(const void *context, int first, int last) {
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


static bool has_weight(const Loss *loss, int j) {
  for (int i = 0; i < loss->rows; i++) {
    if (weight(loss, i, j) != 0) return true;
  }
  return false;
}

/* w_ij t_ij; 0 where the weight is, whatever the target */
static double weighted_target(const Loss *loss, int i, int j) {
  double w = weight(loss, i, j);
  if (w == 0) return 0;
  if (loss->labels) return (int)loss->T[j] == i + 1 ? w : 0;
  return w * (double)loss->T[j * loss->rows + i];
}

/* - sum of w_i t_i log softmax(z)_i, and Delta = (softmax(Z) sum_i w_i t_i - w t) / total */
static double weighted_cross_entropy(const void *context, int first, int last) {
  const Loss *loss = context;
  int n = loss->rows;
  double J = 0;
  for (int j = first; j < last; j++) {
    const real *z = loss->A + j * n;
    real *delta = loss->Delta == NULL ? NULL : loss->Delta + j * n;
    if (!has_weight(loss, j)) {
      for (int i = 0; delta != NULL && i < n; i++) delta[i] = 0;
      continue;
    }
    real shift = 0;
    double sum = softmax_sum(n, z, &shift);
    double targets = 0;
    for (int i = 0; i < n; i++) {
      double target = weighted_target(loss, i, j);
      targets += target;
      if (target != 0) J -= target * (double)(z[i] - shift);
    }
    J += targets * log(sum);
    if (delta == NULL) continue;
    softmax_shift(n, 1, z, delta);
    softmax_exponentials(n, delta);
    for (int i = 0; i < n; i++) {
      double a = (double)delta[i] / sum;
      delta[i] = (real)((a * targets - weighted_target(loss, i, j)) / loss->total);
    }
  }
  return J;
}


/* Bindings */

/* Argument 1, the result Delta, may be nil. Otherwise it has A's shape, and is A or T itself or
   shares no memory with them. */
static Matrix *check_delta(lua_State *L, const Matrix *A) {
  luaL_checkany(L, 1);
  return lua_isnil(L, 1) ? NULL : matrix_check_samples(L, 1, A->rows, A->cols);
}

/*
** Raise: the number x, in this column and, but for 0, this row, is not what is expected of argument
** `arg`.
*/
static void number_error(lua_State *L, int arg, const char *expected, double x, int row, int col) {
  char got[32];
  snprintf(got, sizeof got, "%g", x);
  lua_pushfstring(L, "%s expected, got %s in ", expected, got);
  if (row > 0) lua_pushfstring(L, "row %d, ", row);
  lua_pushfstring(L, "column %d", col);
  lua_concat(L, row > 0 ? 3 : 2);
  luaL_argerror(L, arg, lua_tostring(L, -1));
}

/* The optional argument 4, weights of samples or of single targets; sets what follows from them. */
static void check_weights(lua_State *L, const Matrix *Delta, Loss *loss) {
  loss->total = loss->cols;
  if (lua_isnoneornil(L, 4)) return;
  const Matrix *weights = matrix_check(L, 4);
  loss->by_sample = weights->rows == 1;
  matrix_check_samples(L, 4, loss->by_sample ? 1 : loss->rows, loss->cols);
  for (int k = 0; k < matrix_size(weights); k++) {
    double w = (double)weights->data[k];
    if (!(w >= 0) || w - w != 0) {
      int row = loss->by_sample ? 0 : k % loss->rows + 1;
      number_error(L, 4, "finite weight >= 0", w, row, k / weights->rows + 1);
    }
  }
  if (Delta != NULL) matrix_check_distinct(L, 1, Delta, 4, weights);
  loss->weights = weights->data;
  loss->total = reduce_matrix(matrix_pool(L), weights) / weights->rows;
  luaL_argcheck(L, loss->total - loss->total == 0, 4, "weights with a finite sum expected");
}

static void check_labels(lua_State *L, const Loss *loss) {
  for (int j = 0; j < loss->cols; j++) {
    double label = (double)loss->T[j];
    bool is_class = label >= 1 && label <= loss->rows && label == floor(label);
    if (!is_class && (loss->weights == NULL || has_weight(loss, j))) {
      const char *expected = lua_pushfstring(L, "labels 1 to %d", loss->rows);
      number_error(L, 3, expected, label, 0, j + 1);
    }
  }
}

/* Push J, the given sum over the total weight, and the total weight. */
static int push_error(lua_State *L, double sum, double total) {
  volatile double numerator = sum;  // so that the host's rounding does not count
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double J = total == 0 ? 0 : numerator / total;
  float_state_change(host);
  lua_pushnumber(L, J);
  lua_pushnumber(L, total);
  return 2;
}

/* squared_error(Delta, A, T [, weights]) --> J, total weight */
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
  check_weights(L, Delta, &loss);

  Pool *pool = matrix_pool(L);
  double sum = loss.weights == NULL
                 ? reduce_pieces(pool, matrix_size(A), POOL_GRAIN, squared_differences, &loss)
                 : reduce_pieces(pool, A->cols, pool_lines(A->rows), weighted_squares, &loss);
  return push_error(L, sum / 2, loss.total);
}

/* softmax_cross_entropy(Delta, Z, T [, weights]) --> J, total weight */
static int loss_softmax_cross_entropy(lua_State *L) {
  const Matrix *Z = matrix_check(L, 2);
  matrix_check_by_columns(L, 2, Z);
  const Matrix *T = matrix_check(L, 3);
  Loss loss = {.rows = Z->rows, .cols = Z->cols, .A = Z->data, .T = T->data};
  loss.labels = T->rows == 1 && Z->rows != 1;
  matrix_check_samples(L, 3, loss.labels ? 1 : Z->rows, Z->cols);
  Matrix *Delta = check_delta(L, Z);
  if (Delta != NULL) {
    matrix_check_aligned(L, 1, Delta, 2, Z);
    matrix_check_distinct(L, 1, Delta, 3, T);
    loss.Delta = Delta->data;
  }
  check_weights(L, Delta, &loss);
  if (loss.labels) check_labels(L, &loss);

  Contribution contribution = Delta == NULL ? cross_entropy : cross_entropy_with_gradient;
  if (loss.weights != NULL) contribution = weighted_cross_entropy;
  double sum = reduce_pieces(matrix_pool(L), Z->cols, pool_lines(Z->rows), contribution, &loss);
  return push_error(L, sum, loss.total);
}

static const luaL_Reg functions[] = {
  {"softmax_cross_entropy", loss_softmax_cross_entropy},
  {"squared_error",         loss_squared_error        },
  {NULL,                    NULL                      },
};

void loss_open(lua_State *L) {
  matrix_register(L, functions);
}
