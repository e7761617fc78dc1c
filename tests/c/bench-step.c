/* bench-step: a whole step of GRPO on one GPU, stage by stage, at the size of the
 * published one: 128 prompts with a picture, 8 samples of 512 tokens each, judged by 5
 * questions in 4 orders of their options, one update, and the new weights handed to the
 * sampler in the GPU's memory. As in the ring the sampler is a process of its own, and
 * all that the stages keep is there at once.
 *
 * Usage: bench-step DEVICE CAPTIONER JUDGE FOLDER TFLOPS FACTOR [small]
 * FOLDER: where versions of the policy are written, as large as the captioner; it is left
 * for the caller to remove. TFLOPS: of the product that the GPU was seen to do; a stage's
 * "busy" is the time that its products would take at that rate, as a share of its time.
 * Counted are products of weights, once more where a layer is recomputed; not those of
 * attention. FACTOR: one of so many prompts is run; the whole step's seconds are of all
 * of them. A JSON object a line, and a table on standard error, as bench-gpu.
 */
#include "backward.h"
#include "bench-gpu.h"
#include "engine/handover.h"
#include "train/optimizer.h"
#include "train/plan.h"
#include "train/policy.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct sizes {
    int prompts, samples, tokens;
    int text, grid;         /* tokens beside the picture; its grid x grid patches */
    struct judging judging; /* a caption, and what is said to the judge about it */
    int lanes, together;    /* samples decoded, captions judged at once */
};
static const struct sizes real = {128, 8, 512, 76, 64, {600, 20, 60}, 64, 8};
static const struct sizes tiny = {2, 2, 3, 6, 4, {10, 4, 4}, 4, 2};

static struct sizes size;
static const char *device, *folder;
static double product, factor;

/* value: in `unit`; flops: of its products, 0: not counted. */
static void say(const char *what, double value, const char *unit, double flops)
{
    double busy = flops / product / value;
    printf("{\"what\":\"step, %s\",\"value\":%.6g,\"unit\":\"%s\",\"factor\":%g", what,
           value, unit, factor);
    if (flops > 0 && product > 0)
        printf(",\"busy\":%.3f", busy);
    printf("}\n");
    fflush(stdout);
    fprintf(stderr, "step, %-28s %10.4g %-10s", what, value, unit);
    if (flops > 0 && product > 0)
        fprintf(stderr, " tensor cores busy %.1f %%", 100 * busy);
    fprintf(stderr, "\n");
}

static struct engine_picture picture_make(const struct vision_tower *vt)
{
    int64_t n = (int64_t)size.grid * size.grid * 3 * vt->frames * vt->patch * vt->patch;
    float *patches = malloc((size_t)n * sizeof *patches);
    for (int64_t i = 0; i < n; i++) patches[i] = (float)(i % 255) / 255;
    return (struct engine_picture){patches, 1, size.grid, size.grid};
}

static int prompt_of(const struct model_config *mc, const struct engine_picture *p)
{
    return size.text + picture_tokens(mc, p);
}

static struct engine *opened(const char *dir, int ctx)
{
    const struct engine_options o = {
        .device = device, .threads = 2, .ctx = ctx, .max_batch = size.lanes};
    struct engine *e = engine_open(dir, &o);
    if (!e)
        die(dir);
    return e;
}

/* -- The sampler, a process that answers a byte with the seconds that it took -----------
 */

/* Bytes that are free on the GPU. */
static int64_t unused(void)
{
    const char *why = "";
    const struct kernels *k = kernels_open(device, &why);
    const struct dev_options o = {.threads = 1};
    struct dev *d = k ? k->open(device, &o, &why) : NULL;
    struct dev_memory m;
    if (!d) {
        fprintf(stderr, "bench-step: %s: %s\n", device, why);
        exit(1);
    }
    k->memory(d, &m);
    k->close(d);
    return m.free;
}

/* What it samples from: the newest version's folder, and where versions are handed over;
 * "": versions are files. */
struct policy_place {
    char newest[PATH_MAX], work[PATH_MAX];
};

/* A version is taken: seconds. */
static double take(struct engine *e, const struct policy_place *place, int64_t version)
{
    double start = machine_now();
    int status = place->work[0] ? engine_take(e, place->work, version)
                                : engine_reload(e, place->newest);
    if (status < 0 || (place->work[0] && status != HANDOVER_TAKEN))
        die("the sampler takes a version");
    return machine_now() - start;
}

static int sampler(const char *dir, int in, int out)
{
    struct model_config mc;
    struct policy_place place;
    char c;
    if (config_read(&mc, dir) < 0)
        die(dir);
    struct engine_picture picture = picture_make(&mc.vision);
    const int prompt = prompt_of(&mc, &picture);
    const int64_t before = unused(); /* nobody else is on the GPU yet */
    (void)!write(out, &before, sizeof before);
    if (read(in, &place, sizeof place) != sizeof place)
        return 1;
    struct engine *e = opened(place.newest, prompt + size.tokens + KV_PAGE);
    generated(e, 1, prompt, 2, size.samples, &picture);
    for (double took = 0;; (void)!write(out, &took, sizeof took)) {
        if (read(in, &c, 1) != 1)
            break;
        took = c == 'g' ? generated(e, (int)(size.prompts / factor), prompt, size.tokens,
                                    size.samples, &picture)
                        : take(e, &place, 1);
    }
    engine_close(e);
    return 0;
}

struct process {
    pid_t pid;
    int to, from;
    int64_t before; /* bytes that were free on the GPU */
};

static struct process sampler_start(const char *dir)
{
    int to[2], from[2];
    struct process p = {-1, -1, -1, 0};
    if (pipe(to) < 0 || pipe(from) < 0 || (p.pid = fork()) < 0)
        die("a process");
    if (p.pid == 0) {
        close(to[1]);
        close(from[0]);
        exit(sampler(dir, to[0], from[1]));
    }
    close(to[0]);
    close(from[1]);
    p.to = to[1];
    p.from = from[0];
    if (read(p.from, &p.before, sizeof p.before) != sizeof p.before)
        exit(1); /* it has said why */
    return p;
}

static double told(const struct process *p, char what)
{
    double seconds;
    if (write(p->to, &what, 1) != 1 ||
        read(p->from, &seconds, sizeof seconds) != sizeof seconds)
        exit(1);
    return seconds;
}

/* -- The trainer -----------------------------------------------------------------------
 */

static struct example *group_make(const struct model_config *mc,
                                  const struct engine_picture *picture)
{
    struct example *e = random_example(prompt_of(mc, picture), size.samples, size.tokens,
                                       mc->text.vocab, mc);
    for (int i = 0; i < picture_tokens(mc, picture); i++) e->prompt.id[i] = mc->image_id;
    e->pictures = malloc(sizeof *e->pictures);
    e->pictures[0] = *picture;
    e->picture_count = 1;
    return e;
}

/* Gradients of groups, one at a time, as rl-step makes them. Seconds. */
static double gradients(struct trainer *t, struct example **groups, int count)
{
    double start = machine_now();
    for (int i = 0; i < count; i++) {
        const struct example *const *one = (const struct example *const *)(groups + i);
        if (trainer_forward(t, one, 1, true) < 0)
            die("forward");
        int n = trainer_targets(t);
        float *numbers = malloc(3 * (size_t)n * sizeof *numbers);
        if (trainer_logprobs(t, numbers, numbers + n) < 0)
            die("log-probabilities");
        for (int j = 0; j < n; j++)
            numbers[2 * n + j] = (j / size.tokens % 2 ? 1.0f : -1.0f) / (float)n;
        if (trainer_backward(t, numbers + 2 * n, NULL, NULL) < 0)
            die("backward");
        free(numbers);
    }
    synced(trainer_kernels(t), trainer_dev(t));
    return machine_now() - start;
}

static double stepped(struct trainer *t)
{
    static const struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1};
    double start = machine_now();
    if (!isfinite(optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t),
                                 &o, 1, 1e-6, 1)) &&
        optimizer_fail(trainer_params(t), trainer_kernels(t), trainer_dev(t)) < 0)
        die("optimizer");
    synced(trainer_kernels(t), trainer_dev(t));
    return machine_now() - start;
}

/* What a group's gradients are made by: layers forward, again, and twice that back; the
 * frozen output layer for log-probabilities, again, and back. */
static double group_flops(const struct model_config *mc,
                          const struct engine_picture *picture)
{
    double targets = (double)size.samples * size.tokens;
    return 8 * layers_of(&mc->text) * (prompt_of(mc, picture) + targets) +
           6 * head_of(&mc->text) * targets +
           tower_of(&mc->vision, (int64_t)size.grid * size.grid);
}

static double rollout_flops(const struct model_config *mc,
                            const struct engine_picture *picture)
{
    double tokens = (double)size.samples * size.tokens;
    return 2 * layers_of(&mc->text) * (prompt_of(mc, picture) + tokens) +
           2 * head_of(&mc->text) * tokens +
           tower_of(&mc->vision, (int64_t)size.grid * size.grid);
}

/* Version 0, from which the sampler begins. */
static struct policy *published_first(const struct trainer *t, const char *dir,
                                      struct params *p, struct policy_place *place)
{
    const bool shares = trainer_kernels(t)->share != NULL;
    snprintf(place->newest, sizeof place->newest, "%s/policy", folder);
    const struct policy_options o = {.path = place->newest,
                                     .base = dir,
                                     .work = folder,
                                     .how = shares ? POLICY_GPU : POLICY_FILES};
    struct policy *y = policy_open(&o, p);
    if (!y || policy_publish(y, trainer_kernels(t), trainer_dev(t), p, 0) < 0)
        die("version 0");
    if (shares)
        snprintf(place->work, sizeof place->work, "%s", policy_work(y));
    return y;
}

/* Seconds that the new weights take to the sampler. */
static double published(struct policy *y, struct trainer *t,
                        const struct process *sampling)
{
    double start = machine_now();
    if (policy_publish(y, trainer_kernels(t), trainer_dev(t), trainer_params(t), 1) < 0)
        die("version 1");
    double put = machine_now() - start;
    return put + told(sampling, 'v');
}

/* -- The step --------------------------------------------------------------------------
 */

static struct trainer *trained(const char *dir, int prompt, int64_t *plan)
{
    struct train_plan planned;
    struct train_plan_options o = {
        .trainer = {.device = device,
                    .threads = 2,
                    .parts = 1u << PART_TEXT | 1u << PART_MERGER,
                    .recompute = true},
        .batch_tokens = (int64_t)size.prompts * (prompt + size.samples * size.tokens),
        .micro_tokens = prompt + size.samples * size.tokens,
        .row_tokens = prompt,
        .samples = size.samples,
        .sample_tokens = size.tokens,
        .grid_h = size.grid,
        .grid_w = size.grid};
    if (train_plan_make(&planned, dir, &o) < 0)
        die(dir);
    *plan = planned.total;
    struct trainer *t = trainer_open(dir, &o.trainer);
    if (!t)
        die(dir);
    return t;
}

static void memory_say(const struct trainer *t, int64_t plan, int64_t before)
{
    struct dev_memory m;
    trainer_kernels(t)->memory(trainer_dev(t), &m);
    if (m.bound == 0) /* no account is kept */
        return;
    say("trainer's memory", (double)m.most / 1e9, "GB", 0);
    say("trainer's memory, planned", (double)plan / 1e9, "GB", 0);
    say("all memory in use", (double)(before - m.free) / 1e9, "GB", 0);
}

static void step(const char *captioner, const char *judge)
{
    struct model_config mc;
    int64_t plan;
    if (config_read(&mc, captioner) < 0)
        die(captioner);
    const struct process sampling = sampler_start(captioner); /* before CUDA is here */
    const struct engine_picture picture = picture_make(&mc.vision);
    const int prompt = prompt_of(&mc, &picture), groups = (int)(size.prompts / factor);
    const struct judging *j = &size.judging;
    struct trainer *t = trained(captioner, prompt, &plan);
    struct policy_place place = {"", ""};
    struct policy *y = published_first(t, captioner, trainer_params(t), &place);
    if (write(sampling.to, &place, sizeof place) != sizeof place)
        exit(1);
    struct engine *e = opened(judge, j->caption + j->question + KV_PAGE);
    struct example **list = calloc((size_t)groups, sizeof *list);
    for (int i = 0; i < groups; i++) list[i] = group_make(&mc, &picture);
    judged(e, j, 1, 1);
    gradients(t, list, 1); /* what is made at first is made */
    params_clear(trainer_params(t), trainer_kernels(t), trainer_dev(t));

    const double captions = (double)groups * size.samples;
    const double flops[3] = {rollout_flops(&mc, &picture) * groups,
                             2 * layers_of(&engine_config(e)->text) * judging_tokens(j) *
                                 captions,
                             group_flops(&mc, &picture) * groups};
    const double seconds[3] = {told(&sampling, 'g'),
                               judged(e, j, (int)captions, size.together),
                               gradients(t, list, groups)};
    static const char *const names[3] = {"rollout", "judging", "update, gradients"};
    double whole = 0, products = 0;
    for (int i = 0; i < 3; i++) {
        say(names[i], seconds[i], "s", flops[i]);
        whole += factor * seconds[i];
        products += factor * flops[i];
    }
    const double optimizer = stepped(t), publication = published(y, t, &sampling);
    say("update, optimizer", optimizer, "s", 0);
    say("publication", publication, "s", 0);
    say("whole, all prompts", whole + optimizer + publication, "s", products);
    memory_say(t, plan, sampling.before);

    close(sampling.to);
    waitpid(sampling.pid, NULL, 0);
    policy_close(y);
    for (int i = 0; i < groups; i++) {
        free(list[i]->pictures);
        random_example_free(list[i]);
    }
    free(list);
    trainer_close(t);
    engine_close(e);
    free((float *)(uintptr_t)picture.patches);
}

int main(int argc, char *argv[])
{
    if (argc < 7 || argc > 8 || (argc == 8 && strcmp(argv[7], "small") != 0))
        return fprintf(stderr, "usage: bench-step DEVICE CAPTIONER JUDGE FOLDER TFLOPS "
                               "FACTOR [small]\n"),
               2;
    device = argv[1];
    folder = argv[4];
    product = atof(argv[5]) * 1e12;
    factor = atof(argv[6]);
    size = argc == 8 ? tiny : real;
    if (!(product > 0 && factor >= 1 && factor <= size.prompts))
        return fprintf(stderr, "bench-step: TFLOPS or FACTOR is out of range\n"), 2;
    step(argv[2], argv[3]);
    return 0;
}
