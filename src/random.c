/*
** random.c - a seeded generator userdata: xoshiro256++ (D. Blackman, S. Vigna, "Scrambled linear
** pseudorandom number generators", 2019), its state filled from the seed by splitmix64, as they
** advise.
**
** A generator knows no element type: the cores share its metatable, and each tells there how its
** matrices are filled.
*/
#include <string.h>

#include "matrix.h"

#define GENERATOR   "perilune.generator"
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

/* Filling. What a and b mean depends on the distribution. */

typedef enum Distribution { UNIFORM, NORMAL } Distribution;

typedef struct Fill {
  Generator *g;
  const Matrix *M;
  Distribution distribution;
  double a;
  double b;
} Fill;

/* In [a, b) */
static void draw_uniform(const Fill *fill, int n, real *x) {
  double low = fill->a;
  double high = fill->b;
  double range = high - low;
  bool fits = range - range == 0;
  for (int k = 0; k < n; k++) {
    double u = next_double(fill->g);
    x[k] = (real)(fits ? low + range * u : low * (1 - u) + high * u);
    bool below = x[k] < (real)high || low == high;  // rounding may have reached `high`
    if (!below) x[k] = (real)low;
  }
}

/*
** Of mean a and deviation b, by G. Marsaglia's polar form of the Box-Muller transform: pairs of
** independent numbers
*/
static void draw_normal(const Fill *fill, int n, real *numbers) {
  for (int k = 0; k < n; k += 2) {
    double x = 0;
    double y = 0;
    double square = 0;
    do {
      x = 2 * next_double(fill->g) - 1;
      y = 2 * next_double(fill->g) - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = fill->b * sqrt(-2 * log(square) / square);
    numbers[k] = (real)(fill->a + factor * x);
    if (k + 1 < n) numbers[k + 1] = (real)(fill->a + factor * y);
  }
}

static void draw(const Fill *fill, int n, real *x) {
  switch (fill->distribution) {
  case UNIFORM:
    draw_uniform(fill, n, x);
    break;
  case NORMAL:
    draw_normal(fill, n, x);
    break;
  }
}

/*
** In the order of the columns, so that the same seed fills the paper's W alike however W is stored.
** By rows, some numbers are drawn at a time and put where they belong: a copy of all would be as
** large as a layer.
*/
static void fill_elements(void *context, int first, int last) {
  enum { SOME = 256 };  // even: normal numbers are drawn in pairs
  const Fill *fill = context;
  const Matrix *M = fill->M;
  if (M->order == BY_COLUMNS) {
    draw(fill, last - first, M->data + first);
    return;
  }
  real drawn[SOME];
  int i = 0;
  int j = 0;
  for (int count = 0; first < last; first += count) {
    count = last - first < SOME ? last - first : SOME;
    draw(fill, count, drawn);
    for (int k = 0; k < count; k++) {
      M->data[matrix_index(M, i, j)] = drawn[k];
      if (++i < M->rows) continue;
      i = 0;
      j++;
    }
  }
}

/* What this core lays in the generators' metatable */
static const RangeTask filler = fill_elements;


/* Bindings */

static Generator *generator_check(lua_State *L) {
  return luaL_checkudata(L, 1, GENERATOR);
}

static double check_finite(lua_State *L, int arg, double otherwise) {
  double x = luaL_optnumber(L, arg, otherwise);
  luaL_argcheck(L, x - x == 0, arg, "finite number expected");
  return x;
}

/*
** What fills the matrix at 2, which may be of any core. Upvalue 1 has a filler for the metatable of
** each core's matrices.
*/
static RangeTask check_filler(lua_State *L) {
  const RangeTask *task = NULL;
  if (lua_getmetatable(L, 2)) {
    lua_rawget(L, lua_upvalueindex(1));
    task = lua_touserdata(L, -1);
    lua_pop(L, 1);
  }
  if (task == NULL) {
    luaL_typeerror(L, 2, "perilune.matrix");
    return NULL;
  }
  return *task;
}

/* Fill the matrix at 2 in one piece, because each draw follows from the one before. */
static int fill_matrix(lua_State *L, RangeTask task, Fill fill) {
  fill.M = lua_touserdata(L, 2);
  int n = matrix_size(fill.M);
  pool_run_range(matrix_pool(L), n, n, task, &fill);
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
  RangeTask task = check_filler(L);
  double low = check_finite(L, 3, 0);
  double high = check_finite(L, 4, 1);
  luaL_argcheck(L, low <= high, 4, "number not below the lower bound expected");

  return fill_matrix(L, task, (Fill){.g = g, .distribution = UNIFORM, .a = low, .b = high});
}

/* g:normal(M [, mean [, deviation]]) --> M */
static int random_normal(lua_State *L) {
  Generator *g = generator_check(L);
  RangeTask task = check_filler(L);
  double mean = check_finite(L, 3, 0);
  double deviation = check_finite(L, 4, 1);
  luaL_argcheck(L, deviation >= 0, 4, "number >= 0 expected");

  return fill_matrix(L, task, (Fill){.g = g, .distribution = NORMAL, .a = mean, .b = deviation});
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
  {"integer",     random_integer    },
  {"normal",      random_normal     },
  {"number",      random_number     },
  {"permutation", random_permutation},
  {"restore",     random_restore    },
  {"state",       random_state      },
  {"uniform",     random_uniform    },
  {NULL,          NULL              },
};

/* Done anew by each core, so that one whose loading broke off leaves nothing half done. */
void random_open(lua_State *L) {
  matrix_register(L, functions);
  luaL_newmetatable(L, GENERATOR);
  lua_pushliteral(L, "generator");
  lua_setfield(L, -2, "__metatable");
  luaL_newlibtable(L, methods);
  luaL_getsubtable(L, -2, "fillers");
  luaL_getmetatable(L, MATRIX);
  lua_pushlightuserdata(L, (void *)(uintptr_t)&filler);
  lua_rawset(L, -3);
  pool_push(L);
  luaL_setfuncs(L, methods, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
