/*
** tile_kernels.h - matrix products in registers: a tile of C is summed up in vector registers while
** A and B are read, where they are unless a copy pays. Written with vector types, because how many
** sums there are at once is what matters here, and that is not left to the compiler. Included once
** for each width of vectors, with LANES_BYTES and TILES defined.
*/
#include "lanes.h"
#include "tile.h"

/* Sums of a tile: with the operands they just fit the 32 or 16 registers. */
#if LANES_BYTES == 64
enum { DOT_ROWS = 4, DOT_COLS = 6, COLUMN_ROWS = 4, COLUMN_COLS = 6 };
#define FOR_ROWS_dot    ROWS_TO_4
#define FOR_COLS_dot    COLS_TO_6
#define FOR_ROWS_column ROWS_TO_4
#define FOR_COLS_column COLS_TO_6
#else
enum { DOT_ROWS = 3, DOT_COLS = 4, COLUMN_ROWS = 2, COLUMN_COLS = 6 };
#define FOR_ROWS_dot    ROWS_TO_3
#define FOR_COLS_dot    COLS_TO_4
#define FOR_ROWS_column ROWS_TO_2
#define FOR_COLS_column COLS_TO_6
#endif

#define ROWS_TO_2(X, kind)       X(kind, 1) X(kind, 2)
#define ROWS_TO_3(X, kind)       ROWS_TO_2(X, kind) X(kind, 3)
#define ROWS_TO_4(X, kind)       ROWS_TO_3(X, kind) X(kind, 4)
#define COLS_TO_4(X, kind, rows) X(kind, rows, 1) X(kind, rows, 2) X(kind, rows, 3) X(kind, rows, 4)
#define COLS_TO_6(X, kind, rows) COLS_TO_4(X, kind, rows) X(kind, rows, 5) X(kind, rows, 6)

/* A product is taken some of its inner elements at a time, so many that a tile's operands fit the
   first cache (DEPTH), and some of its rows at a time, so many that A fits the second (BAND). */
enum { DOT_DEPTH = 4096 / sizeof(real), DOT_BAND = 128 };
enum { COLUMN_DEPTH = 1024 / sizeof(real), COLUMN_BAND = 1024 / sizeof(real) };

/* One tile */
typedef struct Tile {
  int k;
  const real *A;
  int lda;
  const real *B;
  int step_l;  // from B(l, j) to B(l + 1, j)
  int step_j;  // from B(l, j) to B(l, j + 1)
  real *C;
  int ldc;
  bool adds;        // C += op(A) op(B)
  int last;         // lanes of the last vector of rows
  uintptr_t ahead;  // address of what is wanted next
} Tile;

typedef void Kernel(const Tile *t);

/* A kernel for each size of tile, and a table of them */
#define KERNEL_OF(kind, rows, cols)                                                                \
  TARGET static void kind##_##rows##x##cols(const Tile *t) {                                       \
    kind(rows, cols, t);                                                                           \
  }
#define KERNELS_OF(kind, rows)    FOR_COLS_##kind(KERNEL_OF, kind, rows)
#define NAME_OF(kind, rows, cols) kind##_##rows##x##cols,
#define NAMES_OF(kind, rows)      {FOR_COLS_##kind(NAME_OF, kind, rows)},
#define KERNELS(kind, most_rows, most_cols)                                                        \
  FOR_ROWS_##kind(KERNELS_OF, kind) static Kernel *const kind##_kernels[most_rows][most_cols] = {  \
    FOR_ROWS_##kind(NAMES_OF, kind)};

/* Bring the cache line of element l of what lies at an address, if anything does. */
static inline void fetch(uintptr_t address, int l) {
  __builtin_prefetch((const void *)(address + (size_t)l * sizeof(real)));
}

static int least(int a, int b) {
  return a < b ? a : b;
}

/* How many of n to take next, at most `most`: so that turns are as few as can be, and alike */
static int next_part(int n, int most) {
  int parts = (n - 1) / most + 1;
  return (n + parts - 1) / parts;
}

/* The same in whole vectors, as far as there are any */
static int next_vectors(int n, int most) {
  return least((next_part(n, most) + LANES - 1) / LANES * LANES, n);
}


/*
** C = A^t B: the k elements of a row and of a column are neighbours, and a tile is rows x cols dot
** products.
*/

/* Add one vector's products to the sums, or begin the sums with them. */
INLINE void dot_step(int rows, int cols, bool begins, Mask mask, const real *A, int lda,
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
  Lanes sums[DOT_COLS][DOT_ROWS];
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

KERNELS(dot, DOT_ROWS, DOT_COLS)

/*
** Columns of B that lie a multiple of 4 KiB apart go to the same few places of the cache and drive
** each other out: these are copied to a stride that does not. With each tile one of the columns
** that follow is fetched into the cache. Beyond the end of B that does no harm, and there the next
** batch often lies.
*/
static void dot_columns(const TileProduct *p, Tile *t, int l, int j, int cols, int i, int rows) {
  enum { ALIASED = 4096 / sizeof(real), ENOUGH = 32, STRIDE = DOT_DEPTH + LANES };
  real copy[DOT_COLS * STRIDE];
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
  for (int r = 0; r < rows; r += DOT_ROWS) {
    t->A = p->A + (i + r) * p->lda + l;
    t->C = p->C + j * p->ldc + i + r;
    t->ahead = (uintptr_t)B + (size_t)ahead * (size_t)p->ldb * sizeof(real);
    if (ahead < 2 * cols - 1) ahead++;
    dot_kernels[least(rows - r, DOT_ROWS) - 1][cols - 1](t);
  }
}

static void compute_dots(const TileProduct *p) {
  Tile t = {.lda = p->lda, .ldc = p->ldc};
  for (int i = 0; i < p->m; i += DOT_BAND) {
    for (int l = 0; l < p->k; l += t.k) {
      t.k = next_vectors(p->k - l, DOT_DEPTH);
      t.adds = p->adds || l > 0;
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_part(p->n - j, DOT_COLS);
        dot_columns(p, &t, l, j, cols, i, least(p->m - i, DOT_BAND));
      }
    }
  }
}


/*
** C = A op(B): the m elements of a column are neighbours, and a tile is rows * LANES rows of `cols`
** columns.
*/

/* Add one inner element's products to the sums, or begin the sums with them. */
INLINE void column_step(int rows, int cols, bool begins, bool masked, const real *A, Mask last,
                        const real *B, int step_j, Lanes sums[][COLUMN_ROWS]) {
  Lanes a[COLUMN_ROWS];
  UNROLL for (int r = 0; r < rows; r++) {
    bool is_masked = masked && r == rows - 1;
    a[r] = is_masked ? lanes_load_masked(last, A + r * LANES) : lanes_load(A + r * LANES);
  }
  UNROLL for (int c = 0; c < cols; c++) {
    real b = B[c * step_j];
    UNROLL for (int r = 0; r < rows; r++) {
      sums[c][r] = begins ? a[r] * b : sums[c][r] + a[r] * b;
    }
  }
}

INLINE void column_sums(int rows, int cols, bool masked, int step_l, int step_j, const Tile *t,
                        Lanes sums[][COLUMN_ROWS]) {
  const real *A = t->A;
  const real *B = t->B;
  int lda = t->lda;
  Mask last = lanes_first(t->last);
  column_step(rows, cols, true, masked, A, last, B, step_j, sums);
  UNROLL_STEPS for (int l = 1; l < t->k; l++) {
    A += lda;
    B += step_l;
    column_step(rows, cols, false, masked, A, last, B, step_j, sums);
  }
}

/* One of step_l and step_j is 1, and addresses are simpler where it is known which. */
INLINE void column_sums_by_step(int rows, int cols, bool masked, const Tile *t,
                                Lanes sums[][COLUMN_ROWS]) {
  if (t->step_l == 1)
    column_sums(rows, cols, masked, 1, t->step_j, t, sums);
  else
    column_sums(rows, cols, masked, t->step_l, 1, t, sums);
}

INLINE void column(int rows, int cols, const Tile *t) {
  Lanes sums[COLUMN_COLS][COLUMN_ROWS];
  if (MASKS_COST && t->last == LANES)
    column_sums_by_step(rows, cols, false, t, sums);
  else
    column_sums_by_step(rows, cols, true, t, sums);
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

KERNELS(column, COLUMN_ROWS, COLUMN_COLS)

static void set_steps(const TileProduct *p, Tile *t) {
  t->step_l = p->transposeB ? p->ldb : 1;
  t->step_j = p->transposeB ? 1 : p->ldb;
}

static void column_columns(const TileProduct *p, Tile *t, int l, int j, int cols, int i, int rows) {
  t->B = p->B + l * t->step_l + j * t->step_j;
  int vectors;
  for (int r = 0; r < rows; r += vectors * LANES) {
    vectors = next_part((rows - r + LANES - 1) / LANES, COLUMN_ROWS);
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
    t.adds = p->adds || l > 0;
    for (int i = 0; i < p->m; i += COLUMN_BAND) {
      int cols;
      for (int j = 0; j < p->n; j += cols) {
        cols = next_part(p->n - j, COLUMN_COLS);
        column_columns(p, &t, l, j, cols, i, least(p->m - i, COLUMN_BAND));
      }
    }
  }
}


/*
** y = A^t x, or y + A^t x, with each sum in two, which do not wait for each other. With the vectors
** of AVX-512 memory is read fastest in one stream, one row of A^t after the other; with those of
** AVX2, in four. What follows x is fetched, which may be the next sample.
*/

enum { STREAMS = LANES_BYTES == 64 ? 1 : 4 };

/* The first `rows` sums count. */
INLINE Four rows_times_vector(int rows, int k, const real *A, int lda, const real *x) {
  Lanes sums[4][2] = {{{0}}};
  int l = 0;
  for (; l <= k - 2 * LANES; l += 2 * LANES) {
    UNROLL for (int h = 0; h < 2; h++) {
      Lanes part = lanes_load(x + l + h * LANES);
      UNROLL for (int r = 0; r < rows; r++) {
        sums[r][h] += lanes_load(A + r * lda + l + h * LANES) * part;
      }
    }
  }
  for (int rest = k - l; rest > 0; rest -= LANES) {
    Mask mask = lanes_first(least(rest, LANES));
    Lanes part = lanes_load_masked(mask, x + k - rest);
    UNROLL for (int r = 0; r < rows; r++) {
      sums[r][0] += lanes_load_masked(mask, A + r * lda + k - rest) * part;
    }
  }
  UNROLL for (int r = 0; r < rows; r++) sums[r][0] += sums[r][1];
  return lanes_sums(sums[0][0], sums[1][0], sums[2][0], sums[3][0]);
}

TARGET static void times_vector(int rows, int k, const real *A, int lda, const real *x, bool adds,
                                real *y) {
  for (int l = 0; l <= k - LANES; l += LANES) fetch((uintptr_t)(x + k), l);
  int i = 0;
  for (; i + STREAMS <= rows; i += STREAMS, A += STREAMS * lda) {
    Four sums = rows_times_vector(STREAMS, k, A, lda, x);
    store_rows(STREAMS, sums, adds, y + i);
  }
  for (; i < rows; i++, A += lda) {
    Four sums = rows_times_vector(1, k, A, lda, x);
    store_rows(1, sums, adds, y + i);
  }
}

#include "tile_panels.h"

static void compute(const TileProduct *p) {
  if (panels_pay(p->m, p->n, p->k, p->transposeA))
    compute_panels(p);
  else if (p->transposeA)
    compute_dots(p);
  else
    compute_columns(p);
}

#if LANES_BYTES == 64

enum { MOST_BLOCKS = 16, LEAST_COLS = 32 };

/*
** Tiles suit dot products; columns that fill a vector; and products so small that the way into
** OpenBLAS costs more than vectors that are left half empty.
*/
static bool suit(int m, int n, int k, bool transposeA) {
  return transposeA || m >= 16 || (double)m * n * k < 1 << 14;
}

#else

enum { MOST_BLOCKS = 8, LEAST_COLS = 64 };

/*
** Tiles suit products up to a number of multiplications, which is smaller where columns of A are
** read where they are.
*/
static bool suit(int m, int n, int k, bool transposeA) {
  bool in_columns = !transposeA && !panels_pay(m, n, k, transposeA);
  return (double)m * n * k <= (in_columns ? 1 << 23 : 1 << 29);
}

#endif

const Tiles TILES = {suit, compute, times_vector, MOST_BLOCKS, LEAST_COLS};
