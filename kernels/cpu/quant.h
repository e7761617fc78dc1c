/* quant.h: weights in blocks (ggml's formats) as the floats that they stand for.
 *
 * A block has one or two f16 factors, small integers ("codes"), and in the formats of 256
 * elements a scale for each 16 or 32 of them. Every format is value = code * scale [+- a
 * constant], rounded once for each product and sum in float32; since codes and scales
 * have few bits most products are exact, so that a fused product and sum gives the same
 * bits, and all tables agree but for the sign of a zero.
 */
#ifndef QUANT_H
#define QUANT_H
#include "kernels.h"

/* n elements (whole blocks) of a block type at any address, as floats. */
void blocks_plain(float *restrict to, const char *restrict from, enum arr_type type,
                  int64_t n);
/* The same numbers, faster; a zero may have the other sign. */
void blocks_avx2(float *restrict to, const char *restrict from, enum arr_type type,
                 int64_t n);

/* One format: one block. (quant.c, quant_k.c) */
typedef void quant_block(float *restrict to, const char *restrict from);
quant_block q4_0_plain, q4_1_plain, q5_0_plain, q5_1_plain, q8_0_plain, iq4_nl_plain,
    q2_k_plain, q3_k_plain, q4_k_plain, q5_k_plain, q6_k_plain, iq4_xs_plain;

/* What the codes of IQ4_NL and IQ4_XS stand for. */
extern const int8_t quant_iq4[16];

/* The scale and the constant's factor of each 32 elements in Q4_K and Q5_K: 8 pairs of 6
 * bits in 12 bytes; the first four in the low 6 bits of bytes 0..3 and 4..7, the others'
 * low 4 bits in bytes 8..11, their high 2 bits on top of bytes 0..7. */
static inline void quant_scales_k(const uint8_t s[12], uint8_t scale[8], uint8_t least[8])
{
    for (int i = 0; i < 4; i++) {
        scale[i] = s[i] & 63;
        least[i] = s[i + 4] & 63;
        scale[i + 4] = (uint8_t)((s[i + 8] & 15) | (s[i] >> 6) << 4);
        least[i + 4] = (uint8_t)(s[i + 8] >> 4 | (s[i + 4] >> 6) << 4);
    }
}
#endif
