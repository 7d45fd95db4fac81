/*
** cell.c - one cell of a table in text: where it ends, and what it is.
*/
#include "cell.h"

#include <string.h>


/* Text */

static inline bool is(const Dialect *d, char byte, int bit) {
  return (d->bytes[(uint8_t)byte] & bit) != 0;
}

static inline const char *skip_blanks(const Dialect *d, const char *p) {
  while (is(d, *p, BLANK)) p++;
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

static bool is_marker(const Dialect *d, const char *text, size_t length) {
  for (int k = 0; k < d->markers; k++) {
    if (d->marker_length[k] == length && memcmp(d->marker[k], text, length) == 0) return true;
  }
  return false;
}


/* Dates */

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

bool cell_is_date(const Cell *cell) {
  const char *p = cell->text;
  const char *end = p + cell->length;
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


/* One cell */

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
static Stop judge(const Dialect *d, Text *t, Cell *cell) {
  const char *text = cell->text;
  size_t length = cell->length;
  cell->number.length = 0;
  cell->is_missing = length == 0 || (is(d, *text, MARKER) && is_marker(d, text, length));
  if (cell->is_missing) return CELL;
  Decimal number = decimal_read(text, d->point);
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
static void set_end(const Dialect *d, Cell *cell, const char *p) {
  while (p > cell->text && is(d, p[-1], BLANK)) p--;
  cell->length = (size_t)(p - cell->text);
}

static Stop read_quoted(const Dialect *d, Text *t, const char *quote, Cell *cell) {
  const char *p = quote + 1;
  cell->text = p;
  cell->has_quotes = false;
  for (;;) {
    p = memchr(p, d->quote, (size_t)(t->end - p));
    if (p == NULL) return t->is_last ? NOT_CLOSED : INCOMPLETE;
    if ((uint8_t)p[1] != d->quote) break;
    cell->has_quotes = true;
    p += 2;
  }
  cell->lines = 0;
  for (const char *q = cell->text; q < p; q++) cell->lines += *q == '\n';
  const char *after = skip_blanks(d, p + 1);
  t->fault = (uint8_t)*after;
  if (after < t->end && !is(d, *after, STOP)) return AFTER_QUOTE;
  Stop stop = end_cell(t, after, cell);
  if (stop != CELL) return stop;
  cell->text = skip_blanks(d, cell->text);
  set_end(d, cell, p);
  return judge(d, t, cell);
}

static Stop read_plain(const Dialect *d, Text *t, const char *text, Cell *cell) {
  const char *p = text;
  while (!is(d, *p, STOP)) p++;
  if (*p == 0 && p < t->end) return NO_TEXT;
  cell->lines = 0;
  Stop stop = end_cell(t, p, cell);
  if (stop != CELL) return stop;
  cell->text = text;
  set_end(d, cell, p);
  return judge(d, t, cell);
}

/* A number that no marker looks like is known before its end has been sought. */
Stop cell_read(const Dialect *d, Text *t, Cell *cell) {
  const char *text = skip_blanks(d, t->at);
  if ((uint8_t)*text == d->quote) return read_quoted(d, t, text, cell);
  cell->has_quotes = false;
  if (is(d, *text, MARKER)) return read_plain(d, t, text, cell);
  cell->number = decimal_read(text, d->point);
  const char *after = skip_blanks(d, text + cell->number.length);
  if (cell->number.length == 0 || !is(d, *after, STOP) || (*after == 0 && after < t->end)) {
    return read_plain(d, t, text, cell);
  }
  cell->text = text;
  cell->length = cell->number.length;
  cell->is_missing = false;
  cell->lines = 0;
  return end_cell(t, after, cell);
}

Stop cell_skip_empty_lines(const Dialect *d, Text *t, lua_Integer *line) {
  for (;;) {
    const char *p = skip_blanks(d, t->at);
    if (p == t->end) return t->is_last ? FINISHED : INCOMPLETE;
    if (*p != '\n' && *p != '\r') return CELL;
    if (*p == '\r' && p + 1 == t->end && !t->is_last) return INCOMPLETE;
    t->at = p + 1 + (*p == '\r' && p[1] == '\n');
    ++*line;
  }
}
