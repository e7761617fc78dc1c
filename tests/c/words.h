/* words.h: for benches: texts of a given number of tokens. */
#ifndef WORDS_H
#define WORDS_H
#include "base/fail.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>

static void words_die(const char *why)
{
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

/* Tokens of a prompt of one user turn with this text. */
static int words_tokens(struct model *m, struct span text)
{
    struct turn_part part = {.text = text};
    struct turn turn = {TURN_USER, &part, 1};
    struct request r = {.turns = &turn, .count = 1, .n = 1};
    struct request_plan plan;
    if (model_plan(m, &r, &plan) < 0)
        words_die(fail_text());
    free(plan.pictures);
    return plan.prompt_tokens;
}

/* Append words until the prompt has `more` tokens more than it had. */
static void words_add(struct model *m, struct buf *text, int more, unsigned seed)
{
    static const char *const words[] = {" red", " the",  " circle", " small", " solid",
                                        " top", " left", " is",     " There"};
    int want = words_tokens(m, (struct span){text->data, text->len}) + more;
    while (words_tokens(m, (struct span){text->data, text->len}) < want) {
        seed = seed * 1664525 + 1013904223;
        buf_text(text, words[(seed >> 16) % 9]);
    }
}
#endif
