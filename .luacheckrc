-- Luacheck's options: Lua 5.4 and, as everywhere, lines of at most 100 columns.
std = "lua54"
max_line_length = 100
max_comment_line_length = 100
cache = false
-- not (x <= y): unlike x > y, it is true of a NaN
ignore = { "581" }

files["spec"] = { std = "+busted" }

-- Types and documentation for editors, never run: classes without a user, functions without a body.
files["lua/perilune/core/meta.lua"] = { unused = false, max_line_length = false }
