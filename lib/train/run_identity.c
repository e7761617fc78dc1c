/* run_identity.c: see run_identity.h. */
#include "train/run_identity.h"
#include "base/fail.h"
#include "engine/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { SAMPLE = 4096 }; /* bytes at either end of a tensor */

static void mix(uint64_t hash[2], const void *bytes, size_t n)
{
    for (int i = 0; i < 2; i++)
        hash[i] = XXH3_64bits_withSeed(bytes, n, hash[i] + (uint64_t)i);
}

/* Of config.json, all headers, and both ends of each tensor: to read a large model whole
 * takes long, and models that are not the same differ in nearly every tensor. 0 or -1. */
static int model_hash(char hex[33], const char *dir)
{
    uint64_t hash[2] = {0};
    struct weights *w = weights_open(dir);
    int status = w ? weights_hash(w, dir, hex) : -1;
    if (status == 0)
        mix(hash, hex, strlen(hex));
    for (int i = 0; status == 0 && i < weights_count(w); i++) {
        const struct tensor *t = weights_at(w, i);
        size_t all = (size_t)t->bytes, n = all < SAMPLE ? all : SAMPLE;
        mix(hash, t->data, n);
        mix(hash, (const char *)t->data + all - n, n);
    }
    weights_close(w);
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash[0],
             (unsigned long long)hash[1]);
    return status;
}

/* JSON can hold no other texts. 0 or -1. */
static int texts_check(const struct example_options *e)
{
    const char *const texts[][2] = {
        {"prompt", e->prompt}, {"system", e->system}, {"chat", e->chat}};
    for (int i = 0; i < 3; i++) {
        json_t *text = json_string(texts[i][1] ? texts[i][1] : "");
        json_decref(text);
        if (!text)
            return fail(FAIL_REFUSED, "--%s: not UTF-8", texts[i][0]);
    }
    return 0;
}

/* NULL: memory. */
static json_t *options_json(const struct run_options *o)
{
    const struct example_options *e = &o->example;
    const struct lr *lr = &o->lr;
    return json_pack(
        "{s:f, s:f, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:s?, s:s?, s:s?, s:i, s:b, s:I, "
        "s:I}",
        "lr", lr->peak, "lr-end", lr->least, "schedule", lr_name(lr->kind), "warmup",
        (json_int_t)lr->warmup, "beta1", o->beta1, "beta2", o->beta2, "eps", o->eps,
        "weight-decay", o->weight_decay, "clip", o->clip, "prompt", e->prompt, "system",
        e->system, "chat", e->chat, "ctx", e->ctx, "truncate", e->truncate, "min-pixels",
        (json_int_t)e->min_pixels, "max-pixels", (json_int_t)e->max_pixels);
}

json_t *run_identity(const struct run_options *o)
{
    char hex[33];
    if (texts_check(&o->example) < 0 || model_hash(hex, o->dir) < 0)
        return NULL;
    json_t *all = options_json(o);
    if (!all || json_object_set_new(all, "model", json_string(hex)) < 0) {
        json_decref(all);
        fail_memory();
        return NULL;
    }
    return all;
}

/* An option that the run began with, or without. -1. */
static int began_with(const char *name, const json_t *then)
{
    if (strcmp(name, "model") == 0)
        return fail(FAIL_REFUSED, "the run began with another model");
    if (json_is_string(then))
        return fail(FAIL_REFUSED, "the run began with --%s %s", name,
                    json_string_value(then));
    if (json_is_true(then))
        return fail(FAIL_REFUSED, "the run began with --%s", name);
    bool numeral = json_is_real(then) || json_integer_value(then) != 0 ||
                   strcmp(name, "warmup") == 0;
    return numeral ? fail(FAIL_REFUSED, "the run began with --%s %.9g", name,
                          json_number_value(then))
                   : fail(FAIL_REFUSED, "the run began without --%s", name);
}

int run_identity_check(const json_t *now, const json_t *then)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)now, name, value)
    {
        const json_t *old = json_object_get(then, name);
        if (old && !json_equal(value, old))
            return began_with(name, old);
    }
    return 0;
}

const char *run_identity_model(const json_t *identity)
{
    return json_string_value(json_object_get(identity, "model"));
}
