/* config.h: what a config.json or a GGUF file says of a model, in one form for all
 * families. */
#ifndef CONFIG_H
#define CONFIG_H
#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_LIST_MAX = 64, CONFIG_STOP_MAX = 8 };

enum rope_layout {
    ROPE_PLAIN,       /* one position */
    ROPE_SECTIONS,    /* M-RoPE, blocks of frequencies take t, h, w (Qwen2.5-VL) */
    ROPE_INTERLEAVED, /* M-RoPE, frequencies take t, h, w in turn (Qwen3-VL) */
};

/* The language model. All sizes in elements. */
struct text_config {
    int hidden, layers, heads, kv_heads, head_dim, mlp, vocab;
    int context; /* max_position_embeddings */
    float norm_eps;
    double rope_theta;
    enum rope_layout rope;
    int rope_section[3]; /* frequencies of t, h, w */
    bool qkv_bias;       /* Qwen2, Qwen2.5 */
    bool qk_norm;        /* Qwen3 */
    bool tied;           /* the output layer is the embedding */
};

/* The vision tower; depth 0 for a text model. */
struct vision_tower {
    int hidden, depth, heads, mlp, out_hidden;
    int patch, merge, frames;  /* pixels; patches a side; frames in a patch */
    int window;                /* pixels a side (Qwen2.5-VL), else 0 */
    int full[CONFIG_LIST_MAX]; /* blocks with full attention (Qwen2.5-VL) */
    int full_count;
    /* Blocks whose output feeds a merger of its own, and which one that is: those that
     * exist, ascending, and no more than the text has layers (Qwen3-VL). */
    int deepstack[CONFIG_LIST_MAX], deepstack_merger[CONFIG_LIST_MAX];
    int deepstack_count;
    int positions;     /* rows of the learned position table, else 0 ... */
    int position_side; /* ... of which side x side are used */
    double rope_theta;
};

struct model_config {
    char family[32]; /* the name in the families table: "qwen3_vl" */
    char architecture[64];
    struct text_config text;
    struct vision_tower vision;
    int32_t image_id, video_id, vision_start_id, vision_end_id; /* -1: none */
    int32_t stop[CONFIG_STOP_MAX]; /* end-of-turn ids: generation_config.json, else
                                      config.json */
    int stop_count;
};

/* Read the metadata of a GGUF file, or DIR/config.json (and generation_config.json's
 * eos_token_id). Checks every size for sense. 0, or -1 (class model): missing, damaged,
 * unknown family (lists the known), a feature that is not supported (names it: sliding
 * windows in use, rope scaling kinds).
 */
int config_read(struct model_config *mc, const char *dir);
#endif
