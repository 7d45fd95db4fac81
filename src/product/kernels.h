/*
** kernels.h - all kernels of an instruction set, whose file includes this after its vectors
** (lanes.h lists what they are) and its numbers, each with its reason there. `scratch`, `compute`
** and `times_vector` are for its TileSet. The numbers:
**
**   DOT_ROWS, DOT_COLS                  the largest tile of dot products: at most 4 x 6
**   DOT_DEPTH, DOT_BAND                 inner elements, and rows of A, in one go (dots.h)
**   COLUMN_ROWS, COLUMN_COLS            the largest tile of columns: at most 4 vectors of rows, x 6
**   COLUMN_DEPTH, COLUMN_BAND           inner elements, and rows of A, in one go (columns.h)
**   MASKS_COST                          whether whole vectors have a loop without masks
**   UNROLL_INNER                        a pragma, or nothing, before the inner loop of columns.h
**   STREAMS                             rows read side by side in rows.h: at most 4
**   MIN_ROWS, MIN_COLUMNS,
**   SHORT_FOR_COLUMN, VERY_SHORT,
**   MIN_ROWS_FOR_VERY_SHORT             where panels pay (panels.h)
**   PANEL_BYTES, SLAB_ROWS, SLAB_COLS   sizes of a panel, and of what it is taken from
**   PREFETCHES_NEXT_PANEL,
**   FETCH_LOCALITY                      whether the next panel is fetched, and to which cache
**   COPIES_TRANSPOSED_B, MIN_COPY_ROWS,
**   COPY_DEPTH, COPY_COLS               whether panels.h copies rows of B: from where on, how many
**   PACKS, MIN_PACKED_ROWS,
**   MIN_PACKED_BYTES                    whether packed.h copies B, and from where on
**   PACKED_BYTES, PACKED_LINES          the copy's size, and how many rows of B it takes at a time
*/
#ifndef PERILUNE_KERNELS_H
#define PERILUNE_KERNELS_H

#include "product/columns.h"
#include "product/dots.h"
#include "product/packed.h"
#include "product/panels.h"
#include "product/rows.h"

static size_t scratch(int m, int n, int k, bool transposeA) {
  bool needs = panels_pay(m, n, k, transposeA) && packs_pay(m, n, k);
  return needs ? PACKED_BYTES : 0;
}

static void compute(const BlockProduct *p, real *packed) {
  if (panels_pay(p->m, p->n, p->k, p->transposeA)) {
    if (packed != NULL && packs_pay(p->m, p->n, p->k))
      compute_packed(p, packed);
    else
      compute_panels(p);
  } else if (p->transposeA) {
    compute_dots(p);
  } else {
    compute_columns(p);
  }
}

#endif
