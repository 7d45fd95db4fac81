/*
** kernels.h - all kernels of an instruction set, whose file includes this after its vectors
** (lanes.h lists what they are) and its numbers. `compute` and `times_vector` are for its TileSet.
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
