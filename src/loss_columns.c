/*
** loss_columns.c - losses whose terms depend on more of a column than one output: the margin
** between classes, the angle between columns, the normal distribution with its mean and variance.
*/
#include "loss.h"
#include "reduce.h"
#include "vector.h"

/* Elements of a column that are worked on at a time where there has to be room for them */
#define SPAN 256

/* The margin between classes: J_in = max(0, margin - z_yn + z_in)^power / S_L for i other than the
   label y */

typedef struct Margin {
  Loss loss;
  real margin;
  bool squares;
} Margin;

/* The sum of n terms of a column, and their derivatives, each 0 where its weight is */
MULTIVERSION static double margin_terms(const Margin *m, int n, const real *z, real of_label,
                                        const real *w, real *slopes) {
  real distance = m->margin - of_label;
  bool squares = m->squares;
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++) {
    real gap = distance + z[i];
    real short_of = gap <= 0 ? 0 : gap;
    real hit = short_of > 0 ? 1 : short_of;
    real slope = w[i] * (squares ? 2 * short_of : hit);
    double term = (double)w[i] * (double)short_of * (double)(squares ? short_of : 1);
    sum += w[i] == 0 ? 0 : term;
    slopes[i] = w[i] == 0 ? 0 : slope;
  }
  return sum;
}

MULTIVERSION static void scale(int n, double factor, const real *slopes, real *delta) {
  VECTOR_LOOP
  for (int i = 0; i < n; i++) delta[i] = (real)((double)slopes[i] * factor);
}

static double margins(const void *context, int first, int last) {
  const Margin *m = context;
  const Loss *loss = &m->loss;
  int n = loss->rows;
  real w[SPAN];
  real slopes[SPAN];
  double factor = loss_factor(loss) / n;
  double J = 0;
  for (int j = first; j < last; j++) {
    if (!loss_has_weight(loss, j)) {
      loss_clear_delta(loss, j);
      continue;
    }
    real *delta = loss->Delta == NULL ? NULL : loss->Delta + j * n;
    const real *z = loss->A + j * n;
    int label = loss_label(loss, j);
    real of_label = z[label];
    double slope = 0;
    for (int i = 0; i < n; i += SPAN) {
      int count = n - i < SPAN ? n - i : SPAN;
      for (int k = 0; k < count; k++) w[k] = i + k == label ? 0 : loss_weight(loss, i + k, j);
      J += margin_terms(m, count, z + i, of_label, w, slopes);
      slope += reduce_sum(count, slopes);
      if (delta != NULL) scale(count, factor, slopes, delta + i);
    }
    if (delta != NULL) delta[label] = (real)(-slope * factor);
  }
  return J / n;
}


/*
** The angle between columns: J_n = 1 - c_n, c = sum_i w_i a_i t_i / (|a| |t|) with |a| = sqrt(sum_i
** w_i a_i^2), at least 1e-8. With weights of samples w_i is 1 in them, and the weight counts for
** J_n; with those of targets so does their mean.
*/

/*
** x times the weight of row i, 0 where that is; w is NULL where all are 1, here and below. Few rows
** are added up one by one, as vectors would cost more than they save.
*/
static inline double weighted(const real *w, int i, double x) {
  if (w == NULL) return x;
  return w[i] == 0 ? 0 : (double)w[i] * x;
}

static inline real size_of(const real *w, int i, const real *x) {
  return w != NULL && w[i] == 0 ? 0 : fabs(x[i]);
}

/* The largest |x_i| whose weight is not 0, or of those that are numbers */
MULTIVERSION static double largest_size(int n, const real *w, const real *x) {
  real largest = 0;
  if (n <= REDUCE_FEW) {
    for (int i = 0; i < n; i++) largest = size_of(w, i, x) > largest ? size_of(w, i, x) : largest;
    return (double)largest;
  }
#pragma omp simd reduction(max : largest)
  for (int i = 0; i < n; i++) largest = size_of(w, i, x) > largest ? size_of(w, i, x) : largest;
  return (double)largest;
}

/* sum_i w_i (x_i / norm_x) (y_i / norm_y) */
MULTIVERSION static double inner_product(int n, const real *w, const real *x, double norm_x,
                                         const real *y, double norm_y) {
  double by_x = 1 / norm_x;
  double by_y = 1 / norm_y;
  double total = 0;
  if (n <= REDUCE_FEW) {
    for (int i = 0; i < n; i++)
      total += weighted(w, i, ((double)x[i] * by_x) * ((double)y[i] * by_y));
    return total;
  }
#pragma omp simd reduction(+ : total)
  for (int i = 0; i < n; i++)
    total += weighted(w, i, ((double)x[i] * by_x) * ((double)y[i] * by_y));
  return total;
}

/* |x|. Divided by the largest element first, squares cannot overflow. */
static double norm(int n, const real *w, const real *x) {
  double largest = largest_size(n, w, x);
  if (largest == 0 || largest - largest != 0) return largest;
  return largest * sqrt(inner_product(n, w, x, largest, x, largest));
}

/* delta = factor w (c a / |a| - t / |t|) */
MULTIVERSION static void turn(int n, const real *w, const real *a, double norm_a, const real *t,
                              double norm_t, double c, double factor, real *delta) {
  double by_a = c / norm_a;
  double by_t = 1 / norm_t;
  VECTOR_LOOP
  for (int i = 0; i < n; i++) {
    delta[i] = (real)weighted(w, i, factor * ((double)a[i] * by_a - (double)t[i] * by_t));
  }
}

static double cosines(const void *context, int first, int last) {
  const double least = 1e-8;  // as PyTorch has it
  const Loss *loss = context;
  int n = loss->rows;
  double factor = loss_factor(loss);
  double J = 0;
  for (int j = first; j < last; j++) {
    if (!loss_has_weight(loss, j)) {
      loss_clear_delta(loss, j);
      continue;
    }
    const real *a = loss->A + j * n;
    const real *t = loss->T + j * n;
    const real *w = loss->weights == NULL || loss->by_sample ? NULL : loss->weights + j * n;
    double weight = w == NULL ? (double)loss_weight(loss, 0, j) : reduce_sum(n, w) / n;
    double size = norm(n, w, a);
    double norm_a = fmax(size, least);
    double norm_t = fmax(norm(n, w, t), least);
    double cosine = inner_product(n, w, a, norm_a, t, norm_t);
    J += weight * (1 - cosine);
    if (loss->Delta == NULL) continue;
    /* Where |a| is taken as 1e-8 it does not change with a. */
    turn(n, w, a, norm_a, t, norm_t, size < least ? 0 : cosine, weight * factor / norm_a,
         loss->Delta + j * n);
  }
  return J;
}


/*
** The normal distribution: J_in = (log v + (m - t)^2 / v) / 2, and log(2 pi) / 2 where it is
** wanted, with the means m in the first half of a column of A and the variances in the second. v is
** the variance, or epsilon where that is more; dJ/dv is taken at v, so that a variance below comes
** back.
*/

typedef struct Normal {
  Loss loss;
  real epsilon;
  bool is_full;
} Normal;

typedef struct NormalSpan {
  real mean[SPAN];  // and its derivative
  real variance[SPAN];
  real target[SPAN];
  real weight[SPAN];
} NormalSpan;

MULTIVERSION static double normal_terms(const Normal *normal, int n, NormalSpan *x) {
  double factor = loss_factor(&normal->loss);
  double constant = normal->is_full ? 0.918938533204672742 : 0;
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) {
    real w = x->weight[k];
    real v = x->variance[k] < normal->epsilon ? normal->epsilon : x->variance[k];
    double d = (double)x->mean[k] - (double)x->target[k];
    double quotient = d / (double)v;
    double term = ((double)vector_log(v) + d * quotient) / 2 + constant;
    double share = (double)w * factor;
    total += w == 0 ? 0 : (double)w * term;
    x->mean[k] = w == 0 ? 0 : (real)(share * quotient);
    x->variance[k] = w == 0 ? 0 : (real)(share * (1 / (double)v - quotient * quotient) / 2);
  }
  return total;
}

/* The targets first..last-1, counted by columns: gathered, since means and variances alternate */
static double normals(const void *context, int first, int last) {
  const Normal *normal = context;
  const Loss *loss = &normal->loss;
  int rows = loss->rows;
  NormalSpan x;
  double J = 0;
  for (int k = first; k < last; k += SPAN) {
    int n = last - k < SPAN ? last - k : SPAN;
    int start_j = k / rows;
    int start_i = k % rows;
    for (int s = 0, i = start_i, j = start_j; s < n; s++) {
      const real *a = loss->A + 2 * j * rows + i;
      x.mean[s] = a[0];
      x.variance[s] = a[rows];
      x.target[s] = loss->T[k + s];
      x.weight[s] = loss->weights == NULL ? 1 : loss->weights[loss->by_sample ? j : k + s];
      if (++i == rows) {
        i = 0;
        j++;
      }
    }
    J += normal_terms(normal, n, &x);
    for (int s = 0, i = start_i, j = start_j; loss->Delta != NULL && s < n; s++) {
      real *delta = loss->Delta + 2 * j * rows + i;
      delta[0] = x.mean[s];
      delta[rows] = x.variance[s];
      if (++i == rows) {
        i = 0;
        j++;
      }
    }
  }
  return J;
}


/* Bindings */

/* multi_margin(Delta, Z, T, weights, reduction, margin, power) --> J, total weight */
static int multi_margin(lua_State *L) {
  Margin m = {.loss = loss_check(L, 1, TARGETS_OR_LABELS)};
  luaL_argcheck(L, m.loss.labels, LOSS_T, "labels of two classes or more expected");
  loss_check_reduction(L, &m.loss, OVER_SAMPLES);
  m.margin = loss_check_number(L, LOSS_OPTIONS);
  real power = loss_check_number(L, LOSS_OPTIONS + 1);
  luaL_argcheck(L, power == 1 || power == 2, LOSS_OPTIONS + 1, "1 or 2 expected");
  m.squares = power == 2;

  int grain = pool_lines(m.loss.rows);
  return loss_push(L, &m.loss, reduce_pieces(matrix_pool(L), m.loss.cols, grain, margins, &m));
}

/* cosine(Delta, A, T [, weights [, reduction]]) --> J, total weight */
static int cosine(lua_State *L) {
  Loss loss = loss_check(L, 1, TARGETS);
  loss_check_reduction(L, &loss, OVER_SAMPLES);

  int grain = pool_lines(loss.rows);
  return loss_push(L, &loss, reduce_pieces(matrix_pool(L), loss.cols, grain, cosines, &loss));
}

/* gaussian_nll(Delta, A, T, weights, reduction, epsilon, full) --> J, total weight */
static int gaussian_nll(lua_State *L) {
  Normal normal = {.loss = loss_check(L, 2, TARGETS)};
  loss_check_reduction(L, &normal.loss, OVER_TARGETS);
  normal.epsilon = loss_check_number(L, LOSS_OPTIONS);
  normal.is_full = loss_check_number(L, LOSS_OPTIONS + 1) != 0;

  int size = normal.loss.rows * normal.loss.cols;
  return loss_push(L, &normal.loss,
                   reduce_pieces(matrix_pool(L), size, POOL_GRAIN, normals, &normal));
}

static const luaL_Reg functions[] = {
  {"cosine",       cosine      },
  {"gaussian_nll", gaussian_nll},
  {"multi_margin", multi_margin},
  {NULL,           NULL        },
};

void loss_columns_open(lua_State *L) {
  matrix_register(L, functions);
}
