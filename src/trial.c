/*
** trial.c - whether threads help just now.
*/
#include "trial.h"

#include <time.h>

#define TRIAL         0.02
#define LONGEST_ALONE 0.4

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
  trial->alone = TRIAL;
  trial->alone_until = 0;
}

void trial_run_starts(Trial *trial) {
  if (trial->pieces > 0) return;
  trial->caller = pthread_self();
  trial->running = seconds(CLOCK_THREAD_CPUTIME_ID);
  trial->worked = 0;
  trial->waited = 0;
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
  if (fails) trial->alone_until = moment + trial->alone;
  double alone = fails ? 2 * trial->alone : trial->alone / 2;
  trial->alone = alone < TRIAL ? TRIAL : alone > LONGEST_ALONE ? LONGEST_ALONE : alone;
  trial->pieces = 0;
}

void trial_run_ends(Trial *trial, int pieces, int own_pieces, double start, double own_end,
                    double end) {
  trial->worked += own_end - start;
  trial->waited += end - own_end;
  trial->pieces += pieces;
  trial->own_pieces += own_pieces;
  if (trial->worked + trial->waited > TRIAL) finish(trial, end);
}
