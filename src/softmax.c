/*
** softmax.c - what softmax is made of, and the logarithm of its denominator.
*/
#include "softmax.h"

#include "matrix.h"
#include "reduce.h"
#include "vector.h"


/* Kernels */

static inline void exponentials(int n, real *x) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) x[k] = vector_exp(x[k]);
}

static inline void subtract(int n, const real *z, real shift, real *x) {
  VECTOR_LOOP
  for (int i = 0; i < n; i++) x[i] = z[i] - shift;
}

MULTIVERSION void softmax_shift(int rows, int cols, const real *Z, real *X) {
  for (int j = 0; j < cols; j++, Z += rows, X += rows)
    subtract(rows, Z, reduce_largest(rows, Z), X);
}

MULTIVERSION void softmax_exponentials(int n, real *x) {
  exponentials(n, x);
}

MULTIVERSION double softmax_sum(int n, const real *z, real *shift) {
  enum { SPAN = 256 };
  real span[SPAN];
  *shift = reduce_largest(n, z);
  double total = 0;
  for (int first = 0; first < n; first += SPAN) {
    int count = n - first < SPAN ? n - first : SPAN;
    subtract(count, z + first, *shift, span);
    exponentials(count, span);
    total += reduce_sum(count, span);
  }
  return total;
}

typedef struct Columns {
  const Matrix *Z;
  real *r;
} Columns;

/*
** Where the largest z is infinite or NaN, so is the result: e^z is nothing beside it, or not a
** number.
*/
static void log_sums(void *context, int first, int last) {
  const Columns *c = context;
  int n = c->Z->rows;
  for (int j = first; j < last; j++) {
    real shift = 0;
    double sum = softmax_sum(n, c->Z->data + j * n, &shift);
    c->r[j] = shift - shift == 0 ? (real)((double)shift + log(sum)) : shift;
  }
}


/* Bindings */

/* log_sum_exp(r, Z) --> r, with r_n = log sum_i e^z_in */
static int softmax_log_sum_exp(lua_State *L) {
  Matrix *r = matrix_check(L, 1);
  const Matrix *Z = matrix_check(L, 2);
  matrix_check_by_columns(L, 2, Z);
  matrix_check_size(L, 1, r, 1, Z->cols);
  matrix_check_distinct(L, 1, r, 2, Z);

  Columns columns = {Z, r->data};
  pool_run_range(matrix_pool(L), Z->cols, pool_lines(Z->rows), log_sums, &columns);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"log_sum_exp", softmax_log_sum_exp},
  {NULL,          NULL               },
};

void softmax_open(lua_State *L) {
  matrix_register(L, functions);
}
