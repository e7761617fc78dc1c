/* bench-media: how fast pictures become patches, on one core. Prints one JSON object: by
 * the clock, and per second of processor time (the same on a machine that is idle
 * otherwise). */
#include "base/fail.h"
#include "media/image.h"
#include "media/patches.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

enum { WIDTH = 1024, HEIGHT = 768, QUALITY = 90 };

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

static uint32_t hash(uint32_t x, uint32_t y, uint32_t c)
{
    uint32_t h = x * 0x9E3779B1u ^ y * 0x85EBCA77u ^ c * 0xC2B2AE3Du;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    return (h ^ h >> 13) & 255;
}

/* Smooth noise: lattice values, one each step pixels, blended between. */
static int smooth(int x, int y, int c, int step)
{
    int fx = x % step, fy = y % step;
    uint32_t gx = (uint32_t)(x / step), gy = (uint32_t)(y / step);
    uint32_t salt = (uint32_t)(c + 3 * step);
    int top = (int)hash(gx, gy, salt) * (step - fx) + (int)hash(gx + 1, gy, salt) * fx;
    int low =
        (int)hash(gx, gy + 1, salt) * (step - fx) + (int)hash(gx + 1, gy + 1, salt) * fx;
    return (top * (step - fy) + low * fy) / (step * step);
}

/* A picture with a photo's mix of large shapes, texture and grain. */
static uint8_t *photo(void)
{
    uint8_t *rgb = malloc((size_t)HEIGHT * WIDTH * 3);
    for (int y = 0; rgb && y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                int v = smooth(x, y, c, 128) * 5 + smooth(x, y, c, 32) * 2 +
                        smooth(x, y, 0, 6) + (int)hash((uint32_t)x, (uint32_t)y, 9) / 3;
                rgb[((size_t)y * WIDTH + (size_t)x) * 3 + (size_t)c] = (uint8_t)(v / 8);
            }
    return rgb;
}

static unsigned char *encode(const uint8_t *rgb, unsigned long *n)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &out, n);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < HEIGHT) {
        JSAMPROW row = (JSAMPROW)(rgb + (size_t)jpeg.next_scanline * WIDTH * 3);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return out;
}

/* Seconds a picture, by step. */
struct times {
    double decode, resize, cut;
};

/* One picture from bytes to patches (the caller's); its times are added to t. 0, or -1.
 */
static int one(struct times *t, float *patches, const unsigned char *jpeg,
               unsigned long n, const struct patch_config *pc)
{
    struct image im, fitted;
    int h, w;
    double start = now();
    if (image_decode(&im, jpeg, n, "bench", 1 << 28) < 0)
        return -1;
    double decoded = now();
    int status = patches_fit(pc, im.height, im.width, &h, &w);
    if (status == 0)
        status = image_resize(&fitted, &im, h, w);
    image_free(&im);
    if (status < 0)
        return -1;
    double resized = now();
    patches_cut(patches, &fitted, pc);
    image_free(&fitted);
    t->decode += decoded - start;
    t->resize += resized - decoded;
    t->cut += now() - resized;
    return 0;
}

/* Pictures a second over about two seconds, and a second of processor time; the steps'
 * milliseconds in *t. */
static double rate(struct times *t, double *per_cpu_s, const unsigned char *jpeg,
                   unsigned long n, const struct patch_config *pc)
{
    size_t floats = (size_t)(HEIGHT + 64) * (WIDTH + 64) * 3 * 2;
    float *patches = malloc(floats * sizeof *patches);
    int done = 0;
    if (!patches || one(t, patches, jpeg, n, pc) < 0) { /* touches the memory, too */
        fprintf(stderr, "bench-media: %s\n", patches ? fail_text() : "out of memory");
        exit(1);
    }
    *t = (struct times){0};
    double start = now(), end = start, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (; end - start < 2; done++, end = now())
        if (one(t, patches, jpeg, n, pc) < 0)
            exit(1);
    *per_cpu_s = done / (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    free(patches);
    t->decode *= 1e3 / done;
    t->resize *= 1e3 / done;
    t->cut *= 1e3 / done;
    return done / (end - start);
}

/* The exit status. */
static int write_file(const char *path, unsigned char *bytes, unsigned long n)
{
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(bytes, 1, n, f) == n;
    good = f && fclose(f) == 0 && good;
    return good ? 0 : 1;
}

int main(int argc, char *argv[])
{
    static const struct patch_config configs[] = {
        {16, 2, 2, 65536, 16777216, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
        {14,
         2,
         2,
         3136,
         12845056,
         {0.48145466f, 0.4578275f, 0.40821073f},
         {0.26862954f, 0.26130258f, 0.27577711f}},
    };
    unsigned long n = 0;
    uint8_t *rgb = photo();
    unsigned char *jpeg = rgb ? encode(rgb, &n) : NULL;
    double rates[2], cpu[2];
    struct times t[2];
    if (!jpeg)
        return 1;
    if (argc == 3 && strcmp(argv[1], "--write") == 0) /* the picture alone, to a file */
        return write_file(argv[2], jpeg, n);
    for (int i = 0; i < 2; i++) rates[i] = rate(&t[i], &cpu[i], jpeg, n, &configs[i]);
    printf("{\"jpeg_to_patches_per_s\":%.1f,\"jpeg_to_patches_per_cpu_s\":%.1f,\"width\":"
           "%d,\"height\":%d,\"quality\":%d,"
           "\"jpeg_bytes\":%lu,\"threads\":1",
           rates[0] < rates[1] ? rates[0] : rates[1], cpu[0] < cpu[1] ? cpu[0] : cpu[1],
           WIDTH, HEIGHT, QUALITY, n);
    for (int i = 0; i < 2; i++)
        printf(",\"patch%d\":{\"per_s\":%.1f,\"per_cpu_s\":%.1f,\"decode_ms\":%.2f,"
               "\"resize_ms\":%.2f,"
               "\"cut_ms\":%.2f}",
               configs[i].patch, rates[i], cpu[i], t[i].decode, t[i].resize, t[i].cut);
    printf("}\n");
    free(rgb);
    free(jpeg);
    return 0;
}
