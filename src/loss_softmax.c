/*
** loss_softmax.c - softmax and cross-entropy in one: J_in = - c_i t'_in log softmax(z)_in, with
** t' = (1 - smoothing) t + smoothing / S_L and weights c of classes.
*/
#include "loss.h"
#include "reduce.h"
#include "softmax.h"
#include "vector.h"

/* Elements of a column that are worked on at a time where there has to be room for them */
#define SPAN 256

typedef struct Entropy {
  Loss loss;
  double smoothing;
  const real *class_weights;  // c, or NULL where all are 1
} Entropy;

/* Whether the terms of a column have one weight, which column_weight gives */
static bool is_by_column(const Entropy *e) {
  bool has_rows = e->loss.weights != NULL && !e->loss.by_sample;
  bool has_classes = e->class_weights != NULL && (!e->loss.labels || e->smoothing != 0);
  return !has_rows && !has_classes;
}

static double column_weight(const Entropy *e, int j) {
  double w = e->loss.weights == NULL ? 1 : (double)e->loss.weights[j];
  if (w == 0 || e->class_weights == NULL) return w;
  return w * (double)e->class_weights[loss_label(&e->loss, j)];
}

/* sum_i t'_i of column j */
static double target_sum(const Entropy *e, int j) {
  if (e->loss.labels) return 1;
  double sum = reduce_sum(e->loss.rows, e->loss.T + j * e->loss.rows);
  return e->smoothing == 0 ? sum : (1 - e->smoothing) * sum + e->smoothing;
}

/* sum_i (z_i - shift) */
MULTIVERSION static double shifted_sum(int n, const real *z, real shift) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int i = 0; i < n; i++) total += (double)(z[i] - shift);
  return total;
}

/* Of columns of targets, or smoothed labels */
static double spread_logit(const Entropy *e, int j, const real *z, real shift) {
  const Loss *loss = &e->loss;
  int n = loss->rows;
  double total = 0;
  if (loss->labels) {
    total = (double)(z[loss_label(loss, j)] - shift);
  } else {
    const real *t = loss->T + j * n;
    for (int i = 0; i < n; i++) {
      if (t[i] != 0) total += (double)t[i] * (double)(z[i] - shift);
    }
  }
  if (e->smoothing == 0) return total;
  return (1 - e->smoothing) * total + e->smoothing / n * shifted_sum(n, z, shift);
}

/*
** sum_i t'_i x_i of column j, x being the column of Z less `shift`; terms with t'_i = 0 count
** nothing, even for infinite x_i
*/
static inline double target_logit(const Entropy *e, int j, const real *z, real shift) {
  if (!e->loss.labels || e->smoothing != 0) return spread_logit(e, j, z, shift);
  return (double)(z[loss_label(&e->loss, j)] - shift);
}

/*
** - sum of w t'_i log softmax(z)_i, where log softmax(z)_i is z_i - shift - log(sum_j e^(z_j -
** shift)), the shift being the largest z of the column.
*/
static double cross_entropy(const void *context, int first, int last) {
  const Entropy *e = context;
  int n = e->loss.rows;
  double J = 0;
  for (int j = first; j < last; j++) {
    double w = column_weight(e, j);
    if (w == 0) continue;
    const real *z = e->loss.A + j * n;
    real shift = 0;
    double sum = softmax_sum(n, z, &shift);
    J += w * (target_sum(e, j) * log(sum) - target_logit(e, j, z, shift));
  }
  return J;
}

/* delta = delta factor - (t rest + evenly) */
static inline void subtract_targets(const Loss *loss, int j, real factor, real rest, real evenly,
                                    real *delta) {
  int n = loss->rows;
  VECTOR_LOOP
  for (int i = 0; i < n; i++) delta[i] = delta[i] * factor - evenly;
  if (loss->labels) {
    delta[loss_label(loss, j)] -= rest;
  } else {
    const real *t = loss->T + j * n;
    VECTOR_LOOP
    for (int i = 0; i < n; i++) delta[i] -= t[i] * rest;
  }
}

/*
** The same, and Delta = (softmax(Z) sum_i t'_i - T') w / divisor. A logarithm takes longer than all
** else of a short column, so the sums of columns with w sum_i t'_i = 1 are multiplied before one is
** taken: each is at least 1 and less than 2^31.
*/
MULTIVERSION static double cross_entropy_with_gradient(const void *context, int first, int last) {
  const double largest_product = 1e290;
  const Entropy *e = context;
  int n = e->loss.rows;
  real *Delta = e->loss.Delta;
  double share = loss_factor(&e->loss);
  double rest = share * (1 - e->smoothing);
  double evenly = share * (e->smoothing / n);
  bool is_weighted = e->loss.weights != NULL || e->class_weights != NULL;
  double J = 0;
  double product = 1;
  softmax_shift(n, last - first, e->loss.A + first * n, Delta + first * n);
  for (int j = first; j < last; j++) {
    double w = is_weighted ? column_weight(e, j) : 1;
    if (w != 0) J -= w * target_logit(e, j, Delta + j * n, 0);
  }
  softmax_exponentials(n * (last - first), Delta + first * n);
  for (int j = first; j < last; j++) {
    real *delta = Delta + j * n;
    double w = is_weighted ? column_weight(e, j) : 1;
    if (w == 0) {
      loss_clear_delta(&e->loss, j);
      continue;
    }
    double total = reduce_sum(n, delta);
    double targets = w * target_sum(e, j);
    if (targets != 1)
      J += targets * log(total);
    else
      product *= total;
    if (product > largest_product) {
      J += log(product);
      product = 1;
    }
    subtract_targets(&e->loss, j, (real)(targets / total * share), (real)(w * rest),
                     (real)(w * evenly), delta);
  }
  return J + log(product);
}

/* g = w_i c_i t'_i of rows first..first+n-1 of column j; 0 where w_i is, whatever the target */
static inline void weighted_targets(const Entropy *e, int j, int first, int n, real *g) {
  const Loss *loss = &e->loss;
  real evenly = (real)(e->smoothing / loss->rows);
  real rest = (real)(1 - e->smoothing);
  if (loss->labels) {
    int label = loss_label(loss, j);
    for (int i = 0; i < n; i++) g[i] = first + i == label ? evenly + rest : evenly;
  } else {
    const real *t = loss->T + j * loss->rows + first;
    for (int i = 0; i < n; i++) g[i] = t[i] * rest + evenly;
  }
  const real *c = e->class_weights == NULL ? NULL : e->class_weights + first;
  for (int i = 0; c != NULL && i < n; i++) g[i] *= c[i];
  for (int i = 0; i < n; i++) {
    real w = loss_weight(loss, first + i, j);
    g[i] = w == 0 ? 0 : g[i] * w;
  }
}

/* The same where rows of a column have weights of their own */
MULTIVERSION static double weighted_cross_entropy(const void *context, int first, int last) {
  const Entropy *e = context;
  const Loss *loss = &e->loss;
  int n = loss->rows;
  double share = loss_factor(loss);
  real g[SPAN];
  double J = 0;
  for (int j = first; j < last; j++) {
    if (!loss_has_weight(loss, j)) {
      loss_clear_delta(loss, j);
      continue;
    }
    const real *z = loss->A + j * n;
    real shift = 0;
    double sum = softmax_sum(n, z, &shift);
    double targets = 0;
    for (int i = 0; i < n; i += SPAN) {
      int count = n - i < SPAN ? n - i : SPAN;
      weighted_targets(e, j, i, count, g);
      double logit = 0;
#pragma omp simd reduction(+ : targets, logit)
      for (int k = 0; k < count; k++) {
        targets += (double)g[k];
        logit += g[k] == 0 ? 0 : (double)g[k] * (double)(z[i + k] - shift);
      }
      J -= logit;
    }
    J += targets * log(sum);
    if (loss->Delta == NULL) continue;
    real *delta = loss->Delta + j * n;
    softmax_shift(n, 1, z, delta);
    softmax_exponentials(n, delta);
    real factor = (real)(targets / sum * share);
    real weight = (real)share;
    for (int i = 0; i < n; i += SPAN) {
      int count = n - i < SPAN ? n - i : SPAN;
      weighted_targets(e, j, i, count, g);
      VECTOR_LOOP
      for (int k = 0; k < count; k++) delta[i + k] = delta[i + k] * factor - g[k] * weight;
    }
  }
  return J;
}

/* The weights of the labels' classes, each times that of its sample */
static double label_weights(const void *context, int first, int last) {
  const Entropy *e = context;
  const Loss *loss = &e->loss;
  double total = 0;
  for (int j = first; j < last; j++) {
    if (!loss_has_weight(loss, j)) continue;
    double w = loss->weights == NULL ? 1 : (double)loss->weights[j];
    if (loss->weights != NULL && !loss->by_sample)
      w = reduce_sum(loss->rows, loss->weights + j * loss->rows) / loss->rows;
    total += w * (double)e->class_weights[loss_label(loss, j)];
  }
  return total;
}


/* Bindings */

/* softmax_cross_entropy(Delta, Z, T [, weights [, reduction [, smoothing [, class_weights]]]])
   --> J, total weight */
static int softmax_cross_entropy(lua_State *L) {
  Entropy e = {.loss = loss_check(L, 1, TARGETS_OR_LABELS)};
  bool is_smooth = !lua_isnoneornil(L, LOSS_OPTIONS);
  e.smoothing = is_smooth ? (double)loss_check_number(L, LOSS_OPTIONS) : 0;
  const Matrix *class_weights = loss_check_column(L, LOSS_OPTIONS + 1, &e.loss, false);
  Pool *pool = matrix_pool(L);
  int cols = e.loss.cols;
  int grain = pool_lines(e.loss.rows);
  if (class_weights != NULL) {
    e.class_weights = class_weights->data;
    if (e.loss.labels) e.loss.total = reduce_pieces(pool, cols, grain, label_weights, &e);
  }
  loss_check_reduction(L, &e.loss, OVER_SAMPLES);

  Contribution contribution = e.loss.Delta == NULL ? cross_entropy : cross_entropy_with_gradient;
  if (!is_by_column(&e)) contribution = weighted_cross_entropy;
  return loss_push(L, &e.loss, reduce_pieces(pool, cols, grain, contribution, &e));
}

static const luaL_Reg functions[] = {
  {"softmax_cross_entropy", softmax_cross_entropy},
  {NULL,                    NULL                 },
};

void loss_softmax_open(lua_State *L) {
  matrix_register(L, functions);
}
