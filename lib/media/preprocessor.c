/* preprocessor.c: the picture settings of a model folder; see patches.h. */
#include "base/fail.h"
#include "media/patches.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Defaults of transformers' Qwen2VLImageProcessor (the means are CLIP's). */
static const struct patch_config published = {
    .patch = 14,
    .merge = 2,
    .frames = 2,
    .min_pixels = 56 * 56,
    .max_pixels = 28 * 28 * 1280,
    .mean = {0.48145466f, 0.4578275f, 0.40821073f},
    .std = {0.26862954f, 0.26130258f, 0.27577711f},
};

/* The value of key unless it is absent or null. */
static const json_t *get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* A whole number from 1 to most, kept as it was where the key is absent. 0, or -1. */
static int get_whole(int64_t *out, const json_t *object, const char *key, int64_t most)
{
    const json_t *value = get(object, key);
    if (!value)
        return 0;
    double real = json_is_number(value) ? json_number_value(value) : 0;
    if (!(real >= 1 && real <= (double)most) || real != floor(real))
        return fail(FAIL_MODEL, "\"%s\" is not a whole number from 1 to %lld", key,
                    (long long)most);
    *out = (int64_t)real;
    return 0;
}

static int get_int(int *out, const json_t *object, const char *key, int most)
{
    int64_t value = *out;
    if (get_whole(&value, object, key, most) < 0)
        return -1;
    *out = (int)value;
    return 0;
}

/* Three numbers for r, g, b; those of a deviation are above 0. 0, or -1. */
static int get_rgb(float out[3], const json_t *object, const char *key, bool above_0)
{
    const json_t *values = get(object, key);
    if (!values)
        return 0;
    bool good = json_array_size(values) == 3;
    for (size_t c = 0; good && c < 3; c++) {
        const json_t *value = json_array_get(values, c);
        out[c] = (float)json_number_value(value);
        good =
            json_is_number(value) && fabsf(out[c]) < 1000 && (!above_0 || out[c] > 1e-6f);
    }
    return good ? 0 : fail(FAIL_MODEL, "\"%s\" is not three fit numbers", key);
}

/* Steps that we always do, as the reference does them. 0, or -1 if the file wants
 * something else. */
static int check_steps(const json_t *root)
{
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const json_t *step = get(root, steps[i]);
        if (step && !json_is_true(step))
            return fail(FAIL_MODEL, "\"%s\" other than true is not supported", steps[i]);
    }
    const json_t *filter = get(root, "resample"), *factor = get(root, "rescale_factor");
    if (filter && !(json_is_integer(filter) && json_integer_value(filter) == 3))
        return fail(FAIL_MODEL, "\"resample\" other than 3 (bicubic) is not supported");
    if (factor && !(fabs(json_number_value(factor) - 1 / 255.0) < 1e-9))
        return fail(FAIL_MODEL, "\"rescale_factor\" other than 1/255 is not supported");
    return 0;
}

/* The limits are spelt in three ways; a later one here overrides, as in the reference. */
static int get_limits(struct patch_config *pc, const json_t *root)
{
    const int64_t most = (int64_t)1 << 40;
    const json_t *size = get(root, "size");
    if (size && !json_is_object(size))
        return fail(FAIL_MODEL, "\"size\" is not an object");
    if (get_whole(&pc->min_pixels, size, "shortest_edge", most) < 0 ||
        get_whole(&pc->max_pixels, size, "longest_edge", most) < 0 ||
        get_whole(&pc->min_pixels, size, "min_pixels", most) < 0 ||
        get_whole(&pc->max_pixels, size, "max_pixels", most) < 0 ||
        get_whole(&pc->min_pixels, root, "min_pixels", most) < 0 ||
        get_whole(&pc->max_pixels, root, "max_pixels", most) < 0)
        return -1;
    if (pc->min_pixels > pc->max_pixels)
        return fail(FAIL_MODEL, "at least %lld pixels, but at most %lld",
                    (long long)pc->min_pixels, (long long)pc->max_pixels);
    return 0;
}

static int read_config(struct patch_config *pc, const json_t *root)
{
    if (!json_is_object(root))
        return fail(FAIL_MODEL, "not a JSON object");
    if (check_steps(root) < 0 || get_int(&pc->patch, root, "patch_size", 256) < 0 ||
        get_int(&pc->merge, root, "merge_size", 16) < 0 ||
        get_int(&pc->frames, root, "temporal_patch_size", 16) < 0 ||
        get_rgb(pc->mean, root, "image_mean", false) < 0 ||
        get_rgb(pc->std, root, "image_std", true) < 0)
        return -1;
    return get_limits(pc, root);
}

/* A file of dir as JSON into *root, which is NULL where there is no such file. 0, or -1
 * with the file's name. */
static int read_file(json_t **root, const char *dir, const char *file)
{
    char *path;
    json_error_t error;
    int status = 0;
    *root = NULL;
    if (asprintf(&path, "%s/%s", dir, file) < 0)
        return fail_memory();
    FILE *f = fopen(path, "rb");
    if (!f && errno != ENOENT)
        status = fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    else if (f && !(*root = json_loadf(f, JSON_REJECT_DUPLICATES, &error)))
        status = fail(FAIL_MODEL, "%s: line %d: %s", path, error.line, error.text);
    if (f)
        fclose(f);
    free(path);
    return status;
}

static const char nested_file[] = "processor_config.json";

/* As the reference does: what processor_config.json holds of it goes first. */
int patch_config_json(json_t **settings, const char *dir, const char **file)
{
    json_t *root;
    *file = nested_file;
    if (read_file(&root, dir, nested_file) < 0)
        return -1;
    *settings = json_incref(json_object_get(root, "image_processor"));
    json_decref(root);
    if (*settings)
        return 0;
    *file = PATCH_CONFIG_FILE;
    return read_file(settings, dir, PATCH_CONFIG_FILE);
}

int patch_config_read(struct patch_config *pc, const char *dir)
{
    const char *file;
    json_t *root;
    *pc = published;
    if (patch_config_json(&root, dir, &file) < 0)
        return -1;
    if (!root)
        return fail(FAIL_MODEL, "%s: neither %s nor %s with \"image_processor\"", dir,
                    PATCH_CONFIG_FILE, nested_file);
    int status = read_config(pc, root);
    if (status < 0)
        fail_in("%s/%s", dir, file);
    json_decref(root);
    return status;
}
