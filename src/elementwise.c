/*
** elementwise.c - whole-matrix arithmetic: in place (result first), and as operators that allocate.
*/
#include <string.h>

#include "matrix.h"
#include "product/product.h"
#include "vector.h"

/* C[k] from A[k] and B[k], or from A[k]; C may be A or B */
typedef void (*Binary)(int n, const real *A, const real *B, real *C);
typedef void (*Unary)(int n, const real *A, real *C);

/* Elements for which a repeated number is written out */
#define SPAN 256


/* Kernels */

MULTIVERSION static void add(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] + B[k];
}

MULTIVERSION static void subtract(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] - B[k];
}

MULTIVERSION static void hadamard(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] * B[k];
}

MULTIVERSION static void divide(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] / B[k];
}

MULTIVERSION static void maximum(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] > B[k] || A[k] != A[k] ? A[k] : B[k];
}

MULTIVERSION static void minimum(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] < B[k] || A[k] != A[k] ? A[k] : B[k];
}

/* 1 or 0, and 0 beside NaN */
MULTIVERSION static void less(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] < B[k] ? 1 : 0;
}

MULTIVERSION static void less_or_equal(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] <= B[k] ? 1 : 0;
}

MULTIVERSION static void equal(int n, const real *A, const real *B, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] == B[k] ? 1 : 0;
}

static void power(int n, const real *A, const real *B, real *C) {
  for (int k = 0; k < n; k++) C[k] = pow(A[k], B[k]);
}

MULTIVERSION static void absolute(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = fabs(A[k]);
}

MULTIVERSION static void exponential(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = vector_exp(A[k]);
}

MULTIVERSION static void logarithm(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = vector_log(A[k]);
}

MULTIVERSION static void sign(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = vector_sign(A[k]);
}

MULTIVERSION static void square_root(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = sqrt(A[k]);
}

MULTIVERSION static void square(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = A[k] * A[k];
}

MULTIVERSION static void hyperbolic_tangent(int n, const real *A, real *C) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) C[k] = vector_tanh(A[k]);
}

typedef struct Accumulation {
  real x;
  const real *A;
  real *C;
} Accumulation;

MULTIVERSION static void accumulate(void *context, int first, int last) {
  const Accumulation *a = context;
  real x = a->x;
  const real *A = a->A;
  real *C = a->C;
  VECTOR_LOOP
  for (int k = first; k < last; k++) C[k] += x * A[k];
}

typedef struct Clamping {
  real low;
  real high;
  const real *A;
  real *C;
} Clamping;

/* NaN stays NaN */
MULTIVERSION static void clamp(void *context, int first, int last) {
  const Clamping *c = context;
  real low = c->low;
  real high = c->high;
  const real *A = c->A;
  real *C = c->C;
  VECTOR_LOOP
  for (int k = first; k < last; k++) C[k] = A[k] < low ? low : A[k] > high ? high : A[k];
}

typedef struct Filling {
  real x;
  real *M;
} Filling;

MULTIVERSION static void fill(void *context, int first, int last) {
  const Filling *f = context;
  for (int k = first; k < last; k++) f->M[k] = f->x;
}


/* Operands, repeated as needed. C is seen as lines of `length` neighbours. */

typedef struct Operand {
  const real *data;
  int stride;       // within a line: 1, or 0 where one number serves the whole line
  int line_stride;  // from line to line: 0 where one line serves them all
  real number;
} Operand;

typedef struct Calculation {
  Binary binary;
  Operand A;
  Operand B;
  real *C;
  int length;
} Calculation;

/* Operand `arg` for a result of this shape and order; raises when it does not fit. */
static void check_operand(lua_State *L, int arg, int rows, int cols, Order order,
                          Operand *operand) {
  operand->stride = 0;
  operand->line_stride = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) {
    operand->number = real_of(lua_tonumber(L, arg));
    operand->data = NULL;
    return;
  }
  const Matrix *m = matrix_check(L, arg);
  bool full = m->rows == rows && m->cols == cols;
  bool column = m->rows == rows && m->cols == 1;
  bool row = m->rows == 1 && m->cols == cols;
  if (!full && !column && !row) {
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%d x %d, %d x 1 or 1 x %d matrix expected, got %d x %d", rows,
                                  cols, rows, cols, m->rows, m->cols));
  }
  int length = order == BY_COLUMNS ? rows : cols;
  operand->data = full ? matrix_in_order(L, m, order)->data : m->data;
  operand->stride = full || column == (order == BY_COLUMNS);
  operand->line_stride = full ? length : !operand->stride;
}

/*
** A pointer to n elements of the operand, from `first` of a line on; a number is written out in
** `span`.
*/
static const real *elements(const Operand *o, int line, int first, int n, real *span) {
  if (o->stride == 1) return o->data + line * o->line_stride + first;
  real number = o->data == NULL ? o->number : o->data[line * o->line_stride];
  for (int k = 0; k < n; k++) span[k] = number;
  return span;
}

static void calculate_line(const Calculation *c, int line, int first, int last) {
  real spanA[SPAN];
  real spanB[SPAN];
  bool whole = c->A.stride == 1 && c->B.stride == 1;
  for (int k = first; k < last;) {
    int n = whole || last - k < SPAN ? last - k : SPAN;
    const real *A = elements(&c->A, line, k, n, spanA);
    const real *B = elements(&c->B, line, k, n, spanB);
    c->binary(n, A, B, c->C + line * c->length + k);
    k += n;
  }
}

static void calculate(void *context, int first, int last) {
  const Calculation *c = context;
  int line = first / c->length;
  int begin = first - line * c->length;
  for (int left = last - first; left > 0; line++) {
    int end = c->length - begin < left ? c->length : begin + left;
    calculate_line(c, line, begin, end);
    left -= end - begin;
    begin = 0;
  }
}

static bool is_flat(const Operand *o, int length) {
  return (o->stride == 1 && o->line_stride == length) || (o->stride == 0 && o->data == NULL);
}

/* C = A op B, the operands having been checked */
static void run(lua_State *L, Binary binary, const Matrix *C, Operand A, Operand B) {
  int length = C->order == BY_COLUMNS ? C->rows : C->cols;
  Calculation c = {binary, A, B, C->data, length};
  if (is_flat(&A, length) && is_flat(&B, length)) c.length = matrix_size(C);
  pool_run_range(matrix_pool(L), matrix_size(C), POOL_GRAIN, calculate, &c);
}

typedef struct Mapping {
  Unary unary;
  const real *A;
  real *C;
} Mapping;

static void map(void *context, int first, int last) {
  const Mapping *m = context;
  m->unary(last - first, m->A + first, m->C + first);
}


/* Bindings */

/* op(C, A, B) --> C, in place */
static int in_place(lua_State *L, Binary binary) {
  Matrix *C = matrix_check(L, 1);
  Operand A;
  Operand B;
  check_operand(L, 2, C->rows, C->cols, C->order, &A);
  check_operand(L, 3, C->rows, C->cols, C->order, &B);
  for (int arg = 2; arg <= 3; arg++) {
    const Matrix *operand = matrix_test(L, arg);
    if (operand == NULL || (operand->order != C->order && operand->rows > 1 && operand->cols > 1)) {
      continue;  // a number, or read from a copy
    }
    matrix_check_aligned(L, arg, operand, 1, C);
  }

  run(L, binary, C, A, B);
  lua_settop(L, 1);
  return 1;
}

/* add(C, A, B) --> C = A + B */
static int elementwise_add(lua_State *L) {
  return in_place(L, add);
}

/* subtract(C, A, B) --> C = A - B */
static int elementwise_subtract(lua_State *L) {
  return in_place(L, subtract);
}

/* hadamard(C, A, B) --> C = A (.) B */
static int elementwise_hadamard(lua_State *L) {
  return in_place(L, hadamard);
}

/* divide(C, A, B) --> C = A / B, elementwise */
static int elementwise_divide(lua_State *L) {
  return in_place(L, divide);
}

/* maximum(C, A, B) --> C = max(A, B) */
static int elementwise_maximum(lua_State *L) {
  return in_place(L, maximum);
}

/* minimum(C, A, B) --> C = min(A, B) */
static int elementwise_minimum(lua_State *L) {
  return in_place(L, minimum);
}

/* less(C, A, B) --> C = 1 where A < B, else 0 */
static int elementwise_less(lua_State *L) {
  return in_place(L, less);
}

/* less_equal(C, A, B) --> C = 1 where A <= B, else 0 */
static int elementwise_less_equal(lua_State *L) {
  return in_place(L, less_or_equal);
}

/* equal(C, A, B) --> C = 1 where A = B, else 0 */
static int elementwise_equal(lua_State *L) {
  return in_place(L, equal);
}

/* power(C, A, B) --> C = A^B */
static int elementwise_power(lua_State *L) {
  return in_place(L, power);
}

/* A op B --> a new matrix, large enough for both operands */
static int allocating(lua_State *L, Binary binary) {
  const Matrix *first = matrix_check(L, lua_type(L, 1) == LUA_TNUMBER ? 2 : 1);
  const Matrix *second = matrix_check(L, lua_type(L, 2) == LUA_TNUMBER ? 1 : 2);
  int rows = first->rows > second->rows ? first->rows : second->rows;
  int cols = first->cols > second->cols ? first->cols : second->cols;
  bool as_second = matrix_size(first) < matrix_size(second);
  Order order = as_second ? second->order : first->order;
  Operand A;
  Operand B;
  check_operand(L, 1, rows, cols, order, &A);
  check_operand(L, 2, rows, cols, order, &B);

  run(L, binary, matrix_new(L, rows, cols, order), A, B);
  return 1;
}

/*
** Whether the right operand has answered, with the result on top of the stack. Lua asks the left
** one first, which is a matrix; a value of another type on the right must then be asked by us.
** Matrices, those of the other core too, would ask back, and strings have metamethods but know
** nothing of matrices.
*/
static bool other_answers(lua_State *L, const char *event) {
  int type = lua_type(L, 2);
  if (type == LUA_TNUMBER || type == LUA_TSTRING || matrix_test(L, 1) == NULL) return false;
  if (matrix_test(L, 2) != NULL) return false;
  if (luaL_getmetafield(L, 2, "__metatable") == LUA_TSTRING &&
      strcmp(lua_tostring(L, -1), "matrix") == 0) {
    return false;
  }
  if (luaL_getmetafield(L, 2, event) == LUA_TNIL) return false;
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  return true;
}

/* A + B */
static int operator_add(lua_State *L) {
  return other_answers(L, "__add") ? 1 : allocating(L, add);
}

/* A - B */
static int operator_subtract(lua_State *L) {
  return other_answers(L, "__sub") ? 1 : allocating(L, subtract);
}

/* A:hadamard(B) */
static int method_hadamard(lua_State *L) {
  matrix_check(L, 1);
  matrix_check(L, 2);
  return allocating(L, hadamard);
}

/* A * B: the matrix product, or a multiple */
static int operator_multiply(lua_State *L) {
  if (other_answers(L, "__mul")) return 1;
  bool numbers = lua_type(L, 1) == LUA_TNUMBER || lua_type(L, 2) == LUA_TNUMBER;
  return numbers ? allocating(L, hadamard) : product_operator(L);
}

/* A / x */
static int operator_divide(lua_State *L) {
  if (other_answers(L, "__div")) return 1;
  matrix_check(L, 1);
  if (lua_type(L, 2) != LUA_TNUMBER) luaL_typeerror(L, 2, "number");
  return allocating(L, divide);
}

/* A ^ x, element by element */
static int operator_power(lua_State *L) {
  if (other_answers(L, "__pow")) return 1;
  matrix_check(L, 1);
  if (lua_type(L, 2) != LUA_TNUMBER) luaL_typeerror(L, 2, "number");
  return allocating(L, power);
}

/* -A */
static int operator_negate(lua_State *L) {
  lua_settop(L, 1);
  lua_pushinteger(L, -1);
  return allocating(L, hadamard);
}

/* f(C, A) --> C, elementwise, for the kernel in upvalue 3 */
static int elementwise_map(lua_State *L) {
  const Unary *kernel = lua_touserdata(L, lua_upvalueindex(3));
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check_shape(L, 2, C->rows, C->cols);
  if (A->order == C->order) matrix_check_aligned(L, 2, A, 1, C);
  A = matrix_in_order(L, A, C->order);

  Mapping m = {*kernel, A->data, C->data};
  pool_run_range(matrix_pool(L), matrix_size(C), POOL_GRAIN, map, &m);
  lua_settop(L, 1);
  return 1;
}

/* accumulate(C, x, A) --> C = C + x A */
static int elementwise_accumulate(lua_State *L) {
  Matrix *C = matrix_check(L, 1);
  real x = matrix_check_element(L, 2);
  const Matrix *A = matrix_check_shape(L, 3, C->rows, C->cols);
  if (A->order == C->order) matrix_check_aligned(L, 3, A, 1, C);
  A = matrix_in_order(L, A, C->order);

  Accumulation a = {x, A->data, C->data};
  pool_run_range(matrix_pool(L), matrix_size(C), POOL_GRAIN, accumulate, &a);
  lua_settop(L, 1);
  return 1;
}

/* clamp(C, A, low, high) --> C, whose elements are those of A, or the bound that is nearer */
static int elementwise_clamp(lua_State *L) {
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check_shape(L, 2, C->rows, C->cols);
  real low = matrix_check_element(L, 3);
  real high = matrix_check_element(L, 4);
  luaL_argcheck(L, low <= high, 4, "a number not below the lower bound expected");
  if (A->order == C->order) matrix_check_aligned(L, 2, A, 1, C);
  A = matrix_in_order(L, A, C->order);

  Clamping c = {low, high, A->data, C->data};
  pool_run_range(matrix_pool(L), matrix_size(C), POOL_GRAIN, clamp, &c);
  lua_settop(L, 1);
  return 1;
}

/* M:fill(x) --> M */
static int method_fill(lua_State *L) {
  Matrix *M = matrix_check(L, 1);
  real x = matrix_check_element(L, 2);

  Filling f = {x, M->data};
  pool_run_range(matrix_pool(L), matrix_size(M), POOL_GRAIN, fill, &f);
  lua_settop(L, 1);
  return 1;
}

/* M:map(f) --> a new matrix */
static int method_map(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  bool is_callable = lua_isfunction(L, 2) || luaL_getmetafield(L, 2, "__call") != LUA_TNIL;
  if (!is_callable) luaL_typeerror(L, 2, "function");
  lua_settop(L, 2);
  Matrix *mapped = matrix_new(L, M->rows, M->cols, M->order);
  for (int k = 0; k < matrix_size(M); k++) {
    lua_pushvalue(L, 2);
    lua_pushnumber(L, real_to_number(M->data[k]));
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TNUMBER) {
      return luaL_error(L, "the mapped function must return a number, got %s",
                        luaL_typename(L, -1));
    }
    mapped->data[k] = real_of(lua_tonumber(L, -1));
    lua_pop(L, 1);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"accumulate", elementwise_accumulate},
  {"add",        elementwise_add       },
  {"clamp",      elementwise_clamp     },
  {"equal",      elementwise_equal     },
  {"less",       elementwise_less      },
  {"less_equal", elementwise_less_equal},
  {"power",      elementwise_power     },
  {"divide",     elementwise_divide    },
  {"hadamard",   elementwise_hadamard  },
  {"maximum",    elementwise_maximum   },
  {"minimum",    elementwise_minimum   },
  {"subtract",   elementwise_subtract  },
  {NULL,         NULL                  },
};

typedef struct NamedUnary {
  const char *name;
  Unary kernel;
} NamedUnary;

static const NamedUnary maps[] = {
  {"abs",    absolute          },
  {"exp",    exponential       },
  {"log",    logarithm         },
  {"sign",   sign              },
  {"sqrt",   square_root       },
  {"square", square            },
  {"tanh",   hyperbolic_tangent},
};

static const luaL_Reg methods[] = {
  {"fill",     method_fill    },
  {"hadamard", method_hadamard},
  {"map",      method_map     },
  {NULL,       NULL           },
};

static const luaL_Reg metamethods[] = {
  {"__add", operator_add     },
  {"__div", operator_divide  },
  {"__mul", operator_multiply},
  {"__pow", operator_power   },
  {"__sub", operator_subtract},
  {"__unm", operator_negate  },
  {NULL,    NULL             },
};

void elementwise_open(lua_State *L) {
  matrix_register(L, functions);
  for (size_t k = 0; k < sizeof maps / sizeof maps[0]; k++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&maps[k].kernel);
    matrix_push_closure(L, elementwise_map);
    lua_setfield(L, -2, maps[k].name);
  }
  matrix_register_methods(L, methods);
  luaL_getmetatable(L, MATRIX);
  matrix_register(L, metamethods);
  lua_pop(L, 1);
}
