/* rl-loss-test.c: every variant of the reinforcement losses against the reference data
 * (tests/data/goldens/train/NAME/rl.*: torch, compared there with verl 0.9.1): as
 * functions of numbers, and through the trainer down to the gradients of all parameters.
 */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "train/rl_loss.h"
#include "train/trainer.h"

#include <math.h>

enum { GROUP = 4, TOKENS_MAX = 64 };

static const char *const targets[] = {"qwen3_vl", "qwen2_5_vl"};

struct group {
    const char *target;
    json_t *row;
    int length[GROUP], tokens;
    double reward[GROUP];
    float policy[TOKENS_MAX], old[TOKENS_MAX], ref[TOKENS_MAX], entropy[TOKENS_MAX];
};

static const char *file_of(const char *target, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "goldens/train/%s/%s", target, name);
    return golden_path(path);
}

static bool vector_of(const struct group *g, const char *name, float *out)
{
    struct golden_tensor t;
    bool found = golden_tensor_read(&t, file_of(g->target, "rl.safetensors"), name) &&
                 t.count == g->tokens;
    CHECK(found, "%s: no %s", g->target, name);
    if (found)
        memcpy(out, t.f32, sizeof(float) * (size_t)t.count);
    golden_tensor_free(&t);
    return found;
}

static bool group_read(struct group *g, const char *target)
{
    *g = (struct group){.target = target};
    g->row = json_load_file(file_of(target, "rl.json"), 0, NULL);
    for (size_t i = 0; i < GROUP; i++) {
        g->length[i] = (int)json_integer_value(
            json_array_get(json_object_get(g->row, "completion_lengths"), i));
        g->reward[i] =
            json_number_value(json_array_get(json_object_get(g->row, "rewards"), i));
        g->tokens += g->length[i];
    }
    return g->row && g->tokens > GROUP && g->tokens <= TOKENS_MAX &&
           vector_of(g, "policy_logp", g->policy) && vector_of(g, "old_logp", g->old) &&
           vector_of(g, "ref_logp", g->ref) && vector_of(g, "entropy", g->entropy);
}

/* A variant's settings as the reference spells them. */
static struct rl_loss loss_of(const json_t *variant)
{
    const json_t *s = json_object_get(variant, "settings");
    const char *agg = json_string_value(json_object_get(s, "agg"));
    const char *kl = json_string_value(json_object_get(s, "kl"));
    const char *adv = json_string_value(json_object_get(s, "adv"));
    struct rl_loss o = {.advantage = strcmp(adv, "mean") == 0 ? RL_MEAN : RL_STD,
                        .aggregate = strcmp(agg, "token-mean") == 0 ? RL_TOKEN_MEAN
                                     : strcmp(agg, "constant") == 0 ? RL_FIXED
                                                                    : RL_SEQUENCE_MEAN,
                        .fixed = json_number_value(json_object_get(s, "const")),
                        .low = json_number_value(json_object_get(s, "low")),
                        .high = json_number_value(json_object_get(s, "high")),
                        .dual = json_number_value(json_object_get(s, "dual")),
                        .sequence = json_is_true(json_object_get(s, "seq")),
                        .kl = !kl ? RL_KL_NONE : (enum rl_kl)(kl[1] - '0'),
                        .beta = json_number_value(json_object_get(s, "beta")),
                        .entropy = json_number_value(json_object_get(s, "ent"))};
    return o;
}

struct result {
    struct rl_sums sums;
    double advantage[GROUP];
    float token_loss[TOKENS_MAX], dlogp[TOKENS_MAX], dentropy[TOKENS_MAX];
};

static void compute(struct result *r, const struct group *g, const struct rl_loss *o,
                    const float *logp, const float *entropy)
{
    struct rl_whole whole = {GROUP, g->tokens};
    double mean, std;
    *r = (struct result){0};
    rl_advantages(r->advantage, g->reward, GROUP, o->advantage, &mean, &std);
    for (int i = 0, at = 0; i < GROUP; at += g->length[i++]) {
        struct rl_sequence s = {.tokens = g->length[i],
                                .advantage = r->advantage[i],
                                .logp = logp + at,
                                .old = g->old + at,
                                .ref = g->ref + at,
                                .entropy = entropy + at,
                                .dlogp = r->dlogp + at,
                                .dentropy = r->dentropy + at,
                                .token_loss = r->token_loss + at};
        rl_sequence_add(&r->sums, &s, o, &whole);
    }
}

static bool near(double x, double expected, double relative)
{
    return fabs(x - expected) <= relative * fabs(expected) + 1e-7;
}

static void numbers_check(const struct group *g, const char *name, const json_t *variant)
{
    struct result r;
    struct rl_loss o = loss_of(variant);
    float expected[TOKENS_MAX];
    char tensor[64];
    compute(&r, g, &o, g->policy, g->entropy);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"loss", r.sums.loss},
                   {"pg_loss", r.sums.policy},
                   {"kl_loss", r.sums.kl},
                   {"entropy", r.sums.entropy},
                   {"clip_fraction", r.sums.clipped / r.sums.tokens}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double wanted = json_number_value(json_object_get(variant, numbers[i].key));
        CHECK(near(numbers[i].value, wanted, 1e-5), "%s %s: %s %.9g, not %.9g", g->target,
              name, numbers[i].key, numbers[i].value, wanted);
    }
    for (size_t i = 0; i < GROUP; i++) {
        double wanted =
            json_number_value(json_array_get(json_object_get(variant, "advantages"), i));
        CHECK(near(r.advantage[i], wanted, 1e-5), "%s %s: advantage %.9g, not %.9g",
              g->target, name, r.advantage[i], wanted);
    }
    CHECK(r.sums.clipped == r.sums.clipped_low + r.sums.clipped_high, "%s", name);
    snprintf(tensor, sizeof tensor, "%s.pg_token_loss", name);
    NEED(vector_of(g, tensor, expected), "no data");
    for (int i = 0; i < g->tokens; i++)
        CHECK(near((double)r.token_loss[i], (double)expected[i], 1e-5),
              "%s %s: token loss %d %.9g, not %.9g", g->target, name, i,
              (double)r.token_loss[i], (double)expected[i]);
    snprintf(tensor, sizeof tensor, "%s.dlogp", name);
    NEED(vector_of(g, tensor, expected), "no data");
    for (int i = 0; i < g->tokens; i++)
        CHECK(near((double)r.dlogp[i], (double)expected[i], 1e-5),
              "%s %s: dlogp %d %.9g, not %.9g", g->target, name, i, (double)r.dlogp[i],
              (double)expected[i]);
}

static void every_variants_numbers_are_the_references(void)
{
    for (int t = 0; t < 2; t++) {
        struct group g;
        const char *name;
        json_t *variant;
        int count = 0;
        NEED(group_read(&g, targets[t]), "%s: no data", targets[t]);
        json_object_foreach(json_object_get(g.row, "variants"), name, variant)
        {
            numbers_check(&g, name, variant);
            count++;
        }
        CHECK(count == 11, "%d variants", count);
        json_decref(g.row);
    }
}

static void kl_estimates_are_the_references(void)
{
    static const char *const names[] = {"kl_k1", "kl_k2", "kl_k3"};
    for (int t = 0; t < 2; t++) {
        struct group g;
        NEED(group_read(&g, targets[t]), "%s: no data", targets[t]);
        for (int k = 0; k < 3; k++) {
            float expected[TOKENS_MAX];
            NEED(vector_of(&g, names[k], expected), "no data");
            for (int i = 0; i < g.tokens; i++) {
                double kl = rl_kl((enum rl_kl)(k + 1), (double)g.policy[i],
                                  (double)g.ref[i], NULL);
                CHECK(fabs(kl - (double)expected[i]) <= 1e-6 + 1e-5 * fabs(kl),
                      "%s %s: %.9g, not %.9g", g.target, names[k], kl,
                      (double)expected[i]);
            }
        }
        json_decref(g.row);
    }
}

/* A derivative as a difference, for all kinds at once. */
static void derivatives_are_slopes(void)
{
    struct group g;
    NEED(group_read(&g, targets[0]), "no data");
    const char *name;
    json_t *variant;
    json_object_foreach(json_object_get(g.row, "variants"), name, variant)
    {
        struct rl_loss o = loss_of(variant);
        struct result r, up, down;
        compute(&r, &g, &o, g.policy, g.entropy);
        for (int i = 0; i < g.tokens && !o.sequence; i++) {
            float moved[TOKENS_MAX];
            memcpy(moved, g.policy, sizeof moved);
            moved[i] += 0.001f;
            compute(&up, &g, &o, moved, g.entropy);
            moved[i] -= 0.002f;
            compute(&down, &g, &o, moved, g.entropy);
            double slope = (up.sums.loss - down.sums.loss) / 0.002;
            CHECK(fabs(slope - (double)r.dlogp[i]) <= 2e-3 + 2e-3 * fabs(slope),
                  "%s: token %d: %g, not %g", name, i, (double)r.dlogp[i], slope);
        }
    }
    json_decref(g.row);
}

static void equal_rewards_have_no_advantage(void)
{
    const double reward[] = {0.7, 0.7, 0.7};
    double advantage[3], mean, std;
    for (int how = RL_STD; how <= RL_MEAN; how++) {
        rl_advantages(advantage, reward, 3, (enum rl_advantage)how, &mean, &std);
        for (int i = 0; i < 3; i++) CHECK(fabs(advantage[i]) < 1e-9, "%g", advantage[i]);
        CHECK(std < 1e-9 && fabs(mean - 0.7) < 1e-12, "%g %g", mean, std);
    }
}

/* arXiv 2503.14476, equation 13. */
static void long_captions_cost_more_and_more(void)
{
    const struct rl_loss o = {
        .overlong = 100, .overlong_buffer = 20, .overlong_weight = 1};
    const struct {
        int tokens;
        double cost;
    } cases[] = {{1, 0},      {80, 0},   {81, -0.05}, {90, -0.5},
                 {99, -0.95}, {100, -1}, {101, -1},   {500, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(fabs(rl_overlong(&o, cases[i].tokens) - cases[i].cost) < 1e-12, "%d: %g",
              cases[i].tokens, rl_overlong(&o, cases[i].tokens));
    const struct rl_loss off = {0};
    CHECK(rl_overlong(&off, 1000000) == 0, "on");
}

/* -- Through the trainer ----------------------------------------------------------------
 */

static void example_of(struct example *e, const struct group *g)
{
    struct golden_tensor pixels;
    const json_t *lists = json_object_get(g->row, "completions");
    const json_t *grid = json_array_get(json_object_get(g->row, "image_grid_thw"), 0);
    size_t i;
    json_t *id;
    *e = (struct example){.parts = GROUP};
    e->part = calloc(GROUP, sizeof *e->part);
    json_array_foreach(json_object_get(g->row, "prompt_ids"), i, id)
        ids_add(&e->prompt, (int32_t)json_integer_value(id));
    for (int j = 0; j < GROUP; j++) {
        struct example_part *p = &e->part[j];
        json_array_foreach(json_array_get(lists, (size_t)j), i, id)
            ids_add(&p->ids, (int32_t)json_integer_value(id));
        p->target = malloc(p->ids.n);
        memset(p->target, true, p->ids.n);
        e->targets += (int)p->ids.n;
    }
    if (golden_tensor_read(&pixels, file_of(g->target, "rl.safetensors"),
                           "pixel_values")) {
        int side[3];
        for (i = 0; i < 3; i++)
            side[i] = (int)json_integer_value(json_array_get(grid, i));
        float *patches = malloc((size_t)pixels.count * sizeof *patches);
        memcpy(patches, pixels.f32, (size_t)pixels.count * sizeof *patches);
        e->pictures = calloc(1, sizeof *e->pictures);
        e->pictures[0] = (struct engine_picture){patches, side[0], side[1], side[2]};
        e->picture_count = 1;
    }
    golden_tensor_free(&pixels);
}

static void reference_name(char out[256], const char *name)
{
    if (strncmp(name, "visual.", 7) == 0)
        snprintf(out, 256, "model.%s", name);
    else if (strncmp(name, "model.", 6) == 0 && strncmp(name, "model.visual.", 13) != 0 &&
             strncmp(name, "model.language_model.", 21) != 0)
        snprintf(out, 256, "model.language_model.%s", name + 6);
    else
        snprintf(out, 256, "%s", name);
}

/* Norms of all gradients, and the whole ones that the reference has. How many of these.
 */
static int gradients_check(struct trainer *t, const struct group *g, const char *name,
                           const json_t *variant)
{
    const struct params *p = trainer_params(t);
    const json_t *norms = json_object_get(variant, "grad_norm_per_parameter");
    double squares = 0;
    int whole = 0;
    CHECK(json_object_size(norms) == (size_t)p->count, "%d parameters", p->count);
    for (int i = 0; i < p->count; i++) {
        char reference[256], tensor[320];
        struct golden_tensor wanted;
        reference_name(reference, p->list[i].name);
        snprintf(tensor, sizeof tensor, "%s.grad.%s", name, reference);
        int64_t n = arr_size(p->list[i].grad);
        float *ours = malloc((size_t)n * sizeof *ours);
        trainer_kernels(t)->download(trainer_dev(t), ours, p->list[i].grad);
        double norm = 0, difference = 0, of_wanted = 0;
        for (int64_t j = 0; j < n; j++) norm += (double)ours[j] * (double)ours[j];
        squares += norm;
        double expected = json_real_value(json_object_get(norms, reference));
        CHECK(fabs(sqrt(norm) - expected) <= 1e-4 * expected + 1e-5,
              "%s %s: %s: norm %.9g, not %.9g", g->target, name, reference, sqrt(norm),
              expected);
        if (golden_tensor_read(&wanted, file_of(g->target, "rl.safetensors"), tensor)) {
            for (int64_t j = 0; j < n && n == wanted.count; j++) {
                difference += pow((double)ours[j] - (double)wanted.f32[j], 2);
                of_wanted += pow((double)wanted.f32[j], 2);
            }
            CHECK(n == wanted.count && sqrt(difference) <= 1e-4 * sqrt(of_wanted),
                  "%s %s: %s is %g off", g->target, name, reference,
                  sqrt(difference / of_wanted));
            whole++;
        }
        golden_tensor_free(&wanted);
        free(ours);
    }
    double expected = json_real_value(json_object_get(variant, "grad_norm"));
    CHECK(near(sqrt(squares), expected, 1e-4), "%s %s: norm %.9g, not %.9g", g->target,
          name, sqrt(squares), expected);
    return whole;
}

/* A loss is a sum whose terms cancel (advantages do), of ratios up to 11: 1e-5 of what
 * the terms are in size. */
static void loss_check(const struct group *g, const char *name, const json_t *variant,
                       const struct result *r)
{
    double wanted = json_number_value(json_object_get(variant, "loss")), size = 0;
    for (int i = 0; i < g->tokens; i++)
        size += fabs((double)r->token_loss[i]) / g->tokens;
    CHECK(fabs(r->sums.loss - wanted) <=
              1e-5 * (size > fabs(wanted) ? size : fabs(wanted)),
          "%s %s: loss %.9g, not %.9g", g->target, name, r->sums.loss, wanted);
}

static void every_variants_gradients_are_the_references(void)
{
    for (int n = 0; n < 2; n++) {
        struct group g;
        struct example e;
        char path[64];
        const char *name;
        json_t *variant;
        int whole = 0;
        struct trainer_options o = {.threads = 2, .parts = 15};
        snprintf(path, sizeof path, "goldens/models/%s", targets[n]);
        struct trainer *t = trainer_open(golden_path(path), &o);
        NEED(t && group_read(&g, targets[n]), "%s: no data", targets[n]);
        example_of(&e, &g);
        const struct example *const list[] = {&e};
        json_object_foreach(json_object_get(g.row, "variants"), name, variant)
        {
            struct result r;
            struct rl_loss loss = loss_of(variant);
            float logp[TOKENS_MAX], entropy[TOKENS_MAX];
            NEED(trainer_forward(t, list, 1, true) == 0, "%s", fail_text());
            NEED(trainer_targets(t) == g.tokens, "%d targets", trainer_targets(t));
            CHECK(trainer_logprobs(t, logp, entropy) == 0, "%s", fail_text());
            compute(&r, &g, &loss, logp, entropy);
            for (int i = 0; i < g.tokens; i++)
                CHECK(fabsf(logp[i] - g.policy[i]) <= 1e-4f, "token %d: %.9g, not %.9g",
                      i, (double)logp[i], (double)g.policy[i]);
            loss_check(&g, name, variant, &r);
            CHECK(trainer_backward(t, r.dlogp, loss.entropy != 0 ? r.dentropy : NULL,
                                   NULL) == 0,
                  "%s", fail_text());
            whole += gradients_check(t, &g, name, variant);
            params_clear(trainer_params(t), trainer_kernels(t), trainer_dev(t));
        }
        CHECK(whole >= 13, "%s: %d whole gradients", targets[n], whole);
        example_free(&e);
        json_decref(g.row);
        trainer_close(t);
    }
}

/* Temperature 2 is an output layer of half the weights: numbers and gradients, of
 * log-probabilities and of entropies. */
static void a_temperature_is_a_weaker_output_layer(void)
{
    struct trainer_options o = {.threads = 2, .parts = 15};
    const char *path = golden_path("goldens/models/qwen2_5_vl");
    struct trainer *t[2] = {trainer_open(path, &o), trainer_open(path, &o)};
    struct group g;
    struct example e;
    float logp[2][TOKENS_MAX], entropy[2][TOKENS_MAX];
    NEED(t[0] && t[1] && group_read(&g, "qwen2_5_vl"), "no data");
    example_of(&e, &g);
    const struct example *const list[] = {&e};
    struct params *p[2] = {trainer_params(t[0]), trainer_params(t[1])};
    trainer_temperature(t[0], 2);
    int heads = 0;
    for (int i = 0; i < p[1]->count; i++)
        if (strcmp(p[1]->list[i].name, "lm_head.weight") == 0) {
            trainer_kernels(t[1])->back->add_scaled(trainer_dev(t[1]), p[1]->list[i].w,
                                                    p[1]->list[i].w, -0.5f);
            heads++;
        }
    NEED(heads == 1, "no output layer of its own");
    for (int k = 0; k < 2; k++) {
        NEED(trainer_forward(t[k], list, 1, true) == 0, "%s", fail_text());
        trainer_logprobs(t[k], logp[k], entropy[k]);
        /* any derivatives will do */
        NEED(trainer_backward(t[k], g.old, g.ref, NULL) == 0, "%s", fail_text());
    }
    for (int i = 0; i < g.tokens; i++)
        CHECK(fabsf(logp[0][i] - logp[1][i]) <= 2e-6f &&
                  fabsf(entropy[0][i] - entropy[1][i]) <= 2e-6f &&
                  fabsf(logp[0][i] - g.policy[i]) > 1e-3f,
              "token %d: %.9g and %.9g, %.9g and %.9g", i, (double)logp[0][i],
              (double)logp[1][i], (double)entropy[0][i], (double)entropy[1][i]);
    for (int i = 0; i < p[0]->count; i++) {
        int64_t n = arr_size(p[0]->list[i].grad);
        float *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b);
        double difference = 0, norm = 0;
        bool head = strcmp(p[0]->list[i].name, "lm_head.weight") == 0;
        trainer_kernels(t[0])->download(trainer_dev(t[0]), a, p[0]->list[i].grad);
        trainer_kernels(t[1])->download(trainer_dev(t[1]), b, p[1]->list[i].grad);
        for (int64_t j = 0; j < n; j++) {
            double y = (double)b[j] * (head ? 0.5 : 1);
            difference += pow((double)a[j] - y, 2);
            norm += y * y;
        }
        CHECK(sqrt(difference) <= 1e-5 * sqrt(norm) + 1e-5, "%s: %g off of %g",
              p[0]->list[i].name, sqrt(difference), sqrt(norm));
        free(a);
        free(b);
    }
    example_free(&e);
    json_decref(g.row);
    for (int k = 0; k < 2; k++) trainer_close(t[k]);
}

int main(void)
{
    CASE(every_variants_numbers_are_the_references);
    CASE(kl_estimates_are_the_references);
    CASE(derivatives_are_slopes);
    CASE(equal_rewards_have_no_advantage);
    CASE(long_captions_cost_more_and_more);
    CASE(every_variants_gradients_are_the_references);
    CASE(a_temperature_is_a_weaker_output_layer);
    return check_end();
}
