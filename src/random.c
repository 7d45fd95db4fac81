/*
** random.c - a seeded generator userdata: xoshiro256++ (D. Blackman, S. Vigna, "Scrambled linear
** pseudorandom number generators", 2019), its state filled from the seed by splitmix64, as they
** advise.
*/
#include <string.h>

#include "matrix.h"

#define GENERATOR   "perilune.generator." REAL_NAME
#define WORD_DIGITS 16  // hexadecimal, of one word of the state

typedef struct Generator {
  uint64_t s[4];
} Generator;


/* The algorithm */

static uint64_t rotate_left(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static uint64_t next(Generator *g) {
  uint64_t *s = g->s;
  uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
  uint64_t shifted = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = rotate_left(s[3], 45);
  return result;
}

static void seed(Generator *g, uint64_t seed) {
  for (int k = 0; k < 4; k++) {
    seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = seed;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    g->s[k] = z ^ z >> 31;
  }
}

/* Uniform in [0, 1), a multiple of 2^-53 */
static double next_double(Generator *g) {
  return (double)(next(g) >> 11) * 0x1p-53;
}

/* Uniform in 0..n-1; draws that would favour small numbers are thrown away. */
static uint64_t next_below(Generator *g, uint64_t n) {
  uint64_t unfair = (0 - n) % n;  // 2^64 mod n
  uint64_t draw = next(g);
  while (draw < unfair) draw = next(g);
  return draw % n;
}

/* Numbers for the elements of a matrix; what a and b mean depends on the distribution. */
typedef struct Draw {
  Generator *g;
  double a;
  double b;
  real *M;
} Draw;

/* In [a, b) */
static void fill_uniform(void *context, int first, int last) {
  const Draw *draw = context;
  double low = draw->a;
  double high = draw->b;
  double range = high - low;
  bool fits = range - range == 0;
  for (int k = first; k < last; k++) {
    double u = next_double(draw->g);
    real x = (real)(fits ? low + range * u : low * (1 - u) + high * u);
    bool below = x < (real)high || low == high;  // rounding may have reached `high`
    draw->M[k] = below ? x : (real)low;
  }
}

/*
** Of mean a and deviation b, by G. Marsaglia's polar form of the Box-Muller transform: pairs of
** independent numbers
*/
static void fill_normal(void *context, int first, int last) {
  const Draw *draw = context;
  for (int k = first; k < last; k += 2) {
    double x = 0;
    double y = 0;
    double square = 0;
    do {
      x = 2 * next_double(draw->g) - 1;
      y = 2 * next_double(draw->g) - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = draw->b * sqrt(-2 * log(square) / square);
    draw->M[k] = (real)(draw->a + factor * x);
    if (k + 1 < last) draw->M[k + 1] = (real)(draw->a + factor * y);
  }
}

/* Inverted dropout with probability a: expectation 1 */
static void fill_dropout(void *context, int first, int last) {
  const Draw *draw = context;
  real kept = (real)(1 / (1 - draw->a));
  for (int k = first; k < last; k++) draw->M[k] = next_double(draw->g) < draw->a ? 0 : kept;
}

/* A matrix to fill, and how */
typedef struct Fill {
  const Matrix *M;
  RangeTask distribution;
  Draw draw;
} Fill;

/*
** In the order of the columns, so that the same seed fills the paper's W alike however W is stored.
** By rows, some numbers are drawn at a time and put where they belong: a copy of all would be as
** large as a layer.
*/
static void fill_elements(void *context, int first, int last) {
  enum { SOME = 256 };  // even: normal numbers are drawn in pairs
  const Fill *fill = context;
  const Matrix *M = fill->M;
  Draw draw = fill->draw;
  if (M->order == BY_COLUMNS) {
    draw.M = M->data;
    fill->distribution(&draw, first, last);
    return;
  }
  real drawn[SOME];
  draw.M = drawn;
  int i = 0;
  int j = 0;
  for (int count = 0; first < last; first += count) {
    count = last - first < SOME ? last - first : SOME;
    fill->distribution(&draw, 0, count);
    for (int k = 0; k < count; k++) {
      M->data[matrix_index(M, i, j)] = drawn[k];
      if (++i < M->rows) continue;
      i = 0;
      j++;
    }
  }
}


/* Bindings */

static Generator *generator_check(lua_State *L) {
  return luaL_checkudata(L, 1, GENERATOR);
}

static double check_finite(lua_State *L, int arg, double otherwise) {
  double x = luaL_optnumber(L, arg, otherwise);
  luaL_argcheck(L, x - x == 0, arg, "finite number expected");
  return x;
}

/* Fill M in one piece, because each draw follows from the one before. */
static int fill_matrix(lua_State *L, const Matrix *M, RangeTask distribution, Generator *g,
                       double a, double b) {
  Fill fill = {
    M, distribution, {g, a, b, NULL}
  };
  int n = matrix_size(M);
  pool_run_range(matrix_pool(L), n, n, fill_elements, &fill);
  lua_settop(L, 2);
  return 1;
}

/* generator([seed]) --> g */
static int random_generator(lua_State *L) {
  lua_Integer start = luaL_optinteger(L, 1, 1);
  Generator *g = lua_newuserdatauv(L, sizeof(Generator), 0);
  seed(g, (uint64_t)start);
  luaL_setmetatable(L, GENERATOR);
  return 1;
}

/* g:uniform(M [, low [, high]]) --> M */
static int random_uniform(lua_State *L) {
  Generator *g = generator_check(L);
  const Matrix *M = matrix_check(L, 2);
  double low = check_finite(L, 3, 0);
  double high = check_finite(L, 4, 1);
  luaL_argcheck(L, low <= high, 4, "number not below the lower bound expected");

  return fill_matrix(L, M, fill_uniform, g, low, high);
}

/* g:normal(M [, mean [, deviation]]) --> M */
static int random_normal(lua_State *L) {
  Generator *g = generator_check(L);
  Matrix *M = matrix_check(L, 2);
  double mean = check_finite(L, 3, 0);
  double deviation = check_finite(L, 4, 1);
  luaL_argcheck(L, deviation >= 0, 4, "number >= 0 expected");

  return fill_matrix(L, M, fill_normal, g, mean, deviation);
}

/* g:dropout(M, p) --> M */
static int random_dropout(lua_State *L) {
  Generator *g = generator_check(L);
  Matrix *M = matrix_check(L, 2);
  double p = luaL_checknumber(L, 3);
  luaL_argcheck(L, p >= 0 && p < 1, 3, "probability in [0, 1) expected");

  return fill_matrix(L, M, fill_dropout, g, p, 0);
}

/* g:permutation(n) --> table, of 1..n or the table n, by the Fisher-Yates shuffle */
static int random_permutation(lua_State *L) {
  Generator *g = generator_check(L);
  lua_Integer n = 0;
  if (lua_istable(L, 2)) {
    n = (lua_Integer)lua_rawlen(L, 2);
    lua_settop(L, 2);
  } else {
    n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 0 && n <= INT32_MAX, 2, "count from 0 to 2^31 - 1 expected");
    lua_createtable(L, (int)n, 0);
    for (lua_Integer k = 1; k <= n; k++) {
      lua_pushinteger(L, k);
      lua_rawseti(L, -2, k);
    }
  }
  int table = lua_gettop(L);
  for (lua_Integer k = n; k > 1; k--) {
    lua_Integer chosen = 1 + (lua_Integer)next_below(g, (uint64_t)k);
    lua_rawgeti(L, table, k);
    lua_rawgeti(L, table, chosen);
    lua_rawseti(L, table, k);
    lua_rawseti(L, table, chosen);
  }
  return 1;
}

/* g:number() --> number in [0, 1) */
static int random_number(lua_State *L) {
  lua_pushnumber(L, next_double(generator_check(L)));
  return 1;
}

/* g:integer(low, high) --> integer in low..high */
static int random_integer(lua_State *L) {
  Generator *g = generator_check(L);
  lua_Integer low = luaL_checkinteger(L, 2);
  lua_Integer high = luaL_checkinteger(L, 3);
  luaL_argcheck(L, low <= high, 3, "integer not below the lower bound expected");

  uint64_t span = (uint64_t)high - (uint64_t)low;
  uint64_t draw = span == UINT64_MAX ? next(g) : next_below(g, span + 1);
  draw += (uint64_t)low;  // modulo 2^64, as the span was
  lua_pushinteger(L, (lua_Integer)draw);
  return 1;
}

/* g:state() --> string */
static int random_state(lua_State *L) {
  const Generator *g = generator_check(L);
  static const char digits[] = "0123456789abcdef";
  char state[4 * WORD_DIGITS];
  for (int k = 0; k < 4 * WORD_DIGITS; k++) {
    int shift = 60 - 4 * (k % WORD_DIGITS);
    state[k] = digits[g->s[k / WORD_DIGITS] >> shift & 15];
  }
  lua_pushlstring(L, state, sizeof state);
  return 1;
}

/* g:restore(state) --> g */
static int random_restore(lua_State *L) {
  Generator *g = generator_check(L);
  size_t length = 0;
  const char *state = luaL_checklstring(L, 2, &length);
  uint64_t s[4] = {0};
  bool valid = length == 4 * WORD_DIGITS;
  for (size_t k = 0; valid && k < length; k++) {
    static const char digits[] = "0123456789abcdef";
    const char *digit = state[k] == '\0' ? NULL : strchr(digits, state[k]);
    valid = digit != NULL;
    if (valid) s[k / WORD_DIGITS] = s[k / WORD_DIGITS] << 4 | (uint64_t)(digit - digits);
  }
  luaL_argcheck(L, valid && (s[0] | s[1] | s[2] | s[3]) != 0, 2,
                "state of 64 hexadecimal digits, not all 0, expected");

  memcpy(g->s, s, sizeof s);
  lua_settop(L, 1);
  return 1;
}

/* g:copy() --> a generator that gives the same numbers */
static int random_copy(lua_State *L) {
  const Generator *g = generator_check(L);
  Generator *copy = lua_newuserdatauv(L, sizeof(Generator), 0);
  *copy = *g;
  luaL_setmetatable(L, GENERATOR);
  return 1;
}

/* g:assign(other) --> g, which goes on as the other would */
static int random_assign(lua_State *L) {
  Generator *g = generator_check(L);
  *g = *(const Generator *)luaL_checkudata(L, 2, GENERATOR);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"generator", random_generator},
  {NULL,        NULL            },
};

static const luaL_Reg methods[] = {
  {"assign",      random_assign     },
  {"copy",        random_copy       },
  {"dropout",     random_dropout    },
  {"integer",     random_integer    },
  {"normal",      random_normal     },
  {"number",      random_number     },
  {"permutation", random_permutation},
  {"restore",     random_restore    },
  {"state",       random_state      },
  {"uniform",     random_uniform    },
  {NULL,          NULL              },
};

void random_open(lua_State *L) {
  matrix_register(L, functions);
  luaL_newmetatable(L, GENERATOR);
  lua_pushliteral(L, "generator");
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  matrix_register(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
