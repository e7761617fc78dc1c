/* pair_form.h: pairs as other trainers read them.
 *
 * TRL: a conversational preference set with pictures: `prompt`, `chosen`, `rejected` are
 * lists of messages, an {"type":"image"} part stands for each of `images`
 * (huggingface.co/docs/trl/dataset_formats, "Preference" and "Vision datasets").
 *
 * LLaMA-Factory: a sharegpt preference set: `conversations` of {from, value} with an
 * <image> or <video> tag for each of `images` and `videos`, `chosen` and `rejected` one
 * such turn each (its data/README.md, "Sharegpt Format").
 *
 * Both get `id`, where the row has one, and `score_chosen`, `score_rejected`: the
 * rewards.
 */
#ifndef PAIR_FORM_H
#define PAIR_FORM_H
#include "reward/asked.h"
#include "reward/pairs.h"

enum pair_form { PAIR_ROWS, PAIR_TRL, PAIR_LLAMAFACTORY };

/* "rows", "trl", "llamafactory". 0 or -1 (class refused). */
int pair_form_of(enum pair_form *form, const char *name);

/* Append a pair in a form other than PAIR_ROWS as one JSON object. root: put before
 * relative paths; NULL: nothing is. 0, or -1: refused (media without a place in the
 * form), type (a text holds what the form reads as a tag), memory. */
int pair_form_put(struct buf *out, enum pair_form form, const struct row *row,
                  const struct asked *asked, const struct pair *pair, const char *root);
#endif
