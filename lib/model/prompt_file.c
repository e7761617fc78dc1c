/* prompt_file.c: see prompt_file.h. */
#include "model/prompt_file.h"
#include "base/fail.h"
#include "media/source.h"

#include <string.h>
#include <utf8proc.h>

enum { PROMPT_BYTES_MAX = 1 << 20 };

int prompt_file_read(struct buf *out, const char *path)
{
    if (source_read(out, NULL, span_of(path)) < 0)
        return -1;
    if (out->len > PROMPT_BYTES_MAX)
        return fail(FAIL_TOO_LARGE, "%s: a prompt of more than 1 MB", path);
    while (out->len &&
           (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    if (out->len == 0)
        return fail(FAIL_TYPE, "%s: an empty prompt", path);
    for (size_t at = 0; at < out->len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)out->data + at,
                                              (utf8proc_ssize_t)(out->len - at), &c);
        if (n < 1 || c == 0)
            return fail(FAIL_TYPE, "%s: byte %zu: not UTF-8 text", path, at);
        at += (size_t)n;
    }
    return buf_string(out) ? 0 : fail_memory();
}
