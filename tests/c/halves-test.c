/* halves-test.c: training that computes with bf16 copies of the matrices (params.h). The
 * CPU's table stands for a device of bf16 weights: its activations stay f32, so that each
 * number can be told to the bit. */
#include "backward.h"
#include "base/fail.h"
#include "base/random.h"
#include "check.h"
#include "engine/weights.h"
#include "golden.h"
#include "texts.h"
#include "train/model_files.h"
#include "train/optimizer.h"
#include "train/trainer.h"

#include <math.h>
#include <unistd.h>

enum { TEXTS = 3, STEPS = 4 };
static const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};

static struct trainer *opened(const char *model, unsigned parts, bool halves,
                              bool moments8)
{
    struct trainer_options o = {
        .threads = 2, .parts = parts, .halves = halves, .moments8 = moments8};
    char path[64];
    snprintf(path, sizeof path, "goldens/models/%s", model);
    struct trainer *t = trainer_open(golden_path(path), &o);
    CHECK(t, "%s", fail_text());
    return t;
}

static void *downloaded(struct trainer *t, struct arr a)
{
    void *x = malloc(arr_type_bytes(a.type, arr_size(a)) + 1);
    trainer_kernels(t)->download(trainer_dev(t), x, a);
    return x;
}

static void uploaded(struct trainer *t, struct arr a, const void *x)
{
    trainer_kernels(t)->upload(trainer_dev(t), a, x);
}

/* To bf16, to nearest even, and back: not the code under test. */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t low = bits & 0xffff, up = bits & 0xffff0000u;
    if (low > 0x8000 || (low == 0x8000 && (bits & 0x10000)))
        up += 0x10000;
    memcpy(&x, &up, sizeof up);
    return x;
}

static struct example *texts[TEXTS];

static double step(struct trainer *t, int number, double rate)
{
    double loss = texts_loss(t, texts, TEXTS, true);
    optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &how, number,
                   rate, 1);
    return loss;
}

/* An fp32 trainer whose matrices are rounded by hand before each step, and stepped as
 * they were before: what copies are to do. */
static double step_by_hand(struct trainer *t, float **master, int number, double rate)
{
    const struct params *p = trainer_params(t);
    for (int i = 0; i < p->count; i++) {
        int64_t n = arr_size(p->list[i].w);
        float *w = downloaded(t, p->list[i].w), *r = malloc((size_t)n * sizeof *r);
        for (int64_t j = 0; j < n; j++) r[j] = p->list[i].decayed ? rounded(w[j]) : w[j];
        uploaded(t, p->list[i].w, r);
        free(r);
        master[i] = w;
    }
    double loss = texts_loss(t, texts, TEXTS, true);
    for (int i = 0; i < p->count; i++) {
        uploaded(t, p->list[i].w, master[i]);
        free(master[i]);
    }
    optimizer_step(p, trainer_kernels(t), trainer_dev(t), &how, number, rate, 1);
    return loss;
}

static void texts_open(struct trainer *t)
{
    for (int i = 0; i < TEXTS; i++)
        texts[i] = text_make(1, 1, 24, trainer_config(t)->text.vocab, (unsigned)i);
}

static void texts_close(void)
{
    for (int i = 0; i < TEXTS; i++) text_free(texts[i]);
}

static int64_t differing(const void *a, const void *b, int64_t n, size_t size)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += memcmp((const char *)a + (size_t)i * size,
                        (const char *)b + (size_t)i * size, size) != 0;
    return count;
}

static void losses_and_weights_are_those_of_rounding_by_hand(void)
{
    for (int moments8 = 0; moments8 < 2; moments8++) {
        struct trainer *a = opened("qwen3", 15, true, moments8),
                       *b = opened("qwen3", 15, false, moments8);
        NEED(a && b, "set-up");
        const struct params *pa = trainer_params(a), *pb = trainer_params(b);
        float **master = calloc((size_t)pb->count, sizeof *master);
        texts_open(a);
        for (int i = 1; i <= STEPS; i++) {
            double one = step(a, i, 2e-3), other = step_by_hand(b, master, i, 2e-3);
            CHECK(one == other, "step %d: loss %.17g, by hand %.17g", i, one, other);
        }
        for (int i = 0; i < pa->count; i++) {
            int64_t n = arr_size(pa->list[i].w);
            void *wa = downloaded(a, pa->list[i].w), *wb = downloaded(b, pb->list[i].w);
            CHECK(differing(wa, wb, n, 4) == 0, "%s", pa->list[i].name);
            CHECK(!pa->list[i].half.data == !pa->list[i].decayed, "%s: a copy of it",
                  pa->list[i].name);
            free(wa);
            free(wb);
        }
        free(master);
        texts_close();
        trainer_close(a);
        trainer_close(b);
    }
}

/* Steps too small for bf16: the numbers behind the copies have moved, the copies have
 * not; many such steps move them. */
static void small_steps_are_not_lost(void)
{
    enum { MANY = 40 };
    const double rate = 2e-6;
    struct trainer *t = opened("qwen3", 15, true, false);
    NEED(t, "set-up");
    const struct params *p = trainer_params(t);
    texts_open(t);
    int64_t all = 0, moved = 0, seen = 0, seen_later = 0;
    void **half = calloc((size_t)p->count, sizeof *half);
    float **w = calloc((size_t)p->count, sizeof *w);
    for (int i = 0; i < p->count; i++)
        if (p->list[i].half.data) {
            /* numbers in the middle of what a bf16 stands for, as a model's own are */
            int64_t n = arr_size(p->list[i].w);
            w[i] = downloaded(t, p->list[i].w);
            for (int64_t j = 0; j < n; j++) w[i][j] = rounded(w[i][j]);
            uploaded(t, p->list[i].w, w[i]);
        }
    params_round(p, trainer_kernels(t), trainer_dev(t));
    for (int i = 0; i < p->count; i++)
        if (p->list[i].half.data)
            half[i] = downloaded(t, p->list[i].half);
    for (int number = 1; number <= MANY; number++) {
        step(t, number, rate);
        for (int i = 0; i < p->count && (number == 1 || number == MANY); i++) {
            if (!half[i])
                continue;
            int64_t n = arr_size(p->list[i].w);
            float *now = downloaded(t, p->list[i].w);
            uint16_t *copy = downloaded(t, p->list[i].half);
            int64_t changed = differing(copy, half[i], n, 2);
            if (number == 1) {
                all += n;
                moved += differing(now, w[i], n, 4);
                seen += changed;
            } else {
                seen_later += changed;
            }
            for (int64_t j = 0; j < n; j++) {
                uint32_t bits = (uint32_t)copy[j] << 16;
                float x = rounded(now[j]);
                if (memcmp(&bits, &x, 4) != 0) {
                    CHECK(0, "%s is not what was rounded", p->list[i].name);
                    break;
                }
            }
            free(now);
            free(copy);
        }
    }
    fprintf(stderr, "of %lld: moved %lld, seen in bf16 %lld; after %d steps %lld\n",
            (long long)all, (long long)moved, (long long)seen, MANY,
            (long long)seen_later);
    CHECK(moved > all / 2, "%lld of %lld moved", (long long)moved, (long long)all);
    CHECK(seen < moved / 20, "%lld seen at once", (long long)seen);
    CHECK(seen_later > 10 * seen && seen_later > all / 50, "%lld seen later",
          (long long)seen_later);
    for (int i = 0; i < p->count; i++) {
        free(half[i]);
        free(w[i]);
    }
    free(half);
    free(w);
    texts_close();
    trainer_close(t);
}

/* What is stored in bf16 and not trained is there once; files are written of it as they
 * are of f32, and the sampler's have the numbers that are computed with. */
static void what_is_frozen_has_no_fp32(void)
{
    char dir[] = "/tmp/halves-test-XXXXXX", path[80];
    NEED(mkdtemp(dir), "a folder");
    struct trainer *t = opened("qwen2", 1u << PART_EMBED, true, false);
    NEED(t, "set-up");
    const struct params *p = trainer_params(t);
    int alone = 0;
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        bool once = one->decayed && !one->trained && one->stored == ARR_BF16;
        CHECK(!one->w.data == once, "%s", one->name);
        alone += once;
    }
    CHECK(alone > 10, "%d matrices", alone);
    texts_open(t);
    step(t, 1, 1e-3);
    for (int used = 0; used < 2; used++) {
        snprintf(path, sizeof path, "%s/%d", dir, used);
        const char *base = golden_path("goldens/models/qwen2");
        const struct model_files files = {
            .base = base, .type = used ? ARR_BF16 : ARR_F32, .used = used};
        NEED(mkdir(path, 0777) == 0 && model_files_write(&files, trainer_kernels(t),
                                                         trainer_dev(t), p, path) == 0,
             "%s", fail_text());
        struct weights *w = weights_open(path);
        NEED(w, "%s", fail_text());
        for (int i = 0; i < p->count; i++) {
            const struct param *one = &p->list[i];
            const struct tensor *s = weights_find(w, one->name);
            struct arr a = used || !one->w.data ? param_used(one) : one->w;
            NEED(s && s->type == (used ? a.type : ARR_F32), "%s", one->name);
            char *ours = downloaded(t, a);
            for (int64_t j = 0; j < arr_size(a); j++) {
                uint32_t wide = 0;
                if (s->type == a.type)
                    memcpy(&wide, ours + (size_t)j * arr_type_size(a.type),
                           arr_type_size(a.type));
                else /* bf16 */
                    memcpy((char *)&wide + 2, ours + 2 * j, 2);
                if (memcmp(&wide,
                           (const char *)s->data + (size_t)j * arr_type_size(s->type),
                           arr_type_size(s->type)) != 0) {
                    CHECK(0, "%s: element %lld", one->name, (long long)j);
                    break;
                }
            }
            free(ours);
        }
        weights_close(w);
    }
    texts_close();
    trainer_close(t);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0, "%s stays", dir);
}

int main(void)
{
    CASE(losses_and_weights_are_those_of_rounding_by_hand);
    CASE(small_steps_are_not_lost);
    CASE(what_is_frozen_has_no_fp32);
    return check_end();
}
