/*
** lanes.h - vectors for the kernels that are written by hand. The compiler's vector types are used,
** because how many sums are kept in registers at once is what matters, and that is not left to a
** vectoriser. Included by the file of an instruction set, which has defined
**
**   LANES_BYTES    the width of a vector
**   TARGET         the attribute with which functions are compiled for the instruction set
**
** and then adds, in its own instructions, what the kernels need beside this:
**
**   Mask                         some lanes of a vector
**   lanes_first(count)           the mask of the first `count` lanes
**   lanes_load_masked(mask, x)   a vector; lanes not in the mask are 0, their memory is not touched
**   lanes_store_masked(x, mask, v)   the same: no memory but that of the mask is touched
**   lanes_transpose(v)           of LANES vectors, in place
**   lanes_sums(a, b, c, d)       the sum of each of four vectors, as a Four
*/
#ifndef PERILUNE_LANES_H
#define PERILUNE_LANES_H

#include <string.h>

#include "real.h"

enum { LANES = LANES_BYTES / sizeof(real) };

typedef real Lanes __attribute__((vector_size(LANES_BYTES)));
typedef real Four __attribute__((vector_size(4 * sizeof(real))));

/* Arrays of vectors are registers only where the loops over them are unrolled. */
#define UNROLL       _Pragma("GCC unroll 8")
#define UNROLL_LANES _Pragma("GCC unroll 16")
#define INLINE       TARGET static inline __attribute__((always_inline))

INLINE Lanes lanes_load(const real *x) {
  Lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

INLINE void lanes_store(real *x, Lanes v) {
  memcpy(x, &v, sizeof v);
}

#endif
