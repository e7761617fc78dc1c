/* resize.c: see image.h and resize.h. The arithmetic is that of Pillow's Resample.c for
 * 8-bit pixels: coefficients in double, rounded to 22 fraction bits; sums in int32 with
 * half a unit added; each pass clipped to 0..255. */
#include "media/resize.h"
#include "base/fail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Keys' cubic with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image
 * processing", 1981). */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

void resize_axis_free(struct resize_axis *a)
{
    free(a->first);
    free(a->taps);
    free(a->k);
    free(a->low);
    free(a->high);
    *a = (struct resize_axis){0};
}

/* Coefficients of output i; weight is room for a->width numbers. */
static void fill_taps(struct resize_axis *a, int i, double *weight)
{
    double scale = (double)a->in / a->out, stretch = scale < 1 ? 1 : scale;
    double support = 2 * stretch, center = (i + 0.5) * scale, sum = 0;
    int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
    if (first < 0)
        first = 0;
    if (end > a->in)
        end = a->in;
    a->first[i] = first;
    a->taps[i] = end - first;
    for (int t = 0; t < end - first; t++)
        sum += weight[t] = cubic((t + first - center + 0.5) * (1 / stretch));
    for (int t = 0; t < end - first; t++) {
        double w = (sum != 0 ? weight[t] / sum : weight[t]) * (1 << RESIZE_BITS);
        size_t at = (size_t)i * (size_t)a->width + (size_t)t;
        int32_t k = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
        a->k[at] = k;
        a->low[at] = (int16_t)(k & ((1 << RESIZE_LOW_BITS) - 1));
        a->high[at] = (int16_t)((k - a->low[at]) / (1 << RESIZE_LOW_BITS));
    }
}

int resize_axis_new(struct resize_axis *a, int in, int out)
{
    double scale = (double)in / out;
    double most = ceil(2 * (scale < 1 ? 1 : scale)) * 2 + 1;
    *a = (struct resize_axis){.in = in, .out = out, .width = ((int)most + 3) / 4 * 4};
    size_t n = (size_t)out, all = n * (size_t)a->width;
    double *weight = malloc((size_t)a->width * sizeof *weight);
    a->first = malloc(n * sizeof *a->first);
    a->taps = malloc(n * sizeof *a->taps);
    a->k = calloc(all, sizeof *a->k);
    a->low = calloc(all, sizeof *a->low);
    a->high = calloc(all, sizeof *a->high);
    if (!weight || !a->first || !a->taps || !a->k || !a->low || !a->high) {
        free(weight);
        resize_axis_free(a);
        return fail_memory();
    }
    for (int i = 0; i < out; i++) fill_taps(a, i, weight);
    free(weight);
    return 0;
}

static uint8_t clip(int32_t sum)
{
    sum >>= RESIZE_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void across_plain(uint8_t *to, size_t to_stride, const uint8_t *from,
                         size_t from_stride, int rows, const struct resize_axis *a)
{
    for (int y = 0; y < rows; y++, to += to_stride, from += from_stride)
        for (int x = 0; x < a->out; x++) {
            const int32_t *k = a->k + (size_t)x * (size_t)a->width;
            const uint8_t *p = from + 3 * (size_t)a->first[x];
            int32_t sum[3] = {1 << (RESIZE_BITS - 1), 1 << (RESIZE_BITS - 1),
                              1 << (RESIZE_BITS - 1)};
            for (int t = 0; t < a->taps[x]; t++, p += 3)
                for (int c = 0; c < 3; c++) sum[c] += p[c] * k[t];
            for (int c = 0; c < 3; c++) to[3 * x + c] = clip(sum[c]);
        }
}

static void down_plain(uint8_t *to, const uint8_t *const *rows, int n,
                       const struct resize_axis *a, int y)
{
    const int32_t *k = a->k + (size_t)y * (size_t)a->width;
    for (int x = 0; x < n; x++) {
        int32_t sum = 1 << (RESIZE_BITS - 1);
        for (int t = 0; t < a->taps[y]; t++) sum += rows[t][x] * k[t];
        to[x] = clip(sum);
    }
}

const struct resize_passes resize_plain = {across_plain, down_plain};

/* The rows that were resized across and are still needed: a ring, so that they stay in
 * the processor's caches. */
struct band {
    uint8_t *bytes;       /* [rows, stride] */
    const uint8_t **rows; /* [axis width]: what one output row reads */
    size_t stride;
    int capacity; /* rows */
    int done;     /* input rows resized so far */
};

/* Input rows are resized this many at a time: the fast pass makes two at once. */
enum { BATCH = 2 };

static int band_new(struct band *b, const struct resize_axis *down, size_t row_bytes)
{
    *b = (struct band){.stride = row_bytes + RESIZE_SLACK};
    b->capacity = (down->width + 2 * BATCH) / BATCH * BATCH;
    b->bytes = malloc((size_t)b->capacity * b->stride);
    b->rows = malloc((size_t)down->width * sizeof *b->rows);
    return b->bytes && b->rows ? 0 : fail_memory();
}

/* Resize input rows across until row end - 1 is there. Batches begin at multiples of
 * BATCH, and so does the ring: a batch never wraps. */
static void band_reach(struct band *b, const struct resize_passes *passes,
                       const struct image *in, const struct resize_axis *across, int end)
{
    size_t in_stride = 3 * (size_t)in->width;
    /* Behind this many rows there is readable slack; the last ones go the plain way. */
    int slack_rows = (int)((RESIZE_SLACK + in_stride - 1) / in_stride);
    int fast_rows = in->height > slack_rows ? in->height - slack_rows : 0;
    while (b->done < end) {
        int rows = in->height - b->done < BATCH ? in->height - b->done : BATCH;
        uint8_t *to = b->bytes + (size_t)(b->done % b->capacity) * b->stride;
        const uint8_t *from = in->rgb + (size_t)b->done * in_stride;
        bool fast = b->done + rows <= fast_rows;
        (fast ? passes : &resize_plain)
            ->across(to, b->stride, from, in_stride, rows, across);
        b->done += rows;
    }
}

static int resize_rows(const struct resize_passes *passes, struct image *out,
                       const struct image *in, const struct resize_axis *across,
                       const struct resize_axis *down)
{
    struct band band = {0};
    size_t out_stride = 3 * (size_t)out->width;
    int status = band_new(&band, down, out_stride);
    for (int y = 0; status == 0 && y < out->height; y++) {
        int first = down->first[y], taps = down->taps[y];
        band_reach(&band, passes, in, across, first + taps);
        for (int t = 0; t < taps; t++)
            band.rows[t] =
                band.bytes + (size_t)((first + t) % band.capacity) * band.stride;
        passes->down(out->rgb + (size_t)y * out_stride, band.rows, (int)out_stride, down,
                     y);
    }
    free(band.bytes);
    free(band.rows);
    return status;
}

int resize_by(const struct resize_passes *passes, struct image *out,
              const struct image *in, int height, int width)
{
    struct resize_axis across = {0}, down = {0};
    *out = (struct image){0};
    if (!(out->rgb = malloc((size_t)height * (size_t)width * 3)))
        return fail_memory();
    out->height = height;
    out->width = width;
    if (height == in->height && width == in->width) {
        memcpy(out->rgb, in->rgb, (size_t)height * (size_t)width * 3);
        return 0;
    }
    /* An axis of equal size gets one coefficient of 1: the pass is then a copy. */
    int status = resize_axis_new(&across, in->width, width);
    if (status == 0)
        status = resize_axis_new(&down, in->height, height);
    if (status == 0)
        status = resize_rows(passes, out, in, &across, &down);
    resize_axis_free(&across);
    resize_axis_free(&down);
    if (status < 0)
        image_free(out);
    return status;
}

int image_resize(struct image *out, const struct image *in, int height, int width)
{
    return resize_by(resize_has_avx2() ? &resize_avx2 : &resize_plain, out, in, height,
                     width);
}
