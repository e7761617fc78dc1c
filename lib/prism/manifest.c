/* manifest.c: see manifest.h. */
#include "prism/manifest.h"
#include "row/keys.h"

#include <inttypes.h>

static const char *rules_name(const struct judge *judge)
{
    return judge->rules == ANSWER_PUBLISHED ? "published" : "ours";
}

/* A prompt's text, maybe not there. */
static struct span text_of(const struct wording *w)
{
    return (struct span){w->text.data, w->text.len};
}

int manifest_identity(struct cli *cli, const struct judge *judge)
{
    const struct wording *const prompts[] = {&judge->prompts.choice, &judge->prompts.open,
                                             &judge->place};
    struct buf all = {0};
    for (size_t i = 0; i < 3; i++) {
        buf_add(&all, text_of(prompts[i]).s, text_of(prompts[i]).n);
        buf_char(&all, '\n');
    }
    int status = buf_string(&all) ? cli_identity_text(cli, "judge_prompt", all.data) : -1;
    buf_free(&all);
    return status;
}

static void put_sampling(struct buf *out, const struct request *r)
{
    buf_text(out, "{\"temperature\":");
    json_put_real(out, r->temperature);
    buf_text(out, ",\"top_p\":");
    json_put_real(out, r->top_p);
    buf_print(out, ",\"top_k\":%d,\"min_p\":", r->top_k);
    json_put_real(out, r->min_p);
    buf_text(out, ",\"repetition_penalty\":");
    json_put_real(out, r->repetition_penalty);
    buf_text(out, ",\"presence_penalty\":");
    json_put_real(out, r->presence_penalty);
    buf_print(out, ",\"max_tokens\":%d,\"stop\":[", r->max_tokens);
    for (int i = 0; i < r->stop_count; i++) {
        buf_text(out, i ? "," : "");
        json_put_text(out, span_of(r->stop[i]));
    }
    buf_text(out, "]}");
}

static void put_model(struct buf *out, const struct model *model)
{
    buf_text(out, "{\"model\":");
    json_put_text(out, span_of(model_hash(model)));
    buf_text(out, ",\"chat\":");
    json_put_text(out, span_of(model_chat_name(model)));
}

static void put_captioner(struct buf *out, const struct captioner *c)
{
    int64_t least, most;
    put_model(out, c->model);
    model_pixels(c->model, &least, &most);
    buf_text(out, ",\"prompt\":");
    json_put_text(out, span_of(c->conversation.prompt));
    if (c->conversation.system) {
        buf_text(out, ",\"system\":");
        json_put_text(out, span_of(c->conversation.system));
    }
    buf_print(out, ",\"min_pixels\":%" PRId64 ",\"max_pixels\":%" PRId64 ",\"n\":%d",
              least, most, c->request.n);
    buf_text(out, ",\"sampling\":");
    put_sampling(out, &c->request);
    buf_char(out, '}');
}

void manifest_made(const struct captioner *c, char made[33])
{
    struct buf all = {0};
    put_captioner(&all, c);
    buf_print(&all, "%" PRIu64, c->seed);
    key_hex(made, all.data, all.len);
    buf_free(&all);
}

static void put_prompt(struct buf *out, const char *name, struct span text)
{
    if (!text.n)
        return;
    buf_print(out, ",\"%s\":", name);
    json_put_text(out, text);
}

void manifest_put(struct buf *out, const struct judge *judge,
                  const struct captioner *captioner, const char *captions,
                  const char *captions_hash, uint64_t seed)
{
    buf_print(out, "{\"program\":\"prism-eval\",\"version\":\"%s\",\"judge\":",
              CAPMILL_VERSION);
    put_model(out, judge->model);
    put_prompt(out, "choice_prompt", text_of(&judge->prompts.choice));
    put_prompt(out, "open_prompt", text_of(&judge->prompts.open));
    put_prompt(out, "picture_place", text_of(&judge->place));
    buf_text(out, ",\"sampling\":");
    put_sampling(out, &judge->request);
    buf_char(out, '}');
    if (captioner) {
        buf_text(out, ",\"captioner\":");
        put_captioner(out, captioner);
    }
    if (captions) {
        buf_text(out, ",\"captions\":");
        json_put_text(out, span_of(captions));
        buf_print(out, ",\"captions_hash\":\"%s\"", captions_hash);
    }
    if (judge->prompts.name) {
        buf_text(out, ",\"preset\":");
        json_put_text(out, span_of(judge->prompts.name));
    }
    buf_print(out, ",\"rules\":\"%s\",\"seed\":%" PRIu64 "}", rules_name(judge), seed);
}
