/* score.c: judge a row's captions and add their rewards up. See score.h. */
#include "reward/score.h"
#include "base/fail.h"
#include "model/media.h"
#include "model/work.h"
#include "reward/words.h"

#include <stdlib.h>

/* Does a conversation's part say that it is a video? */
static bool is_video_part(struct span part)
{
    struct span type = json_get(part, "type");
    return span_is(type, "\"video\"") || span_is(type, "\"video_url\"");
}

/* Rows with a video: their captions have time stamps, and a wording of their own. */
static bool has_video(const struct row *row)
{
    struct span turn, part;
    if (media_is_there(row_value(row, "video")) ||
        media_is_there(row_value(row, "videos")))
        return true;
    for (size_t at = 0; json_each(row_value(row, "messages"), &at, &turn);)
        for (size_t in = 0; json_each(json_get(turn, "content"), &in, &part);)
            if (is_video_part(part))
                return true;
    return false;
}

/* One row on its way. */
struct scoring {
    const struct reward_rules *rules;
    struct reward_scores *scores;
    struct ask_rules ask; /* the rules' with the row's wording */
    struct random_key key;
    bool with_format; /* the format term counts in this row */
};

/* Token counts are the policy's: nobody else can make them up. */
static int check_tokens(const struct reward_weights *w, const struct reward_captions *c)
{
    if (w->length == 0 && w->token_cost == 0)
        return 0;
    for (int i = 0; i < c->count; i++) {
        if (c->items[i].failed || c->items[i].tokens >= 0)
            continue;
        return fail(
            FAIL_MISSING,
            "no \"captions[%d].tokens\", which length is counted in (%s does "
            "without)",
            i, w->token_cost == 0 ? "--len-weight 0" : "--len-weight 0 --token-cost 0");
    }
    return 0;
}

static int read_row(const struct reward_rules *rules, struct row *row,
                    struct reward_captions *captions, struct questions *questions)
{
    *questions = (struct questions){0};
    if (reward_captions_read(captions, row) < 0 ||
        check_tokens(&rules->weights, captions) < 0)
        return -1;
    if (!rules->judge)
        return 0;
    if (questions_read(questions, row) < 0)
        return -1;
    return questions->count > 0 ? 0 : fail(FAIL_MISSING, "\"qa\" has no questions");
}

/* The terms that need no judge. */
static int measure(const struct scoring *s, const struct reward_caption *c,
                   struct reward *r)
{
    if (s->with_format)
        r->format = reward_format(c->text).score;
    r->len = c->tokens < 0
                 ? -1
                 : reward_length(c->tokens, s->rules->len_full, s->rules->len_zero);
    if (words_blank(c->text))
        r->len = 0; /* saying nothing has no length to be rewarded */
    return reward_flags(c->text, &r->flags);
}

static int count_flags(unsigned flags)
{
    int n = 0;
    for (; flags; flags >>= 1) n += flags & 1;
    return n;
}

static void add_up(const struct scoring *s, const struct reward_caption *c, double acc,
                   struct reward *r)
{
    const struct reward_weights *w = &s->rules->weights;
    double total = acc;
    if (s->with_format)
        total += w->format * r->format;
    if (w->length != 0)
        total += w->length * r->len;
    if (w->token_cost != 0)
        total -= w->token_cost * c->tokens;
    r->total = total - w->flag_cost * count_flags(r->flags);
}

/* Have a caption judged. 0, with a failure kept in r; or CLI_ABANDON. */
static int judge(struct scoring *s, int i, struct reward *r)
{
    const struct reward_caption *c = &s->scores->captions.items[i];
    struct ask_subject subject = {.caption = c->text};
    if (!subject.caption.s)
        subject.caption.s = "";
    s->ask.request.attempts = &r->attempts;
    int status = ask(s->rules->judge, &s->ask, &subject, s->scores->questions.items,
                     s->scores->questions.count, s->key, i, &r->judged);
    if (status == MODEL_DEFERRED)
        r->state = REWARD_DEFERRED;
    if (status >= 0)
        return 0;
    r->state = REWARD_FAILED;
    fail_save(&r->why);
    return model_failed(s->rules->cli, s->rules->judge) == CLI_ABANDON ? CLI_ABANDON : 0;
}

/* A caption that was said before shares its verdict, down to the failure. */
static void share(const struct reward *first, struct reward *r)
{
    r->state = first->state;
    r->why = first->why;
    r->attempts = first->attempts;
}

/* One caption's reward. 0, -1 (memory) or CLI_ABANDON. */
static int score(struct scoring *s, int i)
{
    struct reward_scores *scores = s->scores;
    const struct reward_caption *c = &scores->captions.items[i];
    struct reward *r = &scores->items[i];
    int status = 0;
    if (c->failed) {
        r->state = REWARD_PASSED;
        scores->group.failed++;
        return 0;
    }
    if (measure(s, c, r) < 0)
        return -1;
    if (c->first != i)
        share(&scores->items[c->first], r);
    else if (s->rules->judge)
        status = judge(s, i, r);
    if (r->state == REWARD_JUDGED) {
        add_up(s, c, scores->items[c->first].judged.acc, r);
        reward_group_add(&scores->group, r->total);
    }
    scores->group.failed += r->state == REWARD_FAILED;
    return status;
}

/* Questions that went to a batch: the row waits for their replies. Not so if some could
 * not be written: a batch of half a row is a failure. */
static int settle(const struct reward_scores *s)
{
    int deferred = 0;
    for (int i = 0; i < s->captions.count; i++)
        deferred += s->items[i].state == REWARD_DEFERRED;
    if (deferred == 0)
        return 0;
    for (int i = 0; i < s->captions.count; i++)
        if (s->items[i].state == REWARD_FAILED)
            return fail_again(&s->items[i].why);
    return CLI_DROP;
}

int reward_scores_make(struct reward_scores *scores, const struct reward_rules *rules,
                       struct row *row, struct random_key key)
{
    bool video = has_video(row);
    struct scoring s = {.rules = rules,
                        .scores = scores,
                        .ask = rules->ask,
                        .key = key,
                        .with_format = video || rules->format_everywhere};
    *scores = (struct reward_scores){0};
    if (video)
        s.ask.wording = rules->video_wording;
    if (read_row(rules, row, &scores->captions, &scores->questions) < 0)
        return -1;
    scores->items = calloc((size_t)scores->captions.count, sizeof *scores->items);
    if (!scores->items)
        return fail_memory();
    for (int i = 0; i < scores->captions.count; i++) {
        int status = score(&s, i);
        if (status != 0)
            return status;
    }
    reward_group_end(&scores->group);
    return settle(scores);
}

int reward_plan_make(struct reward_plan *plan, const struct reward_rules *rules,
                     struct row *row)
{
    struct reward_captions captions;
    struct questions questions;
    *plan = (struct reward_plan){0};
    if (read_row(rules, row, &captions, &questions) < 0)
        return -1;
    for (int i = 0; i < captions.count; i++)
        plan->captions += !captions.items[i].failed && captions.items[i].first == i;
    if (rules->judge)
        plan->judgements = plan->captions *
                           ask_judgements(&rules->ask, questions.items, questions.count);
    return 0;
}

void reward_scores_free(struct reward_scores *s)
{
    for (int i = 0; s->items && i < s->captions.count; i++)
        ask_result_free(&s->items[i].judged);
    free(s->items);
    *s = (struct reward_scores){0};
}
