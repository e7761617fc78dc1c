/* chatml.h: finished ChatML prompts, as CapRL publishes its evaluation rows, taken apart
 * into turns; the picture's place is where a caption goes. Never a replacement of one
 * exact text: where that fails, a judge would answer without caption and picture.
 */
#ifndef CHATML_H
#define CHATML_H
#include "model/model.h"

enum { CHATML_TURNS_MAX = 64 };

struct chatml_turn {
    enum turn_role role;
    bool picture; /* there is a picture part: `before` ends at the first one */
    struct span before, after; /* the turn's text; after: behind the picture parts, with
                                  no picture; views into the prompt */
};

/* Is this text a finished ChatML prompt? */
bool chatml_is(struct span prompt);

/* Take a prompt apart: "<|im_start|>ROLE\nTEXT<|im_end|>\n" again and again, and at its
 * end an open turn of the assistant, which is left out. Picture parts are
 * "<|vision_start|><|image_pad|><|vision_end|>"; several in a row are one place. How many
 * turns, or -1 (class type) with what is wrong: another role, text between turns, a
 * reply begun, no picture part at all, picture parts in two places, or a pad that is in
 * none. */
int chatml_read(struct chatml_turn turns[CHATML_TURNS_MAX], struct span prompt);
#endif
