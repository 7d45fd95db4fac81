/*
** matrix.h - the matrix userdata, and what every other file may ask of it.
**
** Every function of a core is registered with two upvalues: the metatable of its matrices, which is
** what they are recognised by, and the pool of threads.
*/
#ifndef PERILUNE_MATRIX_H
#define PERILUNE_MATRIX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "pool.h"
#include "real.h"

#define MATRIX "perilune.matrix." REAL_NAME

/* Which elements are neighbours in memory. Vectors are always said to be stored BY_COLUMNS. */
typedef enum Order { BY_COLUMNS, BY_ROWS } Order;

/*
** Dense: element (i, j) is data[j * rows + i] or, by rows, data[i * cols + j]. rows, cols >= 1 and
** rows * cols <= INT_MAX, so index arithmetic is plain int. The elements follow the header in the
** same userdata; a view has its owner as user value instead.
*/
typedef struct Matrix {
  int rows;
  int cols;
  Order order;
  real *data;
} Matrix;

static inline int matrix_size(const Matrix *m) {
  return m->rows * m->cols;
}

static inline int matrix_index(const Matrix *m, int i, int j) {
  return m->order == BY_ROWS ? i * m->cols + j : j * m->rows + i;
}

/* The same elements seen as the transpose, which is stored in the other order */
static inline Matrix matrix_transposed(const Matrix *m) {
  Order order = m->order == BY_ROWS ? BY_COLUMNS : BY_ROWS;
  return (Matrix){.rows = m->cols, .cols = m->rows, .order = order, .data = m->data};
}

static inline Pool *matrix_pool(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(2));
}

/* Push a new matrix, its elements not set. Raises when the size is out of range. */
Matrix *matrix_new(lua_State *L, lua_Integer rows, lua_Integer cols, Order order);

/* Argument `arg`, or NULL when it is not a matrix of this core. */
Matrix *matrix_test(lua_State *L, int arg);

/* Argument `arg`, which must be a matrix of this core. */
Matrix *matrix_check(lua_State *L, int arg);

/* Arguments first..first+count-1, at most 8, which must be matrices of this core, into the list
   `m`; but the argument `optional`, where it is among them, may be nil, and is NULL then. */
void matrix_check_list(lua_State *L, int first, int count, int optional, Matrix **m);

/* Argument `arg`, which is the matrix m, must have this shape. */
void matrix_check_size(lua_State *L, int arg, const Matrix *m, int rows, int cols);

/* Argument `arg`, which must be a matrix of this core and of this shape. */
Matrix *matrix_check_shape(lua_State *L, int arg, int rows, int cols);

/*
** Argument `arg`, which must be a matrix of this core and of this shape, stored by columns: its
** samples are contiguous.
*/
Matrix *matrix_check_samples(lua_State *L, int arg, int rows, int cols);

/* Argument `arg`, which is the matrix m, must be stored by columns. */
void matrix_check_by_columns(lua_State *L, int arg, const Matrix *m);

static inline bool matrix_overlaps(const Matrix *a, const Matrix *b) {
  return (uintptr_t)a->data < (uintptr_t)(b->data + matrix_size(b)) &&
         (uintptr_t)b->data < (uintptr_t)(a->data + matrix_size(a));
}

/* Raise: argument `arg` must not share memory with argument `other`. */
void matrix_overlap_error(lua_State *L, int arg, int other);

/* The arguments `arg` and `other`, the matrices a and b, must share no element. */
static inline void matrix_check_distinct(lua_State *L, int arg, const Matrix *a, int other,
                                         const Matrix *b) {
  if (matrix_overlaps(a, b)) matrix_overlap_error(L, arg, other);
}

/*
** The arguments `arg` and `other`, the matrices a and b, must be the same elements in the same
** order.
*/
void matrix_check_same(lua_State *L, int arg, const Matrix *a, int other, const Matrix *b);

/*
** The arguments `arg` and `other`, the matrices a and b, must be the same elements in the same
** order, or share none.
*/
static inline void matrix_check_aligned(lua_State *L, int arg, const Matrix *a, int other,
                                        const Matrix *b) {
  if (matrix_overlaps(a, b)) matrix_check_same(L, arg, a, other, b);
}

/* `m`, or a copy of it in the given order, pushed on the stack. */
const Matrix *matrix_in_order(lua_State *L, const Matrix *m, Order order);

/* Copy the elements; the shapes are the same, the orders may differ. */
void matrix_copy(Matrix *to, const Matrix *from);

/*
** Argument `arg`, which must be a number: strings that look like one are refused, as elements of
** tables are.
*/
lua_Number matrix_check_number(lua_State *L, int arg);

/* The same, rounded to the element type */
real matrix_check_element(lua_State *L, int arg);

/* The optional argument "columns" or "rows". */
Order matrix_check_order(lua_State *L, int arg);

/* Register functions in the table on top of the stack, with the two upvalues. */
void matrix_register(lua_State *L, const luaL_Reg *list);

/* Add methods to those of all matrices. */
void matrix_register_methods(lua_State *L, const luaL_Reg *list);

/*
** Replace the value on top of the stack by a function with the two upvalues and, as a third, that
** value.
*/
void matrix_push_closure(lua_State *L, lua_CFunction function);

/* Each adds its functions to the table on top of the stack. */
void matrix_open(lua_State *L);
void product_open(lua_State *L);
void cholesky_open(lua_State *L);
void reduce_open(lua_State *L);
void elementwise_open(lua_State *L);
void affine_open(lua_State *L);
void softmax_open(lua_State *L);
void activation_open(lua_State *L);
void dense_open(lua_State *L);
void prelu_open(lua_State *L);
void loss_elements_open(lua_State *L);
void loss_columns_open(lua_State *L);
void loss_softmax_open(lua_State *L);
void update_descent_open(lua_State *L);
void update_adam_open(lua_State *L);
void update_adaptive_open(lua_State *L);
void update_rprop_open(lua_State *L);
void random_open(lua_State *L);
void bytes_open(lua_State *L);
void octets_open(lua_State *L);
void gather_open(lua_State *L);
void rows_open(lua_State *L);
void select_open(lua_State *L);
void distort_open(lua_State *L);
void dropout_open(lua_State *L);
void embedding_open(lua_State *L);
void ranking_open(lua_State *L);
void cells_open(lua_State *L);
void prepare_open(lua_State *L);
void sort_open(lua_State *L);

#endif
