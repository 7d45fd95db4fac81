/*
** What a host may do to the processor's floating-point state, as functions that Lua's
** package.loadlib finds
*/
#define _GNU_SOURCE  // feenableexcept
#include <fenv.h>

struct lua_State;

int trap(struct lua_State *L);
int round_upward(struct lua_State *L);
int round_to_nearest(struct lua_State *L);

int trap(struct lua_State *L) {
  (void)L;
  feclearexcept(FE_ALL_EXCEPT);
  feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW);
  return 0;
}

int round_upward(struct lua_State *L) {
  (void)L;
  fesetround(FE_UPWARD);
  return 0;
}

int round_to_nearest(struct lua_State *L) {
  (void)L;
  fesetround(FE_TONEAREST);
  return 0;
}
