/* pair_turns.h: a row with two answers to one prompt, in the forms that preference data
 * come in. */
#ifndef PAIR_TURNS_H
#define PAIR_TURNS_H
#include "model/conversation.h"
#include "train/example.h"

/* Two answers to one prompt. Texts are memory of the row's. */
struct pair_turns {
    struct conversation prompt; /* its last turn is a user's */
    struct span chosen, rejected;
};

/* Read a row. The prompt is one of
 *
 *   - `messages` (OpenAI chat form),
 *   - `conversations` (LLaVA, ShareGPT, LLaMA-Factory: from, value, <image> tags),
 *   - `prompt` as a list of messages (TRL: an {"type":"image"} part takes the next of the
 *     row's pictures; where there is no such part, all stand before the first user's
 *     text),
 *   - what `chosen` and `rejected` both begin with, as lists of messages (TRL without a
 *     prompt),
 *   - the row's pictures, if it has any, and `prompt` as text, else what `gen` says was
 *     asked, else options.prompt.
 *
 * `chosen` and `rejected` are each a text, an object with `text` (a caption), `value`
 * (LLaMA-Factory) or `content` (a message), or a list of one message. 0, or -1: missing,
 * type, media, refused (an answer that came in with an error). pair_turns_free() in both
 * cases. */
int pair_turns_read(struct pair_turns *p, struct row *row,
                    const struct example_options *o);
void pair_turns_free(struct pair_turns *p);
#endif
