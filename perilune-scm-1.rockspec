rockspec_format = "3.0"
package = "perilune"
version = "scm-1"
source = {
  -- No public repository yet (.invalid never resolves): build from a checkout with `luarocks make`.
  url = "git+https://perilune.invalid/perilune.git",
}
description = {
  summary = "Feed-forward neural networks for Lua 5.4 and 5.5",
  detailed = [[
A C core gives Lua a matrix type and the forward and backpropagation primitives on OpenBLAS, in single
and double precision; Lua composes layers, losses, optimisers and training loops on top of it.]],
  license = "MIT",
  labels = { "neural-network", "machine-learning", "matrix" },
}
dependencies = {
  "lua >= 5.4, < 5.6",
  "argparse",
  "dkjson",
  "lua-zlib",
  "luafilesystem",
}
external_dependencies = {
  -- The library alone: where its header lies differs too much, so the Makefile asks pkg-config.
  OPENBLAS = { library = "openblas" },
}
build = {
  type = "make",
  variables = { LUA = "$(LUA)" },
  build_variables = {
    CC = "$(CC)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
  },
  install_variables = {
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
  },
}
