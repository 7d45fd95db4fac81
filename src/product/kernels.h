/*
** kernels.h - all kernels of an instruction set, whose file includes this after its vectors
** (lanes.h lists what they are) and its numbers. `compute` and `times_vector` are for its TileSet.
*/
#ifndef PERILUNE_KERNELS_H
#define PERILUNE_KERNELS_H

#include "product/columns.h"
#include "product/dots.h"
#include "product/panels.h"
#include "product/rows.h"

static void compute(const BlockProduct *p) {
  if (panels_pay(p->m, p->n, p->k, p->transposeA))
    compute_panels(p);
  else if (p->transposeA)
    compute_dots(p);
  else
    compute_columns(p);
}

#endif
