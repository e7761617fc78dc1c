/* sniff.c: see sniff.h. */
#include "media/sniff.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Bytes at a fixed place that tell a format, and what to say of it. */
struct mark {
    size_t at, n;
    const char *bytes;
    const char *reason;
};

#define MARK(at, bytes, reason)                                                          \
    {                                                                                    \
        at, sizeof bytes - 1, bytes, reason                                              \
    }

static bool has(const uint8_t *data, size_t n, size_t at, const char *bytes, size_t len)
{
    return n >= at && n - at >= len && memcmp(data + at, bytes, len) == 0;
}

enum sniff sniff(const uint8_t *data, size_t n)
{
    if (has(data, n, 0, "\xFF\xD8\xFF", 3))
        return SNIFF_JPEG;
    if (has(data, n, 0, "\x89PNG\r\n\x1A\n", 8))
        return SNIFF_PNG;
    if (has(data, n, 0, "GIF87a", 6) || has(data, n, 0, "GIF89a", 6))
        return SNIFF_GIF;
    if (has(data, n, 0, "RIFF", 4) && has(data, n, 8, "WEBP", 4))
        return SNIFF_WEBP;
    /* "BM" alone is too little: text may begin so. The length of the second header, 12
     * to 124, follows at 14. */
    if (has(data, n, 0, "BM", 2) && (n < 18 || (data[15] | data[16] | data[17]) == 0))
        return SNIFF_BMP;
    return SNIFF_OTHER;
}

/* Longer marks first where one begins with another. */
static const struct mark marks[] = {
    MARK(0, "version https://git-lfs", "a Git LFS pointer, not a picture"),
    MARK(0, "II*\0", "TIFF is not supported"),
    MARK(0, "MM\0*", "TIFF is not supported"),
    MARK(0, "II+\0", "BigTIFF is not supported"),
    MARK(0, "MM\0+", "BigTIFF is not supported"),
    MARK(4, "ftypavif", "AVIF is not supported"),
    MARK(4, "ftypavis", "AVIF is not supported"),
    MARK(4, "ftyphe", "HEIC is not supported"),
    MARK(4, "ftypmif1", "HEIF is not supported"),
    MARK(4, "ftypmsf1", "HEIF is not supported"),
    MARK(4, "ftypqt", "a QuickTime video, not a picture"),
    MARK(4, "ftyp", "an MP4 video, not a picture"),
    MARK(0, "\xFF\x0A", "JPEG XL is not supported"),
    MARK(0, "\0\0\0\x0CJXL ", "JPEG XL is not supported"),
    MARK(0, "\0\0\0\x0CjP  ", "JPEG 2000 is not supported"),
    MARK(0, "\xFF\x4F\xFF\x51", "JPEG 2000 is not supported"),
    MARK(0, "8BPS", "a Photoshop document is not supported"),
    MARK(0, "\0\0\1\0", "a Windows icon is not supported"),
    MARK(0, "qoif", "QOI is not supported"),
    MARK(0, "\x76\x2F\x31\x01", "OpenEXR is not supported"),
    MARK(0, "#?RADIANCE", "Radiance HDR is not supported"),
    MARK(0, "DDS ", "DDS is not supported"),
    MARK(0, "%PDF-", "a PDF document, not a picture"),
    MARK(0, "%!PS", "PostScript, not a picture"),
    MARK(0, "\x1A\x45\xDF\xA3", "a Matroska or WebM video, not a picture"),
    MARK(8, "AVI ", "an AVI video, not a picture"),
    MARK(8, "WAVE", "a sound, not a picture"),
    MARK(0, "PK\3\4", "a ZIP archive, not a picture"),
    MARK(0, "\x1F\x8B", "a gzip file, not a picture"),
    MARK(0, "\x28\xB5\x2F\xFD", "a zstd file, not a picture"),
    MARK(257, "ustar", "a tar archive, not a picture"),
    MARK(0,
         "\x7F"
         "ELF",
         "a program, not a picture"),
};

/* Does text (n bytes, any case) begin with word? */
static bool begins(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n >= len && strncasecmp(text, word, len) == 0;
}

/* Markup, after blanks and an XML or UTF-8 preface: its name, or NULL. */
static const char *markup(const char *text, size_t n)
{
    size_t look = n < 1024 ? n : 1024;
    if (has((const uint8_t *)text, n, 0, "\xEF\xBB\xBF", 3))
        text += 3, look -= 3;
    while (look > 0 && (*text == ' ' || (*text >= '\t' && *text <= '\r'))) text++, look--;
    if (look == 0 || *text != '<')
        return NULL;
    if (begins(text, look, "<!doctype html") || begins(text, look, "<html") ||
        begins(text, look, "<head") || begins(text, look, "<body"))
        return "HTML, not a picture";
    for (size_t i = 0; i < look; i++)
        if (begins(text + i, look - i, "<svg"))
            return "SVG is not supported";
    for (size_t i = 0; i < look; i++)
        if (begins(text + i, look - i, "<html"))
            return "HTML, not a picture";
    return begins(text, look, "<?xml") ? "XML, not a picture" : NULL;
}

static bool is_text(const uint8_t *data, size_t n)
{
    size_t look = n < 512 ? n : 512;
    for (size_t i = 0; i < look; i++)
        if ((data[i] < ' ' && !(data[i] >= '\t' && data[i] <= '\r')) || data[i] == 0x7F)
            return false;
    return true;
}

const char *sniff_reason(const uint8_t *data, size_t n)
{
    if (n == 0)
        return "empty file";
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (has(data, n, marks[i].at, marks[i].bytes, marks[i].n))
            return marks[i].reason;
    const char *name = markup((const char *)data, n);
    if (name)
        return name;
    for (size_t i = 0; i < n && i < 64; i++)
        if (data[i])
            return is_text(data, n) ? "a text file, not a picture" : "not a picture";
    return "zero bytes, not a picture";
}
