/* math.h: are two answers the same mathematical object? LaTeX and plain expressions, in
 * the class of math-verify 0.9 (Hugging Face), decided exactly: rationals and polynomials
 * by FLINT, real values by Arb's balls, which prove inequality (Johansson, IEEE Trans.
 * Computers 66, 2017).
 */
#ifndef ANSWER_MATH_H
#define ANSWER_MATH_H
#include "answer/fuel.h"
#include "base/span.h"
#include <stdbool.h>

/* Fuel that every sane pair of answers gets by on (the reference's take some thousands at
 * most) and that hostile ones spend in some tens of milliseconds. */
enum { MATH_FUEL_DEFAULT = 1000000 };

/* What is taken for an answer inside of a text, and how it is compared. Zeroed fields but
 * for digits are not the defaults: start from math_defaults(). */
struct math_rules {
    bool latex; /* LaTeX: \boxed{}, $...$, \(...\), \[...\], environments */
    bool plain; /* plain expressions and numbers, where no LaTeX is found */
    bool first; /* the first match alone counts; else later ones are tried where it does
                   not parse */
    int boxed; /* priority of \boxed{} among LaTeX (math-verify's boxed_match_priority): 0
                  above an answer's lead-in, 50 as any other, -1 not at all */
    int digits;  /* decimals that floating numbers are rounded to: 6 */
    bool strict; /* a lone number is not a set of one; variables must be the same */
    bool turned; /* the two change places when they are compared: a prediction that is a
                    relation counts as its set, a gold no more */
    bool set_relations; /* x in {1,2} equals x = 1, x = 2 (allow_set_relation_comp) */
};
struct math_rules math_defaults(void);

enum math_verdict {
    MATH_DIFFERENT,
    MATH_EQUAL,
    MATH_NO_GOLD,       /* nothing in gold parses */
    MATH_NO_PREDICTION, /* nothing in the prediction parses */
    MATH_GOLD_FUEL,     /* fuel ran out in reading gold */
    MATH_FUEL,          /* ... in reading the prediction or comparing: not proven equal */
};

/* Compare. Any bytes will do. Thread-safe: no state is kept between calls but FLINT's
 * caches, which are per thread (math_thread_end()). fuel is shared by all parts of the
 * work. */
enum math_verdict math_verify(struct span gold, struct span prediction,
                              const struct math_rules *rules, struct fuel *fuel);

/* Append the text that is taken for the answer: the first match's, in the form in which
 * it is parsed; nothing where nothing matches. 0; 1: out of fuel; -1 (memory). */
struct buf;
int math_text(struct span text, const struct math_rules *rules, struct fuel *fuel,
              struct buf *out);

/* Give back what a thread that called math_verify() has cached. */
void math_thread_end(void);
#endif
