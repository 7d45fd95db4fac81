/*
** prelu.c - relu with a learned slope below 0 (He et al. 2015): a = x where x > 0, else slope x; a
** slope for each unit, or one for all.
*/
#include "matrix.h"
#include "reduce.h"
#include "vector.h"

enum {
  ROWS = 256,       // whose sums are kept on the stack
  LEAST_ROWS = 64,  // of a piece: fewer would be too short a run in each column
  COLUMNS = 8,      // terms at a time in the element type, as in sums of columns
  PRODUCTS = 256    // summed up at once where there is one slope
};

typedef struct Prelu {
  int rows;
  int cols;
  const real *slopes;
  bool has_one_slope;
  const real *X;
  const real *V;     // what is handed through: X forward, Delta backward
  real *Y;           // or NULL
  real *dJ_dslopes;  // or NULL
  bool adds;
} Prelu;


/* Kernels. y may be x or v. */

/* y = v where x > 0, else slope v, for columns that begin `ld` elements apart */
MULTIVERSION static void leak(int rows, int cols, int ld, const real *slopes, const real *x,
                              const real *v, real *y) {
  for (int j = 0; j < cols; j++, x += ld, v += ld, y += ld) {
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) y[i] = x[i] > 0 ? v[i] : slopes[i] * v[i];
  }
}

MULTIVERSION static void leak_alike(int n, real slope, const real *x, const real *v, real *y) {
  VECTOR_LOOP
  for (int i = 0; i < n; i++) y[i] = x[i] > 0 ? v[i] : slope * v[i];
}

/*
** sums = sums + delta x where x <= 0, for at most COLUMNS columns, which begin `ld` elements apart
*/
MULTIVERSION static void add_products(int rows, int cols, int ld, const real *delta, const real *x,
                                      double *sums) {
  real some[ROWS] = {0};
  for (int j = 0; j < cols; j++, delta += ld, x += ld) {
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) some[i] += delta[i] * (x[i] > 0 ? 0 : x[i]);
  }
  VECTOR_LOOP
  for (int i = 0; i < rows; i++) sums[i] += (double)some[i];
}

/* The sum of delta x where x <= 0 */
MULTIVERSION static double sum_products(int n, const real *delta, const real *x) {
  real products[PRODUCTS];
  double sum = 0;
  for (int first = 0; first < n; first += PRODUCTS) {
    int count = n - first < PRODUCTS ? n - first : PRODUCTS;
    VECTOR_LOOP
    for (int i = 0; i < count; i++)
      products[i] = delta[first + i] * (x[first + i] > 0 ? 0 : x[first + i]);
    sum += reduce_sum(count, products);
  }
  return sum;
}


/* Runs */

static void leak_columns(void *context, int first, int last) {
  const Prelu *p = context;
  int k = first * p->rows;
  leak(p->rows, last - first, p->rows, p->slopes, p->X + k, p->V + k, p->Y + k);
}

static void leak_elements(void *context, int first, int last) {
  const Prelu *p = context;
  leak_alike(last - first, *p->slopes, p->X + first, p->V + first, p->Y + first);
}

/* Y alone */
static void run_leak(Pool *pool, Prelu *p) {
  if (p->has_one_slope)
    pool_run_range(pool, p->rows * p->cols, POOL_GRAIN, leak_elements, p);
  else
    pool_run_range(pool, p->cols, pool_lines(p->rows), leak_columns, p);
}

/*
** dJ_dslope of some units, and their rows of Y: a few columns at a time, so that all is read once.
** The sums come first, because Y may be what they are made of.
*/
static void backward_rows(void *context, int first, int last) {
  const Prelu *p = context;
  for (int row = first; row < last; row += ROWS) {
    int count = last - row < ROWS ? last - row : ROWS;
    double sums[ROWS] = {0};
    for (int j = 0; j < p->cols; j += COLUMNS) {
      int columns = p->cols - j < COLUMNS ? p->cols - j : COLUMNS;
      int k = j * p->rows + row;
      add_products(count, columns, p->rows, p->V + k, p->X + k, sums);
      if (p->Y != NULL)
        leak(count, columns, p->rows, p->slopes + row, p->X + k, p->V + k, p->Y + k);
    }
    for (int i = 0; i < count; i++) {
      double before = p->adds ? (double)p->dJ_dslopes[row + i] : 0;
      p->dJ_dslopes[row + i] = (real)(before + sums[i]);
    }
  }
}

static double backward_elements(const void *context, int first, int last) {
  const Prelu *p = context;
  double sum = 0;
  for (int k = first; k < last; k += PRODUCTS) {
    int count = last - k < PRODUCTS ? last - k : PRODUCTS;
    sum += sum_products(count, p->V + k, p->X + k);
    if (p->Y != NULL) leak_alike(count, *p->slopes, p->X + k, p->V + k, p->Y + k);
  }
  return sum;
}

static void run_backward(Pool *pool, Prelu *p) {
  if (p->dJ_dslopes == NULL) {
    if (p->Y != NULL) run_leak(pool, p);
  } else if (p->has_one_slope) {
    volatile double sum = reduce_pieces(pool, p->rows * p->cols, POOL_GRAIN, backward_elements, p);
    FloatState host = float_state_change(FLOAT_PLAIN);
    *p->dJ_dslopes = (real)(sum + (p->adds ? (double)*p->dJ_dslopes : 0));
    float_state_change(host);
  } else {
    int rows = pool_lines(p->cols);
    pool_run_range(pool, p->rows, rows < LEAST_ROWS ? LEAST_ROWS : rows, backward_rows, p);
  }
}


/* Bindings */

/* Argument `arg`, slopes for matrices of so many rows: one for each, or one for all */
static Matrix *check_slopes(lua_State *L, int arg, int rows) {
  Matrix *slopes = matrix_check(L, arg);
  if (matrix_size(slopes) != 1) matrix_check_size(L, arg, slopes, rows, 1);
  return slopes;
}

/* prelu_forward(A, X, slopes) --> A = X where X > 0, else slopes (.) X; A may be X */
static int prelu_forward(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *X = matrix_check_samples(L, 2, A->rows, A->cols);
  const Matrix *slopes = check_slopes(L, 3, A->rows);
  matrix_check_by_columns(L, 1, A);
  matrix_check_aligned(L, 1, A, 2, X);
  matrix_check_distinct(L, 1, A, 3, slopes);

  Prelu prelu = {.rows = A->rows,
                 .cols = A->cols,
                 .slopes = slopes->data,
                 .has_one_slope = matrix_size(slopes) == 1,
                 .X = X->data,
                 .V = X->data,
                 .Y = A->data};
  run_leak(matrix_pool(L), &prelu);
  lua_settop(L, 1);
  return 1;
}

/*
** prelu_backward(Delta_below, dJ_dslopes, Delta, X, slopes [, adds]) --> Delta_below = Delta where
** X > 0, else slopes (.) Delta, and dJ_dslopes = the sums of Delta (.) X where X <= 0, or that plus
** what it held; both may be nil
*/
static int prelu_backward(lua_State *L) {
  const Matrix *Delta = matrix_check(L, 3);
  const Matrix *X = matrix_check_samples(L, 4, Delta->rows, Delta->cols);
  const Matrix *slopes = check_slopes(L, 5, Delta->rows);
  matrix_check_by_columns(L, 3, Delta);
  luaL_checkany(L, 1);
  luaL_checkany(L, 2);
  Matrix *below = lua_isnil(L, 1) ? NULL : matrix_check_samples(L, 1, Delta->rows, Delta->cols);
  Matrix *gradient = lua_isnil(L, 2) ? NULL : matrix_check_shape(L, 2, slopes->rows, slopes->cols);
  if (below != NULL) {
    matrix_check_aligned(L, 1, below, 3, Delta);
    matrix_check_aligned(L, 1, below, 4, X);
    matrix_check_distinct(L, 1, below, 5, slopes);
  }
  if (gradient != NULL) {
    if (below != NULL) matrix_check_distinct(L, 1, below, 2, gradient);
    matrix_check_distinct(L, 2, gradient, 3, Delta);
    matrix_check_distinct(L, 2, gradient, 4, X);
    matrix_check_distinct(L, 2, gradient, 5, slopes);
  }

  Prelu prelu = {.rows = Delta->rows,
                 .cols = Delta->cols,
                 .slopes = slopes->data,
                 .has_one_slope = matrix_size(slopes) == 1,
                 .X = X->data,
                 .V = Delta->data,
                 .Y = below == NULL ? NULL : below->data,
                 .dJ_dslopes = gradient == NULL ? NULL : gradient->data,
                 .adds = lua_toboolean(L, 6)};
  run_backward(matrix_pool(L), &prelu);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"prelu_backward", prelu_backward},
  {"prelu_forward",  prelu_forward },
  {NULL,             NULL          },
};

void prelu_open(lua_State *L) {
  matrix_register(L, functions);
}
