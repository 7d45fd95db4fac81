/*
** cells.c - the cells of a table in text, as CSV files have them (RFC 4180): bytes in, columns of a
** matrix out. Bytes come chunk by chunk. A cell counts once its end has come; what is left of a
** chunk is given again, before the next one.
*/
#include <string.h>

#include "cell.h"
#include "decimal.h"
#include "matrix.h"

#define CELLS "perilune.cells." REAL_NAME

enum { MOST_COLUMNS = 1 << 17, MOST_NAMES = 1000, LONGEST_NAME = 200 };

typedef struct Column {
  lua_Integer missing, numbers, codes, dates, words;  // cells of each kind; codes are numbers too
  lua_Integer first_word;                             // the line of it
  lua_Integer names;                                  // in its table
  bool is_full;                                       // no more of them are kept
  double least, most;
} Column;

/*
** One way through a table. Its first user value is a list of tables, one a column, of the names in
** it; the second keeps the markers alive.
*/
typedef struct Cells {
  Dialect dialect;
  bool skips_header;
  lua_Integer line, line_of_row;  // counted from 1
  lua_Integer rows;               // complete ones, without the header
  int column;                     // of the next cell
  int columns;                    // 0: not known
  Column column_of[];
} Cells;

static const char *const faults[] = {
  [RAGGED] = "ragged",       [TOO_WIDE] = "too wide",     [NO_TEXT] = "zero byte",
  [NOT_UTF8] = "utf8",       [NOT_CLOSED] = "not closed", [AFTER_QUOTE] = "after quote",
  [NO_NUMBER] = "no number", [NOT_FINITE] = "not finite", [MORE_ROWS] = "more rows",
};


/* Kernels */

static void advance(Cells *c, Text *t, const Cell *cell) {
  t->at = cell->next;
  c->line += cell->lines;
  c->column++;
  if (!cell->ends_row) return;
  c->column = 0;
  if (c->skips_header)
    c->skips_header = false;
  else
    c->rows++;
}

/* The next cell that is in one of the columns */
static Stop next_cell(Cells *c, Text *t, Cell *cell) {
  for (;;) {
    if (c->column == 0) {
      Stop stop = cell_skip_empty_lines(&c->dialect, t, &c->line);
      if (stop != CELL) return stop;
      c->line_of_row = c->line;
    }
    Stop stop = cell_read(&c->dialect, t, cell);
    if (stop != CELL) return stop;
    if (c->columns == 0) return CELL;
    if (cell->ends_row && c->column + 1 != c->columns) return RAGGED;
    if (c->column < c->columns && !c->skips_header) return CELL;
    advance(c, t, cell);
  }
}

/*
** Count cells, up to one that may be a new name. Numbers may be names too, in a column with words
** or codes.
*/
static Stop count_cells(Cells *c, Text *t, Cell *cell) {
  for (;;) {
    Stop stop = next_cell(c, t, cell);
    if (stop != CELL) return stop;
    Column *column = &c->column_of[c->column];
    if (cell->is_missing) {
      column->missing++;
    } else {
      bool is_number = cell->number.length > 0;
      bool is_first_word = !is_number && column->words == 0;
      if (is_number) {
        column->numbers++;
        column->codes += cell->number.is_code;
      } else {
        column->words++;
        column->dates += cell_is_date(cell);
      }
      if (is_first_word) column->first_word = c->line;
      bool has_names = column->words + column->codes > 0;
      if (is_first_word || (has_names && !column->is_full)) return LOOK;
    }
    advance(c, t, cell);
  }
}

static Stop put_number(Column *column, double number, real *x) {
  *x = (real)number;
  if (!isfinite(*x)) return NOT_FINITE;
  if (number < column->least) column->least = number;
  if (number > column->most) column->most = number;
  return CELL;
}

/*
** Fill the columns of `values`, up to a cell whose label or value Lua knows. plan[k] says what
** column k is: 'n' for numbers, 'c' for categories, anything else for one that is left out. `row`
** is the row of the next cell.
*/
static Stop fill_cells(Cells *c, Text *t, Cell *cell, const Matrix *values, const char *plan,
                       int *row) {
  for (;;) {
    Stop stop = next_cell(c, t, cell);
    if (stop != CELL) return stop;
    if (c->rows >= values->cols) return MORE_ROWS;
    char type = plan[c->column];
    if (c->column == 0) *row = 0;
    if (type == 'n' || type == 'c') {
      real *x = values->data + c->rows * values->rows + *row;
      if (cell->is_missing) {
        *x = (real)NAN;
      } else if (type == 'c' || (cell->number.length > 0 && !cell->number.is_finished)) {
        return LOOK;
      } else if (cell->number.length == 0) {
        return NO_NUMBER;
      } else {
        stop = put_number(&c->column_of[c->column], cell->number.value, x);
        if (stop != CELL) return stop;
      }
      ++*row;
    }
    advance(c, t, cell);
  }
}


/* Bindings */

static Cells *check_self(lua_State *L) {
  return luaL_checkudata(L, 1, CELLS);
}

static Text check_text(lua_State *L) {
  size_t length = 0;
  luaL_checktype(L, 2, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 2, &length);
  return (Text){.at = bytes, .end = bytes + length, .is_last = lua_toboolean(L, 3)};
}

/* Argument `arg`, one byte */
static char check_byte(lua_State *L, int arg) {
  size_t length = 0;
  const char *byte = luaL_checklstring(L, arg, &length);
  luaL_argcheck(L, length == 1 && *byte != 0, arg, "one byte expected");
  return *byte;
}

/* The table at argument 6: texts that stand for a missing cell, copied into one of our own */
static void keep_markers(lua_State *L, Cells *c) {
  lua_newtable(L);
  for (int k = 0; k < c->dialect.markers; k++) {
    if (lua_rawgeti(L, 6, k + 1) != LUA_TSTRING) luaL_argerror(L, 6, "strings expected");
    c->dialect.marker[k] = lua_tolstring(L, -1, &c->dialect.marker_length[k]);
    if (c->dialect.marker_length[k] > 0) c->dialect.bytes[(uint8_t)*c->dialect.marker[k]] |= MARKER;
    lua_rawseti(L, -2, k + 1);
  }
  lua_setiuservalue(L, -2, 2);
}

/* A list of tables for the names of so many columns, left on the stack */
static void push_name_tables(lua_State *L, int columns) {
  lua_createtable(L, columns, 0);
  for (int k = 1; k <= columns; k++) {
    lua_newtable(L);
    lua_rawseti(L, -2, k);
  }
}

/*
** cells(columns, has_header, separator, quote, point, markers) --> c; columns 0: any number;
** quote "": none; markers: texts that stand for a missing cell
*/
static int cells_new(lua_State *L) {
  lua_Integer columns = luaL_checkinteger(L, 1);
  luaL_argcheck(L, columns >= 0 && columns <= MOST_COLUMNS, 1, "number of columns expected");
  char separator = check_byte(L, 3);
  int quote = *luaL_checkstring(L, 4) == 0 ? -1 : (uint8_t)check_byte(L, 4);
  char point = check_byte(L, 5);
  luaL_checktype(L, 6, LUA_TTABLE);
  size_t markers = lua_rawlen(L, 6);
  luaL_argcheck(L, markers <= MOST_MARKERS, 6, "at most 64 markers expected");

  size_t size = sizeof(Cells) + (size_t)columns * sizeof(Column);
  Cells *c = lua_newuserdatauv(L, size, 2);
  memset(c, 0, size);
  luaL_setmetatable(L, CELLS);
  c->dialect.bytes[' '] = c->dialect.bytes['\t'] = BLANK;
  c->dialect.bytes[0] = c->dialect.bytes['\n'] = c->dialect.bytes['\r'] = STOP;
  c->dialect.bytes[(uint8_t)separator] = STOP;
  c->dialect.quote = quote;
  c->dialect.point = point;
  c->skips_header = lua_toboolean(L, 2);
  c->dialect.markers = (int)markers;
  c->line = c->line_of_row = 1;
  c->columns = (int)columns;
  for (int k = 0; k < c->columns; k++) {
    c->column_of[k].least = (double)INFINITY;
    c->column_of[k].most = -(double)INFINITY;
  }
  keep_markers(L, c);
  push_name_tables(L, c->columns);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Push the text of a cell: a doubled quote in it counts once. */
static void push_text(lua_State *L, const Cells *c, const Cell *cell) {
  if (!cell->has_quotes) {
    lua_pushlstring(L, cell->text, cell->length);
    return;
  }
  luaL_Buffer buffer;
  char *to = luaL_buffinitsize(L, &buffer, cell->length);
  size_t length = 0;
  for (size_t k = 0; k < cell->length; k++) {
    to[length++] = cell->text[k];
    if ((uint8_t)cell->text[k] == c->dialect.quote) k++;
  }
  luaL_pushresultsize(&buffer, length);
}

/* The value in the names' table of the column for the cell's text; 0, and both pushed, for none */
static lua_Integer look_up(lua_State *L, const Cells *c, const Cell *cell) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, c->column + 1);
  push_text(L, c, cell);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  lua_Integer known = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (known != 0) lua_pop(L, 3);
  return known;
}

/* Enter the text that look_up has pushed under the given value. */
static void enter(lua_State *L, Column *column, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_rawset(L, -3);
  lua_pop(L, 2);
  column->names++;
}

/*
** What a way through some bytes gives: the place of the first one that is not used up, or nil and a
** fault: its name, line and column (of a ragged row how many cells it has), and the byte or the
** text there.
*/
static int finish(lua_State *L, const Cells *c, const Text *t, Stop stop, const Cell *cell) {
  if (stop == INCOMPLETE || stop == FINISHED) {
    lua_pushinteger(L, t->at - luaL_checkstring(L, 2) + 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, faults[stop]);
  lua_pushinteger(L, stop == RAGGED || stop == TOO_WIDE ? c->line_of_row : c->line);
  lua_pushinteger(L, c->column + 1);
  if (stop == NOT_UTF8 || stop == AFTER_QUOTE)
    lua_pushinteger(L, t->fault);
  else if (stop == NO_NUMBER || stop == NOT_FINITE)
    push_text(L, c, cell);
  else
    lua_pushnil(L);
  return 5;
}

/* Each `run` computes as the processor does by default, and gives the host's state back. */

static Stop run_count(Cells *c, Text *t, Cell *cell) {
  FloatState host = float_state_change(FLOAT_PLAIN);
  Stop stop = count_cells(c, t, cell);
  float_state_change(host);
  return stop;
}

static Stop run_fill(Cells *c, Text *t, Cell *cell, const Matrix *values, const char *plan,
                     int *row) {
  FloatState host = float_state_change(FLOAT_PLAIN);
  Stop stop = fill_cells(c, t, cell, values, plan, row);
  float_state_change(host);
  return stop;
}

/*
** c:count(bytes, is_last) --> the place from which on bytes are left; or nil and a fault. The
** names of a column have the lines on which they came first.
*/
static int cells_count(lua_State *L) {
  Cells *c = check_self(L);
  Text t = check_text(L);
  luaL_argcheck(L, c->columns > 0, 1, "cells of a known number of columns expected");
  Cell cell = {0};
  Stop stop;
  while ((stop = run_count(c, &t, &cell)) == LOOK) {
    Column *column = &c->column_of[c->column];
    bool is_long = cell.length > LONGEST_NAME;
    if (look_up(L, c, &cell) == 0) enter(L, column, c->line);
    column->is_full = is_long || column->names > MOST_NAMES;
    advance(c, &t, &cell);
  }
  return finish(L, c, &t, stop, &cell);
}

/* c:fill(bytes, is_last, values, plan) --> likewise; the names of a column have its labels. */
static int cells_fill(lua_State *L) {
  Cells *c = check_self(L);
  Text t = check_text(L);
  const Matrix *values = matrix_check(L, 4);
  size_t length = 0;
  const char *plan = luaL_checklstring(L, 5, &length);
  int rows = 0;
  for (size_t k = 0; k < length; k++) rows += plan[k] == 'n' || plan[k] == 'c';
  luaL_argcheck(L, length == (size_t)c->columns, 5, "a letter for each column expected");
  matrix_check_size(L, 4, values, rows, values->cols);
  matrix_check_by_columns(L, 4, values);

  int row = 0;
  for (int k = 0; k < c->column; k++) row += plan[k] == 'n' || plan[k] == 'c';
  Cell cell = {0};
  Stop stop;
  while ((stop = run_fill(c, &t, &cell, values, plan, &row)) == LOOK) {
    Column *column = &c->column_of[c->column];
    real *x = values->data + c->rows * values->rows + row;
    if (plan[c->column] == 'n') {
      double number = decimal_finish(L, cell.text, cell.number.length, c->dialect.point);
      FloatState host = float_state_change(FLOAT_PLAIN);
      stop = put_number(column, number, x);
      float_state_change(host);
      if (stop != CELL) break;
    } else {
      lua_Integer label = look_up(L, c, &cell);
      if (label == 0) enter(L, column, label = column->names + 1);
      *x = real_of((double)label);
    }
    row++;
    advance(c, &t, &cell);
  }
  return finish(L, c, &t, stop, &cell);
}

/*
** c:rows(bytes, is_last, most) --> at most so many rows, { line =, kinds =, text, ... }, and no
** more than there are before a fault; nil and the fault where that is in the first. kinds is a list
** of letters: n for a number, w for a word, m for a missing cell.
*/
static int cells_rows(lua_State *L) {
  Cells *c = check_self(L);
  Text t = check_text(L);
  lua_Integer most = luaL_checkinteger(L, 4);
  luaL_argcheck(L, c->columns == 0 && c->column == 0, 1, "cells of new rows expected");
  lua_newtable(L);
  int rows = lua_gettop(L);
  Cell cell = {0};
  Stop stop = CELL;
  while (c->rows < most) {
    FloatState host = float_state_change(FLOAT_PLAIN);
    stop = next_cell(c, &t, &cell);
    float_state_change(host);
    if (stop == CELL && c->column == MOST_COLUMNS) stop = TOO_WIDE;
    if (stop != CELL) break;
    if (c->column == 0) {
      lua_newtable(L);
      lua_pushinteger(L, c->line_of_row);
      lua_setfield(L, -2, "line");
      lua_newtable(L);
    }
    /* On the stack: the row, and its kinds */
    push_text(L, c, &cell);
    lua_rawseti(L, -3, c->column + 1);
    lua_pushstring(L, cell.is_missing ? "m" : cell.number.length > 0 ? "n" : "w");
    lua_rawseti(L, -2, c->column + 1);
    if (cell.ends_row) {
      lua_setfield(L, -2, "kinds");
      lua_rawseti(L, rows, c->rows + 1);
    }
    advance(c, &t, &cell);
  }
  if (stop > LOOK && c->rows == 0) return finish(L, c, &t, stop, &cell);
  lua_settop(L, rows);
  return 1;
}

/* c:column(k) --> what there is to say of column k, and the table of its names */
static int cells_column(lua_State *L) {
  const Cells *c = check_self(L);
  lua_Integer k = luaL_checkinteger(L, 2);
  luaL_argcheck(L, k >= 1 && k <= c->columns, 2, "a column expected");
  const Column *column = &c->column_of[k - 1];
  const struct {
    const char *name;
    lua_Integer count;
  } counts[] = {
    {"missing",    column->missing   },
    {"numbers",    column->numbers   },
    {"codes",      column->codes     },
    {"dates",      column->dates     },
    {"words",      column->words     },
    {"first_word", column->first_word},
    {"names",      column->names     },
  };
  lua_newtable(L);
  for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
    lua_pushinteger(L, counts[j].count);
    lua_setfield(L, -2, counts[j].name);
  }
  lua_pushnumber(L, column->least);
  lua_setfield(L, -2, "least");
  lua_pushnumber(L, column->most);
  lua_setfield(L, -2, "most");
  lua_pushboolean(L, column->is_full);
  lua_setfield(L, -2, "is_full");
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, k);
  lua_remove(L, -2);
  return 2;
}

/* c:place() --> the rows that are complete, the line */
static int cells_place(lua_State *L) {
  const Cells *c = check_self(L);
  lua_pushinteger(L, c->rows);
  lua_pushinteger(L, c->line);
  return 2;
}

static const luaL_Reg functions[] = {
  {"cells", cells_new},
  {NULL,    NULL     },
};

static const luaL_Reg methods[] = {
  {"column", cells_column},
  {"count",  cells_count },
  {"fill",   cells_fill  },
  {"place",  cells_place },
  {"rows",   cells_rows  },
  {NULL,     NULL        },
};

void cells_open(lua_State *L) {
  matrix_register(L, functions);
  luaL_newmetatable(L, CELLS);
  lua_pushliteral(L, "cells");
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  matrix_register(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
