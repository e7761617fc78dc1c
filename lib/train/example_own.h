/* example_own.h: what makers of examples share: a model directory's way with text. */
#ifndef TRAIN_EXAMPLE_OWN_H
#define TRAIN_EXAMPLE_OWN_H
#include "engine/config.h"
#include "media/patches.h"
#include "model/prompt.h"
#include "train/example.h"

struct trainer_text {
    const struct example_options *options;
    struct model_config config;
    struct tokenizer *tokenizer;
    struct chat *chat;
    struct patch_config patches;
    int32_t end; /* the token that ends a turn */
};
#endif
