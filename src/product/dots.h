/*
** dots.h - C = A^t B in tiles of dot products: the k elements of a row and of a column are
** neighbours. What a tile computes, in plain loops:
**
**   for (int c = 0; c < cols; c++)
**     for (int r = 0; r < rows; r++)
**       for (int l = 0; l < k; l++) C[c * ldc + r] += A[r * lda + l] * B[c * ldb + l];
**
** Here l moves on by a vector at a time, for all rows and columns at once, so that each vector that
** was read serves several sums.
*/
#ifndef PERILUNE_DOTS_H
#define PERILUNE_DOTS_H

#include "product/tile.h"

/* Add one vector's products to the sums, or begin the sums with them. */
INLINE void dot_add(int rows, int cols, bool begins, Mask mask, const real *A, int lda,
                    const real *B, int ldb, Lanes sums[][DOT_ROWS]) {
  Lanes a[DOT_ROWS];
  UNROLL for (int r = 0; r < rows; r++) {
    a[r] = begins ? lanes_load_masked(mask, A + r * lda) : lanes_load(A + r * lda);
  }
  UNROLL for (int c = 0; c < cols; c++) {
    Lanes b = begins ? lanes_load_masked(mask, B + c * ldb) : lanes_load(B + c * ldb);
    UNROLL for (int r = 0; r < rows; r++) {
      sums[c][r] = begins ? a[r] * b : sums[c][r] + a[r] * b;
    }
  }
}

/* A size beyond those of this instruction set is never asked for, and is no code. */
INLINE void dot(int rows, int cols, const Tile *t) {
  if (rows > DOT_ROWS || cols > DOT_COLS) return;
  const real *A = t->A;
  const real *B = t->B;
  int lda = t->lda;
  int ldb = t->stride_j;
  int first = t->k - (t->k - 1) / LANES * LANES;
  Lanes sums[DOT_COLS][DOT_ROWS];
  Mask mask = lanes_first(first);
  dot_add(rows, cols, true, mask, A, lda, B, ldb, sums);
  for (int l = first; l < t->k; l += LANES) {
    fetch(t->ahead, l);
    dot_add(rows, cols, false, mask, A + l, lda, B + l, ldb, sums);
  }
  real *C = t->C;
  int ldc = t->ldc;
  bool adds = t->adds;
  UNROLL for (int c = 0; c < cols; c++) {
    Lanes row[4] = {{0}};
    UNROLL for (int r = 0; r < rows; r++) row[r] = sums[c][r];
    Four four = lanes_sums(row[0], row[1], row[2], row[3]);
    store_rows(rows, four, adds, C + c * ldc);
  }
}

/* A kernel for each size of tile, since sums are registers only where their number is known */
TARGET static void dot_tile(int rows, int cols, const Tile *t) {
  // clang-format off
  switch (rows * 8 + cols) {
  case 1 * 8 + 1: dot(1, 1, t); return;
  case 1 * 8 + 2: dot(1, 2, t); return;
  case 1 * 8 + 3: dot(1, 3, t); return;
  case 1 * 8 + 4: dot(1, 4, t); return;
  case 1 * 8 + 5: dot(1, 5, t); return;
  case 1 * 8 + 6: dot(1, 6, t); return;
  case 2 * 8 + 1: dot(2, 1, t); return;
  case 2 * 8 + 2: dot(2, 2, t); return;
  case 2 * 8 + 3: dot(2, 3, t); return;
  case 2 * 8 + 4: dot(2, 4, t); return;
  case 2 * 8 + 5: dot(2, 5, t); return;
  case 2 * 8 + 6: dot(2, 6, t); return;
  case 3 * 8 + 1: dot(3, 1, t); return;
  case 3 * 8 + 2: dot(3, 2, t); return;
  case 3 * 8 + 3: dot(3, 3, t); return;
  case 3 * 8 + 4: dot(3, 4, t); return;
  case 3 * 8 + 5: dot(3, 5, t); return;
  case 3 * 8 + 6: dot(3, 6, t); return;
  case 4 * 8 + 1: dot(4, 1, t); return;
  case 4 * 8 + 2: dot(4, 2, t); return;
  case 4 * 8 + 3: dot(4, 3, t); return;
  case 4 * 8 + 4: dot(4, 4, t); return;
  case 4 * 8 + 5: dot(4, 5, t); return;
  default: dot(4, 6, t); return;
  }
  // clang-format on
}

/*
** Columns of B that lie a multiple of 4 KiB apart go to the same few places of the cache and drive
** each other out: these are copied to a stride that does not. With each tile one of the columns
** that follow is fetched into the cache. Beyond the end of B that does no harm, and there the next
** batch often lies.
*/
static void dot_columns(const BlockProduct *p, Tile *t, int l, int j, int cols, int i, int rows) {
  enum { ALIASED = 4096 / sizeof(real), ENOUGH = 32, STRIDE = DOT_DEPTH + LANES };
  real copy[DOT_COLS * STRIDE];
  const real *B = p->B + j * p->ldb + l;
  t->B = B;
  t->stride_j = p->ldb;
  if (p->ldb % ALIASED == 0 && rows >= ENOUGH) {
    for (int c = 0; c < cols; c++) {
      memcpy(copy + c * STRIDE, B + c * p->ldb, (size_t)t->k * sizeof(real));
    }
    t->B = copy;
    t->stride_j = STRIDE;
  }
  int ahead = cols;
  for (int r = 0; r < rows; r += DOT_ROWS) {
    t->A = p->A + (i + r) * p->lda + l;
    t->C = p->C + j * p->ldc + i + r;
    t->ahead = (uintptr_t)B + (size_t)ahead * (size_t)p->ldb * sizeof(real);
    if (ahead < 2 * cols - 1) ahead++;
    dot_tile(least(rows - r, DOT_ROWS), cols, t);
  }
}

static void compute_dots(const BlockProduct *p) {
  Tile t = {.lda = p->lda, .ldc = p->ldc};
  for (int i = 0; i < p->m; i += DOT_BAND) {
    for (int l = 0; l < p->k; l += t.k) {
      t.k = next_vectors(p->k - l, DOT_DEPTH);
      t.adds = p->adds || l > 0;
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_turn(p->n - j, DOT_COLS);
        dot_columns(p, &t, l, j, cols, i, least(p->m - i, DOT_BAND));
      }
    }
  }
}

#endif
