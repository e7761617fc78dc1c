/* positions.c: see positions.h. Rules of M-RoPE: Wang et al., arXiv 2409.12191;
 * interleaved in Qwen3-VL. */
#include "engine/positions.h"
#include "base/fail.h"
#include "engine/vision.h"

#include <math.h>
#include <stdlib.h>

static int ids_check(const struct model_config *mc, const struct engine_prompt *prompt)
{
    for (int i = 0; i < prompt->len; i++) {
        int32_t id = prompt->ids[i];
        if (id < 0 || id >= mc->text.vocab)
            return fail(FAIL_MODEL, "token id %d at %d is not in the vocabulary of %d",
                        id, i, mc->text.vocab);
        if (mc->vision.depth > 0 && id == mc->video_id)
            return fail(FAIL_MODEL,
                        "the prompt has a video token, but videos are not read");
    }
    return 0;
}

int positions_check(const struct model_config *mc, const struct engine_prompt *prompt)
{
    int picture = 0;
    if (prompt->picture_count > 0 && mc->vision.depth == 0)
        return fail(FAIL_TYPE, "this model reads text only");
    if (prompt->len < 1)
        return fail(FAIL_MODEL, "the prompt is empty");
    if (ids_check(mc, prompt) < 0)
        return -1;
    for (int i = 0; mc->vision.depth > 0 && i < prompt->len; i++) {
        if (prompt->ids[i] != mc->image_id)
            continue;
        if (picture == prompt->picture_count)
            return fail(FAIL_MODEL,
                        "the prompt has image tokens for more than its %d pictures",
                        prompt->picture_count);
        int64_t tokens = vision_tokens(&mc->vision, &prompt->pictures[picture++]);
        if (tokens < 0)
            return -1;
        for (int64_t j = 0; j < tokens; j++)
            if (i + j >= prompt->len || prompt->ids[i + j] != mc->image_id)
                return fail(FAIL_MODEL,
                            "picture %d needs %lld image tokens, the prompt has %lld",
                            picture, (long long)tokens, (long long)j);
        i += (int)tokens - 1;
    }
    if (picture < prompt->picture_count)
        return fail(FAIL_MODEL, "the prompt has image tokens for %d of its %d pictures",
                    picture, prompt->picture_count);
    return 0;
}

int engine_positions(const struct model_config *mc, const struct engine_prompt *prompt,
                     int32_t *positions, int *rope_delta)
{
    int len = prompt->len, next = 0, picture = 0;
    int32_t *t = positions, *h = positions + len, *w = positions + 2 * (size_t)len;
    if (positions_check(mc, prompt) < 0)
        return -1;
    for (int i = 0; i < len;) {
        if (mc->vision.depth == 0 || prompt->ids[i] != mc->image_id) {
            t[i] = h[i] = w[i] = next++;
            i++;
            continue;
        }
        /* A picture's tokens lie on a grid that starts here on all three axes; what comes
         * behind it starts past its longer side. */
        const struct engine_picture *p = &prompt->pictures[picture++];
        int high = p->grid_h / mc->vision.merge, wide = p->grid_w / mc->vision.merge;
        for (int row = 0; row < high; row++)
            for (int column = 0; column < wide; column++, i++) {
                t[i] = next;
                h[i] = next + row;
                w[i] = next + column;
            }
        next += high > wide ? high : wide;
    }
    *rope_delta = next - len;
    return 0;
}

/* Which axis frequency i turns with. */
static char axis_of(const struct text_config *tc, int i)
{
    const int *section = tc->rope_section;
    switch (tc->rope) {
    case ROPE_SECTIONS:
        return (char)(i < section[0] ? 0 : i < section[0] + section[1] ? 1 : 2);
    case ROPE_INTERLEAVED:
        if (i % 3 == 1 && i < 3 * section[1])
            return 1;
        return (char)(i % 3 == 2 && i < 3 * section[2] ? 2 : 0);
    case ROPE_PLAIN: break;
    }
    return 0;
}

int rope_table_make(struct rope_table *rt, const struct text_config *tc)
{
    rt->half = tc->head_dim / 2;
    rt->frequency = malloc((size_t)rt->half * sizeof *rt->frequency);
    rt->axis = malloc((size_t)rt->half);
    if (!rt->frequency || !rt->axis) {
        rope_table_free(rt);
        return fail_memory();
    }
    for (int i = 0; i < rt->half; i++) {
        /* in float32 steps, as the reference computes it */
        float exponent = (float)(2 * i) / (float)tc->head_dim;
        rt->frequency[i] = 1 / (float)pow(tc->rope_theta, (double)exponent);
        rt->axis[i] = axis_of(tc, i);
    }
    return 0;
}

void rope_table_free(struct rope_table *rt)
{
    free(rt->frequency);
    free(rt->axis);
    *rt = (struct rope_table){0};
}

void rope_table_row(const struct rope_table *rt, const int32_t position[3], float *cosine,
                    float *sine)
{
    for (int i = 0; i < rt->half; i++) {
        float angle = (float)position[(int)rt->axis[i]] * rt->frequency[i];
        cosine[i] = (float)cos((double)angle);
        sine[i] = (float)sin((double)angle);
    }
}
