/* nfc.c: see nfc.h. Stable characters are copied; each other run, from the stable
 * character before it (which its marks may join), goes through utf8proc's tables. The
 * reordering of marks is ours: utf8proc's takes quadratic time over a long run. */
#include "text/nfc.h"
#include "base/fail.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Ranges of stable characters, most used scripts only; the test holds each code point
 * against utf8proc's data. */
static const struct {
    uint32_t first, last;
} stable[] = {
    {0x0000, 0x02FF}, {0x0388, 0x0482},   {0x048A, 0x0590},   {0x0E01, 0x0E37},
    {0x1E00, 0x1EFF}, {0x2002, 0x20CF},   {0x2100, 0x2125},   {0x2127, 0x2129},
    {0x212C, 0x2328}, {0x232B, 0x2ADB},   {0x3000, 0x3029},   {0x3030, 0x3098},
    {0x309B, 0xA48F}, {0xAC00, 0xD7A3},   {0xE000, 0xF8FF},   {0xFE00, 0xFE1F},
    {0xFE30, 0xFFFD}, {0x1F000, 0x1FAFF}, {0x20000, 0x2A6DF},
};

bool nfc_is_stable(uint32_t c)
{
    if (c < 0x300)
        return true;
    size_t low = 0, high = sizeof stable / sizeof *stable;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > stable[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof stable / sizeof *stable && c >= stable[low].first;
}

/* How many bytes of text need no work at all: well-formed and stable throughout. */
static size_t clean_prefix(struct span text, bool compose)
{
    size_t i = 0, word;
    while (i < text.n) {
        while (i + sizeof word <= text.n) {
            memcpy(&word, text.s + i, sizeof word);
            if (word & (size_t)0x8080808080808080u)
                break;
            i += sizeof word;
        }
        if (i == text.n)
            break;
        if ((unsigned char)text.s[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t c;
        int cut;
        size_t n = utf8_next(text.s + i, text.n - i, &c, &cut);
        if (c == UTF8_REPLACEMENT && (n != 3 || (unsigned char)text.s[i + 1] != 0xBF))
            break; /* ill-formed, not a U+FFFD that stood there */
        if (compose && !nfc_is_stable(c))
            break;
        i += n;
    }
    return i;
}

/* A run of code points being normalised. */
struct run {
    utf8proc_int32_t *code; /* owned */
    size_t n, cap;
};

static int run_room(struct run *r, size_t more)
{
    if (more <= r->cap - r->n)
        return 0;
    size_t cap = r->cap ? r->cap : 64;
    while (cap - r->n < more) {
        if (cap > SIZE_MAX / 8)
            return fail_memory();
        cap *= 2;
    }
    utf8proc_int32_t *grown = realloc(r->code, cap * sizeof *grown);
    if (!grown)
        return fail_memory();
    r->code = grown;
    r->cap = cap;
    return 0;
}

static int combining_class(utf8proc_int32_t c)
{
    return utf8proc_get_property(c)->combining_class;
}

/* Stable sort of marks by combining class: counting sort, as classes are few. */
static int sort_marks(utf8proc_int32_t *code, size_t n)
{
    enum { SHORT = 24 };
    if (n <= SHORT) {
        for (size_t i = 1; i < n; i++) {
            utf8proc_int32_t c = code[i];
            int order = combining_class(c);
            size_t j = i;
            for (; j > 0 && combining_class(code[j - 1]) > order; j--)
                code[j] = code[j - 1];
            code[j] = c;
        }
        return 0;
    }
    utf8proc_int32_t *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return fail_memory();
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++) start[(combining_class(code[i]) & 0xFF) + 1]++;
    for (int i = 0; i < 256; i++) start[i + 1] += start[i];
    for (size_t i = 0; i < n; i++)
        sorted[start[combining_class(code[i]) & 0xFF]++] = code[i];
    memcpy(code, sorted, n * sizeof *sorted);
    free(sorted);
    return 0;
}

/* Canonical order, then composition, of decomposed code points; appended to out. */
static int run_end(struct run *r, struct buf *out)
{
    for (size_t i = 0; i < r->n;) {
        size_t from = i;
        while (i < r->n && combining_class(r->code[i]) != 0) i++;
        if (i - from > 1 && sort_marks(r->code + from, i - from) < 0)
            return -1;
        i += i == from;
    }
    utf8proc_ssize_t n = utf8proc_normalize_utf32(r->code, (utf8proc_ssize_t)r->n,
                                                  UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char *to = buf_room(out, 4);
        if (!to)
            return fail_memory();
        out->len += utf8_put(to, (uint32_t)r->code[i]);
    }
    r->n = 0;
    return n < 0 ? fail(FAIL_INTERNAL, "utf8proc: %s", utf8proc_errmsg(n)) : 0;
}

/* Add c's canonical decomposition. */
static int run_add(struct run *r, uint32_t c)
{
    enum { MOST = 32 }; /* no character has more than 4 parts */
    int last_boundary = 0;
    if (run_room(r, MOST) < 0)
        return -1;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)c, r->code + r->n, MOST,
                                UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &last_boundary);
    if (n < 0 || n > MOST)
        return fail(FAIL_INTERNAL, "utf8proc: U+%04X does not decompose", (unsigned)c);
    r->n += (size_t)n;
    return 0;
}

int nfc_text(struct span text, bool compose, struct buf *scratch, struct span *out)
{
    struct run run = {0};
    uint32_t before = 0; /* the last stable character, not yet written */
    bool pending = false;
    int result = -1;
    size_t i = clean_prefix(text, compose);
    *out = text;
    if (i == text.n)
        return 0;
    buf_clear(scratch);
    if (i > 0) /* back to the start of the last clean character: marks may join it */
        i--;
    while (i > 0 && ((unsigned char)text.s[i] & 0xC0) == 0x80) i--;
    buf_add(scratch, text.s, i);
    while (i < text.n) {
        uint32_t c;
        int cut;
        i += utf8_next(text.s + i, text.n - i, &c, &cut);
        if (!compose || nfc_is_stable(c)) {
            if (run.n > 0) {
                if (run_end(&run, scratch) < 0)
                    goto out;
            } else if (pending) {
                char *to = buf_room(scratch, 4);
                if (to)
                    scratch->len += utf8_put(to, before);
            }
            before = c;
            pending = true;
            continue;
        }
        if (run.n == 0 && pending && run_add(&run, before) < 0)
            goto out;
        pending = false;
        if (run_add(&run, c) < 0)
            goto out;
    }
    if (run.n > 0 && run_end(&run, scratch) < 0)
        goto out;
    if (pending) {
        char *to = buf_room(scratch, 4);
        if (to)
            scratch->len += utf8_put(to, before);
    }
    result = buf_ok(scratch);
    *out = (struct span){scratch->data, scratch->len};
out:
    free(run.code);
    return result;
}
