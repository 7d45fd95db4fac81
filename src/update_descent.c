/*
** update_descent.c - steps along the gradient or a running mean of it: sgd, momentum, lion.
*/
#include "update.h"
#include "vector.h"


/* Kernels */

/* p = p - rate (g + decay p) */
MULTIVERSION static void sgd(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real rate = (real)u->numbers[RATE];
  real decay = (real)u->numbers[DECAY];
  VECTOR_LOOP
  for (int k = first; k < last; k++) p[k] -= rate * (g[k] + decay * p[k]);
}

/* v = mu v + (g + decay p); p = p - rate v, or p - rate (g + decay p + mu v) */
MULTIVERSION static void momentum(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *v = u->kept[0];
  real rate = (real)u->numbers[RATE];
  real decay = (real)u->numbers[DECAY];
  real mu = (real)u->numbers[MU];
  bool nesterov = u->numbers[NESTEROV] != 0;
  real ahead = nesterov ? mu : 1;
  real now = nesterov ? 1 : 0;
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] = mu * v[k] + gradient;
    p[k] -= rate * (now * gradient + ahead * v[k]);
  }
}

/*
** p = (1 - rate decay) p - rate sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g. The
** sign of NaN is NaN.
*/
MULTIVERSION static void lion(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *m = u->kept[0];
  real rate = (real)u->numbers[RATE];
  real keep = (real)(1 - u->numbers[RATE] * u->numbers[DECAY]);
  real one_minus_beta1 = (real)(1 - u->numbers[BETA1]);
  real one_minus_beta2 = (real)(1 - u->numbers[BETA2]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real mean = update_mean(m[k], one_minus_beta1, g[k]);
    m[k] = update_mean(m[k], one_minus_beta2, g[k]);
    p[k] = keep * p[k] - rate * vector_sign(mean);
  }
}

static const Rule rules[] = {
  {"lion_update",     lion,     1, 0, {RATE, BETA1, BETA2, DECAY}},
  {"momentum_update", momentum, 1, 0, {RATE, MU, NESTEROV, DECAY}},
  {"sgd_update",      sgd,      0, 0, {RATE, DECAY}              },
};

void update_descent_open(lua_State *L) {
  update_register(L, rules, sizeof rules / sizeof rules[0]);
}
