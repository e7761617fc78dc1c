/* prompt_file.c: see prompt_file.h. */
#include "model/prompt_file.h"
#include "base/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

enum { PROMPT_BYTES_MAX = 1 << 20 };

int prompt_file_read(struct buf *out, const char *path)
{
    FILE *f = fopen(path, "re"); /* also a pipe: <(...) */
    if (!f)
        return fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
    size_t n = 1;
    while (n > 0 && out->len <= PROMPT_BYTES_MAX && buf_room(out, 4096)) {
        n = fread(out->data + out->len, 1, 4096, f);
        out->len += n;
    }
    bool bad = ferror(f);
    int error = errno;
    fclose(f);
    if (bad || buf_ok(out) < 0)
        return bad ? fail(FAIL_REFUSED, "%s: %s", path, strerror(error)) : -1;
    if (out->len > PROMPT_BYTES_MAX)
        return fail(FAIL_TOO_LARGE, "%s: a prompt of more than 1 MB", path);
    while (out->len &&
           (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    if (out->len == 0)
        return fail(FAIL_TYPE, "%s: an empty prompt", path);
    for (size_t at = 0; at < out->len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)out->data + at,
                                              (utf8proc_ssize_t)(out->len - at), &c);
        if (k < 1 || c == 0)
            return fail(FAIL_TYPE, "%s: byte %zu: not UTF-8 text", path, at);
        at += (size_t)k;
    }
    return buf_string(out) ? 0 : fail_memory();
}
