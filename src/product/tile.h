/*
** tile.h - one tile, and how a product is taken in turns. Included by the kernels, once for each
** instruction set.
*/
#ifndef PERILUNE_TILE_H
#define PERILUNE_TILE_H

#include <stdint.h>

#include "product/lanes.h"
#include "product/tiles.h"

typedef struct Tile {
  int k;
  const real *A;
  int lda;
  const real *B;
  int stride_l;  // from B(l, j) to B(l + 1, j)
  int stride_j;  // from B(l, j) to B(l, j + 1)
  real *C;
  int ldc;
  bool adds;        // C += op(A) op(B)
  int last;         // lanes of the last vector of rows
  uintptr_t ahead;  // address of what is wanted next
} Tile;

/* Bring the cache line of element l of what lies at an address, if anything does. */
static inline void fetch(uintptr_t address, int l) {
  __builtin_prefetch((const void *)(address + (size_t)l * sizeof(real)));
}

static inline int least(int a, int b) {
  return a < b ? a : b;
}

/* How many of n to take next, at most `most`: so that turns are as few as can be, and alike */
static inline int next_turn(int n, int most) {
  int turns = (n - 1) / most + 1;
  return (n + turns - 1) / turns;
}

/* The same in whole vectors, as far as there are any */
static inline int next_vectors(int n, int most) {
  return least((next_turn(n, most) + LANES - 1) / LANES * LANES, n);
}

/* The first `rows` sums to C, or onto it; four at once, which is the common case */
INLINE void store_rows(int rows, Four sums, bool adds, real *C) {
  if (rows == 4) {
    Four before;
    if (adds) {
      memcpy(&before, C, sizeof before);
      sums += before;
    }
    memcpy(C, &sums, sizeof sums);
  } else {
    UNROLL for (int r = 0; r < rows; r++) C[r] = adds ? C[r] + sums[r] : sums[r];
  }
}

#endif
