/*
** packed.h - large products, with copies of both operands. Problem: where one operand is read in
** place and no cache holds it, its columns lie on as many pages of memory as there are columns,
** more than the processor knows the addresses of, and at some strides go to the same few places of
** the caches. On sixteen cores of an Intel server that was 0.4 of the speed of copies, from 4096
** rows and columns on.
**
** Three levels, from the inside: a tile of C in registers; a panel of A, PANEL_DEPTH deep, in the
** first cache; and as many columns of B, as deep, as the second cache holds, copied in slivers: the
** columns of a tile, in the order in which they are multiplied. In plain loops:
**
**   for (int j = 0; j < n; j += PACKED_COLS)
**     for (int l = 0; l < k; l += PANEL_DEPTH) {
**       copy the slivers of B, from (l, j) on
**       for (int i = 0; i < m; i += PANEL_ROWS) {
**         copy the panel of A, from (i, l) on
**         for each sliver: add the products of panel and sliver to their tile of C
**       }
**     }
**
** Each sum is taken in the order of panels.h, so that its bits are the same. Whether to copy B is a
** question of speed alone.
*/
#ifndef PERILUNE_PACKED_H
#define PERILUNE_PACKED_H

#include "product/panels.h"

enum { PACKED_COLS = PACKED_BYTES / PANEL_DEPTH / sizeof(real) };

/*
** A copy of B is read once for each panel of A: it pays where there are many of these, and where B
** is large.
*/
static bool packs_pay(int m, int n, int k) {
  return PACKS && m >= MIN_PACKED_ROWS && (double)n * k * (double)sizeof(real) >= MIN_PACKED_BYTES;
}

/* Four columns of B, four elements each, to rows that are `cols` apart: with vectors, because a
   single element takes as long to store */
INLINE void copy_four_columns(int cols, const real *B, int ldb, real *sliver) {
  Four b[4];
  UNROLL for (int c = 0; c < 4; c++) memcpy(&b[c], B + c * ldb, sizeof b[c]);
  Four low01 = __builtin_shufflevector(b[0], b[1], 0, 4, 1, 5);
  Four low23 = __builtin_shufflevector(b[2], b[3], 0, 4, 1, 5);
  Four high01 = __builtin_shufflevector(b[0], b[1], 2, 6, 3, 7);
  Four high23 = __builtin_shufflevector(b[2], b[3], 2, 6, 3, 7);
  b[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  b[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  b[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  b[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
  UNROLL for (int l = 0; l < 4; l++) memcpy(sliver + l * cols, &b[l], sizeof b[l]);
}

/* Columns of B, k elements each, as one sliver: `cols` elements for each l */
TARGET static void copy_sliver(int cols, int k, const real *B, int ldb, real *sliver) {
  int whole = cols >= 4 ? k / 4 * 4 : 0;
  for (int l = 0; l < whole; l += 4) copy_four_columns(cols, B + l, ldb, sliver + l * cols);
  for (int c = cols >= 4 ? 4 : 0; c < cols; c++) {
    for (int l = 0; l < whole; l++) sliver[l * cols + c] = B[c * ldb + l];
  }
  for (int l = whole; l < k; l++) {
    for (int c = 0; c < cols; c++) sliver[l * cols + c] = B[c * ldb + l];
  }
}

/* The same from a transposed B, where the elements for each l are neighbours. In the common case
   they are a few vectors, in place of a call of memcpy. */
static void copy_transposed_sliver(int cols, int k, const real *B, int ldb, real *sliver) {
  for (int l = 0; l < k; l++, B += ldb, sliver += cols) {
    if (cols == COLUMN_COLS)
      memcpy(sliver, B, COLUMN_COLS * sizeof(real));
    else
      memcpy(sliver, B, (size_t)cols * sizeof(real));
  }
}

/*
** All slivers from a transposed B, PACKED_LINES rows of it at a time. One sliver after the other
** would need so little of each row that what comes from memory beside it were gone before its turn.
*/
static void copy_transposed_slivers(const BlockProduct *slab, real *packed) {
  for (int l = 0; l < slab->k; l += PACKED_LINES) {
    int rows = least(slab->k - l, PACKED_LINES);
    const real *B = slab->B + l * slab->ldb;
    int cols;
    for (int j = 0; j < slab->n; j += cols) {
      cols = next_turn(slab->n - j, COLUMN_COLS);
      real *sliver = packed + j * slab->k + l * cols;
      copy_transposed_sliver(cols, rows, B + j, slab->ldb, sliver);
    }
  }
}

/* The columns of the next sliver, which lie far apart, are fetched while one is copied. */
static void copy_slivers(const BlockProduct *slab, real *packed) {
  int cols;
  for (int j = 0; j < slab->n; j += cols) {
    cols = next_turn(slab->n - j, COLUMN_COLS);
    int next_cols = least(cols, slab->n - j - cols);
    const real *B = slab->B + j * slab->ldb;
    fetch_lines(0, next_cols, slab->k, B + cols * slab->ldb, slab->ldb);
    copy_sliver(cols, slab->k, B, slab->ldb, packed + j * slab->k);
  }
}

static void compute_packed(const BlockProduct *p, real *packed) {
  BlockProduct slab = *p;
  for (int j = 0; j < p->n; j += slab.n) {
    slab.n = next_turn(p->n - j, PACKED_COLS);
    for (int l = 0; l < p->k; l += slab.k) {
      slab.k = next_vectors(p->k - l, PANEL_DEPTH);
      move(&slab, p, 0, j, l);
      slab.adds = p->adds || l > 0;
      if (slab.transposeB)
        copy_transposed_slivers(&slab, packed);
      else
        copy_slivers(&slab, packed);
      compute_slab(&slab, packed);
    }
  }
}

#endif
