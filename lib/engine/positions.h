/* positions.h: position ids of a prompt, and the rotary tables made from them.
 * (engine_positions() itself is declared in engine.h.) */
#ifndef POSITIONS_H
#define POSITIONS_H
#include "engine/engine.h"

/* Does the prompt fit the model? ids in the vocabulary, pictures only for a model that
 * sees (class type), one run of image_id for each picture (class model). 0 or -1. */
int positions_check(const struct model_config *mc, const struct engine_prompt *prompt);

/* Rotary frequencies of a model, made once. */
struct rope_table {
    int half;         /* frequencies: head_dim / 2 */
    float *frequency; /* [half], owned */
    char *axis;       /* [half], owned: 0 t, 1 h, 2 w */
};
int rope_table_make(struct rope_table *rt, const struct text_config *tc); /* 0 or -1 */
void rope_table_free(struct rope_table *rt);

/* Cosines and sines [half] of one row at position (t, h, w). */
void rope_table_row(const struct rope_table *rt, const int32_t position[3], float *cosine,
                    float *sine);
#endif
