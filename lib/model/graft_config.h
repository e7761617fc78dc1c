/* graft_config.h: config, tokenizer, template and preprocessing of a fresh model. */
#ifndef MODEL_GRAFT_CONFIG_H
#define MODEL_GRAFT_CONFIG_H
#include "model/folder.h"

/* Ids [0, known) are the language model's own tokenizer's, [known, known + added) new. */
struct graft_tokens {
    int known, added;
};

/* Write all files of the new model but its weights, from the two models' folders. 0 or -1
 * (class model): they do not fit together. */
int graft_config_write(const struct folder *f, const char *llm, const char *vision,
                       bool fp32, struct graft_tokens *tokens);
#endif
