/*
** product.c - matrix products. The result C is cut into blocks, rectangles that are the pieces of a
** run of the pool: each is computed by one call on one thread. There are three ways to compute one:
** in tiles (tile.h) where they are faster, by OpenBLAS, and where A, B or C is a vector by plain
** loops, whose speed is that of the memory whatever they do.
*/
#include "product.h"

#include "tile.h"
#include "vector.h"

/* Kernels work on so many rows or columns at once: the sizes of blocks are multiples of it. */
#define BLOCK_EDGE 16

/* Blocks of a product by OpenBLAS or by loops, at most. For tiles: most_blocks in tile.h. */
#define MAX_BLOCKS 4

/* A C of this many elements or more leaves the caches before the next step comes to it again. */
#define LARGE (1 << 20)

/*
** In tiles `cut` prefers to halve the units of C. It does so as long as each half keeps at least so
** many rows, or columns; tile.h says how many columns where C is not LARGE.
*/
#define LEAST_ROWS       128
#define LEAST_LARGE_COLS 512

/* Multiplications in the smallest block: with fewer a second thread costs more than it brings. */
#define MIN_VOLUME        (1 << 20)
#define MIN_VECTOR_VOLUME (1 << 17)

/*
** C = op(A) op(B) as loops and BLAS see it: C is m x n and stored by columns, and k is what is
** summed over. A matrix that is stored by rows is taken for its transpose, which is stored by
** columns: if C is, then m and n, A and B change places.
*/
typedef struct Product {
  int m;
  int n;
  int k;
  CBLAS_TRANSPOSE opA;
  CBLAS_TRANSPOSE opB;
  const real *A;
  const real *B;
  real *C;
  int lda;
  int ldb;
  bool adds;
  const Tiles *tiles;  // to multiply in, or NULL
  const Blas *blas;
  int block_rows;
  int block_cols;
  int blocks_down;
  int blocks_across;
  bool shares_are_rows;  // a thread's share of the blocks is rows of C; else columns
  const Matrix *result;  // C as it was given, for the epilogue
  Epilogue epilogue;
  const void *context;
} Product;

static int round_up(int n, int multiple) {
  return n > multiple ? (n + multiple - 1) / multiple * multiple : multiple;
}

static int div_up(int n, int by) {
  return (n - 1) / by + 1;
}


/* Preparation */

static bool is_with_vector(const Product *p) {
  return p->m == 1 || p->n == 1 || p->k == 1;
}

/* The tiles that suit this product and this processor, or NULL */
static const Tiles *suitable_tiles(const Product *p) {
  const Tiles *tiles = tiles_here();
  if (is_with_vector(p) || !tiles) return NULL;
  if (p->opA == CblasTrans && p->opB == CblasTrans) return NULL;
  return tiles->suit(p->m, p->n, p->k, p->opA == CblasTrans) ? tiles : NULL;
}

/* All of p but how it is cut */
static inline void prepare(Product *p, const Matrix *C, const Matrix *A, const Matrix *B,
                           const How *how) {
  bool transposeA = how->transposeA;
  bool transposeB = how->transposeB;
  /* Stored by rows, a matrix is its transpose stored by columns; and C^t = op(B)^t op(A)^t. */
  if (C->order == BY_ROWS) {
    const Matrix *left = A;
    A = B;
    B = left;
    transposeA = !how->transposeB;
    transposeB = !how->transposeA;
  }
  p->m = C->order == BY_ROWS ? C->cols : C->rows;
  p->n = C->order == BY_ROWS ? C->rows : C->cols;
  p->k = transposeA ? A->rows : A->cols;
  p->opA = transposeA == (A->order == BY_ROWS) ? CblasNoTrans : CblasTrans;
  p->opB = transposeB == (B->order == BY_ROWS) ? CblasNoTrans : CblasTrans;
  p->A = A->data;
  p->B = B->data;
  p->C = C->data;
  p->lda = A->order == BY_ROWS ? A->cols : A->rows;
  p->ldb = B->order == BY_ROWS ? B->cols : B->rows;
  p->adds = how->adds;
  p->tiles = suitable_tiles(p);
  p->result = C;
  p->epilogue = how->epilogue;
  p->context = how->context;
}

/*
** Cut C into blocks: in two, these in two, and so on, until there are as many as pay, or half a
** block would be too little for a thread. Shapes alone decide, never the number of threads.
**
** What is cut in two, rows or columns?
** - OpenBLAS copies the operands of each block. Near-square blocks have the least to copy: so the
**   longer side of a block is cut.
** - Tiles read the operands where they are, and the problem is another: what one processor has
**   written is slow to read for the others. So C is cut along the units of the layer, which are the
**   rows of Z and Delta and the columns of dJ/dW (in the order that W is stored in). Then a thread
**   reads and writes the same units of W, of its gradient and of what the optimiser keeps for it in
**   every step, and has them in its cache. Where there are too few units left for that, the longer
**   side is cut.
** - No cache holds a thread's share of a LARGE C from one step to the next. Its columns are then
**   preferred only down to LEAST_LARGE_COLS, so that blocks are nearer to squares, which read less
**   of the operands.
**
** Which side has the units? That of dJ/dW = H A^t, the one product whose B is transposed, is its
** columns; of Z and Delta it is the rows.
**
** How are the blocks numbered? A thread's share is blocks with neighbouring numbers. They are
** numbered so that a share is some of the units, with all that the other side has. The exception is
** a Z or Delta with at least twice as many samples (n) as units (m): there a share is some of the
** samples, with all units, because a thread then reads in the next layer the samples that it has
** written in this one.
*/
static void cut(Product *p) {
  int rows = p->m;
  int cols = p->n;
  bool rows_first = p->opB == CblasNoTrans;
  bool is_vector = p->m == 1 || p->n == 1;
  const Tiles *tiles = p->tiles;
  int most = tiles ? tiles->most_blocks : MAX_BLOCKS;
  int least_cols = tiles && p->m * p->n < LARGE ? tiles->least_cols : LEAST_LARGE_COLS;
  double smallest = is_vector ? MIN_VECTOR_VOLUME : MIN_VOLUME;
  double volume = (double)p->m * p->n * p->k;
  for (int blocks = 1; blocks < most && volume >= 2 * blocks * smallest; blocks *= 2) {
    bool is_first_cut = tiles && (rows_first ? rows >= 2 * LEAST_ROWS : cols >= 2 * least_cols);
    if (is_first_cut ? rows_first : rows >= cols)
      rows = round_up(div_up(rows, 2), BLOCK_EDGE);
    else
      cols = round_up(div_up(cols, 2), BLOCK_EDGE);
  }
  p->block_rows = rows;
  p->block_cols = cols;
  p->blocks_down = div_up(p->m, rows);
  p->blocks_across = div_up(p->n, cols);
  p->shares_are_rows = rows_first && p->n / 2 < p->m;
}

/* The block of this number. Those at the lower and the right edge of C may be smaller. */
static Block block_at(const Product *p, int index) {
  int down = p->shares_are_rows ? index / p->blocks_across : index % p->blocks_down;
  int across = p->shares_are_rows ? index % p->blocks_across : index / p->blocks_down;
  int row = down * p->block_rows;
  int col = across * p->block_cols;
  int rows = p->m - row < p->block_rows ? p->m - row : p->block_rows;
  int cols = p->n - col < p->block_cols ? p->n - col : p->block_cols;
  return (Block){row, col, rows, cols};
}


/* Products in which A, B or C is a vector. With `adds` they add to the result. */

/* C = a b^t: packing for gemm would cost more than the product */
MULTIVERSION static void outer_product(int m, int n, const real *a, const real *b, bool adds,
                                       real *C, int ldc) {
  for (int j = 0; j < n; j++, C += ldc) {
    real factor = b[j];
    VECTOR_LOOP
    for (int i = 0; i < m; i++) C[i] = adds ? C[i] + a[i] * factor : a[i] * factor;
  }
}

/*
** y = M x for a matrix of rows, each k neighbours, that begin `step` elements apart. Four rows at a
** time, because one alone does not ask for memory as fast as it comes.
*/
MULTIVERSION static void four_rows_times_vector(int rows, int k, const real *M, int step,
                                                const real *x, bool adds, real *y) {
  int i = 0;
  for (; i + 4 <= rows; i += 4, M += 4 * step) {
    const real *M1 = M + step;
    const real *M2 = M1 + step;
    const real *M3 = M2 + step;
    real sum0 = 0;
    real sum1 = 0;
    real sum2 = 0;
    real sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
    for (int j = 0; j < k; j++) {
      sum0 += M[j] * x[j];
      sum1 += M1[j] * x[j];
      sum2 += M2[j] * x[j];
      sum3 += M3[j] * x[j];
    }
    y[i] = adds ? y[i] + sum0 : sum0;
    y[i + 1] = adds ? y[i + 1] + sum1 : sum1;
    y[i + 2] = adds ? y[i + 2] + sum2 : sum2;
    y[i + 3] = adds ? y[i + 3] + sum3 : sum3;
  }
  for (; i < rows; i++, M += step) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < k; j++) sum += M[j] * x[j];
    y[i] = adds ? y[i] + sum : sum;
  }
}

static void rows_times_vector(int rows, int k, const real *M, int step, const real *x, bool adds,
                              real *y) {
  const Tiles *tiles = tiles_here();
  if (tiles)
    tiles->times_vector(rows, k, M, step, x, adds, y);
  else
    four_rows_times_vector(rows, k, M, step, x, adds, y);
}

/* y = M x for a matrix of columns, each `rows` neighbours, that begin `step` elements apart */
MULTIVERSION static void columns_times_vector(int rows, int k, const real *M, int step,
                                              const real *x, bool adds, real *y) {
  for (int i = 0; i < rows && !adds; i++) y[i] = 0;
  int j = 0;
  for (; j + 4 <= k; j += 4, M += 4 * step) {
    const real *M1 = M + step;
    const real *M2 = M1 + step;
    const real *M3 = M2 + step;
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) {
      y[i] += (M[i] * x[j] + M1[i] * x[j + 1]) + (M2[i] * x[j + 2] + M3[i] * x[j + 3]);
    }
  }
  for (; j < k; j++, M += step) {
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) y[i] += M[i] * x[j];
  }
}

/*
** The block b where A, B or C is a vector. A vector's elements are neighbours, whether it is
** transposed or not, so that four cases are all.
*/
static void compute_with_vector(const Product *p, Block b, const real *A, const real *B, real *C) {
  if (p->k == 1) {
    outer_product(b.rows, b.cols, A, B, p->adds, C, p->m);
  } else if (p->n == 1) {
    if (p->opA == CblasTrans)
      rows_times_vector(b.rows, p->k, A, p->lda, B, p->adds, C);
    else
      columns_times_vector(b.rows, p->k, A, p->lda, B, p->adds, C);
  } else {
    if (p->opB == CblasNoTrans)
      rows_times_vector(b.cols, p->k, B, p->ldb, A, p->adds, C);
    else
      columns_times_vector(b.cols, p->k, B, p->ldb, A, p->adds, C);
  }
}


/* Runs */

static void compute(const Product *p, Block b) {
  const real *A = p->A + b.row * (p->opA == CblasTrans ? p->lda : 1);
  const real *B = p->B + b.col * (p->opB == CblasTrans ? 1 : p->ldb);
  real *C = p->C + b.col * p->m + b.row;
  if (is_with_vector(p)) {
    compute_with_vector(p, b, A, B, C);
  } else if (p->tiles) {
    TileProduct part = {.m = b.rows, .n = b.cols, .k = p->k};
    part.transposeA = p->opA == CblasTrans;
    part.transposeB = p->opB == CblasTrans;
    part.adds = p->adds;
    part.A = A;
    part.lda = p->lda;
    part.B = B;
    part.ldb = p->ldb;
    part.C = C;
    part.ldc = p->m;
    p->tiles->compute(&part);
  } else {
    p->blas->REAL_GEMM(p->opA, p->opB, b.rows, b.cols, p->k, A, p->lda, B, p->ldb, p->adds ? 1 : 0,
                       C, p->m);
  }
}

/* The pool's task: compute the block of this number, then what follows it (the epilogue). */
static void compute_block(void *product, int index) {
  const Product *p = product;
  Block b = block_at(p, index);
  compute(p, b);
  if (p->epilogue == NULL) return;
  bool is_transpose = p->result->order == BY_ROWS;
  p->epilogue(p->context, p->result, is_transpose ? (Block){b.col, b.row, b.cols, b.rows} : b);
}

void product_check_memory(lua_State *L, const Matrix *C, const Matrix *A, const Matrix *B,
                          How how) {
  Product p;
  prepare(&p, C, A, B, &how);
  if (!is_with_vector(&p) && !p.tiles) pool_check_blas(L, matrix_pool(L));
}

void product_run(Pool *pool, Matrix *C, const Matrix *A, const Matrix *B, How how) {
  Product p;
  prepare(&p, C, A, B, &how);
  p.blas = pool_blas(pool);
  cut(&p);
  pool_run(pool, p.blocks_down * p.blocks_across, compute_block, &p);
}


/* Bindings */

/* product(C, A, B [, transposed [, adds]]) --> C = op(A) op(B), or C + op(A) op(B) */
static int product_product(lua_State *L) {
  static const char *const choices[] = {"NN", "NT", "TN", "TT", NULL};
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 2);
  const Matrix *B = matrix_check(L, 3);
  int choice = luaL_checkoption(L, 4, choices[0], choices);
  How how = {.transposeA = choice & 2, .transposeB = choice & 1};
  how.adds = lua_toboolean(L, 5);
  int m = how.transposeA ? A->cols : A->rows;
  int n = how.transposeB ? B->rows : B->cols;
  int k = how.transposeA ? A->rows : A->cols;
  matrix_check_size(L, 3, B, how.transposeB ? n : k, how.transposeB ? k : n);
  matrix_check_size(L, 1, C, m, n);
  matrix_check_distinct(L, 1, C, 2, A);
  matrix_check_distinct(L, 1, C, 3, B);
  product_check_memory(L, C, A, B, how);

  product_run(matrix_pool(L), C, A, B, how);
  lua_settop(L, 1);
  return 1;
}

/* A * B --> a new matrix, for matrices */
int product_operator(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *B = matrix_check(L, 2);
  if (A->cols != B->rows) {
    return luaL_error(L, "the product of %d x %d and %d x %d matrices is not defined", A->rows,
                      A->cols, B->rows, B->cols);
  }
  Matrix *C = matrix_new(L, A->rows, B->cols, BY_COLUMNS);
  How how = {0};
  product_check_memory(L, C, A, B, how);

  product_run(matrix_pool(L), C, A, B, how);
  return 1;
}

static const luaL_Reg functions[] = {
  {"product", product_product},
  {NULL,      NULL           },
};

void product_open(lua_State *L) {
  matrix_register(L, functions);
}
