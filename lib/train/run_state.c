/* run_state.c: see run_state.h. */
#include "train/run_state.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "train/run_identity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hash_text(char text[32], uint64_t hash)
{
    snprintf(text, 32, "%016llx", (unsigned long long)hash);
}

/* The rows by their hash, or how many lines of a stream were read and drawn. */
static int data_save(json_t *state, const struct run_data *data,
                     const struct run_options *o, const struct run_place *place)
{
    char hash[32];
    hash_text(hash, data->stream ? place->window.hash : data->d->hash);
    json_t *stream =
        data->stream
            ? json_pack("{s:I, s:I, s:I, s:I}", "window", (json_int_t)o->window, "drawn",
                        (json_int_t)place->window.drawn, "read",
                        (json_int_t)place->window.read, "told", (json_int_t)place->told)
            : NULL;
    if (stream)
        json_object_set_new(state, "stream", stream);
    return json_object_set_new(state, "data", json_string(hash)) < 0 ||
                   (data->stream && !stream)
               ? fail_memory()
               : 0;
}

/* A number that may be none. */
static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* A row that waits for its evaluation; step and epoch are the place's. */
static json_t *row_save(const struct run_metrics *m)
{
    json_t *row = json_array();
    const double numbers[] = {m->loss,        m->lr,         m->grad_norm,
                              m->seconds,     m->peak_share, (double)m->tokens,
                              (double)m->rows};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_array_append_new(row, real(numbers[i]));
    for (int i = 0; i < OBJECTIVE_EXTRAS; i++)
        json_array_append_new(row, real(m->extra[i]));
    return row;
}

static void row_load(struct run_place *place, const json_t *row)
{
    struct run_metrics m = {.eval_loss = NAN};
    double n[7 + OBJECTIVE_EXTRAS] = {0};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        const json_t *x = json_array_get(row, i);
        n[i] = json_is_number(x) ? json_number_value(x) : NAN;
    }
    m.loss = n[0];
    m.lr = n[1];
    m.grad_norm = n[2];
    m.seconds = n[3];
    m.peak_share = n[4];
    m.tokens = (int64_t)n[5];
    m.rows = (int64_t)n[6];
    memcpy(m.extra, n + 7, sizeof m.extra);
    place->unmeasured = row != NULL;
    place->row = m;
}

int run_state_save(const struct checkpoints *c, struct trainer *t,
                   const struct run_data *data, const struct run_options *o,
                   const struct run_place *place)
{
    char parts[80];
    const struct objective *of = data->d->objective;
    params_text(parts, trainer_params(t));
    json_t *state =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "objective", of->name,
                  "epoch", (json_int_t)place->epoch, "at", (json_int_t)place->at,
                  "failed", (json_int_t)place->failed, "seed", (json_int_t)o->seed,
                  "batch_tokens", (json_int_t)o->batch_tokens, "epochs",
                  (json_int_t)o->epochs, "shuffle", o->shuffle, "train", parts);
    if (!state)
        return fail_memory();
    json_object_set(state, "options", (json_t *)(uintptr_t)data->identity);
    if (place->unmeasured)
        json_object_set_new(state, "row", row_save(&place->row));
    if (of->options)
        json_object_set(state, of->name, (json_t *)(uintptr_t)of->options);
    int status = data_save(state, data, o, place);
    if (status == 0)
        status = checkpoint_save(c, trainer_kernels(t), trainer_dev(t), trainer_params(t),
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

static int other_rows(void)
{
    return fail(FAIL_REFUSED, "the rows are not those that the run began with");
}

/* Are the rows those of then? A stream is taken to where it was. 0 or -1. */
static int same_data(const struct run_data *data, const struct run_options *o,
                     const json_t *state, struct run_place *place)
{
    char hash[32];
    const json_t *stream = json_object_get(state, "stream");
    if (!data->stream != !stream)
        return fail(FAIL_REFUSED, "the run's rows came from %s",
                    stream ? "a pipe" : "files");
    if (!stream) {
        hash_text(hash, data->d->hash);
        bool same = strcmp(text(state, "data"), hash) == 0 && place->at >= 0 &&
                    place->at <= data->d->count && place->epoch >= 0;
        return same ? 0 : other_rows();
    }
    if (number(stream, "window") != o->window)
        return fail(FAIL_REFUSED, "the run began with --window %lld",
                    (long long)number(stream, "window"));
    place->told = json_object_get(stream, "told") ? number(stream, "told") : -1;
    place->window = (struct window_place){number(stream, "drawn"), number(stream, "read"),
                                          strtoull(text(state, "data"), NULL, 16)};
    int got = row_stream_skip(data->stream, &place->window);
    return got == 1 ? 0 : got == STREAM_STOPPED ? fail(FAIL_REFUSED, "interrupted") : -1;
}

/* What decides the order of the data must be as it was. 0 or -1 (class refused). */
static int same_run(struct trainer *t, const struct objective *of,
                    const struct run_options *o, const json_t *state)
{
    char parts[80];
    params_text(parts, trainer_params(t));
    if (strcmp(text(state, "train"), parts) != 0)
        return fail(FAIL_REFUSED, "the run began with --%s%s",
                    strncmp(text(state, "train"), "lora ", 5) == 0 ? "" : "train ",
                    text(state, "train"));
    if (number(state, "seed") != (int64_t)o->seed)
        return fail(FAIL_REFUSED, "the run began with --seed %lld",
                    (long long)number(state, "seed"));
    if (number(state, "batch_tokens") != o->batch_tokens)
        return fail(FAIL_REFUSED, "the run began with --batch-tokens %lld",
                    (long long)number(state, "batch_tokens"));
    if (json_is_true(json_object_get(state, "shuffle")) != o->shuffle)
        return fail(FAIL_REFUSED, "the run began with%s --no-shuffle",
                    o->shuffle ? "" : "out");
    return same_objective(of, state);
}

/* The newest whole version, as rank 0 finds it. 0 or -1. */
static int find(const struct checkpoints *c, struct comm *comm,
                const struct run_calls *calls, int64_t *step)
{
    char *note = NULL;
    int status = comm_rank(comm) == 0 ? checkpoint_find(c, step, &note) : 0;
    if (note)
        calls->say(calls->context, note);
    free(note);
    status = comm_vote(comm, status);
    return status < 0 ? status : comm_broadcast(comm, 0, step, sizeof *step);
}

static int load(const struct checkpoints *c, struct trainer *t,
                const struct run_data *data, const struct run_options *o,
                struct run_place *place)
{
    json_t *state;
    if (checkpoint_load(c, trainer_kernels(t), trainer_dev(t), trainer_params(t),
                        place->step, &state) < 0)
        return -1;
    place->epoch = number(state, "epoch");
    place->at = number(state, "at");
    place->failed = number(state, "failed");
    if (json_object_get(state, "row"))
        row_load(place, json_object_get(state, "row"));
    int status = same_run(t, data->d->objective, o, state);
    if (status == 0)
        status = run_identity_check(data->identity, json_object_get(state, "options"));
    if (status == 0)
        status = same_data(data, o, state, place);
    json_decref(state);
    return status < 0 ? fail_in("%s", c->out) : 0;
}

int run_state_load(const struct checkpoints *c, struct trainer *t,
                   const struct run_data *data, const struct run_options *o,
                   const struct run_calls *calls, struct run_place *place)
{
    *place = (struct run_place){.step = -1};
    if (find(c, o->comm, calls, &place->step) < 0)
        return -1;
    if (place->step < 0)
        return 0;
    int status = load(c, t, data, o, place);
    if (status == 0 && comm_rank(o->comm) == 0)
        status = checkpoint_take(c, place->step);
    return comm_vote(o->comm, status);
}
