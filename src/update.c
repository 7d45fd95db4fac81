/*
** update.c - optimiser steps, each one pass over the parameters p, their gradient g and the state.
*/
#include "matrix.h"
#include "vector.h"

typedef struct Update {
  real *p;
  const real *g;
  real *m;  // velocity, or first moment
  real *v;  // second moment
  int size;
  bool nesterov;
  real rate;
  real decay;
  real mu;
  /* Rounded once: near 0 the difference of two rounded numbers would be off. */
  real one_minus_beta1;
  real one_minus_beta2;
  real epsilon;
} Update;


/* Kernels */

/* p = p - rate (g + decay p) */
MULTIVERSION static void sgd(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real rate = u->rate;
  real decay = u->decay;
  VECTOR_LOOP
  for (int k = first; k < last; k++) p[k] -= rate * (g[k] + decay * p[k]);
}

/* v = mu v + (g + decay p); p = p - rate v, or p - rate (g + decay p + mu v) */
MULTIVERSION static void momentum(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *v = u->m;
  real rate = u->rate;
  real decay = u->decay;
  real mu = u->mu;
  real ahead = u->nesterov ? mu : 1;
  real now = u->nesterov ? 1 : 0;
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] = mu * v[k] + gradient;
    p[k] -= rate * (now * gradient + ahead * v[k]);
  }
}

/* m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p = (1 - decay) p - rate m / (sqrt v + epsilon),
** where rate and epsilon carry the bias corrections. */
MULTIVERSION static void adam(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *m = u->m;
  real *v = u->v;
  real rate = u->rate;
  real keep = 1 - u->decay;
  real one_minus_beta1 = u->one_minus_beta1;
  real one_minus_beta2 = u->one_minus_beta2;
  real epsilon = u->epsilon;
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    m[k] = (m[k] - one_minus_beta1 * m[k]) + one_minus_beta1 * g[k];
    v[k] = (v[k] - one_minus_beta2 * v[k]) + one_minus_beta2 * (g[k] * g[k]);
    p[k] = keep * p[k] - rate * m[k] / (sqrt(v[k]) + epsilon);
  }
}


/* Bindings */

static void run(lua_State *L, Update *u, RangeTask kernel) {
  pool_run_range(matrix_pool(L), u->size, POOL_GRAIN, kernel, u);
}

/* The matrices from argument 1 on, p first: of one shape and order, none overlapping another */
static Update check_matrices(lua_State *L, int count) {
  Matrix *matrices[4] = {NULL};
  matrix_check_list(L, 1, count, 0, matrices);
  for (int arg = 2; arg <= count; arg++) {
    const Matrix *p = matrices[0];
    matrix_check_size(L, arg, matrices[arg - 1], p->rows, p->cols);
    luaL_argcheck(L, matrices[arg - 1]->order == p->order, arg,
                  "matrix stored in the order of argument #1 expected");
    for (int other = 1; other < arg; other++) {
      matrix_check_distinct(L, arg, matrices[arg - 1], other, matrices[other - 1]);
    }
  }
  Update u = {
    .p = matrices[0]->data, .g = matrices[1]->data, .size = matrix_size(matrices[0])};
  u.m = matrices[2] == NULL ? NULL : matrices[2]->data;
  u.v = matrices[3] == NULL ? NULL : matrices[3]->data;
  return u;
}

/* A number >= 0 that is finite in the element type */
static lua_Number check_amount(lua_State *L, int arg) {
  lua_Number x = luaL_checknumber(L, arg);
  real rounded = (real)x;
  luaL_argcheck(L, x >= 0 && rounded - rounded == 0, arg, "finite number >= 0 expected");
  return x;
}

static lua_Number check_fraction(lua_State *L, int arg) {
  lua_Number x = luaL_checknumber(L, arg);
  luaL_argcheck(L, x >= 0 && x < 1, arg, "number in [0, 1) expected");
  return x;
}

static lua_Number optional_amount(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? 0 : check_amount(L, arg);
}

/* sgd_update(p, g, rate [, decay]) --> p */
static int update_sgd(lua_State *L) {
  Update u = check_matrices(L, 2);
  u.rate = (real)check_amount(L, 3);
  u.decay = (real)optional_amount(L, 4);

  run(L, &u, sgd);
  lua_settop(L, 1);
  return 1;
}

/* momentum_update(p, g, v, rate, mu [, nesterov [, decay]]) --> p */
static int update_momentum(lua_State *L) {
  Update u = check_matrices(L, 3);
  u.rate = (real)check_amount(L, 4);
  u.mu = (real)check_fraction(L, 5);
  u.nesterov = lua_toboolean(L, 6);
  u.decay = (real)optional_amount(L, 7);

  run(L, &u, momentum);
  lua_settop(L, 1);
  return 1;
}

/* adam_update(p, g, m, v, rate, beta1, beta2, epsilon, step [, decay]) --> p */
static int update_adam(lua_State *L) {
  Update u = check_matrices(L, 4);
  lua_Number rate = check_amount(L, 5);
  lua_Number beta1 = check_fraction(L, 6);
  lua_Number beta2 = check_fraction(L, 7);
  lua_Number epsilon = check_amount(L, 8);
  luaL_argcheck(L, epsilon > 0, 8, "number > 0 expected");
  lua_Integer step = luaL_checkinteger(L, 9);
  luaL_argcheck(L, step >= 1, 9, "step >= 1 expected");
  lua_Number decay = optional_amount(L, 10);

  /* rate m^ / (sqrt(v^) + epsilon) with m^ = m / c1, v^ = v / c2 */
  lua_Number correction1 = 1 - pow(beta1, (lua_Number)step);
  lua_Number correction2 = sqrt(1 - pow(beta2, (lua_Number)step));
  u.rate = (real)(rate * correction2 / correction1);
  u.epsilon = (real)(epsilon * correction2);
  if (u.epsilon < REAL_SMALLEST)
    u.epsilon = REAL_SMALLEST;  // 0 / 0 where a gradient has always been 0
  u.one_minus_beta1 = (real)(1 - beta1);
  u.one_minus_beta2 = (real)(1 - beta2);
  u.decay = (real)(rate * decay);
  run(L, &u, adam);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"adam_update",     update_adam    },
  {"momentum_update", update_momentum},
  {"sgd_update",      update_sgd     },
  {NULL,              NULL           },
};

void update_open(lua_State *L) {
  matrix_register(L, functions);
}
