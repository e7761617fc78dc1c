/* example.c: see example.h. A conversation is rendered once as a whole and once up to
 * each assistant's opening: what the assistant said goes from there to the token that
 * ends its turn, which content cannot hold. */
#include "base/fail.h"
#include "model/conversation.h"
#include "row/row.h"
#include "train/example_own.h"
#include "train/turns.h"

#include <stdlib.h>
#include <string.h>

void trainer_text_close(struct trainer_text *t)
{
    if (!t)
        return;
    chat_close(t->chat);
    tokenizer_close(t->tokenizer);
    free(t);
}

static int limit_pixels(struct patch_config *pc, const struct example_options *o)
{
    if (o->min_pixels)
        pc->min_pixels = o->min_pixels;
    if (o->max_pixels)
        pc->max_pixels = o->max_pixels;
    if (pc->min_pixels <= pc->max_pixels)
        return 0;
    if (o->min_pixels && o->max_pixels)
        return fail(FAIL_REFUSED, "--min-pixels is above --max-pixels");
    *(o->max_pixels ? &pc->min_pixels : &pc->max_pixels) =
        o->max_pixels ? o->max_pixels : o->min_pixels;
    return 0;
}

static int open_parts(struct trainer_text *t, const char *dir)
{
    const struct example_options *o = t->options;
    if (config_read(&t->config, dir) < 0 || !(t->tokenizer = tokenizer_open(dir)) ||
        !(t->chat = chat_open(dir, o->chat)))
        return -1;
    if (tokenizer_size(t->tokenizer) > t->config.text.vocab)
        return fail(FAIL_MODEL,
                    "%s: the tokenizer has ids up to %d, the model's vocabulary is %d",
                    dir, tokenizer_size(t->tokenizer) - 1, t->config.text.vocab);
    if (t->config.vision.depth &&
        (patch_config_read(&t->patches, dir) < 0 || limit_pixels(&t->patches, o) < 0))
        return -1;
    t->end = tokenizer_find(t->tokenizer, chat_end(t->chat));
    return t->end >= 0 ? 0
                       : fail(FAIL_MODEL, "%s: the tokenizer has no \"%s\"", dir,
                              chat_end(t->chat));
}

struct trainer_text *trainer_text_open(const char *dir, const struct example_options *o)
{
    struct trainer_text *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    t->options = o;
    if (open_parts(t, dir) < 0) {
        trainer_text_close(t);
        return NULL;
    }
    return t;
}

void trainer_text_format(const struct trainer_text *t, struct prompt_format *format,
                         struct patch_config *patches)
{
    *patches = t->patches;
    *format = (struct prompt_format){
        t->tokenizer, t->chat, &t->config, patches, {true, CHAT_THINK_DEFAULT, false}};
}

void example_free(struct example *e)
{
    for (int i = 0; i < e->parts; i++) {
        ids_free(&e->part[i].ids);
        free(e->part[i].target);
    }
    free(e->part);
    ids_free(&e->prompt);
    for (int i = 0; i < e->picture_count; i++)
        free((float *)(uintptr_t)e->pictures[i].patches);
    free(e->pictures);
    *e = (struct example){0};
}

int example_tokens(const struct example *e)
{
    size_t n = e->prompt.n;
    for (int i = 0; i < e->parts; i++) n += e->part[i].ids.n;
    return (int)n;
}

/* -- Which tokens are targets ----------------------------------------------------------
 */

static int pictures_in(const struct turn *turns, int count)
{
    int n = 0;
    for (int t = 0; t < count; t++)
        for (int i = 0; i < turns[t].count; i++) n += turns[t].parts[i].picture;
    return n;
}

/* How many tokens the first `count` turns are, with the assistant's opening behind them;
 * the whole conversation, rendered as `whole`, must begin with them. -1. */
static int prefix_len(const struct trainer_text *t, const struct prompt_format *format,
                      const struct turn *turns, int count, const struct prompt *whole)
{
    struct request request = {.turns = turns, .count = count};
    struct prompt other = *whole, p;
    other.count = pictures_in(turns, count);
    int status = prompt_make_like(&p, format, &request, &other), len = (int)p.ids.n;
    if (status == 0 && (p.ids.n > whole->ids.n ||
                        memcmp(p.ids.id, whole->ids.id, p.ids.n * sizeof *p.ids.id) != 0))
        status = fail(FAIL_TYPE,
                      "chat format %s writes an earlier turn otherwise once a later one "
                      "is there: train on one assistant's turn a row",
                      chat_name(t->chat));
    for (int i = 0; i < p.count; i++) p.pictures[i].patches = NULL; /* the whole's */
    prompt_free(&p);
    return status < 0 ? -1 : len;
}

/* target[i] of whole->ids: what assistants said, and the end of their turns. How many
 * ids up to the last of them, or -1. */
static int targets_mark(const struct trainer_text *t, struct prompt_format *format,
                        const struct turn *turns, int count, const struct prompt *whole,
                        bool *target, int *targets)
{
    int last = 0;
    *targets = 0;
    for (int i = 0; i < count; i++) {
        if (turns[i].role != TURN_ASSISTANT)
            continue;
        if (pictures_in(turns + i, 1))
            return fail(FAIL_TYPE, "turn %d: an assistant's turn holds a picture", i);
        if (i == 0)
            return fail(FAIL_TYPE, "nothing stands before the assistant's turn");
        format->chat_options.generation_prompt = true;
        int from = prefix_len(t, format, turns, i, whole), to = from;
        if (from < 0)
            return -1;
        while (to < (int)whole->ids.n && whole->ids.id[to] != t->end) to++;
        if (to == (int)whole->ids.n)
            return fail(FAIL_TYPE, "turn %d: the chat format does not end it", i);
        last = to + 1;
        for (int j = from; j < last; j++) target[j] = true;
        *targets += last - from;
    }
    return last ? last : fail(FAIL_MISSING, "no assistant's turn to learn from");
}

/* Cut at the context where that is allowed. The new length, or -1. */
static int fit(const struct trainer_text *t, const struct prompt *whole,
               const bool *target, int len)
{
    int ctx = t->options->ctx ? t->options->ctx : t->config.text.context, last = -1;
    if (ctx <= 0 || len <= ctx)
        return len;
    if (!t->options->truncate)
        return fail(FAIL_TOO_LONG, "%d tokens, beyond %d", len, ctx);
    for (int i = 0; i < ctx; i++) last = target[i] ? i : last;
    if (last < 0)
        return fail(FAIL_TOO_LONG, "%d tokens, and none of the first %d is learnt", len,
                    ctx);
    for (int i = last + 1; i < len; i++)
        if (whole->count && whole->ids.id[i] == t->config.image_id)
            return fail(FAIL_TOO_LONG,
                        "%d tokens, beyond %d, and a picture lies where it would be cut",
                        len, ctx);
    return last + 1;
}

/* ids [0, len) to prompt and part. */
static int split(struct example *e, const struct prompt *whole, const bool *target,
                 int len)
{
    int first = 0;
    while (!target[first]) first++;
    e->part = calloc(1, sizeof *e->part);
    if (!e->part)
        return fail_memory();
    e->parts = 1;
    e->part[0].target = malloc((size_t)(len - first));
    if (!e->part[0].target)
        return fail_memory();
    memcpy(e->part[0].target, target + first, (size_t)(len - first));
    e->targets = 0;
    for (int i = 0; i < len; i++) {
        if (ids_add(i < first ? &e->prompt : &e->part[0].ids, whole->ids.id[i]) < 0)
            return -1;
        e->targets += target[i];
    }
    return first > 0 ? 0 : fail(FAIL_TYPE, "nothing stands before the assistant's turn");
}

static int from_turns(struct example *e, const struct trainer_text *t,
                      const struct turn *turns, int count, bool plan_only)
{
    struct prompt_format format = {t->tokenizer,
                                   t->chat,
                                   &t->config,
                                   &t->patches,
                                   {false, CHAT_THINK_DEFAULT, false}};
    struct request request = {.turns = turns, .count = count};
    struct prompt whole;
    bool *target = NULL;
    int targets, len, status = prompt_make(&whole, &format, &request, plan_only);
    if (status == 0 && !(target = calloc(whole.ids.n + 1, sizeof *target)))
        status = fail_memory();
    if (status == 0) {
        len = targets_mark(t, &format, turns, count, &whole, target, &targets);
        if (len >= 0)
            len = fit(t, &whole, target, len);
        status = len < 0 ? -1 : split(e, &whole, target, len);
    }
    if (status == 0) {
        e->pictures = whole.pictures;
        e->picture_count = whole.count;
        whole.pictures = NULL;
        whole.count = 0;
    }
    prompt_free(&whole);
    free(target);
    if (status < 0)
        example_free(e);
    return status;
}

static int sft(struct example *e, const struct trainer_text *t, struct row *row,
               bool plan_only)
{
    struct conversation c;
    *e = (struct example){0};
    int status = turns_read(&c, row, t->options);
    if (status == 0)
        status = from_turns(e, t, c.turns, c.count, plan_only);
    conversation_free(&c);
    return status;
}

int example_sft(struct example *e, const struct trainer_text *t, struct row *row)
{
    return sft(e, t, row, false);
}

int example_sft_plan(struct example *e, const struct trainer_text *t, struct row *row)
{
    return sft(e, t, row, true);
}
