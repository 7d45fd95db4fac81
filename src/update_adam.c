/*
** update_adam.c - Adam's family, steps by a running mean of the gradient over one of its size:
** adam, amsgrad, adamax, nadam.
*/
#include "update.h"
#include "vector.h"


/* Kernels */

/*
** All keep m and v, but for adamax:
**
**     m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2
*/

/* sqrt(1 - beta2^step), what v's correction is to sqrt v */
static inline double root_correction(const Update *u) {
  return sqrt(1 - pow(u->numbers[BETA2], u->numbers[STEP]));
}

/*
** p = (1 - rate decay) p - rate m^ / (sqrt v^ + epsilon) with m^ = m / (1 - beta1^step) and v^ = v
** / (1 - beta2^step), which are left to rate and epsilon. With `largest`, amsgrad: the largest v so
** far is in v's place.
*/
static inline void step_adam(const Update *u, int first, int last, bool largest) {
  real *p = u->p;
  const real *g = u->g;
  real *m = u->kept[0];
  real *v = u->kept[1];
  real *w = u->kept[2];
  double correction1 = 1 - pow(u->numbers[BETA1], u->numbers[STEP]);
  real rate = (real)(u->numbers[RATE] * root_correction(u) / correction1);
  real epsilon = update_epsilon(u->numbers[EPSILON] * root_correction(u));
  real keep = (real)(1 - u->numbers[RATE] * u->numbers[DECAY]);
  real one_minus_beta1 = (real)(1 - u->numbers[BETA1]);
  real one_minus_beta2 = (real)(1 - u->numbers[BETA2]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    m[k] = update_mean(m[k], one_minus_beta1, g[k]);
    real size = update_mean(v[k], one_minus_beta2, g[k] * g[k]);
    v[k] = size;
    if (largest) w[k] = size = vector_larger(size, w[k]);
    p[k] = keep * p[k] - rate * m[k] / (sqrt(size) + epsilon);
  }
}

MULTIVERSION static void adam(void *context, int first, int last) {
  step_adam(context, first, last, false);
}

MULTIVERSION static void amsgrad(void *context, int first, int last) {
  step_adam(context, first, last, true);
}

/*
** m as above; u = max(beta2 u, |g| + epsilon); p = p - rate / (1 - beta1^step) m / u, with g +
** decay p in place of g
*/
MULTIVERSION static void adamax(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *m = u->kept[0];
  real *norm = u->kept[1];
  real rate = (real)(u->numbers[RATE] / (1 - pow(u->numbers[BETA1], u->numbers[STEP])));
  real decay = (real)u->numbers[DECAY];
  real one_minus_beta1 = (real)(1 - u->numbers[BETA1]);
  real beta2 = (real)u->numbers[BETA2];
  real epsilon = update_epsilon(u->numbers[EPSILON]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    m[k] = update_mean(m[k], one_minus_beta1, gradient);
    norm[k] = vector_larger(fabs(gradient) + epsilon, beta2 * norm[k]);
    p[k] -= rate * m[k] / norm[k];
  }
}

/*
** m and v as above; p = p - rate (now g + ahead m) / (sqrt v^ + epsilon) with v^ = v / (1 -
** beta2^step), with g + decay p in place of g. `now` and `ahead` hold the corrections that m^ has.
*/
MULTIVERSION static void nadam(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *m = u->kept[0];
  real *v = u->kept[1];
  double rate = u->numbers[RATE] * root_correction(u);
  real now = (real)(rate * u->numbers[NOW]);
  real ahead = (real)(rate * u->numbers[AHEAD]);
  real epsilon = update_epsilon(u->numbers[EPSILON] * root_correction(u));
  real decay = (real)u->numbers[DECAY];
  real one_minus_beta1 = (real)(1 - u->numbers[BETA1]);
  real one_minus_beta2 = (real)(1 - u->numbers[BETA2]);
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real gradient = g[k] + decay * p[k];
    m[k] = update_mean(m[k], one_minus_beta1, gradient);
    v[k] = update_mean(v[k], one_minus_beta2, gradient * gradient);
    p[k] -= (now * gradient + ahead * m[k]) / (sqrt(v[k]) + epsilon);
  }
}

static const Rule rules[] = {
  {"adam_update",    adam,    2, 0, {RATE, BETA1, BETA2, EPSILON, STEP, DECAY}            },
  {"adamax_update",  adamax,  2, 0, {RATE, BETA1, BETA2, EPSILON, STEP, DECAY}            },
  {"amsgrad_update", amsgrad, 3, 0, {RATE, BETA1, BETA2, EPSILON, STEP, DECAY}            },
  {"nadam_update",   nadam,   2, 0, {RATE, BETA1, BETA2, EPSILON, STEP, NOW, AHEAD, DECAY}},
};

void update_adam_open(lua_State *L) {
  update_register(L, rules, sizeof rules / sizeof rules[0]);
}
