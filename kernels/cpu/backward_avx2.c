/* backward_avx2.c: the gradients, compiled once more with AVX2 allowed. */
#define CPU_AVX2
#include "adamw.c"
#include "adamw8.c"
#include "back_loss.c"
#include "back_norms.c"
#include "back_rope.c"
#include "back_rows.c"
