/* back_attention_avx2.c: back_attention.c, compiled once more with AVX2 allowed. */
#define CPU_AVX2
#include "back_attention.c"
