/*
** cell.h - one cell of a table in text, as CSV files have them (RFC 4180). Bytes come chunk by
** chunk, each ended by a zero byte, as Lua's strings are.
*/
#ifndef PERILUNE_CELL_H
#define PERILUNE_CELL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decimal.h"

enum { MOST_MARKERS = 64 };

/* What a byte may be, as bits: part of the blanks around cells, the end of a cell, the beginning of
   a marker */
enum { BLANK = 1, STOP = 2, MARKER = 4 };

/* How cells are separated, quoted and written; markers are texts that stand for a missing cell. */
typedef struct Dialect {
  uint8_t bytes[256];
  int quote;   // -1: none
  char point;  // of decimal numbers
  int markers;
  const char *marker[MOST_MARKERS];
  size_t marker_length[MOST_MARKERS];
} Dialect;

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

/* Bytes that are read, in which `at` goes on */
typedef struct Text {
  const char *at, *end;
  bool is_last;
  uint8_t fault;  // a byte that is not expected
} Text;

/* Read the cell at t->at: CELL, INCOMPLETE or a fault, with which t->fault may be set. */
Stop cell_read(const Dialect *d, Text *t, Cell *cell);

/* Whether it is year, month and day, or day and month in any order and the year, with one sign
   between them, and perhaps a time */
bool cell_is_date(const Cell *cell);

/* Go on behind lines that are empty, or of blanks alone, and count them: CELL, or why not. */
Stop cell_skip_empty_lines(const Dialect *d, Text *t, lua_Integer *line);

#endif
