/*
** sigmas.h - the activations there are: of each its name, its options, what it gives, and the
** kernels of sigma and its backward.
*/
#ifndef PERILUNE_SIGMAS_H
#define PERILUNE_SIGMAS_H

#include <stdbool.h>

#include "real.h"

#define MOST_OPTIONS 2

/* A number that is part of an activation, or a choice among several names */
typedef struct Option {
  const char *name;
  double usual;
  double least;
  double most;
  bool is_above;               // it must be above the option before it
  const char *const *choices;  // or NULL; ended by NULL, each known by its index
} Option;

/* All that sigma(z) can be, or come near to, for numbers z */
typedef struct Range {
  double least;
  double most;
} Range;

/*
** Kernels are of n elements or, where those of a column depend on each other, of whole columns.
** Their results may be operands.
*/
typedef struct Activation {
  const char *name;
  const Option *options;  // MOST_OPTIONS of them, those that are used have a name; or NULL
  Range (*range)(const double *options);  // NULL: all numbers
  void (*forward)(int n, const real *options, const real *Z, real *A);
  void (*backward)(int n, const real *options, const real *Delta, const real *Z, const real *A,
                   real *H);
  void (*forward_columns)(int rows, int cols, const real *Z, real *A);
  void (*backward_columns)(int rows, int cols, const real *Delta, const real *A, real *H);
} Activation;

/* By name, and NULL after the last */
extern const Activation *const sigmas[];

#endif
