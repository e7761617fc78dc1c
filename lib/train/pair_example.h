/* pair_example.h: from a row with two answers to one prompt to an example. */
#ifndef PAIR_EXAMPLE_H
#define PAIR_EXAMPLE_H
#include "train/example.h"

enum { PAIR_CHOSEN, PAIR_REJECTED, PAIR_PARTS };

/* An example of a row that pair_turns_read() reads: the prompt up to the assistant's
 * opening, and two parts behind it, chosen and rejected: each an answer and the token
 * that ends its turn, all of them targets. Text is content. plan_only: pictures are
 * measured, not cut. With options.truncate answers are cut at options.ctx (0: the model's
 * context) tokens, prompt included. 0, or -1 with the class and the field: as
 * pair_turns_read(); too_long (with the token count); refused (both answers are the same
 * tokens: nothing can be learnt). example_free() it. */
int example_pair(struct example *e, const struct trainer_text *t, struct row *row,
                 bool plan_only);
#endif
