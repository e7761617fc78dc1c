/* fit.c: the size a picture is resized to; see patches.h. In doubles, step by step as the
 * reference does it, because a different rounding is a different grid. */
#include "base/fail.h"
#include "media/patches.h"

#include <limits.h>
#include <math.h>

/* A side times scale to a multiple of factor, by a rounding of its own. */
static double to_multiple(double side, double factor, double (*rounding)(double))
{
    return rounding(side / factor) * factor;
}

int patches_fit(const struct patch_config *pc, int height, int width, int *fit_height,
                int *fit_width)
{
    double h = height, w = width, factor = (double)pc->patch * pc->merge;
    if (height < 1 || width < 1)
        return fail(FAIL_MEDIA, "a picture without pixels (%d x %d)", width, height);
    if (fmax(h, w) / fmin(h, w) > 200)
        return fail(FAIL_MEDIA, "the sides' ratio is over 200 (%d x %d)", width, height);
    /* rint(): half to even, as Python's round(). */
    double fit_h = to_multiple(h, factor, rint), fit_w = to_multiple(w, factor, rint);
    if (fit_h * fit_w > (double)pc->max_pixels) {
        double beta = sqrt(h * w / (double)pc->max_pixels);
        fit_h = fmax(factor, to_multiple(h / beta, factor, floor));
        fit_w = fmax(factor, to_multiple(w / beta, factor, floor));
    } else if (fit_h * fit_w < (double)pc->min_pixels) {
        double beta = sqrt((double)pc->min_pixels / (h * w));
        fit_h = to_multiple(h * beta, factor, ceil);
        fit_w = to_multiple(w * beta, factor, ceil);
    }
    if (fit_h > INT_MAX || fit_w > INT_MAX || fit_h < factor || fit_w < factor)
        return fail(FAIL_MEDIA, "%d x %d does not fit into %lld to %lld pixels", width,
                    height, (long long)pc->min_pixels, (long long)pc->max_pixels);
    *fit_height = (int)fit_h;
    *fit_width = (int)fit_w;
    return 0;
}
