/* rl.c: see rl.h: a run from its opening to its end. */
#include "train/rl.h"
#include "base/buf.h"
#include "base/fail.h"
#include "comm/comm.h"
#include "engine/vlm.h"
#include "engine/weights.h"
#include "train/checkpoint.h"
#include "train/policy.h"
#include "train/rl_share.h"
#include "train/rl_update.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A run under way. */
struct run {
    const struct rl_options *o;
    const struct rl_calls *calls;
    const char *program;
    struct trainer_text *text;
    struct rl_update u;
    struct rollout_rules rules;
    struct policy *policy;
    struct checkpoints checkpoints;
    struct rl_input *input;
    struct lr lr;
    char base[33];         /* hash of the base model */
    bool first;            /* rank 0: the one that others outside know */
    struct rl_batch batch; /* of rank 0, on other ranks */
    char checkpoints_path[PATH_MAX], policy_name[33]; /* of policy.h, on all ranks */
    int64_t step, saved; /* done; of the newest checkpoint, -1: none */
    struct buf rows;     /* of metrics, a line each: the newest, see keep_row() */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const struct run *r, const char *text)
{
    r->calls->say(r->calls->context, text);
}

/* -- Opening ----------------------------------------------------------------------------
 */

static int base_hash(char hex[33], const char *dir)
{
    struct weights *w = weights_open(dir);
    int status = w ? weights_hash(w, dir, hex) : -1;
    weights_close(w);
    return status;
}

static int models_open(struct run *r)
{
    const struct rl_options *o = r->o;
    struct trainer_options how = {
        .device = o->device, .threads = o->threads, .compute = o->compute};
    struct trainer_options frozen = how;
    how.recompute = o->recompute;
    how.comm = o->comm;
    if (param_parts(&how.parts, o->parts) < 0)
        return fail_in("--train");
    if (base_hash(r->base, o->dir) < 0 ||
        !(r->text = trainer_text_open(o->dir, &o->example)) ||
        !(r->u.t = trainer_open(o->dir, &how)))
        return -1;
    const struct kernels *k = trainer_kernels(r->u.t);
    if (o->hand_over != POLICY_FILES && !k->share)
        return fail(FAIL_REFUSED, "--hand-over: device \"%s\" shares no memory", k->name);
    if (o->hand_over == POLICY_GPU && o->ahead > 0)
        return fail(FAIL_REFUSED, "--hand-over gpu keeps the newest version alone: with "
                                  "--ahead, use both");
    if (o->loss.kl != RL_KL_NONE && !(r->u.ref = trainer_open(o->dir, &frozen)))
        return -1;
    return 0;
}

/* Rank 0's. */
static int policy_start(struct run *r)
{
    const struct rl_options *o = r->o;
    const struct policy_options how = {.path = o->out,
                                       .base = o->dir,
                                       .work = o->work,
                                       .keep = (int)o->ahead + 3,
                                       .how = o->hand_over};
    if (!(r->policy = policy_open(&how, trainer_params(r->u.t))))
        return -1;
    snprintf(r->checkpoints_path, sizeof r->checkpoints_path, "%s",
             policy_checkpoints(r->policy));
    return 0;
}

/* What must be the same on all ranks, as text. */
static void options_text(struct buf *b, const struct rl_options *o)
{
    const struct rl_loss *l = &o->loss;
    buf_print(b, "%s|%s|%lld %d %d %lld|", o->parts,
              o->example.chat ? o->example.chat : "", (long long)o->steps, o->minibatches,
              o->epochs, (long long)o->micro);
    buf_print(b, "%d %d %.17g %.17g %.17g %.17g %d %d %d %.17g %.17g|", l->advantage,
              l->aggregate, l->fixed, l->low, l->high, l->dual, l->sequence, l->kl,
              l->kl_in_reward, l->beta, l->entropy);
    buf_print(b, "%d %d %.17g|", l->overlong, l->overlong_buffer, l->overlong_weight);
    buf_print(b, "%d %.17g %.17g %lld|%.17g %.17g %.17g %.17g %.17g|%lld %d", o->lr.kind,
              o->lr.peak, o->lr.least, (long long)o->lr.warmup, o->beta1, o->beta2,
              o->eps, o->weight_decay, o->clip, (long long)o->save, o->force);
}

/* Are all ranks about the same run, and where is it? 0 or -1. */
static int ranks_agree(struct run *r)
{
    struct comm *comm = r->o->comm;
    struct buf b = {0};
    options_text(&b, r->o);
    int status = buf_ok(&b);
    if (status == 0)
        status = comm_agree(comm, "set of options", b.data, b.len);
    if (status == 0)
        status = comm_agree(comm, "model", r->base, sizeof r->base);
    if (status == 0)
        status = comm_broadcast(comm, 0, r->checkpoints_path, sizeof r->checkpoints_path);
    buf_free(&b);
    return status;
}

/* -- Checkpoints ------------------------------------------------------------------------
 */

/* Keep a step's row for the next checkpoints, with those of as many steps before as may
 * be on their way to whoever writes them when he is killed: a batch is there only if the
 * row of `ahead` steps before was written. */
static void keep_row(struct run *r, const struct rl_metrics *m)
{
    int64_t lines = 0;
    r->calls->row(r->calls->context, m, &r->rows);
    buf_char(&r->rows, '\n');
    for (size_t i = r->rows.len; i-- > 0;) {
        lines += r->rows.data[i] == '\n';
        if (lines > r->o->ahead + 2) {
            r->rows.len -= i + 1;
            memmove(r->rows.data, r->rows.data + i + 1, r->rows.len);
            return;
        }
    }
}

/* What a checkpoint says of the run. NULL: memory. */
static json_t *state_of(const struct run *r)
{
    char parts[64];
    json_t *state = NULL;
    param_parts_text(parts, trainer_params(r->u.t)->parts);
    if (buf_ok(&r->rows) == 0)
        state =
            json_pack("{s:s, s:s, s:I, s:s%}", "base", r->base, "train", parts, "updates",
                      (json_int_t)r->u.updates, "metrics", r->rows.data, r->rows.len);
    if (!state)
        fail_memory();
    return state;
}

static int save(struct run *r)
{
    if (r->step == 0 || r->saved == r->step || r->u.begun)
        return 0;
    json_t *state = state_of(r);
    if (!state)
        return -1;
    int status =
        checkpoint_save(&r->checkpoints, trainer_kernels(r->u.t), trainer_dev(r->u.t),
                        trainer_params(r->u.t), r->step, state);
    json_decref(state);
    if (status < 0)
        return RL_UNFINISHED;
    r->saved = r->step;
    if (r->first)
        policy_hold(r->policy, r->step);
    return 0;
}

/* What a checkpoint says must be of this run. */
static int same_run(struct run *r, const json_t *state)
{
    char parts[64];
    const char *base = json_string_value(json_object_get(state, "base"));
    const char *train = json_string_value(json_object_get(state, "train"));
    param_parts_text(parts, trainer_params(r->u.t)->parts);
    if (!base || strcmp(base, r->base) != 0)
        return fail(FAIL_REFUSED, "%s: the run began from another base model", r->o->out);
    if (!train || strcmp(train, parts) != 0)
        return fail(FAIL_REFUSED, "%s: the run began with --train %s", r->o->out,
                    train ? train : "?");
    r->u.updates = json_integer_value(json_object_get(state, "updates"));
    return 0;
}

/* The newest whole checkpoint, or the base. */
static int resume(struct run *r)
{
    char *why = NULL;
    json_t *state;
    int64_t step = -1;
    int found = r->first ? checkpoint_find(&r->checkpoints, &step, &why) : 0;
    if (why)
        say(r, why);
    free(why);
    if (comm_vote(r->o->comm, found) < 0 ||
        comm_broadcast(r->o->comm, 0, &step, sizeof step) < 0)
        return -1;
    r->saved = step;
    if (step < 0)
        return 0;
    if (checkpoint_load(&r->checkpoints, trainer_kernels(r->u.t), trainer_dev(r->u.t),
                        trainer_params(r->u.t), step, &state) < 0)
        return -1;
    int status = same_run(r, state);
    json_decref(state);
    r->step = step;
    if (status < 0 || !r->first)
        return status;
    policy_hold(r->policy, step);
    return checkpoint_take(&r->checkpoints, step);
}

static int publish_first(struct run *r)
{
    return policy_publish(r->policy, trainer_kernels(r->u.t), trainer_dev(r->u.t),
                          trainer_params(r->u.t), r->step) < 0
               ? RL_UNFINISHED
               : 0;
}

static int publish(struct run *r)
{
    return comm_vote(r->o->comm, r->first ? publish_first(r) : 0);
}

static void say_plan(struct run *r)
{
    char text[512], parts[64];
    const struct params *p = trainer_params(r->u.t);
    param_parts_text(parts, p->parts);
    snprintf(text, sizeof text,
             "%lld of %lld parameters are trained (%s); versions lie in %.200s",
             (long long)p->trained, (long long)p->elements, parts,
             r->first ? policy_work(r->policy) : "rank 0's folder");
    r->calls->note(r->calls->context, text);
    const char *lacks = vlm_lacks(trainer_kernels(r->u.t), trainer_dev(r->u.t));
    if (lacks)
        r->calls->note(r->calls->context, lacks);
}

static void say_taken(const struct run *r)
{
    char text[128];
    if (r->o->hand_over == POLICY_FILES)
        return;
    snprintf(text, sizeof text, "versions were taken from GPU memory %lld times",
             (long long)policy_taken(r->policy));
    r->calls->note(r->calls->context, text);
}

/* All that comes before the first row. */
static int start(struct run *r)
{
    const struct rl_options *o = r->o;
    int status = models_open(r);
    if (status == 0 && r->first)
        status = policy_start(r);
    if (comm_vote(o->comm, status) < 0 || ranks_agree(r) < 0)
        return RL_FAILED;
    r->checkpoints =
        (struct checkpoints){r->checkpoints_path, o->dir, ARR_TYPES, o->keep};
    if (o->force && r->first)
        checkpoint_clear(&r->checkpoints);
    if (comm_vote(o->comm, resume(r)) < 0)
        return RL_FAILED;
    status = publish(r);
    if (status < 0)
        return status;
    if (r->first)
        snprintf(r->policy_name, sizeof r->policy_name, "%s", policy_hash(r->policy));
    if (comm_broadcast(o->comm, 0, r->policy_name, sizeof r->policy_name) < 0)
        return RL_FAILED;
    r->rules = (struct rollout_rules){.text = r->text,
                                      .hash = {r->policy_name, r->base},
                                      .root = o->example.root,
                                      .allow_url = o->allow_url,
                                      .max_input_pixels = o->max_input_pixels,
                                      .allow_truncated = o->allow_truncated};
    r->u.o = o;
    r->u.calls = r->calls;
    r->u.rules = &r->rules;
    if (r->first && !(r->input = rl_input_open(o, r->program, &r->rules, r->calls)))
        return RL_FAILED;
    say_plan(r);
    if (r->first)
        r->calls->hello(r->calls->context, r->step, r->step);
    return 0;
}

static void run_close(struct run *r)
{
    buf_free(&r->rows);
    rl_input_close(r->input);
    rl_batch_free(&r->batch);
    policy_close(r->policy);
    trainer_close(r->u.ref);
    trainer_close(r->u.t);
    trainer_text_close(r->text);
}

/* -- Steps ------------------------------------------------------------------------------
 */

/* The step's batch *at; with dynamic sampling, rows are asked for until as many of its
 * groups teach as the batch had rows at first. 1, 0 (no more input), or a failure. */
static int read_batch(struct run *r, struct rl_groups *g, struct rl_batch **at)
{
    struct rl_batch *b;
    int status = rl_input_batch(r->input, r->step + 1, at);
    if (status != 1)
        return status;
    b = *at;
    int64_t aim = b->count;
    for (int round = 0;; round++) {
        if (rl_groups_make(g, b, &r->o->loss) < 0)
            return RL_FAILED;
        int64_t missing = aim - rl_groups_teaching(g);
        if (!r->o->dynamic || missing <= 0 || round == r->o->dynamic_rounds)
            return 1;
        rl_groups_free(g);
        r->calls->want(r->calls->context, r->step + 1, missing);
        status = rl_input_more(r->input, missing, &b);
        *at = b;
        if (status != 1)
            return status == 0 ? RL_UNFINISHED : status;
    }
}

/* Groups of the step's batch, which rank 0 reads. Likewise. */
static int gather(struct run *r, struct rl_groups *g)
{
    struct rl_batch *b = NULL;
    int status = r->first ? read_batch(r, g, &b) : 1;
    status = rl_share_batch(r->o->comm, status, &b, &r->batch, &r->rules);
    if (status == 1 && !r->first && rl_groups_make(g, b, &r->o->loss) < 0)
        return RL_FAILED;
    return status;
}

/* A batch of failures alone, as when a judge is down or a disk with pictures is not
 * there, is no step: the batch comes again. */
static int nothing_left(const struct run *r, const struct rl_groups *g, const char *what)
{
    fail(FAIL_MISSING, "step %lld: none of its %lld rows has %s", (long long)r->step + 1,
         (long long)g->count, what);
    return RL_UNFINISHED;
}

/* Learn from a batch. 0 or a failure. */
static int learn(struct run *r, struct rl_groups *g, struct rl_metrics *m)
{
    rl_groups_measure(g, &r->o->loss, m);
    if (m->groups == 0)
        return nothing_left(r, g, "two captions without an error");
    int status = rl_update_step(&r->u, g, lr_at(&r->lr, r->step + 1), m);
    if (status == 0 && m->groups == 0 && m->updates == 0)
        return nothing_left(r, g, "its pictures and two captions without an error");
    return status == RL_FAILED ? fail_in("step %lld", (long long)r->step + 1) : status;
}

/* 1 a step, 0 the input is at its end, or a failure. */
static int one_step(struct run *r)
{
    struct rl_groups g = {0};
    double from = now();
    int status = gather(r, &g);
    if (status != 1) {
        rl_groups_free(&g);
        return status;
    }
    double begin = now();
    struct rl_metrics m = {.step = r->step + 1, .version = r->step + 1};
    status = learn(r, &g, &m);
    rl_groups_free(&g);
    if (status < 0)
        return status;
    r->step++;
    m.wait = begin - from;
    m.seconds = now() - begin; /* a kept row cannot know what its keeping takes */
    keep_row(r, &m);
    if (r->step % r->o->save == 0)
        status = save(r);
    if (status == 0)
        status = publish(r);
    if (status < 0)
        return status;
    m.seconds = now() - begin;
    r->calls->metrics(r->calls->context, &m);
    return 1;
}

static int steps(struct run *r)
{
    int status = 1;
    while (status == 1 && (r->o->steps == 0 || r->step < r->o->steps)) {
        /* ranks end together: rank 0 is asked while it reads, all are in passes */
        if (!r->o->comm && r->calls->stop(r->calls->context))
            return fail(FAIL_REFUSED, "interrupted"), RL_UNFINISHED;
        status = one_step(r);
    }
    if (status == 0 && r->o->steps)
        return fail(FAIL_MISSING, "the input ends behind step %lld, and --steps is %lld",
                    (long long)r->step, (long long)r->o->steps),
               RL_UNFINISHED;
    return status < 0 ? status : 0;
}

int rl_train(const struct rl_options *o, const char *program,
             const struct rl_calls *calls)
{
    struct run r = {.o = o, .calls = calls, .program = program, .lr = o->lr, .saved = -1};
    struct failure why;
    r.first = comm_rank(o->comm) == 0;
    r.lr.steps = o->steps;
    int status = start(&r);
    bool started = status == 0;
    if (started)
        status = steps(&r);
    fail_save(&why);
    if (comm_lost(o->comm)) {
        status = RL_UNFINISHED;
    } else if (started) {
        int kept = save(&r);
        if (kept == 0 && r.first && !r.u.begun &&
            policy_complete(r.policy, trainer_kernels(r.u.t), trainer_dev(r.u.t),
                            trainer_params(r.u.t)) < 0)
            kept = RL_UNFINISHED;
        if (r.first)
            say_taken(&r);
        if (kept < 0)
            status = kept;
        else if (status == 0)
            status = r.first && policy_settle(r.policy) < 0 ? RL_UNFINISHED : 0;
        else
            fail_again(&why);
    }
    if (status < 0)
        comm_leave(o->comm, fail_text());
    run_close(&r);
    return status;
}
