/* turned.h: a matrix turned about, in both tables. */
#ifndef TURNED_H
#define TURNED_H
#include "cpu.h"

#ifdef CPU_AVX2
#include "transpose_avx2.h"
#endif

/* to[column * to_step + row] = from[row * from_step + column]. */
static inline void turned(float *restrict to, int64_t to_step, const float *restrict from,
                          int64_t from_step, int64_t rows, int64_t columns)
{
    int64_t whole_rows = 0, whole_columns = 0;
#ifdef CPU_AVX2
    whole_rows = rows & -8, whole_columns = columns & -8;
    for (int64_t r = 0; r < whole_rows; r += 8)
        for (int64_t c = 0; c < whole_columns; c += 8) {
            __m256 v[8];
            for (int64_t i = 0; i < 8; i++)
                v[i] = _mm256_loadu_ps(from + (r + i) * from_step + c);
            transpose8(v);
            for (int64_t i = 0; i < 8; i++)
                _mm256_storeu_ps(to + (c + i) * to_step + r, v[i]);
        }
#endif
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; c++)
            to[c * to_step + r] = from[r * from_step + c];
}
#endif
