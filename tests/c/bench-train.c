/* bench-train: what a training step costs: text decoders of Qwen3's shape, 8 sequences of
 * 256 tokens, fp32, against OpenBLAS sgemm (square 2048) in the same run, counted as
 * 6 N T multiplications and additions with N all parameters that multiply; groups behind
 * one prompt against separate sequences; and the memory of a step against the plan.
 * Prints one JSON object.
 *
 * Usage: bench-train FOLDER THREADS STEPS WHAT SHAPE (a model is made in FOLDER)
 * WHAT: step, group, memory or memory-recompute (in a process of its own: what it grows
 * by is measured). SHAPE: 8M or 107M.
 */
#include "base/fail.h"
#include "decoder.h"
#include "machine.h"
#include "random-example.h"
#include "train/optimizer.h"
#include "train/plan.h"
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

/* Gradients of the mean of `targets` targets, of which these are some. */
static void gradients(struct trainer *t, struct example **list, int count, int targets)
{
    if (trainer_forward(t, (const struct example *const *)list, count, true) < 0)
        die("forward");
    int n = trainer_targets(t);
    float *weight = malloc((size_t)n * sizeof *weight);
    for (int i = 0; i < n; i++) weight[i] = -1.0f / (float)targets;
    if (trainer_backward(t, weight, NULL, NULL) < 0)
        die("backward");
    free(weight);
}

/* A step over a list, so many examples at once. Seconds. */
static double step(struct trainer *t, struct example **list, int count, int together)
{
    static const struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1};
    double from = machine_now();
    int targets = 0;
    for (int i = 0; i < count; i++) targets += list[i]->targets;
    for (int i = 0; i < count; i += together)
        gradients(t, list + i, count - i < together ? count - i : together, targets);
    optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &o, 1, 1e-4, 1);
    return machine_now() - from;
}

typedef void gemm(int, int, int, int, int, int, float, const float *, int, const float *,
                  int, float, float *, int);

/* The peer: a square product of OpenBLAS'. */
struct peer {
    gemm *sgemm; /* NULL: no OpenBLAS */
    float *a, *b, *c;
};
enum { PEER_SIDE = 2048 };

static void peer_open(struct peer *p, int threads)
{
    const size_t n = (size_t)PEER_SIDE * PEER_SIDE;
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW);
    void (*set)(int);
    *p = (struct peer){0};
    if (!blas)
        return;
    *(void **)&p->sgemm = dlsym(blas, "cblas_sgemm");
    *(void **)&set = dlsym(blas, "openblas_set_num_threads");
    set(threads);
    p->a = calloc(n, sizeof *p->a);
    p->b = calloc(n, sizeof *p->b);
    p->c = calloc(n, sizeof *p->c);
    for (size_t i = 0; i < n; i++) p->a[i] = p->b[i] = (float)(i % 7);
}

/* Flops a second of one run; 0 without OpenBLAS. */
static double peer_rate(const struct peer *p)
{
    const int n = PEER_SIDE;
    double from = machine_now();
    if (!p->sgemm)
        return 0;
    p->sgemm(101, 111, 112, n, n, n, 1, p->a, n, p->b, n, 0, p->c, n);
    return 2.0 * n * n * n / (machine_now() - from);
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

struct measured {
    double best;  /* seconds of the fastest step */
    double share; /* of the peer's rate, if a step is so many flops */
};

/* Steps and the peer take turns, so that what else the machine does meets both: each step
 * is held to the mean rate of the runs before and behind it, and the share is the median
 * of these. One step warms up. */
static struct measured steps_of(struct trainer *t, struct example **list, int count,
                                int steps, const struct peer *peer, double flops)
{
    struct measured m = {1e30, 0};
    double share[MACHINE_RUNS_MAX], before = 0, after;
    steps = steps < MACHINE_RUNS_MAX ? steps : MACHINE_RUNS_MAX;
    for (int i = -1; i < steps; i++, before = after) {
        double took = step(t, list, count, count);
        after = peer_rate(peer);
        if (i < 0)
            continue;
        m.best = took < m.best ? took : m.best;
        share[i] = after > 0 ? flops / took / ((before + after) / 2) : 0;
    }
    m.share = machine_median(share, steps);
    return m;
}

static void decoder(const char *dir, const struct shape *s, int threads, int steps)
{
    struct example *list[8];
    struct peer peer;
    for (int i = 0; i < 8; i++)
        list[i] = random_example(1, 1, 255, s->sizes->vocab, NULL);
    peer_open(&peer, threads);
    struct trainer *t = opened(dir, threads, false);
    double flops = 6 * multiplying(t, trainer_params(t)) * 2048;
    struct measured full = steps_of(t, list, 8, steps, &peer, flops);
    trainer_close(t);
    t = opened(dir, threads, true);
    struct measured again = steps_of(t, list, 8, steps, &peer, flops);
    trainer_close(t);
    free(peer.a);
    free(peer.b);
    free(peer.c);
    double longer = again.share > 0 ? full.share / again.share : again.best / full.best;
    printf("{\"what\":\"step\",\"model\":\"%s\",\"threads\":%d,\"tokens_s\":%.0f,"
           "\"of_sgemm\":%.3f,\"recompute_time\":%.3f}\n",
           s->name, threads, 2048 / full.best, full.share, longer);
    for (int i = 0; i < 8; i++) random_example_free(list[i]);
}

/* Prompts of 900 tokens, 8 continuations of 500: a group in one pass (4900 tokens), and
 * each continuation behind a prompt of its own, as many at once as that many tokens have
 * room for. Both in turns, the best of each. */
static void groups(const char *dir, const struct shape *s, int threads, int steps)
{
    enum { AT_ONCE = 3 };
    struct example *tree = random_example(900, 8, 500, s->sizes->vocab, NULL), *alone[8];
    double shared = 1e30, apart = 1e30;
    for (int i = 0; i < 8; i++)
        alone[i] = random_example(900, 1, 500, s->sizes->vocab, NULL);
    struct trainer *t = opened(dir, threads, false);
    for (int i = 0; i < steps; i++) {
        double one = step(t, &tree, 1, 1), other = step(t, alone, 8, AT_ONCE);
        shared = one < shared ? one : shared;
        apart = other < apart ? other : apart;
    }
    printf("{\"what\":\"group\",\"model\":\"%s\",\"threads\":%d,\"shared_s\":%.2f,"
           "\"apart_s\":%.2f,\"ratio\":%.2f}\n",
           s->name, threads, shared, apart, apart / shared);
    trainer_close(t);
    random_example_free(tree);
    for (int i = 0; i < 8; i++) random_example_free(alone[i]);
}

/* Bytes of a line of /proc/self/status. */
static double status_of(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = atof(line + strlen(key));
    if (f)
        fclose(f);
    return kb * 1024;
}

/* What a step takes, and what the plan says. */
static void memory(const char *dir, const struct shape *s, int threads, bool recompute)
{
    struct train_plan plan;
    struct train_plan_options o = {.trainer = {.threads = threads,
                                               .parts = (1u << PARTS) - 1,
                                               .recompute = recompute},
                                   .batch_tokens = 2048,
                                   .micro_tokens = 2048,
                                   .row_tokens = 256};
    struct example *list[8];
    for (int i = 0; i < 8; i++)
        list[i] = random_example(1, 1, 255, s->sizes->vocab, NULL);
    if (train_plan_make(&plan, dir, &o) < 0)
        die("plan");
    double before = status_of("VmRSS:");
    struct trainer *t = opened(dir, threads, recompute);
    step(t, list, 8, 8);
    double peak = status_of("VmHWM:") - before;
    double all = (double)trainer_params(t)->elements; /* a gradient and moments each */
    double states = 4 * (all + 3.0 * (double)trainer_params(t)->trained);
    printf("{\"what\":\"memory\",\"model\":\"%s\",\"recompute\":%s,\"peak\":%.0f,"
           "\"planned\":%.0f,\"planned_of_peak\":%.3f,\"bytes_per_parameter\":%.1f,"
           "\"bytes_per_token\":%.0f}\n",
           s->name, recompute ? "true" : "false", peak, (double)plan.total,
           (double)plan.total / peak, states / all, (peak - states) / 2048);
    trainer_close(t);
    for (int i = 0; i < 8; i++) random_example_free(list[i]);
}

int main(int argc, char *argv[])
{
    char dir[400];
    const struct shape *s = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (argc == 6 && strcmp(argv[5], shapes[i].name) == 0)
            s = &shapes[i];
    if (!s)
        return fprintf(stderr, "usage: bench-train FOLDER THREADS STEPS WHAT SHAPE\n"), 2;
    int threads = atoi(argv[2]), steps = atoi(argv[3]);
    const char *what = argv[4];
    mkdir(argv[1], 0755);
    snprintf(dir, sizeof dir, "%s/%s", argv[1], s->name);
    model_make(dir, s);
    if (strcmp(what, "step") == 0)
        decoder(dir, s, threads, steps);
    else if (strcmp(what, "group") == 0)
        groups(dir, s, threads, steps);
    else
        memory(dir, s, threads, strcmp(what, "memory-recompute") == 0);
    return 0;
}
