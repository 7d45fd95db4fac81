/*
** columns.h - C = A op(B) in tiles of columns: the m elements of a column are neighbours, and a
** tile is some vectors of rows of some columns. What a tile computes, in plain loops:
**
**   for (int l = 0; l < k; l++)
**     for (int c = 0; c < cols; c++)
**       for (int r = 0; r < rows; r++)
**         C[c * ldc + r] += A[l * lda + r] * B[l * stride_l + c * stride_j];
**
** Here r moves on by a vector at a time, and the whole tile of C stays in registers over all l.
*/
#ifndef PERILUNE_COLUMNS_H
#define PERILUNE_COLUMNS_H

#include "product/tile.h"

/* Add one inner element's products to the sums, or begin the sums with them. */
INLINE void column_add(int rows, int cols, bool begins, bool masked, const real *A, Mask last,
                       const real *B, int stride_j, Lanes sums[][COLUMN_ROWS]) {
  Lanes a[COLUMN_ROWS];
  UNROLL for (int r = 0; r < rows; r++) {
    bool is_masked = masked && r == rows - 1;
    a[r] = is_masked ? lanes_load_masked(last, A + r * LANES) : lanes_load(A + r * LANES);
  }
  UNROLL for (int c = 0; c < cols; c++) {
    real b = B[c * stride_j];
    UNROLL for (int r = 0; r < rows; r++) {
      sums[c][r] = begins ? a[r] * b : sums[c][r] + a[r] * b;
    }
  }
}

INLINE void column_sums(int rows, int cols, bool masked, int stride_l, int stride_j, const Tile *t,
                        Lanes sums[][COLUMN_ROWS]) {
  const real *A = t->A;
  const real *B = t->B;
  int lda = t->lda;
  Mask last = lanes_first(t->last);
  column_add(rows, cols, true, masked, A, last, B, stride_j, sums);
  UNROLL_INNER for (int l = 1; l < t->k; l++) {
    A += lda;
    B += stride_l;
    column_add(rows, cols, false, masked, A, last, B, stride_j, sums);
  }
}

/* One of stride_l and stride_j is 1, and addresses are simpler where it is known which. */
INLINE void column_sums_by_stride(int rows, int cols, bool masked, const Tile *t,
                                  Lanes sums[][COLUMN_ROWS]) {
  if (t->stride_l == 1)
    column_sums(rows, cols, masked, 1, t->stride_j, t, sums);
  else
    column_sums(rows, cols, masked, t->stride_l, 1, t, sums);
}

/* Of `rows` vectors. A size beyond those of this instruction set is never asked for, and is no
   code. */
INLINE void column(int rows, int cols, const Tile *t) {
  if (rows > COLUMN_ROWS || cols > COLUMN_COLS) return;
  Lanes sums[COLUMN_COLS][COLUMN_ROWS];
  if (MASKS_COST && t->last == LANES)
    column_sums_by_stride(rows, cols, false, t, sums);
  else
    column_sums_by_stride(rows, cols, true, t, sums);
  Mask last = lanes_first(t->last);
  real *C = t->C;
  int ldc = t->ldc;
  bool adds = t->adds;
  UNROLL for (int c = 0; c < cols; c++) {
    UNROLL for (int r = 0; r < rows - 1; r++) {
      if (adds) sums[c][r] += lanes_load(C + r * LANES);
      lanes_store(C + r * LANES, sums[c][r]);
    }
    if (adds) sums[c][rows - 1] += lanes_load_masked(last, C + (rows - 1) * LANES);
    lanes_store_masked(C + (rows - 1) * LANES, last, sums[c][rows - 1]);
    C += ldc;
  }
}

/* A kernel for each size of tile, since sums are registers only where their number is known */
TARGET static void column_tile(int rows, int cols, const Tile *t) {
  // clang-format off
  switch (rows * 8 + cols) {
  case 1 * 8 + 1: column(1, 1, t); return;
  case 1 * 8 + 2: column(1, 2, t); return;
  case 1 * 8 + 3: column(1, 3, t); return;
  case 1 * 8 + 4: column(1, 4, t); return;
  case 1 * 8 + 5: column(1, 5, t); return;
  case 1 * 8 + 6: column(1, 6, t); return;
  case 2 * 8 + 1: column(2, 1, t); return;
  case 2 * 8 + 2: column(2, 2, t); return;
  case 2 * 8 + 3: column(2, 3, t); return;
  case 2 * 8 + 4: column(2, 4, t); return;
  case 2 * 8 + 5: column(2, 5, t); return;
  case 2 * 8 + 6: column(2, 6, t); return;
  case 3 * 8 + 1: column(3, 1, t); return;
  case 3 * 8 + 2: column(3, 2, t); return;
  case 3 * 8 + 3: column(3, 3, t); return;
  case 3 * 8 + 4: column(3, 4, t); return;
  case 3 * 8 + 5: column(3, 5, t); return;
  case 3 * 8 + 6: column(3, 6, t); return;
  case 4 * 8 + 1: column(4, 1, t); return;
  case 4 * 8 + 2: column(4, 2, t); return;
  case 4 * 8 + 3: column(4, 3, t); return;
  case 4 * 8 + 4: column(4, 4, t); return;
  case 4 * 8 + 5: column(4, 5, t); return;
  default: column(4, 6, t); return;
  }
  // clang-format on
}

static void set_strides(const BlockProduct *p, Tile *t) {
  t->stride_l = p->transposeB ? p->ldb : 1;
  t->stride_j = p->transposeB ? 1 : p->ldb;
}

static void column_columns(const BlockProduct *p, Tile *t, int l, int j, int cols, int i,
                           int rows) {
  t->B = p->B + l * t->stride_l + j * t->stride_j;
  int vectors;
  for (int r = 0; r < rows; r += vectors * LANES) {
    vectors = next_turn((rows - r + LANES - 1) / LANES, COLUMN_ROWS);
    t->last = least(rows - r - (vectors - 1) * LANES, LANES);
    t->A = p->A + l * p->lda + i + r;
    t->C = p->C + j * p->ldc + i + r;
    column_tile(vectors, cols, t);
  }
}

static void compute_columns(const BlockProduct *p) {
  Tile t = {.lda = p->lda, .ldc = p->ldc};
  set_strides(p, &t);
  for (int l = 0; l < p->k; l += t.k) {
    t.k = next_vectors(p->k - l, COLUMN_DEPTH);
    t.adds = p->adds || l > 0;
    for (int i = 0; i < p->m; i += COLUMN_BAND) {
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_turn(p->n - j, COLUMN_COLS);
        column_columns(p, &t, l, j, cols, i, least(p->m - i, COLUMN_BAND));
      }
    }
  }
}

#endif
