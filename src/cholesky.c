/*
** cholesky.c - linear equations with a symmetric positive definite matrix, by its Cholesky factor
** (Golub and Van Loan 2013, algorithm 4.2.1, by columns of R). For the small matrices of methods of
** second order: one thread, n^3 / 3 operations.
*/
#include <math.h>
#include <string.h>

#include "matrix.h"
#include "vector.h"

/* In double, because a factor of many columns is made of long sums. */
MULTIVERSION static double dot(int n, const real *x, const real *y) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) total += (double)x[k] * (double)y[k];
  return total;
}

/*
** R^t R = A, R upper triangular, from the upper triangle of A; both n x n by columns. Whether A is
** positive definite: where it is not, R is left unfinished.
*/
static bool factorize(int n, const real *A, real *R) {
  for (int j = 0; j < n; j++) {
    real *column = R + j * n;
    for (int i = 0; i < j; i++) {
      double rest = (double)A[j * n + i] - dot(i, R + i * n, column);
      column[i] = (real)(rest / (double)R[i * n + i]);
    }
    double square = (double)A[j * n + j] - dot(j, column, column);
    if (!(square > 0 && square < (double)INFINITY)) return false;
    column[j] = (real)sqrt(square);
    if (!(column[j] > 0)) return false;  // too small for the type
    for (int i = j + 1; i < n; i++) column[i] = 0;
  }
  return true;
}

/* x = x / A, where R^t R = A: first y with R^t y = x, then x with R x = y. */
static void solve(int n, const real *R, real *x) {
  for (int i = 0; i < n; i++) {
    x[i] = (real)(((double)x[i] - dot(i, R + i * n, x)) / (double)R[i * n + i]);
  }
  for (int i = n - 1; i >= 0; i--) {
    const real *column = R + i * n;
    x[i] /= column[i];
    VECTOR_LOOP
    for (int k = 0; k < i; k++) x[k] -= x[i] * column[k];
  }
}

/* cholesky(R, A) --> R, upper triangular with R^t R = A, or nil where A is not positive definite */
static int cholesky_factorize(lua_State *L) {
  Matrix *R = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 2);
  matrix_check_size(L, 1, R, R->rows, R->rows);
  matrix_check_size(L, 2, A, R->rows, R->rows);
  matrix_check_by_columns(L, 1, R);
  matrix_check_by_columns(L, 2, A);
  matrix_check_distinct(L, 1, R, 2, A);

  bool is_definite = factorize(R->rows, A->data, R->data);
  lua_settop(L, 1);
  if (!is_definite) lua_pushnil(L);
  return 1;
}

/* cholesky_solve(X, R, B) --> X with R^t R X = B; X may be B */
static int cholesky_solve(lua_State *L) {
  Matrix *X = matrix_check(L, 1);
  const Matrix *R = matrix_check(L, 2);
  const Matrix *B = matrix_check(L, 3);
  matrix_check_size(L, 2, R, X->rows, X->rows);
  matrix_check_size(L, 3, B, X->rows, X->cols);
  matrix_check_by_columns(L, 1, X);
  matrix_check_by_columns(L, 2, R);
  matrix_check_by_columns(L, 3, B);
  matrix_check_distinct(L, 1, X, 2, R);
  matrix_check_aligned(L, 1, X, 3, B);

  if (X->data != B->data) memcpy(X->data, B->data, (size_t)matrix_size(B) * sizeof(real));
  for (int j = 0; j < X->cols; j++) solve(X->rows, R->data, X->data + j * X->rows);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"cholesky",       cholesky_factorize},
  {"cholesky_solve", cholesky_solve    },
  {NULL,             NULL              },
};

void cholesky_open(lua_State *L) {
  matrix_register(L, functions);
}
