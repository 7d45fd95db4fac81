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
#define REAL_LOG1P_SERIES   0.6666668509993645, 0.3998876405130465, 0.2958051167417513
#define REAL_TAIL_MIDDLE    4.0F   // where the series of the normal tail has its middle
#define REAL_TAIL_MOST      14.5F  // from here on the tail is 0, even as a denormal
#define REAL_TAIL_SERIES                                                                           \
  0.7552851353929793, -0.6078965883001995, 0.3871369005775598, -0.186523441289921,                 \
    0.06040383506862685, -0.007525270290316367, -0.003512563297797049, 0.001569917802966399,       \
    0.0001793599637578436, -0.0001319674384576805

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
#define REAL_LOG1P_SERIES                                                                          \
  0.666666666666666967, 0.3999999999989917564, 0.2857142862610608799, 0.2222221111583547834,       \
    0.1818289036891846622, 0.1533168401012087405, 0.1461687568354731418
#define REAL_TAIL_MIDDLE 5.0
#define REAL_TAIL_MOST   38.75
#define REAL_TAIL_SERIES                                                                           \
  0.7691930497500629564, -0.6653825028900566063, 0.4953056159699769417, -0.3135331566713150925,    \
    0.1650203661703644568, -0.06911863870597103678, 0.02079506680018320077,                        \
    -0.00299337677544418356, -0.000797869400850194128, 0.0005448991041108807354,                   \
    -0.00005937571523930218632, -0.00004976300326730857596, 0.00001668116030356563002,             \
    3.981475522406476723e-6, -2.769093185486896198e-6, -3.377251717281203022e-7,                   \
    4.327432983060158119e-7, 4.360799670916656158e-8, -6.536720160219893165e-8,                    \
    -1.022103832867309012e-8, 7.198772720609159244e-9, 2.021119818389448691e-9

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
