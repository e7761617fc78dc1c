/* moments-test.c: AdamW with moments in 8 bits against moments in fp32. */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "device.h"
#include "golden.h"
#include "texts.h"
#include "train/optimizer.h"

#include <math.h>

enum { N = 3 * MOMENT_BLOCK + 7, BLOCKS = 4 };

/* Arrays of one parameter. */
struct one {
    float w[N], grad[N], m[N], v[N], m_most[BLOCKS], v_most[BLOCKS];
    uint8_t m_code[N], v_code[N];
};

static struct arr array(struct dev *d, void *data, enum arr_type type, int64_t n)
{
    struct arr a = {.dev = d, .data = data, .type = type, .rank = 1, .shape = {n}};
    a.stride = 1;
    return a;
}

static void step8(const struct kernels *k, struct dev *d, struct one *o,
                  const struct adamw *how)
{
    k->back->adamw8(d, array(d, o->w, ARR_F32, N), array(d, o->grad, ARR_F32, N),
                    (struct moment){array(d, o->m_code, ARR_U8, N),
                                    array(d, o->m_most, ARR_F32, BLOCKS)},
                    (struct moment){array(d, o->v_code, ARR_U8, N),
                                    array(d, o->v_most, ARR_F32, BLOCKS)},
                    how);
}

static void step32(const struct kernels *k, struct dev *d, struct one *o,
                   const struct adamw *how)
{
    k->back->adamw(d, array(d, o->w, ARR_F32, N), array(d, o->grad, ARR_F32, N),
                   array(d, o->m, ARR_F32, N), array(d, o->v, ARR_F32, N), how);
}

static float noise(unsigned *seed)
{
    *seed = *seed * 69069u + 1u;
    return (float)(*seed >> 8) / (1 << 23) - 1;
}

/* Gradients of sizes from 1 down to 1e-6, some 0. */
static void gradients(struct one *o, unsigned seed)
{
    for (int i = 0; i < N; i++)
        o->grad[i] = i % 11 == 0 ? 0 : noise(&seed) * powf(10, (float)-(i % 7));
}

static struct adamw at_step(int step)
{
    struct adamw how = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 0, 0};
    how.correct1 = 1 - pow(0.9, step);
    how.correct2 = 1 - pow(0.95, step);
    return how;
}

/* The first step's moments are not coded before it is taken: equal bits. */
static void the_first_step_is_that_of_fp32(void)
{
    const char *why;
    const struct kernels *k = kernels_open("cpu", &why);
    struct dev *d = device_of(k, "cpu", 1);
    struct one *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    struct adamw how = at_step(1);
    gradients(a, 1);
    gradients(b, 1);
    step8(k, d, a, &how);
    step32(k, d, b, &how);
    for (int i = 0; i < N; i++)
        CHECK(fabsf(a->w[i] - b->w[i]) <= 2e-7f * fabsf(b->w[i]), "%d: %g, not %g", i,
              (double)a->w[i], (double)b->w[i]);
    free(a);
    free(b);
    k->close(d);
}

/* However small a gradient is beside its block's largest, a step stays one of lr's size.
 */
static void no_step_is_without_measure(void)
{
    const char *why;
    const struct kernels *k = kernels_open("cpu", &why);
    struct dev *d = device_of(k, "cpu", 1);
    struct one *a = calloc(1, sizeof *a);
    for (int step = 1; step <= 50; step++) {
        struct adamw how = at_step(step);
        float before[N];
        memcpy(before, a->w, sizeof before);
        gradients(a, (unsigned)step);
        for (int i = 0; i < N; i += 5) a->grad[i] *= 1e-5f;
        a->grad[3] = 1e-30f;
        step8(k, d, a, &how);
        for (int i = 0; i < N; i++)
            CHECK(fabsf(a->w[i] - before[i]) <= 4e-3f, "step %d: %d moves %g", step, i,
                  (double)(a->w[i] - before[i]));
    }
    free(a);
    k->close(d);
}

static void threads_and_instruction_sets_change_no_bit(void)
{
    struct one *first = NULL;
    const char *const sets[] = {"plain", "plain", "avx2", "avx2"};
    for (int way = 0; way < 4; way++) {
        const char *why;
        setenv("CAPMILL_ISA", sets[way], 1);
        const struct kernels *k = kernels_open("cpu", &why);
        if (!k)
            continue;
        struct dev *d = device_of(k, "cpu", 1 + way % 2);
        struct one *a = calloc(1, sizeof *a);
        for (int step = 1; step <= 20; step++) {
            struct adamw how = at_step(step);
            gradients(a, (unsigned)step);
            step8(k, d, a, &how);
        }
        if (first)
            CHECK(memcmp(first, a, sizeof *a) == 0, "way %d", way);
        if (first)
            free(a);
        else
            first = a;
        k->close(d);
    }
    free(first);
    unsetenv("CAPMILL_ISA");
}

/* -- A model ---------------------------------------------------------------------------
 */

enum { TEXTS = 8, STEPS = 60 };

/* Weights after some steps, and the loss before the last one. */
static float *trained(bool moments8, int threads, double *loss, int64_t *n)
{
    struct trainer_options o = {
        .threads = threads, .parts = (1u << PARTS) - 1, .moments8 = moments8};
    struct trainer *t = trainer_open(golden_path("goldens/models/qwen3"), &o);
    struct example *list[TEXTS];
    const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    *n = 0;
    if (!t) {
        CHECK(0, "%s", fail_text());
        return NULL;
    }
    const struct params *p = trainer_params(t);
    float *all = malloc((size_t)p->elements * sizeof *all);
    for (int i = 0; i < TEXTS; i++)
        list[i] = text_make(1, 1, 24, trainer_config(t)->text.vocab, (unsigned)i);
    for (int step = 1; step <= STEPS; step++) {
        *loss = texts_loss(t, list, TEXTS, true);
        optimizer_step(p, trainer_kernels(t), trainer_dev(t), &how, step, 2e-3, 1);
    }
    for (int i = 0; i < p->count; i++) {
        trainer_kernels(t)->download(trainer_dev(t), all + *n, p->list[i].w);
        *n += arr_size(p->list[i].w);
    }
    for (int i = 0; i < TEXTS; i++) text_free(list[i]);
    trainer_close(t);
    return all;
}

static double distance(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum);
}

static void a_model_learns_as_with_fp32(void)
{
    double loss[2], before;
    int64_t n;
    float *full = trained(false, 2, &loss[0], &n), *less = trained(true, 2, &loss[1], &n);
    struct trainer_options o = {.threads = 1, .parts = 15};
    struct trainer *t = trainer_open(golden_path("goldens/models/qwen3"), &o);
    NEED(full && less && t, "set-up");
    float *start = malloc((size_t)n * sizeof *start);
    int64_t at = 0;
    for (int i = 0; i < trainer_params(t)->count; i++) {
        struct arr w = trainer_params(t)->list[i].w;
        trainer_kernels(t)->download(trainer_dev(t), start + at, w);
        at += arr_size(w);
    }
    before = distance(full, start, n);
    double off = distance(full, less, n) / before;
    fprintf(stderr,
            "after %d steps: loss %.5f (fp32 %.5f), weights %.3f of their way off\n",
            STEPS, loss[1], loss[0], off);
    CHECK(off < 0.15, "%g of the way off", off);
    CHECK(loss[0] < 0.5, "fp32 does not learn: %g", loss[0]);
    CHECK(fabs(loss[1] - loss[0]) < 0.05 * loss[0] + 1e-3, "loss %g, with fp32 %g",
          loss[1], loss[0]);
    float *again = trained(true, 1, &loss[0], &n);
    CHECK(again && memcmp(again, less, (size_t)n * sizeof *less) == 0, "threads");
    free(again);
    free(start);
    free(full);
    free(less);
    trainer_close(t);
}

int main(void)
{
    CASE(the_first_step_is_that_of_fp32);
    CASE(no_step_is_without_measure);
    CASE(threads_and_instruction_sets_change_no_bit);
    CASE(a_model_learns_as_with_fp32);
    return check_end();
}
