/*
** sigmas.c - A = sigma(Z) (1.4) and the vector-Jacobian product H = J_sigma^t Delta, which is
** Delta (.) dsigma/dZ (4.2) where sigma works element by element: one after the other, each with
** what else there is to know of it. Huge and infinite z give the limits, never a product of 0 and
** infinity; NaN stays NaN.
*/
#include "sigmas.h"

#include "reduce.h"
#include "softmax.h"
#include "vector.h"

static Range from_0(const double *options) {
  (void)options;
  return (Range){0, HUGE_VAL};
}

static Range from_0_to_1(const double *options) {
  (void)options;
  return (Range){0, 1};
}

static Range from_minus_1_to_1(const double *options) {
  (void)options;
  return (Range){-1, 1};
}

/* |z| or, where that is larger, `most`, so that what is multiplied with it later is never 0 times
   infinity */
static inline real magnitude(real z, real most) {
  real y = fabs(z);
  return y > most ? most : y;
}

/* The same where e^-|z| comes to 0, so that e to the minus that needs no other limit */
static inline real exp_magnitude(real z) {
  return magnitude(z, -REAL_EXP_LOWEST);
}

static inline real exp_of_minus(real magnitude) {
  return vector_exp_within(-magnitude, 0);
}


/* z where z > 0, else alpha (e^z - 1) (Clevert et al. 2016); at 0 the derivative is taken as
   alpha */

MULTIVERSION static void elu_forward(int n, const real *options, const real *Z, real *A) {
  real alpha = options[0];
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] > 0 ? Z[k] : alpha * vector_expm1(Z[k]);
}

MULTIVERSION static void elu_backward(int n, const real *options, const real *Delta, const real *Z,
                                      const real *A, real *H) {
  real alpha = options[0];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Z[k] > 0 ? Delta[k] : Delta[k] * (alpha * vector_exp(Z[k]));
}

static Range elu_range(const double *options) {
  return (Range){-options[0], HUGE_VAL};
}

static const Option elu_options[MOST_OPTIONS] = {
  {"alpha", 1, 0, REAL_LARGEST, false, NULL},
};

static const Activation elu = {
  .name = "elu",
  .options = elu_options,
  .range = elu_range,
  .forward = elu_forward,
  .backward = elu_backward,
};


/* e^z */

MULTIVERSION static void exponential_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = vector_exp(Z[k]);
}

MULTIVERSION static void exponential_backward(int n, const real *options, const real *Delta,
                                              const real *Z, const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * A[k];
}

static const Activation exponential = {
  .name = "exponential",
  .range = from_0,
  .forward = exponential_forward,
  .backward = exponential_backward,
};


/*
** z Phi(z), Phi(z) how likely a normal number is below z (Hendrycks and Gimpel 2016); its
** derivative is Phi(z) + z e^(-z^2 / 2) / sqrt(2 pi). Or, `approximate`, z s(2u) with s the sigmoid
** and u = sqrt(2 / pi) (z + 0.044715 z^3), which is z (1 + tanh u) / 2.
*/

MULTIVERSION static void gelu_exact(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = magnitude(Z[k], REAL_TAIL_MOST);
    real tail = vector_normal_tail(y, vector_bell(y));
    real z = Z[k] > 0 ? Z[k] : -y;
    A[k] = z * (Z[k] > 0 ? 1 - tail : tail);
  }
}

MULTIVERSION static void gelu_exact_backward(int n, const real *Delta, const real *Z, real *H) {
  const real density_at_0 = (real)0.39894228040143267794;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = magnitude(Z[k], REAL_TAIL_MOST);
    real bell = vector_bell(y);
    real tail = vector_normal_tail(y, bell);
    real slope = y * (density_at_0 * bell);
    H[k] = Delta[k] * (Z[k] > 0 ? (1 - tail) + slope : tail - slope);
  }
}

#define GELU_LINEAR ((real)1.59576912160573071176)
#define GELU_CUBIC  ((real)0.044715)

/* e^-2u for z = y >= 0 */
static inline real gelu_power(real y) {
  return exp_of_minus(exp_magnitude(GELU_LINEAR * (y + GELU_CUBIC * y * y * y)));
}

MULTIVERSION static void gelu_by_tanh(int n, const real *Z, real *A) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = magnitude(Z[k], REAL_TAIL_MOST);
    real w = gelu_power(y);
    A[k] = (Z[k] > 0 ? Z[k] : -y * w) / (1 + w);
  }
}

MULTIVERSION static void gelu_by_tanh_backward(int n, const real *Delta, const real *Z, real *H) {
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = magnitude(Z[k], REAL_TAIL_MOST);
    real w = gelu_power(y);
    real r = 1 / (1 + w);
    real slope = y * w * r * r * (GELU_LINEAR * (1 + 3 * GELU_CUBIC * y * y));
    H[k] = Delta[k] * (Z[k] > 0 ? r + slope : w * r - slope);
  }
}

static const char *const gelu_approximations[] = {"none", "tanh", NULL};

static void gelu_forward(int n, const real *options, const real *Z, real *A) {
  if (options[0] == 0)
    gelu_exact(n, Z, A);
  else
    gelu_by_tanh(n, Z, A);
}

static void gelu_backward(int n, const real *options, const real *Delta, const real *Z,
                          const real *A, real *H) {
  (void)A;
  if (options[0] == 0)
    gelu_exact_backward(n, Delta, Z, H);
  else
    gelu_by_tanh_backward(n, Delta, Z, H);
}

static Range gelu_range(const double *options) {
  return (Range){options[0] == 0 ? -0.16997120747990366 : -0.17004075057125406, HUGE_VAL};
}

static const Option gelu_options[MOST_OPTIONS] = {
  {"approximate", 0, 0, 1, false, gelu_approximations},
};

static const Activation gelu = {
  .name = "gelu",
  .options = gelu_options,
  .range = gelu_range,
  .forward = gelu_forward,
  .backward = gelu_backward,
};


/* (z + 3) / 6 within 0 and 1, as in PyTorch; where it turns the derivative is taken as 0 */

MULTIVERSION static void hard_sigmoid_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real a = (Z[k] + 3) / 6;
    a = a < 0 ? 0 : a;
    A[k] = a > 1 ? 1 : a;
  }
}

MULTIVERSION static void hard_sigmoid_backward(int n, const real *options, const real *Delta,
                                               const real *Z, const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = fabs(Z[k]) >= 3 ? 0 : Delta[k] / 6;
}

static const Activation hard_sigmoid = {
  .name = "hard_sigmoid",
  .range = from_0_to_1,
  .forward = hard_sigmoid_forward,
  .backward = hard_sigmoid_backward,
};


/* z within `lower` and `upper` (Collobert 2004); where it turns the derivative is taken as 0 */

MULTIVERSION static void hard_tanh_forward(int n, const real *options, const real *Z, real *A) {
  real lower = options[0];
  real upper = options[1];
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real a = Z[k] < lower ? lower : Z[k];
    A[k] = a > upper ? upper : a;
  }
}

MULTIVERSION static void hard_tanh_backward(int n, const real *options, const real *Delta,
                                            const real *Z, const real *A, real *H) {
  real lower = options[0];
  real upper = options[1];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Z[k] <= lower || Z[k] >= upper ? 0 : Delta[k];
}

static Range hard_tanh_range(const double *options) {
  return (Range){options[0], options[1]};
}

static const Option hard_tanh_options[MOST_OPTIONS] = {
  {"lower", -1, -(double)REAL_LARGEST, REAL_LARGEST, false, NULL},
  {"upper", 1,  -(double)REAL_LARGEST, REAL_LARGEST, true,  NULL},
};

static const Activation hard_tanh = {
  .name = "hard_tanh",
  .options = hard_tanh_options,
  .range = hard_tanh_range,
  .forward = hard_tanh_forward,
  .backward = hard_tanh_backward,
};


/* z */

MULTIVERSION static void identity_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  if (A == Z) return;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k];
}

MULTIVERSION static void identity_backward(int n, const real *options, const real *Delta,
                                           const real *Z, const real *A, real *H) {
  (void)options;
  (void)Z;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k];
}

static const Activation identity = {
  .name = "identity",
  .forward = identity_forward,
  .backward = identity_backward,
};


/* z where z > 0, else slope z (Maas et al. 2013); at 0 the derivative is taken as slope */

MULTIVERSION static void leaky_relu_forward(int n, const real *options, const real *Z, real *A) {
  real slope = options[0];
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] > 0 ? Z[k] : slope * Z[k];
}

MULTIVERSION static void leaky_relu_backward(int n, const real *options, const real *Delta,
                                             const real *Z, const real *A, real *H) {
  real slope = options[0];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Z[k] > 0 ? Delta[k] : slope * Delta[k];
}

static Range leaky_relu_range(const double *options) {
  return (Range){options[0] > 0 ? -HUGE_VAL : 0, HUGE_VAL};
}

static const Option leaky_relu_options[MOST_OPTIONS] = {
  {"slope", 0.01, 0, REAL_LARGEST, false, NULL},
};

static const Activation leaky_relu = {
  .name = "leaky_relu",
  .options = leaky_relu_options,
  .range = leaky_relu_range,
  .forward = leaky_relu_forward,
  .backward = leaky_relu_backward,
};


/* a_i = z_i - log sum_j e^z_j; the Jacobian is I - J_S softmax(z)^t, so h = delta - softmax(z) sum
   of delta */

static void log_softmax_forward(int rows, int cols, const real *Z, real *A) {
  for (int j = 0; j < cols; j++, Z += rows, A += rows) {
    real shift = 0;
    real log_sum = (real)log(softmax_sum(rows, Z, &shift));
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) A[i] = (Z[i] - shift) - log_sum;
  }
}

MULTIVERSION static void log_softmax_backward(int rows, int cols, const real *Delta, const real *A,
                                              real *H) {
  for (int j = 0; j < cols; j++, Delta += rows, A += rows, H += rows) {
    real sum = (real)reduce_sum(rows, Delta);
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) H[i] = Delta[i] - vector_exp(A[i]) * sum;
  }
}

static Range log_softmax_range(const double *options) {
  (void)options;
  return (Range){-HUGE_VAL, 0};
}

static const Activation log_softmax = {
  .name = "log_softmax",
  .range = log_softmax_range,
  .forward_columns = log_softmax_forward,
  .backward_columns = log_softmax_backward,
};


/*
** z tanh(log(1 + e^z)) (Misra 2019). With w = e^-|z| the tanh is p / q, where p is 1 + 2w for z > 0
** and w (w + 2) else, and q - p is 2 w^2 or 2; its derivative is 4 (1 + w) (w^2 or w) / q^2.
*/

MULTIVERSION static void mish_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = exp_magnitude(Z[k]);
    real w = exp_of_minus(y);
    real p = Z[k] > 0 ? 1 + 2 * w : w * (w + 2);
    real q = p + (Z[k] > 0 ? 2 * w * w : 2);
    A[k] = (Z[k] > 0 ? Z[k] : -y) * (p / q);
  }
}

MULTIVERSION static void mish_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = exp_magnitude(Z[k]);
    real w = exp_of_minus(y);
    real p = Z[k] > 0 ? 1 + 2 * w : w * (w + 2);
    real r = 1 / (p + (Z[k] > 0 ? 2 * w * w : 2));
    real slope = 4 * y * (1 + w) * (Z[k] > 0 ? w * w : -w) * r * r;
    H[k] = Delta[k] * (p * r + slope);
  }
}

static Range mish_range(const double *options) {
  (void)options;
  return (Range){-0.30884341301725041, HUGE_VAL};
}

static const Activation mish = {
  .name = "mish",
  .range = mish_range,
  .forward = mish_forward,
  .backward = mish_backward,
};


/* max(0, z), NaN staying NaN (Nair and Hinton 2010); at 0 the derivative is taken as 0 */

MULTIVERSION static void relu_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = Z[k] <= 0 ? 0 : Z[k];
}

MULTIVERSION static void relu_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = A[k] <= 0 ? 0 : Delta[k];
}

static const Activation relu = {
  .name = "relu",
  .range = from_0,
  .forward = relu_forward,
  .backward = relu_backward,
};


/*
** scale z where z > 0, else scale alpha (e^z - 1), for which activations of mean 0 and variance 1
** stay so (Klambauer et al. 2017); at 0 the derivative is taken as scale alpha
*/

#define SELU_SCALE ((real)1.0507009873554804934)
#define SELU_LEAST 1.7580993408473768600  // scale alpha

MULTIVERSION static void selu_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++)
    A[k] = Z[k] > 0 ? SELU_SCALE * Z[k] : (real)SELU_LEAST * vector_expm1(Z[k]);
}

MULTIVERSION static void selu_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++)
    H[k] = Delta[k] * (Z[k] > 0 ? SELU_SCALE : (real)SELU_LEAST * vector_exp(Z[k]));
}

static Range selu_range(const double *options) {
  (void)options;
  return (Range){-SELU_LEAST, HUGE_VAL};
}

static const Activation selu = {
  .name = "selu",
  .range = selu_range,
  .forward = selu_forward,
  .backward = selu_backward,
};


/* 1 / (1 + e^-z) */

MULTIVERSION static void sigmoid_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = 1 / (1 + vector_exp(-Z[k]));
}

MULTIVERSION static void sigmoid_backward(int n, const real *options, const real *Delta,
                                          const real *Z, const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (A[k] * (1 - A[k]));
}

static const Activation sigmoid = {
  .name = "sigmoid",
  .range = from_0_to_1,
  .forward = sigmoid_forward,
  .backward = sigmoid_backward,
};


/* z s(z), s the sigmoid (Elfwing et al. 2018), with the derivative s(z) + z s(z) s(-z) */

MULTIVERSION static void silu_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = exp_magnitude(Z[k]);
    real w = exp_of_minus(y);
    A[k] = (Z[k] > 0 ? Z[k] : -y * w) / (1 + w);
  }
}

MULTIVERSION static void silu_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = exp_magnitude(Z[k]);
    real w = exp_of_minus(y);
    real r = 1 / (1 + w);
    real slope = y * w * r * r;
    H[k] = Delta[k] * (Z[k] > 0 ? r + slope : w * r - slope);
  }
}

static Range silu_range(const double *options) {
  (void)options;
  return (Range){-0.27846454276107380, HUGE_VAL};
}

static const Activation silu = {
  .name = "silu",
  .range = silu_range,
  .forward = silu_forward,
  .backward = silu_backward,
};


/* a_i = e^z_i / sum_j e^z_j (Bridle 1990) */

static void softmax_forward(int rows, int cols, const real *Z, real *A) {
  softmax_shift(rows, cols, Z, A);
  softmax_exponentials(rows * cols, A);
  for (int j = 0; j < cols; j++, A += rows) {
    real factor = (real)(1 / reduce_sum(rows, A));
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) A[i] *= factor;
  }
}

/* The Jacobian is diag(a) - a a^t, so h_i = a_i (delta_i - sum_j a_j delta_j). */
static void softmax_backward(int rows, int cols, const real *Delta, const real *A, real *H) {
  for (int j = 0; j < cols; j++, Delta += rows, A += rows, H += rows) {
    double sum = 0;
    for (int i = 0; i < rows; i++) sum += (double)A[i] * (double)Delta[i];
    real mean = (real)sum;
    VECTOR_LOOP
    for (int i = 0; i < rows; i++) H[i] = A[i] * (Delta[i] - mean);
  }
}

static const Activation softmax = {
  .name = "softmax",
  .range = from_0_to_1,
  .forward_columns = softmax_forward,
  .backward_columns = softmax_backward,
};


/*
** log(1 + e^(beta z)) / beta, and z where beta z > threshold (Dugas et al. 2001, the options as in
** PyTorch); the derivative is s(beta z), or 1
*/

MULTIVERSION static void softplus_forward(int n, const real *options, const real *Z, real *A) {
  real beta = options[0];
  real threshold = options[1];
  real factor = 1 / beta;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real x = beta * Z[k];
    real a = factor * ((x > 0 ? x : 0) + vector_log1p(exp_of_minus(exp_magnitude(x))));
    A[k] = x > threshold ? Z[k] : a;
  }
}

MULTIVERSION static void softplus_backward(int n, const real *options, const real *Delta,
                                           const real *Z, const real *A, real *H) {
  real beta = options[0];
  real threshold = options[1];
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real x = beta * Z[k];
    real h = Delta[k] / (1 + vector_exp(-x));
    H[k] = x > threshold ? Delta[k] : h;
  }
}

static const Option softplus_options[MOST_OPTIONS] = {
  {"beta",      1,  REAL_SMALLEST, REAL_LARGEST, false, NULL},
  {"threshold", 20, 0,             REAL_LARGEST, false, NULL},
};

static const Activation softplus = {
  .name = "softplus",
  .options = softplus_options,
  .range = from_0,
  .forward = softplus_forward,
  .backward = softplus_backward,
};


/* z / (1 + |z|) (Bergstra et al. 2009), whose derivative 1 / (1 + |z|)^2 is (1 - |a|)^2 */

MULTIVERSION static void softsign_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real y = magnitude(Z[k], REAL_LARGEST);
    A[k] = copysign(y / (1 + y), Z[k]);
  }
}

MULTIVERSION static void softsign_backward(int n, const real *options, const real *Delta,
                                           const real *Z, const real *A, real *H) {
  (void)options;
  (void)A;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) {
    real denominator = 1 + fabs(Z[k]);
    H[k] = Delta[k] / denominator / denominator;
  }
}

static const Activation softsign = {
  .name = "softsign",
  .range = from_minus_1_to_1,
  .forward = softsign_forward,
  .backward = softsign_backward,
};


/* tanh z */

MULTIVERSION static void tanh_forward(int n, const real *options, const real *Z, real *A) {
  (void)options;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) A[k] = vector_tanh(Z[k]);
}

MULTIVERSION static void tanh_backward(int n, const real *options, const real *Delta, const real *Z,
                                       const real *A, real *H) {
  (void)options;
  (void)Z;
  VECTOR_LOOP
  for (int k = 0; k < n; k++) H[k] = Delta[k] * (1 - A[k] * A[k]);
}

static const Activation tanh_activation = {
  .name = "tanh",
  .range = from_minus_1_to_1,
  .forward = tanh_forward,
  .backward = tanh_backward,
};

const Activation *const sigmas[] = {
  &elu,      &exponential,     &gelu,        &hard_sigmoid, &hard_tanh,
  &identity, &leaky_relu,      &log_softmax, &mish,         &relu,
  &selu,     &sigmoid,         &silu,        &softmax,      &softplus,
  &softsign, &tanh_activation, NULL,
};
