/* bmp.h: the parts of the BMP decoder; for bmp.c and bmp_rle.c alone. */
#ifndef BMP_H
#define BMP_H
#include <stddef.h>
#include <stdint.h>

/* Expand run-length codes (rle4: two 4-bit pixels a byte, else 8-bit) into out
 * [height, width], rows bottom up as coded; pixels that no code sets are 0. 0, or -1 if
 * the codes end too early. */
int bmp_expand(uint8_t *out, int height, int width, const uint8_t *codes, size_t n,
               int rle4);
#endif
