/* shared_avx2.c: the operations that need no code of their own for AVX2: the same
 * sources, compiled once more with its instructions allowed. */
#define CPU_AVX2
/* clang-format off: one operation a line */
#include "add.c"
#include "attention_input.c"
#include "gather.c"
#include "gather_mix.c"
#include "gelu.c"
#include "kv.c"
#include "layernorm.c"
#include "logsumexp.c"
#include "rmsnorm.c"
#include "rope.c"
#include "scatter.c"
#include "silu.c"
#include "swiglu.c"
