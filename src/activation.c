/*
** activation.c - sigma and its backward, in pairs: A = sigma(Z) (1.4), and the vector-Jacobian
** product H = J_sigma^t Delta, which is Delta (.) dsigma/dZ (4.2) where sigma works element by
** element.
*/
#include "activation.h"

#include <string.h>

#include "reduce.h"
#include "softmax.h"
#include "vector.h"

#define HANDLE "perilune.activation." REAL_NAME

#define MOST_OPTIONS 2

/* A number that is part of an activation, from `least` to `most` */
typedef struct Option {
  const char *name;
  double usual;
  double least;
  double most;
} Option;

/* Of n elements or, where those of a column depend on each other, of whole columns */
typedef struct Activation {
  const char *name;
  const Option *options;  // MOST_OPTIONS of them; those that are used have a name
  void (*forward)(int n, const real *options, const real *Z, real *A);
  void (*backward)(int n, const real *options, const real *Delta, const real *Z, const real *A,
                   real *H);
  void (*forward_columns)(int rows, int cols, const real *Z, real *A);
  void (*backward_columns)(int rows, int cols, const real *Delta, const real *A, real *H);
} Activation;

struct Sigma {
  const Activation *activation;
  real options[MOST_OPTIONS];
};


/* Kernels. Results may be operands. */

MULTIVERSION static void identity_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  if (A == Z) return;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k];
}

MULTIVERSION static void identity_backward(int n, const real *options, const real *Delta,
                                           const real *Z, const real *A, real *H) {
  (void)options;
  (void)Z;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k];
}

/*
** z where z > 0, else alpha (e^z - 1) (Clevert et al. 2016); at 0 the derivative is taken as alpha
*/
MULTIVERSION static void elu_forward(int n, const real *options, const real *Z, real *A) {
  real alpha = options[0];
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] > 0 ? Z[k] : alpha * vector_expm1(Z[k]);
}

MULTIVERSION static void elu_backward(int n, const real *options, const real *Delta, const real *Z,
                                      const real *A, real *H) {
  real alpha = options[0];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Z[k] > 0 ? Delta[k] : Delta[k] * (alpha * vector_exp(Z[k]));
}

/* z where z > 0, else slope z (Maas et al. 2013); at 0 the derivative is taken as slope */
MULTIVERSION static void leaky_relu_forward(int n, const real *options, const real *Z, real *A) {
  real slope = options[0];
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] > 0 ? Z[k] : slope * Z[k];
}

MULTIVERSION static void leaky_relu_backward(int n, const real *options, const real *Delta,
                                             const real *Z, const real *A, real *H) {
  real slope = options[0];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Z[k] > 0 ? Delta[k] : slope * Delta[k];
}

/* max(0, z), NaN staying NaN; at 0 the derivative is taken as 0 */
MULTIVERSION static void relu_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] <= 0 ? 0 : Z[k];
}

MULTIVERSION static void relu_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = A[k] <= 0 ? 0 : Delta[k];
}

/* 1 / (1 + e^-z) */
MULTIVERSION static void sigmoid_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = 1 / (1 + vector_exp(-Z[k]));
}

MULTIVERSION static void sigmoid_backward(int n, const real *options, const real *Delta,
                                          const real *Z, const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (A[k] * (1 - A[k]));
}

/* z / (1 + |z|), whose derivative 1 / (1 + |z|)^2 is (1 - |a|)^2 */
MULTIVERSION static void softsign_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] / (1 + fabs(Z[k]));
}

MULTIVERSION static void softsign_backward(int n, const real *options, const real *Delta,
                                           const real *Z, const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real denominator = 1 + fabs(Z[k]);
    H[k] = Delta[k] / denominator / denominator;
  }
}

MULTIVERSION static void tanh_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = vector_tanh(Z[k]);
}

MULTIVERSION static void tanh_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (1 - A[k] * A[k]);
}

/* a_i = e^z_i / sum_j e^z_j */
static void softmax_forward(int rows, int cols, const real *Z, real *A) {
  softmax_shift(rows, cols, Z, A);
  softmax_exponentials(rows * cols, A);
  for (int j = 0; j < cols; j++, A += rows) {
    real factor = (real)(1 / reduce_sum(rows, A));
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) A[i] *= factor;
  }
}

/* The Jacobian is diag(a) - a a^t, so h_i = a_i (delta_i - sum_j a_j delta_j). */
static void softmax_backward(int rows, int cols, const real *Delta, const real *A, real *H) {
  for (int j = 0; j < cols; j++, Delta += rows, A += rows, H += rows) {
    double sum = 0;
    for (int i = 0; i < rows; i++) sum += (double)A[i] * (double)Delta[i];
    real mean = (real)sum;
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) H[i] = A[i] * (Delta[i] - mean);
  }
}

static const Option none[MOST_OPTIONS];
static const Option elu_options[MOST_OPTIONS] = {
  {"alpha", 1, 0, REAL_LARGEST}
};
static const Option leaky_relu_options[MOST_OPTIONS] = {
  {"slope", 0.01, 0, REAL_LARGEST}
};

// clang-format off
static const Activation activations[] = {
  {"elu", elu_options, elu_forward, elu_backward, NULL, NULL},
  {"identity", none, identity_forward, identity_backward, NULL, NULL},
  {"leaky_relu", leaky_relu_options, leaky_relu_forward, leaky_relu_backward, NULL, NULL},
  {"relu", none, relu_forward, relu_backward, NULL, NULL},
  {"sigmoid", none, sigmoid_forward, sigmoid_backward, NULL, NULL},
  {"softmax", none, NULL, NULL, softmax_forward, softmax_backward},
  {"softsign", none, softsign_forward, softsign_backward, NULL, NULL},
  {"tanh", none, tanh_forward, tanh_backward, NULL, NULL},
};
// clang-format on

#define ACTIVATIONS ((int)(sizeof activations / sizeof activations[0]))


/* Runs */

typedef struct Run {
  const Activation *activation;
  const real *options;
  int rows;
  const real *Delta;
  const real *Z;
  const real *A;
  real *result;
} Run;

static void forward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->activation->forward(last - first, r->options, r->Z + first, r->result + first);
}

static void backward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->activation->backward(last - first, r->options, r->Delta + first, r->Z + first, r->A + first,
                          r->result + first);
}

static void forward_columns(void *context, int first, int last) {
  const Run *r = context;
  int k = first * r->rows;
  r->activation->forward_columns(r->rows, last - first, r->Z + k, r->result + k);
}

static void backward_columns(void *context, int first, int last) {
  const Run *r = context;
  int k = first * r->rows;
  r->activation->backward_columns(r->rows, last - first, r->Delta + k, r->A + k, r->result + k);
}

bool activation_is_elementwise(const Sigma *sigma) {
  return sigma->activation->forward != NULL;
}

static void run(Pool *pool, Run *r, const Sigma *sigma, const Matrix *Z, RangeTask by_elements,
                RangeTask by_columns) {
  r->activation = sigma->activation;
  r->options = sigma->options;
  r->rows = Z->rows;
  r->Z = Z->data;
  if (activation_is_elementwise(sigma))
    pool_run_range(pool, matrix_size(Z), POOL_GRAIN, by_elements, r);
  else
    pool_run_range(pool, Z->cols, pool_lines(Z->rows), by_columns, r);
}

void activation_apply(const Sigma *sigma, int n, const real *Z, real *A) {
  sigma->activation->forward(n, sigma->options, Z, A);
}

void activation_forward(Pool *pool, const Sigma *sigma, const Matrix *A, const Matrix *Z) {
  Run r = {.result = A->data};
  run(pool, &r, sigma, Z, forward_elements, forward_columns);
}

void activation_backward(Pool *pool, const Sigma *sigma, const Matrix *H, const Matrix *Delta,
                         const Matrix *Z, const Matrix *A) {
  Run r = {.Delta = Delta->data, .A = A->data, .result = H->data};
  run(pool, &r, sigma, Z, backward_elements, backward_columns);
}


/* Bindings */

/* The upvalue of forward and backward */
static const Sigma *own_sigma(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(3));
}

/* forward(A, Z) --> A = sigma(Z), (1.4) */
static int forward(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *Z = matrix_check_samples(L, 2, A->rows, A->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_aligned(L, 1, A, 2, Z);

  activation_forward(matrix_pool(L), own_sigma(L), A, Z);
  lua_settop(L, 1);
  return 1;
}

/* backward(H, Delta, Z, A) --> H = J_sigma^t Delta, (4.2) */
static int backward(lua_State *L) {
  Matrix *H = matrix_check(L, 1);
  const Matrix *Delta = matrix_check_samples(L, 2, H->rows, H->cols);
  const Matrix *Z = matrix_check_samples(L, 3, H->rows, H->cols);
  const Matrix *A = matrix_check_samples(L, 4, H->rows, H->cols);
  matrix_check_by_columns(L, 1, H);
  matrix_check_aligned(L, 1, H, 2, Delta);
  matrix_check_aligned(L, 1, H, 3, Z);
  matrix_check_aligned(L, 1, H, 4, A);

  activation_backward(matrix_pool(L), own_sigma(L), H, Delta, Z, A);
  lua_settop(L, 1);
  return 1;
}

/* As for matrices, one comparison of addresses: of the metatable with that in upvalue 3. */
const Sigma *activation_check(lua_State *L, int arg) {
  if (lua_getmetatable(L, arg)) {
    bool is_handle = lua_topointer(L, -1) == lua_touserdata(L, lua_upvalueindex(3));
    lua_pop(L, 1);
    if (is_handle) return lua_touserdata(L, arg);
  }
  luaL_typeerror(L, arg, HANDLE);
  return NULL;
}

void activation_register(lua_State *L, const luaL_Reg *list) {
  luaL_getmetatable(L, HANDLE);
  void *type = (void *)(uintptr_t)lua_topointer(L, -1);
  lua_pop(L, 1);
  for (; list->name != NULL; list++) {
    lua_pushlightuserdata(L, type);
    matrix_push_closure(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

/* Push { name =, options =, handle =, forward =, backward = }. */
static void push_sigma(lua_State *L, const Activation *activation,
                       const double options[MOST_OPTIONS]) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, activation->name);
  lua_setfield(L, -2, "name");
  lua_newtable(L);
  for (int k = 0; k < MOST_OPTIONS && activation->options[k].name != NULL; k++) {
    lua_pushnumber(L, options[k]);
    lua_setfield(L, -2, activation->options[k].name);
  }
  lua_setfield(L, -2, "options");
  Sigma *sigma = lua_newuserdatauv(L, sizeof(Sigma), 0);
  luaL_setmetatable(L, HANDLE);
  sigma->activation = activation;
  for (int k = 0; k < MOST_OPTIONS; k++) sigma->options[k] = real_of(options[k]);
  lua_pushvalue(L, -1);
  matrix_push_closure(L, forward);
  lua_setfield(L, -3, "forward");
  lua_pushvalue(L, -1);
  matrix_push_closure(L, backward);
  lua_setfield(L, -3, "backward");
  lua_setfield(L, -2, "handle");
}

static void usual_options(const Activation *activation, double options[MOST_OPTIONS]) {
  for (int k = 0; k < MOST_OPTIONS; k++) options[k] = activation->options[k].usual;
}

static const Activation *check_name(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  for (int k = 0; k < ACTIVATIONS; k++) {
    if (strcmp(name, activations[k].name) == 0) return &activations[k];
  }
  lua_pushstring(L, activations[0].name);
  for (int k = 1; k < ACTIVATIONS; k++) {
    lua_pushfstring(L, ", %s", activations[k].name);
    lua_concat(L, 2);
  }
  luaL_argerror(
    L, arg, lua_pushfstring(L, "unknown activation '%s' (known: %s)", name, lua_tostring(L, -1)));
  return NULL;
}

/* The option whose name is on the stack below its value, in the table `arg` */
static int check_option_name(lua_State *L, int arg, const Activation *activation) {
  const Option *options = activation->options;
  const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
  int count = 0;
  for (; count < MOST_OPTIONS && options[count].name != NULL; count++) {
    if (strcmp(name, options[count].name) == 0) return count;
  }
  const char *given = luaL_tolstring(L, -2, NULL);
  lua_pushstring(L, count == 0 ? "none" : options[0].name);
  for (int k = 1; k < count; k++) {
    lua_pushfstring(L, ", %s", options[k].name);
    lua_concat(L, 2);
  }
  return luaL_argerror(L, arg,
                       lua_pushfstring(L, "unknown option '%s' of %s (known: %s)", given,
                                       activation->name, lua_tostring(L, -1)));
}

static double check_option(lua_State *L, int arg, const Option *option) {
  bool is_number = lua_type(L, -1) == LUA_TNUMBER;
  double x = is_number ? lua_tonumber(L, -1) : 0;
  if (!is_number || !(x >= option->least && x <= option->most)) {
    const char *got = is_number ? luaL_tolstring(L, -1, NULL) : luaL_typename(L, -1);
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%s: number from %f to %f expected, got %s", option->name,
                                  option->least, option->most, got));
  }
  return x;
}

/* activation(name [, options]) --> sigma, with the usual value of each option that is not given */
static int activation_activation(lua_State *L) {
  const Activation *activation = check_name(L, 1);
  double options[MOST_OPTIONS];
  usual_options(activation, options);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      int k = check_option_name(L, 2, activation);
      options[k] = check_option(L, 2, &activation->options[k]);
      lua_pop(L, 1);
    }
  }

  push_sigma(L, activation, options);
  return 1;
}

static const luaL_Reg functions[] = {
  {"activation", activation_activation},
  {NULL,         NULL                 },
};

void activation_open(lua_State *L) {
  luaL_newmetatable(L, HANDLE);
  lua_pushliteral(L, "activation");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  matrix_register(L, functions);
  lua_newtable(L);
  for (int k = 0; k < ACTIVATIONS; k++) {
    double options[MOST_OPTIONS];
    usual_options(&activations[k], options);
    push_sigma(L, &activations[k], options);
    lua_setfield(L, -2, activations[k].name);
  }
  lua_setfield(L, -2, "activations");
}
