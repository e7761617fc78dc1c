/* ask_own.h: between the files of ask(): what is put to the model, and how.
 *
 * ask.c checks and sums up, ask_orders.c plans the judgements, ask_prompts.c writes them
 * out, ask_expected.c and ask_sampled.c have them judged.
 */
#ifndef ASK_OWN_H
#define ASK_OWN_H
#include "qa/ask.h"

enum { SHOWN_MAX = QUESTION_OPTIONS_MAX + 1 }; /* options of a question, and cannot */

/* One judgement to come: a question with its options in some order. */
struct judgement {
    int question, order;              /* as in ask_answer */
    int shown;                        /* options on show, cannot included */
    unsigned char options[SHOWN_MAX]; /* [shown] by place: the option's number in the
                                         question; the question's count: cannot */
};

/* One ask() on its way. Borrows what it was called with, owns the rest. */
struct asking {
    struct model *model;
    const struct ask_rules *rules;
    const struct ask_subject *subject;
    const struct question *questions;
    int question_count;
    struct random_key key; /* of this subject of the row */
    struct judgement *judgements;
    int count;                  /* judgements */
    struct buf text;            /* all user turns' texts, one behind the other */
    struct turn_part *parts;    /* [count][picture_count + 1], and the system turn's */
    struct turn *turns;         /* [count][turns_each] */
    int turns_each;             /* 1, or 2 with a system turn */
    struct ask_answer *answers; /* [count] */
    int tokens;
};

/* Plan the judgements: a->judgements, a->count. 0; -1: memory, refused (more options than
 * letters), too_large. */
int ask_plan(struct asking *a);
/* Write their turns. 0 or -1 (memory). */
int ask_write(struct asking *a);
/* Fill in a->answers. 0, -1, MODEL_DEFERRED. */
int ask_expected(struct asking *a);
int ask_sampled(struct asking *a);

/* The text of an option by its number; the question's count: cannot. */
static inline struct span ask_option(const struct asking *a, const struct question *q,
                                     int option)
{
    return option < q->count ? q->options[option] : span_of(a->rules->cannot);
}

/* Is picking this option picking the right one? Options of equal text are one. */
bool ask_is_right(const struct question *q, int option);
#endif
