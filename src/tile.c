/*
** tile.c - small matrix products: a tile of C is summed up in vector registers while A and B are read where they
** are. For AVX-512, whose 32 registers hold tiles large enough; written with the compiler's vector types, because
** how many sums there are is what matters here and is not left to the vectoriser.
*/
#include "tile.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_TILES 1
#else
#define HAS_TILES 0
#endif

#if HAS_TILES

#define INLINE static inline __attribute__((always_inline))

enum { BYTES = 64, LANES = BYTES / sizeof(real), MOST_ROWS = 4, MOST_COLS = 6 };

/* Multiplications from which on tiles are faster than OpenBLAS, and than OpenBLAS with AVX-512 */
#define MIN_TILES      (1 << 14)
#define MIN_WIDE_TILES (1 << 19)

typedef real Lanes __attribute__((vector_size(BYTES)));
typedef real HalfLanes __attribute__((vector_size(BYTES / 2)));
typedef real QuarterLanes __attribute__((vector_size(BYTES / 4)));

INLINE void load(Lanes *v, const real *x) {
  memcpy(v, x, BYTES);
}

INLINE void store(real *x, const Lanes *v) {
  memcpy(x, v, BYTES);
}

INLINE real sum_of_lanes(const Lanes *v) {
  HalfLanes half[2];
  QuarterLanes quarter[2];
  memcpy(half, v, BYTES);
  half[0] += half[1];
  memcpy(quarter, half, BYTES / 2);
  quarter[0] += quarter[1];
  real sum = 0;
  for (int i = 0; i < LANES / 4; i++) sum += quarter[0][i];
  return sum;
}


/* C = A^t B: rows and columns of k neighbours each, and a tile is `rows` x `cols` dot products. */

INLINE void dot_tile(int rows, int cols, const TileProduct *p, int i, int j) {
  const real *A = p->A + i * p->lda;
  const real *B = p->B + j * p->ldb;
  Lanes sums[MOST_ROWS][MOST_COLS];
  for (int r = 0; r < rows; r++) {
    for (int c = 0; c < cols; c++) sums[r][c] = (Lanes){0};
  }
  int l = 0;
  for (; l + LANES <= p->k; l += LANES) {
    Lanes a[MOST_ROWS];
    for (int r = 0; r < rows; r++) load(&a[r], A + r * p->lda + l);
    for (int c = 0; c < cols; c++) {
      Lanes b;
      load(&b, B + c * p->ldb + l);
      for (int r = 0; r < rows; r++) sums[r][c] += a[r] * b;
    }
  }
  for (int c = 0; c < cols; c++) {
    for (int r = 0; r < rows; r++) {
      real sum = sum_of_lanes(&sums[r][c]);
      for (int q = l; q < p->k; q++) sum += A[r * p->lda + q] * B[c * p->ldb + q];
      p->C[(j + c) * p->ldc + i + r] = sum;
    }
  }
}

INLINE int dot_columns(int cols, const TileProduct *p, int j) {
  for (; j + cols <= p->n; j += cols) {
    int i = 0;
    for (; i + 4 <= p->m; i += 4) dot_tile(4, cols, p, i, j);
    for (; i + 2 <= p->m; i += 2) dot_tile(2, cols, p, i, j);
    for (; i < p->m; i++) dot_tile(1, cols, p, i, j);
  }
  return j;
}


/* C = A op(B): columns of m neighbours, and a tile is `vectors` * LANES rows of `cols` columns. */

INLINE void column_tile(int vectors, int cols, const TileProduct *p, int i, int j) {
  int step_l = p->transposeB ? p->ldb : 1;
  int step_j = p->transposeB ? 1 : p->ldb;
  const real *A = p->A + i;
  const real *B = p->B + j * step_j;
  Lanes sums[MOST_ROWS][MOST_COLS];
  for (int v = 0; v < vectors; v++) {
    for (int c = 0; c < cols; c++) sums[v][c] = (Lanes){0};
  }
  for (int l = 0; l < p->k; l++) {
    Lanes a[MOST_ROWS];
    for (int v = 0; v < vectors; v++) load(&a[v], A + l * p->lda + v * LANES);
    for (int c = 0; c < cols; c++) {
      real b = B[l * step_l + c * step_j];
      for (int v = 0; v < vectors; v++) sums[v][c] += a[v] * b;
    }
  }
  for (int c = 0; c < cols; c++) {
    for (int v = 0; v < vectors; v++) {
      store(p->C + (j + c) * p->ldc + i + v * LANES, &sums[v][c]);
    }
  }
}

/* The last rows, fewer than LANES, of one column */
INLINE void column_rest(const TileProduct *p, int i, int j) {
  int step_l = p->transposeB ? p->ldb : 1;
  int step_j = p->transposeB ? 1 : p->ldb;
  real sums[LANES] = {0};
  int rows = p->m - i;
  for (int l = 0; l < p->k; l++) {
    real b = p->B[l * step_l + j * step_j];
    for (int r = 0; r < rows; r++) sums[r] += p->A[l * p->lda + i + r] * b;
  }
  memcpy(p->C + j * p->ldc + i, sums, (size_t)rows * sizeof(real));
}

INLINE int column_columns(int cols, const TileProduct *p, int j) {
  for (; j + cols <= p->n; j += cols) {
    int i = 0;
    for (; i + 4 * LANES <= p->m; i += 4 * LANES) column_tile(4, cols, p, i, j);
    for (; i + LANES <= p->m; i += LANES) column_tile(1, cols, p, i, j);
    for (int c = 0; i < p->m && c < cols; c++) column_rest(p, i, j + c);
  }
  return j;
}


__attribute__((target("avx512f,avx2,fma"))) void tile_compute(const TileProduct *p) {
  int j = 0;
  if (p->transposeA) {
    j = dot_columns(4, p, j);
    j = dot_columns(2, p, j);
    dot_columns(1, p, j);
  } else {
    j = column_columns(6, p, j);
    j = column_columns(4, p, j);
    j = column_columns(2, p, j);
    column_columns(1, p, j);
  }
}

bool tile_exists(void) {
  return __builtin_cpu_supports("avx512f");
}

bool tile_suits(const TileProduct *p, bool blas_is_wide) {
  bool has_shape = p->transposeA ? !p->transposeB && p->k >= 4 * LANES : p->m >= LANES;
  double volume = (double)p->m * p->n * p->k;
  double fewest = blas_is_wide ? MIN_WIDE_TILES : MIN_TILES;
  return has_shape && volume >= fewest && volume <= MAX_TILES && tile_exists();
}

#else

bool tile_exists(void) {
  return false;
}

bool tile_suits(const TileProduct *p, bool blas_is_wide) {
  (void)p;
  (void)blas_is_wide;
  return false;
}

void tile_compute(const TileProduct *p) {
  (void)p;
}

#endif
