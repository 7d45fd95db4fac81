/*
** lanes.h - vectors for the kernels that are written by hand: of 64 bytes for AVX-512 or of 32 for
** AVX2, as LANES_BYTES says. The one file besides real.h that knows the element type.
*/
#ifndef PERILUNE_LANES_H
#define PERILUNE_LANES_H

#include <immintrin.h>
#include <string.h>

#include "real.h"

enum { LANES = LANES_BYTES / sizeof(real) };

typedef real Lanes __attribute__((vector_size(LANES_BYTES)));
typedef real Bytes16 __attribute__((vector_size(16)));
typedef real Four __attribute__((vector_size(4 * sizeof(real))));

#if REAL_BITS == 32
#define REALS SINGLES
#define Reals Singles
#else
#define REALS DOUBLES
#define Reals Doubles
#endif

/* Arrays of vectors are registers only where the loops over them are unrolled. */
#define UNROLL       _Pragma("GCC unroll 8")
#define UNROLL_LANES _Pragma("GCC unroll 16")
#define INLINE       TARGET static inline __attribute__((always_inline))

#if LANES_BYTES == 64

#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define UNROLL_STEPS
#define SINGLES(instruction) _mm512_##instruction##_ps
#define DOUBLES(instruction) _mm512_##instruction##_pd
typedef __m512 Singles;
typedef __m512d Doubles;
#if REAL_BITS == 32
typedef __mmask16 Mask;  // one bit for each lane
#else
typedef __mmask8 Mask;
#endif
enum { MASKS_COST = 0 };  // they have registers of their own

/* The first `count` lanes */
INLINE Mask lanes_first(int count) {
  return (Mask)((1U << count) - 1);
}

/* Lanes that are not in the mask are 0, and their memory is not touched. */
INLINE Lanes lanes_load_masked(Mask mask, const real *x) {
  return (Lanes)REALS(maskz_loadu)(mask, x);
}

INLINE void lanes_store_masked(real *x, Mask mask, Lanes v) {
  REALS(mask_storeu)(x, mask, (Reals)v);
}

/*
** Transpose LANES vectors: in turn, groups of 1, 2, 4, ... lanes change places with those of a
** vector as far away.
*/
INLINE void lanes_transpose(Lanes v[LANES]) {
  typedef RealBits Index __attribute__((vector_size(LANES_BYTES)));
  Index lane;
  UNROLL_LANES for (int i = 0; i < LANES; i++) lane[i] = (RealBits)i;
  UNROLL for (RealBits size = 1; size < LANES; size *= 2) {
    Index low = lane + ((Index)((lane & size) != 0) & (LANES - size));
    UNROLL_LANES for (RealBits r = 0; r < LANES; r++) {
      if (r & size) continue;
      Reals a = (Reals)v[r];
      Reals b = (Reals)v[r + size];
      v[r] = (Lanes)REALS(permutex2var)(a, (__m512i)low, b);
      v[r + size] = (Lanes)REALS(permutex2var)(a, (__m512i)(low + size), b);
    }
  }
}

#else

#define TARGET               __attribute__((target("avx2,fma")))
#define UNROLL_STEPS         _Pragma("GCC unroll 4")
#define SINGLES(instruction) _mm256_##instruction##_ps
#define DOUBLES(instruction) _mm256_##instruction##_pd
typedef __m256 Singles;
typedef __m256d Doubles;
typedef __m256i Mask;  // the signs of the lanes
enum { MASKS_COST = 1 };

INLINE Mask lanes_first(int count) {
  static const uint64_t ones_then_zeros[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  const char *ones = (const char *)ones_then_zeros;
  return _mm256_loadu_si256((const void *)(ones + (size_t)(LANES - count) * sizeof(real)));
}

INLINE Lanes lanes_load_masked(Mask mask, const real *x) {
  return (Lanes)REALS(maskload)(x, mask);
}

/* Storing with a mask takes tens of cycles on some processors. */
INLINE void lanes_store_masked(real *x, Mask mask, Lanes v) {
  if (REALS(movemask)((Reals)mask) == (1 << LANES) - 1)
    memcpy(x, &v, sizeof v);
  else
    REALS(maskstore)(x, mask, (Reals)v);
}

/*
** Transpose LANES vectors: neighbours change places, then pairs of them, then halves of the
** vectors.
*/
INLINE void lanes_transpose(Lanes v[LANES]) {
  Reals t[LANES];
  UNROLL for (int i = 0; i < LANES; i += 2) {
    t[i] = REALS(unpacklo)((Reals)v[i], (Reals)v[i + 1]);
    t[i + 1] = REALS(unpackhi)((Reals)v[i], (Reals)v[i + 1]);
  }
#if REAL_BITS == 32
  Reals pairs[LANES];
  UNROLL for (int i = 0; i < LANES; i += 4) {
    UNROLL for (int r = 0; r < 2; r++) {
      Doubles a = (Doubles)t[i + r];
      Doubles b = (Doubles)t[i + r + 2];
      pairs[i + 2 * r] = (Reals)DOUBLES(unpacklo)(a, b);
      pairs[i + 2 * r + 1] = (Reals)DOUBLES(unpackhi)(a, b);
    }
  }
  UNROLL for (int i = 0; i < LANES; i++) t[i] = pairs[i];
#endif
  UNROLL for (int i = 0; i < LANES / 2; i++) {
    v[i] = (Lanes)REALS(permute2f128)(t[i], t[i + LANES / 2], 0x20);
    v[i + LANES / 2] = (Lanes)REALS(permute2f128)(t[i], t[i + LANES / 2], 0x31);
  }
}

#endif

INLINE Lanes lanes_load(const real *x) {
  Lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

INLINE void lanes_store(real *x, Lanes v) {
  memcpy(x, &v, sizeof v);
}

/* Pairs of neighbours added: of a and b in turn, within each 16 bytes */
INLINE Lanes lanes_add_pairs(Lanes a, Lanes b) {
  Reals x = (Reals)a;
  Reals y = (Reals)b;
  return (Lanes)REALS(unpacklo)(x, y) + (Lanes)REALS(unpackhi)(x, y);
}

/* The sum of the quarters of v, or of its halves where it has 32 bytes: 16 bytes */
INLINE Bytes16 lanes_sum_to_16_bytes(Lanes v) {
  Bytes16 two[2];
#if LANES_BYTES == 64
  typedef real Half __attribute__((vector_size(32)));
  Half halves[2];
  memcpy(halves, &v, sizeof v);
  halves[0] += halves[1];
  memcpy(two, halves, sizeof two);
#else
  memcpy(two, &v, sizeof two);
#endif
  return two[0] + two[1];
}

/* The sum of each of four vectors */
INLINE Four lanes_sums(Lanes a, Lanes b, Lanes c, Lanes d) {
  Lanes ab = lanes_add_pairs(a, b);
  Lanes cd = lanes_add_pairs(c, d);
#if REAL_BITS == 32
  Doubles x = (Doubles)ab;
  Doubles y = (Doubles)cd;
  return lanes_sum_to_16_bytes((Lanes)DOUBLES(unpacklo)(x, y) + (Lanes)DOUBLES(unpackhi)(x, y));
#else
  Bytes16 halves[2] = {lanes_sum_to_16_bytes(ab), lanes_sum_to_16_bytes(cd)};
  Four sums;
  memcpy(&sums, halves, sizeof sums);
  return sums;
#endif
}

#endif
