/* image-fuzz: any bytes as a picture, then the way to patches (libFuzzer). The checksums
 * of PNG chunks are mended first: no mutation would pass them. */
#include "fuzz.h"
#include "media/bytes.h"
#include "media/image.h"
#include "media/patches.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void mend_png(uint8_t *data, size_t n)
{
    if (n < 8 || memcmp(data, "\x89PNG", 4) != 0)
        return;
    for (size_t at = 8; n - at >= 12;) {
        size_t length = bytes_be32(data + at);
        if (length > n - at - 12)
            return;
        bytes_put_be32(data + at + 8 + length,
                       (uint32_t)crc32(0, data + at + 4, (uInt)length + 4));
        at += 12 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_picture(const uint8_t *data, size_t n)
{
    static const struct patch_config pc = {
        .patch = 14,
        .merge = 2,
        .frames = 2,
        .min_pixels = 3136,
        .max_pixels = 100352,
        .mean = {0.5f, 0.5f, 0.5f},
        .std = {0.5f, 0.5f, 0.5f},
    };
    struct image im, fitted;
    int h, w;
    if (image_decode(&im, data, n, "fuzz", 4 << 20) < 0) {
        if (im.rgb)
            abort();
        return;
    }
    if ((int64_t)im.height * im.width <= 1 << 16 &&
        patches_fit(&pc, im.height, im.width, &h, &w) == 0 &&
        image_resize(&fitted, &im, h, w) == 0) {
        float *patches = malloc((size_t)h * (size_t)w * 3 * 2 * sizeof *patches);
        if (patches && patches_cut(patches, &fitted, &pc) != (int64_t)(h / 14) * (w / 14))
            abort();
        free(patches);
        image_free(&fitted);
    }
    image_free(&im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* ends where the picture ends */
    if (copy) {
        if (n)
            memcpy(copy, data, n);
        mend_png(copy, n);
        try_picture(copy, n);
    }
    free(copy);
    return 0;
}
