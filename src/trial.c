/*
** trial.c - whether threads help just now.
*/
#include "trial.h"

#include <limits.h>
#include <time.h>

#define TRIAL         0.02
#define LONGEST_PAUSE 1.0

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double trial_now(void) {
  return seconds(CLOCK_MONOTONIC);
}

void trial_reset(Trial *trial) {
  trial->pieces = 0;
  trial->most = INT_MAX;
  trial->until = 0;
  trial->pause = TRIAL;
}

int trial_threads(Trial *trial, double now) {
  if (now > trial->until) trial->most = INT_MAX;
  return trial->most;
}

void trial_run_starts(Trial *trial) {
  if (trial->pieces > 0) return;
  trial->caller = pthread_self();
  trial->running = seconds(CLOCK_THREAD_CPUTIME_ID);
  trial->worked = 0;
  trial->waited = 0;
  trial->threads = 0;
  trial->own_pieces = 0;
}

/*
** The fraction of the time it worked in which the caller had a processor. An upper bound: the
** system tells its processor time for the whole trial, with what lies between the runs.
*/
static double scheduled_fraction(const Trial *trial) {
  if (!pthread_equal(trial->caller, pthread_self())) return 1;
  double running = seconds(CLOCK_THREAD_CPUTIME_ID) - trial->running;
  return running < trial->worked ? running / trial->worked : 1;
}

static void finish(Trial *trial, double moment) {
  double speedup = scheduled_fraction(trial) * trial->pieces / trial->own_pieces;
  bool fails = trial->waited > trial->worked || speedup < 4.0 / 3;
  double pause = trial->pause;
  if (fails) {
    trial->most = trial->threads / 2;
    trial->until = moment + pause;
    pause *= 2;
  } else if (trial->most == INT_MAX) {
    pause /= 2;
  }
  trial->pause = pause < TRIAL ? TRIAL : pause > LONGEST_PAUSE ? LONGEST_PAUSE : pause;
  trial->pieces = 0;
}

void trial_run_ends(Trial *trial, int threads, int pieces, int own_pieces, double start,
                    double own_end, double end) {
  trial->worked += own_end - start;
  trial->waited += end - own_end;
  trial->threads = threads > trial->threads ? threads : trial->threads;
  trial->pieces += pieces;
  trial->own_pieces += own_pieces;
  if (trial->worked + trial->waited > TRIAL) finish(trial, end);
}
