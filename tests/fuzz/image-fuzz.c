/* image-fuzz: any bytes as a picture, then the way to patches (libFuzzer). */
#include "media/image.h"
#include "media/patches.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
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
    if (image_decode(&im, data, n, "fuzz", 4 << 20) < 0)
        return im.rgb != NULL ? abort(), 0 : 0;
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
    return 0;
}
