/*
** trial.h - whether threads help just now.
**
** Problem: other processes may hold the processors that our threads need. The caller then waits for
** a thread that is not running, or has to take turns with it on one processor, and would be faster
** alone.
** Sign of it: in a trial, TRIAL seconds of runs in which the caller works with the other threads,
** the caller waited longer than it worked, or the speedup was below 4/3. The speedup is the pieces
** that all have done over those that the caller has done, times the fraction of its time in which
** the caller really had a processor. With any number of threads one that gains less than a third is
** not worth the processors it takes from others.
** Rule: after a failed trial only half as many threads take part for `pause` seconds, and then all
** again. Trials go on meanwhile, so that it comes down to the caller alone where need be. `pause`
** starts at TRIAL, doubles with each trial that fails, up to LONGEST_PAUSE, and halves with each
** that passes while all may take part.
*/
#ifndef PERILUNE_TRIAL_H
#define PERILUNE_TRIAL_H

#include <pthread.h>
#include <stdbool.h>

typedef struct Trial {
  pthread_t caller;  // thread that began this trial
  double running;    // seconds that it had a processor, before the trial
  double worked;     // seconds that the caller worked in this trial
  double waited;     // seconds that it waited for the others
  int threads;       // that took part in one of its runs, at most
  int pieces;        // of its runs
  int own_pieces;    // those that the caller has done
  int most;          // threads that may take part
  double until;      // moment from which on all may
  double pause;      // seconds from a trial that fails until then
} Trial;

/* Seconds, of a clock that nobody sets */
double trial_now(void);

/* Forget all that was found: the threads are others. */
void trial_reset(Trial *trial);

/* How many threads may take part in a run that starts now, at most */
int trial_threads(Trial *trial, double now);

/* A run of several threads starts. */
void trial_run_starts(Trial *trial);

/*
** It has ended: of its pieces the caller has done `own_pieces`, from the moment `start` until
** `own_end`, and then waited until `end`.
*/
void trial_run_ends(Trial *trial, int threads, int pieces, int own_pieces, double start,
                    double own_end, double end);

#endif
