/* graft.h: a fresh vision-language model: the text of a language model, the tower of
 * another vision-language model, and a new merger between them, drawn at random.
 */
#ifndef MODEL_GRAFT_H
#define MODEL_GRAFT_H
#include <stdbool.h>
#include <stdint.h>

struct graft_options {
    const char *llm;    /* SPEC: a Qwen2 or Qwen3 model, or a model with a tower, whose
                           text is taken */
    const char *vision; /* SPEC: Qwen2.5-VL for Qwen2, Qwen3-VL for Qwen3 */
    double deviation;   /* of the merger's matrices; 0: 0.02 */
    bool fp32;          /* weights in fp32, else bf16 */
    uint64_t seed;
    bool (*abandon)(void *context); /* asked now and then: true gives up; may be NULL */
    void *abandon_context;
};

/* Make folder dir, which must not exist, whole or not at all. The tokenizer is the
 * language model's; of <|vision_start|>, <|vision_end|>, <|vision_pad|>, <|image_pad|>
 * and <|video_pad|> those that it lacks get the next ids, and the mean row of the
 * tokenizer's tokens in the embedding (and in an output layer of its own). Chat template
 * and preprocessing are the tower's. 0 or -1 (class model; refused where it was
 * abandoned). */
int graft(const char *dir, const struct graft_options *options);
#endif
