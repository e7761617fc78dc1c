/* prefix-test: prompts that begin alike share pages and give the bits that each gives
 * alone; what is kept for prompts to come is in nobody's way. */
#include "base/fail.h"
#include "check.h"
#include "engine/schedule.h"
#include "golden.h"
#include "on-device.h"

#include <pthread.h>

enum { JOBS_MAX = 64, LEN_MAX = 1400, SAMPLES_MAX = 3, REPLIES = 3, REPLY = 6 };

/* A request, and what it gave. */
struct job {
    int32_t ids[LEN_MAX];
    struct engine_picture picture;
    struct engine_prompt prompt;
    bool scores; /* else it generates */
    struct sampling sampling;
    struct engine_generation generation;
    struct sample samples[SAMPLES_MAX];
    int32_t reply_ids[REPLIES][REPLY];
    struct engine_continuation replies[REPLIES];
    float logprobs[REPLIES][REPLY], *out[REPLIES];
    struct engine_branch branch;
    int patience; /* times that it does not abandon when asked; -1: never */
    struct request request;
    bool ended;
};

struct jobs {
    struct job job[JOBS_MAX];
    int count;
};

/* Some id below 500, the same for the same arguments. */
static int32_t some_id(int a, int b)
{
    uint32_t x = (uint32_t)a * 2654435761u + (uint32_t)b * 40503u + 12345u;
    x ^= x >> 13;
    return (int32_t)(x * 69069u >> 8) % 500;
}

static bool impatient(void *context)
{
    struct job *j = context;
    return j->patience >= 0 && j->patience-- == 0;
}

/* A prompt of `stem` ids that all prompts with the same seed begin with, and `tail` of
 * its own. */
static struct job *job_add(struct jobs *js, int seed, int stem, int tail)
{
    int i = js->count++;
    struct job *j = &js->job[i];
    *j = (struct job){.patience = -1};
    for (int at = 0; at < stem + tail; at++)
        j->ids[at] = at < stem ? some_id(at, seed) : some_id(at, 1000 + i);
    j->prompt = (struct engine_prompt){.ids = j->ids, .len = stem + tail};
    j->sampling = (struct sampling){.temperature = 1,
                                    .top_p = 1,
                                    .repetition_penalty = 1,
                                    .max_tokens = 3 + i % 5,
                                    .ignore_eos = true,
                                    .logprobs = true,
                                    .top = 2,
                                    .key = {(uint64_t)i, 7}};
    j->generation = (struct engine_generation){
        .prompt = &j->prompt, .sampling = &j->sampling, .n = 1};
    for (int r = 0; r < REPLIES; r++) {
        for (int k = 0; k < REPLY; k++) j->reply_ids[r][k] = some_id(k, 3000 + r);
        j->replies[r] = (struct engine_continuation){j->reply_ids[r], 1 + 2 * r};
        j->out[r] = j->logprobs[r];
    }
    j->branch = (struct engine_branch){
        .continuations = j->replies, .count = REPLIES, .logprobs = j->out};
    return j;
}

static void job_start(struct job *j)
{
    j->ended = false;
    memset(j->logprobs, 0xff, sizeof j->logprobs);
    j->request = (struct request){
        .prompt = &j->prompt, .abandon = impatient, .abandon_context = j};
    if (j->scores) {
        j->request.kind = REQUEST_SCORE;
        j->request.branches = &j->branch;
        j->request.count = 1;
        j->request.all = REPLIES;
        return;
    }
    j->request.kind = REQUEST_GENERATE;
    j->request.generation = &j->generation;
    j->request.samples = j->samples;
    j->request.all = j->generation.n;
}

static void jobs_free(struct jobs *js)
{
    for (int i = 0; i < js->count; i++)
        for (int k = 0; k < SAMPLES_MAX; k++) sample_free(&js->job[i].samples[k]);
    js->count = 0;
}

/* -- Running --------------------------------------------------------------------------
 */

/* A model with two schedules: one that shares, and one of a single lane that does not. */
struct pair {
    struct vlm *m;
    struct schedule shared, alone;
};

static bool pair_open(struct pair *p, const char *model, int ctx, int max_batch)
{
    char relative[256];
    snprintf(relative, sizeof relative, "goldens/models/%s", model);
    const char *dir = golden_path(relative);
    const struct vlm_device on = test_on();
    *p = (struct pair){.m = dir ? vlm_open(dir, &on) : NULL};
    bool ok = p->m && schedule_open(&p->alone, p->m, ctx, 1) == 0 &&
              schedule_open(&p->shared, p->m, ctx, max_batch) == 0 &&
              schedule_share(&p->shared) == 0;
    CHECK(ok, "%s: %s", model, dir ? fail_text() : "no reference data");
    return ok;
}

static void pair_close(struct pair *p)
{
    schedule_close(&p->shared);
    schedule_close(&p->alone);
    vlm_close(p->m);
}

static void mark_ended(void *context, struct request *r)
{
    struct jobs *js = context;
    for (int i = 0; i < js->count; i++)
        if (&js->job[i].request == r)
            js->job[i].ended = true;
}

static int kept(const struct schedule *s)
{
    return s->kv.prefix ? prefix_kept(s->kv.prefix) : 0;
}

/* Run jobs in their order as the engine does, with `most` in flight. */
static void run(struct schedule *s, struct jobs *js, int most)
{
    int next = 0, in_flight = 0, steps = 0, in_use = 0;
    while ((next < js->count || s->active) && steps++ < 100000) {
        while (next < js->count && in_flight < most) {
            struct job *j = &js->job[next];
            job_start(j);
            if (!schedule_room(s, &j->request)) {
                CHECK(s->active, "job %d never finds room", next);
                break;
            }
            next++;
            if (schedule_admit(s, &j->request) < 0)
                CHECK(0, "job %d is not admitted", next - 1);
        }
        schedule_step(s, mark_ended, js);
        in_flight = 0;
        for (struct request *r = s->active; r; r = r->next) in_flight++;
        CHECK(kv_in_use(&s->kv) <= s->kv.reserved, "%d pages in use, %d promised",
              kv_in_use(&s->kv), s->kv.reserved);
        in_use = kv_in_use(&s->kv) > in_use ? kv_in_use(&s->kv) : in_use;
    }
    for (int i = 0; i < js->count; i++) CHECK(js->job[i].ended, "job %d hangs", i);
    CHECK(s->kv.reserved == 0 && kv_in_use(&s->kv) == 0 && s->slots == 0,
          "something is not given back");
    CHECK(s->kv.free_count + kept(s) == s->kv.pages, "a page is lost");
}

static bool same_sample(const struct sample *a, const struct sample *b)
{
    return a->ids.n == b->ids.n && a->finish == b->finish &&
           memcmp(a->ids.id, b->ids.id, a->ids.n * sizeof *a->ids.id) == 0 &&
           memcmp(a->logprobs, b->logprobs, a->ids.n * sizeof *a->logprobs) == 0 &&
           memcmp(a->top, b->top, 2 * a->ids.n * sizeof *a->top) == 0;
}

static void same_bits(const struct jobs *js, const struct jobs *want, const char *what)
{
    for (int i = 0; i < js->count; i++) {
        const struct job *a = &js->job[i], *b = &want->job[i];
        CHECK(!b->request.failed, "%s: job %d failed alone", what, i);
        if (a->request.failed) {
            CHECK(a->patience < 0 && a->request.failure.kind == FAIL_REFUSED,
                  "%s: job %d failed", what, i);
            continue;
        }
        for (int k = 0; !a->scores && k < a->generation.n; k++)
            CHECK(same_sample(&a->samples[k], &b->samples[k]),
                  "%s: job %d (%d tokens), sample %d", what, i, a->prompt.len, k);
        for (int r = 0; a->scores && r < REPLIES; r++)
            CHECK(memcmp(a->logprobs[r], b->logprobs[r],
                         (size_t)a->replies[r].len * sizeof(float)) == 0,
                  "%s: job %d (%d tokens), reply %d", what, i, a->prompt.len, r);
    }
}

/* The jobs alone, in another list that points into itself. */
static struct jobs *run_alone(struct pair *p, const struct jobs *js)
{
    struct jobs *alone = calloc(1, sizeof *alone);
    for (int i = 0; i < js->count; i++) {
        const struct job *from = &js->job[i];
        struct job *j = job_add(alone, 0, 0, 0);
        memcpy(j->ids, from->ids, sizeof j->ids);
        j->prompt = from->prompt;
        j->prompt.ids = j->ids;
        j->sampling = from->sampling;
        j->scores = from->scores;
        j->generation.n = from->generation.n;
    }
    p->alone.rows = (struct engine_rows){0};
    run(&p->alone, alone, 1);
    return alone;
}

/* Rows that a prompt has in common with one before it, its last one left out: at most. */
static int64_t shareable(const struct jobs *js)
{
    int64_t sum = 0;
    for (int i = 0; i < js->count; i++) {
        int best = 0;
        for (int k = 0; k < i; k++) {
            const struct job *a = &js->job[i], *b = &js->job[k];
            int n = 0;
            while (n < a->prompt.len - 1 && n < b->prompt.len && a->ids[n] == b->ids[n])
                n++;
            best = n > best ? n : best;
        }
        sum += best;
    }
    return sum;
}

/* Run jobs with sharing and alone: equal bits, and what was not computed was shared. */
static void run_both(struct pair *p, struct jobs *js, int most, const char *what)
{
    struct jobs *alone = run_alone(p, js);
    p->shared.rows = (struct engine_rows){0};
    run(&p->shared, js, most);
    same_bits(js, alone, what);
    const struct engine_rows *a = &p->shared.rows, *b = &p->alone.rows;
    CHECK(a->computed + a->shared == b->computed && b->shared == 0,
          "%s: %lld rows computed and %lld shared, %lld alone", what,
          (long long)a->computed, (long long)a->shared, (long long)b->computed);
    jobs_free(alone);
    free(alone);
}

/* -- What is shared -------------------------------------------------------------------
 */

static const int stems[] = {1, 63, 64, 65, 128, 300, 511, 513};
static const int tails[] = {1, 2, 63, 64, 65, 130, 0, 0, 17};
enum { STEMS = 8, TAILS = 9 };

/* All at once: each takes over all that it can, some of it from the pass that computes
 * it.
 */
static void all_that_is_common_is_shared(void)
{
    static struct jobs js;
    struct pair p;
    char what[64];
    if (!pair_open(&p, "qwen3", 0, 16))
        return;
    for (int s = 0; s < STEMS; s++) {
        for (int t = 0; t < TAILS; t++) job_add(&js, s, stems[s], tails[t]);
        snprintf(what, sizeof what, "stem of %d", stems[s]);
        prefix_forget(&p.shared.kv);
        run_both(&p, &js, 16, what);
        CHECK(p.shared.rows.shared == shareable(&js), "%s: %lld rows, not %lld", what,
              (long long)p.shared.rows.shared, (long long)shareable(&js));
        jobs_free(&js);
    }
    pair_close(&p);
}

/* One after the other: what ended is kept for the next. */
static void prompts_that_ended_are_shared(void)
{
    static struct jobs js;
    struct pair p;
    char what[64];
    if (!pair_open(&p, "qwen2", 0, 3))
        return;
    for (int s = 0; s < STEMS; s++) {
        int most = s % 2 ? 1 : 3;
        for (int t = 0; t < TAILS; t++) job_add(&js, s, stems[s], 20 + tails[t]);
        snprintf(what, sizeof what, "stem of %d, %d at once", stems[s], most);
        run_both(&p, &js, most, what);
        CHECK(p.shared.rows.shared >= (TAILS - 1) * stems[s], "%s: %lld rows", what,
              (long long)p.shared.rows.shared);
        jobs_free(&js);
    }
    pair_close(&p);
}

static void scoring_and_samples_share_with_each_other(void)
{
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3", 0, 6))
        return;
    for (int s = 0; s < STEMS; s++) {
        for (int t = 0; t < TAILS; t++) {
            struct job *j = job_add(&js, s, stems[s], 1 + tails[t]);
            j->scores = t % 2;
            j->generation.n = 1 + t % 3;
        }
        run_both(&p, &js, 6, "scoring and samples");
        CHECK(p.shared.rows.shared >= (TAILS - 1) * stems[s], "%lld rows",
              (long long)p.shared.rows.shared);
        jobs_free(&js);
    }
    pair_close(&p);
}

/* Equal ids with other pictures are not equal prompts. */
static void pictures_are_not_shared(void)
{
    enum { WORDS = 70, PICTURE = 4, SIDE = 4 };
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3_vl", 0, 6))
        return;
    const struct model_config *mc = &p.m->config;
    int dim = 3 * mc->vision.frames * mc->vision.patch * mc->vision.patch;
    int side = 2 * mc->vision.merge, patches = side * side * dim;
    float *pixels = malloc(2 * (size_t)patches * sizeof *pixels);
    for (int i = 0; i < 2 * patches; i++) pixels[i] = (float)(some_id(i, 7) - 250) / 250;
    for (int i = 0; i < 6; i++) {
        struct job *j = job_add(&js, 1, 200, i < 4 ? 0 : 9);
        for (int k = 0; k < PICTURE; k++) j->ids[WORDS + k] = mc->image_id;
        j->picture = (struct engine_picture){pixels + (i % 2) * patches, 1, side, side};
        j->prompt.pictures = &j->picture;
        j->prompt.picture_count = 1;
    }
    run_both(&p, &js, 6, "pictures");
    CHECK(p.shared.rows.shared == 5 * WORDS, "%lld rows",
          (long long)p.shared.rows.shared);
    CHECK(js.job[0].samples[0].logprobs[0] != js.job[1].samples[0].logprobs[0],
          "the pictures make no difference");
    jobs_free(&js);
    free(pixels);
    pair_close(&p);
}

/* -- Little room ----------------------------------------------------------------------
 */

/* Arbitrary prompts with common stems, in a context that they fill and with few pages:
 * what is kept goes when it must. With impatient ones, others go on. */
static void anything_in_tiny_pools(void)
{
    static struct jobs js;
    static const int shapes[][2] = {{256, 1}, {256, 2}, {192, 3}, {400, 2}, {256, 7}};
    char what[64];
    for (int s = 0; s < 5; s++) {
        struct pair p;
        int ctx = shapes[s][0];
        if (!pair_open(&p, s % 2 ? "qwen2" : "qwen3", ctx, shapes[s][1]))
            return;
        CHECK(p.shared.kv.pages <= (ctx / KV_PAGE + 2) * shapes[s][1], "%d pages",
              p.shared.kv.pages);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 24; i++) {
                int draw = some_id(i, 77 * round + s);
                int stem = 1 + some_id(draw, 3) % (ctx - 2);
                int tail = some_id(draw, 4) % (ctx - 1 - stem);
                struct job *j = job_add(&js, draw % 3, stem, draw % 4 ? tail : 0);
                j->generation.n = 1 + draw % 3;
                j->scores = draw % 5 == 0 && j->prompt.len + REPLY <= ctx;
                if (draw % 7 == 0)
                    j->sampling.max_tokens = ctx;
            }
            snprintf(what, sizeof what, "context %d, %d lanes", ctx, shapes[s][1]);
            run_both(&p, &js, 1 + round * 3, what);
            jobs_free(&js);
        }
        pair_close(&p);
    }
}

static void others_go_on_when_one_is_abandoned(void)
{
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3", 0, 4))
        return;
    for (int patience = 0; patience < 4; patience++) {
        for (int i = 0; i < 8; i++) {
            struct job *j = job_add(&js, patience, 530, 20 * i);
            j->patience = i % 3 == 0 ? patience : -1;
        }
        struct jobs *alone = run_alone(&p, &js);
        run(&p.shared, &js, 8);
        CHECK(js.job[0].request.failed, "job 0 was patient");
        same_bits(&js, alone, "abandoned");
        jobs_free(alone);
        free(alone);
        jobs_free(&js);
    }
    pair_close(&p);
}

/* -- A pass that fails ----------------------------------------------------------------
 */

static int passes_left;

static int failing_sync(struct dev *d, const char **why)
{
    (void)d;
    *why = "no more passes";
    return passes_left-- > 0 ? 0 : -1;
}

/* Nothing that a failed pass should have computed is ever taken over. */
static void a_failed_pass_is_forgotten(void)
{
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3", 0, 4))
        return;
    const struct kernels *sound = p.m->k;
    struct kernels broken = *sound;
    broken.sync = failing_sync;
    for (int passes = 0; passes < 4; passes++) {
        for (int i = 0; i < 6; i++) job_add(&js, 50 + passes, 600, 10 + i);
        struct jobs *alone = run_alone(&p, &js);
        p.m->k = &broken;
        passes_left = passes;
        run(&p.shared, &js, 4);
        p.m->k = sound;
        CHECK(js.job[0].request.failed && js.job[5].request.failed &&
                  js.job[5].request.failure.kind == FAIL_INTERNAL,
              "no failure after %d passes", passes);
        CHECK(kept(&p.shared) == 0, "%d pages are kept", kept(&p.shared));
        p.shared.rows = (struct engine_rows){0};
        for (int i = 0; i < js.count; i++)
            for (int k = 0; k < SAMPLES_MAX; k++) sample_free(&js.job[i].samples[k]);
        run(&p.shared, &js, 4);
        same_bits(&js, alone, "after a failed pass");
        CHECK(p.shared.rows.shared == 5 * 600, "%lld rows",
              (long long)p.shared.rows.shared);
        jobs_free(alone);
        free(alone);
        jobs_free(&js);
    }
    pair_close(&p);
}

/* -- What is kept ---------------------------------------------------------------------
 */

/* Pages in use and kept are never more than were in use at once. */
static void keeping_costs_no_memory(void)
{
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3", 0, 4))
        return;
    for (int i = 0; i < 40; i++) {
        job_add(&js, 0, i < 20 ? 0 : 130, 200);
        run(&p.shared, &js, 1);
        /* 200 tokens and what follows them: 4 pages and the lane's copy of the last */
        int most = i < 20 ? 5 : 7;
        CHECK(kept(&p.shared) >= 3 && kept(&p.shared) <= most, "%d pages kept, job %d",
              kept(&p.shared), i);
        jobs_free(&js);
    }
    pair_close(&p);
}

/* Of two prompts' pages, those that were left longer ago go first. */
static void what_was_used_last_is_kept(void)
{
    static const struct {
        int seed, shared; /* what of the prompt is there */
    } turns[] = {{1, 0}, {1, 299}, {2, 0}, {2, 299}, {2, 299}, {1, 0}, {1, 299}};
    static struct jobs js;
    struct pair p;
    if (!pair_open(&p, "qwen3", 0, 1))
        return;
    for (int i = 0; i < 7; i++) {
        job_add(&js, turns[i].seed, 300, 0);
        p.shared.rows = (struct engine_rows){0};
        run(&p.shared, &js, 1);
        CHECK(p.shared.rows.shared == turns[i].shared, "turn %d: %lld rows", i,
              (long long)p.shared.rows.shared);
        jobs_free(&js);
    }
    pair_close(&p);
}

/* -- The engine -----------------------------------------------------------------------
 */

struct asker {
    struct engine *engine;
    struct job *job;
    int status;
    pthread_t thread;
};

static void *ask(void *context)
{
    struct asker *a = context;
    a->status = engine_generate(a->engine, &a->job->generation, a->job->samples);
    return NULL;
}

/* Rows that the engine had to compute for the same jobs. */
static struct engine_rows ask_all(struct jobs *js, bool unshared)
{
    const char *dir = golden_path("goldens/models/qwen3");
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 2,
                               .max_batch = 3,
                               .unshared = unshared};
    struct engine *e = dir ? engine_open(dir, &o) : NULL;
    struct engine_rows rows = {0};
    struct asker a[JOBS_MAX];
    CHECK(e, "%s", fail_text());
    for (int i = 0; e && i < js->count; i++) {
        a[i] = (struct asker){e, &js->job[i], -1, 0};
        pthread_create(&a[i].thread, NULL, ask, &a[i]);
    }
    for (int i = 0; e && i < js->count; i++) {
        pthread_join(a[i].thread, NULL);
        CHECK(a[i].status == 0, "job %d failed", i);
        js->job[i].request.failed = a[i].status < 0;
    }
    if (e)
        rows = engine_rows(e);
    engine_close(e);
    return rows;
}

static void the_engine_shares_unless_told_otherwise(void)
{
    static struct jobs shared, unshared;
    for (int i = 0; i < 20; i++) {
        job_add(&shared, 1, 300, i);
        job_add(&unshared, 1, 300, i);
    }
    struct engine_rows a = ask_all(&shared, false), b = ask_all(&unshared, true);
    same_bits(&shared, &unshared, "engine");
    CHECK(a.shared >= 19 * 299 && b.shared == 0 && a.computed + a.shared == b.computed,
          "%lld + %lld, %lld + %lld rows", (long long)a.computed, (long long)a.shared,
          (long long)b.computed, (long long)b.shared);
    jobs_free(&shared);
    jobs_free(&unshared);
}

int main(void)
{
    CASE(all_that_is_common_is_shared);
    CASE(prompts_that_ended_are_shared);
    CASE(scoring_and_samples_share_with_each_other);
    CASE(pictures_are_not_shared);
    CASE(anything_in_tiny_pools);
    CASE(others_go_on_when_one_is_abandoned);
    CASE(a_failed_pass_is_forgotten);
    CASE(keeping_costs_no_memory);
    CASE(what_was_used_last_is_kept);
    CASE(the_engine_shares_unless_told_otherwise);
    return check_end();
}
