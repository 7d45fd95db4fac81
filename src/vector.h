/*
** vector.h - what lets the compiler vectorise: loops without dependences, exp and tanh without calls or
** branches, and one binary that carries the loops for several processors.
*/
#ifndef PERILUNE_VECTOR_H
#define PERILUNE_VECTOR_H

#include "real.h"

/* Iterations are independent: memory that is written may be an operand, but only at the same index. */
#define VECTOR_LOOP _Pragma("omp simd")

/* The processor picks at load time. Sanitizers cannot run in the resolver that does the picking. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(SANITIZE)
#define MULTIVERSION                                                                     \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"),           \
                 optimize("O3")))
#else
#define MULTIVERSION
#endif

/* 1.5 * 2^mantissa: where it is added, the fraction is rounded away. */
#define ROUNDER ((real)3 * (real)((RealBits)1 << (REAL_MANTISSA - 1)))

typedef union RealView {
  real value;
  RealBits bits;
} RealView;

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

/* exp(r) - 1 for |r| <= ln(2)/2: the Taylor series, whose next term is below half an ulp */
static inline real vector_expm1_series(real r) {
  static const double coefficients[] = {
    1.0 / 2,        1.0 / 6,         1.0 / 24,         1.0 / 120,
    1.0 / 720,      1.0 / 5040,      1.0 / 40320,      1.0 / 362880,
    1.0 / 3628800., 1.0 / 39916800., 1.0 / 479001600., 1.0 / 6227020800.,
  };
  real sum = (real)coefficients[REAL_EXP_DEGREE - 2];
#pragma GCC unroll 16
  for (int k = REAL_EXP_DEGREE - 3; k >= 0; k--) sum = sum * r + (real)coefficients[k];
  return r + r * r * sum;
}

/* e^x, at most 2 ulp off; NaN stays NaN. In two factors: 2^n itself may be out of range where e^x is not. */
static inline real vector_exp(real x) {
  x = x < REAL_EXP_LOWEST ? REAL_EXP_LOWEST : x;
  x = x > REAL_EXP_HIGHEST ? REAL_EXP_HIGHEST : x;
  real n = vector_round(x * REAL_LOG2E);
  real r = (x - n * REAL_LN2_HIGH) - n * REAL_LN2_LOW;
  real half = vector_round(n * (real)0.5);
  return (1 + vector_expm1_series(r)) * vector_power_of_two(half) *
         vector_power_of_two(n - half);
}

/* e^x - 1 for x <= 0, without the cancellation near 0; NaN stays NaN. */
static inline real vector_expm1(real x) {
  x = x < REAL_EXPM1_LOWEST ? REAL_EXPM1_LOWEST : x;
  real n = vector_round(x * REAL_LOG2E);
  real r = (x - n * REAL_LN2_HIGH) - n * REAL_LN2_LOW;
  real scale = vector_power_of_two(n);
  return scale * vector_expm1_series(r) + (scale - 1);
}

/* tanh x = -t / (t + 2) with t = e^(-2|x|) - 1, at most 4 ulp off; NaN stays NaN. */
static inline real vector_tanh(real x) {
  real t = vector_expm1(-2 * fabs(x));
  return copysign(t / (t + 2), x);
}

#endif
