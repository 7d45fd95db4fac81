/*
** tiles_avx512.c - the tiles for AVX-512: its vectors, its numbers and the reason of each.
*/
#include "product/tiles.h"

#ifdef TILES_FOR_X86

#include <immintrin.h>
#include <limits.h>


/* Vectors */

#define LANES_BYTES 64
#define TARGET      __attribute__((target("avx512f,avx2,fma")))
#include "product/lanes.h"

typedef __m512d Doubles;
#if REAL_BITS == 32
typedef __m512 Reals;
typedef __mmask16 Mask;  // one bit for each lane
#define maskz_loadu  _mm512_maskz_loadu_ps
#define mask_storeu  _mm512_mask_storeu_ps
#define permutex2var _mm512_permutex2var_ps
#define unpacklo     _mm512_unpacklo_ps
#define unpackhi     _mm512_unpackhi_ps
#define unpacklo_pd  _mm512_unpacklo_pd
#define unpackhi_pd  _mm512_unpackhi_pd
#else
typedef __m512d Reals;
typedef __mmask8 Mask;
#define maskz_loadu  _mm512_maskz_loadu_pd
#define mask_storeu  _mm512_mask_storeu_pd
#define permutex2var _mm512_permutex2var_pd
#define unpacklo     _mm512_unpacklo_pd
#define unpackhi     _mm512_unpackhi_pd
#endif

INLINE Mask lanes_first(int count) {
  return (Mask)((1U << count) - 1);
}

INLINE Lanes lanes_load_masked(Mask mask, const real *x) {
  return (Lanes)maskz_loadu(mask, x);
}

INLINE void lanes_store_masked(real *x, Mask mask, Lanes v) {
  mask_storeu(x, mask, (Reals)v);
}

/* In turn, groups of 1, 2, 4, ... lanes change places with those of a vector as far away. */
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
      v[r] = (Lanes)permutex2var(a, (__m512i)low, b);
      v[r + size] = (Lanes)permutex2var(a, (__m512i)(low + size), b);
    }
  }
}

#include "product/sums_x86.h"


/* Numbers */

/*
** Sums of a tile, in rows and columns of dot products, and in vectors of rows and in columns. 24
** sums, 4 vectors of A and one of B are 29 of the 32 registers; masks have registers of their own.
** So many sums are needed because a sum can take its next product only after 4 cycles.
*/
enum { DOT_ROWS = 4, DOT_COLS = 6, COLUMN_ROWS = 4, COLUMN_COLS = 6, MASKS_COST = 0 };

/* The inner loop of a column tile is long enough as it is. */
#define UNROLL_INNER

/*
** Elements of each row and column that dot products take in one go: 4 KiB, so that the 10 rows and
** columns of a tile fit the first cache, of 32 KiB or more. So many rows of A that they fit the
** second, of 1 MiB or more: 512 KiB.
*/
enum { DOT_DEPTH = 4096 / sizeof(real), DOT_BAND = 128 };

/*
** The same for column tiles where A is read in place: 1 KiB of each column of B, and so many rows
** of A that 1 KiB of each of its columns is read: 256 KiB at most.
*/
enum { COLUMN_DEPTH = 1024 / sizeof(real), COLUMN_BAND = 1024 / sizeof(real) };

/*
** A panel of A fills the smallest first cache there is: it is read for every tile, and B goes by.
** Slabs of 128 rows, so that their C stays in the second cache from one slab to the next.
*/
enum { PANEL_BYTES = 32768, SLAB_ROWS = 128, SLAB_COLS = INT_MAX };

/*
** The next panel is fetched beside a copy of B only, and to the second cache, since this panel
** fills the first. (The locality is that of __builtin_prefetch.)
*/
enum { PREFETCHES_NEXT_PANEL = 0, FETCH_LOCALITY = 2 };

/*
** A panel is copied once and read for each column. With fewer columns than MIN_COLUMNS reading A in
** place was faster by 3 to 10 %; for A^t B panels were faster while its dot products have at most
** two elements (in float64 four) for each column, and from two vectors of rows on.
*/
enum { MIN_ROWS = 2 * LANES, MIN_COLUMNS = 256, SHORT_FOR_COLUMN = 32 / LANES };
enum { VERY_SHORT = 64, MIN_ROWS_FOR_VERY_SHORT = 8 };

/* A copy of B's rows does not pay: 0.75 of the speed without. */
enum { COPIES_TRANSPOSED_B = 0, MIN_COPY_ROWS = 0, COPY_DEPTH = 1, COPY_COLS = LANES };

/* The processor reads ahead best in one stream, one row of the matrix after the other. */
enum { STREAMS = 1 };

/*
** Copies of B fill half of the smallest second cache, 1 MiB: the other half is for the panels of A
** and for C, which go by. They pay where four panels of A read each copy, and B has more pages of
** memory, 128 of 4 KiB, than the processor knows the addresses of at once. PACKED_LINES are as many
** rows as make whole lines of each sliver, and fit a set of the first cache.
*/
enum { PACKS = 1, PACKED_BYTES = 512 << 10, MIN_PACKED_ROWS = 256, MIN_PACKED_BYTES = 512 << 10 };
enum { PACKED_LINES = 8 };

#include "product/kernels.h"

/*
** Tiles suit dot products; columns that fill a vector; and products so small that the way into
** OpenBLAS costs more than vectors that are left half empty.
*/
static bool suit(int m, int n, int k, bool transposeA) {
  return transposeA || m >= 16 || (double)m * n * k < 1 << 14;
}

const TileSet tiles_avx512 = {
  .suit = suit,
  .scratch = scratch,
  .compute = compute,
  .times_vector = times_vector,
  .most_blocks = 16,
  .least_cols = 32,
};

#endif
