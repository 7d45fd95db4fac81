/*
** lanes.h - vectors of 64 bytes, for the kernels that are written by hand for AVX-512. The one file besides
** real.h that knows the element type.
*/
#ifndef PERILUNE_LANES_H
#define PERILUNE_LANES_H

#include <immintrin.h>
#include <string.h>

#include "real.h"

#define AVX512 __attribute__((target("avx512f,avx2,fma")))
#define INLINE AVX512 static inline __attribute__((always_inline))

/* Arrays of vectors are registers only where the loops over them are unrolled. */
#define UNROLL _Pragma("GCC unroll 8")

enum { LANES = 64 / sizeof(real) };

typedef real Lanes __attribute__((vector_size(64)));
typedef real HalfLanes __attribute__((vector_size(32)));
typedef real Four __attribute__((vector_size(4 * sizeof(real))));

#if REAL_BITS == 32
typedef __mmask16 Mask;  // one bit for each lane
typedef __m512 Vector;
#define load_masked     _mm512_maskz_loadu_ps
#define store_masked    _mm512_mask_storeu_ps
#define interleave_low  _mm512_unpacklo_ps
#define interleave_high _mm512_unpackhi_ps
#else
typedef __mmask8 Mask;
typedef __m512d Vector;
#define load_masked     _mm512_maskz_loadu_pd
#define store_masked    _mm512_mask_storeu_pd
#define interleave_low  _mm512_unpacklo_pd
#define interleave_high _mm512_unpackhi_pd
#endif

/* The first `count` lanes */
static inline Mask lanes_first(int count) {
  return (Mask)((1U << count) - 1);
}

INLINE Lanes lanes_load(const real *x) {
  Lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

/* Lanes that are not in the mask are 0, and their memory is not touched. */
INLINE Lanes lanes_load_masked(Mask mask, const real *x) {
  return (Lanes)load_masked(mask, x);
}

INLINE void lanes_store_masked(real *x, Mask mask, Lanes v) {
  store_masked(x, mask, (Vector)v);
}

/* Pairs of neighbours added: of a and b in turn, within each 16 bytes */
INLINE Lanes lanes_add_pairs(Lanes a, Lanes b) {
  Vector x = (Vector)a;
  Vector y = (Vector)b;
  return (Lanes)interleave_low(x, y) + (Lanes)interleave_high(x, y);
}

/* The sum of each of four vectors */
INLINE Four lanes_sums(Lanes a, Lanes b, Lanes c, Lanes d) {
  Lanes ab = lanes_add_pairs(a, b);
  Lanes cd = lanes_add_pairs(c, d);
  Four sums[4];
#if REAL_BITS == 32
  __m512d x = (__m512d)ab;
  __m512d y = (__m512d)cd;
  Lanes all = (Lanes)_mm512_unpacklo_pd(x, y) + (Lanes)_mm512_unpackhi_pd(x, y);
  HalfLanes half[2];
  memcpy(half, &all, sizeof half);
  half[0] += half[1];
  memcpy(sums, half, sizeof half[0]);
  return sums[0] + sums[1];
#else
  Four quarter;
  memcpy(sums, &ab, sizeof ab);
  memcpy(sums + 2, &cd, sizeof cd);
  sums[0] += sums[1];
  sums[2] += sums[3];
  quarter = (Four){sums[0][0], sums[0][1], sums[2][0], sums[2][1]};
  return quarter + (Four){sums[0][2], sums[0][3], sums[2][2], sums[2][3]};
#endif
}

#endif
