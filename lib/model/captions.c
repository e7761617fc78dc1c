/* captions.c: see captions.h. Field names and order: capmill(7). */
#include "model/captions.h"

static void put_key(struct buf *b, const char *key)
{
    buf_print(b, ",\"%s\":", key);
}

static void put_ids(struct buf *b, const struct ids *ids)
{
    buf_text(b, ",\"ids\":[");
    for (size_t i = 0; i < ids->n; i++) {
        if (i)
            buf_char(b, ',');
        json_put_int(b, ids->id[i]);
    }
    buf_char(b, ']');
}

static void put_logprobs(struct buf *b, const struct completion *c)
{
    buf_text(b, ",\"logprobs\":[");
    for (size_t i = 0; i < c->ids.n; i++) {
        if (i)
            buf_char(b, ',');
        json_put_logprob(b, (double)c->logprobs[i]);
    }
    buf_char(b, ']');
}

/* One list per token: [[id, logprob], ...], best first. */
static void put_top(struct buf *b, const struct completion *c, int top)
{
    buf_text(b, ",\"top\":[");
    for (size_t i = 0; i < c->ids.n; i++) {
        buf_text(b, i ? ",[" : "[");
        for (int k = 0; k < top; k++) {
            const struct token_chance *t = &c->top[i * (size_t)top + (size_t)k];
            buf_print(b, "%s[%d,", k ? "," : "", (int)t->id);
            json_put_logprob(b, (double)t->logprob);
            buf_char(b, ']');
        }
        buf_char(b, ']');
    }
    buf_char(b, ']');
}

static void put_completion(struct buf *b, const struct completion *c,
                           const struct request *request)
{
    buf_text(b, "{\"text\":");
    json_put_text(b, (struct span){c->text.data, c->text.len});
    if (c->tokens >= 0) /* a server that does not count is no reason to invent */
        buf_print(b, ",\"tokens\":%d", c->tokens);
    buf_print(b, ",\"finish\":\"%s\"", c->finish);
    if (request->want_ids)
        put_ids(b, &c->ids);
    if (request->want_logprobs)
        put_logprobs(b, c);
    if (request->want_logprobs && request->top_logprobs > 0)
        put_top(b, c, request->top_logprobs);
    buf_char(b, '}');
}

/* row_set() the buffer's text, then empty it. */
static int set(struct row *row, const char *key, struct buf *b)
{
    if (buf_ok(b) < 0 || row_set(row, key, (struct span){b->data, b->len}) < 0)
        return -1;
    buf_clear(b);
    return 0;
}

int captions_set(struct row *row, const struct reply *reply,
                 const struct request *request)
{
    struct buf b = {0};
    buf_char(&b, '[');
    for (int i = 0; i < reply->count; i++) {
        if (i)
            buf_char(&b, ',');
        put_completion(&b, &reply->completions[i], request);
    }
    buf_char(&b, ']');
    int status = set(row, "captions", &b);
    if (status == 0 && reply->count == 1) {
        const struct buf *text = &reply->completions[0].text;
        json_put_text(&b, (struct span){text->data, text->len});
        status = set(row, "caption", &b);
    }
    buf_free(&b);
    return status;
}

static void put_text_or_null(struct buf *b, const char *key, const char *text)
{
    put_key(b, key);
    if (text)
        json_put_text(b, span_of(text));
    else
        buf_text(b, "null");
}

static void put_real(struct buf *b, const char *key, double x)
{
    put_key(b, key);
    json_put_real(b, x);
}

static void put_int(struct buf *b, const char *key, int64_t x)
{
    put_key(b, key);
    json_put_int(b, x);
}

int captions_set_gen(struct row *row, const struct model *model,
                     const struct request *request, const struct model_options *options,
                     int64_t seed, const char *system, struct span prompt,
                     int64_t version)
{
    struct buf b = {0};
    buf_print(&b, "{\"model\":\"%s\"", model_hash(model));
    put_int(&b, "version", version);
    put_int(&b, "seed", seed);
    put_real(&b, "temperature", request->temperature);
    put_real(&b, "top_p", request->top_p);
    put_int(&b, "top_k", request->top_k);
    put_real(&b, "min_p", request->min_p);
    put_real(&b, "repetition_penalty", request->repetition_penalty);
    put_real(&b, "presence_penalty", request->presence_penalty);
    put_int(&b, "max_tokens", request->max_tokens);
    put_text_or_null(&b, "chat", model_chat_name(model));
    put_text_or_null(&b, "system", system);
    put_key(&b, "prompt");
    if (prompt.s)
        json_put_text(&b, prompt);
    else
        buf_text(&b, "null");
    int64_t min_pixels, max_pixels;
    model_pixels(model, &min_pixels, &max_pixels);
    put_int(&b, "min_pixels", min_pixels);
    put_int(&b, "max_pixels", max_pixels);
    put_text_or_null(&b, "fps", NULL); /* of videos, which this version does not read */
    if (options->think)
        put_text_or_null(&b, "think", options->think > 0 ? "on" : "off");
    if (options->vision_id)
        buf_text(&b, ",\"vision_id\":true");
    buf_char(&b, '}');
    int status = set(row, "gen", &b);
    buf_free(&b);
    return status;
}
