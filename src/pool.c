/*
** pool.c - the threads of a Lua state, and how they divide what there is to do.
**
** One operation, such as a product, is a run. It comes as pieces, numbered from 0, that can be done
** in any order; to do a piece is to call the run's task once. Each thread, the one that called us
** included (the caller), has a share of the pieces: neighbours, and the same ones in every run of
** so many pieces, so that it finds in its cache what it wrote in the run before. A thread does its
** own share first and then helps with those of the others. Before it does a piece it claims it;
** then no other thread can.
**
** The caller starts a run by writing each share's ticket, and knows that the run is finished when
** the counts of pieces that the threads have done add up to all that were ever given.
*/
#include "pool.h"

#include <lauxlib.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "float_state.h"
#include "trial.h"

#define POOL        "perilune.pool"
#define MAX_THREADS 256

/* Elements of the widest vectors: pieces begin where vectors begin. */
#define VECTOR 16

/*
** How often a thread that waits looks again before it goes to sleep: for some tens of microseconds.
** Within a training step the next run comes sooner than that; and waking a sleeping thread takes
** longer than a short run.
*/
#define SPINS 2000

typedef struct Worker {
  pthread_t id;
  Pool *pool;
  int thread;
} Worker;

/*
** The share of one thread in the run, and what the thread has done: all that it and the caller tell
** each other. It lies in one cache line, because a cache line that another processor has written
** takes as long to read as a small piece takes to do.
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
  atomic_int first;  // number of the share's first piece
  atomic_uint done;  // how many pieces the thread has done, of any share, in all runs
  // cppcheck-suppress unusedStructMember
  char rest[CACHE_LINE - sizeof(uint64_t) - 2 * sizeof(void *) - 2 * sizeof(int)];
} Share;

struct Pool {
  Share *shares;        // the caller's first
  atomic_int threads;   // the caller included
  atomic_int sleepers;  // workers that are asleep
  atomic_bool caller_sleeps;
  atomic_bool stopping;
  pthread_mutex_t mutex;
  pthread_cond_t work;     // a run has begun, for workers that are asleep
  pthread_cond_t done;     // pieces have been done, for a caller that is
  char apart[CACHE_LINE];  // between what workers read, above, and what the caller writes each run
  uint64_t generation;     // number of the run
  unsigned given;          // pieces, in all runs
  Trial trial;             // whether the threads help just now
  pid_t owner;             // process that started the threads: in a forked child they are not there
  const Blas *blas;        // NULL until the first product that needs it
  bool blas_checked;       // for this number of threads
  bool closed;             // finalised: nothing would end threads started now
  Worker workers[MAX_THREADS - 1];
  /* for the shares, which begin where a cache line does */
  char room[(MAX_THREADS + 1) * CACHE_LINE];
};


static void pause_briefly(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#else
  sched_yield();
#endif
}


/* Claims */

static int unclaimed(const Share *share) {
  return (int)(atomic_load_explicit(&share->ticket, memory_order_acquire) & UINT32_MAX);
}

/*
** The first piece of a thread's share. Shares differ by one piece at most, and none is larger than
** the caller's.
*/
static int first_piece(int count, int thread, int threads) {
  return (int)(((int64_t)count * thread + threads - 1) / threads);
}

/* Claim the last unclaimed piece of the share and do it; false when there is none. */
static bool work_once(Share *share) {
  uint64_t ticket = atomic_load_explicit(&share->ticket, memory_order_acquire);
  while (ticket & UINT32_MAX) {
    /* These may be of the next run already; then the ticket has changed, and the claim fails. */
    Task task = atomic_load_explicit(&share->task, memory_order_relaxed);
    void *context = atomic_load_explicit(&share->context, memory_order_relaxed);
    int first = atomic_load_explicit(&share->first, memory_order_relaxed);
    if (atomic_compare_exchange_weak_explicit(&share->ticket, &ticket, ticket - 1,
                                              memory_order_acq_rel, memory_order_acquire)) {
      task(context, first + (int)(ticket & UINT32_MAX) - 1);
      return true;
    }
  }
  return false;
}

/*
** Do pieces until all are claimed, those of the thread's own share first; returns how many. They
** are added to the thread's count together at the end, since the caller reads it all the while.
*/
static int work(Pool *pool, int thread) {
  unsigned pieces = 0;
  int threads = pool->threads;
  for (int k = 0; k < threads; k++) {
    while (work_once(&pool->shares[(thread + k) % threads])) pieces++;
  }
  atomic_uint *done = &pool->shares[thread].done;
  if (pieces > 0) atomic_store(done, atomic_load_explicit(done, memory_order_relaxed) + pieces);
  return (int)pieces;
}

static void *worker(void *argument) {
  const Worker *self = argument;
  Pool *pool = self->pool;
  int thread = self->thread;
  Share *share = &pool->shares[thread];
  float_state_change(FLOAT_TASK);
  while (!atomic_load(&pool->stopping)) {
    bool worked = work(pool, thread) > 0;
    if (worked && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->mutex);
    }
    int spins = 0;
    while (spins < SPINS && !unclaimed(share)) {
      pause_briefly();
      spins++;
    }
    if (spins < SPINS) continue;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!atomic_load(&pool->stopping) && !unclaimed(share)) {
      pthread_cond_wait(&pool->work, &pool->mutex);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
  }
  return NULL;
}

static bool is_finished(const Pool *pool) {
  unsigned done = 0;
  for (int thread = 0; thread < pool->threads; thread++) {
    done += atomic_load(&pool->shares[thread].done);
  }
  return done == pool->given;
}

static void wait_until_finished(Pool *pool) {
  for (int spins = 0; spins < SPINS; spins++) {
    if (is_finished(pool)) return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->caller_sleeps, true);
  while (!is_finished(pool)) pthread_cond_wait(&pool->done, &pool->mutex);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->mutex);
}

static void run_together(Pool *pool, int count, Task task, void *context, double start) {
  trial_run_starts(&pool->trial);
  pool->generation++;
  pool->given += (unsigned)count;
  int threads = pool->threads;
  for (int thread = threads - 1; thread >= 0; thread--) {
    Share *share = &pool->shares[thread];
    int first = first_piece(count, thread, threads);
    int pieces = first_piece(count, thread + 1, threads) - first;
    if (pieces == 0) continue;
    atomic_store_explicit(&share->task, task, memory_order_relaxed);
    atomic_store_explicit(&share->context, context, memory_order_relaxed);
    atomic_store_explicit(&share->first, first, memory_order_relaxed);
    atomic_store_explicit(&share->ticket, pool->generation << 32 | (uint32_t)pieces,
                          memory_order_release);
  }
  /* A worker that looks for work for the last time while the tickets are on their way may fall
     asleep unseen here. It misses the run, and its share is done by the others; to rule that out,
     the caller would have to wait until every ticket has arrived, which takes longer. In a forked
     child the workers are not there, and one of them may have held the mutex. */
  if (atomic_load(&pool->sleepers) > 0 && getpid() == pool->owner) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
  int own_pieces = work(pool, 0);
  double own_end = trial_now();
  wait_until_finished(pool);
  trial_run_ends(&pool->trial, count, own_pieces, start, own_end, trial_now());
}

void pool_run(Pool *pool, int count, Task task, void *context) {
  FloatState caller = float_state_change(FLOAT_TASK);
  bool is_shared = count > 1 && pool->threads > 1;
  double start = is_shared ? trial_now() : 0;
  if (is_shared && !trial_is_alone(&pool->trial, start)) {
    run_together(pool, count, task, context, start);
  } else {
    for (int index = 0; index < count; index++) task(context, index);
  }
  float_state_change(caller);
}


/* Ranges */

typedef struct Range {
  RangeTask task;
  void *context;
  int n;
  int piece;
} Range;

static void range_piece(void *context, int index) {
  const Range *range = context;
  int first = index * range->piece;
  int left = range->n - first;
  range->task(range->context, first, first + (left < range->piece ? left : range->piece));
}

/*
** Pieces are as equal as they can be, and begin where vectors do. Where there are few elements in
** each, as when columns are counted, they may begin anywhere: rounded up to whole vectors they
** would become unequal.
*/
int pool_piece(int n, int grain) {
  int pieces = (n - 1) / grain + 1;
  int piece = (n - 1) / pieces + 1;
  return piece < VECTOR * VECTOR ? piece : (piece + VECTOR - 1) / VECTOR * VECTOR;
}

void pool_run_range(Pool *pool, int n, int grain, RangeTask task, void *context) {
  Range range = {task, context, n, n};
  int pieces = 1;
  if (n > grain) {
    range.piece = pool_piece(n, grain);
    pieces = (n - 1) / range.piece + 1;
  }
  pool_run(pool, pieces, range_piece, &range);
}


/* Life */

static void stop(Pool *pool) {
  if (pool->threads > 1 && getpid() == pool->owner) {
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stopping, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (int t = 0; t < pool->threads - 1; t++) pthread_join(pool->workers[t].id, NULL);
  }
  pool->threads = 1;
  atomic_store(&pool->stopping, false);
}

/* Returns 0 or the error number; then as many threads run as could be started. */
static int start(Pool *pool, int threads) {
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  atomic_store(&pool->sleepers, 0);
  for (int thread = 0; thread < MAX_THREADS; thread++) pool->shares[thread].done = 0;
  pool->given = 0;
  pool->owner = getpid();
  trial_reset(&pool->trial);
  /* Signals are the business of the host's threads. */
  sigset_t every;
  sigset_t callers;
  sigfillset(&every);
  pthread_sigmask(SIG_BLOCK, &every, &callers);
  int error = 0;
  while (error == 0 && pool->threads < threads) {
    Worker *next = &pool->workers[pool->threads - 1];
    next->pool = pool;
    next->thread = pool->threads;
    error = pthread_create(&next->id, NULL, worker, next);
    if (error == 0) pool->threads++;
  }
  pthread_sigmask(SIG_SETMASK, &callers, NULL);
  return error;
}

static int pool_gc(lua_State *L) {
  Pool *pool = lua_touserdata(L, 1);
  stop(pool);
  pool->closed = true;
  return 0;
}

void pool_push(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, POOL) == LUA_TUSERDATA) return;
  lua_pop(L, 1);
  Pool *pool = lua_newuserdatauv(L, sizeof(Pool), 0);
  memset(pool, 0, sizeof(Pool));
  uintptr_t room = (uintptr_t)pool->room + CACHE_LINE - 1;
  pool->shares = (Share *)(room - room % CACHE_LINE);
  pool->threads = 1;
  pool->owner = getpid();
  blas_open(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, pool_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, POOL);
}

void pool_check_blas(lua_State *L, Pool *pool) {
  if (pool->blas_checked) return;
  pool->blas = blas_check(L, pool->blas, pool->threads);
  pool->blas_checked = true;
}

const Blas *pool_blas(const Pool *pool) {
  return pool->blas;
}

int pool_threads(lua_State *L) {
  Pool *pool = lua_touserdata(L, lua_upvalueindex(2));
  if (lua_isnoneornil(L, 1)) {
    lua_pushinteger(L, pool->threads);
    return 1;
  }
  lua_Integer threads = luaL_checkinteger(L, 1);
  if (threads < 1 || threads > MAX_THREADS) {
    luaL_argerror(
      L, 1,
      lua_pushfstring(L, "1 to %d threads expected, got %I", MAX_THREADS, (LUAI_UACINT)threads));
  }
  if (pool->closed) return luaL_error(L, "no threads can be started: the Lua state is closing");
  if (threads != pool->threads || pool->owner != getpid()) {
    stop(pool);
    int error = start(pool, (int)threads);
    if (error != 0) {
      return luaL_error(L, "%d threads expected, only %d could be started: %s", (int)threads,
                        pool->threads, strerror(error));
    }
  }
  pool->blas_checked = false;  // for as many threads
  lua_pushinteger(L, pool->threads);
  return 1;
}
