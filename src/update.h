/*
** update.h - what an optimiser's rule is: one kernel, and what its function takes.
*/
#ifndef PERILUNE_UPDATE_H
#define PERILUNE_UPDATE_H

#include "matrix.h"

/* Numbers that rules take: each has one name and one range, in update.c, whatever the rule. */
typedef enum Number {
  END,  // of a rule's list
  RATE,
  DECAY,
  MU,
  NESTEROV,
  ALPHA,
  BETA1,
  BETA2,
  EPSILON,
  STEP,
  NOW,
  AHEAD,
  ETA_MINUS,
  ETA_PLUS,
  STEP_MIN,
  STEP_MAX,
  NUMBERS,
} Number;

enum { MOST_KEPT = 3, MOST_NUMBERS = 8 };

/*
** Numbers are rounded to the element type by the kernels: there the host's rounding and traps do
** not count.
*/
typedef struct Update {
  real *p;                // the parameters
  const real *g;          // their gradient
  real *kept[MOST_KEPT];  // what is kept for each between steps; NULL where it is left out
  int size;
  double numbers[NUMBERS];
} Update;

/* NAME(p, g, kept ..., numbers ...) --> p: one step over elements first..last-1, by `kernel` */
typedef struct Rule {
  const char *name;
  RangeTask kernel;  // its context is an Update
  int kept;          // matrices
  int optional;      // of these the last ones, which may be nil
  Number numbers[MOST_NUMBERS];
} Rule;

/*
** The running mean m of x, beta m + (1 - beta) x. The complement is rounded once: near 0 the
** difference of two rounded numbers would be off.
*/
static inline real update_mean(real m, real one_minus_beta, real x) {
  return (m - one_minus_beta * m) + one_minus_beta * x;
}

/* In the element type never 0: that would be 0 / 0 where a gradient has always been 0. */
static inline real update_epsilon(double epsilon) {
  return epsilon < (double)REAL_SMALLEST ? REAL_SMALLEST : (real)epsilon;
}

/* Register the functions of `count` rules in the table on top of the stack. */
void update_register(lua_State *L, const Rule *rules, int count);

#endif
