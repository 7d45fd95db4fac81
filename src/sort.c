/*
** sort.c - numbers in ascending order, in place: of them medians, quartiles and quantiles are read.
*/
#include "matrix.h"

/* Whether a comes before b: NaN comes last. */
static bool is_before(real a, real b) {
  return a < b || (a == a && b != b);
}

/* Put x into the heap of n elements below `top`, whose largest element comes first. */
static void sift(real *heap, int n, int top, real x) {
  int child;
  while ((child = 2 * top + 1) < n) {
    if (child + 1 < n && is_before(heap[child], heap[child + 1])) child++;
    if (!is_before(x, heap[child])) break;
    heap[top] = heap[child];
    top = child;
  }
  heap[top] = x;
}

/* sort(x) --> x, its elements ascending in the order in which they are stored, NaN last */
static int sort_ascending(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  real *x = M->data;
  int n = matrix_size(M);
  for (int top = n / 2 - 1; top >= 0; top--) sift(x, n, top, x[top]);
  for (int last = n - 1; last > 0; last--) {
    real largest = x[0];
    sift(x, last, 0, x[last]);
    x[last] = largest;
  }
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
