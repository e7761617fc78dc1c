/* attention_paged_avx2.c: attention_paged.c, compiled once more for AVX2. */
#define CPU_AVX2
#include "attention_paged.c"
