/*
** loss_elements.c - losses whose terms J_in are functions of one output and one target: a function
** for each gives the term and its derivative dJ_in/da_in, and one driver weighs and sums them.
*/
#include "loss.h"
#include "reduce.h"
#include "vector.h"

#define MOST_OPTIONS 3

/* Elements that are worked on at a time where numbers have to be written out for them */
#define SPAN 256

/* Numbers for a matrix of elements: one for each, for each column, for each row, or one for all */
typedef struct Given {
  enum { FOR_ELEMENTS, FOR_COLUMNS, FOR_ROWS, FOR_ALL } what;
  const real *data;  // or NULL
} Given;

typedef struct Elements {
  Loss loss;
  real options[MOST_OPTIONS];
  Given weights;
  Given positive;  // weights of positive targets
} Elements;

typedef struct Term {
  double value;
  real slope;
} Term;

/* The term of an output a and a target t; p is what a positive target counts for. */
typedef Term (*Function)(const real *options, real a, real t, real p);

#define INLINE __attribute__((always_inline)) static inline


/* The driver */

/* x = n numbers from element `first` on, each repeated as `given` says */
static void repeat(const Given *given, int rows, int first, int n, real *x) {
  int i = first % rows;
  int j = first / rows;
  for (int k = 0; k < n; i = 0, j++) {
    int count = rows - i < n - k ? rows - i : n - k;
    if (given->what == FOR_COLUMNS) {
      for (int last = k + count; k < last; k++) x[k] = given->data[j];
    } else {
      for (int last = k + count; k < last; k++, i++) x[k] = given->data[i];
    }
  }
}

/* The numbers of elements first..first+n-1, for which there is `room` */
static const real *numbers(const Given *given, int rows, int first, int n, real *room) {
  if (given->what == FOR_ELEMENTS) return given->data + first;
  if (given->what != FOR_ALL) repeat(given, rows, first, n, room);
  return room;
}

/* The sum of n terms, and their slopes times factor; P is NULL where the loss takes none. */
INLINE double terms(Function f, int n, const real *options, const real *A, const real *T,
                    const real *P, real factor, real *slopes) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) {
    Term term = f(options, A[k], T[k], P == NULL ? 1 : P[k]);
    total += term.value;
    slopes[k] = term.slope * factor;
  }
  return total;
}

/* The same with weights */
INLINE double weighted_terms(Function f, int n, const real *options, const real *A, const real *T,
                             const real *P, const real *w, double factor, real *slopes) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int k = 0; k < n; k++) {
    Term term = f(options, A[k], T[k], P == NULL ? 1 : P[k]);
    double weight = (double)w[k];
    total += w[k] == 0 ? 0 : weight * term.value;
    slopes[k] = w[k] == 0 ? 0 : (real)(weight * factor * (double)term.slope);
  }
  return total;
}

/* Of elements first..last-1; `f` has to be known where this is inlined. */
INLINE double run(const void *context, int first, int last, Function f, bool takes_positive) {
  const Elements *e = context;
  const Loss *loss = &e->loss;
  double factor = loss_factor(loss);
  real options[MOST_OPTIONS];
  real slopes[SPAN] = {0};  // where Delta is not wanted
  real weights[SPAN] = {0};
  real positive[SPAN] = {0};
  double total = 0;
  for (int k = 0; k < MOST_OPTIONS; k++) options[k] = e->options[k];
  if (takes_positive && e->positive.what == FOR_ALL)
    for (int k = 0; k < SPAN; k++) positive[k] = e->positive.data[0];
  for (int k = first; k < last; k += SPAN) {
    int n = last - k < SPAN ? last - k : SPAN;
    const real *P = takes_positive ? numbers(&e->positive, loss->rows, k, n, positive) : NULL;
    real *Delta = loss->Delta ? loss->Delta + k : slopes;
    if (loss->weights == NULL) {
      total += terms(f, n, options, loss->A + k, loss->T + k, P, (real)factor, Delta);
    } else {
      const real *w = numbers(&e->weights, loss->rows, k, n, weights);
      total += weighted_terms(f, n, options, loss->A + k, loss->T + k, P, w, factor, Delta);
    }
  }
  return total;
}


/* The losses. Where a or t is NaN, so is the term. */

/* (a - t)^2 / 2 (2.18) */
INLINE Term squared_error_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real d = a - t;
  return (Term){(double)d * (double)d / 2, d};
}

MULTIVERSION static double squared_error(const void *context, int first, int last) {
  return run(context, first, last, squared_error_term, false);
}

/* (a - t)^2 */
INLINE Term mean_squared_error_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real d = a - t;
  return (Term){(double)d * (double)d, 2 * d};
}

MULTIVERSION static double mean_squared_error(const void *context, int first, int last) {
  return run(context, first, last, mean_squared_error_term, false);
}

/* |a - t|; at 0 the derivative is taken as 0 */
INLINE Term mean_absolute_error_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real d = a - t;
  return (Term){(double)fabs(d), d > 0 ? 1 : d < 0 ? -1 : d};
}

MULTIVERSION static double mean_absolute_error(const void *context, int first, int last) {
  return run(context, first, last, mean_absolute_error_term, false);
}

/* c (d - c/2) with d = a - t and c = d within +-delta: d^2 / 2, and beyond it a straight line */
INLINE Term huber_term(const real *options, real a, real t, real p) {
  (void)p;
  real delta = options[0];
  real d = a - t;
  real c = d > delta ? delta : d < -delta ? -delta : d;
  return (Term){(double)(c * (d - c / 2)), c};
}

MULTIVERSION static double huber(const void *context, int first, int last) {
  return run(context, first, last, huber_term, false);
}

/* The same divided by its delta, beta: beyond it a line of slope 1 */
INLINE Term smooth_l1_term(const real *options, real a, real t, real p) {
  (void)p;
  real beta = options[0];
  real d = a - t;
  real c = (d > beta ? beta : d < -beta ? -beta : d) / beta;
  return (Term){(double)(c * (d - beta * c / 2)), c};
}

MULTIVERSION static double smooth_l1(const void *context, int first, int last) {
  return run(context, first, last, smooth_l1_term, false);
}

/*
** log cosh d, whose derivative is y = tanh d. Of a large d it is |d| - log 2 + log(1 + e^(-2|d|)),
** where that power is (1 - |y|) / (1 + |y|); of a small one, whose digits would cancel, it is
** -1/2 log(1 - y^2).
*/
INLINE Term log_cosh_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real d = a - t;
  real y = vector_tanh(d);
  real size = fabs(d);
  bool is_small = size < (real)0.6;
  real x = is_small ? -y * y : (1 - fabs(y)) / (1 + fabs(y));
  real l = vector_log1p(x);
  double value = is_small ? -(double)l / 2 : (double)size - ((double)REAL_LN2 - (double)l);
  return (Term){value, y};
}

MULTIVERSION static double log_cosh(const void *context, int first, int last) {
  return run(context, first, last, log_cosh_term, false);
}

/* max(tau d, (tau - 1) d) with d = t - a; at 0 the derivative is taken as 0 */
INLINE Term quantile_term(const real *options, real a, real t, real p) {
  (void)p;
  real tau = options[0];
  real d = t - a;
  real slope = d > 0 ? -tau : d < 0 ? 1 - tau : d;
  return (Term){(double)(d == 0 ? 0 : -d * slope), slope};
}

MULTIVERSION static double quantile(const void *context, int first, int last) {
  return run(context, first, last, quantile_term, false);
}

/*
** -t log a - (1 - t) log(1 - a), logarithms from -100 up and the denominator of the derivative (a -
** t) / (a (1 - a)) from 1e-12 up, as PyTorch has them
*/
INLINE Term binary_cross_entropy_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real rest = 1 - a;
  real lost = (1 - rest) - a;  // to rounding, which the derivative of log puts right
  real log_a = vector_log(a);
  real log_rest = vector_log(rest) + (lost == 0 ? 0 : lost / rest);
  real denominator = a * rest;
  log_a = log_a < -100 ? -100 : log_a;
  log_rest = log_rest < -100 ? -100 : log_rest;
  denominator = denominator < (real)1e-12 ? (real)1e-12 : denominator;
  double value = -((double)t * (double)log_a + (double)(1 - t) * (double)log_rest);
  return (Term){value, (a - t) / denominator};
}

MULTIVERSION static double binary_cross_entropy(const void *context, int first, int last) {
  return run(context, first, last, binary_cross_entropy_term, false);
}

/*
** -p t log s(z) - (1 - t) log s(-z) with s(z) = 1 / (1 + e^-z), p being the weight of a positive
** target. -log s(z) is log(1 + e^-|z|), plus |z| where z < 0: nothing overflows, and a logit that
** is infinite on the right side costs nothing.
*/
INLINE Term sigmoid_cross_entropy_term(const real *options, real a, real t, real p) {
  (void)options;
  real yes = p * t;
  real no = 1 - t;
  real size = fabs(a);
  real e = vector_exp(-size);
  real larger = 1 / (1 + e);
  real smaller = e * larger;
  real wrong = a > 0 ? no : yes;
  double linear = wrong == 0 ? 0 : (double)wrong * (double)size;
  double value = linear + (double)(yes + no) * (double)vector_log1p(e);
  real slope = a > 0 ? no * larger - yes * smaller : no * smaller - yes * larger;
  return (Term){value, slope};
}

MULTIVERSION static double sigmoid_cross_entropy(const void *context, int first, int last) {
  return run(context, first, last, sigmoid_cross_entropy_term, true);
}

/*
** (alpha t + (1 - alpha) (1 - t)) m^gamma c, c being the cross-entropy of s(z) and
** m = s(z) (1 - t) + s(-z) t the probability of what is not so. dm/dz = (1 - 2t) s(z) s(-z), whose
** quotient by m stays finite.
*/
INLINE Term focal_term(const real *options, real a, real t, real p) {
  real gamma = options[0];
  real alpha = options[1];
  (void)p;
  real size = fabs(a);
  real e = vector_exp(-size);
  real larger = 1 / (1 + e);
  real smaller = e * larger;
  real yes = a > 0 ? larger : smaller;
  real no = a > 0 ? smaller : larger;
  real wrong = a > 0 ? 1 - t : t;
  real linear = wrong == 0 ? 0 : wrong * size;
  real c = linear + vector_log1p(e);
  real m = yes * (1 - t) + no * t;
  real power = gamma == 0 ? 1 : vector_exp(gamma * vector_log(m));
  real quotient = m > 0 ? yes * no / m : 0;
  real balance = alpha * t + (1 - alpha) * (1 - t);
  real through_m = quotient == 0 ? 0 : gamma * c * (1 - 2 * t) * quotient;
  real slope = balance * power * ((yes * (1 - t) - no * t) + through_m);
  return (Term){(double)(balance * power) * (double)c, slope};
}

MULTIVERSION static double focal(const void *context, int first, int last) {
  return run(context, first, last, focal_term, false);
}

/* max(0, 1 - y z), y being 1 where t > 0, else -1; at the kink the derivative is taken as 0 */
INLINE Term hinge_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real y = t > 0 ? 1 : t <= 0 ? -1 : t;
  real short_of = 1 - y * a;
  real h = short_of <= 0 ? 0 : short_of;
  return (Term){(double)h, short_of <= 0 ? 0 : short_of > 0 ? -y : short_of};
}

MULTIVERSION static double hinge(const void *context, int first, int last) {
  return run(context, first, last, hinge_term, false);
}

/* max(0, 1 - y z)^2 */
INLINE Term squared_hinge_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real y = t > 0 ? 1 : t <= 0 ? -1 : t;
  real short_of = 1 - y * a;
  real h = short_of <= 0 ? 0 : short_of;
  return (Term){(double)h * (double)h, -2 * y * h};
}

MULTIVERSION static double squared_hinge(const void *context, int first, int last) {
  return run(context, first, last, squared_hinge_term, false);
}

/* t (log t - a), a being the logarithm of a probability; 0 where t = 0, even of log 0 */
INLINE Term kl_divergence_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real gap = vector_log(t) - a;
  double nothing = a == a ? 0 : (double)a;
  return (Term){t == 0 ? nothing : (double)t * (double)gap, -t};
}

MULTIVERSION static double kl_divergence(const void *context, int first, int last) {
  return run(context, first, last, kl_divergence_term, false);
}

/* e^a - t a, a being the logarithm of the mean */
INLINE Term poisson_of_logarithms_term(const real *options, real a, real t, real p) {
  (void)options;
  (void)p;
  real mean = vector_exp(a);
  double linear = t == 0 ? 0 : (double)t * (double)a;
  return (Term){(double)mean - linear, mean - t};
}

MULTIVERSION static double poisson_of_logarithms(const void *context, int first, int last) {
  return run(context, first, last, poisson_of_logarithms_term, false);
}

/* a - t log(a + epsilon), a being the mean */
INLINE Term poisson_of_means_term(const real *options, real a, real t, real p) {
  (void)p;
  real mean = a + options[2];
  double linear = t == 0 ? 0 : (double)t * (double)vector_log(mean);
  real quotient = t == 0 ? 0 : t / mean;
  return (Term){(double)a - linear, 1 - quotient};
}

MULTIVERSION static double poisson_of_means(const void *context, int first, int last) {
  return run(context, first, last, poisson_of_means_term, false);
}

/* Stirling's t log t - t + log(2 pi t) / 2 for log t!, of t > 1; it has no a in it. */
INLINE Term stirling_term(const real *options, real a, real t, real p) {
  const double half_log_2pi = 0.918938533204672742;
  (void)options;
  (void)a;
  (void)p;
  double log_t = (double)vector_log(t);
  double value = (double)t * log_t - (double)t + half_log_2pi + log_t / 2;
  return (Term){t > 1 ? value : 0, 0};
}

MULTIVERSION static double stirling(const void *context, int first, int last) {
  return run(context, first, last, stirling_term, false);
}


/* Bindings */

typedef struct Kind {
  const char *name;
  Contribution contribution;
  Mean mean;
  int options;  // numbers that follow the shared arguments
} Kind;

// clang-format off
static const Kind kinds[] = {
  {"binary_cross_entropy", binary_cross_entropy, OVER_TARGETS, 0},
  {"focal", focal, OVER_TARGETS, 2},
  {"hinge", hinge, OVER_TARGETS, 0},
  {"huber", huber, OVER_TARGETS, 1},
  {"kl_divergence", kl_divergence, OVER_TARGETS, 0},
  {"log_cosh", log_cosh, OVER_TARGETS, 0},
  {"mean_absolute_error", mean_absolute_error, OVER_TARGETS, 0},
  {"mean_squared_error", mean_squared_error, OVER_TARGETS, 0},
  {"quantile", quantile, OVER_TARGETS, 1},
  {"smooth_l1", smooth_l1, OVER_TARGETS, 1},
  {"squared_error", squared_error, OVER_SAMPLES, 0},
  {"squared_hinge", squared_hinge, OVER_TARGETS, 0},
};
// clang-format on

#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

/* The shared arguments, and numbers that follow */
static Elements check_elements(lua_State *L, Mean mean, int options) {
  Elements e = {.loss = loss_check(L, 1, TARGETS_ALIGNED)};
  loss_check_reduction(L, &e.loss, mean);
  for (int k = 0; k < options; k++) e.options[k] = loss_check_number(L, LOSS_OPTIONS + k);
  bool is_repeated = e.loss.by_sample && e.loss.rows > 1;
  e.weights = (Given){is_repeated ? FOR_COLUMNS : FOR_ELEMENTS, e.loss.weights};
  return e;
}

static double sum_of_pieces(lua_State *L, const Elements *e, Contribution contribution) {
  return reduce_pieces(matrix_pool(L), e->loss.rows * e->loss.cols, POOL_GRAIN, contribution, e);
}

/* loss(Delta, A, T [, weights [, reduction]] ...) --> J, total weight; upvalue 3 is the kind. */
static int loss_of_kind(lua_State *L) {
  const Kind *kind = lua_touserdata(L, lua_upvalueindex(3));
  Elements e = check_elements(L, kind->mean, kind->options);

  return loss_push(L, &e.loss, sum_of_pieces(L, &e, kind->contribution));
}

/* sigmoid_cross_entropy(Delta, Z, T [, weights [, reduction [, positive]]]) --> J, total weight;
   what positive targets count for is a column of S_L numbers, or of one for all rows. */
static int loss_sigmoid_cross_entropy(lua_State *L) {
  static const real one = 1;
  Elements e = check_elements(L, OVER_TARGETS, 0);
  const Matrix *positive = loss_check_column(L, LOSS_OPTIONS, &e.loss, true);
  e.positive = (Given){FOR_ALL, positive == NULL ? &one : positive->data};
  if (positive != NULL && positive->rows > 1) e.positive.what = FOR_ROWS;

  return loss_push(L, &e.loss, sum_of_pieces(L, &e, sigmoid_cross_entropy));
}

/* poisson(Delta, A, T, weights, reduction, log_input, full, epsilon) --> J, total weight */
static int loss_poisson(lua_State *L) {
  Elements e = check_elements(L, OVER_TARGETS, 3);
  bool of_logarithms = e.options[0] != 0;
  bool is_full = e.options[1] != 0;

  Elements targets_alone = e;
  targets_alone.loss.Delta = NULL;
  double sum =
    is_full ? sum_of_pieces(L, &targets_alone, stirling) : 0;  // before Delta, if it is T
  sum += sum_of_pieces(L, &e, of_logarithms ? poisson_of_logarithms : poisson_of_means);
  return loss_push(L, &e.loss, sum);
}

static const luaL_Reg functions[] = {
  {"poisson",               loss_poisson              },
  {"sigmoid_cross_entropy", loss_sigmoid_cross_entropy},
  {NULL,                    NULL                      },
};

void loss_elements_open(lua_State *L) {
  for (int k = 0; k < KINDS; k++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&kinds[k]);
    matrix_push_closure(L, loss_of_kind);
    lua_setfield(L, -2, kinds[k].name);
  }
  matrix_register(L, functions);
}
