/* matmul_avx2.c: matmul.c, compiled once more for AVX2. */
#define CPU_AVX2
#include "matmul.c"
