/*
** update.c - the steps of optimisers as functions of Lua: one driver, which checks what any rule
** takes and runs its kernel. The rules are in update_*.c, by family.
*/
#include "update.h"

/* What a number must be */
typedef enum Range {
  AMOUNT,    // >= 0 and finite in the element type
  POSITIVE,  // the same, and > 0
  FRACTION,  // in [0, 1)
  COUNT,     // a whole number >= 1
  FLAG,      // true or false; nil is false
} Range;

static const Range ranges[NUMBERS] = {
  [RATE] = AMOUNT,     [DECAY] = AMOUNT,    [MU] = FRACTION,     [NESTEROV] = FLAG,
  [ALPHA] = FRACTION,  [BETA1] = FRACTION,  [BETA2] = FRACTION,  [EPSILON] = POSITIVE,
  [STEP] = COUNT,      [NOW] = AMOUNT,      [AHEAD] = AMOUNT,    [ETA_MINUS] = FRACTION,
  [ETA_PLUS] = AMOUNT, [STEP_MIN] = AMOUNT, [STEP_MAX] = AMOUNT,
};

static double check_amount(lua_State *L, int arg) {
  double x = matrix_check_number(L, arg);
  luaL_argcheck(L, x >= 0 && x <= (double)REAL_LARGEST, arg, "finite number >= 0 expected");
  return x;
}

static double check_number(lua_State *L, int arg, Number number) {
  if (number == DECAY && lua_isnoneornil(L, arg)) return 0;  // the one that may be left out
  double x = 0;
  switch (ranges[number]) {
  case AMOUNT:
    return check_amount(L, arg);
  case POSITIVE:
    x = check_amount(L, arg);
    luaL_argcheck(L, x > 0, arg, "number > 0 expected");
    return x;
  case FRACTION:
    x = matrix_check_number(L, arg);
    luaL_argcheck(L, x >= 0 && x < 1, arg, "number in [0, 1) expected");
    return x;
  case COUNT:
    x = (double)luaL_checkinteger(L, arg);
    luaL_argcheck(L, x >= 1, arg, "step >= 1 expected");
    return x;
  case FLAG:
    return lua_toboolean(L, arg);
  }
  return x;
}

/*
** The matrices from argument 1 on, p first: of one shape and order, none overlapping another; the
** last `optional` ones may be nil.
*/
static Update check_matrices(lua_State *L, int count, int optional) {
  Matrix *matrices[2 + MOST_KEPT] = {NULL};
  matrix_check_list(L, 1, count - optional, 0, matrices);
  for (int arg = count - optional + 1; arg <= count; arg++) {
    if (!lua_isnil(L, arg)) matrices[arg - 1] = matrix_check(L, arg);
  }
  const Matrix *p = matrices[0];
  Update u = {.p = p->data, .g = matrices[1]->data, .size = matrix_size(p)};
  for (int arg = 2; arg <= count; arg++) {
    const Matrix *m = matrices[arg - 1];
    if (m == NULL) continue;
    matrix_check_size(L, arg, m, p->rows, p->cols);
    luaL_argcheck(L, m->order == p->order, arg,
                  "matrix stored in the order of argument #1 expected");
    for (int other = 1; other < arg; other++) {
      if (matrices[other - 1] == NULL) continue;
      matrix_check_distinct(L, arg, m, other, matrices[other - 1]);
    }
    if (arg > 2) u.kept[arg - 3] = m->data;
  }
  return u;
}

/* For the rule in upvalue 3 */
static int update(lua_State *L) {
  const Rule *rule = lua_touserdata(L, lua_upvalueindex(3));
  int matrices = 2 + rule->kept;
  Update u = check_matrices(L, matrices, rule->optional);
  for (int k = 0; k < MOST_NUMBERS && rule->numbers[k] != END; k++) {
    Number number = rule->numbers[k];
    u.numbers[number] = check_number(L, matrices + 1 + k, number);
  }

  pool_run_range(matrix_pool(L), u.size, POOL_GRAIN, rule->kernel, &u);
  lua_settop(L, 1);
  return 1;
}

void update_register(lua_State *L, const Rule *rules, int count) {
  for (int k = 0; k < count; k++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)&rules[k]);
    matrix_push_closure(L, update);
    lua_setfield(L, -2, rules[k].name);
  }
}
