/*
** decimal.h - decimal numbers in text, with the double that is nearest to each: whatever the
** locale says of decimal points.
*/
#ifndef PERILUNE_DECIMAL_H
#define PERILUNE_DECIMAL_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#define DECIMAL_LONGEST 200  // bytes of a number: as many as Lua converts in every locale

typedef struct Decimal {
  size_t length;     // in bytes; 0: no number stands there
  bool is_code;      // a whole number with a leading zero, as codes have: 007
  bool is_finished;  // `value` is there; otherwise decimal_finish gives it
  double value;
} Decimal;

/*
** The number that begins with the byte `text`: a sign, digits with or without a `point`, an
** exponent. Bytes that are no part of a number must end the text, as the zero byte behind Lua's
** strings does. The processor must round to nearest.
*/
Decimal decimal_read(const char *text, char point);

/* The value of a number that decimal_read has left. Uses three slots of Lua's stack. */
double decimal_finish(lua_State *L, const char *text, size_t length, char point);

#endif
