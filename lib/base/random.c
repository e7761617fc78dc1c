/* random.c: see random.h. Constants from the paper's reference code. */
#include "base/random.h"

#include <xxhash.h>

void random_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

double random_unit(struct random_key key, uint32_t sample, uint32_t position)
{
    uint32_t out[4];
    const uint32_t counter[4] = {position, sample, (uint32_t)key.hi,
                                 (uint32_t)(key.hi >> 32)};
    const uint32_t k[2] = {(uint32_t)key.lo, (uint32_t)(key.lo >> 32)};
    random_philox(out, counter, k);
    uint64_t bits = ((uint64_t)out[0] << 32 | out[1]) >> 11;
    return (double)bits * 0x1p-53;
}

struct random_key random_key_of(uint64_t seed, const void *bytes, size_t n)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n, seed);
    return (struct random_key){h.low64, h.high64};
}
