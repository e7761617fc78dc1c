/* config_read.h: reading keys of config.json, each checked and named when wrong. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H
#include "engine/config.h"
#include <jansson.h>

/* One JSON object of a config file. A value, borrows all. */
struct keys {
    json_t *object;
    const char *file;    /* for messages */
    const char *section; /* "text_config."; "" at the top */
};

/* The value of a key; NULL where it is absent or null. */
json_t *keys_get(const struct keys *k, const char *key);

/* The object under a key into *sub. 1, 0 if absent, or -1 (no object). */
int keys_object(const struct keys *k, const char *key, const char *section,
                struct keys *sub);

enum { KEYS_REQUIRED = -1 }; /* otherwise: absent is an error */

/* An integer in [low, high]; otherwise if absent. 0, or -1 that names the key. */
int keys_int(const struct keys *k, const char *key, int low, int high, int otherwise,
             int *value);

/* A finite number > 0; otherwise if absent; otherwise <= 0: it must be there. */
int keys_real(const struct keys *k, const char *key, double otherwise, double *value);

int keys_bool(const struct keys *k, const char *key, bool otherwise, bool *value);

/* A list of at most max integers in [low, high]. How many, -1 on error; 0 if absent. */
int keys_list(const struct keys *k, const char *key, int low, int high, int max,
              int *values);

/* The text under key is this one, or absent. 0, or -1: "hidden_act \"relu\" is not
 * supported". */
int keys_must_be(const struct keys *k, const char *key, const char *text);

/* Limits of sense, far above every published model and far below any overflow. */
enum {
    CONFIG_HIDDEN_MAX = 1 << 17,
    CONFIG_LAYERS_MAX = 1024,
    CONFIG_HEADS_MAX = 1024,
    CONFIG_HEAD_DIM_MAX = 1024,
    CONFIG_MLP_MAX = 1 << 20,
    CONFIG_VOCAB_MAX = 1 << 24,
    CONFIG_CONTEXT_MAX = 1 << 27,
};

/* config_text.c: the language model's sizes from its object; outer is the top of the
 * file. What a family sets before: rope layout, qkv_bias, qk_norm. */
int config_text_read(struct text_config *tc, const struct keys *k,
                     const struct keys *outer);

/* config_gguf.c: the whole configuration from a GGUF file's metadata. */
int config_gguf_read(struct model_config *mc, const char *path);

/* Do the heads share out, are their sizes even? file and section as messages have them.
 */
int config_heads_check(const struct text_config *tc, const char *file,
                       const char *section);

/* config_vision.c: one reader for each family of towers. text_hidden: what it feeds. */
int config_vision_qwen2_5_vl(struct vision_tower *vt, const struct keys *k,
                             const struct text_config *tc);
int config_vision_qwen3_vl(struct vision_tower *vt, const struct keys *k,
                           const struct text_config *tc);
#endif
