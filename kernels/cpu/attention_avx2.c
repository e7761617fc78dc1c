/* attention_avx2.c: attention.c, compiled once more for AVX2. */
#define CPU_AVX2
#include "attention.c"
