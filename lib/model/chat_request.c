/* chat_request.c: see chat_request.h. */
#include "model/chat_request.h"
#include "base/fail.h"
#include "media/base64.h"
#include "media/image.h"
#include "row/json.h"

#include <stdlib.h>

enum { TOP_LOGPROBS = 20 }; /* the most that OpenAI and vLLM give */

/* -- Options ------------------------------------------------------------------------- */

static struct chat_extra *find_extra(const struct chat_settings *s, struct span key)
{
    for (int i = 0; i < s->extra_count; i++)
        if (s->extra[i].key.n == key.n && memcmp(s->extra[i].key.s, key.s, key.n) == 0)
            return &s->extra[i];
    return NULL;
}

static int add_extra(struct chat_settings *s, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return fail(FAIL_REFUSED, "--extra %s: must be KEY=JSON", text);
    struct span key = {text, (size_t)(equals - text)}, value = span_of(equals + 1);
    if (span_is(key, "messages") || span_is(key, "n") || span_is(key, "stream"))
        return fail(FAIL_REFUSED, "--extra %.*s: capmill sets this itself", (int)key.n,
                    text);
    if (json_check(value) < 0) {
        struct failure why;
        fail_save(&why);
        return fail(FAIL_REFUSED, "--extra %s: no JSON: %s%s", text, why.text,
                    strchr("[{\"", *value.s) && *value.s ? ""
                                                         : " (a text is \"quoted\")");
    }
    struct chat_extra *e = find_extra(s, key);
    if (!e)
        e = &s->extra[s->extra_count++];
    *e = (struct chat_extra){key, value};
    return 0;
}

int chat_settings_read(struct chat_settings *s, const struct model_options *options)
{
    const struct endpoint_options *o = &options->endpoint;
    *s = (struct chat_settings){.think = options->think};
    if (!(s->extra = calloc((size_t)o->extra_count + 1, sizeof *s->extra)))
        return fail_memory();
    for (int i = 0; i < o->extra_count; i++)
        if (add_extra(s, o->extra[i]) < 0) {
            chat_settings_free(s);
            return -1;
        }
    return 0;
}

void chat_settings_free(struct chat_settings *s)
{
    free(s->extra);
    *s = (struct chat_settings){0};
}

/* -- The body ------------------------------------------------------------------------ */

/* Begin a field, unless an extra stands in its place. */
static bool put_key(struct buf *out, const struct chat_settings *s, const char *key)
{
    if (find_extra(s, span_of(key)))
        return false;
    buf_print(out, ",\"%s\":", key);
    return true;
}

static void put_int(struct buf *out, const struct chat_settings *s, const char *key,
                    int64_t x)
{
    if (put_key(out, s, key))
        json_put_int(out, x);
}

static void put_real(struct buf *out, const struct chat_settings *s, const char *key,
                     double x)
{
    if (put_key(out, s, key))
        json_put_real(out, x);
}

static void put_word(struct buf *out, const struct chat_settings *s, const char *key,
                     const char *word)
{
    if (put_key(out, s, key))
        buf_text(out, word);
}

/* Text parts from i on up to a picture or the end, joined: one JSON string. Where the run
 * ends. */
static int put_run(struct buf *out, const struct turn *turn, int i)
{
    int end = i, filled = 0;
    while (end < turn->count && !turn->parts[end].picture)
        filled += turn->parts[end++].text.n > 0;
    if (filled <= 1) { /* the usual case: nothing to be joined */
        struct span text = {"", 0};
        for (; i < end; i++)
            if (turn->parts[i].text.n > 0)
                text = turn->parts[i].text;
        json_put_text(out, text);
        return end;
    }
    struct buf all = {0}; /* a character may be split between parts */
    for (; i < end; i++) buf_add(&all, turn->parts[i].text.s, turn->parts[i].text.n);
    out->bad = out->bad || all.bad;
    json_put_text(out, (struct span){all.data, all.len});
    buf_free(&all);
    return end;
}

static void put_picture(struct buf *out, const struct turn_part *part)
{
    buf_print(out,
              "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/%s;base64,",
              image_subtype(part->text.s, part->text.n));
    base64_encode(out, part->text.s, part->text.n);
    buf_text(out, "\"}}");
}

static bool is_empty_run(const struct turn *turn, int i)
{
    for (; i < turn->count && !turn->parts[i].picture; i++)
        if (turn->parts[i].text.n > 0)
            return false;
    return true;
}

/* A turn of text alone is a string, which every server takes; else a list of parts. */
static void put_content(struct buf *out, const struct turn *turn)
{
    bool pictures = false, first = true;
    for (int i = 0; i < turn->count; i++) pictures = pictures || turn->parts[i].picture;
    if (!pictures) {
        put_run(out, turn, 0);
        return;
    }
    buf_char(out, '[');
    for (int i = 0; i < turn->count;) {
        bool picture = turn->parts[i].picture;
        if (!picture && is_empty_run(turn, i)) {
            i++;
            continue;
        }
        if (!first)
            buf_char(out, ',');
        first = false;
        if (picture) {
            put_picture(out, &turn->parts[i++]);
        } else {
            buf_text(out, "{\"type\":\"text\",\"text\":");
            i = put_run(out, turn, i);
            buf_char(out, '}');
        }
    }
    buf_char(out, ']');
}

static void put_messages(struct buf *out, const struct request *r)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    buf_text(out, ",\"messages\":[");
    for (int i = 0; i < r->count; i++) {
        buf_print(out, "%s{\"role\":\"%s\",\"content\":", i ? "," : "",
                  roles[r->turns[i].role]);
        put_content(out, &r->turns[i]);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_sampling(struct buf *out, const struct chat_settings *s,
                         const struct request *r)
{
    put_real(out, s, "temperature", r->temperature);
    put_real(out, s, "top_p", r->top_p);
    if (!find_extra(s, span_of("max_completion_tokens"))) /* its name at some servers */
        put_int(out, s, "max_tokens", r->max_tokens);
    if (r->stop_count > 0 && put_key(out, s, "stop")) {
        for (int i = 0; i < r->stop_count; i++) {
            buf_char(out, i ? ',' : '[');
            json_put_text(out, span_of(r->stop[i]));
        }
        buf_char(out, ']');
    }
    if (r->presence_penalty != 0)
        put_real(out, s, "presence_penalty", r->presence_penalty);
    if (r->repetition_penalty != 1 && r->repetition_penalty != 0)
        put_real(out, s, "repetition_penalty", r->repetition_penalty);
    if (r->top_k > 0)
        put_int(out, s, "top_k", r->top_k);
    if (r->min_p > 0)
        put_real(out, s, "min_p", r->min_p);
    if (r->ignore_eos)
        put_word(out, s, "ignore_eos", "true");
}

/* The distribution itself is asked for: no temperature, filter or penalty bends it. */
static void put_scoring(struct buf *out, const struct chat_settings *s)
{
    put_int(out, s, "temperature", 1);
    put_int(out, s, "top_p", 1);
    if (!find_extra(s, span_of("max_completion_tokens")))
        put_int(out, s, "max_tokens", 1);
    put_word(out, s, "logprobs", "true");
    put_int(out, s, "top_logprobs", TOP_LOGPROBS);
}

void chat_request_put(struct buf *out, const struct chat_settings *s,
                      const struct request *request, const struct chat_try *t)
{
    struct chat_extra *model = find_extra(s, span_of("model"));
    buf_text(out, "{\"model\":");
    if (model)
        buf_add(out, model->value.s, model->value.n);
    else
        json_put_text(out, span_of(t->model));
    put_messages(out, request);
    put_int(out, s, "n", t->n);
    if (t->score)
        put_scoring(out, s);
    else
        put_sampling(out, s, request);
    put_int(out, s, "seed", chat_request_seed(request, t->round));
    if (s->think && put_key(out, s, "chat_template_kwargs"))
        buf_print(out, "{\"enable_thinking\":%s}", s->think > 0 ? "true" : "false");
    for (int i = 0; i < s->extra_count; i++) {
        const struct chat_extra *e = &s->extra[i];
        if (e == model || json_type(e->value) == JSON_NULL)
            continue;
        buf_char(out, ',');
        json_put_text(out, e->key);
        buf_char(out, ':');
        buf_add(out, e->value.s, e->value.n);
    }
    buf_char(out, '}');
}

int64_t chat_request_seed(const struct request *request, int round)
{
    unsigned char bytes[24];
    uint64_t words[3] = {request->key.lo, request->key.hi,
                         (uint64_t)(uint32_t)request->part << 32 | (uint32_t)round};
    for (int i = 0; i < 24; i++) bytes[i] = (unsigned char)(words[i / 8] >> 8 * (i % 8));
    return (int64_t)(random_key_of(0, bytes, sizeof bytes).lo >> 33);
}

/* Is the part's picture among r's? By its place in memory. */
static bool has_picture(const struct request *r, const struct turn_part *part)
{
    for (int t = 0; t < r->count; t++)
        for (int i = 0; i < r->turns[t].count; i++)
            if (r->turns[t].parts[i].picture &&
                r->turns[t].parts[i].text.s == part->text.s)
                return true;
    return false;
}

int chat_request_check(const struct request *request, const struct request *before)
{
    int64_t most = request->max_input_pixels;
    for (int t = 0; t < request->count; t++)
        for (int i = 0; i < request->turns[t].count; i++) {
            const struct turn_part *part = &request->turns[t].parts[i];
            int height, width;
            if (!part->picture || (before && has_picture(before, part)))
                continue;
            if (image_measure(&height, &width, part->text.s, part->text.n, part->name,
                              most ? most : IMAGE_PIXELS_DEFAULT) < 0)
                return -1;
        }
    return 0;
}
