/*
** ranking.c - what comes before what: the place of an output among those of its sample, and samples
** sorted by an output, which the areas under curves are read from.
*/
#include "reduce.h"
#include "vector.h"

#define DIGITS (1 << 8)  // a byte of a key

/*
** A sample by its score: the key is smaller where the score is larger. Of the weights, which say
** what the sample counts, one is 0.
*/
typedef struct Scored {
  RealBits key;
  real positive;
  real negative;
} Scored;

typedef struct Curves {
  const Matrix *A;
  const Matrix *T;
  const Matrix *weights;  // NULL: 1 for each sample
  int row;
  Scored *samples;
  Scored *spare;
  int count;  // of the samples that have a weight
  int wrong_argument;
  int wrong_sample;
  double roc_area;
  double average_precision;
} Curves;

typedef struct Ranks {
  const Matrix *A;
  const Matrix *labels;
  real *r;
} Ranks;


/* Kernels */

/*
** Without their signs the bits of reals are in the order of their magnitudes. Both zeros are one
** number, and have one key.
*/
static RealBits descending_key(real x) {
  const RealBits sign = (RealBits)1 << (8 * sizeof(RealBits) - 1);
  RealView view = {.value = x};
  RealBits bits = view.bits << 1 == 0 ? 0 : view.bits;
  return (bits & sign) != 0 ? bits : ~(bits | sign);
}

static bool is_weight(real w) {
  return w >= 0 && w <= REAL_LARGEST;
}

/*
** The samples with their keys, without those of weight 0, whatever they are. False where one is
** not what it must be.
*/
static bool collect(Curves *c) {
  const Matrix *A = c->A;
  const Matrix *T = c->T;
  const Matrix *weights = c->weights;
  bool has_labels = T->rows < A->rows;
  for (int n = 0; n < A->cols; n++) {
    c->wrong_sample = n + 1;
    real w = 1;
    if (weights != NULL)
      w = weights->data[matrix_index(weights, weights->rows == 1 ? 0 : c->row, n)];
    c->wrong_argument = 4;
    if (!is_weight(w)) return false;
    if (w == 0) continue;
    real a = A->data[matrix_index(A, c->row, n)];
    real t = T->data[matrix_index(T, has_labels ? 0 : c->row, n)];
    c->wrong_argument = 1;
    if (a != a) return false;
    c->wrong_argument = 2;
    if (t != t) return false;
    bool is_positive = has_labels ? t == (real)(c->row + 1) : t >= (real)0.5;
    c->samples[c->count++] = (Scored){
      .key = descending_key(a),
      .positive = is_positive ? w : 0,
      .negative = is_positive ? 0 : w,
    };
  }
  c->wrong_argument = 0;
  return true;
}

/*
** Radix sort from the lowest byte on: in linear time, with no comparison to mispredict. A byte that
** is the same in all keys is passed over.
*/
static void sort(Curves *c) {
  for (unsigned shift = 0; shift < 8 * sizeof(RealBits) && c->count > 0; shift += 8) {
    int places[DIGITS] = {0};
    for (int n = 0; n < c->count; n++) places[(c->samples[n].key >> shift) % DIGITS]++;
    if (places[(c->samples[0].key >> shift) % DIGITS] == c->count) continue;
    for (int digit = 0, place = 0; digit < DIGITS; digit++) {
      int samples = places[digit];
      places[digit] = place;
      place += samples;
    }
    for (int n = 0; n < c->count; n++)
      c->spare[places[(c->samples[n].key >> shift) % DIGITS]++] = c->samples[n];
    Scored *sorted = c->spare;
    c->spare = c->samples;
    c->samples = sorted;
  }
}

/*
** Both areas in one walk from the highest score down. Samples of equal scores count together,
** because no threshold can part them.
**     ROC: the share of pairs, a positive and a negative, in the right order; a tie is half a pair.
**     Average precision: the mean over the positives of the precision at their score.
*/
static void measure(Curves *c) {
  double positive = 0;
  double negative = 0;
  double pairs = 0;
  double precisions = 0;
  int next = 0;
  for (int n = 0; n < c->count; n = next) {
    double more_positive = 0;
    double more_negative = 0;
    for (; next < c->count && c->samples[next].key == c->samples[n].key; next++) {
      more_positive += (double)c->samples[next].positive;
      more_negative += (double)c->samples[next].negative;
    }
    pairs += more_negative * (positive + more_positive / 2);
    positive += more_positive;
    negative += more_negative;
    precisions += more_positive * (positive / (positive + negative));
  }
  c->roc_area = positive > 0 && negative > 0 ? pairs / positive / negative : (double)NAN;
  c->average_precision = positive > 0 ? precisions / positive : 0;
}

static void find_areas(void *context, int index, int thread) {
  (void)index;
  (void)thread;
  Curves *c = context;
  if (!collect(c)) return;
  sort(c);
  measure(c);
}

/* The rank of the output that the label of sample n names, counted from 1; 0 where there is none,
   because the label is no row, or the sample holds NaN. */
static int rank_of_label(const Ranks *s, int n) {
  const Matrix *A = s->A;
  real label = s->labels->data[n];
  if (!(label >= 1 && label <= (real)A->rows) || label != floor(label)) return 0;
  int own = (int)label - 1;
  real a = A->data[matrix_index(A, own, n)];
  const real *x = A->data + matrix_index(A, 0, n);
  int step = A->order == BY_ROWS ? A->cols : 1;
  int rank = 1;
  int unordered = 0;
  for (int i = 0; i < A->rows; i++, x += step) {
    rank += *x > a || (*x == a && i < own);
    unordered += *x != *x;
  }
  return unordered ? 0 : rank;
}

static double samples_without_rank(const void *context, int first, int last) {
  int count = 0;
  for (int n = first; n < last; n++) count += rank_of_label(context, n) == 0;
  return count;
}

static void ranks_of_labels(void *context, int first, int last) {
  const Ranks *s = context;
  for (int n = first; n < last; n++) s->r[n] = (real)rank_of_label(s, n);
}


/* Bindings */

/* curve_areas(A, T, i [, weights]) --> area under the ROC curve, average precision, of row i */
static int ranking_curve_areas(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *T = matrix_check(L, 2);
  matrix_check_size(L, 2, T, T->rows == 1 ? 1 : A->rows, A->cols);
  lua_Integer row = luaL_checkinteger(L, 3);
  luaL_argcheck(L, row >= 1 && row <= A->rows, 3, "a row of A expected");
  const Matrix *weights = lua_isnoneornil(L, 4) ? NULL : matrix_check(L, 4);
  if (weights != NULL) matrix_check_size(L, 4, weights, weights->rows == 1 ? 1 : A->rows, A->cols);
  size_t samples = (size_t)A->cols;
  Curves curves = {.A = A, .T = T, .weights = weights, .row = (int)row - 1};
  curves.samples = lua_newuserdatauv(L, 2 * samples * sizeof(Scored), 0);
  curves.spare = curves.samples + samples;

  pool_run(matrix_pool(L), 1, 1, find_areas, &curves);
  if (curves.wrong_argument != 0) {
    const char *expected = curves.wrong_argument == 4 ? "a finite number of 0 or more" : "a number";
    return luaL_argerror(
      L, curves.wrong_argument,
      lua_pushfstring(L, "%s expected for sample %d", expected, curves.wrong_sample));
  }
  lua_pushnumber(L, curves.roc_area);
  lua_pushnumber(L, curves.average_precision);
  return 2;
}

/* label_ranks(r, A, labels) --> r */
static int ranking_label_ranks(lua_State *L) {
  Matrix *r = matrix_check(L, 1);
  const Matrix *A = matrix_check(L, 2);
  const Matrix *labels = matrix_check_shape(L, 3, 1, A->cols);
  matrix_check_size(L, 1, r, 1, A->cols);
  matrix_check_distinct(L, 1, r, 2, A);
  matrix_check_aligned(L, 1, r, 3, labels);
  luaL_argcheck(L, (int64_t)A->rows <= (int64_t)2 << REAL_MANTISSA, 2,
                "fewer rows expected: the elements of the result could not count them");
  Ranks ranks = {A, labels, r->data};
  int columns = pool_lines(A->rows);
  if (reduce_pieces(matrix_pool(L), A->cols, columns, samples_without_rank, &ranks) > 0)
    return luaL_error(L, "numbers without NaN, and labels 1 to %d of them, expected", A->rows);

  pool_run_range(matrix_pool(L), A->cols, columns, ranks_of_labels, &ranks);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"curve_areas", ranking_curve_areas},
  {"label_ranks", ranking_label_ranks},
  {NULL,          NULL               },
};

void ranking_open(lua_State *L) {
  matrix_register(L, functions);
}
