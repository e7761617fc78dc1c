/* captioner.c: see captioner.h. */
#include "prism/captioner.h"

/* The pictures, and behind them what the captioner is asked. 0 or -1. */
static int make_turns(const struct captioner *c, struct conversation *media,
                      struct row *row, struct turn turns[2], struct request *request)
{
    struct turn_part *parts, *system = row_alloc(row, sizeof *system);
    int count = 0, n = conversation_pictures(media, row, &c->conversation, &parts);
    if (!system || n < 0)
        return -1;
    if (c->conversation.system) {
        *system = (struct turn_part){.text = span_of(c->conversation.system)};
        turns[count++] = (struct turn){TURN_SYSTEM, system, 1};
    }
    parts[n++] = (struct turn_part){.text = span_of(c->conversation.prompt)};
    turns[count++] = (struct turn){TURN_USER, parts, n};
    request->turns = turns;
    request->count = count;
    return 0;
}

static int put_reply(struct buf *out, const struct reply *reply)
{
    buf_char(out, '[');
    for (int i = 0; i < reply->count; i++) {
        const struct completion *done = &reply->completions[i];
        buf_text(out, i ? ",{\"text\":" : "{\"text\":");
        json_put_text(out, (struct span){done->text.data, done->text.len});
        if (done->tokens >= 0)
            buf_print(out, ",\"tokens\":%d", done->tokens);
        buf_print(out, ",\"finish\":\"%s\"}", done->finish);
    }
    buf_char(out, ']');
    return buf_ok(out);
}

/* Random numbers by the picture's name as JSON: the same, however a row spells it. */
static int make_key(const struct captioner *c, struct span picture, struct request *r)
{
    struct buf name = {0}, json = {0};
    int status = store_name(picture, &name);
    if (json_type(picture) == JSON_STRING)
        json_put_text(&json, (struct span){name.data, name.len});
    else
        buf_add(&json, picture.s, picture.n);
    if (status == 0 && (status = buf_ok(&json)) == 0)
        r->key = random_key_of(c->seed, json.data, json.len);
    buf_free(&name);
    buf_free(&json);
    return status;
}

const struct store_captions *captioner_ask(const struct captioner *c, struct store *store,
                                           struct row *row, struct span picture,
                                           bool *deferred)
{
    const struct store_captions *captions = store_take(store, picture);
    struct conversation media = {0};
    struct request request = c->request;
    struct reply reply;
    struct turn turns[2];
    struct buf json = {0};
    *deferred = false;
    if (captions)
        return captions;
    request.deadline_ms = model_deadline(c->model);
    request.attempts = &row->attempts;
    int status = make_key(c, picture, &request);
    if (status == 0)
        status = make_turns(c, &media, row, turns, &request);
    if (status == 0 && (status = model_generate(c->model, &request, &reply)) == 0) {
        status = put_reply(&json, &reply);
        reply_free(&reply);
    }
    conversation_free(&media);
    if (status == 0)
        captions = store_put(store, picture, (struct span){json.data, json.len});
    else
        store_give_up(store, picture);
    *deferred = status == MODEL_DEFERRED;
    buf_free(&json);
    return captions;
}
