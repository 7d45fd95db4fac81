/*
** update.c - optimiser steps, each one pass over the parameters p, their gradient g and the state.
*/
#include "matrix.h"
#include "vector.h"

/*
** Numbers are rounded to the element type by the kernels: there the host's rounding and traps do
** not count.
*/
typedef struct Update {
  real *p;
  const real *g;
  real *m;  // velocity, or first moment
  real *v;  // second moment
  int size;
  bool nesterov;
  double rate;
  double decay;
  double mu;
  double beta1;
  double beta2;
  double epsilon;
  double step;
} Update;


/* Kernels */

/* p = p - rate (g + decay p) */
MULTIVERSION static void sgd(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real rate = (real)u->rate;
  real decay = (real)u->decay;
  VECTOR_LOOP
  for (int k = first; k < last; k++) p[k] -= rate * (g[k] + decay * p[k]);
}

/* v = mu v + (g + decay p); p = p - rate v, or p - rate (g + decay p + mu v) */
MULTIVERSION static void momentum(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *v = u->m;
  real rate = (real)u->rate;
  real decay = (real)u->decay;
  real mu = (real)u->mu;
  real ahead = u->nesterov ? mu : 1;
  real now = u->nesterov ? 1 : 0;
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] = mu * v[k] + gradient;
    p[k] -= rate * (now * gradient + ahead * v[k]);
  }
}

/*
** m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p = (1 - rate decay) p - rate m^ /
** (sqrt v^ + epsilon) with m^ = m / (1 - beta1^step) and v^ = v / (1 - beta2^step), which are left
** to rate and epsilon.
*/
MULTIVERSION static void adam(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *m = u->m;
  real *v = u->v;
  double correction1 = 1 - pow(u->beta1, u->step);
  double correction2 = sqrt(1 - pow(u->beta2, u->step));
  real rate = (real)(u->rate * correction2 / correction1);
  real epsilon = (real)(u->epsilon * correction2);
  if (epsilon < REAL_SMALLEST) epsilon = REAL_SMALLEST;  // 0 / 0 where a gradient has always been 0
  real keep = (real)(1 - u->rate * u->decay);
  /* Rounded once: near 0 the difference of two rounded numbers would be off. */
  real one_minus_beta1 = (real)(1 - u->beta1);
  real one_minus_beta2 = (real)(1 - u->beta2);
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
  Update u = {.p = matrices[0]->data, .g = matrices[1]->data, .size = matrix_size(matrices[0])};
  u.m = matrices[2] == NULL ? NULL : matrices[2]->data;
  u.v = matrices[3] == NULL ? NULL : matrices[3]->data;
  return u;
}

/* A number >= 0 that is finite in the element type */
static double check_amount(lua_State *L, int arg) {
  double x = matrix_check_number(L, arg);
  luaL_argcheck(L, x >= 0 && x <= (double)REAL_LARGEST, arg, "finite number >= 0 expected");
  return x;
}

static double check_fraction(lua_State *L, int arg) {
  double x = matrix_check_number(L, arg);
  luaL_argcheck(L, x >= 0 && x < 1, arg, "number in [0, 1) expected");
  return x;
}

static double optional_amount(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? 0 : check_amount(L, arg);
}

/* sgd_update(p, g, rate [, decay]) --> p */
static int update_sgd(lua_State *L) {
  Update u = check_matrices(L, 2);
  u.rate = check_amount(L, 3);
  u.decay = optional_amount(L, 4);

  run(L, &u, sgd);
  lua_settop(L, 1);
  return 1;
}

/* momentum_update(p, g, v, rate, mu [, nesterov [, decay]]) --> p */
static int update_momentum(lua_State *L) {
  Update u = check_matrices(L, 3);
  u.rate = check_amount(L, 4);
  u.mu = check_fraction(L, 5);
  u.nesterov = lua_toboolean(L, 6);
  u.decay = optional_amount(L, 7);

  run(L, &u, momentum);
  lua_settop(L, 1);
  return 1;
}

/* adam_update(p, g, m, v, rate, beta1, beta2, epsilon, step [, decay]) --> p */
static int update_adam(lua_State *L) {
  Update u = check_matrices(L, 4);
  u.rate = check_amount(L, 5);
  u.beta1 = check_fraction(L, 6);
  u.beta2 = check_fraction(L, 7);
  u.epsilon = check_amount(L, 8);
  luaL_argcheck(L, u.epsilon > 0, 8, "number > 0 expected");
  lua_Integer step = luaL_checkinteger(L, 9);
  luaL_argcheck(L, step >= 1, 9, "step >= 1 expected");
  u.step = (double)step;
  u.decay = optional_amount(L, 10);

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
