/* image-test.c: pictures into pixels, and everything that is no picture into an error. */
#include "check.h"
#include "golden.h"

#include "base/fail.h"
#include "media/image.h"

#include <dirent.h>
#include <zlib.h>

static const int64_t roomy = 100 * 1000 * 1000;

struct file {
    uint8_t *data;
    size_t n;
};

static struct file file_read(const char *path)
{
    struct file f = {0};
    f.data = (uint8_t *)golden_file(path, &f.n);
    return f;
}

static struct file picture(const char *name)
{
    char relative[300];
    snprintf(relative, sizeof relative, "pictures/%s", name);
    return file_read(golden_path(relative));
}

/* A copy that ends where its memory ends, so that ASan sees a byte read too far. */
static int decode_exact(struct image *im, const uint8_t *data, size_t n, int64_t most)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (n)
        memcpy(copy, data, n);
    int status = image_decode(im, copy, n, "x", most);
    free(copy);
    return status;
}

/* Decode and compare with pixels [height, width, 3]. */
static void check_pixels(const char *name, struct file f, int height, int width,
                         const uint8_t *rgb)
{
    struct image im;
    int most = 0;
    NEED(f.data != NULL, "%s is missing", name);
    CHECK(decode_exact(&im, f.data, f.n, roomy) == 0, "%s: %s", name, fail_text());
    CHECK(im.height == height && im.width == width, "%s: %d x %d", name, im.height,
          im.width);
    if (im.rgb && im.height == height && im.width == width) {
        for (int i = 0; i < height * width * 3; i++)
            most = abs(im.rgb[i] - rgb[i]) > most ? abs(im.rgb[i] - rgb[i]) : most;
        CHECK(most == 0, "%s: %d levels off", name, most);
    }
    image_free(&im);
    CHECK(im.rgb == NULL && im.height == 0, "not empty after image_free()");
}

static void goldens_decode_to_the_reference_pixels(void)
{
    char *text = golden_file(golden_path("goldens/preprocess/cases.jsonl"), NULL);
    const char *at = text;
    NEED(text != NULL, "no cases");
    for (json_t *row; (row = golden_row(&at)); json_decref(row)) {
        char name[200];
        struct golden_tensor t;
        const char *image = json_string_value(json_object_get(row, "image"));
        snprintf(name, sizeof name, "goldens/preprocess/tensors/%s.safetensors", image);
        const char *tensors = golden_path(name);
        if (!tensors)
            continue; /* only in the larger set */
        CHECK(golden_tensor_read(&t, tensors, "rgb"), "%s", name);
        snprintf(name, sizeof name, "goldens/preprocess/images/%s", image);
        struct file f = file_read(golden_path(name));
        check_pixels(image, f, (int)t.shape[0], (int)t.shape[1], t.u8);
        free(f.data);
        golden_tensor_free(&t);
        snprintf(name, sizeof name, "pixels_of_%s", image);
        check_report(name);
    }
    free(text);
}

/* Each NAME in tests/data/pictures that has a NAME.ppm. */
static void pictures_decode_as_pillow_does(void)
{
    const char *folder = golden_path("pictures");
    struct dirent **entries;
    int n = folder ? scandir(folder, &entries, NULL, alphasort) : -1, seen = 0;
    NEED(n > 0, "no pictures");
    for (int i = 0; i < n; i++) {
        char *name = entries[i]->d_name, *end = strstr(name, ".ppm");
        int width = 0, height = 0, used = 0;
        if (end && end[4] == '\0') {
            struct file want = picture(name);
            *end = '\0';
            struct file f = picture(name);
            bool good = want.data && sscanf((char *)want.data, "P6 %d %d 255%n", &width,
                                            &height, &used) == 2;
            CHECK(good, "%s.ppm", name);
            if (good)
                check_pixels(name, f, height, width, want.data + used + 1);
            free(want.data);
            free(f.data);
            seen++;
        }
        free(entries[i]);
    }
    free(entries);
    CHECK(seen > 60, "%d pictures", seen);
}

static void the_name_does_not_decide(void)
{
    struct file f = picture("lossless.webp");
    struct image im;
    NEED(f.data != NULL, "no picture");
    CHECK(image_decode(&im, f.data, f.n, "cat.jpg", roomy) == 0, "%s", fail_text());
    image_free(&im);
    free(f.data);
}

/* Only bytes that the format itself can do without may be missing: image data is cut
 * nowhere without an error. */
static void check_truncation(const char *name)
{
    struct file f = picture(name);
    struct image im;
    NEED(f.data != NULL, "%s is missing", name);
    for (size_t i = 0; i < 64 + 16; i++) {
        size_t n = i < 64 ? f.n * i / 64 : f.n - 1 - (i - 64);
        CHECK(decode_exact(&im, f.data, n, roomy) == -1, "%s: %zu of %zu bytes", name, n,
              f.n);
        CHECK(im.rgb == NULL, "not empty after an error");
        CHECK(fail_kind() == FAIL_MEDIA, "%s", fail_text());
        image_free(&im);
    }
    free(f.data);
}

static void truncated_pictures_are_errors(void)
{
    /* (A GIF is read to its first frame's end: what is cut behind that does not show.
     * plain.gif has one byte there, its trailer; see below.) */
    static const char *const names[] = {
        "plain.jpg",  "progressive.jpg", "cmyk.jpg",         "restart.jpg",
        "plain.png",  "palette.png",     "interlaced.png",   "gray16.png",
        "rgb.bmp",    "palette.bmp",     "rle8.bmp",         "rgb565.bmp",
        "lossy.webp", "lossless.webp",   "alpha_lossy.webp", "animated.webp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_truncation(names[i]);
}

static void truncated_gifs_are_errors(void)
{
    struct file f = picture("plain.gif");
    struct image im;
    NEED(f.data != NULL, "no picture");
    CHECK(f.data[f.n - 1] == 0x3B, "the trailer is last");
    for (size_t n = 0; n < f.n - 1; n++) {
        CHECK(decode_exact(&im, f.data, n, roomy) == -1, "%zu of %zu bytes", n, f.n);
        image_free(&im);
    }
    free(f.data);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void corrupt_bytes_never_crash(void)
{
    const char *folder = golden_path("pictures");
    struct dirent **entries;
    int n = folder ? scandir(folder, &entries, NULL, alphasort) : -1;
    uint32_t seed = 7;
    int decoded = 0, refused = 0;
    NEED(n > 0, "no pictures");
    for (int i = 0; i < n; i++) {
        struct file f = strstr(entries[i]->d_name, ".ppm") ? (struct file){0}
                                                           : picture(entries[i]->d_name);
        for (int k = 0; f.n && k < 400; k++) {
            struct image im;
            size_t most = k % 2 && f.n > 64 ? 64 : f.n, at = next(&seed) % most;
            uint8_t kept = f.data[at];
            f.data[at] = (uint8_t)(k % 3 ? next(&seed) : kept ^ 1u << k % 8);
            if (decode_exact(&im, f.data, f.n, 4 << 20) == 0)
                decoded++;
            else
                refused++;
            image_free(&im);
            f.data[at] = kept;
        }
        free(f.data);
        free(entries[i]);
    }
    free(entries);
    CHECK(decoded > 1000 && refused > 1000, "%d decoded, %d refused", decoded, refused);
}

/* Every checksum and every code of a PNG counts: one changed bit is an error. */
static void corrupt_png_is_an_error(void)
{
    struct file f = picture("plain.png");
    struct image im;
    NEED(f.data != NULL, "no picture");
    for (size_t at = 8; at < f.n; at++) {
        f.data[at] ^= 0x10;
        CHECK(decode_exact(&im, f.data, f.n, roomy) == -1, "byte %zu", at);
        image_free(&im);
        f.data[at] ^= 0x10;
    }
    free(f.data);
}

static void check_refused(const void *data, size_t n, enum fail_class kind,
                          const char *text)
{
    struct image im;
    CHECK(image_decode(&im, data, n, "x.jpg", 1000 * 1000) == -1, "%s passed", text);
    CHECK(fail_kind() == kind && strcmp(fail_text(), text) == 0, "%s", fail_text());
    CHECK(im.rgb == NULL, "not empty after an error");
}

static void what_is_no_picture_is_named(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } others[] = {
#define OTHER(bytes, text) {bytes, sizeof bytes - 1, "x.jpg: " text}
        OTHER("", "empty file"),
        OTHER("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "zero bytes, not a picture"),
        OTHER("<!DOCTYPE html><p>404</p>", "HTML, not a picture"),
        OTHER("\r\n\t<HTML><body>", "HTML, not a picture"),
        OTHER("\xEF\xBB\xBF<!-- x --><html>", "HTML, not a picture"),
        OTHER("<?xml version=\"1.0\"?>\n<Error>Denied</Error>", "XML, not a picture"),
        OTHER("<?xml version=\"1.0\"?>\n<svg width=\"9\">", "SVG is not supported"),
        OTHER("<svg xmlns=\"x\"/>", "SVG is not supported"),
        OTHER("version https://git-lfs.github.com/spec/v1\noid sha256:00",
              "a Git LFS pointer, not a picture"),
        OTHER("Once upon a time", "a text file, not a picture"),
        OTHER("BMW is a car, and this is text", "a text file, not a picture"),
        OTHER("{\"error\": 404}", "a text file, not a picture"),
        OTHER("\1\2\3\4\5\6\7", "not a picture"),
        OTHER("II*\0\x08\0\0\0", "TIFF is not supported"),
        OTHER("MM\0*\0\0\0\x08", "TIFF is not supported"),
        OTHER("\0\0\0\x1C"
              "ftypavif\0\0\0\0",
              "AVIF is not supported"),
        OTHER("\0\0\0\x18"
              "ftypheic\0\0\0\0",
              "HEIC is not supported"),
        OTHER("\0\0\0\x18"
              "ftypisom\0\0\0\0",
              "an MP4 video, not a picture"),
        OTHER("\xFF\x0A\xFA", "JPEG XL is not supported"),
        OTHER("8BPS\0\1", "a Photoshop document is not supported"),
        OTHER("%PDF-1.4", "a PDF document, not a picture"),
        OTHER("\x1F\x8B\x08", "a gzip file, not a picture"),
        OTHER("PK\3\4", "a ZIP archive, not a picture"),
#undef OTHER
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_refused(others[i].bytes, others[i].n, FAIL_MEDIA, others[i].text);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Change plain.png's size and mend the header's checksum. */
static void resize_png(struct file f, uint32_t width, uint32_t height)
{
    put32(f.data + 16, width);
    put32(f.data + 20, height);
    put32(f.data + 29, (uint32_t)crc32(0, f.data + 12, 17));
}

static void sizes_are_capped_before_anything_is_decoded(void)
{
    struct file f = picture("plain.png");
    NEED(f.data != NULL, "no picture");
    resize_png(f, 20000, 20000); /* a bomb: 400 megapixels of 1 kB */
    check_refused(f.data, f.n, FAIL_TOO_LARGE,
                  "x.jpg: 20000 x 20000 is over the limit of 1000000 pixels");
    resize_png(f, 0x7FFFFFFF, 0x7FFFFFFF);
    check_refused(f.data, f.n, FAIL_TOO_LARGE,
                  "x.jpg: 2147483647 x 2147483647 is over the limit of 1000000 pixels");
    resize_png(f, 0, 5);
    check_refused(f.data, f.n, FAIL_MEDIA, "x.jpg: a picture without pixels (0 x 5)");
    resize_png(f, 5, 0);
    check_refused(f.data, f.n, FAIL_MEDIA, "x.jpg: a picture without pixels (5 x 0)");
    resize_png(f, 29, 20); /* a row more than there is */
    check_refused(f.data, f.n, FAIL_MEDIA, "x.jpg: PNG: not enough pixels");
    free(f.data);

    static const char *const names[] = {"plain.jpg",  "rgb.bmp",       "plain.gif",
                                        "lossy.webp", "lossless.webp", "animated.webp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct image im;
        struct file g = picture(names[i]);
        CHECK(g.data && image_decode(&im, g.data, g.n, "x", 29 * 19) == 0, "%s: %s",
              names[i], fail_text());
        image_free(&im);
        CHECK(g.data && image_decode(&im, g.data, g.n, "x", 29 * 19 - 1) == -1 &&
                  fail_kind() == FAIL_TOO_LARGE && !im.rgb,
              "%s: one pixel too many", names[i]);
        free(g.data);
    }
}

/* Picture data that inflate to far more than the size says. */
static void a_png_that_inflates_beyond_its_size_is_an_error(void)
{
    enum { RAW = 64 << 20 };
    struct file f = picture("plain.png");
    NEED(f.data != NULL, "no picture");
    uint8_t *zeros = calloc(1, RAW), *out = malloc(1 << 20);
    uLongf n = (1 << 20) - 100;
    memcpy(out, f.data, 33);
    CHECK(compress2(out + 41, &n, zeros, RAW, 9) == Z_OK, "zlib");
    put32(out + 33, (uint32_t)n);
    memcpy(out + 37, "IDAT", 4);
    put32(out + 41 + n, (uint32_t)crc32(0, out + 37, (uInt)n + 4));
    memcpy(out + 45 + n, f.data + f.n - 12, 12);
    struct image im;
    CHECK(image_decode(&im, out, 57 + n, "x", roomy) == -1, "64 MB for 29 x 19");
    image_free(&im);
    free(zeros);
    free(out);
    free(f.data);
}

static size_t find(struct file f, const char *mark, size_t n)
{
    const uint8_t *at = memmem(f.data, f.n, mark, n);
    return at ? (size_t)(at - f.data) : 0;
}

static void jpeg_kinds_that_are_not_read_are_named(void)
{
    struct file f = picture("plain.jpg");
    NEED(f.data != NULL, "no picture");
    size_t sof = find(f, "\xFF\xC0\0\x11\x08", 5);
    NEED(sof > 0, "no frame header");
    f.data[sof + 4] = 12;
    f.data[sof + 1] = 0xC1;
    check_refused(f.data, f.n, FAIL_MEDIA,
                  "x.jpg: JPEG: 12 bits a sample are not supported");
    f.data[sof + 4] = 8;
    f.data[sof + 1] = 0xC3;
    check_refused(f.data, f.n, FAIL_MEDIA, "x.jpg: JPEG: lossless JPEG is not supported");
    f.data[sof + 1] = 0xC0;
    f.data[sof + 9] = 2;
    check_refused(f.data, f.n, FAIL_MEDIA,
                  "x.jpg: JPEG: not 1, 3 or 4 colour components");
    f.data[sof + 9] = 3;
    memset(f.data + sof + 5, 0, 2); /* height 0: to come later, which nobody writes */
    check_refused(f.data, f.n, FAIL_MEDIA, "x.jpg: a picture without pixels (29 x 0)");
    memset(f.data + sof + 5, 0xFF, 4);
    check_refused(f.data, f.n, FAIL_TOO_LARGE,
                  "x.jpg: 65535 x 65535 is over the limit of 1000000 pixels");
    free(f.data);
}

/* Gray PNGs of any shape, made here: stored blocks of zlib. */
static void thin_pictures_decode(void)
{
    static const int sizes[][2] = {{1, 1},    {1, 200},  {200, 1},
                                   {1, 5000}, {5000, 1}, {3, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t height = (uint32_t)sizes[i][0], width = (uint32_t)sizes[i][1];
        uint8_t *raw = malloc(height * (width + 1)), out[40000];
        uLongf n = sizeof out - 100;
        for (uint32_t y = 0; y < height; y++) {
            raw[y * (width + 1)] = 0;
            for (uint32_t x = 0; x < width; x++)
                raw[y * (width + 1) + 1 + x] = (uint8_t)(3 * x + 7 * y);
        }
        memcpy(out, "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
        put32(out + 16, width);
        put32(out + 20, height);
        memcpy(out + 24, "\x08\0\0\0\0", 5);
        put32(out + 29, (uint32_t)crc32(0, out + 12, 17));
        compress2(out + 41, &n, raw, height * (width + 1), 0);
        put32(out + 33, (uint32_t)n);
        memcpy(out + 37, "IDAT", 4);
        put32(out + 41 + n, (uint32_t)crc32(0, out + 37, (uInt)n + 4));
        memcpy(out + 45 + n, "\0\0\0\0IEND\xAE\x42\x60\x82", 12);
        struct image im;
        CHECK(decode_exact(&im, out, 57 + n, roomy) == 0, "%s", fail_text());
        CHECK(im.height == (int)height && im.width == (int)width, "%d x %d", im.height,
              im.width);
        for (uint32_t p = 0; im.rgb && p < height * width; p++)
            CHECK(im.rgb[3 * p + 1] == (uint8_t)(3 * (p % width) + 7 * (p / width)),
                  "pixel %u", p);
        image_free(&im);
        free(raw);
    }
}

int main(void)
{
    goldens_decode_to_the_reference_pixels();
    CASE(pictures_decode_as_pillow_does);
    CASE(the_name_does_not_decide);
    CASE(thin_pictures_decode);
    CASE(truncated_pictures_are_errors);
    CASE(truncated_gifs_are_errors);
    CASE(corrupt_bytes_never_crash);
    CASE(corrupt_png_is_an_error);
    CASE(what_is_no_picture_is_named);
    CASE(sizes_are_capped_before_anything_is_decoded);
    CASE(a_png_that_inflates_beyond_its_size_is_an_error);
    CASE(jpeg_kinds_that_are_not_read_are_named);
    return check_end();
}
