/* plan-test.c: what training is said to take, and what it takes. */
#include "base/fail.h"
#include "check.h"
#include "decoder.h"
#include "golden.h"
#include "measure.h"
#include "texts.h"
#include "train/optimizer.h"
#include "train/plan.h"

#include <math.h>
#include <sys/wait.h>

/* kB of a line of /proc/self/status. */
static double status_of(const char *key)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = atof(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return kb * 1024;
}

/* What a run takes, in a process of its own: bytes of the tape, and by how much the
 * process grew at most. */
struct taken {
    double tape, peak;
};

static void run(const char *dir, const struct train_plan_options *o, int rows,
                struct taken *taken)
{
    const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    double before = status_of("VmRSS:");
    struct trainer *t = trainer_open(dir, &o->trainer);
    struct example **list = malloc((size_t)rows * sizeof *list);
    if (!t)
        return;
    int parts = o->samples ? o->samples : 1;
    for (int i = 0; i < rows; i++)
        list[i] = text_make(o->samples ? o->row_tokens : 1, parts,
                            o->samples ? o->sample_tokens : o->row_tokens - 1, 600,
                            (unsigned)i); /* no id of a picture */
    for (int step = 1; step <= 2; step++) {
        if (texts_loss(t, list, rows, true) < 0)
            return;
        optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &how, step,
                       1e-4, 1);
    }
    taken->tape = (double)trainer_bytes(t);
    taken->peak = status_of("VmHWM:") - before;
}

static void taken_by(const char *dir, const struct train_plan_options *o, int rows,
                     struct taken *taken)
{
    int ends[2];
    *taken = (struct taken){0};
    if (pipe(ends) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        run(dir, o, rows, taken);
        _exit(write(ends[1], taken, sizeof *taken) != sizeof *taken);
    }
    close(ends[1]);
    if (pid < 0 || read(ends[0], taken, sizeof *taken) != sizeof *taken)
        *taken = (struct taken){0};
    close(ends[0]);
    waitpid(pid, NULL, 0);
}

/* The plan against the run. */
static void check(const char *name, const char *dir, struct train_plan_options o)
{
    struct train_plan plan;
    struct taken taken;
    NEED(train_plan_make(&plan, dir, &o) == 0, "%s: %s", name, fail_text());
    taken_by(dir, &o, plan.rows, &taken);
    NEED(taken.tape > 0, "%s: the run failed", name);
    fprintf(stderr, "%s: plan %.1f MB, grew by %.1f MB (%.3f); tape %.1f MB\n", name,
            (double)plan.total / 1e6, taken.peak / 1e6, (double)plan.total / taken.peak,
            taken.tape / 1e6);
    CHECK(fabs((double)plan.tape - taken.tape) <= 0.001 * taken.tape,
          "%s: tape %.0f, planned %lld", name, taken.tape, (long long)plan.tape);
#ifndef __SANITIZE_ADDRESS__ /* whose own memory comes on top */
    CHECK(fabs((double)plan.total - taken.peak) <= 0.1 * taken.peak,
          "%s: grew by %.0f, planned %lld", name, taken.peak, (long long)plan.total);
#endif
}

static struct train_plan_options options(int rows, int tokens)
{
    return (struct train_plan_options){.trainer = {.threads = 2, .parts = 15},
                                       .batch_tokens = rows * tokens,
                                       .micro_tokens = rows * tokens,
                                       .row_tokens = tokens};
}

static void a_step_takes_what_was_planned(void)
{
    char dir[64] = "/tmp/plan-test-XXXXXX", command[80];
    NEED(mkdtemp(dir), "no folder");
    NEED(decoder_make(dir, &decoder_8m) == 0, "%s", fail_text());
    struct train_plan_options o = options(4, 200);
    check("8M", dir, o);
    o.trainer.recompute = true;
    check("8M, recomputed", dir, o);
    o = options(4, 64);
    o.trainer.moments8 = true;
    check("8M, 8-bit moments", dir, o);
    o.trainer = (struct trainer_options){.threads = 2};
    CHECK(lora_read(&o.trainer.lora, "16,32,all") == 0, "%s", fail_text());
    check("8M, lora", dir, o);
    o = options(1, 100);
    o.samples = 4;
    o.sample_tokens = 60;
    o.micro_tokens = o.batch_tokens = 340;
    check("8M, a group", dir, o);
    if (getenv("LONG") && decoder_make(dir, &decoder_107m) == 0) {
        check("107M", dir, options(8, 256));
        o = options(8, 256);
        o.trainer.recompute = true;
        check("107M, recomputed", dir, o);
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0, "%s", command);
    check("pocket", "share/pocket/captioner", options(16, 128));
    o = options(16, 128);
    o.trainer.recompute = true;
    check("pocket, recomputed", "share/pocket/captioner", o);
}

/* With pictures, and part by part. */
static void the_parts_add_up(void)
{
    struct train_plan plan, less;
    struct train_plan_options o = options(4, 64);
    o.grid_h = o.grid_w = 8;
    NEED(train_plan_make(&plan, "share/pocket/captioner", &o) == 0, "%s", fail_text());
    CHECK(plan.rows == 4, "%d rows", plan.rows);
    CHECK(plan.weights == 4 * plan.parameters && plan.gradients == plan.weights &&
              plan.states == 2 * plan.weights,
          "%lld %lld %lld", (long long)plan.weights, (long long)plan.gradients,
          (long long)plan.states);
    CHECK(plan.pictures == 4 * 64 * 1536 * 4, "%lld", (long long)plan.pictures);
    CHECK(plan.total == plan.weights + plan.gradients + plan.states + plan.activations +
                            plan.kv + plan.pictures,
          "total");
    CHECK(plan.kv == 4 * 2560 * KV_PAGE, "%lld", (long long)plan.kv);
    o.trainer.parts = 1u << PART_MERGER;
    NEED(train_plan_make(&less, "share/pocket/captioner", &o) == 0, "%s", fail_text());
    CHECK(less.weights == plan.weights && less.gradients == 4 * less.trained &&
              less.trained < plan.trained && less.activations < plan.activations,
          "merger alone");
    CHECK(train_plan_make(&less, "share/pocket/none", &o) < 0, "no folder");
}

/* Bytes that passes over texts of these lengths take at most, without computing. */
static double passes_take(const char *dir, bool recompute, const int *tokens, int passes)
{
    size_t most = 0;
    const struct trainer_options o = {.device = "cuda",
                                      .threads = 1,
                                      .parts = 15,
                                      .recompute = recompute,
                                      .kernels = measure_kernels()};
    struct trainer *t = trainer_open(dir, &o);
    for (int i = 0; t && i < passes; i++) {
        struct example *e = text_make(1, 1, tokens[i] - 1, 600, 1);
        CHECK(texts_loss(t, &e, 1, true) >= 0, "%s", fail_text());
        text_free(e);
    }
    if (t)
        measure_bytes(trainer_dev(t), &most);
    trainer_close(t);
    return (double)most;
}

/* Micro-batches are filled with rows as they come, never to the same token: a plan holds
 * for the largest, however many others there were. */
static void passes_of_many_sizes_take_what_the_largest_does(void)
{
    enum { PASSES = 24, MOST = 20000 };
    char dir[64] = "/tmp/plan-test-XXXXXX", command[80];
    int many[PASSES], same[2] = {MOST, MOST};
    for (int i = 0; i < PASSES; i++) many[i] = MOST - (PASSES - 1 - i) * 7919 % 4001;
    NEED(mkdtemp(dir) && decoder_make(dir, &decoder_8m) == 0, "%s", fail_text());
    for (int recompute = 0; recompute < 2; recompute++) {
        double ratio = passes_take(dir, recompute, many, PASSES) /
                       passes_take(dir, recompute, same, 2);
        CHECK(ratio > 0.95 && ratio < 1.1, "%.2f times as much%s", ratio,
              recompute ? ", recomputed" : "");
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0, "%s", command);
}

int main(void)
{
    CASE(a_step_takes_what_was_planned);
    CASE(the_parts_add_up);
    CASE(passes_of_many_sizes_take_what_the_largest_does);
    return check_end();
}
