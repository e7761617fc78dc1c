/* bench-train: what a training step costs: text decoders of Qwen3's shape, 8 sequences of
 * 256 tokens, fp32, against OpenBLAS sgemm (square 2048) in the same run, counted as
 * 6 N T multiplications and additions with N all parameters that multiply; and groups
 * behind one prompt against separate sequences. Prints JSON.
 *
 * Usage: bench-train FOLDER THREADS [STEPS [8M|107M|group]] (models are made in FOLDER)
 */
#include "base/fail.h"
#include "decoder.h"
#include "machine.h"
#include "train/optimizer.h"
#include "train/trainer.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct shape {
    const char *name;
    const struct decoder_shape *sizes;
};
static const struct shape shapes[] = {{"8M", &decoder_8m}, {"107M", &decoder_107m}};

static void die(const char *what)
{
    fprintf(stderr, "bench-train: %s: %s\n", what, fail_text());
    exit(1);
}

static void model_make(const char *dir, const struct shape *s)
{
    mkdir(dir, 0755);
    if (decoder_make(dir, s->sizes) < 0)
        die(dir);
}

/* A text of so many tokens, all but the first targets. */
static struct example *text(int prompt, int parts, int tokens, int vocab)
{
    struct example *e = calloc(1, sizeof *e);
    e->part = calloc((size_t)parts, sizeof *e->part);
    e->parts = parts;
    for (int i = 0; i < prompt; i++) ids_add(&e->prompt, rand() % vocab);
    for (int j = 0; j < parts; j++) {
        for (int i = 0; i < tokens; i++) ids_add(&e->part[j].ids, rand() % vocab);
        e->part[j].target = malloc((size_t)tokens);
        memset(e->part[j].target, true, (size_t)tokens);
    }
    e->targets = parts * tokens;
    return e;
}

static void text_free(struct example *e)
{
    for (int j = 0; j < e->parts; j++) {
        ids_free(&e->part[j].ids);
        free(e->part[j].target);
    }
    free(e->part);
    ids_free(&e->prompt);
    free(e);
}

static double step(struct trainer *t, struct example **list, int count)
{
    static const struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1};
    double from = machine_now();
    if (trainer_forward(t, (const struct example *const *)list, count, true) < 0)
        die("forward");
    int n = trainer_targets(t);
    float *weight = malloc((size_t)n * sizeof *weight);
    for (int i = 0; i < n; i++) weight[i] = -1.0f / (float)n;
    if (trainer_backward(t, weight, NULL, NULL) < 0)
        die("backward");
    optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &o, 1, 1e-4, 1);
    free(weight);
    return machine_now() - from;
}

typedef void gemm(int, int, int, int, int, int, float, const float *, int, const float *,
                  int, float, float *, int);

/* Flops a second, best of some. 0: no OpenBLAS. */
static double sgemm_rate(int threads)
{
    enum { N = 2048 };
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!blas)
        return 0;
    gemm *sgemm;
    void (*set)(int);
    *(void **)&sgemm = dlsym(blas, "cblas_sgemm");
    *(void **)&set = dlsym(blas, "openblas_set_num_threads");
    float *a = calloc((size_t)N * N, sizeof *a), *b = calloc((size_t)N * N, sizeof *b),
          *c = calloc((size_t)N * N, sizeof *c);
    for (int i = 0; i < N * N; i++) a[i] = b[i] = (float)(i % 7);
    double best = 1e30;
    set(threads);
    for (int i = 0; i < 7; i++) {
        double from = machine_now();
        sgemm(101, 111, 112, N, N, N, 1, a, N, b, N, 0, c, N);
        double took = machine_now() - from;
        best = took < best ? took : best;
    }
    free(a);
    free(b);
    free(c);
    return 2.0 * N * N * N / best;
}

/* Parameters that multiply: all but the embedding's lookup. */
static double multiplying(const struct trainer *t, const struct params *p)
{
    return (double)p->elements -
           (double)trainer_config(t)->text.vocab * trainer_config(t)->text.hidden;
}

static struct trainer *opened(const char *dir, int threads, bool recompute)
{
    struct trainer_options o = {
        .threads = threads, .parts = (1u << PARTS) - 1, .recompute = recompute};
    struct trainer *t = trainer_open(dir, &o);
    if (!t)
        die(dir);
    return t;
}

static double best_step(struct trainer *t, struct example **list, int count, int steps)
{
    double best = 1e30;
    for (int i = 0; i <= steps; i++) {
        double took = step(t, list, count);
        best = i > 0 && took < best ? took : best;
    }
    return best;
}

static void decoder(const char *folder, const struct shape *s, int threads, int steps)
{
    char dir[400];
    struct example *list[8];
    snprintf(dir, sizeof dir, "%s/%s", folder, s->name);
    model_make(dir, s);
    for (int i = 0; i < 8; i++) list[i] = text(1, 1, 255, s->sizes->vocab);
    struct trainer *t = opened(dir, threads, false);
    double rate = sgemm_rate(threads), took = best_step(t, list, 8, steps);
    double again = sgemm_rate(threads), n = multiplying(t, trainer_params(t));
    rate = again > rate ? again : rate;
    size_t bytes = trainer_bytes(t);
    int64_t all = trainer_params(t)->elements; /* and a gradient and two moments each */
    double held = 4.0 * (double)(all + 3 * trainer_params(t)->trained);
    trainer_close(t);
    t = opened(dir, threads, true);
    double slow = best_step(t, list, 8, steps);
    size_t lean = trainer_bytes(t);
    trainer_close(t);
    printf("{\"train\":\"%s\",\"threads\":%d,\"parameters\":%lld,\"tokens_s\":%.0f,"
           "\"of_sgemm\":%.3f,\"recompute_time\":%.3f,\"bytes_per_parameter\":%.1f,"
           "\"bytes_per_token\":%.0f,"
           "\"recompute_bytes_per_token\":%.0f}\n",
           s->name, threads, (long long)all, 2048 / took,
           rate > 0 ? 6 * n * 2048 / took / rate : 0, slow / took, held / (double)all,
           (double)bytes / 2048, (double)lean / 2048);
    fflush(stdout);
    for (int i = 0; i < 8; i++) text_free(list[i]);
}

/* Prompts of 900 tokens, 8 continuations of 500. */
static void groups(const char *folder, int threads, int steps)
{
    char dir[400];
    struct example *tree = text(900, 8, 500, shapes[0].sizes->vocab), *alone[8];
    snprintf(dir, sizeof dir, "%s/%s", folder, shapes[0].name);
    for (int i = 0; i < 8; i++) alone[i] = text(900, 1, 500, shapes[0].sizes->vocab);
    struct trainer *t = opened(dir, threads, false);
    double shared = best_step(t, &tree, 1, steps), apart = best_step(t, alone, 8, steps);
    printf("{\"train\":\"group\",\"threads\":%d,\"shared_prefix\":%.2f}\n", threads,
           apart / shared);
    trainer_close(t);
    text_free(tree);
    for (int i = 0; i < 8; i++) text_free(alone[i]);
}

int main(int argc, char *argv[])
{
    int threads = argc > 2 ? atoi(argv[2]) : 1, steps = argc > 3 ? atoi(argv[3]) : 3;
    if (argc < 3)
        return fprintf(stderr, "usage: bench-train FOLDER THREADS [STEPS]\n"), 2;
    mkdir(argv[1], 0755);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (argc < 5 || strcmp(argv[4], shapes[i].name) == 0)
            decoder(argv[1], &shapes[i], threads, steps);
    if (argc < 5 || strcmp(argv[4], "group") == 0)
        groups(argv[1], threads, 1);
    return 0;
}
