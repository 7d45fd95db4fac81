/*
** octets.c - a block of bytes as userdata. It knows no element type: whichever core made it, it
** serves both.
*/
#include "octets.h"

#include <string.h>

#include "matrix.h"

#define OCTETS "perilune.octets"

typedef struct Octets {
  size_t capacity;
  size_t length;  // bytes that there are; the others were never written and cannot be read
  char bytes[];
} Octets;

const char *octets_check(lua_State *L, int arg, size_t *length) {
  if (lua_type(L, arg) == LUA_TSTRING) return lua_tolstring(L, arg, length);
  const Octets *o = luaL_testudata(L, arg, OCTETS);
  if (o == NULL) {
    luaL_typeerror(L, arg, "string or octets");
    return NULL;
  }
  *length = o->length;
  return o->bytes;
}

static Octets *check_self(lua_State *L) {
  return luaL_checkudata(L, 1, OCTETS);
}

/* octets(capacity) --> o, empty */
static int octets_new(lua_State *L) {
  lua_Integer capacity = luaL_checkinteger(L, 1);
  luaL_argcheck(L, capacity >= 0 && (size_t)capacity <= PTRDIFF_MAX - sizeof(Octets), 1,
                "number of bytes expected");
  Octets *o = lua_newuserdatauv(L, sizeof(Octets) + (size_t)capacity, 0);
  o->capacity = (size_t)capacity;
  o->length = 0;
  luaL_setmetatable(L, OCTETS);
  return 1;
}

/* o:append(bytes) --> o */
static int octets_append(lua_State *L) {
  Octets *o = check_self(L);
  size_t length = 0;
  const char *bytes = octets_check(L, 2, &length);
  size_t room = o->capacity - o->length;
  if (length > room) {
    return luaL_error(L, "at most %I more bytes expected, got %I", (LUAI_UACINT)room,
                      (LUAI_UACINT)length);
  }

  memcpy(o->bytes + o->length, bytes, length);
  o->length += length;
  lua_settop(L, 1);
  return 1;
}

/* A place in a string as string.sub counts: from the end where it is negative */
static lua_Integer place(lua_Integer given, size_t length) {
  return given >= 0 ? given : given + (lua_Integer)length + 1;
}

/* o:sub(first [, last]) --> string, as of a string */
static int octets_sub(lua_State *L) {
  const Octets *o = check_self(L);
  lua_Integer first = place(luaL_checkinteger(L, 2), o->length);
  lua_Integer last = place(luaL_optinteger(L, 3, -1), o->length);
  if (first < 1) first = 1;
  if (last > (lua_Integer)o->length) last = (lua_Integer)o->length;
  size_t count = first <= last ? (size_t)(last - first) + 1 : 0;
  lua_pushlstring(L, count == 0 ? "" : o->bytes + first - 1, count);
  return 1;
}

/* #o */
static int octets_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_self(L)->length);
  return 1;
}

/* tostring(o) --> its bytes */
static int octets_tostring(lua_State *L) {
  const Octets *o = check_self(L);
  lua_pushlstring(L, o->bytes, o->length);
  return 1;
}

static const luaL_Reg functions[] = {
  {"octets", octets_new},
  {NULL,     NULL      },
};

static const luaL_Reg methods[] = {
  {"append", octets_append},
  {"sub",    octets_sub   },
  {NULL,     NULL         },
};

static const luaL_Reg metamethods[] = {
  {"__len",      octets_length  },
  {"__tostring", octets_tostring},
  {NULL,         NULL           },
};

/* Done anew by each core: see random_open. */
void octets_open(lua_State *L) {
  matrix_register(L, functions);
  luaL_newmetatable(L, OCTETS);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushliteral(L, "octets");
  lua_setfield(L, -2, "__metatable");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
