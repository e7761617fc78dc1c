/* trainer-test.c: losses, gradients and optimizer steps against the reference data
 * (tests/data/goldens/train: transformers and torch, fp32). */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "golden.h"
#include "train/optimizer.h"
#include "train/trainer.h"

#include <math.h>

static const char *const targets[] = {"qwen3_vl", "qwen2_5_vl"};

/* A file of a target's reference data. */
static const char *file_of(const char *target, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "goldens/train/%s/%s", target, name);
    return golden_path(path);
}

static json_t *json_of(const char *target, const char *name)
{
    return json_load_file(file_of(target, name), 0, NULL);
}

static void pictures_of(struct example *e, const json_t *row,
                        struct golden_tensor *pixels)
{
    const json_t *grid = json_array_get(json_object_get(row, "image_grid_thw"), 0);
    int side[3];
    for (int i = 0; i < 3; i++)
        side[i] = (int)json_integer_value(json_array_get(grid, (size_t)i));
    e->pictures = calloc(1, sizeof *e->pictures);
    float *patches = malloc((size_t)pixels->count * sizeof *patches);
    memcpy(patches, pixels->f32, (size_t)pixels->count * sizeof *patches);
    e->pictures[0] = (struct engine_picture){patches, side[0], side[1], side[2]};
    e->picture_count = 1;
}

static void example_done(struct example *e)
{
    for (int i = 0; i < e->parts; i++) {
        ids_free(&e->part[i].ids);
        free(e->part[i].target);
    }
    free(e->part);
    ids_free(&e->prompt);
    for (int i = 0; i < e->picture_count; i++)
        free((void *)(uintptr_t)e->pictures[i].patches);
    free(e->pictures);
}

/* The supervised example: all before the first label is prompt. */
static void sft_example(struct example *e, const char *target)
{
    struct golden_tensor pixels;
    json_t *row = json_of(target, "sft.json");
    const json_t *ids = json_object_get(row, "input_ids"),
                 *labels = json_object_get(row, "labels");
    size_t n = json_array_size(ids), first = 0;
    *e = (struct example){.parts = 1};
    e->part = calloc(1, sizeof *e->part);
    e->part[0].target = calloc(n, sizeof(bool));
    while (json_integer_value(json_array_get(labels, first)) < 0) first++;
    for (size_t i = 0; i < n; i++) {
        int32_t id = (int32_t)json_integer_value(json_array_get(ids, i));
        ids_add(i < first ? &e->prompt : &e->part[0].ids, id);
        if (i >= first) {
            bool is = json_integer_value(json_array_get(labels, i)) >= 0;
            e->part[0].target[i - first] = is;
            e->targets += is;
        }
    }
    if (golden_tensor_read(&pixels, file_of(target, "sft_batch.safetensors"),
                           "pixel_values"))
        pictures_of(e, row, &pixels);
    golden_tensor_free(&pixels);
    json_decref(row);
}

static struct trainer *opened(const char *target, int threads, bool recompute)
{
    char path[64];
    snprintf(path, sizeof path, "goldens/models/%s", target);
    struct trainer_options o = {.threads = threads, .parts = 15, .recompute = recompute};
    struct trainer *t = trainer_open(golden_path(path), &o);
    CHECK(t, "%s: %s", target, fail_text());
    return t;
}

/* The reference's name of a parameter: model.visual.*, model.language_model.*. */
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

static float *downloaded(struct trainer *t, struct arr a)
{
    float *x = malloc((size_t)arr_size(a) * sizeof *x);
    trainer_kernels(t)->download(trainer_dev(t), x, a);
    return x;
}

/* All gradients against a file's tensors: norm of difference / norm. */
static void gradients_check(struct trainer *t, const char *target, const char *name,
                            double tolerance)
{
    const struct params *p = trainer_params(t);
    double worst = 0;
    for (int i = 0; i < p->count; i++) {
        char reference[256];
        struct golden_tensor g;
        reference_name(reference, p->list[i].name);
        if (!golden_tensor_read(&g, file_of(target, name), reference)) {
            CHECK(0, "%s: no gradient of %s", target, reference);
            continue;
        }
        float *ours = downloaded(t, p->list[i].grad);
        double difference = 0, norm = 0;
        for (int64_t j = 0; j < g.count; j++) {
            difference += pow((double)ours[j] - (double)g.f32[j], 2);
            norm += pow((double)g.f32[j], 2);
        }
        /* (k's bias shifts all scores of a row alike: its gradient is rounding noise) */
        double off = sqrt(difference) / (sqrt(norm) > 1e-4 ? sqrt(norm) : 1e-4);
        worst = off > worst ? off : worst;
        CHECK(off <= tolerance, "%s: %s is %g off (norm %g)", target, reference, off,
              sqrt(norm));
        free(ours);
        golden_tensor_free(&g);
    }
    fprintf(stderr, "%s: gradients at most %.2g off\n", target, worst);
}

/* Mean loss of an example and its gradient. */
static double sft_backward(struct trainer *t, const struct example *e, float *token)
{
    const struct example *const list[] = {e};
    float weight[64], logprob[64];
    double loss = 0;
    if (trainer_forward(t, list, 1, true) < 0) {
        CHECK(0, "%s", fail_text());
        return NAN;
    }
    int n = trainer_targets(t);
    CHECK(n == e->targets && n <= 64, "%d targets", n);
    for (int i = 0; i < n; i++) weight[i] = -1.0f / (float)n;
    CHECK(trainer_backward(t, weight, NULL, logprob) == 0, "%s", fail_text());
    for (int i = 0; i < n; i++) {
        loss -= (double)logprob[i] / n;
        if (token)
            token[i] = -logprob[i];
    }
    return loss;
}

static void sft_gradients_are_the_references(void)
{
    for (int i = 0; i < 2; i++)
        for (int recompute = 0; recompute < 2; recompute++) {
            struct trainer *t = opened(targets[i], 2, recompute);
            struct example e;
            json_t *row = json_of(targets[i], "sft.json");
            double expected = json_real_value(json_object_get(row, "loss"));
            NEED(t && row, "set-up");
            sft_example(&e, targets[i]);
            double loss = sft_backward(t, &e, NULL);
            CHECK(fabs(loss - expected) <= 1e-5 * expected, "loss %.9g, not %.9g", loss,
                  expected);
            gradients_check(t, targets[i], "sft_grads.safetensors", 1e-4);
            example_done(&e);
            json_decref(row);
            trainer_close(t);
        }
}

static void token_losses_are_the_references(void)
{
    for (int i = 0; i < 2; i++) {
        struct trainer *t = opened(targets[i], 1, false);
        struct example e;
        struct golden_tensor g;
        float token[64];
        NEED(t, "no model");
        sft_example(&e, targets[i]);
        sft_backward(t, &e, token);
        NEED(golden_tensor_read(&g, file_of(targets[i], "sft_batch.safetensors"),
                                "token_loss"),
             "no token_loss");
        for (int j = 0, n = 0; j < g.count && n < e.targets; j++)
            if (e.prompt.n <= (size_t)j + 1 &&
                e.part[0].target[(size_t)j + 1 - e.prompt.n]) {
                CHECK(fabs((double)token[n] - (double)g.f32[j]) <= 1e-4,
                      "token %d: %.9g, not %.9g", n, (double)token[n], (double)g.f32[j]);
                n++;
            }
        golden_tensor_free(&g);
        example_done(&e);
        trainer_close(t);
    }
}

static void three_steps_end_in_the_references_weights(void)
{
    for (int i = 0; i < 2; i++) {
        if (!file_of(targets[i], "adamw3_weights.safetensors") && i > 0)
            continue; /* only the larger set has it */
        struct trainer *t = opened(targets[i], 2, false);
        struct example e;
        json_t *row = json_of(targets[i], "sft.json"),
               *steps = json_object_get(json_object_get(row, "adamw"), "steps");
        struct optimizer_options o = {0.9, 0.95, 1e-8, 0.1, 1.0};
        struct params *p = trainer_params(t);
        int64_t all = 0, beyond = 0;
        double worst = 0;
        sft_example(&e, targets[i]);
        for (int s = 0; s < 3; s++) {
            const json_t *step = json_array_get(steps, (size_t)s);
            double expected = json_real_value(json_object_get(step, "loss_before"));
            double size = json_real_value(json_object_get(step, "grad_norm_before_clip"));
            double loss = sft_backward(t, &e, NULL);
            double norm =
                optimizer_step(p, trainer_kernels(t), trainer_dev(t), &o, s + 1, 1e-3, 1);
            CHECK(fabs(loss - expected) <= 1e-4 * expected,
                  "step %d: loss %.9g, not %.9g", s, loss, expected);
            CHECK(fabs(norm - size) <= 1e-3 * size, "step %d: norm %.9g, not %.9g", s,
                  norm, size);
        }
        for (int j = 0; j < p->count; j++) {
            char name[256];
            struct golden_tensor g;
            reference_name(name, p->list[j].name);
            if (!golden_tensor_read(&g, file_of(targets[i], "adamw3_weights.safetensors"),
                                    name)) {
                CHECK(0, "no %s", name);
                continue;
            }
            float *ours = downloaded(t, p->list[j].w);
            for (int64_t n = 0; n < g.count; n++) {
                double off = fabs((double)ours[n] - (double)g.f32[n]);
                beyond += off > 1e-5;
                worst = off > worst ? off : worst;
            }
            all += g.count;
            free(ours);
            golden_tensor_free(&g);
        }
        CHECK(beyond <= all / 1000, "%s: %lld of %lld beyond 1e-5", targets[i],
              (long long)beyond, (long long)all);
        CHECK(worst <= 3e-3, "%s: %g off", targets[i], worst);
        fprintf(stderr, "%s: %.3g of the weights beyond 1e-5, at most %.2g off\n",
                targets[i], (double)beyond / (double)all, worst);
        example_done(&e);
        json_decref(row);
        trainer_close(t);
    }
}

int main(void)
{
    CASE(token_losses_are_the_references);
    CASE(sft_gradients_are_the_references);
    CASE(three_steps_end_in_the_references_weights);
    return check_end();
}
