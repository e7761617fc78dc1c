/* attend_back_avx2.c: attend_back.c, compiled once more with AVX2 allowed. */
#define CPU_AVX2
#include "attend_back.c"
