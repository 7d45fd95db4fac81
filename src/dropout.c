/*
** dropout.c - random elements dropped, in one pass. Which ones depends on the key alone: so
** backward drops the same ones without a mask in memory, and any number of threads does.
*/
#include "matrix.h"
#include "streams.h"

/*
** Elements that have random numbers of their own: so many begin anew with what key and place give
*/
#define BLOCK 4096

typedef struct Dropping {
  uint64_t key;
  uint32_t threshold;  // below it an element is dropped
  real scale;          // of elements that stay
  real shift;          // added to elements that stay
  real dropped;        // what the others become
  const real *X;
  real *A;
  int size;
} Dropping;


/* Kernels */

/* What is not a number stays visible where it is dropped, as in 0 x. */
static inline real drop(const Dropping *d, uint32_t drawn, real x) {
  bool is_kept = drawn >= d->threshold;
  return x * (is_kept ? d->scale : 0) + (is_kept ? d->shift : d->dropped);
}

MULTIVERSION static void drop_block(const Dropping *d, int block) {
  Streams streams;
  streams_seed(&streams, d->key, (uint64_t)block);
  const Dropping own = *d;
  int first = block * BLOCK;
  int n = own.size - first < BLOCK ? own.size - first : BLOCK;
  const real *X = own.X + first;
  real *A = own.A + first;
  uint32_t draws[STREAMS];
  int k = 0;
  for (; k + STREAMS <= n; k += STREAMS) {
    streams_draw(&streams, draws);
    VECTOR_LOOP
    for (int l = 0; l < STREAMS; l++) A[k + l] = drop(&own, draws[l], X[k + l]);
  }
  if (k == n) return;
  streams_draw(&streams, draws);
  for (int l = 0; k + l < n; l++) A[k + l] = drop(&own, draws[l], X[k + l]);
}

static void drop_blocks(void *context, int first, int last) {
  for (int block = first; block < last; block++) drop_block(context, block);
}


/* Bindings */

/* dropout(A, X, p, key, scale [, shift [, dropped]]) --> A */
static int dropout_dropout(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *X = matrix_check_shape(L, 2, A->rows, A->cols);
  lua_Number p = matrix_check_number(L, 3);
  luaL_argcheck(L, p >= 0 && p < 1, 3, "probability of 0 or more and below 1 expected");
  lua_Integer key = luaL_checkinteger(L, 4);
  Dropping d = {.key = (uint64_t)key, .threshold = (uint32_t)(p * 4294967296.0)};
  d.scale = matrix_check_element(L, 5);
  d.shift = lua_isnoneornil(L, 6) ? 0 : matrix_check_element(L, 6);
  d.dropped = lua_isnoneornil(L, 7) ? 0 : matrix_check_element(L, 7);
  matrix_check_by_columns(L, 1, A);
  matrix_check_by_columns(L, 2, X);
  matrix_check_aligned(L, 2, X, 1, A);

  d.X = X->data;
  d.A = A->data;
  d.size = matrix_size(A);
  int blocks = (d.size - 1) / BLOCK + 1;
  pool_run_range(matrix_pool(L), blocks, POOL_GRAIN / BLOCK, drop_blocks, &d);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"dropout", dropout_dropout},
  {NULL,      NULL           },
};

void dropout_open(lua_State *L) {
  matrix_register(L, functions);
}
