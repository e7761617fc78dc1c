/* cuda-plan-test: what a run on a GPU is said to take of its memory, and what it takes
 * (on CUDA's twins, whose pool counts as the GPU's own). */
#include "base/fail.h"
#include "check.h"
#include "decoder.h"
#include "engine/schedule.h"
#include "engine/vision.h"
#include "golden.h"
#include "texts.h"
#include "train/optimizer.h"
#include "train/plan.h"
#include "within.h"

#include <math.h>

extern const struct kernels cuda_table;
static const char pocket[] = "share/pocket/captioner";

/* -- Training --------------------------------------------------------------------------
 */

static void train(const char *name, const char *model, struct train_plan_options o)
{
    const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    struct train_plan plan;
    struct dev_memory m;
    o.trainer.device = "cuda";
    o.trainer.threads = 1;
    NEED(train_plan_make(&plan, model, &o) == 0, "%s: %s", name, fail_text());
    o.trainer.kernels = &cuda_table;
    struct trainer *t = trainer_open(model, &o.trainer);
    NEED(t, "%s: %s", name, fail_text());
    struct example **list = malloc((size_t)plan.rows * sizeof *list);
    int parts = o.samples ? o.samples : 1;
    for (int i = 0; i < plan.rows; i++)
        list[i] =
            text_make(o.samples ? o.row_tokens : 1, parts,
                      o.samples ? o.sample_tokens : o.row_tokens - 1, 600, (unsigned)i);
    for (int step = 1; step <= 2; step++) {
        CHECK(texts_loss(t, list, plan.rows, true) >= 0, "%s: %s", name, fail_text());
        optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &how, step,
                       1e-4, 1);
    }
    cuda_table.memory(trainer_dev(t), &m);
    within_a_tenth(name, plan.total, m.most);
    for (int i = 0; i < plan.rows; i++) {
        example_free(list[i]);
        free(list[i]);
    }
    free(list);
    trainer_close(t);
}

static struct train_plan_options options(int rows, int tokens, const char *compute)
{
    return (struct train_plan_options){.trainer = {.parts = 15, .compute.type = compute},
                                       .batch_tokens = rows * tokens,
                                       .micro_tokens = rows * tokens,
                                       .row_tokens = tokens};
}

static void a_step_takes_what_was_planned(void)
{
    struct train_plan_options o = options(2, 48, "bf16");
    train("bf16", pocket, o);
    o.trainer.moments8 = o.trainer.recompute = true;
    train("bf16, 8-bit moments, recomputed", pocket, o);
    o = options(2, 48, "bf16");
    o.trainer.parts = 0;
    CHECK(lora_read(&o.trainer.lora, "8,16,all") == 0, "%s", fail_text());
    train("bf16, lora", pocket, o);
    o = options(1, 70, "bf16");
    o.samples = 4;
    o.sample_tokens = 20;
    o.micro_tokens = o.batch_tokens = 150;
    train("bf16, a group", pocket, o);
    train("fp32", pocket, options(1, 32, "fp32"));
}

/* Whatever it is that is wanted and cannot be had, that is what is said, not that a
 * number is none. */
static void a_gpu_that_is_too_small_is_told_so(void)
{
    const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    struct train_plan_options o = options(8, 48, "bf16");
    struct train_plan plan;
    o.trainer.device = "cuda";
    o.trainer.threads = 1;
    NEED(train_plan_make(&plan, pocket, &o) == 0, "%s", fail_text());
    o.trainer.kernels = &cuda_table;
    struct example *e = text_make(1, 1, 8 * 48 - 1, 600, 1);
    setenv("CUDA_HOST_DRY", "1", 1);
    int went = 0, runs = 0;
    for (int share = 1040; share > 500; share -= 4, runs++) {
        char bytes[24];
        snprintf(bytes, sizeof bytes, "%lld", (long long)plan.total * 2 / 1000 * share);
        setenv("CUDA_HOST_MEMORY", bytes, 1); /* half of it is left to others */
        struct trainer *t = trainer_open(pocket, &o.trainer);
        bool good = t && texts_loss(t, &e, 1, true) >= 0;
        if (good && !isfinite(optimizer_step(trainer_params(t), trainer_kernels(t),
                                             trainer_dev(t), &how, 1, 1e-4, 1)))
            good = optimizer_fail(trainer_params(t), trainer_kernels(t),
                                  trainer_dev(t)) == 0;
        const char *said = fail_text();
        CHECK(good || strstr(said, "memory on the GPU") || strstr(said, "cuda:0: "),
              "%d of 1000: %s", share, said);
        went += good;
        trainer_close(t);
    }
    unsetenv("CUDA_HOST_MEMORY");
    unsetenv("CUDA_HOST_DRY");
    CHECK(went > 0 && went < runs / 2, "%d of %d went well", went, runs);
    text_free(e);
}

/* The same of another shape: few layers, wider. */
static void a_wider_model_too(void)
{
    char dir[64] = "/tmp/cuda-plan-test-XXXXXX", command[80];
    if (!getenv("LONG"))
        return;
    NEED(mkdtemp(dir) && decoder_make(dir, &decoder_8m) == 0, "%s", fail_text());
    struct train_plan_options o = options(2, 100, "bf16");
    train("8M, bf16", dir, o);
    o.trainer.moments8 = o.trainer.recompute = true;
    train("8M, bf16, 8-bit moments, recomputed", dir, o);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0, "%s", command);
}

/* -- Captions --------------------------------------------------------------------------
 */

static void ended(void *context, struct request *r)
{
    (void)context, (void)r;
}

/* All lanes, long enough that attention has several runs of pages and passes are
 * recorded.
 */
static void lanes_take_what_was_planned(void)
{
    enum { LANES = 2, PROMPT = 500, TOKENS = 8, CTX = 1024 };
    struct engine_options eo = {
        .device = "cuda", .threads = 1, .ctx = CTX, .max_batch = LANES};
    const struct vlm_device on = {.name = "cuda", .threads = 1, .kernels = &cuda_table};
    struct engine_memory plan;
    struct dev_memory m;
    struct schedule s;
    int32_t ids[PROMPT];
    for (int i = 0; i < PROMPT; i++) ids[i] = 1 + i % 500;
    NEED(engine_plan(pocket, &eo, &plan) == 0, "%s", fail_text());
    struct vlm *v = vlm_open(pocket, &on);
    NEED(v, "%s", fail_text());
    NEED(schedule_open(&s, v, CTX, LANES) == 0, "%s", fail_text());
    const struct engine_prompt prompt = {ids, PROMPT, NULL, 0};
    const struct sampling how = {
        .top_p = 1, .repetition_penalty = 1, .max_tokens = TOKENS, .ignore_eos = true};
    struct sample samples[LANES] = {{.end_id = -1}, {.end_id = -1}};
    const struct engine_generation g = {.prompt = &prompt, .sampling = &how, .n = LANES};
    struct request r = {.kind = REQUEST_GENERATE,
                        .prompt = &prompt,
                        .generation = &g,
                        .samples = samples,
                        .all = LANES};
    NEED(schedule_admit(&s, &r) == 0, "%s", fail_text());
    while (s.active) schedule_step(&s, ended, NULL);
    CHECK(!r.failed && samples[1].ids.n == TOKENS, "%s", r.failure.text);
    cuda_table.memory(v->dev, &m);
    /* no picture was shown, and no pass was full, which the plan has room for */
    const struct text_config *tc = &v->config.text;
    int pages = kv_pages_for(CTX);
    int64_t unused = vision_scratch(&v->config.vision, v->act, 64 * 48) +
                     text_scratch(tc, v->act, plan.chunk + LANES, LANES, pages) -
                     text_scratch(tc, v->act, PROMPT + LANES, LANES, pages);
    within_a_tenth("captions", plan.weights + plan.kv_pool + plan.scratch - unused,
                   m.most);
    /* under a bound the pool has what is left */
    eo.compute.memory = 7000000;
    NEED(engine_plan(pocket, &eo, &plan) == 0, "%s", fail_text());
    CHECK(plan.weights + plan.kv_pool < eo.compute.memory &&
              plan.kv_pool < (int64_t)CTX * LANES * plan.kv_per_token,
          "%lld in 7 MB", (long long)plan.kv_pool);
    for (int i = 0; i < LANES; i++) sample_free(&samples[i]);
    schedule_close(&s);
    vlm_close(v);
}

int main(void)
{
    CASE(a_gpu_that_is_too_small_is_told_so);
    CASE(a_step_takes_what_was_planned);
    CASE(a_wider_model_too);
    CASE(lanes_take_what_was_planned);
    return check_end();
}
