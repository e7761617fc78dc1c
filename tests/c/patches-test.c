/* patches-test.c: sizes, resize and patches against the reference's numbers. */
#include "check.h"
#include "golden.h"

#include "base/fail.h"
#include "media/patches.h"
#include "media/resize.h"

#include <math.h>
#include <sys/stat.h>

/* A folder with this file, whose path goes to path. */
static void folder_of(char *path, const char *name, const char *file, const char *json)
{
    snprintf(path, 256, "build/tests/config-%s", name);
    mkdir("build", 0777);
    mkdir("build/tests", 0777);
    mkdir(path, 0777);
    char full[300];
    snprintf(full, sizeof full, "%s/%s", path, file);
    FILE *f = fopen(full, "w");
    if (f) {
        fputs(json, f);
        fclose(f);
    }
}

static void folder(char *path, const char *name, const char *json)
{
    folder_of(path, name, "preprocessor_config.json", json);
}

/* One of configs.json as a struct. */
static bool config(struct patch_config *pc, const char *name)
{
    char *text = golden_file(golden_path("goldens/preprocess/configs.json"), NULL);
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    json_t *c = json_object_get(json_object_get(root, "configs"), name);
    char *dump = c ? json_dumps(c, 0) : NULL, path[256];
    if (dump)
        folder(path, name, dump);
    bool good = dump && patch_config_read(pc, path) == 0;
    free(dump);
    free(text);
    json_decref(root);
    return good;
}

static void sizes_equal_the_reference_table(void)
{
    char *text = golden_file(golden_path("goldens/preprocess/smart_resize.jsonl"), NULL);
    const char *at = text;
    int rows = 0, refused = 0;
    NEED(text != NULL, "no table");
    for (json_t *row; (row = golden_row(&at)); json_decref(row), rows++) {
        int h = (int)json_integer_value(json_object_get(row, "height"));
        int w = (int)json_integer_value(json_object_get(row, "width"));
        int factor = (int)json_integer_value(json_object_get(row, "factor"));
        struct patch_config pc = {.patch = factor / 2, .merge = 2};
        pc.min_pixels = json_integer_value(json_object_get(row, "min_pixels"));
        pc.max_pixels = json_integer_value(json_object_get(row, "max_pixels"));
        json_t *want = json_object_get(row, "hf_image");
        int fit_h = 0, fit_w = 0, status = patches_fit(&pc, h, w, &fit_h, &fit_w);
        if (!json_is_array(want)) {
            CHECK(status == -1 && fail_kind() == FAIL_MEDIA, "%d x %d passed", h, w);
            refused++;
            continue;
        }
        int want_h = (int)json_integer_value(json_array_get(want, 0));
        int want_w = (int)json_integer_value(json_array_get(want, 1));
        CHECK(status == 0 && fit_h == want_h && fit_w == want_w,
              "%d x %d, factor %d: %d x %d, not %d x %d", h, w, factor, fit_h, fit_w,
              want_h, want_w);
    }
    CHECK(rows > 200 && refused > 0, "%d rows, %d refused", rows, refused);
    free(text);
}

/* Largest difference of two pictures' samples, and the share that differs. */
static int distance(const struct image *im, const struct golden_tensor *t, double *share)
{
    int most = 0;
    int64_t different = 0;
    if (t->rank != 3 || t->shape[0] != im->height || t->shape[1] != im->width)
        return 999;
    for (int64_t i = 0; i < t->count; i++) {
        int d = abs(im->rgb[i] - t->u8[i]);
        most = d > most ? d : most;
        different += d > 0;
    }
    *share = (double)different / (double)t->count;
    return most;
}

static void check_resize(const struct image *in, const char *file,
                         const char *config_name, int height, int width)
{
    struct golden_tensor t;
    struct image out, plain;
    char name[100];
    double share = 0;
    NEED(image_resize(&out, in, height, width) == 0, "%s", fail_text());
    NEED(resize_by(&resize_plain, &plain, in, height, width) == 0, "%s", fail_text());
    CHECK(memcmp(out.rgb, plain.rgb, (size_t)height * (size_t)width * 3) == 0,
          "AVX2 is not equal to C");
    snprintf(name, sizeof name, "%s.resized_torchvision", config_name);
    if (golden_tensor_read(&t, file, name)) {
        int most = distance(&out, &t, &share);
        CHECK(most <= 2 && share <= 0.01, "%s: %d levels, %.4f", name, most, share);
        golden_tensor_free(&t);
    }
    snprintf(name, sizeof name, "%s.resized_pil11", config_name);
    if (golden_tensor_read(&t, file, name)) { /* the same arithmetic: equal bytes */
        CHECK(distance(&out, &t, &share) == 0, "%s: %.4f differ", name, share);
        golden_tensor_free(&t);
    }
    image_free(&out);
    image_free(&plain);
}

static void check_patches(const struct patch_config *pc, const char *file,
                          const char *config_name)
{
    static const char *const by[] = {"torchvision", "pil13"};
    for (size_t i = 0; i < 2; i++) {
        struct golden_tensor want, resized;
        char name[100];
        snprintf(name, sizeof name, "%s.pixel_values_%s", config_name, by[i]);
        if (!golden_tensor_read(&want, file, name))
            continue;
        snprintf(name, sizeof name, "%s.resized_%s", config_name, by[i]);
        if (!golden_tensor_read(&resized, file, name)) { /* absent where equal to pil11 */
            snprintf(name, sizeof name, "%s.resized_pil11", config_name);
            if (!golden_tensor_read(&resized, file, name)) {
                golden_tensor_free(&want);
                continue;
            }
        }
        struct image im = {(int)resized.shape[0], (int)resized.shape[1], resized.u8};
        float *patches = malloc((size_t)want.count * sizeof *patches), most = 0;
        int64_t n = patches_cut(patches, &im, pc);
        CHECK(n == want.shape[0], "%lld patches", (long long)n);
        for (int64_t k = 0; k < want.count; k++)
            most = fmaxf(most, fabsf(patches[k] - want.f32[k]));
        CHECK(most <= 2e-6f, "%s: off by %g", name, (double)most);
        free(patches);
        golden_tensor_free(&want);
        golden_tensor_free(&resized);
    }
}

/* Everything that a row of cases.jsonl says of one picture and one configuration. */
static void check_config(json_t *want, const struct image *in, const char *file,
                         const char *config_name)
{
    struct patch_config pc;
    int h = 0, w = 0;
    NEED(config(&pc, config_name), "%s: %s", config_name, fail_text());
    int status = patches_fit(&pc, in->height, in->width, &h, &w);
    if (json_object_get(want, "error")) {
        CHECK(status == -1, "%s: no error", config_name);
        return;
    }
    json_t *size = json_object_get(want, "resized_hw");
    json_t *grid = json_object_get(want, "image_grid_thw");
    CHECK(status == 0 && h == json_integer_value(json_array_get(size, 0)) &&
              w == json_integer_value(json_array_get(size, 1)),
          "%s: %d x %d", config_name, h, w);
    CHECK(h / pc.patch == json_integer_value(json_array_get(grid, 1)) &&
              w / pc.patch == json_integer_value(json_array_get(grid, 2)),
          "%s: the grid", config_name);
    check_resize(in, file, config_name, h, w);
    check_patches(&pc, file, config_name);
}

static void resize_and_patches_equal_the_reference(void)
{
    char *text = golden_file(golden_path("goldens/preprocess/cases.jsonl"), NULL),
         name[200];
    const char *at = text;
    NEED(text != NULL, "no cases");
    int rows = 0;
    for (json_t *row; (row = golden_row(&at)); json_decref(row)) {
        struct golden_tensor rgb;
        const char *image = json_string_value(json_object_get(row, "image")), *key;
        json_t *value;
        snprintf(name, sizeof name, "goldens/preprocess/%s",
                 json_string_value(json_object_get(row, "tensors")));
        const char *file = golden_path(name);
        if (!file)
            continue; /* only in the larger set */
        if (golden_tensor_read(&rgb, file, "rgb")) {
            struct image in = {(int)rgb.shape[0], (int)rgb.shape[1], rgb.u8};
            json_object_foreach(json_object_get(row, "configs"), key, value)
                check_config(value, &in, file, key);
            golden_tensor_free(&rgb);
        } else {
            CHECK(0, "%s: no rgb", image);
        }
        snprintf(name, sizeof name, "patches_of_%s", image);
        check_report(name);
        rows++;
    }
    CHECK(rows >= 15, "%d pictures", rows);
    free(text);
}

/* Any sizes: the fast passes must give the plain ones' bytes, also for the narrowest. */
static void fast_resize_equals_plain_resize(void)
{
    static const int sides[] = {1, 2, 3, 5, 7, 11, 16, 31, 33, 64, 97, 200};
    enum { SIDES = sizeof sides / sizeof *sides };
    uint32_t seed = 1;
    for (int i = 0; i < SIDES * SIDES; i++) {
        struct image in = {sides[i / SIDES], sides[i % SIDES], NULL}, a, b;
        size_t n = (size_t)in.height * (size_t)in.width * 3;
        in.rgb = malloc(n); /* exactly: a read behind it shows under ASan */
        for (size_t k = 0; k < n; k++) {
            seed = seed * 1664525 + 1013904223;
            in.rgb[k] = seed >> 24 > 128 ? 255 : (uint8_t)(seed >> 16); /* sharp edges */
        }
        for (int k = 0; k < 6; k++) {
            int h = sides[(i * 5 + k * 3) % SIDES], w = sides[(i + k * 7) % SIDES];
            if (image_resize(&a, &in, h, w) < 0 ||
                resize_by(&resize_plain, &b, &in, h, w) < 0)
                CHECK(0, "%s", fail_text());
            else
                CHECK(memcmp(a.rgb, b.rgb, (size_t)h * (size_t)w * 3) == 0,
                      "%d x %d -> %d x %d", in.height, in.width, h, w);
            image_free(&a);
            image_free(&b);
        }
        free(in.rgb);
    }
}

static void ratios_up_to_200_fit(void)
{
    struct patch_config pc = {
        .patch = 14, .merge = 2, .min_pixels = 3136, .max_pixels = 12845056};
    int h, w;
    for (int turn = 0; turn < 2; turn++)
        for (int ratio = 199; ratio <= 201; ratio++) {
            int status = turn ? patches_fit(&pc, 3 * ratio, 3, &h, &w)
                              : patches_fit(&pc, 3, 3 * ratio, &h, &w);
            CHECK(status == (ratio > 200 ? -1 : 0), "ratio %d", ratio);
        }
    CHECK(patches_fit(&pc, 1, 201, &h, &w) == -1 && fail_kind() == FAIL_MEDIA &&
              strstr(fail_text(), "over 200"),
          "%s", fail_text());
    CHECK(patches_fit(&pc, 0, 5, &h, &w) == -1, "a zero side fits");
}

/* Decode, fit, resize and cut one picture; the patches' count, or -1. */
static int64_t patches_of(float **out, const char *path, const struct patch_config *pc)
{
    struct image im, fitted = {0};
    size_t n = 0;
    char *data = golden_file(path, &n);
    int h, w, status = data ? image_decode(&im, data, n, path, 1 << 28) : -1;
    int64_t count = -1;
    free(data);
    if (status == 0 && patches_fit(pc, im.height, im.width, &h, &w) == 0 &&
        image_resize(&fitted, &im, h, w) == 0) {
        *out = malloc((size_t)h * (size_t)w * 3 * (size_t)pc->frames * sizeof **out);
        count = patches_cut(*out, &fitted, pc);
    }
    if (status == 0)
        image_free(&im);
    image_free(&fitted);
    return count;
}

/* From a file's bytes to the pixel values that the reference fed to its model: by the
 * table of tolerances 2 levels of 255, at most 1 % of the samples. */
static void check_model_case(const char *model, const char *name,
                             const char *const files[])
{
    char path[200];
    struct patch_config pc;
    struct golden_tensor want;
    int64_t at = 0, different = 0;
    float most = 0;
    snprintf(path, sizeof path, "goldens/models/%s", model);
    const char *dir = golden_path(path);
    snprintf(path, sizeof path, "goldens/cases/%s/%s.safetensors", model, name);
    const char *tensors = golden_path(path);
    if (!dir || !tensors || !golden_path("goldens/media/img_a.png"))
        return; /* only in the larger set */
    NEED(patch_config_read(&pc, dir) == 0, "%s", fail_text());
    NEED(golden_tensor_read(&want, tensors, "pixel_values"), "%s", path);
    float limit = 2.01f / 255 / fminf(pc.std[0], fminf(pc.std[1], pc.std[2]));
    for (int i = 0; files[i]; i++) {
        float *patches = NULL;
        snprintf(path, sizeof path, "goldens/media/%s", files[i]);
        int64_t n = patches_of(&patches, golden_path(path), &pc) * want.shape[1];
        CHECK(n > 0 && at + n <= want.count, "%s: %s", files[i], fail_text());
        for (int64_t k = 0; k < n && at < want.count; k++, at++) {
            float d = fabsf(patches[k] - want.f32[at]);
            most = fmaxf(most, d);
            different += d > 2e-6f;
        }
        free(patches);
    }
    CHECK(at == want.count, "%lld of %lld values", (long long)at, (long long)want.count);
    CHECK(most <= limit && different * 100 <= want.count, "%s: %g off, %lld of %lld",
          name, (double)most, (long long)different, (long long)want.count);
    golden_tensor_free(&want);
}

static void media_become_the_models_pixel_values(void)
{
    static const char *const models[] = {"qwen2_5_vl", "qwen3_vl"};
    for (size_t i = 0; i < 2; i++) {
        check_model_case(models[i], "one_image", (const char *[]){"img_a.png", NULL});
        check_model_case(models[i], "two_images",
                         (const char *[]){"img_b.png", "img_c.png", NULL});
        check_model_case(models[i], "multi_turn", (const char *[]){"img_d.jpg", NULL});
    }
}

static void model_folders_are_read(void)
{
    static const struct {
        const char *dir;
        int patch;
        int64_t least, most;
        float mean;
    } want[] = {
        {"goldens/models/qwen2_5_vl", 14, 3136, 12845056, 0.48145466f},
        {"goldens/models/qwen2_5_vl_nested", 14, 3136, 12845056, 0.48145466f},
        {"goldens/models/qwen3_vl", 16, 4096, 16777216, 0.5f},
        {"pocket/captioner", 16, 9216, 9216, 0.5f},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct patch_config pc;
        const char *dir = golden_path(want[i].dir);
        if (!dir)
            continue; /* only in the larger set */
        CHECK(patch_config_read(&pc, dir) == 0, "%s", fail_text());
        CHECK(pc.patch == want[i].patch && pc.merge == 2 && pc.frames == 2 &&
                  pc.min_pixels == want[i].least && pc.max_pixels == want[i].most &&
                  pc.mean[0] == want[i].mean,
              "%s", want[i].dir);
    }
}

static void every_spelling_of_the_limits_is_read(void)
{
    static const char *const forms[] = {
        "{\"min_pixels\": 4000, \"max_pixels\": 90000}",
        "{\"size\": {\"shortest_edge\": 4000, \"longest_edge\": 90000}}",
        "{\"size\": {\"min_pixels\": 4000, \"max_pixels\": 90000}}",
        "{\"size\": {\"longest_edge\": 2}, \"min_pixels\": 4000, \"max_pixels\": 9e4}",
    };
    char path[256];
    struct patch_config pc;
    for (size_t i = 0; i < 4; i++) {
        folder(path, "limits", forms[i]);
        CHECK(patch_config_read(&pc, path) == 0, "%s", fail_text());
        CHECK(pc.min_pixels == 4000 && pc.max_pixels == 90000, "%s", forms[i]);
    }
    folder(path, "limits", "{}");
    CHECK(patch_config_read(&pc, path) == 0 && pc.patch == 14 && pc.merge == 2 &&
              pc.frames == 2 && pc.min_pixels == 3136 && pc.max_pixels == 1003520 &&
              pc.std[2] == 0.27577711f,
          "the published defaults");
}

static void settings_inside_processor_config_are_read(void)
{
    static const char own[] = "{\"patch_size\": 16, \"min_pixels\": 5000}";
    static const char file[] = "processor_config.json";
    char path[256];
    struct patch_config pc;
    folder_of(path, "nested", file,
              "{\"processor_class\": \"Qwen3VLProcessor\", \"image_processor\": "
              "{\"patch_size\": 14, \"size\": {\"shortest_edge\": 4000, "
              "\"longest_edge\": 90000}}, \"video_processor\": {\"patch_size\": 20}}");
    CHECK(patch_config_read(&pc, path) == 0, "%s", fail_text());
    CHECK(pc.patch == 14 && pc.min_pixels == 4000 && pc.max_pixels == 90000, "alone");
    folder(path, "nested", own);
    CHECK(patch_config_read(&pc, path) == 0 && pc.patch == 14 && pc.min_pixels == 4000,
          "they go before a file of their own");
    folder_of(path, "nested", file, "{\"processor_class\": \"Qwen2_5_VLProcessor\"}");
    CHECK(patch_config_read(&pc, path) == 0 && pc.patch == 16 && pc.min_pixels == 5000,
          "a processor_config.json without them");
    folder_of(path, "nested", file, "{\"image_processor\": {\"patch_size\": 0}}");
    CHECK(patch_config_read(&pc, path) == -1 && strstr(fail_text(), "/processor_config"),
          "%s", fail_text());
    folder_of(path, "nested", file, "{");
    CHECK(patch_config_read(&pc, path) == -1 && strstr(fail_text(), "/processor_config"),
          "%s", fail_text());
}

static void bad_configs_are_refused_by_name(void)
{
    static const char *const bad[][2] = {
        {"[1]", "not a JSON object"},
        {"{", "line"},
        {"{\"patch_size\": 0}", "patch_size"},
        {"{\"patch_size\": \"14\"}", "patch_size"},
        {"{\"patch_size\": 1e30}", "patch_size"},
        {"{\"merge_size\": -2}", "merge_size"},
        {"{\"temporal_patch_size\": 1.5}", "temporal_patch_size"},
        {"{\"image_mean\": [0.5, 0.5]}", "image_mean"},
        {"{\"image_std\": [0.5, 0, 0.5]}", "image_std"},
        {"{\"size\": 224}", "size"},
        {"{\"min_pixels\": 90, \"max_pixels\": 80}", "at least 90"},
        {"{\"resample\": 2}", "resample"},
        {"{\"do_resize\": false}", "do_resize"},
        {"{\"rescale_factor\": 1}", "rescale_factor"},
        {"{\"patch_size\": 14, \"patch_size\": 14}", "line"},
    };
    char path[256];
    struct patch_config pc;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder(path, "bad", bad[i][0]);
        CHECK(patch_config_read(&pc, path) == -1 && fail_kind() == FAIL_MODEL,
              "%s passed", bad[i][0]);
        CHECK(strstr(fail_text(), bad[i][1]) && strstr(fail_text(), "config.json"), "%s",
              fail_text());
    }
    CHECK(patch_config_read(&pc, "build/tests/no-such-folder") == -1 &&
              fail_kind() == FAIL_MODEL,
          "no file");
}

int main(void)
{
    CASE(sizes_equal_the_reference_table);
    CASE(ratios_up_to_200_fit);
    CASE(resize_and_patches_equal_the_reference);
    CASE(fast_resize_equals_plain_resize);
    CASE(media_become_the_models_pixel_values);
    CASE(model_folders_are_read);
    CASE(every_spelling_of_the_limits_is_read);
    CASE(settings_inside_processor_config_are_read);
    CASE(bad_configs_are_refused_by_name);
    return check_end();
}
