/* cuda-size-test: models of the sizes that users have, on CUDA's table, every launch
 * looked at and none run (CUDA_HOST_DRY): is there any that no GPU would start? And is
 * memory what was planned at these sizes, too? Weights are a file of nothing. */
#include "base/buf.h"
#include "base/fail.h"
#include "check.h"
#include "engine/config.h"
#include "engine/schedule.h"
#include "engine/vlm.h"
#include "texts.h"
#include "train/optimizer.h"
#include "train/plan.h"
#include "within.h"

#include <jansson.h>
#include <unistd.h>

extern const struct kernels cuda_table;
static char folder[64] = "/tmp/cuda-size-test-XXXXXX";

/* -- A model folder --------------------------------------------------------------------
 */

struct header {
    struct buf text;
    int64_t bytes; /* of tensors */
};

/* A vlm_each. */
static void tensor_add(void *context, const char *name, int rank, const int64_t *shape)
{
    struct header *h = context;
    int64_t n = 2;
    buf_print(&h->text, "%c\"%s\":{\"dtype\":\"BF16\",\"shape\":[", h->bytes ? ',' : '{',
              name);
    for (int i = 0; i < rank; i++) {
        buf_print(&h->text, "%s%lld", i ? "," : "", (long long)shape[i]);
        n *= shape[i];
    }
    buf_print(&h->text, "],\"data_offsets\":[%lld,%lld]}", (long long)h->bytes,
              (long long)(h->bytes + n));
    h->bytes += n;
}

/* config.json of a named shape with so many layers, and weights that take no room on
 * the disk. */
static void model_make(const char *shape, int layers)
{
    char path[128];
    struct model_config mc;
    struct header h = {0};
    snprintf(path, sizeof path, "share/shapes/%s.json", shape);
    json_t *all = json_load_file(path, 0, NULL), *config = json_object_get(all, "config");
    json_t *text = json_object_get(config, "text_config");
    json_object_set_new(text ? text : config, "num_hidden_layers", json_integer(layers));
    const char *const ids[] = {"image_token_id", "video_token_id",
                               "vision_start_token_id", "vision_end_token_id"};
    for (int i = 0; text && i < 4; i++)
        json_object_set_new(config, ids[i], json_integer(1000 + i));
    snprintf(path, sizeof path, "%s/config.json", folder);
    NEED(config && json_dump_file(config, path, 0) == 0, "%s: no shape", shape);
    json_decref(all);
    NEED(config_read(&mc, folder) == 0, "%s", fail_text());
    NEED(vlm_tensors(&mc, tensor_add, &h) == 0, "%s", fail_text());
    buf_char(&h.text, '}');
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    FILE *f = fopen(path, "w");
    uint64_t n = h.text.len;
    NEED(f && fwrite(&n, 8, 1, f) == 1 && fwrite(h.text.data, n, 1, f) == 1 &&
             fflush(f) == 0 && ftruncate(fileno(f), (off_t)(8 + n) + h.bytes) == 0,
         "%s", path);
    fclose(f);
    buf_free(&h.text);
}

/* -- Training --------------------------------------------------------------------------
 */

static void train(const char *name, struct train_plan_options o)
{
    const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1, 1};
    struct train_plan plan;
    struct dev_memory m;
    const char *why = "";
    o.trainer.device = "cuda";
    o.trainer.threads = 1;
    NEED(train_plan_make(&plan, folder, &o) == 0, "%s: %s", name, fail_text());
    o.trainer.kernels = &cuda_table;
    struct trainer *t = trainer_open(folder, &o.trainer);
    NEED(t, "%s: %s", name, fail_text());
    int merge = trainer_config(t)->vision.merge, numbers = 0;
    if (o.grid_h) {
        const struct vision_tower *vt = &trainer_config(t)->vision;
        numbers = o.grid_h * o.grid_w * 3 * vt->frames * vt->patch * vt->patch;
    }
    float *patches = calloc((size_t)numbers + 1, sizeof *patches);
    struct example *e = text_make(o.row_tokens, o.samples, o.sample_tokens, 600, 1);
    if (o.grid_h) {
        e->pictures = calloc(1, sizeof *e->pictures);
        e->pictures[0] = (struct engine_picture){patches, 1, o.grid_h, o.grid_w};
        e->picture_count = 1;
        for (int i = 0; i < o.grid_h * o.grid_w / merge / merge; i++)
            e->prompt.id[i] = trainer_config(t)->image_id;
    }
    for (int step = 1; step <= 2; step++) {
        const struct example *list[] = {e};
        int status = trainer_forward(t, list, 1, true), n = trainer_targets(t);
        float *weight = calloc((size_t)n + 1, sizeof *weight);
        if (status == 0)
            status = trainer_backward(t, weight, NULL, NULL);
        CHECK(status == 0, "%s: %s", name, fail_text());
        free(weight);
        optimizer_step(trainer_params(t), trainer_kernels(t), trainer_dev(t), &how, step,
                       1e-4, 1);
    }
    CHECK(cuda_table.sync(trainer_dev(t), &why) == 0, "%s: %s", name, why);
    cuda_table.memory(trainer_dev(t), &m);
    within_a_tenth(name, plan.total, m.most);
    if (e->pictures)
        e->pictures[0].patches = NULL;
    text_free(e);
    free(patches);
    trainer_close(t);
}

/* A group of 8 captions of 512 tokens behind a picture, all of the model being trained.
 */
static void training_a_4b_shape_starts_nothing_that_a_gpu_would_not(void)
{
    struct train_plan_options o = {
        .trainer = {.parts = (1u << PARTS) - 1, .compute.type = "bf16"},
        .batch_tokens = 8192,
        .micro_tokens = 8192,
        .row_tokens = 1100,
        .samples = 8,
        .sample_tokens = 512,
        .grid_h = 64,
        .grid_w = 64};
    model_make("qwen3-vl-4b", 4);
    train("qwen3-vl-4b", o);
    o.trainer.recompute = o.trainer.moments8 = true;
    o.trainer.compute.batch_variant = true;
    train("qwen3-vl-4b, recomputed, 8-bit moments, library products", o);
    o.trainer.compute.type = "fp32";
    train("qwen3-vl-4b, fp32", o);
}

/* -- Captions --------------------------------------------------------------------------
 */

static void ended(void *context, struct request *r)
{
    (void)context, (void)r;
}

/* 64 captions at once behind prompts of 1,100 tokens. */
static void captions_of_a_4b_shape_start_nothing_that_a_gpu_would_not(void)
{
    enum { GROUPS = 8, SAMPLES = 8, PROMPT = 1100, TOKENS = 4 };
    const struct vlm_device on = {.name = "cuda", .threads = 1, .kernels = &cuda_table};
    const struct sampling how = {.temperature = 1,
                                 .top_p = 1,
                                 .repetition_penalty = 1,
                                 .max_tokens = TOKENS,
                                 .ignore_eos = true};
    struct schedule s;
    struct sample samples[GROUPS][SAMPLES] = {0};
    struct engine_generation g[GROUPS];
    struct engine_prompt prompt[GROUPS];
    struct request r[GROUPS];
    static int32_t ids[GROUPS][PROMPT];
    model_make("qwen3-vl-4b", 4);
    struct vlm *m = vlm_open(folder, &on);
    NEED(m, "%s", fail_text());
    NEED(schedule_open(&s, m, 2048, GROUPS * SAMPLES) == 0, "%s", fail_text());
    for (int i = 0; i < GROUPS; i++) {
        for (int j = 0; j < PROMPT; j++) ids[i][j] = 1 + (i + j) % 500;
        for (int j = 0; j < SAMPLES; j++) samples[i][j].end_id = -1;
        prompt[i] = (struct engine_prompt){ids[i], PROMPT, NULL, 0};
        g[i] = (struct engine_generation){
            .prompt = &prompt[i], .sampling = &how, .n = SAMPLES};
        r[i] = (struct request){.kind = REQUEST_GENERATE,
                                .prompt = &prompt[i],
                                .generation = &g[i],
                                .samples = samples[i],
                                .all = SAMPLES};
        NEED(schedule_admit(&s, &r[i]) == 0, "%s", fail_text());
    }
    while (s.active) schedule_step(&s, ended, NULL);
    for (int i = 0; i < GROUPS; i++) {
        CHECK(!r[i].failed && samples[i][SAMPLES - 1].ids.n == TOKENS, "%s",
              r[i].failure.text);
        for (int j = 0; j < SAMPLES; j++) sample_free(&samples[i][j]);
    }
    schedule_close(&s);
    vlm_close(m);
}

int main(void)
{
    char command[80];
    setenv("CUDA_HOST_DRY", "1", 1);
    if (!mkdtemp(folder))
        return 1;
    CASE(training_a_4b_shape_starts_nothing_that_a_gpu_would_not);
    CASE(captions_of_a_4b_shape_start_nothing_that_a_gpu_would_not);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s", command);
    return check_end();
}
