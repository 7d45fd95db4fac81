/*
** pool_claims.c - how threads divide the pieces of a run.
*/
#include "pool_claims.h"

/*
** The first piece of a thread's share. Shares differ by one piece at most, and none is larger than
** the caller's.
*/
static int first_piece(int count, int thread, int threads) {
  return (int)(((int64_t)count * thread + threads - 1) / threads);
}

/* The caller's own share is the last to be given: the others are on their way meanwhile. */
void claims_give(Share *shares, int threads, uint64_t generation, int from, int count, Task task,
                 void *context) {
  for (int thread = threads - 1; thread >= 0; thread--) {
    Share *share = &shares[thread];
    int first = from + first_piece(count - from, thread, threads);
    int pieces = from + first_piece(count - from, thread + 1, threads) - first;
    atomic_store_explicit(&share->task, task, memory_order_relaxed);
    atomic_store_explicit(&share->context, context, memory_order_relaxed);
    atomic_store_explicit(&share->first, first, memory_order_relaxed);
    atomic_store_explicit(&share->threads, threads, memory_order_relaxed);
    atomic_store_explicit(&share->undone, pieces, memory_order_relaxed);
    atomic_store_explicit(&share->ticket, generation << 32 | (uint32_t)pieces,
                          memory_order_release);
  }
}

static uint64_t generation_of(const Share *share) {
  return atomic_load_explicit(&share->ticket, memory_order_acquire) >> 32;
}

/* Claim the last unclaimed piece of the share and do it; false when this run has none there. */
static bool work_once(Share *share, uint64_t generation, int thread) {
  uint64_t ticket = atomic_load_explicit(&share->ticket, memory_order_acquire);
  while (ticket >> 32 == generation && (ticket & UINT32_MAX) != 0) {
    /* These may be of the next run already; then the ticket has changed, and the claim fails. */
    Task task = atomic_load_explicit(&share->task, memory_order_relaxed);
    void *context = atomic_load_explicit(&share->context, memory_order_relaxed);
    int first = atomic_load_explicit(&share->first, memory_order_relaxed);
    if (atomic_compare_exchange_weak_explicit(&share->ticket, &ticket, ticket - 1,
                                              memory_order_acq_rel, memory_order_acquire)) {
      task(context, first + (int)(ticket & UINT32_MAX) - 1, thread);
      return true;
    }
  }
  return false;
}

/* What was done of a share is told once, at the end, since the caller reads it all the while. */
static int work(Share *share, uint64_t generation, int thread) {
  int pieces = 0;
  while (work_once(share, generation, thread)) pieces++;
  if (pieces > 0) atomic_fetch_sub(&share->undone, pieces);
  return pieces;
}

int claims_work(Share *shares, int thread) {
  Share *own = &shares[thread];
  return work(own, generation_of(own), thread);
}

/* In the run that the thread has a share of: in others it takes no part. */
int claims_help(Share *shares, int thread) {
  uint64_t generation = generation_of(&shares[thread]);
  int threads = atomic_load_explicit(&shares[thread].threads, memory_order_relaxed);
  int pieces = 0;
  for (int k = 1; k < threads; k++) {
    pieces += work(&shares[(thread + k) % threads], generation, thread);
  }
  return pieces;
}

bool claims_are_done(const Share *shares, int threads) {
  for (int thread = 0; thread < threads; thread++) {
    if (atomic_load(&shares[thread].undone) != 0) return false;
  }
  return true;
}
