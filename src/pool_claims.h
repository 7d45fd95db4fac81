/*
** pool_claims.h - how threads divide the pieces of a run.
**
** Each thread that takes part has a share of the pieces: neighbours, and the same ones in every run
** of so many pieces and threads, so that it finds in its cache what it wrote in the run before. A
** thread does its own share first. When the others are not done soon after, it helps with theirs.
** Before it does a piece it claims it; then no other thread can.
*/
#ifndef PERILUNE_POOL_CLAIMS_H
#define PERILUNE_POOL_CLAIMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/*
** The share of one thread in the run: all that the thread and the caller tell each other. It lies
** in one cache line, because a cache line that another processor has written takes as long to read
** as a small piece takes to do.
*/
typedef struct Share {
  /*
  ** Which run this is and how many pieces of the share are unclaimed, generation << 32 | pieces. In
  ** one word, so that no thread claims a piece of another run than it looked at: when a new run
  ** has begun the word is another, and the claim fails.
  */
  atomic_uint_least64_t ticket;
  _Atomic(Task) task;
  _Atomic(void *) context;
  atomic_int first;    // number of the share's first piece
  atomic_int threads;  // that have a share in the run
  atomic_int undone;   // pieces of the share that nobody has done yet
  // cppcheck-suppress unusedStructMember
  char rest[CACHE_LINE - sizeof(uint64_t) - 2 * sizeof(void *) - 3 * sizeof(int)];
} Share;

/* Whether a piece of the share can be claimed */
static inline bool claims_are_left(const Share *share) {
  return (atomic_load_explicit(&share->ticket, memory_order_acquire) & UINT32_MAX) != 0;
}

/*
** Give pieces from..count-1 of run number `generation` to the shares of `threads` threads, not more
** than there are pieces. All pieces of the run before must be done.
*/
void claims_give(Share *shares, int threads, uint64_t generation, int from, int count, Task task,
                 void *context);

/* Do the pieces of the thread's own share that are unclaimed; returns how many. */
int claims_work(Share *shares, int thread);

/* The same for the shares of the other threads that take part */
int claims_help(Share *shares, int thread);

/* Whether all pieces of a run of so many threads are done */
bool claims_are_done(const Share *shares, int threads);

#endif
