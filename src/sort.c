/*
** sort.c - numbers in ascending order: of them medians, quartiles and quantiles are read.
*/
#include <string.h>

#include "matrix.h"
#include "vector.h"

#define DIGITS (1 << 8)  // a byte of a key

/*
** Without their signs the bits of reals are in the order of their magnitudes; with them negative
** ones are in the opposite order. NaN comes last, whatever its sign.
*/
static RealBits ascending_key(real x) {
  const RealBits sign = (RealBits)1 << (8 * sizeof(RealBits) - 1);
  RealView view = {.value = x};
  if (x != x) return ~(RealBits)0;
  return (view.bits & sign) != 0 ? ~view.bits : view.bits | sign;
}

/*
** Radix sort from the lowest byte on: in linear time, with no comparison to mispredict. A byte that
** is the same in all keys is passed over. The numbers go to and fro between x and `spare`; where
** they end is returned.
*/
static const real *sort(int count, real *x, real *spare) {
  for (unsigned shift = 0; shift < 8 * sizeof(RealBits); shift += 8) {
    int places[DIGITS] = {0};
    for (int k = 0; k < count; k++) places[(ascending_key(x[k]) >> shift) % DIGITS]++;
    if (places[(ascending_key(x[0]) >> shift) % DIGITS] == count) continue;
    for (int digit = 0, place = 0; digit < DIGITS; digit++) {
      int numbers = places[digit];
      places[digit] = place;
      place += numbers;
    }
    for (int k = 0; k < count; k++) spare[places[(ascending_key(x[k]) >> shift) % DIGITS]++] = x[k];
    real *sorted = spare;
    spare = x;
    x = sorted;
  }
  return x;
}

/* sort(x) --> x, its elements ascending in the order in which they are stored, NaN last */
static int sort_ascending(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  size_t bytes = (size_t)matrix_size(M) * sizeof(real);
  real *spare = lua_newuserdatauv(L, bytes, 0);

  const real *sorted = sort(matrix_size(M), M->data, spare);
  if (sorted != M->data) memcpy(M->data, sorted, bytes);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"sort", sort_ascending},
  {NULL,   NULL          },
};

void sort_open(lua_State *L) {
  matrix_register(L, functions);
}
