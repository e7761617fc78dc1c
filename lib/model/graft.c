/* graft.c: see graft.h: the weights. Its configuration is graft_config.c's. */
#include "model/graft.h"
#include "base/fail.h"
#include "engine/floats.h"
#include "engine/random_weights.h"
#include "engine/vlm.h"
#include "gguf/gguf.h"
#include "model/adapter.h"
#include "model/folder.h"
#include "model/graft_config.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* Where a tensor of the new model comes from. */
struct source {
    const struct tensor *tensor; /* NULL: drawn at random */
    bool vocabulary;             /* rows of new tokens are the mean of the others */
    float *mean;                 /* owned; such a tensor's */
};

struct work {
    const struct graft_options *options;
    const struct graft_tokens *tokens;
    struct weights *llm, *vision;
    struct random_table *table;
    struct tensor_plan *plan;
    struct source *source;
    int count, cap;
    bool failed;
};

static bool is_vocabulary(const char *name)
{
    return strstr(name, "embed_tokens.weight") || strstr(name, "lm_head.weight");
}

/* A tensor by its name without "model." and "language_model.". */
static const struct tensor *find(const struct weights *w, const char *name)
{
    const char *plain = adapter_plain_name(name);
    for (int i = 0; i < weights_count(w); i++)
        if (strcmp(adapter_plain_name(weights_at(w, i)->name), plain) == 0)
            return weights_at(w, i);
    return NULL;
}

/* Does a tensor hold what is wanted? Of a vocabulary it may have fewer or more rows. */
static int shape_check(const struct tensor *t, const struct tensor_plan *p,
                       bool vocabulary)
{
    int64_t have = 1, want = 1;
    for (int i = 0; i < t->rank; i++) have *= t->shape[i];
    for (int i = 0; i < p->rank; i++) want *= p->shape[i];
    bool fits = vocabulary ? t->rank == 2 && t->shape[1] == p->shape[1] : have == want;
    if (!fits || t->rank < 1 || (!vocabulary && t->shape[0] != p->shape[0]))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" has %lld numbers, not %lld", t->file,
                    t->name, (long long)have, (long long)want);
    if (!floats_can(t))
        return fail(FAIL_MODEL, "%s: tensor \"%s\" is %s, not BF16, F16 or F32", t->file,
                    t->name, t->dtype);
    return 0;
}

/* The mean of a vocabulary's rows that belong to tokens. */
static float *mean_row(const struct tensor *t, int64_t rows)
{
    int64_t dim = t->shape[1];
    rows = rows < t->shape[0] ? rows : t->shape[0];
    double *sum = calloc((size_t)dim, sizeof *sum);
    float *row = malloc((size_t)dim * sizeof *row);
    for (int64_t r = 0; sum && row && r < rows; r++) {
        floats_read(row, t, r * dim, dim);
        for (int64_t i = 0; i < dim; i++) sum[i] += (double)row[i];
    }
    for (int64_t i = 0; sum && row && i < dim; i++)
        row[i] = (float)(sum[i] / (double)rows);
    if (!sum || !row) {
        fail_memory();
        free(row);
        row = NULL;
    }
    free(sum);
    return row;
}

static int source_of(struct work *w, const struct tensor_plan *p, struct source *s)
{
    bool tower = strstr(p->name, "visual.") != NULL;
    if (tower && strstr(p->name, "merger"))
        return 0;
    s->tensor = find(tower ? w->vision : w->llm, p->name);
    s->vocabulary = is_vocabulary(p->name);
    if (!s->tensor)
        return fail(FAIL_MODEL, "%s: no tensor \"%s\"",
                    weights_at(tower ? w->vision : w->llm, 0)->file, p->name);
    if (shape_check(s->tensor, p, s->vocabulary) < 0)
        return -1;
    if (s->vocabulary && !(s->mean = mean_row(s->tensor, w->tokens->known)))
        return -1;
    return 0;
}

/* Room for one tensor more. 0 or -1. */
static int grow(struct work *w)
{
    int cap = w->cap ? 2 * w->cap : 256;
    if (w->count < w->cap)
        return 0;
    void *plan = realloc(w->plan, (size_t)cap * sizeof *w->plan);
    if (!plan)
        return fail_memory();
    w->plan = plan;
    void *source = realloc(w->source, (size_t)cap * sizeof *w->source);
    if (!source)
        return fail_memory();
    w->source = source;
    w->cap = cap;
    return 0;
}

/* A vlm_each. */
static void add(void *context, const char *name, int rank, const int64_t *shape)
{
    struct work *w = context;
    if (w->failed || grow(w) < 0) {
        w->failed = true;
        return;
    }
    struct tensor_plan *p = &w->plan[w->count];
    struct source *s = &w->source[w->count];
    *p = (struct tensor_plan){.name = strdup(name),
                              .type = w->options->fp32 ? ARR_F32 : ARR_BF16,
                              .rank = rank};
    *s = (struct source){0};
    memcpy(p->shape, shape, (size_t)rank * sizeof *shape);
    w->count++;
    if (!p->name)
        fail_memory();
    w->failed = !p->name || source_of(w, p, s) < 0;
}

/* Rows of a vocabulary: those of new tokens are the mean, and so are those behind the
 * last that the language model has. */
static void fill_vocabulary(const struct work *w, const struct source *s, int64_t first,
                            int n, float *to)
{
    int64_t dim = s->tensor->shape[1], rows = s->tensor->shape[0];
    for (int64_t e = 0; e < n;) {
        int64_t row = (first + e) / dim, column = (first + e) % dim;
        int64_t count = dim - column < n - e ? dim - column : n - e;
        bool added = row >= w->tokens->known && row < w->tokens->known + w->tokens->added;
        if (row < rows && !added)
            floats_read(to + e, s->tensor, row * dim + column, count);
        else
            memcpy(to + e, s->mean + column, (size_t)count * sizeof *to);
        e += count;
    }
}

/* A floats_fill. */
static int fill(void *context, int i, int64_t first, int n, float *to)
{
    struct work *w = context;
    const struct graft_options *o = w->options;
    const struct source *s = &w->source[i];
    if (o->abandon && o->abandon(o->abandon_context))
        return fail(FAIL_REFUSED, "interrupted");
    if (!s->tensor)
        random_table_fill(w->table, o->seed, &w->plan[i], first, n, to);
    else if (s->vocabulary)
        fill_vocabulary(w, s, first, n, to);
    else
        floats_read(to, s->tensor, first, n);
    return 0;
}

static int weights_make(const struct folder *f, struct work *w)
{
    struct model_config mc;
    char path[PATH_MAX];
    if (config_read(&mc, f->made) < 0 || vlm_tensors(&mc, add, w) < 0 || w->failed ||
        folder_path(path, f->made, "model.safetensors") < 0 ||
        !(w->table = random_table_make(w->options->deviation > 0 ? w->options->deviation
                                                                 : 0.02)))
        return -1;
    return floats_write(path, w->plan, w->count, fill, w);
}

int graft(const char *dir, const struct graft_options *options)
{
    char llm[PATH_MAX], vision[PATH_MAX];
    struct graft_tokens tokens = {0};
    struct folder f;
    struct work w = {.options = options, .tokens = &tokens};
    if (model_find(llm, sizeof llm, options->llm) < 0 ||
        model_find(vision, sizeof vision, options->vision) < 0)
        return -1;
    if (gguf_is(llm) || gguf_is(vision))
        return fail(FAIL_MODEL, "%s: a GGUF file is not taken apart: give a model folder",
                    gguf_is(llm) ? llm : vision);
    int status = (w.llm = weights_open(llm)) && (w.vision = weights_open(vision)) &&
                         folder_begin(&f, dir) == 0
                     ? 0
                     : -1;
    if (status == 0) {
        status = graft_config_write(&f, llm, vision, options->fp32, &tokens);
        if (status == 0)
            status = weights_make(&f, &w);
        status = folder_end(&f, status);
    }
    for (int i = 0; i < w.count; i++) {
        free((char *)(uintptr_t)w.plan[i].name);
        free(w.source[i].mean);
    }
    free(w.plan);
    free(w.source);
    random_table_free(w.table);
    weights_close(w.llm);
    weights_close(w.vision);
    return status;
}
