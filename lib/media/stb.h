/* stb.h: stb_image's PNG and GIF decoders behind two calls. They trust no more than what
 * png.c and gif.c rebuilt from checked parts. */
#ifndef STB_H
#define STB_H
#include <stddef.h>
#include <stdint.h>

/* Decode a PNG or GIF of height x width (else an error) to channels (1..4) bytes a pixel.
 * For a GIF this is its first frame. The pixels, stb_free() them; or NULL with a phrase
 * in *why. */
uint8_t *stb_decode(const uint8_t *data, size_t n, int height, int width, int channels,
                    const char **why);

/* Decode a 16-bit gray PNG likewise, one number a pixel. */
uint16_t *stb_decode_gray16(const uint8_t *data, size_t n, int height, int width,
                            const char **why);

void stb_free(void *pixels);
#endif
