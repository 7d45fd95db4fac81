/*
** loss.c - the error J and its gradient, in pairs: (2.18) with (2.23), and softmax with cross-entropy.
*/
#include <stdio.h>

#include "matrix.h"
#include "vector.h"

typedef struct Loss {
  int rows;
  int cols;
  const real *A;
  const real *T;
  bool labels;  // T holds one class for each column, counted from 1
  real *Delta;  // or NULL
  double J;
} Loss;


/* Kernels */

/* Sum of (a - t)^2, and Delta = (A - T) / N */
KERNEL static double squared_differences(int n, const real *A, const real *T, real scale,
                                         real *Delta) {
  double total = 0;
  if (Delta == NULL) {
#pragma omp simd reduction(+ : total)
    for (int k = 0; k < n; k++) total += (double)(A[k] - T[k]) * (double)(A[k] - T[k]);
  } else {
#pragma omp simd reduction(+ : total)
    for (int k = 0; k < n; k++) {
      real difference = A[k] - T[k];
      total += (double)difference * (double)difference;
      Delta[k] = difference * scale;
    }
  }
  return total;
}

/* J = 1/2N sum of |a - t|^2 (2.18), Delta = (A - T) / N (2.23) */
static void squared_error(void *context, int index) {
  Loss *loss = context;
  (void)index;
  int n = loss->rows * loss->cols;
  double total = squared_differences(n, loss->A, loss->T, 1 / (real)loss->cols, loss->Delta);
  loss->J = total / 2 / loss->cols;
}

/* out[i] = e^(z[i] - largest); returns their sum */
KERNEL static double shifted_exponentials(int n, const real *z, real largest, real *out) {
  double sum = 0;
  VECTOR_LOOP
  for (int i = 0; i < n; i++) out[i] = vector_exp(z[i] - largest);
  for (int i = 0; i < n; i++) sum += (double)out[i];
  return sum;
}

KERNEL static void scale(int n, real factor, real *x) {
  VECTOR_LOOP
  for (int i = 0; i < n; i++) x[i] *= factor;
}

/*
** For one column: -sum_i t_i log softmax(z)_i = sum_i t_i (largest + log(sum) - z_i), where terms with
** t_i = 0 count nothing, even for infinite z_i; and delta = (softmax(z) sum_i t_i - t) / N.
*/
static void softmax_cross_entropy(void *context, int index) {
  enum { SPAN = 256 };
  Loss *loss = context;
  (void)index;
  int n = loss->rows;
  real share = 1 / (real)loss->cols;
  double J = 0;
  for (int j = 0; j < loss->cols; j++) {
    const real *z = loss->A + j * n;
    const real *t = loss->labels ? NULL : loss->T + j * n;
    int label = loss->labels ? (int)loss->T[j] - 1 : 0;
    real *delta = loss->Delta == NULL ? NULL : loss->Delta + j * n;

    real largest = z[0];
    for (int i = 1; i < n; i++) largest = z[i] > largest || z[i] != z[i] ? z[i] : largest;
    double target_sum = 1;
    double target_logit = 0;  // sum_i t_i (z_i - largest)
    if (t == NULL) {
      target_logit = (double)z[label] - (double)largest;
    } else {
      target_sum = 0;
      for (int i = 0; i < n; i++) {
        target_sum += (double)t[i];
        if (t[i] != 0) target_logit += (double)t[i] * ((double)z[i] - (double)largest);
      }
    }

    double sum = 0;
    if (delta != NULL) {
      sum = shifted_exponentials(n, z, largest, delta);
      scale(n, (real)(target_sum / sum) * share, delta);
      if (t == NULL) delta[label] -= share;
      else for (int i = 0; i < n; i++) delta[i] -= t[i] * share;
    } else {
      real span[SPAN];
      for (int i = 0; i < n; i += SPAN) {
        sum += shifted_exponentials(n - i < SPAN ? n - i : SPAN, z + i, largest, span);
      }
    }
    J += target_sum * log(sum) - target_logit;
  }
  loss->J = J / loss->cols;
}


/* Bindings */

/* The optional result Delta, of the shape of argument 2 */
static real *check_delta(lua_State *L, const Matrix *A) {
  if (lua_isnil(L, 1)) return NULL;
  return matrix_check_samples(L, 1, A->rows, A->cols)->data;
}

static void check_labels(lua_State *L, const Matrix *T, int classes) {
  for (int j = 0; j < T->cols; j++) {
    double label = (double)T->data[j];
    if (!(label >= 1 && label <= classes) || label != floor(label)) {
      char got[32];
      snprintf(got, sizeof got, "%g", label);
      luaL_argerror(L, 3, lua_pushfstring(L, "labels 1 to %d expected, got %s in column %d",
                                          classes, got, j + 1));
    }
  }
}

/* squared_error(Delta, A, T) --> J */
static int loss_squared_error(lua_State *L) {
  luaL_checkany(L, 1);
  const Matrix *A = matrix_check(L, 2);
  matrix_check_samples(L, 2, A->rows, A->cols);
  const Matrix *T = matrix_check_samples(L, 3, A->rows, A->cols);
  Loss loss = {A->rows, A->cols, A->data, T->data, false, check_delta(L, A), 0};
  if (loss.Delta != NULL) {
    matrix_check_aligned(L, 1, 2);
    matrix_check_aligned(L, 1, 3);
  }

  pool_run(matrix_pool(L), 1, squared_error, &loss);
  lua_pushnumber(L, loss.J);
  return 1;
}

/* softmax_cross_entropy(Delta, Z, T) --> J */
static int loss_softmax_cross_entropy(lua_State *L) {
  luaL_checkany(L, 1);
  const Matrix *Z = matrix_check(L, 2);
  matrix_check_samples(L, 2, Z->rows, Z->cols);
  const Matrix *T = matrix_check(L, 3);
  bool labels = T->rows == 1 && Z->rows != 1;
  matrix_check_samples(L, 3, labels ? 1 : Z->rows, Z->cols);
  if (labels) check_labels(L, T, Z->rows);
  Loss loss = {Z->rows, Z->cols, Z->data, T->data, labels, check_delta(L, Z), 0};
  if (loss.Delta != NULL) {
    matrix_check_aligned(L, 1, 2);
    matrix_check_distinct(L, 1, 3);
  }

  pool_run(matrix_pool(L), 1, softmax_cross_entropy, &loss);
  lua_pushnumber(L, loss.J);
  return 1;
}

static const luaL_Reg functions[] = {
  {"softmax_cross_entropy", loss_softmax_cross_entropy},
  {"squared_error",         loss_squared_error        },
  {NULL,                    NULL                      },
};

void loss_open(lua_State *L) {
  matrix_register(L, functions);
}
