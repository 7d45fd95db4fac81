/*
** rows.c - some rows of a matrix: what layers side by side give, put together and taken apart.
*/
#include <string.h>

#include "matrix.h"

/*
** Argument `arg` holds the first row, counted from 1, of `count` rows of a matrix that has `rows`.
*/
static int check_first(lua_State *L, int arg, int count, int rows) {
  lua_Integer first = luaL_checkinteger(L, arg);
  if (first < 1 || first > (lua_Integer)rows - count + 1) {
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%d rows within 1 to %d expected, got some from %I on", count,
                                  rows, (LUAI_UACINT)first));
  }
  return (int)first - 1;
}

/* Copy `rows` rows; both are stored by columns, of ldto and ldfrom elements. */
static void copy_rows(int rows, int cols, const real *from, int ldfrom, real *to, int ldto) {
  for (int j = 0; j < cols; j++, from += ldfrom, to += ldto) {
    memcpy(to, from, (size_t)rows * sizeof(real));
  }
}

/* put_rows(C, first, A) --> C, its rows from `first` on those of A */
static int rows_put(lua_State *L) {
  Matrix *C = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 3);
  matrix_check_size(L, 3, A, A->rows, C->cols);
  matrix_check_by_columns(L, 1, C);
  matrix_check_by_columns(L, 3, A);
  int first = check_first(L, 2, A->rows, C->rows);
  matrix_check_distinct(L, 1, C, 3, A);

  copy_rows(A->rows, A->cols, A->data, A->rows, C->data + first, C->rows);
  lua_settop(L, 1);
  return 1;
}

/* take_rows(A, C, first) --> A = the rows of C from `first` on */
static int rows_take(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *C = matrix_check(L, 2);
  matrix_check_size(L, 2, C, C->rows, A->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_by_columns(L, 2, C);
  int first = check_first(L, 3, A->rows, C->rows);
  matrix_check_distinct(L, 1, A, 2, C);

  copy_rows(A->rows, A->cols, C->data + first, C->rows, A->data, A->rows);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"put_rows",  rows_put },
  {"take_rows", rows_take},
  {NULL,        NULL     },
};

void rows_open(lua_State *L) {
  matrix_register(L, functions);
}
