/* run_state.c: see run_state.h. */
#include "train/run_state.h"
#include "base/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hash_text(char text[32], const struct dataset *d)
{
    snprintf(text, 32, "%016llx", (unsigned long long)d->hash);
}

int run_state_save(const struct checkpoints *c, struct trainer *t,
                   const struct dataset *d, const struct run_options *o,
                   const struct run_place *place)
{
    char hash[32], parts[64];
    const struct objective *of = d->objective;
    hash_text(hash, d);
    param_parts_text(parts, trainer_params(t)->parts);
    json_t *state = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "objective", of->name, "data",
        hash, "epoch", (json_int_t)place->epoch, "at", (json_int_t)place->at, "seed",
        (json_int_t)o->seed, "batch_tokens", (json_int_t)o->batch_tokens, "epochs",
        (json_int_t)o->epochs, "shuffle", o->shuffle, "train", parts);
    if (!state)
        return fail_memory();
    if (of->options)
        json_object_set(state, of->name, (json_t *)(uintptr_t)of->options);
    int status = checkpoint_save(c, trainer_kernels(t), trainer_dev(t), trainer_params(t),
                                 place->step, state);
    json_decref(state);
    return status;
}

static int64_t number(const json_t *state, const char *key)
{
    return json_integer_value(json_object_get(state, key));
}

static const char *text(const json_t *state, const char *key)
{
    const char *value = json_string_value(json_object_get(state, key));
    return value ? value : "?";
}

/* The objective and its options. 0 or -1 (class refused). */
static int same_objective(const struct objective *of, const json_t *state)
{
    const char *name;
    json_t *now, *options = (json_t *)(uintptr_t)of->options;
    if (strcmp(text(state, "objective"), of->name) != 0)
        return fail(FAIL_REFUSED, "the run's objective was %s, not %s",
                    text(state, "objective"), of->name);
    json_object_foreach(options, name, now)
    {
        const json_t *then = json_object_get(json_object_get(state, of->name), name);
        if (!json_equal(now, then)) {
            char *value = then ? json_dumps(then, JSON_ENCODE_ANY) : NULL;
            fail(FAIL_REFUSED, "the run began with %s %s", name, value ? value : "unset");
            free(value);
            return -1;
        }
    }
    return 0;
}

/* What decides the order of the data must be as it was. 0 or -1 (class refused). */
static int same_run(struct trainer *t, const struct dataset *d,
                    const struct run_options *o, const json_t *state)
{
    char hash[32], parts[64];
    hash_text(hash, d);
    param_parts_text(parts, trainer_params(t)->parts);
    if (strcmp(text(state, "data"), hash) != 0)
        return fail(FAIL_REFUSED, "the rows are not those that the run began with");
    if (strcmp(text(state, "train"), parts) != 0)
        return fail(FAIL_REFUSED, "the run began with --train %s", text(state, "train"));
    if (number(state, "seed") != (int64_t)o->seed)
        return fail(FAIL_REFUSED, "the run began with --seed %lld",
                    (long long)number(state, "seed"));
    if (number(state, "batch_tokens") != o->batch_tokens)
        return fail(FAIL_REFUSED, "the run began with --batch-tokens %lld",
                    (long long)number(state, "batch_tokens"));
    if (json_is_true(json_object_get(state, "shuffle")) != o->shuffle)
        return fail(FAIL_REFUSED, "the run began with%s --no-shuffle",
                    o->shuffle ? "" : "out");
    return same_objective(d->objective, state);
}

int run_state_load(const struct checkpoints *c, struct trainer *t,
                   const struct dataset *d, const struct run_options *o,
                   const struct run_calls *calls, struct run_place *place)
{
    char *note;
    json_t *state;
    *place = (struct run_place){.step = -1};
    if (checkpoint_find(c, &place->step, &note) < 0)
        return -1;
    if (note)
        calls->say(calls->context, note);
    free(note);
    if (place->step < 0)
        return 0;
    if (checkpoint_load(c, trainer_kernels(t), trainer_dev(t), trainer_params(t),
                        place->step, &state) < 0)
        return -1;
    int status = same_run(t, d, o, state);
    place->epoch = number(state, "epoch");
    place->at = number(state, "at");
    json_decref(state);
    if (status == 0 && (place->at < 0 || place->at > d->count || place->epoch < 0))
        status = fail(FAIL_MODEL, "a checkpoint of another run");
    return status < 0 ? fail_in("%s", c->out) : 0;
}
