/*
** blocks.c - how the result of a product is cut into blocks.
*/
#include "product/blocks.h"

/* Kernels work on so many rows or columns at once: the sizes of blocks are multiples of it. */
#define BLOCK_EDGE 16

/* Blocks of a product by OpenBLAS or by loops, at most. For tiles: most_blocks in tiles.h. */
#define MAX_BLOCKS 4

/* A C of this many elements or more leaves the caches before the next step comes to it again. */
#define LARGE (1 << 20)

/*
** Blocks of a C of this many elements or more keep LEAST_HUGE_ROWS, because the more rows they have
** the more often a copy of B is read (packed.h).
*/
#define HUGE (1 << 22)

/*
** In tiles `cut` prefers to halve the units of C. It does so as long as each half keeps at least so
** many rows, or columns; tiles.h says how many columns where C is not LARGE.
*/
#define LEAST_ROWS       128
#define LEAST_LARGE_COLS 512
#define LEAST_HUGE_ROWS  512

/* Multiplications in the smallest block: with fewer a second thread costs more than it brings. */
#define MIN_VOLUME        (1 << 20)
#define MIN_VECTOR_VOLUME (1 << 17)

/*
** Beyond `most` blocks the smallest has so many, some 20 ms: for more processors than that, where
** copying the operands once more for each block is of no account.
*/
#define LARGE_VOLUME 0x1p31

static int round_up(int n, int multiple) {
  return n > multiple ? (n + multiple - 1) / multiple * multiple : multiple;
}

static int div_up(int n, int by) {
  return (n - 1) / by + 1;
}

/*
** Cut C into blocks: in two, these in two, and so on, until there are as many as pay, or half a
** block would be too little for a thread. Shapes alone decide, never the number of threads.
**
** What is cut in two, rows or columns?
** - OpenBLAS copies the operands of each block. Near-square blocks have the least to copy: so the
**   longer side of a block is cut.
** - Tiles read the operands where they are, and the problem is another: what one processor has
**   written is slow to read for the others. So C is cut along the units of the layer, which are the
**   rows of Z and Delta and the columns of dJ/dW (in the order that W is stored in). Then a thread
**   reads and writes the same units of W, of its gradient and of what the optimiser keeps for it in
**   every step, and has them in its cache. Where there are too few units left for that, the longer
**   side is cut.
** - No cache holds a thread's share of a LARGE C from one step to the next. Its columns are then
**   preferred only down to LEAST_LARGE_COLS, so that blocks are nearer to squares, which read less
**   of the operands.
**
** Which side has the units? That of dJ/dW = H A^t, the one product whose B is transposed, is its
** columns; of Z and Delta it is the rows.
**
** How are the blocks numbered? A thread's share is blocks with neighbouring numbers. They are
** numbered so that a share is some of the units, with all that the other side has. The exception is
** a Z or Delta with at least twice as many samples (n) as units (m): there a share is some of the
** samples, with all units, because a thread then reads in the next layer the samples that it has
** written in this one.
*/
Blocks blocks_cut(int m, int n, int k, bool rows_first, const TileSet *tiles) {
  int rows = m;
  int cols = n;
  bool is_vector = m == 1 || n == 1;
  int most = tiles ? tiles->most_blocks : MAX_BLOCKS;
  int least_rows = m * n < HUGE ? LEAST_ROWS : LEAST_HUGE_ROWS;
  int least_cols = tiles && m * n < LARGE ? tiles->least_cols : LEAST_LARGE_COLS;
  double smallest = is_vector ? MIN_VECTOR_VOLUME : MIN_VOLUME;
  double volume = (double)m * n * k;
  for (int blocks = 1; volume >= 2 * blocks * (blocks < most ? smallest : LARGE_VOLUME);
       blocks *= 2) {
    bool is_first_cut = tiles && (rows_first ? rows >= 2 * least_rows : cols >= 2 * least_cols);
    if (is_first_cut ? rows_first : rows >= cols)
      rows = round_up(div_up(rows, 2), BLOCK_EDGE);
    else
      cols = round_up(div_up(cols, 2), BLOCK_EDGE);
  }
  Blocks blocks = {.m = m, .n = n, .rows = rows, .cols = cols};
  blocks.down = div_up(m, rows);
  blocks.across = div_up(n, cols);
  blocks.shares_are_rows = rows_first && n / 2 < m;
  return blocks;
}

Block blocks_at(const Blocks *blocks, int index) {
  int down = blocks->shares_are_rows ? index / blocks->across : index % blocks->down;
  int across = blocks->shares_are_rows ? index % blocks->across : index / blocks->down;
  int row = down * blocks->rows;
  int col = across * blocks->cols;
  int rows = blocks->m - row < blocks->rows ? blocks->m - row : blocks->rows;
  int cols = blocks->n - col < blocks->cols ? blocks->n - col : blocks->cols;
  return (Block){row, col, rows, cols};
}
