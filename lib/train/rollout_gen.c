/* rollout_gen.c: see rollout_gen.h. Field names: capmill(7). */
#include "train/rollout_gen.h"
#include "base/fail.h"
#include "model/conversation.h"
#include "model/prompt.h"

#include <stdio.h>
#include <string.h>

/* -- Does it fit? -----------------------------------------------------------------------
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

int rollout_gen(struct rollout *r, const struct rollout_rules *rules, struct row *row)
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

/* -- The prompt -------------------------------------------------------------------------
 */

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
int rollout_prompt(struct example *e, const struct rollout_rules *rules, struct row *row)
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
