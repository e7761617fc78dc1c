/* pair_example.c: see pair_example.h. The prompt is rendered with the assistant's opening
 * behind it, and the conversation once with each answer: what is behind the prompt's ids
 * is the answer. */
#include "train/pair_example.h"
#include "base/fail.h"
#include "train/example_own.h"
#include "train/pair_turns.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[PAIR_PARTS] = {"chosen", "rejected"};

/* The prompt's turns and an answer: how many tokens the answer is, the end of its turn
 * included. They are added to part. -1. */
static int render_answer(struct example_part *part, struct prompt_format *format,
                         const struct trainer_text *t, const struct conversation *c,
                         struct span answer, const struct prompt *prompt)
{
    struct turn_part text = {.text = answer};
    struct turn *turns = malloc(((size_t)c->count + 1) * sizeof *turns);
    struct prompt whole = {0};
    if (!turns)
        return fail_memory();
    if (c->count > 0)
        memcpy(turns, c->turns, (size_t)c->count * sizeof *turns);
    turns[c->count] = (struct turn){TURN_ASSISTANT, &text, 1};
    const struct request request = {.turns = turns, .count = c->count + 1};
    format->chat_options.generation_prompt = false;
    int status = prompt_make_like(&whole, format, &request, prompt);
    size_t from = prompt->ids.n, to = whole.ids.n;
    if (status == 0 && (to < from || memcmp(whole.ids.id, prompt->ids.id,
                                            from * sizeof *whole.ids.id) != 0))
        status = fail(FAIL_TYPE,
                      "chat format %s writes the prompt otherwise once an "
                      "answer is there",
                      chat_name(t->chat));
    while (status == 0 && to > from && whole.ids.id[to - 1] != t->end) to--;
    if (status == 0 && to == from)
        status = fail(FAIL_TYPE, "the chat format does not end an answer");
    for (size_t i = from; status == 0 && i < to; i++)
        status = ids_add(&part->ids, whole.ids.id[i]);
    for (int i = 0; i < whole.count; i++) whole.pictures[i].patches = NULL; /* prompt's */
    prompt_free(&whole);
    free(turns);
    return status;
}

/* Cut at the context where that is allowed. 0 or -1. */
static int fit(const struct trainer_text *t, const struct prompt *prompt,
               struct example_part *part)
{
    int limit = t->options->ctx ? t->options->ctx : t->config.text.context;
    size_t ctx = (size_t)limit, all = prompt->ids.n + part->ids.n;
    if (limit <= 0 || all <= ctx)
        return 0;
    if (!t->options->truncate)
        return fail(FAIL_TOO_LONG, "%zu tokens, beyond %zu", all, ctx);
    if (prompt->ids.n >= ctx)
        return fail(FAIL_TOO_LONG,
                    "a prompt of %zu tokens, and none of the answer fits "
                    "in %zu",
                    prompt->ids.n, ctx);
    part->ids.n = ctx - prompt->ids.n;
    return 0;
}

static bool same_ids(const struct ids *a, const struct ids *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n * sizeof *a->id) == 0;
}

/* Both answers behind the prompt. 0 or -1. */
static int add_parts(struct example *e, const struct trainer_text *t,
                     struct prompt_format *format, const struct pair_turns *turns,
                     const struct prompt *prompt)
{
    const struct span answers[PAIR_PARTS] = {turns->chosen, turns->rejected};
    if (!(e->part = calloc(PAIR_PARTS, sizeof *e->part)))
        return fail_memory();
    e->parts = PAIR_PARTS;
    for (int i = 0; i < PAIR_PARTS; i++) {
        struct example_part *part = &e->part[i];
        if (render_answer(part, format, t, &turns->prompt, answers[i], prompt) < 0 ||
            fit(t, prompt, part) < 0)
            return fail_in("%s", names[i]);
        if (!(part->target = malloc(part->ids.n * sizeof *part->target)))
            return fail_memory();
        for (size_t j = 0; j < part->ids.n; j++) part->target[j] = true;
        e->targets += (int)part->ids.n;
    }
    return same_ids(&e->part[0].ids, &e->part[1].ids)
               ? fail(FAIL_REFUSED, "chosen and rejected are the same")
               : 0;
}

static int from_turns(struct example *e, const struct trainer_text *t,
                      const struct pair_turns *turns, bool plan_only)
{
    struct prompt_format format = {t->tokenizer,
                                   t->chat,
                                   &t->config,
                                   &t->patches,
                                   {true, CHAT_THINK_DEFAULT, false}};
    const struct request request = {.turns = turns->prompt.turns,
                                    .count = turns->prompt.count};
    struct prompt prompt;
    int status = prompt_make(&prompt, &format, &request, plan_only);
    if (status == 0)
        status = add_parts(e, t, &format, turns, &prompt);
    if (status == 0) {
        e->prompt = prompt.ids;
        e->pictures = prompt.pictures;
        e->picture_count = prompt.count;
        prompt.ids = (struct ids){0};
        prompt.pictures = NULL;
        prompt.count = 0;
    }
    prompt_free(&prompt);
    if (status < 0)
        example_free(e);
    return status;
}

int example_pair(struct example *e, const struct trainer_text *t, struct row *row,
                 bool plan_only)
{
    struct pair_turns turns;
    *e = (struct example){0};
    int status = pair_turns_read(&turns, row, t->options);
    if (status == 0)
        status = from_turns(e, t, &turns, plan_only);
    pair_turns_free(&turns);
    return status;
}
