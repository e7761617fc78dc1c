/* prompt.h: from turns to what the local core reads: token ids and patches. */
#ifndef PROMPT_H
#define PROMPT_H
#include "engine/engine.h"
#include "media/patches.h"
#include "model/model.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/* A model's way of writing prompts. Borrows all. */
struct prompt_format {
    const struct tokenizer *tokenizer;
    const struct chat *chat;
    const struct model_config *config;
    const struct patch_config *patches; /* limits of --min-pixels, --max-pixels applied */
    struct chat_options chat_options;
};

/* One prompt, ready for the engine. Owns everything it points to. */
struct prompt {
    struct ids ids;
    struct engine_picture *pictures; /* [count] */
    struct picture_plan *plans;      /* [count] sizes, for --explain */
    int count;
};

/* Render, decode and cut. With plan_only pictures are measured and not cut (patches
 * NULL). 0, or -1: media, too_large, type (the model or its template refuses), with the
 * picture's name. prompt_free() it in both cases. */
int prompt_make(struct prompt *p, const struct prompt_format *format,
                const struct request *request, bool plan_only);
/* The same for a request with the pictures of another, in the same order: their sizes are
 * taken from its prompt, and nothing is decoded or cut. */
int prompt_make_like(struct prompt *p, const struct prompt_format *format,
                     const struct request *request, const struct prompt *other);
void prompt_release_pictures(struct prompt *p); /* the patches alone; grids stay */
struct engine_prompt prompt_view(const struct prompt *p);
void prompt_free(struct prompt *p);
#endif
