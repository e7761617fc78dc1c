/* sampler.c: see sampler.h. */
#include "engine/sampler.h"
#include "base/fail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    float logit;
    int32_t id;
    uint64_t weight;
};

int sampler_check(const struct sampling *s, int vocab)
{
    /* written so that NaN is refused */
    if (!(s->temperature >= 0 && s->temperature <= 1000))
        return fail(FAIL_TYPE, "temperature %g is not in 0 to 1000", s->temperature);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return fail(FAIL_TYPE, "top_p %g is not above 0 and up to 1", s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return fail(FAIL_TYPE, "min_p %g is not in 0 to 1", s->min_p);
    if (s->top_k < 0)
        return fail(FAIL_TYPE, "top_k %d is below 0", s->top_k);
    if (!(s->repetition_penalty > 0 && s->repetition_penalty <= 1000))
        return fail(FAIL_TYPE, "repetition_penalty %g is not above 0 and up to 1000",
                    s->repetition_penalty);
    if (!(fabs(s->presence_penalty) <= 1000))
        return fail(FAIL_TYPE, "presence_penalty %g is not in -1000 to 1000",
                    s->presence_penalty);
    if (s->max_tokens < 0)
        return fail(FAIL_TYPE, "max_tokens %d is below 0", s->max_tokens);
    if (s->top < 0 || s->top > vocab)
        return fail(FAIL_TYPE, "top %d is not in 0 to the vocabulary's %d", s->top,
                    vocab);
    return 0;
}

int sampler_work_open(struct sampler_work *w, int vocab)
{
    size_t n = (size_t)vocab;
    if (vocab > DRAW_VOCAB_MAX)
        return fail(FAIL_MODEL, "a vocabulary of %d is more than %d", vocab,
                    DRAW_VOCAB_MAX);
    *w = (struct sampler_work){.vocab = vocab};
    w->logits = malloc(n * sizeof *w->logits);
    w->sorted = malloc(n * sizeof *w->sorted);
    w->weights = malloc(n * sizeof *w->weights);
    w->candidates = malloc(n * sizeof *w->candidates);
    if (w->logits && w->sorted && w->weights && w->candidates)
        return 0;
    sampler_work_close(w);
    return fail_memory();
}

void sampler_work_close(struct sampler_work *w)
{
    free(w->logits);
    free(w->sorted);
    free(w->weights);
    free(w->candidates);
    *w = (struct sampler_work){0};
}

int sampler_open(struct sampler *s, struct sampler_work *work,
                 const struct sampling *sampling, const int32_t *prompt, int len)
{
    *s = (struct sampler){.sampling = sampling, .work = work};
    s->seen = calloc((size_t)work->vocab, 1);
    if (!s->seen)
        return fail_memory();
    for (int i = 0; i < len; i++) s->seen[prompt[i]] = DRAW_SEEN;
    return 0;
}

void sampler_close(struct sampler *s)
{
    free(s->seen);
    *s = (struct sampler){0};
}

float sampler_scale(const struct sampling *sampling)
{
    return sampling->temperature > 0 ? (float)(1 / sampling->temperature) : 1;
}

struct draw sampler_draw(const struct sampling *p, int sample, int position)
{
    return (struct draw){
        .top_k = p->top_k,
        .temperature = (float)p->temperature,
        .repetition = (float)p->repetition_penalty,
        .presence = (float)p->presence_penalty,
        .top_p = p->top_p,
        .min_p = p->min_p,
        .unit = p->temperature > 0
                    ? random_unit(p->key, (uint32_t)sample, (uint32_t)position)
                    : 0};
}

bool sampler_penalises(const struct sampling *p)
{
    return (float)p->repetition_penalty != 1 || (float)p->presence_penalty != 0;
}

void sampler_took(struct sampler *s, int32_t id)
{
    s->seen[id] |= DRAW_SEEN | DRAW_IN_OUTPUT;
}

static void penalise(struct sampler *s, const struct draw *how, float *logits)
{
    bool penalties = sampler_penalises(s->sampling);
    if (penalties || (how->temperature > 0 && how->temperature != 1))
        for (int i = 0; i < s->work->vocab; i++)
            logits[i] = draw_penalised(logits[i], penalties ? s->seen[i] : 0, how);
}

/* The k-th largest of n values, which are moved about (Hoare's selection). */
static float kth_largest(float *v, int n, int k)
{
    int low = 0, high = n - 1, want = k - 1;
    while (low < high) {
        float pivot = v[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (v[i] > pivot) i++;
            while (v[j] < pivot) j--;
            if (i <= j) {
                float t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (want <= j)
            high = j;
        else if (want >= i)
            low = i;
        else
            break;
    }
    return v[want];
}

static void keep_top_k(struct sampler *s, float *logits)
{
    int k = s->sampling->top_k;
    if (k == 0 || k >= s->work->vocab)
        return;
    memcpy(s->work->sorted, logits, (size_t)s->work->vocab * sizeof *logits);
    float least = kth_largest(s->work->sorted, s->work->vocab, k);
    for (int i = 0; i < s->work->vocab; i++)
        if (logits[i] < least)
            logits[i] = -INFINITY;
}

static float largest(const float *logits, int n)
{
    float most = logits[0];
    for (int i = 1; i < n; i++) most = logits[i] > most ? logits[i] : most;
    return most;
}

static int by_weight(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit < y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Remove from the least probable up while the sum of what is removed is <= 1 - p; the
 * most probable one stays. */
static void keep_top_p(struct sampler *s, float *logits)
{
    struct candidate *list = s->work->candidates;
    float most = largest(logits, s->work->vocab);
    uint64_t sum = 0, removed = 0;
    int count = 0, left = 0;
    if (s->sampling->top_p >= 1)
        return;
    for (int i = 0; i < s->work->vocab; i++) {
        struct candidate c = {logits[i], i, draw_weight(logits[i], most)};
        if (c.weight > 0)
            list[count++] = c;
        else
            logits[i] = -INFINITY;
        sum += c.weight;
    }
    if (sum == 0)
        return;
    /* Those so small that even all of them together may go need no sorting. */
    uint64_t limit = draw_part(1 - s->sampling->top_p, sum),
             small = limit / (uint64_t)count;
    for (int i = 0; i < count; i++) {
        struct candidate c = list[i];
        if (c.weight < small && c.logit < most) {
            removed += c.weight;
            logits[c.id] = -INFINITY;
        } else {
            list[left++] = c;
        }
    }
    qsort(list, (size_t)left, sizeof *list, by_weight);
    for (int i = 0; (removed += list[i].weight) <= limit; i++)
        logits[list[i].id] = -INFINITY;
}

/* Remove what is less than min_p times as probable as the most probable. */
static void keep_min_p(struct sampler *s, float *logits)
{
    double p = s->sampling->min_p;
    if (p <= 0)
        return;
    float most = largest(logits, s->work->vocab);
    for (int i = 0; i < s->work->vocab; i++)
        if (draw_chance(logits[i], most) < p)
            logits[i] = -INFINITY;
}

void sampler_filter(struct sampler *s, float *logits)
{
    struct draw how = sampler_draw(s->sampling, 0, 0);
    penalise(s, &how, logits);
    if (how.temperature == 0)
        return;
    keep_top_k(s, logits);
    keep_top_p(s, logits);
    keep_min_p(s, logits);
}

static int32_t greedy(const float *logits, int n)
{
    int32_t best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static int32_t draw(const float *logits, uint64_t *weights, int n, double unit)
{
    float most = largest(logits, n);
    uint64_t sum = 0, at = 0;
    int32_t id = 0;
    for (int i = 0; i < n; i++) sum += weights[i] = draw_weight(logits[i], most);
    if (sum == 0)
        return 0;
    uint64_t want = draw_part(unit, sum);
    while ((at += weights[id]) <= want) id++;
    return id;
}

int32_t sampler_next(struct sampler *s, const float *logits, int sample, int position)
{
    struct draw how = sampler_draw(s->sampling, sample, position);
    struct sampler_work *w = s->work;
    memcpy(w->logits, logits, (size_t)w->vocab * sizeof *logits);
    sampler_filter(s, w->logits);
    int32_t id = how.temperature == 0 ? greedy(w->logits, w->vocab)
                                      : draw(w->logits, w->weights, w->vocab, how.unit);
    sampler_took(s, id);
    return id;
}

void sampler_top(const float *logits, int vocab, float scale, float lse, int count,
                 struct token_chance *top)
{
    int n = 0;
    for (int i = 0; i < vocab; i++) {
        if (n == count && (n == 0 || logits[i] <= top[n - 1].logprob))
            continue;
        int at = n < count ? n++ : n - 1;
        for (; at > 0 && top[at - 1].logprob < logits[i]; at--) top[at] = top[at - 1];
        top[at] = (struct token_chance){i, logits[i]};
    }
    for (int i = 0; i < n; i++) top[i].logprob = top[i].logprob * scale - lse;
}
