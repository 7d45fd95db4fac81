/*
** pool.c - threads and what they share.
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
#include <time.h>
#include <unistd.h>

#include "float_state.h"

#define POOL        "perilune.pool"
#define MAX_THREADS 256

/* Elements of the widest vectors: pieces begin where vectors begin. */
#define VECTOR 16

/*
** Looks at a word before a thread goes to sleep: some tens of microseconds, longer than the gap
** between two primitives
*/
#define SPINS 2000

/*
** Problem: other processes may hold the processors that our threads need. The caller then waits for
** a thread that is not running, or shares its own processor with it, and would be faster alone.
** Sign, over a trial of TRIAL seconds: the caller waited longer than it worked, or the speedup is
** below 4/3. The speedup is pieces of all / pieces of the caller, corrected for the time that the
** caller was not scheduled.
** Rule: after a bad trial the caller works alone for `alone` seconds. `alone` starts at TRIAL,
** doubles after a bad trial up to LONGEST_ALONE and halves after a good one.
*/
#define TRIAL         0.02
#define LONGEST_ALONE 0.4

typedef struct Worker {
  pthread_t id;
  Pool *pool;
  int thread;
} Worker;

/*
** The pieces that one thread does first, and what it has done: all that the caller and that thread
** tell each other of a run, in one cache line, because each line that goes from one processor to
** another takes as long as a small piece.
*/
typedef struct Share {
  /*
  generation << 32 | pieces not yet claimed: one word, so that a claim is for one run for certain
  */
  atomic_uint_least64_t ticket;
  _Atomic(Task) task;
  _Atomic(void *) context;
  atomic_int first;  // piece
  atomic_uint done;  // pieces of any share that the thread has done, in all runs
  // cppcheck-suppress unusedStructMember
  char rest_of_line[CACHE_LINE - sizeof(uint64_t) - 2 * sizeof(void *) - 2 * sizeof(int)];
} Share;

struct Pool {
  Share *shares;       // the caller's first
  atomic_int threads;  // the caller included
  atomic_int sleepers;
  atomic_bool caller_sleeps;
  atomic_bool stopping;
  pthread_mutex_t mutex;
  pthread_cond_t work;
  pthread_cond_t done;
  char line[CACHE_LINE];  // what follows is written in each run, and by the caller alone
  uint64_t generation;    // of runs
  unsigned given;         // pieces, in all runs
  pthread_t caller;       // thread that began this trial
  double running;         // seconds that it had a processor, before
  double worked;          // seconds of the caller in this trial
  double waited;          // seconds for the others
  int pieces;             // in this trial
  int own_pieces;         // done by the caller
  double alone;           // seconds, after a trial that fails
  double alone_until;     // moment
  pid_t owner;
  const Blas *blas;   // NULL until the first product that needs it
  bool blas_checked;  // for this number of threads
  bool closed;        // finalised: nothing would end threads started now
  Worker workers[MAX_THREADS - 1];
  /* for the shares, which begin where a line does */
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

/* Where the share of a thread begins; the caller's is the largest. */
static int first_piece(int count, int thread, int threads) {
  return (int)(((int64_t)count * thread + threads - 1) / threads);
}

/* Claim a piece and do it; false when there is none. */
static bool work_once(Share *share) {
  uint64_t ticket = atomic_load_explicit(&share->ticket, memory_order_acquire);
  while (ticket & UINT32_MAX) {
    /* Should these be of a later run already, then the ticket has changed and the claim fails. */
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
** Do pieces, those of `thread` first, until all are claimed; returns how many. They are reported at
** once.
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

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now(void) {
  return seconds(CLOCK_MONOTONIC);
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

static void begin_trial(Pool *pool) {
  pool->caller = pthread_self();
  pool->running = seconds(CLOCK_THREAD_CPUTIME_ID);
  pool->worked = 0;
  pool->waited = 0;
  pool->pieces = 0;
  pool->own_pieces = 0;
}

/*
** The fraction of the caller's working time during which it was scheduled. An overestimate: the
** time that it had a processor is known with what it did between the runs.
*/
static double scheduled_fraction(const Pool *pool) {
  if (!pthread_equal(pool->caller, pthread_self())) return 1;
  double running = seconds(CLOCK_THREAD_CPUTIME_ID) - pool->running;
  return running < pool->worked ? running / pool->worked : 1;
}

static void end_trial(Pool *pool, double end) {
  double speedup = scheduled_fraction(pool) * pool->pieces / pool->own_pieces;
  bool fails = pool->waited > pool->worked || speedup < 4.0 / 3;
  if (fails) pool->alone_until = end + pool->alone;
  double alone = fails ? 2 * pool->alone : pool->alone / 2;
  pool->alone = alone < TRIAL ? TRIAL : alone > LONGEST_ALONE ? LONGEST_ALONE : alone;
  pool->pieces = 0;
}

static void run_together(Pool *pool, int count, Task task, void *context, double start) {
  if (pool->pieces == 0) begin_trial(pool);
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
  /* A worker may go to sleep between this test and its ticket. It then misses the run and the
     caller does its share; to close the gap, the caller would have to wait until every ticket is
     visible, which costs more. In a forked child the mutex may be held by a thread that is not
     there. */
  if (atomic_load(&pool->sleepers) > 0 && getpid() == pool->owner) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
  int own_pieces = work(pool, 0);
  double own_end = now();
  wait_until_finished(pool);

  double end = now();
  pool->worked += own_end - start;
  pool->waited += end - own_end;
  pool->pieces += count;
  pool->own_pieces += own_pieces;
  if (pool->worked + pool->waited > TRIAL) end_trial(pool, end);
}

void pool_run(Pool *pool, int count, Task task, void *context) {
  FloatState caller = float_state_change(FLOAT_TASK);
  double start = count == 1 || pool->threads == 1 ? 0 : now();
  if (start > pool->alone_until) {
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
** As equal as whole vectors allow; where these would make pieces unequal, as for a few columns,
** single elements
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
  pool->pieces = 0;
  pool->alone = TRIAL;
  pool->alone_until = 0;
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
