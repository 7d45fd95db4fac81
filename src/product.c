/*
** product.c - matrix products in blocks, each on one thread: by OpenBLAS, in tiles where they are faster
** (tile.h), and by plain loops where one side is a vector, which is a matter of memory and not of arithmetic.
*/
#include "product.h"

#include "vector.h"

#define BLOCK_EDGE 16  // block sizes are multiples of what the kernels work on at once
#define MAX_BLOCKS 4

/* Of a block that is cut in one direction first */
#define LEAST_ROWS       128
#define LEAST_LARGE_COLS 512

/* Elements of C that no core's cache holds from step to step */
#define LARGE (1 << 20)

/* Multiplications in the smallest block: with fewer a second thread costs more than it brings. */
#define MIN_VOLUME        (1 << 20)
#define MIN_VECTOR_VOLUME (1 << 17)

static int round_up(int n, int multiple) {
  return n > multiple ? (n + multiple - 1) / multiple * multiple : multiple;
}

static int div_up(int n, int by) {
  return (n - 1) / by + 1;
}

/* The tiles to multiply in, or NULL */
static const Tiles *suitable_tiles(const Product *p) {
  const Tiles *tiles = tiles_here();
  if (p->m == 1 || p->n == 1 || p->k == 1 || !tiles) return NULL;
  if (p->opA == CblasTrans && p->opB == CblasTrans) return NULL;
  return tiles->suit(p->m, p->n, p->k, p->opA == CblasTrans) ? tiles : NULL;
}

/*
** Blocks, by halving. Few, large and near-square ones for OpenBLAS, which copies the operands of each anew; as many as
** there may be threads for, where tiles read them as they are or copy little at a time. These are cut along the units of
** a layer, as long as there are some for each, in Z and Delta, whose rows they are, and in dJ/dW, whose columns they are
** where it is stored as W is: so what a thread reads and writes of W, its gradient and its optimiser's state is the same
** from step to step, and stays in its cache. Where none can hold them, near-square blocks read the operands less often.
** Blocks are numbered, and so shared, in the same direction; but with twice as many samples as units along the samples:
** then a thread reads in the next layer what it wrote in this one.
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
  for (int blocks = 1; blocks < most && volume / blocks >= 2 * smallest; blocks *= 2) {
    bool is_first_cut =
      tiles && (rows_first ? rows >= 2 * LEAST_ROWS : cols >= 2 * least_cols);
    if (is_first_cut ? rows_first : rows >= cols)
      rows = round_up(div_up(rows, 2), BLOCK_EDGE);
    else
      cols = round_up(div_up(cols, 2), BLOCK_EDGE);
  }
  p->block_rows = rows;
  p->block_cols = cols;
  p->blocks_down = div_up(p->m, rows);
  p->blocks_across = div_up(p->n, cols);
  p->blocks = p->blocks_down * p->blocks_across;
  p->shares_are_rows = rows_first && p->n / 2 < p->m;
}

void product_prepare(Product *p, Matrix *C, const Matrix *A, bool transposeA,
                     const Matrix *B, bool transposeB) {
  /* Stored by rows, a matrix is its transpose stored by columns; and C^t = op(B)^t op(A)^t. */
  if (C->order == BY_ROWS) {
    const Matrix *left = A;
    bool transpose_left = transposeA;
    A = B;
    transposeA = !transposeB;
    B = left;
    transposeB = !transpose_left;
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
  p->tiles = suitable_tiles(p);
  cut(p);
}

Block product_block(const Product *p, int index) {
  int down = p->shares_are_rows ? index / p->blocks_across : index % p->blocks_down;
  int across = p->shares_are_rows ? index % p->blocks_across : index / p->blocks_down;
  int row = down * p->block_rows;
  int col = across * p->block_cols;
  int rows = p->m - row < p->block_rows ? p->m - row : p->block_rows;
  int cols = p->n - col < p->block_cols ? p->n - col : p->block_cols;
  return (Block){row, col, rows, cols};
}

/* C = a b^t: packing for gemm would cost more than the product */
MULTIVERSION static void outer_product(int m, int n, const real *a, const real *b,
                                       real *C, int ldc) {
  for (int j = 0; j < n; j++, C += ldc) {
    real factor = b[j];
    VECTOR_LOOP
    for (int i = 0; i < m; i++) C[i] = a[i] * factor;
  }
}

/* y = M x for rows of k neighbours, `step` apart; four at a time keep the memory busy */
MULTIVERSION static void four_rows_times_vector(int rows, int k, const real *M, int step,
                                                const real *x, real *y) {
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
    y[i] = sum0;
    y[i + 1] = sum1;
    y[i + 2] = sum2;
    y[i + 3] = sum3;
  }
  for (; i < rows; i++, M += step) {
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < k; j++) sum += M[j] * x[j];
    y[i] = sum;
  }
}

static void rows_times_vector(int rows, int k, const real *M, int step, const real *x,
                              real *y) {
  const Tiles *tiles = tiles_here();
  if (tiles)
    tiles->times_vector(rows, k, M, step, x, y);
  else
    four_rows_times_vector(rows, k, M, step, x, y);
}

/* y = M x for columns of `rows` neighbours, `step` apart */
MULTIVERSION static void columns_times_vector(int rows, int k, const real *M, int step,
                                              const real *x, real *y) {
  for (int i = 0; i < rows; i++) y[i] = 0;
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

/* Where one side is a vector; its elements are neighbours, transposed or not. */
static void compute_with_vector(const Product *p, Block b, const real *A, const real *B,
                                real *C) {
  if (p->k == 1) {
    outer_product(b.rows, b.cols, A, B, C, p->m);
  } else if (p->n == 1) {
    if (p->opA == CblasTrans)
      rows_times_vector(b.rows, p->k, A, p->lda, B, C);
    else
      columns_times_vector(b.rows, p->k, A, p->lda, B, C);
  } else {
    if (p->opB == CblasNoTrans)
      rows_times_vector(b.cols, p->k, B, p->ldb, A, C);
    else
      columns_times_vector(b.cols, p->k, B, p->ldb, A, C);
  }
}

void product_compute(const Product *p, Block b) {
  const real *A = p->A + b.row * (p->opA == CblasTrans ? p->lda : 1);
  const real *B = p->B + b.col * (p->opB == CblasTrans ? 1 : p->ldb);
  real *C = p->C + b.col * p->m + b.row;
  if (p->m == 1 || p->n == 1 || p->k == 1) {
    compute_with_vector(p, b, A, B, C);
  } else if (p->tiles) {
    TileProduct part = {.m = b.rows, .n = b.cols, .k = p->k};
    part.transposeA = p->opA == CblasTrans;
    part.transposeB = p->opB == CblasTrans;
    part.A = A;
    part.lda = p->lda;
    part.B = B;
    part.ldb = p->ldb;
    part.C = C;
    part.ldc = p->m;
    p->tiles->compute(&part);
  } else {
    blas_gemm(CblasColMajor, p->opA, p->opB, b.rows, b.cols, p->k, 1, A, p->lda, B,
              p->ldb, 0, C, p->m);
  }
}

static void compute_block(void *product, int index) {
  product_compute(product, product_block(product, index));
}

void product_run(lua_State *L, Matrix *C, const Matrix *A, bool transposeA,
                 const Matrix *B, bool transposeB) {
  Product p;
  product_prepare(&p, C, A, transposeA, B, transposeB);
  pool_run(matrix_pool(L), p.blocks, compute_block, &p);
}

/* product(C, A, B [, transposed]) --> C = op(A) op(B) */
static int product_product(lua_State *L) {
  static const char *const choices[] = {"NN", "NT", "TN", "TT", NULL};
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 2);
  const Matrix *B = matrix_check(L, 3);
  int choice = luaL_checkoption(L, 4, choices[0], choices);
  bool transposeA = choice & 2;
  bool transposeB = choice & 1;
  int inner = transposeA ? A->rows : A->cols;
  if ((transposeB ? B->cols : B->rows) != inner) {
    matrix_check_shape(L, 3, transposeB ? B->rows : inner, transposeB ? inner : B->cols);
  }
  matrix_check_shape(L, 1, transposeA ? A->cols : A->rows,
                     transposeB ? B->rows : B->cols);
  matrix_check_distinct(L, 1, C, 2, A);
  matrix_check_distinct(L, 1, C, 3, B);
  pool_check_blas(L, matrix_pool(L));

  product_run(L, C, A, transposeA, B, transposeB);
  lua_settop(L, 1);
  return 1;
}

/* A * B --> a new matrix, for matrices */
int product_operator(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *B = matrix_check(L, 2);
  if (A->cols != B->rows) {
    return luaL_error(L, "the product of %d x %d and %d x %d matrices is not defined",
                      A->rows, A->cols, B->rows, B->cols);
  }
  pool_check_blas(L, matrix_pool(L));

  product_run(L, matrix_new(L, A->rows, B->cols, BY_COLUMNS), A, false, B, false);
  return 1;
}

static const luaL_Reg functions[] = {
  {"product", product_product},
  {NULL,      NULL           },
};

void product_open(lua_State *L) {
  matrix_register(L, functions);
}
