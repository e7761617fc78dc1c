/* ask.h: put multiple-choice questions to a model, and count what it gets right.
 *
 * Two estimators of one number, the probability that the model picks the right option:
 *  - expected: the model's own probability of the right option among all that are shown,
 *    averaged over the questions and over orders of the options (cyclic shifts, so that
 *    each option stands at each place once). No sampling, no parsing.
 *  - sampled: the model answers, its letter (or words) is read; a reply without one is
 *    judged and wrong. This is the published protocol (CapRL, arXiv 2509.22647).
 * And two forms: options shown and answered by letter; or answered in words, where the
 * options are whole replies (text, end of turn) and their order does not matter.
 * A question that could not be put is a failure of the whole, never a zero.
 */
#ifndef ASK_H
#define ASK_H
#include "model/model.h"
#include "qa/letter.h"
#include "qa/question.h"
#include "qa/wording.h"

enum ask_score { ASK_EXPECTED, ASK_SAMPLED };
enum ask_form { ASK_LETTER, ASK_TEXT };

struct ask_rules {
    enum ask_score score;
    enum ask_form form;
    enum letter_rule letter;
    int orders;  /* cyclic shifts of the options; more than there are options: as many as
                    there are; 0: all. (ASK_TEXT: one) */
    int rounds;  /* sampled: questions drawn with replacement, options shuffled; 0: each
                    question in `orders` shifts */
    bool all_qa; /* sampled, instead of rounds: each question once, options as they stand
                  */
    const char
        *cannot; /* an option put last in every order ("cannot answer"); NULL: none */
    const struct wording *wording; /* of the user's turn */
    struct request request; /* sampling settings, limits and abandon(); turns, key and
                               part are filled in for each question */
};

/* What is asked about: a caption put into the wording, or pictures in front of it, or
 * neither (text alone). */
struct ask_subject {
    struct span caption;              /* s NULL: none */
    const struct turn_part *pictures; /* [picture_count] parts of the user's turn */
    int picture_count;
    const char *system; /* NULL: none */
};

/* One judgement. */
struct ask_answer {
    int question, order; /* its number; the shift, or the round */
    int chosen; /* the option picked, in the question's own numbering; count: cannot;
                   -1: none was given. expected: the likeliest */
    double p;   /* expected: probability of the right option; sampled: 1 or 0 */
    bool right; /* chosen is the answer */
};

struct ask_result {
    double acc; /* mean over questions of the mean over their judgements (rounds: over
                   all judgements alike) */
    double se;  /* standard error of acc: sample standard deviation over the questions'
                   means / sqrt(questions), over the judgements where there is one question
                   or where rounds were drawn; 0 for a single judgement */
    struct ask_answer *answers; /* [count] in order of question and order; owned */
    int count;
    int tokens; /* that the model was given and made, where known (for figures) */
};

/* Can this model be asked by these rules: does it tell the probabilities that `expected`
 * needs. 0, or -1 (class refused) with what would work. ask() checks it too. */
int ask_possible(const struct model *model, const struct ask_rules *rules);

/* The score to use where the user names none: expected where the model tells the
 * probability of any reply (local models), else sampled. */
enum ask_score ask_best_score(const struct model *model);

/* How many judgements ask() would make: requests to an endpoint. */
int64_t ask_judgements(const struct ask_rules *rules, const struct question *questions,
                       int count);

/* Put the questions. key: the row's; part: a number that differs for each subject of one
 * row, so that no two draws are alike. 0; -1 (class as model.h; refused: a question with
 * too many options for the letters); MODEL_DEFERRED. *result is empty unless 0. Sampled
 * rounds draw from the key: same row, seed and model, same questions and orders. */
int ask(struct model *model, const struct ask_rules *rules,
        const struct ask_subject *subject, const struct question *questions, int count,
        struct random_key key, int part, struct ask_result *result);
void ask_result_free(struct ask_result *r);

/* The cyclic shift r of n options: the option that stands at place p. */
static inline int ask_shift(int place, int order, int n)
{
    return (place + order) % n;
}
#endif
