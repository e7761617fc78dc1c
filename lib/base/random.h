/* random.h: counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A number is a pure function of key, stream and position: no state, so the same row,
 * sample and place give the same draw whatever else runs beside it.
 */
#ifndef RANDOM_H
#define RANDOM_H
#include <stddef.h>
#include <stdint.h>

/* What keys a row's numbers: a hash of seed, row key, occurrence and policy version. */
struct random_key {
    uint64_t lo, hi;
};

/* One block of 128 random bits: out[4] from counter[4] and key[2]. */
void random_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* Uniform in [0, 1), 53 bits, for one sample (0..n-1) at one position (0..). */
double random_unit(struct random_key key, uint32_t sample, uint32_t position);

/* Key from any bytes (XXH3-128 seeded with seed). */
struct random_key random_key_of(uint64_t seed, const void *bytes, size_t n);
#endif
