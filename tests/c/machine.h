/* machine.h: what the benches share: a clock, medians, how fast this machine reads. */
#ifndef MACHINE_H
#define MACHINE_H
#include <immintrin.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MACHINE_RUNS_MAX = 64 };

/* Seconds, from any fixed point. */
static inline double machine_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int machine_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of at most MACHINE_RUNS_MAX values. */
static inline double machine_median(const double values[], int n)
{
    double sorted[MACHINE_RUNS_MAX];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, machine_by_size);
    return sorted[n / 2];
}

__attribute__((target("avx2"))) static inline float machine_read(const char *p,
                                                                 size_t bytes)
{
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t i = 0; i < bytes; i += 128)
        for (int j = 0; j < 4; j++)
            sum[j] = _mm256_xor_si256(
                sum[j],
                _mm256_load_si256((const __m256i *)(const void *)(p + i + 32 * j)));
    sum[0] = _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]),
                              _mm256_xor_si256(sum[2], sum[3]));
    return (float)_mm256_extract_epi32(sum[0], 0);
}

/* Let so many threads read memory [bytes], each its part; bytes a second. Memory must be
 * aligned to 32 bytes and far larger than the caches. */
static inline double machine_read_rate(const char *memory, size_t bytes, int threads)
{
    float sum = 0;
    double start = machine_now();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
        size_t part = bytes / (size_t)threads & ~(size_t)4095;
        sum += machine_read(memory + (size_t)omp_get_thread_num() * part, part);
    }
    double rate = (double)bytes / (machine_now() - start);
    return sum == 0.123f ? 0 : rate; /* the sum must be wanted */
}

/* The best of several readings: two threads may share a core for the time of one. */
static inline double machine_read_best(const char *memory, size_t bytes, int threads)
{
    double best = 0;
    for (int i = 0; i < 7; i++) {
        double rate = machine_read_rate(memory, bytes, threads);
        best = rate > best ? rate : best;
    }
    return best;
}
#endif
