/*
** reduce.c - many elements to few: sums, norm, extremes. In an order that depends on the shape
** alone.
*/
#include "reduce.h"

#include <math.h>

#include "vector.h"

/* Of a result that is put together from pieces: few enough for the stack */
#define MOST_PIECES 64

/* Rows of a piece, at least: shorter stretches of the columns are read slowly. */
#define LEAST_ROWS 512


/* Kernels */

/*
** Add to the totals n neighbours of each line; lines begin `stride` elements apart. In double, as
** reduce_sum does, because a long sum in float32 loses the digits of each further line; but eight
** lines together in real, which costs little in digits and saves most of the conversions.
*/
MULTIVERSION static void add_lines(int n, int lines, int stride, const real *X, double *totals) {
  int j = 0;
  for (; j + 8 <= lines; j += 8) {
    const real *x = X + j * stride;
    VECTOR_LOOP
    for (int i = 0; i < n; i++) {
      real four = (x[i] + x[i + stride]) + (x[i + 2 * stride] + x[i + 3 * stride]);
      real more = (x[i + 4 * stride] + x[i + 5 * stride]) + (x[i + 6 * stride] + x[i + 7 * stride]);
      totals[i] += (double)(four + more);
    }
  }
  for (; j < lines; j++) {
    const real *x = X + j * stride;
    VECTOR_LOOP
    for (int i = 0; i < n; i++) totals[i] += (double)x[i];
  }
}

/* y[i] = the sum over j of X[j * stride + i] for j = 0..lines-1, or y[i] plus that sum */
static void sum_lines(int n, int lines, int stride, const real *X, bool adds, real *y) {
  double totals[LEAST_ROWS];
  for (int first = 0; first < n; first += LEAST_ROWS) {
    int count = n - first < LEAST_ROWS ? n - first : LEAST_ROWS;
    for (int i = 0; i < count; i++) totals[i] = adds ? (double)y[first + i] : 0;
    add_lines(count, lines, stride, X + first, totals);
    for (int i = 0; i < count; i++) y[first + i] = (real)totals[i];
  }
}

/* Add to the totals the squares of what the lines, as in add_lines, are off the means. */
MULTIVERSION static void add_squares(int n, int lines, int stride, const real *X,
                                     const double *means, double *totals) {
  for (int j = 0; j < lines; j++) {
    const real *x = X + j * stride;
    VECTOR_LOOP
    for (int i = 0; i < n; i++) {
      double off = (double)x[i] - means[i];
      totals[i] += off * off;
    }
  }
}

/* y[j] = the sum of the j-th line, of n neighbours, or y[j] plus that sum */
static void sum_each_line(int n, int lines, const real *X, bool adds, real *y) {
  for (int j = 0; j < lines; j++, X += n)
    y[j] = (real)((adds ? (double)y[j] : 0) + reduce_sum(n, X));
}

MULTIVERSION double reduce_sum_of_many(int n, const real *X) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) total += (double)X[k];
  return total;
}

MULTIVERSION real reduce_largest_of_many(int n, const real *X) {
  real best = X[0];
  RealBits has_nan = 0;
#pragma omp simd reduction(max : best) reduction(| : has_nan)
  for (int k = 0; k < n; k++) {
    best = X[k] > best ? X[k] : best;
    has_nan |= X[k] != X[k];
  }
  return has_nan ? (real)NAN : best;
}

static double sum(const void *context, int first, int last) {
  return reduce_sum(last - first, (const real *)context + first);
}

MULTIVERSION static double sum_of_squares(const void *context, int first, int last) {
  const real *X = context;
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = first; k < last; k++) total += (double)X[k] * (double)X[k];
  return total;
}

typedef struct Scaled {
  const real *X;
  double scale;
} Scaled;

/* Sum of (x / scale)^2 */
static double sum_of_scaled_squares(const void *context, int first, int last) {
  const Scaled *s = context;
  double total = 0;
  for (int k = first; k < last; k++) {
    double scaled = (double)s->X[k] / s->scale;
    total += scaled * scaled;
  }
  return total;
}

/* 1 if an element is NaN or infinite. Without their signs the bits of reals are in the order of
   their magnitudes, NaN above infinity. */
MULTIVERSION static double has_nonfinite(const void *context, int first, int last) {
  const real *X = context;
  RealView infinite = {.value = (real)INFINITY};
  RealBits highest = 0;
#pragma omp simd reduction(max : highest)
  for (int k = first; k < last; k++) {
    RealView x = {.value = X[k]};
    RealBits magnitude = x.bits << 1;
    highest = magnitude > highest ? magnitude : highest;
  }
  return highest >= infinite.bits << 1;
}

static double largest(const void *context, int first, int last) {
  return (double)reduce_largest(last - first, (const real *)context + first);
}

/* NaN if an element is */
MULTIVERSION static double smallest(const void *context, int first, int last) {
  const real *X = context;
  real best = X[first];
  RealBits has_nan = 0;
#pragma omp simd reduction(min : best) reduction(| : has_nan)
  for (int k = first; k < last; k++) {
    best = X[k] < best ? X[k] : best;
    has_nan |= X[k] != X[k];
  }
  return (double)(has_nan ? (real)NAN : best);
}

typedef struct Pair {
  const Matrix *A;
  const Matrix *B;
} Pair;

static double equal_elements(const void *context, int first, int last) {
  const Pair *p = context;
  int count = 0;
  for (int k = first; k < last; k++) count += p->A->data[k] == p->B->data[k];
  return count;
}

/*
** The row of the largest element of column j, or with a sign of -1 of the smallest; -1 where the
** column holds NaN
*/
static int extreme_row(const Matrix *X, int j, real sign) {
  const real *x = X->data + matrix_index(X, 0, j);
  int stride = X->order == BY_ROWS ? X->cols : 1;
  real most = sign * x[0];
  int best = 0;
  for (int i = 0; i < X->rows; i++, x += stride) {
    if (*x != *x) return -1;
    if (sign * *x > most) {
      most = sign * *x;
      best = i;
    }
  }
  return best;
}

/* The first of columns first..last-1 that holds NaN, or infinity */
static double nan_column(const void *context, int first, int last) {
  const Matrix *X = context;
  for (int j = first; j < last; j++) {
    if (extreme_row(X, j, 1) < 0) return j;
  }
  return INFINITY;
}


/* Pieces */

/* Of what two pieces contribute; NaN if one is. */
static double add(double a, double b) {
  return a + b;
}

static double larger(double a, double b) {
  return a > b || a != a ? a : b;
}

static double smaller(double a, double b) {
  return a < b || a != a ? a : b;
}

typedef struct Pieces {
  Contribution contribution;
  const void *context;
  int size;                   // elements of each
  double found[MOST_PIECES];  // what each contributes
} Pieces;

static void find(void *context, int first, int last) {
  Pieces *pieces = context;
  pieces->found[first / pieces->size] = pieces->contribution(pieces->context, first, last);
}

/* What 0..n-1 contribute, put together in the order of the pieces */
static double fold(Pool *pool, int n, int grain, Contribution contribution, const void *context,
                   double (*together)(double, double)) {
  int least_grain = n / MOST_PIECES + 1;
  if (grain < least_grain) grain = least_grain;
  Pieces pieces;
  pieces.contribution = contribution;
  pieces.context = context;
  pieces.size = pool_piece(n, grain);
  pool_run_range(pool, n, grain, find, &pieces);
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double result = pieces.found[0];  // all is computed before the host's state is back
  int count = (n - 1) / pieces.size + 1;
  for (int k = 1; k < count; k++) result = together(result, pieces.found[k]);
  float_state_change(host);
  return result;
}

double reduce_pieces(Pool *pool, int n, int grain, Contribution contribution, const void *context) {
  return fold(pool, n, grain, contribution, context, add);
}

double reduce_matrix(Pool *pool, const Matrix *M) {
  return reduce_pieces(pool, matrix_size(M), POOL_GRAIN, sum, M->data);
}

/* All elements of M put together */
static double fold_elements(lua_State *L, const Matrix *M, Contribution contribution,
                            double (*together)(double, double)) {
  return fold(matrix_pool(L), matrix_size(M), POOL_GRAIN, contribution, M->data, together);
}

/*
** Squares may be out of a double's range where the norm is not: then elements are divided by the
** largest first.
*/
static double norm(lua_State *L, const Matrix *M) {
  double total = fold_elements(L, M, sum_of_squares, add);
  bool is_exact = total > DBL_MIN / DBL_EPSILON && total <= DBL_MAX;
  if (is_exact || total != total) return sqrt(total);
  double high = fold_elements(L, M, largest, larger);
  double low = fold_elements(L, M, smallest, smaller);
  Scaled scaled = {M->data, fmax(fabs(high), fabs(low))};
  if (scaled.scale < (double)REAL_SMALLEST) return 0;  // denormals count as 0, here too
  if (scaled.scale > DBL_MAX) return scaled.scale;
  total = reduce_pieces(matrix_pool(L), matrix_size(M), POOL_GRAIN, sum_of_scaled_squares, &scaled);
  return scaled.scale * sqrt(total);
}

void reduce_columns(const Matrix *X, int first, int count, bool adds, real *b) {
  const real *data = X->data + matrix_index(X, first, 0);
  if (X->order == BY_COLUMNS)
    sum_lines(count, X->cols, X->rows, data, adds, b + first);
  else
    sum_each_line(X->cols, count, data, adds, b + first);
}

typedef struct Sums {
  const Matrix *X;
  real *b;
} Sums;

static void sum_of_columns(void *context, int first, int last) {
  const Sums *s = context;
  reduce_columns(s->X, first, last - first, false, s->b);
}

/* b = X J_N */
static void run_sum_of_columns(lua_State *L, const Matrix *X, const Matrix *b) {
  Sums sums = {X, b->data};
  int rows = pool_lines(X->cols);
  pool_run_range(matrix_pool(L), X->rows, rows < LEAST_ROWS ? LEAST_ROWS : rows, sum_of_columns,
                 &sums);
}

/* What mean and deviation are of: the rows of X, each over its columns */
typedef struct Moments {
  const Matrix *X;
  bool deviation;  // else the mean
  double divisor;  // of the squares
  real *b;
} Moments;

/* Of at most LEAST_ROWS rows; the mean is found first, so that no digits cancel. */
static void moments_of_rows(const Moments *m, int first, int count) {
  double means[LEAST_ROWS];
  double squares[LEAST_ROWS];
  const Matrix *X = m->X;
  int N = X->cols;
  for (int i = 0; i < count; i++) means[i] = squares[i] = 0;
  if (X->order == BY_COLUMNS) {
    const real *data = X->data + matrix_index(X, first, 0);
    add_lines(count, N, X->rows, data, means);
    for (int i = 0; i < count; i++) means[i] /= N;
    if (m->deviation) add_squares(count, N, X->rows, data, means, squares);
  } else {
    for (int i = 0; i < count; i++) {
      const real *data = X->data + matrix_index(X, first + i, 0);
      means[i] = reduce_sum(N, data) / N;
      if (m->deviation) add_squares(1, N, 1, data, means + i, squares + i);
    }
  }
  for (int i = 0; i < count; i++)
    m->b[first + i] = (real)(m->deviation ? sqrt(squares[i] / m->divisor) : means[i]);
}

static void moments(void *context, int first, int last) {
  for (int i = first; i < last; i += LEAST_ROWS)
    moments_of_rows(context, i, last - i < LEAST_ROWS ? last - i : LEAST_ROWS);
}

typedef struct Extremes {
  const Matrix *X;
  real sign;
  real *result;
} Extremes;

static void extreme_rows(void *context, int first, int last) {
  const Extremes *e = context;
  for (int j = first; j < last; j++) e->result[j] = (real)(extreme_row(e->X, j, e->sign) + 1);
}


/* Bindings */

/* sum_columns(b, X) --> b = X J_N */
static int reduce_sum_columns(lua_State *L) {
  Matrix *b = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  matrix_check_shape(L, 1, X->rows, 1);
  matrix_check_distinct(L, 1, b, 2, X);

  run_sum_of_columns(L, X, b);
  lua_settop(L, 1);
  return 1;
}

/* sum_rows(r, X) --> r, which is J^t X */
static int reduce_sum_rows(lua_State *L) {
  Matrix *r = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  matrix_check_shape(L, 1, 1, X->cols);
  matrix_check_distinct(L, 1, r, 2, X);

  Matrix transposed = matrix_transposed(X);
  run_sum_of_columns(L, &transposed, r);
  lua_settop(L, 1);
  return 1;
}

/* The mean or the deviation of each row of X, or of each column, into argument 1 */
static int moments_into(lua_State *L, bool of_columns, bool deviation) {
  Matrix *b = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  int N = of_columns ? X->rows : X->cols;
  lua_Integer correction = deviation ? luaL_optinteger(L, 3, 0) : 0;
  matrix_check_shape(L, 1, of_columns ? 1 : X->rows, of_columns ? X->cols : 1);
  if (correction < 0 || correction >= N) {
    luaL_argerror(L, 3, lua_pushfstring(L, "a whole number from 0 to %d expected", N - 1));
  }
  matrix_check_distinct(L, 1, b, 2, X);

  Matrix seen = of_columns ? matrix_transposed(X) : *X;
  Moments m = {&seen, deviation, (double)(N - correction), b->data};
  int rows = pool_lines(seen.cols);
  pool_run_range(matrix_pool(L), seen.rows, rows < LEAST_ROWS ? LEAST_ROWS : rows, moments, &m);
  lua_settop(L, 1);
  return 1;
}

/* mean_columns(b, X) --> b, the mean of the columns */
static int reduce_mean_columns(lua_State *L) {
  return moments_into(L, false, false);
}

/* mean_rows(r, X) --> r, the mean of the rows */
static int reduce_mean_rows(lua_State *L) {
  return moments_into(L, true, false);
}

/* deviation_columns(b, X [, correction]) --> b, the standard deviation over the columns */
static int reduce_deviation_columns(lua_State *L) {
  return moments_into(L, false, true);
}

/* deviation_rows(r, X [, correction]) --> r, the standard deviation over the rows */
static int reduce_deviation_rows(lua_State *L) {
  return moments_into(L, true, true);
}

/* M:mean() --> number */
static int reduce_mean_of(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double mean = reduce_matrix(matrix_pool(L), M) / matrix_size(M);
  float_state_change(host);
  lua_pushnumber(L, mean);
  return 1;
}

/* M:sum() --> number */
static int reduce_sum_of(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, reduce_matrix(matrix_pool(L), M));
  return 1;
}

/* M:norm() --> number */
static int reduce_norm(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double result = norm(L, M);
  float_state_change(host);
  lua_pushnumber(L, result);
  return 1;
}

/* M:max() --> number */
static int reduce_max(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, fold_elements(L, M, largest, larger));
  return 1;
}

/* M:min() --> number */
static int reduce_min(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushnumber(L, fold_elements(L, M, smallest, smaller));
  return 1;
}

/* M:is_finite() --> boolean */
static int reduce_is_finite(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  lua_pushboolean(L, fold_elements(L, M, has_nonfinite, add) == 0);
  return 1;
}

/* The rows of the extreme elements of the columns of M, 1 x cols; of the largest with sign 1 */
static int extremes(lua_State *L, real sign) {
  const Matrix *M = matrix_check(L, 1);
  luaL_argcheck(L, (int64_t)M->rows <= (int64_t)2 << REAL_MANTISSA, 1,
                "fewer rows expected: the elements of the result could not count them");
  Matrix *result = lua_isnoneornil(L, 2) ? NULL : matrix_check_shape(L, 2, 1, M->cols);
  if (result != NULL) matrix_check_distinct(L, 2, result, 1, M);
  if (result == NULL)
    result = matrix_new(L, 1, M->cols, BY_COLUMNS);  // which may run finalisers that change M
  else
    lua_settop(L, 2);
  Pool *pool = matrix_pool(L);
  int columns = pool_lines(M->rows);
  double wrong = fold(pool, M->cols, columns, nan_column, M, smaller);
  if (wrong < M->cols)
    return luaL_error(L, "numbers expected, got NaN in column %d", (int)wrong + 1);

  Extremes e = {M, sign, result->data};
  pool_run_range(pool, M->cols, columns, extreme_rows, &e);
  return 1;
}

/* M:argmax([result]) --> 1 x cols */
static int reduce_argmax(lua_State *L) {
  return extremes(L, 1);
}

/* M:argmin([result]) --> 1 x cols */
static int reduce_argmin(lua_State *L) {
  return extremes(L, -1);
}

/* count_equal(A, B) --> how many elements are equal */
static int reduce_count_equal(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *B = matrix_check_shape(L, 2, A->rows, A->cols);
  Pair pair = {A, matrix_in_order(L, B, A->order)};

  double count = reduce_pieces(matrix_pool(L), matrix_size(A), POOL_GRAIN, equal_elements, &pair);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

static const luaL_Reg functions[] = {
  {"count_equal",       reduce_count_equal      },
  {"deviation_columns", reduce_deviation_columns},
  {"deviation_rows",    reduce_deviation_rows   },
  {"mean_columns",      reduce_mean_columns     },
  {"mean_rows",         reduce_mean_rows        },
  {"sum_columns",       reduce_sum_columns      },
  {"sum_rows",          reduce_sum_rows         },
  {NULL,                NULL                    },
};

static const luaL_Reg methods[] = {
  {"argmax",    reduce_argmax   },
  {"argmin",    reduce_argmin   },
  {"is_finite", reduce_is_finite},
  {"max",       reduce_max      },
  {"mean",      reduce_mean_of  },
  {"min",       reduce_min      },
  {"norm",      reduce_norm     },
  {"sum",       reduce_sum_of   },
  {NULL,        NULL            },
};

void reduce_open(lua_State *L) {
  matrix_register(L, functions);
  matrix_register_methods(L, methods);
}
