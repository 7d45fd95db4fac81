/*
** panels.h - products with a copy of A, where that pays. As many rows of op(A) as a tile has are
** copied to a panel that fits the first cache, in the order in which they are multiplied. Problem:
** where they lie, columns some KiB apart go to the same few places of the caches and drive each
** other out, and dot products have to be summed up across each vector.
*/
#ifndef PERILUNE_PANELS_H
#define PERILUNE_PANELS_H

#include "product/columns.h"

/*
** A product is taken in slabs, which are products of their own: of at most SLAB_ROWS rows,
** SLAB_COLS columns, and PANEL_DEPTH inner elements, so that a panel has PANEL_BYTES.
*/
enum { PANEL_ROWS = COLUMN_ROWS * LANES };
enum { PANEL_DEPTH = PANEL_BYTES / PANEL_ROWS / sizeof(real) };

/*
** A panel pays from MIN_ROWS rows and MIN_COLUMNS columns on. For A^t B it also pays where the dot
** products would be short: of at most SHORT_FOR_COLUMN * n elements; and of fewer than VERY_SHORT
** even for few rows.
*/
static bool panels_pay(int m, int n, int k, bool transposeA) {
  int least_rows = transposeA && k < VERY_SHORT ? MIN_ROWS_FOR_VERY_SHORT : MIN_ROWS;
  bool has_columns = n >= MIN_COLUMNS || (transposeA && SHORT_FOR_COLUMN * n >= k);
  return m >= least_rows && has_columns;
}

static void copy_columns(int rows, int k, const real *A, int lda, real *panel) {
  for (int l = 0; l < k; l++, A += lda, panel += PANEL_ROWS) {
    memcpy(panel, A, (size_t)rows * sizeof(real));
  }
}

/* The common case, which takes a few vectors in place of a call of memcpy */
TARGET static void copy_whole_columns(int k, const real *A, int lda, real *panel) {
  for (int l = 0; l < k; l++, A += lda, panel += PANEL_ROWS) {
    UNROLL for (int r = 0; r < PANEL_ROWS; r += LANES) lanes_store(panel + r, lanes_load(A + r));
  }
}

TARGET static void transpose_square(const real *A, size_t lda, real *panel) {
  Lanes v[LANES];
  UNROLL_LANES for (int i = 0; i < LANES; i++, A += lda) v[i] = lanes_load(A);
  lanes_transpose(v);
  UNROLL_LANES for (int l = 0; l < LANES; l++) lanes_store(panel + l * PANEL_ROWS, v[l]);
}

static void transpose_rest(int rows, int k, const real *A, int lda, real *panel) {
  for (int l = 0; l < k; l++, panel += PANEL_ROWS) {
    for (int i = 0; i < rows; i++) panel[i] = A[i * lda + l];
  }
}

static void copy_transposed(int rows, int k, const real *A, int lda, real *panel) {
  for (int i = 0; i < rows; i += LANES, A += LANES * lda, panel += LANES) {
    int l = 0;
    if (rows - i >= LANES) {
      for (; l + LANES <= k; l += LANES)
        transpose_square(A + l, (size_t)lda, panel + l * PANEL_ROWS);
    }
    transpose_rest(least(rows - i, LANES), k - l, A + l, lda, panel + l * PANEL_ROWS);
  }
}

enum { CACHE_LINE_REALS = 64 / sizeof(real) };

/* Bring lines from..to-1 of A, `length` elements each, to the cache that FETCH_LOCALITY says. */
static void fetch_lines(int from, int to, int length, const real *A, int lda) {
  for (int i = from; i < to; i++) {
    for (int l = 0; l < length; l += CACHE_LINE_REALS)
      __builtin_prefetch(A + i * lda + l, 0, FETCH_LOCALITY);
  }
}

/*
** Compute some rows of C, as many as a panel has, from `packed` where B was copied there
** (packed.h), else from B. Where the next rows of A lie far apart, some of them are fetched with
** each tile: always beside a copy of B, which leaves the caches nothing else to do; else where
** PREFETCHES_NEXT_PANEL and A lies in columns.
*/
static void compute_panel(const BlockProduct *p, const real *packed, int i, int rows) {
  _Alignas(LANES_BYTES) real panel[PANEL_ROWS * PANEL_DEPTH];
  if (p->transposeA)
    copy_transposed(rows, p->k, p->A + i * p->lda, p->lda, panel);
  else if (rows == PANEL_ROWS)
    copy_whole_columns(p->k, p->A + i, p->lda, panel);
  else
    copy_columns(rows, p->k, p->A + i, p->lda, panel);
  int vectors = (rows + LANES - 1) / LANES;
  Tile t = {.k = p->k, .A = panel, .lda = PANEL_ROWS, .ldc = p->ldc, .adds = p->adds};
  t.last = rows - (vectors - 1) * LANES;
  set_strides(p, &t);
  int next_rows = least(p->m - i - rows, rows);
  int next = p->transposeA ? next_rows : p->k;
  if (packed == NULL && (p->transposeA || !PREFETCHES_NEXT_PANEL)) next = 0;
  int length = p->transposeA ? p->k : next_rows;
  const real *next_A = p->A + (i + rows) * (p->transposeA ? p->lda : 1);
  int fetched = next * COLUMN_COLS / p->n + 1;
  int cols;
  for (int j = 0, line = 0; j < p->n; j += cols, line += fetched) {
    fetch_lines(line, least(line + fetched, next), length, next_A, p->lda);
    cols = next_turn(p->n - j, COLUMN_COLS);
    t.B = p->B + j * t.stride_j;
    if (packed != NULL) {
      t.B = packed + j * p->k;
      t.stride_l = cols;
      t.stride_j = 1;
    }
    t.C = p->C + j * p->ldc + i;
    column_tile(vectors, cols, &t);
  }
}

static void compute_slab(const BlockProduct *p, const real *packed) {
  int rows;
  for (int i = 0; i < p->m; i += rows) {
    rows = next_vectors(p->m - i, PANEL_ROWS);
    compute_panel(p, packed, i, rows);
  }
}

/*
** Compute the slab from a copy of its rows of B: they are ldb apart, and only n elements of each
** are needed.
*/
static void compute_slab_of_copy(const BlockProduct *p) {
  enum { COPY_STRIDE = COPY_COLS + LANES };
  _Alignas(LANES_BYTES) real copy[COPY_DEPTH * COPY_STRIDE];
  for (int l = 0; l < p->k; l++) {
    memcpy(copy + l * COPY_STRIDE, p->B + l * p->ldb, (size_t)p->n * sizeof(real));
  }
  BlockProduct copied = *p;
  copied.B = copy;
  copied.ldb = COPY_STRIDE;
  compute_slab(&copied, NULL);
}

/* Let the slab begin at C(i, j), and with inner element l. */
static void move(BlockProduct *slab, const BlockProduct *p, int i, int j, int l) {
  slab->A = p->A + (p->transposeA ? i * p->lda + l : l * p->lda + i);
  slab->B = p->B + (p->transposeB ? l * p->ldb + j : j * p->ldb + l);
  slab->C = p->C + j * p->ldc + i;
}

static void compute_panels(const BlockProduct *p) {
  bool copies_B = COPIES_TRANSPOSED_B && p->transposeB && p->m >= MIN_COPY_ROWS;
  int cols = copies_B ? COPY_COLS : SLAB_COLS;
  int depth = copies_B ? COPY_DEPTH : PANEL_DEPTH;
  BlockProduct slab = *p;
  for (int j = 0; j < p->n; j += slab.n) {
    slab.n = next_turn(p->n - j, cols);
    for (int i = 0; i < p->m; i += slab.m) {
      slab.m = least(p->m - i, SLAB_ROWS);
      for (int l = 0; l < p->k; l += slab.k) {
        slab.k = next_vectors(p->k - l, depth);
        move(&slab, p, i, j, l);
        slab.adds = p->adds || l > 0;
        if (copies_B)
          compute_slab_of_copy(&slab);
        else
          compute_slab(&slab, NULL);
      }
    }
  }
}

#endif
