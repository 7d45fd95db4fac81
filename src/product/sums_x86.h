/*
** sums_x86.h - the sums of vectors of AVX2 and AVX-512, whose instructions for it differ in their
** width alone. Included by their files, which have defined
**
**   Reals, Doubles               the intrinsics' types of vectors of `real` and of doubles
**   unpacklo, unpackhi           of Reals
**   unpacklo_pd, unpackhi_pd     of Doubles
*/
#ifndef PERILUNE_SUMS_X86_H
#define PERILUNE_SUMS_X86_H

#include "product/lanes.h"

typedef real Bytes16 __attribute__((vector_size(16)));

/* Pairs of neighbours added: of a and b in turn, within each 16 bytes */
INLINE Lanes lanes_add_pairs(Lanes a, Lanes b) {
  Reals x = (Reals)a;
  Reals y = (Reals)b;
  return (Lanes)unpacklo(x, y) + (Lanes)unpackhi(x, y);
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

INLINE Four lanes_sums(Lanes a, Lanes b, Lanes c, Lanes d) {
  Lanes ab = lanes_add_pairs(a, b);
  Lanes cd = lanes_add_pairs(c, d);
#if REAL_BITS == 32
  Doubles x = (Doubles)ab;
  Doubles y = (Doubles)cd;
  return lanes_sum_to_16_bytes((Lanes)unpacklo_pd(x, y) + (Lanes)unpackhi_pd(x, y));
#else
  Bytes16 halves[2] = {lanes_sum_to_16_bytes(ab), lanes_sum_to_16_bytes(cd)};
  Four sums;
  memcpy(&sums, halves, sizeof sums);
  return sums;
#endif
}

#endif
