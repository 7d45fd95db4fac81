/*
** activation.c - activations as they are called: runs of sigma and its backward on the pool, and
** bindings. What they compute is in sigmas.c.
*/
#include "activation.h"

#include <string.h>

#include "sigmas.h"

#define HANDLE "perilune.activation." REAL_NAME

struct Sigma {
  const Activation *activation;
  real options[MOST_OPTIONS];
};


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

/* NULL where it has fewer */
static const Option *option_at(const Activation *activation, int k) {
  if (activation->options == NULL || k == MOST_OPTIONS) return NULL;
  return activation->options[k].name == NULL ? NULL : &activation->options[k];
}

static void usual_options(const Activation *activation, double options[MOST_OPTIONS]) {
  for (int k = 0; k < MOST_OPTIONS; k++) {
    const Option *option = option_at(activation, k);
    options[k] = option == NULL ? 0 : option->usual;
  }
}

static void push_options(lua_State *L, const Activation *activation, const double *options) {
  lua_newtable(L);
  const Option *option = NULL;
  for (int k = 0; (option = option_at(activation, k)) != NULL; k++) {
    if (option->choices != NULL)
      lua_pushstring(L, option->choices[(int)options[k]]);
    else
      lua_pushnumber(L, options[k]);
    lua_setfield(L, -2, option->name);
  }
}

/* Push { least, most }, or nil where sigma gives all numbers. */
static void push_range(lua_State *L, const Activation *activation, const double *options) {
  Range range = {-HUGE_VAL, HUGE_VAL};
  if (activation->range != NULL) range = activation->range(options);
  if (range.least == -HUGE_VAL && range.most == HUGE_VAL) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 2, 0);
  lua_pushnumber(L, range.least);
  lua_rawseti(L, -2, 1);
  lua_pushnumber(L, range.most);
  lua_rawseti(L, -2, 2);
}

/* Push { name =, options =, range =, is_elementwise =, handle =, forward =, backward = }. */
static void push_sigma(lua_State *L, const Activation *activation,
                       const double options[MOST_OPTIONS]) {
  lua_createtable(L, 0, 7);
  lua_pushstring(L, activation->name);
  lua_setfield(L, -2, "name");
  push_options(L, activation, options);
  lua_setfield(L, -2, "options");
  push_range(L, activation, options);
  lua_setfield(L, -2, "range");
  lua_pushboolean(L, activation->forward != NULL);
  lua_setfield(L, -2, "is_elementwise");
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

/* Append a name to the list of names on top of the stack, which begins as "". */
static void append(lua_State *L, const char *separator, const char *name) {
  bool is_first = lua_rawlen(L, -1) == 0;
  lua_pushfstring(L, "%s%s", is_first ? "" : separator, name);
  lua_concat(L, 2);
}

static const Activation *check_name(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  for (int k = 0; sigmas[k] != NULL; k++) {
    if (strcmp(name, sigmas[k]->name) == 0) return sigmas[k];
  }
  lua_pushliteral(L, "");
  for (int k = 0; sigmas[k] != NULL; k++) append(L, ", ", sigmas[k]->name);
  luaL_argerror(
    L, arg, lua_pushfstring(L, "unknown activation '%s' (known: %s)", name, lua_tostring(L, -1)));
  return NULL;
}

/* The index of the option whose name is on the stack below its value, in the table `arg` */
static int check_option_name(lua_State *L, int arg, const Activation *activation) {
  const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
  const Option *option = NULL;
  for (int k = 0; (option = option_at(activation, k)) != NULL; k++) {
    if (strcmp(name, option->name) == 0) return k;
  }
  const char *given = luaL_tolstring(L, -2, NULL);
  lua_pushstring(L, activation->options == NULL ? "none" : "");
  for (int k = 0; (option = option_at(activation, k)) != NULL; k++) append(L, ", ", option->name);
  return luaL_argerror(L, arg,
                       lua_pushfstring(L, "unknown option '%s' of %s (known: %s)", given,
                                       activation->name, lua_tostring(L, -1)));
}

/* The index of the choice that is on the stack */
static int check_choice(lua_State *L, int arg, const Option *option) {
  const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  for (int k = 0; name != NULL && option->choices[k] != NULL; k++) {
    if (strcmp(name, option->choices[k]) == 0) return k;
  }
  const char *got = luaL_tolstring(L, -1, NULL);
  lua_pushliteral(L, "");
  for (int k = 0; option->choices[k] != NULL; k++) append(L, " or ", option->choices[k]);
  return luaL_argerror(
    L, arg, lua_pushfstring(L, "%s: %s expected, got %s", option->name, lua_tostring(L, -1), got));
}

/* The number that is on the stack */
static double check_number(lua_State *L, int arg, const Option *option) {
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

static void check_order(lua_State *L, int arg, const Activation *activation,
                        const double *options) {
  const Option *option = NULL;
  for (int k = 1; (option = option_at(activation, k)) != NULL; k++) {
    if (option->is_above && !(real_of(options[k]) > real_of(options[k - 1])))
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "%s: number above %s (%f) expected, got %f", option->name,
                                    option[-1].name, options[k - 1], options[k]));
  }
}

/* activation(name [, options]) --> sigma, with the usual value of each option that is not given */
static int activation_activation(lua_State *L) {
  const Activation *activation = check_name(L, 1);
  double options[MOST_OPTIONS] = {0};
  usual_options(activation, options);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      int k = check_option_name(L, 2, activation);
      const Option *option = &activation->options[k];
      options[k] = option->choices ? check_choice(L, 2, option) : check_number(L, 2, option);
      lua_pop(L, 1);
    }
    check_order(L, 2, activation, options);
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
  for (int k = 0; sigmas[k] != NULL; k++) {
    double options[MOST_OPTIONS];
    usual_options(sigmas[k], options);
    push_sigma(L, sigmas[k], options);
    lua_setfield(L, -2, sigmas[k]->name);
  }
  lua_setfield(L, -2, "activations");
}
