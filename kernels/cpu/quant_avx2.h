/* quant_avx2.h: blocks in one common form that AVX2 code turns into floats.
 *
 * Whatever the format, up to 256 elements of a row become codes of one byte and, for each
 * run of 16 or 32 of them, a scale and a shift: element = scale * code + shift, fused.
 * The product is exact (an f16 factor has 11 bits, scale and code 13 at most), and
 * shifts that stand for "code - 8" and the like are exact too: these are quant.c's and
 * quant_k.c's numbers, to the bit but for the sign of a zero.
 *
 * The codes pass through memory that stays in the first cache: to spread 8 bytes over a
 * register is one instruction when they come from there, two and a half from a register.
 */
#ifndef QUANT_AVX2_H
#define QUANT_AVX2_H
#include "cpu.h"

#include <immintrin.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { UNPACKED = 256 /* elements: a multiple of every block */ };

struct unpacked {
    _Alignas(32) uint8_t code[UNPACKED];
    _Alignas(32) float scale[UNPACKED / 16], shift[UNPACKED / 16]; /* of each run */
};

/* Unpack n elements, a multiple of 32 and at most UNPACKED; whole blocks. */
typedef void unpack_function(struct unpacked *to, const char *from, int n);

/* The function for a type of blocks, and how long its runs are: 16 or 32. */
unpack_function *unpack_of(enum arr_type type, int *run);

/* Elements [at, at + 8) as floats, of a run with this scale and shift. */
ALWAYS_INLINE __m256 unpacked_floats(const struct unpacked *u, int at, __m256 scale,
                                     __m256 shift)
{
    const __m128i *code = (const __m128i *)(const void *)(u->code + at);
    __m256 c = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(code)));
    return _mm256_fmadd_ps(scale, c, shift);
}
#endif
