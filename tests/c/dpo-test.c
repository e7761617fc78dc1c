/* dpo-test.c: the preference loss, its gradients and its reference numbers, against the
 * reference data (tests/data/goldens/train) and against finite differences. */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "train/dataset.h"
#include "train/dpo.h"
#include "train/dpo_reference.h"
#include "train/trainer.h"

#include <math.h>

static const char *const targets[] = {"qwen3_vl", "qwen2_5_vl"};
enum { PAIRS = 2, ANSWERS = 4 };

static const char *file_of(const char *target, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "goldens/train/%s/%s", target, name);
    return golden_path(path);
}

static double number(const json_t *list, size_t i)
{
    return json_real_value(json_array_get(list, i));
}

static bool near(double ours, double expected, double tolerance)
{
    return fabs(ours - expected) <= tolerance;
}

/* The two pairs of a target's data: numbers alone. */
static void pairs_of(const json_t *dpo, struct dpo_sums pairs[PAIRS])
{
    const json_t *policy = json_object_get(dpo, "policy_sums"),
                 *reference = json_object_get(dpo, "reference_sums");
    for (size_t i = 0; i < PAIRS; i++) {
        const json_t *pair =
            json_array_get(json_object_get(dpo, "pairs_chosen_rejected"), i);
        size_t c = (size_t)json_integer_value(json_array_get(pair, 0));
        size_t r = (size_t)json_integer_value(json_array_get(pair, 1));
        pairs[i] = (struct dpo_sums){number(policy, c), number(policy, r),
                                     number(reference, c), number(reference, r)};
    }
}

static void losses_and_rewards_are_the_references(void)
{
    for (int t = 0; t < 2; t++) {
        json_t *all = json_load_file(file_of(targets[t], "rl.json"), 0, NULL);
        if (!all && t > 0)
            continue; /* only the larger set has it */
        const json_t *dpo = json_object_get(all, "dpo");
        struct dpo_rules rules = {0, 0};
        struct dpo_sums pairs[PAIRS];
        double loss = 0;
        NEED(dpo, "no data");
        rules.beta = json_real_value(json_object_get(dpo, "beta"));
        pairs_of(dpo, pairs);
        for (size_t i = 0; i < PAIRS; i++) {
            struct dpo_loss one = dpo_loss(&rules, &pairs[i]);
            double c = number(json_object_get(dpo, "chosen_rewards"), i);
            double r = number(json_object_get(dpo, "rejected_rewards"), i);
            double margin = number(json_object_get(dpo, "margins"), i);
            loss += one.loss / PAIRS;
            CHECK(near(one.chosen, c, 1e-6), "chosen %.9g, not %.9g", one.chosen, c);
            CHECK(near(one.rejected, r, 1e-6), "rejected %.9g, not %.9g", one.rejected,
                  r);
            CHECK(near(one.chosen - one.rejected, margin * rules.beta, 1e-6),
                  "margin %.9g, not %.9g", one.chosen - one.rejected, margin);
        }
        double expected = json_real_value(json_object_get(dpo, "loss"));
        CHECK(near(loss, expected, 1e-5 * expected), "%.9g, not %.9g", loss, expected);
        json_decref(all);
    }
}

/* Both derivatives, for all there is to choose, by central differences. */
static void slopes_are_finite_differences(void)
{
    static const double betas[] = {0.01, 0.1, 1, 5}, smoothings[] = {0, 0.1, 0.5};
    static const double margins[] = {-30, -3, -0.2, 0, 0.7, 4, 25};
    const double h = 1e-4;
    for (int b = 0; b < 4; b++)
        for (int s = 0; s < 3; s++)
            for (int m = 0; m < 7; m++) {
                struct dpo_rules rules = {betas[b], smoothings[s]};
                struct dpo_sums at = {-50 + margins[m], -60, -51, -61}, moved = at;
                double slope = dpo_loss(&rules, &at).slope, up, down;
                moved.chosen = at.chosen + h;
                up = dpo_loss(&rules, &moved).loss;
                moved.chosen = at.chosen - h;
                down = dpo_loss(&rules, &moved).loss;
                CHECK(near((up - down) / (2 * h), slope, 1e-6), "chosen: %.9g, not %.9g",
                      slope, (up - down) / (2 * h));
                moved = at;
                moved.rejected = at.rejected + h;
                up = dpo_loss(&rules, &moved).loss;
                moved.rejected = at.rejected - h;
                down = dpo_loss(&rules, &moved).loss;
                CHECK(near((up - down) / (2 * h), -slope, 1e-6),
                      "rejected: %.9g, not %.9g", -slope, (up - down) / (2 * h));
            }
}

static void hopeless_and_certain_pairs_stay_finite(void)
{
    const struct dpo_rules rules = {0.5, 0.1}, plain = {0.5, 0};
    const struct dpo_sums lost = {-9000, -10, -10, -9000}, won = {-10, -9000, -9000, -10};
    struct dpo_loss a = dpo_loss(&plain, &lost), b = dpo_loss(&plain, &won);
    CHECK(near(a.loss, 0.5 * 2 * 8990, 1e-6) && near(a.slope, -0.5, 1e-12),
          "lost: %g, %g", a.loss, a.slope);
    CHECK(b.loss >= 0 && b.loss < 1e-300 && near(b.slope, 0, 1e-12), "won: %g, %g",
          b.loss, b.slope);
    a = dpo_loss(&rules, &lost);
    b = dpo_loss(&rules, &won);
    CHECK(isfinite(a.loss) && isfinite(b.loss) && near(b.loss, 0.1 * 8990, 1e-6),
          "smoothed: %g, %g", a.loss, b.loss);
}

/* -- With a model ----------------------------------------------------------------------
 */

static struct trainer *opened(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "goldens/models/%s", name);
    struct trainer_options o = {.threads = 2, .parts = 15};
    struct trainer *t = trainer_open(golden_path(path), &o);
    CHECK(t, "%s: %s", name, fail_text());
    return t;
}

static void ids_of(struct ids *ids, const json_t *list)
{
    size_t i;
    json_t *id;
    json_array_foreach(list, i, id) ids_add(ids, (int32_t)json_integer_value(id));
}

static void part_of(struct example *e, int j, const json_t *list)
{
    struct example_part *p = &e->part[j];
    ids_of(&p->ids, list);
    p->target = malloc(p->ids.n);
    memset(p->target, true, p->ids.n);
    e->targets += (int)p->ids.n;
}

/* Pair i of a target's data as one example (which < 0), or one of its answers alone. */
static void pair_example(struct example *e, const char *target, const json_t *all,
                         size_t i, int which)
{
    struct golden_tensor pixels;
    const json_t *grid = json_array_get(json_object_get(all, "image_grid_thw"), 0),
                 *pair = json_array_get(json_object_get(json_object_get(all, "dpo"),
                                                        "pairs_chosen_rejected"),
                                        i);
    *e = (struct example){.parts = which < 0 ? PAIR_PARTS : 1};
    e->part = calloc(PAIR_PARTS, sizeof *e->part);
    ids_of(&e->prompt, json_object_get(all, "prompt_ids"));
    for (int j = 0; j < e->parts; j++) {
        size_t side = (size_t)(which < 0 ? j : which);
        size_t at = (size_t)json_integer_value(json_array_get(pair, side));
        part_of(e, j, json_array_get(json_object_get(all, "completions"), at));
    }
    NEED(golden_tensor_read(&pixels, file_of(target, "rl.safetensors"), "pixel_values"),
         "no pixels");
    e->pictures = calloc(1, sizeof *e->pictures);
    e->picture_count = 1;
    e->pictures[0] = (struct engine_picture){
        pixels.f32, (int)json_integer_value(json_array_get(grid, 0)),
        (int)json_integer_value(json_array_get(grid, 1)),
        (int)json_integer_value(
            json_array_get(grid, 2))}; /* the example's from here on */
}

/* Parameters as the reference calls them. */
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

static void norms_check(struct trainer *t, const json_t *norms)
{
    const struct params *p = trainer_params(t);
    CHECK(json_object_size(norms) == (size_t)p->count, "%d parameters", p->count);
    for (int i = 0; i < p->count; i++) {
        char name[256];
        reference_name(name, p->list[i].name);
        double expected = json_real_value(json_object_get(norms, name));
        double norm =
            sqrt(trainer_kernels(t)->back->sum_squares(trainer_dev(t), p->list[i].grad));
        CHECK(fabs(norm - expected) <= 1e-4 * expected + 1e-5, "%s: norm %.9g, not %.9g",
              name, norm, expected);
    }
}

/* A run's set-up: the objective, its pairs, and reference numbers of our own. */
struct bench {
    struct trainer *t;
    struct dpo *dpo;
    const struct objective *of;
    struct dataset d;
    struct example pair[PAIRS];
    const struct example *list[PAIRS];
    int64_t rows[PAIRS];
    char folder[64];
};

/* The objective with given reference sums, which it takes from a file as a resumed run
 * does. */
static void bench_open(struct bench *b, const char *target, const json_t *all,
                       const struct dpo_sums sums[PAIRS], double smoothing)
{
    struct dpo_reference r = {0};
    *b = (struct bench){.d = {.count = PAIRS}, .folder = "/tmp/dpo-test-XXXXXX"};
    struct dpo_options o = {.rules = {0.1, smoothing}, .out = b->folder, .resume = true};
    b->t = opened(target);
    NEED(b->t && mkdtemp(b->folder), "set-up");
    for (size_t i = 0; i < PAIRS; i++) {
        pair_example(&b->pair[i], target, all, i, -1);
        b->list[i] = &b->pair[i];
        b->rows[i] = (int64_t)i;
    }
    dpo_reference_make(&r, PAIRS, 0);
    dpo_reference_weights(&r, trainer_params(b->t), trainer_kernels(b->t),
                          trainer_dev(b->t));
    for (size_t i = 0; i < PAIRS; i++) {
        r.sums[DPO_LEARNT][2 * i] = sums[i].reference_chosen;
        r.sums[DPO_LEARNT][2 * i + 1] = sums[i].reference_rejected;
    }
    CHECK(dpo_reference_save(&r, b->folder) == 0, "%s", fail_text());
    dpo_reference_free(&r);
    b->dpo = dpo_open(&o);
    b->of = dpo_objective(b->dpo);
    CHECK(b->of->begin(b->of->context, b->t, &b->d, NULL, NULL) == 1, "file not taken");
}

static void bench_close(struct bench *b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/reference.json", b->folder);
    unlink(path);
    rmdir(b->folder);
    dpo_close(b->dpo);
    for (int i = 0; i < PAIRS; i++) example_free(&b->pair[i]);
    trainer_close(b->t);
}

/* Mean loss of both pairs, and with train its gradient. */
static double bench_loss(struct bench *b, bool train, struct objective_sums *sums)
{
    const struct micro m = {&b->d, b->list, b->rows, PAIRS, train, PAIRS};
    *sums = (struct objective_sums){0};
    if (trainer_forward(b->t, b->list, PAIRS, train) < 0 ||
        b->of->micro(b->of->context, b->t, &m, sums) < 0) {
        CHECK(0, "%s", fail_text());
        return NAN;
    }
    return sums->loss / PAIRS;
}

static void gradients_are_the_references(void)
{
    for (int i = 0; i < 2; i++) {
        json_t *all = json_load_file(file_of(targets[i], "rl.json"), 0, NULL);
        if (!all && i > 0)
            continue; /* only the larger set has it */
        const json_t *dpo = json_object_get(all, "dpo");
        struct dpo_sums pairs[PAIRS];
        struct objective_sums sums;
        struct bench b;
        NEED(dpo, "no data");
        pairs_of(dpo, pairs);
        bench_open(&b, targets[i], all, pairs, 0);
        double loss = bench_loss(&b, true, &sums);
        double expected = json_real_value(json_object_get(dpo, "loss"));
        CHECK(near(loss, expected, 1e-5 * expected), "%.9g, not %.9g", loss, expected);
        CHECK(near(sums.extra[4], pairs[0].chosen + pairs[1].chosen, 2e-4) &&
                  near(sums.extra[5], pairs[0].rejected + pairs[1].rejected, 2e-4),
              "log-probabilities %g and %g", sums.extra[4], sums.extra[5]);
        CHECK(sums.extra[2] == 1, "%g of 2 pairs are right", sums.extra[2]);
        norms_check(b.t, json_object_get(dpo, "grad_norm_per_parameter"));
        bench_close(&b);
        json_decref(all);
    }
}

/* All parameters += step times their gradients. */
static void walk(struct trainer *t, float step)
{
    const struct params *p = trainer_params(t);
    const struct kernels *k = trainer_kernels(t);
    for (int i = 0; i < p->count; i++) {
        size_t n = (size_t)arr_size(p->list[i].w);
        float *w = malloc(n * sizeof *w), *g = malloc(n * sizeof *g);
        k->download(trainer_dev(t), w, p->list[i].w);
        k->download(trainer_dev(t), g, p->list[i].grad);
        for (size_t j = 0; j < n; j++) w[j] += step * g[j];
        k->upload(trainer_dev(t), p->list[i].w, w);
        free(w);
        free(g);
    }
}

/* Along the gradient the loss changes by the gradient's norm. */
static void the_gradient_is_the_loss_s_slope(void)
{
    static const double smoothings[] = {0, 0.3};
    json_t *all = json_load_file(file_of("qwen3_vl", "rl.json"), 0, NULL);
    struct dpo_sums pairs[PAIRS];
    struct objective_sums sums;
    NEED(all, "no data");
    pairs_of(json_object_get(all, "dpo"), pairs);
    for (int s = 0; s < 2; s++) {
        struct bench b;
        double norm = 0, h = 2e-3;
        bench_open(&b, "qwen3_vl", all, pairs, smoothings[s]);
        bench_loss(&b, true, &sums);
        for (int i = 0; i < trainer_params(b.t)->count; i++)
            norm += trainer_kernels(b.t)->back->sum_squares(
                trainer_dev(b.t), trainer_params(b.t)->list[i].grad);
        norm = sqrt(norm);
        walk(b.t, (float)(h / norm));
        double up = bench_loss(&b, false, &sums);
        walk(b.t, (float)(-2 * h / norm));
        double down = bench_loss(&b, false, &sums);
        CHECK(near((up - down) / (2 * h), norm, 0.01 * norm), "%g, not %g", norm,
              (up - down) / (2 * h));
        fprintf(stderr, "smoothing %g: gradient %g, differences %g\n", smoothings[s],
                norm, (up - down) / (2 * h));
        bench_close(&b);
    }
    json_decref(all);
}

static float *gradients(struct trainer *t, int64_t *n)
{
    const struct params *p = trainer_params(t);
    float *all = malloc((size_t)p->elements * sizeof *all);
    *n = 0;
    for (int i = 0; i < p->count; i++) {
        trainer_kernels(t)->download(trainer_dev(t), all + *n, p->list[i].grad);
        *n += arr_size(p->list[i].grad);
    }
    params_clear(p, trainer_kernels(t), trainer_dev(t));
    return all;
}

/* One prompt with two answers: the numbers of two sequences, computed apart. */
static void a_shared_prompt_is_two_sequences(void)
{
    json_t *all = json_load_file(file_of("qwen3_vl", "rl.json"), 0, NULL);
    struct dpo_sums pairs[PAIRS];
    struct objective_sums sums;
    struct bench b;
    int64_t n;
    NEED(all, "no data");
    pairs_of(json_object_get(all, "dpo"), pairs);
    bench_open(&b, "qwen3_vl", all, pairs, 0);
    double loss = bench_loss(&b, true, &sums), apart = 0;
    float *shared = gradients(b.t, &n);
    for (size_t i = 0; i < PAIRS; i++) {
        struct example alone[PAIR_PARTS];
        float logprob[PAIR_PARTS][64], weight[64];
        double sum[PAIR_PARTS] = {0};
        for (int j = 0; j < PAIR_PARTS; j++) {
            const struct example *const one[] = {&alone[j]};
            pair_example(&alone[j], "qwen3_vl", all, i, j);
            trainer_forward(b.t, one, 1, false);
            trainer_logprobs(b.t, logprob[j], NULL);
            for (int k = 0; k < alone[j].targets; k++) sum[j] += (double)logprob[j][k];
        }
        const struct dpo_rules rules = {0.1, 0};
        const struct dpo_sums s = {sum[0], sum[1], pairs[i].reference_chosen,
                                   pairs[i].reference_rejected};
        struct dpo_loss l = dpo_loss(&rules, &s);
        apart += l.loss;
        for (int j = 0; j < PAIR_PARTS; j++) {
            const struct example *const one[] = {&alone[j]};
            for (int k = 0; k < 64; k++)
                weight[k] = (float)((j == 0 ? l.slope : -l.slope) / PAIRS);
            trainer_forward(b.t, one, 1, true);
            trainer_backward(b.t, weight, NULL, NULL);
            example_free(&alone[j]);
        }
    }
    float *separate = gradients(b.t, &n);
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += pow((double)shared[i] - (double)separate[i], 2);
        norm += pow((double)separate[i], 2);
    }
    CHECK(loss == apart / PAIRS, "%.17g, not %.17g", loss, apart / PAIRS);
    CHECK(sqrt(difference / norm) <= 1e-5, "%g", sqrt(difference / norm));
    free(shared);
    free(separate);
    bench_close(&b);
    json_decref(all);
}

/* What reference() keeps is what micro() finds under the same weights: all rewards are 0,
 * the loss is log 2; and the file gives equal bits. */
static void the_reference_of_the_same_weights_gives_no_reward(void)
{
    json_t *all = json_load_file(file_of("qwen3_vl", "rl.json"), 0, NULL);
    const struct dpo_sums none[PAIRS] = {0};
    struct objective_sums first, again;
    struct bench b;
    NEED(all, "no data");
    bench_open(&b, "qwen3_vl", all, none, 0);
    struct dpo_options o = {.rules = {0.1, 0}, .out = b.folder};
    for (int resumed = 0; resumed < 2; resumed++) {
        const struct micro m = {&b.d, b.list, b.rows, PAIRS, false, PAIRS};
        dpo_close(b.dpo);
        o.resume = resumed;
        b.dpo = dpo_open(&o);
        b.of = dpo_objective(b.dpo);
        CHECK(b.of->begin(b.of->context, b.t, &b.d, NULL, NULL) == resumed, "begin");
        if (!resumed) {
            trainer_forward(b.t, b.list, PAIRS, false);
            CHECK(b.of->reference(b.of->context, b.t, &m) == 0, "%s", fail_text());
            CHECK(b.of->referenced(b.of->context, NULL) == 0, "%s", fail_text());
        }
        bench_loss(&b, false, resumed ? &again : &first);
    }
    CHECK(first.loss == 2 * log(2), "%.17g", first.loss);
    CHECK(first.extra[0] == 0 && first.extra[1] == 0 && first.extra[2] == 0,
          "rewards %g and %g", first.extra[0], first.extra[1]);
    CHECK(memcmp(&first, &again, sizeof first) == 0, "the file gives other bits");
    bench_close(&b);
    json_decref(all);
}

/* Numbers of other weights, of other rows, or cut off, are not taken. */
static void a_file_that_does_not_fit_is_not_taken(void)
{
    char folder[] = "/tmp/dpo-test-XXXXXX", path[64];
    struct dpo_reference r = {.weights = 5, .examples = 7}, other = {0};
    NEED(mkdtemp(folder), "no folder");
    snprintf(path, sizeof path, "%s/reference.json", folder);
    dpo_reference_make(&r, 3, 1);
    for (int i = 0; i < 6; i++) r.sums[DPO_LEARNT][i] = -100.0 / (i + 3);
    r.sums[DPO_LEARNT][2] = NAN; /* was not there */
    CHECK(dpo_reference_load(&r, folder) == 0, "a file out of nothing");
    CHECK(dpo_reference_save(&r, folder) == 0, "%s", fail_text());
    for (int way = 0; way < 6; way++) {
        other.weights = way == 1 ? 6 : 5;
        other.examples = way == 2 ? 8 : 7;
        dpo_reference_make(&other, way == 3 ? 2 : 3, way == 4 ? 0 : 1);
        if (way == 5)
            CHECK(truncate(path, 90) == 0, "truncate");
        int expected = way == 0 ? 1 : way < 3 ? -1 : 0;
        CHECK(dpo_reference_load(&other, folder) == expected, "way %d", way);
        if (way == 0) {
            CHECK(isnan(other.sums[DPO_LEARNT][2]), "null is a number");
            r.sums[DPO_LEARNT][2] = other.sums[DPO_LEARNT][2] = 0;
            CHECK(memcmp(r.sums[DPO_LEARNT], other.sums[DPO_LEARNT],
                         6 * sizeof(double)) == 0,
                  "other bits");
        }
    }
    unlink(path);
    rmdir(folder);
    dpo_reference_free(&r);
    dpo_reference_free(&other);
}

int main(void)
{
    CASE(losses_and_rewards_are_the_references);
    CASE(slopes_are_finite_differences);
    CASE(hopeless_and_certain_pairs_stay_finite);
    CASE(gradients_are_the_references);
    CASE(the_gradient_is_the_loss_s_slope);
    CASE(a_shared_prompt_is_two_sequences);
    CASE(the_reference_of_the_same_weights_gives_no_reward);
    CASE(a_file_that_does_not_fit_is_not_taken);
    return check_end();
}
