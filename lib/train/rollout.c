/* rollout.c: see rollout.h. Field names: capmill(7). */
#include "train/rollout.h"
#include "base/fail.h"
#include "model/conversation.h"
#include "model/prompt.h"
#include "row/row_own.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rollout_terms[ROLLOUT_TERMS] = {"acc", "format", "len"};

static bool is_there(struct span value)
{
    return value.s && json_type(value) != JSON_NULL;
}

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
        if (json_double(element, &x) < 0 || !(x <= 0))
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
    for (int i = 0; i < ROLLOUT_TERMS; i++) {
        struct span term = json_get(reward, rollout_terms[i]);
        if (!is_there(term) || json_double(term, &c->term[i]) < 0)
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
    if (is_there(error))
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

/* -- How it was sampled -----------------------------------------------------------------
 */

/* gen.KEY as a text of the row's memory; *text NULL if it is null or absent. */
static int gen_text(struct row *row, const char *key, const char **text)
{
    char path[64];
    struct span value;
    snprintf(path, sizeof path, "gen.%s", key);
    *text = NULL;
    if (!row_has(row, path))
        return 0;
    if (row_text(row, path, &value) < 0)
        return -1;
    if (value.n && memchr(value.s, '\0', value.n))
        return fail(FAIL_TYPE, "\"%s\": a NUL byte", path);
    char *copy = row_alloc(row, value.n + 1);
    if (!copy)
        return -1;
    if (value.n)
        memcpy(copy, value.s, value.n);
    copy[value.n] = '\0';
    *text = copy;
    return 0;
}

static int gen_real(struct row *row, const char *key, double otherwise, double *x)
{
    char path[64];
    snprintf(path, sizeof path, "gen.%s", key);
    *x = otherwise;
    return row_has(row, path) ? row_real(row, path, x) : 0;
}

static int gen_int(struct row *row, const char *key, int64_t *x)
{
    char path[64];
    snprintf(path, sizeof path, "gen.%s", key);
    *x = 0;
    return row_has(row, path) ? row_int(row, path, x) : 0;
}

/* Is what was drawn from the whole distribution that logprobs are of? */
static int check_truncated(struct row *row, const struct rollout_rules *rules)
{
    static const struct {
        const char *key;
        double off;
    } cuts[] = {{"top_p", 1},
                {"top_k", 0},
                {"min_p", 0},
                {"repetition_penalty", 1},
                {"presence_penalty", 0}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        double x;
        if (gen_real(row, cuts[i].key, cuts[i].off, &x) < 0)
            return -1;
        if (x != cuts[i].off && !rules->allow_truncated)
            return fail(FAIL_REFUSED,
                        "sampled with %s %g, so the log-probabilities are not those of "
                        "what was drawn from (--allow-truncated takes it all the same)",
                        cuts[i].key, x);
    }
    return 0;
}

static int check_model(struct row *row, const struct rollout_rules *rules)
{
    const char *model, *chat;
    struct prompt_format format;
    struct patch_config patches;
    if (gen_text(row, "model", &model) < 0 || gen_text(row, "chat", &chat) < 0)
        return -1;
    if (!model)
        return fail(FAIL_REFUSED, "no \"gen.model\": sample with caption --logprobs");
    if (!(rules->hash[0] && strcmp(model, rules->hash[0]) == 0) &&
        !(rules->hash[1] && strcmp(model, rules->hash[1]) == 0))
        return fail(FAIL_REFUSED, "gen.model %.40s is not the policy's, %s", model,
                    rules->hash[0]);
    trainer_text_format(rules->text, &format, &patches);
    if (!chat || strcmp(chat, chat_name(format.chat)) != 0)
        return fail(FAIL_REFUSED, "gen.chat %.40s is not the policy's, %s",
                    chat ? chat : "null", chat_name(format.chat));
    return 0;
}

/* What was asked must be what the row still says. */
static int check_prompt(struct row *row)
{
    const char *prompt;
    struct span own;
    if (gen_text(row, "prompt", &prompt) < 0)
        return -1;
    if (row_has(row, "messages"))
        return prompt ? fail(FAIL_REFUSED, "gen.prompt, and the row has messages") : 0;
    if (!prompt)
        return fail(FAIL_REFUSED, "no \"gen.prompt\"");
    if (row_has(row, "prompt") &&
        (row_text(row, "prompt", &own) < 0 || !span_is(own, prompt)))
        return fail(FAIL_REFUSED, "gen.prompt is not the row's own prompt");
    return 0;
}

static int gen_read(struct rollout *r, const struct rollout_rules *rules, struct row *row)
{
    if (json_type(row_value(row, "gen")) != JSON_OBJECT)
        return fail(FAIL_REFUSED, "no \"gen\": sample with caption --logprobs");
    if (check_model(row, rules) < 0 || check_prompt(row) < 0 ||
        check_truncated(row, rules) < 0 ||
        gen_real(row, "temperature", 1, &r->temperature) < 0 ||
        gen_int(row, "version", &r->version) < 0)
        return fail(FAIL_REFUSED, "%s", fail_text());
    if (r->temperature < 0 || (r->temperature == 0 && !rules->allow_truncated))
        return fail(FAIL_REFUSED,
                    "sampled at temperature 0: always the likeliest token, nothing to "
                    "learn from (--allow-truncated takes it all the same)");
    if (r->temperature == 0)
        r->temperature = 1; /* which its log-probabilities are of */
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
    if (gen_read(r, rules, row) < 0 || captions_read(r, row, vocabulary(rules)) < 0) {
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

static int format_read(struct prompt_format *format, struct patch_config *patches,
                       const struct rollout_rules *rules, struct row *row)
{
    const char *think;
    int64_t least, most;
    trainer_text_format(rules->text, format, patches);
    if (gen_text(row, "think", &think) < 0 || gen_int(row, "min_pixels", &least) < 0 ||
        gen_int(row, "max_pixels", &most) < 0)
        return -1;
    if (think)
        format->chat_options.think =
            strcmp(think, "on") == 0 ? CHAT_THINK_ON : CHAT_THINK_OFF;
    format->chat_options.vision_id =
        json_type(row_value(row, "gen.vision_id")) == JSON_TRUE;
    if (least > 0)
        patches->min_pixels = least;
    if (most > 0)
        patches->max_pixels = most;
    return 0;
}

/* As caption makes it: cmd/caption.c, lib/model/local.c. */
static int prompt_again(struct example *e, const struct rollout_rules *rules,
                        struct row *row)
{
    struct conversation c = {0};
    struct conversation_options options = {.root = rules->root,
                                           .allow_url = rules->allow_url};
    struct prompt_format format;
    struct patch_config patches;
    struct prompt prompt = {0};
    int status = -1;
    if (gen_text(row, "system", &options.system) == 0 &&
        gen_text(row, "prompt", &options.prompt) == 0 &&
        format_read(&format, &patches, rules, row) == 0 &&
        conversation_read(&c, row, &options) == 0) {
        struct request request = {.turns = c.turns,
                                  .count = c.count,
                                  .max_input_pixels = rules->max_input_pixels};
        status = prompt_make(&prompt, &format, &request, false);
    }
    if (status == 0) {
        e->prompt = prompt.ids;
        e->pictures = prompt.pictures;
        e->picture_count = prompt.count;
        prompt.ids = (struct ids){0};
        prompt.pictures = NULL;
        prompt.count = 0;
    }
    prompt_free(&prompt);
    conversation_free(&c);
    return status;
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
    int status = prompt_again(e, rules, &row);
    if (status == 0)
        status = parts_make(e, r);
    row_free(&row);
    tokens_free(&tokens);
    if (status < 0)
        example_free(e);
    return status;
}
