/* split.c: see split.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/split.h"
#include "base/buf.h"
#include "base/fail.h"
#include "text/split_scan.h"

#include <pcre2.h>
#include <stdlib.h>

struct splitter {
    split_scan *scan; /* the scanner of a known pattern, or NULL */
    pcre2_code *code; /* owned; NULL: the scanner does it */
};

/* The pattern with \s and \S written as Unicode properties: PCRE2's own \s has U+180E,
 * the reference's has not. */
static int translate(struct span pattern, struct buf *out)
{
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.s[i] != '\\' || i + 1 == pattern.n) {
            buf_char(out, pattern.s[i]);
            continue;
        }
        char c = pattern.s[++i];
        if (c == 's' || c == 'S')
            buf_text(out, c == 's' ? "\\p{White_Space}" : "\\P{White_Space}");
        else
            buf_add(out, &pattern.s[i - 1], 2);
    }
    return buf_ok(out);
}

struct splitter *split_open(struct span pattern, bool scan)
{
    struct splitter *s = calloc(1, sizeof *s);
    struct buf text = {0};
    int error;
    PCRE2_SIZE where;
    if (!s) {
        fail_memory();
        return NULL;
    }
    if (scan && (s->scan = split_scan_of(pattern)))
        return s;
    if (translate(pattern, &text) < 0)
        goto bad;
    s->code = pcre2_compile((PCRE2_SPTR)text.data, text.len,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
                                PCRE2_NO_AUTO_CAPTURE,
                            &error, &where, NULL);
    if (!s->code) {
        char why[128];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
        fail(FAIL_MODEL, "pre-tokenizer pattern, at byte %zu: %s", (size_t)where, why);
        goto bad;
    }
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE); /* without it, it is only slower */
    buf_free(&text);
    return s;
bad:
    buf_free(&text);
    split_close(s);
    return NULL;
}

void split_close(struct splitter *s)
{
    if (!s)
        return;
    pcre2_code_free(s->code);
    free(s);
}

int split_start(struct split_run *run, const struct splitter *s, struct span text)
{
    *run = (struct split_run){.splitter = s, .text = text};
    if (!s->code)
        return 0;
    run->data = pcre2_match_data_create_from_pattern(s->code, NULL);
    run->context = pcre2_match_context_create(NULL);
    if (!run->data || !run->context) {
        split_end(run);
        return fail_memory();
    }
    return 0;
}

void split_end(struct split_run *run)
{
    pcre2_match_data_free(run->data);
    pcre2_match_context_free(run->context);
    *run = (struct split_run){0};
}

/* Find the next match that takes at least one byte, from run->at on; what no match takes
 * is a piece too. 0, or -1. */
static int find_match(struct split_run *run)
{
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(run->data);
    const pcre2_code *code = run->splitter->code;
    PCRE2_SPTR text = (PCRE2_SPTR)run->text.s;
    uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    int found =
        pcre2_match(code, text, run->text.n, run->at, options, run->data, run->context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter's stack is the heap */
        found = pcre2_match(code, text, run->text.n, run->at, options | PCRE2_NO_JIT,
                            run->data, run->context);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        char why[128];
        pcre2_get_error_message(found, (PCRE2_UCHAR *)why, sizeof why);
        return fail(FAIL_MODEL, "pre-tokenizer pattern: %s", why);
    }
    run->match = found < 0 ? run->text.n : range[0];
    run->match_end = found < 0 ? run->text.n : range[1];
    if (run->match < run->at || run->match_end < run->match) /* \K can do that */
        return fail(FAIL_MODEL, "pre-tokenizer pattern: a match out of order");
    return 0;
}

int split_next(struct split_run *run, struct span *piece)
{
    size_t end;
    if (run->at >= run->text.n)
        return 0;
    struct span rest = {run->text.s + run->at, run->text.n - run->at};
    if (!run->splitter->code) {
        end = run->at + run->splitter->scan(rest);
    } else {
        if (run->at >= run->match_end && find_match(run) < 0)
            return -1;
        end = run->at < run->match ? run->match : run->match_end;
    }
    *piece = (struct span){rest.s, end - run->at};
    run->at = end;
    return 1;
}
