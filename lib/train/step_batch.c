/* step_batch.c: see step_batch.h. */
#include "train/step_batch.h"
#include "base/fail.h"
#include "train/pack.h"
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
        int got = dataset_example(d, rows[i], text, e);
        if (got == DATASET_CHANGED || (got < 0 && fail_kind() == FAIL_INTERNAL))
            return -1;
        if (got < 0) {
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

/* Examples on their way through one micro-batch. */
struct gathered {
    const struct example **list; /* [count of the batch] */
    int64_t *rows;
    int *tokens, *bin;
};

static void gathered_free(struct gathered *g)
{
    free(g->list);
    free(g->rows);
    free(g->tokens);
    free(g->bin);
}

static int gathered_make(struct gathered *g, int count)
{
    size_t n = (size_t)count + 1;
    *g = (struct gathered){malloc(n * sizeof *g->list), malloc(n * sizeof *g->rows),
                           malloc(n * sizeof *g->tokens), malloc(n * sizeof *g->bin)};
    return g->list && g->rows && g->tokens && g->bin ? 0 : fail_memory();
}

static int micro_run(const struct step_batch *b, struct trainer *t, enum step_work work,
                     int bin, struct gathered *g, struct objective_sums *sums)
{
    const struct objective *o = b->d->objective;
    int n = 0;
    for (int i = 0; i < b->count; i++)
        if (g->bin[i] == bin) {
            g->list[n] = &b->examples[i];
            g->rows[n++] = b->rows[i];
        }
    const struct micro m = {.d = b->d,
                            .examples = g->list,
                            .rows = g->rows,
                            .count = n,
                            .train = work == STEP_TRAIN,
                            .over = b->over};
    if (trainer_forward(t, g->list, n, m.train) < 0)
        return -1;
    if (work == STEP_REFERENCE)
        return o->reference(o->context, t, &m);
    if (o->micro(o->context, t, &m, sums) < 0)
        return -1;
    return isfinite(sums->loss) ? 0 : fail(FAIL_MODEL, "the loss is not a number");
}

int step_batch_run(const struct step_batch *b, struct trainer *t, enum step_work work,
                   const struct run_options *o, const struct run_calls *calls,
                   struct objective_sums *sums)
{
    struct gathered g;
    int bins = gathered_make(&g, b->count), status;
    for (int i = 0; bins == 0 && i < b->count; i++)
        g.tokens[i] = example_tokens(&b->examples[i]);
    if (bins == 0)
        bins = o->pack ? pack_fit(g.tokens, b->count, o->pack, g.bin)
                       : pack_in_order(g.tokens, b->count, o->micro_tokens, g.bin);
    status = bins < 0 ? -1 : 0;
    for (int bin = 0; status == 0 && bin < bins; bin++)
        status = calls->stop(calls->context) ? STEP_STOPPED
                                             : micro_run(b, t, work, bin, &g, sums);
    gathered_free(&g);
    return status;
}
