/* jpeg_pixels.c: see jpeg_pixels.h. The only file with setjmp: libjpeg reports an error
 * through a function that must not return. */
#include "media/jpeg_pixels.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* A progressive file may name thousands of scans of a few bytes, each a walk over all
 * coefficients; real ones have about ten. */
enum { SCANS_MAX = 200 };

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf give_up;
    char *why; /* the caller's, [JMSG_LENGTH_MAX or more] */
};

static struct decoder *decoder_of(j_common_ptr jpeg)
{
    return jpeg->client_data;
}

static void on_error(j_common_ptr jpeg)
{
    struct decoder *d = decoder_of(jpeg);
    jpeg->err->format_message(jpeg, d->why);
    longjmp(d->give_up, 1);
}

/* libjpeg "warns" of missing and corrupt data and goes on with gray. The warnings that
 * leave every pixel as it was written pass. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0)
        return;
    switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM: return;
    default: on_error(jpeg);
    }
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg; /* nothing is printed */
}

static void on_progress(j_common_ptr jpeg)
{
    struct decoder *d = decoder_of(jpeg);
    if (d->jpeg.input_scan_number > SCANS_MAX) {
        snprintf(d->why, JMSG_LENGTH_MAX, "more than %d scans", SCANS_MAX);
        longjmp(d->give_up, 1);
    }
}

static void decode(struct decoder *d, uint8_t *out, const uint8_t *data, size_t n,
                   int height, int width, int components)
{
    enum { ROWS = 16 };
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    jpeg_mem_src(jpeg, data, (unsigned long)n);
    jpeg_read_header(jpeg, TRUE);
    if ((int)jpeg->image_height != height || (int)jpeg->image_width != width ||
        jpeg->num_components != components)
        ERREXIT(jpeg, JERR_SOF_DUPLICATE); /* not what our walk over the header saw */
    /* The defaults, accurate integer DCT and smooth upsampling, are what Pillow uses. */
    jpeg->out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(jpeg);
    size_t row_bytes = (size_t)width * (size_t)jpeg->output_components;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW rows[ROWS];
        JDIMENSION left = jpeg->output_height - jpeg->output_scanline;
        JDIMENSION count = left < ROWS ? left : ROWS;
        for (JDIMENSION i = 0; i < count; i++)
            rows[i] = out + (jpeg->output_scanline + i) * row_bytes;
        jpeg_read_scanlines(jpeg, rows, count);
    }
    jpeg_finish_decompress(jpeg); /* reads to the end: a missing EOI shows here */
}

/* Everything that may end in give_up. 0, or -1; *d is the caller's, so that its content
 * is certain after a jump. */
static int try_decode(struct decoder *d, uint8_t *out, const uint8_t *data, size_t n,
                      int height, int width, int components)
{
    if (setjmp(d->give_up) != 0)
        return -1;
    jpeg_create_decompress(&d->jpeg);
    d->progress.progress_monitor = on_progress;
    d->jpeg.progress = &d->progress;
    decode(d, out, data, n, height, width, components);
    return 0;
}

int jpeg_pixels(uint8_t *out, const uint8_t *data, size_t n, int height, int width,
                int components, char why[256])
{
    _Static_assert(JMSG_LENGTH_MAX <= 256, "libjpeg's sentences fit");
    struct decoder d;
    memset(&d, 0, sizeof d);
    d.why = why;
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.jpeg.client_data = &d;
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    d.errors.output_message = on_output;
    int status = try_decode(&d, out, data, n, height, width, components);
    jpeg_destroy_decompress(&d.jpeg);
    return status;
}
