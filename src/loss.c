/*
** loss.c - what all losses share: weights, labels, and what a sum is divided by.
*/
#include "loss.h"

#include <stdio.h>

#include "reduce.h"
#include "vector.h"


/* Kernels */

/* a / b, or 0 where b is 0, and a * b: whatever the host's rounding */
static double quotient(double a, double b) {
  if (b == 0) return 0;
  volatile double numerator = a;
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double result = numerator / b;
  float_state_change(host);
  return result;
}

static double product(double a, double b) {
  volatile double factor = a;
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double result = factor * b;
  float_state_change(host);
  return result;
}

/* The sum of numbers that are to be >= 0; NaN where one is not */
MULTIVERSION static double sum_of_weights(const void *context, int first, int last) {
  const real *w = context;
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = first; k < last; k++) total += w[k] >= 0 ? (double)w[k] : (double)NAN;
  return total;
}

bool loss_has_weight(const Loss *loss, int j) {
  if (loss->weights == NULL) return true;
  if (loss->by_sample) return loss->weights[j] != 0;
  const real *weights = loss->weights + j * loss->rows;
  for (int i = 0; i < loss->rows; i++) {
    if (weights[i] != 0) return true;
  }
  return false;
}

void loss_clear_delta(const Loss *loss, int j) {
  if (loss->Delta == NULL) return;
  for (int i = 0; i < loss->rows; i++) loss->Delta[j * loss->rows + i] = 0;
}


/* Bindings */

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

/* The sum of all elements of argument `arg`, the matrix `weights`, which must be finite and >= 0 */
static double check_sum(lua_State *L, int arg, const Matrix *weights) {
  double sum =
    reduce_pieces(matrix_pool(L), matrix_size(weights), POOL_GRAIN, sum_of_weights, weights->data);
  if (sum - sum == 0) return sum;
  for (int k = 0; k < matrix_size(weights); k++) {
    double w = (double)weights->data[k];
    int row = weights->rows == 1 ? 0 : k % weights->rows + 1;
    if (!(w >= 0) || w - w != 0)
      number_error(L, arg, "finite weight >= 0", w, row, k / weights->rows + 1);
  }
  return luaL_argerror(L, arg, "weights with a finite sum expected");
}

static void check_weights(lua_State *L, Loss *loss) {
  loss->total = loss->cols;
  if (lua_isnoneornil(L, LOSS_WEIGHTS)) return;
  const Matrix *weights = matrix_check(L, LOSS_WEIGHTS);
  loss->by_sample = weights->rows == 1;
  matrix_check_samples(L, LOSS_WEIGHTS, loss->by_sample ? 1 : loss->rows, loss->cols);
  loss->total = quotient(check_sum(L, LOSS_WEIGHTS, weights), weights->rows);
  loss->weights = weights->data;
}

static void check_labels(lua_State *L, const Loss *loss) {
  for (int j = 0; j < loss->cols; j++) {
    double label = (double)loss->T[j];
    bool is_class = label >= 1 && label <= loss->rows && label == (int)label;
    if (!is_class && loss_has_weight(loss, j)) {
      const char *expected = lua_pushfstring(L, "labels 1 to %d", loss->rows);
      number_error(L, LOSS_T, expected, label, 0, j + 1);
    }
  }
}

/* Delta, where it is a matrix, must not share memory with argument `arg`, the matrix m. */
static void check_distinct(lua_State *L, int arg, const Matrix *m) {
  const Matrix *Delta = matrix_test(L, LOSS_DELTA);
  if (Delta != NULL) matrix_check_distinct(L, LOSS_DELTA, Delta, arg, m);
}

Loss loss_check(lua_State *L, int outputs, Targets targets) {
  const Matrix *A = matrix_check(L, LOSS_A);
  matrix_check_by_columns(L, LOSS_A, A);
  if (A->rows % outputs != 0)
    luaL_argerror(L, LOSS_A, lua_pushfstring(L, "%d rows for each target expected", outputs));
  Loss loss = {.rows = A->rows / outputs, .cols = A->cols, .A = A->data};
  const Matrix *T = matrix_check(L, LOSS_T);
  loss.labels = targets == TARGETS_OR_LABELS && T->rows == 1 && loss.rows != 1;
  matrix_check_samples(L, LOSS_T, loss.labels ? 1 : loss.rows, A->cols);
  loss.T = T->data;
  luaL_checkany(L, LOSS_DELTA);
  if (!lua_isnil(L, LOSS_DELTA)) {
    Matrix *Delta = matrix_check_samples(L, LOSS_DELTA, A->rows, A->cols);
    matrix_check_aligned(L, LOSS_DELTA, Delta, LOSS_A, A);
    if (targets == TARGETS_ALIGNED)
      matrix_check_aligned(L, LOSS_DELTA, Delta, LOSS_T, T);
    else
      matrix_check_distinct(L, LOSS_DELTA, Delta, LOSS_T, T);
    loss.Delta = Delta->data;
  }
  check_weights(L, &loss);
  if (loss.weights != NULL) check_distinct(L, LOSS_WEIGHTS, matrix_check(L, LOSS_WEIGHTS));
  if (loss.labels) check_labels(L, &loss);
  return loss;
}

void loss_check_reduction(lua_State *L, Loss *loss, Mean mean) {
  static const char *const names[] = {"mean", "batchmean", "sum", NULL};
  switch (luaL_checkoption(L, LOSS_REDUCTION, names[0], names)) {
  case 0:
    loss->divisor = mean == OVER_SAMPLES ? loss->total : product(loss->total, loss->rows);
    break;
  case 1:
    loss->divisor = loss->total;
    break;
  default:
    loss->divisor = loss->total > 0;  // where no term has a weight there is nothing to divide
  }
}

const Matrix *loss_check_column(lua_State *L, int arg, const Loss *loss, bool or_one) {
  if (lua_isnoneornil(L, arg)) return NULL;
  const Matrix *column = matrix_check(L, arg);
  matrix_check_size(L, arg, column, or_one && column->rows == 1 ? 1 : loss->rows, 1);
  check_sum(L, arg, column);
  check_distinct(L, arg, column);
  return column;
}

real loss_check_number(lua_State *L, int arg) {
  real x = matrix_check_element(L, arg);
  luaL_argcheck(L, x - x == 0, arg, "finite number expected");
  return x;
}

int loss_push(lua_State *L, const Loss *loss, double sum) {
  lua_pushnumber(L, quotient(sum, loss->divisor));
  lua_pushnumber(L, loss->total);
  return 2;
}
