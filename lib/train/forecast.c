/* forecast.c: see forecast.h. */
#include "train/forecast.h"
#include "base/fail.h"
#include "base/processors.h"
#include "engine/kv.h"
#include "engine/text.h"
#include "engine/vision.h"
#include "engine/vlm.h"
#include "media/patches.h"
#include "model/model.h"
#include "room.h"
#include "row/json.h"
#include "train/plan.h"

#include <string.h>

/* A program that has read nothing yet is 14 MB; each thread has 4 MB of scratch memory
 * and all together have as much (kernels/cpu/cpu.h), which training uses all. */
enum { PROGRAM = 14000000, SCRATCH = 4 << 20 };
enum { LIBRARY = 32 << 20 }; /* cuBLASLt's workspace in each stream */

static const char *const kinds[] = {"sft", "rl", "caption"};

int forecast_kind(enum forecast_kind *kind, const char *name)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(name, kinds[i]) == 0) {
            *kind = (enum forecast_kind)i;
            return 0;
        }
    return fail(FAIL_REFUSED, "\"%s\" is no program that is planned: sft, rl, caption",
                name);
}

/* The grid of the picture as the model will see it; 0, 0 without one. 0 or -1. */
static int picture(const struct memory_forecast *f, const struct model_config *mc,
                   const struct memory_options *o, int grid[2])
{
    struct patch_config pc;
    grid[0] = grid[1] = 0;
    if (mc->vision.depth == 0 || o->width == 0)
        return 0;
    if (patch_config_read(&pc, f->dir) < 0 ||
        patches_fit(&pc, o->height, o->width, &grid[0], &grid[1]) < 0)
        return -1;
    grid[0] /= pc.patch;
    grid[1] /= pc.patch;
    return 0;
}

/* As the scheduler takes pages: a prompt's are shared by its samples, each of which has a
 * copy of the last one, if that is not full, and those behind. */
static int64_t pages(const struct memory_options *o, int row_tokens, int lanes, int ctx)
{
    int samples = o->n < lanes ? o->n : lanes;
    int64_t rows = (lanes + samples - 1) / samples,
            all = row_tokens + (int64_t)o->max_tokens;
    all = all < ctx ? all : ctx;
    int64_t own = kv_pages_for(all) - row_tokens / KV_PAGE;
    int64_t want = rows * kv_pages_for(row_tokens) + lanes * own;
    int64_t most = ((int64_t)kv_pages_for(ctx) + 1) * lanes;
    return want < most ? want : most;
}

/* Sums of attention over the runs of pages of decoding (measure.c), which each recorded
 * width of the pages' table keeps. */
static int64_t recorded(const struct text_config *tc, int ctx, int lanes)
{
    int64_t widths = (kv_pages_for(ctx) + TEXT_TABLE_STEP - 1) / TEXT_TABLE_STEP;
    int64_t runs = widths * (widths + 1) / 2 * (TEXT_TABLE_STEP / ROOM_RUN);
    return runs * lanes * tc->heads * (tc->head_dim + 2) * 4;
}

static int caption(struct memory_forecast *f, const struct model_config *mc,
                   const struct memory_options *o, const int grid[2])
{
    struct train_plan *b = &f->bytes;
    struct engine_memory memory;
    const struct engine_options options = {.device = o->device,
                                           .threads = 1,
                                           .compute.type = o->compute,
                                           .compute.memory = o->gpu_memory,
                                           .ctx = o->ctx,
                                           .max_batch = o->max_batch};
    enum arr_type act =
        vlm_act(&(struct vlm_device){.name = o->device, .compute.type = o->compute});
    bool gpu = vlm_on_gpu(o->device);
    if (engine_ctx_check(mc, o->ctx) < 0)
        return fail_in("%s", f->dir);
    if (engine_plan(f->dir, &options, &memory) < 0)
        return -1;
    int lanes = o->max_batch ? o->max_batch : ENGINE_BATCH;
    int ctx = o->ctx ? o->ctx : mc->text.context;
    int row = o->row_tokens > f->picture_tokens ? o->row_tokens : f->picture_tokens + 2;
    b->parameters = memory.parameters;
    b->weights = memory.weights;
    b->kv =
        gpu ? memory.kv_pool : pages(o, row, lanes, ctx) * KV_PAGE * memory.kv_per_token;
    /* a pass takes prompts until it is full */
    int64_t prompts = gpu ? (int64_t)row * ((lanes + o->n - 1) / o->n) : row;
    int chunk = prompts < memory.chunk ? (int)prompts : memory.chunk;
    b->activations =
        text_scratch(&mc->text, act, chunk + lanes, lanes, kv_pages_for(ctx));
    if (gpu && act == ARR_BF16)
        b->activations +=
            recorded(&mc->text, row + o->max_tokens < ctx ? row + o->max_tokens : ctx,
                     lanes) +
            (o->batch_variant ? 2 * LIBRARY : 0);
    if (grid[0]) {
        int64_t patches = (int64_t)grid[0] * grid[1];
        b->activations += vision_scratch(&mc->vision, act, patches) +
                          (int64_t)arr_type_size(act) * f->picture_tokens *
                              mc->vision.out_hidden * (1 + mc->vision.deepstack_count);
        b->pictures = patches * 3 * mc->vision.frames * mc->vision.patch *
                      mc->vision.patch * (int64_t)sizeof(float) *
                      ((lanes + o->n - 1) / o->n);
    }
    b->program = PROGRAM;
    return 0;
}

static int training(struct memory_forecast *f, const struct memory_options *o,
                    const int grid[2])
{
    struct train_plan_options p = {.trainer = {.device = o->device,
                                               .compute.type = o->compute,
                                               .compute.batch_variant = o->batch_variant,
                                               .recompute = o->recompute,
                                               .moments8 = o->moments8},
                                   .batch_tokens = o->batch_tokens,
                                   .micro_tokens = o->micro_tokens,
                                   .row_tokens = o->row_tokens,
                                   .grid_h = grid[0],
                                   .grid_w = grid[1]};
    int status = o->lora ? lora_read(&p.trainer.lora, o->lora)
                         : param_parts(&p.trainer.parts, o->train);
    if (status < 0)
        return fail_in(o->lora ? "--lora" : "--train");
    if (o->kind == FORECAST_RL) {
        p.samples = o->n;
        p.sample_tokens = o->max_tokens;
    }
    struct params what = {.parts = p.trainer.parts, .lora = p.trainer.lora};
    params_text(f->trained, &what);
    if (train_plan_make(&f->bytes, f->dir, &p) < 0)
        return -1;
    f->bytes.program = PROGRAM;
    if (!vlm_on_gpu(o->device))
        f->bytes.program +=
            (int64_t)SCRATCH * (1 + (o->threads ? o->threads : processors_usable()));
    if (!o->hand_over)
        f->bytes.shared = 0;
    return 0;
}

int memory_forecast(struct memory_forecast *f, const char *spec,
                    const struct memory_options *o)
{
    struct model_config mc;
    int grid[2];
    *f = (struct memory_forecast){0};
    if (model_find(f->dir, sizeof f->dir, spec) < 0 || config_read(&mc, f->dir) < 0 ||
        picture(f, &mc, o, grid) < 0)
        return -1;
    if (grid[0])
        f->picture_tokens = grid[0] * grid[1] / mc.vision.merge / mc.vision.merge;
    if ((o->kind == FORECAST_CAPTION ? caption(f, &mc, o, grid) : training(f, o, grid)) <
        0)
        return -1;
    struct train_plan *b = &f->bytes;
    b->total = b->weights + b->gradients + b->states + b->activations + b->kv + b->shared;
    if (!vlm_on_gpu(o->device))
        b->total += b->pictures + b->program;
    return 0;
}

static void put(struct buf *b, const char *key, int64_t x)
{
    buf_print(b, ",\"%s\":%lld", key, (long long)x);
}

void memory_forecast_json(const struct memory_forecast *f, const struct memory_options *o,
                          struct buf *out)
{
    const struct train_plan *b = &f->bytes;
    buf_print(out, "{\"plan\":\"%s\",\"path\":", kinds[o->kind]);
    json_put_text(out, span_of(f->dir));
    put(out, "parameters", b->parameters);
    if (o->kind != FORECAST_CAPTION) {
        buf_text(out, ",\"train\":");
        json_put_text(out, span_of(f->trained));
        put(out, "trained", b->trained);
        put(out, "rows", b->rows);
    }
    put(out, "picture_tokens", f->picture_tokens);
    put(out, "weights", b->weights);
    if (o->kind != FORECAST_CAPTION) {
        put(out, "gradients", b->gradients);
        put(out, "states", b->states);
    }
    put(out, "activations", b->activations);
    put(out, "kv", b->kv);
    if (b->shared)
        put(out, "shared", b->shared);
    put(out, "pictures", b->pictures);
    put(out, "program", b->program);
    put(out, "total", b->total);
    buf_char(out, '}');
}
