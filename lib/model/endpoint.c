/* endpoint.c: see endpoint.h. Each request of a call is an errand: it makes its body for
 * each try, on the net's thread, and keeps what the replies bring. Bodies are not held
 * but while they are sent: pictures in base64 are large, and rows have many requests. */
#include "model/endpoint.h"
#include "base/fail.h"
#include "media/image.h"
#include "model/batch.h"
#include "model/chat_reply.h"
#include "model/chat_request.h"
#include "model/endpoint_spec.h"
#include "net/net.h"

#include <stdlib.h>

enum { CONCURRENCY = 32, ROW_TIMEOUT = 3600, BATCH_READERS = 4 };

struct endpoint {
    struct endpoint_spec spec;
    struct chat_settings settings;
    struct net *net;       /* NULL: batch files stand in for it */
    struct batch_out *out; /* --batch-out, or NULL */
    struct batch_in *in;   /* --batch-in, or NULL */
    struct buf notes;
    char *key;
    int workers;
    int64_t row_timeout_ms;
};

/* -- Open and close ------------------------------------------------------------------ */

static int open_net(struct endpoint *e, const struct endpoint_options *o)
{
    if (endpoint_key_read(&e->key, o->key_file) < 0)
        return -1;
    struct net_options options = {
        .urls = (const char *const *)e->spec.urls,
        .count = e->spec.count,
        .concurrency = e->workers,
        .key = e->key,
        .timeout = o->timeout,
        .retries = o->retries,
    };
    return (e->net = net_open(&options)) ? 0 : -1;
}

static int open_parts(struct endpoint *e, const char *spec,
                      const struct model_options *options)
{
    const struct endpoint_options *o = &options->endpoint;
    double row_timeout = o->row_timeout > 0 ? o->row_timeout : ROW_TIMEOUT;
    if (options->min_pixels || options->max_pixels)
        return fail(FAIL_REFUSED, "--%s-pixels: an endpoint scales pictures itself",
                    options->min_pixels ? "min" : "max");
    e->workers = o->concurrency > 0 ? o->concurrency : CONCURRENCY;
    e->row_timeout_ms = (int64_t)(row_timeout * 1000);
    if (endpoint_spec_read(&e->spec, spec) < 0 ||
        chat_settings_read(&e->settings, options) < 0)
        return -1;
    if (o->batch_out) {
        e->workers = 1; /* requests stand in the file in the order of the rows */
        if (!(e->out = batch_out_open(o->batch_out, o->batch_force)))
            return -1;
    } else if (o->batch_in) {
        e->workers = BATCH_READERS;
        if (!(e->in = batch_in_open(o->batch_in)))
            return -1;
        buf_text(&e->notes, batch_in_notes(e->in));
    } else if (open_net(e, o) < 0) {
        return -1;
    }
    return buf_string(&e->notes) ? 0 : fail_memory();
}

struct endpoint *endpoint_open(const char *spec, const struct model_options *options)
{
    struct endpoint *e = calloc(1, sizeof *e);
    if (!e)
        return fail_memory(), NULL;
    if (open_parts(e, spec, options) < 0)
        return endpoint_close(e), NULL;
    return e;
}

int endpoint_finish(struct endpoint *e)
{
    return e->out ? batch_out_finish(e->out) : 0;
}

void endpoint_close(struct endpoint *e)
{
    if (!e)
        return;
    if (e->net)
        net_close(e->net);
    batch_out_close(e->out);
    batch_in_close(e->in);
    chat_settings_free(&e->settings);
    endpoint_spec_free(&e->spec);
    buf_free(&e->notes);
    free(e->key);
    free(e);
}

const char *endpoint_hash(const struct endpoint *e)
{
    return e->spec.hash;
}

const char *endpoint_notes(const struct endpoint *e)
{
    return e->notes.data;
}

int endpoint_workers(const struct endpoint *e)
{
    return e->workers;
}

bool endpoint_down(struct endpoint *e)
{
    return e->out ? batch_out_bad(e->out) : e->net && net_down(e->net);
}

int64_t endpoint_deadline(const struct endpoint *e)
{
    return e->net ? net_now_ms() + e->row_timeout_ms : 0;
}

/* -- Errands ------------------------------------------------------------------------- */

/* One request under way. */
struct errand {
    const struct endpoint *e;
    const struct request *request;
    struct chat_samples samples; /* of a generation */
    struct score_item *item;     /* of a scoring; else NULL */
    int round;                   /* replies that brought something */
    bool done, final;            /* final: it failed, and would again */
    struct failure why;          /* ... for this reason */
};

static struct chat_try next_try(const struct errand *a, int endpoint)
{
    return (struct chat_try){
        .model = a->e->spec.names[endpoint],
        .n = a->item ? 1 : a->samples.missing,
        .round = a->round,
        .score = a->item != NULL,
    };
}

/* net_call.body */
static int make_body(void *context, int endpoint, int attempt, struct buf *out)
{
    const struct errand *a = context;
    (void)attempt; /* a try that brought nothing is repeated as it was */
    struct chat_try t = next_try(a, endpoint);
    chat_request_put(out, &a->e->settings, a->request, &t);
    return buf_ok(out);
}

/* Take what a reply brings. 0, CHAT_AGAIN, CHAT_FINAL. */
static int take(struct errand *a, struct span body)
{
    struct score_item *item = a->item;
    if (item) {
        int status = chat_reply_score(body, item->texts, item->text_count, item->logprob,
                                      a->e->key);
        a->done = status == 0;
        return status;
    }
    int came = chat_reply_take(&a->samples, body, a->e->key);
    a->round += came > 0;
    a->done = a->samples.missing == 0;
    return came > 0 ? 0 : came;
}

/* net_call.accept: what would fail again is no reason for another try. */
static int look_at(void *context, int endpoint, struct span body)
{
    struct errand *a = context;
    (void)endpoint;
    int status = take(a, body);
    if (status != CHAT_FINAL)
        return status;
    fail_save(&a->why);
    a->final = true;
    return 0;
}

/* One round: all errands that are not done, side by side. 0 or -1. */
static int send_round(struct endpoint *e, struct errand *errands, struct net_call *calls,
                      int count)
{
    int n = 0, attempts = 0;
    const struct request *r = errands[0].request;
    for (int i = 0; i < count; i++)
        if (!errands[i].done)
            calls[n++] = (struct net_call){
                .path = "/chat/completions",
                .body = make_body,
                .accept = look_at,
                .context = &errands[i],
                .abandon = r->abandon,
                .abandon_context = r->abandon_context,
                .deadline_ms = r->deadline_ms,
            };
    int status = net_post_all(e->net, calls, n);
    for (int i = 0; i < n; i++) attempts += calls[i].attempts;
    if (r->attempts)
        *r->attempts += attempts;
    for (int i = 0; i < count; i++)
        if (errands[i].final)
            return fail_again(&errands[i].why);
    return status;
}

static int send_all(struct endpoint *e, struct errand *errands, int count)
{
    struct net_call *calls = calloc((size_t)count + 1, sizeof *calls);
    int status = calls ? 0 : fail_memory(), left = count;
    while (status == 0 && left > 0) {
        status = send_round(e, errands, calls, count);
        left = 0;
        for (int i = 0; i < count; i++) left += !errands[i].done;
    }
    free(calls);
    return status;
}

/* -- Batch files --------------------------------------------------------------------- */

static int write_all(struct endpoint *e, struct errand *errands, int count)
{
    struct buf body = {0};
    char id[BATCH_ID];
    int status = 0;
    for (int i = 0; i < count && status == 0; i++) {
        const struct request *r = errands[i].request;
        buf_clear(&body);
        if ((status = make_body(&errands[i], 0, 0, &body)) < 0)
            break;
        batch_id(id, r->key, r->part);
        status = batch_out_write(e->out, id, (struct span){body.data, body.len});
    }
    buf_free(&body);
    return status < 0 ? -1 : MODEL_DEFERRED;
}

static int read_all(struct endpoint *e, struct errand *errands, int count)
{
    struct buf line = {0};
    char id[BATCH_ID];
    int status = 0;
    for (int i = 0; i < count && status == 0; i++) {
        struct errand *a = &errands[i];
        struct span body;
        batch_id(id, a->request->key, a->request->part);
        status = batch_in_find(e->in, id, &line, &body);
        if (status == 0)
            status = take(a, body);
        if (status == 0 && !a->done)
            status = fail(FAIL_PARSE, "the batch has %d of %d samples",
                          a->samples.n - a->samples.missing, a->samples.n);
    }
    buf_free(&line);
    return status < 0 ? -1 : 0;
}

/* -- What model.h asks for ----------------------------------------------------------- */

static int run(struct endpoint *e, struct errand *errands, int count)
{
    for (int i = 0; i < count; i++)
        if (chat_request_check(errands[i].request, i ? errands[i - 1].request : NULL) < 0)
            return -1;
    return e->out  ? write_all(e, errands, count)
           : e->in ? read_all(e, errands, count)
                   : send_all(e, errands, count);
}

int endpoint_generate_all(struct endpoint *e, const struct request *requests,
                          struct reply *replies, int count)
{
    struct errand *errands = calloc((size_t)count + 1, sizeof *errands);
    int status = errands ? 0 : fail_memory(), made = 0;
    memset(replies, 0, (size_t)count * sizeof *replies);
    for (; status == 0 && made < count; made++) {
        int n = requests[made].n;
        struct completion *c = calloc((size_t)n + 1, sizeof *c);
        replies[made] = (struct reply){c, n, 0};
        errands[made] =
            (struct errand){.e = e, .request = &requests[made], .samples = {c, n, n, 0}};
        if (!c)
            status = fail_memory();
        else if (requests[made].want_ids)
            status = fail(FAIL_REFUSED, "an endpoint tells no token ids");
    }
    if (status == 0)
        status = run(e, errands, count);
    for (int i = 0; i < made; i++) {
        replies[i].prompt_tokens = errands[i].samples.prompt_tokens;
        if (status != 0)
            reply_free(&replies[i]);
    }
    free(errands);
    return status;
}

int endpoint_score_all(struct endpoint *e, const struct request *request,
                       struct score_item *items, int count)
{
    struct errand *errands = calloc((size_t)count + 1, sizeof *errands);
    struct request *requests = calloc((size_t)count + 1, sizeof *requests);
    int status = errands && requests ? 0 : fail_memory();
    for (int i = 0; status == 0 && i < count; i++) {
        requests[i] = *request;
        requests[i].turns = items[i].turns;
        requests[i].count = items[i].count;
        requests[i].part = request->part + i;
        errands[i] = (struct errand){.e = e, .request = &requests[i], .item = &items[i]};
    }
    if (status == 0)
        status = run(e, errands, count);
    free(requests);
    free(errands);
    return status;
}

int endpoint_plan(const struct request *request, struct request_plan *plan)
{
    size_t count = 0;
    int64_t most = request->max_input_pixels;
    *plan = (struct request_plan){0};
    for (int t = 0; t < request->count; t++)
        for (int i = 0; i < request->turns[t].count; i++)
            count += request->turns[t].parts[i].picture;
    if (!(plan->pictures = calloc(count + 1, sizeof *plan->pictures)))
        return fail_memory();
    for (int t = 0; t < request->count; t++)
        for (int i = 0; i < request->turns[t].count; i++) {
            const struct turn_part *part = &request->turns[t].parts[i];
            struct picture_plan *p = &plan->pictures[plan->picture_count];
            if (!part->picture)
                continue;
            if (image_measure(&p->height, &p->width, part->text.s, part->text.n,
                              part->name, most ? most : IMAGE_PIXELS_DEFAULT) < 0) {
                free(plan->pictures);
                *plan = (struct request_plan){0};
                return -1;
            }
            plan->picture_count++;
        }
    return 0;
}
