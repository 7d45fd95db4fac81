/*
** update_adaptive.c - steps whose length adapts to the sizes of an element's gradients so far:
** adagrad, adadelta, rmsprop.
*/
#include "update.h"
#include "vector.h"


/* Kernels. In all of them g + decay p is in place of g. */

/* v = v + g^2; p = p - rate g / (sqrt v + epsilon) */
MULTIVERSION static void adagrad(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *v = u->kept[0];
  real rate = (real)u->numbers[RATE];
  real decay = (real)u->numbers[DECAY];
  real epsilon = update_epsilon(u->numbers[EPSILON]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] += gradient * gradient;
    p[k] -= rate * gradient / (sqrt(v[k]) + epsilon);
  }
}

/*
** v = alpha v + (1 - alpha) g^2; d = sqrt(w + epsilon) / sqrt(v + epsilon) g; w = alpha w + (1 -
** alpha) d^2; p = p - rate d
*/
MULTIVERSION static void adadelta(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *v = u->kept[0];
  real *w = u->kept[1];
  real rate = (real)u->numbers[RATE];
  real decay = (real)u->numbers[DECAY];
  real one_minus_alpha = (real)(1 - u->numbers[ALPHA]);
  real epsilon = update_epsilon(u->numbers[EPSILON]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] = update_mean(v[k], one_minus_alpha, gradient * gradient);
    real d = sqrt(w[k] + epsilon) / sqrt(v[k] + epsilon) * gradient;
    w[k] = update_mean(w[k], one_minus_alpha, d * d);
    p[k] -= rate * d;
  }
}

/*
** v = alpha v + (1 - alpha) g^2; d = g / (sqrt v + epsilon); p = p - rate d. Where it is centered,
** m = alpha m + (1 - alpha) g and v - m^2 is in v's place, which rounding might bring below 0. With
** momentum, w = mu w + d is in d's place.
*/
static inline void step_rmsprop(const Update *u, int first, int last, bool centered,
                                bool has_momentum) {
  real *p = u->p;
  const real *g = u->g;
  real *v = u->kept[0];
  real *m = u->kept[1];
  real *w = u->kept[2];
  real rate = (real)u->numbers[RATE];
  real decay = (real)u->numbers[DECAY];
  real mu = (real)u->numbers[MU];
  real one_minus_alpha = (real)(1 - u->numbers[ALPHA]);
  real epsilon = update_epsilon(u->numbers[EPSILON]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    v[k] = update_mean(v[k], one_minus_alpha, gradient * gradient);
    real size = v[k];
    if (centered) {
      m[k] = update_mean(m[k], one_minus_alpha, gradient);
      size -= m[k] * m[k];
      size = size < 0 ? 0 : size;
    }
    real d = gradient / (sqrt(size) + epsilon);
    if (has_momentum) w[k] = d = mu * w[k] + d;
    p[k] -= rate * d;
  }
}

MULTIVERSION static void rmsprop(void *context, int first, int last) {
  const Update *u = context;
  bool centered = u->kept[1] != NULL;
  bool has_momentum = u->kept[2] != NULL;
  if (centered && has_momentum) step_rmsprop(u, first, last, true, true);
  if (centered && !has_momentum) step_rmsprop(u, first, last, true, false);
  if (!centered && has_momentum) step_rmsprop(u, first, last, false, true);
  if (!centered && !has_momentum) step_rmsprop(u, first, last, false, false);
}

static const Rule rules[] = {
  {"adadelta_update", adadelta, 2, 0, {RATE, ALPHA, EPSILON, DECAY}    },
  {"adagrad_update",  adagrad,  1, 0, {RATE, EPSILON, DECAY}           },
  {"rmsprop_update",  rmsprop,  3, 2, {RATE, ALPHA, EPSILON, MU, DECAY}},
};

void update_adaptive_open(lua_State *L) {
  update_register(L, rules, sizeof rules / sizeof rules[0]);
}
