/*
** tile_kernels.h - matrix products in registers: a tile of C is summed up in vector registers while A and B are read,
** where they are unless a copy pays. Written with vector types, because how many sums there are at once is what matters
** here, and that is not left to the compiler. Included once for each width of vectors, with LANES_BYTES, TILES and
** LARGEST defined.
*/
#include "lanes.h"
#include "tile.h"

/* Sums of a tile: with the operands they just fit the 32 or 16 registers. */
#if LANES_BYTES == 64
enum { MOST_ROWS = 4, MOST_COLS = 6 };
#define FOR_ROWS(X, kind) X(kind, 1) X(kind, 2) X(kind, 3) X(kind, 4)
#define FOR_COLS(X, kind, rows)                                                          \
  X(kind, rows, 1)                                                                       \
  X(kind, rows, 2) X(kind, rows, 3) X(kind, rows, 4) X(kind, rows, 5) X(kind, rows, 6)
#else
enum { MOST_ROWS = 3, MOST_COLS = 4 };
#define FOR_ROWS(X, kind) X(kind, 1) X(kind, 2) X(kind, 3)
#define FOR_COLS(X, kind, rows)                                                          \
  X(kind, rows, 1) X(kind, rows, 2) X(kind, rows, 3) X(kind, rows, 4)
#endif

/* A product is taken in parts of so many inner elements, of which a tile's operands fit the first cache, and so many
** rows, of which A fits the second. */
enum { DOT_DEPTH = 4096 / sizeof(real), DOT_BAND = 128 };
enum { COLUMN_DEPTH = 1024 / sizeof(real), COLUMN_BAND = 1024 / sizeof(real) };

/* One tile */
typedef struct Tile {
  int k;
  const real *A;
  int lda;
  const real *B;
  int step_l;  // from B(l, j) to B(l + 1, j)
  int step_j;  // ... to B(l, j + 1)
  real *C;
  int ldc;
  bool adds;        // C += op(A) op(B)
  int last;         // lanes of the last vector of rows
  uintptr_t ahead;  // address of what is wanted next
} Tile;

typedef void Kernel(const Tile *t);

/* A kernel for each size of tile, and a table of them */
#define KERNEL_OF(kind, rows, cols)                                                      \
  TARGET static void kind##_##rows##x##cols(const Tile *t) {                             \
    kind(rows, cols, t);                                                                 \
  }
#define KERNELS_OF(kind, rows)    FOR_COLS(KERNEL_OF, kind, rows)
#define NAME_OF(kind, rows, cols) kind##_##rows##x##cols,
#define NAMES_OF(kind, rows)      {FOR_COLS(NAME_OF, kind, rows)},
#define KERNELS(kind)                                                                    \
  FOR_ROWS(KERNELS_OF, kind)                                                             \
  static Kernel *const kind##_kernels[MOST_ROWS][MOST_COLS] = {FOR_ROWS(NAMES_OF, kind)};

/* Bring the cache line of element l of what lies at an address, if anything does. */
static inline void fetch(uintptr_t address, int l) {
  __builtin_prefetch((const void *)(address + (size_t)l * sizeof(real)));
}

static int least(int a, int b) {
  return a < b ? a : b;
}

/* The next of the fewest parts of at most `most` that `n` can be cut into, all of about one size */
static int next_part(int n, int most) {
  int parts = (n + most - 1) / most;
  return (n + parts - 1) / parts;
}

/* ... in whole vectors */
static int next_vectors(int n, int most) {
  return least((next_part(n, most) + LANES - 1) / LANES * LANES, n);
}


/* C = A^t B: the k elements of a row and of a column are neighbours, and a tile is rows x cols dot products. */

/* Add one vector's products to the sums, or begin the sums with them. */
INLINE void dot_step(int rows, int cols, bool begins, Mask mask, const real *A, int lda,
                     const real *B, int ldb, Lanes sums[][MOST_ROWS]) {
  Lanes a[MOST_ROWS];
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

INLINE void dot(int rows, int cols, const Tile *t) {
  const real *A = t->A;
  const real *B = t->B;
  int lda = t->lda;
  int ldb = t->step_j;
  int first = t->k - (t->k - 1) / LANES * LANES;
  Lanes sums[MOST_COLS][MOST_ROWS];
  Mask mask = lanes_first(first);
  dot_step(rows, cols, true, mask, A, lda, B, ldb, sums);
  for (int l = first; l < t->k; l += LANES) {
    fetch(t->ahead, l);
    dot_step(rows, cols, false, mask, A + l, lda, B + l, ldb, sums);
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

KERNELS(dot)

/*
** Columns that lie a multiple of 4 KiB apart fall into the same few places of the cache: then work on a copy.
** Meanwhile the following columns are fetched, past the end of B too, where the next mini-batch often lies.
*/
static void dot_columns(const TileProduct *p, Tile *t, int l, int j, int cols, int i,
                        int rows) {
  enum { ALIASED = 4096 / sizeof(real), ENOUGH = 32, STRIDE = DOT_DEPTH + LANES };
  real copy[MOST_COLS * STRIDE];
  const real *B = p->B + j * p->ldb + l;
  t->B = B;
  t->step_j = p->ldb;
  if (p->ldb % ALIASED == 0 && rows >= ENOUGH) {
    for (int c = 0; c < cols; c++) {
      memcpy(copy + c * STRIDE, B + c * p->ldb, (size_t)t->k * sizeof(real));
    }
    t->B = copy;
    t->step_j = STRIDE;
  }
  int ahead = cols;
  for (int r = 0; r < rows; r += MOST_ROWS) {
    t->A = p->A + (i + r) * p->lda + l;
    t->C = p->C + j * p->ldc + i + r;
    t->ahead = (uintptr_t)B + (size_t)ahead * (size_t)p->ldb * sizeof(real);
    if (ahead < 2 * cols - 1) ahead++;
    dot_kernels[least(rows - r, MOST_ROWS) - 1][cols - 1](t);
  }
}

static void compute_dots(const TileProduct *p) {
  Tile t = {.lda = p->lda, .ldc = p->ldc};
  for (int i = 0; i < p->m; i += DOT_BAND) {
    for (int l = 0; l < p->k; l += t.k) {
      t.k = next_vectors(p->k - l, DOT_DEPTH);
      t.adds = l > 0;
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_part(p->n - j, MOST_COLS);
        dot_columns(p, &t, l, j, cols, i, least(p->m - i, DOT_BAND));
      }
    }
  }
}


/* C = A op(B): the m elements of a column are neighbours, and a tile is rows * LANES rows of `cols` columns. */

/* Add one inner element's products to the sums, or begin the sums with them. */
INLINE void column_step(int rows, int cols, bool begins, const real *A, Mask last,
                        const real *B, int step_j, Lanes sums[][MOST_ROWS]) {
  Lanes a[MOST_ROWS];
  UNROLL for (int r = 0; r < rows - 1; r++) a[r] = lanes_load(A + r * LANES);
  a[rows - 1] = lanes_load_masked(last, A + (rows - 1) * LANES);
  UNROLL for (int c = 0; c < cols; c++) {
    real b = B[c * step_j];
    UNROLL for (int r = 0; r < rows; r++) {
      sums[c][r] = begins ? a[r] * b : sums[c][r] + a[r] * b;
    }
  }
}

INLINE void column(int rows, int cols, const Tile *t) {
  const real *A = t->A;
  const real *B = t->B;
  int lda = t->lda;
  int step_l = t->step_l;
  int step_j = t->step_j;
  Mask last = lanes_first(t->last);
  Lanes sums[MOST_COLS][MOST_ROWS];
  column_step(rows, cols, true, A, last, B, step_j, sums);
  for (int l = 1; l < t->k; l++) {
    A += lda;
    B += step_l;
    column_step(rows, cols, false, A, last, B, step_j, sums);
  }
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

KERNELS(column)

static void set_steps(const TileProduct *p, Tile *t) {
  t->step_l = p->transposeB ? p->ldb : 1;
  t->step_j = p->transposeB ? 1 : p->ldb;
}

static void column_columns(const TileProduct *p, Tile *t, int l, int j, int cols, int i,
                           int rows) {
  t->B = p->B + l * t->step_l + j * t->step_j;
  int vectors;
  for (int r = 0; r < rows; r += vectors * LANES) {
    vectors = next_part((rows - r + LANES - 1) / LANES, MOST_ROWS);
    t->last = least(rows - r - (vectors - 1) * LANES, LANES);
    t->A = p->A + l * p->lda + i + r;
    t->C = p->C + j * p->ldc + i + r;
    column_kernels[vectors - 1][cols - 1](t);
  }
}

static void compute_columns(const TileProduct *p) {
  Tile t = {.lda = p->lda, .ldc = p->ldc};
  set_steps(p, &t);
  for (int l = 0; l < p->k; l += t.k) {
    t.k = next_vectors(p->k - l, COLUMN_DEPTH);
    t.adds = l > 0;
    for (int i = 0; i < p->m; i += COLUMN_BAND) {
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_part(p->n - j, MOST_COLS);
        column_columns(p, &t, l, j, cols, i, least(p->m - i, COLUMN_BAND));
      }
    }
  }
}


#if LANES_BYTES == 64

/*
** C = op(A) op(B) where B has so many columns that a copy pays: a tile's rows of op(A) at a time, to a panel that fits
** the first cache, in the order in which they are multiplied; and a band of rows after the other, of which C fits the
** second. In place, columns a multiple of some KiB apart fall into the same few places of the caches, and dot products
** have to be summed up across their vectors.
*/
enum { PANEL_ROWS = MOST_ROWS * LANES, PANEL_DEPTH = 32768 / LANES_BYTES / MOST_ROWS };
enum { PANEL_BAND = 128, MIN_COLUMNS = 256 };

static void copy_columns(int rows, int k, const real *A, int lda, real *panel) {
  for (int l = 0; l < k; l++, A += lda, panel += PANEL_ROWS) {
    memcpy(panel, A, (size_t)rows * sizeof(real));
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

/* C += op(A) op(B) in the rows of one panel, or C = ... where nothing has been added yet */
static void compute_panel(const TileProduct *p, Tile *t, int l, int i, int rows) {
  _Alignas(LANES_BYTES) real panel[PANEL_ROWS * PANEL_DEPTH];
  if (p->transposeA)
    copy_transposed(rows, t->k, p->A + i * p->lda + l, p->lda, panel);
  else
    copy_columns(rows, t->k, p->A + l * p->lda + i, p->lda, panel);
  t->A = panel;
  int vectors = (rows + LANES - 1) / LANES;
  t->last = rows - (vectors - 1) * LANES;
  int cols;
  for (int j = 0; j < p->n; j += cols) {
    cols = next_part(p->n - j, MOST_COLS);
    t->B = p->B + l * t->step_l + j * t->step_j;
    t->C = p->C + j * p->ldc + i;
    column_kernels[vectors - 1][cols - 1](t);
  }
}

static void compute_panels(const TileProduct *p) {
  Tile t = {.lda = PANEL_ROWS, .ldc = p->ldc};
  set_steps(p, &t);
  for (int band = 0; band < p->m; band += PANEL_BAND) {
    int end = least(band + PANEL_BAND, p->m);
    for (int l = 0; l < p->k; l += t.k) {
      t.k = next_vectors(p->k - l, PANEL_DEPTH);
      t.adds = l > 0;
      int rows;
      for (int i = band; i < end; i += rows) {
        rows = next_vectors(end - i, PANEL_ROWS);
        compute_panel(p, &t, l, i, rows);
      }
    }
  }
}

#endif


/*
** y = A^t x, with each sum in two, which do not wait for each other. With the vectors of AVX-512 memory is read fastest
** in one stream, one row of A^t after the other; with those of AVX2, in four. What follows x is fetched, which may be
** the next sample.
*/

enum { STREAMS = LANES_BYTES == 64 ? 1 : 4 };

/* The first `rows` sums count. */
INLINE Four rows_times_vector(int rows, int k, const real *A, int lda, const real *x) {
  Lanes sums[4][2] = {{{0}}};
  int l = 0;
  for (; l + 2 * LANES <= k; l += 2 * LANES) {
    UNROLL for (int h = 0; h < 2; h++) {
      Lanes part = lanes_load(x + l + h * LANES);
      UNROLL for (int r = 0; r < rows; r++) {
        sums[r][h] += lanes_load(A + r * lda + l + h * LANES) * part;
      }
    }
  }
  for (; l < k; l += LANES) {
    Mask rest = lanes_first(least(k - l, LANES));
    Lanes part = lanes_load_masked(rest, x + l);
    UNROLL for (int r = 0; r < rows; r++) {
      sums[r][0] += lanes_load_masked(rest, A + r * lda + l) * part;
    }
  }
  UNROLL for (int r = 0; r < rows; r++) sums[r][0] += sums[r][1];
  return lanes_sums(sums[0][0], sums[1][0], sums[2][0], sums[3][0]);
}

TARGET static void times_vector(int rows, int k, const real *A, int lda, const real *x,
                                real *y) {
  for (int l = 0; l < k; l += LANES) fetch((uintptr_t)(x + k), l);
  int i = 0;
  for (; i + STREAMS <= rows; i += STREAMS, A += STREAMS * lda) {
    Four sums = rows_times_vector(STREAMS, k, A, lda, x);
    store_rows(STREAMS, sums, false, y + i);
  }
  for (; i < rows; i++, A += lda) y[i] = rows_times_vector(1, k, A, lda, x)[0];
}

static void compute(const TileProduct *p) {
#if LANES_BYTES == 64
  if (p->m >= PANEL_ROWS && p->n >= MIN_COLUMNS) {
    compute_panels(p);
    return;
  }
#endif
  if (p->transposeA)
    compute_dots(p);
  else
    compute_columns(p);
}

const Tiles TILES = {LARGEST, compute, times_vector};
