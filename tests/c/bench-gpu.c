/* bench-gpu: what the model core makes of a GPU, at the shapes of real models, beside
 * what the GPU can do in the same run: the rate of a large copy, and of an 8192^3 product
 * in bf16. One JSON object a line for each measurement; the same for people on standard
 * error.
 *
 * Usage: bench-gpu DEVICE CAPTIONER JUDGE [small]
 * CAPTIONER, JUDGE: model folders (model-init --random --like ...). small: tiny sizes, to
 * see that every part runs (a CPU will do).
 */
#include "bench-gpu.h"
#include "backward.h"
#include "engine/text.h"
#include "engine/vision.h"
#include "engine/vlm.h"
#include "train/optimizer.h"
#include "train/params.h"
#include "train/trainer.h"

#include <stdbool.h>
#include <string.h>

struct sizes {
    int product, copy_mb;     /* side of the product; bytes copied */
    int decode;               /* tokens that a sample decodes */
    int groups, group_prompt; /* of 8 samples each */
    int prompts, prompt_len;  /* of prefill */
    int pictures, grid;       /* grid x grid patches each */
    int train_len, train_rows, micro_rows;
    int tree_prompt, tree_len;
    int captions, caption_len, questions, question_len; /* judged */
    int rounds;
};
static const struct sizes real = {8192, 2048, 128,  8,   1100, 8,   2048, 8,  64, 1024,
                                  16,   8,    1100, 512, 128,  600, 5,    60, 3};
static const struct sizes tiny = {32, 1, 2,  1, 10, 2,  16, 1, 4, 16,
                                  2,  2, 10, 4, 1,  10, 2,  4, 1};

static const char *device;
static struct sizes size;
static double bandwidth, product; /* bytes and floating-point operations a second */

/* value: of so many `unit`; limit: what the GPU could do, 0: it is a limit itself. asked:
 * the share that should be reached, 0: none. */
static void say(const char *what, double value, const char *unit, double limit,
                double asked)
{
    printf("{\"what\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", what, value, unit);
    if (limit > 0)
        printf(",\"limit\":%.6g,\"share\":%.3f", limit, value / limit);
    if (asked > 0)
        printf(",\"asked\":%.2f", asked);
    printf("}\n");
    fflush(stdout);
    fprintf(stderr, "%-34s %10.4g %-10s", what, value, unit);
    if (limit > 0)
        fprintf(stderr, " %5.1f %% of %.4g", 100 * value / limit, limit);
    if (asked > 0)
        fprintf(stderr, " (asked: %.0f %%)", 100 * asked);
    fprintf(stderr, "\n");
}

/* -- Limits ----------------------------------------------------------------------------
 */

static struct arr room(const struct kernels *k, struct dev *d, enum arr_type type,
                       int64_t rows, int64_t columns)
{
    struct arr a = {.dev = d, .type = type, .rank = 2, .shape = {rows, columns}};
    a.stride = columns;
    a.data = k->alloc(d, arr_type_bytes(type, rows * columns));
    if (!a.data)
        die("no memory on the device");
    return a;
}

static void drop(const struct kernels *k, struct arr a)
{
    k->release(a.dev, a.data, arr_type_bytes(a.type, arr_size(a)));
}

/* Random numbers: a product of zeros is faster than it should be. */
static void noise(const struct kernels *k, struct arr a)
{
    uint32_t state = 1;
    size_t n = (size_t)arr_size(a);
    uint16_t *host = malloc(n * sizeof *host);
    if (!host)
        die("memory");
    for (size_t i = 0; i < n; i++) { /* +-1 to 2 */
        state = state * 1664525 + 1013904223;
        host[i] = (uint16_t)(0x3f80 | (state >> 16 & 0x807f));
    }
    k->upload(a.dev, a, host);
    free(host);
}

static double copy_rate(const struct kernels *k, struct dev *d)
{
    const int64_t bytes = (int64_t)size.copy_mb << 20;
    struct arr from = room(k, d, ARR_F32, 1, bytes / 4),
               to = room(k, d, ARR_F32, 1, bytes / 4);
    double best = 0;
    k->back->zero(d, from);
    k->back->copy(d, to, from);
    for (int i = 0; i < 5; i++) {
        synced(k, d);
        double start = machine_now();
        for (int j = 0; j < 4; j++) k->back->copy(d, to, from);
        synced(k, d);
        double rate = 4 * 2 * (double)bytes / (machine_now() - start);
        best = rate > best ? rate : best;
    }
    drop(k, from);
    drop(k, to);
    return best;
}

static double product_rate(bool batch_variant)
{
    const char *why = "";
    const struct kernels *k = kernels_open(device, &why);
    struct dev_options o = {.threads = 2, .batch_variant = batch_variant};
    struct dev *d = k ? k->open(device, &o, &why) : NULL;
    if (!d) {
        fprintf(stderr, "bench-gpu: %s: %s\n", device, why);
        exit(1);
    }
    const char *lacks = batch_variant && k->lacks ? k->lacks(d) : NULL;
    if (lacks)
        fprintf(stderr, "bench-gpu: %s: shares are of these\n", lacks);
    const int64_t n = size.product;
    struct arr x = room(k, d, k->act(d), n, n), w = room(k, d, ARR_BF16, n, n);
    struct arr y = room(k, d, k->act(d), n, n);
    double times[5];
    if (x.type == ARR_BF16)
        noise(k, x);
    else
        k->back->zero(d, x);
    noise(k, w);
    k->matmul(d, y, x, w, arr_none(), MATMUL_SET);
    for (int i = 0; i < 5; i++) {
        synced(k, d);
        double start = machine_now();
        for (int j = 0; j < 4; j++) k->matmul(d, y, x, w, arr_none(), MATMUL_SET);
        synced(k, d);
        times[i] = (machine_now() - start) / 4;
    }
    if (!batch_variant)
        bandwidth = copy_rate(k, d);
    drop(k, x);
    drop(k, w);
    drop(k, y);
    k->close(d);
    return 2.0 * (double)n * (double)n * (double)n / machine_median(times, 5);
}

static void limits(void)
{
    double own = product_rate(false);
    product = product_rate(true);
    say("copy", bandwidth / 1e9, "GB/s", 0, 0);
    say("product, library", product / 1e12, "TFLOP/s", 0, 0);
    say("product, batch-invariant", own / 1e12, "TFLOP/s", product / 1e12, 0);
}

/* -- The engine ------------------------------------------------------------------------
 */

/* Seconds of decoding alone: what more tokens take. */
static double decoding(struct engine *e, int requests, int prompt, int n)
{
    double times[MACHINE_RUNS_MAX];
    for (int i = 0; i < size.rounds; i++) {
        double one = generated(e, requests, prompt, 1, n, NULL);
        times[i] = generated(e, requests, prompt, 1 + size.decode, n, NULL) - one;
    }
    return machine_median(times, size.rounds);
}

static struct engine *opened(const char *dir, int max_batch, bool batch_variant)
{
    struct engine_options o = {.device = device,
                               .threads = 2,
                               .ctx = size.prompt_len * 2,
                               .max_batch = max_batch,
                               .compute = {.batch_variant = batch_variant}};
    struct engine *e = engine_open(dir, &o);
    if (!e)
        die(dir);
    return e;
}

static void decode(const char *dir)
{
    struct engine *e = opened(dir, 64, false);
    const struct text_config *t = &engine_config(e)->text;
    const int samples = 8, groups = size.groups;
    double weights = 2 * (layers_of(t) + head_of(t));            /* bytes, bf16 */
    double kv = 2.0 * 2 * t->layers * t->kv_heads * t->head_dim; /* a position */
    double took = decoding(e, 1, 16, 1);
    say("decode, 1 sample", size.decode / took, "tokens/s", bandwidth / weights, 0.85);
    /* a step reads the weights, each prompt once for its group, and each sample's own */
    double step = weights + kv * groups * size.group_prompt +
                  kv * groups * samples * size.decode / 2;
    took = decoding(e, groups, size.group_prompt, samples);
    say("decode, groups of 8", groups * samples * size.decode / took, "tokens/s",
        groups * samples * bandwidth / step, 0.7);
    engine_close(e);
}

static void prefill(const char *dir, bool batch_variant)
{
    struct engine *e = opened(dir, 16, batch_variant);
    const struct text_config *t = &engine_config(e)->text;
    double times[MACHINE_RUNS_MAX];
    double tokens = (double)size.prompts * size.prompt_len;
    double flops = 2 * layers_of(t) * tokens +
                   2.0 * t->layers * t->heads * t->head_dim * tokens * size.prompt_len;
    generated(e, size.prompts, size.prompt_len, 1, 1, NULL);
    for (int i = 0; i < size.rounds; i++)
        times[i] = generated(e, size.prompts, size.prompt_len, 1, 1, NULL);
    say(batch_variant ? "prefill, library products" : "prefill, batch-invariant",
        flops / machine_median(times, size.rounds) / 1e12, "TFLOP/s", product / 1e12,
        0.6);
    engine_close(e);
}

static void judge(const char *dir)
{
    struct engine *e = opened(dir, 64, false);
    const struct text_config *t = &engine_config(e)->text;
    const struct judging j = {size.caption_len, size.questions, size.question_len};
    judged(e, &j, 1, 1);
    double took = judged(e, &j, size.captions, 1);
    say("judge", 2 * layers_of(t) * judging_tokens(&j) * size.captions / took / 1e12,
        "TFLOP/s", product / 1e12, 0.6);
    engine_close(e);
}

static void vision(const char *dir)
{
    const struct vlm_device on = {
        .name = device, .threads = 2, .compute = {.batch_variant = true}};
    struct vlm *m = vlm_open(dir, &on);
    if (!m)
        die(dir);
    const struct vision_tower *vt = &m->config.vision;
    int64_t patches = (int64_t)size.grid * size.grid;
    int64_t input = 3 * (int64_t)vt->frames * vt->patch * vt->patch;
    float *pixels = malloc((size_t)(patches * input) * sizeof *pixels);
    for (int64_t i = 0; i < patches * input; i++) pixels[i] = (float)(i % 255) / 255;
    struct engine_picture *pictures = calloc((size_t)size.pictures, sizeof *pictures);
    for (int i = 0; i < size.pictures; i++)
        pictures[i] = (struct engine_picture){pixels, 1, size.grid, size.grid};
    struct engine_prompt prompt = {.pictures = pictures, .picture_count = size.pictures};
    double work = tower_of(vt, patches) * size.pictures, times[MACHINE_RUNS_MAX];
    for (int i = -1; i < size.rounds; i++) {
        struct features f;
        double start = machine_now();
        if (features_make(&f, m, &prompt, NULL) < 0)
            die("pictures");
        synced(m->k, m->dev);
        if (i >= 0)
            times[i] = machine_now() - start;
        features_free(&f);
    }
    say("vision tower", work / machine_median(times, size.rounds) / 1e12, "TFLOP/s",
        product / 1e12, 0.5);
    free(pictures);
    free(pixels);
    vlm_close(m);
}

/* -- Training --------------------------------------------------------------------------
 */

/* One update over a list, so many examples at once; a policy gradient's has a pass for
 * log-probabilities first. Seconds. */
static double update(struct trainer *t, struct example **list, int count, int together,
                     bool policy)
{
    static const struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1};
    double start = machine_now();
    for (int i = 0; i < count; i += together) {
        const struct example *const *some = (const struct example *const *)(list + i);
        int n = count - i < together ? count - i : together;
        if (trainer_forward(t, some, n, true) < 0)
            die("forward");
        int targets = trainer_targets(t);
        float *weight = malloc((size_t)targets * sizeof *weight);
        for (int j = 0; j < targets; j++)
            weight[j] = (policy && j % 2 ? 1.0f : -1.0f) / (float)targets;
        if (trainer_backward(t, weight, NULL, NULL) < 0)
            die("backward");
        free(weight);
    }
    optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &o, 1, 1e-6, 1);
    synced(trainer_kernels(t), trainer_dev(t));
    return machine_now() - start;
}

static double median_update(struct trainer *t, struct example **list, int count,
                            int together, bool policy)
{
    double times[MACHINE_RUNS_MAX];
    update(t, list, count, together, policy);
    for (int i = 0; i < size.rounds; i++)
        times[i] = update(t, list, count, together, policy);
    return machine_median(times, size.rounds);
}

static void train(const char *dir)
{
    struct trainer_options o = {.device = device,
                                .threads = 2,
                                .parts = 1u << PART_TEXT,
                                .recompute = true,
                                .compute = {.batch_variant = true}};
    struct trainer *t = trainer_open(dir, &o);
    if (!t)
        die(dir);
    const struct model_config *mc = trainer_config(t);
    const struct text_config *tc = &mc->text;
    double each = 6 * (layers_of(tc) + head_of(tc)); /* a token; attention not counted */
    struct example *rows[64], *tree[2];
    for (int i = 0; i < size.train_rows; i++)
        rows[i] = random_example(1, 1, size.train_len - 1, tc->vocab, mc);
    double took = median_update(t, rows, size.train_rows, size.micro_rows, false);
    say("supervised update", each * size.train_rows * size.train_len / took / 1e12,
        "TFLOP/s", product / 1e12, 0.5);
    for (int i = 0; i < 2; i++)
        tree[i] = random_example(size.tree_prompt, 8, size.tree_len, tc->vocab, mc);
    took = median_update(t, tree, 2, 1, true);
    say("policy update, groups of 8",
        each * 2 * (size.tree_prompt + 8.0 * size.tree_len) / took / 1e12, "TFLOP/s",
        product / 1e12, 0.5);
    for (int i = 0; i < size.train_rows; i++) random_example_free(rows[i]);
    for (int i = 0; i < 2; i++) random_example_free(tree[i]);
    trainer_close(t);
}

int main(int argc, char *argv[])
{
    if (argc < 4 || argc > 5 || (argc == 5 && strcmp(argv[4], "small") != 0))
        return fprintf(stderr, "usage: bench-gpu DEVICE CAPTIONER JUDGE [small]\n"), 2;
    device = argv[1];
    size = argc == 5 ? tiny : real;
    limits();
    decode(argv[2]);
    prefill(argv[2], false);
    prefill(argv[2], true);
    vision(argv[2]);
    judge(argv[3]);
    train(argv[2]);
    return 0;
}
