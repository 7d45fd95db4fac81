/*
** reduce.c - many elements to few: sums, norm, extremes. In an order that depends on the shape alone.
*/
#include "reduce.h"

#include <math.h>

#include "vector.h"


/* Kernels */

/* y = the sum of `lines` runs of n neighbours, which begin `step` elements apart */
MULTIVERSION static void add_lines(int n, int lines, int step, const real *X, real *y) {
  VECTOR_LOOP
  for (int i = 0; i < n; i++) y[i] = X[i];
  for (int j = 1; j < lines; j++) {
    X += step;
    VECTOR_LOOP
    for (int i = 0; i < n; i++) y[i] += X[i];
  }
}

/* In double: float32 would lose the small terms of a long sum. */
MULTIVERSION static double sum(int n, const real *X) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) total += (double)X[k];
  return total;
}

MULTIVERSION static double sum_of_squares(int n, const real *X) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) total += (double)X[k] * (double)X[k];
  return total;
}

/* Without their signs the bits of reals are in the order of their magnitudes, NaN above infinity. */
MULTIVERSION static bool are_finite(int n, const real *X) {
  RealView infinite = {.value = (real)INFINITY};
  RealBits highest = 0;
#pragma omp simd reduction(max : highest)
  for (int k = 0; k < n; k++) {
    RealView x = {.value = X[k]};
    RealBits magnitude = x.bits << 1;
    highest = magnitude > highest ? magnitude : highest;
  }
  return highest < infinite.bits << 1;
}

static real largest(int n, const real *X) {
  real best = X[0];
  for (int k = 1; k < n; k++) {
    if (X[k] > best || X[k] != X[k]) best = X[k];
    if (best != best) break;
  }
  return best;
}

static real smallest(int n, const real *X) {
  real best = X[0];
  for (int k = 1; k < n; k++) {
    if (X[k] < best || X[k] != X[k]) best = X[k];
    if (best != best) break;
  }
  return best;
}

/* Squares may be out of a double's range where the norm is not: then elements are divided by the largest first. */
static double norm(int n, const real *X) {
  double total = sum_of_squares(n, X);
  bool is_exact = total > DBL_MIN / DBL_EPSILON && total <= DBL_MAX;
  if (is_exact || total != total) return sqrt(total);
  double high = (double)largest(n, X);
  double low = (double)smallest(n, X);
  double scale = high > -low ? high : -low;
  if (scale == 0 || scale > DBL_MAX) return scale;
  total = 0;
  for (int k = 0; k < n; k++) {
    double share = (double)X[k] / scale;
    total += share * share;
  }
  return scale * sqrt(total);
}

/* y[j] = the sum of the j-th run of n neighbours */
static void sum_lines(int n, int lines, const real *X, real *y) {
  for (int j = 0; j < lines; j++, X += n) y[j] = (real)sum(n, X);
}

void sum_columns(const Matrix *X, int first, int count, real *b) {
  const real *data = X->data + matrix_index(X, first, 0);
  if (X->order == BY_COLUMNS)
    add_lines(count, X->cols, X->rows, data, b + first);
  else
    sum_lines(X->cols, count, data, b + first);
}

static void sum_rows(const Matrix *X, real *r) {
  if (X->order == BY_COLUMNS)
    sum_lines(X->rows, X->cols, X->data, r);
  else
    add_lines(X->cols, X->rows, X->cols, X->data, r);
}

/* The row of the largest element of column j, or -1 where the column holds NaN */
static int largest_row(const Matrix *X, int j) {
  int best = 0;
  for (int i = 0; i < X->rows; i++) {
    real x = X->data[matrix_index(X, i, j)];
    if (x != x) return -1;
    if (x > X->data[matrix_index(X, best, j)]) best = i;
  }
  return best;
}


/* Bindings */

/* sum_columns(b, X) --> b = X J_N */
static int reduce_sum_columns(lua_State *L) {
  Matrix *b = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  matrix_check_shape(L, 1, X->rows, 1);
  matrix_check_distinct(L, 1, b, 2, X);

  sum_columns(X, 0, X->rows, b->data);
  lua_settop(L, 1);
  return 1;
}

/* sum_rows(r, X) --> r */
static int reduce_sum_rows(lua_State *L) {
  Matrix *r = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  matrix_check_shape(L, 1, 1, X->cols);
  matrix_check_distinct(L, 1, r, 2, X);

  sum_rows(X, r->data);
  lua_settop(L, 1);
  return 1;
}

/* M:sum() --> number */
static int reduce_sum(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, sum(matrix_size(M), M->data));
  return 1;
}

/* M:norm() --> number */
static int reduce_norm(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, norm(matrix_size(M), M->data));
  return 1;
}

/* M:max() --> number */
static int reduce_max(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, (lua_Number)largest(matrix_size(M), M->data));
  return 1;
}

/* M:min() --> number */
static int reduce_min(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, (lua_Number)smallest(matrix_size(M), M->data));
  return 1;
}

/* M:is_finite() --> boolean */
static int reduce_is_finite(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushboolean(L, are_finite(matrix_size(M), M->data));
  return 1;
}

/* M:argmax([result]) --> 1 x cols */
static int reduce_argmax(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  luaL_argcheck(L, (int64_t)M->rows <= (int64_t)2 << REAL_MANTISSA, 1,
                "fewer rows expected: the elements of the result could not count them");
  Matrix *result = lua_isnoneornil(L, 2) ? NULL : matrix_check_shape(L, 2, 1, M->cols);
  if (result != NULL) matrix_check_distinct(L, 2, result, 1, M);
  for (int j = 0; j < M->cols; j++) {
    if (largest_row(M, j) < 0) {
      return luaL_error(L, "numbers expected, got NaN in column %d", j + 1);
    }
  }
  if (result == NULL)
    result = matrix_new(L, 1, M->cols, BY_COLUMNS);
  else
    lua_settop(L, 2);

  for (int j = 0; j < M->cols; j++) result->data[j] = (real)(largest_row(M, j) + 1);
  return 1;
}

/* count_equal(A, B) --> how many elements are equal */
static int reduce_count_equal(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *B = matrix_check_shape(L, 2, A->rows, A->cols);
  B = matrix_in_order(L, B, A->order);

  int count = 0;
  for (int k = 0; k < matrix_size(A); k++) count += A->data[k] == B->data[k];
  lua_pushinteger(L, count);
  return 1;
}

static const luaL_Reg functions[] = {
  {"count_equal", reduce_count_equal},
  {"sum_columns", reduce_sum_columns},
  {"sum_rows",    reduce_sum_rows   },
  {NULL,          NULL              },
};

static const luaL_Reg methods[] = {
  {"argmax",    reduce_argmax   },
  {"is_finite", reduce_is_finite},
  {"max",       reduce_max      },
  {"min",       reduce_min      },
  {"norm",      reduce_norm     },
  {"sum",       reduce_sum      },
  {NULL,        NULL            },
};

void reduce_open(lua_State *L) {
  matrix_register(L, functions);
  matrix_register_methods(L, methods);
}
