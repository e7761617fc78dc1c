/* score.h: the rewards of a row's captions, and what is written of them.
 *
 *     total = acc + alpha format + beta len - token_cost tokens - flag_cost flags
 *
 * Only what was judged has a reward: a caption whose judgement failed has an error
 * instead, and is no part of the row's statistics.
 */
#ifndef REWARD_SCORE_H
#define REWARD_SCORE_H
#include "qa/ask.h"
#include "reward/captions.h"
#include "reward/reward.h"
#include "row/cli.h"

struct reward_rules {
    struct cli *cli;     /* given up when every endpoint is down; borrowed */
    struct model *judge; /* NULL: format and length alone; borrowed */
    struct ask_rules ask;
    const struct wording *video_wording; /* for rows with a video, instead of ask's */
    struct reward_weights weights;
    bool format_everywhere; /* weights.format was asked for: it holds for all rows. Else
                               only for those with a video */
    double len_full, len_zero;
    bool explain; /* write answers */
};

/* What a caption got. */
enum reward_state {
    REWARD_JUDGED,
    REWARD_FAILED,   /* here: why */
    REWARD_PASSED,   /* it came in with an error */
    REWARD_DEFERRED, /* its questions were written to a batch */
};
struct reward {
    enum reward_state state;
    double total, format, len; /* len < 0: not known */
    unsigned flags;
    struct ask_result judged; /* acc, se, answers; of the first of equal captions */
    struct failure why;
    int attempts;
};

/* A row's rewards; reward_scores_free() in any case. */
struct reward_scores {
    struct reward_captions captions;
    struct questions questions;
    struct reward *items; /* [captions.count]; owned */
    struct reward_group group;
};

/* Judge the row's captions, equal ones once. 0; -1: the row itself is wrong (missing: no
 * captions, questions or token counts; type; too_large); CLI_ABANDON as model_failed();
 * CLI_DROP: its questions were written to a batch. */
int reward_scores_make(struct reward_scores *s, const struct reward_rules *rules,
                       struct row *row, struct random_key key);

/* What reward_scores_make() would do with the row. 0, or -1 as there. */
struct reward_plan {
    int captions;       /* to be judged: different ones, without an error */
    int64_t judgements; /* requests to an endpoint */
};
int reward_plan_make(struct reward_plan *plan, const struct reward_rules *rules,
                     struct row *row);

/* Put them into the row: captions[].reward or .error, reward_group. 0 or -1 (memory). */
int reward_scores_set(const struct reward_scores *s, const struct reward_rules *rules,
                      struct row *row);
void reward_scores_free(struct reward_scores *s);
#endif
