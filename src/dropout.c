/*
** dropout.c - random elements dropped, in one pass. Which ones depends on the key alone: so
** backward drops the same ones without a mask in memory, and any number of threads does.
*/
#include <string.h>

#include "matrix.h"
#include "vector.h"

/*
** Elements that have random numbers of their own: so many begin anew with what key and place give
*/
#define BLOCK 4096

/* Generators side by side, which a vector register holds */
#define LANES 16

/* xoshiro128++ (Blackman and Vigna 2021), LANES of them */
typedef struct Streams {
  uint32_t s[4][LANES];
} Streams;

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

/* splitmix64 (Steele et al. 2014) */
static uint64_t next_seed(uint64_t *state) {
  *state += 0x9E3779B97F4A7C15U;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

static void seed(Streams *streams, uint64_t key, int block) {
  uint64_t place = key + (uint64_t)block * 0xD1342543DE82EF95U;
  uint64_t state = next_seed(&place);
  for (int lane = 0; lane < LANES; lane++) {
    for (int word = 0; word < 4; word += 2) {
      uint64_t bits = next_seed(&state);
      streams->s[word][lane] = (uint32_t)bits;
      streams->s[word + 1][lane] = (uint32_t)(bits >> 32);
    }
  }
}

static inline uint32_t rotated(uint32_t x, int bits) {
  return x << bits | x >> (32 - bits);
}

static inline void draw(Streams *streams, uint32_t *draws) {
  uint32_t *s0 = streams->s[0];
  uint32_t *s1 = streams->s[1];
  uint32_t *s2 = streams->s[2];
  uint32_t *s3 = streams->s[3];
  VECTOR_LOOP
  for (int l = 0; l < LANES; l++) {
    draws[l] = rotated(s0[l] + s3[l], 7) + s0[l];
    uint32_t t = s1[l] << 9;
    s2[l] ^= s0[l];
    s3[l] ^= s1[l];
    s1[l] ^= s2[l];
    s0[l] ^= s3[l];
    s2[l] ^= t;
    s3[l] = rotated(s3[l], 11);
  }
}

/* What is not a number stays visible where it is dropped, as in 0 x. */
static inline real drop(const Dropping *d, uint32_t drawn, real x) {
  bool is_kept = drawn >= d->threshold;
  return x * (is_kept ? d->scale : 0) + (is_kept ? d->shift : d->dropped);
}

MULTIVERSION static void drop_block(const Dropping *d, int block) {
  Streams streams;
  seed(&streams, d->key, block);
  const Dropping own = *d;
  int first = block * BLOCK;
  int n = own.size - first < BLOCK ? own.size - first : BLOCK;
  const real *X = own.X + first;
  real *A = own.A + first;
  uint32_t draws[LANES];
  int k = 0;
  for (; k + LANES <= n; k += LANES) {
    draw(&streams, draws);
    VECTOR_LOOP
    for (int l = 0; l < LANES; l++) A[k + l] = drop(&own, draws[l], X[k + l]);
  }
  if (k == n) return;
  draw(&streams, draws);
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
