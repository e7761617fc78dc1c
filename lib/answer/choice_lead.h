/* choice_lead.h: what stands before a chosen option: "The answer is", "答案：". */
#ifndef CHOICE_LEAD_H
#define CHOICE_LEAD_H
#include "base/span.h"

/* The reply without a lead-in, English (letter.h) or Chinese, and without marks and space
 * behind it; all of it where there is none. */
struct span choice_behind_lead_in(struct span reply);

/* What the last \boxed{...} holds; s NULL: there is none, or it does not end. Linear. */
struct span choice_boxed(struct span reply);
#endif
