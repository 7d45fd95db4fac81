/*
** tiles_avx2.c - the tiles for AVX2: its vectors, its numbers and the reason of each.
*/
#include "product/tiles.h"

#ifdef TILES_FOR_X86

#include <immintrin.h>


/* Vectors */

#define LANES_BYTES 32
#define TARGET      __attribute__((target("avx2,fma")))
#include "product/lanes.h"

typedef __m256d Doubles;
typedef __m256i Mask;  // the signs of the lanes
#define unpacklo_pd _mm256_unpacklo_pd
#define unpackhi_pd _mm256_unpackhi_pd
#if REAL_BITS == 32
typedef __m256 Reals;
#define maskload     _mm256_maskload_ps
#define maskstore    _mm256_maskstore_ps
#define movemask     _mm256_movemask_ps
#define unpacklo     _mm256_unpacklo_ps
#define unpackhi     _mm256_unpackhi_ps
#define permute2f128 _mm256_permute2f128_ps
#else
typedef __m256d Reals;
#define maskload     _mm256_maskload_pd
#define maskstore    _mm256_maskstore_pd
#define movemask     _mm256_movemask_pd
#define unpacklo     _mm256_unpacklo_pd
#define unpackhi     _mm256_unpackhi_pd
#define permute2f128 _mm256_permute2f128_pd
#endif

INLINE Mask lanes_first(int count) {
  static const uint64_t ones_then_zeros[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  const char *ones = (const char *)ones_then_zeros;
  return _mm256_loadu_si256((const void *)(ones + (size_t)(LANES - count) * sizeof(real)));
}

INLINE Lanes lanes_load_masked(Mask mask, const real *x) {
  return (Lanes)maskload(x, mask);
}

/* Storing with a mask takes tens of cycles on some processors. */
INLINE void lanes_store_masked(real *x, Mask mask, Lanes v) {
  if (movemask((Reals)mask) == (1 << LANES) - 1)
    memcpy(x, &v, sizeof v);
  else
    maskstore(x, mask, (Reals)v);
}

/* Neighbours change places, then pairs of them, then halves of the vectors. */
INLINE void lanes_transpose(Lanes v[LANES]) {
  Reals t[LANES];
  UNROLL for (int i = 0; i < LANES; i += 2) {
    t[i] = unpacklo((Reals)v[i], (Reals)v[i + 1]);
    t[i + 1] = unpackhi((Reals)v[i], (Reals)v[i + 1]);
  }
#if REAL_BITS == 32
  Reals pairs[LANES];
  UNROLL for (int i = 0; i < LANES; i += 4) {
    UNROLL for (int r = 0; r < 2; r++) {
      Doubles a = (Doubles)t[i + r];
      Doubles b = (Doubles)t[i + r + 2];
      pairs[i + 2 * r] = (Reals)unpacklo_pd(a, b);
      pairs[i + 2 * r + 1] = (Reals)unpackhi_pd(a, b);
    }
  }
  UNROLL for (int i = 0; i < LANES; i++) t[i] = pairs[i];
#endif
  UNROLL for (int i = 0; i < LANES / 2; i++) {
    v[i] = (Lanes)permute2f128(t[i], t[i + LANES / 2], 0x20);
    v[i + LANES / 2] = (Lanes)permute2f128(t[i], t[i + LANES / 2], 0x31);
  }
}

#include "product/sums_x86.h"


/* Numbers */

/*
** Sums of a tile, in rows and columns of dot products, and in vectors of rows and in columns: 12
** sums and their operands fill the 16 registers, so that a mask would take one of them away; whole
** vectors have a loop without.
*/
enum { DOT_ROWS = 3, DOT_COLS = 4, COLUMN_ROWS = 2, COLUMN_COLS = 6, MASKS_COST = 1 };

/* The 12 products of a turn of a column tile are few beside its loop's own instructions. */
#define UNROLL_INNER _Pragma("GCC unroll 4")

/*
** Elements of each row and column that dot products take in one go: 4 KiB, so that the 7 rows and
** columns of a tile fit the first cache of 32 KiB. So many rows of A that they fit the second: 512
** KiB.
*/
enum { DOT_DEPTH = 4096 / sizeof(real), DOT_BAND = 128 };

/*
** The same for column tiles where A is read in place: 1 KiB of each column of B, and so many rows
** of A that 1 KiB of each of its columns is read: 256 KiB at most.
*/
enum { COLUMN_DEPTH = 1024 / sizeof(real), COLUMN_BAND = 1024 / sizeof(real) };

/*
** A panel of A is half of the first cache. Slabs of so few columns that their B fits the second
** cache beside the panels: 192 KiB. They are read for each panel, while the columns of the next
** panel, which lie far apart, are fetched to the free half. (The locality is that of
** __builtin_prefetch.)
*/
enum { PANEL_BYTES = 16384, SLAB_ROWS = 1024, SLAB_COLS = 768 / sizeof(real) };
enum { PREFETCHES_NEXT_PANEL = 1, FETCH_LOCALITY = 3 };

/*
** A panel is copied once and read for each column: it pays from MIN_COLUMNS columns on. For A^t B
** also where dot products are short beside the columns, since their sums have to be added up across
** each vector.
*/
enum { MIN_ROWS = 16, MIN_COLUMNS = 32, SHORT_FOR_COLUMN = 64 / sizeof(real) };
enum { VERY_SHORT = 64, MIN_ROWS_FOR_VERY_SHORT = 8 };

/* A transposed B is copied as well, to 36 KiB, once so many rows of A read it. */
enum { COPIES_TRANSPOSED_B = 1, MIN_COPY_ROWS = 128 };
enum { COPY_DEPTH = 512 / sizeof(real), COPY_COLS = 64 };

/* One stream alone does not read as fast as the memory can: 1.08 times as fast with four. */
enum { STREAMS = 4 };

/* 1: test our copies of both operands, and with them packed.h for vectors other than AVX-512's. */
#ifndef PACKS_AVX2
#define PACKS_AVX2 0
#endif

/*
** OpenBLAS copies both operands of large products (suit): 0.90 to 1.02 of its speed with our copies
** on the Zen 4, less than that for products that OpenBLAS does not get.
*/
enum { PACKS = PACKS_AVX2, PACKED_BYTES = 192 << 10, PACKED_LINES = 8 };
enum { MIN_PACKED_ROWS = 512, MIN_PACKED_BYTES = 1 << 20 };

#include "product/kernels.h"

/*
** Tiles suit products up to a number of multiplications, which is smaller where columns of A are
** read where they are. OpenBLAS's copies pay beyond.
*/
static bool suit(int m, int n, int k, bool transposeA) {
  if (panels_pay(m, n, k, transposeA) && packs_pay(m, n, k)) return true;
  bool in_columns = !transposeA && !panels_pay(m, n, k, transposeA);
  return (double)m * n * k <= (in_columns ? 1 << 23 : 1 << 29);
}

const TileSet tiles_avx2 = {
  .suit = suit,
  .scratch = scratch,
  .compute = compute,
  .times_vector = times_vector,
  .most_blocks = 8,
  .least_cols = 64,
};

#endif
