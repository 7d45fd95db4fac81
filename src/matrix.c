/*
** matrix.c - the matrix userdata: making it, checking it, its elements, views and printed form.
** The only file that turns Lua's indices from 1 into C's from 0.
*/
#include "matrix.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef SANITIZE
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)0)
#endif

#define ALIGNMENT 64

static const char *const order_names[] = {"columns", "rows", NULL};


/* Making */

static Order normal_order(int rows, int cols, Order order) {
  return rows == 1 || cols == 1 ? BY_COLUMNS : order;
}

static void check_size(lua_State *L, lua_Integer rows, lua_Integer cols) {
  if (rows < 1 || cols < 1 || rows > INT_MAX || cols > INT_MAX / rows) {
    luaL_error(L, "matrix of 1 to %d elements expected, got %I x %I", INT_MAX, (LUAI_UACINT)rows,
               (LUAI_UACINT)cols);
  }
}

Matrix *matrix_new(lua_State *L, lua_Integer rows, lua_Integer cols, Order order) {
  check_size(L, rows, cols);
  size_t bytes = (size_t)(rows * cols) * sizeof(real);
  Matrix *m = lua_newuserdatauv(L, sizeof(Matrix) + ALIGNMENT + bytes, 0);
  char *room = (char *)(m + 1);
  size_t unused = (ALIGNMENT - (uintptr_t)room % ALIGNMENT) % ALIGNMENT;
  m->rows = (int)rows;
  m->cols = (int)cols;
  m->order = normal_order(m->rows, m->cols, order);
  m->data = (real *)(void *)(room + unused);
  /*
  ** What alignment leaves before and after the elements is nobody's: only so can the sanitizer
  ** tell.
  */
  ASAN_POISON_MEMORY_REGION(room, unused);
  ASAN_POISON_MEMORY_REGION(room + unused + bytes, ALIGNMENT - unused);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return m;
}

/* Push a view of the matrix at stack index `owner`. */
static Matrix *new_view(lua_State *L, int owner, int first, int rows, int cols, Order order) {
  const Matrix *m = lua_touserdata(L, owner);
  Matrix *view = lua_newuserdatauv(L, sizeof(Matrix), 1);
  view->rows = rows;
  view->cols = cols;
  view->order = normal_order(rows, cols, order);
  view->data = m->data + first;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  lua_pushvalue(L, owner);
  lua_setiuservalue(L, -2, 1);  // the view keeps its owner alive
  return view;
}


/* Checking */

Matrix *matrix_test(lua_State *L, int arg) {
  if (!lua_getmetatable(L, arg)) return NULL;
  bool is_matrix = lua_topointer(L, -1) == lua_topointer(L, lua_upvalueindex(1));
  lua_pop(L, 1);
  return is_matrix ? lua_touserdata(L, arg) : NULL;
}

Matrix *matrix_check(lua_State *L, int arg) {
  Matrix *m = matrix_test(L, arg);
  if (m == NULL) luaL_typeerror(L, arg, MATRIX);
  return m;
}

/*
** One loop in place of `count` calls of matrix_check: calls of Lua's API are most of what a small
** primitive costs.
*/
void matrix_check_list(lua_State *L, int first, int count, int optional, Matrix **m) {
  const void *type = lua_topointer(L, lua_upvalueindex(1));
  int given = lua_gettop(L);
  for (int arg = first; arg < first + count; arg++) {
    if (arg == optional && lua_isnil(L, arg)) {
      m[arg - first] = NULL;
      continue;
    }
    if (arg > given || !lua_getmetatable(L, arg) || lua_topointer(L, -1) != type) {
      lua_settop(L, given);
      luaL_typeerror(L, arg, MATRIX);
    }
    m[arg - first] = lua_touserdata(L, arg);
  }
  lua_settop(L, given);
}

void matrix_check_size(lua_State *L, int arg, const Matrix *m, int rows, int cols) {
  if (m->rows != rows || m->cols != cols) {
    luaL_argerror(
      L, arg,
      lua_pushfstring(L, "%d x %d matrix expected, got %d x %d", rows, cols, m->rows, m->cols));
  }
}

Matrix *matrix_check_shape(lua_State *L, int arg, int rows, int cols) {
  Matrix *m = matrix_check(L, arg);
  matrix_check_size(L, arg, m, rows, cols);
  return m;
}

Matrix *matrix_check_samples(lua_State *L, int arg, int rows, int cols) {
  Matrix *m = matrix_check_shape(L, arg, rows, cols);
  matrix_check_by_columns(L, arg, m);
  return m;
}

void matrix_check_by_columns(lua_State *L, int arg, const Matrix *m) {
  luaL_argcheck(L, m->order == BY_COLUMNS, arg,
                "matrix stored by columns expected, got one stored by rows (M:copy() makes one)");
}

/*
** Argument `arg` as the user counts it. M:f(x) gives M as the first argument, but to the user x is
** the first: so luaL_argerror counts, and what a message says of another argument must agree.
*/
static const char *argument_name(lua_State *L, int arg) {
  lua_Debug call = {0};
  lua_getstack(L, 0, &call);
  lua_getinfo(L, "n", &call);
  bool is_method = strcmp(call.namewhat, "method") == 0;
  if (is_method && arg == 1) return "the matrix itself";
  return lua_pushfstring(L, "argument #%d", is_method ? arg - 1 : arg);
}

void matrix_overlap_error(lua_State *L, int arg, int other) {
  luaL_argerror(L, arg,
                lua_pushfstring(L, "must not share memory with %s: give a copy, M:copy()",
                                argument_name(L, other)));
}

void matrix_check_same(lua_State *L, int arg, const Matrix *a, int other, const Matrix *b) {
  if (a->data != b->data || a->order != b->order || a->rows != b->rows || a->cols != b->cols) {
    luaL_argerror(
      L, arg,
      lua_pushfstring(L, "must be %s itself or share no memory with it", argument_name(L, other)));
  }
}

lua_Number matrix_check_number(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TNUMBER);
  return lua_tonumber(L, arg);
}

real matrix_check_element(lua_State *L, int arg) {
  return real_of(matrix_check_number(L, arg));
}

Order matrix_check_order(lua_State *L, int arg) {
  return (Order)luaL_checkoption(L, arg, order_names[BY_COLUMNS], order_names);
}

static int check_index(lua_State *L, int arg, const char *what, int count) {
  lua_Integer index = luaL_checkinteger(L, arg);
  if (index < 1 || index > count) {
    luaL_argerror(
      L, arg, lua_pushfstring(L, "%s 1 to %d expected, got %I", what, count, (LUAI_UACINT)index));
  }
  return (int)index - 1;
}


/* Copying */

void matrix_copy(Matrix *to, const Matrix *from) {
  if (to->order == from->order) {
    memmove(to->data, from->data, (size_t)matrix_size(to) * sizeof(real));
    return;
  }
  /* Seen by columns, both are transposes of each other; small squares stay in the cache. */
  enum { SIDE = 16 };
  int rows = to->order == BY_COLUMNS ? to->rows : to->cols;
  int cols = to->order == BY_COLUMNS ? to->cols : to->rows;
  for (int top = 0; top < rows; top += SIDE) {
    for (int left = 0; left < cols; left += SIDE) {
      for (int j = left; j < cols && j < left + SIDE; j++) {
        for (int i = top; i < rows && i < top + SIDE; i++) {
          to->data[j * rows + i] = from->data[i * cols + j];
        }
      }
    }
  }
}

const Matrix *matrix_in_order(lua_State *L, const Matrix *m, Order order) {
  if (m->order == order || m->rows == 1 || m->cols == 1) return m;
  Matrix *copy = matrix_new(L, m->rows, m->cols, order);
  matrix_copy(copy, m);
  return copy;
}


/* Bindings */

/* Push row i of the table of rows. */
static void push_row(lua_State *L, lua_Integer i) {
  if (lua_rawgeti(L, 1, i) != LUA_TTABLE) {
    luaL_error(L, "table of rows expected, got a %s as row %I", luaL_typename(L, -1),
               (LUAI_UACINT)i);
  }
}

static Matrix *new_from_table(lua_State *L, Order order) {
  lua_Integer rows = (lua_Integer)lua_rawlen(L, 1);
  luaL_argcheck(L, rows >= 1, 1, "table of rows expected, got an empty table");
  lua_Integer cols = 0;
  for (lua_Integer i = 1; i <= rows; i++) {
    push_row(L, i);
    lua_Integer length = (lua_Integer)lua_rawlen(L, -1);
    if (i == 1) cols = length;
    if (length != cols) {
      luaL_error(L, "rows of one length expected, got %I numbers in row 1 and %I in row %I",
                 (LUAI_UACINT)cols, (LUAI_UACINT)length, (LUAI_UACINT)i);
    }
    lua_pop(L, 1);
  }
  Matrix *m = matrix_new(L, rows, cols, order);
  for (int i = 0; i < m->rows; i++) {
    push_row(L, i + 1);  // a finalizer may have changed the table since
    for (int j = 0; j < m->cols; j++) {
      if (lua_rawgeti(L, -1, j + 1) != LUA_TNUMBER) {
        luaL_error(L, "number expected in row %d, column %d, got %s", i + 1, j + 1,
                   luaL_typename(L, -1));
      }
      m->data[matrix_index(m, i, j)] = real_of(lua_tonumber(L, -1));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return m;
}

/* matrix(rows [, cols [, order]]) --> M; `rows` is a number, or a table of rows and the rest nil */
static int matrix_matrix(lua_State *L) {
  if (lua_istable(L, 1)) {
    new_from_table(L, matrix_check_order(L, 3));
    return 1;
  }
  lua_Integer rows = luaL_checkinteger(L, 1);
  lua_Integer cols = luaL_checkinteger(L, 2);
  Order order = matrix_check_order(L, 3);
  Matrix *m = matrix_new(L, rows, cols, order);
  memset(m->data, 0, (size_t)matrix_size(m) * sizeof(real));
  return 1;
}

/* M:get(i, j) --> x */
static int matrix_get(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  int i = check_index(L, 2, "row", m->rows);
  int j = check_index(L, 3, "column", m->cols);
  lua_pushnumber(L, real_to_number(m->data[matrix_index(m, i, j)]));
  return 1;
}

/* M:set(i, j, x) --> M */
static int matrix_set(lua_State *L) {
  Matrix *m = matrix_check(L, 1);
  int i = check_index(L, 2, "row", m->rows);
  int j = check_index(L, 3, "column", m->cols);
  real x = matrix_check_element(L, 4);
  m->data[matrix_index(m, i, j)] = x;
  lua_settop(L, 1);
  return 1;
}

/* M:shape() --> rows, cols */
static int matrix_shape(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  lua_pushinteger(L, m->rows);
  lua_pushinteger(L, m->cols);
  return 2;
}

/*
** sample_count(X, rows) --> columns of X, or nil where X is no matrix of this core with so many
** rows
*/
static int matrix_sample_count(lua_State *L) {
  const Matrix *X = matrix_test(L, 1);
  lua_Integer rows = luaL_checkinteger(L, 2);
  if (X != NULL && X->rows == rows)
    lua_pushinteger(L, X->cols);
  else
    lua_pushnil(L);
  return 1;
}

/* shares_memory(A, B) --> whether they have an element in common */
static int matrix_shares_memory(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *B = matrix_check(L, 2);
  lua_pushboolean(L, matrix_overlaps(A, B));
  return 1;
}

/* M:columns(first, last) --> view */
static int matrix_columns(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  int first = check_index(L, 2, "column", m->cols);
  int last = check_index(L, 3, "column", m->cols);
  if (last < first) {
    luaL_argerror(
      L, 3, lua_pushfstring(L, "column %d to %d expected, got %d", first + 1, m->cols, last + 1));
  }
  matrix_check_by_columns(L, 1, m);
  new_view(L, 1, first * m->rows, m->rows, last - first + 1, BY_COLUMNS);
  return 1;
}

/* M:view(first, rows, cols [, order]) --> view */
static int matrix_view(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  int first = check_index(L, 2, "element", matrix_size(m));
  lua_Integer rows = luaL_checkinteger(L, 3);
  lua_Integer cols = luaL_checkinteger(L, 4);
  Order order = matrix_check_order(L, 5);
  check_size(L, rows, cols);
  int left = matrix_size(m) - first;
  if (rows * cols > left) {
    return luaL_error(L, "view of at most %d elements from element %d on expected, got %I x %I",
                      left, first + 1, (LUAI_UACINT)rows, (LUAI_UACINT)cols);
  }
  new_view(L, 1, first, (int)rows, (int)cols, order);
  return 1;
}

/* M:copy([order]) --> copy */
static int matrix_copied(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  Order order = matrix_check_order(L, 2);
  matrix_copy(matrix_new(L, m->rows, m->cols, order), m);
  return 1;
}

/* M:transpose() --> transpose */
static int matrix_transpose(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  Matrix seen = matrix_transposed(m);
  matrix_copy(matrix_new(L, seen.rows, seen.cols, BY_COLUMNS), &seen);
  return 1;
}

/* M:assign(B) --> M */
static int matrix_assign(lua_State *L) {
  Matrix *m = matrix_check(L, 1);
  const Matrix *from = matrix_check_shape(L, 2, m->rows, m->cols);
  if (m->order != from->order) matrix_check_distinct(L, 2, from, 1, m);
  matrix_copy(m, from);
  lua_settop(L, 1);
  return 1;
}

/* M:totable() --> table of rows */
static int matrix_totable(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  lua_createtable(L, m->rows, 0);
  for (int i = 0; i < m->rows; i++) {
    lua_createtable(L, m->cols, 0);
    for (int j = 0; j < m->cols; j++) {
      lua_pushnumber(L, real_to_number(m->data[matrix_index(m, i, j)]));
      lua_rawseti(L, -2, j + 1);
    }
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* tostring(M): the shape, then the corner that fits a screen */
static int matrix_tostring(lua_State *L) {
  enum { ROWS = 8, COLS = 8 };
  const Matrix *m = matrix_check(L, 1);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  lua_pushfstring(L, "%d x %d matrix (%s)", m->rows, m->cols, REAL_NAME);
  luaL_addvalue(&text);
  for (int i = 0; i < m->rows && i < ROWS; i++) {
    luaL_addchar(&text, '\n');
    for (int j = 0; j < m->cols && j < COLS; j++) {
      char number[32];
      double x = real_to_number(m->data[matrix_index(m, i, j)]);
      snprintf(number, sizeof number, " %11.5g", x);
      luaL_addstring(&text, number);
    }
    if (m->cols > COLS) luaL_addstring(&text, "  ...");
  }
  if (m->rows > ROWS) luaL_addstring(&text, "\n         ...");
  luaL_pushresult(&text);
  return 1;
}

typedef enum Field { FIELD_ROWS, FIELD_COLS, FIELD_ORDER, FIELD_DTYPE } Field;

static const char *const field_names[] = {"rows", "cols", "order", "dtype"};

/*
** M.rows, M.cols, M.order, M.dtype, and the methods: upvalue 3 holds a Field or a function for each
** name.
*/
static int matrix_field(lua_State *L) {
  const Matrix *m = matrix_check(L, 1);
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  int type = lua_rawget(L, lua_upvalueindex(3));
  if (type == LUA_TNIL) {
    return luaL_error(L, "a matrix has no field '%s'", luaL_tolstring(L, 2, NULL));
  }
  if (type == LUA_TFUNCTION) return 1;
  switch ((Field)lua_tointeger(L, -1)) {
  case FIELD_ROWS:
    lua_pushinteger(L, m->rows);
    break;
  case FIELD_COLS:
    lua_pushinteger(L, m->cols);
    break;
  case FIELD_ORDER:
    lua_pushstring(L, order_names[m->order]);
    break;
  case FIELD_DTYPE:
    lua_pushliteral(L, REAL_NAME);
    break;
  }
  return 1;
}

/* A matrix has no fields to set: M.x = 1 would look like one. */
static int matrix_no_field(lua_State *L) {
  return luaL_error(L, "a matrix has no field '%s' to set; M:set(i, j, x) sets an element",
                    luaL_tolstring(L, 2, NULL));
}

static const luaL_Reg functions[] = {
  {"matrix",        matrix_matrix       },
  {"sample_count",  matrix_sample_count },
  {"shares_memory", matrix_shares_memory},
  {"threads",       pool_threads        },
  {NULL,            NULL                },
};

static const luaL_Reg methods[] = {
  {"assign",    matrix_assign   },
  {"columns",   matrix_columns  },
  {"copy",      matrix_copied   },
  {"get",       matrix_get      },
  {"set",       matrix_set      },
  {"shape",     matrix_shape    },
  {"totable",   matrix_totable  },
  {"t",         matrix_transpose},
  {"transpose", matrix_transpose},
  {"view",      matrix_view     },
  {NULL,        NULL            },
};

static const luaL_Reg metamethods[] = {
  {"__newindex", matrix_no_field},
  {"__tostring", matrix_tostring},
  {NULL,         NULL           },
};

void matrix_register(lua_State *L, const luaL_Reg *list) {
  luaL_getmetatable(L, MATRIX);
  pool_push(L);
  luaL_setfuncs(L, list, 2);
}

void matrix_register_methods(lua_State *L, const luaL_Reg *list) {
  luaL_getmetatable(L, MATRIX);
  lua_getfield(L, -1, "methods");
  matrix_register(L, list);
  lua_pop(L, 2);
}

void matrix_push_closure(lua_State *L, lua_CFunction function) {
  luaL_getmetatable(L, MATRIX);
  pool_push(L);
  lua_rotate(L, -3, -1);
  lua_pushcclosure(L, function, 3);
}

void matrix_open(lua_State *L) {
  luaL_newmetatable(L, MATRIX);
  matrix_register(L, metamethods);
  lua_pushliteral(L, "matrix");
  lua_setfield(L, -2, "__metatable");  // scripts may not change what a matrix is
  lua_pushvalue(L, -1);
  pool_push(L);
  lua_newtable(L);
  for (int field = FIELD_ROWS; field <= FIELD_DTYPE; field++) {
    lua_pushinteger(L, field);
    lua_setfield(L, -2, field_names[field]);
  }
  matrix_register(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "methods");  // for the other files, which add theirs
  lua_pushcclosure(L, matrix_field, 3);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  matrix_register(L, functions);
}
