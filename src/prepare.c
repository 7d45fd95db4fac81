/*
** prepare.c - columns of a table as inputs of a network, in one pass over the samples: numbers are
** shifted, scaled and smoothly clipped, or made normal by their quantiles; missing ones are filled
** and told; categories become numbers, or rows of which one is 1. Forward beside backward.
**
** What becomes of X is said by a plan, a matrix with a record in each row. The records write the
** rows of A one after the other.
*/
#include <string.h>

#include "matrix.h"
#include "vector.h"

/* What a record says, by the columns of the plan */
enum {
  SOURCE,  // row of X, from 1
  KIND,
  COUNT,   // rows of A: more than one only of ONE_HOT
  SHIFT,   // of QUANTILE: where its knots begin, from 1
  FACTOR,  // y = (x - shift) factor
  BEND,    // y / sqrt(1 + (bend y)^2); 0 for none
  FILL,    // the x that stands for a missing one, NaN
  MOST,    // the largest label; of QUANTILE: how many knots
  UNSEEN,  // the label that stands for 0, which is refused where this is below 0
  FIELDS,
};

/* Numbers come before all others, so that they fill the first rows of A in one loop. */
enum { NUMBER = 1, QUANTILE, INDICATOR, LABEL, ONE_HOT };

/* What is done to numbers, by fields of the plan */
typedef struct Scaling {
  const real *shift;
  const real *factor;
  const real *bend;
  const real *fill;
} Scaling;

typedef struct Preparation {
  int records;
  int numbers;   // how many of them are NUMBER
  bool bends;    // some of these have a bend
  bool aligned;  // the rows of X that these are of are neighbours, in the order of the records
  Scaling scaling;
  const real *plan;
  const real *knots;
  const Matrix *X;
  const Matrix *A;      // of backward: Delta
  const Matrix *below;  // of backward
} Preparation;

static const real *field(const Preparation *p, int name) {
  return p->plan + name * p->records;
}


/* Kernels */

#define SATURATED ((real)(1 << 30))  // from here on sqrt(1 + t^2) rounds to t

/* sqrt(1 + t^2), where t^2 may be too large for a number */
static inline real hypotenuse(real t) {
  t = fabs(t);
  return t > SATURATED ? t : sqrt(1 + t * t);
}

/* y / sqrt(1 + (y / clip)^2), which is between -clip and clip; bend = 1 / clip */
static inline real bent(real y, real bend) {
  return y / hypotenuse(y * bend);
}

/* Its derivative by y */
static inline real bent_slope(real y, real bend) {
  real h = hypotenuse(y * bend);
  return 1 / (h * h * h);
}

static inline real or_fill(real x, real fill) {
  return x == x ? x : fill;
}

MULTIVERSION static void scale(int count, const Scaling *s, const real *x, real *a) {
  const real *shift = s->shift;
  const real *factor = s->factor;
  const real *fill = s->fill;
  VECTOR_LOOP
  for (int r = 0; r < count; r++) a[r] = (or_fill(x[r], fill[r]) - shift[r]) * factor[r];
}

MULTIVERSION static void scale_and_bend(int count, const Scaling *s, const real *x, real *a) {
  const real *shift = s->shift;
  const real *factor = s->factor;
  const real *bend = s->bend;
  const real *fill = s->fill;
  VECTOR_LOOP
  for (int r = 0; r < count; r++)
    a[r] = bent((or_fill(x[r], fill[r]) - shift[r]) * factor[r], bend[r]);
}

/* The derivatives of both, 0 where x is missing, times delta */
MULTIVERSION static void scale_slopes(int count, const Scaling *s, const real *x, const real *delta,
                                      real *below) {
  const real *shift = s->shift;
  const real *factor = s->factor;
  const real *bend = s->bend;
  VECTOR_LOOP
  for (int r = 0; r < count; r++) {
    real slope = factor[r] * bent_slope((x[r] - shift[r]) * factor[r], bend[r]);
    below[r] = x[r] == x[r] ? delta[r] * slope : 0;
  }
}

static double polynomial(double x, const double *coefficients) {
  double sum = coefficients[7];
  for (int k = 6; k >= 0; k--) sum = sum * x + coefficients[k];
  return sum;
}

/*
** The z below which the share u of normal numbers lies, 0 < u < 1, to 1e-16: algorithm AS 241
** (Wichura 1988), quotients of polynomials for the middle, the tails and the far tails.
*/
static double normal_quantile(double u) {
  static const double middle[] = {
    3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
    1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
    3.3430575583588128105e+4, 2.5090809287301226727e+3,
  };
  static const double below_middle[] = {
    1.0,
    4.2313330701600911252e+1,
    6.8718700749205790830e+2,
    5.3941960214247511077e+3,
    2.1213794301586595867e+4,
    3.9307895800092710610e+4,
    2.8729085735721942674e+4,
    5.2264952788528545610e+3,
  };
  static const double tail[] = {
    1.42343711074968357734e0,  4.63033784615654529590e0,  5.76949722146069140550e0,
    3.64784832476320460504e0,  1.27045825245236838258e0,  2.41780725177450611770e-1,
    2.27238449892691845833e-2, 7.74545014278341407640e-4,
  };
  static const double below_tail[] = {
    1.0,
    2.05319162663775882187e0,
    1.67638483018380384940e0,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
  };
  static const double far[] = {
    6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
    2.71155556874348757815e-5, 2.01033439929228813265e-7,
  };
  static const double below_far[] = {
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
  };
  double q = u - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * polynomial(r, middle) / polynomial(r, below_middle);
  }
  double r = sqrt(-log(q < 0 ? u : 1 - u));
  double z = r <= 5 ? polynomial(r - 1.6, tail) / polynomial(r - 1.6, below_tail)
                    : polynomial(r - 5, far) / polynomial(r - 5, below_far);
  return q < 0 ? -z : z;
}

/* Shares are kept so far from 0 and 1, as scikit-learn keeps them. */
#define LEAST_SHARE (1e-7 - DBL_EPSILON)

/* How many of the knots, which grow, are below x, or with `also_equal` not above it */
static int knots_below(int count, const real *knots, real x, bool also_equal) {
  int low = 0;
  int high = count;
  while (low < high) {
    int mid = low + (high - low) / 2;
    if (knots[mid] < x || (also_equal && knots[mid] == x))
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/*
** The share of the training samples below x, linear between knots; where several knots are x, the
** middle of theirs. `slope` is its derivative.
*/
static double share_below(int count, const real *knots, real x, double *slope) {
  int below = knots_below(count, knots, x, false);
  int not_above = knots_below(count, knots, x, true);
  *slope = 0;
  if (not_above == 0) return 0;
  if (below == count) return 1;
  double last = (double)(count - 1);
  if (not_above < count && knots[not_above] > knots[not_above - 1]) {
    double step = (double)knots[not_above] - (double)knots[not_above - 1];
    *slope = 1 / (last * step);
    if (not_above == below) {
      double part = ((double)x - (double)knots[below - 1]) / step;
      return ((double)(below - 1) + part) / last;
    }
  }
  if (below == 0) return 0;
  if (not_above == count) return 1;
  return (double)(below + not_above - 1) / 2 / last;
}

/* The normal number of x, before it is clipped, and its derivative */
static real normal_of(const Preparation *p, int r, real x, double *slope) {
  const real *knots = p->knots + (int)field(p, SHIFT)[r] - 1;
  double share = share_below((int)field(p, MOST)[r], knots, x, slope);
  if (share < LEAST_SHARE || share > 1 - LEAST_SHARE) *slope = 0;
  share = share < LEAST_SHARE ? LEAST_SHARE : share;
  share = share > 1 - LEAST_SHARE ? 1 - LEAST_SHARE : share;
  double z = normal_quantile(share);
  *slope *= 2.50662827463100050242 * exp(z * z / 2);  // sqrt(2 pi)
  return (real)z;
}

/* The label that x, which was checked, stands for */
static real label_of(const Preparation *p, int r, real x) {
  if (x != x) return field(p, FILL)[r];
  return x == 0 ? field(p, UNSEEN)[r] : x;
}

static void prepare_numbers(const Preparation *p, const real *x, real *a) {
  const real *source = field(p, SOURCE);
  int count = p->numbers;
  if (count == 0) return;
  if (p->aligned) {
    x += (int)source[0] - 1;
  } else {
    for (int r = 0; r < count; r++) a[r] = x[(int)source[r] - 1];
    x = a;
  }
  if (p->bends)
    scale_and_bend(count, &p->scaling, x, a);
  else
    scale(count, &p->scaling, x, a);
}

/* A label as rows of which one is 1; the rows are 0 already. */
static void mark(real label, int count, real *a) {
  if (label >= 1 && label <= (real)count) a[(int)label - 1] = 1;
}

static void prepare_others(const Preparation *p, const real *x, real *a) {
  for (int r = p->numbers; r < p->records; r++) {
    real v = x[(int)field(p, SOURCE)[r] - 1];
    int count = (int)field(p, COUNT)[r];
    double slope;
    switch ((int)field(p, KIND)[r]) {
    case QUANTILE:
      *a = bent(normal_of(p, r, or_fill(v, field(p, FILL)[r]), &slope), field(p, BEND)[r]);
      break;
    case INDICATOR:
      *a = v == v ? 0 : 1;
      break;
    case LABEL:
      *a = (label_of(p, r, v) - field(p, SHIFT)[r]) * field(p, FACTOR)[r];
      break;
    default:
      mark(label_of(p, r, v), count, a);
    }
    a += count;
  }
}

static void prepare_columns(void *context, int first, int last) {
  const Preparation *p = context;
  int rows = p->A->rows;
  for (int n = first; n < last; n++) {
    const real *x = p->X->data + n * p->X->rows;
    real *a = p->A->data + n * rows;
    memset(a + p->numbers, 0, (size_t)(rows - p->numbers) * sizeof(real));
    prepare_numbers(p, x, a);
    prepare_others(p, x, a + p->numbers);
  }
}

/* The derivative of one row of A by x, 0 where x is missing or a category */
static real slope_of(const Preparation *p, int r, real x) {
  double slope;
  real z;
  if (x != x || (int)field(p, KIND)[r] != QUANTILE) return 0;
  z = normal_of(p, r, x, &slope);
  return (real)slope * bent_slope(z, field(p, BEND)[r]);
}

static void number_slopes(const Preparation *p, const real *x, const real *delta, real *below) {
  const real *source = field(p, SOURCE);
  if (p->aligned && p->numbers > 0) {
    int first = (int)source[0] - 1;
    scale_slopes(p->numbers, &p->scaling, x + first, delta, below + first);
    return;
  }
  for (int r = 0; r < p->numbers; r++) {
    int row = (int)source[r] - 1;
    Scaling own = {p->scaling.shift + r, p->scaling.factor + r, p->scaling.bend + r, NULL};
    real slope;
    scale_slopes(1, &own, x + row, delta + r, &slope);
    below[row] += slope;
  }
}

static void prepare_slopes(void *context, int first, int last) {
  const Preparation *p = context;
  for (int n = first; n < last; n++) {
    const real *x = p->X->data + n * p->X->rows;
    const real *delta = p->A->data + n * p->A->rows;
    real *below = p->below->data + n * p->below->rows;
    memset(below, 0, (size_t)p->below->rows * sizeof(real));
    number_slopes(p, x, delta, below);
    delta += p->numbers;
    for (int r = p->numbers; r < p->records; r++) {
      int row = (int)field(p, SOURCE)[r] - 1;
      below[row] += *delta * slope_of(p, r, x[row]);
      delta += (int)field(p, COUNT)[r];
    }
  }
}


/* Bindings */

static bool is_whole(real x, int least, int most) {
  return x >= (real)least && x <= (real)most && x == floor(x);
}

static bool is_record(const Preparation *p, int r, int before, int knots) {
  const real *most = field(p, MOST);
  if (!is_whole(field(p, KIND)[r], before, ONE_HOT)) return false;
  int kind = (int)field(p, KIND)[r];
  bool fits = is_whole(field(p, SOURCE)[r], 1, p->X->rows) &&
              is_whole(field(p, COUNT)[r], 1, kind == ONE_HOT ? p->A->rows : 1);
  if (kind == LABEL || kind == ONE_HOT) return fits && is_whole(most[r], 0, 1 << 24);
  if (kind != QUANTILE) return fits;
  return fits && is_whole(field(p, SHIFT)[r], 1, knots) && is_whole(most[r], 2, knots) &&
         (int)field(p, SHIFT)[r] + (int)most[r] - 1 <= knots;
}

/* Arguments `plan` and, where there is one, the one after it */
static void check_plan(lua_State *L, int arg, Preparation *p) {
  const Matrix *plan = matrix_check(L, arg);
  const Matrix *knots = lua_isnoneornil(L, arg + 1) ? NULL : matrix_check(L, arg + 1);
  matrix_check_size(L, arg, plan, plan->rows, FIELDS);
  matrix_check_by_columns(L, arg, plan);
  if (knots != NULL) matrix_check_size(L, arg + 1, knots, knots->rows, 1);
  p->records = plan->rows;
  p->numbers = 0;
  p->plan = plan->data;
  p->knots = knots != NULL ? knots->data : NULL;
  p->scaling = (Scaling){field(p, SHIFT), field(p, FACTOR), field(p, BEND), field(p, FILL)};
  p->bends = false;
  p->aligned = true;

  int rows = 0;
  int before = NUMBER;
  for (int r = 0; r < p->records; r++) {
    if (!is_record(p, r, before, knots != NULL ? knots->rows : 0) ||
        (int)field(p, COUNT)[r] > p->A->rows - rows)
      luaL_argerror(L, arg, lua_pushfstring(L, "record %d is none for these matrices", r + 1));
    before = (int)field(p, KIND)[r];
    rows += (int)field(p, COUNT)[r];
    if (before != NUMBER) continue;
    p->numbers++;
    p->bends = p->bends || field(p, BEND)[r] != 0;
    p->aligned = p->aligned && field(p, SOURCE)[r] == field(p, SOURCE)[0] + (real)r;
  }
  luaL_argcheck(L, rows == p->A->rows, arg, "a record for each row of argument #1 expected");
}

/* Labels are whole numbers from 1, or 0 where the plan takes what was not seen, or NaN. */
static void check_labels(lua_State *L, int arg, const Preparation *p) {
  for (int r = p->numbers; r < p->records; r++) {
    if ((int)field(p, KIND)[r] < LABEL) continue;
    int row = (int)field(p, SOURCE)[r] - 1;
    int most = (int)field(p, MOST)[r];
    int least = field(p, UNSEEN)[r] >= 0 ? 0 : 1;
    for (int n = 0; n < p->X->cols; n++) {
      real x = p->X->data[n * p->X->rows + row];
      if (x == x && !is_whole(x, least, most)) {
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "row %d: labels from %d to %d expected, got %f in column %d",
                                      row + 1, least, most, real_to_number(x), n + 1));
      }
    }
  }
}

/* prepare(A, X, plan [, knots]) --> A */
static int prepare_forward(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *X = matrix_check(L, 2);
  matrix_check_size(L, 2, X, X->rows, A->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_by_columns(L, 2, X);
  matrix_check_distinct(L, 1, A, 2, X);
  Preparation p = {.X = X, .A = A};
  check_plan(L, 3, &p);
  matrix_check_distinct(L, 1, A, 3, matrix_check(L, 3));
  if (p.knots != NULL) matrix_check_distinct(L, 1, A, 4, matrix_check(L, 4));
  check_labels(L, 2, &p);

  int lines = A->rows > X->rows ? A->rows : X->rows;
  pool_run_range(matrix_pool(L), A->cols, pool_lines(lines), prepare_columns, &p);
  lua_settop(L, 1);
  return 1;
}

/* prepare_backward(Delta_below, Delta, X, plan [, knots]) --> Delta_below */
static int prepare_backward(lua_State *L) {
  const Matrix *below = matrix_check(L, 1);
  const Matrix *Delta = matrix_check_samples(L, 2, matrix_check(L, 2)->rows, below->cols);
  const Matrix *X = matrix_check_samples(L, 3, below->rows, below->cols);
  matrix_check_by_columns(L, 1, below);
  matrix_check_distinct(L, 1, below, 2, Delta);
  matrix_check_distinct(L, 1, below, 3, X);
  Preparation p = {.X = X, .A = Delta, .below = below};
  check_plan(L, 4, &p);
  matrix_check_distinct(L, 1, below, 4, matrix_check(L, 4));
  if (p.knots != NULL) matrix_check_distinct(L, 1, below, 5, matrix_check(L, 5));

  int lines = Delta->rows > X->rows ? Delta->rows : X->rows;
  pool_run_range(matrix_pool(L), X->cols, pool_lines(lines), prepare_slopes, &p);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"prepare",          prepare_forward },
  {"prepare_backward", prepare_backward},
  {NULL,               NULL            },
};

void prepare_open(lua_State *L) {
  matrix_register(L, functions);
}
