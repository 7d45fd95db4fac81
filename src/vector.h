/*
** vector.h - what lets the compiler vectorise: loops without dependences, exp and its relatives
** without calls or branches, and one binary that carries the loops for several processors.
*/
#ifndef PERILUNE_VECTOR_H
#define PERILUNE_VECTOR_H

#include <stdbool.h>

#include "real.h"

/*
** Iterations are independent: memory that is written may be an operand, but only at the same index.
*/
#define VECTOR_LOOP _Pragma("omp simd")

/* The processor picks at load time. Sanitizers cannot run in the resolver that does the picking. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(SANITIZE)
#define MULTIVERSION                                                                               \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define MULTIVERSION
#endif

/* 1.5 * 2^mantissa: where it is added, the fraction is rounded away. */
#define ROUNDER ((real)3 * (real)((RealBits)1 << (REAL_MANTISSA - 1)))

typedef union RealView {
  real value;
  RealBits bits;
} RealView;

/* 1, -1, 0 or NaN: 0 for denormals, too, which compare as 0 */
static inline real vector_sign(real x) {
  return x > 0 ? 1 : x < 0 ? -1 : x == x ? 0 : x;
}

/* The larger of a and b; NaN where a is */
static inline real vector_larger(real a, real b) {
  return a <= b ? b : a;
}

/* x rounded to a whole number, |x| < 2^(mantissa - 1) */
static inline real vector_round(real x) {
  return (x + ROUNDER) - ROUNDER;
}

/* 2^n for a whole number n with -bias < n <= bias */
static inline real vector_power_of_two(real n) {
  RealView view = {.value = n + (ROUNDER + REAL_EXPONENT_BIAS)};
  view.bits <<= REAL_MANTISSA;
  return view.value;
}

/*
** The polynomial in x with these coefficients, the constant one first; they must be known where it
** is compiled.
*/
static inline real vector_series(real x, int count, const double *coefficients) {
  real sum = (real)coefficients[count - 1];
#pragma GCC unroll 32
  for (int k = count - 2; k >= 0; k--) sum = sum * x + (real)coefficients[k];
  return sum;
}

#define SERIES_COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

/*
** (e^r - 1 - r) / r^2 for |r| <= ln(2)/2: the polynomial of the lowest degree that can keep e^r - 1
** within a quarter of an ulp, its coefficients by Remez' algorithm. Taylor's series would take one
** more in float32, two in float64.
*/
static inline real vector_exp_series(real r) {
  static const double coefficients[] = {REAL_EXP_SERIES};
  return vector_series(r, SERIES_COUNT(coefficients), coefficients);
}

/*
** e^(x - rest) for REAL_EXP_LOWEST <= x <= REAL_EXP_HIGHEST and a small `rest`, such as what x lost
** to rounding. In two factors: 2^n itself may be out of range where e^x is not.
*/
static inline real vector_exp_within(real x, real rest) {
  real n = vector_round((x - rest) * REAL_LOG2E);
  real r = (x - n * REAL_LN2_HIGH) - n * REAL_LN2_LOW - rest;
  real half = vector_round(n * (real)0.5);
  return (1 + (r + r * r * vector_exp_series(r))) * vector_power_of_two(half) *
         vector_power_of_two(n - half);
}

/* e^x, at most 1.5 ulp off; NaN stays NaN. */
static inline real vector_exp(real x) {
  x = x < REAL_EXP_LOWEST ? REAL_EXP_LOWEST : x;
  x = x > REAL_EXP_HIGHEST ? REAL_EXP_HIGHEST : x;
  return vector_exp_within(x, 0);
}

/* e^x - 1 for x <= 0, without the cancellation near 0; NaN stays NaN. */
static inline real vector_expm1(real x) {
  x = x < REAL_EXPM1_LOWEST ? REAL_EXPM1_LOWEST : x;
  real n = vector_round(x * REAL_LOG2E);
  real r = (x - n * REAL_LN2_HIGH) - n * REAL_LN2_LOW;
  real scale = vector_power_of_two(n);
  return scale * (r + r * r * vector_exp_series(r)) + (scale - 1);
}

/*
** tanh x, at most 1.5 ulp off; NaN stays NaN.
**
** tanh |x| = (1 - d) / d with d = (1 + e^(-2|x|)) / 2, which is h + 1/2 + h r + h c with h =
** 2^(n-1), r = -2|x| - n ln 2 and c = e^r - 1 - r. The rounding of d would be seen twice in the
** quotient, up to four times where tanh comes near 1. But 1 - d is exact, and so is the sum of all
** that d lost but for the last term: `lost`. The derivative of (1 - d) / d, -1 / d^2, is -(1 + tanh
** |x|)^2 and puts that right.
*/
static inline real vector_tanh(real x) {
  const real to_exponent = ROUNDER + (REAL_EXPONENT_BIAS - 1);
  real y = -fabs(x);
  y = y < -REAL_TANH_SATURATED ? -REAL_TANH_SATURATED : y;
  RealView h = {.value = y * (2 * REAL_LOG2E) + to_exponent};
  real n = h.value - to_exponent;
  h.bits <<= REAL_MANTISSA;
  real r = 2 * (y - n * (REAL_LN2 / 2));
  real hr = h.value * r;
  real hc = hr * r * vector_exp_series(r);
  if (REAL_LN2_REST != 0) hc -= h.value * n * REAL_LN2_REST;
  real d = ((h.value + (real)0.5) + hr) + hc;
  real lost = ((((real)0.5 - d) + h.value) + hr) + hc;
  real quotient = (1 - d) / d;
  return copysign(quotient - (1 + quotient) * (1 + quotient) * lost, x);
}

/* (log((1 + s) / (1 - s)) - 2s) / s^3, of s^2 <= (3 - sqrt 8)^2; by Remez' algorithm */
static inline real vector_log1p_series(real x) {
  static const double coefficients[] = {REAL_LOG1P_SERIES};
  return vector_series(x, SERIES_COUNT(coefficients), coefficients);
}

/*
** log(1 + f) + rest, for f from sqrt(1/2) - 1 to sqrt(2) - 1 and a small rest. With s = f / (2 +
** f), log(1 + f) is log((1 + s) / (1 - s)) = 2s + s^3 p(s^2), and 2s = f - s f.
*/
static inline real vector_log1p_within(real f, real rest) {
  real s = f / (2 + f);
  return f - (s * (f - s * s * vector_log1p_series(s * s)) - rest);
}

/*
** log(1 + x) for x from sqrt(1/2) - 1 to 1, at most 2 ulp off; NaN stays NaN. Where 1 + x is above
** sqrt 2, (1 + x) / 2 is taken, which is exact, and log 2 is added.
*/
static inline real vector_log1p(real x) {
  bool is_above = x > (real)0.41421356237309504880;
  real y = vector_log1p_within(is_above ? (x - 1) * (real)0.5 : x, 0);
  return is_above ? REAL_LN2 + y : y;
}

/*
** log x, at most 1 ulp off; -infinity where x is 0 or denormal, NaN where it is less or NaN. x is
** 2^n (1 + f) with 1 + f from sqrt(1/2) to sqrt(2).
*/
static inline real vector_log(real x) {
  const RealView lowest = {.value = (real)0.70710678118654752440};
  const RealView units = {.value = (real)((RealBits)1 << REAL_MANTISSA)};
  RealView m = {.value = x};
  m.bits += ((RealBits)REAL_EXPONENT_BIAS << REAL_MANTISSA) - lowest.bits;
  RealView n = {.bits = (m.bits >> REAL_MANTISSA) | units.bits};
  n.value -= units.value + REAL_EXPONENT_BIAS;
  m.bits = (m.bits & (((RealBits)1 << REAL_MANTISSA) - 1)) + lowest.bits;
  real y = n.value * REAL_LN2_HIGH + vector_log1p_within(m.value - 1, n.value * REAL_LN2_LOW);
  y = x > REAL_LARGEST ? x : y;
  return x >= REAL_SMALLEST ? y : x > -REAL_SMALLEST ? (real)-INFINITY : (real)NAN;
}

/* e^(-y^2 / 2) for 0 <= y <= REAL_TAIL_MOST, 1.5 ulp off: y^2 / 2 in two parts, the first exact */
static inline real vector_bell(real y) {
  RealView high = {.value = y};
  high.bits &= ~(((RealBits)1 << (REAL_MANTISSA / 2 + 1)) - 1);
  real rest = (real)0.5 * (y - high.value) * (y + high.value);
  return vector_exp_within((real)-0.5 * high.value * high.value, rest);
}

/* (y + m) e^(y^2 / 2) times the normal tail, of (y - m) / (y + m); by Remez' algorithm */
static inline real vector_tail_series(real x) {
  static const double coefficients[] = {REAL_TAIL_SERIES};
  return vector_series(x, SERIES_COUNT(coefficients), coefficients);
}

/*
** The normal tail: how likely a normal number is above y, which is erfc(y / sqrt 2) / 2; for 0 <= y
** <= REAL_TAIL_MOST, where `bell` is e^(-y^2 / 2). At most 4 ulp off; NaN stays NaN.
**
** The tail is e^(-y^2 / 2) times a function that falls as slowly as 1 / y. Times y + m, as a
** function of (y - m) / (y + m), it is so smooth that one polynomial does for all y (as Shepherd
** and Laframboise 1981 do for erfc).
*/
static inline real vector_normal_tail(real y, real bell) {
  real factor = 1 / (y + REAL_TAIL_MIDDLE);
  real q = 2 * y * factor - 1;  // (y - m) / (y + m), without the rounding of y - m near 0
  return bell * (factor * vector_tail_series(q));
}

#endif
