/* branches-test: branches behind a shared prompt give the bits that each gives alone. */
#include "base/fail.h"
#include "check.h"
#include "engine/schedule.h"
#include "golden.h"
#include "on-device.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

enum { BRANCHES_MAX = 24, REPLIES_MAX = 5, LEN_MAX = 1200 };

/* A prompt, branches and continuations made of arbitrary ids. */
struct given {
    int32_t prompt_ids[LEN_MAX];
    float *patches;
    struct engine_picture picture;
    struct engine_prompt prompt;
    int32_t ids[BRANCHES_MAX][LEN_MAX], reply_ids[REPLIES_MAX][LEN_MAX];
    struct engine_continuation replies[REPLIES_MAX];
    struct engine_branch branches[BRANCHES_MAX];
    int count;
    float got[BRANCHES_MAX][REPLIES_MAX][LEN_MAX],
        want[BRANCHES_MAX][REPLIES_MAX][LEN_MAX];
    float *out[BRANCHES_MAX][REPLIES_MAX];
};

static struct engine *open_model(const char *model, int threads, int max_batch, int ctx)
{
    char relative[256];
    snprintf(relative, sizeof relative, "goldens/models/%s", model);
    const char *dir = golden_path(relative);
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = threads,
                               .ctx = ctx,
                               .max_batch = max_batch};
    struct engine *e = dir ? engine_open(dir, &o) : NULL;
    CHECK(e, "%s: %s", relative, dir ? fail_text() : "no reference data");
    return e;
}

/* Some id below 500, the same for the same arguments. */
static int32_t some_id(int a, int b)
{
    uint32_t x = (uint32_t)a * 2654435761u + (uint32_t)b * 40503u + 12345u;
    x ^= x >> 13;
    return (int32_t)(x * 69069u >> 8) % 500;
}

/* A picture of 4 x 4 patches in front of a prompt. */
static void add_picture(struct given *g, const struct model_config *mc)
{
    int merge = mc->vision.merge, side = 2 * merge;
    int dim = 3 * mc->vision.frames * mc->vision.patch * mc->vision.patch;
    g->patches = malloc((size_t)(side * side * dim) * sizeof *g->patches);
    for (int i = 0; i < side * side * dim; i++)
        g->patches[i] = (float)(some_id(i, 7) - 250) / 250;
    g->picture = (struct engine_picture){g->patches, 1, side, side};
    for (int i = 0; i < 4; i++) g->prompt_ids[2 + i] = mc->image_id;
    g->prompt.pictures = &g->picture;
    g->prompt.picture_count = 1;
}

/* Branch i has lens[i % n] tokens, and the continuations lens2[0..]. */
static struct given *given_open(int prompt, const int *lens, int n, int count,
                                const int *reply_lens)
{
    struct given *g = calloc(1, sizeof *g);
    g->count = count;
    g->prompt = (struct engine_prompt){.ids = g->prompt_ids, .len = prompt};
    for (int i = 0; i < prompt; i++) g->prompt_ids[i] = some_id(i, 1);
    for (int r = 0; r < REPLIES_MAX; r++) {
        g->replies[r] = (struct engine_continuation){g->reply_ids[r], reply_lens[r]};
        for (int i = 0; i < reply_lens[r]; i++) g->reply_ids[r][i] = some_id(i, 100 + r);
    }
    for (int b = 0; b < count; b++) {
        int len = lens[b % n];
        for (int i = 0; i < len; i++) g->ids[b][i] = some_id(i, 1000 + b);
        for (int r = 0; r < REPLIES_MAX; r++) g->out[b][r] = g->got[b][r];
        /* not all branches have all continuations, nor begin with the same */
        int first = b % 3 == 2 ? 2 : 0;
        g->branches[b] = (struct engine_branch){g->ids[b], len, g->replies + first,
                                                REPLIES_MAX - first, g->out[b] + first};
    }
    return g;
}

static void given_free(struct given *g)
{
    free(g->patches);
    free(g);
}

static const int page_lens[] = {0, 1, 2, 60, 63, 64, 65, 130, 17};
static const int page_replies[REPLIES_MAX] = {1, 5, 0, 70, 2};

/* Each branch alone: its ids are part of the prompt. */
static void score_alone(struct given *g, struct engine *e)
{
    static int32_t ids[2 * LEN_MAX];
    memcpy(ids, g->prompt_ids, (size_t)g->prompt.len * sizeof *ids);
    for (int b = 0; b < g->count; b++) {
        const struct engine_branch *branch = &g->branches[b];
        struct engine_prompt p = g->prompt;
        float *out[REPLIES_MAX];
        int first = (int)(branch->logprobs - g->out[b]);
        for (int r = 0; r < REPLIES_MAX; r++) out[r] = g->want[b][r];
        memcpy(ids + p.len, branch->ids, (size_t)branch->len * sizeof *ids);
        p.ids = ids;
        p.len += branch->len;
        CHECK(engine_score(e, &p, branch->continuations, branch->count, out + first) == 0,
              "%s", fail_text());
    }
}

static void same_bits(const struct given *g, const char *what)
{
    for (int b = 0; b < g->count; b++) {
        const struct engine_branch *branch = &g->branches[b];
        for (int r = (int)(branch->logprobs - g->out[b]); r < REPLIES_MAX; r++)
            CHECK(memcmp(g->got[b][r], g->want[b][r],
                         (size_t)g->replies[r].len * sizeof(float)) == 0,
                  "%s: branch %d of %d tokens, continuation %d of %d: %g, not %g", what,
                  b, branch->len, r, g->replies[r].len, (double)g->got[b][r][0],
                  (double)g->want[b][r][0]);
    }
}

static int score(struct given *g, struct engine *e)
{
    memset(g->got, 0xff, sizeof g->got);
    return engine_score_branches(e, &(struct engine_scoring){.prompt = &g->prompt,
                                                             .branches = g->branches,
                                                             .count = g->count});
}

static void shared_and_alone(const char *model, bool picture)
{
    static const int prompts[] = {1, 63, 64, 65, 300, 520};
    static const int shapes[][2] = {{1, 1}, {2, 16}, {2, 3}, {1, 64}};
    struct engine *alone = open_model(model, 1, 1, 0);
    struct engine *shared[4];
    char what[128];
    for (int s = 0; s < 4; s++)
        shared[s] = open_model(model, shapes[s][0], shapes[s][1], 0);
    for (int p = picture; p < 6 && alone; p++) {
        struct given *g = given_open(prompts[p], page_lens, 9, 12, page_replies);
        if (picture)
            add_picture(g, engine_config(alone));
        score_alone(g, alone);
        for (int s = 0; s < 4 && shared[s]; s++) {
            snprintf(what, sizeof what, "%s, prompt of %d, %d threads, %d lanes", model,
                     prompts[p], shapes[s][0], shapes[s][1]);
            CHECK(score(g, shared[s]) == 0, "%s: %s", what, fail_text());
            same_bits(g, what);
        }
        given_free(g);
    }
    for (int s = 0; s < 4; s++) engine_close(shared[s]);
    engine_close(alone);
}

static void same_bits_for_text(void)
{
    shared_and_alone("qwen2", false);
    shared_and_alone("qwen3", false);
}

static void same_bits_behind_pictures(void)
{
    shared_and_alone("qwen3_vl", true);
    shared_and_alone("qwen2_5_vl", true);
}

/* Branches and continuations that are longer than a pass. */
static void same_bits_over_many_passes(void)
{
    static const int lens[] = {900, 3, 600}, replies[] = {1, 2, 3, 700, 530};
    struct engine *e = open_model("qwen3", 2, 4, 0);
    struct given *g = given_open(70, lens, 3, 3, replies);
    if (e) {
        score_alone(g, e);
        CHECK(score(g, e) == 0, "%s", fail_text());
        same_bits(g, "long");
    }
    given_free(g);
    engine_close(e);
}

/* -- Limits ---------------------------------------------------------------------------
 */

static void the_context_limits_branches(void)
{
    static const int lens[] = {30, 0, 33}, replies[] = {1, 7, 0, 2, 7};
    for (int batch = 1; batch <= 3; batch++) {
        struct engine *alone = open_model("qwen3", 1, 1, 0);
        struct engine *e = open_model("qwen3", 1, batch, 100);
        struct given *g = given_open(60, lens, 3, 3, replies);
        if (!e || !alone)
            return;
        score_alone(g, alone);
        CHECK(score(g, e) == 0, "60 + 33 + 7: %s", fail_text());
        same_bits(g, "context full");
        g->replies[4].len = 8;
        CHECK(score(g, e) < 0 && fail_kind() == FAIL_TOO_LONG &&
                  strstr(fail_text(), "prompt of 93 tokens with a continuation of 8"),
              "%s", fail_text());
        g->replies[4].len = 7;
        g->branches[2].len = 41;
        CHECK(score(g, e) < 0 && fail_kind() == FAIL_TOO_LONG &&
                  strstr(fail_text(), "prompt of 60 tokens with 41 behind it"),
              "%s", fail_text());
        g->branches[2].len = 33;
        g->ids[2][32] = -1;
        CHECK(score(g, e) < 0 && fail_kind() == FAIL_MODEL, "%s", fail_text());
        g->ids[2][32] = 100000;
        CHECK(score(g, e) < 0 && fail_kind() == FAIL_MODEL, "%s", fail_text());
        g->ids[2][32] = 5;
        CHECK(score(g, e) == 0, "the engine goes on: %s", fail_text());
        g->count = 0;
        CHECK(score(g, e) == 0, "no branch: %s", fail_text());
        g->count = 1;
        g->branches[0].count = 0;
        CHECK(score(g, e) == 0, "no continuation: %s", fail_text());
        given_free(g);
        engine_close(e);
        engine_close(alone);
    }
}

struct steps {
    int steps, most_lanes, ended;
};

static void count_end(void *context, struct request *r)
{
    ((struct steps *)context)->ended += !r->failed;
}

/* Steps until a request of `all` continuations is done, with all pages but `left` taken
 * by somebody else. */
static struct steps run_with_pages(struct schedule *s, struct given *g, int all, int left)
{
    struct steps n = {0};
    struct request r = {.kind = REQUEST_SCORE,
                        .prompt = &g->prompt,
                        .branches = g->branches,
                        .count = g->count,
                        .all = all};
    int taken = s->kv.pages - left;
    bool promised = kv_reserve(&s->kv, taken);
    CHECK(promised && schedule_room(s, &r), "%d pages are no room", left);
    if (promised && schedule_room(s, &r) && schedule_admit(s, &r) == 0)
        while (s->active && n.steps < 10000) {
            int lanes = 0;
            schedule_step(s, count_end, &n);
            for (struct lane *l = r.lanes; l; l = l->next) lanes++;
            n.most_lanes = lanes > n.most_lanes ? lanes : n.most_lanes;
            CHECK(s->kv.pages - s->kv.free_count <= left, "%d pages in use, not %d",
                  s->kv.pages - s->kv.free_count, left);
            n.steps++;
        }
    kv_release(&s->kv, taken);
    CHECK(s->kv.reserved == 0 && s->kv.free_count == s->kv.pages && s->slots == 0,
          "something is not given back");
    return n;
}

/* Few pages make smaller waves and no failure. */
static void short_memory_makes_waves(void)
{
    const char *dir = golden_path("goldens/models/qwen3");
    struct engine *e = open_model("qwen3", 1, 16, 0);
    const struct vlm_device on = test_on();
    struct vlm *m = dir ? vlm_open(dir, &on) : NULL;
    struct schedule s;
    static const int lens[] = {40, 20, 64, 0, 41};
    struct given *g = given_open(100, lens, 5, 10, page_replies);
    NEED(e && m, "%s", fail_text());
    NEED(schedule_open(&s, m, 0, 16) == 0, "%s", fail_text());
    score_alone(g, e);
    int all = 0;
    for (int b = 0; b < g->count; b++) all += g->branches[b].count;
    /* 2 of the prompt; a lane: up to 100 + 64 + 69 positions, one page shared */
    const int prompt = 2, lane = 4 - 1;
    int last = 1 << 20;
    for (int lanes = 1; lanes <= 5; lanes += 2) {
        memset(g->got, 0xff, sizeof g->got);
        struct steps n = run_with_pages(&s, g, all, prompt + lanes * lane);
        CHECK(n.ended == 1 && n.most_lanes <= lanes, "%d lanes at once", n.most_lanes);
        CHECK(n.steps < last, "%d steps with %d lanes, %d with fewer", n.steps, lanes,
              last);
        last = n.steps;
        same_bits(g, "waves");
    }
    given_free(g);
    schedule_close(&s);
    vlm_close(m);
    engine_close(e);
}

/* -- Beside others --------------------------------------------------------------------
 */

struct beside {
    struct engine *engine;
    struct given *given;
    int status;
    pthread_t thread;
};

static void *score_beside(void *context)
{
    struct beside *b = context;
    b->status = score(b->given, b->engine);
    return NULL;
}

static void same_bits_beside_other_requests(void)
{
    struct engine *e = open_model("qwen3", 2, 6, 0);
    struct beside b[4];
    NEED(e, "%s", fail_text());
    for (int i = 0; i < 4; i++) {
        b[i].engine = e;
        b[i].given = given_open(40 + 50 * i, page_lens, 9, 9, page_replies);
        score_alone(b[i].given, e);
    }
    for (int i = 0; i < 4; i++) pthread_create(&b[i].thread, NULL, score_beside, &b[i]);
    const int32_t ids[] = {5, 6, 7};
    struct engine_prompt p = {.ids = ids, .len = 3};
    struct sampling sampling = {.temperature = 1,
                                .top_p = 1,
                                .repetition_penalty = 1,
                                .max_tokens = 60,
                                .ignore_eos = true};
    struct engine_generation gen = {.prompt = &p, .sampling = &sampling, .n = 5};
    struct sample busy[5], alone[5];
    CHECK(engine_generate(e, &gen, busy) == 0, "%s", fail_text());
    for (int i = 0; i < 4; i++) {
        pthread_join(b[i].thread, NULL);
        CHECK(b[i].status == 0, "request %d failed", i);
        same_bits(b[i].given, "beside others");
        given_free(b[i].given);
    }
    CHECK(engine_generate(e, &gen, alone) == 0, "%s", fail_text());
    for (int i = 0; i < 5; i++) {
        CHECK(busy[i].ids.n == 60 && alone[i].ids.n == 60 &&
                  memcmp(busy[i].ids.id, alone[i].ids.id, 60 * sizeof(int32_t)) == 0,
              "sample %d", i);
        sample_free(&busy[i]);
        sample_free(&alone[i]);
    }
    engine_close(e);
}

static bool give_up(void *context)
{
    return ++*(int *)context > 3;
}

static void count_call(void *context)
{
    ++*(int *)context;
}

static void callbacks(void)
{
    struct engine *e = open_model("qwen3_vl", 1, 2, 0);
    struct given *g = given_open(64, page_lens, 9, 9, page_replies);
    int pictures = 0, asked = 0;
    NEED(e, "%s", fail_text());
    add_picture(g, engine_config(e));
    struct engine_scoring s = {.prompt = &g->prompt,
                               .branches = g->branches,
                               .count = g->count,
                               .pictures_done = count_call,
                               .pictures_context = &pictures};
    CHECK(engine_score_branches(e, &s) == 0 && pictures == 1, "%d calls", pictures);
    s.abandon = give_up;
    s.abandon_context = &asked;
    CHECK(engine_score_branches(e, &s) < 0 && fail_kind() == FAIL_REFUSED &&
              strstr(fail_text(), "interrupted"),
          "%s", fail_text());
    CHECK(asked == 4, "asked %d times", asked);
    s.abandon = NULL;
    CHECK(engine_score_branches(e, &s) == 0, "the engine goes on: %s", fail_text());
    given_free(g);
    engine_close(e);
}

int main(void)
{
    CASE(same_bits_for_text);
    CASE(same_bits_behind_pictures);
    CASE(same_bits_over_many_passes);
    CASE(the_context_limits_branches);
    CASE(short_memory_makes_waves);
    CASE(same_bits_beside_other_requests);
    CASE(callbacks);
    return check_end();
}
