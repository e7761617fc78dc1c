#include "cpu.h"
void blocks_avx2(float *restrict to, const char *restrict from, enum arr_type type,
                 int64_t n)
{
    blocks_plain(to, from, type, n);
}
