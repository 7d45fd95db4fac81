/*
** select.c - what lies within matrices, as new ones: slices, chosen rows and columns, matrices put
** together.
*/
#include <string.h>

#include "matrix.h"

/* Copy `rows` x `cols` elements, from (i, j) of one matrix to (to_i, to_j) of another. */
static void copy_block(const Matrix *from, int i, int j, Matrix *to, int to_i, int to_j, int rows,
                       int cols) {
  if (from->order == BY_COLUMNS && to->order == BY_COLUMNS) {
    for (int k = 0; k < cols; k++) {
      memcpy(to->data + matrix_index(to, to_i, to_j + k), from->data + matrix_index(from, i, j + k),
             (size_t)rows * sizeof(real));
    }
    return;
  }
  for (int k = 0; k < rows; k++) {
    for (int l = 0; l < cols; l++) {
      real x = from->data[matrix_index(from, i + k, j + l)];
      to->data[matrix_index(to, to_i + k, to_j + l)] = x;
    }
  }
}


/* Bindings */

/* Arguments `arg` and `arg` + 1 are the first and last of a range within 1 to `most`; nil: all. */
static int check_range(lua_State *L, int arg, int most, const char *what, int *count) {
  lua_Integer first = luaL_optinteger(L, arg, 1);
  lua_Integer last = luaL_optinteger(L, arg + 1, most);
  if (first < 1 || last < first || last > most) {
    luaL_error(L, "%s within 1 to %d expected, got %I to %I", what, most, (LUAI_UACINT)first,
               (LUAI_UACINT)last);
  }
  *count = (int)(last - first) + 1;
  return (int)first - 1;
}

/* M:slice([first_row, last_row, first_column, last_column]) --> a new matrix */
static int select_slice(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  int rows = 0;
  int cols = 0;
  int i = check_range(L, 2, M->rows, "rows", &rows);
  int j = check_range(L, 4, M->cols, "columns", &cols);

  Matrix *slice = matrix_new(L, rows, cols, M->order);
  copy_block(M, i, j, slice, 0, 0, rows, cols);
  return 1;
}

/* Element k of the table of indices, counted from 0, which must be from 1 to `most`; from 0 then */
static int check_index(lua_State *L, lua_Integer k, int most) {
  int is_integer = 0;
  lua_rawgeti(L, 2, k + 1);
  lua_Integer index = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &is_integer) : 0;
  if (!is_integer || index < 1 || index > most) {
    luaL_argerror(L, 2,
                  lua_pushfstring(L, "whole numbers from 1 to %d expected, got %s as element %I",
                                  most, luaL_tolstring(L, -1, NULL), (LUAI_UACINT)k + 1));
  }
  lua_pop(L, 1);
  return (int)index - 1;
}

/* The chosen rows, or columns, of M as a new matrix */
static int chosen(lua_State *L, bool rows) {
  const Matrix *M = matrix_check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  int most = rows ? M->rows : M->cols;
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2);
  luaL_argcheck(L, count >= 1, 2, "a list of one or more whole numbers expected");
  for (lua_Integer k = 0; k < count; k++) check_index(L, k, most);

  Matrix *C = matrix_new(L, rows ? count : M->rows, rows ? M->cols : count, M->order);
  for (int k = 0; k < count; k++) {
    int from = check_index(L, k, most);  // again: a finaliser may have changed the table since
    if (rows)
      copy_block(M, from, 0, C, k, 0, 1, M->cols);
    else
      copy_block(M, 0, from, C, 0, k, M->rows, 1);
  }
  return 1;
}

/* M:select_rows(indices) --> a new matrix */
static int select_rows(lua_State *L) {
  return chosen(L, true);
}

/* M:select_columns(indices) --> a new matrix */
static int select_columns(lua_State *L) {
  return chosen(L, false);
}

/* All arguments below each other, or side by side, as a new matrix */
static int stacked(lua_State *L, bool below) {
  int count = lua_gettop(L);
  const Matrix *first = matrix_check(L, 1);
  lua_Integer length = 0;
  for (int arg = 1; arg <= count; arg++) {
    const Matrix *M = matrix_check(L, arg);
    matrix_check_size(L, arg, M, below ? M->rows : first->rows, below ? first->cols : M->cols);
    length += below ? M->rows : M->cols;
  }
  luaL_checkstack(L, 1, NULL);

  lua_Integer rows = below ? length : first->rows;
  Matrix *C = matrix_new(L, rows, below ? first->cols : length, first->order);
  int at = 0;
  for (int arg = 1; arg <= count; arg++) {
    const Matrix *M = matrix_check(L, arg);
    copy_block(M, 0, 0, C, below ? at : 0, below ? 0 : at, M->rows, M->cols);
    at += below ? M->rows : M->cols;
  }
  return 1;
}

/* vstack(...) --> the rows of the matrices, below each other */
static int select_vstack(lua_State *L) {
  return stacked(L, true);
}

/* hstack(...) --> the columns of the matrices, side by side */
static int select_hstack(lua_State *L) {
  return stacked(L, false);
}

static const luaL_Reg functions[] = {
  {"hstack", select_hstack},
  {"vstack", select_vstack},
  {NULL,     NULL         },
};

static const luaL_Reg methods[] = {
  {"select_columns", select_columns},
  {"select_rows",    select_rows   },
  {"slice",          select_slice  },
  {NULL,             NULL          },
};

void select_open(lua_State *L) {
  matrix_register(L, functions);
  matrix_register_methods(L, methods);
}
