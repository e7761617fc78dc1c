/* lora-test.c: low-rank pairs: what they compute, their gradients, their names. */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "texts.h"
#include "train/optimizer.h"

#include <math.h>

static const char *const models[] = {"qwen3_vl", "qwen2_5_vl", "qwen3"};
enum { MODELS = sizeof models / sizeof *models, TEXTS = 2 };

static struct trainer *opened(const char *model, const char *lora, int threads,
                              bool recompute)
{
    char path[64];
    struct trainer_options o = {.threads = threads, .recompute = recompute};
    snprintf(path, sizeof path, "goldens/models/%s", model);
    if (lora) {
        o.lora.seed = 5;
        CHECK(lora_read(&o.lora, lora) == 0, "%s", fail_text());
    } else {
        o.parts = (1u << PARTS) - 1;
    }
    struct trainer *t = trainer_open(golden_path(path), &o);
    CHECK(t, "%s: %s", model, fail_text());
    return t;
}

static void texts(struct example *list[TEXTS], int vocab)
{
    for (int i = 0; i < TEXTS; i++)
        list[i] = text_make(3, 1, 20, vocab, 7u + (unsigned)i);
}

static void texts_done(struct example *list[TEXTS])
{
    for (int i = 0; i < TEXTS; i++) text_free(list[i]);
}

static float *downloaded(struct trainer *t, struct arr a)
{
    float *x = malloc((size_t)arr_size(a) * sizeof *x);
    trainer_kernels(t)->download(trainer_dev(t), x, a);
    return x;
}

/* Every B gets numbers, as if it had been trained. */
static void b_fill(struct trainer *t)
{
    const struct params *p = trainer_params(t);
    unsigned seed = 3;
    for (int i = 0; i < p->count; i++) {
        if (!p->list[i].base.data || !strstr(p->list[i].name, "lora_B"))
            continue;
        int64_t n = arr_size(p->list[i].w);
        float *x = malloc((size_t)n * sizeof *x);
        for (int64_t j = 0; j < n; j++) {
            seed = seed * 69069u + 1u;
            x[j] = ((float)(seed >> 8) / (1 << 24) - 0.5f) * 0.1f;
        }
        trainer_kernels(t)->upload(trainer_dev(t), p->list[i].w, x);
        free(x);
    }
}

static void zero_b_computes_the_base_to_the_bit(void)
{
    for (int i = 0; i < MODELS; i++) {
        struct trainer *base = opened(models[i], NULL, 2, false);
        struct trainer *t = opened(models[i], "4,8,all", 2, false);
        struct example *list[TEXTS];
        float a[TEXTS * 20], b[TEXTS * 20];
        NEED(base && t, "set-up");
        texts(list, trainer_config(t)->text.vocab);
        const struct example *const *given = (const struct example *const *)list;
        NEED(trainer_forward(base, given, TEXTS, false) == 0, "%s", fail_text());
        NEED(trainer_targets(base) == TEXTS * 20, "targets");
        CHECK(trainer_logprobs(base, a, NULL) == 0, "%s", fail_text());
        NEED(trainer_forward(t, given, TEXTS, false) == 0, "%s", fail_text());
        CHECK(trainer_logprobs(t, b, NULL) == 0, "%s", fail_text());
        CHECK(memcmp(a, b, sizeof a) == 0, "%s: not the base", models[i]);
        const struct params *p = trainer_params(t);
        int64_t layers = trainer_config(t)->text.layers;
        CHECK(p->trained > 0 && p->trained < p->elements, "%lld trained",
              (long long)p->trained);
        CHECK(p->count - trainer_params(base)->count == layers * 14, "%d parameters",
              p->count);
        texts_done(list);
        trainer_close(t);
        trainer_close(base);
    }
}

/* The parameter whose memory this is, in the trainer of the whole model. */
static const struct param *named(struct trainer *t, const char *pair)
{
    const struct params *p = trainer_params(t);
    const char *at = strstr(pair, "layers.");
    size_t n = (size_t)(strstr(pair, ".lora_") - at);
    for (int i = 0; i < p->count; i++) {
        const char *its = strstr(p->list[i].name, "layers.");
        if (its && strncmp(its, at, n) == 0 && strcmp(its + n, ".weight") == 0)
            return &p->list[i];
    }
    return NULL;
}

/* norm(a - b) / norm(b) */
static double off(const double *a, const double *b, int64_t n)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(difference / (norm > 0 ? norm : 1));
}

/* W + scale B A in the whole model's place; with gradient, that of the pair from W's. */
static void pair_check(struct trainer *t, struct trainer *whole, int i, bool gradient,
                       double scale)
{
    const struct param *down = &trainer_params(t)->list[i], *up = down + 1;
    const struct param *base = named(whole, down->name);
    NEED(base, "no matrix of %s", down->name);
    int64_t rank = down->shape[0], in = down->shape[1], out = up->shape[0];
    float *a = downloaded(t, down->w), *b = downloaded(t, up->w);
    float *w = downloaded(whole, gradient ? base->grad : base->w);
    double *da = calloc((size_t)(rank * in), sizeof *da),
           *db = calloc((size_t)(rank * out), sizeof *db);
    for (int64_t o = 0; o < out; o++)
        for (int64_t r = 0; r < rank; r++)
            for (int64_t c = 0; c < in; c++) {
                if (!gradient)
                    w[o * in + c] +=
                        (float)(scale * (double)b[o * rank + r] * (double)a[r * in + c]);
                double dw = scale * (double)w[o * in + c];
                da[r * in + c] += dw * (double)b[o * rank + r];
                db[o * rank + r] += dw * (double)a[r * in + c];
            }
    if (!gradient) {
        trainer_kernels(whole)->upload(trainer_dev(whole), base->w, w);
    } else {
        float *ours[] = {downloaded(t, down->grad), downloaded(t, up->grad)};
        double *want[] = {da, db};
        int64_t n[] = {rank * in, rank * out};
        for (int j = 0; j < 2; j++) {
            double *x = malloc((size_t)n[j] * sizeof *x);
            for (int64_t e = 0; e < n[j]; e++) x[e] = (double)ours[j][e];
            CHECK(off(x, want[j], n[j]) < 1e-4, "%s is %g off",
                  trainer_params(t)->list[i + j].name, off(x, want[j], n[j]));
            free(x);
            free(ours[j]);
        }
    }
    free(a);
    free(b);
    free(w);
    free(da);
    free(db);
}

static void pairs_check(struct trainer *t, struct trainer *whole, bool gradient)
{
    const struct params *p = trainer_params(t);
    double scale = p->lora.alpha / p->lora.rank;
    for (int i = 0; i < p->count; i++)
        if (p->list[i].base.data && strstr(p->list[i].name, "lora_A"))
            pair_check(t, whole, i, gradient, scale);
}

static void merged_check(const char *model, const char *lora, bool recompute)
{
    struct trainer *whole = opened(model, NULL, 2, false);
    struct trainer *t = opened(model, lora, 2, recompute);
    struct example *list[TEXTS];
    NEED(whole && t, "set-up");
    texts(list, trainer_config(t)->text.vocab);
    b_fill(t);
    pairs_check(t, whole, false);
    for (int again = 0; again < 2; again++) { /* shadows are clean behind it */
        params_clear(trainer_params(t), trainer_kernels(t), trainer_dev(t));
        params_clear(trainer_params(whole), trainer_kernels(whole), trainer_dev(whole));
        double a = texts_loss(whole, list, TEXTS, true);
        double b = texts_loss(t, list, TEXTS, true);
        CHECK(a > 0 && fabs(a - b) < 1e-5 * a, "%s, %s: loss %.9g, merged %.9g", model,
              lora, b, a);
        pairs_check(t, whole, true);
    }
    texts_done(list);
    trainer_close(t);
    trainer_close(whole);
}

/* dA = scale B^T dW, dB = scale dW A^T, with dW the gradient at W + scale B A. Where some
 * matrices have no pair, the first layer has some that no gradient is wanted of. */
static void forward_and_gradients_are_the_merged_models(void)
{
    static const char *const lists[] = {"3,7.5,all", "4,8,q,v", "4,8,q",
                                        "4,8,k",     "4,8,v",   "4,8,o",
                                        "4,8,gate",  "4,8,up",  "4,8,down"};
    for (int i = 0; i < MODELS; i++)
        for (size_t j = 0; j < sizeof lists / sizeof *lists; j++)
            for (int recompute = 0; recompute < 2; recompute++)
                merged_check(models[i], lists[j], recompute);
}

/* Move all pairs along their gradient. */
static void move(struct trainer *t, float *const *gradient, float step)
{
    const struct params *p = trainer_params(t);
    for (int i = 0; i < p->count; i++) {
        if (!p->list[i].trained)
            continue;
        int64_t n = arr_size(p->list[i].w);
        float *w = downloaded(t, p->list[i].w);
        for (int64_t j = 0; j < n; j++) w[j] += step * gradient[i][j];
        trainer_kernels(t)->upload(trainer_dev(t), p->list[i].w, w);
        free(w);
    }
}

static void gradients_are_finite_differences(void)
{
    struct trainer *t = opened("qwen3_vl", "4,16,q,v,o,down", 2, false);
    struct example *list[TEXTS];
    NEED(t, "set-up");
    const struct params *p = trainer_params(t);
    float **gradient = calloc((size_t)p->count, sizeof *gradient);
    double squares = 0;
    texts(list, trainer_config(t)->text.vocab);
    b_fill(t);
    CHECK(texts_loss(t, list, TEXTS, true) > 0, "%s", fail_text());
    for (int i = 0; i < p->count; i++)
        if (p->list[i].trained) {
            gradient[i] = downloaded(t, p->list[i].grad);
            squares +=
                trainer_kernels(t)->back->sum_squares(trainer_dev(t), p->list[i].grad);
        }
    float step = (float)(0.004 / sqrt(squares));
    move(t, gradient, step);
    double up = texts_loss(t, list, TEXTS, false);
    move(t, gradient, -2 * step);
    double down = texts_loss(t, list, TEXTS, false);
    double slope = (up - down) / (2 * (double)step);
    CHECK(fabs(slope - squares) < 1e-3 * squares, "slope %.9g, gradient's square %.9g",
          slope, squares);
    for (int i = 0; i < p->count; i++) free(gradient[i]);
    free(gradient);
    texts_done(list);
    trainer_close(t);
}

static void threads_and_recomputation_change_no_bit(void)
{
    float *first = NULL;
    for (int way = 0; way < 4; way++) {
        struct trainer *t = opened("qwen3_vl", "8,16,all", 1 + way % 2, way / 2);
        struct example *list[TEXTS];
        const struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1};
        NEED(t, "set-up");
        const struct params *p = trainer_params(t);
        float *all = malloc((size_t)p->trained * sizeof *all);
        int64_t at = 0;
        texts(list, trainer_config(t)->text.vocab);
        for (int step = 1; step <= 3; step++) {
            CHECK(texts_loss(t, list, TEXTS, true) > 0, "%s", fail_text());
            optimizer_step(p, trainer_kernels(t), trainer_dev(t), &o, step, 1e-3, 1);
        }
        for (int i = 0; i < p->count; i++)
            if (p->list[i].trained) {
                trainer_kernels(t)->download(trainer_dev(t), all + at, p->list[i].w);
                at += arr_size(p->list[i].w);
            }
        CHECK(at == p->trained, "%lld of %lld", (long long)at, (long long)p->trained);
        if (first)
            CHECK(memcmp(first, all, (size_t)at * sizeof *all) == 0, "way %d", way);
        if (first)
            free(all);
        else
            first = all;
        texts_done(list);
        trainer_close(t);
    }
    free(first);
}

static void options_are_read_or_refused(void)
{
    struct lora_options o;
    char text[64];
    CHECK(lora_read(&o, "16,32,q_proj,v") == 0 && o.rank == 16 && o.targets == 5, "%s",
          fail_text());
    lora_text(text, &o);
    CHECK(strcmp(text, "16,32,q,v") == 0, "%s", text);
    CHECK(lora_read(&o, "8,0.5,all") == 0 && o.targets == 127, "%s", fail_text());
    lora_text(text, &o);
    CHECK(strcmp(text, "8,0.5,all") == 0, "%s", text);
    static const char *const bad[] = {"",      "8",      "8,16",   "0,16,q",
                                      "8,0,q", "8,x,q",  "8,16,z", "8,16,q,",
                                      "8,16,", "-1,2,q", "8,nan,q"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(lora_read(&o, bad[i]) < 0 && fail_kind() == FAIL_REFUSED, "\"%s\"", bad[i]);
}

int main(void)
{
    CASE(options_are_read_or_refused);
    CASE(zero_b_computes_the_base_to_the_bit);
    CASE(forward_and_gradients_are_the_merged_models);
    CASE(gradients_are_finite_differences);
    CASE(threads_and_recomputation_change_no_bit);
    return check_end();
}
