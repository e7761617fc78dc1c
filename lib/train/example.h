/* example.h: from a row to what a supervised step trains on: ids, which of them are
 * targets, pictures.
 */
#ifndef TRAIN_EXAMPLE_H
#define TRAIN_EXAMPLE_H
#include "engine/engine.h"
#include <stdbool.h>

struct row;
struct prompt_format;
struct patch_config;

struct trainer_text; /* a model directory's tokenizer, chat format and preprocessing */

struct example_options {
    const char *root;   /* folder of relative media paths */
    const char *prompt; /* asked of rows of the form {image, caption} */
    const char *system;
    const char *chat;               /* force a chat format; NULL: the model's own */
    int64_t min_pixels, max_pixels; /* 0: the model's */
    int ctx;       /* tokens an example may have; 0: the model's context */
    bool truncate; /* cut the end of longer ones; never a media span */
};

/* One continuation behind a prompt: an assistant's words and the end of its turn. */
struct example_part {
    struct ids ids;
    bool *target; /* [ids.n]: is token i one that the loss is over? */
};

/* One sequence (sft), or several that share a prompt (dpo: chosen, rejected). All owned.
 */
struct example {
    struct ids prompt; /* shared; with sft everything before the first target, so that no
                          target is in it */
    struct example_part *part; /* [parts] */
    int parts;
    struct engine_picture
        *pictures; /* in order; patches owned; all in prompt or part[0] */
    int picture_count;
    int targets; /* target tokens of all parts */
};
void example_free(struct example *e);
int example_tokens(const struct example *e); /* of prompt and all parts */

/* NULL (class model). o is borrowed. */
struct trainer_text *trainer_text_open(const char *dir, const struct example_options *o);
void trainer_text_close(struct trainer_text *t);
/* How this model writes prompts (model/prompt.h), with the assistant's opening behind
 * them. Borrows t, and *patches: a copy of the picture settings that may be changed. */
void trainer_text_format(const struct trainer_text *t, struct prompt_format *format,
                         struct patch_config *patches);

/* A supervised example of a row: OpenAI `messages` (all assistant turns are targets, each
 * with its end-of-turn token and nothing behind it), LLaVA / ShareGPT `conversations`
 * (from human/gpt/system, value with <image> tags that must match the pictures), or
 * {image(s), caption or text} with options.prompt. Text is content: no special token is
 * made of it. 0, or -1 with the class and the field: missing (no assistant turn, no
 * caption), type, media, too_long (with the token count), model. */
int example_sft(struct example *e, const struct trainer_text *t, struct row *row);
/* The same without patches: pictures are measured, not cut. */
int example_sft_plan(struct example *e, const struct trainer_text *t, struct row *row);
#endif
