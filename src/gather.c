/*
** gather.c - chosen samples, side by side: mini-batches. Images stay bytes in memory until then.
*/
#include <string.h>

#include "matrix.h"
#include "octets.h"
#include "vector.h"

#define INDICES 512  // read from the table at once

/* What samples consist of: elements as X has them, those of the other type, bytes to be scaled */
typedef enum Elements { REALS, OTHER_REALS, BYTES } Elements;

/* Columns of X from samples */
typedef struct Gather {
  int rows;
  const int64_t *indices;
  const int64_t *following;  // what the table has a mini-batch later, or -1
  const char *samples;
  size_t sample_size;  // in bytes
  Elements elements;
  real scale;
  real *X;
} Gather;


/* Kernels */

MULTIVERSION static void bytes_to_reals(int n, const uint8_t *bytes, real scale, real *x) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) x[k] = (real)bytes[k] * scale;
}

MULTIVERSION static void others_to_reals(int n, const other_real *others, real *x) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) x[k] = (real)others[k];
}

/*
** Samples in random order come from memory far away: the next mini-batch's are on their way while
** this one is used.
*/
static void fetch(const char *sample, size_t size) {
  for (size_t k = 0; k < size; k += CACHE_LINE) __builtin_prefetch(sample + k);
}

static void gather_columns(void *context, int first, int last) {
  const Gather *g = context;
  size_t size = g->sample_size;
  for (int j = first; j < last; j++) {
    const char *sample = g->samples + (size_t)g->indices[j] * size;
    real *x = g->X + j * g->rows;
    if (g->following[j] >= 0) fetch(g->samples + (size_t)g->following[j] * size, size);
    switch (g->elements) {
    case REALS:
      memcpy(x, sample, size);
      break;
    case OTHER_REALS:
      others_to_reals(g->rows, (const void *)sample, x);
      break;
    case BYTES:
      bytes_to_reals(g->rows, (const uint8_t *)sample, g->scale, x);
      break;
    }
  }
}


/* Bindings */

static void check_range(lua_State *L, int arg, lua_Integer first, int count, int64_t samples) {
  if (first >= 1 && first <= samples && count <= samples - first + 1) return;
  luaL_argerror(L, arg,
                lua_pushfstring(L, "samples 1 to %I expected, got %d from %I on",
                                (LUAI_UACINT)samples, count, (LUAI_UACINT)first));
}

/*
** Raise unless elements first..first+count-1 of the table at `arg` are whole numbers from 1 to
** `samples`. Without a table the samples are first..first+count-1 themselves.
*/
static void check_indices(lua_State *L, int arg, lua_Integer first, int count, int64_t samples) {
  if (lua_isnil(L, arg)) {
    check_range(L, arg, first, count, samples);
    return;
  }
  luaL_checktype(L, arg, LUA_TTABLE);
  for (int j = 0; j < count; j++) {
    int is_integer = 0;
    if (first <= LUA_MAXINTEGER - j)
      lua_rawgeti(L, arg, first + j);
    else
      lua_pushnil(L);
    lua_Integer index = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || index < 1 || index > samples) {
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "samples 1 to %I expected, got %s as element %I",
                                    (LUAI_UACINT)samples, luaL_tolstring(L, -1, NULL),
                                    (LUAI_UACINT)((lua_Unsigned)first + (lua_Unsigned)j)));
    }
    lua_pop(L, 1);
  }
}

/*
** The sample at `position` of the table, or without one the sample `position`: counted from 0, or
** -1 where it is none of the samples
*/
static int64_t index_at(lua_State *L, int arg, lua_Integer position, int64_t samples) {
  lua_Integer index = position;
  if (!lua_isnil(L, arg)) {
    lua_rawgeti(L, arg, position);
    index = lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  return index >= 1 && index <= samples ? index - 1 : -1;
}

/*
** The samples of the table at `arg`, or without one of all, from `first` on, checked before, into
** the columns of X
*/
static void run(lua_State *L, Gather *g, const Matrix *X, int arg, lua_Integer first,
                int64_t samples) {
  int64_t indices[INDICES];
  int64_t following[INDICES];
  g->rows = X->rows;
  int cols;
  for (int done = 0; done < X->cols; done += cols) {
    cols = X->cols - done < INDICES ? X->cols - done : INDICES;
    g->X = X->data + done * X->rows;
    for (int j = 0; j < cols; j++) {
      lua_Integer position = first + done + j;
      bool has_following = position <= LUA_MAXINTEGER - X->cols;
      indices[j] = index_at(L, arg, position, samples);
      following[j] = has_following ? index_at(L, arg, position + X->cols, samples) : -1;
    }
    g->indices = indices;
    g->following = following;
    pool_run_range(matrix_pool(L), cols, pool_lines(g->rows), gather_columns, g);
  }
}

/* gather(X, S, indices [, first]) --> X; without indices, samples `first` and so on */
static int gather_gather(lua_State *L) {
  Matrix *X = matrix_check(L, 1);
  /* A matrix of the other core differs in nothing but what its data are. */
  const Matrix *other = luaL_testudata(L, 2, "perilune.matrix." OTHER_REAL_NAME);
  const Matrix *S = other != NULL ? other : matrix_check(L, 2);
  lua_Integer first = luaL_optinteger(L, 4, 1);
  matrix_check_size(L, 2, S, X->rows, S->cols);
  matrix_check_by_columns(L, 2, S);
  matrix_check_by_columns(L, 1, X);
  check_indices(L, 3, first, X->cols, S->cols);
  if (other == NULL) matrix_check_distinct(L, 1, X, 2, S);

  Gather g = {.samples = (const char *)S->data};
  g.elements = other != NULL ? OTHER_REALS : REALS;
  g.sample_size = (size_t)S->rows * (other != NULL ? sizeof(other_real) : sizeof(real));
  run(L, &g, X, 3, first, S->cols);
  lua_settop(L, 1);
  return 1;
}

/* gather_bytes(X, bytes, offset, scale, indices [, first]) --> X, likewise */
static int gather_bytes(lua_State *L) {
  Matrix *X = matrix_check(L, 1);
  size_t length = 0;
  const char *bytes = octets_check(L, 2, &length);
  lua_Integer offset = luaL_checkinteger(L, 3);
  real scale = matrix_check_element(L, 4);
  lua_Integer first = luaL_optinteger(L, 6, 1);
  matrix_check_by_columns(L, 1, X);
  luaL_argcheck(L, offset >= 0 && (size_t)offset <= length, 3, "offset within the bytes expected");
  int64_t samples = (int64_t)((length - (size_t)offset) / (size_t)X->rows);
  check_indices(L, 5, first, X->cols, samples);

  Gather g = {.samples = bytes + offset, .elements = BYTES, .scale = scale};
  g.sample_size = (size_t)X->rows;
  run(L, &g, X, 5, first, samples);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"gather",       gather_gather},
  {"gather_bytes", gather_bytes },
  {NULL,           NULL         },
};

void gather_open(lua_State *L) {
  matrix_register(L, functions);
}
