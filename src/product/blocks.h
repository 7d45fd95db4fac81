/*
** blocks.h - how the result of a product is cut into blocks, each of which one thread computes.
*/
#ifndef PERILUNE_BLOCKS_H
#define PERILUNE_BLOCKS_H

#include <stdbool.h>

#include "product/product.h"
#include "product/tiles.h"

/* The blocks of C, m x n: all of the same size, but for those at its lower and right edge */
typedef struct Blocks {
  int m;
  int n;
  int rows;
  int cols;
  int down;              // how many
  int across;            // how many
  bool shares_are_rows;  // a thread's share of the blocks is rows of C; else columns
} Blocks;

/*
** Cut C, m x n, of a product with the inner dimension k. `rows_first`: the layer's units are the
** rows of C; else they are its columns. `tiles` are those that multiply, or NULL. Shapes alone
** decide, never the number of threads.
*/
Blocks blocks_cut(int m, int n, int k, bool rows_first, const TileSet *tiles);

static inline int blocks_count(const Blocks *blocks) {
  return blocks->down * blocks->across;
}

/* The block of this number, from 0. */
Block blocks_at(const Blocks *blocks, int index);

#endif
