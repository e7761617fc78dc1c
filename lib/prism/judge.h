/* judge.h: stage 2 of Prism (Qiao et al., arXiv 2406.14544): a judge that cannot see the
 * picture answers its question from a caption.
 */
#ifndef PRISM_JUDGE_H
#define PRISM_JUDGE_H
#include "prism/item.h"
#include "prism/preset.h"
#include "prism/store.h"

struct judge {
    struct model *model;
    struct preset prompts;  /* for questions in words; owned */
    struct wording place;   /* what stands in a finished prompt in the picture's place: a
                               {caption}; owned */
    bool hide_options;      /* the user's own prompt has no place for them */
    struct request request; /* sampling settings, limits, abandon(); turns, key and part
                               are filled in for each caption */
    enum answer_rules rules;
    enum letter_rule letter;
    bool keep_tokens; /* predictions get `tokens`, where they are known */
};

/* What the judge said about one caption, and what that is worth. */
struct prediction {
    struct span text; /* the row's */
    int tokens;       /* of text, -1: unknown */
    bool failed;      /* the caption came in with an error: nothing was asked */
    struct answer_verdict verdict;
};

/* Ask about each caption and score the replies into predictions[captions->count]. Equal
 * captions are judged once where the judge is greedy. 0, or -1 (classes as model.h;
 * refused: no prompt for this kind of question; type: an answer that cannot be scored),
 * or MODEL_DEFERRED: nothing is known then, of any caption. */
int judge_ask(const struct judge *j, struct row *row, const struct item *item,
              const struct store_captions *captions, struct random_key key,
              struct prediction *predictions);

/* Set the row's `captions`, `predictions`, `score` (their mean) and `best`; where a
 * caption had failed, the row is flawed, and where all had, the result is -1. */
int judge_set(const struct judge *j, struct row *row,
              const struct store_captions *captions,
              const struct prediction *predictions);
#endif
