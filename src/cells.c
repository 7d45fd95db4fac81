/*
** cells.c - the cells of a table in text, as CSV files have them (RFC 4180): bytes in, columns of a
** matrix out. Bytes come chunk by chunk. A cell counts once its end has come; what is left of a
** chunk is given again, before the next one.
*/
#include <string.h>

#include "decimal.h"
#include "matrix.h"

#define CELLS "perilune.cells." REAL_NAME

enum { MOST_COLUMNS = 1 << 17, MOST_MARKERS = 64, MOST_NAMES = 1000, LONGEST_NAME = 200 };

/* What a byte may be, as bits */
enum { BLANK = 1, STOP = 2, MARKER = 4 };

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
  uint8_t bytes[256];
  int quote;  // -1: none
  char point;
  bool skips_header;
  int markers;
  const char *marker[MOST_MARKERS];
  size_t marker_length[MOST_MARKERS];
  lua_Integer line, line_of_row;  // counted from 1
  lua_Integer rows;               // complete ones, without the header
  int column;                     // of the next cell
  int columns;                    // 0: not known
  Column column_of[];
} Cells;

/* A cell without the blanks around it, and what is between its quotes where it has them */
typedef struct Cell {
  const char *text;
  size_t length;
  const char *next;  // where the following one begins
  bool has_quotes;   // doubled ones in it, of which one counts
  bool is_missing;
  bool ends_row;
  lua_Integer lines;  // in it, and ended by it
  Decimal number;     // of length 0 where it is none
} Cell;

/* Why reading stops */
typedef enum Stop {
  CELL,        // not at all
  INCOMPLETE,  // the rest has not come yet
  FINISHED,
  LOOK,    // Lua must look at the cell
  RAGGED,  // this and what follows are faults of the table
  TOO_WIDE,
  NO_TEXT,
  NOT_UTF8,
  NOT_CLOSED,
  AFTER_QUOTE,
  NO_NUMBER,
  NOT_FINITE,
  MORE_ROWS
} Stop;

static const char *const faults[] = {
  [RAGGED] = "ragged",       [TOO_WIDE] = "too wide",     [NO_TEXT] = "zero byte",
  [NOT_UTF8] = "utf8",       [NOT_CLOSED] = "not closed", [AFTER_QUOTE] = "after quote",
  [NO_NUMBER] = "no number", [NOT_FINITE] = "not finite", [MORE_ROWS] = "more rows",
};

/* Bytes that are read, in which `at` goes on */
typedef struct Text {
  const char *at, *end;
  bool is_last;
  uint8_t fault;  // a byte that is not expected
} Text;


/* Kernels: text */

static inline bool is(const Cells *c, char byte, int bit) {
  return (c->bytes[(uint8_t)byte] & bit) != 0;
}

static inline const char *skip_blanks(const Cells *c, const char *p) {
  while (is(c, *p, BLANK)) p++;
  return p;
}

/* Bytes of a character of UTF-8, which has more than one; 0 where there is none. */
static int utf8_length(const uint8_t *s, size_t room) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  int length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4 || room < (size_t)length) return 0;
  uint32_t code = s[0] & (0xFFU >> (length + 1));
  for (int k = 1; k < length; k++) {
    if ((s[k] & 0xC0) != 0x80) return 0;
    code = code << 6 | (s[k] & 0x3F);
  }
  bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < least[length] || code > 0x10FFFF || is_surrogate ? 0 : length;
}

/* The first byte that is not of UTF-8, or is 0; NULL where all are well */
static const char *find_fault(const char *text, size_t length) {
  const uint8_t *s = (const uint8_t *)text;
  for (size_t k = 0; k < length;) {
    int count = s[k] >= 0x80 ? utf8_length(s + k, length - k) : s[k] != 0;
    if (count == 0) return text + k;
    k += (size_t)count;
  }
  return NULL;
}

/* Whole numbers of at most four digits; -1 where none stands at *p */
static int read_whole(const char **p, const char *end, int *digits) {
  int number = 0;
  *digits = 0;
  for (; *p < end && *digits <= 4 && **p >= '0' && **p <= '9'; (*p)++, (*digits)++) {
    number = number * 10 + (**p - '0');
  }
  return *digits == 0 ? -1 : number;
}

/* What may follow a date: nothing, or a blank or T and a time */
static bool is_time(const char *p, const char *end) {
  if (p == end) return true;
  if (*p != ' ' && *p != 'T') return false;
  for (p++; p < end; p++) {
    if (strchr("0123456789:.+-Z", *p) == NULL) return false;
  }
  return p[-1] != 'T' && p[-1] != ' ';
}

/* Year, month and day, or day and month in any order and the year, with one sign between them */
static bool is_date(const char *p, size_t length) {
  const char *end = p + length;
  int number[3];
  int digits[3];
  char sign = 0;
  for (int k = 0; k < 3; k++) {
    number[k] = read_whole(&p, end, &digits[k]);
    if (number[k] < 0) return false;
    if (k == 2) break;
    if (p == end || (*p != '-' && *p != '/' && *p != '.')) return false;
    if (k == 1 && *p != sign) return false;
    sign = *p++;
  }
  bool year_first = digits[0] == 4 && digits[1] <= 2 && digits[2] <= 2;
  bool year_last = digits[0] <= 2 && digits[1] <= 2 && digits[2] == 4;
  if (!year_first && !year_last) return false;
  int one = number[1];
  int other = year_first ? number[2] : number[0];
  return one >= 1 && one <= 31 && other >= 1 && other <= 31 && (one <= 12 || other <= 12) &&
         is_time(p, end);
}

static bool is_marker(const Cells *c, const char *text, size_t length) {
  for (int k = 0; k < c->markers; k++) {
    if (c->marker_length[k] == length && memcmp(c->marker[k], text, length) == 0) return true;
  }
  return false;
}


/* Kernels: one cell */

/*
** After a cell, at `p`: the separator, the end of the line, or of the text. A carriage return may
** stand alone or before a line feed.
*/
static Stop end_cell(const Text *t, const char *p, Cell *cell) {
  cell->next = p + 1;
  cell->ends_row = false;
  if (p == t->end) {
    cell->next = p;
    cell->ends_row = true;
    return t->is_last ? CELL : INCOMPLETE;
  }
  if (*p != '\n' && *p != '\r') return CELL;
  cell->ends_row = true;
  cell->lines++;
  if (*p == '\r') {
    if (p + 1 == t->end && !t->is_last) return INCOMPLETE;
    cell->next += p[1] == '\n';
  }
  return CELL;
}

/* Say of a cell whose text is known what it is. */
static Stop judge(const Cells *c, Text *t, Cell *cell) {
  const char *text = cell->text;
  size_t length = cell->length;
  cell->number.length = 0;
  cell->is_missing = length == 0 || (is(c, *text, MARKER) && is_marker(c, text, length));
  if (cell->is_missing) return CELL;
  Decimal number = decimal_read(text, c->point);
  if (number.length == length) {
    cell->number = number;
    return CELL;
  }
  const char *fault = find_fault(text, length);
  if (fault == NULL) return CELL;
  t->fault = (uint8_t)*fault;
  return t->fault == 0 ? NO_TEXT : NOT_UTF8;
}

/* The text of a cell ends before `p`, and before the blanks there. */
static void set_end(const Cells *c, Cell *cell, const char *p) {
  while (p > cell->text && is(c, p[-1], BLANK)) p--;
  cell->length = (size_t)(p - cell->text);
}

static Stop read_quoted(const Cells *c, Text *t, const char *quote, Cell *cell) {
  const char *p = quote + 1;
  cell->text = p;
  cell->has_quotes = false;
  for (;;) {
    p = memchr(p, c->quote, (size_t)(t->end - p));
    if (p == NULL) return t->is_last ? NOT_CLOSED : INCOMPLETE;
    if ((uint8_t)p[1] != c->quote) break;
    cell->has_quotes = true;
    p += 2;
  }
  cell->lines = 0;
  for (const char *q = cell->text; q < p; q++) cell->lines += *q == '\n';
  const char *after = skip_blanks(c, p + 1);
  t->fault = (uint8_t)*after;
  if (after < t->end && !is(c, *after, STOP)) return AFTER_QUOTE;
  Stop stop = end_cell(t, after, cell);
  if (stop != CELL) return stop;
  cell->text = skip_blanks(c, cell->text);
  set_end(c, cell, p);
  return judge(c, t, cell);
}

static Stop read_plain(const Cells *c, Text *t, const char *text, Cell *cell) {
  const char *p = text;
  while (!is(c, *p, STOP)) p++;
  if (*p == 0 && p < t->end) return NO_TEXT;
  cell->lines = 0;
  Stop stop = end_cell(t, p, cell);
  if (stop != CELL) return stop;
  cell->text = text;
  set_end(c, cell, p);
  return judge(c, t, cell);
}

/* The cell at t->at. A number that no marker looks like is known before its end has been sought. */
static Stop read_cell(const Cells *c, Text *t, Cell *cell) {
  const char *text = skip_blanks(c, t->at);
  if ((uint8_t)*text == c->quote) return read_quoted(c, t, text, cell);
  cell->has_quotes = false;
  if (is(c, *text, MARKER)) return read_plain(c, t, text, cell);
  cell->number = decimal_read(text, c->point);
  const char *after = skip_blanks(c, text + cell->number.length);
  if (cell->number.length == 0 || !is(c, *after, STOP) || (*after == 0 && after < t->end)) {
    return read_plain(c, t, text, cell);
  }
  cell->text = text;
  cell->length = cell->number.length;
  cell->is_missing = false;
  cell->lines = 0;
  return end_cell(t, after, cell);
}


/* Kernels: cell after cell */

/* Go on behind lines that are empty, or of blanks alone. */
static Stop skip_empty_lines(Cells *c, Text *t) {
  for (;;) {
    const char *p = skip_blanks(c, t->at);
    if (p == t->end) return t->is_last ? FINISHED : INCOMPLETE;
    if (*p != '\n' && *p != '\r') return CELL;
    if (*p == '\r' && p + 1 == t->end && !t->is_last) return INCOMPLETE;
    t->at = p + 1 + (*p == '\r' && p[1] == '\n');
    c->line++;
  }
}

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
      Stop stop = skip_empty_lines(c, t);
      if (stop != CELL) return stop;
      c->line_of_row = c->line;
    }
    Stop stop = read_cell(c, t, cell);
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
        column->dates += is_date(cell->text, cell->length);
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
  for (int k = 0; k < c->markers; k++) {
    if (lua_rawgeti(L, 6, k + 1) != LUA_TSTRING) luaL_argerror(L, 6, "strings expected");
    c->marker[k] = lua_tolstring(L, -1, &c->marker_length[k]);
    if (c->marker_length[k] > 0) c->bytes[(uint8_t)*c->marker[k]] |= MARKER;
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
  c->bytes[' '] = c->bytes['\t'] = BLANK;
  c->bytes[0] = c->bytes['\n'] = c->bytes['\r'] = STOP;
  c->bytes[(uint8_t)separator] = STOP;
  c->quote = quote;
  c->point = point;
  c->skips_header = lua_toboolean(L, 2);
  c->markers = (int)markers;
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
    if ((uint8_t)cell->text[k] == c->quote) k++;
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
      double number = decimal_finish(L, cell.text, cell.number.length, c->point);
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
