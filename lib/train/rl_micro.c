/* rl_micro.c: see rl_micro.h. Pictures are read for the pass that needs them and dropped
 * behind it, so that those of a whole batch are never in memory together. */
#include "train/rl_micro.h"
#include "base/fail.h"

#include <stdio.h>
#include <stdlib.h>

static void clear(struct rl_micro *b)
{
    for (int i = 0; i < b->count; i++) example_free(&b->e[i]);
    free(b->logp);
    b->logp = NULL;
    b->count = 0;
    b->tokens = 0;
}

/* Room for four numbers of each target. */
static int numbers(struct rl_micro *b)
{
    size_t n = 1;
    for (int i = 0; i < b->count; i++) n += (size_t)b->e[i].targets;
    if (!(b->logp = calloc(4 * n, sizeof *b->logp)))
        return fail_memory();
    b->entropy = b->logp + n;
    b->dlogp = b->entropy + n;
    b->dentropy = b->dlogp + n;
    return 0;
}

static int work_on(const struct rl_micro_run *run, struct rl_micro *b)
{
    if (b->count == 0)
        return 0;
    if (!*run->begun && run->calls->stop(run->calls->context))
        return fail(FAIL_REFUSED, "interrupted"), RL_UNFINISHED;
    const struct example **list = malloc((size_t)b->count * sizeof *list);
    int status = list ? numbers(b) : fail_memory();
    for (int i = 0; list && i < b->count; i++) list[i] = &b->e[i];
    if (status == 0)
        status = run->work(run->context, b, list);
    free(list);
    clear(b);
    return status;
}

/* A group more, at the end of a micro-batch or as the first of the next. */
static int add(const struct rl_micro_run *run, struct rl_micro *b, struct rl_group *g)
{
    struct example e;
    char text[600];
    if (rollout_example(&e, g->r, run->rules) < 0) {
        if (fail_kind() == FAIL_INTERNAL)
            return -1;
        snprintf(text, sizeof text, "%.255s: %.300s: the group is left out", g->r->where,
                 fail_text());
        run->calls->say(run->calls->context, text);
        run->gone(run->context, g);
        return 0;
    }
    int64_t tokens = example_tokens(&e);
    bool fits = b->count == 0 || (b->tokens + tokens <= run->o->micro &&
                                  b->group[0]->r->temperature == g->r->temperature);
    int status = fits ? 0 : work_on(run, b);
    if (status < 0) {
        example_free(&e);
        return status;
    }
    b->group[b->count] = g;
    b->e[b->count++] = e;
    b->tokens += tokens;
    return 0;
}

int rl_micro_each(const struct rl_micro_run *run, struct rl_group **list, int64_t count)
{
    struct rl_micro b = {0};
    size_t n = (size_t)count + 1;
    b.group = calloc(n, sizeof(struct rl_group *));
    b.e = calloc(n, sizeof *b.e);
    int status = b.group && b.e ? 0 : fail_memory();
    for (int64_t i = 0; status == 0 && i < count; i++)
        if (list[i]->usable)
            status = add(run, &b, list[i]);
    if (status == 0)
        status = work_on(run, &b);
    clear(&b);
    free(b.group);
    free(b.e);
    return status;
}
