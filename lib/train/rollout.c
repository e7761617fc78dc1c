/* rollout.c: see rollout.h. Field names: capmill(7). */
#include "train/rollout.h"
#include "base/fail.h"
#include "model/prompt.h"
#include "row/row_own.h"
#include "train/rollout_gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 1e9 /* of what is computed with: no sum or product overflows */

const char *const rollout_terms[ROLLOUT_TERMS] = {"acc", "format", "len"};

/* Keep the first reason that something of the row cannot be used. */
static void note(struct rollout *r, const char *text)
{
    if (!r->why[0])
        snprintf(r->why, sizeof r->why, "%.255s", text);
}

/* -- Captions ---------------------------------------------------------------------------
 */

static int ids_read(struct ids *ids, struct span list, int vocab)
{
    struct span element;
    int64_t id;
    for (size_t at = 0; json_each(list, &at, &element);) {
        if (json_int(element, &id) < 0 || id < 0 || id >= vocab)
            return fail(FAIL_REFUSED, "ids[%zu]: no token of this model", ids->n);
        if (ids_add(ids, (int32_t)id) < 0)
            return fail_memory();
    }
    return 0;
}

static int logprobs_read(struct rollout_caption *c, struct span list)
{
    struct span element;
    size_t n = 0;
    double x;
    if (!(c->logprob = malloc((c->ids.n + 1) * sizeof *c->logprob)))
        return fail_memory();
    for (size_t at = 0; json_each(list, &at, &element); n++) {
        if (json_double(element, &x) < 0 || !(x <= 0 && x >= -NUMBER_MAX))
            return fail(FAIL_TYPE, "logprobs[%zu]: no log-probability", n);
        if (n < c->ids.n)
            c->logprob[n] = (float)x;
    }
    return n == c->ids.n ? 0 : fail(FAIL_TYPE, "%zu ids and %zu logprobs", c->ids.n, n);
}

static int reward_read(struct rollout_caption *c, struct span reward)
{
    if (json_double(json_get(reward, "total"), &c->reward) < 0)
        return fail(FAIL_MISSING, "no number \"reward.total\"");
    if (!(fabs(c->reward) <= NUMBER_MAX))
        return fail(FAIL_TYPE, "reward.total %g: too large to be learnt from", c->reward);
    for (int i = 0; i < ROLLOUT_TERMS; i++) {
        struct span term = json_get(reward, rollout_terms[i]);
        if (!json_given(term) || json_double(term, &c->term[i]) < 0)
            c->term[i] = NAN;
    }
    return 0;
}

static void caption_free(struct rollout_caption *c)
{
    ids_free(&c->ids);
    free(c->logprob);
    *c = (struct rollout_caption){0};
}

/* 1 a caption, 0 one that cannot be learnt from (the reason kept), -1 refused. */
static int caption_read(struct rollout *r, struct rollout_caption *c, struct span object,
                        int vocab)
{
    *c = (struct rollout_caption){0};
    struct span error = json_get(object, "error"), ids = json_get(object, "ids"),
                logprobs = json_get(object, "logprobs");
    if (json_given(error))
        return 0;
    if (json_type(ids) != JSON_ARRAY || json_type(logprobs) != JSON_ARRAY)
        return fail(FAIL_REFUSED, "no \"ids\" and \"logprobs\": sample with caption "
                                  "--logprobs");
    if (ids_read(&c->ids, ids, vocab) < 0)
        return -1;
    if (logprobs_read(c, logprobs) < 0 || reward_read(c, json_get(object, "reward")) < 0)
        return note(r, fail_text()), 0;
    if (c->ids.n == 0)
        return note(r, "a caption of no tokens"), 0;
    struct span finish = json_get(object, "finish");
    c->ended = span_is(finish, "\"stop\"");
    return 1;
}

static int captions_read(struct rollout *r, struct row *row, int vocab)
{
    struct span list, element;
    size_t count = 0, at = 0;
    if (row_array(row, "captions", &list) < 0)
        return fail(FAIL_REFUSED, "no \"captions\": sample with caption --logprobs");
    while (json_each(list, &at, &element)) count++;
    if (!(r->caption = calloc(count + 1, sizeof *r->caption)))
        return fail_memory();
    int n = 0;
    for (at = 0; json_each(list, &at, &element); n++) {
        struct rollout_caption *c = &r->caption[r->count];
        int status = caption_read(r, c, element, vocab);
        if (status <= 0)
            caption_free(c);
        if (status < 0)
            return fail_in("captions[%d]", n);
        r->count += status;
        r->failed += !status;
    }
    return 0;
}

/* -- Rows -------------------------------------------------------------------------------
 */

static int place_read(struct rollout *r, struct row *row)
{
    r->step = -1;
    if (!row_has(row, "_rl"))
        return 0;
    if (row_int(row, "_rl.step", &r->step) < 0 || row_int(row, "_rl.i", &r->i) < 0 ||
        row_int(row, "_rl.of", &r->of) < 0)
        return -1;
    if (row_has(row, "_rl.version") && row_int(row, "_rl.version", &r->least) < 0)
        return -1;
    return r->step >= 1 && r->of >= 1 && r->i >= 0 && r->i < r->of
               ? 0
               : fail(FAIL_TYPE, "_rl: no place in a batch");
}

static int vocabulary(const struct rollout_rules *rules)
{
    struct prompt_format format;
    struct patch_config patches;
    trainer_text_format(rules->text, &format, &patches);
    return format.config->text.vocab;
}

int rollout_read(struct rollout *r, const struct rollout_rules *rules, struct row *row)
{
    *r = (struct rollout){.step = -1};
    int n =
        snprintf(r->where, sizeof r->where, "%s:%lld", row->file, (long long)row->line);
    struct span id = row->id;
    if (id.n > 1 && id.s[0] == '"')
        id = (struct span){id.s + 1, id.n - 2};
    if (row->has_id && n > 0 && n < (int)sizeof r->where)
        snprintf(r->where + n, sizeof r->where - (size_t)n, " (id=%.*s)",
                 (int)(id.n < 100 ? id.n : 100), id.s);
    if (row->bad) {
        r->error = true;
        note(r, row->why.text);
        return 0;
    }
    if (place_read(r, row) < 0)
        return fail(FAIL_REFUSED, "%s", fail_text());
    if (row->passed_error) {
        r->error = true;
        return 0;
    }
    if (rollout_gen(r, rules, row) < 0 || captions_read(r, row, vocabulary(rules)) < 0) {
        rollout_free(r);
        return -1;
    }
    r->size = row->text.n;
    if (!(r->text = malloc(r->size + 1))) {
        rollout_free(r);
        return fail_memory();
    }
    memcpy(r->text, row->text.s, r->size);
    return 0;
}

void rollout_free(struct rollout *r)
{
    for (int i = 0; i < r->count; i++) caption_free(&r->caption[i]);
    free(r->caption);
    free(r->text);
    *r = (struct rollout){0};
}

/* -- Its prompt again -------------------------------------------------------------------
 */

static int parts_make(struct example *e, const struct rollout *r)
{
    if (!(e->part = calloc((size_t)r->count + 1, sizeof *e->part)))
        return fail_memory();
    for (; e->parts < r->count; e->parts++) {
        const struct ids *ids = &r->caption[e->parts].ids;
        struct example_part *p = &e->part[e->parts];
        p->ids.id = malloc(ids->n * sizeof *ids->id + 1);
        p->target = malloc(ids->n + 1);
        if (!p->ids.id || !p->target) {
            e->parts++;
            return fail_memory();
        }
        memcpy(p->ids.id, ids->id, ids->n * sizeof *ids->id);
        p->ids.n = p->ids.cap = ids->n;
        memset(p->target, true, ids->n);
        e->targets += (int)ids->n;
    }
    return 0;
}

int rollout_example(struct example *e, const struct rollout *r,
                    const struct rollout_rules *rules)
{
    struct tokens tokens = {0};
    struct row row;
    *e = (struct example){0};
    char *block = malloc(r->size + 1);
    if (!block)
        return fail_memory();
    memcpy(block, r->text, r->size);
    if (row_begin(&row, "", "id", block, (struct span){block, r->size}, &tokens) < 0) {
        tokens_free(&tokens);
        return -1;
    }
    int status = rollout_prompt(e, rules, &row);
    if (status == 0)
        status = parts_make(e, r);
    row_free(&row);
    tokens_free(&tokens);
    if (status < 0)
        example_free(e);
    return status;
}
