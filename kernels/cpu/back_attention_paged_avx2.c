/* back_attention_paged_avx2.c: back_attention_paged.c, compiled once more with AVX2
 * allowed. */
#define CPU_AVX2
#include "back_attention_paged.c"
