/*
** activation.c - sigma and its backward, in pairs: A = sigma(Z) (1.4), and the vector-Jacobian product
** H = J_sigma^t Delta, which is Delta (.) dsigma/dZ (4.2) where sigma works element by element.
*/
#include "activation.h"

#include "vector.h"

#define HANDLE "perilune.activation." REAL_NAME

typedef struct Activation {
  const char *name;
  /* Of n elements; of a column, n being its rows, where its elements depend on each other */
  void (*forward)(int n, const real *Z, real *A);
  void (*backward)(int n, const real *Delta, const real *Z, const real *A, real *H);
  bool by_column;
} Activation;

struct Sigma {
  const Activation *activation;
};


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
  const Activation *activation;
  int rows;
  const real *Delta;
  const real *Z;
  const real *A;
  real *result;
} Run;

static void forward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->activation->forward(last - first, r->Z + first, r->result + first);
}

static void backward_elements(void *context, int first, int last) {
  const Run *r = context;
  r->activation->backward(last - first, r->Delta + first, r->Z + first, r->A + first,
                          r->result + first);
}

static void forward_columns(void *context, int first, int last) {
  const Run *r = context;
  for (int j = first; j < last; j++) {
    int k = j * r->rows;
    r->activation->forward(r->rows, r->Z + k, r->result + k);
  }
}

static void backward_columns(void *context, int first, int last) {
  const Run *r = context;
  for (int j = first; j < last; j++) {
    int k = j * r->rows;
    r->activation->backward(r->rows, r->Delta + k, r->Z + k, r->A + k, r->result + k);
  }
}

static void run(Pool *pool, Run *r, const Matrix *Z, RangeTask by_elements,
                RangeTask by_columns) {
  r->rows = Z->rows;
  r->Z = Z->data;
  if (r->activation->by_column)
    pool_run_range(pool, Z->cols, pool_lines(Z->rows), by_columns, r);
  else
    pool_run_range(pool, matrix_size(Z), POOL_GRAIN, by_elements, r);
}

bool activation_is_elementwise(const Sigma *sigma) {
  return !sigma->activation->by_column;
}

void activation_apply(const Sigma *sigma, int n, const real *Z, real *A) {
  sigma->activation->forward(n, Z, A);
}

void activation_forward(Pool *pool, const Sigma *sigma, const Matrix *A,
                        const Matrix *Z) {
  Run r = {.activation = sigma->activation, .result = A->data};
  run(pool, &r, Z, forward_elements, forward_columns);
}

void activation_backward(Pool *pool, const Sigma *sigma, const Matrix *H,
                         const Matrix *Delta, const Matrix *Z, const Matrix *A) {
  Run r = {.activation = sigma->activation, .Delta = Delta->data, .A = A->data};
  r.result = H->data;
  run(pool, &r, Z, backward_elements, backward_columns);
}


/* Bindings */

/* The upvalue of forward and backward */
static const Sigma *own_sigma(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(3));
}

/* forward(A, Z) --> A = sigma(Z), (1.4) */
static int forward(lua_State *L) {
  Matrix *A = matrix_check(L, 1);
  const Matrix *Z = matrix_check_samples(L, 2, A->rows, A->cols);
  matrix_check_by_columns(L, 1, A);
  matrix_check_aligned(L, 1, A, 2, Z);

  activation_forward(matrix_pool(L), own_sigma(L), A, Z);
  lua_settop(L, 1);
  return 1;
}

/* backward(H, Delta, Z, A) --> H = J_sigma^t Delta, (4.2) */
static int backward(lua_State *L) {
  Matrix *H = matrix_check(L, 1);
  const Matrix *Delta = matrix_check_samples(L, 2, H->rows, H->cols);
  const Matrix *Z = matrix_check_samples(L, 3, H->rows, H->cols);
  const Matrix *A = matrix_check_samples(L, 4, H->rows, H->cols);
  matrix_check_by_columns(L, 1, H);
  matrix_check_aligned(L, 1, H, 2, Delta);
  matrix_check_aligned(L, 1, H, 3, Z);
  matrix_check_aligned(L, 1, H, 4, A);

  activation_backward(matrix_pool(L), own_sigma(L), H, Delta, Z, A);
  lua_settop(L, 1);
  return 1;
}

/* As for matrices, one comparison of addresses: of the metatable with that in upvalue 3. */
const Sigma *activation_check(lua_State *L, int arg) {
  if (lua_getmetatable(L, arg)) {
    bool is_handle = lua_topointer(L, -1) == lua_touserdata(L, lua_upvalueindex(3));
    lua_pop(L, 1);
    if (is_handle) return lua_touserdata(L, arg);
  }
  luaL_typeerror(L, arg, HANDLE);
  return NULL;
}

void activation_register(lua_State *L, const luaL_Reg *list) {
  luaL_getmetatable(L, HANDLE);
  void *type = (void *)(uintptr_t)lua_topointer(L, -1);
  lua_pop(L, 1);
  for (; list->name != NULL; list++) {
    lua_pushlightuserdata(L, type);
    matrix_push_closure(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}

/* Push { name =, handle =, forward =, backward = }. */
static void push_sigma(lua_State *L, const Activation *activation) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, activation->name);
  lua_setfield(L, -2, "name");
  Sigma *sigma = lua_newuserdatauv(L, sizeof(Sigma), 0);
  luaL_setmetatable(L, HANDLE);
  sigma->activation = activation;
  lua_pushvalue(L, -1);
  matrix_push_closure(L, forward);
  lua_setfield(L, -3, "forward");
  lua_pushvalue(L, -1);
  matrix_push_closure(L, backward);
  lua_setfield(L, -3, "backward");
  lua_setfield(L, -2, "handle");
}

void activation_open(lua_State *L) {
  luaL_newmetatable(L, HANDLE);
  lua_pushliteral(L, "activation");
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  lua_newtable(L);
  for (size_t k = 0; k < sizeof activations / sizeof activations[0]; k++) {
    push_sigma(L, &activations[k]);
    lua_setfield(L, -2, activations[k].name);
  }
  lua_setfield(L, -2, "activations");
}
