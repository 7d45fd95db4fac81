/*
** product.c - matrix products. The result C is cut into blocks (blocks.h), rectangles that are the
** pieces of a run of the pool: each is computed by one call on one thread. There are three ways to
** compute one: in tiles (tiles.h) where they are faster, by OpenBLAS, and where A, B or C is a
** vector by plain loops (vectors.h).
*/
#include "product/product.h"

#include "product/blocks.h"
#include "product/tiles.h"
#include "product/vectors.h"

/*
** C = op(A) op(B) as loops and BLAS see it: C is m x n and stored by columns, and k is what is
** summed over. A matrix that is stored by rows is taken for its transpose, which is stored by
** columns: if C is, then m and n, A and B change places.
*/
typedef struct Product {
  BlockProduct whole;
  bool in_loops;         // as A, B or C is a vector
  const TileSet *tiles;  // to multiply in, or NULL
  const Blas *blas;
  Pool *pool;  // whose scratch memory the tiles use
  Blocks blocks;
  const Matrix *result;  // C as it was given, for the epilogue
  Epilogue epilogue;
  const void *context;
} Product;

static bool is_with_vector(const BlockProduct *p) {
  return p->m == 1 || p->n == 1 || p->k == 1;
}

static bool suits_loops(const BlockProduct *p, const How *how) {
  return is_with_vector(p) && !how->by_blas;
}

/* The tiles that suit this product and this processor, or NULL */
static const TileSet *suitable_tiles(const BlockProduct *p, const How *how) {
  const TileSet *tiles = tiles_here();
  if (is_with_vector(p) || how->by_blas || !tiles) return NULL;
  if (p->transposeA && p->transposeB) return NULL;
  return tiles->suit(p->m, p->n, p->k, p->transposeA) ? tiles : NULL;
}

static inline BlockProduct by_columns(Matrix *C, const Matrix *A, const Matrix *B, const How *how) {
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
  BlockProduct p;
  p.m = C->order == BY_ROWS ? C->cols : C->rows;
  p.n = C->order == BY_ROWS ? C->rows : C->cols;
  p.k = transposeA ? A->rows : A->cols;
  p.transposeA = transposeA != (A->order == BY_ROWS);
  p.transposeB = transposeB != (B->order == BY_ROWS);
  p.adds = how->adds;
  p.A = A->data;
  p.lda = A->order == BY_ROWS ? A->cols : A->rows;
  p.B = B->data;
  p.ldb = B->order == BY_ROWS ? B->cols : B->rows;
  p.C = C->data;
  p.ldc = p.m;
  return p;
}

/* What is to be multiplied for the block b of C */
static BlockProduct at_block(const BlockProduct *whole, Block b) {
  BlockProduct p = *whole;
  p.m = b.rows;
  p.n = b.cols;
  p.A += b.row * (p.transposeA ? p.lda : 1);
  p.B += b.col * (p.transposeB ? 1 : p.ldb);
  p.C += b.col * p.ldc + b.row;
  return p;
}

static void multiply_by_blas(const Blas *blas, const BlockProduct *p) {
  blas->REAL_GEMM(p->transposeA ? CblasTrans : CblasNoTrans,
                  p->transposeB ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, p->A, p->lda, p->B,
                  p->ldb, p->adds ? 1 : 0, p->C, p->ldc);
}

/* The pool's task: compute the block of this number, then what follows it (the epilogue). */
static void compute_block(void *product, int index, int thread) {
  const Product *p = product;
  Block b = blocks_at(&p->blocks, index);
  BlockProduct block = at_block(&p->whole, b);
  if (p->in_loops)
    vectors_compute(&block, p->whole.n > 1);
  else if (p->tiles)
    p->tiles->compute(&block, pool_scratch(p->pool, thread));
  else
    multiply_by_blas(p->blas, &block);
  if (p->epilogue == NULL) return;
  bool is_transpose = p->result->order == BY_ROWS;
  p->epilogue(p->context, p->result, is_transpose ? (Block){b.col, b.row, b.cols, b.rows} : b);
}

void product_check_memory(lua_State *L, Matrix *C, const Matrix *A, const Matrix *B, How how) {
  BlockProduct whole = by_columns(C, A, B, &how);
  if (suits_loops(&whole, &how)) return;
  const TileSet *tiles = suitable_tiles(&whole, &how);
  if (tiles)
    pool_reserve_scratch(L, matrix_pool(L),
                         tiles->scratch(whole.m, whole.n, whole.k, whole.transposeA));
  else
    pool_check_blas(L, matrix_pool(L));
}

void product_run(Pool *pool, Matrix *C, const Matrix *A, const Matrix *B, How how) {
  Product p = {.result = C, .epilogue = how.epilogue, .context = how.context};
  p.whole = by_columns(C, A, B, &how);
  p.in_loops = suits_loops(&p.whole, &how);
  p.tiles = suitable_tiles(&p.whole, &how);
  p.blas = pool_blas(pool);
  p.pool = pool;
  /* dJ/dW = H A^t, the one product whose B is transposed, has the units in its columns. */
  p.blocks = blocks_cut(p.whole.m, p.whole.n, p.whole.k, !p.whole.transposeB, p.tiles);
  pool_run(pool, blocks_count(&p.blocks), blocks_count(&p.blocks), compute_block, &p);
}


/* Bindings */

/* product(C, A, B [, transposed [, adds [, by]]]) --> C = op(A) op(B), or C + op(A) op(B) */
static int product_product(lua_State *L) {
  static const char *const choices[] = {"NN", "NT", "TN", "TT", NULL};
  static const char *const ways[] = {"fastest", "openblas", NULL};
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 2);
  const Matrix *B = matrix_check(L, 3);
  int choice = luaL_checkoption(L, 4, choices[0], choices);
  How how = {.transposeA = choice & 2, .transposeB = choice & 1};
  how.adds = lua_toboolean(L, 5);
  how.by_blas = luaL_checkoption(L, 6, ways[0], ways) == 1;
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
