/* answer.h: score a predicted answer against the right ones, by a named rule. */
#ifndef ANSWER_H
#define ANSWER_H
#include "base/span.h"
#include "qa/letter.h"
#include <stdbool.h>
#include <stdint.h>

enum answer_kind {
    ANSWER_CHOICE,  /* an option's letter, else its text */
    ANSWER_RELAXED, /* a number within 5% (ChartQA: Masry et al., arXiv 2203.10244) */
    ANSWER_ANLS,    /* edit distance (Biten et al., arXiv 1905.13648), no mean */
    ANSWER_VQA,     /* equal as VQA normalises (Antol et al., arXiv 1505.00468) */
    ANSWER_MATH,    /* the same mathematical object: math.h */
    ANSWER_EXACT,   /* the same text, white space at the ends left out */
    ANSWER_JUDGE,   /* a model grades: not scored here */
    ANSWER_ITEMS,   /* lists item by item: numbers within 5%, other texts by ANLS */
};
int answer_kind_named(const char *name, size_t size); /* "choice", ...; -1 */
const char *answer_kind_name(enum answer_kind kind);

/* Which rules: ours, or as CapRL's Eval_CapRL.py scores (faults included, for comparison
 * with published figures). That one chose its form by a file's name; here the kind does:
 * ANSWER_RELAXED, ANSWER_ITEMS: the form for charts; ANSWER_ANLS: for infographics; every
 * other kind: the plain one, also choices, whose letter stands in the box. It takes the
 * reply as it is, and reads neither options nor letter. */
enum answer_rules { ANSWER_OURS, ANSWER_PUBLISHED };

/* What is right. Borrowed during the call. */
struct answer_task {
    enum answer_kind kind;
    enum answer_rules rules;
    enum letter_rule letter;  /* how a choice's letter is read; but for LETTER_ALONE the
                                 reply is taken as it is, and only letters count */
    const struct span *golds; /* [gold_count >= 1]; the best counts. choice: a letter, or
                                 an option's text */
    int gold_count;
    const struct span *options; /* choice: [option_count], maybe none */
    int option_count;
    int64_t fuel; /* steps for math; 0: the default */
};

enum answer_flag {
    ANSWER_NO_ANSWER = 1, /* nothing in the prediction could be read as an answer */
    ANSWER_NO_FUEL = 2,   /* the prediction took more than its fuel: not proven right */
    ANSWER_CUT = 4,       /* <think> without </think>: the reply ended while thinking */
};

struct answer_verdict {
    double score;   /* 0 to 1 */
    int gold;       /* which gold gave it; -1: none gave more than 0 */
    int choice;     /* choice: the option's place that was read, or -1 */
    unsigned flags; /* of enum answer_flag */
};

/* The part of a reply that answers: behind the last </think>, inside the last
 * <answer>...</answer> where there is one, or behind an <answer> that is never closed;
 * trimmed. *cut: there was a <think> that never
 * ended (the span is then empty). A view into reply. */
struct span answer_part(struct span reply, bool *cut);

/* Score. By our rules of answer_part() for choice, relaxed, anls, vqa and exact what
 * stands in the last \boxed{} counts, where there is one; and for relaxed a reply without
 * tags or box keeps its white space, as the rule is defined. 0; -1: the gold answer
 * itself is at fault (class type: a letter without an option, an unreadable number or
 * formula; class refused: out of fuel). A hostile prediction is a plain 0 with a flag.
 * Thread-safe. */
int answer_score(const struct answer_task *task, struct span prediction,
                 struct answer_verdict *verdict);
#endif
