/*
** update_rprop.c - steps of a length of their own for each element, in the direction of the
** gradient's sign: rprop.
*/
#include "update.h"
#include "vector.h"


/* Kernels */

/*
** With g0 the gradient of the step before and d the length of this element's steps:
**
**     g g0 > 0: d = min(eta_plus d, step_max)
**     g g0 < 0: d = max(eta_minus d, step_min), g = 0
**     p = p - d sign(g); g0 = g
**
** d = 0 is what no step has been made with: the first is `rate`. A rate of 0 leaves all as it is.
** Of g its sign is multiplied with g0, since the product of two small gradients would vanish.
*/
MULTIVERSION static void rprop(void *context, int first, int last) {
  const Update *u = context;
  real *p = u->p;
  const real *g = u->g;
  real *before = u->kept[0];
  real *length = u->kept[1];
  real rate = (real)u->numbers[RATE];
  real eta_minus = (real)u->numbers[ETA_MINUS];
  real eta_plus = (real)u->numbers[ETA_PLUS];
  real shortest = (real)u->numbers[STEP_MIN];
  real longest = (real)u->numbers[STEP_MAX];
  if (rate == 0) return;
  if (shortest < REAL_SMALLEST) shortest = REAL_SMALLEST;  // 0 would begin anew
  VECTOR_LOOP
  for (int k = first; k < last; k++) {
    real sign = vector_sign(g[k]);
    real turn = sign * before[k];
    real factor = turn > 0 ? eta_plus : turn < 0 ? eta_minus : 1;
    real d = (length[k] == 0 ? rate : length[k]) * factor;
    d = d < shortest ? shortest : d;
    d = d > longest ? longest : d;
    p[k] -= turn < 0 ? 0 : d * sign;
    length[k] = d;
    before[k] = turn < 0 ? 0 : g[k];
  }
}

static const Rule rules[] = {
  {"rprop_update", rprop, 2, 0, {RATE, ETA_MINUS, ETA_PLUS, STEP_MIN, STEP_MAX}},
};

void update_rprop_open(lua_State *L) {
  update_register(L, rules, sizeof rules / sizeof rules[0]);
}
