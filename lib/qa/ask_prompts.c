/* ask_prompts.c: the judgements' conversations: an optional system turn; then the user's
 * turn, pictures first, then the wording filled in. What all of a caption's prompts have
 * in common stands at their start, so that it is computed once. */
#include "base/fail.h"
#include "qa/ask_own.h"

#include <stdlib.h>

/* "A) text", a line each. */
static void list_options(const struct asking *a, const struct judgement *j, struct buf *b)
{
    const struct question *q = &a->questions[j->question];
    for (int p = 0; p < j->shown; p++) {
        struct span text = ask_option(a, q, j->options[p]);
        buf_print(b, p ? "\n%c) " : "%c) ", 'A' + p);
        buf_add(b, text.s, text.n);
    }
}

/* All texts into a->text, the end of each into ends[]. Spans are taken afterwards, for
 * the buffer moves while it grows. */
static int write_texts(struct asking *a, size_t *ends)
{
    struct buf options = {0};
    int status = 0;
    for (int i = 0; i < a->count && status == 0; i++) {
        const struct judgement *j = &a->judgements[i];
        buf_clear(&options);
        list_options(a, j, &options);
        struct wording_values v = {.caption = a->subject->caption,
                                   .question = a->questions[j->question].text,
                                   .options = {options.data, options.len},
                                   .n = 1};
        status =
            buf_ok(&options) < 0 ? -1 : wording_fill(a->rules->wording, &v, &a->text);
        ends[i] = a->text.len;
    }
    buf_free(&options);
    return status;
}

static void write_turns(struct asking *a, const size_t *ends)
{
    const struct ask_subject *s = a->subject;
    struct turn_part *system = a->parts, *part = a->parts + 1;
    struct turn *turn = a->turns;
    if (s->system)
        system->text = span_of(s->system);
    for (int i = 0; i < a->count; i++) {
        size_t from = i ? ends[i - 1] : 0;
        if (s->system)
            *turn++ = (struct turn){TURN_SYSTEM, system, 1};
        *turn++ = (struct turn){TURN_USER, part, s->picture_count + 1};
        for (int k = 0; k < s->picture_count; k++) *part++ = s->pictures[k];
        *part++ = (struct turn_part){.text = {a->text.data + from, ends[i] - from}};
    }
}

int ask_write(struct asking *a)
{
    size_t n = (size_t)a->count;
    size_t *ends = calloc(n + 1, sizeof *ends);
    int status = -1;
    a->turns_each = a->subject->system ? 2 : 1;
    a->turns = calloc(n + 1, (size_t)a->turns_each * sizeof *a->turns);
    a->parts = calloc(n * ((size_t)a->subject->picture_count + 1) + 1, sizeof *a->parts);
    if (!ends || !a->turns || !a->parts)
        fail_memory();
    else if ((status = write_texts(a, ends)) == 0)
        write_turns(a, ends);
    free(ends);
    return status;
}
