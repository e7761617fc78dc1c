/* prompt.c: see prompt.h. */
#include "model/prompt.h"
#include "base/fail.h"
#include "media/image.h"

#include <stdlib.h>

/* Decode, fit and cut one picture. */
static int add_picture(struct prompt *p, const struct prompt_format *f,
                       const struct turn_part *part, int64_t max_pixels, bool plan_only)
{
    const struct patch_config *pc = f->patches;
    struct picture_plan *plan = &p->plans[p->count];
    struct image im = {0}, fitted = {0};
    float *patches = NULL;
    int status = -1;
    if (image_decode(&im, part->text.s, part->text.n, part->name,
                     max_pixels ? max_pixels : IMAGE_PIXELS_DEFAULT) < 0)
        return -1;
    plan->height = im.height;
    plan->width = im.width;
    if (patches_fit(pc, im.height, im.width, &plan->fit_height, &plan->fit_width) < 0) {
        fail_in("%s", part->name);
        goto out;
    }
    plan->grid_h = plan->fit_height / pc->patch;
    plan->grid_w = plan->fit_width / pc->patch;
    plan->tokens = plan->grid_h * plan->grid_w / (pc->merge * pc->merge);
    if (!plan_only) {
        size_t values = (size_t)plan->grid_h * (size_t)plan->grid_w * 3 *
                        (size_t)(pc->frames * pc->patch * pc->patch);
        if (image_resize(&fitted, &im, plan->fit_height, plan->fit_width) < 0)
            goto out;
        image_free(&im); /* two full pictures and the patches are never held at once */
        if (!(patches = malloc(values * sizeof *patches))) {
            fail_memory();
            goto out;
        }
        patches_cut(patches, &fitted, pc);
    }
    p->pictures[p->count++] =
        (struct engine_picture){patches, 1, plan->grid_h, plan->grid_w};
    status = 0;
out:
    image_free(&im);
    image_free(&fitted);
    return status;
}

/* Memory for a request's pictures. How many there are, or -1. */
static int room_for_pictures(struct prompt *p, const struct prompt_format *f,
                             const struct request *r)
{
    size_t count = 0;
    for (int t = 0; t < r->count; t++)
        for (int i = 0; i < r->turns[t].count; i++) count += r->turns[t].parts[i].picture;
    if (count == 0)
        return 0;
    if (f->config->vision.depth == 0)
        return fail(FAIL_TYPE, "this model reads text only, and the row has a picture");
    p->pictures = calloc(count, sizeof *p->pictures);
    p->plans = calloc(count, sizeof *p->plans);
    return p->pictures && p->plans ? (int)count : fail_memory();
}

static int add_pictures(struct prompt *p, const struct prompt_format *f,
                        const struct request *r, bool plan_only)
{
    if (room_for_pictures(p, f, r) < 0)
        return -1;
    for (int t = 0; t < r->count; t++)
        for (int i = 0; i < r->turns[t].count; i++) {
            const struct turn_part *part = &r->turns[t].parts[i];
            if (part->picture &&
                add_picture(p, f, part, r->max_input_pixels, plan_only) < 0)
                return -1;
        }
    return 0;
}

/* The request's turns as the chat module wants them; NULL if memory is short. messages
 * and parts are one allocation: free() the messages. */
static struct chat_message *chat_messages(const struct request *r)
{
    size_t parts = 0, n = (size_t)r->count;
    for (int t = 0; t < r->count; t++) parts += (size_t)r->turns[t].count;
    struct chat_message *messages =
        calloc(1, n * sizeof *messages + parts * sizeof(struct chat_part) + 1);
    if (!messages)
        return fail_memory(), NULL;
    struct chat_part *part = (struct chat_part *)(messages + n);
    for (int t = 0; t < r->count; t++) {
        const struct turn *turn = &r->turns[t];
        static const enum chat_role roles[] = {CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT};
        messages[t] = (struct chat_message){
            .role = roles[turn->role], .parts = part, .count = turn->count};
        for (int i = 0; i < turn->count; i++, part++) {
            part->kind = turn->parts[i].picture ? CHAT_IMAGE : CHAT_TEXT;
            if (part->kind == CHAT_TEXT)
                part->text = turn->parts[i].text;
        }
    }
    return messages;
}

/* Replace each single picture token by as many as its picture has. Row text cannot hold
 * such a token: content is encoded with special tokens off. */
static int expand(struct prompt *p, const struct prompt_format *f, const struct ids *in)
{
    int picture = 0;
    for (size_t i = 0; i < in->n; i++) {
        int times = 1;
        if (p->count > 0 && in->id[i] == f->config->image_id) {
            if (picture == p->count)
                return fail(FAIL_MODEL,
                            "the prompt has more picture tokens than pictures");
            times = p->plans[picture++].tokens;
        }
        while (times-- > 0)
            if (ids_add(&p->ids, in->id[i]) < 0)
                return -1;
    }
    return picture == p->count
               ? 0
               : fail(FAIL_MODEL, "chat format %s put %d of %d pictures into the prompt",
                      chat_name(f->chat), picture, p->count);
}

/* The ids of a prompt whose pictures are known. */
static int render(struct prompt *p, const struct prompt_format *format,
                  const struct request *request)
{
    struct chat_prompt rendered = {0};
    struct ids ids = {0};
    struct chat_message *messages = chat_messages(request);
    int status = -1;
    if (!messages || chat_render(format->chat, messages, request->count,
                                 &format->chat_options, &rendered) < 0)
        goto out;
    if (tokenizer_encode(format->tokenizer, rendered.parts, rendered.count, &ids) < 0)
        goto out;
    status = expand(p, format, &ids);
out:
    chat_prompt_free(&rendered);
    ids_free(&ids);
    free(messages);
    return status;
}

int prompt_make(struct prompt *p, const struct prompt_format *format,
                const struct request *request, bool plan_only)
{
    *p = (struct prompt){0};
    if (add_pictures(p, format, request, plan_only) < 0)
        return -1;
    return render(p, format, request);
}

int prompt_make_like(struct prompt *p, const struct prompt_format *format,
                     const struct request *request, const struct prompt *other)
{
    *p = (struct prompt){0};
    int pictures = room_for_pictures(p, format, request);
    if (pictures < 0)
        return -1;
    if (pictures != other->count)
        return fail(FAIL_INTERNAL, "%d pictures, not %d", pictures, other->count);
    for (; p->count < other->count; p->count++) {
        p->plans[p->count] = other->plans[p->count];
        p->pictures[p->count] = other->pictures[p->count];
        p->pictures[p->count].patches = NULL; /* owned by the other */
    }
    return render(p, format, request);
}

struct engine_prompt prompt_view(const struct prompt *p)
{
    return (struct engine_prompt){p->ids.id, (int)p->ids.n, p->pictures, p->count};
}

void prompt_release_pictures(struct prompt *p)
{
    for (int i = 0; i < p->count; i++) {
        free((float *)p->pictures[i].patches);
        p->pictures[i].patches = NULL;
    }
}

void prompt_free(struct prompt *p)
{
    prompt_release_pictures(p);
    free(p->pictures);
    free(p->plans);
    ids_free(&p->ids);
    *p = (struct prompt){0};
}
