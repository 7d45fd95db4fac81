/*
** pool.c - the threads of a Lua state: their life, and the runs that they do together.
**
** One operation, such as a product, is a run. It comes as pieces, numbered from 0, that can be done
** in any order; to do a piece is to call the run's task once. The thread that called us (the
** caller) works as well; the others are workers. How they divide the pieces stands in
** pool_claims.h, and when the caller works alone in trial.h.
**
** How many threads take part in a run follows from its size, so that none takes part whose share
** would be over before it has heard of it. Only those are told of the run, or woken for it: the
** others cost nothing, however many there are.
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
#include "pool_claims.h"
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

/*
** How often a thread that has done its share looks whether the others have, before it helps them:
** for some microseconds, as a message to a thread and its work on a piece may take longer than ours
** by as much. What it took from one that is just behind, the two would bring to each other's caches
** and back, in this run and the next: between processors far apart that takes longer than the work.
*/
#define PATIENCE 500

/*
** To wake a thread takes longer than a short run, of FEW pieces. After a REST of so many seconds
** the caller therefore does these alone, and wakes nobody until it has worked for WAKE_AFTER
** seconds: a host that predicts one sample now and then is as fast as with one thread.
*/
#define FEW        3
#define REST       1e-4
#define WAKE_AFTER 5e-5

typedef struct Worker {
  pthread_t id;
  pthread_cond_t work;  // it has a share in a run, and is asleep
  Pool *pool;
  int thread;
} Worker;

struct Pool {
  Share *shares;                      // the caller's first
  atomic_int threads;                 // the caller included
  atomic_bool sleeping[MAX_THREADS];  // which threads are asleep
  atomic_bool stopping;
  pthread_mutex_t mutex;
  pthread_cond_t done;     // the run is finished, for a caller that is asleep
  char apart[CACHE_LINE];  // between what workers read, above, and what the caller writes each run
  uint64_t generation;     // number of the run
  double last_end;         // moment at which the last run ended
  double wakes_from;       // moment from which on sleeping workers are woken
  Trial trial;             // whether the threads help just now
  pid_t owner;             // process that started the threads: in a forked child they are not there
  const Blas *blas;        // NULL until the first product that needs it
  bool blas_checked;       // for this number of threads
  char *scratch;           // of the first thread; the others' follow. NULL until reserved
  size_t scratch_bytes;    // of each thread
  bool closed;             // finalised: nothing would end threads started now
  Worker workers[MAX_THREADS - 1];
  /* for the shares, which begin where a cache line does */
  char room[(MAX_THREADS + 1) * CACHE_LINE];
};


/* Runs */

static void pause_briefly(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#else
  sched_yield();
#endif
}

/* Let the caller look whether all is done, if it is asleep. */
static void tell_caller(Pool *pool, int pieces) {
  if (pieces == 0 || !atomic_load(&pool->sleeping[0])) return;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_signal(&pool->done);
  pthread_mutex_unlock(&pool->mutex);
}

static void *worker(void *argument) {
  Worker *self = argument;
  Pool *pool = self->pool;
  int thread = self->thread;
  const Share *share = &pool->shares[thread];
  float_state_change(FLOAT_TASK);
  while (!atomic_load(&pool->stopping)) {
    tell_caller(pool, claims_work(pool->shares, thread));
    int spins = 0;
    while (spins < SPINS && !claims_are_left(share)) {
      if (spins == PATIENCE) tell_caller(pool, claims_help(pool->shares, thread));
      pause_briefly();
      spins++;
    }
    if (spins < SPINS) continue;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->sleeping[thread], true);
    while (!atomic_load(&pool->stopping) && !claims_are_left(share)) {
      pthread_cond_wait(&self->work, &pool->mutex);
    }
    atomic_store(&pool->sleeping[thread], false);
    pthread_mutex_unlock(&pool->mutex);
  }
  return NULL;
}

/* Whether a worker that has a share in a run of so many threads is asleep */
static bool are_asleep(const Pool *pool, int threads) {
  int thread = 1;
  while (thread < threads && !atomic_load(&pool->sleeping[thread])) thread++;
  return thread < threads;
}

/*
** Wake the workers that have a share in a run of so many threads and are asleep; returns whether
** there were any. A worker that looks for work for the last time while its ticket is on its way may
** fall asleep unseen. It misses the run, and its share is done by the others; to rule that out, the
** caller would have to wait until every ticket has arrived, which takes longer. In a forked child
** the workers are not there, and one of them may have held the mutex.
*/
static bool wake(Pool *pool, int threads) {
  if (!are_asleep(pool, threads)) return false;
  if (getpid() != pool->owner) return true;
  pthread_mutex_lock(&pool->mutex);
  for (int thread = 1; thread < threads; thread++) {
    if (atomic_load(&pool->sleeping[thread])) pthread_cond_signal(&pool->workers[thread - 1].work);
  }
  pthread_mutex_unlock(&pool->mutex);
  return true;
}

/* Whether all is done within so many spins */
static bool is_done_soon(Pool *pool, int threads, int spins) {
  for (; spins > 0; spins--) {
    if (claims_are_done(pool->shares, threads)) return true;
    pause_briefly();
  }
  return false;
}

static void wait_until_done(Pool *pool, int threads) {
  if (is_done_soon(pool, threads, SPINS)) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->sleeping[0], true);
  while (!claims_are_done(pool->shares, threads)) pthread_cond_wait(&pool->done, &pool->mutex);
  atomic_store(&pool->sleeping[0], false);
  pthread_mutex_unlock(&pool->mutex);
}

static void run_together(Pool *pool, int from, int count, int threads, Task task, void *context,
                         double start) {
  trial_run_starts(&pool->trial);
  claims_give(pool->shares, threads, ++pool->generation, from, count, task, context);
  bool were_asleep = wake(pool, threads);
  int own_pieces = claims_work(pool->shares, 0);
  double own_end = trial_now();
  /* A thread that has to wake up is not waited for: that takes longer than a short run. */
  if (were_asleep || !is_done_soon(pool, threads, PATIENCE)) {
    own_pieces += claims_help(pool->shares, 0);
    own_end = trial_now();
  }
  wait_until_done(pool, threads);
  pool->last_end = trial_now();
  trial_run_ends(&pool->trial, threads, count - from, own_pieces, start, own_end, pool->last_end);
}

static int least(int a, int b) {
  return a < b ? a : b;
}

/* Do the first pieces of a short run while the others sleep on; returns how many. */
static int work_alone(Pool *pool, int count, int threads, Task task, void *context, double *now) {
  if (*now - pool->last_end > REST) pool->wakes_from = *now + WAKE_AFTER;
  int done = 0;
  while (count <= FEW && done < count && *now < pool->wakes_from && are_asleep(pool, threads)) {
    task(context, done++, 0);
    *now = trial_now();
  }
  return done;
}

void pool_run(Pool *pool, int count, int threads, Task task, void *context) {
  FloatState caller = float_state_change(FLOAT_TASK);
  int done = 0;
  double now = 0;
  threads = least(least(threads, count), pool->threads);
  bool may_share = threads > 1;
  if (may_share) {
    now = trial_now();
    threads = least(threads, trial_threads(&pool->trial, now));
    done = work_alone(pool, count, threads, task, context, &now);
    threads = least(threads, count - done);
  }
  if (threads > 1) {
    run_together(pool, done, count, threads, task, context, now);
  } else {
    for (; done < count; done++) task(context, done, 0);
    /* What the caller did alone must not pass for a rest. */
    if (may_share) pool->last_end = trial_now();
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

static void range_piece(void *context, int index, int thread) {
  (void)thread;
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
  /* From the third on, a thread has two pieces to do: one alone is not worth bringing its elements
     from the caches of the threads that wrote them. */
  int threads = pieces <= 2 ? pieces : (pieces + 1) / 2;
  pool_run(pool, pieces, threads, range_piece, &range);
}


/* Life */

static void stop(Pool *pool) {
  if (pool->threads > 1 && getpid() == pool->owner) {
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stopping, true);
    for (int t = 0; t < pool->threads - 1; t++) pthread_cond_signal(&pool->workers[t].work);
    pthread_mutex_unlock(&pool->mutex);
    for (int t = 0; t < pool->threads - 1; t++) pthread_join(pool->workers[t].id, NULL);
  }
  pool->threads = 1;
  atomic_store(&pool->stopping, false);
}

/* Returns 0 or the error number; then as many threads run as could be started. */
static int start(Pool *pool, int threads) {
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->done, NULL);
  for (int thread = 0; thread < MAX_THREADS; thread++) {
    atomic_store(&pool->sleeping[thread], false);
    atomic_store(&pool->shares[thread].threads, 0);
  }
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
    pthread_cond_init(&next->work, NULL);
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
  Pool *pool = lua_newuserdatauv(L, sizeof(Pool), 1);  // its value: the scratch memory
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

void pool_reserve_scratch(lua_State *L, Pool *pool, size_t bytes) {
  bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  while (bytes > pool->scratch_bytes) {
    int threads = atomic_load(&pool->threads);
    uintptr_t room = (uintptr_t)lua_newuserdatauv(L, bytes * (size_t)threads + CACHE_LINE - 1, 0);
    /* A finaliser that ran meanwhile may have set another number of threads. */
    if (threads == atomic_load(&pool->threads)) {
      lua_getfield(L, LUA_REGISTRYINDEX, POOL);
      lua_insert(L, -2);
      lua_setiuservalue(L, -2, 1);
      pool->scratch = (char *)((room + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
      pool->scratch_bytes = bytes;
    }
    lua_pop(L, 1);
  }
}

void *pool_scratch(const Pool *pool, int thread) {
  return pool->scratch == NULL ? NULL : pool->scratch + pool->scratch_bytes * (size_t)thread;
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
  /* What holds for one number of threads; when not all can be started, it changes as well. */
  pool->blas_checked = false;
  pool->scratch = NULL;
  pool->scratch_bytes = 0;
  if (threads != pool->threads || pool->owner != getpid()) {
    stop(pool);
    int error = start(pool, (int)threads);
    if (error != 0) {
      return luaL_error(L, "%d threads expected, only %d could be started: %s", (int)threads,
                        pool->threads, strerror(error));
    }
  }
  lua_pushinteger(L, pool->threads);
  return 1;
}
