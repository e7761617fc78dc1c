/* choice_say.h: for choice.c: the many ways in which a sentence says its choice. */
#ifndef CHOICE_SAY_H
#define CHOICE_SAY_H
#include "base/span.h"
#include <stdbool.h>

/* What stands behind an opening that announces a choice: "So the answer to the question
 * must be", "I would go with", "Therefore,", "Ans:", "It is option". s NULL: text has no
 * such opening. */
struct span choice_behind_phrase(struct span text);
/* What a sentence says that something is, at its end: "blue" of "The car is blue.".
 * s NULL: it is no single line of that form, or it denies or doubts ("not", "neither",
 * "either"). */
struct span choice_said_to_be(struct span text);
/* Does the text go through its options ("A. red: no\nB. blue: yes", "Option A: no. Option
 * B: yes")? Its first letter is no answer then. */
bool choice_lists_options(struct span text);
/* Without an article at its start. */
struct span choice_without_article(struct span text);
#endif
