/* letter.h: which option letter a reply gives. */
#ifndef LETTER_H
#define LETTER_H
#include "base/span.h"

enum letter_rule {
    LETTER_ALONE,      /* behind a lead-in, standing alone (the default) */
    LETTER_FIRST_CHAR, /* the first character that is not space */
    LETTER_ANYWHERE,   /* the first of A-I anywhere: the published reading, which takes
                          "Can not answer" for C. For comparison only */
};

/* The letter's place, 0 for A to 8 for I, or -1 where there is none. The caller asks
 * whether an option has it. Linear; any bytes will do.
 * LETTER_ALONE: skip space, `*`, `(` and a lead-in such as "The answer is" or "Answer:";
 * then one capital A-I that is not followed by a letter, mark or digit of any script.
 * Lead-ins, in any case: [the | my] [correct | right | best | final] and then answer,
 * option or choice; [is] [:] [option]. Only what comes first counts: "B or C" is B, "A
 * cat" is A, "I think C" is I (no option, of eight or fewer), "Maybe B" is none. */
int letter_read(struct span reply, enum letter_rule rule);
/* The same among the first `letters` of the alphabet, 9 to 26: for questions with more
 * than nine options. */
int letter_read_of(struct span reply, enum letter_rule rule, int letters);
/* What stands behind the space, marks and lead-in that LETTER_ALONE skips. */
struct span letter_behind_lead_in(struct span reply);
int letter_rule_named(const char *name); /* "alone", ...; -1 */
#endif
