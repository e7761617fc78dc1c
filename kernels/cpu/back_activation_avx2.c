/* back_activation_avx2.c: back_activation.c, compiled once more with AVX2 allowed. */
#define CPU_AVX2
#include "back_activation.c"
