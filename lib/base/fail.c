/* fail.c: see fail.h. The only state outside a caller's struct, and it is per thread. */
#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct failure last;

/* Cut a text that filled its buffer at the end of its last whole UTF-8 character. */
static void trim(char *text, size_t size)
{
    size_t n = strlen(text);
    if (n + 1 < size)
        return;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80) n--;
    if (n > 0 && (unsigned char)text[n - 1] >= 0xC0)
        n--;
    text[n] = '\0';
}

int fail(enum fail_class kind, const char *format, ...)
{
    char text[FAIL_TEXT_MAX]; /* the arguments may point into last.text */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trim(text, sizeof text);
    last.kind = kind;
    memcpy(last.text, text, sizeof text);
    return -1;
}

int fail_in(const char *format, ...)
{
    char context[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    return fail(last.kind, "%.400s: %.600s", context, last.text);
}

int fail_memory(void)
{
    return fail(FAIL_INTERNAL, "out of memory");
}

const char *fail_text(void)
{
    return last.text;
}

enum fail_class fail_kind(void)
{
    return last.kind;
}

const char *fail_name(enum fail_class kind)
{
    static const char *const names[] = {
        [FAIL_INTERNAL] = "internal", [FAIL_JSON] = "json",
        [FAIL_MISSING] = "missing",   [FAIL_TYPE] = "type",
        [FAIL_MEDIA] = "media",       [FAIL_TOO_LARGE] = "too_large",
        [FAIL_TOO_LONG] = "too_long", [FAIL_MODEL] = "model",
        [FAIL_HTTP] = "http",         [FAIL_TIMEOUT] = "timeout",
        [FAIL_REFUSED] = "refused",   [FAIL_PARSE] = "parse",
    };
    return names[kind];
}

void fail_save(struct failure *f)
{
    *f = last;
}

int fail_again(const struct failure *f)
{
    last = *f;
    return -1;
}
