/*
** float_state.h - how the processor rounds, what it traps and whether it flushes denormals to zero.
** A host may have set any of these for its own arithmetic; ours must neither depend on them nor
** change them.
*/
#ifndef PERILUNE_FLOAT_STATE_H
#define PERILUNE_FLOAT_STATE_H

#include <stdint.h>

#if defined(__x86_64__)

#include <immintrin.h>

typedef unsigned FloatState;

/* Round to nearest, no traps; and, for tasks, denormals are zero and results are flushed to zero */
#define FLOAT_PLAIN 0x1F80U
#define FLOAT_TASK  0x9FC0U

/* All bits but those that only report what has happened */
#define FLOAT_CONTROL 0xFFC0U

static inline FloatState float_state_get(void) {
  return _mm_getcsr();
}

static inline void float_state_set(FloatState state) {
  _mm_setcsr(state);
}

#elif defined(__aarch64__)

typedef uint64_t FloatState;

#define FLOAT_PLAIN   ((uint64_t)0)
#define FLOAT_TASK    ((uint64_t)1 << 24)
#define FLOAT_CONTROL (~(uint64_t)0)

static inline FloatState float_state_get(void) {
  FloatState state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}

static inline void float_state_set(FloatState state) {
  __asm__ volatile("msr fpcr, %0" : : "r"(state) : "memory");
}

#else

typedef int FloatState;

#define FLOAT_PLAIN   0
#define FLOAT_TASK    0
#define FLOAT_CONTROL 0

static inline FloatState float_state_get(void) {
  return 0;
}

static inline void float_state_set(FloatState state) {
  (void)state;
}

#endif

/*
** Go on in the given state and return the one before, to be given back in the same way. Asking is
** much cheaper than setting, which waits for all arithmetic under way. What the compiler may keep
** in registers it may also compute before or after: put arithmetic between two of these into a
** function called by pointer, or let it read and write memory.
*/
static inline FloatState float_state_change(FloatState state) {
  FloatState before = float_state_get();
  if ((before ^ state) & FLOAT_CONTROL) float_state_set(state);
  return before;
}

#endif
