/*
** embedding.c - one feature as many: a label as a row of W, a number as waves or as steps of a
** staircase (Gorishniy et al. 2022). The feature is a row x, 1 x N; each has its backward beside
** it.
*/
#include "matrix.h"
#include "vector.h"

#define TWO_PI ((real)6.28318530717958647693)


/* Kernels */

/* sin(2 pi s) for |s| <= 1/4, by Taylor's series: the first term left out is below half an ulp */
static inline real sine_of_turns(real s) {
  static const double terms[] = {
    1.0,
    -1.0 / 6,
    1.0 / 120,
    -1.0 / 5040,
    1.0 / 362880,
    -1.0 / 39916800,
    1.0 / 6227020800,
    -1.0 / 1307674368000.0,
    1.0 / 355687428096000.0,
    -1.0 / 121645100408832000.0,
    1.0 / 51090942171709440000.0,
    -1.0 / 25852016738884976640000.0,
  };
  enum { COUNT = REAL_MANTISSA > 23 ? 12 : 7 };
  real y = TWO_PI * s;
  real square = y * y;
  real sum = (real)terms[COUNT - 1];
#pragma GCC unroll 16
  for (int k = COUNT - 2; k >= 0; k--) sum = sum * square + (real)terms[k];
  return y * sum;
}

/* P's column of x: k sines, then k cosines, of 2 pi c x. Whole turns are taken away exactly. */
MULTIVERSION static void waves(int k, const real *c, real x, real *p) {
  VECTOR_LOOP
  for (int l = 0; l < k; l++) {
    real turns = c[l] * x;
    real r = turns - floor(turns + (real)0.5);
    real folded = (real)0.25 - fabs(r);  // sin(2 pi (1/4 - |r|)) = cos(2 pi r)
    real inner = (real)0.25 - fabs(folded);
    p[l] = copysign(sine_of_turns(inner), r);
    p[k + l] = sine_of_turns(folded);
  }
}

/* The derivative by c x: of the sines the cosines, of the cosines less the sines, times 2 pi */
MULTIVERSION static void wave_slopes(int k, const real *h, const real *p, real *g) {
  VECTOR_LOOP
  for (int l = 0; l < k; l++) g[l] = TWO_PI * (h[l] * p[k + l] - h[k + l] * p[l]);
}

/*
** Element t of P's column: how much of the step from b_t to b_(t+1) lies below x, from 0 to 1. The
** first step has no lower end and the last no upper one, so that no x is beyond them.
*/
static inline real part_of_step(int steps, const real *b, real x, int t) {
  real part = (x - b[t]) / (b[t + 1] - b[t]);
  if (t > 0 && part < 0) return 0;
  if (t < steps - 1 && part > 1) return 1;
  return part;
}

/* Whether x is where that element grows with it */
static inline bool is_on_step(int steps, const real *b, real x, int t) {
  return (t == 0 || x >= b[t]) && (t == steps - 1 || x < b[t + 1]);
}


/* Runs, over samples */

typedef struct Encoding {
  int rows;               // of P and H
  const real *constants;  // c, or the ends of the steps
  const real *x;
  const real *H;
  const real *P;
  real *result;
} Encoding;

static void periodic_columns(void *context, int first, int last) {
  const Encoding *e = context;
  int k = e->rows / 2;
  for (int n = first; n < last; n++) waves(k, e->constants, e->x[n], e->result + n * e->rows);
}

static void periodic_slopes(void *context, int first, int last) {
  const Encoding *e = context;
  int k = e->rows / 2;
  for (int n = first; n < last; n++)
    wave_slopes(k, e->H + n * e->rows, e->P + n * e->rows, e->result + n * k);
}

static void staircase_columns(void *context, int first, int last) {
  const Encoding *e = context;
  for (int n = first; n < last; n++) {
    for (int t = 0; t < e->rows; t++)
      e->result[n * e->rows + t] = part_of_step(e->rows, e->constants, e->x[n], t);
  }
}

static void staircase_slopes(void *context, int first, int last) {
  const Encoding *e = context;
  const real *b = e->constants;
  for (int n = first; n < last; n++) {
    double sum = 0;
    for (int t = 0; t < e->rows; t++) {
      if (is_on_step(e->rows, b, e->x[n], t))
        sum += (double)(e->H[n * e->rows + t] / (b[t + 1] - b[t]));
    }
    e->result[n] = (real)sum;
  }
}

typedef struct Lookup {
  const real *labels;
  Matrix W;
  real *columns;  // W.cols x N
  int N;
} Lookup;

static void look_up(void *context, int first, int last) {
  const Lookup *u = context;
  int size = u->W.cols;
  for (int n = first; n < last; n++) {
    int label = (int)u->labels[n] - 1;
    for (int i = 0; i < size; i++)
      u->columns[n * size + i] = u->W.data[matrix_index(&u->W, label, i)];
  }
}

/* By one thread: several samples may have the same label. */
static void add_to_rows(void *context, int first, int last) {
  const Lookup *u = context;
  int size = u->W.cols;
  (void)first;
  (void)last;
  for (int n = 0; n < u->N; n++) {
    int label = (int)u->labels[n] - 1;
    for (int i = 0; i < size; i++)
      u->W.data[matrix_index(&u->W, label, i)] += u->columns[n * size + i];
  }
}

static void run(lua_State *L, const Encoding *e, int N, RangeTask task) {
  Encoding own = *e;
  pool_run_range(matrix_pool(L), N, pool_lines(e->rows), task, &own);
}


/* Bindings */

/* Argument `arg` is 1 x N, where N is the number of columns of M. */
static const Matrix *check_feature(lua_State *L, int arg, const Matrix *M) {
  return matrix_check_shape(L, arg, 1, M->cols);
}

/* periodic(P, c, x) --> P = (sin 2 pi c x, cos 2 pi c x) */
static int embedding_periodic(lua_State *L) {
  const Matrix *P = matrix_check(L, 1);
  const Matrix *c = matrix_check(L, 2);
  const Matrix *x = check_feature(L, 3, P);
  matrix_check_by_columns(L, 1, P);
  luaL_argcheck(L, P->rows % 2 == 0, 1, "an even number of rows expected");
  matrix_check_shape(L, 2, P->rows / 2, 1);
  matrix_check_distinct(L, 1, P, 2, c);
  matrix_check_distinct(L, 1, P, 3, x);

  Encoding e = {.rows = P->rows, .constants = c->data, .x = x->data, .result = P->data};
  run(L, &e, P->cols, periodic_columns);
  lua_settop(L, 1);
  return 1;
}

/* periodic_backward(G, H, P) --> G, the derivative by c x */
static int embedding_periodic_backward(lua_State *L) {
  const Matrix *G = matrix_check(L, 1);
  const Matrix *H = matrix_check_samples(L, 2, 2 * G->rows, G->cols);
  const Matrix *P = matrix_check_samples(L, 3, 2 * G->rows, G->cols);
  matrix_check_by_columns(L, 1, G);
  matrix_check_distinct(L, 1, G, 2, H);
  matrix_check_distinct(L, 1, G, 3, P);

  Encoding e = {.rows = H->rows, .H = H->data, .P = P->data, .result = G->data};
  run(L, &e, G->cols, periodic_slopes);
  lua_settop(L, 1);
  return 1;
}

/* Argument `arg`: the ends of `steps` steps, each above the one before */
static const Matrix *check_ends(lua_State *L, int arg, int steps) {
  const Matrix *ends = matrix_check_shape(L, arg, steps + 1, 1);
  for (int t = 0; t < steps; t++) {
    luaL_argcheck(L, ends->data[t] < ends->data[t + 1], arg,
                  "boundaries expected, each above the one before");
  }
  return ends;
}

/* piecewise_linear(P, boundaries, x) --> P */
static int embedding_staircase(lua_State *L) {
  const Matrix *P = matrix_check(L, 1);
  const Matrix *ends = check_ends(L, 2, P->rows);
  const Matrix *x = check_feature(L, 3, P);
  matrix_check_by_columns(L, 1, P);
  matrix_check_distinct(L, 1, P, 2, ends);
  matrix_check_distinct(L, 1, P, 3, x);

  Encoding e = {.rows = P->rows, .constants = ends->data, .x = x->data, .result = P->data};
  run(L, &e, P->cols, staircase_columns);
  lua_settop(L, 1);
  return 1;
}

/* piecewise_linear_backward(delta, H, boundaries, x) --> delta, 1 x N */
static int embedding_staircase_backward(lua_State *L) {
  const Matrix *delta = matrix_check(L, 1);
  const Matrix *H = matrix_check(L, 2);
  const Matrix *ends = check_ends(L, 3, H->rows);
  const Matrix *x = check_feature(L, 4, H);
  matrix_check_shape(L, 1, 1, H->cols);
  matrix_check_by_columns(L, 2, H);
  matrix_check_distinct(L, 1, delta, 2, H);
  matrix_check_distinct(L, 1, delta, 3, ends);
  matrix_check_distinct(L, 1, delta, 4, x);

  Encoding e = {.rows = H->rows, .constants = ends->data, .x = x->data, .H = H->data};
  e.result = delta->data;
  run(L, &e, H->cols, staircase_slopes);
  lua_settop(L, 1);
  return 1;
}

/* Argument `arg`, 1 x N, holds labels from 1 to `labels`. */
static const Matrix *check_labels(lua_State *L, int arg, const Matrix *M, int labels) {
  const Matrix *x = check_feature(L, arg, M);
  for (int n = 0; n < x->cols; n++) {
    real label = x->data[n];
    if (!(label >= 1 && label <= (real)labels && label == floor(label))) {
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "labels from 1 to %d expected, got %f in column %d", labels,
                                    real_to_number(label), n + 1));
    }
  }
  return x;
}

/* embed(A, W, x) --> A, whose column n is the row x_n of W */
static int embedding_embed(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *W = matrix_check(L, 2);
  matrix_check_size(L, 2, W, W->rows, A->rows);
  const Matrix *x = check_labels(L, 3, A, W->rows);
  matrix_check_by_columns(L, 1, A);
  matrix_check_distinct(L, 1, A, 2, W);
  matrix_check_distinct(L, 1, A, 3, x);

  Lookup u = {.labels = x->data, .W = *W, .columns = A->data, .N = A->cols};
  pool_run_range(matrix_pool(L), A->cols, pool_lines(A->rows), look_up, &u);
  lua_settop(L, 1);
  return 1;
}

/* embed_gradient(dJ_dW, H, x) --> dJ_dW, to whose row x_n column n of H was added */
static int embedding_gradient(lua_State *L) {
  const Matrix *dJ_dW = matrix_check(L, 1);
  const Matrix *H = matrix_check(L, 2);
  matrix_check_size(L, 2, H, dJ_dW->cols, H->cols);
  const Matrix *x = check_labels(L, 3, H, dJ_dW->rows);
  matrix_check_by_columns(L, 2, H);
  matrix_check_distinct(L, 1, dJ_dW, 2, H);
  matrix_check_distinct(L, 1, dJ_dW, 3, x);

  Lookup u = {.labels = x->data, .W = *dJ_dW, .columns = H->data, .N = H->cols};
  pool_run_range(matrix_pool(L), 1, 1, add_to_rows, &u);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"embed",                     embedding_embed             },
  {"embed_gradient",            embedding_gradient          },
  {"periodic",                  embedding_periodic          },
  {"periodic_backward",         embedding_periodic_backward },
  {"piecewise_linear",          embedding_staircase         },
  {"piecewise_linear_backward", embedding_staircase_backward},
  {NULL,                        NULL                        },
};

void embedding_open(lua_State *L) {
  matrix_register(L, functions);
}
