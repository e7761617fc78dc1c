/* cuda-vision-test: the tower works on one request's picture beside the decoding of
 * others (on CUDA's twins, which do all as late as CUDA allows), and no number changes by
 * it. */
#include "base/fail.h"
#include "check.h"
#include "engine/schedule.h"
#include "golden.h"

extern const struct kernels cuda_table;

enum { LANES = 4, SIDE = 4, TOKENS = 12, WORDS = 7, REQUESTS = 3 };

struct job {
    int32_t ids[SIDE * SIDE / 4 + WORDS];
    float *patches;
    struct engine_picture picture;
    struct engine_prompt prompt;
    struct sampling sampling;
    struct engine_generation generation;
    struct sample sample;
    struct request request;
    bool ended;
};

static struct vlm *model_open(void)
{
    const struct vlm_device on = {.name = "cuda",
                                  .threads = 1,
                                  .compute = {.type = "bf16"},
                                  .kernels = &cuda_table};
    return vlm_open(golden_path("goldens/models/qwen3_vl"), &on);
}

/* Words, a picture, words. */
static void job_make(struct job *j, const struct model_config *mc, int seed)
{
    int tokens = SIDE * SIDE / mc->vision.merge / mc->vision.merge, len = tokens + WORDS;
    int numbers =
        SIDE * SIDE * 3 * mc->vision.frames * mc->vision.patch * mc->vision.patch;
    *j = (struct job){.patches = malloc((size_t)numbers * sizeof(float))};
    for (int i = 0; i < len; i++)
        j->ids[i] = i < 2 || i >= 2 + tokens ? 10 + seed + i : mc->image_id;
    for (int i = 0; i < numbers; i++)
        j->patches[i] = (float)((i * 7 + seed * 13) % 255) / 127.5f - 1;
    j->picture = (struct engine_picture){j->patches, 1, SIDE, SIDE};
    j->prompt = (struct engine_prompt){j->ids, len, &j->picture, 1};
    j->sampling = (struct sampling){.top_p = 1,
                                    .repetition_penalty = 1,
                                    .max_tokens = TOKENS,
                                    .ignore_eos = true,
                                    .logprobs = true};
    j->generation = (struct engine_generation){
        .prompt = &j->prompt, .sampling = &j->sampling, .n = 1};
    j->request = (struct request){.kind = REQUEST_GENERATE,
                                  .prompt = &j->prompt,
                                  .generation = &j->generation,
                                  .samples = &j->sample,
                                  .all = 1};
}

static void job_free(struct job *j)
{
    free(j->patches);
    sample_free(&j->sample);
}

static void ended(void *context, struct request *r)
{
    struct job *all = context;
    for (int i = 0; i < REQUESTS; i++) all[i].ended |= &all[i].request == r;
}

/* Take in each request as soon as there is room, up to so many at once, and run all to
 * their ends. Tokens that others came to while a picture was with the tower. */
static int run(struct schedule *s, struct job *jobs, int together)
{
    int next = 0, beside = 0;
    for (int going = 1; going;) {
        int active = 0;
        for (struct request *r = s->active; r; r = r->next) active++;
        if (next < REQUESTS && active < together &&
            schedule_room(s, &jobs[next].request) &&
            schedule_admit(s, &jobs[next++].request) < 0)
            return -1;
        bool waits = next > 0 && jobs[next - 1].request.fed == 0;
        int before = next > 1 ? (int)jobs[next - 2].sample.ids.n : 0;
        schedule_step(s, ended, jobs);
        if (waits && jobs[next - 1].request.fed == 0 && next > 1)
            beside += (int)jobs[next - 2].sample.ids.n - before;
        going = next < REQUESTS || s->active;
    }
    return beside;
}

static void a_tower_works_beside_decoding(void)
{
    struct vlm *m = model_open();
    struct schedule s;
    struct job alone[REQUESTS], jobs[REQUESTS];
    NEED(m, "%s", fail_text());
    NEED(schedule_open(&s, m, 0, LANES) == 0, "%s", fail_text());
    for (int i = 0; i < REQUESTS; i++) {
        job_make(&alone[i], &m->config, i);
        job_make(&jobs[i], &m->config, i);
    }
    int beside = run(&s, alone, 1);
    CHECK(beside == 0, "%d tokens beside nothing", beside);
    beside = run(&s, jobs, REQUESTS);
    CHECK(beside >= 4, "%d tokens beside the tower", beside);
    for (int i = 0; i < REQUESTS; i++) {
        const struct sample *a = &alone[i].sample, *b = &jobs[i].sample;
        CHECK(jobs[i].ended && !jobs[i].request.failed, "request %d failed", i);
        NEED(a->ids.n == TOKENS && b->ids.n == TOKENS, "%zu, %zu tokens", a->ids.n,
             b->ids.n);
        CHECK(memcmp(a->ids.id, b->ids.id, TOKENS * sizeof *a->ids.id) == 0 &&
                  memcmp(a->logprobs, b->logprobs, TOKENS * sizeof *a->logprobs) == 0,
              "request %d has other tokens", i);
        job_free(&alone[i]);
        job_free(&jobs[i]);
    }
    schedule_close(&s);
    vlm_close(m);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

/* Given up while its picture is with the tower: its memory goes back in order. */
static void what_is_given_up_meanwhile_leaves_nothing(void)
{
    struct vlm *m = model_open();
    struct schedule s;
    struct job jobs[REQUESTS];
    struct dev_memory before, after;
    NEED(m, "%s", fail_text());
    NEED(schedule_open(&s, m, 0, LANES) == 0, "%s", fail_text());
    for (int i = 0; i < REQUESTS; i++) job_make(&jobs[i], &m->config, i);
    m->k->memory(m->dev, &before);
    for (int i = 0; i < 2; i++) {
        jobs[i].request.abandon = at_once;
        NEED(schedule_admit(&s, &jobs[i].request) == 0, "%s", fail_text());
        schedule_step(&s, ended, jobs);
        CHECK(jobs[i].ended && jobs[i].request.failed, "request %d goes on", i);
    }
    m->k->memory(m->dev, &after);
    CHECK(before.used == after.used, "%lld bytes are left",
          (long long)(after.used - before.used));
    for (int i = 0; i < REQUESTS; i++) job_free(&jobs[i]);
    schedule_close(&s);
    vlm_close(m);
}

int main(void)
{
    setenv("CUDA_HOST_DEFER", "1", 1);
    CASE(a_tower_works_beside_decoding);
    CASE(what_is_given_up_meanwhile_leaves_nothing);
    return check_end();
}
