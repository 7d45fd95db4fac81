/*
** loss.h - what all losses share: their arguments (Delta, A, T [, weights [, reduction]]) and their
** results (J, total weight). With weights
**     J = sum_n sum_i w_in J_in / divisor;
** a weight of 0 leaves its term out, whatever is in A and T. The divisor of a mean over samples is
** the total weight, sum_n sum_i w_in / S_L, which for weights of 1 is the paper's N.
*/
#ifndef PERILUNE_LOSS_H
#define PERILUNE_LOSS_H

#include "matrix.h"

/* Arguments of every loss; those of its own follow. */
enum { LOSS_DELTA = 1, LOSS_A, LOSS_T, LOSS_WEIGHTS, LOSS_REDUCTION, LOSS_OPTIONS };

typedef struct Loss {
  int rows;  // S_L, the targets of a sample
  int cols;
  const real *A;
  const real *T;
  bool labels;          // T holds one class for each column, counted from 1
  const real *weights;  // or NULL
  bool by_sample;       // there is one weight for each column; else one for each target
  double total;         // sum_n sum_i w_in / S_L
  double divisor;
  real *Delta;  // or NULL
} Loss;

/* What the "mean" of a loss is over */
typedef enum Mean { OVER_SAMPLES, OVER_TARGETS } Mean;

/* What T may be */
typedef enum Targets {
  TARGETS_ALIGNED,   // of T's own shape; Delta may be T
  TARGETS,           // the same; Delta shares no memory with T
  TARGETS_OR_LABELS  // or one row of labels, where S_L > 1
} Targets;

/*
** The arguments 1 to 4: Delta, nil or of A's shape, which is A itself or shares no memory with it;
** A, whose rows are `outputs` for each target; T; and nil or finite weights >= 0, which do not
** share memory with Delta. Labels are classes, but for samples whose weights are all 0.
*/
Loss loss_check(lua_State *L, int outputs, Targets targets);

/* The optional argument 5, "mean", "batchmean" (over samples) or "sum". Sets the divisor. */
void loss_check_reduction(lua_State *L, Loss *loss, Mean mean);

/* The optional argument `arg`, a column of finite numbers >= 0, one for each target or, where
   `or_one` is set, one for all; shares no memory with Delta. NULL where it is nil. */
const Matrix *loss_check_column(lua_State *L, int arg, const Loss *loss, bool or_one);

/* Argument `arg`, which must be a finite number */
real loss_check_number(lua_State *L, int arg);

/* The class of column j, counted from 0 */
static inline int loss_label(const Loss *loss, int j) {
  return (int)loss->T[j] - 1;
}

/* The weight of the target in row i of column j */
static inline real loss_weight(const Loss *loss, int i, int j) {
  if (loss->weights == NULL) return 1;
  return loss->weights[loss->by_sample ? j : j * loss->rows + i];
}

/* Whether a target in column j has a weight that is not 0 */
bool loss_has_weight(const Loss *loss, int j);

/* Delta of column j = 0, if it is wanted; its rows are those of T. */
void loss_clear_delta(const Loss *loss, int j);

/* What derivatives of terms are multiplied by, 1 / divisor; 0 where no term has a weight. For tasks
   of the pool, whose rounding is the default. */
static inline double loss_factor(const Loss *loss) {
  return loss->divisor == 0 ? 0 : 1 / loss->divisor;
}

/* Push J, which is sum / divisor, and the total weight. */
int loss_push(lua_State *L, const Loss *loss, double sum);

#endif
