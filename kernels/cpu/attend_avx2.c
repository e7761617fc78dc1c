/* attend_avx2.c: attend.c, compiled once more for AVX2. */
#define CPU_AVX2
#include "attend.c"
