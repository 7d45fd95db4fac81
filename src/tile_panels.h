/*
** tile_panels.h - products with a copy of A, where that pays; included by tile_kernels.h. As many
** rows of op(A) as a tile has are copied to a panel that fits the first cache, in the order in
** which they are multiplied. Problem: where they lie, columns some KiB apart go to the same few
** places of the caches and drive each other out, and dot products have to be summed up across each
** vector.
*/
#include <limits.h>

/*
** A product is taken in parts, which are products of their own: with so many inner elements that a
** panel fits the first cache (PANEL_DEPTH), and with AVX-512 of so many rows that their C fits the
** second, with AVX2 of so many columns that B does.
*/
#if LANES_BYTES == 64
enum { PANEL_BYTES = 32768, PART_ROWS = 128, PART_COLS = INT_MAX };
#else
enum { PANEL_BYTES = 16384, PART_ROWS = 1024, PART_COLS = 768 / sizeof(real) };
#endif
enum { PANEL_ROWS = COLUMN_ROWS * LANES };
enum { PANEL_DEPTH = PANEL_BYTES / PANEL_ROWS / sizeof(real) };

/*
** A panel is copied once and read for each column: it pays from MIN_ROWS rows and MIN_COLUMNS
** columns on. For A^t B, where dot products are the other way, it also pays where these are short:
** of at most SHORT_FOR_COLUMN * n elements; and of fewer than VERY_SHORT even for few rows.
*/
#if LANES_BYTES == 64
enum { MIN_ROWS = 2 * LANES, MIN_COLUMNS = 256, SHORT_FOR_COLUMN = 32 / LANES };
#else
enum { MIN_ROWS = 16, MIN_COLUMNS = 32, SHORT_FOR_COLUMN = 64 / sizeof(real) };
#endif
enum { VERY_SHORT = 64, MIN_ROWS_FOR_VERY_SHORT = 8 };

static bool panels_pay(int m, int n, int k, bool transposeA) {
  int least_rows = transposeA && k < VERY_SHORT ? MIN_ROWS_FOR_VERY_SHORT : MIN_ROWS;
  bool has_columns = n >= MIN_COLUMNS || (transposeA && SHORT_FOR_COLUMN * n >= k);
  return m >= least_rows && has_columns;
}

/* With AVX2 it pays to copy a transposed B as well, once so many rows of A read it. */
enum { MIN_COPY_ROWS = 128, COPY_DEPTH = 512 / sizeof(real), COPY_COLS = 64 };
enum { COPY_STRIDE = COPY_COLS + LANES };

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

TARGET static void transpose_block(const real *A, size_t lda, real *panel) {
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
        transpose_block(A + l, (size_t)lda, panel + l * PANEL_ROWS);
    }
    transpose_rest(least(rows - i, LANES), k - l, A + l, lda, panel + l * PANEL_ROWS);
  }
}

static void fetch_columns(int from, int to, const real *A, int lda) {
  for (int l = from; l < to; l++) fetch((uintptr_t)(A + l * lda), 0);
}

/*
** Compute some rows of C, as many as a panel has. Where the next rows of A lie in columns, far
** apart, some of these columns are fetched into the cache with each tile.
*/
static void compute_panel(const TileProduct *p, int i, int rows) {
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
  set_steps(p, &t);
  bool has_next = LANES_BYTES == 32 && !p->transposeA && i + rows < p->m;
  int next = has_next ? p->k : 0;
  int share = next * COLUMN_COLS / p->n + 1;
  int cols;
  for (int j = 0, l = 0; j < p->n; j += cols, l += share) {
    fetch_columns(l, least(l + share, next), p->A + i + rows, p->lda);
    cols = next_part(p->n - j, COLUMN_COLS);
    t.B = p->B + j * t.step_j;
    t.C = p->C + j * p->ldc + i;
    column_kernels[vectors - 1][cols - 1](&t);
  }
}

static void compute_part(const TileProduct *p) {
  int rows;
  for (int i = 0; i < p->m; i += rows) {
    rows = next_vectors(p->m - i, PANEL_ROWS);
    compute_panel(p, i, rows);
  }
}

/*
** Compute the part from a copy of its rows of B: they are ldb apart, and only n elements of each
** are needed.
*/
static void compute_part_of_copy(const TileProduct *p) {
  _Alignas(LANES_BYTES) real copy[COPY_DEPTH * COPY_STRIDE];
  for (int l = 0; l < p->k; l++) {
    memcpy(copy + l * COPY_STRIDE, p->B + l * p->ldb, (size_t)p->n * sizeof(real));
  }
  TileProduct copied = *p;
  copied.B = copy;
  copied.ldb = COPY_STRIDE;
  compute_part(&copied);
}

/* Let the part begin at C(i, j), and with inner element l. */
static void move(TileProduct *part, const TileProduct *p, int i, int j, int l) {
  part->A = p->A + (p->transposeA ? i * p->lda + l : l * p->lda + i);
  part->B = p->B + (p->transposeB ? l * p->ldb + j : j * p->ldb + l);
  part->C = p->C + j * p->ldc + i;
}

static void compute_panels(const TileProduct *p) {
  bool copies_B = LANES_BYTES == 32 && p->transposeB && p->m >= MIN_COPY_ROWS;
  int cols = copies_B ? COPY_COLS : PART_COLS;
  int depth = copies_B ? COPY_DEPTH : PANEL_DEPTH;
  TileProduct part = *p;
  for (int j = 0; j < p->n; j += part.n) {
    part.n = next_part(p->n - j, cols);
    for (int i = 0; i < p->m; i += part.m) {
      part.m = least(p->m - i, PART_ROWS);
      for (int l = 0; l < p->k; l += part.k) {
        part.k = next_vectors(p->k - l, depth);
        move(&part, p, i, j, l);
        part.adds = p->adds || l > 0;
        (copies_B ? compute_part_of_copy : compute_part)(&part);
      }
    }
  }
}
