/* matmul_back_avx2.c: matmul_back.c, compiled once more with AVX2 allowed. */
#define CPU_AVX2
#include "matmul_back.c"
