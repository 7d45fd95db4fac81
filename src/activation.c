/*
** activation.c - sigma and its backward, in pairs: A = sigma(Z) (1.4), and the vector-Jacobian product
** H = J_sigma^t Delta, which is Delta (.) dsigma/dZ (4.2) where sigma works element by element.
*/
#include "affine.h"
#include "matrix.h"
#include "vector.h"

typedef struct Activation {
  const char *name;
  /* by element; by column where n is the number of rows and the elements of a column depend on each other */
  Elementwise forward;
  void (*backward)(int n, const real *Delta, const real *Z, const real *A, real *H);
  bool by_column;
} Activation;


/* Kernels. Results may be operands. */

MULTIVERSION static void identity_forward(int n, const real *Z, real *A) {
  if (A == Z) return;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k];
}

MULTIVERSION static void identity_backward(int n, const real *Delta, const real *Z,
                                           const real *A, real *H) {
  (void)Z;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k];
}

/* max(0, z), NaN staying NaN; at 0 the derivative is taken as 0 */
MULTIVERSION static void relu_forward(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] <= 0 ? 0 : Z[k];
}

MULTIVERSION static void relu_backward(int n, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = A[k] <= 0 ? 0 : Delta[k];
}

/* 1 / (1 + e^-z) */
MULTIVERSION static void sigmoid_forward(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = 1 / (1 + vector_exp(-Z[k]));
}

MULTIVERSION static void sigmoid_backward(int n, const real *Delta, const real *Z,
                                          const real *A, real *H) {
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (A[k] * (1 - A[k]));
}

/* z / (1 + |z|), whose derivative 1 / (1 + |z|)^2 is (1 - |a|)^2 */
MULTIVERSION static void softsign_forward(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] / (1 + fabs(Z[k]));
}

MULTIVERSION static void softsign_backward(int n, const real *Delta, const real *Z,
                                           const real *A, real *H) {
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real denominator = 1 + fabs(Z[k]);
    H[k] = Delta[k] / denominator / denominator;
  }
}

MULTIVERSION static void tanh_forward(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = vector_tanh(Z[k]);
}

MULTIVERSION static void tanh_backward(int n, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (1 - A[k] * A[k]);
}

/* a_i = e^z_i / sum_j e^z_j, shifted by the largest z so that nothing overflows */
MULTIVERSION static void softmax_forward(int n, const real *Z, real *A) {
  real largest = Z[0];
  for (int i = 1; i < n; i++) largest = Z[i] > largest ? Z[i] : largest;
  VECTOR_LOOP
  for (int i = 0; i < n; i++) A[i] = vector_exp(Z[i] - largest);
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (double)A[i];
  real factor = (real)(1 / sum);
  VECTOR_LOOP
  for (int i = 0; i < n; i++) A[i] *= factor;
}

/* The Jacobian is diag(a) - a a^t, so h_i = a_i (delta_i - sum_j a_j delta_j). */
MULTIVERSION static void softmax_backward(int n, const real *Delta, const real *Z,
                                          const real *A, real *H) {
  (void)Z;
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (double)A[i] * (double)Delta[i];
  real mean = (real)sum;
  VECTOR_LOOP
  for (int i = 0; i < n; i++) H[i] = A[i] * (Delta[i] - mean);
}

static const Activation activations[] = {
  {"identity", identity_forward, identity_backward, false},
  {"relu",     relu_forward,     relu_backward,     false},
  {"sigmoid",  sigmoid_forward,  sigmoid_backward,  false},
  {"softmax",  softmax_forward,  softmax_backward,  true },
  {"softsign", softsign_forward, softsign_backward, false},
  {"tanh",     tanh_forward,     tanh_backward,     false},
};


/* Runs */

typedef struct Run {
  const Activation *sigma;
  int rows;
  const real *Delta;
  const real *Z;
  const real *A;
  real *result;
} Run;

static void forward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->sigma->forward(last - first, r->Z + first, r->result + first);
}

static void backward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->sigma->backward(last - first, r->Delta + first, r->Z + first, r->A + first,
                     r->result + first);
}

static void forward_columns(void *context, int first, int last) {
  const Run *r = context;
  for (int j = first; j < last; j++) {
    int k = j * r->rows;
    r->sigma->forward(r->rows, r->Z + k, r->result + k);
  }
}

static void backward_columns(void *context, int first, int last) {
  const Run *r = context;
  for (int j = first; j < last; j++) {
    int k = j * r->rows;
    r->sigma->backward(r->rows, r->Delta + k, r->Z + k, r->A + k, r->result + k);
  }
}

static void run_forward(Pool *pool, const Activation *sigma, const Matrix *A,
                        const Matrix *Z) {
  Run r = {.sigma = sigma, .rows = Z->rows, .Z = Z->data, .result = A->data};
  if (sigma->by_column)
    pool_run_range(pool, Z->cols, pool_lines(Z->rows), forward_columns, &r);
  else
    pool_run_range(pool, matrix_size(Z), POOL_GRAIN, forward_elements, &r);
}

static void run_backward(Pool *pool, const Activation *sigma, const Matrix *H,
                         const Matrix *Delta, const Matrix *Z, const Matrix *A) {
  Run r = {.sigma = sigma, .rows = Z->rows, .Delta = Delta->data, .Z = Z->data};
  r.A = A->data;
  r.result = H->data;
  if (sigma->by_column)
    pool_run_range(pool, Z->cols, pool_lines(Z->rows), backward_columns, &r);
  else
    pool_run_range(pool, matrix_size(Z), POOL_GRAIN, backward_elements, &r);
}


/* Bindings; upvalue 3 is the record */

static const Activation *activation(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(3));
}

/* forward(A, Z) --> A = sigma(Z), (1.4) */
static int activation_forward(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *Z = matrix_check_samples(L, 2, A->rows, A->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_aligned(L, 1, A, 2, Z);

  run_forward(matrix_pool(L), activation(L), A, Z);
  lua_settop(L, 1);
  return 1;
}

/* backward(H, Delta, Z, A) --> H = J_sigma^t Delta, (4.2) */
static int activation_backward(lua_State *L) {
  Matrix *H = matrix_check(L, 1);
  const Matrix *Delta = matrix_check_samples(L, 2, H->rows, H->cols);
  const Matrix *Z = matrix_check_samples(L, 3, H->rows, H->cols);
  const Matrix *A = matrix_check_samples(L, 4, H->rows, H->cols);
  matrix_check_by_columns(L, 1, H);
  matrix_check_aligned(L, 1, H, 2, Delta);
  matrix_check_aligned(L, 1, H, 3, Z);
  matrix_check_aligned(L, 1, H, 4, A);

  run_backward(matrix_pool(L), activation(L), H, Delta, Z, A);
  lua_settop(L, 1);
  return 1;
}

/* affine(A, Z, W, A_below, b) --> A = sigma(Z), after Z = W A_below + b, (1.4) */
static int activation_affine(lua_State *L) {
  const Activation *sigma = activation(L);
  Affine affine;
  affine_check(L, 2, &affine);
  Matrix *A = matrix_check_samples(L, 1, affine.Z->rows, affine.Z->cols);
  matrix_check_aligned(L, 1, A, 2, affine.Z);
  matrix_check_distinct(L, 1, A, 3, affine.W);
  matrix_check_distinct(L, 1, A, 4, affine.A_below);
  matrix_check_distinct(L, 1, A, 5, affine.b);

  affine_run(L, &affine, sigma->by_column ? NULL : sigma->forward, A);
  if (sigma->by_column) run_forward(matrix_pool(L), sigma, A, affine.Z);
  lua_settop(L, 1);
  return 1;
}

/* gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A) --> dJ_dW = H A_below^t, after dJ_db = H J_N (4.1) and, before both,
** H = J_sigma^t Delta (4.2) */
static int activation_gradients(lua_State *L) {
  AffineGradients g;
  affine_check_gradients(L, 8, &g);
  Matrix *operands[3];
  matrix_check_list(L, 5, 3, operands);
  for (int k = 0; k < 3; k++) {
    matrix_check_size(L, 5 + k, operands[k], g.H->rows, g.H->cols);
    matrix_check_by_columns(L, 5 + k, operands[k]);
    matrix_check_aligned(L, 3, g.H, 5 + k, operands[k]);
    matrix_check_distinct(L, 1, g.dJ_dW, 5 + k, operands[k]);
    matrix_check_distinct(L, 2, g.dJ_db, 5 + k, operands[k]);
  }
  matrix_check_distinct(L, 3, g.H, 4, g.A_below);

  run_backward(matrix_pool(L), activation(L), g.H, operands[0], operands[1], operands[2]);
  affine_run_gradients(L, &g);
  lua_settop(L, 1);
  return 1;
}

void activation_open(lua_State *L) {
  lua_newtable(L);
  for (size_t k = 0; k < sizeof activations / sizeof activations[0]; k++) {
    const Activation *sigma = &activations[k];
    lua_newtable(L);
    lua_pushstring(L, sigma->name);
    lua_setfield(L, -2, "name");
    matrix_push_closure(L, activation_forward, sigma);
    lua_setfield(L, -2, "forward");
    matrix_push_closure(L, activation_backward, sigma);
    lua_setfield(L, -2, "backward");
    matrix_push_closure(L, activation_affine, sigma);
    lua_setfield(L, -2, "affine");
    matrix_push_closure(L, activation_gradients, sigma);
    lua_setfield(L, -2, "gradients");
    lua_setfield(L, -2, sigma->name);
  }
  lua_setfield(L, -2, "activations");
}
