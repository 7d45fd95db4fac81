/*
** distort.c - images distorted: where each pixel of the result lies in the image, at random, and
** what the image is there.
**
** A sample is an image of height x width pixels, row by row, each pixel with its channels side by
** side. A displacement has two numbers for each pixel: how far to the right of it the image is
** looked at, for all pixels, and then how far below it.
*/
#include "matrix.h"
#include "streams.h"

#define BLOCK 16  // neighbours that are smoothed together, in vector registers

/* The weights end where scipy.ndimage ends them: the rest is below 1e-4 of the sum. */
#define DEVIATIONS     4
#define MOST_DEVIATION 64
#define MOST_RADIUS    (DEVIATIONS * MOST_DEVIATION)

/* Weights of a Gaussian for each distance, as a row of 0s to both sides of -radius..radius */
typedef struct Gaussian {
  int radius;
  real weights[2 * (MOST_RADIUS + BLOCK) + 1];
} Gaussian;

/* What an image may be moved by at most, to either side */
typedef struct Ranges {
  double shift;  // pixels
  double angle;  // radians
  double scale;  // of 1
  double shear;  // radians
} Ranges;

typedef struct Displacing {
  uint64_t key;
  uint64_t place;
  int width;
  int height;
  Ranges ranges;
  real alpha;
  Gaussian gaussian;
  real *D;
  real *S;
} Displacing;

typedef struct Resampling {
  int width;
  int height;
  int channels;
  const real *D;
  const real *X;
  real *A;
} Resampling;


/* Kernels: displacements */

static inline const real *weights_at(const Gaussian *g, int distance) {
  return g->weights + MOST_RADIUS + BLOCK + distance;
}

/* g_k = e^(-k^2 / 2 deviation^2) / sum, for |k| <= radius */
static void set_gaussian(Gaussian *g, double deviation) {
  *g = (Gaussian){.radius = (int)(DEVIATIONS * deviation + 0.5)};
  real *middle = g->weights + MOST_RADIUS + BLOCK;
  double sum = 1;
  for (int k = 1; k <= g->radius; k++) sum += 2 * exp(-0.5 * (k / deviation) * (k / deviation));
  middle[0] = (real)(1 / sum);
  for (int k = 1; k <= g->radius; k++) {
    middle[k] = (real)(exp(-0.5 * (k / deviation) * (k / deviation)) / sum);
    middle[-k] = middle[k];
  }
}

/* Uniform in -1..1 */
static inline real uniform(uint32_t draw) {
  return (real)(int32_t)draw * (real)0x1p-31;
}

static inline void draw_noise(Streams *streams, int n, real *noise) {
  uint32_t draws[STREAMS];
  int k = 0;
  for (; k + STREAMS <= n; k += STREAMS) {
    streams_draw(streams, draws);
    VECTOR_LOOP
    for (int l = 0; l < STREAMS; l++) noise[k + l] = uniform(draws[l]);
  }
  if (k == n) return;
  streams_draw(streams, draws);
  for (int l = 0; k + l < n; l++) noise[k + l] = uniform(draws[l]);
}

/* to_l = sum over k of weights_k from_(k, l) for `count` neighbours l, k in first..last-1 */
static inline void smooth_down(int count, int first, int last, const real *weights,
                               const real *from, int width, real *to) {
  real sums[BLOCK] = {0};
  for (int k = first; k < last; k++) {
    VECTOR_LOOP
    for (int l = 0; l < count; l++) sums[l] += weights[k] * from[k * width + l];
  }
  for (int l = 0; l < count; l++) to[l] = sums[l];
}

/* to_l = sum over k of weights_(l - k) from_k likewise */
static inline void smooth_along(int count, int first, int last, const real *weights,
                                const real *from, real *to) {
  real sums[BLOCK] = {0};
  for (int k = first; k < last; k++) {
    VECTOR_LOOP
    for (int l = 0; l < count; l++) sums[l] += weights[l - k] * from[k];
  }
  for (int l = 0; l < count; l++) to[l] = sums[l];
}

static inline int larger(int a, int b) {
  return a > b ? a : b;
}

static inline int smaller(int a, int b) {
  return a < b ? a : b;
}

/* Where the block after the one at x begins: the last one ends with the row, over others. */
static inline int next_block(int x, int width) {
  return x + BLOCK >= width ? width : smaller(x + BLOCK, width - BLOCK);
}

/*
** The field smoothed in both directions, in place, 0 outside; `between` is memory of its size. What
** ends the sums is the radius or the edge.
*/
static inline void smooth(const Gaussian *g, int width, int height, real *field, real *between) {
  for (int y = 0; y < height; y++) {
    int first = larger(0, y - g->radius);
    int last = smaller(height, y + g->radius + 1);
    const real *weights = weights_at(g, -y);
    real *to = between + y * width;
    if (width < BLOCK) smooth_down(width, first, last, weights, field, width, to);
    for (int x = 0; width >= BLOCK && x < width; x = next_block(x, width))
      smooth_down(BLOCK, first, last, weights, field + x, width, to + x);
  }
  for (int y = 0; y < height; y++) {
    const real *from = between + y * width;
    real *to = field + y * width;
    if (width < BLOCK) smooth_along(width, 0, width, weights_at(g, 0), from, to);
    for (int x = 0; width >= BLOCK && x < width; x = next_block(x, width)) {
      int first = larger(0, x - g->radius);
      int last = smaller(width, x + BLOCK + g->radius);
      smooth_along(BLOCK, first, last, weights_at(g, x), from, to + x);
    }
  }
}

/* What is added to the displacement of a pixel: constant + along x + down y */
typedef struct Slope {
  real constant;
  real along;
  real down;
} Slope;

/*
** The image is scaled, sheared, turned about its middle c and shifted by t, M being the inverse of
** the first three: pixel q of the result is at p = c + M (q - c - t) of the image.
*/
static inline void draw_slopes(Streams *streams, const Displacing *d, Slope *right, Slope *below) {
  uint32_t draws[STREAMS];
  double drawn[6];
  streams_draw(streams, draws);
  for (int k = 0; k < 6; k++) drawn[k] = (double)(int32_t)draws[k] * 0x1p-31;
  double t_x = d->ranges.shift * drawn[0];
  double t_y = d->ranges.shift * drawn[1];
  double sine = sin(d->ranges.angle * drawn[2]);
  double cosine = cos(d->ranges.angle * drawn[2]);
  double scale_x = 1 + d->ranges.scale * drawn[3];
  double scale_y = 1 + d->ranges.scale * drawn[4];
  double slant = tan(d->ranges.shear * drawn[5]);

  double m_xx = (cosine + slant * sine) / scale_x;
  double m_xy = (sine - slant * cosine) / scale_x;
  double m_yx = -sine / scale_y;
  double m_yy = cosine / scale_y;
  double x = 0.5 * (d->width - 1);
  double y = 0.5 * (d->height - 1);
  *right = (Slope){.along = (real)(m_xx - 1), .down = (real)m_xy};
  right->constant = (real)(-(m_xx - 1) * x - m_xy * y - m_xx * t_x - m_xy * t_y);
  *below = (Slope){.along = (real)m_yx, .down = (real)(m_yy - 1)};
  below->constant = (real)(-m_yx * x - (m_yy - 1) * y - m_yx * t_x - m_yy * t_y);
}

/* field = alpha field + slope; without alpha the field may be anything before. */
static inline void add_slope(int width, int height, real alpha, Slope slope, real *field) {
  for (int y = 0; y < height; y++) {
    real *row = field + y * width;
    real start = slope.constant + slope.down * (real)y;
    VECTOR_LOOP
    for (int x = 0; x < width; x++) {
      real moved = start + slope.along * (real)x;
      row[x] = alpha != 0 ? alpha * row[x] + moved : moved;
    }
  }
}

MULTIVERSION static void displace(const Displacing *d, int sample) {
  Streams streams;
  Slope right;
  Slope below;
  int pixels = d->width * d->height;
  real *D = d->D + sample * 2 * pixels;
  streams_seed(&streams, d->key, d->place + (uint64_t)sample);
  draw_slopes(&streams, d, &right, &below);
  if (d->alpha != 0) {
    real *between = d->S + sample * 2 * pixels;
    draw_noise(&streams, 2 * pixels, D);
    smooth(&d->gaussian, d->width, d->height, D, between);
    smooth(&d->gaussian, d->width, d->height, D + pixels, between + pixels);
  }
  add_slope(d->width, d->height, d->alpha, right, D);
  add_slope(d->width, d->height, d->alpha, below, D + pixels);
}

static void displace_samples(void *context, int first, int last) {
  for (int sample = first; sample < last; sample++) displace(context, sample);
}


/* Kernels: images between their pixels */

/* NaN becomes the lower bound. */
static inline real within(real x, real low, real high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

/* From a to b; a itself where nothing of b is wanted, so that what is not moved keeps its bits */
static inline real mixed(real fraction, real a, real b) {
  return fraction > 0 ? a + fraction * (b - a) : a;
}

/*
** One number of an image, of the pixel (x, y) in the channel at which `image` begins; 0 outside.
** There the nearest pixel is read and its bits are cleared, because a loop with reads that depend
** on a condition would not be vectorised.
*/
static inline real pixel(const Resampling *r, int channels, const real *image, int x, int y) {
  int column = smaller(larger(x, 0), r->width - 1);
  int row = smaller(larger(y, 0), r->height - 1);
  RealView view = {.value = image[(row * r->width + column) * channels]};
  view.bits &= 0 - (RealBits)(column == x && row == y);
  return view.value;
}

/* The image at (x, y), by bilinear interpolation; one pixel beyond its edges it is 0. */
static inline real resampled(const Resampling *r, int channels, const real *image, real x, real y) {
  x = within(x, -1, (real)r->width);
  y = within(y, -1, (real)r->height);
  int left = (int)(x + 1) - 1;
  int top = (int)(y + 1) - 1;
  real right_part = x - (real)left;
  real upper = mixed(right_part, pixel(r, channels, image, left, top),
                     pixel(r, channels, image, left + 1, top));
  real lower = mixed(right_part, pixel(r, channels, image, left, top + 1),
                     pixel(r, channels, image, left + 1, top + 1));
  return mixed(y - (real)top, upper, lower);
}

/* One channel of all pixels. Where a displacement is NaN, so is the result. */
static inline void resample_channel(const Resampling *r, int channels, const real *image,
                                    const real *right, const real *below, real *result) {
  for (int y = 0; y < r->height; y++) {
    int row = y * r->width;
    VECTOR_LOOP
    for (int x = 0; x < r->width; x++) {
      real d_x = right[row + x];
      real d_y = below[row + x];
      real value = resampled(r, channels, image, (real)x + d_x, (real)y + d_y);
      real sum = d_x + d_y;
      result[(row + x) * channels] = sum == sum ? value : sum;
    }
  }
}

MULTIVERSION static void resample(const Resampling *given, int sample) {
  const Resampling r = *given;
  int pixels = r.width * r.height;
  const real *image = r.X + sample * pixels * r.channels;
  const real *right = r.D + sample * 2 * pixels;
  const real *below = right + pixels;
  real *result = r.A + sample * pixels * r.channels;
  if (r.channels == 1) {  // whose pixels are neighbours, as the compiler then knows
    resample_channel(&r, 1, image, right, below, result);
    return;
  }
  for (int c = 0; c < r.channels; c++)
    resample_channel(&r, r.channels, image + c, right, below, result + c);
}

static void resample_samples(void *context, int first, int last) {
  for (int sample = first; sample < last; sample++) resample(context, sample);
}


/* Bindings */

/* How many samples do about as much work as an elementwise operation does for POOL_GRAIN elements,
   where each of their elements takes `times` as long */
static int samples_a_piece(int elements, int times) {
  return POOL_GRAIN / times / elements + 1;
}

static double check_range(lua_State *L, int arg, double most) {
  lua_Number range = matrix_check_number(L, arg);
  if (!(range >= 0 && range <= most))
    luaL_argerror(L, arg, lua_pushfstring(L, "number from 0 to %f expected", most));
  return range;
}

/* The width of images of so many pixels */
static int check_width(lua_State *L, int arg, int pixels) {
  lua_Integer width = luaL_checkinteger(L, arg);
  if (width < 1 || pixels % width != 0)
    luaL_argerror(L, arg, lua_pushfstring(L, "width of images of %d pixels expected", pixels));
  return (int)width;
}

/* displace(D, S, key, place, width, shift, angle, scale, shear, alpha, sigma) --> D */
static int distort_displace(lua_State *L) {
  const Matrix *D = matrix_check(L, 1);
  const Matrix *S = lua_isnil(L, 2) ? NULL : matrix_check_samples(L, 2, D->rows, D->cols);
  lua_Integer key = luaL_checkinteger(L, 3);
  lua_Integer place = luaL_checkinteger(L, 4);
  luaL_argcheck(L, D->rows % 2 == 0, 1, "two rows for each pixel expected");
  Displacing d = {.key = (uint64_t)key, .place = (uint64_t)place, .D = D->data};
  d.width = check_width(L, 5, D->rows / 2);
  d.height = D->rows / 2 / d.width;
  d.ranges.shift = check_range(L, 6, 1e6);
  d.ranges.angle = check_range(L, 7, 1e6);
  d.ranges.scale = check_range(L, 8, 0.99);
  d.ranges.shear = check_range(L, 9, 1.5);
  d.alpha = real_of(check_range(L, 10, 1e6));
  lua_Number sigma = matrix_check_number(L, 11);
  luaL_argcheck(L, sigma > 0 && sigma <= MOST_DEVIATION, 11,
                "number above 0, at most 64, expected");
  matrix_check_by_columns(L, 1, D);
  luaL_argcheck(L, S != NULL || d.alpha == 0, 2, "matrix to work in expected");
  if (S != NULL) matrix_check_distinct(L, 1, D, 2, S);

  if (S != NULL) d.S = S->data;
  FloatState host = float_state_change(FLOAT_PLAIN);
  set_gaussian(&d.gaussian, sigma);
  float_state_change(host);
  int times = d.alpha != 0 ? 16 : 1;
  pool_run_range(matrix_pool(L), D->cols, samples_a_piece(D->rows, times), displace_samples, &d);
  lua_settop(L, 1);
  return 1;
}

/* resample(A, X, D, width) --> A */
static int distort_resample(lua_State *L) {
  const Matrix *A = matrix_check(L, 1);
  const Matrix *X = matrix_check_samples(L, 2, A->rows, A->cols);
  const Matrix *D = matrix_check(L, 3);
  matrix_check_size(L, 3, D, D->rows, A->cols);
  bool is_field = D->rows % 2 == 0 && A->rows % (D->rows / 2) == 0;
  luaL_argcheck(L, is_field, 3, "two rows for each pixel expected");
  Resampling r = {.D = D->data, .X = X->data, .A = A->data};
  r.width = check_width(L, 4, D->rows / 2);
  r.height = D->rows / 2 / r.width;
  r.channels = A->rows / (D->rows / 2);
  matrix_check_by_columns(L, 1, A);
  matrix_check_by_columns(L, 3, D);
  matrix_check_distinct(L, 1, A, 2, X);
  matrix_check_distinct(L, 1, A, 3, D);

  pool_run_range(matrix_pool(L), A->cols, samples_a_piece(A->rows, 8), resample_samples, &r);
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"displace", distort_displace},
  {"resample", distort_resample},
  {NULL,       NULL            },
};

void distort_open(lua_State *L) {
  matrix_register(L, functions);
}
