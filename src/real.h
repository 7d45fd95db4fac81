/*
** real.h - the element type. All of src/ is compiled twice, once for each; only this file knows
** which. <tgmath.h> makes sqrt(x) and friends follow the type of x.
*/
#ifndef PERILUNE_REAL_H
#define PERILUNE_REAL_H

#include <float.h>
#include <stdint.h>
#include <tgmath.h>

#include "float_state.h"

#if REAL_BITS == 32
typedef float real;
typedef double other_real;  // of the other core
typedef uint32_t RealBits;
#define REAL_NAME          "float32"
#define OTHER_REAL_NAME    "float64"
#define luaopen_core       luaopen_perilune_core_float32
#define REAL_GEMM          sgemm
#define REAL_MANTISSA      23
#define REAL_EXPONENT_BIAS 127
#define REAL_EXP_SERIES                                                                            \
  0.5000000061890434, 0.1666654298193680, 0.04166628225857476, 0.008366584920558880,               \
    0.001394643218493170
#define REAL_EXP_LOWEST     (-104.0F)           // below, exp is 0 even as a denormal
#define REAL_EXP_HIGHEST    89.0F               // above, exp is infinite
#define REAL_LN2_HIGH       0.693145751953125F  // 15 bits, so that n * this is exact
#define REAL_LN2_LOW        1.42860682030941723212e-6F
#define REAL_LN2            0.693147180559945309417F
#define REAL_LN2_REST       0  // what rounding takes away: of no account, by chance
#define REAL_LOG2E          1.44269504088896340736F
#define REAL_SMALLEST       FLT_MIN  // that is not denormal
#define REAL_LARGEST        FLT_MAX
#define REAL_TANH_SATURATED 10.0F     // tanh rounds to 1 from here on
#define REAL_EXPM1_LOWEST   (-20.0F)  // below, exp - 1 rounds to -1

/* Rounded to nearest, without a trap where it is infinite: the host may have set either. */
static inline real real_of(double x) {
  volatile double given = x;  // so that the compiler rounds neither before nor after
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile real rounded = (real)given;
  float_state_change(host);
  return rounded;
}

/* Exactly, without a trap where it is a signalling NaN */
static inline double real_to_number(real x) {
  volatile real given = x;
  FloatState host = float_state_change(FLOAT_PLAIN);
  volatile double number = (double)given;
  float_state_change(host);
  return number;
}
#elif REAL_BITS == 64
typedef double real;
typedef float other_real;
typedef uint64_t RealBits;
#define REAL_NAME          "float64"
#define OTHER_REAL_NAME    "float32"
#define luaopen_core       luaopen_perilune_core_float64
#define REAL_GEMM          dgemm
#define REAL_MANTISSA      52
#define REAL_EXPONENT_BIAS 1023
#define REAL_EXP_SERIES                                                                            \
  0.5000000000000005572, 0.1666666666666668450, 0.04166666666657346206, 0.008333333333315566766,   \
    0.001388888893241790625, 0.0001984126990089506932, 0.00002480150440830528616,                  \
    2.755722987610974446e-6, 2.762633913497360333e-7, 2.511386155256235806e-8
#define REAL_EXP_LOWEST     (-746.0)
#define REAL_EXP_HIGHEST    710.0
#define REAL_LN2_HIGH       6.93147180369123816490e-1  // 33 bits
#define REAL_LN2_LOW        1.90821492927058770002e-10
#define REAL_LN2            0.693147180559945309417
#define REAL_LN2_REST       2.319046813846299558e-17
#define REAL_LOG2E          1.44269504088896340736
#define REAL_SMALLEST       DBL_MIN
#define REAL_LARGEST        DBL_MAX
#define REAL_TANH_SATURATED 20.0
#define REAL_EXPM1_LOWEST   (-40.0)

static inline real real_of(double x) {
  return x;
}

static inline double real_to_number(real x) {
  return x;
}
#else
#error "compile with -DREAL_BITS=32 or -DREAL_BITS=64"
#endif

#endif
