/*
** octets.h - a block of bytes that is filled piece by piece. A string would need all its pieces
** beside it when it is made.
*/
#ifndef PERILUNE_OCTETS_H
#define PERILUNE_OCTETS_H

#include <lua.h>
#include <stddef.h>

/* The bytes of argument `arg`, a string (and no number) or octets, and how many there are */
const char *octets_check(lua_State *L, int arg, size_t *length);

#endif
