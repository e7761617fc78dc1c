/* kernels-arrays.h: what kernels-test computes with: random arrays on devices of the
 * table under test. Included by that one program. */
#ifndef KERNELS_ARRAYS_H
#define KERNELS_ARRAYS_H
#include "kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES = 3 }; /* devices of 1, 2 and 3 threads */

static const struct kernels *k;   /* the table under test */
static struct dev *devs[DEVICES]; /* all of table k */
static uint64_t random_state = 88172645463325252u;

static inline uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

static inline int64_t random_in(int64_t low, int64_t high)
{
    return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1));
}

static inline float random_float(void)
{
    return ((float)(random_bits() >> 8) / (float)(1 << 23) - 1.0f);
}

/* -- Arrays. Memory is a plain malloc of exactly what is used, so that ASan sees a step
 * too far; `pool` owns it until pool_free().
 * ---------------------------------------------- */

static void *pool[256];
static int pooled;

static inline void *pool_take(size_t bytes)
{
    if (pooled == 256)
        abort();
    return pool[pooled++] = malloc(bytes ? bytes : 1);
}

static inline void pool_free(void)
{
    while (pooled > 0) free(pool[--pooled]);
}

/* gap: elements between rows beyond their own. Bytes: all NaN. */
static inline struct arr make(enum arr_type type, int rank, const int64_t shape[],
                              int64_t gap)
{
    struct arr a = {.dev = devs[0], .type = type, .rank = rank};
    for (int i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.stride = arr_row_size(a) + gap;
    size_t bytes =
        (size_t)((a.shape[0] - 1) * a.stride + arr_row_size(a)) * arr_type_size(type);
    /* 2-byte types start at an odd multiple of 2, as mapped weights may. */
    size_t shift = arr_type_size(type) == 2 ? 2 : 0;
    a.data = (char *)pool_take(bytes + shift) + shift;
    memset(a.data, 0xff, bytes);
    return a;
}
#define MAKE(type, gap, ...)                                                             \
    make(type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),                  \
         (int64_t[]){__VA_ARGS__}, gap)

static inline float *at(struct arr a, int64_t r)
{
    return (float *)a.data + r * a.stride;
}

static inline char *row_at(struct arr a, int64_t r) /* of any type of numbers */
{
    return (char *)a.data + arr_type_bytes(a.type, r * a.stride);
}

/* Element i of row r of any float type, in double precision, by the formats' definitions.
 */
static inline double value(struct arr a, int64_t r, int64_t i)
{
    uint16_t h;
    uint32_t bits;
    float f;
    if (a.type == ARR_F32) {
        memcpy(&f, (char *)a.data + 4 * (r * a.stride + i), 4);
        return (double)f;
    }
    memcpy(&h, (char *)a.data + 2 * (r * a.stride + i), 2);
    if (a.type == ARR_BF16) {
        bits = (uint32_t)h << 16;
        memcpy(&f, &bits, 4);
        return (double)f;
    }
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
               : exponent == 0 ? ldexp(fraction, -24)
                               : ldexp(1024 + fraction, exponent - 25);
    return h & 0x8000 ? -x : x;
}

/* Random numbers in (-1, 1): as stored in a's type. */
static inline struct arr filled(struct arr a)
{
    for (int64_t r = 0; r < a.shape[0]; r++)
        for (int64_t i = 0; i < arr_row_size(a); i++) {
            float f = random_float();
            uint32_t bits;
            memcpy(&bits, &f, 4);
            uint16_t h = (uint16_t)(bits >> 16);
            if (a.type == ARR_F16) /* sign, exponent 0..14, fraction: below 1 */
                h = (uint16_t)((bits >> 16 & 0x8000) | (random_bits() % 15) << 10 |
                               (random_bits() & 1023));
            if (a.type == ARR_F32)
                memcpy((char *)a.data + 4 * (r * a.stride + i), &f, 4);
            else
                memcpy((char *)a.data + 2 * (r * a.stride + i), &h, 2);
        }
    return a;
}

static inline struct arr copied(struct arr a)
{
    struct arr b = make(a.type, a.rank, a.shape, a.stride - arr_row_size(a));
    for (int64_t r = 0; r < a.shape[0]; r++)
        memcpy(row_at(b, r), row_at(a, r), arr_type_bytes(a.type, arr_row_size(a)));
    return b;
}

static inline bool same_bits(struct arr a, struct arr b)
{
    for (int64_t r = 0; r < a.shape[0]; r++)
        if (memcmp(row_at(a, r), row_at(b, r), arr_type_bytes(a.type, arr_row_size(a))))
            return false;
    return true;
}

static inline struct arr integers(int64_t n, const int32_t values[])
{
    struct arr a = MAKE(ARR_I32, 0, n);
    memcpy(a.data, values, (size_t)n * 4);
    return a;
}

static inline struct dev *any_dev(void)
{
    return devs[random_in(0, DEVICES - 1)];
}
#endif
