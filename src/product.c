/*
** product.c - matrix products in blocks, by OpenBLAS on one thread each.
*/
#include "product.h"

#include <string.h>

#include "vector.h"

#define BLOCK_EDGE 16  // block sizes are multiples of what the kernels work on at once
#define MIN_VOLUME                                                                       \
  (1 << 20)  // below this many multiplications a second thread costs more than it brings
#define MAX_BLOCKS    4
#define MIN_GEMV_SIZE (1 << 17)

static int round_up(int n, int multiple) {
  return n > multiple ? (n + multiple - 1) / multiple * multiple : multiple;
}

static int div_up(int n, int by) {
  return (n + by - 1) / by;
}

/* Few, large, near-square blocks: each one packs its operands anew. */
static void cut(Product *p) {
  int rows = p->m;
  int cols = p->n;
  double volume = (double)p->m * p->n * p->k;
  double smallest = p->m == 1 || p->n == 1 ? MIN_GEMV_SIZE : MIN_VOLUME;
  for (int blocks = 1; blocks < MAX_BLOCKS && volume / blocks >= 2 * smallest;
       blocks *= 2) {
    if (rows >= cols)
      rows = round_up(div_up(rows, 2), BLOCK_EDGE);
    else
      cols = round_up(div_up(cols, 2), BLOCK_EDGE);
  }
  p->block_rows = rows;
  p->block_cols = cols;
  p->blocks_down = div_up(p->m, rows);
  p->blocks = p->blocks_down * div_up(p->n, cols);
}

Product product_prepare(Matrix *C, const Matrix *A, bool transposeA, const Matrix *B,
                        bool transposeB) {
  /* Stored by rows, a matrix is its transpose stored by columns; and C^t = op(B)^t op(A)^t. */
  if (C->order == BY_ROWS) {
    const Matrix *left = A;
    bool transpose_left = transposeA;
    A = B;
    transposeA = !transposeB;
    B = left;
    transposeB = !transpose_left;
  }
  Product p = {
    .m = C->order == BY_ROWS ? C->cols : C->rows,
    .n = C->order == BY_ROWS ? C->rows : C->cols,
    .k = transposeA ? A->rows : A->cols,
    .opA = transposeA == (A->order == BY_ROWS) ? CblasNoTrans : CblasTrans,
    .opB = transposeB == (B->order == BY_ROWS) ? CblasNoTrans : CblasTrans,
    .A = A->data,
    .B = B->data,
    .C = C->data,
    .lda = A->order == BY_ROWS ? A->cols : A->rows,
    .ldb = B->order == BY_ROWS ? B->cols : B->rows,
  };
  cut(&p);
  return p;
}

Block product_block(const Product *p, int index) {
  int row = index % p->blocks_down * p->block_rows;
  int col = index / p->blocks_down * p->block_cols;
  int rows = p->m - row < p->block_rows ? p->m - row : p->block_rows;
  int cols = p->n - col < p->block_cols ? p->n - col : p->block_cols;
  return (Block){row, col, rows, cols};
}

/* C = a b^t, b with a step: k = 1, where packing for gemm would cost more than the product */
KERNEL static void outer_product(int m, int n, const real *a, int step_a, const real *b,
                                 int step_b, real *C, int ldc) {
  for (int j = 0; j < n; j++, C += ldc) {
    real factor = b[j * step_b];
    if (step_a == 1) {
      VECTOR_LOOP
      for (int i = 0; i < m; i++) C[i] = a[i] * factor;
    } else {
      for (int i = 0; i < m; i++) C[i] = a[i * step_a] * factor;
    }
  }
}

/* y = M x for M of rows x k when it is not transposed */
static void matrix_times_vector(CBLAS_TRANSPOSE op, int rows, int k, const real *M,
                                int ldm, const real *x, int step_x, real *y, int step_y) {
  bool plain = op == CblasNoTrans;
  for (int i = 0; i < rows; i++)
    y[i * step_y] = 0;  // versions differ in what beta = 0 does to NaN
  blas_gemv(CblasColMajor, op, plain ? rows : k, plain ? k : rows, 1, M, ldm, x, step_x,
            1, y, step_y);
}

static CBLAS_TRANSPOSE other(CBLAS_TRANSPOSE op) {
  return op == CblasNoTrans ? CblasTrans : CblasNoTrans;
}

void product_compute(const Product *p, Block b) {
  int step_a = p->opA == CblasNoTrans ? 1 : p->lda;  // from row to row of op(A)
  int step_b = p->opB == CblasNoTrans ? p->ldb : 1;  // from column to column of op(B)
  const real *A = p->A + b.row * step_a;
  const real *B = p->B + b.col * step_b;
  real *C = p->C + b.col * p->m + b.row;
  if (p->k == 1) {
    outer_product(b.rows, b.cols, A, step_a, B, step_b, C, p->m);
  } else if (p->n == 1) {
    matrix_times_vector(p->opA, b.rows, p->k, A, p->lda, B,
                        p->opB == CblasNoTrans ? 1 : p->ldb, C, 1);
  } else if (p->m == 1) {
    matrix_times_vector(other(p->opB), b.cols, p->k, B, p->ldb, A,
                        p->opA == CblasNoTrans ? p->lda : 1, C, 1);
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
  Product p = product_prepare(C, A, transposeA, B, transposeB);
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
