/*
** pool.h - one pool of threads for a Lua state, which both element types use. The thread that calls
** pool_run works with the others. Each thread does the same share of the pieces in every run, so
** that what it wrote in one is in its cache in the next, and helps those that are far behind.
** Pieces are claimed one by one: a thread that the system has put aside delays nobody, and in a
** forked child, where the other threads are gone, the caller does them all.
*/
#ifndef PERILUNE_POOL_H
#define PERILUNE_POOL_H

#include <lua.h>
#include <stdbool.h>

#include "blas.h"

/*
** Elements in a piece of an elementwise operation: enough to be worth a second thread, few enough
** for the cache
*/
#define POOL_GRAIN 32768

#define CACHE_LINE 64  // bytes

typedef struct Pool Pool;

/*
** Do the piece of this number. The pieces of one run must not write to the same memory. `thread`
** is the one that does it, 0 for the caller: what it may use as memory of its own, and what no
** result may depend on.
*/
typedef void (*Task)(void *context, int index, int thread);

/* Do the piece that is elements (or rows, or columns) first..last-1. */
typedef void (*RangeTask)(void *context, int first, int last);

/* Push the state's pool, made on first use. */
void pool_push(lua_State *L);

/*
** Run: call task(context, index, thread) for each piece, index = 0..count-1, in any order, on at
** most `threads` threads and as many as are set, and return when all are done. Who calls this cuts
** the operation into pieces, and must do so by shapes alone: then results do not depend on the
** number of threads. How many of them pay is for him to say as well: a thread must find so much to
** do that it is worth telling it, for which a microsecond or two go by. Tasks run with denormals
** flushed to zero and default rounding; afterwards the caller's floating-point state is as it was.
*/
void pool_run(Pool *pool, int count, int threads, Task task, void *context);

/*
** Call task(context, first, last) for pieces of about `grain` elements that together are 0..n-1:
** pool_run for whatever is cut along elements, rows or columns. All pieces but the last have
** pool_piece(n, grain) elements.
*/
void pool_run_range(Pool *pool, int n, int grain, RangeTask task, void *context);

/*
** How many elements pool_run_range puts into each piece but the last, which may have fewer. It
** depends on n and grain alone, never on the number of threads.
*/
int pool_piece(int n, int grain);

/* The grain where whole lines are counted, rows or columns, each of `length` elements */
static inline int pool_lines(int length) {
  return POOL_GRAIN / length + 1;
}

/* Raise unless OpenBLAS can be called by each thread of the pool; loads it if need be. */
void pool_check_blas(lua_State *L, Pool *pool);

/* What the last pool_check_blas found, or NULL */
const Blas *pool_blas(const Pool *pool);

/*
** Let each thread have as many bytes of memory, which last until the number of threads is set anew:
** for tasks that need more than their stacks offer. Raises when there is no memory.
*/
void pool_reserve_scratch(lua_State *L, Pool *pool, size_t bytes);

/* The memory of this thread, which begins where a cache line does; NULL where none was reserved */
void *pool_scratch(const Pool *pool, int thread);

/* threads([n]) --> n */
int pool_threads(lua_State *L);

#endif
