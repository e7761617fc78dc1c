/* step_batch.c: see step_batch.h. */
#include "train/step_batch.h"
#include "base/fail.h"
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

void step_batch_free(struct step_batch *b)
{
    for (int i = 0; i < b->count; i++) example_free(&b->examples[i]);
    free(b->examples);
    free(b->rows);
    *b = (struct step_batch){0};
}

int step_batch_make(struct step_batch *b, const struct dataset *d,
                    const struct trainer_text *text, const int64_t *rows, int64_t n,
                    const struct run_calls *calls)
{
    *b = (struct step_batch){.d = d};
    b->examples = calloc((size_t)n + 1, sizeof *b->examples);
    b->rows = calloc((size_t)n + 1, sizeof *b->rows);
    if (!b->examples || !b->rows)
        return fail_memory();
    for (int64_t i = 0; i < n; i++) {
        struct example *e = &b->examples[b->count];
        if (dataset_example(d, rows[i], text, e) < 0) {
            if (calls)
                calls->say(calls->context, fail_text());
            b->failed++;
            continue;
        }
        b->rows[b->count++] = rows[i];
        b->over += d->objective->over(d->objective->context, e);
        b->tokens += example_tokens(e);
    }
    return 0;
}

/* Examples from `at` on that are computed together. */
static int micro_count(const struct step_batch *b, int at, int64_t tokens)
{
    int n = 0;
    int64_t sum = 0;
    while (at + n < b->count) {
        sum += example_tokens(&b->examples[at + n]);
        if (n > 0 && sum > tokens)
            break;
        n++;
    }
    return n;
}

static int micro_run(const struct step_batch *b, struct trainer *t, enum step_work work,
                     int at, int n, struct objective_sums *sums)
{
    const struct objective *o = b->d->objective;
    const struct example **list = malloc((size_t)n * sizeof *list);
    if (!list)
        return fail_memory();
    for (int i = 0; i < n; i++) list[i] = &b->examples[at + i];
    const struct micro m = {.d = b->d,
                            .examples = list,
                            .rows = b->rows + at,
                            .count = n,
                            .train = work == STEP_TRAIN,
                            .over = b->over};
    int status = trainer_forward(t, list, n, m.train);
    if (status == 0)
        status = work == STEP_REFERENCE ? o->reference(o->context, t, &m)
                                        : o->micro(o->context, t, &m, sums);
    free(list);
    if (status == 0 && work != STEP_REFERENCE && !isfinite(sums->loss))
        status = fail(FAIL_MODEL, "the loss is not a number");
    return status;
}

int step_batch_run(const struct step_batch *b, struct trainer *t, enum step_work work,
                   int64_t micro_tokens, const struct run_calls *calls,
                   struct objective_sums *sums)
{
    for (int at = 0, n; at < b->count; at += n) {
        if (calls->stop(calls->context))
            return STEP_STOPPED;
        n = micro_count(b, at, micro_tokens);
        if (micro_run(b, t, work, at, n, sums) < 0)
            return -1;
    }
    return 0;
}
