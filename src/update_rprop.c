/*
** update_rprop.c - steps of a length of their own for each element, in the direction of the
** gradient's sign: rprop.
*/
#include "update.h"
#include "vector.h"


/* Kernels */

/* What becomes of an element whose gradient has changed its sign */
typedef enum Turn {
  WAITS,      // no step is made
  GOES_BACK,  // the step before is taken back
  GOES_ON,    // a step is made, in the new direction
} Turn;

/*
** With g0 the gradient of the step before and d the length of this element's steps:
**
**     g g0 > 0: d = min(eta_plus d, step_max)
**     g g0 < 0: d = max(eta_minus d, step_min), and by `turn`: g = 0; or p = p + d0 sign(g0), with
**               the length of the step before, and g = 0; or neither
**     p = p - d sign(g); g0 = g
**
** d = 0 is what no step has been made with: the first is `rate`. A rate of 0 leaves all as it is.
** Of g its sign is multiplied with g0, since the product of two small gradients would vanish.
*/
static inline void steps(const Update *u, int first, int last, Turn turn) {
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
    real agreement = sign * before[k];
    bool has_turned = agreement < 0;
    real factor = agreement > 0 ? eta_plus : has_turned ? eta_minus : 1;
    real old = length[k];
    real d = (old == 0 ? rate : old) * factor;
    d = d < shortest ? shortest : d;
    d = d > longest ? longest : d;
    real at_turn = turn == GOES_BACK ? old : turn == GOES_ON ? d : 0;
    p[k] -= (has_turned ? at_turn : d) * sign;
    length[k] = d;
    before[k] = has_turned && turn != GOES_ON ? 0 : g[k];
  }
}

MULTIVERSION static void irprop_minus(void *context, int first, int last) {
  steps(context, first, last, WAITS);
}

MULTIVERSION static void rprop_plus(void *context, int first, int last) {
  steps(context, first, last, GOES_BACK);
}

MULTIVERSION static void rprop_minus(void *context, int first, int last) {
  steps(context, first, last, GOES_ON);
}

static const Rule rules[] = {
  {"rprop_update",       irprop_minus, 2, 0, {RATE, ETA_MINUS, ETA_PLUS, STEP_MIN, STEP_MAX}},
  {"rprop_minus_update", rprop_minus,  2, 0, {RATE, ETA_MINUS, ETA_PLUS, STEP_MIN, STEP_MAX}},
  {"rprop_plus_update",  rprop_plus,   2, 0, {RATE, ETA_MINUS, ETA_PLUS, STEP_MIN, STEP_MAX}},
};

void update_rprop_open(lua_State *L) {
  update_register(L, rules, sizeof rules / sizeof rules[0]);
}
