/*
** decimal.c - decimal numbers in text. A number is the whole number of its digits, m, times 10^e.
** Three ways lead to the nearest double, from the fastest to the one that takes all numbers.
*/
#include "decimal.h"

#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 Wide;

#define MOST_DIGITS   19  // of any that make a number below 2^64
#define MOST_EXPONENT 9999

/* All are exact. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

enum { LAST_POWER = 22, LAST_WHOLE_POWER = 19 };

static inline bool is_digit(char c) {
  return (unsigned char)(c - '0') < 10;
}

/* The digits from `p` on, as further digits of *m, which wraps around where they are too many */
static inline const char *read_digits(const char *p, uint64_t *m) {
  for (; is_digit(*p); p++) *m = *m * 10 + (uint64_t)(*p - '0');
  return p;
}

/* Digits from the first that is not 0 on, the point not counted */
static int significant_digits(const char *first, const char *last) {
  while (first < last && !(*first >= '1' && *first <= '9')) first++;
  int count = 0;
  for (; first < last; first++) count += is_digit(*first);
  return count;
}

/*
** m 10^e with whole numbers of 128 bits. For e < 0 the quotient has 64 bits or more; its last one
** is set where the division leaves a rest, so that rounding knows of it.
*/
static double by_whole_numbers(uint64_t m, int e) {
  Wide power = 1;
  for (int k = 0; k < (e < 0 ? -e : e); k++) power *= 10;
  if (e >= 0) return (double)((Wide)m * power);
  int shift = 64 + __builtin_clzll(m);
  Wide dividend = (Wide)m << shift;
  Wide quotient = dividend / power;
  quotient |= (Wide)(quotient * power != dividend);
  return ldexp((double)quotient, -shift);
}

/* m 10^e, if there is a way; m has at most MOST_DIGITS digits. */
static bool convert(uint64_t m, int e, double *value) {
  if (m <= (uint64_t)1 << 53 && e >= -LAST_POWER && e <= LAST_POWER) {
    /* Both are exact, so that one operation gives the nearest (Clinger 1990). */
    *value = e < 0 ? (double)m / powers[-e] : (double)m * powers[e];
    return true;
  }
  if (m == 0) {
    *value = 0;
    return true;
  }
  if (e < -LAST_WHOLE_POWER || e > LAST_WHOLE_POWER) return false;
  *value = by_whole_numbers(m, e);
  return true;
}

/* What follows digits: the end of an exponent, which is *e, or p itself where there is none */
static const char *read_exponent(const char *p, int *e) {
  const char *q = p + 1;
  if (*p != 'e' && *p != 'E') return p;
  bool is_negative = *q == '-';
  if (*q == '-' || *q == '+') q++;
  if (!is_digit(*q)) return p;
  for (; is_digit(*q); q++) {
    if (*e < MOST_EXPONENT) *e = *e * 10 + (*q - '0');
  }
  if (is_negative) *e = -*e;
  return q;
}

Decimal decimal_read(const char *text, char point) {
  Decimal d = {0};
  const char *first = text + (*text == '-' || *text == '+');
  uint64_t m = 0;
  const char *p = read_digits(first, &m);
  long whole = p - first;
  long decimals = 0;
  if (*p == point) {
    const char *after = p + 1;
    p = read_digits(after, &m);
    decimals = p - after;
    if (whole == 0 && decimals == 0) return d;
  } else if (whole == 0) {
    return d;
  }
  const char *last = p;
  int exponent = 0;
  p = read_exponent(p, &exponent);
  if (p - text > DECIMAL_LONGEST) return d;

  d.length = (size_t)(p - text);
  d.is_code = whole > 1 && *first == '0' && first + whole == p;
  bool fits = whole + decimals <= MOST_DIGITS || significant_digits(first, last) <= MOST_DIGITS;
  d.is_finished = fits && convert(m, exponent - (int)decimals, &d.value);
  if (*text == '-') d.value = -d.value;
  return d;
}

double decimal_finish(lua_State *L, const char *text, size_t length, char point) {
  char number[DECIMAL_LONGEST + 1];
  memcpy(number, text, length);
  number[length] = 0;
  char *mark = memchr(number, point, length);
  if (mark != NULL) *mark = '.';
  fenv_t host;  // the C library looks at more than float_state.h knows of
  feholdexcept(&host);
  fesetround(FE_TONEAREST);
  lua_stringtonumber(L, number);
  double value = lua_tonumber(L, -1);
  fesetenv(&host);
  lua_pop(L, 1);
  return value;
}
