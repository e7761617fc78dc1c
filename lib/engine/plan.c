/* plan.c: what a model will need (engine_plan in engine.h). Headers are read, no weights.
 */
#include "base/fail.h"
#include "engine/engine.h"
#include "engine/schedule.h"
#include "engine/vision.h"

/* The picture that the figures for activations are for, in pixels. */
enum { PLAN_WIDTH = 1024, PLAN_HEIGHT = 768 };

static int64_t elements(const struct weights *w)
{
    int64_t sum = 0;
    for (int i = 0; i < weights_count(w); i++) {
        const struct tensor *t = weights_at(w, i);
        int64_t n = 1;
        for (int j = 0; j < t->rank; j++) n *= t->shape[j];
        sum += n;
    }
    return sum;
}

/* Pages, of a GPU of which so many bytes (0: any) are to be used. */
static int64_t pool(const struct model_config *mc, enum arr_type act, int ctx, int batch,
                    int64_t weights, int64_t memory)
{
    struct dev_memory m = {.bound = INT64_MAX / 2, .room = INT64_MAX / 2};
    if (memory)
        m = (struct dev_memory){.bound = memory, .room = memory - weights};
    int64_t n = schedule_pages(mc, act, ctx, batch, &m);
    return n > KV_LEAST ? n : KV_LEAST;
}

int engine_plan(const char *dir, const struct engine_options *options,
                struct engine_memory *memory)
{
    struct model_config mc;
    if (config_read(&mc, dir) < 0)
        return -1;
    struct weights *w = weights_open(dir);
    if (!w)
        return -1;
    enum arr_type act = vlm_act(
        &(struct vlm_device){.name = options->device, .compute = options->compute});
    int batch = options->max_batch ? options->max_batch : ENGINE_BATCH;
    int ctx = options->ctx ? options->ctx : mc.text.context;
    *memory = (struct engine_memory){.weights = weights_bytes(w),
                                     .parameters = elements(w),
                                     .kv_per_token = kv_position_bytes(&mc.text, act)};
    memory->kv_pool =
        KV_PAGE * memory->kv_per_token *
        pool(&mc, act, ctx, batch, memory->weights, options->compute.memory);
    int64_t bound = options->compute.memory ? options->compute.memory : INT64_MAX / 2;
    memory->chunk = text_chunk(&mc.text, act, vlm_on_gpu(options->device) ? bound : 0);
    memory->scratch =
        text_scratch(&mc.text, act, memory->chunk + batch, batch, kv_pages_for(ctx));
    if (mc.vision.depth > 0) {
        int64_t patch = mc.vision.patch;
        int64_t patches = (PLAN_WIDTH / patch) * (PLAN_HEIGHT / patch);
        memory->scratch += vision_scratch(&mc.vision, act, patches);
    }
    weights_close(w);
    return 0;
}
