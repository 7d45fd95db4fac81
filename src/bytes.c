/*
** bytes.c - matrices to binary strings and back, and to the other element type.
*/
#include <string.h>

#include "matrix.h"

/* What encode makes, what any real can hold, and from INT32 on what it may not */
typedef enum Type {
  UINT8,
  FLOAT32,
  FLOAT64,
  INT8,
  INT16,
  UINT16,
  INT32,
  UINT32,
  INT64,
  UINT64
} Type;

static const Type own_type = sizeof(real) == sizeof(float) ? FLOAT32 : FLOAT64;

static const char *const encoded_names[] = {"uint8", "float32", "float64", NULL};
static const char *const decoded_names[] = {"uint8", "float32", "float64", "int8",
                                            "int16", "uint16",  "int32",   "uint32",
                                            "int64", "uint64",  NULL};
static const size_t widths[] = {1, 4, 8, 1, 2, 2, 4, 4, 8, 8};

static bool is_big_endian_host(void) {
  const uint16_t one = 1;
  uint8_t first = 0;
  memcpy(&first, &one, 1);
  return first == 0;
}


/* Kernels. `reversed`: the bytes of a number follow in the order that is not this machine's. */

static void reverse(uint8_t *bytes, size_t width) {
  for (size_t k = 0; k < width / 2; k++) {
    uint8_t byte = bytes[k];
    bytes[k] = bytes[width - 1 - k];
    bytes[width - 1 - k] = byte;
  }
}

static void encode_one(real x, Type type, bool reversed, uint8_t *bytes) {
  float narrow = (float)x;
  double wide = (double)x;
  if (type == UINT8)
    bytes[0] = (uint8_t)round((double)x);
  else if (type == FLOAT32)
    memcpy(bytes, &narrow, sizeof narrow);
  else
    memcpy(bytes, &wide, sizeof wide);
  if (reversed) reverse(bytes, widths[type]);
}

/* An element's bytes as this machine has them */
typedef union Element {
  uint8_t bytes[8];
  float float32;
  double float64;
  int8_t int8;
  int16_t int16;
  int32_t int32;
  int64_t int64;
  uint16_t uint16;
  uint32_t uint32;
  uint64_t uint64;
} Element;

static Element element_of(const uint8_t *bytes, Type type, bool reversed) {
  Element x = {.uint64 = 0};
  memcpy(x.bytes, bytes, widths[type]);
  if (reversed) reverse(x.bytes, widths[type]);
  return x;
}

static real decode_one(const uint8_t *bytes, Type type, bool reversed) {
  Element x = element_of(bytes, type, reversed);
  switch (type) {
  case UINT8:
    return (real)x.bytes[0];
  case FLOAT32:
    return (real)x.float32;
  case FLOAT64:
    return (real)x.float64;
  case INT8:
    return (real)x.int8;
  case INT16:
    return (real)x.int16;
  case INT32:
    return (real)x.int32;
  case INT64:
    return (real)x.int64;
  case UINT16:
    return (real)x.uint16;
  case UINT32:
    return (real)x.uint32;
  default:
    return (real)x.uint64;
  }
}

/* The absolute value of an element of a type with whole numbers that a real may not hold, else 0 */
static uint64_t magnitude_of(Element x, Type type) {
  switch (type) {
  case INT32:
    return x.int32 < 0 ? 0 - (uint64_t)x.int32 : (uint64_t)x.int32;
  case INT64:
    return x.int64 < 0 ? 0 - (uint64_t)x.int64 : (uint64_t)x.int64;
  case UINT32:
    return x.uint32;
  case UINT64:
    return x.uint64;
  default:
    return 0;
  }
}

/* Whether a whole number needs no more bits than a real has, from its first 1 to its last. */
static bool is_exact(uint64_t magnitude) {
  return magnitude == 0 || magnitude >> __builtin_ctzll(magnitude) >> (REAL_MANTISSA + 1) == 0;
}

/* How many elements there are up to the first that is a whole number which a real cannot hold */
static int count_exact(int count, const uint8_t *bytes, Type type, bool reversed) {
  if (type < INT32) return count;
  for (int k = 0; k < count; k++) {
    Element x = element_of(bytes + (size_t)k * widths[type], type, reversed);
    if (!is_exact(magnitude_of(x, type))) return k;
  }
  return count;
}

/* Where M keeps its element k, counted in the given order */
static inline int place(const Matrix *M, Order order, int k) {
  if (M->order == order) return k;
  int length = order == BY_ROWS ? M->cols : M->rows;
  return k % length * (matrix_size(M) / length) + k / length;
}

/*
** Elements first..first+count-1 of M as bytes, up to one that is not in the type's range; returns
** how many those are.
*/
static int encode(const Matrix *M, Order order, int first, int count, Type type, bool reversed,
                  uint8_t *bytes) {
  for (int k = 0; k < count; k++) {
    real x = M->data[place(M, order, first + k)];
    if (type == UINT8 && !((double)x > -0.5 && (double)x < 255.5)) return k;
    encode_one(x, type, reversed, bytes + (size_t)k * widths[type]);
  }
  return count;
}

/* Set elements first..first+count-1 of M, counted in the given order. */
static void decode(const Matrix *M, Order order, int first, int count, const uint8_t *bytes,
                   Type type, bool reversed) {
  if (type == own_type && !reversed && M->order == order) {
    memcpy(M->data + first, bytes, (size_t)count * sizeof(real));
    return;
  }
  FloatState host = float_state_change(FLOAT_PLAIN);
  for (int k = 0; k < count; k++) {
    real x = decode_one(bytes + (size_t)k * widths[type], type, reversed);
    M->data[place(M, order, first + k)] = x;
  }
  float_state_change(host);
}


/* Bindings */

static Type check_type(lua_State *L, int arg, const char *const *names) {
  return (Type)luaL_checkoption(L, arg, NULL, names);
}

/* Raise where a matrix of this type would hold another whole number than the bytes do. */
static void check_exact(lua_State *L, int count, const uint8_t *bytes, Type type, bool reversed) {
  int exact = count_exact(count, bytes, type, reversed);
  if (exact == count) return;
  Element x = element_of(bytes + (size_t)exact * widths[type], type, reversed);
  bool is_negative = (type == INT32 && x.int32 < 0) || (type == INT64 && x.int64 < 0);
  char digits[24];
  char *first = digits + sizeof digits;
  *--first = '\0';
  for (uint64_t left = magnitude_of(x, type); left > 0; left /= 10) {
    *--first = (char)('0' + left % 10);
  }
  luaL_error(L, "element %d is %s%s, which %s does not hold exactly", exact + 1,
             is_negative ? "-" : "", first, REAL_NAME);
}

static bool check_reversed(lua_State *L, int arg) {
  static const char *const names[] = {"little", "big", NULL};
  return (luaL_checkoption(L, arg, names[0], names) == 1) != is_big_endian_host();
}

/* M:encode(type [, endian [, order [, first, last]]]) --> string */
static int bytes_encode(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  Type type = check_type(L, 2, encoded_names);
  bool reversed = check_reversed(L, 3);
  Order order = matrix_check_order(L, 4);
  int size = matrix_size(M);
  lua_Integer first = luaL_optinteger(L, 5, 1);
  lua_Integer last = luaL_optinteger(L, 6, size);
  if (first < 1 || last < first || last > size) {
    return luaL_error(L, "elements within 1 to %d expected, got %I to %I", size, (LUAI_UACINT)first,
                      (LUAI_UACINT)last);
  }
  int start = (int)first - 1;
  int count = (int)(last - first) + 1;

  luaL_Buffer buffer;
  size_t width = widths[type];
  uint8_t *bytes = (uint8_t *)luaL_buffinitsize(L, &buffer, (size_t)count * width);
  /*
  ** Checked as they are encoded: the buffer may have been made by a collection whose finalisers
  ** changed elements.
  */
  FloatState host = float_state_change(FLOAT_PLAIN);
  int encoded = encode(M, order, start, count, type, reversed, bytes);
  float_state_change(host);
  if (encoded < count) {
    return luaL_error(L, "elements from 0 to 255 expected for uint8, got %f",
                      real_to_number(M->data[place(M, order, start + encoded)]));
  }
  luaL_pushresultsize(&buffer, (size_t)count * width);
  return 1;
}

/*
** M:decode(bytes, type [, endian [, order [, first]]]) --> M, its elements from `first` on those in
** the string
*/
static int bytes_decode_into(lua_State *L) {
  const Matrix *M = matrix_check(L, 1);
  size_t length = 0;
  const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, 2, &length);
  Type type = check_type(L, 3, decoded_names);
  bool reversed = check_reversed(L, 4);
  Order order = matrix_check_order(L, 5);
  lua_Integer first = luaL_optinteger(L, 6, 1);
  int size = matrix_size(M);
  luaL_argcheck(L, first >= 1 && first <= size, 6, "element within the matrix expected");
  size_t width = widths[type];
  int left = size - (int)first + 1;
  if (length % width != 0 || length / width > (size_t)left) {
    return luaL_error(L, "at most %d elements of %d bytes expected, got %I bytes", left, (int)width,
                      (LUAI_UACINT)length);
  }
  check_exact(L, (int)(length / width), bytes, type, reversed);

  decode(M, order, (int)first - 1, (int)(length / width), bytes, type, reversed);
  lua_settop(L, 1);
  return 1;
}

/* decode(bytes, type, rows, cols [, endian [, offset [, order]]]) --> M */
static int bytes_decode(lua_State *L) {
  size_t length = 0;
  const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, 1, &length);
  Type type = check_type(L, 2, decoded_names);
  lua_Integer rows = luaL_checkinteger(L, 3);
  lua_Integer cols = luaL_checkinteger(L, 4);
  bool reversed = check_reversed(L, 5);
  lua_Integer offset = luaL_optinteger(L, 6, 0);
  Order order = matrix_check_order(L, 7);
  luaL_argcheck(L, offset >= 0 && (size_t)offset <= length, 6, "offset within the string expected");
  size_t available = length - (size_t)offset;
  size_t elements = available / widths[type];
  if (rows < 1 || cols < 1 || (size_t)rows > elements || (size_t)cols > elements / (size_t)rows) {
    return luaL_error(L, "%I x %I elements of %d bytes expected, got %I bytes", (LUAI_UACINT)rows,
                      (LUAI_UACINT)cols, (int)widths[type], (LUAI_UACINT)available);
  }
  const Matrix *M = matrix_new(L, rows, cols, order);
  check_exact(L, matrix_size(M), bytes + offset, type, reversed);

  decode(M, order, 0, matrix_size(M), bytes + offset, type, reversed);
  return 1;
}

/* M:to(name) --> a copy in the element type `name` */
static int bytes_to(lua_State *L) {
  static const char *const names[] = {"float32", "float64", NULL};
  static const char *const cores[] = {"perilune.core.float32", "perilune.core.float64"};
  const Matrix *M = matrix_check(L, 1);
  int type = luaL_checkoption(L, 2, NULL, names);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, cores[type]) != LUA_TTABLE) {
    return luaL_error(L, "%s is not loaded", cores[type]);
  }
  lua_getfield(L, -1, "decode");

  const char *order = M->order == BY_ROWS ? "rows" : "columns";
  lua_getfield(L, 1, "encode");
  lua_pushvalue(L, 1);
  lua_pushliteral(L, REAL_NAME);
  lua_pushnil(L);
  lua_pushstring(L, order);
  lua_call(L, 4, 1);
  lua_pushliteral(L, REAL_NAME);
  lua_pushinteger(L, M->rows);
  lua_pushinteger(L, M->cols);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushstring(L, order);
  lua_call(L, 7, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  {"decode", bytes_decode},
  {NULL,     NULL        },
};

static const luaL_Reg methods[] = {
  {"decode", bytes_decode_into},
  {"encode", bytes_encode     },
  {"to",     bytes_to         },
  {NULL,     NULL             },
};

void bytes_open(lua_State *L) {
  matrix_register(L, functions);
  matrix_register_methods(L, methods);
}
