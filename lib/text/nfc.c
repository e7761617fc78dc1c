/* nfc.c: see nfc.h. Stable characters are copied; each other run, from the stable
 * character before it (which its marks may join), goes through utf8proc's tables. The
 * reordering of marks is ours: utf8proc's takes quadratic time over a long run. */
#include "text/nfc.h"
#include "base/fail.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

struct range {
    uint32_t first, last;
};

/* Ranges of stable characters, most used scripts only; the test holds each code point
 * against utf8proc's data. */
static const struct range stable[] = {
    {0x0000, 0x02FF}, {0x0388, 0x0482},   {0x048A, 0x0590},   {0x0E01, 0x0E37},
    {0x1E00, 0x1EFF}, {0x2002, 0x20CF},   {0x2100, 0x2125},   {0x2127, 0x2129},
    {0x212C, 0x2328}, {0x232B, 0x2ADB},   {0x3000, 0x3029},   {0x3030, 0x3098},
    {0x309B, 0xA48F}, {0xAC00, 0xD7A3},   {0xE000, 0xF8FF},   {0xFE00, 0xFE1F},
    {0xFE30, 0xFFFD}, {0x1F000, 0x1FAFF}, {0x20000, 0x2A6DF},
};

/* Marks and composites younger than Unicode 9.0 (property Age). The reference tokenizer
 * normalises by the tables of that version, to which these were unassigned and so inert;
 * ids are made the same way here. */
static const struct range young[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0xECE, 0xECE},
    {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E},
    {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E},
    {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47},
    {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
};

static bool in_ranges(const struct range *range, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > range[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && c >= range[low].first;
}

bool nfc_is_stable(uint32_t c)
{
    return c < 0x300 || in_ranges(stable, sizeof stable / sizeof *stable, c) ||
           in_ranges(young, sizeof young / sizeof *young, c);
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
        if (c == UTF8_REPLACEMENT &&
            (n != 3 || memcmp(text.s + i, "\xEF\xBF\xBD", 3) != 0))
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

static void put(struct buf *out, uint32_t c)
{
    char *to = buf_room(out, 4);
    if (to)
        out->len += utf8_put(to, c);
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
    for (utf8proc_ssize_t i = 0; i < n; i++) put(out, (uint32_t)r->code[i]);
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

/* Begin a run with the last character written, which its marks may join. */
static int run_begin(struct run *r, struct buf *out)
{
    size_t at = out->len;
    uint32_t c;
    int cut;
    if (at == 0 || out->bad)
        return 0;
    do at--;
    while (at > 0 && ((unsigned char)out->data[at] & 0xC0) == 0x80);
    utf8_next(out->data + at, out->len - at, &c, &cut);
    if (in_ranges(young, sizeof young / sizeof *young, c))
        return 0; /* inert: utf8proc is not to see it */
    out->len = at;
    return run_add(r, c);
}

int nfc_text(struct span text, bool compose, struct buf *scratch, struct span *out)
{
    struct run run = {0};
    int result = -1;
    size_t i = clean_prefix(text, compose);
    *out = text;
    if (i == text.n)
        return 0;
    buf_clear(scratch);
    buf_add(scratch, text.s, i);
    while (i < text.n) {
        uint32_t c;
        int cut;
        i += utf8_next(text.s + i, text.n - i, &c, &cut);
        if (!compose || nfc_is_stable(c)) {
            if (run.n > 0 && run_end(&run, scratch) < 0)
                goto out;
            put(scratch, c);
        } else if ((run.n == 0 && run_begin(&run, scratch) < 0) || run_add(&run, c) < 0) {
            goto out;
        }
    }
    if (run.n > 0 && run_end(&run, scratch) < 0)
        goto out;
    result = buf_ok(scratch);
    *out = (struct span){scratch->data, scratch->len};
out:
    free(run.code);
    return result;
}
