/* patches.c: cutting a fitted picture; see patches.h. */
#include "media/patches.h"

#include <assert.h>
#include <string.h>

/* What becomes of each byte of each channel. The arithmetic, in float32 and in this
 * order, is that of the reference's fused scaling, so that the results are equal bits. */
struct scale {
    float of[3][256];
};

static void scale_fill(struct scale *s, const struct patch_config *pc)
{
    for (int c = 0; c < 3; c++) {
        float mean = pc->mean[c] * 255, std = pc->std[c] * 255;
        for (int v = 0; v < 256; v++) s->of[c][v] = ((float)v - mean) / std;
    }
}

/* One patch, from its upper left pixel on: channel, frame, y, x. */
static void cut_patch(float *out, const uint8_t *from, size_t stride,
                      const struct patch_config *pc, const struct scale *s)
{
    size_t side = (size_t)pc->patch, plane = side * side;
    for (int c = 0; c < 3; c++) {
        const float *of = s->of[c];
        float *to = out;
        for (size_t y = 0; y < side; y++) {
            const uint8_t *p = from + y * stride + c;
            for (size_t x = 0; x < side; x++) *to++ = of[p[3 * x]];
        }
        for (int f = 1; f < pc->frames; f++)
            memcpy(out + (size_t)f * plane, out, plane * sizeof *out);
        out += (size_t)pc->frames * plane;
    }
}

int64_t patches_cut(float *patches, const struct image *im, const struct patch_config *pc)
{
    struct scale scale;
    int side = pc->patch, block = pc->patch * pc->merge;
    size_t stride = 3 * (size_t)im->width;
    size_t floats = 3 * (size_t)pc->frames * (size_t)side * (size_t)side;
    assert(im->height % block == 0 && im->width % block == 0);
    scale_fill(&scale, pc);
    for (int by = 0; by < im->height; by += block)
        for (int bx = 0; bx < im->width; bx += block)
            for (int y = by; y < by + block; y += side)
                for (int x = bx; x < bx + block; x += side, patches += floats)
                    cut_patch(patches, im->rgb + (size_t)y * stride + 3 * (size_t)x,
                              stride, pc, &scale);
    return (int64_t)(im->height / side) * (im->width / side);
}
