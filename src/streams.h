/*
** streams.h - random numbers that follow from a key and a place, such as the number of a block or
** of a sample: so any piece of work draws its own, in any order, on any thread. Several generators
** run side by side, one in each lane of a vector register.
*/
#ifndef PERILUNE_STREAMS_H
#define PERILUNE_STREAMS_H

#include "vector.h"

#define STREAMS 16  // generators side by side

/* xoshiro128++ (Blackman and Vigna 2021), STREAMS of them */
typedef struct Streams {
  uint32_t s[4][STREAMS];
} Streams;

/* splitmix64 (Steele et al. 2014) */
static inline uint64_t streams_next_seed(uint64_t *state) {
  *state += 0x9E3779B97F4A7C15U;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

static inline void streams_seed(Streams *streams, uint64_t key, uint64_t place) {
  uint64_t mixed = key + place * 0xD1342543DE82EF95U;
  uint64_t state = streams_next_seed(&mixed);
  for (int lane = 0; lane < STREAMS; lane++) {
    for (int word = 0; word < 4; word += 2) {
      uint64_t bits = streams_next_seed(&state);
      streams->s[word][lane] = (uint32_t)bits;
      streams->s[word + 1][lane] = (uint32_t)(bits >> 32);
    }
  }
}

static inline uint32_t streams_rotated(uint32_t x, int bits) {
  return x << bits | x >> (32 - bits);
}

/* 32 random bits of each generator */
static inline void streams_draw(Streams *streams, uint32_t *draws) {
  uint32_t *s0 = streams->s[0];
  uint32_t *s1 = streams->s[1];
  uint32_t *s2 = streams->s[2];
  uint32_t *s3 = streams->s[3];
  VECTOR_LOOP
  for (int l = 0; l < STREAMS; l++) {
    draws[l] = streams_rotated(s0[l] + s3[l], 7) + s0[l];
    uint32_t t = s1[l] << 9;
    s2[l] ^= s0[l];
    s3[l] ^= s1[l];
    s1[l] ^= s2[l];
    s0[l] ^= s3[l];
    s2[l] ^= t;
    s3[l] = streams_rotated(s3[l], 11);
  }
}

#endif
