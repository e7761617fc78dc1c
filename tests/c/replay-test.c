/* replay-test: an engine on CUDA (its kernels run by the host compiler's code, or on a
 * GPU that CAPMILL_TEST_DEVICE names) decodes by recorded passes, and to the bit what
 * passes that are not recorded give: also with batches that shrink and grow, tables that
 * grow, and other weights. */
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "folder.h"
#include "golden.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Behind a LONG prompt samples come to more than 512 positions: the first width of a page
 * table. */
enum { SAMPLES = 4, SHORT = 40, LONG = 490, SHORTEST = 12, STEP = 8, BATCH = 8 };

static int32_t ids[LONG];
static struct engine_prompt prompt = {.ids = ids};
static const char *device = "cuda", *compute;

static struct engine *opened(const char *dir)
{
    struct engine_options o = {
        .device = device, .compute.type = compute, .threads = 1, .max_batch = BATCH};
    return engine_open(dir, &o);
}

/* Sample i ends after SHORTEST + STEP i tokens: rows become fewer and fewer. */
static bool ended(void *context, int sample, const int32_t *tokens, int count)
{
    (void)context, (void)tokens;
    return count >= SHORTEST + STEP * sample;
}

/* 0 or -1. */
static int generate(struct engine *e, int n, struct sample *samples)
{
    static const struct sampling p = {.temperature = 1,
                                      .top_p = 1,
                                      .repetition_penalty = 1,
                                      .max_tokens = 1000,
                                      .ignore_eos = true,
                                      .logprobs = true,
                                      .key = {7, 7}};
    struct engine_generation g = {
        .prompt = &prompt, .sampling = &p, .n = n, .stop = ended};
    if (engine_generate(e, &g, samples) == 0)
        return 0;
    CHECK(0, "%s", fail_text());
    return -1;
}

/* Are the samples' log-probabilities those of one pass over all their tokens, by an
 * engine of its own, which records nothing? */
static void check_bits(const char *dir, const struct sample *samples, int n)
{
    struct engine *e = opened(dir);
    struct engine_continuation c[SAMPLES];
    float logprobs[SAMPLES][SHORTEST + STEP * SAMPLES], *out[SAMPLES];
    NEED(e, "%s", fail_text());
    for (int i = 0; i < n; i++) {
        c[i] = (struct engine_continuation){samples[i].ids.id, (int)samples[i].ids.n};
        out[i] = logprobs[i];
        CHECK(samples[i].ids.n == (size_t)(SHORTEST + STEP * i), "%zu tokens",
              samples[i].ids.n);
    }
    CHECK(engine_score(e, &prompt, c, n, out) == 0, "%s", fail_text());
    for (int i = 0; i < n; i++)
        CHECK(memcmp(out[i], samples[i].logprobs, samples[i].ids.n * sizeof(float)) == 0,
              "sample %d", i);
    CHECK(engine_rows(e).replayed == 0, "scoring was replayed");
    engine_close(e);
}

static void free_all(struct sample *samples, int n)
{
    for (int i = 0; i < n; i++) sample_free(&samples[i]);
}

/* Of so many passes, a new token for each sample a pass: the first token is the prompt's
 * pass's. Each shape's first pass is not replayed: of 4, 3, 2, 1 rows, and of a wider
 * table. */
static void check_replays(int64_t replayed, int n)
{
    int passes = SHORTEST + STEP * (n - 1) - 1;
    CHECK(replayed >= passes - (n + 2) && replayed < passes, "%lld of %d passes",
          (long long)replayed, passes);
}

static void decoding_is_replayed_with_the_same_bits(const char *type, int len)
{
    const char *dir = golden_path("goldens/models/qwen3");
    struct sample samples[SAMPLES], again[SAMPLES];
    compute = type;
    prompt.len = len;
    struct engine *e = dir ? opened(dir) : NULL;
    NEED(e, "%s", dir ? fail_text() : "no model");
    if (generate(e, SAMPLES, samples) == 0) {
        int64_t before = engine_rows(e).replayed;
        check_replays(before, SAMPLES);
        check_bits(dir, samples, SAMPLES);
        /* fewer, and as many again: shapes that are known come at other times */
        for (int n = 2; n <= SAMPLES && generate(e, n, again) == 0; n += 2) {
            for (int i = 0; i < n; i++)
                CHECK(samples[i].ids.n == again[i].ids.n &&
                          memcmp(samples[i].logprobs, again[i].logprobs,
                                 again[i].ids.n * sizeof(float)) == 0,
                      "sample %d is another one among %d", i, n);
            free_all(again, n);
        }
        CHECK(engine_rows(e).replayed >= 2 * before + SHORTEST, "%lld, then %lld",
              (long long)before, (long long)engine_rows(e).replayed);
        free_all(samples, SAMPLES);
    }
    engine_close(e);
}

static void in_fp32(void)
{
    decoding_is_replayed_with_the_same_bits("fp32", SHORT);
}

static void in_bf16(void)
{
    decoding_is_replayed_with_the_same_bits("bf16", LONG);
}

/* dir's copy with the lowest bit of a part of its weights turned. 0 or -1. */
static int other_weights(const char *to, const char *dir)
{
    char path[PATH_MAX];
    size_t size;
    if (mkdir(to, 0777) < 0)
        return -1;
    snprintf(path, sizeof path, "cp %s/config.json %s", dir, to);
    if (system(path) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    char *bytes = golden_file(path, &size);
    snprintf(path, sizeof path, "%s/model.safetensors", to);
    FILE *f = fopen(path, "wb");
    for (size_t i = size / 2; bytes && i < size; i += 64) bytes[i] ^= 1;
    int status = bytes && f && fwrite(bytes, 1, size, f) == size ? 0 : -1;
    free(bytes);
    return f && fclose(f) == 0 ? status : -1;
}

static void after_a_reload_it_is_the_new_weights(void)
{
    const char *dir = golden_path("goldens/models/qwen3");
    char other[512];
    struct sample samples[SAMPLES], then[SAMPLES];
    compute = "bf16";
    prompt.len = SHORT;
    struct engine *e = dir ? opened(dir) : NULL;
    NEED(e, "%s", dir ? fail_text() : "no model");
    snprintf(other, sizeof other, "%s", in_folder("other"));
    NEED(other_weights(other, dir) == 0, "no copy");
    if (generate(e, 2, samples) == 0) {
        int64_t before = engine_rows(e).replayed;
        CHECK(engine_reload(e, other) == 0, "%s", fail_text());
        if (generate(e, 2, then) == 0) {
            check_bits(other, then, 2);
            CHECK(memcmp(then[0].logprobs, samples[0].logprobs, sizeof(float)) != 0,
                  "the weights are no others");
            check_replays(engine_rows(e).replayed - before, 2);
            free_all(then, 2);
        }
        free_all(samples, 2);
    }
    engine_close(e);
}

int main(void)
{
    const char *build = getenv("CAPMILL_BUILD"), *gpu = getenv("CAPMILL_TEST_DEVICE");
    char plugin[4096];
    if (gpu && *gpu) {
        device = gpu;
    } else {
        snprintf(plugin, sizeof plugin, "%s/cuda-on-host.so", build ? build : "build");
        setenv("CAPMILL_CUDA", plugin, 1);
        setenv("CUDA_HOST_DEFER", "1", 1);
    }
    if (folder_make() < 0)
        return 1;
    for (int i = 0; i < LONG; i++) ids[i] = (i * 37 + i / 5) % 1900;
    CASE(in_fp32);
    CASE(in_bf16);
    CASE(after_a_reload_it_is_the_new_weights);
    return folder_remove(check_end());
}
