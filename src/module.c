/*
** module.c - luaopen: the functions of every file in one table.
*/
#include "matrix.h"

__attribute__((visibility("default"))) int luaopen_core(lua_State *L);

int luaopen_core(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  lua_pushliteral(L, REAL_NAME);
  lua_setfield(L, -2, "name");
  matrix_open(L);
  product_open(L);
  cholesky_open(L);
  reduce_open(L);
  elementwise_open(L);
  affine_open(L);
  softmax_open(L);
  activation_open(L);
  dense_open(L);
  prelu_open(L);
  loss_elements_open(L);
  loss_columns_open(L);
  loss_softmax_open(L);
  update_descent_open(L);
  update_adam_open(L);
  update_adaptive_open(L);
  update_rprop_open(L);
  random_open(L);
  bytes_open(L);
  octets_open(L);
  gather_open(L);
  rows_open(L);
  select_open(L);
  distort_open(L);
  dropout_open(L);
  embedding_open(L);
  ranking_open(L);
  cells_open(L);
  prepare_open(L);
  sort_open(L);
  return 1;
}
